/* SPDX-License-Identifier: MIT */
/* Checkpoints of fit: all that a run needs to go on as if it had not stopped, in one file. */
#ifndef DH_CHECKPOINT_H
#define DH_CHECKPOINT_H

#include "callback_impl.h"
#include "fit_data.h"
#include "safetensors.h"

typedef struct dh__checkpoint {
    const char *dir; /* NULL: none are written */
    int64_t every;   /* steps; 0: at the ends of epochs alone */
    int keep;        /* files */
    dh_model *model;
    dh_callback *callbacks;
    dh__text settings,
        layers; /* dh__checkpoint_settings, dh__checkpoint_layers; while it is begun */
    /* where fit stands: steps of the epoch that are done, and of all */
    int64_t epoch, step, total_step;
    double rate;   /* of the last step */
    double begun;  /* the model's rate with which the run began */
    int64_t saved; /* total_step of the last file */
} dh__checkpoint;

/* Makes the folder and removes what a killed run may have left half written. With a->resume the
 * newest file that is whole is read, if there is one; else there must be none. */
dh_status dh__checkpoint_begin(dh__checkpoint *c, const dh_fit_args *a, const dh__fit_data *data);
void dh__checkpoint_end(dh__checkpoint *c); /* also after a failure */
/* Writes one, atomically, and removes those that are too many. */
dh_status dh__checkpoint_save(dh__checkpoint *c);

/* --- shared by writing and reading --- */

#define DH_CHECKPOINT_VERSION "2"
#define DH_CHECKPOINT_FORMAT  "deephealth checkpoint"
#define DH_CHECKPOINT_SLOT    "#optimizer/" /* then the slot, "/", the parameter */
#define DH_CHECKPOINT_PREFIX  "checkpoint-"
#define DH_CHECKPOINT_NUMBERS 6  /* of "#fit/position" */
#define DH_CHECKPOINT_FIGURES 61 /* of an epoch of the history */

/* Tensors by name; owned. */
typedef struct dh__tensor_list {
    const char **names;
    dh_tensor **tensors;
    int count, room;
} dh__tensor_list;
void dh__tensor_list_clear(dh__tensor_list *list);

/* The sum of a file is the CRC-32 over each tensor's name, dtype, shape and data, then over keys
 * and values of the metadata but "sum" itself, in the order of the keys. */
dh_status dh__checkpoint_add_tensor(uint32_t *sum, const char *name, const dh_tensor *tensor);
uint32_t dh__checkpoint_add_pair(uint32_t sum, const char *key, const char *value);
/* Whether a file calls itself a checkpoint, at either of two places. */
bool dh__checkpoint_is(const dh__safetensors *file);
/* DH_EFORMAT where its sum is another than that of its bytes. */
dh_status dh__checkpoint_check_sum(const dh__safetensors *file);
/* Weights, states and what the optimiser keeps, as tensors on their own memory. */
dh_status dh__checkpoint_parameters(dh__tensor_list *list, const dh_model *model);
/* Whether a name with the prefix is that of a checkpoint of at most so many steps. */
bool dh__checkpoint_is_name(const char *name, int64_t most);
/* Numbers of an epoch, and back. */
void dh__checkpoint_put_epoch(double *out, const dh_epoch *e);
void dh__checkpoint_get_epoch(dh_epoch *out, const double *in);

/* --- checkpoint_settings.c --- */

/* What must be given again when a run goes on, after the callbacks' FIT_BEGIN: names and values,
 * each ended by '\0'. The learning rate and epochs are not among them. */
dh_status dh__checkpoint_settings(dh__text *out, const dh_fit_args *a, const dh__fit_data *data);
/* The same of the layers: their kinds, arguments and inputs. */
dh_status dh__checkpoint_layers(dh__text *out, const dh_model *model);
/* DH_ESTATE names the first that differs, and both values. */
dh_status dh__checkpoint_same(const char *there, size_t size, const dh__text *here);

#endif
