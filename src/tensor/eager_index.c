/* SPDX-License-Identifier: MIT */
/* Elements by index, order, and the two functions whose result's shape the data decides. */
#include <deephealth/tensor_shape.h>

#include <string.h>

#include "tensor_impl.h"

static dh_status need(dh_tensor **out, const dh_tensor *x, const dh_tensor *index, int axis,
                      const char *who)
{
    int unused;
    DH_NEED(out, who, "out");
    DH_NEED(x, who, "x");
    DH_NEED(index, who, "index");
    DH_TRY(dh__axis(&unused, axis, x->view.ndim, who));
    return DH_OK;
}

dh_status dh_tensor_gather(dh_tensor **out, const dh_tensor *x, const dh_tensor *index, int axis)
{
    DH_TRY(need(out, x, index, axis, "tensor_gather"));
    const dh_tensor *in[2] = {x, index};
    return dh__eager(DH_OP_GATHER, &(dh_axis_attr){axis}, 2, in, out);
}

dh_status dh_tensor_take(dh_tensor **out, const dh_tensor *x, const dh_tensor *index, int axis)
{
    DH_TRY(need(out, x, index, axis, "tensor_take"));
    const dh_tensor *in[2] = {x, index};
    return dh__eager(DH_OP_TAKE, &(dh_axis_attr){axis}, 2, in, out);
}

dh_status dh_tensor_scatter(dh_tensor **out, const dh_tensor *x, const dh_tensor *index,
                            const dh_tensor *src, int axis)
{
    DH_TRY(need(out, x, index, axis, "tensor_scatter"));
    DH_NEED(src, "tensor_scatter", "src");
    const dh_tensor *in[3] = {x, index, src};
    return dh__eager(DH_OP_SCATTER, &(dh_axis_attr){axis}, 3, in, out);
}

dh_status dh_tensor_scatter_add(dh_tensor **out, const dh_tensor *x, const dh_tensor *index,
                                const dh_tensor *src, int axis)
{
    DH_TRY(need(out, x, index, axis, "tensor_scatter_add"));
    DH_NEED(src, "tensor_scatter_add", "src");
    const dh_tensor *in[3] = {x, index, src};
    return dh__eager(DH_OP_SCATTER_ADD, &(dh_axis_attr){axis}, 3, in, out);
}

dh_status dh_tensor_one_hot(dh_tensor **out, const dh_tensor *index, int64_t depth, dh_dtype dtype)
{
    DH_NEED(out, "tensor_one_hot", "out");
    DH_NEED(index, "tensor_one_hot", "index");
    if (dtype) DH_TRY(dh__dtype_check(dtype, "tensor_one_hot"));
    dh_one_hot_attr attr = {
        .depth = depth, .on = 1, .off = 0, .dtype = (int)(dtype ? dtype : DH_F32)};
    return dh__eager(DH_OP_ONE_HOT, &attr, 1, &index, out);
}

/* --- order --- */

/* Runs an op with outputs values, indices and keeps those that are wanted. */
static dh_status order(dh_tensor **values, dh_tensor **indices, const dh_tensor *x, int op,
                       int axis, const void *attr, const char *who)
{
    DH_REQUIRE(values || indices, DH_EINVAL, "%s: values and indices are both NULL", who);
    DH_NEED(x, who, "x");
    dh_tensor *made[DH_OP_MAX_OUT];
    int unused;
    DH_TRY(dh__axis(&unused, axis, x->view.ndim, who));
    DH_TRY(dh__named(dh__eager(op, attr, 1, &x, made), "tensor_sort", who));
    if (values)
        *values = made[0];
    else
        dh_tensor_free(made[0]);
    if (indices)
        *indices = made[1];
    else
        dh_tensor_free(made[1]);
    return DH_OK;
}

dh_status dh_tensor_sort(dh_tensor **values, dh_tensor **indices, const dh_tensor *x, int axis,
                         bool descending)
{
    return order(values, indices, x, DH_OP_SORT, axis, &(dh_sort_attr){axis, descending},
                 "tensor_sort");
}

dh_status dh_tensor_argsort(dh_tensor **out, const dh_tensor *x, int axis, bool descending)
{
    DH_NEED(out, "tensor_argsort", "out");
    return order(NULL, out, x, DH_OP_SORT, axis, &(dh_sort_attr){axis, descending},
                 "tensor_argsort");
}

dh_status dh_tensor_topk(dh_tensor **values, dh_tensor **indices, const dh_tensor *x, int64_t k,
                         int axis, bool smallest)
{
    dh_topk_attr attr = {.axis = axis, .k = k, .smallest = smallest};
    return order(values, indices, x, DH_OP_TOPK, axis, &attr, "tensor_topk");
}

