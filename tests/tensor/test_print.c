/* SPDX-License-Identifier: MIT */
/* Tensors as text: NumPy's nesting, long axes abbreviated, and a buffer that is never overrun. */
#include <stdlib.h>

#include "expect.h"

static void expect_text(dh_tensor *t, const char *want)
{
    char text[4096];
    size_t n = dh_tensor_print(t, text, sizeof text);
    assert_string_equal(text, want);
    assert_int_equal(n, strlen(want));
    dh_tensor_free(t);
}

static void test_layout(void **state)
{
    (void)state;
    expect_text(make(DH_F32, 0, NULL, VALUES(1.5)), "1.5");
    expect_text(make(DH_F32, SHAPE(3), VALUES(1, -0.25, 1e10)), "[1, -0.25, 1e+10]");
    expect_text(counted(DH_I8, SHAPE(2, 2)), "[[0, 1],\n [2, 3]]");
    expect_text(counted(DH_U8, SHAPE(2, 1, 2)), "[[[0, 1]],\n [[2, 3]]]");
    expect_text(counted(DH_U8, SHAPE(1, 2, 1)), "[[[0],\n  [1]]]");
    expect_text(make(DH_BOOL, SHAPE(2), VALUES(0, 1)), "[false, true]");
}

static void test_values(void **state)
{
    (void)state;
    int64_t i[2] = {INT64_MIN, INT64_MAX};
    uint64_t u[1] = {UINT64_MAX};
    dh_tensor *t = NULL;
    assert_int_equal(dh_tensor_from_data(&t, i, DH_I64, SHAPE(2)), DH_OK);
    expect_text(t, "[-9223372036854775808, 9223372036854775807]");
    assert_int_equal(dh_tensor_from_data(&t, u, DH_U64, SHAPE(1)), DH_OK);
    expect_text(t, "[18446744073709551615]");
    expect_text(make(DH_U32, SHAPE(1), VALUES(4294967295.0)), "[4294967295]");
    expect_text(make(DH_F16, SHAPE(2), VALUES(65504, 0x1p-24)), "[65504, 5.96046e-08]");
    /* the sign of a NaN says nothing, as in NumPy */
    expect_text(make(DH_F64, SHAPE(4), VALUES(NAN, copysign(NAN, -1), INFINITY, -INFINITY)),
                "[nan, nan, inf, -inf]");
}

static void test_views(void **state)
{
    (void)state;
    dh_tensor *x = counted(DH_F64, SHAPE(2, 3)), *y = NULL;
    assert_int_equal(dh_tensor_permute(&y, x, NULL), DH_OK);
    expect_text(y, "[[0, 3],\n [1, 4],\n [2, 5]]");
    assert_int_equal(dh_tensor_slice(&y, x, "1,::-2"), DH_OK);
    expect_text(y, "[5, 3]");
    assert_int_equal(dh_tensor_slice(&y, x, "0"), DH_OK);
    dh_tensor_free(x);
    expect_text(y, "[0, 1, 2]");
}

static void test_long(void **state)
{
    (void)state;
    expect_text(counted(DH_I32, SHAPE(1001)), "[0, 1, 2, ..., 998, 999, 1000]");
    expect_text(counted(DH_I32, SHAPE(2, 600)),
                "[[0, 1, 2, ..., 597, 598, 599],\n [600, 601, 602, ..., 1197, 1198, 1199]]");
    expect_text(
        counted(DH_I32, SHAPE(600, 2)),
        "[[0, 1],\n [2, 3],\n [4, 5],\n ...\n [1194, 1195],\n [1196, 1197],\n [1198, 1199]]");
    char text[8192];
    dh_tensor *t = counted(DH_I32, SHAPE(1000));
    (void)dh_tensor_print(t, text, sizeof text);
    assert_null(strstr(text, "..."));
    assert_non_null(strstr(text, " 500,"));
    dh_tensor_free(t);
}

/* Empty tensors are "[]" however long their other axes are. */
static void test_empty(void **state)
{
    (void)state;
    expect_text(counted(DH_F32, SHAPE(0)), "[]");
    expect_text(counted(DH_F32, SHAPE(0, 3)), "[]");
    expect_text(counted(DH_F32, SHAPE(1000000000, 1000000000, 0)), "[]");
}

static void test_buffer(void **state)
{
    (void)state;
    dh_tensor *t = counted(DH_F32, SHAPE(4));
    const char *whole = "[0, 1, 2, 3]";
    for (size_t size = 0; size <= strlen(whole) + 2; size++) {
        char *text = malloc(size ? size : 1); /* of that size, for the sanitizer to guard */
        text[0] = 'x';
        assert_int_equal(dh_tensor_print(t, text, size), strlen(whole));
        if (size)
            assert_true(strlen(text) == (size - 1 < strlen(whole) ? size - 1 : strlen(whole)) &&
                        !strncmp(text, whole, strlen(text)));
        else
            assert_true(text[0] == 'x');
        free(text);
    }
    assert_int_equal(dh_tensor_print(t, NULL, 0), strlen(whole));
    assert_int_equal(dh_tensor_print(t, NULL, 100), strlen(whole));
    dh_tensor_free(t);
    char text[8];
    assert_int_equal(dh_tensor_print(NULL, text, sizeof text), 4);
    assert_string_equal(text, "NULL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout), cmocka_unit_test(test_values), cmocka_unit_test(test_views),
        cmocka_unit_test(test_long),   cmocka_unit_test(test_empty),  cmocka_unit_test(test_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
