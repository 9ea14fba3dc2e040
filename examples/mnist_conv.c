/* SPDX-License-Identifier: MIT */
/* MNIST with convolutions: EDDL's network of four 3x3 convolutions, 410,890 parameters. */
#include "common.h"

static dh_model *make_model(const example_options *o)
{
    dh_model *net = dh_model_new("cnn");
    dh_layer *x = dh_reshape(dh_input(net, {784}), {1, 28, 28});
    x = dh_conv2d(x, 32, {3, 3}, .padding = "same", .activation = "relu");
    x = dh_max_pool2d(x, {3, 3}, .strides = {1, 1}, .padding = "same"); /* [32, 28, 28] */
    x = dh_conv2d(x, 64, {3, 3}, .padding = "same", .activation = "relu");
    x = dh_max_pool2d(x, {2, 2}); /* [64, 14, 14] */
    x = dh_conv2d(x, 128, {3, 3}, .padding = "same", .activation = "relu");
    x = dh_max_pool2d(x, {3, 3}, .strides = {2, 2}, .pads = {1, 1, 1, 1}); /* [128, 7, 7] */
    x = dh_conv2d(x, 256, {3, 3}, .padding = "same", .activation = "relu");
    x = dh_max_pool2d(x, {2, 2}); /* [256, 3, 3] */
    x = dh_softmax(dh_dense(dh_flatten(x), 10));
    return example_built(net,
                         dh_build(net, x, .optimizer = dh_adam(0.001f),
                                  .loss = "soft_cross_entropy", .metrics = {"categorical_accuracy"},
                                  .device = example_device(o), .seed = o->seed));
}

int main(int argc, char **argv)
{
    example_options o = {.name = "mnist_conv",
                         .device = "cpu",
                         .epochs = 5,
                         .batch_size = 100,
                         .seed = 1,
                         .fits = true};
    int code;
    if (!example_parse(&o, argc, argv, &code)) return code;
    example_data data;
    if (!example_mnist(&data, &o)) return 1;
    dh_model *net = make_model(&o);
    bool ok = example_run(&o, net, &data);
    dh_model_free(net);
    example_data_free(&data);
    return ok ? 0 : 1;
}
