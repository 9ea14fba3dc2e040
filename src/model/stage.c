/* SPDX-License-Identifier: MIT */
/* The graph of a whole step: layers, losses, metrics, gradients, update; and the cache of its
 * plans. */
#include <string.h>

#include "model_impl.h"

#define MOST_STAGES 24

/* What one construction carries along. */
typedef struct making {
    dh_model *model;
    dh__stage *stage;
    dh__graph *graph;
    dh_value *values; /* by layer */
    bool *wanted;
    bool *train;   /* by segment */
    dh_value part; /* of the batch that these rows are; DH_NO_VALUE: all */
} making;

bool dh__trainable(const dh_model *model, int segment)
{
    if (model->net.store->segments[segment]->state) return false;
    return segment >= model->frozen_count || !model->frozen[segment];
}

bool dh__updates_early(const dh_model *model)
{
    return dh__would_update_early(model, (dh__memory)model->cs.memory);
}

bool dh__would_update_early(const dh_model *model, dh__memory level)
{
    const dh__clip *c = &model->clip;
    return level >= DH_MID_MEM && !model->keep_gradients && model->accumulate <= 1 &&
           model->cs.replicas <= 1 && !(c->value > 0 || c->norm > 0 || c->global_norm > 0);
}

uint64_t dh__freeze_key(const dh_model *model)
{
    const dh__params *store = model->net.store;
    uint64_t hash = 1469598103934665603u; /* FNV-1a over what is not as it was born */
    for (int i = 0; i < store->count; i++) {
        uint32_t scale, frozen = !dh__trainable(model, i);
        memcpy(&scale, &store->segments[i]->lr_scale, sizeof scale);
        if (!store->segments[i]->state && (frozen || store->segments[i]->lr_scale != 1))
            hash = (((hash ^ (uint64_t)i) * 1099511628211u ^ scale) * 1099511628211u ^ frozen) *
                   1099511628211u;
    }
    for (int l = 0; l < model->net.count; l++)
        if (model->net.layers[l]->frozen) hash = (hash ^ (uint64_t)l) * 1099511628211u;
    return hash;
}

static dh_value feed_value(making *m, const dh_layer *layer)
{
    dh_view v = *dh__graph_view(m->model->net.sketch, layer->sketch);
    v.shape[0] = m->stage->key.rows;
    return dh__graph_input(m->graph, v.dtype, v.ndim, v.shape);
}

static void add_inputs(making *m)
{
    dh_model *model = m->model;
    const dh__key *key = &m->stage->key;
    for (int i = 0; i < model->input_count; i++)
        m->stage->input[i] = m->values[model->input[i]->index] = feed_value(m, model->input[i]);
    for (int o = 0; o < model->output_count && key->mode != DH_PREDICT; o++) {
        int64_t shape[DH_MAX_NDIM];
        if (!key->target[o].ndim) continue;
        memcpy(shape, key->target[o].shape, sizeof shape);
        shape[0] = key->rows;
        m->stage->target[o] =
            dh__graph_input(m->graph, key->target[o].dtype, key->target[o].ndim, shape);
    }
    if (key->sample_weight)
        m->stage->sample_weight = dh__graph_input(m->graph, DH_F32, 1, &key->rows);
    if (key->class_weight)
        m->stage->class_weight = dh__graph_input(m->graph, DH_F32, 1, &key->rows);
    if (!key->share) return;
    m->stage->share = dh__graph_input(m->graph, DH_F32, 0, NULL);
    m->part =
        key->group > 1 ? dh__emit_scale(m->graph, m->stage->share, key->group, 0) : m->stage->share;
}

static void keep(making *m, dh_value *slot, dh_value value)
{
    if (value == DH_NO_VALUE) return;
    m->graph->values[value].keep = true;
    *slot = value;
}

static dh_status add_layers(making *m)
{
    dh_model *model = m->model;
    bool training = m->stage->key.mode == DH_TRAIN;
    for (int o = 0; o < model->output_count; o++) dh__net_want(model->output[o], m->wanted);
    for (int k = 0; k < model->keep_count; k++) dh__net_want(model->keep[k], m->wanted);
    DH_TRY(dh__net_emit(&model->net, m->graph, training, m->part, m->wanted, m->values));
    for (int o = 0; o < model->output_count; o++)
        keep(m, &m->stage->output[o], m->values[model->output[o]->index]);
    for (int k = 0; k < model->keep_count; k++)
        keep(m, &m->stage->keep[k], m->values[model->keep[k]->index]);
    return DH_OK;
}

