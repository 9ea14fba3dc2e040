/* SPDX-License-Identifier: MIT */
/* Convolution and its gradients plainly: each element of the result is summed in double, over any
 * strides and for any dtype. */
#include "conv_sides.h"
#include "cpu.h"
#include "element.h"
#include "team.h"

/* --- sums --- */

typedef struct job {
    const dh_call *call;
    dh__conv_sides s;
    int64_t large_stride[3], small_stride[3], weight_stride[3];
} job;

static double value(const job *j, const char *base, int64_t offset)
{
    return dh__load(j->s.large.dtype, base + offset * j->s.size);
}

static int64_t dot(const int64_t a[3], const int64_t b[3])
{
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static void unravel(int64_t at[3], int64_t index, const int64_t shape[3])
{
    for (int i = 2; i >= 0; i--) {
        at[i] = index % shape[i];
        index /= shape[i];
    }
}

static const char *weight_at(const job *j, int64_t out, int64_t in)
{
    const dh_view *v = &j->s.weight;
    return (const char *)v->data + (out * v->stride[0] + in * v->stride[1]) * j->s.size;
}

static double start(const job *j, int64_t channel)
{
    const dh_view *bias = j->s.norm ? NULL : j->s.bias;
    return bias ? value(j, bias->data, channel * bias->stride[0]) : 0;
}

/* Where element k of the window at a position lies; false if that is outside. */
static bool place(const dh__windows *w, const int64_t position[3], const int64_t k[3],
                  int64_t at[3])
{
    bool in = true;
    for (int i = 0; i < 3; i++) {
        at[i] = position[i] * w->stride[i] + k[i] * w->dilation[i] - w->begin[i];
        in &= at[i] >= 0 && at[i] < w->in[i];
    }
    return in;
}

/* Element e of a plane of the small side that has its sum. */
static double finished(const job *j, double sum, int64_t n, int64_t channel, int64_t e)
{
    if (j->s.norm) sum = sum * dh__conv_scale(&j->s, channel) + dh__conv_shift(&j->s, channel);
    if (j->s.add)
        sum += dh__get(j->s.add,
                       (n * j->s.add->shape[1] + channel) * dh__windows_positions(&j->s.c.w) + e);
    return dh__act_of(j->s.act, j->s.act_alpha, sum);
}

static double sum_small(const job *j, int64_t n, int64_t channel, const int64_t position[3])
{
    const dh__conv *c = &j->s.c;
    int64_t group = channel / c->out_channels, k[3], at[3], window = dh__windows_elements(&c->w);
    double sum = start(j, channel);
    for (int64_t q = 0; q < c->in_channels; q++) {
        const char *image = dh__conv_plane(&j->s, &j->s.large, n, group * c->in_channels + q);
        const char *weight = weight_at(j, channel, q);
        for (int64_t e = 0; e < window; e++) {
            unravel(k, e, c->w.size);
            if (place(&c->w, position, k, at))
                sum += value(j, image, dot(at, j->large_stride)) *
                       value(j, weight, dot(k, j->weight_stride));
        }
    }
    return sum;
}

/* Element e of a plane of conv's result, at position at. */
static double result(const job *j, int64_t n, int64_t channel, int64_t e, const int64_t at[3])
{
    if (!j->s.pool) return finished(j, sum_small(j, n, channel, at), n, channel, e);
    double best = -INFINITY;
    for (int i = 0; i < 4; i++) {
        const int64_t position[3] = {0, 2 * at[1] + i / 2, 2 * at[2] + i % 2};
        double y = finished(j, sum_small(j, n, channel, position), n, channel, e);
        if (y > best || y != y) best = y;
    }
    return best;
}

/* The position whose window has its element k at `at`; false if there is none. */
static bool position_of(const dh__windows *w, const int64_t at[3], const int64_t k[3],
                        int64_t position[3])
{
    bool is = true;
    for (int i = 0; i < 3; i++) {
        int64_t from = at[i] + w->begin[i] - k[i] * w->dilation[i];
        position[i] = from / w->stride[i];
        is &= from >= 0 && from % w->stride[i] == 0 && position[i] < w->out[i];
    }
    return is;
}

static double sum_large(const job *j, int64_t n, int64_t channel, const int64_t at[3])
{
    const dh__conv *c = &j->s.c;
    int64_t group = channel / c->in_channels, k[3], p[3], window = dh__windows_elements(&c->w);
    double sum = start(j, channel);
    for (int64_t q = 0; q < c->out_channels; q++) {
        int64_t out = group * c->out_channels + q;
        const char *small = dh__conv_plane(&j->s, &j->s.small, n, out);
        const char *weight = weight_at(j, out, channel % c->in_channels);
        for (int64_t e = 0; e < window; e++) {
            unravel(k, e, c->w.size);
            if (position_of(&c->w, at, k, p))
                sum += value(j, small, dot(p, j->small_stride)) *
                       value(j, weight, dot(k, j->weight_stride));
        }
    }
    return sum;
}

static double sum_weight(const job *j, int64_t out, int64_t in, const int64_t k[3])
{
    const dh__conv *c = &j->s.c;
    int64_t p[3], at[3], positions = dh__windows_positions(&c->w);
    double sum = 0;
    for (int64_t n = 0; n < c->n; n++) {
        const char *small = dh__conv_plane(&j->s, &j->s.small, n, out);
        const char *image =
            dh__conv_plane(&j->s, &j->s.large, n, out / c->out_channels * c->in_channels + in);
        for (int64_t e = 0; e < positions; e++) {
            unravel(p, e, c->w.out);
            if (place(&c->w, p, k, at))
                sum += value(j, image, dot(at, j->large_stride)) *
                       value(j, small, dot(p, j->small_stride));
        }
    }
    return sum;
}

static void make_planes(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const dh_view *y = &j->call->out[0];
    int64_t shape[3], at[3];
    dh__spatial(shape, y);
    int64_t area = shape[0] * shape[1] * shape[2];
    for (int64_t i = begin; i < end; i++) {
        int64_t row = i / y->shape[1], column = i % y->shape[1];
        for (int64_t e = 0; e < area; e++) {
            unravel(at, e, shape);
            double sum = j->call->op == &dh_op_conv      ? result(j, row, column, e, at)
                         : j->call->op == &dh_op_conv_dw ? sum_weight(j, row, column, at)
                                                         : sum_large(j, row, column, at);
            dh__put(y, i * area + e, sum);
        }
    }
}

static dh_status run_plain(const dh_call *call)
{
    job j = {.call = call, .s = dh__conv_sides_of(call)};
    const dh_view *y = &call->out[0];
    dh__spatial_strides(j.large_stride, &j.s.large);
    dh__spatial_strides(j.small_stride, &j.s.small);
    dh__spatial_strides(j.weight_stride, &j.s.weight);
    if (dh__view_count(y)) dh__team_ranges(y->shape[0] * y->shape[1], 1, make_planes, &j);
    return DH_OK;
}

const dh_impl dh__conv_plain = {.name = "plain", .run = run_plain};
