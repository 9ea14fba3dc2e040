/* SPDX-License-Identifier: MIT */
/* Softmax, cross entropy, dropout, normalisation: shapes and gradients.
 *
 * softmax: y = exp(x) / sum(exp(x)) along an axis; log_softmax is its logarithm.
 *
 * softmax_cross_entropy: loss[n] = sum_c t[n, c] (log(sum(exp(z[n]))) - z[n, c]); t has the shape
 * and dtype of z, or holds class numbers [n] (i32, i64, u8).
 *
 * dropout: y = x * keep / (1 - rate); keep where a uniform number is at least rate.
 *
 * layer_norm: y = (x - mean) * rstd * gamma + beta over the axes from `axis` on (Ba, Kiros and
 * Hinton 2016); also mean and rstd, of the axes before.
 *
 * batch_norm, batch_norm_train: the same per channel over all other axes (Ioffe and Szegedy 2015),
 * with given statistics or with the batch's own mean and variance, which are outputs too.
 *
 * layer_norm_dx, batch_norm_dx: mean is that of x, rounded; what was cut off is the average of
 * x - mean, and is taken off again. batch_norm_frozen_dx: mean and variance are constants. With a
 * gate, an activation whose result y is the last input, dy is that behind it.
 *
 * running_update: running = momentum * running + (1 - momentum) * batch. The batch's variance is
 * the biased one, as in Keras; PyTorch takes n / (n - 1) of it. */
#include "base.h"
#include "ops.h"

/* --- shapes --- */

static dh_status need_shape(const dh_call *call, int k, int ndim, const int64_t *shape)
{
    const dh_view *v = &call->in[k];
    bool same = v->ndim == ndim;
    for (int a = 0; a < ndim && same; a++) same = v->shape[a] == shape[a];
    char tg[DH_SHAPE_TEXT], tw[DH_SHAPE_TEXT];
    DH_REQUIRE(same, DH_ESHAPE, "%s: input %d is %s, must be %s", call->op->name, k,
               dh__shape_text(tg, sizeof tg, v->ndim, v->shape),
               dh__shape_text(tw, sizeof tw, ndim, shape));
    return DH_OK;
}

static void set_out(dh_call *call, int k, dh_dtype dtype, int ndim, const int64_t *shape)
{
    if (k >= call->out_count) return;
    call->out[k].dtype = dtype;
    call->out[k].ndim = ndim;
    for (int a = 0; a < ndim; a++) call->out[k].shape[a] = shape[a];
}

static dh_status infer_softmax(dh_call *call)
{
    int axis;
    const dh_view *x = &call->in[0];
    DH_TRY(dh__axis(&axis, ((const dh_axis_attr *)call->attr)->axis, x->ndim, call->op->name));
    for (int k = 1; k < call->in_count; k++) DH_TRY(need_shape(call, k, x->ndim, x->shape));
    set_out(call, 0, x->dtype, x->ndim, x->shape);
    return DH_OK;
}

/* Logits z are input k, the target follows. */
static dh_status check_target(const dh_call *call, int k)
{
    const dh_view *z = &call->in[k];
    dh_dtype t = call->in[k + 1].dtype;
    DH_REQUIRE(z->ndim >= 1 && (z->shape[z->ndim - 1] > 0 || !dh__view_count(z)), DH_ESHAPE,
               "%s: logits have %d axes, need a last one of classes", call->op->name, z->ndim);
    if (t == DH_I32 || t == DH_I64 || t == DH_U8)
        return need_shape(call, k + 1, z->ndim - 1, z->shape);
    DH_REQUIRE(t == z->dtype, DH_EDTYPE,
               "%s: target is %s, must be %s like the logits, or i32, i64, u8", call->op->name,
               dh_dtype_name(t), dh_dtype_name(z->dtype));
    return need_shape(call, k + 1, z->ndim, z->shape);
}

static dh_status infer_cross_entropy(dh_call *call)
{
    const dh_view *z = &call->in[0];
    DH_TRY(check_target(call, 0));
    set_out(call, 0, z->dtype, z->ndim - 1, z->shape);
    return DH_OK;
}

static dh_status infer_cross_entropy_dx(dh_call *call)
{
    const dh_view *z = &call->in[1];
    DH_REQUIRE(z->dtype == call->in[0].dtype, DH_EDTYPE, "%s: logits are %s, dloss is %s",
               call->op->name, dh_dtype_name(z->dtype), dh_dtype_name(call->in[0].dtype));
    DH_TRY(check_target(call, 1));
    DH_TRY(need_shape(call, 0, z->ndim - 1, z->shape));
    set_out(call, 0, z->dtype, z->ndim, z->shape);
    return DH_OK;
}

