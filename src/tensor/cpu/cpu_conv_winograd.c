/* SPDX-License-Identifier: MIT */
/* Convolution with a 3x3 window in f32 and its gradient for the input by Winograd's minimal
 * filtering F(4x4, 3x3): a quarter of the multiplications, by 36 products of matrices for many
 * tiles of 4x4 results at once; or F(2x2, 3x3), 16 products with four ninths of the multiplications
 * and fewer weights (docs/convolution.md, also for the rounding error). */
#include <string.h>

#include "cpu.h"
#include "cut.h"
#include "gemm_plan.h"
#include "team.h"
#include "winograd_strips.h"

#define CHUNK        32 /* input channels whose weights are transformed at a time */
#define RUNS_MAX     128
#define TASKS_WANTED 16
#define TILES_SHARED 8388608  /* bytes of all strips' tiles, at most, if all panels share them */
#define KEPT         16777216 /* bytes of transformed weights that are kept, at most */
#define TOGETHER     4        /* strips for which each task makes its panel's anew, at most */
#define PANELS_APART 8        /* that many such tasks, at least */
/* Of fewer tiles in all the weights cost more than they save: of 4x4 with weights that tasks make,
 * which need not be read; of 2x2. */
#define FEW_TILES_APART 9
#define FEW_TILES_2X2   9

/* Transformed weights are kept, or made by each run as a whole or, for few strips, a panel's by the
 * task that makes the panel. */
typedef struct job {
    dh__conv_weights w;
    dh__winograd_cut c;
    const dh_view *from, *to;
    int64_t panels;
    bool kept, whole;
    /* transformed, [channels / run][36 or 16][run][nr] with step elements from one of 36 or 16 to
     * the next: of each panel if whole, else of the panel of each place */
    float *weights;
    int64_t run, step;
    float *taps;         /* [panel][channel][9][nr], if they are packed */
    char *slots, *tiles; /* tiles: of each strip of a round, or of each place if not shared */
    int64_t tiles_bytes, slot;
    bool shared;           /* all panels find the tiles of a round's strips transformed */
    int64_t round, bundle; /* strips of a round; of those that a task makes */
    int64_t first, strips; /* of this round */
} job;

/* What a thread works in. */
typedef struct room {
    float *slab, *sums, *pixels; /* sums: [36 or 16][tile][nr] */
} room;

static int64_t sums_of(const job *j)
{
    return j->c.elements * DH_WINOGRAD_TILES * j->c.cut.nr;
}

static room room_of(const job *j, int64_t place)
{
    char *at = j->slots + place * j->slot;
    room r = {.slab = (float *)(void *)at, .sums = (float *)(void *)(at + DH_WINOGRAD_SLAB)};
    r.pixels = r.sums + sums_of(j);
    return r;
}

/* Of a strip, counted from the round's first, or of a place. */
static float *tiles_of(const job *j, int64_t number)
{
    return (float *)(void *)(j->tiles + number * j->tiles_bytes);
}

/* --- weights --- */

/* Elements of a panel's taps; of its transformed weights. */
static int64_t taps_of_panel(const job *j)
{
    return j->w.in_channels * 9 * j->c.cut.nr;
}

static int64_t weights_of_panel(const job *j)
{
    return j->w.in_channels / j->run * j->c.elements * j->step;
}

static int64_t whole_bytes(const job *j)
{
    return j->panels * weights_of_panel(j) * (int64_t)sizeof(float);
}

static int64_t packed_bytes(const job *j)
{
    return j->kept ? whole_bytes(j) : j->panels * taps_of_panel(j) * (int64_t)sizeof(float);
}

