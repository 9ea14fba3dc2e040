/* SPDX-License-Identifier: MIT */
/* A mistake, or more, in each function of tensor_shape.h and tensor_reduce.h. */
#include "mistakes.h"

#include <deephealth/tensor_reduce.h>
#include <deephealth/tensor_shape.h>

static void joining(void **state)
{
    (void)state;
    const dh_tensor *hole[2] = {f_3, NULL}, *other[2] = {f_2_3, f_3_3}, *ranks[2] = {f_2_3, f_3};
    const dh_tensor *full[1] = {f_rank8};
    const int64_t one[2] = {1, 1}, minus[2] = {1, -1}, most[2] = {INT64_MAX, INT64_MAX};
    EXPECT(DH_EINVAL, "tensor_concat: out is NULL", dh_tensor_concat(NULL, 2, other, 0));
    EXPECT(DH_EINVAL, "tensor_concat: count is 0, must be at least 1",
           dh_tensor_concat(&out, 0, other, 0));
    EXPECT(DH_EINVAL, "tensor_concat: x is NULL", dh_tensor_concat(&out, 2, NULL, 0));
    EXPECT(DH_EINVAL, "tensor_concat: x[1] of 2 is NULL", dh_tensor_concat(&out, 2, hole, 0));
    EXPECT(DH_EINVAL, "tensor_concat: axis is 2, the tensor has 2 axes",
           dh_tensor_concat(&out, 2, other, 2));
    EXPECT(DH_EINVAL, "tensor_concat: axis is 99, the tensor has 2 axes",
           dh_tensor_concat(&out, 2, other, 99));
    EXPECT(DH_ESHAPE,
           "tensor_concat: x[1] is [3, 3], x[0] is [2, 3]: they may differ in axis 1 only",
           dh_tensor_concat(&out, 2, other, 1));
    EXPECT(DH_ESHAPE, "tensor_concat: x[1] is [3], x[0] is [2, 3]: they may differ in axis 0 only",
           dh_tensor_concat(&out, 2, ranks, 0));
    EXPECT(DH_EINVAL, "tensor_stack: out is NULL", dh_tensor_stack(NULL, 2, other, 0));
    EXPECT(DH_EINVAL, "tensor_stack: count is -1, must be at least 1",
           dh_tensor_stack(&out, -1, other, 0));
    EXPECT(DH_EINVAL, "tensor_stack: x is NULL", dh_tensor_stack(&out, 2, NULL, 0));
    EXPECT(DH_EINVAL, "tensor_stack: x[1] of 2 is NULL", dh_tensor_stack(&out, 2, hole, 0));
    EXPECT(DH_EINVAL, "tensor_stack: axis is 3, must be in [-3, 2]: the tensor has 2 axes",
           dh_tensor_stack(&out, 2, other, 3));
    EXPECT(DH_ESHAPE, "tensor_stack: x[1] is [3, 3], x[0] is [2, 3]: shapes must be equal",
           dh_tensor_stack(&out, 2, other, 0));
    EXPECT(DH_ESHAPE, "tensor_stack: x[0] has 8 axes, must have at most 7",
           dh_tensor_stack(&out, 1, full, 0));
    EXPECT(DH_EINVAL, "tensor_pad: out is NULL", dh_tensor_pad(NULL, f_2_3, one, one, 0));
    EXPECT(DH_EINVAL, "tensor_pad: x is NULL", dh_tensor_pad(&out, NULL, one, one, 0));
    EXPECT(DH_EINVAL, "tensor_pad: begin is NULL", dh_tensor_pad(&out, f_2_3, NULL, one, 0));
    EXPECT(DH_EINVAL, "tensor_pad: end is NULL", dh_tensor_pad(&out, f_2_3, one, NULL, 0));
    EXPECT(DH_EINVAL, "tensor_pad: begin[1] is -1, must be at least 0",
           dh_tensor_pad(&out, f_2_3, minus, one, 0));
    EXPECT(DH_EINVAL, "tensor_pad: end[1] is -1, must be at least 0",
           dh_tensor_pad(&out, f_2_3, one, minus, 0));
    EXPECT(DH_EOVERFLOW,
           "tensor_pad: axis 0 of length 2 with pads 9223372036854775807 and 1 does not fit",
           dh_tensor_pad(&out, f_2_3, most, one, 0));
    EXPECT(DH_EINVAL, "tensor_pad: value is nan, must be a number",
           dh_tensor_pad(&out, f_2_3, one, one, NAN));
    EXPECT(DH_EINVAL, "tensor_tile: out is NULL", dh_tensor_tile(NULL, f_2_3, 2, one));
    EXPECT(DH_EINVAL, "tensor_tile: x is NULL", dh_tensor_tile(&out, NULL, 2, one));
    EXPECT(DH_EINVAL, "tensor_tile: repeats is NULL", dh_tensor_tile(&out, f_2_3, 2, NULL));
    EXPECT(DH_EINVAL, "tensor_tile: count is 9, must be in [0, 8]",
           dh_tensor_tile(&out, f_2_3, 9, one));
    EXPECT(DH_EINVAL, "tensor_tile: repeats[1] is -1, must be at least 0",
           dh_tensor_tile(&out, f_2_3, 2, minus));
    EXPECT(DH_EOVERFLOW,
           "tensor_tile: axis 0 of length 2 repeated 9223372036854775807 times does not fit",
           dh_tensor_tile(&out, f_2_3, 2, most));
    EXPECT(DH_EINVAL, "tensor_repeat: out is NULL", dh_tensor_repeat(NULL, f_2_3, 2, 0));
    EXPECT(DH_EINVAL, "tensor_repeat: x is NULL", dh_tensor_repeat(&out, NULL, 2, 0));
    EXPECT(DH_EINVAL, "tensor_repeat: repeats is -2, must be at least 0",
           dh_tensor_repeat(&out, f_2_3, -2, 0));
    EXPECT(DH_EINVAL, "tensor_repeat: axis is 2, the tensor has 2 axes",
           dh_tensor_repeat(&out, f_2_3, 2, 2));
    EXPECT(DH_EOVERFLOW,
           "tensor_repeat: axis 0 of length 2 repeated 9223372036854775807 times does not fit",
           dh_tensor_repeat(&out, f_2_3, INT64_MAX, 0));
    EXPECT(DH_EOVERFLOW,
           "tensor_repeat: a tensor [9223372036854775806, 3] f32 does not fit in memory",
           dh_tensor_repeat(&out, f_2_3, INT64_MAX / 2, 0));
    none_wrong();
}

