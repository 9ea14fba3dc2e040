/* SPDX-License-Identifier: MIT */
/* Embedding, permute, slice, repeat, detach, reductions. */
#include <string.h>

#include "layer_defs.h"

/* --- embedding --- */

static dh_value embedding_emit(dh__build *b, const void *args, int in_count, const dh_value *in)
{
    const dh_embedding_args *a = args;
    const dh_view *x = dh__graph_view(b->graph, in[0]);
    DH_UNUSED(in_count);
    dh__param p = {.suffix = "weight",
                   .ndim = 2,
                   .shape = {a->input_dim, a->output_dim},
                   .fan_in = a->input_dim,
                   .fan_out = a->output_dim,
                   .init = a->weight_init,
                   .default_init = "random_uniform",
                   .reg = a->weight_reg};
    dh_value weight = dh__declare(b, &p), index = in[0];
    if (!(DH_MASK(x->dtype) & DH_MASK_INDEX)) index = dh__emit_cast(b->graph, index, DH_I64);
    return dh_emit2(&b->graph->emitter, DH_OP_TAKE, &(dh_axis_attr){0}, weight, index);
}

static const dh_field embedding_fields[] = {
    DH_FIELD(dh_embedding_args, input_dim, NULL, 0, 1, 1 << 30, "numbers there are"),
    DH_FIELD(dh_embedding_args, output_dim, NULL, 0, 1, 1 << 30, "length of a vector"),
    DH_PARAM_FIELDS(dh_embedding_args, weight),
    DH_NAME_FIELD(dh_embedding_args),
    {0}};
DH_LAYER(embedding, "Embedding", "Embedding", dh_embedding_args, embedding_fields, embedding_emit)

/* --- permute, slice, repeat --- */

static dh_value permute_emit(dh__build *b, const void *args, int in_count, const dh_value *in)
{
    const dh_permute_args *a = args;
    const dh_view *x = dh__graph_view(b->graph, in[0]);
    dh_permute_attr attr = {.axes = {1, {0}}};
    unsigned seen = 1;
    DH_UNUSED(in_count);
    for (int i = 0; i < DH_MAX_NDIM && a->axes[i]; i++) {
        int axis = a->axes[i];
        if (axis < 1 || axis >= x->ndim || seen >> axis & 1)
            return dh__emit_fail(
                b->graph,
                dh_fail(DH_EINVAL, "axes[%d] is %d: each axis of x from 1 to %d is named once", i,
                        axis, x->ndim - 1));
        seen |= 1u << axis;
        attr.axes.v[attr.axes.count++] = axis;
    }
    if (attr.axes.count != x->ndim)
        return dh__emit_fail(b->graph, dh_fail(DH_EINVAL,
                                               "axes has %d numbers, x has %d axes after "
                                               "the batch",
                                               attr.axes.count - 1, x->ndim - 1));
    return dh_emit1(&b->graph->emitter, DH_OP_PERMUTE, &attr, in[0]);
}

static const dh_field permute_fields[] = {
    DH_LIST_FIELD(dh_permute_args, axes, "where the axes of y come from, from axis 1 on"),
    DH_NAME_FIELD(dh_permute_args),
    {0}};
DH_LAYER(permute, "Permute", "Permute", dh_permute_args, permute_fields, permute_emit)

static dh_value slice_emit(dh__build *b, const void *args, int in_count, const dh_value *in)
{
    const dh_slice_args *a = args;
    const dh_view *x = dh__graph_view(b->graph, in[0]);
    dh_slice_attr rest, attr = {.count = x->ndim};
    DH_UNUSED(in_count);
    dh_status status = dh__slice_parse(&rest, x->ndim - 1, a->slices, "slice");
    if (status) return dh__emit_fail(b->graph, status);
    attr.start[0] = attr.stop[0] = INT64_MAX; /* the whole batch */
    attr.step[0] = 1;
    for (int i = 1; i < x->ndim; i++) {
        attr.start[i] = rest.start[i - 1];
        attr.stop[i] = rest.stop[i - 1];
        attr.step[i] = rest.step[i - 1];
        attr.drop[i] = rest.drop[i - 1];
    }
    return dh_emit1(&b->graph->emitter, DH_OP_SLICE, &attr, in[0]);
}

