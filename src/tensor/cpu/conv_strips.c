/* SPDX-License-Identifier: MIT */
#include "conv_strips.h"

#include "cut.h"

#define FEW_TILES 4
#define LINES_MAX (DH_CONV_PIXELS / 4)
#define SLAB_GOOD (DH_CONV_SLAB / 2) /* no strip is larger, if one tile allows that */

/* --- sweeps --- */

int64_t dh__conv_sweeps(const dh__windows *w, bool to_large)
{
    return to_large ? w->stride[0] * w->stride[1] * w->stride[2] : 1;
}

static void add_tap(dh__conv_axis *a, int64_t at, int64_t key)
{
    int64_t high = a->taps ? a->low + a->span - 1 : at;
    if (!a->taps || at < a->low) a->low = at;
    a->span = (at > high ? at : high) - a->low + 1;
    a->at[a->taps] = at;
    a->key[a->taps++] = key;
}

static dh__conv_axis axis_to_small(const dh__windows *w, int i)
{
    dh__conv_axis a = {.count = w->out[i],
                       .in = w->in[i],
                       .in_step = w->stride[i],
                       .out = w->out[i],
                       .out_step = 1};
    for (int64_t k = 0; k < w->size[i]; k++) add_tap(&a, k * w->dilation[i] - w->begin[i], k);
    return a;
}

/* Element x of the large side has tap k where x + begin - k dilation is a multiple of the stride.
 */
static dh__conv_axis axis_to_large(const dh__windows *w, int i, int64_t phase)
{
    int64_t step = w->stride[i];
    dh__conv_axis a = {.count = w->in[i] > phase ? (w->in[i] - 1 - phase) / step + 1 : 0,
                       .in = w->out[i],
                       .in_step = 1,
                       .out = w->in[i],
                       .out_first = phase,
                       .out_step = step};
    for (int64_t k = w->size[i] - 1; k >= 0; k--) {
        int64_t at = phase + w->begin[i] - k * w->dilation[i];
        if (at % step == 0) add_tap(&a, at / step, k);
    }
    return a;
}

dh__conv_sweep dh__conv_sweep_of(const dh__windows *w, bool to_large, int64_t number)
{
    dh__conv_sweep s = {.taps = 1};
    int64_t phase[3] = {number / (w->stride[2] * w->stride[1]),
                        number / w->stride[2] % w->stride[1], number % w->stride[2]};
    for (int i = 0; i < 3; i++) {
        s.axis[i] = to_large ? axis_to_large(w, i, phase[i]) : axis_to_small(w, i);
        s.taps *= s.axis[i].taps;
    }
    return s;
}

/* --- the cut --- */

/* Pixels whole pages apart would share few sets of L1. */
static int64_t pixel_of(int64_t channels, int64_t size)
{
    return channels * size % 512 == 0 ? channels + 64 / size : channels;
}

/* Columns or rows of the input that so many positions see. */
static int64_t seen(const dh__conv_axis *a, int64_t positions)
{
    return (positions - 1) * a->in_step + (a->span > 1 ? a->span : 1);
}

static int64_t slab_of(const dh__conv_sweep *s, int64_t rows, int64_t cols, int64_t pixel)
{
    int64_t planes = s->axis[0].taps;
    return planes * seen(&s->axis[1], rows) * seen(&s->axis[2], cols) * pixel;
}

/* Rows of a strip that are taken at once. */
static int64_t least_rows(bool pool)
{
    return pool ? 2 : 1;
}

static bool cut_images(dh__conv_cut *c, const dh__conv_sweep *s)
{
    const dh__conv_axis *a = s->axis;
    int64_t rows = a[0].count * a[1].count, positions = rows * a[2].count;
    int64_t image = a[0].in * a[1].in * a[2].in * c->pixel * c->size;
    if (a[2].count >= c->mr || rows > LINES_MAX || positions > LINES_MAX) return false;
    int64_t fit = dh__at_most(DH_CONV_SLAB / (image + 1), DH_CONV_PIXELS / positions);
    if (fit > c->mr) { /* whole tiles */
        int64_t good = dh__at_most(fit, SLAB_GOOD / (image + 1)) / c->mr;
        fit = c->mr * (good > 1 ? good : 1);
    }
    if (dh__at_most(fit, c->n) <= a[2].count) return false;
    c->line_images = dh__divide_up(c->n, dh__divide_up(c->n, fit));
    c->strips = dh__divide_up(c->n, c->line_images);
    c->images = true;
    return true;
}

/* The least length of equal parts of an axis, none longer than most, which is a multiple of unit,
 * as they are. */
static int64_t part_of(int64_t count, int64_t most, int64_t unit)
{
    return dh__divide_up(dh__divide_up(count, dh__divide_up(count, most)), unit) * unit;
}

static void cut_rows(dh__conv_cut *c, const dh__conv_sweep *s)
{
    const dh__conv_axis *a = s->axis;
    int64_t unit = least_rows(c->pool), good = SLAB_GOOD / c->size, rows;
    int64_t cols = dh__at_most(a[2].count, DH_CONV_PIXELS / unit);
    while (cols > c->mr && slab_of(s, unit, cols, c->pixel) > good) cols = dh__divide_up(cols, 2);
    c->cols = part_of(a[2].count, cols - cols % unit, unit);
    rows = dh__at_most(dh__at_most(a[1].count, LINES_MAX), DH_CONV_PIXELS / c->cols);
    if (c->cols < a[2].count) rows = unit;
    while (rows > unit && slab_of(s, rows, c->cols, c->pixel) > good) rows--;
    c->rows = part_of(a[1].count, rows - rows % unit, unit);
    c->per_image =
        a[0].count * dh__divide_up(a[1].count, c->rows) * dh__divide_up(a[2].count, c->cols);
    c->strips = c->per_image * c->n;
}

