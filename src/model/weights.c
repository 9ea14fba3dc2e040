/* SPDX-License-Identifier: MIT */
/* Weights and states as safetensors, by name. */
#include <fnmatch.h>
#include <string.h>

#include <deephealth/tensor_io.h>

#include "checkpoint.h"

dh_status dh_save_weights(const dh_model *model, const char *path)
{
    DH_NEED(path, "save_weights", "path");
    DH_TRY(dh__ready(model, false, "save_weights"));
    DH_TRY(dh__from("save_weights", dh__settle(model)));
    const dh__params *store = model->net.store;
    int *list, count;
    DH_TRY(dh__from("save_weights", dh__model_segments(&list, &count, model)));
    dh_tensor **tensors = dh__calloc((size_t)count + 1, sizeof *tensors);
    const char **names = dh__calloc((size_t)count + 1, sizeof *names);
    dh_status status = tensors && names ? DH_OK : DH_ENOMEM;
    for (int i = 0; i < count && !status; i++) {
        names[i] = store->segments[list[i]]->name;
        status = dh__params_tensor(&tensors[i], store, list[i], DH_HOME_WEIGHT);
    }
    if (!status)
        status = dh_safetensors_save(path, names, (const dh_tensor *const *)tensors, count);
    for (int i = 0; tensors && i < count; i++) dh_tensor_free(tensors[i]);
    dh__free(tensors);
    dh__free(names);
    dh__free(list);
    return dh__from("save_weights", status);
}

/* What does not fit, by kind, each list cut when it gets long. */
typedef struct mismatch {
    char missing[256], extra[256], other[384], unmatched[256];
    int missing_count, extra_count, other_count, unmatched_count;
} mismatch;

static void note(char *list, size_t size, int count, const char *format, const char *name,
                 const char *detail)
{
    size_t at = strlen(list);
    if (at + 40 < size)
        dh__format(list + at, size - at, format, count ? ", " : "", name, detail);
    else if (at + 4 < size && list[at - 1] != '.')
        dh__format(list + at, size - at, "...");
}

/* The model's parameters, by index in the store; those left away are -1. */
typedef struct wanted {
    const dh__params *store;
    int *list, count;
    const char *only;
} wanted;

#define PATTERN_SIZE 256

static dh_status check_patterns(const char *only)
{
    while (only) {
        size_t length = strcspn(only, ",");
        DH_REQUIRE(length < PATTERN_SIZE, DH_EINVAL,
                   "load_weights: only has a pattern of %zu bytes, must be at most %d", length,
                   PATTERN_SIZE - 1);
        only = only[length] ? only + length + 1 : NULL;
    }
    return DH_OK;
}

/* The first of the patterns, which commas separate; what is behind it, or NULL. */
static const char *take_pattern(char pattern[PATTERN_SIZE], const char *only)
{
    size_t length = strcspn(only, ",");
    dh__format(pattern, PATTERN_SIZE, "%.*s", (int)length, only);
    return only[length] ? only + length + 1 : NULL;
}

/* Whether one of the patterns matches. */
static bool matches(const char *only, const char *name)
{
    char pattern[PATTERN_SIZE];
    while (only) {
        only = take_pattern(pattern, only);
        if (fnmatch(pattern, name, 0) == 0) return true;
    }
    return false;
}

static bool is_wanted(const wanted *w, const char *name)
{
    return !w->only || matches(w->only, name);
}

/* What a checkpoint holds beside parameters. */
static bool is_of_fit(const char *name)
{
    return name[0] == '#';
}

static void compare_one(mismatch *m, wanted *w, int i, const dh_safetensors *file)
{
    const dh__segment *s = w->store->segments[w->list[i]];
    char have[DH_SHAPE_TEXT], want[DH_SHAPE_TEXT], detail[2 * DH_SHAPE_TEXT + 32];
    int found = dh__safetensors_find(file, s->name);
    if (found < 0) {
        note(m->missing, sizeof m->missing, m->missing_count++, "%s%s%s", s->name, "");
        w->list[i] = -1;
        return;
    }
    const dh_view *v = dh__safetensors_view(file, found);
    if (v->dtype == DH_F32 && v->ndim == s->ndim &&
        !memcmp(v->shape, s->shape, sizeof s->shape[0] * (size_t)s->ndim))
        return;
    dh__format(detail, sizeof detail, "%s %s in the file, %s f32 in the model",
               dh__shape_text(have, sizeof have, v->ndim, v->shape), dh_dtype_name(v->dtype),
               dh__shape_text(want, sizeof want, s->ndim, s->shape));
    note(m->other, sizeof m->other, m->other_count++, "%s%s (%s)", s->name, detail);
    w->list[i] = -1;
}

static bool has_parameter(const wanted *w, const char *name)
{
    for (int i = 0; i < w->count; i++)
        if (!strcmp(w->store->segments[w->list[i]]->name, name)) return true;
    return false;
}

static bool matches_any(const char *pattern, const wanted *w, const dh_safetensors *file)
{
    for (int i = 0; i < w->count; i++)
        if (fnmatch(pattern, w->store->segments[w->list[i]]->name, 0) == 0) return true;
    for (int k = 0; k < dh_safetensors_count(file); k++) {
        const char *name = dh_safetensors_name(file, k);
        if (!is_of_fit(name) && fnmatch(pattern, name, 0) == 0) return true;
    }
    return false;
}

