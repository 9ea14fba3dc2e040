/* SPDX-License-Identifier: MIT */
/* Convolutions: plain, transposed, depthwise, separable. */
#include <string.h>

#include "layer_windows.h"

/* What the four have in common, as their arguments give it. */
typedef struct filter {
    dh__layer_windows w;
    int64_t in, out, groups; /* channels */
    bool transposed;
    dh_ints output_padding;
} filter;

static dh_conv_attr attr_of(const filter *f)
{
    return (dh_conv_attr){.strides = dh__ints(f->w.ndim, f->w.stride),
                          .dilations = dh__ints(f->w.ndim, f->w.dilation),
                          .pads = f->w.pads,
                          .output_padding = f->output_padding,
                          .group = (int)f->groups};
}

static dh_status check_channels(const filter *f)
{
    DH_REQUIRE(f->groups >= 1, DH_EINVAL, "groups is %lld, must be at least 1",
               (long long)f->groups);
    DH_REQUIRE(f->in % f->groups == 0, DH_ESHAPE,
               "x has %lld channels, which %lld groups do not divide", (long long)f->in,
               (long long)f->groups);
    DH_REQUIRE(f->out % f->groups == 0, DH_ESHAPE,
               "filters is %lld, which %lld groups do not divide", (long long)f->out,
               (long long)f->groups);
    return DH_OK;
}

/* weight [out, in / groups, kernel...], transposed [in, out / groups, kernel...] */
static dh_value weight_of(dh__build *b, const filter *f, const char *suffix,
                          const dh_initializer *init, dh_regularizer reg)
{
    int64_t window = 1;
    for (int i = 0; i < f->w.ndim; i++)
        if (!dh__mul_int64(window, f->w.size[i], &window) || window > INT32_MAX)
            return dh__emit_fail(b->graph, dh_fail(DH_EOVERFLOW, "the kernel is too large"));
    int64_t first = f->transposed ? f->in : f->out, second = f->transposed ? f->out : f->in;
    dh__param p = {.suffix = suffix,
                   .ndim = 2 + f->w.ndim,
                   .shape = {first, second / f->groups},
                   .fan_in = f->in / f->groups * window,
                   .fan_out = f->out / f->groups * window,
                   .init = *init,
                   .default_init = "glorot_uniform",
                   .reg = reg};
    for (int i = 0; i < f->w.ndim; i++) p.shape[2 + i] = f->w.size[i];
    return dh__declare(b, &p);
}

static dh_value bias_of(dh__build *b, const filter *f, const dh_initializer *init,
                        dh_regularizer reg)
{
    dh__param p = {.suffix = "bias",
                   .ndim = 1,
                   .shape = {f->out},
                   .fan_in = f->in / f->groups,
                   .fan_out = f->out,
                   .init = *init,
                   .default_init = "zeros",
                   .reg = reg,
                   .no_decay = true};
    return dh__declare(b, &p);
}

static dh_value filtered(dh__build *b, const filter *f, dh_value x, dh_value weight, dh_value bias)
{
    dh_conv_attr attr = attr_of(f);
    dh_emitter *to = &b->graph->emitter;
    int op = f->transposed ? DH_OP_CONV_TRANSPOSE : DH_OP_CONV;
    return bias == DH_NO_VALUE ? dh_emit2(to, op, &attr, x, weight)
                               : dh_emit3(to, op, &attr, x, weight, bias);
}

static dh_status read_filter(filter *f, const dh_view *x, int ndim, const dh__window_args *args)
{
    DH_TRY(dh__windows_read(&f->w, x, ndim, args));
    DH_TRY(dh__windows_pad(&f->w, args, f->transposed, &f->output_padding));
    f->in = x->shape[1];
    return DH_OK;
}

static dh_value failed(dh__build *b, dh_status status)
{
    return dh__emit_fail(b->graph, status);
}

#define WINDOW_ARGS(a)                                                             \
    {                                                                              \
        .size = (a)->kernel, .strides = (a)->strides, .dilations = (a)->dilations, \
        .stride_default = 1, .padding = (a)->padding, .pads = (a)->pads            \
    }

/* What is not about windows. */
typedef struct rest {
    const dh_initializer *weight_init, *bias_init;
    dh_regularizer weight_reg, bias_reg;
    bool no_bias;
    const char *activation;
    double alpha;
} rest;

#define REST(a)                                                                           \
    {                                                                                     \
        &(a)->weight_init, &(a)->bias_init, (a)->weight_reg, (a)->bias_reg, (a)->no_bias, \
            (a)->activation, (double)(a)->alpha                                           \
    }

