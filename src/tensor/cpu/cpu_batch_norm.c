/* SPDX-License-Identifier: MIT */
/* Batch normalisation of x as [outer, channels, inner]. With inner 1 (dense features) the channels
 * are dense neighbours and are taken by columns, else each [inner] is a row of one channel. */
#include <math.h>
#include <string.h>

#include "cpu.h"
#include "element.h"
#include "norm_table.h"
#include "stream.h"
#include "team.h"

#define PIECE          32768 /* elements whose sums are one partial result, about */
#define CHANNEL_BYTES  1e6   /* of all it reads and writes: it stays in L2 */
#define CHANNELS_LEAST 16    /* groups of channels are tasks */
#define GROUP          16
#define RUN            4096 /* elements that lie one after the other */
#define BUFFER         ((int64_t)(DH_STREAM_PIECE / sizeof(float)))

typedef struct batch {
    const dh_view *dy, *x, *mean, *var, *gamma, *beta;
    const dh_view *add; /* of the shape of x, or NULL */
    const dh_view *y;   /* backward through the activation: its result */
    const dh_view *out, *dgamma, *dbeta;
    bool frozen;  /* dx with mean and variance given */
    bool streams; /* rows of y past the cache */
    const dh__norm_kernels *kernels;
    int64_t outer, channels, inner;
    double epsilon, count; /* count: elements of a channel */
    int64_t piece, pieces; /* of the outer range */
    int64_t terms;         /* sums of a channel: 2 forward, 3 backward */
    int64_t group;         /* channels of a task that does all passes */
    dh__act act;           /* that follows, or that dy comes through first */
    double act_alpha;
    double *sums;               /* [pieces][terms][channels]; joined in [0] */
    float *m, *k, *b, *m0, *m1; /* [channels] each: what the last pass applies */
} batch;

static batch batch_of(const dh_call *call)
{
    const dh_norm_attr *attr = call->attr;
    bool dx = call->op == &dh_op_batch_norm_dx || call->op == &dh_op_batch_norm_frozen_dx;
    bool train = call->op == &dh_op_batch_norm_train;
    batch n = {
        .x = &call->in[dx], .out = &call->out[0], .epsilon = attr->epsilon, .outer = 1, .inner = 1};
    bool gated = dx && attr->gate != DH_ACT_NONE;
    bool add = !dx && attr->add;
    bool affine = call->in_count - gated - add == (train ? 3 : 5);
    if (dx) {
        n.frozen = call->op == &dh_op_batch_norm_frozen_dx;
        n.dy = &call->in[0];
        n.mean = &call->in[2];
        n.var = &call->in[3];
        n.gamma = affine ? &call->in[4] : NULL;
        n.y = gated ? &call->in[call->in_count - 1] : NULL;
        n.dgamma = &call->out[1];
        n.dbeta = &call->out[2];
    } else {
        n.gamma = affine ? &call->in[1] : NULL;
        n.beta = affine ? &call->in[2] : NULL;
        n.mean = train ? &call->out[1] : &call->in[affine ? 3 : 1];
        n.var = train ? &call->out[2] : &call->in[affine ? 4 : 2];
    }
    if (add) n.add = &call->in[call->in_count - 1];
    int axis = attr->axis < 0 ? attr->axis + n.x->ndim : attr->axis;
    for (int a = 0; a < n.x->ndim; a++)
        if (a != axis) *(a < axis ? &n.outer : &n.inner) *= n.x->shape[a];
    n.channels = n.x->shape[axis];
    n.count = (double)n.outer * (double)n.inner;
    int64_t width = n.inner > 1 ? n.inner : n.channels < DH_NN_WIDTH ? n.channels : DH_NN_WIDTH;
    n.piece = PIECE / (width ? width : 1);
    if (n.piece < 1) n.piece = 1;
    n.pieces = (n.outer + n.piece - 1) / n.piece;
    if (n.pieces < 1) n.pieces = 1;
    n.act = (dh__act)(dx ? attr->gate : attr->act);
    n.act_alpha = attr->alpha;
    n.kernels = dh__norm_table();
    n.terms = dx ? 3 : 2;
    n.streams = !dx && n.inner > 1 && n.out->data != n.x->data &&
                dh__streams(n.count * (double)n.channels * sizeof(float));
    n.sums = call->scratch;
    n.m = (float *)(n.sums + n.terms * n.pieces * n.channels);
    n.k = n.m + n.channels;
    n.b = n.k + n.channels;
    n.m0 = n.b + n.channels;
    n.m1 = n.m0 + n.channels;
    return n;
}

