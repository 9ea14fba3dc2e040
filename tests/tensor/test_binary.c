/* SPDX-License-Identifier: MIT */
/* What the case lists cannot say about elementwise functions of two tensors, casts, numbers. */
#include <deephealth/tensor_math.h>

#include "expect.h"

/* The call gives a tensor of this dtype and these elements. */
#define GIVES(call, type, ...)                                                 \
    do {                                                                       \
        dh_tensor *y = NULL;                                                   \
        assert_int_equal(call, DH_OK);                                         \
        assert_int_equal(y->view.dtype, type);                                 \
        expect(y, SHAPE(sizeof VALUES(__VA_ARGS__) / 8), VALUES(__VA_ARGS__)); \
    } while (0)

static void bad_input(void **state)
{
    DH_UNUSED(state);
    dh_tensor *y = NULL, *a = counted(DH_F32, SHAPE(2, 3)), *b = counted(DH_F32, SHAPE(4));
    dh_tensor *t = make(DH_BOOL, SHAPE(2), VALUES(1, 0)), *i = counted(DH_I32, SHAPE(3));
    bool all = true;
    EXPECT_FAIL(DH_EINVAL, dh_tensor_add(&y, NULL, a), "add", "a is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_add(&y, a, NULL), "add", "b is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_add(NULL, a, a), "add", "out is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_add_scalar(&y, NULL, 1), "add", "x is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_add_scalar(NULL, a, 1), "add", "out is NULL");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_mul(&y, a, b), "mul", "[2, 3]");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_less(&y, a, b), "less", "[4]");
    EXPECT_FAIL(DH_EDTYPE, dh_tensor_add(&y, t, t), "tensor_add: a is bool", "f32");
    EXPECT_FAIL(DH_EDTYPE, dh_tensor_atan2(&y, i, i), "tensor_atan2: a is i32", "f64");
    EXPECT_FAIL(DH_EDTYPE, dh_tensor_where(&y, a, a, a), "tensor_where: condition is f32", "bool");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_where(&y, t, a, a), "where", "[2, 3]");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_where(&y, t, a, b), "where", "[4]");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_where(&y, NULL, a, a), "where", "condition is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_where(&y, t, NULL, a), "where", "a is NULL");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_isclose(&y, a, b, 0, 0, false), "isclose", "[4]");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_isclose(&y, a, a, -1, 0, false), "rtol is -1", "atol is 0");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_allclose(NULL, a, a, 0, 0, false), "allclose", "out is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_allclose(&all, a, NULL, 0, 0, false), "close", "b is NULL");
    EXPECT_FAIL(DH_EDTYPE, dh_tensor_cast(&y, a, (dh_dtype)99), "cast", "99");
    assert_null(y);
    dh_tensor_free(a);
    dh_tensor_free(b);
    dh_tensor_free(t);
    dh_tensor_free(i);
}

static void dtypes_meet(void **state)
{
    DH_UNUSED(state);
    static const struct {
        dh_dtype a, b, y;
    } row[] = {{DH_F32, DH_F64, DH_F64},  {DH_F16, DH_BF16, DH_F32}, {DH_I64, DH_F16, DH_F16},
               {DH_U8, DH_I8, DH_I16},    {DH_U32, DH_I32, DH_I64},  {DH_I64, DH_U64, DH_F64},
               {DH_BOOL, DH_I16, DH_I16}, {DH_U8, DH_F32, DH_F32}};
    for (size_t i = 0; i < DH_COUNT(row); i++) {
        dh_tensor *a = make(row[i].a, SHAPE(2), VALUES(1, 0)),
                  *b = make(row[i].b, SHAPE(1), VALUES(3));
        dh_tensor *yes = make(DH_BOOL, SHAPE(2), VALUES(1, 0));
        GIVES(dh_tensor_add(&y, a, b), row[i].y, 4, 3);
        GIVES(dh_tensor_sub(&y, b, a), row[i].y, 2, 3);
        GIVES(dh_tensor_less(&y, a, b), DH_BOOL, 1, 1);
        GIVES(dh_tensor_where(&y, yes, a, b), row[i].y, 1, 3);
        dh_tensor_free(a);
        dh_tensor_free(b);
        dh_tensor_free(yes);
    }
}

