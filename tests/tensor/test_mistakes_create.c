/* SPDX-License-Identifier: MIT */
/* A mistake, or more, in each function of tensor.h that creates tensors or answers questions. */
#include "mistakes.h"

static void explicit_forms(void **state)
{
    (void)state;
    int64_t two[2] = {2, 3}, negative[2] = {2, -3}, huge[3] = {INT64_MAX / 2, 8, 0};
    float data[6] = {0};
    EXPECT(DH_EINVAL, "tensor_new: out is NULL", dh_tensor_new(NULL, DH_F32, 2, two));
    EXPECT(DH_EDTYPE, "tensor_new: dtype is 99, must be one of " DTYPES,
           dh_tensor_new(&out, (dh_dtype)99, 2, two));
    EXPECT(DH_EDTYPE, "tensor_new: dtype is -1, must be one of " DTYPES,
           dh_tensor_new(&out, (dh_dtype)-1, 2, two));
    EXPECT(DH_ESHAPE, "tensor_new: ndim is 9, must be in [0, 8]",
           dh_tensor_new(&out, DH_F32, 9, two));
    EXPECT(DH_ESHAPE, "tensor_new: ndim is -1, must be in [0, 8]",
           dh_tensor_new(&out, DH_F32, -1, two));
    EXPECT(DH_EINVAL, "tensor_new: shape is NULL", dh_tensor_new(&out, DH_F32, 2, NULL));
    EXPECT(DH_ESHAPE, "tensor_new: shape[1] is -3, must be at least 0",
           dh_tensor_new(&out, DH_F32, 2, negative));
    EXPECT(DH_EOVERFLOW, "tensor_new: a tensor [4611686018427387903, 8] f32 does not fit in memory",
           dh_tensor_new(&out, DH_F32, 2, huge));
    EXPECT(DH_EOVERFLOW,
           "tensor_new: a tensor [4611686018427387903, 8, 0] f32 does not fit in memory",
           dh_tensor_new(&out, DH_F32, 3, huge));
    EXPECT(DH_EINVAL, "tensor_from_memory: out is NULL",
           dh_tensor_from_memory(NULL, data, DH_F32, 2, two, NULL, NULL));
    EXPECT(DH_EINVAL, "tensor_from_memory: data is NULL",
           dh_tensor_from_memory(&out, NULL, DH_F32, 2, two, NULL, NULL));
    EXPECT(DH_EDTYPE, "tensor_from_memory: dtype is 0, must be one of " DTYPES,
           dh_tensor_from_memory(&out, data, DH_DTYPE_DEFAULT, 2, two, NULL, NULL));
    EXPECT(DH_ESHAPE, "tensor_from_memory: ndim is 9, must be in [0, 8]",
           dh_tensor_from_memory(&out, data, DH_F32, 9, two, NULL, NULL));
    EXPECT(DH_EINVAL, "tensor_from_memory: shape is NULL",
           dh_tensor_from_memory(&out, data, DH_F32, 2, NULL, NULL, NULL));
    EXPECT(DH_ESHAPE, "tensor_from_memory: shape[1] is -3, must be at least 0",
           dh_tensor_from_memory(&out, data, DH_F32, 2, negative, NULL, NULL));
    EXPECT(DH_EOVERFLOW,
           "tensor_from_memory: a tensor [4611686018427387903, 8] f32 does not fit in memory",
           dh_tensor_from_memory(&out, data, DH_F32, 2, huge, NULL, NULL));
    EXPECT(DH_EINVAL, "tensor_from_data: out is NULL",
           dh_tensor_from_data(NULL, data, DH_F32, 2, two));
    EXPECT(DH_EINVAL, "tensor_from_data: data is NULL",
           dh_tensor_from_data(&out, NULL, DH_F32, 2, two));
    EXPECT(DH_EDTYPE, "tensor_from_data: dtype is 14, must be one of " DTYPES,
           dh_tensor_from_data(&out, data, (dh_dtype)14, 2, two));
    EXPECT(DH_ESHAPE, "tensor_from_data: ndim is 9, must be in [0, 8]",
           dh_tensor_from_data(&out, data, DH_F32, 9, two));
    EXPECT(DH_EINVAL, "tensor_from_data: shape is NULL",
           dh_tensor_from_data(&out, data, DH_F32, 2, NULL));
    EXPECT(DH_ESHAPE, "tensor_from_data: shape[1] is -3, must be at least 0",
           dh_tensor_from_data(&out, data, DH_F32, 2, negative));
    EXPECT(DH_EOVERFLOW,
           "tensor_from_data: a tensor [4611686018427387903, 8] f32 does not fit in memory",
           dh_tensor_from_data(&out, data, DH_F32, 2, huge));
    none_wrong();
}

