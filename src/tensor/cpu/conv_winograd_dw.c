/* SPDX-License-Identifier: MIT */
/* The gradient of a 3x3 window's weights in f32 by Winograd's minimal filtering: the gradient of
 * cpu_conv_winograd.c, which multiplies transformed tiles of the input and of dy, a quarter of the
 * multiplications, and transforms their sum back once. Images are dealt to shares as in
 * conv_direct_dw.c. */
#include "cpu.h"
#include "cut.h"
#include "gemm_plan.h"
#include "team.h"
#include "winograd_strips.h"

#define CHANNELS_MAX  128 /* input channels of a task */
#define PANELS_A_TASK 4
#define TASKS_LEAST   8
#define BLOCK         16 /* input channels that are turned back at a time */

typedef struct job {
    const dh__conv_sides *s;
    dh__winograd_cut c; /* of blocks of the input's channels; the last may be shorter */
    int64_t group, block, blocks;
    int64_t panels, tasks_of_panels, shares, sum; /* sum: elements of a share */
    float *sums;                                  /* [share][panel][block][36][channel][nr] */
    char *slots;
    int64_t tiles_bytes, slot;
} job;

typedef struct room {
    float *slab, *tiles, *dtiles, *pixels; /* dtiles: [36][tile][nr] */
} room;

static room room_of(const job *j, int64_t slot)
{
    char *at = j->slots + slot * j->slot;
    room r = {.slab = (float *)(void *)at,
              .tiles = (float *)(void *)(at + DH_WINOGRAD_SLAB),
              .dtiles = (float *)(void *)(at + DH_WINOGRAD_SLAB + j->tiles_bytes)};
    r.pixels = r.dtiles + j->c.elements * DH_WINOGRAD_TILES * j->c.cut.nr;
    return r;
}

static int64_t block_length(const job *j, int64_t block)
{
    return dh__at_most(j->block, j->s->c.in_channels - block * j->block);
}

static float *sum_at(const job *j, int64_t share, int64_t panel, int64_t block)
{
    int64_t channels = panel * j->s->c.in_channels + block * j->block;
    return j->sums + share * j->sum + channels * j->c.elements * j->c.cut.nr;
}

/* --- products --- */

static void transform_dy(const job *j, const dh__winograd_strip *t, const room *r, int64_t panel)
{
    const dh__conv *c = &j->s->c;
    int64_t side = j->c.side, nr = j->c.cut.nr, first = panel * nr, tile = 0;
    int64_t width = dh__at_most(nr, c->out_channels - first);
    for (int64_t image = 0; image < t->images; image++) {
        dh__conv_strip p = dh__winograd_part(&j->c, t, image, false);
        dh__conv_take(&j->c.sweep, &j->c.cut, &p, &j->s->small, j->group * c->out_channels + first,
                      width, r->pixels);
        for (int64_t y = 0; y < t->rows; y++)
            for (int64_t x = 0; x < t->cols; x++, tile++)
                j->c.kernels->output_dx(r->dtiles + tile * nr, t->tiles * nr,
                                        r->pixels + (y * p.cols + x) * side * nr, p.cols * nr, nr,
                                        nr, (int)dh__at_most(side, p.rows - y * side),
                                        (int)dh__at_most(side, p.cols - x * side));
    }
}

static void multiply(const dh__winograd_cut *c, const dh__winograd_strip *t, const room *r,
                     float *sum, double beta)
{
    int64_t nr = c->cut.nr;
    dh__gemm_rows rows = dh__gemm_cut_rows(c->channels, c->cut.mr);
    dh__gemm_tile tile = {.a_step = c->pixel,
                          .b_step = nr,
                          .c_row = nr,
                          .k = t->tiles,
                          .cols = nr,
                          .alpha = 1,
                          .beta = beta};
    for (int64_t e = 0; e < c->elements; e++) {
        tile.b = r->dtiles + e * t->tiles * nr;
        tile.a = r->tiles + e * t->tiles * c->pixel;
        tile.c = sum + e * c->channels * nr;
        dh__gemm_make_rows(c->cut.kernels->tile[0][1], &tile, &rows, 1, sizeof(float));
    }
}

static void add_share(const job *j, const room *r, int64_t share, int64_t panels, int64_t block)
{
    dh__winograd_cut c = j->c;
    int64_t first = share * c.strips / j->shares, end = (share + 1) * c.strips / j->shares;
    int64_t channel = j->group * j->s->c.in_channels + block * j->block;
    int64_t panel0 = j->panels * panels / j->tasks_of_panels;
    int64_t panel1 = j->panels * (panels + 1) / j->tasks_of_panels;
    c.channels = block_length(j, block);
    for (int64_t number = first; number < end; number++) {
        dh__winograd_strip t = dh__winograd_strip_of(&c, number);
        for (int64_t b = 0; b < dh__winograd_blocks(&c); b++)
            dh__winograd_input(&c, &t, &j->s->large, channel, b, r->slab, r->tiles);
        for (int64_t p = panel0; p < panel1; p++) {
            transform_dy(j, &t, r, p);
            multiply(&c, &t, r, sum_at(j, share, p, block), number > first ? 1 : 0);
        }
    }
}

