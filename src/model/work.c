/* SPDX-License-Identifier: MIT */
/* How large a model is and how much it computes, from its layers' shapes alone. */
#include <math.h>

#include <deephealth/inspection.h>

#include "model_impl.h"

static bool multiplies(int op)
{
    return op == DH_OP_CONV || op == DH_OP_CONV_TRANSPOSE || op == DH_OP_LINEAR ||
           op == DH_OP_MATMUL;
}

/* Of one node of the sketch, of all its rows; 0 but for what multiplies. */
static double flops_of(const dh__graph *sketch, const dh__node *node)
{
    dh_view in[DH_MAX_LAYER_INPUTS], out[DH_OP_MAX_OUT];
    if (!multiplies(node->op)) return 0;
    for (int i = 0; i < node->in_count; i++) in[i] = *dh__graph_view(sketch, node->in[i]);
    for (int i = 0; i < node->out_count; i++) out[i] = *dh__graph_view(sketch, node->out[i]);
    dh_call call = {.op = dh__ops[node->op],
                    .attr = node->attr,
                    .in_count = node->in_count,
                    .out_count = node->out_count,
                    .in = in,
                    .out = out};
    return dh__op_flops(&call);
}

/* Of the nodes that some layer's value is computed from: the sketch keeps those of layers that a
 * build has dropped. */
static dh_status add_flops(dh_work_report *r, const dh__net *net)
{
    const dh__graph *sketch = net->sketch;
    bool *wanted = dh__calloc((size_t)sketch->value_count + 1, sizeof *wanted);
    if (!wanted) return DH_ENOMEM;
    for (int i = 0; i < net->count; i++)
        if (net->layers[i]->sketch != DH_NO_VALUE) wanted[net->layers[i]->sketch] = true;
    for (int i = sketch->node_count - 1; i >= 0; i--) {
        const dh__node *node = sketch->nodes[i];
        bool any = false;
        for (int k = 0; k < node->out_count; k++) any |= wanted[node->out[k]];
        if (!any) continue;
        for (int k = 0; k < node->in_count; k++) wanted[node->in[k]] = true;
        r->flops += flops_of(sketch, node);
    }
    r->flops = rint(r->flops / DH_SKETCH_ROWS);
    dh__free(wanted);
    return DH_OK;
}

static void add_parameters(dh_work_report *r, const dh_model *model, const dh_layer *layer)
{
    const dh__params *store = model->net.store;
    if (!dh__first_owner(layer)) return;
    for (int i = 0; i < store->count; i++) {
        const dh__segment *s = store->segments[i];
        if (!dh__model_owns(layer, s)) continue;
        r->parameters += s->count;
        if (dh__trainable(model, i)) r->trainable += s->count;
    }
}

dh_status dh_model_work(dh_work_report *out, const dh_model *model)
{
    dh_work_report r = {0};
    DH_NEED(out, "model_work", "out");
    DH_NEED(model, "model_work", "model");
    const dh__net *net = &model->net;
    if (net->status) return dh_fail(net->status, "model_work: %s", net->error);
    for (int i = 0; i < net->count; i++) add_parameters(&r, model, net->layers[i]);
    DH_TRY(dh__from("model_work", add_flops(&r, net)));
    *out = r;
    return DH_OK;
}
