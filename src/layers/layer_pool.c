/* SPDX-License-Identifier: MIT */
/* Pooling, upsampling, borders. */
#include <string.h>

#include "layer_windows.h"

/* One for each op. */
#define EMIT(name, T, suffix, ...)                                                                 \
    static dh_value name##_##suffix(dh__build *b, const void *args, int count, const dh_value *in) \
    {                                                                                              \
        DH_UNUSED(count);                                                                          \
        return name(b, (const T *)args, in[0], __VA_ARGS__);                                       \
    }

/* --- windows --- */

static dh_value pool_emit(dh__build *b, const dh_pool_args *a, dh_value x, int op, int ndim)
{
    dh__window_args args = {.size = a->pool_size,
                            .strides = a->strides,
                            .size_default = 2,
                            .padding = a->padding,
                            .pads = a->pads};
    dh__layer_windows w;
    dh_status status = dh__windows_read(&w, dh__graph_view(b->graph, x), ndim, &args);
    if (!status) status = dh__windows_pad(&w, &args, false, NULL);
    if (!status && a->count_pads && op == DH_OP_MAX_POOL)
        status = dh_fail(DH_EINVAL, "count_pads is of averages");
    if (status) return dh__emit_fail(b->graph, status);
    dh_pool_attr attr = {.kernel_shape = dh__ints(ndim, w.size),
                         .strides = dh__ints(ndim, w.stride),
                         .pads = w.pads,
                         .ceil_mode = a->ceil_mode,
                         .count_include_pad = a->count_pads};
    return dh_emit1(&b->graph->emitter, op, &attr, x);
}

static const dh_field pool_fields[] = {
    DH_LIST_FIELD(dh_pool_args, pool_size, "lengths of the window, 2 by default"),
    DH_LIST_FIELD(dh_pool_args, strides, "its steps, pool_size by default"),
    DH_FIELD(dh_pool_args, padding, NULL, 0, 0, 0, "valid or same"),
    DH_LIST_FIELD(dh_pool_args, pads, "before each spatial axis, then after each"),
    DH_FIELD(dh_pool_args, ceil_mode, NULL, 0, 0, 1, "a last window may be cut off"),
    DH_FIELD(dh_pool_args, count_pads, NULL, 0, 0, 1, "averages divide by the padding too"),
    DH_FIELD(dh_pool_args, name, NULL, 0, 0, 0, "name of the layer"),
    {0}};

EMIT(pool_emit, dh_pool_args, max1, DH_OP_MAX_POOL, 1)
EMIT(pool_emit, dh_pool_args, max2, DH_OP_MAX_POOL, 2)
EMIT(pool_emit, dh_pool_args, max3, DH_OP_MAX_POOL, 3)
EMIT(pool_emit, dh_pool_args, average1, DH_OP_AVG_POOL, 1)
EMIT(pool_emit, dh_pool_args, average2, DH_OP_AVG_POOL, 2)
EMIT(pool_emit, dh_pool_args, average3, DH_OP_AVG_POOL, 3)
DH_LAYER(max_pool1d, "MaxPooling1D", "MaxPool1D", dh_pool_args, pool_fields, pool_emit_max1)
DH_LAYER(max_pool2d, "MaxPooling2D", "MaxPool2D", dh_pool_args, pool_fields, pool_emit_max2)
DH_LAYER(max_pool3d, "MaxPooling3D", "MaxPool3D", dh_pool_args, pool_fields, pool_emit_max3)
DH_LAYER(average_pool1d, "AveragePooling1D", "AveragePool1D, AvgPool1D", dh_pool_args, pool_fields,
         pool_emit_average1)
DH_LAYER(average_pool2d, "AveragePooling2D", "AveragePool2D, AvgPool2D", dh_pool_args, pool_fields,
         pool_emit_average2)
DH_LAYER(average_pool3d, "AveragePooling3D", "AveragePool3D, AvgPool3D", dh_pool_args, pool_fields,
         pool_emit_average3)

/* --- all of a channel, and bins --- */

static dh_value global_emit(dh__build *b, const dh_global_pool_args *a, dh_value x, int op)
{
    const dh_view *v = dh__graph_view(b->graph, x);
    dh_reduce_attr attr = {.keepdims = a->keepdims};
    dh_status status = dh__check_spatial(v, 0);
    if (status) return dh__emit_fail(b->graph, status);
    for (int i = 2; i < v->ndim; i++) attr.axes.v[attr.axes.count++] = i;
    return dh_emit1(&b->graph->emitter, op, &attr, x);
}

static const dh_field global_fields[] = {
    DH_FIELD(dh_global_pool_args, keepdims, NULL, 0, 0, 1, "keeps axes of length 1"),
    DH_FIELD(dh_global_pool_args, name, NULL, 0, 0, 0, "name of the layer"),
    {0}};

EMIT(global_emit, dh_global_pool_args, max, DH_OP_MAX)
EMIT(global_emit, dh_global_pool_args, average, DH_OP_MEAN)
DH_LAYER(global_max_pool, "GlobalMaxPooling1D, 2D, 3D", "GlobalMaxPool1D, 2D, 3D",
         dh_global_pool_args, global_fields, global_emit_max)
DH_LAYER(global_average_pool, "GlobalAveragePooling1D, 2D, 3D", "GlobalAveragePool1D, 2D, 3D",
         dh_global_pool_args, global_fields, global_emit_average)

