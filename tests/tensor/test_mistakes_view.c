/* SPDX-License-Identifier: MIT */
/* A mistake, or more, in each function of tensor.h that copies, casts, moves or views. */
#include "mistakes.h"

static void copies(void **state)
{
    (void)state;
    EXPECT(DH_EINVAL, "tensor_view: out is NULL", dh_tensor_view(NULL, f_3));
    EXPECT(DH_EINVAL, "tensor_view: x is NULL", dh_tensor_view(&out, NULL));
    EXPECT(DH_EINVAL, "tensor_copy: out is NULL", dh_tensor_copy(NULL, f_3));
    EXPECT(DH_EINVAL, "tensor_copy: x is NULL", dh_tensor_copy(&out, NULL));
    EXPECT(DH_EINVAL, "tensor_contiguous: out is NULL", dh_tensor_contiguous(NULL, f_3));
    EXPECT(DH_EINVAL, "tensor_contiguous: x is NULL", dh_tensor_contiguous(&out, NULL));
    EXPECT(DH_EINVAL, "tensor_assign: dst is NULL", dh_tensor_assign(NULL, f_3));
    EXPECT(DH_EINVAL, "tensor_assign: x is NULL", dh_tensor_assign(f_3, NULL));
    EXPECT(DH_ESHAPE, "tensor_assign: x [2, 3] does not broadcast to dst [3]",
           dh_tensor_assign(f_3, f_2_3));
    EXPECT(DH_ESHAPE, "tensor_assign: x [4] does not broadcast to dst [2, 3]",
           dh_tensor_assign(f_2_3, f_4));
    assert_true(element(f_3, 2) == 2);
    EXPECT(DH_EINVAL, "tensor_fill: dst is NULL", dh_tensor_fill(NULL, 1));
    EXPECT(DH_EINVAL, "tensor_cast: out is NULL", dh_tensor_cast(NULL, f_3, DH_F64));
    EXPECT(DH_EINVAL, "tensor_cast: x is NULL", dh_tensor_cast(&out, NULL, DH_F64));
    EXPECT(DH_EDTYPE, "tensor_cast: dtype is 99, must be one of " DTYPES,
           dh_tensor_cast(&out, f_3, (dh_dtype)99));
    EXPECT(DH_EDTYPE, "tensor_cast: dtype is 0, must be one of " DTYPES,
           dh_tensor_cast(&out, f_3, DH_DTYPE_DEFAULT));
    EXPECT(DH_EINVAL, "tensor_to_device: out is NULL", dh_tensor_to_device(NULL, f_3, "cpu"));
    EXPECT(DH_EINVAL, "tensor_to_device: x is NULL", dh_tensor_to_device(&out, NULL, "cpu"));
    EXPECT(DH_ENAME, "tensor_to_device: no device \"fpga:0\"; known: cpu, cuda, opencl",
           dh_tensor_to_device(&out, f_3, "fpga:0"));
    none_wrong();
}

