/* SPDX-License-Identifier: MIT */
/* Reading safetensors: u64 header size, a JSON object of name -> {dtype, shape, data_offsets},
 * data. */
#include "safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "io.h"
#include "json.h"

static const char who[] = "safetensors_open";

typedef struct entry {
    const char *name;
    uint64_t begin, end; /* offsets in the data */
    dh_view view;
} entry;

typedef struct pair {
    const char *key, *value;
} pair;

struct dh_safetensors {
    dh__input input;
    size_t data_size, data_offset; /* of the tensors */
    char *what, *strings;
    entry *entries;
    const entry **sorted; /* by name */
    pair *metadata;
    size_t count, capacity, metadata_count, metadata_capacity;
};

static const char *const dtype_names[DH_DTYPE_COUNT] = {
    [DH_F32] = "F32", [DH_F64] = "F64", [DH_F16] = "F16",  [DH_BF16] = "BF16", [DH_I8] = "I8",
    [DH_U8] = "U8",   [DH_I16] = "I16", [DH_U16] = "U16",  [DH_I32] = "I32",   [DH_U32] = "U32",
    [DH_I64] = "I64", [DH_U64] = "U64", [DH_BOOL] = "BOOL"};

const char *dh__safetensors_dtype_name(dh_dtype dtype)
{
    return dh_dtype_size(dtype) ? dtype_names[dtype] : NULL;
}

/* --- the header --- */

/* Room for one more element; grows by halves, so that memory follows what the file really holds. */
static dh_status reserve(void **array, size_t *capacity, size_t count, size_t element)
{
    if (count < *capacity) return DH_OK;
    size_t wanted = *capacity + *capacity / 2 + 8, size;
    if (!dh__mul_size(wanted, element, &size)) size = SIZE_MAX;
    void *grown = dh__grow(*array, count * element, size);
    if (!grown) return DH_ENOMEM;
    *array = grown;
    *capacity = wanted;
    return DH_OK;
}

static dh_status parse_dtype(dh__json *json, entry *e)
{
    const char *name;
    DH_TRY(dh__json_string(json, &name));
    for (int d = 1; d < DH_DTYPE_COUNT; d++)
        if (strcmp(name, dtype_names[d]) == 0) {
            e->view.dtype = (dh_dtype)d;
            return DH_OK;
        }
    return dh_fail(DH_EUNSUPPORTED,
                   "%s \"%s\": tensor \"%s\" has dtype \"%s\", known are F64 F32 F16 BF16 I64 I32 "
                   "I16 I8 U64 U32 U16 U8 BOOL",
                   who, json->what, e->name, name);
}

/* "[1, 2]" of at most `most` numbers. */
static dh_status parse_array(dh__json *json, const entry *e, uint64_t *out, int *count, int most)
{
    *count = 0;
    if (!dh__json_take(json, '[')) return dh__json_fail(json, "\"[\"");
    if (dh__json_take(json, ']')) return DH_OK;
    for (;;) {
        DH_REQUIRE(*count < most, DH_EUNSUPPORTED,
                   "%s \"%s\": tensor \"%s\" has a list of more than %d numbers", who, json->what,
                   e->name, most);
        DH_TRY(dh__json_uint(json, &out[(*count)++]));
        if (dh__json_take(json, ']')) return DH_OK;
        if (!dh__json_take(json, ',')) return dh__json_fail(json, "\",\" or \"]\"");
    }
}

enum { FIELD_DTYPE = 1, FIELD_SHAPE = 2, FIELD_OFFSETS = 4, ALL_FIELDS = 7 };

