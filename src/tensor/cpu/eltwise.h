/* SPDX-License-Identifier: MIT */
/* Loops of the elementwise kernels, one table per instruction set. */
#ifndef DH_ELTWISE_H
#define DH_ELTWISE_H

#include "ops.h"

/* n packed elements; out may be a or b. p, q: attribute numbers. Comparisons write bytes. */
typedef void (*dh__loop)(const void *a, const void *b, void *out, int64_t n, double p, double q);

typedef struct dh__eltwise {
    dh__loop f32[DH_OP_COUNT], f64[DH_OP_COUNT];       /* forward */
    dh__loop dx_f32[DH_OP_COUNT], dx_f64[DH_OP_COUNT]; /* out = dy * f'(s): a is dy, b is s */
} dh__eltwise;

extern const dh__eltwise dh__eltwise_portable, dh__eltwise_avx2, dh__eltwise_avx512;
const dh__eltwise *dh__eltwise_best(void);

/* dh_op_id by address: names would cost more than a small tensor. */
int dh__eltwise_number(const dh_op *op);

#endif
