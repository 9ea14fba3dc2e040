/* SPDX-License-Identifier: MIT */
/* Convolution, its gradient for the input and the transposed convolution without a matrix of
 * columns: strip by strip of the result (conv_strips.h), for each panel of its channels, by the
 * GEMM's micro-kernel, A being the pixels of the strip's input and B the weights of the panel. The
 * sum over taps and channels is taken in pieces, whose weights stay near while all pixels of the
 * strip pass by. */
#include <string.h>

#include "conv_strips.h"
#include "cpu.h"
#include "cut.h"
#include "gemm_plan.h"
#include "team.h"

#define PIECE_BYTES  32768 /* of a panel's weights, about */
#define RUNS_MAX     64
#define TASKS_WANTED 16
#define SERIAL_FLOPS 2e6
#define LEAST_OUT    8 /* channels: fewer leave most lanes idle */

typedef struct job {
    dh__conv_weights w;
    const dh_view *from, *to;
    dh__conv_sweep sweep;
    dh__conv_cut cut;
    int64_t chunks; /* of the input's channels */
    int64_t taps_a_piece;
    bool merged; /* the taps of a row are one run */
    /* what is added: none, there where the sums begin, or read by the first piece */
    enum { NONE, THERE, READ } summand;
    bool add_last; /* it lies channels last */
    bool to_holds; /* sums are made in the result, not in the strip's pixels */
    int64_t panels, groups_of_panels;
    char *weights; /* [panel][chunk][tap][channel of chunk][nr] */
    char *slots;
    int64_t slab, slot; /* bytes */
} job;

static int64_t chunk_length(const job *j, int64_t chunk)
{
    return dh__at_most(j->w.chunk, j->w.in_channels - chunk * j->w.chunk);
}

/* Elements of the packed weights from the first to a panel's chunk. */
static int64_t weights_at(const job *j, int64_t panel, int64_t chunk)
{
    int64_t channels = panel * j->w.in_channels + chunk * j->w.chunk;
    return channels * j->sweep.taps * j->cut.nr;
}

static void pack_task(void *context, int64_t i, int64_t place)
{
    const job *j = context;
    DH_UNUSED(place);
    int64_t panel = i / j->chunks, chunk = i % j->chunks;
    dh__conv_pack(&j->w, &j->sweep, panel, chunk,
                  j->weights + weights_at(j, panel, chunk) * j->cut.size);
}

/* --- sums --- */

/* A strip that is being made. */
typedef struct strip {
    const job *j;
    dh__conv_strip t;
    char *slab, *pixels;
    dh__gemm_rows tiles; /* of a line */
    dh__gemm_tile tile;
    dh__gemm_ahead ahead, like; /* like: at the beginning of a piece of so many terms */
    int64_t terms;
    dh__gemm_at *runs; /* of a line; room for RUNS_MAX */
} strip;

/* Taps [tap, end) of length channels, from `channel` of the result on; begins: what is added, too;
 * last: what follows the sum. */
typedef struct piece {
    int64_t channel, tap, end, length;
    const char *slab; /* its channels' part */
    bool begins, last;
} piece;

/* The runs of a piece for a line, those that are not in the padding. */
static int64_t runs_of(strip *s, const piece *p, int64_t line)
{
    const job *j = s->j;
    int64_t count = 0, at[3];
    for (int64_t tap = p->tap; tap < p->end; tap += j->merged ? j->sweep.axis[2].taps : 1) {
        dh__conv_tap_number(&j->sweep, tap, at);
        if (dh__conv_tap_at(&j->sweep, &j->cut, &s->t, line, at, &s->runs[count].a))
            s->runs[count++].b = (tap - p->tap) * p->length * j->cut.nr;
    }
    return count;
}

