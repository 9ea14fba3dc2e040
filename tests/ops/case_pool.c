/* SPDX-License-Identifier: MIT */
/* Windows that overlap, leave gaps, reach into pads on one side, are cut off at the end, and share
 * out lengths that they do not divide. */
#include "case.h"

static const dh_pool_attr halves = {.kernel_shape = N2(2, 2), .strides = N2(2, 2)};
static const dh_pool_attr overlap = {.kernel_shape = N2(3, 2)};
static const dh_pool_attr gaps = {.kernel_shape = N2(1, 2), .strides = N2(2, 3)};
static const dh_pool_attr padded = {
    .kernel_shape = N2(3, 3), .strides = N2(2, 2), .pads = N4(1, 0, 1, 2)};
static const dh_pool_attr counting = {.kernel_shape = N2(3, 3),
                                      .strides = N2(2, 2),
                                      .pads = N4(1, 0, 1, 2),
                                      .count_include_pad = true};
static const dh_pool_attr dilated = {
    .kernel_shape = N2(2, 3), .dilations = N2(3, 2), .pads = N4(1, 2, 0, 1)};
static const dh_pool_attr up = {.kernel_shape = N2(3, 2), .strides = N2(2, 3), .ceil_mode = true};
static const dh_pool_attr up_padded = {.kernel_shape = N2(2, 2),
                                       .strides = N2(2, 2),
                                       .pads = N4(1, 1, 0, 1),
                                       .ceil_mode = true,
                                       .count_include_pad = true};
static const dh_pool_attr bins = {.bins = N2(3, 2)}, more_bins = {.bins = N2(7, 5)};
static const dh_pool_attr one_bin = {.bins = N2(1, 1)};
static const dh_pool_attr line = {.kernel_shape = N1(3), .strides = N1(2), .pads = N2(1, 1)};
static const dh_pool_attr volume = {.kernel_shape = N3(2, 1, 2), .strides = N3(1, 2, 2)};
static const dh_pool_attr empty_window = {
    .kernel_shape = N2(2, 1), .dilations = N2(2, 1), .pads = N4(1, 0, 1, 0)};

/* x and the y of the windows */
#define SHAPES(M)                                                                          \
    M(halves, C(2, 3, 4, 6), C(2, 3, 2, 3)), M(halves, C(1, 2, 5, 7), C(1, 2, 2, 3)),      \
        M(overlap, C(2, 1, 5, 4), C(2, 1, 3, 3)), M(gaps, C(1, 2, 5, 8), C(1, 2, 3, 3)),   \
        M(padded, C(1, 2, 5, 4), C(1, 2, 3, 2)), M(dilated, C(1, 2, 5, 4), C(1, 2, 3, 3)), \
        M(up, C(2, 1, 6, 6), C(2, 1, 3, 2)), M(up_padded, C(1, 1, 4, 5), C(1, 1, 3, 3)),   \
        M(bins, C(2, 2, 7, 5), C(2, 2, 3, 2)), M(more_bins, C(1, 1, 3, 4), C(1, 1, 7, 5)), \
        M(one_bin, C(2, 3, 3, 5), C(2, 3, 1, 1)), M(line, C(2, 3, 7), C(2, 3, 4)),         \
        M(volume, C(1, 2, 3, 3, 4), C(1, 2, 2, 2, 2))

#define C(...) S(__VA_ARGS__)
#define MAX(ATTR, X, Y)                                                                      \
    {                                                                                        \
        .op = "max_pool", .in_count = 1, .in = {X}, .attr = &ATTR, .fill = { FILL_DISTINCT } \
    }
#define AVG(ATTR, X, Y)                                           \
    {                                                             \
        .op = "avg_pool", .in_count = 1, .in = {X}, .attr = &ATTR \
    }
#define MAX_DX(ATTR, X, Y)                                                         \
    {                                                                              \
        .op = "max_pool_dx", .in_count = 2, .in = {Y, X}, .attr = &ATTR, .fill = { \
            FILL_SIGNED,                                                           \
            FILL_DISTINCT                                                          \
        }                                                                          \
    }
#define AVG_DX(ATTR, X, Y)                                                            \
    {                                                                                 \
        .op = "avg_pool_dx", .in_count = 2, .in = {Y, X}, .attr = &ATTR, .no_grad = 2 \
    }

const op_case case_pool[] = {
    SHAPES(MAX),
    SHAPES(MAX_DX),
    SHAPES(AVG),
    SHAPES(AVG_DX),
    AVG(empty_window, C(1, 2, 1, 3), ),
    AVG_DX(empty_window, C(1, 2, 1, 3), C(1, 2, 1, 3)),
    MAX_DX(empty_window, C(1, 2, 1, 3), C(1, 2, 1, 3)),
    {.op = "max_pool",
     .in_count = 1,
     .in = {S(1, 2, 1, 3)},
     .attr = &empty_window,
     .forward_only = true},
    AVG(counting, C(1, 2, 5, 4), ),
    AVG_DX(counting, C(1, 2, 5, 4), C(1, 2, 3, 2)),
    /* ties go to the first, NaN to itself */
    {.op = "max_pool",
     .in_count = 1,
     .in = {S(2, 3, 6, 6)},
     .attr = &halves,
     .fill = {FILL_SMALL_INT},
     .forward_only = true},
    {.op = "max_pool_dx",
     .in_count = 2,
     .in = {S(2, 3, 3, 3), S(2, 3, 6, 6)},
     .attr = &halves,
     .fill = {FILL_SIGNED, FILL_SMALL_INT}},
    {.op = "max_pool",
     .in_count = 1,
     .in = {S(2, 3, 6, 6)},
     .attr = &halves,
     .fill = {FILL_SPECIAL},
     .forward_only = true},
    {.op = "max_pool_dx",
     .in_count = 2,
     .in = {S(2, 3, 3, 3), S(2, 3, 6, 6)},
     .attr = &halves,
     .fill = {FILL_SIGNED, FILL_SPECIAL}},
    {.op = "avg_pool",
     .in_count = 1,
     .in = {S(2, 3, 6, 6)},
     .attr = &halves,
     .fill = {FILL_SPECIAL},
     .forward_only = true},
    {.op = "max_pool", .in_count = 1, .in = {S(0, 3, 6, 6)}, .attr = &halves, .forward_only = true},
    {.op = "avg_pool",
     .in_count = 1,
     .in = {S(3, 29, 31, 17)},
     .attr = &padded,
     .forward_only = true},
    {0}};
