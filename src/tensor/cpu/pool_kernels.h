/* SPDX-License-Identifier: MIT */
/* Pooling of one packed plane (planes.h), one table per instruction set (isa/pool_kernels.c); the
 * geometry is a dh__pool. */
#ifndef DH_POOL_KERNELS_H
#define DH_POOL_KERNELS_H

#include "base.h"
#include "planes.h"

typedef struct dh__pool_kernels {
    dh__plane_f32 max_f32, avg_f32;       /* x, NULL, y */
    dh__plane_f32 max_dx_f32, avg_dx_f32; /* dy, x (of the maximum alone), dx to be added to */
    dh__plane_f64 max_f64, avg_f64, max_dx_f64, avg_dx_f64;
} dh__pool_kernels;

extern const dh__pool_kernels dh__pool_portable;
#if DH_HAVE_X86_ISA
extern const dh__pool_kernels dh__pool_avx2, dh__pool_avx512;
#endif

/* Of the running CPU. */
static inline const dh__pool_kernels *dh__pool_table(void)
{
#if DH_HAVE_X86_ISA
    dh__isa isa = dh__cpu_isa();
    if (isa == DH_ISA_AVX512) return &dh__pool_avx512;
    if (isa == DH_ISA_AVX2) return &dh__pool_avx2;
#endif
    return &dh__pool_portable;
}

#endif
