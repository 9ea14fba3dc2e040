/* SPDX-License-Identifier: MIT */
/* Tensors filled at birth. Host numbers are made on the CPU. */
#include <math.h>
#include <string.h>

#include "move.h"
#include "tensor_impl.h"

dh_status dh__shape_list(int *ndim, int64_t *shape, const int64_t *list, const char *who)
{
    int n = 0;
    for (; n < DH_MAX_NDIM && list[n]; n++) shape[n] = list[n] == DH_EMPTY_AXIS ? 0 : list[n];
    for (int i = n + 1; i < DH_MAX_NDIM; i++)
        DH_REQUIRE(!list[i], DH_ESHAPE,
                   "%s: shape[%d] is 0, which ends the list, but shape[%d] is %lld: an axis of no "
                   "elements is DH_EMPTY_AXIS",
                   who, n, i, (long long)list[i]);
    *ndim = n;
    return DH_OK;
}

static dh_status new_from(dh_tensor **out, const dh_tensor_args *args, const char *who)
{
    dh_tensor_args a;
    dh_device *device;
    int64_t shape[DH_MAX_NDIM];
    DH_NEED(out, who, "out");
    DH_TRY(dh__args(&a, sizeof a, args, who));
    DH_TRY(dh__named(dh_device_get(&device, a.device), "device_get", who));
    int ndim = 0;
    DH_TRY(dh__shape_list(&ndim, shape, a.shape, who));
    return dh__named(dh__tensor_new(out, device, a.dtype ? a.dtype : DH_F32, ndim, shape),
                     "tensor_new", who);
}

dh_status(dh_tensor_empty)(dh_tensor **out, const dh_tensor_args *args)
{
    return new_from(out, args, "tensor_empty");
}

static dh_status filled(dh_tensor **out, const dh_tensor_args *args, double value, const char *who)
{
    dh_tensor *t;
    DH_NEED(out, who, "out");
    DH_TRY(new_from(&t, args, who));
    dh_status status = dh_tensor_fill(t, value);
    if (status)
        dh_tensor_free(t);
    else
        *out = t;
    return status;
}

dh_status(dh_tensor_zeros)(dh_tensor **out, const dh_tensor_args *args)
{
    return filled(out, args, 0, "tensor_zeros");
}

dh_status(dh_tensor_ones)(dh_tensor **out, const dh_tensor_args *args)
{
    return filled(out, args, 1, "tensor_ones");
}

dh_status(dh_tensor_full)(dh_tensor **out, double value, const dh_tensor_args *args)
{
    return filled(out, args, value, "tensor_full");
}

dh_status dh_tensor_fill(dh_tensor *dst, double value)
{
    DH_NEED(dst, "tensor_fill", "dst");
    dh_fill_attr attr = {value};
    const dh_tensor *in = dst;
    return dh__eager_into(DH_OP_FILL_LIKE, &attr, 1, &in, dst);
}

dh_status dh_tensor_eye(dh_tensor **out, int64_t rows, int64_t columns, int64_t k, dh_dtype dtype)
{
    DH_NEED(out, "tensor_eye", "out");
    DH_REQUIRE(rows >= 0 && columns >= 0, DH_ESHAPE,
               "tensor_eye: rows is %lld, columns is %lld, must be at least 0", (long long)rows,
               (long long)columns);
    dh_tensor *t;
    DH_TRY(dh__named(
        dh__tensor_new(&t, dh__cpu(), dtype ? dtype : DH_F32, 2, (int64_t[]){rows, columns}),
        "tensor_new", "tensor_eye"));
    size_t size = dh_dtype_size(t->view.dtype);
    memset(t->view.data, 0, (size_t)dh__view_count(&t->view) * size);
    /* a diagonal outside starts at rows: -k of the least integer would not fit */
    int64_t first = k >= 0 ? 0 : k > -rows ? -k : rows;
    for (int64_t i = first; i < rows && k < columns - i; i++)
        dh__store(t->view.dtype, (char *)t->view.data + (size_t)(i * columns + i + k) * size, 1);
    *out = t;
    return DH_OK;
}

