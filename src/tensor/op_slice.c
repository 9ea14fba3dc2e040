/* SPDX-License-Identifier: MIT */
/* Ops that take parts of tensors and put parts together: slice, concat, pad, tile, each with the op
 * that its gradient needs. */
#include <string.h>

#include "shape.h"

static dh_status same_as(dh_view *out, const dh_view *x)
{
    out->dtype = x->dtype;
    out->ndim = x->ndim;
    for (int i = 0; i < x->ndim; i++) out->shape[i] = x->shape[i];
    return DH_OK;
}

/* The strides of a part, found as a whole view, into an output whose shape is known. */
static bool take_strides(const dh_call *call, const dh_view *part)
{
    memcpy(call->out[0].stride, part->stride, sizeof part->stride);
    return true;
}

/* --- slice --- */

/* One end of a slice; for step < 0 the positions run from n - 1 down to -1. */
static int64_t resolve_end(int64_t value, int64_t omitted, int64_t n, bool backwards)
{
    int64_t low = backwards ? -1 : 0, high = backwards ? n - 1 : n;
    if (value == INT64_MAX) return omitted;
    if (value < 0) value += n;
    return value < low ? low : value > high ? high : value;
}

static dh_status slice_axis(int64_t *first, int64_t *length, int64_t n, const dh_slice_attr *attr,
                            int axis, const char *who)
{
    int64_t step = attr->step[axis], start = attr->start[axis];
    if (attr->drop[axis]) {
        *first = start < 0 ? start + n : start;
        *length = 1;
        DH_REQUIRE(*first >= 0 && *first < n, DH_EINVAL,
                   "%s: index %lld of axis %d is outside its length %lld", who, (long long)start,
                   axis, (long long)n);
        return DH_OK;
    }
    DH_REQUIRE(step != 0 && step != INT64_MIN, DH_EINVAL,
               "%s: step[%d] is %lld, must be neither 0 nor the least integer", who, axis,
               (long long)step);
    bool back = step < 0;
    *first = resolve_end(start, back ? n - 1 : 0, n, back);
    int64_t stop = resolve_end(attr->stop[axis], back ? -1 : n, n, back);
    int64_t span = back ? *first - stop : stop - *first;
    *length = span > 0 ? (span - 1) / (back ? -step : step) + 1 : 0;
    return DH_OK;
}

dh_status dh__slice_view(dh_view *out, int64_t *offset, const dh_view *x, const dh_slice_attr *attr,
                         const char *who)
{
    DH_REQUIRE(attr->count <= x->ndim, DH_ESHAPE, "%s: slices %d axes, x has %d", who, attr->count,
               x->ndim);
    dh_view y = *x;
    int64_t at = 0;
    y.ndim = 0;
    for (int i = 0; i < x->ndim; i++) {
        int64_t first = 0, length = x->shape[i], step = 1;
        if (i < attr->count) {
            DH_TRY(slice_axis(&first, &length, x->shape[i], attr, i, who));
            step = attr->step[i];
        }
        if (length > 0) at += first * x->stride[i];
        if (i < attr->count && attr->drop[i]) continue;
        y.shape[y.ndim] = length;
        y.stride[y.ndim++] = length > 1 ? x->stride[i] * step : x->stride[i];
    }
    *offset = dh__view_count(&y) ? at : 0;
    *out = y;
    return DH_OK;
}

static dh_status infer_slice(dh_call *call)
{
    dh_view part;
    int64_t offset;
    DH_TRY(dh__slice_view(&part, &offset, &call->in[0], call->attr, "slice"));
    return same_as(&call->out[0], &part);
}

static bool view_slice(const dh_call *call, int64_t *offset)
{
    dh_view part;
    return dh__slice_view(&part, offset, &call->in[0], call->attr, "slice") == DH_OK &&
           take_strides(call, &part);
}

static dh_status infer_slice_dx(dh_call *call)
{
    const dh_view *dy = &call->in[0], *like = &call->in[1];
    dh_view part;
    int64_t offset;
    char got[DH_SHAPE_TEXT], want[DH_SHAPE_TEXT];
    DH_TRY(dh__slice_view(&part, &offset, like, call->attr, "slice_dx"));
    DH_REQUIRE(dh__same_shape(&part, dy), DH_ESHAPE, "slice_dx: dy is %s, the slice of like is %s",
               dh__shape_text(got, sizeof got, dy->ndim, dy->shape),
               dh__shape_text(want, sizeof want, part.ndim, part.shape));
    DH_TRY(same_as(&call->out[0], like));
    call->out[0].dtype = dy->dtype;
    return DH_OK;
}

