/* SPDX-License-Identifier: MIT */
/* Views, copies, casts of tensors: thin over the shape ops. */
#include <string.h>

#include "tensor_impl.h"

dh_status dh_tensor_view(dh_tensor **out, const dh_tensor *x)
{
    DH_NEED(out, "tensor_view", "out");
    DH_NEED(x, "tensor_view", "x");
    return dh__tensor_on(out, x->storage, &x->view);
}

dh_status dh_tensor_copy(dh_tensor **out, const dh_tensor *x)
{
    DH_NEED(x, "tensor_copy", "x");
    return dh__eager(DH_OP_COPY, NULL, 1, &x, out);
}

dh_status dh_tensor_contiguous(dh_tensor **out, const dh_tensor *x)
{
    DH_NEED(out, "tensor_contiguous", "out");
    DH_NEED(x, "tensor_contiguous", "x");
    return dh__view_contiguous(&x->view) ? dh_tensor_view(out, x) : dh_tensor_copy(out, x);
}

dh_status dh_tensor_cast(dh_tensor **out, const dh_tensor *x, dh_dtype dtype)
{
    DH_NEED(x, "tensor_cast", "x");
    DH_TRY(dh__dtype_check(dtype, "tensor_cast"));
    dh_cast_attr attr = {(int)dtype};
    return dh__eager(DH_OP_CAST, &attr, 1, &x, out);
}

static bool broadcasts(const dh_view *x, int ndim, const int64_t *shape)
{
    bool fits = x->ndim <= ndim;
    for (int i = 1; fits && i <= ndim; i++) {
        int64_t want = shape[ndim - i], have = i <= x->ndim ? x->shape[x->ndim - i] : 1;
        fits = want >= 0 && (have == want || have == 1);
    }
    return fits;
}

/* x, broadcast and cast, into dst on the same device. */
static dh_status assign(dh_tensor *dst, const dh_tensor *x)
{
    const dh_tensor *in[2] = {x, dst};
    dh_tensor *wide = NULL, *cast = NULL;
    DH_TRY(dh__eager(DH_OP_EXPAND_LIKE, &(dh_reduce_attr){.keepdims = true}, 2, in, &wide));
    dh_status status = DH_OK;
    const dh_tensor *from = wide;
    if (x->view.dtype != dst->view.dtype) {
        status = dh_tensor_cast(&cast, wide, dst->view.dtype);
        from = cast;
    }
    if (!status) {
        /* a copy onto overlapping elements goes by way of a new tensor */
        dh_tensor *own = NULL;
        if (from->storage == dst->storage && from->view.data != dst->view.data) {
            status = dh_tensor_copy(&own, from);
            if (!status) from = own;
        }
        if (!status) status = dh__eager_into(DH_OP_COPY, NULL, 1, &from, dst);
        dh_tensor_free(own);
    }
    dh_tensor_free(cast);
    dh_tensor_free(wide);
    return status;
}

dh_status dh_tensor_assign(dh_tensor *dst, const dh_tensor *x)
{
    DH_NEED(dst, "tensor_assign", "dst");
    DH_NEED(x, "tensor_assign", "x");
    char tx[DH_SHAPE_TEXT], td[DH_SHAPE_TEXT];
    DH_REQUIRE(broadcasts(&x->view, dst->view.ndim, dst->view.shape), DH_ESHAPE,
               "tensor_assign: x %s does not broadcast to dst %s",
               dh__shape_text(tx, sizeof tx, x->view.ndim, x->view.shape),
               dh__shape_text(td, sizeof td, dst->view.ndim, dst->view.shape));
    const dh_device *device = dst->storage->device;
    if (x->storage->device == device) return assign(dst, x);
    dh_tensor *there;
    DH_TRY(dh__named(dh_tensor_to_device(&there, x, device->name), "tensor_to_device",
                     "tensor_assign"));
    dh_status status = assign(dst, there);
    dh_tensor_free(there);
    return status;
}

