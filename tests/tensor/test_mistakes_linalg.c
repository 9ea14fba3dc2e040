/* SPDX-License-Identifier: MIT */
/* A mistake, or more, in each function of tensor_linalg.h, and in dh_tensor_apply. */
#include "mistakes.h"

#include <deephealth/tensor_linalg.h>
#include <deephealth/tensor_math.h>

/* The first inverse opens LAPACK, which may not be there: that is no failure, and what failed
 * before stays on record. */
static void earlier_text_stays(void **state)
{
    (void)state;
    dh_tensor *eye = NULL, *y = NULL;
    assert_int_equal(dh_tensor_eye(&eye, 3, 3, 0, DH_F64), DH_OK);
    assert_int_equal(dh_fail(DH_ESTATE, "earlier"), DH_ESTATE);
    assert_int_equal(dh_tensor_inverse(&y, eye), DH_OK);
    assert_int_equal(dh_error_status(), DH_ESTATE);
    assert_string_equal(dh_error_text(), "earlier");
    dh_tensor_free(y);
    dh_tensor_free(eye);
}

static void any_op(void **state)
{
    (void)state;
    const dh_tensor *two[2] = {f_3, f_4}, *hole[2] = {f_3, NULL}, *same[2] = {f_3, f_3};
    EXPECT(DH_EINVAL, "tensor_apply: dst is NULL", dh_tensor_apply(NULL, "add", same, 2));
    EXPECT(DH_EINVAL, "tensor_apply: op is NULL", dh_tensor_apply(f_3, NULL, same, 2));
    EXPECT(DH_EINVAL, "tensor_apply: in is NULL, in_count is 2",
           dh_tensor_apply(f_3, "add", NULL, 2));
    EXPECT(DH_EINVAL, "tensor_apply: in[1] of 2 is NULL", dh_tensor_apply(f_3, "add", hole, 2));
    EXPECT(DH_EINVAL, "tensor_apply: in_count is -1, must be in [0, 4096]",
           dh_tensor_apply(f_3, "add", same, -1));
    EXPECT(DH_EINVAL, "tensor_apply: add: has 1 inputs, takes 2",
           dh_tensor_apply(f_3, "add", same, 1));
    EXPECT(DH_ENAME, "tensor_apply: no op \"ad\", did you mean \"add\", \"pad\" or \"abs\"?",
           dh_tensor_apply(f_3, "ad", same, 2));
    EXPECT(DH_ENAME, "tensor_apply: no op \"leaky_rleu\", did you mean \"leaky_relu\"?",
           dh_tensor_apply(f_3, "leaky_rleu", same, 1));
    EXPECT(DH_ESHAPE, "tensor_apply: add: shapes [3] and [4] do not broadcast",
           dh_tensor_apply(f_3, "add", two, 2));
    EXPECT(DH_ESHAPE, "tensor_apply: add: the result is [3], dst is [4]",
           dh_tensor_apply(f_4, "add", same, 2));
    EXPECT(DH_EINVAL, "tensor_apply: op cast needs dtype, which has no default",
           dh_tensor_apply(f_3, "cast", same, 1));
    EXPECT(DH_EINVAL, "tensor_apply: op topk needs k, which has no default",
           dh_tensor_apply(f_3, "topk", same, 1));
    EXPECT(DH_EUNSUPPORTED,
           "tensor_apply: op sgd_step updates its inputs, it belongs to training plans",
           dh_tensor_apply(f_3, "sgd_step", same, 2));
    EXPECT(DH_EINVAL, "tensor_apply: concat: has 0 inputs, takes at least 1",
           dh_tensor_apply(f_3, "concat", NULL, 0));
    none_wrong();
}

