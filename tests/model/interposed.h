/* SPDX-License-Identifier: MIT */
/* What the tests share that run themselves again with interpose_alloc.so, which lies beside them,
 * in front: it counts the requests for memory of the whole process and refuses one. */
#ifndef DH_INTERPOSED_H
#define DH_INTERPOSED_H

#include "model_test.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

static void (*mark)(int on);
static void (*fail_at)(unsigned long long n);
static unsigned long long (*count)(void);
static unsigned long long (*refused)(void);

/* Sanitizers have allocators of their own. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define SANITIZED true
#endif
#if !defined(SANITIZED)
#define SANITIZED false
#endif

/* Runs this program anew behind the interposer. */
static int again(char **argv)
{
    char self[PATH_MAX], preload[PATH_MAX + 32];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0 || getenv("LD_PRELOAD")) {
        fprintf(stderr, "interpose_alloc.so could not be put in front\n");
        return 1;
    }
    self[n] = 0;
    snprintf(preload, sizeof preload, "%.*s/interpose_alloc.so", (int)(strrchr(self, '/') - self),
             self);
    if (access(preload, R_OK)) {
        fprintf(stderr, "%s is not there: skipped\n", preload);
        return 77;
    }
    setenv("LD_PRELOAD", preload, 1);
    execv(self, argv);
    perror(self);
    return 1;
}

static bool find(void *to, const char *name)
{
    void *symbol = dlsym(RTLD_DEFAULT, name);
    memcpy(to, &symbol, sizeof symbol);
    return symbol != NULL;
}

/* Runs the tests behind the interposer: the program's exit code. */
static int run_interposed(char **argv, int (*tests)(void))
{
    if (SANITIZED) {
        fprintf(stderr, "this build's allocator is not glibc's: skipped\n");
        return 77;
    }
    if (!find(&mark, "interpose_mark") || !find(&fail_at, "interpose_fail_at") ||
        !find(&count, "interpose_count") || !find(&refused, "interpose_refused"))
        return again(argv);
    return tests();
}

#endif