/* Neither traps nor touches what it would have filled. */
static void integer_division(void **state)
{
    DH_UNUSED(state);
    static const char *const ops[] = {"div", "mod", "remainder"};
    dh_dtype integers[] = {DH_I8, DH_U8, DH_I16, DH_U16, DH_I32, DH_U32, DH_I64, DH_U64};
    for (size_t d = 0; d < DH_COUNT(integers); d++) {
        dh_tensor *a = make(integers[d], SHAPE(3), VALUES(7, 8, 9)),
                  *b = make(integers[d], SHAPE(3), VALUES(2, 0, 4));
        dh_tensor *none = make(integers[d], SHAPE(0, 3), VALUES(0)), *y = NULL;
        const dh_tensor *in[2] = {a, b};
        for (size_t i = 0; i < DH_COUNT(ops); i++)
            EXPECT_FAIL(DH_ENUMERIC, dh_tensor_apply(a, ops[i], in, 2), ops[i],
                        dh_dtype_name(integers[d]));
        EXPECT_FAIL(DH_ENUMERIC, dh_tensor_div_scalar(&y, a, 0), "div", "by 0");
        assert_int_equal(dh_tensor_div(&y, none, b), DH_OK);
        expect(y, SHAPE(0, 3), NULL);
        expect(a, SHAPE(3), VALUES(7, 8, 9));
        dh_tensor_free(b);
        dh_tensor_free(none);
    }
    dh_tensor *a = make(DH_I8, SHAPE(5), VALUES(-128, -7, -7, 7, 7)),
              *b = make(DH_I8, SHAPE(5), VALUES(-1, 2, -2, -2, 2));
    GIVES(dh_tensor_div(&y, a, b), DH_I8, -128, -3, 3, -3, 3);
    GIVES(dh_tensor_mod(&y, a, b), DH_I8, 0, -1, -1, 1, 1);
    GIVES(dh_tensor_remainder(&y, a, b), DH_I8, 0, 1, -1, -1, 1);
    dh_tensor_free(a);
    dh_tensor_free(b);
    const int64_t least[2] = {INT64_MIN, INT64_MIN}, minus[2] = {-1, 1};
    assert_int_equal(dh_tensor_from_data(&a, least, DH_I64, SHAPE(2)), DH_OK);
    assert_int_equal(dh_tensor_from_data(&b, minus, DH_I64, SHAPE(2)), DH_OK);
    GIVES(dh_tensor_div(&y, a, b), DH_I64, -0x1p63, -0x1p63);
    GIVES(dh_tensor_remainder(&y, a, b), DH_I64, 0, 0);
    dh_tensor_free(a);
    dh_tensor_free(b);
    a = make(DH_U64, SHAPE(2), VALUES(0x1p63, 9)), b = make(DH_U64, SHAPE(2), VALUES(3, 0x1p63));
    GIVES(dh_tensor_div(&y, a, b), DH_U64, 3074457345618258602.0, 0);
    GIVES(dh_tensor_maximum(&y, a, b), DH_U64, 0x1p63, 0x1p63);
    GIVES(dh_tensor_greater(&y, a, b), DH_BOOL, 1, 0);
    dh_tensor_free(a);
    dh_tensor_free(b);
}

static void special_values(void **state)
{
    DH_UNUSED(state);
    dh_tensor *a = make(DH_F32, SHAPE(4), VALUES(NAN, 1, -5.5, 5.5)),
              *b = make(DH_F32, SHAPE(4), VALUES(1, NAN, 2, -2));
    GIVES(dh_tensor_maximum(&y, a, b), DH_F32, NAN, NAN, 2, 5.5);
    GIVES(dh_tensor_minimum(&y, a, b), DH_F32, NAN, NAN, -5.5, -2);
    GIVES(dh_tensor_mod(&y, a, b), DH_F32, NAN, NAN, -1.5, 1.5);
    GIVES(dh_tensor_remainder(&y, a, b), DH_F32, NAN, NAN, 0.5, -0.5);
    GIVES(dh_tensor_equal(&y, a, a), DH_BOOL, 0, 1, 1, 1);
    GIVES(dh_tensor_not_equal(&y, a, a), DH_BOOL, 1, 0, 0, 0);
    GIVES(dh_tensor_div_scalar(&y, b, 0), DH_F32, INFINITY, NAN, INFINITY, -INFINITY);
    dh_tensor_free(a);
    dh_tensor_free(b);
    a = make(DH_I32, SHAPE(5), VALUES(2, -1, 1, 0, -3)),
    b = make(DH_I32, SHAPE(5), VALUES(-1, -3, -7, 0, 3));
    GIVES(dh_tensor_pow(&y, a, b), DH_I32, 0, -1, 1, 1, -27);
    dh_tensor_free(a);
    dh_tensor_free(b);
}

