/* SPDX-License-Identifier: MIT */
/* Elementwise mathematics by the eager API: dtypes that meet, broadcasting, integers, special
 * values, in-place application, bad arguments. Values of every op are tests/ops' matter. */
#include <deephealth/tensor_math.h>

#include "expect.h"

typedef dh_status unary(dh_tensor **, const dh_tensor *);
typedef dh_status binary(dh_tensor **, const dh_tensor *, const dh_tensor *);
typedef dh_status scalar(dh_tensor **, const dh_tensor *, double);

static unary *const ones[] = {
    dh_tensor_neg,        dh_tensor_abs,      dh_tensor_sign,         dh_tensor_sqr,
    dh_tensor_sqrt,       dh_tensor_rsqrt,    dh_tensor_exp,          dh_tensor_expm1,
    dh_tensor_reciprocal, dh_tensor_log,      dh_tensor_log1p,        dh_tensor_log2,
    dh_tensor_log10,      dh_tensor_sin,      dh_tensor_cos,          dh_tensor_tan,
    dh_tensor_asin,       dh_tensor_acos,     dh_tensor_atan,         dh_tensor_sinh,
    dh_tensor_cosh,       dh_tensor_tanh,     dh_tensor_erf,          dh_tensor_floor,
    dh_tensor_ceil,       dh_tensor_round,    dh_tensor_trunc,        dh_tensor_relu,
    dh_tensor_relu6,      dh_tensor_selu,     dh_tensor_sigmoid,      dh_tensor_softplus,
    dh_tensor_gelu,       dh_tensor_silu,     dh_tensor_hard_sigmoid, dh_tensor_mish,
    dh_tensor_isnan,      dh_tensor_isinf,    dh_tensor_isposinf,     dh_tensor_isneginf,
    dh_tensor_isfinite,   dh_tensor_softsign, dh_tensor_logical_not};
static binary *const twos[] = {
    dh_tensor_add,         dh_tensor_sub,        dh_tensor_mul,        dh_tensor_div,
    dh_tensor_pow,         dh_tensor_maximum,    dh_tensor_minimum,    dh_tensor_mod,
    dh_tensor_remainder,   dh_tensor_atan2,      dh_tensor_equal,      dh_tensor_not_equal,
    dh_tensor_greater,     dh_tensor_less,       dh_tensor_less_equal, dh_tensor_greater_equal,
    dh_tensor_logical_and, dh_tensor_logical_or, dh_tensor_logical_xor};
static scalar *const numbers[] = {
    dh_tensor_add_scalar,       dh_tensor_sub_scalar,           dh_tensor_mul_scalar,
    dh_tensor_div_scalar,       dh_tensor_pow_scalar,           dh_tensor_mod_scalar,
    dh_tensor_remainder_scalar, dh_tensor_rsub_scalar,          dh_tensor_rdiv_scalar,
    dh_tensor_rpow_scalar,      dh_tensor_maximum_scalar,       dh_tensor_minimum_scalar,
    dh_tensor_equal_scalar,     dh_tensor_not_equal_scalar,     dh_tensor_greater_scalar,
    dh_tensor_less_scalar,      dh_tensor_greater_equal_scalar, dh_tensor_less_equal_scalar,
    dh_tensor_leaky_relu,       dh_tensor_thresholded_relu,     dh_tensor_elu,
    dh_tensor_log_base};
#define EACH(list) for (size_t i = 0; i < sizeof(list) / sizeof(list)[0]; i++)

