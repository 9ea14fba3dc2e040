/* SPDX-License-Identifier: MIT */
/* Ops that give the same elements another shape: reshape, permute, expand; and fill_like. */
#include <string.h>

#include "shape.h"

double dh__no_flops(const dh_call *call)
{
    DH_UNUSED(call);
    return 0;
}

static dh_status set_shape(dh_view *out, dh_dtype dtype, int ndim, const int64_t *shape)
{
    out->dtype = dtype;
    out->ndim = ndim;
    for (int i = 0; i < ndim; i++) out->shape[i] = shape[i];
    return DH_OK;
}

/* --- reshape --- */

/* The axes of x that 0 keeps cancel out on both sides, so that -1 is known even if they are empty.
 */
static dh_status infer_reshape(dh_call *call)
{
    const dh_view *x = &call->in[0];
    dh_ints want = ((const dh_reshape_attr *)call->attr)->shape;
    char from[DH_SHAPE_TEXT], to[DH_SHAPE_TEXT];
    dh__shape_text(from, sizeof from, x->ndim, x->shape);
    DH_REQUIRE(want.count <= DH_MAX_NDIM, DH_ESHAPE, "reshape: shape has %d axes, at most %d",
               want.count, DH_MAX_NDIM);
    dh__shape_text(to, sizeof to, want.count, want.v);
    int64_t rest = 1, given = 1;
    int open = -1;
    bool fits = true, kept[DH_MAX_NDIM] = {false};
    for (int i = 0; i < want.count; i++) {
        if (want.v[i] > 0 && !dh__mul_int64(given, want.v[i], &given)) {
            fits = false;
            given = 1;
        }
        if (want.v[i] == 0) {
            DH_REQUIRE(i < x->ndim, DH_ESHAPE, "reshape: shape %s keeps axis %d, x is %s", to, i,
                       from);
            kept[i] = true;
            want.v[i] = x->shape[i];
        } else if (want.v[i] == -1) {
            DH_REQUIRE(open < 0, DH_ESHAPE,
                       "reshape: shape %s has -1 at %d and at %d, only one axis may be -1, x is %s",
                       to, open, i, from);
            open = i;
        }
    }
    for (int i = 0; i < x->ndim; i++)
        if (!kept[i]) rest *= x->shape[i];
    if (open >= 0) want.v[open] = rest / given;
    fits = fits && (open >= 0 ? rest % given == 0 : rest == given);
    for (int i = 0; open < 0 && i < want.count; i++) /* no elements on both sides: [0, 3] to [0] */
        fits |= want.v[i] == 0 && dh__view_count(x) == 0;
    DH_REQUIRE(fits, DH_ESHAPE, "reshape: x %s does not fit the shape %s", from, to);
    return set_shape(&call->out[0], x->dtype, want.count, want.v);
}

static dh_status infer_reshape_like(dh_call *call)
{
    const dh_view *x = &call->in[0], *like = &call->in[1];
    char from[DH_SHAPE_TEXT], to[DH_SHAPE_TEXT];
    DH_REQUIRE(dh__view_count(x) == dh__view_count(like), DH_ESHAPE,
               "reshape_like: x %s does not fit the shape of like %s",
               dh__shape_text(from, sizeof from, x->ndim, x->shape),
               dh__shape_text(to, sizeof to, like->ndim, like->shape));
    return set_shape(&call->out[0], x->dtype, like->ndim, like->shape);
}

bool dh__reshape_view(dh_view *out, const dh_view *x)
{
    int64_t length[DH_MAX_NDIM], step[DH_MAX_NDIM], result[DH_MAX_NDIM];
    int n = 0; /* runs of x's axes over which elements lie evenly */
    if (dh__view_count(x) == 0) {
        dh__view_pack(out);
        return true;
    }
    for (int i = 0; i < x->ndim; i++) {
        if (x->shape[i] == 1) continue;
        if (n && step[n - 1] == x->shape[i] * x->stride[i]) {
            length[n - 1] *= x->shape[i];
            step[n - 1] = x->stride[i];
        } else {
            length[n] = x->shape[i];
            step[n++] = x->stride[i];
        }
    }
    int run = n - 1;
    int64_t left = n ? length[run] : 1, stride = n ? step[run] : 1;
    for (int i = out->ndim - 1; i >= 0; i--) {
        while (left == 1 && run > 0 && out->shape[i] > 1) {
            left = length[--run];
            stride = step[run];
        }
        if (left % out->shape[i]) return false;
        result[i] = stride;
        left /= out->shape[i];
        stride *= out->shape[i];
    }
    memcpy(out->stride, result, (size_t)out->ndim * sizeof *result);
    return true;
}

