/* SPDX-License-Identifier: MIT */
/* Linear algebra on tensors: thin over the matrix ops. */
#include <deephealth/tensor_linalg.h>

#include "tensor_impl.h"

static dh_status need(dh_tensor **out, const dh_tensor *a, const dh_tensor *b, const char *who)
{
    DH_NEED(out, who, "out");
    DH_NEED(a, who, "a");
    DH_NEED(b, who, "b");
    return DH_OK;
}

dh_status dh_tensor_matmul(dh_tensor **out, const dh_tensor *a, const dh_tensor *b)
{
    DH_TRY(need(out, a, b, "tensor_matmul"));
    const dh_tensor *in[2] = {a, b};
    return dh__eager(DH_OP_MATMUL, NULL, 2, in, out);
}

/* b [.., k, n] as one matrix [k, .. n]: matmul with it, then the axes of b apart again. */
static dh_status dot_wide(dh_tensor **out, const dh_tensor *a, const dh_tensor *b)
{
    int n = b->view.ndim, axes[DH_MAX_NDIM], lead = a->view.ndim - 1, ndim = lead + n - 1;
    int64_t k = b->view.shape[n - 2], shape[2 * DH_MAX_NDIM], columns = 1;
    DH_REQUIRE(ndim <= DH_MAX_NDIM, DH_ESHAPE,
               "tensor_dot: a with %d axes and b with %d give more than %d", a->view.ndim, n,
               DH_MAX_NDIM);
    char ta[DH_SHAPE_TEXT], tb[DH_SHAPE_TEXT];
    DH_REQUIRE(a->view.shape[lead] == k, DH_ESHAPE,
               "tensor_dot: a %s has rows of %lld, b %s has columns of %lld",
               dh__shape_text(ta, sizeof ta, a->view.ndim, a->view.shape),
               (long long)a->view.shape[lead], dh__shape_text(tb, sizeof tb, n, b->view.shape),
               (long long)k);
    for (int i = 0, at = 1; i < n; i++)
        if (i != n - 2) axes[at++] = i;
    axes[0] = n - 2;
    for (int i = 0; i < lead; i++) shape[i] = a->view.shape[i];
    for (int i = 1; i < n; i++) {
        shape[lead + i - 1] = b->view.shape[axes[i]];
        columns *= b->view.shape[axes[i]];
    }
    dh_tensor *turned = NULL, *flat = NULL, *y = NULL;
    dh_status status = dh_tensor_permute(&turned, b, axes);
    if (!status) status = dh_tensor_reshape(&flat, turned, 2, (int64_t[]){k, columns});
    if (!status) status = dh_tensor_matmul(&y, a, flat);
    if (!status) status = dh_tensor_reshape(out, y, ndim, shape);
    dh_tensor_free(y);
    dh_tensor_free(flat);
    dh_tensor_free(turned);
    return status;
}

dh_status dh_tensor_dot(dh_tensor **out, const dh_tensor *a, const dh_tensor *b)
{
    DH_TRY(need(out, a, b, "tensor_dot"));
    const dh_tensor *in[2] = {a, b};
    if (a->view.ndim == 0 || b->view.ndim == 0)
        return dh__named(dh__eager(DH_OP_MUL, NULL, 2, in, out), "tensor_mul", "tensor_dot");
    dh_status status = b->view.ndim <= 2 ? dh_tensor_matmul(out, a, b) : dot_wide(out, a, b);
    return dh__named(status, "tensor_matmul", "tensor_dot");
}

dh_status dh_tensor_outer(dh_tensor **out, const dh_tensor *a, const dh_tensor *b)
{
    DH_TRY(need(out, a, b, "tensor_outer"));
    dh_tensor *column = NULL, *row = NULL;
    dh_status status = dh_tensor_reshape(&column, a, 2, (int64_t[]){dh_tensor_count(a), 1});
    if (!status) status = dh_tensor_reshape(&row, b, 2, (int64_t[]){1, dh_tensor_count(b)});
    const dh_tensor *in[2] = {column, row};
    if (!status) status = dh__eager(DH_OP_MUL, NULL, 2, in, out);
    dh_tensor_free(row);
    dh_tensor_free(column);
    return dh__named(status, "tensor_mul", "tensor_outer");
}

dh_status dh_tensor_inverse(dh_tensor **out, const dh_tensor *x)
{
    DH_NEED(out, "tensor_inverse", "out");
    DH_NEED(x, "tensor_inverse", "x");
    return dh__eager(DH_OP_INVERSE, NULL, 1, &x, out);
}

dh_status dh_tensor_det(dh_tensor **out, const dh_tensor *x)
{
    DH_NEED(out, "tensor_det", "out");
    DH_NEED(x, "tensor_det", "x");
    return dh__eager(DH_OP_DET, NULL, 1, &x, out);
}