static dh_status parse_field(dh__json *json, entry *e, int *seen)
{
    const char *key;
    uint64_t numbers[DH_MAX_NDIM];
    int count;
    DH_TRY(dh__json_string(json, &key));
    int bit = strcmp(key, "dtype") == 0          ? FIELD_DTYPE
              : strcmp(key, "shape") == 0        ? FIELD_SHAPE
              : strcmp(key, "data_offsets") == 0 ? FIELD_OFFSETS
                                                 : 0;
    DH_REQUIRE(bit && !(*seen & bit), DH_EFORMAT, "%s \"%s\": tensor \"%s\": key \"%s\" is %s", who,
               json->what, e->name, key,
               bit ? "there twice" : "not one of dtype, shape, data_offsets");
    *seen |= bit;
    if (!dh__json_take(json, ':')) return dh__json_fail(json, "\":\"");
    if (bit == FIELD_DTYPE) return parse_dtype(json, e);
    DH_TRY(parse_array(json, e, numbers, &count, bit == FIELD_SHAPE ? DH_MAX_NDIM : 2));
    if (bit == FIELD_SHAPE) {
        e->view.ndim = count;
        for (int i = 0; i < count; i++) e->view.shape[i] = (int64_t)numbers[i];
        return DH_OK;
    }
    DH_REQUIRE(count == 2, DH_EFORMAT, "%s \"%s\": tensor \"%s\" has %d data_offsets, must be 2",
               who, json->what, e->name, count);
    e->begin = numbers[0];
    e->end = numbers[1];
    return DH_OK;
}

static dh_status parse_tensor(dh_safetensors *file, dh__json *json, const char *name)
{
    entry e = {.name = name};
    int seen = 0;
    if (!dh__json_take(json, '{')) return dh__json_fail(json, "\"{\" of a tensor");
    do DH_TRY(parse_field(json, &e, &seen));
    while (dh__json_take(json, ','));
    if (!dh__json_take(json, '}')) return dh__json_fail(json, "\",\" or \"}\"");
    DH_REQUIRE(seen == ALL_FIELDS, DH_EFORMAT, "%s \"%s\": tensor \"%s\" lacks %s", who, json->what,
               name,
               !(seen & FIELD_DTYPE)   ? "dtype"
               : !(seen & FIELD_SHAPE) ? "shape"
                                       : "data_offsets");
    DH_TRY(reserve((void **)&file->entries, &file->capacity, file->count, sizeof e));
    file->entries[file->count++] = e;
    return DH_OK;
}

static dh_status parse_metadata(dh_safetensors *file, dh__json *json)
{
    pair p;
    if (!dh__json_take(json, '{')) return dh__json_fail(json, "\"{\" of the metadata");
    if (dh__json_take(json, '}')) return DH_OK;
    do {
        DH_TRY(dh__json_string(json, &p.key));
        if (!dh__json_take(json, ':')) return dh__json_fail(json, "\":\"");
        DH_TRY(dh__json_string(json, &p.value));
        DH_TRY(reserve((void **)&file->metadata, &file->metadata_capacity, file->metadata_count,
                       sizeof p));
        file->metadata[file->metadata_count++] = p;
    } while (dh__json_take(json, ','));
    return dh__json_take(json, '}') ? DH_OK : dh__json_fail(json, "\",\" or \"}\"");
}

static dh_status parse_header(dh_safetensors *file, dh__json *json)
{
    bool metadata = false;
    if (json->size == 0 || json->text[0] != '{') return dh__json_fail(json, "\"{\"");
    json->at = 1;
    if (dh__json_take(json, '}')) goto end;
    do {
        const char *name;
        DH_TRY(dh__json_string(json, &name));
        if (!dh__json_take(json, ':')) return dh__json_fail(json, "\":\"");
        if (strcmp(name, "__metadata__") != 0) {
            DH_TRY(parse_tensor(file, json, name));
            continue;
        }
        DH_REQUIRE(!metadata, DH_EFORMAT, "%s \"%s\": __metadata__ is there twice", who,
                   json->what);
        metadata = true;
        DH_TRY(parse_metadata(file, json));
    } while (dh__json_take(json, ','));
    if (!dh__json_take(json, '}')) return dh__json_fail(json, "\",\" or \"}\"");
end:
    dh__json_blanks(json);
    return json->at == json->size ? DH_OK : dh__json_fail(json, "the end of the header");
}

/* --- what the header says, against the file --- */

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(const entry *const *)a)->name, (*(const entry *const *)b)->name);
}

static int compare_offsets(const void *a, const void *b)
{
    const entry *x = *(const entry *const *)a, *y = *(const entry *const *)b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return 0;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(((const pair *)a)->key, ((const pair *)b)->key);
}

