/* SPDX-License-Identifier: MIT */
/* Reductions and softmax by the eager API; median and mode, which sort on the host. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <deephealth/tensor_reduce.h>

#include "tensor_impl.h"

/* The public struct checked and turned into the ops' attributes. */
static dh_status open_args(dh_reduce_args *a, dh_reduce_attr *attr, dh_tensor **out,
                           const dh_reduce_args *args, const char *who)
{
    DH_NEED(out, who, "out");
    DH_TRY(dh__args(a, sizeof *a, args, who));
    DH_NEED(a->x, who, "x");
    DH_REQUIRE(a->axis_count >= 0 && a->axis_count <= DH_MAX_NDIM, DH_EINVAL,
               "%s: axis_count is %d, must be in [0, %d]", who, a->axis_count, DH_MAX_NDIM);
    memset(attr, 0, sizeof *attr);
    attr->axes.count = a->axis_count;
    for (int i = 0; i < a->axis_count; i++) attr->axes.v[i] = a->axes[i];
    for (int i = a->axis_count; i < DH_MAX_NDIM; i++)
        DH_REQUIRE(a->axes[i] == 0, DH_EINVAL, "%s: axes[%d] is %d, axis_count is %d", who, i,
                   a->axes[i], a->axis_count);
    for (int i = 0; i < a->axis_count; i++) {
        char name[16];
        int unused;
        dh__format(name, sizeof name, "axes[%d]", i);
        DH_TRY(dh__axis_named(&unused, a->axes[i], a->x->view.ndim, who, name));
    }
    attr->keepdims = a->keepdims;
    attr->ddof = a->ddof;
    return DH_OK;
}

static dh_status reduce(dh_tensor **out, const dh_reduce_args *args, int op, const char *who)
{
    dh_reduce_args a;
    dh_reduce_attr attr;
    DH_TRY(open_args(&a, &attr, out, args, who));
    return dh__eager(op, &attr, 1, &a.x, out);
}

