/* SPDX-License-Identifier: MIT */
/* Normalisation of x [outer, channels, inner] by channel, and of rows. Options: the dtypes X of x and
 * what goes with it, M of mean and variance, G of gamma and beta (AFFINE) and their gradients; ADD,
 * GATE. Sums and statistics are in A. */
typedef CAT(T_, X) T;
typedef CAT(T_, M) TM;
typedef CAT(T_, G) TG;
typedef CAT(C_, X) F;

#ifdef AFFINE
#define GAMMA   , IN(TG, gamma)
#define BETA    , IN(TG, beta)
#define SCALE(i) (A) LOAD(G, gamma, i)
#define SHIFT(i) (A) LOAD(G, beta, i)
#else
#define GAMMA
#define BETA
#define SCALE(i) (A)1
#define SHIFT(i) (A)0
#endif
#ifdef ADD
#define ADDEND , IN(T, addend)
#else
#define ADDEND
#endif
#ifdef GATE
#define GATED  , IN(T, passed)
#define DY(i)  gated(LOAD(X, dy, i), LOAD(X, passed, i), act, alpha)
#else
#define GATED
#define DY(i)  LOAD(X, dy, i)
#endif

/* dy in front of the activation whose result is y. */
static inline F gated(F dy, F y, long act, F alpha)
{
    bool whole = y > 0 && !(act == ACT_RELU6 && y >= 6);
    return whole ? dy : act == ACT_LEAKY_RELU ? dy * alpha : 0 * dy;
}

/* Each piece of the outer range of each channel: x - m and its square, m being the first element. */
#ifdef K_moments
kernel void moments(global A *sums, long sums0, IN(T, x), long outer, long channels, long inner,
                    long pieces, long count)
{
    EACH(i)
    long c = i % channels, piece = i / channels, each = (outer + pieces - 1) / pieces;
    long to = (piece + 1) * each < outer ? (piece + 1) * each : outer;
    A m = LOAD(X, x, c * inner), s0 = 0, s1 = 0;
    for (long o = piece * each; o < to; o++)
        for (long k = 0; k < inner; k++) {
            A d = (A)LOAD(X, x, (o * channels + c) * inner + k) - m;
            s0 += d;
            s1 += d * d;
        }
    sums[sums0 + 2 * i] = s0;
    sums[sums0 + 2 * i + 1] = s1;
}
#endif

/* Mean and 1 / sqrt(var + epsilon) of each channel into by; TRAIN: from the moments, stored too. */
#ifdef K_prepare
kernel void prepare(global A *by, long by0, OUT(TM, mean), OUT(TM, var), global const A *sums,
                    long sums0, IN(T, x), long channels, long inner, long pieces, A n, A epsilon,
                    long count)
{
    EACH(c)
#ifdef TRAIN
    A s0 = 0, s1 = 0, first = n > 0 ? (A)LOAD(X, x, c * inner) : 0;
    for (long p = 0; p < pieces; p++) {
        s0 += sums[sums0 + 2 * (p * channels + c)];
        s1 += sums[sums0 + 2 * (p * channels + c) + 1];
    }
    A part = s0 / n, m = first + part, v = s1 / n - part * part;
    v = v < 0 ? 0 : v;
    STORE(M, mean, c, m);
    STORE(M, var, c, v);
#else
    A m = LOAD(M, mean, c), v = LOAD(M, var, c);
#endif
    by[by0 + 2 * c] = m;
    by[by0 + 2 * c + 1] = 1 / sqrt(v + epsilon);
}
#endif

#ifdef K_apply
kernel void apply(OUT(T, y), IN(T, x), global const A *by, long by0 GAMMA BETA ADDEND,
                  long channels, long inner, long act, F alpha, long count)
{
    EACH(i)
    long c = i / inner % channels;
    A v = ((A)LOAD(X, x, i) - by[by0 + 2 * c]) * by[by0 + 2 * c + 1] * SCALE(c) + SHIFT(c);
#ifdef ADD
    v += (A)LOAD(X, addend, i);
#endif
    STORE(X, y, i, ACTIVATED(v, act, alpha));
}
#endif

/* dy, dy (x - mean), x - mean of each piece of each channel. */
#ifdef K_sums
kernel void sums(global A *to, long to0, IN(T, dy), IN(T, x), IN(TM, mean) GATED, long outer,
                 long channels, long inner, long pieces, long act, F alpha, long count)
{
    EACH(i)
    long c = i % channels, piece = i / channels, each = (outer + pieces - 1) / pieces;
    long end = (piece + 1) * each < outer ? (piece + 1) * each : outer;
    A m = LOAD(M, mean, c), s0 = 0, s1 = 0, s2 = 0;
    for (long o = piece * each; o < end; o++)
        for (long k = 0; k < inner; k++) {
            long e = (o * channels + c) * inner + k;
            A d = DY(e), v = (A)LOAD(X, x, e) - m;
            s0 += d;
            s1 += d * v;
            s2 += v;
        }
    to[to0 + 3 * i] = s0;
    to[to0 + 3 * i + 1] = s1;
    to[to0 + 3 * i + 2] = s2;
}
#endif

