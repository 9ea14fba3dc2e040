/* SPDX-License-Identifier: MIT */
/* Part of an application: some rows of the result of some images, and what they are made of. A row
 * is a position of axis 2, the first spatial one. */
#ifndef DH_PART_H
#define DH_PART_H

#include "ops.h"

#define DH_PART_VIEWS 10

typedef struct dh__rows { /* [begin, end) */
    int64_t begin, end;
} dh__rows;

typedef struct dh__part {
    dh_call call;
    union {
        dh_conv_attr conv;
        dh_pool_attr pool;
    } attr;
    dh_view views[DH_PART_VIEWS]; /* of the call: inputs, then the result */
} dh__part;

/* The rows of input 0 that rows `out` of the result are made of. false: the op slides no windows
 * over input 0, or in another way than row by row, or these lie in the padding. */
bool dh__rows_needed(const dh_call *call, dh__rows out, dh__rows *in);

/* The application that makes these rows of these images, where dh__rows_needed says so; the padding
 * is what of it they see. It points into itself, so it is not to be copied. */
void dh__part_of(dh__part *part, const dh_call *whole, dh__rows images, dh__rows rows);

#endif
