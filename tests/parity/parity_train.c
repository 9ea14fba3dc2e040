/* SPDX-License-Identifier: MIT */
/* Our side of parity.py: trains a network on batches in the order of the file and writes what the
 * peer needs and what is compared:
 *   parity_train NET --dir DIR --steps N --batch N [--threads N] [--seed N]
 *                [--optimizer NAME] [--unseen true]
 * Reads DIR/x.npy, f32 [N, ...], and DIR/y.npy, one-hot f32 [N, 10], which are gone through again
 * where the steps need more; with --unseen DIR/unseen_x.npy and unseen_y.npy too, on which the
 * accuracy is taken in the end. Writes the weights before the
 * first step as DIR/initial.safetensors, those after the last as DIR/final.safetensors, the first
 * step's gradients as DIR/gradients.npz, and a line of JSON with each step's loss. */
#include <deephealth.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "mlp.h"

#define MAX_PARAMETERS 128

typedef struct options {
    const char *net, *dir, *optimizer;
    int steps, batch, threads;
    uint64_t seed;
    bool unseen;
} options;

/* --- networks --- */

static dh_layer *small_layers(dh_model *net)
{
    dh_layer *x = dh_input(net, {784});
    x = dh_dense(x, 64, .activation = "tanh");
    x = dh_dense(x, 32, .activation = "tanh");
    return dh_softmax(dh_dense(x, 10));
}

static dh_layer *pool(dh_layer *x, int size, int stride, int pad, bool smooth)
{
    return smooth ? dh_average_pool2d(x, {size, size}, .strides = {stride, stride},
                                      .pads = {pad, pad, pad, pad})
                  : dh_max_pool2d(x, {size, size}, .strides = {stride, stride},
                                  .pads = {pad, pad, pad, pad});
}

/* EDDL's example for MNIST; 410,890 parameters. Smooth: SiLU and averages instead of ReLU and
 * maxima, which have kinks. */
static dh_layer *cnn_of(dh_model *net, bool smooth)
{
    static const int pools[4][3] = {{3, 1, 1}, {2, 2, 0}, {3, 2, 1}, {2, 2, 0}};
    dh_layer *x = dh_input(net, {1, 28, 28});
    for (int i = 0; i < 4; i++) {
        x = dh_conv2d(x, 32 << i, {3, 3}, .padding = "same",
                      .activation = smooth ? "silu" : "relu");
        x = pool(x, pools[i][0], pools[i][1], pools[i][2], smooth);
    }
    return dh_softmax(dh_dense(dh_flatten(x), 10));
}

static dh_layer *cnn_layers(dh_model *net)
{
    return cnn_of(net, false);
}

static dh_layer *cnn_smooth_layers(dh_model *net)
{
    return cnn_of(net, true);
}

/* A convolution without bias and its batch normalisation, "NAME" and "NAME_bn". */
static dh_layer *conv_bn(dh_layer *x, int filters, int kernel, int stride, const char *name)
{
    char bn[64];
    int pad = kernel / 2;
    snprintf(bn, sizeof bn, "%s_bn", name);
    x = dh_conv2d(x, filters, {kernel, kernel}, .strides = {stride, stride},
                  .pads = {pad, pad, pad, pad}, .no_bias = true,
                  .weight_init = {.name = "he_normal"}, .name = name);
    return dh_batch_normalization(x, .epsilon = 1e-5f, .momentum = 0.9f, .name = bn);
}

/* He et al. 2016, basic blocks, as in torchvision but for the stem, which is CIFAR's: 3x3, no
 * pooling. 11,173,962 parameters. */
