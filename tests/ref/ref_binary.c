/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "ref.h"

/* Common shape of all inputs, by NumPy's rule. */
static void common(const ref_call *c, int *ndim, int64_t *shape)
{
    *ndim = 0;
    for (int k = 0; k < c->in_count; k++)
        if (c->in[k].ndim > *ndim) *ndim = c->in[k].ndim;
    for (int a = 0; a < *ndim; a++) {
        shape[a] = 1;
        for (int k = 0; k < c->in_count; k++) {
            int own = a - (*ndim - c->in[k].ndim);
            if (own >= 0 && c->in[k].shape[own] != 1) shape[a] = c->in[k].shape[own];
        }
    }
}

/* Element of x that meets element i of the output. */
static double met(const ref_tensor *x, int64_t i, int ndim, const int64_t *shape)
{
    int64_t at = 0, step = 1;
    for (int a = ndim - 1; a >= 0; a--) {
        int64_t index = i % shape[a];
        int own = a - (ndim - x->ndim);
        i /= shape[a];
        if (own < 0) continue;
        if (x->shape[own] != 1) at += index * step;
        step *= x->shape[own];
    }
    return x->data[at];
}

static void each(const ref_call *c, double (*f)(double a, double b))
{
    int ndim;
    int64_t shape[DH_MAX_NDIM];
    common(c, &ndim, shape);
    ref_new(&c->out[0], ndim, shape);
    for (int64_t i = 0; i < c->out[0].count; i++)
        c->out[0].data[i] = f(met(&c->in[0], i, ndim, shape), met(&c->in[1], i, ndim, shape));
}

#define REF(name, expr)                                                                            \
    static double f_##name(double a, double b)                                                     \
    {                                                                                              \
        return expr;                                                                               \
    }                                                                                              \
    static void run_##name(const ref_call *c)                                                      \
    {                                                                                              \
        each(c, f_##name);                                                                         \
    }

REF(add, a + b)
REF(sub, a - b)
REF(mul, a *b)
REF(div, a / b)
REF(pow, pow(a, b))
REF(maximum, a != a ? a : b != b ? b : a > b ? a : b)
REF(minimum, a != a ? a : b != b ? b : a < b ? a : b)
REF(mod, a - b * trunc(a / b))
REF(remainder, a - b * floor(a / b))
REF(atan2, atan2(a, b))
REF(equal, a == b)
REF(not_equal, !(a == b))
REF(greater, a > b)
REF(greater_equal, a >= b)
REF(less, a < b)
REF(less_equal, a <= b)
REF(logical_and, a != 0 && b != 0)
REF(logical_or, a != 0 || b != 0)
REF(logical_xor, (a != 0) != (b != 0))

static void run_where(const ref_call *c)
{
    int ndim;
    int64_t shape[DH_MAX_NDIM];
    common(c, &ndim, shape);
    ref_new(&c->out[0], ndim, shape);
    for (int64_t i = 0; i < c->out[0].count; i++) {
        const ref_tensor *from = met(&c->in[0], i, ndim, shape) != 0 ? &c->in[1] : &c->in[2];
        c->out[0].data[i] = met(from, i, ndim, shape);
    }
}

static void run_copy(const ref_call *c)
{
    ref_new(&c->out[0], c->in[0].ndim, c->in[0].shape);
    for (int64_t i = 0; i < c->in[0].count; i++) c->out[0].data[i] = c->in[0].data[i];
}

/* To integers towards zero, to bool by "is not 0"; values of the cases fit their dtype. */
static void run_cast(const ref_call *c)
{
    int dtype = ((const dh_cast_attr *)c->attr)->dtype;
    run_copy(c);
    for (int64_t i = 0; i < c->in[0].count; i++) {
        double *y = &c->out[0].data[i];
        if (dtype == DH_BOOL)
            *y = *y != 0;
        else if (dtype >= DH_I8)
            *y = trunc(*y);
    }
}

#define ROW(name) {#name, run_##name},
const ref_entry ref_binary[] = {
    ROW(add) ROW(sub) ROW(mul) ROW(div) ROW(pow) ROW(maximum) ROW(minimum) ROW(mod) ROW(remainder)
    ROW(atan2) ROW(equal) ROW(not_equal) ROW(greater) ROW(greater_equal) ROW(less) ROW(less_equal)
    ROW(logical_and) ROW(logical_or) ROW(logical_xor) ROW(where) ROW(cast) ROW(copy) {0}};
