/* SPDX-License-Identifier: MIT */
#include "fuzz.h"

/* The first byte is the dtype, the next the number of axes and one more; each axis is an i16 and a
 * byte of bits to shift it by, so that hostile lengths are near. The elements follow. */
dh_status fuzz_one(const uint8_t *data, size_t size)
{
    int64_t shape[DH_MAX_NDIM + 2] = {0};
    DH_REQUIRE(size >= 2, DH_EFORMAT, "fuzz: no bytes of dtype and rank");
    dh_dtype dtype = (dh_dtype)(data[0] % 16);
    int ndim = data[1] % (DH_MAX_NDIM + 3) - 1;
    data += 2;
    size -= 2;
    for (int i = 0; i < ndim; i++) {
        DH_REQUIRE(size >= 3, DH_EFORMAT, "fuzz: no bytes of axis %d", i);
        shape[i] = (int16_t)dh__le16(data) * ((int64_t)1 << data[2] % 48);
        data += 3;
        size -= 3;
    }
    dh_tensor *t;
    DH_TRY(dh__raw_parse(&t, data, size, "fuzz", dtype, ndim, shape));
    fuzz_use(t);
    return DH_OK;
}

FUZZ_TARGET
