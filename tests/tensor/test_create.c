/* SPDX-License-Identifier: MIT */
/* Tensors filled at birth: values, moments of the random ones, arguments that must be refused. */
#include <float.h>

#include "expect.h"

static void test_filled(void **state)
{
    (void)state;
    dh_tensor *t = NULL;
    assert_int_equal(dh_tensor_zeros(&t, {2, 3}), DH_OK);
    expect(t, SHAPE(2, 3), VALUES(0, 0, 0, 0, 0, 0));
    assert_int_equal(dh_tensor_ones(&t, {2}, .dtype = DH_BOOL), DH_OK);
    expect(t, SHAPE(2), VALUES(1, 1));
    assert_int_equal(dh_tensor_full(&t, -300.7, {2}, .dtype = DH_I8), DH_OK);
    expect(t, SHAPE(2), VALUES(-128, -128));
    assert_int_equal(dh_tensor_full(&t, NAN, {2}), DH_OK);
    expect(t, SHAPE(2), VALUES(NAN, NAN));
    assert_int_equal(dh_tensor_full(&t, -INFINITY, {1}, .dtype = DH_F16), DH_OK);
    expect(t, SHAPE(1), VALUES(-INFINITY));
    assert_int_equal(dh_tensor_full(&t, DBL_MAX, {1}, .dtype = DH_F64), DH_OK);
    expect(t, SHAPE(1), VALUES(DBL_MAX));
    assert_int_equal(dh_tensor_full(&t, NAN, {1}, .dtype = DH_U16), DH_OK);
    expect(t, SHAPE(1), VALUES(0));
    assert_int_equal(dh_tensor_full(&t, 3, {0}), DH_OK);
    expect(t, 0, NULL, VALUES(3));
    assert_int_equal(dh_tensor_ones(&t, {3, DH_EMPTY_AXIS, 2}), DH_OK);
    expect(t, SHAPE(3, 0, 2), NULL);
    assert_int_equal(dh_tensor_empty(&t, {1, 1, 1, 1, 1, 1, 1, 2}, .dtype = DH_F64), DH_OK);
    expect_shape(t, SHAPE(1, 1, 1, 1, 1, 1, 1, 2));
    dh_tensor_free(t);
    t = NULL;
    EXPECT_FAIL(DH_EINVAL, dh_tensor_zeros(NULL, {2}), "tensor_zeros", "out");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_ones(NULL, {2}), "tensor_ones", "out");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_full(NULL, 1, {2}), "tensor_full", "out");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_empty(NULL, {2}), "tensor_empty", "out");
    EXPECT_FAIL(DH_EINVAL, (dh_tensor_zeros)(&t, NULL), "tensor_zeros", "args");
    EXPECT_FAIL(DH_EINVAL, (dh_tensor_zeros)(&t, &(dh_tensor_args){0}), "struct_size is 0",
                "zeros");
    EXPECT_FAIL(DH_ENAME, dh_tensor_zeros(&t, {2}, .device = "cuba"), "cuba", "device");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_zeros(&t, {2, -1}), "shape[1]", "-1");
    EXPECT_FAIL(DH_EDTYPE, dh_tensor_zeros(&t, {2}, .dtype = (dh_dtype)77), "dtype is 77",
                "tensor_zeros");
    assert_null(t);
}

static void test_eye(void **state)
{
    (void)state;
    dh_tensor *t = NULL;
    assert_int_equal(dh_tensor_eye(&t, 2, 3, 0, DH_F32), DH_OK);
    expect(t, SHAPE(2, 3), VALUES(1, 0, 0, 0, 1, 0));
    assert_int_equal(dh_tensor_eye(&t, 3, 3, 1, DH_I8), DH_OK);
    expect(t, SHAPE(3, 3), VALUES(0, 1, 0, 0, 0, 1, 0, 0, 0));
    assert_int_equal(dh_tensor_eye(&t, 3, 2, -2, DH_BF16), DH_OK);
    expect(t, SHAPE(3, 2), VALUES(0, 0, 0, 0, 1, 0));
    static const int64_t outside[] = {2, -2, 99, INT64_MAX, INT64_MIN, INT64_MIN + 1};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        assert_int_equal(dh_tensor_eye(&t, 2, 2, outside[i], DH_F64), DH_OK);
        expect(t, SHAPE(2, 2), VALUES(0, 0, 0, 0));
    }
    assert_int_equal(dh_tensor_eye(&t, 0, 2, 0, DH_F64), DH_OK);
    expect(t, SHAPE(0, 2), NULL);
    t = NULL;
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_eye(&t, -1, 2, 0, DH_F64), "rows is -1", "columns is 2");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_eye(NULL, 1, 2, 0, DH_F64), "eye", "out");
    assert_null(t);
}

