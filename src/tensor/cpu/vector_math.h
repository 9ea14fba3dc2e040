/* SPDX-License-Identifier: MIT */
/* Elementary functions in f32 without branches, so that loops over them vectorise. Each is within 4
 * units in the last place of the true value, infinities, NaN and subnormal results included
 * (test_vector_math.c measures it). Polynomials: exp, log and tanh after Moshier's Cephes (expf,
 * logf, tanhf) on the usual reduced ranges; erf and its complement are minimax fits of our own. The
 * d_ forms have the same names in f64, by libm. */
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

/* f e^(c + low), -112 <= c <= 89, low being less than a unit in the last place of c; f joins before
 * the power of 2 is applied, where the exponential alone would be subnormal and short of digits.
 * Adding 1.5 * 2^23 leaves the nearest integer in the low bits: rounding that needs no SSE4.1. 2^n
 * is applied as two factors, so that results down to subnormals and up to infinity come out right.
 */
static inline float v_exp_within(float f, float c, float low)
{
    float shifted = c * 1.44269504f + 12582912.0f, n = shifted - 12582912.0f;
    int32_t k = (int32_t)(f32_to_bits(shifted) - 0x4b400000u), half = k >> 1;
    float r = (c - n * 0.693359375f) + (n * 2.12194440e-4f + low);
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    float a = bits_to_f32((uint32_t)(half + 127) << 23);
    float b = bits_to_f32((uint32_t)(k - half + 127) << 23);
    return f * p * a * b;
}

/* The same at any x. */
static inline float v_exp_times(float f, float x, float low)
{
    float c = x < -112.0f ? -112.0f : x > 89.0f ? 89.0f : x; /* NaN passes */
    return v_exp_within(f, c, low);
}

