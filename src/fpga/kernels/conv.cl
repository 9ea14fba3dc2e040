/* SPDX-License-Identifier: MIT */
/* Convolutions. large [N, C, in...], weight [O, C / groups, k...] and small [N, O, out...]; each
 * kernel makes one of them, or packs one side of the product that makes it (gemm.cl, whose options
 * they take): columns are positions of all images, numbered image by image. */
#include "windows.clh"

typedef CAT(T_, X) T;
#define COLUMNS (VECTORS * LANES)

/* count numbers that lie one after the other, vectors of them where nothing is converted; the last
 * vector may take some a second time. */
#define WHOLE_VECTORS(N)                                                                       \
    if (count >= N) {                                                                          \
        for (long c = 0; c + N < count; c += N)                                                \
            CAT(vstore, N)(CAT(vload, N)(0, (global const F *)x + c), 0, to + c);              \
        CAT(vstore, N)(CAT(vload, N)(0, (global const F *)x + count - N), 0, to + count - N);  \
        return;                                                                                \
    }
static inline void take(global F *to, global const T *x, long count)
{
    if (sizeof(T) == sizeof(F)) {
        WHOLE_VECTORS(8)
        WHOLE_VECTORS(4)
    }
    for (long c = 0; c < count; c++) to[c] = CAT(load_, X)(x, c);
}

#define SOURCE                                                                                 \
    global F *to, long to0, global const T *x, long x0, windows w, long image, long channel,   \
        long step0, long step1, long step2

/* A work item packs a panel's columns of one channel for all taps: their rows one after the other,
 * each cut into runs of one row of x. Columns behind the last are zeros. */
#define PANEL                                                                                  \
    EACH(i)                                                                                    \
    long channel_of = i % channels, first = i / channels * COLUMNS, taps = area_of(w.size);    \
    long j = first + first_column, left = min((long)COLUMNS, column_count - first);            \
    x += x0 + channel_of * channel;                                                            \
    to += to0 + i * taps * COLUMNS;                                                            \
    if (left < COLUMNS)                                                                        \
        for (long t = 0; t < taps; t++)                                                        \
            for (long c = left; c < COLUMNS; c++) to[t * COLUMNS + c] = 0;

/* On to the next row of images shaped so. */
static inline void next_row(long *n, long *p, const long *shape)
{
    p[2] = 0;
    if (++p[1] < shape[1]) return;
    p[1] = 0;
    if (++p[0] < shape[0]) return;
    p[0] = 0;
    ++*n;
}

