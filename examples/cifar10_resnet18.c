/* SPDX-License-Identifier: MIT */
/* CIFAR-10 with ResNet-18 (He, Zhang, Ren and Sun 2016), its first layers those for small pictures:
 * a 3x3 convolution and no pooling. 11,173,962 parameters to train, at a rate that rises and falls.
 */
#include "common.h"

/* Convolution without bias and batch normalisation. */
static dh_layer *conv_bn(dh_layer *x, int filters, int kernel, int stride)
{
    x = dh_conv2d(x, filters, {kernel, kernel}, .strides = {stride, stride}, .padding = "same",
                  .no_bias = true, .weight_init = {.name = "he_normal"});
    return dh_batch_normalization(x, .momentum = 0.9f);
}

/* Two convolutions beside a way past them, which is x itself where the shapes agree. */
static dh_layer *block(dh_layer *x, int filters, int stride)
{
    bool same = stride == 1 && dh_layer_dim(x, 1) == filters;
    dh_layer *past = same ? x : conv_bn(x, filters, 1, stride);
    x = dh_relu(conv_bn(x, filters, 3, stride));
    x = conv_bn(x, filters, 3, 1);
    return dh_relu(dh_add({x, past}));
}

static dh_model *make_model(const example_options *o)
{
    dh_model *net = dh_model_new("resnet18");
    dh_layer *x = dh_relu(conv_bn(dh_input(net, {3, 32, 32}), 64, 3, 1));
    for (int filters = 64; filters <= 512; filters *= 2) {
        x = block(x, filters, filters == 64 ? 1 : 2); /* halves the sides */
        x = block(x, filters, 1);
    }
    x = dh_softmax(dh_dense(dh_global_average_pool(x), 10));
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
