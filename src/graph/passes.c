/* SPDX-License-Identifier: MIT */
/* Sorting, pruning and marking. */
#include <string.h>

#include "graph.h"

void dh__graph_drop_empty(dh__graph *graph)
{
    int kept = 0;
    for (int i = 0; i < graph->node_count; i++) {
        dh__node *n = graph->nodes[i];
        if (!n) continue;
        for (int k = 0; k < n->out_count; k++) graph->values[n->out[k]].node = kept;
        graph->nodes[kept++] = n;
    }
    graph->node_count = kept;
}

dh_status dh__graph_sort(dh__graph *graph)
{
    size_t size = (size_t)graph->node_count * sizeof *graph->nodes;
    if (!size) return DH_OK;
    dh__node **sorted = dh__alloc(size);
    if (!sorted) return DH_ENOMEM;
    int n = 0;
    for (int phase = 0; phase < DH_PHASES; phase++)
        for (int i = 0; i < graph->node_count; i++)
            if ((int)graph->nodes[i]->phase == phase) sorted[n++] = graph->nodes[i];
    memcpy(graph->nodes, sorted, size);
    dh__free(sorted);
    dh__graph_drop_empty(graph); /* values learn their producers' places */
    return DH_OK;
}

int *dh__graph_readers(const dh__graph *graph)
{
    int *readers = dh__calloc((size_t)graph->value_count + 1, sizeof *readers);
    if (!readers) return NULL;
    for (int v = 0; v < graph->value_count; v++) readers[v] += graph->values[v].keep;
    for (int i = 0; i < graph->node_count; i++)
        for (int k = 0; k < graph->nodes[i]->in_count; k++) readers[graph->nodes[i]->in[k]]++;
    return readers;
}

const dh_impl *dh__graph_choose(const dh__node *n, dh_view *views, dh_device *device)
{
    dh_call call = {.op = dh__ops[n->op],
                    .attr = n->attr,
                    .in_count = n->in_count,
                    .out_count = n->out_count,
                    .in = views,
                    .out = views + n->in_count,
                    .device = device,
                    .exact_ties = n->exact_ties};
    const dh_impl *impl = NULL;
    if (dh__op_choose(&impl, device, n->op, &call)) dh_error_clear();
    return impl;
}

dh_value dh__graph_origin(const dh__graph *graph, dh_value value)
{
    for (;;) {
        const dh__val *v = &graph->values[value];
        if (v->home >= DH_HOME_WEIGHT || v->node < 0) return value;
        const dh__node *n = graph->nodes[v->node];
        if (!dh__ops[n->op]->view) return value;
        value = n->in[0];
    }
}

bool dh__graph_at_place(const dh__graph *graph, dh_value value, dh_value place)
{
    const dh__val *a = &graph->values[value], *b = &graph->values[place];
    if (value == place) return true;
    if (a->home < DH_HOME_WEIGHT || a->home != b->home || a->slot != b->slot) return false;
    return a->offset < b->offset + dh__view_count(&b->view) &&
           b->offset < a->offset + dh__view_count(&a->view);
}

static bool in_store(const dh__graph *graph, dh_value value)
{
    return graph->values[dh__graph_origin(graph, value)].home >= DH_HOME_WEIGHT;
}

static bool writes_store(const dh__graph *graph, const dh__node *n)
{
    bool writes = false;
    for (int k = 0; k < n->out_count; k++) {
        int updated = dh__op_updated(dh__ops[n->op], k);
        writes |= graph->values[n->out[k]].home >= DH_HOME_WEIGHT ||
                  (updated >= 0 && in_store(graph, n->in[updated]));
    }
    return writes;
}

dh_status dh__graph_prune(dh__graph *graph)
{
    bool *live = dh__calloc((size_t)graph->value_count + 1, sizeof *live);
    if (!live) return DH_ENOMEM;
    for (int v = 0; v < graph->value_count; v++) live[v] = graph->values[v].keep;
    for (int i = graph->node_count - 1; i >= 0; i--) {
        dh__node *n = graph->nodes[i];
        bool wanted = writes_store(graph, n);
        for (int k = 0; k < n->out_count; k++) wanted |= live[n->out[k]];
        if (wanted) {
            for (int k = 0; k < n->in_count; k++) live[n->in[k]] = true;
            continue;
        }
        for (int k = 0; k < n->out_count; k++) graph->values[n->out[k]].node = -1;
        dh__free(n);
        graph->nodes[i] = NULL;
    }
    dh__graph_drop_empty(graph);
    dh__free(live);
    return DH_OK;
}

/* By value, which reach an update or a gradient in the store. */
static void mark_learning(const dh__graph *graph, bool *learns)
{
    for (int i = graph->node_count - 1; i >= 0; i--) {
        const dh__node *n = graph->nodes[i];
        bool any = writes_store(graph, n);
        for (int k = 0; k < n->out_count; k++) any |= learns[n->out[k]];
        for (int k = 0; k < n->in_count && any; k++) learns[n->in[k]] = true;
    }
}

dh_status dh__graph_mark_ties(dh__graph *graph)
{
    size_t count = (size_t)graph->value_count + 1;
    bool *learns = dh__calloc(2 * count, sizeof *learns), *tied = learns + count;
    if (!learns) return DH_ENOMEM;
    mark_learning(graph, learns);
    for (int i = graph->node_count - 1; i >= 0; i--) {
        dh__node *n = graph->nodes[i];
        bool selects = false;
        n->exact_ties = false;
        for (int k = 0; k < n->out_count; k++) {
            selects |= (dh__ops[n->op]->flags & DH_OP_SELECTS) && learns[n->out[k]];
            n->exact_ties |= tied[n->out[k]];
        }
        for (int k = 0; k < n->in_count && (selects || n->exact_ties); k++) tied[n->in[k]] = true;
    }
    dh__free(learns);
    return DH_OK;
}
