/* SPDX-License-Identifier: MIT */
/* Index, order and what depends on data, by the eager API. */
#include <deephealth/tensor_shape.h>

#include "expect.h"
#include "team.h"

static void test_gather_take(void **state)
{
    (void)state;
    dh_tensor *x = make(DH_F32, SHAPE(2, 3), VALUES(1, 2, 3, 4, 5, 6)), *y = NULL;
    dh_tensor *i = make(DH_I32, SHAPE(2, 2), VALUES(0, -1, 2, 2));
    dh_tensor *q = make(DH_I64, SHAPE(3), VALUES(1, 0, -1)), *s = make(DH_I64, 0, NULL, VALUES(1));
    assert_int_equal(dh_tensor_gather(&y, x, i, 1), DH_OK);
    expect(y, SHAPE(2, 2), VALUES(1, 3, 6, 6));
    assert_int_equal(dh_tensor_take(&y, x, q, 0), DH_OK);
    expect(y, SHAPE(3, 3), VALUES(4, 5, 6, 1, 2, 3, 4, 5, 6));
    assert_int_equal(dh_tensor_take(&y, x, i, -1), DH_OK);
    expect(y, SHAPE(2, 2, 2), VALUES(1, 3, 3, 3, 4, 6, 6, 6));
    assert_int_equal(dh_tensor_take(&y, x, s, 1), DH_OK);
    expect(y, SHAPE(2), VALUES(2, 5));
    y = NULL;
    EXPECT_FAIL(DH_EINVAL, dh_tensor_gather(&y, x, i, 0), "index[1, 0] is 2", "length 2");
    dh_tensor *low = make(DH_I64, SHAPE(2), VALUES(0, -4));
    EXPECT_FAIL(DH_EINVAL, dh_tensor_take(&y, x, low, 1), "index[1] is -4", "length 3");
    EXPECT_FAIL(DH_EDTYPE, dh_tensor_take(&y, x, x, 0), "take", "f32");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_gather(&y, x, q, 0), "[3]", "[2, 3]");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_gather(&y, x, i, 2), "axis is 2", "2 axes");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_gather(&y, x, NULL, 0), "tensor_gather", "index is NULL");
    assert_null(y);
    dh_tensor_free(low);
    dh_tensor_free(s);
    dh_tensor_free(q);
    dh_tensor_free(i);
    dh_tensor_free(x);
}

static void test_scatter(void **state)
{
    (void)state;
    dh_tensor *x = make(DH_F32, SHAPE(4), VALUES(1, 2, 3, 4)), *y = NULL;
    dh_tensor *i = make(DH_I64, SHAPE(3), VALUES(1, -1, 1)),
              *wrong = make(DH_F64, SHAPE(3), VALUES(1, 1, 1));
    dh_tensor *src = make(DH_F32, SHAPE(3), VALUES(10, 20, 30)),
              *out = make(DH_I64, SHAPE(3), VALUES(0, 4, 0));
    assert_int_equal(dh_tensor_scatter(&y, x, i, src, 0), DH_OK);
    expect(y, SHAPE(4), VALUES(1, 30, 3, 20)); /* the last of two counts */
    assert_int_equal(dh_tensor_scatter_add(&y, x, i, src, 0), DH_OK);
    expect(y, SHAPE(4), VALUES(1, 42, 3, 24));
    y = NULL;
    EXPECT_FAIL(DH_EDTYPE, dh_tensor_scatter(&y, x, i, wrong, 0), "f64", "f32");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_scatter_add(&y, x, i, x, 0), "[4]", "[3]");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_scatter_add(&y, x, out, src, 0), "index[1] is 4", "length 4");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_scatter(&y, x, i, NULL, 0), "tensor_scatter", "src is NULL");
    assert_null(y);
    dh_tensor_free(x);
    dh_tensor_free(i);
    dh_tensor_free(src);
    dh_tensor_free(out);
    dh_tensor_free(wrong);
}

/* Sums that meet at one target have the same bits for any number of threads. */
static void test_scatter_add_bits(void **state)
{
    (void)state;
    enum { ROWS = 3001, COLUMNS = 67 };
    dh_tensor *x = NULL, *src = NULL, *i = NULL, *first = NULL;
    assert_int_equal(dh_tensor_zeros(&x, {5, COLUMNS}), DH_OK);
    assert_int_equal(dh_tensor_random_normal(&src, {ROWS, COLUMNS}, .seed = 7), DH_OK);
    assert_int_equal(dh_tensor_zeros(&i, {ROWS, COLUMNS}, .dtype = DH_I64), DH_OK);
    int64_t *index = dh_tensor_data(i);
    for (int64_t k = 0; k < ROWS * COLUMNS; k++) index[k] = k * 7919 % 5;
    for (int threads = 1; threads <= 4; threads++) {
        int before = dh__team_limit(threads);
        dh_tensor *y = NULL;
        assert_int_equal(dh_tensor_scatter_add(&y, x, i, src, 0), DH_OK);
        dh__team_limit(before);
        if (first) {
            assert_memory_equal(dh_tensor_data(y), dh_tensor_data(first),
                                5 * COLUMNS * sizeof(float));
            dh_tensor_free(y);
        } else {
            first = y;
        }
    }
    dh_tensor_free(first);
    dh_tensor_free(x);
    dh_tensor_free(src);
    dh_tensor_free(i);
}

