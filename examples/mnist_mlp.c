/* SPDX-License-Identifier: MIT */
/* MNIST with dense layers, 784-1024-1024-1024-10. */
#include "common.h"

static dh_model *make_model(const example_options *o)
{
    dh_model *net = dh_model_new("mlp");
    dh_layer *x = dh_input(net, {784});
    x = dh_dense(x, 1024, .activation = "leaky_relu");
    x = dh_dense(x, 1024, .activation = "leaky_relu");
    x = dh_dense(x, 1024, .activation = "leaky_relu");
    x = dh_softmax(dh_dense(x, 10));
    return example_built(net,
                         dh_build(net, x, .optimizer = dh_sgd(0.01f, .momentum = 0.9f),
                                  .loss = "soft_cross_entropy", .metrics = {"categorical_accuracy"},
                                  .device = example_device(o), .seed = o->seed));
}

int main(int argc, char **argv)
{
    example_options o = {.name = "mnist_mlp",
                         .device = "cpu",
                         .epochs = 10,
                         .batch_size = 100,
                         .seed = 1,
                         .fits = true};
    int code;
    if (!example_parse(&o, argc, argv, &code)) return code;

    example_data data;
    if (!example_mnist(&data, &o)) return 1;

    dh_model *net = make_model(&o);
    dh_result test;
    bool ok = net && (o.quiet || !dh_summary(net, o.batch_size)) &&
              !dh_fit(net, data.x_train, data.y_train, EXAMPLE_FIT(&o)) &&
              !dh_evaluate(net, data.x_test, data.y_test, .result = &test, .quiet = true);
    if (net && !ok) dh_perror("mnist_mlp");
    if (ok) {
        int epochs;
        const dh_epoch *history = dh_model_history(net, &epochs);
        ok = example_report(&o, net, history, epochs, &test);
    }

    dh_model_free(net);
    example_data_free(&data);
    return ok ? 0 : 1;
}