/* The first pixel of a line, from channel `channel` on, and the elements from pixel to pixel. */
static char *line_of(const strip *s, const dh_view *tensor, bool holds_sums, int64_t line,
                     int64_t channel, int64_t *step)
{
    const job *j = s->j;
    if (holds_sums) return dh__conv_line(&j->sweep, &j->cut, &s->t, tensor, channel, line, step);
    *step = j->cut.nr;
    return s->pixels + line * s->t.line * j->cut.nr * j->cut.size;
}

/* A piece to fetch while this one is in use. */
static void look_ahead(strip *s, int64_t terms)
{
    int64_t bytes = terms * s->j->cut.nr * s->j->cut.size;
    const char *next = (const char *)s->tile.b + bytes;
    if (terms != s->terms) {
        s->like = dh__gemm_ahead_of(next, 1, bytes, 0, s->t.lines * s->tiles.tiles, terms);
        s->terms = terms;
    }
    s->ahead = s->like;
    s->ahead.line = next;
}

/* Adds a piece to all pixels. */
static void add_piece(strip *s, const piece *p)
{
    const job *j = s->j;
    dh__gemm_tile *tile = &s->tile;
    const dh_view *add = p->begins && j->summand == READ ? j->w.s->add : NULL;
    bool one_run = s->t.lines == 1 && j->sweep.taps == 1; /* the same for all pieces */
    look_ahead(s, (p->end - p->tap) * p->length);
    tile->k = j->merged ? p->length * j->sweep.axis[2].taps : p->length;
    for (int64_t line = 0; line < s->t.lines; line++) {
        if (!one_run || !tile->run_count) tile->run_count = runs_of(s, p, line);
        if (!tile->run_count && tile->beta != 0 && !p->last) continue;
        tile->a = p->slab;
        tile->c = line_of(s, j->to, j->to_holds, line, p->channel, &tile->c_row);
        tile->add = add ? line_of(s, add, j->add_last, line, p->channel, &tile->add_row) : NULL;
        dh__gemm_make_rows(j->cut.kernels->tile[j->cut.f64][0], tile, &s->tiles, tile->a_step,
                           j->cut.size);
    }
}

static void make_panel(strip *s, int64_t panel)
{
    const job *j = s->j;
    dh__gemm_tile *tile = &s->tile;
    int64_t first = panel * j->cut.nr, size = j->cut.size, taps = j->sweep.taps;
    int64_t width = dh__at_most(j->cut.nr, j->w.out_channels - first);
    int64_t channel = j->w.group * j->w.out_channels + first;
    const dh_view *bias = j->w.s->bias;
    tile->cols = width;
    tile->beta = j->summand == THERE ? 1 : 0;
    tile->act = DH_ACT_NONE;
    tile->bias = NULL;
    if (j->summand && !j->add_last)
        dh__conv_take(&j->sweep, &j->cut, &s->t, j->w.s->add, channel, width, s->pixels);
    for (int64_t chunk = 0; chunk < j->chunks; chunk++) {
        piece p = {.channel = channel,
                   .length = chunk_length(j, chunk),
                   .slab = s->slab + chunk * j->w.chunk * size};
        do {
            p.end = dh__at_most(p.tap + j->taps_a_piece, taps);
            p.begins = !chunk && !p.tap;
            p.last = p.end >= taps && chunk + 1 == j->chunks;
            if (p.last) {
                tile->act = j->w.s->act;
                if (bias) tile->bias = (const char *)bias->data + channel * size;
            }
            tile->b =
                j->weights + (weights_at(j, panel, chunk) + p.tap * p.length * j->cut.nr) * size;
            add_piece(s, &p);
            tile->beta = 1;
            p.tap = p.end;
        } while (p.tap < taps);
    }
    if (!j->to_holds) dh__conv_scatter(&j->sweep, &j->cut, &s->t, j->to, channel, width, s->pixels);
}

