/* SPDX-License-Identifier: MIT */
/* Ops that only move elements. */
#include "fpga_ops.h"
#include "mover.h"

static const dh__mover mover = {dh__cl_move, dh__cl_fill};

DH_MOVES(dh_fpga, permute, part, mover, false)
DH_MOVES(dh_fpga, expand_like, part, mover, false)
DH_MOVES(dh_fpga, slice, part, mover, false)
DH_MOVES(dh_fpga, split_like, part, mover, false)
DH_MOVES(dh_fpga, pad_dx, part, mover, false)
DH_MOVES(dh_fpga, diag, part, mover, false)
DH_MOVES(dh_fpga, fill_like, fill_like, mover, false)
DH_MOVES(dh_fpga, slice_dx, slice_dx, mover, false)
DH_MOVES(dh_fpga, pad, pad, mover, false)
DH_MOVES(dh_fpga, diag_embed, diag_embed, mover, false)
DH_MOVES(dh_fpga, concat, concat, mover, false)

/* Element for element by their numbers, whatever the shapes. */
static dh_status reshape_run(const dh_call *call)
{
    return dh__cl_move(call, &call->out[0], &call->in[0]);
}

static const dh_impl reshape_copy = {.name = "copy", .run = reshape_run};
const dh_impl *const dh_fpga_reshape[] = {&reshape_copy, NULL};
const dh_impl *const dh_fpga_reshape_like[] = {&reshape_copy, NULL};

/* A kernel of move.cl from the first input to the result. */
static dh__cl_launch moving(const dh_call *call, const char *name)
{
    const dh_view *views[] = {&call->out[0], &call->in[0]};
    dh__cl_launch l = dh__cl_begin(call, "move", name, "-DE=%s%s", dh__cl_bits(views[0]->dtype),
                                   dh__cl_packed(2, views));
    dh__cl_view(&l, views[0]);
    dh__cl_view(&l, views[1]);
    return l;
}

static dh_status tile_run(const dh_call *call)
{
    dh__cl_launch l = moving(call, "tile");
    dh__cl_shape(&l, &call->out[0]);
    dh__cl_shape(&l, &call->in[0]);
    return dh__cl_each(&l, dh__view_count(&call->out[0]));
}

static const dh_impl tile_impl = {.name = "elements", .run = tile_run};
const dh_impl *const dh_fpga_tile[] = {&tile_impl, NULL};

static dh_status tile_dx_run(const dh_call *call)
{
    const dh_view *dy = &call->in[0], *dx = &call->out[0];
    const dh_ints *repeats = &((const dh_tile_attr *)call->attr)->repeats;
    dh_view copies = {.dtype = dy->dtype, .ndim = dy->ndim}; /* where they begin in dy */
    for (int a = 0; a < dy->ndim; a++) {
        copies.shape[a] = repeats->v[a];
        copies.stride[a] = dx->shape[a] * dy->stride[a];
    }
    dh_view first = *dy; /* the first copy */
    for (int a = 0; a < dy->ndim; a++) first.shape[a] = dx->shape[a];
    dh__cl_launch l =
        dh__cl_begin(call, "reduce", "sum_copies", "-DX=%s -DY=%s%s", dh_dtype_name(dy->dtype),
                     dh_dtype_name(dx->dtype), dh_dtype_is_float(dy->dtype) ? "" : " -DWHOLE");
    dh__cl_view(&l, dx);
    dh__cl_view(&l, &first);
    dh__cl_shape(&l, &copies);
    dh__cl_int(&l, dh__view_count(&copies));
    return dh__cl_each(&l, dh__view_count(dx));
}

static const dh_impl tile_dx_impl = {
    .name = "elements", .refuse = dh__cl_refuse, .run = tile_dx_run};
const dh_impl *const dh_fpga_tile_dx[] = {&tile_dx_impl, NULL};

static dh_status triangle_run(const dh_call *call)
{
    const dh_triangle_attr *attr = call->attr;
    const dh_view *x = &call->in[0];
    dh__cl_launch l = moving(call, "triangle");
    dh__cl_int(&l, x->shape[x->ndim - 2]);
    dh__cl_int(&l, x->shape[x->ndim - 1]);
    dh__cl_int(&l, attr->k);
    dh__cl_int(&l, attr->upper);
    return dh__cl_each(&l, dh__view_count(x));
}

static const dh_impl triangle_impl = {.name = "elements", .run = triangle_run};
const dh_impl *const dh_fpga_triangle[] = {&triangle_impl, NULL};
