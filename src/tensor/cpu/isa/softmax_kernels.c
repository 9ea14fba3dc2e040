/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "isa.h"
#include "nn_kernels.h"

/* f32 lanes of a vector register, and of the two that rows are taken by */
#if DH_ISA_LEVEL == 2
#define WIDTH 16
#elif DH_ISA_LEVEL == 1
#define WIDTH 8
#else
#define WIDTH 4
#endif
#define LANES (2 * WIDTH)

/* Sums gather so many terms a lane in f32, then go on in f64: long axes lose nothing, and the
 * conversions cost nothing. */
#define GATHER 64

typedef float vf32 __attribute__((vector_size(4 * WIDTH)));
typedef int32_t vi32 __attribute__((vector_size(4 * WIDTH)));
typedef uint32_t vu32 __attribute__((vector_size(4 * WIDTH)));

static inline vf32 load(const float *p)
{
    vf32 v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store(float *p, vf32 v)
{
    memcpy(p, &v, sizeof v);
}

/* exp(x) for x <= 0, below -87 exactly 0; NaN stays. x = k log 2 + r, |r| <= log(2) / 2, exp(r) by
 * a polynomial (error about 1e-7); adding 1.5 * 2^23 rounds to the integer k and leaves it in the
 * low bits, so that no conversion is needed and loops over this vectorise. */
static inline float exp_nonpositive(float x)
{
    const float shift = 0x1.8p23f;
    float t = x * 0x1.715476p0f + shift, k = t - shift;
    float r = x - k * 0x1.62e400p-1f;
    r = r - k * 0x1.7f7d1cp-20f;
    float p = 0x1.6850e4p-10f;
    p = p * r + 0x1.123bccp-7f;
    p = p * r + 0x1.555b98p-5f;
    p = p * r + 0x1.55548ep-3f;
    p = p * r + 0x1.fffff8p-2f;
    p = p * r * r + r + 1.0f;
    uint32_t bits;
    memcpy(&bits, &t, 4);
    bits = (bits << 23) + 0x3f800000u;
    float scale;
    memcpy(&scale, &bits, 4);
    return x < -87.0f ? 0.0f : p * scale;
}

/* The same of a register. */
static inline vf32 exp_lanes(vf32 x)
{
    const float shift = 0x1.8p23f;
    vf32 t = x * 0x1.715476p0f + shift, k = t - shift;
    vf32 r = x - k * 0x1.62e400p-1f;
    r = r - k * 0x1.7f7d1cp-20f;
    vf32 p = r * 0x1.6850e4p-10f + 0x1.123bccp-7f;
    p = p * r + 0x1.555b98p-5f;
    p = p * r + 0x1.55548ep-3f;
    p = p * r + 0x1.fffff8p-2f;
    p = p * r * r + r + 1.0f;
    vf32 y = p * (vf32)(((vu32)t << 23) + 0x3f800000u);
    return (vf32)((vi32)y & ~(vi32)(x < -87.0f));
}

static inline vf32 max_lanes(vf32 a, vf32 v)
{
    vi32 wins = (vi32)(v > a) | (vi32)(v != v);
    return (vf32)((wins & (vi32)v) | (~wins & (vi32)a));
}

static inline float max_of(float a, float v)
{
    return v > a || v != v ? v : a;
}

/* Largest of n > 0; NaN wins. */
static float row_max(const float *x, int64_t n)
{
    float top = x[0], lane[LANES];
    int64_t i = 0;
    if (n >= LANES) {
        vf32 a = load(x), b = load(x + WIDTH);
        for (i = LANES; i + LANES <= n; i += LANES) {
            a = max_lanes(a, load(x + i));
            b = max_lanes(b, load(x + i + WIDTH));
        }
        store(lane, max_lanes(a, b));
        for (int l = 0; l < WIDTH; l++) top = max_of(top, lane[l]);
    }
    for (; i < n; i++) top = max_of(top, x[i]);
    return top;
}

static float join(vf32 a, vf32 b)
{
    float lane[WIDTH], sum = 0;
    store(lane, a + b);
    for (int l = 0; l < WIDTH; l++) sum += lane[l];
    return sum;
}

/* The sum of exp(x - top); the summands go into y unless it is NULL. y may be x. */
static float sum_exp(float *y, const float *x, int64_t n, float top)
{
    double sum = 0;
    float tail = 0;
    int64_t i = 0;
    while (i + LANES <= n) {
        vf32 a = {0}, b = {0};
        const int64_t left = (n - i) / LANES, end = i + LANES * (left < GATHER ? left : GATHER);
        for (; i < end; i += LANES) {
            vf32 e = exp_lanes(load(x + i) - top), f = exp_lanes(load(x + i + WIDTH) - top);
            if (y) {
                store(y + i, e);
                store(y + i + WIDTH, f);
            }
            a += e;
            b += f;
        }
        sum += (double)join(a, b);
    }
    for (; i < n; i++) {
        float e = exp_nonpositive(x[i] - top);
        if (y) y[i] = e;
        tail += e;
    }
    return (float)(sum + (double)tail);
}

static void softmax_row(float *y, const float *x, int64_t n, bool log)
{
    float top = row_max(x, n), sum = sum_exp(log ? NULL : y, x, n, top);
    if (log) {
        float lse = (float)__builtin_log((double)sum);
        DH_IN_PLACE
        for (int64_t i = 0; i < n; i++) y[i] = x[i] - top - lse;
        return;
    }
    float scale = 1.0f / sum;
    for (int64_t i = 0; i < n; i++) y[i] *= scale;
}

/* Gathered sums of m columns, moved on to f64 when row i is the last that part holds. */
static void move_on(double *restrict sum, float *restrict part, int64_t m, int64_t i, int64_t n)
{
    if ((i + 1) % GATHER && i + 1 < n) return;
    for (int64_t j = 0; j < m; j++) {
        sum[j] += (double)part[j];
        part[j] = 0;
    }
}

static void softmax_columns(float *y, const float *x, int64_t n, int64_t stride, int64_t m,
                            bool log)
{
    float top[DH_NN_WIDTH], part[DH_NN_WIDTH] = {0}, scale[DH_NN_WIDTH];
    double sum[DH_NN_WIDTH] = {0};
    for (int64_t j = 0; j < m; j++) top[j] = x[j];
    for (int64_t i = 1; i < n; i++)
        for (int64_t j = 0; j < m; j++) {
            float v = x[i * stride + j];
            top[j] = v > top[j] || v != v ? v : top[j];
        }
    if (log) {
        for (int64_t i = 0; i < n; i++) {
            for (int64_t j = 0; j < m; j++) part[j] += exp_nonpositive(x[i * stride + j] - top[j]);
            move_on(sum, part, m, i, n);
        }
        for (int64_t j = 0; j < m; j++) scale[j] = (float)__builtin_log((double)(float)sum[j]);
        for (int64_t i = 0; i < n; i++) DH_IN_PLACE
        for (int64_t j = 0; j < m; j++) y[i * stride + j] = x[i * stride + j] - top[j] - scale[j];
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        DH_IN_PLACE
        for (int64_t j = 0; j < m; j++) {
            float e = exp_nonpositive(x[i * stride + j] - top[j]);
            y[i * stride + j] = e;
            part[j] += e;
        }
        move_on(sum, part, m, i, n);
    }
    for (int64_t j = 0; j < m; j++) scale[j] = 1.0f / (float)sum[j];
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < m; j++) y[i * stride + j] *= scale[j];
}

