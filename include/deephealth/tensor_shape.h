/* SPDX-License-Identifier: MIT */
/* Tensors joined, repeated, reordered, addressed by index and sorted. Negative axes count from the
 * end; so do negative indices (i32 or i64), and one outside its axis is DH_EINVAL. Results are new
 * tensors of yours to free; those said to be views share the storage of x. */
#ifndef DEEPHEALTH_TENSOR_SHAPE_H
#define DEEPHEALTH_TENSOR_SHAPE_H

#include <deephealth/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- joining and repeating -----------------------------------------------------------------------
 */

/* count tensors one after the other along axis; other axes must agree; dtypes are promoted. */
DH_API DH_NODISCARD dh_status dh_tensor_concat(dh_tensor **out, int count,
                                               const dh_tensor *const *x, int axis);
/* count tensors of one shape along a new axis before `axis`. */
DH_API DH_NODISCARD dh_status dh_tensor_stack(dh_tensor **out, int count, const dh_tensor *const *x,
                                              int axis);
/* begin[i] elements before and end[i] after axis i, all equal to value (rounded as a cast). */
DH_API DH_NODISCARD dh_status dh_tensor_pad(dh_tensor **out, const dh_tensor *x,
                                            const int64_t *begin, const int64_t *end, double value);
/* The whole of x repeats[i] times along axis i. As in NumPy the shorter of x's shape and repeats
 * (count numbers) is preceded by ones. */
DH_API DH_NODISCARD dh_status dh_tensor_tile(dh_tensor **out, const dh_tensor *x, int count,
                                             const int64_t *repeats);
/* Each element repeats times in a row along axis: [1, 2] -> [1, 1, 2, 2]. */
DH_API DH_NODISCARD dh_status dh_tensor_repeat(dh_tensor **out, const dh_tensor *x, int64_t repeats,
                                               int axis);

/* --- views ---------------------------------------------------------------------------------------
 */

/* View with axis reversed; DH_ALL_AXES reverses all. */
DH_API DH_NODISCARD dh_status dh_tensor_flip(dh_tensor **out, const dh_tensor *x, int axis);
/* View with axis `from` at position `to`, the others in their order. */
DH_API DH_NODISCARD dh_status dh_tensor_moveaxis(dh_tensor **out, const dh_tensor *x, int from,
                                                 int to);
/* dh_tensor_transpose by its NumPy name. */
DH_API DH_NODISCARD dh_status dh_tensor_swapaxes(dh_tensor **out, const dh_tensor *x, int axis0,
                                                 int axis1);

/* --- triangles and diagonals of the last two axes; k = 0 the main one, positive above it
 * ----------- */

DH_API DH_NODISCARD dh_status dh_tensor_triu(dh_tensor **out, const dh_tensor *x, int64_t k);
DH_API DH_NODISCARD dh_status dh_tensor_tril(dh_tensor **out, const dh_tensor *x, int64_t k);
/* x [.., m, n]: a view [.., l] of diagonal k. x [n]: a square matrix with x on diagonal k. */
DH_API DH_NODISCARD dh_status dh_tensor_diag(dh_tensor **out, const dh_tensor *x, int64_t k);
/* Sum of diagonal k: [.., m, n] -> [..]. */
DH_API DH_NODISCARD dh_status dh_tensor_trace(dh_tensor **out, const dh_tensor *x, int64_t k);

/* --- by index ------------------------------------------------------------------------------------
 */

/* y[i, j, ..] = x[i, index[i, j, ..], ..], the index standing at axis; y has index's shape. ONNX
 * GatherElements, torch.gather. */
DH_API DH_NODISCARD dh_status dh_tensor_gather(dh_tensor **out, const dh_tensor *x,
                                               const dh_tensor *index, int axis);
/* index's shape takes the place of axis: y[.., q, ..] = x[.., index[q], ..]. ONNX Gather, NumPy
 * take.
 */
DH_API DH_NODISCARD dh_status dh_tensor_take(dh_tensor **out, const dh_tensor *x,
                                             const dh_tensor *index, int axis);
/* A copy of x with y[i, index[i, j, ..], ..] = src[i, j, ..]; of equal targets the last counts. src
 * has index's shape and x's dtype. */
DH_API DH_NODISCARD dh_status dh_tensor_scatter(dh_tensor **out, const dh_tensor *x,
                                                const dh_tensor *index, const dh_tensor *src,
                                                int axis);
/* The same with +=; the same bits for any number of threads. */
DH_API DH_NODISCARD dh_status dh_tensor_scatter_add(dh_tensor **out, const dh_tensor *x,
                                                    const dh_tensor *index, const dh_tensor *src,
                                                    int axis);
/* A new last axis of depth: 1 at the index, else 0. */
DH_API DH_NODISCARD dh_status dh_tensor_one_hot(dh_tensor **out, const dh_tensor *index,
                                                int64_t depth, dh_dtype dtype);
/* Indices of the elements that are not 0 (NaN is not), row-major: i64 [count, ndim]. */
DH_API DH_NODISCARD dh_status dh_tensor_nonzero(dh_tensor **out, const dh_tensor *x);

/* --- order: stable; NaN counts as larger than any number; indices are i64
 * ------------------------- */

/* Sorted values, and the positions they had; either of the two may be NULL. */
DH_API DH_NODISCARD dh_status dh_tensor_sort(dh_tensor **values, dh_tensor **indices,
                                             const dh_tensor *x, int axis, bool descending);
DH_API DH_NODISCARD dh_status dh_tensor_argsort(dh_tensor **out, const dh_tensor *x, int axis,
                                                bool descending);
/* The k largest (or smallest), best first, of equals the one at the lower index first; values or
 * indices may be NULL. 0 <= k <= length of axis. */
DH_API DH_NODISCARD dh_status dh_tensor_topk(dh_tensor **values, dh_tensor **indices,
                                             const dh_tensor *x, int64_t k, int axis,
                                             bool smallest);
/* The different values of x, ascending, [n]; how often each occurs, i64 [n] (counts may be NULL).
 * All NaN are one value. */
DH_API DH_NODISCARD dh_status dh_tensor_unique(dh_tensor **values, dh_tensor **counts,
                                               const dh_tensor *x);

#ifdef __cplusplus
}
#endif
#endif