dh_status dh_tensor_to_device(dh_tensor **out, const dh_tensor *x, const char *device)
{
    DH_NEED(out, "tensor_to_device", "out");
    DH_NEED(x, "tensor_to_device", "x");
    dh_device *to, *from = x->storage->device;
    dh_tensor *packed, *t;
    size_t size;
    DH_TRY(dh__named(dh_device_get(&to, device), "device_get", "tensor_to_device"));
    if (to == from) return dh_tensor_copy(out, x);
    if (!from->host && !to->host) { /* by way of the CPU */
        DH_TRY(dh_tensor_to_device(&packed, x, "cpu"));
        dh_status moved = dh_tensor_to_device(out, packed, device);
        dh_tensor_free(packed);
        return moved;
    }
    DH_TRY(dh_tensor_contiguous(&packed, x));
    dh_status status = dh__view_bytes(&size, &packed->view, "tensor_to_device");
    if (!status) status = dh__tensor_new(&t, to, x->view.dtype, x->view.ndim, x->view.shape);
    if (!status) {
        if (from->host)
            status = to->copy_in(to, t->view.data, packed->view.data, size);
        else
            status = from->copy_out(from, t->view.data, packed->view.data, size);
        if (status)
            dh_tensor_free(t);
        else
            *out = t;
    }
    dh_tensor_free(packed);
    return status;
}

dh_status dh_tensor_reshape(dh_tensor **out, const dh_tensor *x, int ndim, const int64_t *shape)
{
    DH_NEED(out, "tensor_reshape", "out");
    DH_NEED(x, "tensor_reshape", "x");
    DH_REQUIRE(ndim >= 0 && ndim <= DH_MAX_NDIM, DH_ESHAPE,
               "tensor_reshape: ndim is %d, must be in [0, %d]", ndim, DH_MAX_NDIM);
    DH_REQUIRE(shape || !ndim, DH_EINVAL, "tensor_reshape: shape is NULL");
    dh_reshape_attr attr = {.shape.count = ndim};
    for (int i = 0; i < ndim; i++) attr.shape.v[i] = shape[i];
    /* in the op 0 keeps an axis, here it is a length */
    dh_tensor *same = NULL;
    for (int i = 0; i < ndim; i++)
        if (shape[i] == 0 && !(i < x->view.ndim && x->view.shape[i] == 0)) {
            DH_REQUIRE(dh__view_count(&x->view) == 0, DH_ESHAPE,
                       "tensor_reshape: shape[%d] is 0, x has %lld elements", i,
                       (long long)dh__view_count(&x->view));
            for (int k = 0; k < ndim; k++)
                DH_REQUIRE(
                    shape[k] >= 0, DH_ESHAPE,
                    "tensor_reshape: shape[%d] is %lld, must be at least 0, as shape[%d] is 0", k,
                    (long long)shape[k], i);
            DH_TRY(dh__named(dh__tensor_new(&same, x->storage->device, x->view.dtype, ndim, shape),
                             "tensor_new", "tensor_reshape"));
            *out = same;
            return DH_OK;
        }
    return dh__eager(DH_OP_RESHAPE, &attr, 1, &x, out);
}

dh_status dh_tensor_permute(dh_tensor **out, const dh_tensor *x, const int *axes)
{
    DH_NEED(out, "tensor_permute", "out");
    DH_NEED(x, "tensor_permute", "x");
    for (int i = 0; axes && i < x->view.ndim; i++) {
        char name[16];
        int unused;
        dh__format(name, sizeof name, "axes[%d]", i);
        DH_TRY(dh__axis_named(&unused, axes[i], x->view.ndim, "tensor_permute", name));
    }
    dh_permute_attr attr = {.axes.count = x->view.ndim};
    for (int i = 0; i < x->view.ndim; i++) attr.axes.v[i] = axes ? axes[i] : x->view.ndim - 1 - i;
    return dh__eager(DH_OP_PERMUTE, &attr, 1, &x, out);
}

