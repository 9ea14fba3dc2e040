/* SPDX-License-Identifier: MIT */
/* Convolution (cross-correlation, as in every framework), its two gradients, and the transposed
 * convolution, which is the first of them with another name. All share one geometry: a large side
 * [N, C, in...], a weight [O, C / group, k...] and a small side [N, O, out...]; each op makes one
 * of the three from the other two. Dumoulin and Visin 2016. */
#include "op_conv.h"

#include <string.h>

#include "shape.h"

static dh_status check_weight(const dh_view *weight, const dh_view *x, int group, const char *who)
{
    char tw[DH_SHAPE_TEXT], tx[DH_SHAPE_TEXT];
    DH_REQUIRE(weight->ndim == x->ndim, DH_ESHAPE,
               "%s: weight has %d axes, x has %d (weight = %s, x = %s)", who, weight->ndim, x->ndim,
               dh__shape_text(tw, sizeof tw, weight->ndim, weight->shape),
               dh__shape_text(tx, sizeof tx, x->ndim, x->shape));
    DH_REQUIRE(weight->shape[0] % group == 0, DH_ESHAPE,
               "%s: axis 0 of weight %s does not divide into %d groups", who,
               dh__shape_text(tw, sizeof tw, weight->ndim, weight->shape), group);
    return DH_OK;
}

dh_status dh__conv_shape(dh__conv *c, const dh_conv_attr *attr, const dh_view *large,
                         const dh_view *weight, const char *who)
{
    char tw[DH_SHAPE_TEXT], tx[DH_SHAPE_TEXT];
    int ndim = large->ndim - 2;
    DH_TRY(dh__spatial_check(large, who, "x"));
    DH_TRY(check_weight(weight, large, attr->group, who));
    DH_REQUIRE(weight->shape[1] <= INT64_MAX / attr->group &&
                   weight->shape[1] * attr->group == large->shape[1],
               DH_ESHAPE,
               "%s: weight expects %lld input channels in %d groups, x has %lld (weight = "
               "%s, x = %s)",
               who, (long long)weight->shape[1], attr->group, (long long)large->shape[1],
               dh__shape_text(tw, sizeof tw, weight->ndim, weight->shape),
               dh__shape_text(tx, sizeof tx, large->ndim, large->shape));
    DH_TRY(dh__windows_set(&c->w, ndim, &attr->strides, &attr->dilations, &attr->pads, who));
    dh__spatial(c->w.in, large);
    dh__spatial(c->w.size, weight);
    DH_TRY(dh__windows_slide(&c->w, who));
    c->n = large->shape[0];
    c->groups = attr->group;
    c->in_channels = weight->shape[1];
    c->out_channels = weight->shape[0] / attr->group;
    return DH_OK;
}

static void small_side(dh_view *y, const dh__conv *c, const dh_view *like)
{
    y->dtype = like->dtype;
    y->ndim = like->ndim;
    y->shape[0] = c->n;
    y->shape[1] = c->out_channels * c->groups;
    for (int i = 0; i < c->w.ndim; i++) y->shape[2 + i] = c->w.out[3 - c->w.ndim + i];
}

/* Input k has one number for each of the result's channels. */
static dh_status check_bias(const dh_call *call, int k, int count, int64_t channels,
                            const char *who)
{
    static const char *const norms[] = {"gamma", "beta", "mean", "var"};
    char text[DH_SHAPE_TEXT];
    const dh_view *v = &call->in[k];
    int norm = k - (count - 4);
    DH_REQUIRE(v->ndim == 1 && v->shape[0] == channels, DH_ESHAPE,
               "%s: %s is %s, needs one axis of %lld", who,
               count > 3 && norm >= 0 ? norms[norm] : "bias",
               dh__shape_text(text, sizeof text, v->ndim, v->shape), (long long)channels);
    return DH_OK;
}

