/* SPDX-License-Identifier: MIT */
/* Elements addressed by an index along one axis. Options: the dtype L of the index; E, an integer of
 * the elements' size, of what is moved; X and S, the dtypes of a sum and its parts. */
typedef CAT(T_, L) TL;

/* The index of number `place`, counted from the front; what lies outside is noted. */
#define INDEX(k, index, place, length)                                   \
    long k = LOAD(L, index, place);                                      \
    if (k < 0) k += length;                                              \
    bool k##_inside = k >= 0 && k < length;                              \
    if (!k##_inside) complain(told, code, place, LOAD(L, index, place), -(length), length);

#ifdef K_gather
/* coords: where the elements of x lie by the numbers of y, the axis left out */
kernel void gather(OUT(E, y), IN(E, x), IN(TL, index), view coords, long step, long length,
                   global trouble *told, int code, long count)
{
    EACH(i)
    INDEX(k, index, i, length)
    if (k_inside) y[AT(y, i)] = x[x0 + line_at(&coords, i) + k * step];
}
#endif

/* Lanes along the axis, of count; each work item goes along one, so that of equal targets the last
 * wins, and sums have one order. lanes: where they begin in the index; its strides there; the same of
 * y and src. */
#define LANES                                                                                  \
    view y_lanes, view index_lanes, view src_lanes, long y_step, long index_step,              \
        long src_step, long n, long length, global trouble *told, int code, long count
#define ALONG(STATEMENT)                                                                       \
    EACH(i)                                                                                    \
    y += y0 + line_at(&y_lanes, i);                                                            \
    src += src0 + line_at(&src_lanes, i);                                                      \
    index += index0 + line_at(&index_lanes, i);                                                \
    for (long q = 0; q < n; q++) {                                                             \
        long k = CAT(load_, L)(index, q * index_step), given = k;                              \
        if (k < 0) k += length;                                                                \
        if (k < 0 || k >= length) {                                                            \
            complain(told, code, i * n + q, given, -length, length);                           \
            continue;                                                                          \
        }                                                                                      \
        STATEMENT;                                                                             \
    }

#ifdef K_scatter
kernel void scatter(global E *y, long y0, global const TL *index, long index0,
                    global const E *src, long src0, LANES)
{
    ALONG(y[k * y_step] = src[q * src_step])
}
#endif

#ifdef K_scatter_add
typedef CAT(T_, X) T;
typedef CAT(T_, S) TS;
kernel void scatter_add(global T *y, long y0, global const TL *index, long index0,
                        global const TS *src, long src0, LANES)
{
    ALONG(CAT(store_, X)(y, k * y_step,
                         CAT(load_, X)(y, k * y_step) + CAT(load_, S)(src, q * src_step)))
}
#endif

#ifdef K_take
/* y [outer, n, inner] of x [outer, length, inner] */
kernel void take(OUT(E, y), IN(E, x), IN(TL, index), long n, long length, long inner,
                 global trouble *told, int code, long count)
{
    EACH(i)
    long r = i % inner, q = i / inner % n, o = i / inner / n;
    INDEX(k, index, q, length)
    if (k_inside) y[AT(y, i)] = x[AT(x, (o * length + k) * inner + r)];
}
#endif

#ifdef K_take_dx
typedef CAT(T_, X) T;
typedef CAT(T_, S) TS;
/* dx, which is 0, [outer, length, inner], from dy [outer, n, inner] */
kernel void take_dx(OUT(T, dx), IN(TS, dy), IN(TL, index), long n, long length, long inner,
                    global trouble *told, int code, long count)
{
    EACH(i)
    long r = i % inner, o = i / inner;
    for (long q = 0; q < n; q++) {
        INDEX(k, index, q, length)
        if (!k_inside) continue;
        long to = (o * length + k) * inner + r;
        STORE(X, dx, to, LOAD(X, dx, to) + LOAD(S, dy, (o * n + q) * inner + r));
    }
}
#endif

#ifdef K_one_hot
kernel void one_hot(OUT(E, y), IN(TL, index), long depth, ulong on, global trouble *told, int code,
                    long count)
{
    EACH(i)
    INDEX(k, index, i, depth)
    if (k_inside) y[AT(y, i * depth + k)] = (E)on;
}
#endif
