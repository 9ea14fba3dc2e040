/* SPDX-License-Identifier: MIT */
/* Ops that address elements by index, and ordering. Along axis a:
 *   gather       y[i, j, k] = x[i, index[i, j, k], k]          (ONNX GatherElements, torch.gather)
 *   take         y[.., q, ..] = x[.., index[q], ..]            (ONNX Gather, NumPy take)
 *   scatter      y = x, then y[i, index[i, j, k], k] = src[i, j, k]; of equal targets the last wins
 *   scatter_add  the same with +=
 * An index counts from the end where it is negative. One outside the axis fails when the op runs.
 */
#include <math.h>
#include <string.h>

#include "shape.h"

static dh_status check_index(const dh_view *index, const char *who)
{
    DH_REQUIRE(DH_MASK_INDEX & DH_MASK(index->dtype), DH_EDTYPE,
               "%s: index is %s, must be one of i32, i64", who, dh_dtype_name(index->dtype));
    return DH_OK;
}

/* index may be shorter than x along every axis but the one it addresses. */
static dh_status check_elements(const dh_view *x, const dh_view *index, int64_t axis_wanted,
                                const char *who)
{
    int axis;
    DH_TRY(check_index(index, who));
    DH_TRY(dh__axis(&axis, axis_wanted, x->ndim, who));
    bool fits = index->ndim == x->ndim;
    for (int i = 0; fits && i < x->ndim; i++) fits = i == axis || index->shape[i] <= x->shape[i];
    char xs[DH_SHAPE_TEXT], is[DH_SHAPE_TEXT];
    DH_REQUIRE(fits, DH_ESHAPE, "%s: index %s does not fit into x %s outside axis %d", who,
               dh__shape_text(is, sizeof is, index->ndim, index->shape),
               dh__shape_text(xs, sizeof xs, x->ndim, x->shape), axis);
    return DH_OK;
}

static void set_out(dh_view *out, dh_dtype dtype, const dh_view *shape)
{
    out->dtype = dtype;
    out->ndim = shape->ndim;
    memcpy(out->shape, shape->shape, sizeof out->shape);
}

static int axis_of(const dh_call *call)
{
    return ((const dh_axis_attr *)call->attr)->axis;
}

static dh_value zeros_like(dh_grad *g, dh_value like)
{
    return dh_emit1(g->to, DH_OP_FILL_LIKE, &(dh_fill_attr){0}, like);
}

/* --- gather, scatter, scatter_add --- */

static dh_status infer_gather(dh_call *call)
{
    DH_TRY(check_elements(&call->in[0], &call->in[1], axis_of(call), "gather"));
    set_out(&call->out[0], call->in[0].dtype, &call->in[1]);
    return DH_OK;
}

static dh_status backward_gather(dh_grad *g)
{
    if (g->need[0])
        g->dx[0] = dh_emit3(g->to, DH_OP_SCATTER_ADD, g->call->attr, zeros_like(g, g->in[0]),
                            g->in[1], g->dy[0]);
    return g->to->status;
}

static dh_status infer_scatter(dh_call *call)
{
    const char *who = call->op->name;
    const dh_view *x = &call->in[0], *index = &call->in[1], *src = &call->in[2];
    DH_TRY(check_elements(x, index, axis_of(call), who));
    DH_REQUIRE(src->dtype == x->dtype, DH_EDTYPE, "%s: src is %s, x is %s: dtypes must be equal",
               who, dh_dtype_name(src->dtype), dh_dtype_name(x->dtype));
    char is[DH_SHAPE_TEXT], ss[DH_SHAPE_TEXT];
    DH_REQUIRE(dh__same_shape(index, src), DH_ESHAPE,
               "%s: src is %s, index is %s: shapes must be equal", who,
               dh__shape_text(ss, sizeof ss, src->ndim, src->shape),
               dh__shape_text(is, sizeof is, index->ndim, index->shape));
    set_out(&call->out[0], x->dtype, x);
    return DH_OK;
}

/* Right where no two elements of src have one target; of several all get the gradient (as PyTorch).
 */
static dh_status backward_scatter(dh_grad *g)
{
    const void *attr = g->call->attr;
    if (g->need[0])
        g->dx[0] =
            dh_emit3(g->to, DH_OP_SCATTER, attr, g->dy[0], g->in[1], zeros_like(g, g->in[2]));
    if (g->need[2]) g->dx[2] = dh_emit2(g->to, DH_OP_GATHER, attr, g->dy[0], g->in[1]);
    return g->to->status;
}

static dh_status backward_scatter_add(dh_grad *g)
{
    if (g->need[0]) g->dx[0] = g->dy[0];
    if (g->need[2]) g->dx[2] = dh_emit2(g->to, DH_OP_GATHER, g->call->attr, g->dy[0], g->in[1]);
    return g->to->status;
}

static const dh_field axis_fields[] = {
    DH_FIELD(dh_axis_attr, axis, "axis", 0, -DH_MAX_NDIM, DH_MAX_NDIM - 1, "the axis addressed"),
    {0}};

