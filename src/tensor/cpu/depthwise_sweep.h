/* SPDX-License-Identifier: MIT */
/* Sums over the taps of a slab, a template without include guard: isa/depthwise_kernels.c includes
 * it per element type. Vectors lie along a row of positions. Each sum adds its taps in the order of
 * the window's rows. */

DH_SIMD_INLINE V F(start)(const T *out, V bias, int64_t n, bool add)
{
    return add && n > 0 ? F(dh__load_part)(out, n < W ? n : W) : bias;
}

DH_SIMD_INLINE V F(bias_of)(const dh__depthwise_weights *k, int64_t plane)
{
    return k->bias ? F(dh__set)(((const T *)k->bias)[plane * k->bias_plane]) : (V){0};
}

DH_SIMD_INLINE void F(finish)(const dh__depthwise_weights *k, T *out, V sum, int64_t n)
{
    sum = F(dh__activate)(sum, k->act, (T)k->act_alpha);
    if (n >= W)
        F(dh__store)(out, sum);
    else if (n > 0)
        F(dh__store_part)(out, sum, n);
}

/* high x wide taps whose rows follow one after the other, known here: a vector of the slab is
 * loaded once for all of R rows of positions that it is part of. */
DH_SIMD_INLINE void F(sweep_known)(const dh__depthwise_tile *t, const dh__depthwise_weights *k,
                                   int64_t plane, const int high, const int wide, const int step)
{
    const T *slab = (const T *)t->slab + plane * t->slab_plane + t->down->at[0] * t->slab_row,
            *tap[5];
    const T *weight = (const T *)k->weight + plane * k->weight_plane;
    T *x = (T *)t->x + plane * t->x_plane;
    const int64_t row = t->slab_row, x_row = t->x_row, rows = t->rows, cols = t->cols;
    const V bias = F(bias_of)(k, plane);
    const bool add = k->add;
    V w[5][5];
    UNROLL for (int b = 0; b < wide; b++) tap[b] = slab + t->across->at[b];
    UNROLL for (int a = 0; a < high; a++) UNROLL for (int b = 0; b < wide; b++) w[a][b] =
        F(dh__set)(weight[t->down->key[a] * t->width + t->across->key[b]]);
    for (int64_t r = 0; r < rows; r += R)
        for (int64_t c = 0; c < cols; c += W) {
            T *to = x + r * x_row + c;
            const int64_t from = r * step * row + c, n = cols - c;
            V sum[R];
            UNROLL for (int q = 0; q < R; q++) sum[q] =
                F(start)(to + q * x_row, bias, r + q < rows ? n : 0, add);
            UNROLL for (int i = 0; i < (R - 1) * step + high; i++)
            {
                UNROLL for (int b = 0; b < wide; b++)
                {
                    const V v = F(dh__load)(tap[b] + from + i * row);
                    UNROLL for (int q = 0; q < R; q++)
                    {
                        const int a = i - q * step;
                        if (a >= 0 && a < high) sum[q] = F(dh__fma)(w[a][b], v, sum[q]);
                    }
                }
            }
            UNROLL for (int q = 0; q < R; q++) if (r + q < rows)
                F(finish)(k, to + q * x_row, sum[q], n);
        }
}

/* Any taps: down x across vectors at a time. */
DH_SIMD_INLINE void F(sweep_any)(const dh__depthwise_tile *t, const dh__depthwise_weights *k,
                                 int64_t plane, const int down, const int across)
{
    const T *slab = (const T *)t->slab + plane * t->slab_plane;
    const T *weight = (const T *)k->weight + plane * k->weight_plane;
    T *x = (T *)t->x + plane * t->x_plane;
    const V bias = F(bias_of)(k, plane);
    for (int64_t r = 0; r < t->rows; r += down)
        for (int64_t c = 0; c < t->cols; c += across * W) {
            V sum[R];
            const T *from[R];
            T *to[R];
            int64_t n[R];
            UNROLL for (int q = 0; q < R; q++)
            {
                const int64_t y = r + q / across, z = c + q % across * W;
                from[q] = slab + y * t->step * t->slab_row + z;
                to[q] = x + y * t->x_row + z;
                n[q] = y < t->rows ? t->cols - z : 0;
                sum[q] = F(start)(to[q], bias, n[q], k->add);
            }
            for (int64_t a = 0; a < t->down->count; a++)
                for (int64_t b = 0; b < t->across->count; b++) {
                    const int64_t at = t->down->at[a] * t->slab_row + t->across->at[b];
                    const V w = F(dh__set)(weight[t->down->key[a] * t->width + t->across->key[b]]);
                    UNROLL for (int q = 0; q < R; q++) sum[q] =
                        F(dh__fma)(w, F(dh__load)(from[q] + at), sum[q]);
                }
            UNROLL for (int q = 0; q < R; q++) F(finish)(k, to[q], sum[q], n[q]);
        }
}

#define SWEEP(NAME, CALL)                                                            \
    static void F(NAME)(const dh__depthwise_tile *t, const dh__depthwise_weights *k) \
    {                                                                                \
        for (int64_t p = 0; p < t->planes; p++) CALL;                                \
    }
#define KNOWN(HIGH, WIDE, STEP) \
    SWEEP(sweep_##HIGH##x##WIDE##_##STEP, F(sweep_known)(t, k, p, HIGH, WIDE, STEP))
EACH_KNOWN
#undef KNOWN
SWEEP(sweep_rows, F(sweep_any)(t, k, p, R, 1))
SWEEP(sweep_row, F(sweep_any)(t, k, p, 1, R))
#undef SWEEP

static bool F(rows_follow)(const dh__depthwise_taps *d)
{
    bool follow = true;
    for (int64_t a = 1; a < d->count; a++) follow &= d->at[a] == d->at[a - 1] + 1;
    return follow;
}

static void F(sweep)(const dh__depthwise_tile *t, const dh__depthwise_weights *k)
{
    const int64_t high = t->down->count, wide = t->across->count;
    const bool known =
        t->rows > 1 && high < 10 && wide < 10 && t->step < 10 && F(rows_follow)(t->down);
#define KNOWN(HIGH, WIDE, STEP) \
    case HIGH * 100 + WIDE * 10 + STEP: F(sweep_##HIGH##x##WIDE##_##STEP)(t, k); return;
    switch (known ? high * 100 + wide * 10 + t->step : 0) {
        EACH_KNOWN
    default: break;
    }
#undef KNOWN
    if (t->rows > 1)
        F(sweep_rows)(t, k);
    else
        F(sweep_row)(t, k);
}
