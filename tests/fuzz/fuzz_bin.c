/* SPDX-License-Identifier: MIT */
#include "fuzz.h"

dh_status fuzz_one(const uint8_t *data, size_t size)
{
    dh_tensor *t;
    DH_TRY(dh__bin_parse(&t, data, size, "fuzz"));
    fuzz_use(t);
    /* a few rows, where there are any */
    if (dh__bin_parse_rows(&t, data, size, "fuzz", 0, 1) == DH_OK) fuzz_use(t);
    return DH_OK;
}

FUZZ_TARGET
