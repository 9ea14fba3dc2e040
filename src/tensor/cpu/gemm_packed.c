/* SPDX-License-Identifier: MIT */
/* The product over tiles. One team run does all: its threads draw tasks in a fixed order, for each
 * row block first the packing of A, in units, then its strips of columns. A strip waits until its
 * block is packed; packing waits until the block before the last, whose buffer it takes, is done.
 * Tasks wait for earlier ones only, which some thread has drawn already: so no deadlock.
 *
 * A block of A stays in L2 while panels of B pass by: each is packed by the task that needs it, on
 * the thread's stack, while the kernel prefetches the next. */
#include <sched.h>
#include <stdatomic.h>

#include "gemm_plan.h"
#include "team.h"

#define CACHE_LINE   64
#define TILES_A_UNIT 2 /* of A are packed by one task */

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
    return j->plan->tiles * block / j->plan->blocks;
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
        if (spins < 4096)
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
    int64_t row0 = dh__gemm_tile_row(plan, t0);
    int64_t rows = dh__gemm_tile_row(plan, t1) - row0;
    int64_t before = rows * k + (dh__gemm_tile_row(plan, t) - row0) * k_count;
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
        int64_t row = dh__gemm_tile_row(plan, t);
        int h = (int)(dh__gemm_tile_row(plan, t + 1) - row);
        dh__gemm_pack_a(plan, packed_at(j, block, k, k_count, t), row, h, j->k0 + k, k_count);
    }
    atomic_fetch_add_explicit(&j->packed_units[block & 1], 1, memory_order_release);
}

/* A panel of B at k: as it lies in memory if that is how the kernel reads, else packed. */
static const void *panel_of(const job *j, void *buffer, int64_t k, int64_t k_count, int64_t col,
                            int64_t cols, int64_t *step)
{
    const dh__gemm_plan *plan = j->plan;
    if (!plan->pack_b && cols % plan->lanes == 0) {
        *step = plan->g->b_row;
        return dh__gemm_b_at(plan, j->k0 + k, col);
    }
    *step = cols > plan->lanes ? plan->nr : plan->lanes;
    dh__gemm_pack_b(plan, buffer, j->k0 + k, k_count, col, (int)cols, (int)*step);
    return buffer;
}

/* Which lines the kernel prefetches while it makes the tile of this number: with rows of B whole
 * lines apart, the lines of a panel are dealt to the first tiles. */
static void set_fetch(dh__gemm_tile *t, const dh__gemm_plan *plan, const char *panel,
                      int64_t k_count, int64_t number)
{
    int64_t lines = plan->nr * plan->size / CACHE_LINE; /* of a row of the panel */
    t->fetch = t->b;
    t->fetch_step = 0;
    if (!panel || plan->g->b_col != 1 || lines == 0 || number >= 4 * lines) return;
    t->fetch_step = plan->g->b_row * plan->size;
    t->fetch = panel + number / lines * (k_count / 4) * t->fetch_step + number % lines * CACHE_LINE;
}

/* ahead: the panel of B to be packed next, or NULL */
static void make_panel(const job *j, int64_t block, int64_t b, int64_t panel, const char *ahead,
                       void *buffer)
{
    const dh__gemm_plan *plan = j->plan;
    const dh__gemm *g = plan->g;
    int64_t k = k_begin(j, b), k_count = k_begin(j, b + 1) - k;
    int64_t col = panel * plan->nr, cols = g->n - col < plan->nr ? g->n - col : plan->nr;
    int64_t t0 = first_tile(j, block), t1 = first_tile(j, block + 1);
    bool set = j->first && b == 0, end = j->last && b == j->k_blocks - 1;
    dh__gemm_tile t = {.c_row = g->c_row,
                       .k = k_count,
                       .cols = cols,
                       .alpha = g->alpha,
                       .beta = set ? g->beta : 1,
                       .act = end ? g->act : DH_GEMM_ACT_NONE,
                       .act_alpha = g->act_alpha};
    if (end && g->bias) t.bias = (const char *)g->bias + col * plan->size;
    t.b = panel_of(j, buffer, k, k_count, col, cols, &t.b_step);
    bool adjacent = plan->pack_a || g->a_row == 1;
    dh__gemm_tile_fn make = plan->kernels->tile[g->f64][adjacent];
    for (int64_t i = t0, row = dh__gemm_tile_row(plan, t0); i < t1; i++) {
        int64_t next = dh__gemm_tile_row(plan, i + 1);
        t.a = dh__gemm_a_at(plan, row, j->k0 + k);
        t.a_step = adjacent ? g->a_col : g->a_row;
        if (plan->pack_a) {
            t.a = packed_at(j, block, k, k_count, i);
            t.a_step = next - row;
        }
        t.c = (char *)g->c + (row * g->c_row + col) * plan->size;
        set_fetch(&t, plan, ahead, k_count, i - t0);
        make(&t, (int)(next - row));
        row = next;
    }
}

static void make_strip(job *j, int64_t block, int64_t strip)
{
    const dh__gemm_plan *plan = j->plan;
    _Alignas(CACHE_LINE) char buffer[DH_GEMM_PANEL_SIZE];
    int64_t begin = strip * plan->panels_per_strip, end = begin + plan->panels_per_strip;
    if (end > plan->panels) end = plan->panels;
    if (plan->pack_a) wait_for(&j->packed_units[block & 1], (block / 2 + 1) * j->units);
    for (int64_t b = 0; b < j->k_blocks; b++)
        for (int64_t panel = begin; panel < end; panel++) {
            const char *ahead = NULL;
            if (panel + 1 < end)
                ahead = dh__gemm_b_at(plan, j->k0 + k_begin(j, b), (panel + 1) * plan->nr);
            else if (b + 1 < j->k_blocks)
                ahead = dh__gemm_b_at(plan, j->k0 + k_begin(j, b + 1), begin * plan->nr);
            make_panel(j, block, b, panel, ahead, buffer);
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
            int64_t most = (plan->tiles + plan->blocks - 1) / plan->blocks;
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
