/* SPDX-License-Identifier: MIT */
/* Weights and states as safetensors, by name. */
#include <string.h>

#include <deephealth/tensor_io.h>

#include "model_impl.h"
#include "safetensors.h"

dh_status dh_save_weights(const dh_model *model, const char *path)
{
    DH_NEED(path, "save_weights", "path");
    DH_TRY(dh__ready(model, false, "save_weights"));
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
    char missing[256], extra[256], other[384];
    int missing_count, extra_count, other_count;
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

/* The model's parameters, by index in the store. */
typedef struct wanted {
    const dh__params *store;
    int *list, count;
} wanted;

static void compare(mismatch *m, const wanted *w, const dh_safetensors *file)
{
    for (int i = 0; i < w->count; i++) {
        const dh__segment *s = w->store->segments[w->list[i]];
        char have[DH_SHAPE_TEXT], want[DH_SHAPE_TEXT], detail[2 * DH_SHAPE_TEXT + 32];
        int found = dh__safetensors_find(file, s->name);
        if (found < 0) {
            note(m->missing, sizeof m->missing, m->missing_count++, "%s%s%s", s->name, "");
            continue;
        }
        const dh_view *v = dh__safetensors_view(file, found);
        bool same = v->dtype == DH_F32 && v->ndim == s->ndim &&
                    !memcmp(v->shape, s->shape, sizeof s->shape[0] * (size_t)s->ndim);
        if (!same) {
            dh__format(detail, sizeof detail, "%s %s in the file, %s f32 in the model",
                       dh__shape_text(have, sizeof have, v->ndim, v->shape),
                       dh_dtype_name(v->dtype),
                       dh__shape_text(want, sizeof want, s->ndim, s->shape));
            note(m->other, sizeof m->other, m->other_count++, "%s%s (%s)", s->name, detail);
        }
    }
    for (int k = 0; k < dh_safetensors_count(file); k++) {
        bool known = false;
        for (int i = 0; i < w->count && !known; i++)
            known = !strcmp(w->store->segments[w->list[i]]->name, dh_safetensors_name(file, k));
        if (!known)
            note(m->extra, sizeof m->extra, m->extra_count++, "%s%s%s",
                 dh_safetensors_name(file, k), "");
    }
}

static void add_group(char *text, size_t size, const char *what, int count, const char *names)
{
    size_t at = strlen(text);
    if (count) dh__format(text + at, size - at, "%s%s %d (%s)", at ? ", " : "", what, count, names);
}

static dh_status check(const wanted *w, const dh_safetensors *file, const char *path)
{
    mismatch m = {0};
    char groups[sizeof m + 96] = "";
    compare(&m, w, file);
    if (!m.missing_count && !m.extra_count && !m.other_count) return DH_OK;
    add_group(groups, sizeof groups, "missing", m.missing_count, m.missing);
    add_group(groups, sizeof groups, "extra", m.extra_count, m.extra);
    add_group(groups, sizeof groups, "of another shape or dtype", m.other_count, m.other);
    return dh_fail(DH_EFORMAT, "load_weights: \"%s\" does not fit the model: %s", path, groups);
}

/* All tensors are read before the first is copied, so that a failure changes nothing. */
static dh_status copy_all(const wanted *w, const dh_safetensors *file)
{
    const dh__params *store = w->store;
    dh_tensor **t = dh__calloc((size_t)w->count + 1, sizeof *t);
    dh_status status = t ? DH_OK : DH_ENOMEM;
    for (int i = 0; i < w->count && !status; i++)
        status = dh_safetensors_get(&t[i], file, store->segments[w->list[i]]->name);
    for (int i = 0; i < w->count && !status; i++) {
        const dh__segment *s = store->segments[w->list[i]];
        void *to = dh__params_address(store, s->state ? DH_HOME_STATE : DH_HOME_WEIGHT, s->offset);
        status = store->device->copy_in(store->device, to, t[i]->view.data,
                                        (size_t)s->count * sizeof(float));
    }
    for (int i = 0; t && i < w->count; i++) dh_tensor_free(t[i]);
    dh__free(t);
    return status;
}

dh_status dh_load_weights(dh_model *model, const char *path)
{
    dh_safetensors *file;
    DH_NEED(path, "load_weights", "path");
    DH_TRY(dh__ready(model, false, "load_weights"));
    wanted w = {.store = model->net.store};
    DH_TRY(dh__from("load_weights", dh_safetensors_open(&file, path)));
    dh_status status = dh__model_segments(&w.list, &w.count, model);
    if (!status) status = check(&w, file, path);
    if (!status) status = copy_all(&w, file);
    if (!status) model->net.store->generation++;
    dh__free(w.list);
    dh_safetensors_free(file);
    return dh__from("load_weights", status);
}
