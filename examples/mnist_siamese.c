/* SPDX-License-Identifier: MIT */
/* Two digits: are they the same? One tower of layers turns each into 32 numbers, and their
 * difference decides (Koch, Zemel and Salakhutdinov 2015). The tower is a model of its own on the
 * same parameters: what the pairs taught it is asked afterwards, by the nearest mean of a class. */
#include "common.h"

#include <math.h>
#include <stdio.h>

enum { CODE = 32 };

/* A digit's 32 numbers. It has no loss: what trains it is the model of pairs. */
static dh_model *make_tower(const example_options *o)
{
    dh_model *net = dh_model_new("tower");
    dh_layer *x = dh_input(net, {784});
    x = dh_dense(x, 256, .activation = "relu");
    x = dh_dense(x, CODE);
    return example_built(net, dh_build(net, x, .device = example_device(o), .seed = o->seed));
}

static dh_model *make_pair(const example_options *o, dh_model *tower)
{
    dh_model *net = dh_model_new("pair", .share = tower);
    dh_layer *a = dh_model_apply(tower, {dh_input(net, {784})});
    dh_layer *b = dh_model_apply(tower, {dh_input(net, {784})});
    dh_layer *x = dh_operation("abs", {dh_subtract({a, b})});
    x = dh_dense(x, 1, .activation = "sigmoid");
    return example_built(net,
                         dh_build(net, x, .optimizer = dh_adam(0.001f),
                                  .loss = "binary_cross_entropy", .metrics = {"binary_accuracy"},
                                  .device = example_device(o), .seed = o->seed));
}

static int label_of(const dh_tensor *y, int64_t row)
{
    return example_class((const float *)dh_tensor_data(y) + 10 * row);
}

/* Each digit's other half, [N, 784], and whether they are the same, [N, 1]: in turn the next digit
 * of its own kind and the next of another. */
static dh_status make_pairs(dh_tensor **other, dh_tensor **same, const dh_tensor *x,
                            const dh_tensor *y)
{
    int64_t count = dh_tensor_dim(x, 0);
    dh_tensor *index = NULL, *answer = NULL;
    dh_status status = dh_tensor_zeros(&index, {count}, .dtype = DH_I64);
    if (!status) status = dh_tensor_zeros(&answer, {count, 1});
    for (int64_t i = 0; i < count && !status; i++) {
        int64_t k = (i + 1) % count;
        bool want = i % 2 == 0;
        while (k != i && want != (label_of(y, k) == label_of(y, i))) k = (k + 1) % count;
        ((int64_t *)dh_tensor_data(index))[i] = k;
        ((float *)dh_tensor_data(answer))[i] = label_of(y, k) == label_of(y, i);
    }
    if (!status) status = dh_tensor_take(other, x, index, 0);
    dh_tensor_free(index);
    if (status)
        dh_tensor_free(answer);
    else
        *same = answer;
    return status;
}

/* The class that has the nearest mean. */
static int nearest(float mean[10][CODE], const int count[10], const float *code)
{
    float least = INFINITY;
    int best = 0;
    for (int c = 0; c < 10; c++) {
        float distance = 0;
        for (int k = 0; k < CODE; k++) distance += (code[k] - mean[c][k]) * (code[k] - mean[c][k]);
        if (!count[c] || distance >= least) continue;
        least = distance;
        best = c;
    }
    return best;
}

/* Test digits whose code lies nearest to the mean code of their class in the training data. */
static bool nearest_means(const example_options *o, dh_model *tower, const example_data *d)
{
    dh_tensor *codes = NULL, *tests = NULL;
    float mean[10][CODE] = {{0}};
    int count[10] = {0}, hits = 0;
    bool ok = !dh_predict(&codes, tower, d->x_train) && !dh_predict(&tests, tower, d->x_test);
    for (int64_t i = 0; ok && i < dh_tensor_dim(codes, 0); i++) {
        int label = label_of(d->y_train, i);
        const float *code = (const float *)dh_tensor_data(codes) + CODE * i;
        count[label]++;
        for (int k = 0; k < CODE; k++)
            mean[label][k] += (code[k] - mean[label][k]) / (float)count[label];
    }
    for (int64_t i = 0; ok && i < dh_tensor_dim(tests, 0); i++) {
        const float *code = (const float *)dh_tensor_data(tests) + CODE * i;
        hits += nearest(mean, count, code) == label_of(d->y_test, i);
    }
    if (!ok) dh_perror(o->name);
    if (ok)
        printf("nearest mean: %.4f of the test digits\n", hits / (double)dh_tensor_dim(tests, 0));
    dh_tensor_free(codes);
    dh_tensor_free(tests);
    return ok;
}

/* Trains on pairs, tests on pairs. */
static bool run(const example_options *o, dh_model *pair, const example_data *d)
{
    dh_tensor *b = NULL, *same = NULL, *b_test = NULL, *same_test = NULL;
    dh_result test;
    int epochs;
    bool ok = !make_pairs(&b, &same, d->x_train, d->y_train) &&
              !make_pairs(&b_test, &same_test, d->x_test, d->y_test) &&
              (o->quiet || !dh_summary(pair, o->batch_size)) &&
              !dh_fit(pair, .xs = {d->x_train, b}, .ys = {same}, EXAMPLE_FIT(o)) &&
              !dh_evaluate(pair, .xs = {d->x_test, b_test}, .ys = {same_test}, .result = &test,
                           .quiet = true);
    if (!ok) dh_perror(o->name);
    const dh_epoch *history = dh_model_history(pair, &epochs);
    ok = ok && example_report(o, pair, history, epochs, &test);
    dh_tensor_free(b);
    dh_tensor_free(same);
    dh_tensor_free(b_test);
    dh_tensor_free(same_test);
    return ok;
}

int main(int argc, char **argv)
{
    example_options o = {.name = "mnist_siamese",
                         .device = "cpu",
                         .epochs = 5,
                         .batch_size = 100,
                         .seed = 1,
                         .fits = true};
    int code;
    if (!example_parse(&o, argc, argv, &code)) return code;
    example_data data;
    if (!example_mnist(&data, &o)) return 1;

    dh_model *tower = make_tower(&o), *pair = tower ? make_pair(&o, tower) : NULL;
    bool ok = pair && run(&o, pair, &data) && nearest_means(&o, tower, &data);

    dh_model_free(pair);
    dh_model_free(tower);
    example_data_free(&data);
    return ok ? 0 : 1;
}
