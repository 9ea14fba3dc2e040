/* SPDX-License-Identifier: MIT */
/* Losses, metrics and optimisers as ops emitted into a step's graph. */
#ifndef DH_OBJECTIVE_H
#define DH_OBJECTIVE_H

#include <deephealth/optimizers.h>

#include "net.h"

/* --- losses.c --- */

/* The loss of each sample, [N], of prediction against target. The target is a probability or value
 * a prediction, or for categorical losses an integer label a sample. */
dh_value dh__loss_emit(dh__graph *graph, const char *name, dh_value prediction, dh_value target);
dh_status dh__loss_check(const char *name);  /* DH_ENAME offers the near ones */
const char *dh__loss_name(const char *name); /* the table's own copy, NULL if unknown */
/* The target in the prediction's dtype and shape; [N] serves for [N, 1], anything else is
 * DH_ESHAPE. */
dh_value dh__target_like(dh__graph *graph, dh_value prediction, dh_value target);
/* Mean over all axes but the batch: [N, ...] -> [N]; a scalar stays. */
dh_value dh__per_sample(dh__graph *graph, dh_value x);
/* Regularisation of the listed segments, a scalar; DH_NO_VALUE when there is none. */
dh_value dh__regularization_emit(dh__graph *graph, int count, const int *segments);

/* --- metrics.c --- */

typedef struct dh__metric {
    const char *name; /* as printed */
    /* Emits what is added up over batches, a vector f32. k: of top_k. */
    dh_value (*emit)(dh__graph *graph, dh_value prediction, dh_value target, int k);
    /* The figure of an epoch from the sums over all its samples. */
    double (*finish)(const double *sums, int count, double samples);
    int k;
    bool rises; /* more is better */
} dh__metric;
dh_status dh__metric_find(dh__metric *out, const char *name);
/* What a user's function gave: one value a sample, averaged. */
double dh__metric_mean(const double *sums, int count, double samples);
dh_value dh__sum_samples(dh__graph *graph, dh_value per_sample); /* [N] -> [1] */

/* --- optimizers.c --- */

typedef struct dh__clip {
    float value, norm, global_norm; /* 0: off */
} dh__clip;
dh_status dh__optimizer_check(dh_optimizer *optimizer); /* and fills defaults */
int dh__optimizer_slots(const dh_optimizer *optimizer);
const char *dh__optimizer_name(const dh_optimizer *optimizer);
const dh_field *
dh__optimizer_fields(const dh_optimizer *optimizer); /* floats that its kind reads */
/* Emits clipping and the update of every segment with train[i], whose gradients lie in the store.
 */
dh_status dh__optimizer_emit(dh__graph *graph, const dh_optimizer *optimizer, const dh__clip *clip,
                             const bool *train);
/* The update of one segment by its gradient, of its shape. */
dh_status dh__optimizer_emit_one(dh__graph *graph, const dh_optimizer *optimizer, int segment,
                                 dh_value grad);

#endif
