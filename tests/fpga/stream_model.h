/* SPDX-License-Identifier: MIT */
/* The streaming convolution (src/fpga/kernels/stream.cl) in plain C, module by module as a card
 * would have them: read and pad, convert to windows, multiply and add, what follows, write. The
 * oracle of the kernel and, by counting what each module handles, the estimate of its time. */
#ifndef STREAM_MODEL_H
#define STREAM_MODEL_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* Cycles until the first result leaves the modules. HLSinf's 4x4 kernel takes 66692 cycles for an
 * image of 256 x 256 with 4 channels and 4 outputs, 128 more than the 258 * 258 pixels that it
 * reads (DeepHealth, toolkit: kernel of version 1.0 on an Alveo U200). */
#define STREAM_DEPTH 128

typedef struct stream_card {
    int cpi, cpo, rows, width;
} stream_card;

typedef struct stream_layer {
    int64_t images, channels, height, width, outputs, out_height, out_width, top, left, taps;
    int act, mish, pool; /* act: 1 ReLU, 2 leaky, 3 ReLU6; pool: 1 maxima, 2 means */
    float alpha;
} stream_layer;

typedef struct stream_memory { /* NULL: there is none */
    float *y;
    const float *x, *filters, *bias, *norm, *more;
} stream_memory;

typedef struct stream_pass { /* CPI channels into CPO outputs, for one frame */
    int64_t image, row, rows, o, i;
} stream_pass;

/* What all modules handle at the same time; the slowest sets the pace. */
static inline int64_t stream_pace(int64_t pixels, int64_t filters, int64_t results)
{
    int64_t most = pixels > filters ? pixels : filters;
    return most > results ? most : results;
}

static inline float stream_at(const stream_layer *l, const float *x, int64_t image, int64_t c,
                              int64_t row, int64_t col)
{
    if (row < 0 || row >= l->height || col < 0 || col >= l->width || c >= l->channels) return 0;
    return x[((image * l->channels + c) * l->height + row) * l->width + col];
}

/* Padded pixels of CPI channels, row by row. */
static inline int64_t stream_read(float *pixels, const stream_card *k, const stream_layer *l,
                                  const float *x, const stream_pass *p)
{
    int64_t n = 0;
    for (int64_t row = 0; row < p->rows + 2; row++)
        for (int64_t col = 0; col < l->out_width + 2; col++, n++)
            for (int d = 0; d < k->cpi; d++)
                pixels[n * k->cpi + d] =
                    stream_at(l, x, p->image, p->i + d, p->row + row - l->top, col - l->left);
    return n;
}

/* Words of CPI weights: a window of each of CPO filters. */
static inline int64_t stream_filters(float *weights, const stream_card *k, const stream_layer *l,
                                     const float *filters, const stream_pass *p)
{
    int64_t words = 0;
    for (int64_t c = 0; c < k->cpo; c++)
        for (int64_t t = 0; t < 9; t++, words++)
            for (int64_t d = 0; d < k->cpi; d++) {
                bool there = p->o + c < l->outputs && p->i + d < l->channels && t < l->taps;
                weights[words * k->cpi + d] =
                    there ? filters[((p->o + c) * l->channels + p->i + d) * l->taps + t] : 0;
            }
    return words;
}

static inline void stream_add(float *sums, const stream_card *k, const stream_layer *l,
                              const float *pixels, const float *weights, const float *bias,
                              const stream_pass *p)
{
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t q = 0; q < l->out_width; q++)
            for (int64_t c = 0; c < k->cpo; c++) {
                float *sum = &sums[(r * l->out_width + q) * k->cpo + c];
                if (p->i == 0) *sum = bias && p->o + c < l->outputs ? bias[p->o + c] : 0;
                for (int64_t d = 0; d < k->cpi; d++)
                    for (int64_t t = 0; t < l->taps; t++) {
                        int64_t at = (r + t / 3) * (l->out_width + 2) + q + t % 3;
                        *sum += pixels[at * k->cpi + d] * weights[(c * 9 + t) * k->cpi + d];
                    }
            }
}

