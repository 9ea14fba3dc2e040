/* SPDX-License-Identifier: MIT */
/* Shapes by the eager API: views, joins, bad input. Values of every op are tests/ops' matter. */
#include <deephealth/tensor_shape.h>

#include "expect.h"

static dh_tensor *slice_of(const dh_tensor *x, const char *text)
{
    dh_tensor *y = NULL;
    if (dh_tensor_slice(&y, x, text)) fail_msg("\"%s\": %s", text, dh_error_text());
    return y;
}

/* EDDL's table of index strings, by Python's rules: an integer drops its axis, a reversed range is
 * empty. */
static void test_slices(void **state)
{
    (void)state;
    dh_tensor *x = counted(DH_F32, SHAPE(10)), *m = counted(DH_I32, SHAPE(3, 4));
    expect(slice_of(x, "0"), 0, NULL, VALUES(0));
    expect(slice_of(x, "-1"), 0, NULL, VALUES(9));
    expect(slice_of(x, ":"), SHAPE(10), VALUES(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
    expect(slice_of(x, "5:"), SHAPE(5), VALUES(5, 6, 7, 8, 9));
    expect(slice_of(x, ":5"), SHAPE(5), VALUES(0, 1, 2, 3, 4));
    expect(slice_of(x, "1:4"), SHAPE(3), VALUES(1, 2, 3));
    expect(slice_of(x, "-5:-1"), SHAPE(4), VALUES(5, 6, 7, 8));
    expect(slice_of(x, ":-7"), SHAPE(3), VALUES(0, 1, 2));
    expect(slice_of(x, "::-3"), SHAPE(4), VALUES(9, 6, 3, 0));
    expect(slice_of(x, "7:100:2"), SHAPE(2), VALUES(7, 9));
    expect(slice_of(x, "8:2"), SHAPE(0), NULL);
    expect(slice_of(m, "1,:"), SHAPE(4), VALUES(4, 5, 6, 7));
    expect(slice_of(m, "...,1"), SHAPE(3), VALUES(1, 5, 9));
    expect(slice_of(m, "::2,::-1"), SHAPE(2, 4), VALUES(3, 2, 1, 0, 11, 10, 9, 8));
    dh_tensor *out = NULL;
    EXPECT_FAIL(DH_EINVAL, dh_tensor_slice(&out, x, "10"), "10", "slice");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_slice(&out, x, "-11"), "-11", "length 10");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_slice(&out, x, "::0"), "step", "::0");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_slice(&out, x, "a"), "tensor_slice", "\"a\"");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_slice(&out, x, "0,0"), "0,0", "1");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_slice(&out, NULL, "0"), "tensor_slice", "x is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_slice(&out, x, NULL), "tensor_slice", "slices is NULL");
    assert_null(out);
    dh_tensor_free(x);
    dh_tensor_free(m);
}

static void test_write_through_slice(void **state)
{
    (void)state;
    dh_tensor *x = counted(DH_F32, SHAPE(3, 4)), *part = slice_of(x, "1:,::2");
    dh_tensor *v = make(DH_I32, SHAPE(2), VALUES(-1, -2));
    assert_int_equal(dh_tensor_assign(part, v), DH_OK);
    dh_tensor_free(part);
    dh_tensor_free(v);
    expect(x, SHAPE(3, 4), VALUES(0, 1, 2, 3, -1, 5, -2, 7, -1, 9, -2, 11));
}