dh_status dh_tensor_transpose(dh_tensor **out, const dh_tensor *x, int axis0, int axis1)
{
    DH_NEED(x, "tensor_transpose", "x");
    int axes[DH_MAX_NDIM], a, b;
    DH_NEED(out, "tensor_transpose", "out");
    DH_TRY(dh__axis_named(&a, axis0, x->view.ndim, "tensor_transpose", "axis0"));
    DH_TRY(dh__axis_named(&b, axis1, x->view.ndim, "tensor_transpose", "axis1"));
    for (int i = 0; i < x->view.ndim; i++) axes[i] = i;
    axes[a] = b;
    axes[b] = a;
    return dh_tensor_permute(out, x, axes);
}

dh_status dh_tensor_squeeze(dh_tensor **out, const dh_tensor *x, int axis)
{
    DH_NEED(out, "tensor_squeeze", "out");
    DH_NEED(x, "tensor_squeeze", "x");
    dh_view v = x->view;
    int drop = -1;
    if (axis != DH_ALL_AXES) {
        DH_TRY(dh__axis(&drop, axis, v.ndim, "tensor_squeeze"));
        DH_REQUIRE(v.shape[drop] == 1, DH_ESHAPE,
                   "tensor_squeeze: axis %d has length %lld, must be 1", axis,
                   (long long)v.shape[drop]);
    }
    v.ndim = 0;
    for (int i = 0; i < x->view.ndim; i++) {
        if (drop >= 0 ? i == drop : x->view.shape[i] == 1) continue;
        v.shape[v.ndim] = x->view.shape[i];
        v.stride[v.ndim++] = x->view.stride[i];
    }
    return dh__tensor_on(out, x->storage, &v);
}

dh_status dh_tensor_unsqueeze(dh_tensor **out, const dh_tensor *x, int axis)
{
    DH_NEED(out, "tensor_unsqueeze", "out");
    DH_NEED(x, "tensor_unsqueeze", "x");
    dh_view v = x->view;
    int at;
    DH_REQUIRE(v.ndim < DH_MAX_NDIM, DH_ESHAPE,
               "tensor_unsqueeze: x has %d axes, must have at most %d", v.ndim, DH_MAX_NDIM - 1);
    DH_TRY(dh__axis_new(&at, axis, v.ndim, "tensor_unsqueeze"));
    for (int i = v.ndim; i > at; i--) {
        v.shape[i] = v.shape[i - 1];
        v.stride[i] = v.stride[i - 1];
    }
    v.ndim++;
    v.shape[at] = 1;
    v.stride[at] = at + 1 < v.ndim ? v.stride[at + 1] * v.shape[at + 1] : 1;
    return dh__tensor_on(out, x->storage, &v);
}

dh_status dh_tensor_broadcast(dh_tensor **out, const dh_tensor *x, int ndim, const int64_t *shape)
{
    DH_NEED(out, "tensor_broadcast", "out");
    DH_NEED(x, "tensor_broadcast", "x");
    DH_REQUIRE(ndim >= x->view.ndim && ndim <= DH_MAX_NDIM, DH_ESHAPE,
               "tensor_broadcast: ndim is %d, must be in [%d, %d]: x has %d axes", ndim,
               x->view.ndim, DH_MAX_NDIM, x->view.ndim);
    DH_REQUIRE(shape || !ndim, DH_EINVAL, "tensor_broadcast: shape is NULL");
    dh_view v = x->view;
    char from[DH_SHAPE_TEXT], to[DH_SHAPE_TEXT];
    DH_REQUIRE(broadcasts(&v, ndim, shape), DH_ESHAPE,
               "tensor_broadcast: x %s does not broadcast to shape %s",
               dh__shape_text(from, sizeof from, v.ndim, v.shape),
               dh__shape_text(to, sizeof to, ndim, shape));
    dh__view_broadcast(&v, ndim, shape);
    size_t bytes; /* those of a copy: counts must not overflow */
    DH_TRY(dh__view_bytes(&bytes, &v, "tensor_broadcast"));
    return dh__tensor_on(out, x->storage, &v);
}