static dh_status backward_slice(dh_grad *g)
{
    if (g->need[0]) g->dx[0] = dh_emit2(g->to, DH_OP_SLICE_DX, g->call->attr, g->dy[0], g->in[0]);
    return g->to->status;
}

static dh_status backward_slice_dx(dh_grad *g)
{
    if (g->need[0]) g->dx[0] = dh_emit1(g->to, DH_OP_SLICE, g->call->attr, g->dy[0]);
    return g->to->status;
}

static const dh_field slice_fields[] = {
    DH_FIELD(dh_slice_attr, count, NULL, 0, 0, DH_MAX_NDIM, "axes described, the rest are whole"),
    DH_FIELD(dh_slice_attr, start, NULL, 0, 0, 0, "first index of each axis"),
    DH_FIELD(dh_slice_attr, stop, NULL, 0, 0, 0, "end of each axis, excluded"),
    DH_FIELD(dh_slice_attr, step, NULL, 0, 0, 0, "step of each axis, not 0"),
    DH_FIELD(dh_slice_attr, drop, NULL, 0, 0, 0, "start is an index and the axis goes"),
    {0}};

const dh_op dh_op_slice = {.name = "slice",
                           .in_min = 1,
                           .in_max = 1,
                           .dtypes = DH_MASK_ANY,
                           .attr_size = sizeof(dh_slice_attr),
                           .fields = slice_fields,
                           .infer = infer_slice,
                           .view = view_slice,
                           .backward = backward_slice,
                           .flops = dh__no_flops};

const dh_op dh_op_slice_dx = {.name = "slice_dx",
                              .in_min = 2,
                              .in_max = 2,
                              .dtypes = DH_MASK_ANY,
                              .like = 2,
                              .attr_size = sizeof(dh_slice_attr),
                              .fields = slice_fields,
                              .infer = infer_slice_dx,
                              .backward = backward_slice_dx,
                              .flops = dh__no_flops};

/* --- concat --- */

/* Sum of the lengths along axis of parts that agree elsewhere. */
static dh_status joined_length(int64_t *out, int *axis, const dh_view *parts, int count,
                               int64_t axis_wanted, const char *who)
{
    DH_REQUIRE(count > 0, DH_EINVAL, "%s: has %d parts, needs one", who, count);
    DH_TRY(dh__axis(axis, axis_wanted, parts[0].ndim, who));
    *out = 0;
    for (int i = 0; i < count; i++) {
        bool fits = parts[i].ndim == parts[0].ndim;
        for (int k = 0; fits && k < parts[0].ndim; k++)
            fits = k == *axis || parts[i].shape[k] == parts[0].shape[k];
        char first[DH_SHAPE_TEXT], other[DH_SHAPE_TEXT];
        DH_REQUIRE(fits, DH_ESHAPE, "%s: x[%d] is %s, x[0] is %s: they may differ in axis %d only",
                   who, i, dh__shape_text(other, sizeof other, parts[i].ndim, parts[i].shape),
                   dh__shape_text(first, sizeof first, parts[0].ndim, parts[0].shape), *axis);
        DH_REQUIRE(!__builtin_add_overflow(*out, parts[i].shape[*axis], out), DH_EOVERFLOW,
                   "%s: the lengths of %d parts along axis %d do not fit", who, count, *axis);
    }
    return DH_OK;
}

static dh_status infer_concat(dh_call *call)
{
    int axis;
    int64_t length;
    DH_TRY(joined_length(&length, &axis, call->in, call->in_count,
                         ((const dh_axis_attr *)call->attr)->axis, "concat"));
    DH_TRY(same_as(&call->out[0], &call->in[0]));
    call->out[0].shape[axis] = length;
    return DH_OK;
}

static dh_status infer_split_like(dh_call *call)
{
    const dh_split_attr *attr = call->attr;
    const dh_view *dy = &call->in[0], *parts = call->in + 1;
    int axis, count = call->in_count - 1;
    int64_t length;
    DH_TRY(joined_length(&length, &axis, parts, count, attr->axis, "split_like"));
    DH_REQUIRE(attr->index < count, DH_EINVAL, "split_like: index is %d, there are %d parts",
               attr->index, count);
    dh_view whole = parts[0];
    whole.shape[axis] = length;
    char got[DH_SHAPE_TEXT], want[DH_SHAPE_TEXT];
    DH_REQUIRE(dh__same_shape(&whole, dy), DH_ESHAPE, "split_like: dy is %s, the parts make %s",
               dh__shape_text(got, sizeof got, dy->ndim, dy->shape),
               dh__shape_text(want, sizeof want, whole.ndim, whole.shape));
    DH_TRY(same_as(&call->out[0], &parts[attr->index]));
    call->out[0].dtype = dy->dtype;
    return DH_OK;
}