static void sum_task(void *context, int64_t i, int64_t place)
{
    const job *j = context;
    int64_t group = i % j->groups_of_panels, channel = j->w.group * j->w.in_channels;
    dh__gemm_at runs[RUNS_MAX];
    strip s = {.j = j, .slab = j->slots + place * j->slot, .runs = runs};
    s.t = dh__conv_strip_of(&j->sweep, &j->cut, i / j->groups_of_panels);
    s.pixels = s.slab + j->slab;
    s.tiles = dh__gemm_cut_rows(s.t.line, j->cut.mr);
    s.tile = (dh__gemm_tile){.a_step = dh__conv_step(&j->sweep, &j->cut),
                             .b_step = j->cut.nr,
                             .runs = runs,
                             .ahead = &s.ahead,
                             .alpha = 1,
                             .act_alpha = j->w.s->act_alpha};
    if (j->cut.in_place)
        s.slab = dh__conv_plane(j->w.s, j->from, s.t.n, channel);
    else
        dh__conv_gather(&j->sweep, &j->cut, &s.t, j->from, channel, j->w.in_channels, s.slab);
    int64_t end = j->panels * (group + 1) / j->groups_of_panels;
    for (int64_t p = j->panels * group / j->groups_of_panels; p < end; p++) make_panel(&s, p);
}

/* --- the implementation --- */

/* There is one image, or they lie one after the other, pixel by pixel. */
static bool flat(const dh__conv_sides *s, const dh_view *v)
{
    return s->c.n <= 1 ||
           (dh__pixel_step(v) == v->shape[1] && v->stride[0] == dh__view_count(v) / v->shape[0]);
}

/* The call; a window of one element that moves by one sees the pixels of an image as one row, or
 * even those of all images, unless their maxima are taken. */
static dh__conv_sides sides_of(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    dh__windows *w = &s.c.w;
    int64_t pixels = 1;
    for (int i = 0; i < 3; i++) {
        if (w->size[i] != 1 || w->stride[i] != 1 || w->begin[i] || w->in[i] != w->out[i] || s.pool)
            return s;
        pixels *= w->in[i];
    }
    if (flat(&s, &s.large) && flat(&s, &s.small) && (!s.add || flat(&s, s.add))) {
        pixels *= s.c.n;
        s.c.n = 1;
    }
    for (int i = 0; i < 3; i++) w->in[i] = w->out[i] = i < 2 ? 1 : pixels;
    return s;
}

static job job_of(const dh__conv_sides *s, int64_t number)
{
    bool to_large = s->to_large;
    job j = {.w = {.s = s}, .sweep = dh__conv_sweep_of(&s->c.w, to_large, number)};
    const dh__conv_axis *last = &j.sweep.axis[2];
    j.from = to_large ? &s->small : &s->large;
    j.to = to_large ? &s->large : &s->small;
    j.w.in_channels = to_large ? s->c.out_channels : s->c.in_channels;
    j.w.out_channels = to_large ? s->c.in_channels : s->c.out_channels;
    j.cut = dh__conv_cut_of(&j.sweep, s->c.n, j.w.in_channels, s->size == 8, s->pool);
    j.to_holds = dh__pixel_step(j.to) > 1 && !j.cut.pool;
    if (s->add) { /* the pixels of packed tensors are taken into the strip's first */
        j.add_last = dh__pixel_step(s->add) > 1;
        bool taken = dh__pixel_step(j.to) == 1 && !j.add_last;
        j.summand = taken || s->add->data == j.to->data ? THERE : READ;
    }
    if (!j.cut.images && dh__pixel_step(j.from) > 1 && dh__conv_inside(last)) {
        int64_t step = j.sweep.axis[2].in_step * j.from->shape[1] * j.cut.size;
        j.cut.in_place = !dh__gemm_crowds(j.cut.mr, step);
        if (j.cut.in_place) j.cut.pixel = j.from->shape[1];
        dh__conv_cut_finely(&j.cut, &j.sweep, TASKS_WANTED);
    }
    j.panels = dh__divide_up(j.w.out_channels, j.cut.nr);
    int64_t terms = PIECE_BYTES / (j.cut.nr * j.cut.size);
    j.chunks = dh__divide_up(j.w.in_channels, terms);
    j.w.chunk = j.chunks ? dh__divide_up(j.w.in_channels, j.chunks) : 0;
    /* a row of taps at once where it fits; the same pieces with images, so that bits agree */
    int64_t row = last->taps * j.w.in_channels, unit = row <= terms ? last->taps : 1;
    int64_t units = unit ? terms / (unit * (j.w.chunk ? j.w.chunk : 1)) : 1;
    j.taps_a_piece = unit * (units > 1 ? units : 1);
    if (j.taps_a_piece > RUNS_MAX) j.taps_a_piece = unit < RUNS_MAX ? RUNS_MAX / unit * unit : unit;
    if (j.taps_a_piece < 1) j.taps_a_piece = 1;
    j.merged = !j.cut.images && unit == last->taps && last->taps == last->span &&
               j.cut.pixel == j.w.in_channels;
    j.groups_of_panels = j.cut.strips < TASKS_WANTED && j.cut.strips > 0
                             ? dh__at_most(j.panels, dh__divide_up(TASKS_WANTED, j.cut.strips))
                             : 1;
    return j;
}

