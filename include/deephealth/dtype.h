/* SPDX-License-Identifier: MIT */
#ifndef DEEPHEALTH_DTYPE_H
#define DEEPHEALTH_DTYPE_H

#include <deephealth/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Element types. f16 is IEEE 754 binary16, bf16 the upper half of a binary32; bool is one byte, 0
 * or
 * 1. Where 0 stands in an argument struct, the function's default is meant, usually f32. */
typedef enum dh_dtype {
    DH_DTYPE_DEFAULT = 0,
    DH_F32 = 1,
    DH_F64,
    DH_F16,
    DH_BF16,
    DH_I8,
    DH_U8,
    DH_I16,
    DH_U16,
    DH_I32,
    DH_U32,
    DH_I64,
    DH_U64,
    DH_BOOL,
    DH_DTYPE_COUNT
} dh_dtype;

/* Bytes of one element; 0 for what is no dtype. */
DH_API size_t dh_dtype_size(dh_dtype dtype);
/* "f32", "bool", ...; "?" for what is no dtype. Borrowed, static. */
DH_API const char *dh_dtype_name(dh_dtype dtype);
/* The dtype of a name, also NumPy's ("float32", "uint8"); DH_ENAME offers the near ones. */
DH_API DH_NODISCARD dh_status dh_dtype_parse(dh_dtype *out, const char *name);
/* f16, bf16, f32, f64. */
DH_API bool dh_dtype_is_float(dh_dtype dtype);

/* The dtype in which two operands meet: of two kinds (bool < integer < float) the higher; within
 * one the wider; f16 with bf16 gives f32; signed with unsigned the next wider signed (i64 with u64:
 * f64).
 */
DH_API dh_dtype dh_dtype_promote(dh_dtype a, dh_dtype b);

#ifdef __cplusplus
}
#endif
#endif
