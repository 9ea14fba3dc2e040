/* SPDX-License-Identifier: MIT */
/* Closeness of two tensors, element by element or as a whole. */
#include <math.h>

#include <deephealth/tensor_math.h>
#include <deephealth/tensor_shape.h>

#include "tensor_impl.h"

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
    dh_tensor *wide_a = NULL, *wide_b = NULL, *y = NULL, *da = NULL, *db = NULL;
    DH_TRY(dh__broadcast_shape(&shape, &a->view, &b->view, "tensor_isclose"));
    dh_status status = dh_tensor_broadcast(&wide_a, a, shape.ndim, shape.shape);
    if (!status) status = dh_tensor_broadcast(&wide_b, b, shape.ndim, shape.shape);
    if (!status) status = dh_tensor_cast(&da, wide_a, DH_F64);
    if (!status) status = dh_tensor_cast(&db, wide_b, DH_F64);
    if (!status) status = dh_tensor_new(&y, DH_BOOL, shape.ndim, shape.shape);
    if (!status) {
        const double *pa = da->view.data, *pb = db->view.data;
        uint8_t *py = y->view.data;
        int64_t n = dh__view_count(&y->view);
        for (int64_t i = 0; i < n; i++) py[i] = close(&c, pa[i], pb[i]);
        *out = y;
    }
    dh_tensor_free(wide_a);
    dh_tensor_free(wide_b);
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
