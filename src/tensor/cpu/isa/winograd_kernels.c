/* SPDX-License-Identifier: MIT */
/* Winograd's transforms, compiled once per instruction set. */
#include "winograd_kernels.h"

#include "isa.h"
#include "simd.h"

#define W DH_SIMD_F32
typedef dh__vf32 V;

/* --- lines of tiles of 4x4 --- */

/* The points p and q beside their negatives, 0 and infinity; all of these are exact in f32. */
#define P  0.625f
#define Q  1.5f
#define P2 0.390625f
#define Q2 2.25f
#define P3 0.244140625f
#define Q3 3.375f

#if defined(__clang__)
#define UNROLL
#else
#define UNROLL _Pragma("GCC unroll 6")
#endif

/* The polynomials (x - all points but one) at d. */
DH_SIMD_INLINE void input_line_4(V r[6], const V d[6])
{
    const V sum = dh__set_f32(P2 + Q2), product = dh__set_f32(P2 * Q2);
    const V even_p = dh__fma_f32(dh__set_f32(-Q2), d[2], d[4]);
    const V odd_p = dh__set_f32(P) * dh__fma_f32(dh__set_f32(-Q2), d[1], d[3]);
    const V even_q = dh__fma_f32(dh__set_f32(-P2), d[2], d[4]);
    const V odd_q = dh__set_f32(Q) * dh__fma_f32(dh__set_f32(-P2), d[1], d[3]);
    r[0] = dh__fma_f32(product, d[0], dh__fma_f32(-sum, d[2], d[4]));
    r[1] = even_p + odd_p;
    r[2] = even_p - odd_p;
    r[3] = even_q + odd_q;
    r[4] = even_q - odd_q;
    r[5] = dh__fma_f32(product, d[1], dh__fma_f32(-sum, d[3], d[5]));
}

/* g at the points, over what input_line_4's polynomials are there. */
DH_SIMD_INLINE void weight_line_4(V r[6], V g0, V g1, V g2)
{
    const float at_p = 1 / (2 * P2 * (P2 - Q2)), at_q = 1 / (2 * Q2 * (Q2 - P2));
    const V even_p = dh__set_f32(at_p) * dh__fma_f32(dh__set_f32(P2), g2, g0);
    const V odd_p = dh__set_f32(at_p * P) * g1;
    const V even_q = dh__set_f32(at_q) * dh__fma_f32(dh__set_f32(Q2), g2, g0);
    const V odd_q = dh__set_f32(at_q * Q) * g1;
    r[0] = dh__set_f32(1 / (P2 * Q2)) * g0;
    r[1] = even_p + odd_p;
    r[2] = even_p - odd_p;
    r[3] = even_q + odd_q;
    r[4] = even_q - odd_q;
    r[5] = g2;
}

/* The coefficients of the product of polynomials from its values at the points. */
DH_SIMD_INLINE void output_line_4(V r[4], const V m[6])
{
    const V sum_p = m[1] + m[2], sum_q = m[3] + m[4], apart_p = m[1] - m[2], apart_q = m[3] - m[4];
    r[0] = m[0] + (sum_p + sum_q);
    r[1] = dh__fma_f32(dh__set_f32(P), apart_p, dh__set_f32(Q) * apart_q);
    r[2] = dh__fma_f32(dh__set_f32(P2), sum_p, dh__set_f32(Q2) * sum_q);
    r[3] = dh__fma_f32(dh__set_f32(P3), apart_p, dh__fma_f32(dh__set_f32(Q3), apart_q, m[5]));
}

/* --- lines of tiles of 2x2: points 0, 1, -1 and infinity --- */

DH_SIMD_INLINE void input_line_2(V r[4], const V d[4])
{
    r[0] = d[0] - d[2];
    r[1] = d[2] + d[1];
    r[2] = d[2] - d[1];
    r[3] = d[3] - d[1];
}

DH_SIMD_INLINE void weight_line_2(V r[4], V g0, V g1, V g2)
{
    const V half = dh__set_f32(0.5f), even = half * (g0 + g2), odd = half * g1;
    r[0] = g0;
    r[1] = even + odd;
    r[2] = even - odd;
    r[3] = g2;
}

