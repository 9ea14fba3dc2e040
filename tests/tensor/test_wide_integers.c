/* SPDX-License-Identifier: MIT */
/* 64-bit integers beyond 2^53, which f64 can't tell apart. */
#include <deephealth/tensor_math.h>

#include "expect.h"

#define BIG (INT64_C(1) << 53)

static dh_tensor *of(dh_dtype dtype, int64_t n, const void *data)
{
    dh_tensor *t = NULL;
    assert_int_equal(dh_tensor_from_data(&t, data, dtype, 1, &n), DH_OK);
    return t;
}

#define I64(...) of(DH_I64, sizeof((int64_t[]){__VA_ARGS__}) / 8, (int64_t[]){__VA_ARGS__})
#define U64(...) of(DH_U64, sizeof((uint64_t[]){__VA_ARGS__}) / 8, (uint64_t[]){__VA_ARGS__})
/* The call gives these elements, bit for bit, of this C type. */
#define GIVES(T, call, ...)                                         \
    do {                                                            \
        dh_tensor *y_ = NULL, **y = &y_;                            \
        const T want[] = {__VA_ARGS__};                             \
        assert_int_equal(call, DH_OK);                              \
        assert_int_equal(dh_tensor_count(y_), DH_COUNT(want));      \
        assert_int_equal(dh_dtype_size(y_->view.dtype), sizeof(T)); \
        for (size_t i = 0; i < DH_COUNT(want); i++)                 \
            if (((T *)dh_tensor_data(y_))[i] != want[i])            \
                fail_msg("line %d: element %d", __LINE__, (int)i);  \
        dh_tensor_free(y_);                                         \
    } while (0)

static void compared(void **state)
{
    DH_UNUSED(state);
    dh_tensor *a = I64(BIG, BIG + 1, -BIG - 1, INT64_MAX, INT64_MIN);
    dh_tensor *b = I64(BIG + 1, BIG + 1, -BIG, INT64_MAX - 1, INT64_MIN + 1);
    GIVES(uint8_t, dh_tensor_equal(y, a, b), 0, 1, 0, 0, 0);
    GIVES(uint8_t, dh_tensor_not_equal(y, a, b), 1, 0, 1, 1, 1);
    GIVES(uint8_t, dh_tensor_less(y, a, b), 1, 0, 1, 0, 1);
    GIVES(uint8_t, dh_tensor_less_equal(y, a, b), 1, 1, 1, 0, 1);
    GIVES(uint8_t, dh_tensor_greater(y, a, b), 0, 0, 0, 1, 0);
    GIVES(uint8_t, dh_tensor_greater_equal(y, a, b), 0, 1, 0, 1, 0);
    GIVES(int64_t, dh_tensor_maximum(y, a, b), BIG + 1, BIG + 1, -BIG, INT64_MAX, INT64_MIN + 1);
    GIVES(int64_t, dh_tensor_minimum(y, a, b), BIG, BIG + 1, -BIG - 1, INT64_MAX - 1, INT64_MIN);
    dh_tensor *u = U64(UINT64_MAX, UINT64_C(1) << 63, 1), *v = U64(UINT64_MAX - 1, 1, 2);
    GIVES(uint8_t, dh_tensor_less(y, u, v), 0, 0, 1);
    GIVES(uint8_t, dh_tensor_equal(y, u, v), 0, 0, 0);
    GIVES(uint64_t, dh_tensor_maximum(y, u, v), UINT64_MAX, UINT64_C(1) << 63, 2);
    GIVES(uint64_t, dh_tensor_minimum(y, u, v), UINT64_MAX - 1, 1, 1);
    dh_tensor *all[] = {a, b, u, v};
    for (size_t i = 0; i < DH_COUNT(all); i++) dh_tensor_free(all[i]);
}

static void compared_with_numbers(void **state)
{
    DH_UNUSED(state);
    dh_tensor *x = I64(BIG + 1, INT64_MAX, INT64_MIN), *u = U64(UINT64_MAX, BIG + 1, 0);
    GIVES(uint8_t, dh_tensor_equal_scalar(y, x, 0x1p53), 0, 0, 0);
    GIVES(uint8_t, dh_tensor_greater_scalar(y, x, 0x1p53), 1, 1, 0);
    GIVES(uint8_t, dh_tensor_less_equal_scalar(y, x, -0x1p63), 0, 0, 1);
    /* one above the largest */
    GIVES(uint8_t, dh_tensor_equal_scalar(y, x, 0x1p63), 0, 0, 0);
    GIVES(uint8_t, dh_tensor_not_equal_scalar(y, x, 0x1p63), 1, 1, 1);
    GIVES(uint8_t, dh_tensor_less_scalar(y, x, 0x1p63), 1, 1, 1);
    GIVES(uint8_t, dh_tensor_greater_equal_scalar(y, x, 0x1p63), 0, 0, 0);
    GIVES(uint8_t, dh_tensor_less_scalar(y, u, 0x1p64), 1, 1, 1);
    GIVES(uint8_t, dh_tensor_equal_scalar(y, u, 0x1p64), 0, 0, 0);
    GIVES(uint8_t, dh_tensor_greater_scalar(y, u, 0x1p53), 1, 1, 0);
    dh_tensor_free(x);
    dh_tensor_free(u);
}

