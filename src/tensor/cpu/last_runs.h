/* SPDX-License-Identifier: MIT */
/* Runs of positions, channels last, a template without include guard: isa/last_kernels.c includes
 * it per element type. */

DH_SIMD_INLINE V F(some)(const T *p, int64_t n)
{
    return n >= W ? F(dh__load)(p) : F(dh__load_part)(p, n);
}

DH_SIMD_INLINE void F(put)(T *p, V v, int64_t n)
{
    if (n >= W)
        F(dh__store)(p, v);
    else
        F(dh__store_part)(p, v, n);
}

/* The larger of the two, a NaN if there is one. */
DH_SIMD_INLINE V F(larger)(V best, V v)
{
    const F(last_lanes) yes = (F(last_lanes))(v > best) | (F(last_lanes))(v != v);
    return (V)((yes & (F(last_lanes))v) | (~yes & (F(last_lanes))best));
}

/* Channels [c, c + n), n <= W, of `count` positions from `first` on. */
DH_SIMD_INLINE void F(sum_part)(const dh__last_run *r, int64_t first, const int count, int64_t c,
                                int64_t n)
{
    const T *x = (const T *)r->x + first * r->x_step + c, *weight = (const T *)r->weight + c;
    T *y = (T *)r->y + first * r->y_step + c;
    const V bias = r->bias ? F(some)((const T *)r->bias + c, n) : (V){0};
    V sum[P];
    for (int p = 0; p < count; p++) sum[p] = bias;
    for (int64_t t = 0; t < r->taps; t++) {
        const V w = F(some)(weight + r->key[t] * r->weight_row, n);
        const T *from = x + r->at[t];
        for (int p = 0; p < count; p++)
            sum[p] = F(dh__fma)(w, F(some)(from + p * r->x_step, n), sum[p]);
    }
    for (int p = 0; p < count; p++)
        F(put)(y + p * r->y_step, F(dh__activate)(sum[p], r->act, (T)r->act_alpha), n);
}

DH_SIMD_INLINE void F(max_part)(const dh__last_run *r, int64_t first, const int count, int64_t c,
                                int64_t n)
{
    const T *x = (const T *)r->x + first * r->x_step + c;
    T *y = (T *)r->y + first * r->y_step + c;
    V best[P];
    for (int p = 0; p < count; p++) best[p] = F(dh__set)((T)-INFINITY);
    for (int64_t t = 0; t < r->taps; t++)
        for (int p = 0; p < count; p++)
            best[p] = F(larger)(best[p], F(some)(x + r->at[t] + p * r->x_step, n));
    for (int p = 0; p < count; p++) F(put)(y + p * r->y_step, best[p], n);
}

/* All channels of P positions, then of the next, so that memory is read in its own order; the last
 * few positions one by one. */
