/* SPDX-License-Identifier: MIT */
/* Tensors as objects: what they are, elements, storage of the caller's, copies, bad arguments. */
#include "expect.h"

static void test_describe(void **state)
{
    (void)state;
    char text[40], small[6];
    dh_tensor *x = counted(DH_I16, SHAPE(2, 0, 3)), *s = make(DH_F64, 0, NULL, VALUES(2.5));
    assert_string_equal(dh_tensor_describe(x, text, sizeof text), "[2, 0, 3] i16");
    assert_string_equal(dh_tensor_describe(s, text, sizeof text), "[] f64");
    assert_string_equal(dh_tensor_describe(NULL, text, sizeof text), "NULL");
    assert_string_equal(dh_tensor_describe(x, small, sizeof small), "[2, 0");
    assert_string_equal(dh_tensor_describe(x, NULL, 9), "");
    assert_string_equal(dh_tensor_describe(x, text, 0), "");
    assert_int_equal(dh_tensor_dtype(x), DH_I16);
    assert_int_equal(dh_tensor_ndim(x), 3);
    assert_int_equal(dh_tensor_dim(x, -1), 3);
    assert_int_equal(dh_tensor_dim(x, -3), 2);
    assert_int_equal(dh_tensor_dim(x, 3), -1);
    assert_int_equal(dh_tensor_dim(x, -4), -1);
    assert_int_equal(dh_tensor_count(x), 0);
    assert_int_equal(dh_tensor_count(s), 1);
    assert_true(dh_tensor_is_contiguous(x));
    assert_string_equal(dh_tensor_device(x), "cpu");
    assert_non_null(dh_tensor_data(x));
    dh_tensor_free(x);
    dh_tensor_free(s);
    assert_int_equal(dh_tensor_dtype(NULL), DH_DTYPE_DEFAULT);
    assert_int_equal(dh_tensor_ndim(NULL), 0);
    assert_int_equal(dh_tensor_dim(NULL, 0), -1);
    assert_int_equal(dh_tensor_count(NULL), 0);
    assert_null(dh_tensor_shape(NULL));
    assert_null(dh_tensor_strides(NULL));
    assert_null(dh_tensor_device(NULL));
    assert_null(dh_tensor_data(NULL));
    assert_false(dh_tensor_is_contiguous(NULL));
    dh_tensor_free(NULL);
}

static void test_new(void **state)
{
    (void)state;
    dh_tensor *t = NULL;
    int64_t huge[2] = {INT64_MAX, INT64_MAX}, hidden[3] = {INT64_MAX, 0, INT64_MAX};
    EXPECT_FAIL(DH_EOVERFLOW, dh_tensor_new(&t, DH_F32, 2, huge), "does not fit", "f32");
    EXPECT_FAIL(DH_EOVERFLOW, dh_tensor_new(&t, DH_F32, 3, hidden), "does not fit", "f32");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_new(&t, DH_F32, 9, huge), "ndim is 9", "[0, 8]");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_new(&t, DH_F32, -1, huge), "ndim is -1", "[0, 8]");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_new(&t, DH_F32, SHAPE(2, -3)), "shape[1]", "-3");
    EXPECT_FAIL(DH_EDTYPE, dh_tensor_new(&t, (dh_dtype)99, SHAPE(2)), "dtype is 99", "tensor_new");
    EXPECT_FAIL(DH_EDTYPE, dh_tensor_new(&t, (dh_dtype)-1, SHAPE(2)), "dtype is -1", "tensor_new");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_new(&t, DH_F32, 2, NULL), "shape", "NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_new(NULL, DH_F32, SHAPE(2)), "out", "NULL");
    assert_null(t);
    assert_int_equal(dh_tensor_new(&t, DH_DTYPE_DEFAULT, SHAPE(3)), DH_OK);
    assert_int_equal(dh_tensor_dtype(t), DH_F32);
    assert_true((uintptr_t)dh_tensor_data(t) % 64 == 0);
    dh_tensor_free(t);
}

static void test_get_set(void **state)
{
    (void)state;
    dh_tensor *x = counted(DH_I8, SHAPE(2, 3)), *y = NULL;
    double v = -7;
    assert_int_equal(dh_tensor_get(&v, x, (int64_t[]){1, 2}), DH_OK);
    assert_true(v == 5);
    assert_int_equal(dh_tensor_get(&v, x, (int64_t[]){-2, -1}), DH_OK);
    assert_true(v == 2);
    EXPECT_FAIL(DH_EINVAL, dh_tensor_get(&v, x, (int64_t[]){2, 0}), "index[0] is 2", "length 2");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_get(&v, x, (int64_t[]){0, -4}), "index[1] is -4", "length 3");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_get(&v, x, (int64_t[]){0, INT64_MIN}), "index[1]", "length 3");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_get(&v, x, NULL), "tensor_get", "index is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_get(NULL, x, (int64_t[]){0, 0}), "tensor_get", "out");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_get(&v, NULL, (int64_t[]){0, 0}), "tensor_get", "tensor");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_set(NULL, (int64_t[]){0, 0}, 1), "tensor_set", "tensor");
    assert_true(v == 2);
    assert_int_equal(dh_tensor_permute(&y, x, NULL), DH_OK);
    assert_int_equal(dh_tensor_set(y, (int64_t[]){2, 0}, 300), DH_OK); /* saturates, as a cast */
    dh_tensor_free(y);
    expect(x, SHAPE(2, 3), VALUES(0, 1, 127, 3, 4, 5));
}

