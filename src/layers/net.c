/* SPDX-License-Identifier: MIT */
/* The list of layers behind a model, and emitting them into a graph. */
#include "net.h"

#include <stdlib.h>
#include <string.h>

#include "rng.h"

dh_status dh__net_init(dh__net *net, const char *name, dh__params *store)
{
    memset(net, 0, sizeof *net);
    net->store = store;
    net->number = ++store->nets;
    dh__params_retain(store);
    net->name = dh__strdup(name ? name : "model");
    dh_status status = net->name ? dh__graph_new(&net->sketch, store) : DH_ENOMEM;
    if (status) dh__net_clear(net);
    return status;
}

static void free_strings(const dh_field *fields, void *args)
{
    for (const dh_field *f = fields; f && f->name; f++)
        if (f->kind == DH_FIELD_STRING) {
            char **text = (char **)(void *)((char *)args + f->offset);
            dh__free(*text);
            *text = NULL;
        }
}

/* Own copies of all strings; on failure those not copied are NULL. */
static dh_status own_strings(const dh_field *fields, void *args)
{
    dh_status status = DH_OK;
    for (const dh_field *f = fields; f && f->name; f++)
        if (f->kind == DH_FIELD_STRING) {
            char **text = (char **)(void *)((char *)args + f->offset);
            if (!*text) continue;
            *text = status ? NULL : dh__strdup(*text);
            if (!*text) status = DH_ENOMEM;
        }
    return status;
}

static void layer_free(dh_layer *layer)
{
    if (!layer) return;
    if (layer->args) free_strings(layer->def->fields, layer->args);
    dh__free(layer->args);
    if (layer->owner != layer->name) dh__free(layer->owner);
    dh__free(layer->name);
    dh__free(layer->in);
    dh__free(layer);
}

void dh__net_clear(dh__net *net)
{
    for (int i = 0; i < net->count; i++) layer_free(net->layers[i]);
    while (net->retired) {
        dh_layer *layer = net->retired;
        net->retired = layer->next;
        layer_free(layer);
    }
    dh__free(net->layers);
    dh__graph_free(net->sketch);
    dh__params_release(net->store);
    dh__free(net->name);
    memset(net, 0, sizeof *net);
}

bool dh__same_owner(const dh_layer *a, const dh_layer *b)
{
    return !strcmp(a->owner, b->owner);
}

const dh_layer *dh__owner_of(const dh_layer *layer)
{
    for (int i = 0; i < layer->index; i++)
        if (dh__same_owner(layer->net->layers[i], layer)) return layer->net->layers[i];
    return layer;
}

bool dh__first_owner(const dh_layer *layer)
{
    return dh__owner_of(layer) == layer;
}

static bool is_used(const dh_layer *layer)
{
    const dh__net *net = layer->net;
    for (int i = layer->index + 1; i < net->count; i++) {
        const dh_layer *later = net->layers[i];
        if (!strcmp(later->owner, layer->name)) return true;
        for (int k = 0; k < later->in_count; k++)
            if (later->in[k] == layer) return true;
    }
    return false;
}

void dh__net_retire(dh__net *net)
{
    for (int i = net->count - 1; i >= 0; i--) {
        dh_layer *layer = net->layers[i];
        if (!layer->of_build || is_used(layer)) continue;
        layer->retired = true;
        layer->next = net->retired;
        net->retired = layer;
        net->count--;
        for (int k = i; k < net->count; k++) {
            net->layers[k] = net->layers[k + 1];
            net->layers[k]->index = k;
        }
    }
    net->status = DH_OK;
    net->error[0] = 0;
}

dh_status dh__net_check(const dh__net *net, const dh_layer *layer, const char *what)
{
    DH_REQUIRE(layer->net == net, DH_EINVAL, "%s, \"%s\", belongs to another model", what,
               layer->name);
    DH_REQUIRE(!layer->retired, DH_EINVAL,
               "%s, \"%s\", was made by the loss_fn or metric_fn of an earlier build", what,
               layer->name);
    return DH_OK;
}