static void views_and_diagonals(void **state)
{
    (void)state;
    EXPECT(DH_EINVAL, "tensor_flip: out is NULL", dh_tensor_flip(NULL, f_2_3, 0));
    EXPECT(DH_EINVAL, "tensor_flip: x is NULL", dh_tensor_flip(&out, NULL, 0));
    EXPECT(DH_EINVAL, "tensor_flip: axis is 2, the tensor has 2 axes",
           dh_tensor_flip(&out, f_2_3, 2));
    EXPECT(DH_EINVAL, "tensor_moveaxis: out is NULL", dh_tensor_moveaxis(NULL, f_2_3, 0, 1));
    EXPECT(DH_EINVAL, "tensor_moveaxis: x is NULL", dh_tensor_moveaxis(&out, NULL, 0, 1));
    EXPECT(DH_EINVAL, "tensor_moveaxis: from is 2, the tensor has 2 axes",
           dh_tensor_moveaxis(&out, f_2_3, 2, 0));
    EXPECT(DH_EINVAL, "tensor_moveaxis: to is -3, the tensor has 2 axes",
           dh_tensor_moveaxis(&out, f_2_3, 0, -3));
    EXPECT(DH_EINVAL, "tensor_swapaxes: out is NULL", dh_tensor_swapaxes(NULL, f_2_3, 0, 1));
    EXPECT(DH_EINVAL, "tensor_swapaxes: x is NULL", dh_tensor_swapaxes(&out, NULL, 0, 1));
    EXPECT(DH_EINVAL, "tensor_swapaxes: axis0 is 2, the tensor has 2 axes",
           dh_tensor_swapaxes(&out, f_2_3, 2, 0));
    EXPECT(DH_EINVAL, "tensor_swapaxes: axis1 is 2, the tensor has 2 axes",
           dh_tensor_swapaxes(&out, f_2_3, 0, 2));
    EXPECT(DH_EINVAL, "tensor_triu: out is NULL", dh_tensor_triu(NULL, f_2_3, 0));
    EXPECT(DH_EINVAL, "tensor_triu: x is NULL", dh_tensor_triu(&out, NULL, 0));
    EXPECT(DH_ESHAPE, "tensor_triu: x is [3], needs at least 2 axes", dh_tensor_triu(&out, f_3, 0));
    EXPECT(DH_EINVAL, "tensor_triu: k is 9223372036854775807, must be in [-1e+15, 1e+15]",
           dh_tensor_triu(&out, f_3_3, INT64_MAX));
    EXPECT(DH_EINVAL, "tensor_tril: out is NULL", dh_tensor_tril(NULL, f_2_3, 0));
    EXPECT(DH_EINVAL, "tensor_tril: x is NULL", dh_tensor_tril(&out, NULL, 0));
    EXPECT(DH_ESHAPE, "tensor_tril: x is [], needs at least 2 axes",
           dh_tensor_tril(&out, f_scalar, 0));
    EXPECT(DH_EINVAL, "tensor_diag: out is NULL", dh_tensor_diag(NULL, f_2_3, 0));
    EXPECT(DH_EINVAL, "tensor_diag: x is NULL", dh_tensor_diag(&out, NULL, 0));
    EXPECT(DH_ESHAPE, "tensor_diag: x is [], needs at least 1 axis",
           dh_tensor_diag(&out, f_scalar, 0));
    EXPECT(DH_EINVAL, "tensor_diag: k is -9223372036854775808, must be in [-1e+15, 1e+15]",
           dh_tensor_diag(&out, f_3, INT64_MIN));
    EXPECT(DH_EOVERFLOW,
           "tensor_diag: a tensor [1000000000000003, 1000000000000003] f32 does not fit in memory",
           dh_tensor_diag(&out, f_3, 1000000000000000));
    EXPECT(DH_EINVAL, "tensor_trace: out is NULL", dh_tensor_trace(NULL, f_2_3, 0));
    EXPECT(DH_EINVAL, "tensor_trace: x is NULL", dh_tensor_trace(&out, NULL, 0));
    EXPECT(DH_ESHAPE, "tensor_trace: x is [3], needs at least 2 axes",
           dh_tensor_trace(&out, f_3, 0));
    none_wrong();
}

