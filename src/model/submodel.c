/* SPDX-License-Identifier: MIT */
/* A model as a layer of another: its layers are repeated there, one by one, so that passes, plans,
 * summaries and files see nothing new. */
#include <string.h>

#include "model_impl.h"

/* An input of the model against what takes its place. */
static dh_status check_input(const dh_model *model, int i, const dh_layer *x)
{
    const dh_layer *in = model->input[i];
    const dh_view *want = dh__graph_view(model->net.sketch, in->sketch);
    const dh_view *have = dh__graph_view(x->net->sketch, x->sketch);
    char a[DH_SHAPE_TEXT], b[DH_SHAPE_TEXT];
    if (dh__same_shape(have, want) && have->dtype == want->dtype) return DH_OK;
    dh_fail(DH_ESHAPE,
            "model_apply: inputs[%d], \"%s\", is %s %s; input \"%s\" of model \"%s\" is %s %s", i,
            x->name, dh__shape_text(a, sizeof a, have->ndim, have->shape),
            dh_dtype_name(have->dtype), in->name, model->net.name,
            dh__shape_text(b, sizeof b, want->ndim, want->shape), dh_dtype_name(want->dtype));
    return dh__sketch_error(DH_ESHAPE);
}

static dh_status check(const dh__net *net, const dh_model_apply_args *a)
{
    const dh_model *model = a->model;
    int n = 0;
    DH_NEED(model, "model_apply", "model");
    DH_REQUIRE(model->built, DH_ESTATE,
               "model_apply: model \"%s\" is not built, which says what its inputs and outputs are",
               model->net.name);
    DH_REQUIRE(&model->net != net, DH_EINVAL,
               "model_apply: model \"%s\" would be a layer of itself", net->name);
    DH_REQUIRE(model->net.store == net->store, DH_EINVAL,
               "model_apply: model \"%s\" has other parameters than \"%s\"; make it by "
               "dh_model_new(\"%s\", .share = ...) with \"%s\", or what that shares",
               net->name, model->net.name, net->name, model->net.name);
    while (n < DH_MAX_IO && a->inputs[n]) n++;
    DH_REQUIRE(n == model->input_count, DH_EINVAL,
               "model_apply: inputs holds %d before its NULL, model \"%s\" has %d", n,
               model->net.name, model->input_count);
    for (int i = 0; i < n; i++) {
        char what[32];
        dh__format(what, sizeof what, "model_apply: inputs[%d]", i);
        DH_TRY(dh__net_check(net, a->inputs[i], what));
        DH_TRY(check_input(model, i, a->inputs[i]));
    }
    return DH_OK;
}

/* "critic", "critic2", ...: the first that no layer's name begins with, up to a dot. */
static void choose_scope(char *out, size_t size, const dh__net *net, const char *name)
{
    bool taken = true;
    dh__format(out, size, "%s%s", net->prefix ? net->prefix : "", name);
    size_t base = strlen(out);
    for (int number = 2; taken; number++) {
        size_t n = strlen(out);
        taken = false;
        for (int i = 0; i < net->count && !taken; i++)
            taken = !strncmp(net->layers[i]->name, out, n) && net->layers[i]->name[n] == '.';
        if (taken) dh__format(out + base, size - base, "%d", number);
    }
}

/* Layer by layer; made holds a place for each layer of the model, its inputs are there. */
static dh_status repeat(dh__net *net, const dh_model_apply_args *a, const bool *wanted,
                        dh_layer **made)
{
    const dh__net *inner = &a->model->net;
    char scope[160], name[320];
    bool given = a->name && *a->name;
    choose_scope(scope, sizeof scope, net, given ? a->name : inner->name);
    for (int i = 0; i < inner->count; i++) {
        const dh_layer *layer = inner->layers[i];
        dh_layer *in[DH_MAX_LAYER_INPUTS];
        if (!wanted[i] || made[i]) continue;
        for (int k = 0; k < layer->in_count; k++) in[k] = made[layer->in[k]->index];
        dh__format(name, sizeof name, "%s.%s", scope, layer->name);
        /* a name of the caller's is refused where it is bad, the model's own is passed over */
        bool usable = given || (strlen(name) < 64 && !strpbrk(name, "/\"\n"));
        made[i] = dh__layer_again(net, layer, usable ? name : NULL, layer->in_count, in);
        if (!made[i]) return net->status;
        if (a->frozen || layer->frozen) DH_TRY(dh_layer_freeze(made[i], true));
    }
    return DH_OK;
}

dh_layer *(dh_model_apply)(const dh_model_apply_args *args)
{
    dh_model_apply_args a;
    if (dh__args(&a, sizeof a, args, "model_apply")) return NULL;
    for (int o = 0; a.outputs && o < DH_MAX_IO; o++) a.outputs[o] = NULL;
    if (!a.inputs[0]) {
        dh_fail(DH_EINVAL, "model_apply: inputs begins with NULL");
        return NULL;
    }
    dh__net *net = a.inputs[0]->net;
    if (net->status) return NULL;
    dh_status status = check(net, &a);
    if (status) return dh__net_failed(net, status);
    const dh_model *model = a.model;
    size_t layers = (size_t)model->net.count;
    bool *wanted = dh__calloc(layers, sizeof *wanted);
    dh_layer **made = dh__calloc(layers, sizeof *made), *first = NULL;
    status = wanted && made ? DH_OK : DH_ENOMEM;
    if (!status) {
        for (int i = 0; i < model->input_count; i++) made[model->input[i]->index] = a.inputs[i];
        for (int o = 0; o < model->output_count; o++) dh__net_want(model->output[o], wanted);
        status = repeat(net, &a, wanted, made);
    }
    if (!status) {
        first = made[model->output[0]->index];
        for (int o = 0; a.outputs && o < model->output_count; o++)
            a.outputs[o] = made[model->output[o]->index];
    } else {
        dh__net_failed(net, status);
    }
    dh__free(wanted);
    dh__free(made);
    return first;
}
