/* SPDX-License-Identifier: MIT */
/* What the depthwise convolutions (cpu_conv_depthwise.c, conv_depthwise_dw.c) share: how planes are
 * cut into tiles of positions, and where the taps lie in a tile's slab (depthwise_kernels.h).
 *
 * A result on the large side is swept in phases, one for each remainder of the position modulo the
 * stride, each with its own taps; all phases of rows and columns read one slab. */
#ifndef DH_CONV_DEPTHWISE_H
#define DH_CONV_DEPTHWISE_H

#include "conv_strips.h"
#include "depthwise_kernels.h"

#define DH_DEPTHWISE_SLOT 49152 /* bytes of slabs and of phases' results: about L1 */

typedef struct dh__depthwise {
    dh__conv_sides s;
    bool to_large;
    const dh__depthwise_kernels *kernels;
    int64_t down_phases, across_phases; /* of the result */
    int64_t down_count[DH_DEPTHWISE_TAPS_MAX], across_count[DH_DEPTHWISE_TAPS_MAX];
    dh__depthwise_taps down[DH_DEPTHWISE_TAPS_MAX], across[DH_DEPTHWISE_TAPS_MAX]; /* in a slab */
    int64_t in[2], out[2]; /* rows and columns of a plane */
    int64_t row_step, low_row, row_span;
    int64_t rows, cols, planes;  /* of a tile, at most */
    int64_t bands, parts;        /* tiles down and across a plane */
    int64_t blocks;              /* of so many planes, the groups of an image */
    int64_t out_pitch, results;  /* elements: of a row of one phase's results, of all phases */
    dh__depthwise_gather gather; /* all that is the same for every tile */
} dh__depthwise;

/* The positions of phase 0 in a tile; other phases may have a row or column less. The planes are
 * those of groups. */
typedef struct dh__depthwise_place {
    int64_t row, rows, col, cols, group, planes;
} dh__depthwise_place;

/* False where one row of a few positions does not fit into a slot. */
bool dh__depthwise_of(dh__depthwise *out, const dh__conv_sides *s);
/* Why the call is not taken, or NULL. */
const char *dh__depthwise_refuse(const dh_call *call);

/* number: [block][band][part] */
dh__depthwise_place dh__depthwise_place_of(const dh__depthwise *d, int64_t number);
/* The parts of planes that a tile sees, so many elements from one to the next, into its slab. */
void dh__depthwise_take(const dh__depthwise *d, const dh__depthwise_place *at, const void *from,
                        int64_t from_plane, void *slab);
/* A tile's positions in one phase, without x; false if there are none. */
bool dh__depthwise_tile_of(const dh__depthwise *d, const dh__depthwise_place *at, int64_t down,
                           int64_t across, const void *slab, dh__depthwise_tile *out);
/* The plane of the input's first axis that tap k meets at plane z of the result, or -1. */
int64_t dh__depthwise_depth(const dh__depthwise *d, int64_t z, int64_t k);

extern const dh_impl dh__conv_depthwise, dh__conv_depthwise_dw, dh__conv_depthwise_last;

#endif
