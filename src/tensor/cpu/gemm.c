/* SPDX-License-Identifier: MIT */
#include "gemm.h"

#include <stdatomic.h>

#include "cut.h"
#include "gemm_plan.h"

#define CHUNK_BLOCKS 8         /* k blocks of A packed at a time */
#define TASKS_WANTED 16        /* so that few threads end at nearly the same time */
#define TASK_FLOPS   1000000.0 /* below, a task is not worth its start */
#define FEW_PANELS   2         /* that read A too seldom to pack it */
#define FAR_COLUMNS  1024 /* bytes: a tile takes a piece of a line from each, few fit into L1 */
#define FEW_TILES    2    /* the same of B */

static atomic_int forced_isa = -1;

int dh__gemm_force_isa(int isa)
{
    int best = (int)dh__cpu_isa();
    atomic_store(&forced_isa, isa > best ? best : isa);
    isa = atomic_load(&forced_isa);
    return isa < 0 ? best : isa;
}

int dh__gemm_isa(void)
{
    int isa = atomic_load_explicit(&forced_isa, memory_order_relaxed);
    return isa < 0 ? (int)dh__cpu_isa() : isa;
}

const dh__gemm_kernels *dh__gemm_kernels_now(void)
{
#if defined(__x86_64__)
    int isa = dh__gemm_isa();
    if (isa == DH_ISA_AVX512) return &dh__gemm_kernels_avx512;
    if (isa == DH_ISA_AVX2) return &dh__gemm_kernels_avx2;
#endif
    return &dh__gemm_kernels_portable;
}

/* Rows of A that five eighths of L2 hold over the longest k block: whole tiles, four at least. */
static int64_t rows_in_cache(const dh__gemm_kernels *kernels, bool f64)
{
    int64_t size = f64 ? 8 : 4, mr = kernels->mr[f64];
    int64_t tiles = (int64_t)dh__cpu_caches()->l2 / 8 * 5 / (kernels->kc[f64] * size * mr);
    return (tiles < 4 ? 4 : tiles) * mr;
}

/* A block has its share of the tiles, rounded up. */
static int64_t most_rows(int64_t m, int64_t blocks, int64_t mr)
{
    return blocks == 1 ? m : m / blocks + mr + 2;
}

static void cut_columns_and_rows(dh__gemm_plan *plan, double flops)
{
    const dh__gemm *g = plan->g;
    int64_t rows = rows_in_cache(plan->kernels, g->f64);
    plan->rows = dh__gemm_cut_rows(g->m, plan->mr);
    plan->panels = dh__divide_up(g->n, plan->nr);
    plan->blocks = dh__divide_up(g->m, rows - plan->mr);
    plan->panels_per_strip = dh__at_most(PANELS_MAX, plan->panels);
    double worth = flops / TASK_FLOPS;
    int64_t wanted = worth > TASKS_WANTED ? TASKS_WANTED : (int64_t)worth;
    while (plan->panels_per_strip > 1 &&
           plan->blocks * dh__divide_up(plan->panels, plan->panels_per_strip) < wanted)
        plan->panels_per_strip--;
    plan->strips = dh__divide_up(plan->panels, plan->panels_per_strip);
    if (plan->blocks * plan->strips < wanted)
        plan->blocks = dh__at_most(plan->rows.tiles, dh__divide_up(wanted, plan->strips));
}

static dh__gemm_plan make_plan(const dh__gemm *g, const dh__gemm_kernels *kernels)
{
    dh__gemm_plan plan = {.g = g,
                          .kernels = kernels,
                          .k = g->alpha == 0 ? 0 : g->k,
                          .size = g->f64 ? 8 : 4,
                          .mr = kernels->mr[g->f64],
                          .nr = kernels->nr[g->f64],
                          .lanes = kernels->nr[g->f64] / 2};
    double flops = 2.0 * (double)g->m * (double)g->n * (double)plan.k;
    cut_columns_and_rows(&plan, flops);
    plan.chunk = (int64_t)CHUNK_BLOCKS * kernels->kc[g->f64];
    plan.block_rows = most_rows(g->m, plan.blocks, plan.mr);
    plan.parallel = flops > 2 * DH_GEMM_SMALL;
    /* each step of k takes little of a line, and the lines crowd few sets of L1 */
    bool far = g->a_row == 1 && g->a_col * plan.size >= FAR_COLUMNS && plan.mr * plan.size <= 32;
    bool crowded = g->a_col == 1 && dh__gemm_crowds(plan.mr, g->a_row * plan.size);
    bool reread = plan.panels > FEW_PANELS;
    plan.pack_a =
        !(g->a_row == 1 || g->a_col == 1) ||
        (reread && (far || crowded || !dh__gemm_fits(g->m, g->a_row, plan.k, g->a_col, plan.size)));
    bool near = g->b_row * plan.size < DH_GEMM_PAGE; /* else each row costs a TLB entry */
    plan.pack_b =
        g->b_col != 1 || (plan.rows.tiles > FEW_TILES &&
                          !(near && dh__gemm_fits(plan.k, g->b_row, g->n, g->b_col, plan.size)));
    if (g->m == 1) plan.pack_a = false;
    return plan;
}

/* A dimension of one has no stride to heed: any that suits. alpha 0: a sum over nothing. */
static dh__gemm plain(const dh__gemm *g)
{
    dh__gemm plain = *g;
    if (g->alpha == 0) plain.k = 0;
    if (g->k == 1) plain.a_col = plain.b_row = 1;
    if (g->m == 1) plain.a_row = 1;
    if (g->n == 1) plain.b_col = 1;
    return plain;
}

size_t dh__gemm_scratch(const dh__gemm *g)
{
    if (g->m <= 1 || g->n < 1 || g->k < 1) return 0;
    const dh__gemm_kernels *kernels = dh__gemm_kernels_now();
    int64_t mr = kernels->mr[g->f64], rows = rows_in_cache(kernels, g->f64);
    rows = dh__at_most(g->m + 2 * (mr + 2), 2 * (rows + 2));
    int64_t k = dh__at_most(g->k, (int64_t)CHUNK_BLOCKS * kernels->kc[g->f64]);
    return (size_t)(rows * k * (g->f64 ? 8 : 4));
}

void dh__gemm_run(const dh__gemm *g, void *scratch)
{
    if (g->m < 1 || g->n < 1) return;
    dh__gemm p = plain(g);
    const dh__gemm_kernels *kernels = dh__gemm_kernels_now();
    if (dh__gemm_is_vector(&p)) {
        dh__gemm_run_vector(&p, kernels);
    } else if (dh__gemm_takes_openblas(&p)) {
        dh__gemm_run_openblas(&p);
    } else if (!dh__gemm_run_short(&p, kernels) && !dh__gemm_run_small(&p, kernels)) {
        dh__gemm_plan plan = make_plan(&p, kernels);
        dh__gemm_run_packed(&plan, scratch);
    }
}

const char *dh__gemm_name(const dh__gemm *g)
{
    dh__gemm p = plain(g);
    const dh__gemm_kernels *kernels = dh__gemm_kernels_now();
    if (p.m < 1 || p.n < 1) return "gemm_empty";
    if (dh__gemm_is_vector(&p)) return kernels->name_vector;
    if (dh__gemm_takes_openblas(&p)) return "gemm_openblas";
    if (dh__gemm_is_short(&p)) return kernels->name_short;
    dh__gemm_plan plan = make_plan(&p, kernels);
    return plan.pack_a || plan.pack_b ? kernels->name_packed : kernels->name_small;
}
