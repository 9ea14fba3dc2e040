/* SPDX-License-Identifier: MIT */
/* Field tables and text: setting a member by name, printing what is not default. */
#include "base_impl.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include <strings.h>

static bool parse_bool(const char *text, bool *out)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < DH_COUNT(words); i++) {
        if (strcasecmp(text, words[i]) != 0) continue;
        *out = i % 2 == 1;
        return true;
    }
    return false;
}

/* "1,2", "[1, 2]", "(1, 2)", "(1,)", "[]". count is -1 where there are more elements than fit. */
static bool parse_ints(const char *text, dh_ints *out)
{
    size_t length = strlen(text);
    out->count = 0;
    while (length && strchr(" \t\n\r", text[length - 1])) length--;
    while (length && strchr(" \t\n\r", *text)) text++, length--;
    bool list = length >= 2 && *text == '[' && text[length - 1] == ']';
    bool tuple = length >= 2 && *text == '(' && text[length - 1] == ')';
    if (list || tuple) {
        text++;
        length -= 2;
        while (length && strchr(" \t\n\r", *text)) text++, length--;
        if (length == 0) return true;
    }
    for (;;) {
        const char *comma = memchr(text, ',', length);
        size_t part = comma ? (size_t)(comma - text) : length;
        int64_t value;
        if (!dh__parse_int64(text, part, &value)) return false;
        if (out->count == (int)DH_COUNT(out->v)) {
            out->count = -1;
            return true;
        }
        out->v[out->count++] = value;
        if (!comma) return true;
        text += part + 1;
        length -= part + 1;
        /* Python writes a tuple of one as (1,) */
        if (tuple && out->count == 1 && strspn(text, " \t\n\r") >= length) return true;
    }
}

static dh_status refuse(const dh_field *field, const char *value, const char *what, const char *who)
{
    return dh_fail(DH_EINVAL, "%s: %s is \"%.60s\", must be %s", who, field->name, value, what);
}

static dh_status parse_choice(dh__field_value *out, const dh_field *field, const char *value,
                              const char *who)
{
    char near[256];
    out->i = dh__choice_index(field->choices, value);
    if (out->i >= 0) return DH_OK;
    return dh_fail(DH_ENAME, "%s: %s is \"%.60s\", which names no choice%s", who, field->name,
                   value, dh__suggest_choices(near, sizeof near, value, field->choices));
}

static dh_status parse_int(dh__field_value *out, const dh_field *field, const char *value,
                           const char *who)
{
    int64_t whole;
    if (!dh__parse_int64(value, strlen(value), &whole))
        return refuse(field, value, "an integer", who);
    if (field->kind == DH_FIELD_INT64) {
        out->i64 = whole;
        return DH_OK;
    }
    if (whole < INT_MIN || whole > INT_MAX)
        return refuse(field, value, "an integer of 32 bits", who);
    out->i = (int)whole;
    return DH_OK;
}

static dh_status parse_real(dh__field_value *out, const dh_field *field, const char *value,
                            const char *who)
{
    double number;
    if (!dh__parse_double(value, strlen(value), &number))
        return refuse(field, value, "a number", who);
    if (field->kind == DH_FIELD_DOUBLE) {
        out->d = number;
        return DH_OK;
    }
    if (isfinite(number) && fabs(number) > (double)FLT_MAX)
        return refuse(field, value, "a number of 32 bits", who);
    out->f = (float)number;
    return DH_OK;
}

static dh_status parse_list(dh__field_value *out, const dh_field *field, const char *value,
                            const char *who)
{
    dh_ints list = {0}; /* unread elements, too, have one value */
    size_t element = field->kind == DH_FIELD_INT_ARRAY ? sizeof(int) : sizeof(int64_t);
    bool array = field->kind != DH_FIELD_INTS;
    int most = array ? (int)(field->size / element) : (int)DH_COUNT(list.v);
    if (!parse_ints(value, &list)) return refuse(field, value, "integers", who);
    DH_REQUIRE(list.count >= 0 && list.count <= most, DH_EINVAL,
               "%s: %s is \"%.60s\", must have at most %d elements", who, field->name, value, most);
    if (!array)
        out->ints = list;
    else if (!dh__field_array(out, field, &list))
        return refuse(field, value, "integers of 32 bits", who);
    return DH_OK;
}

static dh_status parse_value(dh__field_value *out, const dh_field *field, const char *value,
                             const char *who)
{
    bool flag;
    switch (field->kind) {
    case DH_FIELD_BOOL:
        if (!parse_bool(value, &flag)) return refuse(field, value, "true or false", who);
        out->boolean = flag;
        return DH_OK;
    case DH_FIELD_INT:
    case DH_FIELD_INT64: return parse_int(out, field, value, who);
    case DH_FIELD_FLOAT:
    case DH_FIELD_DOUBLE: return parse_real(out, field, value, who);
    case DH_FIELD_STRING: out->s = value; return DH_OK;
    case DH_FIELD_INTS:
    case DH_FIELD_INT_ARRAY:
    case DH_FIELD_INT64_ARRAY: return parse_list(out, field, value, who);
    case DH_FIELD_CHOICE: return parse_choice(out, field, value, who);
    case DH_FIELD_OPAQUE: break;
    }
    return dh_fail(DH_EUNSUPPORTED, "%s: %s can't be set from text, \"%.60s\" was given", who,
                   field->name, value);
}

