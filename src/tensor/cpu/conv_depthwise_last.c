/* SPDX-License-Identifier: MIT */
/* Depthwise convolution of images whose channels are last, one channel of the result for each of x:
 * vectors lie along the channels, and no lane is idle on small planes. */
#include <string.h>

#include "conv_depthwise.h"
#include "last_windows.h"

static const char *refuse(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    if (call->op != &dh_op_conv) return "not conv";
    if (s.c.in_channels != 1) return "not one channel a group";
    if (s.c.out_channels != 1) return "not one channel of y a group";
    if (s.add) return "takes nothing that is added";
    if (s.pool) return "takes no maxima";
    if (s.bias && s.bias->stride[0] != 1) return "bias is not packed";
    return dh__last_refuse(&s.c.w, &s.large, &s.small);
}

/* With a row of zeros for what is in the padding. */
static int64_t weights_bytes(const dh__conv_sides *s)
{
    return (dh__view_count(&s->weight) + s->weight.shape[0]) * s->size;
}

static size_t bytes_of(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    return (size_t)(dh__conv_shift_bytes(&s) + weights_bytes(&s));
}

/* [element of the window][channel], scaled */
static void pack_weights(const dh__conv_sides *s, char *out)
{
    const dh_view *w = &s->weight;
    int64_t channels = w->shape[0], strides[3];
    const int64_t *size = s->c.w.size;
    dh__spatial_strides(strides, w);
    memset(out + dh__view_count(w) * s->size, 0, (size_t)(channels * s->size));
    for (int64_t c = 0; c < channels; c++) {
        double scale = dh__conv_scale(s, c);
        for (int64_t k = 0; k < dh__windows_elements(&s->c.w); k++) {
            int64_t at = c * w->stride[0] + k / (size[1] * size[2]) * strides[0] +
                         k / size[2] % size[1] * strides[1] + k % size[2] * strides[2];
            double value = dh__load(w->dtype, (const char *)w->data + at * s->size);
            dh__store(w->dtype, out + (k * channels + c) * s->size, scale * value);
        }
    }
}

static void pack(const dh_call *call, void *out)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    dh__conv_pack_shifts(&s, out);
    pack_weights(&s, (char *)out + dh__conv_shift_bytes(&s));
}

static dh_status run(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    char *scratch, *weights = dh__conv_fold(&s, call, &scratch);
    if (!weights) pack_weights(&s, weights = scratch);
    dh__last_run like = {.weight = weights,
                         .weight_row = s.weight.shape[0],
                         .bias = s.bias ? s.bias->data : NULL,
                         .act = s.act,
                         .act_alpha = s.act_alpha};
    dh__last_windows(&s.c.w, &s.large, &s.small, dh__last_table(s.size == 8)->sum, &like);
    return DH_OK;
}

const dh_impl dh__conv_depthwise_last = {.name = "depthwise_last",
                                         .refuse = refuse,
                                         .scratch = bytes_of,
                                         .packed = bytes_of,
                                         .pack = pack,
                                         .run = run,
                                         .channels_last = true,
                                         .by_rows = true};
