/* SPDX-License-Identifier: MIT */
/* Where batches come from, for dh_fit and dh_evaluate or a loop of your own: tensors in an order of
 * their own, a function that makes each batch, or either of them prepared ahead by threads in the
 * background. A source belongs to one thread and one pass at a time. */
#ifndef DEEPHEALTH_SOURCE_H
#define DEEPHEALTH_SOURCE_H

#include <deephealth/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DH_MAX_IO 8 /* inputs, outputs of a model */

typedef struct dh_source dh_source;

/* Tensors of a batch, [rows, ...] each: x one an input, y one an output of the model. */
typedef struct dh_batch {
    dh_tensor *x[DH_MAX_IO], *y[DH_MAX_IO];
    dh_tensor *sample_weight; /* [rows], or NULL */
} dh_batch;
/* Frees the tensors and makes it empty. NULL is fine. */
DH_API void dh_batch_clear(dh_batch *batch);

/* Fills an empty batch, number index of the epoch, both from 0, with tensors that the batch then
 * owns, also after a failure; the same tensors for the same numbers, if runs are to be repeated or
 * resumed. Leaves x[0] NULL behind the last batch of the epoch. Not DH_OK ends the pass with that
 * status. */
typedef dh_status (*dh_batch_fn)(dh_batch *batch, int64_t epoch, int64_t index, void *payload);

typedef struct dh_source_args {
    size_t struct_size;
    dh_batch_fn fill;
    void *payload;
    int64_t batches; /* of an epoch, no more are asked for; 0: not known */
} dh_source_args;
/* dh_source_new(&s, fill, .payload = p) */
DH_API DH_NODISCARD dh_status dh_source_new(dh_source **out, const dh_source_args *args);

typedef struct dh_source_tensors_args {
    size_t struct_size;
    const dh_tensor *x, *y;                         /* [N, ...], in host memory */
    const dh_tensor *xs[DH_MAX_IO], *ys[DH_MAX_IO]; /* where there are several */
    const dh_tensor *sample_weight;                 /* [N] */
    int batch_size;                                 /* default 32 */
    uint64_t seed;
    bool no_shuffle;
    bool drop_last; /* no batch of fewer rows at the end; but fewer rows in all are one batch */
    bool balance;   /* each class of y, integer or one-hot, is drawn as often as any other */
    const dh_tensor *weights; /* [N], each at least 0: rows are drawn, with replacement, as often as
                                 these say in proportion */
    int64_t draws;            /* rows of an epoch with balance or weights; default N */
} dh_source_tensors_args;
/* Rows of tensors, in an order drawn for each epoch from the seed. It shares the tensors' memory:
 * they may be freed, but not changed. dh_source_tensors(&s, x, y, .batch_size = 100) */
DH_API DH_NODISCARD dh_status dh_source_tensors(dh_source **out,
                                                const dh_source_tensors_args *args);

typedef struct dh_source_prefetch_args {
    size_t struct_size;
    dh_source *inner; /* taken over, also after a failure */
    int depth;        /* batches that are ready or being made, at most; default 4 */
    int threads; /* that make them; default 1. With more, a fill function is called by several at
                    once, for different batches. Each computes alone (OpenMP teams of one) */
} dh_source_prefetch_args;
/* Batches of another source, made ahead in the background; in the same order, and an error comes
 * where it would have come. *out is NULL after a failure. dh_source_prefetch(&s, s, .threads = 2)
 */
DH_API DH_NODISCARD dh_status dh_source_prefetch(dh_source **out,
                                                 const dh_source_prefetch_args *args);

/* Waits for a fill that is under way. NULL is fine. */
DH_API void dh_source_free(dh_source *source);

/* Batches of an epoch; 0: not known. -1 for NULL. */
DH_API int64_t dh_source_batches(const dh_source *source);
/* The next batch will be number index of the epoch, both from 0. */
DH_API DH_NODISCARD dh_status dh_source_start(dh_source *source, int64_t epoch, int64_t index);
/* The next batch, for dh_batch_clear to free; x[0] is NULL behind the last one. */
DH_API DH_NODISCARD dh_status dh_source_next(dh_batch *out, dh_source *source);

#ifndef __cplusplus
#define dh_source_new(out, ...) \
    dh_source_new(out,          \
                  &(dh_source_args){.struct_size = sizeof(dh_source_args), .fill = __VA_ARGS__})
#define dh_source_tensors(out, ...)                   \
    dh_source_tensors(out, &(dh_source_tensors_args){ \
                               .struct_size = sizeof(dh_source_tensors_args), .x = __VA_ARGS__})
#define dh_source_prefetch(out, ...)                                                              \
    dh_source_prefetch(out,                                                                       \
                       &(dh_source_prefetch_args){.struct_size = sizeof(dh_source_prefetch_args), \
                                                  .inner = __VA_ARGS__})
#endif

#ifdef __cplusplus
}
#endif
#endif
