/* SPDX-License-Identifier: MIT */
/* What the case lists cannot say about softmax, cross entropy, dropout and normalisation. */
#include <deephealth/tensor_reduce.h>

#include "cpu.h"
#include "expect.h"

static const float *data_of(const dh_tensor *t)
{
    return dh_tensor_data(t);
}

static void softmax_is_stable(void **state)
{
    DH_UNUSED(state);
    dh_tensor *y, *x = floats(3, 3, (float[]){1e4f, 1e4f, -1e30f, -INFINITY, 0, 0, NAN, 1, 2});
    assert_int_equal(dh_tensor_softmax(&y, x, -1), DH_OK);
    const float *p = data_of(y);
    assert_true(p[0] == 0.5f && p[1] == 0.5f && p[2] == 0);
    assert_true(p[3] == 0 && p[4] == 0.5f && p[5] == 0.5f);
    assert_true(isnan(p[6]) && isnan(p[7]) && isnan(p[8]));
    dh_tensor_free(y);
    assert_int_equal(dh_tensor_log_softmax(&y, x, -1), DH_OK);
    p = data_of(y);
    assert_true(fabs((double)p[0] + log(2)) < 1e-6 && p[3] == -INFINITY && isnan(p[7]));
    dh_tensor_free(y);
    dh_tensor_free(x);
}

/* Largest error of a softmax of LONG terms along axis 0 or 1 and of its gradient, in units of
 * 2^-23: relative, for logarithms and gradients absolute. */
enum { LONG = 300007 };

static double long_softmax_error(int axis, bool log_of, bool gradient)
{
    static float x[3 * LONG], dy[3 * LONG];
    static double y[LONG];
    dh_axis_attr attr = {axis};
    dh_tensor *tx, *td, *ty, *out;
    const dh_tensor *in[2];
    int64_t shape[2] = {axis ? 3 : LONG, axis ? LONG : 3}, step = axis ? 1 : 3;
    double worst = 0;
    for (int64_t i = 0; i < 3 * LONG; i++) {
        x[i] = (float)(i * 7919 % 10007) / 10007 - 0.5f;
        dy[i] = (float)(i * 104729 % 9973) / 9973;
    }
    tx = tensor(DH_F32, 2, shape, x);
    td = tensor(DH_F32, 2, shape, dy);
    assert_int_equal((log_of ? dh_tensor_log_softmax : dh_tensor_softmax)(&ty, tx, axis), DH_OK);
    in[0] = td;
    in[1] = ty;
    int op = log_of ? DH_OP_LOG_SOFTMAX_DX : DH_OP_SOFTMAX_DX;
    assert_int_equal(dh__eager(op, &attr, 2, in, &out), DH_OK);
    for (int64_t line = 0; line < 3; line++) {
        int64_t at = axis ? line * LONG : line;
        double sum = 0, dot = 0;
        for (int64_t i = 0; i < LONG; i++) sum += exp((double)x[at + i * step]);
        for (int64_t i = 0; i < LONG; i++) {
            y[i] = exp((double)x[at + i * step]) / sum;
            dot += (double)dy[at + i * step] * (log_of ? 1 : y[i]);
        }
        for (int64_t i = 0; i < LONG; i++) {
            int64_t k = at + i * step;
            double d = (double)dy[k], want = log_of ? log(y[i]) : y[i],
                   got = (double)data_of(ty)[k];
            double unit = log_of ? 1 : y[i];
            if (gradient) {
                want = log_of ? d - y[i] * dot : y[i] * (d - dot);
                got = (double)data_of(out)[k];
            }
            double error = fabs(got - want) / unit * 0x1p23;
            worst = error > worst || isnan(error) ? error : worst;
        }
    }
    dh_tensor *all[] = {tx, td, ty, out};
    for (size_t i = 0; i < DH_COUNT(all); i++) dh_tensor_free(all[i]);
    return worst;
}

/* Sums of many terms are as good along any axis. log(y) is about -13, where f32 lies 8 units apart,
 * and its gradient is made from it. */
static void softmax_of_long_axes(void **state)
{
    DH_UNUSED(state);
    for (int axis = 0; axis < 2; axis++) {
        double error[4] = {
            long_softmax_error(axis, false, false), long_softmax_error(axis, true, false),
            long_softmax_error(axis, false, true), long_softmax_error(axis, true, true)};
        assert_true(error[0] <= 4 && error[1] <= 12 && error[2] <= 4 && error[3] <= 12);
    }
}

static dh_status entropy(dh_tensor **y, const dh_tensor *z, const dh_tensor *t)
{
    const dh_tensor *in[] = {z, t};
    return dh__eager(DH_OP_SOFTMAX_CROSS_ENTROPY, NULL, 2, in, y);
}

