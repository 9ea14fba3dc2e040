/* SPDX-License-Identifier: MIT */
#ifndef DH_NORM_TABLE_H
#define DH_NORM_TABLE_H

#include <math.h>

#include "base.h"
#include "nn_kernels.h"

extern const dh__norm_kernels dh__norm_portable;
#if DH_HAVE_X86_ISA
extern const dh__norm_kernels dh__norm_avx2, dh__norm_avx512;
#endif

/* Of the running CPU. */
static inline const dh__norm_kernels *dh__norm_table(void)
{
#if DH_HAVE_X86_ISA
    dh__isa isa = dh__cpu_isa();
    if (isa == DH_ISA_AVX512) return &dh__norm_avx512;
    if (isa == DH_ISA_AVX2) return &dh__norm_avx2;
#endif
    return &dh__norm_portable;
}

/* What moments are taken about: one of the elements that they are of, whose distance from the mean
 * is at most sqrt(n var), so that the variance loses at most n units to cancellation, however large
 * the mean (Chan, Golub, LeVeque, "Algorithms for computing the sample variance", 1983). */
static inline float dh__norm_shift(float first)
{
    return isfinite(first) ? first : 0;
}

/* Mean and variance of n elements from their sums about shift; NaN stays. */
static inline void dh__norm_moments(double *mean, double *var, const double sum[2], double n,
                                    float shift)
{
    double d = sum[0] / n, v = sum[1] / n - d * d;
    *mean = (double)shift + d;
    *var = v < 0 ? 0 : v;
}

/* What f32 cut off the mean of n elements, from the backward sums about what it left: at a large
 * mean as much as the deviation. Takes it out of sum[1] too. */
static inline double dh__norm_rest(double sum[3], double n)
{
    double rest = n > 0 ? sum[2] / n : 0;
    sum[1] -= rest * sum[0];
    return rest;
}

#endif
