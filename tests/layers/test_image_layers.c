/* SPDX-License-Identifier: MIT */
/* Convolutions, pooling and their like as layers: shapes by their formulas, values by hand,
 * parameters by name and number, and what is refused. */
#include "model_test.h"

static dh_layer *image(dh_model *net, int64_t channels, int64_t height, int64_t width)
{
    return dh_input(net, {channels, height, width});
}

/* Shape without the batch, ended by 0. */
static void expect_shape(const dh_layer *layer, const char *what, const int64_t *want)
{
    if (!layer) fail_msg("%s: %s", what, dh_error_text());
    int n = 0;
    for (; want[n]; n++)
        if (dh_layer_dim(layer, n + 1) != want[n])
            fail_msg("%s: axis %d is %d, not %d", what, n + 1, (int)dh_layer_dim(layer, n + 1),
                     (int)want[n]);
    assert_int_equal(dh_layer_ndim(layer), n + 1);
}
#define SHAPE_IS(expr, ...) expect_shape((expr), #expr, (const int64_t[]){__VA_ARGS__, 0})

static void shapes(void **state)
{
    (void)state;
    dh_model *net = dh_model_new("net");
    dh_layer *x = image(net, 4, 9, 7), *line = dh_input(net, {3, 11});
    dh_layer *volume = dh_input(net, {2, 5, 6, 7});
    SHAPE_IS(dh_conv2d(x, 6, {3, 2}), 6, 7, 6);
    SHAPE_IS(dh_conv2d(x, 6, {3}), 6, 7, 5);
    SHAPE_IS(dh_conv2d(x, 6, {3, 2}, .padding = "same"), 6, 9, 7);
    SHAPE_IS(dh_conv2d(x, 6, {3, 2}, .strides = {2}, .padding = "same"), 6, 5, 4);
    SHAPE_IS(dh_conv2d(x, 6, {3, 3}, .strides = {2, 3}, .pads = {1, 0, 2, 1}), 6, 5, 2);
    SHAPE_IS(dh_conv2d(x, 6, {3, 3}, .dilations = {2, 3}), 6, 5, 1);
    SHAPE_IS(dh_conv2d(x, 6, {1, 1}, .groups = 2), 6, 9, 7);
    SHAPE_IS(dh_conv1d(line, 5, {4}, .strides = {2}), 5, 4);
    SHAPE_IS(dh_conv3d(volume, 5, {3, 2, 1}, .padding = "same"), 5, 5, 6, 7);
    SHAPE_IS(dh_conv2d_transpose(x, 3, {2, 2}, .strides = {2}), 3, 18, 14);
    SHAPE_IS(dh_conv2d_transpose(x, 3, {3, 3}, .strides = {2}, .padding = "same"), 3, 18, 14);
    SHAPE_IS(dh_conv2d_transpose(x, 3, {1, 1}, .strides = {2}, .padding = "same"), 3, 18, 14);
    SHAPE_IS(dh_conv2d_transpose(x, 3, {3, 3}, .strides = {2}, .pads = {1, 1, 1, 1},
                                 .output_padding = {1, 1}),
             3, 18, 14);
    SHAPE_IS(dh_conv1d_transpose(line, 2, {3}), 2, 13);
    SHAPE_IS(dh_conv3d_transpose(volume, 2, {2}, .strides = {2}), 2, 10, 12, 14);
    SHAPE_IS(dh_depthwise_conv2d(x, {3, 3}, .depth_multiplier = 2), 8, 7, 5);
    SHAPE_IS(dh_depthwise_conv1d(line, {3}, .depth_multiplier = 2, .strides = {2}), 6, 5);
    SHAPE_IS(dh_separable_conv1d(line, 4, {3}, .padding = "same"), 4, 11);
    SHAPE_IS(dh_conv1d(line, 5, {4}, .padding = "causal"), 5, 11);
    SHAPE_IS(dh_conv1d(line, 5, {4}, .padding = "causal", .strides = {3}, .dilations = {2}), 5, 4);
    SHAPE_IS(dh_separable_conv1d(line, 4, {20}, .padding = "causal"), 4, 11);
    SHAPE_IS(dh_separable_conv2d(x, 5, {3, 3}, .padding = "same"), 5, 9, 7);
    SHAPE_IS(dh_max_pool2d(x), 4, 4, 3);
    SHAPE_IS(dh_max_pool2d(x, .ceil_mode = true), 4, 5, 4);
    SHAPE_IS(dh_max_pool2d(x, {3, 3}, {1, 1}, .padding = "same"), 4, 9, 7);
    SHAPE_IS(dh_average_pool2d(x, {3, 2}, .pads = {1, 0, 1, 1}), 4, 3, 4);
    SHAPE_IS(dh_max_pool1d(line, {3}, {2}), 3, 5);
    SHAPE_IS(dh_average_pool1d(line), 3, 5);
    SHAPE_IS(dh_max_pool3d(volume), 2, 2, 3, 3);
    SHAPE_IS(dh_average_pool3d(volume, {1, 2, 7}), 2, 5, 3, 1);
    SHAPE_IS(dh_global_max_pool(volume), 2);
    SHAPE_IS(dh_global_average_pool(x, .keepdims = true), 4, 1, 1);
    SHAPE_IS(dh_adaptive_average_pool(x, {7}), 4, 7, 7);
    SHAPE_IS(dh_adaptive_max_pool(x, {3, 20}), 4, 3, 20);
    SHAPE_IS(dh_upsampling(x), 4, 18, 14);
    SHAPE_IS(dh_upsampling(x, {1, 3}, .interpolation = "linear"), 4, 9, 21);
    SHAPE_IS(dh_zero_padding(x, {1, 2, 3, 4}), 4, 13, 13);
    SHAPE_IS(dh_cropping(x, {1, 2, 3, 4}), 4, 5, 1);
    dh_model_free(net);
}

