/* SPDX-License-Identifier: MIT */
/* Products: matmul by NumPy's rules, and linear, the dense layer in one op. */
#include <string.h>

#include "shape.h"

static dh_value transposed(dh_grad *g, dh_value x, int ndim)
{
    dh_permute_attr attr = {.axes.count = ndim};
    for (int i = 0; i < ndim; i++) attr.axes.v[i] = i;
    attr.axes.v[ndim - 1] = ndim - 2;
    attr.axes.v[ndim - 2] = ndim - 1;
    return dh_emit1(g->to, DH_OP_PERMUTE, &attr, x);
}

static dh_value reshaped(dh_grad *g, dh_value x, int count, const int64_t *shape)
{
    dh_reshape_attr attr = {.shape.count = count};
    for (int i = 0; i < count; i++) attr.shape.v[i] = shape[i];
    return dh_emit1(g->to, DH_OP_RESHAPE, &attr, x);
}

static dh_value zeros_like(dh_grad *g, dh_value like)
{
    return dh_emit1(g->to, DH_OP_FILL_LIKE, &(dh_fill_attr){0}, like);
}

/* --- matmul --- */

static dh_status infer_matmul(dh_call *call)
{
    const dh_view *a = &call->in[0], *b = &call->in[1];
    dh_view *y = &call->out[0], batch_a = *a, batch_b = *b;
    char ta[DH_SHAPE_TEXT], tb[DH_SHAPE_TEXT];
    dh__shape_text(ta, sizeof ta, a->ndim, a->shape);
    dh__shape_text(tb, sizeof tb, b->ndim, b->shape);
    DH_REQUIRE(a->ndim > 0 && b->ndim > 0, DH_ESHAPE, "matmul: a is %s, b is %s: both need an axis",
               ta, tb);
    int64_t k = b->shape[b->ndim == 1 ? 0 : b->ndim - 2];
    DH_REQUIRE(a->shape[a->ndim - 1] == k, DH_ESHAPE,
               "matmul: a %s has rows of %lld, b %s has columns of %lld", ta,
               (long long)a->shape[a->ndim - 1], tb, (long long)k);
    batch_a.ndim = a->ndim > 2 ? a->ndim - 2 : 0;
    batch_b.ndim = b->ndim > 2 ? b->ndim - 2 : 0;
    y->dtype = a->dtype;
    DH_TRY(dh__broadcast_shape(y, &batch_a, &batch_b, "matmul"));
    if (a->ndim > 1) y->shape[y->ndim++] = a->shape[a->ndim - 2];
    if (b->ndim > 1) y->shape[y->ndim++] = b->shape[b->ndim - 1];
    return DH_OK;
}

/* dy with the axes back that 1-D operands left out: [.., m, n]. */
static dh_value full_dy(dh_grad *g, bool a_vector, bool b_vector, int *ndim)
{
    int n = g->call->out[0].ndim;
    int64_t shape[DH_MAX_NDIM] = {0};
    *ndim = n + a_vector + b_vector;
    if (a_vector && b_vector) return reshaped(g, g->dy[0], 2, (int64_t[]){1, 1});
    if (a_vector) {
        shape[n - 1] = 1;
        shape[n] = -1;
    }
    if (b_vector) shape[n] = 1;
    return a_vector || b_vector ? reshaped(g, g->dy[0], n + 1, shape) : g->dy[0];
}

/* The gradient d [.., rows, columns] of operand i, summed over the axes it was broadcast along. */
static dh_value to_operand(dh_grad *g, dh_value d, int i, dh_value matrix, int d_ndim)
{
    const dh_view *x = &g->call->in[i], *y = &g->call->out[0];
    bool same = (x->ndim < 2 ? 2 : x->ndim) == d_ndim;
    for (int k = 0; same && k < d_ndim - 2; k++) same = x->shape[k] == y->shape[k];
    if (!same) d = dh_emit2(g->to, DH_OP_SUM_TO, NULL, d, matrix);
    return x->ndim == 1 ? dh_emit2(g->to, DH_OP_RESHAPE_LIKE, NULL, d, g->in[i]) : d;
}

static dh_status backward_matmul(dh_grad *g)
{
    const dh_view *a = &g->call->in[0], *b = &g->call->in[1];
    bool av = a->ndim == 1, bv = b->ndim == 1;
    int ndim;
    dh_value dy = full_dy(g, av, bv, &ndim);
    dh_value ma = av ? reshaped(g, g->in[0], 2, (int64_t[]){1, -1}) : g->in[0];
    dh_value mb = bv ? reshaped(g, g->in[1], 2, (int64_t[]){-1, 1}) : g->in[1];
    if (g->need[0]) {
        dh_value bt = transposed(g, mb, bv ? 2 : b->ndim);
        g->dx[0] = to_operand(g, dh_emit2(g->to, DH_OP_MATMUL, NULL, dy, bt), 0, ma, ndim);
    }
    if (!g->need[1]) return g->to->status;
    if (a->ndim > 2 && b->ndim == 2 && b->shape[0] > 0 && b->shape[1] > 0) {
        /* one matrix under every a: the batch is but more rows */
        dh_value rows = reshaped(g, g->in[0], 2, (int64_t[]){-1, b->shape[0]});
        dh_value drows = reshaped(g, dy, 2, (int64_t[]){-1, b->shape[1]});
        g->dx[1] = dh_emit2(g->to, DH_OP_MATMUL, NULL, transposed(g, rows, 2), drows);
        return g->to->status;
    }
    dh_value at = transposed(g, ma, av ? 2 : a->ndim);
    g->dx[1] = to_operand(g, dh_emit2(g->to, DH_OP_MATMUL, NULL, at, dy), 1, mb, ndim);
    return g->to->status;
}

