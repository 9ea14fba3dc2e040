/* SPDX-License-Identifier: MIT */
/* Gradients of reductions: two numbers per output, a and b, then one elementwise pass over x.
 *   var, norm:  dx = (x - a) * b
 *   max, min:   dx = x == a ? b : 0, b being dy shared by the ties
 *   prod:       dx = a == 0 ? b / x : a == 1 and x == 0 ? b : 0, a counting zeros and b being dy
 * times the product of the others */
#include <math.h>
#include <string.h>

#include "fold.h"
#include "iterate.h"
#include "reduce.h"
#include "team.h"

typedef struct pair {
    const dh__nest *nest;
    int op, ddof;
    const dh_view *dy, *y;
    double *a, *b;
} pair;

/* Element `output` of a reduced view, by its row-major number. */
static double reduced_at(const dh_view *v, int64_t output)
{
    int64_t offset = 0;
    for (int k = v->ndim - 1; k >= 0; k--) {
        offset += output % v->shape[k] * v->stride[k];
        output /= v->shape[k];
    }
    return dh__load(v->dtype, (const char *)v->data + offset * (int64_t)dh_dtype_size(v->dtype));
}

/* Counts elements equal to value; product gets that of all others. */
static int64_t count_equal(const dh__nest *n, int64_t output, double value, double *product)
{
    int64_t size = (int64_t)dh_dtype_size(n->dtype), stride = n->stride[n->reduced - 1], equal = 0;
    const char *base = dh__nest_at(n, output);
    double others = 1;
    for (int64_t from = 0; from < n->length;) {
        int64_t count;
        const char *line = dh__nest_line(n, base, &from, n->length, &count);
        for (int64_t i = 0; i < count; i++) {
            double x = dh__load(n->dtype, line + i * stride * size);
            if (x == value)
                equal++;
            else
                others *= x;
        }
    }
    *product = others;
    return equal;
}

static void pair_tasks(void *context, int64_t begin, int64_t end)
{
    const pair *p = context;
    for (int64_t o = begin; o < end; o++) {
        double dy = reduced_at(p->dy, o), y = reduced_at(p->y, o), product;
        double freedom = (double)(p->nest->length - p->ddof);
        switch (p->op) {
        case DH_OP_VAR: /* a already holds the mean */
            p->b[o] = 2 * dy / (freedom > 0 ? freedom : 0);
            break;
        case DH_OP_NORM: /* at 0 the subgradient 0 */
            p->a[o] = 0;
            p->b[o] = y != 0 ? dy / y : 0;
            break;
        case DH_OP_PROD:
            p->a[o] = (double)count_equal(p->nest, o, 0, &product);
            p->b[o] = dy * product;
            break;
        default:
            p->a[o] = y;
            p->b[o] = dy / (double)count_equal(p->nest, o, y, &product);
            break;
        }
    }
}

static void mean_sink(void *context, int64_t first, const dh__acc *acc, int64_t count)
{
    const pair *p = context;
    for (int64_t i = 0; i < count; i++) p->a[first + i] = acc[i].f / (double)p->nest->length;
}

static double slope(int op, double x, double a, double b)
{
    if (op == DH_OP_VAR || op == DH_OP_NORM) return (x - a) * b;
    if (op == DH_OP_PROD) return a == 0 ? b / x : a == 1 && x == 0 ? b : 0;
    return x == a ? b : 0;
}

/* Operands: dx, x, a, b. */
static void slope_row(void *context, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    const dh_call *call = context;
    int op = ((const dh_reduce_dx_attr *)call->attr)->op;
    dh_dtype dtype = call->out[0].dtype;
    for (int64_t i = 0; i < n; i++) {
        double a = *(const double *)(const void *)(data[2] + i * stride[2]);
        double b = *(const double *)(const void *)(data[3] + i * stride[3]);
        const void *x = data[1] + i * stride[1];
        void *dx = data[0] + i * stride[0];
        if (dtype == DH_F32)
            *(float *)dx = (float)slope(op, (double)*(const float *)x, a, b);
        else
            dh__store(dtype, dx, slope(op, dh__load(dtype, x), a, b));
    }
}

/* A packed array, one number per output, seen in the shape of x. */
static dh_view spread(double *data, const dh_view *x, uint32_t mask)
{
    dh_view v = {.dtype = DH_F64, .ndim = x->ndim, .data = data};
    int64_t stride = 1;
    for (int a = x->ndim - 1; a >= 0; a--) {
        bool reduced = mask >> a & 1u;
        v.shape[a] = x->shape[a];
        v.stride[a] = reduced ? 0 : stride;
        if (!reduced) stride *= x->shape[a];
    }
    return v;
}

