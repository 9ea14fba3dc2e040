/* SPDX-License-Identifier: MIT */
#include "optim_kernels.h"

#include "isa.h"

/* Each rule of rules.def is one loop over i. Constants are rounded to the element type once. */
#define LOOP(name, G, statements)                                                              \
    static void N(name)(const dh__rule_step *step, void *const *t, int64_t n)                  \
    {                                                                                          \
        T *restrict w = t[0];                                                                  \
        const T *restrict gradient = t[1];                                                     \
        T *restrict s0 = t[2], *restrict s1 = t[3], *restrict s2 = t[4];                       \
        const T rate = (T)step->rate, decay = (T)step->decay, keep = (T)step->keep;            \
        const T b1 = (T)step->beta1, b2 = (T)step->beta2, root = (T)step->root;                \
        const T c1 = (T)(1 - step->beta1), c2 = (T)(1 - step->beta2);                          \
        const T eps = (T)step->epsilon, rate_g = (T)step->rate_gradient;                       \
        (void)s0, (void)s1, (void)s2, (void)rate, (void)decay, (void)keep, (void)b1, (void)b2; \
        (void)root, (void)c1, (void)c2, (void)eps, (void)rate_g, (void)gradient;               \
        for (int64_t i = 0; i < n; i++) {                                                      \
            const T g = G;                                                                     \
            (void)g;                                                                           \
            statements                                                                         \
        }                                                                                      \
    }
#define RULE(NAME, name, ...)  LOOP(name, gradient[i] + decay * w[i], __VA_ARGS__)
#define ALONE(NAME, name, ...) LOOP(name, 0, __VA_ARGS__)

#define T       float
#define N(name) name##_f32
#define SQRT(x) __builtin_sqrtf(x)
#define ABS(x)  __builtin_fabsf(x)
#include "rules.def"
#undef T
#undef N
#undef SQRT
#undef ABS

#define T       double
#define N(name) name##_f64
#define SQRT(x) __builtin_sqrt(x)
#define ABS(x)  __builtin_fabs(x)
#include "rules.def"
#undef N
#undef RULE
#undef ALONE

#define ALONE(NAME, name, ...) RULE(NAME, name, __VA_ARGS__)

extern const dh__optim_kernels DH_ISA(dh__optim);
const dh__optim_kernels DH_ISA(dh__optim) = {
#define RULE(NAME, name, ...) [DH_RULE_##NAME] = name##_f32,
    .f32 =
        {
#include "rules.def"
        },
#undef RULE
#define RULE(NAME, name, ...) [DH_RULE_##NAME] = name##_f64,
    .f64 =
        {
#include "rules.def"
        },
};
