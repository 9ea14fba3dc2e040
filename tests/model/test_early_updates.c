/* SPDX-License-Identifier: MIT */
/* mid_mem and low_mem update each weight amid the backward pass and keep no gradients: the same
 * bits, and an error for who asks for one. */
#include "model_test.h"

#define ROWS 12

typedef struct recipe {
    const char *memory;
    dh_optimizer optimizer;
    bool keep_gradients;
    float clip;
    int accumulate;
} recipe;

/* A convolution that is there twice, penalties, normalisation, a layer that is frozen and one that
 * learns slowly, two sums on the way back. */
static dh_model *make_net(const recipe *r)
{
    dh_model *block = dh_model_new("block");
    dh_layer *h = dh_conv2d(dh_input(block, {4, 6, 6}), 4, {3, 3}, .padding = "same",
                            .name = "twice", .weight_reg = {.l2 = 0.01f});
    assert_ok(dh_build(block, h, .seed = 3));
    dh_model *net = dh_model_new("net", .share = block);
    dh_layer *x = dh_input(net, {4, 6, 6});
    h = dh_batch_normalization(dh_model_apply(block, {x}));
    h = dh_model_apply(block, {dh_relu(dh_add({h, x}))});
    dh_layer *frozen = dh_conv2d(h, 8, {3, 3}, .name = "frozen", .weight_reg = {.l1 = 0.02f});
    h = dh_dropout(dh_flatten(dh_max_pool2d(dh_relu(frozen), {2, 2})), 0.3f);
    h = dh_dense(dh_dense(h, 7, .activation = "tanh", .name = "slow"), 3);
    assert_ok(dh_layer_freeze(frozen, true));
    assert_ok(dh_build(net, dh_softmax(h), .loss = "cross_entropy", .optimizer = r->optimizer,
                       .device = dh_cs_cpu(.memory = r->memory), .seed = 5,
                       .keep_gradients = r->keep_gradients, .clip_norm = r->clip,
                       .accumulate = r->accumulate));
    assert_ok(dh_model_lr_scale(net, "slow/weight", 0.25f));
    dh_model_free(block);
    return net;
}

static void make_data(dh_tensor **x, dh_tensor **y)
{
    assert_ok(dh_tensor_random_normal(x, {ROWS, 4, 6, 6}, .seed = 9));
    assert_ok(dh_tensor_zeros(y, {ROWS, 3}));
    for (int i = 0; i < ROWS; i++) ((float *)dh_tensor_data(*y))[i * 3 + i % 3] = 1;
}

/* Of all parameters after a batch, an epoch of three, and one more batch with all layers thawed. */
static void train(char hash[65], const recipe *r)
{
    dh_tensor *x, *y;
    make_data(&x, &y);
    dh_model *net = make_net(r);
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    assert_ok(dh_train_batch(net, xs, ys, NULL));
    assert_ok(dh_fit(net, x, y, .batch_size = 5, .epochs = 1, .quiet = true));
    assert_ok(dh_layer_freeze(dh_model_layer(net, "frozen"), false));
    assert_ok(dh_train_batch(net, xs, ys, NULL));
    assert_ok(dh_model_sha256(hash, net));
    bool early = *r->memory != 'f' && !r->keep_gradients && r->clip == 0 && r->accumulate < 2;
    assert_int_equal(!net->net.store->grads, early);
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

static void every_optimizer_has_the_same_bits(void **state)
{
    (void)state;
    const dh_optimizer optimizers[] = {
        dh_sgd(0.05f),
        dh_sgd(0.05f, .momentum = 0.9f, .nesterov = true, .weight_decay = 0.01f),
        dh_adam(0.01f, .amsgrad = true),
        dh_adamw(0.01f),
        dh_adamax(0.01f),
        dh_nadam(0.01f),
        dh_rmsprop(0.01f, .momentum = 0.5f, .centered = true),
        dh_adagrad(0.01f),
        dh_adadelta(1.0f)};
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++) {
        char want[65], got[65];
        train(want, &(recipe){.memory = "full_mem", .optimizer = optimizers[i]});
        for (int level = 0; level < 2; level++) {
            recipe r = {.memory = level ? "low_mem" : "mid_mem", .optimizer = optimizers[i]};
            train(got, &r);
            assert_string_equal(got, want);
            r.keep_gradients = true;
            train(got, &r);
            assert_string_equal(got, want);
        }
    }
}

/* Clipping needs all gradients or whole ones, accumulation their sums. */
static void clipping_and_accumulation_keep_them(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        char want[65], got[65];
        recipe r = {.memory = "full_mem", .optimizer = dh_adam(0.01f)};
        if (i == 0) r.clip = 0.01f;
        if (i == 1) r.accumulate = 2;
        train(want, &r);
        r.memory = "mid_mem";
        train(got, &r);
        assert_string_equal(got, want);
    }
}

static void expect_gradient(dh_model *net, const dh_tensor *want)
{
    dh_tensor *t;
    assert_ok(dh_model_gradient(&t, net, "slow/weight"));
    for (int64_t i = 0; i < dh_tensor_count(want); i++) assert_true(at(t, i) == at(want, i));
    dh_tensor_free(t);
}

