/* SPDX-License-Identifier: MIT */
/* What the host writes into a plan and reads from it: the batch, the figures of a step. */
#include <math.h>

#include "plan.h"

dh_status dh__plan_stage(dh__plan *plan)
{
    const dh__graph *g = plan->graph;
    size_t most = plan->staging_size > 64 ? plan->staging_size : 64;
    if (plan->arena->device->host || plan->staged >= most) return DH_OK;
    for (int v = 0; v < g->value_count; v++) {
        const dh_view *x = &g->values[v].view; /* at the bound */
        size_t size = (size_t)dh__view_count(x) * dh_dtype_size(x->dtype);
        if (g->values[v].home == DH_HOME_INPUT && size > most) most = size;
    }
    void *staging = dh__alloc(most);
    if (!staging) return DH_ENOMEM;
    dh__free(plan->staging);
    plan->staging = staging;
    plan->staged = most;
    for (int i = 0; i < g->node_count; i++) plan->calls[i].call.staging = staging;
    return DH_OK;
}

dh_view dh__plan_feed(const dh__plan *plan, dh_value value)
{
    dh_view v = plan->views[value];
    if (plan->staging) v.data = plan->staging;
    return v;
}

dh_status dh__plan_fed(const dh__plan *plan, dh_value value)
{
    const dh_view *v = &plan->views[value];
    dh_device *device = plan->arena->device;
    if (!plan->staging) return DH_OK;
    return device->copy_in(device, v->data, plan->staging,
                           (size_t)dh__view_count(v) * dh_dtype_size(v->dtype));
}

dh_status dh__plan_numbers(double *out, const dh__plan *plan, dh_value value, int64_t count)
{
    const dh_view *v = &plan->views[value];
    dh_device *device = plan->arena->device;
    int64_t size = (int64_t)dh_dtype_size(v->dtype);
    union {
        double wide;
        char bytes[1024];
    } block;
    const int64_t room = (int64_t)sizeof block / size;
    for (int64_t begin = 0; begin < count; begin += room) {
        int64_t n = count - begin < room ? count - begin : room;
        const char *from = (const char *)v->data + begin * size;
        if (!device->host) DH_TRY(device->copy_out(device, &block, from, (size_t)(n * size)));
        if (!device->host) from = block.bytes;
        for (int64_t k = 0; k < n; k++) out[begin + k] = dh__load(v->dtype, from + k * size);
    }
    return DH_OK;
}

dh_status dh__plan_tensor(dh_tensor **out, const dh__plan *plan, dh_value value)
{
    const dh_view *v = &plan->views[value];
    dh_device *device = plan->arena->device;
    dh_tensor *t;
    DH_TRY(dh__tensor_new(&t, dh__cpu(), v->dtype, v->ndim, v->shape));
    dh_status status = device->copy_out(device, t->view.data, v->data,
                                        (size_t)dh__view_count(v) * dh_dtype_size(v->dtype));
    if (status)
        dh_tensor_free(t);
    else
        *out = t;
    return status;
}

static bool all_finite(const dh_view *view)
{
    int64_t n = dh__view_count(view), size = (int64_t)dh_dtype_size(view->dtype);
    for (int64_t k = 0; k < n; k++) {
        int64_t rest = k, at = 0;
        for (int i = view->ndim - 1; i >= 0; i--) {
            at += rest % view->shape[i] * view->stride[i];
            rest /= view->shape[i];
        }
        if (!isfinite(dh__load(view->dtype, (const char *)view->data + at * size))) return false;
    }
    return true;
}

dh_status dh__plan_finite(bool *out, const dh__plan *plan, const dh_view *view)
{
    dh_view here;
    void *block;
    *out = true;
    if (!dh_dtype_is_float(view->dtype)) return DH_OK;
    DH_TRY(dh__host_view(&here, &block, plan->arena->device, view));
    *out = all_finite(&here);
    dh__free(block);
    return DH_OK;
}
