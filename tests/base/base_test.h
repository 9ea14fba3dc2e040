/* SPDX-License-Identifier: MIT */
/* What the tests of base share: the failing n-th allocation, a folder, a locale with a comma. */
#ifndef BASE_TEST_H
#define BASE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base.h"

static inline uint64_t live_blocks(void)
{
    dh_memory_stats stats;
    dh_get_memory_stats(&stats);
    return stats.live_blocks;
}

/* Runs call with the first, second, .. allocation failing until it succeeds: each failure must be
 * DH_ENOMEM and leave nothing behind. cleanup frees what the success gave. */
#define CHECK_EACH_ALLOCATION(call, cleanup)                  \
    do {                                                      \
        uint64_t live_before = live_blocks();                 \
        for (uint64_t nth = 1;; nth++) {                      \
            dh_alloc_fail_at(nth);                            \
            dh_status got_status = (call);                    \
            dh_alloc_fail_at(0);                              \
            if (got_status == DH_OK) {                        \
                assert_true(nth > 1);                         \
                cleanup;                                      \
                assert_int_equal(live_blocks(), live_before); \
                break;                                        \
            }                                                 \
            assert_int_equal(got_status, DH_ENOMEM);          \
            assert_int_equal(live_blocks(), live_before);     \
            assert_true(nth < 100000);                        \
        }                                                     \
    } while (0)

/* The status, and a text of one line in which part stands. */
#define CHECK_FAILS(call, status, part)                                       \
    do {                                                                      \
        dh_error_clear();                                                     \
        assert_int_equal((call), (status));                                   \
        assert_int_equal(dh_error_status(), (status));                        \
        if (!strstr(dh_error_text(), (part)))                                 \
            fail_msg("\"%s\" does not hold \"%s\"", dh_error_text(), (part)); \
        assert_null(strchr(dh_error_text(), '\n'));                           \
    } while (0)

/* Sets a locale whose decimal sign is a comma; false where none is installed. */
static inline bool set_comma_locale(void)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "de_DE",      "fr_FR.UTF-8",
                                        "fr_FR.utf8",  "fr_FR",      "es_ES.UTF-8"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (setlocale(LC_ALL, names[i]) && localeconv()->decimal_point[0] == ',') return true;
    (void)setlocale(LC_ALL, "C");
    return false;
}

static char test_dir[512];

static inline int make_test_dir(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    (void)snprintf(test_dir, sizeof test_dir, "%s/deephealth-XXXXXX", base ? base : P_tmpdir);
    return mkdtemp(test_dir) ? 0 : -1;
}

/* Not empty: a test left something behind, which is a failure. */
static inline int remove_test_dir(void **state)
{
    (void)state;
    return rmdir(test_dir);
}

static inline const char *test_path(const char *name)
{
    static char paths[4][1024];
    static int next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", test_dir, name);
    return path;
}

static inline void write_test_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    if (size) assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

#endif
