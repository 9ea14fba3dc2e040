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

static dh_status make(dh__derived **out, dh__params *store, const dh_impl *impl,
                      const dh_call *call, const dh__derived_from *from, int count, size_t bytes)
{
    size_t attr_size = call->op->attr_size;
    dh__derived *d = dh__calloc(1, sizeof *d);
    if (!d) return DH_ENOMEM;
    *d = (dh__derived){.impl = impl, .op = call->op, .count = count, .bytes = bytes};
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
        if (!status) {
            d->next = store->derived;
            store->derived = d;
        }
    }
    if (!status) {
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

const void *dh__derived_pin(dh__params *store, dh__derived *derived, const dh_call *call)
{
    pthread_mutex_lock(&store->derived_lock);
    int holders = atomic_load(&store->weights->references) - 1 - atomic_load(&store->readers);
    if (store->states) holders += atomic_load(&store->states->references) - 1;
    bool stale = derived->generation != store->generation, usable = !holders;
    if (stale && derived->pins) usable = false;
    if (usable && stale) {
        derived->impl->pack(call, derived->data);
        derived->generation = store->generation;
    }
    derived->pins += usable;
    pthread_mutex_unlock(&store->derived_lock);
    return usable ? derived->data : NULL;
}

void dh__derived_unpin(dh__params *store, dh__derived *derived)
{
    pthread_mutex_lock(&store->derived_lock);
    derived->pins--;
    pthread_mutex_unlock(&store->derived_lock);
}
