/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "ref.h"

static void each(const ref_call *c, double (*f)(double x, const void *attr))
{
    ref_new(&c->out[0], c->in[0].ndim, c->in[0].shape);
    for (int64_t i = 0; i < c->in[0].count; i++) c->out[0].data[i] = f(c->in[0].data[i], c->attr);
}

static double alpha_of(const void *attr)
{
    return ((const dh_act_attr *)attr)->alpha;
}

#define REF(name, expr)                                                                            \
    static double f_##name(double x, const void *attr)                                             \
    {                                                                                              \
        (void)attr;                                                                                \
        return expr;                                                                               \
    }                                                                                              \
    static void run_##name(const ref_call *c)                                                      \
    {                                                                                              \
        each(c, f_##name);                                                                         \
    }

static double logistic(double x)
{
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

static double log_one_plus_exp(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static double half_even(double x)
{
    double low = floor(x), rest = x - low;
    if (rest != 0.5) return rest < 0.5 ? low : low + 1;
    return fmod(low, 2) == 0 ? low : low + 1;
}

static double between(double x, double low, double high)
{
    if (x != x) return x;
    return x < low ? low : x > high ? high : x;
}

REF(neg, -x)
REF(abs, x < 0 ? -x : x == 0 ? 0.0 : x)
REF(sign, x > 0 ? 1.0 : x < 0 ? -1.0 : x)
REF(sqr, x *x)
REF(sqrt, sqrt(x))
REF(rsqrt, 1 / sqrt(x))
REF(reciprocal, 1 / x)
REF(exp, exp(x))
REF(expm1, expm1(x))
REF(log, log(x))
REF(log1p, log1p(x))
REF(log2, log(x) / log(2))
REF(log10, log(x) / log(10))
REF(sin, sin(x))
REF(cos, cos(x))
REF(tan, sin(x) / cos(x))
REF(asin, asin(x))
REF(acos, acos(x))
REF(atan, atan(x))
REF(sinh, sinh(x))
REF(cosh, cosh(x))
REF(tanh, tanh(x))
REF(erf, erf(x))
REF(floor, floor(x))
REF(ceil, ceil(x))
REF(round, x != x || isinf(x) ? x : half_even(x))
REF(trunc, x < 0 ? ceil(x) : floor(x))
REF(isnan, x != x)
REF(isinf, x == INFINITY || x == -INFINITY)
REF(isfinite, x == x && x != INFINITY && x != -INFINITY)
REF(logical_not, x == 0)
REF(affine, ((const dh_affine_attr *)attr)->alpha *x + ((const dh_affine_attr *)attr)->beta)
REF(clamp, between(x, ((const dh_clamp_attr *)attr)->min, ((const dh_clamp_attr *)attr)->max))
REF(relu, x != x ? x : x > 0 ? x : 0.0)
REF(leaky_relu, x > 0 ? x : alpha_of(attr) * x)
REF(thresholded_relu, x != x ? x : x > alpha_of(attr) ? x : 0.0)
REF(elu, x > 0 ? x : alpha_of(attr) * (exp(x) - 1))
REF(selu, 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * (exp(x) - 1)))
REF(sigmoid, logistic(x))
REF(hard_sigmoid, between(0.2 * x + 0.5, 0, 1))
REF(softplus, x != x ? x : log_one_plus_exp(x))
REF(softsign, x / (1 + fabs(x)))
REF(gelu, x *erfc(-x / sqrt(2)) / 2)
REF(silu, x *logistic(x))
REF(mish, x *tanh(log_one_plus_exp(x)))

/* dy times the derivative of f at s, written out for the ops that cases name. */
static void run_unary_dx(const ref_call *c)
{
    const dh_unary_dx_attr *a = c->attr;
    ref_new(&c->out[0], c->in[0].ndim, c->in[0].shape);
    for (int64_t i = 0; i < c->in[0].count; i++) {
        double dy = c->in[0].data[i], s = c->in[1].data[i], d = NAN;
        if (a->op == DH_OP_RELU) d = s > 0;
        if (a->op == DH_OP_LEAKY_RELU) d = s > 0 ? 1 : a->alpha;
        if (a->op == DH_OP_TANH) d = 1 - s * s;
        if (a->op == DH_OP_SIGMOID) d = s * (1 - s);
        if (a->op == DH_OP_SQR) d = 2 * s;
        c->out[0].data[i] = dy * d;
    }
}

#define ROW(name) {#name, run_##name},
const ref_entry ref_unary[] = {
    ROW(neg) ROW(abs) ROW(sign) ROW(sqr) ROW(sqrt) ROW(rsqrt) ROW(reciprocal) ROW(exp) ROW(expm1)
    ROW(log) ROW(log1p) ROW(log2) ROW(log10) ROW(sin) ROW(cos) ROW(tan) ROW(asin) ROW(acos) ROW(atan)
    ROW(sinh) ROW(cosh) ROW(tanh) ROW(erf) ROW(floor) ROW(ceil) ROW(round) ROW(trunc) ROW(isnan)
    ROW(isinf) ROW(isfinite) ROW(logical_not) ROW(affine) ROW(clamp) ROW(relu) ROW(leaky_relu)
    ROW(thresholded_relu) ROW(elu) ROW(selu) ROW(sigmoid) ROW(hard_sigmoid) ROW(softplus)
    ROW(softsign) ROW(gelu) ROW(silu) ROW(mish) ROW(unary_dx) {0}};