const dh_op dh_op_gather = {.name = "gather",
                            .onnx = "GatherElements",
                            .in_min = 2,
                            .in_max = 2,
                            .in_names = "x|index",
                            .dtypes = DH_MASK_ANY,
                            .attr_size = sizeof(dh_axis_attr),
                            .fields = axis_fields,
                            .infer = infer_gather,
                            .backward = backward_gather,
                            .flops = dh__no_flops};

const dh_op dh_op_scatter = {.name = "scatter",
                             .onnx = "ScatterElements",
                             .in_min = 3,
                             .in_max = 3,
                             .in_names = "x|index|src",
                             .dtypes = DH_MASK_ANY,
                             .inplace = 1,
                             .attr_size = sizeof(dh_axis_attr),
                             .fields = axis_fields,
                             .infer = infer_scatter,
                             .backward = backward_scatter,
                             .flops = dh__no_flops};

static double add_flops(const dh_call *call)
{
    return (double)dh__view_count(
        &call->in[call->in_count == 3 && call->op != &dh_op_take_dx ? 2 : 0]);
}

const dh_op dh_op_scatter_add = {.name = "scatter_add",
                                 .in_min = 3,
                                 .in_max = 3,
                                 .in_names = "x|index|src",
                                 .dtypes = DH_MASK_NUMBER,
                                 .inplace = 1,
                                 .attr_size = sizeof(dh_axis_attr),
                                 .fields = axis_fields,
                                 .infer = infer_scatter,
                                 .backward = backward_scatter_add,
                                 .flops = add_flops};

/* --- take --- */

static dh_status taken_shape(dh_view *out, const dh_view *x, const dh_view *index,
                             int64_t axis_wanted, const char *who)
{
    int axis, n = 0;
    DH_TRY(check_index(index, who));
    DH_TRY(dh__axis(&axis, axis_wanted, x->ndim, who));
    DH_REQUIRE(x->ndim - 1 + index->ndim <= DH_MAX_NDIM, DH_ESHAPE,
               "%s: x with %d axes and index with %d give more than %d axes", who, x->ndim,
               index->ndim, DH_MAX_NDIM);
    for (int i = 0; i < axis; i++) out->shape[n++] = x->shape[i];
    for (int i = 0; i < index->ndim; i++) out->shape[n++] = index->shape[i];
    for (int i = axis + 1; i < x->ndim; i++) out->shape[n++] = x->shape[i];
    out->ndim = n;
    return DH_OK;
}

static dh_status infer_take(dh_call *call)
{
    call->out[0].dtype = call->in[0].dtype;
    return taken_shape(&call->out[0], &call->in[0], &call->in[1], axis_of(call), "take");
}

static dh_status infer_take_dx(dh_call *call)
{
    const dh_view *dy = &call->in[0], *like = &call->in[2];
    dh_view want;
    char got[DH_SHAPE_TEXT], text[DH_SHAPE_TEXT];
    DH_TRY(taken_shape(&want, like, &call->in[1], axis_of(call), "take_dx"));
    DH_REQUIRE(dh__same_shape(&want, dy), DH_ESHAPE, "take_dx: dy is %s, what was taken is %s",
               dh__shape_text(got, sizeof got, dy->ndim, dy->shape),
               dh__shape_text(text, sizeof text, want.ndim, want.shape));
    set_out(&call->out[0], dy->dtype, like);
    return DH_OK;
}

static dh_status backward_take(dh_grad *g)
{
    if (g->need[0])
        g->dx[0] = dh_emit3(g->to, DH_OP_TAKE_DX, g->call->attr, g->dy[0], g->in[1], g->in[0]);
    return g->to->status;
}

static dh_status backward_take_dx(dh_grad *g)
{
    if (g->need[0]) g->dx[0] = dh_emit2(g->to, DH_OP_TAKE, g->call->attr, g->dy[0], g->in[1]);
    return g->to->status;
}

const dh_op dh_op_take = {.name = "take",
                          .onnx = "Gather",
                          .in_min = 2,
                          .in_max = 2,
                          .in_names = "x|index",
                          .dtypes = DH_MASK_ANY,
                          .attr_size = sizeof(dh_axis_attr),
                          .fields = axis_fields,
                          .infer = infer_take,
                          .backward = backward_take,
                          .flops = dh__no_flops};

const dh_op dh_op_take_dx = {.name = "take_dx",
                             .in_min = 3,
                             .in_max = 3,
                             .dtypes = DH_MASK_NUMBER,
                             .like = 4,
                             .attr_size = sizeof(dh_axis_attr),
                             .fields = axis_fields,
                             .infer = infer_take_dx,
                             .backward = backward_take_dx,
                             .flops = add_flops};

/* --- sort, topk: values, indices --- */

static dh_status infer_sort(dh_call *call)
{
    int axis;
    DH_TRY(dh__axis(&axis, ((const dh_sort_attr *)call->attr)->axis, call->in[0].ndim, "sort"));
    set_out(&call->out[0], call->in[0].dtype, &call->in[0]);
    set_out(&call->out[1], DH_I64, &call->in[0]);
    return DH_OK;
}

