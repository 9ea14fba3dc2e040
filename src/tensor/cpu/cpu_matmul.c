/* SPDX-License-Identifier: MIT */
/* matmul and linear. f32 and f64 go to the packed GEMM: where all batches share b they are but more
 * rows of one product, many small products share the team, others take turns with all of it. The
 * rest is summed in double, integers modulo 2^64. */
#include <string.h>

#include "cpu.h"
#include "gemm.h"
#include "move.h"
#include "team.h"

/* a [.., m, k], b [.., k, n], c [.., m, n] with equal batch axes, broadcast by strides of 0. */
typedef struct product {
    dh_view a, b, c;
    const dh_view *bias;
    int batch_ndim;
    int64_t batch, m, n, k;
    dh__act act;
    double act_alpha;
} product;

/* x as a matrix under batch axes of the given lengths; at: where a 1-D x gets its second axis. */
static dh_view as_matrix(const dh_view *x, int at, int batch_ndim, const int64_t *batch)
{
    dh_view v = *x, y = *x;
    if (v.ndim == 1) {
        v.ndim = 2;
        v.shape[1 - at] = x->shape[0];
        v.stride[1 - at] = x->stride[0];
        v.shape[at] = 1;
        v.stride[at] = 0;
    }
    y.ndim = batch_ndim + 2;
    for (int i = 0; i < batch_ndim; i++) {
        int from = v.ndim - 2 - batch_ndim + i;
        y.shape[i] = batch[i];
        y.stride[i] = from >= 0 && v.shape[from] == batch[i] ? v.stride[from] : 0;
    }
    for (int i = 0; i < 2; i++) {
        y.shape[batch_ndim + i] = v.shape[v.ndim - 2 + i];
        y.stride[batch_ndim + i] = v.stride[v.ndim - 2 + i];
    }
    return y;
}

static dh_view as_result(const dh_view *y, bool a_vector, bool b_vector)
{
    dh_view v = *y;
    if (a_vector) { /* [.., n] -> [.., 1, n] */
        int at = b_vector ? v.ndim : v.ndim - 1;
        if (!b_vector) {
            v.shape[at + 1] = v.shape[at];
            v.stride[at + 1] = v.stride[at];
        }
        v.shape[at] = 1;
        v.stride[at] = 0;
        v.ndim++;
    }
    if (b_vector) {
        v.shape[v.ndim] = 1;
        v.stride[v.ndim++] = 0;
    }
    return v;
}

/* Takes the innermost batch axis into the rows where b is the same for all of it. */
static bool merge_batch(product *p)
{
    int j = p->batch_ndim - 1, row = p->batch_ndim;
    int64_t count = p->c.shape[j];
    if (count != 1) {
        if (p->b.stride[j] != 0) return false;
        if (p->m == 1) {
            p->a.stride[row] = p->a.stride[j];
            p->c.stride[row] = p->c.stride[j];
        } else if (p->a.stride[j] != p->m * p->a.stride[row] ||
                   p->c.stride[j] != p->m * p->c.stride[row]) {
            return false;
        }
        p->m *= count;
    }
    dh_view *views[3] = {&p->a, &p->b, &p->c};
    for (int i = 0; i < 3; i++) {
        dh_view *v = views[i];
        v->shape[j] = v->shape[j + 1];
        v->stride[j] = v->stride[j + 1];
        v->shape[j + 1] = v->shape[j + 2];
        v->stride[j + 1] = v->stride[j + 2];
        v->ndim--;
    }
    p->batch_ndim--;
    p->a.shape[p->batch_ndim] = p->c.shape[p->batch_ndim] = p->m;
    return true;
}

static product make_product(const dh_call *call, const dh_view *a, const dh_view *b,
                            const dh_view *c, const dh_view *bias)
{
    product p = {.bias = bias, .batch = 1};
    p.c = as_result(c, a->ndim == 1, b->ndim == 1);
    p.batch_ndim = p.c.ndim - 2;
    p.a = as_matrix(a, 0, p.batch_ndim, p.c.shape);
    p.b = as_matrix(b, 1, p.batch_ndim, p.c.shape);
    p.m = p.c.shape[p.batch_ndim];
    p.n = p.c.shape[p.batch_ndim + 1];
    p.k = p.a.shape[p.batch_ndim + 1];
    if (call->op == &dh_op_linear) {
        const dh_linear_attr *attr = call->attr;
        p.act = (dh__act)attr->act;
        p.act_alpha = attr->alpha;
    }
    while (p.batch_ndim > 0 && merge_batch(&p)) {
    }
    for (int i = 0; i < p.batch_ndim; i++) p.batch *= p.c.shape[i];
    return p;
}

