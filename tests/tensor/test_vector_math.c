/* SPDX-License-Identifier: MIT */
/* How far our f32 functions are from the true values, in units in the last place, over floats of
 * every magnitude, by every instruction set that this machine has. */
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "cpu.h"
#include "eltwise.h"
#include "expect.h"

#define ALLOWED 4.0
#define CHUNK   4096
/* a prime, so that all low bits vary */
#define STRIDE 2003u

static double true_sigmoid(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

static double true_softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static double true_gelu(double x)
{
    return x / 2 * erfc(-x / sqrt(2));
}

static double true_silu(double x)
{
    return x * true_sigmoid(x);
}

static double true_mish(double x)
{
    return x * tanh(true_softplus(x));
}

static double true_elu(double x)
{
    return x > 0 ? x : expm1(x);
}

typedef struct function {
    int op;
    double (*truth)(double);
} function;

static const function functions[] = {
    {DH_OP_EXP, exp},
    {DH_OP_EXPM1, expm1},
    {DH_OP_LOG, log},
    {DH_OP_LOG1P, log1p},
    {DH_OP_TANH, tanh},
    {DH_OP_ERF, erf},
    {DH_OP_SIGMOID, true_sigmoid},
    {DH_OP_SOFTPLUS, true_softplus},
    {DH_OP_GELU, true_gelu},
    {DH_OP_SILU, true_silu},
    {DH_OP_MISH, true_mish},
    {DH_OP_ELU, true_elu},
};

static double units_off(float got, double want)
{
    int e;
    float nearest = (float)want;
    if (isnan(want)) return isnan(got) ? 0 : INFINITY;
    if (got == nearest) return 0;
    if (!isfinite(nearest) || !isfinite(got)) return INFINITY;
    frexp(want, &e);
    double off = fabs((double)got - want) / ldexp(1, e - 24 < -149 ? -149 : e - 24);
    return off >= 0 ? off : INFINITY;
}

static int tables(const dh__eltwise **out, const char **names)
{
    int n = 0;
    names[n] = "portable", out[n++] = &dh__eltwise_portable;
#if DH_HAVE_X86_ISA
    if (dh__cpu_isa() >= DH_ISA_AVX2) names[n] = "avx2", out[n++] = &dh__eltwise_avx2;
    if (dh__cpu_isa() >= DH_ISA_AVX512) names[n] = "avx512", out[n++] = &dh__eltwise_avx512;
#endif
    return n;
}

static void within_four_units(void **state)
{
    DH_UNUSED(state);
    static float x[CHUNK], y[CHUNK];
    static double want[CHUNK];
    const dh__eltwise *table[3];
    const char *names[3];
    int count = tables(table, names);
    for (size_t f = 0; f < DH_COUNT(functions); f++) {
        double worst[3] = {0};
        float at[3] = {0};
        uint64_t bits = 0;
        while (bits < UINT64_C(1) << 32) {
            int n = 0;
            for (; n < CHUNK && bits < UINT64_C(1) << 32; n++, bits += STRIDE) {
                uint32_t u = (uint32_t)bits;
                memcpy(&x[n], &u, sizeof u);
                want[n] = functions[f].truth((double)x[n]);
            }
            for (int t = 0; t < count; t++) {
                table[t]->f32[functions[f].op](x, NULL, y, n, 1, 0);
                for (int i = 0; i < n; i++) {
                    double off = units_off(y[i], want[i]);
                    if (off > worst[t]) worst[t] = off, at[t] = x[i];
                }
            }
        }
        for (int t = 0; t < count; t++) {
            print_message("%-9s %-9s %.2f units at %.9g\n", dh__ops[functions[f].op]->name,
                          names[t], worst[t], (double)at[t]);
            if (!(worst[t] <= ALLOWED))
                fail_msg("%s is off by %.3g units at %.9g", dh__ops[functions[f].op]->name,
                         worst[t], (double)at[t]);
        }
    }
}

/* At the edges, by every table: result or NaN. */
static void edges(void **state)
{
    DH_UNUSED(state);
    static const struct {
        int op;
        float x, y;
    } edge[] = {
        {DH_OP_EXP, INFINITY, INFINITY},
        {DH_OP_EXP, -INFINITY, 0},
        {DH_OP_EXP, 0, 1},
        {DH_OP_EXP, 89, INFINITY},
        {DH_OP_EXP, -104, 0},
        {DH_OP_EXP, -103, 0x1p-149f},
        {DH_OP_EXPM1, -INFINITY, -1},
        {DH_OP_EXPM1, INFINITY, INFINITY},
        {DH_OP_EXPM1, 1e-30f, 1e-30f},
        {DH_OP_LOG, 0, -INFINITY},
        {DH_OP_LOG, -1, NAN},
        {DH_OP_LOG, INFINITY, INFINITY},
        {DH_OP_LOG, 1, 0},
        {DH_OP_LOG1P, -1, -INFINITY},
        {DH_OP_LOG1P, -2, NAN},
        {DH_OP_LOG1P, 1e-30f, 1e-30f},
        {DH_OP_LOG1P, INFINITY, INFINITY},
        {DH_OP_TANH, INFINITY, 1},
        {DH_OP_TANH, -INFINITY, -1},
        {DH_OP_ERF, INFINITY, 1},
        {DH_OP_ERF, -INFINITY, -1},
        {DH_OP_SIGMOID, INFINITY, 1},
        {DH_OP_SIGMOID, -INFINITY, 0},
        {DH_OP_SOFTPLUS, -INFINITY, 0},
        {DH_OP_SOFTPLUS, INFINITY, INFINITY},
        {DH_OP_SOFTPLUS, FLT_MAX, FLT_MAX},
        {DH_OP_GELU, INFINITY, INFINITY},
        {DH_OP_GELU, FLT_MAX, FLT_MAX},
        {DH_OP_GELU, -FLT_MAX, 0},
        {DH_OP_SILU, INFINITY, INFINITY},
        {DH_OP_SILU, -FLT_MAX, 0},
        {DH_OP_MISH, INFINITY, INFINITY},
        {DH_OP_MISH, FLT_MAX, FLT_MAX},
        {DH_OP_ELU, -INFINITY, -1},
    };
    const dh__eltwise *table[3];
    const char *names[3];
    int count = tables(table, names);
    for (int t = 0; t < count; t++) {
        for (size_t i = 0; i < DH_COUNT(edge); i++) {
            float y;
            table[t]->f32[edge[i].op](&edge[i].x, NULL, &y, 1, 1, 0);
            if (!(y == edge[i].y || (isnan(y) && isnan(edge[i].y))))
                fail_msg("%s(%g) is %g, not %g (%s)", dh__ops[edge[i].op]->name, (double)edge[i].x,
                         (double)y, (double)edge[i].y, names[t]);
        }
        for (size_t f = 0; f < DH_COUNT(functions); f++) {
            float x = NAN, y = 0;
            table[t]->f32[functions[f].op](&x, NULL, &y, 1, 1, 0);
            assert_true(isnan(y));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(within_four_units),
        cmocka_unit_test(edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