static void test_null(void **state)
{
    (void)state;
    dh_tensor *x = counted(DH_F32, SHAPE(2)), *y = NULL;
    bool b = false;
#define REFUSED(call)                                 \
    assert_int_equal(call, DH_EINVAL);                \
    assert_non_null(strstr(dh_error_text(), "NULL")); \
    assert_null(y)
    EACH(ones)
    {
        REFUSED(ones[i](&y, NULL));
        REFUSED(ones[i](NULL, x));
    }
    EACH(twos)
    {
        REFUSED(twos[i](&y, NULL, x));
        REFUSED(twos[i](&y, x, NULL));
        REFUSED(twos[i](NULL, x, x));
    }
    EACH(numbers)
    {
        REFUSED(numbers[i](&y, NULL, 2));
        REFUSED(numbers[i](NULL, x, 2));
    }
    REFUSED(dh_tensor_clamp(&y, NULL, 0, 1));
    REFUSED(dh_tensor_clamp(NULL, x, 0, 1));
    REFUSED(dh_tensor_affine(&y, NULL, 0, 1));
    REFUSED(dh_tensor_affine(NULL, x, 0, 1));
    REFUSED(dh_tensor_normalize(&y, NULL, 0, 1));
    REFUSED(dh_tensor_normalize(NULL, x, 0, 1));
    REFUSED(dh_tensor_interpolate(&y, 1, NULL, 1, x));
    REFUSED(dh_tensor_interpolate(&y, 1, x, 1, NULL));
    REFUSED(dh_tensor_interpolate(NULL, 1, x, 1, x));
    REFUSED(dh_tensor_where(&y, NULL, x, x));
    REFUSED(dh_tensor_where(&y, x, NULL, x));
    REFUSED(dh_tensor_where(&y, x, x, NULL));
    REFUSED(dh_tensor_anynan(&b, NULL));
    REFUSED(dh_tensor_anynan(NULL, x));
    REFUSED(dh_tensor_isclose(&y, NULL, x, 0, 0, false));
    REFUSED(dh_tensor_isclose(&y, x, NULL, 0, 0, false));
    REFUSED(dh_tensor_isclose(NULL, x, x, 0, 0, false));
    REFUSED(dh_tensor_allclose(&b, NULL, x, 0, 0, false));
    REFUSED(dh_tensor_allclose(&b, x, NULL, 0, 0, false));
    REFUSED(dh_tensor_allclose(NULL, x, x, 0, 0, false));
    REFUSED(dh_tensor_apply(NULL, "neg", (const dh_tensor *[]){x}, 1));
    REFUSED(dh_tensor_apply(x, NULL, (const dh_tensor *[]){x}, 1));
    REFUSED(dh_tensor_apply(x, "neg", NULL, 1));
    REFUSED(dh_tensor_apply(x, "neg", (const dh_tensor *[]){NULL}, 1));
    expect(x, SHAPE(2), VALUES(0, 1));
}

/* The result has the dtype of dh_dtype_promote, comparisons bool, for each pair. */
static void test_dtypes(void **state)
{
    (void)state;
    for (int a = 1; a < DH_DTYPE_COUNT; a++)
        for (int b = 1; b < DH_DTYPE_COUNT; b++) {
            dh_dtype common = dh_dtype_promote((dh_dtype)a, (dh_dtype)b);
            dh_tensor *x = make((dh_dtype)a, SHAPE(2, 1), VALUES(1, 1)), *y = NULL;
            dh_tensor *z = make((dh_dtype)b, SHAPE(2), VALUES(0, 1));
            assert_int_equal(dh_tensor_less(&y, z, x), DH_OK);
            assert_int_equal(dh_tensor_dtype(y), DH_BOOL);
            expect(y, SHAPE(2, 2), VALUES(1, 0, 1, 0));
            dh_status status = dh_tensor_add(&y, x, z);
            if (common == DH_BOOL) {
                assert_int_equal(status, DH_EDTYPE);
            } else {
                assert_int_equal(status, DH_OK);
                assert_int_equal(dh_tensor_dtype(y), common);
                expect(y, SHAPE(2, 2), VALUES(1, 2, 1, 2));
            }
            dh_tensor_free(x);
            dh_tensor_free(z);
        }
}

