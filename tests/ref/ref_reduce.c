/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>

#include "ref.h"

static bool is_reduced(const dh_ints *axes, int ndim, int axis)
{
    for (int i = 0; i < axes->count; i++)
        if (axes->v[i] == axis || axes->v[i] + ndim == axis) return true;
    return axes->count == 0;
}

static void new_result(ref_tensor *y, const ref_tensor *x, const dh_ints *axes, bool keepdims)
{
    int64_t shape[DH_MAX_NDIM];
    int ndim = 0;
    for (int a = 0; a < x->ndim; a++) {
        bool gone = is_reduced(axes, x->ndim, a);
        if (!gone || keepdims) shape[ndim++] = gone ? 1 : x->shape[a];
    }
    ref_new(y, ndim, shape);
}

/* Number of the output that element i of x goes into. */
static int64_t goes_to(const ref_tensor *x, const dh_ints *axes, int64_t i)
{
    int64_t index[DH_MAX_NDIM], out = 0;
    for (int a = x->ndim - 1; a >= 0; a--) {
        index[a] = i % x->shape[a];
        i /= x->shape[a];
    }
    for (int a = 0; a < x->ndim; a++)
        if (!is_reduced(axes, x->ndim, a)) out = out * x->shape[a] + index[a];
    return out;
}

/* The elements that go into output o, in order; count of them. Freed by the caller. */
static double *gather(const ref_tensor *x, const dh_ints *axes, int64_t o, int64_t *count)
{
    double *v = malloc((size_t)(x->count + 1) * sizeof *v);
    *count = 0;
    for (int64_t i = 0; i < x->count; i++)
        if (goes_to(x, axes, i) == o) v[(*count)++] = x->data[i];
    return v;
}

typedef double (*folder)(const double *v, int64_t n, int ddof);

static double fold_sum(const double *v, int64_t n, int ddof)
{
    (void)ddof;
    long double s = 0;
    for (int64_t i = 0; i < n; i++) s += v[i];
    return (double)s;
}

static double fold_mean(const double *v, int64_t n, int ddof)
{
    return fold_sum(v, n, ddof) / (double)n;
}

static double fold_prod(const double *v, int64_t n, int ddof)
{
    (void)ddof;
    double p = 1;
    for (int64_t i = 0; i < n; i++) p *= v[i];
    return p;
}

static double fold_max(const double *v, int64_t n, int ddof)
{
    (void)ddof;
    double m = v[0];
    for (int64_t i = 1; i < n; i++)
        if (isnan(v[i]) || v[i] > m) m = v[i];
    for (int64_t i = 0; i < n; i++)
        if (isnan(v[i])) m = v[i];
    return m;
}

static double fold_min(const double *v, int64_t n, int ddof)
{
    (void)ddof;
    double m = v[0];
    for (int64_t i = 1; i < n; i++)
        if (v[i] < m) m = v[i];
    for (int64_t i = 0; i < n; i++)
        if (isnan(v[i])) m = v[i];
    return m;
}

static double position_of(const double *v, int64_t n, double value)
{
    for (int64_t i = 0; i < n; i++)
        if (v[i] == value || (isnan(v[i]) && isnan(value))) return (double)i;
    return -1;
}

static double fold_argmax(const double *v, int64_t n, int ddof)
{
    return position_of(v, n, fold_max(v, n, ddof));
}

static double fold_argmin(const double *v, int64_t n, int ddof)
{
    return position_of(v, n, fold_min(v, n, ddof));
}

static double fold_var(const double *v, int64_t n, int ddof)
{
    double mean = fold_mean(v, n, 0);
    long double s = 0;
    for (int64_t i = 0; i < n; i++) s += ((long double)v[i] - mean) * ((long double)v[i] - mean);
    return (double)s / (double)(n - ddof > 0 ? n - ddof : 0);
}

static double fold_norm(const double *v, int64_t n, int ddof)
{
    (void)ddof;
    long double s = 0;
    for (int64_t i = 0; i < n; i++) s += (long double)v[i] * v[i];
    return sqrt((double)s);
}

static double fold_any(const double *v, int64_t n, int ddof)
{
    (void)ddof;
    for (int64_t i = 0; i < n; i++)
        if (v[i] != 0) return 1;
    return 0;
}