static void who_asks_for_a_gradient_is_told(void **state)
{
    (void)state;
    dh_tensor *x, *y, *t = NULL, *want;
    make_data(&x, &y);
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    recipe r = {.memory = "full_mem", .optimizer = dh_sgd(0.1f)};
    dh_model *full = make_net(&r);
    assert_ok(dh_train_batch(full, xs, ys, NULL));
    assert_ok(dh_model_gradient(&t, full, "slow/weight"));
    assert_ok(dh_tensor_copy(&want, t));
    dh_tensor_free(t);
    t = NULL;

    r.memory = "mid_mem";
    dh_model *net = make_net(&r);
    assert_ok(dh_forward(net, xs, true)); /* the same step in parts */
    assert_ok(dh_backward(net, ys, NULL));
    expect_gradient(net, want);
    assert_ok(dh_update(net));
    assert_ok(dh_train_batch(net, xs, ys, NULL));
    assert_error(dh_model_gradient(&t, net, "slow/weight"), DH_ESTATE, "model_gradient",
                 "keep_gradients", "forward and backward");
    assert_error(dh_model_plot_histograms(net, "never.png", "gradients"), DH_ESTATE,
                 "keep_gradients");
    assert_error(dh_update(net), DH_ESTATE, "no gradients");
    assert_null(t);
    dh_model_free(net);

    r.keep_gradients = true;
    net = make_net(&r);
    assert_ok(dh_train_batch(net, xs, ys, NULL));
    expect_gradient(net, want);
    dh_model_free(net);
    dh_model_free(full);
    dh_tensor_free(want);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* Neither by its numbers nor by memory that lacks. */
static void a_refused_batch_leaves_the_weights(void **state)
{
    (void)state;
    char before[65], after[65];
    dh_tensor *x, *y, *bad;
    make_data(&x, &y);
    assert_ok(dh_tensor_full(&bad, NAN, {ROWS, 4, 6, 6}));
    const dh_tensor *xs[] = {x}, *ys[] = {y}, *bads[] = {bad};
    recipe r = {.memory = "mid_mem", .optimizer = dh_adam(0.01f)};
    dh_model *net = make_net(&r);
    assert_ok(dh_model_sha256(before, net));
    for (uint64_t n = 1;; n++) {
        dh_alloc_fail_at(n);
        dh_status status = dh_train_batch(net, xs, ys, NULL);
        dh_alloc_fail_at(0);
        assert_ok(dh_model_sha256(after, net));
        if (!status) break;
        assert_int_equal(status, DH_ENOMEM);
        assert_string_equal(before, after);
    }
    assert_string_not_equal(before, after);
    assert_error(dh_train_batch(net, bads, ys, NULL), DH_ENUMERIC, "nan");
    assert_ok(dh_model_sha256(before, net));
    assert_string_equal(before, after);
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_tensor_free(bad);
}

/* Of two models on one store the one that keeps none leaves those of the other. */
static void gradients_of_another_stay(void **state)
{
    (void)state;
    dh_tensor *x, *y, *t;
    make_blobs(&x, &y, 8, 4, 2, 1);
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    dh_model *a = dh_model_new("a"), *b = dh_model_new("b", .share = a);
    assert_ok(dh_build(a, dh_dense(dh_input(a, {4}), 2, .name = "one"), .loss = "mse"));
    assert_ok(dh_build(b, dh_dense(dh_input(b, {4}), 2, .name = "one"), .loss = "mse",
                       .device = dh_cs_cpu(.memory = "low_mem")));
    assert_ok(dh_train_batch(a, xs, ys, NULL));
    assert_ok(dh_train_batch(b, xs, ys, NULL));
    assert_ok(dh_model_gradient(&t, a, "one/weight"));
    dh_tensor_free(t);
    assert_error(dh_model_gradient(&t, b, "one/weight"), DH_ESTATE, "another model");
    dh_model_free(a);
    dh_model_free(b);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* One layer's gradient after the other lies at the same place. */
static void gradients_share_memory(void **state)
{
    (void)state;
    dh_memory_report m[2];
    for (int i = 0; i < 2; i++) {
        dh_model *net = dh_model_new("net");
        dh_layer *h = dh_input(net, {64});
        for (int k = 0; k < 8; k++) h = dh_dense(h, 64, .activation = "relu");
        assert_ok(dh_build(net, h, .loss = "mse",
                           .device = dh_cs_cpu(.memory = i ? "mid_mem" : "full_mem")));
        assert_ok(dh_model_memory(&m[i], net, 4));
        dh_model_free(net);
    }
    assert_in_range(m[1].gradient_bytes, 0, m[0].gradient_bytes / 3);
    assert_int_equal(m[1].optimizer_bytes, m[0].optimizer_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_optimizer_has_the_same_bits),
        cmocka_unit_test(clipping_and_accumulation_keep_them),
        cmocka_unit_test(who_asks_for_a_gradient_is_told),
        cmocka_unit_test(a_refused_batch_leaves_the_weights),
        cmocka_unit_test(gradients_of_another_stay),
        cmocka_unit_test(gradients_share_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
