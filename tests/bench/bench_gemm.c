/* SPDX-License-Identifier: MIT */
/* Times one product, or measures the FMA peak that products are held against:
 *   bench_gemm M N K THREADS [SECONDS [TRANS_A TRANS_B]]
 *   bench_gemm peak THREADS
 * and prints one line of JSON. DEEPHEALTH_GEMM=openblas times OpenBLAS on our tile grid,
 * DEEPHEALTH_ISA another instruction set. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fma_peak.h"
#include "gemm.h"
#include "team.h"

#define RUNS_MAX   1000000
#define PEAK_TRIES 999

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static float *random_matrix(int64_t count)
{
    float *x = dh__alloc((size_t)count * sizeof *x);
    if (!x) return NULL;
    uint32_t state = 12345;
    for (int64_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(state >> 8) / 16777216.0f - 0.5f;
    }
    return x;
}

static int measure_peak(int threads)
{
    double best = 0;
    (void)dh__team_limit(threads);
    double median = dh__fma_peak(PEAK_TRIES, &best);
    printf("{\"what\": \"fma_peak\", \"threads\": %d, \"gflops\": %.1f, \"gflops_best\": %.1f, "
           "\"isa\": \"%s\", \"cpu\": \"%s\"}\n",
           threads, median * 1e-9, best * 1e-9, dh__isa_name(dh__cpu_isa()), dh__cpu_model());
    return 0;
}

static int64_t repeat(const dh__gemm *g, void *scratch, double seconds, double *times)
{
    int64_t runs = 0;
    for (int i = 0; i < 3; i++) dh__gemm_run(g, scratch);
    double start = dh__now(), before = start;
    do {
        dh__gemm_run(g, scratch);
        double now = dh__now();
        times[runs++] = now - before;
        before = now;
    } while (runs < RUNS_MAX && before - start < seconds);
    return runs;
}

static int measure_product(int64_t m, int64_t n, int64_t k, int threads, double seconds, bool ta,
                           bool tb)
{
    (void)dh__team_limit(threads);
    float *a = random_matrix(m * k), *b = random_matrix(k * n), *c = random_matrix(m * n);
    dh__gemm g = {.m = m, .n = n, .k = k, .a = a, .b = b, .c = c, .c_row = n, .alpha = 1};
    g.a_row = ta ? 1 : k;
    g.a_col = ta ? m : 1;
    g.b_row = tb ? 1 : n;
    g.b_col = tb ? k : 1;
    void *scratch = dh__alloc(dh__gemm_scratch(&g));
    double *times = dh__alloc(RUNS_MAX * sizeof *times);
    int failed = 1;
    if (a && b && c && scratch && times) {
        int64_t runs = repeat(&g, scratch, seconds, times);
        qsort(times, (size_t)runs, sizeof *times, by_value);
        double median = times[runs / 2];
        printf("{\"m\": %lld, \"n\": %lld, \"k\": %lld, \"trans_a\": %d, \"trans_b\": %d, "
               "\"threads\": %d, \"ms_median\": %.5f, \"ms_min\": %.5f, \"gflops\": %.1f, "
               "\"isa\": \"%s\", \"impl\": \"%s\"}\n",
               (long long)m, (long long)n, (long long)k, ta, tb, threads, median * 1e3,
               times[0] * 1e3, 2.0 * (double)m * (double)n * (double)k / median * 1e-9,
               dh__isa_name(dh__cpu_isa()), dh__gemm_name(&g));
        failed = 0;
    }
    dh__free(times);
    dh__free(scratch);
    dh__free(c);
    dh__free(b);
    dh__free(a);
    return failed;
}

int main(int count, char **args)
{
    if (count == 3 && strcmp(args[1], "peak") == 0) return measure_peak(atoi(args[2]));
    int64_t side[3] = {0};
    for (int i = 0; i < 3 && i + 1 < count; i++) side[i] = atoll(args[i + 1]);
    int threads = count > 4 ? atoi(args[4]) : 0;
    if (side[0] < 1 || side[1] < 1 || side[2] < 1 || threads < 1) {
        fprintf(stderr, "usage: bench_gemm M N K THREADS [SECONDS [TRANS_A TRANS_B]]\n"
                        "       bench_gemm peak THREADS\n");
        return 2;
    }
    return measure_product(side[0], side[1], side[2], threads, count > 5 ? atof(args[5]) : 1,
                           count > 6 && atoi(args[6]), count > 7 && atoi(args[7]));
}
