/* SPDX-License-Identifier: MIT */
/* Layer normalisation: rows of n elements, the product of the axes from `axis` on. */
#include <math.h>
#include <string.h>

#include "cpu.h"
#include "element.h"
#include "norm_table.h"
#include "team.h"

/* One call, forward or backward; g, b are gamma and beta where there are any. */
typedef struct layer {
    const dh_view *dy, *x, *mean, *rstd, *gamma, *beta;
    const dh_view *out, *dgamma, *dbeta;
    int64_t rows, n;
    double epsilon;
    int64_t block, blocks; /* rows whose parameter gradients are summed together */
    double *partial;       /* [blocks][2][n] */
    double *rest;          /* [rows]: mean of x less the mean that was kept */
} layer;

static layer layer_of(const dh_call *call)
{
    const dh_norm_attr *attr = call->attr;
    bool dx = call->op == &dh_op_layer_norm_dx;
    layer l = {
        .x = &call->in[dx], .out = &call->out[0], .epsilon = attr->epsilon, .rows = 1, .n = 1};
    int axis = attr->axis < 0 ? attr->axis + l.x->ndim : attr->axis;
    for (int a = 0; a < l.x->ndim; a++) *(a < axis ? &l.rows : &l.n) *= l.x->shape[a];
    if (dx) {
        l.dy = &call->in[0];
        l.mean = &call->in[2];
        l.rstd = &call->in[3];
        l.gamma = call->in_count == 5 ? &call->in[4] : NULL;
        l.dgamma = &call->out[1];
        l.dbeta = &call->out[2];
    } else {
        l.mean = &call->out[1];
        l.rstd = &call->out[2];
        l.gamma = call->in_count == 3 ? &call->in[1] : NULL;
        l.beta = call->in_count == 3 ? &call->in[2] : NULL;
    }
    l.block = l.n ? 32768 / l.n : 16;
    if (l.block < 16) l.block = 16;
    l.blocks = (l.rows + l.block - 1) / l.block;
    l.partial = l.rest = call->scratch;
    return l;
}

static int64_t grain_of(int64_t cost)
{
    int64_t grain = 16384 / (cost + 16);
    return grain < 1 ? 1 : grain;
}

static const char *refuse_unless_packed(const dh_call *call)
{
    return dh__all_packed_f32(call) ? NULL : "takes contiguous f32 only";
}

static const float *floats(const dh_view *view)
{
    return view ? view->data : NULL;
}

/* --- contiguous f32 --- */

static void packed_tasks(void *context, int64_t begin, int64_t end)
{
    const layer *l = context;
    const dh__norm_kernels *k = dh__norm_table();
    double n = (double)l->n;
    for (int64_t r = begin; r < end; r++) {
        const float *x = floats(l->x) + r * l->n;
        double sum[2] = {0, 0}, mean, var;
        float shift = l->n ? dh__norm_shift(x[0]) : 0;
        k->row_moments(sum, x, l->n, shift);
        dh__norm_moments(&mean, &var, sum, n, shift);
        double rstd = 1 / sqrt(var + l->epsilon), rest = mean - (double)(float)mean;
        ((float *)l->mean->data)[r] = (float)mean;
        ((float *)l->rstd->data)[r] = (float)rstd;
        k->gamma_apply((float *)l->out->data + r * l->n, x, floats(l->gamma), floats(l->beta), l->n,
                       (float)mean, (float)rstd, (float)(-rest * rstd));
    }
}

static dh_status packed_run(const dh_call *call)
{
    layer l = layer_of(call);
    dh__team_ranges(l.rows, grain_of(2 * l.n), packed_tasks, &l);
    return DH_OK;
}

static void packed_dx_tasks(void *context, int64_t begin, int64_t end)
{
    const layer *l = context;
    const dh__norm_kernels *k = dh__norm_table();
    const float *gamma = floats(l->gamma);
    for (int64_t b = begin; b < end; b++) {
        double *dgamma = l->partial + b * 2 * l->n, *dbeta = dgamma + l->n;
        memset(dgamma, 0, 2 * (size_t)l->n * sizeof *dgamma);
        for (int64_t r = b * l->block; r < (b + 1) * l->block && r < l->rows; r++) {
            const float *x = floats(l->x) + r * l->n, *dy = floats(l->dy) + r * l->n;
            float mean = floats(l->mean)[r], rstd = floats(l->rstd)[r];
            double sum[3] = {0, 0, 0}, n = (double)l->n, s = (double)rstd;
            k->gamma_sums(sum, dy, x, gamma, l->n, mean);
            double rest = dh__norm_rest(sum, n), m1 = sum[1] / n * s * s;
            k->gamma_grads(dgamma, dbeta, dy, x, l->n, mean, rstd, (float)(-rest * s));
            k->gamma_dx((float *)l->out->data + r * l->n, dy, x, gamma, l->n, mean, rstd,
                        (float)(sum[0] / n - rest * m1), (float)m1);
        }
    }
}

/* Parameter gradients [begin, end): the blocks' sums in their order. */
static void join_tasks(void *context, int64_t begin, int64_t end)
{
    const layer *l = context;
    for (int64_t i = begin; i < end; i++) {
        double dgamma = 0, dbeta = 0;
        for (int64_t b = 0; b < l->blocks; b++) {
            dgamma += l->partial[b * 2 * l->n + i];
            dbeta += l->partial[b * 2 * l->n + l->n + i];
        }
        ((float *)l->dgamma->data)[i] = (float)dgamma;
        ((float *)l->dbeta->data)[i] = (float)dbeta;
    }
}

