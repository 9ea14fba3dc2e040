/* SPDX-License-Identifier: MIT */
/* An op of another device run by the CPU, where its user asked for that: inputs are brought to the
 * host, results taken back. */
#include <string.h>

#include "tensor_impl.h"

#define PIECE 64

static size_t aligned(size_t size)
{
    return (size + PIECE - 1) / PIECE * PIECE;
}

static bool is_read(const dh_call *call, int i)
{
    return i >= 32 || !(call->op->like >> i & 1u);
}

static size_t bytes_of(const dh_view *view)
{
    size_t before, size;
    dh__view_extent(view, &before, &size);
    return aligned(size);
}

/* The CPU's implementation, and how many bytes of scratch it takes. */
static dh_status choose(const dh_impl **impl, size_t *scratch, const dh_call *call)
{
    DH_TRY(dh__op_choose(impl, dh__cpu(), dh__op_find(call->op->name), call));
    return dh__op_scratch(scratch, *impl, call);
}

size_t dh__host_bytes(const dh_call *call)
{
    const dh_impl *impl;
    size_t scratch = 0;
    size_t size = aligned((size_t)(call->in_count + call->out_count) * sizeof(dh_view));
    if (choose(&impl, &scratch, call)) dh_error_clear();
    for (int i = 0; i < call->in_count; i++)
        if (is_read(call, i)) size += bytes_of(&call->in[i]);
    for (int k = 0; k < call->out_count; k++) size += bytes_of(&call->out[k]);
    return size + aligned(scratch);
}

/* A place for the view's elements at *at, which moves on. */
static void *take(char **at, const dh_view *view)
{
    size_t before, size;
    dh__view_extent(view, &before, &size);
    char *first = *at + before;
    *at += aligned(size);
    return first;
}

typedef dh_status copying(dh_device *device, void *dst, const void *src, size_t size);

/* All bytes from a view's first element in memory to its last one. */
static dh_status copy_extent(copying *copy, dh_device *device, const dh_view *view, void *to,
                             const void *from)
{
    size_t before, size;
    dh__view_extent(view, &before, &size);
    return size ? copy(device, (char *)to - before, (const char *)from - before, size) : DH_OK;
}

static dh_status run_by_host(const dh_call *call)
{
    dh_device *device = call->device;
    dh_call here = *call;
    char *at = call->staging;
    dh_view *in = call->staging, *out = in + call->in_count;
    const dh_impl *impl;
    size_t scratch;
    at += aligned((size_t)(call->in_count + call->out_count) * sizeof(dh_view));
    for (int i = 0; i < call->in_count; i++) {
        in[i] = call->in[i];
        if (!is_read(call, i)) continue;
        in[i].data = take(&at, &in[i]);
        DH_TRY(copy_extent(device->copy_out, device, &in[i], in[i].data, call->in[i].data));
    }
    for (int k = 0; k < call->out_count; k++) {
        int updated = dh__op_updated(call->op, k);
        out[k] = call->out[k];
        out[k].data = updated >= 0 ? in[updated].data : take(&at, &out[k]);
    }
    here.in = in;
    here.out = out;
    here.device = dh__cpu();
    here.scratch = at;
    DH_TRY(choose(&impl, &scratch, &here));
    DH_TRY(impl->run(&here));
    for (int k = 0; k < call->out_count; k++)
        DH_TRY(copy_extent(device->copy_in, device, &out[k], call->out[k].data, out[k].data));
    return DH_OK;
}

const dh_impl dh__host_impl = {.name = "cpu", .run = run_by_host};
