/* SPDX-License-Identifier: MIT */
/* Convolutions with one channel of x in a group: rows shorter than a vector, around one and of
 * several, strides and dilations, pads that differ or reach beyond the window, several channels
 * from one, planes in several tiles, one to three axes. */
#include "case_conv.h"

static const dh_conv_attr one = {.group = 1, .pads = N4(1, 1, 1, 1)};
static const dh_conv_attr two = {.group = 2, .pads = N4(1, 1, 1, 1)};
static const dh_conv_attr three = {.group = 3, .pads = N4(1, 1, 1, 1)};
static const dh_conv_attr bare = {.group = 3};
static const dh_conv_attr half = {.group = 3, .strides = N2(2, 2), .pads = N4(1, 1, 1, 1)};
static const dh_conv_attr one_half = {.group = 1, .strides = N2(2, 2), .pads = N4(1, 1, 1, 1)};
static const dh_conv_attr skewed = {.group = 2, .strides = N2(2, 2), .pads = N4(0, 2, 1, 0)};
static const dh_conv_attr third = {.group = 2, .strides = N2(3, 3), .pads = N4(2, 1, 0, 3)};
static const dh_conv_attr uneven = {.group = 2, .strides = N2(1, 2), .pads = N4(2, 2, 2, 2)};
static const dh_conv_attr upright = {.group = 2, .strides = N2(2, 1), .pads = N4(2, 3, 1, 0)};
static const dh_conv_attr broad = {.group = 2, .pads = N4(2, 2, 2, 2)};
static const dh_conv_attr spread = {.group = 2, .dilations = N2(2, 3), .pads = N4(2, 3, 2, 3)};
static const dh_conv_attr apart = {
    .group = 2, .strides = N2(2, 3), .dilations = N2(3, 2), .pads = N4(3, 2, 1, 4)};
static const dh_conv_attr beyond = {.group = 2, .pads = N4(4, 20, 3, 5)};
static const dh_conv_attr sparse = {.group = 2, .strides = N2(3, 4), .pads = N4(0, 1, 0, 0)};
static const dh_conv_attr line = {.group = 3, .pads = N2(2, 1)};
static const dh_conv_attr line_half = {.group = 3, .strides = N1(2), .pads = N2(1, 2)};
static const dh_conv_attr volume = {.group = 2, .pads = N6(1, 1, 1, 1, 1, 1)};
static const dh_conv_attr volume_half = {
    .group = 2, .strides = N3(2, 2, 2), .pads = N6(1, 0, 1, 0, 1, 2)};

/* x, weight, y, channels of y */
#define SHAPES(M)                                                   \
    M(three, C(2, 3, 5, 7), C(3, 1, 3, 3), C(2, 3, 5, 7), 3),       \
        M(half, C(2, 3, 7, 6), C(3, 1, 3, 3), C(2, 3, 4, 3), 3),    \
        M(bare, C(1, 3, 4, 5), C(6, 1, 2, 2), C(1, 6, 3, 4), 6),    \
        M(third, C(1, 2, 7, 8), C(2, 1, 3, 3), C(1, 2, 3, 4), 2),   \
        M(skewed, C(2, 2, 5, 6), C(4, 1, 3, 2), C(2, 4, 2, 4), 4),  \
        M(upright, C(1, 2, 5, 4), C(2, 1, 4, 3), C(1, 2, 3, 5), 2), \
        M(broad, C(1, 2, 3, 5), C(2, 1, 5, 5), C(1, 2, 3, 5), 2),   \
        M(apart, C(1, 2, 6, 7), C(2, 1, 2, 3), C(1, 2, 4, 3), 2),   \
        M(line, C(2, 3, 9), C(6, 1, 4), C(2, 6, 9), 6),             \
        M(volume_half, C(1, 2, 3, 4, 3), C(2, 1, 2, 3, 3), C(1, 2, 2, 2, 2), 2)

/* an activation behind, in one sweep and in several, results that have no tap in the image */
static const dh_conv_attr relu = {.group = 3, .pads = N4(1, 1, 1, 1), .act = 1};
static const dh_conv_attr relu6 = {.group = 3, .pads = N4(1, 1, 1, 1), .act = DH_ACT_RELU6};
static const dh_conv_attr leaky = {
    .group = 3, .strides = N2(2, 1), .pads = N4(1, 0, 1, 2), .act = 2, .alpha = 0.25};
static const dh_conv_attr leaky_volume = {
    .group = 2, .pads = N6(3, 1, 1, 1, 1, 1), .act = 2, .alpha = 0.125};

#define ACTED(M)                                                    \
    M(relu, C(2, 3, 5, 18), C(3, 1, 3, 3), C(2, 3, 5, 18), 3),      \
        M(relu6, C(2, 3, 5, 18), C(3, 1, 3, 3), C(2, 3, 5, 18), 3), \
        M(relu, C(2, 3, 3, 4), C(6, 1, 2, 4), C(2, 6, 4, 3), 6),    \
        M(leaky, C(2, 3, 6, 17), C(3, 1, 3, 3), C(2, 3, 3, 18), 3), \
        M(leaky_volume, C(1, 2, 3, 4, 5), C(4, 1, 3, 3, 3), C(1, 4, 5, 4, 5), 4)

