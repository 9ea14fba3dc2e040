/* SPDX-License-Identifier: MIT */
/* sort and topk (kernels/order.cl). The scratch holds keys and places twice, from which and to
 * which they are merged. */
#include "fpga_ops.h"

/* The same elements, the axis that is ordered last. */
static dh_view by_lanes(const dh_view *x, int axis)
{
    dh_view v = *x;
    for (int a = axis; a + 1 < x->ndim; a++) {
        v.shape[a] = x->shape[a + 1];
        v.stride[a] = x->stride[a + 1];
    }
    if (x->ndim) {
        v.shape[x->ndim - 1] = x->shape[axis];
        v.stride[x->ndim - 1] = x->stride[axis];
    }
    return v;
}

static size_t order_scratch(const dh_call *call)
{
    return (size_t)dh__view_count(&call->in[0]) * 4 * sizeof(uint64_t);
}

static void give_items(dh__cl_launch *l, char *keys, int64_t count)
{
    dh__cl_data(l, keys, sizeof(uint64_t));
    dh__cl_data(l, keys + count * (int64_t)sizeof(uint64_t), sizeof(int64_t));
}

static dh_status order_run(const dh_call *call)
{
    const dh_view *x = &call->in[0];
    int axis;
    bool descending;
    if (call->op == &dh_op_sort) {
        const dh_sort_attr *attr = call->attr;
        axis = attr->axis;
        descending = attr->descending;
    } else {
        const dh_topk_attr *attr = call->attr;
        axis = attr->axis;
        descending = !attr->smallest;
    }
    if (axis < 0) axis += x->ndim;
    int64_t count = dh__view_count(x), kept = dh__view_count(&call->out[0]);
    int64_t n = x->ndim ? x->shape[axis] : 1;
    if (!kept) return DH_OK;
    dh_view lanes = by_lanes(x, axis), y = by_lanes(&call->out[0], axis);
    dh_view indices = by_lanes(&call->out[1], axis);
    char *from = call->scratch, *to = from + 2 * count * (int64_t)sizeof(uint64_t);
    dh__cl_launch l =
        dh__cl_begin(call, "order", "order_keys", "-DX=%s -DX_FLOAT=%d -DX_BYTES=%d -DX_SIGNED=%d",
                     dh_dtype_name(x->dtype), dh_dtype_is_float(x->dtype),
                     (int)dh_dtype_size(x->dtype), (DH_MASK_SIGNED & DH_MASK(x->dtype)) != 0);
    give_items(&l, from, count);
    dh__cl_view(&l, &lanes);
    dh__cl_int(&l, n);
    dh__cl_int(&l, descending);
    DH_TRY(dh__cl_each(&l, count));
    for (int64_t run = 1; run < n; run *= 2) {
        l = dh__cl_begin(call, "order", "order_merge", "%s", "");
        give_items(&l, to, count);
        give_items(&l, from, count);
        dh__cl_int(&l, n);
        dh__cl_int(&l, run);
        DH_TRY(dh__cl_each(&l, count));
        char *merged = to;
        to = from;
        from = merged;
    }
    l = dh__cl_begin(call, "order", "order_fetch", "-DE=%s", dh__cl_bits(x->dtype));
    dh__cl_view(&l, &y);
    dh__cl_view(&l, &indices);
    dh__cl_view(&l, &lanes);
    dh__cl_data(&l, from + count * (int64_t)sizeof(uint64_t), sizeof(int64_t));
    dh__cl_int(&l, n);
    dh__cl_int(&l, y.shape[y.ndim ? y.ndim - 1 : 0]);
    return dh__cl_each(&l, kept);
}

static const dh_impl order_impl = {
    .name = "merge", .refuse = dh__cl_refuse, .scratch = order_scratch, .run = order_run};
const dh_impl *const dh_fpga_sort[] = {&order_impl, NULL};
const dh_impl *const dh_fpga_topk[] = {&order_impl, NULL};
