/* SPDX-License-Identifier: MIT */
/* Setting a kernel's arguments and queueing it. */
#include <stdarg.h>
#include <stdio.h>

#include "opencl.h"

#define GROUP 64 /* work items of a group along one axis */

const char *dh__cl_packed(int count, const dh_view *const *views)
{
    for (int i = 0; i < count; i++)
        if (!dh__view_contiguous(views[i])) return "";
    return " -DPACKED";
}

const char *dh__cl_refuse(const dh_call *call)
{
    const dh__cl_device *d = call->device->state;
    bool f64 = false;
    for (int i = 0; i < call->in_count; i++) f64 |= call->in[i].dtype == DH_F64;
    for (int i = 0; i < call->out_count; i++) f64 |= call->out[i].dtype == DH_F64;
    return f64 && !d->f64 ? "the device has no doubles" : NULL;
}

dh__cl_launch dh__cl_begin(const dh_call *call, const char *source, const char *name,
                           const char *options, ...)
{
    char text[256];
    dh__cl_device *d = call->device->state;
    dh__cl_launch l = {.device = d, .name = name};
    va_list list;
    va_start(list, options);
    int n = vsnprintf(text, sizeof text, options, list);
    va_end(list);
    (void)pthread_mutex_lock(&d->lock);
    if (n < 0 || (size_t)n >= sizeof text)
        l.status = dh_fail(DH_EINTERNAL, "%s: options of %s are too long", d->name, source);
    else
        l.status = dh__cl_kernel_get(&l.kernel, d, source, name, text);
    return l;
}

void dh__cl_bytes(dh__cl_launch *launch, const void *value, size_t size)
{
    dh__cl_device *d = launch->device;
    if (launch->status) return;
    cl_int error = d->cl->clSetKernelArg(launch->kernel, launch->argument, size, value);
    if (error != CL_SUCCESS)
        launch->status =
            dh_fail(DH_EDEVICE, "%s: kernel %s: argument %u: %s", d->name, launch->name,
                    (unsigned)launch->argument, dh__cl_error_name(error));
    launch->argument++;
}

void dh__cl_int(dh__cl_launch *launch, int64_t value)
{
    cl_long v = value;
    dh__cl_bytes(launch, &v, sizeof v);
}

void dh__cl_number(dh__cl_launch *launch, dh_dtype dtype, double value)
{
    cl_float v = (cl_float)value;
    if (dtype == DH_F64)
        dh__cl_bytes(launch, &value, sizeof value);
    else
        dh__cl_bytes(launch, &v, sizeof v);
}

void dh__cl_wide(dh__cl_launch *launch, double value)
{
    dh__cl_number(launch, launch->device->f64 ? DH_F64 : DH_F32, value);
}

void dh__cl_data(dh__cl_launch *launch, const void *address, size_t size)
{
    cl_mem memory = NULL;
    size_t offset = 0;
    if (!launch->status && address)
        launch->status = dh__cl_find(&memory, &offset, launch->device, address);
    if (launch->status) return;
    dh__cl_bytes(launch, &memory, sizeof memory);
    dh__cl_int(launch, (int64_t)(offset / size));
}

void dh__cl_sums(dh__cl_launch *launch, const void *address, dh_dtype dtype)
{
    bool narrow = dh_dtype_is_float(dtype) && !launch->device->f64;
    dh__cl_data(launch, address, narrow ? sizeof(float) : sizeof(double));
}

typedef struct view { /* as in prelude.cl */
    cl_long ndim, shape[DH_MAX_NDIM], stride[DH_MAX_NDIM];
} view;

static void merge(view *out, const dh_view *v)
{
    *out = (view){0};
    for (int a = 0; a < v->ndim; a++) {
        int64_t last = out->ndim - 1;
        if (v->shape[a] == 1) continue;
        if (out->ndim && out->stride[last] == v->shape[a] * v->stride[a]) {
            out->shape[last] *= v->shape[a];
            out->stride[last] = v->stride[a];
        } else {
            out->shape[out->ndim] = v->shape[a];
            out->stride[out->ndim++] = v->stride[a];
        }
    }
}

void dh__cl_line(dh__cl_launch *launch, const dh_view *v)
{
    view merged;
    merge(&merged, v);
    dh__cl_bytes(launch, &merged, sizeof merged);
}

void dh__cl_view(dh__cl_launch *launch, const dh_view *v)
{
    dh__cl_data(launch, v->data, dh_dtype_size(v->dtype));
    dh__cl_line(launch, v);
}

void dh__cl_shape(dh__cl_launch *launch, const dh_view *v)
{
    view plain = {.ndim = v->ndim};
    for (int a = 0; a < v->ndim; a++) {
        plain.shape[a] = v->shape[a];
        plain.stride[a] = v->stride[a];
    }
    dh__cl_bytes(launch, &plain, sizeof plain);
}

void dh__cl_complaints(dh__cl_launch *launch, const dh_call *call)
{
    cl_int code = 1 + dh__op_find(call->op->name);
    dh__cl_bytes(launch, &launch->device->trouble, sizeof launch->device->trouble);
    dh__cl_bytes(launch, &code, sizeof code);
    launch->device->doubtful = true;
}

void dh__cl_windows(dh__cl_launch *launch, const dh__windows *w)
{
    struct {
        cl_long in[3], out[3], size[3], stride[3], dilation[3], begin[3], end[3];
    } k;
    for (int i = 0; i < 3; i++) {
        k.in[i] = w->in[i];
        k.out[i] = w->out[i];
        k.size[i] = w->size[i];
        k.stride[i] = w->stride[i];
        k.dilation[i] = w->dilation[i];
        k.begin[i] = w->begin[i];
        k.end[i] = w->end[i];
    }
    dh__cl_bytes(launch, &k, sizeof k);
}

dh_status dh__cl_run(dh__cl_launch *launch, const size_t global[3], const size_t local[3])
{
    dh__cl_device *d = launch->device;
    bool work = global[0] && global[1] && global[2];
    if (!launch->status && work) {
        cl_int error = d->cl->clEnqueueNDRangeKernel(d->queue, launch->kernel, 3, NULL, global,
                                                     local, 0, NULL, NULL);
        if (error != CL_SUCCESS)
            launch->status = dh_fail(DH_EDEVICE, "%s: kernel %s: %s", d->name, launch->name,
                                     dh__cl_error_name(error));
    }
    (void)pthread_mutex_unlock(&d->lock);
    return launch->status;
}

dh_status dh__cl_each(dh__cl_launch *launch, int64_t count)
{
    size_t groups = ((size_t)count + GROUP - 1) / GROUP;
    dh__cl_int(launch, count);
    return dh__cl_run(launch, (const size_t[3]){groups * GROUP, 1, 1},
                      (const size_t[3]){GROUP, 1, 1});
}