/* count numbers start + i * step, rounded as a cast. */
static dh_status sequence(dh_tensor **out, double start, double step, int64_t count, dh_dtype dtype,
                          const char *who)
{
    dh_tensor *t;
    DH_TRY(dh__named(dh__tensor_new(&t, dh__cpu(), dtype ? dtype : DH_F32, 1, &count), "tensor_new",
                     who));
    size_t size = dh_dtype_size(t->view.dtype);
    for (int64_t i = 0; i < count; i++)
        dh__store(t->view.dtype, (char *)t->view.data + (size_t)i * size, start + (double)i * step);
    *out = t;
    return DH_OK;
}

__extension__ typedef __int128 int128;

/* The nearest number that an integer dtype holds; of bool whether v is not 0. */
static void store_integer(dh_dtype dtype, char *address, int128 v)
{
    size_t size = dh_dtype_size(dtype);
    bool negative = DH_MASK_SIGNED & DH_MASK(dtype);
    int128 most = ((int128)1 << (8 * (int)size - negative)) - 1, least = negative ? -most - 1 : 0;
    uint64_t bits = (uint64_t)(v < least ? least : v > most ? most : v);
    if (dtype == DH_BOOL) bits = v != 0;
    dh__row_narrow(dtype, address, (ptrdiff_t)size, &bits, 1);
}

/* Whole numbers whose sums and products over an arange stay far inside 128 bits. */
static bool is_whole(double v)
{
    return v == floor(v) && fabs(v) <= 0x1p100;
}

/* How many start + i step lie before stop. */
static double steps_between(double start, double stop, double step, bool exact)
{
    if (!exact) return ceil((stop - start) / step);
    int128 span = (int128)stop - (int128)start, by = (int128)step;
    return (double)((span + by - (by > 0 ? 1 : -1)) / by);
}

dh_status dh_tensor_arange(dh_tensor **out, double start, double stop, double step, dh_dtype dtype)
{
    DH_NEED(out, "tensor_arange", "out");
    DH_REQUIRE(isfinite(start) && isfinite(stop) && isfinite(step) && step != 0, DH_EINVAL,
               "tensor_arange: start %g, stop %g, step %g: all must be finite, step not 0", start,
               stop, step);
    double last = step > 0 ? ceil(stop) : floor(stop); /* of whole numbers as good as stop */
    bool exact = dtype && !dh_dtype_is_float(dtype) && dh_dtype_size(dtype) && is_whole(start) &&
                 is_whole(last) && is_whole(step);
    double n = steps_between(start, exact ? last : stop, step, exact);
    DH_REQUIRE(n < 9e15, DH_EOVERFLOW,
               "tensor_arange: start %g, stop %g, step %g: %g elements do not fit in memory", start,
               stop, step, n);
    int64_t count = n > 0 ? (int64_t)n : 0;
    DH_TRY(sequence(out, start, step, count, dtype, "tensor_arange"));
    size_t size = dh_dtype_size(dtype);
    for (int64_t i = 0; exact && i < count; i++)
        store_integer(dtype, (char *)(*out)->view.data + (size_t)i * size,
                      (int128)start + i * (int128)step);
    return DH_OK;
}

dh_status dh_tensor_linspace(dh_tensor **out, double start, double stop, int64_t count,
                             dh_dtype dtype)
{
    DH_NEED(out, "tensor_linspace", "out");
    DH_REQUIRE(count >= 0, DH_EINVAL, "tensor_linspace: count is %lld, must be at least 0",
               (long long)count);
    DH_REQUIRE(isfinite(start) && isfinite(stop), DH_EINVAL,
               "tensor_linspace: start is %g, stop is %g: both must be finite", start, stop);
    dh_tensor *t;
    double span = stop - start, parts = count > 1 ? (double)(count - 1) : 1;
    DH_TRY(sequence(&t, start, isfinite(span) ? span / parts : 0, count, dtype, "tensor_linspace"));
    size_t size = dh_dtype_size(t->view.dtype);
    char *data = t->view.data;
    for (int64_t i = 1; i < count - 1 && !isfinite(span); i++) /* no double holds stop - start */
        dh__store(t->view.dtype, data + (size_t)i * size,
                  start * (1 - (double)i / parts) + stop * ((double)i / parts));
    if (count > 1) dh__store(t->view.dtype, data + (size_t)(count - 1) * size, stop);
    *out = t;
    return DH_OK;
}
