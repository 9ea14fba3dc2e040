/* SPDX-License-Identifier: MIT */
/* Maximum and average over windows of planes, and their gradients. Options: the dtype X, ADAPTIVE where windows share out the axes. */
#include "windows.clh"

typedef CAT(T_, X) T;
typedef CAT(C_, X) F;

/* Elements of one axis that a window covers, and how many an average counts. */
typedef struct span {
    long first, step, count, counted;
} span;

static inline span span_of(const windows *w, long count_pads, int axis, long position)
{
    long in = w->in[axis], out = w->out[axis];
    span s;
#ifdef ADAPTIVE
    s.first = position * in / out;
    s.step = 1;
    s.count = ((position + 1) * in + out - 1) / out - s.first;
    s.counted = s.count;
#else
    long at = position * w->stride[axis] - w->begin[axis], step = w->dilation[axis];
    long skipped = at < 0 ? (-at + step - 1) / step : 0;
    long reach = at < in ? (in - 1 - at) / step + 1 : 0;
    reach = min(reach, w->size[axis]);
    skipped = min(skipped, reach);
    long padded = in + w->end[axis];
    s.first = at + skipped * step;
    s.step = step;
    s.count = reach - skipped;
    s.counted = count_pads ? min(padded > at ? (padded - 1 - at) / step + 1 : 0, w->size[axis])
                           : s.count;
#endif
    return s;
}

/* The positions [*from, *to) of an axis whose windows may cover an element. */
static inline void reaching(const windows *w, int axis, long at, long *from, long *to)
{
#ifdef ADAPTIVE
    *from = at * w->out[axis] / w->in[axis] - 1;
    *to = (at + 1) * w->out[axis] / w->in[axis] + 2;
#else
    long extent = (w->size[axis] - 1) * w->dilation[axis], from_begin = at + w->begin[axis];
    if (w->stride[axis] == 1) {
        *from = from_begin - extent;
        *to = from_begin + 1;
    } else {
        *from = (int)(from_begin - extent) / (int)w->stride[axis];
        *to = (int)from_begin / (int)w->stride[axis] + 1;
    }
#endif
    *from = max(*from, 0L);
    *to = min(*to, w->out[axis]);
}

static inline bool covers(span s, long at)
{
    long d = at - s.first;
    return d >= 0 && d % s.step == 0 && d / s.step < s.count;
}

#define SPANS(s, p)                                                                            \
    const span s[3] = {span_of(&w, count_pads, 0, p[0]), span_of(&w, count_pads, 1, p[1]),     \
                       span_of(&w, count_pads, 2, p[2])}

/* BODY for each element e, a number in its plane, of the window. */
#define ELEMENTS(s, BODY)                                                                      \
    for (long a = 0; a < s[0].count; a++)                                                      \
        for (long b = 0; b < s[1].count; b++)                                                  \
            for (long c = 0; c < s[2].count; c++) {                                            \
                long e = ((s[0].first + a * s[0].step) * w.in[1] + s[1].first +                \
                          b * s[1].step) * w.in[2] + s[2].first + c * s[2].step;               \
                BODY                                                                           \
            }

/* Of windows that slide, a work item takes up to RUN positions of a row: of count = planes x rows x
 * runs. BODY for each element k of the window with those of the run that have it inside: x number
 * at + c * step is element k of the window at position begin + c. */
#define RUN 32
#define ROW(length, rows0, rows1)                                                              \
    long runs = ((length) + RUN - 1) / RUN, begin = i % runs * RUN, line = i / runs;           \
    long run = min((length) - begin, (long)RUN), b = line % (rows1);                           \
    long a = line / (rows1) % (rows0), plane = line / (rows1) / (rows0);