static bool released;

static void release(void *data, void *payload)
{
    (void)data;
    (void)payload;
    released = true;
}

static void memory_refused_is_not_released(void **state)
{
    (void)state;
    char data[12] = {0};
    char *crooked = (char *)(((uintptr_t)data + 3) / 4 * 4) + 1, text[200];
    (void)snprintf(text, sizeof text,
                   "tensor_from_memory: data %p is not aligned to the 4 bytes of f32",
                   (void *)crooked);
    EXPECT(DH_EINVAL, text, dh_tensor_from_memory(&out, crooked, DH_F32, SHAPE(1), release, NULL));
    assert_false(released);
    none_wrong();
}

static void argument_structs(void **state)
{
    (void)state;
    const dh_tensor_args plain = {.struct_size = 0, .shape = {2}};
    EXPECT(DH_EINVAL, "tensor_empty: out is NULL", dh_tensor_empty(NULL, {2, 3}));
    EXPECT(DH_EINVAL, "tensor_empty: args is NULL", (dh_tensor_empty)(&out, NULL));
    EXPECT(DH_EINVAL,
           "tensor_empty: struct_size is 0, must be the size of the argument struct (the macro "
           "sets it)",
           (dh_tensor_empty)(&out, &plain));
    EXPECT(DH_ESHAPE, "tensor_empty: shape[1] is -3, must be at least 0",
           dh_tensor_empty(&out, {2, -3}));
    EXPECT(DH_ESHAPE,
           "tensor_empty: shape[1] is 0, which ends the list, but shape[2] is 3: an axis of no "
           "elements is DH_EMPTY_AXIS",
           dh_tensor_empty(&out, {2, 0, 3}));
    EXPECT(DH_EDTYPE, "tensor_empty: dtype is 99, must be one of " DTYPES,
           dh_tensor_empty(&out, {2, 3}, .dtype = (dh_dtype)99));
    EXPECT(DH_EMISSING, "tensor_empty: cuda: this version of the library has no CUDA devices yet",
           dh_tensor_empty(&out, {2, 3}, .device = "cuda"));
    EXPECT(DH_ENAME, "tensor_empty: no device \"cup:0\", did you mean \"cpu\" or \"cuda\"?",
           dh_tensor_empty(&out, {2, 3}, .device = "cup:0"));
    EXPECT(DH_EOVERFLOW,
           "tensor_empty: a tensor [4611686018427387903, 8] f32 does not fit in memory",
           dh_tensor_empty(&out, {INT64_MAX / 2, 8}));
    EXPECT(DH_EINVAL, "tensor_zeros: out is NULL", dh_tensor_zeros(NULL, {2, 3}));
    EXPECT(DH_EINVAL, "tensor_zeros: args is NULL", (dh_tensor_zeros)(&out, NULL));
    EXPECT(DH_EINVAL,
           "tensor_zeros: struct_size is 0, must be the size of the argument struct (the macro "
           "sets it)",
           (dh_tensor_zeros)(&out, &plain));
    EXPECT(DH_ESHAPE, "tensor_zeros: shape[0] is -2, must be at least 0",
           dh_tensor_zeros(&out, {-2}));
    EXPECT(DH_ENAME, "tensor_zeros: no device \"gpu\", did you mean \"cpu\"?",
           dh_tensor_zeros(&out, {2}, .device = "gpu"));
    EXPECT(DH_EINVAL, "tensor_ones: out is NULL", dh_tensor_ones(NULL, {2, 3}));
    EXPECT(DH_EINVAL, "tensor_ones: args is NULL", (dh_tensor_ones)(&out, NULL));
    EXPECT(DH_EDTYPE, "tensor_ones: dtype is 14, must be one of " DTYPES,
           dh_tensor_ones(&out, {2}, .dtype = DH_DTYPE_COUNT));
    EXPECT(DH_EOVERFLOW,
           "tensor_ones: a tensor [9223372036854775807, 2] f32 does not fit in memory",
           dh_tensor_ones(&out, {INT64_MAX, 2}));
    EXPECT(DH_EINVAL, "tensor_full: out is NULL", dh_tensor_full(NULL, 1, {2, 3}));
    EXPECT(DH_EINVAL, "tensor_full: args is NULL", (dh_tensor_full)(&out, 1, NULL));
    EXPECT(DH_ESHAPE,
           "tensor_full: shape[0] is 0, which ends the list, but shape[1] is 2: an axis of no "
           "elements is DH_EMPTY_AXIS",
           dh_tensor_full(&out, 1, {0, 2}));
    EXPECT_SILENT(dh_tensor_full(&out, NAN, {2, DH_EMPTY_AXIS, 3}));
    none_wrong();
}

