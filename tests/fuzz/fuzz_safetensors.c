/* SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "safetensors.h"

dh_status fuzz_one(const uint8_t *data, size_t size)
{
    dh__safetensors *file;
    DH_TRY(dh__safetensors_parse(&file, data, size, "fuzz"));
    dh_status status = DH_OK;
    for (int i = 0; i < dh__safetensors_count(file); i++) {
        dh_tensor *t;
        dh_status got = dh__safetensors_tensor(&t, file, i);
        if (got == DH_OK)
            fuzz_use(t);
        else
            status = got;
    }
    dh__safetensors_free(file);
    return status;
}

FUZZ_TARGET
