/* SPDX-License-Identifier: MIT */
#include "winograd_strips.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cut.h"

#define BLOCK        DH_WINOGRAD_BLOCK
#define TILES_LEAST  28      /* with many channels: the weights stream by for so many */
#define TILES_MEMORY 1048576 /* bytes of a strip's transformed tiles, where that is enough */
#define WORTH        0.75    /* of the multiplications of a direct sum, which leaves out padding */
/* Of fewer tiles of 4x4 in all the weights cost more than they save; of half as many with vectors
 * below 512 bits, whose sums take longer, where the transformed weights of a group stay in a cache.
 */
#define FEW_TILES      24
#define FEW_TILES_NEAR 12
#define WEIGHTS_NEAR   4194304 /* bytes */

static const dh__winograd_kernels *kernels_now(int side)
{
    int number = side == 2;
#if DH_HAVE_X86_ISA
    int isa = dh__gemm_isa(); /* its tiles are as wide as these transforms make them */
    if (isa == DH_ISA_AVX512) return &dh__winograd_avx512[number];
    if (isa == DH_ISA_AVX2) return &dh__winograd_avx2[number];
#endif
    return &dh__winograd_portable[number];
}

/* --- the cut --- */

static int64_t evenly(int64_t count, int64_t most)
{
    return dh__divide_up(count, dh__divide_up(count, most));
}

static int64_t tile_bytes(const dh__winograd_cut *c)
{
    return c->elements * c->pixel * (int64_t)sizeof(float);
}

dh__winograd_cut dh__winograd_cut_of(const dh__conv_sides *s, int side, int64_t channels)
{
    const dh__gemm_kernels *gemm = dh__gemm_kernels_now();
    dh__winograd_cut c = {.sweep = dh__conv_sweep_of(&s->c.w, s->to_large, 0),
                          .kernels = kernels_now(side),
                          .cut = {.kernels = gemm,
                                  .size = sizeof(float),
                                  .mr = gemm->mr[0],
                                  .nr = gemm->nr[0],
                                  .pool = s->pool,
                                  .n = s->c.n,
                                  .pixel = BLOCK},
                          .channels = channels,
                          .pixel = dh__divide_up(channels, 16) * 16 + 16};
    c.side = c.kernels->side;
    c.elements = c.kernels->elements;
    c.down = dh__divide_up(c.sweep.axis[1].count, c.side);
    c.across = dh__divide_up(c.sweep.axis[2].count, c.side);
    if (s->c.n < 1 || c.down < 1 || c.across < 1) return c;
    int64_t most = TILES_MEMORY / tile_bytes(&c);
    most = most < TILES_LEAST ? TILES_LEAST : dh__at_most(most, DH_WINOGRAD_TILES);
    c.cols = evenly(c.across, dh__at_most(c.across, most));
    c.rows = c.cols == c.across ? evenly(c.down, dh__at_most(c.down, most / c.cols)) : 1;
    bool whole = c.rows == c.down && c.cols == c.across;
    c.images = whole ? evenly(s->c.n, dh__at_most(s->c.n, most / (c.rows * c.cols))) : 1;
    c.strips = dh__divide_up(c.across, c.cols) * dh__divide_up(c.down, c.rows) *
               dh__divide_up(s->c.n, c.images);
    return c;
}

int64_t dh__winograd_blocks(const dh__winograd_cut *c)
{
    return dh__divide_up(c->channels, BLOCK);
}

int64_t dh__winograd_tiles_bytes(const dh__winograd_cut *c)
{
    int64_t tile = tile_bytes(c);
    int64_t bytes = tile * TILES_LEAST > TILES_MEMORY ? tile * TILES_LEAST : TILES_MEMORY;
    bytes = dh__at_most(bytes, tile * DH_WINOGRAD_TILES);
    return dh__whole_lines(dh__at_most(bytes, tile * c->cut.n * c->down * c->across));
}

int64_t dh__winograd_few(const dh__conv_sides *s)
{
    double weights = (double)s->c.in_channels * (double)s->c.out_channels * 36 * sizeof(float);
    bool narrow = dh__gemm_kernels_now()->nr[0] < 32;
    return narrow && weights <= WEIGHTS_NEAR ? FEW_TILES_NEAR : FEW_TILES;
}

/* Of all positions along an axis, those that are not in the padding. */
static int64_t taps_inside(const dh__conv_axis *a)
{
    int64_t count = 0;
    for (int64_t t = 0; t < a->taps; t++) {
        int64_t first = a->at[t] < 0 ? -a->at[t] : 0;
        int64_t end = dh__at_most(a->count, a->in - a->at[t]);
        if (end > first) count += end - first;
    }
    return count;
}

