/* SPDX-License-Identifier: MIT */
/* Averages of windows that slide, summed in double, a template without include guard:
 * isa/pool_kernels.c includes it per element type (each_float.h). F(share) makes W averages of
 * their sums. */

/* F(share_of) the columns that the positions begin to end of a row count. */
static void F(find_shares)(pool_job *job, int64_t begin, int64_t end)
{
    double *share = job->with;
    for (int64_t c = begin; c < end; c++)
        share[c - begin] = F(share_of)(span_of(job->p, 2, c).counted);
    job->begin = begin;
}

/* F(share_of) the rows that row `row` of the windows counts. */
static inline double F(share_of_rows)(const pool_job *job, int64_t row)
{
    dh__pool_span s[2];
    spans_of_row(s, job->p, row);
    return F(share_of)(s[0].counted * s[1].counted);
}

/* --- forward --- */

DH_SIMD_INLINE dh__vf64 F(sum_rows)(const T *x, const walk *rows, int64_t n)
{
    dh__vf64 sum = {0};
    for (int64_t i = 0; i < rows->count[0]; i++) {
        const T *from = x + i * rows->step[0];
        for (int64_t k = 0; k < rows->count[1]; k++, from += rows->step[1])
            sum += n < WIDE ? F(wide_part)(from, n) : F(wide)(from);
    }
    return sum;
}

static void F(avg_down)(pool_job *job, const stretch *s, const walk *rows, int64_t at)
{
    const int64_t n = rows->count[2] ? s->count : 0;
    const T *x = (const T *)job->x + rows->first + s->first;
    double *to = (double *)job->rows + at, *inside = to + s->left;
    if (n && n < WIDE) dh__store_f64(inside, F(sum_rows)(x, rows, n));
    for (int64_t j = 0; n >= WIDE && j < n; j += WIDE) {
        if (j > n - WIDE) j = n - WIDE;
        dh__store_f64(inside + j, F(sum_rows)(x + j, rows, WIDE));
    }
    for (int64_t j = 0; j < s->left; j++) to[j] = 0;
    for (int64_t j = s->left + n; j < s->wide; j++) to[j] = 0;
}

DH_SIMD_INLINE void F(avg_columns)(T *y, const double *from, const double *share, double rows,
                                   const dh__windows *w, int64_t n, const int stride)
{
    for (int64_t c = 0; c < n; c += W) {
        dh__vf64 sum[W / WIDE];
        for (int i = 0; i < W / WIDE; i++)
            sum[i] =
                sum_columns(from + (c + i * WIDE) * stride, w->size[2], w->dilation[2], stride);
        V v = F(share)(sum, share + c, rows);
        if (n - c >= W)
            F(dh__store)(y + c, v);
        else
            F(dh__store_part)(y + c, v, n - c);
    }
}

static void F(avg_across)(pool_job *job, const stretch *s, int64_t row, int64_t at)
{
    const dh__windows *w = &job->p->w;
    const double *from = (const double *)job->rows + at, *share = job->with;
    const double rows = F(share_of_rows)(job, row);
    const int64_t n = s->end - s->begin;
    T *y = (T *)job->out + row * w->out[2] + s->begin;
    if (job->begin != s->begin) F(find_shares)(job, s->begin, s->end);
    if (w->stride[2] == 1)
        F(avg_columns)(y, from, share, rows, w, n, 1);
    else if (w->stride[2] == 2)
        F(avg_columns)(y, from, share, rows, w, n, 2);
    else
        for (int64_t c = 0; c < n; c++, from += w->stride[2]) {
            double sum = 0;
            for (int64_t l = 0; l < w->size[2]; l++) sum += from[l * w->dilation[2]];
            y[c] = (T)F(share_one)(sum, share[c], rows);
        }
}

static void F(avg_pool)(const void *geometry, const T *x, const T *none, T *y)
{
    double sum[ROOM + SLACK], share[ROOM + SLACK];
    pool_job job = {.p = geometry, .x = x, .out = y, .rows = sum, .with = share, .begin = -1};
    DH_UNUSED(none);
    if (slides(geometry))
        slide(&job, F(avg_down), F(avg_across));
    else
        F(avg_windows)(geometry, x, y);
}

/* --- backward --- */

/* The shares of a row of windows lie on the stack as far apart as the windows, zeros between them:
 * sums of as many as a window has columns are what n columns of dx get, in each row under it. */
static void F(share_out)(const dh__windows *w, const double *share, const walk *rows, T *dx,
                         int64_t n)
{
    for (int64_t j = 0; j < n; j += W) {
        dh__vf64 sum[W / WIDE];
        for (int i = 0; i < W / WIDE; i++)
            sum[i] = sum_columns(share + j + i * WIDE, w->size[2], w->dilation[2], 1);
        const V v = F(narrow)(sum);
        for (int64_t i = 0; i < rows->count[0]; i++) {
            T *to = dx + j + i * rows->step[0];
            for (int64_t k = 0; k < rows->count[1]; k++, to += rows->step[1])
                if (n - j >= W)
                    F(dh__store)(to, F(dh__load)(to) + v);
                else
                    F(dh__store_part)(to, F(dh__load_part)(to, n - j) + v, n - j);
        }
    }
}

/* n columns of dx from first on. */
static void F(avg_dx_columns)(pool_job *job, int64_t first, int64_t n)
{
    const dh__windows *w = &job->p->w;
    const int64_t stride = w->stride[2], wide = n + extent_of(w, 2) - 1;
    const int64_t last = first + n - 1 + w->begin[2], at = last - wide + 1; /* of the padded row */
    const int64_t begin = at > 0 ? (at + stride - 1) / stride : 0;
    const int64_t end = last / stride < w->out[2] ? last / stride + 1 : w->out[2];
    const int64_t block = ROOM / wide, rows = w->out[0] * w->out[1];
    const double *share = job->with;
    memset(job->rows, 0, (size_t)(block * wide) * sizeof(double));
    F(find_shares)(job, begin, end);
    for (int64_t row = 0; row < rows;) {
        const int64_t stop = rows - row < block ? rows : row + block;
        double *to = job->rows;
        for (int64_t r = row; r < stop; r++, to += wide) {
            const double outer = F(share_of_rows)(job, r);
            const T *dy = (const T *)job->dy + r * w->out[2];
            for (int64_t c = begin; c < end; c++)
                to[c * stride - at] = F(share_one)((double)dy[c], share[c - begin], outer);
        }
        for (to = job->rows; row < stop; row++, to += wide) {
            walk under = rows_under(job->p, row);
            if (under.count[2]) F(share_out)(w, to, &under, (T *)job->out + under.first + first, n);
        }
    }
}

static void F(avg_pool_dx)(const void *geometry, const T *dy, const T *none, T *dx)
{
    const dh__pool *p = geometry;
    double sum[ROOM + SLACK], share[ROOM + SLACK];
    pool_job job = {.p = p, .dy = dy, .out = dx, .rows = sum, .with = share};
    DH_UNUSED(none);
    if (slides(p)) {
        const int64_t width = p->w.in[2], most = ROOM - extent_of(&p->w, 2) + 1;
        for (int64_t first = 0; first < width; first += most)
            F(avg_dx_columns)(&job, first, width - first < most ? width - first : most);
    } else {
        F(avg_windows_dx)(p, dy, dx);
    }
}
