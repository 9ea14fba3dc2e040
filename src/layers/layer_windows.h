/* SPDX-License-Identifier: MIT */
/* What the arguments of convolutions and poolings say of their windows, checked against x. */
#ifndef DH_LAYER_WINDOWS_H
#define DH_LAYER_WINDOWS_H

#include "layer_defs.h"

typedef struct dh__layer_windows {
    int ndim; /* spatial axes */
    int64_t in[3], size[3], stride[3], dilation[3];
    dh_ints pads; /* all begins, then all ends */
} dh__layer_windows;

typedef struct dh__window_args {
    const int *size, *strides, *dilations; /* of three; NULL: 1. 0: as the first */
    int size_default, stride_default; /* where all are 0; 0: size must be given, stride is it */
    const char *padding;
    const int *pads; /* of six */
} dh__window_args;

/* x must be [N, C, ...] with ndim spatial axes; 0: with 1 to 3. */
dh_status dh__check_spatial(const dh_view *x, int ndim);
dh_status dh__windows_read(dh__layer_windows *out, const dh_view *x, int ndim,
                           const dh__window_args *args);
/* pads := what "same" needs, where the arguments say so. transposed: of the layer's other side */
dh_status dh__windows_pad(dh__layer_windows *w, const dh__window_args *args, bool transposed,
                          dh_ints *output_padding);
dh_ints dh__ints(int count, const int64_t *numbers);

#endif
