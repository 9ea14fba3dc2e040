/* SPDX-License-Identifier: MIT */
/* Derived weights: what an implementation makes of weights and states alone, a call's inputs behind
 * the first, before it can use them (packed, transformed, scaled). Plans that only predict keep
 * them beside the store, one for all plans and sessions that run the same implementation on the
 * same weight, and remake them when weights have changed. Once sessions alone are left on a
 * store, nobody can read or change its weights but their plans: then a weight that all of them read
 * in derived form gives up its memory.
 */
#ifndef DH_DERIVED_H
#define DH_DERIVED_H

#include "store.h"

#define DH_DERIVED_FROM 8

typedef struct dh__derived_from { /* where such an input lies in the store */
    dh__home home;
    int64_t offset;
} dh__derived_from;

typedef struct dh__derived {
    struct dh__derived *next;
    dh__segment *weight; /* the first of those inputs; NULL where that is not a whole one */
    int users;           /* nodes of plans */
    int pins;            /* runs that read data now */
    const dh_impl *impl;
    const dh_op *op;
    void *attr;
    int count; /* of those inputs */
    dh__derived_from from[DH_DERIVED_FROM];
    int ndim; /* of input 1 */
    int64_t shape[DH_MAX_NDIM];
    size_t bytes;
    void *data;
    uint64_t generation; /* of the weights that it was made of; 0: none */
} dh__derived;

/* The one for this call, whose inputs behind the first, count of them, lie there; NULL through out
 * where the implementation has nothing to derive, and where the weight has been given up. */
dh_status dh__derived_get(dh__derived **out, dh__params *store, const dh_impl *impl,
                          const dh_call *call, const dh__derived_from *from, int count);
void dh__derived_drop(dh__params *store, dh__derived *derived); /* NULL is fine */

/* Its data for a run, made anew if weights have changed; behind the run it is unpinned, also if it
 * is NULL. That it is where it can't be kept: while someone else than plans and sessions can write
 * to the weights, for then nobody knows when they change, and while another run still reads what is
 * to be made anew. */
const void *dh__derived_pin(dh__params *store, dh__derived *derived, const dh_call *call);
void dh__derived_unpin(dh__params *store, dh__derived *derived, const void *data);

/* A node of a plan that only predicts reads weights that lie there, count elements from offset, and
 * no more when change is negative. Told before dh__derived_get, and behind dh__derived_drop. */
void dh__weights_read(dh__params *store, int64_t offset, int64_t count, int change);
/* Whether one of these was given up. */
bool dh__weights_given_up(dh__params *store, int64_t offset, int64_t count);

#endif
