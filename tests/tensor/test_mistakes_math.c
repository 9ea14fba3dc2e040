/* SPDX-License-Identifier: MIT */
/* A mistake, or more, in each function of tensor_math.h but dh_tensor_apply. */
#include "mistakes.h"

#include <deephealth/tensor_math.h>

typedef struct unary {
    const char *name;
    dh_status (*call)(dh_tensor **out, const dh_tensor *x);
    enum { FLOAT, SIGNED, NUMBER, ANY } takes;
} unary;

static const unary unaries[] = {{"tensor_neg", dh_tensor_neg, SIGNED},
                                {"tensor_abs", dh_tensor_abs, NUMBER},
                                {"tensor_sign", dh_tensor_sign, NUMBER},
                                {"tensor_sqr", dh_tensor_sqr, NUMBER},
                                {"tensor_sqrt", dh_tensor_sqrt, FLOAT},
                                {"tensor_rsqrt", dh_tensor_rsqrt, FLOAT},
                                {"tensor_reciprocal", dh_tensor_reciprocal, FLOAT},
                                {"tensor_exp", dh_tensor_exp, FLOAT},
                                {"tensor_expm1", dh_tensor_expm1, FLOAT},
                                {"tensor_log", dh_tensor_log, FLOAT},
                                {"tensor_log1p", dh_tensor_log1p, FLOAT},
                                {"tensor_log2", dh_tensor_log2, FLOAT},
                                {"tensor_log10", dh_tensor_log10, FLOAT},
                                {"tensor_sin", dh_tensor_sin, FLOAT},
                                {"tensor_cos", dh_tensor_cos, FLOAT},
                                {"tensor_tan", dh_tensor_tan, FLOAT},
                                {"tensor_asin", dh_tensor_asin, FLOAT},
                                {"tensor_acos", dh_tensor_acos, FLOAT},
                                {"tensor_atan", dh_tensor_atan, FLOAT},
                                {"tensor_sinh", dh_tensor_sinh, FLOAT},
                                {"tensor_cosh", dh_tensor_cosh, FLOAT},
                                {"tensor_tanh", dh_tensor_tanh, FLOAT},
                                {"tensor_erf", dh_tensor_erf, FLOAT},
                                {"tensor_floor", dh_tensor_floor, NUMBER},
                                {"tensor_ceil", dh_tensor_ceil, NUMBER},
                                {"tensor_round", dh_tensor_round, NUMBER},
                                {"tensor_trunc", dh_tensor_trunc, NUMBER},
                                {"tensor_relu", dh_tensor_relu, NUMBER},
                                {"tensor_relu6", dh_tensor_relu6, NUMBER},
                                {"tensor_selu", dh_tensor_selu, FLOAT},
                                {"tensor_sigmoid", dh_tensor_sigmoid, FLOAT},
                                {"tensor_hard_sigmoid", dh_tensor_hard_sigmoid, FLOAT},
                                {"tensor_softplus", dh_tensor_softplus, FLOAT},
                                {"tensor_softsign", dh_tensor_softsign, FLOAT},
                                {"tensor_gelu", dh_tensor_gelu, FLOAT},
                                {"tensor_silu", dh_tensor_silu, FLOAT},
                                {"tensor_mish", dh_tensor_mish, FLOAT},
                                {"tensor_isnan", dh_tensor_isnan, FLOAT},
                                {"tensor_isinf", dh_tensor_isinf, FLOAT},
                                {"tensor_isfinite", dh_tensor_isfinite, FLOAT},
                                {"tensor_isposinf", dh_tensor_isposinf, ANY},
                                {"tensor_isneginf", dh_tensor_isneginf, ANY},
                                {"tensor_logical_not", dh_tensor_logical_not, ANY}};

static void one_operand(void **state)
{
    (void)state;
    for (size_t i = 0; i < DH_COUNT(unaries); i++) {
        const unary *u = &unaries[i];
        EXPECT_NAMED(DH_EINVAL, u->name, "x is NULL", u->call(&out, NULL));
        EXPECT_NAMED(DH_EINVAL, u->name, "out is NULL", u->call(NULL, f_2_3));
        if (u->takes == FLOAT)
            EXPECT_NAMED(DH_EDTYPE, u->name, "x is i32, must be one of " FLOATS,
                         u->call(&out, i_2_3));
        if (u->takes == SIGNED)
            EXPECT_NAMED(DH_EDTYPE, u->name,
                         "x is u8, must be one of " FLOATS ", i8, i16, i32, i64",
                         u->call(&out, u_3));
        if (u->takes == NUMBER)
            EXPECT_NAMED(DH_EDTYPE, u->name, "x is bool, must be one of " NUMBERS,
                         u->call(&out, b_2_3));
        EXPECT_SILENT(u->call(&out, f_2_3));
    }
    none_wrong();
}

