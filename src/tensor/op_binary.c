/* SPDX-License-Identifier: MIT */
/* What elementwise ops of two and three inputs mean: NumPy's broadcasting; gradients go back
 * through sum_to where an input was broadcast. */
#include "ops.h"

static dh_status binary_infer(dh_call *call)
{
    call->out[0].dtype = call->in[0].dtype;
    return dh__broadcast_shape(&call->out[0], &call->in[0], &call->in[1], call->op->name);
}

static dh_status compare_infer(dh_call *call)
{
    call->out[0].dtype = DH_BOOL;
    return dh__broadcast_shape(&call->out[0], &call->in[0], &call->in[1], call->op->name);
}

/* A gradient of the output's shape, summed back to the shape of input i. */
static dh_value back_to(dh_grad *g, int i, dh_value d)
{
    if (dh__same_shape(&g->call->in[i], &g->call->out[0])) return d;
    return dh_emit2(g->to, DH_OP_SUM_TO, NULL, d, g->in[i]);
}

static dh_value scale(dh_grad *g, dh_value x, double alpha, double beta)
{
    return dh_emit1(g->to, DH_OP_AFFINE, &(dh_affine_attr){alpha, beta}, x);
}

static dh_value op2(dh_grad *g, int op, dh_value a, dh_value b)
{
    return dh_emit2(g->to, op, NULL, a, b);
}

static dh_status add_backward(dh_grad *g)
{
    for (int i = 0; i < 2; i++)
        if (g->need[i]) g->dx[i] = back_to(g, i, g->dy[0]);
    return g->to->status;
}

static dh_status sub_backward(dh_grad *g)
{
    if (g->need[0]) g->dx[0] = back_to(g, 0, g->dy[0]);
    if (g->need[1]) g->dx[1] = back_to(g, 1, scale(g, g->dy[0], -1, 0));
    return g->to->status;
}

static dh_status mul_backward(dh_grad *g)
{
    for (int i = 0; i < 2; i++)
        if (g->need[i]) g->dx[i] = back_to(g, i, op2(g, DH_OP_MUL, g->dy[0], g->in[1 - i]));
    return g->to->status;
}

/* da = dy / b, db = -dy y / b */
static dh_status div_backward(dh_grad *g)
{
    dh_value da = op2(g, DH_OP_DIV, g->dy[0], g->in[1]);
    if (g->need[0]) g->dx[0] = back_to(g, 0, da);
    if (g->need[1]) g->dx[1] = back_to(g, 1, scale(g, op2(g, DH_OP_MUL, da, g->out[0]), -1, 0));
    return g->to->status;
}

/* da = dy b a^(b - 1), 0 at b = 0 for a = 0 too (there the exponent is taken as 1); db = dy y log a
 * where a > 0, else 0 */
static dh_status pow_backward(dh_grad *g)
{
    dh_value a = g->in[0], b = g->in[1];
    if (g->need[0]) {
        dh_value zero = dh_emit1(g->to, DH_OP_FILL_LIKE, &(dh_fill_attr){0}, b);
        dh_value one = dh_emit1(g->to, DH_OP_FILL_LIKE, &(dh_fill_attr){1}, b);
        dh_value constant = op2(g, DH_OP_EQUAL, b, zero);
        dh_value exponent = dh_emit3(g->to, DH_OP_WHERE, NULL, constant, one, scale(g, b, 1, -1));
        dh_value less = op2(g, DH_OP_POW, a, exponent);
        g->dx[0] = back_to(g, 0, op2(g, DH_OP_MUL, g->dy[0], op2(g, DH_OP_MUL, b, less)));
    }
    if (g->need[1]) {
        dh_value zero = dh_emit1(g->to, DH_OP_FILL_LIKE, &(dh_fill_attr){0}, a);
        dh_value one = dh_emit1(g->to, DH_OP_FILL_LIKE, &(dh_fill_attr){1}, a);
        dh_value positive = op2(g, DH_OP_GREATER, a, zero);
        dh_value base = dh_emit3(g->to, DH_OP_WHERE, NULL, positive, a, one);
        dh_value log = dh_emit1(g->to, DH_OP_LOG, NULL, base);
        dh_value y = op2(g, DH_OP_POW, base, b);
        g->dx[1] = back_to(g, 1, op2(g, DH_OP_MUL, g->dy[0], op2(g, DH_OP_MUL, y, log)));
    }
    return g->to->status;
}

