/* SPDX-License-Identifier: MIT */
/* The gradient of a convolution's weights without a matrix of columns: for each strip of the small
 * side (conv_strips.h) and each tap, the products of the pixels' input channels and output channels
 * are added up by the GEMM's micro-kernel, whose sum goes over the pixels. The images are dealt to
 * shares, each with a sum of its own, which are added in order at the end. */
#include <string.h>

#include "conv_strips.h"
#include "cpu.h"
#include "cut.h"
#include "gemm_plan.h"
#include "team.h"

#define CHANNELS_MAX   128 /* input channels of a task: with all rows of a strip they fit into L2 */
#define PANELS_A_TASK  4
#define SERIAL_FLOPS   2e6
#define LEAST_CHANNELS 8  /* of the output: fewer leave most lanes idle */
#define BLOCK          16 /* input channels that are turned back at a time */

typedef struct job {
    const dh__conv_sides *s;
    dh__conv_sweep sweep;
    dh__conv_cut cut;                             /* of blocks of the input's channels */
    int64_t group, taps, block, blocks;           /* block: input channels of a task, at most */
    int64_t panels, tasks_of_panels, shares, sum; /* sum: elements of a share */
    char *sums; /* [share][panel][block][tap][channel of block][nr] */
    char *slots;
    int64_t slab, slot; /* bytes */
} job;

static int64_t block_length(const job *j, int64_t block)
{
    return dh__at_most(j->block, j->s->c.in_channels - block * j->block);
}

/* The sum of one panel and block, for a share. */
static char *sum_at(const job *j, int64_t share, int64_t panel, int64_t block)
{
    int64_t channels = panel * j->s->c.in_channels + block * j->block;
    return j->sums + (share * j->sum + channels * j->taps * j->cut.nr) * j->cut.size;
}

/* --- products --- */

/* Where a tap meets the pixels of the strip, line by line. */
static int64_t runs_of(const job *j, const dh__conv_strip *t, const int64_t tap[3],
                       dh__gemm_at *runs)
{
    int64_t count = 0;
    for (int64_t line = 0; line < t->lines; line++)
        if (dh__conv_tap_at(&j->sweep, &j->cut, t, line, tap, &runs[count].a))
            runs[count++].b = line * t->line * j->cut.nr;
    return count;
}

/* A row of taps at once where their channels lie one after the other in the slab. */
static int64_t taps_at_once(const job *j, int64_t length)
{
    const dh__conv_axis *last = &j->sweep.axis[2];
    bool merged = !j->cut.images && last->taps == last->span && j->cut.pixel == length;
    return merged ? last->taps : 1;
}

static void add_panel(const job *j, const dh__conv_strip *t, const char *slab, const char *pixels,
                      char *sum, int64_t length, double beta)
{
    const dh__conv_axis *a = j->sweep.axis;
    dh__gemm_at runs[DH_CONV_PIXELS / 4];
    int64_t at_once = taps_at_once(j, length), size = j->cut.size;
    dh__gemm_rows tiles = dh__gemm_cut_rows(at_once * length, j->cut.mr);
    dh__gemm_tile tile = {.a_step = dh__conv_step(&j->sweep, &j->cut),
                          .b = pixels,
                          .b_step = j->cut.nr,
                          .c_row = j->cut.nr,
                          .k = t->line,
                          .cols = j->cut.nr,
                          .runs = runs,
                          .alpha = 1,
                          .beta = beta};
    for (int64_t number = 0; number < j->taps; number += at_once) {
        int64_t tap[3] = {number / (a[1].taps * a[2].taps), number / a[2].taps % a[1].taps,
                          number % a[2].taps};
        tile.run_count = runs_of(j, t, tap, runs);
        if (!tile.run_count && beta != 0) continue;
        tile.a = slab;
        tile.c = sum + number * length * j->cut.nr * size;
        dh__gemm_make_rows(j->cut.kernels->tile[j->cut.f64][1], &tile, &tiles, 1, size);
    }
}

