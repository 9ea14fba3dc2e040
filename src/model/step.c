/* SPDX-License-Identifier: MIT */
/* One step of training: forward, backward, update. */
#include "model_impl.h"

/* Where the last step kept none. */
static const char no_gradients;

dh_status dh__own_gradients(const dh_model *model, bool needed)
{
    DH_REQUIRE(!needed || model->net.store->gradients_of != &no_gradients, DH_ESTATE,
               "the last step kept no gradients, at memory level mid_mem or low_mem; build with "
               ".keep_gradients = true, or call forward and backward");
    DH_REQUIRE(!needed || model->net.store->gradients_of == model, DH_ESTATE,
               "another model on the parameter store has overwritten the gradients; call "
               "zero_grads, forward and backward again");
    return DH_OK;
}

dh_status dh__show_gradients(const dh_model *model)
{
    return dh__own_gradients(model, model->net.store->gradients_of != NULL);
}

static void set_step(const dh_model *model, dh__stage *stage, double learning_rate)
{
    stage->plan->step = (dh_step){.seed = model->seed,
                                  .position = model->steps,
                                  .update = model->updates + 1,
                                  .learning_rate = (float)learning_rate};
}

static dh_status update(dh_model *model, dh__stage *stage, double learning_rate)
{
    if (!stage->key.early) DH_TRY(dh__own_gradients(model, true));
    set_step(model, stage, learning_rate);
    DH_TRY(dh__plan_run(stage->plan, DH_UPDATE, DH_UPDATE));
    model->updates++;
    model->net.store->generation++;
    return DH_OK;
}

/* Those of another model stay as they are where this step keeps none. */
static void take_gradients(const dh_model *model, const dh__stage *stage)
{
    const void **owner = &model->net.store->gradients_of;
    if (!stage->key.early)
        *owner = model;
    else if (!*owner || *owner == model || *owner == model->net.store)
        *owner = &no_gradients;
}

static dh_status run(dh_model *model, dh__stage *stage, bool updates, double learning_rate)
{
    DH_TRY(dh__own_gradients(model, stage->key.add));
    set_step(model, stage, learning_rate);
    model->current = stage;
    model->forward_training = false; /* backward needs a forward of its own */
    DH_TRY(dh__plan_run(stage->plan, DH_FORWARD, DH_LOSS));
    /* looked at before all else, so that a bad batch leaves everything as it was */
    DH_TRY(dh__check_loss(model, stage));
    take_gradients(model, stage);
    model->have_gradients = false; /* they are written over */
    DH_TRY(dh__plan_run(stage->plan, DH_BACKWARD, DH_COMMIT));
    model->steps++;
    return updates ? update(model, stage, learning_rate) : DH_OK;
}

dh_status dh__train_step(dh_model *model, const dh__key *key, const dh__batch *b, bool updates,
                         double learning_rate, dh__pass *pass)
{
    dh__stage *stage;
    DH_TRY(dh__stage_get(&stage, model, key, b->rows));
    DH_TRY(dh__feed(stage, model, b->data, b->order, b->begin, b->rows, true, true));
    DH_TRY(run(model, stage, updates, learning_rate));
    if (pass == &model->once) dh__pass_begin(model, pass);
    return dh__pass_add(model, pass, stage);
}

dh_status dh__train_update(dh_model *model, const dh__key *key, int64_t rows, double learning_rate)
{
    dh__stage *stage;
    DH_TRY(dh__stage_get(&stage, model, key, rows));
    return update(model, stage, learning_rate);
}