static void test_reshape(void **state)
{
    (void)state;
    dh_tensor *x = counted(DH_F32, SHAPE(2, 3, 4)), *t = NULL, *y = NULL;
    assert_int_equal(dh_tensor_reshape(&y, x, SHAPE(6, -1)), DH_OK);
    assert_ptr_equal(dh_tensor_data(y), dh_tensor_data(x)); /* a view */
    expect_shape(y, SHAPE(6, 4));
    dh_tensor_free(y);
    assert_int_equal(dh_tensor_permute(&t, x, (int[]){2, 0, 1}), DH_OK);
    assert_int_equal(dh_tensor_reshape(&y, t, SHAPE(4, 6)), DH_OK);
    assert_ptr_equal(dh_tensor_data(y), dh_tensor_data(x)); /* axes 0 and 1 merge still */
    dh_tensor_free(y);
    assert_int_equal(dh_tensor_reshape(&y, t, SHAPE(24)), DH_OK);
    assert_ptr_not_equal(dh_tensor_data(y), dh_tensor_data(x)); /* a copy */
    assert_true(element(y, 1) == 4 && element(y, 23) == 23);
    dh_tensor_free(y);
    y = NULL;
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_reshape(&y, x, SHAPE(5, 5)), "[2, 3, 4]", "[5, 5]");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_reshape(&y, x, SHAPE(-1, -1)), "[2, 3, 4]", "[-1, -1]");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_reshape(&y, x, SHAPE(5, -1)), "[2, 3, 4]", "[5, -1]");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_reshape(&y, x, SHAPE(-2, 12)), "shape", "-2");
    int64_t huge = (int64_t)1 << 62;
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_reshape(&y, x, SHAPE(huge, huge, -1)), "[2, 3, 4]", "reshape");
    assert_null(y);
    dh_tensor_free(t);
    dh_tensor_free(x);
    x = counted(DH_F32, SHAPE(0, 3));
    assert_int_equal(dh_tensor_reshape(&y, x, SHAPE(0)), DH_OK);
    expect(y, SHAPE(0), NULL);
    assert_int_equal(dh_tensor_reshape(&y, x, SHAPE(7, 0)), DH_OK);
    expect(y, SHAPE(7, 0), NULL);
    dh_tensor_free(x);
}

/* EDDL's squeeze, unsqueeze and expand tables. */
static void test_squeeze_expand(void **state)
{
    (void)state;
    dh_tensor *x = counted(DH_F32, SHAPE(1, 3, 1)), *y = NULL;
    assert_int_equal(dh_tensor_squeeze(&y, x, DH_ALL_AXES), DH_OK);
    expect(y, SHAPE(3), VALUES(0, 1, 2));
    assert_int_equal(dh_tensor_squeeze(&y, x, -1), DH_OK);
    expect(y, SHAPE(1, 3), VALUES(0, 1, 2));
    assert_int_equal(dh_tensor_unsqueeze(&y, x, -1), DH_OK);
    expect(y, SHAPE(1, 3, 1, 1), VALUES(0, 1, 2));
    y = NULL;
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_squeeze(&y, x, 1), "axis 1", "3");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_unsqueeze(&y, x, 5), "5", "tensor_unsqueeze");
    dh_tensor_free(x);
    x = counted(DH_F32, SHAPE(3, 1));
    assert_int_equal(dh_tensor_broadcast(&y, x, SHAPE(3, 3)), DH_OK);
    expect(y, SHAPE(3, 3), VALUES(0, 0, 0, 1, 1, 1, 2, 2, 2));
    dh_tensor_free(x);
}

static void test_permute_family(void **state)
{
    (void)state;
    dh_tensor *x = counted(DH_U8, SHAPE(2, 3)), *y = NULL, *z = counted(DH_F32, SHAPE(2, 3, 4));
    assert_int_equal(dh_tensor_permute(&y, x, NULL), DH_OK);
    expect(y, SHAPE(3, 2), VALUES(0, 3, 1, 4, 2, 5));
    assert_int_equal(dh_tensor_swapaxes(&y, x, 0, -1), DH_OK);
    expect(y, SHAPE(3, 2), VALUES(0, 3, 1, 4, 2, 5));
    assert_int_equal(dh_tensor_moveaxis(&y, z, 0, -1), DH_OK);
    expect_shape(y, SHAPE(3, 4, 2));
    assert_true(element(y, 1) == 12);
    dh_tensor_free(y);
    assert_int_equal(dh_tensor_moveaxis(&y, z, 2, 0), DH_OK);
    expect_shape(y, SHAPE(4, 2, 3));
    assert_true(element(y, 1) == 4);
    dh_tensor_free(y);
    assert_int_equal(dh_tensor_flip(&y, x, 1), DH_OK);
    expect(y, SHAPE(2, 3), VALUES(2, 1, 0, 5, 4, 3));
    assert_int_equal(dh_tensor_flip(&y, x, DH_ALL_AXES), DH_OK);
    expect(y, SHAPE(2, 3), VALUES(5, 4, 3, 2, 1, 0));
    y = NULL;
    EXPECT_FAIL(DH_EINVAL, dh_tensor_permute(&y, x, (int[]){0, 0}), "permute", "axis 0");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_moveaxis(&y, x, 2, 0), "from is 2", "2 axes");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_flip(&y, x, -3), "axis is -3", "2 axes");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_swapaxes(NULL, x, 0, 1), "tensor_swapaxes", "out is NULL");
    dh_tensor_free(x);
    dh_tensor_free(z);
}

