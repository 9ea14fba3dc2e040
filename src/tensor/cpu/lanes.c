/* SPDX-License-Identifier: MIT */
#include "lanes.h"

#include <string.h>

dh_dtype dh__computing(dh_dtype dtype)
{
    if (dtype == DH_F64) return DH_F64;
    return dh_dtype_is_float(dtype) ? DH_F32 : DH_I64;
}

/* Values are aligned to their size, whatever the strides. */
#define LOAD(T, member, convert)                 \
    for (int64_t i = 0; i < n; i++) {            \
        T v;                                     \
        memcpy(&v, from + i * stride, sizeof v); \
        to->member[i] = convert(v);              \
    }                                            \
    return;
#define STORE(T, member, convert)              \
    for (int64_t i = 0; i < n; i++) {          \
        T v = convert(from->member[i]);        \
        memcpy(to + i * stride, &v, sizeof v); \
    }                                          \
    return;

void dh__lanes_load(dh__lanes *to, dh_dtype dtype, const char *from, ptrdiff_t stride, int64_t n)
{
    switch (dtype) {
    case DH_F32:
        if (stride == sizeof(float)) {
            memcpy(to->f32, from, (size_t)n * sizeof(float));
            return;
        }
        LOAD(float, f32, (float))
    case DH_F64: LOAD(double, f64, (double))
    case DH_F16: LOAD(uint16_t, f32, dh__f16_to_f32)
    case DH_BF16: LOAD(uint16_t, f32, dh__bf16_to_f32)
    case DH_I8: LOAD(int8_t, i64, (int64_t))
    case DH_U8: LOAD(uint8_t, i64, (int64_t))
    case DH_BOOL: LOAD(uint8_t, i64, (int64_t))
    case DH_I16: LOAD(int16_t, i64, (int64_t))
    case DH_U16: LOAD(uint16_t, i64, (int64_t))
    case DH_I32: LOAD(int32_t, i64, (int64_t))
    case DH_U32: LOAD(uint32_t, i64, (int64_t))
    case DH_I64: LOAD(int64_t, i64, (int64_t))
    case DH_U64: LOAD(uint64_t, i64, (int64_t))
    default: return;
    }
}

void dh__lanes_store(const dh__lanes *from, dh_dtype dtype, char *to, ptrdiff_t stride, int64_t n)
{
    switch (dtype) {
    case DH_F32:
        if (stride == sizeof(float)) {
            memcpy(to, from->f32, (size_t)n * sizeof(float));
            return;
        }
        STORE(float, f32, (float))
    case DH_F64: STORE(double, f64, (double))
    case DH_F16: STORE(uint16_t, f32, dh__f32_to_f16)
    case DH_BF16: STORE(uint16_t, f32, dh__f32_to_bf16)
    case DH_I8: STORE(int8_t, i64, (int8_t))
    case DH_U8: STORE(uint8_t, i64, (uint8_t))
    case DH_BOOL: STORE(uint8_t, i64, 0 !=)
    case DH_I16: STORE(int16_t, i64, (int16_t))
    case DH_U16: STORE(uint16_t, i64, (uint16_t))
    case DH_I32: STORE(int32_t, i64, (int32_t))
    case DH_U32: STORE(uint32_t, i64, (uint32_t))
    case DH_I64: STORE(int64_t, i64, (int64_t))
    case DH_U64: STORE(uint64_t, i64, (uint64_t))
    default: return;
    }
}
