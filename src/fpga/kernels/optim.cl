/* SPDX-License-Identifier: MIT */
/* Optimisers and their kin, by the rules of rules.def; options: the dtype X, OP, STATES: the rule and how many
 * states it has. An element is taken out of its tensors, changed, and put back. */
typedef CAT(T_, X) E;
typedef CAT(C_, X) T;
#define SQRT(x) sqrt(x)
#define ABS(x)  fabs(x)

typedef struct constants { /* in double, or in float where there is none */
    A rate, decay, keep, beta1, beta2, root, epsilon, rate_gradient;
} constants;

#if STATES > 0
#define ARG0 , OUT(E, a)
#define GET0 s0[0] = LOAD(X, a, item);
#define PUT0 STORE(X, a, item, s0[0]);
#else
#define ARG0
#define GET0
#define PUT0
#endif
#if STATES > 1
#define ARG1 , OUT(E, b)
#define GET1 s1[0] = LOAD(X, b, item);
#define PUT1 STORE(X, b, item, s1[0]);
#else
#define ARG1
#define GET1
#define PUT1
#endif
#if STATES > 2
#define ARG2 , OUT(E, c)
#define GET2 s2[0] = LOAD(X, c, item);
#define PUT2 STORE(X, c, item, s2[0]);
#else
#define ARG2
#define GET2
#define PUT2
#endif

#ifdef K_update
/* Each rule as a function of its own, of which one is called: by OP. */
#define RULE(NAME, name, ...)                                                                    \
    static inline void rule_op_##name(constants by, T *w, const T *gradient, T *s0, T *s1, T *s2)   \
    {                                                                                            \
        const T rate = (T)by.rate, decay = (T)by.decay, keep = (T)by.keep;                       \
        const T b1 = (T)by.beta1, b2 = (T)by.beta2, root = (T)by.root, eps = (T)by.epsilon;      \
        const T c1 = (T)(1 - by.beta1), c2 = (T)(1 - by.beta2), rate_g = (T)by.rate_gradient;    \
        const int i = 0;                                                                         \
        const T g = gradient[0] + decay * w[0];                                                  \
        __VA_ARGS__                                                                              \
    }
#define ALONE(NAME, name, ...)
#include "rules.def"

kernel void update(constants by, OUT(E, x), IN(E, dx) ARG0 ARG1 ARG2, long count)
{
    EACH(item)
    T w[1] = {LOAD(X, x, item)}, gradient[1] = {LOAD(X, dx, item)};
    T s0[1] = {0}, s1[1] = {0}, s2[1] = {0};
    GET0 GET1 GET2
    CAT(rule_, OP)(by, w, gradient, s0, s1, s2);
    STORE(X, x, item, w[0]);
    PUT0 PUT1 PUT2
}
#endif

#ifdef K_clip
/* g times max_norm / (norm + 1e-6) where the norm is larger; squares: its parts */
kernel void clip(OUT(E, g), global const A *squares, long squares0, long parts, A max_norm,
                 long count)
{
    EACH(i)
    A sum = 0;
    for (long k = 0; k < parts; k++) sum += squares[squares0 + k];
    A norm = sqrt(sum);
    if (norm > max_norm) STORE(X, g, i, LOAD(X, g, i) * (T)(max_norm / (norm + (A)1e-6)));
}
#endif
