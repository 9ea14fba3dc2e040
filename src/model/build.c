/* SPDX-License-Identifier: MIT */
/* dh_build: everything is checked, then committed. */
#include <math.h>
#include <string.h>

#include "model_impl.h"

static dh_status build_outputs(dh_model *m, const dh_build_args *a)
{
    if (a->output) m->output[m->output_count++] = a->output;
    for (int i = 0; i < DH_MAX_IO && a->outputs[i]; i++) {
        DH_REQUIRE(!a->output, DH_EINVAL, "build: both output and outputs are given");
        m->output[m->output_count++] = a->outputs[i];
    }
    DH_REQUIRE(m->output_count, DH_EINVAL, "build: output is NULL");
    for (int i = 0; i < m->output_count; i++) {
        const dh_layer *l = m->output[i];
        DH_TRY(dh__net_check(&m->net, l, "build: output"));
        const dh_view *v = dh__graph_view(m->net.sketch, l->sketch);
        char text[DH_SHAPE_TEXT];
        if (v->ndim && v->shape[0] == DH_SKETCH_ROWS) continue;
        dh_fail(DH_ESHAPE, "build: output \"%s\" is %s, its axis 0 is not the batch", l->name,
                dh__shape_text(text, sizeof text, v->ndim, v->shape));
        return dh__sketch_error(DH_ESHAPE);
    }
    return DH_OK;
}

/* The inputs that the caller names, in his order. */
static dh_status list_inputs(dh_model *m, const dh_build_args *a)
{
    for (int i = 0; i < DH_MAX_IO && a->inputs[i]; i++) {
        dh_layer *l = a->inputs[i];
        char what[32];
        dh__format(what, sizeof what, "build: inputs[%d]", i);
        DH_TRY(dh__net_check(&m->net, l, what));
        DH_REQUIRE(!strcmp(l->def->kind, "input") && !l->target, DH_EINVAL,
                   "build: inputs[%d] is %s \"%s\", must be an input layer", i, l->def->kind,
                   l->name);
        for (int k = 0; k < i; k++)
            DH_REQUIRE(a->inputs[k] != l, DH_EINVAL,
                       "build: inputs[%d] and inputs[%d] are both \"%s\"", k, i, l->name);
        m->input[m->input_count++] = l;
    }
    return DH_OK;
}

static dh_status build_inputs(dh_model *m, const dh_build_args *a)
{
    DH_TRY(list_inputs(m, a));
    bool *wanted = dh__calloc((size_t)m->net.count + 1, sizeof *wanted);
    if (!wanted) return DH_ENOMEM;
    for (int o = 0; o < m->output_count; o++) dh__net_want(m->output[o], wanted);
    dh_status status = DH_OK;
    int needed = 0;
    for (int i = 0; i < m->net.count && !status; i++) {
        dh_layer *l = m->net.layers[i];
        if (strcmp(l->def->kind, "input") || l->target || !wanted[i]) continue;
        bool named = false;
        for (int k = 0; k < m->input_count && a->inputs[0]; k++) named |= m->input[k] == l;
        needed++;
        if (a->inputs[0] && !named)
            status =
                dh_fail(DH_EINVAL, "build: input \"%s\" is needed, but not among inputs", l->name);
        else if (!a->inputs[0] && m->input_count == DH_MAX_IO)
            status = dh_fail(DH_EINVAL, "build: the outputs need more than %d inputs", DH_MAX_IO);
        else if (!a->inputs[0])
            m->input[m->input_count++] = l;
    }
    if (!status && !needed) status = dh_fail(DH_EINVAL, "build: the outputs depend on no input");
    dh__free(wanted);
    return status;
}

/* --- losses and metrics --- */