/* A user's loss or metric: its layers on top of prediction and target. */
static dh_value user_value(making *m, dh_layer *target, dh_layer *result, int output)
{
    dh_value t = dh__target_like(m->graph, m->stage->output[output], m->stage->target[output]);
    t = dh__emit_cast(m->graph, t, DH_F32);
    if (t == DH_NO_VALUE) return t;
    m->values[target->index] = t;
    dh__net_want(result, m->wanted);
    if (dh__net_emit(&m->model->net, m->graph, m->stage->key.mode == DH_TRAIN, m->part, m->wanted,
                     m->values))
        return DH_NO_VALUE;
    return m->values[result->index];
}

static dh_value weighted(making *m, dh_value loss, dh_value weight)
{
    if (weight == DH_NO_VALUE) return loss;
    return dh_emit2(&m->graph->emitter, DH_OP_MUL, NULL, loss, weight);
}

static dh_value sample_losses(making *m, int o)
{
    const dh__goal *goal = &m->model->goal[o];
    dh_value loss = goal->fn_result ? user_value(m, goal->fn_target, goal->fn_result, o)
                                    : dh__loss_emit(m->graph, goal->name, m->stage->output[o],
                                                    m->stage->target[o]);
    loss = dh__per_sample(m->graph, loss);
    if (goal->fn_result && m->graph->emitter.status) dh_error_prefix("loss_fn");
    loss = weighted(m, loss, m->stage->sample_weight);
    return o == 0 ? weighted(m, loss, m->stage->class_weight) : loss;
}

static dh_status add_losses(making *m)
{
    dh_model *model = m->model;
    dh__graph *g = m->graph;
    dh_value total = DH_NO_VALUE;
    for (int o = 0; o < model->output_count; o++) {
        const dh__goal *goal = &model->goal[o];
        if ((!goal->name && !goal->fn_result) || m->stage->target[o] == DH_NO_VALUE) continue;
        dh_value loss =
            dh_emit1(&g->emitter, DH_OP_MEAN, &(dh_reduce_attr){0}, sample_losses(m, o));
        if (g->emitter.status) return g->emitter.status;
        keep(m, &m->stage->losses[o], loss);
        dh_value part = goal->weight == 1 ? loss : dh__emit_scale(g, loss, (double)goal->weight, 0);
        total = total == DH_NO_VALUE ? part : dh_emit2(&g->emitter, DH_OP_ADD, NULL, total, part);
    }
    return g->emitter.status ? g->emitter.status : (keep(m, &m->stage->loss, total), DH_OK);
}

static dh_status add_metrics(making *m)
{
    dh_model *model = m->model;
    for (int i = 0; i < model->metric_count; i++) {
        dh__model_metric *metric = &model->metric[i];
        dh_value target = m->stage->target[metric->output], sums;
        if (target == DH_NO_VALUE) continue;
        if (metric->fn_result)
            sums = dh__sum_samples(
                m->graph, user_value(m, metric->fn_target, metric->fn_result, metric->output));
        else
            sums = metric->metric.emit(m->graph, m->stage->output[metric->output], target,
                                       metric->metric.k);
        if (m->graph->emitter.status) {
            dh_error_prefix("metric \"%s\"", metric->name);
            return m->graph->emitter.status;
        }
        keep(m, &m->stage->metric[i], sums);
    }
    return DH_OK;
}

/* The segments that the graph reads and that are to be trained. */
static int used_segments(making *m, int *segments)
{
    dh__params *store = m->graph->store;
    int n = 0;
    for (int i = 0; i < store->count; i++) {
        const dh__segment *s = store->segments[i];
        if (!dh__trainable(m->model, i)) continue;
        for (int v = 0; v < m->graph->value_count; v++) {
            const dh__val *val = &m->graph->values[v];
            if (val->home != DH_HOME_WEIGHT || val->offset != s->offset || val->node >= 0) continue;
            segments[n++] = i;
            break;
        }
    }
    return n;
}

/* Gradients go to their place in the store: set there, or added to what is there. */
static dh_status store_gradients(making *m, int count, const int *segments, const dh_value *grads)
{
    dh__graph *g = m->graph;
    g->phase = DH_BACKWARD;
    for (int i = 0; i < count; i++) {
        dh_value place = dh__graph_segment(g, segments[i], DH_HOME_GRAD, 0), grad = grads[i];
        if (m->stage->key.add) {
            if (grad != DH_NO_VALUE) dh_emit2(&g->emitter, DH_OP_ACCUMULATE, NULL, place, grad);
            continue;
        }
        if (grad == DH_NO_VALUE)
            grad = dh_emit1(&g->emitter, DH_OP_FILL_LIKE, &(dh_fill_attr){0}, place);
        dh__graph_place(g, grad, place);
        if (g->emitter.status) break;
    }
    return g->emitter.status;
}

