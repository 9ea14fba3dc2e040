/* SPDX-License-Identifier: MIT */
/* Vectors of the instruction set that a source is compiled for (isa.h): 512, 256 or 128 bits, and
 * the few operations that GCC's vector extensions lack. dh__fma rounds once where the hardware has
 * it, else twice. dh__load_part takes the first n lanes, dh__load_lanes those in [lo, hi), and
 * zeros for the others, whose memory is not touched. dh__at_least makes lanes below the bottom the
 * bottom, dh__at_most those above the top the top; NaN and the sign of 0 stay. */
#ifndef DH_SIMD_H
#define DH_SIMD_H

#include <stdint.h>
#include <string.h>

#include "act.h"

#if defined(__AVX512F__)
#define DH_SIMD_SIZE 64
#define DH_SIMD_F32  16 /* lanes, as literals that macros can paste */
#define DH_SIMD_F64  8
#elif defined(__AVX2__) && defined(__FMA__)
#define DH_SIMD_SIZE 32
#define DH_SIMD_F32  8
#define DH_SIMD_F64  4
#else
#define DH_SIMD_SIZE 16
#define DH_SIMD_F32  4
#define DH_SIMD_F64  2
#endif

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

typedef float dh__vf32 __attribute__((vector_size(DH_SIMD_SIZE)));
typedef double dh__vf64 __attribute__((vector_size(DH_SIMD_SIZE)));
typedef int32_t dh__vi32 __attribute__((vector_size(DH_SIMD_SIZE)));
typedef int64_t dh__vi64 __attribute__((vector_size(DH_SIMD_SIZE)));

#define DH_SIMD_INLINE static inline __attribute__((always_inline, unused, no_instrument_function))

#define DH_SIMD_COMMON(S, T)                            \
    DH_SIMD_INLINE dh__v##S dh__load_##S(const T *p)    \
    {                                                   \
        dh__v##S v;                                     \
        memcpy(&v, p, sizeof v);                        \
        return v;                                       \
    }                                                   \
    DH_SIMD_INLINE void dh__store_##S(T *p, dh__v##S v) \
    {                                                   \
        memcpy(p, &v, sizeof v);                        \
    }
DH_SIMD_COMMON(f32, float)
DH_SIMD_COMMON(f64, double)
#undef DH_SIMD_COMMON

#if DH_SIMD_SIZE == 64

