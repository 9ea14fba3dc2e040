/* SPDX-License-Identifier: MIT */
/* Matrix products on the CPU: C = act(alpha * A B + beta * C + bias), f32 and f64.
 *
 * C is cut into row blocks x column strips by shape and instruction set, and each piece is one task
 * that sums over k in a fixed order; so the bits never depend on the number of threads. */
#ifndef DH_GEMM_H
#define DH_GEMM_H

#include "act.h"
#include "base.h"

typedef struct dh__gemm {
    int64_t m, n, k;
    const void *a; /* element (i, p) of A at a[i * a_row + p * a_col]; fast if a stride is 1 */
    int64_t a_row, a_col;
    const void *b; /* element (p, j) of B at b[p * b_row + j * b_col] */
    int64_t b_row, b_col;
    void *c; /* element (i, j) of C at c[i * c_row + j]; overlaps neither A nor B */
    int64_t c_row;
    double alpha, beta; /* alpha 0 never reads A or B, beta 0 never reads C */
    const void *bias;   /* n values added to each row, or NULL */
    dh__act act;
    double act_alpha;
    bool f64; /* else f32 */
} dh__gemm;

/* Bytes of scratch, which never shrink when m, n or k grow: scratch for a bound serves each smaller
 * product. The same for any number of threads. */
size_t dh__gemm_scratch(const dh__gemm *g);
/* scratch: aligned to 64 bytes. Runs on the caller's team; allocates nothing, cannot fail. */
void dh__gemm_run(const dh__gemm *g, void *scratch);
/* The path that a run takes, such as "gemm_packed_avx2"; static. */
const char *dh__gemm_name(const dh__gemm *g);

/* For tests: the instruction set of later runs in this process (at most what the CPU has), -1: the
 * usual choice. Returns the one in force. Not for use while products run. */
int dh__gemm_force_isa(int isa);
/* For tests: 0 ours, 1 OpenBLAS, -1: as DEEPHEALTH_GEMM says. True if it is in force now. */
bool dh__gemm_force_openblas(int choice);

#endif