static dh_status update_last(making *m, int count, const int *segments, const dh_value *grads)
{
    DH_TRY(store_gradients(m, count, segments, grads));
    return dh__optimizer_emit(m->graph, &m->model->optimizer, &m->model->clip, m->train);
}

/* Gradients stay in the arena, as long as their updates need them. */
static dh_status update_early(making *m, int count, const int *segments, const dh_value *grads)
{
    dh__graph *g = m->graph;
    for (int i = 0; i < count && !g->emitter.status; i++) {
        dh_value grad = grads[i];
        if (grad == DH_NO_VALUE)
            grad = dh_emit1(&g->emitter, DH_OP_FILL_LIKE, &(dh_fill_attr){0},
                            dh__graph_segment(g, segments[i], DH_HOME_WEIGHT, 0));
        dh__optimizer_emit_one(g, &m->model->optimizer, segments[i], grad);
    }
    return g->emitter.status;
}

/* Part of the loss, in evaluation too; of frozen parameters it is not. */
static dh_status add_regularization(making *m)
{
    dh__graph *g = m->graph;
    int *segments = dh__calloc((size_t)g->store->count + 1, sizeof *segments);
    if (!segments) return DH_ENOMEM;
    dh_value reg = dh__regularization_emit(g, used_segments(m, segments), segments);
    dh__free(segments);
    if (reg == DH_NO_VALUE || m->stage->loss == DH_NO_VALUE) return g->emitter.status;
    keep(m, &m->stage->loss, dh_emit2(&g->emitter, DH_OP_ADD, NULL, m->stage->loss, reg));
    return g->emitter.status;
}

static dh_status add_training(making *m)
{
    dh__graph *g = m->graph;
    size_t room = (size_t)g->store->count + 1;
    int *segments = dh__calloc(room, sizeof *segments);
    dh_value *wrt = dh__calloc(2 * room, sizeof *wrt), *grads = wrt ? wrt + room : NULL;
    dh_status status = segments && wrt ? DH_OK : DH_ENOMEM;
    if (!status) {
        int n = used_segments(m, segments);
        dh_value total = m->stage->loss;
        dh_fill_attr one = {1.0 / (m->stage->key.group > 1 ? m->stage->key.group : 1)};
        g->phase = DH_BACKWARD;
        dh_value seed = m->stage->share;
        if (seed == DH_NO_VALUE) seed = dh_emit1(&g->emitter, DH_OP_FILL_LIKE, &one, total);
        for (int i = 0; i < n; i++) {
            wrt[i] = dh__graph_segment(g, segments[i], DH_HOME_WEIGHT, 0);
            m->train[segments[i]] = true;
        }
        status = dh__graph_backward(g, 1, &total, &seed, n, wrt, grads);
        bool any = n == 0;
        for (int i = 0; i < n; i++) any |= grads[i] != DH_NO_VALUE;
        if (!status && !any)
            status = dh_fail(DH_EINVAL,
                             "the loss has no gradient by any of %d parameters: all its "
                             "ways to them lead through ops without one, such as equal or "
                             "round",
                             n);
        if (!status)
            status = m->stage->key.early ? update_early(m, n, segments, grads)
                                         : update_last(m, n, segments, grads);
    }
    dh__free(segments);
    dh__free(wrt);
    return status;
}

static dh_status emit_all(making *m)
{
    add_inputs(m);
    DH_TRY(m->graph->emitter.status);
    DH_TRY(add_layers(m));
    if (m->stage->key.mode == DH_PREDICT) return DH_OK;
    m->graph->phase = DH_LOSS;
    DH_TRY(add_losses(m));
    DH_TRY(add_metrics(m));
    DH_TRY(add_regularization(m));
    if (m->stage->key.mode == DH_TRAIN) {
        DH_REQUIRE(m->stage->loss != DH_NO_VALUE, DH_ESTATE,
                   "training needs a loss; build gave none");
        DH_TRY(add_training(m));
    }
    return m->graph->emitter.status;
}

static void no_values(dh__stage *s)
{
    for (int i = 0; i < DH_MAX_IO; i++)
        s->input[i] = s->target[i] = s->output[i] = s->keep[i] = s->losses[i] = DH_NO_VALUE;
    for (int i = 0; i < DH_MAX_METRICS; i++) s->metric[i] = DH_NO_VALUE;
    s->sample_weight = s->class_weight = s->share = s->loss = DH_NO_VALUE;
}

