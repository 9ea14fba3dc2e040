/* SPDX-License-Identifier: MIT */
/* An emitter that runs each emitted op at once, so that a gradient rule can be tried without a
 * graph. It is as strict as the graph: nothing is promoted, missing attributes become defaults, and
 * what can be a view is one. */
#ifndef DH_TEST_EAGER_TAPE_H
#define DH_TEST_EAGER_TAPE_H

#include "tensor_impl.h"

typedef struct eager_tape {
    dh_emitter emitter; /* first: the emitter is the tape */
    dh_tensor **values; /* value v is values[v], owned */
    int count, capacity;
    const dh_step *step; /* of random ops */
    /* Called after each op that ran, with its data; NULL: nothing. */
    void (*ran)(const dh_call *call);
} eager_tape;

/* How often each op was emitted in this process. */
extern int64_t eager_tape_emitted[DH_OP_COUNT];

void eager_tape_begin(eager_tape *tape, const dh_step *step, uint64_t stream);
void eager_tape_end(eager_tape *tape);
/* Takes the tensor, also when it fails: then DH_NO_VALUE. */
dh_value eager_tape_add(eager_tape *tape, dh_tensor *tensor);

#endif
