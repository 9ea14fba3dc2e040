/* SPDX-License-Identifier: MIT */
/* What elementwise ops of one input mean. The table is unary.def; here are attributes, shapes and
 * the one gradient op for all of them, unary_dx(dy, s): dy times f' at s, s being f's input or
 * output. */
#include <math.h>

#include "base.h"
#include "ops.h"

static dh_status same_infer(dh_call *call)
{
    call->out[0] = call->in[0];
    return DH_OK;
}

static dh_status bool_infer(dh_call *call)
{
    call->out[0] = call->in[0];
    call->out[0].dtype = DH_BOOL;
    return DH_OK;
}

static dh_status clamp_infer(dh_call *call)
{
    const dh_clamp_attr *a = call->attr;
    DH_REQUIRE(a->min <= a->max, DH_EINVAL, "clamp: min is %g, max is %g, must be in order", a->min,
               a->max);
    return same_infer(call);
}

/* --- attributes --- */

static const dh_field affine_fields[] = {
    DH_FIELD(dh_affine_attr, alpha, NULL, 1, -1e300, 1e300, "factor"),
    DH_FIELD(dh_affine_attr, beta, NULL, 0, -1e300, 1e300, "summand"),
    {0}};
static const dh_field clamp_fields[] = {
    DH_FIELD(dh_clamp_attr, min, "min", -INFINITY, -INFINITY, INFINITY, "lower bound"),
    DH_FIELD(dh_clamp_attr, max, "max", INFINITY, -INFINITY, INFINITY, "upper bound"),
    {0}};
static const dh_field leaky_relu_fields[] = {
    DH_FIELD(dh_act_attr, alpha, "alpha", 0.01, -1e6, 1e6, "slope below 0"), {0}};
static const dh_field thresholded_relu_fields[] = {
    DH_FIELD(dh_act_attr, alpha, "alpha", 1, -1e6, 1e6, "threshold"), {0}};
static const dh_field elu_fields[] = {
    DH_FIELD(dh_act_attr, alpha, "alpha", 1, 0, 1e6, "limit towards minus infinity, negated"), {0}};
static const dh_field unary_dx_fields[] = {
    DH_FIELD(dh_unary_dx_attr, op, NULL, DH_OP_NEG, 0, DH_OP_COUNT - 1, "number of f"),
    DH_FIELD(dh_unary_dx_attr, alpha, NULL, 0, -INFINITY, INFINITY, "f's first number"),
    DH_FIELD(dh_unary_dx_attr, beta, NULL, 0, -INFINITY, INFINITY, "f's second number"),
    {0}};

/* --- gradients --- */

enum { KEEP_ZERO, KEEP_ONE, KEEP_X, KEEP_Y };

static int kept(int op)
{
    switch (op) {
#define UNARY(NAME, name, dtypes, keeps, f, df) \
    case DH_OP_##NAME:                          \
        return KEEP_##keeps;
#include "unary.def"
#undef UNARY
    default: return KEEP_ZERO;
    }
}

/* The numbers of an op's attributes, by which kernels are called. */
void dh__unary_numbers(const dh_op *op, const void *attr, double *p, double *q)
{
    *p = *q = 0;
    if (op == &dh_op_affine) {
        *p = ((const dh_affine_attr *)attr)->alpha;
        *q = ((const dh_affine_attr *)attr)->beta;
    } else if (op == &dh_op_clamp) {
        *p = ((const dh_clamp_attr *)attr)->min;
        *q = ((const dh_clamp_attr *)attr)->max;
    } else if (op->attr_size) {
        *p = ((const dh_act_attr *)attr)->alpha;
    }
}

static dh_status unary_backward(dh_grad *g)
{
    const dh_op *op = g->call->op;
    int id = dh__op_find(op->name), keep = kept(id);
    dh_unary_dx_attr attr = {.op = id};
    dh__unary_numbers(op, g->call->attr, &attr.alpha, &attr.beta);
    if (keep == KEEP_ZERO) return DH_OK;
    /* below a negative slope or threshold y has lost the side that x was on */
    bool sided = op == &dh_op_leaky_relu || op == &dh_op_thresholded_relu;
    if (sided && attr.alpha < 0) keep = KEEP_X;
    if (keep == KEEP_ONE) {
        dh_affine_attr scale = {id == DH_OP_NEG ? -1 : attr.alpha, 0};
        g->dx[0] = dh_emit1(g->to, DH_OP_AFFINE, &scale, g->dy[0]);
        return g->to->status;
    }
    g->dx[0] =
        dh_emit2(g->to, DH_OP_UNARY_DX, &attr, g->dy[0], keep == KEEP_X ? g->in[0] : g->out[0]);
    return g->to->status;
}

static const int act_ops[] = {[DH_ACT_NONE] = -1,
                              [DH_ACT_RELU] = DH_OP_RELU,
                              [DH_ACT_LEAKY_RELU] = DH_OP_LEAKY_RELU,
                              [DH_ACT_RELU6] = DH_OP_RELU6};

dh__act dh__act_of_op(int op)
{
    int act = DH_COUNT(act_ops) - 1;
    while (act > DH_ACT_NONE && act_ops[act] != op) act--;
    return (dh__act)act;
}

