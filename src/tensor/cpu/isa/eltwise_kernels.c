/* SPDX-License-Identifier: MIT */
/* Elementwise loops in f32 and f64, made from unary.def and binary.def; the compiler vectorises
 * them. */
#include <math.h>

#include "eltwise.h"
#include "isa.h"
#include "vector_math.h"

/* Python's remainder: the sign of the divisor, a zero's too. */
static inline double floor_mod_f64(double a, double b)
{
    double r = fmod(a, b);
    return r == 0 ? copysign(r, b) : (r < 0) != (b < 0) ? r + b : r;
}

static inline float floor_mod_f32(float a, float b)
{
    float r = fmodf(a, b);
    return r == 0 ? copysignf(r, b) : (r < 0) != (b < 0) ? r + b : r;
}

/* Klambauer et al. 2017. */
#define SELU_SCALE C(1.0507009873554805)
#define SELU_ALPHA C(1.6732632423543772)

#define T               float
#define C(x)            ((float)(x))
#define M(name)         name##f
#define V(name)         v_##name
#define N(name)         f32_##name
#define floor_mod(a, b) floor_mod_f32(a, b)
#include "eltwise_loops.h"
#undef T
#undef C
#undef M
#undef V
#undef N
#undef floor_mod

#define T               double
#define C(x)            ((double)(x))
#define M(name)         name
#define V(name)         d_##name
#define N(name)         f64_##name
#define floor_mod(a, b) floor_mod_f64(a, b)
#include "eltwise_loops.h"
#undef N

const dh__eltwise DH_ISA(dh__eltwise) = {
#define COMPARE(NAME, name, f)                  BINARY(NAME, name, f)
#define UNARY(NAME, name, dtypes, keeps, f, df) [DH_OP_##NAME] = f32_##name,
#define BINARY(NAME, name, f)                   [DH_OP_##NAME] = f32_##name,
    .f32 =
        {
#include "binary.def"
#include "unary.def"
        },
#undef UNARY
#undef BINARY
#define UNARY(NAME, name, dtypes, keeps, f, df) [DH_OP_##NAME] = f64_##name,
#define BINARY(NAME, name, f)                   [DH_OP_##NAME] = f64_##name,
    .f64 =
        {
#include "binary.def"
#include "unary.def"
        },
#undef UNARY
#define UNARY(NAME, name, dtypes, keeps, f, df) [DH_OP_##NAME] = f32_##name##_dx,
    .dx_f32 =
        {
#include "unary.def"
        },
#undef UNARY
#define UNARY(NAME, name, dtypes, keeps, f, df) [DH_OP_##NAME] = f64_##name##_dx,
    .dx_f64 =
        {
#include "unary.def"
        },
};
