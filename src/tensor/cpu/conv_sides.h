/* SPDX-License-Identifier: MIT */
/* A call of a convolution's ops as the three tensors of one geometry. */
#ifndef DH_CONV_SIDES_H
#define DH_CONV_SIDES_H

#include "gemm.h"
#include "op_conv.h"

/* The three tensors, whichever of them is the result. */
typedef struct dh__conv_sides {
    dh__conv c;
    dh_view large, weight, small;
    const dh_view *bias; /* of the result's channels, or NULL */
    const dh_view *norm; /* gamma, beta, mean and var of the result's channels, or NULL */
    const dh_view *add;  /* of the shape of the result, or NULL */
    double epsilon;
    dh_view shift; /* what dh__conv_fold made of bias and norm */
    bool to_large; /* the result is large */
    int64_t size;  /* bytes of an element */
    dh__act act;   /* of conv */
    double act_alpha;
    /* of conv: small is the maxima of windows of 2x2 of the results, 2 apart; c has only the
     * positions that have a part in them */
    bool pool;
} dh__conv_sides;

dh__conv_sides dh__conv_sides_of(const dh_call *call);

/* A normalised sum is the sum of scaled weights and a shift, of each channel of the result. */
double dh__conv_scale(const dh__conv_sides *s, int64_t channel); /* 1 without norm */
double dh__conv_shift(const dh__conv_sides *s, int64_t channel);
/* The shifts come first in what an implementation keeps packed, or in its scratch, with so many
 * bytes (0 without norm). dh__conv_pack_shifts puts them there; dh__conv_fold puts them in the
 * place of the bias, from call->packed or made in *scratch, and returns what is packed behind them,
 * or NULL: s may not move any more. */
int64_t dh__conv_shift_bytes(const dh__conv_sides *s);
void dh__conv_pack_shifts(const dh__conv_sides *s, void *memory);
char *dh__conv_fold(dh__conv_sides *s, const dh_call *call, char **scratch);
/* count rows of width values, step apart, times the scales of as many channels from first on. */
void dh__conv_scale_rows(const dh__conv_sides *s, void *rows, int64_t count, int64_t step,
                         int64_t width, int64_t first);

/* For implementations that read the weights as they lie: dh__conv_fold_weights also puts scaled
 * ones, those that are packed or made in the scratch, in the place of the weights, which are packed
 * from axis 1; it returns the rest of the scratch, of which it takes dh__conv_folded_bytes at most.
 */
int64_t dh__conv_folded_bytes(const dh__conv_sides *s);
size_t dh__conv_packed_folded(const dh_call *call);
void dh__conv_pack_folded(const dh_call *call, void *out);
char *dh__conv_fold_weights(dh__conv_sides *s, const dh_call *call);

/* An element of a window in one channel: the positions [first, last) at which it lies inside. */
typedef struct dh__conv_tap {
    int64_t k[3], first[3], last[3];
    int64_t step[3]; /* of the large side from position to position, in elements */
    int64_t origin;  /* its element at position 0, which may lie outside */
} dh__conv_tap;

dh__conv_tap dh__conv_tap_of(const dh__conv_sides *s, int64_t index);

/* The first element of a channel of image n. */
static inline char *dh__conv_plane(const dh__conv_sides *s, const dh_view *view, int64_t n,
                                   int64_t channel)
{
    return (char *)view->data + (n * view->stride[0] + channel * view->stride[1]) * s->size;
}

/* NULL where the tensors are f32 or f64, weights packed from axis 1, images, positions and what is
 * added from axis 2, and the results are not pooled; else what is not so. */
const char *dh__conv_not_packed(const dh__conv_sides *s);
/* For a gradient of weights that no image has a part in. */
void dh__conv_zero_weight(const dh__conv_sides *s);

/* Shares of the images with a sum of their own, of so many bytes, of such a gradient, where each
 * share has so many tasks. */
int64_t dh__conv_shares(int64_t tasks, double bytes);

/* NULL where a window is one element, inside the large side; else why that is not so. */
static inline const char *dh__conv_no_point(const dh__windows *w)
{
    for (int i = 0; i < 3; i++) {
        if (w->size[i] != 1) return "window is not one element";
        if (w->begin[i] || (w->out[i] - 1) * w->stride[i] >= w->in[i]) return "padded";
    }
    return NULL;
}

/* Is there a window of one element at each element? */
static inline bool dh__conv_dense(const dh__conv_sides *s)
{
    const dh__windows *w = &s->c.w;
    bool dense = true;
    for (int i = 0; i < 3; i++)
        dense &= w->size[i] == 1 && (w->stride[i] == 1 || w->in[i] == 1) && w->begin[i] == 0 &&
                 w->in[i] == w->out[i];
    return dense;
}

/* Elements of a channel of the large side that a window of one element meets at count positions
 * from begin on: in the channel, where they lie one by one, else gathered in the buffer. */
const char *dh__conv_pixels(const dh__conv_sides *s, const char *channel, int64_t begin,
                            int64_t count, void *buffer);

extern const dh_impl dh__conv_winograd, dh__conv_winograd_2x2, dh__conv_winograd_dw,
    dh__conv_pointwise, dh__conv_pointwise_dw, dh__conv_direct, dh__conv_direct_dw, dh__conv_plain;

#endif
