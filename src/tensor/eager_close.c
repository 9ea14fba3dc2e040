/* SPDX-License-Identifier: MIT */
/* Closeness of two tensors, element by element or as a whole. */
#include <math.h>

#include <deephealth/tensor_math.h>
#include <deephealth/tensor_shape.h>

#include "io.h"

typedef struct closeness {
    double rtol, atol;
    bool equal_nan;
} closeness;

static bool close(const closeness *c, double a, double b)
{
    if (a == b) return true;
    if (isnan(a) && isnan(b)) return c->equal_nan;
    return isfinite(a) && isfinite(b) && fabs(a - b) <= c->atol + c->rtol * fabs(b);
}

__extension__ typedef __int128 int128;

/* Of integers the distance is exact, not what two doubles of 53 bits leave of it. */
static bool close_integers(const closeness *c, int128 a, int128 b)
{
    int128 distance = a > b ? a - b : b - a;
    double limit = c->atol + c->rtol * fabs((double)b);
    if (distance == 0) return true;
    return limit >= 0x1p65 || (limit == limit && distance <= (int128)limit);
}

/* The dtype that holds every number of x. */
static dh_dtype widest(const dh_tensor *x)
{
    if (dh_dtype_is_float(x->view.dtype)) return DH_F64;
    return x->view.dtype == DH_U64 ? DH_U64 : DH_I64;
}

static double real_at(const dh_tensor *x, int64_t i)
{
    return dh__load(x->view.dtype, (const double *)x->view.data + i);
}

static int128 integer_at(const dh_tensor *x, int64_t i)
{
    if (x->view.dtype == DH_U64) return ((const uint64_t *)x->view.data)[i];
    return ((const int64_t *)x->view.data)[i];
}

/* In host memory, of widest() and of the common shape, packed. */
static dh_status widened(dh_tensor **out, const dh_tensor *x, const dh_view *shape)
{
    dh_tensor *wide = NULL, *cast = NULL;
    dh_status status = dh_tensor_broadcast(&wide, x, shape->ndim, shape->shape);
    if (!status) status = dh_tensor_cast(&cast, wide, widest(x));
    if (!status) status = dh__io_host(out, cast, "tensor_isclose");
    dh_tensor_free(wide);
    dh_tensor_free(cast);
    return status;
}

/* y[i]: a[i] and b[i], both of widest(), are close. */
static void compare_all(dh_tensor *y, const closeness *c, const dh_tensor *a, const dh_tensor *b)
{
    uint8_t *close_here = y->view.data;
    int64_t n = dh__view_count(&y->view);
    bool real = a->view.dtype == DH_F64 || b->view.dtype == DH_F64;
    for (int64_t i = 0; i < n; i++)
        close_here[i] = real ? close(c, real_at(a, i), real_at(b, i))
                             : close_integers(c, integer_at(a, i), integer_at(b, i));
}

dh_status dh_tensor_isclose(dh_tensor **out, const dh_tensor *a, const dh_tensor *b, double rtol,
                            double atol, bool equal_nan)
{
    DH_NEED(out, "tensor_isclose", "out");
    DH_NEED(a, "tensor_isclose", "a");
    DH_NEED(b, "tensor_isclose", "b");
    DH_REQUIRE(rtol >= 0 && atol >= 0, DH_EINVAL,
               "tensor_isclose: rtol is %g, atol is %g: both must be at least 0", rtol, atol);
    closeness c = {rtol, atol, equal_nan};
    dh_view shape = {0};
    dh_tensor *y = NULL, *da = NULL, *db = NULL;
    DH_TRY(dh__broadcast_shape(&shape, &a->view, &b->view, "tensor_isclose"));
    dh_status status = widened(&da, a, &shape);
    if (!status) status = widened(&db, b, &shape);
    if (!status) status = dh_tensor_new(&y, DH_BOOL, shape.ndim, shape.shape);
    if (!status) {
        compare_all(y, &c, da, db);
        *out = y;
    }
    dh_tensor_free(da);
    dh_tensor_free(db);
    return status;
}

dh_status dh_tensor_allclose(bool *out, const dh_tensor *a, const dh_tensor *b, double rtol,
                             double atol, bool equal_nan)
{
    dh_tensor *each;
    DH_NEED(out, "tensor_allclose", "out");
    DH_TRY(dh__named(dh_tensor_isclose(&each, a, b, rtol, atol, equal_nan), "tensor_isclose",
                     "tensor_allclose"));
    int64_t n = dh__view_count(&each->view);
    const uint8_t *y = each->view.data;
    bool all = true;
    for (int64_t i = 0; i < n; i++) all = all && y[i];
    dh_tensor_free(each);
    *out = all;
    return DH_OK;
}