static void by_index(void **state)
{
    (void)state;
    EXPECT(DH_EINVAL, "tensor_gather: out is NULL", dh_tensor_gather(NULL, f_3, i_3, 0));
    EXPECT(DH_EINVAL, "tensor_gather: x is NULL", dh_tensor_gather(&out, NULL, i_3, 0));
    EXPECT(DH_EINVAL, "tensor_gather: index is NULL", dh_tensor_gather(&out, f_3, NULL, 0));
    EXPECT(DH_EINVAL, "tensor_gather: axis is 1, the tensor has 1 axes",
           dh_tensor_gather(&out, f_3, i_3, 1));
    EXPECT(DH_EDTYPE, "tensor_gather: index is u8, must be one of i32, i64",
           dh_tensor_gather(&out, f_3, u_3, 0));
    EXPECT(DH_ESHAPE, "tensor_gather: index [3] does not fit into x [2, 3] outside axis 0",
           dh_tensor_gather(&out, f_2_3, i_3, 0));
    EXPECT(DH_EINVAL, "tensor_gather: index[1] is 5, the axis has length 3",
           dh_tensor_gather(&out, f_3, i_3, 0));
    EXPECT(DH_EINVAL, "tensor_take: out is NULL", dh_tensor_take(NULL, f_3, i_3, 0));
    EXPECT(DH_EINVAL, "tensor_take: x is NULL", dh_tensor_take(&out, NULL, i_3, 0));
    EXPECT(DH_EINVAL, "tensor_take: index is NULL", dh_tensor_take(&out, f_3, NULL, 0));
    EXPECT(DH_EINVAL, "tensor_take: axis is -3, the tensor has 2 axes",
           dh_tensor_take(&out, f_2_3, i_3, -3));
    EXPECT(DH_EDTYPE, "tensor_take: index is f32, must be one of i32, i64",
           dh_tensor_take(&out, f_3, f_3, 0));
    EXPECT(DH_ESHAPE, "tensor_take: x with 8 axes and index with 2 give more than 8 axes",
           dh_tensor_take(&out, f_rank8, i_2_3, 0));
    EXPECT(DH_EINVAL, "tensor_take: index[1] is 5, the axis has length 3",
           dh_tensor_take(&out, f_3, i_3, 0));
    EXPECT(DH_EINVAL, "tensor_scatter: out is NULL", dh_tensor_scatter(NULL, f_3, i64_3, f_3, 0));
    EXPECT(DH_EINVAL, "tensor_scatter: x is NULL", dh_tensor_scatter(&out, NULL, i64_3, f_3, 0));
    EXPECT(DH_EINVAL, "tensor_scatter: index is NULL", dh_tensor_scatter(&out, f_3, NULL, f_3, 0));
    EXPECT(DH_EINVAL, "tensor_scatter: src is NULL", dh_tensor_scatter(&out, f_3, i64_3, NULL, 0));
    EXPECT(DH_EINVAL, "tensor_scatter: axis is 1, the tensor has 1 axes",
           dh_tensor_scatter(&out, f_3, i64_3, f_3, 1));
    EXPECT(DH_EDTYPE, "tensor_scatter: index is f32, must be one of i32, i64",
           dh_tensor_scatter(&out, f_3, f_3, f_3, 0));
    EXPECT(DH_EDTYPE, "tensor_scatter: src is i32, x is f32: dtypes must be equal",
           dh_tensor_scatter(&out, f_3, i64_3, i_3, 0));
    EXPECT(DH_ESHAPE, "tensor_scatter: src is [4], index is [3]: shapes must be equal",
           dh_tensor_scatter(&out, f_3, i64_3, f_4, 0));
    EXPECT(DH_EINVAL, "tensor_scatter: index[1] is 5, the axis has length 3",
           dh_tensor_scatter(&out, f_3, i_3, f_3, 0));
    EXPECT(DH_EINVAL, "tensor_scatter_add: out is NULL",
           dh_tensor_scatter_add(NULL, f_3, i64_3, f_3, 0));
    EXPECT(DH_EINVAL, "tensor_scatter_add: x is NULL",
           dh_tensor_scatter_add(&out, NULL, i64_3, f_3, 0));
    EXPECT(DH_EINVAL, "tensor_scatter_add: index is NULL",
           dh_tensor_scatter_add(&out, f_3, NULL, f_3, 0));
    EXPECT(DH_EINVAL, "tensor_scatter_add: src is NULL",
           dh_tensor_scatter_add(&out, f_3, i64_3, NULL, 0));
    EXPECT(DH_EDTYPE, "tensor_scatter_add: x is bool, must be one of " NUMBERS,
           dh_tensor_scatter_add(&out, b_2_3, i_2_3, b_2_3, 0));
    EXPECT(DH_EINVAL, "tensor_scatter_add: index[1] is 5, the axis has length 3",
           dh_tensor_scatter_add(&out, f_3, i_3, f_3, 0));
    EXPECT(DH_EINVAL, "tensor_one_hot: out is NULL", dh_tensor_one_hot(NULL, i64_3, 3, DH_F32));
    EXPECT(DH_EINVAL, "tensor_one_hot: index is NULL", dh_tensor_one_hot(&out, NULL, 3, DH_F32));
    EXPECT(DH_EINVAL, "tensor_one_hot: depth is -3, must be at least 0",
           dh_tensor_one_hot(&out, i64_3, -3, DH_F32));
    EXPECT(DH_EDTYPE, "tensor_one_hot: dtype is 99, must be one of " DTYPES,
           dh_tensor_one_hot(&out, i64_3, 3, (dh_dtype)99));
    EXPECT(DH_EDTYPE,
           "tensor_one_hot: index is f32, must be one of i8, u8, i16, u16, i32, u32, i64",
           dh_tensor_one_hot(&out, f_3, 3, DH_F32));
    EXPECT(DH_EINVAL, "tensor_one_hot: index[1] is 5, the axis has length 3",
           dh_tensor_one_hot(&out, i_3, 3, DH_F32));
    EXPECT(DH_EOVERFLOW,
           "tensor_one_hot: a tensor [3, 4611686018427387903] f32 does not fit in memory",
           dh_tensor_one_hot(&out, i64_3, INT64_MAX / 2, DH_F32));
    EXPECT(DH_EINVAL, "tensor_nonzero: out is NULL", dh_tensor_nonzero(NULL, f_3));
    EXPECT(DH_EINVAL, "tensor_nonzero: x is NULL", dh_tensor_nonzero(&out, NULL));
    none_wrong();
}

