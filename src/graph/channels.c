/* SPDX-License-Identifier: MIT */
/* Which values lie channels last. */
#include "graph.h"

/* Does the node's implementation take its images as they are laid now? All packed, it always does.
 */
static bool takes(const dh__graph *graph, const dh__node *n, dh_device *device, dh_view *views)
{
    bool any = false;
    int count = n->in_count + n->out_count;
    for (int k = 0; k < count; k++) {
        const dh__val *v = &graph->values[k < n->in_count ? n->in[k] : n->out[k - n->in_count]];
        views[k] = v->view;
        if (v->last) dh__view_pack_last(&views[k]);
        any |= v->last;
    }
    const dh_impl *impl = any ? dh__graph_choose(n, views, device) : NULL;
    return !any || (impl && impl->channels_last);
}

static void pack_all(dh__graph *graph, const dh__node *n)
{
    for (int k = 0; k < n->in_count; k++) graph->values[n->in[k]].last = false;
    for (int k = 0; k < n->out_count; k++) graph->values[n->out[k]].last = false;
}

dh_status dh__graph_lay_channels(dh__graph *graph, dh_device *device)
{
    int most = 0;
    for (int i = 0; i < graph->node_count; i++) {
        const dh__node *n = graph->nodes[i];
        if (n->phase != DH_FORWARD) return DH_OK;
        if (n->in_count + n->out_count > most) most = n->in_count + n->out_count;
    }
    dh_view *views = dh__calloc((size_t)most + 1, sizeof *views);
    if (!views) return DH_ENOMEM;
    for (int v = 0; v < graph->value_count; v++) {
        dh__val *value = &graph->values[v];
        value->last = value->home == DH_HOME_ARENA && value->node >= 0 && !value->keep &&
                      value->view.ndim > 2;
    }
    /* what one node does not take may be what another took it for */
    for (bool changed = true; changed;) {
        changed = false;
        for (int i = 0; i < graph->node_count; i++) {
            if (takes(graph, graph->nodes[i], device, views)) continue;
            pack_all(graph, graph->nodes[i]);
            changed = true;
        }
    }
    dh__free(views);
    return DH_OK;
}