typedef struct binary {
    const char *name;
    dh_status (*call)(dh_tensor **out, const dh_tensor *a, const dh_tensor *b);
    enum { FLOATS_ONLY, NUMBERS_ONLY, ANYTHING } takes;
} binary;

static const binary binaries[] = {{"tensor_add", dh_tensor_add, NUMBERS_ONLY},
                                  {"tensor_sub", dh_tensor_sub, NUMBERS_ONLY},
                                  {"tensor_mul", dh_tensor_mul, NUMBERS_ONLY},
                                  {"tensor_div", dh_tensor_div, NUMBERS_ONLY},
                                  {"tensor_pow", dh_tensor_pow, NUMBERS_ONLY},
                                  {"tensor_maximum", dh_tensor_maximum, NUMBERS_ONLY},
                                  {"tensor_minimum", dh_tensor_minimum, NUMBERS_ONLY},
                                  {"tensor_mod", dh_tensor_mod, NUMBERS_ONLY},
                                  {"tensor_remainder", dh_tensor_remainder, NUMBERS_ONLY},
                                  {"tensor_atan2", dh_tensor_atan2, FLOATS_ONLY},
                                  {"tensor_equal", dh_tensor_equal, ANYTHING},
                                  {"tensor_not_equal", dh_tensor_not_equal, ANYTHING},
                                  {"tensor_greater", dh_tensor_greater, ANYTHING},
                                  {"tensor_greater_equal", dh_tensor_greater_equal, ANYTHING},
                                  {"tensor_less", dh_tensor_less, ANYTHING},
                                  {"tensor_less_equal", dh_tensor_less_equal, ANYTHING},
                                  {"tensor_logical_and", dh_tensor_logical_and, ANYTHING},
                                  {"tensor_logical_or", dh_tensor_logical_or, ANYTHING},
                                  {"tensor_logical_xor", dh_tensor_logical_xor, ANYTHING}};

static void two_operands(void **state)
{
    (void)state;
    for (size_t i = 0; i < DH_COUNT(binaries); i++) {
        const binary *b = &binaries[i];
        EXPECT_NAMED(DH_EINVAL, b->name, "a is NULL", b->call(&out, NULL, f_3));
        EXPECT_NAMED(DH_EINVAL, b->name, "b is NULL", b->call(&out, f_3, NULL));
        EXPECT_NAMED(DH_EINVAL, b->name, "out is NULL", b->call(NULL, f_3, f_3));
        EXPECT_NAMED(DH_ESHAPE, b->name, "shapes [3] and [4] do not broadcast",
                     b->call(&out, f_3, f_4));
        EXPECT_NAMED(DH_ESHAPE, b->name, "shapes [2, 3] and [3, 3] do not broadcast",
                     b->call(&out, i_2_3, f_3_3));
        if (b->takes == NUMBERS_ONLY)
            EXPECT_NAMED(DH_EDTYPE, b->name, "a is bool, must be one of " NUMBERS,
                         b->call(&out, b_2_3, b_2_3));
        if (b->takes == FLOATS_ONLY)
            EXPECT_NAMED(DH_EDTYPE, b->name,
                         "a is i32, b is i64, which meet in i64, must be one of " FLOATS,
                         b->call(&out, i_2_3, i64_3));
        EXPECT_SILENT(b->call(&out, f_2_3, f_3));
    }
    EXPECT(DH_ENUMERIC, "tensor_div: b (i32) has a 0, integers can't be divided by 0",
           dh_tensor_div(&out, i_2_3, i_2_3));
    EXPECT(DH_ENUMERIC, "tensor_mod: b (i32) has a 0, integers can't be divided by 0",
           dh_tensor_mod(&out, i_2_3, i_2_3));
    EXPECT(DH_ENUMERIC, "tensor_remainder: b (i32) has a 0, integers can't be divided by 0",
           dh_tensor_remainder(&out, i_2_3, i_2_3));
    none_wrong();
}

typedef struct with_number {
    const char *name;
    dh_status (*call)(dh_tensor **out, const dh_tensor *x, double s);
} with_number;

