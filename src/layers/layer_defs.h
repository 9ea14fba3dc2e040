/* SPDX-License-Identifier: MIT */
/* The kinds of layers, and how their constructors begin. */
#ifndef DH_LAYER_DEFS_H
#define DH_LAYER_DEFS_H

#include "net.h"

/* Copies the caller's struct into `a`; returns NULL from the constructor where there is no x. */
#define DH_LAYER_BEGIN(type, kind)                       \
    type a;                                              \
    if (dh__args(&a, sizeof a, args, kind)) return NULL; \
    if (!a.x) {                                          \
        dh_fail(DH_EINVAL, "%s: x is NULL", kind);       \
        return NULL;                                     \
    }

#define DH_LAYER_KINDS(K)  \
    K(input)               \
    K(flatten)             \
    K(reshape)             \
    K(dense)               \
    K(activation)          \
    K(linear)              \
    K(relu)                \
    K(leaky_relu)          \
    K(thresholded_relu)    \
    K(elu)                 \
    K(selu)                \
    K(exponential)         \
    K(softplus)            \
    K(softsign)            \
    K(sigmoid)             \
    K(hard_sigmoid)        \
    K(tanh)                \
    K(gelu)                \
    K(silu)                \
    K(softmax)             \
    K(add)                 \
    K(subtract)            \
    K(multiply)            \
    K(maximum)             \
    K(minimum)             \
    K(average)             \
    K(concat)              \
    K(dropout)             \
    K(batch_normalization) \
    K(layer_normalization) \
    K(operation)           \
    K(constant)

#define K(id) extern const dh__layer_def dh__layer_##id;
DH_LAYER_KINDS(K)
#undef K

#endif
