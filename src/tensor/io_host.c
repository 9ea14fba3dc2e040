/* SPDX-License-Identifier: MIT */
/* Between files and tensors: sizes checked before memory is asked for, elements read to where they
 * stay, byte order, atomic writing. */
#include <stdlib.h>
#include <string.h>

#include "io.h"

dh_status dh__io_size(size_t *out, const dh__io_block *block)
{
    size_t size = dh_dtype_size(block->dtype);
    bool empty = false, fits = true;
    /* an empty axis does not excuse the others: strides are their products */
    for (int i = 0; i < block->ndim; i++) {
        if (block->shape[i] == 0)
            empty = true;
        else
            fits = fits && dh__mul_size(size, (size_t)block->shape[i], &size);
    }
    char text[DH_SHAPE_TEXT];
    DH_REQUIRE(fits && size <= PTRDIFF_MAX, DH_EFORMAT,
               "%s \"%s\": shape %s of %s fits in no memory, the file has %zu bytes of data",
               block->who, block->what,
               dh__shape_text(text, sizeof text, block->ndim, block->shape),
               dh_dtype_name(block->dtype), block->size);
    *out = empty ? 0 : size;
    return DH_OK;
}

dh_status dh__io_check_bool(const dh__io_block *block, const uint8_t *data)
{
    if (block->dtype != DH_BOOL) return DH_OK;
    for (size_t i = 0; i < block->size; i++)
        DH_REQUIRE(data[i] <= 1, DH_EFORMAT,
                   "%s \"%s\": the byte at offset %zu is %u, a bool is 0 or 1", block->who,
                   block->what, block->offset + i, (unsigned)data[i]);
    return DH_OK;
}

static void reverse_bytes(uint8_t *data, size_t size, size_t element)
{
    for (size_t i = 0; i < size; i += element)
        for (size_t k = 0; k < element / 2; k++) {
            uint8_t kept = data[i + k];
            data[i + k] = data[i + element - 1 - k];
            data[i + element - 1 - k] = kept;
        }
}

dh_status dh__io_tensor(dh_tensor **out, const dh__io_block *block)
{
    size_t size;
    DH_TRY(dh__io_size(&size, block));
    char text[DH_SHAPE_TEXT];
    DH_REQUIRE(size == block->size, DH_EFORMAT,
               "%s \"%s\": shape %s of %s takes %zu bytes from offset %zu, the file has %zu",
               block->who, block->what,
               dh__shape_text(text, sizeof text, block->ndim, block->shape),
               dh_dtype_name(block->dtype), size, block->offset, block->size);
    dh_tensor *t;
    DH_TRY(dh__tensor_new(&t, dh__cpu(), block->dtype, block->ndim, block->shape));
    dh_status status = DH_OK;
    if (size) {
        uint8_t *data = t->view.data;
        status = dh__io_fetch(data, block->input, block->offset, size, block->who, block->what);
        if (!status) status = dh__io_check_bool(block, data);
        if (!status && block->big != DH_HOST_BIG_ENDIAN)
            reverse_bytes(data, size, dh_dtype_size(block->dtype));
    }
    if (status)
        dh_tensor_free(t);
    else
        *out = t;
    return status;
}

dh_status dh__io_host(dh_tensor **out, const dh_tensor *x, const char *who)
{
    DH_NEED(x, who, "x");
    if (x->storage->device->host) return dh_tensor_contiguous(out, x);
    return dh_tensor_to_device(out, x, "cpu");
}

