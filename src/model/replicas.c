/* SPDX-License-Identifier: MIT */
/* Places beside a model's own that share each batch with it: on a copy of its parameters each,
 * which follows the first one's wherever that is changed but by steps. */
#include <string.h>

#include "model_impl.h"

dh_status dh__replicas_new(dh__replicas **out, int count, int lsb, int device_count,
                           dh_device *const *devices, bool fallback)
{
    *out = NULL;
    if (count <= 1) return DH_OK;
    dh__replicas *r = dh__calloc(1, sizeof *r);
    if (!r) return DH_ENOMEM;
    r->more = dh__calloc((size_t)count - 1, sizeof *r->more);
    dh_status status = r->more ? DH_OK : DH_ENOMEM;
    r->comm = dh_comm_host();
    r->lsb = lsb > 1 ? lsb : 1;
    for (r->count = 1; r->count < count && !status;) {
        dh__replica *at = &r->more[r->count - 1];
        status = dh__arena_new(&at->arena, devices[r->count % device_count]);
        if (status) break;
        at->arena->fallback = fallback;
        r->count++;
    }
    if (status)
        dh__replicas_free(r);
    else
        *out = r;
    return status;
}

static void clear_parameters(dh__replica *at)
{
    dh__shelf_clear(&at->stages);
    dh__slots_clear(&at->slots);
    dh__params_release(at->store);
    at->store = NULL;
}

void dh__replicas_free(dh__replicas *r)
{
    if (!r) return;
    for (int i = 1; i < r->count; i++) {
        clear_parameters(&r->more[i - 1]);
        dh__arena_free(r->more[i - 1].arena);
    }
    dh__free(r->more);
    dh__free(r);
}

int dh__replica_count(const dh_model *model)
{
    return model->replicas ? model->replicas->count : 1;
}

dh__replica *dh__replica_at(dh_model *model, int i)
{
    return i ? &model->replicas->more[i - 1] : &model->first;
}

/* --- following --- */

/* The slots that the first place has, with what is in them. */
static dh_status follow_slots(dh__replica *at, const dh__replica *first)
{
    const dh__slots *from = &first->slots;
    int slots = 0;
    while (slots < DH_STORE_SLOTS && from->arena[slots]) slots++;
    if (!slots) {
        if (at->slots.count) at->store->layout++;
        dh__slots_clear(&at->slots);
        return DH_OK;
    }
    bool *wanted = dh__calloc((size_t)at->store->count + 1, sizeof *wanted);
    if (!wanted) return DH_ENOMEM;
    for (int i = 0; i < from->count && i < at->store->count; i++) wanted[i] = from->at[i] >= 0;
    if (at->slots.arena[0] && at->slots.arena[0]->size != from->arena[0]->size) {
        dh__slots_clear(&at->slots);
        at->store->layout++;
    }
    dh_status status = dh__slots_reserve(&at->slots, at->store, slots, wanted);
    dh__free(wanted);
    for (int k = 0; k < slots && !status; k++)
        status = dh__storage_copy(at->slots.arena[k], from->arena[k]);
    return status;
}

static dh_status follow(dh__replica *at, const dh__replica *first)
{
    if (at->store && !dh__params_alike(at->store, first->store)) clear_parameters(at);
    if (!at->store) DH_TRY(dh__params_clone(&at->store, first->store, at->arena->device));
    DH_TRY(dh__params_follow(at->store, first->store));
    return follow_slots(at, first);
}

dh_status dh__replicas_follow(dh_model *model)
{
    dh__replicas *r = model->replicas;
    dh__params *store = model->first.store;
    if (!r) return DH_OK;
    bool same = r->alike && r->generation == store->generation;
    for (int i = 1; i < r->count && same; i++) {
        same = dh__params_alike(r->more[i - 1].store, store);
        if (same) dh__params_follow_rates(r->more[i - 1].store, store);
    }
    if (same) return DH_OK;
    r->alike = false;
    for (int i = 1; i < r->count; i++) DH_TRY(follow(&r->more[i - 1], &model->first));
    for (int i = 0; i < r->count; i++) dh__replica_at(model, i)->seen = 0;
    r->batches = 0;
    dh__replicas_agree(model);
    return DH_OK;
}

void dh__replicas_agree(dh_model *model)
{
    model->replicas->generation = model->first.store->generation;
    model->replicas->alike = true;
}

/* --- combining --- */

enum { WEIGHTS, STATES, GRADIENTS, SLOTS };

static dh__storage *arena_of(dh__replica *at, int which)
{
    dh__params *s = at->store;
    if (which >= SLOTS) return at->slots.arena[which - SLOTS];
    return which == WEIGHTS ? s->weights : which == STATES ? s->states : s->grads;
}

typedef dh_status (*combine_fn)(dh_comm *comm, const dh_comm_part *parts, int part_count,
                                int64_t count);

/* One arena of each place; none where the first has none. */
static dh_status combine(dh_model *model, combine_fn fn, int which, const double *weights)
{
    dh__replicas *r = model->replicas;
    dh_comm_part parts[DH_MAX_REPLICAS];
    const dh__storage *first = arena_of(&model->first, which);
    if (!first) return DH_OK;
    for (int i = 0; i < r->count; i++) {
        const dh__storage *s = arena_of(dh__replica_at(model, i), which);
        parts[i] = (dh_comm_part){s->device, s->data, weights[i]};
    }
    return fn(r->comm, parts, r->count, (int64_t)(first->size / sizeof(float)));
}

dh_status dh__replicas_sum_gradients(dh_model *model)
{
    double ones[DH_MAX_REPLICAS];
    for (int i = 0; i < DH_MAX_REPLICAS; i++) ones[i] = 1;
    return combine(model, model->replicas->comm->sum, GRADIENTS, ones);
}

/* Weighted by the rows that each was trained on since the last time. */
static dh_status mean(dh_model *model, const int *which, int count)
{
    dh__replicas *r = model->replicas;
    double weights[DH_MAX_REPLICAS], all = 0;
    for (int i = 0; i < r->count; i++) all += (double)dh__replica_at(model, i)->seen;
    for (int i = 0; i < r->count; i++)
        weights[i] = (double)dh__replica_at(model, i)->seen / (all > 0 ? all : 1);
    r->alike = false; /* until all is done */
    for (int k = 0; k < count && all > 0; k++)
        DH_TRY(combine(model, r->comm->mean, which[k], weights));
    for (int i = 0; i < r->count; i++) dh__replica_at(model, i)->seen = 0;
    r->batches = 0;
    return DH_OK;
}

dh_status dh__replicas_mean_states(dh_model *model)
{
    static const int which[] = {STATES};
    return mean(model, which, 1);
}

/* With the optimiser's moments, so that there is one state to go on from, or to keep. */
dh_status dh__replicas_mean(dh_model *model)
{
    static const int which[] = {WEIGHTS, STATES, SLOTS, SLOTS + 1, SLOTS + 2, SLOTS + 3};
    DH_TRY(mean(model, which, (int)DH_COUNT(which)));
    model->first.store->generation++;
    dh__replicas_agree(model);
    return DH_OK;
}

dh_status dh__settle(const dh_model *model)
{
    dh_model *m = (dh_model *)(uintptr_t)model; /* what it is stays */
    if (!m || !m->replicas || !m->replicas->batches) return DH_OK;
    if (!m->replicas->alike) { /* a step failed midway: the first one has the last good one's */
        m->replicas->batches = 0;
        return DH_OK;
    }
    int before = dh__enter(model);
    dh_status status = dh__replicas_mean(m);
    dh__leave(before);
    return status;
}
