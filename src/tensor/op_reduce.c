/* SPDX-License-Identifier: MIT */
/* Reductions over axes: shapes and gradients. Results have the input's dtype, except that sum and
 * prod of integers and booleans give 64 bits, argmax and argmin i64, any and all bool. Over no
 * elements: sum 0, prod 1, any false, all true, mean and var NaN, norm 0; max, min, argmax, argmin
 * fail. */
#include "base.h"
#include "reduce.h"

dh_status dh__reduce_mask(uint32_t *mask, const dh_ints *axes, int ndim, const char *who)
{
    *mask = axes->count ? 0 : (1u << ndim) - 1u;
    for (int i = 0; i < axes->count; i++) {
        int axis;
        char name[16];
        dh__format(name, sizeof name, "axes[%d]", i);
        DH_TRY(dh__axis_named(&axis, axes->v[i], ndim, who, name));
        DH_REQUIRE(!(*mask >> axis & 1u), DH_EINVAL,
                   "%s: axes[%d] is %lld, axis %d is there already", who, i, (long long)axes->v[i],
                   axis);
        *mask |= 1u << axis;
    }
    return DH_OK;
}

dh_status dh__sum_to_mask(uint32_t *mask, const dh_view *x, const dh_view *like, const char *who)
{
    bool fits = like->ndim <= x->ndim;
    *mask = 0;
    for (int i = 1; i <= x->ndim && fits; i++) {
        int64_t n = x->shape[x->ndim - i], m = i <= like->ndim ? like->shape[like->ndim - i] : 1;
        fits = m == n || m == 1;
        if (i > like->ndim || m != n) *mask |= 1u << (x->ndim - i);
    }
    if (fits) return DH_OK;
    char tx[DH_SHAPE_TEXT], tl[DH_SHAPE_TEXT];
    return dh_fail(DH_ESHAPE, "%s: like %s does not broadcast to x %s", who,
                   dh__shape_text(tl, sizeof tl, like->ndim, like->shape),
                   dh__shape_text(tx, sizeof tx, x->ndim, x->shape));
}

/* --- shapes --- */

static void reduced_shape(dh_view *y, const dh_view *x, uint32_t mask, bool keepdims)
{
    y->ndim = 0;
    for (int a = 0; a < x->ndim; a++) {
        bool gone = mask >> a & 1u;
        if (!gone || keepdims) y->shape[y->ndim++] = gone ? 1 : x->shape[a];
    }
}

static dh_status infer_shape(dh_call *call)
{
    const dh_reduce_attr *attr = call->attr;
    uint32_t mask;
    DH_TRY(dh__reduce_mask(&mask, &attr->axes, call->in[0].ndim, call->op->name));
    reduced_shape(&call->out[0], &call->in[0], mask, attr->keepdims);
    call->out[0].dtype = call->in[0].dtype;
    return DH_OK;
}

/* sum, prod: 64 bits for integers, so that a sum of u8 pixels means something */
static dh_status infer_sum(dh_call *call)
{
    DH_TRY(infer_shape(call));
    dh_dtype d = call->in[0].dtype;
    if (dh_dtype_is_float(d)) return DH_OK;
    call->out[0].dtype = DH_MASK_UNSIGNED & DH_MASK(d) ? DH_U64 : DH_I64;
    return DH_OK;
}

static dh_status infer_bool(dh_call *call)
{
    DH_TRY(infer_shape(call));
    call->out[0].dtype = DH_BOOL;
    return DH_OK;
}

/* max, min: of no elements there is none, unless no result is asked for either */
static dh_status infer_extreme(dh_call *call)
{
    DH_TRY(infer_shape(call));
    const dh_view *x = &call->in[0];
    char text[DH_SHAPE_TEXT];
    DH_REQUIRE(dh__view_count(x) || !dh__view_count(&call->out[0]), DH_ESHAPE,
               "%s: x %s has no elements along the %d reduced axes", call->op->name,
               dh__shape_text(text, sizeof text, x->ndim, x->shape),
               ((const dh_reduce_attr *)call->attr)->axes.count
                   ? ((const dh_reduce_attr *)call->attr)->axes.count
                   : x->ndim);
    return DH_OK;
}

static dh_status infer_arg(dh_call *call)
{
    const dh_reduce_attr *attr = call->attr;
    DH_REQUIRE(attr->axes.count <= 1, DH_EINVAL,
               "%s: axes has %d entries, takes one axis or none for all", call->op->name,
               attr->axes.count);
    DH_TRY(infer_extreme(call));
    call->out[0].dtype = DH_I64;
    return DH_OK;
}