static size_t packed_dx_scratch(const dh_call *call)
{
    layer l = layer_of(call);
    return (size_t)l.blocks * 2 * (size_t)l.n * sizeof(double);
}

static dh_status packed_dx_run(const dh_call *call)
{
    layer l = layer_of(call);
    dh__team_ranges(l.blocks, 1, packed_dx_tasks, &l);
    dh__team_ranges(l.n, grain_of(8 * l.blocks), join_tasks, &l);
    return DH_OK;
}

/* --- everything else --- */

static void any_tasks(void *context, int64_t begin, int64_t end)
{
    const layer *l = context;
    for (int64_t r = begin; r < end; r++) {
        double mean = 0, var = 0, n = (double)l->n;
        for (int64_t i = 0; i < l->n; i++) mean += dh__get(l->x, r * l->n + i) / n;
        for (int64_t i = 0; i < l->n; i++) {
            double d = dh__get(l->x, r * l->n + i) - mean;
            var += d * d / n;
        }
        double rstd = 1 / sqrt(var + l->epsilon);
        dh__put(l->mean, r, mean);
        dh__put(l->rstd, r, rstd);
        for (int64_t i = 0; i < l->n; i++) {
            double y = (dh__get(l->x, r * l->n + i) - mean) * rstd;
            if (l->gamma) y = y * dh__get(l->gamma, i) + dh__get(l->beta, i);
            dh__put(l->out, r * l->n + i, y);
        }
    }
}

static dh_status any_run(const dh_call *call)
{
    layer l = layer_of(call);
    dh__team_ranges(l.rows, grain_of(32 * l.n), any_tasks, &l);
    return DH_OK;
}

static void any_rest_tasks(void *context, int64_t begin, int64_t end)
{
    const layer *l = context;
    for (int64_t r = begin; r < end; r++) {
        double mean = dh__get(l->mean, r), sum = 0;
        for (int64_t i = 0; i < l->n; i++) sum += dh__get(l->x, r * l->n + i) - mean;
        l->rest[r] = sum / (double)l->n;
    }
}

static void any_gamma_tasks(void *context, int64_t begin, int64_t end)
{
    const layer *l = context;
    for (int64_t i = begin; i < end; i++) {
        double dgamma = 0, dbeta = 0;
        for (int64_t r = 0; r < l->rows; r++) {
            double dy = dh__get(l->dy, r * l->n + i), x = dh__get(l->x, r * l->n + i);
            dgamma += dy * (x - dh__get(l->mean, r) - l->rest[r]) * dh__get(l->rstd, r);
            dbeta += dy;
        }
        dh__put(l->dgamma, i, dgamma);
        dh__put(l->dbeta, i, dbeta);
    }
}

static void any_dx_tasks(void *context, int64_t begin, int64_t end)
{
    const layer *l = context;
    for (int64_t r = begin; r < end; r++) {
        double mean = dh__get(l->mean, r) + l->rest[r], rstd = dh__get(l->rstd, r);
        double s0 = 0, s1 = 0;
        for (int64_t i = 0; i < l->n; i++) {
            double d = dh__get(l->dy, r * l->n + i) * (l->gamma ? dh__get(l->gamma, i) : 1);
            s0 += d;
            s1 += d * (dh__get(l->x, r * l->n + i) - mean) * rstd;
        }
        for (int64_t i = 0; i < l->n; i++) {
            double d = dh__get(l->dy, r * l->n + i) * (l->gamma ? dh__get(l->gamma, i) : 1);
            double xhat = (dh__get(l->x, r * l->n + i) - mean) * rstd;
            dh__put(l->out, r * l->n + i, rstd * (d - (s0 + xhat * s1) / (double)l->n));
        }
    }
}

static size_t any_dx_scratch(const dh_call *call)
{
    return (size_t)layer_of(call).rows * sizeof(double);
}

/* The parameters first: dx may lie where dy or x does. */
static dh_status any_dx_run(const dh_call *call)
{
    layer l = layer_of(call);
    dh__team_ranges(l.rows, grain_of(16 * l.n), any_rest_tasks, &l);
    dh__team_ranges(l.n, grain_of(64 * l.rows), any_gamma_tasks, &l);
    dh__team_ranges(l.rows, grain_of(64 * l.n), any_dx_tasks, &l);
    return DH_OK;
}

static const dh_impl packed = {.name = "packed", .refuse = refuse_unless_packed, .run = packed_run};
static const dh_impl any = {.name = "any", .run = any_run};
static const dh_impl packed_dx = {.name = "packed",
                                  .refuse = refuse_unless_packed,
                                  .scratch = packed_dx_scratch,
                                  .run = packed_dx_run};
static const dh_impl any_dx = {.name = "any", .scratch = any_dx_scratch, .run = any_dx_run};

const dh_impl *const dh_cpu_layer_norm[] = {&packed, &any, NULL};
const dh_impl *const dh_cpu_layer_norm_dx[] = {&packed_dx, &any_dx, NULL};
