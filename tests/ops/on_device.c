/* SPDX-License-Identifier: MIT */
#include "on_device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 64 /* operands of a call */

dh_device *test_device(void)
{
    static dh_device *device;
    if (device) return device;
    if (!dh_device_get(&device, getenv("DH_TEST_DEVICE"))) return device;
    fprintf(stderr, "DH_TEST_DEVICE: %s\n", dh_error_text());
    exit(2);
}

/* Bytes of the host that operands lie in, and their copy. */
typedef struct region {
    char *begin, *end, *copy;
} region;

typedef struct regions {
    region list[MOST];
    int count;
} regions;

/* The bytes join regions that they meet. */
static void add_region(regions *r, const dh_view *view, size_t margin)
{
    size_t before, size;
    dh__view_extent(view, &before, &size);
    if (!view->data || !size) return;
    region new = {.begin = (char *)view->data - before - margin};
    new.end = new.begin + size + 2 * margin;
    for (int i = 0; i < r->count; i++) {
        region *old = &r->list[i];
        if (old->begin >= new.end || new.begin >= old->end) continue;
        if (old->begin < new.begin) new.begin = old->begin;
        if (old->end > new.end) new.end = old->end;
        *old = r->list[--r->count];
        i = -1;
    }
    r->list[r->count++] = new;
}

static void *translated(const regions *r, void *data)
{
    for (int i = 0; i < r->count; i++) {
        const region *k = &r->list[i];
        if ((char *)data >= k->begin && (char *)data < k->end)
            return k->copy + ((char *)data - k->begin);
    }
    return NULL;
}

/* All regions there, or back. */
static dh_status copy_all(const regions *r, dh_device *device, bool there)
{
    for (int i = 0; i < r->count; i++) {
        const region *k = &r->list[i];
        size_t size = (size_t)(k->end - k->begin);
        if (there)
            DH_TRY(device->copy_in(device, k->copy, k->begin, size));
        else
            DH_TRY(device->copy_out(device, k->begin, k->copy, size));
    }
    return DH_OK;
}

static dh_status run_there(const dh_impl *impl, dh_call *call, const regions *r)
{
    dh_device *device = call->device;
    size_t scratch = impl->scratch ? impl->scratch(call) : 0;
    call->scratch = NULL;
    if (scratch) DH_TRY(device->alloc(device, &call->scratch, scratch));
    dh_status status = copy_all(r, device, true);
    if (!status) status = impl->run(call);
    if (!status) status = device->wait(device);
    if (!status) status = copy_all(r, device, false);
    if (scratch) device->free(device, call->scratch);
    return status;
}

dh_status test_run(const dh_impl *impl, const dh_call *call, size_t margin)
{
    dh_device *device = test_device();
    dh_view in[MOST], out[MOST];
    dh_call there = *call;
    regions r = {.count = 0};
    if (device->host) return impl->run(call);
    for (int i = 0; i < call->in_count; i++) add_region(&r, &call->in[i], margin);
    for (int j = 0; j < call->out_count; j++) add_region(&r, &call->out[j], margin);
    dh_status status = DH_OK;
    for (int i = 0; i < r.count && !status; i++) {
        region *k = &r.list[i];
        status = device->alloc(device, (void **)(void *)&k->copy, (size_t)(k->end - k->begin));
    }
    for (int i = 0; i < call->in_count; i++) {
        in[i] = call->in[i];
        in[i].data = translated(&r, in[i].data);
    }
    for (int j = 0; j < call->out_count; j++) {
        out[j] = call->out[j];
        out[j].data = translated(&r, out[j].data);
    }
    there.in = in;
    there.out = out;
    there.device = device;
    if (!status) status = run_there(impl, &there, &r);
    for (int i = 0; i < r.count; i++)
        if (r.list[i].copy) device->free(device, r.list[i].copy);
    return status;
}
