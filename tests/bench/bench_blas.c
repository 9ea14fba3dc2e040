/* SPDX-License-Identifier: MIT */
/* Times one f32 product of another library in the way bench_gemm times ours:
 *   bench_blas LIBRARY M N K THREADS [SECONDS [TRANS_A TRANS_B]]
 * LIBRARY is a shared object with cblas_sgemm and OpenBLAS's thread control, under their own names
 * or those of NumPy's wheel, or with the Fortran SGEMM that PyTorch's wheel carries (MKL). Prints a
 * line {"mark": "timed"} when the timing begins and one line of JSON at the end. */
#include <dlfcn.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNS_MAX  1000000
#define ROW_MAJOR 101
#define NO_TRANS  111
#define TRANS     112

typedef void cblas32(int, int, int, int, int, int, float, const float *, int, const float *, int,
                     float, float *, int);
typedef void cblas64(int, int, int, int64_t, int64_t, int64_t, float, const float *, int64_t,
                     const float *, int64_t, float, float *, int64_t);
typedef void fortran32(const char *, const char *, const int *, const int *, const int *,
                       const float *, const float *, const int *, const float *, const int *,
                       const float *, float *, const int *);

typedef struct blas {
    cblas32 *c32;
    cblas64 *c64;
    fortran32 *f32;
    char name[160];
} blas;

typedef struct product {
    int m, n, k, lda, ldb;
    bool ta, tb;
    float *a, *b, *c;
} product;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ISO C has no cast from an object pointer to a function pointer; POSIX makes the copy valid. */
static bool find(void *library, const char *symbol, void *function)
{
    void *address = dlsym(library, symbol);
    if (address) memcpy(function, &address, sizeof address);
    return address != NULL;
}

static bool use_openblas(blas *out, void *library, const char *prefix, const char *suffix,
                         int threads)
{
    char symbol[64];
    void (*set_threads)(int);
    char *(*text)(void);
    snprintf(symbol, sizeof symbol, "%sopenblas_set_num_threads%s", prefix, suffix);
    if (!find(library, symbol, &set_threads)) return false;
    set_threads(threads);
    snprintf(symbol, sizeof symbol, "%sopenblas_get_config%s", prefix, suffix);
    char version[16] = "";
    if (find(library, symbol, &text)) (void)sscanf(text(), "%*s %15s", version);
    snprintf(out->name, sizeof out->name, "OpenBLAS %s", version);
    snprintf(symbol, sizeof symbol, "%sopenblas_get_corename%s", prefix, suffix);
    if (find(library, symbol, &text)) snprintf(out->name + strlen(out->name), 64, " %.32s", text());
    snprintf(symbol, sizeof symbol, "%scblas_sgemm%s", prefix, suffix);
    return *suffix ? find(library, symbol, &out->c64) : find(library, symbol, &out->c32);
}

static bool open_blas(blas *out, const char *path, int threads)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fprintf(stderr, "bench_blas: %s\n", dlerror());
        return false;
    }
    if (use_openblas(out, library, "", "", threads)) return true;
    if (use_openblas(out, library, "scipy_", "64_", threads)) return true;
    int (*set_threads)(int);
    if (find(library, "SGEMM", &out->f32) &&
        find(library, "MKL_Set_Num_Threads_Local", &set_threads)) {
        set_threads(threads);
        snprintf(out->name, sizeof out->name, "MKL");
        return true;
    }
    fprintf(stderr, "bench_blas: %s has no sgemm with a thread control known here\n", path);
    return false;
}

static void multiply(const blas *l, const product *p)
{
    int ta = p->ta ? TRANS : NO_TRANS, tb = p->tb ? TRANS : NO_TRANS;
    if (l->c32) {
        l->c32(ROW_MAJOR, ta, tb, p->m, p->n, p->k, 1, p->a, p->lda, p->b, p->ldb, 0, p->c, p->n);
    } else if (l->c64) {
        l->c64(ROW_MAJOR, ta, tb, p->m, p->n, p->k, 1, p->a, p->lda, p->b, p->ldb, 0, p->c, p->n);
    } else {
        /* Fortran's columns are our rows: C^T = B^T A^T */
        const float one = 1, zero = 0;
        l->f32(p->tb ? "T" : "N", p->ta ? "T" : "N", &p->n, &p->m, &p->k, &one, p->b, &p->ldb, p->a,
               &p->lda, &zero, p->c, &p->n);
    }
}