/* A remainder of 0 has the sign of the divisor, as Python's % and NumPy's have it; fmod's has that
 * of the dividend. */
static void signs_of_zero(void **state)
{
    DH_UNUSED(state);
    static const double a[] = {-6, 6, -6, 6, 0.0, -0.0, 0.0, -0.0},
                        b[] = {3, 3, -3, -3, 3, 3, -3, -3};
    static const dh_dtype dtypes[] = {DH_F32, DH_F64, DH_F16, DH_BF16};
    for (size_t d = 0; d < DH_COUNT(dtypes); d++) {
        dh_tensor *ta = make(dtypes[d], SHAPE(8), a), *tb = make(dtypes[d], SHAPE(8), b), *r, *m;
        assert_int_equal(dh_tensor_remainder(&r, ta, tb), DH_OK);
        assert_int_equal(dh_tensor_mod(&m, ta, tb), DH_OK);
        for (int i = 0; i < 8; i++) {
            assert_true(element(r, i) == 0 && element(m, i) == 0);
            assert_true(!signbit(element(r, i)) == !signbit(b[i]));
            assert_true(!signbit(element(m, i)) == !signbit(a[i]));
        }
        dh_tensor *all[] = {ta, tb, r, m};
        for (size_t i = 0; i < DH_COUNT(all); i++) dh_tensor_free(all[i]);
    }
}

/* Nothing traps: the quotient that does not fit wraps, and so do powers. */
static void least_integers(void **state)
{
    DH_UNUSED(state);
    static const dh_dtype dtypes[] = {DH_I8, DH_I16, DH_I32, DH_I64};
    for (size_t d = 0; d < DH_COUNT(dtypes); d++) {
        double least = -ldexp(1, 8 * (int)dh_dtype_size(dtypes[d]) - 1);
        dh_tensor *a = make(dtypes[d], SHAPE(5), VALUES(least, least, 0, 0, 1)),
                  *b = make(dtypes[d], SHAPE(5), VALUES(-1, least, -1, least, least));
        GIVES(dh_tensor_div(&y, a, b), dtypes[d], least, 1, 0, 0, 0);
        GIVES(dh_tensor_mod(&y, a, b), dtypes[d], 0, 0, 0, 0, 1);
        GIVES(dh_tensor_remainder(&y, a, b), dtypes[d], 0, 0, 0, 0, least + 1);
        GIVES(dh_tensor_pow(&y, a, b), dtypes[d], 0, 0, 0, 0, 1);
        GIVES(dh_tensor_pow_scalar(&y, a, 2), dtypes[d], 0, 0, 0, 0, 1);
        dh_tensor_free(a);
        dh_tensor_free(b);
    }
}