static size_t packed_scratch(const dh_call *call)
{
    batch n = batch_of(call);
    return (size_t)n.channels * ((size_t)(n.terms * n.pieces) * sizeof(double) + 5 * sizeof(float));
}

static const char *refuse_unless_packed(const dh_call *call)
{
    return dh__all_packed_f32(call) ? NULL : "takes contiguous f32 only";
}

static const float *floats(const dh_view *view)
{
    return view ? view->data : NULL;
}

static dh__gate gate_at(const batch *n, int64_t at)
{
    return (dh__gate){.y = n->y ? floats(n->y) + at : NULL,
                      .slope = n->act == DH_ACT_LEAKY_RELU ? (float)n->act_alpha : 0,
                      .top = n->act == DH_ACT_RELU6 ? 6 : NAN};
}

static int64_t column_blocks(const batch *n)
{
    return (n->channels + DH_NN_WIDTH - 1) / DH_NN_WIDTH;
}

/* --- sums per channel: x - m, (x - m)^2 forward, m a first guess at the mean; dy, dy (x - mean),
 * x - mean backward
 * --------------------------------------------------------------------------------------
 */

static void column_sum_tasks(void *context, int64_t begin, int64_t end)
{
    const batch *n = context;
    int64_t blocks = column_blocks(n);
    for (int64_t t = begin; t < end; t++) {
        int64_t piece = t / blocks, c = t % blocks * DH_NN_WIDTH, from = piece * n->piece;
        int64_t m = n->channels - c < DH_NN_WIDTH ? n->channels - c : DH_NN_WIDTH;
        int64_t rows = n->outer - from < n->piece ? n->outer - from : n->piece;
        double *s0 = n->sums + n->terms * piece * n->channels + c, *s1 = s0 + n->channels;
        const float *x = floats(n->x) + from * n->channels + c;
        for (int64_t k = 0; k < n->terms; k++)
            memset(s0 + k * n->channels, 0, (size_t)m * sizeof *s0);
        if (n->dy)
            n->kernels->column_sums(
                s0, s1, s1 + n->channels, floats(n->dy) + from * n->channels + c,
                gate_at(n, from * n->channels + c), x, n->channels, rows, m, floats(n->mean) + c);
        else
            n->kernels->column_moments(s0, s1, x, n->channels, rows, m, n->m + c);
    }
}

/* Of channels [begin, end), at most GROUP of them, in the order in which they lie. */
static void sum_rows(const batch *n, int64_t piece, int64_t begin, int64_t end)
{
    double sum[GROUP][3] = {{0}};
    for (int64_t o = piece * n->piece; o < (piece + 1) * n->piece && o < n->outer; o++)
        for (int64_t c = begin; c < end; c++) {
            int64_t at = (o * n->channels + c) * n->inner;
            if (n->dy)
                n->kernels->row_sums(sum[c - begin], floats(n->dy) + at, gate_at(n, at),
                                     floats(n->x) + at, n->inner, floats(n->mean)[c]);
            else
                n->kernels->row_moments(sum[c - begin], floats(n->x) + at, n->inner, n->m[c]);
        }
    for (int64_t c = begin; c < end; c++)
        for (int64_t k = 0; k < n->terms; k++)
            n->sums[(n->terms * piece + k) * n->channels + c] = sum[c - begin][k];
}

static void row_sum_tasks(void *context, int64_t begin, int64_t end)
{
    const batch *n = context;
    for (int64_t t = begin; t < end; t++)
        sum_rows(n, t / n->channels, t % n->channels, t % n->channels + 1);
}

/* A channel's sums, into those of the first piece. */
static void join_pieces(const batch *n, int64_t c)
{
    for (int64_t p = 1; p < n->pieces; p++)
        for (int64_t k = 0; k < n->terms; k++)
            n->sums[k * n->channels + c] += n->sums[(p * n->terms + k) * n->channels + c];
}

