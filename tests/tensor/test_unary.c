/* SPDX-License-Identifier: MIT */
/* What the case lists cannot say about elementwise functions of one tensor. */
#include <deephealth/tensor_math.h>

#include "expect.h"

static void bad_input(void **state)
{
    DH_UNUSED(state);
    dh_tensor *y = NULL;
    dh_tensor *x = make(DH_F32, SHAPE(2), VALUES(1, 2)), *i = make(DH_I32, SHAPE(2), VALUES(1, 2));
    dh_tensor *u = make(DH_U8, SHAPE(2), VALUES(1, 2)), *b = make(DH_BOOL, SHAPE(2), VALUES(1, 0));
    bool found = true;
    EXPECT_FAIL(DH_EINVAL, dh_tensor_exp(&y, NULL), "exp", "x is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_exp(NULL, x), "exp", "out is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_clamp(&y, NULL, 0, 1), "clamp", "x is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_clamp(&y, x, 2, 1), "low is 2", "high is 1");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_clamp(&y, x, NAN, 1), "tensor_clamp", "high is 1");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_affine(&y, x, INFINITY, 1), "affine", "alpha");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_elu(&y, x, -1), "elu", "-1");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_leaky_relu(&y, x, NAN), "leaky_relu", "alpha");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_log_base(&y, x, 1), "log_base", "is 1");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_log_base(NULL, x, 2), "log_base", "out is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_normalize(&y, x, 3, 2), "low is 3", "high is 2");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_normalize(&y, NULL, 0, 1), "normalize", "x is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_anynan(NULL, x), "anynan", "out is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_anynan(&found, NULL), "anynan", "x is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_isposinf(&y, NULL), "isposinf", "x is NULL");
    EXPECT_FAIL(DH_EDTYPE, dh_tensor_exp(&y, i), "tensor_exp: x is i32", "f32, f64, f16, bf16");
    EXPECT_FAIL(DH_EDTYPE, dh_tensor_isnan(&y, i), "tensor_isnan: x is i32", "f32");
    EXPECT_FAIL(DH_EDTYPE, dh_tensor_neg(&y, u), "tensor_neg: x is u8", "i8");
    EXPECT_FAIL(DH_EDTYPE, dh_tensor_relu(&y, b), "tensor_relu: x is bool", "f32");
    assert_null(y);
    assert_true(found);
    dh_tensor_free(x);
    dh_tensor_free(i);
    dh_tensor_free(u);
    dh_tensor_free(b);
}

/* Each gives y, made with the same shape. */
#define GIVES(call, ...)                                                       \
    do {                                                                       \
        dh_tensor *y = NULL;                                                   \
        assert_int_equal(call, DH_OK);                                         \
        expect(y, SHAPE(sizeof VALUES(__VA_ARGS__) / 8), VALUES(__VA_ARGS__)); \
    } while (0)

static void integers(void **state)
{
    DH_UNUSED(state);
    dh_tensor *x = make(DH_I8, SHAPE(4), VALUES(-128, -3, 0, 127));
    GIVES(dh_tensor_neg(&y, x), -128, 3, 0, -127);
    GIVES(dh_tensor_abs(&y, x), -128, 3, 0, 127);
    GIVES(dh_tensor_sign(&y, x), -1, -1, 0, 1);
    GIVES(dh_tensor_sqr(&y, x), 0, 9, 0, 1);
    GIVES(dh_tensor_relu(&y, x), 0, 0, 0, 127);
    GIVES(dh_tensor_floor(&y, x), -128, -3, 0, 127);
    GIVES(dh_tensor_affine(&y, x, 2, 0.75), -128, -5, 0, 127);
    GIVES(dh_tensor_clamp(&y, x, -2.5, 1000), -2, -2, 0, 127);
    GIVES(dh_tensor_clamp(&y, x, -INFINITY, 1.5), -128, -3, 0, 1);
    GIVES(dh_tensor_logical_not(&y, x), 0, 0, 1, 0);
    dh_tensor_free(x);
    x = make(DH_U64, SHAPE(2), VALUES(0x1p63, 0));
    GIVES(dh_tensor_sign(&y, x), 1, 0);
    GIVES(dh_tensor_relu(&y, x), 0x1p63, 0);
    dh_tensor_free(x);
}