dh_value dh__act_dx(dh_grad *g, int act, double alpha)
{
    dh_unary_dx_attr attr = {.op = act_ops[act], .alpha = alpha};
    return act ? dh_emit2(g->to, DH_OP_UNARY_DX, &attr, g->dy[0], g->out[0]) : g->dy[0];
}

static dh_status unary_dx_infer(dh_call *call)
{
    const dh_unary_dx_attr *attr = call->attr;
    char a[DH_SHAPE_TEXT], b[DH_SHAPE_TEXT];
    const dh_view *dy = &call->in[0], *s = &call->in[1];
    DH_REQUIRE(kept(attr->op) >= KEEP_ONE, DH_EINVAL,
               "unary_dx: op is %d (%s), which has no gradient", attr->op, dh__ops[attr->op]->name);
    DH_REQUIRE(dh__same_shape(dy, s), DH_ESHAPE, "unary_dx(%s): dy is %s, the kept tensor is %s",
               dh__ops[attr->op]->name, dh__shape_text(a, sizeof a, dy->ndim, dy->shape),
               dh__shape_text(b, sizeof b, s->ndim, s->shape));
    call->out[0] = *dy;
    return DH_OK;
}

const dh_op dh_op_unary_dx = {.name = "unary_dx",
                              .in_min = 2,
                              .in_max = 2,
                              .dtypes = DH_MASK_FLOAT,
                              .flags = DH_OP_SAME_DTYPE,
                              .inplace = 3,
                              .attr_size = sizeof(dh_unary_dx_attr),
                              .fields = unary_dx_fields,
                              .infer = unary_dx_infer,
                              .no_grad = "second derivatives are not offered"};

/* --- definitions --- */

#define SIGNED (DH_MASK_FLOAT | DH_MASK_SIGNED)
#define NUMBER DH_MASK_NUMBER
#define FLOAT  DH_MASK_FLOAT

enum {
#define UNARY(NAME, name, dtypes, keeps, f, df) mask_##name = dtypes,
#include "unary.def"
#undef UNARY
};

#define DEFINE(name_, onnx_, infer_, ...)                    \
    const dh_op dh_op_##name_ = {.name = #name_,             \
                                 .onnx = onnx_,              \
                                 .in_min = 1,                \
                                 .in_max = 1,                \
                                 .dtypes = mask_##name_,     \
                                 .flags = DH_OP_CHEAP,       \
                                 .inplace = 1,               \
                                 .infer = infer_,            \
                                 .backward = unary_backward, \
                                 __VA_ARGS__}
#define PLAIN(name, onnx) DEFINE(name, onnx, same_infer, .attr_size = 0)
#define WITH(name, onnx, infer, type, table) \
    DEFINE(name, onnx, infer, .attr_size = sizeof(type), .fields = table)
#define PREDICATE(name_, onnx_, mask)                  \
    const dh_op dh_op_##name_ = {.name = #name_,       \
                                 .onnx = onnx_,        \
                                 .in_min = 1,          \
                                 .in_max = 1,          \
                                 .dtypes = mask,       \
                                 .flags = DH_OP_CHEAP, \
                                 .infer = bool_infer,  \
                                 .no_grad = "not differentiable: its values are true and false"}

PLAIN(neg, "Neg");
PLAIN(abs, "Abs");
PLAIN(sign, "Sign");
PLAIN(sqr, NULL);
PLAIN(sqrt, "Sqrt");
PLAIN(rsqrt, NULL);
PLAIN(reciprocal, "Reciprocal");
PLAIN(exp, "Exp");
PLAIN(expm1, NULL);
PLAIN(log, "Log");
PLAIN(log1p, NULL);
PLAIN(log2, NULL);
PLAIN(log10, NULL);
PLAIN(sin, "Sin");
PLAIN(cos, "Cos");
PLAIN(tan, "Tan");
PLAIN(asin, "Asin");
PLAIN(acos, "Acos");
PLAIN(atan, "Atan");
PLAIN(sinh, "Sinh");
PLAIN(cosh, "Cosh");
PLAIN(tanh, "Tanh");
PLAIN(erf, "Erf");
PLAIN(floor, "Floor");
PLAIN(ceil, "Ceil");
PLAIN(round, "Round");
PLAIN(trunc, NULL);
PREDICATE(isnan, "IsNaN", DH_MASK_FLOAT);
PREDICATE(isinf, "IsInf", DH_MASK_FLOAT);
PREDICATE(isfinite, NULL, DH_MASK_FLOAT);
PREDICATE(logical_not, "Not", DH_MASK_ANY);
WITH(affine, NULL, same_infer, dh_affine_attr, affine_fields);
WITH(clamp, "Clip", clamp_infer, dh_clamp_attr, clamp_fields);
PLAIN(relu, "Relu");
PLAIN(relu6, NULL);
WITH(leaky_relu, "LeakyRelu", same_infer, dh_act_attr, leaky_relu_fields);
WITH(thresholded_relu, "ThresholdedRelu", same_infer, dh_act_attr, thresholded_relu_fields);
WITH(elu, "Elu", same_infer, dh_act_attr, elu_fields);
PLAIN(selu, "Selu");
PLAIN(sigmoid, "Sigmoid");
PLAIN(hard_sigmoid, "HardSigmoid");
PLAIN(softplus, "Softplus");
PLAIN(softsign, "Softsign");
PLAIN(gelu, "Gelu");
PLAIN(silu, NULL);
PLAIN(mish, "Mish");
