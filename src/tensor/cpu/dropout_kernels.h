/* SPDX-License-Identifier: MIT */
/* The inner loop of dropout, one table per instruction set (isa/dropout_kernels.c). */
#ifndef DH_DROPOUT_KERNELS_H
#define DH_DROPOUT_KERNELS_H

#include <stdint.h>

typedef struct dh__dropout_kernels {
    /* y[i] = x[i] * scale where the upper 24 bits of word position + i of the stream reach
     * threshold, else 0. position is a multiple of 4; y may be x. */
    void (*run)(float *y, const float *x, int64_t n, uint64_t seed, uint64_t stream,
                uint64_t position, uint32_t threshold, float scale);
} dh__dropout_kernels;

#endif
