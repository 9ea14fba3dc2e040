/* SPDX-License-Identifier: MIT */
/* A file's pages as tensor memory. They are mapped privately and writable: an op that writes to
 * such a tensor changes memory, not the file, and does not fault. No swap is reserved, so that
 * files larger than the memory can be mapped. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

/* True where path is mapped; what can't be mapped (a pipe, an empty file, one that is not there) is
 * left to dh__file_read, which also knows how to say why. */
static bool map_file(dh__mapping *mapping, const char *path)
{
    struct stat info;
    /* asked first: opening a pipe and closing it again would end its writer */
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0 &&
        (uintmax_t)info.st_size < PTRDIFF_MAX) {
        size_t size = (size_t)info.st_size;
        void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
        if (data != MAP_FAILED) {
            mapping->data = data;
            mapping->size = size;
            mapping->mapped = true;
        }
    }
    (void)close(fd);
    return mapping->mapped;
}

/* Where only a read-only mapping could be had, its bytes are copied. */
static dh_status read_file(dh__mapping *mapping, const char *path, const char *who)
{
    DH_TRY(dh__io_read(&mapping->bytes, path, who));
    if (mapping->bytes.mapped) {
        uint8_t *copy = dh__alloc(mapping->bytes.size);
        if (copy) memcpy(copy, mapping->bytes.data, mapping->bytes.size);
        size_t size = mapping->bytes.size;
        dh__bytes_free(&mapping->bytes);
        if (!copy) return DH_ENOMEM;
        mapping->bytes = (dh__bytes){.data = copy, .size = size};
    }
    mapping->data = (uint8_t *)(uintptr_t)mapping->bytes.data;
    mapping->size = mapping->bytes.size;
    return DH_OK;
}

dh_status dh__mapping_open(dh__mapping **out, const char *path, const char *who)
{
    DH_NEED(path, who, "path");
    dh__mapping *mapping = dh__calloc(1, sizeof *mapping);
    if (!mapping) return DH_ENOMEM;
    atomic_init(&mapping->references, 1);
    dh_status status = map_file(mapping, path) ? DH_OK : read_file(mapping, path, who);
    if (status)
        dh__free(mapping);
    else
        *out = mapping;
    return status;
}

void dh__mapping_retain(dh__mapping *mapping)
{
    atomic_fetch_add_explicit(&mapping->references, 1, memory_order_relaxed);
}

void dh__mapping_release(dh__mapping *mapping)
{
    if (!mapping) return;
    if (atomic_fetch_sub_explicit(&mapping->references, 1, memory_order_acq_rel) != 1) return;
    if (mapping->mapped)
        (void)munmap(mapping->data, mapping->size);
    else
        dh__bytes_free(&mapping->bytes);
    dh__free(mapping);
}

static void release_for_tensor(void *data, void *payload)
{
    DH_UNUSED(data);
    dh__mapping_release(payload);
}

dh_status dh__mapping_tensor(dh_tensor **out, dh__mapping *mapping, const dh__io_block *block)
{
    bool aligned = (uintptr_t)block->data % dh_dtype_size(block->dtype) == 0;
    bool swapped = DH_HOST_BIG_ENDIAN && dh_dtype_size(block->dtype) > 1;
    size_t size;
    DH_TRY(dh__io_size(&size, block));
    if (!mapping || !aligned || swapped || size == 0 || size != block->size)
        return dh__io_tensor(out, block);
    DH_TRY(dh__io_check_bool(block));
    dh__mapping_retain(mapping);
    dh_status status =
        dh_tensor_from_memory(out, (void *)(uintptr_t)block->data, block->dtype, block->ndim,
                              block->shape, release_for_tensor, mapping);
    if (status) dh__mapping_release(mapping);
    return status;
}