static void sequences(void **state)
{
    (void)state;
    EXPECT(DH_EINVAL, "tensor_eye: out is NULL", dh_tensor_eye(NULL, 3, 3, 0, DH_F32));
    EXPECT(DH_ESHAPE, "tensor_eye: rows is -1, columns is 3, must be at least 0",
           dh_tensor_eye(&out, -1, 3, 0, DH_F32));
    EXPECT(DH_ESHAPE, "tensor_eye: rows is 3, columns is -2, must be at least 0",
           dh_tensor_eye(&out, 3, -2, 0, DH_F32));
    EXPECT(DH_EDTYPE, "tensor_eye: dtype is 99, must be one of " DTYPES,
           dh_tensor_eye(&out, 3, 3, 0, (dh_dtype)99));
    EXPECT(DH_EOVERFLOW, "tensor_eye: a tensor [9223372036854775807, 3] f32 does not fit in memory",
           dh_tensor_eye(&out, INT64_MAX, 3, 0, DH_F32));
    EXPECT(DH_EINVAL, "tensor_arange: out is NULL", dh_tensor_arange(NULL, 0, 3, 1, DH_F32));
    EXPECT(DH_EINVAL, "tensor_arange: start 0, stop 3, step 0: all must be finite, step not 0",
           dh_tensor_arange(&out, 0, 3, 0, DH_F32));
    EXPECT(DH_EINVAL, "tensor_arange: start 0, stop inf, step 1: all must be finite, step not 0",
           dh_tensor_arange(&out, 0, INFINITY, 1, DH_F32));
    EXPECT(DH_EOVERFLOW,
           "tensor_arange: start 0, stop 1e+300, step 1: 1e+300 elements do not fit in memory",
           dh_tensor_arange(&out, 0, 1e300, 1, DH_F32));
    EXPECT(DH_EDTYPE, "tensor_arange: dtype is 99, must be one of " DTYPES,
           dh_tensor_arange(&out, 0, 3, 1, (dh_dtype)99));
    EXPECT(DH_EINVAL, "tensor_linspace: out is NULL", dh_tensor_linspace(NULL, 0, 1, 3, DH_F32));
    EXPECT(DH_EINVAL, "tensor_linspace: count is -3, must be at least 0",
           dh_tensor_linspace(&out, 0, 1, -3, DH_F32));
    EXPECT(DH_EINVAL, "tensor_linspace: start is 0, stop is nan: both must be finite",
           dh_tensor_linspace(&out, 0, NAN, 3, DH_F32));
    EXPECT(DH_EDTYPE, "tensor_linspace: dtype is 99, must be one of " DTYPES,
           dh_tensor_linspace(&out, 0, 1, 3, (dh_dtype)99));
    EXPECT(DH_EOVERFLOW,
           "tensor_linspace: a tensor [9223372036854775807] f32 does not fit in memory",
           dh_tensor_linspace(&out, 0, 1, INT64_MAX, DH_F32));
    none_wrong();
}

