/* SPDX-License-Identifier: MIT */
/* What reductions agree on between their meaning (op_reduce.c) and the CPU's kernels. */
#ifndef DH_REDUCE_H
#define DH_REDUCE_H

#include "ops.h"

/* Bit a of mask: axis a is reduced. No axes: all of them. DH_EINVAL for one that is absent or named
 * twice. */
dh_status dh__reduce_mask(uint32_t *mask, const dh_ints *axes, int ndim, const char *who);

/* The axes along which a tensor of x's shape was broadcast from like's; DH_ESHAPE where it cannot
 * have been. */
dh_status dh__sum_to_mask(uint32_t *mask, const dh_view *x, const dh_view *like, const char *who);

#endif
