/* SPDX-License-Identifier: MIT */
/* Ops that surround or repeat a tensor: pad and tile, each with the op that its gradient needs. */
#include <string.h>

#include "shape.h"

static dh_status check_list(const dh_ints *list, int want, int ndim, const char *who,
                            const char *name)
{
    DH_REQUIRE(list->count == want, DH_ESHAPE, "%s: %s has %d numbers, x with %d axes needs %d",
               who, name, list->count, ndim, want);
    return DH_OK;
}

/* --- pad --- */

static dh_status infer_pad(dh_call *call)
{
    const dh_view *x = &call->in[0];
    const dh_ints *pads = &((const dh_pad_attr *)call->attr)->pads;
    dh_view *y = &call->out[0];
    DH_TRY(check_list(pads, 2 * x->ndim, x->ndim, "pad", "pads"));
    y->dtype = x->dtype;
    y->ndim = x->ndim;
    for (int i = 0; i < x->ndim; i++) {
        int64_t n;
        bool fits = !__builtin_add_overflow(x->shape[i], pads->v[i], &n) &&
                    !__builtin_add_overflow(n, pads->v[i + x->ndim], &y->shape[i]);
        DH_REQUIRE(fits, DH_EOVERFLOW,
                   "pad: axis %d of length %lld with pads %lld and %lld does not fit", i,
                   (long long)x->shape[i], (long long)pads->v[i], (long long)pads->v[i + x->ndim]);
    }
    return DH_OK;
}

static dh_status infer_pad_dx(dh_call *call)
{
    const dh_view *dy = &call->in[0];
    const dh_ints *pads = &((const dh_pad_attr *)call->attr)->pads;
    dh_view *y = &call->out[0];
    DH_TRY(check_list(pads, 2 * dy->ndim, dy->ndim, "pad_dx", "pads"));
    y->dtype = dy->dtype;
    y->ndim = dy->ndim;
    for (int i = 0; i < dy->ndim; i++) {
        int64_t begin = pads->v[i], end = pads->v[i + dy->ndim];
        DH_REQUIRE(begin <= dy->shape[i] && end <= dy->shape[i] - begin, DH_ESHAPE,
                   "pad_dx: pads %lld and %lld of axis %d are more than its length %lld",
                   (long long)begin, (long long)end, i, (long long)dy->shape[i]);
        y->shape[i] = dy->shape[i] - begin - end;
    }
    return DH_OK;
}

void dh__crop_view(dh_view *out, int64_t *offset, const dh_view *x, const dh_ints *pads)
{
    dh_view y = *x;
    int64_t at = 0;
    for (int i = 0; i < x->ndim; i++) {
        y.shape[i] = x->shape[i] - pads->v[i] - pads->v[i + x->ndim];
        at += pads->v[i] * x->stride[i];
    }
    *offset = dh__view_count(&y) ? at : 0;
    *out = y;
}

static bool view_pad_dx(const dh_call *call, int64_t *offset)
{
    dh_view part;
    dh__crop_view(&part, offset, &call->in[0], &((const dh_pad_attr *)call->attr)->pads);
    memcpy(call->out[0].stride, part.stride, sizeof part.stride);
    return true;
}

static dh_status backward_pad(dh_grad *g)
{
    if (g->need[0]) g->dx[0] = dh_emit1(g->to, DH_OP_PAD_DX, g->call->attr, g->dy[0]);
    return g->to->status;
}

static dh_status backward_pad_dx(dh_grad *g)
{
    dh_pad_attr attr = {.pads = ((const dh_pad_attr *)g->call->attr)->pads, .value = 0};
    if (g->need[0]) g->dx[0] = dh_emit1(g->to, DH_OP_PAD, &attr, g->dy[0]);
    return g->to->status;
}

static const dh_field pad_fields[] = {
    DH_FIELD(dh_pad_attr, pads, NULL, 0, 0, 1e19, "elements before each axis, then after each"),
    DH_FIELD(dh_pad_attr, value, NULL, 0, -1.0 / 0.0, 1.0 / 0.0, "what the new elements are"),
    {0}};

