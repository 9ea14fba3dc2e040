/* SPDX-License-Identifier: MIT */
/* One element of a view by its row-major number, whatever the dtype and strides: for
 * implementations that must take everything. */
#ifndef DH_ELEMENT_H
#define DH_ELEMENT_H

#include "tensor_impl.h"

static inline char *dh__element(const dh_view *view, int64_t index)
{
    int64_t offset = 0;
    for (int a = view->ndim - 1; a >= 0; a--) {
        offset += index % view->shape[a] * view->stride[a];
        index /= view->shape[a];
    }
    return (char *)view->data + offset * (int64_t)dh_dtype_size(view->dtype);
}

static inline double dh__get(const dh_view *view, int64_t index)
{
    return dh__load(view->dtype, dh__element(view, index));
}

static inline void dh__put(const dh_view *view, int64_t index, double value)
{
    dh__store(view->dtype, dh__element(view, index), value);
}

/* Contiguous f32: what the fast kernels take. */
static inline bool dh__packed_f32(const dh_view *view)
{
    return view->dtype == DH_F32 && dh__view_contiguous(view);
}

static inline bool dh__all_packed_f32(const dh_call *call)
{
    bool all = true;
    for (int i = 0; i < call->in_count; i++) all = all && dh__packed_f32(&call->in[i]);
    for (int i = 0; i < call->out_count; i++) all = all && dh__packed_f32(&call->out[i]);
    return all;
}

#endif