static void channel_sums(batch *n)
{
    if (n->inner == 1)
        dh__team_ranges(n->pieces * column_blocks(n), 1, column_sum_tasks, n);
    else
        dh__team_ranges(n->pieces * n->channels, n->inner * n->piece < 4096 ? 8 : 1, row_sum_tasks,
                        n);
    for (int64_t c = 0; c < n->channels; c++) join_pieces(n, c);
}

/* --- the last pass --- */

/* Row number `line` of [outer x channels]. */
static void apply_row(const batch *n, int64_t line)
{
    const float alpha = (float)n->act_alpha;
    int64_t c = line % n->channels, at = line * n->inner;
    float *out = (float *)n->out->data + at;
    const float *x = floats(n->x) + at, *add = n->add ? floats(n->add) + at : NULL;
    if (n->dy)
        n->kernels->row_dx(out, floats(n->dy) + at, gate_at(n, at), x, n->inner, n->m[c], n->k[c],
                           n->m0[c], n->m1[c]);
    else if (!n->streams)
        n->kernels->row_apply(out, x, n->inner, n->m[c], n->k[c], n->b[c], add, n->act, alpha);
    for (int64_t i = 0; i < n->inner && n->streams; i += BUFFER) {
        float made[BUFFER];
        int64_t count = n->inner - i < BUFFER ? n->inner - i : BUFFER;
        n->kernels->row_apply(made, x + i, count, n->m[c], n->k[c], n->b[c], add ? add + i : NULL,
                              n->act, alpha);
        dh__stream(out + i, made, (size_t)count * sizeof *made);
    }
}

/* Lines: rows of all columns where inner is 1, else [inner] of one channel. */
static void apply_tasks(void *context, int64_t begin, int64_t end)
{
    const batch *n = context;
    const float alpha = (float)n->act_alpha;
    int64_t at = begin * n->channels, rows = end - begin;
    float *out = (float *)n->out->data + at;
    const float *x = floats(n->x) + at;
    for (int64_t line = begin; line < end && n->inner > 1; line++) apply_row(n, line);
    if (n->streams) dh__stream_end();
    if (n->inner > 1) return;
    if (n->dy)
        n->kernels->column_dx(out, floats(n->dy) + at, gate_at(n, at), x, n->channels, rows,
                              n->channels, n->m, n->k, n->m0, n->m1);
    else
        n->kernels->column_apply(out, x, n->channels, rows, n->channels, n->m, n->k, n->b,
                                 n->add ? floats(n->add) + at : NULL, n->act, alpha);
}

static void apply(batch *n)
{
    int64_t lines = n->inner == 1 ? n->outer : n->outer * n->channels;
    int64_t grain = 16384 / ((n->inner == 1 ? n->channels : n->inner) + 16);
    dh__team_ranges(lines, grain < 1 ? 1 : grain, apply_tasks, n);
}

/* m, k, b from mean, variance, gamma, beta of channel c, b with what f32 cuts off a large mean;
 * returns 1 / sqrt(var + epsilon). */
static double prepare(batch *n, int64_t c, double mean, double var)
{
    double rstd = 1 / sqrt(var + n->epsilon), gamma = n->gamma ? (double)floats(n->gamma)[c] : 1;
    double beta = n->beta ? (double)floats(n->beta)[c] : 0;
    n->m[c] = (float)mean;
    n->k[c] = (float)(gamma * rstd);
    double rest = isfinite(mean) ? mean - (double)n->m[c] : 0;
    n->b[c] = (float)(beta - rest * gamma * rstd);
    return rstd;
}

/* From a channel's sums its moments, and what the last pass applies. */
static void finish_train(batch *n, int64_t c)
{
    double mean, var;
    dh__norm_moments(&mean, &var, (double[]){n->sums[c], n->sums[n->channels + c]}, n->count,
                     n->m[c]);
    ((float *)n->mean->data)[c] = (float)mean;
    ((float *)n->var->data)[c] = (float)var;
    prepare(n, c, mean, var);
}