static const dh_field slice_fields[] = {
    DH_FIELD(dh_slice_args, slices, NULL, 0, 0, 0, "parts of the axes after the batch"),
    DH_NAME_FIELD(dh_slice_args),
    {0}};
DH_LAYER(slice, "ops.slice", "Slice, Select", dh_slice_args, slice_fields, slice_emit)

static dh_value select_emit(dh__build *b, const void *args, int in_count, const dh_value *in)
{
    const dh_select_args *a = args;
    int axis;
    DH_UNUSED(in_count);
    if (dh__feature_axis(&axis, a->axis ? a->axis : 1, b->graph, in[0], "select"))
        return DH_NO_VALUE;
    const dh_view *x = dh__graph_view(b->graph, in[0]);
    int64_t length = x->shape[axis], index = a->index < 0 ? a->index + length : a->index;
    if (index < 0 || index >= length)
        return dh__emit_fail(b->graph, dh_fail(DH_EINVAL, "index is %d, axis %d has %lld elements",
                                               a->index, axis, (long long)length));
    dh_slice_attr attr = {.count = x->ndim};
    for (int i = 0; i < x->ndim; i++) { /* all of an axis, whatever its length */
        attr.start[i] = i == axis ? index : INT64_MAX;
        attr.stop[i] = i == axis ? index + 1 : INT64_MAX;
        attr.step[i] = 1;
        attr.drop[i] = i == axis;
    }
    return dh_emit1(&b->graph->emitter, DH_OP_SLICE, &attr, in[0]);
}

static const dh_field select_fields[] = {
    DH_FIELD(dh_select_args, index, NULL, 0, -(1 << 30), 1 << 30, "which element"),
    DH_FIELD(dh_select_args, axis, NULL, 0, -DH_MAX_NDIM, DH_MAX_NDIM - 1,
             "along which axis; 0: 1"),
    DH_NAME_FIELD(dh_select_args),
    {0}};
DH_LAYER(select, "ops.take of one index", NULL, dh_select_args, select_fields, select_emit)

/* [.., n, ..] -> [.., n, 1, ..] -> tiled -> [.., n repeats, ..] */
static dh_value repeat_emit(dh__build *b, const void *args, int in_count, const dh_value *in)
{
    const dh_repeat_args *a = args;
    dh_emitter *to = &b->graph->emitter;
    int axis;
    DH_UNUSED(in_count);
    if (dh__feature_axis(&axis, a->axis ? a->axis : 1, b->graph, in[0], "repeat"))
        return DH_NO_VALUE;
    const dh_view *x = dh__graph_view(b->graph, in[0]);
    int ndim = x->ndim;
    dh_reshape_attr apart = {.shape.count = ndim + 1}, joined = {.shape.count = ndim};
    dh_tile_attr tile = {.repeats.count = ndim + 1};
    if (ndim == DH_MAX_NDIM)
        return dh__emit_fail(
            b->graph, dh_fail(DH_ESHAPE, "x has %d axes, may have %d", ndim, DH_MAX_NDIM - 1));
    for (int i = 0; i <= ndim; i++) { /* axis 0 stays whatever it is */
        tile.repeats.v[i] = i == axis + 1 ? a->repeats : 1;
        apart.shape.v[i] = i == 0          ? 0
                           : i <= axis     ? x->shape[i]
                           : i == axis + 1 ? 1
                                           : x->shape[i - 1];
        if (i < ndim) joined.shape.v[i] = i == 0 ? 0 : x->shape[i];
    }
    if (!dh__mul_int64(x->shape[axis], a->repeats, &joined.shape.v[axis]))
        return dh__emit_fail(b->graph, dh_fail(DH_EOVERFLOW, "%lld elements %d times do not fit",
                                               (long long)x->shape[axis], a->repeats));
    dh_value y = dh_emit1(to, DH_OP_TILE, &tile, dh_emit1(to, DH_OP_RESHAPE, &apart, in[0]));
    return dh_emit1(to, DH_OP_RESHAPE, &joined, y);
}

