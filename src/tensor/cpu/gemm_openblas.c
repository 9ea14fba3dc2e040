/* SPDX-License-Identifier: MIT */
/* DEEPHEALTH_GEMM=openblas: the products are OpenBLAS's, each piece of a tile grid on one thread of
 * our team, so that here too the bits do not depend on the number of threads. */
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "gemm_impl.h"
#include "team.h"

#define TILE_ROWS 512
#define TILE_COLS 256

/* of CBLAS: enum values and argument order */
enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112 };
typedef void (*sgemm_fn)(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                         const float *a, int lda, const float *b, int ldb, float beta, float *c,
                         int ldc);
typedef void (*dgemm_fn)(int order, int trans_a, int trans_b, int m, int n, int k, double alpha,
                         const double *a, int lda, const double *b, int ldb, double beta, double *c,
                         int ldc);
typedef void (*set_threads_fn)(int threads);

static pthread_once_t once = PTHREAD_ONCE_INIT;
static sgemm_fn sgemm;
static dgemm_fn dgemm;
static bool wanted;
static pthread_once_t wanted_once = PTHREAD_ONCE_INIT;
static atomic_int forced = -1;

/* ISO C has no cast from a data pointer to a function's. */
static bool find(void *library, const char *name, void *function)
{
    void *symbol = dh__library_symbol(library, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static void load(void)
{
    static const char *const names[] = {"libopenblas.so.0", NULL};
    void *library = dh__library_open(names, "libopenblas0-openmp");
    sgemm_fn s;
    dgemm_fn d;
    set_threads_fn set_threads;
    if (library && find(library, "cblas_sgemm", &s) && find(library, "cblas_dgemm", &d) &&
        find(library, "openblas_set_num_threads", &set_threads)) {
        set_threads(1);
        sgemm = s;
        dgemm = d;
        return;
    }
    dh__log(DH_LOG_WARNING, "DEEPHEALTH_GEMM is \"openblas\", but %s; the built-in GEMM is used",
            dh_error_text());
}

static void read_choice(void)
{
    const char *choice = getenv("DEEPHEALTH_GEMM");
    wanted = choice && strcmp(choice, "openblas") == 0;
    if (choice && choice[0] && !wanted && strcmp(choice, "builtin") != 0)
        dh__log(DH_LOG_WARNING,
                "DEEPHEALTH_GEMM is \"%s\", must be builtin or openblas; builtin is used", choice);
}

static bool in_force(void)
{
    int choice = atomic_load_explicit(&forced, memory_order_relaxed);
    pthread_once(&wanted_once, read_choice);
    if (choice == 0 || (choice < 0 && !wanted)) return false;
    pthread_once(&once, load);
    return sgemm != NULL;
}

bool dh__gemm_force_openblas(int choice)
{
    atomic_store(&forced, choice);
    return in_force();
}

/* The leading dimension and transposition that CBLAS wants; false if there are none. */
static bool layout(int64_t row, int64_t col, int64_t rows, int64_t cols, int *trans, int *lead)
{
    bool turned = col != 1;
    int64_t step = turned ? col : row, least = turned ? rows : cols;
    if (turned && row != 1) return false;
    if ((turned ? cols : rows) <= 1) step = least; /* one line: its stride does not matter */
    if (step < least || step > INT_MAX) return false;
    *trans = turned ? TRANS : NO_TRANS;
    *lead = (int)step;
    return true;
}

typedef struct blas_job {
    const dh__gemm *g;
    int trans_a, trans_b, lda, ldb;
    int64_t columns; /* of tiles */
} blas_job;

static bool make_job(blas_job *job, const dh__gemm *g)
{
    job->g = g;
    job->columns = (g->n - 1) / TILE_COLS + 1;
    return g->k > 0 && g->k <= INT_MAX && g->c_row <= INT_MAX && (g->c_row >= g->n || g->m == 1) &&
           layout(g->a_row, g->a_col, g->m, g->k, &job->trans_a, &job->lda) &&
           layout(g->b_row, g->b_col, g->k, g->n, &job->trans_b, &job->ldb);
}

bool dh__gemm_takes_openblas(const dh__gemm *g)
{
    blas_job job;
    return in_force() && make_job(&job, g);
}

static void run_tile(void *context, int64_t tile)
{
    const blas_job *job = context;
    const dh__gemm *g = job->g;
    int64_t size = g->f64 ? 8 : 4;
    int64_t i = tile / job->columns * TILE_ROWS, j = tile % job->columns * TILE_COLS;
    int m = (int)(g->m - i < TILE_ROWS ? g->m - i : TILE_ROWS);
    int n = (int)(g->n - j < TILE_COLS ? g->n - j : TILE_COLS);
    const char *a = (const char *)g->a + i * g->a_row * size;
    const char *b = (const char *)g->b + j * g->b_col * size;
    char *c = (char *)g->c + (i * g->c_row + j) * size;
    int ldc = g->m == 1 ? (int)(g->n > g->c_row ? g->n : g->c_row) : (int)g->c_row;
    if (g->f64)
        dgemm(ROW_MAJOR, job->trans_a, job->trans_b, m, n, (int)g->k, g->alpha, (const double *)a,
              job->lda, (const double *)b, job->ldb, g->beta, (double *)c, ldc);
    else
        sgemm(ROW_MAJOR, job->trans_a, job->trans_b, m, n, (int)g->k, (float)g->alpha,
              (const float *)a, job->lda, (const float *)b, job->ldb, (float)g->beta, (float *)c,
              ldc);
    if (!g->bias && g->act == DH_ACT_NONE) return;
    const char *bias = g->bias;
    if (bias) bias += j * size;
    for (int row = 0; row < m; row++, c += g->c_row * size)
        dh__gemm_finish(g, c, 1, c, bias, 1, n, 1, 0);
}

void dh__gemm_run_openblas(const dh__gemm *g)
{
    blas_job job;
    if (!make_job(&job, g)) return;
    dh__team_run(((g->m - 1) / TILE_ROWS + 1) * job.columns, run_tile, &job);
}
