/* SPDX-License-Identifier: MIT */
/* Where each value of a step lies. Views (settled in plan.c) and in-place results share a buffer;
 * buffers whose lifetimes do not meet share addresses: largest first, each at the lowest free place
 * (greedy by size, as in Pisarchyk and Lee, "Efficient memory management for deep neural net
 * inference", 2020). */
#include <stdlib.h>
#include <string.h>

#include "plan.h"

#define ALIGN 64u

static size_t align_up(size_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

static size_t bytes_of(const dh_view *view)
{
    return (size_t)dh__view_count(view) * dh_dtype_size(view->dtype);
}

/* Nodes of a chain take turns: what one reads or makes is alive while any of them runs. */
static int begin_of(const dh__plan *plan, int i)
{
    return i >= 0 && plan->calls[i].chain.end ? plan->calls[i].chain.begin : i;
}

static int last_of(const dh__plan *plan, int i)
{
    return i >= 0 && plan->calls[i].chain.end ? plan->calls[i].chain.end - 1 : i;
}

static void find_lifetimes(dh__plan *plan)
{
    const dh__graph *g = plan->graph;
    int end = g->node_count;
    for (int v = 0; v < g->value_count; v++) {
        plan->slots[v].first = end + 1;
        plan->slots[v].last = -1;
    }
    for (int v = 0; v < g->value_count; v++) {
        const dh__val *val = &g->values[v];
        dh__slot *base = &plan->slots[plan->slots[v].base];
        if (val->home == DH_HOME_ARENA && val->node < 0) continue; /* pruned or fused away */
        int born = val->home == DH_HOME_INPUT ? -1 : val->node;
        if (begin_of(plan, born) < base->first) base->first = begin_of(plan, born);
        if (last_of(plan, born) > base->last) base->last = last_of(plan, born);
        if (val->keep || val->home == DH_HOME_INPUT) base->last = end;
    }
    for (int i = 0; i < end; i++) {
        const dh__node *n = g->nodes[i];
        for (int k = 0; k < n->in_count; k++) {
            if (k < 32 && (dh__ops[n->op]->like >> k & 1u)) continue;
            dh__slot *base = &plan->slots[plan->slots[n->in[k]].base];
            if (last_of(plan, i) > base->last) base->last = last_of(plan, i);
        }
    }
}

/* Elements of the same number lie in the same place of equal buffers. */
static bool lie_alike(const dh_view *a, const dh_view *b)
{
    if (dh__view_contiguous(a) && dh__view_contiguous(b)) return true;
    return !memcmp(a->stride, b->stride, (size_t)a->ndim * sizeof *a->stride);
}

/* Input k of node i may give its buffer to output 0: it dies here, fills its buffer, and no other
 * input is another view of that buffer, or the same value in a place that none may overwrite. */
static bool may_overwrite(const dh__plan *plan, int i, int k)
{
    const dh__graph *g = plan->graph;
    const dh__node *n = g->nodes[i];
    dh_value x = n->in[k], y = n->out[0], base = plan->slots[x].base;
    const dh_view *vx = &plan->views[x], *vy = &plan->views[y];
    if (g->values[base].home != DH_HOME_ARENA || plan->slots[base].last != i) return false;
    if (vx->dtype != vy->dtype || !dh__same_shape(vx, vy) || !lie_alike(vx, vy)) return false;
    if (plan->calls[i].chain.end) return false;
    if (plan->slots[x].shift || bytes_of(&plan->views[base]) != bytes_of(vx)) return false;
    for (int j = 0; j < n->in_count; j++) {
        bool takes = j < 32 && (dh__ops[n->op]->inplace >> j & 1u);
        if (plan->slots[n->in[j]].base == base && (n->in[j] != x || !takes)) return false;
    }
    return true;
}

static void share_in_place(dh__plan *plan)
{
    const dh__graph *g = plan->graph;
    for (int i = 0; i < g->node_count; i++) {
        const dh__node *n = g->nodes[i];
        dh_value y = n->out[0];
        if (!plan->calls[i].impl || g->values[y].home != DH_HOME_ARENA || plan->slots[y].base != y)
            continue;
        for (int k = 0; k < n->in_count && k < 32; k++) {
            if (!(dh__ops[n->op]->inplace >> k & 1u) || !may_overwrite(plan, i, k)) continue;
            dh_value base = plan->slots[n->in[k]].base;
            if (plan->slots[y].last > plan->slots[base].last)
                plan->slots[base].last = plan->slots[y].last;
            for (int v = 0; v < g->value_count; v++)
                if (plan->slots[v].base == y) plan->slots[v].base = base;
            break;
        }
    }
}

/* --- offsets --- */

typedef struct block {
    size_t size, at;
    int first, last;
    dh_value value; /* or -1 - node for scratch */
} block;

static int larger_first(const void *a, const void *b)
{
    const block *x = a, *y = b;
    if (x->size != y->size) return x->size < y->size ? 1 : -1;
    return x->first != y->first ? (x->first < y->first ? -1 : 1) : (x->value < y->value ? -1 : 1);
}

/* Lowest place free during the block's life; placed[] is sorted by address. */
static size_t lowest_gap(const block *placed, int count, const block *b)
{
    size_t at = 0;
    for (int i = 0; i < count; i++) {
        const block *p = &placed[i];
        if (p->last < b->first || p->first > b->last) continue;
        if (p->at >= at + b->size) break;
        if (p->at + p->size > at) at = p->at + p->size;
    }
    return at;
}

static dh_status place(block *placed, int *count, block b)
{
    b.at = lowest_gap(placed, *count, &b);
    DH_REQUIRE(b.size <= PTRDIFF_MAX - b.at, DH_EOVERFLOW,
               "plan: %zu bytes behind %zu others do not fit in memory", b.size, b.at);
    int i = (*count)++;
    for (; i > 0 && placed[i - 1].at > b.at; i--) placed[i] = placed[i - 1];
    placed[i] = b;
    return DH_OK;
}

static int collect(const dh__plan *plan, block *blocks)
{
    const dh__graph *g = plan->graph;
    int count = 0;
    for (int v = 0; v < g->value_count; v++) {
        const dh__slot *s = &plan->slots[v];
        bool planned = g->values[v].home == DH_HOME_ARENA || g->values[v].home == DH_HOME_INPUT;
        if (s->base != v || !planned || s->last < s->first) continue;
        blocks[count++] = (block){align_up(s->size), 0, s->first, s->last, v};
    }
    for (int i = 0; i < g->node_count; i++) {
        size_t scratch = 0; /* of a chain, whose nodes run in turn: the largest */
        for (int k = i; begin_of(plan, i) == i && k <= last_of(plan, i); k++)
            if (plan->calls[k].scratch > scratch) scratch = plan->calls[k].scratch;
        if (scratch) blocks[count++] = (block){align_up(scratch), 0, i, last_of(plan, i), -1 - i};
    }
    return count;
}

dh_status dh__plan_memory(dh__plan *plan)
{
    const dh__graph *g = plan->graph;
    find_lifetimes(plan);
    share_in_place(plan);
    for (int v = 0; v < g->value_count; v++) {
        dh__slot *s = &plan->slots[v];
        s->size = s->band ? s->band : bytes_of(&plan->views[v]);
    }
    size_t room = (size_t)(g->value_count + g->node_count + 1);
    block *blocks = dh__calloc(room, sizeof *blocks), *placed = dh__calloc(room, sizeof *placed);
    if (!blocks || !placed) {
        dh__free(blocks);
        dh__free(placed);
        return DH_ENOMEM;
    }
    int count = collect(plan, blocks), done = 0;
    qsort(blocks, (size_t)count, sizeof *blocks, larger_first);
    dh_status status = DH_OK;
    for (int i = 0; i < count && !status; i++) status = place(placed, &done, blocks[i]);
    plan->arena_size = 0;
    for (int i = 0; i < done; i++) {
        const block *b = &placed[i];
        if (b->at + b->size > plan->arena_size) plan->arena_size = b->at + b->size;
        if (b->value >= 0) plan->slots[b->value].at = b->at;
        for (int k = b->first; b->value < 0 && k <= b->last; k++) plan->calls[k].scratch_at = b->at;
    }
    dh__free(blocks);
    dh__free(placed);
    return status;
}