static void views(void **state)
{
    (void)state;
    const int64_t open2[2] = {-1, -1}, seven[2] = {7, 1}, least[1] = {-2}, zero[2] = {0, 3};
    const int64_t empty_open[2] = {0, -1}, huge[2] = {INT64_MAX, 2}, wide[2] = {2, 4};
    const int64_t negative[2] = {2, -3};
    const int twice[2] = {1, 1}, outside[2] = {0, 2};
    EXPECT(DH_EINVAL, "tensor_reshape: out is NULL", dh_tensor_reshape(NULL, f_2_3, 2, seven));
    EXPECT(DH_EINVAL, "tensor_reshape: x is NULL", dh_tensor_reshape(&out, NULL, 2, seven));
    EXPECT(DH_EINVAL, "tensor_reshape: shape is NULL", dh_tensor_reshape(&out, f_2_3, 2, NULL));
    EXPECT(DH_ESHAPE, "tensor_reshape: ndim is 9, must be in [0, 8]",
           dh_tensor_reshape(&out, f_2_3, 9, seven));
    EXPECT(DH_ESHAPE, "tensor_reshape: ndim is -1, must be in [0, 8]",
           dh_tensor_reshape(&out, f_2_3, -1, seven));
    EXPECT(DH_ESHAPE, "tensor_reshape: x [2, 3] does not fit the shape [7, 1]",
           dh_tensor_reshape(&out, f_2_3, 2, seven));
    EXPECT(
        DH_ESHAPE,
        "tensor_reshape: shape [-1, -1] has -1 at 0 and at 1, only one axis may be -1, x is [2, 3]",
        dh_tensor_reshape(&out, f_2_3, 2, open2));
    EXPECT(DH_EINVAL, "tensor_reshape: shape[0] is -2, must be at least -1",
           dh_tensor_reshape(&out, f_2_3, 1, least));
    EXPECT(DH_ESHAPE, "tensor_reshape: shape[0] is 0, x has 6 elements",
           dh_tensor_reshape(&out, f_2_3, 2, zero));
    EXPECT(DH_ESHAPE, "tensor_reshape: shape[0] is 0, x has 3 elements",
           dh_tensor_reshape(&out, f_3, 2, empty_open));
    EXPECT(DH_ESHAPE, "tensor_reshape: x [2, 3] does not fit the shape [9223372036854775807, 2]",
           dh_tensor_reshape(&out, f_2_3, 2, huge));
    EXPECT(DH_EINVAL, "tensor_permute: out is NULL", dh_tensor_permute(NULL, f_2_3, NULL));
    EXPECT(DH_EINVAL, "tensor_permute: x is NULL", dh_tensor_permute(&out, NULL, NULL));
    EXPECT(DH_EINVAL, "tensor_permute: axes[1] is 1, axis 1 is there already",
           dh_tensor_permute(&out, f_2_3, twice));
    EXPECT(DH_EINVAL, "tensor_permute: axes[1] is 2, the tensor has 2 axes",
           dh_tensor_permute(&out, f_2_3, outside));
    EXPECT(DH_EINVAL, "tensor_permute: axes[1] is 99, the tensor has 2 axes",
           dh_tensor_permute(&out, f_2_3, (const int[]){0, 99}));
    EXPECT(DH_EINVAL, "tensor_transpose: out is NULL", dh_tensor_transpose(NULL, f_2_3, 0, 1));
    EXPECT(DH_EINVAL, "tensor_transpose: x is NULL", dh_tensor_transpose(&out, NULL, 0, 1));
    EXPECT(DH_EINVAL, "tensor_transpose: axis0 is 2, the tensor has 2 axes",
           dh_tensor_transpose(&out, f_2_3, 2, 1));
    EXPECT(DH_EINVAL, "tensor_transpose: axis1 is -3, the tensor has 2 axes",
           dh_tensor_transpose(&out, f_2_3, 0, -3));
    EXPECT(DH_EINVAL, "tensor_squeeze: out is NULL", dh_tensor_squeeze(NULL, f_2_3, 0));
    EXPECT(DH_EINVAL, "tensor_squeeze: x is NULL", dh_tensor_squeeze(&out, NULL, 0));
    EXPECT(DH_EINVAL, "tensor_squeeze: axis is 2, the tensor has 2 axes",
           dh_tensor_squeeze(&out, f_2_3, 2));
    EXPECT(DH_ESHAPE, "tensor_squeeze: axis -1 has length 3, must be 1",
           dh_tensor_squeeze(&out, f_2_3, -1));
    EXPECT(DH_EINVAL, "tensor_unsqueeze: out is NULL", dh_tensor_unsqueeze(NULL, f_2_3, 0));
    EXPECT(DH_EINVAL, "tensor_unsqueeze: x is NULL", dh_tensor_unsqueeze(&out, NULL, 0));
    EXPECT(DH_EINVAL, "tensor_unsqueeze: axis is 3, must be in [-3, 2]: the tensor has 2 axes",
           dh_tensor_unsqueeze(&out, f_2_3, 3));
    EXPECT(DH_EINVAL, "tensor_unsqueeze: axis is -4, must be in [-3, 2]: the tensor has 2 axes",
           dh_tensor_unsqueeze(&out, f_2_3, -4));
    EXPECT(DH_ESHAPE, "tensor_unsqueeze: x has 8 axes, must have at most 7",
           dh_tensor_unsqueeze(&out, f_rank8, 0));
    EXPECT(DH_EINVAL, "tensor_broadcast: out is NULL", dh_tensor_broadcast(NULL, f_3, 2, wide));
    EXPECT(DH_EINVAL, "tensor_broadcast: x is NULL", dh_tensor_broadcast(&out, NULL, 2, wide));
    EXPECT(DH_EINVAL, "tensor_broadcast: shape is NULL", dh_tensor_broadcast(&out, f_3, 2, NULL));
    EXPECT(DH_ESHAPE, "tensor_broadcast: x [3] does not broadcast to shape [2, 4]",
           dh_tensor_broadcast(&out, f_3, 2, wide));
    EXPECT(DH_ESHAPE, "tensor_broadcast: x [3] does not broadcast to shape [2, -3]",
           dh_tensor_broadcast(&out, f_3, 2, negative));
    EXPECT(DH_ESHAPE, "tensor_broadcast: ndim is 1, must be in [2, 8]: x has 2 axes",
           dh_tensor_broadcast(&out, f_2_3, 1, wide));
    EXPECT(DH_ESHAPE, "tensor_broadcast: ndim is 9, must be in [2, 8]: x has 2 axes",
           dh_tensor_broadcast(&out, f_2_3, 9, wide));
    EXPECT(DH_EOVERFLOW,
           "tensor_broadcast: a tensor [9223372036854775807, 2] f32 does not fit in memory",
           dh_tensor_broadcast(&out, f_scalar, 2, huge));
    none_wrong();
}

