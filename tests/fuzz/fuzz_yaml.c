/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "fuzz.h"
#include "yaml_tree.h"

typedef struct settings {
    bool flag;
    int mode, count;
    int64_t seed;
    float rate;
    double scale;
    const char *name;
    dh_ints shape;
} settings;

static const dh_field table[] = {DH_FIELD(settings, flag, NULL, 0, 0, 1, "a flag"),
                                 DH_FIELD_NAMED(settings, mode, NULL, "same|valid", "a choice"),
                                 DH_FIELD(settings, count, NULL, 1, 0, 1000, "a count"),
                                 DH_FIELD(settings, seed, NULL, 0, -9e18, 9e18, "a seed"),
                                 DH_FIELD(settings, rate, NULL, 0.5, 0, 1, "a rate"),
                                 DH_FIELD(settings, scale, NULL, 1, -1e300, 1e300, "a scale"),
                                 DH_FIELD(settings, name, NULL, 0, 0, 0, "a name"),
                                 DH_FIELD(settings, shape, NULL, 0, -1, 4096, "a shape"),
                                 {0}};

/* A checksum over all texts of the tree: each byte is read, aliases again wherever they stand. */
static uint32_t walk(const dh__yaml *node, uint32_t sum, size_t *nodes)
{
    ++*nodes;
    if (node->kind == DH_YAML_SCALAR) return dh__crc32(sum, node->text, strlen(node->text));
    for (int i = 0; i < node->count; i++) {
        if (node->kind == DH_YAML_MAP) sum = dh__crc32(sum, node->keys[i], strlen(node->keys[i]));
        sum = walk(node->items[i], sum, nodes);
    }
    return sum;
}

/* A map below the key "fields" fills a struct, which must be readable then. */
static dh_status read_fields(const dh__yaml *root)
{
    const dh__yaml *map = dh__yaml_get(root, "fields");
    if (!map) return DH_OK;
    settings read;
    char text[256];
    memset(&read, 0, sizeof read);
    dh_field_defaults(table, &read);
    DH_TRY(dh__yaml_fields(map, table, &read, "fuzz"));
    (void)dh_field_print(table, &read, text, sizeof text);
    return DH_OK;
}

dh_status fuzz_one(const uint8_t *data, size_t size)
{
    dh__yaml *root;
    DH_TRY(dh__yaml_parse(&root, (const char *)data, size, "fuzz"));
    size_t nodes = 0;
    (void)walk(root, 0, &nodes);
    dh_status status = read_fields(root);
    if (nodes > 4000000) status = dh_fail(DH_EINTERNAL, "fuzz: a tree of %zu nodes", nodes);
    dh__yaml_free(root);
    return status;
}

FUZZ_TARGET
