/* SPDX-License-Identifier: MIT */
/* Pooling of one packed plane, a template without include guard: cpu_pool.c includes it with T the
 * element type and F(name) the name with its suffix. */

/* Visits the windows of a plane in order: BODY sees span[3] and the number of the position. */
#define WINDOWS(BODY)                                                 \
    {                                                                 \
        const dh__pool *p = geometry;                                 \
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

static void F(max_pool)(const void *geometry, const T *x, const T *none, T *y)
{
    DH_UNUSED(none);
    WINDOWS({
        T best = (T)-INFINITY;
        ELEMENTS({
            if (x[at] > best || x[at] != x[at]) best = x[at];
        })
        y[position] = best;
    })
}

static void F(max_pool_dx)(const void *geometry, const T *dy, const T *x, T *dx)
{
    WINDOWS({
        int64_t best = -1;
        ELEMENTS({
            bool is_nan = best >= 0 && x[best] != x[best];
            if (best < 0 || (!is_nan && (x[at] > x[best] || x[at] != x[at]))) best = at;
        })
        if (best >= 0) dx[best] += dy[position];
    })
}

static void F(avg_pool)(const void *geometry, const T *x, const T *none, T *y)
{
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
    DH_UNUSED(none);
    WINDOWS({
        double n = F(counted)(span);
        T each = (T)(n > 0 ? (double)dy[position] / n : 0);
        ELEMENTS({ dx[at] += each; })
    })
}

#undef WINDOWS
#undef ELEMENTS
