/* SPDX-License-Identifier: MIT */
/* Windows over images whose channels are last, compiled once per instruction set. */
#include "last_kernels.h"

#include <math.h>

#include "isa.h"
#include "simd.h"

#define P 8 /* positions at once: each weight is loaded once for them */

#if defined(__clang__)
#define UNROLL /* does so without being told */
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

typedef dh__vi32 last_lanes_f32;
typedef dh__vi64 last_lanes_f64;

#define DH_EACH_FLOAT "last_runs.h"
#include "each_float.h"

#define KERNELS(S)                    \
    {                                 \
        sum_##S, sum_3x3_##S, max_##S \
    }
const dh__last_kernels DH_ISA(dh__last)[2] = {KERNELS(f32), KERNELS(f64)};
