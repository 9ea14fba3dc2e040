/* SPDX-License-Identifier: MIT */
/* Birth and death of a model; parameters and layers by name. */
#include <math.h>
#include <string.h>

#include "file.h"
#include "model_impl.h"

dh_model *(dh_model_new)(const dh_model_args *args)
{
    dh_model_args a;
    dh__params *store = NULL;
    if (dh__args(&a, sizeof a, args, "model_new")) return NULL;
    dh_model *model = dh__calloc(1, sizeof *model);
    if (!model) return NULL;
    atomic_init(&model->references, 1);
    dh__profile_ask(model);
    dh_status status = DH_OK;
    if (a.share)
        dh__params_retain(store = a.share->net.store);
    else
        status = dh__params_new(&store, dh__cpu());
    if (!status) status = dh__net_init(&model->net, a.name, store);
    if (!status) dh__params_own(store);
    if (!status) model->first.store = store;
    dh__params_release(store);
    if (!status) status = dh__arena_new(&model->first.arena, dh__cpu());
    if (!status) return model;
    dh_model_free(model);
    return NULL;
}

void dh__model_release(dh_model *model)
{
    if (atomic_fetch_sub(&model->references, 1) != 1) return;
    dh__pass_clear(&model->epoch);
    dh__pass_clear(&model->once);
    dh__free(model->history);
    dh__free(model->frozen);
    dh__net_clear(&model->net);
    dh__free(model);
}

/* What sessions don't need goes at once. */
void dh_model_free(dh_model *model)
{
    if (!model) return;
    const dh__profiled steps = dh__profiled_model(model);
    dh__profile_tell(&steps);
    dh__params *store = model->net.store;
    if (store && store->gradients_of == model)
        store->gradients_of = store; /* no model's: the next one may get this address */
    dh__rescue_drop(model);
    dh__replicas_free(model->replicas);
    dh__stages_free(model);
    dh__arena_free(model->first.arena);
    dh__slots_clear(&model->first.slots);
    if (store) dh__params_disown(store);
    dh__model_release(model);
}

const dh_epoch *dh_model_history(const dh_model *model, int *count)
{
    if (count) *count = model ? model->history_count : 0;
    return model ? model->history : NULL;
}

const char *dh_model_metric_name(const dh_model *model, int index)
{
    return model && index >= 0 && index < model->metric_count ? model->metric[index].name : NULL;
}

int dh_model_metric_values(const dh_model *model, int index, double *out, int room)
{
    if (!model || index < 0 || index >= model->metric_count || !model->last) return 0;
    const dh__pass *pass = model->last;
    for (int k = 0; out && k < pass->count[index] && k < room; k++) out[k] = pass->sums[index][k];
    return pass->count[index];
}

/* --- layers and parameters by name --- */

static const char *layer_name_at(int i, const void *payload)
{
    const dh__net *net = payload;
    return i < net->count ? net->layers[i]->name : NULL;
}

dh_layer *dh_model_layer(const dh_model *model, const char *name)
{
    char hint[200];
    if (!model || !name) {
        dh_fail(DH_EINVAL, "model_layer: %s is NULL", model ? "name" : "model");
        return NULL;
    }
    dh_layer *layer = dh__find_layer(&model->net, name);
    if (!layer)
        dh_fail(DH_ENOTFOUND, "model_layer: model \"%s\" has no layer \"%s\"%s", model->net.name,
                name, dh__suggest(hint, sizeof hint, name, layer_name_at, &model->net));
    return layer;
}

bool dh__model_owns(const dh_layer *layer, const dh__segment *segment)
{
    size_t n = strlen(layer->owner);
    return !strncmp(segment->name, layer->owner, n) && segment->name[n] == '/';
}

/* The parameters of the model's layers that have memory, in the order of the layers; the store may
 * hold those of other models too. Returns their number; out, if given, has room for all. */
static int own_segments(const dh_model *model, int *out)
{
    const dh__net *net = &model->net;
    int n = 0;
    for (int l = 0; l < net->count; l++) {
        if (!dh__first_owner(net->layers[l])) continue; /* another layer's again */
        for (int i = 0; i < net->store->count; i++) {
            const dh__segment *s = net->store->segments[i];
            if (s->offset >= net->store->allocated[s->state] || !dh__model_owns(net->layers[l], s))
                continue;
            if (out) out[n] = i;
            n++;
        }
    }
    return n;
}

dh_status dh__model_segments(int **out, int *count, const dh_model *model)
{
    *count = own_segments(model, NULL);
    *out = dh__calloc((size_t)*count + 1, sizeof **out);
    if (!*out) return DH_ENOMEM;
    own_segments(model, *out);
    return DH_OK;
}

dh_status dh__model_trained(bool **out, const dh_model *model)
{
    int *list, count;
    DH_TRY(dh__model_segments(&list, &count, model));
    bool *trained = dh__calloc((size_t)model->net.store->count + 1, sizeof *trained);
    for (int i = 0; trained && i < count; i++) trained[list[i]] = dh__trainable(model, list[i]);
    dh__free(list);
    *out = trained;
    return trained ? DH_OK : DH_ENOMEM;
}

static const char *parameter_name_at(int i, const void *payload)
{
    return dh_model_parameter_name(payload, i);
}

int dh_model_parameter_count(const dh_model *model)
{
    return model ? own_segments(model, NULL) : 0;
}

const char *dh_model_parameter_name(const dh_model *model, int index)
{
    int *list, count;
    const char *name = NULL;
    if (!model || index < 0 || dh__model_segments(&list, &count, model)) return NULL;
    if (index < count) name = model->net.store->segments[list[index]]->name;
    dh__free(list);
    return name;
}