#define DH_SIMD_OPS(S, T, PS, M)                                                   \
    DH_SIMD_INLINE dh__v##S dh__set_##S(T x)                                       \
    {                                                                              \
        return (dh__v##S)_mm512_set1_##PS(x);                                      \
    }                                                                              \
    DH_SIMD_INLINE dh__v##S dh__at_least_##S(dh__v##S x, dh__v##S bottom)          \
    {                                                                              \
        return (dh__v##S)_mm512_max_##PS(bottom, x);                               \
    }                                                                              \
    DH_SIMD_INLINE dh__v##S dh__at_most_##S(dh__v##S x, dh__v##S top)              \
    {                                                                              \
        return (dh__v##S)_mm512_min_##PS(top, x);                                  \
    }                                                                              \
    DH_SIMD_INLINE dh__v##S dh__fma_##S(dh__v##S a, dh__v##S b, dh__v##S c)        \
    {                                                                              \
        return (dh__v##S)_mm512_fmadd_##PS(a, b, c);                               \
    }                                                                              \
    DH_SIMD_INLINE dh__v##S dh__load_part_##S(const T *p, int64_t n)               \
    {                                                                              \
        return (dh__v##S)_mm512_maskz_loadu_##PS((M)((1u << n) - 1u), p);          \
    }                                                                              \
    DH_SIMD_INLINE dh__v##S dh__load_lanes_##S(const T *p, int64_t lo, int64_t hi) \
    {                                                                              \
        return (dh__v##S)_mm512_maskz_loadu_##PS((M)((1u << hi) - (1u << lo)), p); \
    }                                                                              \
    DH_SIMD_INLINE void dh__store_part_##S(T *p, dh__v##S v, int64_t n)            \
    {                                                                              \
        _mm512_mask_storeu_##PS(p, (M)((1u << n) - 1u), v);                        \
    }
DH_SIMD_OPS(f32, float, ps, __mmask16)
DH_SIMD_OPS(f64, double, pd, __mmask8)
#undef DH_SIMD_OPS

#elif DH_SIMD_SIZE == 32

/* n lanes on: a window of this row of ones and zeros */
static const int32_t dh__simd_mask[16] __attribute__((unused)) = {-1, -1, -1, -1, -1, -1, -1, -1};

#define DH_SIMD_OPS(S, T, PS, I, WORDS)                                              \
    DH_SIMD_INLINE __m256i dh__mask_##S(int64_t n)                                   \
    {                                                                                \
        return _mm256_loadu_si256((const __m256i *)(dh__simd_mask + 8 - WORDS * n)); \
    }                                                                                \
    DH_SIMD_INLINE dh__v##S dh__set_##S(T x)                                         \
    {                                                                                \
        return (dh__v##S)_mm256_set1_##PS(x);                                        \
    }                                                                                \
    DH_SIMD_INLINE dh__v##S dh__at_least_##S(dh__v##S x, dh__v##S bottom)            \
    {                                                                                \
        return (dh__v##S)_mm256_max_##PS(bottom, x);                                 \
    }                                                                                \
    DH_SIMD_INLINE dh__v##S dh__at_most_##S(dh__v##S x, dh__v##S top)                \
    {                                                                                \
        return (dh__v##S)_mm256_min_##PS(top, x);                                    \
    }                                                                                \
    DH_SIMD_INLINE dh__v##S dh__fma_##S(dh__v##S a, dh__v##S b, dh__v##S c)          \
    {                                                                                \
        return (dh__v##S)_mm256_fmadd_##PS(a, b, c);                                 \
    }                                                                                \
    DH_SIMD_INLINE dh__v##S dh__load_part_##S(const T *p, int64_t n)                 \
    {                                                                                \
        return (dh__v##S)_mm256_maskload_##PS(p, dh__mask_##S(n));                   \
    }                                                                                \
    DH_SIMD_INLINE dh__v##S dh__load_lanes_##S(const T *p, int64_t lo, int64_t hi)   \
    {                                                                                \
        const __m256i on = _mm256_andnot_si256(dh__mask_##S(lo), dh__mask_##S(hi));  \
        return (dh__v##S)_mm256_maskload_##PS(p, on);                                \
    }
DH_SIMD_OPS(f32, float, ps, dh__vi32, 1)
DH_SIMD_OPS(f64, double, pd, dh__vi64, 2)
#undef DH_SIMD_OPS

/* A masked store is tens of operations on AMD's cores up to Zen 4. */
DH_SIMD_INLINE void dh__store_part_f32(float *p, dh__vf32 v, int64_t n)
{
    __m128 part = _mm256_castps256_ps128((__m256)v);
    if (n & 8) {
        dh__store_f32(p, v);
        return;
    }
    if (n & 4) {
        _mm_storeu_ps(p, part);
        part = _mm256_extractf128_ps((__m256)v, 1);
        p += 4;
    }
    if (n & 2) {
        _mm_storel_pi((__m64 *)p, part);
        part = _mm_movehl_ps(part, part);
        p += 2;
    }
    if (n & 1) _mm_store_ss(p, part);
}

DH_SIMD_INLINE void dh__store_part_f64(double *p, dh__vf64 v, int64_t n)
{
    __m128d part = _mm256_castpd256_pd128((__m256d)v);
    if (n & 4) {
        dh__store_f64(p, v);
        return;
    }
    if (n & 2) {
        _mm_storeu_pd(p, part);
        part = _mm256_extractf128_pd((__m256d)v, 1);
        p += 2;
    }
    if (n & 1) _mm_store_sd(p, part);
}

#else

#if defined(__aarch64__)
#define DH_SIMD_FMA_f32(a, b, c) \
    ((dh__vf32)vfmaq_f32((float32x4_t)(c), (float32x4_t)(a), (float32x4_t)(b)))
#define DH_SIMD_FMA_f64(a, b, c) \
    ((dh__vf64)vfmaq_f64((float64x2_t)(c), (float64x2_t)(a), (float64x2_t)(b)))
#else
#define DH_SIMD_FMA_f32(a, b, c) ((a) * (b) + (c))
#define DH_SIMD_FMA_f64(a, b, c) ((a) * (b) + (c))
#endif

#define DH_SIMD_OPS(S, T, I, LANES, ...)                                           \
    DH_SIMD_INLINE dh__v##S dh__set_##S(T x)                                       \
    {                                                                              \
        return (dh__v##S){__VA_ARGS__};                                            \
    }                                                                              \
    DH_SIMD_INLINE dh__v##S dh__at_least_##S(dh__v##S x, dh__v##S bottom)          \
    {                                                                              \
        I below = (I)(x < bottom);                                                 \
        return (dh__v##S)((below & (I)bottom) | (~below & (I)x));                  \
    }                                                                              \
    DH_SIMD_INLINE dh__v##S dh__at_most_##S(dh__v##S x, dh__v##S top)              \
    {                                                                              \
        I above = (I)(x > top);                                                    \
        return (dh__v##S)((above & (I)top) | (~above & (I)x));                     \
    }                                                                              \
    DH_SIMD_INLINE dh__v##S dh__fma_##S(dh__v##S a, dh__v##S b, dh__v##S c)        \
    {                                                                              \
        return DH_SIMD_FMA_##S(a, b, c);                                           \
    }                                                                              \
    DH_SIMD_INLINE dh__v##S dh__load_part_##S(const T *p, int64_t n)               \
    {                                                                              \
        dh__v##S v = {0};                                                          \
        for (int i = 0; i < LANES; i++)                                            \
            if (i < n) v[i] = p[i];                                                \
        return v;                                                                  \
    }                                                                              \
    DH_SIMD_INLINE dh__v##S dh__load_lanes_##S(const T *p, int64_t lo, int64_t hi) \
    {                                                                              \
        dh__v##S v = {0};                                                          \
        for (int i = 0; i < LANES; i++)                                            \
            if (i >= lo && i < hi) v[i] = p[i];                                    \
        return v;                                                                  \
    }                                                                              \
    DH_SIMD_INLINE void dh__store_part_##S(T *p, dh__v##S v, int64_t n)            \
    {                                                                              \
        for (int i = 0; i < LANES; i++)                                            \
            if (i < n) p[i] = v[i];                                                \
    }
DH_SIMD_OPS(f32, float, dh__vi32, 4, x, x, x, x)
DH_SIMD_OPS(f64, double, dh__vi64, 2, x, x)
#undef DH_SIMD_OPS

#endif

#define DH_SIMD_ACTIVATE(S, T, I)                                                     \
    /* lanes where x < 0: yes, else no */                                             \
    DH_SIMD_INLINE dh__v##S dh__negative_##S(dh__v##S x, dh__v##S yes)                \
    {                                                                                 \
        I below = (I)(x < (dh__v##S){0});                                             \
        return (dh__v##S)((below & (I)yes) | (~below & (I)x));                        \
    }                                                                                 \
    DH_SIMD_INLINE dh__v##S dh__activate_##S(dh__v##S x, dh__act act, T alpha)        \
    {                                                                                 \
        const dh__v##S zero = {0};                                                    \
        if (act == DH_ACT_RELU || act == DH_ACT_RELU6) x = dh__at_least_##S(x, zero); \
        if (act == DH_ACT_LEAKY_RELU) x = dh__negative_##S(x, alpha * x);             \
        if (act == DH_ACT_RELU6) x = dh__at_most_##S(x, 6 + zero);                    \
        return x;                                                                     \
    }
DH_SIMD_ACTIVATE(f32, float, dh__vi32)
DH_SIMD_ACTIVATE(f64, double, dh__vi64)
#undef DH_SIMD_ACTIVATE

/* sum += a * b, rounded as dh__fma. The sum stays in its register: left the choice, gcc puts
 * results into others, and where sums take nearly all it then spills some in every step. */
#if defined(__x86_64__) && DH_SIMD_SIZE >= 32
#define dh__sum_f32(sum, a, b) __asm__("vfmadd231ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b))
#define dh__sum_f64(sum, a, b) __asm__("vfmadd231pd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b))
#else
#define dh__sum_f32(sum, a, b) ((sum) = dh__fma_f32(a, b, sum))
#define dh__sum_f64(sum, a, b) ((sum) = dh__fma_f64(a, b, sum))
#endif

#endif
