/* SPDX-License-Identifier: MIT */
/* Building a graph: values, nodes, and the emitter that checks each op where it is written. */
#include "graph.h"

#include <string.h>

static dh_status graph_emit(dh_emitter *to, int op, const void *attr, int in_count,
                            const dh_value *in, dh_value *out);

static const dh_view *graph_describe(const dh_emitter *to, dh_value value)
{
    return dh__graph_view((const dh__graph *)(const void *)to, value);
}

dh_status dh__graph_new(dh__graph **out, dh__params *store)
{
    dh__graph *g = dh__calloc(1, sizeof *g);
    if (!g) return DH_ENOMEM;
    g->emitter.emit = graph_emit;
    g->emitter.describe = graph_describe;
    g->store = store;
    g->scope = -1;
    dh__params_retain(store);
    *out = g;
    return DH_OK;
}

void dh__graph_free(dh__graph *graph)
{
    if (!graph) return;
    for (int i = 0; i < graph->node_count; i++) dh__free(graph->nodes[i]);
    for (int i = 0; i < graph->const_count; i++) dh__free(graph->consts[i].data);
    dh__free(graph->nodes);
    dh__free(graph->values);
    dh__free(graph->consts);
    dh__params_release(graph->store);
    dh__free(graph);
}

const dh_view *dh__graph_view(const dh__graph *graph, dh_value value)
{
    return value >= 0 && value < graph->value_count ? &graph->values[value].view : NULL;
}

static dh_status failed(dh__graph *graph, dh_status status)
{
    if (!graph->emitter.status) graph->emitter.status = status;
    return status;
}

/* Room for more values at once, so that a node's outputs all fit or none is added. */
static dh_status reserve_values(dh__graph *graph, int more)
{
    int need = graph->value_count + more;
    if (need <= graph->value_room) return DH_OK;
    int room = need + need / 2 + 16;
    dh__val *grown = dh__grow(graph->values, (size_t)graph->value_room * sizeof *grown,
                              (size_t)room * sizeof *grown);
    if (!grown) return DH_ENOMEM;
    graph->values = grown;
    graph->value_room = room;
    return DH_OK;
}

static dh_status reserve_nodes(dh__graph *graph)
{
    if (graph->node_count < graph->node_room) return DH_OK;
    int room = graph->node_count + graph->node_count / 2 + 16;
    dh__node **grown = dh__grow(graph->nodes, (size_t)graph->node_room * sizeof *grown,
                                (size_t)room * sizeof *grown);
    if (!grown) return DH_ENOMEM;
    graph->nodes = grown;
    graph->node_room = room;
    return DH_OK;
}

/* A new value in planned memory with this view. */
static dh_value add_value(dh__graph *graph, const dh_view *view, int node)
{
    if (failed(graph, reserve_values(graph, 1))) return DH_NO_VALUE;
    dh__val *v = &graph->values[graph->value_count];
    memset(v, 0, sizeof *v);
    v->view = *view;
    v->view.data = NULL;
    v->node = node;
    return graph->value_count++;
}

static dh_value new_value(dh__graph *graph, dh_dtype dtype, int ndim, const int64_t *shape,
                          dh__home home)
{
    dh_view view = {.dtype = dtype, .ndim = ndim};
    size_t bytes;
    for (int i = 0; i < ndim; i++) view.shape[i] = shape[i];
    if (graph->emitter.status || failed(graph, dh__view_bytes(&bytes, &view, "graph")))
        return DH_NO_VALUE;
    dh__view_pack(&view);
    dh_value v = add_value(graph, &view, -1);
    if (v != DH_NO_VALUE) graph->values[v].home = home;
    return v;
}

dh_value dh__graph_input(dh__graph *graph, dh_dtype dtype, int ndim, const int64_t *shape)
{
    dh_value v = new_value(graph, dtype, ndim, shape, DH_HOME_INPUT);
    if (v != DH_NO_VALUE) graph->values[v].slot = graph->input_count++;
    return v;
}

dh_value dh__graph_const(dh__graph *graph, dh_dtype dtype, int ndim, const int64_t *shape,
                         const double *data)
{
    size_t n = (size_t)graph->const_count * sizeof(dh__const);
    dh__const *grown = dh__grow(graph->consts, n, n + sizeof(dh__const));
    if (!grown) {
        failed(graph, DH_ENOMEM);
        return DH_NO_VALUE;
    }
    graph->consts = grown;
    dh_value v = new_value(graph, dtype, ndim, shape, DH_HOME_CONST);
    if (v == DH_NO_VALUE) return v;
    size_t size = (size_t)dh__view_count(&graph->values[v].view) * sizeof(double);
    double *copy = dh__alloc(size);
    if (!copy) {
        failed(graph, DH_ENOMEM);
        return DH_NO_VALUE;
    }
    memcpy(copy, data, size);
    graph->values[v].slot = graph->const_count;
    graph->consts[graph->const_count++] = (dh__const){v, copy};
    return v;
}

