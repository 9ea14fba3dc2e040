/* SPDX-License-Identifier: MIT */
/* Going on from a checkpoint: everything is read and compared before anything is changed. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "checkpoint.h"
#include "file.h"

/* A file in memory. */
typedef struct saved {
    const char *path;
    dh__safetensors *file;
    dh_tensor **tensors; /* in the file's order */
    const char **names;
    int count;
} saved;

static void forget(saved *s)
{
    for (int i = 0; s->tensors && i < s->count; i++) dh_tensor_free(s->tensors[i]);
    dh__free(s->tensors);
    dh__free(s->names);
    dh__safetensors_free(s->file);
}

static const char *metadata(const saved *s, const char *key)
{
    const char *text = dh_safetensors_metadata(s->file, key);
    return text ? text : "";
}

/* The whole file, once its sum is found to be right. */
static dh_status read_file(saved *s)
{
    DH_TRY(dh__safetensors_open(&s->file, s->path));
    DH_TRY(dh__checkpoint_check_sum(s->file));
    s->count = dh__safetensors_count(s->file);
    s->tensors = dh__calloc((size_t)s->count + 1, sizeof *s->tensors);
    s->names = dh__calloc((size_t)s->count + 1, sizeof *s->names);
    if (!s->tensors || !s->names) return DH_ENOMEM;
    for (int i = 0; i < s->count; i++) {
        s->names[i] = dh__safetensors_name(s->file, i);
        DH_TRY(dh__safetensors_tensor(&s->tensors[i], s->file, i));
    }
    return DH_OK;
}

static const dh_tensor *find(const saved *s, const char *name)
{
    int i = dh__safetensors_find(s->file, name);
    return i < 0 ? NULL : s->tensors[i];
}

/* --- does it fit --- */

/* The elements of a tensor of fit's own; NULL with DH_EFORMAT. */
static const void *numbers(const saved *s, const char *name, dh_dtype dtype, int64_t least)
{
    const dh_tensor *t = find(s, name);
    if (t && t->view.dtype == dtype && dh__view_count(&t->view) >= least) return t->view.data;
    dh_fail(DH_EFORMAT, "\"%s\" is %s", name, t ? "of another size or dtype" : "missing");
    return NULL;
}

static dh_status check_text(const saved *s, const char *name, const dh__text *here)
{
    const char *there = numbers(s, name, DH_U8, 0);
    if (!there) return DH_EFORMAT;
    return dh__checkpoint_same(there, (size_t)dh__view_count(&find(s, name)->view), here);
}

static dh_status check_position(const saved *s)
{
    const int64_t *p = numbers(s, "#fit/position", DH_I64, DH_CHECKPOINT_NUMBERS);
    if (!p) return DH_EFORMAT;
    DH_REQUIRE(p[0] >= 1 && p[0] <= INT_MAX && p[1] >= 0 && p[2] >= p[1] && p[3] >= 0 && p[4] >= 0,
               DH_EFORMAT, "\"#fit/position\" makes no sense");
    return DH_OK;
}

static bool is_slot(const char *name)
{
    return !strncmp(name, DH_CHECKPOINT_SLOT, strlen(DH_CHECKPOINT_SLOT));
}

static dh_status check_parameters(const saved *s, const dh__tensor_list *own)
{
    char a[DH_SHAPE_TEXT], b[DH_SHAPE_TEXT];
    for (int i = 0; i < own->count; i++) {
        const dh_tensor *t = find(s, own->names[i]);
        if (!t && is_slot(own->names[i])) continue; /* trained since */
        const dh_view *have = t ? &t->view : NULL, *want = &own->tensors[i]->view;
        DH_REQUIRE(t, DH_ESTATE, "\"%s\" is not in the checkpoint", own->names[i]);
        DH_REQUIRE(have->dtype == want->dtype && have->ndim == want->ndim &&
                       !memcmp(have->shape, want->shape, sizeof *want->shape * (size_t)want->ndim),
                   DH_ESTATE, "\"%s\" is %s in the checkpoint, %s here", own->names[i],
                   dh__shape_text(a, sizeof a, have->ndim, have->shape),
                   dh__shape_text(b, sizeof b, want->ndim, want->shape));
    }
    for (int k = 0; k < s->count; k++) {
        bool known = !strncmp(s->names[k], "#fit/", 5);
        for (int i = 0; i < own->count && !known; i++) known = !strcmp(own->names[i], s->names[k]);
        DH_REQUIRE(known, DH_ESTATE, "\"%s\" is in the checkpoint, but not in the model",
                   s->names[k]);
    }
    return DH_OK;
}