static int released;
static void *released_data, *released_payload;

static void release(void *data, void *payload)
{
    released++;
    released_data = data;
    released_payload = payload;
}

static dh_status adopt(void *context)
{
    dh_tensor *t;
    int before = released;
    dh_status status = dh_tensor_from_memory(&t, context, DH_F32, SHAPE(2, 2), release, &released);
    if (!status) dh_tensor_free(t);
    assert_int_equal(released - before, status ? 0 : 1);
    return status;
}

static void test_from_memory(void **state)
{
    (void)state;
    float data[6] = {0, 1, 2, 3, 4, 5};
    dh_tensor *x = NULL, *part = NULL, *copy = NULL;
    released = 0;
    assert_int_equal(dh_tensor_from_memory(&x, data, DH_F32, SHAPE(2, 3), release, data), DH_OK);
    assert_ptr_equal(dh_tensor_data(x), data);
    assert_int_equal(dh_tensor_slice(&part, x, ":,1"), DH_OK);
    dh_tensor_free(x);
    assert_int_equal(released, 0); /* the view still looks at it */
    assert_int_equal(dh_tensor_fill(part, 9), DH_OK);
    assert_int_equal(dh_tensor_copy(&copy, part), DH_OK);
    dh_tensor_free(part);
    assert_int_equal(released, 1);
    assert_ptr_equal(released_data, data);
    assert_ptr_equal(released_payload, data);
    assert_true(data[0] == 0 && data[1] == 9 && data[3] == 3 && data[4] == 9);
    expect(copy, SHAPE(2), VALUES(9, 9));

    released = 0;
    x = NULL;
    EXPECT_FAIL(DH_EINVAL,
                dh_tensor_from_memory(&x, (char *)data + 1, DH_F32, SHAPE(1), release, NULL),
                "aligned", "f32");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_from_memory(&x, NULL, DH_F32, SHAPE(1), release, NULL), "data",
                "NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_from_memory(NULL, data, DH_F32, SHAPE(1), release, NULL),
                "out", "NULL");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_from_memory(&x, data, DH_F32, SHAPE(-1), release, NULL),
                "shape[0]", "-1");
    EXPECT_FAIL(DH_EDTYPE, dh_tensor_from_memory(&x, data, (dh_dtype)0, SHAPE(1), release, NULL),
                "dtype is 0", "from_memory");
    assert_null(x);
    assert_int_equal(released, 0);
    fail_each_allocation(adopt, data);
    assert_int_equal(released, 1);
    assert_int_equal(dh_tensor_from_memory(&x, data, DH_F32, SHAPE(6), NULL, NULL), DH_OK);
    dh_tensor_free(x);

    assert_int_equal(dh_tensor_from_data(&copy, data, DH_F32, SHAPE(3)), DH_OK);
    data[0] = 77;
    expect(copy, SHAPE(3), VALUES(0, 9, 2));
    EXPECT_FAIL(DH_EINVAL, dh_tensor_from_data(&x, NULL, DH_F32, SHAPE(3)), "from_data", "data");
}

static void test_assign(void **state)
{
    (void)state;
    dh_tensor *x = counted(DH_F32, SHAPE(6)), *low = NULL, *high = NULL, *back = NULL;
    dh_tensor *m = counted(DH_I32, SHAPE(3, 3)), *t = NULL, *bad = counted(DH_F32, SHAPE(4));
    assert_int_equal(dh_tensor_slice(&low, x, ":4"), DH_OK);
    assert_int_equal(dh_tensor_slice(&high, x, "2:"), DH_OK);
    assert_int_equal(dh_tensor_assign(high, low), DH_OK); /* partly on itself */
    assert_int_equal(dh_tensor_slice(&back, x, "::-1"), DH_OK);
    dh_tensor_free(low);
    dh_tensor_free(high);
    assert_int_equal(dh_tensor_assign(x, back), DH_OK);
    dh_tensor_free(back);
    assert_int_equal(dh_tensor_transpose(&t, m, 0, 1), DH_OK);
    assert_int_equal(dh_tensor_assign(m, t), DH_OK);
    dh_tensor_free(t);
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_assign(x, bad), "[4]", "[6]");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_assign(NULL, x), "dst", "NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_assign(x, NULL), "x", "NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_fill(NULL, 1), "dst", "NULL");
    dh_tensor_free(bad);
    expect(x, SHAPE(6), VALUES(3, 2, 1, 0, 1, 0));
    expect(m, SHAPE(3, 3), VALUES(0, 3, 6, 1, 4, 7, 2, 5, 8));
}

