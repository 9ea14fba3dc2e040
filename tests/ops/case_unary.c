/* SPDX-License-Identifier: MIT */
#include "case.h"

static const dh_affine_attr scale = {1.5, -0.25}, turn = {-2, 3};
static const dh_clamp_attr narrow = {-0.7, 1.2}, whole = {-1, 2};
static const dh_act_attr steep = {0.3}, flat = {0}, two = {2};
static const dh_unary_dx_attr dx_relu = {.op = DH_OP_RELU}, dx_leaky = {DH_OP_LEAKY_RELU, 0.2, 0},
                              dx_tanh = {.op = DH_OP_TANH}, dx_sigmoid = {.op = DH_OP_SIGMOID},
                              dx_sqr = {.op = DH_OP_SQR};

/* A scalar, odd shapes, an empty axis, several blocks, and special values. */
#define SHAPES(OP, FILL, ATTR)                                                                     \
    {.op = OP, .in_count = 1, .in = {S0}, .fill = {FILL}, .attr = ATTR},                           \
    {.op = OP, .in_count = 1, .in = {S(7)}, .fill = {FILL}, .attr = ATTR},                         \
    {.op = OP, .in_count = 1, .in = {S(3, 1, 5)}, .fill = {FILL}, .attr = ATTR},                   \
    {.op = OP, .in_count = 1, .in = {S(0, 4)}, .fill = {FILL}, .attr = ATTR},                      \
    {.op = OP, .in_count = 1, .in = {S(2, 11, 13)}, .fill = {FILL}, .attr = ATTR},                 \
    {.op = OP, .in_count = 1, .in = {S(70001)}, .fill = {FILL}, .attr = ATTR, .forward_only = true}
#define SPECIAL(OP, ATTR)                                                                          \
    {.op = OP, .in_count = 1, .in = {S(41)}, .fill = {FILL_SPECIAL}, .attr = ATTR,                 \
     .forward_only = true}
/* Sine and its like of huge numbers are libm's affair. */
#define PLAIN(OP, FILL) SHAPES(OP, FILL, NULL), SPECIAL(OP, NULL)
#define TRIG(OP, FILL)  SHAPES(OP, FILL, NULL)
/* Results that are integers whatever the dtype. */
#define EXACT(OP)                                                                                  \
    {.op = OP, .in_count = 1, .in = {S(5, 9)}, .fill = {FILL_SMALL_INT}, .forward_only = true}

const op_case case_unary[] = {
    SHAPES("neg", FILL_SIGNED, NULL),
    EXACT("neg"),
    SHAPES("abs", FILL_SIGNED, NULL),
    EXACT("abs"),
    SHAPES("sign", FILL_SIGNED, NULL),
    EXACT("sign"),
    {.op = "sqr", .in_count = 1, .in = {S(4, 7)}, .fill = {FILL_SMALL_INT}, .forward_only = true},
    {.op = "sqr", .in_count = 1, .in = {S(3, 7)}, .dtype = {DH_F32}},
    {.op = "sqr", .in_count = 1, .in = {S(70001)}, .dtype = {DH_F64}, .forward_only = true},
    PLAIN("sqrt", FILL_POSITIVE),
    PLAIN("rsqrt", FILL_POSITIVE),
    PLAIN("reciprocal", FILL_SIGNED),
    PLAIN("exp", FILL_SIGNED),
    PLAIN("expm1", FILL_SIGNED),
    PLAIN("log", FILL_POSITIVE),
    PLAIN("log1p", FILL_UNIT),
    PLAIN("log2", FILL_POSITIVE),
    PLAIN("log10", FILL_POSITIVE),
    TRIG("sin", FILL_SIGNED),
    TRIG("cos", FILL_SIGNED),
    TRIG("tan", FILL_UNIT),
    TRIG("asin", FILL_UNIT),
    TRIG("acos", FILL_UNIT),
    PLAIN("atan", FILL_SIGNED),
    TRIG("sinh", FILL_SIGNED),
    TRIG("cosh", FILL_SIGNED),
    PLAIN("tanh", FILL_SIGNED),
    PLAIN("erf", FILL_SIGNED),
    PLAIN("floor", FILL_SIGNED),
    PLAIN("ceil", FILL_SIGNED),
    PLAIN("round", FILL_SIGNED),
    PLAIN("trunc", FILL_SIGNED),
    PLAIN("isnan", FILL_SIGNED),
    PLAIN("isinf", FILL_SIGNED),
    PLAIN("isfinite", FILL_SIGNED),
    EXACT("logical_not"),
    {.op = "affine", .in_count = 1, .in = {S(3, 5)}, .attr = &turn, .fill = {FILL_INDEX}, .bound = 2},
    {.op = "affine", .in_count = 1, .in = {S(3, 5)}, .attr = &scale, .dtype = {DH_F32}},
    {.op = "affine", .in_count = 1, .in = {S(70001)}, .attr = &scale, .dtype = {DH_F64},
     .forward_only = true},
    {.op = "affine", .in_count = 1, .in = {S(2, 9)}, .attr = &scale, .dtype = {DH_F16}},
    {.op = "clamp", .in_count = 1, .in = {S(4, 9)}, .attr = &narrow, .dtype = {DH_F32}},
    {.op = "clamp", .in_count = 1, .in = {S(4, 9)}, .attr = &narrow, .dtype = {DH_F64}},
    {.op = "clamp", .in_count = 1, .in = {S(4, 9)}, .attr = &whole, .fill = {FILL_INDEX}, .bound = 6,
     .forward_only = true},
    PLAIN("relu", FILL_SIGNED),
    SHAPES("leaky_relu", FILL_SIGNED, &steep),
    SHAPES("leaky_relu", FILL_SIGNED, &flat),
    PLAIN("leaky_relu", FILL_SIGNED),
    SHAPES("thresholded_relu", FILL_SIGNED, &steep),
    PLAIN("thresholded_relu", FILL_ABOVE_ONE),
    SHAPES("elu", FILL_SIGNED, &two),
    PLAIN("elu", FILL_SIGNED),
    PLAIN("selu", FILL_SIGNED),
    PLAIN("sigmoid", FILL_SIGNED),
    PLAIN("hard_sigmoid", FILL_SIGNED),
    PLAIN("softplus", FILL_SIGNED),
    TRIG("softsign", FILL_SIGNED),
    TRIG("gelu", FILL_SIGNED),
    TRIG("silu", FILL_SIGNED),
    TRIG("mish", FILL_SIGNED),
    {.op = "unary_dx", .in_count = 2, .in = {S(3, 7), S(3, 7)}, .attr = &dx_relu},
    {.op = "unary_dx", .in_count = 2, .in = {S(3, 7), S(3, 7)}, .attr = &dx_leaky},
    {.op = "unary_dx", .in_count = 2, .in = {S(70001), S(70001)}, .attr = &dx_tanh},
    {.op = "unary_dx", .in_count = 2, .in = {S0, S0}, .attr = &dx_sigmoid},
    {.op = "unary_dx", .in_count = 2, .in = {S(0), S(0)}, .attr = &dx_sqr},
    {0}};