dh_status dh__io_write_data(dh__writer *writer, const dh_tensor *x)
{
    size_t size;
    DH_TRY(dh__view_bytes(&size, &x->view, "tensor_save"));
    if (!DH_HOST_BIG_ENDIAN) return dh__write(writer, x->view.data, size);
    uint8_t block[4096];
    for (size_t i = 0; i < size; i += sizeof block) {
        size_t part = size - i < sizeof block ? size - i : sizeof block;
        memcpy(block, (const uint8_t *)x->view.data + i, part);
        reverse_bytes(block, part, dh_dtype_size(x->view.dtype));
        DH_TRY(dh__write(writer, block, part));
    }
    return DH_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

dh_status dh__io_check_names(const char *const *names, const dh_tensor *const *tensors, int count,
                             const char *who)
{
    DH_REQUIRE(count >= 0, DH_EINVAL, "%s: count is %d, must be at least 0", who, count);
    if (count == 0) return DH_OK;
    DH_NEED(names, who, "names");
    DH_NEED(tensors, who, "tensors");
    for (int i = 0; i < count; i++) {
        DH_REQUIRE(names[i] && names[i][0], DH_EINVAL, "%s: names[%d] is %s", who, i,
                   names[i] ? "empty" : "NULL");
        DH_REQUIRE(tensors[i], DH_EINVAL, "%s: tensors[%d] (\"%s\") is NULL", who, i, names[i]);
    }
    const char **sorted = dh__calloc((size_t)count, sizeof *sorted);
    if (!sorted) return DH_ENOMEM;
    memcpy(sorted, names, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, compare_names);
    dh_status status = DH_OK;
    for (int i = 1; i < count && !status; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            status = dh_fail(DH_EINVAL, "%s: names has \"%s\" twice", who, sorted[i]);
    dh__free(sorted);
    return status;
}

/* Beside the path, as in a text about what the file holds, there is no need to say that it was
 * being opened. */
static dh_status from_file(const char *who, dh_status status)
{
    if (status == DH_ENOMEM) return dh__from(who, status);
    return dh__named(dh__named(status, "open", who), "read", who);
}

dh_status dh__io_read(dh__bytes *out, const char *path, const char *who)
{
    return from_file(who, dh__file_read(out, path));
}

dh_status dh__io_input(dh__input *out, const char *path, const char *who)
{
    return from_file(who, dh__input_open(out, path));
}

dh_status dh__io_fetch(void *out, const dh__input *input, size_t offset, size_t size,
                       const char *who, const char *what)
{
    dh_status status = dh__input_read(input, out, offset, size);
    if (status) dh_error_prefix("%s \"%s\"", who, what);
    return status;
}

dh_status dh__io_open(dh__writer **out, const char *path, const char *who)
{
    DH_REQUIRE(path[0], DH_EINVAL, "%s: path is empty", who);
    return dh__from(who, dh__writer_open(out, path));
}

dh_status dh__io_commit(dh__writer *writer, dh_status status, const char *who)
{
    if (!status) return dh__from(who, dh__writer_commit(writer));
    char to[64];
    dh__writer_abort(writer);
    dh__format(to, sizeof to, "%s: write", who); /* write "path": No space left on device */
    return dh__named(status, "write", to);
}

dh_status dh__io_load(dh_tensor **out, const char *path, const char *who,
                      dh_status (*read)(dh_tensor **out, const dh__input *input, const char *what))
{
    DH_NEED(out, who, "out");
    DH_NEED(path, who, "path");
    dh__input input;
    DH_TRY(dh__io_input(&input, path, who));
    dh_status status = read(out, &input, path);
    dh__input_close(&input);
    return status;
}

dh_status dh__io_save(const dh_tensor *x, const char *path, const char *who,
                      dh_status (*write)(dh__writer *writer, const dh_tensor *x, const char *path,
                                         const void *payload),
                      const void *payload)
{
    DH_NEED(x, who, "x");
    DH_NEED(path, who, "path");
    dh_tensor *host;
    dh__writer *writer;
    DH_TRY(dh__io_host(&host, x, who));
    dh_status status = dh__io_open(&writer, path, who);
    if (!status) {
        status = write(writer, host, path, payload);
        status = dh__io_commit(writer, status, who);
    }
    dh_tensor_free(host);
    return status;
}
