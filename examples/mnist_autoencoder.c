/* SPDX-License-Identifier: MIT */
/* An autoencoder of MNIST, 784-256-128-64-128-256-784: 64 numbers have to tell a digit. Draws test
 * digits and, below them, what came out of their 64 numbers. */
#include "common.h"

static dh_model *make_model(const example_options *o)
{
    static const int units[] = {256, 128, 64, 128, 256};
    dh_model *net = dh_model_new("autoencoder");
    dh_layer *x = dh_input(net, {784});
    for (int i = 0; i < 5; i++) x = dh_dense(x, units[i], .activation = "relu");
    x = dh_dense(x, 784, .activation = "sigmoid");
    return example_built(net, dh_build(net, x, .optimizer = dh_adam(0.001f), .loss = "mse",
                                       .metrics = {"mae"}, .device = example_device(o),
                                       .seed = o->seed));
}

/* The first ten test digits above what the model makes of them. */
static bool draw(const example_options *o, dh_model *net, const dh_tensor *x_test)
{
    dh_tensor *x = NULL, *y = NULL, *both = NULL;
    bool ok = !dh_tensor_slice(&x, x_test, ":10") && !dh_predict(&y, net, x) &&
              !dh_tensor_concat(&both, 2, (const dh_tensor *[]){x, y}, 0);
    if (!ok) dh_perror("draw");
    ok = ok && example_tiles(o, both, (int)dh_tensor_dim(x, 0));
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_tensor_free(both);
    return ok;
}

int main(int argc, char **argv)
{
    example_options o = {.name = "mnist_autoencoder",
                         .device = "cpu",
                         .picture = "mnist_autoencoder.png",
                         .epochs = 5,
                         .batch_size = 100,
                         .seed = 1,
                         .fits = true};
    int code;
    if (!example_parse(&o, argc, argv, &code)) return code;
    example_data data;
    if (!example_mnist(&data, &o)) return 1;

    /* the target of a digit is the digit */
    const example_data digits = {data.x_train, data.x_train, data.x_test, data.x_test};
    dh_model *net = make_model(&o);
    bool ok = example_run(&o, net, &digits) && draw(&o, net, data.x_test);

    dh_model_free(net);
    example_data_free(&data);
    return ok ? 0 : 1;
}
