/* SPDX-License-Identifier: MIT */
/* Resizing of planes, each element of the result by itself. Option: the dtype X. */
typedef CAT(T_, X) T;
typedef CAT(C_, X) F;

#define HALF_PIXEL    0
#define ASYMMETRIC    1
#define ALIGN_CORNERS 2

typedef struct resizing {
    long in[3], out[3], linear, coordinates;
} resizing;

/* Element `at` of an axis of y is (1 - part) x[first] + part x[second]. */
typedef struct source {
    long first, second;
    A part;
} source;

static inline source source_of(const resizing *r, int axis, long at)
{
    long in = r->in[axis], out = r->out[axis], last = in - 1;
    source s = {0, 0, 0};
    if (!r->linear && r->coordinates != ALIGN_CORNERS) {
        s.first = r->coordinates == ASYMMETRIC ? at * in / out : (2 * at + 1) * in / (2 * out);
        s.first = s.second = min(s.first, last);
        return s;
    }
    A x = r->coordinates == HALF_PIXEL   ? (A)((2 * at + 1) * in - out) / (A)(2 * out)
          : r->coordinates == ASYMMETRIC ? (A)(at * in) / (A)out
          : out > 1                      ? (A)(at * last) / (A)(out - 1)
                                         : 0;
    x = x < 0 ? 0 : x > (A)last ? (A)last : x;
    if (!r->linear) {
        s.first = s.second = (long)floor(x + (A)0.5);
        return s;
    }
    s.first = (long)x;
    s.second = min(s.first + 1, last);
    s.part = x - (A)s.first;
    return s;
}

/* How much of x[at] is in the element of the source: nothing of what counts for nothing. */
static inline A share(source s, long at)
{
    return (s.first == at ? 1 - s.part : 0) + (s.second == at ? s.part : 0);
}

#ifdef K_resize
kernel void resize(OUT(T, y), IN(T, x), resizing r, long count)
{
    EACH(i)
    long c = i % r.out[2], b = i / r.out[2] % r.out[1], a = i / r.out[2] / r.out[1];
    long plane = a / r.out[0] * r.in[0] * r.in[1] * r.in[2];
    source s[3] = {source_of(&r, 0, a % r.out[0]), source_of(&r, 1, b), source_of(&r, 2, c)};
    A sum = 0;
    for (int k = 0; k < 8; k++) {
        long at[3];
        A part = 1;
        for (int axis = 0; axis < 3; axis++) {
            bool second = k >> (2 - axis) & 1;
            at[axis] = second ? s[axis].second : s[axis].first;
            part *= second ? s[axis].part : 1 - s[axis].part;
        }
        if (part != 0)
            sum += part * (A)LOAD(X, x, plane + (at[0] * r.in[1] + at[1]) * r.in[2] + at[2]);
    }
    STORE(X, y, i, sum);
}
#endif

#ifdef K_resize_dx
/* The positions [*from, *to) of an axis of y that may have a part of x[at]. */
static inline void reached(const resizing *r, int axis, long at, long *from, long *to)
{
    long in = r->in[axis], out = r->out[axis];
    *from = max((at - 1) * out / in - 2, 0L);
    *to = min((at + 2) * out / in + 3, out);
    if (at == 0) *from = 0;
    if (at == in - 1) *to = out;
}

kernel void resize_dx(OUT(T, dx), IN(T, dy), resizing r, long count)
{
    EACH(i)
    long at[3] = {i / r.in[2] / r.in[1] % r.in[0], i / r.in[2] % r.in[1], i % r.in[2]}, from[3], to[3];
    long plane = i / (r.in[0] * r.in[1] * r.in[2]) * r.out[0];
    A sum = 0;
    for (int axis = 0; axis < 3; axis++) reached(&r, axis, at[axis], &from[axis], &to[axis]);
    for (long a = from[0]; a < to[0]; a++)
        for (long b = from[1]; b < to[1]; b++)
            for (long c = from[2]; c < to[2]; c++) {
                A part = share(source_of(&r, 0, a), at[0]) * share(source_of(&r, 1, b), at[1]) *
                         share(source_of(&r, 2, c), at[2]);
                if (part != 0)
                    sum += part * (A)LOAD(X, dy, ((plane + a) * r.out[1] + b) * r.out[2] + c);
            }
    STORE(X, dx, i, sum);
}
#endif