/* sum of a b, or of a alone where b is NULL */
static float row_dot(const float *a, const float *b, int64_t n)
{
    double sum = 0;
    float tail = 0;
    int64_t i = 0;
    while (i + LANES <= n) {
        vf32 s = {0}, t = {0};
        const int64_t left = (n - i) / LANES, end = i + LANES * (left < GATHER ? left : GATHER);
        for (; b && i < end; i += LANES) {
            s += load(a + i) * load(b + i);
            t += load(a + i + WIDTH) * load(b + i + WIDTH);
        }
        for (; i < end; i += LANES) {
            s += load(a + i);
            t += load(a + i + WIDTH);
        }
        sum += (double)join(s, t);
    }
    for (; i < n; i++) tail += b ? a[i] * b[i] : a[i];
    return (float)(sum + (double)tail);
}

/* softmax: dx = y (dy - sum(dy y)); its logarithm: dx = dy - exp(y) sum(dy) */
static void softmax_row_dx(float *dx, const float *dy, const float *y, int64_t n, bool log)
{
    float s = row_dot(dy, log ? NULL : y, n);
    if (log) {
        DH_IN_PLACE
        for (int64_t i = 0; i < n; i++) dx[i] = dy[i] - exp_nonpositive(y[i]) * s;
    } else {
        DH_IN_PLACE
        for (int64_t i = 0; i < n; i++) dx[i] = y[i] * (dy[i] - s);
    }
}

