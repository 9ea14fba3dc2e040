/* SPDX-License-Identifier: MIT */
/* model: build, fit, evaluate, predict on plans. It knows layers and graphs; it must not know file
 * formats beyond weights, nor images or data sets. */
#ifndef DH_MODEL_IMPL_H
#define DH_MODEL_IMPL_H

#include <deephealth/model.h>
#include <deephealth/sys/comm.h>

#include "objective.h"
#include "plan.h"

typedef enum dh__mode { DH_TRAIN = 0, DH_EVAL, DH_PREDICT } dh__mode;

/* What distinguishes one plan of a model from another. */
typedef struct dh__key {
    dh__mode mode;
    int64_t rows;                     /* the bound */
    bool add;                         /* gradients are added to what is there */
    bool early;                       /* weights are updated amid backward, gradients not kept */
    bool sample_weight, class_weight; /* losses of samples are multiplied by what is fed */
    bool share;                       /* the gradient is multiplied by what is fed */
    int group;                        /* batches whose gradients are averaged; 0 is 1 */
    uint64_t freeze;                  /* dh__freeze_key: what is trained, and how fast */
    struct {
        dh_dtype dtype;
        int ndim;
        int64_t shape[DH_MAX_NDIM]; /* axis 0 left 0 */
    } target[DH_MAX_IO];
} dh__key;

/* A plan and the values that the model feeds and reads. */
typedef struct dh__stage {
    dh__key key;
    bool exact; /* for key.rows alone, since a plan for more rows could not shrink to them */
    dh__plan *plan;
    dh_value input[DH_MAX_IO], target[DH_MAX_IO];
    dh_value sample_weight; /* [N], of all outputs */
    dh_value class_weight;  /* [N], of the first */
    dh_value share;
    dh_value output[DH_MAX_IO], keep[DH_MAX_IO];
    dh_value loss, losses[DH_MAX_IO], metric[DH_MAX_METRICS];
    struct dh__stage *next;
} dh__stage;

/* Where a model's steps run: parameters, what its optimiser keeps beside them, the memory of steps
 * and their plans. */
typedef struct dh__replica {
    dh__params *store;
    dh__slots slots;
    dh__arena *arena;
    dh__stage *stages;
    int64_t fresh, seen; /* rows it was trained on since the last update; since all were made one */
} dh__replica;

#define DH_MAX_REPLICAS 64

typedef struct dh__replicas {
    int count;         /* with the first, which is the model's own */
    dh__replica *more; /* the others */
    dh_comm *comm;
    int lsb;
    int batches;         /* since all were made one; with lsb 1 they always are */
    bool alike;          /* nobody else changed the first one's parameters since this generation */
    uint64_t generation; /* of its store */
} dh__replicas;

typedef struct dh__goal { /* the loss of one output */
    const char *name;     /* borrowed from the table of losses; NULL: none, or a user's */
    dh_layer *fn_target, *fn_result;
    float weight;
} dh__goal;

typedef struct dh__model_metric {
    char name[128];
    int output;
    dh__metric metric;
    dh_layer *fn_target, *fn_result;
} dh__model_metric;

/* Figures added up over batches. */
typedef struct dh__pass {
    double loss, losses[DH_MAX_IO];
    int64_t samples;
    double *sums[DH_MAX_METRICS]; /* count[i] of each, and as many of the last batch alone */
    int count[DH_MAX_METRICS];
} dh__pass;

typedef struct dh__lifeboat { /* of a model that is not on the host */
    dh__params *kept;         /* on the host, as they were after so many steps */
    bool sound;
    uint64_t steps;
    double when, took; /* seconds: dh__now() then; of copying */
} dh__lifeboat;

typedef struct dh__peak {
    bool asked;   /* since the profile or the device began */
    double flops; /* a second, multiply-adds in registers; 0: not known */
} dh__peak;

struct dh_model {
    dh__net net;                   /* first: layers see a model as its net */
    atomic_int references;         /* its owner's, and one a session */
    bool built, building, fitting; /* building, fitting: inside dh_build, dh_fit */
    dh_cs cs;
    dh__replica first;      /* on the model's own store */
    dh__replicas *replicas; /* NULL: there is only the first */
    dh__lifeboat rescue;
    int input_count, output_count, keep_count, metric_count;
    dh_layer *input[DH_MAX_IO], *output[DH_MAX_IO], *keep[DH_MAX_IO];
    dh__goal goal[DH_MAX_IO];
    dh__model_metric metric[DH_MAX_METRICS];
    dh_optimizer optimizer;
    dh__clip clip;
    int accumulate;
    bool keep_gradients;
    uint64_t seed;
    bool *frozen; /* by segment of the store, for the first frozen_count */
    int frozen_count;
    int64_t updates;    /* of the optimiser */
    uint64_t steps;     /* training steps: position of the randomness */
    int64_t epochs;     /* trained: stream of the next permutation */
    dh__stage *current; /* holds the last forward's values */
    bool have_gradients, forward_training, need_targets;
    bool profile;       /* of the steps to come */
    bool profile_asked; /* by the environment: told when the model is freed */
    dh__peak peak;      /* with the model's threads */
    int64_t last_rows;
    dh__key gradients_of; /* the plan that made the gradients, while there are any */
    int64_t gradient_rows;
    dh_epoch *history;
    int history_count;
    dh__pass epoch,
        once; /* of fit's epoch; of evaluations and single batches, also amid an epoch */
    const dh__pass *last;
};