static double fold_all(const double *v, int64_t n, int ddof)
{
    (void)ddof;
    for (int64_t i = 0; i < n; i++)
        if (v[i] == 0) return 0;
    return 1;
}

static void reduce(const ref_call *c, folder fold)
{
    const dh_reduce_attr *attr = c->attr;
    new_result(&c->out[0], &c->in[0], &attr->axes, attr->keepdims);
    for (int64_t o = 0; o < c->out[0].count; o++) {
        int64_t n;
        double *v = gather(&c->in[0], &attr->axes, o, &n);
        c->out[0].data[o] = fold(v, n, attr->ddof);
        free(v);
    }
}

#define REDUCE(NAME)                          \
    static void run_##NAME(const ref_call *c) \
    {                                         \
        reduce(c, fold_##NAME);               \
    }
REDUCE(sum)
REDUCE(mean)
REDUCE(prod)
REDUCE(max)
REDUCE(min)
REDUCE(argmax)
REDUCE(argmin)
REDUCE(var)
REDUCE(norm)
REDUCE(any)
REDUCE(all)

static void run_sum_to(const ref_call *c)
{
    const ref_tensor *x = &c->in[0], *like = &c->in[1];
    ref_new(&c->out[0], like->ndim, like->shape);
    for (int64_t i = 0; i < x->count; i++) {
        int64_t rest = i, at = 0, step = 1;
        for (int a = x->ndim - 1, b = like->ndim - 1; a >= 0; a--, b--) {
            int64_t k = rest % x->shape[a];
            rest /= x->shape[a];
            if (b < 0) continue;
            if (like->shape[b] != 1) at += k * step;
            step *= like->shape[b];
        }
        c->out[0].data[at] += x->data[i];
    }
}

/* From the definition of each derivative, element by element. */
static double slope(const dh_reduce_dx_attr *attr, const double *v, int64_t n, int64_t i, double y)
{
    double others = 1, ties = 0;
    switch (attr->op) {
    case DH_OP_VAR: return 2 * (v[i] - fold_mean(v, n, 0)) / (double)(n - attr->ddof);
    case DH_OP_NORM: return y == 0 ? 0 : v[i] / y;
    case DH_OP_PROD:
        for (int64_t k = 0; k < n; k++) others *= k == i ? 1 : v[k];
        return others;
    default:
        for (int64_t k = 0; k < n; k++) ties += v[k] == y;
        return v[i] == y ? 1 / ties : 0;
    }
}

static void run_reduce_dx(const ref_call *c)
{
    const dh_reduce_dx_attr *attr = c->attr;
    const ref_tensor *dy = &c->in[0], *x = &c->in[1], *y = &c->in[2];
    ref_new(&c->out[0], x->ndim, x->shape);
    for (int64_t o = 0; o < y->count; o++) {
        int64_t n, k = 0;
        double *v = gather(x, &attr->axes, o, &n);
        for (int64_t i = 0; i < x->count; i++)
            if (goes_to(x, &attr->axes, i) == o)
                c->out[0].data[i] = dy->data[o] * slope(attr, v, n, k++, y->data[o]);
        free(v);
    }
}

static void run_mean_dx(const ref_call *c)
{
    const dh_reduce_attr *attr = c->attr;
    const ref_tensor *x = &c->in[1];
    ref_new(&c->out[0], x->ndim, x->shape);
    for (int64_t i = 0; i < x->count; i++)
        c->out[0].data[i] =
            c->in[0].data[goes_to(x, &attr->axes, i)] * (double)c->in[0].count / (double)x->count;
}

const ref_entry ref_reduce[] = {{"sum", run_sum},
                                {"mean", run_mean},
                                {"prod", run_prod},
                                {"max", run_max},
                                {"min", run_min},
                                {"argmax", run_argmax},
                                {"argmin", run_argmin},
                                {"var", run_var},
                                {"norm", run_norm},
                                {"any", run_any},
                                {"all", run_all},
                                {"sum_to", run_sum_to},
                                {"mean_dx", run_mean_dx},
                                {"reduce_dx", run_reduce_dx},
                                {0}};
