/* SPDX-License-Identifier: MIT */
/* Inner loops of the optimisers, one table per instruction set (isa/optim_kernels.c): each reads
 * and writes every array once. */
#ifndef DH_OPTIM_KERNELS_H
#define DH_OPTIM_KERNELS_H

#include "rules.h"

/* t[0] = w, t[1] = g, t[2..] = state; n elements each, none overlapping. */
typedef struct dh__optim_kernels {
    void (*f32[DH_RULE_COUNT])(const dh__rule_step *step, void *const *t, int64_t n);
    void (*f64[DH_RULE_COUNT])(const dh__rule_step *step, void *const *t, int64_t n);
} dh__optim_kernels;

#endif
