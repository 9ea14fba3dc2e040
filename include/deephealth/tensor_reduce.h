/* SPDX-License-Identifier: MIT */
/* Reductions of tensors over axes, order statistics, softmax. *out is a new tensor, yours to free;
 * NULL, an axis outside or named twice is DH_EINVAL, a dtype that is not taken DH_EDTYPE. */
#ifndef DEEPHEALTH_TENSOR_REDUCE_H
#define DEEPHEALTH_TENSOR_REDUCE_H

#include <deephealth/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What to reduce. dh_tensor_sum(&y, x) takes all axes, dh_tensor_sum(&y, x, .axes = {0, -1},
 * .axis_count = 2, .keepdims = true) two of them. */
typedef struct dh_reduce_args {
    size_t struct_size; /* sizeof(dh_reduce_args); the macros set it */
    const dh_tensor *x;
    int axes[DH_MAX_NDIM]; /* negative ones count from the end */
    int axis_count;        /* 0: all axes */
    bool keepdims;         /* reduced axes stay, with length 1 */
    int ddof;              /* var, std: divides by count - ddof; 1 is the unbiased estimate */
} dh_reduce_args;

/* y = sum, product of the elements. Floats keep their dtype (sums run in f64); i8..i64 and bool
 * give i64, u8..u64 give u64, both wrapping. Over no elements 0 and 1. */
DH_API DH_NODISCARD dh_status dh_tensor_sum(dh_tensor **out, const dh_reduce_args *args);
DH_API DH_NODISCARD dh_status dh_tensor_prod(dh_tensor **out, const dh_reduce_args *args);
/* Floats only: y = sum(x) / n; sum((x - mean)^2) / (n - ddof); its root; sqrt(sum(x^2)) (L2 or
 * Frobenius). mean, var, std over no elements are NaN. */
DH_API DH_NODISCARD dh_status dh_tensor_mean(dh_tensor **out, const dh_reduce_args *args);
DH_API DH_NODISCARD dh_status dh_tensor_var(dh_tensor **out, const dh_reduce_args *args);
DH_API DH_NODISCARD dh_status dh_tensor_std(dh_tensor **out, const dh_reduce_args *args);
DH_API DH_NODISCARD dh_status dh_tensor_norm(dh_tensor **out, const dh_reduce_args *args);
/* Extremes, in x's dtype; a NaN wins. Over no elements DH_ESHAPE. */
DH_API DH_NODISCARD dh_status dh_tensor_max(dh_tensor **out, const dh_reduce_args *args);
DH_API DH_NODISCARD dh_status dh_tensor_min(dh_tensor **out, const dh_reduce_args *args);
/* Index (i64) of the first extreme, or of the first NaN: along one axis, or with no axes in the
 * flattened tensor. Over no elements DH_ESHAPE. */
DH_API DH_NODISCARD dh_status dh_tensor_argmax(dh_tensor **out, const dh_reduce_args *args);
DH_API DH_NODISCARD dh_status dh_tensor_argmin(dh_tensor **out, const dh_reduce_args *args);
/* bool: whether any, all elements are not 0 (NaN is not 0). Over no elements false, true. */
DH_API DH_NODISCARD dh_status dh_tensor_any(dh_tensor **out, const dh_reduce_args *args);
DH_API DH_NODISCARD dh_status dh_tensor_all(dh_tensor **out, const dh_reduce_args *args);
/* Along one axis or of all elements. median: the middle value, the mean of the two middle ones of
 * an even count; floats in their dtype, others in f64; NaN if there is one. mode: the most frequent
 * value, the least of them on a tie, NaNs counting as one value above all others. Over no elements
 * DH_ESHAPE. */
DH_API DH_NODISCARD dh_status dh_tensor_median(dh_tensor **out, const dh_reduce_args *args);
DH_API DH_NODISCARD dh_status dh_tensor_mode(dh_tensor **out, const dh_reduce_args *args);

/* y = exp(x) / sum(exp(x)) along an axis, and its logarithm; floats only. */
DH_API DH_NODISCARD dh_status dh_tensor_softmax(dh_tensor **out, const dh_tensor *x, int axis);
DH_API DH_NODISCARD dh_status dh_tensor_log_softmax(dh_tensor **out, const dh_tensor *x, int axis);

#ifndef __cplusplus
#define DH_REDUCE_ARGS(...)                                     \
    &(dh_reduce_args)                                           \
    {                                                           \
        .struct_size = sizeof(dh_reduce_args), .x = __VA_ARGS__ \
    }
#define dh_tensor_sum(out, ...)    dh_tensor_sum(out, DH_REDUCE_ARGS(__VA_ARGS__))
#define dh_tensor_prod(out, ...)   dh_tensor_prod(out, DH_REDUCE_ARGS(__VA_ARGS__))
#define dh_tensor_mean(out, ...)   dh_tensor_mean(out, DH_REDUCE_ARGS(__VA_ARGS__))
#define dh_tensor_var(out, ...)    dh_tensor_var(out, DH_REDUCE_ARGS(__VA_ARGS__))
#define dh_tensor_std(out, ...)    dh_tensor_std(out, DH_REDUCE_ARGS(__VA_ARGS__))
#define dh_tensor_norm(out, ...)   dh_tensor_norm(out, DH_REDUCE_ARGS(__VA_ARGS__))
#define dh_tensor_max(out, ...)    dh_tensor_max(out, DH_REDUCE_ARGS(__VA_ARGS__))
#define dh_tensor_min(out, ...)    dh_tensor_min(out, DH_REDUCE_ARGS(__VA_ARGS__))
#define dh_tensor_argmax(out, ...) dh_tensor_argmax(out, DH_REDUCE_ARGS(__VA_ARGS__))
#define dh_tensor_argmin(out, ...) dh_tensor_argmin(out, DH_REDUCE_ARGS(__VA_ARGS__))
#define dh_tensor_any(out, ...)    dh_tensor_any(out, DH_REDUCE_ARGS(__VA_ARGS__))
#define dh_tensor_all(out, ...)    dh_tensor_all(out, DH_REDUCE_ARGS(__VA_ARGS__))
#define dh_tensor_median(out, ...) dh_tensor_median(out, DH_REDUCE_ARGS(__VA_ARGS__))
#define dh_tensor_mode(out, ...)   dh_tensor_mode(out, DH_REDUCE_ARGS(__VA_ARGS__))
#endif

#ifdef __cplusplus
}
#endif
#endif