dh_layer *dh__net_failed(dh__net *net, dh_status status)
{
    if (net && !net->status) {
        net->status = status;
        dh__format(net->error, sizeof net->error, "%s", dh_error_text());
    }
    return NULL;
}

dh_layer *dh__find_layer(const dh__net *net, const char *name)
{
    for (int i = 0; name && i < net->count; i++)
        if (!strcmp(net->layers[i]->name, name)) return net->layers[i];
    return NULL;
}

/* Whether a layer of that name would get parameters that another net on the store has made. */
static bool is_anothers(const dh__net *net, const char *name)
{
    size_t n = strlen(name);
    for (int i = 0; i < net->store->count; i++) {
        const dh__segment *s = net->store->segments[i];
        if (s->net != net->number && !strncmp(s->name, name, n) && s->name[n] == '/') return true;
    }
    return false;
}

/* "dense1": the kind and the first number that is free, in the store too: only a name that is given
 * shares parameters with another model. Layers of a user's loss have a prefix, so
 * that a later layer outside never takes the name, and with it the parameters, of one that is
 * gone. */
static char *auto_name(const dh__net *net, const char *kind)
{
    char name[96];
    int number = 1;
    for (int i = 0; i < net->count; i++) number += !strcmp(net->layers[i]->def->kind, kind);
    do dh__format(name, sizeof name, "%s%s%d", net->prefix ? net->prefix : "", kind, number++);
    while (dh__find_layer(net, name) || is_anothers(net, name));
    return dh__strdup(name);
}

static dh_status name_layer(dh_layer *layer, const char *wanted)
{
    const dh__net *net = layer->net;
    if (!wanted || !*wanted) {
        layer->name = auto_name(net, layer->def->kind);
        return layer->name ? DH_OK : DH_ENOMEM;
    }
    DH_REQUIRE(!dh__find_layer(net, wanted), DH_EINVAL,
               "%s: the model has a layer named \"%s\" already", layer->def->kind, wanted);
    DH_REQUIRE(
        strlen(wanted) < 64 && !strpbrk(wanted, "/\"\n"), DH_EINVAL,
        "%s: name \"%.64s\" must be shorter than 64 bytes and without '/', '\"' and newlines",
        layer->def->kind, wanted);
    layer->name = dh__strdup(wanted);
    return layer->name ? DH_OK : DH_ENOMEM;
}

static const char *name_in(const dh__layer_def *def, const void *args)
{
    const dh_field *f = dh_field_find(def->fields, "name");
    return f ? *(const char *const *)(const void *)((const char *)args + f->offset) : NULL;
}

static dh_status add_to_net(dh__net *net, dh_layer *layer)
{
    size_t old = (size_t)net->count * sizeof *net->layers;
    dh_layer **grown = dh__grow(net->layers, old, old + sizeof *net->layers);
    if (!grown) return DH_ENOMEM;
    net->layers = grown;
    layer->index = net->count;
    net->layers[net->count++] = layer;
    return DH_OK;
}

/* Parameters under the layer's own name, or those of the layer it repeats, frozen as these are. */
static dh_status own(dh_layer *layer, const char *owner)
{
    layer->owner = owner ? dh__strdup(owner) : layer->name;
    if (!layer->owner) return DH_ENOMEM;
    for (int i = 0; i < layer->net->count; i++)
        if (dh__same_owner(layer->net->layers[i], layer))
            layer->frozen = layer->net->layers[i]->frozen;
    return DH_OK;
}