static dh_layer *resnet_of(dh_model *net, const char *activation)
{
    char name[48];
    dh_layer *x = dh_activation(conv_bn(dh_input(net, {3, 32, 32}), 64, 3, 1, "stem"), activation);
    for (int stage = 0; stage < 4; stage++)
        for (int block = 0; block < 2; block++) {
            int filters = 64 << stage, stride = stage && !block ? 2 : 1;
            dh_layer *skip = x, *y = x;
            snprintf(name, sizeof name, "s%db%da", stage, block);
            y = dh_activation(conv_bn(y, filters, 3, stride, name), activation);
            snprintf(name, sizeof name, "s%db%db", stage, block);
            y = conv_bn(y, filters, 3, 1, name);
            snprintf(name, sizeof name, "s%db%dskip", stage, block);
            if (stride > 1) skip = conv_bn(skip, filters, 1, stride, name);
            x = dh_activation(dh_add({y, skip}), activation);
        }
    return dh_softmax(dh_dense(dh_global_average_pool(x), 10));
}

static dh_layer *resnet_layers(dh_model *net)
{
    return resnet_of(net, "relu");
}

static dh_layer *resnet_smooth_layers(dh_model *net)
{
    return resnet_of(net, "silu");
}

static const struct {
    const char *name;
    dh_layer *(*layers)(dh_model *net);
} nets[] = {{"small", small_layers},     {"mlp", mlp_layers},
            {"mnist_cnn", cnn_layers},   {"mnist_cnn_smooth", cnn_smooth_layers},
            {"resnet18", resnet_layers}, {"resnet18_smooth", resnet_smooth_layers}};

/* --- optimisers; parity.py has the same list --- */

static const struct {
    const char *name;
    dh_optimizer value;
} optimizers[] = {
    {"sgd", {.kind = DH_SGD, .learning_rate = 0.01f}},
    {"sgd_momentum", {.kind = DH_SGD, .learning_rate = 0.01f, .momentum = 0.9f}},
    {"sgd_slow", {.kind = DH_SGD, .learning_rate = 0.001f, .momentum = 0.9f}},
    {"sgd_nesterov",
     {.kind = DH_SGD,
      .learning_rate = 0.01f,
      .momentum = 0.9f,
      .nesterov = true,
      .weight_decay = 0.01f}},
    {"adam", {.kind = DH_ADAM}},
    {"adam_amsgrad", {.kind = DH_ADAM, .amsgrad = true, .weight_decay = 0.01f}},
    {"adamw", {.kind = DH_ADAMW}},
    {"adamax", {.kind = DH_ADAMAX}},
    {"nadam", {.kind = DH_NADAM}},
    {"rmsprop", {.kind = DH_RMSPROP, .learning_rate = 0.001f}},
    {"rmsprop_centered",
     {.kind = DH_RMSPROP, .learning_rate = 0.001f, .momentum = 0.9f, .centered = true}},
    {"adagrad", {.kind = DH_ADAGRAD}},
    {"adadelta", {.kind = DH_ADADELTA}},
};

/* --- training --- */

/* The gradients of all trainable parameters, under the parameters' names. */
static dh_status save_gradients(const dh_model *net, const char *path)
{
    const char *names[MAX_PARAMETERS];
    dh_tensor *gradients[MAX_PARAMETERS];
    int count = 0;
    dh_status status = DH_OK;
    for (int i = 0; i < dh_model_parameter_count(net) && !status && count < MAX_PARAMETERS; i++) {
        names[count] = dh_model_parameter_name(net, i);
        if (strstr(names[count], "/running_")) continue;
        status = dh_model_gradient(&gradients[count], net, names[count]);
        if (!status) count++;
    }
    if (!status) status = dh_npz_save(path, names, (const dh_tensor *const *)gradients, count);
    for (int i = 0; i < count; i++) dh_tensor_free(gradients[i]);
    return status;
}

static dh_status rows_of(dh_tensor **out, const dh_tensor *x, int first, int count)
{
    char rows[64];
    snprintf(rows, sizeof rows, "%d:%d", first, first + count);
    return dh_tensor_slice(out, x, rows);
}

