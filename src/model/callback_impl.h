/* SPDX-License-Identifier: MIT */
/* What fit knows of its callbacks, and what those that watch a figure share. */
#ifndef DH_CALLBACKS_IMPL_H
#define DH_CALLBACKS_IMPL_H

#include <deephealth/callbacks.h>

#include "model_impl.h"

const char *dh__callback_kind(const dh_callback *self);
/* All moments at which one of the list is called; heavy_only: without those that are light. */
unsigned dh__callback_moments(const dh_callback *list, bool heavy_only);
/* A callback that fails when fit begins: its arguments could not be read. */
dh_callback dh__callback_refused(const char *kind);

/* Calls those of the list that want the moment, in order, up to the first failure. */
dh_status dh__tell(dh_callback *list, dh_event *event, dh_moment moment);
/* FIT_BEGIN with states cleared; *begun: how many came through. */
dh_status dh__tell_begin(dh_callback *list, dh_event *event, int *begun);
/* FIT_END for those. Returns status, or the first failure where that is DH_OK. */
dh_status dh__tell_end(dh_callback *list, dh_event *event, int begun, dh_status status);

/* Watching a figure: args 0 is min_delta, 4 to 6 and state 0 and 1 are taken. */
dh_status dh__watch_begin(dh_callback *self, const dh_event *event, const char *mode);
bool dh__watch(dh_callback *self, const dh_event *event); /* at EPOCH_END: better than ever? */
double dh__watch_waited(const dh_callback *self);         /* epochs since the best */
/* Once begun: the figure's name and what is better of it. */
void dh__watch_text(dh__text *out, const dh_callback *self, const dh_model *model);

#endif
