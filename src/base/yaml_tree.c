/* SPDX-License-Identifier: MIT */
/* YAML trees on libyaml's events. All of a tree lies in one arena, freed at once. An alias shares
 * the node of its anchor; what a reader would meet when it walks the tree is counted as if it were
 * copied, and capped. */
#include "yaml_tree.h"

#include "file.h"
#include "name_tree.h"

#include <stdlib.h>
#include <string.h>

const dh__yaml *dh__yaml_get(const dh__yaml *map, const char *key)
{
    if (!map || !key || map->kind != DH_YAML_MAP) return NULL;
    for (int i = 0; i < map->count; i++)
        if (strcmp(map->keys[i], key) == 0) return map->items[i];
    return NULL;
}

dh_status dh__yaml_read(dh__yaml **out, const char *path)
{
    DH_REQUIRE(out && path, DH_EINVAL, "yaml_read: %s is NULL", out ? "path" : "out");
    dh__bytes bytes;
    DH_TRY(dh__file_read(&bytes, path));
    dh_status status = dh__yaml_parse(out, (const char *)bytes.data, bytes.size, path);
    dh__bytes_free(&bytes);
    return status;
}

#if defined(DH_HAVE_YAML) && DH_HAVE_YAML
#include <yaml.h>

enum { MAX_DEPTH = 64, MAX_NODES = 4000000, BLOCK_SIZE = 65536 };
static const size_t max_size = (size_t)256 << 20;

/* --- the arena --- */

typedef struct arena_block {
    struct arena_block *next;
    size_t used, size;
    _Alignas(16) char data[];
} arena_block;

typedef struct yaml_tree {
    dh__yaml root; /* first: dh__yaml_free gets its address */
    arena_block *blocks;
} yaml_tree;

static void *arena_alloc(yaml_tree *tree, size_t size)
{
    size = (size + 15) / 16 * 16;
    arena_block *block = tree->blocks;
    if (!block || block->size - block->used < size) {
        size_t room = size > BLOCK_SIZE / 4 ? size : BLOCK_SIZE;
        block = dh__alloc(sizeof *block + room);
        if (!block) return NULL;
        *block = (arena_block){.next = tree->blocks, .size = room};
        tree->blocks = block;
    }
    void *piece = block->data + block->used;
    block->used += size;
    return piece;
}

static char *arena_copy(yaml_tree *tree, const void *text, size_t length)
{
    char *copy = arena_alloc(tree, length + 1);
    if (!copy) return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

void dh__yaml_free(dh__yaml *root)
{
    yaml_tree *tree = (yaml_tree *)root;
    if (!tree) return;
    for (arena_block *block = tree->blocks, *next; block; block = next) {
        next = block->next;
        dh__free(block);
    }
    dh__free(tree);
}

/* --- parsing --- */

/* A child of a list or map that is not finished. */
typedef struct pending {
    const char *key;
    dh__yaml *node;
} pending;

typedef struct anchor {
    dh__name name; /* first: the tree of names gives its address */
    dh__yaml *node;
    int64_t weight; /* nodes below and with it, aliases counted in full */
} anchor;

typedef struct yaml_job {
    yaml_parser_t parser;
    yaml_tree *tree;
    const char *path;
    pending *stack;
    size_t stack_count, stack_capacity;
    dh__name_tree anchors;
    int64_t weight; /* of all nodes so far */
} yaml_job;

static int line_of(yaml_mark_t mark)
{
    return mark.line < 2000000000 ? (int)mark.line + 1 : 2000000000;
}

/* Doubles an array of element size size when it is full. */
static dh_status reserve(void **array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) return DH_OK;
    size_t wanted = *capacity ? *capacity * 2 : 64;
    void *grown = dh__grow(*array, count * size, wanted * size);
    if (!grown) return DH_ENOMEM;
    *array = grown;
    *capacity = wanted;
    return DH_OK;
}

static dh_status next_event(yaml_job *job, yaml_event_t *event)
{
    if (yaml_parser_parse(&job->parser, event)) return DH_OK;
    const yaml_parser_t *p = &job->parser;
    if (p->error == YAML_MEMORY_ERROR) return dh_fail(DH_ENOMEM, "%s: no memory", job->path);
    yaml_mark_t mark = p->error == YAML_READER_ERROR ? p->mark : p->problem_mark;
    return dh_fail(DH_EFORMAT, "%s:%d: %s%s%s", job->path, line_of(mark),
                   p->problem ? p->problem : "no valid YAML", p->context ? " " : "",
                   p->context ? p->context : "");
}

static dh_status count_weight(yaml_job *job, int64_t weight, int line)
{
    job->weight += weight;
    DH_REQUIRE(job->weight <= MAX_NODES, DH_EFORMAT, "%s:%d: more than %d nodes, aliases expanded",
               job->path, line, MAX_NODES);
    return DH_OK;
}

