/* SPDX-License-Identifier: MIT */
/* How a product is cut, by shape, strides, instruction set and caches; never by threads. */
#ifndef DH_GEMM_PLAN_H
#define DH_GEMM_PLAN_H

#include "gemm_impl.h"

#define PANELS_MAX 8 /* of a strip */

/* Rows of C in tiles of nearly equal height. */
typedef struct dh__gemm_rows {
    int64_t tiles, height, tall; /* the first tall tiles have one row more */
} dh__gemm_rows;

typedef struct dh__gemm_plan {
    const dh__gemm *g;
    const dh__gemm_kernels *kernels;
    int64_t k;             /* 0 where alpha is 0 */
    int64_t size;          /* bytes of an element */
    int64_t mr, nr, lanes; /* lanes: half of nr */
    dh__gemm_rows rows;
    int64_t blocks;         /* of rows, to which the tiles are dealt evenly */
    int64_t panels, strips; /* of columns; a panel has nr */
    int64_t panels_per_strip;
    int64_t chunk;      /* of k, for which A's blocks are packed at a time */
    int64_t block_rows; /* at most, in a block */
    bool pack_a, pack_b, parallel;
} dh__gemm_plan;

#define DH_GEMM_PAGE  4096
#define DH_GEMM_SMALL 1000000.0 /* multiplications, up to which a team is not worth its start */

/* All lines stay in half of L2: then a matrix is read as it lies as fast as packed. */
static inline bool dh__gemm_fits(int64_t rows, int64_t row, int64_t cols, int64_t col, int64_t size)
{
    double extent = (double)rows * (double)row + (double)cols * (double)col;
    return extent * (double)size <= (double)dh__cpu_caches()->l2 / 2 * 1.01;
}

/* Does a small product whose operands need no packing; false if it is not one. */
bool dh__gemm_run_small(const dh__gemm *g, const dh__gemm_kernels *kernels);

static inline dh__gemm_rows dh__gemm_cut_rows(int64_t m, int64_t mr)
{
    int64_t tiles = (m - 1) / mr + 1;
    return (dh__gemm_rows){.tiles = tiles, .height = m / tiles, .tall = m % tiles};
}

/* The first row of tile t. Without a division, which small products would feel. */
static inline int64_t dh__gemm_tile_row(const dh__gemm_rows *rows, int64_t t)
{
    return t * rows->height + (t < rows->tall ? t : rows->tall);
}

/* What is read next, rows of so many lines, prefetched by the calls before: some rows in each or,
 * where there are fewer rows than calls, a part of one. */
typedef struct dh__gemm_ahead {
    const char *at;
    int64_t rows, lines, step; /* rows: left; step: bytes from row to row */
    int64_t sets, share;       /* of a call: rows, or 0 and lines */
    int64_t line;              /* the next one of the first row */
} dh__gemm_ahead;

static inline dh__gemm_ahead dh__gemm_ahead_of(const void *next, int64_t rows, int64_t bytes,
                                               int64_t step, int64_t calls)
{
    int64_t lines = (bytes + 63) / 64, calls_a_row = rows > 0 ? calls / rows : calls;
    return (dh__gemm_ahead){.at = next,
                            .rows = rows,
                            .lines = lines,
                            .step = step,
                            .sets = calls_a_row ? 0 : (rows - 1) / calls + 1,
                            .share = calls_a_row ? (lines - 1) / calls_a_row + 1 : 0};
}

/* Gives a tile what it prefetches. */
static inline void dh__gemm_fetch(dh__gemm_tile *t, dh__gemm_ahead *ahead)
{
    int64_t sets = ahead->rows < ahead->sets ? ahead->rows : ahead->sets, count = ahead->lines;
    int64_t slots = t->k / 4 * (t->runs ? t->run_count : 1);
    t->fetch = ahead->at + ahead->line * 64;
    if (!ahead->sets) {
        sets = ahead->rows > 0;
        count -= ahead->line;
        if (count > ahead->share) count = ahead->share;
        ahead->line += count;
    }
    if (ahead->sets || ahead->line == ahead->lines) {
        ahead->line = 0;
        ahead->rows -= sets;
        ahead->at += sets * ahead->step;
    }
    bool twins = count * sets > slots;
    t->fetch_twin = twins ? 64 : 0;
    t->fetch_step = twins ? 128 : 64;
    t->fetch_count = twins ? (count + 1) / 2 : count;
    t->fetch_jump = ahead->step - t->fetch_count * t->fetch_step;
    t->fetch_sets = count > 0 ? sets : 0;
}

const char *dh__gemm_a_at(const dh__gemm_plan *plan, int64_t i, int64_t p);
const char *dh__gemm_b_at(const dh__gemm_plan *plan, int64_t p, int64_t j);
/* out[q * h + r] = A(i + r, p + q); h <= mr */
void dh__gemm_pack_a(const dh__gemm_plan *plan, void *out, int64_t i, int h, int64_t p,
                     int64_t count);
/* out[q * fill + r] = B(p + q, j + r), zeros for cols <= r < fill; fill <= nr */
void dh__gemm_pack_b(const dh__gemm_plan *plan, void *out, int64_t p, int64_t count, int64_t j,
                     int cols, int fill);

void dh__gemm_run_packed(const dh__gemm_plan *plan, void *scratch);

#endif