static dh_value adaptive_emit(dh__build *b, const dh_adaptive_pool_args *a, dh_value x, int op)
{
    const dh_view *v = dh__graph_view(b->graph, x);
    dh_status status = dh__check_spatial(v, 0);
    if (status) return dh__emit_fail(b->graph, status);
    dh_pool_attr attr = {.bins.count = v->ndim - 2};
    for (int i = 0; i < v->ndim - 2; i++) {
        int bins = a->output_size[i] ? a->output_size[i] : a->output_size[0];
        if (bins < 1)
            return dh__emit_fail(
                b->graph, dh_fail(DH_EINVAL, "output_size[%d] is %d, must be at least 1", i, bins));
        attr.bins.v[i] = bins;
    }
    return dh_emit1(&b->graph->emitter, op, &attr, x);
}

static const dh_field adaptive_fields[] = {
    DH_LIST_FIELD(dh_adaptive_pool_args, output_size, "of each spatial axis"),
    DH_FIELD(dh_adaptive_pool_args, name, NULL, 0, 0, 0, "name of the layer"),
    {0}};

EMIT(adaptive_emit, dh_adaptive_pool_args, max, DH_OP_MAX_POOL)
EMIT(adaptive_emit, dh_adaptive_pool_args, average, DH_OP_AVG_POOL)
DH_LAYER(adaptive_max_pool, "AdaptiveMaxPooling1D, 2D, 3D", NULL, dh_adaptive_pool_args,
         adaptive_fields, adaptive_emit_max)
DH_LAYER(adaptive_average_pool, "AdaptiveAveragePooling1D, 2D, 3D", NULL, dh_adaptive_pool_args,
         adaptive_fields, adaptive_emit_average)

/* --- size --- */

static dh_value upsampling_emit(dh__build *b, const void *args, int count, const dh_value *in)
{
    const dh_upsampling_args *a = args;
    const dh_view *v = dh__graph_view(b->graph, in[0]);
    const char *how = a->interpolation ? a->interpolation : "nearest";
    char hint[96];
    DH_UNUSED(count);
    dh_status status = dh__check_spatial(v, 0);
    int mode = dh__choice_index("nearest|linear", how);
    if (!status && mode < 0)
        status = dh_fail(DH_ENAME, "no interpolation \"%s\"%s", how,
                         dh__suggest_choices(hint, sizeof hint, how, "nearest|linear"));
    dh_resize_attr attr = {.sizes.count = v->ndim - 2, .mode = mode};
    for (int i = 0; i < v->ndim - 2 && !status; i++) {
        int factor = a->size[i] ? a->size[i] : a->size[0] ? a->size[0] : 2;
        if (factor < 1 || !dh__mul_int64(v->shape[2 + i], factor, &attr.sizes.v[i]))
            status = dh_fail(DH_EINVAL, "size[%d] is %d, spatial axis %d has %lld", i, factor, i,
                             (long long)v->shape[2 + i]);
    }
    if (status) return dh__emit_fail(b->graph, status);
    return dh_emit1(&b->graph->emitter, DH_OP_RESIZE, &attr, in[0]);
}

static const dh_field upsampling_fields[] = {
    DH_LIST_FIELD(dh_upsampling_args, size, "factors, 2 by default"),
    DH_FIELD(dh_upsampling_args, interpolation, NULL, 0, 0, 0, "nearest or linear"),
    DH_FIELD(dh_upsampling_args, name, NULL, 0, 0, 0, "name of the layer"),
    {0}};
DH_LAYER(upsampling, "UpSampling1D, 2D, 3D", "UpSampling2D, 3D", dh_upsampling_args,
         upsampling_fields, upsampling_emit)

static dh_value border_emit(dh__build *b, const dh_border_args *a, dh_value x, int op)
{
    const dh_view *v = dh__graph_view(b->graph, x);
    dh_status status = dh__check_spatial(v, 0);
    if (status) return dh__emit_fail(b->graph, status);
    int ndim = v->ndim - 2;
    dh_pad_attr attr = {.pads.count = 2 * v->ndim};
    for (int i = 0; i < 6; i++) {
        if (a->border[i] < 0 || (i >= 2 * ndim && a->border[i]))
            return dh__emit_fail(b->graph,
                                 dh_fail(DH_EINVAL,
                                         "border[%d] is %d; x has %d spatial axes, each of which "
                                         "has two, at least 0",
                                         i, a->border[i], ndim));
        if (i < ndim) attr.pads.v[2 + i] = a->border[i];
        if (i >= ndim && i < 2 * ndim) attr.pads.v[v->ndim + 2 + i - ndim] = a->border[i];
    }
    return dh_emit1(&b->graph->emitter, op, &attr, x);
}

static const dh_field border_fields[] = {
    DH_LIST_FIELD(dh_border_args, border, "before each spatial axis, then after each"),
    DH_FIELD(dh_border_args, name, NULL, 0, 0, 0, "name of the layer"),
    {0}};

EMIT(border_emit, dh_border_args, pad, DH_OP_PAD)
EMIT(border_emit, dh_border_args, crop, DH_OP_PAD_DX)
DH_LAYER(zero_padding, "ZeroPadding1D, 2D, 3D", "Pad", dh_border_args, border_fields,
         border_emit_pad)
DH_LAYER(cropping, "Cropping1D, 2D, 3D", "Crop", dh_border_args, border_fields, border_emit_crop)