/* Beyond 2^53 nothing is rounded. */
static void long_integers(void **state)
{
    DH_UNUSED(state);
    const int64_t big[3] = {INT64_MAX, INT64_MIN + 1, (INT64_C(1) << 53) + 1};
    dh_tensor *x = NULL, *y = NULL;
    assert_int_equal(dh_tensor_from_data(&x, big, DH_I64, SHAPE(3)), DH_OK);
    assert_int_equal(dh_tensor_clamp(&y, x, -INFINITY, INFINITY), DH_OK);
    assert_memory_equal(dh_tensor_data(y), big, sizeof big);
    dh_tensor_free(y);
    assert_int_equal(dh_tensor_round(&y, x), DH_OK);
    assert_memory_equal(dh_tensor_data(y), big, sizeof big);
    dh_tensor_free(y);
    dh_tensor_free(x);
}

static void special_values(void **state)
{
    DH_UNUSED(state);
    dh_dtype floats[] = {DH_F32, DH_F64, DH_F16, DH_BF16};
    bool found = false;
    for (size_t d = 0; d < DH_COUNT(floats); d++) {
        dh_tensor *x = make(floats[d], SHAPE(4), VALUES(NAN, INFINITY, -INFINITY, -200));
        GIVES(dh_tensor_relu(&y, x), NAN, INFINITY, 0, 0);
        GIVES(dh_tensor_softplus(&y, x), NAN, INFINITY, 0, 0);
        GIVES(dh_tensor_isnan(&y, x), 1, 0, 0, 0);
        GIVES(dh_tensor_isinf(&y, x), 0, 1, 1, 0);
        GIVES(dh_tensor_isfinite(&y, x), 0, 0, 0, 1);
        GIVES(dh_tensor_isposinf(&y, x), 0, 1, 0, 0);
        GIVES(dh_tensor_isneginf(&y, x), 0, 0, 1, 0);
        GIVES(dh_tensor_clamp(&y, x, 0, INFINITY), NAN, INFINITY, 0, 0);
        GIVES(dh_tensor_leaky_relu(&y, x, -0.5), NAN, INFINITY, INFINITY, 100);
        GIVES(dh_tensor_hard_sigmoid(&y, x), NAN, 1, 0, 0);
        assert_int_equal(dh_tensor_anynan(&found, x), DH_OK);
        assert_true(found);
        dh_tensor_free(x);
        x = make(floats[d], SHAPE(4), VALUES(0.5, 1.5, 2.5, -0.5));
        GIVES(dh_tensor_round(&y, x), 0, 2, 2, 0);
        assert_int_equal(dh_tensor_anynan(&found, x), DH_OK);
        assert_false(found);
        dh_tensor_free(x);
    }
}

static void composed(void **state)
{
    DH_UNUSED(state);
    dh_tensor *x = make(DH_F32, SHAPE(3), VALUES(1, 8, 64)), *y0 = NULL;
    dh_tensor *u = make(DH_U8, SHAPE(3), VALUES(0, 51, 255));
    dh_tensor *same = make(DH_F32, SHAPE(3), VALUES(7, 7, 7));
    dh_tensor *wild = make(DH_F32, SHAPE(3), VALUES(1, INFINITY, 2));
    GIVES(dh_tensor_log_base(&y, x, 8), 0, 1, 2);
    GIVES(dh_tensor_normalize(&y, x, -1, 1), -1, -7.0 / 9, 1);
    GIVES(dh_tensor_normalize(&y, u, 0, 1), 0, 0.2, 1);
    GIVES(dh_tensor_normalize(&y, same, 2, 3), 2, 2, 2);
    EXPECT_FAIL(DH_ENUMERIC, dh_tensor_normalize(&y0, wild, 0, 1), "from 1", "to inf");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_interpolate(&y0, 1, NULL, 1, x), "interpolate", "a is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_interpolate(&y0, 1, x, 1, NULL), "interpolate", "b is NULL");
    GIVES(dh_tensor_interpolate(&y, 0.5, x, 2, same), 14.5, 18, 46);
    GIVES(dh_tensor_interpolate(&y, 0.5, u, 0.5, u), 0, 51, 255);
    assert_null(y0);
    dh_tensor_free(x);
    dh_tensor_free(u);
    dh_tensor_free(same);
    dh_tensor_free(wild);
}

