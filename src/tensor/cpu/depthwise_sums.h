/* SPDX-License-Identifier: MIT */
/* Sums over the positions of a slab, for each tap, a template without include guard:
 * isa/depthwise_kernels.c includes it per element type. Lanes beyond the last column are loaded as
 * zeros on both sides, so that what they hold is never multiplied. */

#define STEP (DH_DEPTHWISE_VECTOR / (int64_t)sizeof(T)) /* elements from sums to sums */

/* From rows of dy (so many at once) and the taps, all known here, to the sums of the taps. */
DH_SIMD_INLINE void F(add_rows)(V sum[5][5], const T *const *tap, int64_t row, const T *dy,
                                int64_t dy_row, int64_t cols, const int high, const int wide,
                                const int step, const int rows)
{
    int64_t c = 0;
    V d[R];
#define ADD(LOAD)                                                                   \
    UNROLL for (int q = 0; q < rows; q++) d[q] = LOAD(dy + q * dy_row + c);         \
    UNROLL for (int i = 0; i < (rows - 1) * step + high; i++)                       \
    {                                                                               \
        UNROLL for (int b = 0; b < wide; b++)                                       \
        {                                                                           \
            const V v = LOAD(tap[b] + i * row + c);                                 \
            UNROLL for (int q = 0; q < rows; q++)                                   \
            {                                                                       \
                const int a = i - q * step;                                         \
                if (a >= 0 && a < high) sum[a][b] = F(dh__fma)(d[q], v, sum[a][b]); \
            }                                                                       \
        }                                                                           \
    }
#define LEFT(p) F(dh__load_part)(p, cols - c)
    for (; c + W <= cols; c += W) {
        ADD(F(dh__load))
    }
    if (c < cols) {
        ADD(LEFT)
    }
#undef LEFT
#undef ADD
}

/* high x wide taps, whose rows follow one after the other, the first of them row and column (a0,
 * b0) of all. */
DH_SIMD_INLINE void F(sums_known)(const dh__depthwise_tile *t, int64_t plane, T *sums, int64_t a0,
                                  int64_t b0, const int high, const int wide, const int step)
{
    const T *slab = (const T *)t->slab + plane * t->slab_plane + t->down->at[a0] * t->slab_row,
            *tap[5];
    const T *x = (const T *)t->x + plane * t->x_plane;
    T *to[5];
    V sum[5][5];
    int64_t r = 0;
    UNROLL for (int b = 0; b < wide; b++) tap[b] = slab + t->across->at[b0 + b];
    UNROLL for (int a = 0; a < high; a++)
    {
        to[a] = sums + (t->down->key[a0 + a] * t->width + t->across->key[b0]) * STEP;
        UNROLL for (int b = 0; b < wide; b++) sum[a][b] = F(dh__load)(to[a] + b * STEP);
    }
#define NEXT(ROWS)                                                                        \
    F(add_rows)                                                                           \
    (sum, tap, t->slab_row, x + r * t->x_row, t->x_row, t->cols, high, wide, step, ROWS); \
    UNROLL for (int b = 0; b < wide; b++) tap[b] += ROWS * t->step * t->slab_row;
    for (; high > 1 && r + R <= t->rows; r += R) {
        NEXT(R)
    }
    for (; r < t->rows; r++) {
        NEXT(1)
    }
#undef NEXT
    UNROLL for (int a = 0; a < high; a++) UNROLL for (int b = 0; b < wide; b++)
        F(dh__store)(to[a] + b * STEP, sum[a][b]);
}

static void F(sums_any)(const dh__depthwise_tile *t, int64_t plane, T *sums)
{
    for (int64_t a = 0; a < t->down->count; a++) {
        int64_t b = 0, wide = t->across->count;
        for (; b + 5 <= wide; b += 5) F(sums_known)(t, plane, sums, a, b, 1, 5, 1);
        for (; b + 3 <= wide; b += 3) F(sums_known)(t, plane, sums, a, b, 1, 3, 1);
        for (; b < wide; b++) F(sums_known)(t, plane, sums, a, b, 1, 1, 1);
    }
}

static void F(sums)(const dh__depthwise_tile *t, void *sums, int64_t sums_plane)
{
    const int64_t high = t->down->count, wide = t->across->count;
    const bool follow = high == wide && t->step <= 2 && F(rows_follow)(t->down);
    const bool fits = high == 3 || (high == 5 && DH_SIMD_SIZE == 64); /* all sums in registers */
    T *to = sums;
    for (int64_t p = 0; p < t->planes; p++, to += sums_plane)
        switch (follow && fits ? high * 10 + t->step : 0) {
        case 31: F(sums_known)(t, p, to, 0, 0, 3, 3, 1); break;
        case 32: F(sums_known)(t, p, to, 0, 0, 3, 3, 2); break;
#if DH_SIMD_SIZE == 64
        case 51: F(sums_known)(t, p, to, 0, 0, 5, 5, 1); break;
        case 52: F(sums_known)(t, p, to, 0, 0, 5, 5, 2); break;
#endif
        default: F(sums_any)(t, p, to);
        }
}

static void F(join)(void *out, const void *sums, int64_t count)
{
    const T *lane = sums;
    for (int64_t i = 0; i < count; i++, lane += STEP) {
        T sum = 0;
        for (int l = 0; l < W; l++) sum += lane[l];
        ((T *)out)[i] = sum;
    }
}

#undef STEP