static void test_sequences(void **state)
{
    (void)state;
    dh_tensor *t = NULL;
    assert_int_equal(dh_tensor_arange(&t, 1, 2, 0.25, DH_F64), DH_OK);
    expect(t, SHAPE(4), VALUES(1, 1.25, 1.5, 1.75));
    assert_int_equal(dh_tensor_arange(&t, 3, -3, -2, DH_I32), DH_OK);
    expect(t, SHAPE(3), VALUES(3, 1, -1));
    assert_int_equal(dh_tensor_arange(&t, 3, -3, 1, DH_I32), DH_OK);
    expect(t, SHAPE(0), NULL);
    assert_int_equal(dh_tensor_arange(&t, 0, 3, 1, DH_DTYPE_DEFAULT), DH_OK);
    assert_int_equal(dh_tensor_dtype(t), DH_F32);
    expect(t, SHAPE(3), VALUES(0, 1, 2));
    assert_int_equal(dh_tensor_linspace(&t, 0, 1, 5, DH_F64), DH_OK);
    expect(t, SHAPE(5), VALUES(0, 0.25, 0.5, 0.75, 1));
    assert_int_equal(dh_tensor_linspace(&t, 4, 9, 1, DH_F64), DH_OK);
    expect(t, SHAPE(1), VALUES(4));
    assert_int_equal(dh_tensor_linspace(&t, 4, 9, 0, DH_F64), DH_OK);
    expect(t, SHAPE(0), NULL);
    assert_int_equal(dh_tensor_linspace(&t, 0, 0.7, 8, DH_F64), DH_OK);
    assert_true(element(t, 7) == 0.7); /* the end itself, whatever the steps round to */
    dh_tensor_free(t);
    /* a span wider than the largest double */
    assert_int_equal(dh_tensor_linspace(&t, -DBL_MAX, DBL_MAX, 3, DH_F64), DH_OK);
    expect(t, SHAPE(3), VALUES(-DBL_MAX, 0, DBL_MAX));
    t = NULL;
    EXPECT_FAIL(DH_EINVAL, dh_tensor_arange(&t, 0, 1, 0, DH_F32), "arange", "step");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_arange(&t, 0, NAN, 1, DH_F32), "arange", "nan");
    EXPECT_FAIL(DH_EOVERFLOW, dh_tensor_arange(&t, 0, 1e300, 1e-300, DH_F32), "arange", "inf");
    EXPECT_FAIL(DH_EOVERFLOW, dh_tensor_arange(&t, 0, 1e17, 1, DH_F32), "arange", "1e+17");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_arange(NULL, 0, 1, 1, DH_F32), "arange", "out");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_linspace(&t, 0, 1, -1, DH_F32), "linspace", "-1");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_linspace(&t, 0, INFINITY, 3, DH_F32), "linspace", "inf");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_linspace(NULL, 0, 1, 3, DH_F32), "linspace", "out");
    EXPECT_FAIL(DH_EDTYPE, dh_tensor_linspace(&t, 0, 1, 3, (dh_dtype)40), "dtype", "40");
    assert_null(t);
}

typedef struct moments {
    double mean, variance, least, most;
} moments;

static moments moments_of(dh_tensor *t)
{
    moments m = {0, 0, INFINITY, -INFINITY};
    int64_t n = dh_tensor_count(t);
    for (int64_t i = 0; i < n; i++) {
        double v = element(t, i);
        m.mean += v / (double)n;
        m.least = fmin(m.least, v);
        m.most = fmax(m.most, v);
    }
    for (int64_t i = 0; i < n; i++)
        m.variance += (element(t, i) - m.mean) * (element(t, i) - m.mean) / (double)n;
    dh_tensor_free(t);
    return m;
}

#define COUNT 100003
/* Five standard errors. */
#define CLOSE(got, want, error) assert_true(fabs((got) - (want)) <= 5 * (error) / sqrt(COUNT))