static void softmax_columns_dx(float *dx, const float *dy, const float *y, int64_t n,
                               int64_t stride, int64_t m, bool log)
{
    float s[DH_NN_WIDTH], part[DH_NN_WIDTH] = {0};
    double sum[DH_NN_WIDTH] = {0};
    for (int64_t i = 0; i < n; i++) {
        const float *a = dy + i * stride, *b = y + i * stride;
        if (log)
            for (int64_t j = 0; j < m; j++) part[j] += a[j];
        else
            for (int64_t j = 0; j < m; j++) part[j] += a[j] * b[j];
        move_on(sum, part, m, i, n);
    }
    for (int64_t j = 0; j < m; j++) s[j] = (float)sum[j];
    for (int64_t i = 0; i < n; i++) {
        const float *a = dy + i * stride, *b = y + i * stride;
        float *o = dx + i * stride;
        if (log) {
            DH_IN_PLACE
            for (int64_t j = 0; j < m; j++) o[j] = a[j] - exp_nonpositive(b[j]) * s[j];
        } else {
            DH_IN_PLACE
            for (int64_t j = 0; j < m; j++) o[j] = b[j] * (a[j] - s[j]);
        }
    }
}

static float log_sum_exp(const float *z, int64_t n)
{
    float top = row_max(z, n);
    return top + (float)__builtin_log((double)sum_exp(NULL, z, n, top));
}

/* t * (lse - z); a class of probability 0 costs nothing, even where its logit is -inf. */
static inline vf32 cost_lanes(vf32 t, vf32 z, float lse)
{
    return (vf32)((vi32)(t * (lse - z)) & (vi32)(t != 0));
}

static float soft_loss(const float *z, const float *t, int64_t n, float lse)
{
    float tail = 0;
    int64_t i = 0;
    vf32 a = {0}, b = {0};
    for (; i + LANES <= n; i += LANES) {
        a += cost_lanes(load(t + i), load(z + i), lse);
        b += cost_lanes(load(t + i + WIDTH), load(z + i + WIDTH), lse);
    }
    for (; i < n; i++) tail += t[i] != 0 ? t[i] * (lse - z[i]) : 0;
    return n < LANES ? tail : join(a, b) + tail;
}

static void cross_entropy_dx(float *dz, const float *z, const float *t, int64_t n, float lse,
                             float dloss)
{
    if (!t) {
        DH_IN_PLACE
        for (int64_t i = 0; i < n; i++) dz[i] = dloss * exp_nonpositive(z[i] - lse);
        return;
    }
    float mass = row_dot(t, NULL, n);
    DH_IN_PLACE
    for (int64_t i = 0; i < n; i++) dz[i] = dloss * (exp_nonpositive(z[i] - lse) * mass - t[i]);
}

extern const dh__softmax_kernels DH_ISA(dh__softmax);
const dh__softmax_kernels DH_ISA(dh__softmax) = {.row = softmax_row,
                                                 .columns = softmax_columns,
                                                 .row_dx = softmax_row_dx,
                                                 .columns_dx = softmax_columns_dx,
                                                 .log_sum_exp = log_sum_exp,
                                                 .soft_loss = soft_loss,
                                                 .cross_entropy_dx = cross_entropy_dx};
