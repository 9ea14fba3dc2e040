/* SPDX-License-Identifier: MIT */
/* Writing safetensors, and the public functions over safetensors.h. */
#include <string.h>

#include "io.h"
#include "json.h"
#include "safetensors.h"

static const char who[] = "safetensors_save";

/* Element sizes in the order in which data are written: each tensor begins at a multiple of its
 * own. */
static const size_t element_sizes[] = {8, 4, 2, 1};

static dh_status check_text(const char *list, int i, const char *text)
{
    DH_REQUIRE(dh__utf8_valid(text, strlen(text)), DH_EINVAL, "%s: %s[%d] is no valid UTF-8", who,
               list, i);
    return DH_OK;
}

static dh_status check_save(int count, const char *const *names, const dh_tensor *const *tensors,
                            int metadata_count, const char *const *keys, const char *const *values)
{
    DH_TRY(dh__io_check_names(names, tensors, count, who));
    for (int i = 0; i < count; i++) {
        DH_TRY(check_text("names", i, names[i]));
        DH_REQUIRE(strcmp(names[i], "__metadata__") != 0, DH_EINVAL,
                   "%s: names[%d] is \"__metadata__\", which the format keeps for itself", who, i);
    }
    DH_REQUIRE(metadata_count >= 0, DH_EINVAL, "%s: metadata_count is %d, must be at least 0", who,
               metadata_count);
    if (metadata_count) {
        DH_NEED(keys, who, "keys");
        DH_NEED(values, who, "values");
    }
    for (int i = 0; i < metadata_count; i++) {
        DH_REQUIRE(keys[i] && values[i], DH_EINVAL, "%s: %s[%d] is NULL", who,
                   keys[i] ? "values" : "keys", i);
        DH_TRY(check_text("keys", i, keys[i]));
        DH_TRY(check_text("values", i, values[i]));
        for (int k = 0; k < i; k++)
            DH_REQUIRE(strcmp(keys[k], keys[i]) != 0, DH_EINVAL,
                       "%s: keys[%d] and keys[%d] are both \"%s\"", who, k, i, keys[i]);
    }
    return DH_OK;
}

/* Where each tensor begins in the data. */
static dh_status place(uint64_t *begins, int count, const dh_tensor *const *tensors)
{
    uint64_t at = 0;
    for (size_t s = 0; s < DH_COUNT(element_sizes); s++)
        for (int i = 0; i < count; i++) {
            size_t size;
            if (dh_dtype_size(tensors[i]->view.dtype) != element_sizes[s]) continue;
            DH_TRY(dh__view_bytes(&size, &tensors[i]->view, who));
            begins[i] = at;
            at += size;
        }
    return DH_OK;
}

static void add_tensor(dh__text *header, const char *name, const dh_view *view, uint64_t begin)
{
    uint64_t size = (uint64_t)dh__view_count(view) * dh_dtype_size(view->dtype);
    dh__json_add_string(header, name);
    dh__text_add(header, ":{\"dtype\":\"%s\",\"shape\":[", dh__safetensors_dtype_name(view->dtype));
    for (int i = 0; i < view->ndim; i++)
        dh__text_add(header, i ? ",%lld" : "%lld", (long long)view->shape[i]);
    dh__text_add(header, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)begin,
                 (unsigned long long)(begin + size));
}

static dh_status make_header(dh__text *header, int count, const char *const *names,
                             const dh_tensor *const *tensors, const uint64_t *begins,
                             int metadata_count, const char *const *keys, const char *const *values)
{
    dh__text_add(header, metadata_count ? "{\"__metadata__\":{" : "{");
    for (int i = 0; i < metadata_count; i++) {
        if (i) dh__text_add(header, ",");
        dh__json_add_string(header, keys[i]);
        dh__text_add(header, ":");
        dh__json_add_string(header, values[i]);
    }
    if (metadata_count) dh__text_add(header, count ? "}," : "}");
    for (int i = 0; i < count; i++) {
        if (i) dh__text_add(header, ",");
        add_tensor(header, names[i], &tensors[i]->view, begins[i]);
    }
    dh__text_add(header, "}");
    while (header->length % 8 && !header->failed) dh__text_add(header, " ");
    DH_TRY(dh__text_status(header));
    DH_REQUIRE(header->length <= DH_SAFETENSORS_HEADER_MAX, DH_EOVERFLOW,
               "%s: the header of %d tensors has %zu bytes, the format takes up to %d", who, count,
               header->length, DH_SAFETENSORS_HEADER_MAX);
    return DH_OK;
}