static void test_random_moments(void **state)
{
    (void)state;
    dh_tensor *t = NULL;
    moments m;
    for (uint64_t seed = 0; seed < 3; seed++) {
        assert_int_equal(dh_tensor_random_uniform(&t, {COUNT}, .seed = seed), DH_OK);
        m = moments_of(t);
        CLOSE(m.mean, 0.5, sqrt(1 / 12.0));
        CLOSE(m.variance, 1 / 12.0, sqrt(1 / 180.0));
        assert_true(m.least >= 0 && m.most < 1);
        assert_int_equal(
            dh_tensor_random_uniform(&t, {COUNT}, .a = -3, .b = 5, .seed = seed, .dtype = DH_F64),
            DH_OK);
        m = moments_of(t);
        CLOSE(m.mean, 1, 8 * sqrt(1 / 12.0));
        assert_true(m.least >= -3 && m.most < 5);
        assert_int_equal(dh_tensor_random_normal(&t, {COUNT}, .seed = seed, .stream = 1), DH_OK);
        m = moments_of(t);
        CLOSE(m.mean, 0, 1);
        CLOSE(m.variance, 1, sqrt(2));
        assert_int_equal(dh_tensor_random_normal(&t, {COUNT}, .a = 10, .b = 0.5, .seed = seed),
                         DH_OK);
        m = moments_of(t);
        CLOSE(m.mean, 10, 0.5);
        CLOSE(m.variance, 0.25, 0.25 * sqrt(2));
        assert_int_equal(
            dh_tensor_random_bernoulli(&t, {COUNT}, .a = 0.3, .seed = seed, .dtype = DH_U8), DH_OK);
        m = moments_of(t);
        CLOSE(m.mean, 0.3, sqrt(0.21));
        assert_true(m.least == 0 && m.most == 1);
    }
    /* the deviation's default is 1 and P(1)'s is 1/2, unless zero itself is meant */
    assert_int_equal(dh_tensor_random_normal(&t, {COUNT}, .a = 10), DH_OK);
    m = moments_of(t);
    CLOSE(m.mean, 10, 1);
    CLOSE(m.variance, 1, sqrt(2));
    assert_int_equal(dh_tensor_random_normal(&t, {COUNT}, .a = 10, .b = DH_ZERO), DH_OK);
    m = moments_of(t);
    assert_true(m.least == 10 && m.most == 10);
    assert_int_equal(dh_tensor_random_bernoulli(&t, {COUNT}, .a = DH_ZERO), DH_OK);
    m = moments_of(t);
    assert_true(m.least == 0 && m.most == 0);
}

/* [low, high) holds after rounding to a narrow dtype too. */
static void test_uniform_range(void **state)
{
    (void)state;
    static const dh_dtype dtypes[] = {DH_F32, DH_F16, DH_BF16};
    for (size_t i = 0; i < 3; i++) {
        dh_tensor *t = NULL;
        assert_int_equal(dh_tensor_random_uniform(&t, {COUNT}, .a = 1, .b = 2, .dtype = dtypes[i]),
                         DH_OK);
        moments m = moments_of(t);
        assert_true(m.least >= 1);
        if (!(m.most < 2)) fail_msg("%s: reached %g", dh_dtype_name(dtypes[i]), m.most);
        assert_int_equal(dh_tensor_random_uniform(&t, {COUNT}, .dtype = dtypes[i]), DH_OK);
        m = moments_of(t);
        if (!(m.most < 1)) fail_msg("%s: reached %g", dh_dtype_name(dtypes[i]), m.most);
        assert_int_equal(
            dh_tensor_random_uniform(&t, {COUNT}, .a = -8, .b = -4, .dtype = dtypes[i]), DH_OK);
        m = moments_of(t);
        if (!(m.most < -4)) fail_msg("%s: reached %g", dh_dtype_name(dtypes[i]), m.most);
    }
}

static bool same_bytes(dh_tensor *a, dh_tensor *b)
{
    bool same = !memcmp(dh_tensor_data(a), dh_tensor_data(b), (size_t)dh_tensor_count(a) * 4);
    dh_tensor_free(a);
    dh_tensor_free(b);
    return same;
}

