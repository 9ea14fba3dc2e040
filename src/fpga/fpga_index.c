/* SPDX-License-Identifier: MIT */
/* Elements addressed by index. An index outside is told when the host waits. */
#include "fpga_ops.h"

static int axis_of(const dh_call *call, int ndim)
{
    int axis = ((const dh_axis_attr *)call->attr)->axis;
    return axis < 0 ? axis + ndim : axis;
}

/* x's strides under the shape of index, the axis standing still, or left out. */
static dh_view beside(const dh_view *x, const dh_view *index, int axis, bool left_out)
{
    dh_view v = {.dtype = x->dtype, .data = x->data};
    for (int a = 0; a < index->ndim; a++) {
        if (a == axis && left_out) continue;
        v.shape[v.ndim] = index->shape[a];
        v.stride[v.ndim++] = a == axis ? 0 : x->stride[a];
    }
    return v;
}

static dh_status gather_run(const dh_call *call)
{
    const dh_view *x = &call->in[0], *index = &call->in[1];
    int axis = axis_of(call, x->ndim);
    dh_view coords = beside(x, index, axis, false);
    if (!dh__view_count(index)) return DH_OK;
    dh__cl_launch l = dh__cl_begin(call, "index", "gather", "-DL=%s -DE=%s",
                                   dh_dtype_name(index->dtype), dh__cl_bits(x->dtype));
    dh__cl_view(&l, &call->out[0]);
    dh__cl_view(&l, x);
    dh__cl_view(&l, index);
    dh__cl_line(&l, &coords);
    dh__cl_int(&l, x->stride[axis]);
    dh__cl_int(&l, x->shape[axis]);
    dh__cl_complaints(&l, call);
    return dh__cl_each(&l, dh__view_count(index));
}

/* Halves are summed in floats, in the scratch, and rounded once. */
static bool is_half(const dh_view *x)
{
    return x->dtype == DH_F16 || x->dtype == DH_BF16;
}

static size_t sum_scratch(const dh_call *call)
{
    const dh_view *y = &call->out[0];
    return is_half(y) ? (size_t)dh__view_count(y) * sizeof(float) : 0;
}

/* Where a result is summed up. */
static dh_view sum_of(const dh_call *call)
{
    dh_view y = call->out[0];
    if (!is_half(&y)) return y;
    y.dtype = DH_F32;
    y.data = call->scratch;
    dh__view_pack(&y);
    return y;
}

static dh_status add_lanes(const dh_call *call, const dh_view *y)
{
    const dh_view *index = &call->in[1], *src = &call->in[2], *sides[] = {y, index, src};
    int axis = axis_of(call, y->ndim);
    bool add = call->op == &dh_op_scatter_add;
    if (!dh__view_count(index)) return DH_OK;
    dh__cl_launch l =
        dh__cl_begin(call, "index", call->op->name, "-DL=%s -DE=%s -DX=%s -DS=%s",
                     dh_dtype_name(index->dtype), dh__cl_bits(y->dtype),
                     add ? dh_dtype_name(y->dtype) : "", add ? dh_dtype_name(src->dtype) : "");
    for (int i = 0; i < 3; i++) dh__cl_data(&l, sides[i]->data, dh_dtype_size(sides[i]->dtype));
    for (int i = 0; i < 3; i++) {
        dh_view lanes = beside(sides[i], index, axis, true);
        dh__cl_line(&l, &lanes);
    }
    for (int i = 0; i < 3; i++) dh__cl_int(&l, sides[i]->stride[axis]);
    dh__cl_int(&l, index->shape[axis]);
    dh__cl_int(&l, y->shape[axis]);
    dh__cl_complaints(&l, call);
    return dh__cl_each(&l, dh__view_count(index) / index->shape[axis]);
}

static dh_status scatter_run(const dh_call *call)
{
    DH_TRY(dh__cl_move(call, &call->out[0], &call->in[0]));
    return add_lanes(call, &call->out[0]);
}

static dh_status scatter_add_run(const dh_call *call)
{
    dh_view sum = sum_of(call);
    DH_TRY(dh__cl_cast(call, &sum, &call->in[0]));
    DH_TRY(add_lanes(call, &sum));
    return is_half(&call->out[0]) ? dh__cl_cast(call, &call->out[0], &sum) : DH_OK;
}