static inline float v_exp(float x)
{
    return v_exp_times(1.0f, x, -0.0f); /* both add no instruction */
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

/* By e^-|x|, which never overflows: exact in the far tail too. */
static inline float v_sigmoid(float x)
{
    float e = v_exp(x < 0.0f ? x : -x);
    return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

/* |x| is bounded by its bits, an integer minimum: branches on x would be threaded through the
 * logarithm and keep gcc from vectorising. NaN comes by the first summand. */
static inline float v_softplus(float x)
{
    uint32_t u = f32_to_bits(x) & 0x7fffffffu, top = 0x42e00000u; /* 112 */
    float e = v_exp_within(1.0f, -bits_to_f32(u < top ? u : top), -0.0f);
    return (x < 0.0f ? 0.0f : x) + v_log1p(e);
}

/* x as a factor of a vanishing exponential: what is finite and far below 0 would drag the product
 * up again or overflow. -inf becomes NaN, as -inf times 0 is. */
static inline float v_tail_factor(float x)
{
    return x < -200.0f ? (x - x) - 200.0f : x;
}

static inline float v_silu(float x)
{
    float a = x < 0.0f ? x : -x, e = v_exp(a), xe = v_exp_times(v_tail_factor(x), a, -0.0f);
    return (x < 0.0f ? xe : x) / (1.0f + e);
}

static inline float v_silu_slope(float x)
{
    float s = v_sigmoid(x);
    return s * (1.0f + x * (1.0f - s));
}

/* e^(z^2) erfc(z) at z = t / sqrt 2, for 0 <= t <= 17, times 3 + t is a polynomial in
 * (3 - t) / (3 + t) / 2. */
static inline float v_erfcx(float t)
{
    float d = 3.0f + t, v = (1.5f - 0.5f * t) / d;
    float p = 1.116428270e-01f;
    p = p * v - 1.345368955e-01f;
    p = p * v - 1.252934052e-01f;
    p = p * v + 2.643478665e-01f;
    p = p * v + 1.311658573e-01f;
    p = p * v - 4.460363452e-01f;
    p = p * v - 3.348002458e-01f;
    p = p * v + 7.562030130e-01f;
    p = p * v + 1.840141592e+00f;
    p = p * v + 2.037327966e+00f;
    p = p * v + 1.458167381e+00f;
    return p / d;
}

/* f e^(-c t^2), c a power of 2: what t^2 loses by rounding (found by splitting t, Dekker 1971) goes
 * into the exponential, else a large exponent would amplify it. */
static inline float v_exp_square(float f, float t, float c)
{
    float q = t * t, high = bits_to_f32(f32_to_bits(t) & 0xfffff000u), low = t - high;
    float error = ((high * high - q) + 2.0f * high * low) + low * low;
    return v_exp_times(f, -c * q, -c * error);
}

static inline float v_erf(float x)
{
    float a = x < 0.0f ? -x : x, z = a > 12.0f ? 12.0f : a, q = x * x;
    float p = 7.85386193e-5f;
    p = p * q - 8.01019375e-4f;
    p = p * q + 5.18832769e-3f;
    p = p * q - 2.68538119e-2f;
    p = p * q + 1.128358515e-1f;
    p = p * q - 3.761262582e-1f;
    p = p * q + 1.283791657e-1f; /* 2 / sqrt(pi) less the 1 that is added last, exactly */
    float small = p * x + x, large = 1.0f - v_exp_square(1.0f, z, 1.0f) * v_erfcx(z * 1.41421356f);
    return a < 1.0f ? small : x < 0.0f ? -large : large;
}

/* x times the normal distribution function. Around 0 that is its series; its lower tail is
 * e^(-x^2/2) erfcx(|x| / sqrt 2) / 2, since 1 + erf would lose all digits there, and is never
 * formed alone: it is subnormal first. */
static inline float v_gelu(float x)
{
    float a = x < 0.0f ? -x : x, t = a > 16.0f ? 16.0f : a, q = x * x;
    float r = 0.5f * v_erfcx(t);
    float p = -9.444656260e-06f;
    p = p * q + 1.154346876e-04f;
    p = p * q - 1.187328215e-03f;
    p = p * q + 9.973557010e-03f;
    p = p * q - 6.649038007e-02f;
    p = p * q + 3.989422804e-01f;
    float below = v_exp_square(v_tail_factor(x) * r, t, 0.5f);
    float above = x * (1.0f - v_exp_square(r, t, 0.5f)), near = x * (0.5f + p * x);
    return a < 0.7f ? near : x < 0.0f ? below : above;
}

static inline float v_gelu_slope(float x)
{
    float a = x < 0.0f ? -x : x, t = a > 16.0f ? 16.0f : a;
    float e = v_exp_square(1.0f, t, 0.5f), tail = 0.5f * e * v_erfcx(t);
    return (x < 0.0f ? tail : 1.0f - tail) + x * (0.398942280f * e);
}

/* tanh(log(1 + e)) = n / (n + 2) with n = e (e + 2). */
static inline float v_mish(float x)
{
    float c = x > 20.0f ? 20.0f : x, e = v_exp(c), n = e * (e + 2.0f), d = n + 2.0f;
    float below = v_exp_times(v_tail_factor(x), c, -0.0f) * ((e + 2.0f) / d), above = x * (n / d);
    return x < 0.0f ? below : above;
}

static inline float v_mish_slope(float x)
{
    float e = v_exp(x > 20.0f ? 20.0f : x), n = e * (e + 2.0f), d = n + 2.0f;
    return n / d + x * (4.0f * e * (1.0f + e) / (d * d));
}

/* --- f64 --- */

#define d_exp   exp
#define d_log   log
#define d_log1p log1p
#define d_expm1 expm1
#define d_tanh  tanh
#define d_erf   erf

static inline double d_sigmoid(double x)
{
    double e = exp(-fabs(x));
    return (x < 0 ? e : 1.0) / (1.0 + e);
}

static inline double d_softplus(double x)
{
    return (x < 0 ? 0.0 : x) + log1p(exp(-fabs(x)));
}

static inline double d_silu(double x)
{
    return x * d_sigmoid(x);
}

static inline double d_silu_slope(double x)
{
    double s = d_sigmoid(x);
    return s * (1.0 + x * (1.0 - s));
}

static inline double d_gelu(double x)
{
    return 0.5 * x * erfc(x * -0.70710678118654752);
}

static inline double d_gelu_slope(double x)
{
    double e = exp(-0.5 * x * x);
    return 0.5 * erfc(x * -0.70710678118654752) + x * (0.39894228040143268 * e);
}

static inline double d_mish(double x)
{
    double e = exp(x > 40 ? 40 : x), n = e * (e + 2);
    return x * (n / (n + 2));
}

static inline double d_mish_slope(double x)
{
    double e = exp(x > 40 ? 40 : x), n = e * (e + 2), d = n + 2;
    return n / d + x * (4 * e * (1 + e) / (d * d));
}

#endif
