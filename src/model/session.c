/* SPDX-License-Identifier: MIT */
/* Sessions: plans and an arena of their own over a model's weights. Making a plan only reads the
 * model and its store (every parameter is declared by then), so that only packed
 * weights, which the store keeps for all, have a lock. */
#include <deephealth/session.h>
#include <string.h>

#include "model_impl.h"
#include "team.h"

struct dh_session {
    dh_model *model;      /* counted: it lives as long as its last session */
    dh__storage *weights; /* held, so that the store stays where it is */
    dh__replica place;    /* over the model's store */
    dh__stage *largest;   /* the plan for batch rows, which stays */
    int64_t batch;
    int threads;
    dh__peak peak; /* with these threads */
};

static dh__profiled profiled(const dh_session *s)
{
    return (dh__profiled){.model = s->model,
                          .name = "session of model",
                          .stages = s->place.stages,
                          .peak = s->peak.flops,
                          .threads = s->threads};
}

static dh_status stage_for(dh__stage **out, dh_session *s, int64_t rows)
{
    dh__key key;
    memset(&key, 0, sizeof key);
    key.mode = DH_PREDICT;
    key.rows = rows;
    DH_TRY(dh__stage_from(out, s->model, &s->place, s->largest, &key, rows));
    (*out)->plan->profile = s->model->profile;
    return DH_OK;
}

static void hold(dh_session *s, dh_model *model)
{
    atomic_fetch_add(&model->references, 1);
    s->model = model;
    s->place.store = model->net.store;
    s->weights = model->net.store->weights;
    pthread_mutex_lock(&model->net.store->derived_lock);
    dh__storage_retain(s->weights);
    atomic_fetch_add(&model->net.store->readers, 1);
    pthread_mutex_unlock(&model->net.store->derived_lock);
}

static dh_status make_plan(dh_session *s)
{
    int before = dh__team_limit(s->threads); /* scratch is for as many threads as will run */
    dh_status status = stage_for(&s->largest, s, s->batch);
    if (!status) dh__plan_try_fewer(s->largest->plan);
    if (!status) status = dh__plan_bind(s->largest->plan);
    dh__team_limit(before);
    return status;
}

dh_status(dh_session_new)(const dh_session_args *args)
{
    dh_session_args a;
    DH_TRY(dh__args(&a, sizeof a, args, "session_new"));
    DH_NEED(a.out, "session_new", "out");
    DH_TRY(dh__ready(a.model, false, "session_new"));
    DH_TRY(dh__from("session_new", dh__settle(a.model)));
    DH_REQUIRE(a.batch_size >= 0, DH_EINVAL, "session_new: batch_size is %d, must be at least 1",
               a.batch_size);
    DH_REQUIRE(a.threads >= 0 && a.threads <= 4096, DH_EINVAL,
               "session_new: threads is %d, must be in [1, 4096]", a.threads);
    dh_session *s = dh__calloc(1, sizeof *s);
    if (!s) return dh__from("session_new", DH_ENOMEM);
    s->batch = a.batch_size ? a.batch_size : 256;
    s->threads = a.threads ? a.threads : 1;
    hold(s, a.model);
    dh_status status = dh__arena_new(&s->place.arena, a.model->first.arena->device);
    if (!status) status = make_plan(s);
    if (status) {
        dh_session_free(s);
        return dh__from("session_new", status);
    }
    *a.out = s;
    return DH_OK;
}

void dh_session_free(dh_session *session)
{
    if (!session) return;
    const dh__profiled of = profiled(session);
    dh__profile_tell(&of);
    dh__shelf_clear(&session->place.stages);
    dh__arena_free(session->place.arena);
    pthread_mutex_lock(&session->model->net.store->derived_lock);
    atomic_fetch_sub(&session->model->net.store->readers, 1);
    dh__storage_release(session->weights);
    pthread_mutex_unlock(&session->model->net.store->derived_lock);
    dh__model_release(session->model);
    dh__free(session);
}

