/* SPDX-License-Identifier: MIT */
/* The second step of low_mem: where a step needs the most memory, a value that is read before and
 * after but not there is made once more behind that place, and lies idle no longer. */
#include <string.h>

#include "plan.h"

#define DEPTH_MOST 4 /* nodes that are repeated for one value, one from the other */

typedef struct split {
    const dh__plan *plan;
    const dh__graph *graph; /* of the plan */
    int peak;               /* the node where the most memory is in use */
    int *last;              /* by value: the node that reads it last, -1: none */
    bool *there;            /* by value: the node at the peak reads or makes it */
    bool *bound;            /* by value: something lies in its buffer, or changes it */
} split;

static bool reads(const dh__node *n, int k)
{
    return k >= 32 || !(dh__ops[n->op]->like >> k & 1u);
}

/* --- where --- */

static int find_peak(const dh__plan *plan, double *in_use)
{
    const dh__graph *g = plan->graph;
    int peak = 0;
    memset(in_use, 0, ((size_t)g->node_count + 1) * sizeof *in_use);
    for (int v = 0; v < g->value_count; v++) {
        const dh__slot *s = &plan->slots[v];
        bool planned = g->values[v].home == DH_HOME_ARENA || g->values[v].home == DH_HOME_INPUT;
        if (s->base != v || !planned || s->last < s->first) continue;
        in_use[s->first < 0 ? 0 : s->first] += (double)s->size;
        if (s->last + 1 < g->node_count) in_use[s->last + 1] -= (double)s->size;
    }
    for (int i = 1; i < g->node_count; i++) in_use[i] += in_use[i - 1];
    for (int i = 0; i < g->node_count; i++) in_use[i] += (double)plan->calls[i].scratch;
    for (int i = 1; i < g->node_count; i++)
        if (in_use[i] > in_use[peak]) peak = i;
    return peak;
}

int dh__plan_peak(const dh__plan *plan, size_t *bytes)
{
    double *in_use = dh__calloc((size_t)plan->graph->node_count + 1, sizeof *in_use);
    if (!in_use) return -1;
    int peak = find_peak(plan, in_use);
    *bytes = (size_t)in_use[peak];
    dh__free(in_use);
    return peak;
}

static void note_uses(split *s)
{
    const dh__graph *g = s->graph;
    for (int v = 0; v < g->value_count; v++) s->last[v] = -1;
    for (int i = 0; i < g->node_count; i++) {
        const dh__node *n = g->nodes[i];
        for (int k = 0; k < n->in_count; k++) {
            if (!s->plan->calls[i].impl) s->bound[n->in[k]] = true; /* a view of it */
            if (!reads(n, k)) continue;
            s->last[n->in[k]] = i;
            s->there[n->in[k]] |= i == s->peak;
        }
        for (int k = 0; k < n->out_count; k++) {
            int updated = dh__op_updated(dh__ops[n->op], k);
            s->there[n->out[k]] |= i == s->peak;
            s->bound[n->out[k]] |= !s->plan->calls[i].impl || updated >= 0;
            if (updated >= 0 && n->phase <= DH_BACKWARD) s->bound[n->in[updated]] = true;
        }
    }
}

/* --- what --- */

/* The value can be made again behind the peak, where its inputs are still there or can be made
 * again themselves; *flops grows by what that takes. */
static bool repeatable(const split *s, dh_value v, int depth, double *flops)
{
    const dh__graph *g = s->graph;
    int index = g->values[v].node;
    if (index < 0 || depth == 0 || s->bound[v]) return false;
    const dh__node *n = g->nodes[index];
    if (dh__ops[n->op]->updates[0] || (dh__ops[n->op]->flags & DH_OP_MEETS)) return false;
    *flops += dh__op_flops(&s->plan->calls[index].call);
    for (int k = 0; k < n->in_count; k++) {
        const dh__val *x = &g->values[n->in[k]];
        bool constant = x->home == DH_HOME_INPUT || x->home == DH_HOME_CONST ||
                        x->home == DH_HOME_WEIGHT; /* until the update */
        if (!reads(n, k) || x->keep) continue;
        if (constant && !s->bound[n->in[k]]) continue;
        if (x->home != DH_HOME_ARENA) return false;
        if (s->last[n->in[k]] > s->peak) continue;
        if (!repeatable(s, n->in[k], depth - 1, flops)) return false;
    }
    return true;
}

