/* SPDX-License-Identifier: MIT */
/* Maximum pooling that a convolution does itself, before its result leaves the cache. */
#include "graph.h"

static bool all(const dh_ints *list, int64_t number)
{
    bool yes = true;
    for (int i = 0; i < list->count; i++) yes &= list->v[i] == number;
    return yes;
}

/* Windows of 2x2 elements, 2 apart; an odd last row or column is left out. */
static bool halves(const dh__node *n)
{
    if (n->op != DH_OP_MAX_POOL) return false;
    const dh_pool_attr *a = n->attr;
    return a->kernel_shape.count == 2 && all(&a->kernel_shape, 2) && a->strides.count == 2 &&
           all(&a->strides, 2) && all(&a->dilations, 1) && all(&a->pads, 0) && !a->ceil_mode;
}

/* The convolution whose results the node pools, if nothing else reads them; else -1. */
static int pooled_by(const dh__graph *graph, const dh__node *pool, const int *readers)
{
    const dh__val *x = &graph->values[pool->in[0]];
    if (x->node < 0 || x->home != DH_HOME_ARENA || readers[pool->in[0]] != 1) return -1;
    const dh__node *conv = graph->nodes[x->node];
    if (conv->op != DH_OP_CONV || conv->phase != pool->phase) return -1;
    const dh_conv_attr *attr = conv->attr;
    return attr->add || attr->pool ? -1 : x->node;
}

/* Lets convolution number `index` make what the node makes, which is freed, where that changes
 * nothing of how it is run; *done: it does. */
static dh_status take_pool(dh__graph *graph, int index, dh__node *pool, dh_device *device,
                           bool *done)
{
    dh__node *conv = graph->nodes[index];
    dh_conv_attr *attr = conv->attr;
    dh_value sums = conv->out[0], out = pool->out[0];
    dh_view *views = dh__calloc((size_t)conv->in_count + 1, sizeof *views);
    if (!views) return DH_ENOMEM;
    for (int k = 0; k < conv->in_count; k++) views[k] = graph->values[conv->in[k]].view;
    views[conv->in_count] = graph->values[sums].view;
    const dh_impl *apart = dh__graph_choose(conv, views, device);
    views[conv->in_count] = graph->values[out].view;
    attr->pool = true;
    *done = apart && dh__graph_choose(conv, views, device) == apart;
    attr->pool = *done;
    dh__free(views);
    if (!*done) return DH_OK;
    conv->out[0] = out;
    graph->values[sums].node = -1; /* nothing makes it any more */
    graph->values[out].node = index;
    dh__free(pool);
    return DH_OK;
}

dh_status dh__graph_fuse_pools(dh__graph *graph, dh_device *device)
{
    int *readers = dh__graph_readers(graph);
    if (!readers) return DH_ENOMEM;
    dh_status status = DH_OK;
    for (int i = 0; i < graph->node_count && !status; i++) {
        dh__node *n = graph->nodes[i];
        int conv = halves(n) ? pooled_by(graph, n, readers) : -1;
        bool done = false;
        if (conv >= 0) status = take_pool(graph, conv, n, device, &done);
        if (done) graph->nodes[i] = NULL;
    }
    dh__graph_drop_empty(graph);
    dh__free(readers);
    return status;
}