static void finish_dx(batch *n, int64_t c)
{
    double *s = n->sums + c, sum[3] = {s[0], s[n->channels], s[2 * n->channels]};
    double rest = n->frozen ? 0 : dh__norm_rest(sum, n->count);
    double rstd = prepare(n, c, (double)floats(n->mean)[c], (double)floats(n->var)[c]);
    double m1 = sum[1] / n->count * rstd * rstd;
    n->m0[c] = n->frozen ? 0 : (float)(sum[0] / n->count - rest * m1);
    n->m1[c] = n->frozen ? 0 : (float)m1;
    ((float *)n->dgamma->data)[c] = (float)(sum[1] * rstd);
    ((float *)n->dbeta->data)[c] = (float)sum[0];
}

static void finish(batch *n, int64_t c)
{
    if (n->dy)
        finish_dx(n, c);
    else
        finish_train(n, c);
}

/* All passes over some channels after each other, while they stay in the cache. */
static void group_tasks(void *context, int64_t first, int64_t last)
{
    batch *n = context;
    int64_t begin = first * n->group, end = last * n->group;
    if (end > n->channels) end = n->channels;
    for (int64_t piece = 0; piece < n->pieces; piece++) sum_rows(n, piece, begin, end);
    for (int64_t c = begin; c < end; c++) {
        join_pieces(n, c);
        finish(n, c);
    }
    for (int64_t o = 0; o < n->outer; o++)
        for (int64_t c = begin; c < end; c++) apply_row(n, o * n->channels + c);
    if (n->streams) dh__stream_end();
}

/* Channels that are taken together: as many as make a run of memory, and stay in L2; 0 where one is
 * too much or there are few. */
static int64_t group_of(const batch *n)
{
    double bytes = n->count * (2 + (n->dy != NULL) + (n->y || n->add)) * (double)sizeof(float);
    if (n->inner < 2 || n->channels < CHANNELS_LEAST || bytes > CHANNEL_BYTES) return 0;
    int64_t group = RUN / n->inner + 1, most = n->channels / CHANNELS_LEAST;
    if (group > GROUP) group = GROUP;
    if (group > most) group = most;
    double fit = CHANNEL_BYTES / (bytes + 1);
    return (double)group <= fit ? group : fit > 1 ? (int64_t)fit : 1;
}

static void sum_and_apply(batch *n)
{
    n->group = group_of(n);
    if (n->group) {
        dh__team_ranges((n->channels + n->group - 1) / n->group, 1, group_tasks, n);
        return;
    }
    channel_sums(n);
    for (int64_t c = 0; c < n->channels; c++) finish(n, c);
    apply(n);
}

static dh_status packed_train_run(const dh_call *call)
{
    batch n = batch_of(call);
    for (int64_t c = 0; c < n.channels; c++)
        n.m[c] = n.count > 0 ? dh__norm_shift(floats(n.x)[c * n.inner]) : 0;
    sum_and_apply(&n);
    return DH_OK;
}

static dh_status packed_infer_run(const dh_call *call)
{
    batch n = batch_of(call);
    for (int64_t c = 0; c < n.channels; c++)
        prepare(&n, c, (double)floats(n.mean)[c], (double)floats(n.var)[c]);
    apply(&n);
    return DH_OK;
}

static dh_status packed_dx_run(const dh_call *call)
{
    batch n = batch_of(call);
    sum_and_apply(&n);
    return DH_OK;
}

/* --- every dtype and stride: one channel at a time, in double --- */

/* Number of the i-th element of channel c. */
static int64_t element_of(const batch *n, int64_t c, int64_t i)
{
    return (i / n->inner * n->channels + c) * n->inner + i % n->inner;
}

static void any_train_channel(const batch *n, int64_t c, double *mean, double *var)
{
    double m = 0, v = 0;
    for (int64_t i = 0; i < n->outer * n->inner; i++)
        m += dh__get(n->x, element_of(n, c, i)) / n->count;
    for (int64_t i = 0; i < n->outer * n->inner; i++) {
        double d = dh__get(n->x, element_of(n, c, i)) - m;
        v += d * d / n->count;
    }
    *mean = n->count > 0 ? m : (double)NAN;
    *var = n->count > 0 ? v : (double)NAN;
    dh__put(n->mean, c, *mean);
    dh__put(n->var, c, *var);
}

