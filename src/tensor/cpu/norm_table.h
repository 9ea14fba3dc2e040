/* SPDX-License-Identifier: MIT */
#ifndef DH_NORM_TABLE_H
#define DH_NORM_TABLE_H

#include "base.h"
#include "nn_kernels.h"

extern const dh__norm_kernels dh__norm_portable;
#if DH_HAVE_X86_ISA
extern const dh__norm_kernels dh__norm_avx2, dh__norm_avx512;
#endif

/* Of the running CPU. */
static inline const dh__norm_kernels *dh__norm_table(void)
{
#if DH_HAVE_X86_ISA
    dh__isa isa = dh__cpu_isa();
    if (isa == DH_ISA_AVX512) return &dh__norm_avx512;
    if (isa == DH_ISA_AVX2) return &dh__norm_avx2;
#endif
    return &dh__norm_portable;
}

#endif
