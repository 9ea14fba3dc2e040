/* SPDX-License-Identifier: MIT */
/* Elementwise functions of one input as textbooks write them, and their derivatives at s, which is
 * the function's input or output as unary_dx is given it. */
#include <math.h>

#include "ref.h"

static double softplus(double x)
{
    return x > 700 ? x : log1p(exp(x));
}

static double heaviside(bool on)
{
    return on ? 1 : 0;
}

#define LOOP(expression)                                \
    ref_new(&c->out[0], c->in[0].ndim, c->in[0].shape); \
    for (int64_t i = 0; i < c->in[0].count; i++) {      \
        double x = c->in[0].data[i];                    \
        c->out[0].data[i] = (expression);               \
    }
#define PLAIN(name, expression)               \
    static void run_##name(const ref_call *c) \
    {                                         \
        LOOP(expression)                      \
    }
#define WITH(name, type, expression)          \
    static void run_##name(const ref_call *c) \
    {                                         \
        const type *attr = c->attr;           \
        LOOP(expression)                      \
    }

PLAIN(neg, 0 - x)
PLAIN(abs, x < 0 ? 0 - x : x)
PLAIN(sign, isnan(x) ? x : heaviside(x > 0) - heaviside(x < 0))
PLAIN(sqr, pow(x, 2))
PLAIN(sqrt, sqrt(x))
PLAIN(rsqrt, 1 / sqrt(x))
PLAIN(reciprocal, pow(x, -1))
PLAIN(exp, exp(x))
PLAIN(expm1, expm1(x))
PLAIN(log, log(x))
PLAIN(log1p, log1p(x))
PLAIN(log2, log2(x))
PLAIN(log10, log10(x))
PLAIN(sin, sin(x))
PLAIN(cos, cos(x))
PLAIN(tan, sin(x) / cos(x))
PLAIN(asin, asin(x))
PLAIN(acos, acos(x))
PLAIN(atan, atan(x))
PLAIN(sinh, sinh(x))
PLAIN(cosh, cosh(x))
PLAIN(tanh, tanh(x))
PLAIN(erf, erf(x))
PLAIN(floor, floor(x))
PLAIN(ceil, ceil(x))
PLAIN(round, nearbyint(x))
PLAIN(trunc, trunc(x))
PLAIN(isnan, heaviside(isnan(x)))
PLAIN(isinf, heaviside(isinf(x)))
PLAIN(isfinite, heaviside(isfinite(x)))
PLAIN(logical_not, heaviside(x == 0))
PLAIN(relu, x <= 0 ? 0 : x)
PLAIN(selu, 1.0507009873554804934 * (x > 0 ? x : 1.6732632423543772848 * expm1(x)))
PLAIN(sigmoid, 1 / (1 + exp(0 - x)))
PLAIN(hard_sigmoid, isnan(x) ? x : fmax(0, fmin(1, x / 5 + 0.5)))
PLAIN(softplus, softplus(x))
PLAIN(softsign, x / (1 + fabs(x)))
PLAIN(gelu, x / 2 * erfc(0 - x / sqrt(2)))
PLAIN(silu, x / (1 + exp(0 - x)))
PLAIN(mish, x *tanh(softplus(x)))
WITH(affine, dh_affine_attr, attr->alpha *x + attr->beta)
WITH(clamp, dh_clamp_attr, isnan(x) ? x : fmin(fmax(x, attr->min), attr->max))
PLAIN(relu6, isnan(x) ? x : fmin(fmax(x, 0), 6))
WITH(leaky_relu, dh_act_attr, x > 0 ? x : attr->alpha * x)
WITH(thresholded_relu, dh_act_attr, x <= attr->alpha ? 0 : x)
WITH(elu, dh_act_attr, x > 0 ? x : attr->alpha * expm1(x))

static double normal_density(double x)
{
    return exp(0 - x * x / 2) / sqrt(2 * acos(-1));
}

static double sech(double x)
{
    return 1 / cosh(x);
}

