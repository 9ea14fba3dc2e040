/* SPDX-License-Identifier: MIT */
/* Mistakes with files. The tests stand in a folder of their own, so that paths in messages are
 * short and known. */
#ifndef DH_MISTAKES_IO_H
#define DH_MISTAKES_IO_H

#include "io_test.h"
#include "mistakes.h"

static inline int enter(void **state)
{
    return open_test_dir(state) || chdir(test_dir) ? -1 : make_parts(state);
}

static inline int leave(void **state)
{
    int status = free_parts(state);
    if (chdir("/")) return -1;
    return close_test_dir(state) ? -1 : status;
}

static inline void put(const char *name, const void *bytes, size_t size)
{
    FILE *f = fopen(name, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

#define PUT(name, text) put(name, text, sizeof text - 1)

#endif
