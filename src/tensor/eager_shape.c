/* SPDX-License-Identifier: MIT */
/* Joining, repeating and reordering tensors. */
#include <deephealth/tensor_shape.h>

#include "tensor_impl.h"

static dh_status check_parts(const dh_tensor *const *x, int count, const char *who)
{
    DH_REQUIRE(count > 0, DH_EINVAL, "%s: count is %d, must be at least 1", who, count);
    DH_NEED(x, who, "x");
    for (int i = 0; i < count; i++)
        DH_REQUIRE(x[i], DH_EINVAL, "%s: x[%d] of %d is NULL", who, i, count);
    return DH_OK;
}

dh_status dh_tensor_concat(dh_tensor **out, int count, const dh_tensor *const *x, int axis)
{
    DH_NEED(out, "tensor_concat", "out");
    int unused;
    DH_TRY(check_parts(x, count, "tensor_concat"));
    DH_TRY(dh__axis(&unused, axis, x[0]->view.ndim, "tensor_concat"));
    return dh__eager(DH_OP_CONCAT, &(dh_axis_attr){axis}, count, x, out);
}

dh_status dh_tensor_stack(dh_tensor **out, int count, const dh_tensor *const *x, int axis)
{
    DH_NEED(out, "tensor_stack", "out");
    int at, ndim;
    DH_TRY(check_parts(x, count, "tensor_stack"));
    ndim = x[0]->view.ndim;
    DH_TRY(dh__axis_new(&at, axis, ndim, "tensor_stack"));
    DH_REQUIRE(ndim < DH_MAX_NDIM, DH_ESHAPE,
               "tensor_stack: x[0] has %d axes, must have at most %d", ndim, DH_MAX_NDIM - 1);
    for (int i = 1; i < count; i++) {
        char other[DH_SHAPE_TEXT], first[DH_SHAPE_TEXT];
        const dh_view *v = &x[i]->view, *w = &x[0]->view;
        DH_REQUIRE(dh__same_shape(v, w), DH_ESHAPE,
                   "tensor_stack: x[%d] is %s, x[0] is %s: shapes must be equal", i,
                   dh__shape_text(other, sizeof other, v->ndim, v->shape),
                   dh__shape_text(first, sizeof first, w->ndim, w->shape));
    }
    dh_tensor **wide = dh__calloc((size_t)count, sizeof *wide);
    if (!wide) return DH_ENOMEM;
    dh_status status = DH_OK;
    for (int i = 0; i < count && !status; i++) status = dh_tensor_unsqueeze(&wide[i], x[i], at);
    if (!status) status = dh_tensor_concat(out, count, (const dh_tensor *const *)wide, at);
    for (int i = 0; i < count; i++) dh_tensor_free(wide[i]);
    dh__free(wide);
    return dh__named(status, "tensor_concat", "tensor_stack");
}

dh_status dh_tensor_pad(dh_tensor **out, const dh_tensor *x, const int64_t *begin,
                        const int64_t *end, double value)
{
    DH_NEED(out, "tensor_pad", "out");
    DH_NEED(x, "tensor_pad", "x");
    int n = x->view.ndim;
    DH_REQUIRE(n == 0 || begin, DH_EINVAL, "tensor_pad: begin is NULL");
    DH_REQUIRE(n == 0 || end, DH_EINVAL, "tensor_pad: end is NULL");
    dh_pad_attr attr = {.pads.count = 2 * n, .value = value};
    for (int i = 0; i < n; i++) {
        DH_REQUIRE(begin[i] >= 0 && end[i] >= 0, DH_EINVAL,
                   "tensor_pad: %s[%d] is %lld, must be at least 0", begin[i] < 0 ? "begin" : "end",
                   i, (long long)(begin[i] < 0 ? begin[i] : end[i]));
        attr.pads.v[i] = begin[i];
        attr.pads.v[n + i] = end[i];
    }
    return dh__eager(DH_OP_PAD, &attr, 1, &x, out);
}

/* A view of x with axes of length 1 in front, ndim in all. */
static dh_status with_leading_axes(dh_tensor **out, const dh_tensor *x, int ndim)
{
    dh_view v = x->view;
    int extra = ndim - v.ndim;
    for (int i = ndim - 1; i >= 0; i--) {
        v.shape[i] = i < extra ? 1 : x->view.shape[i - extra];
        v.stride[i] = i < extra ? 0 : x->view.stride[i - extra];
    }
    v.ndim = ndim;
    return dh__tensor_on(out, x->storage, &v);
}

dh_status dh_tensor_tile(dh_tensor **out, const dh_tensor *x, int count, const int64_t *repeats)
{
    DH_NEED(out, "tensor_tile", "out");
    DH_NEED(x, "tensor_tile", "x");
    DH_REQUIRE(count >= 0 && count <= DH_MAX_NDIM, DH_EINVAL,
               "tensor_tile: count is %d, must be in [0, %d]", count, DH_MAX_NDIM);
    DH_REQUIRE(repeats || !count, DH_EINVAL, "tensor_tile: repeats is NULL");
    int ndim = count > x->view.ndim ? count : x->view.ndim;
    dh_tile_attr attr = {.repeats.count = ndim};
    for (int i = 0; i < ndim; i++)
        attr.repeats.v[i] = i < ndim - count ? 1 : repeats[i - (ndim - count)];
    dh_tensor *wide;
    DH_TRY(with_leading_axes(&wide, x, ndim));
    dh_status status = dh__eager(DH_OP_TILE, &attr, 1, (const dh_tensor *const[]){wide}, out);
    dh_tensor_free(wide);
    return status;
}