static dh_status step(const options *o, dh_model *net, const dh_tensor *all_x,
                      const dh_tensor *all_y, int index)
{
    char path[4096];
    dh_tensor *x = NULL, *y = NULL;
    dh_result result = {0};
    snprintf(path, sizeof path, "%s/gradients.npz", o->dir);
    int first = index % (int)(dh_tensor_dim(all_x, 0) / o->batch) * o->batch;
    dh_status status = rows_of(&x, all_x, first, o->batch);
    if (!status) status = rows_of(&y, all_y, first, o->batch);
    if (!status) status = dh_forward(net, (const dh_tensor *const[]){x}, true);
    if (!status) status = dh_backward(net, (const dh_tensor *const[]){y}, &result);
    if (!status && !index) status = save_gradients(net, path);
    if (!status) status = dh_update(net);
    if (!status) printf("%s%.17g", index ? ", " : "", result.loss);
    dh_tensor_free(x);
    dh_tensor_free(y);
    return status;
}

static dh_status load(dh_tensor **out, const options *o, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.npy", o->dir, name);
    return dh_tensor_load_npy(out, path);
}

static dh_status judge(const options *o, dh_model *net)
{
    dh_tensor *x = NULL, *y = NULL;
    dh_result result = {0};
    dh_status status = load(&x, o, "unseen_x");
    if (!status) status = load(&y, o, "unseen_y");
    if (!status)
        status = dh_evaluate(net, x, y, .batch_size = 100, .quiet = true, .result = &result);
    if (!status) printf(", \"accuracy\": %.17g", result.metrics[0]);
    dh_tensor_free(x);
    dh_tensor_free(y);
    return status;
}

static dh_status train(const options *o, dh_model *net, const dh_tensor *x, const dh_tensor *y)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/initial.safetensors", o->dir);
    dh_status status = dh_save_weights(net, path);
    printf("{\"cpu\": \"%s\", \"isa\": \"%s\", \"threads\": %d, \"losses\": [", dh__cpu_model(),
           dh__isa_name(dh__cpu_isa()), dh_model_threads(net));
    for (int i = 0; i < o->steps && !status; i++) status = step(o, net, x, y, i);
    printf("]");
    if (!status && o->unseen) status = judge(o, net);
    printf("}\n");
    snprintf(path, sizeof path, "%s/final.safetensors", o->dir);
    return status ? status : dh_save_weights(net, path);
}

static dh_status build(const options *o, dh_model *net)
{
    const dh_optimizer *optimizer = NULL;
    dh_layer *out = NULL;
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
        if (!strcmp(nets[i].name, o->net)) out = nets[i].layers(net);
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++)
        if (!strcmp(optimizers[i].name, o->optimizer)) optimizer = &optimizers[i].value;
    if (!optimizer) {
        fprintf(stderr, "parity_train: optimizer \"%s\" is unknown\n", o->optimizer);
        return DH_ENAME;
    }
    return dh_build(net, out, .optimizer = *optimizer, .loss = "soft_cross_entropy",
                    .metrics = {"accuracy"}, .device = dh_cs_cpu(.threads = o->threads),
                    .seed = o->seed);
}

int main(int count, char **args)
{
    options o = {
        .net = count > 1 ? args[1] : "", .dir = ".", .optimizer = "sgd_momentum", .seed = 1};
    for (int i = 2; i < count; i += 2) {
        const char *value = i + 1 < count ? args[i + 1] : "";
        if (!strcmp(args[i], "--dir"))
            o.dir = value;
        else if (!strcmp(args[i], "--steps"))
            o.steps = atoi(value);
        else if (!strcmp(args[i], "--batch"))
            o.batch = atoi(value);
        else if (!strcmp(args[i], "--threads"))
            o.threads = atoi(value);
        else if (!strcmp(args[i], "--seed"))
            o.seed = (uint64_t)atoll(value);
        else if (!strcmp(args[i], "--optimizer"))
            o.optimizer = value;
        else if (!strcmp(args[i], "--unseen"))
            o.unseen = !strcmp(value, "true");
        else {
            fprintf(stderr, "parity_train: option \"%s\" is unknown\n", args[i]);
            return 2;
        }
    }
    dh_tensor *x = NULL, *y = NULL;
    dh_model *net = dh_model_new("parity");
    dh_status status = load(&x, &o, "x");
    if (!status) status = load(&y, &o, "y");
    if (!status) status = build(&o, net);
    if (!status) status = train(&o, net, x, y);
    if (status) dh_perror("parity_train");
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_model_free(net);
    return status ? 1 : 0;
}