static product whole_product(const dh_call *call)
{
    return make_product(call, &call->in[0], &call->in[1], &call->out[0],
                        call->in_count > 2 ? &call->in[2] : NULL);
}

/* --- by GEMM --- */

#define SMALL_SIDE   128 /* products with no longer side are not worth a team each */
#define SMALL_GROUPS 16

static dh__gemm gemm_of(const product *p, int64_t batch)
{
    int j = p->batch_ndim;
    int64_t size = (int64_t)dh_dtype_size(p->c.dtype);
    dh__gemm g = {.m = p->m,
                  .n = p->n,
                  .k = p->k,
                  .alpha = 1,
                  .act = p->act,
                  .act_alpha = p->act_alpha,
                  .f64 = p->c.dtype == DH_F64};
    if (p->c.data) {
        g.a = (const char *)p->a.data + dh__offset_of(&p->a, j, batch) * size;
        g.b = (const char *)p->b.data + dh__offset_of(&p->b, j, batch) * size;
        g.c = (char *)p->c.data + dh__offset_of(&p->c, j, batch) * size;
        g.bias = p->bias ? p->bias->data : NULL;
    }
    g.a_row = p->a.stride[j];
    g.a_col = p->a.stride[j + 1];
    g.b_row = p->b.stride[j];
    g.b_col = p->b.stride[j + 1];
    g.c_row = p->m > 1 ? p->c.stride[j] : p->n;
    return g;
}

static const char *refuse_gemm(const dh_call *call)
{
    product p = whole_product(call);
    if (p.c.dtype != DH_F32 && p.c.dtype != DH_F64) return "dtype is neither f32 nor f64";
    if (p.n > 1 && p.c.stride[p.batch_ndim + 1] != 1) return "columns of y are not packed";
    if (p.n > 1 && p.bias && p.bias->stride[0] != 1) return "bias is not packed";
    return NULL;
}

static bool is_small(const product *p)
{
    return p->batch > 1 && p->m <= SMALL_SIDE && p->n <= SMALL_SIDE && p->k <= SMALL_SIDE;
}

static int64_t group_count(const product *p)
{
    return p->batch < SMALL_GROUPS ? p->batch : SMALL_GROUPS;
}

static size_t small_scratch(const product *p)
{
    dh__gemm g = gemm_of(p, 0);
    return (dh__gemm_scratch(&g) + 63) / 64 * 64;
}

/* A side may shrink until the product is small, so that room for the largest small one is kept; a
 * batch axis to 1, so that its rows are merged after all. */
static size_t gemm_scratch(const dh_call *call)
{
    product p = whole_product(call);
    dh__gemm g = gemm_of(&p, 0);
    g.m *= p.batch;
    size_t large = dh__gemm_scratch(&g);
    if (p.batch < 2) return large;
    if (p.m > SMALL_SIDE) p.m = SMALL_SIDE;
    if (p.n > SMALL_SIDE) p.n = SMALL_SIDE;
    if (p.k > SMALL_SIDE) p.k = SMALL_SIDE;
    size_t small = small_scratch(&p) * (size_t)group_count(&p);
    return large > small ? large : small;
}

typedef struct small_products {
    const product *p;
    char *scratch;
    size_t each;
    int64_t groups;
} small_products;

static void small_group(void *context, int64_t group)
{
    const small_products *s = context;
    int64_t begin = s->p->batch * group / s->groups, end = s->p->batch * (group + 1) / s->groups;
    for (int64_t i = begin; i < end; i++) {
        dh__gemm g = gemm_of(s->p, i);
        dh__gemm_run(&g, s->scratch + (size_t)group * s->each);
    }
}

