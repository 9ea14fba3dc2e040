/* SPDX-License-Identifier: MIT */
/* How windows slide over a plane, for isa/pool_kernels.c: a row of them in two passes, first down
 * the rows of x under it into a row on the stack, padding and all, then across the columns. Many
 * rows pass down before the first goes across, so that what was stored has left the store buffer.
 */
#ifndef DH_POOL_SLIDE_H
#define DH_POOL_SLIDE_H

#include "op_pool.h"
#include "simd.h"

#define ROOM  1024              /* elements of the rows on the stack */
#define SLACK (2 * DH_SIMD_F32) /* what whole vectors may touch behind them */

/* The elements of a window, or its rows: at first + i * step[0] + k * step[1] + l * step[2]. */
typedef struct walk {
    int64_t first, count[3], step[3];
} walk;

/* Positions begin to end of a row of windows. Below them lie wide columns: left of them in the
 * padding before the plane, which is less than a window's, then count from first on in it. */
typedef struct stretch {
    int64_t begin, end, wide, left, first, count;
} stretch;

static inline int64_t extent_of(const dh__windows *w, int axis)
{
    return (w->size[axis] - 1) * w->dilation[axis] + 1;
}

/* dh__pool_span_of without its divisions where the window lies inside. */
static inline dh__pool_span span_of(const dh__pool *p, int axis, int64_t position)
{
    const dh__windows *w = &p->w;
    int64_t at = position * w->stride[axis] - w->begin[axis];
    if (p->adaptive || at < 0 || at + extent_of(w, axis) > w->in[axis])
        return dh__pool_span_of(p, axis, position);
    return (dh__pool_span){at, w->dilation[axis], w->size[axis], w->size[axis]};
}

static inline walk walk_of(const dh__windows *w, const dh__pool_span s[3])
{
    return (walk){.first = (s[0].first * w->in[1] + s[1].first) * w->in[2] + s[2].first,
                  .count = {s[0].count, s[1].count, s[2].count},
                  .step = {s[0].step * w->in[1] * w->in[2], s[1].step * w->in[2], s[2].step}};
}

/* The same with rows that lie on end as one. */
static inline walk joined_walk(const dh__windows *w, const dh__pool_span s[3])
{
    walk v = walk_of(w, s);
    if (s[2].step != 1 || s[1].step != 1 || s[2].count != w->in[2]) return v;
    v.count[2] *= v.count[1];
    v.count[1] = 1;
    if (s[0].step != 1 || s[1].count != w->in[1]) return v;
    v.count[2] *= v.count[0];
    v.count[0] = 1;
    return v;
}

/* Of the first two axes, of a row of windows. */
static inline void spans_of_row(dh__pool_span s[2], const dh__pool *p, int64_t row)
{
    const int64_t rows = p->w.out[1], a = row < rows ? 0 : row / rows;
    s[0] = span_of(p, 0, a);
    s[1] = span_of(p, 1, row - a * rows);
}

/* The rows of x under a row of windows; count[2] is 0 where there are none. */
static inline walk rows_under(const dh__pool *p, int64_t row)
{
    dh__pool_span s[3] = {{0}, {0}, {0, 1, 1, 1}};
    spans_of_row(s, p, row);
    walk rows = walk_of(&p->w, s);
    rows.count[2] = s[0].count > 0 && s[1].count > 0;
    return rows;
}

static inline stretch stretch_of(const dh__windows *w, int64_t begin)
{
    int64_t extent = extent_of(w, 2), at = begin * w->stride[2] - w->begin[2];
    int64_t most = (ROOM - extent) / w->stride[2] + 1;
    stretch s = {.begin = begin, .end = w->out[2] - begin < most ? w->out[2] : begin + most};
    s.wide = (s.end - begin - 1) * w->stride[2] + extent;
    s.left = at < 0 ? -at : 0;
    s.first = at + s.left;
    s.count = w->in[2] - s.first < s.wide - s.left ? w->in[2] - s.first : s.wide - s.left;
    return s;
}

/* Whether rows of windows fit the stack, and are worth two passes. */
static inline bool slides(const dh__pool *p)
{
    const dh__windows *w = &p->w;
    return !p->adaptive && w->out[2] > 1 && extent_of(w, 2) <= ROOM / 2 &&
           w->in[0] * w->in[1] * w->in[2] < INT32_MAX;
}

/* A plane and what lies on the stack. */
typedef struct pool_job {
    const dh__pool *p;
    const void *x, *dy;
    void *out;
    void *rows;    /* their elements, or sums */
    void *with;    /* max_dx: where in the plane they are; averages: shares of the positions */
    int64_t begin; /* the first of those positions */
} pool_job;

/* The rows of x to the row at `at` on the stack; that row to row `row` of the windows. */
typedef void slide_down(pool_job *job, const stretch *s, const walk *rows, int64_t at);
typedef void slide_across(pool_job *job, const stretch *s, int64_t row, int64_t at);

static void slide(pool_job *job, slide_down *down, slide_across *across)
{
    const dh__windows *w = &job->p->w;
    stretch s;
    for (int64_t begin = 0; begin < w->out[2]; begin = s.end) {
        s = stretch_of(w, begin);
        const int64_t block = ROOM / s.wide, rows = w->out[0] * w->out[1];
        for (int64_t first = 0; first < rows; first += block) {
            int64_t end = rows - first < block ? rows : first + block;
            for (int64_t row = first; row < end; row++) {
                walk under = rows_under(job->p, row);
                down(job, &s, &under, (row - first) * s.wide);
            }
            for (int64_t row = first; row < end; row++)
                across(job, &s, row, (row - first) * s.wide);
        }
    }
}

#endif
