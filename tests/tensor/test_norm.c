/* SPDX-License-Identifier: MIT */
/* Normalisation far from zero: the mean is large, the deviation is not. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cpu.h"
#include "rng.h"

enum { GROUPS = 3, COUNT = 4099 };

/* x = offset + z, z standard normal, rounded to f32; x[0] of the last group lies far off. */
static void fill(float *x, double offset)
{
    static double z[GROUPS * COUNT];
    dh__random_normal(5, 6, 0, z, GROUPS * COUNT);
    for (int i = 0; i < GROUPS * COUNT; i++) x[i] = (float)(offset + z[i]);
    x[(GROUPS - 1) * COUNT] = (float)(-2 * offset);
}

/* Of group g, whose elements lie step apart from first on. */
static void moments(double *mean, double *var, const float *x, int64_t first, int64_t step)
{
    *mean = *var = 0;
    for (int64_t i = 0; i < COUNT; i++) *mean += (double)x[first + i * step] / COUNT;
    for (int64_t i = 0; i < COUNT; i++) {
        double d = (double)x[first + i * step] - *mean;
        *var += d * d / COUNT;
    }
}

/* An ulp of f32 (half of it for the variance, one for each operation on y) is 2^-23 of the value.
 */
static void expect_near(float got, double want, double scale, const char *what, double offset)
{
    if (!(fabs((double)got - want) <= 4 * 0x1p-23 * scale))
        fail_msg("offset %g: %s is %.9g, not %.9g", offset, what, (double)got, want);
}

/* Gradients of z = (x - mean) * rstd * 1.5 + 0.25 under dy, for the mean and spread that forward
 * gave. */
static void check_dx(int layout, double offset, const dh_norm_attr *attr, dh_tensor *const *in,
                     dh_tensor *const *kept)
{
    static double z[GROUPS * COUNT];
    static float dy[GROUPS * COUNT];
    dh_tensor *back[3] = {0}, *cotangent = NULL;
    const float *x = dh_tensor_data(in[0]);
    dh__random_normal(8, 9, 0, z, GROUPS * COUNT);
    for (int i = 0; i < GROUPS * COUNT; i++) dy[i] = (float)z[i];
    assert_int_equal(dh_tensor_from_data(&cotangent, dy, DH_F32, 3, dh_tensor_shape(in[0])), DH_OK);
    const dh_tensor *args[] = {cotangent, in[0], kept[1], kept[2], in[1]};
    int op = layout == 2 ? DH_OP_LAYER_NORM_DX : DH_OP_BATCH_NORM_DX;
    assert_int_equal(dh__eager(op, attr, 5, args, back), DH_OK);
    const float *dx = dh_tensor_data(back[0]), *dgamma = dh_tensor_data(back[1]);
    static double want_dgamma[COUNT];
    memset(want_dgamma, 0, sizeof want_dgamma);
    for (int g = 0; g < GROUPS; g++) {
        int64_t first = layout ? g * COUNT : g, step = layout ? 1 : GROUPS;
        double mean, var, m0 = 0, m1 = 0;
        moments(&mean, &var, x, first, step);
        double rstd = 1 / sqrt(var + attr->epsilon);
        for (int64_t i = 0; i < COUNT; i++) {
            double d = (double)dy[first + i * step];
            double xhat = ((double)x[first + i * step] - mean) * rstd;
            m0 += d / COUNT;
            m1 += d * xhat / COUNT;
            want_dgamma[layout == 2 ? i : g] += d * xhat;
        }
        for (int64_t i = 0; i < COUNT; i++) {
            int64_t at = first + i * step;
            double d = (double)dy[at], xhat = ((double)x[at] - mean) * rstd;
            double scale = 1.5 * rstd * (fabs(d) + fabs(m0) + (1 + fabs(xhat)) * fabs(m1));
            expect_near(dx[at], 1.5 * rstd * (d - m0 - xhat * m1), scale, "dx", offset);
        }
    }
    /* |dy| and |xhat| are about 1, a sum of n products about sqrt(n) */
    int64_t width = layout == 2 ? COUNT : GROUPS;
    for (int64_t i = 0; i < width; i++)
        expect_near(dgamma[i], want_dgamma[i], layout == 2 ? GROUPS * 16 : 64, "dgamma", offset);
    dh_tensor_free(cotangent);
    for (int i = 0; i < 3; i++) dh_tensor_free(back[i]);
}

/* groups: channels lie side by side (0), each as a row (1); layer_norm's rows (2) */
static void check(int layout, double offset)
{
    static float x[GROUPS * COUNT], gathered[GROUPS * COUNT];
    int64_t shape[2][3] = {{COUNT, GROUPS, 1}, {1, GROUPS, COUNT}};
    dh_norm_attr attr = {.axis = layout == 2 ? 2 : 1, .epsilon = 1e-5};
    dh_tensor *in[3] = {0}, *out[3] = {0};
    fill(gathered, offset);
    for (int g = 0; g < GROUPS; g++)
        for (int i = 0; i < COUNT; i++)
            x[layout ? g * COUNT + i : i * GROUPS + g] = gathered[g * COUNT + i];
    assert_int_equal(dh_tensor_from_data(&in[0], x, DH_F32, 3, shape[layout > 0]), DH_OK);
    int64_t width = layout == 2 ? COUNT : GROUPS;
    assert_int_equal(dh_tensor_new(&in[1], DH_F32, 1, &width), DH_OK);
    assert_int_equal(dh_tensor_new(&in[2], DH_F32, 1, &width), DH_OK);
    assert_int_equal(dh_tensor_fill(in[1], 1.5), DH_OK);
    assert_int_equal(dh_tensor_fill(in[2], 0.25), DH_OK);
    assert_int_equal(dh__eager(layout == 2 ? DH_OP_LAYER_NORM : DH_OP_BATCH_NORM_TRAIN, &attr, 3,
                               (const dh_tensor *const *)in, out),
                     DH_OK);
    const float *y = dh_tensor_data(out[0]), *m = dh_tensor_data(out[1]),
                *v = dh_tensor_data(out[2]);
    for (int g = 0; g < GROUPS; g++) {
        double mean, var;
        moments(&mean, &var, gathered, g * COUNT, 1);
        double rstd = 1 / sqrt(var + attr.epsilon);
        expect_near(m[g], mean, fabs(mean), "mean", offset);
        expect_near(v[g], layout == 2 ? rstd : var, layout == 2 ? rstd : var, "spread", offset);
        for (int i = 0; i < COUNT; i++) {
            int at = layout ? g * COUNT + i : i * GROUPS + g;
            double z = ((double)x[at] - mean) * rstd * 1.5;
            /* what is subtracted and added may be larger than what is left */
            expect_near(y[at], z + 0.25, fabs(z) + 1, "y", offset);
        }
    }
    check_dx(layout, offset, &attr, in, out);
    for (int i = 0; i < 3; i++) {
        dh_tensor_free(in[i]);
        dh_tensor_free(out[i]);
    }
}

static void large_means_cancel_nothing(void **state)
{
    DH_UNUSED(state);
    static const double offsets[] = {0, 1e2, 1e4, -1e4, 1e6, 1e7};
    for (int layout = 0; layout < 3; layout++)
        for (size_t o = 0; o < DH_COUNT(offsets); o++) check(layout, offsets[o]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(large_means_cancel_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