/* The winner takes the gradient; at a tie the first input does. */
static dh_status select_backward(dh_grad *g)
{
    int first = g->call->op == &dh_op_maximum ? DH_OP_GREATER_EQUAL : DH_OP_LESS_EQUAL;
    dh_value won = op2(g, first, g->in[0], g->in[1]);
    dh_value zero = dh_emit1(g->to, DH_OP_FILL_LIKE, &(dh_fill_attr){0}, g->dy[0]);
    if (g->need[0])
        g->dx[0] = back_to(g, 0, dh_emit3(g->to, DH_OP_WHERE, NULL, won, g->dy[0], zero));
    if (g->need[1])
        g->dx[1] = back_to(g, 1, dh_emit3(g->to, DH_OP_WHERE, NULL, won, zero, g->dy[0]));
    return g->to->status;
}

/* a - n b with n constant almost everywhere: da = dy, db = -dy n, n = (a - y) / b rounded */
static dh_status mod_backward(dh_grad *g)
{
    if (g->need[0]) g->dx[0] = back_to(g, 0, g->dy[0]);
    if (g->need[1]) {
        dh_value whole = op2(g, DH_OP_SUB, g->in[0], g->out[0]);
        dh_value n = dh_emit1(g->to, DH_OP_ROUND, NULL, op2(g, DH_OP_DIV, whole, g->in[1]));
        g->dx[1] = back_to(g, 1, scale(g, op2(g, DH_OP_MUL, g->dy[0], n), -1, 0));
    }
    return g->to->status;
}

/* y = angle of (b, a): da = dy b / r, db = -dy a / r, r = a^2 + b^2 */
static dh_status atan2_backward(dh_grad *g)
{
    dh_value aa = dh_emit1(g->to, DH_OP_SQR, NULL, g->in[0]);
    dh_value bb = dh_emit1(g->to, DH_OP_SQR, NULL, g->in[1]);
    dh_value d = op2(g, DH_OP_DIV, g->dy[0], op2(g, DH_OP_ADD, aa, bb));
    if (g->need[0]) g->dx[0] = back_to(g, 0, op2(g, DH_OP_MUL, d, g->in[1]));
    if (g->need[1]) g->dx[1] = back_to(g, 1, scale(g, op2(g, DH_OP_MUL, d, g->in[0]), -1, 0));
    return g->to->status;
}

#define ARITHMETIC(name_, onnx_, rule, mask, ...)                                       \
    const dh_op dh_op_##name_ = {.name = #name_,                                        \
                                 .onnx = onnx_,                                         \
                                 .in_min = 2,                                           \
                                 .in_max = 2,                                           \
                                 .dtypes = mask,                                        \
                                 .flags = DH_OP_SAME_DTYPE | DH_OP_CHEAP | __VA_ARGS__, \
                                 .inplace = 3,                                          \
                                 .infer = binary_infer,                                 \
                                 .backward = rule}
ARITHMETIC(add, "Add", add_backward, DH_MASK_NUMBER, 0);
ARITHMETIC(sub, "Sub", sub_backward, DH_MASK_NUMBER, 0);
ARITHMETIC(mul, "Mul", mul_backward, DH_MASK_NUMBER, 0);
ARITHMETIC(div, "Div", div_backward, DH_MASK_NUMBER, 0);
ARITHMETIC(pow, "Pow", pow_backward, DH_MASK_NUMBER, 0);
ARITHMETIC(maximum, "Max", select_backward, DH_MASK_NUMBER, DH_OP_SELECTS);
ARITHMETIC(minimum, "Min", select_backward, DH_MASK_NUMBER, DH_OP_SELECTS);
ARITHMETIC(mod, NULL, mod_backward, DH_MASK_NUMBER, 0);
ARITHMETIC(remainder, NULL, mod_backward, DH_MASK_NUMBER, 0);
ARITHMETIC(atan2, NULL, atan2_backward, DH_MASK_FLOAT, 0);

#define COMPARISON(name_, onnx_)                                                          \
    const dh_op dh_op_##name_ = {.name = #name_,                                          \
                                 .onnx = onnx_,                                           \
                                 .in_min = 2,                                             \
                                 .in_max = 2,                                             \
                                 .dtypes = DH_MASK_ANY,                                   \
                                 .flags = DH_OP_SAME_DTYPE | DH_OP_CHEAP | DH_OP_SELECTS, \
                                 .infer = compare_infer,                                  \
                                 .no_grad = "not differentiable: its values are true and false"}
COMPARISON(equal, "Equal");
COMPARISON(not_equal, NULL);
COMPARISON(greater, "Greater");
COMPARISON(greater_equal, "GreaterOrEqual");
COMPARISON(less, "Less");
COMPARISON(less_equal, "LessOrEqual");
COMPARISON(logical_and, "And");
COMPARISON(logical_or, "Or");
COMPARISON(logical_xor, "Xor");