static const with_number numbers[] = {
    {"tensor_add_scalar", dh_tensor_add_scalar},
    {"tensor_sub_scalar", dh_tensor_sub_scalar},
    {"tensor_mul_scalar", dh_tensor_mul_scalar},
    {"tensor_div_scalar", dh_tensor_div_scalar},
    {"tensor_pow_scalar", dh_tensor_pow_scalar},
    {"tensor_mod_scalar", dh_tensor_mod_scalar},
    {"tensor_remainder_scalar", dh_tensor_remainder_scalar},
    {"tensor_rsub_scalar", dh_tensor_rsub_scalar},
    {"tensor_rdiv_scalar", dh_tensor_rdiv_scalar},
    {"tensor_rpow_scalar", dh_tensor_rpow_scalar},
    {"tensor_maximum_scalar", dh_tensor_maximum_scalar},
    {"tensor_minimum_scalar", dh_tensor_minimum_scalar},
    {"tensor_equal_scalar", dh_tensor_equal_scalar},
    {"tensor_not_equal_scalar", dh_tensor_not_equal_scalar},
    {"tensor_greater_scalar", dh_tensor_greater_scalar},
    {"tensor_greater_equal_scalar", dh_tensor_greater_equal_scalar},
    {"tensor_less_scalar", dh_tensor_less_scalar},
    {"tensor_less_equal_scalar", dh_tensor_less_equal_scalar}};

static void with_a_number(void **state)
{
    (void)state;
    for (size_t i = 0; i < DH_COUNT(numbers); i++) {
        const with_number *n = &numbers[i];
        EXPECT_NAMED(DH_EINVAL, n->name, "x is NULL", n->call(&out, NULL, 2));
        EXPECT_NAMED(DH_EINVAL, n->name, "out is NULL", n->call(NULL, f_3, 2));
        EXPECT_SILENT(n->call(&out, f_2_3, 2));
    }
    EXPECT(DH_ENUMERIC, "tensor_div_scalar: s is 0, integers (i32) can't be divided by 0",
           dh_tensor_div_scalar(&out, i_2_3, 0));
    EXPECT(DH_ENUMERIC, "tensor_mod_scalar: s is 0, integers (i32) can't be divided by 0",
           dh_tensor_mod_scalar(&out, i_2_3, 0));
    EXPECT(DH_ENUMERIC, "tensor_remainder_scalar: s is 0, integers (i32) can't be divided by 0",
           dh_tensor_remainder_scalar(&out, i_2_3, 0));
    EXPECT(DH_ENUMERIC, "tensor_rdiv_scalar: x has a 0, integers (i32) can't be divided by 0",
           dh_tensor_rdiv_scalar(&out, i_2_3, 6));
    none_wrong();
}