static dh_status infer_same(dh_call *call)
{
    set_out(call, 0, call->in[0].dtype, call->in[0].ndim, call->in[0].shape);
    return DH_OK;
}

static dh_status need_float(const dh_call *call)
{
    for (int k = 1; k < call->in_count; k++)
        DH_REQUIRE(dh_dtype_is_float(call->in[k].dtype), DH_EDTYPE,
                   "%s: input %d is %s, must be a float", call->op->name, k,
                   dh_dtype_name(call->in[k].dtype));
    return DH_OK;
}

static dh_status norm_axis(const dh_call *call, int *axis, const dh_view *x)
{
    DH_TRY(need_float(call));
    return dh__axis(axis, ((const dh_norm_attr *)call->attr)->axis, x->ndim, call->op->name);
}

/* Statistics of halves are kept in f32. */
static dh_dtype statistic_dtype(dh_dtype x)
{
    return x == DH_F64 ? DH_F64 : DH_F32;
}

static dh_status need_count(const dh_call *call, int less, int more)
{
    DH_REQUIRE(call->in_count == less || call->in_count == more, DH_EINVAL,
               "%s: has %d inputs, takes %d, or %d with gamma and beta", call->op->name,
               call->in_count, less, more);
    return DH_OK;
}

static dh_status infer_layer_norm(dh_call *call)
{
    int axis;
    const dh_view *x = &call->in[0];
    DH_TRY(need_count(call, 1, 3));
    DH_TRY(norm_axis(call, &axis, x));
    for (int k = 1; k < call->in_count; k++)
        DH_TRY(need_shape(call, k, x->ndim - axis, x->shape + axis));
    set_out(call, 0, x->dtype, x->ndim, x->shape);
    set_out(call, 1, statistic_dtype(x->dtype), axis, x->shape);
    set_out(call, 2, statistic_dtype(x->dtype), axis, x->shape);
    return DH_OK;
}

/* Inputs dy, x, two statistics and gamma if affine; outputs dx, dgamma, dbeta. */
static dh_status norm_dx(dh_call *call, bool affine, int stat_ndim, const int64_t *stat_shape,
                         int gamma_ndim, const int64_t *gamma_shape)
{
    const dh_view *dy = &call->in[0], *x = &call->in[1];
    DH_REQUIRE(dy->dtype == x->dtype, DH_EDTYPE, "%s: dy is %s, x is %s", call->op->name,
               dh_dtype_name(dy->dtype), dh_dtype_name(x->dtype));
    DH_TRY(need_shape(call, 0, x->ndim, x->shape));
    DH_TRY(need_shape(call, 2, stat_ndim, stat_shape));
    DH_TRY(need_shape(call, 3, stat_ndim, stat_shape));
    if (affine) DH_TRY(need_shape(call, 4, gamma_ndim, gamma_shape));
    dh_dtype d = affine ? call->in[4].dtype : statistic_dtype(x->dtype);
    set_out(call, 0, x->dtype, x->ndim, x->shape);
    set_out(call, 1, d, gamma_ndim, gamma_shape);
    set_out(call, 2, d, gamma_ndim, gamma_shape);
    return DH_OK;
}

static dh_status infer_layer_norm_dx(dh_call *call)
{
    int axis;
    const dh_view *x = &call->in[1];
    DH_TRY(norm_axis(call, &axis, x));
    return norm_dx(call, call->in_count == 5, axis, x->shape, x->ndim - axis, x->shape + axis);
}

static dh_status infer_batch_norm(dh_call *call)
{
    int axis;
    const dh_view *x = &call->in[0];
    bool train = call->op == &dh_op_batch_norm_train;
    int add = ((const dh_norm_attr *)call->attr)->add, last = call->in_count - 1;
    DH_TRY(need_count(call, (train ? 1 : 3) + add, (train ? 3 : 5) + add));
    DH_TRY(norm_axis(call, &axis, x));
    for (int k = 1; k <= last - add; k++) DH_TRY(need_shape(call, k, 1, x->shape + axis));
    if (add) DH_TRY(need_shape(call, last, x->ndim, x->shape));
    DH_REQUIRE(!add || call->in[last].dtype == x->dtype, DH_EDTYPE,
               "%s: what is added is %s, x is %s", call->op->name,
               dh_dtype_name(call->in[last].dtype), dh_dtype_name(x->dtype));
    set_out(call, 0, x->dtype, x->ndim, x->shape);
    set_out(call, 1, statistic_dtype(x->dtype), 1, x->shape + axis);
    set_out(call, 2, statistic_dtype(x->dtype), 1, x->shape + axis);
    return DH_OK;
}

