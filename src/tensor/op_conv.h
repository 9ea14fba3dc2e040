/* SPDX-License-Identifier: MIT */
/* The geometry of a convolution, for its ops and their kernels. */
#ifndef DH_OP_CONV_H
#define DH_OP_CONV_H

#include "windows.h"

typedef struct dh__conv {
    dh__windows w;
    int64_t n, groups;
    int64_t in_channels, out_channels; /* of a group: of the large side, of the small side */
} dh__conv;

/* Checks weight [O, C / group, k...] against the large side [N, C, in...]. */
dh_status dh__conv_shape(dh__conv *out, const dh_conv_attr *attr, const dh_view *large,
                         const dh_view *weight, const char *who);

#endif