static void close_to_each_other(void **state)
{
    DH_UNUSED(state);
    dh_tensor *a = I64(BIG, BIG + 1, INT64_MIN, INT64_MIN);
    dh_tensor *b = I64(BIG + 1, BIG + 1, INT64_MAX, INT64_MIN + 3);
    dh_tensor *u = U64(UINT64_MAX, UINT64_MAX, 5), *v = U64(UINT64_MAX - 1, 0, 5);
    dh_tensor *minus = I64(-1, INT64_MAX, 5);
    bool all = true;
    GIVES(uint8_t, dh_tensor_isclose(y, a, b, 0, 0, false), 0, 1, 0, 0);
    GIVES(uint8_t, dh_tensor_isclose(y, a, b, 0, 2.5, false), 1, 1, 0, 0);
    GIVES(uint8_t, dh_tensor_isclose(y, a, b, 0, 3, false), 1, 1, 0, 1);
    GIVES(uint8_t, dh_tensor_isclose(y, a, b, 0, 0x1p64, false), 1, 1, 1, 1);
    GIVES(uint8_t, dh_tensor_isclose(y, a, b, INFINITY, 0, false), 1, 1, 1, 1);
    GIVES(uint8_t, dh_tensor_isclose(y, u, v, 0, 0, false), 0, 0, 1);
    GIVES(uint8_t, dh_tensor_isclose(y, u, v, 0, 1, false), 1, 0, 1);
    GIVES(uint8_t, dh_tensor_isclose(y, u, minus, 0, 0, false), 0, 0, 1);
    GIVES(uint8_t, dh_tensor_isclose(y, minus, u, 0, 0x1p63, false), 0, 1, 1);
    assert_int_equal(dh_tensor_allclose(&all, a, b, 0, 0, false), DH_OK);
    assert_false(all);
    assert_int_equal(dh_tensor_allclose(&all, a, a, 0, 0, false), DH_OK);
    assert_true(all);
    dh_tensor *each[] = {a, b, u, v, minus};
    for (size_t i = 0; i < DH_COUNT(each); i++) dh_tensor_free(each[i]);
}

static void clamped(void **state)
{
    DH_UNUSED(state);
    dh_tensor *x = I64(BIG + 1, -BIG - 1, INT64_MAX, INT64_MIN, 7);
    dh_tensor *u = U64(UINT64_MAX, BIG + 1, 0);
    GIVES(int64_t, dh_tensor_clamp(y, x, -0x1p53, 0x1p53), BIG, -BIG, BIG, -BIG, 7);
    GIVES(int64_t, dh_tensor_clamp(y, x, -0x1p63, 0x1p63), BIG + 1, -BIG - 1, INT64_MAX, INT64_MIN,
          7);
    GIVES(int64_t, dh_tensor_clamp(y, x, -1e300, 0x1.fffffffffffffp62), BIG + 1, -BIG - 1,
          INT64_MAX - 1023, INT64_MIN, 7);
    GIVES(uint64_t, dh_tensor_clamp(y, u, 1, 0x1p53), BIG, BIG, 1);
    GIVES(uint64_t, dh_tensor_clamp(y, u, -3, INFINITY), UINT64_MAX, BIG + 1, 0);
    dh_tensor_free(x);
    dh_tensor_free(u);
}

/* start and step are exact as doubles; what lies between them is not. */
static void counted_up(void **state)
{
    DH_UNUSED(state);
    GIVES(int64_t, dh_tensor_arange(y, 0x1p53, 0x1p53 + 4, 1, DH_I64), BIG, BIG + 1, BIG + 2,
          BIG + 3);
    GIVES(int64_t, dh_tensor_arange(y, -0x1p53, -0x1p53 - 4, -1, DH_I64), -BIG, -BIG - 1, -BIG - 2,
          -BIG - 3);
    GIVES(int64_t, dh_tensor_arange(y, 1, 0x1p62, 0x1p61, DH_I64), 1, (INT64_C(1) << 61) + 1);
    GIVES(int64_t, dh_tensor_arange(y, -1, 0x1p62, 0x1p61, DH_I64), -1, (INT64_C(1) << 61) - 1,
          (INT64_C(1) << 62) - 1);
    GIVES(int64_t, dh_tensor_arange(y, -0x1p63, 0x1p63, 0x1p63, DH_I64), INT64_MIN, 0);
    GIVES(uint64_t, dh_tensor_arange(y, 0x1p63, 0x1p64, 0x1p62, DH_U64), UINT64_C(1) << 63,
          UINT64_C(3) << 62);
    GIVES(uint64_t, dh_tensor_arange(y, 0x1p64, 0, -0x1p63, DH_U64), UINT64_MAX, UINT64_C(1) << 63);
    GIVES(uint64_t, dh_tensor_arange(y, 3, 0x1p64, 0x1p63, DH_U64), 3, (UINT64_C(1) << 63) + 3);
    /* as a cast: outside the range the nearest end */
    GIVES(uint64_t, dh_tensor_arange(y, -2, 2, 1, DH_U64), 0, 0, 0, 1);
    GIVES(int8_t, dh_tensor_arange(y, 126, 130, 1, DH_I8), 126, 127, 127, 127);
    GIVES(int64_t, dh_tensor_arange(y, 0.5, 3, 0.75, DH_I64), 0, 1, 2, 2);
    GIVES(int64_t, dh_tensor_arange(y, 0x1p62, 0x1p80, 0x1p79, DH_I64), INT64_C(1) << 62,
          INT64_MAX);
    GIVES(int64_t, dh_tensor_arange(y, -1e300, 1e300, 1e300, DH_I64), INT64_MIN, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(compared),
                                       cmocka_unit_test(compared_with_numbers),
                                       cmocka_unit_test(close_to_each_other),
                                       cmocka_unit_test(clamped), cmocka_unit_test(counted_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