/* A later anchor of the same name takes the place of the earlier one, as YAML says. */
static dh_status set_anchor(yaml_job *job, const yaml_char_t *name, dh__yaml *node, int64_t weight)
{
    if (!name) return DH_OK;
    anchor *a = (anchor *)dh__name_find(&job->anchors, (const char *)name);
    if (!a) {
        a = arena_alloc(job->tree, sizeof *a);
        char *copy = a ? arena_copy(job->tree, name, strlen((const char *)name)) : NULL;
        if (!copy) return DH_ENOMEM;
        a->name = (dh__name){.text = copy};
        (void)dh__name_add(&job->anchors, &a->name);
    }
    a->node = node;
    a->weight = weight;
    return DH_OK;
}

static dh_status find_alias(yaml_job *job, const yaml_event_t *event, dh__yaml **out)
{
    const char *name = (const char *)event->data.alias.anchor;
    int line = line_of(event->start_mark);
    const anchor *a = (const anchor *)dh__name_find(&job->anchors, name);
    DH_REQUIRE(a, DH_EFORMAT, "%s:%d: alias *%.60s has no anchor before it", job->path, line, name);
    *out = a->node;
    return count_weight(job, a->weight, line);
}

static dh_status fill_scalar(yaml_job *job, const yaml_event_t *event, dh__yaml *node)
{
    size_t length = event->data.scalar.length;
    DH_REQUIRE(!memchr(event->data.scalar.value, 0, length), DH_EFORMAT,
               "%s:%d: a scalar holds a NUL character", job->path, node->line);
    node->text = arena_copy(job->tree, event->data.scalar.value, length);
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return node->text ? DH_OK : DH_ENOMEM;
}

static int compare_pending(const void *a, const void *b)
{
    return strcmp((*(const pending *const *)a)->key, (*(const pending *const *)b)->key);
}

static dh_status check_keys(yaml_job *job, const pending *children, size_t count)
{
    if (count < 2) return DH_OK;
    const pending **sorted = dh__alloc(count * sizeof *sorted);
    if (!sorted) return DH_ENOMEM;
    for (size_t i = 0; i < count; i++) sorted[i] = &children[i];
    qsort(sorted, count, sizeof *sorted, compare_pending);
    dh_status status = DH_OK;
    for (size_t i = 1; i < count && status == DH_OK; i++) {
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) != 0) continue;
        int a = sorted[i - 1]->node->line, b = sorted[i]->node->line;
        status = dh_fail(DH_EFORMAT, "%s:%d: key \"%.60s\" stands in line %d already", job->path,
                         a > b ? a : b, sorted[i]->key, a > b ? b : a);
    }
    dh__free(sorted);
    return status;
}

/* Moves the children from `first` on from the stack into the node. */
static dh_status finish(yaml_job *job, dh__yaml *node, size_t first)
{
    size_t count = job->stack_count - first;
    const pending *children = count ? job->stack + first : NULL; /* no stack before a first child */
    if (node->kind == DH_YAML_MAP) {
        DH_TRY(check_keys(job, children, count));
        node->keys = arena_alloc(job->tree, count * sizeof *node->keys);
        if (!node->keys) return DH_ENOMEM;
        for (size_t i = 0; i < count; i++) node->keys[i] = children[i].key;
    }
    node->items = arena_alloc(job->tree, count * sizeof *node->items);
    if (!node->items) return DH_ENOMEM;
    for (size_t i = 0; i < count; i++) node->items[i] = children[i].node;
    node->count = (int)count;
    job->stack_count = first;
    return DH_OK;
}

static dh_status build(yaml_job *job, const yaml_event_t *event, dh__yaml *node, int depth);

/* The node that an event begins; aliases give the node of their anchor. */
static dh_status build_child(yaml_job *job, const yaml_event_t *event, dh__yaml **out, int depth)
{
    if (event->type == YAML_ALIAS_EVENT) return find_alias(job, event, out);
    dh__yaml *node = arena_alloc(job->tree, sizeof *node);
    if (!node) return DH_ENOMEM;
    DH_TRY(build(job, event, node, depth));
    *out = node;
    return DH_OK;
}

static dh_status read_key(yaml_job *job, const yaml_event_t *event, const char **out)
{
    dh__yaml *key;
    int line = line_of(event->start_mark);
    DH_REQUIRE(event->type == YAML_SCALAR_EVENT || event->type == YAML_ALIAS_EVENT, DH_EFORMAT,
               "%s:%d: a key must be a scalar", job->path, line);
    DH_TRY(build_child(job, event, &key, MAX_DEPTH));
    DH_REQUIRE(key->kind == DH_YAML_SCALAR, DH_EFORMAT, "%s:%d: a key must be a scalar", job->path,
               line);
    *out = key->text;
    return DH_OK;
}

