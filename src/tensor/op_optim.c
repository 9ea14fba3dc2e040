/* SPDX-License-Identifier: MIT */
/* Optimiser steps: w and its state are updated in place from g. Formulas as PyTorch has them
 * (epsilon outside the root, moments bias-corrected, weight decay added to g except by adamw). lr
 * below is step->learning_rate * lr_scale, t is step->update; "g" includes weight_decay * w.
 *
 *   sgd      m = momentum m + g;  w -= lr m, with nesterov w -= lr (g + momentum m)
 *   adam     m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
 *            w -= lr / (1 - b1^t) * m / (sqrt(v / (1 - b2^t)) + eps)        Kingma, Ba 2015
 *   adamw    the same, and first w *= 1 - lr weight_decay                   Loshchilov, Hutter 2019
 *   amsgrad  adam with max(vmax, v) under the root                          Reddi et al. 2018
 *   adamax   u = max(b2 u, |g| + eps);  w -= lr / (1 - b1^t) * m / u        Kingma, Ba 2015
 *   nadam    mu_t = b1 (1 - 0.5 * 0.96^(0.004 t)), P = product of mu_1 .. mu_t
 *            w -= lr (1 - mu_t) / (1 - P) * g / d
 *               + lr mu_(t+1) / (1 - P mu_(t+1)) * m / d, d as adam's       Dozat 2016
 *   rmsprop  v = rho v + (1 - rho) g^2;  w -= lr g / (sqrt(v) + eps); centered: v - a^2 under the
 * root, a = rho a + (1 - rho) g; with momentum: buf = momentum buf + (that quotient), w -= lr buf
 *   adagrad  s += g^2;  w -= lr g / (sqrt(s) + eps)                         Duchi et al. 2011
 *   adadelta s = rho s + (1 - rho) g^2;  d = sqrt(delta + eps) / sqrt(s + eps) g
 *            delta = rho delta + (1 - rho) d^2;  w -= lr d                  Zeiler 2012 */
#include "base.h"
#include "ops.h"

/* How many outputs there are: one per updated input that is present. */
static int updated_count(const dh_call *call)
{
    int n = 0;
    while (n < DH_OP_MAX_OUT && call->op->updates[n] && call->op->updates[n] <= call->in_count) n++;
    return n;
}

/* Every input has the shape of w; outputs are the updated inputs. */
static dh_status infer_like_w(dh_call *call, int same_count)
{
    char tw[DH_SHAPE_TEXT], tg[DH_SHAPE_TEXT];
    const dh_view *w = &call->in[0];
    for (int i = 1; i < same_count && i < call->in_count; i++)
        DH_REQUIRE(dh__same_shape(w, &call->in[i]), DH_ESHAPE, "%s: input %d is %s, input 0 is %s",
                   call->op->name, i,
                   dh__shape_text(tg, sizeof tg, call->in[i].ndim, call->in[i].shape),
                   dh__shape_text(tw, sizeof tw, w->ndim, w->shape));
    int outputs = updated_count(call);
    for (int j = 0; j < call->out_count && j < outputs; j++) {
        const dh_view *from = &call->in[call->op->updates[j] - 1];
        call->out[j].dtype = from->dtype;
        call->out[j].ndim = from->ndim;
        for (int a = 0; a < from->ndim; a++) call->out[j].shape[a] = from->shape[a];
    }
    return DH_OK;
}

static dh_status need_inputs(const dh_call *call, int count, const char *names)
{
    DH_REQUIRE(call->in_count == count, DH_EINVAL,
               "%s: has %d inputs, these attributes take %d: %s", call->op->name, call->in_count,
               count, names);
    return DH_OK;
}

static dh_status infer_sgd(dh_call *call)
{
    const dh_sgd_attr *attr = call->attr;
    if (attr->momentum != 0)
        DH_TRY(need_inputs(call, 3, "w, g, m"));
    else
        DH_TRY(need_inputs(call, 2, "w, g"));
    DH_REQUIRE(!attr->nesterov || attr->momentum > 0, DH_EINVAL,
               "sgd_step: nesterov is true, momentum is %g, must be above 0", attr->momentum);
    return infer_like_w(call, call->in_count);
}

enum { AMSGRAD = 4 };

static dh_status infer_adam(dh_call *call)
{
    const dh_adam_attr *attr = call->attr;
    if (attr->variant == AMSGRAD) {
        DH_TRY(need_inputs(call, 5, "w, g, m, v, vmax"));
        return infer_like_w(call, 5);
    }
    DH_TRY(need_inputs(call, 4, "w, g, m, v"));
    return infer_like_w(call, 4);
}

static dh_status infer_rmsprop(dh_call *call)
{
    const dh_rmsprop_attr *attr = call->attr;
    DH_TRY(need_inputs(call, 3 + attr->centered + (attr->momentum != 0),
                       "w, g, v, mean_g if centered, buf if momentum is not 0"));
    return infer_like_w(call, call->in_count);
}

static dh_status infer_all(dh_call *call)
{
    return infer_like_w(call, call->in_count);
}

