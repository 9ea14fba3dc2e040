/* SPDX-License-Identifier: MIT */
/* One step of training: forward, backward, update; of the whole batch, or of parts that replicas
 * take. Phase by phase for all parts, and what the host waits for comes last, so that devices work
 * side by side. */
#include <string.h>

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

/* What one place does of a step. */
typedef struct part {
    dh__replica *at;
    dh__stage *stage;
    int64_t row, rows; /* of the batch */
} part;

typedef struct parts {
    int count;
    part part[DH_MAX_REPLICAS];
} parts;

/* Rows are shared out evenly, those that remain to the first ones. */
static dh_status take_parts(parts *p, dh_model *model, const dh__key *key, int64_t rows)
{
    dh__key own = *key;
    int64_t row = 0;
    DH_TRY(dh__replicas_follow(model));
    p->count = dh__replica_count(model);
    own.rows = (key->rows + p->count - 1) / p->count;
    own.share = p->count > 1 && model->replicas->lsb == 1;
    for (int i = 0; i < p->count; i++) {
        part *q = &p->part[i];
        *q = (part){.at = dh__replica_at(model, i),
                    .row = row,
                    .rows = rows / p->count + (i < rows % p->count)};
        row += q->rows;
        int64_t planned = q->rows ? q->rows : 1;
        if (i == 0)
            DH_TRY(dh__stage_get(&q->stage, model, &own, planned));
        else
            DH_TRY(dh__stage_from(&q->stage, model, q->at, NULL, &own, planned));
    }
    return DH_OK;
}

