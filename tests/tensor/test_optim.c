/* SPDX-License-Identifier: MIT */
/* Three steps of each optimiser on one weight, against the papers' formulas written out here in
 * double, and what they refuse. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cpu.h"

#define N     3 /* copies of the same weight, so that a vector's tail is met too */
#define STEPS 3

static const double gradients[STEPS] = {0.5, -1.25, 0.75};
static const double rate = 0.125; /* exact in f32, as the step holds it */

/* Runs STEPS updates of w = 1 with state zero; w after each into got. states counts state arrays.
 */
static void train(double got[STEPS], const dh_op *op, const dh_impl *impl, const void *attr,
                  int states, dh_dtype dtype)
{
    double buffer[6][N] = {{0}};
    dh_view in[6], out[DH_OP_MAX_OUT];
    int outs = 0;
    memset(in, 0, sizeof in);
    memset(out, 0, sizeof out);
    for (int k = 0; k < 2 + states; k++) {
        in[k] =
            (dh_view){.dtype = dtype, .ndim = 1, .shape = {N}, .stride = {1}, .data = buffer[k]};
    }
    size_t size = dh_dtype_size(dtype);
    for (int i = 0; i < N; i++) dh__store(dtype, (char *)buffer[0] + (size_t)i * size, 1);
    while (outs < DH_OP_MAX_OUT && op->updates[outs] && op->updates[outs] <= 2 + states) outs++;
    dh_step step = {.learning_rate = (float)rate};
    dh_call call = {.op = op, .attr = attr, .in_count = 2 + states, .out_count = outs, .in = in};
    call.out = out;
    call.step = &step;
    assert_int_equal(dh__op_infer(&call), DH_OK);
    for (int j = 0; j < outs; j++) out[j] = in[op->updates[j] - 1];
    for (int t = 0; t < STEPS; t++) {
        step.update = t + 1;
        for (int i = 0; i < N; i++)
            dh__store(dtype, (char *)buffer[1] + (size_t)i * size, gradients[t]);
        assert_int_equal(impl->run(&call), DH_OK);
        got[t] = dh__load(dtype, buffer[0]);
        for (int i = 1; i < N; i++)
            assert_true(dh__load(dtype, (char *)buffer[0] + (size_t)i * size) == got[t]);
    }
}

static void expect(const double want[STEPS], const dh_op *op, const dh_impl *const *list,
                   const void *attr, int states)
{
    static const dh_dtype dtypes[] = {DH_F64, DH_F32};
    for (int d = 0; d < 2; d++) {
        double got[STEPS], tolerance = d ? 2e-6 : 1e-13;
        train(got, op, list[0], attr, states, dtypes[d]);
        for (int t = 0; t < STEPS; t++)
            if (!(fabs(got[t] - want[t]) <= tolerance))
                fail_msg("%s %s, step %d: %.15g, must be %.15g", op->name, dh_dtype_name(dtypes[d]),
                         t + 1, got[t], want[t]);
    }
}

static void sgd(void **state)
{
    DH_UNUSED(state);
    dh_sgd_attr attr = {.lr_scale = 1};
    /* 1 - 0.125 * 0.5, then + 0.125 * 1.25, then - 0.125 * 0.75 */
    expect((double[]){0.9375, 1.09375, 1.0}, &dh_op_sgd_step, dh_cpu_sgd_step, &attr, 0);
    attr.lr_scale = 2;
    expect((double[]){0.875, 1.1875, 1.0}, &dh_op_sgd_step, dh_cpu_sgd_step, &attr, 0);
    attr = (dh_sgd_attr){.lr_scale = 1, .momentum = 0.5};
    /* m = 0.5, -1, 0.25 */
    expect((double[]){0.9375, 1.0625, 1.03125}, &dh_op_sgd_step, dh_cpu_sgd_step, &attr, 1);
    attr.nesterov = true;
    /* g + m / 2 = 0.75, -1.75, 0.875 */
    expect((double[]){0.90625, 1.125, 1.015625}, &dh_op_sgd_step, dh_cpu_sgd_step, &attr, 1);
    attr = (dh_sgd_attr){.lr_scale = 1, .weight_decay = 0.5};
    /* g + w / 2 = 1, -0.8125, 1.23828125 */
    expect((double[]){0.875, 0.9765625, 0.821777343750}, &dh_op_sgd_step, dh_cpu_sgd_step, &attr,
           0);
}

