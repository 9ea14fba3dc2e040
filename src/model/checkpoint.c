/* SPDX-License-Identifier: MIT */
/* Writing checkpoints: a safetensors file whose tensors are the parameters under their names, what
 * the optimiser keeps under "#optimizer/", and what fit knows under "#fit/". */
#include "checkpoint.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

/* --- what the file holds --- */

void dh__tensor_list_clear(dh__tensor_list *list)
{
    for (int i = 0; i < list->count; i++) {
        dh_tensor_free(list->tensors[i]);
        dh__free((void *)(uintptr_t)list->names[i]);
    }
    dh__free(list->tensors);
    dh__free(list->names);
    memset(list, 0, sizeof *list);
}

/* Room for one more; its name is made. */
static dh_status add_name(dh__tensor_list *list, const char *prefix, const char *name)
{
    size_t old = (size_t)list->room, room = old ? 2 * old : 32;
    if (list->count == list->room) {
        dh_tensor **t = dh__grow(list->tensors, old * sizeof *t, room * sizeof *t);
        if (!t) return DH_ENOMEM;
        list->tensors = t;
        const char **n = dh__grow(list->names, old * sizeof *n, room * sizeof *n);
        if (!n) return DH_ENOMEM;
        list->names = n;
        list->room = (int)room;
    }
    size_t size = strlen(prefix) + strlen(name) + 1;
    char *text = dh__alloc(size);
    if (!text) return DH_ENOMEM;
    dh__format(text, size, "%s%s", prefix, name);
    list->names[list->count] = text;
    list->tensors[list->count++] = NULL;
    return DH_OK;
}

static dh_status add_slots(dh__tensor_list *list, const dh_model *m, const dh__segment *s)
{
    for (int k = 0; k < dh__optimizer_slots(&m->optimizer); k++) {
        char prefix[32];
        void *data = dh__slots_address(&m->first.slots, m->net.store, k, s->offset);
        if (!data) continue;
        dh__format(prefix, sizeof prefix, DH_CHECKPOINT_SLOT "%d/", k);
        DH_TRY(add_name(list, prefix, s->name));
        dh_view v = {.dtype = DH_F32, .ndim = s->ndim};
        memcpy(v.shape, s->shape, sizeof v.shape);
        dh__view_pack(&v);
        v.data = data;
        DH_TRY(dh__tensor_on(&list->tensors[list->count - 1], m->first.slots.arena[k], &v));
    }
    return DH_OK;
}

dh_status dh__checkpoint_parameters(dh__tensor_list *list, const dh_model *model)
{
    const dh__params *store = model->net.store;
    int *segments, count;
    DH_TRY(dh__model_segments(&segments, &count, model));
    dh_status status = DH_OK;
    for (int i = 0; i < count && !status; i++) {
        const dh__segment *s = store->segments[segments[i]];
        status = add_name(list, "", s->name);
        if (!status)
            status = dh__params_tensor(&list->tensors[list->count - 1], store, segments[i],
                                       DH_HOME_WEIGHT);
        if (!status && !s->state) status = add_slots(list, model, s);
    }
    dh__free(segments);
    return status;
}

/* A tensor of its own; its elements through *data. */
static dh_status add_numbers(dh__tensor_list *list, const char *name, dh_dtype dtype, int ndim,
                             const int64_t *shape, void **data)
{
    DH_TRY(add_name(list, "#fit/", name));
    dh_tensor **t = &list->tensors[list->count - 1];
    DH_TRY(dh__tensor_new(t, dh__cpu(), dtype, ndim, shape));
    *data = (*t)->view.data;
    return DH_OK;
}

static dh_status add_position(dh__tensor_list *list, const dh__checkpoint *c)
{
    int64_t count = DH_CHECKPOINT_NUMBERS, *p;
    const dh_model *m = c->model;
    void *data;
    DH_TRY(add_numbers(list, "position", DH_I64, 1, &count, &data));
    p = data;
    p[0] = c->epoch;
    p[1] = c->step;
    p[2] = c->total_step;
    p[3] = m->epochs;
    p[4] = (int64_t)m->steps;
    p[5] = m->updates;
    int64_t rates = 3;
    DH_TRY(add_numbers(list, "rates", DH_F64, 1, &rates, &data));
    ((double *)data)[0] = (double)m->optimizer.learning_rate;
    ((double *)data)[1] = c->rate;
    ((double *)data)[2] = c->begun;
    return DH_OK;
}

static dh_status add_bytes(dh__tensor_list *list, const char *name, const dh__text *text)
{
    int64_t size = (int64_t)text->length;
    void *data;
    DH_TRY(add_numbers(list, name, DH_U8, 1, &size, &data));
    if (size) memcpy(data, text->data, text->length);
    return DH_OK;
}

/* What is trained, and how fast, which a program may change on its way. */
static dh_status add_freezing(dh__tensor_list *list, const dh_model *m)
{
    int64_t layers = m->net.count;
    int *segments, count;
    void *data;
    DH_TRY(add_numbers(list, "frozen", DH_U8, 1, &layers, &data));
    for (int i = 0; i < m->net.count; i++) ((uint8_t *)data)[i] = m->net.layers[i]->frozen;
    DH_TRY(dh__model_segments(&segments, &count, m));
    int64_t length = count;
    dh_status status = add_numbers(list, "lr_scales", DH_F32, 1, &length, &data);
    for (int i = 0; i < count && !status; i++)
        ((float *)data)[i] = m->net.store->segments[segments[i]]->lr_scale;
    dh__free(segments);
    return status;
}

