/* SPDX-License-Identifier: MIT */
/* Linear algebra on the last two axes; the axes before them are batches, which broadcast. dtypes
 * are promoted; f32 and f64 products run on the packed GEMM, f16 and bf16 are rounded once,
 * integers wrap, bool is DH_EDTYPE. *out is a new tensor, yours to free; shapes that do not fit are
 * DH_ESHAPE, NULL is DH_EINVAL. */
#ifndef DEEPHEALTH_TENSOR_LINALG_H
#define DEEPHEALTH_TENSOR_LINALG_H

#include <deephealth/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* [.., m, k] x [.., k, n] -> [.., m, n]. A 1-D a stands for [1, k], a 1-D b for [k, 1]; the axis
 * goes again from the result (NumPy's matmul). */
DH_API DH_NODISCARD dh_status dh_tensor_matmul(dh_tensor **out, const dh_tensor *a,
                                               const dh_tensor *b);
/* NumPy's dot: sum over the last axis of a and the second to last (or only) one of b; the other
 * axes of a, then those of b. [n] and [n] give the inner product; a scalar multiplies. */
DH_API DH_NODISCARD dh_status dh_tensor_dot(dh_tensor **out, const dh_tensor *a,
                                            const dh_tensor *b);
/* y[i, j] = a[i] b[j] of the flattened operands. */
DH_API DH_NODISCARD dh_status dh_tensor_outer(dh_tensor **out, const dh_tensor *a,
                                              const dh_tensor *b);
/* [.., n, n] -> [.., n, n], floats, computed in double; DH_ENUMERIC names the first singular
 * matrix. */
DH_API DH_NODISCARD dh_status dh_tensor_inverse(dh_tensor **out, const dh_tensor *x);
/* [.., n, n] -> [..], floats, computed in double, out of range only if the result is; 0 where
 * singular, 1 for n = 0. */
DH_API DH_NODISCARD dh_status dh_tensor_det(dh_tensor **out, const dh_tensor *x);

#ifdef __cplusplus
}
#endif
#endif