static void random_numbers(void **state)
{
    (void)state;
    EXPECT(DH_EINVAL, "tensor_random_uniform: out is NULL", dh_tensor_random_uniform(NULL, {3}));
    EXPECT(DH_EINVAL, "tensor_random_uniform: args is NULL",
           (dh_tensor_random_uniform)(&out, NULL));
    EXPECT(DH_EINVAL, "tensor_random_uniform: a (low) is 2, above b (high), 1",
           dh_tensor_random_uniform(&out, {3}, .a = 2, .b = 1));
    EXPECT(DH_EINVAL, "tensor_random_uniform: a is nan, b is 1: both must be finite",
           dh_tensor_random_uniform(&out, {3}, .a = NAN, .b = 1));
    EXPECT(DH_ESHAPE, "tensor_random_uniform: shape[1] is -1, must be at least 0",
           dh_tensor_random_uniform(&out, {3, -1}));
    EXPECT(DH_ESHAPE,
           "tensor_random_uniform: shape[1] is 0, which ends the list, but shape[2] is 3: an axis "
           "of no elements is DH_EMPTY_AXIS",
           dh_tensor_random_uniform(&out, {3, 0, 3}));
    EXPECT(DH_EDTYPE, "tensor_random_uniform: dtype is 99, must be one of " DTYPES,
           dh_tensor_random_uniform(&out, {3}, .dtype = (dh_dtype)99));
    EXPECT(DH_ENAME, "tensor_random_uniform: no device \"cup\", did you mean \"cpu\" or \"cuda\"?",
           dh_tensor_random_uniform(&out, {3}, .device = "cup"));
    EXPECT(DH_EINVAL, "tensor_random_normal: out is NULL", dh_tensor_random_normal(NULL, {3}));
    EXPECT(DH_EINVAL, "tensor_random_normal: args is NULL", (dh_tensor_random_normal)(&out, NULL));
    EXPECT(DH_EINVAL, "tensor_random_normal: b (standard deviation) is -1, must be at least 0",
           dh_tensor_random_normal(&out, {3}, .b = -1));
    EXPECT(DH_EINVAL, "tensor_random_normal: a is inf, b is 0: both must be finite",
           dh_tensor_random_normal(&out, {3}, .a = INFINITY));
    EXPECT(DH_EOVERFLOW,
           "tensor_random_normal: a tensor [9223372036854775807, 3] f32 does not fit in memory",
           dh_tensor_random_normal(&out, {INT64_MAX, 3}));
    EXPECT(DH_EINVAL, "tensor_random_bernoulli: out is NULL",
           dh_tensor_random_bernoulli(NULL, {3}));
    EXPECT(DH_EINVAL, "tensor_random_bernoulli: args is NULL",
           (dh_tensor_random_bernoulli)(&out, NULL));
    EXPECT(DH_EINVAL, "tensor_random_bernoulli: a (probability) is 1.5, must be in [0, 1]",
           dh_tensor_random_bernoulli(&out, {3}, .a = 1.5));
    EXPECT(DH_ESHAPE, "tensor_random_bernoulli: shape[0] is -3, must be at least 0",
           dh_tensor_random_bernoulli(&out, {-3}));
    EXPECT(DH_EINVAL, "tensor_random_permutation: out is NULL",
           dh_tensor_random_permutation(NULL, 3, 1, 1));
    EXPECT(DH_EINVAL, "tensor_random_permutation: count is -3, must be at least 0",
           dh_tensor_random_permutation(&out, -3, 1, 1));
    EXPECT(DH_EOVERFLOW,
           "tensor_random_permutation: a tensor [9223372036854775807] i64 does not fit in memory",
           dh_tensor_random_permutation(&out, INT64_MAX, 1, 1));
    none_wrong();
}

/* What has no status has an answer for NULL, and leaves no text. */
static void questions(void **state)
{
    (void)state;
    char text[8] = "unused";
    dh_error_clear();
    assert_int_equal(dh_tensor_dtype(NULL), DH_DTYPE_DEFAULT);
    assert_int_equal(dh_tensor_ndim(NULL), 0);
    assert_int_equal(dh_tensor_dim(NULL, 0), -1);
    assert_int_equal(dh_tensor_dim(f_2_3, 2), -1);
    assert_int_equal(dh_tensor_dim(f_2_3, -3), -1);
    assert_int_equal(dh_tensor_dim(f_2_3, INT32_MIN), -1);
    assert_null(dh_tensor_shape(NULL));
    assert_null(dh_tensor_strides(NULL));
    assert_int_equal(dh_tensor_count(NULL), 0);
    assert_null(dh_tensor_device(NULL));
    assert_false(dh_tensor_is_contiguous(NULL));
    assert_null(dh_tensor_data(NULL));
    assert_string_equal(dh_tensor_describe(NULL, text, sizeof text), "NULL");
    assert_string_equal(dh_tensor_describe(f_2_3, text, sizeof text), "[2, 3] ");
    assert_string_equal(dh_tensor_describe(f_2_3, NULL, 8), "");
    assert_string_equal(dh_tensor_describe(f_2_3, text, 0), "");
    assert_int_equal(dh_tensor_print(NULL, text, sizeof text), 4);
    assert_string_equal(text, "NULL");
    assert_int_equal(dh_tensor_print(f_3, NULL, 0), 9);
    assert_int_equal(dh_tensor_print(f_3, text, 3), 9);
    assert_string_equal(text, "[0");
    dh_tensor_free(NULL);
    assert_string_equal(dh_error_text(), "");
}

