/* SPDX-License-Identifier: MIT */
/* Elements moved as they are, chosen and set. E: an integer of their size. */
#ifdef K_copy
kernel void copy(OUT(E, y), IN(E, x), long count)
{
    EACH(i)
    y[AT(y, i)] = x[AT(x, i)];
}
#endif

#ifdef K_where
kernel void where(OUT(E, y), IN(uchar, c), IN(E, a), IN(E, b), long count)
{
    EACH(i)
    y[AT(y, i)] = c[AT(c, i)] ? a[AT(a, i)] : b[AT(b, i)];
}
#endif

#ifdef K_fill
kernel void fill(OUT(E, y), ulong value, long count)
{
    EACH(i)
    y[AT(y, i)] = (E)value;
}
#endif

#ifdef K_tile
/* x repeated along its axes: big is y's shape, small x's and its strides */
kernel void tile(OUT(E, y), IN(E, x), view big, view small, long count)
{
    EACH(i)
    long from = 0, rest = i;
    for (int a = (int)big.ndim - 1; a >= 0; a--) {
        from += rest % big.shape[a] % small.shape[a] * small.stride[a];
        rest /= big.shape[a];
    }
    y[AT(y, i)] = x[x0 + from];
}
#endif

#ifdef K_triangle
/* what lies on one side of diagonal k of m x n matrices */
kernel void triangle(OUT(E, y), IN(E, x), long m, long n, long k, long upper, long count)
{
    EACH(i)
    long d = i % n - i / n % m;
    y[AT(y, i)] = (upper ? d >= k : d <= k) ? x[AT(x, i)] : (E)0;
}
#endif
