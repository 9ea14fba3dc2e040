/* SPDX-License-Identifier: MIT */
/* Loaded in front of a program (LD_PRELOAD): counts what the process asks the system's allocator
 * for, the library's own requests and those of zlib, libyaml, libc and OpenMP alike, between two
 * marks, and can refuse the n-th. glibc only: it hands on to __libc_*. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* mmap64 */
#endif
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "interpose_alloc.h"

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static atomic_bool counting;
static atomic_ullong calls, refused;
static atomic_ullong countdown; /* requests until the one that is refused; 0: none is */

__attribute__((constructor)) static void begin(void)
{
    const char *n = getenv("DH_FAIL_NTH");
    if (n) atomic_store(&countdown, strtoull(n, NULL, 10));
}

void interpose_mark(int on)
{
    if (on) atomic_store(&calls, 0);
    atomic_store(&counting, on != 0);
}

void interpose_fail_at(unsigned long long n)
{
    atomic_store(&countdown, n);
}

unsigned long long interpose_count(void)
{
    return atomic_load(&calls);
}

unsigned long long interpose_refused(void)
{
    return atomic_load(&refused);
}

/* True where the request is to fail. Failing needs no errno of its own but ENOMEM. */
static bool refuse(void)
{
    if (!atomic_load_explicit(&counting, memory_order_relaxed)) return false;
    atomic_fetch_add(&calls, 1);
    unsigned long long n = atomic_load(&countdown);
    while (n != 0)
        if (atomic_compare_exchange_weak(&countdown, &n, n - 1)) {
            if (n != 1) return false;
            atomic_fetch_add(&refused, 1);
            errno = ENOMEM;
            return true;
        }
    return false;
}

void *malloc(size_t size)
{
    return refuse() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return refuse() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
    return refuse() ? NULL : __libc_realloc(block, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return refuse() ? NULL : __libc_memalign(alignment, size);
}

void *memalign(size_t alignment, size_t size)
{
    return refuse() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    if (refuse()) return ENOMEM;
    void *block = __libc_memalign(alignment, size);
    if (!block) return ENOMEM;
    *out = block;
    return 0;
}

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset)
{
    if (refuse()) return MAP_FAILED;
    long at = syscall(SYS_mmap, address, size, protection, flags, file, offset);
    return at == -1 ? MAP_FAILED : (void *)at;
}

void *mmap64(void *address, size_t size, int protection, int flags, int file, off_t offset)
{
    return mmap(address, size, protection, flags, file, offset);
}
