/* SPDX-License-Identifier: MIT */
/* One deliberate mistake, or more, in each public function of optimisers and models. */
#include "model_mistakes.h"

#include <deephealth/tensor_reduce.h>

static dh_layer *no_layer(dh_layer *target, dh_layer *prediction, void *payload)
{
    (void)target, (void)prediction, (void)payload;
    return NULL;
}

static dh_layer *turned(dh_layer *target, dh_layer *prediction, void *payload)
{
    (void)target, (void)payload;
    return dh_operation("permute", {prediction}, .attr = "axes=[1, 0]");
}

static dh_layer *misspelt(dh_layer *target, dh_layer *prediction, void *payload)
{
    (void)target, (void)payload;
    return dh_operation("squre", {prediction});
}

static dh_layer *squares(dh_layer *target, dh_layer *prediction, void *payload)
{
    (void)payload;
    return dh_operation("sqr", {dh_subtract({prediction, target})});
}

/* A loss_fn that fails leaves the model as it was. */
static void a_failed_build_can_be_tried_again(void **state)
{
    (void)state;
    parts p = make_parts();
    dh_layer *out = dh_dense(p.in, 1, .name = "out");
    dh_tensor *x, *y, *column;
    dh_result r[2];
    CALL(dh_build(p.net, out, .loss_fn = misspelt),
         "build: loss_fn: operation \"loss_operation1\": no op \"squre\", did you mean \"sqr\" "
         "or \"sqrt\"?");
    assert_ok(dh_build(p.net, out, .loss_fn = squares, .metrics = {"binary_accuracy"}, .seed = 1));
    assert_ok(dh_tensor_random_normal(&x, {6, 4}, .seed = 2));
    assert_ok(dh_tensor_random_normal(&y, {6}, .seed = 3));
    assert_ok(dh_tensor_unsqueeze(&column, y, 1));
    assert_ok(dh_evaluate(p.net, x, y, .result = &r[0], .quiet = true));
    assert_ok(dh_evaluate(p.net, x, column, .result = &r[1], .quiet = true));
    assert_true(r[0].loss == r[1].loss && r[0].metrics[0] == r[1].metrics[0]);
    CALL(dh_evaluate(p.net, x, x, .quiet = true),
         "evaluate: loss_fn: target is [6, 4] of f32, the prediction is [6, 1]");
    none_wrong();
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_tensor_free(column);
    free_parts(&p);
}

