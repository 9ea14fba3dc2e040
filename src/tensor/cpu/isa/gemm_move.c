/* SPDX-License-Identifier: MIT */
/* Packing of A and B, and products with one row, one column or few terms, compiled once per
 * instruction set. */
#include "gemm_table.h"
#include "simd.h"

/* Stage d of a transpose in registers: of lanes l and l + d of rows i and i + d, the two off the
 * diagonal change places. Lanes of the second row are counted from the vector's width w on. */
#define LOW(w, d, l)  ((l) & (d) ? (w) + (l) - (d) : (l))
#define HIGH(w, d, l) ((l) & (d) ? (w) + (l) : (l) + (d))

#define LANES_FROM2(M, w, d, l) M(w, d, l), M(w, d, (l) + 1)
#define LANES_FROM4(M, w, d, l) LANES_FROM2(M, w, d, l), LANES_FROM2(M, w, d, (l) + 2)
#define LANES_FROM8(M, w, d, l) LANES_FROM4(M, w, d, l), LANES_FROM4(M, w, d, (l) + 4)
#define LANES_2(M, d)           LANES_FROM2(M, 2, d, 0)
#define LANES_4(M, d)           LANES_FROM4(M, 4, d, 0)
#define LANES_8(M, d)           LANES_FROM8(M, 8, d, 0)
#define LANES_16(M, d)          LANES_FROM8(M, 16, d, 0), LANES_FROM8(M, 16, d, 8)
#define LANES_(w, M, d)         LANES_##w(M, d)
#define LANES(w, M, d)          LANES_(w, M, d)

#if defined(__clang__)
#define UNROLL /* does so without being told */
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#define DH_EACH_FLOAT "gemm_move.h"
#include "each_float.h"

#define DH_EACH_FLOAT "gemm_short.h"
#include "each_float.h"
