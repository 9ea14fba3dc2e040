/* SPDX-License-Identifier: MIT */
/* Softmax, its logarithm and cross entropy. Options: the dtype X; LOG. A work item has one line along
 * the axis, whose elements are inner numbers apart. Exponentials in F, sums in A. */
typedef CAT(T_, X) T;
typedef CAT(C_, X) F;

/* The largest of a line; NaN if there is one. */
#define TOP(top, x, first, n, step)                       \
    F top = LOAD(X, x, first);                            \
    for (long k = 1; k < n; k++) {                        \
        F v = LOAD(X, x, (first) + k * (step));           \
        if (v > top || v != v) top = v;                   \
    }

#ifdef K_softmax
kernel void softmax(OUT(T, y), IN(T, x), long n, long inner, long count)
{
    EACH(i)
    long first = i / inner * n * inner + i % inner;
    A sum = 0;
    TOP(top, x, first, n, inner)
    for (long k = 0; k < n; k++) sum += (A)exp(LOAD(X, x, first + k * inner) - top);
#ifdef LOG
    F shift = (F)log(sum);
    for (long k = 0; k < n; k++)
        STORE(X, y, first + k * inner, (LOAD(X, x, first + k * inner) - top) - shift);
#else
    F part = (F)(1 / sum);
    for (long k = 0; k < n; k++)
        STORE(X, y, first + k * inner, exp(LOAD(X, x, first + k * inner) - top) * part);
#endif
}
#endif

#ifdef K_softmax_dx
kernel void softmax_dx(OUT(T, dx), IN(T, dy), IN(T, y), long n, long inner, long count)
{
    EACH(i)
    long first = i / inner * n * inner + i % inner;
    A sum = 0;
    for (long k = 0; k < n; k++) {
        A d = (A)LOAD(X, dy, first + k * inner);
#ifndef LOG
        d *= (A)LOAD(X, y, first + k * inner);
#endif
        sum += d;
    }
    for (long k = 0; k < n; k++) {
        F d = LOAD(X, dy, first + k * inner), v = LOAD(X, y, first + k * inner);
#ifdef LOG
        STORE(X, dx, first + k * inner, d - exp(v) * (F)sum);
#else
        STORE(X, dx, first + k * inner, v * (d - (F)sum));
#endif
    }
}
#endif

/* L: the dtype of the target where that holds class numbers. */
#ifdef L
#define TARGET IN(CAT(T_, L), t)
#else
#define TARGET IN(T, t)
#endif

/* The class of a row, or the target's numbers. */
#ifdef L
#define CLASS                                                  \
    long label = LOAD(L, t, i);                                \
    if (label < 0 || label >= n) {                             \
        complain(told, code, i, label, 0, n);                  \
        return;                                                \
    }
#define WEIGHT(c) (F)((c) == label)
#else
#define CLASS
#define WEIGHT(c) LOAD(X, t, i *n + (c))
#endif

#define LOG_SUM(z)                                                       \
    A sum = 0;                                                           \
    TOP(top, z, i *n, n, 1)                                              \
    for (long k = 0; k < n; k++) sum += (A)exp(LOAD(X, z, i * n + k) - top);

#ifdef K_cross_entropy
kernel void cross_entropy(OUT(T, loss), IN(T, z), TARGET, long n, global trouble *told, int code,
                          long count)
{
    EACH(i)
    CLASS
    LOG_SUM(z)
    A lse = log(sum), all = 0;
    for (long k = 0; k < n; k++) {
        F w = WEIGHT(k);
        if (w != 0) all += (A)w * (lse + (A)(top - LOAD(X, z, i * n + k)));
    }
    STORE(X, loss, i, lse == lse ? all : lse);
}
#endif

#ifdef K_cross_entropy_dx
kernel void cross_entropy_dx(OUT(T, dz), IN(T, dloss), IN(T, z), TARGET, long n,
                             global trouble *told, int code, long count)
{
    EACH(i)
    CLASS
    LOG_SUM(z)
    F d = LOAD(X, dloss, i), part = (F)(1 / sum), mass = 0;
    for (long k = 0; k < n; k++) mass += WEIGHT(k);
    for (long k = 0; k < n; k++) {
        F w = WEIGHT(k);
        STORE(X, dz, i * n + k, d * (exp(LOAD(X, z, i * n + k) - top) * part * mass - w));
    }
}
#endif
