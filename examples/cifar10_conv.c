/* SPDX-License-Identifier: MIT */
/* CIFAR-10 with four convolutions and a dense layer, after EDDL's first example for it. */
#include "common.h"

static dh_model *make_model(const example_options *o)
{
    dh_model *net = dh_model_new("cnn");
    dh_layer *x = dh_input(net, {3, 32, 32});
    for (int filters = 32; filters <= 256; filters *= 2) {
        x = dh_conv2d(x, filters, {3, 3}, .padding = "same", .activation = "relu");
        x = dh_max_pool2d(x, {2, 2});
    }
    x = dh_dense(dh_flatten(x), 128, .activation = "relu"); /* of [256, 2, 2] */
    x = dh_softmax(dh_dense(x, 10));
    return example_built(net,
                         dh_build(net, x, .optimizer = dh_adam(0.001f),
                                  .loss = "soft_cross_entropy", .metrics = {"categorical_accuracy"},
                                  .device = example_device(o), .seed = o->seed));
}

int main(int argc, char **argv)
{
    example_options o = {.name = "cifar10_conv",
                         .device = "cpu",
                         .epochs = 10,
                         .batch_size = 100,
                         .seed = 1,
                         .fits = true};
    int code;
    if (!example_parse(&o, argc, argv, &code)) return code;
    example_data data;
    if (!example_cifar10(&data, &o)) return 1;
    dh_model *net = make_model(&o);
    bool ok = example_run(&o, net, &data);
    dh_model_free(net);
    example_data_free(&data);
    return ok ? 0 : 1;
}
