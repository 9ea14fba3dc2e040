/* SPDX-License-Identifier: MIT */
/* Models from JSON. An object is gone over twice: first for the places of its keys, which may come
 * in any order, then for what stands there. */
#include "architecture.h"

#include <string.h>

#include "json.h"
#include "layer_defs.h"

typedef struct reader {
    dh__json json;
    dh_model *model;
} reader;

/* A known key of an object and where its value stands; 0: nowhere, since an object is before it. */
typedef struct member {
    const char *key;
    size_t at;
} member;

static const char *member_name(int i, const void *payload)
{
    return ((const member *)payload)[i].key;
}

static dh_status find_member(reader *r, member *members, const char *key, size_t at)
{
    char hint[160];
    member *m = members;
    while (m->key && strcmp(m->key, key) != 0) m++;
    if (!m->key)
        return dh__json_from(&r->json, at,
                             dh_fail(DH_ENAME, "unknown key \"%.60s\"%s", key,
                                     dh__suggest(hint, sizeof hint, key, member_name, members)));
    if (m->at)
        return dh__json_from(&r->json, at, dh_fail(DH_EFORMAT, "key \"%s\" is there twice", key));
    return DH_OK;
}

/* Goes past an object and notes where the values of its keys stand. The list ends with {0}. */
static dh_status find_members(reader *r, member *members)
{
    dh__json *json = &r->json;
    dh__json_kind kind;
    if (!dh__json_take(json, '{')) return dh__json_fail(json, "\"{\"");
    if (dh__json_take(json, '}')) return DH_OK;
    do {
        const char *key;
        size_t strings = json->strings_used, place, value;
        dh__json_blanks(json);
        place = json->at;
        DH_TRY(dh__json_string(json, &key));
        json->strings_used = strings;
        DH_TRY(find_member(r, members, key, place));
        member *m = members;
        while (strcmp(m->key, key) != 0) m++;
        if (!dh__json_take(json, ':')) return dh__json_fail(json, "\":\"");
        DH_TRY(dh__json_skip(json, &kind, &value));
        m->at = value;
    } while (dh__json_take(json, ','));
    return dh__json_take(json, '}') ? DH_OK : dh__json_fail(json, "\",\" or \"}\"");
}

static dh_status string_at(reader *r, size_t at, const char **out)
{
    r->json.at = at;
    return dh__json_string(&r->json, out);
}

static dh_status bool_at(reader *r, size_t at, bool *out)
{
    dh__json_kind kind;
    r->json.at = at;
    DH_TRY(dh__json_skip(&r->json, &kind, &at));
    r->json.at = at;
    if (kind != DH_JSON_TRUE && kind != DH_JSON_FALSE)
        return dh__json_fail(&r->json, "true or false");
    *out = kind == DH_JSON_TRUE;
    return DH_OK;
}

/* --- layers --- */

static const char *kind_name(int i, const void *payload)
{
    DH_UNUSED(payload);
    return dh__layer_defs[i] ? dh__layer_defs[i]->kind : NULL;
}

static const char *layer_name(int i, const void *payload)
{
    const dh__net *net = payload;
    return i < net->count ? net->layers[i]->name : NULL;
}

static dh_status find_kind(const dh__layer_def **out, const char *kind)
{
    char hint[200];
    for (int i = 0; dh__layer_defs[i]; i++) {
        *out = dh__layer_defs[i];
        if (!strcmp(kind, dh__layer_defs[i]->kind)) return DH_OK;
    }
    return dh_fail(DH_ENAME, "no layer kind \"%.60s\"%s", kind,
                   dh__suggest(hint, sizeof hint, kind, kind_name, NULL));
}

static dh_status find_layer(const reader *r, const char *name, const char *what, dh_layer **out)
{
    char hint[200];
    *out = dh__find_layer(&r->model->net, name);
    if (*out) return DH_OK;
    return dh_fail(DH_ENAME, "%s \"%.64s\" is no layer before this%s", what, name,
                   dh__suggest(hint, sizeof hint, name, layer_name, &r->model->net));
}

/* Names of layers, at most `most`. */
static dh_status read_names(reader *r, size_t at, const char *what, dh_layer **out, int most,
                            int *count)
{
    dh__json *json = &r->json;
    *count = 0;
    json->at = at;
    if (!dh__json_take(json, '[')) return dh__json_fail(json, "\"[\"");
    if (dh__json_take(json, ']')) return DH_OK;
    do {
        const char *name;
        size_t strings = json->strings_used;
        dh__json_blanks(json);
        at = json->at;
        DH_TRY(dh__json_string(json, &name));
        json->strings_used = strings;
        if (*count == most)
            return dh__json_from(&r->json, at,
                                 dh_fail(DH_EFORMAT, "%ss are more than %d", what, most));
        DH_TRY(dh__json_from(&r->json, at, find_layer(r, name, what, &out[*count])));
        ++*count;
    } while (dh__json_take(json, ','));
    return dh__json_take(json, ']') ? DH_OK : dh__json_fail(json, "\",\" or \"]\"");
}

