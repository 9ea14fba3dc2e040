/* SPDX-License-Identifier: MIT */
/* The allocator behind every block of the library, its counters, and the failing n-th call. */
#include "base.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

enum { BLOCK_ALIGNMENT = 64 };

/* From this size on a block begins on a huge page, which spares most TLB misses of big arrays. */
static const size_t huge_threshold = (size_t)4 << 20;
static const size_t huge_page = (size_t)2 << 20;

static void *default_alloc(size_t size, size_t alignment, void *payload)
{
    DH_UNUSED(payload);
    void *block = NULL;
#if defined(__linux__)
    if (size >= huge_threshold) {
        if (posix_memalign(&block, huge_page, size) != 0) return NULL;
        int saved = errno; /* a kernel without huge pages refuses; the block is good all the same */
        (void)madvise(block, size / huge_page * huge_page, MADV_HUGEPAGE);
        errno = saved;
        return block;
    }
#endif
    return posix_memalign(&block, alignment, size) == 0 ? block : NULL;
}

static void default_free(void *block, void *payload)
{
    DH_UNUSED(payload);
    free(block);
}

void dh__discard(void *data, size_t size)
{
#if defined(__linux__)
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = ((uintptr_t)data + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)data + size) / page * page;
    int saved = errno; /* memory that is locked, or no pages of the system, stays as it is */
    if (begin < end)
        (void)madvise((char *)data + (begin - (uintptr_t)data), end - begin, MADV_DONTNEED);
    errno = saved;
#else
    DH_UNUSED(data);
    DH_UNUSED(size);
#endif
}

static const dh_allocator default_allocator = {.alloc = default_alloc, .free = default_free};
static dh_allocator allocator = {.alloc = default_alloc, .free = default_free};

static atomic_uint_fast64_t alloc_calls, live_blocks, failed_calls, fail_countdown;

dh_status dh_set_allocator(const dh_allocator *wanted)
{
    DH_REQUIRE(!wanted || (wanted->alloc && wanted->free), DH_EINVAL,
               "set_allocator: alloc and free must both be given, %s is NULL",
               wanted->alloc ? "free" : "alloc");
    uint64_t alive = atomic_load(&live_blocks);
    DH_REQUIRE(alive == 0, DH_ESTATE,
               "set_allocator: %llu blocks are alive, must be 0: free every object first",
               (unsigned long long)alive);
    allocator = wanted ? *wanted : default_allocator;
    return DH_OK;
}

void dh_alloc_fail_at(uint64_t n)
{
    atomic_store(&fail_countdown, n);
}

void dh_get_memory_stats(dh_memory_stats *out)
{
    if (!out) return;
    out->alloc_calls = atomic_load(&alloc_calls);
    out->live_blocks = atomic_load(&live_blocks);
    out->failed_calls = atomic_load(&failed_calls);
}

/* True for exactly one caller: the one that takes the countdown from 1 to 0. */
static bool must_fail(void)
{
    uint_fast64_t n = atomic_load_explicit(&fail_countdown, memory_order_relaxed);
    while (n != 0)
        if (atomic_compare_exchange_weak(&fail_countdown, &n, n - 1)) return n == 1;
    return false;
}

static void *refuse(size_t size, const char *why)
{
    atomic_fetch_add(&failed_calls, 1);
    (void)dh_fail(DH_ENOMEM, "alloc: no memory for %zu bytes (%.1f MiB)%s", size,
                  (double)size / 1048576.0, why);
    return NULL;
}

void *dh__alloc(size_t size)
{
    atomic_fetch_add_explicit(&alloc_calls, 1, memory_order_relaxed);
    if (must_fail()) return refuse(size, ", asked to fail by dh_alloc_fail_at");
    if (size > PTRDIFF_MAX) return refuse(size, ", more than an object may have");
    void *block = allocator.alloc(size ? size : 1, BLOCK_ALIGNMENT, allocator.payload);
    if (!block) return refuse(size, "");
    if ((uintptr_t)block % BLOCK_ALIGNMENT != 0) {
        allocator.free(block, allocator.payload);
        return refuse(size, ", the allocator set by dh_set_allocator ignores the alignment 64");
    }
    atomic_fetch_add_explicit(&live_blocks, 1, memory_order_relaxed);
    return block;
}

void *dh__alloc_for_good(size_t size)
{
    if (must_fail()) return refuse(size, ", asked to fail by dh_alloc_fail_at");
    void *block = default_alloc(size, BLOCK_ALIGNMENT, NULL);
    return block ? memset(block, 0, size) : refuse(size, "");
}

void *dh__calloc(size_t count, size_t size)
{
    size_t total;
    if (!dh__mul_size(count, size, &total)) {
        atomic_fetch_add(&failed_calls, 1);
        (void)dh_fail(DH_ENOMEM, "alloc: %zu elements of %zu bytes overflow a size", count, size);
        return NULL;
    }
    void *block = dh__alloc(total);
    if (block) memset(block, 0, total);
    return block;
}

void *dh__grow(void *block, size_t old_size, size_t new_size)
{
    void *grown = dh__alloc(new_size);
    if (!grown) return NULL;
    if (block) {
        memcpy(grown, block, old_size < new_size ? old_size : new_size);
        dh__free(block);
    }
    return grown;
}

void dh__free(void *block)
{
    if (!block) return;
    allocator.free(block, allocator.payload);
    atomic_fetch_sub_explicit(&live_blocks, 1, memory_order_relaxed);
}

char *dh__strdup(const char *text)
{
    if (!text) {
        (void)dh_fail(DH_EINVAL, "strdup: text is NULL");
        return NULL;
    }
    size_t size = strlen(text) + 1;
    char *copy = dh__alloc(size);
    if (copy) memcpy(copy, text, size);
    return copy;
}

bool dh__mul_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

bool dh__mul_int64(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}
