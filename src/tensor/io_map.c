/* SPDX-License-Identifier: MIT */
/* A file's pages as tensor memory. They are mapped privately and writable: an op that writes to
 * such a tensor changes memory, not the file, and does not fault. No swap is reserved, so that
 * files larger than the memory can be mapped. */
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

typedef struct mapping {
    void *pages;
    size_t size;
} mapping;

static void unmap(void *data, void *payload)
{
    DH_UNUSED(data);
    mapping *m = payload;
    (void)munmap(m->pages, m->size);
    dh__free(m);
}

/* Pages past the end of a file can be mapped, but touching them ends the process. */
static dh_status check_length(const dh__io_block *block)
{
    struct stat info;
    size_t end = block->offset + block->size;
    bool known = fstat(block->input->fd, &info) == 0 && info.st_size >= 0;
    DH_REQUIRE(!known || (uintmax_t)info.st_size >= end, DH_EFORMAT,
               "%s \"%s\": ends after %lld bytes, %zu from offset %zu were expected", block->who,
               block->what, (long long)info.st_size, block->size, block->offset);
    return DH_OK;
}

dh_status dh__io_map(dh_tensor **out, const dh__io_block *block)
{
    size_t size, element = dh_dtype_size(block->dtype);
    DH_TRY(dh__io_size(&size, block));
    bool swapped = block->big != DH_HOST_BIG_ENDIAN && element > 1;
    if (!block->input->is_file || block->offset % element || swapped || size == 0 ||
        size != block->size)
        return dh__io_tensor(out, block);
    DH_TRY(check_length(block));
    mapping *m = dh__alloc(sizeof *m);
    if (!m) return DH_ENOMEM;
    long page = sysconf(_SC_PAGESIZE);
    size_t before = block->offset % (size_t)(page > 0 ? page : 4096);
    m->size = size + before;
    m->pages = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE,
                    block->input->fd, (off_t)(block->offset - before));
    if (m->pages == MAP_FAILED) {
        dh__free(m);
        return dh__io_tensor(out, block);
    }
    uint8_t *data = (uint8_t *)m->pages + before;
    dh_status status = dh__io_check_bool(block, data);
    if (!status)
        status =
            dh_tensor_from_memory(out, data, block->dtype, block->ndim, block->shape, unmap, m);
    if (status) unmap(NULL, m);
    return status;
}
