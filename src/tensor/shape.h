/* SPDX-License-Identifier: MIT */
/* Parts of a tensor that shape ops speak of, as views: shape and strides, and the offset in
 * elements from the first element of x. Kernels read and write through them. data and dtype follow
 * x. */
#ifndef DH_SHAPE_H
#define DH_SHAPE_H

#include "tensor_impl.h"

/* Strides of x under out's shape, which has as many elements; false, out as it was, where a copy is
 * needed. */
bool dh__reshape_view(dh_view *out, const dh_view *x);

/* Python's slice of x. */
dh_status dh__slice_view(dh_view *out, int64_t *offset, const dh_view *x, const dh_slice_attr *attr,
                         const char *who);

/* x without `pads` elements at the ends of its axes: begins first, then ends; at least 0 remain. */
void dh__crop_view(dh_view *out, int64_t *offset, const dh_view *x, const dh_ints *pads);

/* length elements of axis, from start on. */
void dh__part_view(dh_view *out, int64_t *offset, const dh_view *x, int axis, int64_t start,
                   int64_t length);

/* Diagonal k of the last two axes: one axis in their place. */
void dh__diag_view(dh_view *out, int64_t *offset, const dh_view *x, int64_t k);

/* view moved on by offset elements. */
static inline void dh__view_shift(dh_view *view, int64_t offset)
{
    if (view->data) view->data = (char *)view->data + offset * (int64_t)dh_dtype_size(view->dtype);
}

/* flops of ops that only move elements. */
double dh__no_flops(const dh_call *call);

#endif
