/* SPDX-License-Identifier: MIT */
/* Cases of convolutions by the shapes of x, weight and y and the channels of y: one list of shapes
 * serves a convolution and its gradients. */
#ifndef DH_TEST_CASE_CONV_H
#define DH_TEST_CASE_CONV_H

#include "case.h"

#define C(...) S(__VA_ARGS__)
#define CONV(ATTR, X, W, Y, O)                                         \
    {.op = "conv", .in_count = 2, .in = {X, W}, .attr = &ATTR},        \
    {                                                                  \
        .op = "conv", .in_count = 3, .in = {X, W, S(O)}, .attr = &ATTR \
    }
#define CONV_DX(ATTR, X, W, Y, O)                                                    \
    {                                                                                \
        .op = "conv_dx", .in_count = 3, .in = {Y, W, X}, .attr = &ATTR, .no_grad = 4 \
    }
#define CONV_DW(ATTR, X, W, Y, O)                                                    \
    {                                                                                \
        .op = "conv_dw", .in_count = 3, .in = {X, Y, W}, .attr = &ATTR, .no_grad = 4 \
    }

/* Too large for differences: forward only; more terms in a sum want more tolerance. */
#define LARGE_CONV(ATTR, X, W, Y, O)                                                         \
    {                                                                                        \
        .op = "conv", .in_count = 3, .in = {X, W, S(O)}, .attr = &ATTR, .forward_only = true \
    }
#define LARGE_DX(ATTR, X, W, Y, O)                                                           \
    {                                                                                        \
        .op = "conv_dx", .in_count = 3, .in = {Y, W, X}, .attr = &ATTR, .forward_only = true \
    }
#define LARGE_DW(ATOL, ATTR, ...) /* x, y, weight */                                              \
    {                                                                                             \
        .op = "conv_dw", .in_count = 3, .in = {__VA_ARGS__}, .attr = &ATTR, .forward_only = true, \
        .atol = ATOL                                                                              \
    }

/* A normalisation behind, with a bias before it or not. */
#define NORMALISED(ATTR, X, W, O)                                                               \
    {.op = "conv",                                                                              \
     .in_count = 6,                                                                             \
     .in = {X, W, S(O), S(O), S(O), S(O)},                                                      \
     .attr = &ATTR,                                                                             \
     .fill = {0, 0, 0, 0, 0, FILL_POSITIVE},                                                    \
     .forward_only = true,                                                                      \
     .atol = 1e-4,                                                                              \
     .winograd_atol = 2e-3},                                                                    \
    {                                                                                           \
        .op = "conv", .in_count = 7, .in = {X, W, S(O), S(O), S(O), S(O), S(O)}, .attr = &ATTR, \
        .fill = {0, 0, 0, 0, 0, 0, FILL_POSITIVE}, .forward_only = true, .atol = 1e-4,          \
        .winograd_atol = 2e-3                                                                   \
    }

/* Sums of infinities behind it and an activation: no NaN where there was none. The fill of x has
 * infinities of both signs, so windows are of one element. */
#define INFINITE(ATTR, X, W, O)                                                           \
    {                                                                                     \
        .op = "conv", .in_count = 6, .in = {X, W, S(O), S(O), S(O), S(O)}, .attr = &ATTR, \
        .fill = {FILL_SPECIAL, 0, 0, 0, 0, FILL_POSITIVE}, .forward_only = true           \
    }

/* With something that is added: alone, behind a bias, and behind a normalisation, with a bias
 * before it or not. ATTR has .add; VAR: number of the variance, if there is one. */
#define ADDED_TO(COUNT, VAR, ATTR, ...)                                      \
    {                                                                        \
        .op = "conv", .in_count = COUNT, .in = {__VA_ARGS__}, .attr = &ATTR, \
        .fill = {[VAR] = FILL_POSITIVE}, .forward_only = true, .atol = 1e-4, \
        .winograd_atol = COUNT > 4 ? 2e-3 : 1e-3                             \
    }
#define ADDED(ATTR, X, W, Y, O)                                         \
    ADDED_TO(3, 7, ATTR, X, W, Y), ADDED_TO(4, 7, ATTR, X, W, S(O), Y), \
        ADDED_TO(7, 5, ATTR, X, W, S(O), S(O), S(O), S(O), Y),          \
        ADDED_TO(8, 6, ATTR, X, W, S(O), S(O), S(O), S(O), S(O), Y)

/* Pooled: alone, behind a bias, and behind a bias and a normalisation. ATTR has .pool. */
#define POOLED_BY(COUNT, VAR, ATTR, ...)                                     \
    {                                                                        \
        .op = "conv", .in_count = COUNT, .in = {__VA_ARGS__}, .attr = &ATTR, \
        .fill = {[VAR] = FILL_POSITIVE}, .forward_only = true, .atol = 1e-4, \
        .winograd_atol = COUNT > 4 ? 2e-3 : 1e-3                             \
    }
#define POOLED(ATTR, X, W, O)                                       \
    POOLED_BY(2, 7, ATTR, X, W), POOLED_BY(3, 7, ATTR, X, W, S(O)), \
        POOLED_BY(7, 6, ATTR, X, W, S(O), S(O), S(O), S(O), S(O))

#define TRANSPOSE(ATTR, X, W, O)                                                 \
    {.op = "conv_transpose", .in_count = 2, .in = {X, W}, .attr = &ATTR},        \
    {                                                                            \
        .op = "conv_transpose", .in_count = 3, .in = {X, W, S(O)}, .attr = &ATTR \
    }

#endif