enum { KIND, NAME, INPUTS, SHARES, PARAMETERS, FROZEN, ARGS, LAYER_KEYS };

static dh_status check_inputs(const dh__layer_def *def, const char *layer, int count)
{
    char range[32];
    if (count >= def->in_min && count <= def->in_max) return DH_OK;
    dh__format(range, sizeof range, def->in_max > def->in_min ? "%d to %d" : "%d", def->in_min,
               def->in_max);
    return dh_fail(DH_EINVAL, "%s: has %d input%s, takes %s", layer, count, count == 1 ? "" : "s",
                   range);
}

/* A layer that uses the parameters of another, and its arguments. */
static dh_status share_layer(reader *r, const member *m, const dh__layer_def *def,
                             const char *label, const char *name, int count, dh_layer **in,
                             dh_layer **out)
{
    const char *owner;
    dh_layer *of;
    DH_TRY(string_at(r, m[SHARES].at, &owner));
    dh_status status = find_layer(r, owner, "shares:", &of);
    if (!status && (of->def != def || of->in_count != count || m[ARGS].at))
        status = dh_fail(DH_EINVAL,
                         "%s shares the parameters and arguments of %s \"%s\": both must be of one "
                         "kind, with as many inputs, and args be left away",
                         label, of->def->kind, of->name);
    if (!status && !(*out = dh__layer_again(&r->model->net, of, name, count, in)))
        status = r->model->net.status;
    return dh__json_from(&r->json, m[SHARES].at, status);
}

/* Its arguments are a struct that only the kind's table describes. */
static dh_status plain_layer(reader *r, const member *m, const dh__layer_def *def,
                             const char *label, const char *name, int count, dh_layer **in,
                             dh_layer **out)
{
    dh__json *json = &r->json;
    const char *owner = NULL;
    if (m[PARAMETERS].at) DH_TRY(string_at(r, m[PARAMETERS].at, &owner));
    char *args = dh__calloc(1, def->args_size);
    if (!args) return DH_ENOMEM;
    dh_field_defaults(def->fields, args);
    memcpy(args, &def->args_size, sizeof def->args_size); /* struct_size */
    dh_status status =
        m[ARGS].at ? dh__architecture_arguments(json, m[ARGS].at, def, args, label) : DH_OK;
    const dh_field *field = dh_field_find(def->fields, "name");
    if (!status && field) memcpy(args + field->offset, &name, sizeof name);
    if (!status) {
        *out = dh__layer_owned(&r->model->net, def, args, count, in, owner);
        if (!*out) status = dh__json_from(&r->json, m[KIND].at, r->model->net.status);
    }
    dh__free(args);
    return status;
}

static dh_status read_layer(reader *r)
{
    dh__json *json = &r->json;
    member m[LAYER_KEYS + 1] = {{"kind", 0},       {"name", 0},   {"inputs", 0}, {"shares", 0},
                                {"parameters", 0}, {"frozen", 0}, {"args", 0},   {NULL, 0}};
    dh_layer *in[DH_MAX_LAYER_INPUTS], *layer = NULL;
    const dh__layer_def *def = NULL;
    const char *kind, *name = NULL;
    char label[160];
    int count = 0;
    bool frozen = false;
    dh__json_blanks(json);
    size_t begin = json->at;
    DH_TRY(find_members(r, m));
    size_t end = json->at, strings = json->strings_used;
    if (!m[KIND].at)
        return dh__json_from(&r->json, begin, dh_fail(DH_EFORMAT, "a layer lacks its kind"));
    DH_TRY(string_at(r, m[KIND].at, &kind));
    DH_TRY(dh__json_from(&r->json, m[KIND].at, find_kind(&def, kind)));
    if (m[NAME].at) DH_TRY(string_at(r, m[NAME].at, &name));
    dh__format(label, sizeof label, name ? "%s \"%.64s\"" : "%s", def->kind, name);
    if (m[INPUTS].at) DH_TRY(read_names(r, m[INPUTS].at, "input", in, DH_MAX_LAYER_INPUTS, &count));
    DH_TRY(dh__json_from(&r->json, begin, check_inputs(def, label, count)));
    if (m[FROZEN].at) DH_TRY(bool_at(r, m[FROZEN].at, &frozen));
    DH_TRY(m[SHARES].at ? share_layer(r, m, def, label, name, count, in, &layer)
                        : plain_layer(r, m, def, label, name, count, in, &layer));
    if (frozen) DH_TRY(dh_layer_freeze(layer, true));
    json->at = end;
    json->strings_used = strings; /* layers have their own copies */
    return DH_OK;
}

