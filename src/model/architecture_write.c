/* SPDX-License-Identifier: MIT */
/* Architectures as JSON, by the kinds' field tables. */
#include "architecture.h"

#include <deephealth/inspection.h>

#include <string.h>

#include "file.h"

dh_status dh__architecture(bool **out, const dh_model *model)
{
    const dh__net *net = &model->net;
    bool *wanted = dh__calloc((size_t)net->count + 1, sizeof *wanted);
    if (!wanted) return DH_ENOMEM;
    for (int i = 0; i < net->count; i++)
        wanted[i] = !net->layers[i]->of_build && !net->layers[i]->target;
    for (int o = 0; o < model->output_count; o++) wanted[model->output[o]->index] = true;
    for (int i = net->count - 1; i >= 0; i--) { /* what a layer needs comes before it */
        const dh_layer *l = net->layers[i];
        for (int k = 0; wanted[i] && k < l->in_count; k++) wanted[l->in[k]->index] = true;
        if (wanted[i]) wanted[dh__owner_of(l)->index] = true;
    }
    *out = wanted;
    return DH_OK;
}

/* --- writing --- */

static dh_status check_text(const char *text, const char *what)
{
    DH_REQUIRE(dh__utf8_valid(text, strlen(text)), DH_EUNSUPPORTED,
               "%s is no valid UTF-8, which JSON needs", what);
    return DH_OK;
}

/* One argument, unless it has its default. */
static dh_status write_argument(dh__text *t, const dh_field *field, const void *args, bool *first)
{
    const dh_field row[2] = {*field, {0}};
    char printed[1024];
    if (!dh_field_print(row, args, printed, sizeof printed)) return DH_OK;
    const char *value = printed + strlen(field->name) + 1; /* behind "name=" */
    dh__text_add(t, "%s\"%s\": ", *first ? "" : ", ", field->name);
    *first = false;
    if (field->kind == DH_FIELD_STRING) {
        memcpy(&value, (const char *)args + field->offset, sizeof value);
        DH_TRY(check_text(value, field->name));
    }
    if (field->kind == DH_FIELD_STRING || field->kind == DH_FIELD_CHOICE)
        dh__json_add_string(t, value);
    else
        dh__text_add(t, "%s", strcmp(value, "-0") ? value : "0"); /* written, so DH_ZERO */
    return DH_OK;
}

static dh_status write_arguments(dh__text *t, const dh_layer *layer)
{
    bool first = true;
    dh__text inner = {0};
    dh_status status = DH_OK;
    for (const dh_field *f = layer->def->fields; f->name && !status; f++)
        if (strcmp(f->name, "name") != 0) status = write_argument(&inner, f, layer->args, &first);
    if (!status) status = dh__text_status(&inner);
    if (!status && !first) dh__text_add(t, ", \"args\": {%s}", inner.data);
    dh__text_free(&inner);
    return status;
}

static void write_names(dh__text *t, dh_layer *const *layers, int count)
{
    dh__text_add(t, "[");
    for (int i = 0; i < count; i++) {
        if (i) dh__text_add(t, ", ");
        dh__json_add_string(t, layers[i]->name);
    }
    dh__text_add(t, "]");
}

static dh_status write_layer(dh__text *t, const dh_layer *layer)
{
    DH_REQUIRE(!layer->target, DH_EUNSUPPORTED,
               "it is a target, which belongs to a build, and a layer of the model reads it");
    DH_TRY(check_text(layer->name, "the name"));
    dh__text_add(t, "{\"kind\": \"%s\", \"name\": ", layer->def->kind);
    dh__json_add_string(t, layer->name);
    if (layer->in_count) {
        dh__text_add(t, ", \"inputs\": ");
        write_names(t, layer->in, layer->in_count);
    }
    const dh_layer *owner = dh__owner_of(layer);
    bool shares = owner != layer;
    if (shares || strcmp(layer->owner, layer->name) != 0) {
        dh__text_add(t, shares ? ", \"shares\": " : ", \"parameters\": ");
        dh__json_add_string(t, shares ? owner->name : layer->owner);
    }
    if (layer->frozen) dh__text_add(t, ", \"frozen\": true");
    if (!shares) DH_TRY(write_arguments(t, layer));
    dh__text_add(t, "}");
    return DH_OK;
}