static dh_status write_file(dh__writer *writer, const dh__text *header, int count,
                            const dh_tensor *const *tensors)
{
    uint8_t size[8];
    dh__put_le(size, header->length, 8);
    DH_TRY(dh__write(writer, size, sizeof size));
    DH_TRY(dh__write(writer, header->data, header->length));
    for (size_t s = 0; s < DH_COUNT(element_sizes); s++)
        for (int i = 0; i < count; i++) {
            dh_tensor *host;
            if (dh_dtype_size(tensors[i]->view.dtype) != element_sizes[s]) continue;
            DH_TRY(dh__io_host(&host, tensors[i], who));
            dh_status status = dh__io_write_data(writer, host);
            dh_tensor_free(host);
            DH_TRY(status);
        }
    return DH_OK;
}

dh_status dh__safetensors_save(const char *path, int count, const char *const *names,
                               const dh_tensor *const *tensors, int metadata_count,
                               const char *const *keys, const char *const *values)
{
    DH_NEED(path, who, "path");
    DH_TRY(check_save(count, names, tensors, metadata_count, keys, values));
    dh__text header = {0};
    dh__writer *writer;
    uint64_t *begins = dh__calloc((size_t)count, sizeof *begins);
    if (!begins) return DH_ENOMEM;
    dh_status status = place(begins, count, tensors);
    if (!status)
        status = make_header(&header, count, names, tensors, begins, metadata_count, keys, values);
    if (!status) status = dh__io_open(&writer, path, who);
    if (!status) {
        status = write_file(writer, &header, count, tensors);
        status = dh__io_commit(writer, status, who);
    }
    dh__text_free(&header);
    dh__free(begins);
    return status;
}

/* --- the public functions --- */

dh_status dh_safetensors_save(const char *path, const char *const *names,
                              const dh_tensor *const *tensors, int count)
{
    return dh__safetensors_save(path, count, names, tensors, 0, NULL, NULL);
}

dh_status dh_safetensors_open(dh_safetensors **out, const char *path)
{
    return dh__safetensors_open(out, path);
}

int dh_safetensors_count(const dh_safetensors *file)
{
    return dh__safetensors_count(file);
}

const char *dh_safetensors_name(const dh_safetensors *file, int index)
{
    return dh__safetensors_name(file, index);
}

static const char *name_at(int i, const void *payload)
{
    return dh__safetensors_name(payload, i);
}

static dh_status find(int *index, dh_tensor **out, const dh_safetensors *file, const char *name,
                      const char *function)
{
    DH_NEED(out, function, "out");
    DH_NEED(file, function, "file");
    DH_NEED(name, function, "name");
    *index = dh__safetensors_find(file, name);
    char hint[256];
    DH_REQUIRE(*index >= 0, DH_ENAME, "%s: no tensor \"%s\"%s", function, name,
               dh__suggest(hint, sizeof hint, name, name_at, file));
    return DH_OK;
}

dh_status dh_safetensors_get(dh_tensor **out, const dh_safetensors *file, const char *name)
{
    int index;
    DH_TRY(find(&index, out, file, name, "safetensors_get"));
    return dh__safetensors_tensor(out, file, index);
}

dh_status dh_safetensors_map(dh_tensor **out, const dh_safetensors *file, const char *name)
{
    int index;
    DH_TRY(find(&index, out, file, name, "safetensors_map"));
    return dh__safetensors_map(out, file, index);
}

const char *dh_safetensors_metadata(const dh_safetensors *file, const char *key)
{
    const char *k, *value;
    for (int i = 0; key && dh__safetensors_metadata_at(file, i, &k, &value); i++)
        if (strcmp(k, key) == 0) return value;
    return NULL;
}

void dh_safetensors_free(dh_safetensors *file)
{
    dh__safetensors_free(file);
}