static const char *refuse_direct(const dh_call *call)
{
    dh__conv_sides s = sides_of(call);
    const dh__conv *c = &s.c;
    bool to_large = s.to_large, f64 = s.large.dtype == DH_F64;
    if (s.large.dtype != DH_F32 && !f64) return "dtype is neither f32 nor f64";
    if (!dh__packed_from(&s.weight, 1)) return "weight is not packed";
    if (!dh__pixel_step(&s.small)) return "positions are not packed";
    if (!dh__pixel_step(&s.large)) return "images are not packed";
    if (s.add && !dh__pixel_step(s.add)) return "what is added is not packed";
    if (s.bias && s.bias->stride[0] != 1) return "bias is not packed";
    if ((to_large ? c->in_channels : c->out_channels) < LEAST_OUT) return "few channels result";
    if (c->in_channels < 1 || c->out_channels < 1) return "no channels";
    for (int i = 0; i < 3; i++) {
        if (c->w.size[i] > DH_CONV_TAPS_MAX) return "window is longer than 16";
        if (c->w.stride[i] > DH_CONV_TAPS_MAX) return "stride is longer than 16";
    }
    for (int64_t i = 0; i < dh__conv_sweeps(&c->w, to_large); i++) {
        dh__conv_sweep sweep = dh__conv_sweep_of(&c->w, to_large, i);
        if (!dh__conv_slab_fits(&sweep, to_large ? c->out_channels : c->in_channels, f64, s.pool))
            return "window of all channels is too large";
    }
    return NULL;
}

static int64_t weights_size(const dh__conv_sides *s, const job *j)
{
    return dh__whole_lines(j->panels * j->cut.nr * j->w.in_channels *
                           dh__windows_elements(&s->c.w) * s->size);
}

static void set_slots(const dh__conv_sides *s, job *j)
{
    for (int64_t i = 0; i < dh__conv_sweeps(&s->c.w, s->to_large); i++) {
        dh__conv_sweep sweep = dh__conv_sweep_of(&s->c.w, s->to_large, i);
        int64_t slab = dh__whole_lines(
            dh__conv_slab_bound(&sweep, s->c.n, j->w.in_channels, s->size) * s->size);
        if (slab > j->slab) j->slab = slab;
    }
    j->slot = j->slab + DH_CONV_PIXELS * j->cut.nr * s->size;
}

static size_t scratch_direct(const dh_call *call)
{
    dh__conv_sides s = sides_of(call);
    job j = job_of(&s, 0);
    set_slots(&s, &j);
    return (size_t)(dh__conv_shift_bytes(&s) + weights_size(&s, &j) + dh__cpu_count() * j.slot);
}

static void pack_weights(job *j, char *to, int64_t places)
{
    j->weights = to;
    dh__team_run_placed(places, j->panels * j->chunks, pack_task, j);
}

