/* SPDX-License-Identifier: MIT */
/* The windows of pooling, for its ops and their kernels. */
#ifndef DH_OP_POOL_H
#define DH_OP_POOL_H

#include "windows.h"

typedef struct dh__pool {
    dh__windows w;
    bool adaptive;   /* windows share out the axis; else they slide */
    bool count_pads; /* of averages */
} dh__pool;

/* The windows over x [N, C, in...], checked. */
dh_status dh__pool_of(dh__pool *out, const dh_pool_attr *attr, const dh_view *x, const char *who);

/* Elements of one axis that a window covers: first, first + step, ... count of them; and how many
 * an average counts. */
typedef struct dh__pool_span {
    int64_t first, step, count, counted;
} dh__pool_span;
dh__pool_span dh__pool_span_of(const dh__pool *pool, int axis, int64_t position);

#endif
