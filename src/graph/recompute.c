/* SPDX-License-Identifier: MIT */
/* Memory for time: forward values that backward reads are made again where they are needed. mid_mem
 * repeats cheap ops whose inputs are there anyway; low_mem keeps only what crosses between segments
 * of the forward part (Chen et al., "Training deep nets with sublinear memory cost", 2016). A
 * repeated node has the same implementation and random stream, so every bit is the same. */
#include <string.h>

#include "plan.h"

typedef struct remake {
    dh__graph *graph;
    dh__node **old; /* the node list being rebuilt */
    int old_count, forward;
    bool *drop;     /* by value: backward takes a fresh copy */
    bool *fixed;    /* by value: there when backward runs, not to be made again */
    bool *stale;    /* by value: forward changes it (running statistics), or it is a view of such */
    dh_value *copy; /* by value: the fresh copy, DH_NO_VALUE before it is made */
    int values;
    dh__phase phase; /* of the node that reads a copy first */
} remake;

static bool reads(const dh__node *n, int k)
{
    return k >= 32 || !(dh__ops[n->op]->like >> k & 1u);
}

static bool planned(const remake *r, dh_value v)
{
    return r->graph->values[v].home == DH_HOME_ARENA && r->graph->values[v].node >= 0;
}

static bool updates_something(const dh__node *n)
{
    return dh__ops[n->op]->updates[0] != 0;
}

/* What reads a value that forward changes would read something else when it is repeated. */
static void mark_stale(remake *r)
{
    for (int i = 0; i < r->forward; i++) {
        const dh__node *n = r->old[i];
        for (int k = 0; updates_something(n) && k < n->out_count; k++) {
            int updated = dh__op_updated(dh__ops[n->op], k);
            for (int v = 0; updated >= 0 && v < r->values; v++)
                r->stale[v] |= dh__graph_at_place(r->graph, v, n->in[updated]);
        }
    }
    for (int i = 0; i < r->forward; i++) {
        const dh__node *n = r->old[i];
        if (dh__ops[n->op]->view && r->stale[n->in[0]]) r->stale[n->out[0]] = true;
    }
}

static bool repeatable(const remake *r, const dh__node *n)
{
    if (updates_something(n) || (dh__ops[n->op]->flags & DH_OP_MEETS)) return false;
    for (int k = 0; k < n->in_count; k++)
        if (reads(n, k) && r->stale[n->in[k]]) return false;
    return true;
}

/* fixed := no planned forward value at all; drop := a forward value that backward reads, which the
 * choosers below then thin out. */
static void mark_used(remake *r)
{
    for (int v = 0; v < r->values; v++) r->fixed[v] = !planned(r, v);
    for (int i = r->forward; i < r->old_count; i++)
        for (int k = 0; k < r->old[i]->in_count; k++) {
            dh_value v = r->old[i]->in[k];
            bool before = planned(r, v) && r->graph->values[v].node < r->forward;
            if (reads(r->old[i], k) && before) r->drop[v] = true;
        }
}

static void choose_cheap(remake *r)
{
    for (int i = 0; i < r->forward; i++) {
        const dh__node *n = r->old[i];
        const dh_op *op = dh__ops[n->op];
        bool again = ((op->flags & DH_OP_CHEAP) || op->view) && repeatable(r, n);
        for (int k = 0; k < n->in_count; k++) {
            dh_value x = n->in[k];
            /* an input is there if it is fixed, or can be made again itself */
            if (reads(n, k) && !r->fixed[x] && r->copy[x] != 0) again = false;
        }
        for (int k = 0; k < n->out_count; k++) {
            dh_value y = n->out[k];
            if (r->graph->values[y].keep) again = false;
        }
        for (int k = 0; k < n->out_count; k++) {
            dh_value y = n->out[k];
            if (again) {
                r->copy[y] = 0; /* marks "can be made again" until the copies are made */
            } else {
                r->fixed[y] |= r->drop[y];
                r->drop[y] = false;
            }
        }
    }
    for (int v = 0; v < r->values; v++) r->copy[v] = DH_NO_VALUE;
}

/* Segment of each forward node: equal shares of the bytes that the nodes make. */
static void cut_segments(const remake *r, int segments, int *segment)
{
    double total = 0, sum = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < r->forward; i++) {
            const dh__node *n = r->old[i];
            double bytes = 0;
            for (int k = 0; k < n->out_count && !dh__ops[n->op]->view; k++)
                bytes += (double)dh__view_count(&r->graph->values[n->out[k]].view) *
                         (double)dh_dtype_size(r->graph->values[n->out[k]].view.dtype);
            if (pass == 0) {
                total += bytes;
                continue;
            }
            int s = total > 0 ? (int)(sum / total * segments) : 0;
            segment[i] = s < segments ? s : segments - 1;
            sum += bytes;
        }
}