#define RUN(name)                                                                             \
    DH_SIMD_INLINE void F(name##_some)(const dh__last_run *r, int64_t first, const int count) \
    {                                                                                         \
        int64_t c = 0;                                                                        \
        for (; c + W <= r->channels; c += W) F(name##_part)(r, first, count, c, W);           \
        if (c < r->channels) F(name##_part)(r, first, count, c, r->channels - c);             \
    }                                                                                         \
    static void F(name)(const dh__last_run *r)                                                \
    {                                                                                         \
        int64_t first = 0;                                                                    \
        for (; first + P <= r->positions; first += P) F(name##_some)(r, first, P);            \
        if (first + P / 2 <= r->positions) {                                                  \
            F(name##_some)(r, first, P / 2);                                                  \
            first += P / 2;                                                                   \
        }                                                                                     \
        for (; first < r->positions; first++) F(name##_some)(r, first, 1);                    \
    }
RUN(sum)
RUN(max)
#undef RUN

/* --- 3x3 --- */

#define COLUMNS(count, stride) (((count)-1) * (stride) + 3)

/* Where the columns of three rows are: one by one, or each row's first and the elements from one to
 * the next. */
typedef struct F(columns) {
    const T *at[3 * COLUMNS(P, 1)];
    int64_t step[3];
} F(columns);

/* Column i of a row: pointers to every third one and one stride reach them all. */
#define COLUMN(i)                                         \
    (apart ? from->at[a * COLUMNS(count, stride) + i] + c \
           : one + (i) / 3 * (3 * step) + (i) % 3 * step)

/* Channels [c, c + n) of count positions, n <= W: each element of x is loaded once. */
DH_SIMD_INLINE void F(sum_3x3_part)(const dh__last_row *r, const F(columns) * from, T *y,
                                    int64_t stored, const int count, const int stride,
                                    const bool apart, int64_t c, int64_t n)
{
    const T *weight = (const T *)r->weight + c;
    const V bias = r->bias ? F(some)((const T *)r->bias + c, n) : (V){0};
    V sum[P];
    UNROLL for (int p = 0; p < count; p++) sum[p] = bias;
    UNROLL for (int a = 0; a < 3; a++)
    {
        const int64_t step = apart ? 0 : from->step[a];
        const T *const one = from->at[a] + c;
        V w[3];
        UNROLL for (int b = 0; b < 3; b++) w[b] = F(some)(weight + (a * 3 + b) * r->weight_row, n);
        UNROLL for (int i = 0; i < COLUMNS(count, stride); i++)
        {
            const V v = F(some)(COLUMN(i), n);
            UNROLL for (int p = 0; p < count; p++)
            {
                const int b = i - p * stride;
                if (b >= 0 && b < 3) F(dh__sum)(sum[p], w[b], v);
            }
            __asm__ volatile("" ::: "memory"); /* no later columns first, which take registers */
        }
    }
    const V low = F(dh__set)(r->act == DH_ACT_NONE ? -(T)INFINITY : 0);
    const V high = F(dh__set)(r->act == DH_ACT_RELU6 ? 6 : (T)INFINITY);
    UNROLL for (int p = 0; p < count; p++)
    {
        const V limited = F(dh__at_most)(F(dh__at_least)(sum[p], low), high);
        if (!apart || p < stored) F(put)(y + p * r->pixel + c, limited, n);
    }
}
#undef COLUMN

DH_SIMD_INLINE void F(sum_3x3_some)(const dh__last_row *r, int64_t first, const int count,
                                    const int stride)
{
    F(columns) from;
    T *y = (T *)r->y + first * r->pixel;
    const int64_t left = r->positions - first, begin = r->first + first * stride;
    int64_t c = 0;
    const bool inside = begin >= 0 && begin + COLUMNS(count, stride) <= r->cols;
    if (inside && left >= count && r->channels % W == 0) { /* nearly all of a large image */
        for (int a = 0; a < 3; a++) {
            from.at[a] = r->x[a] ? (const T *)r->x[a] + begin * r->pixel : r->zeros;
            from.step[a] = r->x[a] ? r->pixel : 0;
        }
        for (; c + W <= r->channels; c += W)
            F(sum_3x3_part)(r, &from, y, count, count, stride, false, c, W);
    } else {
        for (int a = 0; a < 3; a++)
            for (int i = 0; i < COLUMNS(count, stride); i++) {
                const bool there = r->x[a] && begin + i >= 0 && begin + i < r->cols;
                from.at[a * COLUMNS(count, stride) + i] =
                    there ? (const T *)r->x[a] + (begin + i) * r->pixel : r->zeros;
            }
        for (; c + W <= r->channels; c += W)
            F(sum_3x3_part)(r, &from, y, left, count, stride, true, c, W);
        if (c < r->channels)
            F(sum_3x3_part)(r, &from, y, left, count, stride, true, c, r->channels - c);
    }
}

static void F(sum_3x3)(const dh__last_row *r)
{
    int64_t first = 0;
    if (r->stride == 1)
        for (; r->positions - first > P / 2; first += P) F(sum_3x3_some)(r, first, P, 1);
    for (; first < r->positions; first += P / 2)
        if (r->stride == 1)
            F(sum_3x3_some)(r, first, P / 2, 1);
        else
            F(sum_3x3_some)(r, first, P / 2, 2);
}
#undef COLUMNS
