/* SPDX-License-Identifier: MIT */
/* Making a plan: shapes, views and implementations are settled node by node, then memory is
 * planned; binding turns places into addresses. */
#include "plan.h"

#include <string.h>

#define SPLIT_SHARE     0.2 /* of the forward part's FLOP, which low_mem may do once more */
#define SPLITS_GAINLESS 2

/* --- the arena --- */

dh_status dh__arena_new(dh__arena **out, dh_device *device)
{
    dh__arena *a = dh__calloc(1, sizeof *a);
    if (!a) return DH_ENOMEM;
    a->device = device;
    *out = a;
    return DH_OK;
}

void dh__arena_free(dh__arena *arena)
{
    if (!arena) return;
    if (arena->data) arena->device->free(arena->device, arena->data);
    dh__free(arena);
}

static dh_status reserve(dh__arena *arena, size_t size)
{
    void *data;
    if (size <= arena->size) return DH_OK;
    /* what is in it ends with the step, so the old block can go first */
    if (arena->data) arena->device->free(arena->device, arena->data);
    arena->data = NULL;
    arena->size = 0;
    arena->owner = NULL;
    DH_TRY(arena->device->alloc(arena->device, &data, size));
    arena->data = data;
    arena->size = size;
    return DH_OK;
}

/* --- settling --- */

static void fetch_inputs(dh__plan *plan, int i)
{
    const dh__node *n = plan->graph->nodes[i];
    dh_view *in = (dh_view *)(void *)(uintptr_t)plan->calls[i].call.in;
    for (int k = 0; k < n->in_count; k++) in[k] = plan->views[n->in[k]];
}

/* An output that is a view or an update lies in the buffer of an input. */
static bool settle_view(dh__plan *plan, int i)
{
    const dh__node *n = plan->graph->nodes[i];
    const dh__val *y = &plan->graph->values[n->out[0]];
    dh__step_call *c = &plan->calls[i];
    int64_t shift = 0;
    if (!c->call.op->view || y->home != DH_HOME_ARENA || y->keep) return false;
    if (!c->call.op->view(&c->call, &shift)) return false;
    const dh__slot *from = &plan->slots[n->in[0]];
    plan->slots[n->out[0]].base = from->base;
    plan->slots[n->out[0]].shift = from->shift + shift;
    return true;
}

/* An update is where its input is, also inside a larger buffer. */
static void settle_update(dh__plan *plan, int i, int k, int updated)
{
    const dh__node *n = plan->graph->nodes[i];
    dh_value x = n->in[updated], y = n->out[k];
    plan->slots[y].base = plan->slots[x].base;
    plan->slots[y].shift = plan->slots[x].shift;
    memcpy(plan->views[y].stride, plan->views[x].stride, sizeof plan->views[y].stride);
}

/* At another size an input that output 0 overwrites must still have its shape: one that has become
 * a row to be repeated would be read after it is written. */
static dh_status check_in_place(const dh__plan *plan, int i)
{
    const dh__node *n = plan->graph->nodes[i];
    const dh_call *call = &plan->calls[i].call;
    dh_value y = n->out[0];
    if (dh__op_updated(call->op, 0) >= 0 || plan->graph->values[y].home != DH_HOME_ARENA)
        return DH_OK;
    for (int k = 0; k < n->in_count && k < 32; k++) {
        bool shared = plan->slots[n->in[k]].base == plan->slots[y].base;
        if (!shared || (call->op->like >> k & 1u)) continue;
        DH_REQUIRE(dh__same_shape(&call->in[k], &call->out[0]), DH_EUNSUPPORTED,
                   "%s: cannot be in place at this size", call->op->name);
    }
    return DH_OK;
}

/* The device's implementation, or the CPU's where its user allows that. */
static dh_status choose(const dh_impl **out, dh__plan *plan, int op, const dh_call *call)
{
    dh_device *device = plan->arena->device;
    dh_status status = dh__op_choose(out, device, op, call);
    if (!status || !plan->arena->fallback || device->host) return status;
    DH_TRY(dh__op_choose(out, dh__cpu(), op, call));
    *out = &dh__host_impl;
    size_t size = dh__host_bytes(call);
    if (size > plan->staging_size) plan->staging_size = size;
    dh_error_clear();
    return DH_OK;
}

/* Shapes, view or implementation, scratch of one node. first: the plan is being made; later a node
 * keeps being a view or not. */
