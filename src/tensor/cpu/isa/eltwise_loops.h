/* SPDX-License-Identifier: MIT */
/* Included once per computing type: T, C, M, V, N(name) and TABLES are defined around it. No
 * include guard on purpose. */

#define UNARY(NAME, name, dtypes, keeps, f, df)                                              \
    static void N(name)(const void *in, const void *unused, void *out, int64_t n, double p_, \
                        double q_)                                                           \
    {                                                                                        \
        const T *xs = in;                                                                    \
        T *ys = out, p = (T)p_, q = (T)q_;                                                   \
        (void)unused, (void)p, (void)q;                                                      \
        for (int64_t i = 0; i < n; i++) {                                                    \
            T x = xs[i];                                                                     \
            ys[i] = f;                                                                       \
        }                                                                                    \
    }                                                                                        \
    static void N(name##_dx)(const void *dy, const void *s, void *dx, int64_t n, double p_,  \
                             double q_)                                                      \
    {                                                                                        \
        const T *dys = dy, *ss = s;                                                          \
        T *dxs = dx, p = (T)p_, q = (T)q_;                                                   \
        (void)p, (void)q;                                                                    \
        for (int64_t i = 0; i < n; i++) {                                                    \
            T x = ss[i], y = x;                                                              \
            (void)x, (void)y;                                                                \
            dxs[i] = dys[i] * (df);                                                          \
        }                                                                                    \
    }
#include "unary.def"
#undef UNARY

#define BINARY(NAME, name, f)                                                                     \
    static void N(name)(const void *as, const void *bs, void *out, int64_t n, double p, double q) \
    {                                                                                             \
        const T *ap = as, *bp = bs;                                                               \
        T *yp = out;                                                                              \
        (void)p, (void)q;                                                                         \
        for (int64_t i = 0; i < n; i++) {                                                         \
            T a = ap[i], b = bp[i];                                                               \
            yp[i] = f;                                                                            \
        }                                                                                         \
    }
#define COMPARE(NAME, name, f)                                                                    \
    static void N(name)(const void *as, const void *bs, void *out, int64_t n, double p, double q) \
    {                                                                                             \
        const T *ap = as, *bp = bs;                                                               \
        uint8_t *yp = out;                                                                        \
        (void)p, (void)q;                                                                         \
        for (int64_t i = 0; i < n; i++) {                                                         \
            T a = ap[i], b = bp[i];                                                               \
            yp[i] = (uint8_t)(f);                                                                 \
        }                                                                                         \
    }
#include "binary.def"
#undef BINARY
#undef COMPARE
