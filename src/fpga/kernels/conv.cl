/* SPDX-License-Identifier: MIT */
/* Convolutions. large [N, C, in...], weight [O, C / groups, k...] and small [N, O, out...]; each
 * kernel makes one of them, or packs one side of the product that makes it (gemm.cl, whose options
 * they take): columns are positions of all images, numbered image by image. */
#include "windows.clh"

typedef CAT(T_, X) T;
#define COLUMNS (VECTORS * LANES)

#define SOURCE                                                                                 \
    global F *to, long to0, global const T *x, long x0, windows w, long image, long channel,   \
        long step0, long step1, long step2

#ifdef K_pack_small
/* For the small side: columns are its positions from first_column on, depths (channel, k). Row by row
 * of the positions. */
kernel void pack_small(SOURCE, long first_column, long column_count, long depth, long count)
{
    EACH(i)
    long d = i % depth, column = i / depth * COLUMNS, k[3], p[3];
    long area = area_of(w.out), taps = area_of(w.size);
    long j = column + first_column, left = min((long)COLUMNS, column_count - column);
    unravel(k, d % taps, w.size);
    unravel(p, j % area, w.out);
    x += x0 + d / taps * channel;
    to += to0 + i * COLUMNS;
    for (int c = (int)left; c < COLUMNS; c++) to[c] = 0;
    for (long n = j / area, run; left > 0; left -= run, to += run, p[2] = 0) {
        long a = p[0] * w.stride[0] + k[0] * w.dilation[0] - w.begin[0];
        long b = p[1] * w.stride[1] + k[1] * w.dilation[1] - w.begin[1];
        long c = p[2] * w.stride[2] + k[2] * w.dilation[2] - w.begin[2], from = 0, end = 0;
        run = min(left, w.out[2] - p[2]);
        if (a >= 0 && a < w.in[0] && b >= 0 && b < w.in[1])
            inside(&w, 2, p[2], k[2], run, &from, &end);
        long step = w.stride[2] * step2, at = n * image + a * step0 + b * step1 + c * step2;
        for (long q = 0; q < from; q++) to[q] = 0;
        if (step == 1)
            for (long q = from; q < end; q++) to[q] = CAT(load_, X)(x, at + q);
        else
            for (long q = from; q < end; q++) to[q] = CAT(load_, X)(x, at + q * step);
        for (long q = end; q < run; q++) to[q] = 0;
        if (++p[1] == w.out[1]) {
            p[1] = 0;
            if (++p[0] == w.out[0]) {
                p[0] = 0;
                n++;
            }
        }
    }
}
#endif

#ifdef K_pack_large
/* For the large side: columns are its elements, depths (channel of the small side, k). Row by row of
 * the elements. */
kernel void pack_large(SOURCE, long first_column, long column_count, long depth, long count)
{
    EACH(i)
    long d = i % depth, column = i / depth * COLUMNS, k[3], at[3];
    long area = area_of(w.in), taps = area_of(w.size);
    long j = column + first_column, left = min((long)COLUMNS, column_count - column);
    unravel(k, d % taps, w.size);
    unravel(at, j % area, w.in);
    x += x0 + d / taps * channel;
    to += to0 + i * COLUMNS;
    for (int c = 0; c < COLUMNS; c++) to[c] = 0;
    for (long n = j / area, run; left > 0; left -= run, to += run, at[2] = 0) {
        long a = at[0] + w.begin[0] - k[0] * w.dilation[0];
        long b = at[1] + w.begin[1] - k[1] * w.dilation[1];
        long c = at[2] + w.begin[2] - k[2] * w.dilation[2], stride = w.stride[2];
        run = min(left, w.in[2] - at[2]);
        bool rows = a >= 0 && b >= 0 && a % w.stride[0] == 0 && b % w.stride[1] == 0 &&
                    a / w.stride[0] < w.out[0] && b / w.stride[1] < w.out[1];
        /* c + q = p stride, p within the row of positions */
        long from, end;
        aligned(c, stride, run, w.out[2], &from, &end);
        long row = n * image + a / w.stride[0] * step0 + b / w.stride[1] * step1;
        if (rows && stride == 1 && step2 == 1)
            for (long p = from; p < end; p++) to[p - c] = CAT(load_, X)(x, row + p);
        else if (rows)
            for (long p = from; p < end; p++)
                to[p * stride - c] = CAT(load_, X)(x, row + p * step2);
        if (++at[1] == w.in[1]) {
            at[1] = 0;
            if (++at[0] == w.in[0]) {
                at[0] = 0;
                n++;
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
