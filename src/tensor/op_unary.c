/* SPDX-License-Identifier: MIT */
/* What elementwise ops of one input mean. The table is unary.def; here are attributes, shapes and
 * the one gradient op for all of them, unary_dx(dy, s): dy times f' at s, s being f's input or
 * output. */
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

/* --- attributes ---------------------------------------------------------------------------------
 */

static const dh_field affine_fields[] = {
    DH_FIELD(dh_affine_attr, alpha, NULL, 1, -1e300, 1e300, "factor"),
    DH_FIELD(dh_affine_attr, beta, NULL, 0, -1e300, 1e300, "summand"),
    {0}};
static const dh_field clamp_fields[] = {
    DH_FIELD(dh_clamp_attr, min, "min", -1e300, -1e300, 1e300, "lower bound"),
    DH_FIELD(dh_clamp_attr, max, "max", 1e300, -1e300, 1e300, "upper bound"),
    {0}};
static const dh_field leaky_relu_fields[] = {
    DH_FIELD(dh_act_attr, alpha, "alpha", 0.01, 0, 1e6, "slope below 0"), {0}};
static const dh_field thresholded_relu_fields[] = {
    DH_FIELD(dh_act_attr, alpha, "alpha", 1, -1e6, 1e6, "threshold"), {0}};
static const dh_field elu_fields[] = {
    DH_FIELD(dh_act_attr, alpha, "alpha", 1, 0, 1e6, "limit towards minus infinity, negated"), {0}};
static const dh_field unary_dx_fields[] = {
    DH_FIELD(dh_unary_dx_attr, op, NULL, DH_OP_NEG, 0, DH_OP_COUNT - 1, "number of f"),
    DH_FIELD(dh_unary_dx_attr, alpha, NULL, 0, -1e300, 1e300, "f's first number"),
    DH_FIELD(dh_unary_dx_attr, beta, NULL, 0, -1e300, 1e300, "f's second number"),
    {0}};

/* --- gradients ----------------------------------------------------------------------------------
 */

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
    if (keep == KEEP_ONE) {
        dh_affine_attr scale = {id == DH_OP_NEG ? -1 : attr.alpha, 0};
        g->dx[0] = dh_emit1(g->to, DH_OP_AFFINE, &scale, g->dy[0]);
        return g->to->status;
    }
    g->dx[0] =
        dh_emit2(g->to, DH_OP_UNARY_DX, &attr, g->dy[0], keep == KEEP_X ? g->in[0] : g->out[0]);
    return g->to->status;
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

/* --- definitions --------------------------------------------------------------------------------
 */

#define MASK_SIGNED (DH_MASK_FLOAT | DH_MASK_SIGNED)
#define MASK_NUMBER DH_MASK_NUMBER
#define MASK_FLOAT  DH_MASK_FLOAT

#define DEFINE(name_, onnx_, mask, ...)                      \
    const dh_op dh_op_##name_ = {.name = #name_,             \
                                 .onnx = onnx_,              \
                                 .in_min = 1,                \
                                 .in_max = 1,                \
                                 .dtypes = mask,             \
                                 .flags = DH_OP_CHEAP,       \
                                 .inplace = 1,               \
                                 .infer = same_infer,        \
                                 .backward = unary_backward, \
                                 __VA_ARGS__}
#define PLAIN(name, onnx, mask) DEFINE(name, onnx, mask, .attr_size = 0)
#define WITH(name, onnx, mask, type, table) \
    DEFINE(name, onnx, mask, .attr_size = sizeof(type), .fields = table)
#define PREDICATE(name_, onnx_, mask)                  \
    const dh_op dh_op_##name_ = {.name = #name_,       \
                                 .onnx = onnx_,        \
                                 .in_min = 1,          \
                                 .in_max = 1,          \
                                 .dtypes = mask,       \
                                 .flags = DH_OP_CHEAP, \
                                 .infer = bool_infer,  \
                                 .no_grad = "its values are true and false"}

PLAIN(neg, "Neg", MASK_SIGNED);
PLAIN(abs, "Abs", MASK_SIGNED);
PLAIN(sign, "Sign", MASK_SIGNED);
PLAIN(sqr, NULL, MASK_NUMBER);
PLAIN(sqrt, "Sqrt", MASK_FLOAT);
PLAIN(rsqrt, NULL, MASK_FLOAT);
PLAIN(reciprocal, "Reciprocal", MASK_FLOAT);
PLAIN(exp, "Exp", MASK_FLOAT);
PLAIN(expm1, NULL, MASK_FLOAT);
PLAIN(log, "Log", MASK_FLOAT);
PLAIN(log1p, NULL, MASK_FLOAT);
PLAIN(log2, NULL, MASK_FLOAT);
PLAIN(log10, NULL, MASK_FLOAT);
PLAIN(sin, "Sin", MASK_FLOAT);
PLAIN(cos, "Cos", MASK_FLOAT);
PLAIN(tan, "Tan", MASK_FLOAT);
PLAIN(asin, "Asin", MASK_FLOAT);
PLAIN(acos, "Acos", MASK_FLOAT);
PLAIN(atan, "Atan", MASK_FLOAT);
PLAIN(sinh, "Sinh", MASK_FLOAT);
PLAIN(cosh, "Cosh", MASK_FLOAT);
PLAIN(tanh, "Tanh", MASK_FLOAT);
PLAIN(erf, "Erf", MASK_FLOAT);
PLAIN(floor, "Floor", MASK_FLOAT);
PLAIN(ceil, "Ceil", MASK_FLOAT);
PLAIN(round, "Round", MASK_FLOAT);
PLAIN(trunc, NULL, MASK_FLOAT);
PREDICATE(isnan, "IsNaN", MASK_FLOAT);
PREDICATE(isinf, "IsInf", MASK_FLOAT);
PREDICATE(isfinite, NULL, MASK_FLOAT);
PREDICATE(logical_not, "Not", DH_MASK_ANY);
WITH(affine, NULL, MASK_NUMBER, dh_affine_attr, affine_fields);
WITH(clamp, "Clip", MASK_NUMBER, dh_clamp_attr, clamp_fields);
PLAIN(relu, "Relu", MASK_SIGNED);
WITH(leaky_relu, "LeakyRelu", MASK_FLOAT, dh_act_attr, leaky_relu_fields);
WITH(thresholded_relu, "ThresholdedRelu", MASK_FLOAT, dh_act_attr, thresholded_relu_fields);
WITH(elu, "Elu", MASK_FLOAT, dh_act_attr, elu_fields);
PLAIN(selu, "Selu", MASK_FLOAT);
PLAIN(sigmoid, "Sigmoid", MASK_FLOAT);
PLAIN(hard_sigmoid, "HardSigmoid", MASK_FLOAT);
PLAIN(softplus, "Softplus", MASK_FLOAT);
PLAIN(softsign, "Softsign", MASK_FLOAT);
PLAIN(gelu, "Gelu", MASK_FLOAT);
PLAIN(silu, NULL, MASK_FLOAT);
PLAIN(mish, "Mish", MASK_FLOAT);
