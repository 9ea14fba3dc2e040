/* SPDX-License-Identifier: MIT */
/* Running a plan. */
#include <math.h>

#include "float_mode.h"
#include "plan.h"

static double bytes_of(const dh_view *views, int count)
{
    double bytes = 0;
    for (int i = 0; i < count; i++)
        bytes += (double)dh__view_count(&views[i]) * (double)dh_dtype_size(views[i].dtype);
    return bytes;
}

static dh_status run_plain(dh__step_call *c, const dh_call *call)
{
    return c->impl->run(call);
}

/* call: the step's, or a part of that. Another device is waited for, node by node. */
static dh_status run_timed(dh__step_call *c, const dh_call *call)
{
    dh__spent *s = &c->spent;
    dh_device *device = call->device;
    double began = dh__now();
    dh_status status = c->impl->run(call);
    if (!status && !device->host) status = device->wait(device);
    double seconds = dh__now() - began;
    if (s->last <= 0) s->began = began;
    s->last += seconds;
    s->seconds += seconds;
    s->flops += dh__op_flops(call);
    s->bytes += bytes_of(call->in, call->in_count) + bytes_of(call->out, call->out_count);
    return status;
}

/* Runs node i, and what is chained to it. */
static dh_status run_node(dh__plan *plan, int i)
{
    dh__step_call *c = &plan->calls[i];
    dh_status (*each)(dh__step_call *, const dh_call *) = plan->profile ? run_timed : run_plain;
    if (!c->impl || (c->chain.end && c->chain.begin < i)) return DH_OK;
    for (int k = i; plan->profile && (k <= i || k < c->chain.end); k++) {
        plan->calls[k].spent.last = 0;
        plan->calls[k].spent.runs++;
    }
    return c->chain.end ? dh__plan_run_chain(plan, &c->chain, each) : each(c, &c->call);
}

typedef struct stretch { /* nodes run in one session of the team */
    dh__plan *plan;
    int begin, end;
    dh_status status;
} stretch;

static void run_stretch(void *context)
{
    stretch *s = context;
    for (int i = s->begin; i < s->end && !s->status; i++) s->status = run_node(s->plan, i);
}

void dh__plan_forget(dh__plan *plan)
{
    plan->runs = 0;
    plan->cold = false;
    for (int i = 0; i < plan->graph->node_count; i++) plan->calls[i].spent = (dh__spent){0};
}

static void count_run(dh__plan *plan)
{
    if (plan->profile && plan->cold) dh__plan_forget(plan);
    if (plan->profile) {
        plan->cold = !plan->ran;
        plan->runs++;
    }
    plan->ran = true;
}

static void pin(dh__plan *plan, int begin, int end)
{
    for (int i = begin; i < end; i++) {
        dh__step_call *c = &plan->calls[i];
        if (c->derived) c->call.packed = dh__derived_pin(plan->graph->store, c->derived, &c->call);
    }
}

static void unpin(dh__plan *plan, int begin, int end)
{
    for (int i = begin; i < end; i++) {
        dh__step_call *c = &plan->calls[i];
        if (c->derived) dh__derived_unpin(plan->graph->store, c->derived, c->call.packed);
        c->call.packed = NULL;
    }
}

static int begin_of(const dh__plan *plan, dh__phase first)
{
    return first > 0 ? plan->phase_end[first - 1] : 0;
}

static dh_status run(dh__plan *plan, int begin, int end)
{
    DH_TRY(dh__plan_bind(plan));
    stretch s = {.plan = plan, .begin = begin, .end = end};
    plan->arena->owner = plan;
    if (begin == 0) count_run(plan);
    uint64_t before = dh__float_mode_get();
    dh__float_mode_set(dh__float_mode_fast());
    pin(plan, s.begin, s.end);
    dh__device_session(plan->arena->device, run_stretch, &s);
    unpin(plan, s.begin, s.end);
    dh__float_mode_set(before);
    return s.status;
}

dh_status dh__plan_run(dh__plan *plan, dh__phase first, dh__phase last)
{
    dh_status status = run(plan, begin_of(plan, first), plan->phase_end[last]);
    if (last >= DH_COMMIT) plan->graph->store->generation++;
    return status;
}

dh_status dh__plan_run_on(dh__plan *plan, dh__phase first, dh__phase last, int *at,
                          const dh_view **met)
{
    int begin = *at ? *at : begin_of(plan, first), end = begin;
    *met = NULL;
    while (end < plan->phase_end[last] && !*met)
        if (dh__ops[plan->graph->nodes[end++]->op]->flags & DH_OP_MEETS)
            *met = &plan->calls[end - 1].call.out[0];
    *at = end;
    dh_status status = run(plan, begin, end);
    if (last >= DH_COMMIT && !*met) plan->graph->store->generation++;
    return status;
}

dh_status dh__plan_find_nan(dh__plan *plan, int *scope, const char **op)
{
    *scope = -1;
    *op = NULL;
    DH_TRY(dh__plan_bind(plan));
    for (int i = 0; i < plan->phase_end[DH_FORWARD]; i++) {
        const dh__node *n = plan->graph->nodes[i];
        DH_TRY(run_node(plan, i));
        for (int k = 0; k < n->out_count; k++) {
            bool finite = true;
            if (!plan->slots[n->out[k]].band)
                DH_TRY(dh__plan_finite(&finite, plan, &plan->calls[i].call.out[k]));
            if (finite) continue;
            *scope = n->scope;
            *op = plan->calls[i].call.op->name;
            return DH_OK;
        }
    }
    return DH_OK;
}