static int parameters_of(const dh_call *call)
{
    return call->in_count - 1 - ((const dh_conv_attr *)call->attr)->add;
}

/* What is added to y has its shape. */
static dh_status check_summand(const dh_call *call, const dh_view *y)
{
    const dh_view *add = &call->in[call->in_count - 1];
    char a[DH_SHAPE_TEXT], b[DH_SHAPE_TEXT];
    DH_REQUIRE(dh__same_shape(add, y), DH_ESHAPE, "conv: what is added is %s, the result %s",
               dh__shape_text(a, sizeof a, add->ndim, add->shape),
               dh__shape_text(b, sizeof b, y->ndim, y->shape));
    return DH_OK;
}

/* Of y the maxima of windows of 2x2: the last row and column of an odd number have no part in them.
 */
static dh_status halve(dh_view *y, const dh_conv_attr *attr)
{
    DH_REQUIRE(y->ndim == 4 && !attr->add, DH_EUNSUPPORTED,
               "conv: pool needs two spatial axes and no add, there are %d and %s", y->ndim - 2,
               attr->add ? "add" : "none");
    for (int i = 2; i < 4; i++) {
        DH_REQUIRE(y->shape[i] >= 2, DH_ESHAPE,
                   "conv: pool takes 2 positions of spatial axis %d, there is %lld", i - 2,
                   (long long)y->shape[i]);
        y->shape[i] /= 2;
    }
    return DH_OK;
}

static dh_status infer_conv(dh_call *call)
{
    int count = parameters_of(call) + 1;
    dh__conv c;
    DH_REQUIRE(count >= 2, DH_EINVAL,
               "conv: has %d inputs, with add the last of at least 3 is added", call->in_count);
    DH_TRY(dh__conv_shape(&c, call->attr, &call->in[0], &call->in[1], "conv"));
    DH_REQUIRE(count < 4 || (count > 5 && count < 8), DH_EINVAL,
               "conv: has %d inputs, must be 2 or 3, or 4 more, and one more that is added",
               call->in_count);
    for (int k = 2; k < count; k++)
        DH_TRY(check_bias(call, k, count, c.out_channels * c.groups, "conv"));
    small_side(&call->out[0], &c, &call->in[0]);
    if (((const dh_conv_attr *)call->attr)->pool) DH_TRY(halve(&call->out[0], call->attr));
    return count < call->in_count ? check_summand(call, &call->out[0]) : DH_OK;
}

/* The given small side must be what the other two make. */
static dh_status check_small(const dh_view *dy, const dh__conv *c, const dh_view *like,
                             const char *who)
{
    dh_view want = *dy;
    char a[DH_SHAPE_TEXT], b[DH_SHAPE_TEXT];
    small_side(&want, c, like);
    DH_REQUIRE(dh__same_shape(dy, &want), DH_ESHAPE, "%s: dy is %s, must be %s", who,
               dh__shape_text(a, sizeof a, dy->ndim, dy->shape),
               dh__shape_text(b, sizeof b, want.ndim, want.shape));
    return DH_OK;
}

static void same_as(dh_view *out, const dh_view *like)
{
    out->dtype = like->dtype;
    out->ndim = like->ndim;
    memcpy(out->shape, like->shape, sizeof out->shape);
}

static dh_status infer_conv_dx(dh_call *call)
{
    dh__conv c;
    const dh_view *dy = &call->in[0], *weight = &call->in[1], *like = &call->in[2];
    DH_TRY(dh__conv_shape(&c, call->attr, like, weight, "conv_dx"));
    DH_TRY(check_small(dy, &c, like, "conv_dx"));
    same_as(&call->out[0], like);
    return DH_OK;
}

static dh_status infer_conv_dw(dh_call *call)
{
    dh__conv c;
    const dh_view *x = &call->in[0], *dy = &call->in[1], *like = &call->in[2];
    DH_TRY(dh__conv_shape(&c, call->attr, x, like, "conv_dw"));
    DH_TRY(check_small(dy, &c, x, "conv_dw"));
    same_as(&call->out[0], like);
    return DH_OK;
}