/* The largest value that lies idle at the peak and costs no more than that to make again; -1: there
 * is none. */
static dh_value largest_idle(const split *s, double most, double *flops)
{
    const dh__graph *g = s->graph;
    dh_value best = DH_NO_VALUE;
    for (dh_value v = 0; v < g->value_count; v++) {
        const dh__val *value = &g->values[v];
        double cost = 0;
        if (value->home != DH_HOME_ARENA || value->keep || value->node < 0) continue;
        if (value->node >= s->peak || s->last[v] <= s->peak || s->there[v]) continue;
        if (g->nodes[s->last[v]]->phase > DH_BACKWARD) continue;
        if (best >= 0 && s->plan->slots[v].size <= s->plan->slots[best].size) continue;
        if (!repeatable(s, v, DEPTH_MOST, &cost) || cost > most) continue;
        best = v;
        *flops = cost;
    }
    return best;
}

/* --- making it again --- */

/* Appends what makes the value again to `to`, a copy of the split's graph. */
static dh_status repeat(const split *s, dh__graph *to, dh_value v, dh__phase phase, dh_value *out)
{
    const dh__node *n = s->graph->nodes[s->graph->values[v].node];
    dh_value in[8], made[DH_OP_MAX_OUT];
    DH_REQUIRE(n->in_count <= 8, DH_EUNSUPPORTED, "%s: too many inputs", dh__ops[n->op]->name);
    for (int k = 0; k < n->in_count; k++) {
        const dh__val *x = &s->graph->values[n->in[k]];
        in[k] = n->in[k];
        if (!reads(n, k) || x->home != DH_HOME_ARENA || x->keep || s->last[in[k]] > s->peak)
            continue;
        DH_TRY(repeat(s, to, in[k], phase, &in[k]));
    }
    DH_TRY(dh__graph_repeat(to, n, in, made));
    to->nodes[to->node_count - 1]->phase = phase;
    for (int k = 0; k < n->out_count; k++)
        if (n->out[k] == v) *out = made[k];
    return DH_OK;
}

/* Moves the nodes from `from` on in front of node `at`. */
static dh_status move_back(dh__graph *g, int from, int at)
{
    size_t count = (size_t)(g->node_count - from);
    dh__node **moved = dh__alloc(count * sizeof *moved);
    if (!moved) return DH_ENOMEM;
    memcpy(moved, g->nodes + from, count * sizeof *moved);
    memmove(g->nodes + at + count, g->nodes + at, (size_t)(from - at) * sizeof *moved);
    memcpy(g->nodes + at, moved, count * sizeof *moved);
    dh__free(moved);
    dh__graph_drop_empty(g); /* values learn their producers' places */
    return DH_OK;
}

static dh_status remake(const split *s, dh__graph *to, dh_value v)
{
    int next = s->peak + 1, before = to->node_count;
    dh_value fresh = v;
    for (bool read = false; !read; next += !read)
        for (int k = 0; k < to->nodes[next]->in_count; k++)
            read |= to->nodes[next]->in[k] == v && reads(to->nodes[next], k);
    DH_TRY(repeat(s, to, v, to->nodes[next]->phase, &fresh));
    for (int i = next; i < before; i++)
        for (int k = 0; k < to->nodes[i]->in_count; k++)
            if (to->nodes[i]->in[k] == v) to->nodes[i]->in[k] = fresh;
    return move_back(to, before, next);
}

dh_status dh__graph_split_peak(dh__graph *copy, const dh__plan *plan, double *flops, bool *done)
{
    size_t values = (size_t)plan->graph->value_count + 1;
    size_t nodes = (size_t)plan->graph->node_count + 1;
    double *in_use = dh__calloc(nodes, sizeof *in_use), cost = 0;
    split s = {.plan = plan, .graph = plan->graph};
    s.last = dh__calloc(values, sizeof *s.last);
    s.there = dh__calloc(2 * values, sizeof *s.there);
    s.bound = s.there ? s.there + values : NULL;
    dh_status status = in_use && s.last && s.there ? DH_OK : DH_ENOMEM;
    *done = false;
    if (!status) {
        s.peak = find_peak(plan, in_use);
        note_uses(&s);
        dh_value v = largest_idle(&s, *flops, &cost);
        if (v >= 0) {
            status = remake(&s, copy, v);
            *done = !status;
            *flops -= cost;
        }
    }
    dh__free(in_use);
    dh__free(s.last);
    dh__free(s.there);
    return status;
}