static void cross_entropy_input(void **state)
{
    DH_UNUSED(state);
    dh_tensor *y = NULL, *z = floats(2, 3, (float[]){1, 2, 3, 4, 5, 6});
    dh_tensor *label = tensor(DH_I64, 1, (int64_t[]){2}, (int64_t[]){0, 3});
    dh_tensor *below = tensor(DH_I32, 1, (int64_t[]){2}, (int32_t[]){-1, 0});
    dh_tensor *few = tensor(DH_I64, 1, (int64_t[]){1}, (int64_t[]){0});
    dh_tensor *wide = tensor(DH_F64, 2, (int64_t[]){2, 3}, (double[6]){0});
    dh_tensor *scalar = tensor(DH_F32, 0, NULL, (float[]){1});
    EXPECT_FAIL(DH_EINVAL, entropy(&y, z, label), "softmax_cross_entropy", "row 1", "is 3",
                "[0, 3)");
    EXPECT_FAIL(DH_EINVAL, entropy(&y, z, below), "row 0", "-1");
    EXPECT_FAIL(DH_ESHAPE, entropy(&y, z, few), "softmax_cross_entropy", "[1]", "[2]");
    EXPECT_FAIL(DH_EDTYPE, entropy(&y, z, wide), "target", "f64", "f32");
    EXPECT_FAIL(DH_ESHAPE, entropy(&y, scalar, few), "0 axes");
    assert_null(y);
    /* a class that cannot be, with probability 0, costs nothing */
    dh_tensor *hard = floats(1, 3, (float[]){-INFINITY, 0, 0}),
              *t = floats(1, 3, (float[]){0, 1, 0});
    assert_int_equal(entropy(&y, hard, t), DH_OK);
    assert_true(fabs((double)data_of(y)[0] - log(2)) < 1e-6);
    /* a row without any class costs nothing, but never hides a NaN */
    dh_tensor *bad = floats(2, 3, (float[]){1, NAN, 3, 1, 2, 3}),
              *none = floats(2, 3, (float[6]){0});
    dh_tensor *loss = NULL;
    assert_int_equal(entropy(&loss, bad, none), DH_OK);
    assert_true(isnan(data_of(loss)[0]) && data_of(loss)[1] == 0);
    dh_tensor *all[] = {y, z, label, below, few, wide, scalar, hard, t, bad, none, loss};
    for (size_t i = 0; i < DH_COUNT(all); i++) dh_tensor_free(all[i]);
}

/* Dropout of ones at a step position, in place of the input, by one of the two kernels. */
static void drop(float *x, int64_t n, double rate, uint64_t position, uint64_t stream, int impl)
{
    dh_dropout_attr attr = {rate};
    dh_step step = {.seed = 7, .position = position};
    dh_view view = {.dtype = DH_F32, .ndim = 1, .shape = {n}, .stride = {1}, .data = x}, out = view;
    dh_call call = {.op = &dh_op_dropout, .attr = &attr, .in_count = 1, .out_count = 1};
    call.in = &view;
    call.out = &out;
    call.step = &step;
    call.stream = stream;
    for (int64_t i = 0; i < n; i++) x[i] = 1;
    assert_int_equal(dh_cpu_dropout[impl]->run(&call), DH_OK);
}

#define DROPS 20011

static void dropout_streams(void **state)
{
    DH_UNUSED(state);
    static float a[DROPS], b[DROPS];
    drop(a, DROPS, 0.25, 0, 1, 0);
    int kept = 0, same = 0;
    for (int i = 0; i < DROPS; i++) {
        assert_true(a[i] == 0 || a[i] == (float)(1 / 0.75));
        kept += a[i] != 0;
    }
    /* five standard deviations of a binomial */
    assert_true(fabs(kept - 0.75 * DROPS) < 5 * sqrt(DROPS * 0.25 * 0.75));
    drop(b, DROPS, 0.25, 0, 1, 0);
    assert_memory_equal(a, b, sizeof a);
    drop(b, DROPS, 0.25, 1, 1, 0);
    for (int i = 0; i < DROPS; i++) same += a[i] == b[i];
    assert_true(same < DROPS * 0.7);
    drop(b, DROPS, 0.25, 0, 2, 0);
    same = 0;
    for (int i = 0; i < DROPS; i++) same += a[i] == b[i];
    assert_true(same < DROPS * 0.7);
    drop(b, DROPS, 1, 0, 1, 0);
    for (int i = 0; i < DROPS; i++) assert_true(b[i] == 0);
}

/* A mask of step 3 comes back neither after 2^24 steps nor later. */
static void dropout_does_not_repeat(void **state)
{
    DH_UNUSED(state);
    static float a[DROPS], b[DROPS];
    static const uint64_t later[] = {1 << 24, 1 << 25, UINT64_C(1) << 32, UINT64_C(1) << 63};
    for (int impl = 0; impl < 2; impl++) {
        drop(a, DROPS, 0.25, 3, 1, impl);
        for (size_t k = 0; k < DH_COUNT(later); k++) {
            int same = 0;
            drop(b, DROPS, 0.25, 3 + later[k], 1, impl);
            for (int i = 0; i < DROPS; i++) same += a[i] == b[i];
            /* both kept or both dropped: 10 in 16 */
            if (!(fabs(same - 0.625 * DROPS) < 5 * sqrt(DROPS * 0.625 * 0.375)))
                fail_msg("after %g steps %d of %d are the same", (double)later[k], same, DROPS);
        }
    }
}

