/* SPDX-License-Identifier: MIT */
/* Optimiser steps and gradient clipping. */
#include <string.h>

#include "fpga_ops.h"
#include "rules.h"

#define ARRAYS 5

/* An output is its input. A caller that gives it memory of its own gets a copy, updated. */
static dh_status updated(const dh_view **out, const dh_call *call, int output, int input)
{
    *out = &call->out[output];
    if ((*out)->data == call->in[input].data) return DH_OK;
    return dh__cl_move(call, *out, &call->in[input]);
}

static dh_status rule_run(const dh_call *call)
{
    static const char *const names[] = {
#define RULE(NAME, name, ...)  #name,
#define ALONE(NAME, name, ...) NULL,
#include "rules.def"
#undef RULE
#undef ALONE
    };
    const dh_view *views[ARRAYS];
    dh__rule_step s;
    dh__rule rule = dh__rule_of(&s, call);
    double constants[] = {s.rate,  s.decay, s.keep,    s.beta1,
                          s.beta2, s.root,  s.epsilon, s.rate_gradient};
    float narrow[DH_COUNT(constants)];
    int count = call->in_count;
    const dh__cl_device *d = call->device->state;
    for (int k = 0; k < count; k++) views[k] = &call->in[k];
    for (int j = 0; j < call->out_count && j < DH_OP_MAX_OUT; j++) {
        int input = call->op->updates[j] - 1;
        if (input >= 0 && input < count) DH_TRY(updated(&views[input], call, j, input));
    }
    if (!dh__view_count(views[0])) return DH_OK;
    for (size_t i = 0; i < DH_COUNT(constants); i++) narrow[i] = (float)constants[i];
    dh__cl_launch l = dh__cl_begin(call, "optim", "update", "-DX=%s -DOP=op_%s -DSTATES=%d%s",
                                   dh_dtype_name(views[0]->dtype), names[rule], count - 2,
                                   dh__cl_packed(count, views));
    dh__cl_bytes(&l, d->f64 ? (const void *)constants : narrow,
                 d->f64 ? sizeof constants : sizeof narrow);
    for (int k = 0; k < count; k++) dh__cl_view(&l, views[k]);
    return dh__cl_each(&l, dh__view_count(views[0]));
}

static const dh_impl rule_impl = {.name = "pass", .refuse = dh__cl_refuse, .run = rule_run};
const dh_impl *const dh_fpga_sgd_step[] = {&rule_impl, NULL};
const dh_impl *const dh_fpga_adam_step[] = {&rule_impl, NULL};
const dh_impl *const dh_fpga_rmsprop_step[] = {&rule_impl, NULL};
const dh_impl *const dh_fpga_adagrad_step[] = {&rule_impl, NULL};
const dh_impl *const dh_fpga_adadelta_step[] = {&rule_impl, NULL};
const dh_impl *const dh_fpga_accumulate[] = {&rule_impl, NULL};
const dh_impl *const dh_fpga_running_update[] = {&rule_impl, NULL};

/* --- clip_norm: parts of all inputs' sums of squares, side by side --- */

#define PART 4096 /* elements of a part, about */

static int64_t parts_of(const dh_view *x)
{
    return dh__view_count(x) / PART + 1;
}

static int64_t all_parts(const dh_call *call)
{
    int64_t parts = 0;
    for (int i = 0; i < call->in_count; i++)
        if (dh__view_count(&call->in[i])) parts += parts_of(&call->in[i]);
    return parts;
}

static size_t clip_scratch(const dh_call *call)
{
    return (size_t)all_parts(call) * sizeof(double);
}

static dh_status clip_run(const dh_call *call)
{
    const dh__cl_device *d = call->device->state;
    double max_norm = ((const dh_clip_attr *)call->attr)->max_norm;
    char *at = call->scratch;
    for (int i = 0; i < call->in_count; i++) {
        const dh_view *x = &call->in[i];
        dh_view one = {.dtype = x->dtype, .data = x->data};
        if (!dh__view_count(x)) continue;
        dh__cl_launch l = dh__cl_begin(call, "reduce", "pieces", "-DX=%s -DY=%s -DOP=op_sq",
                                       dh_dtype_name(x->dtype), dh_dtype_name(x->dtype));
        dh__cl_sums(&l, at, x->dtype);
        dh__cl_view(&l, &one);
        dh__cl_line(&l, x);
        dh__cl_int(&l, dh__view_count(x));
        dh__cl_int(&l, parts_of(x));
        DH_TRY(dh__cl_each(&l, parts_of(x)));
        at += (size_t)parts_of(x) * (d->f64 ? sizeof(double) : sizeof(float));
    }
    for (int i = 0; i < call->out_count && i < call->in_count; i++) {
        const dh_view *g;
        DH_TRY(updated(&g, call, i, i));
        if (!dh__view_count(g)) continue;
        dh__cl_launch l = dh__cl_begin(call, "optim", "clip", "-DX=%s -DSTATES=0%s",
                                       dh_dtype_name(g->dtype), dh__cl_packed(1, &g));
        dh__cl_view(&l, g);
        dh__cl_sums(&l, call->scratch, g->dtype);
        dh__cl_int(&l, all_parts(call));
        dh__cl_wide(&l, max_norm);
        DH_TRY(dh__cl_each(&l, dh__view_count(g)));
    }
    return DH_OK;
}

static const dh_impl clip_impl = {
    .name = "fold", .refuse = dh__cl_refuse, .scratch = clip_scratch, .run = clip_run};
const dh_impl *const dh_fpga_clip_norm[] = {&clip_impl, NULL};