/* Reads one element, or key and value; *end is set when the list or map is over. */
static dh_status read_element(yaml_job *job, const dh__yaml *parent, int depth, bool *end)
{
    yaml_event_t event;
    pending child = {0};
    DH_TRY(next_event(job, &event));
    *end = event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
    dh_status status = DH_OK;
    if (!*end && parent->kind == DH_YAML_MAP) {
        status = read_key(job, &event, &child.key);
        yaml_event_delete(&event);
        DH_TRY(status);
        DH_TRY(next_event(job, &event));
    }
    if (!*end) status = build_child(job, &event, &child.node, depth + 1);
    yaml_event_delete(&event);
    if (*end || status != DH_OK) return status;
    DH_TRY(
        reserve((void **)&job->stack, job->stack_count, &job->stack_capacity, sizeof *job->stack));
    job->stack[job->stack_count++] = child;
    return DH_OK;
}

static dh_status build(yaml_job *job, const yaml_event_t *event, dh__yaml *node, int depth)
{
    int64_t weight_before = job->weight;
    *node = (dh__yaml){.line = line_of(event->start_mark)};
    DH_REQUIRE(depth <= MAX_DEPTH, DH_EFORMAT, "%s:%d: nested deeper than %d levels", job->path,
               node->line, MAX_DEPTH);
    DH_TRY(count_weight(job, 1, node->line));
    if (event->type == YAML_SCALAR_EVENT) {
        node->kind = DH_YAML_SCALAR;
        DH_TRY(fill_scalar(job, event, node));
        return set_anchor(job, event->data.scalar.anchor, node, 1);
    }
    DH_REQUIRE(event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT,
               DH_EFORMAT, "%s:%d: a value is missing", job->path, node->line);
    bool map = event->type == YAML_MAPPING_START_EVENT;
    node->kind = map ? DH_YAML_MAP : DH_YAML_LIST;
    size_t first = job->stack_count;
    for (bool end = false; !end;) DH_TRY(read_element(job, node, depth, &end));
    DH_TRY(finish(job, node, first));
    /* registered only now, so that no alias can close a circle */
    return set_anchor(job,
                      map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor,
                      node, job->weight - weight_before);
}

/* One document, and nothing after it. */
static dh_status read_document(yaml_job *job)
{
    yaml_event_t event;
    bool seen = false;
    for (;;) {
        DH_TRY(next_event(job, &event));
        yaml_event_type_t type = event.type;
        dh_status status = DH_OK;
        if (type == YAML_DOCUMENT_START_EVENT && seen)
            status = dh_fail(DH_EFORMAT, "%s:%d: a second document begins, must be one", job->path,
                             line_of(event.start_mark));
        else if (type == YAML_SCALAR_EVENT || type == YAML_SEQUENCE_START_EVENT ||
                 type == YAML_MAPPING_START_EVENT)
            status = build(job, &event, &job->tree->root, 1);
        else if (type == YAML_ALIAS_EVENT)
            status = dh_fail(DH_EFORMAT, "%s: the document is an alias", job->path);
        seen = seen || type == YAML_DOCUMENT_START_EVENT;
        yaml_event_delete(&event);
        DH_TRY(status);
        if (type == YAML_STREAM_END_EVENT || type == YAML_NO_EVENT) break;
    }
    DH_REQUIRE(seen, DH_EFORMAT, "%s: holds no YAML document", job->path);
    return DH_OK;
}

dh_status dh__yaml_parse(dh__yaml **out, const char *text, size_t size, const char *path)
{
    if (!path) path = "yaml";
    DH_REQUIRE(out && (text || size == 0), DH_EINVAL, "%s: %s is NULL", path, out ? "text" : "out");
    DH_REQUIRE(size <= max_size, DH_EFORMAT, "%s: %zu bytes, must be at most %zu", path, size,
               max_size);
    yaml_job job = {.path = path};
    dh__name_tree_init(&job.anchors);
    job.tree = dh__calloc(1, sizeof *job.tree);
    if (!job.tree) return DH_ENOMEM;
    dh_status status = DH_ENOMEM;
    if (yaml_parser_initialize(&job.parser)) {
        yaml_parser_set_input_string(&job.parser, (const yaml_char_t *)(text ? text : ""), size);
        status = read_document(&job);
        yaml_parser_delete(&job.parser);
    } else {
        status = dh_fail(DH_ENOMEM, "%s: no memory for the parser", path);
    }
    dh__free(job.stack);
    if (status == DH_OK)
        *out = &job.tree->root;
    else
        dh__yaml_free(&job.tree->root);
    return status;
}

#else

void dh__yaml_free(dh__yaml *root)
{
    DH_UNUSED(root);
}

dh_status dh__yaml_parse(dh__yaml **out, const char *text, size_t size, const char *path)
{
    DH_UNUSED(out);
    DH_UNUSED(text);
    return dh_fail(DH_EMISSING,
                   "%s: %zu bytes of YAML can't be read, this build has no libyaml: install "
                   "libyaml-dev and build again",
                   path ? path : "yaml", size);
}

#endif
