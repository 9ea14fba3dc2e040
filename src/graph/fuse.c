/* SPDX-License-Identifier: MIT */
/* Folding and fusing: several nodes become one that does the same. */
#include <string.h>

#include "graph.h"

/* Where an op that can apply an activation last keeps which; NULL for others. */
static int *act_of(const dh__node *n)
{
    const dh_field *act = dh_field_find(dh__ops[n->op]->fields, "act");
    return act ? (int *)(void *)((char *)n->attr + act->offset) : NULL;
}

static double *alpha_of(const dh__node *n)
{
    const dh_field *alpha = dh_field_find(dh__ops[n->op]->fields, "alpha");
    return (double *)(void *)((char *)n->attr + alpha->offset);
}

/* The node as an activation that such an op can apply. */
static dh__act fused_act(const dh__node *node, double *alpha)
{
    dh__act act = dh__act_of_op(node->op);
    *alpha = act == DH_ACT_LEAKY_RELU ? ((const dh_act_attr *)node->attr)->alpha : 0;
    return *alpha >= 0 ? act : DH_ACT_NONE; /* below 0 the gradient needs the product itself */
}

/* The convolution whose results the node normalises, as it could itself; -1: there is none. */
static int folds_into(const dh__graph *graph, const dh__node *norm, const int *readers)
{
    if (norm->op != DH_OP_BATCH_NORM || norm->in_count != 5) return -1;
    const dh__val *sum = &graph->values[norm->in[0]];
    const dh_norm_attr *attr = norm->attr;
    if (sum->node < 0 || sum->home != DH_HOME_ARENA || readers[norm->in[0]] != 1) return -1;
    const dh__node *conv = graph->nodes[sum->node];
    if (conv->op != DH_OP_CONV || conv->in_count > 3) return -1;
    if (*act_of(conv) || ((const dh_conv_attr *)conv->attr)->add) return -1;
    if (attr->axis != 1 && attr->axis + sum->view.ndim != 1) return -1;
    for (int k = 1; k < 5; k++) {
        const dh__val *v = &graph->values[norm->in[k]];
        if (v->node >= 0 || v->view.dtype != sum->view.dtype) return -1;
    }
    return sum->node;
}

/* Puts convolution number `index` in the place of itself and the node that normalises its results,
 * which is freed. */
static dh_status fold(dh__graph *graph, int index, dh__node *norm)
{
    const dh__node *old = graph->nodes[index];
    dh_value in[7], sum = old->out[0], out = norm->out[0];
    const dh_norm_attr *attr = norm->attr;
    int count = old->in_count;
    memcpy(in, old->in, (size_t)count * sizeof *in);
    memcpy(in + count, norm->in + 1, 4 * sizeof *in);
    dh__node *conv = dh__graph_with_inputs(graph, index, count + 4, in);
    if (!conv) return DH_ENOMEM;
    dh_conv_attr *to = conv->attr;
    to->epsilon = attr->epsilon;
    to->act = attr->act;
    to->alpha = attr->alpha;
    conv->out[0] = out;
    graph->values[sum].node = -1; /* nothing makes it any more */
    graph->values[out].node = index;
    dh__free(norm);
    return DH_OK;
}

dh_status dh__graph_fold(dh__graph *graph)
{
    for (int i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->phase != DH_FORWARD) return DH_OK;
    int *readers = dh__graph_readers(graph);
    if (!readers) return DH_ENOMEM;
    dh_status status = DH_OK;
    for (int i = 0; i < graph->node_count && !status; i++) {
        int conv = folds_into(graph, graph->nodes[i], readers);
        if (conv < 0) continue;
        status = fold(graph, conv, graph->nodes[i]);
        if (!status) graph->nodes[i] = NULL;
    }
    dh__graph_drop_empty(graph);
    dh__free(readers);
    return status;
}

/* Where an op that can add its last input keeps whether it does; NULL for others. Channels in
 * groups are the depthwise convolutions' affair, which add nothing. */
static bool *add_of(const dh__node *n)
{
    if (n->op == DH_OP_CONV && ((dh_conv_attr *)n->attr)->group == 1)
        return &((dh_conv_attr *)n->attr)->add;
    bool norm = n->op == DH_OP_BATCH_NORM || n->op == DH_OP_BATCH_NORM_TRAIN;
    return norm ? &((dh_norm_attr *)n->attr)->add : NULL;
}

/* Its elements may lie in another order: no fast implementation adds it. */
static bool strided(const dh__graph *graph, const dh__val *v)
{
    int op = v->node < 0 ? DH_OP_RESHAPE : graph->nodes[v->node]->op;
    return op != DH_OP_RESHAPE && dh__ops[op]->view;
}

/* The node that makes value, of which `sum` is the sum with `other`, as it could add itself; -1:
 * there is none. */
static int adds_to(const dh__graph *graph, const dh__node *sum, dh_value value, dh_value other,
                   const int *readers)
{
    const dh__val *v = &graph->values[value], *o = &graph->values[other];
    if (v->node < 0 || v->home != DH_HOME_ARENA || readers[value] != 1 || o->node >= v->node)
        return -1;
    const dh__node *n = graph->nodes[v->node];
    const bool *add = add_of(n);
    if (!add || *add || *act_of(n) || n->out[0] != value || n->phase != sum->phase) return -1;
    bool alike = o->view.dtype == v->view.dtype && dh__same_shape(&o->view, &v->view);
    return alike && !strided(graph, o) ? v->node : -1;
}

