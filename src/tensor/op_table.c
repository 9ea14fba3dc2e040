/* SPDX-License-Identifier: MIT */
/* The op table, and what is checked before an op's own infer is asked. */
#include <string.h>

#include "base.h"
#include "ops.h"

const dh_op *const dh__ops[DH_OP_COUNT] = {
#define DH_OP(ID, name, cpu, cuda, fpga) [DH_OP_##ID] = &dh_op_##name,
#include "ops.def"
#undef DH_OP
};

int dh__op_find(const char *name)
{
    for (int i = 0; name && i < DH_OP_COUNT; i++)
        if (!strcmp(dh__ops[i]->name, name)) return i;
    return -1;
}

int dh__op_updated(const dh_op *op, int k)
{
    if (op->in_max < 0 && op->updates[0]) return k; /* any number of inputs, each updated */
    return k < DH_OP_MAX_OUT ? op->updates[k] - 1 : -1;
}

int dh__op_out_count(const dh_op *op, int in_count)
{
    int n = 0;
    if (!op->updates[0]) return op->out_count ? op->out_count : 1;
    if (op->in_max < 0) return in_count;
    while (n < DH_OP_MAX_OUT && op->updates[n] > 0 && op->updates[n] <= in_count) n++;
    return n;
}

const char *dh__op_input(char *buffer, size_t size, const dh_op *op, int i)
{
    const char *names = op->in_names;
    if (!names && op->in_max == 1) names = "x";
    if (!names && op->in_max == 2 && (op->flags & DH_OP_SAME_DTYPE)) names = "a|b";
    if (!names || !dh__choice_name(buffer, size, names, i)[0])
        dh__format(buffer, size, "input %d", i);
    return buffer;
}

const char *dh__dtype_list(char *buffer, size_t size, uint32_t mask)
{
    size_t at = 0;
    buffer[0] = 0;
    for (int d = 1; d < DH_DTYPE_COUNT; d++)
        if ((mask & DH_MASK(d)) && at < size)
            at += (size_t)dh__format(buffer + at, size - at, "%s%s", at ? ", " : "",
                                     dh_dtype_name((dh_dtype)d));
    return buffer;
}

static dh_status check_dtypes(const dh_call *call)
{
    const dh_op *op = call->op;
    for (int i = 0; i < call->in_count; i++) {
        dh_dtype d = call->in[i].dtype;
        if (i > 0 && (op->flags & DH_OP_SAME_DTYPE))
            DH_REQUIRE(d == call->in[0].dtype, DH_EDTYPE, "%s: input %d is %s, input 0 is %s",
                       op->name, i, dh_dtype_name(d), dh_dtype_name(call->in[0].dtype));
        if (i > 0 || (op->dtypes & DH_MASK(d))) continue;
        char list[DH_DTYPE_LIST_TEXT], name[32];
        dh__dtype_list(list, sizeof list, op->dtypes);
        return dh_fail(DH_EDTYPE, "%s: %s is %s, must be %s%s", op->name,
                       dh__op_input(name, sizeof name, op, i), dh_dtype_name(d),
                       strchr(list, ',') ? "one of " : "", list);
    }
    return DH_OK;
}

static dh_status check_count(const dh_op *op, int n)
{
    if (n >= op->in_min && (op->in_max < 0 || n <= op->in_max)) return DH_OK;
    if (op->in_max < 0)
        return dh_fail(DH_EINVAL, "%s: has %d inputs, takes at least %d", op->name, n, op->in_min);
    if (op->in_max == op->in_min)
        return dh_fail(DH_EINVAL, "%s: has %d inputs, takes %d", op->name, n, op->in_min);
    return dh_fail(DH_EINVAL, "%s: has %d inputs, takes %d to %d", op->name, n, op->in_min,
                   op->in_max);
}

dh_status dh__op_infer(dh_call *call)
{
    const dh_op *op = call->op;
    DH_TRY(check_count(op, call->in_count));
    DH_TRY(check_dtypes(call));
    if (op->fields) {
        DH_REQUIRE(call->attr, DH_EINVAL, "%s: attributes are NULL", op->name);
        DH_TRY(dh_field_check(op->fields, call->attr, op->name));
    }
    for (int i = 0; i < call->out_count; i++) {
        memset(&call->out[i].shape, 0, sizeof call->out[i].shape);
        memset(&call->out[i].stride, 0, sizeof call->out[i].stride);
    }
    DH_TRY(op->infer(call));
    for (int i = 0; i < call->out_count; i++) dh__view_pack(&call->out[i]);
    return DH_OK;
}

/* Formulas of scratch take a few hundred bytes an element at most, and trust sums not to wrap. */
#define SCRATCH_ELEMENTS (INT64_C(1) << 50)

