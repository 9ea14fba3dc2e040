/* SPDX-License-Identifier: MIT */
/* graph: a whole step as one graph of ops: forward, loss, backward, update. It knows ops and the
 * parameter store; it must not know layers, losses or optimisers by name. */
#ifndef DH_GRAPH_H
#define DH_GRAPH_H

#include "store.h"

/* DH_LOSS: losses and metrics. DH_COMMIT: what a batch leaves behind beside gradients (running
 * statistics). What follows DH_LOSS runs once the loss is known to be finite. */
typedef enum dh__phase {
    DH_FORWARD = 0,
    DH_LOSS,
    DH_BACKWARD,
    DH_COMMIT,
    DH_UPDATE,
    DH_PHASES
} dh__phase;

typedef struct dh__node {
    int op;
    dh__phase phase;
    int scope;       /* index of the layer it came from, -1 outside */
    uint64_t stream; /* of random ops */
    bool exact_ties; /* of its call */
    int in_count, out_count;
    dh_value *in, *out;
    void *attr; /* all three lie in the node's own block */
} dh__node;

typedef struct dh__val {
    dh_view view; /* dtype, shape, packed strides, at the bound; data NULL */
    bool last;    /* it lies with axis 1, the channels, innermost */
    dh__home home;
    int slot;       /* of DH_HOME_SLOT; index of an input or a constant */
    int64_t offset; /* in the store's arena, elements */
    int node;       /* producer, -1 for inputs, constants and what lies in the store */
    bool keep;      /* read after the step: alive to its end */
} dh__val;

typedef struct dh__const {
    dh_value value;
    double *data;
} dh__const;

typedef struct dh__graph {
    dh_emitter emitter;     /* first: gradient rules and layers emit through it */
    dh__params *store;      /* retained */
    const dh__slots *slots; /* borrowed from the model; NULL where nothing is optimised */
    dh__node **nodes;
    int node_count, node_room;
    dh__val *values;
    int value_count, value_room;
    dh__const *consts;
    int const_count;
    int input_count;
    dh__phase phase; /* given to nodes that are emitted */
    int scope;
} dh__graph;

dh_status dh__graph_new(dh__graph **out, dh__params *store);
void dh__graph_free(dh__graph *graph); /* NULL is fine */

/* Values that no node makes. Each returns DH_NO_VALUE with emitter.status set on failure. */
dh_value dh__graph_input(dh__graph *graph, dh_dtype dtype, int ndim, const int64_t *shape);
dh_value dh__graph_const(dh__graph *graph, dh_dtype dtype, int ndim, const int64_t *shape,
                         const double *data); /* copied */
dh_value dh__graph_scalar(dh__graph *graph, dh_dtype dtype, double value);
dh_value dh__graph_segment(dh__graph *graph, int segment, dh__home home, int slot);
/* count elements from offset of an arena as one flat f32 value. */
dh_value dh__graph_flat(dh__graph *graph, dh__home home, int slot, int64_t offset, int64_t count);

/* Lets value lie at the place of `place` (a value in the store, same shape): the producer writes
 * there, or a copy is emitted where it can't. Returns the value to use from now on. */
dh_value dh__graph_place(dh__graph *graph, dh_value value, dh_value place);

/* Emits gradients: dy[i] flows into root[i]; grads[j] becomes the gradient of wrt[j], DH_NO_VALUE
 * where nothing flows. Nodes get phase DH_BACKWARD. */
dh_status dh__graph_backward(dh__graph *graph, int roots, const dh_value *root, const dh_value *dy,
                             int count, const dh_value *wrt, dh_value *grads);

const dh_view *dh__graph_view(const dh__graph *graph, dh_value value);
/* The value whose buffer it lies in where all is a view that can be; itself. */
dh_value dh__graph_origin(const dh__graph *graph, dh_value value);
/* Whether a value shares memory of the store with another, or is that. */
bool dh__graph_at_place(const dh__graph *graph, dh_value value, dh_value place);

/* --- passes ---
 * Each leaves an equal graph. Order: sort, fold, fuse, fuse pools, prune, mark ties, lay
 * channels, recompute, hasten updates, plan (which finds chains). */

/* Puts the nodes in the order of their phases, which stays theirs inside each. */
dh_status dh__graph_sort(dh__graph *graph);
/* Where nothing learns, a convolution + batch_norm with given statistics, where nothing else reads
 * between: one node, which scales the weights instead of the results. */
dh_status dh__graph_fold(dh__graph *graph);
/* A convolution or batch norm + the sum of its result and an earlier value, where nothing else
 * reads between: one node. An op that can apply an activation last (its fields act and alpha) + one
 * of dh__act, where nothing else reads between: one node. The same of a batch norm's gradient with
 * the gradient of the activation. */
dh_status dh__graph_fuse(dh__graph *graph);
/* A convolution + maximum pooling by windows of 2x2, 2 apart, where nothing else reads between and
 * the same implementation takes both, asked with packed images: one node. */
dh_status dh__graph_fuse_pools(dh__graph *graph, dh_device *device);
/* Drops nodes that reach neither a kept value nor an update. */
dh_status dh__graph_prune(dh__graph *graph);
/* Sets exact_ties in the nodes on the way to one that selects, if a gradient flows through that. */
dh_status dh__graph_mark_ties(dh__graph *graph);

/* Updates by gradients that are not kept come as soon as nobody reads the weight any more in this
 * step. To be done again when nodes were added. */
dh_status dh__graph_hasten_updates(dh__graph *graph);

/* Where nothing learns: values of images lie channels last, where all that makes and reads them
 * takes them so at full speed (dh_impl.channels_last). Their strides alone tell. */
dh_status dh__graph_lay_channels(dh__graph *graph, dh_device *device);

/* A copy, node for node; the store is shared. */
dh_status dh__graph_clone(dh__graph **out, const dh__graph *graph);

/* For passes: how many inputs read each value, kept values counting once more. Freed by dh__free;
 * NULL where memory lacks. */
int *dh__graph_readers(const dh__graph *graph);
/* For passes: what the device runs the node by, if its inputs and then its outputs lie like views;
 * NULL where it has nothing for it. */
const dh_impl *dh__graph_choose(const dh__node *n, dh_view *views, dh_device *device);
/* For passes: closes the gaps of nodes that are NULL now. */
void dh__graph_drop_empty(dh__graph *graph);
/* For passes: a node like `like` with other inputs and outputs, appended. */
dh_status dh__graph_repeat(dh__graph *graph, const dh__node *like, const dh_value *in,
                           dh_value *out);
/* For passes: in the place of node index one that is like it but for its inputs; NULL, and nothing
 * changed, where memory lacks. */
dh__node *dh__graph_with_inputs(dh__graph *graph, int index, int in_count, const dh_value *in);

#endif
