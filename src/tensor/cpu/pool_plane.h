/* SPDX-License-Identifier: MIT */
/* Pooling of one packed plane, a template without include guard: cpu_pool.c includes it with T the
 * element type and F(name) the name with its suffix. */

/* Visits the windows of a plane in order: BODY sees span[3] and the number of the position. */
#define WINDOWS(BODY)                                                 \
    {                                                                 \
        const dh__windows *w = &p->w;                                 \
        dh__pool_span span[3];                                        \
        int64_t position = 0;                                         \
        for (int64_t a = 0; a < w->out[0]; a++) {                     \
            span[0] = dh__pool_span_of(p, 0, a);                      \
            for (int64_t b = 0; b < w->out[1]; b++) {                 \
                span[1] = dh__pool_span_of(p, 1, b);                  \
                for (int64_t c = 0; c < w->out[2]; c++, position++) { \
                    span[2] = dh__pool_span_of(p, 2, c);              \
                    BODY                                              \
                }                                                     \
            }                                                         \
        }                                                             \
    }

/* BODY for each element of the window, at `at` in the plane. */
#define ELEMENTS(BODY)                                                                            \
    for (int64_t i = 0; i < span[0].count; i++)                                                   \
        for (int64_t k = 0; k < span[1].count; k++) {                                             \
            int64_t row =                                                                         \
                (span[0].first + i * span[0].step) * w->in[1] + span[1].first + k * span[1].step; \
            int64_t at = row * w->in[2] + span[2].first;                                          \
            for (int64_t l = 0; l < span[2].count; l++, at += span[2].step) BODY                  \
        }

static double F(counted)(const dh__pool_span span[3])
{
    return (double)(span[0].counted * span[1].counted * span[2].counted);
}

/* Of the positions from c0 to c1 in a row of windows that slide: the largest elements, and which of
 * its window each is, the first of equals, -1 where the window has none. One element of all windows
 * after the other, so that neighbours are compared at once. */
DH_SIMD_INLINE void F(max_row)(const dh__pool *p, const dh__pool_span span[2], int64_t c0,
                               int64_t c1, const T *restrict x, T *restrict best,
                               int32_t *restrict which)
{
    const dh__windows *w = &p->w;
    const int64_t stride = w->stride[2];
    for (int64_t c = 0; c < c1 - c0; c++) best[c] = (T)-INFINITY;
    for (int64_t c = 0; which && c < c1 - c0; c++) which[c] = -1;
    int32_t number = 0;
    for (int64_t i = 0; i < span[0].count; i++)
        for (int64_t k = 0; k < span[1].count; k++) {
            int64_t row =
                (span[0].first + i * span[0].step) * w->in[1] + span[1].first + k * span[1].step;
            for (int64_t l = 0; l < w->size[2]; l++, number++) {
                int64_t shift = l * w->dilation[2] - w->begin[2]; /* first and last in the plane */
                int64_t lo = shift < 0 ? (stride - 1 - shift) / stride : 0;
                int64_t hi = w->in[2] > shift ? (w->in[2] - 1 - shift) / stride + 1 : 0;
                lo = lo > c0 ? lo : c0;
                hi = hi < c1 ? hi : c1;
                const T *from = x + row * w->in[2] + shift;
                for (int64_t c = lo; c < hi; c++) {
                    T v = stride == 1 ? from[c] : from[c * stride], old = best[c - c0];
                    if (which) {
                        bool none = which[c - c0] < 0;
                        bool more = none | ((old == old) & ((v > old) | (v != v)));
                        which[c - c0] = more ? number : which[c - c0];
                        best[c - c0] = more ? v : old;
                    } else {
                        best[c - c0] = ((v > old) | (v != v)) ? v : old;
                    }
                }
            }
        }
}

/* BODY for each part of a row of windows, positions c0 to c1; span: of its first two axes. */
#define ROWS(BODY)                                                      \
    {                                                                   \
        const dh__windows *w = &p->w;                                   \
        dh__pool_span span[2];                                          \
        for (int64_t a = 0; a < w->out[0]; a++) {                       \
            span[0] = dh__pool_span_of(p, 0, a);                        \
            for (int64_t b = 0; b < w->out[1]; b++) {                   \
                span[1] = dh__pool_span_of(p, 1, b);                    \
                int64_t position = (a * w->out[1] + b) * w->out[2], c1; \
                for (int64_t c0 = 0; c0 < w->out[2]; c0 = c1) {         \
                    c1 = w->out[2] - c0 < PART ? w->out[2] : c0 + PART; \
                    BODY                                                \
                }                                                       \
            }                                                           \
        }                                                               \
    }

static void F(max_pool)(const void *geometry, const T *x, const T *none, T *y)
{
    const dh__pool *p = geometry;
    DH_UNUSED(none);
    if (!p->adaptive)
        ROWS({ F(max_row)(p, span, c0, c1, x, y + position + c0, NULL); })
    else
        WINDOWS({
            T best = (T)-INFINITY;
            ELEMENTS({
                if (x[at] > best || x[at] != x[at]) best = x[at];
            })
            y[position] = best;
        })
}

/* dy of the positions to the elements that were the largest. */
static void F(give_row)(const dh__pool *p, const dh__pool_span span[2], int64_t c0, int64_t c1,
                        const int32_t *which, const T *dy, T *dx)
{
    const dh__windows *w = &p->w;
    for (int64_t c = c0; c < c1; c++) {
        int64_t number = which[c - c0];
        if (number < 0) continue;
        int64_t l = number % w->size[2], line = number / w->size[2];
        int64_t i = line / span[1].count, k = line % span[1].count;
        int64_t row =
            (span[0].first + i * span[0].step) * w->in[1] + span[1].first + k * span[1].step;
        int64_t column = c * w->stride[2] + l * w->dilation[2] - w->begin[2];
        dx[row * w->in[2] + column] += dy[c];
    }
}

static void F(max_pool_dx)(const void *geometry, const T *dy, const T *x, T *dx)
{
    const dh__pool *p = geometry;
    T best[PART];
    int32_t which[PART];
    if (!p->adaptive)
        ROWS({
            F(max_row)(p, span, c0, c1, x, best, which);
            F(give_row)(p, span, c0, c1, which, dy + position, dx);
        })
    else
        WINDOWS({
            int64_t first = -1;
            ELEMENTS({
                bool is_nan = first >= 0 && x[first] != x[first];
                if (first < 0 || (!is_nan && (x[at] > x[first] || x[at] != x[at]))) first = at;
            })
            if (first >= 0) dx[first] += dy[position];
        })
}

static void F(avg_pool)(const void *geometry, const T *x, const T *none, T *y)
{
    const dh__pool *p = geometry;
    DH_UNUSED(none);
    WINDOWS({
        double sum = 0;
        double n = F(counted)(span);
        ELEMENTS({ sum += (double)x[at]; })
        y[position] = (T)(n > 0 ? sum / n : 0);
    })
}

static void F(avg_pool_dx)(const void *geometry, const T *dy, const T *none, T *dx)
{
    const dh__pool *p = geometry;
    DH_UNUSED(none);
    WINDOWS({
        double n = F(counted)(span);
        T each = (T)(n > 0 ? (double)dy[position] / n : 0);
        ELEMENTS({ dx[at] += each; })
    })
}

#undef ROWS
#undef WINDOWS
#undef ELEMENTS
