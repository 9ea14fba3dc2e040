/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include "isa.h"
#include "nn_kernels.h"

/* f64 lanes: enough independent sums to hide the latency of an addition */
#if DH_ISA_LEVEL == 2
#define LANES 32
#elif DH_ISA_LEVEL == 1
#define LANES 16
#else
#define LANES 8
#endif

static void add_lanes(double *sum, const double *lane)
{
    double total = 0;
    for (int l = 0; l < LANES; l++) total += lane[l];
    *sum += total;
}

#define ROW_LOOP(PREPARE, TO_LANES, JOIN, REST) \
    int64_t i = 0;                              \
    for (; i + LANES <= n; i += LANES)          \
        for (int l = 0; l < LANES; l++) {       \
            const int64_t k = i + l;            \
            PREPARE;                            \
            TO_LANES;                           \
        }                                       \
    JOIN;                                       \
    for (int64_t k = i; k < n; k++) {           \
        PREPARE;                                \
        REST;                                   \
    }

/* Two sums over a row, or three; each element gives the terms. */
#define ROW_SUMS2(PREPARE, TERM0, TERM1)                                           \
    double lane0[LANES] = {0}, lane1[LANES] = {0};                                 \
    ROW_LOOP(PREPARE, lane0[l] += TERM0; lane1[l] += TERM1, add_lanes(sum, lane0); \
             add_lanes(sum + 1, lane1), sum[0] += TERM0; sum[1] += TERM1)
#define ROW_SUMS3(PREPARE, TERM0, TERM1, TERM2)                                   \
    double lane0[LANES] = {0}, lane1[LANES] = {0}, lane2[LANES] = {0};            \
    ROW_LOOP(PREPARE, lane0[l] += TERM0; lane1[l] += TERM1;                       \
             lane2[l] += TERM2, add_lanes(sum, lane0); add_lanes(sum + 1, lane1); \
             add_lanes(sum + 2, lane2), sum[0] += TERM0; sum[1] += TERM1; sum[2] += TERM2)

static void row_moments(double *sum, const float *x, int64_t n, float shift)
{
    const double from = (double)shift;
    ROW_SUMS2(const double v = (double)x[k] - from, v, v * v)
}

/* dy behind the gate. */
static inline float through(float dy, float y, dh__gate gate)
{
    const int whole = (y > 0) & !(y >= gate.top);
    return dy * (whole ? 1 : gate.slope);
}

static void row_sums(double *sum, const float *dy, dh__gate gate, const float *x, int64_t n,
                     float mean)
{
    const double centre = (double)mean;
    if (gate.y) {
        ROW_SUMS3(const double d = (double)through(dy[k], gate.y[k], gate);
                  const double v = (double)x[k] - centre, d, d * v, v)
    } else {
        ROW_SUMS3(const double d = (double)dy[k];
                  const double v = (double)x[k] - centre, d, d * v, v)
    }
}

static void gamma_sums(double *sum, const float *dy, const float *x, const float *gamma, int64_t n,
                       float mean)
{
    const double centre = (double)mean;
    if (!gamma) {
        row_sums(sum, dy, (dh__gate){0}, x, n, mean);
        return;
    }
    ROW_SUMS3(const double d = (double)(dy[k] * gamma[k]);
              const double v = (double)x[k] - centre, d, d * v, v)
}

static void column_moments(double *restrict sum0, double *restrict sum1, const float *x,
                           int64_t stride, int64_t rows, int64_t m, const float *shift)
{
    for (int64_t r = 0; r < rows; r++, x += stride)
        for (int64_t j = 0; j < m; j++) {
            const double v = (double)x[j] - (double)shift[j];
            sum0[j] += v;
            sum1[j] += v * v;
        }
}

static void column_sums(double *restrict sum0, double *restrict sum1, double *restrict sum2,
                        const float *dy, dh__gate gate, const float *x, int64_t stride,
                        int64_t rows, int64_t m, const float *mean)
{
    for (int64_t r = 0; r < rows; r++, x += stride, dy += stride) {
        const float *y = gate.y ? gate.y + r * stride : NULL;
        for (int64_t j = 0; j < m; j++) {
            const double d = (double)(y ? through(dy[j], y[j], gate) : dy[j]);
            const double v = (double)x[j] - (double)mean[j];
            sum0[j] += d;
            sum1[j] += d * v;
            sum2[j] += v;
        }
    }
}

#define EACH(N, Y, VALUE, RESULT)       \
    DH_IN_PLACE                         \
    for (int64_t i = 0; i < (N); i++) { \
        const float v = (VALUE);        \
        (Y) = (RESULT);                 \
    }
