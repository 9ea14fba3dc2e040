/* SPDX-License-Identifier: MIT */
/* Elementwise kernels. Options: the dtype X of the inputs, WHOLE where it is an integer or bool; OP, the
 * op, op_add. The formulas are those of the CPU. */
typedef CAT(T_, X) T;
typedef CAT(C_, X) F;

#ifndef WHOLE
#include "functions.clh"
#define UNARY(NAME, name, dtypes, keeps, f, df)                                                  \
    static inline F y_op_##name(F x, F p, F q)                                                      \
    {                                                                                            \
        return f;                                                                                \
    }                                                                                            \
    static inline F dx_op_##name(F x, F y, F p, F q)                                                \
    {                                                                                            \
        return df;                                                                               \
    }
#define BINARY(NAME, name, f)                                                                    \
    static inline F z_op_##name(F a, F b)                                                           \
    {                                                                                            \
        return f;                                                                                \
    }
#include "unary.def"
#else

/* What overflows wraps. */
#define WHOLE_UNARY(name, f)                                                                     \
    static inline F y_op_##name(F x, float p, float q)                                              \
    {                                                                                            \
        return (F)(f);                                                                           \
    }
WHOLE_UNARY(neg, 0 - (ulong)x)
WHOLE_UNARY(abs, x < 0 ? (F)(0 - (ulong)x) : x)
WHOLE_UNARY(sign, x < 0 ? (F)-1 : (F)(x != 0))
WHOLE_UNARY(sqr, (ulong)x * (ulong)x)
WHOLE_UNARY(relu, x < 0 ? 0 : x)
WHOLE_UNARY(relu6, x < 0 ? 0 : x > 6 ? 6 : x)
WHOLE_UNARY(floor, x)
WHOLE_UNARY(ceil, x)
WHOLE_UNARY(round, x)
WHOLE_UNARY(trunc, x)

#define WHOLE_BINARY(name, f)                                                                    \
    static inline F z_op_##name(F a, F b)                                                           \
    {                                                                                            \
        ulong x = (ulong)a, y = (ulong)b;                                                        \
        return (F)(f);                                                                           \
    }
WHOLE_BINARY(add, x + y)
WHOLE_BINARY(sub, x - y)
WHOLE_BINARY(mul, x *y)
WHOLE_BINARY(maximum, a < b ? b : a)
WHOLE_BINARY(minimum, b < a ? b : a)
#define BINARY(NAME, name, f)

/* A negative exponent gives the fraction truncated: 0 but for a = 1 and -1. */
static inline F z_op_pow(F a, F b)
{
    ulong y = 1, x = (ulong)a;
    if (b < 0) return a == 1 ? 1 : a + 1 == 0 ? (b % 2 ? a : (F)1) : 0;
    for (ulong n = (ulong)b; n; n >>= 1, x *= x)
        if (n & 1) y *= x;
    return (F)y;
}
#endif

#define COMPARE(NAME, name, f)                                                                   \
    static inline int c_op_##name(F a, F b)                                                         \
    {                                                                                            \
        return f;                                                                                \
    }
#include "binary.def"

#define TEST(name, f)                                                                            \
    static inline int t_op_##name(F x)                                                              \
    {                                                                                            \
        return f;                                                                                \
    }
TEST(logical_not, x == 0)
#ifdef WHOLE
typedef float P; /* that no formula reads */
#else
typedef F P;
TEST(isnan, isnan(x))
TEST(isinf, isinf(x))
TEST(isfinite, isfinite(x))
#endif

#ifdef K_unary
kernel void unary(OUT(T, y), IN(T, x), P p, P q, long count)
{
    EACH(i)
    STORE(X, y, i, CAT(y_, OP)(LOAD(X, x, i), p, q));
}
#endif

#ifdef K_unary_dx
/* s: the input or the output of the function, as its formula wants */
kernel void unary_dx(OUT(T, dx), IN(T, dy), IN(T, s), P p, P q, long count)
{
    EACH(i)
    F v = LOAD(X, s, i);
    STORE(X, dx, i, LOAD(X, dy, i) * CAT(dx_, OP)(v, v, p, q));
}
#endif

#ifdef K_binary
kernel void binary(OUT(T, z), IN(T, a), IN(T, b), long count)
{
    EACH(i)
    STORE(X, z, i, CAT(z_, OP)(LOAD(X, a, i), LOAD(X, b, i)));
}
#endif

#ifdef K_compare
kernel void compare(OUT(T_bool, z), IN(T, a), IN(T, b), long count)
{
    EACH(i)
    STORE(bool, z, i, CAT(c_, OP)(LOAD(X, a, i), LOAD(X, b, i)));
}
#endif

#ifdef K_test
kernel void test(OUT(T_bool, y), IN(T, x), long count)
{
    EACH(i)
    STORE(bool, y, i, CAT(t_, OP)(LOAD(X, x, i)));
}
#endif

#ifdef K_clamp_whole
kernel void clamp_whole(OUT(T, y), IN(T, x), F low, F high, F low_value, F high_value, long count)
{
    EACH(i)
    F v = LOAD(X, x, i);
    STORE(X, y, i, v < low ? low_value : v > high ? high_value : v);
}
#endif
