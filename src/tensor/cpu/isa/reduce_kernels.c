/* SPDX-License-Identifier: MIT */
#include "reduce_kernels.h"

#include <math.h>
#include <string.h>

#include "isa.h"

/* 64-bit lanes of a vector register */
#if DH_ISA_LEVEL == 2
#define LANES 8
#elif DH_ISA_LEVEL == 1
#define LANES 4
#else
#define LANES 2
#endif

typedef double vf64 __attribute__((vector_size(8 * LANES)));
typedef int64_t vi64 __attribute__((vector_size(8 * LANES)));
typedef uint64_t vu64 __attribute__((vector_size(8 * LANES)));
typedef float vf32 __attribute__((vector_size(4 * LANES)));

static inline vf64 load_f32(const float *p)
{
    vf32 v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, vf64);
}

#define LOADER(NAME, T, V)           \
    static inline V NAME(const T *p) \
    {                                \
        V v;                         \
        memcpy(&v, p, sizeof v);     \
        return v;                    \
    }
LOADER(load_f64, double, vf64)
LOADER(load_i64, int64_t, vi64)
LOADER(load_u64, uint64_t, vu64)

/* mask lanes are all ones or all zeros */
#define PICK(V, mask, a, b) ((V)(((vi64)(mask) & (vi64)(a)) | (~(vi64)(mask) & (vi64)(b))))

/* One step of each fold, of vectors (V) and of scalars (S): a is the accumulator, v the element, c
 * the centre. The comparison v != v is true for NaN alone; a NaN accumulator stays, as no
 * comparison with it is true. */
#define V_SUM(V, a, v, c)  ((a) + (v))
#define S_SUM(a, v, c)     ((a) + (v))
#define V_SQ(V, a, v, c)   ((a) + ((v) - (c)) * ((v) - (c)))
#define S_SQ(a, v, c)      ((a) + ((v) - (c)) * ((v) - (c)))
#define V_PROD(V, a, v, c) ((a) * (v))
#define S_PROD(a, v, c)    ((a) * (v))
#define V_MAX(V, a, v, c)  PICK(V, ((v) > (a)) | ((v) != (v)), v, a)
#define S_MAX(a, v, c)     ((v) > (a) || (v) != (v) ? (v) : (a))
#define V_MIN(V, a, v, c)  PICK(V, ((v) < (a)) | ((v) != (v)), v, a)
#define S_MIN(a, v, c)     ((v) < (a) || (v) != (v) ? (v) : (a))
#define V_ANY(V, a, v, c)  PICK(V, (v) != 0, (V){0} + 1, a)
#define S_ANY(a, v, c)     ((v) != 0 ? 1 : (a))
#define V_ALL(V, a, v, c)  PICK(V, (v) != 0, a, (V){0})
#define S_ALL(a, v, c)     ((v) != 0 ? (a) : 0)

/* How two accumulators of a fold become one. */
#define J_SUM(a, b)  S_SUM(a, b, 0)
#define J_SQ(a, b)   S_SUM(a, b, 0)
#define J_PROD(a, b) S_PROD(a, b, 0)
#define J_MAX(a, b)  S_MAX(a, b, 0)
#define J_MIN(a, b)  S_MIN(a, b, 0)
#define J_ANY(a, b)  S_ANY(a, b, 0)
#define J_ALL(a, b)  S_ALL(a, b, 0)