static dh_status infer_sum_to(dh_call *call)
{
    uint32_t mask;
    const dh_view *like = &call->in[1];
    DH_TRY(dh__sum_to_mask(&mask, &call->in[0], like, call->op->name));
    dh_dtype d = call->in[0].dtype;
    call->out[0] = *like;
    call->out[0].data = NULL;
    call->out[0].dtype = d;
    return DH_OK;
}

/* dy (and y) must have the shape that reducing x gives. */
static dh_status check_reduced(const dh_call *call, int k, const dh_view *x, const dh_ints *axes,
                               bool keepdims)
{
    uint32_t mask;
    dh_view want;
    char tw[DH_SHAPE_TEXT], tg[DH_SHAPE_TEXT];
    DH_TRY(dh__reduce_mask(&mask, axes, x->ndim, call->op->name));
    reduced_shape(&want, x, mask, keepdims);
    DH_REQUIRE(dh__same_shape(&want, &call->in[k]), DH_ESHAPE,
               "%s: input %d is %s, the reduction of x is %s", call->op->name, k,
               dh__shape_text(tg, sizeof tg, call->in[k].ndim, call->in[k].shape),
               dh__shape_text(tw, sizeof tw, want.ndim, want.shape));
    return DH_OK;
}

static dh_status like_x(dh_call *call, const dh_view *x)
{
    dh_dtype d = call->in[0].dtype;
    call->out[0].ndim = x->ndim;
    for (int a = 0; a < x->ndim; a++) call->out[0].shape[a] = x->shape[a];
    call->out[0].dtype = d;
    return DH_OK;
}

static dh_status infer_reduce_dx(dh_call *call)
{
    const dh_reduce_dx_attr *attr = call->attr;
    DH_REQUIRE(attr->op == DH_OP_PROD || attr->op == DH_OP_MAX || attr->op == DH_OP_MIN ||
                   attr->op == DH_OP_VAR || attr->op == DH_OP_NORM,
               DH_EINVAL, "reduce_dx: op is %d, must be that of prod, max, min, var or norm",
               attr->op);
    DH_TRY(check_reduced(call, 0, &call->in[1], &attr->axes, attr->keepdims));
    DH_TRY(check_reduced(call, 2, &call->in[1], &attr->axes, attr->keepdims));
    return like_x(call, &call->in[1]);
}

static dh_status infer_mean_dx(dh_call *call)
{
    const dh_reduce_attr *attr = call->attr;
    DH_TRY(check_reduced(call, 0, &call->in[1], &attr->axes, attr->keepdims));
    return like_x(call, &call->in[1]);
}

/* --- gradients --- */

static dh_status sum_backward(dh_grad *g)
{
    g->dx[0] = dh_emit2(g->to, DH_OP_EXPAND_LIKE, g->call->attr, g->dy[0], g->in[0]);
    return g->to->status;
}

static dh_status mean_backward(dh_grad *g)
{
    g->dx[0] = dh_emit2(g->to, DH_OP_MEAN_DX, g->call->attr, g->dy[0], g->in[0]);
    return g->to->status;
}

static dh_status kernel_backward(dh_grad *g)
{
    const dh_reduce_attr *attr = g->call->attr;
    dh_reduce_dx_attr dx = {.axes = attr->axes, .keepdims = attr->keepdims, .ddof = attr->ddof};
    dx.op = dh__op_find(g->call->op->name);
    g->dx[0] = dh_emit3(g->to, DH_OP_REDUCE_DX, &dx, g->dy[0], g->in[0], g->out[0]);
    return g->to->status;
}

static dh_status sum_to_backward(dh_grad *g)
{
    dh_reduce_attr plain = {.keepdims = true};
    if (g->need[0]) g->dx[0] = dh_emit2(g->to, DH_OP_EXPAND_LIKE, &plain, g->dy[0], g->in[0]);
    return g->to->status;
}

static dh_status mean_dx_backward(dh_grad *g)
{
    if (g->need[0]) g->dx[0] = dh_emit1(g->to, DH_OP_MEAN, g->call->attr, g->dy[0]);
    return g->to->status;
}

/* --- the table --- */

#define AXES_FIELD(T) \
    DH_FIELD(T, axes, "axes", 0, -DH_MAX_NDIM, DH_MAX_NDIM - 1, "axes to reduce; none: all")
#define KEEPDIMS_FIELD(T) \
    DH_FIELD(T, keepdims, "keepdims", 0, 0, 1, "reduced axes stay, with length 1")

static const dh_field reduce_fields[] = {
    AXES_FIELD(dh_reduce_attr), KEEPDIMS_FIELD(dh_reduce_attr), {0}};
static const dh_field var_fields[] = {
    AXES_FIELD(dh_reduce_attr),
    KEEPDIMS_FIELD(dh_reduce_attr),
    DH_FIELD(dh_reduce_attr, ddof, NULL, 0, 0, 1e9, "divides by count - ddof"),
    {0}};