static double product_flops(const dh_call *call)
{
    const dh_view *a = &call->in[0];
    return 2.0 * (double)dh__view_count(&call->out[0]) * (double)a->shape[a->ndim - 1];
}

const dh_op dh_op_matmul = {.name = "matmul",
                            .onnx = "MatMul",
                            .in_min = 2,
                            .in_max = 2,
                            .dtypes = DH_MASK_NUMBER,
                            .flags = DH_OP_SAME_DTYPE,
                            .infer = infer_matmul,
                            .backward = backward_matmul,
                            .flops = product_flops};

/* --- linear: y = act(x w + bias) --- */

static dh_status infer_linear(dh_call *call)
{
    const dh_view *x = &call->in[0], *w = &call->in[1];
    dh_view *y = &call->out[0];
    char tx[DH_SHAPE_TEXT], tw[DH_SHAPE_TEXT];
    dh__shape_text(tx, sizeof tx, x->ndim, x->shape);
    dh__shape_text(tw, sizeof tw, w->ndim, w->shape);
    DH_REQUIRE(x->ndim > 0, DH_ESHAPE, "linear: x is %s, needs an axis", tx);
    DH_REQUIRE(w->ndim == 2, DH_ESHAPE, "linear: w is %s, needs 2 axes", tw);
    DH_REQUIRE(x->shape[x->ndim - 1] == w->shape[0], DH_ESHAPE,
               "linear: w expects %lld features, x has %lld (w = %s, x = %s)",
               (long long)w->shape[0], (long long)x->shape[x->ndim - 1], tw, tx);
    if (call->in_count == 3) {
        const dh_view *bias = &call->in[2];
        DH_REQUIRE(bias->ndim == 1 && bias->shape[0] == w->shape[1], DH_ESHAPE,
                   "linear: bias is %s, w is %s: bias needs one axis of %lld",
                   dh__shape_text(tx, sizeof tx, bias->ndim, bias->shape), tw,
                   (long long)w->shape[1]);
    }
    y->dtype = x->dtype;
    y->ndim = x->ndim;
    memcpy(y->shape, x->shape, sizeof y->shape);
    y->shape[y->ndim - 1] = w->shape[1];
    return DH_OK;
}

static dh_value linear_dw(dh_grad *g, dh_value dz)
{
    const dh_view *x = &g->call->in[0], *w = &g->call->in[1];
    dh_value rows = g->in[0], drows = dz;
    if (w->shape[0] == 0 || w->shape[1] == 0) return zeros_like(g, g->in[1]);
    if (x->ndim != 2) {
        rows = reshaped(g, rows, 2, (int64_t[]){-1, w->shape[0]});
        drows = reshaped(g, drows, 2, (int64_t[]){-1, w->shape[1]});
    }
    return dh_emit2(g->to, DH_OP_MATMUL, NULL, transposed(g, rows, 2), drows);
}

static dh_status backward_linear(dh_grad *g)
{
    const dh_linear_attr *attr = g->call->attr;
    dh_value dz = dh__act_dx(g, attr->act, attr->alpha);
    if (g->need[0]) g->dx[0] = dh_emit2(g->to, DH_OP_MATMUL, NULL, dz, transposed(g, g->in[1], 2));
    if (g->need[1]) g->dx[1] = linear_dw(g, dz);
    if (g->call->in_count == 3 && g->need[2]) {
        dh_reduce_attr leading = {.axes.count = g->call->in[0].ndim - 1};
        for (int i = 0; i < leading.axes.count; i++) leading.axes.v[i] = i;
        g->dx[2] = leading.axes.count ? dh_emit1(g->to, DH_OP_SUM, &leading, dz) : dz;
    }
    return g->to->status;
}

static const dh_field linear_fields[] = {
    DH_FIELD_NAMED(dh_linear_attr, act, NULL, DH_ACT_CHOICES, "what follows the product"),
    DH_FIELD(dh_linear_attr, alpha, NULL, 0.01, 0, 1e300, "slope of leaky_relu below 0"),
    {0}};

const dh_op dh_op_linear = {.name = "linear",
                            .in_min = 2,
                            .in_max = 3,
                            .dtypes = DH_MASK_FLOAT,
                            .flags = DH_OP_SAME_DTYPE,
                            .attr_size = sizeof(dh_linear_attr),
                            .fields = linear_fields,
                            .infer = infer_linear,
                            .backward = backward_linear,
                            .flops = product_flops};