/* The user's function on a target of the prediction's shape. */
static dh_status call_user(dh_model *m, dh_loss_fn fn, void *payload, int o, dh_layer **target,
                           dh_layer **result, const char *who)
{
    const dh_view *v = dh__graph_view(m->net.sketch, m->output[o]->sketch);
    m->net.prefix = !strcmp(who, "loss_fn") ? "loss_" : "metric_";
    *target = dh__target_new(&m->net, v);
    *result = *target ? fn(*target, m->output[o], payload) : NULL;
    m->net.prefix = NULL;
    if (m->net.status) return dh_fail(m->net.status, "%s: %s", who, m->net.error);
    DH_REQUIRE(*result, DH_EINVAL, "build: %s returned NULL", who);
    DH_REQUIRE((*result)->net == &m->net && !(*result)->retired, DH_EINVAL,
               "build: %s returned a layer of another %s", who,
               (*result)->retired ? "build" : "model");
    v = dh__graph_view(m->net.sketch, (*result)->sketch);
    DH_REQUIRE(v->ndim == 0 || v->shape[0] == DH_SKETCH_ROWS, DH_ESHAPE,
               "build: %s must return one value a sample [N, ...], its axis 0 is not the batch",
               who);
    return DH_OK;
}

static dh_status build_losses(dh_model *m, const dh_build_args *a)
{
    DH_REQUIRE(!(a->loss && a->loss_fn), DH_EINVAL, "build: both loss \"%s\" and loss_fn are given",
               a->loss);
    DH_REQUIRE(!(a->loss_fn && a->losses[0]), DH_EINVAL,
               "build: both losses[0] \"%s\" and loss_fn are given", a->losses[0]);
    DH_REQUIRE(!(a->loss && a->losses[0]), DH_EINVAL,
               "build: both loss \"%s\" and losses are given", a->loss);
    for (int o = 0; o < DH_MAX_IO; o++) {
        const char *name = o == 0 && a->loss ? a->loss : a->losses[o];
        float weight = a->loss_weights[o];
        DH_REQUIRE(o < m->output_count || (!name && weight == 0), DH_EINVAL,
                   "build: %s[%d] is given, the model has %d output%s",
                   name ? "losses" : "loss_weights", o, m->output_count,
                   m->output_count == 1 ? "" : "s");
        DH_REQUIRE(isfinite(weight) && weight >= 0, DH_EINVAL,
                   "build: loss_weights[%d] is %g, must be at least 0", o, (double)weight);
        if (o >= m->output_count) continue;
        m->goal[o].weight = dh__absent((double)weight) ? 1 : weight;
        if (name && *name && strcmp(name, "none")) {
            dh_status status = dh__loss_check(name);
            if (status) return status;
            m->goal[o].name = dh__loss_name(name);
        }
    }
    if (a->loss_fn)
        return call_user(m, a->loss_fn, a->loss_payload, 0, &m->goal[0].fn_target,
                         &m->goal[0].fn_result, "loss_fn");
    return DH_OK;
}

/* "layer:metric" of a named output, else of the first. */
static dh_status build_metric(dh_model *m, const char *text)
{
    dh__model_metric *metric = &m->metric[m->metric_count];
    const char *colon = strchr(text, ':'), *name = colon ? colon + 1 : text;
    memset(metric, 0, sizeof *metric);
    if (colon) {
        size_t n = (size_t)(colon - text);
        metric->output = -1;
        for (int o = 0; o < m->output_count; o++)
            if (strlen(m->output[o]->name) == n && !strncmp(m->output[o]->name, text, n))
                metric->output = o;
        DH_REQUIRE(metric->output >= 0, DH_ENAME,
                   "build: metric \"%s\" names no output of the model", text);
    }
    dh_status status = dh__metric_find(&metric->metric, name);
    if (status) return status;
    dh__format(metric->name, sizeof metric->name, "%s", text);
    m->metric_count++;
    return DH_OK;
}

static dh_status build_metrics(dh_model *m, const dh_build_args *a)
{
    for (int i = 0; i < DH_MAX_METRICS && a->metrics[i]; i++)
        DH_TRY(build_metric(m, a->metrics[i]));
    if (!a->metric_fn) return DH_OK;
    DH_REQUIRE(m->metric_count < DH_MAX_METRICS, DH_EINVAL, "build: more than %d metrics",
               DH_MAX_METRICS);
    dh__model_metric *metric = &m->metric[m->metric_count];
    memset(metric, 0, sizeof *metric);
    dh__format(metric->name, sizeof metric->name, "%s",
               a->metric_fn_name ? a->metric_fn_name : "metric_fn");
    metric->metric.finish = dh__metric_mean;
    DH_TRY(call_user(m, a->metric_fn, a->metric_payload, 0, &metric->fn_target, &metric->fn_result,
                     "metric_fn"));
    m->metric_count++;
    return DH_OK;
}

