/* SPDX-License-Identifier: MIT */
#include "fuzz.h"

/* The first byte chooses delimiter, dtype, header lines and rank; the table follows. */
dh_status fuzz_one(const uint8_t *data, size_t size)
{
    static const char delimiters[] = ", \t;";
    static const dh_dtype dtypes[] = {DH_F32,  DH_F64, DH_I64, DH_U64,
                                      DH_BOOL, DH_F16, DH_U8,  DH_I32};
    DH_REQUIRE(size > 0, DH_EFORMAT, "fuzz: no byte of options");
    const dh_csv_args args = {.delimiter = delimiters[data[0] & 3],
                              .dtype = dtypes[data[0] >> 2 & 7],
                              .skip_lines = data[0] >> 5 & 1,
                              .ndim = data[0] >> 6 & 1 ? 1 : 2};
    dh_tensor *t;
    DH_TRY(dh__csv_parse(&t, data + 1, size - 1, "fuzz", &args));
    fuzz_use(t);
    return DH_OK;
}

FUZZ_TARGET