static dh_status write_layers(dh__text *t, const dh_model *model, const bool *wanted)
{
    bool first = true;
    dh__text_add(t, "  \"layers\": [");
    for (int i = 0; i < model->net.count; i++) {
        const dh_layer *layer = model->net.layers[i];
        if (!wanted[i]) continue;
        dh__text_add(t, first ? "\n    " : ",\n    ");
        first = false;
        dh_status status = write_layer(t, layer);
        if (status) dh_error_prefix("%s \"%s\"", layer->def->kind, layer->name);
        DH_TRY(status);
    }
    dh__text_add(t, first ? "]" : "\n  ]");
    return DH_OK;
}

dh_status dh__architecture_write(dh__text *t, const dh_model *model)
{
    bool *wanted;
    DH_TRY(check_text(model->net.name, "the model's name"));
    DH_TRY(dh__architecture(&wanted, model));
    dh__text_add(t, "{\n  \"format\": \"%s\",\n  \"version\": %d,\n  \"name\": ",
                 DH_ARCHITECTURE_FORMAT, DH_ARCHITECTURE_VERSION);
    dh__json_add_string(t, model->net.name);
    dh__text_add(t, ",\n");
    dh_status status = write_layers(t, model, wanted);
    dh__free(wanted);
    DH_TRY(status);
    if (model->output_count) {
        dh__text_add(t, ",\n  \"inputs\": ");
        write_names(t, model->input, model->input_count);
        dh__text_add(t, ",\n  \"outputs\": ");
        write_names(t, model->output, model->output_count);
    }
    dh__text_add(t, "\n}\n");
    return dh__text_status(t);
}

/* --- calls --- */

dh_status dh__sound(const dh_model *model, const char *who)
{
    DH_NEED(model, who, "model");
    if (model->net.status) return dh_fail(model->net.status, "%s: %s", who, model->net.error);
    return DH_OK;
}

dh_status dh__write_whole(const char *path, const void *bytes, size_t size)
{
    dh__writer *writer;
    DH_TRY(dh__writer_open(&writer, path));
    (void)dh__write(writer, bytes, size); /* commit tells of a failure */
    return dh__writer_commit(writer);
}

dh_status dh_model_to_json(char **text, const dh_model *model)
{
    dh__text t = {0};
    DH_NEED(text, "model_to_json", "text");
    DH_TRY(dh__sound(model, "model_to_json"));
    dh_status status = dh__architecture_write(&t, model);
    if (status)
        dh__text_free(&t);
    else
        *text = t.data;
    return dh__from("model_to_json", status);
}

dh_status dh_save_model_json(const dh_model *model, const char *path)
{
    dh__text t = {0};
    DH_NEED(path, "save_model_json", "path");
    DH_TRY(dh__sound(model, "save_model_json"));
    dh_status status = dh__architecture_write(&t, model);
    if (!status) status = dh__write_whole(path, t.data, t.length);
    dh__text_free(&t);
    return dh__from("save_model_json", status);
}

dh_status dh_model_from_json(dh_model **out, const char *text)
{
    DH_NEED(out, "model_from_json", "out");
    DH_NEED(text, "model_from_json", "text");
    return dh__architecture_read(out, text, strlen(text), "model_from_json");
}

dh_status dh_load_model_json(dh_model **out, const char *path)
{
    char who[300];
    dh__bytes bytes;
    DH_NEED(out, "load_model_json", "out");
    DH_NEED(path, "load_model_json", "path");
    DH_TRY(dh__from("load_model_json", dh__file_read(&bytes, path)));
    dh__format(who, sizeof who, "load_model_json \"%.250s\"", path);
    dh_status status = dh__architecture_read(out, (const char *)bytes.data, bytes.size, who);
    dh__bytes_free(&bytes);
    return status;
}

dh_layer *dh_model_input(const dh_model *model, int index)
{
    return model && index >= 0 && index < model->input_count ? model->input[index] : NULL;
}

dh_layer *dh_model_output(const dh_model *model, int index)
{
    return model && index >= 0 && index < model->output_count ? model->output[index] : NULL;
}