static void building(void **state)
{
    (void)state;
    parts p = make_parts();
    dh_layer *out = dh_dense(p.in, 3, .name = "out");
    dh_layer *turn = dh_operation("permute", {out}, .attr = "axes=[1, 0]", .name = "turn");
    CALL(dh_build(NULL, out), "build: model is NULL");
    CALL(dh_build(p.net, NULL), "build: output is NULL");
    CALL(dh_build(p.net, p.foreign), "build: output, \"foreign\", belongs to another model");
    CALL(dh_build(p.net, turn), "build: output \"turn\" is [3, N], its axis 0 is not the batch");
    CALL(dh_build(p.net, dh_constant(p.in, 1)),
         "build: output \"constant1\" is [], its axis 0 is not the batch");
    CALL(dh_build(p.net, out, .outputs = {out}), "build: both output and outputs are given");
    CALL(dh_build(p.net, out, .inputs = {p.in, p.in}),
         "build: inputs[0] and inputs[1] are both \"in\"");
    CALL(dh_build(p.net, out, .inputs = {out}),
         "build: inputs[0] is dense \"out\", must be an input layer");
    CALL(dh_build(p.net, out, .inputs = {p.foreign}),
         "build: inputs[0], \"foreign\", belongs to another model");
    CALL(dh_build(p.net, out, .inputs = {p.image}),
         "build: input \"in\" is needed, but not among inputs");
    CALL(dh_build(p.net, out, .keep = {p.foreign}),
         "build: keep[0], \"foreign\", belongs to another model");
    CALL(dh_build(p.net, out, .loss = "msee"),
         "build: no loss \"msee\", did you mean \"mse\" or \"mae\"?");
    CALL(dh_build(p.net, out, .loss = "mse", .losses = {"mse"}),
         "build: both loss \"mse\" and losses are given");
    CALL(dh_build(p.net, out, .loss = "mse", .loss_fn = no_layer),
         "build: both loss \"mse\" and loss_fn are given");
    CALL(dh_build(p.net, out, .losses = {"mse", "mse"}),
         "build: losses[1] is given, the model has 1 output");
    CALL(dh_build(p.net, out, .loss = "mse", .loss_weights = {-1}),
         "build: loss_weights[0] is -1, must be at least 0");
    CALL(dh_build(p.net, out, .loss_fn = no_layer), "build: loss_fn returned NULL");
    CALL(dh_build(p.net, out, .loss_fn = turned),
         "build: loss_fn must return one value a sample [N, ...], its axis 0 is not the batch");
    CALL(dh_build(p.net, out, .metrics = {"acuracy"}),
         "build: no metric \"acuracy\", did you mean \"accuracy\"?");
    CALL(dh_build(p.net, out, .metrics = {"in:mse"}),
         "build: metric \"in:mse\" names no output of the model");
    CALL(dh_build(p.net, out, .metric_fn = no_layer), "build: metric_fn returned NULL");
    CALL(dh_build(p.net, out, .optimizer = dh_sgd(0.1f, .momentum = 2)),
         "build: optimizer \"sgd\": momentum is 2, must be in [0, 1]");
    CALL(dh_build(p.net, out, .optimizer = dh_adam(0.1f, .beta1 = 1)),
         "build: optimizer \"adam\": beta1 is 1, must be in [0, 0.9999999]");
    CALL(dh_build(p.net, out, .optimizer = dh_adamw(0.1f, .beta2 = -1)),
         "build: optimizer \"adamw\": beta2 is -1, must be in [0, 0.9999999]");
    CALL(dh_build(p.net, out, .optimizer = dh_rmsprop(0.1f, .rho = 2)),
         "build: optimizer \"rmsprop\": rho is 2, must be in [0, 0.9999999]");
    CALL(dh_build(p.net, out, .optimizer = dh_adagrad(NAN)),
         "build: optimizer \"adagrad\": learning_rate is nan, must be in [0, 1000000]");
    CALL(dh_build(p.net, out, .optimizer = dh_adadelta(1, .rho = 2)),
         "build: optimizer \"adadelta\": rho is 2, must be in [0, 0.9999999]");
    CALL(dh_build(p.net, out, .optimizer = dh_adamax(INFINITY)),
         "build: optimizer \"adamax\": learning_rate is inf, must be in [0, 1000000]");
    CALL(dh_build(p.net, out, .optimizer = dh_nadam(0.1f, .epsilon = -1)),
         "build: optimizer \"nadam\": epsilon is -1, must be in [1e-30, 1]");
    CALL(dh_build(p.net, out, .optimizer = dh_adam(0.1f, .epsilon = DH_ZERO)),
         "build: optimizer \"adam\": epsilon is 0, must be in [1e-30, 1]");
    CALL(dh_build(p.net, out, .clip_norm = -1), "build: clip_norm is -1, must be at least 0");
    CALL(dh_build(p.net, out, .clip_value = NAN), "build: clip_value is nan, must be at least 0");
    CALL(dh_build(p.net, out, .clip_global_norm = INFINITY),
         "build: clip_global_norm is inf, must be at least 0");
    CALL(dh_build(p.net, out, .accumulate = -1), "build: accumulate is -1, must be at least 0");
    CALL(dh_build(p.net, out, .device = dh_cs_cpu(.memory = "lowmem")),
         "build: no memory level \"lowmem\", did you mean \"low_mem\"?");
    CALL(dh_build(p.net, out, .device = dh_cs_cpu(.threads = -1)),
         "build: device threads is -1, must be in [0, 4096]");
    CALL(dh_build(p.net, out, .device = dh_cs_cpu(.replicas = 65)),
         "build: device replicas is 65, must be in [0, 64]");
    CALL(dh_build(p.net, out, .device = {.device = "cuda:7"}),
         "build: device: cuda: this version of the library has no CUDA devices yet");
    none_wrong();
    free_parts(&p);
}

