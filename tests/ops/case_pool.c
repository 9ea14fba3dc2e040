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
/* rows about as wide as a vector, and rows that go through several of them */
static const dh_pool_attr around = {.kernel_shape = N2(3, 3), .pads = N4(1, 1, 1, 1)};
static const dh_pool_attr twos = {
    .kernel_shape = N2(3, 3), .strides = N2(2, 2), .pads = N4(1, 1, 1, 1)};
static const dh_pool_attr threes = {
    .kernel_shape = N2(2, 4), .strides = N2(3, 3), .pads = N4(1, 0, 0, 2)};
static const dh_pool_attr wide_gaps = {
    .kernel_shape = N2(2, 3), .strides = N2(1, 2), .dilations = N2(2, 3), .pads = N4(1, 4, 2, 1)};
static const dh_pool_attr deep = {
    .kernel_shape = N3(3, 2, 3), .strides = N3(1, 2, 1), .pads = N6(1, 0, 1, 1, 1, 1)};
static const dh_pool_attr deep_gaps = {.kernel_shape = N3(2, 2, 2),
                                       .strides = N3(1, 1, 2),
                                       .dilations = N3(2, 1, 3),
                                       .pads = N6(1, 1, 2, 2, 0, 3)};
static const dh_pool_attr up_twos = {
    .kernel_shape = N2(3, 3), .strides = N2(2, 2), .ceil_mode = true};
static const dh_pool_attr pair = {.kernel_shape = N1(2)};
static const dh_pool_attr whole = {.kernel_shape = N2(7, 5)};
static const dh_pool_attr whole_volume = {.kernel_shape = N3(3, 5, 7)};
static const dh_pool_attr slab = {.kernel_shape = N3(2, 2, 5)};
static const dh_pool_attr columns = {.kernel_shape = N2(6, 1), .strides = N2(6, 1)};
/* rows longer than what lies on the stack at a time, and a window wider than it */
static const dh_pool_attr long_line = {.kernel_shape = N1(3), .pads = N2(1, 1)};
static const dh_pool_attr long_threes = {
    .kernel_shape = N1(2), .strides = N1(3), .dilations = N1(4), .pads = N2(2, 3)};
static const dh_pool_attr long_window = {
    .kernel_shape = N1(540), .strides = N1(20), .pads = N2(20, 30)};
static const dh_pool_attr long_step = {
    .kernel_shape = N1(2), .strides = N1(2500), .ceil_mode = true};

/* x and the y of the windows */
#define VECTORS(M)                                                                               \
    M(around, C(1, 1, 3, 15), C(1, 1, 3, 15)), M(around, C(1, 1, 4, 16), C(1, 1, 4, 16)),        \
        M(around, C(2, 1, 2, 35), C(2, 1, 2, 35)), M(around, C(1, 2, 3, 2), C(1, 2, 3, 2)),      \
        M(twos, C(1, 2, 7, 33), C(1, 2, 4, 17)), M(twos, C(1, 2, 4, 14), C(1, 2, 2, 7)),         \
        M(twos, C(1, 1, 3, 63), C(1, 1, 2, 32)), M(threes, C(1, 1, 6, 20), C(1, 1, 2, 7)),       \
        M(threes, C(1, 1, 2, 53), C(1, 1, 1, 18)), M(wide_gaps, C(1, 1, 4, 31), C(1, 1, 5, 15)), \
        M(deep, C(1, 1, 3, 4, 9), C(1, 1, 3, 2, 9)),                                             \
        M(deep_gaps, C(1, 1, 3, 2, 19), C(1, 1, 4, 2, 11)),                                      \
        M(up_twos, C(1, 1, 6, 18), C(1, 1, 3, 9)), M(pair, C(1, 1, 17), C(1, 1, 16)),            \
        M(whole, C(2, 3, 7, 5), C(2, 3, 1, 1)),                                                  \
        M(whole_volume, C(2, 1, 3, 5, 7), C(2, 1, 1, 1, 1)),                                     \
        M(slab, C(1, 1, 3, 4, 5), C(1, 1, 2, 3, 1)), M(columns, C(1, 1, 13, 9), C(1, 1, 2, 9)),  \
        M(bins, C(1, 1, 7, 67), C(1, 1, 3, 2))
