/* SPDX-License-Identifier: MIT */
#include "pool_kernels.h"

#include <math.h>

#include "isa.h"
#include "pool_slide.h"

#define WIDE DH_SIMD_F64 /* sums at a time, and half as many f32 as a vector holds */
#define NONE INT32_MAX   /* no element of the plane */

/* Lanes of shuffles: the even ones of two vectors, and all. */
#define EVEN_2       0, 2
#define EVEN_4       EVEN_2, 4, 6
#define EVEN_8       EVEN_4, 8, 10, 12, 14
#define EVEN_16      EVEN_8, 16, 18, 20, 22, 24, 26, 28, 30
#define ALL_2        0, 1
#define ALL_4        ALL_2, 2, 3
#define ALL_8        ALL_4, 4, 5, 6, 7
#define ALL_16       ALL_8, 8, 9, 10, 11, 12, 13, 14, 15
#define LANES_(M, w) M##_##w
#define LANES(M, w)  LANES_(M, w)

/* --- lanes --- */

#define PICKERS(S, LANE, INDEX)                                                      \
    typedef dh__v##LANE lanes_##S;                                                   \
    typedef INDEX index_##S;                                                         \
    static const lanes_##S counted_##S = {LANES(ALL, DH_SIMD_##S)};                  \
    DH_SIMD_INLINE lanes_##S pick_index_##S(lanes_##S yes, lanes_##S a, lanes_##S b) \
    {                                                                                \
        return (yes & a) | (~yes & b);                                               \
    }                                                                                \
    DH_SIMD_INLINE dh__v##S pick_##S(lanes_##S yes, dh__v##S a, dh__v##S b)          \
    {                                                                                \
        return (dh__v##S)pick_index_##S(yes, (lanes_##S)a, (lanes_##S)b);            \
    }
#define DH_SIMD_f32 DH_SIMD_F32
#define DH_SIMD_f64 DH_SIMD_F64
PICKERS(f32, i32, int32_t)
PICKERS(f64, i64, int64_t)

/* --- sums in double --- */

typedef float half __attribute__((vector_size(DH_SIMD_SIZE / 2)));

/* WIDE elements, or n of them and zeros */
DH_SIMD_INLINE dh__vf64 wide_f32(const float *p)
{
    half v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, dh__vf64);
}

DH_SIMD_INLINE dh__vf64 wide_part_f32(const float *p, int64_t n)
{
    dh__vf32 v = dh__load_part_f32(p, n);
    half low = __builtin_shufflevector(v, v, LANES(ALL, DH_SIMD_F64));
    return __builtin_convertvector(low, dh__vf64);
}

DH_SIMD_INLINE dh__vf64 wide_f64(const double *p)
{
    return dh__load_f64(p);
}

DH_SIMD_INLINE dh__vf64 wide_part_f64(const double *p, int64_t n)
{
    return dh__load_part_f64(p, n);
}

/* W sums as elements */
DH_SIMD_INLINE dh__vf32 narrow_f32(const dh__vf64 *sum)
{
    half low = __builtin_convertvector(sum[0], half), high = __builtin_convertvector(sum[1], half);
    return __builtin_shufflevector(low, high, LANES(ALL, DH_SIMD_F32));
}

DH_SIMD_INLINE dh__vf64 narrow_f64(const dh__vf64 *sum)
{
    return sum[0];
}

/* A sum over m n elements is divided by m n in f64. For f32 it is multiplied by 1 / m and 1 / n in
 * double, whose errors of 2^-53 are nothing beside the rounding to f32. A sum over none is 0. */
DH_SIMD_INLINE double share_of_f32(int64_t n)
{
    return n > 0 ? 1 / (double)n : 0;
}

DH_SIMD_INLINE double share_of_f64(int64_t n)
{
    return n > 0 ? (double)n : 1;
}

DH_SIMD_INLINE double share_one_f32(double sum, double m, double n)
{
    return sum * (m * n);
}

DH_SIMD_INLINE double share_one_f64(double sum, double m, double n)
{
    return sum / (m * n);
}

DH_SIMD_INLINE dh__vf32 share_f32(const dh__vf64 *sum, const double *m, double n)
{
    const dh__vf64 each[2] = {sum[0] * (dh__load_f64(m) * n),
                              sum[1] * (dh__load_f64(m + WIDE) * n)};
    return narrow_f32(each);
}

DH_SIMD_INLINE dh__vf64 share_f64(const dh__vf64 *sum, const double *m, double n)
{
    return sum[0] / (dh__load_f64(m) * n);
}

/* Of windows of size columns on the stack, stride (1 or 2) apart: WIDE sums. */
DH_SIMD_INLINE dh__vf64 sum_columns(const double *from, int64_t size, int64_t dilation,
                                    const int stride)
{
    dh__vf64 sum = {0};
    for (int64_t l = 0; l < size; l++, from += dilation) {
        dh__vf64 v = dh__load_f64(from);
        if (stride == 2)
            v = __builtin_shufflevector(v, dh__load_f64(from + WIDE), LANES(EVEN, DH_SIMD_F64));
        sum += v;
    }
    return sum;
}

#define DH_EACH_FLOAT "pool_windows.h"
#include "each_float.h"

#define DH_EACH_FLOAT "pool_max.h"
#include "each_float.h"

#define DH_EACH_FLOAT "pool_avg.h"
#include "each_float.h"

const dh__pool_kernels DH_ISA(dh__pool) = {.max_f32 = max_pool_f32,
                                           .avg_f32 = avg_pool_f32,
                                           .max_dx_f32 = max_pool_dx_f32,
                                           .avg_dx_f32 = avg_pool_dx_f32,
                                           .max_f64 = max_pool_f64,
                                           .avg_f64 = avg_pool_f64,
                                           .max_dx_f64 = max_pool_dx_f64,
                                           .avg_dx_f64 = avg_pool_dx_f64};