static const dh_field repeat_fields[] = {
    DH_FIELD(dh_repeat_args, repeats, NULL, 0, 1, 1 << 30, "how often each element comes"),
    DH_FIELD(dh_repeat_args, axis, NULL, 0, -DH_MAX_NDIM, DH_MAX_NDIM - 1,
             "along which axis; 0: 1"),
    DH_NAME_FIELD(dh_repeat_args),
    {0}};
DH_LAYER(repeat, "ops.repeat", "Repeat", dh_repeat_args, repeat_fields, repeat_emit)

static dh_value detach_emit(dh__build *b, const void *args, int in_count, const dh_value *in)
{
    DH_UNUSED(args);
    DH_UNUSED(in_count);
    return dh_emit1(&b->graph->emitter, DH_OP_DETACH, NULL, in[0]);
}

static const dh_field detach_fields[] = {DH_NAME_FIELD(dh_detach_args), {0}};
DH_LAYER(detach, "ops.stop_gradient", "detach", dh_detach_args, detach_fields, detach_emit)

/* --- reductions --- */

static dh_value reduce(dh__build *b, const dh_reduction_args *a, dh_value x, int op)
{
    const dh_view *v = dh__graph_view(b->graph, x);
    dh_reduce_attr attr = {.keepdims = a->keepdims};
    bool argument = op == DH_OP_ARGMAX || op == DH_OP_ARGMIN;
    for (int i = 0; i < DH_MAX_NDIM && a->axes[i]; i++) {
        int axis;
        if (dh__feature_axis(&axis, a->axes[i], b->graph, x, b->layer->def->kind))
            return DH_NO_VALUE;
        attr.axes.v[attr.axes.count++] = axis;
    }
    if (!attr.axes.count)
        for (int i = 1; i < v->ndim; i++) attr.axes.v[attr.axes.count++] = i;
    if (argument && attr.axes.count != 1)
        return dh__emit_fail(b->graph,
                             dh_fail(DH_EINVAL, "axes has %d numbers, needs 1", attr.axes.count));
    if (!attr.axes.count) /* one number a sample; no axes would mean the batch too */
        return dh_emit1(&b->graph->emitter, DH_OP_COPY, NULL, x);
    return dh_emit1(&b->graph->emitter, op, &attr, x);
}

static const dh_field reduce_fields[] = {
    DH_LIST_FIELD(dh_reduction_args, axes, "which go, none: all but the batch"),
    DH_FIELD(dh_reduction_args, keepdims, NULL, 0, 0, 1, "keeps axes of length 1"),
    DH_NAME_FIELD(dh_reduction_args),
    {0}};

#define REDUCE(id, keras_, eddl_, OP)                                                        \
    static dh_value id##_emit(dh__build *b, const void *args, int count, const dh_value *in) \
    {                                                                                        \
        DH_UNUSED(count);                                                                    \
        return reduce(b, (const dh_reduction_args *)args, in[0], OP);                        \
    }                                                                                        \
    DH_LAYER(id, keras_, eddl_, dh_reduction_args, reduce_fields, id##_emit)

REDUCE(reduce_sum, "ops.sum", "ReduceSum", DH_OP_SUM)
REDUCE(reduce_mean, "ops.mean", "ReduceMean", DH_OP_MEAN)
REDUCE(reduce_max, "ops.max", "ReduceMax", DH_OP_MAX)
REDUCE(reduce_min, "ops.min", "ReduceMin", DH_OP_MIN)
REDUCE(reduce_var, "ops.var", "ReduceVar", DH_OP_VAR)
REDUCE(reduce_argmax, "ops.argmax", "ReduceArgMax", DH_OP_ARGMAX)
REDUCE(reduce_argmin, "ops.argmin", NULL, DH_OP_ARGMIN)
