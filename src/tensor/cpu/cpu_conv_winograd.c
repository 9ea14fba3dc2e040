/* SPDX-License-Identifier: MIT */
/* Convolution with a 3x3 window in f32 and its gradient for the input by Winograd's minimal
 * filtering F(4x4, 3x3): a quarter of the multiplications, by 36 products of matrices for many
 * tiles of 4x4 results at once; or F(2x2, 3x3), 16 products with four ninths of the multiplications
 * and fewer weights (docs/convolution.md, also for the rounding error). */
#include "cpu.h"
#include "cut.h"
#include "gemm_plan.h"
#include "team.h"
#include "winograd_strips.h"

#define CHUNK        32 /* input channels whose weights are transformed at a time */
#define RUNS_MAX     128
#define TASKS_WANTED 16
#define SHARED_TILES                                                             \
    8388608 /* bytes of all strips' transformed tiles, at most, if all have them \
             */

typedef struct job {
    dh__conv_weights w;
    dh__winograd_cut c;
    const dh_view *from, *to;
    int64_t panels, groups_of_panels;
    int64_t run;         /* input channels whose transformed weights lie together */
    float *weights;      /* [panel][run][36 or 16][input channel of the run][nr] */
    char *slots, *tiles; /* tiles: of each strip, or of each place where they are not shared */
    int64_t tiles_bytes, slot;
    bool shared; /* few strips: all panels find their tiles transformed */
} job;

/* What a thread works in. */
typedef struct room {
    float *slab, *tiles, *sums, *pixels; /* sums: [36 or 16][tile][nr] */
} room;

static room room_of(const job *j, int64_t place, int64_t strip)
{
    char *at = j->slots + place * j->slot;
    int64_t tiles = (j->shared ? strip : place) * j->tiles_bytes;
    room r = {.slab = (float *)(void *)at,
              .tiles = (float *)(void *)(j->tiles + tiles),
              .sums = (float *)(void *)(at + DH_WINOGRAD_SLAB)};
    r.pixels = r.sums + j->c.elements * DH_WINOGRAD_TILES * j->c.cut.nr;
    return r;
}

static int64_t weights_bytes(const job *j)
{
    return j->panels * j->c.cut.nr * j->w.in_channels * j->c.elements * (int64_t)sizeof(float);
}

static void weights_task(void *context, int64_t i)
{
    const job *j = context;
    int64_t chunks = dh__divide_up(j->w.in_channels, CHUNK), nr = j->c.cut.nr;
    int64_t panel = i / chunks, chunk = i % chunks, first = chunk * CHUNK;
    int64_t length = dh__at_most(CHUNK, j->w.in_channels - first), run = first / j->run * j->run;
    _Alignas(64) float packed[9 * CHUNK * 32];
    dh__conv_pack(&j->w, &j->c.sweep, panel, chunk, packed);
    int64_t row = (panel * j->w.in_channels + run) * j->c.elements + first - run;
    for (int64_t c = 0; c < length; c++)
        j->c.kernels->weights(j->weights + (row + c) * nr, j->run * nr, packed + c * nr,
                              length * nr, nr);
}

static void multiply(const job *j, const dh__winograd_strip *t, const room *r, int64_t panel)
{
    int64_t nr = j->c.cut.nr, channels = j->w.in_channels;
    dh__gemm_rows rows = dh__gemm_cut_rows(t->tiles, j->c.cut.mr);
    dh__gemm_at runs[RUNS_MAX];
    for (int64_t run = 0; run < channels / j->run; run++)
        runs[run] = (dh__gemm_at){run * j->run, run * j->run * j->c.elements * nr};
    dh__gemm_tile tile = {.a_step = j->c.pixel,
                          .b_step = nr,
                          .c_row = nr,
                          .k = j->run,
                          .runs = runs,
                          .run_count = channels / j->run,
                          .cols = nr,
                          .alpha = 1};
    int64_t bytes = j->run * nr * (int64_t)sizeof(float);
    for (int64_t e = 0; e < j->c.elements; e++) {
        tile.b = j->weights + (panel * channels * j->c.elements + e * j->run) * nr;
        /* the element's runs lie apart, those of the next element behind them */
        dh__gemm_ahead ahead = dh__gemm_ahead_of((const char *)tile.b + bytes, tile.run_count,
                                                 bytes, bytes * j->c.elements, rows.tiles);
        for (int64_t i = 0; i < rows.tiles; i++) {
            int64_t begin = dh__gemm_tile_row(&rows, i);
            int64_t end = dh__gemm_tile_row(&rows, i + 1);
            tile.a = r->tiles + (e * t->tiles + begin) * j->c.pixel;
            tile.c = r->sums + (e * t->tiles + begin) * nr;
            dh__gemm_fetch(&tile, &ahead);
            j->c.cut.kernels->tile[0][0](&tile, (int)(end - begin));
        }
    }
}

