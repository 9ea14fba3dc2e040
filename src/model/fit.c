/* SPDX-License-Identifier: MIT */
/* dh_fit: epochs of shuffled batches. */
#include <math.h>
#include <string.h>

#include "callback_impl.h"
#include "rng.h"
#include "team.h"

#define SHUFFLE_STREAM 0x73687566666c65u /* apart from the layers' streams: "shuffle" */

typedef struct fitting {
    dh_model *model;
    dh_fit_args a;
    dh__data train, validation;
    int64_t *order;       /* a permutation of the training rows */
    int64_t batch, steps; /* rows of a step, steps of an epoch */
    bool validate;
    unsigned moments; /* at which a callback is called */
    bool breaks;      /* a callback between steps is not light */
    double rate;      /* of the last step */
    dh_event event;
} fitting;

static dh_status check_args(const dh_fit_args *a)
{
    DH_REQUIRE(a->batch_size >= 0, DH_EINVAL, "fit: batch_size is %d, must be at least 1",
               a->batch_size);
    DH_REQUIRE(a->epochs >= 0, DH_EINVAL, "fit: epochs is %d, must be at least 1", a->epochs);
    DH_REQUIRE(a->validation_split >= 0 && a->validation_split < 1, DH_EINVAL,
               "fit: validation_split is %g, must be in [0, 1)", (double)a->validation_split);
    bool with_x = a->validation_x || a->validation_xs[0];
    DH_REQUIRE(with_x || !(a->validation_y || a->validation_ys[0]), DH_EINVAL,
               "fit: validation_y is given, validation_x is NULL");
    DH_REQUIRE(!a->class_weight || a->class_count > 0, DH_EINVAL,
               "fit: class_weight is given, class_count is %d", a->class_count);
    for (int i = 0; a->class_weight && i < a->class_count; i++)
        DH_REQUIRE(isfinite(a->class_weight[i]), DH_EINVAL, "fit: class_weight[%d] is %g", i,
                   (double)a->class_weight[i]);
    return DH_OK;
}

static dh_status prepare(fitting *f)
{
    const dh_fit_args *a = &f->a;
    dh__data_take(&f->train, a->x, a->y, a->xs, a->ys);
    dh__data_take(&f->validation, a->validation_x, a->validation_y, a->validation_xs,
                  a->validation_ys);
    f->train.sample_weight = a->sample_weight;
    f->train.class_weight = a->class_weight;
    f->train.class_count = a->class_count;
    DH_TRY(dh__data_check(&f->train, f->model, true, "fit"));
    f->validate = f->validation.x[0] != NULL;
    if (f->validate) DH_TRY(dh__data_check(&f->validation, f->model, true, "fit: validation"));
    if (a->validation_split > 0) {
        DH_REQUIRE(!f->validate, DH_EINVAL,
                   "fit: both validation_x and validation_split are given");
        int64_t kept = (int64_t)((double)f->train.count * (1 - (double)a->validation_split) + 0.5);
        DH_REQUIRE(
            kept > 0 && kept < f->train.count, DH_EINVAL,
            "fit: validation_split %g of %lld rows leaves %lld to train on and %lld to validate",
            (double)a->validation_split, (long long)f->train.count, (long long)kept,
            (long long)(f->train.count - kept));
        f->validation = f->train;
        f->validation.class_weight = NULL;
        f->validation.begin = kept;
        f->validation.count -= kept;
        f->train.count = kept;
        f->validate = true;
    }
    f->batch = a->batch_size ? a->batch_size : 32;
    if (f->batch > f->train.count) f->batch = f->train.count;
    f->steps = (f->train.count + f->batch - 1) / f->batch;
    f->order = dh__alloc((size_t)f->train.count * sizeof *f->order);
    return f->order ? DH_OK : DH_ENOMEM;
}

/* Cheap where no callback wants the moment. */
static dh_status tell(fitting *f, dh_moment moment)
{
    return f->moments & (unsigned)moment ? dh__tell(f->a.callbacks, &f->event, moment) : DH_OK;
}

/* Steps of an epoch that run in one session of the team: all of them, or one where a callback of
 * the user's comes in between. */
typedef struct epoch_steps {
    fitting *f;
    int64_t from, to;
    dh__key key;
    dh__progress *progress;
    dh_result *result;
    dh_status status;
} epoch_steps;

/* The step of the epoch, from 0; nothing where a callback wants to stop before it. */
static dh_status one_step(epoch_steps *s, int64_t step)
{
    fitting *f = s->f;
    dh_model *m = f->model;
    dh__stage *stage;
    int64_t n = f->train.count, at = step * f->batch;
    int64_t rows = n - at < f->batch ? n - at : f->batch;
    bool update = step + 1 == f->steps || (step + 1) % m->accumulate == 0;
    int64_t group = m->accumulate, done = step % group;
    if (group > f->steps - (step - done)) group = f->steps - (step - done); /* an epoch's last */
    f->event.learning_rate = (double)m->optimizer.learning_rate;
    DH_TRY(tell(f, DH_STEP_BEGIN));
    if (f->event.stop) return DH_OK;
    f->rate = f->event.learning_rate;
    s->key.freeze = dh__freeze_key(m);
    s->key.group = group > 1 ? (int)group : 0;
    s->key.add = done != 0;
    DH_TRY(dh__stage_get(&stage, m, &s->key, rows));
    DH_TRY(dh__feed(stage, m, &f->train, f->order + at, 0, rows, true, true));
    dh_status status = dh__run_train(m, stage, update, f->rate);
    if (status) {
        dh_error_prefix("epoch %d, step %lld", f->event.epoch, (long long)step + 1);
        return status;
    }
    DH_TRY(dh__pass_add(m, &m->epoch, stage));
    dh__progress_step(s->progress, m);
    return DH_OK;
}

