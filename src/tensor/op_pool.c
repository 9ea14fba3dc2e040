/* SPDX-License-Identifier: MIT */
/* Maximum and average over windows of the spatial axes, and their gradients. */
#include "op_pool.h"

#include <string.h>

/* --- windows --- */

static dh_status adaptive_windows(dh__pool *p, const dh_pool_attr *attr, int ndim, const char *who)
{
    DH_REQUIRE(!attr->kernel_shape.count && !attr->strides.count && !attr->dilations.count &&
                   !attr->pads.count,
               DH_EINVAL,
               "%s: bins are given, so kernel_shape, strides, dilations and pads may not be", who);
    DH_REQUIRE(attr->bins.count == ndim, DH_ESHAPE,
               "%s: bins has %d numbers, %d spatial axes need %d", who, attr->bins.count, ndim,
               ndim);
    p->adaptive = true;
    for (int i = 0; i < ndim; i++) {
        int at = 3 - ndim + i;
        DH_REQUIRE(attr->bins.v[i] > 0 && attr->bins.v[i] <= INT32_MAX && p->w.in[at] > 0,
                   DH_ESHAPE, "%s: spatial axis %d of length %lld cannot be dealt to %lld bins",
                   who, i, (long long)p->w.in[at], (long long)attr->bins.v[i]);
        p->w.out[at] = attr->bins.v[i];
    }
    return DH_OK;
}

/* As PyTorch and ONNX 19: the last window, which ceil_mode adds, must begin inside x or its first
 * padding. */
static void round_up(dh__windows *w)
{
    for (int i = 3 - w->ndim; i < 3; i++) {
        int64_t extent = (w->size[i] - 1) * w->dilation[i] + 1;
        int64_t room = w->in[i] + w->begin[i] + w->end[i] - extent;
        bool more = room % w->stride[i] != 0;
        if (more && w->out[i] * w->stride[i] < w->in[i] + w->begin[i]) w->out[i]++;
    }
}

dh_status dh__pool_of(dh__pool *p, const dh_pool_attr *attr, const dh_view *x, const char *who)
{
    DH_TRY(dh__spatial_check(x, who, "x"));
    int ndim = x->ndim - 2;
    memset(p, 0, sizeof *p);
    DH_TRY(dh__windows_set(&p->w, ndim, &attr->strides, &attr->dilations, &attr->pads, who));
    dh__spatial(p->w.in, x);
    for (int i = 0; i < 3; i++) p->w.size[i] = p->w.out[i] = 1;
    p->count_pads = attr->count_include_pad;
    if (attr->bins.count) return adaptive_windows(p, attr, ndim, who);
    DH_REQUIRE(attr->kernel_shape.count == ndim, DH_ESHAPE,
               "%s: kernel_shape has %d numbers, %d spatial axes need %d", who,
               attr->kernel_shape.count, ndim, ndim);
    for (int i = 0; i < ndim; i++) {
        int at = 3 - ndim + i;
        int64_t size = attr->kernel_shape.v[i];
        DH_REQUIRE(size > 0 && size <= INT32_MAX, DH_EINVAL,
                   "%s: kernel_shape[%d] is %lld, must be in [1, %d]", who, i, (long long)size,
                   INT32_MAX);
        int64_t extent = (size - 1) * p->w.dilation[at] + 1;
        DH_REQUIRE(p->w.begin[at] < extent && p->w.end[at] < extent, DH_EINVAL,
                   "%s: pads %lld and %lld of spatial axis %d must be less than the window's %lld",
                   who, (long long)p->w.begin[at], (long long)p->w.end[at], i, (long long)extent);
        p->w.size[at] = size;
    }
    DH_TRY(dh__windows_slide(&p->w, who));
    if (attr->ceil_mode) round_up(&p->w);
    return DH_OK;
}

dh__pool_span dh__pool_span_of(const dh__pool *pool, int axis, int64_t position)
{
    const dh__windows *w = &pool->w;
    int64_t in = w->in[axis], out = w->out[axis];
    if (pool->adaptive) {
        int64_t first = position * in / out, last = ((position + 1) * in + out - 1) / out;
        return (dh__pool_span){first, 1, last - first, last - first};
    }
    int64_t at = position * w->stride[axis] - w->begin[axis], step = w->dilation[axis];
    int64_t skipped, reach;
    dh__windows_inside(w, axis, position, &skipped, &reach);
    int64_t padded = in + w->end[axis], counted = padded > at ? (padded - 1 - at) / step + 1 : 0;
    if (counted > w->size[axis]) counted = w->size[axis];
    int64_t count = reach - skipped;
    return (dh__pool_span){at + skipped * step, step, count, pool->count_pads ? counted : count};
}

/* --- ops --- */

static void pooled_shape(dh_view *y, const dh__pool *p, const dh_view *x)
{
    y->dtype = x->dtype;
    y->ndim = x->ndim;
    y->shape[0] = x->shape[0];
    y->shape[1] = x->shape[1];
    for (int i = 0; i < p->w.ndim; i++) y->shape[2 + i] = p->w.out[3 - p->w.ndim + i];
}

