/* SPDX-License-Identifier: MIT */
/* Inner loops of reductions, one table per instruction set (isa/reduce_kernels.c). Floats
 * accumulate in f64, integers in 64 bits, in an order that the lengths alone decide. */
#ifndef DH_REDUCE_KERNELS_H
#define DH_REDUCE_KERNELS_H

#include <stdint.h>

typedef enum dh__fold {
    DH_FOLD_SUM,
    DH_FOLD_SQ, /* sum of (x - centre)^2; floats only */
    DH_FOLD_PROD,
    DH_FOLD_MAX, /* NaN wins */
    DH_FOLD_MIN,
    DH_FOLD_ANY, /* 1 where an element is not 0 */
    DH_FOLD_ALL,
    DH_FOLD_COUNT
} dh__fold;

/* Element types that are read as they are; all others are converted by blocks to one of these. */
typedef enum dh__fold_type {
    DH_FOLD_F32,
    DH_FOLD_F64,
    DH_FOLD_I64,
    DH_FOLD_U64,
    DH_FOLD_TYPES
} dh__fold_type;

/* double for floats, else 64-bit integers */
typedef union dh__acc {
    double f;
    int64_t i;
    uint64_t u;
} dh__acc;

typedef struct dh__reduce_kernels {
    /* *acc = *acc fold x[0..n) */
    void (*row[DH_FOLD_TYPES][DH_FOLD_COUNT])(void *acc, const void *x, int64_t n, double centre);
    /* acc[j] = acc[j] fold x[r * stride + j], for j < m <= DH_FOLD_WIDTH, r < rows in turn */
    void (*column[DH_FOLD_TYPES][DH_FOLD_COUNT])(void *acc, const void *x, int64_t stride,
                                                 int64_t rows, int64_t m, const double *centre);
} dh__reduce_kernels;

#define DH_FOLD_WIDTH 256

#endif
