/* SPDX-License-Identifier: MIT */
/* Convolutions of one to three spatial axes: odd lengths, strides, dilations, asymmetric pads,
 * groups, windows of one element, batches of none. */
#include "case_conv.h"

static const dh_conv_attr cut = {.group = 1, .strides = N1(2), .pads = N2(1, 1)};
static const dh_conv_attr plain = {.group = 1}, groups_2 = {.group = 2}, groups_3 = {.group = 3};
static const dh_conv_attr strided = {.group = 1, .strides = N2(2, 3)};
static const dh_conv_attr padded = {.group = 1, .pads = N4(1, 2, 0, 1)};
static const dh_conv_attr same = {.group = 1, .pads = N4(1, 1, 1, 1)};
static const dh_conv_attr dilated = {.group = 1, .dilations = N2(2, 3), .pads = N4(2, 0, 1, 3)};
static const dh_conv_attr mixed = {
    .group = 2, .strides = N2(3, 2), .dilations = N2(1, 2), .pads = N4(0, 3, 2, 1)};
static const dh_conv_attr line = {.group = 1, .strides = N1(2), .pads = N2(2, 1)};
static const dh_conv_attr volume = {.group = 1, .strides = N3(1, 2, 1)};
static const dh_conv_attr point_stride = {.group = 1, .strides = N2(2, 2)};
static const dh_conv_attr wide_pads = {.group = 1, .pads = N4(4, 5, 3, 4)};

/* x, weight, and the y that they make */
#define SHAPES(M)                                                        \
    M(plain, C(1, 1, 1, 1), C(1, 1, 1, 1), C(1, 1, 1, 1), 1),            \
        M(plain, C(2, 3, 5, 7), C(4, 3, 1, 1), C(2, 4, 5, 7), 4),        \
        M(plain, C(2, 3, 5, 7), C(4, 3, 3, 2), C(2, 4, 3, 6), 4),        \
        M(same, C(1, 2, 5, 3), C(3, 2, 3, 3), C(1, 3, 5, 3), 3),         \
        M(strided, C(2, 2, 7, 8), C(3, 2, 3, 2), C(2, 3, 3, 3), 3),      \
        M(padded, C(1, 2, 4, 5), C(2, 2, 3, 3), C(1, 2, 3, 6), 2),       \
        M(dilated, C(1, 2, 7, 6), C(2, 2, 3, 2), C(1, 2, 6, 6), 2),      \
        M(wide_pads, C(1, 1, 2, 3), C(2, 1, 3, 3), C(1, 2, 7, 10), 2),   \
        M(point_stride, C(2, 3, 5, 4), C(2, 3, 1, 1), C(2, 2, 3, 2), 2), \
        M(groups_2, C(2, 4, 4, 3), C(6, 2, 2, 2), C(2, 6, 3, 2), 6),     \
        M(groups_3, C(1, 3, 5, 5), C(3, 1, 3, 3), C(1, 3, 3, 3), 3),     \
        M(mixed, C(1, 4, 8, 7), C(2, 2, 3, 3), C(1, 2, 3, 4), 2),        \
        M(line, C(2, 3, 11), C(2, 3, 4), C(2, 2, 6), 2),                 \
        M(volume, C(1, 2, 3, 5, 4), C(3, 2, 2, 3, 2), C(1, 3, 2, 2, 3), 3)

static const dh_conv_attr up = {.group = 1, .strides = N2(2, 2)};
static const dh_conv_attr up_more = {
    .group = 1, .strides = N2(2, 3), .pads = N4(1, 0, 1, 1), .output_padding = N2(1, 2)};
static const dh_conv_attr up_groups = {
    .group = 2, .strides = N2(1, 2), .dilations = N2(2, 1), .output_padding = N2(0, 1)};
static const dh_conv_attr up_line = {.group = 1, .strides = N1(3), .output_padding = N1(1)};

/* What the direct convolutions cut: lines that are rows or positions in many images, panels, chunks
 * and blocks of channels, rows of taps at once, strides that leave elements without a tap, columns
 * and images in several strips. */