typedef struct any_job {
    batch n;
    bool train, frozen;
} any_job;

static void any_tasks(void *context, int64_t begin, int64_t end)
{
    const any_job *j = context;
    const batch *n = &j->n;
    for (int64_t c = begin; c < end; c++) {
        double mean, var;
        if (j->train) {
            any_train_channel(n, c, &mean, &var);
        } else {
            mean = dh__get(n->mean, c);
            var = dh__get(n->var, c);
        }
        double rstd = 1 / sqrt(var + n->epsilon), gamma = n->gamma ? dh__get(n->gamma, c) : 1;
        double beta = n->beta ? dh__get(n->beta, c) : 0;
        for (int64_t i = 0; i < n->outer * n->inner; i++) {
            int64_t at = element_of(n, c, i);
            double y = (dh__get(n->x, at) - mean) * rstd * gamma + beta;
            if (n->add) y += dh__get(n->add, at);
            dh__put(n->out, at, dh__act_of(n->act, n->act_alpha, y));
        }
    }
}

/* Element `at` of dy in front of the activation, if there is one. */
static double any_dy(const batch *n, int64_t at)
{
    double dy = dh__get(n->dy, at), y = n->y ? dh__get(n->y, at) : 1;
    bool whole = y > 0 && !(n->y && n->act == DH_ACT_RELU6 && y >= 6);
    return whole ? dy : n->act == DH_ACT_LEAKY_RELU ? dy * n->act_alpha : 0 * dy;
}

static void any_dx_tasks(void *context, int64_t begin, int64_t end)
{
    const any_job *j = context;
    const batch *n = &j->n;
    for (int64_t c = begin; c < end; c++) {
        double mean = dh__get(n->mean, c), rstd = 1 / sqrt(dh__get(n->var, c) + n->epsilon);
        double gamma = n->gamma ? dh__get(n->gamma, c) : 1, s0 = 0, s1 = 0, rest = 0;
        for (int64_t i = 0; !j->frozen && i < n->outer * n->inner; i++)
            rest += dh__get(n->x, element_of(n, c, i)) - mean;
        mean += n->count > 0 ? rest / n->count : 0;
        for (int64_t i = 0; i < n->outer * n->inner; i++) {
            int64_t at = element_of(n, c, i);
            double dy = any_dy(n, at);
            s0 += dy;
            s1 += dy * (dh__get(n->x, at) - mean) * rstd;
        }
        for (int64_t i = 0; i < n->outer * n->inner; i++) {
            int64_t at = element_of(n, c, i);
            double xhat = (dh__get(n->x, at) - mean) * rstd;
            double shift = j->frozen ? 0 : (s0 + xhat * s1) / n->count;
            dh__put(n->out, at, gamma * rstd * (any_dy(n, at) - shift));
        }
        dh__put(n->dgamma, c, s1);
        dh__put(n->dbeta, c, s0);
    }
}

static dh_status any_run(const dh_call *call)
{
    any_job j = {.n = batch_of(call)};
    j.train = call->op == &dh_op_batch_norm_train;
    j.frozen = call->op == &dh_op_batch_norm_frozen_dx;
    dh__team_ranges(j.n.channels, 1, j.n.dy ? any_dx_tasks : any_tasks, &j);
    return DH_OK;
}

#define PACKED(NAME, RUN)         \
    static const dh_impl NAME = { \
        .name = "packed", .refuse = refuse_unless_packed, .scratch = packed_scratch, .run = RUN}
PACKED(packed_train, packed_train_run);
PACKED(packed_infer, packed_infer_run);
PACKED(packed_dx, packed_dx_run);
static const dh_impl any = {.name = "any", .run = any_run};

const dh_impl *const dh_cpu_batch_norm[] = {&packed_infer, &any, NULL};
const dh_impl *const dh_cpu_batch_norm_train[] = {&packed_train, &any, NULL};
const dh_impl *const dh_cpu_batch_norm_dx[] = {&packed_dx, &any, NULL};
const dh_impl *const dh_cpu_batch_norm_frozen_dx[] = {&packed_dx, &any, NULL};