/* Of each channel mean, 1 / sqrt(var + epsilon), and what is taken off: (a + xhat b). mean was
 * rounded: what was cut off is the average of x - mean. */
#ifdef K_finish
kernel void finish(global A *by, long by0, OUT(TG, dgamma), OUT(TG, dbeta), global const A *sums,
                   long sums0, IN(TM, mean), IN(TM, var), long channels, long pieces, A n,
                   A epsilon, long frozen, long count)
{
    EACH(c)
    A s0 = 0, s1 = 0, s2 = 0;
    for (long p = 0; p < pieces; p++) {
        s0 += sums[sums0 + 3 * (p * channels + c)];
        s1 += sums[sums0 + 3 * (p * channels + c) + 1];
        s2 += sums[sums0 + 3 * (p * channels + c) + 2];
    }
    A rest = frozen || !(n > 0) ? 0 : s2 / n, rstd = 1 / sqrt((A)LOAD(M, var, c) + epsilon);
    s1 = (s1 - rest * s0) * rstd;
    STORE(G, dgamma, c, s1);
    STORE(G, dbeta, c, s0);
    by[by0 + 4 * c] = (A)LOAD(M, mean, c) + rest;
    by[by0 + 4 * c + 1] = rstd;
    by[by0 + 4 * c + 2] = frozen ? 0 : s0 / n;
    by[by0 + 4 * c + 3] = frozen ? 0 : s1 / n;
}
#endif

#ifdef K_apply_dx
kernel void apply_dx(OUT(T, dx), IN(T, dy), IN(T, x), global const A *by, long by0 GAMMA GATED,
                     long channels, long inner, long act, F alpha, long count)
{
    EACH(i)
    long c = i / inner % channels;
    by += by0 + 4 * c;
    A xhat = ((A)LOAD(X, x, i) - by[0]) * by[1];
    STORE(X, dx, i, SCALE(c) * by[1] * ((A)DY(i) - (by[2] + xhat * by[3])));
}
#endif

/* --- rows of n elements --- */

#ifdef K_rows
kernel void rows(OUT(T, y), OUT(TM, mean), OUT(TM, rstd), IN(T, x) GAMMA BETA, long n, A epsilon,
                 long count)
{
    EACH(r)
    A m = 0, v = 0;
    for (long k = 0; k < n; k++) m += (A)LOAD(X, x, r * n + k);
    m /= (A)n;
    for (long k = 0; k < n; k++) {
        A d = (A)LOAD(X, x, r * n + k) - m;
        v += d * d;
    }
    A s = 1 / sqrt(v / (A)n + epsilon);
    STORE(M, mean, r, m);
    STORE(M, rstd, r, s);
    for (long k = 0; k < n; k++)
        STORE(X, y, r * n + k, ((A)LOAD(X, x, r * n + k) - m) * s * SCALE(k) + SHIFT(k));
}
#endif

/* What rounding cut off the means. */
#ifdef K_rest
kernel void rest(global A *to, long to0, IN(T, x), IN(TM, mean), long n, long count)
{
    EACH(r)
    A m = LOAD(M, mean, r), sum = 0;
    for (long k = 0; k < n; k++) sum += (A)LOAD(X, x, r * n + k) - m;
    to[to0 + r] = sum / (A)n;
}
#endif

#ifdef K_columns_dx
kernel void columns_dx(OUT(TG, dgamma), OUT(TG, dbeta), IN(T, dy), IN(T, x), IN(TM, mean),
                       IN(TM, rstd), global const A *rest, long rest0, long row_count, long count)
{
    EACH(k)
    A s0 = 0, s1 = 0;
    for (long r = 0; r < row_count; r++) {
        A d = LOAD(X, dy, r * count + k);
        s1 += d * ((A)LOAD(X, x, r * count + k) - (A)LOAD(M, mean, r) - rest[rest0 + r]) *
              (A)LOAD(M, rstd, r);
        s0 += d;
    }
    STORE(G, dgamma, k, s1);
    STORE(G, dbeta, k, s0);
}
#endif

#ifdef K_rows_dx
kernel void rows_dx(OUT(T, dx), IN(T, dy), IN(T, x), IN(TM, mean), IN(TM, rstd),
                    global const A *rest, long rest0 GAMMA, long n, long count)
{
    EACH(r)
    A m = (A)LOAD(M, mean, r) + rest[rest0 + r], s = LOAD(M, rstd, r), s0 = 0, s1 = 0;
    for (long k = 0; k < n; k++) {
        A d = (A)LOAD(X, dy, r * n + k) * SCALE(k);
        s0 += d;
        s1 += d * ((A)LOAD(X, x, r * n + k) - m) * s;
    }
    for (long k = 0; k < n; k++) {
        A d = (A)LOAD(X, dy, r * n + k) * SCALE(k), xhat = ((A)LOAD(X, x, r * n + k) - m) * s;
        STORE(X, dx, r * n + k, s * (d - (s0 + xhat * s1) / (A)n));
    }
}
#endif
