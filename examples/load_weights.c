/* SPDX-License-Identifier: MIT */
/* Takes over a part of another model's weights: the hidden layers that mnist_mlp learned, frozen,
 * below a new end that learns to tell even digits from odd ones.
 *   mnist_mlp --save mnist_mlp.safetensors && load_weights --weights mnist_mlp.safetensors */
#include "common.h"

static dh_model *make_model(const example_options *o)
{
    dh_model *net = dh_model_new("parity");
    dh_layer *x = dh_input(net, {784});
    /* the names that mnist_mlp's hidden layers have in its file */
    x = dh_dense(x, 1024, .activation = "leaky_relu", .name = "dense1");
    x = dh_dense(x, 1024, .activation = "leaky_relu", .name = "dense2");
    x = dh_dense(x, 1024, .activation = "leaky_relu", .name = "dense3");
    x = dh_softmax(dh_dense(x, 2, .name = "parity"));
    return example_built(net,
                         dh_build(net, x, .optimizer = dh_adam(0.001f),
                                  .loss = "soft_cross_entropy", .metrics = {"categorical_accuracy"},
                                  .device = example_device(o), .seed = o->seed));
}

/* The layers dense1 to dense3 of the file, from now on as they are. */
static bool load_hidden(dh_model *net, const char *path)
{
    dh_status status = dh_load_weights(net, path, .only = "dense1*,dense2*,dense3*");
    static const char *const names[] = {"dense1", "dense2", "dense3"};
    for (int i = 0; i < 3 && !status; i++)
        status = dh_layer_freeze(dh_model_layer(net, names[i]), true);
    return !status || !dh_perror("load_weights");
}

/* One-hot digits [N, 10] to one-hot parities [N, 2], in place of *y. */
static bool to_parity(dh_tensor **y)
{
    static const float parity[10][2] = {{1, 0}, {0, 1}, {1, 0}, {0, 1}, {1, 0},
                                        {0, 1}, {1, 0}, {0, 1}, {1, 0}, {0, 1}};
    dh_tensor *table = NULL, *out = NULL;
    bool ok = !dh_tensor_from_data(&table, parity, DH_F32, 2, (int64_t[]){10, 2}) &&
              !dh_tensor_matmul(&out, *y, table);
    dh_tensor_free(table);
    if (!ok) return !dh_perror("parity");
    dh_tensor_free(*y);
    *y = out;
    return true;
}

int main(int argc, char **argv)
{
    example_options o = {.name = "load_weights",
                         .device = "cpu",
                         .weights = "mnist_mlp.safetensors",
                         .epochs = 2,
                         .batch_size = 100,
                         .seed = 1,
                         .fits = true};
    int code;
    if (!example_parse(&o, argc, argv, &code)) return code;
    example_data data;
    if (!example_mnist(&data, &o)) return 1;

    dh_model *net = make_model(&o);
    bool ok = net && load_hidden(net, o.weights) && to_parity(&data.y_train) &&
              to_parity(&data.y_test) && example_run(&o, net, &data);

    dh_model_free(net);
    example_data_free(&data);
    return ok ? 0 : 1;
}