static void numbers(void **state)
{
    DH_UNUSED(state);
    dh_tensor *f = make(DH_F32, SHAPE(3), VALUES(1, 2, 4)),
              *u = make(DH_U8, SHAPE(3), VALUES(1, 2, 200));
    dh_tensor *b = make(DH_BOOL, SHAPE(2), VALUES(1, 0)), *h = make(DH_F16, SHAPE(1), VALUES(3));
    GIVES(dh_tensor_add_scalar(&y, f, 0.5), DH_F32, 1.5, 2.5, 4.5);
    GIVES(dh_tensor_rsub_scalar(&y, f, 1), DH_F32, 0, -1, -3);
    GIVES(dh_tensor_rdiv_scalar(&y, f, 8), DH_F32, 8, 4, 2);
    GIVES(dh_tensor_rpow_scalar(&y, f, 3), DH_F32, 3, 9, 81);
    GIVES(dh_tensor_pow_scalar(&y, f, -1), DH_F32, 1, 0.5, 0.25);
    GIVES(dh_tensor_mod_scalar(&y, f, 3), DH_F32, 1, 2, 1);
    GIVES(dh_tensor_remainder_scalar(&y, f, -3), DH_F32, -2, -1, -2);
    GIVES(dh_tensor_maximum_scalar(&y, f, 3), DH_F32, 3, 3, 4);
    GIVES(dh_tensor_minimum_scalar(&y, f, 3), DH_F32, 1, 2, 3);
    GIVES(dh_tensor_mul_scalar(&y, h, 0.5), DH_F16, 1.5);
    /* an integer keeps its dtype where that holds the number */
    GIVES(dh_tensor_add_scalar(&y, u, 100), DH_U8, 101, 102, 44);
    GIVES(dh_tensor_add_scalar(&y, u, 300), DH_I64, 301, 302, 500);
    GIVES(dh_tensor_add_scalar(&y, u, -1), DH_I64, 0, 1, 199);
    GIVES(dh_tensor_mul_scalar(&y, u, 0.5), DH_F64, 0.5, 1, 100);
    GIVES(dh_tensor_div_scalar(&y, u, 2), DH_U8, 0, 1, 100);
    GIVES(dh_tensor_add_scalar(&y, b, 2), DH_I64, 3, 2);
    GIVES(dh_tensor_add_scalar(&y, u, INFINITY), DH_F64, INFINITY, INFINITY, INFINITY);
    GIVES(dh_tensor_equal_scalar(&y, u, 2), DH_BOOL, 0, 1, 0);
    GIVES(dh_tensor_not_equal_scalar(&y, u, 2), DH_BOOL, 1, 0, 1);
    GIVES(dh_tensor_greater_scalar(&y, u, 1.5), DH_BOOL, 0, 1, 1);
    GIVES(dh_tensor_greater_equal_scalar(&y, f, 2), DH_BOOL, 0, 1, 1);
    GIVES(dh_tensor_less_scalar(&y, u, -1), DH_BOOL, 0, 0, 0);
    GIVES(dh_tensor_less_equal_scalar(&y, f, 2), DH_BOOL, 1, 1, 0);
    dh_tensor_free(f);
    dh_tensor_free(u);
    dh_tensor_free(b);
    dh_tensor_free(h);
}

static void casts(void **state)
{
    DH_UNUSED(state);
    static const struct {
        dh_dtype to;
        double y[6];
    } row[] = {
        {DH_I8, {0, 127, -128, -1, 127, 0}},
        {DH_U8, {0, 255, 0, 0, 255, 0}},
        {DH_I16, {0, 32767, -32768, -1, 300, 0}},
        {DH_U16, {0, 65535, 0, 0, 300, 0}},
        {DH_I32, {0, 2147483647, -2147483648.0, -1, 300, 0}},
        {DH_U32, {0, 4294967295.0, 0, 0, 300, 0}},
        {DH_I64, {0, 0x1p63, -0x1p63, -1, 300, 0}},
        {DH_U64, {0, 0x1p64, 0, 0, 300, 0}},
        {DH_BOOL, {1, 1, 1, 1, 1, 1}},
    };
    dh_dtype floats[] = {DH_F32, DH_F64, DH_F16, DH_BF16};
    for (size_t f = 0; f < DH_COUNT(floats); f++) {
        dh_tensor *x = make(floats[f], SHAPE(6), VALUES(NAN, INFINITY, -INFINITY, -1.5, 300, 0.25));
        for (size_t i = 0; i < DH_COUNT(row); i++) {
            dh_tensor *y = NULL;
            assert_int_equal(dh_tensor_cast(&y, x, row[i].to), DH_OK);
            expect(y, SHAPE(6), row[i].y);
        }
        dh_tensor_free(x);
    }
    /* one rounding: by way of f64, or f32, each of these would come out even */
    const int64_t big[1] = {(INT64_C(1) << 54) + (INT64_C(1) << 30) + 1};
    const double close_to_half[1] = {1 + 0x1p-11 + 0x1p-40};
    dh_tensor *x = NULL, *wide = make(DH_I32, SHAPE(3), VALUES(300, -1, 65536));
    assert_int_equal(dh_tensor_from_data(&x, big, DH_I64, SHAPE(1)), DH_OK);
    dh_tensor *y32 = NULL;
    assert_int_equal(dh_tensor_cast(&y32, x, DH_F32), DH_OK);
    assert_true(*(const float *)dh_tensor_data(y32) == (float)big[0]);
    dh_tensor_free(y32);
    dh_tensor_free(x);
    assert_int_equal(dh_tensor_from_data(&x, close_to_half, DH_F64, SHAPE(1)), DH_OK);
    dh_tensor *half = NULL;
    assert_int_equal(dh_tensor_cast(&half, x, DH_F16), DH_OK);
    assert_true(element(half, 0) == 1 + 0x1p-10);
    dh_tensor_free(half);
    GIVES(dh_tensor_cast(&y, wide, DH_U8), DH_U8, 44, 255, 0);
    GIVES(dh_tensor_cast(&y, wide, DH_F16), DH_F16, 300, -1, INFINITY);
    dh_tensor_free(x);
    dh_tensor_free(wide);
}

