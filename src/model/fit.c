/* SPDX-License-Identifier: MIT */
/* dh_fit: epochs and steps. */
#include <string.h>

#include "callback_impl.h"
#include "checkpoint.h"

typedef struct fitting {
    dh_model *model;
    dh_fit_args a;
    dh__fit_data data;
    unsigned moments; /* at which a callback is called */
    bool breaks;      /* something of the user's comes between steps */
    double rate;      /* of the last step */
    dh_event event;
    dh__checkpoint checkpoint;
} fitting;

/* Cheap where no callback wants the moment. */
static dh_status tell(fitting *f, dh_moment moment)
{
    return f->moments & (unsigned)moment ? dh__tell(f->a.callbacks, &f->event, moment) : DH_OK;
}

/* An epoch under way. */
typedef struct epoch_run {
    fitting *f;
    dh__rows rows; /* of the step */
    dh__data data;
    dh__key key;  /* of the last step */
    int64_t size; /* rows of it; 0: there was none */
    bool updated; /* by the last step */
    bool broken;  /* stopped before its end */
    dh__progress progress;
    dh_result *result;
    dh_status status;
} epoch_run;

/* Batches whose gradients are averaged in the step: fewer at an epoch's end, where that is known.
 */
static int64_t group_of(const dh_model *m, int64_t step, int64_t steps)
{
    int64_t left = steps - step / m->accumulate * m->accumulate;
    return steps && left < m->accumulate ? left : m->accumulate;
}

static dh_status train_rows(epoch_run *e)
{
    fitting *f = e->f;
    dh_model *m = f->model;
    dh__key *key = &e->key;
    const dh__rows *r = &e->rows;
    const dh__batch batch = {&e->data, r->order, r->begin, r->count};
    int64_t step = f->event.step - 1, group = group_of(m, step, f->event.steps);
    f->rate = f->event.learning_rate;
    dh__data_key(key, &e->data, m, DH_TRAIN, f->data.train.bound);
    key->group = group > 1 ? (int)group : 0;
    key->add = step % m->accumulate != 0;
    key->early = dh__updates_early(m);
    e->updated = (step + 1) % m->accumulate == 0 || step + 1 == f->event.steps;
    e->size = r->count;
    dh_status status = dh__train_step(m, key, &batch, e->updated, f->rate, &m->epoch);
    if (status) dh_error_prefix("epoch %d, step %lld", f->event.epoch, (long long)f->event.step);
    DH_TRY(status);
    dh__progress_step(&e->progress, m, f->event.step, f->data.train.waited);
    return DH_OK;
}

/* Where the run stands now: after so many steps of the epoch. */
static dh_status save(fitting *f, int epoch, int64_t step)
{
    dh__checkpoint *c = &f->checkpoint;
    DH_TRY(dh__settle(f->model));
    c->epoch = epoch;
    c->step = step;
    c->total_step = f->event.total_step;
    c->rate = f->rate;
    return dh__checkpoint_save(c);
}

/* A checkpoint between steps, once enough were made; before a stop, so that the epoch can be taken
 * up again where it was broken off. */
static dh_status save_amid(epoch_run *e)
{
    fitting *f = e->f;
    const dh__checkpoint *c = &f->checkpoint;
    e->broken |= f->event.stop && f->event.step != f->event.steps;
    if (!c->dir || !e->updated || f->event.total_step == c->saved) return DH_OK;
    bool due = c->every && f->event.total_step - c->saved >= c->every;
    bool last = f->event.step == f->event.steps; /* the end of the epoch saves */
    return (due || f->event.stop) && !last ? save(f, f->event.epoch, f->event.step) : DH_OK;
}

static void train_session(void *context)
{
    epoch_run *e = context;
    e->status = train_rows(e);
}

