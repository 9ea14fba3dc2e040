/* SPDX-License-Identifier: MIT */
/* In front of every source: elements in memory (T_), what they are computed in (C_), loading and
 * storing by the dtype's name, and tensors. The options tell DH_F64 where the device has doubles. */
#define CAT(a, b)  CAT_(a, b)
#define CAT_(a, b) a##b
#define RANK       8

typedef float T_f32;
typedef half T_f16; /* read and written by vload_half and vstore_half alone */
typedef ushort T_bf16;
typedef char T_i8;
typedef short T_i16;
typedef int T_i32;
typedef long T_i64;
typedef uchar T_u8;
typedef ushort T_u16;
typedef uint T_u32;
typedef ulong T_u64;
typedef uchar T_bool;

typedef float C_f32, C_f16, C_bf16;
typedef long C_i8, C_i16, C_i32, C_i64, C_u8, C_u16, C_u32, C_bool;
typedef ulong C_u64;

#define PLAIN(D)                                                    \
    static inline C_##D load_##D(global const T_##D *p, long i)     \
    {                                                               \
        return (C_##D)p[i];                                         \
    }                                                               \
    static inline void store_##D(global T_##D *p, long i, C_##D v)  \
    {                                                               \
        p[i] = (T_##D)v;                                            \
    }
PLAIN(f32)
PLAIN(i8)
PLAIN(i16)
PLAIN(i32)
PLAIN(i64)
PLAIN(u8)
PLAIN(u16)
PLAIN(u32)
PLAIN(u64)

static inline C_bool load_bool(global const T_bool *p, long i)
{
    return p[i] != 0;
}
static inline void store_bool(global T_bool *p, long i, C_bool v)
{
    p[i] = v != 0;
}

static inline float load_f16(global const T_f16 *p, long i)
{
    return vload_half(i, p);
}
static inline void store_f16(global T_f16 *p, long i, float v)
{
    vstore_half_rte(v, i, p);
}

static inline float load_bf16(global const T_bf16 *p, long i)
{
    return as_float((uint)p[i] << 16);
}
/* To the nearest, ties to even; NaN stays NaN. */
static inline void store_bf16(global T_bf16 *p, long i, float v)
{
    uint bits = as_uint(v);
    uint rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
    p[i] = (ushort)(isnan(v) ? bits >> 16 | 0x40u : rounded);
}

#ifdef DH_F64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
typedef double T_f64;
typedef double C_f64;
PLAIN(f64)
#endif

/* What sums are kept in. */
#ifdef DH_F64
typedef double A;
#else
typedef float A;
#endif

/* A tensor of any strides by the row-major numbers of its elements: an argument of three parts,
 * memory, where in it the first element lies, and how the others do, axes merged that lie behind
 * each other. With PACKED every tensor of a kernel lies element behind element. */
typedef struct view {
    long ndim;
    long shape[RANK];
    long stride[RANK]; /* in elements */
} view;

static inline long line_at(const view *v, long i)
{
    long offset = 0;
    for (int a = (int)v->ndim - 1; a > 0; a--) {
        offset += i % v->shape[a] * v->stride[a];
        i /= v->shape[a];
    }
    return v->ndim ? offset + i * v->stride[0] : 0;
}

static inline long element_at(const view *v, long i)
{
#ifdef PACKED
    return i;
#else
    return line_at(v, i);
#endif
}

#define OUT(T, x)         global T *x, long x##0, view x##_v
#define IN(T, x)          global const T *x, long x##0, view x##_v
#define AT(x, i)          (x##0 + element_at(&x##_v, i))
#define LOAD(D, x, i)     CAT(load_, D)(x, AT(x, i))
#define STORE(D, x, i, e) CAT(store_, D)(x, AT(x, i), (CAT(C_, D))(e))

/* One work item for each of count things, the kernel's last argument; more may be launched. */
#define EACH(i)                \
    long i = get_global_id(0); \
    if (i >= count) return;

/* Where a kernel notes the first index that is not in [least, limit), and the code of its op. The
 * host reads it when it waits. */
typedef struct trouble {
    int code, unused;
    long place, value, least, limit;
} trouble;

static inline void complain(global trouble *t, int code, long place, long value, long least,
                            long limit)
{
    if (atomic_cmpxchg((volatile global int *)&t->code, 0, code)) return;
    t->place = place;
    t->value = value;
    t->least = least;
    t->limit = limit;
}

/* The activations that an op applies last (act.h). */
#define ACT_RELU       1
#define ACT_LEAKY_RELU 2
#define ACT_RELU6      3
#define ACTIVATED(x, act, alpha)                                                                 \
    ((act) == 0 || (x) >= 0 || (x) != (x) ? (act) == ACT_RELU6 && (x) > 6 ? 6 : (x)              \
                                          : (act) == ACT_LEAKY_RELU ? (alpha) * (x) : 0)
