/* SPDX-License-Identifier: MIT */
/* A generative adversarial network (Goodfellow et al. 2014) of dense layers. Three models on one
 * set of parameters: the critic tells digits from drawings, the generator draws, and the gan, which
 * is the generator and behind it the critic, frozen there, teaches the generator to be taken for
 * true. Draws digits that never were. */
#include "common.h"

#include <stdio.h>
#include <stdlib.h>

enum { NOISE = 64 };

typedef struct models {
    dh_model *critic, *generator, *gan;
} models;

/* A model without a loss only draws. */
static dh_model *build(const example_options *o, dh_model *net, dh_layer *out, const char *loss)
{
    return example_built(net, dh_build(net, out, .optimizer = dh_adam(0.0002f, .beta1 = 0.5f),
                                       .loss = loss, .metrics = {loss ? "binary_accuracy" : NULL},
                                       .device = example_device(o), .seed = o->seed));
}

static bool make_models(models *m, const example_options *o)
{
    dh_model *net = dh_model_new("critic");
    dh_layer *x = dh_dense(dh_input(net, {784}), 256, .activation = "leaky_relu", .alpha = 0.2f);
    x = dh_dropout(x, 0.3f);
    x = dh_dense(x, 1, .activation = "sigmoid");
    m->critic = build(o, net, x, "binary_cross_entropy");
    if (!m->critic) return false;

    net = dh_model_new("generator", .share = m->critic);
    x = dh_dense(dh_input(net, {NOISE}), 256, .activation = "leaky_relu", .alpha = 0.2f);
    x = dh_batch_normalization(x, .momentum = 0.9f);
    x = dh_dense(x, 784, .activation = "sigmoid");
    m->generator = build(o, net, x, NULL);
    if (!m->generator) return false;

    net = dh_model_new("gan", .share = m->critic);
    x = dh_model_apply(m->generator, {dh_input(net, {NOISE})});
    x = dh_model_apply(m->critic, {x}, .frozen = true);
    m->gan = build(o, net, x, "binary_cross_entropy");
    return m->gan != NULL;
}

/* Digits above as many drawings from the noise number `turn`, and what the critic should say. */
static dh_status mix(dh_tensor **x, dh_tensor **y, const models *m, const dh_tensor *digits,
                     uint64_t seed, uint64_t turn)
{
    int64_t rows = dh_tensor_dim(digits, 0);
    dh_tensor *z = NULL, *drawn = NULL, *ones = NULL, *zeros = NULL;
    dh_status status = dh_tensor_random_normal(&z, {rows, NOISE}, .seed = seed, .stream = turn);
    if (!status) status = dh_predict(&drawn, m->generator, z);
    if (!status) status = dh_tensor_concat(x, 2, (const dh_tensor *[]){digits, drawn}, 0);
    if (!status) status = dh_tensor_ones(&ones, {rows, 1});
    if (!status) status = dh_tensor_zeros(&zeros, {rows, 1});
    if (!status) status = dh_tensor_concat(y, 2, (const dh_tensor *[]){ones, zeros}, 0);
    dh_tensor_free(z);
    dh_tensor_free(drawn);
    dh_tensor_free(ones);
    dh_tensor_free(zeros);
    return status;
}

/* The critic learns from digits and drawings, then the generator from the critic. */
static dh_status train_step(dh_result *r, const models *m, const dh_tensor *digits, uint64_t seed,
                            uint64_t turn)
{
    int64_t rows = dh_tensor_dim(digits, 0);
    dh_tensor *x = NULL, *y = NULL, *z = NULL, *ones = NULL;
    dh_status status = mix(&x, &y, m, digits, seed, 2 * turn);
    if (!status)
        status = dh_train_batch(m->critic, (const dh_tensor *[]){x}, (const dh_tensor *[]){y}, r);
    if (!status)
        status = dh_tensor_random_normal(&z, {rows, NOISE}, .seed = seed, .stream = 2 * turn + 1);
    if (!status) status = dh_tensor_ones(&ones, {rows, 1});
    if (!status)
        status =
            dh_train_batch(m->gan, (const dh_tensor *[]){z}, (const dh_tensor *[]){ones}, NULL);
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_tensor_free(z);
    dh_tensor_free(ones);
    return status;
}

/* One epoch; its figures are the critic's. */
static dh_status train_epoch(dh_epoch *e, const models *m, dh_source *source,
                             const example_options *o)
{
    int64_t steps = 0;
    dh_status status = dh_source_start(source, e->epoch - 1, 0);
    while (!status) {
        dh_batch batch = {0};
        dh_result r = {0};
        status = dh_source_next(&batch, source);
        if (status || !batch.x[0]) break;
        uint64_t turn = (uint64_t)(e->epoch * dh_source_batches(source) + steps);
        status = train_step(&r, m, batch.x[0], o->seed, turn);
        dh_batch_clear(&batch);
        steps++;
        e->train.loss += (r.loss - e->train.loss) / (double)steps;
        e->train.metrics[0] += (r.metrics[0] - e->train.metrics[0]) / (double)steps;
    }
    e->train.metric_count = 1;
    if (!status && !o->quiet)
        printf("epoch %d  critic: loss %.4f  binary_accuracy %.4f\n", e->epoch, e->train.loss,
               e->train.metrics[0]);
    return status;
}

/* How well the critic tells test digits from new drawings; some of these for the picture. */
static bool test(dh_result *result, const example_options *o, const models *m,
                 const dh_tensor *digits)
{
    dh_tensor *x = NULL, *y = NULL, *z = NULL, *drawn = NULL;
    bool ok = !mix(&x, &y, m, digits, o->seed, 0) &&
              !dh_evaluate(m->critic, x, y, .result = result, .quiet = true) &&
              !dh_tensor_random_normal(&z, {100, NOISE}, .seed = o->seed, .stream = 1) &&
              !dh_predict(&drawn, m->generator, z);
    if (!ok) dh_perror(o->name);
    ok = ok && example_tiles(o, drawn, 10);
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_tensor_free(z);
    dh_tensor_free(drawn);
    return ok;
}

int main(int argc, char **argv)
{
    example_options o = {.name = "mnist_gan",
                         .device = "cpu",
                         .picture = "mnist_gan.png",
                         .epochs = 20,
                         .batch_size = 100,
                         .seed = 1};
    int code;
    if (!example_parse(&o, argc, argv, &code)) return code;
    example_data data;
    if (!example_mnist(&data, &o)) return 1;

    models m = {0};
    dh_source *source = NULL;
    dh_result result;
    dh_epoch *epochs = calloc((size_t)o.epochs, sizeof *epochs);
    bool ok = epochs && make_models(&m, &o);
    if (ok && dh_source_tensors(&source, data.x_train, .batch_size = o.batch_size, .seed = o.seed))
        ok = !dh_perror(o.name);
    for (int i = 0; ok && i < o.epochs; i++) {
        epochs[i].epoch = i + 1;
        ok = !train_epoch(&epochs[i], &m, source, &o) || !dh_perror(o.name);
    }
    ok = ok && test(&result, &o, &m, data.x_test) &&
         example_report(&o, m.gan, epochs, o.epochs, &result);

    free(epochs);
    dh_source_free(source);
    dh_model_free(m.gan);
    dh_model_free(m.generator);
    dh_model_free(m.critic);
    example_data_free(&data);
    return ok ? 0 : 1;
}