static void test_concat_stack(void **state)
{
    (void)state;
    dh_tensor *a = make(DH_U8, SHAPE(1, 2), VALUES(1, 2)), *y = NULL;
    dh_tensor *b = make(DH_F32, SHAPE(1, 2), VALUES(3.5, 4)), *c = counted(DH_F32, SHAPE(1, 3));
    const dh_tensor *ab[2] = {a, b}, *bc[2] = {b, c}, *holes[2] = {a, NULL}, *many[20];
    assert_int_equal(dh_tensor_concat(&y, 2, ab, 0), DH_OK);
    assert_int_equal(dh_tensor_dtype(y), DH_F32); /* promoted */
    expect(y, SHAPE(2, 2), VALUES(1, 2, 3.5, 4));
    assert_int_equal(dh_tensor_concat(&y, 2, bc, -1), DH_OK);
    expect(y, SHAPE(1, 5), VALUES(3.5, 4, 0, 1, 2));
    assert_int_equal(dh_tensor_stack(&y, 2, ab, -1), DH_OK);
    expect(y, SHAPE(1, 2, 2), VALUES(1, 3.5, 2, 4));
    for (int i = 0; i < 20; i++) many[i] = a;
    assert_int_equal(dh_tensor_concat(&y, 20, many, 1), DH_OK);
    expect_shape(y, SHAPE(1, 40));
    assert_true(element(y, 39) == 2);
    dh_tensor_free(y);
    y = NULL;
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_concat(&y, 2, bc, 0), "[1, 3]", "[1, 2]");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_concat(&y, 2, ab, 2), "axis is 2", "2 axes");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_concat(&y, 2, holes, 0), "x[1]", "NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_concat(&y, 0, ab, 0), "count is 0", "tensor_concat");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_stack(&y, 2, bc, 0), "x[1] is [1, 3]", "x[0] is [1, 2]");
    assert_null(y);
    dh_tensor_free(a);
    dh_tensor_free(b);
    dh_tensor_free(c);
}

/* Pad and its way back, and repetition. */
static void test_pad_tile_repeat(void **state)
{
    (void)state;
    dh_tensor *x = make(DH_F32, SHAPE(2, 2), VALUES(1, 2, 3, 4)), *y = NULL, *back = NULL;
    const int64_t begin[2] = {1, 0}, end[2] = {0, 2}, negative[2] = {-1, 0};
    const int64_t huge[2] = {5000000000000000000, 0};
    assert_int_equal(dh_tensor_pad(&y, x, begin, end, 9), DH_OK);
    back = slice_of(y, "1:,:2");
    expect(y, SHAPE(3, 4), VALUES(9, 9, 9, 9, 1, 2, 9, 9, 3, 4, 9, 9));
    expect(back, SHAPE(2, 2), VALUES(1, 2, 3, 4));
    assert_int_equal(dh_tensor_tile(&y, x, 1, (int64_t[]){2}), DH_OK);
    expect(y, SHAPE(2, 4), VALUES(1, 2, 1, 2, 3, 4, 3, 4));
    assert_int_equal(dh_tensor_tile(&y, x, 3, (int64_t[]){2, 1, 1}), DH_OK);
    expect(y, SHAPE(2, 2, 2), VALUES(1, 2, 3, 4, 1, 2, 3, 4));
    assert_int_equal(dh_tensor_repeat(&y, x, 2, 0), DH_OK);
    expect(y, SHAPE(4, 2), VALUES(1, 2, 1, 2, 3, 4, 3, 4));
    assert_int_equal(dh_tensor_repeat(&y, x, 3, -1), DH_OK);
    expect(y, SHAPE(2, 6), VALUES(1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4));
    assert_int_equal(dh_tensor_repeat(&y, x, 0, 0), DH_OK);
    expect(y, SHAPE(0, 2), NULL);
    y = NULL;
    EXPECT_FAIL(DH_EINVAL, dh_tensor_pad(&y, x, negative, end, 0), "pad", "-1");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_pad(&y, x, NULL, end, 0), "tensor_pad", "begin is NULL");
    EXPECT_FAIL(DH_EOVERFLOW, dh_tensor_pad(&y, x, huge, end, 0), "[5000000000000000002, 4]",
                "does not fit");
    EXPECT_FAIL(DH_EOVERFLOW, dh_tensor_tile(&y, x, 1, huge), "5000000000000000000 times",
                "length 2");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_repeat(&y, x, -1, 0), "repeats is -1", "tensor_repeat");
    assert_null(y);
    dh_tensor_free(x);
}