static dh_status infer_batch_norm_dx(dh_call *call)
{
    int axis;
    const dh_view *x = &call->in[1];
    int gated = ((const dh_norm_attr *)call->attr)->gate != DH_ACT_NONE, last = call->in_count - 1;
    DH_TRY(need_count(call, 4 + gated, 5 + gated));
    DH_TRY(norm_axis(call, &axis, x));
    if (gated) DH_TRY(need_shape(call, last, x->ndim, x->shape));
    DH_REQUIRE(!gated || call->in[last].dtype == x->dtype, DH_EDTYPE, "%s: y is %s, x is %s",
               call->op->name, dh_dtype_name(call->in[last].dtype), dh_dtype_name(x->dtype));
    return norm_dx(call, call->in_count == 5 + gated, 1, x->shape + axis, 1, x->shape + axis);
}

static dh_status infer_running(dh_call *call)
{
    DH_TRY(need_shape(call, 1, call->in[0].ndim, call->in[0].shape));
    return infer_same(call);
}

/* --- gradients --- */

static dh_status softmax_backward(dh_grad *g)
{
    bool log = g->call->op == &dh_op_log_softmax;
    g->dx[0] = dh_emit2(g->to, log ? DH_OP_LOG_SOFTMAX_DX : DH_OP_SOFTMAX_DX, g->call->attr,
                        g->dy[0], g->out[0]);
    return g->to->status;
}

/* The target gets no gradient. */
static dh_status cross_entropy_backward(dh_grad *g)
{
    if (g->need[0])
        g->dx[0] =
            dh_emit3(g->to, DH_OP_SOFTMAX_CROSS_ENTROPY_DX, NULL, g->dy[0], g->in[0], g->in[1]);
    return g->to->status;
}

/* The same stream at the same position drops the same elements, so no mask is kept. */
static dh_status dropout_backward(dh_grad *g)
{
    g->dx[0] = dh_emit1(g->to, DH_OP_DROPOUT, g->call->attr, g->dy[0]);
    return g->to->status;
}

static dh_status noise_backward(dh_grad *g)
{
    g->dx[0] = g->dy[0];
    return DH_OK;
}

/* first, second: the statistics that the kernel reads; gamma's input number is 1 where there is
 * one. out: gradients by x, gamma and beta, asked for or not. */
static dh_status norm_backward(dh_grad *g, int op, dh_value first, dh_value second, bool affine,
                               dh_value *out)
{
    dh_norm_attr attr = *(const dh_norm_attr *)g->call->attr;
    dh_value dz = dh__act_dx(g, attr.act, attr.alpha);
    dh_value in[5] = {dz, g->in[0], first, second, DH_NO_VALUE};
    bool add = attr.add;
    attr.act = DH_ACT_NONE;
    attr.add = false;
    for (int k = 1; k < g->call->out_count; k++)
        DH_REQUIRE(g->dy[k] == DH_NO_VALUE, DH_EUNSUPPORTED,
                   "%s: a gradient comes to output %d, only output 0 passes one on",
                   g->call->op->name, k);
    if (affine) in[4] = g->in[1];
    DH_TRY(dh_emit(g->to, op, &attr, affine ? 5 : 4, in, out));
    if (g->need[0]) g->dx[0] = out[0];
    if (affine && g->need[1]) g->dx[1] = out[1];
    if (affine && g->need[2]) g->dx[2] = out[2];
    int last = g->call->in_count - 1;
    if (add && g->need[last]) g->dx[last] = dz;
    return DH_OK;
}

static dh_status layer_norm_backward(dh_grad *g)
{
    dh_value out[DH_OP_MAX_OUT];
    return norm_backward(g, DH_OP_LAYER_NORM_DX, g->out[1], g->out[2], g->call->in_count == 3, out);
}

/* Inputs of a batch norm that are added. */
static int added(const dh_grad *g)
{
    return ((const dh_norm_attr *)g->call->attr)->add;
}

static dh_status batch_norm_train_backward(dh_grad *g)
{
    dh_value out[DH_OP_MAX_OUT];
    return norm_backward(g, DH_OP_BATCH_NORM_DX, g->out[1], g->out[2],
                         g->call->in_count - added(g) == 3, out);
}

