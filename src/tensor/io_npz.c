/* SPDX-License-Identifier: MIT */
/* NumPy's .npz: arrays by name in a zip archive. */
#include <stdlib.h>
#include <string.h>

#include "io.h"
#include "zip.h"

typedef struct array {
    const char *name; /* without ".npy" */
    int entry;
} array;

struct dh_npz {
    dh__input input;
    dh__zip zip;
    char *what, *names;
    array *arrays;        /* in the archive's order */
    const array **sorted; /* by name */
    int count;
};

static int compare_arrays(const void *a, const void *b)
{
    return strcmp((*(const array *const *)a)->name, (*(const array *const *)b)->name);
}

/* Bytes of the name before ".npy"; 0 where it is no array. */
static size_t stem_length(const char *name)
{
    size_t length = strlen(name);
    return length > 4 && strcmp(name + length - 4, ".npy") == 0 ? length - 4 : 0;
}

static dh_status list_arrays(dh_npz *npz)
{
    const dh__zip *zip = &npz->zip;
    size_t total = 0;
    for (int i = 0; i < zip->count; i++) total += stem_length(zip->entries[i].name) + 1;
    npz->names = dh__alloc(total);
    npz->arrays = dh__calloc((size_t)zip->count, sizeof *npz->arrays);
    npz->sorted = dh__calloc((size_t)zip->count, sizeof *npz->sorted);
    if (!npz->names || !npz->arrays || !npz->sorted) return DH_ENOMEM;
    char *names = npz->names;
    for (int i = 0; i < zip->count; i++) {
        size_t length = stem_length(zip->entries[i].name);
        if (!length) continue;
        memcpy(names, zip->entries[i].name, length);
        names[length] = '\0';
        npz->arrays[npz->count] = (array){.name = names, .entry = i};
        npz->sorted[npz->count] = &npz->arrays[npz->count];
        npz->count++;
        names += length + 1;
    }
    qsort(npz->sorted, (size_t)npz->count, sizeof *npz->sorted, compare_arrays);
    for (int i = 1; i < npz->count; i++)
        DH_REQUIRE(compare_arrays(&npz->sorted[i - 1], &npz->sorted[i]) != 0, DH_EFORMAT,
                   "npz_open \"%s\": two arrays have the name \"%s\"", npz->what,
                   npz->sorted[i]->name);
    return DH_OK;
}

/* Takes input, also when it fails. */
static dh_status open_input(dh_npz **out, dh__input input, const char *what)
{
    dh_npz *npz = dh__calloc(1, sizeof *npz);
    if (!npz) {
        dh__input_close(&input);
        return DH_ENOMEM;
    }
    npz->input = input;
    npz->what = dh__strdup(what);
    dh_status status = npz->what ? dh__zip_open(&npz->zip, &npz->input, npz->what) : DH_ENOMEM;
    if (!status) status = list_arrays(npz);
    if (status)
        dh_npz_free(npz);
    else
        *out = npz;
    return status;
}

dh_status dh__npz_parse(dh_npz **out, const uint8_t *data, size_t size, const char *what)
{
    return open_input(out, dh__input_memory(data, size), what);
}

dh_status dh_npz_open(dh_npz **out, const char *path)
{
    DH_NEED(out, "npz_open", "out");
    DH_NEED(path, "npz_open", "path");
    dh__input input;
    DH_TRY(dh__io_input(&input, path, "npz_open"));
    return open_input(out, input, path);
}

void dh_npz_free(dh_npz *npz)
{
    if (!npz) return;
    dh__zip_close(&npz->zip);
    dh__input_close(&npz->input);
    dh__free(npz->what);
    dh__free(npz->names);
    dh__free(npz->arrays);
    dh__free(npz->sorted);
    dh__free(npz);
}

int dh_npz_count(const dh_npz *npz)
{
    return npz ? npz->count : 0;
}

const char *dh_npz_name(const dh_npz *npz, int index)
{
    return npz && index >= 0 && index < npz->count ? npz->arrays[index].name : NULL;
}

static const char *name_at(int i, const void *payload)
{
    return dh_npz_name(payload, i);
}

static dh_status read_array(dh_tensor **out, const dh_npz *npz, const array *a)
{
    const dh__zip_entry *entry = &npz->zip.entries[a->entry];
    uint8_t *data;
    dh__text source = {0};
    dh__text_add(&source, "%s/%s", npz->what, entry->name);
    dh_status status = dh__text_status(&source);
    if (!status) status = dh__zip_read(&data, &npz->zip, a->entry);
    if (!status) {
        status = dh__npy_parse(out, data, (size_t)entry->size, source.data);
        dh__free(data);
    }
    dh__text_free(&source);
    return status;
}

dh_status dh_npz_get(dh_tensor **out, const dh_npz *npz, const char *name)
{
    DH_NEED(out, "npz_get", "out");
    DH_NEED(npz, "npz_get", "npz");
    DH_NEED(name, "npz_get", "name");
    const array key = {.name = name}, *wanted = &key;
    const array *const *found =
        bsearch(&wanted, npz->sorted, (size_t)npz->count, sizeof *npz->sorted, compare_arrays);
    char hint[256];
    DH_REQUIRE(found, DH_ENAME, "npz_get \"%s\": no array \"%s\"%s", npz->what, name,
               dh__suggest(hint, sizeof hint, name, name_at, npz));
    return read_array(out, npz, *found);
}

dh_status dh__npz_load_one(dh_tensor **out, const char *path)
{
    dh_npz *npz;
    DH_TRY(dh_npz_open(&npz, path));
    dh_status status;
    if (npz->count == 1)
        status = read_array(out, npz, &npz->arrays[0]);
    else
        status = dh_fail(DH_EINVAL,
                         "tensor_load: \"%s\" holds %d arrays, must be 1: dh_npz_get gives them by "
                         "name",
                         path, npz->count);
    dh_npz_free(npz);
    return status;
}

/* --- writing --- */

static dh_status write_array(dh__zip_writer *zip, const char *name, const dh_tensor *x,
                             const char *path)
{
    char header[DH_NPY_HEADER_MAX];
    size_t header_size, size;
    dh__text entry = {0};
    DH_TRY(dh__npy_header(header, &header_size, x, "npz_save", path));
    DH_TRY(dh__view_bytes(&size, &x->view, "npz_save"));
    uint32_t crc = dh__crc32(dh__crc32(0, header, header_size), x->view.data, size);
    dh__text_add(&entry, "%s.npy", name);
    dh_status status = dh__text_status(&entry);
    if (!status) status = dh__zip_add(zip, entry.data, crc, header_size + (uint64_t)size);
    if (!status) status = dh__write(zip->writer, header, header_size);
    if (!status) status = dh__write(zip->writer, x->view.data, size);
    dh__text_free(&entry);
    return status;
}

dh_status dh_npz_save(const char *path, const char *const *names, const dh_tensor *const *tensors,
                      int count)
{
    DH_NEED(path, "npz_save", "path");
    DH_TRY(dh__io_check_names(names, tensors, count, "npz_save"));
    dh__zip_writer zip = {0};
    DH_TRY(dh__io_open(&zip.writer, path, "npz_save"));
    dh_status status = DH_OK;
    for (int i = 0; i < count && !status; i++) {
        dh_tensor *host;
        status = dh__io_host(&host, tensors[i], "npz_save");
        if (status) break;
        status = write_array(&zip, names[i], host, path);
        dh_tensor_free(host);
    }
    if (!status) status = dh__zip_finish(&zip);
    dh__zip_writer_free(&zip);
    return dh__io_commit(zip.writer, status, "npz_save");
}
