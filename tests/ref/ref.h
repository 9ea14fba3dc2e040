/* SPDX-License-Identifier: MIT */
/* Naive references in f64, one per op, sharing no code with src/. A reference reads like the
 * formula. */
#ifndef DH_TEST_REF_H
#define DH_TEST_REF_H

#include <stdbool.h>
#include <stdint.h>

#include "ops.h" /* attribute structs only */

/* Contiguous, row-major, always f64: integers and booleans are held as their values. */
typedef struct ref_tensor {
    int ndim;
    int64_t shape[DH_MAX_NDIM];
    int64_t count;
    double *data;
} ref_tensor;

/* Allocates out (zero-filled); the driver frees it. */
void ref_new(ref_tensor *out, int ndim, const int64_t *shape);
void ref_free(ref_tensor *tensor);

/* Computes all outputs from in_count inputs: calls ref_new on each out. RANDOM ops also get the
 * step and stream that the kernel had. */
typedef struct ref_call {
    const void *attr;
    int in_count;
    const ref_tensor *in;
    ref_tensor *out;
    const dh_step *step;
    uint64_t stream;
} ref_call;

typedef struct ref_entry {
    const char *op;
    void (*run)(const ref_call *call);
} ref_entry;

/* What an op with the fields act and alpha (dh__act) does last. */
double ref_act(int act, double alpha, double x);

/* The entry of an op in a table ended by {0}; NULL if it is not there. */
const ref_entry *ref_find(const ref_entry *table, const char *op);

/* One table per family, ended by {0}: ref_unary.c, ref_binary.c, ... */
extern const ref_entry ref_unary[], ref_binary[], ref_reduce[], ref_shape[], ref_index[],
    ref_matrix[], ref_nn[], ref_conv[], ref_pool[], ref_resize[], ref_optim[];

#endif
