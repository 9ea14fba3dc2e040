/* SPDX-License-Identifier: MIT */
/* What Winograd's convolution and its gradient for the weights share: the results, in tiles of
 * 4x4 or 2x2, are cut into strips of one image or several, and the pixels that each tile sees are
 * gathered and transformed. */
#ifndef DH_WINOGRAD_STRIPS_H
#define DH_WINOGRAD_STRIPS_H

#include "conv_strips.h"
#include "winograd_kernels.h"

#define DH_WINOGRAD_TILES                                                                         \
    56                       /* of a strip, at most: four times the micro-kernel's rows (AVX-512) \
                              */
#define DH_WINOGRAD_BLOCK 32 /* input channels that are gathered and transformed at a time */
#define DH_WINOGRAD_SLAB                                                     \
    (198 * 1024) /* bytes: the most that the tiles of a strip see of a block \
                  */

typedef struct dh__winograd_cut {
    dh__conv_sweep sweep;
    dh__conv_cut cut; /* of a strip's parts, one image each */
    const dh__winograd_kernels *kernels;
    int64_t side, elements;     /* of a tile of results; of a transformed tile */
    int64_t down, across;       /* tiles of an image */
    int64_t images, rows, cols; /* of a strip, at most; in tiles */
    int64_t strips;
    int64_t channels, pixel; /* gathered for a strip; elements from tile to tile */
} dh__winograd_cut;

typedef struct dh__winograd_strip {
    int64_t n, images, y, rows, x, cols; /* in tiles */
    int64_t tiles;
} dh__winograd_strip;

/* Tiles of 4x4 in all that are worth the weights, at least. */
int64_t dh__winograd_few(const dh__conv_sides *s);
/* Why the call's shapes are not taken, NULL if they are. few: tiles in all, at least. */
const char *dh__winograd_refuse(const dh__conv_sides *s, int side, int64_t few);

dh__winograd_cut dh__winograd_cut_of(const dh__conv_sides *s, int side, int64_t channels);
dh__winograd_strip dh__winograd_strip_of(const dh__winograd_cut *c, int64_t number);
/* Blocks of DH_WINOGRAD_BLOCK channels. */
int64_t dh__winograd_blocks(const dh__winograd_cut *c);
/* Bytes that the transformed tiles of a strip take at most; do not grow when an axis shrinks. */
int64_t dh__winograd_tiles_bytes(const dh__winograd_cut *c);

/* The tiles of one image as a strip of the direct kind; whole: as if they were all inside. */
dh__conv_strip dh__winograd_part(const dh__winograd_cut *c, const dh__winograd_strip *t,
                                 int64_t image, bool whole);
/* Channels of x from first on, those of one of dh__winograd_blocks: out[e][tile][pixel]. slab:
 * DH_WINOGRAD_SLAB bytes. */
void dh__winograd_input(const dh__winograd_cut *c, const dh__winograd_strip *t, const dh_view *x,
                        int64_t first, int64_t block, float *slab, float *out);

#endif
