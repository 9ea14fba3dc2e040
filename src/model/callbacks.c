/* SPDX-License-Identifier: MIT */
/* Calling callbacks, and those that watch a figure or end fit. */
#include <math.h>
#include <string.h>

#include "callback_impl.h"

const char *dh__callback_kind(const dh_callback *self)
{
    return self->kind ? self->kind : "callback";
}

unsigned dh__callback_moments(const dh_callback *list, bool heavy_only)
{
    unsigned moments = 0;
    for (int i = 0; i < DH_MAX_CALLBACKS; i++)
        if (list[i].call && !(heavy_only && list[i].light))
            moments |= list[i].moments ? list[i].moments : ~0u;
    return moments;
}

static dh_status call(dh_callback *self, dh_event *event)
{
    if (!self->call || (self->moments && !(self->moments & (unsigned)event->moment))) return DH_OK;
    uint64_t told = dh__error_count();
    dh_status status = self->call(self, event);
    if (status && dh__error_count() == told)
        dh_fail(status, "%s ended it in epoch %d, step %lld, with %s", dh__callback_kind(self),
                event->epoch, (long long)event->step, dh_status_name(status));
    return status;
}

dh_status dh__tell(dh_callback *list, dh_event *event, dh_moment moment)
{
    event->moment = moment;
    for (int i = 0; i < DH_MAX_CALLBACKS; i++) DH_TRY(call(&list[i], event));
    return DH_OK;
}

dh_status dh__tell_begin(dh_callback *list, dh_event *event, int *begun)
{
    event->moment = DH_FIT_BEGIN;
    for (*begun = 0; *begun < DH_MAX_CALLBACKS; ++*begun) {
        memset(list[*begun].state, 0, sizeof list[*begun].state);
        DH_TRY(call(&list[*begun], event));
    }
    return DH_OK;
}

dh_status dh__tell_end(dh_callback *list, dh_event *event, int begun, dh_status status)
{
    dh__error first;
    event->moment = DH_FIT_END;
    for (int i = 0; i < begun; i++) {
        event->status = status;
        dh__error_save(&first);
        dh_status ended = call(&list[i], event);
        if (status) dh__error_restore(&first); /* what went wrong first is what is told */
        if (!status) status = ended;
    }
    return status;
}

static dh_status refuse(dh_callback *self, dh_event *event)
{
    DH_UNUSED(event);
    return dh_fail(DH_EINVAL, "%s: its arguments have an unknown struct_size",
                   dh__callback_kind(self));
}

dh_callback dh__callback_refused(const char *kind)
{
    return (dh_callback){.kind = kind, .call = refuse};
}

/* --- watching a figure: args 0 is min_delta, 4 to 6 are what begin finds, state 0 the best value
 * and 1 the epochs since --- */

enum { MIN_DELTA = 0, COLUMN = 4, OF_VALIDATION = 5, SIGN = 6 };
enum { BEST = 0, WAITED = 1 };

static const char *figure_name(int i, const void *payload)
{
    const dh_model *m = payload;
    if (i == 0) return "loss";
    return i <= m->metric_count ? m->metric[i - 1].name : NULL;
}

static dh_status find_figure(dh_callback *self, const dh_model *m, const char *name)
{
    char hint[300];
    for (int i = 0; figure_name(i, m); i++) {
        if (strcmp(figure_name(i, m), name) != 0) continue;
        self->args[COLUMN] = i - 1;
        return DH_OK;
    }
    return dh_fail(DH_ENAME, "%s: monitor \"%s\" is no figure of model \"%s\"%s", self->kind,
                   self->monitor, m->net.name,
                   dh__suggest(hint, sizeof hint, name, figure_name, m));
}

static dh_status find_mode(dh_callback *self, const dh_model *m, const char *mode)
{
    int column = (int)self->args[COLUMN];
    bool max = column >= 0 && m->metric[column].metric.rises;
    DH_REQUIRE(mode || column < 0 || !m->metric[column].fn_result, DH_EINVAL,
               "%s: monitor \"%s\" is a function of yours: set mode to \"min\" or \"max\"",
               self->kind, self->monitor);
    DH_REQUIRE(!mode || !strcmp(mode, "min") || !strcmp(mode, "max"), DH_EINVAL,
               "%s: mode is \"%s\", must be \"min\" or \"max\"", self->kind, mode);
    if (mode) max = !strcmp(mode, "max");
    self->args[SIGN] = max ? 1 : -1;
    return DH_OK;
}

dh_status dh__watch_begin(dh_callback *self, const dh_event *event, const char *mode)
{
    const char *name = self->monitor;
    bool validation = name ? !strncmp(name, "val_", 4) : event->validates;
    DH_REQUIRE(self->args[MIN_DELTA] >= 0, DH_EINVAL, "%s: min_delta is %g, must be at least 0",
               self->kind, self->args[MIN_DELTA]);
    if (!name)
        name = "loss";
    else if (validation)
        name += 4;
    DH_REQUIRE(!validation || event->validates, DH_EINVAL,
               "%s: monitor is \"%s\", but fit has no validation data", self->kind, self->monitor);
    DH_TRY(find_figure(self, event->model, name));
    self->args[OF_VALIDATION] = validation;
    self->state[BEST] = NAN;
    return find_mode(self, event->model, mode);
}

