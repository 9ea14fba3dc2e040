/* SPDX-License-Identifier: MIT */
/* Maxima of windows that slide, a template without include guard: isa/pool_kernels.c includes it
 * per element type (each_float.h). */

/* --- forward --- */

DH_SIMD_INLINE V F(max_rows)(const T *x, const walk *rows, int64_t n)
{
    V best = F(dh__set)((T)-INFINITY);
    for (int64_t i = 0; i < rows->count[0]; i++) {
        const T *from = x + i * rows->step[0];
        for (int64_t k = 0; k < rows->count[1]; k++, from += rows->step[1])
            best = F(larger)(best, n < W ? F(dh__load_part)(from, n) : F(dh__load)(from));
    }
    return best;
}

static void F(pad)(T *to, int64_t count)
{
    for (int64_t i = 0; i < count; i++) to[i] = (T)-INFINITY;
}

static void F(max_down)(pool_job *job, const stretch *s, const walk *rows, int64_t at)
{
    const int64_t n = rows->count[2] ? s->count : 0;
    const T *x = (const T *)job->x + rows->first + s->first;
    T *to = (T *)job->rows + at, *inside = to + s->left;
    if (n && n < W) F(dh__store)(inside, F(max_rows)(x, rows, n));
    for (int64_t j = 0; n >= W && j < n; j += W) {
        if (j > n - W) j = n - W;
        F(dh__store)(inside + j, F(max_rows)(x + j, rows, W));
    }
    /* last, because a vector wider than the row reaches into its padding */
    F(pad)(to, s->left);
    F(pad)(inside + n, s->wide - s->left - n);
}

/* W elements that lie stride (1 or 2) apart. */
DH_SIMD_INLINE V F(apart)(const T *p, const int stride)
{
    V v = F(dh__load)(p);
    return stride == 1 ? v : __builtin_shufflevector(v, F(dh__load)(p + W), LANES(EVEN, W));
}

DH_SIMD_INLINE void F(max_columns)(T *y, const T *from, const dh__windows *w, int64_t n,
                                   const int stride)
{
    for (int64_t c = 0; c < n; c += W, from += W * stride) {
        V best = F(apart)(from, stride);
        for (int64_t l = 1; l < w->size[2]; l++)
            best = F(larger)(best, F(apart)(from + l * w->dilation[2], stride));
        if (n - c >= W)
            F(dh__store)(y + c, best);
        else
            F(dh__store_part)(y + c, best, n - c);
    }
}

static void F(max_across)(pool_job *job, const stretch *s, int64_t row, int64_t at)
{
    const dh__windows *w = &job->p->w;
    const T *from = (const T *)job->rows + at;
    const int64_t n = s->end - s->begin;
    T *y = (T *)job->out + row * w->out[2] + s->begin;
    if (w->stride[2] == 1)
        F(max_columns)(y, from, w, n, 1);
    else if (w->stride[2] == 2)
        F(max_columns)(y, from, w, n, 2);
    else
        for (int64_t c = 0; c < n; c++, from += w->stride[2]) {
            T best = from[0];
            for (int64_t l = 1; l < w->size[2]; l++) {
                T v = from[l * w->dilation[2]];
                best = ((v > best) | (v != v)) ? v : best;
            }
            y[c] = best;
        }
}

static void F(max_pool)(const void *geometry, const T *x, const T *none, T *y)
{
    T value[ROOM + SLACK];
    pool_job job = {.p = geometry, .x = x, .out = y, .rows = value};
    DH_UNUSED(none);
    if (slides(geometry))
        slide(&job, F(max_down), F(max_across));
    else
        F(max_windows)(geometry, x, y);
}

/* --- backward --- */

/* Of equals the first in the order of the windows' elements is that of the lowest index in the
 * plane. There is no NaN: such planes go window by window. */
static bool F(any_nan)(const T *x, int64_t count)
{
    F(lanes) any = {0};
    int64_t j = 0;
    for (; j + W <= count; j += W) {
        V v = F(dh__load)(x + j);
        any |= (F(lanes))(v != v);
    }
    if (j < count) {
        V v = F(dh__load_part)(x + j, count - j);
        any |= (F(lanes))(v != v);
    }
    F(index) found = 0;
    for (int i = 0; i < W; i++) found |= any[i];
    return found != 0;
}