/* Repeats a new axis after the one meant, then folds the two. */
dh_status dh_tensor_repeat(dh_tensor **out, const dh_tensor *x, int64_t repeats, int axis)
{
    DH_NEED(out, "tensor_repeat", "out");
    DH_NEED(x, "tensor_repeat", "x");
    DH_REQUIRE(repeats >= 0, DH_EINVAL, "tensor_repeat: repeats is %lld, must be at least 0",
               (long long)repeats);
    int a, n = x->view.ndim;
    DH_TRY(dh__axis(&a, axis, n, "tensor_repeat"));
    int64_t shape[DH_MAX_NDIM];
    for (int i = 0; i < n; i++) shape[i] = x->view.shape[i];
    DH_REQUIRE(dh__mul_int64(shape[a], repeats, &shape[a]), DH_EOVERFLOW,
               "tensor_repeat: axis %d of length %lld repeated %lld times does not fit", axis,
               (long long)x->view.shape[a], (long long)repeats);
    dh_tensor *t;
    DH_TRY(dh__named(dh__tensor_new(&t, x->storage->device, x->view.dtype, n, shape), "tensor_new",
                     "tensor_repeat"));
    dh_status status = DH_OK;
    for (int64_t r = 0; r < repeats && !status && dh__view_count(&x->view); r++) {
        dh_tensor part = *t; /* every repeats-th element, from r on */
        part.view.shape[a] = x->view.shape[a];
        part.view.stride[a] *= repeats;
        part.view.data =
            (char *)t->view.data + r * t->view.stride[a] * (int64_t)dh_dtype_size(t->view.dtype);
        status = dh__eager_into(DH_OP_COPY, NULL, 1, &x, &part);
    }
    if (status)
        dh_tensor_free(t);
    else
        *out = t;
    return status;
}

dh_status dh_tensor_flip(dh_tensor **out, const dh_tensor *x, int axis)
{
    DH_NEED(out, "tensor_flip", "out");
    DH_NEED(x, "tensor_flip", "x");
    int only = -1;
    if (axis != DH_ALL_AXES) DH_TRY(dh__axis(&only, axis, x->view.ndim, "tensor_flip"));
    dh_slice_attr attr = {.count = x->view.ndim};
    for (int i = 0; i < x->view.ndim; i++) {
        attr.start[i] = attr.stop[i] = INT64_MAX;
        attr.step[i] = only < 0 || only == i ? -1 : 1;
    }
    return dh__eager(DH_OP_SLICE, &attr, 1, &x, out);
}

dh_status dh_tensor_moveaxis(dh_tensor **out, const dh_tensor *x, int from, int to)
{
    DH_NEED(out, "tensor_moveaxis", "out");
    DH_NEED(x, "tensor_moveaxis", "x");
    int f, t, axes[DH_MAX_NDIM], next = 0;
    DH_TRY(dh__axis_named(&f, from, x->view.ndim, "tensor_moveaxis", "from"));
    DH_TRY(dh__axis_named(&t, to, x->view.ndim, "tensor_moveaxis", "to"));
    for (int i = 0; i < x->view.ndim; i++) {
        if (i == t) {
            axes[i] = f;
            continue;
        }
        if (next == f) next++;
        axes[i] = next++;
    }
    return dh_tensor_permute(out, x, axes);
}

dh_status dh_tensor_swapaxes(dh_tensor **out, const dh_tensor *x, int axis0, int axis1)
{
    DH_NEED(out, "tensor_swapaxes", "out");
    DH_NEED(x, "tensor_swapaxes", "x");
    return dh__named(dh_tensor_transpose(out, x, axis0, axis1), "tensor_transpose",
                     "tensor_swapaxes");
}

/* --- triangles and diagonals --- */

static dh_status triangle(dh_tensor **out, const dh_tensor *x, int64_t k, bool upper,
                          const char *who)
{
    DH_NEED(out, who, "out");
    DH_NEED(x, who, "x");
    return dh__named(dh__eager(DH_OP_TRIANGLE, &(dh_triangle_attr){k, upper}, 1, &x, out),
                     "tensor_triangle", who);
}

dh_status dh_tensor_triu(dh_tensor **out, const dh_tensor *x, int64_t k)
{
    return triangle(out, x, k, true, "tensor_triu");
}

dh_status dh_tensor_tril(dh_tensor **out, const dh_tensor *x, int64_t k)
{
    return triangle(out, x, k, false, "tensor_tril");
}

dh_status dh_tensor_diag(dh_tensor **out, const dh_tensor *x, int64_t k)
{
    DH_NEED(out, "tensor_diag", "out");
    DH_NEED(x, "tensor_diag", "x");
    DH_REQUIRE(x->view.ndim > 0, DH_ESHAPE, "tensor_diag: x is [], needs at least 1 axis");
    int op = x->view.ndim == 1 ? DH_OP_DIAG_EMBED : DH_OP_DIAG;
    return dh__named(dh__eager(op, &(dh_diag_attr){k}, 1, &x, out), "tensor_diag_embed",
                     "tensor_diag");
}

dh_status dh_tensor_trace(dh_tensor **out, const dh_tensor *x, int64_t k)
{
    DH_NEED(out, "tensor_trace", "out");
    DH_NEED(x, "tensor_trace", "x");
    dh_tensor *diagonal;
    DH_TRY(dh__named(dh__eager(DH_OP_DIAG, &(dh_diag_attr){k}, 1, &x, &diagonal), "tensor_diag",
                     "tensor_trace"));
    dh_reduce_attr last = {.axes = {1, {-1}}};
    dh_status status = dh__eager(DH_OP_SUM, &last, 1, (const dh_tensor *const[]){diagonal}, out);
    dh_tensor_free(diagonal);
    return status;
}