static dh_status new_stage(dh__stage **out, dh_model *model, const dh__replica *at,
                           const dh__key *key, dh__memory level)
{
    making m = {.model = model, .part = DH_NO_VALUE};
    size_t layers = (size_t)model->net.count + 1;
    m.stage = dh__calloc(1, sizeof *m.stage);
    m.values = dh__alloc(layers * sizeof *m.values);
    m.wanted = dh__calloc(layers, sizeof *m.wanted);
    m.train = dh__calloc((size_t)at->store->count + 1, sizeof *m.train);
    dh_status status = m.stage && m.values && m.wanted && m.train ? DH_OK : DH_ENOMEM;
    if (!status) status = dh__graph_new(&m.graph, at->store);
    if (!status) {
        m.graph->slots = &at->slots;
        m.stage->key = *key;
        no_values(m.stage);
        for (size_t i = 0; i < layers; i++) m.values[i] = DH_NO_VALUE;
        status = emit_all(&m);
        if (status)
            dh__graph_free(m.graph);
        else
            status = dh__plan_new(&m.stage->plan, m.graph, at->arena, level);
    }
    dh__free(m.values);
    dh__free(m.wanted);
    dh__free(m.train);
    if (status)
        dh__free(m.stage);
    else
        *out = m.stage;
    return status;
}

dh_status dh__stage_new(dh__stage **out, dh_model *model, const dh__key *key, dh__memory level)
{
    return new_stage(out, model, &model->first, key, level);
}

void dh__stage_free(dh__stage *stage)
{
    if (!stage) return;
    dh__plan_free(stage->plan);
    dh__free(stage);
}

void dh__shelf_clear(dh__stage **stages)
{
    while (*stages) {
        dh__stage *s = *stages;
        *stages = s->next;
        dh__stage_free(s);
    }
}

void dh__stages_free(dh_model *model)
{
    dh__shelf_clear(&model->first.stages);
    model->current = NULL;
}

/* A plan that was made for at least as many rows serves, or where that could not shrink, one of
 * this very size. */
static bool serves(const dh__stage *s, const dh__key *key, int64_t rows)
{
    dh__key same = *key;
    same.rows = s->key.rows;
    return (key->rows <= s->key.rows || (s->exact && rows == s->key.rows)) &&
           !memcmp(&same, &s->key, sizeof same);
}

/* A schedule of freezing or of rates per layer makes a plan for each of its states. */
static void drop_oldest(dh__stage **stages, const dh__stage *keep)
{
    int count = 0;
    dh__stage **at = stages;
    for (; *at; at = &(*at)->next) {
        if (++count <= MOST_STAGES || *at == keep) continue;
        dh__stage *old = *at;
        *at = old->next;
        dh__stage_free(old);
        return;
    }
}

static dh_status make_training_memory(const dh_model *model, dh__replica *at, bool gradients)
{
    bool *trained;
    dh_status grads = gradients ? dh__params_train(at->store) : DH_OK;
    if (grads) dh_error_prefix("gradients");
    DH_TRY(grads);
    DH_TRY(dh__model_trained(&trained, model));
    dh_status status =
        dh__slots_reserve(&at->slots, at->store, dh__optimizer_slots(&model->optimizer), trained);
    dh__free(trained);
    if (status) dh_error_prefix("moments of the optimizer");
    return status;
}

dh_status dh__stage_from(dh__stage **out, dh_model *model, dh__replica *at, const dh__stage *keep,
                         const dh__key *key, int64_t rows)
{
    dh__key made = *key;
    for (dh__stage *s = at->stages; s; s = s->next) {
        if (!serves(s, key, rows)) continue;
        if (dh__plan_resize(s->plan, rows)) { /* then a plan at this size is wanted */
            dh_error_clear();
            made.rows = rows;
            continue;
        }
        *out = s;
        return DH_OK;
    }
    dh__stage *s;
    dh__memory level = (dh__memory)model->cs.memory;
    if (key->mode == DH_TRAIN) DH_TRY(make_training_memory(model, at, !key->early));
    DH_TRY(new_stage(&s, model, at, &made, level));
    if (dh__plan_resize(s->plan, rows)) { /* an op that cannot shrink */
        dh__stage_free(s);
        dh_error_clear();
        made.rows = rows;
        DH_TRY(new_stage(&s, model, at, &made, level));
    }
    s->exact = made.rows != key->rows;
    s->next = at->stages;
    at->stages = s;
    drop_oldest(&at->stages, keep);
    *out = s;
    return DH_OK;
}

dh_status dh__stage_get(dh__stage **out, dh_model *model, const dh__key *key, int64_t rows)
{
    DH_TRY(dh__stage_from(out, model, &model->first, model->current, key, rows));
    (*out)->plan->profile = model->profile;
    if (model->profile) dh__peak_ask(&model->peak, model->first.arena->device);
    return DH_OK;
}