#define SLIDE(BODY)                                                                            \
    for (long k0 = 0; k0 < w.size[0]; k0++) {                                                  \
        long z = a * w.stride[0] + k0 * w.dilation[0] - w.begin[0];                            \
        if (z < 0 || z >= w.in[0]) continue;                                                   \
        for (long k1 = 0; k1 < w.size[1]; k1++) {                                              \
            long r = b * w.stride[1] + k1 * w.dilation[1] - w.begin[1];                        \
            if (r < 0 || r >= w.in[1]) continue;                                               \
            for (long k2 = 0; k2 < w.size[2]; k2++) {                                          \
                long step = w.stride[2], from, to;                                             \
                long e = (z * w.in[1] + r) * w.in[2] + begin * step + k2 * w.dilation[2] -     \
                         w.begin[2];                                                           \
                long at = plane * area_of(w.in) + e;                                           \
                inside(&w, 2, begin, k2, run, &from, &to);                                     \
                if (step == 1)                                                                 \
                    for (long c = from; c < to; c++) BODY(1)                                   \
                else if (step == 2)                                                            \
                    for (long c = from; c < to; c++) BODY(2)                                   \
                else                                                                           \
                    for (long c = from; c < to; c++) BODY(step)                                \
            }                                                                                  \
        }                                                                                      \
    }

#ifdef K_max_pool
kernel void max_pool(OUT(T, y), IN(T, x), windows w, long count_pads, long count)
{
    EACH(i)
#ifdef ADAPTIVE
    long area = area_of(w.out), plane = i / area * area_of(w.in), p[3];
    F best = -INFINITY;
    unravel(p, i % area, w.out);
    SPANS(s, p);
    ELEMENTS(s, {
        F v = LOAD(X, x, plane + e);
        if (v > best || v != v) best = v;
    })
    STORE(X, y, i, best);
#else
    F best[RUN];
    for (int c = 0; c < RUN; c++) best[c] = -INFINITY;
    ROW(w.out[2], w.out[0], w.out[1])
#define LARGER(step)                                \
    {                                               \
        F v = LOAD(X, x, at + c * (step));          \
        best[c] = v > best[c] || v != v ? v : best[c]; \
    }
    SLIDE(LARGER)
    for (long c = 0; c < run; c++) STORE(X, y, line * w.out[2] + begin + c, best[c]);
#endif
}
#endif

#ifdef K_avg_pool
kernel void avg_pool(OUT(T, y), IN(T, x), windows w, long count_pads, long count)
{
    EACH(i)
#ifdef ADAPTIVE
    long area = area_of(w.out), plane = i / area * area_of(w.in), p[3];
    A sum = 0;
    unravel(p, i % area, w.out);
    SPANS(s, p);
    ELEMENTS(s, { sum += (A)LOAD(X, x, plane + e); })
    long counted = s[0].counted * s[1].counted * s[2].counted;
    STORE(X, y, i, counted > 0 ? sum / (A)counted : 0);
#else
    A sum[RUN];
    for (int c = 0; c < RUN; c++) sum[c] = 0;
    ROW(w.out[2], w.out[0], w.out[1])
#define SUM(step) sum[c] += (A)LOAD(X, x, at + c * (step));
    SLIDE(SUM)
    long rows = span_of(&w, count_pads, 0, a).counted * span_of(&w, count_pads, 1, b).counted;
    for (long c = 0; c < run; c++) {
        long counted = rows * span_of(&w, count_pads, 2, begin + c).counted;
        STORE(X, y, line * w.out[2] + begin + c, counted > 0 ? sum[c] / (A)counted : 0);
    }
#endif
}
#endif

#ifdef K_winners
#define GIVE(i, e) winner[winner0 + (i)] = e
/* The element of each window that is its maximum, the first of equals or of NaNs. */
kernel void winners(global int *winner, long winner0, IN(T, x), windows w, long count_pads,
                    long count)
#elif defined K_give
#define GIVE(i, e) if ((e) >= 0) STORE(X, dx, plane * area_of(w.in) + (e), LOAD(X, dy, i))
/* Each window's gradient to that element, where no element lies in two windows. */
kernel void give(OUT(T, dx), IN(T, dy), IN(T, x), windows w, long count)
#endif
#ifdef GIVE
{
    EACH(i)
#ifdef ADAPTIVE
    long area = area_of(w.out), plane = i / area * area_of(w.in), first = -1, p[3];
    F best = 0;
    unravel(p, i % area, w.out);
    SPANS(s, p);
    ELEMENTS(s, {
        F v = LOAD(X, x, plane + e);
        if (first < 0 || (best == best && (v > best || v != v))) {
            first = e;
            best = v;
        }
    })
    GIVE(i, (int)first);
#else
    F best[RUN];
    int first[RUN];
    for (int c = 0; c < RUN; c++) {
        best[c] = -INFINITY;
        first[c] = -1;
    }
    ROW(w.out[2], w.out[0], w.out[1])
#define FIRST(step)                                                                            \
    {                                                                                          \
        F v = LOAD(X, x, at + c * (step));                                                     \
        bool wins = first[c] < 0 || (best[c] == best[c] && (v > best[c] || v != v));           \
        best[c] = wins ? v : best[c];                                                          \
        first[c] = wins ? (int)(e + c * (step)) : first[c];                                    \
    }
    SLIDE(FIRST)
    for (long c = 0; c < run; c++) GIVE(line * w.out[2] + begin + c, first[c]);
#endif
}
#endif

