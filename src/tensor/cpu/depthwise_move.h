/* SPDX-License-Identifier: MIT */
/* Rows of planes into a slab and results out of their phases, a template without include guard:
 * isa/depthwise_kernels.c includes it per element type. Rows of a slab are written in whole
 * vectors.
 */

/* x[at], x[at + 1] and so on, zeros outside [0, in) */
DH_SIMD_INLINE V F(load_at)(const T *x, int64_t in, int64_t at)
{
    if (at >= 0 && at + W <= in) return F(dh__load)(x + at);
    const int64_t lo = at < 0 ? -at : 0, hi = in - at < W ? in - at : W;
    return lo < hi ? F(dh__load_lanes)(x + at, lo, hi) : (V){0};
}

/* Columns col + i, i < cols, of a row of `in` */
DH_SIMD_INLINE void F(gather_one)(T *to, const T *row, int64_t in, int64_t col, int64_t cols)
{
    for (int64_t i = 0; i < cols; i += W) F(dh__store)(to + i, F(load_at)(row, in, col + i));
}

/* Columns 2 (col + i) and 2 (col + i) + 1, i < cols, into two phases */
DH_SIMD_INLINE void F(gather_two)(T *even, T *odd, const T *row, int64_t in, int64_t col,
                                  int64_t cols)
{
    for (int64_t i = 0; i < cols; i += W) {
        const V a = F(load_at)(row, in, 2 * (col + i)), b = F(load_at)(row, in, 2 * (col + i) + W);
        F(dh__store)(even + i, PICK(EVEN, a, b));
        F(dh__store)(odd + i, PICK(ODD, a, b));
    }
}

static void F(gather_any)(T *to, const T *row, int64_t in, int64_t col, int64_t cols, int64_t step)
{
    for (int64_t i = 0; i < cols; i++) {
        int64_t x = col + i * step;
        to[i] = x >= 0 && x < in ? row[x] : 0;
    }
}

DH_SIMD_INLINE void F(gather_row)(const dh__depthwise_gather *g, T *to, const T *row)
{
    if (g->step == 1)
        F(gather_one)(to, row, g->in_cols, g->col, g->cols);
    else if (g->step == 2 && g->phases == 2)
        F(gather_two)(to, to + g->pitch, row, g->in_cols, g->col, g->cols);
    else
        for (int64_t f = 0; f < g->step; f++)
            if (g->slot[f] >= 0) F(gather_any)
    (to + g->slot[f] * g->pitch, row, g->in_cols, g->col * g->step + f, g->cols, g->step);
}

/* The same where each row is one vector and all lanes in question are known beforehand. */
DH_SIMD_INLINE void F(gather_narrow)(const dh__depthwise_gather *g, T *to, const T *from)
{
    const int64_t lo = g->col < 0 ? -g->col : 0, left = g->in_cols - g->col;
    const int64_t hi = left < W ? left : W, pitch = g->pitch, in = g->in_cols;
    int64_t i = 0, above = g->row < 0 ? -g->row : 0, last = g->in_rows - g->row;
    if (lo >= hi) last = 0;
    if (last > g->rows) last = g->rows;
    for (; i < above && i < g->rows; i++, to += pitch) F(dh__store)(to, (V){0});
    from += g->row * in + g->col;
    for (; i < last; i++, to += pitch) F(dh__store)(to, F(dh__load_lanes)(from + i * in, lo, hi));
    for (; i < g->rows; i++, to += pitch) F(dh__store)(to, (V){0});
}

static void F(gather)(const dh__depthwise_gather *g)
{
    const int64_t slab_row = g->phases * g->pitch;
    const bool narrow = g->step == 1 && g->cols <= W;
    for (int64_t p = 0; p < g->planes; p++) {
        T *to = (T *)g->slab + p * g->slab_plane;
        const T *from = (const T *)g->from + p * g->from_plane;
        if (narrow) F(gather_narrow)(g, to, from);
        for (int64_t i = 0; i < g->rows && !narrow; i++, to += slab_row) {
            const int64_t at = g->row + i;
            if (at >= 0 && at < g->in_rows)
                F(gather_row)(g, to, from + at * g->in_cols);
            else
                for (int64_t z = 0; z < slab_row; z += W) F(dh__store)(to + z, (V){0});
        }
    }
}

DH_SIMD_INLINE void F(spread_two)(T *to, const T *from, int64_t phase, int64_t count)
{
    for (int64_t i = 0; i < count; i += 2 * W) {
        V a = F(dh__load)(from + i / 2), b = F(dh__load)(from + phase + i / 2);
        V low = PICK(LOW, a, b), high = PICK(HIGH, a, b);
        if (i + 2 * W <= count) {
            F(dh__store)(to + i, low);
            F(dh__store)(to + i + W, high);
            continue;
        }
        F(dh__store_part)(to + i, low, count - i < W ? count - i : W);
        if (count - i > W) F(dh__store_part)(to + i + W, high, count - i - W);
    }
}

static void F(spread)(void *out, int64_t out_row, const void *x, int64_t row, int64_t phase,
                      int64_t step, int64_t rows, int64_t count)
{
    T *to = out;
    const T *from = x;
    for (int64_t r = 0; r < rows; r++, to += out_row, from += row) {
        if (step == 2) {
            F(spread_two)(to, from, phase, count);
            continue;
        }
        for (int64_t f = 0; f < step; f++)
            for (int64_t i = f, q = f * phase; i < count; i += step, q++) to[i] = from[q];
    }
}
