/* SPDX-License-Identifier: MIT */
/* The parameter store: named tensors in flat arenas. Models are graphs over a store, so several may
 * share one. Weights are what optimisers change, states what forward changes (running statistics).
 */
#ifndef DH_STORE_H
#define DH_STORE_H

#include <pthread.h>

#include "tensor_impl.h"

#define DH_STORE_SLOTS 4 /* optimiser arrays beside weights and gradients */

typedef enum dh__home {
    DH_HOME_ARENA = 0, /* planned memory of a step */
    DH_HOME_INPUT,     /* fed before a step; also in the planned memory, alive to the step's end */
    DH_HOME_CONST,
    DH_HOME_WEIGHT, /* these live in the store, at an offset of elements */
    DH_HOME_STATE,
    DH_HOME_GRAD,
    DH_HOME_SLOT
} dh__home;

struct dh__segment;
/* Writes the initial values, contiguous f32; seed and the segment's name give the randomness. */
typedef dh_status (*dh__init_fn)(const struct dh__segment *segment, float *data, uint64_t seed);

typedef struct dh__segment {
    char *name; /* "dense1/weight" */
    int ndim;
    int64_t shape[DH_MAX_NDIM], count;
    int64_t offset; /* in its arena, elements, a multiple of 16 */
    bool state;     /* lives in the states' arena and is never trained */
    float lr_scale; /* times the learning rate; 1 by default */
    float l1, l2;   /* regularisation added to the loss */
    bool no_decay;  /* weight decay of optimisers leaves it alone (biases, norms) */
    dh__init_fn init;
    double init_a, init_b; /* parameters of init */
    int64_t fan_in, fan_out;
    int net; /* number of the net that declared it */
    /* of a weight, under the store's derived_lock: */
    int reads;     /* by nodes of plans; twice where a plan may read it in two ways */
    bool given_up; /* its numbers are gone: all who read it have derived what they need */
} dh__segment;

typedef struct dh__params {
    atomic_int references;
    dh_device *device;
    dh__segment **segments;
    int count;
    int nets;                      /* numbers given to nets */
    int64_t used[2];               /* elements laid out: weights, states */
    dh__storage *weights, *states; /* f32; NULL until dh__params_allocate */
    dh__storage *grads;
    const void *gradients_of; /* who wrote them last: a model, never followed; NULL: they are 0 */
    int64_t allocated[2];
    uint64_t layout;             /* changes when addresses do: plans bind again */
    _Atomic uint64_t generation; /* changes when weights do: derived weights must be remade */
    uint64_t seed;
    atomic_int owners;  /* models that their users hold; without any, sessions alone read it */
    atomic_int readers; /* of the references to weights, those that only keep them: sessions */
    struct dh__derived *derived;
    int plain; /* runs of nodes that now read weights though they have derived ones */
    pthread_mutex_t derived_lock; /* also while readers and references change together */
} dh__params;

dh_status dh__params_new(dh__params **out, dh_device *device);
void dh__params_retain(dh__params *store);
void dh__params_release(dh__params *store);
/* A model on the store is made, or given up by its user: what only training needs goes with the
 * last. */
void dh__params_own(dh__params *store);
void dh__params_disown(dh__params *store);

/* Adds a segment (name copied; other fields from `like`), or finds the one of that name, whose
 * shape must agree (DH_ESHAPE names both), and whose regularizer is that of `like` unless that has
 * none (DH_EINVAL). The index comes through out. */
dh_status dh__params_declare(dh__params *store, int *out, const dh__segment *like,
                             const char *name);
int dh__params_find(const dh__params *store, const char *name); /* -1 */

/* Lays out memory for all segments and draws the initial values of those that are new. DH_ESTATE if
 * memory must be added while tensors on the store's memory are held. */
dh_status dh__params_allocate(dh__params *store, uint64_t seed);
/* Gradients, zeroed when new. */
dh_status dh__params_train(dh__params *store);

/* What one model's optimiser keeps beside the weights that it trains; several models may train one
 * store. */
typedef struct dh__slots {
    dh__storage *arena[DH_STORE_SLOTS];
    int64_t *at; /* by segment: where its elements lie in each arena; -1: it has none */
    int count;   /* segments that at knows */
} dh__slots;

/* Takes all memory of the store, and the slots that one model has beside it, to another device. No
 * plan of theirs must be left. DH_ESTATE while tensors on it are held; after a failure all is where
 * it was. */
dh_status dh__params_move(dh__params *store, dh__slots *slots, dh_device *device);
/* The same bytes; sizes agree, devices need not. */
dh_status dh__storage_copy(dh__storage *to, const dh__storage *from);

/* A store with the same segments, of no values yet, on a device. */
dh_status dh__params_clone(dh__params **out, const dh__params *from, dh_device *device);
/* Whether the segments and what is laid out of them are still the same. */
bool dh__params_alike(const dh__params *clone, const dh__params *of);
/* A clone gets the weights and states, and the rates. */
dh_status dh__params_follow(dh__params *clone, const dh__params *of);
/* Weights and states of a clone take the place of the store's own, on the clone's device; gradients
 * and slots are gone. DH_ESTATE while tensors on them are held. */
dh_status dh__params_replace(dh__params *store, dh__slots *slots, dh__params *clone);
void dh__params_follow_rates(dh__params *clone, const dh__params *of);

/* Slots [0, count) for the segments with wanted[i], beside those that have them already; zeroed
 * when new. Weights that lie behind each other have slots that do. */
dh_status dh__slots_reserve(dh__slots *slots, dh__params *store, int count, const bool *wanted);
/* Elements that an arena would have then. */
int64_t dh__slots_elements(const dh__slots *slots, const dh__params *store, const bool *wanted);
void dh__slots_clear(dh__slots *slots);
/* Of the segment that lies at offset in the weights' arena; NULL where it has none. */
void *dh__slots_address(const dh__slots *slots, const dh__params *store, int slot, int64_t offset);

/* Address of offset in the arena of a home but DH_HOME_SLOT; NULL while not allocated. */
void *dh__params_address(const dh__params *store, dh__home home, int64_t offset);
/* A tensor on a segment's memory (shares storage). home: WEIGHT (or STATE by itself) or GRAD. Who
 * writes to weights by it, or lets others do so, counts generation up. */
dh_status dh__params_tensor(dh_tensor **out, const dh__params *store, int segment, dh__home home);
/* The same to read on the host: a copy where the store is on another device. */
dh_status dh__params_on_host(dh_tensor **out, const dh__params *store, int segment, dh__home home);

#endif
