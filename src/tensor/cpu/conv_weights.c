/* SPDX-License-Identifier: MIT */
/* Packing of a convolution's weights [O, I, window] in panels of the result's channels. */
#include <string.h>

#include "conv_strips.h"
#include "cut.h"

#define TURNED 256 /* rows of a panel turned at a time */

typedef struct job {
    const dh__conv_weights *w;
    const dh__conv_sweep *sweep;
    const dh__gemm_kernels *kernels;
    bool f64;
    int64_t nr, size, length;     /* length: of the chunk */
    int64_t window, first, width; /* first output channel of the panel; how many there are */
    char *out;
} job;

/* Rows to their places: turned holds count of them, of one input channel after the other, each with
 * its window; the first is number at. */
static void place_rows(const job *j, const char *turned, int64_t at, int64_t count)
{
    const dh__conv_axis *a = j->sweep->axis;
    const int64_t *size = j->w->s->c.w.size;
    size_t row = (size_t)(j->nr * j->size);
    int64_t tap[3];
    for (int64_t t = 0; t < j->sweep->taps; t++) {
        dh__conv_tap_number(j->sweep, t, tap);
        int64_t key = (a[0].key[tap[0]] * size[1] + a[1].key[tap[1]]) * size[2] + a[2].key[tap[2]];
        int64_t channel = at <= key ? 0 : dh__divide_up(at - key, j->window);
        for (; channel * j->window + key < at + count; channel++)
            memcpy(j->out + (size_t)(t * j->length + channel) * row,
                   turned + (size_t)(channel * j->window + key - at) * row, row);
    }
}

/* Panels of O for a result on the small side: rows of the chunk's channels and their windows lie
 * one by one in memory. */
static void pack_to_small(const job *j, int64_t channel)
{
    const dh_view *w = &j->w->s->weight;
    _Alignas(64) char turned[TURNED * 128];
    int64_t rows = j->length * j->window, output = j->w->group * j->w->out_channels + j->first;
    const char *from =
        (const char *)w->data + (output * w->stride[0] + channel * j->window) * j->size;
    for (int64_t at = 0; at < rows; at += TURNED) {
        int64_t count = dh__at_most(TURNED, rows - at);
        j->kernels->pack_turn[j->f64](turned, j->nr, from + at * j->size, w->stride[0],
                                      (int)j->width, (int)j->nr, count);
        place_rows(j, turned, at, count);
    }
}

/* Panels of I for a result on the large side: one input channel's after the other. */
static void pack_to_large(const job *j, int64_t channel)
{
    const dh_view *w = &j->w->s->weight;
    _Alignas(64) char turned[TURNED * 128];
    for (int64_t c = 0; c < j->length; c++) {
        int64_t row = j->w->group * j->w->in_channels + channel + c;
        const char *from =
            (const char *)w->data + (row * w->stride[0] + j->first * j->window) * j->size;
        for (int64_t at = 0; at < j->window; at += TURNED) {
            int64_t count = dh__at_most(TURNED, j->window - at);
            (j->window == 1 ? j->kernels->pack_copy : j->kernels->pack_turn)[j->f64](
                turned, j->nr, from + at * j->size, j->window, (int)j->width, (int)j->nr, count);
            place_rows(j, turned, c * j->window + at, count);
        }
    }
}

void dh__conv_pack(const dh__conv_weights *w, const dh__conv_sweep *sweep, int64_t panel,
                   int64_t chunk, void *out)
{
    job j = {.w = w,
             .sweep = sweep,
             .kernels = dh__gemm_kernels_now(),
             .f64 = w->s->size == 8,
             .size = w->s->size,
             .length = dh__at_most(w->chunk, w->in_channels - chunk * w->chunk),
             .window = dh__windows_elements(&w->s->c.w),
             .out = out};
    j.nr = j.kernels->nr[j.f64];
    j.first = panel * j.nr;
    j.width = dh__at_most(j.nr, w->out_channels - j.first);
    if (w->s->to_large)
        pack_to_large(&j, chunk * w->chunk);
    else
        pack_to_small(&j, chunk * w->chunk);
    dh__conv_scale_rows(w->s, out, sweep->taps * j.length, j.nr, j.width,
                        w->group * w->out_channels + j.first);
}
