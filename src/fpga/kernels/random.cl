/* SPDX-License-Identifier: MIT */
/* Dropout and noise by the words of Philox4x32-10 (Salmon et al., SC 2011), the same as the host's:
 * each work item takes one block of four. Option: the dtype X. */
typedef CAT(T_, X) T;
typedef CAT(C_, X) F;

static inline uint4 philox(ulong seed, ulong stream, ulong block)
{
    uint4 c = (uint4)((uint)block, (uint)(block >> 32), (uint)stream, (uint)(stream >> 32));
    uint k0 = (uint)seed, k1 = (uint)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint low0 = 0xD2511F53u * c.x, high0 = mul_hi(0xD2511F53u, c.x);
        uint low1 = 0xCD9E8D57u * c.z, high1 = mul_hi(0xCD9E8D57u, c.z);
        c = (uint4)(high1 ^ c.y ^ k0, low1, high0 ^ c.w ^ k1, low0);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c;
}

#ifdef K_dropout
kernel void dropout(OUT(T, y), IN(T, x), long n, ulong seed, ulong stream, ulong first,
                    uint threshold, F scale, long count)
{
    EACH(b)
    uint4 c = philox(seed, stream, first / 4 + b);
    uint words[4] = {c.x, c.y, c.z, c.w};
    for (long k = 0; k < 4; k++) {
        long e = 4 * b + k - (long)(first % 4);
        if (e >= 0 && e < n)
            STORE(X, y, e, words[k] >> 8 >= threshold ? LOAD(X, x, e) * scale : 0);
    }
}
#endif

#ifdef K_noise
kernel void noise(OUT(T, y), IN(T, x), long n, ulong seed, ulong stream, ulong first, A stddev,
                  long count)
{
    EACH(b)
    uint4 c = philox(seed, stream, first / 4 + b);
    uint words[4] = {c.x, c.y, c.z, c.w};
    const A unit = (A)(1.0f / 16777216.0f), turn = (A)6.283185307179586;
    for (long k = 0; k < 4; k++) {
        long e = 4 * b + k - (long)(first % 4);
        if (e < 0 || e >= n) continue;
        A u0 = (A)(words[k & 2] >> 8) * unit, t = turn * ((A)(words[k | 1] >> 8) * unit);
        A z = sqrt(-2 * log(1 - u0)) * (k & 1 ? sin(t) : cos(t));
        STORE(X, y, e, (A)LOAD(X, x, e) + stddev * z);
    }
}
#endif