static void transform_output(const job *j, const dh__winograd_strip *t, const room *r,
                             int64_t panel)
{
    int64_t side = j->c.side, nr = j->c.cut.nr;
    int64_t first = panel * nr, channel = j->w.group * j->w.out_channels + first;
    int64_t width = dh__at_most(nr, j->w.out_channels - first), tile = 0;
    const dh_view *bias = j->w.s->bias;
    const float *shift = bias ? (const float *)bias->data + channel : NULL;
    const dh_view *add = j->w.s->add;
    for (int64_t image = 0; image < t->images; image++) {
        dh__conv_strip p = dh__winograd_part(&j->c, t, image, false);
        if (add) dh__conv_take(&j->c.sweep, &j->c.cut, &p, add, channel, width, r->pixels);
        for (int64_t y = 0; y < t->rows; y++)
            for (int64_t x = 0; x < t->cols; x++, tile++)
                j->c.kernels->output(r->pixels + (y * p.cols + x) * side * nr, p.cols * nr, nr,
                                     r->sums + tile * nr, t->tiles * nr, shift, add != NULL, width,
                                     (int)dh__at_most(side, p.rows - y * side),
                                     (int)dh__at_most(side, p.cols - x * side), j->w.s->act,
                                     (float)j->w.s->act_alpha);
        dh__conv_scatter(&j->c.sweep, &j->c.cut, &p, j->to, channel, width, r->pixels);
    }
}

static void transform_input(const job *j, const dh__winograd_strip *t, const room *r, int64_t block)
{
    dh__winograd_input(&j->c, t, j->from, j->w.group * j->w.in_channels, block, r->slab, r->tiles);
}

/* Of a strip a block of its channels. */
static void input_task(void *context, int64_t i, int64_t place)
{
    const job *j = context;
    int64_t blocks = dh__winograd_blocks(&j->c), strip = i / blocks;
    room r = room_of(j, place, strip);
    dh__winograd_strip t = dh__winograd_strip_of(&j->c, strip);
    transform_input(j, &t, &r, i % blocks);
}

/* Of a strip a group of panels. What follows each other reads the same weights or, where these are
 * less, the same tiles. */
static void strip_task(void *context, int64_t i, int64_t place)
{
    const job *j = context;
    bool by_weights = j->shared && weights_bytes(j) > j->c.strips * j->tiles_bytes;
    int64_t group = by_weights ? i / j->c.strips : i % j->groups_of_panels;
    int64_t strip = by_weights ? i % j->c.strips : i / j->groups_of_panels;
    room r = room_of(j, place, strip);
    dh__winograd_strip t = dh__winograd_strip_of(&j->c, strip);
    for (int64_t b = 0; b < dh__winograd_blocks(&j->c) && !j->shared; b++)
        transform_input(j, &t, &r, b);
    int64_t end = j->panels * (group + 1) / j->groups_of_panels;
    for (int64_t p = j->panels * group / j->groups_of_panels; p < end; p++) {
        multiply(j, &t, &r, p);
        transform_output(j, &t, &r, p);
    }
}

/* --- the implementation --- */

