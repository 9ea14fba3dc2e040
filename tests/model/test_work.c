/* SPDX-License-Identifier: MIT */
/* Numbers in a model and arithmetic of a forward, counted without memory for any of them. */
#include "model_test.h"

static dh_work_report work_of(const dh_model *net)
{
    dh_work_report r = {-1, -1, NAN};
    assert_ok(dh_model_work(&r, net));
    return r;
}

#define EXPECT_WORK(net, all, trained, work)       \
    do {                                           \
        dh_work_report r_ = work_of(net);          \
        assert_int_equal(r_.parameters, (all));    \
        assert_int_equal(r_.trainable, (trained)); \
        assert_near(r_.flops, (work), 0);          \
    } while (0)

/* Two a multiply-add, of the layers that multiply; each shape by hand. */
static void every_kind(void **state)
{
    (void)state;
    dh_model *net = dh_model_new("net");
    dh_layer *x = dh_input(net, {4, 7, 5});
    EXPECT_WORK(net, 0, 0, 0);
    x = dh_conv2d(x, 6, {3, 3}, .groups = 2); /* [6, 5, 3] */
    double flops = 2.0 * 6 * 5 * 3 * 2 * 9;
    EXPECT_WORK(net, 6 * 2 * 9 + 6, 6 * 2 * 9 + 6, flops);
    x = dh_relu(dh_batch_normalization(x));
    EXPECT_WORK(net, 114 + 24, 114 + 12, flops);
    x = dh_conv2d_transpose(x, 3, {2, 2}, .strides = {2, 2}, .no_bias = true); /* [3, 10, 6] */
    flops += 2.0 * 6 * 5 * 3 * 3 * 4;
    EXPECT_WORK(net, 138 + 72, 126 + 72, flops);
    x = dh_flatten(dh_max_pool2d(x, {2, 2})); /* [45] */
    dh_layer *hidden = dh_dense(x, 45);
    flops += 2.0 * 45 * 45;
    x = dh_apply(hidden, hidden); /* the same parameters, again the work */
    flops += 2.0 * 45 * 45;
    EXPECT_WORK(net, 210 + 45 * 46, 198 + 45 * 46, flops);

    assert_ok(dh_layer_freeze(hidden, true));
    EXPECT_WORK(net, 210 + 45 * 46, 198, flops);
    assert_ok(dh_build(net, dh_softmax(x), .loss = "cross_entropy"));
    EXPECT_WORK(net, 210 + 45 * 46, 198, flops);
    dh_model_free(net);
}

/* What is too large to be built is counted, too. */
static void nothing_is_made(void **state)
{
    (void)state;
    dh_model *net = dh_model_new("net");
    int64_t n = 1 << 20;
    dh_dense(dh_dense(dh_input(net, {n}), 1 << 20), 1 << 20);
    EXPECT_WORK(net, 2 * (n * n + n), 2 * (n * n + n), 4.0 * (double)n * (double)n);
    dh_model_free(net);
}

static dh_layer *through_dense(dh_layer *target, dh_layer *prediction, void *payload)
{
    (void)payload;
    dh_layer *error = dh_subtract({dh_dense(prediction, 5), dh_dense(target, 5)});
    return dh_operation("sqr", {error});
}

/* Layers that a build made and the next one has dropped are no longer counted. */
static void layers_of_a_loss(void **state)
{
    (void)state;
    dh_model *net = dh_model_new("net");
    dh_layer *x = dh_dense(dh_input(net, {3}), 4);
    assert_ok(dh_build(net, x, .loss_fn = through_dense));
    EXPECT_WORK(net, 16 + 50, 16 + 50, 24 + 80);
    assert_ok(dh_build(net, x, .loss = "mse"));
    EXPECT_WORK(net, 16, 16, 24);
    dh_model_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind),
        cmocka_unit_test(nothing_is_made),
        cmocka_unit_test(layers_of_a_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