static dh_status settle_node(dh__plan *plan, int i, bool first)
{
    const dh__node *n = plan->graph->nodes[i];
    dh__step_call *c = &plan->calls[i];
    fetch_inputs(plan, i);
    DH_TRY(dh__op_infer(&c->call));
    for (int k = 0; k < n->out_count; k++)
        if (plan->graph->values[n->out[k]].last) dh__view_pack_last(&c->call.out[k]);
    bool was_view = !first && !c->impl;
    bool view = (first || was_view) && settle_view(plan, i);
    DH_REQUIRE(!was_view || view, DH_EUNSUPPORTED, "%s: no view at this size", c->call.op->name);
    if (!view) {
        DH_TRY(choose(&c->impl, plan, n->op, &c->call));
        DH_TRY(dh__plan_settle_derived(plan, i, first));
        size_t scratch;
        DH_TRY(dh__op_scratch(&scratch, c->impl, &c->call));
        DH_REQUIRE(first || scratch <= c->scratch, DH_EUNSUPPORTED,
                   "%s: needs %zu bytes of scratch, %zu are planned", c->call.op->name, scratch,
                   c->scratch);
        if (first) c->scratch = scratch; /* what was planned stays, for sizes in between */
        if (!first) DH_TRY(check_in_place(plan, i));
    }
    for (int k = 0; k < n->out_count; k++) {
        dh_view *v = &plan->views[n->out[k]];
        int updated = dh__op_updated(c->call.op, k);
        *v = c->call.out[k];
        v->data = NULL;
        if (updated >= 0) settle_update(plan, i, k, updated);
        size_t bytes = (size_t)dh__view_count(v) * dh_dtype_size(v->dtype);
        DH_REQUIRE(first || view || plan->slots[n->out[k]].band ||
                       bytes <= plan->slots[n->out[k]].size,
                   DH_EUNSUPPORTED, "%s: needs %zu bytes, %zu are planned", c->call.op->name, bytes,
                   plan->slots[n->out[k]].size);
    }
    return DH_OK;
}

static dh_status settle(dh__plan *plan, bool first)
{
    for (int i = 0; i < plan->graph->node_count; i++) DH_TRY(settle_node(plan, i, first));
    return first ? dh__plan_find_chains(plan) : dh__plan_check_chains(plan);
}

/* --- making --- */

static dh_status allocate_tables(dh__plan *plan)
{
    const dh__graph *g = plan->graph;
    size_t values = (size_t)g->value_count + 1, nodes = (size_t)g->node_count + 1, views = 1;
    for (int i = 0; i < g->node_count; i++)
        views += (size_t)(g->nodes[i]->in_count + g->nodes[i]->out_count);
    plan->slots = dh__calloc(values, sizeof *plan->slots);
    plan->views = dh__calloc(values, sizeof *plan->views);
    plan->calls = dh__calloc(nodes, sizeof *plan->calls);
    plan->call_views = dh__calloc(views, sizeof *plan->call_views);
    return plan->slots && plan->views && plan->calls && plan->call_views ? DH_OK : DH_ENOMEM;
}

static void fill_tables(dh__plan *plan)
{
    const dh__graph *g = plan->graph;
    dh_view *next = plan->call_views;
    for (int v = 0; v < g->value_count; v++) {
        plan->views[v] = g->values[v].view;
        plan->slots[v].base = v;
        if (g->values[v].home == DH_HOME_INPUT && !plan->rows && g->values[v].view.ndim)
            plan->rows = g->values[v].view.shape[0];
    }
    for (int i = 0; i < g->node_count; i++) {
        const dh__node *n = g->nodes[i];
        plan->calls[i].call = (dh_call){.op = dh__ops[n->op],
                                        .attr = n->attr,
                                        .in_count = n->in_count,
                                        .out_count = n->out_count,
                                        .in = next,
                                        .out = next + n->in_count,
                                        .step = &plan->step,
                                        .device = plan->arena->device,
                                        .exact_ties = n->exact_ties,
                                        .stream = n->stream};
        next += n->in_count + n->out_count;
        for (int p = n->phase; p < DH_PHASES; p++) plan->phase_end[p] = i + 1;
    }
}

