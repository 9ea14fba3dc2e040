/* SPDX-License-Identifier: MIT */
/* A training loop out of its parts: batches from a source, forward, backward, a look at the
 * gradients, which are clipped by hand, a learning rate of one's own for each step, update. */
#include "common.h"
#include "mlp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const double largest_norm = 1;

/* Rises over the first tenth of the steps, then falls along half a cosine. */
static float rate_at(int64_t step, int64_t steps)
{
    const double highest = 0.05, pi = 3.14159265358979;
    double t = (double)(step + 1) / (double)steps;
    return (float)(t < 0.1 ? highest * t / 0.1 : highest * (1 + cos(pi * (t - 0.1) / 0.9)) / 2);
}

/* Adds the square of a gradient's length to *sum, on whatever device it lies. */
static dh_status add_square(double *sum, const dh_tensor *gradient)
{
    dh_tensor *norm = NULL;
    double length = 0;
    dh_status status = dh_tensor_norm(&norm, gradient);
    if (!status) status = dh_tensor_get(&length, norm, NULL);
    dh_tensor_free(norm);
    *sum += length * length;
    return status;
}

/* The tensor lies on the model's own memory. */
static dh_status scale(dh_tensor *gradient, double factor)
{
    dh_tensor *scaled = NULL;
    dh_status status = dh_tensor_mul_scalar(&scaled, gradient, factor);
    if (!status) status = dh_tensor_assign(gradient, scaled);
    dh_tensor_free(scaled);
    return status;
}

/* Adds the squares of all gradients to *sum, or multiplies the gradients with factor. */
static dh_status each_gradient(dh_model *net, double *sum, double factor)
{
    dh_status status = DH_OK;
    for (int i = 0; i < dh_model_parameter_count(net) && !status; i++) {
        dh_tensor *gradient = NULL;
        status = dh_model_gradient(&gradient, net, dh_model_parameter_name(net, i));
        if (!status) status = sum ? add_square(sum, gradient) : scale(gradient, factor);
        dh_tensor_free(gradient);
    }
    return status;
}

/* The length of the whole gradient, which is cut to largest_norm. */
static dh_status clip(double *norm, dh_model *net)
{
    double sum = 0;
    dh_status status = each_gradient(net, &sum, 1);
    *norm = sqrt(sum);
    return status || *norm <= largest_norm ? status
                                           : each_gradient(net, NULL, largest_norm / *norm);
}

static dh_status train_step(dh_result *r, double *norm, dh_model *net, const dh_batch *batch,
                            float rate)
{
    const dh_tensor *const *x = (const dh_tensor *const *)batch->x;
    const dh_tensor *const *y = (const dh_tensor *const *)batch->y;
    dh_status status = dh_zero_grads(net);
    if (!status) status = dh_forward(net, x, true);
    if (!status) status = dh_backward(net, y, r);
    if (!status) status = clip(norm, net);
    if (!status) status = dh_model_set_learning_rate(net, rate);
    return status ? status : dh_update(net);
}

/* One epoch; its figures are the means over its samples. */
static dh_status train_epoch(dh_epoch *e, dh_model *net, dh_source *source,
                             const example_options *o)
{
    int64_t steps = dh_source_batches(source), step = 0;
    double largest = 0;
    dh_status status = dh_source_start(source, e->epoch - 1, 0);
    for (; !status; step++) {
        dh_batch batch = {0};
        dh_result r = {0};
        double norm = 0;
        status = dh_source_next(&batch, source);
        if (status || !batch.x[0]) break;
        float rate = rate_at((e->epoch - 1) * steps + step, o->epochs * steps);
        status = train_step(&r, &norm, net, &batch, rate);
        dh_batch_clear(&batch);
        largest = norm > largest ? norm : largest;
        e->learning_rate = rate;
        e->train.samples += r.samples;
        double share = r.samples ? (double)r.samples / (double)e->train.samples : 0;
        e->train.loss += (r.loss - e->train.loss) * share;
        e->train.metrics[0] += (r.metrics[0] - e->train.metrics[0]) * share;
    }
    e->train.metric_count = 1;
    if (!status && !o->quiet)
        printf("epoch %d  loss %.4f  categorical_accuracy %.4f  rate %.4f  longest gradient %.3f\n",
               e->epoch, e->train.loss, e->train.metrics[0], e->learning_rate, largest);
    return status;
}

int main(int argc, char **argv)
{
    example_options o = {
        .name = "fine_grained", .device = "cpu", .epochs = 3, .batch_size = 100, .seed = 1};
    int code;
    if (!example_parse(&o, argc, argv, &code)) return code;
    example_data data;
    if (!example_mnist(&data, &o)) return 1;

    dh_model *net = mlp_new(example_device(&o), o.seed);
    dh_source *source = NULL;
    dh_result test;
    dh_epoch *epochs = calloc((size_t)o.epochs, sizeof *epochs);
    bool ok = net && epochs;
    if (ok && dh_source_tensors(&source, data.x_train, data.y_train, .batch_size = o.batch_size,
                                .seed = o.seed))
        ok = !dh_perror(o.name);
    for (int i = 0; ok && i < o.epochs; i++) {
        epochs[i].epoch = i + 1;
        ok = !train_epoch(&epochs[i], net, source, &o) || !dh_perror(o.name);
    }
    if (ok && dh_evaluate(net, data.x_test, data.y_test, .result = &test, .quiet = true))
        ok = !dh_perror(o.name);
    ok = ok && example_report(&o, net, epochs, o.epochs, &test);

    free(epochs);
    dh_source_free(source);
    dh_model_free(net);
    example_data_free(&data);
    return ok ? 0 : 1;
}