static double slope(const dh_unary_dx_attr *a, double s)
{
    const double scale = 1.0507009873554804934,
                 limit = 1.0507009873554804934 * 1.6732632423543772848;
    switch (a->op) {
    case DH_OP_ABS: return s < 0 ? -1 : 1;
    case DH_OP_SQR: return 2 * s;
    case DH_OP_SQRT: return 1 / (2 * s);
    case DH_OP_RSQRT: return pow(s, 3) / -2;
    case DH_OP_RECIPROCAL: return 0 - pow(s, 2);
    case DH_OP_EXP: return s;
    case DH_OP_EXPM1: return 1 + s;
    case DH_OP_LOG: return 1 / s;
    case DH_OP_LOG1P: return 1 / (1 + s);
    case DH_OP_LOG2: return 1 / (s * log(2));
    case DH_OP_LOG10: return 1 / (s * log(10));
    case DH_OP_SIN: return cos(s);
    case DH_OP_COS: return 0 - sin(s);
    case DH_OP_TAN: return 1 + pow(s, 2);
    case DH_OP_ASIN: return pow(1 - s * s, -0.5);
    case DH_OP_ACOS: return 0 - pow(1 - s * s, -0.5);
    case DH_OP_ATAN: return 1 / (1 + s * s);
    case DH_OP_SINH: return cosh(s);
    case DH_OP_COSH: return sinh(s);
    case DH_OP_TANH: return 1 - s * s;
    case DH_OP_ERF: return 2 / sqrt(acos(-1)) * exp(0 - s * s);
    case DH_OP_CLAMP: return heaviside(s >= a->alpha && s <= a->beta);
    case DH_OP_RELU: return heaviside(s > 0);
    case DH_OP_RELU6: return heaviside(s > 0 && s < 6);
    case DH_OP_LEAKY_RELU: return s > 0 ? 1 : a->alpha;
    case DH_OP_THRESHOLDED_RELU: return heaviside(s > a->alpha);
    case DH_OP_ELU: return s > 0 ? 1 : s + a->alpha;
    case DH_OP_SELU: return s > 0 ? scale : s + limit;
    case DH_OP_SIGMOID: return s - s * s;
    case DH_OP_HARD_SIGMOID: return heaviside(s > 0 && s < 1) / 5;
    case DH_OP_SOFTPLUS: return 0 - expm1(0 - s);
    case DH_OP_SOFTSIGN: return pow(1 - fabs(s), 2);
    case DH_OP_GELU: return erfc(0 - s / sqrt(2)) / 2 + s * normal_density(s);
    case DH_OP_SILU: return 1 / (1 + exp(0 - s)) + s * pow(sech(s / 2) / 2, 2);
    case DH_OP_MISH: return tanh(softplus(s)) + s * pow(sech(softplus(s)), 2) / (1 + exp(0 - s));
    default: return NAN;
    }
}

static void run_unary_dx(const ref_call *c)
{
    ref_new(&c->out[0], c->in[0].ndim, c->in[0].shape);
    for (int64_t i = 0; i < c->in[0].count; i++)
        c->out[0].data[i] = c->in[0].data[i] * slope(c->attr, c->in[1].data[i]);
}

#define ENTRY(name)       \
    {                     \
#name, run_##name \
    }
const ref_entry ref_unary[] = {ENTRY(neg),
                               ENTRY(abs),
                               ENTRY(sign),
                               ENTRY(sqr),
                               ENTRY(sqrt),
                               ENTRY(rsqrt),
                               ENTRY(reciprocal),
                               ENTRY(exp),
                               ENTRY(expm1),
                               ENTRY(log),
                               ENTRY(log1p),
                               ENTRY(log2),
                               ENTRY(log10),
                               ENTRY(sin),
                               ENTRY(cos),
                               ENTRY(tan),
                               ENTRY(asin),
                               ENTRY(acos),
                               ENTRY(atan),
                               ENTRY(sinh),
                               ENTRY(cosh),
                               ENTRY(tanh),
                               ENTRY(erf),
                               ENTRY(floor),
                               ENTRY(ceil),
                               ENTRY(round),
                               ENTRY(trunc),
                               ENTRY(isnan),
                               ENTRY(isinf),
                               ENTRY(isfinite),
                               ENTRY(logical_not),
                               ENTRY(affine),
                               ENTRY(clamp),
                               ENTRY(relu),
                               ENTRY(relu6),
                               ENTRY(leaky_relu),
                               ENTRY(thresholded_relu),
                               ENTRY(elu),
                               ENTRY(selu),
                               ENTRY(sigmoid),
                               ENTRY(hard_sigmoid),
                               ENTRY(softplus),
                               ENTRY(softsign),
                               ENTRY(gelu),
                               ENTRY(silu),
                               ENTRY(mish),
                               ENTRY(unary_dx),
                               {0}};
