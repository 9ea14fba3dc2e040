/* SPDX-License-Identifier: MIT */
/* Windows that slide over the spatial axes of [N, C, ...]. One to three axes are seen as three, the
 * first of them of length 1, so that each kernel is written once. */
#ifndef DH_WINDOWS_H
#define DH_WINDOWS_H

#include "tensor_impl.h"

#define DH_SPATIAL_MAX 3

typedef struct dh__windows {
    int ndim;                       /* spatial axes there really are */
    int64_t in[3], out[3];          /* lengths of the side the windows slide over, and positions */
    int64_t size[3];                /* elements of a window */
    int64_t stride[3], dilation[3]; /* from position to position, from element to element */
    int64_t begin[3], end[3];       /* padding */
} dh__windows;

/* Strides, dilations and pads (all begins, then all ends) of ndim axes; an empty list is all 1, 1
 * and 0. Lists of another length, strides and dilations below 1 and pads below 0 are errors. */
dh_status dh__windows_set(dh__windows *w, int ndim, const dh_ints *strides,
                          const dh_ints *dilations, const dh_ints *pads, const char *who);

/* Spatial lengths of a view [N, C, ...] or [O, C, ...] into three. */
void dh__spatial(int64_t out[3], const dh_view *view);
/* 1 <= spatial axes <= 3 of [N, C, ...]. */
dh_status dh__spatial_check(const dh_view *x, const char *who, const char *name);

/* out from in and size: floor((in + begin + end - extent) / stride) + 1, extent being dilation *
 * (size - 1) + 1. A window that does not fit is DH_ESHAPE. */
dh_status dh__windows_slide(dh__windows *w, const char *who);

/* Elements [*first, *last) of the window at a position that lie inside along an axis. */
void dh__windows_inside(const dh__windows *w, int axis, int64_t position, int64_t *first,
                        int64_t *last);

/* Of an op (dy, x) -> dx: dy must have the shape of want, dx takes x's. */
dh_status dh__windows_dx(dh_call *call, const dh_view *want);

/* Elements of all positions and of one window. */
static inline int64_t dh__windows_positions(const dh__windows *w)
{
    return w->out[0] * w->out[1] * w->out[2];
}
static inline int64_t dh__windows_elements(const dh__windows *w)
{
    return w->size[0] * w->size[1] * w->size[2];
}

/* Strides of the spatial axes as three, 0 for those there are not. */
void dh__spatial_strides(int64_t out[3], const dh_view *view);

#endif
