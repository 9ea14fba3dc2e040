/* SPDX-License-Identifier: MIT */
/* Elementwise functions of two and three inputs; broadcasting by NumPy's rule, index by index. */
#include <math.h>

#include "ref.h"

/* The element of t that meets the flat-th element of a result of this shape. */
static double meet(const ref_tensor *t, const ref_tensor *out, int64_t flat)
{
    int64_t at = 0, step = 1;
    for (int a = out->ndim - 1, own = t->ndim - 1; own >= 0; a--, own--) {
        int64_t index = flat % out->shape[a];
        flat /= out->shape[a];
        if (t->shape[own] > 1) at += index * step;
        step *= t->shape[own];
    }
    return t->data[at];
}

static void make_result(const ref_call *c)
{
    int64_t shape[DH_MAX_NDIM];
    int ndim = 0;
    for (int i = 0; i < c->in_count; i++)
        if (c->in[i].ndim > ndim) ndim = c->in[i].ndim;
    for (int a = 0; a < ndim; a++) {
        shape[a] = 1;
        for (int i = 0; i < c->in_count; i++) {
            int own = a - ndim + c->in[i].ndim;
            if (own >= 0 && c->in[i].shape[own] != 1) shape[a] = c->in[i].shape[own];
        }
    }
    ref_new(&c->out[0], ndim, shape);
}

#define BINARY(name, expression)                        \
    static void run_##name(const ref_call *c)           \
    {                                                   \
        make_result(c);                                 \
        for (int64_t i = 0; i < c->out[0].count; i++) { \
            double a = meet(&c->in[0], &c->out[0], i);  \
            double b = meet(&c->in[1], &c->out[0], i);  \
            c->out[0].data[i] = (expression);           \
        }                                               \
    }

BINARY(add, b + a)
BINARY(sub, a - b)
BINARY(mul, b *a)
BINARY(div, a / b)
BINARY(pow, pow(a, b))
BINARY(maximum, isnan(a) || isnan(b) ? NAN : fmax(a, b))
BINARY(minimum, isnan(a) || isnan(b) ? NAN : fmin(a, b))
BINARY(mod, a - trunc(a / b) * b)
BINARY(remainder, a - floor(a / b) * b)
BINARY(atan2, atan2(a, b))
BINARY(equal, a == b ? 1 : 0)
BINARY(not_equal, a == b ? 0 : 1)
BINARY(greater, b < a ? 1 : 0)
BINARY(greater_equal, b <= a ? 1 : 0)
BINARY(less, b > a ? 1 : 0)
BINARY(less_equal, b >= a ? 1 : 0)
BINARY(logical_and, a == 0 || b == 0 ? 0 : 1)
BINARY(logical_or, a == 0 && b == 0 ? 0 : 1)
BINARY(logical_xor, (a == 0) == (b == 0) ? 0 : 1)

static void run_where(const ref_call *c)
{
    make_result(c);
    for (int64_t i = 0; i < c->out[0].count; i++)
        c->out[0].data[i] =
            meet(&c->in[meet(&c->in[0], &c->out[0], i) != 0 ? 1 : 2], &c->out[0], i);
}

/* The driver rounds the result to the dtype that a cast gives. */
static void run_copy(const ref_call *c)
{
    make_result(c);
    for (int64_t i = 0; i < c->out[0].count; i++) c->out[0].data[i] = c->in[0].data[i];
}

#define ENTRY(name)       \
    {                     \
#name, run_##name \
    }
const ref_entry ref_binary[] = {ENTRY(add),
                                ENTRY(sub),
                                ENTRY(mul),
                                ENTRY(div),
                                ENTRY(pow),
                                ENTRY(maximum),
                                ENTRY(minimum),
                                ENTRY(mod),
                                ENTRY(remainder),
                                ENTRY(atan2),
                                ENTRY(equal),
                                ENTRY(not_equal),
                                ENTRY(greater),
                                ENTRY(greater_equal),
                                ENTRY(less),
                                ENTRY(less_equal),
                                ENTRY(logical_and),
                                ENTRY(logical_or),
                                ENTRY(logical_xor),
                                ENTRY(where),
                                ENTRY(copy),
                                {"detach", run_copy},
                                {"all_sum", run_copy}, /* of one replica */
                                {"cast", run_copy},
                                {0}};
