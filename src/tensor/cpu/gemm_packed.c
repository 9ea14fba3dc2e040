/* SPDX-License-Identifier: MIT */
/* The product over tiles. One team run does all: its threads draw tasks in a fixed order, for each
 * row block first the packing of A, in units, then its strips of columns. A strip waits until its
 * block is packed; packing waits until the block before the last, whose buffer it takes, is done.
 * Tasks wait for earlier ones only, which some thread has drawn already: so no deadlock.
 *
 * A block of A stays in L2 while panels of B pass by: each is packed by the task that needs it, on
 * the thread's stack, part by part between the tiles of the panel before. */
#include <sched.h>
#include <stdatomic.h>

#include "gemm_plan.h"
#include "team.h"

#define CACHE_LINE   64
#define TILES_A_UNIT 2 /* of A are packed by one task */
#define SHORT_K      128
#define PART_ROWS    16 /* of B: a multiple, so that a turned part has whole lines and vectors */

typedef struct job {
    const dh__gemm_plan *plan;
    char *packed[2];     /* A's blocks by parity */
    int64_t k0, k_count; /* this chunk of k */
    int64_t k_blocks, units, per_block, tasks;
    bool first, last; /* chunk */
    bool alone;
    _Alignas(CACHE_LINE) atomic_int_fast64_t next;
    _Alignas(CACHE_LINE) atomic_int_fast64_t packed_units[2];
    _Alignas(CACHE_LINE) atomic_int_fast64_t done_strips[2];
} job;

static int64_t k_begin(const job *j, int64_t b)
{
    int64_t k = (j->k_count * b / j->k_blocks + 3) / 4 * 4;
    return k < j->k_count ? k : j->k_count;
}

static int64_t first_tile(const job *j, int64_t block)
{
    return j->plan->rows.tiles * block / j->plan->blocks;
}

