/* SPDX-License-Identifier: MIT */
/* triangle; inverse and determinant in double, by LAPACK where it is installed, else by elimination
 * with partial pivoting (Golub and Van Loan, "Matrix Computations", 3.4). */
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "cpu.h"
#include "move.h"
#include "team.h"

/* --- triangle --- */

static void copy_elements(char *dst, int64_t ds, const char *src, int64_t ss, int64_t n,
                          size_t size)
{
    if (dst == src && ds == ss) return;
    if (ds == (int64_t)size && ss == (int64_t)size) {
        memcpy(dst, src, (size_t)n * size);
        return;
    }
    for (int64_t i = 0; i < n; i++) memcpy(dst + i * ds, src + i * ss, size);
}

static void clear_elements(char *dst, int64_t ds, int64_t n, size_t size)
{
    if (ds == (int64_t)size)
        memset(dst, 0, (size_t)n * size);
    else
        for (int64_t i = 0; i < n; i++) memset(dst + i * ds, 0, size);
}

static void triangle_rows(void *context, int64_t begin, int64_t end)
{
    const dh_call *call = context;
    const dh_triangle_attr *attr = call->attr;
    const dh_view *x = &call->in[0], *y = &call->out[0];
    int last = x->ndim - 1;
    size_t size = dh_dtype_size(x->dtype);
    int64_t m = x->shape[last - 1], n = x->shape[last];
    int64_t xs = x->stride[last] * (int64_t)size, ys = y->stride[last] * (int64_t)size;
    for (int64_t row = begin; row < end; row++) {
        const char *src = (const char *)x->data + dh__offset_of(x, last, row) * (int64_t)size;
        char *dst = (char *)y->data + dh__offset_of(y, last, row) * (int64_t)size;
        /* columns [0, cut) and [cut, n): the second half is kept above the diagonal */
        int64_t cut = row % m + attr->k + !attr->upper;
        cut = cut < 0 ? 0 : cut > n ? n : cut;
        if (attr->upper) {
            clear_elements(dst, ys, cut, size);
            copy_elements(dst + cut * ys, ys, src + cut * xs, xs, n - cut, size);
        } else {
            copy_elements(dst, ys, src, xs, cut, size);
            clear_elements(dst + cut * ys, ys, n - cut, size);
        }
    }
}

static dh_status run_triangle(const dh_call *call)
{
    dh_call c = *call;
    int64_t count = dh__view_count(&call->in[0]), n = call->in[0].shape[call->in[0].ndim - 1];
    if (count == 0) return DH_OK;
    dh__team_ranges(count / n, 16384 / n + 1, triangle_rows, &c);
    return DH_OK;
}

static const dh_impl triangle_any = {.name = "rows", .run = run_triangle};
const dh_impl *const dh_cpu_triangle[] = {&triangle_any, NULL};

/* --- LAPACK --- */

typedef void (*getrf_fn)(const int *m, const int *n, double *a, const int *lda, int *pivot,
                         int *info);
typedef void (*getri_fn)(const int *n, double *a, const int *lda, const int *pivot, double *work,
                         const int *work_count, int *info);

static struct {
    getrf_fn getrf;
    getri_fn getri;
    void (*set_threads)(int count); /* OpenBLAS only; its bits change with its threads */
    int (*get_threads)(void);
} lapack;

/* ISO C has no cast from void * to a function. */
static void load_function(void *library, const char *name, void *out, size_t size)
{
    void *symbol = dh__library_symbol(library, name);
    memcpy(out, &symbol, size);
}

static void open_lapack(void)
{
    static const char *const names[] = {"libopenblas.so.0", "liblapack.so.3", NULL};
    dh__error before;
    dh__error_save(&before);
    void *library = dh__library_open(names, "libopenblas0");
    if (library) {
        load_function(library, "dgetrf_", &lapack.getrf, sizeof lapack.getrf);
        load_function(library, "dgetri_", &lapack.getri, sizeof lapack.getri);
        load_function(library, "openblas_set_num_threads", &lapack.set_threads,
                      sizeof lapack.set_threads);
        load_function(library, "openblas_get_num_threads", &lapack.get_threads,
                      sizeof lapack.get_threads);
    }
    dh__error_restore(&before); /* what is missing is no failure here: elimination stands in */
}

#define LAPACK_BLOCK 64    /* columns that dgetri works on at once */
#define LAPACK_SIDE  16384 /* keeps every count within LAPACK's int */

static const char *refuse_lapack(const dh_call *call)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_lapack);
    const dh_view *x = &call->in[0];
    if (!lapack.getrf || !lapack.getri) return "LAPACK is not installed (package libopenblas0)";
    return x->shape[x->ndim - 1] > LAPACK_SIDE ? "the matrix is too large for LAPACK's int" : NULL;
}

/* --- one matrix: a [n, n] packed; true where it is singular --- */

