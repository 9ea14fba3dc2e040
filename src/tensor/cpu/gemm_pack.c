/* SPDX-License-Identifier: MIT */
/* Where a tile of A or a panel of B lies, and its copy in the order in which the kernel reads. */
#include "gemm_plan.h"

/* width x count elements to out[p * width_step + i], whatever the strides */
static void pack(const dh__gemm_plan *plan, void *out, int64_t out_step, const void *x,
                 int64_t i_step, int64_t p_step, int width, int fill, int64_t count)
{
    bool f64 = plan->g->f64;
    if (i_step == 1) {
        plan->kernels->pack_copy[f64](out, out_step, x, p_step, width, fill, count);
    } else if (p_step == 1) {
        plan->kernels->pack_turn[f64](out, out_step, x, i_step, width, fill, count);
    } else {
        for (int64_t p = 0; p < count; p++) {
            for (int i = 0; i < fill; i++) {
                int64_t to = p * out_step + i, from = i * i_step + p * p_step;
                if (f64)
                    ((double *)out)[to] = i < width ? ((const double *)x)[from] : 0;
                else
                    ((float *)out)[to] = i < width ? ((const float *)x)[from] : 0;
            }
        }
    }
}

const char *dh__gemm_a_at(const dh__gemm_plan *plan, int64_t i, int64_t p)
{
    const dh__gemm *g = plan->g;
    return (const char *)g->a + (i * g->a_row + p * g->a_col) * plan->size;
}

const char *dh__gemm_b_at(const dh__gemm_plan *plan, int64_t p, int64_t j)
{
    const dh__gemm *g = plan->g;
    return (const char *)g->b + (p * g->b_row + j * g->b_col) * plan->size;
}

void dh__gemm_pack_a(const dh__gemm_plan *plan, void *out, int64_t i, int h, int64_t p,
                     int64_t count)
{
    const dh__gemm *g = plan->g;
    pack(plan, out, h, dh__gemm_a_at(plan, i, p), g->a_row, g->a_col, h, h, count);
}

void dh__gemm_pack_b(const dh__gemm_plan *plan, void *out, int64_t p, int64_t count, int64_t j,
                     int cols, int fill)
{
    const dh__gemm *g = plan->g;
    pack(plan, out, fill, dh__gemm_b_at(plan, p, j), g->b_col, g->b_row, cols, fill, count);
}