/* Constants in their dtype, one 64-byte aligned piece each, in one block on the device. */
static dh_status make_consts(dh__plan *plan)
{
    const dh__graph *g = plan->graph;
    dh_device *device = plan->arena->device;
    size_t total = 0, largest = 0;
    for (int i = 0; i < g->const_count; i++) {
        const dh_view *v = &g->values[g->consts[i].value].view;
        size_t size = ((size_t)dh__view_count(v) * dh_dtype_size(v->dtype) + 63) / 64 * 64;
        plan->slots[g->consts[i].value].at = total;
        total += size;
        if (size > largest) largest = size;
    }
    if (!total) return DH_OK;
    DH_TRY(device->alloc(device, &plan->consts, total));
    char *host = dh__alloc(largest);
    if (!host) return DH_ENOMEM;
    dh_status status = DH_OK;
    for (int i = 0; i < g->const_count && !status; i++) {
        dh_value value = g->consts[i].value;
        const dh_view *v = &g->values[value].view;
        int64_t n = dh__view_count(v);
        size_t size = dh_dtype_size(v->dtype);
        for (int64_t k = 0; k < n; k++)
            dh__store(v->dtype, host + (size_t)k * size, g->consts[i].data[k]);
        status = device->copy_in(device, (char *)plan->consts + plan->slots[value].at, host,
                                 (size_t)n * size);
    }
    dh__free(host);
    return status;
}

static dh_status build(dh__plan *plan)
{
    DH_TRY(dh__graph_hasten_updates(plan->graph));
    DH_TRY(allocate_tables(plan));
    fill_tables(plan);
    dh__plan_tell_reads(plan);
    DH_TRY(settle(plan, true));
    DH_TRY(dh__plan_memory(plan));
    return make_consts(plan);
}

static dh_status new_plan(dh__plan **out, dh__graph *graph_take, dh__arena *arena)
{
    dh__plan *plan = dh__calloc(1, sizeof *plan);
    if (!plan) {
        dh__graph_free(graph_take);
        return DH_ENOMEM;
    }
    plan->graph = graph_take;
    plan->arena = arena;
    dh_status status = build(plan);
    if (status)
        dh__plan_free(plan);
    else
        *out = plan;
    return status;
}

static double forward_flops(const dh__plan *plan)
{
    double flops = 0;
    for (int i = 0; i < plan->phase_end[DH_FORWARD]; i++)
        if (plan->calls[i].impl) flops += dh__op_flops(&plan->calls[i].call);
    return flops;
}

/* Values that lie idle at the peak are made again, one after the other, for a share of the forward
 * part's time. A peak that goes may leave another as high, so a step that gains nothing is followed
 * by more. */
static dh_status split_peaks(dh__plan **best, dh__arena *arena)
{
    double flops = SPLIT_SHARE * forward_flops(*best);
    dh__plan *plan = *best;
    dh_status status = DH_OK;
    for (int gainless = 0; !status && gainless < SPLITS_GAINLESS;) {
        dh__graph *copy;
        dh__plan *next = NULL;
        bool done;
        status = dh__graph_clone(&copy, plan->graph);
        if (status) break;
        status = dh__graph_split_peak(copy, plan, &flops, &done);
        if (status || !done) {
            dh__graph_free(copy);
            break;
        }
        status = new_plan(&next, copy, arena);
        if (plan != *best) dh__plan_free(plan);
        plan = status ? *best : next;
        gainless++;
        if (!status && plan->arena_size < (*best)->arena_size) {
            dh__plan_free(*best);
            *best = plan;
            gainless = 0;
        }
    }
    if (plan != *best) dh__plan_free(plan);
    return status;
}

/* One way of recomputing a copy of the graph, kept if it needs less memory than *best. */
static dh_status try_recompute(dh__plan **best, const dh__graph *graph, dh__arena *arena,
                               dh__memory level, int segments)
{
    dh__graph *copy;
    dh__plan *plan;
    DH_TRY(dh__graph_clone(&copy, graph));
    dh_status status = dh__graph_recompute(copy, level, segments);
    if (status) {
        dh__graph_free(copy);
        return status;
    }
    DH_TRY(new_plan(&plan, copy, arena));
    if (level == DH_LOW_MEM) status = split_peaks(&plan, arena);
    bool better = plan->arena_size < (*best)->arena_size;
    dh__plan_free(better ? *best : plan);
    if (better) *best = plan;
    return status;
}

dh_status dh__plan_new(dh__plan **out, dh__graph *graph_take, dh__arena *arena, dh__memory level)
{
    dh__plan *best;
    dh_status status = graph_take->emitter.status;
    if (!status) status = dh__graph_sort(graph_take);
    if (!status) status = dh__graph_fold(graph_take);
    if (!status) status = dh__graph_fuse(graph_take);
    if (!status) status = dh__graph_fuse_pools(graph_take, arena->device);
    if (!status) status = dh__graph_prune(graph_take);
    if (!status) status = dh__graph_mark_ties(graph_take);
    if (!status) status = dh__graph_lay_channels(graph_take, arena->device);
    if (status) {
        dh__graph_free(graph_take);
        return status;
    }
    /* a recomputing plan is built from the plain graph, and taken only where it saves memory */
    dh__graph *plain = NULL;
    if (level != DH_FULL_MEM) status = dh__graph_clone(&plain, graph_take);
    if (status) {
        dh__graph_free(graph_take);
        return status;
    }
    status = new_plan(&best, graph_take, arena);
    bool made = !status;
    if (!status && level >= DH_MID_MEM) status = try_recompute(&best, plain, arena, DH_MID_MEM, 0);
    for (int segments = 2; !status && level == DH_LOW_MEM && segments <= 16; segments++)
        status = try_recompute(&best, plain, arena, DH_LOW_MEM, segments);
    dh__graph_free(plain);
    if (!status)
        *out = best;
    else if (made)
        dh__plan_free(best);
    return status;
}