/* A wrong argument would time another product. */
static bool is_right(const product *p)
{
    for (int try = 0; try < 8; try++) {
        int i = (int)((long long)try * (p->m - 1) / 7), j = (int)((7LL - try) * (p->n - 1) / 7);
        double want = 0;
        for (int s = 0; s < p->k; s++)
            want += (double)p->a[p->ta ? (size_t)s * p->lda + i : (size_t)i * p->lda + s] *
                    p->b[p->tb ? (size_t)j * p->ldb + s : (size_t)s * p->ldb + j];
        if (!(fabs(p->c[(size_t)i * p->n + j] - want) <= 1e-3)) return false;
    }
    return true;
}

static float *random_matrix(size_t count)
{
    float *x = aligned_alloc(64, (count * sizeof *x + 63) / 64 * 64);
    uint32_t state = 12345;
    for (size_t i = 0; x && i < count; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(state >> 8) / 16777216.0f - 0.5f;
    }
    return x;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int measure(const blas *l, const product *p, int threads, double seconds, double *times)
{
    for (int i = 0; i < 3; i++) multiply(l, p);
    if (!is_right(p)) {
        fprintf(stderr, "bench_blas: %s gives a wrong product\n", l->name);
        return 1;
    }
    printf("{\"mark\": \"timed\"}\n");
    fflush(stdout);
    size_t runs = 0;
    double start = now(), before = start;
    do {
        multiply(l, p);
        double after = now();
        times[runs++] = after - before;
        before = after;
    } while (runs < RUNS_MAX && before - start < seconds);
    qsort(times, runs, sizeof *times, by_value);
    double flops = 2.0 * p->m * p->n * p->k;
    printf("{\"m\": %d, \"n\": %d, \"k\": %d, \"trans_a\": %d, \"trans_b\": %d, \"threads\": %d, "
           "\"ms_median\": %.5f, \"ms_min\": %.5f, \"gflops\": %.1f, \"impl\": \"%s\"}\n",
           p->m, p->n, p->k, p->ta, p->tb, threads, times[runs / 2] * 1e3, times[0] * 1e3,
           flops / times[runs / 2] * 1e-9, l->name);
    return 0;
}

int main(int count, char **args)
{
    int size[4] = {0};
    for (int i = 0; i < 4 && i + 2 < count; i++) size[i] = atoi(args[i + 2]);
    if (size[0] < 1 || size[1] < 1 || size[2] < 1 || size[3] < 1) {
        fprintf(stderr, "usage: bench_blas LIBRARY M N K THREADS [SECONDS [TRANS_A TRANS_B]]\n");
        return 2;
    }
    blas library = {0};
    if (!open_blas(&library, args[1], size[3])) return 3;
    product p = {.m = size[0], .n = size[1], .k = size[2]};
    p.ta = count > 7 && atoi(args[7]);
    p.tb = count > 8 && atoi(args[8]);
    p.lda = p.ta ? p.m : p.k;
    p.ldb = p.tb ? p.k : p.n;
    p.a = random_matrix((size_t)p.m * (size_t)p.k);
    p.b = random_matrix((size_t)p.k * (size_t)p.n);
    p.c = random_matrix((size_t)p.m * (size_t)p.n);
    double *times = malloc(RUNS_MAX * sizeof *times);
    int failed = 1;
    if (p.a && p.b && p.c && times)
        failed = measure(&library, &p, size[3], count > 6 ? atof(args[6]) : 1, times);
    free(times);
    free(p.c);
    free(p.b);
    free(p.a);
    return failed;
}