static const dh_field reduce_dx_fields[] = {
    DH_FIELD(dh_reduce_dx_attr, op, NULL, DH_OP_NORM, 0, DH_OP_COUNT - 1,
             "number of the reduction"),
    AXES_FIELD(dh_reduce_dx_attr),
    KEEPDIMS_FIELD(dh_reduce_dx_attr),
    DH_FIELD(dh_reduce_dx_attr, ddof, NULL, 0, 0, 1e9, "of var"),
    {0}};

static double input_flops(const dh_call *call)
{
    return (double)dh__view_count(&call->in[0]);
}

static double var_flops(const dh_call *call)
{
    return 4.0 * (double)dh__view_count(&call->in[0]);
}

#define REDUCE(NAME, ONNX, DTYPES, INFER, ...)                       \
    const dh_op dh_op_##NAME = {.name = #NAME,                       \
                                .onnx = ONNX,                        \
                                .in_min = 1,                         \
                                .in_max = 1,                         \
                                .dtypes = DTYPES,                    \
                                .attr_size = sizeof(dh_reduce_attr), \
                                .infer = INFER,                      \
                                __VA_ARGS__}
#define SECOND "second derivatives are not offered for this reduction"

REDUCE(sum, "ReduceSum", DH_MASK_ANY, infer_sum, .fields = reduce_fields, .flops = input_flops,
       .backward = sum_backward);
REDUCE(mean, "ReduceMean", DH_MASK_FLOAT, infer_shape, .fields = reduce_fields,
       .flops = input_flops, .backward = mean_backward);
REDUCE(prod, "ReduceProd", DH_MASK_ANY, infer_sum, .fields = reduce_fields, .flops = input_flops,
       .backward = kernel_backward);
REDUCE(max, "ReduceMax", DH_MASK_ANY, infer_extreme, .fields = reduce_fields, .flops = input_flops,
       .flags = DH_OP_SELECTS, .backward = kernel_backward);
REDUCE(min, "ReduceMin", DH_MASK_ANY, infer_extreme, .fields = reduce_fields, .flops = input_flops,
       .flags = DH_OP_SELECTS, .backward = kernel_backward);
REDUCE(argmax, NULL, DH_MASK_ANY, infer_arg, .fields = reduce_fields, .flops = input_flops,
       .flags = DH_OP_SELECTS, .no_grad = "an index is piecewise constant");
REDUCE(argmin, NULL, DH_MASK_ANY, infer_arg, .fields = reduce_fields, .flops = input_flops,
       .flags = DH_OP_SELECTS, .no_grad = "an index is piecewise constant");
REDUCE(var, NULL, DH_MASK_FLOAT, infer_shape, .fields = var_fields, .flops = var_flops,
       .backward = kernel_backward);
REDUCE(norm, "ReduceL2", DH_MASK_FLOAT, infer_shape, .fields = reduce_fields, .flops = input_flops,
       .backward = kernel_backward);
REDUCE(any, NULL, DH_MASK_ANY, infer_bool, .fields = reduce_fields, .flops = input_flops,
       .no_grad = "a truth value is piecewise constant");
REDUCE(all, NULL, DH_MASK_ANY, infer_bool, .fields = reduce_fields, .flops = input_flops,
       .no_grad = "a truth value is piecewise constant");

/* y = x summed back to the shape that broadcasting turned into x's; input 1 gives the shape. */
const dh_op dh_op_sum_to = {.name = "sum_to",
                            .in_min = 2,
                            .in_max = 2,
                            .dtypes = DH_MASK_FLOAT,
                            .like = 1u << 1,
                            .infer = infer_sum_to,
                            .backward = sum_to_backward,
                            .flops = input_flops};

/* dx from dy, x, y of prod, max, min (ties share equally), var or norm */
const dh_op dh_op_reduce_dx = {.name = "reduce_dx",
                               .in_min = 3,
                               .in_max = 3,
                               .dtypes = DH_MASK_FLOAT,
                               .flags = DH_OP_SAME_DTYPE,
                               .attr_size = sizeof(dh_reduce_dx_attr),
                               .fields = reduce_dx_fields,
                               .infer = infer_reduce_dx,
                               .no_grad = SECOND};

/* dx = dy / count, expanded to the shape of input 1 */
const dh_op dh_op_mean_dx = {.name = "mean_dx",
                             .in_min = 2,
                             .in_max = 2,
                             .dtypes = DH_MASK_FLOAT,
                             .like = 1u << 1,
                             .attr_size = sizeof(dh_reduce_attr),
                             .fields = reduce_fields,
                             .infer = infer_mean_dx,
                             .backward = mean_dx_backward};