typedef dh_layer *(*make_fn)(dh_layer *x);

/* Output of a layer for one image of one channel. */
static void expect_values(make_fn make, int64_t height, int64_t width, const float *x,
                          const double *want)
{
    dh_model *net = dh_model_new("net");
    dh_tensor *in, *out;
    assert_ok(dh_build(net, make(image(net, 1, height, width))));
    assert_ok(dh_tensor_empty(&in, {1, 1, height, width}));
    memcpy(dh_tensor_data(in), x, (size_t)(height * width) * sizeof *x);
    assert_ok(dh_predict(&out, net, in));
    for (int64_t i = 0; i < dh_tensor_count(out); i++)
        assert_near((double)((float *)dh_tensor_data(out))[i], want[i], 1e-6);
    dh_tensor_free(in);
    dh_tensor_free(out);
    dh_model_free(net);
}

static dh_layer *sum_of_four(dh_layer *x)
{
    return dh_conv2d(x, 1, {2, 2}, .weight_init = {.name = "ones"},
                     .bias_init = {.name = "constant", .a = 10}, .activation = "relu");
}
static dh_layer *spread(dh_layer *x)
{
    return dh_conv2d_transpose(x, 1, {2, 2}, .strides = {2, 2}, .no_bias = true,
                               .weight_init = {.name = "ones"});
}
static dh_layer *same_average(dh_layer *x)
{
    return dh_average_pool2d(x, {3, 3}, {1, 1}, .padding = "same");
}
static dh_layer *same_average_with_pads(dh_layer *x)
{
    return dh_average_pool2d(x, {3, 3}, {1, 1}, .padding = "same", .count_pads = true);
}
static dh_layer *largest(dh_layer *x)
{
    return dh_max_pool2d(x);
}
static dh_layer *nearest(dh_layer *x)
{
    return dh_upsampling(x);
}
static dh_layer *linear(dh_layer *x)
{
    return dh_upsampling(x, {1, 2}, .interpolation = "linear");
}
static dh_layer *mean_of_all(dh_layer *x)
{
    return dh_global_average_pool(x);
}
static dh_layer *bordered(dh_layer *x)
{
    return dh_cropping(dh_zero_padding(x, {1, 1, 1, 1}), {0, 1, 1, 1});
}
static dh_layer *twice(dh_layer *x)
{
    return dh_separable_conv2d(x, 1, {1, 1}, .depthwise_init = {.name = "constant", .a = 2},
                               .pointwise_init = {.name = "constant", .a = 3});
}

/* A line out of the image. */
static dh_layer *causal(dh_layer *x)
{
    return dh_conv1d(dh_select(x, 0), 1, {2}, .padding = "causal", .dilations = {2},
                     .weight_init = {.name = "ones"});
}
static dh_layer *causal_depthwise(dh_layer *x)
{
    return dh_depthwise_conv1d(dh_select(x, -1, .axis = 2), {2}, .padding = "causal",
                               .weight_init = {.name = "ones"});
}