bool dh__watch(dh_callback *self, const dh_event *event)
{
    const dh_result *r = self->args[OF_VALIDATION] != 0 ? event->validation : event->train;
    int column = (int)self->args[COLUMN];
    double value = column < 0 ? r->loss : r->metrics[column];
    double gain = (value - self->state[BEST]) * self->args[SIGN];
    bool better = isnan(self->state[BEST]) ? !isnan(value) : gain > self->args[MIN_DELTA];
    if (better) self->state[BEST] = value;
    self->state[WAITED] = better ? 0 : self->state[WAITED] + 1;
    return better;
}

double dh__watch_waited(const dh_callback *self)
{
    return self->state[WAITED];
}

void dh__watch_text(dh__text *out, const dh_callback *self, const dh_model *model)
{
    dh__text_add(out, "\"%s%s\", %s", self->args[OF_VALIDATION] != 0 ? "val_" : "",
                 figure_name((int)self->args[COLUMN] + 1, model),
                 self->args[SIGN] > 0 ? "max" : "min");
}

/* --- early stopping and the best weights; payload is the mode, args 1 the patience, state 2 is
 * 1 once fit was stopped --- */

static dh_status stop_early(dh_callback *self, dh_event *event)
{
    if (event->moment == DH_FIT_BEGIN) {
        DH_REQUIRE(self->args[1] >= 0, DH_EINVAL,
                   "early_stopping: patience is %g, must be at least 0", self->args[1]);
        return dh__watch_begin(self, event, self->payload);
    }
    if (event->moment == DH_FIT_END) {
        if (!self->path || event->status || isnan(self->state[BEST])) return DH_OK;
        return dh__from("early_stopping", dh_load_weights(event->model, self->path));
    }
    if (event->moment == DH_EPOCH_BEGIN) { /* of a run that was resumed after its end */
        if (self->state[2] != 0) event->stop = true;
        return DH_OK;
    }
    bool better = dh__watch(self, event);
    if (better && self->path)
        return dh__from("early_stopping", dh_save_weights(event->model, self->path));
    if (better || self->state[WAITED] <= self->args[1]) return DH_OK;
    self->state[2] = 1;
    event->stop = true;
    return DH_OK;
}

dh_callback(dh_early_stopping)(const dh_early_stopping_args *args)
{
    dh_early_stopping_args a;
    if (dh__args(&a, sizeof a, args, "early_stopping"))
        return dh__callback_refused("early_stopping");
    return (dh_callback){.call = stop_early,
                         .payload = (void *)(uintptr_t)a.mode,
                         .moments = DH_FIT_BEGIN | DH_EPOCH_BEGIN | DH_EPOCH_END | DH_FIT_END,
                         .kind = "early_stopping",
                         .monitor = a.monitor,
                         .path = a.best,
                         .args = {a.min_delta, a.patience}};
}

static dh_status save_best(dh_callback *self, dh_event *event)
{
    if (event->moment == DH_FIT_BEGIN) {
        DH_REQUIRE(self->path, DH_EINVAL, "best_weights: path is NULL");
        return dh__watch_begin(self, event, self->payload);
    }
    if (!dh__watch(self, event)) return DH_OK;
    return dh__from("best_weights", dh_save_weights(event->model, self->path));
}

dh_callback(dh_best_weights)(const dh_best_weights_args *args)
{
    dh_best_weights_args a;
    if (dh__args(&a, sizeof a, args, "best_weights")) return dh__callback_refused("best_weights");
    return (dh_callback){.call = save_best,
                         .payload = (void *)(uintptr_t)a.mode,
                         .moments = DH_FIT_BEGIN | DH_EPOCH_END,
                         .kind = "best_weights",
                         .monitor = a.monitor,
                         .path = a.path,
                         .args = {a.min_delta}};
}

/* --- ending from outside --- */

static dh_status look_at_flag(dh_callback *self, dh_event *event)
{
    const volatile int *flag = self->payload;
    DH_REQUIRE(flag, DH_EINVAL, "cancel_flag: flag is NULL");
    DH_REQUIRE(event->moment == DH_FIT_BEGIN || !*flag, DH_ECANCELLED,
               "cancelled before epoch %d, step %lld", event->epoch, (long long)event->step);
    return DH_OK;
}

dh_callback dh_cancel_flag(const volatile int *flag)
{
    return (dh_callback){.call = look_at_flag,
                         .payload = (void *)(uintptr_t)flag,
                         .moments = DH_FIT_BEGIN | DH_STEP_BEGIN,
                         .light = true,
                         .kind = "cancel_flag"};
}

/* args 0: seconds, 1: when fit began */
static dh_status look_at_clock(dh_callback *self, dh_event *event)
{
    if (event->moment == DH_FIT_BEGIN) {
        DH_REQUIRE(self->args[0] > 0, DH_EINVAL, "deadline: seconds is %g, must be above 0",
                   self->args[0]);
        self->args[1] = dh__now();
    } else if (dh__now() - self->args[1] > self->args[0]) {
        event->stop = true;
    }
    return DH_OK;
}

dh_callback(dh_deadline)(const dh_deadline_args *args)
{
    dh_deadline_args a;
    if (dh__args(&a, sizeof a, args, "deadline")) return dh__callback_refused("deadline");
    return (dh_callback){.call = look_at_clock,
                         .moments = DH_FIT_BEGIN | DH_STEP_BEGIN,
                         .light = true,
                         .kind = "deadline",
                         .args = {a.seconds}};
}