/* The next batch; *more: there was one, and no callback stopped before its step. */
static dh_status begin_step(epoch_run *e, bool *more)
{
    fitting *f = e->f;
    *more = false;
    DH_TRY(dh__feeder_next(&f->data.train, f->model, f->event.step, &e->rows, &e->data, "fit"));
    if (e->rows.count == 0) return DH_OK;
    f->event.step++;
    f->event.total_step++;
    f->event.learning_rate = (double)f->model->optimizer.learning_rate;
    DH_TRY(tell(f, DH_STEP_BEGIN));
    *more = !f->event.stop;
    if (*more) return DH_OK;
    f->event.step--;
    f->event.total_step--;
    return f->event.step > 0 ? save_amid(e) : DH_OK;
}

static dh_status end_step(epoch_run *e)
{
    dh_model *m = e->f->model;
    dh__rows_clear(&e->rows);
    if (!(e->f->moments & DH_STEP_END)) return DH_OK;
    e->result->seconds = dh__now() - e->progress.start;
    dh__pass_result(m, &m->epoch, e->result);
    return tell(e->f, DH_STEP_END);
}

static dh_status run_steps(epoch_run *e)
{
    const dh_device *device = e->f->model->first.arena->device;
    bool more;
    DH_TRY(begin_step(e, &more));
    while (more) {
        if (e->f->breaks)
            dh__device_session(device, train_session, e);
        else
            train_session(e);
        DH_TRY(e->status);
        DH_TRY(dh__rescue_keep_amid(e->f->model));
        DH_TRY(end_step(e));
        DH_TRY(save_amid(e));
        if (e->f->event.stop) return DH_OK;
        DH_TRY(begin_step(e, &more));
    }
    return DH_OK;
}

/* The end came unforeseen. What was called since may have dropped the plan. */
static dh_status update_rest(epoch_run *e)
{
    dh_model *m = e->f->model;
    e->key.freeze = dh__freeze_key(m);
    return dh__train_update(m, &e->key, e->size, e->f->rate);
}

static void steps_session(void *context)
{
    epoch_run *e = context;
    e->status = run_steps(e);
}

/* Where something of the user's comes between steps, each is a session of the team by itself. */
static dh_status train_epoch(epoch_run *e)
{
    fitting *f = e->f;
    dh_model *m = f->model;
    DH_TRY(dh__feeder_begin(&f->data.train, m->epochs, f->event.step));
    if (f->event.step == 0) dh__pass_begin(m, &m->epoch);
    m->last = &m->epoch;
    e->updated = true;
    if (f->breaks)
        e->status = run_steps(e);
    else
        dh__device_session(m->first.arena->device, steps_session, e);
    dh__rows_clear(&e->rows);
    DH_TRY(e->status);
    if (e->size && !e->updated && !f->event.stop) DH_TRY(update_rest(e));
    DH_TRY(dh__settle(m));
    DH_TRY(dh__rescue_keep(m));
    e->result->seconds = dh__now() - e->progress.start;
    dh__pass_result(m, &m->epoch, e->result);
    if (m->epoch.samples) m->epochs++; /* none was stopped before its first step */
    m->last_rows = f->data.train.bound;
    m->have_gradients = false;
    return DH_OK;
}

static dh_status remember(dh_model *m, const dh_epoch *epoch)
{
    size_t old = (size_t)m->history_count * sizeof *m->history;
    dh_epoch *grown = dh__grow(m->history, old, old + sizeof *grown);
    if (!grown) return DH_ENOMEM;
    m->history = grown;
    m->history[m->history_count++] = *epoch;
    return DH_OK;
}

/* What is told of an epoch, from its beginning on. */
static void begin_event(fitting *f, int epoch, int64_t step)
{
    f->event.epoch = epoch;
    f->event.step = step;
    f->event.train = f->event.validation = NULL;
}

