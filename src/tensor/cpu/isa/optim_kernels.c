/* SPDX-License-Identifier: MIT */
#include "optim_kernels.h"

#include <math.h>

#include "isa.h"

/* Each rule is one loop over i with the element's values w[i], g (decayed), and its state arrays.
 * Constants are rounded to the element type once. */
#define RULE(T, SUFFIX, NAME, BODY)                                                            \
    static void NAME##_##SUFFIX(const dh__rule_step *step, void *const *t, int64_t n)          \
    {                                                                                          \
        T *restrict w = t[0];                                                                  \
        const T *restrict gradient = t[1];                                                     \
        T *restrict s0 = t[2], *restrict s1 = t[3], *restrict s2 = t[4];                       \
        const T rate = (T)step->rate, decay = (T)step->decay, keep = (T)step->keep;            \
        const T b1 = (T)step->beta1, b2 = (T)step->beta2, root = (T)step->root;                \
        const T c1 = (T)(1 - step->beta1), c2 = (T)(1 - step->beta2);                          \
        const T eps = (T)step->epsilon, rate_g = (T)step->rate_gradient;                       \
        (void)s0, (void)s1, (void)s2, (void)rate, (void)decay, (void)keep, (void)b1, (void)b2; \
        (void)root, (void)c1, (void)c2, (void)eps, (void)rate_g;                               \
        for (int64_t i = 0; i < n; i++) {                                                      \
            const T g = gradient[i] + decay * w[i];                                            \
            (void)g;                                                                           \
            BODY                                                                               \
        }                                                                                      \
    }

#define SQRT_float(x)  __builtin_sqrtf(x)
#define SQRT_double(x) __builtin_sqrt(x)
#define ABS_float(x)   __builtin_fabsf(x)
#define ABS_double(x)  __builtin_fabs(x)

#define RULES(T, X)                                                                            \
    RULE(T, X, sgd, w[i] -= rate * g;)                                                         \
    RULE(T, X, momentum, s0[i] = b1 * s0[i] + g; w[i] -= rate * s0[i];)                        \
    RULE(T, X, nesterov, s0[i] = b1 * s0[i] + g; w[i] -= rate * (g + b1 * s0[i]);)             \
    RULE(T, X, adam, const T m = b1 * s0[i] + c1 * g; const T v = b2 * s1[i] + c2 * g * g;     \
         s0[i] = m; s1[i] = v; w[i] = keep * w[i] - rate * (m / (SQRT_##T(v) * root + eps));)  \
    RULE(T, X, amsgrad, const T m = b1 * s0[i] + c1 * g; const T v = b2 * s1[i] + c2 * g * g;  \
         const T top = s2[i] > v ? s2[i] : v; s0[i] = m; s1[i] = v; s2[i] = top;               \
         w[i] = keep * w[i] - rate * (m / (SQRT_##T(top) * root + eps));)                      \
    RULE(T, X, adamax, const T m = b1 * s0[i] + c1 * g; const T now = ABS_##T(g) + eps;        \
         const T u = b2 * s1[i] > now ? b2 * s1[i] : now; s0[i] = m; s1[i] = u;                \
         w[i] -= rate * (m / u);)                                                              \
    RULE(T, X, nadam, const T m = b1 * s0[i] + c1 * g; const T v = b2 * s1[i] + c2 * g * g;    \
         const T below = SQRT_##T(v) * root + eps; s0[i] = m; s1[i] = v;                       \
         w[i] -= (rate_g * g + rate * m) / below;)                                             \
    RULE(T, X, rmsprop, const T v = b2 * s0[i] + c2 * g * g; s0[i] = v;                        \
         w[i] -= rate * (g / (SQRT_##T(v) + eps));)                                            \
    RULE(T, X, centered, const T v = b2 * s0[i] + c2 * g * g; const T a = b2 * s1[i] + c2 * g; \
         const T spread = v - a * a; s0[i] = v; s1[i] = a;                                     \
         w[i] -= rate * (g / (SQRT_##T(spread > 0 ? spread : 0) + eps));)                      \
    RULE(T, X, rmsmomentum, const T v = b2 * s0[i] + c2 * g * g; s0[i] = v;                    \
         s1[i] = b1 * s1[i] + g / (SQRT_##T(v) + eps); w[i] -= rate * s1[i];)                  \
    RULE(T, X, rmsboth, const T v = b2 * s0[i] + c2 * g * g; const T a = b2 * s1[i] + c2 * g;  \
         const T spread = v - a * a; s0[i] = v; s1[i] = a;                                     \
         s2[i] = b1 * s2[i] + g / (SQRT_##T(spread > 0 ? spread : 0) + eps);                   \
         w[i] -= rate * s2[i];)                                                                \
    RULE(T, X, adagrad, const T s = s0[i] + g * g; s0[i] = s;                                  \
         w[i] -= rate * (g / (SQRT_##T(s) + eps));)                                            \
    RULE(T, X, adadelta, const T s = b2 * s0[i] + c2 * g * g;                                  \
         const T d = SQRT_##T(s1[i] + eps) / SQRT_##T(s + eps) * g; s0[i] = s;                 \
         s1[i] = b2 * s1[i] + c2 * d * d; w[i] -= rate * d;)                                   \
    RULE(T, X, accumulate, w[i] += gradient[i];)                                               \
    RULE(T, X, running, w[i] = b1 * w[i] + c1 * gradient[i];)                                  \
    static void scale_##X(const dh__rule_step *step, void *const *t, int64_t n)                \
    {                                                                                          \
        T *restrict w = t[0];                                                                  \
        const T rate = (T)step->rate;                                                          \
        for (int64_t i = 0; i < n; i++) w[i] *= rate;                                          \
    }

RULES(float, f32)
RULES(double, f64)

#define TABLE(X)                                                                                 \
    {                                                                                            \
        [DH_RULE_SGD] = sgd_##X, [DH_RULE_MOMENTUM] = momentum_##X,                              \
        [DH_RULE_NESTEROV] = nesterov_##X, [DH_RULE_ADAM] = adam_##X,                            \
        [DH_RULE_AMSGRAD] = amsgrad_##X, [DH_RULE_ADAMAX] = adamax_##X,                          \
        [DH_RULE_NADAM] = nadam_##X, [DH_RULE_RMSPROP] = rmsprop_##X,                            \
        [DH_RULE_RMSPROP_CENTERED] = centered_##X, [DH_RULE_RMSPROP_MOMENTUM] = rmsmomentum_##X, \
        [DH_RULE_RMSPROP_BOTH] = rmsboth_##X, [DH_RULE_ADAGRAD] = adagrad_##X,                   \
        [DH_RULE_ADADELTA] = adadelta_##X, [DH_RULE_ACCUMULATE] = accumulate_##X,                \
        [DH_RULE_RUNNING] = running_##X, [DH_RULE_SCALE] = scale_##X                             \
    }

extern const dh__optim_kernels DH_ISA(dh__optim);
const dh__optim_kernels DH_ISA(dh__optim) = {.f32 = TABLE(f32), .f64 = TABLE(f64)};