typedef struct solver {
    int64_t n;
    int *pivot;   /* n */
    double *work; /* LAPACK_BLOCK * n */
    double det;   /* times 2^exponent: the product of pivots may leave the range on its way */
    int64_t exponent;
} solver;

static void det_begin(solver *s)
{
    s->det = 1;
    s->exponent = 0;
}

static void det_times(solver *s, double pivot)
{
    int of_pivot, of_product;
    double mantissa = frexp(pivot, &of_pivot), product = frexp(s->det * mantissa, &of_product);
    s->det = product;
    /* frexp says nothing of the exponent of what has none */
    if (isfinite(product)) s->exponent += of_pivot + of_product;
}

static double det_of(const solver *s)
{
    int64_t e = s->exponent;
    return ldexp(s->det, e < -4096 ? -4096 : e > 4096 ? 4096 : (int)e);
}

static bool lapack_inverse(solver *s, double *a)
{
    int n = (int)s->n, count = LAPACK_BLOCK * n, info = 0;
    if (n == 0) return false; /* LAPACK ends the process for a leading dimension of 0 */
    lapack.getrf(&n, &n, a, &n, s->pivot,
                 &info); /* of the transpose, whose inverse is transposed */
    if (info == 0) lapack.getri(&n, a, &n, s->pivot, s->work, &count, &info);
    return info != 0;
}

static bool lapack_det(solver *s, double *a)
{
    int n = (int)s->n, info = 0;
    det_begin(s);
    if (n > 0) lapack.getrf(&n, &n, a, &n, s->pivot, &info);
    for (int i = 0; i < n; i++)
        det_times(s, s->pivot[i] == i + 1 ? a[i * s->n + i] : -a[i * s->n + i]);
    return false;
}

/* Brings the largest element of column c, from row c on, to row c; returns where it was. */
static int64_t pivot_row(double *a, int64_t n, int64_t c)
{
    int64_t best = c;
    for (int64_t r = c + 1; r < n; r++)
        if (fabs(a[r * n + c]) > fabs(a[best * n + c])) best = r;
    for (int64_t j = 0; best != c && j < n; j++) {
        double swap = a[c * n + j];
        a[c * n + j] = a[best * n + j];
        a[best * n + j] = swap;
    }
    return best;
}

static bool own_inverse(solver *s, double *a)
{
    int64_t n = s->n;
    for (int64_t c = 0; c < n; c++) {
        double *row = a + c * n;
        s->pivot[c] = (int)pivot_row(a, n, c);
        if (row[c] == 0) return true;
        double scale = 1 / row[c];
        row[c] = 1;
        for (int64_t j = 0; j < n; j++) row[j] *= scale;
        for (int64_t r = 0; r < n; r++) {
            double *other = a + r * n, factor = other[c];
            if (r == c || factor == 0) continue;
            other[c] = 0;
            for (int64_t j = 0; j < n; j++) other[j] -= factor * row[j];
        }
    }
    for (int64_t c = n - 1; c >= 0; c--) /* rows that were exchanged are columns of the inverse */
        for (int64_t r = 0, p = s->pivot[c]; p != c && r < n; r++) {
            double swap = a[r * n + c];
            a[r * n + c] = a[r * n + p];
            a[r * n + p] = swap;
        }
    return false;
}

static bool own_det(solver *s, double *a)
{
    int64_t n = s->n;
    det_begin(s);
    for (int64_t c = 0; c < n; c++) {
        bool exchanged = pivot_row(a, n, c) != c;
        det_times(s, exchanged ? -a[c * n + c] : a[c * n + c]);
        if (a[c * n + c] == 0) continue;
        for (int64_t r = c + 1; r < n; r++) {
            double factor = a[r * n + c] / a[c * n + c];
            for (int64_t j = c; j < n; j++) a[r * n + j] -= factor * a[c * n + j];
        }
    }
    return false;
}

/* --- all matrices of a batch --- */

#define SOLVE_GROUPS 16

typedef bool (*solve_fn)(solver *s, double *a);

typedef struct solving {
    const dh_call *call;
    solve_fn solve;
    int64_t n, batch, groups;
    size_t each;     /* scratch of a group */
    int64_t *failed; /* first singular matrix of each group, -1: none */
} solving;

static size_t group_bytes(int64_t n, solver *s, double **matrix, char *base)
{
    dh__arena arena = {base, 0};
    double *a = dh__arena_take(&arena, (size_t)(n * n) * sizeof(double));
    s->pivot = dh__arena_take(&arena, (size_t)n * sizeof(int));
    s->work = dh__arena_take(&arena, (size_t)(LAPACK_BLOCK * n) * sizeof(double));
    s->n = n;
    if (matrix) *matrix = a;
    return arena.used;
}

