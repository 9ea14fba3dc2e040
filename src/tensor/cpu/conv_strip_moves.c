/* SPDX-License-Identifier: MIT */
/* Strips of a convolution on their way into the cache and out of it. */
#include <string.h>

#include "conv_strips.h"
#include "cut.h"
#include "last_kernels.h"

static char *element(const dh_view *v, int64_t n, int64_t channel, int64_t at, int64_t size)
{
    return (char *)v->data +
           (n * v->stride[0] + channel * v->stride[1] + at * dh__pixel_step(v)) * size;
}

/* count pixels of so many channels, apart, to out: the channels are last on both sides. */
static void copy_pixels(const dh__conv_cut *c, char *out, int64_t out_step, const char *from,
                        int64_t apart, int64_t channels, int64_t fill, int64_t count)
{
    if (fill <= c->nr) {
        c->kernels->pack_copy[c->f64](out, out_step, from, apart, (int)channels, (int)fill, count);
        return;
    }
    bool dense = out_step == channels && apart == channels;
    size_t bytes = (size_t)((dense ? count : 1) * channels * c->size);
    for (int64_t i = 0; i < (dense ? 1 : count); i++)
        memcpy(out + i * out_step * c->size, from + i * apart * c->size, bytes);
}

/* count elements of so many channels to out, channels last. */
static void turn_in(const dh__conv_cut *c, char *out, int64_t out_step, const dh_view *x, int64_t n,
                    int64_t first, int64_t channels, int64_t fill, int64_t at, int64_t count)
{
    int64_t apart = dh__pixel_step(x);
    if (apart > 1) {
        copy_pixels(c, out, out_step, element(x, n, first, at, c->size), apart, channels, fill,
                    count);
        return;
    }
    for (int64_t k = 0; k < fill; k += c->nr) {
        int64_t width = dh__at_most(c->nr, channels - k), wide = dh__at_most(c->nr, fill - k);
        if (width < 0) width = 0;
        c->kernels->pack_turn[c->f64](out + k * c->size, out_step,
                                      element(x, n, first + (width ? k : 0), at, c->size),
                                      x->stride[1], (int)width, (int)wide, count);
    }
}

static void gather_rows(const dh__conv_sweep *s, const dh__conv_cut *c, const dh__conv_strip *t,
                        const dh_view *x, int64_t first, int64_t channels, int64_t plane,
                        char *slab)
{
    const dh__conv_axis *a = s->axis;
    int64_t z = t->z * a[0].in_step + a[0].at[plane], end = t->low_x + t->pitch;
    int64_t from = t->low_x > 0 ? t->low_x : 0, to = end < a[2].in ? end : a[2].in;
    if (z < 0 || z >= a[0].in) return;
    bool whole = from == 0 && to == a[2].in && t->pitch == to;
    int64_t top = t->low_y > 0 ? t->low_y : 0;
    int64_t bottom = dh__at_most(t->low_y + t->height, a[1].in);
    for (int64_t y = top; y < bottom; y++) {
        char *row = slab + ((plane * t->height + y - t->low_y) * t->pitch * c->pixel) * c->size;
        int64_t at = (z * a[1].in + y) * a[2].in + from, rows = whole ? bottom - y : 1;
        if (!whole && (y - t->low_y) % a[1].in_step >= a[1].span) continue; /* no tap there */
        size_t before = (size_t)((from - t->low_x) * c->pixel * c->size);
        if (to <= from) {
            memset(row, 0, (size_t)(t->pitch * c->pixel * c->size));
            continue;
        }
        memset(row, 0, before);
        turn_in(c, row + before, c->pixel, x, t->n, first, channels, channels, at,
                (to - from) * rows);
        memset(row + (to - t->low_x) * c->pixel * c->size, 0,
               whole ? 0 : (size_t)((end - to) * c->pixel * c->size));
        y += rows - 1;
    }
}

void dh__conv_gather(const dh__conv_sweep *s, const dh__conv_cut *c, const dh__conv_strip *t,
                     const dh_view *x, int64_t first, int64_t channels, void *slab)
{
    const dh__conv_axis *a = s->axis;
    if (!c->images) {
        for (int64_t plane = 0; plane < a[0].taps; plane++)
            gather_rows(s, c, t, x, first, channels, plane, slab);
        return;
    }
    for (int64_t i = 0; i < t->images; i++)
        turn_in(c, (char *)slab + i * c->pixel * c->size, t->images * c->pixel, x, t->n + i, first,
                channels, channels, 0, a[0].in * a[1].in * a[2].in);
}

/* nr pixels of nr channels each, step apart, to elements apart from at on of each channel. */
static void turn_out(const dh__conv_cut *c, const char *pixels, int64_t step, const dh_view *y,
                     int64_t n, int64_t first, int64_t channels, int64_t at, int64_t apart,
                     int64_t count)
{
    _Alignas(64) char turned[32 * 128]; /* nr x nr */
    int64_t pixel = dh__pixel_step(y);
    if (pixel > 1) {
        copy_pixels(c, element(y, n, first, at, c->size), pixel * apart, pixels, step, channels,
                    channels, count);
        return;
    }
    for (int64_t i = 0; i < count; i += c->nr) {
        int64_t width = dh__at_most(c->nr, count - i);
        const char *from = pixels + i * step * c->size;
        if (apart == 1) {
            c->kernels->pack_turn[c->f64](element(y, n, first, at + i, c->size), y->stride[1], from,
                                          step, (int)width, (int)width, channels);
            continue;
        }
        c->kernels->pack_turn[c->f64](turned, c->nr, from, step, (int)width, (int)width, channels);
        for (int64_t k = 0; k < channels; k++) {
            void *to = element(y, n, first + k, at + i * apart, c->size);
            const char *row = turned + k * c->nr * c->size;
            for (int64_t p = 0; p < width && c->f64; p++)
                ((double *)to)[p * apart] = ((const double *)(const void *)row)[p];
            for (int64_t p = 0; p < width && !c->f64; p++)
                ((float *)to)[p * apart] = ((const float *)(const void *)row)[p];
        }
    }
}

