/* SPDX-License-Identifier: MIT */
/* Derived weights: what an implementation makes of a weight alone before it can use it (packed,
 * transformed). Plans that only predict keep them beside the store, one for all plans and sessions
 * that run the same implementation on the same weight, and remake them when weights have changed.
 */
#ifndef DH_DERIVED_H
#define DH_DERIVED_H

#include "store.h"

typedef struct dh__derived {
    struct dh__derived *next;
    int users; /* plans */
    const dh_impl *impl;
    const dh_op *op;
    void *attr;
    int64_t offset; /* of the weight in the store */
    int ndim;
    int64_t shape[DH_MAX_NDIM];
    size_t bytes;
    void *data;
    uint64_t generation; /* of the weights that it was made of; 0: none */
} dh__derived;

/* The one for this call, whose input 1 lies at offset among the store's weights; NULL through out
 * where the implementation has nothing to derive. */
dh_status dh__derived_get(dh__derived **out, dh__params *store, const dh_impl *impl,
                          const dh_call *call, int64_t offset);
void dh__derived_drop(dh__params *store, dh__derived *derived); /* NULL is fine */

/* Its data, made anew if weights have changed; NULL while someone else than plans and sessions can
 * write to the weights, for then nobody knows when they change. */
const void *dh__derived_data(dh__params *store, dh__derived *derived, const dh_call *call);

#endif