/* widths of y around vectors of 2 to 16 lanes, of one, two and four vectors; tiles */
#define LARGE(M)                                                              \
    M(two, C(3, 2, 3, 2), C(2, 1, 3, 3), C(3, 2, 3, 2), 2),                   \
        M(two, C(3, 2, 4, 4), C(4, 1, 3, 3), C(3, 4, 4, 4), 4),               \
        M(three, C(2, 3, 9, 8), C(3, 1, 3, 3), C(2, 3, 9, 8), 3),             \
        M(three, C(2, 3, 6, 9), C(3, 1, 3, 3), C(2, 3, 6, 9), 3),             \
        M(three, C(2, 3, 8, 15), C(3, 1, 3, 3), C(2, 3, 8, 15), 3),           \
        M(three, C(33, 3, 7, 16), C(3, 1, 3, 3), C(33, 3, 7, 16), 3),         \
        M(two, C(2, 2, 13, 17), C(2, 1, 3, 3), C(2, 2, 13, 17), 2),           \
        M(two, C(1, 2, 5, 31), C(2, 1, 3, 3), C(1, 2, 5, 31), 2),             \
        M(two, C(1, 2, 5, 33), C(6, 1, 3, 3), C(1, 6, 5, 33), 6),             \
        M(one, C(3, 1, 28, 28), C(6, 1, 3, 3), C(3, 6, 28, 28), 6),           \
        M(bare, C(2, 3, 11, 19), C(3, 1, 1, 1), C(2, 3, 11, 19), 3),          \
        M(bare, C(2, 3, 11, 19), C(3, 1, 2, 3), C(2, 3, 10, 17), 3),          \
        M(bare, C(2, 3, 11, 19), C(3, 1, 3, 2), C(2, 3, 9, 18), 3),           \
        M(half, C(18, 3, 14, 14), C(3, 1, 3, 3), C(18, 3, 7, 7), 3),          \
        M(half, C(2, 3, 15, 31), C(3, 1, 3, 3), C(2, 3, 8, 16), 3),           \
        M(half, C(2, 3, 16, 34), C(6, 1, 3, 3), C(2, 6, 8, 17), 6),           \
        M(half, C(1, 3, 9, 67), C(3, 1, 5, 5), C(1, 3, 4, 33), 3),            \
        M(skewed, C(2, 2, 9, 33), C(2, 1, 3, 3), C(2, 2, 4, 17), 2),          \
        M(uneven, C(2, 2, 9, 35), C(2, 1, 5, 5), C(2, 2, 9, 18), 2),          \
        M(upright, C(2, 2, 9, 35), C(2, 1, 5, 5), C(2, 2, 4, 34), 2),         \
        M(broad, C(2, 2, 14, 29), C(2, 1, 5, 5), C(2, 2, 14, 29), 2),         \
        M(broad, C(2, 2, 6, 18), C(2, 1, 4, 7), C(2, 2, 7, 16), 2),           \
        M(third, C(2, 2, 13, 50), C(2, 1, 3, 3), C(2, 2, 5, 18), 2),          \
        M(sparse, C(2, 2, 9, 41), C(2, 1, 2, 2), C(2, 2, 3, 11), 2),          \
        M(spread, C(2, 2, 9, 20), C(2, 1, 3, 3), C(2, 2, 9, 20), 2),          \
        M(apart, C(2, 2, 11, 40), C(4, 1, 3, 3), C(2, 4, 5, 14), 4),          \
        M(beyond, C(2, 2, 3, 4), C(2, 1, 3, 3), C(2, 2, 8, 27), 2),           \
        M(two, C(1, 2, 40, 330), C(2, 1, 3, 3), C(1, 2, 40, 330), 2),         \
        M(one_half, C(1, 1, 98, 134), C(1, 1, 3, 3), C(1, 1, 49, 67), 1),     \
        M(two, C(1, 2, 2, 2100), C(2, 1, 3, 3), C(1, 2, 2, 2100), 2),         \
        M(third, C(1, 2, 4, 1100), C(2, 1, 3, 3), C(1, 2, 2, 368), 2),        \
        M(line, C(2, 3, 257), C(3, 1, 4), C(2, 3, 257), 3),                   \
        M(line, C(1, 3, 3100), C(3, 1, 4), C(1, 3, 3100), 3),                 \
        M(line_half, C(2, 3, 130), C(6, 1, 7), C(2, 6, 64), 6),               \
        M(volume, C(2, 2, 5, 6, 17), C(4, 1, 3, 3, 3), C(2, 4, 5, 6, 17), 4), \
        M(volume_half, C(2, 2, 5, 7, 36), C(2, 1, 3, 3, 3), C(2, 2, 2, 3, 19), 2)

/* channels around whole vectors and shares of tasks, where they lie last; rows of one to three
 * groups of positions */