static const dh_conv_attr sparse = {.group = 1, .strides = N2(3, 4), .pads = N4(0, 1, 0, 0)};
static const dh_conv_attr uneven = {.group = 1, .strides = N2(2, 3), .pads = N4(1, 0, 1, 2)};
static const dh_conv_attr apart = {.group = 1, .dilations = N2(1, 2), .pads = N4(1, 2, 1, 2)};
static const dh_conv_attr pairs = {.group = 2, .pads = N4(1, 1, 1, 1)};
static const dh_conv_attr solid = {
    .group = 1, .strides = N3(2, 1, 1), .pads = N6(1, 1, 1, 1, 1, 1)};
static const dh_conv_attr series = {.group = 1, .strides = N1(2), .pads = N2(1, 1)};

/* an activation behind, in each implementation */
static const dh_conv_attr relu = {.group = 1, .pads = N4(1, 1, 1, 1), .act = 1};
static const dh_conv_attr relu6 = {.group = 1, .pads = N4(1, 1, 1, 1), .act = DH_ACT_RELU6};
static const dh_conv_attr leaky = {
    .group = 1, .strides = N2(2, 1), .pads = N4(1, 0, 1, 2), .act = 2, .alpha = 0.25};
static const dh_conv_attr leaky_same = {
    .group = 1, .pads = N4(1, 1, 1, 1), .act = 2, .alpha = 0.125};

#define DIRECT(M)                                                               \
    M(same, C(2, 9, 6, 5), C(11, 9, 3, 3), C(2, 11, 6, 5), 11),                 \
        M(same, C(17, 9, 3, 4), C(34, 9, 3, 3), C(17, 34, 3, 4), 34),           \
        M(same, C(70, 16, 4, 4), C(8, 16, 3, 3), C(70, 8, 4, 4), 8),            \
        M(uneven, C(2, 9, 7, 17), C(10, 9, 3, 3), C(2, 10, 4, 6), 10),          \
        M(uneven, C(18, 9, 7, 5), C(10, 9, 3, 3), C(18, 10, 4, 2), 10),         \
        M(sparse, C(2, 8, 9, 9), C(9, 8, 2, 2), C(2, 9, 3, 3), 9),              \
        M(sparse, C(12, 8, 9, 9), C(9, 8, 2, 2), C(12, 9, 3, 3), 9),            \
        M(plain, C(1, 264, 3, 4), C(9, 264, 1, 2), C(1, 9, 3, 3), 9),           \
        M(plain, C(1, 9, 3, 4), C(300, 9, 2, 2), C(1, 300, 2, 3), 300),         \
        M(plain, C(2, 128, 3, 15), C(24, 128, 1, 1), C(2, 24, 3, 15), 24),      \
        M(same, C(1, 8, 2, 1100), C(8, 8, 3, 3), C(1, 8, 2, 1100), 8),          \
        M(same, C(1, 8, 300, 3), C(8, 8, 3, 3), C(1, 8, 300, 3), 8),            \
        M(padded, C(2, 1, 20, 18), C(32, 1, 5, 5), C(2, 32, 17, 17), 32),       \
        M(apart, C(2, 8, 6, 19), C(9, 8, 3, 3), C(2, 9, 6, 19), 9),             \
        M(pairs, C(2, 18, 5, 6), C(16, 9, 3, 3), C(2, 16, 5, 6), 16),           \
        M(solid, C(2, 9, 5, 6, 4), C(10, 9, 3, 3, 3), C(2, 10, 3, 6, 4), 10),   \
        M(solid, C(15, 9, 3, 2, 4), C(10, 9, 3, 3, 3), C(15, 10, 2, 2, 4), 10), \
        M(series, C(2, 9, 40), C(10, 9, 3), C(2, 10, 20), 10),                  \
        M(wide_pads, C(1, 8, 2, 3), C(8, 8, 3, 3), C(1, 8, 7, 10), 8)

#define DIRECT_DW(ATTR, X, W, Y, O) LARGE_DW(2e-4, ATTR, X, Y, W) /* up to 2200 terms */

