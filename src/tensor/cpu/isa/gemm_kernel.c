/* SPDX-License-Identifier: MIT */
/* The GEMM's micro-kernels and their table, compiled once per instruction set. */
#include <math.h>

#include "isa.h"
#include "simd.h"
#include "gemm_table.h"

/* Rows of a tile: what the registers hold (32, else 16), less two for B and one for A, in two
 * vectors per row. */
#if DH_SIMD_SIZE == 64
#define MR      14
#define ROWS(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13)
#elif defined(__aarch64__)
#define MR      12
#define ROWS(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11)
#elif DH_SIMD_SIZE == 32
#define MR      6
#define ROWS(M) M(0) M(1) M(2) M(3) M(4) M(5)
#else
#define MR      4
#define ROWS(M) M(0) M(1) M(2) M(3)
#endif

/* Are the rows of C prefetched between the steps of the sum? Some may be at once; more misses would
 * hold up the loads of A and B. */
#define C_BETWEEN (DH_SIMD_SIZE == 64)

/* Where sums take nearly all registers, gcc would move them about and load rows of B again and
 * again: a third more instructions, which tell where another thread shares the core. So each has
 * its own, and ONCE makes of a row of B a value that can't be loaded anew. gcc does not save such
 * registers around calls: none may stand between the steps, hence none of a sanitizer's either
 * (-fsanitize-coverage=trace-pc would put some there). */
#if defined(__x86_64__) && DH_SIMD_SIZE >= 32 && defined(__OPTIMIZE__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define KEPT register
#if DH_SIMD_SIZE == 64
#define KEPT_IN(i, v) __asm__("zmm" PLACE_##i##_##v)
#else
#define KEPT_IN(i, v) __asm__("ymm" PLACE_##i##_##v)
#endif
#define ONCE(b)    __asm__("" : "+v"(b))
#define PLACE_0_0  "4"
#define PLACE_0_1  "5"
#define PLACE_1_0  "6"
#define PLACE_1_1  "7"
#define PLACE_2_0  "8"
#define PLACE_2_1  "9"
#define PLACE_3_0  "10"
#define PLACE_3_1  "11"
#define PLACE_4_0  "12"
#define PLACE_4_1  "13"
#define PLACE_5_0  "14"
#define PLACE_5_1  "15"
#define PLACE_6_0  "16"
#define PLACE_6_1  "17"
#define PLACE_7_0  "18"
#define PLACE_7_1  "19"
#define PLACE_8_0  "20"
#define PLACE_8_1  "21"
#define PLACE_9_0  "22"
#define PLACE_9_1  "23"
#define PLACE_10_0 "24"
#define PLACE_10_1 "25"
#define PLACE_11_0 "26"
#define PLACE_11_1 "27"
#define PLACE_12_0 "28"
#define PLACE_12_1 "29"
#define PLACE_13_0 "30"
#define PLACE_13_1 "31"
#else
#define KEPT
#define KEPT_IN(i, v)
#define ONCE(b) ((void)0)
#endif

/* Moves on by so many lines of a row; false if no row has any more. */
DH_SIMD_INLINE bool move_on(dh__gemm_ahead *ahead, int64_t lines)
{
    ahead->line += lines * ahead->step;
    ahead->left -= lines;
    if (ahead->left > 0) return true;
    ahead->left = ahead->lines;
    ahead->line += ahead->jump;
    return --ahead->rows > 0;
}

#define DH_EACH_FLOAT "gemm_tile.h"
#include "each_float.h"

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)
#define NAME(x)  x TEXT(DH_ISA_SUFFIX)

/* A panel of B has 2 vectors x kc: 64 KB of L2 with AVX-512, which streams through L1; 24 KB with
 * AVX2, 12 KB with less. */
const dh__gemm_kernels DH_ISA(dh__gemm_kernels) = {
    .name_small = NAME("gemm_small_"),
    .name_packed = NAME("gemm_packed_"),
    .name_vector = NAME("gemm_vector_"),
    .name_short = NAME("gemm_short_"),
    .mr = {MR, MR},
    .nr = {2 * DH_SIMD_F32, 2 * DH_SIMD_F64},
    .kc = {DH_SIMD_SIZE == 64 ? 512 : 384, DH_SIMD_SIZE == 64 ? 512 : 384},
    .tile = {{tile_cols_f32, tile_rows_f32}, {tile_cols_f64, tile_rows_f64}},
    .pack_turn = {DH_ISA(dh__pack_turn_f32), DH_ISA(dh__pack_turn_f64)},
    .pack_copy = {DH_ISA(dh__pack_copy_f32), DH_ISA(dh__pack_copy_f64)},
    .dot = {DH_ISA(dh__dot_f32), DH_ISA(dh__dot_f64)},
    .axpy = {DH_ISA(dh__axpy_f32), DH_ISA(dh__axpy_f64)},
    .sum_short = {DH_ISA(dh__sum_short_f32), DH_ISA(dh__sum_short_f64)},
};