static dh_status stop(dh_callback *self, dh_event *event)
{
    (void)event, (void)self;
    return DH_ESTATE;
}

static void running(void **state)
{
    (void)state;
    parts p = make_parts();
    dh_layer *out = dh_softmax(dh_dense(p.in, 3, .name = "first"), .name = "out");
    dh_tensor *x, *y, *wide, *labels, *zero_rows, *none = NULL, *scalar;
    dh_result result;
    assert_ok(dh_tensor_ones(&x, {6, 4}));
    assert_ok(dh_tensor_zeros(&y, {6, 3}));
    assert_ok(dh_tensor_zeros(&wide, {6, 5}));
    assert_ok(dh_tensor_full(&labels, 7, {6}, .dtype = DH_I32));
    assert_ok(dh_tensor_zeros(&zero_rows, {DH_EMPTY_AXIS, 4}));
    assert_ok(dh_tensor_sum(&scalar, x));
    const dh_tensor *xs[] = {x}, *ys[] = {y}, *wides[] = {wide}, *nulls[] = {NULL};
    CALL(dh_fit(p.net, x, y), "fit: model \"net\" is not built; call dh_build first");
    CALL(dh_predict(&none, p.net, x), "predict: model \"net\" is not built; call dh_build first");
    CALL(dh_save_weights(p.net, "w"),
         "save_weights: model \"net\" is not built; call dh_build first");
    assert_ok(dh_build(p.net, out));
    CALL(dh_fit(p.net, x, y), "fit: model \"net\" was built without a loss");
    assert_ok(dh_build(p.net, out, .loss = "cross_entropy", .metrics = {"accuracy"}));
    CALL(dh_fit(NULL, x, y), "fit: model is NULL");
    CALL(dh_fit(p.net, NULL, y), "fit: x is NULL");
    CALL(dh_fit(p.net, x, NULL), "fit: y of output \"out\" is NULL");
    CALL(dh_fit(p.net, wide, y), "fit: input \"in\" takes [N, 4], x is [6, 5]");
    CALL(dh_fit(p.net, x, wide), "fit: epoch 1, step 1: loss \"cross_entropy\": target is [6, 5] "
                                 "of f32, the prediction is [6, 3]");
    CALL(dh_fit(p.net, scalar, y), "fit: input \"in\" takes [N, 4], x is []");
    CALL(dh_fit(p.net, x, scalar), "fit: y of output \"out\" has 0 rows, x has 6");
    CALL(dh_fit(p.net, zero_rows, y), "fit: y of output \"out\" has 6 rows, x has 0");
    CALL(dh_fit(p.net, x, labels),
         "fit: epoch 1, step 1: softmax_cross_entropy: label of row 0 is 7, must be in [0, 3)");
    CALL(dh_fit(p.net, x, y, .validation_y = y),
         "fit: validation_y is given, validation_x is NULL");
    CALL(dh_fit(p.net, x, y, .batch_size = -1), "fit: batch_size is -1, must be at least 1");
    CALL(dh_fit(p.net, x, y, .epochs = -1), "fit: epochs is -1, must be at least 1");
    CALL(dh_fit(p.net, x, y, .validation_split = 1),
         "fit: validation_split is 1, must be in [0, 1)");
    CALL(dh_fit(p.net, x, y, .validation_split = 0.01f),
         "fit: validation_split 0.01 of 6 rows leaves 6 to train on and 0 to validate");
    CALL(dh_fit(p.net, x, y, .validation_x = x), "fit: validation: y of output \"out\" is NULL");
    CALL(dh_fit(p.net, x, y, .validation_x = wide, .validation_y = y),
         "fit: validation: input \"in\" takes [N, 4], x is [6, 5]");
    CALL(dh_fit(p.net, x, y, .sample_weight = y), "fit: sample_weight is [6, 3], needs [6]");
    CALL(dh_fit(p.net, x, y, .class_weight = (float[]){1, 2}),
         "fit: class_weight is given, class_count is 0");
    CALL(dh_fit(p.net, x, labels, .class_weight = (float[]){1, 2}, .class_count = 2),
         "fit: class_weight: row 0 is of class 7, class_count is 2");
    CALL(dh_fit(p.net, x, y, .callbacks = {{.call = stop, .moments = DH_STEP_END}}, .quiet = true),
         "fit: callback ended it in epoch 1, step 1, with DH_ESTATE");
    CALL(dh_evaluate(p.net, x, wide),
         "evaluate: loss \"cross_entropy\": target is [6, 5] of f32, the prediction is [6, 3]");
    CALL(dh_evaluate(NULL, x, y), "evaluate: model is NULL");
    CALL(dh_evaluate(p.net, x, y, .batch_size = -2),
         "evaluate: batch_size is -2, must be at least 1");
    CALL(dh_predict(&none, p.net, x, .outs = &none), "predict: both out and outs are given");
    CALL(dh_predict(NULL, p.net, x), "predict: out is NULL");
    CALL(dh_predict(&none, NULL, x), "predict: model is NULL");
    CALL(dh_predict(&none, p.net, wide), "predict: input \"in\" takes [N, 4], x is [6, 5]");
    CALL(dh_predict(&none, p.net, x, .batch_size = -2),
         "predict: batch_size is -2, must be at least 1");
    CALL(dh_train_batch(NULL, xs, ys, &result), "train_batch: model is NULL");
    CALL(dh_train_batch(p.net, NULL, ys, &result), "train_batch: x is NULL");
    CALL(dh_train_batch(p.net, xs, NULL, &result), "train_batch: y is NULL");
    CALL(dh_train_batch(p.net, wides, ys, &result),
         "train_batch: input \"in\" takes [N, 4], x is [6, 5]");
    CALL(dh_train_batch(p.net, xs, wides, &result),
         "train_batch: loss \"cross_entropy\": target is [6, 5] of f32, the prediction is [6, 3]");
    CALL(dh_train_batch(p.net, nulls, ys, &result), "train_batch: x is NULL");
    CALL(dh_eval_batch(p.net, xs, nulls, &result), "eval_batch: y of output \"out\" is NULL");
    CALL(dh_eval_batch(NULL, xs, ys, &result), "eval_batch: model is NULL");
    CALL(dh_update(p.net), "update: there are no gradients; call forward and backward first");
    CALL(dh_backward(p.net, ys, &result), "backward: call forward with training = true first");
    CALL(dh_forward(NULL, xs, true), "forward: model is NULL");
    CALL(dh_forward(p.net, wides, true), "forward: input \"in\" takes [N, 4], x is [6, 5]");
    assert_ok(dh_forward(p.net, xs, true));
    CALL(dh_backward(p.net, wides, &result),
         "backward: loss \"cross_entropy\": target is [6, 5] of f32, the prediction is [6, 3]");
    CALL(dh_backward(p.net, nulls, &result), "backward: y of output \"out\" is NULL");
    CALL(dh_backward(p.net, NULL, &result), "backward: y is NULL");
    CALL(dh_zero_grads(NULL), "zero_grads: model is NULL");
    CALL(dh_layer_output(&none, p.in), "layer_output: layer \"in\" is neither an output nor named "
                                       "in .keep of dh_build, so its memory is used again");
    CALL(dh_layer_output(&none, NULL), "layer_output: layer is NULL");
    CALL(dh_layer_output(NULL, out), "layer_output: out is NULL");
    ((float *)dh_tensor_data(x))[5] = NAN;
    CALL(dh_fit(p.net, x, y, .batch_size = 4, .no_shuffle = true, .quiet = true),
         "fit: epoch 1, step 1: the loss is nan: x of input \"in\" holds a NaN or infinity in this "
         "batch");
    CALL(dh_train_batch(p.net, xs, ys, &result),
         "train_batch: the loss is nan: x of input \"in\" holds a NaN or infinity in this batch");
    assert_null(none);
    none_wrong();
    dh_tensor *all[] = {x, y, wide, labels, zero_rows, scalar};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) dh_tensor_free(all[i]);
    free_parts(&p);
}

