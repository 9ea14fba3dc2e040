/* SPDX-License-Identifier: MIT */
#include "fuzz.h"

dh_status fuzz_one(const uint8_t *data, size_t size)
{
    dh_npz *npz;
    DH_TRY(dh__npz_parse(&npz, data, size, "fuzz"));
    dh_status status = DH_OK;
    for (int i = 0; i < dh_npz_count(npz); i++) {
        dh_tensor *t;
        dh_status got = dh_npz_get(&t, npz, dh_npz_name(npz, i));
        if (got == DH_OK)
            fuzz_use(t);
        else
            status = got;
    }
    dh_npz_free(npz);
    return status;
}

FUZZ_TARGET
