/* SPDX-License-Identifier: MIT */
/* Weights in a plan that only predicts: what implementations derive of them, and what the store is
 * told of who reads them. It compares reads with the users of derived weights, so a read is told
 * before there is a user, and taken back behind it. */
#include "plan.h"

static bool predicts(const dh__plan *plan)
{
    return plan->phase_end[DH_FORWARD] == plan->graph->node_count;
}

static void tell_reads(const dh__plan *plan, int i, int change)
{
    const dh__graph *g = plan->graph;
    for (int k = 0; k < g->nodes[i]->in_count; k++) {
        const dh__val *from = &g->values[dh__graph_origin(g, g->nodes[i]->in[k])];
        if (from->home == DH_HOME_WEIGHT)
            dh__weights_read(g->store, from->offset, dh__view_count(&from->view), change);
    }
}

static void tell_all_reads(dh__plan *plan, int change)
{
    for (int i = 0; i < plan->graph->node_count; i++)
        tell_reads(plan, i, plan->calls[i].varies ? 2 * change : change);
    plan->reading = change > 0;
}

void dh__plan_tell_reads(dh__plan *plan)
{
    if (predicts(plan)) tell_all_reads(plan, 1);
}

void dh__plan_drop_derived(dh__plan *plan)
{
    for (int i = 0; plan->calls && i < plan->graph->node_count; i++)
        dh__derived_drop(plan->graph->store, plan->calls[i].derived);
    if (plan->reading) tell_all_reads(plan, -1);
}

static void vary(dh__plan *plan, int i)
{
    if (plan->calls[i].varies) return;
    plan->calls[i].varies = true;
    tell_reads(plan, i, 1);
}

/* What has been given up can only be read in the form that was derived of it before. */
static bool lacks_weights(const dh__plan *plan, int i)
{
    const dh__graph *g = plan->graph;
    const dh__node *n = g->nodes[i];
    for (int k = 0; k < n->in_count; k++) {
        const dh__val *from = &g->values[dh__graph_origin(g, n->in[k])];
        if (from->home != DH_HOME_WEIGHT || (k == 1 && plan->calls[i].derived)) continue;
        if (dh__weights_given_up(g->store, from->offset, dh__view_count(&from->view))) return true;
    }
    return false;
}

/* What the implementation derives of a weight that this plan does not change. */
static void derive(dh__plan *plan, int i)
{
    const dh__graph *g = plan->graph;
    const dh__node *n = g->nodes[i];
    dh__step_call *c = &plan->calls[i];
    if (!c->impl->packed || n->in_count < 2) return;
    dh__derived_from from[DH_DERIVED_FROM];
    int count = c->call.op->parameters ? c->call.op->parameters(&c->call) : n->in_count - 1;
    for (int k = 0; k < count && count <= DH_DERIVED_FROM; k++) {
        const dh__slot *slot = &plan->slots[n->in[k + 1]];
        const dh__val *base = &g->values[slot->base];
        bool kept = base->home == DH_HOME_WEIGHT || base->home == DH_HOME_STATE;
        if (!kept || slot->shift || !dh__view_contiguous(&c->call.in[k + 1])) return;
        from[k] = (dh__derived_from){base->home, base->offset};
    }
    /* without memory for it each run makes it anew */
    if (count <= DH_DERIVED_FROM &&
        dh__derived_get(&c->derived, g->store, c->impl, &c->call, from, count))
        dh_error_clear();
}

/* A weight that is left in one form alone goes on being read in that, whatever the rows. */
static dh_status change_derived(dh__plan *plan, int i)
{
    dh__step_call *c = &plan->calls[i];
    dh__derived *old = c->derived;
    c->derived = NULL;
    c->call.packed = NULL;
    derive(plan, i);
    bool lacks = lacks_weights(plan, i);
    dh__derived_drop(plan->graph->store, lacks ? c->derived : old);
    if (!lacks) return DH_OK;
    c->derived = NULL;
    DH_REQUIRE(old, DH_ESTATE,
               "%s: its weights are kept for other implementations than \"%s\" alone, since the "
               "model was freed",
               c->call.op->name, c->impl->name);
    c->derived = old;
    c->impl = old->impl;
    return DH_OK;
}

dh_status dh__plan_settle_derived(dh__plan *plan, int i, bool first)
{
    const dh__step_call *c = &plan->calls[i];
    if (!predicts(plan) || (c->derived && c->derived->impl == c->impl)) return DH_OK;
    if (!first) vary(plan, i);
    tell_reads(plan, i, 1); /* while it may have two forms */
    dh_status status = change_derived(plan, i);
    tell_reads(plan, i, -1);
    return status;
}

void dh__plan_try_fewer(dh__plan *plan)
{
    int64_t bound = plan->rows;
    if (bound < 2 || (!dh__plan_resize(plan, 1) && !dh__plan_resize(plan, bound))) return;
    dh_error_clear(); /* fewer rows need a plan of their own */
    for (int i = 0; i < plan->graph->node_count; i++) vary(plan, i);
}
