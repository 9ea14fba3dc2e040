/* SPDX-License-Identifier: MIT */
/* Random tensors. Host numbers are made on the CPU and moved, so that every device has the same.
 * Element i takes word i of the stream; uniform f64 and integers take words 2 i and 2 i + 1. */
#include <float.h>
#include <math.h>

#include "move.h"
#include "rng.h"
#include "tensor_impl.h"

typedef enum draw { DRAW_UNIFORM, DRAW_NORMAL, DRAW_BERNOULLI } draw;
#define DRAW_BLOCK 1024

static double rounded(dh_dtype dtype, double v)
{
    double bytes;
    dh__store(dtype, &bytes, v);
    return dh__load(dtype, &bytes);
}

/* The largest number of a floating dtype below high, or at most high: between half a unit and one
 * and a half further down, rounded. */
static double largest(dh_dtype dtype, double high, bool below)
{
    int bits = dtype == DH_F32 ? 24 : dtype == DH_F64 ? 53 : dtype == DH_F16 ? 11 : 8;
    int least = dtype == DH_F32 ? -149 : dtype == DH_F64 ? -1074 : dtype == DH_F16 ? -24 : -133;
    double near = rounded(dtype, high);
    if (near < high || (near == high && !below)) return near;
    return rounded(dtype, near - fmax(1.25 * ldexp(fabs(near), -bits), ldexp(1, least)));
}

/* The least and the largest number of a floating dtype in [a, b). */
static void bounds_of(double *low, double *high, const dh_random_args *a)
{
    *low = -largest(a->dtype, -a->a, false);
    *high = largest(a->dtype, a->b, true);
}

/* Rounding to the dtype must not leave [a, b). */
static void bound_block(double *out, const dh_random_args *a, int64_t n)
{
    double low, high;
    bounds_of(&low, &high, a);
    for (int64_t i = 0; i < n && a->a < a->b; i++) out[i] = fmin(fmax(out[i], low), high);
}

static void draw_wide(uint64_t *out, const dh_random_args *a, uint64_t from, int64_t n)
{
    uint32_t words[2 * DRAW_BLOCK];
    dh__random_words(a->seed, a->stream, 2 * from, words, 2 * n);
    for (int64_t i = 0; i < n; i++) out[i] = words[2 * i] | (uint64_t)words[2 * i + 1] << 32;
}

/* u in [0, 1): 53 bits for f64, 24 for what is narrower */
static void draw_unit(double *out, const dh_random_args *a, uint64_t from, int64_t n)
{
    if (a->dtype == DH_F64) {
        uint64_t wide[DRAW_BLOCK];
        draw_wide(wide, a, from, n);
        for (int64_t i = 0; i < n; i++) out[i] = (double)(wide[i] >> 11) * 0x1p-53;
        return;
    }
    float narrow[DRAW_BLOCK];
    dh__random_uniform(a->seed, a->stream, from, narrow, n);
    for (int64_t i = 0; i < n; i++) out[i] = (double)narrow[i];
}

static void draw_block(double *out, draw kind, const dh_random_args *a, uint64_t from, int64_t n)
{
    if (kind == DRAW_NORMAL) {
        dh__random_normal(a->seed, a->stream, from, out, n);
        for (int64_t i = 0; i < n; i++) out[i] = a->a + a->b * out[i];
        return;
    }
    draw_unit(out, a, from, n);
    if (kind == DRAW_BERNOULLI) {
        for (int64_t i = 0; i < n; i++) out[i] = out[i] < a->a;
        return;
    }
    double span = a->b - a->a;
    bool fits = isfinite(span);
    for (int64_t i = 0; i < n; i++)
        out[i] = fits ? a->a + span * out[i] : a->a * (1 - out[i]) + a->b * out[i];
    bound_block(out, a, n);
}

__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;

/* floor(a) + floor(count w / 2^64) of 64 random bits w: of count numbers none is likelier than
 * another by more than count in 2^64. */
static void draw_integers(dh_tensor *t, const dh_random_args *a, uint64_t from, int64_t n)
{
    uint64_t wide[DRAW_BLOCK];
    size_t size = dh_dtype_size(a->dtype);
    int128 low = (int128)floor(a->a), high = (int128)ceil(a->b);
    uint128 count = high > low ? (uint128)(high - low) : 1;
    draw_wide(wide, a, from, n);
    for (int64_t i = 0; i < n; i++)
        wide[i] = (uint64_t)low + (uint64_t)((uint128)wide[i] * count >> 64);
    dh__row_narrow(a->dtype, (char *)t->view.data + from * size, (ptrdiff_t)size, wide, n);
}

static void draw_host(dh_tensor *t, draw kind, const dh_random_args *a)
{
    int64_t count = dh__view_count(&t->view);
    char *data = t->view.data;
    size_t size = dh_dtype_size(a->dtype);
    double block[DRAW_BLOCK];
    for (int64_t i = 0; i < count; i += DRAW_BLOCK) {
        int64_t n = count - i < DRAW_BLOCK ? count - i : DRAW_BLOCK;
        if (kind == DRAW_UNIFORM && !dh_dtype_is_float(a->dtype)) {
            draw_integers(t, a, (uint64_t)i, n);
            continue;
        }
        draw_block(block, kind, a, (uint64_t)i, n);
        for (int64_t k = 0; k < n; k++)
            dh__store(a->dtype, data + (size_t)(i + k) * size, block[k]);
    }
}