/* Of a forward op: for each group, one after the other, the weights of each sweep. */
static size_t packed_direct(const dh_call *call)
{
    dh__conv_sides s = sides_of(call);
    if (call->op != &dh_op_conv && call->op != &dh_op_conv_transpose) return 0;
    job j = job_of(&s, 0);
    return (size_t)(dh__conv_shift_bytes(&s) + weights_size(&s, &j) * s.c.groups);
}

/* Of the weights of one group that one sweep reads. */
static int64_t sweep_bytes(const job *j)
{
    return j->sweep.taps * j->panels * j->cut.nr * j->w.in_channels * j->cut.size;
}

static void pack_direct(const dh_call *call, void *out)
{
    dh__conv_sides s = sides_of(call);
    char *weights = (char *)out + dh__conv_shift_bytes(&s);
    dh__conv_pack_shifts(&s, out);
    for (int64_t number = 0; number < dh__conv_sweeps(&s.c.w, s.to_large); number++) {
        job j = job_of(&s, number);
        for (j.w.group = 0; j.w.group < s.c.groups && j.sweep.taps; j.w.group++)
            pack_weights(&j, weights + j.w.group * weights_size(&s, &j), dh__cpu_count());
        weights += sweep_bytes(&j);
    }
}

static void fill_planes(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const dh_view *y = j->to, *bias = j->w.s->bias;
    int64_t channels = y->shape[1], size = j->w.s->size, area = 1, step = dh__pixel_step(y);
    for (int i = 2; i < y->ndim; i++) area *= y->shape[i];
    for (int64_t i = begin; i < end; i++) {
        static const double zero = 0;
        char *plane = dh__conv_plane(j->w.s, y, i / channels, i % channels);
        const void *value = bias ? (char *)bias->data + i % channels * size : (void *)&zero;
        for (int64_t e = 0; e < area; e++) memcpy(plane + e * step * size, value, (size_t)size);
    }
}

/* Elements of a strided gradient that no tap reaches are their bias. */
static void fill_untouched(job *j)
{
    bool untouched = false;
    for (int64_t i = 0; i < dh__conv_sweeps(&j->w.s->c.w, j->w.s->to_large); i++)
        untouched |= dh__conv_sweep_of(&j->w.s->c.w, j->w.s->to_large, i).taps == 0;
    if (untouched) dh__team_ranges(j->to->shape[0] * j->to->shape[1], 16, fill_planes, j);
}

static dh_status run_direct(const dh_call *call)
{
    dh__conv_sides s = sides_of(call);
    if (!dh__view_count(&call->out[0])) return DH_OK;
    char *scratch, *packed = dh__conv_fold(&s, call, &scratch);
    for (int64_t number = 0; number < dh__conv_sweeps(&s.c.w, s.to_large); number++) {
        job j = job_of(&s, number);
        int64_t size = weights_size(&s, &j), tasks = j.cut.strips * j.groups_of_panels;
        double flops = (s.pool ? 8.0 : 2.0) * (double)dh__view_count(j.to) *
                       (double)j.w.in_channels * (double)j.sweep.taps;
        int64_t places = flops > SERIAL_FLOPS ? dh__cpu_count() : 1;
        set_slots(&s, &j);
        j.slots = scratch + size;
        if (!number) fill_untouched(&j);
        for (j.w.group = 0; tasks && j.sweep.taps && j.w.group < s.c.groups; j.w.group++) {
            if (packed)
                j.weights = packed + j.w.group * size;
            else
                pack_weights(&j, scratch, places);
            dh__team_run_placed(places, tasks, sum_task, &j);
        }
        if (packed) packed += sweep_bytes(&j);
    }
    return DH_OK;
}

const dh_impl dh__conv_direct = {.name = "direct",
                                 .refuse = refuse_direct,
                                 .scratch = scratch_direct,
                                 .packed = packed_direct,
                                 .pack = pack_direct,
                                 .run = run_direct,
                                 .channels_last = true,
                                 .by_rows = true};
