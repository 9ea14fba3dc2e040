/* SPDX-License-Identifier: MIT */
/* Ops on the last two axes: triangle, diagonal, inverse, determinant. The axes before them are
 * batches. */
#include <string.h>

#include "shape.h"

static dh_status need_matrix(const dh_view *x, const char *who, bool square)
{
    char text[DH_SHAPE_TEXT];
    dh__shape_text(text, sizeof text, x->ndim, x->shape);
    DH_REQUIRE(x->ndim >= 2, DH_ESHAPE, "%s: x is %s, needs at least 2 axes", who, text);
    DH_REQUIRE(!square || x->shape[x->ndim - 1] == x->shape[x->ndim - 2], DH_ESHAPE,
               "%s: x is %s, its last two axes must be equally long", who, text);
    return DH_OK;
}

static void set_out(dh_view *out, const dh_view *x, int ndim)
{
    out->dtype = x->dtype;
    out->ndim = ndim;
    for (int i = 0; i < ndim; i++) out->shape[i] = x->shape[i];
}

/* --- triangle --- */

static dh_status infer_triangle(dh_call *call)
{
    DH_TRY(need_matrix(&call->in[0], "triangle", false));
    set_out(&call->out[0], &call->in[0], call->in[0].ndim);
    return DH_OK;
}

static dh_status backward_triangle(dh_grad *g)
{
    if (g->need[0]) g->dx[0] = dh_emit1(g->to, DH_OP_TRIANGLE, g->call->attr, g->dy[0]);
    return g->to->status;
}

static const dh_field triangle_fields[] = {
    DH_FIELD(dh_triangle_attr, k, NULL, 0, -1e15, 1e15, "diagonal: 0 the main one, positive above"),
    DH_FIELD(dh_triangle_attr, upper, "upper", 0, 0, 1,
             "keeps what lies on and above the diagonal"),
    {0}};

const dh_op dh_op_triangle = {.name = "triangle",
                              .in_min = 1,
                              .in_max = 1,
                              .dtypes = DH_MASK_ANY,
                              .inplace = 1,
                              .attr_size = sizeof(dh_triangle_attr),
                              .fields = triangle_fields,
                              .infer = infer_triangle,
                              .backward = backward_triangle,
                              .flops = dh__no_flops};

/* --- diagonals --- */

static int64_t diag_length(const dh_view *x, int64_t k)
{
    int64_t m = x->shape[x->ndim - 2], n = x->shape[x->ndim - 1];
    if (k < 0) m += k;
    if (k > 0) n -= k;
    int64_t length = m < n ? m : n;
    return length > 0 ? length : 0;
}

void dh__diag_view(dh_view *out, int64_t *offset, const dh_view *x, int64_t k)
{
    dh_view y = *x;
    int64_t row = x->stride[x->ndim - 2], column = x->stride[x->ndim - 1];
    y.ndim = x->ndim - 1;
    y.shape[y.ndim - 1] = diag_length(x, k);
    y.stride[y.ndim - 1] = row + column;
    *offset = dh__view_count(&y) ? (k < 0 ? -k * row : k * column) : 0;
    *out = y;
}

static int64_t diag_of(const dh_call *call)
{
    return ((const dh_diag_attr *)call->attr)->k;
}

static dh_status infer_diag(dh_call *call)
{
    const dh_view *x = &call->in[0];
    DH_TRY(need_matrix(x, "diag", false));
    set_out(&call->out[0], x, x->ndim - 1);
    call->out[0].shape[x->ndim - 2] = diag_length(x, diag_of(call));
    return DH_OK;
}

static bool view_diag(const dh_call *call, int64_t *offset)
{
    dh_view part;
    dh__diag_view(&part, offset, &call->in[0], diag_of(call));
    memcpy(call->out[0].stride, part.stride, sizeof part.stride);
    return true;
}

static dh_status backward_diag(dh_grad *g)
{
    if (g->need[0]) g->dx[0] = dh_emit2(g->to, DH_OP_DIAG_EMBED, g->call->attr, g->dy[0], g->in[0]);
    return g->to->status;
}

/* x [.., l] gives square matrices with x on diagonal k, or matrices of like's shape. */
static dh_status infer_diag_embed(dh_call *call)
{
    const dh_view *x = &call->in[0];
    dh_view *y = &call->out[0];
    int64_t k = diag_of(call);
    char tx[DH_SHAPE_TEXT], tl[DH_SHAPE_TEXT];
    dh__shape_text(tx, sizeof tx, x->ndim, x->shape);
    DH_REQUIRE(x->ndim > 0 && x->ndim < DH_MAX_NDIM, DH_ESHAPE,
               "diag_embed: x is %s, needs 1 to %d axes", tx, DH_MAX_NDIM - 1);
    set_out(y, x, x->ndim);
    if (call->in_count == 1) {
        int64_t side = x->shape[x->ndim - 1] + (k < 0 ? -k : k);
        y->shape[y->ndim - 1] = y->shape[y->ndim] = side;
        y->ndim++;
        return DH_OK;
    }
    const dh_view *like = &call->in[1];
    dh_view want = *like;
    bool fits = like->ndim == x->ndim + 1;
    if (fits) {
        want.ndim--;
        want.shape[want.ndim - 1] = diag_length(like, k);
        fits = dh__same_shape(&want, x);
    }
    DH_REQUIRE(fits, DH_ESHAPE, "diag_embed: x %s is not diagonal %lld of like %s", tx,
               (long long)k, dh__shape_text(tl, sizeof tl, like->ndim, like->shape));
    y->ndim = like->ndim;
    memcpy(y->shape, like->shape, sizeof y->shape);
    return DH_OK;
}

