/* SPDX-License-Identifier: MIT */
/* The kinds of layers, and how their constructors begin. */
#ifndef DH_LAYER_DEFS_H
#define DH_LAYER_DEFS_H

#include <math.h>

#include "net.h"

/* Copies the caller's struct into `a`; returns NULL from the constructor where there is no x. */
#define DH_LAYER_BEGIN(type, kind)                       \
    type a;                                              \
    if (dh__args(&a, sizeof a, args, kind)) return NULL; \
    if (!a.x) {                                          \
        dh_fail(DH_EINVAL, "%s: x is NULL", kind);       \
        return NULL;                                     \
    }

/* A kind with one input, and its constructor. */
#define DH_LAYER(id, keras_, eddl_, args_, fields_, emit_)            \
    const dh__layer_def dh__layer_##id = {.kind = #id,                \
                                          .keras = keras_,            \
                                          .eddl = eddl_,              \
                                          .args_size = sizeof(args_), \
                                          .fields = fields_,          \
                                          .in_min = 1,                \
                                          .in_max = 1,                \
                                          .emit = emit_};             \
    dh_layer *(dh_##id)(const args_ *args)                            \
    {                                                                 \
        DH_LAYER_BEGIN(args_, #id);                                   \
        return dh__layer_new(a.x->net, &dh__layer_##id, &a, 1, &a.x); \
    }

/* Rows for the name; for the initialiser and the regulariser of a parameter. */
#define DH_NAME_FIELD(T) DH_FIELD(T, name, NULL, 0, 0, 0, "name of the layer")
#define DH_PARAM_FIELDS(T, what)                                                         \
    DH_FIELD(T, what##_init.name, NULL, 0, 0, 0, "initializer"),                         \
        DH_FIELD(T, what##_init.a, NULL, 0, -INFINITY, INFINITY,                         \
                 "its first number, where it has one"),                                  \
        DH_FIELD(T, what##_init.b, NULL, 0, -INFINITY, INFINITY, "its second number"),   \
        DH_FIELD(T, what##_init.mode, NULL, 0, 0, 0, "its fan"),                         \
        DH_FIELD(T, what##_init.distribution, NULL, 0, 0, 0, "its distribution"),        \
        DH_FIELD(T, what##_reg.l1, NULL, 0, 0, 1e6, "times the sum of absolute values"), \
        DH_FIELD(T, what##_reg.l2, NULL, 0, 0, 1e6, "times the sum of squares")
/* A list whose numbers the layer checks itself, against x. */
#define DH_LIST_FIELD(T, f, help) DH_FIELD_ARRAY(T, f, NULL, -0x1p63, 0x1p63, help)

#define DH_LAYER_KINDS(K)     \
    K(input)                  \
    K(flatten)                \
    K(reshape)                \
    K(dense)                  \
    K(activation)             \
    K(linear)                 \
    K(relu)                   \
    K(relu6)                  \
    K(leaky_relu)             \
    K(thresholded_relu)       \
    K(elu)                    \
    K(selu)                   \
    K(exponential)            \
    K(softplus)               \
    K(softsign)               \
    K(sigmoid)                \
    K(hard_sigmoid)           \
    K(tanh)                   \
    K(gelu)                   \
    K(silu)                   \
    K(softmax)                \
    K(add)                    \
    K(subtract)               \
    K(multiply)               \
    K(maximum)                \
    K(minimum)                \
    K(average)                \
    K(concat)                 \
    K(dropout)                \
    K(batch_normalization)    \
    K(layer_normalization)    \
    K(conv1d)                 \
    K(conv2d)                 \
    K(conv3d)                 \
    K(conv1d_transpose)       \
    K(conv2d_transpose)       \
    K(conv3d_transpose)       \
    K(depthwise_conv1d)       \
    K(depthwise_conv2d)       \
    K(separable_conv1d)       \
    K(separable_conv2d)       \
    K(max_pool1d)             \
    K(max_pool2d)             \
    K(max_pool3d)             \
    K(average_pool1d)         \
    K(average_pool2d)         \
    K(average_pool3d)         \
    K(global_max_pool)        \
    K(global_average_pool)    \
    K(adaptive_max_pool)      \
    K(adaptive_average_pool)  \
    K(upsampling)             \
    K(zero_padding)           \
    K(cropping)               \
    K(spatial_dropout)        \
    K(gaussian_noise)         \
    K(group_normalization)    \
    K(instance_normalization) \
    K(embedding)              \
    K(permute)                \
    K(slice)                  \
    K(select)                 \
    K(repeat)                 \
    K(detach)                 \
    K(reduce_sum)             \
    K(reduce_mean)            \
    K(reduce_max)             \
    K(reduce_min)             \
    K(reduce_var)             \
    K(reduce_argmax)          \
    K(reduce_argmin)          \
    K(matmul)                 \
    K(dot)                    \
    K(operation)              \
    K(constant)

#define K(id) extern const dh__layer_def dh__layer_##id;
DH_LAYER_KINDS(K)
#undef K

#endif