static void values(void **state)
{
    (void)state;
    const float two[] = {1, 2, 3, 4}, nine[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    expect_values(sum_of_four, 3, 3, nine, (double[]){22, 26, 34, 38});
    expect_values(sum_of_four, 2, 2, (float[]){-9, -9, -9, -9}, (double[]){0});
    expect_values(spread, 2, 1, two, (double[]){1, 1, 1, 1, 2, 2, 2, 2});
    expect_values(same_average, 2, 2, two, (double[]){2.5, 2.5, 2.5, 2.5});
    expect_values(same_average_with_pads, 2, 2, two,
                  (double[]){10 / 9.0, 10 / 9.0, 10 / 9.0, 10 / 9.0});
    expect_values(largest, 3, 3, nine, (double[]){5});
    expect_values(nearest, 1, 2, two, (double[]){1, 1, 2, 2, 1, 1, 2, 2});
    expect_values(linear, 1, 2, two, (double[]){1, 1.25, 1.75, 2});
    expect_values(mean_of_all, 3, 3, nine, (double[]){5});
    expect_values(bordered, 1, 2, two, (double[]){0, 0, 1, 2});
    expect_values(causal, 1, 5, nine, (double[]){1, 2, 4, 6, 8});
    expect_values(causal_depthwise, 2, 3, nine, (double[]){4, 9, 11});
    expect_values(twice, 1, 2, two, (double[]){6, 12});
}

static int64_t parameter_size(const dh_model *net, const char *name)
{
    dh_tensor *t;
    assert_ok(dh_model_parameter(&t, net, name));
    int64_t n = dh_tensor_count(t);
    dh_tensor_free(t);
    return n;
}

static void parameters(void **state)
{
    (void)state;
    dh_model *net = dh_model_new("net");
    dh_layer *x = image(net, 4, 9, 7);
    x = dh_conv2d(x, 6, {3, 2}, .groups = 2, .name = "conv");
    x = dh_conv2d_transpose(x, 8, {3, 3}, .groups = 2, .no_bias = true, .name = "up");
    x = dh_depthwise_conv2d(x, {3, 3}, .depth_multiplier = 2, .name = "depth");
    x = dh_separable_conv2d(x, 5, {2, 2}, .name = "sep");
    assert_ok(dh_build(net, dh_flatten(x)));
    assert_int_equal(dh_model_parameter_count(net), 8);
    assert_int_equal(parameter_size(net, "conv/weight"), 6 * 2 * 3 * 2);
    assert_int_equal(parameter_size(net, "conv/bias"), 6);
    assert_int_equal(parameter_size(net, "up/weight"), 6 * 4 * 3 * 3);
    assert_int_equal(parameter_size(net, "depth/weight"), 16 * 3 * 3);
    assert_int_equal(parameter_size(net, "depth/bias"), 16);
    assert_int_equal(parameter_size(net, "sep/depthwise_weight"), 16 * 2 * 2);
    assert_int_equal(parameter_size(net, "sep/pointwise_weight"), 5 * 16);
    assert_int_equal(parameter_size(net, "sep/bias"), 5);
    dh_model_free(net);
}

#define REFUSED(status, expr, ...)                                     \
    do {                                                               \
        dh_model *net = dh_model_new("bad");                           \
        dh_layer *x = image(net, 4, 9, 7), *flat = dh_input(net, {5}); \
        (void)x;                                                       \
        (void)flat;                                                    \
        assert_null(expr);                                             \
        assert_error(dh_build(net, x), status, __VA_ARGS__);           \
        dh_model_free(net);                                            \
    } while (0)

static void mistakes(void **state)
{
    (void)state;
    REFUSED(DH_ESHAPE, dh_conv2d(flat, 3, {3}),
            "conv2d \"conv2d1\": x is [N, 5], needs [N, C, ...] "
            "with 2 spatial axes");
    REFUSED(DH_ESHAPE, dh_conv1d(x, 3, {3}), "conv1d1", "1 spatial axis");
    REFUSED(DH_EINVAL, dh_conv2d(x, 0, {3}), "filters is 0, must be in [1, 1073741824]");
    REFUSED(DH_EINVAL, dh_conv2d(x, 3), "kernel[0] is 0, must be at least 1");
    REFUSED(DH_EINVAL, dh_conv2d(x, 3, {3, 3, 3}), "kernel[2] is 3, x has 2 spatial axes");
    REFUSED(DH_EINVAL, dh_conv2d(x, 3, {3}, .strides = {-1}), "strides[0] is -1");
    REFUSED(DH_ENAME, dh_conv2d(x, 3, {3}, .padding = "sme"), "no padding \"sme\"", "same");
    REFUSED(DH_EINVAL, dh_conv2d(x, 3, {3}, .padding = "causal"),
            "padding \"causal\" is of convolutions with 1 spatial axis that are not transposed");
    REFUSED(DH_EINVAL, dh_conv1d_transpose(dh_select(x, 0), 3, {3}, .padding = "causal"),
            "padding \"causal\" is of");
    REFUSED(DH_EINVAL, dh_max_pool1d(dh_select(x, 0), .padding = "causal"),
            "padding \"causal\" is of");
    REFUSED(DH_EINVAL, dh_conv2d(x, 3, {3}, .padding = "same", .pads = {1}),
            "both padding \"same\" and pads are given");
    REFUSED(DH_EINVAL, dh_conv2d(x, 3, {3}, .pads = {0, 0, 0, 0, 1}),
            "pads[4] is 1, x has 2 spatial axes");
    REFUSED(DH_ESHAPE, dh_conv2d(x, 6, {3}, .groups = 3),
            "x has 4 channels, which 3 groups do not divide");
    REFUSED(DH_ESHAPE, dh_conv2d(x, 3, {3}, .groups = 2),
            "filters is 3, which 2 groups do not divide");
    REFUSED(DH_ESHAPE, dh_conv2d(x, 3, {10, 1}), "conv2d1", "window of 10",
            "spatial axis 0 of length 9");
    REFUSED(DH_ENAME, dh_conv2d(x, 3, {3}, .activation = "rel"), "no activation \"rel\"", "relu");
    REFUSED(DH_EINVAL, dh_conv2d_transpose(x, 3, {3}, .output_padding = {1}),
            "output_padding[0] is 1, must be less than the stride 1");
    REFUSED(
        DH_EINVAL,
        dh_conv2d_transpose(x, 3, {3}, .strides = {2}, .padding = "same", .output_padding = {1}),
        "both padding \"same\" and output_padding are given");
    REFUSED(DH_EINVAL, dh_depthwise_conv2d(x, {3}, .depth_multiplier = -1),
            "depth_multiplier is -1");
    REFUSED(DH_EINVAL, dh_max_pool2d(x, {-2}), "pool_size[0] is -2");
    REFUSED(DH_EINVAL, dh_max_pool2d(x, .count_pads = true), "count_pads is of averages");
    REFUSED(DH_EINVAL, dh_max_pool2d(x, {2}, .pads = {2}),
            "pads 2 and 0 of spatial axis 0 must be less than the window's 2");
    REFUSED(DH_EINVAL, dh_adaptive_max_pool(x), "output_size[0] is 0, must be at least 1");
    REFUSED(DH_ESHAPE, dh_global_average_pool(flat), "1 to 3 spatial axes");
    REFUSED(DH_ENAME, dh_upsampling(x, .interpolation = "liner"), "no interpolation \"liner\"",
            "linear");
    REFUSED(DH_EINVAL, dh_upsampling(x, {-1}), "size[0] is -1");
    REFUSED(DH_EINVAL, dh_zero_padding(x, {-1}), "border[0] is -1");
    REFUSED(DH_ESHAPE, dh_cropping(x, {5, 0, 5, 0}), "axis 2", "9");
}

/* A small network of all of them learns, and its gradients flow through each. */
static void they_learn(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    assert_ok(dh_tensor_random_normal(&x, {64, 1, 8, 8}, .seed = 3));
    assert_ok(dh_tensor_zeros(&y, {64, 2}));
    for (int64_t i = 0; i < 64; i++) { /* class 1: a bright column */
        ((float *)dh_tensor_data(y))[2 * i + i % 2] = 1;
        for (int64_t k = 0; k < 8 && i % 2; k++)
            ((float *)dh_tensor_data(x))[i * 64 + k * 8 + i % 8] += 3;
    }
    dh_model *net = dh_model_new("net");
    dh_layer *h =
        dh_conv2d(image(net, 1, 8, 8), 4, {3, 3}, .padding = "same", .activation = "leaky_relu");
    h = dh_batch_normalization(h);
    h = dh_max_pool2d(h);
    h = dh_separable_conv2d(dh_zero_padding(h, {1, 1, 1, 1}), 6, {3, 3}, .activation = "tanh");
    h = dh_conv2d_transpose(h, 4, {2, 2}, .strides = {2}, .activation = "relu");
    h = dh_average_pool2d(dh_cropping(dh_upsampling(h), {2, 2, 2, 2}), {3, 3});
    h = dh_global_max_pool(dh_depthwise_conv2d(h, {2, 2}));
    assert_ok(dh_build(net, dh_softmax(dh_dense(h, 2)), .loss = "cross_entropy", .seed = 2,
                       .metrics = {"accuracy"}, .optimizer = dh_adam(0.01f)));
    assert_ok(dh_fit(net, x, y, .batch_size = 13, .epochs = 40, .quiet = true));
    int count;
    const dh_epoch *e = dh_model_history(net, &count);
    assert_true(e[count - 1].train.metrics[0] > 0.9);
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(shapes), cmocka_unit_test(values),
                                       cmocka_unit_test(parameters), cmocka_unit_test(mistakes),
                                       cmocka_unit_test(they_learn)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