void dh__part_view(dh_view *out, int64_t *offset, const dh_view *x, int axis, int64_t start,
                   int64_t length)
{
    dh_view y = *x;
    y.shape[axis] = length;
    *offset = dh__view_count(&y) ? start * x->stride[axis] : 0;
    *out = y;
}

static bool view_split_like(const dh_call *call, int64_t *offset)
{
    const dh_split_attr *attr = call->attr;
    const dh_view *x = &call->in[0];
    int axis = attr->axis < 0 ? attr->axis + x->ndim : attr->axis;
    int64_t start = 0;
    dh_view part;
    for (int i = 0; i < attr->index; i++) start += call->in[1 + i].shape[axis];
    dh__part_view(&part, offset, x, axis, start, call->out[0].shape[axis]);
    return take_strides(call, &part);
}

/* An op with the values in[0 .. count) of g, the first replaced by dy where first is given. */
static dh_status emit_many(dh_grad *g, int op, const void *attr, int count, const dh_value *in,
                           dh_value first, dh_value *out)
{
    dh_value local[16], *all = local;
    int extra = first != DH_NO_VALUE;
    if (count + extra > (int)DH_COUNT(local))
        all = dh__alloc((size_t)(count + extra) * sizeof *all);
    if (!all) return g->to->status = DH_ENOMEM;
    all[0] = first;
    memcpy(all + extra, in, (size_t)count * sizeof *all);
    dh_status status = dh_emit(g->to, op, attr, count + extra, all, out);
    if (all != local) dh__free(all);
    return status;
}

static dh_status backward_concat(dh_grad *g)
{
    dh_split_attr attr = {.axis = ((const dh_axis_attr *)g->call->attr)->axis};
    for (int i = 0; i < g->call->in_count; i++) {
        if (!g->need[i]) continue;
        attr.index = i;
        DH_TRY(
            emit_many(g, DH_OP_SPLIT_LIKE, &attr, g->call->in_count, g->in, g->dy[0], &g->dx[i]));
    }
    return g->to->status;
}

/* Zeros everywhere but at the part. */
static dh_status backward_split_like(dh_grad *g)
{
    const dh_split_attr *attr = g->call->attr;
    int count = g->call->in_count - 1;
    if (!g->need[0]) return DH_OK;
    dh_value *parts = dh__alloc((size_t)count * sizeof *parts);
    if (!parts) return g->to->status = DH_ENOMEM;
    dh_fill_attr zero = {0};
    dh_axis_attr axis = {attr->axis};
    for (int i = 0; i < count; i++)
        parts[i] =
            i == attr->index ? g->dy[0] : dh_emit1(g->to, DH_OP_FILL_LIKE, &zero, g->in[1 + i]);
    if (!g->to->status) dh_emit(g->to, DH_OP_CONCAT, &axis, count, parts, &g->dx[0]);
    dh__free(parts);
    return g->to->status;
}

static const dh_field concat_fields[] = {DH_FIELD(dh_axis_attr, axis, "axis", 0, -DH_MAX_NDIM,
                                                  DH_MAX_NDIM - 1,
                                                  "the axis along which parts join"),
                                         {0}};

static const dh_field split_fields[] = {
    DH_FIELD(dh_split_attr, axis, NULL, 0, -DH_MAX_NDIM, DH_MAX_NDIM - 1, "the axis that is cut"),
    DH_FIELD(dh_split_attr, index, NULL, 0, 0, 2e9, "which of the parts"),
    {0}};

const dh_op dh_op_concat = {.name = "concat",
                            .onnx = "Concat",
                            .in_min = 1,
                            .in_max = -1,
                            .dtypes = DH_MASK_ANY,
                            .flags = DH_OP_SAME_DTYPE,
                            .attr_size = sizeof(dh_axis_attr),
                            .fields = concat_fields,
                            .infer = infer_concat,
                            .backward = backward_concat,
                            .flops = dh__no_flops};

const dh_op dh_op_split_like = {.name = "split_like",
                                .in_min = 2,
                                .in_max = -1,
                                .dtypes = DH_MASK_ANY,
                                .like = ~1u,
                                .attr_size = sizeof(dh_split_attr),
                                .fields = split_fields,
                                .infer = infer_split_like,
                                .view = view_split_like,
                                .backward = backward_split_like,
                                .flops = dh__no_flops};