/* Four accumulators hide the latency of an addition; the lanes are joined in a fixed order. */
#define ROW(F, NAME, T, A, V, INIT)                                                               \
    static void row_##F##_##NAME(void *acc, const void *data, int64_t n, double centre)           \
    {                                                                                             \
        const T *x = data;                                                                        \
        const A c = (A)centre, init = (A)(INIT);                                                  \
        V a[4], vc = (V){0} + c;                                                                  \
        A total = *(A *)acc, lane[LANES];                                                         \
        (void)c, (void)vc;                                                                        \
        int64_t i = 0;                                                                            \
        if (n >= 4 * LANES) {                                                                     \
            for (int k = 0; k < 4; k++) a[k] = (V){0} + init;                                     \
            for (; i + 4 * LANES <= n; i += 4 * LANES) {                                          \
                const V v0 = load_##NAME(x + i), v1 = load_##NAME(x + i + LANES);                 \
                const V v2 = load_##NAME(x + i + 2 * LANES), v3 = load_##NAME(x + i + 3 * LANES); \
                a[0] = V_##F(V, a[0], v0, vc);                                                    \
                a[1] = V_##F(V, a[1], v1, vc);                                                    \
                a[2] = V_##F(V, a[2], v2, vc);                                                    \
                a[3] = V_##F(V, a[3], v3, vc);                                                    \
            }                                                                                     \
            for (int k = 0; k < 4; k++) {                                                         \
                memcpy(lane, &a[k], sizeof lane);                                                 \
                for (int l = 0; l < LANES; l++) total = (A)(J_##F(total, lane[l]));               \
            }                                                                                     \
        }                                                                                         \
        for (; i < n; i++) {                                                                      \
            const A v = (A)x[i];                                                                  \
            total = (A)(S_##F(total, v, c));                                                      \
        }                                                                                         \
        *(A *)acc = total;                                                                        \
    }

/* Four rows at once, so that the accumulators travel to the cache and back once for four. */
#define COLUMN(F, NAME, T, A)                                                                  \
    static void column_##F##_##NAME(void *acc, const void *data, int64_t stride, int64_t rows, \
                                    int64_t m, const double *centre)                           \
    {                                                                                          \
        A *restrict a = acc;                                                                   \
        const T *x = data;                                                                     \
        int64_t r = 0;                                                                         \
        (void)centre;                                                                          \
        for (; r + 4 <= rows; r += 4, x += 4 * stride) {                                       \
            const T *x1 = x + stride, *x2 = x1 + stride, *x3 = x2 + stride;                    \
            for (int64_t j = 0; j < m; j++) {                                                  \
                const A v0 = (A)x[j], v1 = (A)x1[j], v2 = (A)x2[j], v3 = (A)x3[j];             \
                A t = a[j];                                                                    \
                t = (A)(S_##F(t, v0, (A)centre[j]));                                           \
                t = (A)(S_##F(t, v1, (A)centre[j]));                                           \
                t = (A)(S_##F(t, v2, (A)centre[j]));                                           \
                a[j] = (A)(S_##F(t, v3, (A)centre[j]));                                        \
            }                                                                                  \
        }                                                                                      \
        for (; r < rows; r++, x += stride)                                                     \
            for (int64_t j = 0; j < m; j++) {                                                  \
                const A v = (A)x[j];                                                           \
                a[j] = (A)(S_##F(a[j], v, (A)centre[j]));                                      \
            }                                                                                  \
    }

#define BOTH(F, NAME, T, A, V, INIT) \
    ROW(F, NAME, T, A, V, INIT)      \
    COLUMN(F, NAME, T, A)

#define ORDER(NAME, T, A, V, LOW, HIGH) \
    BOTH(MAX, NAME, T, A, V, LOW)       \
    BOTH(MIN, NAME, T, A, V, HIGH)      \
    BOTH(ANY, NAME, T, A, V, 0)         \
    BOTH(ALL, NAME, T, A, V, 1)

#define ARITHMETIC(NAME, T, A, V) \
    BOTH(SUM, NAME, T, A, V, 0)   \
    BOTH(PROD, NAME, T, A, V, 1)

ORDER(f32, float, double, vf64, -INFINITY, INFINITY)
ORDER(f64, double, double, vf64, -INFINITY, INFINITY)
ORDER(i64, int64_t, int64_t, vi64, INT64_MIN, INT64_MAX)
ORDER(u64, uint64_t, uint64_t, vu64, 0, UINT64_MAX)
ARITHMETIC(f32, float, double, vf64)
ARITHMETIC(f64, double, double, vf64)
ARITHMETIC(u64, uint64_t, uint64_t, vu64)
BOTH(SQ, f32, float, double, vf64, 0)
BOTH(SQ, f64, double, double, vf64, 0)

/* Sums and products of integers wrap; unsigned ones are the same bits without overflow. */
#define ENTRIES(KIND, NAME, WRAP, SQUARE)                                       \
    {                                                                           \
        [DH_FOLD_SUM] = KIND##_SUM_##WRAP, [DH_FOLD_SQ] = SQUARE,               \
        [DH_FOLD_PROD] = KIND##_PROD_##WRAP, [DH_FOLD_MAX] = KIND##_MAX_##NAME, \
        [DH_FOLD_MIN] = KIND##_MIN_##NAME, [DH_FOLD_ANY] = KIND##_ANY_##NAME,   \
        [DH_FOLD_ALL] = KIND##_ALL_##NAME                                       \
    }

extern const dh__reduce_kernels DH_ISA(dh__reduce);
const dh__reduce_kernels DH_ISA(dh__reduce) = {
    .row = {[DH_FOLD_F32] = ENTRIES(row, f32, f32, row_SQ_f32),
            [DH_FOLD_F64] = ENTRIES(row, f64, f64, row_SQ_f64),
            [DH_FOLD_I64] = ENTRIES(row, i64, u64, NULL),
            [DH_FOLD_U64] = ENTRIES(row, u64, u64, NULL)},
    .column = {[DH_FOLD_F32] = ENTRIES(column, f32, f32, column_SQ_f32),
               [DH_FOLD_F64] = ENTRIES(column, f64, f64, column_SQ_f64),
               [DH_FOLD_I64] = ENTRIES(column, i64, u64, NULL),
               [DH_FOLD_U64] = ENTRIES(column, u64, u64, NULL)},
};