/* --- transposed --- */

/* Spatial lengths of y, whose convolution has the size of x. */
static dh_status transposed_lengths(dh_view *y, const dh_view *x, const dh_view *weight,
                                    const dh_conv_attr *attr)
{
    dh__windows w;
    int ndim = x->ndim - 2;
    const dh_ints *more = &attr->output_padding;
    DH_TRY(
        dh__windows_set(&w, ndim, &attr->strides, &attr->dilations, &attr->pads, "conv_transpose"));
    DH_REQUIRE(!more->count || more->count == ndim, DH_ESHAPE,
               "conv_transpose: output_padding has %d numbers, %d spatial axes need %d",
               more->count, ndim, ndim);
    for (int i = 0; i < ndim; i++) {
        int at = 3 - ndim + i;
        int64_t extra = more->count ? more->v[i] : 0, steps, extent, length;
        DH_REQUIRE(extra >= 0 && extra < w.stride[at], DH_EINVAL,
                   "conv_transpose: output_padding[%d] is %lld, must be less than the stride %lld",
                   i, (long long)extra, (long long)w.stride[at]);
        bool fits = !__builtin_mul_overflow(x->shape[2 + i] - 1, w.stride[at], &steps) &&
                    !__builtin_mul_overflow(weight->shape[2 + i] - 1, w.dilation[at], &extent) &&
                    !__builtin_add_overflow(steps, extent + 1 + extra, &length);
        length = fits ? length - w.begin[at] - w.end[at] : -1;
        DH_REQUIRE(length > 0 && x->shape[2 + i] > 0, DH_ESHAPE,
                   "conv_transpose: spatial axis %d of length %lld with a window of %lld and pads "
                   "%lld and %lld leaves nothing",
                   i, (long long)x->shape[2 + i], (long long)weight->shape[2 + i],
                   (long long)w.begin[at], (long long)w.end[at]);
        y->shape[2 + i] = length;
    }
    return DH_OK;
}

static dh_status infer_conv_transpose(dh_call *call)
{
    const dh_conv_attr *attr = call->attr;
    const dh_view *x = &call->in[0], *weight = &call->in[1];
    dh_view *y = &call->out[0];
    char tw[DH_SHAPE_TEXT], tx[DH_SHAPE_TEXT];
    DH_TRY(dh__spatial_check(x, "conv_transpose", "x"));
    DH_TRY(check_weight(weight, x, attr->group, "conv_transpose"));
    DH_REQUIRE(
        weight->shape[0] == x->shape[1], DH_ESHAPE,
        "conv_transpose: weight expects %lld input channels, x has %lld (weight = %s, x = %s)",
        (long long)weight->shape[0], (long long)x->shape[1],
        dh__shape_text(tw, sizeof tw, weight->ndim, weight->shape),
        dh__shape_text(tx, sizeof tx, x->ndim, x->shape));
    y->dtype = x->dtype;
    y->ndim = x->ndim;
    y->shape[0] = x->shape[0];
    DH_REQUIRE(dh__mul_int64(weight->shape[1], attr->group, &y->shape[1]), DH_EOVERFLOW,
               "conv_transpose: %d groups of %lld channels do not fit", attr->group,
               (long long)weight->shape[1]);
    if (call->in_count > 2) DH_TRY(check_bias(call, 2, 3, y->shape[1], "conv_transpose"));
    return transposed_lengths(y, x, weight, attr);
}

/* --- gradients: each op is linear in its two inputs, and the others are its derivatives --- */

static dh_value emit_like(dh_grad *g, int op, dh_value a, dh_value b, dh_value like)
{
    dh_conv_attr attr = *(const dh_conv_attr *)g->call->attr;
    attr.act = DH_ACT_NONE;
    attr.add = false;
    return dh_emit3(g->to, op, &attr, a, b, like);
}

