/* SPDX-License-Identifier: MIT */
/* Shapes and strides: what can be said about a view without touching elements. */
#include <string.h>

#include "base.h"
#include "ops.h"

int64_t dh__view_count(const dh_view *view)
{
    int64_t n = 1;
    for (int i = 0; i < view->ndim; i++) n *= view->shape[i];
    return n;
}

bool dh__view_contiguous(const dh_view *view)
{
    int64_t expected = 1;
    for (int i = view->ndim - 1; i >= 0; i--) {
        if (view->shape[i] == 0) return true;
        if (view->shape[i] != 1 && view->stride[i] != expected) return false;
        expected *= view->shape[i];
    }
    return true;
}

void dh__view_pack(dh_view *view)
{
    int64_t stride = 1;
    for (int i = view->ndim - 1; i >= 0; i--) {
        view->stride[i] = stride;
        if (view->shape[i] > 1 && dh__mul_int64(stride, view->shape[i], &stride) == false)
            stride = 0;
    }
}

void dh__view_pack_last(dh_view *view)
{
    dh_view turned = *view; /* axis 1 behind the others */
    for (int i = 1; i < view->ndim - 1; i++) turned.shape[i] = view->shape[i + 1];
    turned.shape[view->ndim - 1] = view->shape[1];
    dh__view_pack(&turned);
    view->stride[0] = turned.stride[0];
    view->stride[1] = turned.stride[view->ndim - 1];
    for (int i = 2; i < view->ndim; i++) view->stride[i] = turned.stride[i - 1];
}

static bool packed_by(const dh_view *v, int from, int64_t want)
{
    for (int i = v->ndim - 1; i >= from; i--) {
        if (v->shape[i] != 1 && v->stride[i] != want) return false;
        want *= v->shape[i];
    }
    return true;
}

bool dh__packed_from(const dh_view *v, int from)
{
    return packed_by(v, from, 1);
}

bool dh__channels_last(const dh_view *v)
{
    return (v->shape[1] == 1 || v->stride[1] == 1) && packed_by(v, 2, v->shape[1]);
}

int64_t dh__pixel_step(const dh_view *v)
{
    if (packed_by(v, 2, 1)) return 1;
    return dh__channels_last(v) ? v->shape[1] : 0;
}

bool dh__same_shape(const dh_view *a, const dh_view *b)
{
    return a->ndim == b->ndim && !memcmp(a->shape, b->shape, sizeof a->shape[0] * (size_t)a->ndim);
}

const char *dh__shape_text(char *buffer, size_t size, int ndim, const int64_t *shape)
{
    size_t at = (size_t)dh__format(buffer, size, "[");
    for (int i = 0; i < ndim && at < size; i++)
        at += (size_t)dh__format(buffer + at, size - at, "%s%lld", i ? ", " : "",
                                 (long long)shape[i]);
    if (at < size) dh__format(buffer + at, size - at, "]");
    return buffer;
}

dh_status dh__broadcast_shape(dh_view *out, const dh_view *a, const dh_view *b, const char *who)
{
    int ndim = a->ndim > b->ndim ? a->ndim : b->ndim;
    for (int i = 1; i <= ndim; i++) {
        int64_t m = i <= a->ndim ? a->shape[a->ndim - i] : 1;
        int64_t n = i <= b->ndim ? b->shape[b->ndim - i] : 1;
        if (m != n && m != 1 && n != 1) {
            char ta[DH_SHAPE_TEXT], tb[DH_SHAPE_TEXT];
            return dh_fail(DH_ESHAPE, "%s: shapes %s and %s do not broadcast", who,
                           dh__shape_text(ta, sizeof ta, a->ndim, a->shape),
                           dh__shape_text(tb, sizeof tb, b->ndim, b->shape));
        }
        out->shape[ndim - i] = m == 1 ? n : m;
    }
    out->ndim = ndim;
    return DH_OK;
}

void dh__view_broadcast(dh_view *view, int ndim, const int64_t *shape)
{
    dh_view from = *view;
    view->ndim = ndim;
    for (int i = 1; i <= ndim; i++) {
        bool real = i <= from.ndim && from.shape[from.ndim - i] == shape[ndim - i];
        view->shape[ndim - i] = shape[ndim - i];
        view->stride[ndim - i] = real ? from.stride[from.ndim - i] : 0;
    }
}

dh_status dh__axis_named(int *out, int64_t axis, int ndim, const char *who, const char *name)
{
    int64_t k = axis < 0 ? axis + ndim : axis;
    DH_REQUIRE(k >= 0 && k < ndim, DH_EINVAL, "%s: %s is %lld, the tensor has %d axes", who, name,
               (long long)axis, ndim);
    *out = (int)k;
    return DH_OK;
}

dh_status dh__axis(int *out, int64_t axis, int ndim, const char *who)
{
    return dh__axis_named(out, axis, ndim, who, "axis");
}

dh_status dh__axis_new(int *out, int64_t axis, int ndim, const char *who)
{
    int64_t k = axis < 0 ? axis + ndim + 1 : axis;
    DH_REQUIRE(k >= 0 && k <= ndim, DH_EINVAL,
               "%s: axis is %lld, must be in [%d, %d]: the tensor has %d axes", who,
               (long long)axis, -ndim - 1, ndim, ndim);
    *out = (int)k;
    return DH_OK;
}
