/* SPDX-License-Identifier: MIT */
#include "windows.h"

#include <string.h>

static dh_status fill(int64_t *to, int ndim, const dh_ints *list, int from, int count,
                      int64_t least, int64_t dflt, const char *who, const char *name)
{
    DH_REQUIRE(!list->count || list->count == count, DH_ESHAPE,
               "%s: %s has %d numbers, %d spatial axes need %d", who, name, list->count, ndim,
               count);
    for (int i = 0; i < 3; i++) to[i] = dflt;
    for (int i = 0; i < ndim && list->count; i++) {
        int64_t v = list->v[from + i];
        DH_REQUIRE(v >= least && v <= INT32_MAX, DH_EINVAL,
                   "%s: %s[%d] is %lld, must be in [%lld, %d]", who, name, from + i, (long long)v,
                   (long long)least, INT32_MAX);
        to[3 - ndim + i] = v;
    }
    return DH_OK;
}

dh_status dh__windows_set(dh__windows *w, int ndim, const dh_ints *strides,
                          const dh_ints *dilations, const dh_ints *pads, const char *who)
{
    w->ndim = ndim;
    DH_TRY(fill(w->stride, ndim, strides, 0, ndim, 1, 1, who, "strides"));
    DH_TRY(fill(w->dilation, ndim, dilations, 0, ndim, 1, 1, who, "dilations"));
    DH_TRY(fill(w->begin, ndim, pads, 0, 2 * ndim, 0, 0, who, "pads"));
    return fill(w->end, ndim, pads, ndim, 2 * ndim, 0, 0, who, "pads");
}

void dh__spatial(int64_t out[3], const dh_view *view)
{
    int ndim = view->ndim - 2;
    for (int i = 0; i < 3; i++) out[i] = i < 3 - ndim ? 1 : view->shape[2 + i - (3 - ndim)];
}

void dh__spatial_strides(int64_t out[3], const dh_view *view)
{
    int ndim = view->ndim - 2;
    for (int i = 0; i < 3; i++) out[i] = i < 3 - ndim ? 0 : view->stride[2 + i - (3 - ndim)];
}

dh_status dh__spatial_check(const dh_view *x, const char *who, const char *name)
{
    char text[DH_SHAPE_TEXT];
    DH_REQUIRE(x->ndim >= 3 && x->ndim <= 2 + DH_SPATIAL_MAX, DH_ESHAPE,
               "%s: %s is %s, needs [N, C, ...] with 1 to 3 spatial axes", who, name,
               dh__shape_text(text, sizeof text, x->ndim, x->shape));
    return DH_OK;
}

dh_status dh__windows_slide(dh__windows *w, const char *who)
{
    for (int i = 3 - w->ndim; i < 3; i++) {
        int64_t extent, padded;
        bool fits = !__builtin_mul_overflow(w->size[i] - 1, w->dilation[i], &extent) &&
                    !__builtin_add_overflow(extent, 1, &extent) &&
                    !__builtin_add_overflow(w->in[i], w->begin[i] + w->end[i], &padded);
        DH_REQUIRE(fits && extent <= padded && w->size[i] > 0, DH_ESHAPE,
                   "%s: a window of %lld (dilation %lld) does not fit into spatial axis %d of "
                   "length %lld with pads %lld and %lld",
                   who, (long long)w->size[i], (long long)w->dilation[i], i - 3 + w->ndim,
                   (long long)w->in[i], (long long)w->begin[i], (long long)w->end[i]);
        w->out[i] = (padded - extent) / w->stride[i] + 1;
    }
    for (int i = 0; i < 3 - w->ndim; i++) w->out[i] = 1;
    return DH_OK;
}

void dh__windows_inside(const dh__windows *w, int axis, int64_t position, int64_t *first,
                        int64_t *last)
{
    int64_t at = position * w->stride[axis] - w->begin[axis], step = w->dilation[axis];
    *first = at < 0 ? (-at + step - 1) / step : 0;
    *last = at < w->in[axis] ? (w->in[axis] - 1 - at) / step + 1 : 0;
    if (*last > w->size[axis]) *last = w->size[axis];
    if (*first > *last) *first = *last;
}

dh_status dh__windows_dx(dh_call *call, const dh_view *want)
{
    const dh_view *dy = &call->in[0], *x = &call->in[1];
    char a[DH_SHAPE_TEXT], b[DH_SHAPE_TEXT];
    DH_REQUIRE(dh__same_shape(dy, want), DH_ESHAPE, "%s: dy is %s, must be %s", call->op->name,
               dh__shape_text(a, sizeof a, dy->ndim, dy->shape),
               dh__shape_text(b, sizeof b, want->ndim, want->shape));
    call->out[0].dtype = x->dtype;
    call->out[0].ndim = x->ndim;
    memcpy(call->out[0].shape, x->shape, sizeof x->shape);
    return DH_OK;
}