#define TAPS(k)                                       \
    for (long k##0 = 0; k##0 < w.size[0]; k##0++)     \
        for (long k##1 = 0; k##1 < w.size[1]; k##1++) \
            for (long k##2 = 0; k##2 < w.size[2]; k##2++, line += COLUMNS)

#ifdef K_pack_small
/* For the small side: columns are its positions from first_column on, depths (channel, tap). */
kernel void pack_small(SOURCE, long first_column, long column_count, long channels, long count)
{
    PANEL
    long p[3], n = j / area_of(w.out), step = w.stride[2] * step2;
    unravel(p, j % area_of(w.out), w.out);
    for (long run; left > 0; left -= run, to += run, next_row(&n, p, w.out)) {
        global F *line = to;
        run = min(left, w.out[2] - p[2]);
        TAPS(k) {
            long a = p[0] * w.stride[0] + k0 * w.dilation[0] - w.begin[0];
            long b = p[1] * w.stride[1] + k1 * w.dilation[1] - w.begin[1];
            long c = p[2] * w.stride[2] + k2 * w.dilation[2] - w.begin[2], from = 0, end = 0;
            if (a >= 0 && a < w.in[0] && b >= 0 && b < w.in[1])
                inside(&w, 2, p[2], k2, run, &from, &end);
            long at = n * image + a * step0 + b * step1 + c * step2;
            for (long q = 0; q < from; q++) line[q] = 0;
            if (step == 1)
                take(line + from, x + at + from, end - from);
            else
                for (long q = from; q < end; q++) line[q] = CAT(load_, X)(x, at + q * step);
            for (long q = end; q < run; q++) line[q] = 0;
        }
    }
}
#endif

#ifdef K_pack_large
/* For the large side: columns are its elements, depths (channel of the small side, tap). */
kernel void pack_large(SOURCE, long first_column, long column_count, long channels, long count)
{
    PANEL
    long at[3], n = j / area_of(w.in), stride = w.stride[2];
    unravel(at, j % area_of(w.in), w.in);
    for (long run; left > 0; left -= run, to += run, next_row(&n, at, w.in)) {
        global F *line = to;
        run = min(left, w.in[2] - at[2]);
        TAPS(k) {
            long a = at[0] + w.begin[0] - k0 * w.dilation[0];
            long b = at[1] + w.begin[1] - k1 * w.dilation[1];
            long c = at[2] + w.begin[2] - k2 * w.dilation[2], from = 0, end = 0, row = 0;
            if (divides(w.stride[0], &a, w.out[0]) && divides(w.stride[1], &b, w.out[1])) {
                /* c + q = p stride, p within the row of positions */
                aligned(c, stride, run, w.out[2], &from, &end);
                row = n * image + a * step0 + b * step1;
            }
            if (stride == 1) {
                long begin = from < end ? from - c : 0, past = from < end ? end - c : 0;
                for (long q = 0; q < begin; q++) line[q] = 0;
                if (step2 == 1)
                    take(line + begin, x + row + c + begin, past - begin);
                else
                    for (long q = begin; q < past; q++)
                        line[q] = CAT(load_, X)(x, row + (c + q) * step2);
                for (long q = past; q < run; q++) line[q] = 0;
            } else {
                for (long q = 0; q < run; q++) line[q] = 0;
                for (long p = from; p < end; p++)
                    line[p * stride - c] = CAT(load_, X)(x, row + p * step2);
            }
        }
    }
}
#endif

#ifdef K_pack_taps
#define BATCH 32 /* positions of a work item */
/* For the weights: columns are (channel, k), depths positions of all images from first_depth on. */
kernel void pack_taps(SOURCE, long first_depth, long column_count, long depth, long batches,
                      long count)
{
    EACH(i)
    long first = i % batches * BATCH, column = i / batches * COLUMNS, begin[3], k[3];
    long area = area_of(w.out), taps = area_of(w.size), all = min((long)BATCH, depth - first);
    unravel(begin, (first + first_depth) % area, w.out);
    x += x0;
    to += to0 + (i / batches * depth + first) * COLUMNS;
    for (int column_of = 0; column_of < COLUMNS; column_of++) {
        bool there = column + column_of < column_count;
        long left = all, n = (first + first_depth) / area, channel_of = (column + column_of) / taps;
        long p[3] = {begin[0], begin[1], begin[2]};
        global F *line = to + column_of;
        unravel(k, (column + column_of) % taps, w.size);
        for (long run; left > 0; left -= run, line += run * COLUMNS, p[2] = 0) {
            long a = p[0] * w.stride[0] + k[0] * w.dilation[0] - w.begin[0];
            long b = p[1] * w.stride[1] + k[1] * w.dilation[1] - w.begin[1];
            long c = p[2] * w.stride[2] + k[2] * w.dilation[2] - w.begin[2], from = 0, end = 0;
            run = min(left, w.out[2] - p[2]);
            if (there && a >= 0 && a < w.in[0] && b >= 0 && b < w.in[1])
                inside(&w, 2, p[2], k[2], run, &from, &end);
            long step = w.stride[2] * step2;
            long at = n * image + channel_of * channel + a * step0 + b * step1 + c * step2;
            for (long q = 0; q < from; q++) line[q * COLUMNS] = 0;
            for (long q = from; q < end; q++)
                line[q * COLUMNS] = CAT(load_, X)(x, at + q * step);
            for (long q = end; q < run; q++) line[q * COLUMNS] = 0;
            if (++p[1] == w.out[1]) {
                p[1] = 0;
                if (++p[0] == w.out[0]) {
                    p[0] = 0;
                    n++;
                }
            }
        }
    }
}
#endif

#ifdef K_fold
/* A normalised sum is the sum times a factor, plus an addend, of each channel. */
kernel void fold(global F *to, long to0, IN(T, bias), IN(T, gamma), IN(T, beta), IN(T, mean),
                 IN(T, var), A epsilon, long with_bias, long count)
{
    EACH(c)
    A scale = (A)LOAD(X, gamma, c) / sqrt((A)LOAD(X, var, c) + epsilon);
    A from = with_bias ? (A)LOAD(X, bias, c) : 0;
    to[to0 + 2 * c] = (F)scale;
    to[to0 + 2 * c + 1] = (F)((from - (A)LOAD(X, mean, c)) * scale + (A)LOAD(X, beta, c));
}
#endif

#ifdef K_halve
/* The maxima of windows of 2x2 of images [.., 2h, 2w], of columns pixels a row. */
kernel void halve(OUT(T, y), IN(T, x), long columns, long rows, long x_columns, long x_rows,
                  long count)
{
    EACH(i)
    long c = i % columns, r = i / columns % rows, plane = i / columns / rows;
    CAT(C_, X) best = -INFINITY;
    for (int k = 0; k < 4; k++) {
        CAT(C_, X) v =
            CAT(load_, X)(x, x0 + (plane * x_rows + 2 * r + k / 2) * x_columns + 2 * c + k % 2);
        if (v > best || v != v) best = v;
    }
    STORE(X, y, i, best);
}
#endif

/* --- groups: each element of the result by itself, of any dtype and strides --- */

/* The three tensors by image, channel and spatial axes. */
typedef struct sides {
    long large[5], small[5], weight[5]; /* strides: [N, C, ...] or [O, C, ...] */
    long groups, in_channels, out_channels, images;
} sides;

static inline long far(const long *stride, long a, long b, const long *at)
{
    return a * stride[0] + b * stride[1] + at[0] * stride[2] + at[1] * stride[3] + at[2] * stride[4];
}

#ifdef K_each_small
kernel void each_small(OUT(T, y), global const T *x, long x0, global const T *weight, long weight0,
                       windows w, sides s, global const F *scale, long scale0,
                       global const T *bias, long bias0, long bias_step, IN(T, add), long with,
                       long act, F alpha, long count)
{
    EACH(i)
    long area = area_of(w.out), taps = area_of(w.size), channels = s.groups * s.out_channels;
    long o = i / area % channels, n = i / area / channels, g = o / s.out_channels, p[3], k[3], at[3];
    A sum = 0;
    unravel(p, i % area, w.out);
    for (long q = 0; q < s.in_channels; q++)
        for (long e = 0; e < taps; e++) {
            unravel(k, e, w.size);
            if (place(&w, p, k, at))
                sum += (A)CAT(load_, X)(x, x0 + far(s.large, n, g * s.in_channels + q, at)) *
                       (A)CAT(load_, X)(weight, weight0 + far(s.weight, o, q, k));
        }
    if (with & 1) sum = sum * scale[scale0 + 2 * o] + scale[scale0 + 2 * o + 1];
    if (with & 2) sum += CAT(load_, X)(bias, bias0 + o * bias_step);
    if (with & 4) sum += LOAD(X, add, i);
    STORE(X, y, i, ACTIVATED(sum, act, alpha));
}
#endif

#ifdef K_each_large
kernel void each_large(OUT(T, x), global const T *y, long y0, global const T *weight, long weight0,
                       windows w, sides s, global const T *bias, long bias0, long bias_step,
                       long with, long count)
{
    EACH(i)
    long area = area_of(w.in), taps = area_of(w.size), channels = s.groups * s.in_channels;
    long c = i / area % channels, n = i / area / channels, g = c / s.in_channels, p[3], k[3], at[3];
    A sum = with ? (A)CAT(load_, X)(bias, bias0 + c * bias_step) : 0;
    unravel(at, i % area, w.in);
    for (long q = 0; q < s.out_channels; q++)
        for (long e = 0; e < taps; e++) {
            unravel(k, e, w.size);
            if (position_of(&w, at, k, p))
                sum += (A)CAT(load_, X)(y, y0 + far(s.small, n, g * s.out_channels + q, p)) *
                       (A)CAT(load_, X)(weight,
                                        weight0 + far(s.weight, g * s.out_channels + q,
                                                      c % s.in_channels, k));
        }
    STORE(X, x, i, sum);
}
#endif

#ifdef K_each_weight
kernel void each_weight(OUT(T, dw), global const T *x, long x0, global const T *y, long y0,
                        windows w, sides s, long count)
{
    EACH(i)
    long area = area_of(w.out), taps = area_of(w.size), k[3], p[3], at[3];
    long c = i / taps % s.in_channels, o = i / taps / s.in_channels, g = o / s.out_channels;
    A sum = 0;
    unravel(k, i % taps, w.size);
    for (long n = 0; n < s.images; n++)
        for (long e = 0; e < area; e++) {
            unravel(p, e, w.out);
            if (place(&w, p, k, at))
                sum += (A)CAT(load_, X)(x, x0 + far(s.large, n, g * s.in_channels + c, at)) *
                       (A)CAT(load_, X)(y, y0 + far(s.small, n, o, p));
        }
    STORE(X, dw, i, sum);
}
#endif