dh_status dh__op_scratch(size_t *out, const dh_impl *impl, const dh_call *call)
{
    *out = 0;
    if (!impl->scratch) return DH_OK;
    for (int i = 0; i < call->in_count + call->out_count; i++) {
        const dh_view *v = i < call->in_count ? &call->in[i] : &call->out[i - call->in_count];
        char text[DH_SHAPE_TEXT];
        DH_REQUIRE(dh__view_count(v) <= SCRATCH_ELEMENTS, DH_EOVERFLOW,
                   "%s: %s has more elements than there can be scratch for, %lld", call->op->name,
                   dh__shape_text(text, sizeof text, v->ndim, v->shape),
                   (long long)SCRATCH_ELEMENTS);
    }
    *out = impl->scratch(call);
    return DH_OK;
}

static const char *refusal(const dh_impl *impl, const dh_call *call)
{
    return impl->refuse ? impl->refuse(call) : NULL;
}

static dh_status refused_by_all(dh_device *device, int op, const dh_call *call)
{
    const dh_impl *const *list = device->impls(device, op);
    char reasons[512] = "";
    size_t at = 0;
    if (!list) {
        const char *why = device->driver->lacks(op);
        return dh_fail(DH_EUNSUPPORTED, "%s: device \"%s\" does not have this op: %s",
                       call->op->name, device->name,
                       why ? why : "other devices of its kind do, its own kernels don't");
    }
    for (; *list && at < sizeof reasons; list++) {
        const char *why = refusal(*list, call);
        if (why)
            at += (size_t)dh__format(reasons + at, sizeof reasons - at, "; %s: %s", (*list)->name,
                                     why);
    }
    return dh_fail(DH_EUNSUPPORTED, "%s: device \"%s\" has no implementation for this call%s",
                   call->op->name, device->name, reasons);
}

dh_status dh__op_choose(const dh_impl **out, dh_device *device, int op, const dh_call *call)
{
    const dh_impl *const *impl = device->impls(device, op);
    while (impl && *impl && refusal(*impl, call)) impl++;
    if (!impl || !*impl) return refused_by_all(device, op, call);
    *out = *impl;
    return DH_OK;
}

double dh__op_flops(const dh_call *call)
{
    return call->op->flops ? call->op->flops(call) : (double)dh__view_count(&call->out[0]);
}

/* --- emitting: what gradient rules write with --- */

static dh_status check_emit(const dh_emitter *to, int op, int in_count, const dh_value *in,
                            const dh_value *out)
{
    DH_REQUIRE(op >= 0 && op < DH_OP_COUNT, DH_EINVAL, "emit: op is %d, must be in [0, %d]", op,
               DH_OP_COUNT - 1);
    const char *name = dh__ops[op]->name;
    DH_REQUIRE(to->emit, DH_EINVAL, "emit: op %s: to has no emit, it is NULL", name);
    DH_REQUIRE(in_count >= 0, DH_EINVAL, "emit: op %s: in_count is %d, must be at least 0", name,
               in_count);
    DH_REQUIRE(in || !in_count, DH_EINVAL, "emit: op %s: in is NULL, in_count is %d", name,
               in_count);
    DH_REQUIRE(out, DH_EINVAL, "emit: op %s: out is NULL", name);
    return DH_OK;
}

dh_status dh_emit(dh_emitter *to, int op, const void *attr, int in_count, const dh_value *in,
                  dh_value *out)
{
    DH_REQUIRE(to, DH_EINVAL, "emit: to is NULL");
    if (to->status) return to->status;
    to->status = check_emit(to, op, in_count, in, out);
    for (int i = 0; i < in_count && !to->status; i++)
        if (in[i] == DH_NO_VALUE)
            to->status =
                dh_fail(DH_EINTERNAL, "emit: op %s: in[%d] is no value", dh__ops[op]->name, i);
    if (to->status) return to->status;
    return to->status = to->emit(to, op, attr, in_count, in, out);
}

dh_value dh_emit1(dh_emitter *to, int op, const void *attr, dh_value a)
{
    dh_value out[DH_OP_MAX_OUT];
    return dh_emit(to, op, attr, 1, &a, out) ? DH_NO_VALUE : out[0];
}

dh_value dh_emit2(dh_emitter *to, int op, const void *attr, dh_value a, dh_value b)
{
    dh_value out[DH_OP_MAX_OUT], in[2] = {a, b};
    return dh_emit(to, op, attr, 2, in, out) ? DH_NO_VALUE : out[0];
}

dh_value dh_emit3(dh_emitter *to, int op, const void *attr, dh_value a, dh_value b, dh_value c)
{
    dh_value out[DH_OP_MAX_OUT], in[3] = {a, b, c};
    return dh_emit(to, op, attr, 3, in, out) ? DH_NO_VALUE : out[0];
}
