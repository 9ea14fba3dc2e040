/* SPDX-License-Identifier: MIT */
/* Pooling by its definition: a window is asked of each element of its axis whether it is inside. */
#include <math.h>

#include "ref.h"

typedef struct axis {
    int64_t in, out, size, stride, dilation, begin, end;
    bool adaptive;
} axis;

static axis axis_of(const dh_pool_attr *a, const ref_tensor *x, int i)
{
    int n = x->ndim - 2;
    axis d = {.in = x->shape[2 + i], .size = 1, .stride = 1, .dilation = 1};
    if (a->bins.count) {
        d.adaptive = true;
        d.out = a->bins.v[i];
        return d;
    }
    d.size = a->kernel_shape.v[i];
    if (a->strides.count) d.stride = a->strides.v[i];
    if (a->dilations.count) d.dilation = a->dilations.v[i];
    if (a->pads.count) {
        d.begin = a->pads.v[i];
        d.end = a->pads.v[n + i];
    }
    double room = (double)(d.in + d.begin + d.end - (d.size - 1) * d.dilation - 1);
    d.out = (int64_t)floor(room / (double)d.stride) + 1;
    if (a->ceil_mode) {
        d.out = (int64_t)ceil(room / (double)d.stride) + 1;
        while ((d.out - 1) * d.stride >= d.in + d.begin) d.out--;
    }
    return d;
}

/* Whether window `out` has the element at `in`, which may lie in the padding. */
static bool covers(const axis *d, int64_t out, int64_t in)
{
    if (d->adaptive) {
        double low = floor((double)(out * d->in) / (double)d->out);
        double high = ceil((double)((out + 1) * d->in) / (double)d->out);
        return (double)in >= low && (double)in < high;
    }
    for (int64_t k = 0; k < d->size; k++)
        if (out * d->stride - d->begin + k * d->dilation == in) return true;
    return false;
}

static int64_t covered(const axis *d, int64_t out, bool pads)
{
    int64_t n = 0;
    for (int64_t i = pads ? -d->begin : 0; i < d->in + (pads ? d->end : 0); i++)
        n += covers(d, out, i);
    return n;
}

typedef struct pooling {
    axis d[3];
    int ndim;
    int64_t planes, x_area, y_area;
    const dh_pool_attr *attr;
} pooling;

static pooling pooling_of(const dh_pool_attr *attr, const ref_tensor *x)
{
    pooling p = {.ndim = x->ndim - 2,
                 .planes = x->shape[0] * x->shape[1],
                 .x_area = 1,
                 .y_area = 1,
                 .attr = attr};
    for (int i = 0; i < p.ndim; i++) {
        p.d[i] = axis_of(attr, x, i);
        p.x_area *= p.d[i].in;
        p.y_area *= p.d[i].out;
    }
    return p;
}

static bool joined(const pooling *p, int64_t y, int64_t x)
{
    for (int i = p->ndim - 1; i >= 0; i--) {
        if (!covers(&p->d[i], y % p->d[i].out, x % p->d[i].in)) return false;
        y /= p->d[i].out;
        x /= p->d[i].in;
    }
    return true;
}

static double divisor(const pooling *p, int64_t y)
{
    double n = 1;
    for (int i = p->ndim - 1; i >= 0; i--) {
        n *= (double)covered(&p->d[i], y % p->d[i].out, p->attr->count_include_pad);
        y /= p->d[i].out;
    }
    return n;
}

static void new_pooled(const ref_call *c, const pooling *p)
{
    int64_t shape[5] = {c->in[0].shape[0], c->in[0].shape[1]};
    for (int i = 0; i < p->ndim; i++) shape[2 + i] = p->d[i].out;
    ref_new(&c->out[0], c->in[0].ndim, shape);
}

/* The first of the largest elements of window y in a plane; -1 if it has none. */
static int64_t largest(const pooling *p, const double *x, int64_t y)
{
    int64_t best = -1;
    for (int64_t i = 0; i < p->x_area; i++) {
        if (!joined(p, y, i)) continue;
        if (best < 0 || x[i] > x[best] || (isnan(x[i]) && !isnan(x[best]))) best = i;
    }
    return best;
}

static void max_pool(const ref_call *c)
{
    pooling p = pooling_of(c->attr, &c->in[0]);
    new_pooled(c, &p);
    for (int64_t n = 0; n < p.planes; n++)
        for (int64_t y = 0; y < p.y_area; y++) {
            const double *x = c->in[0].data + n * p.x_area;
            int64_t best = largest(&p, x, y);
            c->out[0].data[n * p.y_area + y] = best < 0 ? -INFINITY : x[best];
        }
}

static void max_pool_dx(const ref_call *c)
{
    pooling p = pooling_of(c->attr, &c->in[1]);
    ref_new(&c->out[0], c->in[1].ndim, c->in[1].shape);
    for (int64_t n = 0; n < p.planes; n++)
        for (int64_t y = 0; y < p.y_area; y++) {
            int64_t best = largest(&p, c->in[1].data + n * p.x_area, y);
            if (best >= 0) c->out[0].data[n * p.x_area + best] += c->in[0].data[n * p.y_area + y];
        }
}

static void avg_pool(const ref_call *c)
{
    pooling p = pooling_of(c->attr, &c->in[0]);
    new_pooled(c, &p);
    for (int64_t n = 0; n < p.planes; n++)
        for (int64_t y = 0; y < p.y_area; y++) {
            double sum = 0, count = divisor(&p, y);
            for (int64_t i = 0; i < p.x_area; i++)
                if (joined(&p, y, i)) sum += c->in[0].data[n * p.x_area + i];
            c->out[0].data[n * p.y_area + y] = count > 0 ? sum / count : 0;
        }
}

static void avg_pool_dx(const ref_call *c)
{
    pooling p = pooling_of(c->attr, &c->in[1]);
    ref_new(&c->out[0], c->in[1].ndim, c->in[1].shape);
    for (int64_t n = 0; n < p.planes; n++)
        for (int64_t y = 0; y < p.y_area; y++) {
            double count = divisor(&p, y);
            for (int64_t i = 0; i < p.x_area; i++)
                if (joined(&p, y, i) && count > 0)
                    c->out[0].data[n * p.x_area + i] += c->in[0].data[n * p.y_area + y] / count;
        }
}

const ref_entry ref_pool[] = {{"max_pool", max_pool},
                              {"max_pool_dx", max_pool_dx},
                              {"avg_pool", avg_pool},
                              {"avg_pool_dx", avg_pool_dx},
                              {0}};