/* something added before it */
static const dh_conv_attr add_same = {
    .group = 1, .pads = N4(1, 1, 1, 1), .act = DH_ACT_RELU, .add = true};
static const dh_conv_attr add_leaky = {.group = 2,
                                       .strides = N2(2, 1),
                                       .pads = N4(1, 0, 1, 2),
                                       .act = DH_ACT_LEAKY_RELU,
                                       .alpha = 0.25,
                                       .add = true};
static const dh_conv_attr pool_same = {
    .group = 1, .pads = N4(1, 1, 1, 1), .act = DH_ACT_RELU, .pool = true};
static const dh_conv_attr pool_groups = {.group = 20, .pads = N4(1, 1, 1, 1), .pool = true};
static const dh_conv_attr pool_none = {.group = 1, .pool = true};
static const dh_conv_attr pool_leaky = {.group = 2,
                                        .strides = N2(2, 1),
                                        .pads = N4(1, 0, 1, 2),
                                        .act = DH_ACT_LEAKY_RELU,
                                        .alpha = 0.25,
                                        .pool = true};
static const dh_conv_attr add_point = {.group = 1, .add = true};
static const dh_conv_attr add_steps = {
    .group = 1, .strides = N2(1, 3), .act = DH_ACT_RELU6, .add = true};

/* Windows of one element: a plane in several blocks, several planes in one, last panels of all
 * widths, tiles of rows, strides, more channels than a panel holds. */
static const dh_conv_attr point_line = {.group = 1, .strides = N2(2, 1)};
static const dh_conv_attr wide_steps = {.group = 1, .strides = N2(1, 3)};
static const dh_conv_attr point_relu = {.group = 1, .act = 1};
static const dh_conv_attr point_relu6 = {.group = 1, .act = DH_ACT_RELU6};
static const dh_conv_attr point_leaky = {.group = 2, .act = 2, .alpha = 0.25};
static const dh_conv_attr point_series = {.group = 1, .strides = N1(2)};
static const dh_conv_attr point_volume = {.group = 1, .strides = N3(2, 1, 2)};

#define POINTS(M)                                                             \
    M(plain, C(2, 5, 33, 35), C(3, 5, 1, 1), C(2, 3, 33, 35), 3),             \
        M(plain, C(19, 6, 8, 8), C(30, 6, 1, 1), C(19, 30, 8, 8), 30),        \
        M(plain, C(35, 3, 7, 7), C(17, 3, 1, 1), C(35, 17, 7, 7), 17),        \
        M(plain, C(3, 300, 14, 14), C(29, 300, 1, 1), C(3, 29, 14, 14), 29),  \
        M(plain, C(1, 9, 40, 41), C(120, 9, 1, 1), C(1, 120, 40, 41), 120),   \
        M(groups_2, C(3, 18, 9, 7), C(32, 9, 1, 1), C(3, 32, 9, 7), 32),      \
        M(point_stride, C(3, 9, 15, 17), C(15, 9, 1, 1), C(3, 15, 8, 9), 15), \
        M(wide_steps, C(2, 7, 30, 70), C(15, 7, 1, 1), C(2, 15, 30, 24), 15), \
        M(point_series, C(2, 7, 1300), C(15, 7, 1), C(2, 15, 650), 15),       \
        M(point_volume, C(2, 7, 6, 5, 9), C(15, 7, 1, 1, 1), C(2, 15, 3, 5, 5), 15)

/* The gradient of weights of one element: rows and columns for several tasks, chunks of several
 * images and of parts of one, shares, either side turned, positions that lie apart. */
#define POINTS_DW(M)                                                            \
    M(plain, C(29, 9, 4, 5), C(270, 9, 1, 1), C(29, 270, 4, 5), 270),           \
        M(plain, C(1, 271, 17, 19), C(270, 271, 1, 1), C(1, 270, 17, 19), 270), \
        M(groups_2, C(29, 80, 6, 6), C(32, 40, 1, 1), C(29, 32, 6, 6), 32),     \
        M(point_stride, C(40, 33, 9, 9), C(10, 33, 1, 1), C(40, 10, 5, 5), 10), \
        M(point_series, C(3, 12, 600), C(20, 12, 1), C(3, 20, 300), 20),        \
        M(point_stride, C(2, 9, 41, 39), C(12, 9, 1, 1), C(2, 12, 21, 20), 12), \
        M(point_volume, C(2, 9, 6, 5, 9), C(15, 9, 1, 1, 1), C(2, 15, 3, 5, 5), 15)