static uint32_t dx_mask(const dh_call *call)
{
    const dh_reduce_dx_attr *attr = call->attr;
    uint32_t mask = 0; /* infer has checked the axes */
    (void)dh__reduce_mask(&mask, &attr->axes, call->in[1].ndim, "reduce_dx");
    return mask;
}

static size_t dx_scratch(const dh_call *call)
{
    dh__nest nest;
    dh__nest_make(&nest, &call->in[1], dx_mask(call), false);
    return 2 * (size_t)nest.outputs * sizeof(double) + dh__fold_scratch(&nest);
}

static dh_status dx_run(const dh_call *call)
{
    const dh_reduce_dx_attr *attr = call->attr;
    const dh_view *x = &call->in[1];
    uint32_t mask = dx_mask(call);
    dh__nest nest;
    dh__nest_make(&nest, x, mask, false);
    if (!nest.outputs || !nest.length) return DH_OK;
    pair p = {
        .nest = &nest, .op = attr->op, .ddof = attr->ddof, .dy = &call->in[0], .y = &call->in[2]};
    p.a = call->scratch;
    p.b = p.a + nest.outputs;
    if (attr->op == DH_OP_VAR)
        dh__fold_run(&nest, DH_FOLD_SUM, NULL, p.b + nest.outputs, mean_sink, &p);
    int64_t grain = 16384 / (nest.length + 16);
    dh__team_ranges(nest.outputs, grain < 1 ? 1 : grain, pair_tasks, &p);
    dh_view a = spread(p.a, x, mask), b = spread(p.b, x, mask);
    const dh_view *views[] = {&call->out[0], x, &a, &b};
    dh__iterate(4, views, slope_row, (void *)(uintptr_t)call, 2);
    return DH_OK;
}

/* --- mean_dx --- */

typedef struct scale_by {
    dh_dtype dtype;
    double count;
} scale_by;

static void scale_row(void *context, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    const scale_by *s = context;
    bool dense = stride[0] == (ptrdiff_t)sizeof(float);
    if (s->dtype == DH_F32 && dense && stride[1] == 0) {
        float value = (float)((double)*(const float *)(const void *)data[1] / s->count);
        float *dx = (float *)(void *)data[0];
        for (int64_t i = 0; i < n; i++) dx[i] = value;
    } else if (s->dtype == DH_F32 && dense && stride[1] == (ptrdiff_t)sizeof(float)) {
        const float *dy = (const float *)(const void *)data[1];
        float *dx = (float *)(void *)data[0];
        for (int64_t i = 0; i < n; i++) dx[i] = (float)((double)dy[i] / s->count);
    } else {
        for (int64_t i = 0; i < n; i++)
            dh__store(s->dtype, data[0] + i * stride[0],
                      dh__load(s->dtype, data[1] + i * stride[1]) / s->count);
    }
}

static dh_status mean_dx_run(const dh_call *call)
{
    const dh_reduce_attr *attr = call->attr;
    const dh_view *x = &call->in[1], *dy = &call->in[0];
    uint32_t mask = 0; /* infer has checked the axes */
    (void)dh__reduce_mask(&mask, &attr->axes, x->ndim, "mean_dx");
    scale_by s = {.dtype = dy->dtype, .count = 1};
    dh_view wide = {.dtype = dy->dtype, .ndim = x->ndim, .data = dy->data};
    int from = 0;
    for (int a = 0; a < x->ndim; a++) {
        bool reduced = mask >> a & 1u;
        wide.shape[a] = x->shape[a];
        if (reduced) s.count *= (double)x->shape[a];
        if (!reduced) wide.stride[a] = dy->stride[from];
        if (!reduced || attr->keepdims) from++;
    }
    const dh_view *views[] = {&call->out[0], &wide};
    dh__iterate(2, views, scale_row, &s, 1);
    return DH_OK;
}

static const dh_impl dx_any = {.name = "pair", .scratch = dx_scratch, .run = dx_run};
static const dh_impl mean_dx_any = {.name = "expand", .run = mean_dx_run};

const dh_impl *const dh_cpu_reduce_dx[] = {&dx_any, NULL};
const dh_impl *const dh_cpu_mean_dx[] = {&mean_dx_any, NULL};
