/* SPDX-License-Identifier: MIT */
/* Tensors joined, repeated, reordered, addressed by index and sorted. Negative axes count from the
 * end; so do negative indices (i32 or i64, else DH_EDTYPE); an axis or an index outside is
 * DH_EINVAL, as is NULL where it is not said to be fine. Results are new tensors of yours to free;
 * those said to be views share the storage of x. All dtypes are taken and the result has that of x,
 * where nothing else is said. A size that no memory has is DH_EOVERFLOW. */
#ifndef DEEPHEALTH_TENSOR_SHAPE_H
#define DEEPHEALTH_TENSOR_SHAPE_H

#include <deephealth/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- joining and repeating --- */

/* count >= 1 tensors one after the other along axis; other axes must agree (DH_ESHAPE); dtypes are
 * promoted. */
DH_API DH_NODISCARD dh_status dh_tensor_concat(dh_tensor **out, int count,
                                               const dh_tensor *const *x, int axis);
/* count >= 1 tensors of one shape (DH_ESHAPE) along a new axis before `axis`, which is in
 * [-ndim - 1, ndim]; dtypes are promoted. */
DH_API DH_NODISCARD dh_status dh_tensor_stack(dh_tensor **out, int count, const dh_tensor *const *x,
                                              int axis);
/* begin[i] elements before and end[i] after axis i (ndim numbers each, >= 0), all equal to value
 * (rounded as a cast; NaN is DH_EINVAL). */
DH_API DH_NODISCARD dh_status dh_tensor_pad(dh_tensor **out, const dh_tensor *x,
                                            const int64_t *begin, const int64_t *end, double value);
/* The whole of x repeats[i] times along axis i. As in NumPy the shorter of x's shape and repeats
 * (count numbers >= 0, count in 0..8) is preceded by ones. */
DH_API DH_NODISCARD dh_status dh_tensor_tile(dh_tensor **out, const dh_tensor *x, int count,
                                             const int64_t *repeats);
/* Each element repeats >= 0 times in a row along axis: [1, 2] -> [1, 1, 2, 2]. */
DH_API DH_NODISCARD dh_status dh_tensor_repeat(dh_tensor **out, const dh_tensor *x, int64_t repeats,
                                               int axis);

/* --- views --- */

/* View with axis reversed; DH_ALL_AXES reverses all. */
DH_API DH_NODISCARD dh_status dh_tensor_flip(dh_tensor **out, const dh_tensor *x, int axis);
/* View with axis `from` at position `to`, the others in their order. */
DH_API DH_NODISCARD dh_status dh_tensor_moveaxis(dh_tensor **out, const dh_tensor *x, int from,
                                                 int to);
/* dh_tensor_transpose by its NumPy name. */
DH_API DH_NODISCARD dh_status dh_tensor_swapaxes(dh_tensor **out, const dh_tensor *x, int axis0,
                                                 int axis1);

/* --- triangles and diagonals of the last two axes; k = 0 the main one, positive above it --- */

/* A copy of x [.., m, n] with 0 below (triu) or above (tril) diagonal k, |k| <= 1e15; DH_ESHAPE for
 * fewer than 2 axes. */
DH_API DH_NODISCARD dh_status dh_tensor_triu(dh_tensor **out, const dh_tensor *x, int64_t k);
DH_API DH_NODISCARD dh_status dh_tensor_tril(dh_tensor **out, const dh_tensor *x, int64_t k);
/* x [.., m, n]: a view [.., l] of diagonal k. x [n]: a square matrix with x on diagonal k, 0
 * elsewhere. DH_ESHAPE for a scalar. */
DH_API DH_NODISCARD dh_status dh_tensor_diag(dh_tensor **out, const dh_tensor *x, int64_t k);
/* Sum of diagonal k: [.., m, n] -> [..]; integers and bool give 64 bits, as dh_tensor_sum does. */
DH_API DH_NODISCARD dh_status dh_tensor_trace(dh_tensor **out, const dh_tensor *x, int64_t k);

/* --- by index --- */

/* y[i, j, ..] = x[i, index[i, j, ..], ..], the index standing at axis; y has index's shape, whose
 * rank is that of x and whose other axes are no longer than those of x (DH_ESHAPE). ONNX
 * GatherElements, torch.gather. */
DH_API DH_NODISCARD dh_status dh_tensor_gather(dh_tensor **out, const dh_tensor *x,
                                               const dh_tensor *index, int axis);
/* index's shape takes the place of axis: y[.., q, ..] = x[.., index[q], ..]. ONNX Gather, NumPy
 * take. DH_ESHAPE where that makes more than 8 axes. */
DH_API DH_NODISCARD dh_status dh_tensor_take(dh_tensor **out, const dh_tensor *x,
                                             const dh_tensor *index, int axis);
/* A copy of x with y[i, index[i, j, ..], ..] = src[i, j, ..]; of equal targets the last counts. src
 * has index's shape and x's dtype; index's shape as in dh_tensor_gather. */
DH_API DH_NODISCARD dh_status dh_tensor_scatter(dh_tensor **out, const dh_tensor *x,
                                                const dh_tensor *index, const dh_tensor *src,
                                                int axis);
/* The same with +=, for any dtype but bool; the same bits for any number of threads. */
DH_API DH_NODISCARD dh_status dh_tensor_scatter_add(dh_tensor **out, const dh_tensor *x,
                                                    const dh_tensor *index, const dh_tensor *src,
                                                    int axis);
/* [.., depth] of dtype (0: f32): 1 at the index, else 0. index has an integer dtype but u64 and at
 * most 7 axes; depth >= 0. */
DH_API DH_NODISCARD dh_status dh_tensor_one_hot(dh_tensor **out, const dh_tensor *index,
                                                int64_t depth, dh_dtype dtype);
/* Indices of the elements that are not 0 (NaN is not), row-major: i64 [count, ndim], on the CPU. */
DH_API DH_NODISCARD dh_status dh_tensor_nonzero(dh_tensor **out, const dh_tensor *x);

/* --- order: stable; NaN counts as larger than any number; indices are i64 --- */

/* Sorted values in the dtype of x, and the positions along axis that they had, i64; both have the
 * shape of x, each is yours to free. Either of the two may be NULL. axis counts from the end where
 * it is negative. */
DH_API DH_NODISCARD dh_status dh_tensor_sort(dh_tensor **values, dh_tensor **indices,
                                             const dh_tensor *x, int axis, bool descending);
/* The positions alone: i64 in the shape of x, out[.., i, ..] = where along axis the i-th in order
 * stood, of equals the one at the lower index first, descending too. */
DH_API DH_NODISCARD dh_status dh_tensor_argsort(dh_tensor **out, const dh_tensor *x, int axis,
                                                bool descending);
/* The k largest (or smallest), best first, of equals the one at the lower index first; values or
 * indices (i64) may be NULL. Both have the shape of x with k in the place of axis; 0 <= k <= length
 * of axis, else DH_ESHAPE. */
DH_API DH_NODISCARD dh_status dh_tensor_topk(dh_tensor **values, dh_tensor **indices,
                                             const dh_tensor *x, int64_t k, int axis,
                                             bool smallest);
/* The different values of x, ascending, [n]; how often each occurs, i64 [n] (counts may be NULL).
 * All NaN are one value. Both are on the CPU, values in the dtype of x. */
DH_API DH_NODISCARD dh_status dh_tensor_unique(dh_tensor **values, dh_tensor **counts,
                                               const dh_tensor *x);

#ifdef __cplusplus
}
#endif
#endif
