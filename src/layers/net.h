/* SPDX-License-Identifier: MIT */
/* layers: what a model is made of. A layer knows how to emit its ops into a graph; losses, metrics
 * and optimisers do the same. The room knows graphs; it must not know training loops, files or
 * devices. */
#ifndef DH_NET_H
#define DH_NET_H

#include <deephealth/layers.h>
#include <deephealth/layers_image.h>
#include <deephealth/layers_more.h>

#include "graph.h"

/* Batch of the graph in which constructors check shapes, and in which nothing is computed: a prime
 * that no axis of a user's has, so that what fits by chance does not pass. Messages call it N. */
#define DH_SKETCH_ROWS 1000003

struct dh__build;

/* A kind of layer. */
typedef struct dh__layer_def {
    const char *kind;         /* "dense"; names are kind + number */
    const char *keras, *eddl; /* names there, NULL if there is none */
    size_t args_size;
    const dh_field *fields; /* of the argument struct: all of it but the inputs */
    int in_min, in_max;     /* inputs that it takes */
    /* Emits the layer; training chooses between the two behaviours of dropout and its like. */
    dh_value (*emit)(struct dh__build *build, const void *args, int in_count, const dh_value *in);
} dh__layer_def;

/* The list of the room's kinds, ended by NULL: for docs and saved architectures. */
extern const dh__layer_def *const dh__layer_defs[];

/* What a model begins with. */
typedef struct dh__net {
    char *name;
    dh__params *store;
    int number; /* among the nets of the store, from 1 */
    dh__graph
        *sketch; /* every layer at DH_SKETCH_ROWS, inference: shapes and errors come from it */
    dh_layer **layers;
    int count;
    dh_status status; /* first failure of a constructor */
    char error[512];
    const char *prefix; /* of automatic names; NULL but while a build makes layers */
    dh_layer *retired;
} dh__net;

struct dh_layer {
    dh__net *net;
    const dh__layer_def *def;
    char *name;
    char *owner; /* name under which parameters are stored: its own, or a copy of that of the layer
                    it repeats, which may be of another net */
    void *args;  /* own copy, strings too */
    int index;   /* in net->layers */
    int in_count;
    dh_layer **in;
    dh_value sketch;
    bool frozen;   /* not trained; normalisation then takes its running statistics */
    bool target;   /* a target of a user's loss: fed, but no input of the model */
    bool of_build; /* made by loss_fn or metric_fn, of dh_build: replaced by the next one */
    bool retired;  /* was replaced: no longer of the net, kept since the user may point to it */
    struct dh_layer *next; /* retired before */
};

/* One emission of a net into a graph. */
typedef struct dh__build {
    dh__graph *graph;
    dh__net *net;
    const dh_layer *layer; /* being emitted */
    bool training;
    dh_value part; /* f32 []: rows of those of the batch, where replicas have the others; or
                      DH_NO_VALUE */
} dh__build;

dh_status dh__net_init(dh__net *net, const char *name, dh__params *store);
void dh__net_clear(dh__net *net);

/* A new layer at the end; args is a full struct of def->args_size whose strings are copied. NULL
 * after a failure, which the net remembers. */
dh_layer *dh__layer_new(dh__net *net, const dh__layer_def *def, const void *args, int in_count,
                        dh_layer *const *in);
/* The same layer on other inputs in a net on the same store: same arguments, same parameters. name:
 * NULL for an automatic one. */
dh_layer *dh__layer_again(dh__net *net, const dh_layer *layer, const char *name, int in_count,
                          dh_layer *const *in);
/* Whether both have the same parameters; whether no layer before it in the net has them. */
bool dh__same_owner(const dh_layer *a, const dh_layer *b);
bool dh__first_owner(const dh_layer *layer);
/* The first of the net with the same parameters: itself, if there is none before. */
const dh_layer *dh__owner_of(const dh_layer *layer);
/* A new layer whose parameters have the names that they would have in a layer called owner. */
dh_layer *dh__layer_owned(dh__net *net, const dh__layer_def *def, const void *args, int in_count,
                          dh_layer *const *in, const char *owner);
/* Remembers the thread's last error as the net's first failure. Returns NULL. */
dh_layer *dh__net_failed(dh__net *net, dh_status status);

/* Emits every layer i with wanted[i] whose values[i] is not set yet. Errors begin with the layer.
 */
dh_status dh__net_emit(dh__net *net, dh__graph *graph, bool training, dh_value part,
                       const bool *wanted, dh_value *values);
/* wanted[i] := true for layer and all it is computed from. */
void dh__net_want(const dh_layer *layer, bool *wanted);

/* Writes N for the sketch's batch in the text of the failure. Returns status. */
dh_status dh__sketch_error(dh_status status);

/* A target, whose value is fed, of f32 and the shape of a layer's value in the sketch. */
dh_layer *dh__target_new(dh__net *net, const dh_view *like);

/* Takes the layers that a build has made out of the net, but those that others read or repeat, and
 * the failure they may have left. */
void dh__net_retire(dh__net *net);
/* The layer must be of the net: DH_EINVAL says what it is of; what: "build: output". */
dh_status dh__net_check(const dh__net *net, const dh_layer *layer, const char *what);

dh_layer *dh__find_layer(const dh__net *net, const char *name);

/* --- parameters, for emit functions --- */
typedef struct dh__param {
    const char *suffix; /* "weight" */
    int ndim;
    int64_t shape[DH_MAX_NDIM];
    int64_t fan_in, fan_out;
    dh_initializer init;
    const char *default_init;
    dh_regularizer reg;
    bool state, no_decay;
} dh__param;
dh_value dh__declare(dh__build *build, const dh__param *param);

/* --- initializers.c --- */
/* Fills init function and its numbers; DH_ENAME offers the near ones. */
dh_status dh__initializer_find(dh__segment *segment, const dh_initializer *init,
                               const char *default_name, const char *who);

/* --- activations.c --- */
/* Emits an activation by name on x; "" and NULL are none. alpha 0 and axis 0 are the defaults. */
dh_value dh__activate(dh__graph *graph, const char *name, double alpha, int axis, dh_value x,
                      const char *who);

/* --- small emission helpers (emit.c) --- */
dh_value dh__emit_scale(dh__graph *graph, dh_value x, double alpha,
                        double beta); /* alpha x + beta */
dh_value dh__emit_reduce(dh__graph *graph, int op, dh_value x, int from_axis, bool keepdims);
dh_value dh__emit_cast(dh__graph *graph, dh_value x, dh_dtype dtype); /* itself if it has it */
/* The axis of x, which must not be the batch. */
dh_status dh__feature_axis(int *out, int axis, dh__graph *graph, dh_value x, const char *who);
dh_value dh__emit_fail(dh__graph *graph, dh_status status); /* sets the status, gives DH_NO_VALUE */

#endif
