/* SPDX-License-Identifier: MIT */
/* What dh_fit trains and validates on. */
#ifndef DH_FIT_DATA_H
#define DH_FIT_DATA_H

#include "feeder.h"

typedef struct dh__fit_data {
    dh__feeder train, validation;
    bool validate;
    int64_t rows; /* to train on; 0: not known */
} dh__fit_data;

/* Numbers in their ranges, arguments that need each other. */
dh_status dh__fit_check(const dh_fit_args *a);
/* Both feeders, to be cleared also after a failure. */
dh_status dh__fit_prepare(dh__fit_data *f, const dh_model *model, const dh_fit_args *a);

#endif
