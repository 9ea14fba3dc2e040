/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "tensor_impl.h"

typedef struct dtype_row {
    const char *name, *numpy;
    size_t size;
    int kind; /* 0 bool, 1 unsigned, 2 signed, 3 float */
} dtype_row;

static const dtype_row rows[DH_DTYPE_COUNT] = {
    [DH_F32] = {"f32", "float32", 4, 3}, [DH_F64] = {"f64", "float64", 8, 3},
    [DH_F16] = {"f16", "float16", 2, 3}, [DH_BF16] = {"bf16", "bfloat16", 2, 3},
    [DH_I8] = {"i8", "int8", 1, 2},      [DH_U8] = {"u8", "uint8", 1, 1},
    [DH_I16] = {"i16", "int16", 2, 2},   [DH_U16] = {"u16", "uint16", 2, 1},
    [DH_I32] = {"i32", "int32", 4, 2},   [DH_U32] = {"u32", "uint32", 4, 1},
    [DH_I64] = {"i64", "int64", 8, 2},   [DH_U64] = {"u64", "uint64", 8, 1},
    [DH_BOOL] = {"bool", "bool", 1, 0},
};

static const dtype_row *row_of(dh_dtype dtype)
{
    bool known = (int)dtype > 0 && (int)dtype < DH_DTYPE_COUNT;
    return &rows[known ? dtype : 0];
}

size_t dh_dtype_size(dh_dtype dtype)
{
    return row_of(dtype)->size;
}

const char *dh_dtype_name(dh_dtype dtype)
{
    return row_of(dtype)->name ? row_of(dtype)->name : "?";
}

bool dh_dtype_is_float(dh_dtype dtype)
{
    return row_of(dtype)->kind == 3;
}

static const char *dtype_name_at(int i, const void *payload)
{
    DH_UNUSED(payload);
    return i + 1 < DH_DTYPE_COUNT ? rows[i + 1].name : NULL;
}

dh_status dh_dtype_parse(dh_dtype *out, const char *name)
{
    DH_NEED(out, "dtype_parse", "out");
    DH_NEED(name, "dtype_parse", "name");
    for (int d = 1; d < DH_DTYPE_COUNT; d++)
        if (!strcmp(name, rows[d].name) || !strcmp(name, rows[d].numpy)) {
            *out = (dh_dtype)d;
            return DH_OK;
        }
    char hint[128];
    return dh_fail(DH_ENAME, "dtype_parse: \"%s\" is no dtype%s", name,
                   dh__suggest(hint, sizeof hint, name, dtype_name_at, NULL));
}

/* The signed integer of this many bytes. */
static dh_dtype signed_of(size_t size)
{
    return size == 1   ? DH_I8
           : size == 2 ? DH_I16
           : size == 4 ? DH_I32
           : size == 8 ? DH_I64
                       : DH_F64;
}

dh_dtype dh_dtype_promote(dh_dtype a, dh_dtype b)
{
    const dtype_row *ra = row_of(a), *rb = row_of(b);
    if (!ra->size || !rb->size) return DH_DTYPE_DEFAULT;
    if (a == b) return a;
    bool fa = ra->kind == 3, fb = rb->kind == 3;
    if (fa && fb) return ra->size == rb->size ? DH_F32 : ra->size > rb->size ? a : b;
    if (fa || fb) return fa ? a : b;
    if (ra->kind == rb->kind || !ra->kind || !rb->kind) {
        if (!ra->kind) return b;
        if (!rb->kind) return a;
        return ra->size > rb->size ? a : b;
    }
    const dtype_row *s = ra->kind == 2 ? ra : rb, *u = ra->kind == 2 ? rb : ra;
    return signed_of(s->size > u->size ? s->size : 2 * u->size);
}

/* --- halves: to nearest even, as IEEE 754 says --- */

static uint32_t bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, 4);
    return u;
}

static float float_of(uint32_t u)
{
    float x;
    memcpy(&x, &u, 4);
    return x;
}