static void linear_algebra(void **state)
{
    (void)state;
    dh_tensor *eye = NULL, *wide = counted(DH_F32, SHAPE(2, 4, 3));
    EXPECT(DH_EINVAL, "tensor_matmul: out is NULL", dh_tensor_matmul(NULL, f_3_3, f_3_3));
    EXPECT(DH_EINVAL, "tensor_matmul: a is NULL", dh_tensor_matmul(&out, NULL, f_3_3));
    EXPECT(DH_EINVAL, "tensor_matmul: b is NULL", dh_tensor_matmul(&out, f_3_3, NULL));
    EXPECT(DH_ESHAPE, "tensor_matmul: a [2, 3] has rows of 3, b [2, 3] has columns of 2",
           dh_tensor_matmul(&out, f_2_3, f_2_3));
    EXPECT(DH_ESHAPE, "tensor_matmul: a is [], b is [3]: both need an axis",
           dh_tensor_matmul(&out, f_scalar, f_3));
    EXPECT(DH_ESHAPE, "tensor_matmul: a [3] has rows of 3, b [4] has columns of 4",
           dh_tensor_matmul(&out, f_3, f_4));
    EXPECT(DH_EDTYPE, "tensor_matmul: a is bool, must be one of " NUMBERS,
           dh_tensor_matmul(&out, b_2_3, b_2_3));
    EXPECT(DH_EINVAL, "tensor_dot: out is NULL", dh_tensor_dot(NULL, f_3, f_3));
    EXPECT(DH_EINVAL, "tensor_dot: a is NULL", dh_tensor_dot(&out, NULL, f_3));
    EXPECT(DH_EINVAL, "tensor_dot: b is NULL", dh_tensor_dot(&out, f_3, NULL));
    EXPECT(DH_ESHAPE, "tensor_dot: a [3] has rows of 3, b [4] has columns of 4",
           dh_tensor_dot(&out, f_3, f_4));
    EXPECT(DH_ESHAPE, "tensor_dot: a [2, 3] has rows of 3, b [2, 4, 3] has columns of 4",
           dh_tensor_dot(&out, f_2_3, wide));
    EXPECT(DH_ESHAPE, "tensor_dot: a with 8 axes and b with 3 give more than 8",
           dh_tensor_dot(&out, f_rank8, wide));
    EXPECT(DH_EDTYPE, "tensor_dot: a is bool, must be one of " NUMBERS,
           dh_tensor_dot(&out, b_2_3, b_2_3));
    EXPECT(DH_EINVAL, "tensor_outer: out is NULL", dh_tensor_outer(NULL, f_3, f_3));
    EXPECT(DH_EINVAL, "tensor_outer: a is NULL", dh_tensor_outer(&out, NULL, f_3));
    EXPECT(DH_EINVAL, "tensor_outer: b is NULL", dh_tensor_outer(&out, f_3, NULL));
    EXPECT(DH_EDTYPE, "tensor_outer: a is bool, must be one of " NUMBERS,
           dh_tensor_outer(&out, b_2_3, b_2_3));
    EXPECT(DH_EINVAL, "tensor_inverse: out is NULL", dh_tensor_inverse(NULL, f_3_3));
    EXPECT(DH_EINVAL, "tensor_inverse: x is NULL", dh_tensor_inverse(&out, NULL));
    EXPECT(DH_ESHAPE, "tensor_inverse: x is [2, 3], its last two axes must be equally long",
           dh_tensor_inverse(&out, f_2_3));
    EXPECT(DH_ESHAPE, "tensor_inverse: x is [3], needs at least 2 axes",
           dh_tensor_inverse(&out, f_3));
    EXPECT(DH_EDTYPE, "tensor_inverse: x is i32, must be one of " FLOATS,
           dh_tensor_inverse(&out, i_2_3));
    EXPECT(DH_ENUMERIC, "tensor_inverse: x: matrix 0 of the batch of 1 is singular",
           dh_tensor_inverse(&out, f_3_3));
    EXPECT(DH_EINVAL, "tensor_det: out is NULL", dh_tensor_det(NULL, f_3_3));
    EXPECT(DH_EINVAL, "tensor_det: x is NULL", dh_tensor_det(&out, NULL));
    EXPECT(DH_ESHAPE, "tensor_det: x is [2, 3], its last two axes must be equally long",
           dh_tensor_det(&out, f_2_3));
    EXPECT(DH_ESHAPE, "tensor_det: x is [], needs at least 2 axes", dh_tensor_det(&out, f_scalar));
    EXPECT(DH_EDTYPE, "tensor_det: x is i32, must be one of " FLOATS, dh_tensor_det(&out, i_2_3));
    EXPECT_SILENT(dh_tensor_matmul(&out, f_2_3, f_3_3));
    EXPECT_SILENT(dh_tensor_det(&out, f_3_3));
    EXPECT_SILENT(dh_tensor_dot(&out, f_3, f_3));
    EXPECT_SILENT(dh_tensor_outer(&out, f_3, f_4));
    EXPECT_SILENT(dh_tensor_apply(wide, "neg", (const dh_tensor *const[]){wide}, 1));
    EXPECT_SILENT(dh_tensor_eye(&eye, 3, 3, 0, DH_F64));
    EXPECT_SILENT(dh_tensor_inverse(&out, eye));
    dh_tensor_free(eye);
    dh_tensor_free(wide);
    none_wrong();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(earlier_text_stays),
                                       cmocka_unit_test(any_op), cmocka_unit_test(linear_algebra)};
    return cmocka_run_group_tests(tests, make_parts, free_parts);
}
