/* SPDX-License-Identifier: MIT */
/* Products so small that cutting them up takes longer than it saves: tile after tile by the calling
 * thread, both matrices read as they lie. */
#include "gemm_plan.h"

bool dh__gemm_run_small(const dh__gemm *g, const dh__gemm_kernels *kernels)
{
    int64_t size = g->f64 ? 8 : 4, nr = kernels->nr[g->f64], mr = kernels->mr[g->f64];
    bool adjacent = g->a_row == 1;
    if (g->alpha == 0 || g->k < 1 || g->k > kernels->kc[g->f64] || g->b_col != 1 ||
        g->n % (nr / 2) != 0 || (!adjacent && g->a_col != 1) ||
        (double)g->m * (double)g->n * (double)g->k > DH_GEMM_SMALL ||
        g->b_row * size >= DH_GEMM_PAGE || !dh__gemm_fits(g->m, g->a_row, g->k, g->a_col, size) ||
        !dh__gemm_fits(g->k, g->b_row, g->n, g->b_col, size))
        return false;
    dh__gemm_rows rows = dh__gemm_cut_rows(g->m, mr);
    dh__gemm_tile t = {.a_step = adjacent ? g->a_col : g->a_row,
                       .b_step = g->b_row,
                       .c_row = g->c_row,
                       .k = g->k,
                       .alpha = g->alpha,
                       .beta = g->beta,
                       .act = g->act,
                       .act_alpha = g->act_alpha};
    for (int64_t col = 0; col < g->n; col += nr) {
        t.cols = g->n - col < nr ? g->n - col : nr;
        t.b = (const char *)g->b + col * size;
        t.bias = g->bias ? (const char *)g->bias + col * size : NULL;
        t.a = g->a;
        t.c = (char *)g->c + col * size;
        dh__gemm_make_rows(kernels->tile[g->f64][adjacent], &t, &rows, g->a_row, size);
    }
    return true;
}
