/* SPDX-License-Identifier: MIT */
/* Folding a strided tensor over some of its axes, whatever its dtype: the loop nest, its cut into
 * tasks by shape alone, and the order in which partial results are joined. */
#ifndef DH_FOLD_H
#define DH_FOLD_H

#include "cpu.h"
#include "reduce_kernels.h"

/* Axes of length 1 are gone and neighbours that lie as one are merged. Outputs are counted
 * row-major over the kept axes. */
typedef struct dh__nest {
    dh_dtype dtype;
    dh__fold_type type; /* what the elements are read as */
    const char *data;
    int kept, reduced;
    int64_t kept_shape[DH_MAX_NDIM], kept_stride[DH_MAX_NDIM]; /* strides in elements */
    int64_t shape[DH_MAX_NDIM], stride[DH_MAX_NDIM]; /* of the reduced axes; at least one */
    int64_t outputs, length;                         /* products of the two shapes */
    bool column;           /* the innermost kept axis lies denser than the reduced ones */
    int64_t blocks;        /* of DH_FOLD_WIDTH outputs along that axis, if column */
    int64_t piece, pieces; /* elements of a piece of the reduced range, and their count */
} dh__nest;

/* ordered: the reduced axes keep their order, for folds that count positions. */
void dh__nest_make(dh__nest *nest, const dh_view *x, uint32_t mask, bool ordered);
/* Address of the first element that belongs to an output. */
const char *dh__nest_at(const dh__nest *nest, int64_t output);
/* Elements [*from, ..) of the reduced range that lie on one line: their address, their count (at
 * most limit - *from); *from moves on. */
const char *dh__nest_line(const dh__nest *nest, const char *base, int64_t *from, int64_t limit,
                          int64_t *count);

/* Reads n elements, stride elements apart, as the type's element (float, double, int64_t,
 * uint64_t). */
void dh__fold_load(dh_dtype dtype, void *out, const void *x, int64_t stride, int64_t n);

/* Takes count finished outputs from first on; called from several threads at once. */
typedef void (*dh__fold_sink)(void *context, int64_t first, const dh__acc *acc, int64_t count);

/* Bytes of scratch that a fold of this nest needs. */
size_t dh__fold_scratch(const dh__nest *nest);
/* centre: of DH_FOLD_SQ, one per output; NULL is 0. */
void dh__fold_run(const dh__nest *nest, dh__fold fold, const double *centre, void *scratch,
                  dh__fold_sink sink, void *context);

#endif
