/* SPDX-License-Identifier: MIT */
/* The same training on the CPU and on the device under test: initial weights, dropout masks, the
 * losses of the first steps, the first gradients. */
#include <math.h>

#include "mlp.h"
#include "model_test.h"

#define BATCH 100

static dh_cs device;

static dh_model *conv_new(dh_cs cs)
{
    dh_model *net = dh_model_new("cnn"); /* that of examples/mnist_conv.c */
    dh_layer *x = dh_reshape(dh_input(net, {784}), {1, 28, 28});
    x = dh_conv2d(x, 32, {3, 3}, .padding = "same", .activation = "relu");
    x = dh_max_pool2d(x, {3, 3}, .strides = {1, 1}, .padding = "same");
    x = dh_conv2d(x, 64, {3, 3}, .padding = "same", .activation = "relu");
    x = dh_max_pool2d(x, {2, 2});
    x = dh_conv2d(x, 128, {3, 3}, .padding = "same", .activation = "relu");
    x = dh_max_pool2d(x, {3, 3}, .strides = {2, 2}, .pads = {1, 1, 1, 1});
    x = dh_conv2d(x, 256, {3, 3}, .padding = "same", .activation = "relu");
    x = dh_max_pool2d(x, {2, 2});
    x = dh_softmax(dh_dense(dh_flatten(x), 10));
    assert_ok((dh_build)(&(dh_build_args){.struct_size = sizeof(dh_build_args),
                                          .model = net,
                                          .output = x,
                                          .optimizer = dh_adam(0.001f),
                                          .loss = "soft_cross_entropy",
                                          .device = cs,
                                          .seed = 1}));
    return net;
}

static void make_digits(dh_tensor **x, dh_tensor **y, int64_t count)
{
    assert_ok(dh_digits_generate(x, y, count, 5));
}

static dh_tensor *rows_of(const dh_tensor *x, int begin, int end)
{
    dh_tensor *copy;
    char range[32];
    snprintf(range, sizeof range, "%d:%d", begin, end);
    assert_ok(dh_tensor_slice(&copy, x, range));
    return copy;
}

static double step(dh_model *net, const dh_tensor *x, const dh_tensor *y, int begin, int rows)
{
    dh_result r;
    dh_tensor *bx = rows_of(x, begin, begin + rows), *by = rows_of(y, begin, begin + rows);
    const dh_tensor *xs[] = {bx}, *ys[] = {by};
    assert_ok(dh_train_batch(net, xs, ys, &r));
    dh_tensor_free(bx);
    dh_tensor_free(by);
    return r.loss;
}

/* |a - b| / |a| of all gradients together. */
static double gradients_apart(dh_model *a, dh_model *b)
{
    double off = 0, all = 0;
    for (int i = 0; i < dh_model_parameter_count(a); i++) {
        dh_tensor *s, *t;
        const char *name = dh_model_parameter_name(a, i);
        if (strstr(name, "/running_")) continue; /* has none */
        assert_ok(dh_model_gradient(&s, a, name));
        assert_ok(dh_model_gradient(&t, b, name));
        int64_t n = dh_tensor_count(s);
        float *x = malloc((size_t)n * sizeof *x), *y = malloc((size_t)n * sizeof *y);
        assert_true(x && y);
        read_floats(x, s);
        read_floats(y, t);
        for (int64_t k = 0; k < n; k++) {
            off += pow((double)x[k] - (double)y[k], 2);
            all += (double)x[k] * (double)x[k];
        }
        free(x);
        free(y);
        dh_tensor_free(s);
        dh_tensor_free(t);
    }
    assert_true(all > 0);
    return sqrt(off / all);
}