static void order(void **state)
{
    (void)state;
    EXPECT(DH_EINVAL, "tensor_sort: values and indices are both NULL",
           dh_tensor_sort(NULL, NULL, f_3, 0, false));
    EXPECT(DH_EINVAL, "tensor_sort: x is NULL", dh_tensor_sort(&out, &out2, NULL, 0, false));
    EXPECT(DH_EINVAL, "tensor_sort: axis is 1, the tensor has 1 axes",
           dh_tensor_sort(&out, &out2, f_3, 1, false));
    EXPECT(DH_EINVAL, "tensor_sort: axis is 0, the tensor has 0 axes",
           dh_tensor_sort(&out, &out2, f_scalar, 0, false));
    EXPECT(DH_EINVAL, "tensor_argsort: out is NULL", dh_tensor_argsort(NULL, f_3, 0, false));
    EXPECT(DH_EINVAL, "tensor_argsort: x is NULL", dh_tensor_argsort(&out, NULL, 0, false));
    EXPECT(DH_EINVAL, "tensor_argsort: axis is -2, the tensor has 1 axes",
           dh_tensor_argsort(&out, f_3, -2, false));
    EXPECT(DH_EINVAL, "tensor_topk: values and indices are both NULL",
           dh_tensor_topk(NULL, NULL, f_3, 1, 0, false));
    EXPECT(DH_EINVAL, "tensor_topk: x is NULL", dh_tensor_topk(&out, &out2, NULL, 1, 0, false));
    EXPECT(DH_EINVAL, "tensor_topk: axis is 2, the tensor has 2 axes",
           dh_tensor_topk(&out, &out2, f_2_3, 1, 2, false));
    EXPECT(DH_ESHAPE, "tensor_topk: k is -1, must be in [0, 3], the length of axis 1",
           dh_tensor_topk(&out, &out2, f_2_3, -1, 1, false));
    EXPECT(DH_ESHAPE, "tensor_topk: k is 4, must be in [0, 3], the length of axis 1",
           dh_tensor_topk(&out, &out2, f_2_3, 4, 1, false));
    EXPECT(DH_ESHAPE,
           "tensor_topk: k is -9223372036854775808, must be in [0, 3], the length of axis 1",
           dh_tensor_topk(&out, &out2, f_2_3, INT64_MIN, -1, false));
    EXPECT(DH_EINVAL, "tensor_unique: values is NULL", dh_tensor_unique(NULL, &out2, f_3));
    EXPECT(DH_EINVAL, "tensor_unique: x is NULL", dh_tensor_unique(&out, &out2, NULL));
    none_wrong();
}