/* --- shapes that depend on data --- */

/* x on the CPU, flat and packed. */
static dh_status flat_on_cpu(dh_tensor **out, const dh_tensor *x)
{
    dh_tensor *host = NULL, *flat = NULL;
    if (!x->storage->device->host) DH_TRY(dh_tensor_to_device(&host, x, "cpu"));
    int64_t count = dh__view_count(&x->view);
    dh_status status = dh_tensor_reshape(&flat, host ? host : x, 1, &count);
    if (!status) status = dh_tensor_contiguous(out, flat);
    dh_tensor_free(flat);
    dh_tensor_free(host);
    return status;
}

/* Bits decide, so that 64-bit integers are not rounded; -0 is 0. */
static bool is_nonzero(dh_dtype dtype, const char *address, size_t size)
{
    uint64_t bits = 0;
    memcpy(&bits, address, size);
    return dh_dtype_is_float(dtype) ? dh__load(dtype, address) != 0 : bits != 0;
}

dh_status dh_tensor_nonzero(dh_tensor **out, const dh_tensor *x)
{
    DH_NEED(out, "tensor_nonzero", "out");
    DH_NEED(x, "tensor_nonzero", "x");
    dh_tensor *flat, *t;
    DH_TRY(flat_on_cpu(&flat, x));
    const char *data = flat->view.data;
    size_t size = dh_dtype_size(x->view.dtype);
    int64_t count = dh__view_count(&x->view), found = 0;
    int ndim = x->view.ndim;
    for (int64_t i = 0; i < count; i++)
        found += is_nonzero(x->view.dtype, data + (size_t)i * size, size);
    dh_status status = dh__tensor_new(&t, dh__cpu(), DH_I64, 2, (int64_t[]){found, ndim});
    int64_t *row = status ? NULL : t->view.data;
    for (int64_t i = 0; !status && i < count; i++) {
        if (!is_nonzero(x->view.dtype, data + (size_t)i * size, size)) continue;
        int64_t rest = i;
        for (int k = ndim - 1; k >= 0; k--) {
            row[k] = rest % x->view.shape[k];
            rest /= x->view.shape[k];
        }
        row += ndim;
    }
    dh_tensor_free(flat);
    if (!status) *out = t;
    return dh__named(status, "tensor_new", "tensor_nonzero");
}

/* Neighbours after sorting: equal bits, both zero, or both NaN. */
static bool same_value(dh_dtype dtype, const char *a, const char *b, size_t size)
{
    if (!memcmp(a, b, size)) return true;
    if (!dh_dtype_is_float(dtype)) return false;
    double va = dh__load(dtype, a), vb = dh__load(dtype, b);
    return va == vb || (va != va && vb != vb);
}

static dh_status count_runs(dh_tensor **values, dh_tensor **counts, const dh_tensor *sorted)
{
    dh_dtype dtype = sorted->view.dtype;
    size_t size = dh_dtype_size(dtype);
    const char *data = sorted->view.data;
    int64_t count = dh__view_count(&sorted->view), runs = 0, at = -1;
    for (int64_t i = 0; i < count; i++)
        runs += i == 0 ||
                !same_value(dtype, data + (size_t)(i - 1) * size, data + (size_t)i * size, size);
    dh_tensor *v = NULL, *c = NULL;
    DH_TRY(dh__tensor_new(&v, dh__cpu(), dtype, 1, &runs));
    dh_status status = dh__tensor_new(&c, dh__cpu(), DH_I64, 1, &runs);
    if (status) {
        dh_tensor_free(v);
        return status;
    }
    int64_t *times = c->view.data;
    for (int64_t i = 0; i < count; i++) {
        const char *now = data + (size_t)i * size;
        if (i == 0 || !same_value(dtype, now - size, now, size)) {
            memcpy((char *)v->view.data + (size_t)++at * size, now, size);
            times[at] = 0;
        }
        times[at]++;
    }
    *values = v;
    if (counts)
        *counts = c;
    else
        dh_tensor_free(c);
    return DH_OK;
}

dh_status dh_tensor_unique(dh_tensor **values, dh_tensor **counts, const dh_tensor *x)
{
    DH_NEED(values, "tensor_unique", "values");
    DH_NEED(x, "tensor_unique", "x");
    dh_tensor *flat, *sorted = NULL;
    DH_TRY(flat_on_cpu(&flat, x));
    dh_status status = dh_tensor_sort(&sorted, NULL, flat, 0, false);
    if (!status) status = count_runs(values, counts, sorted);
    dh_tensor_free(sorted);
    dh_tensor_free(flat);
    return status;
}