static void elements(void **state)
{
    (void)state;
    double value = 7;
    const int64_t outside[2] = {1, 3}, below[2] = {-3, 0};
    EXPECT(DH_EINVAL, "tensor_get: out is NULL", dh_tensor_get(NULL, f_2_3, outside));
    EXPECT(DH_EINVAL, "tensor_get: tensor is NULL", dh_tensor_get(&value, NULL, outside));
    EXPECT(DH_EINVAL, "tensor_get: index is NULL", dh_tensor_get(&value, f_2_3, NULL));
    EXPECT(DH_EINVAL, "tensor_get: index[1] is 3, the axis has length 3",
           dh_tensor_get(&value, f_2_3, outside));
    EXPECT(DH_EINVAL, "tensor_get: index[0] is -3, the axis has length 2",
           dh_tensor_get(&value, f_2_3, below));
    assert_true(value == 7);
    EXPECT(DH_EINVAL, "tensor_set: tensor is NULL", dh_tensor_set(NULL, outside, 1));
    EXPECT(DH_EINVAL, "tensor_set: index is NULL", dh_tensor_set(f_2_3, NULL, 1));
    EXPECT(DH_EINVAL, "tensor_set: index[1] is 3, the axis has length 3",
           dh_tensor_set(f_2_3, outside, 1));
    EXPECT_SILENT(dh_tensor_get(&value, f_scalar, NULL));
    none_wrong();
}

static void no_mistake(void **state)
{
    (void)state;
    float data[6] = {0};
    EXPECT_SILENT(dh_tensor_new(&out, DH_DTYPE_DEFAULT, 0, NULL));
    EXPECT_SILENT(dh_tensor_from_memory(&out, data, DH_F32, SHAPE(2, 3), NULL, NULL));
    EXPECT_SILENT(dh_tensor_from_data(&out, data, DH_F32, SHAPE(0, 3)));
    EXPECT_SILENT(dh_tensor_empty(&out, {2, 3}, .device = "cpu"));
    EXPECT_SILENT(dh_tensor_zeros(&out, {0}));
    EXPECT_SILENT(dh_tensor_ones(&out, {3}, .dtype = DH_BOOL));
    EXPECT_SILENT(dh_tensor_eye(&out, 3, 0, INT64_MIN, DH_F32));
    EXPECT_SILENT(dh_tensor_arange(&out, 3, 0, 1, DH_I8));
    EXPECT_SILENT(dh_tensor_linspace(&out, 0, 1, 0, DH_F16));
    EXPECT_SILENT(dh_tensor_random_uniform(&out, {3}, .a = 2, .b = 2));
    EXPECT_SILENT(dh_tensor_random_normal(&out, {3}, .a = 2));
    EXPECT_SILENT(dh_tensor_random_bernoulli(&out, {3}, .a = 1));
    EXPECT_SILENT(dh_tensor_random_permutation(&out, 0, 1, 1));
    none_wrong();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_mistake),
                                       cmocka_unit_test(explicit_forms),
                                       cmocka_unit_test(memory_refused_is_not_released),
                                       cmocka_unit_test(argument_structs),
                                       cmocka_unit_test(sequences),
                                       cmocka_unit_test(random_numbers),
                                       cmocka_unit_test(questions),
                                       cmocka_unit_test(elements)};
    return cmocka_run_group_tests(tests, make_parts, free_parts);
}