/* The matrix at flat position i of the batch axes. */
static dh_view matrix_at(const dh_view *x, int64_t i)
{
    dh_view m = *x;
    m.ndim = 2;
    for (int k = 0; k < 2; k++) {
        m.shape[k] = x->shape[x->ndim - 2 + k];
        m.stride[k] = x->stride[x->ndim - 2 + k];
    }
    m.data = (char *)x->data + dh__offset_of(x, x->ndim - 2, i) * (int64_t)dh_dtype_size(x->dtype);
    return m;
}

/* OpenBLAS multiplies by the reciprocal of a pivot, which is infinite where the pivot is subnormal:
 * elimination divides by it. */
static bool solve_one(const solving *v, solver *s, double *a, const dh_view *from)
{
    dh_view packed = {DH_F64, 2, {v->n, v->n}, {v->n, 1}, a};
    dh__widen(&packed, from);
    bool singular = v->solve(s, a);
    if (v->solve != lapack_det || isfinite(s->det)) return singular;
    dh__widen(&packed, from);
    return own_det(s, a);
}

static void solve_group(void *context, int64_t group)
{
    const solving *v = context;
    const dh_view *x = &v->call->in[0], *y = &v->call->out[0];
    bool inverse = v->call->op == &dh_op_inverse;
    solver s;
    double *a;
    group_bytes(v->n, &s, &a, (char *)v->call->scratch + (size_t)group * v->each);
    int64_t begin = v->batch * group / v->groups, end = v->batch * (group + 1) / v->groups;
    for (int64_t i = begin; i < end && v->failed[group] < 0; i++) {
        dh_view from = matrix_at(x, i);
        if (solve_one(v, &s, a, &from)) {
            v->failed[group] = i;
        } else if (inverse) {
            dh_view to = matrix_at(y, i), packed = {DH_F64, 2, {v->n, v->n}, {v->n, 1}, a};
            dh__narrow(&to, &packed);
        } else {
            dh__store(y->dtype,
                      (char *)y->data +
                          dh__offset_of(y, y->ndim, i) * (int64_t)dh_dtype_size(y->dtype),
                      det_of(&s));
        }
    }
}

static int64_t batch_of(const dh_view *x)
{
    int64_t batch = 1;
    for (int i = 0; i < x->ndim - 2; i++) batch *= x->shape[i];
    return batch;
}

static size_t solve_scratch(const dh_call *call)
{
    solver s;
    int64_t batch = batch_of(&call->in[0]);
    size_t each = group_bytes(call->in[0].shape[call->in[0].ndim - 1], &s, NULL, NULL);
    return each * (size_t)(batch < SOLVE_GROUPS ? batch : SOLVE_GROUPS);
}

static dh_status run_solve(const dh_call *call, solve_fn solve)
{
    const dh_view *x = &call->in[0];
    int64_t failed[SOLVE_GROUPS];
    solver s;
    solving v = {.call = call, .solve = solve, .failed = failed, .n = x->shape[x->ndim - 1]};
    v.batch = batch_of(x);
    v.groups = v.batch < SOLVE_GROUPS ? v.batch : SOLVE_GROUPS;
    v.each = group_bytes(v.n, &s, NULL, NULL);
    for (int i = 0; i < SOLVE_GROUPS; i++) failed[i] = -1;
    if (v.n * v.n * v.n * v.batch < 32768)
        for (int64_t g = 0; g < v.groups; g++) solve_group(&v, g);
    else
        dh__team_run(v.groups, solve_group, &v);
    for (int64_t g = 0; g < v.groups; g++)
        DH_REQUIRE(failed[g] < 0, DH_ENUMERIC,
                   "inverse: x: matrix %lld of the batch of %lld is singular", (long long)failed[g],
                   (long long)v.batch);
    return DH_OK;
}

/* OpenBLAS's thread count is the process's, and so are its buffers where it was built with OpenMP:
 * callers from threads of their own take turns. One thread, so that bits don't tell the number. */
static dh_status run_lapack(const dh_call *call)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&mutex);
    int threads = lapack.get_threads && lapack.set_threads ? lapack.get_threads() : 1;
    if (threads > 1) lapack.set_threads(1);
    dh_status status = run_solve(call, call->op == &dh_op_det ? lapack_det : lapack_inverse);
    if (threads > 1) lapack.set_threads(threads);
    pthread_mutex_unlock(&mutex);
    return status;
}

static dh_status run_own(const dh_call *call)
{
    return run_solve(call, call->op == &dh_op_det ? own_det : own_inverse);
}

static const dh_impl solve_lapack = {
    .name = "lapack", .refuse = refuse_lapack, .scratch = solve_scratch, .run = run_lapack};
static const dh_impl solve_own = {.name = "elimination", .scratch = solve_scratch, .run = run_own};
const dh_impl *const dh_cpu_inverse[] = {&solve_lapack, &solve_own, NULL};
const dh_impl *const dh_cpu_det[] = {&solve_lapack, &solve_own, NULL};