static bool view_reshape(const dh_call *call, int64_t *offset)
{
    *offset = 0;
    return dh__reshape_view(&call->out[0], &call->in[0]);
}

static dh_status backward_reshape(dh_grad *g)
{
    if (g->need[0]) g->dx[0] = dh_emit2(g->to, DH_OP_RESHAPE_LIKE, NULL, g->dy[0], g->in[0]);
    return g->to->status;
}

static const dh_field reshape_fields[] = {
    DH_FIELD(dh_reshape_attr, shape, NULL, 0, -1, 1e19,
             "lengths; one -1 is found, 0 keeps the axis of x"),
    {0}};

const dh_op dh_op_reshape = {.name = "reshape",
                             .in_min = 1,
                             .in_max = 1,
                             .dtypes = DH_MASK_ANY,
                             .attr_size = sizeof(dh_reshape_attr),
                             .fields = reshape_fields,
                             .infer = infer_reshape,
                             .view = view_reshape,
                             .backward = backward_reshape,
                             .flops = dh__no_flops};

const dh_op dh_op_reshape_like = {.name = "reshape_like",
                                  .in_min = 2,
                                  .in_max = 2,
                                  .dtypes = DH_MASK_ANY,
                                  .like = 2,
                                  .infer = infer_reshape_like,
                                  .view = view_reshape,
                                  .backward = backward_reshape,
                                  .flops = dh__no_flops};

/* --- permute --- */

static dh_status infer_permute(dh_call *call)
{
    const dh_view *x = &call->in[0];
    const dh_ints *axes = &((const dh_permute_attr *)call->attr)->axes;
    dh_view *y = &call->out[0];
    unsigned seen = 0;
    DH_REQUIRE(axes->count == x->ndim, DH_ESHAPE, "permute: axes has %d numbers, x has %d axes",
               axes->count, x->ndim);
    y->dtype = x->dtype;
    y->ndim = x->ndim;
    for (int i = 0; i < x->ndim; i++) {
        int a;
        char name[16];
        dh__format(name, sizeof name, "axes[%d]", i);
        DH_TRY(dh__axis_named(&a, axes->v[i], x->ndim, "permute", name));
        DH_REQUIRE(!(seen >> a & 1u), DH_EINVAL,
                   "permute: axes[%d] is %lld, axis %d is there already", i, (long long)axes->v[i],
                   a);
        seen |= 1u << a;
        y->shape[i] = x->shape[a];
    }
    return DH_OK;
}

static bool view_permute(const dh_call *call, int64_t *offset)
{
    const dh_view *x = &call->in[0];
    const dh_ints *axes = &((const dh_permute_attr *)call->attr)->axes;
    *offset = 0;
    for (int i = 0; i < x->ndim; i++)
        call->out[0].stride[i] = x->stride[axes->v[i] < 0 ? axes->v[i] + x->ndim : axes->v[i]];
    return true;
}

static dh_status backward_permute(dh_grad *g)
{
    const dh_ints *axes = &((const dh_permute_attr *)g->call->attr)->axes;
    dh_permute_attr inverse = {.axes.count = axes->count};
    for (int i = 0; i < axes->count; i++)
        inverse.axes.v[axes->v[i] < 0 ? axes->v[i] + axes->count : axes->v[i]] = i;
    if (g->need[0]) g->dx[0] = dh_emit1(g->to, DH_OP_PERMUTE, &inverse, g->dy[0]);
    return g->to->status;
}

static const dh_field permute_fields[] = {DH_FIELD(dh_permute_attr, axes, "perm", 0, -DH_MAX_NDIM,
                                                   DH_MAX_NDIM - 1,
                                                   "axis i of the result is axis axes[i] of x"),
                                          {0}};

const dh_op dh_op_permute = {.name = "permute",
                             .onnx = "Transpose",
                             .in_min = 1,
                             .in_max = 1,
                             .dtypes = DH_MASK_ANY,
                             .attr_size = sizeof(dh_permute_attr),
                             .fields = permute_fields,
                             .infer = infer_permute,
                             .view = view_permute,
                             .backward = backward_permute,
                             .flops = dh__no_flops};

/* --- expand_like --- */

/* x under shape of `ndim` axes where axes (none: all) were removed by a reduction: they come back
 * with length 1. DH_ESHAPE if x has not as many axes as remain. */
