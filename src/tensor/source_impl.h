/* SPDX-License-Identifier: MIT */
/* The inside of sources: batches by number, as rows of larger tensors where nothing need be copied.
 */
#ifndef DH_SOURCE_H
#define DH_SOURCE_H

#include <deephealth/source.h>

#include "tensor_impl.h"

/* A batch: rows order[0 .. count) of the tensors, or begin, begin + 1, .. where order is NULL.
 * count 0: behind the last one. The tensors are borrowed, or those of batch. */
typedef struct dh__rows {
    const dh_tensor *x[DH_MAX_IO], *y[DH_MAX_IO], *sample_weight;
    const int64_t *order;
    int64_t begin, count;
    dh_batch batch;
} dh__rows;

struct dh_source {
    int64_t batches; /* of an epoch; 0: not known */
    bool at_once;    /* batches are there without waiting, and nothing of a user's is called */
    int64_t next;    /* for dh_source_next; -1 before the start */
    uint64_t starts; /* passes that were begun */
    /* Batches of the epoch from number first on will be asked for. */
    dh_status (*begin)(dh_source *source, int64_t epoch, int64_t first);
    /* Sources but prefetch take any order, and calls from several threads. */
    dh_status (*get)(dh_source *source, int64_t index, dh__rows *out);
    void (*free)(dh_source *source);
};

/* Frees what the rows own. */
void dh__rows_clear(dh__rows *rows);
/* Makes rows of larger tensors a batch of its own. */
dh_status dh__rows_own(dh__rows *rows);

/* Class of a row of y, [N] or [N, classes > 0]: its label, which may be no class at all, or where
 * its largest element is. */
double dh__class_of(const dh_view *y, int64_t row);

/* The tensors of a are borrowed; of their rows those from begin on, count of them. stream + epoch
 * is the stream of an epoch's randomness. */
dh_status dh__source_tensors(dh_source **out, const dh_source_tensors_args *a, int64_t begin,
                             int64_t count, uint64_t stream);

#endif
