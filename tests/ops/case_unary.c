/* SPDX-License-Identifier: MIT */
/* Elementwise ops of one input: odd shapes, every attribute, special values, a size that crosses
 * blocks. Wide ranges come from FILL_DISTINCT, which has steps of an eighth around 0. */
#include <math.h>

#include "case.h"

static const dh_affine_attr affine = {2.5, 0.5}, mirrored = {-1.5, 0.25};
static const dh_clamp_attr clamp = {-0.5, 1}, clamp_low = {-1, INFINITY},
                           clamp_high = {-INFINITY, 1};
static const dh_act_attr slope = {0.3}, negative = {-0.5}, flat = {0}, steep = {1.5};

#define ONE(OP, FILL, ATTR, ...)                                                        \
    {                                                                                   \
        .op = OP, .in_count = 1, .in = {S(__VA_ARGS__)}, .attr = ATTR, .fill = { FILL } \
    }
#define SHAPES(OP, FILL, ATTR)                                                   \
    ONE(OP, FILL, ATTR, 7), ONE(OP, FILL, ATTR, 3, 5), ONE(OP, FILL, ATTR, 1),   \
        ONE(OP, FILL, ATTR, 0, 3), ONE(OP, FILL, ATTR, 2, 3, 1, 7),              \
        {.op = OP, .in_count = 1, .in = {S0}, .attr = ATTR, .fill = {FILL}},     \
    {                                                                            \
        .op = OP, .in_count = 1, .in = {S(70001)}, .attr = ATTR, .fill = {FILL}, \
        .forward_only = true                                                     \
    }
/* infinities, NaN and what a function of all numbers does far from 0 */
#define SPECIAL(OP, ATTR)                                                             \
    {                                                                                 \
        .op = OP, .in_count = 1, .in = {S(97)}, .attr = ATTR, .fill = {FILL_SPECIAL}, \
        .forward_only = true                                                          \
    }
#define EVERYWHERE(OP, ATTR) \
    SHAPES(OP, FILL_SIGNED, ATTR), ONE(OP, FILL_DISTINCT, ATTR, 11, 13), SPECIAL(OP, ATTR)
#define WITHIN(OP, FILL) SHAPES(OP, FILL, NULL), SPECIAL(OP, NULL)