/* Sums of 4100 terms of up to 4. */
#define LONG(OP, ...)                                                                       \
    {                                                                                       \
        .op = OP, .in_count = 3, .in = {__VA_ARGS__}, .attr = &plain, .forward_only = true, \
        .atol = 2e-4                                                                        \
    }

/* 3x3 windows, tiles of 4x4 that are whole or not, with many images or in several strips, any
 * padding, more channels than are taken at once. The sums have up to 1440 terms of up to 4; the
 * error of Winograd's filtering is about 1e-5 of the largest result. */
static const dh_conv_attr lopsided = {.group = 1, .pads = N4(2, 0, 0, 1)};

#define WINOGRAD(M)                                                        \
    M(same, C(2, 20, 17, 16), C(40, 20, 3, 3), C(2, 40, 17, 16), 40),      \
        M(same, C(60, 16, 4, 4), C(17, 16, 3, 3), C(60, 17, 4, 4), 17),    \
        M(lopsided, C(7, 35, 9, 8), C(16, 35, 3, 3), C(7, 16, 9, 7), 16),  \
        M(plain, C(25, 33, 6, 5), C(16, 33, 3, 3), C(25, 16, 4, 3), 16),   \
        M(plain, C(3, 33, 12, 11), C(16, 33, 3, 3), C(3, 16, 10, 9), 16),  \
        M(pairs, C(3, 34, 12, 11), C(64, 17, 3, 3), C(3, 64, 12, 11), 64), \
        M(same, C(1, 16, 5, 260), C(16, 16, 3, 3), C(1, 16, 5, 260), 16),  \
        M(same, C(2, 160, 15, 13), C(16, 160, 3, 3), C(2, 16, 15, 13), 16)

#define NEAR(OP, ATTR, ...)                                                                \
    {                                                                                      \
        .op = OP, .in_count = 3, .in = {__VA_ARGS__}, .attr = &ATTR, .forward_only = true, \
        .atol = 1e-4, .winograd_atol = 1e-3                                                \
    }
#define STRIPS(OP, ATOL, WINOGRAD_ATOL, ...)                                              \
    {                                                                                     \
        .op = OP, .in_count = 3, .in = {__VA_ARGS__}, .dtype = {DH_F32, DH_F32, DH_F32},  \
        .attr = &same, .forward_only = true, .atol = ATOL, .winograd_atol = WINOGRAD_ATOL \
    }
#define NEAR_CONV(ATTR, X, W, Y, O) NEAR("conv", ATTR, X, W, S(O))
#define NEAR_DX(ATTR, X, W, Y, O)   NEAR("conv_dx", ATTR, Y, W, X)
#define NEAR_DW(ATTR, X, W, Y, O)   NEAR("conv_dw", ATTR, X, Y, W)