static dh_status choose_segments(remake *r, int segments)
{
    int *segment = dh__calloc((size_t)r->forward + 1, sizeof *segment);
    if (!segment) return DH_ENOMEM;
    cut_segments(r, segments, segment);
    for (int i = 0; i < r->forward; i++) {
        const dh__node *n = r->old[i];
        bool stays = segment[i] == segments - 1 || !repeatable(r, n);
        for (int k = 0; k < n->out_count; k++)
            if (stays || r->graph->values[n->out[k]].keep) r->fixed[n->out[k]] = true;
        for (int k = 0; k < n->in_count; k++) {
            int from = r->graph->values[n->in[k]].node;
            if (reads(n, k) && from >= 0 && segment[from] != segment[i]) r->fixed[n->in[k]] = true;
        }
    }
    for (int v = 0; v < r->values; v++)
        if (r->fixed[v]) r->drop[v] = false;
    dh__free(segment);
    return DH_OK;
}

static dh_status fresh(remake *r, dh_value v);

/* Appends a copy of forward node n, its inputs first. */
static dh_status repeat_node(remake *r, const dh__node *n)
{
    dh_value local[8], *in = local, out[DH_OP_MAX_OUT];
    if (n->in_count > 8 && !(in = dh__alloc((size_t)n->in_count * sizeof *in))) return DH_ENOMEM;
    dh_status status = DH_OK;
    for (int k = 0; k < n->in_count && !status; k++) {
        in[k] = n->in[k];
        if (r->fixed[in[k]] || !reads(n, k)) continue;
        status = fresh(r, in[k]);
        if (!status) in[k] = r->copy[in[k]];
    }
    if (!status) status = dh__graph_repeat(r->graph, n, in, out);
    if (!status) {
        r->graph->nodes[r->graph->node_count - 1]->phase = r->phase;
        for (int k = 0; k < n->out_count; k++) r->copy[n->out[k]] = out[k];
    }
    if (in != local) dh__free(in);
    return status;
}

static dh_status fresh(remake *r, dh_value v)
{
    if (r->copy[v] != DH_NO_VALUE) return DH_OK;
    return repeat_node(r, r->old[r->graph->values[v].node]);
}

/* Moves the old nodes over, with the copies in front of their first reader. */
static dh_status rebuild(remake *r)
{
    dh_status status = DH_OK;
    for (int i = 0; i < r->old_count; i++) {
        dh__node *n = r->old[i];
        r->phase = n->phase;
        for (int k = 0; i >= r->forward && k < n->in_count && !status; k++) {
            dh_value v = n->in[k];
            if (v >= r->values || !r->drop[v] || !reads(n, k)) continue;
            status = fresh(r, v);
            if (!status) n->in[k] = r->copy[v];
        }
        if (r->graph->node_count == r->graph->node_room && !status) {
            int room = r->graph->node_room * 2 + 16;
            dh__node **grown =
                dh__grow(r->graph->nodes, (size_t)r->graph->node_room * sizeof *grown,
                         (size_t)room * sizeof *grown);
            if (grown) {
                r->graph->nodes = grown;
                r->graph->node_room = room;
            } else {
                status = DH_ENOMEM;
            }
        }
        if (status) {
            dh__free(n);
            continue;
        }
        r->graph->nodes[r->graph->node_count++] = n;
    }
    for (int i = 0; i < r->graph->node_count; i++)
        for (int k = 0; k < r->graph->nodes[i]->out_count; k++)
            r->graph->values[r->graph->nodes[i]->out[k]].node = i;
    return status;
}

dh_status dh__graph_recompute(dh__graph *graph, dh__memory level, int segments)
{
    remake r = {.graph = graph, .old_count = graph->node_count, .values = graph->value_count};
    if (level == DH_FULL_MEM || !graph->node_count) return DH_OK;
    size_t n = (size_t)graph->value_count + 1;
    r.drop = dh__calloc(n, sizeof *r.drop);
    r.fixed = dh__calloc(n, sizeof *r.fixed);
    r.stale = dh__calloc(n, sizeof *r.stale);
    r.copy = dh__alloc(n * sizeof *r.copy);
    dh__node **empty = dh__calloc((size_t)graph->node_room, sizeof *empty);
    dh_status status = r.drop && r.fixed && r.stale && r.copy && empty ? DH_OK : DH_ENOMEM;
    while (r.forward < graph->node_count && graph->nodes[r.forward]->phase == DH_FORWARD)
        r.forward++;
    if (!status) {
        r.old = graph->nodes;
        for (int v = 0; v < r.values; v++) r.copy[v] = DH_NO_VALUE;
        mark_used(&r);
        mark_stale(&r);
        if (level == DH_MID_MEM)
            choose_cheap(&r);
        else
            status = choose_segments(&r, segments);
    }
    if (!status) {
        graph->nodes = empty;
        graph->node_count = 0;
        status = rebuild(&r);
        dh__free(r.old);
    } else {
        dh__free(empty);
    }
    dh__free(r.drop);
    dh__free(r.fixed);
    dh__free(r.stale);
    dh__free(r.copy);
    return status;
}
