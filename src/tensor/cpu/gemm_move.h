/* SPDX-License-Identifier: MIT */
/* Packing of A and B and products with one row or column, a template without include guard:
 * isa/gemm_move.c includes it per element type. */

#define STAGE(d)                                                                             \
    if (W > (d)) {                                                                           \
        UNROLL for (int i = 0; i < W; i++)                                                   \
        {                                                                                    \
            if (i & (d)) continue;                                                           \
            V low = __builtin_shufflevector(r[i], r[(i + (d)) % W], LANES(W, LOW, (d) % W)); \
            r[(i + (d)) % W] =                                                               \
                __builtin_shufflevector(r[i], r[(i + (d)) % W], LANES(W, HIGH, (d) % W));    \
            r[i] = low;                                                                      \
        }                                                                                    \
    }

/* r: W rows of W, transposed in log2(W) stages */
#define TRANSPOSE STAGE(1) STAGE(2) STAGE(4) STAGE(8)

/* W lanes of width rows from p on, turned, to W (or fewer) rows of out; whole: what is behind fill
 * may be written, too */
DH_SIMD_INLINE void F(turn_block)(T *out, int64_t out_step, const T *x, int64_t step, int width,
                                  int fill, int64_t count, bool whole)
{
    V r[W];
    UNROLL for (int i = 0; i < W; i++)
    {
        V row = {0};
        if (i < width)
            row = count >= W ? F(dh__load)(x + i * step) : F(dh__load_part)(x + i * step, count);
        r[i] = row;
    }
    TRANSPOSE
    UNROLL for (int q = 0; q < W; q++)
    {
        if (q >= count) continue;
        if (whole || fill >= W)
            F(dh__store)(out + q * out_step, r[q]);
        else
            F(dh__store_part)(out + q * out_step, r[q], fill);
    }
}

void DH_ISA(F(dh__pack_turn))(void *out, int64_t out_step, const void *x, int64_t step, int width,
                              int fill, int64_t count)
{
    /* rows of out that lie on end: so many that follow write over what a whole vector spoils; masks
     * are slow below 512 bits */
    const int64_t spoiled = DH_SIMD_SIZE < 64 && fill < W && out_step == fill ? W / fill : count;
    for (int i = 0; i < fill; i += W) {
        const T *from = (const T *)x + i * step;
        T *to = (T *)out + i;
        int64_t p = 0;
        if (width - i >= W)
            for (; p + W <= count; p += W)
                F(turn_block)(to + p * out_step, out_step, from + p, step, W, W, W, true);
        for (; p + W + spoiled <= count; p += W)
            F(turn_block)(to + p * out_step, out_step, from + p, step, width, fill, W, true);
        for (; p + W <= count; p += W) F(turn_block)
        (to + p * out_step, out_step, from + p, step, width - i, fill - i, W, false);
        if (p < count) F(turn_block)
        (to + p * out_step, out_step, from + p, step, width - i, fill - i, count - p, false);
    }
}

void DH_ISA(F(dh__pack_copy))(void *out, int64_t out_step, const void *x, int64_t step, int width,
                              int fill, int64_t count)
{
    const T *from = x;
    T *to = out;
    int first = width < W ? width : W, second = width - first;
    int first_fill = fill < W ? fill : W, second_fill = fill - first_fill;
    if (width == 2 * W) {
        for (int64_t p = 0; p < count; p++, from += step, to += out_step) {
            F(dh__store)(to, F(dh__load)(from));
            F(dh__store)(to + W, F(dh__load)(from + W));
        }
        return;
    }
    for (int64_t p = 0; p < count; p++, from += step, to += out_step) {
        F(dh__store_part)(to, F(dh__load_part)(from, first), first_fill);
        if (second_fill > 0)
            F(dh__store_part)(to + W, F(dh__load_part)(from + W, second), second_fill);
    }
}

DH_SIMD_INLINE T F(sum_lanes)(V v)
{
    T total = 0;
    for (int i = 0; i < W; i++) total += v[i];
    return total;
}

/* Sums of rows rows (1 or 4); each row is summed in the same order either way. */
DH_SIMD_INLINE void F(dot_rows)(T *y, const T *x, int64_t step, const T *v, int64_t cols,
                                const int rows)
{
    V even[4] = {{0}}, odd[4] = {{0}};
    int64_t p = 0;
    for (; p + 2 * W <= cols; p += 2 * W) {
        V v0 = F(dh__load)(v + p), v1 = F(dh__load)(v + p + W);
        UNROLL for (int i = 0; i < rows; i++)
        {
            even[i] = F(dh__fma)(F(dh__load)(x + i * step + p), v0, even[i]);
            odd[i] = F(dh__fma)(F(dh__load)(x + i * step + p + W), v1, odd[i]);
        }
    }
    for (; p < cols; p += W) {
        int64_t left = cols - p < W ? cols - p : W;
        V v0 = F(dh__load_part)(v + p, left);
        UNROLL for (int i = 0; i < rows; i++) even[i] =
            F(dh__fma)(F(dh__load_part)(x + i * step + p, left), v0, even[i]);
    }
    UNROLL for (int i = 0; i < rows; i++) y[i] = F(sum_lanes)(even[i] + odd[i]);
}

void DH_ISA(F(dh__dot))(const dh__gemm_vector *g)
{
    const T *x = g->x;
    T *y = g->y;
    int64_t i = 0;
    for (; i + 4 <= g->rows; i += 4) F(dot_rows)(y + i, x + i * g->step, g->step, g->v, g->cols, 4);
    for (; i < g->rows; i++) F(dot_rows)(y + i, x + i * g->step, g->step, g->v, g->cols, 1);
}

/* y += v[0] x[0] + .. in turn, rows (1 or 8) at once, so that y is seldom loaded and stored */
DH_SIMD_INLINE void F(axpy_rows)(T *y, const T *x, int64_t step, const T *v, int64_t cols,
                                 const int rows)
{
    V s[8];
    UNROLL for (int i = 0; i < rows; i++) s[i] = F(dh__set)(v[i]);
    int64_t j = 0;
    for (; j + W <= cols; j += W) {
        V sum = F(dh__load)(y + j);
        UNROLL for (int i = 0; i < rows; i++) sum =
            F(dh__fma)(s[i], F(dh__load)(x + i * step + j), sum);
        F(dh__store)(y + j, sum);
    }
    if (j == cols) return;
    V sum = F(dh__load_part)(y + j, cols - j);
    UNROLL for (int i = 0; i < rows; i++) sum =
        F(dh__fma)(s[i], F(dh__load_part)(x + i * step + j, cols - j), sum);
    F(dh__store_part)(y + j, sum, cols - j);
}

void DH_ISA(F(dh__axpy))(const dh__gemm_vector *g)
{
    const T *x = g->x, *v = g->v;
    T *y = g->y;
    memset(y, 0, (size_t)g->cols * sizeof(T));
    int64_t r = 0;
    for (; r + 8 <= g->rows; r += 8) F(axpy_rows)(y, x + r * g->step, g->step, v + r, g->cols, 8);
    for (; r < g->rows; r++) F(axpy_rows)(y, x + r * g->step, g->step, v + r, g->cols, 1);
}

#undef STAGE
#undef TRANSPOSE