static dh_status draw_tensor(dh_tensor **out, draw kind, dh_random_args *a, const char *who)
{
    dh_device *device;
    int64_t shape[DH_MAX_NDIM];
    DH_TRY(dh__named(dh_device_get(&device, a->device), "device_get", who));
    int ndim = 0;
    DH_TRY(dh__shape_list(&ndim, shape, a->shape, who));
    dh_tensor *t;
    DH_TRY(dh__named(dh__tensor_new(&t, dh__cpu(), a->dtype, ndim, shape), "tensor_new", who));
    dh_status status = DH_OK;
    draw_host(t, kind, a);
    if (device != dh__cpu()) {
        dh_tensor *moved = NULL;
        status = dh_tensor_to_device(&moved, t, device->name);
        dh_tensor_free(t);
        t = moved;
    }
    if (status)
        dh_tensor_free(t);
    else
        *out = t;
    return status;
}

static dh_status open_args(dh_random_args *a, dh_tensor **out, const dh_random_args *args,
                           const char *who)
{
    DH_NEED(out, who, "out");
    DH_TRY(dh__args(a, sizeof *a, args, who));
    if (!a->dtype) a->dtype = DH_F32;
    DH_REQUIRE(isfinite(a->a) && isfinite(a->b), DH_EINVAL,
               "%s: a is %g, b is %g: both must be finite", who, a->a, a->b);
    return DH_OK;
}

/* The least and the largest finite number of a dtype, as double. */
static void range_of(double *least, double *most, dh_dtype dtype)
{
    int bits = 8 * (int)dh_dtype_size(dtype);
    *least = DH_MASK_SIGNED & DH_MASK(dtype) ? -ldexp(1, bits - 1) : 0;
    *most = dtype == DH_BOOL ? 1 : ldexp(1, *least < 0 ? bits - 1 : bits) - 1;
    if (!dh_dtype_is_float(dtype)) return;
    *most = dtype == DH_F64   ? DBL_MAX
            : dtype == DH_F32 ? (double)FLT_MAX
            : dtype == DH_F16 ? 65504
                              : 0x1.fep127;
    *least = -*most;
}

/* Of integers b, which is not drawn, may be one more than the largest. */
static dh_status check_range(const dh_random_args *a)
{
    double least, most;
    DH_TRY(dh__dtype_check(a->dtype, "tensor_random_uniform"));
    range_of(&least, &most, a->dtype);
    bool real = dh_dtype_is_float(a->dtype);
    double end = real || most >= 0x1p53 ? most : most + 1; /* of 64 bits most is rounded up */
    DH_REQUIRE(a->a >= least && (real || a->a < end) && a->b <= end, DH_EINVAL,
               "tensor_random_uniform: a (low) is %g, b (high) is %g, %s holds %g to %g", a->a,
               a->b, dh_dtype_name(a->dtype), least, most);
    if (!real || a->a == a->b) return DH_OK;
    bounds_of(&least, &most, a);
    DH_REQUIRE(least <= most, DH_EINVAL,
               "tensor_random_uniform: no number of %s lies in [%.9g, %.9g)",
               dh_dtype_name(a->dtype), a->a, a->b);
    return DH_OK;
}

dh_status(dh_tensor_random_uniform)(dh_tensor **out, const dh_random_args *args)
{
    dh_random_args a;
    DH_TRY(open_args(&a, out, args, "tensor_random_uniform"));
    if (a.a == 0 && a.b == 0) a.b = 1;
    DH_REQUIRE(a.a <= a.b, DH_EINVAL, "tensor_random_uniform: a (low) is %g, above b (high), %g",
               a.a, a.b);
    DH_TRY(check_range(&a));
    return draw_tensor(out, DRAW_UNIFORM, &a, "tensor_random_uniform");
}

dh_status(dh_tensor_random_normal)(dh_tensor **out, const dh_random_args *args)
{
    dh_random_args a;
    DH_TRY(open_args(&a, out, args, "tensor_random_normal"));
    if (dh__absent(a.b)) a.b = 1;
    DH_REQUIRE(a.b >= 0, DH_EINVAL,
               "tensor_random_normal: b (standard deviation) is %g, must be at least 0", a.b);
    return draw_tensor(out, DRAW_NORMAL, &a, "tensor_random_normal");
}

dh_status(dh_tensor_random_bernoulli)(dh_tensor **out, const dh_random_args *args)
{
    dh_random_args a;
    DH_TRY(open_args(&a, out, args, "tensor_random_bernoulli"));
    if (dh__absent(a.a)) a.a = 0.5;
    DH_REQUIRE(a.a >= 0 && a.a <= 1, DH_EINVAL,
               "tensor_random_bernoulli: a (probability) is %g, must be in [0, 1]", a.a);
    return draw_tensor(out, DRAW_BERNOULLI, &a, "tensor_random_bernoulli");
}

dh_status dh_tensor_random_permutation(dh_tensor **out, int64_t count, uint64_t seed,
                                       uint64_t stream)
{
    DH_NEED(out, "tensor_random_permutation", "out");
    DH_REQUIRE(count >= 0, DH_EINVAL,
               "tensor_random_permutation: count is %lld, must be at least 0", (long long)count);
    dh_tensor *t;
    DH_TRY(dh__named(dh__tensor_new(&t, dh__cpu(), DH_I64, 1, &count), "tensor_new",
                     "tensor_random_permutation"));
    dh__random_permutation(seed, stream, t->view.data, count);
    *out = t;
    return DH_OK;
}
