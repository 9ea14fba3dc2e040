/* SPDX-License-Identifier: MIT */
/* What the direct convolutions (cpu_conv_direct.c, conv_direct_dw.c) share: a result is cut into
 * strips, whose part of the input is gathered channels last, so that the GEMM's micro-kernel can
 * broadcast pixel after pixel from it; the taps of a window are then only offsets.
 *
 * A strip has lines of pixels. Either a line is a part of one row of the result, or, where rows are
 * shorter than a tile, one position in many images: then a tap that lies in the padding is left
 * out, not multiplied by zero. */
#ifndef DH_CONV_STRIPS_H
#define DH_CONV_STRIPS_H

#include "conv_sides.h"
#include "gemm_impl.h"

#define DH_CONV_TAPS_MAX 16      /* along an axis */
#define DH_CONV_PIXELS   1024    /* of a strip, at most; its lines are at most a quarter */
#define DH_CONV_SLAB     1048576 /* bytes of a strip's input, at most */

/* One axis of a sweep: position j makes element out_first + j * out_step of the result from the
 * elements j * in_step + at[t] of the input, those inside [0, in). */
typedef struct dh__conv_axis {
    int64_t count, in, in_step, out, out_first, out_step;
    int64_t taps, low, span;                             /* least at[], greatest - least + 1 */
    int64_t at[DH_CONV_TAPS_MAX], key[DH_CONV_TAPS_MAX]; /* key: which of the window's elements */
} dh__conv_axis;

/* Positions that all have the same taps: the whole result of a convolution; of its gradient those
 * that are congruent modulo the strides. */
typedef struct dh__conv_sweep {
    dh__conv_axis axis[3];
    int64_t taps;
} dh__conv_sweep;

/* Sweeps of a result on the small side (1) or on the large one (the product of strides). */
int64_t dh__conv_sweeps(const dh__windows *w, bool to_large);
dh__conv_sweep dh__conv_sweep_of(const dh__windows *w, bool to_large, int64_t number);

/* The numbers along each axis of a sweep's tap. */
static inline void dh__conv_tap_number(const dh__conv_sweep *s, int64_t tap, int64_t out[3])
{
    int64_t across = s->axis[2].taps, plane = s->axis[1].taps * across;
    out[0] = tap / plane;
    out[1] = tap % plane / across;
    out[2] = tap % across;
}

/* How a sweep is cut; by shapes only. */
typedef struct dh__conv_cut {
    const dh__gemm_kernels *kernels;
    bool f64, images;          /* images: a line is one position in many images */
    bool in_place;             /* no slab: the images are read as they lie, channels last */
    bool pool;                 /* the maxima of 2x2 pixels are what results */
    int64_t size, mr, nr;      /* bytes of an element, of the micro-kernel */
    int64_t n, channels;       /* of the input; channels: gathered at a time */
    int64_t pixel;             /* elements from pixel to pixel of the slab */
    int64_t per_image, strips; /* strips of an image, or all of them */
    int64_t rows, cols;        /* of the result in a strip, at most */
    int64_t line_images;       /* images in a strip, at most */
} dh__conv_cut;

typedef struct dh__conv_strip {
    int64_t n, images;           /* the first, and how many */
    int64_t z, y, rows, x, cols; /* positions; all of an image with images */
    int64_t lines, line;         /* how many, pixels of each */
    int64_t height, pitch;       /* rows and columns of a plane of the slab */
    int64_t low_y, low_x;        /* element of the input where the slab begins */
} dh__conv_strip;

/* n images of so many channels. */
dh__conv_cut dh__conv_cut_of(const dh__conv_sweep *s, int64_t n, int64_t channels, bool f64,
                             bool pool);
/* One row of pixels that need no slab in so many strips at least, but not of a few tiles only:
 * where each thread makes a stretch of it, it finds there what the layer before left in its caches.
 */
void dh__conv_cut_finely(dh__conv_cut *c, const dh__conv_sweep *s, int64_t strips);
dh__conv_strip dh__conv_strip_of(const dh__conv_sweep *s, const dh__conv_cut *c, int64_t number);
/* Elements that no slab of the sweep exceeds; does not grow when an axis shrinks. */
int64_t dh__conv_slab_bound(const dh__conv_sweep *s, int64_t n, int64_t channels, int64_t size);
/* Does one tile's worth fit into a slab, of two rows if results are pooled? */
bool dh__conv_slab_fits(const dh__conv_sweep *s, int64_t channels, bool f64, bool pool);

/* Channels from first on of the strip's input into the slab; channels of the cut are gathered. */
void dh__conv_gather(const dh__conv_sweep *s, const dh__conv_cut *c, const dh__conv_strip *t,
                     const dh_view *x, int64_t first, int64_t channels, void *slab);
/* Offset in the slab of a tap (its number along each axis) at the first pixel of a line; false if
 * it is in the padding throughout. */
bool dh__conv_tap_at(const dh__conv_sweep *s, const dh__conv_cut *c, const dh__conv_strip *t,
                     int64_t line, const int64_t tap[3], int64_t *offset);
/* Elements of the slab from pixel to pixel of a line. */
static inline int64_t dh__conv_step(const dh__conv_sweep *s, const dh__conv_cut *c)
{
    return c->images ? c->pixel : s->axis[2].in_step * c->pixel;
}

/* Are no more pixels of a row seen than there are? */
static inline bool dh__conv_inside(const dh__conv_axis *a)
{
    return a->low >= 0 && (a->count - 1) * a->in_step + a->low + a->span <= a->in;
}

/* Where the first pixel of a line lies in a result whose channels are last, from channel `first`
 * on; *step: elements from pixel to pixel of the line. */
void *dh__conv_line(const dh__conv_sweep *s, const dh__conv_cut *c, const dh__conv_strip *t,
                    const dh_view *y, int64_t first, int64_t line, int64_t *step);
/* Between the strip's pixels of nr channels each, in the order of lines, and the tensor of the
 * result, whose channels from first on they are; there are count of them. Where they are pooled,
 * the maxima take the place of the first pixels. */
void dh__conv_scatter(const dh__conv_sweep *s, const dh__conv_cut *c, const dh__conv_strip *t,
                      const dh_view *y, int64_t first, int64_t count, void *pixels);
/* The other way, for a sweep whose positions lie one by one; zeros for channels from count on. */
void dh__conv_take(const dh__conv_sweep *s, const dh__conv_cut *c, const dh__conv_strip *t,
                   const dh_view *y, int64_t first, int64_t count, void *pixels);

/* Weights in the order in which the micro-kernel reads them. */
typedef struct dh__conv_weights {
    const dh__conv_sides *s;
    int64_t group, in_channels, out_channels; /* of a group; out: of the result */
    int64_t chunk;                            /* input channels that are packed at a time */
} dh__conv_weights;

/* One panel, nr output channels, of one chunk: [tap][channel of the chunk][nr], zeros for output
 * channels that there are not. */
void dh__conv_pack(const dh__conv_weights *w, const dh__conv_sweep *sweep, int64_t panel,
                   int64_t chunk, void *out);

#endif