/* Lets node number `from` add `other`, in the place of the node `sum`, which is freed. */
static dh_status take_summand(dh__graph *graph, int from, dh__node *sum, dh_value other)
{
    const dh__node *old = graph->nodes[from];
    dh_value in[8], out = sum->out[0], dead = old->out[0];
    int count = old->in_count;
    memcpy(in, old->in, (size_t)count * sizeof *in);
    in[count] = other;
    dh__node *n = dh__graph_with_inputs(graph, from, count + 1, in);
    if (!n) return DH_ENOMEM;
    *add_of(n) = true;
    n->out[0] = out;
    graph->values[dead].node = -1; /* nothing makes it any more */
    graph->values[out].node = from;
    dh__free(sum);
    return DH_OK;
}

static dh_status fuse_sums(dh__graph *graph, const int *readers)
{
    dh_status status = DH_OK;
    for (int i = 0; i < graph->node_count && !status; i++) {
        dh__node *sum = graph->nodes[i];
        int from = -1, k = 0;
        for (; k < 2 && from < 0 && sum->op == DH_OP_ADD; k++)
            from = adds_to(graph, sum, sum->in[k], sum->in[1 - k], readers);
        if (from < 0) continue;
        status = take_summand(graph, from, sum, sum->in[2 - k]);
        if (!status) graph->nodes[i] = NULL;
    }
    dh__graph_drop_empty(graph);
    return status;
}

/* The node in front of a batch norm's gradient that takes dy through the activation behind the
 * norm, as the gradient could itself; -1: there is none. */
static int gate_of(const dh__graph *graph, const dh__node *dx, const int *readers)
{
    if (dx->op != DH_OP_BATCH_NORM_DX && dx->op != DH_OP_BATCH_NORM_FROZEN_DX) return -1;
    const dh__val *dz = &graph->values[dx->in[0]];
    if (((const dh_norm_attr *)dx->attr)->gate || dz->home != DH_HOME_ARENA) return -1;
    if (dz->node < 0 || readers[dx->in[0]] != 1) return -1;
    const dh__node *gate = graph->nodes[dz->node];
    if (gate->op != DH_OP_UNARY_DX || gate->phase != dx->phase) return -1;
    const dh_unary_dx_attr *attr = gate->attr;
    return dh__act_of_op(attr->op) && attr->alpha >= 0 ? dz->node : -1;
}

/* Puts dy and the activation's result into node number `index` instead of the result of `gate`. */
static dh_status take_gate(dh__graph *graph, int index, int number)
{
    const dh__node *old = graph->nodes[index];
    dh__node *gate = graph->nodes[number];
    dh_value in[6], dz = old->in[0];
    int count = old->in_count;
    memcpy(in, old->in, (size_t)count * sizeof *in);
    in[0] = gate->in[0];
    in[count] = gate->in[1];
    dh__node *dx = dh__graph_with_inputs(graph, index, count + 1, in);
    if (!dx) return DH_ENOMEM;
    const dh_unary_dx_attr *from = gate->attr;
    dh_norm_attr *to = dx->attr;
    to->gate = (int)dh__act_of_op(from->op);
    to->alpha = from->alpha;
    graph->values[dz].node = -1; /* nothing makes it any more */
    dh__free(gate);
    graph->nodes[number] = NULL;
    return DH_OK;
}

static void fuse_acts(dh__graph *graph, const int *readers)
{
    for (int i = 0; i < graph->node_count; i++) {
        dh__node *act = graph->nodes[i];
        double alpha;
        dh__act kind = fused_act(act, &alpha);
        int producer = kind ? graph->values[act->in[0]].node : -1;
        if (producer < 0 || !graph->nodes[producer] || readers[act->in[0]] != 1) continue;
        dh__node *first = graph->nodes[producer];
        int *place = act_of(first);
        if (!place || *place || first->phase != act->phase || first->out[0] != act->in[0]) continue;
        if (graph->values[first->out[0]].home != DH_HOME_ARENA) continue;
        *place = (int)kind;
        *alpha_of(first) = alpha;
        graph->values[first->out[0]].node = -1; /* nothing makes it any more */
        first->out[0] = act->out[0];
        graph->values[act->out[0]].node = producer;
        dh__free(act);
        graph->nodes[i] = NULL;
    }
    dh__graph_drop_empty(graph);
}

static dh_status fuse_gates(dh__graph *graph, const int *readers)
{
    dh_status status = DH_OK;
    for (int i = 0; i < graph->node_count && !status; i++) {
        int gate = graph->nodes[i] ? gate_of(graph, graph->nodes[i], readers) : -1;
        if (gate >= 0) status = take_gate(graph, i, gate);
    }
    dh__graph_drop_empty(graph);
    return status;
}

dh_status dh__graph_fuse(dh__graph *graph)
{
    int *readers = dh__graph_readers(graph);
    if (!readers) return DH_ENOMEM;
    dh_status status = fuse_sums(graph, readers);
    if (!status) fuse_acts(graph, readers);
    if (!status) status = fuse_gates(graph, readers);
    dh__free(readers);
    return status;
}