static void attributes(void **state)
{
    (void)state;
    EXPECT(DH_EINVAL, "tensor_leaky_relu: x is NULL", dh_tensor_leaky_relu(&out, NULL, 0.1));
    EXPECT(DH_EINVAL, "tensor_leaky_relu: out is NULL", dh_tensor_leaky_relu(NULL, f_3, 0.1));
    EXPECT(DH_EDTYPE, "tensor_leaky_relu: x is i32, must be one of " FLOATS,
           dh_tensor_leaky_relu(&out, i_3, 0.1));
    EXPECT(DH_EINVAL, "tensor_leaky_relu: alpha is nan, must be in [-1000000, 1000000]",
           dh_tensor_leaky_relu(&out, f_3, NAN));
    EXPECT(DH_EINVAL, "tensor_thresholded_relu: x is NULL",
           dh_tensor_thresholded_relu(&out, NULL, 1));
    EXPECT(DH_EDTYPE, "tensor_thresholded_relu: x is i32, must be one of " FLOATS,
           dh_tensor_thresholded_relu(&out, i_3, 1));
    EXPECT(DH_EINVAL, "tensor_thresholded_relu: alpha is 1e+09, must be in [-1000000, 1000000]",
           dh_tensor_thresholded_relu(&out, f_3, 1e9));
    EXPECT(DH_EINVAL, "tensor_elu: x is NULL", dh_tensor_elu(&out, NULL, 1));
    EXPECT(DH_EDTYPE, "tensor_elu: x is bool, must be one of " FLOATS,
           dh_tensor_elu(&out, b_2_3, 1));
    EXPECT(DH_EINVAL, "tensor_elu: alpha is -1, must be in [0, 1000000]",
           dh_tensor_elu(&out, f_3, -1));
    EXPECT(DH_EINVAL, "tensor_clamp: x is NULL", dh_tensor_clamp(&out, NULL, 0, 1));
    EXPECT(DH_EINVAL, "tensor_clamp: low is 2, high is 1, must be in order",
           dh_tensor_clamp(&out, f_3, 2, 1));
    EXPECT(DH_EINVAL, "tensor_clamp: low is nan, high is 1, must be in order",
           dh_tensor_clamp(&out, f_3, NAN, 1));
    EXPECT(DH_EDTYPE, "tensor_clamp: x is bool, must be one of " NUMBERS,
           dh_tensor_clamp(&out, b_2_3, 0, 1));
    EXPECT(DH_EINVAL, "tensor_affine: x is NULL", dh_tensor_affine(&out, NULL, 1, 0));
    EXPECT(DH_EINVAL, "tensor_affine: alpha is inf, must be in [-1e+300, 1e+300]",
           dh_tensor_affine(&out, f_3, INFINITY, 0));
    EXPECT(DH_EDTYPE, "tensor_affine: x is bool, must be one of " NUMBERS,
           dh_tensor_affine(&out, b_2_3, 1, 0));
    EXPECT(DH_EINVAL, "tensor_log_base: x is NULL", dh_tensor_log_base(&out, NULL, 10));
    EXPECT(DH_EINVAL, "tensor_log_base: out is NULL", dh_tensor_log_base(NULL, f_3, 10));
    EXPECT(DH_EINVAL, "tensor_log_base: base is 1, must be finite, above 0 and not 1",
           dh_tensor_log_base(&out, f_3, 1));
    EXPECT(DH_EINVAL, "tensor_log_base: base is -2, must be finite, above 0 and not 1",
           dh_tensor_log_base(&out, f_3, -2));
    EXPECT(DH_EINVAL, "tensor_log_base: base is inf, must be finite, above 0 and not 1",
           dh_tensor_log_base(&out, f_3, INFINITY));
    EXPECT(DH_EDTYPE, "tensor_log_base: x is i32, must be one of " FLOATS,
           dh_tensor_log_base(&out, i_3, 10));
    EXPECT(DH_EINVAL, "tensor_normalize: x is NULL", dh_tensor_normalize(&out, NULL, 0, 1));
    EXPECT(DH_EINVAL, "tensor_normalize: out is NULL", dh_tensor_normalize(NULL, f_3, 0, 1));
    EXPECT(DH_EINVAL, "tensor_normalize: low is 1, high is 0, must be finite and in order",
           dh_tensor_normalize(&out, f_3, 1, 0));
    EXPECT(DH_EINVAL, "tensor_normalize: low is 0, high is inf, must be finite and in order",
           dh_tensor_normalize(&out, f_3, 0, INFINITY));
    EXPECT(DH_ENUMERIC, "tensor_normalize: x reaches from nan to nan, must be finite",
           dh_tensor_normalize(&out, f_nan, 0, 1));
    EXPECT(DH_ESHAPE, "tensor_normalize: x [0] has no elements along the 1 reduced axes",
           dh_tensor_normalize(&out, f_0, 0, 1));
    EXPECT(DH_EINVAL, "tensor_interpolate: a is NULL",
           dh_tensor_interpolate(&out, 1, NULL, 1, f_3));
    EXPECT(DH_EINVAL, "tensor_interpolate: b is NULL",
           dh_tensor_interpolate(&out, 1, f_3, 1, NULL));
    EXPECT(DH_EINVAL, "tensor_interpolate: out is NULL",
           dh_tensor_interpolate(NULL, 1, f_3, 1, f_3));
    EXPECT(DH_EINVAL, "tensor_interpolate: f is nan, g is 1: both must be finite",
           dh_tensor_interpolate(&out, NAN, f_3, 1, f_3));
    EXPECT(DH_ESHAPE, "tensor_interpolate: shapes [3] and [4] do not broadcast",
           dh_tensor_interpolate(&out, 1, f_3, 1, f_4));
    EXPECT(DH_EINVAL, "tensor_anynan: out is NULL", dh_tensor_anynan(NULL, f_3));
    EXPECT(DH_EINVAL, "tensor_anynan: x is NULL", dh_tensor_anynan(&flag, NULL));
    EXPECT(DH_EDTYPE, "tensor_anynan: x is i32, must be one of " FLOATS,
           dh_tensor_anynan(&flag, i_3));
    none_wrong();
}

