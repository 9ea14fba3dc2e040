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

#include "gemm.h"
#include "team.h"

#define RUNS_MAX   1000000
#define PEAK_STEPS 200000
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

/* Twelve sums at once hide the FMA's latency and fit the registers of every instruction set. */
#define TWELVE(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11)
#define SUM(i)    vector s##i = x * (float)i;
#define TOTAL(i)  total += s##i;
#define PEAK_LOOP(NAME, SIZE, ATTRIBUTE, FMA)                    \
    ATTRIBUTE static float NAME(int64_t steps)                   \
    {                                                            \
        typedef float vector __attribute__((vector_size(SIZE))); \
        vector x = {0}, y = {0}, total = {0};                    \
        x += 0.999f;                                             \
        y += 0.001f;                                             \
        TWELVE(SUM)                                              \
        for (int64_t s = 0; s < steps; s++) {                    \
            TWELVE(FMA)                                          \
        }                                                        \
        TWELVE(TOTAL)                                            \
        return total[0];                                         \
    }
#if defined(__x86_64__)
#define FMA_X86(i) __asm__ volatile("vfmadd213ps %2, %1, %0" : "+v"(s##i) : "v"(x), "v"(y));
PEAK_LOOP(peak_avx512, 64, __attribute__((target("avx512f"))), FMA_X86)
PEAK_LOOP(peak_avx2, 32, __attribute__((target("avx2,fma"))), FMA_X86)
#endif
#if defined(__aarch64__)
#define FMA_ANY(i) __asm__ volatile("fmla %0.4s, %1.4s, %2.4s" : "+w"(s##i) : "w"(x), "w"(y));
#else
#define FMA_ANY(i) s##i = s##i * x + y;
#endif
PEAK_LOOP(peak_portable, 16, , FMA_ANY)

static volatile float sink;

static void peak_task(void *context, int64_t i)
{
    DH_UNUSED(context);
    DH_UNUSED(i);
#if defined(__x86_64__)
    if (dh__cpu_isa() == DH_ISA_AVX512) {
        sink = peak_avx512(PEAK_STEPS);
        return;
    }
    if (dh__cpu_isa() == DH_ISA_AVX2) {
        sink = peak_avx2(PEAK_STEPS);
        return;
    }
#endif
    sink = peak_portable(PEAK_STEPS);
}

static int measure_peak(int threads)
{
    static const int lanes[] = {4, 8, 16};
    double times[PEAK_TRIES];
    (void)dh__team_limit(threads);
    for (int i = 0; i < PEAK_TRIES; i++) {
        double start = dh__now();
        dh__team_run(threads, peak_task, NULL);
        times[i] = dh__now() - start;
    }
    qsort(times, PEAK_TRIES, sizeof *times, by_value);
    double flops = 2.0 * 12 * PEAK_STEPS * lanes[dh__cpu_isa()] * threads;
    printf("{\"what\": \"fma_peak\", \"threads\": %d, \"gflops\": %.1f, \"gflops_best\": %.1f, "
           "\"isa\": \"%s\", \"cpu\": \"%s\"}\n",
           threads, flops / times[PEAK_TRIES / 2] * 1e-9, flops / times[0] * 1e-9,
           dh__isa_name(dh__cpu_isa()), dh__cpu_model());
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
