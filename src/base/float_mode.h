/* SPDX-License-Identifier: MIT */
/* Rounding and the treatment of denormals of the calling thread. Nothing on other machines than
 * x86-64 and aarch64. */
#ifndef DH_FLOAT_MODE_H
#define DH_FLOAT_MODE_H

#include "base.h"

static inline uint64_t dh__float_mode_get(void)
{
#if defined(__SSE__)
    return __builtin_ia32_stmxcsr() & ~0x3fu; /* less the sticky exception flags */
#elif defined(__aarch64__)
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
#else
    return 0;
#endif
}

static inline void dh__float_mode_set(uint64_t mode)
{
#if defined(__SSE__)
    __builtin_ia32_ldmxcsr((unsigned)mode);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(mode));
#else
    DH_UNUSED(mode);
#endif
}

/* To nearest, no traps, denormals are zeros: where moments and gradients fade away they would cost
 * a hundred times as much as other numbers. */
static inline uint64_t dh__float_mode_fast(void)
{
#if defined(__SSE__)
    return 0x1f80u | 0x8000u | 0x0040u; /* masks, flush to zero, denormals are zeros */
#elif defined(__aarch64__)
    return 1u << 24; /* FZ */
#else
    return 0;
#endif
}

#endif