static void choice_and_closeness(void **state)
{
    (void)state;
    EXPECT(DH_EINVAL, "tensor_where: condition is NULL", dh_tensor_where(&out, NULL, f_3, f_3));
    EXPECT(DH_EINVAL, "tensor_where: a is NULL", dh_tensor_where(&out, b_2_3, NULL, f_3));
    EXPECT(DH_EINVAL, "tensor_where: b is NULL", dh_tensor_where(&out, b_2_3, f_3, NULL));
    EXPECT(DH_EINVAL, "tensor_where: out is NULL", dh_tensor_where(NULL, b_2_3, f_3, f_3));
    EXPECT(DH_EDTYPE, "tensor_where: condition is f32, must be bool",
           dh_tensor_where(&out, f_3, f_3, f_3));
    EXPECT(DH_ESHAPE, "tensor_where: shapes [3] and [4] do not broadcast",
           dh_tensor_where(&out, b_2_3, f_3, f_4));
    EXPECT(DH_ESHAPE, "tensor_where: shapes [2, 3] and [4] do not broadcast",
           dh_tensor_where(&out, b_2_3, f_4, f_4));
    EXPECT(DH_EINVAL, "tensor_isclose: out is NULL",
           dh_tensor_isclose(NULL, f_3, f_3, 1e-5, 1e-8, false));
    EXPECT(DH_EINVAL, "tensor_isclose: a is NULL",
           dh_tensor_isclose(&out, NULL, f_3, 1e-5, 1e-8, false));
    EXPECT(DH_EINVAL, "tensor_isclose: b is NULL",
           dh_tensor_isclose(&out, f_3, NULL, 1e-5, 1e-8, false));
    EXPECT(DH_EINVAL, "tensor_isclose: rtol is -1, atol is 1e-08: both must be at least 0",
           dh_tensor_isclose(&out, f_3, f_3, -1, 1e-8, false));
    EXPECT(DH_ESHAPE, "tensor_isclose: shapes [3] and [4] do not broadcast",
           dh_tensor_isclose(&out, f_3, f_4, 1e-5, 1e-8, false));
    EXPECT(DH_EINVAL, "tensor_allclose: out is NULL",
           dh_tensor_allclose(NULL, f_3, f_3, 1e-5, 1e-8, false));
    EXPECT(DH_EINVAL, "tensor_allclose: a is NULL",
           dh_tensor_allclose(&flag, NULL, f_3, 1e-5, 1e-8, false));
    EXPECT(DH_EINVAL, "tensor_allclose: b is NULL",
           dh_tensor_allclose(&flag, f_3, NULL, 1e-5, 1e-8, false));
    EXPECT(DH_EINVAL, "tensor_allclose: rtol is 1e-05, atol is nan: both must be at least 0",
           dh_tensor_allclose(&flag, f_3, f_3, 1e-5, NAN, false));
    EXPECT(DH_ESHAPE, "tensor_allclose: shapes [3] and [4] do not broadcast",
           dh_tensor_allclose(&flag, f_3, f_4, 1e-5, 1e-8, false));
    none_wrong();
}

static void no_mistake(void **state)
{
    (void)state;
    EXPECT_SILENT(dh_tensor_leaky_relu(&out, f_3, 0.1));
    EXPECT_SILENT(dh_tensor_thresholded_relu(&out, f_3, 1));
    EXPECT_SILENT(dh_tensor_elu(&out, f_3, 1));
    EXPECT_SILENT(dh_tensor_clamp(&out, f_3, -INFINITY, INFINITY));
    EXPECT_SILENT(dh_tensor_affine(&out, i_3, 1.5, 2));
    EXPECT_SILENT(dh_tensor_log_base(&out, f_3, 0.5));
    EXPECT_SILENT(dh_tensor_normalize(&out, i_3, 0, 1));
    EXPECT_SILENT(dh_tensor_interpolate(&out, 1, f_2_3, 2, i_3));
    EXPECT_SILENT(dh_tensor_anynan(&flag, f_nan));
    EXPECT_SILENT(dh_tensor_where(&out, b_2_3, f_3, i_2_3));
    EXPECT_SILENT(dh_tensor_isclose(&out, f_3, f_2_3, 0, 0, true));
    EXPECT_SILENT(dh_tensor_allclose(&flag, f_3, f_2_3, 0, 0, true));
    none_wrong();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_mistake),   cmocka_unit_test(one_operand),
        cmocka_unit_test(two_operands), cmocka_unit_test(with_a_number),
        cmocka_unit_test(attributes),   cmocka_unit_test(choice_and_closeness)};
    return cmocka_run_group_tests(tests, make_parts, free_parts);
}