static dh_status read_layers(reader *r, size_t at)
{
    dh__json *json = &r->json;
    json->at = at;
    if (!dh__json_take(json, '[')) return dh__json_fail(json, "\"[\" of the layers");
    if (dh__json_take(json, ']')) return DH_OK;
    do DH_TRY(read_layer(r));
    while (dh__json_take(json, ','));
    return dh__json_take(json, ']') ? DH_OK : dh__json_fail(json, "\",\" or \"]\"");
}

/* --- the whole --- */

enum { FORMAT, VERSION, MODEL_NAME, LAYERS, MODEL_INPUTS, MODEL_OUTPUTS, MODEL_KEYS };

static dh_status check_format(reader *r, const member *m)
{
    const char *format;
    uint64_t version;
    for (int i = FORMAT; i <= LAYERS; i++)
        DH_REQUIRE(m[i].at, DH_EFORMAT, "%s: key \"%s\" is missing", r->json.who, m[i].key);
    DH_TRY(string_at(r, m[FORMAT].at, &format));
    if (strcmp(format, DH_ARCHITECTURE_FORMAT) != 0)
        return dh__json_from(&r->json, m[FORMAT].at,
                             dh_fail(DH_EFORMAT, "format is \"%.60s\", must be \"%s\"", format,
                                     DH_ARCHITECTURE_FORMAT));
    r->json.at = m[VERSION].at;
    DH_TRY(dh__json_uint(&r->json, &version));
    if (version != DH_ARCHITECTURE_VERSION)
        return dh__json_from(&r->json, m[VERSION].at,
                             dh_fail(DH_EUNSUPPORTED, "version is %llu, this library reads %d",
                                     (unsigned long long)version, DH_ARCHITECTURE_VERSION));
    return DH_OK;
}

static dh_status read_ends(reader *r, const member *m)
{
    dh_model *model = r->model;
    int in_count = 0, out_count = 0;
    if (m[MODEL_INPUTS].at)
        DH_TRY(read_names(r, m[MODEL_INPUTS].at, "input", model->input, DH_MAX_IO, &in_count));
    if (m[MODEL_OUTPUTS].at)
        DH_TRY(read_names(r, m[MODEL_OUTPUTS].at, "output", model->output, DH_MAX_IO, &out_count));
    for (int i = 0; i < in_count; i++)
        if (model->input[i]->def != &dh__layer_input)
            return dh__json_from(&r->json, m[MODEL_INPUTS].at,
                                 dh_fail(DH_EINVAL,
                                         "input \"%s\" is of kind %s, must be an input layer",
                                         model->input[i]->name, model->input[i]->def->kind));
    model->output_count = out_count;
    model->input_count = out_count ? in_count : 0;
    return DH_OK;
}

static dh_status read_model(reader *r)
{
    dh__json *json = &r->json;
    member m[MODEL_KEYS + 1] = {{"format", 0}, {"version", 0}, {"name", 0}, {"layers", 0},
                                {"inputs", 0}, {"outputs", 0}, {NULL, 0}};
    const char *name;
    DH_TRY(find_members(r, m));
    dh__json_blanks(json);
    if (json->at != json->size) return dh__json_fail(json, "the end of the text");
    DH_TRY(check_format(r, m));
    DH_TRY(string_at(r, m[MODEL_NAME].at, &name));
    r->model = (dh_model_new)(&(dh_model_args){.struct_size = sizeof(dh_model_args), .name = name});
    if (!r->model) return dh_error_status();
    DH_TRY(read_layers(r, m[LAYERS].at));
    return read_ends(r, m);
}

dh_status dh__architecture_read(dh_model **out, const char *text, size_t size, const char *who)
{
    char *strings = dh__alloc(size + 1);
    if (!strings) return DH_ENOMEM;
    reader r = {.json = {.who = who,
                         .text = (const uint8_t *)text,
                         .size = size,
                         .strings = strings,
                         .lines = true}};
    dh_status status = read_model(&r);
    dh__free(strings);
    if (status)
        dh_model_free(r.model);
    else
        *out = r.model;
    return status;
}