/* What the last step has changed, told. */
static dh_status end_step(epoch_steps *s)
{
    dh_model *m = s->f->model;
    if (s->f->event.stop || !(s->f->moments & DH_STEP_END)) return DH_OK;
    s->result->seconds = dh__now() - s->progress->start;
    dh__pass_result(m, &m->epoch, s->result);
    return tell(s->f, DH_STEP_END);
}

static void run_steps(void *context)
{
    epoch_steps *s = context;
    dh_event *event = &s->f->event;
    for (int64_t i = s->from; i < s->to && !s->status && !event->stop; i++) {
        event->step = i + 1;
        event->total_step++;
        s->status = one_step(s, i);
        if (!s->status && !s->f->breaks) s->status = end_step(s);
    }
}

static dh_status train_epoch(fitting *f, dh__progress *progress, dh_result *result)
{
    dh_model *m = f->model;
    int64_t together = f->breaks ? 1 : f->steps;
    epoch_steps s = {.f = f, .progress = progress, .result = result};
    dh__data_key(&s.key, &f->train, m, DH_TRAIN, f->batch);
    dh__pass_begin(m, &m->epoch);
    for (; s.from < f->steps && !f->event.stop; s.from = s.to) {
        s.to = s.from + together < f->steps ? s.from + together : f->steps;
        dh__team_session(run_steps, &s);
        DH_TRY(s.status);
        if (f->breaks) DH_TRY(end_step(&s));
    }
    result->seconds = dh__now() - progress->start;
    dh__pass_result(m, &m->epoch, result);
    m->last_rows = f->batch;
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

static void shuffle(fitting *f)
{
    dh_model *m = f->model;
    for (int64_t k = 0; k < f->train.count; k++) f->order[k] = k;
    if (!f->a.no_shuffle)
        dh__random_permutation(m->seed, SHUFFLE_STREAM + (uint64_t)m->epochs, f->order,
                               f->train.count);
    m->epochs++;
}

/* What is told of an epoch, from its beginning on. */
static void begin_event(fitting *f, int epoch)
{
    f->event.epoch = epoch;
    f->event.step = 0;
    f->event.train = f->event.validation = NULL;
}

static dh_status run_epoch(fitting *f, int epoch)
{
    dh_model *m = f->model;
    dh_epoch e = {.epoch = m->history_count + 1, .has_validation = f->validate};
    dh__progress progress;
    begin_event(f, epoch);
    DH_TRY(tell(f, DH_EPOCH_BEGIN));
    if (f->event.stop) return DH_OK;
    shuffle(f);
    dh__progress_begin(&progress, f->train.count, epoch, f->event.epochs, f->a.quiet);
    f->event.train = &e.train;
    DH_TRY(train_epoch(f, &progress, &e.train));
    if (m->epoch.samples == 0) return DH_OK; /* stopped before the first step */
    if (f->validate) DH_TRY(dh__evaluate_data(m, &f->validation, 256, &e.validation));
    e.learning_rate = f->event.learning_rate = f->rate;
    dh__progress_end(&progress, m, &e.train, f->validate ? &e.validation : NULL);
    DH_TRY(remember(m, &e));
    if (f->validate) f->event.validation = &e.validation;
    return tell(f, DH_EPOCH_END);
}

static dh_status run_epochs(fitting *f)
{
    dh_status status = DH_OK;
    for (int i = 1; i <= f->event.epochs && !status && !f->event.stop; i++)
        status = run_epoch(f, i);
    f->event.train = f->event.validation = NULL;
    return status;
}

static dh_status run_fit(fitting *f)
{
    int begun;
    f->event = (dh_event){.model = f->model,
                          .epochs = f->a.epochs ? f->a.epochs : 1,
                          .steps = f->steps,
                          .validates = f->validate,
                          .learning_rate = (double)f->model->optimizer.learning_rate};
    f->moments = dh__callback_moments(f->a.callbacks, false);
    f->breaks = (dh__callback_moments(f->a.callbacks, true) & (DH_STEP_BEGIN | DH_STEP_END)) != 0;
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
    DH_TRY(check_args(&f.a));
    int before = dh__enter(f.model);
    f.model->fitting = true;
    dh_status status = prepare(&f);
    if (!status) status = run_fit(&f);
    f.model->fitting = false;
    dh__leave(before);
    dh__free(f.order);
    return dh__from("fit", status);
}
