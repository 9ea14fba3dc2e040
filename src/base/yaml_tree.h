/* SPDX-License-Identifier: MIT */
/* YAML as a tree with line numbers, read by libyaml (its event interface), with limits on depth,
 * nodes and size, anchors resolved with a cap on expansion. Built without libyaml: DH_EMISSING. */
#ifndef DH_YAML_TREE_H
#define DH_YAML_TREE_H

#include "base.h"

typedef enum dh__yaml_kind { DH_YAML_SCALAR, DH_YAML_LIST, DH_YAML_MAP } dh__yaml_kind;

typedef struct dh__yaml {
    dh__yaml_kind kind;
    int line;                /* from 1 */
    const char *text;        /* scalars; UTF-8 */
    bool quoted;             /* scalars: written with quotes, so always a string */
    int count;               /* lists and maps */
    struct dh__yaml **items; /* elements, or the values of a map */
    const char **keys;       /* maps */
} dh__yaml;

/* path is named in messages ("file.yaml:12: ..."). The tree is freed as a whole. */
dh_status dh__yaml_read(dh__yaml **out, const char *path);
dh_status dh__yaml_parse(dh__yaml **out, const char *text, size_t size, const char *path);
void dh__yaml_free(dh__yaml *root);
const dh__yaml *dh__yaml_get(const dh__yaml *map, const char *key); /* NULL: absent or no map */
/* Fills a described struct from a map; unknown keys are errors with line and near names. */
dh_status dh__yaml_fields(const dh__yaml *map, const dh_field *table, void *data, const char *path);

#endif
