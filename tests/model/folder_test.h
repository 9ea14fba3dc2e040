/* SPDX-License-Identifier: MIT */
/* 22 rows of data and a folder of their own for each test. */
#ifndef DH_FOLDER_TEST_H
#define DH_FOLDER_TEST_H

#include <stdlib.h>
#include <unistd.h>

#include "file.h"
#include "model_test.h"

typedef struct fixture {
    dh_tensor *x, *y;
    char dir[64];
} fixture;

static inline void remove_files(const char *dir)
{
    char **names, path[512];
    int count;
    if (dh__dir_names(&names, &count, dir, "") != DH_OK) return;
    for (int i = 0; i < count; i++) {
        if (names[i][0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        remove(path);
    }
    dh__free(names);
}

static inline int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    make_blobs(&f->x, &f->y, 22, 4, 2, 3);
    snprintf(f->dir, sizeof f->dir, "/tmp/dh_folder_XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    fixture *f = *state;
    dh_tensor_free(f->x);
    dh_tensor_free(f->y);
    remove_files(f->dir);
    rmdir(f->dir);
    free(f);
    return 0;
}

#endif
