/* SPDX-License-Identifier: MIT */
/* The network of mnist_mlp, trained with a loop of one's own: forward, backward, update. */
#include "common.h"
#include "mlp.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Rows first .. first + rows - 1 of the data in a new order: views where they lie together would do
 * as well; here the rows of `order` are gathered. */
static dh_status gather_rows(dh_tensor **out, const dh_tensor *data, const dh_tensor *order,
                             int64_t first, int64_t rows)
{
    char slice[64];
    dh_tensor *part = NULL;
    snprintf(slice, sizeof slice, "%lld:%lld", (long long)first, (long long)(first + rows));
    dh_status status = dh_tensor_slice(&part, order, slice);
    if (!status) status = dh_tensor_take(out, data, part, 0);
    dh_tensor_free(part);
    return status;
}

static double now(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static dh_status train_step(dh_model *net, const dh_tensor *x, const dh_tensor *y, dh_result *r)
{
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    dh_status status = dh_zero_grads(net);
    if (!status) status = dh_forward(net, xs, true);
    if (!status) status = dh_backward(net, ys, r);
    return status ? status : dh_update(net);
}

/* One epoch; its figures are the means over its samples. */
static dh_status train_epoch(dh_epoch *epoch, dh_model *net, const dh_tensor *x, const dh_tensor *y,
                             const example_options *o)
{
    int64_t count = dh_tensor_dim(x, 0);
    double start = now(), loss = 0, accuracy = 0;
    dh_tensor *order;
    dh_status status = dh_tensor_random_permutation(&order, count, o->seed, (uint64_t)epoch->epoch);
    if (status) return status;
    for (int64_t i = 0; i < count && !status; i += o->batch_size) {
        int64_t rows = count - i < o->batch_size ? count - i : o->batch_size;
        dh_tensor *xb = NULL, *yb = NULL;
        dh_result r = {0};
        status = gather_rows(&xb, x, order, i, rows);
        if (!status) status = gather_rows(&yb, y, order, i, rows);
        if (!status) status = train_step(net, xb, yb, &r);
        loss += r.loss * (double)rows;
        accuracy += r.metrics[0] * (double)rows;
        dh_tensor_free(xb);
        dh_tensor_free(yb);
    }
    dh_tensor_free(order);
    epoch->train.loss = loss / (double)count;
    epoch->train.metrics[0] = accuracy / (double)count;
    epoch->train.metric_count = 1;
    epoch->train.samples = count;
    epoch->train.seconds = now() - start;
    if (!status && !o->quiet)
        printf("epoch %d  loss %.4f  categorical_accuracy %.4f  %.1f s\n", epoch->epoch,
               epoch->train.loss, epoch->train.metrics[0], epoch->train.seconds);
    return status;
}

int main(int argc, char **argv)
{
    example_options o = {
        .name = "mnist_train_batch", .device = "cpu", .epochs = 1, .batch_size = 128, .seed = 1};
    int code;
    if (!example_parse(&o, argc, argv, &code)) return code;

    example_data data;
    if (!example_mnist(&data, &o)) return 1;

    dh_model *net = mlp_new(example_device(&o), o.seed);
    dh_epoch *epochs = calloc((size_t)o.epochs, sizeof *epochs);
    bool ok = net && epochs;
    for (int i = 0; ok && i < o.epochs; i++) {
        epochs[i].epoch = i + 1;
        ok = !train_epoch(&epochs[i], net, data.x_train, data.y_train, &o);
    }
    dh_result test;
    ok = ok && !dh_evaluate(net, data.x_test, data.y_test, .result = &test, .quiet = true);
    if (net && !ok) dh_perror("mnist_train_batch");
    if (ok) ok = example_report(&o, net, epochs, o.epochs, &test);

    free(epochs);
    dh_model_free(net);
    example_data_free(&data);
    return ok ? 0 : 1;
}