/* --- taking it over --- */

/* A number of a file, into a type that may not hold it: 0 then. */
static int64_t whole(double x, int64_t most)
{
    return x >= 0 && x <= (double)most ? (int64_t)x : 0;
}

static const double *get_result(dh_result *r, const double *p)
{
    r->loss = *p++;
    for (int i = 0; i < DH_MAX_IO; i++) r->losses[i] = *p++;
    for (int i = 0; i < DH_MAX_METRICS; i++) r->metrics[i] = *p++;
    r->loss_count = (int)whole(*p++, DH_MAX_IO);
    r->metric_count = (int)whole(*p++, DH_MAX_METRICS);
    r->seconds = *p++;
    r->samples = whole(*p++, INT64_C(1) << 53);
    return p;
}

void dh__checkpoint_get_epoch(dh_epoch *out, const double *p)
{
    out->epoch = (int)whole(*p++, INT_MAX);
    out->has_validation = *p++ != 0;
    out->learning_rate = *p++;
    p = get_result(&out->train, p);
    get_result(&out->validation, p);
}

/* Made before anything is changed. */
typedef struct taken {
    dh_epoch *history;
    int history_count;
    dh__pass pass;
} taken;

static dh_status make_history(taken *t, const saved *s)
{
    const dh_tensor *h = find(s, "#fit/history");
    DH_REQUIRE(h && h->view.dtype == DH_F64 && h->view.ndim == 2 &&
                   h->view.shape[1] == DH_CHECKPOINT_FIGURES && h->view.shape[0] < INT_MAX,
               DH_EFORMAT, "\"#fit/history\" is missing or of another shape");
    t->history_count = (int)h->view.shape[0];
    t->history = dh__calloc((size_t)t->history_count + 1, sizeof *t->history);
    if (!t->history) return DH_ENOMEM;
    const double *p = h->view.data;
    for (int i = 0; i < t->history_count; i++, p += DH_CHECKPOINT_FIGURES)
        dh__checkpoint_get_epoch(&t->history[i], p);
    return DH_OK;
}

static dh_status make_pass(taken *t, const saved *s)
{
    int64_t left = 2 + DH_MAX_IO + DH_MAX_METRICS;
    const double *p = numbers(s, "#fit/epoch", DH_F64, left);
    if (!p) return DH_EFORMAT;
    left = dh__view_count(&find(s, "#fit/epoch")->view) - left;
    const double *counts = p + 2 + DH_MAX_IO, *sums = counts + DH_MAX_METRICS;
    t->pass.loss = p[0];
    t->pass.samples = whole(p[1], INT64_C(1) << 53);
    memcpy(t->pass.losses, p + 2, sizeof t->pass.losses);
    for (int i = 0; i < DH_MAX_METRICS; i++) {
        DH_REQUIRE(counts[i] >= 0 && counts[i] <= (double)left, DH_EFORMAT,
                   "\"#fit/epoch\" is too short");
        int n = (int)counts[i];
        if (!n) continue;
        t->pass.sums[i] = dh__calloc(2 * (size_t)n, sizeof **t->pass.sums);
        if (!t->pass.sums[i]) return DH_ENOMEM;
        t->pass.count[i] = n;
        memcpy(t->pass.sums[i], sums, (size_t)n * sizeof *sums);
        sums += n;
        left -= n;
    }
    return DH_OK;
}

/* The first call alone can fail, and has changed nothing then. */
static dh_status take_frozen(dh_model *m, const saved *s)
{
    const uint8_t *frozen = find(s, "#fit/frozen")->view.data;
    for (int i = 0; i < m->net.count; i++)
        DH_TRY(dh_layer_freeze(m->net.layers[i], frozen[i] != 0));
    return DH_OK;
}

/* A rate that the program has changed since the run began holds; one that the run itself has
 * changed comes back. */
