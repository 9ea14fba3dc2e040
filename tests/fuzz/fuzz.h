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

#define FUZZ_TARGET                                              \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) \
    {                                                            \
        (void)fuzz_one(data, size);                              \
        return 0;                                                \
    }

#endif