const op_case case_unary[] = {
    EVERYWHERE("neg", NULL),
    EVERYWHERE("abs", NULL),
    EVERYWHERE("sign", NULL),
    EVERYWHERE("sqr", NULL),
    WITHIN("sqrt", FILL_POSITIVE),
    WITHIN("rsqrt", FILL_POSITIVE),
    WITHIN("reciprocal", FILL_ABOVE_ONE),
    ONE("reciprocal", FILL_SIGNED, NULL, 5, 7),
    WITHIN("exp", FILL_SIGNED),
    WITHIN("expm1", FILL_SIGNED),
    WITHIN("log", FILL_POSITIVE),
    WITHIN("log1p", FILL_POSITIVE),
    ONE("log1p", FILL_UNIT, NULL, 5, 7),
    WITHIN("log2", FILL_POSITIVE),
    WITHIN("log10", FILL_POSITIVE),
    EVERYWHERE("sin", NULL),
    EVERYWHERE("cos", NULL),
    SHAPES("tan", FILL_UNIT, NULL),
    WITHIN("asin", FILL_UNIT),
    WITHIN("acos", FILL_UNIT),
    EVERYWHERE("atan", NULL),
    WITHIN("sinh", FILL_SIGNED),
    WITHIN("cosh", FILL_SIGNED),
    EVERYWHERE("tanh", NULL),
    EVERYWHERE("erf", NULL),
    EVERYWHERE("floor", NULL),
    EVERYWHERE("ceil", NULL),
    EVERYWHERE("round", NULL),
    EVERYWHERE("trunc", NULL),
    SHAPES("isnan", FILL_SPECIAL, NULL),
    SHAPES("isinf", FILL_SPECIAL, NULL),
    SHAPES("isfinite", FILL_SPECIAL, NULL),
    SHAPES("logical_not", FILL_SMALL_INT, NULL),
    SPECIAL("logical_not", NULL),
    SHAPES("affine", FILL_SIGNED, &affine),
    SPECIAL("affine", &affine),
    SHAPES("affine", FILL_SIGNED, NULL),
    {.op = "affine", .in_count = 1, .in = {S(5, 7)}, .attr = &mirrored, .dtype = {DH_F32}},
    {.op = "affine", .in_count = 1, .in = {S(5, 7)}, .attr = &mirrored, .dtype = {DH_I16}},
    EVERYWHERE("clamp", &clamp),
    EVERYWHERE("clamp", NULL),
    ONE("clamp", FILL_SIGNED, &clamp_low, 5, 7),
    SPECIAL("clamp", &clamp_low),
    ONE("clamp", FILL_SIGNED, &clamp_high, 5, 7),
    SPECIAL("clamp", &clamp_high),
    EVERYWHERE("relu", NULL),
    EVERYWHERE("relu6", NULL),
    ONE("relu6", FILL_DISTINCT, NULL, 3, 101),
    EVERYWHERE("leaky_relu", NULL),
    EVERYWHERE("leaky_relu", &slope),
    EVERYWHERE("leaky_relu", &negative),
    ONE("leaky_relu", FILL_SIGNED, &flat, 5, 7),
    ONE("leaky_relu", FILL_SIGNED, &steep, 5, 7),
    EVERYWHERE("thresholded_relu", NULL),
    EVERYWHERE("thresholded_relu", &negative),
    ONE("thresholded_relu", FILL_SIGNED, &flat, 5, 7),
    EVERYWHERE("elu", NULL),
    EVERYWHERE("elu", &slope),
    ONE("elu", FILL_SIGNED, &flat, 5, 7),
    EVERYWHERE("selu", NULL),
    EVERYWHERE("sigmoid", NULL),
    EVERYWHERE("hard_sigmoid", NULL),
    EVERYWHERE("softplus", NULL),
    EVERYWHERE("softsign", NULL),
    EVERYWHERE("gelu", NULL),
    EVERYWHERE("silu", NULL),
    EVERYWHERE("mish", NULL),

#define DX_AT(OP, P, Q, FILL, ...)                                               \
    {                                                                            \
        .op = "unary_dx", .in_count = 2, .in = {S(__VA_ARGS__), S(__VA_ARGS__)}, \
        .attr = &(const dh_unary_dx_attr){DH_OP_##OP, P, Q}, .fill = {           \
            FILL_SIGNED,                                                         \
            FILL                                                                 \
        }                                                                        \
    }
#define DX(OP, P, Q, FILL) DX_AT(OP, P, Q, FILL, 3, 11), DX_AT(OP, P, Q, FILL, 701)
    DX(ABS, 0, 0, FILL_SIGNED),
    DX(SQR, 0, 0, FILL_SIGNED),
    DX(SQRT, 0, 0, FILL_POSITIVE),
    DX(RSQRT, 0, 0, FILL_POSITIVE),
    DX(RECIPROCAL, 0, 0, FILL_SIGNED),
    DX(EXP, 0, 0, FILL_POSITIVE),
    DX(EXPM1, 0, 0, FILL_UNIT),
    DX(LOG, 0, 0, FILL_POSITIVE),
    DX(LOG1P, 0, 0, FILL_POSITIVE),
    DX(LOG2, 0, 0, FILL_POSITIVE),
    DX(LOG10, 0, 0, FILL_POSITIVE),
    DX(SIN, 0, 0, FILL_DISTINCT),
    DX(COS, 0, 0, FILL_DISTINCT),
    DX(TAN, 0, 0, FILL_SIGNED),
    DX(ASIN, 0, 0, FILL_UNIT),
    DX(ACOS, 0, 0, FILL_UNIT),
    DX(ATAN, 0, 0, FILL_DISTINCT),
    DX(SINH, 0, 0, FILL_SIGNED),
    DX(COSH, 0, 0, FILL_SIGNED),
    DX(TANH, 0, 0, FILL_UNIT),
    DX(RELU6, 0, 0, FILL_DISTINCT),
    DX(ERF, 0, 0, FILL_SIGNED),
    DX(CLAMP, -0.5, 1, FILL_SIGNED),
    DX(RELU, 0, 0, FILL_SIGNED),
    DX(LEAKY_RELU, 0.3, 0, FILL_SIGNED),
    DX(THRESHOLDED_RELU, 1, 0, FILL_SIGNED),
    DX(ELU, 0.5, 0, FILL_SIGNED),
    DX(SELU, 0, 0, FILL_SIGNED),
    DX(SIGMOID, 0, 0, FILL_UNIT),
    DX(HARD_SIGMOID, 0, 0, FILL_SIGNED),
    DX(SOFTPLUS, 0, 0, FILL_POSITIVE),
    DX(SOFTSIGN, 0, 0, FILL_UNIT),
    DX(GELU, 0, 0, FILL_DISTINCT),
    DX(SILU, 0, 0, FILL_DISTINCT),
    DX(MISH, 0, 0, FILL_DISTINCT),
    DX_AT(GELU, 0, 0, FILL_SIGNED, 70001),
    DX_AT(RELU, 0, 0, FILL_SIGNED, 0, 3),
    {0}};