/* Over all axes but the channels. */
static dh_value bias_gradient(dh_grad *g, dh_value dz)
{
    dh_reduce_attr rest = {.axes = {1, {0}}};
    for (int i = 2; i < g->call->in[0].ndim; i++) rest.axes.v[rest.axes.count++] = i;
    return dh_emit1(g->to, DH_OP_SUM, &rest, dz);
}

static dh_status backward_conv(dh_grad *g)
{
    const dh_conv_attr *attr = g->call->attr;
    int last = g->call->in_count - 1, count = parameters_of(g->call) + 1;
    DH_REQUIRE(count <= 3, DH_EUNSUPPORTED,
               "conv: normalised by the way it has no gradient; batch_norm behind it has one");
    DH_REQUIRE(!attr->pool, DH_EUNSUPPORTED,
               "conv: pooled by the way it has no gradient; max_pool behind it has one");
    dh_value x = g->in[0], weight = g->in[1], dz = dh__act_dx(g, attr->act, attr->alpha);
    /* x may go before its gradient needs memory */
    if (g->need[1]) g->dx[1] = emit_like(g, DH_OP_CONV_DW, x, dz, weight);
    if (count > 2 && g->need[2]) g->dx[2] = bias_gradient(g, dz);
    if (g->need[0]) g->dx[0] = emit_like(g, DH_OP_CONV_DX, dz, weight, x);
    if (attr->add && g->need[last]) g->dx[last] = dz;
    return g->to->status;
}

static dh_status backward_conv_dx(dh_grad *g)
{
    dh_value small = g->in[0], weight = g->in[1], dlarge = g->dy[0];
    if (g->need[0]) g->dx[0] = dh_emit2(g->to, DH_OP_CONV, g->call->attr, dlarge, weight);
    if (g->need[1]) g->dx[1] = emit_like(g, DH_OP_CONV_DW, dlarge, small, weight);
    return g->to->status;
}

static dh_status backward_conv_dw(dh_grad *g)
{
    dh_value large = g->in[0], small = g->in[1], dweight = g->dy[0];
    if (g->need[0]) g->dx[0] = emit_like(g, DH_OP_CONV_DX, small, dweight, large);
    if (g->need[1]) g->dx[1] = dh_emit2(g->to, DH_OP_CONV, g->call->attr, large, dweight);
    return g->to->status;
}

static dh_status backward_conv_transpose(dh_grad *g)
{
    dh_value x = g->in[0], weight = g->in[1], dy = g->dy[0];
    dh_conv_attr attr = *(const dh_conv_attr *)g->call->attr;
    attr.output_padding.count = 0;
    if (g->need[1]) g->dx[1] = dh_emit3(g->to, DH_OP_CONV_DW, &attr, dy, x, weight);
    if (g->call->in_count > 2 && g->need[2]) g->dx[2] = bias_gradient(g, dy);
    if (g->need[0]) g->dx[0] = dh_emit2(g->to, DH_OP_CONV, &attr, dy, weight);
    return g->to->status;
}

/* 2 for each weight at each position of the small side. */
static double conv_flops(const dh_call *call, const dh_view *small, const dh_view *weight)
{
    DH_UNUSED(call);
    double each = weight->shape[0] ? (double)dh__view_count(weight) / (double)weight->shape[0] : 0;
    return 2 * (double)dh__view_count(small) * each;
}

static double flops_conv(const dh_call *call)
{
    int positions = ((const dh_conv_attr *)call->attr)->pool ? 4 : 1;
    return positions * conv_flops(call, &call->out[0], &call->in[1]);
}

static double flops_conv_dx(const dh_call *call)
{
    return conv_flops(call, &call->in[0], &call->in[1]);
}

static double flops_conv_dw(const dh_call *call)
{
    return conv_flops(call, &call->in[1], &call->out[0]);
}