static job job_of(const dh__conv_sides *s, int side)
{
    bool to_large = s->to_large;
    job j = {.w = {.s = s, .chunk = CHUNK},
             .from = to_large ? &s->small : &s->large,
             .to = to_large ? &s->large : &s->small};
    j.w.in_channels = to_large ? s->c.out_channels : s->c.in_channels;
    j.w.out_channels = to_large ? s->c.in_channels : s->c.out_channels;
    j.c = dh__winograd_cut_of(s, side, j.w.in_channels);
    bool even = j.w.in_channels % CHUNK == 0 && j.w.in_channels / CHUNK <= RUNS_MAX;
    j.run = even ? CHUNK : j.w.in_channels;
    j.panels = dh__divide_up(j.w.out_channels, j.c.cut.nr);
    j.groups_of_panels = j.c.strips && j.c.strips < TASKS_WANTED
                             ? dh__at_most(j.panels, dh__divide_up(TASKS_WANTED, j.c.strips))
                             : 1;
    j.tiles_bytes = dh__winograd_tiles_bytes(&j.c);
    int64_t results = (j.c.elements + j.c.side * j.c.side) * DH_WINOGRAD_TILES * j.c.cut.nr;
    j.slot = DH_WINOGRAD_SLAB + results * (int64_t)sizeof(float);
    j.shared = j.groups_of_panels > 1 && j.c.strips * j.tiles_bytes <= SHARED_TILES;
    return j;
}

/* Bytes of transformed tiles, as many as any batch up to this one needs. */
static int64_t all_tiles_bytes(const job *j)
{
    int64_t shared = dh__at_most(SHARED_TILES, j->c.strips * j->tiles_bytes);
    int64_t apart = dh__cpu_count() * j->tiles_bytes;
    return shared > apart ? shared : apart;
}

static const char *refuse_winograd(const dh_call *call, int side)
{
    const char *reason = dh__conv_direct.refuse(call);
    if (reason) return reason;
    /* the same window in two places of a tile differs in its last bits */
    if (call->exact_ties) return "ties must stay ties";
    dh__conv_sides s = dh__conv_sides_of(call);
    return dh__winograd_refuse(&s, side);
}

/* Not less than what those need that take a batch of fewer tiles. */
static size_t scratch_winograd(const dh_call *call, int side)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    job j = job_of(&s, side);
    size_t own = (size_t)(dh__conv_shift_bytes(&s) + weights_bytes(&j) + all_tiles_bytes(&j) +
                          dh__cpu_count() * j.slot);
    const dh_impl *next = side == 4 ? &dh__conv_winograd_2x2 : &dh__conv_direct;
    size_t fewer = next->scratch(call);
    return own > fewer ? own : fewer;
}

static void transform_weights(job *j, float *to)
{
    j->weights = to;
    dh__team_run(j->panels * dh__divide_up(j->w.in_channels, CHUNK), weights_task, j);
}

/* Of a convolution's groups, one after the other. */
static size_t packed_winograd(const dh_call *call, int side)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    if (call->op != &dh_op_conv) return 0;
    job j = job_of(&s, side);
    return (size_t)(dh__conv_shift_bytes(&s) + weights_bytes(&j) * s.c.groups);
}

static void pack_winograd(const dh_call *call, int side, void *out)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    job j = job_of(&s, side);
    char *weights = (char *)out + dh__conv_shift_bytes(&s);
    dh__conv_pack_shifts(&s, out);
    for (j.w.group = 0; j.w.group < s.c.groups; j.w.group++)
        transform_weights(&j, (float *)(void *)(weights + j.w.group * weights_bytes(&j)));
}

static dh_status run_winograd(const dh_call *call, int side)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    if (!dh__view_count(&call->out[0])) return DH_OK;
    job j = job_of(&s, side);
    char *scratch, *packed = dh__conv_fold(&s, call, &scratch);
    j.tiles = scratch + weights_bytes(&j);
    j.slots = j.tiles + all_tiles_bytes(&j);
    for (j.w.group = 0; j.w.group < s.c.groups; j.w.group++) {
        if (packed)
            j.weights = (float *)(void *)(packed + j.w.group * weights_bytes(&j));
        else
            transform_weights(&j, (float *)(void *)scratch);
        int64_t places = dh__cpu_count();
        if (j.shared)
            dh__team_run_placed(places, j.c.strips * dh__winograd_blocks(&j.c), input_task, &j);
        dh__team_run_placed(places, j.c.strips * j.groups_of_panels, strip_task, &j);
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