static void take_rates(dh__checkpoint *c, const double *was)
{
    float *rate = &c->model->optimizer.learning_rate;
    bool same = (double)*rate == was[2] || (double)*rate == was[0];
    if (same) {
        *rate = (float)was[0];
        c->begun = was[2];
    } else {
        dh__log(DH_LOG_INFO, "fit: learning_rate is %g from here on, it was %g in the checkpoint",
                (double)*rate, was[0]);
    }
    c->rate = was[1];
}

static void take_position(dh__checkpoint *c, const saved *s)
{
    dh_model *m = c->model;
    const int64_t *p = find(s, "#fit/position")->view.data;
    const double *states = find(s, "#fit/callbacks")->view.data;
    c->epoch = p[0];
    c->step = p[1];
    c->total_step = c->saved = p[2];
    m->epochs = p[3];
    m->steps = (uint64_t)p[4];
    m->updates = p[5];
    take_rates(c, find(s, "#fit/rates")->view.data);
    for (int i = 0; i < DH_MAX_CALLBACKS; i++) {
        if (!c->callbacks[i].call) continue;
        memcpy(c->callbacks[i].state, states, sizeof c->callbacks->state);
        states += DH_COUNT(c->callbacks->state);
    }
}

static dh_status copy_parameters(const saved *s, const dh__tensor_list *own)
{
    for (int i = 0; i < own->count; i++) {
        dh_device *device = own->tensors[i]->storage->device;
        const dh_tensor *from = find(s, own->names[i]);
        if (!from) { /* of the optimiser, for what the run had not trained yet */
            DH_TRY(device->zero(device, own->tensors[i]->view.data,
                                (size_t)dh__view_count(&own->tensors[i]->view) * sizeof(float)));
            continue;
        }
        DH_TRY(device->copy_in(device, own->tensors[i]->view.data, from->view.data,
                               (size_t)dh__view_count(&from->view) * sizeof(float)));
    }
    return DH_OK;
}

static dh_status check_freezing(const saved *s, const dh_model *m, int parameters)
{
    const void *frozen = numbers(s, "#fit/frozen", DH_U8, 0);
    if (!frozen) return DH_EFORMAT;
    const float *scales = numbers(s, "#fit/lr_scales", DH_F32, parameters);
    if (!scales) return DH_EFORMAT;
    DH_REQUIRE(dh__view_count(&find(s, "#fit/frozen")->view) == m->net.count, DH_EFORMAT,
               "\"#fit/frozen\" is of another size");
    for (int i = 0; i < parameters; i++)
        DH_REQUIRE(scales[i] >= 0 && isfinite(scales[i]), DH_EFORMAT, "lr_scales[%d] is %g", i,
                   (double)scales[i]);
    return DH_OK;
}

static dh_status take(dh__checkpoint *c, const saved *s, const dh__tensor_list *own, taken *t)
{
    dh_model *m = c->model;
    int *segments, count;
    int64_t states = DH_MAX_CALLBACKS * (int64_t)DH_COUNT(c->callbacks->state);
    DH_TRY(check_text(s, "#fit/settings", &c->settings));
    DH_TRY(check_parameters(s, own));
    DH_TRY(check_text(s, "#fit/layers", &c->layers));
    DH_TRY(check_position(s));
    if (!numbers(s, "#fit/rates", DH_F64, 3)) return DH_EFORMAT;
    if (!numbers(s, "#fit/callbacks", DH_F64, states)) return DH_EFORMAT;
    DH_TRY(make_history(t, s));
    DH_TRY(make_pass(t, s));
    DH_TRY(dh__model_segments(&segments, &count, m));
    dh_status status = check_freezing(s, m, count);
    if (!status) status = take_frozen(m, s);
    for (int i = 0; i < count && !status; i++)
        m->net.store->segments[segments[i]]->lr_scale =
            ((const float *)find(s, "#fit/lr_scales")->view.data)[i];
    dh__free(segments);
    DH_TRY(status);
    DH_TRY(copy_parameters(s, own));
    m->net.store->generation++;
    take_position(c, s);
    dh__free(m->history);
    m->history = t->history;
    m->history_count = t->history_count;
    t->history = NULL;
    dh__pass_clear(&m->epoch);
    m->epoch = t->pass;
    m->last = &m->epoch;
    memset(&t->pass, 0, sizeof t->pass);
    return DH_OK;
}