/* One chunk of a panel's channels, from the packed taps or, without, from the tensor. */
static void transform(const job *j, int64_t panel, int64_t chunk, float *to)
{
    int64_t nr = j->c.cut.nr, at = chunk * CHUNK;
    int64_t length = dh__at_most(CHUNK, j->w.in_channels - at);
    int64_t tap = j->taps ? nr : length * nr, channel = j->taps ? 9 * nr : nr;
    _Alignas(64) float packed[9 * CHUNK * 32];
    const float *taps = packed;
    if (j->taps)
        taps = j->taps + panel * taps_of_panel(j) + at * channel;
    else
        dh__conv_pack(&j->w, &j->c.sweep, panel, chunk, packed);
    to += at / j->run * j->step * j->c.elements + at % j->run * nr;
    for (int64_t c = 0; c < length; c++)
        j->c.kernels->weights(to + c * nr, j->step, taps + c * channel, tap, nr);
}

static void transform_task(void *context, int64_t i)
{
    const job *j = context;
    int64_t chunks = dh__divide_up(j->w.in_channels, CHUNK), panel = i / chunks;
    transform(j, panel, i % chunks, j->weights + panel * weights_of_panel(j));
}

/* The taps of one chunk, a channel's nine one after the other: a task reads them in one stream. */
static void keep_task(void *context, int64_t i)
{
    const job *j = context;
    int64_t chunks = dh__divide_up(j->w.in_channels, CHUNK), panel = i / chunks, chunk = i % chunks;
    int64_t nr = j->c.cut.nr, length = dh__at_most(CHUNK, j->w.in_channels - chunk * CHUNK);
    _Alignas(64) float packed[9 * CHUNK * 32];
    float *to = j->taps + panel * taps_of_panel(j) + chunk * CHUNK * 9 * nr;
    dh__conv_pack(&j->w, &j->c.sweep, panel, chunk, packed);
    for (int64_t at = 0; at < length * 9; at++)
        memcpy(to + at * nr, packed + (at % 9 * length + at / 9) * nr, (size_t)nr * sizeof *to);
}

/* task for each chunk of each panel */
static void run_chunks(job *j, void (*task)(void *context, int64_t i))
{
    dh__team_run(j->panels * dh__divide_up(j->w.in_channels, CHUNK), task, j);
}

static const float *weights_of(const job *j, int64_t panel, int64_t place)
{
    float *weights = j->weights + (j->whole ? panel : place) * weights_of_panel(j);
    for (int64_t c = 0; c * CHUNK < j->w.in_channels && !j->whole; c++)
        transform(j, panel, c, weights);
    return weights;
}

/* --- products --- */

static void transform_input(const job *j, int64_t strip, int64_t block, float *slab, float *tiles)
{
    dh__winograd_strip t = dh__winograd_strip_of(&j->c, strip);
    dh__winograd_input(&j->c, &t, j->from, j->w.group * j->w.in_channels, block, slab, tiles);
}

static void multiply(const job *j, const dh__winograd_strip *t, const float *tiles,
                     const float *weights, float *sums)
{
    int64_t nr = j->c.cut.nr, bytes = j->run * nr * (int64_t)sizeof(float);
    dh__gemm_rows rows = dh__gemm_cut_rows(t->tiles, j->c.cut.mr);
    dh__gemm_at runs[RUNS_MAX];
    for (int64_t i = 0; i < j->w.in_channels / j->run; i++)
        runs[i] = (dh__gemm_at){i * j->run, i * j->step * j->c.elements};
    dh__gemm_tile tile = {.a_step = j->c.pixel,
                          .b_step = nr,
                          .c_row = nr,
                          .k = j->run,
                          .runs = runs,
                          .run_count = j->w.in_channels / j->run,
                          .cols = nr,
                          .alpha = 1};
    int64_t apart = j->step * j->c.elements * (int64_t)sizeof(float);
    for (int64_t e = 0; e < j->c.elements; e++) {
        tile.b = weights + e * j->step;
        /* the element's runs lie apart, those of the next element behind them */
        dh__gemm_ahead ahead = dh__gemm_ahead_of(weights + (e + 1) * j->step, tile.run_count, bytes,
                                                 apart, rows.tiles, j->w.in_channels);
        tile.ahead = &ahead;
        tile.a = tiles + e * t->tiles * j->c.pixel;
        tile.c = sums + e * t->tiles * nr;
        dh__gemm_make_rows(j->c.cut.kernels->tile[0][0], &tile, &rows, j->c.pixel, sizeof(float));
    }
}

