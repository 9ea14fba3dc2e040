/* SPDX-License-Identifier: MIT */
/* Stores that go past the cache: of a result too large to be found there by whoever reads it. An
 * ordinary store first fetches the line that it then overwrites. */
#ifndef DH_STREAM_H
#define DH_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#define DH_STREAM_LEAST 8e6  /* bytes of a result */
#define DH_STREAM_PIECE 4096 /* bytes made in a buffer at a time, and then stored */

static inline bool dh__streams(double bytes)
{
#if defined(__x86_64__)
    return bytes >= DH_STREAM_LEAST;
#else
    (void)bytes;
    return false;
#endif
}

/* As memcpy; other threads see it after dh__stream_end. */
static inline void dh__stream(void *to, const void *from, size_t size)
{
#if defined(__x86_64__)
    char *out = to;
    const char *in = from;
    size_t head = (size_t)(-(uintptr_t)out & 15), at = head < size ? head : size;
    memcpy(out, in, at);
    for (; at + 16 <= size; at += 16)
        _mm_stream_si128((__m128i *)(void *)(out + at),
                         _mm_loadu_si128((const __m128i *)(const void *)(in + at)));
    memcpy(out + at, in + at, size - at);
#else
    memcpy(to, from, size);
#endif
}

static inline void dh__stream_end(void)
{
#if defined(__x86_64__)
    _mm_sfence();
#endif
}

#endif