static void closeness(void **state)
{
    DH_UNUSED(state);
    dh_tensor *a = make(DH_F32, SHAPE(5), VALUES(1, NAN, INFINITY, -INFINITY, 0)),
              *n = make(DH_F64, SHAPE(1), VALUES(NAN));
    dh_tensor *b = make(DH_F64, SHAPE(5), VALUES(1.000009, NAN, INFINITY, INFINITY, 1e-7));
    bool all = true;
    GIVES(dh_tensor_isclose(&y, a, b, 1e-5, 1e-8, false), DH_BOOL, 1, 0, 1, 0, 0);
    GIVES(dh_tensor_isclose(&y, a, b, 1e-6, 1e-6, true), DH_BOOL, 0, 1, 1, 0, 1);
    GIVES(dh_tensor_isclose(&y, a, n, 1, 1, true), DH_BOOL, 0, 1, 0, 0, 0);
    assert_int_equal(dh_tensor_allclose(&all, a, b, 1e-5, 1e-8, true), DH_OK);
    assert_false(all);
    assert_int_equal(dh_tensor_allclose(&all, b, b, 0, 0, true), DH_OK);
    assert_true(all);
    assert_int_equal(dh_tensor_allclose(&all, b, b, 0, 0, false), DH_OK);
    assert_false(all);
    dh_tensor_free(a);
    dh_tensor_free(b);
    dh_tensor_free(n);
}

/* a += b with views of one storage that overlap, and b -= a through a cast. */
static void overlap(void **state)
{
    DH_UNUSED(state);
    dh_tensor *x = counted(DH_F32, SHAPE(6)), *low = NULL, *high = NULL;
    dh_tensor *i = make(DH_I32, SHAPE(5), VALUES(10, 20, 30, 40, 50));
    assert_int_equal(dh_tensor_slice(&low, x, "0:5"), DH_OK);
    assert_int_equal(dh_tensor_slice(&high, x, "1:6"), DH_OK);
    const dh_tensor *in[2] = {high, low}, *down[2] = {i, low};
    assert_int_equal(dh_tensor_apply(high, "add", in, 2), DH_OK);
    assert_int_equal(dh_tensor_apply(i, "sub", down, 2), DH_OK);
    expect(x, SHAPE(6), VALUES(0, 1, 3, 5, 7, 9));
    expect(i, SHAPE(5), VALUES(10, 19, 27, 35, 43));
    dh_tensor_free(low);
    dh_tensor_free(high);
}

static dh_status work(void *context)
{
    dh_tensor *const *x = context, *y[5] = {0};
    const dh_tensor *in[2] = {x[1], x[0]};
    bool all;
    dh_status status = dh_tensor_add(&y[0], x[0], x[1]);
    if (!status) status = dh_tensor_rdiv_scalar(&y[1], x[1], 2.5);
    if (!status) status = dh_tensor_where(&y[2], x[2], x[0], x[1]);
    if (!status) status = dh_tensor_isclose(&y[3], x[0], x[1], 1, 1, false);
    if (!status) status = dh_tensor_allclose(&all, x[0], x[1], 1, 1, false);
    if (!status) status = dh_tensor_cast(&y[4], x[0], DH_U8);
    if (!status) status = dh_tensor_apply(x[1], "minimum", in, 2);
    for (int i = 0; i < 5; i++) dh_tensor_free(y[i]);
    return status;
}

static void allocation_failures(void **state)
{
    DH_UNUSED(state);
    dh_tensor *x[3] = {make(DH_F32, SHAPE(3), VALUES(1, 2, 3)),
                       make(DH_I16, SHAPE(3), VALUES(1, 2, 3)),
                       make(DH_BOOL, SHAPE(3), VALUES(1, 0, 1))};
    fail_each_allocation(work, x);
    for (int i = 0; i < 3; i++) dh_tensor_free(x[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_input),
        cmocka_unit_test(dtypes_meet),
        cmocka_unit_test(integer_division),
        cmocka_unit_test(special_values),
        cmocka_unit_test(signs_of_zero),
        cmocka_unit_test(least_integers),
        cmocka_unit_test(numbers),
        cmocka_unit_test(casts),
        cmocka_unit_test(closeness),
        cmocka_unit_test(overlap),
        cmocka_unit_test(allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