/* Ops that may take the memory of their input do so rightly, and fail before they touch it. */
static void test_in_place(void **state)
{
    (void)state;
    dh_tensor *x = make(DH_F32, SHAPE(2, 2), VALUES(1, 2, 3, 4));
    dh_tensor *i = make(DH_I64, SHAPE(2, 1), VALUES(0, 1)),
              *bad = make(DH_I64, SHAPE(2, 1), VALUES(0, 2));
    dh_tensor *src = make(DH_F32, SHAPE(2, 1), VALUES(10, 20));
    const dh_tensor *in[3] = {x, i, src}, *wrong[3] = {x, bad, src};
    dh_axis_attr axis = {1};
    assert_int_equal(dh__eager_into(DH_OP_SCATTER_ADD, &axis, 3, in, x), DH_OK);
    EXPECT_FAIL(DH_EINVAL, dh__eager_into(DH_OP_SCATTER, &axis, 3, wrong, x), "index[1, 0] is 2",
                "length 2");
    assert_int_equal(dh__eager_into(DH_OP_TRIANGLE, &(dh_triangle_attr){0, true}, 1, in, x), DH_OK);
    dh_tensor_free(i);
    dh_tensor_free(bad);
    dh_tensor_free(src);
    expect(x, SHAPE(2, 2), VALUES(11, 2, 0, 24));
}

static void test_sort(void **state)
{
    (void)state;
    dh_tensor *x = make(DH_F32, SHAPE(4), VALUES(1.2097, -.1372, -.5792, .5962)), *y = NULL,
              *i = NULL;
    assert_int_equal(dh_tensor_argsort(&y, x, 0, false), DH_OK);
    expect(y, SHAPE(4), VALUES(2, 1, 3, 0)); /* EDDL's fixture */
    dh_tensor_free(x);
    x = make(DH_F64, SHAPE(6), VALUES(NAN, 1, -INFINITY, -0.0, 0.0, INFINITY));
    assert_int_equal(dh_tensor_sort(&y, &i, x, 0, false), DH_OK);
    expect(y, SHAPE(6), VALUES(-INFINITY, 0, 0, 1, INFINITY, NAN));
    expect(i, SHAPE(6), VALUES(2, 3, 4, 1, 5, 0)); /* -0 and 0 are equal */
    assert_int_equal(dh_tensor_sort(&y, NULL, x, 0, true), DH_OK);
    expect(y, SHAPE(6), VALUES(NAN, INFINITY, 1, 0, 0, -INFINITY));
    dh_tensor_free(x);
    x = make(DH_I64, SHAPE(3), VALUES(0, 0, 0));
    memcpy(dh_tensor_data(x), (int64_t[]){INT64_MAX, INT64_MIN, INT64_MAX - 1}, 24);
    assert_int_equal(dh_tensor_argsort(&y, x, 0, false), DH_OK);
    expect(y, SHAPE(3), VALUES(1, 2, 0)); /* not by way of double */
    y = NULL;
    EXPECT_FAIL(DH_EINVAL, dh_tensor_sort(NULL, NULL, x, 0, false), "values and indices", "NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_sort(&y, NULL, x, 1, false), "axis is 1", "1 axes");
    dh_tensor_free(x);
}

static void test_topk(void **state)
{
    (void)state;
    dh_tensor *x = make(DH_I32, SHAPE(2, 4), VALUES(3, 7, 7, 1, 0, -5, 2, 2)), *y = NULL, *i = NULL;
    assert_int_equal(dh_tensor_topk(&y, &i, x, 2, -1, false), DH_OK);
    expect(y, SHAPE(2, 2), VALUES(7, 7, 2, 2));
    expect(i, SHAPE(2, 2), VALUES(1, 2, 2, 3)); /* of equals the lower index first */
    assert_int_equal(dh_tensor_topk(&y, NULL, x, 1, 0, true), DH_OK);
    expect(y, SHAPE(1, 4), VALUES(0, -5, 2, 1));
    dh_tensor_free(x);
    x = make(DH_F32, SHAPE(4), VALUES(1, NAN, INFINITY, -2)); /* NaN is larger than all */
    assert_int_equal(dh_tensor_topk(&y, &i, x, 2, 0, false), DH_OK);
    expect(y, SHAPE(2), VALUES(NAN, INFINITY));
    expect(i, SHAPE(2), VALUES(1, 2));
    assert_int_equal(dh_tensor_topk(&y, NULL, x, 4, 0, true), DH_OK);
    expect(y, SHAPE(4), VALUES(-2, 1, INFINITY, NAN));
    y = NULL;
    dh_tensor_free(x);
    x = make(DH_I32, SHAPE(2, 4), VALUES(3, 7, 7, 1, 0, -5, 2, 2));
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_topk(&y, NULL, x, 5, 1, false), "k is 5", "[0, 4]");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_topk(&y, NULL, x, -1, 1, false), "k is -1", "[0, 4]");
    assert_null(y);
    dh_tensor_free(x);
}

