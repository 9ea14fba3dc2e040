/* SPDX-License-Identifier: MIT */
#include "derived.h"

#include <string.h>

static bool same(const dh__derived *d, const dh_impl *impl, const dh_call *call,
                 const dh__derived_from *from, int count, size_t bytes)
{
    const dh_view *w = &call->in[1];
    bool places = d->count == count;
    for (int i = 0; i < count && places; i++)
        places = d->from[i].home == from[i].home && d->from[i].offset == from[i].offset;
    return places && d->impl == impl && d->op == call->op && d->bytes == bytes &&
           d->ndim == w->ndim &&
           !memcmp(d->shape, w->shape, sizeof w->shape[0] * (size_t)w->ndim) &&
           dh__fields_same(call->op->fields, d->attr, call->attr);
}

static void free_one(dh__params *store, dh__derived *d)
{
    if (d->data) store->device->free(store->device, d->data);
    dh__free(d->attr);
    dh__free(d);
}

static dh__segment *segment_at(const dh__params *store, const dh__derived_from *from, int64_t count)
{
    for (int i = 0; i < store->count && from->home == DH_HOME_WEIGHT; i++) {
        dh__segment *s = store->segments[i];
        if (!s->state && s->offset == from->offset && s->count == count) return s;
    }
    return NULL;
}

static dh_status make(dh__derived **out, dh__params *store, const dh_impl *impl,
                      const dh_call *call, const dh__derived_from *from, int count, size_t bytes)
{
    size_t attr_size = call->op->attr_size;
    dh__segment *weight = segment_at(store, &from[0], dh__view_count(&call->in[1]));
    *out = NULL;
    if (weight && weight->given_up) return DH_OK;
    dh__derived *d = dh__calloc(1, sizeof *d);
    if (!d) return DH_ENOMEM;
    *d = (dh__derived){
        .impl = impl, .op = call->op, .weight = weight, .count = count, .bytes = bytes};
    memcpy(d->from, from, (size_t)count * sizeof *from);
    d->ndim = call->in[1].ndim;
    memcpy(d->shape, call->in[1].shape, sizeof d->shape);
    d->attr = dh__alloc(attr_size ? attr_size : 1);
    dh_status status = d->attr ? store->device->alloc(store->device, &d->data, bytes) : DH_ENOMEM;
    if (status) {
        free_one(store, d);
        return status;
    }
    if (attr_size) memcpy(d->attr, call->attr, attr_size);
    *out = d;
    return DH_OK;
}

dh_status dh__derived_get(dh__derived **out, dh__params *store, const dh_impl *impl,
                          const dh_call *call, const dh__derived_from *from, int count)
{
    *out = NULL;
    size_t bytes = impl->packed ? impl->packed(call) : 0;
    if (!bytes) return DH_OK;
    dh_status status = DH_OK;
    pthread_mutex_lock(&store->derived_lock);
    dh__derived *d = store->derived;
    while (d && !same(d, impl, call, from, count, bytes)) d = d->next;
    if (!d) {
        status = make(&d, store, impl, call, from, count, bytes);
        if (d) {
            d->next = store->derived;
            store->derived = d;
        }
    }
    if (d) {
        d->users++;
        *out = d;
    }
    pthread_mutex_unlock(&store->derived_lock);
    return status;
}

void dh__derived_drop(dh__params *store, dh__derived *derived)
{
    if (!derived) return;
    pthread_mutex_lock(&store->derived_lock);
    if (--derived->users == 0) {
        dh__derived **at = &store->derived;
        while (*at != derived) at = &(*at)->next;
        *at = derived->next;
        free_one(store, derived);
    }
    pthread_mutex_unlock(&store->derived_lock);
}

/* Tensors on the store's memory that users have. */
static int holders(const dh__params *store)
{
    int count = atomic_load(&store->weights->references) - 1 - atomic_load(&store->readers);
    if (store->states) count += atomic_load(&store->states->references) - 1;
    return count;
}

/* The weight's own numbers, where nobody will read them again. Without owners nobody can get a
 * tensor any more, so holders are counted behind them. */
static void give_up(dh__params *store, const dh__derived *derived)
{
    dh__segment *weight = derived->weight;
    dh_device *device = store->device;
    if (!weight || weight->given_up || store->plain) return;
    if (atomic_load(&store->owners) || holders(store)) return;
    int users = 0;
    for (const dh__derived *d = store->derived; d; d = d->next) {
        if (d->weight != weight) continue;
        if (d->generation != store->generation) return;
        users += d->users;
    }
    if (users != weight->reads) return;
    weight->given_up = true;
    if (device->discard)
        device->discard(device, (float *)store->weights->data + weight->offset,
                        (size_t)weight->count * sizeof(float));
}

const void *dh__derived_pin(dh__params *store, dh__derived *derived, const dh_call *call)
{
    pthread_mutex_lock(&store->derived_lock);
    uint64_t generation = store->generation;
    bool stale = derived->generation != generation, usable = !holders(store);
    if (stale && derived->pins) usable = false;
    if (usable && stale) {
        derived->impl->pack(call, derived->data);
        derived->generation = generation;
    }
    if (usable) give_up(store, derived);
    derived->pins += usable;
    store->plain += !usable;
    pthread_mutex_unlock(&store->derived_lock);
    return usable ? derived->data : NULL;
}

void dh__derived_unpin(dh__params *store, dh__derived *derived, const void *data)
{
    pthread_mutex_lock(&store->derived_lock);
    if (data)
        derived->pins--;
    else
        store->plain--;
    pthread_mutex_unlock(&store->derived_lock);
}

static bool meets(const dh__segment *s, int64_t offset, int64_t count)
{
    return !s->state && s->offset < offset + count && offset < s->offset + s->count;
}

void dh__weights_read(dh__params *store, int64_t offset, int64_t count, int change)
{
    pthread_mutex_lock(&store->derived_lock);
    for (int i = 0; i < store->count; i++)
        if (meets(store->segments[i], offset, count)) store->segments[i]->reads += change;
    pthread_mutex_unlock(&store->derived_lock);
}

bool dh__weights_given_up(dh__params *store, int64_t offset, int64_t count)
{
    bool any = false;
    pthread_mutex_lock(&store->derived_lock);
    for (int i = 0; i < store->count; i++)
        any |= meets(store->segments[i], offset, count) && store->segments[i]->given_up;
    pthread_mutex_unlock(&store->derived_lock);
    return any;
}
