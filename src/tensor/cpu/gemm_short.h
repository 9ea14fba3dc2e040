/* SPDX-License-Identifier: MIT */
/* Sums over few terms, a template without include guard: isa/gemm_move.c includes it per element
 * type. Each C is summed in the same order as by the micro-kernel. */

#if DH_SIMD_SIZE == 64 || defined(__aarch64__)
#define TOGETHER 2 /* rows, whose values of A have registers */
#else
#define TOGETHER 1
#endif

DH_SIMD_INLINE void F(put_sum)(T *c, V x, V alpha, V beta, bool add, int64_t cols)
{
    x *= alpha;
    if (cols >= W) {
        F(dh__store)(c, add ? F(dh__fma)(beta, F(dh__load)(c), x) : x);
    } else {
        if (add) x = F(dh__fma)(beta, F(dh__load_part)(c, cols), x);
        F(dh__store_part)(c, x, cols);
    }
}

/* rows is 1 or 2 */
DH_SIMD_INLINE void F(sum_rows)(const dh__gemm_short *g, int64_t row, const int rows, const int k,
                                const bool add)
{
    const int64_t pitch = DH_GEMM_SHORT_PITCH / (int64_t)sizeof(T);
    const V alpha = F(dh__set)((T)g->alpha), beta = F(dh__set)((T)g->beta);
    const T *a = (const T *)g->a + row * g->a_row, *b = g->b;
    T *c = (T *)g->c + row * g->c_row;
    V first[DH_GEMM_SHORT_K], second[DH_GEMM_SHORT_K];
    UNROLL for (int p = 0; p < k; p++)
    {
        first[p] = F(dh__set)(a[p * g->a_col]);
        if (rows > 1) second[p] = F(dh__set)(a[g->a_row + p * g->a_col]);
    }
    for (int64_t j = 0; j < g->cols; j += W, b += W, c += W) {
        V x = {0}, y = {0};
        UNROLL for (int p = 0; p < k; p++)
        {
            V terms = F(dh__load)(b + p * pitch);
            x = F(dh__fma)(first[p], terms, x);
            if (rows > 1) y = F(dh__fma)(second[p], terms, y);
        }
        F(put_sum)(c, x, alpha, beta, add, g->cols - j);
        if (rows > 1) F(put_sum)(c + g->c_row, y, alpha, beta, add, g->cols - j);
    }
}

DH_SIMD_INLINE void F(sum_all)(const dh__gemm_short *g, const int k, const bool add)
{
    int64_t row = 0;
    for (; row + TOGETHER <= g->rows; row += TOGETHER) F(sum_rows)(g, row, TOGETHER, k, add);
    if (row < g->rows) F(sum_rows)(g, row, 1, k, add);
}

#define CASE(k)                      \
    case k:                          \
        if (g->beta == 0)            \
            F(sum_all)(g, k, false); \
        else                         \
            F(sum_all)(g, k, true);  \
        break;

void DH_ISA(F(dh__sum_short))(const dh__gemm_short *g)
{
    switch (g->k) {
        CASE(1)
        CASE(2)
        CASE(3)
        CASE(4)
        CASE(5)
        CASE(6)
        CASE(7)
        CASE(8)
        CASE(9)
        CASE(10)
        CASE(11)
        CASE(12)
    }
}

#undef TOGETHER
#undef CASE
