/* SPDX-License-Identifier: MIT */
/* Where the library's memory comes from, and the hook that lets a test fail the n-th request. */
#ifndef DEEPHEALTH_MEMORY_H
#define DEEPHEALTH_MEMORY_H

#include <deephealth/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* alloc returns size bytes aligned to alignment (a power of two, at most 64), or NULL; free takes
 * what alloc gave, never NULL. Both may be called from several threads at once. */
typedef struct dh_allocator {
    void *(*alloc)(size_t size, size_t alignment, void *payload);
    void (*free)(void *block, void *payload);
    void *payload;
} dh_allocator;

typedef struct dh_memory_stats {
    uint64_t alloc_calls;  /* since the start of the process */
    uint64_t live_blocks;  /* allocated and not yet freed */
    uint64_t failed_calls; /* answered with NULL */
} dh_memory_stats;

/* Replaces the allocator; NULL restores the default. DH_ESTATE while blocks are alive. */
DH_API dh_status dh_set_allocator(const dh_allocator *allocator);

/* The n-th allocation from now on fails, counted over all threads: 1 is the next, 0 switches it
 * off. Only that one call fails. */
DH_API void dh_alloc_fail_at(uint64_t n);

/* Counts of the library's own requests, of all threads; NULL is passed over. */
DH_API void dh_get_memory_stats(dh_memory_stats *out);

#ifdef __cplusplus
}
#endif
#endif