/* first and second: the result and what it is made of, which are large and small in some order. */
static dh_status take(const dh_call *call, const dh_view *large, const dh_view *small,
                      const dh_view *first, const dh_view *second)
{
    const dh_view *index = &call->in[1], *views[] = {first, second, index};
    bool dx = call->op == &dh_op_take_dx;
    int axis = axis_of(call, large->ndim);
    int64_t inner = 1, outer = 1;
    for (int a = 0; a < axis; a++) outer *= large->shape[a];
    for (int a = axis + 1; a < large->ndim; a++) inner *= large->shape[a];
    if (!dh__view_count(small)) return DH_OK;
    dh__cl_launch l = dh__cl_begin(call, "index", call->op->name, "-DL=%s -DE=%s -DX=%s -DS=%s%s",
                                   dh_dtype_name(index->dtype), dh__cl_bits(large->dtype),
                                   dx ? dh_dtype_name(large->dtype) : "",
                                   dx ? dh_dtype_name(small->dtype) : "", dh__cl_packed(3, views));
    for (int i = 0; i < 3; i++) dh__cl_view(&l, views[i]);
    dh__cl_int(&l, dh__view_count(index));
    dh__cl_int(&l, large->shape[axis]);
    dh__cl_int(&l, inner);
    dh__cl_complaints(&l, call);
    return dh__cl_each(&l, dx ? outer * inner : dh__view_count(small));
}

static dh_status take_run(const dh_call *call)
{
    return take(call, &call->in[0], &call->out[0], &call->out[0], &call->in[0]);
}

static dh_status take_dx_run(const dh_call *call)
{
    dh_view sum = sum_of(call);
    DH_TRY(dh__cl_fill(call, &sum, 0));
    DH_TRY(take(call, &sum, &call->in[0], &sum, &call->in[0]));
    return is_half(&call->out[0]) ? dh__cl_cast(call, &call->out[0], &sum) : DH_OK;
}

static dh_status one_hot_run(const dh_call *call)
{
    const dh_one_hot_attr *attr = call->attr;
    const dh_view *y = &call->out[0], *index = &call->in[0], *views[] = {y, index};
    uint64_t on = 0;
    DH_TRY(dh__cl_fill(call, y, attr->off));
    if (!dh__view_count(index)) return DH_OK;
    dh__store(y->dtype, &on, attr->on);
    dh__cl_launch l =
        dh__cl_begin(call, "index", "one_hot", "-DL=%s -DE=%s%s", dh_dtype_name(index->dtype),
                     dh__cl_bits(y->dtype), dh__cl_packed(2, views));
    dh__cl_view(&l, y);
    dh__cl_view(&l, index);
    dh__cl_int(&l, attr->depth);
    dh__cl_bytes(&l, &on, sizeof on);
    dh__cl_complaints(&l, call);
    return dh__cl_each(&l, dh__view_count(index));
}

static const dh_impl gather_impl = {.name = "elements", .run = gather_run};
static const dh_impl scatter_impl = {.name = "lanes", .run = scatter_run};
static const dh_impl scatter_add_impl = {
    .name = "lanes", .refuse = dh__cl_refuse, .scratch = sum_scratch, .run = scatter_add_run};
static const dh_impl take_impl = {.name = "elements", .run = take_run};
static const dh_impl take_dx_impl = {
    .name = "lanes", .refuse = dh__cl_refuse, .scratch = sum_scratch, .run = take_dx_run};
static const dh_impl one_hot_impl = {.name = "elements", .run = one_hot_run};
const dh_impl *const dh_fpga_gather[] = {&gather_impl, NULL};
const dh_impl *const dh_fpga_scatter[] = {&scatter_impl, NULL};
const dh_impl *const dh_fpga_scatter_add[] = {&scatter_add_impl, NULL};
const dh_impl *const dh_fpga_take[] = {&take_impl, NULL};
const dh_impl *const dh_fpga_take_dx[] = {&take_dx_impl, NULL};
const dh_impl *const dh_fpga_one_hot[] = {&one_hot_impl, NULL};
