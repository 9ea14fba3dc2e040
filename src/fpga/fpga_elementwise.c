/* SPDX-License-Identifier: MIT */
/* Elementwise ops, copies and casts. */
#include <math.h>
#include <string.h>

#include "fpga_ops.h"

static const char *whole(dh_dtype dtype)
{
    return dh_dtype_is_float(dtype) ? "" : " -DWHOLE";
}

/* A kernel of elementwise.cl for all elements of views[0], that reads the others. */
static dh_status launch(const dh_call *call, const char *kernel, const char *op, int count,
                        const dh_view *const *views, const double *numbers)
{
    dh_dtype x = views[count - 1]->dtype;
    dh__cl_launch l = dh__cl_begin(call, "elementwise", kernel, "-DX=%s -DOP=op_%s%s%s",
                                   dh_dtype_name(x), op, whole(x), dh__cl_packed(count, views));
    for (int i = 0; i < count; i++) dh__cl_view(&l, views[i]);
    for (int i = 0; i < 2 && numbers; i++) dh__cl_number(&l, x, numbers[i]);
    return dh__cl_each(&l, dh__view_count(views[0]));
}

/* --- one input --- */

/* An element of an integer dtype, saturating: its 64 bits. */
static int64_t element(dh_dtype dtype, double value)
{
    union {
        int8_t i8;
        int16_t i16;
        int32_t i32;
        int64_t i64;
    } cell = {.i64 = 0};
    dh__store(dtype, &cell, value);
    return dtype == DH_I8    ? cell.i8
           : dtype == DH_I16 ? cell.i16
           : dtype == DH_I32 ? cell.i32
                             : cell.i64;
}

/* Integers between the whole numbers that the bounds leave. */
static dh_status clamp_integers(const dh_call *call, const dh_view *const *views)
{
    const dh_clamp_attr *attr = call->attr;
    dh_dtype x = views[1]->dtype;
    dh__cl_launch l = dh__cl_begin(call, "elementwise", "clamp_whole", "-DX=%s -DWHOLE%s",
                                   dh_dtype_name(x), dh__cl_packed(2, views));
    dh__cl_view(&l, views[0]);
    dh__cl_view(&l, views[1]);
    dh__cl_int(&l, element(x, ceil(attr->min)));
    dh__cl_int(&l, element(x, floor(attr->max)));
    dh__cl_int(&l, element(x, attr->min));
    dh__cl_int(&l, element(x, attr->max));
    return dh__cl_each(&l, dh__view_count(views[0]));
}

/* In double, and back as a cast. */
static dh_status affine_integers(const dh_call *call, const dh_view *const *views)
{
    const dh_affine_attr *attr = call->attr;
    dh__cl_launch l = dh__cl_begin(call, "cast", "affine", "-DX=f64 -DY=%s -DSATURATE%s",
                                   dh_dtype_name(views[1]->dtype), dh__cl_packed(2, views));
    dh__cl_view(&l, views[0]);
    dh__cl_view(&l, views[1]);
    dh__cl_number(&l, DH_F64, attr->alpha);
    dh__cl_number(&l, DH_F64, attr->beta);
    return dh__cl_each(&l, dh__view_count(views[0]));
}

static const char *unary_refuse(const dh_call *call)
{
    const dh__cl_device *d = call->device->state;
    bool doubles = call->op == &dh_op_affine && !dh_dtype_is_float(call->in[0].dtype);
    return doubles && !d->f64 ? "the device has no doubles" : dh__cl_refuse(call);
}

static dh_status unary_run(const dh_call *call)
{
    const dh_view *views[] = {&call->out[0], &call->in[0]};
    bool integers = !dh_dtype_is_float(call->in[0].dtype);
    double numbers[2];
    if (integers && call->op == &dh_op_affine) return affine_integers(call, views);
    if (integers && call->op == &dh_op_clamp) return clamp_integers(call, views);
    dh__unary_numbers(call->op, call->attr, &numbers[0], &numbers[1]);
    return launch(call, "unary", call->op->name, 2, views, numbers);
}