void dh__conv_cut_finely(dh__conv_cut *c, const dh__conv_sweep *s, int64_t strips)
{
    const dh__conv_axis *a = s->axis;
    if (!c->strips || a[0].count * a[1].count != 1) return;
    int64_t most = dh__divide_up(a[2].count, FEW_TILES * c->mr);
    c->cols = dh__at_most(c->cols, dh__divide_up(a[2].count, dh__at_most(strips, most)));
    c->per_image = dh__divide_up(a[2].count, c->cols);
    c->strips = c->per_image * c->n;
}

dh__conv_cut dh__conv_cut_of(const dh__conv_sweep *s, int64_t n, int64_t channels, bool f64,
                             bool pool)
{
    const dh__gemm_kernels *kernels = dh__gemm_kernels_now();
    dh__conv_cut c = {.kernels = kernels,
                      .f64 = f64,
                      .pool = pool,
                      .size = f64 ? 8 : 4,
                      .mr = kernels->mr[f64],
                      .nr = kernels->nr[f64],
                      .n = n,
                      .channels = channels,
                      .pixel = pixel_of(channels, f64 ? 8 : 4)};
    int64_t positions = s->axis[0].count * s->axis[1].count * s->axis[2].count;
    if (n > 0 && positions > 0 && !cut_images(&c, s)) cut_rows(&c, s);
    return c;
}

int64_t dh__conv_slab_bound(const dh__conv_sweep *s, int64_t n, int64_t channels, int64_t size)
{
    const dh__conv_axis *a = s->axis;
    double pixel = (double)(channels + 64 / size), most = DH_CONV_SLAB / (double)size;
    double images = (double)n * (double)a[0].in * (double)a[1].in * (double)a[2].in * pixel;
    double planes = a[0].taps > 1 ? (double)a[0].taps : 1;
    double rows = planes * (double)seen(&a[1], a[1].count) * (double)seen(&a[2], a[2].count);
    double bound = images > rows * pixel ? images : rows * pixel;
    return (int64_t)(bound < most ? bound : most);
}

bool dh__conv_slab_fits(const dh__conv_sweep *s, int64_t channels, bool f64, bool pool)
{
    int64_t size = f64 ? 8 : 4, mr = dh__gemm_kernels_now()->mr[f64];
    return s->axis[2].span < INT32_MAX && s->axis[1].span < INT32_MAX &&
           (double)s->axis[0].taps * (double)seen(&s->axis[1], least_rows(pool)) *
                   (double)seen(&s->axis[2], mr) * (double)(channels + 64 / size) * (double)size <=
               DH_CONV_SLAB;
}

dh__conv_strip dh__conv_strip_of(const dh__conv_sweep *s, const dh__conv_cut *c, int64_t number)
{
    const dh__conv_axis *a = s->axis;
    dh__conv_strip t = {.images = 1};
    if (c->images) {
        t.n = number * c->line_images;
        t.images = dh__at_most(c->line_images, c->n - t.n);
        t.rows = a[1].count;
        t.cols = a[2].count;
        t.lines = a[0].count * t.rows * t.cols;
        t.line = t.images;
        t.height = a[1].in;
        t.pitch = a[2].in;
        return t;
    }
    int64_t across = dh__divide_up(a[2].count, c->cols), down = dh__divide_up(a[1].count, c->rows);
    int64_t inside = number % c->per_image;
    t.n = number / c->per_image;
    t.x = inside % across * c->cols;
    t.cols = dh__at_most(c->cols, a[2].count - t.x);
    t.y = inside / across % down * c->rows;
    t.rows = dh__at_most(c->rows, a[1].count - t.y);
    t.z = inside / across / down;
    t.lines = t.rows;
    t.line = t.cols;
    t.height = seen(&a[1], t.rows);
    t.pitch = seen(&a[2], t.cols);
    t.low_y = t.y * a[1].in_step + a[1].low;
    t.low_x = t.x * a[2].in_step + a[2].low;
    return t;
}

bool dh__conv_tap_at(const dh__conv_sweep *s, const dh__conv_cut *c, const dh__conv_strip *t,
                     int64_t line, const int64_t tap[3], int64_t *offset)
{
    const dh__conv_axis *a = s->axis;
    int64_t position[3] = {t->z, t->y + line, t->x}, at[3];
    if (c->images) {
        position[0] = line / (a[1].count * a[2].count);
        position[1] = line / a[2].count % a[1].count;
        position[2] = line % a[2].count;
    }
    for (int i = 0; i < 3; i++) {
        at[i] = position[i] * a[i].in_step + a[i].at[tap[i]];
        if ((at[i] < 0 || at[i] >= a[i].in) && (i < 2 || c->images)) return false;
    }
    if (c->images || c->in_place)
        *offset = ((at[0] * a[1].in + at[1]) * a[2].in + at[2]) * t->images * c->pixel;
    else
        *offset =
            ((tap[0] * t->height + at[1] - t->low_y) * t->pitch + at[2] - t->low_x) * c->pixel;
    return true;
}
