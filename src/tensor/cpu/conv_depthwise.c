/* SPDX-License-Identifier: MIT */
#include "conv_depthwise.h"

#include "cut.h"

#define BATCH    16384 /* bytes of the slabs of several small planes */
#define MANY_OUT 8     /* of a group: so many keep a matrix product busy */

_Static_assert(DH_DEPTHWISE_TAPS_MAX == DH_CONV_TAPS_MAX, "a sweep's taps fit");

static const dh__depthwise_kernels *kernels_now(bool f64)
{
#if DH_HAVE_X86_ISA
    dh__isa isa = dh__cpu_isa();
    if (isa == DH_ISA_AVX512) return &dh__depthwise_avx512[f64];
    if (isa == DH_ISA_AVX2) return &dh__depthwise_avx2[f64];
#endif
    return &dh__depthwise_portable[f64];
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

static int64_t round_up(int64_t a, int64_t to)
{
    return dh__divide_up(a, to) * to;
}

/* --- taps --- */

/* The taps of one phase as they lie in the input: rows, or columns. */
static int64_t take_axis(const dh__depthwise *d, int axis, int64_t phase, dh__depthwise_taps *taps)
{
    const dh__windows *w = &d->s.c.w;
    dh__conv_sweep sweep =
        dh__conv_sweep_of(w, d->to_large, axis == 1 ? phase * w->stride[2] : phase);
    const dh__conv_axis *a = &sweep.axis[axis];
    *taps = (dh__depthwise_taps){.count = a->taps};
    for (int64_t t = 0; t < a->taps; t++) {
        taps->at[t] = a->at[t];
        taps->key[t] = a->key[t];
    }
    return a->count;
}

/* Rows of the slab begin with the least tap's. */
static void set_rows(dh__depthwise *d)
{
    int64_t low = INT64_MAX, high = INT64_MIN;
    for (int64_t f = 0; f < d->down_phases; f++) {
        dh__depthwise_taps *t = &d->down[f];
        d->down_count[f] = take_axis(d, 1, f, t);
        for (int64_t i = 0; i < t->count; i++) {
            if (t->at[i] < low) low = t->at[i];
            if (t->at[i] > high) high = t->at[i];
        }
    }
    d->low_row = low <= high ? low : 0;
    d->row_span = low <= high ? high - low + 1 : 1;
    for (int64_t f = 0; f < d->down_phases; f++)
        for (int64_t i = 0; i < d->down[f].count; i++) d->down[f].at[i] -= d->low_row;
}

/* Columns of the input go to phases modulo the step. Returns the span of the taps in a phase. */
static int64_t set_columns(dh__depthwise *d)
{
    dh__depthwise_gather *g = &d->gather;
    int64_t low = INT64_MAX, high = INT64_MIN;
    for (int64_t f = 0; f < DH_DEPTHWISE_TAPS_MAX; f++) g->slot[f] = -1;
    for (int64_t f = 0; f < d->across_phases; f++) {
        dh__depthwise_taps *t = &d->across[f];
        d->across_count[f] = take_axis(d, 2, f, t);
        for (int64_t i = 0; i < t->count; i++) {
            int64_t shift = floor_div(t->at[i], g->step);
            g->slot[t->at[i] - shift * g->step] = 0;
            if (shift < low) low = shift;
            if (shift > high) high = shift;
        }
    }
    for (int64_t f = 0; f < g->step; f++)
        if (g->slot[f] == 0) g->slot[f] = g->phases++;
    g->col = low <= high ? low : 0;
    return low <= high ? high - low + 1 : 1;
}

/* The taps' columns as they lie in the slab, whose pitch is known now. */
static void place_columns(dh__depthwise *d)
{
    const dh__depthwise_gather *g = &d->gather;
    for (int64_t f = 0; f < d->across_phases; f++)
        for (int64_t i = 0; i < d->across[f].count; i++) {
            int64_t *at = &d->across[f].at[i], shift = floor_div(*at, g->step);
            *at = g->slot[*at - shift * g->step] * g->pitch + shift - g->col;
        }
}

/* --- tiles --- */

static bool fits(dh__depthwise *d, int64_t rows, int64_t cols, int64_t span)
{
    dh__depthwise_gather *g = &d->gather;
    int64_t vector = DH_DEPTHWISE_VECTOR / d->s.size, most = DH_DEPTHWISE_SLOT / d->s.size;
    int64_t whole = round_up(rows, DH_DEPTHWISE_ROWS), phases = d->down_phases * d->across_phases;
    g->cols = cols + span - 1;
    g->pitch = round_up(g->cols, vector);
    g->slab_plane = ((whole - 1) * d->row_step + d->row_span) * g->phases * g->pitch;
    d->out_pitch = round_up(cols, vector);
    d->results = d->across_phases > 1 ? phases * rows * d->out_pitch : 0;
    d->rows = rows;
    d->cols = cols;
    return g->slab_plane + d->results <= most - DH_DEPTHWISE_SLACK * vector;
}

static bool cut(dh__depthwise *d, int64_t span)
{
    int64_t count = d->down_count[0], across = d->across_count[0], groups = d->s.c.groups;
    int64_t vector = DH_DEPTHWISE_VECTOR / d->s.size;
    int64_t few = dh__at_most(count, DH_DEPTHWISE_ROWS), cols = across, rows = count;
    while (cols > vector && !fits(d, few, cols, span))
        cols = round_up(dh__divide_up(cols, 2), vector);
    while (few > 1 && !fits(d, few, cols, span)) few--;
    if (!fits(d, few, cols, span)) return false;
    while (!fits(d, rows, cols, span)) rows = dh__divide_up(rows, 2);
    if (rows < count && rows > DH_DEPTHWISE_ROWS) rows -= rows % DH_DEPTHWISE_ROWS;
    fits(d, rows, cols, span);
    d->bands = rows ? dh__divide_up(count, rows) : 0;
    d->parts = cols ? dh__divide_up(across, cols) : 0;
    int64_t planes = BATCH / ((d->gather.slab_plane + d->results) * d->s.size);
    d->planes = planes > 1 ? dh__at_most(planes, groups) : 1;
    d->blocks = dh__divide_up(groups, d->planes);
    return true;
}

bool dh__depthwise_of(dh__depthwise *out, const dh__conv_sides *s)
{
    bool to_large = s->to_large;
    const dh__windows *w = &s->c.w;
    *out = (dh__depthwise){.s = *s,
                           .to_large = to_large,
                           .kernels = kernels_now(s->size == 8),
                           .down_phases = to_large ? w->stride[1] : 1,
                           .across_phases = to_large ? w->stride[2] : 1,
                           .row_step = to_large ? 1 : w->stride[1]};
    for (int i = 0; i < 2; i++) {
        out->in[i] = to_large ? w->out[i + 1] : w->in[i + 1];
        out->out[i] = to_large ? w->in[i + 1] : w->out[i + 1];
    }
    out->gather.step = to_large ? 1 : w->stride[2];
    out->gather.in_rows = out->in[0];
    out->gather.in_cols = out->in[1];
    set_rows(out);
    bool fit = cut(out, set_columns(out));
    place_columns(out);
    return fit;
}

const char *dh__depthwise_refuse(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    dh__depthwise d;
    const char *why = dh__conv_not_packed(&s);
    if (why) return why;
    if (s.add) return "takes nothing that is added";
    if (s.c.in_channels != 1) return "not one channel a group";
    if (s.c.out_channels < 1) return "no channels";
    if (s.c.out_channels >= MANY_OUT) return "many channels of y in a group";
    for (int i = 0; i < 3; i++) {
        if (s.c.w.size[i] > DH_DEPTHWISE_TAPS_MAX) return "window is longer than 16";
        if (s.c.w.stride[i] > DH_DEPTHWISE_TAPS_MAX) return "stride is longer than 16";
        if (s.c.w.in[i] < 1) return "images are empty";
    }
    if (!dh__depthwise_of(&d, &s)) return "window spans too much";
    return NULL;
}

dh__depthwise_place dh__depthwise_place_of(const dh__depthwise *d, int64_t number)
{
    int64_t tiles = d->bands * d->parts, tile = number % tiles;
    dh__depthwise_place p = {.row = tile / d->parts * d->rows,
                             .col = tile % d->parts * d->cols,
                             .group = number / tiles * d->planes};
    p.rows = dh__at_most(d->rows, d->down_count[0] - p.row);
    p.cols = dh__at_most(d->cols, d->across_count[0] - p.col);
    p.planes = dh__at_most(d->planes, d->s.c.groups - p.group);
    return p;
}

void dh__depthwise_take(const dh__depthwise *d, const dh__depthwise_place *at, const void *from,
                        int64_t from_plane, void *slab)
{
    dh__depthwise_gather g = d->gather;
    g.from = from;
    g.slab = slab;
    g.row = at->row * d->row_step + d->low_row;
    g.rows = (at->rows - 1) * d->row_step + d->row_span;
    g.col += at->col;
    g.cols += at->cols - d->cols;
    g.planes = at->planes;
    g.from_plane = from_plane;
    d->kernels->gather(&g);
}

bool dh__depthwise_tile_of(const dh__depthwise *d, const dh__depthwise_place *at, int64_t down,
                           int64_t across, const void *slab, dh__depthwise_tile *out)
{
    *out = (dh__depthwise_tile){.slab = slab,
                                .slab_row = d->gather.phases * d->gather.pitch,
                                .slab_plane = d->gather.slab_plane,
                                .step = d->row_step,
                                .rows = dh__at_most(at->rows, d->down_count[down] - at->row),
                                .cols = dh__at_most(at->cols, d->across_count[across] - at->col),
                                .planes = at->planes,
                                .down = &d->down[down],
                                .across = &d->across[across],
                                .width = d->s.c.w.size[2]};
    return out->rows > 0 && out->cols > 0;
}

int64_t dh__depthwise_depth(const dh__depthwise *d, int64_t z, int64_t k)
{
    const dh__windows *w = &d->s.c.w;
    int64_t at, step = w->stride[0], shift = k * w->dilation[0] - w->begin[0];
    if (!d->to_large) {
        at = z * step + shift;
        return at >= 0 && at < w->in[0] ? at : -1;
    }
    at = z - shift;
    return at >= 0 && at % step == 0 && at / step < w->out[0] ? at / step : -1;
}
