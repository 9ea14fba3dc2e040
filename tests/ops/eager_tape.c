/* SPDX-License-Identifier: MIT */
#include "eager_tape.h"

#include "on_device.h"

#include <stdlib.h>
#include <string.h>

int64_t eager_tape_emitted[DH_OP_COUNT];

#define MAX_IN 32

dh_value eager_tape_add(eager_tape *tape, dh_tensor *tensor)
{
    if (tape->count == tape->capacity) {
        int capacity = tape->capacity ? 2 * tape->capacity : 32;
        dh_tensor **grown = realloc(tape->values, (size_t)capacity * sizeof *grown);
        if (!grown) {
            dh_tensor_free(tensor);
            return DH_NO_VALUE;
        }
        tape->values = grown;
        tape->capacity = capacity;
    }
    tape->values[tape->count] = tensor;
    return tape->count++;
}

/* The single output as a view on in[0], where the op offers one. */
static bool emit_view(eager_tape *tape, dh_call *call, dh_value source, dh_tensor **made,
                      dh_status *status)
{
    int64_t offset = 0;
    if (!call->op->view || !call->op->view(call, &offset)) return false;
    dh_view *y = &call->out[0];
    y->data = (char *)call->in[0].data + offset * (int64_t)dh_dtype_size(y->dtype);
    *status = dh__tensor_on(made, tape->values[source]->storage, y);
    return true;
}

static dh_status run_kernel(eager_tape *tape, dh_call *call, int op)
{
    const dh_impl *impl;
    call->device = test_device();
    DH_TRY(dh__op_choose(&impl, call->device, op, call));
    size_t size = impl->scratch ? impl->scratch(call) : 0;
    if (size && !(call->scratch = dh__alloc(size))) return DH_ENOMEM;
    dh_status status = test_run(impl, call, 0);
    dh__free(call->scratch);
    if (!status && tape->ran) tape->ran(call);
    return status;
}

static dh_status run_new(eager_tape *tape, dh_call *call, int op, dh_tensor **made)
{
    for (int j = 0; j < call->out_count; j++) {
        dh_view *y = &call->out[j];
        DH_TRY(dh__tensor_new(&made[j], dh__cpu(), y->dtype, y->ndim, y->shape));
        y->data = made[j]->view.data;
    }
    return run_kernel(tape, call, op);
}

static dh_status tape_emit(dh_emitter *to, int op, const void *attr, int in_count,
                           const dh_value *in, dh_value *out)
{
    eager_tape *tape = (eager_tape *)(void *)to;
    const dh_op *meaning = dh__ops[op];
    dh_view ins[MAX_IN], outs[DH_OP_MAX_OUT] = {0};
    dh_tensor *made[DH_OP_MAX_OUT] = {0};
    void *defaults = NULL;
    DH_REQUIRE(in_count <= MAX_IN && !meaning->updates[0], DH_EINTERNAL,
               "%s: a gradient rule emits it with %d inputs, at most %d; nothing may be updated",
               meaning->name, in_count, MAX_IN);
    for (int i = 0; i < in_count; i++) {
        DH_REQUIRE(in[i] >= 0 && in[i] < tape->count, DH_EINTERNAL,
                   "%s: input %d is value %d of %d", meaning->name, i, (int)in[i], tape->count);
        ins[i] = tape->values[in[i]]->view;
    }
    if (!attr && meaning->fields) {
        attr = defaults = dh__calloc(1, meaning->attr_size);
        if (!attr) return DH_ENOMEM;
        dh_field_defaults(meaning->fields, defaults);
    }
    dh_call call = {.op = meaning,
                    .attr = attr,
                    .in_count = in_count,
                    .out_count = meaning->out_count ? meaning->out_count : 1,
                    .in = ins,
                    .out = outs,
                    .step = tape->step,
                    .stream = to->stream};
    dh_status status = dh__op_infer(&call);
    if (!status && !emit_view(tape, &call, in[0], &made[0], &status))
        status = run_new(tape, &call, op, made);
    for (int j = 0; j < call.out_count; j++) {
        if (status)
            dh_tensor_free(made[j]);
        else if ((out[j] = eager_tape_add(tape, made[j])) == DH_NO_VALUE)
            status = DH_ENOMEM;
    }
    dh__free(defaults);
    eager_tape_emitted[op]++;
    return status;
}

static const dh_view *tape_describe(const dh_emitter *to, dh_value value)
{
    const eager_tape *tape = (const eager_tape *)(const void *)to;
    return value >= 0 && value < tape->count ? &tape->values[value]->view : NULL;
}

void eager_tape_begin(eager_tape *tape, const dh_step *step, uint64_t stream)
{
    memset(tape, 0, sizeof *tape);
    tape->emitter.stream = stream;
    tape->emitter.emit = tape_emit;
    tape->emitter.describe = tape_describe;
    tape->step = step;
}

void eager_tape_end(eager_tape *tape)
{
    for (int v = 0; v < tape->count; v++) dh_tensor_free(tape->values[v]);
    free(tape->values);
    memset(tape, 0, sizeof *tape);
}
