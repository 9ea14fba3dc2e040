/* SPDX-License-Identifier: MIT */
/* The loops of depthwise convolutions, compiled once per instruction set. They read a slab: the
 * part of a plane that a tile of positions sees, with the zeros of its padding. Column x of the
 * plane lies in the slab's phase x mod step, so that the columns that one tap meets at neighbouring
 * positions are neighbours, whatever the stride. */
#ifndef DH_DEPTHWISE_KERNELS_H
#define DH_DEPTHWISE_KERNELS_H

#include "gemm.h"

#define DH_DEPTHWISE_TAPS_MAX 16 /* along an axis, and the greatest step */
#define DH_DEPTHWISE_ROWS     4  /* that are swept at once: a slab has room for so many whole */
#define DH_DEPTHWISE_VECTOR   64 /* bytes, at most */
#define DH_DEPTHWISE_SLACK    8  /* vectors after a slab that may be read */

/* Rows [row, row + rows) of packed planes, and of each phase f the columns (col + i) step + f,
 * i < cols. */
typedef struct dh__depthwise_gather {
    const void *from;
    int64_t in_rows, in_cols;
    int64_t row, rows, col, cols, step;
    int64_t pitch;  /* elements from phase to phase: whole vectors, cols at least */
    int64_t phases; /* that are kept; a row of the slab is so many pitches */
    int64_t slot[DH_DEPTHWISE_TAPS_MAX]; /* of a phase among these, or -1 */
    void *slab;
    int64_t planes, from_plane, slab_plane; /* how many, and elements from one to the next */
} dh__depthwise_gather;

/* The taps of one axis: tap t lies at[t] rows or elements into the slab for position 0 and is
 * number key[t] of the window. */
typedef struct dh__depthwise_taps {
    int64_t count, at[DH_DEPTHWISE_TAPS_MAX], key[DH_DEPTHWISE_TAPS_MAX];
} dh__depthwise_taps;

/* rows x cols positions of some planes; row r begins r * step rows into the slab. x are the
 * positions' own values, results or gradients. _row, _plane: elements from one to the next. */
typedef struct dh__depthwise_tile {
    const void *slab;
    int64_t slab_row, slab_plane, step;
    int64_t rows, cols, planes;
    const dh__depthwise_taps *down, *across;
    int64_t width; /* elements of a row of the window */
    void *x;
    int64_t x_row, x_plane;
} dh__depthwise_tile;

/* What is added up for a tile: the weights of its planes' windows, and their biases or NULL, which
 * do not count with add. */
typedef struct dh__depthwise_weights {
    const void *weight, *bias;
    int64_t weight_plane, bias_plane;
    bool add;    /* to what x holds; else it is set */
    dh__act act; /* of the sum */
    double act_alpha;
} dh__depthwise_weights;

typedef struct dh__depthwise_kernels {
    void (*gather)(const dh__depthwise_gather *g);
    /* x = act(x or bias + the sum over the taps of slab x weight) */
    void (*sweep)(const dh__depthwise_tile *t, const dh__depthwise_weights *w);
    /* out[r * out_row + i] = x[r * row + i % step * phase + i / step], i < count, r < rows */
    void (*spread)(void *out, int64_t out_row, const void *x, int64_t row, int64_t phase,
                   int64_t step, int64_t rows, int64_t count);
    /* sums: for each element of the window DH_DEPTHWISE_VECTOR bytes, for each plane sums_plane
     * elements on, += the products of slab and x, a lane for each column modulo the lanes */
    void (*sums)(const dh__depthwise_tile *t, void *sums, int64_t sums_plane);
    /* out[i] = the sum of the lanes of sums i */
    void (*join)(void *out, const void *sums, int64_t count);
} dh__depthwise_kernels;

/* [0]: f32, [1]: f64 */
extern const dh__depthwise_kernels dh__depthwise_portable[2];
#if DH_HAVE_X86_ISA
extern const dh__depthwise_kernels dh__depthwise_avx2[2], dh__depthwise_avx512[2];
#endif

#endif