#define ACTIVATE(N, Y, VALUE)                     \
    if (act == DH_ACT_NONE)                       \
        EACH(N, Y, VALUE, v)                      \
    else if (act == DH_ACT_RELU)                  \
        EACH(N, Y, VALUE, v < 0 ? 0 : v)          \
    else if (act == DH_ACT_RELU6)                 \
        EACH(N, Y, VALUE, v<0 ? 0 : v> 6 ? 6 : v) \
    else                                          \
        EACH(N, Y, VALUE, v < 0 ? alpha * v : v)

static void row_apply(float *y, const float *x, int64_t n, float mean, float k, float beta,
                      const float *add, dh__act act, float alpha)
{
    if (add) {
        ACTIVATE(n, y[i], (x[i] - mean) * k + beta + add[i])
    } else {
        ACTIVATE(n, y[i], (x[i] - mean) * k + beta)
    }
}

static void column_apply(float *y, const float *x, int64_t stride, int64_t rows, int64_t m,
                         const float *mean, const float *k, const float *beta, const float *add,
                         dh__act act, float alpha)
{
    for (int64_t r = 0; r < rows; r++, x += stride, y += stride) {
        if (add) {
            ACTIVATE(m, y[i], (x[i] - mean[i]) * k[i] + beta[i] + add[i])
            add += stride;
        } else {
            ACTIVATE(m, y[i], (x[i] - mean[i]) * k[i] + beta[i])
        }
    }
}

static void gamma_apply(float *y, const float *x, const float *gamma, const float *beta, int64_t n,
                        float mean, float rstd, float shift)
{
    if (gamma && beta) DH_IN_PLACE
    for (int64_t i = 0; i < n; i++) y[i] = ((x[i] - mean) * rstd + shift) * gamma[i] + beta[i];
    else row_apply(y, x, n, mean, rstd, shift, NULL, DH_ACT_NONE, 0);
}

static void row_dx(float *dx, const float *dy, dh__gate gate, const float *x, int64_t n, float mean,
                   float k, float m0, float m1)
{
    if (gate.y) DH_IN_PLACE
    for (int64_t i = 0; i < n; i++)
        dx[i] = k * (through(dy[i], gate.y[i], gate) - m0 - (x[i] - mean) * m1);
    else DH_IN_PLACE for (int64_t i = 0; i < n; i++) dx[i] = k * (dy[i] - m0 - (x[i] - mean) * m1);
}

static void column_dx(float *dx, const float *dy, dh__gate gate, const float *x, int64_t stride,
                      int64_t rows, int64_t m, const float *mean, const float *k, const float *m0,
                      const float *m1)
{
    for (int64_t r = 0; r < rows; r++, x += stride, dy += stride, dx += stride) {
        const float *y = gate.y ? gate.y + r * stride : NULL;
        DH_IN_PLACE
        for (int64_t j = 0; j < m; j++) {
            const float d = y ? through(dy[j], y[j], gate) : dy[j];
            dx[j] = k[j] * (d - m0[j] - (x[j] - mean[j]) * m1[j]);
        }
    }
}

static void gamma_dx(float *dx, const float *dy, const float *x, const float *gamma, int64_t n,
                     float mean, float rstd, float m0, float m1)
{
    if (!gamma)
        row_dx(dx, dy, (dh__gate){0}, x, n, mean, rstd, m0, m1);
    else
        DH_IN_PLACE
    for (int64_t i = 0; i < n; i++) dx[i] = rstd * (dy[i] * gamma[i] - m0 - (x[i] - mean) * m1);
}

static void gamma_grads(double *restrict dgamma, double *restrict dbeta, const float *dy,
                        const float *x, int64_t n, float mean, float rstd, float shift)
{
    for (int64_t i = 0; i < n; i++) {
        dgamma[i] += (double)(dy[i] * ((x[i] - mean) * rstd + shift));
        dbeta[i] += (double)dy[i];
    }
}

extern const dh__norm_kernels DH_ISA(dh__norm);
const dh__norm_kernels DH_ISA(dh__norm) = {.row_moments = row_moments,
                                           .column_moments = column_moments,
                                           .row_sums = row_sums,
                                           .column_sums = column_sums,
                                           .gamma_sums = gamma_sums,
                                           .row_apply = row_apply,
                                           .column_apply = column_apply,
                                           .gamma_apply = gamma_apply,
                                           .row_dx = row_dx,
                                           .column_dx = column_dx,
                                           .gamma_dx = gamma_dx,
                                           .gamma_grads = gamma_grads};