/* From a step on: other than 0 where a run goes on amid the epoch. */
static dh_status run_epoch(fitting *f, int number, int64_t step)
{
    dh_model *m = f->model;
    dh_epoch figures = {.epoch = m->history_count + 1, .has_validation = f->data.validate};
    epoch_run e = {.f = f, .result = &figures.train};
    begin_event(f, number, step);
    if (step == 0) DH_TRY(tell(f, DH_EPOCH_BEGIN));
    if (f->event.stop) return DH_OK;
    dh__progress_begin(&e.progress, &f->event, f->a.quiet);
    f->event.train = e.result;
    DH_TRY(train_epoch(&e));
    DH_REQUIRE(m->epoch.samples > 0 || f->event.stop, DH_ESHAPE,
               "fit: the source gave no batch in epoch %d", number);
    if (m->epoch.samples == 0) return DH_OK;         /* stopped before the first step */
    if (e.broken && f->checkpoint.dir) return DH_OK; /* to be taken up again */
    if (f->data.validate)
        DH_TRY(dh__evaluate(m, &f->data.validation, &figures.validation, "fit: validation"));
    figures.learning_rate = f->event.learning_rate = f->rate;
    dh__progress_end(&e.progress, m, &figures, f->data.train.waited);
    DH_TRY(remember(m, &figures));
    if (f->data.validate) f->event.validation = &figures.validation;
    DH_TRY(tell(f, DH_EPOCH_END));
    return f->checkpoint.dir ? save(f, number + 1, 0) : DH_OK;
}

static dh_status run_epochs(fitting *f)
{
    dh__checkpoint *c = &f->checkpoint;
    dh_status status = c->dir ? dh__checkpoint_begin(c, &f->a, &f->data) : DH_OK;
    int64_t step = c->step;
    f->event.total_step = c->total_step;
    f->rate = f->event.learning_rate = c->rate;
    for (int i = (int)c->epoch; i <= f->event.epochs && !status && !f->event.stop; i++) {
        status = run_epoch(f, i, step);
        step = 0;
    }
    f->event.train = f->event.validation = NULL;
    dh__checkpoint_end(c);
    return status;
}

static dh_status run_fit(fitting *f)
{
    int begun;
    f->event = (dh_event){.model = f->model,
                          .epochs = f->a.epochs ? f->a.epochs : 1,
                          .steps = f->data.train.source->batches,
                          .validates = f->data.validate,
                          .learning_rate = (double)f->model->optimizer.learning_rate};
    f->moments = dh__callback_moments(f->a.callbacks, false);
    unsigned heavy = dh__callback_moments(f->a.callbacks, true);
    f->breaks = (heavy & (DH_STEP_BEGIN | DH_STEP_END)) || !f->data.train.source->at_once;
    f->checkpoint = (dh__checkpoint){.dir = f->a.checkpoint,
                                     .every = f->a.checkpoint_steps,
                                     .keep = f->a.checkpoint_keep ? f->a.checkpoint_keep : 2,
                                     .model = f->model,
                                     .callbacks = f->a.callbacks,
                                     .epoch = 1,
                                     .rate = f->event.learning_rate};
    dh_status status = dh__tell_begin(f->a.callbacks, &f->event, &begun);
    if (!status) status = run_epochs(f);
    return dh__tell_end(f->a.callbacks, &f->event, begun, status);
}

dh_status(dh_fit)(const dh_fit_args *args)
{
    fitting f = {0};
    DH_TRY(dh__args(&f.a, sizeof f.a, args, "fit"));
    f.model = f.a.model;
    DH_TRY(dh__ready(f.model, true, "fit"));
    DH_REQUIRE(!f.model->fitting, DH_ESTATE, "fit: model \"%s\" is in fit", f.model->net.name);
    DH_TRY(dh__fit_check(&f.a));
    int before = dh__enter(f.model);
    f.model->fitting = true;
    dh_status status = dh__fit_prepare(&f.data, f.model, &f.a);
    if (!status) status = run_fit(&f);
    f.model->fitting = false;
    dh__leave(before);
    dh__feeder_clear(&f.data.train);
    dh__feeder_clear(&f.data.validation);
    return dh__from("fit", status);
}