/* For who counted itself among the references. */
void dh__model_release(dh_model *model);

/* --- computing_service.c --- */
#define DH__MEMORY_LEVELS "full_mem|mid_mem|low_mem" /* as of dh__memory */
/* Checks a computing service and brings the model's memory to its device. After a failure all is
 * where it was. */
dh_status dh__model_place(dh_model *model, const dh_cs *cs);

/* The store's indices of the model's own parameters, in the order of its layers; freed by the
 * caller. */
dh_status dh__model_segments(int **out, int *count, const dh_model *model);

/* By segment of the store, which of the model's own are trained; freed by the caller. */
dh_status dh__model_trained(bool **out, const dh_model *model);

/* Whether the segment is a parameter or state of the layer. */
bool dh__model_owns(const dh_layer *layer, const dh__segment *segment);

/* Tells apart what is trained and with which lr_scale. */
uint64_t dh__freeze_key(const dh_model *model);

/* Whether whole steps at its level of memory update each weight as soon as its gradient is there.
 */
bool dh__updates_early(const dh_model *model);
bool dh__would_update_early(const dh_model *model, dh__memory level); /* at another */

/* The plan for a key, made if there is none; resized to rows. */
dh_status dh__stage_get(dh__stage **out, dh_model *model, const dh__key *key, int64_t rows);
void dh__stages_free(dh_model *model);
/* The same at another place; keep is never dropped there. Of the model nothing is changed, but
 * memory for training is made. */
dh_status dh__stage_from(dh__stage **out, dh_model *model, dh__replica *at, const dh__stage *keep,
                         const dh__key *key, int64_t rows);
void dh__shelf_clear(dh__stage **stages);
/* Builds without caching; level instead of the model's. */
dh_status dh__stage_new(dh__stage **out, dh_model *model, const dh__key *key, dh__memory level);
void dh__stage_free(dh__stage *stage);

/* --- rescue.c --- */
/* Copies the parameters to the host, where they are elsewhere. */
dh_status dh__rescue_keep(dh_model *model);
dh_status dh__rescue_keep_amid(dh_model *model); /* where it is time */
void dh__rescue_drop(dh_model *model);
/* On the model's way to the host, which has failed: that goes on with what was kept, if the device
 * has failed and there is something. */
dh_status dh__rescue(dh_model *model, dh_status lost);

/* --- shortage.c --- */
/* Where a plan finds no memory on its device: the error tells where the step needs it, and which
 * memory level would fit. */
dh_status dh__explain_shortage(dh_status status, const dh_model *model, const dh__stage *stage);

/* --- data.c: batches from tensors --- */
typedef struct dh__data { /* checked arguments: x one an input, y one an output (or none) */
    const dh_tensor *x[DH_MAX_IO], *y[DH_MAX_IO];
    const dh_tensor *sample_weight;
    const float *class_weight;
    int class_count;
    int64_t begin, count; /* rows used */
} dh__data;
/* From arguments: x and y are xs[0] and ys[0] where given. */
void dh__data_take(dh__data *data, const dh_tensor *x, const dh_tensor *y,
                   const dh_tensor *const *xs, const dh_tensor *const *ys);
dh_status dh__data_check(dh__data *data, const dh_model *model, bool with_targets, const char *who);
/* The key of data's targets. */
void dh__data_key(dh__key *key, const dh__data *data, const dh_model *model, dh__mode mode,
                  int64_t rows);
/* Copies the rows order[0..rows) (or begin, begin + 1, ... where order is NULL) into the stage. */
dh_status dh__feed(dh__stage *stage, const dh_model *model, const dh__data *data,
                   const int64_t *order, int64_t begin, int64_t rows, bool inputs, bool targets);

/* --- pass.c: running stages and adding up figures --- */
void dh__pass_begin(dh_model *model, dh__pass *pass);
/* Adds the last run's figures. */
dh_status dh__pass_add(dh_model *model, dh__pass *pass, const dh__stage *stage);
void dh__pass_result(const dh_model *model, const dh__pass *pass, dh_result *out);
void dh__pass_clear(dh__pass *pass);
/* Loss of the last run; DH_ENUMERIC naming the layer when it is not finite. */
dh_status dh__check_loss(dh_model *model, dh__stage *stage);
dh_status dh__ready(const dh_model *model, bool needs_loss, const char *who);

/* Every public call that computes is between these: the model's thread count holds inside. */
int dh__enter(const dh_model *model);
void dh__leave(int before);