static void test_scalars(void **state)
{
    (void)state;
    static const struct {
        dh_dtype from;
        double s;
        dh_dtype to;
    } table[] = {{DH_F16, 1e9, DH_F16},     {DH_F32, 0.1, DH_F32},    {DH_I8, 127, DH_I8},
                 {DH_I8, 128, DH_I64},      {DH_I8, 0.5, DH_F64},     {DH_U8, -1, DH_I64},
                 {DH_U8, 255, DH_U8},       {DH_I64, NAN, DH_F64},    {DH_I64, 0x1p63, DH_F64},
                 {DH_I64, -0x1p63, DH_I64}, {DH_U64, 0x1p63, DH_U64}, {DH_U64, 0x1p64, DH_F64},
                 {DH_U64, -1, DH_F64},      {DH_BOOL, 1, DH_I64},     {DH_I32, INFINITY, DH_F64}};
    EACH(table)
    {
        dh_tensor *x = make(table[i].from, SHAPE(1), VALUES(1)), *y = NULL;
        assert_int_equal(dh_tensor_add_scalar(&y, x, table[i].s), DH_OK);
        if (dh_tensor_dtype(y) != table[i].to)
            fail_msg("%s + %g is %s", dh_dtype_name(table[i].from), table[i].s,
                     dh_dtype_name(dh_tensor_dtype(y)));
        dh_tensor_free(x);
        dh_tensor_free(y);
    }
    dh_tensor *x = make(DH_I32, SHAPE(3), VALUES(-7, 0, 7)), *y = NULL;
    assert_int_equal(dh_tensor_rsub_scalar(&y, x, 1), DH_OK);
    expect(y, SHAPE(3), VALUES(8, 1, -6));
    assert_int_equal(dh_tensor_remainder_scalar(&y, x, 3), DH_OK);
    expect(y, SHAPE(3), VALUES(2, 0, 1));
    assert_int_equal(dh_tensor_mod_scalar(&y, x, 3), DH_OK);
    expect(y, SHAPE(3), VALUES(-1, 0, 1));
    assert_int_equal(dh_tensor_isposinf(&y, x), DH_OK);
    expect(y, SHAPE(3), VALUES(0, 0, 0));
    EXPECT_FAIL(DH_ENUMERIC, dh_tensor_rdiv_scalar(&y, x, 3), "div", "divided by 0");
    dh_tensor_free(x);
}

static void test_broadcast_errors(void **state)
{
    (void)state;
    dh_tensor *a = counted(DH_F32, SHAPE(2, 3)), *b = counted(DH_F32, SHAPE(2)), *y = NULL;
    dh_tensor *e = counted(DH_F32, SHAPE(0, 1)), *o = counted(DH_F32, SHAPE(1));
    EACH(twos)
    EXPECT_FAIL(DH_ESHAPE, twos[i](&y, a, b), "[2, 3]", "[2]");
    dh_tensor *c = counted(DH_BOOL, SHAPE(2));
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_where(&y, c, a, a), "where", "[2]");
    dh_tensor_free(c);
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_isclose(&y, a, b, 0, 0, false), "[2, 3]", "[2]");
    assert_null(y);
    assert_int_equal(dh_tensor_add(&y, e, o), DH_OK);
    expect(y, SHAPE(0, 1), NULL);
    dh_tensor_free(a);
    dh_tensor_free(b);
    dh_tensor_free(e);
    dh_tensor_free(o);
}

