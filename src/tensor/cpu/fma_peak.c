/* SPDX-License-Identifier: MIT */
/* What the cores can do at most: fused multiply-adds on registers alone. */
#include "fma_peak.h"

#include <stdlib.h>

#include "base.h"
#include "team.h"

#define STEPS 200000
enum { LINE = 16 }; /* floats between what two threads write */

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

static float peak_loop(void)
{
#if defined(__x86_64__)
    if (dh__cpu_isa() == DH_ISA_AVX512) return peak_avx512(STEPS);
    if (dh__cpu_isa() == DH_ISA_AVX2) return peak_avx2(STEPS);
#endif
    return peak_portable(STEPS);
}

static void peak_task(void *context, int64_t i)
{
    float *sums = context;
    sums[LINE * i] = peak_loop();
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double dh__fma_peak(int tries, double *best)
{
    static const int lanes[] = {4, 8, 16};
    int threads = dh__team_size();
    double median = 0, *times = dh__alloc((size_t)tries * sizeof *times);
    float *sums = dh__alloc((size_t)threads * LINE * sizeof *sums);
    if (times && sums) {
        for (int i = 0; i < tries; i++) {
            double start = dh__now();
            dh__team_run(threads, peak_task, sums);
            times[i] = dh__now() - start;
        }
        qsort(times, (size_t)tries, sizeof *times, by_value);
        double flops = 2.0 * 12 * STEPS * lanes[dh__cpu_isa()] * threads;
        median = flops / times[tries / 2];
        if (best) *best = flops / times[0];
    }
    dh__free(times);
    dh__free(sums);
    return median;
}