static void describe(dh__io_block *block, const dh_safetensors *file, const entry *e,
                     const char *name)
{
    *block = (dh__io_block){.who = name,
                            .what = file->what,
                            .dtype = e->view.dtype,
                            .ndim = e->view.ndim,
                            .input = &file->input,
                            .offset = file->data_offset + (size_t)e->begin,
                            .size = (size_t)(e->end - e->begin)};
    memcpy(block->shape, e->view.shape, sizeof block->shape);
}

static dh_status check_tensor(const dh_safetensors *file, entry *e)
{
    dh__io_block block;
    size_t size;
    DH_REQUIRE(e->begin <= e->end && e->end <= file->data_size, DH_EFORMAT,
               "%s \"%s\": tensor \"%s\" has data_offsets [%llu, %llu], the data have %zu bytes",
               who, file->what, e->name, (unsigned long long)e->begin, (unsigned long long)e->end,
               file->data_size);
    describe(&block, file, e, who);
    DH_TRY(dh__io_size(&size, &block));
    char text[DH_SHAPE_TEXT];
    DH_REQUIRE(
        size == block.size, DH_EFORMAT,
        "%s \"%s\": tensor \"%s\" is %s %s, which takes %zu bytes, its data_offsets span %zu", who,
        file->what, e->name, dh__shape_text(text, sizeof text, block.ndim, block.shape),
        dtype_names[block.dtype], size, block.size);
    dh__view_pack(&e->view);
    return DH_OK;
}

/* The tensors, by offset, must follow each other and end with the data. */
static dh_status check_layout(dh_safetensors *file)
{
    uint64_t at = 0;
    qsort(file->sorted, file->count, sizeof *file->sorted, compare_offsets);
    for (size_t i = 0; i < file->count; i++) {
        const entry *e = file->sorted[i];
        DH_REQUIRE(
            e->begin == at, DH_EFORMAT,
            "%s \"%s\": tensor \"%s\" begins at %llu of the data, the one before ends at %llu", who,
            file->what, e->name, (unsigned long long)e->begin, (unsigned long long)at);
        at = e->end;
    }
    DH_REQUIRE(at == file->data_size, DH_EFORMAT,
               "%s \"%s\": the tensors cover %llu bytes of the data, the file has %zu", who,
               file->what, (unsigned long long)at, file->data_size);
    return DH_OK;
}

static dh_status check_entries(dh_safetensors *file)
{
    file->sorted = dh__calloc(file->count, sizeof *file->sorted);
    if (!file->sorted) return DH_ENOMEM;
    for (size_t i = 0; i < file->count; i++) {
        DH_TRY(check_tensor(file, &file->entries[i]));
        file->sorted[i] = &file->entries[i];
    }
    DH_TRY(check_layout(file));
    qsort(file->sorted, file->count, sizeof *file->sorted, compare_names);
    for (size_t i = 1; i < file->count; i++)
        DH_REQUIRE(compare_names(&file->sorted[i - 1], &file->sorted[i]) != 0, DH_EFORMAT,
                   "%s \"%s\": two tensors have the name \"%s\"", who, file->what,
                   file->sorted[i]->name);
    if (file->metadata_count)
        qsort(file->metadata, file->metadata_count, sizeof *file->metadata, compare_keys);
    for (size_t i = 1; i < file->metadata_count; i++)
        DH_REQUIRE(compare_keys(&file->metadata[i - 1], &file->metadata[i]) != 0, DH_EFORMAT,
                   "%s \"%s\": the metadata have the key \"%s\" twice", who, file->what,
                   file->metadata[i].key);
    return DH_OK;
}