static void set_step(const dh_model *model, const part *p, double learning_rate)
{
    p->stage->plan->step = (dh_step){.seed = model->seed,
                                     .position = model->steps,
                                     .row = p->row,
                                     .update = model->updates + 1,
                                     .learning_rate = (float)learning_rate};
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

/* --- update --- */

/* The first place comes last, so that where another fails the model is as it was. */
static dh_status update(dh_model *model, const parts *p, double learning_rate)
{
    const dh__stage *first = p->part[0].stage;
    if (!first->key.early) DH_TRY(dh__own_gradients(model, true));
    if (first->key.share) DH_TRY(dh__replicas_sum_gradients(model));
    if (p->count > 1) model->replicas->alike = false; /* until all are done */
    for (int i = p->count - 1; i >= 0; i--) {
        const part *q = &p->part[i];
        if (p->count > 1 && !first->key.share && !q->at->fresh) continue;
        set_step(model, q, learning_rate);
        DH_TRY(dh__plan_run(q->stage->plan, DH_UPDATE, DH_UPDATE));
        q->at->fresh = 0;
    }
    model->updates++;
    model->net.store->generation++;
    if (p->count == 1) return DH_OK;
    /* who trains by themselves are one again after lsb batches, or where others read the first */
    bool alone = atomic_load(&model->net.store->owners) <= 1;
    if (!first->key.share && (model->replicas->batches >= model->replicas->lsb || !alone))
        DH_TRY(dh__replicas_mean(model));
    dh__replicas_agree(model);
    return DH_OK;
}

dh_status dh__update_first(dh_model *model, dh__stage *stage, double learning_rate)
{
    DH_TRY(dh__own_gradients(model, true));
    const part own = {.at = &model->first, .stage = stage};
    set_step(model, &own, learning_rate);
    DH_TRY(dh__plan_run(stage->plan, DH_UPDATE, DH_UPDATE));
    model->updates++;
    model->net.store->generation++;
    return DH_OK;
}

dh_status dh__train_update(dh_model *model, const dh__key *key, int64_t rows, double learning_rate)
{
    parts p;
    DH_TRY(take_parts(&p, model, key, rows));
    return update(model, &p, learning_rate);
}

/* --- forward and backward --- */

/* What part of the batch's gradient the part's own is. */
static dh_status feed_share(const part *p, int64_t rows)
{
    const dh__stage *s = p->stage;
    int group = s->key.group > 1 ? s->key.group : 1;
    *(float *)dh__plan_feed(s->plan, s->share).data =
        (float)((double)p->rows / (double)rows / group);
    return dh__plan_fed(s->plan, s->share);
}

static dh_status begin_part(dh_model *model, const part *p, const dh__batch *b, double rate)
{
    DH_TRY(dh__feed(p->stage, model, b->data, b->order ? b->order + p->row : NULL,
                    b->begin + p->row, p->rows, true, true));
    if (p->stage->key.share) DH_TRY(feed_share(p, b->rows));
    set_step(model, p, rate);
    return DH_OK;
}

/* A part without rows has a gradient of 0. */
static dh_status no_gradient(const part *p)
{
    dh__params *store = p->at->store;
    if (p->stage->key.add) return DH_OK;
    return store->device->zero(store->device, store->grads->data, store->grads->size);
}

static dh_status told_of(dh_status status, const parts *p, int i)
{
    if (status && p->count > 1)
        dh_error_prefix("rows [%lld, %lld) of the batch, on \"%s\"", (long long)p->part[i].row,
                        (long long)(p->part[i].row + p->part[i].rows),
                        p->part[i].at->arena->device->name);
    return status;
}

/* Makes one what the parts' plans, all at the same node, have met with; those come first that have
 * rows. */
static dh_status meet(const dh_model *model, const parts *p, const dh_view *const *met, int count)
{
    dh_comm_part at[DH_MAX_REPLICAS];
    DH_REQUIRE(met[0]->dtype == DH_F32, DH_EDTYPE, "all_sum: replicas sum %s, not %s",
               dh_dtype_name(DH_F32), dh_dtype_name(met[0]->dtype));
    for (int i = 0; i < count; i++) {
        at[i] = (dh_comm_part){p->part[i].at->arena->device, met[i]->data, 1};
        DH_REQUIRE(
            dh__view_count(met[i]) == dh__view_count(met[0]), DH_ESHAPE,
            "all_sum: %lld elements in replica 0, %lld in replica %d, of %lld and %lld rows: "
            "what is summed must not have the batch's axis",
            (long long)dh__view_count(met[0]), (long long)dh__view_count(met[i]), i,
            (long long)p->part[0].rows, (long long)p->part[i].rows);
    }
    dh_comm *comm = model->replicas->comm;
    return comm->sum(comm, at, count, dh__view_count(met[0]));
}

/* Phases of all parts that have rows, in stretches where they share the batch. */
static dh_status run_parts(const dh_model *model, const parts *p, dh__phase first, dh__phase last)
{
    int at[DH_MAX_REPLICAS] = {0}, count = 0;
    const dh_view *met[DH_MAX_REPLICAS];
    while (count < p->count && p->part[count].rows) count++;
    if (!p->part[0].stage->key.share) {
        for (int i = 0; i < count; i++)
            DH_TRY(told_of(dh__plan_run(p->part[i].stage->plan, first, last), p, i));
        return DH_OK;
    }
    do {
        for (int i = 0; i < count; i++)
            DH_TRY(told_of(dh__plan_run_on(p->part[i].stage->plan, first, last, &at[i], &met[i]), p,
                           i));
        if (count && met[0]) DH_TRY(meet(model, p, met, count));
    } while (count && met[0]);
    return DH_OK;
}

dh_status dh__train_step(dh_model *model, const dh__key *key, const dh__batch *b, bool updates,
                         double learning_rate, dh__pass *pass)
{
    parts p;
    DH_TRY(take_parts(&p, model, key, b->rows));
    DH_TRY(dh__own_gradients(model, key->add));
    model->current = p.part[0].stage;
    model->forward_training = false; /* backward needs a forward of its own */
    for (int i = 0; i < p.count; i++)
        if (p.part[i].rows) DH_TRY(told_of(begin_part(model, &p.part[i], b, learning_rate), &p, i));
    DH_TRY(run_parts(model, &p, DH_FORWARD, DH_LOSS));
    /* looked at before all else, so that a bad batch leaves everything as it was */
    for (int i = 0; i < p.count; i++)
        if (p.part[i].rows) DH_TRY(told_of(dh__check_loss(model, p.part[i].stage), &p, i));
    take_gradients(model, p.part[0].stage);
    model->have_gradients = false; /* they are written over */
    if (p.count > 1) model->replicas->alike = false;
    DH_TRY(run_parts(model, &p, DH_BACKWARD, DH_COMMIT));
    for (int i = 0; i < p.count; i++) {
        if (!p.part[i].rows) DH_TRY(told_of(no_gradient(&p.part[i]), &p, i));
        p.part[i].at->fresh += p.part[i].rows;
        p.part[i].at->seen += p.part[i].rows;
    }
    model->steps++;
    bool share = p.part[0].stage->key.share;
    if (share) DH_TRY(dh__replicas_mean_states(model)); /* some may have had no rows */
    if (p.count > 1) {
        model->replicas->batches += !share;
        dh__replicas_agree(model);
    }
    if (updates) DH_TRY(update(model, &p, learning_rate));
    if (pass == &model->once) dh__pass_begin(model, pass);
    for (int i = 0; i < p.count; i++)
        if (p.part[i].rows) DH_TRY(dh__pass_add(model, pass, p.part[i].stage));
    return DH_OK;
}