static bool switched_off(void)
{
    static atomic_flag told = ATOMIC_FLAG_INIT;
    const char *choice = getenv("DEEPHEALTH_WINOGRAD");
    if (!choice || !choice[0] || !strcmp(choice, "1")) return false;
    if (!strcmp(choice, "0")) return true;
    if (!atomic_flag_test_and_set(&told))
        dh__log(DH_LOG_WARNING, "DEEPHEALTH_WINOGRAD is \"%s\", must be 0 or 1; 1 is used", choice);
    return false;
}

const char *dh__winograd_refuse(const dh__conv_sides *s, int side, int64_t few)
{
    const dh__windows *w = &s->c.w;
    if (switched_off()) return "DEEPHEALTH_WINOGRAD=0 switches it off";
    if (s->size != sizeof(float)) return "dtype is not f32";
    if (w->size[0] != 1 || w->in[0] != 1 || w->begin[0] || w->end[0]) return "three spatial axes";
    if (w->size[1] != 3 || w->size[2] != 3) return "window is not 3x3";
    for (int i = 1; i < 3; i++)
        if (w->stride[i] != 1 || w->dilation[i] != 1) return "stride or dilation is not 1";
    if (s->c.in_channels < 16 || s->c.out_channels < 16) return "fewer than 16 channels";
    dh__winograd_cut c = dh__winograd_cut_of(s, side, 1);
    int64_t tiles = c.down * c.across;
    double results = (double)c.sweep.axis[1].count * (double)c.sweep.axis[2].count;
    if (results <= 0.4375 * (double)(side * side * tiles)) return "tiles are half empty";
    double taps = (double)taps_inside(&c.sweep.axis[1]) * (double)taps_inside(&c.sweep.axis[2]);
    if ((double)(c.elements * tiles) > WORTH * taps) return "padding leaves few taps to save";
    if ((double)s->c.n * (double)tiles < (double)few)
        return "too few tiles to transform weights for";
    return NULL;
}

/* --- strips --- */

dh__winograd_strip dh__winograd_strip_of(const dh__winograd_cut *c, int64_t number)
{
    int64_t across = dh__divide_up(c->across, c->cols), down = dh__divide_up(c->down, c->rows);
    dh__winograd_strip t = {.n = number / (across * down) * c->images,
                            .y = number / across % down * c->rows,
                            .x = number % across * c->cols};
    t.images = dh__at_most(c->images, c->cut.n - t.n);
    t.rows = dh__at_most(c->rows, c->down - t.y);
    t.cols = dh__at_most(c->cols, c->across - t.x);
    t.tiles = t.images * t.rows * t.cols;
    return t;
}

dh__conv_strip dh__winograd_part(const dh__winograd_cut *c, const dh__winograd_strip *t,
                                 int64_t image, bool whole)
{
    const dh__conv_axis *a = c->sweep.axis;
    dh__conv_strip p = {.n = t->n + image,
                        .images = 1,
                        .y = t->y * c->side,
                        .x = t->x * c->side,
                        .rows = t->rows * c->side,
                        .cols = t->cols * c->side};
    if (!whole) {
        p.rows = dh__at_most(p.rows, a[1].count - p.y);
        p.cols = dh__at_most(p.cols, a[2].count - p.x);
    }
    p.lines = p.rows;
    p.line = p.cols;
    p.height = p.rows + 2;
    p.pitch = p.cols + 2;
    p.low_y = p.y + a[1].low;
    p.low_x = p.x + a[2].low;
    return p;
}

/* Rows of the slab above and below the image, which the gathering leaves alone. */
static void clear_outside(const dh__winograd_cut *c, const dh__conv_strip *p, float *slab)
{
    for (int64_t y = 0; y < p->height; y++)
        if (p->low_y + y < 0 || p->low_y + y >= c->sweep.axis[1].in)
            memset(slab + y * p->pitch * BLOCK, 0, (size_t)(p->pitch * BLOCK) * sizeof *slab);
}

void dh__winograd_input(const dh__winograd_cut *c, const dh__winograd_strip *t, const dh_view *x,
                        int64_t first, int64_t block, float *slab, float *out)
{
    int64_t step = t->tiles * c->pixel, k = block * BLOCK, tile = 0;
    int64_t channels = dh__at_most(BLOCK, c->channels - k);
    for (int64_t image = 0; image < t->images; image++) {
        dh__conv_strip p = dh__winograd_part(c, t, image, true);
        int64_t row = p.pitch * BLOCK;
        clear_outside(c, &p, slab);
        dh__conv_gather(&c->sweep, &c->cut, &p, x, first + k, channels, slab);
        for (int64_t i = 0; i < t->rows; i++)
            for (int64_t l = 0; l < t->cols; l++, tile++)
                c->kernels->input(out + tile * c->pixel + k, step,
                                  slab + (i * row + l * BLOCK) * c->side, row, BLOCK, channels);
    }
}