static void transform_output(const job *j, const dh__winograd_strip *t, const float *sums,
                             float *pixels, int64_t panel)
{
    int64_t side = j->c.side, nr = j->c.cut.nr;
    int64_t first = panel * nr, channel = j->w.group * j->w.out_channels + first;
    int64_t width = dh__at_most(nr, j->w.out_channels - first), tile = 0;
    const dh_view *bias = j->w.s->bias;
    const float *shift = bias ? (const float *)bias->data + channel : NULL;
    const dh_view *add = j->w.s->add;
    for (int64_t image = 0; image < t->images; image++) {
        dh__conv_strip p = dh__winograd_part(&j->c, t, image, false);
        if (add) dh__conv_take(&j->c.sweep, &j->c.cut, &p, add, channel, width, pixels);
        for (int64_t y = 0; y < t->rows; y++)
            for (int64_t x = 0; x < t->cols; x++, tile++)
                j->c.kernels->output(pixels + (y * p.cols + x) * side * nr, p.cols * nr, nr,
                                     sums + tile * nr, t->tiles * nr, shift, add != NULL, width,
                                     (int)dh__at_most(side, p.rows - y * side),
                                     (int)dh__at_most(side, p.cols - x * side), j->w.s->act,
                                     (float)j->w.s->act_alpha);
        dh__conv_scatter(&j->c.sweep, &j->c.cut, &p, j->to, channel, width, pixels);
    }
}

/* A panel of count strips, whose tiles lie one after the other. */
static void make_panel(const job *j, int64_t panel, int64_t strip, int64_t count,
                       const float *tiles, int64_t place)
{
    room r = room_of(j, place);
    int64_t step = j->tiles_bytes / (int64_t)sizeof(float);
    const float *weights = weights_of(j, panel, place);
    for (int64_t i = 0; i < count; i++) {
        dh__winograd_strip t = dh__winograd_strip_of(&j->c, strip + i);
        multiply(j, &t, tiles + i * step, weights, r.sums);
        transform_output(j, &t, r.sums, r.pixels, panel);
    }
}

/* Of a round's strip a block of channels. */
static void input_task(void *context, int64_t i, int64_t place)
{
    const job *j = context;
    int64_t blocks = dh__winograd_blocks(&j->c), strip = i / blocks;
    transform_input(j, j->first + strip, i % blocks, room_of(j, place).slab, tiles_of(j, strip));
}

static int64_t groups_of_panels(const job *j)
{
    return j->whole ? dh__at_most(j->panels, dh__divide_up(TASKS_WANTED, j->strips)) : j->panels;
}

/* Of a round's bundle of strips a group of panels. Tasks that follow each other read the same
 * weights or, where these are less, the same tiles. */
static void panels_task(void *context, int64_t i, int64_t place)
{
    const job *j = context;
    int64_t bundles = dh__divide_up(j->strips, j->bundle), groups = groups_of_panels(j);
    bool by_weights = whole_bytes(j) > j->strips * j->tiles_bytes;
    int64_t group = by_weights ? i / bundles : i % groups;
    int64_t strip = (by_weights ? i % bundles : i / groups) * j->bundle;
    int64_t end = j->panels * (group + 1) / groups;
    for (int64_t p = j->panels * group / groups; p < end; p++)
        make_panel(j, p, j->first + strip, j->bundle, tiles_of(j, strip), place);
}

/* All of one strip. */
static void strip_task(void *context, int64_t strip, int64_t place)
{
    const job *j = context;
    float *tiles = tiles_of(j, place);
    for (int64_t b = 0; b < dh__winograd_blocks(&j->c); b++)
        transform_input(j, strip, b, room_of(j, place).slab, tiles);
    for (int64_t p = 0; p < j->panels; p++) make_panel(j, p, strip, 1, tiles, place);
}