#ifdef K_max_pool_dx
kernel void max_pool_dx(OUT(T, dx), IN(T, dy), global const int *winner, long winner0, windows w,
                        long count)
{
    EACH(i)
#ifdef ADAPTIVE
    long area = area_of(w.in), plane = i / area * area_of(w.out), at[3], from[3], to[3];
    int e = (int)(i % area);
    A sum = 0;
    unravel(at, e, w.in);
    winner += winner0 + plane;
    for (int axis = 0; axis < 3; axis++) reaching(&w, axis, at[axis], &from[axis], &to[axis]);
    for (long a = from[0]; a < to[0]; a++)
        for (long b = from[1]; b < to[1]; b++) {
            long row = (a * w.out[1] + b) * w.out[2];
            for (long c = from[2]; c < to[2]; c++)
                if (winner[row + c] == e) sum += (A)LOAD(X, dy, plane + row + c);
        }
    STORE(X, dx, i, sum);
#else
    A sum[RUN];
    long from[2], to[2];
    for (int c = 0; c < RUN; c++) sum[c] = 0;
    ROW(w.in[2], w.in[0], w.in[1])
    int e = (int)((a * w.in[1] + b) * w.in[2] + begin);
    reaching(&w, 0, a, &from[0], &to[0]);
    reaching(&w, 1, b, &from[1], &to[1]);
    winner += winner0;
    for (long z = from[0]; z < to[0]; z++)
        for (long r = from[1]; r < to[1]; r++)
            for (long k = 0; k < w.size[2]; k++) {
                long row = plane * area_of(w.out) + (z * w.out[1] + r) * w.out[2], first, last;
                long origin = begin + w.begin[2] - k * w.dilation[2], stride = w.stride[2];
                aligned(origin, stride, run, w.out[2], &first, &last);
                if (stride == 1)
                    for (long p = first; p < last; p++) {
                        A d = (A)LOAD(X, dy, row + p);
                        sum[p - origin] += winner[row + p] == e + (int)(p - origin) ? d : 0;
                    }
                else
                    for (long p = first; p < last; p++) {
                        long c = p * stride - origin;
                        if (winner[row + p] == e + (int)c) sum[c] += (A)LOAD(X, dy, row + p);
                    }
            }
    for (long c = 0; c < run; c++) STORE(X, dx, line * w.in[2] + begin + c, sum[c]);
#endif
}
#endif

#ifdef K_avg_pool_dx
kernel void avg_pool_dx(OUT(T, dx), IN(T, dy), windows w, long count_pads, long count)
{
    EACH(i)
    long area = area_of(w.in), plane = i / area, at[3], from[3], to[3], p[3];
    A sum = 0;
    unravel(at, i % area, w.in);
    for (int axis = 0; axis < 3; axis++) reaching(&w, axis, at[axis], &from[axis], &to[axis]);
    for (p[0] = from[0]; p[0] < to[0]; p[0]++)
        for (p[1] = from[1]; p[1] < to[1]; p[1]++)
            for (p[2] = from[2]; p[2] < to[2]; p[2]++) {
                SPANS(s, p);
                long number = plane * area_of(w.out) + (p[0] * w.out[1] + p[1]) * w.out[2] + p[2];
                long counted = s[0].counted * s[1].counted * s[2].counted;
                if (counted > 0 && covers(s[0], at[0]) && covers(s[1], at[1]) &&
                    covers(s[2], at[2]))
                    sum += (A)LOAD(X, dy, number) / (A)counted;
            }
    STORE(X, dx, i, sum);
}
#endif