static dh_status backward_diag_embed(dh_grad *g)
{
    if (g->need[0]) g->dx[0] = dh_emit1(g->to, DH_OP_DIAG, g->call->attr, g->dy[0]);
    return g->to->status;
}

static const dh_field diag_fields[] = {
    DH_FIELD(dh_diag_attr, k, NULL, 0, -1e15, 1e15, "diagonal: 0 the main one, positive above"),
    {0}};

const dh_op dh_op_diag = {.name = "diag",
                          .in_min = 1,
                          .in_max = 1,
                          .dtypes = DH_MASK_ANY,
                          .attr_size = sizeof(dh_diag_attr),
                          .fields = diag_fields,
                          .infer = infer_diag,
                          .view = view_diag,
                          .backward = backward_diag,
                          .flops = dh__no_flops};

const dh_op dh_op_diag_embed = {.name = "diag_embed",
                                .in_min = 1,
                                .in_max = 2,
                                .dtypes = DH_MASK_ANY,
                                .like = 2,
                                .attr_size = sizeof(dh_diag_attr),
                                .fields = diag_fields,
                                .infer = infer_diag_embed,
                                .backward = backward_diag_embed,
                                .flops = dh__no_flops};

/* --- inverse, determinant --- */

static dh_value transposed(dh_grad *g, dh_value x)
{
    int ndim = g->call->in[0].ndim;
    dh_permute_attr attr = {.axes.count = ndim};
    for (int i = 0; i < ndim; i++) attr.axes.v[i] = i;
    attr.axes.v[ndim - 1] = ndim - 2;
    attr.axes.v[ndim - 2] = ndim - 1;
    return dh_emit1(g->to, DH_OP_PERMUTE, &attr, x);
}

static dh_status infer_inverse(dh_call *call)
{
    DH_TRY(need_matrix(&call->in[0], "inverse", true));
    set_out(&call->out[0], &call->in[0], call->in[0].ndim);
    return DH_OK;
}

/* dx = - y^T dy y^T */
static dh_status backward_inverse(dh_grad *g)
{
    if (!g->need[0]) return DH_OK;
    dh_value yt = transposed(g, g->out[0]);
    dh_value d = dh_emit2(g->to, DH_OP_MATMUL, NULL, yt, g->dy[0]);
    g->dx[0] = dh_emit1(g->to, DH_OP_NEG, NULL, dh_emit2(g->to, DH_OP_MATMUL, NULL, d, yt));
    return g->to->status;
}

static dh_status infer_det(dh_call *call)
{
    DH_TRY(need_matrix(&call->in[0], "det", true));
    set_out(&call->out[0], &call->in[0], call->in[0].ndim - 2);
    return DH_OK;
}

/* dx = dy det(x) (x^-1)^T; where x is singular the inverse fails when it runs. */
static dh_status backward_det(dh_grad *g)
{
    if (!g->need[0]) return DH_OK;
    int batch = g->call->out[0].ndim;
    dh_reshape_attr attr = {.shape.count = batch + 2};
    attr.shape.v[batch] = attr.shape.v[batch + 1] = 1;
    dh_value scale = dh_emit2(g->to, DH_OP_MUL, NULL, g->dy[0], g->out[0]);
    dh_value cell = dh_emit1(g->to, DH_OP_RESHAPE, &attr, scale);
    dh_value inverse = dh_emit1(g->to, DH_OP_INVERSE, NULL, g->in[0]);
    g->dx[0] = dh_emit2(g->to, DH_OP_MUL, NULL, cell, transposed(g, inverse));
    return g->to->status;
}

static double inverse_flops(const dh_call *call)
{
    const dh_view *x = &call->in[0];
    double n = (double)x->shape[x->ndim - 1];
    return 2 * n * (double)dh__view_count(x);
}

static double det_flops(const dh_call *call)
{
    return inverse_flops(call) / 3;
}

const dh_op dh_op_inverse = {.name = "inverse",
                             .in_min = 1,
                             .in_max = 1,
                             .dtypes = DH_MASK_FLOAT,
                             .infer = infer_inverse,
                             .backward = backward_inverse,
                             .flops = inverse_flops};

const dh_op dh_op_det = {.name = "det",
                         .onnx = "Det",
                         .in_min = 1,
                         .in_max = 1,
                         .dtypes = DH_MASK_FLOAT,
                         .infer = infer_det,
                         .backward = backward_det,
                         .flops = det_flops};