static void slices(void **state)
{
    (void)state;
    EXPECT(DH_EINVAL, "tensor_slice: out is NULL", dh_tensor_slice(NULL, f_2_3, ":"));
    EXPECT(DH_EINVAL, "tensor_slice: x is NULL", dh_tensor_slice(&out, NULL, ":"));
    EXPECT(DH_EINVAL, "tensor_slice: slices is NULL", dh_tensor_slice(&out, f_2_3, NULL));
    EXPECT(DH_EINVAL, "tensor_slice: slices is \"\": \"\" is no index and no start:stop:step",
           dh_tensor_slice(&out, f_2_3, ""));
    EXPECT(DH_EINVAL, "tensor_slice: slices is \"a\": \"a\" is no index and no start:stop:step",
           dh_tensor_slice(&out, f_2_3, "a"));
    EXPECT(DH_EINVAL,
           "tensor_slice: slices is \"0:1:1:1\": \"0:1:1:1\" is no index and no start:stop:step",
           dh_tensor_slice(&out, f_2_3, "0:1:1:1"));
    EXPECT(
        DH_EINVAL,
        "tensor_slice: slices is \"::0\": the step is 0, must be neither 0 nor the least integer",
        dh_tensor_slice(&out, f_2_3, "::0"));
    EXPECT(DH_EINVAL, "tensor_slice: index 2 of axis 0 is outside its length 2",
           dh_tensor_slice(&out, f_2_3, "2"));
    EXPECT(DH_EINVAL, "tensor_slice: index -4 of axis 1 is outside its length 3",
           dh_tensor_slice(&out, f_2_3, ":,-4"));
    EXPECT(DH_ESHAPE, "tensor_slice: slices is \":,:,0\", with more parts than the 2 axes of x",
           dh_tensor_slice(&out, f_2_3, ":,:,0"));
    EXPECT(DH_EINVAL, "tensor_slice: slices is \"...,...\", with two ellipses, may have one",
           dh_tensor_slice(&out, f_2_3, "...,..."));
    EXPECT(DH_EINVAL,
           "tensor_slice: slices is \"99999999999999999999\": \"99999999999999999999\" is no index "
           "and no start:stop:step",
           dh_tensor_slice(&out, f_2_3, "99999999999999999999"));
    none_wrong();
}

static void no_mistake(void **state)
{
    (void)state;
    const int64_t open[2] = {3, -1}, wide[3] = {2, 2, 3};
    dh_tensor *dst = counted(DH_I16, SHAPE(2, 3));
    EXPECT_SILENT(dh_tensor_view(&out, f_2_3));
    EXPECT_SILENT(dh_tensor_copy(&out, f_2_3));
    EXPECT_SILENT(dh_tensor_contiguous(&out, f_2_3));
    EXPECT_SILENT(dh_tensor_assign(dst, f_3));
    EXPECT_SILENT(dh_tensor_fill(dst, 1e9));
    EXPECT_SILENT(dh_tensor_cast(&out, f_2_3, DH_BOOL));
    EXPECT_SILENT(dh_tensor_to_device(&out, f_2_3, NULL));
    EXPECT_SILENT(dh_tensor_reshape(&out, f_2_3, 2, open));
    EXPECT_SILENT(dh_tensor_permute(&out, f_2_3, NULL));
    EXPECT_SILENT(dh_tensor_transpose(&out, f_2_3, 0, -1));
    EXPECT_SILENT(dh_tensor_squeeze(&out, f_rank8, DH_ALL_AXES));
    EXPECT_SILENT(dh_tensor_unsqueeze(&out, f_2_3, -3));
    EXPECT_SILENT(dh_tensor_slice(&out, f_2_3, "::-1,0"));
    EXPECT_SILENT(dh_tensor_broadcast(&out, f_2_3, 3, wide));
    dh_tensor_free(dst);
    none_wrong();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_mistake), cmocka_unit_test(copies),
                                       cmocka_unit_test(views), cmocka_unit_test(slices)};
    return cmocka_run_group_tests(tests, make_parts, free_parts);
}