/* Do the sweep's positions lie one after the other in the tensor? */
static bool one_by_one(const dh__conv_sweep *s)
{
    bool yes = true;
    for (int i = 0; i < 3; i++) yes &= s->axis[i].count == s->axis[i].out;
    return yes;
}

static int64_t out_at(const dh__conv_sweep *s, int64_t z, int64_t y, int64_t x)
{
    const dh__conv_axis *a = s->axis;
    return ((a[0].out_first + z * a[0].out_step) * a[1].out + a[1].out_first + y * a[1].out_step) *
               a[2].out +
           a[2].out_first + x * a[2].out_step;
}

/* The place in its tensor of a line's first pixel, and its image. */
static int64_t line_at(const dh__conv_sweep *s, const dh__conv_cut *c, const dh__conv_strip *t,
                       int64_t line)
{
    const dh__conv_axis *a = s->axis;
    if (!c->images) return out_at(s, t->z, t->y + line, t->x);
    return out_at(s, line / (a[1].count * a[2].count), line / a[2].count % a[1].count,
                  line % a[2].count);
}

void *dh__conv_line(const dh__conv_sweep *s, const dh__conv_cut *c, const dh__conv_strip *t,
                    const dh_view *y, int64_t first, int64_t line, int64_t *step)
{
    *step = c->images ? y->stride[0] : s->axis[2].out_step * dh__pixel_step(y);
    return element(y, t->n, first, line_at(s, c, t, line), c->size);
}

/* The maxima of the strip's pixels, in their place; strips begin at even positions and, since an
 * odd last one is left out, end there. Images that share a line are channels of its pixel. */
static void take_maxima(const dh__conv_cut *c, const dh__conv_strip *t, void *pixels)
{
    int64_t pixel = t->images * c->nr, row = t->cols * pixel;
    dh__last_run run = {.x_step = 2 * pixel,
                        .y_step = pixel,
                        .positions = t->cols / 2,
                        .channels = pixel,
                        .taps = 4,
                        .at = {0, pixel, row, row + pixel}};
    for (int64_t i = 0; i < t->rows / 2; i++) {
        run.x = (char *)pixels + 2 * i * row * c->size;
        run.y = (char *)pixels + i * (row / 2) * c->size;
        dh__last_table(c->f64)->max(&run);
    }
}

static dh__conv_sweep halve_sweep(const dh__conv_sweep *s)
{
    dh__conv_sweep half = *s;
    for (int i = 1; i < 3; i++) {
        half.axis[i].count /= 2;
        half.axis[i].out /= 2;
    }
    return half;
}

static dh__conv_strip halve_strip(const dh__conv_cut *c, const dh__conv_strip *t)
{
    dh__conv_strip half = *t;
    half.y /= 2;
    half.x /= 2;
    half.rows /= 2;
    half.cols /= 2;
    half.lines = c->images ? half.rows * half.cols : half.rows;
    half.line = c->images ? t->line : half.cols;
    return half;
}

void dh__conv_scatter(const dh__conv_sweep *s, const dh__conv_cut *c, const dh__conv_strip *t,
                      const dh_view *y, int64_t first, int64_t count, void *pixels)
{
    dh__conv_sweep half_sweep;
    dh__conv_strip half_strip;
    if (c->pool) {
        take_maxima(c, t, pixels);
        half_sweep = halve_sweep(s);
        half_strip = halve_strip(c, t);
        s = &half_sweep;
        t = &half_strip;
    }
    const dh__conv_axis *a = s->axis;
    const char *from = pixels;
    bool joined = one_by_one(s) && (c->images || t->cols == a[2].count);
    int64_t planes = c->images ? a[0].count : 1, rows = joined ? 1 : t->rows;
    int64_t length = joined ? t->lines * (c->images ? 1 : t->line) : t->cols;
    if (joined) planes = 1;
    int64_t step = c->images ? t->images * c->nr : c->nr;
    for (int64_t i = 0; i < t->images; i++)
        for (int64_t line = 0; line < planes * rows; line++)
            turn_out(c, from + (line * length * step + i * c->nr) * c->size, step, y, t->n + i,
                     first, count, out_at(s, t->z + line / rows, t->y + line % rows, t->x),
                     joined ? 1 : a[2].out_step, length);
}

void dh__conv_take(const dh__conv_sweep *s, const dh__conv_cut *c, const dh__conv_strip *t,
                   const dh_view *y, int64_t first, int64_t count, void *pixels)
{
    bool joined = c->images || t->cols == s->axis[2].count;
    int64_t rows = joined ? 1 : t->rows;
    int64_t length = joined ? t->lines * (c->images ? 1 : t->line) : t->cols;
    int64_t step = c->images ? t->images * c->nr : c->nr;
    for (int64_t i = 0; i < t->images; i++)
        for (int64_t row = 0; row < rows; row++)
            turn_in(c, (char *)pixels + (row * length * step + i * c->nr) * c->size, step, y,
                    t->n + i, first, count, c->nr, out_at(s, t->z, t->y + row, t->x), length);
}
