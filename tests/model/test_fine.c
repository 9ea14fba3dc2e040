/* SPDX-License-Identifier: MIT */
/* The fine-grained loop, several inputs and outputs, shared layers and stores, freezing, own
 * losses. */
#include "model_test.h"

#include "float_mode.h"

static dh_model *small(uint64_t seed)
{
    dh_model *net = dh_model_new("small");
    dh_layer *x = dh_input(net, {5});
    dh_layer *h = dh_dense(x, 7, .activation = "tanh", .name = "hidden");
    assert_ok(dh_build(net, dh_softmax(dh_dense(h, 3, .name = "out")), .loss = "cross_entropy",
                       .optimizer = dh_sgd(0.2f, .momentum = 0.5f), .metrics = {"accuracy"},
                       .seed = seed, .keep = {h}));
    return net;
}

static void parts_equal_the_whole(void **state)
{
    char whole[65], parts[65];
    dh_tensor *x, *y;
    dh_result r, s;
    (void)state;
    make_blobs(&x, &y, 17, 5, 3, 1);
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    dh_model *a = small(3), *b = small(3);
    for (int i = 0; i < 5; i++) {
        assert_ok(dh_train_batch(a, xs, ys, &r));
        assert_ok(dh_zero_grads(b));
        assert_ok(dh_forward(b, xs, true));
        assert_ok(dh_backward(b, ys, &s));
        assert_ok(dh_update(b));
        assert_true(r.loss == s.loss && r.metrics[0] == s.metrics[0]);
    }
    assert_ok(dh_model_sha256(whole, a));
    assert_ok(dh_model_sha256(parts, b));
    assert_string_equal(whole, parts);
    dh_model_free(a);
    dh_model_free(b);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* Gradients of parameters against central differences of the loss. */
static void gradients_are_those_of_the_loss(void **state)
{
    dh_tensor *x, *y, *w, *g;
    dh_result up, down;
    (void)state;
    make_blobs(&x, &y, 13, 5, 3, 2);
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    dh_model *net = small(4);
    assert_ok(dh_forward(net, xs, true));
    assert_ok(dh_backward(net, ys, NULL));
    const char *names[] = {"hidden/weight", "hidden/bias", "out/weight", "out/bias"};
    for (int p = 0; p < 4; p++) {
        assert_ok(dh_model_parameter(&w, net, names[p]));
        assert_ok(dh_model_gradient(&g, net, names[p]));
        dh_tensor *kept;
        assert_ok(dh_tensor_copy(&kept, g));
        for (int64_t i = 0; i < dh_tensor_count(w); i++) {
            float was = at(w, i);
            set_at(w, i, was + 1e-2f);
            assert_ok(dh_eval_batch(net, xs, ys, &up));
            set_at(w, i, was - 1e-2f);
            assert_ok(dh_eval_batch(net, xs, ys, &down));
            set_at(w, i, was);
            assert_near((double)at(kept, i), (up.loss - down.loss) / 2e-2, 1e-3);
        }
        dh_tensor_free(kept);
        dh_tensor_free(w);
        dh_tensor_free(g);
    }
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

static void backward_adds_until_zeroed(void **state)
{
    dh_tensor *x, *y, *g;
    (void)state;
    make_blobs(&x, &y, 8, 5, 3, 3);
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    dh_model *net = small(5);
    float once[21];
    assert_ok(dh_forward(net, xs, true));
    assert_ok(dh_backward(net, ys, NULL));
    assert_ok(dh_model_gradient(&g, net, "out/weight"));
    read_floats(once, g);
    assert_ok(dh_forward(net, xs, true));
    assert_ok(dh_backward(net, ys, NULL));
    for (int i = 0; i < 21; i++) assert_near((double)at(g, i), 2 * (double)once[i], 1e-6);
    assert_ok(dh_zero_grads(net));
    for (int i = 0; i < 21; i++) assert_true(at(g, i) == 0);
    assert_ok(dh_forward(net, xs, true));
    assert_ok(dh_backward(net, ys, NULL));
    for (int i = 0; i < 21; i++) assert_true(at(g, i) == once[i]);
    dh_tensor_free(g);
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

static void order_of_calls_is_checked(void **state)
{
    dh_tensor *x, *y, *h;
    (void)state;
    make_blobs(&x, &y, 4, 5, 3, 4);
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    dh_model *net = small(6);
    assert_error(dh_backward(net, ys, NULL), DH_ESTATE, "backward", "forward");
    assert_error(dh_update(net), DH_ESTATE, "update", "backward");
    assert_error(dh_layer_output(&h, dh_model_layer(net, "hidden")), DH_ESTATE, "hidden");
    assert_ok(dh_forward(net, xs, false));
    assert_error(dh_backward(net, ys, NULL), DH_ESTATE, "training");
    assert_ok(dh_layer_output(&h, dh_model_layer(net, "hidden")));
    assert_int_equal(dh_tensor_dim(h, 1), 7);
    dh_tensor_free(h);
    assert_error(dh_layer_output(&h, dh_model_layer(net, "input1")), DH_ESTATE, "input1", "keep");
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

static void frozen_layers_stay(void **state)
{
    dh_tensor *x, *y, *w;
    float before[35], after[35];
    (void)state;
    make_blobs(&x, &y, 30, 5, 3, 5);
    dh_model *net = small(7);
    assert_ok(dh_model_parameter(&w, net, "hidden/weight"));
    read_floats(before, w);
    assert_ok(dh_layer_freeze(dh_model_layer(net, "hidden"), true));
    assert_ok(dh_fit(net, x, y, .batch_size = 10, .quiet = true));
    read_floats(after, w);
    assert_memory_equal(before, after, sizeof before);
    assert_ok(dh_layer_freeze(dh_model_layer(net, "hidden"), false));
    assert_ok(dh_fit(net, x, y, .batch_size = 10, .quiet = true));
    read_floats(after, w);
    assert_memory_not_equal(before, after, sizeof before);
    dh_tensor_free(w);
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* Two towers with one set of weights, two outputs with weighted losses. */
static void shared_layers_several_inputs_and_outputs(void **state)
{
    dh_tensor *a, *b, *ya, *yb, *out[2];
    (void)state;
    make_blobs(&a, &ya, 24, 5, 3, 6);
    make_blobs(&b, &yb, 24, 5, 3, 7);
    dh_model *net = dh_model_new("siamese");
    dh_layer *ia = dh_input(net, {5}, .name = "left"), *ib = dh_input(net, {5}, .name = "right");
    dh_layer *tower = dh_dense(ia, 6, .activation = "relu", .name = "tower");
    dh_layer *again = dh_apply(tower, ib);
    dh_layer *both = dh_concat({tower, again});
    dh_layer *oa = dh_softmax(dh_dense(both, 3), .name = "class_left");
    dh_layer *ob = dh_softmax(dh_dense(both, 3), .name = "class_right");
    assert_ok(dh_build(net, NULL, .outputs = {oa, ob}, .losses = {"cross_entropy", "cross_entropy"},
                       .loss_weights = {1, 0.5f}, .metrics = {"accuracy", "class_right:accuracy"},
                       .optimizer = dh_adam(0.02f)));
    assert_int_equal(dh_model_parameter_count(net), 6);
    assert_ok(dh_fit(net, NULL, NULL, .xs = {a, b}, .ys = {ya, yb}, .batch_size = 8, .epochs = 30,
                     .quiet = true));
    dh_result r;
    assert_ok(
        dh_evaluate(net, NULL, NULL, .xs = {a, b}, .ys = {ya, yb}, .result = &r, .quiet = true));
    assert_near(r.loss, r.losses[0] + 0.5 * r.losses[1], 1e-6);
    assert_true(r.metrics[0] > 0.8 && r.metrics[1] > 0.8);
    assert_ok(dh_predict(NULL, net, .outs = out, .xs = {a, b}, .batch_size = 7));
    assert_int_equal(dh_tensor_dim(out[1], 0), 24);
    dh_tensor_free(out[0]);
    dh_tensor_free(out[1]);
    dh_model_free(net);
    dh_tensor_free(a);
    dh_tensor_free(b);
    dh_tensor_free(ya);
    dh_tensor_free(yb);
}

static void two_models_share_a_store(void **state)
{
    dh_tensor *x, *y, *p, *q;
    (void)state;
    make_blobs(&x, &y, 20, 5, 3, 8);
    dh_model *whole = small(8);
    dh_model *part = dh_model_new("part", .share = whole);
    dh_layer *in = dh_input(part, {5});
    assert_ok(dh_build(part, dh_dense(in, 7, .activation = "tanh", .name = "hidden")));
    assert_ok(dh_fit(whole, x, y, .batch_size = 5, .epochs = 2, .quiet = true));
    const dh_tensor *xs[] = {x};
    assert_ok(dh_forward(whole, xs, false));
    assert_ok(dh_layer_output(&p, dh_model_layer(whole, "hidden")));
    assert_ok(dh_predict(&q, part, x));
    assert_memory_equal(dh_tensor_data(p), dh_tensor_data(q), 20 * 7 * sizeof(float));
    dh_tensor_free(p);
    dh_tensor_free(q);
    dh_model_free(whole); /* the store lives on with the other model */
    assert_ok(dh_predict(&q, part, x));
    dh_tensor_free(q);
    dh_model_free(part);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

static dh_layer *own_mse(dh_layer *target, dh_layer *prediction, void *payload)
{
    (void)payload;
    dh_layer *d = dh_operation("sqr", {dh_subtract({prediction, target})});
    return dh_operation("mean", {d}, .attr = "axes=1");
}

static void losses_and_metrics_of_ones_own(void **state)
{
    dh_tensor *x, *y;
    dh_result r;
    (void)state;
    make_blobs(&x, &y, 20, 5, 3, 9);
    dh_model *net = dh_model_new("own");
    dh_layer *in = dh_input(net, {5});
    assert_ok(dh_build(net, dh_sigmoid(dh_dense(in, 3)), .loss_fn = own_mse, .metrics = {"mse"},
                       .metric_fn = own_mse, .metric_fn_name = "mine", .optimizer = dh_sgd(1)));
    assert_ok(dh_fit(net, x, y, .batch_size = 6, .epochs = 5, .quiet = true));
    assert_ok(dh_evaluate(net, x, y, .result = &r, .quiet = true));
    assert_near(r.metrics[0], r.metrics[1], 1e-6);
    assert_near(r.loss, r.metrics[0], 1e-6);
    assert_string_equal(dh_model_metric_name(net, 1), "mine");
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* AUC, confusion matrix, top-k, Dice and Jaccard against values worked out by hand. */
static void metrics_by_hand(void **state)
{
    dh_tensor *x, *y;
    dh_result r;
    (void)state;
    const float scores[] = {.1f, .7f, .2f, .6f, .3f, .1f, .2f, .3f, .5f, .5f, .4f, .1f};
    const float truth[] = {0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0};
    assert_ok(dh_tensor_from_data(&x, scores, DH_F32, 2, (int64_t[]){4, 3}));
    assert_ok(dh_tensor_from_data(&y, truth, DH_F32, 2, (int64_t[]){4, 3}));
    dh_model *net = dh_model_new("m");
    dh_layer *in = dh_input(net, {3});
    assert_ok(dh_build(net, in, .loss = "mse",
                       .metrics = {"categorical_accuracy", "top_2_accuracy", "auc",
                                   "confusion_matrix", "binary_accuracy", "dice", "jaccard"}));
    assert_ok(dh_evaluate(net, x, y, .batch_size = 3, .result = &r, .quiet = true));
    assert_near(r.metrics[0], 2.0 / 4, 1e-9); /* rows 0 and 2 */
    assert_near(r.metrics[1], 1.0, 1e-9);
    /* positives .7 .3 .5 .4 against negatives .1 .2 .6 .1 .2 .3 .5 .1: 26.5 ordered pairs of 32
     * with ties counting a half: .7 beats 8; .3 beats 5 and ties 1; .5 beats 6 and ties 1; .4 beats
     * 6 */
    assert_near(r.metrics[2], (8 + 5.5 + 6.5 + 6) / 32, 1e-2);
    double m[9];
    assert_int_equal(dh_model_metric_values(net, 3, m, 9), 9);
    assert_true(m[1 * 3 + 1] == 1 && m[1 * 3 + 0] == 2 && m[0 * 3 + 0] == 0 && m[2 * 3 + 2] == 1);
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* Steps round to nearest and take denormals for zeros, whatever the caller does; his mode stays. */
static void the_callers_float_mode_is_of_no_account(void **state)
{
    dh_tensor *x, *p[2];
    (void)state;
    dh_model *net = dh_model_new("mode");
    dh_layer *in = dh_input(net, {8});
    assert_ok(dh_build(net, dh_dense(in, 3), .seed = 3));
    assert_ok(dh_tensor_random_normal(&x, {70, 8}, .seed = 1));
    for (int k = 0; k < 8; k++) ((float *)dh_tensor_data(x))[k] = 1e-40f;
    uint64_t before = dh__float_mode_get();
    assert_ok(dh_predict(&p[0], net, x));
#if defined(__SSE__)
    uint64_t upward = before ^ 0x4000u;
#elif defined(__aarch64__)
    uint64_t upward = before ^ 1u << 22;
#else
    uint64_t upward = before;
#endif
    dh__float_mode_set(upward);
    dh_status status = dh_predict(&p[1], net, x);
    uint64_t after = dh__float_mode_get();
    dh__float_mode_set(before);
    assert_ok(status);
    assert_true(after == upward);
    assert_memory_equal(dh_tensor_data(p[0]), dh_tensor_data(p[1]), 70 * 3 * sizeof(float));
#if defined(__SSE__) || defined(__aarch64__)
    if (!getenv("DH_TEST_DEVICE")) /* on another device, its own mode rules */
        for (int k = 0; k < 3; k++) assert_true(((float *)dh_tensor_data(p[0]))[k] == 0);
#endif
    dh_tensor_free(p[0]);
    dh_tensor_free(p[1]);
    dh_tensor_free(x);
    dh_model_free(net);
}

/* w - lr scale g of one parameter, w - lr g of the others. Each rate has a plan of its own, of
 * which only the latest are kept: memory does not grow with the number of rates. */
static void one_parameters_rate(void **state)
{
    (void)state;
    enum { RATES = 80 };
    dh_tensor *x, *y, *w[2], *g[2];
    dh_memory_stats half, end;
    make_blobs(&x, &y, 6, 5, 3, 1);
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    dh_model *net = dh_model_new("rates");
    dh_layer *h = dh_dense(dh_input(net, {5}), 7, .activation = "tanh", .name = "hidden");
    assert_ok(dh_build(net, dh_softmax(dh_dense(h, 3, .name = "out")), .loss = "cross_entropy",
                       .optimizer = dh_sgd(0.25f)));
    static const char *const names[] = {"hidden/weight", "out/weight"};
    for (int i = 0; i < RATES; i++) {
        float before[2][35], scale = i ? 1 / (float)i : 0;
        assert_ok(dh_model_lr_scale(net, names[0], scale));
        assert_ok(dh_forward(net, xs, true));
        assert_ok(dh_backward(net, ys, NULL));
        for (int k = 0; k < 2; k++) {
            assert_ok(dh_model_parameter(&w[k], net, names[k]));
            assert_ok(dh_model_gradient(&g[k], net, names[k]));
            read_floats(before[k], w[k]);
        }
        assert_ok(dh_update(net));
        for (int k = 0; k < 2; k++) {
            float now[35], grad[35];
            read_floats(now, w[k]);
            read_floats(grad, g[k]);
            float rate = 0.25f * (k ? 1.0f : scale), moved = 0;
            for (int64_t e = 0; e < dh_tensor_count(w[k]); e++) {
                assert_near(now[e], before[k][e] - rate * grad[e], 1e-7);
                moved = fmaxf(moved, fabsf(now[e] - before[k][e]));
            }
            assert_true((moved > 0) == (rate > 0));
            dh_tensor_free(w[k]);
            dh_tensor_free(g[k]);
        }
        if (i == RATES / 2) dh_get_memory_stats(&half);
    }
    dh_get_memory_stats(&end);
    assert_int_equal(end.live_blocks, half.live_blocks);
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_callers_float_mode_is_of_no_account),
        cmocka_unit_test(parts_equal_the_whole),
        cmocka_unit_test(gradients_are_those_of_the_loss),
        cmocka_unit_test(backward_adds_until_zeroed),
        cmocka_unit_test(order_of_calls_is_checked),
        cmocka_unit_test(frozen_layers_stay),
        cmocka_unit_test(shared_layers_several_inputs_and_outputs),
        cmocka_unit_test(two_models_share_a_store),
        cmocka_unit_test(losses_and_metrics_of_ones_own),
        cmocka_unit_test(metrics_by_hand),
        cmocka_unit_test(one_parameters_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
