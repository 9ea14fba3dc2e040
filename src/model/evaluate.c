/* SPDX-License-Identifier: MIT */
/* dh_evaluate and dh_predict: passes over data without training. */
#include <string.h>

#include "feeder.h"

typedef struct evaluation {
    dh_model *model;
    dh__feeder *feeder;
    const char *who;
    dh__rows rows;
    dh__data data;
    int64_t index;
    dh_status status;
} evaluation;

static dh_status fetch(evaluation *e)
{
    return dh__feeder_next(e->feeder, e->model, e->index++, &e->rows, &e->data, e->who);
}

static dh_status evaluate_rows(evaluation *e)
{
    dh_model *model = e->model;
    dh__key key;
    dh__stage *stage;
    const dh__rows *r = &e->rows;
    dh__data_key(&key, &e->data, model, DH_EVAL, e->feeder->bound);
    DH_TRY(dh__stage_get(&stage, model, &key, r->count));
    DH_TRY(dh__feed(stage, model, &e->data, r->order, r->begin, r->count, true, true));
    model->current = stage;
    model->forward_training = false;
    DH_TRY(dh__plan_run(stage->plan, DH_FORWARD, DH_LOSS));
    DH_TRY(dh__check_loss(model, stage));
    return dh__pass_add(model, &model->once, stage);
}

static void one_batch(void *context)
{
    evaluation *e = context;
    e->status = evaluate_rows(e);
}

static void all_batches(void *context)
{
    evaluation *e = context;
    e->status = fetch(e);
    while (!e->status && e->rows.count > 0) {
        e->status = evaluate_rows(e);
        dh__rows_clear(&e->rows);
        if (!e->status) e->status = fetch(e);
    }
}

/* In one session of the team, unless something of the user's runs between batches. */
static dh_status evaluate(evaluation *e)
{
    const dh_device *device = e->model->first.arena->device;
    if (e->feeder->source->at_once) {
        dh__device_session(device, all_batches, e);
        return e->status;
    }
    DH_TRY(fetch(e));
    while (e->rows.count > 0) {
        dh__device_session(device, one_batch, e);
        DH_TRY(e->status);
        dh__rows_clear(&e->rows);
        DH_TRY(fetch(e));
    }
    return DH_OK;
}

dh_status dh__evaluate(dh_model *model, dh__feeder *f, dh_result *out, const char *who)
{
    double start = dh__now();
    evaluation e = {.model = model, .feeder = f, .who = who};
    DH_TRY(dh__settle(model));
    DH_TRY(dh__feeder_begin(f, 0, 0));
    dh__pass_begin(model, &model->once);
    dh_status status = evaluate(&e);
    dh__rows_clear(&e.rows);
    DH_TRY(status);
    DH_REQUIRE(model->once.samples > 0, DH_ESHAPE, "%s: the source gave no batch", who);
    out->seconds = dh__now() - start;
    dh__pass_result(model, &model->once, out);
    return DH_OK;
}

static void log_result(const dh_model *m, const dh_result *r)
{
    char line[512];
    size_t at = (size_t)dh__format(line, sizeof line, "evaluate: loss %.4f", r->loss);
    for (int i = 0; i < m->metric_count && at < sizeof line; i++)
        at += (size_t)dh__format(line + at, sizeof line - at, "  %s %.4f", m->metric[i].name,
                                 r->metrics[i]);
    dh__log(DH_LOG_INFO, "%s", line);
}

static dh_status take_source(dh__feeder *out, const dh_evaluate_args *a)
{
    dh__data data;
    dh__data_take(&data, a->x, a->y, a->xs, a->ys);
    data.sample_weight = a->sample_weight;
    if (a->source) return dh__feeder_given(out, a->source, &data, a->batch_size, "evaluate");
    DH_TRY(dh__data_check(&data, a->model, true, "evaluate"));
    return dh__feeder_tensors(out, a->model, &data, a->batch_size ? a->batch_size : 256, false);
}

dh_status(dh_evaluate)(const dh_evaluate_args *args)
{
    dh_evaluate_args a;
    dh__feeder feeder = {.source = NULL};
    dh_result result = {0};
    DH_TRY(dh__args(&a, sizeof a, args, "evaluate"));
    DH_TRY(dh__ready(a.model, true, "evaluate"));
    DH_REQUIRE(a.batch_size >= 0, DH_EINVAL, "evaluate: batch_size is %d, must be at least 1",
               a.batch_size);
    int before = dh__enter(a.model);
    dh_status status = take_source(&feeder, &a);
    if (!status) status = dh__evaluate(a.model, &feeder, &result, "evaluate");
    dh__feeder_clear(&feeder);
    dh__leave(before);
    if (status) return dh__from("evaluate", status);
    if (!a.quiet) log_result(a.model, &result);
    if (a.result) *a.result = result;
    return DH_OK;
}

/* --- predict --- */

static dh_status predict_batches(dh_tensor **outs, dh_model *m, const dh__data *data, int64_t batch)
{
    dh__key key;
    dh__stage *stage;
    dh__data_key(&key, data, m, DH_PREDICT, batch < data->count ? batch : data->count);
    for (int64_t i = 0; i < data->count; i += batch) {
        int64_t rows = data->count - i < batch ? data->count - i : batch;
        DH_TRY(dh__stage_get(&stage, m, &key, rows));
        m->current = stage;
        m->forward_training = false;
        DH_TRY(dh__predict_rows(outs, m, stage, data, i));
    }
    return DH_OK;
}

typedef struct prediction {
    dh_tensor **outs;
    dh_model *model;
    const dh__data *data;
    int64_t batch;
    dh_status status;
} prediction;

static void predict_session(void *context)
{
    prediction *p = context;
    p->status = predict_batches(p->outs, p->model, p->data, p->batch);
}

static dh_status predict_all(dh_tensor **outs, dh_model *m, const dh__data *data, int64_t batch)
{
    prediction p = {outs, m, data, batch, DH_OK};
    dh__device_session(m->first.arena->device, predict_session, &p);
    return p.status;
}

dh_status(dh_predict)(const dh_predict_args *args)
{
    dh_predict_args a;
    dh__data data;
    dh_tensor *outs[DH_MAX_IO] = {0};
    DH_TRY(dh__args(&a, sizeof a, args, "predict"));
    DH_REQUIRE(a.out || a.outs, DH_EINVAL, "predict: out is NULL");
    DH_REQUIRE(!(a.out && a.outs), DH_EINVAL, "predict: both out and outs are given");
    DH_TRY(dh__ready(a.model, false, "predict"));
    DH_REQUIRE(a.batch_size >= 0, DH_EINVAL, "predict: batch_size is %d, must be at least 1",
               a.batch_size);
    const dh_tensor *none[DH_MAX_IO] = {0};
    dh__data_take(&data, a.x, NULL, a.xs, none);
    DH_TRY(dh__data_check(&data, a.model, false, "predict"));
    int before = dh__enter(a.model);
    dh_status status = dh__settle(a.model);
    if (!status) status = predict_all(outs, a.model, &data, a.batch_size ? a.batch_size : 256);
    dh__leave(before);
    for (int o = 0; o < DH_MAX_IO; o++) {
        if (!status && a.outs && o < a.model->output_count)
            a.outs[o] = outs[o];
        else if (!status && !a.outs && o == 0)
            *a.out = outs[0];
        else
            dh_tensor_free(outs[o]);
    }
    return dh__from("predict", status);
}