/* --- reductions --- */

typedef struct reduction {
    const char *name;
    dh_status (*call)(dh_tensor **out, const dh_reduce_args *args);
    bool floats, extreme, single;
} reduction;

static const reduction reductions[] = {
    {"tensor_sum", dh_tensor_sum, false, false, false},
    {"tensor_prod", dh_tensor_prod, false, false, false},
    {"tensor_mean", dh_tensor_mean, true, false, false},
    {"tensor_var", dh_tensor_var, true, false, false},
    {"tensor_std", dh_tensor_std, true, false, false},
    {"tensor_norm", dh_tensor_norm, true, false, false},
    {"tensor_max", dh_tensor_max, false, true, false},
    {"tensor_min", dh_tensor_min, false, true, false},
    {"tensor_argmax", dh_tensor_argmax, false, true, true},
    {"tensor_argmin", dh_tensor_argmin, false, true, true},
    {"tensor_any", dh_tensor_any, false, false, false},
    {"tensor_all", dh_tensor_all, false, false, false},
    {"tensor_median", dh_tensor_median, false, true, true},
    {"tensor_mode", dh_tensor_mode, false, true, true},
};

#define ARGS(...)                                               \
    &(dh_reduce_args)                                           \
    {                                                           \
        .struct_size = sizeof(dh_reduce_args), .x = __VA_ARGS__ \
    }

