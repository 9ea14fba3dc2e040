/* SPDX-License-Identifier: MIT */
/* Moving elements between strided views, whatever their dtype, and widening them to the two types
 * in which everything can be summed: double for floats, uint64_t (modulo 2^64) for integers and
 * bool. */
#ifndef DH_MOVE_H
#define DH_MOVE_H

#include "tensor_impl.h"

/* Elements by their size alone, free to alias any type. */
typedef uint8_t __attribute__((may_alias)) dh__u8;
typedef uint16_t __attribute__((may_alias)) dh__u16;
typedef uint32_t __attribute__((may_alias)) dh__u32;
typedef uint64_t __attribute__((may_alias)) dh__u64;

/* dst = src: same shape and element size, no overlap unless they are the same elements. */
void dh__move(const dh_view *dst, const dh_view *src);

/* Every element of dst = value, rounded as a cast. */
void dh__fill(const dh_view *dst, double value);

/* DH_F64 for floats, DH_U64 for the rest. */
static inline dh_dtype dh__wide_dtype(dh_dtype dtype)
{
    return dh_dtype_is_float(dtype) ? DH_F64 : DH_U64;
}

/* n elements at src, stride bytes apart, as double or uint64_t into wide; and back. */
void dh__row_widen(dh_dtype dtype, void *wide, const char *src, ptrdiff_t stride, int64_t n);
void dh__row_narrow(dh_dtype dtype, char *dst, ptrdiff_t stride, const void *wide, int64_t n);

/* Whole views of one shape: dst has dh__wide_dtype(src->dtype), and the reverse. */
void dh__widen(const dh_view *dst, const dh_view *src);
void dh__narrow(const dh_view *dst, const dh_view *src);

/* Scratch handed out piece by piece in 64-byte steps; with base NULL it only counts. */
typedef struct dh__arena {
    char *base;
    size_t used;
} dh__arena;

static inline void *dh__arena_take(dh__arena *arena, size_t size)
{
    void *piece = arena->base ? arena->base + arena->used : NULL;
    arena->used += (size + 63) / 64 * 64;
    return piece;
}

/* A packed view of dtype and like's shape in the arena. */
static inline dh_view dh__arena_view(dh__arena *arena, dh_dtype dtype, const dh_view *like)
{
    dh_view view = *like;
    view.dtype = dtype;
    dh__view_pack(&view);
    view.data = dh__arena_take(arena, (size_t)dh__view_count(like) * dh_dtype_size(dtype));
    return view;
}

/* Offset in elements of the flat-th element of the first ndim axes of a view, row-major. */
static inline int64_t dh__offset_of(const dh_view *view, int ndim, int64_t flat)
{
    int64_t offset = 0;
    for (int i = ndim - 1; i >= 0 && flat > 0; i--) {
        offset += flat % view->shape[i] * view->stride[i];
        flat /= view->shape[i];
    }
    return offset;
}

#endif
