/* SPDX-License-Identifier: MIT */
/* What the tests of file formats share: a folder, the damage done to files, an allocator that notes
 * the largest request. */
#ifndef DH_IO_TEST_H
#define DH_IO_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <signal.h>
#include <unistd.h>

#include "expect.h"
#include "io.h"

static char test_dir[512];
static size_t largest_request;

static void *noting_alloc(size_t size, size_t alignment, void *payload)
{
    (void)payload;
    void *block = NULL;
    if (size > largest_request) largest_request = size;
    return posix_memalign(&block, alignment, size) == 0 ? block : NULL;
}

static void noting_free(void *block, void *payload)
{
    (void)payload;
    free(block);
}

static inline int open_test_dir(void **state)
{
    (void)state;
    const dh_allocator allocator = {noting_alloc, noting_free, NULL};
    const char *base = getenv("TMPDIR");
    (void)snprintf(test_dir, sizeof test_dir, "%s/deephealth-XXXXXX", base ? base : P_tmpdir);
    return mkdtemp(test_dir) && dh_set_allocator(&allocator) == DH_OK ? 0 : -1;
}

/* A file left behind is a failure, and so is a block. */
static inline int close_test_dir(void **state)
{
    (void)state;
    return live_blocks() == 0 ? rmdir(test_dir) : -1;
}

static inline const char *in_dir(const char *name)
{
    static char paths[4][1024];
    static int next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", test_dir, name);
    return path;
}

static inline const char *write_file(const char *name, const void *bytes, size_t size)
{
    const char *path = in_dir(name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return path;
}

/* The bytes of a file, which is removed; to be freed with free. */
static inline uint8_t *take_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    uint8_t *bytes = malloc(1 << 20);
    assert_non_null(bytes);
    *size = fread(bytes, 1, 1 << 20, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(unlink(path), 0);
    return bytes;
}

/* Parses, reads whatever there is, frees it. */
typedef dh_status (*read_all)(const uint8_t *data, size_t size, const char *what);

static inline dh_status read_exactly(read_all read, const uint8_t *data, size_t size,
                                     size_t most_bytes)
{
    uint8_t *copy = malloc(size ? size : 1); /* a read past the end is seen by the sanitizer */
    assert_non_null(copy);
    memcpy(copy, data, size);
    uint64_t live = live_blocks();
    largest_request = 0;
    dh_error_clear();
    dh_status status = read(copy, size, "some.file");
    free(copy);
    assert_int_equal(live_blocks(), live);
    if (largest_request > most_bytes)
        fail_msg("%zu bytes were asked for, the file justifies %zu", largest_request, most_bytes);
    if (status) {
        if (status != DH_ENOMEM) assert_non_null(strstr(dh_error_text(), "some.file"));
        assert_null(strchr(dh_error_text(), '\n'));
    }
    return status;
}

/* Cuts the bytes at each length (which must fail where cuts_fail) and changes each byte in each bit
 * and as a whole. ratio: bytes of memory that a byte of the file may ask for. */
static inline void damage(read_all read, const uint8_t *bytes, size_t size, size_t ratio,
                          bool cuts_fail)
{
    size_t most = 65536 + size * ratio;
    uint8_t *copy = malloc(size + 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    assert_int_equal(read_exactly(read, copy, size, most), DH_OK);
    for (size_t cut = 0; cut < size; cut++) {
        dh_status status = read_exactly(read, copy, cut, most);
        if (cuts_fail && status == DH_OK) fail_msg("read although cut at %zu", cut);
    }
    for (size_t i = 0; i < size; i++)
        for (int bit = 0; bit < 9; bit++) {
            copy[i] ^= (uint8_t)(bit < 8 ? 1 << bit : 0xff);
            (void)read_exactly(read, copy, size, most);
            copy[i] = bytes[i];
        }
    copy[size] = 0;
    if (cuts_fail && read_exactly(read, copy, size + 1, most) == DH_OK)
        fail_msg("read although a byte follows");
    free(copy);
}

/* The file's size is limited while the call runs: the write fails half way, as on a full disk. */
#define WITH_FULL_DISK(bytes, call)                                  \
    do {                                                             \
        struct rlimit limit_before, limit_now;                       \
        void (*handler_before)(int) = signal(SIGXFSZ, SIG_IGN);      \
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit_before), 0); \
        limit_now = limit_before;                                    \
        limit_now.rlim_cur = (bytes);                                \
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit_now), 0);    \
        dh_status full_status = (call);                              \
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit_before), 0); \
        (void)signal(SIGXFSZ, handler_before);                       \
        assert_int_equal(full_status, DH_EIO);                       \
    } while (0)

/* Same dtype, shape and bits. */
static inline void expect_same(const dh_tensor *got, const dh_tensor *want)
{
    expect_shape(got, want->view.ndim, want->view.shape);
    assert_int_equal(dh_tensor_dtype(got), dh_tensor_dtype(want));
    assert_true(dh_tensor_is_contiguous(got) && dh_tensor_is_contiguous(want));
    size_t size = (size_t)dh_tensor_count(want) * dh_dtype_size(want->view.dtype);
    if (size) assert_memory_equal(dh_tensor_data(got), dh_tensor_data(want), size);
}

#endif