static void test_diagonals(void **state)
{
    (void)state;
    dh_tensor *x = make(DH_I64, SHAPE(3, 3), VALUES(1, 2, 3, 4, 5, 6, 7, 8, 9)), *y = NULL;
    dh_tensor *v = make(DH_I32, SHAPE(2), VALUES(5, 6));
    assert_int_equal(dh_tensor_trace(&y, x, 0), DH_OK);
    expect(y, 0, NULL, VALUES(15)); /* EDDL's fixture */
    assert_int_equal(dh_tensor_trace(&y, x, -1), DH_OK);
    expect(y, 0, NULL, VALUES(12));
    assert_int_equal(dh_tensor_diag(&y, x, 1), DH_OK);
    expect(y, SHAPE(2), VALUES(2, 6));
    assert_int_equal(dh_tensor_diag(&y, v, 1), DH_OK);
    expect(y, SHAPE(3, 3), VALUES(0, 5, 0, 0, 0, 6, 0, 0, 0));
    assert_int_equal(dh_tensor_triu(&y, x, 1), DH_OK);
    expect(y, SHAPE(3, 3), VALUES(0, 2, 3, 0, 0, 6, 0, 0, 0));
    assert_int_equal(dh_tensor_tril(&y, x, 0), DH_OK);
    expect(y, SHAPE(3, 3), VALUES(1, 0, 0, 4, 5, 0, 7, 8, 9));
    y = NULL;
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_triu(&y, v, 0), "tensor_triu", "[2]");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_trace(&y, v, 0), "tensor_trace", "[2]");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_diag(&y, NULL, 0), "tensor_diag", "x is NULL");
    assert_null(y);
    dh_tensor_free(v);
    dh_tensor_free(x);
}

static dh_status work_shapes(void *context)
{
    const dh_tensor *x = context, *pair[2] = {x, x};
    dh_tensor *y = NULL;
    DH_TRY(dh_tensor_stack(&y, 2, pair, 0));
    dh_tensor_free(y);
    DH_TRY(dh_tensor_repeat(&y, x, 2, 0));
    dh_tensor_free(y);
    DH_TRY(dh_tensor_tile(&y, x, 1, (int64_t[]){2}));
    dh_tensor_free(y);
    DH_TRY(dh_tensor_trace(&y, x, 0));
    dh_tensor_free(y);
    return DH_OK;
}

static void test_allocation_failure(void **state)
{
    (void)state;
    dh_tensor *x = counted(DH_F32, SHAPE(3, 3));
    fail_each_allocation(work_shapes, x);
    dh_tensor_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_write_through_slice),
        cmocka_unit_test(test_reshape),
        cmocka_unit_test(test_squeeze_expand),
        cmocka_unit_test(test_permute_family),
        cmocka_unit_test(test_concat_stack),
        cmocka_unit_test(test_pad_tile_repeat),
        cmocka_unit_test(test_diagonals),
        cmocka_unit_test(test_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