static const dh_field conv_fields[] = {
    DH_FIELD(dh_conv_attr, strides, "strides", 1, 1, 1e9, "from window to window"),
    DH_FIELD(dh_conv_attr, dilations, "dilations", 1, 1, 1e9, "from element to element"),
    DH_FIELD(dh_conv_attr, pads, "pads", 0, 0, 1e9, "zeros before each spatial axis, then after"),
    DH_FIELD(dh_conv_attr, group, "group", 1, 1, 1e9, "channels are dealt to so many"),
    DH_FIELD_NAMED(dh_conv_attr, act, NULL, DH_ACT_CHOICES, "what follows the sum"),
    DH_FIELD(dh_conv_attr, alpha, NULL, 0.01, 0, 1e300, "slope of leaky_relu below 0"),
    DH_FIELD(dh_conv_attr, epsilon, NULL, 1e-5, 0, 1e9, "added to the variance, if there is one"),
    DH_FIELD(dh_conv_attr, add, NULL, 0, 0, 1, "the last input is added before what follows"),
    DH_FIELD(dh_conv_attr, pool, NULL, 0, 0, 1, "maxima of windows of 2x2, 2 apart, follow"),
    {0}};

static const dh_field gradient_fields[] = {
    DH_FIELD(dh_conv_attr, strides, "strides", 1, 1, 1e9, "from window to window"),
    DH_FIELD(dh_conv_attr, dilations, "dilations", 1, 1, 1e9, "from element to element"),
    DH_FIELD(dh_conv_attr, pads, "pads", 0, 0, 1e9, "zeros before each spatial axis, then after"),
    DH_FIELD(dh_conv_attr, group, "group", 1, 1, 1e9, "channels are dealt to so many"),
    {0}};

static const dh_field transpose_fields[] = {
    DH_FIELD(dh_conv_attr, strides, "strides", 1, 1, 1e9, "from window to window"),
    DH_FIELD(dh_conv_attr, dilations, "dilations", 1, 1, 1e9, "from element to element"),
    DH_FIELD(dh_conv_attr, pads, "pads", 0, 0, 1e9, "cut off before each spatial axis, then after"),
    DH_FIELD(dh_conv_attr, output_padding, "output_padding", 0, 0, 1e9, "more at each axis' end"),
    DH_FIELD(dh_conv_attr, group, "group", 1, 1, 1e9, "channels are dealt to so many"),
    {0}};

#define CONV_OP(id, fields_, in_min_, in_max_, ...)              \
    const dh_op dh_op_##id = {.name = #id,                       \
                              .in_min = in_min_,                 \
                              .in_max = in_max_,                 \
                              .dtypes = DH_MASK_FLOAT,           \
                              .flags = DH_OP_SAME_DTYPE,         \
                              .attr_size = sizeof(dh_conv_attr), \
                              .fields = fields_,                 \
                              .infer = infer_##id,               \
                              .backward = backward_##id,         \
                              __VA_ARGS__}

/* With gamma, beta, mean and var the sum is normalised by them before the activation; a bias, if
 * there is one, comes before them all; what is added, behind them: it alone has the shape of the
 * result, which may take its memory. */
CONV_OP(conv, conv_fields, 2, 8, .inplace = 0xfc, .onnx = "Conv", .flops = flops_conv,
        .parameters = parameters_of, .in_names = "x|weight|bias|gamma|beta|mean|var|add");
CONV_OP(conv_dx, gradient_fields, 3, 3, .like = 1u << 2, .flops = flops_conv_dx,
        .in_names = "dy|weight|x");
CONV_OP(conv_dw, gradient_fields, 3, 3, .like = 1u << 2, .flops = flops_conv_dw,
        .in_names = "x|dy|weight");
CONV_OP(conv_transpose, transpose_fields, 2, 3, .onnx = "ConvTranspose", .flops = flops_conv_dx,
        .in_names = "x|weight|bias");