/* Of n columns from x + at on; the rows are at least one. */
DH_SIMD_INLINE void F(find_rows)(const T *x, const walk *rows, int64_t at, int64_t n, T *value,
                                 F(index) * where)
{
    V best = F(dh__set)((T)-INFINITY);
    F(lanes) found = F(counted) + (F(index))at;
    for (int64_t i = 0; i < rows->count[0]; i++) {
        int64_t from = at + i * rows->step[0];
        for (int64_t k = 0; k < rows->count[1]; k++, from += rows->step[1]) {
            V v = n < W ? F(dh__load_part)(x + from, n) : F(dh__load)(x + from);
            F(lanes) more = (F(lanes))(v > best);
            best = F(pick)(more, v, best);
            found = F(pick_index)(more, F(counted) + (F(index))from, found);
        }
    }
    F(dh__store)(value, best);
    memcpy(where, &found, sizeof found);
}

static void F(find_down)(pool_job *job, const stretch *s, const walk *rows, int64_t at)
{
    const int64_t n = rows->count[2] ? s->count : 0, first = rows->first + s->first;
    T *value = (T *)job->rows + at;
    F(index) *where = (F(index) *)job->with + at;
    if (n && n < W) F(find_rows)(job->x, rows, first, n, value + s->left, where + s->left);
    for (int64_t j = 0; n >= W && j < n; j += W) {
        if (j > n - W) j = n - W;
        F(find_rows)(job->x, rows, first + j, W, value + s->left + j, where + s->left + j);
    }
    F(pad)(value, s->left);
    F(pad)(value + s->left + n, s->wide - s->left - n);
    for (int64_t j = 0; j < s->left; j++) where[j] = NONE;
    for (int64_t j = s->left + n; j < s->wide; j++) where[j] = NONE;
}

DH_SIMD_INLINE F(lanes) F(apart_index)(const F(index) * p, const int stride)
{
    F(lanes) v, next;
    memcpy(&v, p, sizeof v);
    if (stride == 1) return v;
    memcpy(&next, p + W, sizeof next);
    return __builtin_shufflevector(v, next, LANES(EVEN, W));
}

DH_SIMD_INLINE void F(give)(T *dx, const T *dy, const F(index) * to, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (to[i] != NONE) dx[to[i]] += dy[i];
}

DH_SIMD_INLINE void F(find_columns)(T *dx, const T *dy, const T *value, const F(index) * where,
                                    const dh__windows *w, int64_t n, const int stride)
{
    for (int64_t c = 0; c < n; c += W) {
        V best = F(apart)(value + c * stride, stride);
        F(lanes) found = F(apart_index)(where + c * stride, stride);
        for (int64_t l = 1; l < w->size[2]; l++) {
            int64_t from = c * stride + l * w->dilation[2];
            V v = F(apart)(value + from, stride);
            F(lanes) at = F(apart_index)(where + from, stride);
            F(lanes) more = (F(lanes))(v > best) | ((F(lanes))(v == best) & (F(lanes))(at < found));
            best = F(pick)(more, v, best);
            found = F(pick_index)(more, at, found);
        }
        F(index) to[W];
        memcpy(to, &found, sizeof to);
        if (n - c >= W)
            F(give)(dx, dy + c, to, W);
        else
            F(give)(dx, dy + c, to, n - c);
    }
}

static void F(find_across)(pool_job *job, const stretch *s, int64_t row, int64_t at)
{
    const dh__windows *w = &job->p->w;
    const T *value = (const T *)job->rows + at;
    const T *dy = (const T *)job->dy + row * w->out[2] + s->begin;
    const F(index) *where = (const F(index) *)job->with + at;
    T *dx = job->out;
    const int64_t n = s->end - s->begin, stride = w->stride[2];
    if (stride == 1)
        F(find_columns)(dx, dy, value, where, w, n, 1);
    else if (stride == 2)
        F(find_columns)(dx, dy, value, where, w, n, 2);
    else
        for (int64_t c = 0; c < n; c++, value += stride, where += stride) {
            int64_t best = 0;
            for (int64_t l = w->dilation[2]; l < extent_of(w, 2); l += w->dilation[2])
                if (value[l] > value[best] || (value[l] == value[best] && where[l] < where[best]))
                    best = l;
            if (where[best] != NONE) dx[where[best]] += dy[c];
        }
}

static void F(max_pool_dx)(const void *geometry, const T *dy, const T *x, T *dx)
{
    const dh__pool *p = geometry;
    T value[ROOM + SLACK];
    F(index) at[ROOM + SLACK];
    pool_job job = {.p = p, .x = x, .dy = dy, .out = dx, .rows = value, .with = at};
    if (slides(p) && !F(any_nan)(x, p->w.in[0] * p->w.in[1] * p->w.in[2]))
        slide(&job, F(find_down), F(find_across));
    else
        F(max_windows_dx)(p, dy, x, dx);
}