/* Weight, bias, filter, activation. */
static dh_value whole(dh__build *b, const filter *f, const rest *r, dh_value x)
{
    dh_value weight = weight_of(b, f, "weight", r->weight_init, r->weight_reg);
    dh_value bias = r->no_bias ? DH_NO_VALUE : bias_of(b, f, r->bias_init, r->bias_reg);
    dh_value y = filtered(b, f, x, weight, bias);
    return dh__activate(b->graph, r->activation, r->alpha, 0, y, b->layer->def->kind);
}

/* --- plain --- */

static dh_value conv_emit(dh__build *b, const dh_conv_args *a, int ndim, dh_value x)
{
    dh__window_args windows = WINDOW_ARGS(a);
    filter f = {.out = a->filters, .groups = a->groups};
    dh_status status = read_filter(&f, dh__graph_view(b->graph, x), ndim, &windows);
    if (!status) status = check_channels(&f);
    if (status) return failed(b, status);
    rest r = REST(a);
    return whole(b, &f, &r, x);
}

#define WINDOW_FIELDS(T)                                                   \
    DH_LIST_FIELD(T, kernel, "lengths of the window"),                     \
        DH_LIST_FIELD(T, strides, "steps of the window"),                  \
        DH_LIST_FIELD(T, dilations, "distances of the kernel's elements"), \
        DH_FIELD(T, padding, NULL, 0, 0, 0, "valid, same, causal"),        \
        DH_LIST_FIELD(T, pads, "before each spatial axis, then after each")
#define COMMON_FIELDS(T)                                                                       \
    DH_FIELD(T, activation, NULL, 0, 0, 0, "name of the activation"),                          \
        DH_FIELD(T, no_bias, NULL, 0, 0, 1, "leaves the bias away"), DH_PARAM_FIELDS(T, bias), \
        DH_FIELD(T, alpha, NULL, 0, -1e6, 1e6, "the activation's alpha; 0: its default"),      \
        DH_NAME_FIELD(T)
#define FILTERS(T) DH_FIELD(T, filters, NULL, 0, 1, 1 << 30, "channels of y")
#define GROUPS(T)  DH_FIELD(T, groups, NULL, 1, 1, 1 << 30, "channels are dealt to so many")
#define MULTIPLIER(T) \
    DH_FIELD(T, depth_multiplier, NULL, 1, 1, 1 << 20, "channels of y for each of x")

static const dh_field conv_fields[] = {
    FILTERS(dh_conv_args),       WINDOW_FIELDS(dh_conv_args),
    GROUPS(dh_conv_args),        DH_PARAM_FIELDS(dh_conv_args, weight),
    COMMON_FIELDS(dh_conv_args), {0}};

/* One for each number of spatial axes. */
#define EMIT(name, T, ndim)                                                                      \
    static dh_value name##_##ndim(dh__build *b, const void *args, int count, const dh_value *in) \
    {                                                                                            \
        DH_UNUSED(count);                                                                        \
        return name(b, (const T *)args, ndim, in[0]);                                            \
    }

EMIT(conv_emit, dh_conv_args, 1)
EMIT(conv_emit, dh_conv_args, 2)
EMIT(conv_emit, dh_conv_args, 3)
DH_LAYER(conv1d, "Conv1D", "Conv1D", dh_conv_args, conv_fields, conv_emit_1)
DH_LAYER(conv2d, "Conv2D", "Conv, Conv2D", dh_conv_args, conv_fields, conv_emit_2)
DH_LAYER(conv3d, "Conv3D", "Conv3D", dh_conv_args, conv_fields, conv_emit_3)

/* --- transposed --- */

static dh_status read_output_padding(filter *f, const dh_conv_transpose_args *a)
{
    bool same = a->padding && !strcmp(a->padding, "same");
    for (int i = 0; i < 3; i++) {
        if (!a->output_padding[i]) continue;
        DH_REQUIRE(i < f->w.ndim, DH_EINVAL, "output_padding[%d] is %d, x has %d spatial axes", i,
                   a->output_padding[i], f->w.ndim);
        DH_REQUIRE(!same, DH_EINVAL, "both padding \"same\" and output_padding are given");
        f->output_padding.count = f->w.ndim;
        f->output_padding.v[i] = a->output_padding[i];
    }
    return DH_OK;
}

static dh_value transpose_emit(dh__build *b, const dh_conv_transpose_args *a, int ndim, dh_value x)
{
    dh__window_args windows = WINDOW_ARGS(a);
    filter f = {.out = a->filters, .groups = a->groups, .transposed = true};
    dh_status status = read_filter(&f, dh__graph_view(b->graph, x), ndim, &windows);
    if (!status) status = read_output_padding(&f, a);
    if (!status) status = check_channels(&f);
    if (status) return failed(b, status);
    rest r = REST(a);
    return whole(b, &f, &r, x);
}

static const dh_field transpose_fields[] = {
    FILTERS(dh_conv_transpose_args),
    WINDOW_FIELDS(dh_conv_transpose_args),
    DH_LIST_FIELD(dh_conv_transpose_args, output_padding, "more at the end of each axis"),
    GROUPS(dh_conv_transpose_args),
    DH_PARAM_FIELDS(dh_conv_transpose_args, weight),
    COMMON_FIELDS(dh_conv_transpose_args),
    {0}};

