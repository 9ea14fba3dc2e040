/* SPDX-License-Identifier: MIT */
/* Softmax, its logarithm, and cross entropy on logits. */
#include "fpga_ops.h"

static dh_status softmax_run(const dh_call *call)
{
    const dh_view *x = &call->in[0], *views[] = {&call->out[0], x, &call->in[call->in_count - 1]};
    bool dx = call->in_count == 2;
    bool log = call->op == &dh_op_log_softmax || call->op == &dh_op_log_softmax_dx;
    int axis = ((const dh_axis_attr *)call->attr)->axis;
    int64_t inner = 1;
    if (axis < 0) axis += x->ndim;
    for (int a = axis + 1; a < x->ndim; a++) inner *= x->shape[a];
    int64_t n = x->shape[axis];
    if (!dh__view_count(x)) return DH_OK;
    dh__cl_launch l =
        dh__cl_begin(call, "softmax", dx ? "softmax_dx" : "softmax", "-DX=%s%s%s",
                     dh_dtype_name(x->dtype), log ? " -DLOG" : "", dh__cl_packed(3, views));
    for (int i = 0; i < 2 + dx; i++) dh__cl_view(&l, views[i]);
    dh__cl_int(&l, n);
    dh__cl_int(&l, inner);
    return dh__cl_each(&l, dh__view_count(x) / n);
}

static dh_status entropy_run(const dh_call *call)
{
    bool dx = call->op == &dh_op_softmax_cross_entropy_dx;
    const dh_view *z = &call->in[dx], *t = &call->in[dx + 1], *views[4] = {&call->out[0]};
    for (int i = 0; i < call->in_count; i++) views[1 + i] = &call->in[i];
    int64_t n = z->shape[z->ndim - 1];
    if (!n || !dh__view_count(z)) return DH_OK;
    bool labels = !dh_dtype_is_float(t->dtype);
    dh__cl_launch l = dh__cl_begin(call, "softmax", dx ? "cross_entropy_dx" : "cross_entropy",
                                   "-DX=%s%s%s%s", dh_dtype_name(z->dtype), labels ? " -DL=" : "",
                                   labels ? dh_dtype_name(t->dtype) : "",
                                   dh__cl_packed(1 + call->in_count, views));
    for (int i = 0; i <= call->in_count; i++) dh__cl_view(&l, views[i]);
    dh__cl_int(&l, n);
    dh__cl_complaints(&l, call);
    return dh__cl_each(&l, dh__view_count(z) / n);
}

static const dh_impl softmax_impl = {.name = "line", .refuse = dh__cl_refuse, .run = softmax_run};
static const dh_impl entropy_impl = {.name = "line", .refuse = dh__cl_refuse, .run = entropy_run};

const dh_impl *const dh_fpga_softmax[] = {&softmax_impl, NULL};
const dh_impl *const dh_fpga_log_softmax[] = {&softmax_impl, NULL};
const dh_impl *const dh_fpga_softmax_dx[] = {&softmax_impl, NULL};
const dh_impl *const dh_fpga_log_softmax_dx[] = {&softmax_impl, NULL};
const dh_impl *const dh_fpga_softmax_cross_entropy[] = {&entropy_impl, NULL};
const dh_impl *const dh_fpga_softmax_cross_entropy_dx[] = {&entropy_impl, NULL};