static void share_task(void *context, int64_t i, int64_t place)
{
    const job *j = context;
    room r = room_of(j, place);
    int64_t a_share = j->tasks_of_panels * j->blocks;
    add_share(j, &r, i / a_share, i % a_share / j->blocks, i % j->blocks);
}

/* --- the shares' sum into the gradient --- */

static void finish_task(void *context, int64_t task)
{
    const job *j = context;
    const dh__conv *c = &j->s->c;
    const dh_view *w = &j->s->weight;
    int64_t nr = j->c.cut.nr, panel = task / j->blocks, block = task % j->blocks;
    int64_t length = block_length(j, block), first = panel * nr;
    int64_t outputs = dh__at_most(nr, c->out_channels - first);
    float *sum = sum_at(j, 0, panel, block);
    for (int64_t share = 1; share < j->shares; share++) {
        const float *more = sum_at(j, share, panel, block);
        for (int64_t i = 0; i < length * j->c.elements * nr; i++) sum[i] += more[i];
    }
    _Alignas(64) float taps[BLOCK * 9 * 32]; /* [channel][tap][nr] */
    for (int64_t k = 0; k < length; k += BLOCK) {
        int64_t channels = dh__at_most(BLOCK, length - k), rows = channels * 9;
        float *to = (float *)w->data + (j->group * c->out_channels + first) * w->stride[0] +
                    (block * j->block + k) * 9;
        for (int64_t i = 0; i < channels; i++)
            j->c.kernels->weights_dx(taps + i * 9 * nr, nr, sum + (k + i) * nr, length * nr, nr);
        for (int64_t row = 0; row < rows; row += nr) {
            int width = (int)dh__at_most(nr, rows - row);
            j->c.cut.kernels->pack_turn[0](to + row, w->stride[0], taps + row * nr, nr, width,
                                           width, outputs);
        }
    }
}

/* --- the implementation --- */

static job job_of(const dh__conv_sides *s)
{
    job j = {.s = s, .blocks = dh__divide_up(s->c.in_channels, CHANNELS_MAX)};
    j.block = dh__divide_up(s->c.in_channels, j.blocks);
    j.c = dh__winograd_cut_of(s, 4, j.block);
    j.panels = dh__divide_up(s->c.out_channels, j.c.cut.nr);
    j.tasks_of_panels = dh__divide_up(j.panels, PANELS_A_TASK);
    j.sum = j.panels * j.c.cut.nr * s->c.in_channels * j.c.elements;
    j.shares = dh__conv_shares(j.tasks_of_panels * j.blocks, (double)j.sum * sizeof(float));
    int64_t least = dh__divide_up(TASKS_LEAST, j.shares * j.blocks);
    if (j.tasks_of_panels < least) j.tasks_of_panels = dh__at_most(j.panels, least);
    j.shares = dh__at_most(j.shares, s->c.n > 0 ? s->c.n : 1);
    j.tiles_bytes = dh__winograd_tiles_bytes(&j.c);
    int64_t results = (j.c.elements + j.c.side * j.c.side) * DH_WINOGRAD_TILES * j.c.cut.nr;
    j.slot = DH_WINOGRAD_SLAB + j.tiles_bytes + results * (int64_t)sizeof(float);
    return j;
}

static const char *refuse_winograd_dw(const dh_call *call)
{
    const char *reason = dh__conv_direct_dw.refuse(call);
    if (reason) return reason;
    dh__conv_sides s = dh__conv_sides_of(call);
    return dh__winograd_refuse(&s, 4, dh__winograd_few(&s));
}

static int64_t sums_bytes(const job *j)
{
    return j->shares * j->sum * (int64_t)sizeof(float);
}

/* Not less than what the direct one needs, which takes a batch of few tiles. */
static size_t scratch_winograd_dw(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    job j = job_of(&s);
    size_t own = (size_t)(sums_bytes(&j) + dh__cpu_count() * j.slot);
    size_t direct = dh__conv_direct_dw.scratch(call);
    return own > direct ? own : direct;
}

static dh_status run_winograd_dw(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    if (!dh__view_count(&call->out[0])) return DH_OK;
    job j = job_of(&s);
    j.shares = dh__at_most(j.shares, j.c.strips);
    j.sums = call->scratch;
    j.slots = (char *)call->scratch + sums_bytes(&j);
    for (j.group = 0; j.group < s.c.groups; j.group++) {
        dh__team_run_placed(dh__cpu_count(), j.shares * j.tasks_of_panels * j.blocks, share_task,
                            &j);
        dh__team_run(j.panels * j.blocks, finish_task, &j);
    }
    return DH_OK;
}

const dh_impl dh__conv_winograd_dw = {.name = "winograd",
                                      .refuse = refuse_winograd_dw,
                                      .scratch = scratch_winograd_dw,
                                      .run = run_winograd_dw};