#define REDUCE(NAME, OP)                                                      \
    dh_status(dh_tensor_##NAME)(dh_tensor * *out, const dh_reduce_args *args) \
    {                                                                         \
        return reduce(out, args, OP, "tensor_" #NAME);                        \
    }
REDUCE(sum, DH_OP_SUM)
REDUCE(prod, DH_OP_PROD)
REDUCE(mean, DH_OP_MEAN)
REDUCE(var, DH_OP_VAR)
REDUCE(norm, DH_OP_NORM)
REDUCE(max, DH_OP_MAX)
REDUCE(min, DH_OP_MIN)
REDUCE(argmax, DH_OP_ARGMAX)
REDUCE(argmin, DH_OP_ARGMIN)
REDUCE(any, DH_OP_ANY)
REDUCE(all, DH_OP_ALL)

dh_status(dh_tensor_std)(dh_tensor **out, const dh_reduce_args *args)
{
    dh_tensor *var;
    DH_NEED(out, "tensor_std", "out");
    DH_TRY(dh__named(reduce(&var, args, DH_OP_VAR, "tensor_std"), "tensor_var", "tensor_std"));
    const dh_tensor *in = var;
    dh_status status = dh__eager(DH_OP_SQRT, NULL, 1, &in, out);
    dh_tensor_free(var);
    return status;
}

static dh_status softmax(dh_tensor **out, const dh_tensor *x, int axis, int op, const char *who)
{
    dh_axis_attr attr = {axis};
    DH_NEED(out, who, "out");
    DH_NEED(x, who, "x");
    int unused;
    DH_TRY(dh__axis(&unused, axis, x->view.ndim, who));
    return dh__eager(op, &attr, 1, &x, out);
}

dh_status dh_tensor_softmax(dh_tensor **out, const dh_tensor *x, int axis)
{
    return softmax(out, x, axis, DH_OP_SOFTMAX, "tensor_softmax");
}

dh_status dh_tensor_log_softmax(dh_tensor **out, const dh_tensor *x, int axis)
{
    return softmax(out, x, axis, DH_OP_LOG_SOFTMAX, "tensor_log_softmax");
}

/* --- median, mode --- */

typedef union number {
    double f;
    int64_t i;
    uint64_t u;
} number;

/* NaN lies above all numbers. */
static int compare_float(const void *a, const void *b)
{
    double x = ((const number *)a)->f, y = ((const number *)b)->f;
    if (x != x || y != y) return (x != x) - (y != y);
    return (x > y) - (x < y);
}

static int compare_signed(const void *a, const void *b)
{
    int64_t x = ((const number *)a)->i, y = ((const number *)b)->i;
    return (x > y) - (x < y);
}

static int compare_unsigned(const void *a, const void *b)
{
    uint64_t x = ((const number *)a)->u, y = ((const number *)b)->u;
    return (x > y) - (x < y);
}

typedef int (*comparison)(const void *a, const void *b);

static comparison comparison_of(dh_dtype dtype)
{
    if (dh_dtype_is_float(dtype)) return compare_float;
    return dtype == DH_U64 ? compare_unsigned : compare_signed;
}

static number number_of(dh_dtype dtype, const char *address)
{
    number n = {.u = 0};
    if (dtype == DH_I64 || dtype == DH_U64)
        memcpy(&n, address, sizeof n);
    else if (dh_dtype_is_float(dtype))
        n.f = dh__load(dtype, address);
    else
        n.i = (int64_t)dh__load(dtype, address);
    return n;
}

static void store_median(dh_tensor *y, int64_t at, dh_dtype dtype, const number *sorted, int64_t n)
{
    double v[2];
    for (int k = 0; k < 2; k++) {
        number m = sorted[(n - 1 + k) / 2];
        v[k] = dh_dtype_is_float(dtype) ? m.f : dtype == DH_U64 ? (double)m.u : (double)m.i;
    }
    double middle = v[0] == v[1] ? v[0] : v[0] / 2 + v[1] / 2;
    if (dh_dtype_is_float(dtype) && sorted[n - 1].f != sorted[n - 1].f) middle = (double)NAN;
    dh__store(y->view.dtype, (char *)y->view.data + (size_t)at * dh_dtype_size(y->view.dtype),
              middle);
}

static void store_mode(dh_tensor *y, int64_t at, dh_dtype dtype, const number *sorted, int64_t n)
{
    comparison compare = comparison_of(dtype);
    int64_t best = 0, most = 0, from = 0;
    for (int64_t i = 1; i <= n; i++) {
        if (i < n && compare(&sorted[i], &sorted[from]) == 0) continue;
        if (i - from > most) {
            most = i - from;
            best = from;
        }
        from = i;
    }
    char *address = (char *)y->view.data + (size_t)at * dh_dtype_size(dtype);
    if (dtype == DH_I64 || dtype == DH_U64)
        memcpy(address, &sorted[best], sizeof sorted[best]);
    else
        dh__store(dtype, address,
                  dh_dtype_is_float(dtype) ? sorted[best].f : (double)sorted[best].i);
}

/* x on the host with the reduced axis last, or flat; the result's shape. */
static dh_status to_rows(dh_tensor **rows, dh_view *y, const dh_tensor *x,
                         const dh_reduce_attr *attr, const char *who)
{
    int ndim = x->view.ndim, axis = -1, order[DH_MAX_NDIM], at = 0;
    DH_REQUIRE(attr->axes.count <= 1, DH_EINVAL,
               "%s: axes has %d entries, takes one axis or none for all", who, attr->axes.count);
    if (attr->axes.count) DH_TRY(dh__axis_named(&axis, attr->axes.v[0], ndim, who, "axes[0]"));
    y->ndim = 0;
    for (int a = 0; a < ndim; a++) {
        bool gone = axis < 0 || a == axis;
        if (a != axis) order[at++] = a;
        if (!gone || attr->keepdims) y->shape[y->ndim++] = gone ? 1 : x->view.shape[a];
    }
    if (axis >= 0) order[at] = axis;
    char text[DH_SHAPE_TEXT];
    int64_t n = axis < 0 ? dh__view_count(&x->view) : x->view.shape[axis];
    DH_REQUIRE(n > 0, DH_ESHAPE, "%s: x %s has no elements along the %d reduced axes", who,
               dh__shape_text(text, sizeof text, ndim, x->view.shape), axis < 0 ? ndim : 1);
    dh_tensor *host, *turned;
    bool here = x->storage->device == dh__cpu();
    DH_TRY(here ? dh_tensor_view(&host, x) : dh_tensor_to_device(&host, x, "cpu"));
    dh_status status = dh_tensor_permute(&turned, host, order);
    dh_tensor_free(host);
    if (status) return status;
    status = dh_tensor_contiguous(rows, turned);
    dh_tensor_free(turned);
    return status;
}

static dh_status by_sorting(dh_tensor **out, const dh_reduce_args *args, bool median,
                            const char *who)
{
    dh_reduce_args a;
    dh_reduce_attr attr;
    dh_view shape = {.ndim = 0};
    dh_tensor *rows, *y = NULL;
    DH_TRY(open_args(&a, &attr, out, args, who));
    DH_TRY(to_rows(&rows, &shape, a.x, &attr, who));
    dh_dtype dtype = rows->view.dtype;
    int64_t count = 1;
    for (int i = 0; i < shape.ndim; i++) count *= shape.shape[i];
    int64_t n = count ? dh__view_count(&rows->view) / count : 0;
    dh_dtype result = median && !dh_dtype_is_float(dtype) ? DH_F64 : dtype;
    dh_status status = dh_tensor_new(&y, result, shape.ndim, shape.shape);
    number *line = status ? NULL : dh__calloc((size_t)n, sizeof *line);
    if (!status && !line) status = DH_ENOMEM;
    for (int64_t r = 0; r < count && !status; r++) {
        const char *x = (const char *)rows->view.data + (size_t)(r * n) * dh_dtype_size(dtype);
        for (int64_t i = 0; i < n; i++)
            line[i] = number_of(dtype, x + (size_t)i * dh_dtype_size(dtype));
        qsort(line, (size_t)n, sizeof *line, comparison_of(dtype));
        (median ? store_median : store_mode)(y, r, dtype, line, n);
    }
    dh__free(line);
    dh_tensor_free(rows);
    bool stays = !status && a.x->storage->device == dh__cpu();
    if (!status && !stays) status = dh_tensor_to_device(out, y, dh_tensor_device(a.x));
    if (stays)
        *out = y;
    else
        dh_tensor_free(y);
    return status;
}

dh_status(dh_tensor_median)(dh_tensor **out, const dh_reduce_args *args)
{
    return by_sorting(out, args, true, "tensor_median");
}

dh_status(dh_tensor_mode)(dh_tensor **out, const dh_reduce_args *args)
{
    return by_sorting(out, args, false, "tensor_mode");
}
