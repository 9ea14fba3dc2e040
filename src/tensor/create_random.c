/* SPDX-License-Identifier: MIT */
/* Random tensors. Host numbers are made on the CPU and moved, so that every device has the same. */
#include <math.h>

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

/* The largest number of a floating dtype below high: between half a unit and one and a half further
 * down, rounded. */
static double just_below(dh_dtype dtype, double high)
{
    int bits = dtype == DH_F32 ? 24 : dtype == DH_F64 ? 53 : dtype == DH_F16 ? 11 : 8;
    int least = dtype == DH_F32 ? -149 : dtype == DH_F64 ? -1074 : dtype == DH_F16 ? -24 : -133;
    double near = rounded(dtype, high);
    if (near < high) return near;
    return rounded(dtype, near - fmax(1.25 * ldexp(fabs(near), -bits), ldexp(1, least)));
}

/* Rounding to the dtype must not reach b: it is outside [a, b). */
static void bound_block(double *out, const dh_random_args *a, dh_dtype dtype, int64_t n)
{
    bool real = dh_dtype_is_float(dtype);
    double limit = real ? fmax(just_below(dtype, a->b), a->a) : 0;
    if (!(a->a < a->b)) return;
    for (int64_t i = 0; i < n; i++) out[i] = real ? fmin(out[i], limit) : floor(out[i]);
}

static void draw_block(double *out, draw kind, const dh_random_args *a, uint64_t from, int64_t n)
{
    if (kind == DRAW_NORMAL) {
        dh__random_normal(a->seed, a->stream, from, out, n);
        for (int64_t i = 0; i < n; i++) out[i] = a->a + a->b * out[i];
        return;
    }
    float u[DRAW_BLOCK];
    dh__random_uniform(a->seed, a->stream, from, u, n);
    for (int64_t i = 0; i < n; i++)
        out[i] = kind == DRAW_BERNOULLI ? (double)u[i] < a->a : a->a + (a->b - a->a) * (double)u[i];
}

static dh_status draw_host(dh_tensor *t, draw kind, const dh_random_args *a)
{
    int64_t count = dh__view_count(&t->view);
    char *data = t->view.data;
    size_t size = dh_dtype_size(t->view.dtype);
    double block[DRAW_BLOCK];
    for (int64_t i = 0; i < count; i += DRAW_BLOCK) {
        int64_t n = count - i < DRAW_BLOCK ? count - i : DRAW_BLOCK;
        draw_block(block, kind, a, (uint64_t)i, n);
        if (kind == DRAW_UNIFORM) bound_block(block, a, t->view.dtype, n);
        for (int64_t k = 0; k < n; k++)
            dh__store(t->view.dtype, data + (size_t)(i + k) * size, block[k]);
    }
    return DH_OK;
}

static dh_status draw_tensor(dh_tensor **out, draw kind, dh_random_args *a, const char *who)
{
    dh_device *device;
    int64_t shape[DH_MAX_NDIM];
    DH_TRY(dh__named(dh_device_get(&device, a->device), "device_get", who));
    int ndim = 0;
    DH_TRY(dh__shape_list(&ndim, shape, a->shape, who));
    dh_tensor *t;
    DH_TRY(dh__named(dh__tensor_new(&t, dh__cpu(), a->dtype ? a->dtype : DH_F32, ndim, shape),
                     "tensor_new", who));
    dh_status status = draw_host(t, kind, a);
    if (!status && device != dh__cpu()) {
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
    DH_REQUIRE(isfinite(a->a) && isfinite(a->b), DH_EINVAL,
               "%s: a is %g, b is %g: both must be finite", who, a->a, a->b);
    return DH_OK;
}

dh_status(dh_tensor_random_uniform)(dh_tensor **out, const dh_random_args *args)
{
    dh_random_args a;
    DH_TRY(open_args(&a, out, args, "tensor_random_uniform"));
    if (a.a == 0 && a.b == 0) a.b = 1;
    DH_REQUIRE(a.a <= a.b, DH_EINVAL, "tensor_random_uniform: a (low) is %g, above b (high), %g",
               a.a, a.b);
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