DH_SIMD_INLINE void output_line_2(V r[2], const V m[4])
{
    r[0] = m[0] + (m[1] + m[2]);
    r[1] = m[1] - m[2] + m[3];
}

/* --- tiles --- */

#define SIDE 4
#define N    6
#define F(x) x##_4
#include "winograd_tile.h"
#undef SIDE
#undef N
#undef F

#define SIDE 2
#define N    4
#define F(x) x##_2
#include "winograd_tile.h"
#undef SIDE
#undef N
#undef F

/* --- the gradient of tiles of 4x4 --- */

DH_SIMD_INLINE void output_line_dx(V r[6], const V y[4])
{
    const V even_p = dh__fma_f32(dh__set_f32(P2), y[2], y[0]);
    const V odd_p = dh__fma_f32(dh__set_f32(P3), y[3], dh__set_f32(P) * y[1]);
    const V even_q = dh__fma_f32(dh__set_f32(Q2), y[2], y[0]);
    const V odd_q = dh__fma_f32(dh__set_f32(Q3), y[3], dh__set_f32(Q) * y[1]);
    r[0] = y[0];
    r[1] = even_p + odd_p;
    r[2] = even_p - odd_p;
    r[3] = even_q + odd_q;
    r[4] = even_q - odd_q;
    r[5] = y[3];
}

static void output_dx(float *out, int64_t step, const float *y, int64_t row, int64_t pixel,
                      int64_t width, int rows, int cols)
{
    for (int64_t o = 0; o < width; o += W) {
        V columns[6][4], line[4], turned[6];
        UNROLL for (int j = 0; j < 4; j++)
        {
            UNROLL for (int i = 0; i < 4; i++)
            {
                line[i] = (V){0};
                if (i < rows && j < cols) line[i] = dh__load_f32(y + i * row + j * pixel + o);
            }
            output_line_dx(turned, line);
            UNROLL for (int i = 0; i < 6; i++) columns[i][j] = turned[i];
        }
        UNROLL for (int i = 0; i < 6; i++)
        {
            output_line_dx(turned, columns[i]);
            UNROLL for (int j = 0; j < 6; j++)
                dh__store_f32(out + (i * 6 + j) * step + o, turned[j]);
        }
    }
}

DH_SIMD_INLINE void weight_line_dx(V g[3], const V m[6])
{
    const float at_p = 1 / (2 * P2 * (P2 - Q2)), at_q = 1 / (2 * Q2 * (Q2 - P2));
    const V sum_p = dh__set_f32(at_p) * (m[1] + m[2]), sum_q = dh__set_f32(at_q) * (m[3] + m[4]);
    const V apart_p = dh__set_f32(at_p * P) * (m[1] - m[2]);
    g[0] = dh__fma_f32(dh__set_f32(1 / (P2 * Q2)), m[0], sum_p + sum_q);
    g[1] = dh__fma_f32(dh__set_f32(at_q * Q), m[3] - m[4], apart_p);
    g[2] = dh__fma_f32(dh__set_f32(P2), sum_p, dh__fma_f32(dh__set_f32(Q2), sum_q, m[5]));
}

static void weights_dx(float *y, int64_t tap, const float *x, int64_t step, int64_t width)
{
    for (int64_t o = 0; o < width; o += W) {
        V lines[3][6], line[6], turned[3];
        UNROLL for (int j = 0; j < 6; j++)
        {
            UNROLL for (int i = 0; i < 6; i++) line[i] = dh__load_f32(x + (i * 6 + j) * step + o);
            weight_line_dx(turned, line);
            UNROLL for (int i = 0; i < 3; i++) lines[i][j] = turned[i];
        }
        UNROLL for (int i = 0; i < 3; i++)
        {
            weight_line_dx(turned, lines[i]);
            UNROLL for (int j = 0; j < 3; j++) dh__store_f32(y + (i * 3 + j) * tap + o, turned[j]);
        }
    }
}

const dh__winograd_kernels DH_ISA(dh__winograd)[] = {
    {4, 36, input_4, weights_4, output_4, output_dx, weights_dx},
    {2, 16, input_2, weights_2, output_2, NULL, NULL},
};
