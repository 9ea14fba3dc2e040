/* SPDX-License-Identifier: MIT */
/* Weights that are packed once for many predictions: whatever changes weights shows in the next. */
#include <stdlib.h>

#include "model_test.h"

#define ROWS 24

/* Predictions of all rows; they stand in the state and go with it. */
static void predict(float *out, dh_model *net, const dh_tensor *x)
{
    dh_tensor *y;
    assert_ok(dh_predict(&y, net, x, .batch_size = ROWS));
    assert_int_equal(dh_tensor_count(y), ROWS * 3);
    memcpy(out, dh_tensor_data(y), ROWS * 3 * sizeof *out);
    dh_tensor_free(y);
}

static bool same(const float *a, const float *b)
{
    return !memcmp(a, b, ROWS * 3 * sizeof *a);
}

/* What prediction gives must be what it gives while a parameter is held, when nothing is kept. */
static void check(float *out, dh_model *net, const dh_tensor *x)
{
    float plain[ROWS * 3];
    dh_tensor *held;
    predict(out, net, x);
    assert_true(net->net.store->derived != NULL);
    assert_ok(dh_model_parameter(&held, net, "first/bias"));
    predict(plain, net, x);
    dh_tensor_free(held);
    assert_true(same(out, plain));
    predict(plain, net, x);
    assert_true(same(out, plain));
}

static void test_changes(void **state)
{
    (void)state;
    dh_tensor *x, *y, *weight;
    float now[ROWS * 3], before[ROWS * 3], first[ROWS * 3];
    dh_model *net = dh_model_new("net");
    /* packed for Winograd and for the direct convolution, in groups too */
    dh_layer *h = dh_conv2d(dh_input(net, {3, 9, 9}), 16, {3, 3}, .name = "first");
    h = dh_conv2d(dh_relu(h), 32, {3, 3}, .padding = "same");
    h = dh_conv2d(h, 16, {3, 3}, .strides = {2, 2}, .groups = 2);
    h = dh_dense(dh_global_average_pool(h), 3);
    assert_ok(dh_build(net, h, .loss = "mse", .optimizer = dh_sgd(0.5f), .seed = 3));
    assert_ok(dh_tensor_random_normal(&x, {ROWS, 3, 9, 9}, .seed = 5));
    assert_ok(dh_tensor_random_normal(&y, {ROWS, 3}, .seed = 7));
    check(first, net, x);
    assert_ok(dh_save_weights(net, "derived.safetensors"));

    assert_ok(dh_model_parameter(&weight, net, "first/weight"));
    float *w = dh_tensor_data(weight);
    w[5] += 1; /* while it is held, after and between predictions */
    predict(now, net, x);
    assert_false(same(now, first));
    w[6] -= 1;
    dh_tensor_free(weight);
    memcpy(before, now, sizeof before);
    check(now, net, x);
    assert_false(same(now, before));

    memcpy(before, now, sizeof before);
    assert_ok(dh_fit(net, x, y, .batch_size = ROWS, .epochs = 1, .quiet = true));
    check(now, net, x);
    assert_false(same(now, before));

    assert_ok(dh_load_weights(net, "derived.safetensors"));
    check(now, net, x);
    assert_true(same(now, first));
    remove("derived.safetensors");
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_model_free(net);
}