const dh_op dh_op_pad = {.name = "pad",
                         .in_min = 1,
                         .in_max = 1,
                         .dtypes = DH_MASK_ANY,
                         .attr_size = sizeof(dh_pad_attr),
                         .fields = pad_fields,
                         .infer = infer_pad,
                         .backward = backward_pad,
                         .flops = dh__no_flops};

const dh_op dh_op_pad_dx = {.name = "pad_dx",
                            .in_min = 1,
                            .in_max = 1,
                            .dtypes = DH_MASK_ANY,
                            .attr_size = sizeof(dh_pad_attr),
                            .fields = pad_fields,
                            .infer = infer_pad_dx,
                            .view = view_pad_dx,
                            .backward = backward_pad_dx,
                            .flops = dh__no_flops};

/* --- tile --- */

static dh_status tiled_shape(dh_view *out, const dh_view *x, const dh_ints *repeats,
                             const char *who)
{
    DH_TRY(check_list(repeats, x->ndim, x->ndim, who, "repeats"));
    out->ndim = x->ndim;
    for (int i = 0; i < x->ndim; i++)
        DH_REQUIRE(dh__mul_int64(x->shape[i], repeats->v[i], &out->shape[i]), DH_EOVERFLOW,
                   "%s: axis %d of length %lld repeated %lld times does not fit", who, i,
                   (long long)x->shape[i], (long long)repeats->v[i]);
    return DH_OK;
}

static dh_status infer_tile(dh_call *call)
{
    call->out[0].dtype = call->in[0].dtype;
    return tiled_shape(&call->out[0], &call->in[0], &((const dh_tile_attr *)call->attr)->repeats,
                       "tile");
}

static dh_status infer_tile_dx(dh_call *call)
{
    const dh_view *dy = &call->in[0], *like = &call->in[1];
    dh_view whole, *y = &call->out[0];
    DH_TRY(tiled_shape(&whole, like, &((const dh_tile_attr *)call->attr)->repeats, "tile_dx"));
    char got[DH_SHAPE_TEXT], want[DH_SHAPE_TEXT];
    DH_REQUIRE(dh__same_shape(&whole, dy), DH_ESHAPE, "tile_dx: dy is %s, like repeated is %s",
               dh__shape_text(got, sizeof got, dy->ndim, dy->shape),
               dh__shape_text(want, sizeof want, whole.ndim, whole.shape));
    y->dtype = dy->dtype;
    y->ndim = like->ndim;
    memcpy(y->shape, like->shape, sizeof y->shape);
    return DH_OK;
}

static dh_status backward_tile(dh_grad *g)
{
    if (g->need[0]) g->dx[0] = dh_emit2(g->to, DH_OP_TILE_DX, g->call->attr, g->dy[0], g->in[0]);
    return g->to->status;
}

static dh_status backward_tile_dx(dh_grad *g)
{
    if (g->need[0]) g->dx[0] = dh_emit1(g->to, DH_OP_TILE, g->call->attr, g->dy[0]);
    return g->to->status;
}

static double tile_dx_flops(const dh_call *call)
{
    return (double)dh__view_count(&call->in[0]);
}

static const dh_field tile_fields[] = {
    DH_FIELD(dh_tile_attr, repeats, NULL, 0, 0, 1e19, "copies of the whole along each axis"), {0}};

const dh_op dh_op_tile = {.name = "tile",
                          .in_min = 1,
                          .in_max = 1,
                          .dtypes = DH_MASK_ANY,
                          .attr_size = sizeof(dh_tile_attr),
                          .fields = tile_fields,
                          .infer = infer_tile,
                          .backward = backward_tile,
                          .flops = dh__no_flops};

const dh_op dh_op_tile_dx = {.name = "tile_dx",
                             .in_min = 2,
                             .in_max = 2,
                             .dtypes = DH_MASK_NUMBER,
                             .like = 2,
                             .attr_size = sizeof(dh_tile_attr),
                             .fields = tile_fields,
                             .infer = infer_tile_dx,
                             .backward = backward_tile_dx,
                             .flops = tile_dx_flops};