static void run_strips(job *j)
{
    int64_t places = dh__cpu_count();
    if (!j->shared) dh__team_run_placed(places, j->c.strips, strip_task, j);
    for (j->first = 0; j->shared && j->first < j->c.strips; j->first += j->round) {
        j->strips = dh__at_most(j->round, j->c.strips - j->first);
        int64_t tasks = dh__divide_up(j->strips, j->bundle) * groups_of_panels(j);
        dh__team_run_placed(places, j->strips * dh__winograd_blocks(&j->c), input_task, j);
        dh__team_run_placed(places, tasks, panels_task, j);
    }
}

/* --- the implementation --- */

static bool keeps(const dh__conv_sides *s, int side)
{
    double bytes = (side + 2) * (side + 2) * (double)s->c.groups * (double)sizeof(float);
    return (double)s->c.in_channels * (double)s->c.out_channels * bytes <= KEPT;
}

/* Are weights that are not kept made by the tasks, where strips are few? There must be enough. */
static bool apart(const dh__conv_sides *s, int side)
{
    int64_t results = s->to_large ? s->c.in_channels : s->c.out_channels;
    return !keeps(s, side) && results > (PANELS_APART - 1) * dh__gemm_kernels_now()->nr[0];
}

static job job_of(const dh__conv_sides *s, int side)
{
    bool to_large = s->to_large;
    job j = {.w = {.s = s, .chunk = CHUNK},
             .from = to_large ? &s->small : &s->large,
             .to = to_large ? &s->large : &s->small};
    j.w.in_channels = to_large ? s->c.out_channels : s->c.in_channels;
    j.w.out_channels = to_large ? s->c.in_channels : s->c.out_channels;
    j.c = dh__winograd_cut_of(s, side, j.w.in_channels);
    j.panels = dh__divide_up(j.w.out_channels, j.c.cut.nr);
    j.kept = keeps(s, side);
    j.whole = !apart(s, side) || j.c.strips > TOGETHER;
    bool even = j.w.in_channels % CHUNK == 0 && j.w.in_channels / CHUNK <= RUNS_MAX;
    j.run = j.whole && even ? CHUNK : j.w.in_channels;
    j.step = j.run * j.c.cut.nr;
    if (!j.whole) j.step += j.c.cut.nr; /* a power of two would have all meet in few sets of L1 */
    j.tiles_bytes = dh__winograd_tiles_bytes(&j.c);
    j.shared = !j.whole || (j.c.strips < TASKS_WANTED && j.panels > 1);
    int64_t pixels = j.c.side * j.c.side * DH_WINOGRAD_TILES * j.c.cut.nr;
    j.slot = DH_WINOGRAD_SLAB + (sums_of(&j) + pixels) * (int64_t)sizeof(float);
    if (!j.c.strips) return j;
    int64_t fit = dh__at_least(TILES_SHARED / j.tiles_bytes, 1);
    j.round = j.whole ? dh__at_most(j.c.strips, fit) : j.c.strips;
    j.bundle = j.whole ? 1 : j.c.strips;
    return j;
}

/* What lies in the scratch behind the shifts, as much as any batch up to this one needs: weights,
 * transformed tiles, a slot for each place. */
static int64_t weights_room(const job *j)
{
    int64_t whole = j->whole ? whole_bytes(j) : 0, nr = j->c.cut.nr;
    int64_t panel = (j->w.in_channels + 1) * j->c.elements * nr * (int64_t)sizeof(float);
    if (!apart(j->w.s, (int)j->c.side)) return whole;
    return dh__at_least(whole, dh__at_most(dh__cpu_count(), j->panels) * panel);
}

static int64_t tiles_room(const job *j)
{
    int64_t fit = dh__at_most(TILES_SHARED / j->tiles_bytes, TASKS_WANTED);
    fit = dh__at_least(dh__at_least(fit, dh__cpu_count()), j->kept ? 1 : TOGETHER);
    return dh__at_most(j->c.strips, fit) * j->tiles_bytes;
}