static void find_unmatched(mismatch *m, const wanted *w, const dh_safetensors *file)
{
    char pattern[PATTERN_SIZE];
    for (const char *only = w->only; only;) {
        only = take_pattern(pattern, only);
        if (!matches_any(pattern, w, file))
            note(m->unmatched, sizeof m->unmatched, m->unmatched_count++, "%s\"%s\"%s", pattern,
                 "");
    }
}

/* Leaves away what does not fit. */
static void compare(mismatch *m, wanted *w, const dh_safetensors *file)
{
    for (int k = 0; k < dh_safetensors_count(file); k++) {
        const char *name = dh_safetensors_name(file, k);
        if (!is_wanted(w, name) || is_of_fit(name) || has_parameter(w, name)) continue;
        note(m->extra, sizeof m->extra, m->extra_count++, "%s%s%s", name, "");
    }
    for (int i = 0; i < w->count; i++) {
        if (is_wanted(w, w->store->segments[w->list[i]]->name))
            compare_one(m, w, i, file);
        else
            w->list[i] = -1;
    }
}

static void add_group(char *text, size_t size, const char *what, int count, const char *names)
{
    size_t at = strlen(text);
    if (count) dh__format(text + at, size - at, "%s%s %d (%s)", at ? ", " : "", what, count, names);
}

static dh_status check(wanted *w, const dh_safetensors *file, const dh_load_weights_args *a)
{
    mismatch m = {0};
    char groups[sizeof m + 160] = "";
    int kept = 0;
    find_unmatched(&m, w, file);
    compare(&m, w, file);
    for (int i = 0; i < w->count; i++) kept += w->list[i] >= 0;
    add_group(groups, sizeof groups, "missing", m.missing_count, m.missing);
    add_group(groups, sizeof groups, "extra", m.extra_count, m.extra);
    add_group(groups, sizeof groups, "of another shape or dtype", m.other_count, m.other);
    DH_REQUIRE(!groups[0] || a->skip_mismatch, DH_EFORMAT,
               "load_weights: \"%s\" does not fit the model: %s", a->path, groups);
    DH_REQUIRE(kept > 0 || !w->count, DH_ENOTFOUND,
               "load_weights: no parameter of the model is in \"%s\" and matches \"%s\"", a->path,
               w->only ? w->only : "*");
    DH_REQUIRE(!m.unmatched_count || a->skip_mismatch, DH_ENOTFOUND,
               "load_weights: no parameter of the model or of \"%s\" matches %s of only", a->path,
               m.unmatched);
    add_group(groups, sizeof groups, "patterns that match nothing", m.unmatched_count, m.unmatched);
    if (groups[0])
        dh__log(DH_LOG_WARNING,
                "load_weights: \"%s\" does not fit the model, %d parameters are loaded: %s",
                a->path, kept, groups);
    return DH_OK;
}

/* All tensors are read before the first is copied, so that a failure changes nothing. */
static dh_status copy_all(const wanted *w, const dh_safetensors *file)
{
    const dh__params *store = w->store;
    dh_tensor **t = dh__calloc((size_t)w->count + 1, sizeof *t);
    dh_status status = t ? DH_OK : DH_ENOMEM;
    for (int i = 0; i < w->count && !status; i++)
        if (w->list[i] >= 0)
            status = dh_safetensors_get(&t[i], file, store->segments[w->list[i]]->name);
    for (int i = 0; i < w->count && !status; i++) {
        if (w->list[i] < 0) continue;
        const dh__segment *s = store->segments[w->list[i]];
        void *to = dh__params_address(store, s->state ? DH_HOME_STATE : DH_HOME_WEIGHT, s->offset);
        status = store->device->copy_in(store->device, to, t[i]->view.data,
                                        (size_t)s->count * sizeof(float));
    }
    for (int i = 0; t && i < w->count; i++) dh_tensor_free(t[i]);
    dh__free(t);
    return status;
}

static dh_status check_damage(const dh_safetensors *file, const char *path)
{
    dh_status status = dh__checkpoint_is(file) ? dh__checkpoint_check_sum(file) : DH_OK;
    if (status) dh_error_prefix("checkpoint \"%s\"", path);
    return status;
}

dh_status(dh_load_weights)(const dh_load_weights_args *args)
{
    dh_load_weights_args a;
    dh_safetensors *file;
    DH_TRY(dh__args(&a, sizeof a, args, "load_weights"));
    DH_TRY(dh__ready(a.model, false, "load_weights"));
    DH_TRY(dh__from("load_weights", dh__settle(a.model)));
    DH_NEED(a.path, "load_weights", "path");
    DH_TRY(check_patterns(a.only));
    wanted w = {.store = a.model->net.store, .only = a.only};
    DH_TRY(dh__from("load_weights", dh_safetensors_open(&file, a.path)));
    dh_status status = check_damage(file, a.path);
    if (!status) status = dh__model_segments(&w.list, &w.count, a.model);
    if (!status) status = check(&w, file, &a);
    if (!status) status = copy_all(&w, file);
    if (!status) a.model->net.store->generation++;
    if (!status) status = dh__rescue_keep(a.model);
    dh__free(w.list);
    dh_safetensors_free(file);
    return dh__from("load_weights", status);
}