/* Views: a transposed one in, a strided one out, and in place. */
static void apply(void **state)
{
    DH_UNUSED(state);
    dh_tensor *x = counted(DH_F32, SHAPE(2, 3)), *right = NULL,
              *y = make(DH_I32, SHAPE(2), VALUES(0, 0));
    const dh_tensor *in[2] = {x, x}, *hole[1] = {NULL};
    assert_int_equal(dh_tensor_apply(x, "neg", in, 1), DH_OK);
    assert_int_equal(dh_tensor_slice(&right, x, ":,2"), DH_OK);
    in[0] = right;
    assert_int_equal(dh_tensor_apply(right, "sqr", in, 1), DH_OK);
    assert_int_equal(dh_tensor_apply(y, "sqrt", in, 1), DH_OK);
    expect(y, SHAPE(2), VALUES(2, 5));
    y = NULL;
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_apply(x, "abs", in, 1), "abs", "[2, 3]");
    EXPECT_FAIL(DH_ENAME, dh_tensor_apply(x, "sigmoyd", in, 1), "sigmoyd", "sigmoid");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_apply(x, NULL, in, 1), "tensor_apply", "op is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_apply(NULL, "abs", in, 1), "tensor_apply", "dst is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_apply(x, "abs", NULL, 1), "tensor_apply", "in is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_apply(x, "abs", hole, 1), "tensor_apply",
                "in[0] of 1 is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_apply(x, "abs", in, 2), "abs: has 2 inputs", "takes 1");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_apply(x, "abs", in, -1), "in_count is -1", "4096");
    EXPECT_FAIL(DH_EUNSUPPORTED, dh_tensor_apply(x, "sgd_step", in, 2), "sgd_step", "updates");
    expect(x, SHAPE(2, 3), VALUES(0, -1, 4, -3, -4, 25));
    dh_tensor_free(right);
}

static dh_status work(void *context)
{
    dh_tensor *const *x = context, *y[4] = {0};
    const dh_tensor *in[1] = {x[1]};
    dh_status status = dh_tensor_gelu(&y[0], x[0]);
    if (!status) status = dh_tensor_log_base(&y[1], x[0], 3);
    if (!status) status = dh_tensor_normalize(&y[2], x[1], 0, 1);
    if (!status) status = dh_tensor_interpolate(&y[3], 2, x[0], 3, x[1]);
    if (!status) status = dh_tensor_apply(x[0], "neg", in, 1);
    for (int i = 0; i < 4; i++) dh_tensor_free(y[i]);
    return status;
}

static void allocation_failures(void **state)
{
    DH_UNUSED(state);
    dh_tensor *x[2] = {make(DH_F32, SHAPE(3), VALUES(1, 2, 3)),
                       make(DH_I16, SHAPE(3), VALUES(1, 2, 3))};
    fail_each_allocation(work, x);
    dh_tensor_free(x[0]);
    dh_tensor_free(x[1]);
}

/* Gradients of many ops are of y, so that x may go; some rules depend on the slope's sign. */
static void what_gradients_keep(void **state)
{
    DH_UNUSED(state);
    int zero[] = {DH_OP_SIGN, DH_OP_FLOOR, DH_OP_CEIL, DH_OP_ROUND, DH_OP_TRUNC};
    int none[] = {DH_OP_ISNAN, DH_OP_ISINF, DH_OP_ISFINITE, DH_OP_LOGICAL_NOT};
    for (size_t i = 0; i < DH_COUNT(zero); i++) {
        dh_value x = 0, y = 1, dy = 2, dx = DH_NO_VALUE;
        bool need = true;
        dh_view view = {.dtype = DH_F32};
        dh_call call = {
            .op = dh__ops[zero[i]], .in_count = 1, .out_count = 1, .in = &view, .out = &view};
        dh_emitter to = {0};
        dh_grad g = {&call, &x, &y, &dy, &need, &dx, &to};
        assert_int_equal(call.op->backward(&g), DH_OK);
        assert_int_equal(dx, DH_NO_VALUE);
    }
    for (size_t i = 0; i < DH_COUNT(none); i++) {
        assert_null(dh__ops[none[i]]->backward);
        assert_non_null(strstr(dh__ops[none[i]]->no_grad, "not differentiable"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_input),
        cmocka_unit_test(integers),
        cmocka_unit_test(long_integers),
        cmocka_unit_test(special_values),
        cmocka_unit_test(composed),
        cmocka_unit_test(apply),
        cmocka_unit_test(allocation_failures),
        cmocka_unit_test(what_gradients_keep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