/* In the dtype of the statistics. */
static dh_value times(dh_grad *g, dh_value statistic, dh_value value)
{
    dh_dtype dtype = g->to->describe(g->to, statistic)->dtype;
    if (g->to->describe(g->to, value)->dtype != dtype)
        value = dh_emit1(g->to, DH_OP_CAST, &(dh_cast_attr){(int)dtype}, value);
    return dh_emit2(g->to, DH_OP_MUL, NULL, statistic, value);
}

/* With rstd = 1 / sqrt(var + epsilon), dmean = -gamma rstd sum(dy) and dvar = -1/2 gamma rstd^2
 * sum(dy (x - mean) rstd), where these sums are the gradients of beta and gamma. mean is input at,
 * var the next. */
static dh_status given_moments_backward(dh_grad *g, int at, dh_value dgamma, dh_value dbeta)
{
    dh_affine_attr shift = {1, ((const dh_norm_attr *)g->call->attr)->epsilon};
    dh_value rstd =
        dh_emit1(g->to, DH_OP_RSQRT, NULL, dh_emit1(g->to, DH_OP_AFFINE, &shift, g->in[at + 1]));
    if (g->to->status) return g->to->status;
    dh_value slope = at == 3 ? times(g, rstd, g->in[1]) : rstd;
    if (g->need[at]) g->dx[at] = dh_emit1(g->to, DH_OP_NEG, NULL, times(g, slope, dbeta));
    if (g->need[at + 1])
        g->dx[at + 1] = dh_emit1(g->to, DH_OP_AFFINE, &(dh_affine_attr){-0.5, 0},
                                 dh_emit2(g->to, DH_OP_MUL, NULL, rstd, times(g, slope, dgamma)));
    return g->to->status;
}

/* Running statistics are constants, those of a batch that several replicas share are not. */
static dh_status batch_norm_backward(dh_grad *g)
{
    bool affine = g->call->in_count - added(g) == 5;
    int at = affine ? 3 : 1;
    dh_value out[DH_OP_MAX_OUT];
    DH_TRY(norm_backward(g, DH_OP_BATCH_NORM_FROZEN_DX, g->in[at], g->in[at + 1], affine, out));
    if (!g->need[at] && !g->need[at + 1]) return DH_OK;
    return given_moments_backward(g, at, out[1], out[2]);
}

/* --- the table --- */

static const dh_field softmax_fields[] = {
    DH_FIELD(dh_axis_attr, axis, "axis", -1, -DH_MAX_NDIM, DH_MAX_NDIM - 1, "axis of the classes"),
    {0}};
static const dh_field dropout_fields[] = {
    DH_FIELD(dh_dropout_attr, rate, NULL, 0.5, 0, 1, "share of elements set to 0"), {0}};
static const dh_field noise_fields[] = {
    DH_FIELD(dh_noise_attr, stddev, NULL, 1, 0, 1e30, "deviation of what is added"), {0}};
static const dh_field layer_norm_fields[] = {
    DH_FIELD(dh_norm_attr, axis, "axis", -1, -DH_MAX_NDIM, DH_MAX_NDIM - 1,
             "first normalised axis"),
    DH_FIELD(dh_norm_attr, epsilon, "epsilon", 1e-5, 0, 1e9, "added to the variance"),
    {0}};
#define BATCH_NORM_FIELDS                                                                         \
    DH_FIELD(dh_norm_attr, axis, NULL, 1, -DH_MAX_NDIM, DH_MAX_NDIM - 1, "axis of the channels"), \
        DH_FIELD(dh_norm_attr, epsilon, "epsilon", 1e-5, 0, 1e9, "added to the variance"),        \
        DH_FIELD(dh_norm_attr, alpha, NULL, 0.01, 0, 1e300, "slope of leaky_relu below 0")
static const dh_field batch_norm_fields[] = {
    BATCH_NORM_FIELDS,
    DH_FIELD_NAMED(dh_norm_attr, act, NULL, DH_ACT_CHOICES, "what follows"),
    DH_FIELD(dh_norm_attr, add, NULL, 0, 0, 1, "the last input is added before what follows"),
    {0}};
static const dh_field batch_norm_dx_fields[] = {
    BATCH_NORM_FIELDS,
    DH_FIELD_NAMED(dh_norm_attr, gate, NULL, DH_ACT_CHOICES, "what dy comes through first"),
    {0}};
static const dh_field running_fields[] = {
    DH_FIELD(dh_norm_attr, momentum, "momentum", 0.9, 0, 1, "share of the old value that is kept"),
    {0}};