static const dh_impl unary_impl = {.name = "elementwise", .refuse = unary_refuse, .run = unary_run};

#define UNARY(NAME, name, dtypes, keeps, f, df) \
    const dh_impl *const dh_fpga_##name[] = {&unary_impl, NULL};
#include "unary.def"
#undef UNARY

static dh_status unary_dx_run(const dh_call *call)
{
    const dh_unary_dx_attr *attr = call->attr;
    const dh_view *views[] = {&call->out[0], &call->in[0], &call->in[1]};
    return launch(call, "unary_dx", dh__ops[attr->op]->name, 3, views,
                  (const double[]){attr->alpha, attr->beta});
}

static const dh_impl unary_dx_impl = {
    .name = "elementwise", .refuse = dh__cl_refuse, .run = unary_dx_run};
const dh_impl *const dh_fpga_unary_dx[] = {&unary_dx_impl, NULL};

static dh_status test_run(const dh_call *call)
{
    const dh_view *views[] = {&call->out[0], &call->in[0]};
    bool float_test = call->op != &dh_op_logical_not;
    if (float_test && !dh_dtype_is_float(call->in[0].dtype))
        return dh__cl_fill(call, views[0], call->op == &dh_op_isfinite);
    return launch(call, "test", call->op->name, 2, views, NULL);
}

static const dh_impl test_impl = {.name = "elementwise", .refuse = dh__cl_refuse, .run = test_run};
const dh_impl *const dh_fpga_isnan[] = {&test_impl, NULL};
const dh_impl *const dh_fpga_isinf[] = {&test_impl, NULL};
const dh_impl *const dh_fpga_isfinite[] = {&test_impl, NULL};
const dh_impl *const dh_fpga_logical_not[] = {&test_impl, NULL};

/* --- two and three inputs --- */

/* That b has no 0 is known only when the kernel runs, too late to leave the result as it was. */
static const char *divide_refuse(const dh_call *call)
{
    bool whole_numbers = !dh_dtype_is_float(call->in[0].dtype);
    return whole_numbers ? "integers are divided on the CPU only" : dh__cl_refuse(call);
}

static dh_status two(const dh_call *call, const char *kernel)
{
    dh_view a = call->in[0], b = call->in[1];
    const dh_view *out = &call->out[0], *views[] = {out, &a, &b};
    dh__view_broadcast(&a, out->ndim, out->shape);
    dh__view_broadcast(&b, out->ndim, out->shape);
    return launch(call, kernel, call->op->name, 3, views, NULL);
}

static dh_status binary_run(const dh_call *call)
{
    return two(call, "binary");
}

static dh_status compare_run(const dh_call *call)
{
    return two(call, "compare");
}

static const dh_impl binary_impl = {
    .name = "elementwise", .refuse = dh__cl_refuse, .run = binary_run};
static const dh_impl divide_impl = {
    .name = "elementwise", .refuse = divide_refuse, .run = binary_run};
static const dh_impl compare_impl = {
    .name = "elementwise", .refuse = dh__cl_refuse, .run = compare_run};

#define OP(name, impl) const dh_impl *const dh_fpga_##name[] = {&impl##_impl, NULL};
OP(add, binary)
OP(sub, binary)
OP(mul, binary)
OP(pow, binary)
OP(maximum, binary)
OP(minimum, binary)
OP(atan2, binary)
OP(div, divide)
OP(mod, divide)
OP(remainder, divide)
#define BINARY(NAME, name, f)
#define COMPARE(NAME, name, f) OP(name, compare)
#include "binary.def"
#undef BINARY
#undef COMPARE