/* What overflows wraps, for each width; division by 0 is found before anything is written. */
static void test_integers(void **state)
{
    (void)state;
    static const dh_dtype kinds[] = {DH_I8, DH_I16, DH_I32, DH_I64, DH_U8, DH_U16, DH_U32, DH_U64};
    EACH(kinds)
    {
        dh_dtype d = kinds[i];
        bool is_signed = i < 4;
        int bits = 8 * (int)dh_dtype_size(d);
        double least = is_signed ? -ldexp(1, bits - 1) : 0;
        dh_tensor *low = make(d, SHAPE(1), &least), *y = NULL, *zero = make(d, SHAPE(1), VALUES(0));
        dh_tensor *one = make(d, SHAPE(1), VALUES(1)), *all = NULL;
        assert_int_equal(dh_tensor_sub(&all, low, one), DH_OK); /* wraps to the largest */
        assert_int_equal(dh_tensor_add(&y, all, one), DH_OK);
        expect(y, SHAPE(1), &least);
        EXPECT_FAIL(DH_ENUMERIC, dh_tensor_div(&y, one, zero), "div", dh_dtype_name(d));
        EXPECT_FAIL(DH_ENUMERIC, dh_tensor_mod(&y, one, zero), "mod", dh_dtype_name(d));
        EXPECT_FAIL(DH_ENUMERIC, dh_tensor_remainder(&y, one, zero), "remainder", dh_dtype_name(d));
        EXPECT_FAIL(DH_ENUMERIC, dh_tensor_apply(one, "div", (const dh_tensor *[]){one, zero}, 2),
                    "divided by 0", "div");
        if (is_signed) {
            dh_tensor *minus = make(d, SHAPE(1), VALUES(-1));
            assert_int_equal(dh_tensor_div(&y, low, minus), DH_OK);
            expect(y, SHAPE(1), &least);
            assert_int_equal(dh_tensor_mod(&y, low, minus), DH_OK);
            expect(y, SHAPE(1), VALUES(0));
            assert_int_equal(dh_tensor_remainder(&y, low, minus), DH_OK);
            expect(y, SHAPE(1), VALUES(0));
            assert_int_equal(dh_tensor_neg(&y, low), DH_OK);
            expect(y, SHAPE(1), &least);
            assert_int_equal(dh_tensor_abs(&y, low), DH_OK);
            expect(y, SHAPE(1), &least);
            dh_tensor_free(minus);
        }
        assert_int_equal(dh_tensor_maximum(&y, all, one), DH_OK);
        assert_memory_equal(dh_tensor_data(y), dh_tensor_data(all), dh_dtype_size(d));
        dh_tensor_free(y);
        dh_tensor_free(low);
        dh_tensor_free(all);
        dh_tensor_free(zero);
        expect(one, SHAPE(1), VALUES(1));
    }
}

static void test_special(void **state)
{
    (void)state;
    static const dh_dtype kinds[] = {DH_F32, DH_F64, DH_F16, DH_BF16};
    EACH(kinds)
    {
        dh_tensor *x = make(kinds[i], SHAPE(5), VALUES(NAN, INFINITY, -INFINITY, -0.0, 1)),
                  *y = NULL;
        dh_tensor *two = make(kinds[i], 0, NULL, VALUES(2));
        bool found = false;
#define GIVES(name, ...)                              \
    assert_int_equal(dh_tensor_##name(&y, x), DH_OK); \
    expect(y, SHAPE(5), VALUES(__VA_ARGS__))
        GIVES(floor, NAN, INFINITY, -INFINITY, 0, 1);
        GIVES(sqrt, NAN, INFINITY, NAN, 0, 1);
        GIVES(log, NAN, INFINITY, NAN, -INFINITY, 0);
        GIVES(log10, NAN, INFINITY, NAN, -INFINITY, 0);
        GIVES(reciprocal, NAN, 0, 0, -INFINITY, 1);
        GIVES(rsqrt, NAN, 0, NAN, -INFINITY, 1);
        GIVES(relu, NAN, INFINITY, 0, 0, 1);
        GIVES(softsign, NAN, NAN, NAN, 0, 0.5);
        GIVES(sign, NAN, 1, -1, 0, 1);
        GIVES(isnan, 1, 0, 0, 0, 0);
        GIVES(isinf, 0, 1, 1, 0, 0);
        GIVES(isfinite, 0, 0, 0, 1, 1);
        GIVES(isneginf, 0, 0, 1, 0, 0);
        GIVES(logical_not, 0, 0, 0, 1, 0);
        /* the first four: the fifth is not exact in every dtype */
#define LIMITS(name, ...)                                                            \
    assert_int_equal(dh_tensor_##name(&y, x), DH_OK);                                \
    dh__store(kinds[i], (char *)dh_tensor_data(y) + 4 * dh_dtype_size(kinds[i]), 9); \
    expect(y, SHAPE(5), VALUES(__VA_ARGS__, 9))
        LIMITS(exp, NAN, INFINITY, 0, 1);
        LIMITS(expm1, NAN, INFINITY, -1, 0);
        LIMITS(log1p, NAN, INFINITY, NAN, 0);
        LIMITS(tanh, NAN, 1, -1, 0);
        LIMITS(erf, NAN, 1, -1, 0);
        LIMITS(sigmoid, NAN, 1, 0, 0.5);
        assert_int_equal(dh_tensor_maximum(&y, two, x), DH_OK);
        expect(y, SHAPE(5), VALUES(NAN, INFINITY, 2, 2, 2));
        assert_int_equal(dh_tensor_minimum(&y, x, two), DH_OK);
        expect(y, SHAPE(5), VALUES(NAN, 2, -INFINITY, 0, 1));
        assert_int_equal(dh_tensor_anynan(&found, x), DH_OK);
        assert_true(found);
        assert_int_equal(dh_tensor_clamp(&y, x, -1, 0.5), DH_OK);
        expect(y, SHAPE(5), VALUES(NAN, 0.5, -1, 0, 0.5));
        EXPECT_FAIL(DH_ENUMERIC, dh_tensor_normalize(&y, x, 0, 1), "normalize", "finite");
        dh_tensor_free(x);
        dh_tensor_free(two);
    }
}

static void test_normalize(void **state)
{
    (void)state;
    dh_tensor *x = make(DH_I16, SHAPE(3), VALUES(-2, 0, 2)), *y = NULL;
    assert_int_equal(dh_tensor_normalize(&y, x, 0, 1), DH_OK);
    assert_int_equal(dh_tensor_dtype(y), DH_F64);
    expect(y, SHAPE(3), VALUES(0, 0.5, 1));
    EXPECT_FAIL(DH_EINVAL, dh_tensor_normalize(&y, x, 1, 0), "low is 1", "high is 0");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_normalize(&y, x, NAN, 0), "normalize", "nan");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_normalize(&y, x, 0, INFINITY), "normalize", "inf");
    dh_tensor_free(x);
    x = make(DH_F64, SHAPE(3), VALUES(-1.7e308, 0, 1.7e308)); /* a span no double holds */
    assert_int_equal(dh_tensor_normalize(&y, x, -1, 1), DH_OK);
    expect(y, SHAPE(3), VALUES(-1, 0, 1));
    dh_tensor_free(x);
    x = make(DH_F32, SHAPE(2), VALUES(3, 3));
    assert_int_equal(dh_tensor_normalize(&y, x, 4, 9), DH_OK);
    expect(y, SHAPE(2), VALUES(4, 4));
    EXPECT_FAIL(DH_EINVAL, dh_tensor_clamp(&y, x, 2, 1), "low is 2", "high is 1");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_log_base(&y, x, 1), "base is 1", "log_base");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_elu(&y, x, -1), "elu", "-1");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_isclose(&y, x, x, -1, 0, false), "rtol is -1", "atol is 0");
    EXPECT_FAIL(DH_EDTYPE, dh_tensor_where(&y, x, x, x), "where", "f32");
    dh_tensor_free(x);
}

