/* SPDX-License-Identifier: MIT */
/* Products over few terms, bound by the writing of C: so C is written along its rows, and A's
 * values stay in registers. */
#include "gemm_plan.h"
#include "team.h"

#define TASK_ROWS 128 /* that share the packed strip of B */
#define LEAST     16  /* rows, or vectors in a row, that are worth the packing */

typedef struct short_job {
    const dh__gemm *g;
    const dh__gemm_kernels *kernels;
    int64_t size, strip; /* columns */
    int64_t strips;
} short_job;

bool dh__gemm_is_short(const dh__gemm *g)
{
    int64_t size = g->f64 ? 8 : 4;
    return g->k >= 1 && g->k <= DH_GEMM_SHORT_K && g->alpha != 0 && g->m >= LEAST &&
           g->n * size >= LEAST * 64 && (g->b_row == 1 || g->b_col == 1) && !g->bias &&
           g->act == DH_ACT_NONE;
}

/* The strip from column col on to rows of DH_GEMM_SHORT_PITCH bytes. */
static void pack_strip(const short_job *job, char *out, int64_t col, int64_t cols)
{
    const dh__gemm *g = job->g;
    int64_t nr = job->kernels->nr[g->f64], lanes = nr / 2, size = job->size;
    int64_t pitch = DH_GEMM_SHORT_PITCH / size;
    bool copy = g->b_col == 1;
    for (int64_t j = 0; j < cols; j += nr) {
        int width = (int)(cols - j < nr ? cols - j : nr);
        int fill = (int)((width + lanes - 1) / lanes * lanes);
        const char *from = (const char *)g->b + (col + j) * g->b_col * size;
        if (copy)
            job->kernels->pack_copy[g->f64](out + j * size, pitch, from, g->b_row, width, fill,
                                            g->k);
        else
            job->kernels->pack_turn[g->f64](out + j * size, pitch, from, g->b_col, width, fill,
                                            g->k);
    }
}

static void run_task(void *context, int64_t task)
{
    const short_job *job = context;
    const dh__gemm *g = job->g;
    _Alignas(64) char packed[DH_GEMM_SHORT_K * DH_GEMM_SHORT_PITCH];
    int64_t row = task / job->strips * TASK_ROWS, col = task % job->strips * job->strip;
    int64_t rows = g->m - row < TASK_ROWS ? g->m - row : TASK_ROWS;
    int64_t cols = g->n - col < job->strip ? g->n - col : job->strip;
    pack_strip(job, packed, col, cols);
    dh__gemm_short s = {.a = (const char *)g->a + row * g->a_row * job->size,
                        .a_row = g->a_row,
                        .a_col = g->a_col,
                        .b = packed,
                        .c = (char *)g->c + (row * g->c_row + col) * job->size,
                        .c_row = g->c_row,
                        .rows = rows,
                        .cols = cols,
                        .k = (int)g->k,
                        .alpha = g->alpha,
                        .beta = g->beta};
    job->kernels->sum_short[g->f64](&s);
}

bool dh__gemm_run_short(const dh__gemm *g, const dh__gemm_kernels *kernels)
{
    if (!dh__gemm_is_short(g)) return false;
    short_job job = {.g = g, .kernels = kernels, .size = g->f64 ? 8 : 4};
    job.strip = DH_GEMM_SHORT_STRIP / job.size;
    job.strips = (g->n - 1) / job.strip + 1;
    int64_t tasks = job.strips * ((g->m - 1) / TASK_ROWS + 1);
    if (2.0 * (double)g->m * (double)g->n * (double)g->k > 2 * DH_GEMM_SMALL)
        dh__team_run(tasks, run_task, &job);
    else
        for (int64_t i = 0; i < tasks; i++) run_task(&job, i);
    return true;
}