/* Room for what the optimiser has kept, of which the first slot tells. */
static dh_status reserve_slots(dh_model *m, const saved *s)
{
    static const char first[] = DH_CHECKPOINT_SLOT "0/";
    dh__params *store = m->net.store;
    bool *wanted = dh__calloc((size_t)store->count + 1, sizeof *wanted);
    if (!wanted) return DH_ENOMEM;
    for (int k = 0; k < s->count; k++) {
        if (strncmp(s->names[k], first, sizeof first - 1) != 0) continue;
        int i = dh__params_find(store, s->names[k] + sizeof first - 1);
        if (i >= 0) wanted[i] = !store->segments[i]->state;
    }
    dh_status status =
        dh__slots_reserve(&m->first.slots, store, dh__optimizer_slots(&m->optimizer), wanted);
    dh__free(wanted);
    return status;
}

static dh_status resume_from(dh__checkpoint *c, const saved *s)
{
    taken t = {.history = NULL};
    dh__tensor_list own = {.count = 0};
    DH_REQUIRE(!strcmp(metadata(s, "version"), DH_CHECKPOINT_VERSION), DH_EUNSUPPORTED,
               "it has version \"%s\", this library reads \"%s\"", metadata(s, "version"),
               DH_CHECKPOINT_VERSION);
    dh_status status = reserve_slots(c->model, s);
    if (!status) status = dh__checkpoint_parameters(&own, c->model);
    if (!status) status = take(c, s, &own, &t);
    dh__tensor_list_clear(&own);
    dh__free(t.history);
    dh__pass_clear(&t.pass);
    return status;
}

/* --- the folder --- */

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name), tail = strlen(end);
    return length >= tail && !strcmp(name + length - tail, end);
}

/* One file: *damaged says that another may be tried. */
static dh_status try_file(dh__checkpoint *c, const char *path, bool *damaged)
{
    saved s = {.path = path};
    dh_status status = read_file(&s);
    *damaged = status && status != DH_ENOMEM; /* what is read has a sum that is right */
    if (!status) status = resume_from(c, &s);
    forget(&s);
    if (status) dh_error_prefix("checkpoint \"%s\"", path);
    return status;
}

static dh_status try_files(dh__checkpoint *c, char *const *names, int count)
{
    dh_status status = DH_OK;
    for (int i = count - 1; i >= 0; i--) {
        char path[PATH_MAX];
        bool damaged;
        if (!dh__checkpoint_is_name(names[i], INT64_MAX)) continue;
        dh__format(path, sizeof path, "%s/%s", c->dir, names[i]);
        status = try_file(c, path, &damaged);
        if (!status || !damaged) return status;
        dh__log(DH_LOG_WARNING, "fit: %s; the one before it is tried", dh_error_text());
    }
    return status;
}

static dh_status begin(dh__checkpoint *c, bool resume, char *const *names, int count)
{
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        dh__format(path, sizeof path, "%s/%s", c->dir, names[i]);
        if (ends_with(names[i], ".tmp")) DH_TRY(dh__file_remove(path));
        DH_REQUIRE(resume || !dh__checkpoint_is_name(names[i], INT64_MAX), DH_ESTATE,
                   "checkpoint \"%s\" is of another run: set resume, or take another folder", path);
    }
    return resume ? try_files(c, names, count) : DH_OK;
}

static dh_status open_folder(dh__checkpoint *c, bool resume)
{
    char **names;
    int count;
    DH_REQUIRE(strlen(c->dir) + 64 < PATH_MAX, DH_EINVAL,
               "checkpoint has %zu bytes, must be at most %d", strlen(c->dir), PATH_MAX - 65);
    DH_TRY(dh__make_dirs(c->dir));
    DH_TRY(dh__dir_names(&names, &count, c->dir, DH_CHECKPOINT_PREFIX));
    dh_status status = begin(c, resume, names, count);
    dh__free(names);
    return status;
}

dh_status dh__checkpoint_begin(dh__checkpoint *c, const dh_fit_args *a, const dh__fit_data *data)
{
    c->begun = (double)c->model->optimizer.learning_rate;
    DH_TRY(dh__checkpoint_settings(&c->settings, a, data));
    DH_TRY(dh__checkpoint_layers(&c->layers, c->model));
    return open_folder(c, a->resume);
}

void dh__checkpoint_end(dh__checkpoint *c)
{
    dh__text_free(&c->settings);
    dh__text_free(&c->layers);
}