/* Everything of a layer but its place in the net and its value. */
static dh_status fill_layer(dh_layer *layer, const void *args, int in_count, dh_layer *const *in,
                            const char *owner)
{
    const dh__layer_def *def = layer->def;
    layer->args = dh__calloc(1, def->args_size);
    layer->in = dh__calloc((size_t)in_count + 1, sizeof *layer->in);
    if (!layer->args || !layer->in) {
        dh__free(layer->args);
        layer->args = NULL;
        return DH_ENOMEM;
    }
    memcpy(layer->args, args, def->args_size);
    DH_TRY(own_strings(def->fields, layer->args));
    DH_TRY(name_layer(layer, name_in(def, args)));
    DH_TRY(own(layer, owner));
    layer->in_count = in_count;
    for (int i = 0; i < in_count; i++) {
        layer->in[i] = in[i];
        char what[128];
        dh__format(what, sizeof what, "%s \"%s\": input %d", def->kind, layer->name, i);
        DH_TRY(dh__net_check(layer->net, in[i], what));
    }
    dh_field_fill(def->fields, layer->args);
    char who[128];
    dh__format(who, sizeof who, "%s \"%s\"", def->kind, layer->name);
    return dh_field_check(def->fields, layer->args, who);
}

static dh_value emit_layer(dh__build *build, const dh_layer *layer, const dh_value *values)
{
    dh_value local[DH_MAX_LAYER_INPUTS];
    dh_emitter *to = &build->graph->emitter;
    for (int i = 0; i < layer->in_count; i++) local[i] = values[layer->in[i]->index];
    build->layer = layer;
    build->graph->scope = layer->index;
    to->stream = dh__random_stream(layer->name);
    dh_value y = layer->def->emit(build, layer->args, layer->in_count, local);
    build->graph->scope = -1;
    if (to->status) dh_error_prefix("%s \"%s\"", layer->def->kind, layer->name);
    return to->status ? DH_NO_VALUE : y;
}

/* Numbers that are multiples of the sketch's batch: "N", "4 N". */
dh_status dh__sketch_error(dh_status status)
{
    char text[512];
    size_t at = 0;
    const char *from = dh_error_text();
    while (*from && at + 24 < sizeof text) {
        size_t digits = strspn(from, "0123456789");
        long long n = digits && digits < 19 ? strtoll(from, NULL, 10) : 0;
        if (n && n % DH_SKETCH_ROWS == 0) {
            n /= DH_SKETCH_ROWS;
            at += (size_t)(n == 1 ? dh__format(text + at, 24, "N")
                                  : dh__format(text + at, 24, "%lld N", n));
            from += digits;
            continue;
        }
        size_t count = digits ? digits : 1;
        if (at + count >= sizeof text) break;
        memcpy(text + at, from, count);
        at += count;
        from += count;
    }
    text[at] = 0;
    return dh_fail(status, "%s", text);
}

/* The layer's value in the sketch, so that what is wrong is said where it is written. */
static dh_status sketch_layer(dh_layer *layer)
{
    dh__net *net = layer->net;
    dh_value *values = dh__alloc((size_t)(net->count + 1) * sizeof *values);
    if (!values) return DH_ENOMEM;
    for (int i = 0; i < net->count; i++) values[i] = net->layers[i]->sketch;
    dh__build build = {.graph = net->sketch, .net = net};
    layer->sketch = emit_layer(&build, layer, values);
    dh__free(values);
    dh_status status = net->sketch->emitter.status;
    net->sketch->emitter.status = DH_OK;
    return status ? dh__sketch_error(status) : DH_OK;
}

dh_layer *dh__layer_owned(dh__net *net, const dh__layer_def *def, const void *args, int in_count,
                          dh_layer *const *in, const char *owner)
{
    if (!net || net->status) return NULL;
    dh_layer *layer = dh__calloc(1, sizeof *layer);
    if (!layer) return dh__net_failed(net, DH_ENOMEM);
    layer->net = net;
    layer->def = def;
    layer->sketch = DH_NO_VALUE;
    dh_status status = fill_layer(layer, args, in_count, in, owner);
    if (!status && def->emit) status = sketch_layer(layer);
    if (!status) status = add_to_net(net, layer);
    if (!status) return layer;
    layer_free(layer);
    return dh__net_failed(net, status);
}

