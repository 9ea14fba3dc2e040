/* SPDX-License-Identifier: MIT */
/* The fine-grained loop: one batch at a time, whole or in parts. */
#include <string.h>

#include "model_impl.h"

static dh_status take(dh__data *data, const dh_model *model, const dh_tensor *const *x,
                      const dh_tensor *const *y, bool targets, const char *who)
{
    DH_NEED(x, who, "x");
    DH_REQUIRE(y || !targets, DH_EINVAL, "%s: y is NULL", who);
    memset(data, 0, sizeof *data);
    for (int i = 0; i < model->input_count; i++) data->x[i] = x[i];
    for (int o = 0; targets && o < model->output_count; o++) data->y[o] = y[o];
    return dh__data_check(data, model, targets, who);
}

static void report(dh_model *model, dh_result *result)
{
    if (!result) return;
    result->seconds = 0;
    dh__pass_result(model, &model->once, result);
}

/* fit's gradients and counters are not to be trained with by a callback. */
static dh_status outside_fit(const dh_model *model, const char *who)
{
    DH_REQUIRE(!model->fitting, DH_ESTATE, "%s: model \"%s\" is in fit", who, model->net.name);
    return DH_OK;
}

static dh_status train_batch(dh_model *model, const dh_tensor *const *x, const dh_tensor *const *y)
{
    dh__data data;
    dh__key key;
    DH_TRY(take(&data, model, x, y, true, "train_batch"));
    dh__data_key(&key, &data, model, DH_TRAIN, data.count);
    key.early = dh__updates_early(model);
    const dh__batch batch = {&data, NULL, 0, data.count};
    DH_TRY(dh__train_step(model, &key, &batch, true, (double)model->optimizer.learning_rate,
                          &model->once));
    model->last_rows = data.count;
    return DH_OK;
}

static dh_status eval_batch(dh_model *model, const dh_tensor *const *x, const dh_tensor *const *y)
{
    dh__data data;
    dh__key key;
    dh__stage *stage;
    DH_TRY(take(&data, model, x, y, true, "eval_batch"));
    dh__data_key(&key, &data, model, DH_EVAL, data.count);
    DH_TRY(dh__stage_get(&stage, model, &key, data.count));
    DH_TRY(dh__feed(stage, model, &data, NULL, 0, data.count, true, true));
    model->current = stage;
    model->forward_training = false;
    DH_TRY(dh__plan_run(stage->plan, DH_FORWARD, DH_LOSS));
    model->last_rows = data.count;
    dh__pass_begin(model, &model->once);
    return dh__pass_add(model, &model->once, stage);
}

dh_status dh_train_batch(dh_model *model, const dh_tensor *const *x, const dh_tensor *const *y,
                         dh_result *result)
{
    DH_TRY(dh__ready(model, true, "train_batch"));
    DH_TRY(outside_fit(model, "train_batch"));
    int before = dh__enter(model);
    dh_status status = train_batch(model, x, y);
    if (!status) report(model, result);
    dh__leave(before);
    return dh__from("train_batch", status);
}

dh_status dh_eval_batch(dh_model *model, const dh_tensor *const *x, const dh_tensor *const *y,
                        dh_result *result)
{
    DH_TRY(dh__ready(model, true, "eval_batch"));
    int before = dh__enter(model);
    dh_status status = dh__settle(model);
    if (!status) status = eval_batch(model, x, y);
    if (!status) report(model, result);
    dh__leave(before);
    return dh__from("eval_batch", status);
}

/* --- in parts --- */

/* Targets of a forward are not known yet: the plan takes those of the last backward, or the
 * predictions' shapes; backward looks again. */
static void guess_targets(dh__key *key, const dh_model *model)
{
    if (model->current && model->current->key.mode == DH_TRAIN) {
        memcpy(key->target, model->current->key.target, sizeof key->target);
        return;
    }
    for (int o = 0; o < model->output_count; o++) {
        const dh_view *v = dh__graph_view(model->net.sketch, model->output[o]->sketch);
        key->target[o].dtype = DH_F32;
        key->target[o].ndim = v->ndim;
        for (int i = 1; i < v->ndim; i++) key->target[o].shape[i] = v->shape[i];
    }
}

static dh_status forward(dh_model *model, const dh_tensor *const *x, bool training)
{
    dh__data data;
    dh__key key;
    dh__stage *stage;
    DH_TRY(take(&data, model, x, NULL, false, "forward"));
    dh__data_key(&key, &data, model, training ? DH_TRAIN : DH_PREDICT, data.count);
    if (training) {
        guess_targets(&key, model);
        key.add = model->have_gradients;
    }
    DH_TRY(dh__stage_get(&stage, model, &key, data.count));
    DH_TRY(dh__feed(stage, model, &data, NULL, 0, data.count, true, false));
    stage->plan->step = (dh_step){.seed = model->seed,
                                  .position = model->steps,
                                  .update = model->updates + 1,
                                  .learning_rate = model->optimizer.learning_rate};
    DH_TRY(dh__plan_run(stage->plan, DH_FORWARD, DH_FORWARD));
    model->current = stage;
    model->forward_training = training;
    model->last_rows = data.count;
    return DH_OK;
}

dh_status dh_forward(dh_model *model, const dh_tensor *const *x, bool training)
{
    DH_TRY(dh__ready(model, training, "forward"));
    int before = dh__enter(model);
    dh_status status = dh__settle(model);
    if (!status) status = forward(model, x, training);
    dh__leave(before);
    return dh__from("forward", status);
}