static void reduced(const reduction *r)
{
    const dh_reduce_args unsized = {.struct_size = 0, .x = f_3};
    const char *name = r->name;
    EXPECT_NAMED(DH_EINVAL, name, "out is NULL", r->call(NULL, ARGS(f_2_3)));
    EXPECT_NAMED(DH_EINVAL, name, "args is NULL", r->call(&out, NULL));
    EXPECT_NAMED(DH_EINVAL, name, "x is NULL", r->call(&out, ARGS(NULL)));
    EXPECT_NAMED(DH_EINVAL, name,
                 "struct_size is 0, must be the size of the argument struct (the macro sets it)",
                 r->call(&out, &unsized));
    EXPECT_NAMED(DH_EINVAL, name, "axis_count is 9, must be in [0, 8]",
                 r->call(&out, ARGS(f_2_3, .axis_count = 9)));
    EXPECT_NAMED(DH_EINVAL, name, "axes[0] is 1, axis_count is 0",
                 r->call(&out, ARGS(f_2_3, .axes = {1})));
    EXPECT_NAMED(DH_EINVAL, name, "axes[0] is 2, the tensor has 2 axes",
                 r->call(&out, ARGS(f_2_3, .axes = {2}, .axis_count = 1)));
    EXPECT_NAMED(DH_EINVAL, name, "axes[0] is 99, the tensor has 2 axes",
                 r->call(&out, ARGS(f_2_3, .axes = {99}, .axis_count = 1)));
    if (r->single)
        EXPECT_NAMED(DH_EINVAL, name, "axes has 2 entries, takes one axis or none for all",
                     r->call(&out, ARGS(f_2_3, .axes = {0, 1}, .axis_count = 2)));
    else
        EXPECT_NAMED(DH_EINVAL, name, "axes[1] is -1, axis 1 is there already",
                     r->call(&out, ARGS(f_2_3, .axes = {1, -1}, .axis_count = 2)));
    if (r->floats)
        EXPECT_NAMED(DH_EDTYPE, name, "x is i32, must be one of " FLOATS,
                     r->call(&out, ARGS(i_2_3)));
    if (r->extreme) {
        EXPECT_NAMED(DH_ESHAPE, name, "x [0, 3] has no elements along the 1 reduced axes",
                     r->call(&out, ARGS(f_0_3, .axes = {0}, .axis_count = 1)));
        EXPECT_NAMED(DH_ESHAPE, name, "x [0, 3] has no elements along the 2 reduced axes",
                     r->call(&out, ARGS(f_0_3)));
    }
    EXPECT_SILENT(r->call(&out, ARGS(f_2_3, .keepdims = true)));
}