static inline float stream_activated(const stream_layer *l, float v)
{
    if (l->act == 1 || l->act == 3) v = v < 0 ? 0 : v;
    if (l->act == 2) v = v < 0 ? v * l->alpha : v;
    if (l->act == 3) v = v > 6 ? 6 : v;
    return l->mish ? v * tanhf(v > 20 ? v : log1pf(expf(v))) : v;
}

static inline float stream_pooled(const stream_layer *l, const float v[4])
{
    if (l->pool == 2) return ((v[0] + v[1]) + (v[2] + v[3])) * 0.25f;
    float most = v[0];
    for (int i = 1; i < 4; i++)
        if (v[i] > most || isnan(v[i])) most = v[i];
    return most;
}

/* Results of the frame, CPO at a time. */
static inline int64_t stream_write(const stream_card *k, const stream_layer *l,
                                   const stream_memory *m, const float *sums, const stream_pass *p)
{
    int64_t step = l->pool ? 2 : 1, high = l->out_height / step, wide = l->out_width / step;
    int64_t n = 0;
    for (int64_t r = 0; r < p->rows / step; r++)
        for (int64_t q = 0; q < wide; q++, n++)
            for (int64_t c = 0; c < k->cpo && p->o + c < l->outputs; c++) {
                float v[4];
                for (int64_t w = 0; w < step * step; w++)
                    v[w] = stream_activated(
                        l,
                        sums[((r * step + w / 2) * l->out_width + q * step + w % 2) * k->cpo + c]);
                float y = l->pool ? stream_pooled(l, v) : v[0];
                const float *b = m->norm ? m->norm + 4 * (p->o + c) : NULL;
                if (b) y = b[1] * ((y - b[2]) / sqrtf(b[3] + 1e-5f)) + b[0];
                int64_t at =
                    ((p->image * l->outputs + p->o + c) * high + p->row / step + r) * wide + q;
                m->y[at] = m->more ? y + m->more[at] : y;
            }
    return n;
}

/* Cycles of all images; with memory, the results too. */
static inline int64_t stream_model(const stream_card *k, const stream_layer *l,
                                   const stream_memory *m)
{
    int64_t most = (k->rows + 2) * (l->out_width + 2), cycles = STREAM_DEPTH * l->images;
    int64_t step = l->pool ? 2 : 1;
    float *pixels = m ? malloc((size_t)(most * k->cpi) * sizeof(float)) : NULL;
    float *sums = m ? malloc((size_t)(most * k->cpo) * sizeof(float)) : NULL;
    float *weights = m ? malloc((size_t)(9 * k->cpi * k->cpo) * sizeof(float)) : NULL;
    stream_pass p;
    for (p.image = 0; p.image < l->images; p.image++)
        for (p.row = 0; p.row < l->out_height; p.row += k->rows)
            for (p.o = 0; p.o < l->outputs; p.o += k->cpo)
                for (p.i = 0; p.i < l->channels; p.i += k->cpi) {
                    p.rows = l->out_height - p.row < k->rows ? l->out_height - p.row : k->rows;
                    bool last = p.i + k->cpi >= l->channels;
                    int64_t read = (p.rows + 2) * (l->out_width + 2), loaded = 9 * k->cpo;
                    int64_t wrote = last ? p.rows / step * (l->out_width / step) : 0;
                    if (m) {
                        read = stream_read(pixels, k, l, m->x, &p);
                        loaded = stream_filters(weights, k, l, m->filters, &p);
                        stream_add(sums, k, l, pixels, weights, m->bias, &p);
                        wrote = last ? stream_write(k, l, m, sums, &p) : 0;
                    }
                    cycles += stream_pace(read, loaded, wrote);
                }
    free(pixels);
    free(sums);
    free(weights);
    return cycles;
}

#endif
