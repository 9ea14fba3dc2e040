/* SPDX-License-Identifier: MIT */
/* What a model is made of, apart from any build. */
#ifndef DH_ARCHITECTURE_H
#define DH_ARCHITECTURE_H

#include "json.h"
#include "model_impl.h"

#define DH_ARCHITECTURE_FORMAT  "deephealth-model"
#define DH_ARCHITECTURE_VERSION 1

/* The layers, by index: those that the user made and what they are computed from, but not what only
 * a loss_fn needs. Freed by the caller. */
dh_status dh__architecture(bool **out, const dh_model *model);

/* Refuses NULL, and a model with a layer that failed. */
dh_status dh__sound(const dh_model *model, const char *who);
/* A file of these bytes, written atomically. */
dh_status dh__write_whole(const char *path, const void *bytes, size_t size);

/* Adds the model as JSON. */
dh_status dh__architecture_write(dh__text *out, const dh_model *model);
/* who begins messages. */
dh_status dh__architecture_read(dh_model **out, const char *text, size_t size, const char *who);
/* Fills a kind's argument struct from the object that stands at a place; strings are the reader's.
 * layer names it in messages. */
dh_status dh__architecture_arguments(dh__json *json, size_t at, const dh__layer_def *def,
                                     char *args, const char *layer);

#endif
