/* SPDX-License-Identifier: MIT */
/* sort and topk: a merge sort of all lanes at once. Elements become unsigned keys in the same order
 * (NaN largest, -0 equal to 0) with their places in the lane; pass by pass runs twice as long are
 * made, in which each element finds its place by binary search in the run beside its own; values are
 * then fetched by place. Options: the dtype X of x; E, an integer of its size. */

#ifdef K_order_keys
#if X_FLOAT && X_BYTES == 8
#define KEY(v) float_key(as_ulong(v), 63)
#elif X_FLOAT
#define KEY(v) float_key(as_uint(v), 31)
#elif X_SIGNED
#define KEY(v) ((ulong)(v) ^ 1UL << 63)
#else
#define KEY(v) ((ulong)(v))
#endif

/* Order of floats: all bits of negatives flipped, the sign bit of the rest. */
static inline ulong float_key(ulong bits, int sign)
{
    ulong top = 1UL << sign;
    return bits & top ? ~bits & (top - 1 | top) : bits | top;
}

kernel void order_keys(global ulong *keys, long keys0, global long *places, long places0,
                       IN(CAT(T_, X), x), long n, long descending, long count)
{
    EACH(i)
    CAT(C_, X) v = LOAD(X, x, i);
    if (v == 0) v = 0;
    ulong key = v != v ? ULONG_MAX : KEY(v);
    keys[keys0 + i] = descending ? ~key : key;
    places[places0 + i] = i % n;
}
#endif

#ifdef K_order_merge
kernel void order_merge(global ulong *keys, long keys0, global long *places, long places0,
                        global const ulong *old_keys, long old_keys0,
                        global const long *old_places, long old_places0, long n, long run,
                        long count)
{
    EACH(i)
    long lane = i / n * n, at = i - lane, mine = at / run, other = (mine ^ 1) * run;
    ulong key = old_keys[old_keys0 + i];
    global const ulong *beside = old_keys + old_keys0 + lane + other;
    long low = 0, high = min(run, n - other); /* how many there come before */
    while (low < high) {
        long middle = (low + high) / 2;
        if (mine & 1 ? beside[middle] <= key : beside[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    long to = lane + mine / 2 * 2 * run + (at - mine * run) + low;
    keys[keys0 + to] = key;
    places[places0 + to] = old_places[old_places0 + i];
}
#endif

#ifdef K_order_fetch
kernel void order_fetch(OUT(E, y), OUT(long, indices), IN(E, x), global const long *places,
                        long places0, long n, long kept, long count)
{
    EACH(i)
    long lane = i / kept, place = places[places0 + lane * n + i % kept];
    y[AT(y, i)] = x[AT(x, lane * n + place)];
    indices[AT(indices, i)] = place;
}
#endif