static dh_status add_callbacks(dh__tensor_list *list, const dh_callback *callbacks)
{
    int64_t shape[] = {DH_MAX_CALLBACKS, DH_COUNT(callbacks->state)};
    void *data;
    DH_TRY(add_numbers(list, "callbacks", DH_F64, 2, shape, &data));
    memset(data, 0, DH_MAX_CALLBACKS * sizeof callbacks->state);
    for (int i = 0, n = 0; i < DH_MAX_CALLBACKS; i++) /* empty places do not count */
        if (callbacks[i].call)
            memcpy((double *)data + n++ * shape[1], callbacks[i].state, sizeof callbacks->state);
    return DH_OK;
}

/* Figures of the epoch under way: loss, samples, losses, how many sums each metric has, the sums.
 */
static dh_status add_pass(dh__tensor_list *list, const dh__pass *pass)
{
    int64_t count = 2 + DH_MAX_IO + DH_MAX_METRICS;
    void *data;
    for (int i = 0; i < DH_MAX_METRICS; i++) count += pass->count[i];
    DH_TRY(add_numbers(list, "epoch", DH_F64, 1, &count, &data));
    double *p = data;
    *p++ = pass->loss;
    *p++ = (double)pass->samples;
    for (int i = 0; i < DH_MAX_IO; i++) *p++ = pass->losses[i];
    for (int i = 0; i < DH_MAX_METRICS; i++) *p++ = pass->count[i];
    for (int i = 0; i < DH_MAX_METRICS; i++)
        for (int k = 0; k < pass->count[i]; k++) *p++ = pass->sums[i][k];
    return DH_OK;
}

static double *put_result(double *p, const dh_result *r)
{
    *p++ = r->loss;
    for (int i = 0; i < DH_MAX_IO; i++) *p++ = r->losses[i];
    for (int i = 0; i < DH_MAX_METRICS; i++) *p++ = r->metrics[i];
    *p++ = r->loss_count;
    *p++ = r->metric_count;
    *p++ = r->seconds;
    *p++ = (double)r->samples;
    return p;
}

void dh__checkpoint_put_epoch(double *p, const dh_epoch *e)
{
    *p++ = e->epoch;
    *p++ = e->has_validation;
    *p++ = e->learning_rate;
    p = put_result(p, &e->train);
    put_result(p, &e->validation);
}

static dh_status add_history(dh__tensor_list *list, const dh_model *m)
{
    int64_t shape[] = {m->history_count, DH_CHECKPOINT_FIGURES};
    void *data;
    DH_TRY(add_numbers(list, "history", DH_F64, 2, shape, &data));
    for (int i = 0; i < m->history_count; i++)
        dh__checkpoint_put_epoch((double *)data + i * shape[1], &m->history[i]);
    return DH_OK;
}

/* --- the file --- */

static dh_status write_list(const dh__tensor_list *list, const char *path)
{
    static const char *const keys[] = {"format", "version", "sum"};
    char text[16];
    const char *values[] = {DH_CHECKPOINT_FORMAT, DH_CHECKPOINT_VERSION, text};
    enum { COUNT = DH_COUNT(keys), SUMMED = COUNT - 1 };
    uint32_t sum = 0;
    for (int i = 0; i < list->count; i++)
        DH_TRY(dh__checkpoint_add_tensor(&sum, list->names[i], list->tensors[i]));
    for (int i = 0; i < SUMMED; i++) sum = dh__checkpoint_add_pair(sum, keys[i], values[i]);
    dh__format(text, sizeof text, "%08x", (unsigned)sum);
    return dh__safetensors_save(path, list->count, list->names,
                                (const dh_tensor *const *)list->tensors, COUNT, keys, values);
}

bool dh__checkpoint_is_name(const char *name, int64_t most)
{
    static const char digits[] = "0123456789";
    const char *at = name + strlen(DH_CHECKPOINT_PREFIX);
    size_t n = strspn(at, digits);
    return n >= 12 && n <= 18 && !strcmp(at + n, ".safetensors") && strtoll(at, NULL, 10) <= most;
}

static dh_status remove_from(const char *dir, const char *name)
{
    char path[PATH_MAX];
    dh__format(path, sizeof path, "%s/%s", dir, name);
    return dh__file_remove(path);
}

/* All but the newest. What was passed over as damaged may be of later steps, and is not counted. */
static dh_status remove_old(const dh__checkpoint *c)
{
    char **names;
    int count, whole = 0;
    DH_TRY(dh__dir_names(&names, &count, c->dir, DH_CHECKPOINT_PREFIX));
    dh_status status = DH_OK;
    for (int i = count - 1; i >= 0 && !status; i--)
        if (dh__checkpoint_is_name(names[i], c->total_step) && ++whole > c->keep)
            status = remove_from(c->dir, names[i]);
    dh__free(names);
    return status;
}

dh_status dh__checkpoint_save(dh__checkpoint *c)
{
    char path[PATH_MAX];
    dh__tensor_list list = {.count = 0};
    dh_status status = dh__checkpoint_parameters(&list, c->model);
    if (!status) status = add_position(&list, c);
    if (!status) status = add_bytes(&list, "settings", &c->settings);
    if (!status) status = add_bytes(&list, "layers", &c->layers);
    if (!status) status = add_freezing(&list, c->model);
    if (!status) status = add_callbacks(&list, c->callbacks);
    if (!status) status = add_pass(&list, &c->model->epoch);
    if (!status) status = add_history(&list, c->model);
    dh__format(path, sizeof path, "%s/" DH_CHECKPOINT_PREFIX "%012lld.safetensors", c->dir,
               (long long)c->total_step);
    if (!status) status = write_list(&list, path);
    dh__tensor_list_clear(&list);
    if (!status) status = remove_old(c);
    if (status) return dh__from("checkpoint", status);
    c->saved = c->total_step;
    return DH_OK;
}