static void test_reproducible(void **state)
{
    (void)state;
    dh_tensor *a = NULL, *b = NULL;
#define DRAW(kind, first, second)                                                         \
    assert_int_equal(dh_tensor_random_##kind(&a, {3001}, .seed = 7, .stream = 2), DH_OK); \
    assert_int_equal(dh_tensor_random_##kind(&b, {3001}, .seed = first, .stream = second), DH_OK);
    DRAW(uniform, 7, 2)
    assert_true(same_bytes(a, b));
    DRAW(uniform, 8, 2)
    assert_false(same_bytes(a, b));
    DRAW(uniform, 7, 3)
    assert_false(same_bytes(a, b));
    DRAW(normal, 7, 2)
    assert_true(same_bytes(a, b));
    DRAW(normal, 7, 3)
    assert_false(same_bytes(a, b));
    DRAW(bernoulli, 7, 2)
    assert_true(same_bytes(a, b));
    DRAW(bernoulli, 9, 2)
    assert_false(same_bytes(a, b));
    /* a longer tensor begins with a shorter one's numbers */
    assert_int_equal(dh_tensor_random_normal(&a, {10}, .seed = 3), DH_OK);
    assert_int_equal(dh_tensor_random_normal(&b, {50, 50}, .seed = 3), DH_OK);
    assert_true(same_bytes(a, b));
}

static void test_random_arguments(void **state)
{
    (void)state;
    dh_tensor *t = NULL;
    EXPECT_FAIL(DH_EINVAL, dh_tensor_random_uniform(&t, {2}, .a = 2, .b = 1), "(low) is 2",
                "(high), 1");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_random_uniform(&t, {2}, .a = NAN, .b = 1), "uniform", "nan");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_random_normal(&t, {2}, .a = 1, .b = -1), "normal", "-1");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_random_normal(&t, {2}, .a = INFINITY, .b = 1), "normal",
                "inf");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_random_bernoulli(&t, {2}, .a = 1.5), "bernoulli", "1.5");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_random_uniform(NULL, {2}), "uniform", "out");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_random_normal(NULL, {2}), "normal", "out");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_random_bernoulli(NULL, {2}), "bernoulli", "out");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_random_permutation(NULL, 2, 0, 0), "permutation", "out");
    EXPECT_FAIL(DH_EINVAL, (dh_tensor_random_uniform)(&t, NULL), "uniform", "args");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_random_permutation(&t, -2, 0, 0), "count is -2", "at least 0");
    assert_null(t);
    assert_int_equal(dh_tensor_random_uniform(&t, {3}, .a = 2, .b = 2), DH_OK);
    expect(t, SHAPE(3), VALUES(2, 2, 2));
}

static void test_permutation(void **state)
{
    (void)state;
    dh_tensor *t = NULL;
    bool seen[1000] = {false};
    assert_int_equal(dh_tensor_random_permutation(&t, 1000, 5, 6), DH_OK);
    assert_int_equal(dh_tensor_dtype(t), DH_I64);
    int moved = 0;
    for (int64_t i = 0; i < 1000; i++) {
        int64_t k = (int64_t)element(t, i);
        assert_true(k >= 0 && k < 1000 && !seen[k]);
        seen[k] = true;
        moved += k != i;
    }
    assert_true(moved > 950);
    dh_tensor_free(t);
    assert_int_equal(dh_tensor_random_permutation(&t, 0, 5, 6), DH_OK);
    expect(t, SHAPE(0), NULL);
}

static dh_status all_kinds(void *context)
{
    dh_tensor *t[7] = {0};
    (void)context;
    dh_status status = dh_tensor_full(&t[0], 2, {3, 4}, .dtype = DH_F64);
    if (!status) status = dh_tensor_eye(&t[1], 3, 3, 0, DH_F32);
    if (!status) status = dh_tensor_arange(&t[2], 0, 5, 1, DH_F32);
    if (!status) status = dh_tensor_linspace(&t[3], 0, 5, 7, DH_F32);
    if (!status) status = dh_tensor_random_normal(&t[4], {5});
    if (!status) status = dh_tensor_random_permutation(&t[5], 5, 1, 1);
    if (!status) status = dh_tensor_from_data(&t[6], "abcd", DH_U8, SHAPE(4));
    for (int i = 0; i < 7; i++) {
        if (status && i == 6) assert_null(t[6]);
        dh_tensor_free(t[i]);
    }
    return status;
}

static void test_failing_allocations(void **state)
{
    (void)state;
    fail_each_allocation(all_kinds, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filled),
        cmocka_unit_test(test_eye),
        cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_random_moments),
        cmocka_unit_test(test_uniform_range),
        cmocka_unit_test(test_reproducible),
        cmocka_unit_test(test_random_arguments),
        cmocka_unit_test(test_permutation),
        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
