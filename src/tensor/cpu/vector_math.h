/* SPDX-License-Identifier: MIT */
/* Elementary functions in f32 without branches, so that loops over them vectorise. Each is within a
 * few units in the last place of the true value; infinities, NaN and subnormals as in libm.
 * Polynomials: exp and log after Moshier's Cephes (expf, logf) on the usual reduced ranges, tanh
 * likewise. */
#ifndef DH_VECTOR_MATH_H
#define DH_VECTOR_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float bits_to_f32(uint32_t u)
{
    float x;
    memcpy(&x, &u, 4);
    return x;
}

static inline uint32_t f32_to_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, 4);
    return u;
}

/* 2^n as two factors, so that results down to subnormals and up to infinity come out right. */
static inline float scale_by_power(float x, float n)
{
    float half = __builtin_floorf(n * 0.5f), rest = n - half;
    float a = bits_to_f32((uint32_t)((int32_t)half + 127) << 23);
    float b = bits_to_f32((uint32_t)((int32_t)rest + 127) << 23);
    return x * a * b;
}

static inline float v_exp(float x)
{
    float c = x < -104.0f ? -104.0f : x > 89.0f ? 89.0f : x; /* NaN passes */
    float n = __builtin_rintf(c * 1.44269504f);
    float number = n == n ? n : 0.0f;
    float r = (c - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    return scale_by_power(p, number);
}

static inline float v_log(float x)
{
    int tiny = x < 1.17549435e-38f;
    float s = tiny ? x * 8388608.0f : x;
    uint32_t u = f32_to_bits(s);
    float e = (float)(int32_t)((u >> 23) & 0xffu) - (tiny ? 149.0f : 126.0f);
    float m = bits_to_f32((u & 0x007fffffu) | 0x3f000000u); /* in [0.5, 1) */
    int low = m < 0.707106781186547524f;
    e = low ? e - 1.0f : e;
    m = low ? m + m - 1.0f : m - 1.0f;
    float z = m * m, p = 7.0376836292e-2f;
    p = p * m - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    float y = p * m * z - 2.12194440e-4f * e - 0.5f * z;
    float r = m + y + 0.693359375f * e;
    r = x > 3.402823466e38f ? x : r;
    r = x == 0.0f ? -HUGE_VALF : r;
    return x < 0.0f || x != x ? bits_to_f32(0x7fc00000u) : r;
}

/* Exact where 1 + x rounds: log(w) x / (w - 1) with w = 1 + x (Higham 2002, problem 1.5). */
static inline float v_log1p(float x)
{
    float w = 1.0f + x, d = w - 1.0f;
    float r = v_log(w) * (d == 0.0f ? 1.0f : x / d);
    r = d == 0.0f ? x : r;
    return x > 3.402823466e38f ? x : x == -1.0f ? -HUGE_VALF : r;
}

static inline float v_expm1(float x)
{
    float p = 2.4801587e-5f;
    p = p * x + 1.9841270e-4f;
    p = p * x + 1.3888889e-3f;
    p = p * x + 8.3333333e-3f;
    p = p * x + 4.1666667e-2f;
    p = p * x + 1.6666667e-1f;
    p = p * x + 0.5f;
    float small = p * x * x + x, large = v_exp(x) - 1.0f;
    return x > -0.5f && x < 0.5f ? small : large;
}

static inline float v_tanh(float x)
{
    float z = x * x, a = x < 0.0f ? -x : x;
    float p = -5.70498872745e-3f;
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    float small = p * z * x + x;
    float e = v_exp(a + a), large = 1.0f - 2.0f / (e + 1.0f);
    return a < 0.625f ? small : x < 0.0f ? -large : large;
}

static inline float v_sigmoid(float x)
{
    return 1.0f / (1.0f + v_exp(-x));
}

static inline float v_softplus(float x)
{
    float a = x < 0.0f ? x : -x;
    return (x > 0.0f ? x : 0.0f * x) + v_log1p(v_exp(a));
}

/* The same names in f64, by libm. */
static inline double d_sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

static inline double d_softplus(double x)
{
    return (x > 0 ? x : 0 * x) + log1p(exp(-fabs(x)));
}

#endif