static dh_status find_parameter(int *out, const dh_model *model, const char *name, const char *who)
{
    char hint[200];
    DH_NEED(model, who, "model");
    DH_NEED(name, who, "name");
    *out = dh__params_find(model->net.store, name);
    for (int l = 0; *out >= 0 && l < model->net.count; l++)
        if (dh__model_owns(model->net.layers[l], model->net.store->segments[*out])) return DH_OK;
    return dh_fail(DH_ENOTFOUND, "%s: model \"%s\" has no parameter \"%s\"%s", who, model->net.name,
                   name, dh__suggest(hint, sizeof hint, name, parameter_name_at, model));
}

dh_status dh_model_parameter(dh_tensor **out, const dh_model *model, const char *name)
{
    int i;
    DH_NEED(out, "model_parameter", "out");
    DH_TRY(find_parameter(&i, model, name, "model_parameter"));
    DH_TRY(dh__from("model_parameter", dh__settle(model)));
    model->net.store->generation++; /* it can be written to */
    return dh__from("model_parameter", dh__params_tensor(out, model->net.store, i, DH_HOME_WEIGHT));
}

dh_status dh_model_gradient(dh_tensor **out, const dh_model *model, const char *name)
{
    int i;
    DH_NEED(out, "model_gradient", "out");
    DH_TRY(find_parameter(&i, model, name, "model_gradient"));
    dh_status status = dh__show_gradients(model);
    if (!status) status = dh__params_tensor(out, model->net.store, i, DH_HOME_GRAD);
    return dh__from("model_gradient", status);
}

dh_status dh_model_lr_scale(dh_model *model, const char *parameter, float scale)
{
    int i;
    DH_TRY(find_parameter(&i, model, parameter, "model_lr_scale"));
    DH_REQUIRE(scale >= 0 && isfinite(scale), DH_EINVAL,
               "model_lr_scale: scale is %g, must be at least 0", (double)scale);
    model->net.store->segments[i]->lr_scale = scale;
    return DH_OK;
}

/* While it was frozen nothing set its gradient: what lies there is none of the group under way. */
static dh_status clear_gradient(const dh_model *model, const dh__segment *segment)
{
    const dh__params *store = model->net.store;
    if (segment->state || store->gradients_of != model) return DH_OK;
    void *gradient = dh__params_address(store, DH_HOME_GRAD, segment->offset);
    if (!gradient) return DH_OK;
    return store->device->zero(store->device, gradient, (size_t)segment->count * sizeof(float));
}

static dh_status freeze_segment(dh_model *model, int i, bool frozen)
{
    if (model->frozen[i] && !frozen) DH_TRY(clear_gradient(model, model->net.store->segments[i]));
    model->frozen[i] = frozen;
    return DH_OK;
}

dh_status dh_layer_freeze(dh_layer *layer, bool frozen)
{
    DH_NEED(layer, "layer_freeze", "layer");
    dh_model *model = (dh_model *)(void *)layer->net; /* a net is the beginning of its model */
    dh__params *store = layer->net->store;
    if (model->frozen_count < store->count) {
        bool *grown = dh__grow(model->frozen, (size_t)model->frozen_count * sizeof *grown,
                               (size_t)store->count * sizeof *grown);
        if (!grown) return DH_ENOMEM;
        memset(grown + model->frozen_count, 0,
               (size_t)(store->count - model->frozen_count) * sizeof *grown);
        model->frozen = grown;
        model->frozen_count = store->count;
    }
    for (int i = 0; i < store->count; i++)
        if (dh__model_owns(layer, store->segments[i]))
            DH_TRY(dh__from("layer_freeze", freeze_segment(model, i, frozen)));
    for (int l = 0; l < layer->net->count; l++) /* it and where it is applied again */
        if (dh__same_owner(layer->net->layers[l], layer)) layer->net->layers[l]->frozen = frozen;
    model->have_gradients = false; /* they are of another set of parameters */
    return DH_OK;
}

dh_status dh_model_set_learning_rate(dh_model *model, float learning_rate)
{
    DH_NEED(model, "model_set_learning_rate", "model");
    DH_REQUIRE(learning_rate >= 0 && isfinite(learning_rate), DH_EINVAL,
               "model_set_learning_rate: learning_rate is %g, must be at least 0",
               (double)learning_rate);
    model->optimizer.learning_rate = learning_rate;
    return DH_OK;
}

float dh_model_learning_rate(const dh_model *model)
{
    return model ? model->optimizer.learning_rate : 0;
}

dh_status dh_model_sha256(char hex[65], const dh_model *model)
{
    DH_NEED(hex, "model_sha256", "hex");
    DH_TRY(dh__ready(model, false, "model_sha256"));
    DH_TRY(dh__from("model_sha256", dh__settle(model)));
    const dh__params *store = model->net.store;
    int *list, count;
    DH_TRY(dh__from("model_sha256", dh__model_segments(&list, &count, model)));
    dh__sha256 hash;
    dh_status status = DH_OK;
    dh__sha256_init(&hash);
    for (int i = 0; i < count; i++) {
        dh_tensor *t = NULL;
        if (!status) status = dh__params_on_host(&t, store, list[i], DH_HOME_WEIGHT);
        if (!status)
            dh__sha256_add(&hash, t->view.data, (size_t)dh__view_count(&t->view) * sizeof(float));
        dh_tensor_free(t);
    }
    if (!status) dh__sha256_hex(&hash, hex);
    dh__free(list);
    return dh__from("model_sha256", status);
}