/* --- the rest --- */

static dh_status check_number(float value, const char *name)
{
    DH_REQUIRE(isfinite(value) && value >= 0, DH_EINVAL, "build: %s is %g, must be at least 0",
               name, (double)value);
    return DH_OK;
}

static dh_status build_training(dh_model *m, const dh_build_args *a)
{
    m->optimizer = a->optimizer;
    DH_TRY(dh__optimizer_check(&m->optimizer));
    DH_TRY(check_number(a->clip_value, "clip_value"));
    DH_TRY(check_number(a->clip_norm, "clip_norm"));
    DH_TRY(check_number(a->clip_global_norm, "clip_global_norm"));
    DH_REQUIRE(a->accumulate >= 0, DH_EINVAL, "build: accumulate is %d, must be at least 0",
               a->accumulate);
    m->clip = (dh__clip){a->clip_value, a->clip_norm, a->clip_global_norm};
    m->accumulate = a->accumulate > 1 ? a->accumulate : 1;
    m->keep_gradients = a->keep_gradients;
    m->seed = a->seed;
    for (int i = 0; i < DH_MAX_IO && a->keep[i]; i++) {
        char what[32];
        dh__format(what, sizeof what, "build: keep[%d]", i);
        DH_TRY(dh__net_check(&m->net, a->keep[i], what));
        m->keep[m->keep_count++] = a->keep[i];
    }
    return DH_OK;
}

/* Who means metrics means evaluate, which needs a loss. */
static dh_status check_metrics(const dh_model *m)
{
    for (int i = 0; i < m->metric_count; i++) {
        bool any = false;
        for (int o = 0; o < m->output_count; o++) any |= m->goal[o].name || m->goal[o].fn_result;
        DH_REQUIRE(any, DH_EINVAL, "build: metric \"%s\" is given, but no loss", m->metric[i].name);
    }
    return DH_OK;
}

/* The classic slip: no activation behind the last dense layer, and a loss that takes
 * probabilities. */
static void warn_of_logits(const dh_model *m)
{
    for (int o = 0; o < m->output_count; o++) {
        const char *loss = m->goal[o].name;
        bool categorical = loss && strstr(loss, "cross") && !strstr(loss, "binary");
        const dh__graph *sketch = m->net.sketch;
        int node = sketch->values[m->output[o]->sketch].node;
        if (!loss || !strstr(loss, "cross") || strstr(loss, "logits") || node < 0 ||
            sketch->nodes[node]->op != DH_OP_LINEAR)
            continue;
        dh__log(
            DH_LOG_WARNING,
            "build: loss \"%s\" takes probabilities, output \"%s\" has no %s behind it; %s takes "
            "logits",
            loss, m->output[o]->name, categorical ? "softmax" : "sigmoid",
            categorical ? "categorical_cross_entropy_with_logits"
                        : "binary_cross_entropy_with_logits");
    }
}

/* Errors of losses and metrics come out here, not at the first batch: they see targets of the
 * predictions' shapes. */
static dh_status try_graph_at_sketch(dh_model *m)
{
    dh__key key;
    dh__stage *stage;
    memset(&key, 0, sizeof key);
    key.mode = DH_PREDICT;
    key.rows = DH_SKETCH_ROWS;
    DH_TRY(dh__stage_new(&stage, m, &key, DH_FULL_MEM));
    dh__stage_free(stage);
    bool loss = false;
    for (int o = 0; o < m->output_count; o++) {
        const dh_view *v = dh__graph_view(m->net.sketch, m->output[o]->sketch);
        loss |= m->goal[o].name || m->goal[o].fn_result;
        key.target[o].dtype = DH_F32;
        key.target[o].ndim = v->ndim;
        memcpy(key.target[o].shape, v->shape, sizeof v->shape);
        key.target[o].shape[0] = 0;
    }
    if (!loss) return DH_OK;
    key.mode = DH_EVAL;
    DH_TRY(dh__stage_new(&stage, m, &key, DH_FULL_MEM));
    dh__stage_free(stage);
    return DH_OK;
}

static dh_status try_graph(dh_model *m)
{
    dh_status status = try_graph_at_sketch(m);
    return status ? dh__sketch_error(status) : DH_OK;
}