EMIT(transpose_emit, dh_conv_transpose_args, 1)
EMIT(transpose_emit, dh_conv_transpose_args, 2)
EMIT(transpose_emit, dh_conv_transpose_args, 3)
DH_LAYER(conv1d_transpose, "Conv1DTranspose", NULL, dh_conv_transpose_args, transpose_fields,
         transpose_emit_1)
DH_LAYER(conv2d_transpose, "Conv2DTranspose", "ConvT2D", dh_conv_transpose_args, transpose_fields,
         transpose_emit_2)
DH_LAYER(conv3d_transpose, "Conv3DTranspose", "ConvT3D", dh_conv_transpose_args, transpose_fields,
         transpose_emit_3)

/* --- depthwise and separable --- */

/* Of each channel by itself. */
static dh_status read_depthwise(filter *f, const dh_view *x, int ndim, int multiplier,
                                const dh__window_args *args)
{
    DH_TRY(read_filter(f, x, ndim, args));
    f->groups = f->in;
    DH_REQUIRE(f->in > 0 && f->in <= INT32_MAX, DH_ESHAPE, "x has %lld channels", (long long)f->in);
    f->out = f->in * multiplier;
    return DH_OK;
}

static dh_value depthwise_emit(dh__build *b, const dh_depthwise_conv_args *a, int ndim, dh_value x)
{
    dh__window_args windows = WINDOW_ARGS(a);
    filter f = {0};
    dh_status status =
        read_depthwise(&f, dh__graph_view(b->graph, x), ndim, a->depth_multiplier, &windows);
    if (status) return failed(b, status);
    rest r = REST(a);
    return whole(b, &f, &r, x);
}

static const dh_field depthwise_fields[] = {WINDOW_FIELDS(dh_depthwise_conv_args),
                                            MULTIPLIER(dh_depthwise_conv_args),
                                            DH_PARAM_FIELDS(dh_depthwise_conv_args, weight),
                                            COMMON_FIELDS(dh_depthwise_conv_args),
                                            {0}};

EMIT(depthwise_emit, dh_depthwise_conv_args, 1)
EMIT(depthwise_emit, dh_depthwise_conv_args, 2)
DH_LAYER(depthwise_conv1d, "DepthwiseConv1D", NULL, dh_depthwise_conv_args, depthwise_fields,
         depthwise_emit_1)
DH_LAYER(depthwise_conv2d, "DepthwiseConv2D", "DepthwiseConv2D", dh_depthwise_conv_args,
         depthwise_fields, depthwise_emit_2)

static dh_value separable_emit(dh__build *b, const dh_separable_conv_args *a, int ndim, dh_value x)
{
    dh__window_args windows = WINDOW_ARGS(a);
    filter deep = {0};
    dh_status status =
        read_depthwise(&deep, dh__graph_view(b->graph, x), ndim, a->depth_multiplier, &windows);
    if (status) return failed(b, status);
    filter point = {
        .w = {.ndim = ndim, .size = {1, 1, 1}, .stride = {1, 1, 1}, .dilation = {1, 1, 1}},
        .in = deep.out,
        .out = a->filters,
        .groups = 1};
    dh_value first = weight_of(b, &deep, "depthwise_weight", &a->depthwise_init, a->depthwise_reg);
    dh_value second =
        weight_of(b, &point, "pointwise_weight", &a->pointwise_init, a->pointwise_reg);
    dh_value bias = a->no_bias ? DH_NO_VALUE : bias_of(b, &point, &a->bias_init, a->bias_reg);
    dh_value y = filtered(b, &point, filtered(b, &deep, x, first, DH_NO_VALUE), second, bias);
    return dh__activate(b->graph, a->activation, (double)a->alpha, 0, y, b->layer->def->kind);
}

static const dh_field separable_fields[] = {FILTERS(dh_separable_conv_args),
                                            WINDOW_FIELDS(dh_separable_conv_args),
                                            MULTIPLIER(dh_separable_conv_args),
                                            DH_PARAM_FIELDS(dh_separable_conv_args, depthwise),
                                            DH_PARAM_FIELDS(dh_separable_conv_args, pointwise),
                                            COMMON_FIELDS(dh_separable_conv_args),
                                            {0}};

EMIT(separable_emit, dh_separable_conv_args, 1)
EMIT(separable_emit, dh_separable_conv_args, 2)
DH_LAYER(separable_conv1d, "SeparableConv1D", NULL, dh_separable_conv_args, separable_fields,
         separable_emit_1)
DH_LAYER(separable_conv2d, "SeparableConv2D", NULL, dh_separable_conv_args, separable_fields,
         separable_emit_2)