static void norm_input(void **state)
{
    DH_UNUSED(state);
    dh_norm_attr attr = {.axis = 1, .epsilon = 1e-5};
    dh_tensor *out[3] = {0}, *x = floats(2, 3, (float[]){1, 2, 3, 4, 5, 6});
    dh_tensor *two = tensor(DH_F32, 1, (int64_t[]){2}, (float[2]){0});
    dh_tensor *three = tensor(DH_I32, 1, (int64_t[]){3}, (int32_t[3]){0});
    const dh_tensor *in[] = {x, two, two, two, two};
    EXPECT_FAIL(DH_ESHAPE, dh__eager(DH_OP_LAYER_NORM, &attr, 3, in, out), "layer_norm", "[2]",
                "[3]");
    EXPECT_FAIL(DH_EINVAL, dh__eager(DH_OP_LAYER_NORM, &attr, 2, in, out), "2 inputs",
                "3 with gamma");
    EXPECT_FAIL(DH_ESHAPE, dh__eager(DH_OP_BATCH_NORM_TRAIN, &attr, 3, in, out), "batch_norm_train",
                "[2]", "[3]");
    EXPECT_FAIL(DH_EINVAL, dh__eager(DH_OP_BATCH_NORM, &attr, 4, in, out), "batch_norm",
                "4 inputs");
    in[1] = in[2] = three;
    EXPECT_FAIL(DH_EDTYPE, dh__eager(DH_OP_LAYER_NORM, &attr, 3, in, out), "layer_norm", "i32");
    attr.axis = 2;
    EXPECT_FAIL(DH_EINVAL, dh__eager(DH_OP_BATCH_NORM_TRAIN, &attr, 1, in, out), "axis is 2",
                "2 axes");
    attr.axis = 1;
    attr.epsilon = -1;
    EXPECT_FAIL(DH_EINVAL, dh__eager(DH_OP_LAYER_NORM, &attr, 1, in, out), "epsilon", "-1");
    assert_null(out[0]);
    dh_tensor_free(x);
    dh_tensor_free(two);
    dh_tensor_free(three);
}

/* Statistics of f16 input are f32: the variance of values around 300 does not fit f16. */
static void statistics_of_halves(void **state)
{
    DH_UNUSED(state);
    uint16_t h[4];
    float v[4] = {-400, 400, -400, 400};
    for (int i = 0; i < 4; i++) h[i] = dh__f32_to_f16(v[i]);
    dh_norm_attr attr = {.axis = 1, .epsilon = 1e-5};
    dh_tensor *out[3] = {0}, *x = tensor(DH_F16, 2, (int64_t[]){4, 1}, h);
    const dh_tensor *in = x;
    assert_int_equal(dh__eager(DH_OP_BATCH_NORM_TRAIN, &attr, 1, &in, out), DH_OK);
    assert_int_equal(dh_tensor_dtype(out[2]), DH_F32);
    assert_true(data_of(out[1])[0] == 0 && data_of(out[2])[0] == 160000);
    assert_true(dh__f16_to_f32(((const uint16_t *)dh_tensor_data(out[0]))[1]) == 1);
    for (int i = 0; i < 3; i++) dh_tensor_free(out[i]);
    dh_tensor_free(x);
}

static void allocation_failures(void **state)
{
    DH_UNUSED(state);
    dh_norm_attr attr = {.axis = 1, .epsilon = 1e-5};
    dh_memory_stats before, after;
    dh_tensor *x = floats(2, 3, (float[]){1, 2, 3, 4, 5, 6});
    const dh_tensor *in = x;
    dh_status status = DH_ENOMEM;
    for (uint64_t n = 1; status; n++) {
        dh_tensor *out[3] = {0};
        assert_true(n < 100);
        dh_get_memory_stats(&before);
        dh_alloc_fail_at(n);
        status = dh__eager(DH_OP_BATCH_NORM_TRAIN, &attr, 1, &in, out);
        dh_alloc_fail_at(0);
        assert_true(status == DH_OK || (status == DH_ENOMEM && !out[0] && !out[1] && !out[2]));
        for (int i = 0; i < 3; i++) dh_tensor_free(out[i]);
        dh_get_memory_stats(&after);
        assert_true(before.live_blocks == after.live_blocks);
    }
    dh_tensor_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(softmax_is_stable),       cmocka_unit_test(softmax_of_long_axes),
        cmocka_unit_test(cross_entropy_input),     cmocka_unit_test(dropout_streams),
        cmocka_unit_test(dropout_does_not_repeat), cmocka_unit_test(norm_input),
        cmocka_unit_test(statistics_of_halves),    cmocka_unit_test(allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