/* What other models on the store have declared, but never built, is left to them. */
static dh_status allocate(dh_model *m)
{
    dh__params *store = m->net.store;
    bool missing = !store->weights || !store->states;
    for (int i = 0; i < store->count && !missing; i++) {
        const dh__segment *s = store->segments[i];
        if (s->offset < store->allocated[s->state]) continue;
        for (int l = 0; l < m->net.count; l++) missing |= dh__model_owns(m->net.layers[l], s);
    }
    return missing ? dh__params_allocate(store, m->seed) : DH_OK;
}

/* Back to before the build, so that it can be tried again. */
static void unbuild(dh_model *m)
{
    dh__net_retire(&m->net);
    dh__stages_free(m);
    dh__slots_clear(&m->first.slots);
    dh__pass_clear(&m->epoch);
    dh__pass_clear(&m->once);
    m->last = NULL;
    memset(m->metric, 0, sizeof m->metric);
    memset(m->goal, 0, sizeof m->goal);
    m->input_count = m->output_count = m->keep_count = m->metric_count = 0;
    m->built = m->have_gradients = m->peak.asked = false;
}

/* What dh_model_input and dh_model_output give. */
typedef struct ends {
    int input_count, output_count;
    dh_layer *input[DH_MAX_IO], *output[DH_MAX_IO];
} ends;

/* Where the call names no output, those known are meant. */
static bool take_known(ends *known, dh_build_args *a, const dh_model *m)
{
    if (a->output || a->outputs[0] || !m->output_count) return false;
    known->input_count = m->input_count;
    known->output_count = m->output_count;
    memcpy(known->input, m->input, sizeof known->input);
    memcpy(known->output, m->output, sizeof known->output);
    memcpy(a->outputs, m->output, (size_t)m->output_count * sizeof *m->output);
    if (!a->inputs[0]) memcpy(a->inputs, m->input, (size_t)m->input_count * sizeof *m->input);
    return true;
}

/* After a failure, for another try. */
static void keep_known(dh_model *m, const ends *known)
{
    m->input_count = known->input_count;
    m->output_count = known->output_count;
    memcpy(m->input, known->input, sizeof known->input);
    memcpy(m->output, known->output, sizeof known->output);
}

dh_status(dh_build)(const dh_build_args *args)
{
    dh_build_args a;
    DH_TRY(dh__args(&a, sizeof a, args, "build"));
    dh_model *m = a.model;
    DH_NEED(m, "build", "model");
    if (m->net.status) return dh_fail(m->net.status, "%s", m->net.error);
    DH_REQUIRE(!m->fitting, DH_ESTATE, "build: model \"%s\" is in fit", m->net.name);
    DH_REQUIRE(!m->building, DH_ESTATE, "build: model \"%s\" is being built", m->net.name);
    int sessions = atomic_load(&m->references) - 1;
    DH_REQUIRE(!sessions, DH_ESTATE, "build: model \"%s\" has %d session%s; free %s first",
               m->net.name, sessions, sessions == 1 ? "" : "s", sessions == 1 ? "it" : "them");
    ends was;
    bool known = take_known(&was, &a, m);
    unbuild(m);
    m->building = true;
    int layers = m->net.count;
    dh_status status = build_outputs(m, &a);
    if (!status) status = build_inputs(m, &a);
    if (!status) status = dh__model_place(m, &a.device);
    if (!status) status = build_losses(m, &a);
    if (!status) status = build_metrics(m, &a);
    if (!status) status = check_metrics(m);
    if (!status) status = build_training(m, &a);
    m->building = false;
    if (!status) {
        int before = dh__enter(m);
        status = allocate(m);
        if (!status) status = try_graph(m);
        if (!status) status = dh__rescue_keep(m);
        dh__leave(before);
    }
    for (int i = layers; i < m->net.count; i++) m->net.layers[i]->of_build = true;
    if (status) {
        unbuild(m);
        if (known) keep_known(m, &was);
        return dh__from("build", status);
    }
    warn_of_logits(m);
    m->built = true;
    m->history_count = 0;
    m->updates = 0;
    m->steps = 0;
    m->epochs = 0;
    return DH_OK;
}