/* The one -1, axes of length 0, views where strides allow. */
static void test_empty_reshape(void **state)
{
    (void)state;
    dh_tensor *e = counted(DH_F32, SHAPE(0, 3)), *y = NULL;
    EXPECT_FAIL(DH_EINVAL, dh_tensor_reshape(NULL, e, SHAPE(5, 0)), "reshape", "out is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_reshape(NULL, e, SHAPE(0, 5)), "reshape", "out is NULL");
    assert_int_equal(dh_tensor_reshape(&y, e, SHAPE(5, 0)), DH_OK);
    expect(y, SHAPE(5, 0), NULL);
    y = NULL;
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_reshape(&y, e, SHAPE(-1, 5, 0)), "shape[0] is -1",
                "shape[2] is 0");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_reshape(&y, e, SHAPE(2, 2)), "reshape", "[0, 3]");
    assert_null(y);
    dh_tensor_free(e);
}

static void test_bad_arguments(void **state)
{
    (void)state;
    dh_tensor *x = counted(DH_F32, SHAPE(2, 3)), *y = NULL;
#define NULLS(name, ...)                                                          \
    EXPECT_FAIL(DH_EINVAL, dh_tensor_##name(NULL, x, __VA_ARGS__), #name, "out"); \
    EXPECT_FAIL(DH_EINVAL, dh_tensor_##name(&y, NULL, __VA_ARGS__), #name, "x is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_view(NULL, x), "view", "out");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_view(&y, NULL), "view", "x is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_copy(NULL, x), "copy", "out");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_copy(&y, NULL), "copy", "x is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_contiguous(NULL, x), "out", "NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_contiguous(&y, NULL), "contiguous", "x is NULL");
    NULLS(cast, DH_F64)
    NULLS(to_device, "cpu")
    NULLS(reshape, SHAPE(6))
    NULLS(permute, NULL)
    NULLS(squeeze, 0)
    NULLS(unsqueeze, 0)
    NULLS(slice, ":")
    NULLS(broadcast, SHAPE(2, 2, 3))
    EXPECT_FAIL(DH_EINVAL, dh_tensor_transpose(&y, NULL, 0, 1), "transpose", "x is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_transpose(NULL, x, 0, 1), "out", "NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_transpose(&y, x, 0, 2), "axis1 is 2", "2 axes");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_unsqueeze(&y, x, 4), "axis is 4", "unsqueeze");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_squeeze(&y, x, -1), "length 3", "squeeze");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_squeeze(&y, x, 5), "axis is 5", "2 axes");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_broadcast(&y, x, SHAPE(3)), "ndim is 1", "[2, 8]");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_broadcast(&y, x, SHAPE(4, 3)), "[2, 3]", "[4, 3]");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_broadcast(&y, x, 2, NULL), "shape", "NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_reshape(&y, x, 1, NULL), "shape", "NULL");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_reshape(&y, x, 9, NULL), "ndim is 9", "[0, 8]");
    EXPECT_FAIL(DH_ENAME, dh_tensor_to_device(&y, x, "cqu"), "cqu", "cpu");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_permute(&y, x, (int[]){0, 0}), "permute", "0");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_permute(&y, x, (int[]){0, 2}), "permute", "2");
    assert_null(y);
    dh_tensor_free(x);
}

static dh_status much(void *context)
{
    dh_tensor *x = context, *made[8] = {0};
    dh_status status = dh_tensor_permute(&made[0], x, NULL);
    if (!status) status = dh_tensor_contiguous(&made[1], made[0]);
    if (!status) status = dh_tensor_cast(&made[2], made[0], DH_F16);
    if (!status) status = dh_tensor_slice(&made[3], x, "1:,0");
    if (!status) status = dh_tensor_broadcast(&made[4], made[3], SHAPE(3, 1));
    if (!status) status = dh_tensor_reshape(&made[5], made[0], SHAPE(-1));
    if (!status) status = dh_tensor_assign(made[0], made[1]);
    if (!status) status = dh_tensor_assign(made[0], made[2]);
    if (!status) status = dh_tensor_to_device(&made[6], x, "cpu");
    if (!status) status = dh_tensor_squeeze(&made[7], made[4], 1);
    for (int i = 0; i < 8; i++) dh_tensor_free(made[i]);
    return status;
}

static void test_failing_allocations(void **state)
{
    (void)state;
    dh_tensor *x = counted(DH_F32, SHAPE(2, 3));
    fail_each_allocation(much, x);
    expect(x, SHAPE(2, 3), VALUES(0, 1, 2, 3, 4, 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_describe),      cmocka_unit_test(test_new),
        cmocka_unit_test(test_get_set),       cmocka_unit_test(test_from_memory),
        cmocka_unit_test(test_assign),        cmocka_unit_test(test_empty_reshape),
        cmocka_unit_test(test_bad_arguments), cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
