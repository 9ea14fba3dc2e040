/* SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "inflate.h"

enum { WHOLE, HEAD, RAW };

static dh_status inflate_whole(const uint8_t *data, size_t size, size_t limit)
{
    uint8_t *out;
    size_t out_size;
    DH_TRY(dh__gunzip(&out, &out_size, data, size, limit, "fuzz"));
    (void)dh__crc32(0, out, out_size);
    dh__free(out);
    return out_size <= limit ? DH_OK : dh_fail(DH_EINTERNAL, "fuzz: more than the limit came out");
}

/* The first byte chooses the function, the next two are the bytes wanted at most (gzip), in the
 * head or exactly (raw deflate); the data follow. */
dh_status fuzz_one(const uint8_t *data, size_t size)
{
    DH_REQUIRE(size >= 3, DH_EFORMAT, "fuzz: no bytes of options");
    const int mode = data[0] % 3;
    size_t out_size = (size_t)data[1] | (size_t)data[2] << 8;
    data += 3;
    size -= 3;
    if (mode == WHOLE) return inflate_whole(data, size, out_size);
    uint8_t *out = dh__alloc(out_size); /* of exact size, so that one byte too many is seen */
    if (!out) return DH_ENOMEM;
    dh_status status = mode == HEAD ? dh__gunzip_head(out, &out_size, data, size, "fuzz")
                                    : dh__inflate(out, out_size, data, size, "fuzz");
    if (status == DH_OK) (void)dh__crc32(0, out, out_size);
    dh__free(out);
    return status;
}

FUZZ_TARGET