dh_layer *dh__layer_new(dh__net *net, const dh__layer_def *def, const void *args, int in_count,
                        dh_layer *const *in)
{
    return dh__layer_owned(net, def, args, in_count, in, NULL);
}

dh_layer *dh__layer_again(dh__net *net, const dh_layer *layer, const char *name, int in_count,
                          dh_layer *const *in)
{
    char *args = dh__alloc(layer->def->args_size);
    if (!args) return dh__net_failed(net, DH_ENOMEM);
    memcpy(args, layer->args, layer->def->args_size);
    const dh_field *f = dh_field_find(layer->def->fields, "name");
    if (f) memcpy(args + f->offset, &name, sizeof name);
    dh_layer *again = dh__layer_owned(net, layer->def, args, in_count, in, layer->owner);
    dh__free(args);
    return again;
}

void dh__net_want(const dh_layer *layer, bool *wanted)
{
    if (wanted[layer->index]) return;
    wanted[layer->index] = true;
    /* inputs come before the layer, so one pass downwards reaches all */
    for (int i = layer->index; i >= 0; i--) {
        const dh_layer *l = layer->net->layers[i];
        for (int k = 0; wanted[i] && k < l->in_count; k++) wanted[l->in[k]->index] = true;
    }
}

dh_status dh__net_emit(dh__net *net, dh__graph *graph, bool training, dh_value part,
                       const bool *wanted, dh_value *values)
{
    dh__build build = {.graph = graph, .net = net, .training = training, .part = part};
    for (int i = 0; i < net->count; i++) {
        const dh_layer *layer = net->layers[i];
        if (!wanted[i] || values[i] != DH_NO_VALUE) continue;
        DH_REQUIRE(layer->def->emit, DH_ESTATE,
                   "%s \"%s\": is needed but not among the model's inputs", layer->def->kind,
                   layer->name);
        values[i] = emit_layer(&build, layer, values);
        if (graph->emitter.status) return graph->emitter.status;
    }
    return DH_OK;
}

dh_value dh__declare(dh__build *build, const dh__param *p)
{
    dh__graph *g = build->graph;
    if (g->emitter.status) return DH_NO_VALUE;
    dh__segment s = {.ndim = p->ndim,
                     .state = p->state,
                     .lr_scale = 1,
                     .l1 = p->reg.l1,
                     .l2 = p->reg.l2,
                     .no_decay = p->no_decay,
                     .fan_in = p->fan_in,
                     .fan_out = p->fan_out,
                     .net = build->net->number};
    memcpy(s.shape, p->shape, sizeof s.shape);
    char name[160];
    int index;
    dh__format(name, sizeof name, "%s/%s", build->layer->owner, p->suffix);
    dh_status status = dh__initializer_find(&s, &p->init, p->default_init, name);
    if (!status) status = dh__params_declare(build->net->store, &index, &s, name);
    if (status) return dh__emit_fail(g, status);
    return dh__graph_segment(g, index, p->state ? DH_HOME_STATE : DH_HOME_WEIGHT, 0);
}

/* --- what a layer is --- */

const char *dh_layer_name(const dh_layer *layer)
{
    return layer ? layer->name : NULL;
}

const char *dh_layer_kind(const dh_layer *layer)
{
    return layer ? layer->def->kind : NULL;
}

int dh_layer_ndim(const dh_layer *layer)
{
    return layer ? dh__graph_view(layer->net->sketch, layer->sketch)->ndim : 0;
}

int64_t dh_layer_dim(const dh_layer *layer, int axis)
{
    if (!layer) return -1;
    const dh_view *v = dh__graph_view(layer->net->sketch, layer->sketch);
    if (axis < 0) axis += v->ndim;
    return axis > 0 && axis < v->ndim ? v->shape[axis] : -1;
}