static void add_share(const job *j, int64_t share, int64_t panel0, int64_t panel1, int64_t block,
                      char *slab)
{
    const dh__conv *c = &j->s->c;
    char *pixels = slab + j->slab;
    int64_t length = block_length(j, block), first = share * j->cut.strips / j->shares;
    dh__conv_cut cut = j->cut;
    int64_t end = (share + 1) * j->cut.strips / j->shares;
    for (int64_t number = first; number < end; number++) {
        dh__conv_strip t = dh__conv_strip_of(&j->sweep, &cut, number);
        dh__conv_gather(&j->sweep, &cut, &t, &j->s->large,
                        j->group * c->in_channels + block * j->block, length, slab);
        for (int64_t p = panel0; p < panel1; p++) {
            int64_t channel = p * cut.nr, width = dh__at_most(cut.nr, c->out_channels - channel);
            dh__conv_take(&j->sweep, &cut, &t, &j->s->small, j->group * c->out_channels + channel,
                          width, pixels);
            add_panel(j, &t, slab, pixels, sum_at(j, share, p, block), length,
                      number > first ? 1 : 0);
        }
    }
}

static void share_task(void *context, int64_t i, int64_t place)
{
    const job *j = context;
    int64_t a_share = j->tasks_of_panels * j->blocks, panels = i % a_share / j->blocks;
    add_share(j, i / a_share, j->panels * panels / j->tasks_of_panels,
              j->panels * (panels + 1) / j->tasks_of_panels, i % j->blocks,
              j->slots + place * j->slot);
}

/* --- the shares' sum into the gradient --- */

/* nr output channels x so many input channels with their windows, from rows of nr values. */
#define TURN_BACK(T)                                                            \
    {                                                                           \
        const T *row = (const T *)(const void *)from + (tap * length + k) * nr; \
        T *to = (T *)(void *)turned + i * taps + tap;                           \
        for (int64_t o = 0; o < width; o++) to[o * BLOCK * taps] = row[o];      \
    }

static void add_shares(const job *j, int64_t panel, int64_t block)
{
    double *d;
    float *f;
    int64_t count = block_length(j, block) * j->taps * j->cut.nr;
    for (int64_t share = 1; share < j->shares; share++) {
        d = (void *)sum_at(j, 0, panel, block);
        f = (void *)d;
        const double *more = (const void *)sum_at(j, share, panel, block);
        const float *more_f = (const void *)more;
        for (int64_t i = 0; i < count && j->cut.f64; i++) d[i] += more[i];
        for (int64_t i = 0; i < count && !j->cut.f64; i++) f[i] += more_f[i];
    }
}

static void turn_block(const job *j, int64_t panel, int64_t block, char *turned)
{
    const dh__conv *c = &j->s->c;
    const dh_view *w = &j->s->weight;
    const char *from = sum_at(j, 0, panel, block);
    int64_t length = block_length(j, block), taps = j->taps, nr = j->cut.nr;
    int64_t width = dh__at_most(nr, c->out_channels - panel * nr);
    for (int64_t first = 0; first < length; first += BLOCK) {
        int64_t channels = dh__at_most(BLOCK, length - first);
        for (int64_t i = 0, k = first; i < channels; i++, k++)
            for (int64_t tap = 0; tap < taps; tap++) {
                if (j->cut.f64)
                    TURN_BACK(double)
                else
                    TURN_BACK(float)
            }
        for (int64_t o = 0; o < width; o++) {
            int64_t row = (j->group * c->out_channels + panel * nr + o) * w->stride[0];
            memcpy((char *)w->data + (row + (block * j->block + first) * taps) * j->cut.size,
                   turned + o * BLOCK * taps * j->cut.size,
                   (size_t)(channels * taps * j->cut.size));
        }
    }
}