#define LONG(M)                                                                                \
    M(long_line, C(1, 1, 1100), C(1, 1, 1100)), M(line, C(1, 1, 1501), C(1, 1, 751)),          \
        M(long_threes, C(1, 1, 1700), C(1, 1, 567)), M(long_window, C(1, 1, 611), C(1, 1, 7)), \
        M(long_step, C(1, 1, 2501), C(1, 1, 2)), M(one_bin, C(1, 2, 29, 31), C(1, 2, 1, 1))
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
#define LONG_MAX(ATTR, X, Y)                                                            \
    {                                                                                   \
        .op = "max_pool", .in_count = 1, .in = {X}, .attr = &ATTR, .forward_only = true \
    }
#define LONG_AVG(ATTR, X, Y)                                                            \
    {                                                                                   \
        .op = "avg_pool", .in_count = 1, .in = {X}, .attr = &ATTR, .forward_only = true \
    }
#define LONG_AVG_DX(ATTR, X, Y)                                                               \
    {                                                                                         \
        .op = "avg_pool_dx", .in_count = 2, .in = {Y, X}, .attr = &ATTR, .forward_only = true \
    }
/* The same windows over an x that fill makes: ties, NaN and infinities. */
#define FILLED(fill_, ATTR, X, Y)                                                  \
    {.op = "max_pool",                                                             \
     .in_count = 1,                                                                \
     .in = {X},                                                                    \
     .attr = &ATTR,                                                                \
     .fill = {fill_},                                                              \
     .forward_only = true},                                                        \
    {                                                                              \
        .op = "max_pool_dx", .in_count = 2, .in = {Y, X}, .attr = &ATTR, .fill = { \
            FILL_SIGNED,                                                           \
            fill_                                                                  \
        }                                                                          \
    }
#define TIES(ATTR, X, Y)    FILLED(FILL_SMALL_INT, ATTR, C X, C Y)
#define SPECIAL(ATTR, X, Y) FILLED(FILL_SPECIAL, ATTR, C X, C Y)
#define LOW(ATTR, X, Y)     FILLED(FILL_LOW, ATTR, C X, C Y)
#define FILLS(M)                                                                                \
    M(around, (2, 2, 5, 17), (2, 2, 5, 17)), M(twos, (2, 2, 7, 33), (2, 2, 4, 17)),             \
        M(threes, (2, 3, 6, 20), (2, 3, 2, 7)), M(wide_gaps, (2, 2, 4, 31), (2, 2, 5, 15)),     \
        M(deep, (2, 2, 3, 4, 9), (2, 2, 3, 2, 9)),                                              \
        M(deep_gaps, (1, 3, 3, 2, 19), (1, 3, 4, 2, 11)), M(whole, (2, 5, 7, 5), (2, 5, 1, 1)), \
        M(bins, (2, 2, 7, 67), (2, 2, 3, 2)), M(twos, (4, 5, 3, 7), (4, 5, 2, 4)),              \
        M(bins, (4, 5, 7, 5), (4, 5, 3, 2)), M(line, (1, 1, 1501), (1, 1, 751))

const op_case case_pool[] = {
    SHAPES(MAX),
    SHAPES(MAX_DX),
    SHAPES(AVG),
    SHAPES(AVG_DX),
    VECTORS(MAX),
    VECTORS(MAX_DX),
    VECTORS(AVG),
    VECTORS(AVG_DX),
    LONG(LONG_MAX),
    LONG(MAX_DX),
    LONG(LONG_AVG),
    LONG(LONG_AVG_DX),
    FILLS(TIES),
    FILLS(SPECIAL),
    FILLS(LOW),
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
    AVG(counting, C(1, 1, 5, 34), ),
    AVG_DX(counting, C(1, 1, 5, 34), C(1, 1, 3, 17)),
    AVG(up_padded, C(1, 1, 5, 35), ),
    AVG_DX(up_padded, C(1, 1, 5, 35), C(1, 1, 3, 18)),
    {.op = "avg_pool",
     .in_count = 1,
     .in = {S(2, 2, 7, 33)},
     .attr = &twos,
     .fill = {FILL_SPECIAL},
     .forward_only = true},
    /* channels around whole vectors, where they lie last */
    {.op = "max_pool",
     .in_count = 1,
     .in = {S(2, 35, 7, 33)},
     .attr = &twos,
     .fill = {FILL_SPECIAL},
     .forward_only = true},
    {.op = "max_pool",
     .in_count = 1,
     .in = {S(1, 200, 5, 9)},
     .attr = &wide_gaps,
     .forward_only = true},
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