enum { ADAM, ADAMW, ADAMAX, NADAM, AMSGRAD };

static void adam_family(void **state)
{
    DH_UNUSED(state);
    const double b1 = 0.9, b2 = 0.5, eps = 0.0078125,
                 decay = 0.25; /* b2 small: amsgrad must matter */
    for (int variant = ADAM; variant <= AMSGRAD; variant++) {
        dh_adam_attr attr = {variant, b1, b2, eps, decay, 1};
        double w = 1, m = 0, v = 0, top = 0, product = 1, want[STEPS];
        for (int t = 1; t <= STEPS; t++) {
            double g = gradients[t - 1];
            if (variant == ADAMW)
                w *= 1 - rate * decay;
            else
                g += decay * w;
            m = b1 * m + (1 - b1) * g;
            if (variant == ADAMAX) {
                v = fmax(b2 * v, fabs(g) + eps);
                w -= rate / (1 - pow(b1, t)) * m / v;
            } else {
                v = b2 * v + (1 - b2) * g * g;
                top = fmax(top, v);
                double c2 = 1 - pow(b2, t), d = sqrt((variant == AMSGRAD ? top : v) / c2) + eps;
                if (variant == NADAM) {
                    double mu = b1 * (1 - 0.5 * pow(0.96, t * 0.004));
                    double next = b1 * (1 - 0.5 * pow(0.96, (t + 1) * 0.004));
                    product *= mu;
                    w -= rate * (1 - mu) / (1 - product) * g / d;
                    w -= rate * next / (1 - product * next) * m / d;
                } else {
                    w -= rate * (m / (1 - pow(b1, t))) / d;
                }
            }
            want[t - 1] = w;
        }
        expect(want, &dh_op_adam_step, dh_cpu_adam_step, &attr, variant == AMSGRAD ? 3 : 2);
    }
}

static void rmsprop(void **state)
{
    DH_UNUSED(state);
    for (int kind = 0; kind < 4; kind++) {
        bool centered = kind & 1, momentum = kind & 2;
        dh_rmsprop_attr attr = {0.75, 0.0625, momentum ? 0.5 : 0, 0.25, 1, centered};
        double w = 1, v = 0, mean = 0, buf = 0, want[STEPS];
        for (int t = 0; t < STEPS; t++) {
            double g = gradients[t] + 0.25 * w;
            v = 0.75 * v + 0.25 * g * g;
            mean = 0.75 * mean + 0.25 * g;
            double d = g / (sqrt(centered ? v - mean * mean : v) + 0.0625);
            buf = 0.5 * buf + d;
            w -= rate * (momentum ? buf : d);
            want[t] = w;
        }
        expect(want, &dh_op_rmsprop_step, dh_cpu_rmsprop_step, &attr, 1 + centered + momentum);
    }
}

static void adagrad_adadelta(void **state)
{
    DH_UNUSED(state);
    dh_ada_attr attr = {.rho = 0.5, .epsilon = 0.25, .lr_scale = 1};
    double w = 1, s = 0, delta = 0, want[STEPS];
    for (int t = 0; t < STEPS; t++) {
        s += gradients[t] * gradients[t];
        w -= rate * gradients[t] / (sqrt(s) + 0.25);
        want[t] = w;
    }
    expect(want, &dh_op_adagrad_step, dh_cpu_adagrad_step, &attr, 1);
    w = 1, s = 0;
    for (int t = 0; t < STEPS; t++) {
        s = 0.5 * s + 0.5 * gradients[t] * gradients[t];
        double d = sqrt(delta + 0.25) / sqrt(s + 0.25) * gradients[t];
        delta = 0.5 * delta + 0.5 * d * d;
        w -= rate * d;
        want[t] = w;
    }
    expect(want, &dh_op_adadelta_step, dh_cpu_adadelta_step, &attr, 2);
}

