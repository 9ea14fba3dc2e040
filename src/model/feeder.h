/* SPDX-License-Identifier: MIT */
/* A source, and what fit lays over its batches. */
#ifndef DH_FEEDER_H
#define DH_FEEDER_H

#include "model_impl.h"
#include "source_impl.h"

typedef struct dh__feeder {
    dh_source *source;
    bool own, checked; /* checked: the batches need no further look */
    const float *class_weight;
    int class_count;
    int64_t bound;  /* most rows of a batch so far */
    double waited;  /* seconds of this epoch */
    uint64_t start; /* of the source, that is this pass */
} dh__feeder;

/* Rows of checked tensors, which are borrowed. */
dh_status dh__feeder_tensors(dh__feeder *out, const dh_model *model, const dh__data *data,
                             int batch, bool shuffle);
/* A source of the user's, beside which no tensors, weights or batch size may be given. */
dh_status dh__feeder_given(dh__feeder *out, dh_source *source, const dh__data *beside,
                           int batch_size, const char *who);
void dh__feeder_clear(dh__feeder *f);

dh_status dh__feeder_begin(dh__feeder *f, int64_t epoch, int64_t index);
/* The batch as rows, for dh__rows_clear, and as checked data; rows->count is 0 behind the last. */
dh_status dh__feeder_next(dh__feeder *f, const dh_model *model, int64_t index, dh__rows *rows,
                          dh__data *data, const char *who);

/* Losses and metrics over all batches. */
dh_status dh__evaluate(dh_model *model, dh__feeder *f, dh_result *out, const char *who);

#endif