static const char *field_name(int i, const void *payload)
{
    return ((const dh_field *)payload)[i].name;
}

dh_status dh_field_set(const dh_field *table, void *data, const char *name, const char *value,
                       const char *who)
{
    char near[256];
    if (!who) who = "field_set";
    DH_REQUIRE(table && data && name && value, DH_EINVAL, "%s: %s is NULL", who,
               !table  ? "table"
               : !data ? "data"
               : !name ? "name"
                       : "value");
    const dh_field *field = dh_field_find(table, name);
    DH_REQUIRE(field, DH_ENAME, "%s: unknown argument \"%.60s\"%s", who, name,
               dh__suggest(near, sizeof near, name, field_name, table));
    dh__field_value parsed;
    memset(&parsed, 0, sizeof parsed);
    DH_TRY(parse_value(&parsed, field, value, who));
    dh_field single[2] = {*field, {0}};
    single[0].offset = 0;
    DH_TRY(dh_field_check(single, &parsed, who));
    memcpy((char *)data + field->offset, &parsed, field->size);
    return DH_OK;
}

/* --- printing --- */

/* A buffer that counts what it has no room for. */
typedef struct sink {
    char *buffer;
    size_t size, needed;
} sink;

static DH_PRINTF(2, 3) void emit(sink *out, const char *format, ...)
{
    bool room = out->needed < out->size;
    va_list args;
    va_start(args, format);
    int length = dh__vformat(room ? out->buffer + out->needed : NULL,
                             room ? out->size - out->needed : 0, format, args);
    va_end(args);
    if (length > 0) out->needed += (size_t)length;
}

/* The shortest decimal that reads back as the same number. */
static void emit_real(sink *out, double v, bool single)
{
    char text[40];
    for (int digits = 6; digits <= 17; digits++) {
        double back = 0;
        (void)dh__format(text, sizeof text, "%.*g", digits, v);
        bool parsed = dh__parse_double(text, strlen(text), &back);
        if (parsed && (single ? (float)back == (float)v : back == v)) break;
    }
    emit(out, "%s", text);
}

static void emit_list(sink *out, const dh_ints *list)
{
    emit(out, "[");
    for (int i = 0; i < list->count && i < (int)DH_COUNT(list->v); i++)
        emit(out, "%s%lld", i ? ", " : "", (long long)list->v[i]);
    emit(out, "]");
}

static void emit_value(sink *out, const dh_field *field, const dh__field_value *value)
{
    char name[64];
    dh_ints list;
    switch (field->kind) {
    case DH_FIELD_BOOL: emit(out, "%s", value->boolean ? "true" : "false"); break;
    case DH_FIELD_INT: emit(out, "%d", value->i); break;
    case DH_FIELD_INT64: emit(out, "%lld", (long long)value->i64); break;
    case DH_FIELD_FLOAT: emit_real(out, (double)value->f, true); break;
    case DH_FIELD_DOUBLE: emit_real(out, value->d, false); break;
    case DH_FIELD_STRING: emit(out, "%s", value->s ? value->s : ""); break;
    case DH_FIELD_CHOICE:
        emit(out, "%s", dh__choice_name(name, sizeof name, field->choices, value->i));
        break;
    case DH_FIELD_INTS: emit_list(out, &value->ints); break;
    case DH_FIELD_INT_ARRAY:
    case DH_FIELD_INT64_ARRAY:
        list = dh__field_list(field, value);
        emit_list(out, &list);
        break;
    case DH_FIELD_OPAQUE: break;
    }
}

static bool is_default(const dh_field *field, const dh__field_value *value)
{
    dh__field_value dflt;
    memset(&dflt, 0, sizeof dflt);
    dh_field single[2] = {*field, {0}};
    single[0].offset = 0;
    dh_field_defaults(single, &dflt);
    switch (field->kind) {
    /* DH_ZERO is no default, even where that is 0 */
    case DH_FIELD_FLOAT: return value->f == dflt.f && signbit(value->f) == signbit(dflt.f);
    case DH_FIELD_DOUBLE: return value->d == dflt.d && signbit(value->d) == signbit(dflt.d);
    case DH_FIELD_INTS: return value->ints.count == 0;
    case DH_FIELD_INT_ARRAY:
    case DH_FIELD_INT64_ARRAY: return dh__field_list(field, value).count == 0;
    case DH_FIELD_STRING: return value->s == NULL;
    case DH_FIELD_BOOL:
    case DH_FIELD_INT:
    case DH_FIELD_INT64:
    case DH_FIELD_CHOICE: break;
    case DH_FIELD_OPAQUE: return true;
    }
    return memcmp(value, &dflt, field->size) == 0;
}

size_t dh_field_print(const dh_field *table, const void *data, char *buffer, size_t size)
{
    sink out = {.buffer = buffer, .size = buffer ? size : 0};
    if (out.size) buffer[0] = '\0';
    if (!table || !data) return 0;
    for (; table->name; table++) {
        dh__field_value value;
        if (!dh__field_load(&value, table, data) || is_default(table, &value)) continue;
        emit(&out, "%s%s=", out.needed ? ", " : "", table->name);
        emit_value(&out, table, &value);
    }
    return out.needed;
}
