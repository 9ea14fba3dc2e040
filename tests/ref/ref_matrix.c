/* SPDX-License-Identifier: MIT */
/* Products as triple loops; determinant and inverse by minors (Leibniz, Cramer), for small
 * matrices. */
#include <stddef.h>
#include <string.h>

#include "ref.h"

/* Length of the batch axis that is `back` places before the matrix; 1 where there is none. */
static int64_t batch_dim(const ref_tensor *t, int back)
{
    int i = t->ndim - 2 - back;
    return i >= 0 ? t->shape[i] : 1;
}

/* Which matrix of t stands under the batch index of y. */
static int64_t batch_at(const ref_tensor *t, const int64_t *index, int batch_ndim)
{
    int64_t at = 0;
    for (int i = 0; i < batch_ndim; i++) {
        int64_t n = batch_dim(t, batch_ndim - i);
        at = at * n + (n == 1 ? 0 : index[i]);
    }
    return at;
}

static void matmul(const ref_call *c)
{
    const ref_tensor *a = &c->in[0], *b = &c->in[1];
    bool av = a->ndim == 1, bv = b->ndim == 1;
    int64_t m = av ? 1 : a->shape[a->ndim - 2], k = a->shape[a->ndim - 1];
    int64_t n = bv ? 1 : b->shape[b->ndim - 1], shape[DH_MAX_NDIM] = {0}, count = 1;
    int batch = 0, ndim;
    if (a->ndim > 2) batch = a->ndim - 2;
    if (b->ndim - 2 > batch) batch = b->ndim - 2;
    for (int i = 0; i < batch; i++) {
        int64_t p = batch_dim(a, batch - i), q = batch_dim(b, batch - i);
        shape[i] = p == 1 ? q : p;
        count *= shape[i];
    }
    ndim = batch;
    if (!av) shape[ndim++] = m;
    if (!bv) shape[ndim++] = n;
    ref_new(c->out, ndim, shape);
    for (int64_t s = 0; s < count; s++) {
        int64_t index[DH_MAX_NDIM] = {0}, rest = s;
        for (int i = batch - 1; i >= 0; i--) {
            index[i] = rest % shape[i];
            rest /= shape[i];
        }
        const double *x = a->data + batch_at(a, index, batch) * m * k;
        const double *w = b->data + batch_at(b, index, batch) * k * n;
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++)
                for (int64_t p = 0; p < k; p++)
                    c->out->data[(s * m + i) * n + j] += x[i * k + p] * w[p * n + j];
    }
}

static void linear(const ref_call *c)
{
    const dh_linear_attr *attr = c->attr;
    const ref_tensor *x = &c->in[0], *w = &c->in[1];
    int64_t shape[DH_MAX_NDIM], k = w->shape[0], n = w->shape[1];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->ndim - 1] = n;
    ref_new(c->out, x->ndim, shape);
    for (int64_t at = 0; at < c->out->count; at++) {
        int64_t i = at / n, j = at % n;
        double z = c->in_count == 3 ? c->in[2].data[j] : 0;
        for (int64_t p = 0; p < k; p++) z += x->data[i * k + p] * w->data[p * n + j];
        c->out->data[at] = ref_act(attr->act, attr->alpha, z);
    }
}

static void triangle(const ref_call *c)
{
    const dh_triangle_attr *attr = c->attr;
    const ref_tensor *x = &c->in[0];
    int64_t m = x->shape[x->ndim - 2], n = x->shape[x->ndim - 1];
    ref_new(c->out, x->ndim, x->shape);
    for (int64_t at = 0; at < x->count; at++) {
        int64_t above = at % n - at / n % m; /* how far above the main diagonal */
        bool keep = attr->upper ? above >= attr->k : above <= attr->k;
        c->out->data[at] = keep ? x->data[at] : 0;
    }
}

/* Visits the diagonal of every matrix [m, n] of whole, in order. */
static int64_t each_diagonal(ref_tensor *whole, int64_t k, double *values, bool write)
{
    int64_t m = whole->shape[whole->ndim - 2], n = whole->shape[whole->ndim - 1], found = 0;
    for (int64_t at = 0; at < whole->count; at++) {
        if (at % n - at / n % m != k) continue;
        if (write) whole->data[at] = values[found];
        if (!write && values) values[found] = whole->data[at];
        found++;
    }
    return found;
}

static void diag(const ref_call *c)
{
    ref_tensor x = c->in[0];
    int64_t k = ((const dh_diag_attr *)c->attr)->k, length = 0;
    for (int64_t i = 0; i < x.shape[x.ndim - 2]; i++) /* rows whose diagonal element exists */
        length += i + k >= 0 && i + k < x.shape[x.ndim - 1];
    int64_t shape[DH_MAX_NDIM];
    memcpy(shape, x.shape, sizeof shape);
    shape[x.ndim - 2] = length;
    ref_new(c->out, x.ndim - 1, shape);
    each_diagonal(&x, k, c->out->data, false);
}

static void diag_embed(const ref_call *c)
{
    const ref_tensor *x = &c->in[0];
    int64_t k = ((const dh_diag_attr *)c->attr)->k, shape[DH_MAX_NDIM + 1];
    memcpy(shape, x->shape, sizeof x->shape);
    shape[x->ndim - 1] = shape[x->ndim] = x->shape[x->ndim - 1] + (k < 0 ? -k : k);
    if (c->in_count == 2)
        ref_new(c->out, c->in[1].ndim, c->in[1].shape);
    else
        ref_new(c->out, x->ndim + 1, shape);
    each_diagonal(c->out, k, x->data, true);
}

/* Determinant of the matrix a [n, n] without the rows and columns marked: along the first row left.
 */
static double minor(const double *a, int64_t n, unsigned rows, unsigned columns)
{
    int64_t r = 0;
    double sum = 0, sign = 1;
    while (r < n && (rows >> r & 1u)) r++;
    if (r == n) return 1;
    for (int64_t j = 0; j < n; j++) {
        if (columns >> j & 1u) continue;
        if (a[r * n + j] != 0)
            sum += sign * a[r * n + j] * minor(a, n, rows | 1u << r, columns | 1u << j);
        sign = -sign;
    }
    return sum;
}

static void inverse(const ref_call *c)
{
    const ref_tensor *x = &c->in[0];
    int64_t n = x->shape[x->ndim - 1];
    ref_new(c->out, x->ndim, x->shape);
    for (int64_t at = 0; at < x->count; at += n * n) {
        double det = minor(x->data + at, n, 0, 0);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++)
                c->out->data[at + i * n + j] =
                    ((i + j) % 2 ? -1 : 1) * minor(x->data + at, n, 1u << j, 1u << i) / det;
    }
}

static void det(const ref_call *c)
{
    const ref_tensor *x = &c->in[0];
    int64_t n = x->shape[x->ndim - 1];
    ref_new(c->out, x->ndim - 2, x->shape);
    for (int64_t i = 0; i < c->out->count; i++)
        c->out->data[i] = minor(x->data + i * n * n, n, 0, 0);
}

const ref_entry ref_matrix[] = {
    {"matmul", matmul},         {"linear", linear},   {"triangle", triangle}, {"diag", diag},
    {"diag_embed", diag_embed}, {"inverse", inverse}, {"det", det},           {NULL, NULL}};
