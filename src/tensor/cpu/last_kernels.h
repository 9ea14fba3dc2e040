/* SPDX-License-Identifier: MIT */
/* Windows over images whose channels are last: vectors lie along the channels. Compiled once per
 * instruction set (isa/last_kernels.c). */
#ifndef DH_LAST_KERNELS_H
#define DH_LAST_KERNELS_H

#include "act.h"
#include "base.h"

#define DH_LAST_TAPS_MAX 128 /* of a window */

/* Positions of one row of the result that all see the same taps of their windows. */
typedef struct dh__last_run {
    const void *x;
    void *y;
    int64_t x_step, y_step; /* elements from position to position */
    int64_t positions, channels;
    int64_t taps;
    int64_t at[DH_LAST_TAPS_MAX];  /* elements from x to each tap of the first position */
    int64_t key[DH_LAST_TAPS_MAX]; /* which of the window's it is */
    const void *weight;            /* [key][weight_row] */
    int64_t weight_row;
    const void *bias; /* of the first channel, or NULL */
    dh__act act;
    double act_alpha;
} dh__last_run;

typedef void (*dh__last_fn)(const dh__last_run *run);

/* A whole row of the result of 3x3 windows that move by one or two, with the padding at its ends.
 */
typedef struct dh__last_row {
    const void *x[3];    /* rows of the image, or NULL: in the padding */
    int64_t cols, first; /* of a row of x; the first that position 0 sees, maybe below 0 */
    int64_t stride;
    void *y;
    int64_t positions, channels, pixel; /* pixel: elements from pixel to pixel, of x and y */
    const void *weight;                 /* [9][weight_row] */
    int64_t weight_row;
    const void *zeros; /* for all channels */
    const void *bias;  /* or NULL */
    dh__act act;       /* not leaky_relu */
} dh__last_row;

typedef struct dh__last_kernels {
    dh__last_fn sum; /* y = act(bias + the sum over taps of x * weight), channel by channel */
    void (*sum_3x3)(const dh__last_row *row); /* the same */
    dh__last_fn max; /* y = the largest, NaN if there is one; -inf of no taps */
} dh__last_kernels;

/* [0]: f32, [1]: f64 */
extern const dh__last_kernels dh__last_portable[2];
#if DH_HAVE_X86_ISA
extern const dh__last_kernels dh__last_avx2[2], dh__last_avx512[2];
#endif

/* Of the running CPU. */
static inline const dh__last_kernels *dh__last_table(bool f64)
{
#if DH_HAVE_X86_ISA
    dh__isa isa = dh__cpu_isa();
    if (isa == DH_ISA_AVX512) return &dh__last_avx512[f64];
    if (isa == DH_ISA_AVX2) return &dh__last_avx2[f64];
#endif
    return &dh__last_portable[f64];
}

#endif