static dh_status read_header(dh_safetensors *file)
{
    uint8_t first[8];
    size_t size = file->input.size;
    DH_REQUIRE(size >= 8, DH_EFORMAT, "%s \"%s\": %zu bytes, the header's size alone has 8", who,
               file->what, size);
    DH_TRY(dh__io_fetch(first, &file->input, 0, sizeof first, who, file->what));
    uint64_t header = dh__le64(first);
    DH_REQUIRE(
        header <= size - 8 && header <= DH_SAFETENSORS_HEADER_MAX, DH_EFORMAT,
        "%s \"%s\": no safetensors file: its header would have %llu bytes, must be at most %zu",
        who, file->what, (unsigned long long)header,
        size - 8 < DH_SAFETENSORS_HEADER_MAX ? size - 8 : DH_SAFETENSORS_HEADER_MAX);
    file->data_offset = 8 + (size_t)header;
    file->data_size = size - file->data_offset;
    file->strings = dh__alloc((size_t)header);
    uint8_t *text = file->strings ? dh__alloc((size_t)header) : NULL;
    if (!text) return DH_ENOMEM;
    dh_status status = dh__io_fetch(text, &file->input, 8, (size_t)header, who, file->what);
    dh__json json = {.who = who,
                     .what = file->what,
                     .text = text,
                     .size = (size_t)header,
                     .offset = 8,
                     .strings = file->strings};
    if (!status) status = parse_header(file, &json);
    dh__free(text);
    return status ? status : check_entries(file);
}

/* Takes input, also when it fails. */
static dh_status open_input(dh__safetensors **out, dh__input input, const char *what)
{
    dh_safetensors *file = dh__calloc(1, sizeof *file);
    if (!file) {
        dh__input_close(&input);
        return DH_ENOMEM;
    }
    file->input = input;
    file->what = dh__strdup(what);
    dh_status status = file->what ? read_header(file) : DH_ENOMEM;
    if (status)
        dh__safetensors_free(file);
    else
        *out = file;
    return status;
}

dh_status dh__safetensors_parse(dh__safetensors **out, const uint8_t *data, size_t size,
                                const char *what)
{
    return open_input(out, dh__input_memory(data, size), what);
}

dh_status dh__safetensors_open(dh__safetensors **out, const char *path)
{
    DH_NEED(out, who, "out");
    DH_NEED(path, who, "path");
    dh__input input;
    DH_TRY(dh__io_input(&input, path, who));
    return open_input(out, input, path);
}

void dh__safetensors_free(dh__safetensors *file)
{
    if (!file) return;
    dh__input_close(&file->input);
    dh__free(file->what);
    dh__free(file->strings);
    dh__free(file->entries);
    dh__free(file->sorted);
    dh__free(file->metadata);
    dh__free(file);
}

/* --- access --- */

int dh__safetensors_count(const dh__safetensors *file)
{
    return file ? (int)file->count : 0;
}

static bool has_index(const dh__safetensors *file, int index)
{
    return file && index >= 0 && (size_t)index < file->count;
}

const char *dh__safetensors_name(const dh__safetensors *file, int index)
{
    return has_index(file, index) ? file->entries[index].name : NULL;
}

const dh_view *dh__safetensors_view(const dh__safetensors *file, int index)
{
    return has_index(file, index) ? &file->entries[index].view : NULL;
}

int dh__safetensors_find(const dh__safetensors *file, const char *name)
{
    if (!file || !name) return -1;
    const entry key = {.name = name}, *wanted = &key;
    const entry *const *found =
        bsearch(&wanted, file->sorted, file->count, sizeof *file->sorted, compare_names);
    return found ? (int)(*found - file->entries) : -1;
}

static dh_status describe_at(dh__io_block *block, dh_tensor **out, const dh__safetensors *file,
                             int index, const char *name)
{
    DH_NEED(out, name, "out");
    DH_NEED(file, name, "file");
    DH_REQUIRE(has_index(file, index), DH_EINVAL,
               "%s \"%s\": index is %d, the file has %zu tensors", name, file->what, index,
               file->count);
    describe(block, file, &file->entries[index], name);
    return DH_OK;
}

dh_status dh__safetensors_tensor(dh_tensor **out, const dh__safetensors *file, int index)
{
    dh__io_block block;
    DH_TRY(describe_at(&block, out, file, index, "safetensors_get"));
    return dh__io_tensor(out, &block);
}

dh_status dh__safetensors_map(dh_tensor **out, const dh__safetensors *file, int index)
{
    dh__io_block block;
    DH_TRY(describe_at(&block, out, file, index, "safetensors_map"));
    return dh__io_map(out, &block);
}

bool dh__safetensors_metadata_at(const dh__safetensors *file, int index, const char **key,
                                 const char **value)
{
    if (!file || index < 0 || (size_t)index >= file->metadata_count) return false;
    *key = file->metadata[index].key;
    *value = file->metadata[index].value;
    return true;
}
