/* SPDX-License-Identifier: MIT */
/* Resizing by its definition: the weight of each element of x in each of y, a product over axes. */
#include <math.h>

#include "ref.h"

static double clip(double v, double high)
{
    return fmin(fmax(v, 0), high);
}

/* Weight of element i of an axis of x in element o of y's. */
static double weight(const dh_resize_attr *a, int64_t in, int64_t out, int64_t o, int64_t i)
{
    double n = (double)in, m = (double)out, at;
    if (a->mode == 0 && a->coordinates == 0)
        at = floor(((double)o + 0.5) * n / m);
    else if (a->mode == 0 && a->coordinates == 1)
        at = floor((double)o * n / m);
    else {
        at = a->coordinates == 0   ? ((double)o + 0.5) * n / m - 0.5
             : a->coordinates == 1 ? (double)o * n / m
             : out > 1             ? (double)o * (n - 1) / (m - 1)
                                   : 0;
        at = clip(at, n - 1);
        if (a->mode == 0) at = floor(at + 0.5);
    }
    return fmax(0, 1 - fabs(at - (double)i));
}

static double joint(const ref_call *c, const ref_tensor *x, const ref_tensor *y, int64_t i,
                    int64_t o)
{
    double w = 1;
    for (int a = x->ndim - 1; a >= 2; a--) {
        w *= weight(c->attr, x->shape[a], y->shape[a], o % y->shape[a], i % x->shape[a]);
        i /= x->shape[a];
        o /= y->shape[a];
    }
    return w;
}

static int64_t area(const ref_tensor *t)
{
    int64_t n = 1;
    for (int a = 2; a < t->ndim; a++) n *= t->shape[a];
    return n;
}

static void resize(const ref_call *c)
{
    const ref_tensor *x = &c->in[0];
    ref_tensor *y = &c->out[0];
    int64_t shape[5] = {x->shape[0], x->shape[1]};
    for (int a = 2; a < x->ndim; a++) shape[a] = ((const dh_resize_attr *)c->attr)->sizes.v[a - 2];
    ref_new(y, x->ndim, shape);
    int64_t n = area(x), m = area(y);
    for (int64_t o = 0; o < y->count; o++)
        for (int64_t i = 0; i < n; i++) {
            double w = joint(c, x, y, i, o % m);
            if (w > 0) y->data[o] += w * x->data[o / m * n + i];
        }
}

static void resize_dx(const ref_call *c)
{
    const ref_tensor *dy = &c->in[0], *x = &c->in[1];
    ref_new(&c->out[0], x->ndim, x->shape);
    int64_t n = area(x), m = area(dy);
    for (int64_t o = 0; o < dy->count; o++)
        for (int64_t i = 0; i < n; i++)
            c->out[0].data[o / m * n + i] += joint(c, x, dy, i, o % m) * dy->data[o];
}

const ref_entry ref_resize[] = {{"resize", resize}, {"resize_dx", resize_dx}, {0}};