dh_status dh_session_profile_text(char **text, const dh_session *session)
{
    DH_NEED(text, "session_profile_text", "text");
    DH_NEED(session, "session_profile_text", "session");
    const dh__profiled of = profiled(session);
    return dh__profile_write(text, &of, "session_profile_text");
}

/* --- predicting --- */

/* Rows begin, begin + 1, ... of all outputs, which are made when the first batch has shown their
 * shapes. */
static dh_status copy_outputs(dh_tensor **outs, const dh_model *model, const dh__stage *stage,
                              int64_t begin, int64_t count)
{
    dh_device *device = stage->plan->arena->device;
    for (int o = 0; o < model->output_count; o++) {
        dh_view v = *dh__plan_view(stage->plan, stage->output[o]);
        DH_REQUIRE(v.ndim && v.shape[0] == stage->plan->rows, DH_ESHAPE,
                   "axis 0 of output \"%s\" is not the batch", model->output[o]->name);
        size_t size = (size_t)dh__view_count(&v) * dh_dtype_size(v.dtype);
        size_t row = size / (size_t)stage->plan->rows;
        v.shape[0] = count;
        if (!outs[o]) DH_TRY(dh__tensor_new(&outs[o], dh__cpu(), v.dtype, v.ndim, v.shape));
        char *to = (char *)outs[o]->view.data + (size_t)begin * row;
        DH_TRY(device->copy_out(device, to, v.data, size));
    }
    return DH_OK;
}

dh_status dh__predict_rows(dh_tensor **outs, const dh_model *model, dh__stage *stage,
                           const dh__data *data, int64_t begin)
{
    DH_TRY(dh__feed(stage, model, data, NULL, begin, stage->plan->rows, true, false));
    DH_TRY(dh__plan_run(stage->plan, DH_FORWARD, DH_FORWARD));
    return copy_outputs(outs, model, stage, begin, data->count);
}

typedef struct prediction {
    dh_session *session;
    const dh__data *data;
    dh_tensor **outs;
    dh_status status;
} prediction;

static void predict_all(void *context)
{
    prediction *p = context;
    dh_session *s = p->session;
    if (s->model->profile) dh__peak_ask(&s->peak, s->place.arena->device);
    for (int64_t i = 0; i < p->data->count && !p->status; i += s->batch) {
        dh__stage *stage;
        int64_t left = p->data->count - i;
        p->status = stage_for(&stage, s, left < s->batch ? left : s->batch);
        if (!p->status) p->status = dh__predict_rows(p->outs, s->model, stage, p->data, i);
    }
}

static void take(dh__data *data, const dh_session_predict_args *a)
{
    memset(data, 0, sizeof *data);
    for (int i = 0; i < DH_MAX_IO; i++) data->x[i] = a->xs[i];
    if (a->x) data->x[0] = a->x;
}

dh_status(dh_session_predict)(const dh_session_predict_args *args)
{
    dh_session_predict_args a;
    dh__data data;
    dh_tensor *outs[DH_MAX_IO] = {0};
    DH_TRY(dh__args(&a, sizeof a, args, "session_predict"));
    DH_REQUIRE(a.out || a.outs, DH_EINVAL, "session_predict: out is NULL");
    DH_REQUIRE(!(a.out && a.outs), DH_EINVAL, "session_predict: both out and outs are given");
    DH_NEED(a.session, "session_predict", "session");
    const dh_model *model = a.session->model;
    take(&data, &a);
    DH_TRY(dh__data_check(&data, model, false, "session_predict"));
    prediction p = {.session = a.session, .data = &data, .outs = outs};
    int before = dh__team_limit(a.session->threads);
    dh__device_session(a.session->place.arena->device, predict_all, &p);
    dh__team_limit(before);
    for (int o = 0; o < model->output_count; o++) {
        if (!p.status && a.outs)
            a.outs[o] = outs[o];
        else if (!p.status && o == 0)
            *a.out = outs[0];
        else
            dh_tensor_free(outs[o]);
    }
    return dh__from("session_predict", p.status);
}