dh_value dh__graph_scalar(dh__graph *graph, dh_dtype dtype, double value)
{
    return dh__graph_const(graph, dtype, 0, NULL, &value);
}

dh_value dh__graph_flat(dh__graph *graph, dh__home home, int slot, int64_t offset, int64_t count)
{
    dh_value v = new_value(graph, DH_F32, 1, &count, home);
    if (v == DH_NO_VALUE) return v;
    graph->values[v].slot = slot;
    graph->values[v].offset = offset;
    return v;
}

dh_value dh__graph_segment(dh__graph *graph, int segment, dh__home home, int slot)
{
    const dh__segment *s = graph->store->segments[segment];
    if (home == DH_HOME_WEIGHT && s->state) home = DH_HOME_STATE;
    for (int i = 0; i < graph->value_count; i++) { /* one value a place, so that gradients meet */
        const dh__val *have = &graph->values[i];
        if (have->home == home && have->offset == s->offset && have->slot == slot &&
            have->node < 0 && have->view.ndim == s->ndim && dh__view_count(&have->view) == s->count)
            return i;
    }
    dh_value v = new_value(graph, DH_F32, s->ndim, s->shape, home);
    if (v == DH_NO_VALUE) return v;
    graph->values[v].slot = slot;
    graph->values[v].offset = s->offset;
    return v;
}

/* A node with room for its lists in one block; lists uninitialised. */
static dh__node *new_node(int op, int in_count, int out_count)
{
    size_t attr = (dh__ops[op]->attr_size + 15) / 16 * 16;
    size_t head = (sizeof(dh__node) + 15) / 16 * 16;
    size_t lists = (size_t)(in_count + out_count) * sizeof(dh_value);
    dh__node *n = dh__calloc(1, head + attr + lists);
    if (!n) return NULL;
    n->op = op;
    n->in_count = in_count;
    n->out_count = out_count;
    n->attr = dh__ops[op]->attr_size ? (char *)n + head : NULL;
    n->in = (dh_value *)(void *)((char *)n + head + attr);
    n->out = n->in + in_count;
    return n;
}

/* Infers the outputs of a node whose inputs and attributes are set. */
static dh_status infer_node(const dh__graph *graph, const dh__node *n, dh_view *out)
{
    dh_view local[8], *in = local;
    if (n->in_count > 8 && !(in = dh__alloc((size_t)n->in_count * sizeof *in))) return DH_ENOMEM;
    for (int i = 0; i < n->in_count; i++) in[i] = graph->values[n->in[i]].view;
    memset(out, 0, (size_t)n->out_count * sizeof *out);
    dh_call call = {.op = dh__ops[n->op],
                    .attr = n->attr,
                    .in_count = n->in_count,
                    .out_count = n->out_count,
                    .in = in,
                    .out = out};
    dh_status status = dh__op_infer(&call);
    size_t bytes;
    for (int i = 0; i < n->out_count && !status; i++)
        status = dh__view_bytes(&bytes, &out[i], dh__ops[n->op]->name);
    if (in != local) dh__free(in);
    return status;
}

/* Appends n, which the graph owns from here on, with new values for its outputs. */
static dh_status append(dh__graph *graph, dh__node *n, const dh_view *views, dh_value *out)
{
    dh_status status = reserve_nodes(graph);
    if (!status) status = reserve_values(graph, n->out_count);
    if (status) {
        dh__free(n);
        return status;
    }
    const dh_op *op = dh__ops[n->op];
    for (int i = 0; i < n->out_count; i++) {
        n->out[i] = add_value(graph, &views[i], graph->node_count);
        int updated = dh__op_updated(op, i);
        if (updated >= 0) { /* lies where its input lies */
            const dh__val *from = &graph->values[n->in[updated]];
            dh__val *v = &graph->values[n->out[i]];
            v->home = from->home;
            v->slot = from->slot;
            v->offset = from->offset;
        }
        if (out) out[i] = n->out[i];
    }
    graph->nodes[graph->node_count++] = n;
    return DH_OK;
}

static dh_status graph_emit(dh_emitter *to, int op, const void *attr, int in_count,
                            const dh_value *in, dh_value *out)
{
    dh__graph *graph = (dh__graph *)(void *)to;
    const dh_op *meaning = dh__ops[op];
    int outs = dh__op_out_count(meaning, in_count);
    dh_view local[DH_OP_MAX_OUT], *views = local;
    dh__node *n = new_node(op, in_count, outs);
    if (outs > DH_OP_MAX_OUT) views = dh__calloc((size_t)outs, sizeof *views);
    dh_status status = n && views ? DH_OK : DH_ENOMEM;
    if (!status) {
        memcpy(n->in, in, (size_t)in_count * sizeof *in);
        if (n->attr && attr) memcpy(n->attr, attr, meaning->attr_size);
        if (n->attr && !attr && meaning->fields) dh_field_defaults(meaning->fields, n->attr);
        n->phase = graph->phase;
        n->scope = graph->scope;
        n->stream = to->stream;
        status = infer_node(graph, n, views);
    }
    if (status)
        dh__free(n);
    else
        status = append(graph, n, views, out);
    if (views != local) dh__free(views);
    return status;
}