static void finish_task(void *context, int64_t i, int64_t place)
{
    const job *j = context;
    add_shares(j, i / j->blocks, i % j->blocks);
    turn_block(j, i / j->blocks, i % j->blocks, j->slots + place * j->slot);
}

/* --- the implementation --- */

static job job_of(const dh__conv_sides *s)
{
    job j = {.s = s,
             .sweep = dh__conv_sweep_of(&s->c.w, false, 0),
             .taps = dh__windows_elements(&s->c.w)};
    j.blocks = dh__divide_up(s->c.in_channels, CHANNELS_MAX);
    j.block = dh__divide_up(s->c.in_channels, j.blocks);
    j.cut = dh__conv_cut_of(&j.sweep, s->c.n, j.block, s->size == 8, false);
    j.panels = dh__divide_up(s->c.out_channels, j.cut.nr);
    j.tasks_of_panels = dh__divide_up(j.panels, PANELS_A_TASK);
    j.sum = j.panels * j.cut.nr * s->c.in_channels * j.taps;
    int64_t shares = dh__conv_shares(j.tasks_of_panels * j.blocks, (double)j.sum * (double)s->size);
    j.shares = dh__at_most(shares, s->c.n > 0 ? s->c.n : 1);
    return j;
}

static const char *refuse_direct_dw(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    const dh__conv *c = &s.c;
    bool f64 = s.large.dtype == DH_F64;
    const char *why = dh__conv_not_packed(&s);
    if (why) return why;
    if (c->out_channels < LEAST_CHANNELS) return "few output channels";
    if (c->in_channels < 1) return "no input channels";
    for (int i = 0; i < 3; i++)
        if (c->w.size[i] > DH_CONV_TAPS_MAX) return "window is longer than 16";
    dh__conv_sweep sweep = dh__conv_sweep_of(&c->w, false, 0);
    int64_t block = dh__at_most(c->in_channels, CHANNELS_MAX);
    if (!dh__conv_slab_fits(&sweep, block, f64, false))
        return "window of all channels is too large";
    return NULL;
}

static void set_slots(job *j)
{
    int64_t size = j->cut.size, turned = j->cut.nr * BLOCK * j->taps * size;
    j->slab = dh__whole_lines(dh__conv_slab_bound(&j->sweep, j->s->c.n, j->block, size) * size);
    j->slot = dh__whole_lines(j->slab + DH_CONV_PIXELS * j->cut.nr * size);
    if (j->slot < turned) j->slot = dh__whole_lines(turned);
}

static size_t scratch_direct_dw(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    job j = job_of(&s);
    set_slots(&j);
    return (size_t)(dh__whole_lines(j.shares * j.sum * s.size) + dh__cpu_count() * j.slot);
}

static dh_status run_direct_dw(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    if (!dh__view_count(&call->out[0])) return DH_OK;
    job j = job_of(&s);
    if (!j.cut.strips) {
        dh__conv_zero_weight(&s);
        return DH_OK;
    }
    if (j.shares > j.cut.strips) j.shares = j.cut.strips;
    set_slots(&j);
    j.sums = call->scratch;
    j.slots = j.sums + dh__whole_lines(j.shares * j.sum * s.size);
    double flops =
        2.0 * (double)dh__view_count(&s.small) * (double)s.c.in_channels * (double)j.taps;
    int64_t places = flops > SERIAL_FLOPS ? dh__cpu_count() : 1;
    for (j.group = 0; j.group < s.c.groups; j.group++) {
        dh__team_run_placed(places, j.shares * j.tasks_of_panels * j.blocks, share_task, &j);
        dh__team_run_placed(places, j.panels * j.blocks, finish_task, &j);
    }
    return DH_OK;
}

const dh_impl dh__conv_direct_dw = {.name = "direct",
                                    .refuse = refuse_direct_dw,
                                    .scratch = scratch_direct_dw,
                                    .run = run_direct_dw};