static double flops_10(const dh_call *call)
{
    return 10.0 * (double)dh__view_count(&call->in[call->in_count > 1 ? 1 : 0]);
}

static double flops_softmax(const dh_call *call)
{
    return 5.0 * (double)dh__view_count(&call->in[0]);
}

#define SECOND "second derivatives are not offered for this op"
#define NN(NAME, ONNX, MIN, MAX, OUTS, TYPE, FIELDS, INFER, ...) \
    const dh_op dh_op_##NAME = {.name = #NAME,                   \
                                .onnx = ONNX,                    \
                                .in_min = MIN,                   \
                                .in_max = MAX,                   \
                                .out_count = OUTS,               \
                                .dtypes = DH_MASK_FLOAT,         \
                                .attr_size = sizeof(TYPE),       \
                                .fields = FIELDS,                \
                                .infer = INFER,                  \
                                __VA_ARGS__}

NN(softmax, "Softmax", 1, 1, 1, dh_axis_attr, softmax_fields, infer_softmax, .inplace = 1,
   .backward = softmax_backward, .flops = flops_softmax);
NN(log_softmax, "LogSoftmax", 1, 1, 1, dh_axis_attr, softmax_fields, infer_softmax, .inplace = 1,
   .backward = softmax_backward, .flops = flops_softmax);
NN(softmax_dx, NULL, 2, 2, 1, dh_axis_attr, softmax_fields, infer_softmax, .inplace = 3,
   .flags = DH_OP_SAME_DTYPE, .no_grad = SECOND, .flops = flops_softmax);
NN(log_softmax_dx, NULL, 2, 2, 1, dh_axis_attr, softmax_fields, infer_softmax, .inplace = 3,
   .flags = DH_OP_SAME_DTYPE, .no_grad = SECOND, .flops = flops_softmax);

const dh_op dh_op_softmax_cross_entropy = {.name = "softmax_cross_entropy",
                                           .in_min = 2,
                                           .in_max = 2,
                                           .dtypes = DH_MASK_FLOAT,
                                           .infer = infer_cross_entropy,
                                           .backward = cross_entropy_backward,
                                           .flops = flops_softmax};
const dh_op dh_op_softmax_cross_entropy_dx = {.name = "softmax_cross_entropy_dx",
                                              .in_min = 3,
                                              .in_max = 3,
                                              .dtypes = DH_MASK_FLOAT,
                                              .inplace = 6,
                                              .infer = infer_cross_entropy_dx,
                                              .no_grad = SECOND,
                                              .flops = flops_10};

NN(dropout, NULL, 1, 1, 1, dh_dropout_attr, dropout_fields, infer_same, .inplace = 1,
   .flags = DH_OP_RANDOM | DH_OP_CHEAP, .backward = dropout_backward);
NN(gaussian_noise, NULL, 1, 1, 1, dh_noise_attr, noise_fields, infer_same, .inplace = 1,
   .flags = DH_OP_RANDOM, .backward = noise_backward, .flops = flops_10);
NN(layer_norm, NULL, 1, 3, 3, dh_norm_attr, layer_norm_fields, infer_layer_norm, .inplace = 1,
   .flags = DH_OP_CHEAP, .backward = layer_norm_backward, .flops = flops_10);
NN(layer_norm_dx, NULL, 4, 5, 3, dh_norm_attr, layer_norm_fields, infer_layer_norm_dx, .inplace = 3,
   .no_grad = SECOND, .flops = flops_10);
NN(batch_norm, NULL, 3, 6, 1, dh_norm_attr, batch_norm_fields, infer_batch_norm, .inplace = 1,
   .flags = DH_OP_CHEAP, .backward = batch_norm_backward);
NN(batch_norm_train, NULL, 1, 4, 3, dh_norm_attr, batch_norm_fields, infer_batch_norm, .inplace = 1,
   .flags = DH_OP_CHEAP, .backward = batch_norm_train_backward, .flops = flops_10);
NN(batch_norm_dx, NULL, 4, 6, 3, dh_norm_attr, batch_norm_dx_fields, infer_batch_norm_dx,
   .inplace = 3, .no_grad = SECOND, .flops = flops_10);
NN(batch_norm_frozen_dx, NULL, 4, 6, 3, dh_norm_attr, batch_norm_dx_fields, infer_batch_norm_dx,
   .inplace = 3, .no_grad = SECOND, .flops = flops_10);
NN(running_update, NULL, 2, 2, 1, dh_norm_attr, running_fields, infer_running,
   .flags = DH_OP_SAME_DTYPE, .updates = {1},
   .no_grad = "running statistics are not differentiated");
