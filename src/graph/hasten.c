/* SPDX-License-Identifier: MIT */
/* Updates amid the backward pass: a weight is updated as soon as nobody reads it any more in this
 * step, so that its gradient, which lies in the arena then, gives its memory to what follows. */
#include <string.h>

#include "graph.h"

/* Of a weight, by a gradient that the store does not keep. */
static bool can_hasten(const dh__graph *graph, const dh__node *n)
{
    if (n->phase != DH_UPDATE || dh__op_updated(dh__ops[n->op], 0) != 0) return false;
    for (int k = 0; k < n->in_count; k++)
        if (graph->values[n->in[k]].home == DH_HOME_GRAD) return false;
    return graph->values[n->in[0]].home == DH_HOME_WEIGHT;
}

#define SEVERAL -1

typedef struct hasten {
    dh__graph *graph;
    int *moved;   /* by node: 0, or the number of the update that it is, from 1 */
    int *of;      /* by value: 0, the update that must come behind whoever knows it, or SEVERAL */
    int *behind;  /* by update: the last such node */
    int *next;    /* by update: another behind the same node */
    int *first;   /* by node: the first update behind it */
    int *node_of; /* by update */
} hasten;

static bool knows_weight(const hasten *h, dh_value v, int update)
{
    return dh__graph_at_place(h->graph, v, h->graph->nodes[h->node_of[update]]->in[0]);
}

static int number_updates(hasten *h)
{
    const dh__graph *g = h->graph;
    int count = 0;
    for (int i = 0; i < g->node_count; i++) {
        if (!can_hasten(g, g->nodes[i])) continue;
        h->node_of[++count] = i;
        h->moved[i] = count;
    }
    for (int v = 0; v < g->value_count && count; v++)
        for (int u = 1; u <= count && g->values[v].home == DH_HOME_WEIGHT; u++)
            if (knows_weight(h, v, u)) h->of[v] = h->of[v] ? SEVERAL : u;
    return count;
}

static void stay_behind(hasten *h, int count, dh_value value, int node)
{
    dh_value v = dh__graph_origin(h->graph, value);
    int from = h->of[v] == SEVERAL ? 1 : h->of[v], to = h->of[v] == SEVERAL ? count : h->of[v];
    for (int u = from; u && u <= to; u++)
        if (h->behind[u] < node && knows_weight(h, v, u)) h->behind[u] = node;
}

/* Behind the losses, all that knows the weight, and what makes the gradient. False where there is
 * no such place. */
static bool find_places(hasten *h, int count)
{
    const dh__graph *g = h->graph;
    int least = -1;
    for (int i = 0; i < g->node_count; i++)
        if (g->nodes[i]->phase <= DH_LOSS) least = i;
    for (int u = 1; u <= count; u++) {
        const dh__node *n = g->nodes[h->node_of[u]];
        h->behind[u] = least;
        for (int k = 0; k < n->in_count; k++)
            if (g->values[n->in[k]].node > h->behind[u]) h->behind[u] = g->values[n->in[k]].node;
    }
    for (int i = 0; i < g->node_count; i++) {
        const dh__node *n = g->nodes[i];
        if (h->moved[i]) continue;
        for (int k = 0; k < n->in_count; k++) stay_behind(h, count, n->in[k], i);
        for (int k = 0; k < n->out_count; k++) stay_behind(h, count, n->out[k], i);
    }
    for (int u = count; u > 0; u--) {
        if (h->behind[u] < 0 || h->moved[h->behind[u]]) return false;
        h->next[u] = h->first[h->behind[u]];
        h->first[h->behind[u]] = u;
    }
    return true;
}

static void reorder(const hasten *h, dh__node **nodes)
{
    const dh__graph *g = h->graph;
    int n = 0;
    for (int i = 0; i < g->node_count; i++) {
        if (h->moved[i]) continue;
        nodes[n++] = g->nodes[i];
        for (int u = h->first[i]; u; u = h->next[u]) nodes[n++] = g->nodes[h->node_of[u]];
    }
    memcpy(g->nodes, nodes, (size_t)n * sizeof *nodes);
}

dh_status dh__graph_hasten_updates(dh__graph *graph)
{
    size_t nodes = (size_t)graph->node_count + 1, values = (size_t)graph->value_count;
    if (!graph->node_count) return DH_OK;
    int *numbers = dh__calloc(5 * nodes + values, sizeof *numbers);
    dh__node **order = dh__alloc(nodes * sizeof *order);
    if (numbers && order) {
        hasten h = {.graph = graph,
                    .moved = numbers,
                    .behind = numbers + nodes,
                    .next = numbers + 2 * nodes,
                    .first = numbers + 3 * nodes,
                    .node_of = numbers + 4 * nodes,
                    .of = numbers + 5 * nodes};
        int count = number_updates(&h);
        if (count && find_places(&h, count)) {
            reorder(&h, order);
            dh__graph_drop_empty(graph); /* values learn their producers' places */
        }
    }
    dh_status status = numbers && order ? DH_OK : DH_ENOMEM;
    dh__free(numbers);
    dh__free(order);
    return status;
}