/* Of a convolution with a normalisation behind: weights, and all that they are scaled by. */
static void test_normalised(void **state)
{
    (void)state;
    static const char *const parameters[] = {"bn/gamma", "bn/running_mean", "bn/running_var",
                                             "deep.bn/beta"};
    dh_tensor *x, *y, *p, *out;
    float now[ROWS * 3], before[ROWS * 3];
    assert_ok(dh_tensor_random_normal(&x, {ROWS, 3, 9, 9}, .seed = 5));
    assert_ok(dh_tensor_random_normal(&y, {ROWS, 3}, .seed = 7));
    dh_model *net = dh_model_new("net");
    dh_layer *h = dh_conv2d(dh_input(net, {3, 9, 9}), 16, {3, 3}, .name = "first");
    h = dh_relu(dh_batch_normalization(h, .momentum = 0.5, .name = "bn"));
    dh_layer *deep = dh_depthwise_conv2d(h, {3, 3}, .padding = "same", .no_bias = true);
    h = dh_batch_normalization(deep, .name = "deep.bn");
    h = dh_conv2d(h, 24, {1, 1});
    h = dh_dense(dh_global_average_pool(dh_relu(dh_batch_normalization(h))), 3);
    assert_ok(dh_build(net, h, .loss = "mse", .optimizer = dh_sgd(0.5f), .seed = 3));
    check(now, net, x);
    for (const dh__stage *s = net->stages; s; s = s->next)
        for (int i = 0; i < s->plan->graph->node_count; i++)
            assert_string_not_equal(s->plan->calls[i].call.op->name, "batch_norm");
    /* running statistics change before the parameters do */
    memcpy(before, now, sizeof before);
    assert_ok(dh_forward(net, (const dh_tensor *[]){x}, true));
    assert_ok(dh_backward(net, (const dh_tensor *[]){y}, NULL));
    check(now, net, x);
    assert_false(same(now, before));
    memcpy(before, now, sizeof before);
    assert_ok(dh_fit(net, x, y, .batch_size = ROWS, .epochs = 1, .quiet = true));
    check(now, net, x);
    assert_false(same(now, before));
    for (int i = 0; i < 4; i++) {
        memcpy(before, now, sizeof before);
        assert_ok(dh_model_parameter(&p, net, parameters[i]));
        predict(now, net, x);
        assert_true(same(now, before));
        for (int64_t k = 0; k < dh_tensor_count(p); k++) ((float *)dh_tensor_data(p))[k] += 0.25f;
        predict(now, net, x); /* while it is held */
        assert_false(same(now, before));
        dh_tensor_free(p);
        check(now, net, x);
    }
    /* the same without folding: what is kept can't be folded away */
    assert_ok(dh_predict(&out, net, x, .batch_size = ROWS));
    assert_ok(dh_build(net, h, .loss = "mse", .optimizer = dh_sgd(0.5f), .keep = {deep}));
    predict(before, net, x);
    for (int i = 0; i < ROWS * 3; i++)
        assert_near(((float *)dh_tensor_data(out))[i], before[i], 1e-4);
    dh_tensor *all[] = {x, y, out};
    for (int i = 0; i < 3; i++) dh_tensor_free(all[i]);
    dh_model_free(net);
}

/* Sessions and their model keep one copy of what is packed, and the last gives it back. */
static void test_shared(void **state)
{
    (void)state;
    dh_session *a, *b;
    dh_tensor *x, *y;
    dh_model *net = dh_model_new("net");
    dh_layer *h = dh_conv2d(dh_input(net, {16, 8, 8}), 16, {3, 3});
    assert_ok(dh_build(net, dh_flatten(h), .seed = 3));
    assert_ok(dh_tensor_random_normal(&x, {ROWS, 16, 8, 8}, .seed = 5));
    assert_ok(dh_session_new(&a, net, .batch_size = ROWS));
    assert_ok(dh_session_new(&b, net, .batch_size = ROWS));
    const dh__derived *d = net->net.store->derived;
    assert_non_null(d);
    assert_null(d->next);
    assert_int_equal(d->users, 2);
    assert_int_equal(d->generation, 0);
    assert_ok(dh_session_predict(&y, a, x));
    dh_tensor_free(y);
    assert_int_equal(d->generation, net->net.store->generation);
    dh_session_free(a);
    assert_int_equal(d->users, 1);
    dh_session_free(b);
    assert_null(net->net.store->derived);
    dh_tensor_free(x);
    dh_model_free(net);
}

static int granted = -1; /* so many requests for memory more; -1: all */

static void *take(size_t size, size_t align, void *payload)
{
    (void)payload;
    if (granted == 0) return NULL;
    granted -= granted > 0;
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void give(void *block, void *payload)
{
    (void)payload;
    free(block);
}

/* Where there is no memory to keep them, they are made anew each time: also when a smaller batch,
 * which another implementation takes, comes in between. */
static void test_no_memory(void **state)
{
    (void)state;
    dh_tensor *x, *one, *y;
    float first[ROWS * 3], now[ROWS * 3];
    assert_ok(dh_tensor_random_normal(&x, {ROWS, 3, 9, 9}, .seed = 5));
    assert_ok(dh_tensor_random_normal(&one, {1, 3, 9, 9}, .seed = 6));
    for (int refused = 0; refused < 40; refused++) {
        dh_model *net = dh_model_new("net");
        dh_layer *h = dh_conv2d(dh_input(net, {3, 9, 9}), 16, {3, 3}, .padding = "same");
        h = dh_conv2d(dh_relu(h), 16, {3, 3}, .padding = "same");
        h = dh_dense(dh_global_average_pool(h), 3);
        assert_ok(dh_build(net, h, .seed = 3));
        predict(first, net, x);
        granted = refused;
        if (!dh_predict(&y, net, one, .batch_size = ROWS)) dh_tensor_free(y);
        granted = -1;
        predict(now, net, x);
        assert_true(same(now, first));
        dh_model_free(net);
    }
    dh_tensor_free(x);
    dh_tensor_free(one);
}

int main(void)
{
    const dh_allocator counted = {.alloc = take, .free = give};
    if (dh_set_allocator(&counted)) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_normalised),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
