/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include <deephealth/tensor_reduce.h>

#include "expect.h"
#include "rng.h"
#include "team.h"

/* y stays as it was. */
#define FAILS(call, status, ...)                \
    do {                                        \
        dh_tensor *before = y;                  \
        EXPECT_FAIL(status, call, __VA_ARGS__); \
        assert_ptr_equal(y, before);            \
    } while (0)

/* Element i of a contiguous result, which is then freed. */
static double take(dh_tensor *t, int64_t i)
{
    double v = dh__load(t->view.dtype,
                        (const char *)t->view.data + (size_t)i * dh_dtype_size(t->view.dtype));
    dh_tensor_free(t);
    return v;
}

static void bad_input(void **state)
{
    DH_UNUSED(state);
    dh_tensor *y = NULL, *x = floats(2, 3, (float[]){1, 2, 3, 4, 5, 6});
    dh_tensor *i = tensor(DH_I32, 1, (int64_t[]){2}, (int32_t[]){1, 2});
    dh_tensor *e = tensor(DH_F32, 2, (int64_t[]){0, 3}, (float[]){0});
    FAILS(dh_tensor_sum(NULL, x), DH_EINVAL, "tensor_sum", "out is NULL");
    FAILS(dh_tensor_sum(&y, NULL), DH_EINVAL, "tensor_sum", "x is NULL");
    FAILS((dh_tensor_sum)(&y, NULL), DH_EINVAL, "tensor_sum", "args is NULL");
    FAILS((dh_tensor_sum)(&y, &(dh_reduce_args){.x = x}), DH_EINVAL, "struct_size is 0");
    FAILS(dh_tensor_sum(&y, x, .axes = {2}, .axis_count = 1), DH_EINVAL, "sum", "axes[0] is 2",
          "2 axes");
    FAILS(dh_tensor_max(&y, x, .axes = {-3}, .axis_count = 1), DH_EINVAL, "max", "-3", "2 axes");
    FAILS(dh_tensor_sum(&y, x, .axes = {1, -1}, .axis_count = 2), DH_EINVAL,
          "axes[1] is -1, axis 1 is there already");
    FAILS(dh_tensor_sum(&y, x, .axis_count = 9), DH_EINVAL, "axis_count is 9", "[0, 8]");
    FAILS(dh_tensor_sum(&y, x, .axis_count = -1), DH_EINVAL, "axis_count is -1");
    FAILS(dh_tensor_sum(&y, x, .axes = {1}), DH_EINVAL, "axes[0] is 1", "axis_count is 0");
    FAILS(dh_tensor_var(&y, x, .ddof = -1), DH_EINVAL, "var", "ddof", "-1");
    FAILS(dh_tensor_mean(&y, i), DH_EDTYPE, "mean", "i32", "f32");
    FAILS(dh_tensor_norm(&y, i), DH_EDTYPE, "norm", "i32");
    FAILS(dh_tensor_std(NULL, x), DH_EINVAL, "tensor_std", "out");
    FAILS(dh_tensor_max(&y, e), DH_ESHAPE, "max", "[0, 3]");
    FAILS(dh_tensor_argmin(&y, e, .axes = {0}, .axis_count = 1), DH_ESHAPE, "argmin", "[0, 3]");
    FAILS(dh_tensor_argmax(&y, x, .axes = {0, 1}, .axis_count = 2), DH_EINVAL, "argmax",
          "2 entries");
    FAILS(dh_tensor_median(&y, e), DH_ESHAPE, "median", "[0, 3]");
    FAILS(dh_tensor_mode(&y, x, .axes = {0, 1}, .axis_count = 2), DH_EINVAL, "mode", "2 entries");
    FAILS(dh_tensor_median(&y, x, .axes = {4}, .axis_count = 1), DH_EINVAL, "median", "4",
          "2 axes");
    FAILS(dh_tensor_softmax(&y, NULL, 0), DH_EINVAL, "tensor_softmax", "x is NULL");
    FAILS(dh_tensor_softmax(NULL, x, 0), DH_EINVAL, "tensor_softmax", "out is NULL");
    FAILS(dh_tensor_softmax(&y, x, 2), DH_EINVAL, "softmax", "axis is 2", "2 axes");
    FAILS(dh_tensor_log_softmax(&y, i, 0), DH_EDTYPE, "log_softmax", "i32");
    dh_tensor_free(x);
    dh_tensor_free(i);
    dh_tensor_free(e);
}

