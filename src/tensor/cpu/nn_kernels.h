/* SPDX-License-Identifier: MIT */
/* Inner loops of softmax, cross entropy and normalisation on f32, one table per instruction set
 * (isa/softmax_kernels.c, isa/norm_kernels.c). A "row" is n elements that lie densely; "columns"
 * are m
 * <= DH_NN_WIDTH dense neighbours, walked along an axis of n elements that lie stride apart. */
#ifndef DH_NN_KERNELS_H
#define DH_NN_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

#include "act.h"

#define DH_NN_WIDTH 256

/* Before a loop whose output may be one of its inputs, element for element: no iteration reads what
 * another wrote, which the compiler cannot know. */
#if defined(__clang__)
#define DH_IN_PLACE _Pragma("clang loop vectorize(assume_safety)")
#else
#define DH_IN_PLACE _Pragma("GCC ivdep")
#endif

typedef struct dh__softmax_kernels {
    /* y = softmax(x) or its logarithm */
    void (*row)(float *y, const float *x, int64_t n, bool log);
    void (*columns)(float *y, const float *x, int64_t n, int64_t stride, int64_t m, bool log);
    /* dx from dy and y */
    void (*row_dx)(float *dx, const float *dy, const float *y, int64_t n, bool log);
    void (*columns_dx)(float *dx, const float *dy, const float *y, int64_t n, int64_t stride,
                       int64_t m, bool log);
    /* log(sum(exp(z))) */
    float (*log_sum_exp)(const float *z, int64_t n);
    /* sum of t * (lse - z) */
    float (*soft_loss)(const float *z, const float *t, int64_t n, float lse);
    /* dz = dloss * (exp(z - lse) * sum(t) - t), or with t NULL dloss * exp(z - lse) */
    void (*cross_entropy_dx)(float *dz, const float *z, const float *t, int64_t n, float lse,
                             float dloss);
} dh__softmax_kernels;

/* What dy passes on the way back through an activation, by the activation's result y: where y is
 * above 0 and not at the top it comes through whole, else times slope. No y: no activation. */
typedef struct dh__gate {
    const float *y;
    float slope, top; /* top: NaN where there is none */
} dh__gate;

typedef struct dh__norm_kernels {
    /* sum[0] += x - shift, sum[1] += (x - shift)^2, in f64 */
    void (*row_moments)(double *sum, const float *x, int64_t n, float shift);
    void (*column_moments)(double *sum0, double *sum1, const float *x, int64_t stride, int64_t rows,
                           int64_t m, const float *shift);
    /* sum[0] += dy, sum[1] += dy * (x - mean), sum[2] += x - mean */
    void (*row_sums)(double *sum, const float *dy, dh__gate gate, const float *x, int64_t n,
                     float mean);
    void (*column_sums)(double *sum0, double *sum1, double *sum2, const float *dy, dh__gate gate,
                        const float *x, int64_t stride, int64_t rows, int64_t m, const float *mean);
    /* the same with dy * gamma; gamma may be NULL */
    void (*gamma_sums)(double *sum, const float *dy, const float *x, const float *gamma, int64_t n,
                       float mean);
    /* y = act((x - mean) * k + beta + add); add may be NULL */
    void (*row_apply)(float *y, const float *x, int64_t n, float mean, float k, float beta,
                      const float *add, dh__act act, float alpha);
    void (*column_apply)(float *y, const float *x, int64_t stride, int64_t rows, int64_t m,
                         const float *mean, const float *k, const float *beta, const float *add,
                         dh__act act, float alpha);
    /* y = ((x - mean) * rstd + shift) * gamma + beta, both may be NULL */
    void (*gamma_apply)(float *y, const float *x, const float *gamma, const float *beta, int64_t n,
                        float mean, float rstd, float shift);
    /* dx = k * (dy - m0 - (x - mean) * m1) */
    void (*row_dx)(float *dx, const float *dy, dh__gate gate, const float *x, int64_t n, float mean,
                   float k, float m0, float m1);
    void (*column_dx)(float *dx, const float *dy, dh__gate gate, const float *x, int64_t stride,
                      int64_t rows, int64_t m, const float *mean, const float *k, const float *m0,
                      const float *m1);
    /* dx = rstd * (dy * gamma - m0 - (x - mean) * m1) */
    void (*gamma_dx)(float *dx, const float *dy, const float *x, const float *gamma, int64_t n,
                     float mean, float rstd, float m0, float m1);
    /* dgamma += dy * ((x - mean) * rstd + shift), dbeta += dy */
    void (*gamma_grads)(double *dgamma, double *dbeta, const float *dy, const float *x, int64_t n,
                        float mean, float rstd, float shift);
} dh__norm_kernels;

#endif