static dh_status several(void *context)
{
    const dh_tensor *x = context;
    dh_tensor *y[7] = {0}, *h = NULL;
    dh_status status = dh_tensor_cast(&h, x, DH_F16);
    if (!status) status = dh_tensor_add(&y[0], x, h);
    if (!status) status = dh_tensor_rpow_scalar(&y[1], h, 2);
    if (!status) status = dh_tensor_interpolate(&y[2], 0.5, x, 2, h);
    if (!status) status = dh_tensor_normalize(&y[3], x, 0, 1);
    if (!status) status = dh_tensor_log_base(&y[4], x, 2);
    if (!status) status = dh_tensor_isclose(&y[5], x, h, 1e-3, 0, true);
    if (!status) status = dh_tensor_where(&y[6], y[5], x, h);
    if (!status) status = dh_tensor_apply(y[0], "affine", (const dh_tensor *[]){h}, 1);
    for (int i = 0; i < 7; i++) dh_tensor_free(y[i]);
    dh_tensor_free(h);
    return status;
}

static void test_failing_allocations(void **state)
{
    (void)state;
    dh_tensor *x = make(DH_I32, SHAPE(2, 2), VALUES(1, 2, 3, 4)), *f = NULL;
    assert_int_equal(dh_tensor_cast(&f, x, DH_F32), DH_OK);
    fail_each_allocation(several, f);
    dh_tensor_free(f);
    dh_tensor_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_null),      cmocka_unit_test(test_dtypes),
        cmocka_unit_test(test_scalars),   cmocka_unit_test(test_broadcast_errors),
        cmocka_unit_test(test_integers),  cmocka_unit_test(test_special),
        cmocka_unit_test(test_normalize), cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
