/* SPDX-License-Identifier: MIT */
/* A plan: a graph with memory and implementations chosen. It is made at the bound of the batch and
 * runs any smaller size; running allocates nothing. */
#ifndef DH_PLAN_H
#define DH_PLAN_H

#include "derived.h"
#include "graph.h"

/* One block of device memory that several plans share: training and inference never run at once. */
typedef struct dh__arena {
    dh_device *device;
    void *data;
    size_t size;
    bool fallback;     /* what the device cannot run is run by the CPU */
    uint64_t version;  /* changes when data does, or when another plan has written into it */
    const void *owner; /* the plan whose values it holds now */
} dh__arena;

dh_status dh__arena_new(dh__arena **out, dh_device *device);
void dh__arena_free(dh__arena *arena);

typedef enum dh__memory { DH_FULL_MEM = 0, DH_MID_MEM, DH_LOW_MEM } dh__memory;

typedef struct dh__slot { /* where a value lies */
    dh_value base;        /* the value whose buffer it shares; itself if it has its own */
    int64_t shift;        /* elements from the base's start: what views add */
    size_t at, size;      /* of a base in the arena: offset and bytes at the bound */
    size_t band;          /* bytes of it that are there at once; 0: all */
    int first, last;      /* nodes between which a base is alive */
} dh__slot;

typedef struct dh__spent { /* while profiling, of all runs */
    int64_t runs;
    double seconds, flops, bytes;
    double began; /* the last one: dh__now() */
    double last;  /* seconds of it */
} dh__spent;

typedef struct dh__chain { /* nodes that run band by band */
    int begin, end;        /* end 0: no chain */
    int64_t images, rows;  /* of the last one's result, at a time */
} dh__chain;

typedef struct dh__step_call {
    dh_call call;
    const dh_impl *impl;        /* NULL: a view, nothing to run */
    size_t scratch, scratch_at; /* bytes, and offset in the arena */
    dh__chain chain;            /* that it belongs to */
    dh__derived *derived;       /* of a weight, in plans that only predict; or NULL */
    bool varies;                /* with the rows, by what derived is */
    dh__spent spent;
} dh__step_call;

typedef struct dh__plan {
    dh__graph *graph; /* owned */
    dh__arena *arena; /* borrowed */
    dh__slot *slots;  /* by value */
    dh_view *views;   /* by value: at the current size, data bound */
    dh__step_call *calls;
    dh_view *call_views; /* all calls' inputs and outputs */
    void *consts;
    void *staging; /* of the host, where it can't reach the device's: for the largest input, and for
                      the largest node that the CPU runs */
    size_t staging_size, staged; /* bytes that nodes need, and that there are */
    size_t arena_size;
    int phase_end[DH_PHASES]; /* nodes [phase_end[p - 1], phase_end[p]); updates also among others
                               */
    int64_t rows;             /* current length of the inputs' axis 0 */
    uint64_t bound_layout;
    void *bound_arena;
    dh_step step;
    bool reading; /* the store knows which weights it reads; if it only predicts */
    bool profile;
    int64_t runs;   /* while profiling */
    bool ran, cold; /* ran: ever; cold: the one run profiled so far was the first of all */
} dh__plan;

/* Takes graph over (also on failure). For training, level decides what backward computes again. */
dh_status dh__plan_new(dh__plan **out, dh__graph *graph_take, dh__arena *arena, dh__memory level);
void dh__plan_free(dh__plan *plan);

/* Sets the length of axis 0 of all inputs, at most the bound; fails, with the plan as it was, where
 * an op cannot take it or would need more memory: then a plan at that size is wanted. */
dh_status dh__plan_resize(dh__plan *plan, int64_t rows);

/* Addresses of inputs and results. Binds first where memory moved. */
dh_status dh__plan_bind(dh__plan *plan);
const dh_view *dh__plan_view(const dh__plan *plan, dh_value value);

