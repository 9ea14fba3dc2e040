/* SPDX-License-Identifier: MIT */
#include "move.h"

#include <string.h>

#include "iterate.h"

/* --- same size --- */

static void move_row(void *context, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    size_t size = *(const size_t *)context;
    char *dst = data[0];
    const char *src = data[1];
    ptrdiff_t ds = stride[0], ss = stride[1];
    if (dst == src && ds == ss) return;
    if (ds == (ptrdiff_t)size && ss == (ptrdiff_t)size) {
        memcpy(dst, src, (size_t)n * size);
        return;
    }
#define MOVE(T)                     \
    for (int64_t i = 0; i < n; i++) \
    *(T *)(void *)(dst + i * ds) = *(const T *)(const void *)(src + i * ss)
    switch (size) {
    case 1: MOVE(dh__u8); break;
    case 2: MOVE(dh__u16); break;
    case 4: MOVE(dh__u32); break;
    default: MOVE(dh__u64); break;
    }
#undef MOVE
}

void dh__move(const dh_view *dst, const dh_view *src)
{
    size_t size = dh_dtype_size(dst->dtype);
    dh__iterate(2, (const dh_view *const[]){dst, src}, move_row, &size, 1);
}

typedef struct fill_pattern {
    size_t size;
    uint64_t bits; /* the element, at the first bytes */
} fill_pattern;

static void fill_row(void *context, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    const fill_pattern *f = context;
    char *dst = data[0];
    ptrdiff_t ds = stride[0];
    if (f->bits == 0 && ds == (ptrdiff_t)f->size) {
        memset(dst, 0, (size_t)n * f->size);
        return;
    }
#define FILL(T)                                                           \
    do {                                                                  \
        T v;                                                              \
        memcpy(&v, &f->bits, sizeof v);                                   \
        for (int64_t i = 0; i < n; i++) *(T *)(void *)(dst + i * ds) = v; \
    } while (0)
    switch (f->size) {
    case 1: FILL(dh__u8); break;
    case 2: FILL(dh__u16); break;
    case 4: FILL(dh__u32); break;
    default: FILL(dh__u64); break;
    }
#undef FILL
}

void dh__fill(const dh_view *dst, double value)
{
    fill_pattern f = {.size = dh_dtype_size(dst->dtype)};
    dh__store(dst->dtype, &f.bits, value);
    dh__iterate(1, (const dh_view *const[]){dst}, fill_row, &f, 1);
}

/* --- wide and back --- */

void dh__row_widen(dh_dtype dtype, void *wide, const char *src, ptrdiff_t stride, int64_t n)
{
    double *d = wide;
    uint64_t *u = wide;
#define ROW(D, T, OUT, EXPR)                                    \
    case D:                                                     \
        for (int64_t i = 0; i < n; i++) {                       \
            T v = *(const T *)(const void *)(src + i * stride); \
            OUT[i] = EXPR;                                      \
        }                                                       \
        return;
    switch (dtype) {
        ROW(DH_F32, float, d, (double)v)
        ROW(DH_F64, double, d, v)
        ROW(DH_F16, uint16_t, d, (double)dh__f16_to_f32(v))
        ROW(DH_BF16, uint16_t, d, (double)dh__bf16_to_f32(v))
        ROW(DH_I8, int8_t, u, (uint64_t)(int64_t)v)
        ROW(DH_U8, uint8_t, u, v)
        ROW(DH_I16, int16_t, u, (uint64_t)(int64_t)v)
        ROW(DH_U16, uint16_t, u, v)
        ROW(DH_I32, int32_t, u, (uint64_t)(int64_t)v)
        ROW(DH_U32, uint32_t, u, v)
        ROW(DH_I64, dh__u64, u, v)
        ROW(DH_U64, dh__u64, u, v)
        ROW(DH_BOOL, uint8_t, u, v != 0)
    default: return;
    }
#undef ROW
}

void dh__row_narrow(dh_dtype dtype, char *dst, ptrdiff_t stride, const void *wide, int64_t n)
{
    const double *d = wide;
    const uint64_t *u = wide;
#define ROW(D, T, EXPR)                                                               \
    case D:                                                                           \
        for (int64_t i = 0; i < n; i++) *(T *)(void *)(dst + i * stride) = (T)(EXPR); \
        return;
    switch (dtype) {
        ROW(DH_F32, float, d[i])
        ROW(DH_F64, double, d[i])
        ROW(DH_I8, dh__u8, u[i])
        ROW(DH_U8, dh__u8, u[i])
        ROW(DH_I16, dh__u16, u[i])
        ROW(DH_U16, dh__u16, u[i])
        ROW(DH_I32, dh__u32, u[i])
        ROW(DH_U32, dh__u32, u[i])
        ROW(DH_I64, dh__u64, u[i])
        ROW(DH_U64, dh__u64, u[i])
        ROW(DH_BOOL, dh__u8, u[i] != 0)
    default: break; /* halves: rounded once */
    }
#undef ROW
    for (int64_t i = 0; i < n; i++) dh__store(dtype, dst + i * stride, d[i]);
}

#define WIDE_CHUNK 256

/* A packed row is written at once, any other by way of a piece on the stack. */
static void widen_row(void *context, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    dh_dtype dtype = *(const dh_dtype *)context;
    uint64_t piece[WIDE_CHUNK];
    if (stride[0] == 8) {
        dh__row_widen(dtype, data[0], data[1], stride[1], n);
        return;
    }
    for (int64_t i = 0; i < n; i += WIDE_CHUNK) {
        int64_t m = n - i < WIDE_CHUNK ? n - i : WIDE_CHUNK;
        dh__row_widen(dtype, piece, data[1] + i * stride[1], stride[1], m);
        for (int64_t k = 0; k < m; k++) memcpy(data[0] + (i + k) * stride[0], &piece[k], 8);
    }
}

static void narrow_row(void *context, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    dh_dtype dtype = *(const dh_dtype *)context;
    uint64_t piece[WIDE_CHUNK];
    if (stride[1] == 8) {
        dh__row_narrow(dtype, data[0], stride[0], data[1], n);
        return;
    }
    for (int64_t i = 0; i < n; i += WIDE_CHUNK) {
        int64_t m = n - i < WIDE_CHUNK ? n - i : WIDE_CHUNK;
        for (int64_t k = 0; k < m; k++) memcpy(&piece[k], data[1] + (i + k) * stride[1], 8);
        dh__row_narrow(dtype, data[0] + i * stride[0], stride[0], piece, m);
    }
}

void dh__widen(const dh_view *dst, const dh_view *src)
{
    dh_dtype dtype = src->dtype;
    dh__iterate(2, (const dh_view *const[]){dst, src}, widen_row, &dtype, 1);
}

void dh__narrow(const dh_view *dst, const dh_view *src)
{
    dh_dtype dtype = dst->dtype;
    dh__iterate(2, (const dh_view *const[]){dst, src}, narrow_row, &dtype, 1);
}
