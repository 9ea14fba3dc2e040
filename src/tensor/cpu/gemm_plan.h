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
#define DH_GEMM_WAY   4096      /* of the first cache: addresses so far apart share a set */
#define DH_GEMM_SMALL 1000000.0 /* multiplications, up to which a team is not worth its start */

/* All lines stay in half of L2: then a matrix is read as it lies as fast as packed. */
static inline bool dh__gemm_fits(int64_t rows, int64_t row, int64_t cols, int64_t col, int64_t size)
{
    double extent = (double)rows * (double)row + (double)cols * (double)col;
    return extent * (double)size <= (double)dh__cpu_caches()->l2 / 2 * 1.01;
}

/* So many rows, step bytes apart, lie in one set of the first cache and fill it: each line of
 * something else that comes there drives one of theirs out. */
static inline bool dh__gemm_crowds(int64_t rows, int64_t step)
{
    return step % DH_GEMM_WAY == 0 && (size_t)(rows * DH_GEMM_WAY) >= dh__cpu_caches()->l1d;
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

/* Rows of bytes, step apart, that are read next, for so many tiles with sums of k steps to fetch.
 */
static inline dh__gemm_ahead dh__gemm_ahead_of(const void *next, int64_t rows, int64_t bytes,
                                               int64_t step, int64_t tiles, int64_t k)
{
    int64_t lines = (bytes + 63) / 64;
    bool twins = rows * lines > tiles * (k / 4);
    int64_t apart = twins ? 128 : 64;
    if (twins) lines = (lines + 1) / 2;
    return (dh__gemm_ahead){.line = next,
                            .left = lines,
                            .rows = rows,
                            .lines = lines,
                            .step = apart,
                            .jump = step - lines * apart,
                            .twin = twins ? 64 : 0,
                            .share = (rows * lines - 1) / tiles + 1};
}

/* Makes all tiles of rows: t has the first one's places. a_row: elements of A from row to row. */
static inline void dh__gemm_make_rows(dh__gemm_tile_fn make, dh__gemm_tile *t,
                                      const dh__gemm_rows *rows, int64_t a_row, int64_t size)
{
    int64_t tiles = rows->tall, height = rows->height + 1;
    for (int i = 0; i < 2; i++, tiles = rows->tiles - rows->tall, height--) {
        if (!tiles) continue;
        t->more = tiles - 1;
        t->a_next = height * a_row;
        t->c_next = height * t->c_row;
        t->add_next = height * t->add_row;
        make(t, (int)height);
        t->a = (const char *)t->a + tiles * t->a_next * size;
        t->c = (char *)t->c + tiles * t->c_next * size;
        if (t->add) t->add = (const char *)t->add + tiles * t->add_next * size;
    }
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
