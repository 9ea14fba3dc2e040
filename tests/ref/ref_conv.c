/* SPDX-License-Identifier: MIT */
/* Convolutions by their definition: every pair of an element of x and one of y that a weight joins
 * is visited once. */
#include <math.h>

#include "ref.h"

typedef struct geometry {
    int64_t n, group, c, o; /* c, o: of a group */
    int64_t x[3], y[3], k[3], stride[3], dilation[3], pad[3];
} geometry;

static void lengths(int64_t out[3], const ref_tensor *t)
{
    for (int i = 0; i < 3; i++) out[i] = i < 5 - t->ndim ? 1 : t->shape[t->ndim - 3 + i];
}

static void numbers(int64_t out[3], const dh_ints *list, int ndim, int64_t dflt)
{
    for (int i = 0; i < 3; i++) out[i] = dflt;
    for (int i = 0; i < ndim && list->count; i++) out[3 - ndim + i] = list->v[i];
}

static geometry between(const dh_conv_attr *attr, const ref_tensor *x, const ref_tensor *w)
{
    geometry g = {.n = x->shape[0], .group = attr->group};
    int ndim = x->ndim - 2;
    int64_t end[3] = {0, 0, 0};
    g.c = w->shape[1];
    g.o = w->shape[0] / g.group;
    lengths(g.x, x);
    lengths(g.k, w);
    numbers(g.stride, &attr->strides, ndim, 1);
    numbers(g.dilation, &attr->dilations, ndim, 1);
    numbers(g.pad, &attr->pads, ndim, 0);
    for (int i = 0; i < ndim && attr->pads.count; i++) end[3 - ndim + i] = attr->pads.v[ndim + i];
    for (int i = 0; i < 3; i++) {
        int64_t reach = (g.k[i] - 1) * g.dilation[i] + 1;
        g.y[i] = (g.x[i] + g.pad[i] + end[i] - reach) / g.stride[i] + 1;
    }
    return g;
}

typedef void (*visit_fn)(double *x, double *w, double *y);

static void take_y(double *x, double *w, double *y)
{
    *y += *x * *w;
}
static void take_x(double *x, double *w, double *y)
{
    *x += *y * *w;
}
static void take_w(double *x, double *w, double *y)
{
    *w += *x * *y;
}

static int64_t index5(int64_t a, int64_t b, int64_t bs, const int64_t at[3], const int64_t size[3])
{
    return (((a * bs + b) * size[0] + at[0]) * size[1] + at[1]) * size[2] + at[2];
}

static void join(const geometry *g, int64_t n, int64_t o, int64_t c, const int64_t p[3], double *x,
                 double *w, double *y, visit_fn visit)
{
    int64_t k[3], at[3], group = o / g->o;
    for (k[0] = 0; k[0] < g->k[0]; k[0]++)
        for (k[1] = 0; k[1] < g->k[1]; k[1]++)
            for (k[2] = 0; k[2] < g->k[2]; k[2]++) {
                bool in = true;
                for (int i = 0; i < 3; i++) {
                    at[i] = p[i] * g->stride[i] + k[i] * g->dilation[i] - g->pad[i];
                    in = in && at[i] >= 0 && at[i] < g->x[i];
                }
                if (in)
                    visit(x + index5(n, group * g->c + c, g->group * g->c, at, g->x),
                          w + index5(o, c, g->c, k, g->k),
                          y + index5(n, o, g->group * g->o, p, g->y));
            }
}

static void all(const geometry *g, double *x, double *w, double *y, visit_fn visit)
{
    int64_t p[3];
    for (int64_t n = 0; n < g->n; n++)
        for (int64_t o = 0; o < g->group * g->o; o++)
            for (int64_t c = 0; c < g->c; c++)
                for (p[0] = 0; p[0] < g->y[0]; p[0]++)
                    for (p[1] = 0; p[1] < g->y[1]; p[1]++)
                        for (p[2] = 0; p[2] < g->y[2]; p[2]++) join(g, n, o, c, p, x, w, y, visit);
}

static void add_bias(const ref_call *c, int in_count)
{
    ref_tensor *y = &c->out[0];
    int64_t area = 1;
    if (in_count % 4 != 3) return;
    for (int i = 2; i < y->ndim; i++) area *= y->shape[i];
    for (int64_t i = 0; i < y->count; i++) y->data[i] += c->in[2].data[i / area % y->shape[1]];
}

