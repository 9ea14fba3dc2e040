/* SPDX-License-Identifier: MIT */
/* Training as users do it: it learns, it is the same bit for bit, it counts as it should. */
#include "model_test.h"

static dh_model *classifier(dh_cs device, dh_optimizer optimizer, int64_t n, int classes)
{
    dh_model *net = dh_model_new("classifier");
    dh_layer *x = dh_input(net, {n});
    x = dh_dense(x, 37, .activation = "leaky_relu");
    x = dh_dropout(x, 0.1f);
    x = dh_batch_normalization(x);
    x = dh_dense(x, 23, .activation = "tanh");
    x = dh_layer_normalization(x);
    x = dh_softmax(dh_dense(x, classes));
    assert_ok(dh_build(net, x, .optimizer = optimizer, .loss = "soft_cross_entropy",
                       .metrics = {"categorical_accuracy"}, .device = device, .seed = 5));
    return net;
}

static void train_hash(char hex[65], int threads, const char *memory, double *accuracy)
{
    dh_tensor *x, *y;
    make_blobs(&x, &y, 203, 11, 3, 1);
    dh_model *net = classifier(dh_cs_cpu(.threads = threads, .memory = memory),
                               dh_sgd(0.05f, .momentum = 0.9f), 11, 3);
    assert_ok(dh_fit(net, x, y, .batch_size = 20, .epochs = 6, .quiet = true));
    dh_result r;
    assert_ok(dh_evaluate(net, x, y, .result = &r, .quiet = true));
    *accuracy = r.metrics[0];
    assert_int_equal(r.samples, 203);
    assert_ok(dh_model_sha256(hex, net));
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

static void learns_and_is_the_same_for_threads_and_levels(void **state)
{
    char first[65], other[65];
    double accuracy;
    const char *levels[] = {"full_mem", "mid_mem", "low_mem"};
    (void)state;
    train_hash(first, 1, "full_mem", &accuracy);
    assert_true(accuracy > 0.9);
    for (int threads = 1; threads <= 4; threads++)
        for (int level = 0; level < 3; level++) {
            train_hash(other, threads, levels[level], &accuracy);
            assert_string_equal(first, other);
        }
}

static void every_optimizer_learns(void **state)
{
    dh_optimizer all[] = {dh_sgd(0.05f),
                          dh_sgd(0.02f, .momentum = 0.9f, .nesterov = true, .weight_decay = 1e-3f),
                          dh_adam(0.005f),
                          dh_adam(0.005f, .amsgrad = true),
                          dh_adamw(0.005f),
                          dh_adamax(0.005f),
                          dh_nadam(0.005f),
                          dh_rmsprop(0.003f),
                          dh_rmsprop(0.001f, .momentum = 0.9f, .centered = true),
                          dh_adagrad(0.05f),
                          dh_adadelta(1)};
    dh_tensor *x, *y;
    (void)state;
    make_blobs(&x, &y, 120, 9, 3, 2);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        dh_model *net = classifier(dh_cs_cpu(.threads = 2), all[i], 9, 3);
        assert_ok(dh_fit(net, x, y, .batch_size = 16, .epochs = 12, .quiet = true));
        int n;
        const dh_epoch *e = dh_model_history(net, &n);
        assert_int_equal(n, 12);
        if (!(e[11].train.loss < 0.6 * e[0].train.loss))
            fail_msg("optimizer %zu: loss %g after %g", i, e[11].train.loss, e[0].train.loss);
        dh_model_free(net);
    }
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* y = 2 x - 1 by least squares: the optimum is known. */
static void regression_reaches_the_optimum(void **state)
{
    dh_tensor *x, *y, *w, *b;
    (void)state;
    assert_ok(dh_tensor_random_uniform(&x, {64, 1}, .a = -1, .b = 1, .seed = 3));
    assert_ok(dh_tensor_copy(&y, x));
    float *py = dh_tensor_data(y);
    for (int i = 0; i < 64; i++) py[i] = 2 * py[i] - 1;
    dh_model *net = dh_model_new("line");
    dh_layer *in = dh_input(net, {1});
    assert_ok(dh_build(net, dh_dense(in, 1, .name = "fit"), .optimizer = dh_sgd(0.3f),
                       .loss = "mse", .metrics = {"mae", "rmse"}));
    assert_ok(dh_fit(net, x, y, .batch_size = 64, .epochs = 300, .quiet = true));
    assert_ok(dh_model_parameter(&w, net, "fit/weight"));
    assert_ok(dh_model_parameter(&b, net, "fit/bias"));
    assert_near((double)at(w, 0), 2, 1e-4);
    assert_near((double)at(b, 0), -1, 1e-4);
    dh_tensor_free(w);
    dh_tensor_free(b);
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

static void labels_may_be_integers_or_one_hot(void **state)
{
    char a[65], b[65];
    (void)state;
    for (int k = 0; k < 2; k++) {
        dh_tensor *x, *y, *labels;
        make_blobs(&x, &y, 50, 6, 3, 4);
        assert_ok(dh_tensor_new(&labels, DH_I32, 1, (int64_t[]){50}));
        for (int i = 0; i < 50; i++) ((int32_t *)dh_tensor_data(labels))[i] = i % 3;
        dh_model *net = classifier(dh_cs_cpu(.threads = 1), dh_sgd(0.1f), 6, 3);
        assert_ok(dh_fit(net, x, k ? labels : y, .batch_size = 16, .epochs = 2, .quiet = true));
        assert_ok(dh_model_sha256(k ? b : a, net));
        dh_model_free(net);
        dh_tensor_free(x);
        dh_tensor_free(y);
        dh_tensor_free(labels);
    }
    assert_string_equal(a, b);
}

/* A class of weight 0 must not be learnt from: the same as leaving its samples' losses out. */
static void weights_scale_losses(void **state)
{
    dh_tensor *x, *y, *w;
    dh_result r;
    (void)state;
    make_blobs(&x, &y, 12, 4, 2, 5);
    assert_ok(dh_tensor_new(&w, DH_F64, 1, (int64_t[]){12}));
    dh_model *net = dh_model_new("w");
    dh_layer *in = dh_input(net, {4});
    assert_ok(dh_build(net, dh_softmax(dh_dense(in, 2)), .loss = "cross_entropy"));
    double sum = 0;
    for (int i = 0; i < 12; i++) {
        const dh_tensor *xs[1], *ys[1];
        dh_tensor *xi, *yi;
        char row[16];
        snprintf(row, sizeof row, "%d:%d", i, i + 1);
        assert_ok(dh_tensor_slice(&xi, x, row));
        assert_ok(dh_tensor_slice(&yi, y, row));
        xs[0] = xi;
        ys[0] = yi;
        assert_ok(dh_eval_batch(net, xs, ys, &r));
        ((double *)dh_tensor_data(w))[i] = 0.25 * i;
        sum += 0.25 * i * r.loss;
        dh_tensor_free(xi);
        dh_tensor_free(yi);
    }
    assert_ok(dh_evaluate(net, x, y, .sample_weight = w, .result = &r, .quiet = true));
    assert_near(r.loss, sum / 12, 1e-5);
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_tensor_free(w);
    dh_model_free(net);
}

static int64_t steps_seen;
static dh_status stop_at_third(dh_callback *self, dh_event *event)
{
    (void)self;
    if (event->moment != DH_STEP_END) return DH_OK;
    steps_seen++;
    return event->step == 3 ? DH_ECANCELLED : DH_OK;
}

static void a_callback_cancels(void **state)
{
    dh_tensor *x, *y;
    (void)state;
    make_blobs(&x, &y, 100, 4, 2, 6);
    dh_model *net = classifier(dh_cs_cpu(.threads = 1), dh_sgd(0.1f), 4, 2);
    steps_seen = 0;
    assert_error(
        dh_fit(net, x, y, .batch_size = 10, .quiet = true, .callbacks = {{.call = stop_at_third}}),
        DH_ECANCELLED, "fit", "3");
    assert_int_equal(steps_seen, 3);
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

static void nan_names_its_origin_and_spares_the_weights(void **state)
{
    dh_tensor *x, *y, *w;
    char before[65], after[65];
    (void)state;
    make_blobs(&x, &y, 20, 4, 2, 7);
    dh_model *net = dh_model_new("nan");
    dh_layer *in = dh_input(net, {4});
    dh_layer *h = dh_dense(in, 8, .activation = "relu", .name = "first");
    h = dh_dense(h, 8, .name = "second");
    assert_ok(dh_build(net, dh_softmax(dh_dense(h, 2)), .loss = "cross_entropy"));
    ((float *)dh_tensor_data(x))[5] = NAN;
    assert_ok(dh_model_sha256(before, net));
    assert_error(dh_fit(net, x, y, .batch_size = 20, .quiet = true), DH_ENUMERIC, "fit", "nan",
                 "input", "epoch 1, step 1");
    assert_ok(dh_model_sha256(after, net));
    assert_string_equal(before, after);
    ((float *)dh_tensor_data(x))[5] = 0;
    assert_ok(dh_model_parameter(&w, net, "second/weight"));
    set_at(w, 0, INFINITY);
    assert_error(dh_fit(net, x, y, .batch_size = 20, .quiet = true), DH_ENUMERIC, "second");
    dh_tensor_free(w);
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* softmax_cross_entropy of a row without any class is 0, whatever its x: but not NaN's. */
static void nan_shows_though_its_row_has_no_class(void **state)
{
    dh_tensor *x, *y;
    (void)state;
    make_blobs(&x, &y, 20, 4, 2, 7);
    memset(dh_tensor_data(y), 0, 2 * sizeof(float));
    ((float *)dh_tensor_data(x))[1] = NAN;
    dh_model *net = dh_model_new("nan");
    dh_layer *in = dh_input(net, {4});
    assert_ok(dh_build(net, dh_softmax(dh_dense(in, 2)), .loss = "cross_entropy"));
    assert_error(dh_fit(net, x, y, .quiet = true), DH_ENUMERIC,
                 "fit: epoch 1, step 1: the loss is nan");
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

static void accumulated_batches_are_one_large_batch(void **state)
{
    dh_tensor *x, *y, *w[2];
    (void)state;
    make_blobs(&x, &y, 32, 5, 2, 8);
    for (int k = 0; k < 2; k++) {
        dh_model *net = dh_model_new("acc");
        dh_layer *in = dh_input(net, {5});
        assert_ok(dh_build(net, dh_softmax(dh_dense(in, 2, .name = "d")), .loss = "cross_entropy",
                           .optimizer = dh_sgd(0.5f), .accumulate = k ? 4 : 1));
        assert_ok(dh_fit(net, x, y, .batch_size = k ? 8 : 32, .epochs = 3, .quiet = true,
                         .no_shuffle = true));
        dh_tensor *view;
        assert_ok(dh_model_parameter(&view, net, "d/weight"));
        assert_ok(dh_tensor_copy(&w[k], view));
        dh_tensor_free(view);
        dh_model_free(net);
    }
    for (int i = 0; i < 10; i++) assert_near((double)at(w[1], i), (double)at(w[0], i), 1e-5);
    for (int k = 0; k < 2; k++) dh_tensor_free(w[k]);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

static dh_status stop_first(dh_callback *self, dh_event *e)
{
    (void)self;
    e->stop = e->step == 1;
    return DH_OK;
}

/* The next fit draws the order of its rows as the first one would have done. */
static void an_epoch_without_a_step_is_none(void **state)
{
    dh_tensor *x, *y;
    char hex[2][65];
    (void)state;
    make_blobs(&x, &y, 32, 5, 2, 8);
    for (int k = 0; k < 2; k++) {
        int count;
        dh_model *net = classifier(dh_cs_cpu(), dh_sgd(0.5f), 5, 2);
        if (k)
            assert_ok(dh_fit(net, x, y, .batch_size = 8, .epochs = 3, .quiet = true,
                             .callbacks = {{.call = stop_first, .moments = DH_STEP_BEGIN}}));
        dh_model_history(net, &count);
        assert_int_equal(count, 0);
        assert_ok(dh_fit(net, x, y, .batch_size = 8, .epochs = 2, .quiet = true));
        assert_ok(dh_model_sha256(hex[k], net));
        dh_model_free(net);
    }
    assert_string_equal(hex[0], hex[1]);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

typedef struct asked {
    dh_tensor *x, *y;
} asked;

static dh_status evaluate_amid(dh_callback *self, dh_event *e)
{
    const asked *a = self->payload;
    dh_result result;
    return dh_evaluate(e->model, a->x, a->y, .result = &result, .quiet = true);
}

/* What a callback evaluates is not added to the epoch's figures. */
static void a_callback_may_evaluate(void **state)
{
    (void)state;
    asked a;
    double loss[2], accuracy[2];
    make_blobs(&a.x, &a.y, 40, 4, 2, 7);
    for (int way = 0; way < 2; way++) {
        int count;
        dh_model *net = dh_model_new("net");
        assert_ok(dh_build(net, dh_softmax(dh_dense(dh_input(net, {4}), 2)), .seed = 1,
                           .loss = "cross_entropy", .metrics = {"accuracy"}));
        assert_ok(dh_fit(net, a.x, a.y, .batch_size = 8, .quiet = true,
                         .callbacks = {{.call = way ? evaluate_amid : NULL, .payload = &a}}));
        const dh_epoch *history = dh_model_history(net, &count);
        loss[way] = history[0].train.loss;
        accuracy[way] = history[0].train.metrics[0];
        dh_model_free(net);
    }
    assert_true(loss[0] == loss[1] && accuracy[0] == accuracy[1]);
    dh_tensor_free(a.x);
    dh_tensor_free(a.y);
}

static dh_status build_amid(dh_callback *self, dh_event *e)
{
    dh_layer *const *output = self->payload;
    return dh_build(e->model, *output, .loss = "mse");
}

static dh_status fit_amid(dh_callback *self, dh_event *e)
{
    (void)self;
    return dh_fit(e->model, NULL, NULL);
}

static dh_status train_amid(dh_callback *self, dh_event *e)
{
    const asked *a = self->payload;
    const dh_tensor *xs[] = {a->x}, *ys[] = {a->y};
    return dh_train_batch(e->model, xs, ys, NULL);
}

/* What fit works on is not taken from under it, and serves again afterwards. */
static void a_callback_may_not_build_or_fit(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    make_blobs(&x, &y, 8, 4, 2, 7);
    dh_model *net = dh_model_new("net");
    dh_layer *out = dh_dense(dh_input(net, {4}), 2);
    assert_ok(dh_build(net, out, .loss = "mse"));
    assert_error(
        dh_fit(net, x, y, .quiet = true, .callbacks = {{.call = build_amid, .payload = &out}}),
        DH_ESTATE, "build: model \"net\" is in fit");
    assert_error(dh_fit(net, x, y, .quiet = true, .callbacks = {{.call = fit_amid}}), DH_ESTATE,
                 "fit: model \"net\" is in fit");
    assert_error(dh_fit(net, x, y, .quiet = true,
                        .callbacks = {{.call = train_amid, .payload = &(asked){x, y}}}),
                 DH_ESTATE, "train_batch: model \"net\" is in fit");
    assert_ok(dh_fit(net, x, y, .quiet = true));
    assert_ok(dh_build(net, out, .loss = "mse"));
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

static void evaluation_sees_what_training_sees(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    dh_result trained, evaluated;
    make_blobs(&x, &y, 8, 4, 2, 7);
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    dh_model *net = dh_model_new("net");
    dh_layer *h = dh_dense(dh_input(net, {4}), 2, .weight_reg = {.l1 = 0.3f, .l2 = 0.7f});
    assert_ok(dh_build(net, dh_softmax(h), .loss = "cross_entropy", .seed = 1));
    assert_ok(dh_eval_batch(net, xs, ys, &evaluated));
    assert_ok(dh_train_batch(net, xs, ys, &trained));
    assert_true(evaluated.loss == trained.loss);
    assert_true(evaluated.loss > evaluated.losses[0] + 0.1); /* the penalty */
    ((float *)dh_tensor_data(x))[3] = INFINITY;
    assert_error(dh_evaluate(net, x, y, .quiet = true), DH_ENUMERIC, "evaluate: the loss is",
                 "input");
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns_and_is_the_same_for_threads_and_levels),
        cmocka_unit_test(every_optimizer_learns),
        cmocka_unit_test(regression_reaches_the_optimum),
        cmocka_unit_test(labels_may_be_integers_or_one_hot),
        cmocka_unit_test(weights_scale_losses),
        cmocka_unit_test(a_callback_cancels),
        cmocka_unit_test(nan_names_its_origin_and_spares_the_weights),
        cmocka_unit_test(nan_shows_though_its_row_has_no_class),
        cmocka_unit_test(a_callback_may_evaluate),
        cmocka_unit_test(a_callback_may_not_build_or_fit),
        cmocka_unit_test(evaluation_sees_what_training_sees),
        cmocka_unit_test(accumulated_batches_are_one_large_batch),
        cmocka_unit_test(an_epoch_without_a_step_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