static void dtypes_of_results(void **state)
{
    DH_UNUSED(state);
    uint8_t bytes[1000];
    memset(bytes, 255, sizeof bytes);
    dh_tensor *y, *x = tensor(DH_U8, 1, (int64_t[]){1000}, bytes);
    assert_int_equal(dh_tensor_sum(&y, x), DH_OK);
    assert_int_equal(dh_tensor_dtype(y), DH_U64);
    assert_true(take(y, 0) == 255000);
    assert_int_equal(dh_tensor_max(&y, x), DH_OK);
    assert_int_equal(dh_tensor_dtype(y), DH_U8);
    assert_true(take(y, 0) == 255);
    dh_tensor_free(x);
    x = tensor(DH_BOOL, 1, (int64_t[]){3}, (uint8_t[]){1, 0, 1});
    assert_int_equal(dh_tensor_sum(&y, x), DH_OK);
    assert_int_equal(dh_tensor_dtype(y), DH_I64);
    assert_true(take(y, 0) == 2);
    assert_int_equal(dh_tensor_all(&y, x), DH_OK);
    assert_int_equal(dh_tensor_dtype(y), DH_BOOL);
    assert_true(take(y, 0) == 0);
    dh_tensor_free(x);
    x = tensor(DH_I64, 1, (int64_t[]){3}, (int64_t[]){INT64_MAX - 1, INT64_MAX, INT64_MIN});
    assert_int_equal(dh_tensor_max(&y, x), DH_OK);
    assert_true(*(int64_t *)dh_tensor_data(y) == INT64_MAX);
    dh_tensor_free(y);
    assert_int_equal(dh_tensor_argmin(&y, x), DH_OK);
    assert_int_equal(dh_tensor_dtype(y), DH_I64);
    assert_true(take(y, 0) == 2);
    dh_tensor_free(x);
}

static void shapes_of_results(void **state)
{
    DH_UNUSED(state);
    dh_tensor *y, *x = tensor(DH_F32, 3, (int64_t[]){1, 2, 3}, (float[]){1, 2, 3, 4, 5, 6});
    assert_int_equal(dh_tensor_sum(&y, x, .axes = {0, -1}, .axis_count = 2, .keepdims = true),
                     DH_OK);
    assert_int_equal(dh_tensor_ndim(y), 3);
    assert_true(dh_tensor_dim(y, 0) == 1 && dh_tensor_dim(y, 1) == 2 && dh_tensor_dim(y, 2) == 1);
    assert_true(take(y, 1) == 15);
    assert_int_equal(dh_tensor_argmax(&y, x), DH_OK);
    assert_int_equal(dh_tensor_ndim(y), 0);
    assert_true(take(y, 0) == 5);
    assert_int_equal(dh_tensor_argmax(&y, x, .axes = {1}, .axis_count = 1), DH_OK);
    assert_true(dh_tensor_ndim(y) == 2 && dh_tensor_dim(y, 1) == 3);
    assert_true(take(y, 2) == 1);
    assert_int_equal(dh_tensor_std(&y, x, .ddof = 1), DH_OK);
    assert_true(fabs(take(y, 0) - sqrt(3.5)) < 1e-6);
    dh_tensor_free(x);
}

static void special_values(void **state)
{
    DH_UNUSED(state);
    dh_tensor *y, *x = floats(1, 4, (float[]){1, NAN, 9, NAN});
    assert_int_equal(dh_tensor_max(&y, x), DH_OK);
    assert_true(isnan(take(y, 0)));
    assert_int_equal(dh_tensor_argmax(&y, x), DH_OK);
    assert_true(take(y, 0) == 1);
    assert_int_equal(dh_tensor_argmin(&y, x), DH_OK);
    assert_true(take(y, 0) == 1);
    dh_tensor_free(x);
    x = floats(1, 3, (float[]){0, NAN, -0.0f});
    assert_int_equal(dh_tensor_any(&y, x), DH_OK);
    assert_true(take(y, 0) == 1);
    dh_tensor_free(x);
    x = tensor(DH_F32, 1, (int64_t[]){0}, (float[]){0});
    assert_int_equal(dh_tensor_sum(&y, x), DH_OK);
    assert_true(take(y, 0) == 0);
    assert_int_equal(dh_tensor_prod(&y, x), DH_OK);
    assert_true(take(y, 0) == 1);
    assert_int_equal(dh_tensor_all(&y, x), DH_OK);
    assert_true(take(y, 0) == 1);
    assert_int_equal(dh_tensor_mean(&y, x), DH_OK);
    assert_true(isnan(take(y, 0)));
    dh_tensor_free(x);
}

#define MANY 1000003

