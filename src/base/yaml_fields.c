/* SPDX-License-Identifier: MIT */
/* Filling a described struct from a YAML map. */
#include "yaml_tree.h"

#include <string.h>

static bool is_null(const dh__yaml *node)
{
    if (node->kind != DH_YAML_SCALAR || node->quoted) return false;
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; i < DH_COUNT(words); i++)
        if (strcmp(node->text, words[i]) == 0) return true;
    return false;
}

/* "[1, 2]" back into the text that dh_field_set reads. */
static dh_status join_list(char *buffer, size_t size, const dh__yaml *list, const char *key,
                           const char *who)
{
    size_t used = 0;
    buffer[used++] = '[';
    for (int i = 0; i < list->count; i++) {
        const dh__yaml *item = list->items[i];
        DH_REQUIRE(item->kind == DH_YAML_SCALAR && !item->quoted, DH_EINVAL,
                   "%s: %s[%d] must be an integer", who, key, i);
        int length = dh__format(buffer + used, size - used, "%s%s", i ? "," : "", item->text);
        DH_REQUIRE(length >= 0 && used + (size_t)length + 2 <= size, DH_EINVAL,
                   "%s: %s has %d elements, must have at most %d", who, key, list->count,
                   2 * DH_MAX_NDIM);
        used += (size_t)length;
    }
    buffer[used++] = ']';
    buffer[used] = '\0';
    return DH_OK;
}

static dh_status set_field(const dh_field *table, void *data, const char *key,
                           const dh__yaml *value, const char *who)
{
    char joined[512];
    const dh_field *field = dh_field_find(table, key);
    const char *text = value->text;
    if (field && is_null(value)) return DH_OK; /* as if the key were absent */
    bool textual = field && (field->kind == DH_FIELD_STRING || field->kind == DH_FIELD_CHOICE);
    bool list = field && (field->kind == DH_FIELD_INTS || field->kind == DH_FIELD_INT_ARRAY ||
                          field->kind == DH_FIELD_INT64_ARRAY);
    if (value->kind == DH_YAML_LIST && list) {
        DH_TRY(join_list(joined, sizeof joined, value, key, who));
        text = joined;
    } else if (field && value->kind != DH_YAML_SCALAR) {
        return dh_fail(DH_EINVAL, "%s: %s is a %s, must be a single value", who, key,
                       value->kind == DH_YAML_LIST ? "list" : "map");
    } else if (field && value->quoted && !textual) {
        return dh_fail(DH_EINVAL, "%s: %s is the text \"%.60s\", must stand without quotes", who,
                       key, text);
    }
    return dh_field_set(table, data, key, text ? text : "", who);
}

static dh_status set_all(const dh__yaml *map, const dh_field *table, void *data, const char *path)
{
    char who[256];
    for (int i = 0; i < map->count; i++) {
        (void)dh__format(who, sizeof who, "%.230s:%d", path, map->items[i]->line);
        DH_TRY(set_field(table, data, map->keys[i], map->items[i], who));
    }
    return DH_OK;
}

dh_status dh__yaml_fields(const dh__yaml *map, const dh_field *table, void *data, const char *path)
{
    if (!path) path = "yaml";
    DH_REQUIRE(map && table && data, DH_EINVAL, "%s: %s is NULL", path,
               !map     ? "map"
               : !table ? "table"
                        : "data");
    DH_REQUIRE(map->kind == DH_YAML_MAP, DH_EFORMAT, "%s:%d: is a %s, must be a map", path,
               map->line, map->kind == DH_YAML_LIST ? "list" : "single value");
    /* kept aside, so that a wrong key leaves data as it was */
    size_t size = 0;
    for (const dh_field *field = table; field->name; field++)
        if (field->offset + field->size > size) size = field->offset + field->size;
    void *before = dh__alloc(size);
    if (!before) return DH_ENOMEM;
    memcpy(before, data, size);
    dh_status status = set_all(map, table, data, path);
    if (status != DH_OK) memcpy(data, before, size);
    dh__free(before);
    return status;
}
