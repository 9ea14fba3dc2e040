/* SPDX-License-Identifier: MIT */
/* Layers that normalise groups, add noise, look up, reshape, reduce and multiply. Axes are counted
 * with the batch as axis 0, which no layer moves, cuts or sums over. */
#ifndef DEEPHEALTH_LAYERS_MORE_H
#define DEEPHEALTH_LAYERS_MORE_H

#include <deephealth/layers.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- regularising and normalising --- */

/* Dropout of whole channels of [N, C, ...] (Tompson et al. 2015); arguments as dh_dropout. */
DH_API dh_layer *dh_spatial_dropout(const dh_dropout_args *args);

typedef struct dh_gaussian_noise_args {
    size_t struct_size;
    dh_layer *x;
    float stddev; /* at least 0 */
    const char *name;
} dh_gaussian_noise_args;
/* In training y = x + stddev * normal, else y = x. */
DH_API dh_layer *dh_gaussian_noise(const dh_gaussian_noise_args *args);

typedef struct dh_group_normalization_args {
    size_t struct_size;
    dh_layer *x;
    int groups;    /* default 32; divides the channels */
    float epsilon; /* default 0.001 */
    bool no_scale, no_center;
    const char *name;
} dh_group_normalization_args;
/* y = gamma (x - mean) / sqrt(var + epsilon) + beta, mean and (biased) variance over the channels
 * of a group and all spatial axes of one sample; x [N, C, ...]. Parameters "gamma", "beta" [C]. Wu
 * and He 2018. */
DH_API dh_layer *dh_group_normalization(const dh_group_normalization_args *args);

typedef struct dh_instance_normalization_args {
    size_t struct_size;
    dh_layer *x;
    float epsilon; /* default 0.001 */
    bool no_scale, no_center;
    const char *name;
} dh_instance_normalization_args;
/* The same with as many groups as channels. Ulyanov, Vedaldi and Lempitsky 2016. */
DH_API dh_layer *dh_instance_normalization(const dh_instance_normalization_args *args);

/* --- looking up --- */

typedef struct dh_embedding_args {
    size_t struct_size;
    dh_layer *x;
    int input_dim;              /* numbers there are: x holds 0 .. input_dim - 1 */
    int output_dim;             /* length of each one's vector */
    dh_initializer weight_init; /* default random_uniform */
    dh_regularizer weight_reg;
    const char *name;
} dh_embedding_args;
/* y[.., :] = weight[x[..], :]; x [N, ...] of i32 or i64 (others are cast), y [N, ..., output_dim].
 * Parameter "weight" [input_dim, output_dim]. A number outside ends the step with DH_EINVAL. */
DH_API dh_layer *dh_embedding(const dh_embedding_args *args);

/* --- shape --- */

typedef struct dh_permute_args {
    size_t struct_size;
    dh_layer *x;
    int axes[DH_MAX_NDIM]; /* where the axes of y come from, from axis 1 on; ended by 0 */
    const char *name;
} dh_permute_args;
/* [N, a, b, c] -> [N, c, a, b] by {3, 1, 2}, as in Keras. */
DH_API dh_layer *dh_permute(const dh_permute_args *args);

typedef struct dh_slice_args {
    size_t struct_size;
    dh_layer *x;
    const char *slices; /* of the axes after the batch */
    const char *name;
} dh_slice_args;
/* Part of x, as dh_tensor_slice has it: "1:3,:,-1" of [N, 5, 6, 7] is [N, 2, 6]. */
DH_API dh_layer *dh_slice(const dh_slice_args *args);

typedef struct dh_select_args {
    size_t struct_size;
    dh_layer *x;
    int index; /* negative: from the end */
    int axis;  /* 0 means 1 */
    const char *name;
} dh_select_args;
/* One element along an axis, which is gone then: element 2 along axis 1 of [N, 5, 6] is [N, 6]. */
DH_API dh_layer *dh_select(const dh_select_args *args);

typedef struct dh_repeat_args {
    size_t struct_size;
    dh_layer *x;
    int repeats;
    int axis; /* 0 means 1 */
    const char *name;
} dh_repeat_args;
/* Each element repeats times along axis: 1 2 -> 1 1 2 2 (NumPy's repeat). */
DH_API dh_layer *dh_repeat(const dh_repeat_args *args);

