/* SPDX-License-Identifier: MIT */
/* Where the elements of a resized axis come from, for the op and its kernels. */
#ifndef DH_OP_RESIZE_H
#define DH_OP_RESIZE_H

#include "windows.h"

typedef struct dh__resize {
    int64_t in[3], out[3];
    bool linear;
    int coordinates; /* as in dh_resize_attr */
} dh__resize;

/* The geometry over x [N, C, in...], checked. */
dh_status dh__resize_of(dh__resize *out, const dh_resize_attr *attr, const dh_view *x,
                        const char *who);

/* Element `at` of axis i is (1 - part) x[first] + part x[second]. */
typedef struct dh__resize_source {
    int64_t first, second;
    double part;
} dh__resize_source;
dh__resize_source dh__resize_source_of(const dh__resize *r, int i, int64_t at);

#endif
