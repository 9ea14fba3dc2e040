/* SPDX-License-Identifier: MIT */
/* Reverse-mode gradients: each op's rule emits ops; where a value is read twice its gradients are
 * added in the order of the backward walk. */
#include <string.h>

#include "graph.h"

typedef struct walk {
    dh__graph *graph;
    dh_value *grad; /* by value, of the forward part */
    bool *need;     /* by value: a gradient must reach it */
    int values, nodes;
} walk;

static void mark_needed(walk *w, int count, const dh_value *wrt)
{
    for (int j = 0; j < count; j++) w->need[wrt[j]] = true;
    for (int i = 0; i < w->nodes; i++) {
        const dh__node *n = w->graph->nodes[i];
        bool any = false;
        for (int k = 0; k < n->in_count; k++) any |= w->need[n->in[k]];
        for (int k = 0; any && k < n->out_count; k++) w->need[n->out[k]] = true;
    }
}

static dh_status add_gradient(walk *w, dh_value value, dh_value dx)
{
    if (dx == DH_NO_VALUE) return DH_OK;
    dh_value *grad = &w->grad[value];
    *grad = *grad == DH_NO_VALUE ? dx : dh_emit2(&w->graph->emitter, DH_OP_ADD, NULL, *grad, dx);
    return w->graph->emitter.status;
}

/* Views of the node's inputs and outputs, needs, cotangents and results, in one block. */
typedef struct frame {
    dh_view *in, *out;
    dh_value *dy, *dx;
    bool *need;
} frame;

static dh_status open_frame(frame *f, const walk *w, const dh__node *n)
{
    size_t views = (size_t)(n->in_count + n->out_count);
    f->in = dh__calloc(views, sizeof(dh_view) + sizeof(dh_value) + sizeof(bool));
    if (!f->in) return DH_ENOMEM;
    f->out = f->in + n->in_count;
    f->dy = (dh_value *)(void *)(f->in + views);
    f->dx = f->dy + n->out_count;
    f->need = (bool *)(void *)(f->dy + views);
    for (int i = 0; i < n->in_count; i++) {
        f->in[i] = w->graph->values[n->in[i]].view;
        f->need[i] = w->need[n->in[i]] && dh_dtype_is_float(f->in[i].dtype);
        f->dx[i] = DH_NO_VALUE;
    }
    for (int i = 0; i < n->out_count; i++) {
        f->out[i] = w->graph->values[n->out[i]].view;
        f->dy[i] = w->grad[n->out[i]];
    }
    return DH_OK;
}

static dh_status apply_rule(walk *w, const dh__node *n, frame *f)
{
    const dh_op *op = dh__ops[n->op];
    dh_call call = {.op = op,
                    .attr = n->attr,
                    .in_count = n->in_count,
                    .out_count = n->out_count,
                    .in = f->in,
                    .out = f->out};
    dh_emitter *to = &w->graph->emitter;
    dh_grad g = {.call = &call,
                 .in = n->in,
                 .out = n->out,
                 .dy = f->dy,
                 .need = f->need,
                 .dx = f->dx,
                 .to = to};
    to->stream = n->stream;
    w->graph->scope = n->scope;
    dh_status status = op->backward(&g);
    if (!status) status = to->status;
    for (int i = 0; i < n->in_count && !status; i++)
        if (f->need[i]) status = add_gradient(w, n->in[i], f->dx[i]);
    return status;
}

static dh_status visit(walk *w, const dh__node *n)
{
    bool flows = false, needed = false;
    for (int i = 0; i < n->out_count; i++) flows |= w->grad[n->out[i]] != DH_NO_VALUE;
    for (int i = 0; i < n->in_count; i++) needed |= w->need[n->in[i]];
    /* what has no gradient (comparisons, indices) passes none on */
    if (!flows || !needed || !dh__ops[n->op]->backward) return DH_OK;
    frame f;
    DH_TRY(open_frame(&f, w, n));
    dh_status status = apply_rule(w, n, &f);
    dh__free(f.in);
    return status;
}

dh_status dh__graph_backward(dh__graph *graph, int roots, const dh_value *root, const dh_value *dy,
                             int count, const dh_value *wrt, dh_value *grads)
{
    if (graph->emitter.status) return graph->emitter.status;
    walk w = {.graph = graph, .values = graph->value_count, .nodes = graph->node_count};
    w.grad = dh__alloc((size_t)(w.values + 1) * sizeof *w.grad);
    w.need = dh__calloc((size_t)(w.values + 1), sizeof *w.need);
    dh_status status = w.grad && w.need ? DH_OK : DH_ENOMEM;
    int scope = graph->scope;
    if (!status) {
        for (int i = 0; i < w.values; i++) w.grad[i] = DH_NO_VALUE;
        mark_needed(&w, count, wrt);
        graph->phase = DH_BACKWARD;
        for (int i = 0; i < roots && !status; i++) status = add_gradient(&w, root[i], dy[i]);
        for (int i = w.nodes - 1; i >= 0 && !status; i--) status = visit(&w, graph->nodes[i]);
        for (int j = 0; j < count && !status; j++) grads[j] = w.grad[wrt[j]];
    }
    graph->scope = scope;
    dh__free(w.grad);
    dh__free(w.need);
    return status;
}