static void clipping(void **state)
{
    DH_UNUSED(state);
    float a[3] = {3, 0, 0}, b[2] = {0, 4};
    dh_view in[2] = {{.dtype = DH_F32, .ndim = 1, .shape = {3}, .stride = {1}, .data = a},
                     {.dtype = DH_F32, .ndim = 1, .shape = {2}, .stride = {1}, .data = b}};
    dh_view out[2] = {in[0], in[1]};
    dh_clip_attr attr = {10};
    dh_call call = {.op = &dh_op_clip_norm, .attr = &attr, .in_count = 2, .out_count = 2, .in = in};
    call.out = out;
    assert_int_equal(dh_cpu_clip_norm[0]->run(&call), DH_OK);
    assert_true(a[0] == 3 && b[1] == 4);
    attr.max_norm = 2.5; /* the norm of both together is 5 */
    assert_int_equal(dh_cpu_clip_norm[0]->run(&call), DH_OK);
    assert_true(fabs((double)a[0] - 1.5) < 1e-6 && fabs((double)b[1] - 2) < 1e-6 && a[1] == 0);
}

static dh_status infer(const dh_op *op, const void *attr, int count, const int64_t *lengths)
{
    dh_view in[6] = {{0}}, out[DH_OP_MAX_OUT];
    for (int k = 0; k < count; k++)
        in[k] = (dh_view){.dtype = DH_F32, .ndim = 1, .shape = {lengths[k]}};
    memset(out, 0, sizeof out);
    dh_call call = {.op = op, .attr = attr, .in_count = count, .out_count = 1, .in = in};
    call.out = out;
    return dh__op_infer(&call);
}

static void refuses(dh_status status, dh_status want, const char *part)
{
    assert_int_equal(status, want);
    if (!strstr(dh_error_text(), part))
        fail_msg("\"%s\" does not say \"%s\"", dh_error_text(), part);
}

static void bad_input(void **state)
{
    DH_UNUSED(state);
    const int64_t same[] = {3, 3, 3, 3, 3}, other[] = {3, 4, 3, 3, 3};
    dh_sgd_attr sgd = {.lr_scale = 1, .nesterov = true};
    refuses(infer(&dh_op_sgd_step, &sgd, 2, same), DH_EINVAL, "momentum is 0");
    sgd.momentum = 0.9;
    refuses(infer(&dh_op_sgd_step, &sgd, 2, same), DH_EINVAL, "2 inputs, these attributes take 3");
    refuses(infer(&dh_op_sgd_step, &sgd, 3, other), DH_ESHAPE, "input 1 is [4], input 0 is [3]");
    sgd.momentum = 2;
    refuses(infer(&dh_op_sgd_step, &sgd, 3, same), DH_EINVAL, "momentum");
    dh_adam_attr adam = {AMSGRAD, 0.9, 0.999, 1e-8, 0, 1};
    refuses(infer(&dh_op_adam_step, &adam, 4, same), DH_EINVAL, "vmax");
    adam.variant = NADAM;
    refuses(infer(&dh_op_adam_step, &adam, 5, same), DH_EINVAL, "5 inputs");
    adam.beta1 = 1;
    refuses(infer(&dh_op_adam_step, &adam, 5, same), DH_EINVAL, "beta1");
    dh_rmsprop_attr rms = {0.9, 1e-8, 0.9, 0, 1, true};
    refuses(infer(&dh_op_rmsprop_step, &rms, 4, same), DH_EINVAL,
            "4 inputs, these attributes take 5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sgd),      cmocka_unit_test(adam_family),
        cmocka_unit_test(rmsprop),  cmocka_unit_test(adagrad_adadelta),
        cmocka_unit_test(clipping), cmocka_unit_test(bad_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