/* --- step.c --- */
typedef struct dh__batch { /* rows of data as dh__feed takes them */
    const dh__data *data;
    const int64_t *order;
    int64_t begin, rows;
} dh__batch;
/* DH_ESTATE where gradients that are to be added to, or applied, are no longer the model's. */
dh_status dh__own_gradients(const dh_model *model, bool needed);
/* DH_ESTATE where they are another model's; those that dh_zero_grads left are nobody's. */
dh_status dh__show_gradients(const dh_model *model);
/* A step of training by the key's plan, with an update or without. Its figures are added to pass,
 * or become those of model->once. */
dh_status dh__train_step(dh_model *model, const dh__key *key, const dh__batch *batch, bool update,
                         double learning_rate, dh__pass *pass);
/* The update alone, by the gradients that steps of such a key have made. */
dh_status dh__train_update(dh_model *model, const dh__key *key, int64_t rows, double learning_rate);
/* The same at the model's own place alone. */
dh_status dh__update_first(dh_model *model, dh__stage *stage, double learning_rate);

/* --- replicas.c --- */
/* *out stays NULL for 1. They have no memory yet. Replica i is on device i % device_count. */
dh_status dh__replicas_new(dh__replicas **out, int count, int lsb, int device_count,
                           dh_device *const *devices, bool fallback);
void dh__replicas_free(dh__replicas *replicas);
int dh__replica_count(const dh_model *model);
dh__replica *dh__replica_at(dh_model *model, int index);
/* Others get what the first one has, where that was changed by anything but steps; memory and
 * parameters are made. */
dh_status dh__replicas_follow(dh_model *model);
void dh__replicas_agree(dh_model *model); /* notes that they have */
dh_status dh__replicas_sum_gradients(dh_model *model);
dh_status dh__replicas_mean_states(dh_model *model); /* running statistics */
dh_status dh__replicas_mean(dh_model *model);        /* all that training changes */
/* That, where they have gone apart: before anybody reads the model's parameters. */
dh_status dh__settle(const dh_model *model);

/* --- session.c --- */
/* A forward of the stage's rows of data, from begin, into the same rows of outs; those that are
 * NULL are made, of data->count rows. */
dh_status dh__predict_rows(dh_tensor **outs, const dh_model *model, dh__stage *stage,
                           const dh__data *data, int64_t begin);

/* --- profile_table.c --- */
/* Whose steps a table is of. */
typedef struct dh__profiled {
    const dh_model *model;
    const char *name; /* "model", or what else has run the model's steps */
    const dh__stage *stages;
    double peak;
    int threads;
} dh__profiled;
dh__profiled dh__profiled_model(const dh_model *model);
/* dh_profile_text and dh_profile of these; who: the function that the user called. */
dh_status dh__profile_write(char **text, const dh__profiled *of, const char *who);
dh_status dh__profile_log(const dh__profiled *of, const char *who);
const char *dh__phase_name(dh__phase phase);
/* The layer that a node belongs to, or what it is for. */
const char *dh__scope_name(const dh_model *model, const dh__node *node);

/* --- profile_trace.c --- */
/* What DEEPHEALTH_PROFILE asks for: when the model is made, and when it or a session is freed. */
void dh__profile_ask(dh_model *model);
void dh__profile_tell(const dh__profiled *of);

/* --- profile.c --- */
/* Measures the peak where it was not asked for before. */
void dh__peak_ask(dh__peak *peak, dh_device *device);
typedef struct dh__times { /* seconds a step; update: running statistics too */
    double forward, backward, update;
} dh__times;
typedef struct dh__profile {
    int64_t steps; /* 0: none was timed, and rows is NULL */
    bool training; /* steps of training; else of evaluations and predictions */
    dh__times
        *rows; /* by layer; then what is no listed layer's; then the optimiser. The caller's */
    dh__times total;
} dh__profile;
/* Means over the steps that were timed. listed[i]: layer i has a row of its own. */
dh_status dh__profile_take(dh__profile *out, const dh_model *model, const bool *listed);

/* --- summary.c --- */
/* Elements of the layer's parameters and states; 0 where they are another layer's. Those that are
 * trained are added to *trainable. */
int64_t dh__layer_parameters(const dh_layer *layer, int64_t *trainable);
const char *dh__layer_shape(char *text, size_t size, const dh_layer *layer); /* "[N, 3]" */

/* --- progress.c --- */
typedef struct dh__progress {
    double start, last;
    bool terminal, quiet;
    int64_t steps; /* 0: not known */
    int epoch, epochs;
} dh__progress;
void dh__progress_begin(dh__progress *p, const dh_event *event, bool quiet);
/* waited: seconds for data */
void dh__progress_step(dh__progress *p, const dh_model *model, int64_t step, double waited);
void dh__progress_end(dh__progress *p, const dh_model *model, const dh_epoch *e, double waited);

bool dh__trainable(const dh_model *model, int segment);

#endif