static void pause_thread(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void wait_for(atomic_int_fast64_t *count, int64_t goal)
{
    for (int spins = 0; atomic_load_explicit(count, memory_order_acquire) < goal; spins++) {
        if (spins < 256)
            pause_thread();
        else
            sched_yield(); /* more threads than cores */
    }
}

/* Where tile t of a block begins in its buffer: k blocks one after the other, tiles inside. */
static char *packed_at(const job *j, int64_t block, int64_t k, int64_t k_count, int64_t t)
{
    const dh__gemm_plan *plan = j->plan;
    int64_t t0 = first_tile(j, block), t1 = first_tile(j, block + 1);
    int64_t row0 = dh__gemm_tile_row(&plan->rows, t0);
    int64_t rows = dh__gemm_tile_row(&plan->rows, t1) - row0;
    int64_t before = rows * k + (dh__gemm_tile_row(&plan->rows, t) - row0) * k_count;
    return j->packed[block & 1] + before * plan->size;
}

static void pack_unit(job *j, int64_t block, int64_t unit)
{
    const dh__gemm_plan *plan = j->plan;
    int64_t per_k = j->units / j->k_blocks, b = unit / per_k;
    int64_t t = first_tile(j, block) + unit % per_k * TILES_A_UNIT, end = t + TILES_A_UNIT;
    int64_t t1 = first_tile(j, block + 1);
    int64_t k = k_begin(j, b), k_count = k_begin(j, b + 1) - k;
    if (end > t1) end = t1;
    /* the strips of the last block with this buffer must be done */
    wait_for(&j->done_strips[block & 1], block / 2 * plan->strips);
    for (; t < end; t++) {
        int64_t row = dh__gemm_tile_row(&plan->rows, t);
        int h = (int)(dh__gemm_tile_row(&plan->rows, t + 1) - row);
        dh__gemm_pack_a(plan, packed_at(j, block, k, k_count, t), row, h, j->k0 + k, k_count);
    }
    atomic_fetch_add_explicit(&j->packed_units[block & 1], 1, memory_order_release);
}

/* A panel of B over one k block. */
typedef struct panel {
    int64_t k, k_count, col, cols;
    int64_t step; /* of its rows, in elements */
    bool direct;  /* read as it lies in memory; else packed */
    char *buffer;
} panel;

static panel panel_at(const job *j, int64_t b, int64_t number, char *buffer)
{
    const dh__gemm_plan *plan = j->plan;
    panel p = {.k = k_begin(j, b), .col = number * plan->nr, .buffer = buffer};
    p.k_count = k_begin(j, b + 1) - p.k;
    p.cols = plan->g->n - p.col < plan->nr ? plan->g->n - p.col : plan->nr;
    p.direct = !plan->pack_b && p.cols % plan->lanes == 0;
    p.step = p.cols > plan->lanes ? plan->nr : plan->lanes;
    if (p.direct) p.step = plan->g->b_row;
    return p;
}

static void pack_rows(const job *j, const panel *p, int64_t begin, int64_t end)
{
    if (p->direct || begin == end) return;
    dh__gemm_pack_b(j->plan, p->buffer + begin * p->step * j->plan->size, j->k0 + p->k + begin,
                    end - begin, p->col, (int)p->cols, (int)p->step);
}

/* Rows of a panel that the kernel prefetches, and that are packed when it is through: so they come
 * from the cache even where they lie so far apart that few fit into it. */
static dh__gemm_ahead ahead_of(const job *j, const panel *p, int64_t begin, int64_t end)
{
    const dh__gemm_plan *plan = j->plan;
    const dh__gemm *g = plan->g;
    if (!p || p->direct || begin == end || (g->b_col != 1 && g->b_row != 1))
        return (dh__gemm_ahead){0};
    int64_t across = g->b_col == 1 ? p->cols : end - begin; /* along memory */
    int64_t lines = g->b_col == 1 ? end - begin : p->cols;
    int64_t step = (g->b_col == 1 ? g->b_row : g->b_col) * plan->size;
    return (dh__gemm_ahead){.line = dh__gemm_b_at(plan, j->k0 + p->k + begin, p->col),
                            .left = lines,
                            .rows = (across * plan->size + CACHE_LINE - 1) / CACHE_LINE,
                            .lines = lines,
                            .step = step,
                            .jump = CACHE_LINE - lines * step,
                            .share = INT64_MAX};
}

/* A tile at the panel's first column and no row yet. */
static dh__gemm_tile tile_of(const job *j, const panel *p)
{
    const dh__gemm_plan *plan = j->plan;
    const dh__gemm *g = plan->g;
    bool first = j->first && p->k == 0, last = j->last && p->k + p->k_count == j->k_count;
    dh__gemm_tile t = {.b = p->buffer,
                       .b_step = p->step,
                       .c_row = g->c_row,
                       .k = p->k_count,
                       .cols = p->cols,
                       .alpha = g->alpha,
                       .beta = first ? g->beta : 1,
                       .act = last ? g->act : DH_ACT_NONE,
                       .act_alpha = g->act_alpha};
    if (last && g->bias) t.bias = (const char *)g->bias + p->col * plan->size;
    if (p->direct) t.b = dh__gemm_b_at(plan, j->k0 + p->k, p->col);
    return t;
}

/* Makes the tile at a row; the rows of next from begin to end are prefetched meanwhile. packed: its
 * part of A, if that is packed */
static void make_tile(const job *j, dh__gemm_tile *t, const panel *p, int64_t row, int64_t h,
                      const char *packed, const panel *next, int64_t begin, int64_t end)
{
    const dh__gemm_plan *plan = j->plan;
    const dh__gemm *g = plan->g;
    bool adjacent = plan->pack_a || g->a_row == 1;
    t->a = plan->pack_a ? packed : dh__gemm_a_at(plan, row, j->k0 + p->k);
    t->a_step = plan->pack_a ? h : adjacent ? g->a_col : g->a_row;
    t->c = (char *)g->c + (row * g->c_row + p->col) * plan->size;
    dh__gemm_ahead ahead = ahead_of(j, next, begin, end);
    t->ahead = &ahead;
    plan->kernels->tile[g->f64][adjacent](t, (int)h);
}

/* All tiles of a row block with one panel; between them next, if there is one, is packed in as many
 * parts. */
static void make_panel(const job *j, int64_t block, const panel *p, const panel *next)
{
    const dh__gemm_plan *plan = j->plan;
    int64_t t0 = first_tile(j, block), t1 = first_tile(j, block + 1);
    dh__gemm_tile tile = tile_of(j, p);
    const char *packed = plan->pack_a ? packed_at(j, block, p->k, p->k_count, t0) : NULL;
    int64_t part = next ? (next->k_count / (t1 - t0) / PART_ROWS + 1) * PART_ROWS : 0, begin = 0;
    for (int64_t t = t0, row = dh__gemm_tile_row(&plan->rows, t0); t < t1; t++) {
        int64_t h = dh__gemm_tile_row(&plan->rows, t + 1) - row;
        int64_t end = next && next->k_count - begin < part ? next->k_count : begin + part;
        make_tile(j, &tile, p, row, h, packed, next, begin, end);
        if (next) pack_rows(j, next, begin, end);
        if (plan->pack_a) packed += h * p->k_count * plan->size;
        begin = end;
        row += h;
    }
}

/* All panels of a strip for one tile after the other: where k is short, writing C takes the time,
 * and along its rows it takes less. */
static void make_rows(job *j, int64_t block, const panel *panels, int64_t count)
{
    const dh__gemm_plan *plan = j->plan;
    int64_t t0 = first_tile(j, block), t1 = first_tile(j, block + 1), k_count = j->k_count;
    dh__gemm_tile tiles[PANELS_MAX];
    for (int64_t i = 0; i < count; i++) {
        pack_rows(j, &panels[i], 0, k_count);
        tiles[i] = tile_of(j, &panels[i]);
    }
    if (plan->pack_a) wait_for(&j->packed_units[block & 1], (block / 2 + 1) * j->units);
    const char *packed = plan->pack_a ? packed_at(j, block, 0, k_count, t0) : NULL;
    for (int64_t t = t0, row = dh__gemm_tile_row(&plan->rows, t0); t < t1; t++) {
        int64_t h = dh__gemm_tile_row(&plan->rows, t + 1) - row;
        for (int64_t i = 0; i < count; i++)
            make_tile(j, &tiles[i], &panels[i], row, h, packed, NULL, 0, 0);
        if (plan->pack_a) packed += h * k_count * plan->size;
        row += h;
    }
}

static void make_strip(job *j, int64_t block, int64_t strip)
{
    const dh__gemm_plan *plan = j->plan;
    _Alignas(CACHE_LINE) char buffers[2 * DH_GEMM_PANEL_SIZE];
    int64_t begin = strip * plan->panels_per_strip, width = plan->panels - begin;
    if (width > plan->panels_per_strip) width = plan->panels_per_strip;
    int64_t panel_size = j->k_count * plan->nr * plan->size;
    if (j->k_count <= SHORT_K && width * panel_size <= (int64_t)sizeof buffers) {
        panel panels[PANELS_MAX];
        for (int64_t i = 0; i < width; i++)
            panels[i] = panel_at(j, 0, begin + i, buffers + i * panel_size);
        make_rows(j, block, panels, width);
    } else {
        panel p = panel_at(j, 0, begin, buffers);
        pack_rows(j, &p, 0, p.k_count);
        if (plan->pack_a) wait_for(&j->packed_units[block & 1], (block / 2 + 1) * j->units);
        for (int64_t i = 1; i < j->k_blocks * width; i++) {
            char *buffer = buffers + (i & 1) * DH_GEMM_PANEL_SIZE;
            panel next = panel_at(j, i / width, begin + i % width, buffer);
            make_panel(j, block, &p, &next);
            p = next;
        }
        make_panel(j, block, &p, NULL);
    }
    atomic_fetch_add_explicit(&j->done_strips[block & 1], 1, memory_order_release);
}

static void work(void *context, int64_t i)
{
    job *j = context;
    DH_UNUSED(i);
    for (;;) {
        int64_t t = atomic_fetch_add_explicit(&j->next, 1, memory_order_relaxed);
        if (t >= j->tasks) return;
        int64_t block = t / j->per_block, at = t % j->per_block;
        if (at < j->units)
            pack_unit(j, block, at);
        else
            make_strip(j, block, at - j->units);
    }
}

void dh__gemm_run_packed(const dh__gemm_plan *plan, void *scratch)
{
    int64_t k0 = 0;
    do {
        int64_t left = plan->k - k0, k_max = plan->kernels->kc[plan->g->f64];
        job j = {.plan = plan, .k0 = k0, .k_count = left < plan->chunk ? left : plan->chunk};
        j.first = k0 == 0;
        k0 += j.k_count;
        j.last = k0 >= plan->k;
        j.k_blocks = j.k_count > k_max ? (j.k_count + k_max - 1) / k_max : 1;
        j.packed[0] = scratch;
        j.packed[1] = j.packed[0];
        if (plan->pack_a) {
            j.packed[1] += plan->blocks > 1 ? plan->block_rows * j.k_count * plan->size : 0;
            int64_t most = (plan->rows.tiles + plan->blocks - 1) / plan->blocks;
            j.units = j.k_blocks * ((most + TILES_A_UNIT - 1) / TILES_A_UNIT);
        }
        j.per_block = j.units + plan->strips;
        j.tasks = plan->blocks * j.per_block;
        int64_t threads = plan->parallel ? dh__team_size() : 1;
        if (threads > j.tasks) threads = j.tasks;
        if (threads > 1)
            dh__team_run(threads, work, &j);
        else
            work(&j, 0);
    } while (k0 < plan->k);
}