const op_case case_conv[] = {
    SHAPES(CONV),
    SHAPES(CONV_DX),
    SHAPES(CONV_DW),
    CONV(relu, C(1, 2, 4, 3), C(3, 2, 3, 3), C(1, 3, 4, 3), 3),
    CONV(leaky, C(2, 2, 5, 3), C(3, 2, 3, 3), C(2, 3, 3, 3), 3),
    DIRECT(LARGE_CONV),
    LARGE_CONV(relu, C(2, 9, 6, 5), C(11, 9, 3, 3), C(2, 11, 6, 5), 11),
    LARGE_CONV(leaky, C(17, 9, 6, 4), C(34, 9, 3, 3), C(17, 34, 3, 4), 34),
    NEAR_CONV(relu, C(25, 16, 5, 6), C(17, 16, 3, 3), C(25, 17, 5, 6), 17),
    CONV(relu6, C(1, 2, 4, 3), C(3, 2, 3, 3), C(1, 3, 4, 3), 3),
    LARGE_CONV(relu6, C(2, 9, 6, 5), C(11, 9, 3, 3), C(2, 11, 6, 5), 11),
    NEAR_CONV(relu6, C(25, 16, 5, 6), C(17, 16, 3, 3), C(25, 17, 5, 6), 17),
    NEAR_CONV(leaky_same, C(2, 20, 17, 16), C(40, 20, 3, 3), C(2, 40, 17, 16), 40),
    POINTS(LARGE_CONV),
    LONG("conv", C(2, 4100, 5, 3), C(2, 4100, 1, 1), S(2)),
    LARGE_CONV(point_relu, C(3, 16, 6, 8), C(17, 16, 1, 1), C(3, 17, 6, 8), 17),
    LARGE_CONV(point_relu6, C(3, 16, 6, 8), C(17, 16, 1, 1), C(3, 17, 6, 8), 17),
    LARGE_CONV(point_leaky, C(3, 16, 9, 8), C(18, 8, 1, 1), C(3, 18, 9, 8), 18),
    /* by each implementation: columns, strips, pixels, Winograd */
    NORMALISED(plain, C(2, 3, 5, 7), C(4, 3, 3, 2), 4),
    NORMALISED(leaky, C(2, 2, 5, 3), C(3, 2, 3, 3), 3),
    NORMALISED(pairs, C(2, 18, 5, 6), C(80, 9, 3, 3), 80),
    NORMALISED(relu6, C(2, 2, 5, 3), C(3, 2, 3, 3), 3),
    NORMALISED(relu, C(17, 9, 3, 4), C(34, 9, 3, 3), 34),
    NORMALISED(groups_2, C(3, 18, 9, 7), C(32, 9, 1, 1), 32),
    NORMALISED(point_relu, C(3, 300, 14, 14), C(29, 300, 1, 1), 29),
    NORMALISED(leaky_same, C(2, 20, 17, 16), C(40, 20, 3, 3), 40),
    NORMALISED(pairs, C(3, 34, 12, 11), C(64, 17, 3, 3), 64),
    INFINITE(point_relu, C(2, 1, 3, 5), C(3, 1, 1, 1), 3),
    INFINITE(point_relu6, C(2, 1, 6, 8), C(16, 1, 1, 1), 16),
    INFINITE(point_relu, C(2, 1, 6, 8), C(16, 1, 1, 1), 16),
    INFINITE(point_relu, C(9, 1, 1, 3), C(16, 1, 1, 1), 16),
    /* columns, strips of rows and of images, pixels, Winograd */
    {.op = "conv",
     .in_count = 3,
     .in = {S(1, 2, 4, 3), S(3, 2, 3, 3), S(1, 3, 4, 3)},
     .attr = &add_same},
    {.op = "conv",
     .in_count = 4,
     .in = {S(2, 4, 5, 3), S(2, 2, 3, 3), S(2), S(2, 2, 3, 3)},
     .attr = &add_leaky},
    ADDED(add_same, C(2, 3, 5, 7), C(4, 3, 3, 3), C(2, 4, 5, 7), 4),
    ADDED(add_leaky, C(2, 18, 5, 6), C(80, 9, 3, 3), C(2, 80, 3, 6), 80),
    ADDED(add_same, C(1, 9, 6, 45), C(11, 9, 3, 3), C(1, 11, 6, 45), 11),
    ADDED(add_point, C(3, 300, 14, 14), C(29, 300, 1, 1), C(3, 29, 14, 14), 29),
    ADDED(add_steps, C(2, 7, 30, 70), C(15, 7, 1, 1), C(2, 15, 30, 24), 15),
    ADDED(add_same, C(25, 16, 5, 6), C(17, 16, 3, 3), C(25, 17, 5, 6), 17),
    ADDED(add_same, C(2, 20, 17, 16), C(40, 20, 3, 3), C(2, 40, 17, 16), 40),
    POINTS(LARGE_DX),
    LONG("conv_dx", C(2, 2, 5, 3), C(2, 4100, 1, 1), C(2, 4100, 5, 3)),
    DIRECT(LARGE_DX),
    DIRECT(DIRECT_DW),
    POINTS(DIRECT_DW),
    POINTS_DW(DIRECT_DW),
    LONG("conv_dw", C(2, 4100, 5, 3), C(2, 2, 5, 3), C(2, 4100, 1, 1)),
    WINOGRAD(NEAR_CONV),
    WINOGRAD(NEAR_DX),
    WINOGRAD(NEAR_DW),
    TRANSPOSE(plain, C(2, 16, 9, 15), C(16, 17, 1, 1), 17),
    TRANSPOSE(groups_2, C(9, 16, 6, 8), C(16, 9, 1, 1), 18),
    TRANSPOSE(up, C(2, 16, 5, 4), C(16, 9, 2, 2), 9),
    TRANSPOSE(up_groups, C(3, 18, 5, 8), C(18, 9, 1, 1), 18),
    TRANSPOSE(cut, C(3, 16, 2), C(16, 16, 1), 16),  /* a result shorter than the stride */
    TRANSPOSE(up, C(1, 8, 5, 1), C(8, 8, 3, 1), 8), /* a stride along an axis of length one */
    {.op = "conv_dx",
     .in_count = 3,
     .in = {S(1, 1, 2, 5), S(1, 1, 1, 3), S(1, 1, 0, 5)},
     .attr = &same,
     .forward_only = true},
    TRANSPOSE(up_groups, C(15, 18, 3, 3), C(18, 9, 2, 3), 18),
    TRANSPOSE(plain, C(2, 3, 4, 5), C(3, 2, 1, 1), 2),
    TRANSPOSE(plain, C(2, 3, 4, 5), C(3, 2, 3, 2), 2),
    TRANSPOSE(up, C(1, 3, 3, 2), C(3, 2, 2, 2), 2),
    TRANSPOSE(up_more, C(2, 2, 3, 4), C(2, 3, 3, 3), 3),
    TRANSPOSE(up_groups, C(1, 4, 3, 3), C(4, 1, 2, 3), 2),
    TRANSPOSE(up_line, C(2, 2, 5), C(2, 3, 4), 3),
    TRANSPOSE(volume, C(1, 2, 2, 3, 2), C(2, 2, 2, 3, 2), 2),
    /* larger than a tile, a block and a panel of the product; 1311 terms of up to 4 add up to dw */
    {.op = "conv",
     .in_count = 3,
     .in = {S(3, 17, 19, 23), S(37, 17, 3, 3), S(37)},
     .attr = &same,
     .forward_only = true,
     .winograd_atol = 2e-4},
    {.op = "conv_dx",
     .in_count = 3,
     .in = {S(3, 37, 19, 23), S(37, 17, 3, 3), S(3, 17, 19, 23)},
     .attr = &same,
     .forward_only = true,
     .atol = 4e-5, /* 333 terms of up to 4 */
     .winograd_atol = 2e-4},
    {.op = "conv_dw",
     .in_count = 3,
     .in = {S(3, 17, 19, 23), S(3, 37, 19, 23), S(37, 17, 3, 3)},
     .attr = &same,
     .forward_only = true,
     .atol = 2e-4},
    /* Winograd's strips: two whose tiles all panels share, less than their weights (2250 terms of
     * up to 4); and as many strips as tasks are wanted, each with all panels */
    STRIPS("conv", 2e-4, 8e-4, S(1, 250, 21, 25), S(72, 250, 3, 3), S(72)),
    STRIPS("conv", 0, 2e-4, S(16, 16, 21, 22), S(40, 16, 3, 3), S(40)),
    /* weights of which not the transformed ones are kept but the taps; 3087 terms */
    STRIPS("conv", 2e-4, 8e-4, S(1, 343, 9, 9), S(340, 343, 3, 3), S(340)),
    STRIPS("conv_dx", 2e-4, 8e-4, S(1, 340, 9, 9), S(340, 343, 3, 3), S(1, 343, 9, 9)),
    /* no images, and windows larger than the image without its pads */
    {.op = "conv",
     .in_count = 2,
     .in = {S(0, 3, 5, 5), S(2, 3, 3, 3)},
     .attr = &same,
     .forward_only = true},
    {.op = "conv_dx",
     .in_count = 3,
     .in = {S(0, 2, 5, 5), S(2, 3, 3, 3), S(0, 3, 5, 5)},
     .attr = &same,
     .forward_only = true},
    {.op = "conv_dw",
     .in_count = 3,
     .in = {S(0, 9, 5, 5), S(0, 10, 5, 5), S(10, 9, 1, 1)},
     .attr = &plain,
     .forward_only = true},
    {.op = "conv_dw",
     .in_count = 3,
     .in = {S(0, 3, 5, 5), S(0, 2, 5, 5), S(2, 3, 3, 3)},
     .attr = &same,
     .forward_only = true},
    {.op = "conv", .in_count = 2, .in = {S(2, 2, 1, 2), S(2, 2, 3, 3)}, .attr = &same},
    {.op = "conv",
     .in_count = 2,
     .in = {S(2, 3, 6, 6), S(2, 3, 3, 3)},
     .attr = &same,
     .fill = {FILL_SPECIAL},
     .forward_only = true},
    /* lines across images, and what is added */
    ADDED(add_same, C(17, 9, 3, 4), C(34, 9, 3, 3), C(17, 34, 3, 4), 34),
    ADDED(add_same, C(17, 9, 4, 3), C(34, 9, 3, 3), C(17, 34, 4, 3), 34),
    /* windows of one element whose results lie apart: blocks that begin within rows; several tiles
     * that share a block, the last rows and columns of the plane out of reach */
    {.op = "conv_transpose",
     .in_count = 3,
     .in = {S(2, 16, 23, 25), S(16, 9, 1, 1), S(9)},
     .attr = &up,
     .forward_only = true},
    LARGE_DX(point_stride, C(1, 70, 32, 64), C(9, 70, 1, 1), C(1, 9, 16, 32), 9),
    LARGE_DX(point_line, C(2, 20, 1, 64), C(9, 20, 1, 1), C(2, 9, 1, 64), 9),
    /* maxima behind it: plainly, strips of rows, of parts of rows and of images, Winograd with
     * tiles of both sizes, odd lengths whose ends have no part in them */
    POOLED(pool_same, C(2, 2, 5, 4), C(3, 2, 3, 3), 3),
    POOLED(pool_leaky, C(2, 18, 10, 7), C(80, 9, 3, 3), 80),
    POOLED(pool_same, C(1, 9, 7, 1100), C(11, 9, 3, 3), 11),
    POOLED(pool_same, C(1, 9, 45, 31), C(11, 9, 3, 3), 11),
    POOLED(pool_same, C(1, 9, 530, 2), C(11, 9, 3, 3), 11),
    POOLED(pool_same, C(17, 9, 5, 4), C(34, 9, 3, 3), 34),
    POOLED(pool_none, C(3, 16, 9, 10), C(17, 16, 1, 1), 17),
    POOLED(pool_same, C(25, 16, 5, 6), C(17, 16, 3, 3), 17),
    POOLED(pool_same, C(2, 20, 17, 19), C(40, 20, 3, 3), 40),
    POOLED(pool_same, C(1, 32, 7, 7), C(48, 32, 3, 3), 48),
    POOLED(pool_groups, C(2, 20, 6, 6), C(20, 1, 3, 3), 20),
    {.op = "conv",
     .in_count = 2,
     .in = {S(2, 3, 6, 6), S(9, 3, 1, 1)},
     .attr = &pool_none,
     .fill = {FILL_SPECIAL},
     .forward_only = true},
    /* pixels whose distances fill one set of the first cache where channels lie last */
    {.op = "conv",
     .in_count = 3,
     .in = {S(2, 1024, 3, 11), S(70, 1024, 1, 1), S(70)},
     .attr = &plain,
     /* sums of 1024 terms that cancel */ .atol = 2e-4,
     .forward_only = true},
    LARGE_DX(point_stride, C(1, 512, 3, 31), C(35, 512, 1, 1), C(1, 35, 2, 16), 35),
    {0}};
