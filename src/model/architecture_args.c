/* SPDX-License-Identifier: MIT */
/* Arguments of a layer from JSON, by the kind's field table. */
#include <string.h>

#include "architecture.h"

static const char *wanted_of(const dh_field *field)
{
    switch (field->kind) {
    case DH_FIELD_BOOL: return "true or false";
    case DH_FIELD_STRING:
    case DH_FIELD_CHOICE: return "a string";
    case DH_FIELD_INTS:
    case DH_FIELD_INT_ARRAY:
    case DH_FIELD_INT64_ARRAY: return "an array of integers";
    case DH_FIELD_INT:
    case DH_FIELD_INT64: return "an integer";
    case DH_FIELD_FLOAT:
    case DH_FIELD_DOUBLE: return "a number";
    case DH_FIELD_OPAQUE: break;
    }
    return "left away";
}

static bool fits(const dh_field *field, dh__json_kind kind)
{
    switch (field->kind) {
    case DH_FIELD_BOOL: return kind == DH_JSON_TRUE || kind == DH_JSON_FALSE;
    case DH_FIELD_STRING:
    case DH_FIELD_CHOICE: return kind == DH_JSON_STRING;
    case DH_FIELD_INTS:
    case DH_FIELD_INT_ARRAY:
    case DH_FIELD_INT64_ARRAY: return kind == DH_JSON_ARRAY;
    case DH_FIELD_INT:
    case DH_FIELD_INT64:
    case DH_FIELD_FLOAT:
    case DH_FIELD_DOUBLE: return kind == DH_JSON_NUMBER;
    case DH_FIELD_OPAQUE: break;
    }
    return false;
}

/* A number that stands there is no default: 0 is DH_ZERO. */
static void keep_zero(const dh_field *field, char *args)
{
    float f;
    double d;
    if (field->kind == DH_FIELD_FLOAT) {
        memcpy(&f, args + field->offset, sizeof f);
        if (f == 0) memcpy(args + field->offset, &(float){DH_ZERO}, sizeof f);
    } else if (field->kind == DH_FIELD_DOUBLE) {
        memcpy(&d, args + field->offset, sizeof d);
        if (d == 0) memcpy(args + field->offset, &(double){(double)DH_ZERO}, sizeof d);
    }
}

static dh_status read_string(dh__json *json, size_t at, const char **out)
{
    json->at = at;
    return dh__json_string(json, out);
}

/* null leaves the argument away. */
static dh_status read_argument(dh__json *json, const dh__layer_def *def, const char *key,
                               char *args, const char *layer)
{
    static const dh_field no_field = {0};
    const dh_field *field = dh_field_find(def->fields, key);
    dh__json_kind kind;
    char text[512];
    const char *value = text;
    size_t begin;
    DH_TRY(dh__json_skip(json, &kind, &begin));
    if (!field) field = &no_field;
    size_t size = json->at - begin;
    dh_status status = DH_OK;
    if (field->name && !strcmp(key, "name")) {
        status = dh_fail(DH_EFORMAT, "%s: the name stands outside of args", layer);
    } else if (field->name && kind == DH_JSON_NULL) {
        return DH_OK;
    } else if (field->name && !fits(field, kind)) {
        status = dh_fail(DH_EINVAL, "%s: %s is %.40s, must be %s", layer, key,
                         kind == DH_JSON_STRING   ? "a string"
                         : kind == DH_JSON_OBJECT ? "an object"
                         : kind == DH_JSON_ARRAY  ? "an array"
                         : kind == DH_JSON_NUMBER ? "a number"
                                                  : "a truth value",
                         wanted_of(field));
    } else if (kind != DH_JSON_STRING && size >= sizeof text) {
        status = dh_fail(DH_EFORMAT, "%s: %.60s has %zu bytes, must have fewer than %zu", layer,
                         key, size, sizeof text);
    } else {
        if (kind == DH_JSON_STRING)
            DH_TRY(read_string(json, begin, &value));
        else
            dh__format(text, sizeof text, "%.*s", (int)(size < sizeof text ? size : 0),
                       (const char *)json->text + begin);
        status = dh_field_set(def->fields, args, key, value, layer);
        if (!status) keep_zero(field, args);
    }
    return dh__json_from(json, begin, status);
}

dh_status dh__architecture_arguments(dh__json *json, size_t at, const dh__layer_def *def,
                                     char *args, const char *layer)
{
    uint64_t seen = 0;
    json->at = at;
    if (!dh__json_take(json, '{')) return dh__json_fail(json, "\"{\" of args");
    if (dh__json_take(json, '}')) return DH_OK;
    do {
        const char *key;
        size_t strings = json->strings_used, place;
        dh__json_blanks(json);
        place = json->at;
        DH_TRY(dh__json_string(json, &key));
        const dh_field *field = dh_field_find(def->fields, key);
        uint64_t bit = field ? UINT64_C(1) << (field - def->fields) % 64 : 0;
        if (seen & bit)
            return dh__json_from(json, place,
                                 dh_fail(DH_EFORMAT, "%s: %s is there twice", layer, key));
        seen |= bit;
        if (!dh__json_take(json, ':')) return dh__json_fail(json, "\":\"");
        if (field) {
            json->strings_used = strings; /* the table has the name; values must stay */
            key = field->name;
        }
        DH_TRY(read_argument(json, def, key, args, layer));
    } while (dh__json_take(json, ','));
    return dh__json_take(json, '}') ? DH_OK : dh__json_fail(json, "\",\" or \"}\"");
}