static void twenty_losses_of_the_mlp(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    make_digits(&x, &y, 20 * BATCH);
    dh_model *here = mlp_new(dh_cs_cpu(), 1), *there = mlp_new(device, 1);
    assert_true(here && there);
    char a[65], b[65];
    assert_ok(dh_model_sha256(a, here));
    assert_ok(dh_model_sha256(b, there));
    assert_string_equal(a, b);
    for (int i = 0; i < 20; i++) {
        double want = step(here, x, y, i * BATCH, BATCH), got = step(there, x, y, i * BATCH, BATCH);
        if (!(fabs(got - want) <= 1e-4 * want))
            fail_msg("step %d: the loss is %.9g, on the CPU %.9g", i + 1, got, want);
    }
    dh_model_free(here);
    dh_model_free(there);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

static void the_first_step_of_convolutions(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    make_digits(&x, &y, 20);
    dh_model *here = conv_new(dh_cs_cpu()), *there = conv_new(device);
    double want = step(here, x, y, 0, 20), got = step(there, x, y, 0, 20);
    if (!(fabs(got - want) <= 1e-5 * want))
        fail_msg("the loss is %.9g, on the CPU %.9g", got, want);
    double apart = gradients_apart(here, there);
    if (!(apart <= 1e-4)) fail_msg("gradients are %.3g apart", apart);
    dh_model_free(here);
    dh_model_free(there);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* Replicas that normalise by the whole batch's statistics give its loss and gradients, in uneven
 * parts and with a far mean too; those that normalise by their own do not. */
static void normalised_over_replicas(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    make_digits(&x, &y, 10);
    float *pixels = dh_tensor_data(x);
    for (int i = 0; i < 10 * 784; i++) pixels[i] = pixels[i] * 0.5f + (float)(i / 784) + 30;
    for (int synchronized = 0; synchronized < 2; synchronized++) {
        dh_model *net[2];
        double loss[2];
        for (int k = 0; k < 2; k++) {
            dh_cs cs = k ? device : dh_cs_cpu();
            cs.replicas = k ? 3 : 0;
            net[k] = dh_model_new("net");
            dh_layer *in = dh_reshape(dh_input(net[k], {784}), {1, 28, 28});
            dh_layer *h = dh_zoo_resnet(dh_batch_normalization(in, .synchronized = synchronized),
                                        10, .depth = 18, .width = 4, .small_images = true,
                                        .synchronized = synchronized);
            assert_ok(dh_build(net[k], h, .loss = "cross_entropy", .optimizer = dh_sgd(0.1f),
                               .seed = 5, .device = cs));
            loss[k] = step(net[k], x, y, 0, 10);
        }
        double apart = gradients_apart(net[0], net[1]), off = fabs(loss[1] - loss[0]) / loss[0];
        if (synchronized != (off <= 1e-5 && apart <= 1e-4))
            fail_msg("synchronized %d: losses are %.3g apart, gradients %.3g", synchronized, off,
                     apart);
        for (int k = 0; k < 2; k++) dh_model_free(net[k]);
    }
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* A dropped element is 0 whatever the arithmetic. */
static void dropout_masks_are_the_same(void **state)
{
    (void)state;
    dh_tensor *x, *out[2];
    assert_ok(dh_tensor_ones(&x, {50, 33}));
    const dh_tensor *xs[] = {x};
    for (int i = 0; i < 2; i++) {
        dh_model *net = dh_model_new("net");
        dh_layer *drop = dh_dropout(dh_input(net, {33}), 0.5f);
        assert_ok((dh_build)(&(dh_build_args){.struct_size = sizeof(dh_build_args),
                                              .model = net,
                                              .output = dh_dense(drop, 2),
                                              .loss = "mse",
                                              .keep = {drop},
                                              .device = i ? device : dh_cs_cpu(),
                                              .seed = 9}));
        assert_ok(dh_forward(net, xs, true));
        assert_ok(dh_layer_output(&out[i], drop));
        dh_model_free(net);
    }
    const float *a = dh_tensor_data(out[0]), *b = dh_tensor_data(out[1]);
    int dropped = 0;
    for (int k = 0; k < 50 * 33; k++) {
        assert_true((a[k] == 0) == (b[k] == 0));
        dropped += a[k] == 0;
    }
    assert_in_range(dropped, 700, 950);
    for (int i = 0; i < 2; i++) dh_tensor_free(out[i]);
    dh_tensor_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twenty_losses_of_the_mlp),
        cmocka_unit_test(the_first_step_of_convolutions),
        cmocka_unit_test(normalised_over_replicas),
        cmocka_unit_test(dropout_masks_are_the_same),
    };
    const char *name = getenv("DH_TEST_DEVICE");
    device = dh_cs_cpu(.threads = 1, .replicas = 2); /* the CPU against itself in halves */
    if (name) device = (dh_cs){.device = name};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