static void accuracy_and_bits(void **state)
{
    DH_UNUSED(state);
    float *data = malloc(MANY * sizeof *data);
    double sum = 0, absolute = 0, bits = 0;
    assert_non_null(data);
    dh__random_uniform(1, 2, 0, data, MANY);
    for (int i = 0; i < MANY; i++) {
        data[i] = 1e4f * (data[i] - 0.49f);
        sum += (double)data[i];
        absolute += fabs((double)data[i]);
    }
    dh_tensor *y, *x = tensor(DH_F32, 1, (int64_t[]){MANY}, data);
    for (int threads = 1; threads <= 4; threads++) {
        int before = dh__team_limit(threads);
        assert_int_equal(dh_tensor_sum(&y, x), DH_OK);
        dh__team_limit(before);
        double got = take(y, 0);
        if (threads == 1) bits = got;
        assert_true(fabs(got - sum) <= 1e-7 * absolute);
        assert_memory_equal(&got, &bits, sizeof got);
    }
    dh_tensor_free(x);
    /* a large mean: the naive formula in f32 would give nonsense */
    for (int i = 0; i < MANY; i++) data[i] = 1e5f + (float)(i % 2);
    x = tensor(DH_F32, 1, (int64_t[]){MANY}, data);
    assert_int_equal(dh_tensor_var(&y, x), DH_OK);
    assert_true(fabs(take(y, 0) - 0.25) < 1e-6);
    dh_tensor_free(x);
    free(data);
}

static void median_and_mode(void **state)
{
    DH_UNUSED(state);
    dh_tensor *y, *x = floats(2, 4, (float[]){3, 1, 2, 2, 7, -1, 5, 7});
    assert_int_equal(dh_tensor_median(&y, x), DH_OK);
    assert_true(take(y, 0) == 2.5);
    assert_int_equal(dh_tensor_median(&y, x, .axes = {-1}, .axis_count = 1, .keepdims = true),
                     DH_OK);
    assert_true(dh_tensor_ndim(y) == 2 && dh_tensor_dim(y, 1) == 1);
    assert_true(take(y, 1) == 6);
    assert_int_equal(dh_tensor_median(&y, x, .axes = {0}, .axis_count = 1), DH_OK);
    assert_true(take(y, 1) == 0);
    assert_int_equal(dh_tensor_mode(&y, x), DH_OK);
    assert_true(take(y, 0) == 2);
    assert_int_equal(dh_tensor_mode(&y, x, .axes = {1}, .axis_count = 1), DH_OK);
    assert_true(take(y, 1) == 7);
    dh_tensor_free(x);
    x = floats(1, 3, (float[]){1, NAN, 2});
    assert_int_equal(dh_tensor_median(&y, x), DH_OK);
    assert_true(isnan(take(y, 0)));
    dh_tensor_free(x);
    x = tensor(DH_U64, 1, (int64_t[]){3}, (uint64_t[]){UINT64_MAX, 1, UINT64_MAX});
    assert_int_equal(dh_tensor_mode(&y, x), DH_OK);
    assert_true(*(uint64_t *)dh_tensor_data(y) == UINT64_MAX);
    dh_tensor_free(y);
    assert_int_equal(dh_tensor_median(&y, x), DH_OK);
    assert_int_equal(dh_tensor_dtype(y), DH_F64);
    dh_tensor_free(y);
    dh_tensor_free(x);
}

typedef dh_status (*reducer)(dh_tensor **out, const dh_reduce_args *args);

static void allocation_failures(void **state)
{
    DH_UNUSED(state);
    static const reducer all[] = {(dh_tensor_sum),    (dh_tensor_var),    (dh_tensor_std),
                                  (dh_tensor_argmax), (dh_tensor_median), (dh_tensor_mode)};
    int64_t shape[] = {3, 70001};
    dh_tensor *x;
    dh_memory_stats before, after;
    assert_int_equal(dh_tensor_new(&x, DH_F32, 2, shape), DH_OK);
    memset(dh_tensor_data(x), 0, 3 * 70001 * sizeof(float));
    for (size_t k = 0; k < DH_COUNT(all); k++) {
        dh_status status = DH_ENOMEM;
        for (uint64_t n = 1; status; n++) {
            dh_tensor *y = NULL;
            assert_true(n < 100);
            dh_get_memory_stats(&before);
            dh_alloc_fail_at(n);
            status = all[k](&y, &(dh_reduce_args){.struct_size = sizeof(dh_reduce_args),
                                                  .x = x,
                                                  .axes = {1},
                                                  .axis_count = 1});
            dh_alloc_fail_at(0);
            assert_true(status == DH_OK || (status == DH_ENOMEM && !y));
            dh_tensor_free(y);
            dh_get_memory_stats(&after);
            assert_true(before.live_blocks == after.live_blocks);
        }
    }
    dh_tensor_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_input),           cmocka_unit_test(dtypes_of_results),
        cmocka_unit_test(shapes_of_results),   cmocka_unit_test(special_values),
        cmocka_unit_test(accuracy_and_bits),   cmocka_unit_test(median_and_mode),
        cmocka_unit_test(allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