static const dh_conv_attr many = {.group = 35, .pads = N4(1, 1, 1, 1), .act = DH_ACT_RELU6};
static const dh_conv_attr many_half = {
    .group = 35, .strides = N2(2, 2), .pads = N4(1, 1, 1, 1), .act = 1};
static const dh_conv_attr many_low = {
    .group = 35, .strides = N2(1, 2), .dilations = N2(2, 1), .pads = N4(3, 0, 1, 4)};
static const dh_conv_attr many_leaky = {
    .group = 35, .strides = N2(1, 1), .pads = N4(2, 2, 2, 2), .act = 2, .alpha = 0.25};
static const dh_conv_attr most = {.group = 200, .pads = N4(1, 1, 1, 1)};

#define MANY(M)                                                              \
    M(many, C(2, 35, 5, 14), C(35, 1, 3, 3), C(2, 35, 5, 14), 35),           \
        M(many, C(1, 35, 2, 3), C(35, 1, 3, 3), C(1, 35, 2, 3), 35),         \
        M(many, C(1, 35, 9, 21), C(35, 1, 3, 3), C(1, 35, 9, 21), 35),       \
        M(many_half, C(2, 35, 7, 13), C(35, 1, 3, 3), C(2, 35, 4, 7), 35),   \
        M(many_half, C(1, 35, 6, 8), C(35, 1, 3, 3), C(1, 35, 3, 4), 35),    \
        M(many_low, C(1, 35, 6, 9), C(35, 1, 3, 3), C(1, 35, 5, 6), 35),     \
        M(many_leaky, C(2, 35, 5, 14), C(35, 1, 5, 5), C(2, 35, 5, 14), 35), \
        M(many_leaky, C(2, 35, 3, 5), C(35, 1, 3, 3), C(2, 35, 5, 7), 35),   \
        M(most, C(1, 200, 9, 11), C(200, 1, 3, 3), C(1, 200, 9, 11), 200)

#define LONG_DW(ATTR, X, W, Y, O) LARGE_DW(1e-3, ATTR, X, Y, W) /* up to 13,200 terms */

static const dh_conv_attr up = {.group = 3, .strides = N2(2, 2), .output_padding = N2(1, 0)};
static const dh_conv_attr up_more = {
    .group = 2, .strides = N2(2, 3), .pads = N4(1, 0, 1, 1), .output_padding = N2(1, 2)};
static const dh_conv_attr up_line = {.group = 2, .strides = N1(3), .output_padding = N1(1)};

const op_case case_conv_depthwise[] = {
    SHAPES(CONV),
    SHAPES(CONV_DX),
    SHAPES(CONV_DW),
    ACTED(CONV),
    LARGE(LARGE_CONV),
    MANY(LARGE_CONV),
    NORMALISED(many, C(2, 35, 5, 9), C(35, 1, 3, 3), 35),
    NORMALISED(relu, C(2, 3, 5, 18), C(3, 1, 3, 3), 3),
    NORMALISED(leaky, C(2, 3, 6, 17), C(6, 1, 3, 3), 6),
    NORMALISED(leaky_volume, C(1, 2, 3, 4, 5), C(4, 1, 3, 3, 3), 4),
    LARGE(LARGE_DX),
    LARGE(LONG_DW),
    TRANSPOSE(up, C(2, 3, 5, 9), C(3, 1, 3, 3), 3),
    TRANSPOSE(up, C(1, 6, 3, 4), C(6, 1, 2, 2), 3),
    TRANSPOSE(up_more, C(2, 4, 3, 4), C(4, 1, 3, 3), 2),
    TRANSPOSE(up_line, C(2, 2, 11), C(2, 1, 2), 2),
    TRANSPOSE(volume_half, C(1, 2, 2, 3, 4), C(2, 1, 3, 3, 3), 2),
    /* no images; what is not a number stays where it is */
    {.op = "conv",
     .in_count = 2,
     .in = {S(0, 2, 5, 5), S(2, 1, 3, 3)},
     .attr = &two,
     .forward_only = true},
    {.op = "conv_dw",
     .in_count = 3,
     .in = {S(0, 2, 5, 5), S(0, 2, 5, 5), S(2, 1, 3, 3)},
     .attr = &two,
     .forward_only = true},
    {.op = "conv",
     .in_count = 2,
     .in = {S(2, 3, 9, 21), S(3, 1, 3, 3)},
     .attr = &half,
     .fill = {FILL_SPECIAL},
     .forward_only = true},
    {.op = "conv_dx",
     .in_count = 3,
     .in = {S(2, 3, 5, 11), S(3, 1, 3, 3), S(2, 3, 9, 21)},
     .attr = &half,
     .fill = {FILL_SPECIAL},
     .forward_only = true},
    {.op = "conv_dw",
     .in_count = 3,
     .in = {S(1, 3, 7, 21), S(1, 3, 3, 11), S(3, 1, 2, 1)},
     .attr = &(const dh_conv_attr){.group = 3, .strides = N2(2, 2)},
     .fill = {FILL_SPECIAL},
     .forward_only = true},
    {0}};
