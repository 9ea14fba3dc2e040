/* SPDX-License-Identifier: MIT */
/* Convolution with a 3x3 window in f32 and its gradient for the input by Winograd's minimal
 * filtering F(4x4, 3x3): a quarter of the multiplications, by 36 products of matrices for many
 * tiles of 4x4 results at once. The rounding error is about five times that of a plain sum
 * (docs/convolution.md); DEEPHEALTH_WINOGRAD=0 switches it off. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "conv_strips.h"
#include "cpu.h"
#include "cut.h"
#include "gemm_plan.h"
#include "team.h"
#include "winograd_kernels.h"

#define SIDE         4       /* of a tile of results */
#define TILES_MOST   56      /* of a strip: four times the micro-kernel's rows with AVX-512 */
#define TILES_LEAST  28      /* with many channels: the transformed weights stream by for so many */
#define TILES_MEMORY 1048576 /* bytes of a strip's transformed tiles, where that is enough */
#define BLOCK        32      /* input channels that are gathered and transformed at a time */
#define CHUNK        32      /* input channels whose weights are transformed at a time */
#define RUNS_MAX     128
#define SLAB         (198 * 1024) /* bytes: the most that tiles of a strip see of a block */
#define TASKS_WANTED 16

typedef struct job {
    dh__conv_weights w;
    const dh_view *from, *to;
    dh__conv_sweep sweep;
    dh__conv_cut cut; /* of a strip's parts, one image each */
    const dh__winograd_kernels *kernels;
    int64_t down, across;       /* tiles of an image */
    int64_t images, rows, cols; /* of a strip, at most; in tiles */
    int64_t strips, panels, groups_of_panels;
    int64_t pixel; /* elements from tile to tile, for all channels of one */
    int64_t run;   /* input channels whose transformed weights lie together */
    char *weights; /* [panel][run][36][input channel of the run][nr] */
    char *slots;
    int64_t tiles_bytes, slot; /* of a strip: transformed; all of it */
    atomic_int_fast64_t next;
} job;

typedef struct strip {
    int64_t n, images, y, rows, x, cols; /* in tiles */
    int64_t tiles;
    float *slab, *tiles_in, *sums, *pixels;
} strip;

static const dh__winograd_kernels *kernels_now(void)
{
#if DH_HAVE_X86_ISA
    dh__isa isa = dh__cpu_isa();
    if (isa == DH_ISA_AVX512) return &dh__winograd_avx512;
    if (isa == DH_ISA_AVX2) return &dh__winograd_avx2;
#endif
    return &dh__winograd_portable;
}

/* --- weights --- */

static void weights_task(void *context, int64_t i)
{
    const job *j = context;
    int64_t chunks = dh__divide_up(j->w.in_channels, CHUNK), nr = j->cut.nr;
    int64_t panel = i / chunks, chunk = i % chunks;
    int64_t length = dh__at_most(CHUNK, j->w.in_channels - chunk * CHUNK);
    int64_t first = chunk * CHUNK, run = first / j->run;
    _Alignas(64) float packed[9 * CHUNK * 32];
    dh__conv_pack(&j->w, &j->sweep, panel, chunk, packed);
    float *out =
        (float *)(void *)j->weights +
        ((panel * j->w.in_channels + run * j->run) * DH_WINOGRAD_TILE + first % j->run) * nr;
    for (int64_t c = 0; c < length; c++)
        j->kernels->weights(out + c * nr, j->run * nr, packed + c * nr, length * nr, nr);
}

/* --- strips --- */

static strip strip_of(const job *j, int64_t number, char *slot)
{
    int64_t across = dh__divide_up(j->across, j->cols), down = dh__divide_up(j->down, j->rows);
    strip t = {.n = number / (across * down) * j->images,
               .y = number / across % down * j->rows,
               .x = number % across * j->cols};
    t.images = dh__at_most(j->images, j->cut.n - t.n);
    t.rows = dh__at_most(j->rows, j->down - t.y);
    t.cols = dh__at_most(j->cols, j->across - t.x);
    t.tiles = t.images * t.rows * t.cols;
    t.slab = (float *)(void *)slot;
    t.tiles_in = (float *)(void *)(slot + SLAB);
    t.sums = (float *)(void *)(slot + SLAB + j->tiles_bytes);
    t.pixels = t.sums + DH_WINOGRAD_TILE * TILES_MOST * j->cut.nr;
    return t;
}

