/* SPDX-License-Identifier: MIT */
/* The transforms of Winograd's minimal filtering F(4x4, 3x3) and F(2x2, 3x3) (Winograd 1980; Lavin
 * and Gray 2016), each for many channels that lie one after the other. Between them stand 36 or 16
 * products of matrices, one for each element of the 6x6 or 4x4 tile. Points of 4x4: 0, 5/8, -5/8,
 * 3/2, -3/2 and infinity, whose error is less than half that of 0, 1, -1, 2, -2 and infinity. */
#ifndef DH_WINOGRAD_KERNELS_H
#define DH_WINOGRAD_KERNELS_H

#include "act.h"
#include "base.h"

typedef struct dh__winograd_kernels {
    int side, elements; /* of a tile of results: 4 or 2; of a transformed tile: 36 or 16 */
    /* out[e * step + c] from the pixels x[i * row + j * pixel + c]. Whole vectors are read and
     * written, beyond the last channel too. */
    void (*input)(float *out, int64_t step, const float *x, int64_t row, int64_t pixel,
                  int64_t channels);
    /* out[e * step + o] from the 3x3 taps x[t * tap + o], o < width, whole vectors */
    void (*weights)(float *out, int64_t step, const float *x, int64_t tap, int64_t width);
    /* The first rows x cols of a tile's pixels y[i * row + j * pixel + o] from x[e * step + o],
     * bias if there is one added, and what lies in y if add says so, then the activation; o <
     * width; whole vectors but of bias. */
    void (*output)(float *y, int64_t row, int64_t pixel, const float *x, int64_t step,
                   const float *bias, bool add, int64_t width, int rows, int cols, dh__act act,
                   float alpha);
    /* Of tiles of 4x4. The gradient of output for x: out[e * step + o] from the first rows x cols
     * of 4x4 pixels, the others being 0; and of weights for its x: y[t * tap + o]. Whole vectors.
     */
    void (*output_dx)(float *out, int64_t step, const float *y, int64_t row, int64_t pixel,
                      int64_t width, int rows, int cols);
    void (*weights_dx)(float *y, int64_t tap, const float *x, int64_t step, int64_t width);
} dh__winograd_kernels;

/* tiles of 4x4, then of 2x2 */
extern const dh__winograd_kernels dh__winograd_portable[];
#if DH_HAVE_X86_ISA
extern const dh__winograd_kernels dh__winograd_avx2[], dh__winograd_avx512[];
#endif

#endif