/* --- plan_host.c --- */
dh_status dh__plan_stage(dh__plan *plan); /* makes staging where it is needed */
/* Where the host writes an input of a bound plan; once it is written, dh__plan_fed sends it to the
 * device, before the next input is asked for. */
dh_view dh__plan_feed(const dh__plan *plan, dh_value value);
dh_status dh__plan_fed(const dh__plan *plan, dh_value value);
/* count elements from the first of a packed value as numbers; it waits for the device. */
dh_status dh__plan_numbers(double *out, const dh__plan *plan, dh_value value, int64_t count);
/* A tensor of the host with a packed value's elements. */
dh_status dh__plan_tensor(dh_tensor **out, const dh__plan *plan, dh_value value);
/* Whether no element of a view in the plan's memory is a NaN or infinity; integers are finite. */
dh_status dh__plan_finite(bool *out, const dh__plan *plan, const dh_view *view);

/* Forgets what was measured. */
void dh__plan_forget(dh__plan *plan);

/* Runs the nodes of phases first..last, and hastened updates among them. The first run of all takes
 * its memory from the system, page by page, so a profile has it only until there is a second one.
 */
dh_status dh__plan_run(dh__plan *plan, dh__phase first, dh__phase last);
/* The same in stretches: *at is 0 at first, then the number of nodes behind us. Each ends behind the
 * next node of DH_OP_MEETS, whose result is `met` then, and the last one at the end, where met is
 * NULL. */
dh_status dh__plan_run_on(dh__plan *plan, dh__phase first, dh__phase last, int *at,
                          const dh_view **met);

/* After a run whose loss was not finite: the scope of the first node, in order, whose output holds
 * a NaN or infinity, by running the forward phase again; -1 if there is none. name: of its op. */
dh_status dh__plan_find_nan(dh__plan *plan, int *scope, const char **op);

/* --- plan_weights.c --- */
void dh__plan_tell_reads(dh__plan *plan);
void dh__plan_drop_derived(dh__plan *plan); /* and the reads */
/* What the implementation of call i, just chosen, derives of weights; first: the plan is being
 * made. DH_ESTATE where the weight has been given up, and no plan had derived this of it. */
dh_status dh__plan_settle_derived(dh__plan *plan, int i, bool first);
/* Finds out which weights are read in another form where there are fewer rows, so that the store
 * keeps what that is made of. */
void dh__plan_try_fewer(dh__plan *plan);

/* --- chains.c --- */
/* Finds chains where they pay, once all is settled and before memory is planned. */
dh_status dh__plan_find_chains(dh__plan *plan);
/* Makes a chain of at most three nodes, whose results but the last one's lie channels last and are
 * read by the next node alone; bands of several images have all rows. With DH_EUNSUPPORTED, and
 * nothing changed, where bands do not work. */
dh_status dh__plan_chain(dh__plan *plan, const dh__chain *chain);
/* At another size: DH_EUNSUPPORTED where one does not work or needs more memory. */
dh_status dh__plan_check_chains(dh__plan *plan);
/* Runs each application by `each`, band by band. */
dh_status dh__plan_run_chain(dh__plan *plan, const dh__chain *chain,
                             dh_status (*each)(dh__step_call *step, const dh_call *call));

/* --- recompute.c --- */
/* Makes backward compute forward values again instead of keeping them; segments is used by low_mem.
 */
dh_status dh__graph_recompute(dh__graph *graph, dh__memory level, int segments);

/* --- split.c --- */
/* In copy, a copy of the plan's graph: makes one value again that lies idle where the plan needs
 * the most memory, if that takes at most *flops, which it is then less. done: there was one. */
dh_status dh__graph_split_peak(dh__graph *copy, const dh__plan *plan, double *flops, bool *done);

/* The node where the plan needs the most memory; -1 where memory lacks for finding out. */
int dh__plan_peak(const dh__plan *plan, size_t *bytes);

/* --- memory_plan.c --- */
/* Fills slots (views, in-place, lifetimes, offsets) and the arena's size. */
dh_status dh__plan_memory(dh__plan *plan);

#endif