static dh_status infer_clip(dh_call *call)
{
    for (int i = 0; i < call->in_count; i++) {
        DH_REQUIRE(dh_dtype_is_float(call->in[i].dtype), DH_EDTYPE,
                   "clip_norm: input %d is %s, must be a float", i,
                   dh_dtype_name(call->in[i].dtype));
        if (i >= call->out_count) continue;
        call->out[i].dtype = call->in[i].dtype;
        call->out[i].ndim = call->in[i].ndim;
        for (int a = 0; a < call->in[i].ndim; a++) call->out[i].shape[a] = call->in[i].shape[a];
    }
    return DH_OK;
}

#define LR_SCALE(T)      DH_FIELD(T, lr_scale, NULL, 1, 0, 1e9, "factor on the learning rate")
#define DECAY(T)         DH_FIELD(T, weight_decay, NULL, 0, 0, 1e9, "L2 penalty, added to g")
#define MOMENTUM(T)      DH_FIELD(T, momentum, NULL, 0, 0, 1, "share of the last update kept")
#define EPSILON(T, dflt) DH_FIELD(T, epsilon, NULL, dflt, 0, 1, "added to the denominator")

static const dh_field sgd_fields[] = {
    MOMENTUM(dh_sgd_attr),
    DECAY(dh_sgd_attr),
    LR_SCALE(dh_sgd_attr),
    DH_FIELD(dh_sgd_attr, nesterov, NULL, 0, 0, 1, "looks ahead by one step of momentum"),
    {0}};
static const dh_field adam_fields[] = {
    DH_FIELD_NAMED(dh_adam_attr, variant, NULL, "adam|adamw|adamax|nadam|amsgrad", "which rule"),
    DH_FIELD(dh_adam_attr, beta1, NULL, 0.9, 0, 0.9999999, "decay of the first moment"),
    DH_FIELD(dh_adam_attr, beta2, NULL, 0.999, 0, 0.9999999, "decay of the second moment"),
    EPSILON(dh_adam_attr, 1e-8),
    DECAY(dh_adam_attr),
    LR_SCALE(dh_adam_attr),
    {0}};
static const dh_field rmsprop_fields[] = {
    DH_FIELD(dh_rmsprop_attr, rho, NULL, 0.99, 0, 1, "decay of the mean square"),
    EPSILON(dh_rmsprop_attr, 1e-8),
    MOMENTUM(dh_rmsprop_attr),
    DECAY(dh_rmsprop_attr),
    LR_SCALE(dh_rmsprop_attr),
    DH_FIELD(dh_rmsprop_attr, centered, NULL, 0, 0, 1, "variance instead of the mean square"),
    {0}};
static const dh_field adagrad_fields[] = {
    EPSILON(dh_ada_attr, 1e-10), DECAY(dh_ada_attr), LR_SCALE(dh_ada_attr), {0}};
static const dh_field adadelta_fields[] = {
    DH_FIELD(dh_ada_attr, rho, NULL, 0.9, 0, 1, "decay of both mean squares"),
    EPSILON(dh_ada_attr, 1e-6),
    DECAY(dh_ada_attr),
    LR_SCALE(dh_ada_attr),
    {0}};
static const dh_field clip_fields[] = {
    DH_FIELD(dh_clip_attr, max_norm, NULL, 1, 0, 1e300, "largest norm of all gradients together"),
    {0}};

#define OPTIM(NAME, MIN, MAX, OUTS, TYPE, FIELDS, INFER, ...)                \
    const dh_op dh_op_##NAME = {.name = #NAME,                               \
                                .in_min = MIN,                               \
                                .in_max = MAX,                               \
                                .out_count = OUTS,                           \
                                .dtypes = DH_MASK(DH_F32) | DH_MASK(DH_F64), \
                                .flags = DH_OP_SAME_DTYPE,                   \
                                .updates = {__VA_ARGS__},                    \
                                .attr_size = sizeof(TYPE),                   \
                                .fields = FIELDS,                            \
                                .infer = INFER,                              \
                                .no_grad = "an optimiser step is not differentiated"}

OPTIM(sgd_step, 2, 3, 2, dh_sgd_attr, sgd_fields, infer_sgd, 1, 3);
OPTIM(adam_step, 4, 5, 4, dh_adam_attr, adam_fields, infer_adam, 1, 3, 4, 5);
OPTIM(rmsprop_step, 3, 5, 4, dh_rmsprop_attr, rmsprop_fields, infer_rmsprop, 1, 3, 4, 5);
OPTIM(adagrad_step, 3, 3, 2, dh_ada_attr, adagrad_fields, infer_all, 1, 3);
OPTIM(adadelta_step, 4, 4, 3, dh_ada_attr, adadelta_fields, infer_all, 1, 3, 4);

/* g *= max_norm / (norm + 1e-6) where the norm of all inputs together is above max_norm */
const dh_op dh_op_clip_norm = {.name = "clip_norm",
                               .in_min = 1,
                               .in_max = -1,
                               .dtypes = DH_MASK_FLOAT,
                               .updates = {1},
                               .attr_size = sizeof(dh_clip_attr),
                               .fields = clip_fields,
                               .infer = infer_clip,
                               .no_grad = "gradients are clipped after backward"};

/* acc += g */
const dh_op dh_op_accumulate = {.name = "accumulate",
                                .in_min = 2,
                                .in_max = 2,
                                .dtypes = DH_MASK_FLOAT,
                                .flags = DH_OP_SAME_DTYPE,
                                .updates = {1},
                                .infer = infer_all,
                                .no_grad = "sums gradients after backward"};