static void asking(void **state)
{
    (void)state;
    parts p = make_parts();
    dh_layer *out = dh_dense(p.in, 3, .name = "out");
    dh_tensor *t = NULL;
    char hash[65];
    CALL(dh_model_parameter(&t, p.net, "out/weight"),
         "model_parameter: parameter \"out/weight\" has no values; build the model first");
    assert_ok(dh_build(p.net, out, .loss = "mse"));
    CALL(dh_model_parameter(&t, p.net, "out/weights"),
         "model_parameter: model \"net\" has no parameter \"out/weights\", did you mean "
         "\"out/weight\"?");
    CALL(dh_model_parameter(NULL, p.net, "out/weight"), "model_parameter: out is NULL");
    CALL(dh_model_parameter(&t, NULL, "out/weight"), "model_parameter: model is NULL");
    CALL(dh_model_parameter(&t, p.net, NULL), "model_parameter: name is NULL");
    CALL(dh_model_gradient(&t, p.net, "out/weight"),
         "model_gradient: parameter \"out/weight\" has no gradient yet");
    CALL(dh_model_gradient(&t, p.net, "out"),
         "model_gradient: model \"net\" has no parameter \"out\", did you mean \"out/bias\" or "
         "\"out/weight\"?");
    CALL(dh_model_sha256(NULL, p.net), "model_sha256: hex is NULL");
    CALL(dh_model_sha256(hash, NULL), "model_sha256: model is NULL");
    CALL(dh_model_lr_scale(p.net, "out/weigth", 1),
         "model_lr_scale: model \"net\" has no parameter \"out/weigth\", did you mean "
         "\"out/weight\"?");
    CALL(dh_model_lr_scale(p.net, "out/weight", -1),
         "model_lr_scale: scale is -1, must be at least 0");
    CALL(dh_model_set_learning_rate(p.net, -1),
         "model_set_learning_rate: learning_rate is -1, must be at least 0");
    CALL(dh_model_set_learning_rate(NULL, 1), "model_set_learning_rate: model is NULL");
    CALL(dh_layer_freeze(NULL, true), "layer_freeze: layer is NULL");
    CALL(dh_save_weights(p.net, NULL), "save_weights: path is NULL");
    CALL(dh_save_weights(p.net, "/no/such/folder/w.safetensors"),
         "save_weights: safetensors_save: write \"/no/such/folder/w.safetensors\": No such file or "
         "directory");
    CALL(dh_load_weights(p.net, NULL), "load_weights: path is NULL");
    CALL(dh_load_weights(p.net, "/no/such/file"),
         "load_weights: safetensors_open \"/no/such/file\": No such file or directory");
    CALL(dh_summary(NULL, 0), "summary: model is NULL");
    CALL(dh_model_profile(NULL, true), "model_profile: model is NULL");
    CALL(dh_model_plot_history(p.net, "/no/such/folder/plot.png"),
         "model_plot_history: model \"net\" has not been trained");
    assert_null(dh_model_layer(p.net, "ouut"));
    compare("dh_model_layer",
            "model_layer: model \"net\" has no layer \"ouut\", did you mean \"out\"?");
    assert_null(t);
    none_wrong();
    free_parts(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_build_can_be_tried_again),
        cmocka_unit_test(building),
        cmocka_unit_test(running),
        cmocka_unit_test(asking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