static dh_status infer_topk(dh_call *call)
{
    const dh_topk_attr *attr = call->attr;
    const dh_view *x = &call->in[0];
    int axis;
    DH_TRY(dh__axis(&axis, attr->axis, x->ndim, "topk"));
    DH_REQUIRE(attr->k >= 0 && attr->k <= x->shape[axis], DH_ESHAPE,
               "topk: k is %lld, must be in [0, %lld], the length of axis %d", (long long)attr->k,
               (long long)x->shape[axis], axis);
    set_out(&call->out[0], x->dtype, x);
    set_out(&call->out[1], DH_I64, x);
    call->out[0].shape[axis] = call->out[1].shape[axis] = attr->k;
    return DH_OK;
}

static dh_status backward_order(dh_grad *g, int axis)
{
    dh_axis_attr attr = {axis};
    if (g->need[0] && g->dy[0] != DH_NO_VALUE)
        g->dx[0] =
            dh_emit3(g->to, DH_OP_SCATTER_ADD, &attr, zeros_like(g, g->in[0]), g->out[1], g->dy[0]);
    return g->to->status;
}

static dh_status backward_sort(dh_grad *g)
{
    return backward_order(g, ((const dh_sort_attr *)g->call->attr)->axis);
}

static dh_status backward_topk(dh_grad *g)
{
    return backward_order(g, ((const dh_topk_attr *)g->call->attr)->axis);
}

static double order_flops(const dh_call *call)
{
    return (double)dh__view_count(&call->in[0]);
}

static const dh_field sort_fields[] = {
    DH_FIELD(dh_sort_attr, axis, "axis", -1, -DH_MAX_NDIM, DH_MAX_NDIM - 1,
             "the axis that is ordered"),
    DH_FIELD(dh_sort_attr, descending, NULL, 0, 0, 1, "largest first; NaN counts as largest"),
    {0}};

static const dh_field topk_fields[] = {
    DH_FIELD(dh_topk_attr, axis, "axis", -1, -DH_MAX_NDIM, DH_MAX_NDIM - 1,
             "the axis that is ordered"),
    DH_FIELD(dh_topk_attr, k, NULL, NAN, -1e19, 1e19, "how many are kept, 0 to the length of axis"),
    DH_FIELD(dh_topk_attr, smallest, NULL, 0, 0, 1, "the smallest instead of the largest"),
    {0}};

const dh_op dh_op_sort = {.name = "sort",
                          .in_min = 1,
                          .in_max = 1,
                          .out_count = 2,
                          .dtypes = DH_MASK_ANY,
                          .flags = DH_OP_SELECTS,
                          .attr_size = sizeof(dh_sort_attr),
                          .fields = sort_fields,
                          .infer = infer_sort,
                          .backward = backward_sort,
                          .flops = order_flops};

const dh_op dh_op_topk = {.name = "topk",
                          .in_min = 1,
                          .in_max = 1,
                          .out_count = 2,
                          .dtypes = DH_MASK_ANY,
                          .flags = DH_OP_SELECTS,
                          .attr_size = sizeof(dh_topk_attr),
                          .fields = topk_fields,
                          .infer = infer_topk,
                          .backward = backward_topk,
                          .flops = order_flops};

/* --- one_hot --- */

static dh_status infer_one_hot(dh_call *call)
{
    const dh_one_hot_attr *attr = call->attr;
    const dh_view *index = &call->in[0];
    DH_REQUIRE(dh_dtype_size((dh_dtype)attr->dtype), DH_EDTYPE, "one_hot: dtype %d is no dtype",
               attr->dtype);
    DH_REQUIRE(index->ndim < DH_MAX_NDIM, DH_ESHAPE,
               "one_hot: index has %d axes, must have at most %d", index->ndim, DH_MAX_NDIM - 1);
    set_out(&call->out[0], (dh_dtype)attr->dtype, index);
    call->out[0].shape[call->out[0].ndim++] = attr->depth;
    return DH_OK;
}

static const dh_field one_hot_fields[] = {
    DH_FIELD(dh_one_hot_attr, depth, NULL, -1, 0, 1e19, "length of the new last axis"),
    DH_FIELD(dh_one_hot_attr, on, NULL, 1, -1.0 / 0.0, 1.0 / 0.0, "value at the index"),
    DH_FIELD(dh_one_hot_attr, off, NULL, 0, -1.0 / 0.0, 1.0 / 0.0, "value elsewhere"),
    DH_FIELD_DTYPE(dh_one_hot_attr, dtype, DH_F32, "dtype of the result"),
    {0}};

const dh_op dh_op_one_hot = {.name = "one_hot",
                             .in_min = 1,
                             .in_max = 1,
                             .in_names = "index",
                             .dtypes = DH_MASK_INTEGER & ~DH_MASK(DH_U64),
                             .attr_size = sizeof(dh_one_hot_attr),
                             .fields = one_hot_fields,
                             .infer = infer_one_hot,
                             .no_grad = "the result is a step function of the index",
                             .flops = dh__no_flops};