/* The stage whose forward values are there, for targets of another kind: inputs are fed again. */
static dh_status change_targets(dh__stage **out, dh_model *model, const dh__key *key)
{
    dh__stage *old = model->current, *stage;
    int64_t rows = old->plan->rows;
    dh_tensor *copy[DH_MAX_IO] = {0};
    dh_status status = DH_OK;
    for (int i = 0; i < model->input_count && !status; i++)
        status = dh__plan_tensor(&copy[i], old->plan, old->input[i]);
    if (!status) status = dh__stage_get(&stage, model, key, rows);
    dh__data data = {.count = rows};
    for (int i = 0; i < model->input_count; i++) data.x[i] = copy[i];
    if (!status) status = dh__feed(stage, model, &data, NULL, 0, rows, true, false);
    if (!status) {
        stage->plan->step = old->plan->step;
        status = dh__plan_run(stage->plan, DH_FORWARD, DH_FORWARD);
    }
    for (int i = 0; i < model->input_count; i++) dh_tensor_free(copy[i]);
    if (!status) *out = model->current = stage;
    return status;
}

static dh_status backward(dh_model *model, const dh_tensor *const *y, dh_result *result)
{
    dh__stage *stage = model->current;
    dh__key key;
    dh__data data = {0};
    int64_t rows = stage->plan->rows;
    for (int i = 0; i < model->output_count; i++) {
        data.y[i] = y[i];
        DH_REQUIRE(!y[i] || (y[i]->view.ndim && y[i]->view.shape[0] == rows), DH_ESHAPE,
                   "backward: y of output \"%s\" has %lld rows, the forward had %lld",
                   model->output[i]->name,
                   (long long)(y[i] && y[i]->view.ndim ? y[i]->view.shape[0] : 0), (long long)rows);
        DH_REQUIRE(y[i] || !(model->goal[i].name || model->goal[i].fn_result), DH_EINVAL,
                   "backward: y of output \"%s\" is NULL", model->output[i]->name);
    }
    dh__data_key(&key, &data, model, DH_TRAIN, stage->key.rows);
    key.add = model->have_gradients;
    if (memcmp(&key, &stage->key, sizeof key)) DH_TRY(change_targets(&stage, model, &key));
    DH_TRY(dh__feed(stage, model, &data, NULL, 0, rows, false, true));
    DH_TRY(dh__own_gradients(model, key.add));
    model->have_gradients = false; /* until these are known to be sound */
    DH_TRY(dh__plan_run(stage->plan, DH_LOSS, DH_LOSS));
    DH_TRY(dh__check_loss(model, stage));
    model->net.store->gradients_of = model;
    DH_TRY(dh__plan_run(stage->plan, DH_BACKWARD, DH_COMMIT));
    model->steps++;
    model->have_gradients = true;
    model->gradients_of = stage->key;
    model->gradient_rows = rows;
    dh__pass_begin(model, &model->once);
    DH_TRY(dh__pass_add(model, &model->once, stage));
    report(model, result);
    return DH_OK;
}

dh_status dh_backward(dh_model *model, const dh_tensor *const *y, dh_result *result)
{
    DH_TRY(dh__ready(model, true, "backward"));
    DH_TRY(outside_fit(model, "backward"));
    DH_NEED(y, "backward", "y");
    DH_REQUIRE(model->current && model->forward_training &&
                   model->first.arena->owner == model->current->plan,
               DH_ESTATE, "backward: call forward with training = true first");
    int before = dh__enter(model);
    dh_status status = backward(model, y, result);
    dh__leave(before);
    return dh__from("backward", status);
}

/* By the plan of the last backward, or one like it that heeds what has been set since. */
static dh_status update(dh_model *model)
{
    dh__stage *stage;
    dh__key key = model->gradients_of;
    key.freeze = dh__freeze_key(model);
    DH_TRY(dh__stage_get(&stage, model, &key, model->gradient_rows));
    return dh__update_first(model, stage, (double)model->optimizer.learning_rate);
}

dh_status dh_update(dh_model *model)
{
    DH_TRY(dh__ready(model, true, "update"));
    DH_TRY(outside_fit(model, "update"));
    DH_REQUIRE(model->have_gradients, DH_ESTATE,
               "update: there are no gradients; call forward and backward first");
    int before = dh__enter(model);
    dh_status status = update(model);
    dh__leave(before);
    if (status) return dh__from("update", status);
    model->have_gradients = false;
    return DH_OK;
}

dh_status dh_zero_grads(dh_model *model)
{
    DH_TRY(dh__ready(model, true, "zero_grads"));
    DH_TRY(outside_fit(model, "zero_grads"));
    dh__params *store = model->net.store;
    if (store->grads)
        DH_TRY(dh__from("zero_grads", store->device->zero(store->device, store->grads->data,
                                                          store->grads->size)));
    store->gradients_of = NULL;
    model->have_gradients = false; /* the next backward sets */
    return DH_OK;
}

dh_status dh_layer_output(dh_tensor **out, const dh_layer *layer)
{
    DH_NEED(out, "layer_output", "out");
    DH_NEED(layer, "layer_output", "layer");
    const dh_model *model = (const dh_model *)(const void *)layer->net;
    const dh__stage *s = model->current;
    DH_REQUIRE(s && model->first.arena->owner == s->plan, DH_ESTATE,
               "layer_output: layer \"%s\": no forward has run", layer->name);
    dh_value value = DH_NO_VALUE;
    for (int o = 0; o < model->output_count; o++)
        if (model->output[o] == layer) value = s->output[o];
    for (int k = 0; k < model->keep_count; k++)
        if (model->keep[k] == layer) value = s->keep[k];
    DH_REQUIRE(
        value != DH_NO_VALUE, DH_ESTATE,
        "layer_output: layer \"%s\" is neither an output nor named in .keep of dh_build, so its "
        "memory is used again",
        layer->name);
    return dh__named(dh__plan_tensor(out, s->plan, value), "tensor_new", "layer_output");
}