/* The part of one image as a strip of the direct kind; whole: as if the tiles were all inside. */
static dh__conv_strip part_of(const job *j, const strip *t, int64_t image, bool whole)
{
    const dh__conv_axis *a = j->sweep.axis;
    dh__conv_strip p = {.n = t->n + image,
                        .images = 1,
                        .y = t->y * SIDE,
                        .x = t->x * SIDE,
                        .rows = t->rows * SIDE,
                        .cols = t->cols * SIDE};
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
static void clear_outside(const job *j, const dh__conv_strip *p, float *slab)
{
    for (int64_t y = 0; y < p->height; y++)
        if (p->low_y + y < 0 || p->low_y + y >= j->sweep.axis[1].in)
            memset(slab + y * p->pitch * BLOCK, 0, (size_t)(p->pitch * BLOCK) * sizeof *slab);
}

static void transform_input(const job *j, const strip *t)
{
    int64_t step = t->tiles * j->pixel;
    for (int64_t c = 0; c < j->w.in_channels; c += BLOCK) {
        int64_t channels = dh__at_most(BLOCK, j->w.in_channels - c);
        for (int64_t image = 0; image < t->images; image++) {
            dh__conv_strip p = part_of(j, t, image, true);
            int64_t row = p.pitch * BLOCK, tile = image * t->rows * t->cols;
            clear_outside(j, &p, t->slab);
            dh__conv_gather(&j->sweep, &j->cut, &p, j->from, j->w.group * j->w.in_channels + c,
                            channels, t->slab);
            for (int64_t y = 0; y < t->rows; y++)
                for (int64_t x = 0; x < t->cols; x++, tile++)
                    j->kernels->input(t->tiles_in + tile * j->pixel + c, step,
                                      t->slab + (y * row + x * BLOCK) * SIDE, row, BLOCK, channels);
        }
    }
}

static void multiply(const job *j, const strip *t, int64_t panel)
{
    int64_t nr = j->cut.nr, channels = j->w.in_channels;
    dh__gemm_rows rows = dh__gemm_cut_rows(t->tiles, j->cut.mr);
    const float *weights = (const float *)(const void *)j->weights;
    dh__gemm_at runs[RUNS_MAX];
    for (int64_t run = 0; run < channels / j->run; run++)
        runs[run] = (dh__gemm_at){run * j->run, run * j->run * DH_WINOGRAD_TILE * nr};
    dh__gemm_tile tile = {.a_step = j->pixel,
                          .b_step = nr,
                          .c_row = nr,
                          .k = j->run,
                          .runs = runs,
                          .run_count = channels / j->run,
                          .cols = nr,
                          .alpha = 1};
    for (int64_t e = 0; e < DH_WINOGRAD_TILE; e++) {
        tile.b = weights + (panel * channels * DH_WINOGRAD_TILE + e * j->run) * nr;
        for (int64_t i = 0; i < rows.tiles; i++) {
            int64_t begin = dh__gemm_tile_row(&rows, i);
            int64_t end = dh__gemm_tile_row(&rows, i + 1);
            tile.a = t->tiles_in + (e * t->tiles + begin) * j->pixel;
            tile.c = t->sums + (e * t->tiles + begin) * nr;
            j->cut.kernels->tile[0][0](&tile, (int)(end - begin));
        }
    }
}

static void transform_output(const job *j, const strip *t, int64_t panel)
{
    int64_t nr = j->cut.nr, first = panel * nr, channel = j->w.group * j->w.out_channels + first;
    int64_t width = dh__at_most(nr, j->w.out_channels - first), tile = 0;
    const dh_view *bias = j->w.s->bias;
    const float *shift = bias ? (const float *)bias->data + channel : NULL;
    for (int64_t image = 0; image < t->images; image++) {
        dh__conv_strip p = part_of(j, t, image, false);
        for (int64_t y = 0; y < t->rows; y++)
            for (int64_t x = 0; x < t->cols; x++, tile++)
                j->kernels->output(t->pixels + (y * p.cols + x) * SIDE * nr, p.cols * nr, nr,
                                   t->sums + tile * nr, t->tiles * nr, shift, width,
                                   (int)dh__at_most(SIDE, p.rows - y * SIDE),
                                   (int)dh__at_most(SIDE, p.cols - x * SIDE));
        dh__conv_scatter(&j->sweep, &j->cut, &p, j->to, channel, width, t->pixels);
    }
}

static void strip_task(void *context, int64_t slot)
{
    job *j = context;
    for (;;) {
        int64_t task = atomic_fetch_add_explicit(&j->next, 1, memory_order_relaxed);
        if (task >= j->strips * j->groups_of_panels) return;
        int64_t group = task % j->groups_of_panels;
        strip t = strip_of(j, task / j->groups_of_panels, j->slots + slot * j->slot);
        transform_input(j, &t);
        int64_t end = j->panels * (group + 1) / j->groups_of_panels;
        for (int64_t p = j->panels * group / j->groups_of_panels; p < end; p++) {
            multiply(j, &t, p);
            transform_output(j, &t, p);
        }
    }
}

/* --- the implementation --- */

static bool goes_to_large(const dh_call *call)
{
    return call->op == &dh_op_conv_dx || call->op == &dh_op_conv_transpose;
}

static int64_t evenly(int64_t count, int64_t most)
{
    return dh__divide_up(count, dh__divide_up(count, most));
}

/* Tiles that a strip has at most. */
static int64_t tiles_most(int64_t pixel)
{
    int64_t fit = TILES_MEMORY / (DH_WINOGRAD_TILE * pixel * (int64_t)sizeof(float));
    return fit < TILES_LEAST ? TILES_LEAST : dh__at_most(fit, TILES_MOST);
}

static job job_of(const dh__conv_sides *s, bool to_large)
{
    job j = {.w = {.s = s, .to_large = to_large, .chunk = CHUNK},
             .sweep = dh__conv_sweep_of(&s->c.w, to_large, 0),
             .kernels = kernels_now()};
    j.from = to_large ? &s->small : &s->large;
    j.to = to_large ? &s->large : &s->small;
    j.w.in_channels = to_large ? s->c.out_channels : s->c.in_channels;
    j.w.out_channels = to_large ? s->c.in_channels : s->c.out_channels;
    const dh__gemm_kernels *gemm = dh__gemm_kernels_now();
    j.cut = (dh__conv_cut){.kernels = gemm,
                           .size = sizeof(float),
                           .mr = gemm->mr[0],
                           .nr = gemm->nr[0],
                           .n = s->c.n,
                           .pixel = BLOCK};
    bool even = j.w.in_channels % CHUNK == 0 && j.w.in_channels / CHUNK <= RUNS_MAX;
    j.run = even ? CHUNK : j.w.in_channels;
    j.panels = dh__divide_up(j.w.out_channels, j.cut.nr);
    j.down = dh__divide_up(j.sweep.axis[1].count, SIDE);
    j.across = dh__divide_up(j.sweep.axis[2].count, SIDE);
    j.pixel = dh__divide_up(j.w.in_channels, 16) * 16 + 16;
    int64_t most = tiles_most(j.pixel), all = s->c.n * j.down * j.across;
    if (!all) return j;
    j.cols = evenly(j.across, dh__at_most(j.across, most));
    j.rows = j.cols == j.across ? evenly(j.down, dh__at_most(j.down, most / j.cols)) : 1;
    bool whole = j.rows == j.down && j.cols == j.across;
    j.images = whole ? evenly(s->c.n, dh__at_most(s->c.n, most / (j.rows * j.cols))) : 1;
    j.strips = dh__divide_up(j.across, j.cols) * dh__divide_up(j.down, j.rows) *
               dh__divide_up(s->c.n, j.images);
    j.groups_of_panels =
        j.strips < TASKS_WANTED ? dh__at_most(j.panels, dh__divide_up(TASKS_WANTED, j.strips)) : 1;
    return j;
}

static const char *refuse_winograd(const dh_call *call)
{
    const char *choice = getenv("DEEPHEALTH_WINOGRAD");
    if (choice && strcmp(choice, "0") == 0) return "DEEPHEALTH_WINOGRAD=0 switches it off";
    dh__conv_sides s = dh__conv_sides_of(call);
    const dh__windows *w = &s.c.w;
    const char *reason = dh__conv_direct.refuse(call);
    if (reason) return reason;
    if (s.size != sizeof(float)) return "dtype is not f32";
    if (w->size[0] != 1 || w->in[0] != 1 || w->begin[0] || w->end[0]) return "three spatial axes";
    if (w->size[1] != 3 || w->size[2] != 3) return "window is not 3x3";
    for (int i = 1; i < 3; i++)
        if (w->stride[i] != 1 || w->dilation[i] != 1) return "stride or dilation is not 1";
    job j = job_of(&s, goes_to_large(call));
    int64_t tiles = j.down * j.across;
    if (j.w.in_channels < 16 || j.w.out_channels < 16) return "fewer than 16 channels";
    if (j.sweep.axis[1].count * j.sweep.axis[2].count <= 7 * tiles) return "tiles are half empty";
    if (s.c.n * tiles < 24) return "too few tiles to transform weights for";
    return NULL;
}

static int64_t align(int64_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static int64_t weights_bytes(const job *j)
{
    return j->panels * j->cut.nr * j->w.in_channels * DH_WINOGRAD_TILE * (int64_t)sizeof(float);
}

static void set_slot(job *j)
{
    int64_t tile = DH_WINOGRAD_TILE * j->pixel * (int64_t)sizeof(float);
    int64_t bytes = tile * TILES_LEAST > TILES_MEMORY ? tile * TILES_LEAST : TILES_MEMORY;
    bytes = dh__at_most(bytes, tile * TILES_MOST);
    j->tiles_bytes = align(dh__at_most(bytes, tile * j->cut.n * j->down * j->across));
    int64_t results = (DH_WINOGRAD_TILE + SIDE * SIDE) * TILES_MOST * j->cut.nr;
    j->slot = SLAB + j->tiles_bytes + align(results * (int64_t)sizeof(float));
}

/* Not less than what the direct convolution needs, which takes a batch of few tiles. */
static size_t scratch_winograd(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    job j = job_of(&s, goes_to_large(call));
    set_slot(&j);
    size_t own = (size_t)(align(weights_bytes(&j)) + dh__cpu_count() * j.slot);
    size_t direct = dh__conv_direct.scratch(call);
    return own > direct ? own : direct;
}

static dh_status run_winograd(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    if (!dh__view_count(&call->out[0])) return DH_OK;
    job j = job_of(&s, goes_to_large(call));
    set_slot(&j);
    j.weights = call->scratch;
    j.slots = j.weights + align(weights_bytes(&j));
    int64_t tasks = j.strips * j.groups_of_panels;
    int64_t threads = dh__at_most(dh__at_most(dh__team_size(), dh__cpu_count()), tasks);
    for (j.w.group = 0; j.w.group < s.c.groups; j.w.group++) {
        atomic_store(&j.next, 0);
        dh__team_run(j.panels * dh__divide_up(j.w.in_channels, CHUNK), weights_task, &j);
        dh__team_run(threads, strip_task, &j);
    }
    return DH_OK;
}

const dh_impl dh__conv_winograd = {.name = "winograd",
                                   .refuse = refuse_winograd,
                                   .scratch = scratch_winograd,
                                   .run = run_winograd};
