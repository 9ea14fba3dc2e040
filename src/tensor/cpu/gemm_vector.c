/* SPDX-License-Identifier: MIT */
/* Products with one row or one column: bound by memory, so the matrix is read once, along the
 * stride that is 1: as dot products if that is k's, else as sums of scaled rows. */
#include "gemm_impl.h"
#include "team.h"

#define OUTPUTS_MAX    2048   /* of a task; its sums lie on the stack */
#define TASK_BYTES     131072 /* of the matrix, that a task should read at least */
#define PARALLEL_BYTES 524288

typedef struct vector_job {
    const dh__gemm *g;
    const dh__gemm_kernels *kernels;
    const char *matrix;
    const void *vector;
    bool dot;
    int64_t step; /* of the matrix's rows, as they lie in memory */
    int64_t outputs, outputs_per_task;
    int64_t c_step, bias_step, size;
} vector_job;

/* False if neither way suits the strides. */
static bool make_job(vector_job *job, const dh__gemm *g)
{
    if (g->k < 1 || (g->m != 1 && g->n != 1)) return false;
    bool row = g->m == 1; /* C is one row, B the matrix */
    int64_t along_k = row ? g->b_row : g->a_col, along_c = row ? g->b_col : g->a_row;
    if ((row ? g->a_col : g->b_row) != 1 || (along_k != 1 && along_c != 1)) return false;
    *job = (vector_job){.g = g,
                        .matrix = row ? g->b : g->a,
                        .vector = row ? g->a : g->b,
                        .dot = along_k == 1,
                        .step = along_k == 1 ? along_c : along_k,
                        .outputs = row ? g->n : g->m,
                        .c_step = row ? 1 : g->c_row,
                        .bias_step = row ? 1 : 0,
                        .size = g->f64 ? 8 : 4};
    int64_t least = TASK_BYTES / job->size / g->k + 1;
    int64_t share = (job->outputs / 16 + 63) / 64 * 64;
    job->outputs_per_task = share > least ? share : (least + 63) / 64 * 64;
    if (job->outputs_per_task > OUTPUTS_MAX) job->outputs_per_task = OUTPUTS_MAX;
    return true;
}

static void run_outputs(void *context, int64_t task)
{
    const vector_job *job = context;
    const dh__gemm *g = job->g;
    _Alignas(64) double sums[OUTPUTS_MAX];
    int64_t begin = task * job->outputs_per_task, count = job->outputs - begin;
    if (count > job->outputs_per_task) count = job->outputs_per_task;
    dh__gemm_vector v = {.x = job->matrix + begin * (job->dot ? job->step : 1) * job->size,
                         .step = job->step,
                         .v = job->vector,
                         .y = sums,
                         .rows = job->dot ? count : g->k,
                         .cols = job->dot ? g->k : count};
    if (job->dot)
        job->kernels->dot[g->f64](&v);
    else
        job->kernels->axpy[g->f64](&v);
    const char *bias = g->bias;
    if (bias) bias += begin * job->bias_step * job->size;
    dh__gemm_finish(g, (char *)g->c + begin * job->c_step * job->size, job->c_step, sums, bias,
                    job->bias_step, count, g->alpha, g->beta);
}

bool dh__gemm_is_vector(const dh__gemm *g)
{
    vector_job job;
    return make_job(&job, g);
}

bool dh__gemm_run_vector(const dh__gemm *g, const dh__gemm_kernels *kernels)
{
    vector_job job;
    if (!make_job(&job, g)) return false;
    job.kernels = kernels;
    int64_t tasks = (job.outputs - 1) / job.outputs_per_task + 1;
    if ((double)job.outputs * (double)g->k * (double)job.size >= PARALLEL_BYTES)
        dh__team_run(tasks, run_outputs, &job);
    else
        for (int64_t i = 0; i < tasks; i++) run_outputs(&job, i);
    return true;
}
