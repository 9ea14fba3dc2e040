/* SPDX-License-Identifier: MIT */
/* CIFAR-10 with the zoo's ResNet-18 (He, Zhang, Ren and Sun 2016), its first layers those for small
 * images: a 3x3 convolution and no pooling. 11,173,962 parameters to train, at a rate that rises
 * and falls. */
#include "common.h"

static dh_model *make_model(const example_options *o)
{
    dh_model *net = dh_model_new("resnet18");
    dh_layer *x = dh_input(net, {3, 32, 32});
    x = dh_zoo_resnet(x, 10, .depth = 18, .small_images = true);
    return example_built(
        net, dh_build(net, x, .optimizer = dh_sgd(0.1f, .momentum = 0.9f, .weight_decay = 5e-4f),
                      .loss = "soft_cross_entropy", .metrics = {"categorical_accuracy"},
                      .device = example_device(o), .seed = o->seed));
}

int main(int argc, char **argv)
{
    example_options o = {.name = "cifar10_resnet18",
                         .device = "cpu",
                         .epochs = 30,
                         .batch_size = 128,
                         .seed = 1,
                         .fits = true};
    int code;
    if (!example_parse(&o, argc, argv, &code)) return code;
    example_data data;
    if (!example_cifar10(&data, &o)) return 1;
    dh_model *net = make_model(&o);
    bool ok = net != NULL;
    /* the rate rises to 0.1 and falls to nothing */
    if (ok &&
        dh_fit(net, data.x_train, data.y_train, EXAMPLE_FIT(&o), .callbacks = {dh_lr_one_cycle()}))
        ok = !dh_perror(o.name);
    ok = ok && example_test(&o, net, &data);
    dh_model_free(net);
    example_data_free(&data);
    return ok ? 0 : 1;
}
