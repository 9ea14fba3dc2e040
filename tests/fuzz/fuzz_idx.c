/* SPDX-License-Identifier: MIT */
#include "fuzz.h"

dh_status fuzz_one(const uint8_t *data, size_t size)
{
    dh_tensor *t;
    DH_TRY(dh__idx_parse(&t, data, size, "fuzz"));
    fuzz_use(t);
    return DH_OK;
}

FUZZ_TARGET