uint16_t dh__f32_to_bf16(float x)
{
    uint32_t u = bits_of(x);
    if ((u & 0x7fffffffu) > 0x7f800000u) return (uint16_t)((u >> 16) | 0x40u);
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

float dh__bf16_to_f32(uint16_t x)
{
    return float_of((uint32_t)x << 16);
}

uint16_t dh__f32_to_f16(float x)
{
    uint32_t u = bits_of(x), sign = (u >> 16) & 0x8000u, mag = u & 0x7fffffffu;
    if (mag > 0x7f800000u) return (uint16_t)(sign | 0x7e00u);
    if (mag >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* 65520 and up round to infinity */
    if (mag < 0x38800000u) { /* subnormal half: adding 0.5 lines the bits up and rounds them */
        uint32_t r = bits_of(float_of(mag) + 0.5f) - 0x3f000000u;
        return (uint16_t)(sign | r);
    }
    uint32_t odd = (mag >> 13) & 1u;
    return (uint16_t)(sign | ((mag - 0x38000000u + 0xfffu + odd) >> 13));
}

float dh__f16_to_f32(uint16_t x)
{
    uint32_t sign = (uint32_t)(x & 0x8000u) << 16, mag = x & 0x7fffu;
    if (mag >= 0x7c00u) return float_of(sign | 0x7f800000u | (mag & 0x3ffu) << 13);
    if (mag < 0x400u) {
        float f = (float)mag * 0x1p-24f;
        return sign ? -f : f;
    }
    return float_of(sign | ((mag << 13) + 0x38000000u));
}

/* --- scalars --- */

double dh__load(dh_dtype dtype, const void *address)
{
#define DH_LOAD(D, T)                  \
    case D: {                          \
        T v;                           \
        memcpy(&v, address, sizeof v); \
        return (double)v;              \
    }
    switch (dtype) {
        DH_LOAD(DH_F32, float)
        DH_LOAD(DH_F64, double)
        DH_LOAD(DH_I8, int8_t)
        DH_LOAD(DH_U8, uint8_t)
        DH_LOAD(DH_I16, int16_t)
        DH_LOAD(DH_U16, uint16_t)
        DH_LOAD(DH_I32, int32_t)
        DH_LOAD(DH_U32, uint32_t)
        DH_LOAD(DH_I64, int64_t)
        DH_LOAD(DH_U64, uint64_t)
        DH_LOAD(DH_BOOL, uint8_t)
    case DH_F16:
    case DH_BF16: {
        uint16_t h;
        memcpy(&h, address, sizeof h);
        return (double)(dtype == DH_F16 ? dh__f16_to_f32(h) : dh__bf16_to_f32(h));
    }
    default: return 0;
    }
#undef DH_LOAD
}

/* Towards zero, saturating; NaN gives 0. low and high are exact powers of two (high exclusive). */
static int64_t to_signed(double v, int bits)
{
    double high = ldexp(1.0, bits - 1);
    if (!(v > -high)) return v != v ? 0 : bits == 64 ? INT64_MIN : -((int64_t)1 << (bits - 1));
    if (v >= high) return bits == 64 ? INT64_MAX : ((int64_t)1 << (bits - 1)) - 1;
    return (int64_t)v;
}

static uint64_t to_unsigned(double v, int bits)
{
    if (!(v > 0)) return 0;
    if (v >= ldexp(1.0, bits)) return bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
    return (uint64_t)v;
}

/* A double to half by way of float would round twice; odd rounding of the float keeps it right. */
static float round_to_odd(double v)
{
    float f = (float)v;
    if (!isfinite(f) || (double)f == v) return f;
    uint32_t u = bits_of(f);
    if (u & 1u) return f;
    bool away = fabs((double)f) > fabs(v);
    return float_of(away ? u - 1u : u + 1u);
}

void dh__store(dh_dtype dtype, void *address, double value)
{
#define DH_STORE(D, T, V)              \
    case D: {                          \
        T v = (T)(V);                  \
        memcpy(address, &v, sizeof v); \
        return;                        \
    }
    switch (dtype) {
        DH_STORE(DH_F32, float, value)
        DH_STORE(DH_F64, double, value)
        DH_STORE(DH_F16, uint16_t, dh__f32_to_f16(round_to_odd(value)))
        DH_STORE(DH_BF16, uint16_t, dh__f32_to_bf16(round_to_odd(value)))
        DH_STORE(DH_I8, int8_t, to_signed(value, 8))
        DH_STORE(DH_U8, uint8_t, to_unsigned(value, 8))
        DH_STORE(DH_I16, int16_t, to_signed(value, 16))
        DH_STORE(DH_U16, uint16_t, to_unsigned(value, 16))
        DH_STORE(DH_I32, int32_t, to_signed(value, 32))
        DH_STORE(DH_U32, uint32_t, to_unsigned(value, 32))
        DH_STORE(DH_I64, int64_t, to_signed(value, 64))
        DH_STORE(DH_U64, uint64_t, to_unsigned(value, 64))
        DH_STORE(DH_BOOL, uint8_t, value != 0)
    default: return;
    }
#undef DH_STORE
}
