/* SPDX-License-Identifier: MIT */
/* Depthwise convolution, compiled once per instruction set. */
#include "depthwise_kernels.h"

#include "isa.h"
#include "simd.h"

/* Lanes of two vectors of w, one after the other: those of even and of odd number, and the first
 * and second half of the two, taken in turns. */
#define EVEN(w, l) (2 * (l))
#define ODD(w, l)  (2 * (l) + 1)
#define LOW(w, l)  ((l) / 2 + (l) % 2 * (w))
#define HIGH(w, l) ((w) / 2 + (l) / 2 + (l) % 2 * (w))

#define FROM2(M, w, l) M(w, l), M(w, (l) + 1)
#define FROM4(M, w, l) FROM2(M, w, l), FROM2(M, w, (l) + 2)
#define FROM8(M, w, l) FROM4(M, w, l), FROM4(M, w, (l) + 4)
#define LANES_2(M)     FROM2(M, 2, 0)
#define LANES_4(M)     FROM4(M, 4, 0)
#define LANES_8(M)     FROM8(M, 8, 0)
#define LANES_16(M)    FROM8(M, 16, 0), FROM8(M, 16, 8)
#define LANES_(w, M)   LANES_##w(M)
#define LANES(w, M)    LANES_(w, M)
#define PICK(M, a, b)  __builtin_shufflevector(a, b, LANES(W, M))

#if defined(__clang__)
#define UNROLL /* does so without being told */
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#define R DH_DEPTHWISE_ROWS

/* Taps down x across and the step of rows whose sweep is unrolled: 3x3 and 5x5 windows that move by
 * one or two, and the phases of their gradients. */
#define EACH_KNOWN \
    KNOWN(3, 3, 1) \
    KNOWN(3, 3, 2) \
    KNOWN(5, 5, 1) \
    KNOWN(5, 5, 2) \
    KNOWN(1, 1, 1) \
    KNOWN(1, 2, 1) \
    KNOWN(2, 1, 1) \
    KNOWN(2, 2, 1) \
    KNOWN(2, 3, 1) \
    KNOWN(3, 2, 1)

#define DH_EACH_FLOAT "depthwise_move.h"
#include "each_float.h"

#define DH_EACH_FLOAT "depthwise_sweep.h"
#include "each_float.h"

#define DH_EACH_FLOAT "depthwise_sums.h"
#include "each_float.h"

#define KERNELS(S)                                            \
    {                                                         \
        gather_##S, sweep_##S, spread_##S, sums_##S, join_##S \
    }
const dh__depthwise_kernels DH_ISA(dh__depthwise)[2] = {KERNELS(f32), KERNELS(f64)};
