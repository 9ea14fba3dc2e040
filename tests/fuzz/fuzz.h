/* SPDX-License-Identifier: MIT */
/* A fuzz target defines fuzz_one; libFuzzer and the standalone driver both call it. */
#ifndef DH_FUZZ_H
#define DH_FUZZ_H

#include "io.h"

/* Parses the bytes, frees what that gave, returns the parser's status. */
dh_status fuzz_one(const uint8_t *data, size_t size);

/* libFuzzer's entry. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads every element, so that a tensor that points outside its memory is seen; frees it. */
static inline void fuzz_use(dh_tensor *t)
{
    const uint8_t *p = dh_tensor_data(t);
    size_t size = (size_t)dh_tensor_count(t) * dh_dtype_size(dh_tensor_dtype(t));
    (void)dh__crc32(0, p, size);
    dh_tensor_free(t);
}

/* Bugs that scripts/fuzz.sh --planted must see caught: one byte too many, a lost block, an endless
 * loop, each behind two bytes that a fuzzer has to find. The build defines DH_FUZZ_PLANTED as the
 * name of one of them. */
#ifdef DH_FUZZ_PLANTED
static inline bool fuzz_reached(const uint8_t *data, size_t size)
{
    if (size < 2 || data[size - 1] != 'h') return false;
    /* keeps the two comparisons apart, so that the first byte is an edge of its own */
    __asm__ volatile("");
    return data[size - 2] == 'o';
}

static inline void fuzz_plant_overflow(const uint8_t *data, size_t size)
{
    uint8_t *copy = dh__alloc(size);
    if (copy) copy[fuzz_reached(data, size) ? size : 0] = 1;
    dh__free(copy);
}

static inline void fuzz_plant_leak(const uint8_t *data, size_t size)
{
    void *volatile block = dh__alloc(size);
    if (!fuzz_reached(data, size)) dh__free(block);
}

static inline void fuzz_plant_loop(const uint8_t *data, size_t size)
{
    for (volatile bool again = fuzz_reached(data, size); again;) continue;
}
#else
#define DH_FUZZ_PLANTED(data, size) ((void)0)
#endif

#define FUZZ_TARGET                                              \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) \
    {                                                            \
        DH_FUZZ_PLANTED(data, size);                             \
        (void)fuzz_one(data, size);                              \
        return 0;                                                \
    }

#endif
