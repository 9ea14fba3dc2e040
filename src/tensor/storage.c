/* SPDX-License-Identifier: MIT */
#include "tensor_impl.h"

dh_status dh__storage_new(dh__storage **out, dh_device *device, size_t size)
{
    dh__storage *s = dh__calloc(1, sizeof *s);
    if (!s) return DH_ENOMEM;
    dh_status status = device->alloc(device, &s->data, size);
    if (status) {
        dh__free(s);
        return status;
    }
    atomic_init(&s->references, 1);
    s->device = device;
    s->size = size;
    s->owned = true;
    *out = s;
    return DH_OK;
}

void dh__storage_retain(dh__storage *storage)
{
    atomic_fetch_add_explicit(&storage->references, 1, memory_order_relaxed);
}

void dh__storage_release(dh__storage *storage)
{
    if (!storage) return;
    if (atomic_fetch_sub_explicit(&storage->references, 1, memory_order_acq_rel) != 1) return;
    if (storage->owned)
        storage->device->free(storage->device, storage->data);
    else if (storage->release)
        storage->release(storage->data, storage->payload);
    dh__free(storage);
}
