/* SPDX-License-Identifier: MIT */
/* The f32 functions of every kernel table this CPU can run: within 4 units in the last place of
 * libm in f64, over dense ranges of bit patterns. And dh_tensor_apply where memory overlaps. */
#include <float.h>

#include <deephealth/tensor_math.h>

#include "eltwise.h"
#include "expect.h"

#define CHUNK 4096

static double d_sigmoid(double x)
{
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

static double d_softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static const struct function {
    int op;
    double (*exact)(double);
    float low, high; /* domain */
} functions[] = {
    {DH_OP_EXP, exp, -110, 90},
    {DH_OP_EXPM1, expm1, -110, 90},
    {DH_OP_LOG, log, 0, FLT_MAX},
    {DH_OP_LOG1P, log1p, -1, FLT_MAX},
    {DH_OP_TANH, tanh, -30, 30},
    {DH_OP_SIGMOID, d_sigmoid, -110, 110},
    {DH_OP_SOFTPLUS, d_softplus, -110, 200},
    {DH_OP_ERF, erf, -10, 10},
};

/* Distance in units in the last place of the f32 nearest to want; below FLT_MIN the unit is 2^-149.
 */
static double ulps(float got, double want)
{
    float near = (float)want;
    if (got == near || (isnan(got) && isnan(near))) return 0;
    if (!isfinite(near)) return got == FLT_MAX && near > 0 ? 1 : INFINITY;
    if (!isfinite(got)) return fabsf(near) > 0x1.fffffcp127f ? 1 : INFINITY;
    int exponent;
    (void)frexp(want, &exponent);
    double unit = ldexp(1, exponent - 24 < -149 ? -149 : exponent - 24);
    return fabs((double)got - want) / unit;
}

static void check_chunk(const dh__eltwise *table, const char *isa, const struct function *f,
                        const float *x, int n)
{
    float y[CHUNK];
    table->f32[f->op](x, NULL, y, n, 0, 0);
    for (int i = 0; i < n; i++) {
        double want = f->exact((double)x[i]), error = ulps(y[i], want);
        if (!(error <= 4))
            fail_msg("%s %s(%a) is %a, not %a: %g ulp", isa, dh__ops[f->op]->name, (double)x[i],
                     (double)y[i], want, error);
    }
}

/* Every 1009th bit pattern, both signs; then evenly spaced numbers, where zeros and seams lie. */
static void check_table(const dh__eltwise *table, const char *isa)
{
    for (size_t k = 0; k < sizeof functions / sizeof functions[0]; k++) {
        const struct function *f = &functions[k];
        float x[CHUNK];
        int n = 0;
        for (uint64_t bits = 0; bits < 0x100000000u; bits += 1009) {
            uint32_t u = (uint32_t)bits;
            float v;
            memcpy(&v, &u, 4);
            if (!(v > f->low && v < f->high)) continue;
            x[n++] = v;
            if (n == CHUNK) check_chunk(table, isa, f, x, n), n = 0;
        }
        check_chunk(table, isa, f, x, n);
        double low = f->low < -20 ? -20 : (double)f->low,
               high = f->high > 20 ? 20 : (double)f->high;
        for (int from = 0; from < 100; from++) {
            for (int i = 0; i < CHUNK; i++)
                x[i] = (float)(low + (high - low) * (from * CHUNK + i + 0.5) / (100.0 * CHUNK));
            check_chunk(table, isa, f, x, CHUNK - from % 17); /* all tails too */
        }
    }
}

static void test_tables(void **state)
{
    (void)state;
    check_table(&dh__eltwise_portable, "portable");
#if defined(__x86_64__) && DH_HAVE_X86_ISA
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        check_table(&dh__eltwise_avx2, "avx2");
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        check_table(&dh__eltwise_avx512, "avx512");
#endif
}

/* Every op by name on every number of every kind of operand: a status, never a crash. */
static void test_any_op(void **state)
{
    (void)state;
    static const dh_dtype kinds[] = {DH_F32, DH_I64, DH_BOOL, DH_F16};
    for (int op = 0; op < DH_OP_COUNT; op++)
        for (size_t k = 0; k < 4; k++)
            for (int shape = 0; shape < 4; shape++)
                for (int count = 0; count <= 5; count++) {
                    const dh_tensor *in[5];
                    int64_t dims[4][3] = {{2, 2, 2}, {2, 2}, {3}, {0, 2}}, ndim[4] = {3, 2, 1, 2};
                    dh_tensor *x = make(kinds[k], (int)ndim[shape], dims[shape],
                                        VALUES(1, 0, 1, 1, 0, 1, 0, 1));
                    dh_tensor *dst =
                        make(DH_F32, (int)ndim[shape], dims[shape], VALUES(1, 1, 1, 1, 1, 1, 1, 1));
                    for (int i = 0; i < 5; i++) in[i] = i % 2 ? dst : x;
                    dh_status status = dh_tensor_apply(dst, dh__ops[op]->name, in, count);
                    assert_true(status == DH_OK || dh_error_text()[0]);
                    assert_int_not_equal(status, DH_EINTERNAL);
                    dh_tensor_free(x);
                    dh_tensor_free(dst);
                }
}

/* --- in place --- */

static void apply(dh_tensor *dst, const char *op, const dh_tensor *a, const dh_tensor *b)
{
    const dh_tensor *in[2] = {a, b};
    if (dh_tensor_apply(dst, op, in, b ? 2 : 1)) fail_msg("%s: %s", op, dh_error_text());
}

static dh_tensor *part(const dh_tensor *x, const char *text)
{
    dh_tensor *y = NULL;
    assert_int_equal(dh_tensor_slice(&y, x, text), DH_OK);
    return y;
}

static void test_apply(void **state)
{
    (void)state;
    dh_tensor *x = counted(DH_F32, SHAPE(6)), *low = part(x, ":5"), *high = part(x, "1:");
    dh_tensor *back = part(x, "::-1"), *first = part(x, "0:1"), *h = NULL;
    apply(x, "add", x, x);
    apply(high, "add", low, high); /* both overlap the result, one of them shifted */
    apply(x, "sub", x, back);
    expect(h = part(x, ":"), SHAPE(6), VALUES(-18, -12, -4, 4, 12, 18));
    apply(x, "add", x, first); /* the first element is read for each, and written */
    expect(h = part(x, ":"), SHAPE(6), VALUES(-36, -30, -22, -14, -6, 0));
    assert_int_equal(dh_tensor_cast(&h, x, DH_F16), DH_OK);
    apply(x, "sub", h, x); /* by way of a cast */
    expect(part(x, ":"), SHAPE(6), VALUES(0, 0, 0, 0, 0, 0));
    apply(h, "neg", h, NULL);
    expect(h, SHAPE(6), VALUES(36, 30, 22, 14, 6, 0));
    dh_tensor_free(low);
    dh_tensor_free(high);
    dh_tensor_free(back);
    dh_tensor_free(first);
    dh_tensor_free(x);

    dh_tensor *m = counted(DH_F32, SHAPE(3, 3)), *t = NULL, *i = counted(DH_I32, SHAPE(3, 3));
    assert_int_equal(dh_tensor_transpose(&t, m, 0, 1), DH_OK);
    apply(m, "add", m, t);
    apply(t, "matmul", m, m); /* into a transposed view of its operand */
    apply(i, "equal", m, t);  /* bool, cast to the result's dtype */
    dh_tensor_free(t);
    expect(i, SHAPE(3, 3), VALUES(1, 1, 1, 1, 1, 1, 1, 1, 1));
    dh_tensor *bad = counted(DH_F32, SHAPE(2));
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_apply(bad, "neg", (const dh_tensor *[]){m}, 1), "[3, 3]",
                "[2]");
    EXPECT_FAIL(DH_ENAME, dh_tensor_apply(m, "ad", (const dh_tensor *[]){m, m}, 2), "\"ad\"",
                "add");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_apply(m, "add", (const dh_tensor *[]){m}, 1), "1 inputs",
                "add");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_apply(m, "add", (const dh_tensor *[]){m}, -1), "-1", "4096");
    EXPECT_FAIL(DH_EUNSUPPORTED, dh_tensor_apply(m, "sgd_step", (const dh_tensor *[]){m, m}, 2),
                "sgd_step", "updates");
    dh_tensor_free(bad);
    expect(m, SHAPE(3, 3), VALUES(80, 128, 176, 128, 224, 320, 176, 320, 464));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tables), cmocka_unit_test(test_any_op),
                                       cmocka_unit_test(test_apply)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