static dh_status where_run(const dh_call *call)
{
    dh_view in[3] = {call->in[0], call->in[1], call->in[2]};
    const dh_view *out = &call->out[0], *views[] = {out, &in[0], &in[1], &in[2]};
    for (int i = 0; i < 3; i++) dh__view_broadcast(&in[i], out->ndim, out->shape);
    dh__cl_launch l = dh__cl_begin(call, "move", "where", "-DE=%s%s", dh__cl_bits(out->dtype),
                                   dh__cl_packed(4, views));
    for (int i = 0; i < 4; i++) dh__cl_view(&l, views[i]);
    return dh__cl_each(&l, dh__view_count(out));
}

static const dh_impl where_impl = {.name = "elementwise", .run = where_run};
OP(where, where)

/* --- copies --- */

const char *dh__cl_bits(dh_dtype dtype)
{
    size_t size = dh_dtype_size(dtype);
    return size == 1 ? "uchar" : size == 2 ? "ushort" : size == 4 ? "uint" : "ulong";
}

dh_status dh__cl_move(const dh_call *call, const dh_view *y, const dh_view *x)
{
    const dh_view *views[] = {y, x};
    size_t size = dh_dtype_size(y->dtype);
    const char *packed = dh__cl_packed(2, views);
    if (!dh__view_count(y) || (*packed && y->data == x->data)) return DH_OK;
    if (*packed)
        return call->device->copy(call->device, y->data, x->data, (size_t)dh__view_count(y) * size);
    dh__cl_launch l = dh__cl_begin(call, "move", "copy", "-DE=%s%s", dh__cl_bits(y->dtype), packed);
    dh__cl_view(&l, y);
    dh__cl_view(&l, x);
    return dh__cl_each(&l, dh__view_count(y));
}

dh_status dh__cl_fill(const dh_call *call, const dh_view *y, double value)
{
    uint64_t cell = 0;
    dh__store(y->dtype, &cell, value);
    dh__cl_launch l =
        dh__cl_begin(call, "move", "fill", "-DE=%s%s", dh__cl_bits(y->dtype), dh__cl_packed(1, &y));
    dh__cl_view(&l, y);
    dh__cl_bytes(&l, &cell, sizeof cell);
    return dh__cl_each(&l, dh__view_count(y));
}

static dh_status copy_run(const dh_call *call)
{
    return dh__cl_move(call, &call->out[0], &call->in[0]);
}

static const dh_impl copy_impl = {.name = "copy", .run = copy_run};
OP(copy, copy)
OP(detach, copy)
OP(all_sum, copy)

/* --- casts --- */

/* To a half from what a float in between would round. */
static bool narrows(dh_dtype x, dh_dtype y)
{
    bool half = y == DH_F16 || y == DH_BF16;
    return half && x != DH_F32 && dh_dtype_size(x) > 2;
}

dh_status dh__cl_cast(const dh_call *call, const dh_view *to, const dh_view *from)
{
    const dh_view *views[] = {to, from};
    dh_dtype x = from->dtype, y = to->dtype;
    bool saturates = dh_dtype_is_float(x) && !dh_dtype_is_float(y) && y != DH_BOOL;
    if (x == y) return dh__cl_move(call, to, from);
    dh__cl_launch l =
        dh__cl_begin(call, "cast", "cast", "-DX=%s -DY=%s%s%s", dh_dtype_name(x), dh_dtype_name(y),
                     y == DH_BOOL    ? " -DTO_BOOL"
                     : saturates     ? " -DSATURATE"
                     : narrows(x, y) ? " -DNARROW"
                                     : "",
                     dh__cl_packed(2, views));
    dh__cl_view(&l, to);
    dh__cl_view(&l, from);
    return dh__cl_each(&l, dh__view_count(to));
}

static dh_status cast_run(const dh_call *call)
{
    return dh__cl_cast(call, &call->out[0], &call->in[0]);
}

static const dh_impl cast_impl = {.name = "elementwise", .refuse = dh__cl_refuse, .run = cast_run};
OP(cast, cast)