static dh_status infer_pool(dh_call *call)
{
    dh__pool p;
    DH_TRY(dh__pool_of(&p, call->attr, &call->in[0], call->op->name));
    pooled_shape(&call->out[0], &p, &call->in[0]);
    return DH_OK;
}

static dh_status infer_pool_dx(dh_call *call)
{
    dh__pool p;
    const dh_view *dy = &call->in[0], *x = &call->in[1];
    dh_view want = *dy;
    DH_TRY(dh__pool_of(&p, call->attr, x, call->op->name));
    pooled_shape(&want, &p, x);
    return dh__windows_dx(call, &want);
}

static dh_status backward_max_pool(dh_grad *g)
{
    if (g->need[0])
        g->dx[0] = dh_emit2(g->to, DH_OP_MAX_POOL_DX, g->call->attr, g->dy[0], g->in[0]);
    return g->to->status;
}

static dh_status backward_avg_pool(dh_grad *g)
{
    if (g->need[0])
        g->dx[0] = dh_emit2(g->to, DH_OP_AVG_POOL_DX, g->call->attr, g->dy[0], g->in[0]);
    return g->to->status;
}

static dh_status backward_avg_pool_dx(dh_grad *g)
{
    if (g->need[0]) g->dx[0] = dh_emit1(g->to, DH_OP_AVG_POOL, g->call->attr, g->dy[0]);
    return g->to->status;
}

/* One for each element of each window, on the smaller side. */
static double pool_flops(const dh_call *call, const dh_view *x, const dh_view *y)
{
    dh__pool p;
    double each = 1;
    if (dh__pool_of(&p, call->attr, x, call->op->name)) {
        dh_error_clear();
        return 0;
    }
    for (int i = 0; i < 3; i++)
        each *= p.adaptive ? (double)p.w.in[i] / (double)p.w.out[i] : (double)p.w.size[i];
    return each * (double)dh__view_count(y);
}

static double flops_pool(const dh_call *call)
{
    return pool_flops(call, &call->in[0], &call->out[0]);
}

static double flops_pool_dx(const dh_call *call)
{
    return pool_flops(call, &call->in[1], &call->in[0]);
}

#define WINDOW_FIELDS                                                                              \
    DH_FIELD(dh_pool_attr, kernel_shape, "kernel_shape", 1, 1, 1e9, "elements of a window"),       \
        DH_FIELD(dh_pool_attr, strides, "strides", 1, 1, 1e9, "from window to window"),            \
        DH_FIELD(dh_pool_attr, dilations, "dilations", 1, 1, 1e9, "from element to element"),      \
        DH_FIELD(dh_pool_attr, pads, "pads", 0, 0, 1e9, "before each spatial axis, then after"),   \
        DH_FIELD(dh_pool_attr, bins, NULL, 1, 1, 1e9, "windows that share out each axis instead"), \
        DH_FIELD(dh_pool_attr, ceil_mode, "ceil_mode", 0, 0, 1, "a last window may be cut off")

static const dh_field max_fields[] = {WINDOW_FIELDS, {0}};
static const dh_field avg_fields[] = {WINDOW_FIELDS,
                                      DH_FIELD(dh_pool_attr, count_include_pad, "count_include_pad",
                                               0, 0, 1, "divides by the padding's elements too"),
                                      {0}};

const dh_op dh_op_max_pool = {.name = "max_pool",
                              .onnx = "MaxPool",
                              .in_min = 1,
                              .in_max = 1,
                              .dtypes = DH_MASK_FLOAT,
                              .flags = DH_OP_CHEAP | DH_OP_SELECTS,
                              .attr_size = sizeof(dh_pool_attr),
                              .fields = max_fields,
                              .infer = infer_pool,
                              .backward = backward_max_pool,
                              .flops = flops_pool};

const dh_op dh_op_max_pool_dx = {.name = "max_pool_dx",
                                 .in_min = 2,
                                 .in_max = 2,
                                 .dtypes = DH_MASK_FLOAT,
                                 .flags = DH_OP_SAME_DTYPE,
                                 .attr_size = sizeof(dh_pool_attr),
                                 .fields = max_fields,
                                 .infer = infer_pool_dx,
                                 .no_grad = "second derivatives of a maximum are not offered",
                                 .flops = flops_pool_dx,
                                 .in_names = "dy|x"};

const dh_op dh_op_avg_pool = {.name = "avg_pool",
                              .onnx = "AveragePool",
                              .in_min = 1,
                              .in_max = 1,
                              .dtypes = DH_MASK_FLOAT,
                              .flags = DH_OP_CHEAP,
                              .attr_size = sizeof(dh_pool_attr),
                              .fields = avg_fields,
                              .infer = infer_pool,
                              .backward = backward_avg_pool,
                              .flops = flops_pool};

const dh_op dh_op_avg_pool_dx = {.name = "avg_pool_dx",
                                 .in_min = 2,
                                 .in_max = 2,
                                 .dtypes = DH_MASK_FLOAT,
                                 .flags = DH_OP_SAME_DTYPE,
                                 .like = 1u << 1,
                                 .attr_size = sizeof(dh_pool_attr),
                                 .fields = avg_fields,
                                 .infer = infer_pool_dx,
                                 .backward = backward_avg_pool_dx,
                                 .flops = flops_pool_dx,
                                 .in_names = "dy|x"};