void dh__plan_free(dh__plan *plan)
{
    if (!plan) return;
    if (plan->arena->owner == plan) plan->arena->owner = NULL;
    if (plan->consts) plan->arena->device->free(plan->arena->device, plan->consts);
    dh__plan_drop_derived(plan);
    dh__free(plan->staging);
    dh__graph_free(plan->graph);
    dh__free(plan->slots);
    dh__free(plan->views);
    dh__free(plan->calls);
    dh__free(plan->call_views);
    dh__free(plan);
}

/* --- size and addresses --- */

static void set_rows(dh__plan *plan, int64_t rows)
{
    const dh__graph *g = plan->graph;
    for (int v = 0; v < g->value_count; v++) {
        if (g->values[v].home != DH_HOME_INPUT || !g->values[v].view.ndim) continue;
        plan->views[v].shape[0] = rows;
        dh__view_pack(&plan->views[v]);
    }
    plan->rows = rows;
}

dh_status dh__plan_resize(dh__plan *plan, int64_t rows)
{
    int64_t before = plan->rows;
    if (rows == before) return DH_OK;
    const dh__graph *g = plan->graph;
    DH_REQUIRE(rows >= 0, DH_EINVAL, "plan: rows is %lld, must be at least 0", (long long)rows);
    for (int v = 0; v < g->value_count; v++) /* the graph knows each input at the bound */
        DH_REQUIRE(g->values[v].home != DH_HOME_INPUT || !g->values[v].view.ndim ||
                       rows <= g->values[v].view.shape[0],
                   DH_EUNSUPPORTED, "plan: rows is %lld, %lld are planned", (long long)rows,
                   (long long)g->values[v].view.shape[0]);
    set_rows(plan, rows);
    dh_status status = settle(plan, false);
    if (status) { /* at the old size it had settled */
        set_rows(plan, before);
        dh_status back = settle(plan, false);
        if (back) {
            status = back;
            plan->rows = -1; /* so that the next call settles it */
        }
    }
    plan->bound_arena = NULL;
    return status;
}

static void *address_of(const dh__plan *plan, dh_value value)
{
    const dh__slot *s = &plan->slots[value];
    const dh__val *base = &plan->graph->values[s->base];
    int64_t shift = s->shift * (int64_t)dh_dtype_size(plan->views[value].dtype);
    char *start;
    if (base->home == DH_HOME_ARENA || base->home == DH_HOME_INPUT)
        start = (char *)plan->arena->data + plan->slots[s->base].at;
    else if (base->home == DH_HOME_CONST)
        start = (char *)plan->consts + plan->slots[s->base].at;
    else if (base->home == DH_HOME_SLOT)
        start = dh__slots_address(plan->graph->slots, plan->graph->store, base->slot, base->offset);
    else
        start = dh__params_address(plan->graph->store, base->home, base->offset);
    return start ? start + shift : NULL;
}

dh_status dh__plan_bind(dh__plan *plan)
{
    const dh__graph *g = plan->graph;
    size_t need = plan->arena_size ? plan->arena_size : 64;
    DH_TRY(reserve(plan->arena, need));
    DH_TRY(dh__plan_stage(plan));
    if (plan->bound_arena == plan->arena->data && plan->bound_layout == g->store->layout)
        return DH_OK;
    for (int v = 0; v < g->value_count; v++) plan->views[v].data = address_of(plan, v);
    for (int i = 0; i < g->node_count; i++) {
        const dh__node *n = g->nodes[i];
        dh__step_call *c = &plan->calls[i];
        fetch_inputs(plan, i);
        for (int k = 0; k < n->out_count; k++) c->call.out[k] = plan->views[n->out[k]];
        c->call.scratch = c->scratch ? (char *)plan->arena->data + c->scratch_at : NULL;
    }
    plan->bound_arena = plan->arena->data;
    plan->bound_layout = g->store->layout;
    return DH_OK;
}

const dh_view *dh__plan_view(const dh__plan *plan, dh_value value)
{
    return &plan->views[value];
}