dh_status dh__graph_repeat(dh__graph *graph, const dh__node *like, const dh_value *in,
                           dh_value *out)
{
    dh__node *n = new_node(like->op, like->in_count, like->out_count);
    dh_view views[DH_OP_MAX_OUT];
    if (!n) return DH_ENOMEM;
    if (n->attr) memcpy(n->attr, like->attr, dh__ops[like->op]->attr_size);
    memcpy(n->in, in, (size_t)n->in_count * sizeof *in);
    n->phase = like->phase;
    n->scope = like->scope;
    n->stream = like->stream;
    n->exact_ties = like->exact_ties;
    for (int i = 0; i < n->out_count && i < DH_OP_MAX_OUT; i++)
        views[i] = graph->values[like->out[i]].view;
    return append(graph, n, views, out);
}

dh__node *dh__graph_with_inputs(dh__graph *graph, int index, int in_count, const dh_value *in)
{
    dh__node *old = graph->nodes[index], *n = new_node(old->op, in_count, old->out_count);
    if (!n) return NULL;
    if (n->attr) memcpy(n->attr, old->attr, dh__ops[old->op]->attr_size);
    memcpy(n->in, in, (size_t)in_count * sizeof *in);
    memcpy(n->out, old->out, (size_t)old->out_count * sizeof *n->out);
    n->phase = old->phase;
    n->scope = old->scope;
    n->stream = old->stream;
    n->exact_ties = old->exact_ties;
    dh__free(old);
    graph->nodes[index] = n;
    return n;
}

/* True where the producer can write the value anywhere: it makes it itself, whole. */
static bool movable(const dh__graph *graph, dh_value value)
{
    const dh__val *v = &graph->values[value];
    if (v->home != DH_HOME_ARENA || v->node < 0 || v->keep) return false;
    return !dh__ops[graph->nodes[v->node]->op]->view;
}

dh_value dh__graph_place(dh__graph *graph, dh_value value, dh_value place)
{
    if (graph->emitter.status || value == DH_NO_VALUE || place == DH_NO_VALUE) return DH_NO_VALUE;
    if (!movable(graph, value)) value = dh_emit1(&graph->emitter, DH_OP_COPY, NULL, value);
    if (value == DH_NO_VALUE) return value;
    dh__val *v = &graph->values[value];
    const dh__val *p = &graph->values[place];
    v->home = p->home;
    v->slot = p->slot;
    v->offset = p->offset;
    return value;
}

dh_status dh__graph_clone(dh__graph **out, const dh__graph *graph)
{
    dh__graph *g;
    DH_TRY(dh__graph_new(&g, graph->store));
    g->slots = graph->slots;
    dh_status status = reserve_values(g, graph->value_count);
    if (!status) {
        memcpy(g->values, graph->values, (size_t)graph->value_count * sizeof *g->values);
        g->value_count = graph->value_count;
        g->input_count = graph->input_count;
    }
    for (int i = 0; i < graph->node_count && !status; i++) {
        const dh__node *from = graph->nodes[i];
        dh__node *n = new_node(from->op, from->in_count, from->out_count);
        status = n ? reserve_nodes(g) : DH_ENOMEM;
        if (status) {
            dh__free(n);
            break;
        }
        if (n->attr) memcpy(n->attr, from->attr, dh__ops[from->op]->attr_size);
        memcpy(n->in, from->in, (size_t)(n->in_count + n->out_count) * sizeof *n->in);
        n->phase = from->phase;
        n->scope = from->scope;
        n->stream = from->stream;
        n->exact_ties = from->exact_ties;
        g->nodes[g->node_count++] = n;
    }
    if (!status && graph->const_count &&
        !(g->consts = dh__calloc((size_t)graph->const_count, sizeof *g->consts)))
        status = DH_ENOMEM;
    for (int i = 0; i < graph->const_count && !status; i++) {
        size_t size =
            (size_t)dh__view_count(&graph->values[graph->consts[i].value].view) * sizeof(double);
        g->consts[i] = (dh__const){graph->consts[i].value, dh__alloc(size)};
        if (!g->consts[i].data) {
            status = DH_ENOMEM;
            break;
        }
        memcpy(g->consts[i].data, graph->consts[i].data, size);
        g->const_count = i + 1;
    }
    if (status)
        dh__graph_free(g);
    else
        *out = g;
    return status;
}