/* --- where --- */

static dh_status where_infer(dh_call *call)
{
    dh_view both = {0};
    DH_REQUIRE(call->in[1].dtype == call->in[2].dtype, DH_EDTYPE, "where: a is %s, b is %s",
               dh_dtype_name(call->in[1].dtype), dh_dtype_name(call->in[2].dtype));
    DH_TRY(dh__broadcast_shape(&both, &call->in[1], &call->in[2], "where"));
    call->out[0].dtype = call->in[1].dtype;
    return dh__broadcast_shape(&call->out[0], &call->in[0], &both, "where");
}

static dh_status where_backward(dh_grad *g)
{
    dh_value zero = dh_emit1(g->to, DH_OP_FILL_LIKE, &(dh_fill_attr){0}, g->dy[0]);
    if (g->need[1])
        g->dx[1] = back_to(g, 1, dh_emit3(g->to, DH_OP_WHERE, NULL, g->in[0], g->dy[0], zero));
    if (g->need[2])
        g->dx[2] = back_to(g, 2, dh_emit3(g->to, DH_OP_WHERE, NULL, g->in[0], zero, g->dy[0]));
    return g->to->status;
}

const dh_op dh_op_where = {.name = "where",
                           .onnx = "Where",
                           .in_min = 3,
                           .in_max = 3,
                           .in_names = "condition|a|b",
                           .dtypes = DH_MASK(DH_BOOL),
                           .flags = DH_OP_CHEAP,
                           .inplace = 6,
                           .infer = where_infer,
                           .backward = where_backward};

/* --- cast, copy, sums over replicas --- */

static const dh_field cast_fields[] = {
    DH_FIELD_DTYPE(dh_cast_attr, dtype, 0, "dtype of the result"), {0}};

static dh_status cast_infer(dh_call *call)
{
    call->out[0] = call->in[0];
    call->out[0].dtype = (dh_dtype)((const dh_cast_attr *)call->attr)->dtype;
    return DH_OK;
}

/* Between floating dtypes; an integer in between stops the gradient. */
static dh_status cast_backward(dh_grad *g)
{
    if (!dh_dtype_is_float(g->call->out[0].dtype)) return DH_OK;
    g->dx[0] = dh_emit1(g->to, DH_OP_CAST, &(dh_cast_attr){(int)g->call->in[0].dtype}, g->dy[0]);
    return g->to->status;
}

const dh_op dh_op_cast = {.name = "cast",
                          .onnx = "Cast",
                          .in_min = 1,
                          .in_max = 1,
                          .dtypes = DH_MASK_ANY,
                          .flags = DH_OP_CHEAP,
                          .attr_size = sizeof(dh_cast_attr),
                          .fields = cast_fields,
                          .infer = cast_infer,
                          .backward = cast_backward};

static dh_status copy_infer(dh_call *call)
{
    call->out[0] = call->in[0];
    return DH_OK;
}

static dh_status copy_backward(dh_grad *g)
{
    g->dx[0] = g->dy[0];
    return DH_OK;
}

const dh_op dh_op_detach = {.name = "detach",
                            .in_min = 1,
                            .in_max = 1,
                            .dtypes = DH_MASK_ANY,
                            .flags = DH_OP_CHEAP,
                            .inplace = 1,
                            .infer = copy_infer,
                            .no_grad = "it is there to stop the gradient"};

const dh_op dh_op_copy = {.name = "copy",
                          .onnx = "Identity",
                          .in_min = 1,
                          .in_max = 1,
                          .dtypes = DH_MASK_ANY,
                          .flags = DH_OP_CHEAP,
                          .inplace = 1,
                          .infer = copy_infer,
                          .backward = copy_backward};

/* The step's runner puts the sum in the place of each replica's own (dh__plan_run_on). The gradient
 * of each is that of all their losses together. */
static dh_status all_sum_backward(dh_grad *g)
{
    g->dx[0] = dh_emit1(g->to, DH_OP_ALL_SUM, NULL, g->dy[0]);
    return g->to->status;
}

const dh_op dh_op_all_sum = {.name = "all_sum",
                             .in_min = 1,
                             .in_max = 1,
                             .dtypes = DH_MASK(DH_F32) | DH_MASK(DH_F64),
                             .flags = DH_OP_MEETS,
                             .inplace = 1,
                             .infer = copy_infer,
                             .backward = all_sum_backward};
