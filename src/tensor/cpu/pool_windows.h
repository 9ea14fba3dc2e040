/* SPDX-License-Identifier: MIT */
/* Pooling one window at a time, a template without include guard: isa/pool_kernels.c includes it
 * per element type (each_float.h). For windows that share out an axis, that are few in a row or too
 * wide for the stack. */

/* BODY for each window with the walk over its elements, and how many it counts; number: of the
 * position. Rows that lie on end are one. */
#define WINDOWS(BODY)                                                                            \
    {                                                                                            \
        const dh__windows *w = &p->w;                                                            \
        int64_t number = 0;                                                                      \
        for (int64_t a = 0; a < w->out[0]; a++)                                                  \
            for (int64_t b = 0; b < w->out[1]; b++)                                              \
                for (int64_t c = 0; c < w->out[2]; c++, number++) {                              \
                    const dh__pool_span s[3] = {span_of(p, 0, a), span_of(p, 1, b),              \
                                                span_of(p, 2, c)};                               \
                    const walk window = joined_walk(w, s);                                       \
                    const double counted = (double)(s[0].counted * s[1].counted * s[2].counted); \
                    DH_UNUSED(counted);                                                          \
                    BODY                                                                         \
                }                                                                                \
    }

/* BODY for each row of the window, the first of whose elements is at `at`. */
#define ROWS(BODY)                                                                     \
    for (int64_t i = 0; i < window.count[0]; i++)                                      \
        for (int64_t k = 0; k < window.count[1]; k++) {                                \
            const int64_t at = window.first + i * window.step[0] + k * window.step[1]; \
            BODY                                                                       \
        }

/* The larger of the two, a NaN if there is one, best of equals. */
DH_SIMD_INLINE V F(larger)(V best, V v)
{
    return F(pick)((F(lanes))(v > best) | (F(lanes))(v != v), v, best);
}

static T F(max_row)(const T *x, int64_t n, int64_t step, T best)
{
    int64_t l = 0;
    if (step == 1 && n >= W) {
        V most = F(dh__load)(x);
        for (l = W; l + W <= n; l += W) most = F(larger)(most, F(dh__load)(x + l));
        for (int i = 0; i < W; i++)
            if (most[i] > best || most[i] != most[i]) best = most[i];
    }
    for (; l < n; l++) {
        T v = x[l * step];
        best = ((v > best) | (v != v)) ? v : best;
    }
    return best;
}

static void F(max_windows)(const dh__pool *p, const T *x, T *y)
{
    WINDOWS({
        T best = (T)-INFINITY;
        ROWS(best = F(max_row)(x + at, window.count[2], window.step[2], best);)
        y[number] = best;
    })
}

static void F(max_windows_dx)(const dh__pool *p, const T *dy, const T *x, T *dx)
{
    WINDOWS({
        int64_t first = -1;
        ROWS(for (int64_t l = 0, e = at; l < window.count[2]; l++, e += window.step[2]) {
            bool is_nan = first >= 0 && x[first] != x[first];
            if (first < 0 || (!is_nan && (x[e] > x[first] || x[e] != x[e]))) first = e;
        })
        if (first >= 0) dx[first] += dy[number];
    })
}

static double F(sum_row)(const T *x, int64_t n, int64_t step)
{
    double total = 0;
    int64_t l = 0;
    if (step == 1 && n >= WIDE) {
        dh__vf64 sum[4] = {F(wide)(x)};
        for (l = WIDE; l + 4 * WIDE <= n; l += 4 * WIDE)
            for (int i = 0; i < 4; i++) sum[i] += F(wide)(x + l + i * WIDE);
        for (; l + WIDE <= n; l += WIDE) sum[1] += F(wide)(x + l);
        sum[0] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
        for (int i = 0; i < WIDE; i++) total += sum[0][i];
    }
    for (; l < n; l++) total += (double)x[l * step];
    return total;
}

static void F(avg_windows)(const dh__pool *p, const T *x, T *y)
{
    WINDOWS({
        double sum = 0;
        ROWS(sum += F(sum_row)(x + at, window.count[2], window.step[2]);)
        y[number] = (T)(counted > 0 ? sum / counted : 0);
    })
}

static void F(avg_windows_dx)(const dh__pool *p, const T *dy, T *dx)
{
    WINDOWS({
        const T each = (T)(counted > 0 ? (double)dy[number] / counted : 0);
        ROWS({
            T *to = dx + at;
            if (window.step[2] == 1)
                for (int64_t l = 0; l < window.count[2]; l++) to[l] += each;
            else
                for (int64_t l = 0; l < window.count[2]; l++) to[l * window.step[2]] += each;
        })
    })
}

#undef WINDOWS
#undef ROWS