/* gamma, beta, mean, var are the last four of more than three inputs */
static void normalise(const ref_call *c, int in_count, double epsilon)
{
    ref_tensor *y = &c->out[0];
    const ref_tensor *norm = &c->in[in_count - 4];
    int64_t area = 1;
    if (in_count < 4) return;
    for (int i = 2; i < y->ndim; i++) area *= y->shape[i];
    for (int64_t i = 0; i < y->count; i++) {
        int64_t k = i / area % y->shape[1];
        double rstd = 1 / sqrt(norm[3].data[k] + epsilon);
        y->data[i] = (y->data[i] - norm[2].data[k]) * rstd * norm[0].data[k] + norm[1].data[k];
    }
}

/* The largest of windows of 2x2, 2 apart. */
static void pool(ref_tensor *y)
{
    ref_tensor all = *y;
    int64_t shape[5] = {y->shape[0], y->shape[1], y->shape[2] / 2, y->shape[3] / 2}, at = 0;
    ref_new(y, 4, shape);
    for (int64_t plane = 0; plane < shape[0] * shape[1]; plane++)
        for (int64_t i = 0; i < shape[2]; i++)
            for (int64_t j = 0; j < shape[3]; j++, at++) {
                const double *from =
                    all.data + (plane * all.shape[2] + 2 * i) * all.shape[3] + 2 * j;
                double best = from[0];
                for (int k = 1; k < 4; k++) {
                    double v = from[k / 2 * all.shape[3] + k % 2];
                    if (v > best || v != v) best = v;
                }
                y->data[at] = best;
            }
    ref_free(&all);
}

static void conv(const ref_call *c)
{
    const ref_tensor *x = &c->in[0], *w = &c->in[1];
    geometry g = between(c->attr, x, w);
    int64_t shape[5] = {g.n, g.group * g.o};
    for (int i = 2; i < x->ndim; i++) shape[i] = g.y[i + 3 - x->ndim];
    ref_new(&c->out[0], x->ndim, shape);
    all(&g, x->data, w->data, c->out[0].data, take_y);
    const dh_conv_attr *attr = c->attr;
    int in_count = c->in_count - attr->add;
    add_bias(c, in_count);
    normalise(c, in_count, attr->epsilon);
    for (int64_t i = 0; i < c->out[0].count && attr->add; i++)
        c->out[0].data[i] += c->in[in_count].data[i];
    for (int64_t i = 0; i < c->out[0].count; i++)
        c->out[0].data[i] = ref_act(attr->act, attr->alpha, c->out[0].data[i]);
    if (attr->pool) pool(&c->out[0]);
}

static void conv_dx(const ref_call *c)
{
    const ref_tensor *dy = &c->in[0], *w = &c->in[1], *like = &c->in[2];
    geometry g = between(c->attr, like, w);
    ref_new(&c->out[0], like->ndim, like->shape);
    all(&g, c->out[0].data, w->data, dy->data, take_x);
}

static void conv_dw(const ref_call *c)
{
    const ref_tensor *x = &c->in[0], *dy = &c->in[1], *like = &c->in[2];
    geometry g = between(c->attr, x, like);
    ref_new(&c->out[0], like->ndim, like->shape);
    all(&g, x->data, c->out[0].data, dy->data, take_w);
}

static void conv_transpose(const ref_call *c)
{
    const dh_conv_attr *attr = c->attr;
    const ref_tensor *x = &c->in[0], *w = &c->in[1];
    int ndim = x->ndim - 2;
    int64_t shape[5] = {x->shape[0], w->shape[1] * attr->group};
    for (int i = 0; i < ndim; i++) {
        int64_t s = attr->strides.count ? attr->strides.v[i] : 1;
        int64_t d = attr->dilations.count ? attr->dilations.v[i] : 1;
        int64_t pads = attr->pads.count ? attr->pads.v[i] + attr->pads.v[ndim + i] : 0;
        int64_t more = attr->output_padding.count ? attr->output_padding.v[i] : 0;
        shape[2 + i] = (x->shape[2 + i] - 1) * s + (w->shape[2 + i] - 1) * d + 1 - pads + more;
    }
    ref_new(&c->out[0], x->ndim, shape);
    geometry g = between(attr, &c->out[0], w);
    all(&g, c->out[0].data, w->data, x->data, take_x);
    add_bias(c, c->in_count);
}

const ref_entry ref_conv[] = {{"conv", conv},
                              {"conv_dx", conv_dx},
                              {"conv_dw", conv_dw},
                              {"conv_transpose", conv_transpose},
                              {0}};