static const char *refuse_winograd(const dh_call *call, int side)
{
    const char *reason = dh__conv_direct.refuse(call);
    if (reason) return reason;
    /* the same window in two places of a tile differs in its last bits */
    if (call->exact_ties) return "ties must stay ties";
    dh__conv_sides s = dh__conv_sides_of(call);
    int64_t few = apart(&s, side) ? FEW_TILES_APART : dh__winograd_few(&s);
    return dh__winograd_refuse(&s, side, side == 2 ? FEW_TILES_2X2 : few);
}

/* Not less than what those need that take a batch of fewer tiles. */
static size_t scratch_winograd(const dh_call *call, int side)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    job j = job_of(&s, side);
    size_t own = (size_t)(dh__conv_shift_bytes(&s) + weights_room(&j) + tiles_room(&j) +
                          dh__cpu_count() * j.slot);
    const dh_impl *next = side == 4 ? &dh__conv_winograd_2x2 : &dh__conv_direct;
    size_t fewer = next->scratch(call);
    return own > fewer ? own : fewer;
}

/* Of a convolution's groups, one after the other. */
static size_t packed_winograd(const dh_call *call, int side)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    if (call->op != &dh_op_conv) return 0;
    job j = job_of(&s, side);
    return (size_t)(dh__conv_shift_bytes(&s) + packed_bytes(&j) * s.c.groups);
}

static void pack_winograd(const dh_call *call, int side, void *out)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    job j = job_of(&s, side);
    char *weights = (char *)out + dh__conv_shift_bytes(&s);
    dh__conv_pack_shifts(&s, out);
    for (j.w.group = 0; j.w.group < s.c.groups; j.w.group++, weights += packed_bytes(&j)) {
        *(j.kept ? &j.weights : &j.taps) = (float *)(void *)weights;
        run_chunks(&j, j.kept ? transform_task : keep_task);
    }
}

static dh_status run_winograd(const dh_call *call, int side)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    if (!dh__view_count(&call->out[0])) return DH_OK;
    job j = job_of(&s, side);
    char *scratch, *packed = dh__conv_fold(&s, call, &scratch);
    j.tiles = scratch + weights_room(&j);
    j.slots = j.tiles + tiles_room(&j);
    for (j.w.group = 0; j.w.group < s.c.groups; j.w.group++) {
        float *own = packed ? (float *)(void *)(packed + j.w.group * packed_bytes(&j)) : NULL;
        if (!j.kept) j.taps = own;
        j.weights = j.kept && own ? own : (float *)(void *)scratch;
        if (j.whole && j.weights != own) run_chunks(&j, transform_task);
        run_strips(&j);
    }
    return DH_OK;
}

#define OF_SIDE(SIDE)                                       \
    static const char *refuse_##SIDE(const dh_call *call)   \
    {                                                       \
        return refuse_winograd(call, SIDE);                 \
    }                                                       \
    static size_t scratch_##SIDE(const dh_call *call)       \
    {                                                       \
        return scratch_winograd(call, SIDE);                \
    }                                                       \
    static size_t packed_##SIDE(const dh_call *call)        \
    {                                                       \
        return packed_winograd(call, SIDE);                 \
    }                                                       \
    static void pack_##SIDE(const dh_call *call, void *out) \
    {                                                       \
        pack_winograd(call, SIDE, out);                     \
    }                                                       \
    static dh_status run_##SIDE(const dh_call *call)        \
    {                                                       \
        return run_winograd(call, SIDE);                    \
    }
#define IMPL(SIDE)                                                               \
    .refuse = refuse_##SIDE, .scratch = scratch_##SIDE, .packed = packed_##SIDE, \
    .pack = pack_##SIDE, .run = run_##SIDE, .channels_last = true

OF_SIDE(4)
OF_SIDE(2)
const dh_impl dh__conv_winograd = {.name = "winograd", IMPL(4)};
const dh_impl dh__conv_winograd_2x2 = {.name = "winograd_2x2", IMPL(2)};