static dh_status run_gemm(const dh_call *call)
{
    product p = whole_product(call);
    if (p.batch * p.m * p.n == 0) return DH_OK;
    if (is_small(&p)) {
        small_products s = {&p, call->scratch, small_scratch(&p), group_count(&p)};
        if (p.batch * p.m * p.n * p.k < 65536)
            for (int64_t i = 0; i < s.groups; i++) small_group(&s, i);
        else
            dh__team_run(s.groups, small_group, &s);
        return DH_OK;
    }
    for (int64_t i = 0; i < p.batch; i++) {
        dh__gemm g = gemm_of(&p, i);
        dh__gemm_run(&g, call->scratch);
    }
    return DH_OK;
}

/* --- by wide sums --- */

static void wide_rows(void *context, int64_t begin, int64_t end)
{
    const product *p = context;
    int j = p->batch_ndim;
    int64_t bs = p->b.stride[j + 1];
    for (int64_t row = begin; row < end; row++) {
        int64_t batch = row / p->m, i = row % p->m;
        int64_t at_a = dh__offset_of(&p->a, j, batch) + i * p->a.stride[j];
        int64_t at_b = dh__offset_of(&p->b, j, batch);
        int64_t at_c = dh__offset_of(&p->c, j, batch) + i * p->c.stride[j];
        if (p->c.dtype == DH_U64) {
            uint64_t *c = (uint64_t *)p->c.data + at_c;
            memset(c, 0, (size_t)p->n * 8);
            for (int64_t q = 0; q < p->k; q++) {
                uint64_t a = ((const uint64_t *)p->a.data)[at_a + q * p->a.stride[j + 1]];
                const uint64_t *b = (const uint64_t *)p->b.data + at_b + q * p->b.stride[j];
                for (int64_t x = 0; x < p->n; x++) c[x] += a * b[x * bs];
            }
            continue;
        }
        double *c = (double *)p->c.data + at_c;
        memset(c, 0, (size_t)p->n * 8);
        for (int64_t q = 0; q < p->k; q++) {
            double a = ((const double *)p->a.data)[at_a + q * p->a.stride[j + 1]];
            const double *b = (const double *)p->b.data + at_b + q * p->b.stride[j];
            for (int64_t x = 0; x < p->n; x++) c[x] += a * b[x * bs];
        }
        for (int64_t x = 0; x < p->n; x++)
            c[x] = dh__act_of(p->act, p->act_alpha,
                              p->bias ? c[x] + ((const double *)p->bias->data)[x] : c[x]);
    }
}

static size_t wide_scratch(const dh_call *call)
{
    size_t count = (size_t)dh__view_count(&call->out[0]);
    for (int i = 0; i < call->in_count; i++) count += (size_t)dh__view_count(&call->in[i]) + 8;
    return 8 * count;
}

static dh_status run_wide(const dh_call *call)
{
    dh__arena arena = {call->scratch, 0};
    dh_dtype wide = dh__wide_dtype(call->out[0].dtype);
    dh_view in[3], c;
    for (int i = 0; i < call->in_count; i++) {
        in[i] = dh__arena_view(&arena, wide, &call->in[i]);
        dh__widen(&in[i], &call->in[i]);
    }
    c = dh__arena_view(&arena, wide, &call->out[0]);
    product p = make_product(call, &in[0], &in[1], &c, call->in_count > 2 ? &in[2] : NULL);
    if (p.batch * p.m * p.n == 0) return DH_OK;
    int64_t grain = 32768 / (p.n * p.k + 1);
    dh__team_ranges(p.batch * p.m, grain < 1 ? 1 : grain, wide_rows, &p);
    dh__narrow(&call->out[0], &c);
    return DH_OK;
}

static const dh_impl product_gemm = {
    .name = "gemm", .refuse = refuse_gemm, .scratch = gemm_scratch, .run = run_gemm};
static const dh_impl product_wide = {.name = "wide", .scratch = wide_scratch, .run = run_wide};
const dh_impl *const dh_cpu_matmul[] = {&product_gemm, &product_wide, NULL};
const dh_impl *const dh_cpu_linear[] = {&product_gemm, &product_wide, NULL};