typedef struct dh_detach_args {
    size_t struct_size;
    dh_layer *x;
    const char *name;
} dh_detach_args;
/* x itself; no gradient flows back through it. */
DH_API dh_layer *dh_detach(const dh_detach_args *args);

/* --- reductions and products --- */

typedef struct dh_reduction_args {
    size_t struct_size;
    dh_layer *x;
    int axes[DH_MAX_NDIM]; /* ended by 0; none: all but the batch */
    bool keepdims;         /* they stay, of length 1 */
    const char *name;
} dh_reduction_args;
/* Over axes of each sample; var is the biased variance, argmax and argmin take one axis and give
 * i64. dh_reduce_mean(x, {2, 3}) */
DH_API dh_layer *dh_reduce_sum(const dh_reduction_args *args);
DH_API dh_layer *dh_reduce_mean(const dh_reduction_args *args);
DH_API dh_layer *dh_reduce_max(const dh_reduction_args *args);
DH_API dh_layer *dh_reduce_min(const dh_reduction_args *args);
DH_API dh_layer *dh_reduce_var(const dh_reduction_args *args);
DH_API dh_layer *dh_reduce_argmax(const dh_reduction_args *args);
DH_API dh_layer *dh_reduce_argmin(const dh_reduction_args *args);

/* a b for each sample: [N, m, k], [N, k, n] -> [N, m, n]. dh_matmul({a, b}) */
DH_API dh_layer *dh_matmul(const dh_merge_args *args);
/* The sum of products over the last axis: [N, ..., k] twice -> [N, ..., 1]. dh_dot({a, b}) */
DH_API dh_layer *dh_dot(const dh_merge_args *args);

#ifndef __cplusplus
#define dh_spatial_dropout(...) dh_spatial_dropout(DH_ARGS(dh_dropout_args, __VA_ARGS__))
#define dh_gaussian_noise(...)  dh_gaussian_noise(DH_ARGS(dh_gaussian_noise_args, __VA_ARGS__))
#define dh_group_normalization(...) \
    dh_group_normalization(DH_ARGS(dh_group_normalization_args, __VA_ARGS__))
#define dh_instance_normalization(...) \
    dh_instance_normalization(DH_ARGS(dh_instance_normalization_args, __VA_ARGS__))
#define dh_embedding(...)     dh_embedding(DH_ARGS(dh_embedding_args, __VA_ARGS__))
#define dh_permute(...)       dh_permute(DH_ARGS(dh_permute_args, __VA_ARGS__))
#define dh_slice(...)         dh_slice(DH_ARGS(dh_slice_args, __VA_ARGS__))
#define dh_select(...)        dh_select(DH_ARGS(dh_select_args, __VA_ARGS__))
#define dh_repeat(...)        dh_repeat(DH_ARGS(dh_repeat_args, __VA_ARGS__))
#define dh_detach(...)        dh_detach(DH_ARGS(dh_detach_args, __VA_ARGS__))
#define dh_reduce_sum(...)    dh_reduce_sum(DH_ARGS(dh_reduction_args, __VA_ARGS__))
#define dh_reduce_mean(...)   dh_reduce_mean(DH_ARGS(dh_reduction_args, __VA_ARGS__))
#define dh_reduce_max(...)    dh_reduce_max(DH_ARGS(dh_reduction_args, __VA_ARGS__))
#define dh_reduce_min(...)    dh_reduce_min(DH_ARGS(dh_reduction_args, __VA_ARGS__))
#define dh_reduce_var(...)    dh_reduce_var(DH_ARGS(dh_reduction_args, __VA_ARGS__))
#define dh_reduce_argmax(...) dh_reduce_argmax(DH_ARGS(dh_reduction_args, __VA_ARGS__))
#define dh_reduce_argmin(...) dh_reduce_argmin(DH_ARGS(dh_reduction_args, __VA_ARGS__))
#define dh_matmul(...)        dh_matmul(DH_MERGE(__VA_ARGS__))
#define dh_dot(...)           dh_dot(DH_MERGE(__VA_ARGS__))
#endif

#ifdef __cplusplus
}
#endif
#endif