static void test_one_hot(void **state)
{
    (void)state;
    dh_tensor *i = make(DH_U8, SHAPE(3), VALUES(0, 2, 1)), *y = NULL;
    dh_tensor *bad = make(DH_I32, SHAPE(2), VALUES(1, 3)), *f = make(DH_F32, SHAPE(1), VALUES(0));
    assert_int_equal(dh_tensor_one_hot(&y, i, 3, DH_DTYPE_DEFAULT), DH_OK);
    assert_int_equal(dh_tensor_dtype(y), DH_F32);
    expect(y, SHAPE(3, 3), VALUES(1, 0, 0, 0, 0, 1, 0, 1, 0));
    y = NULL;
    EXPECT_FAIL(DH_EINVAL, dh_tensor_one_hot(&y, bad, 3, DH_F32), "index[1] is 3", "length 3");
    EXPECT_FAIL(DH_EDTYPE, dh_tensor_one_hot(&y, f, 3, DH_F32), "one_hot", "f32");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_one_hot(&y, i, -1, DH_F32), "depth is -1", "one_hot");
    assert_null(y);
    dh_tensor_free(i);
    dh_tensor_free(bad);
    dh_tensor_free(f);
}

static void test_nonzero_unique(void **state)
{
    (void)state;
    dh_tensor *x = make(DH_F32, SHAPE(2, 3), VALUES(0, 5, -0.0, NAN, 0, 5)), *t = NULL, *y = NULL,
              *n = NULL;
    assert_int_equal(dh_tensor_nonzero(&y, x), DH_OK);
    expect(y, SHAPE(3, 2), VALUES(0, 1, 1, 0, 1, 2));
    assert_int_equal(dh_tensor_transpose(&t, x, 0, 1), DH_OK);
    assert_int_equal(dh_tensor_nonzero(&y, t), DH_OK);
    expect(y, SHAPE(3, 2), VALUES(0, 1, 1, 0, 2, 1));
    assert_int_equal(dh_tensor_unique(&y, &n, t), DH_OK);
    expect(y, SHAPE(3), VALUES(0, 5, NAN));
    expect(n, SHAPE(3), VALUES(3, 2, 1));
    dh_tensor_free(t);
    dh_tensor_free(x);
    x = make(DH_I8, SHAPE(0), NULL);
    assert_int_equal(dh_tensor_unique(&y, NULL, x), DH_OK);
    expect(y, SHAPE(0), NULL);
    assert_int_equal(dh_tensor_nonzero(&y, x), DH_OK);
    expect(y, SHAPE(0, 1), NULL);
    y = NULL;
    EXPECT_FAIL(DH_EINVAL, dh_tensor_unique(NULL, &y, x), "tensor_unique", "values is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_nonzero(&y, NULL), "tensor_nonzero", "x is NULL");
    dh_tensor_free(x);
}

static dh_status work_index(void *context)
{
    const dh_tensor *x = context;
    dh_tensor *y = NULL, *n = NULL, *t = NULL;
    DH_TRY(dh_tensor_sort(&y, &n, x, 0, false));
    dh_status status = dh_tensor_gather(&t, x, n, 0);
    dh_tensor_free(y);
    dh_tensor_free(n);
    DH_TRY(status);
    dh_tensor_free(t);
    DH_TRY(dh_tensor_unique(&y, &n, x));
    dh_tensor_free(y);
    dh_tensor_free(n);
    DH_TRY(dh_tensor_nonzero(&y, x));
    dh_tensor_free(y);
    return DH_OK;
}

static void test_allocation_failure(void **state)
{
    (void)state;
    dh_tensor *x = counted(DH_F32, SHAPE(5));
    fail_each_allocation(work_index, x);
    dh_tensor_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gather_take),
        cmocka_unit_test(test_scatter),
        cmocka_unit_test(test_scatter_add_bits),
        cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_sort),
        cmocka_unit_test(test_topk),
        cmocka_unit_test(test_one_hot),
        cmocka_unit_test(test_nonzero_unique),
        cmocka_unit_test(test_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