static void reducing(void **state)
{
    (void)state;
    for (size_t i = 0; i < DH_COUNT(reductions); i++) reduced(&reductions[i]);
    EXPECT(DH_EINVAL, "tensor_var: ddof is -1, must be in [0, 1000000000]",
           dh_tensor_var(&out, f_3, .ddof = -1));
    EXPECT(DH_EINVAL, "tensor_std: ddof is -1, must be in [0, 1000000000]",
           dh_tensor_std(&out, f_3, .ddof = -1));
    EXPECT(DH_EINVAL, "tensor_softmax: out is NULL", dh_tensor_softmax(NULL, f_3, 0));
    EXPECT(DH_EINVAL, "tensor_softmax: x is NULL", dh_tensor_softmax(&out, NULL, 0));
    EXPECT(DH_EINVAL, "tensor_softmax: axis is 1, the tensor has 1 axes",
           dh_tensor_softmax(&out, f_3, 1));
    EXPECT(DH_EINVAL, "tensor_softmax: axis is 0, the tensor has 0 axes",
           dh_tensor_softmax(&out, f_scalar, 0));
    EXPECT(DH_EDTYPE, "tensor_softmax: x is i32, must be one of " FLOATS,
           dh_tensor_softmax(&out, i_3, 0));
    EXPECT(DH_EINVAL, "tensor_log_softmax: out is NULL", dh_tensor_log_softmax(NULL, f_3, 0));
    EXPECT(DH_EINVAL, "tensor_log_softmax: x is NULL", dh_tensor_log_softmax(&out, NULL, 0));
    EXPECT(DH_EINVAL, "tensor_log_softmax: axis is -2, the tensor has 1 axes",
           dh_tensor_log_softmax(&out, f_3, -2));
    EXPECT(DH_EDTYPE, "tensor_log_softmax: x is bool, must be one of " FLOATS,
           dh_tensor_log_softmax(&out, b_2_3, 0));
    none_wrong();
}

static void no_mistake(void **state)
{
    (void)state;
    const dh_tensor *pair[2] = {f_2_3, f_2_3};
    const int64_t one[2] = {1, 2};
    EXPECT_SILENT(dh_tensor_concat(&out, 2, pair, -1));
    EXPECT_SILENT(dh_tensor_stack(&out, 2, pair, -1));
    EXPECT_SILENT(dh_tensor_pad(&out, f_2_3, one, one, INFINITY));
    EXPECT_SILENT(dh_tensor_tile(&out, f_2_3, 2, one));
    EXPECT_SILENT(dh_tensor_repeat(&out, f_2_3, 2, 1));
    EXPECT_SILENT(dh_tensor_flip(&out, f_2_3, DH_ALL_AXES));
    EXPECT_SILENT(dh_tensor_moveaxis(&out, f_2_3, 0, -1));
    EXPECT_SILENT(dh_tensor_swapaxes(&out, f_2_3, 0, 1));
    EXPECT_SILENT(dh_tensor_triu(&out, f_2_3, -1));
    EXPECT_SILENT(dh_tensor_tril(&out, f_2_3, 1));
    EXPECT_SILENT(dh_tensor_diag(&out, f_3, 1));
    EXPECT_SILENT(dh_tensor_diag(&out, f_2_3, 99));
    EXPECT_SILENT(dh_tensor_trace(&out, f_2_3, 0));
    EXPECT_SILENT(dh_tensor_gather(&out, f_3, i64_3, 0));
    EXPECT_SILENT(dh_tensor_take(&out, f_2_3, i64_3, 1));
    EXPECT_SILENT(dh_tensor_scatter(&out, f_3, i64_3, f_3, 0));
    EXPECT_SILENT(dh_tensor_scatter_add(&out, f_3, i64_3, f_3, 0));
    EXPECT_SILENT(dh_tensor_one_hot(&out, i64_3, 3, DH_DTYPE_DEFAULT));
    EXPECT_SILENT(dh_tensor_nonzero(&out, f_2_3));
    EXPECT_SILENT(dh_tensor_sort(&out, &out2, f_2_3, 0, true));
    EXPECT_SILENT(dh_tensor_argsort(&out, f_2_3, -1, false));
    EXPECT_SILENT(dh_tensor_topk(&out, &out2, f_2_3, 0, 0, true));
    EXPECT_SILENT(dh_tensor_unique(&out, &out2, f_2_3));
    EXPECT_SILENT(dh_tensor_softmax(&out, f_2_3, -1));
    EXPECT_SILENT(dh_tensor_log_softmax(&out, f_2_3, 0));
    none_wrong();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_mistake),
                                       cmocka_unit_test(joining),
                                       cmocka_unit_test(views_and_diagonals),
                                       cmocka_unit_test(by_index),
                                       cmocka_unit_test(order),
                                       cmocka_unit_test(reducing)};
    return cmocka_run_group_tests(tests, make_parts, free_parts);
}
