/* SPDX-License-Identifier: MIT */
/* Blocks of elements brought into one computing type and back: what lets a kernel be written for
 * f32, f64 and 64-bit integers only. */
#ifndef DH_LANES_H
#define DH_LANES_H

#include "tensor_impl.h"

#define DH_LANES 256

typedef union dh__lanes {
    float f32[DH_LANES];
    double f64[DH_LANES];
    int64_t i64[DH_LANES];
    uint8_t u8[DH_LANES];
} dh__lanes;

/* The type that an op computes a dtype in: f32 for f32, f16, bf16; f64; i64 for integers and bool
 * (u64 keeps its bits). */
dh_dtype dh__computing(dh_dtype dtype);

/* n <= DH_LANES elements from a strided place (bytes) into lanes of dh__computing(dtype), and back.
 */
void dh__lanes_load(dh__lanes *to, dh_dtype dtype, const char *from, ptrdiff_t stride, int64_t n);
void dh__lanes_store(const dh__lanes *from, dh_dtype dtype, char *to, ptrdiff_t stride, int64_t n);

#endif