static dh_status unreduced_view(dh_view *out, const dh_view *x, const dh_ints *axes, int ndim,
                                const char *who)
{
    unsigned gone = axes->count ? 0 : (1u << ndim) - 1;
    int at = 0, removed = 0;
    for (int i = 0; i < axes->count; i++) {
        int a;
        DH_TRY(dh__axis(&a, axes->v[i], ndim, who));
        gone |= 1u << a;
    }
    for (int i = 0; i < ndim; i++) removed += gone >> i & 1u;
    DH_REQUIRE(x->ndim == ndim - removed, DH_ESHAPE,
               "%s: x has %d axes, must have the %d - %d that a reduction left", who, x->ndim, ndim,
               removed);
    dh_view y = *x;
    y.ndim = ndim;
    for (int i = 0; i < ndim; i++) {
        bool one = gone >> i & 1u;
        y.shape[i] = one ? 1 : x->shape[at];
        y.stride[i] = one ? 0 : x->stride[at];
        at += !one;
    }
    *out = y;
    return DH_OK;
}

/* x with the axes a reduction removed back in their places. */
static dh_status reinserted(dh_view *out, const dh_call *call)
{
    const dh_reduce_attr *attr = call->attr;
    *out = call->in[0];
    if (attr->keepdims) return DH_OK;
    return unreduced_view(out, &call->in[0], &attr->axes, call->in[1].ndim, "expand_like");
}

static dh_status infer_expand_like(dh_call *call)
{
    const dh_view *x = &call->in[0], *like = &call->in[1];
    dh_view wide;
    DH_TRY(reinserted(&wide, call));
    bool fits = wide.ndim <= like->ndim;
    for (int i = 1; fits && i <= wide.ndim; i++) {
        int64_t n = wide.shape[wide.ndim - i];
        fits = n == 1 || n == like->shape[like->ndim - i];
    }
    char from[DH_SHAPE_TEXT], to[DH_SHAPE_TEXT];
    DH_REQUIRE(fits, DH_ESHAPE, "expand_like: x %s does not broadcast to like %s",
               dh__shape_text(from, sizeof from, x->ndim, x->shape),
               dh__shape_text(to, sizeof to, like->ndim, like->shape));
    return set_shape(&call->out[0], x->dtype, like->ndim, like->shape);
}

static bool view_expand_like(const dh_call *call, int64_t *offset)
{
    dh_view *y = &call->out[0], wide;
    if (reinserted(&wide, call)) return false;
    dh__view_broadcast(&wide, y->ndim, y->shape);
    memcpy(y->stride, wide.stride, sizeof y->stride);
    *offset = 0;
    return true;
}

static dh_status backward_expand_like(dh_grad *g)
{
    const dh_reduce_attr *attr = g->call->attr;
    if (!g->need[0]) return DH_OK;
    dh_value d = g->dy[0];
    if (!attr->keepdims) d = dh_emit1(g->to, DH_OP_SUM, attr, d);
    g->dx[0] = dh_emit2(g->to, DH_OP_SUM_TO, NULL, d, g->in[0]);
    return g->to->status;
}

static const dh_field expand_fields[] = {
    DH_FIELD(dh_reduce_attr, axes, "axes", 0, -DH_MAX_NDIM, DH_MAX_NDIM - 1,
             "without keepdims: axes of like that x lacks; none: all"),
    DH_FIELD(dh_reduce_attr, keepdims, "keepdims", 1, 0, 1, "false: x lacks axes"),
    DH_FIELD(dh_reduce_attr, ddof, NULL, 0, 0, 1e9, "not used"),
    {0}};

const dh_op dh_op_expand_like = {.name = "expand_like",
                                 .in_min = 2,
                                 .in_max = 2,
                                 .dtypes = DH_MASK_ANY,
                                 .like = 2,
                                 .attr_size = sizeof(dh_reduce_attr),
                                 .fields = expand_fields,
                                 .infer = infer_expand_like,
                                 .view = view_expand_like,
                                 .backward = backward_expand_like,
                                 .flops = dh__no_flops};

/* --- fill_like --- */

static dh_status infer_fill_like(dh_call *call)
{
    const dh_view *like = &call->in[0];
    return set_shape(&call->out[0], like->dtype, like->ndim, like->shape);
}

/* Opaque, because a check would refuse NaN, which is as good a value as any. */
static const dh_field fill_fields[] = {{.name = "value",
                                        .kind = DH_FIELD_OPAQUE,
                                        .offset = offsetof(dh_fill_attr, value),
                                        .size = sizeof(double),
                                        .help = "every element, rounded as a cast"},
                                       {0}};

const dh_op dh_op_fill_like = {.name = "fill_like",
                               .in_min = 1,
                               .in_max = 1,
                               .dtypes = DH_MASK_ANY,
                               .flags = DH_OP_CHEAP,
                               .like = 1,
                               .attr_size = sizeof(dh_fill_attr),
                               .fields = fill_fields,
                               .infer = infer_fill_like,
                               .no_grad = "the result does not depend on the values of like",
                               .flops = dh__no_flops};
