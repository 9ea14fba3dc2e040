/* SPDX-License-Identifier: MIT */
/* What the files of the GEMM share: the table of micro-kernels that each instruction set has, and
 * the plan that the driver makes from shape and instruction set. */
#ifndef DH_GEMM_IMPL_H
#define DH_GEMM_IMPL_H

#include "gemm.h"

/* Where k columns of A and rows of B begin, in elements behind a and b. */
typedef struct dh__gemm_at {
    int64_t a, b;
} dh__gemm_at;

/* What kernels prefetch, so many rows of lines: one line per four steps of k, each tile its share,
 * from where the one before ended. */
typedef struct dh__gemm_ahead {
    const char *line;          /* the next one */
    int64_t left, rows;        /* lines of its row, and rows with it; no more if either is 0 */
    int64_t lines, step, jump; /* lines of a row; bytes from one to the next, and from one past a
                                * row's last to the next row's first */
    int64_t twin;              /* bytes to another that is fetched with each, or 0 */
    int64_t share;             /* lines of a tile */
} dh__gemm_ahead;

/* A micro-kernel makes tiles of h x cols values of C, h <= mr, cols <= nr, each from k columns of A
 * and k rows of B, whose rows must have whole vectors to read up to cols; or from several runs of
 * so many. */
typedef struct dh__gemm_tile {
    /* tiles behind the first, and the elements from one's place in A, B, C and add to the next's */
    int64_t more, a_next, b_next, c_next, add_next;
    const void *a;
    int64_t a_step; /* rows adjacent: elements from column to column; else from row to row */
    const void *b;
    int64_t b_step; /* elements from row to row */
    void *c;
    int64_t c_row, k, cols;
    const dh__gemm_at *runs; /* NULL: one, at a and b */
    int64_t run_count;       /* with runs; 0 gives a sum over nothing */
    double alpha, beta;
    /* of a tile's first column and of its first row, the same for all of a call; or NULL */
    const void *bias, *row_bias;
    const void *add; /* added to alpha A B + beta C, before biases; rows like C's; or NULL */
    int64_t add_row;
    dh__act act;
    double act_alpha;
    dh__gemm_ahead *ahead; /* and C; NULL: all is near */
} dh__gemm_tile;

typedef void (*dh__gemm_tile_fn)(const dh__gemm_tile *tile, int h);

/* Reductions with one row or column: matrix row r at x[r * step]. */
typedef struct dh__gemm_vector {
    const void *x;
    int64_t step;
    const void *v; /* the vector, adjacent */
    void *y;       /* results, adjacent */
    int64_t rows, cols;
} dh__gemm_vector;

/* Sums over few terms: k of A's values for one row or two stay in registers, while the columns of a
 * strip pass by. */
typedef struct dh__gemm_short {
    const void *a;
    int64_t a_row, a_col;
    const void *b; /* packed: k rows DH_GEMM_SHORT_PITCH bytes apart, zeros up to a whole vector */
    void *c;
    int64_t c_row, rows, cols;
    int k; /* 1 .. DH_GEMM_SHORT_K */
    double alpha, beta;
} dh__gemm_short;

#define DH_GEMM_SHORT_K     12   /* two rows of A take 24 registers of 32, one row 12 of 16 */
#define DH_GEMM_SHORT_STRIP 2048 /* bytes of a row of C */
#define DH_GEMM_SHORT_PITCH (DH_GEMM_SHORT_STRIP + 64) /* so that B's rows share no sets of L1 */

#define DH_GEMM_MR_MAX 14

typedef struct dh__gemm_kernels {
    const char *name_small, *name_packed, *name_vector, *name_short;
    int mr[2], nr[2]; /* [f64] */
    int kc[2];        /* longest sum in registers: a constant, so that bits do not tell caches */
    /* [f64][rows of A adjacent] */
    dh__gemm_tile_fn tile[2][2];
    /* out[p * out_step + i] = x[i * step + p], i < width, p < count; zeros for width <= i < fill.
     * Lanes from fill on are left alone. fill <= nr */
    void (*pack_turn[2])(void *out, int64_t out_step, const void *x, int64_t step, int width,
                         int fill, int64_t count);
    /* the same from x[p * step + i] */
    void (*pack_copy[2])(void *out, int64_t out_step, const void *x, int64_t step, int width,
                         int fill, int64_t count);
    void (*dot[2])(const dh__gemm_vector *g);  /* y[r] = sum over cols of x[r][.] v[.] */
    void (*axpy[2])(const dh__gemm_vector *g); /* y[.] = sum over rows of v[r] x[r][.] */
    void (*sum_short[2])(const dh__gemm_short *g);
} dh__gemm_kernels;

extern const dh__gemm_kernels dh__gemm_kernels_portable;
#if defined(__x86_64__)
extern const dh__gemm_kernels dh__gemm_kernels_avx2, dh__gemm_kernels_avx512;
#endif

/* The CPU's instruction set, or the one that was forced (dh__isa); and its kernels. */
int dh__gemm_isa(void);
const dh__gemm_kernels *dh__gemm_kernels_now(void);

/* Bytes of a packed panel of B, nr * kc elements; two lie on the stack of each thread. */
#define DH_GEMM_PANEL_SIZE 65536

/* y = act(alpha * y + beta * c + bias) for one row or column, by scalars: what the vector paths
 * and OpenBLAS need after the product. c and bias have their steps in elements. */
void dh__gemm_finish(const dh__gemm *g, void *c, int64_t c_step, const void *y, const void *bias,
                     int64_t bias_step, int64_t count, double alpha, double beta);

/* gemm_vector.c: m or n is 1. False when it does not take the strides. */
bool dh__gemm_run_vector(const dh__gemm *g, const dh__gemm_kernels *kernels);
bool dh__gemm_is_vector(const dh__gemm *g);

/* gemm_short.c: k is at most DH_GEMM_SHORT_K. False when it does not take the product. */
bool dh__gemm_run_short(const dh__gemm *g, const dh__gemm_kernels *kernels);
bool dh__gemm_is_short(const dh__gemm *g);

/* gemm_openblas.c: false when OpenBLAS is not selected, missing, or cannot take the strides. */
bool dh__gemm_takes_openblas(const dh__gemm *g);
void dh__gemm_run_openblas(const dh__gemm *g);

#endif
