/* SPDX-License-Identifier: MIT */
/* What a node does that fuses several is what they do one by one: a net whose layers are kept to be
 * read, which keeps their nodes apart, beside the same net. */
#include "model_test.h"

enum { ROWS = 5, SIDE = 12, CLASSES = 3, KEPT = 8 };

typedef struct net {
    dh_model *model;
    dh_layer *layer[KEPT];
    int count;
} net;

static dh_layer *note(net *n, dh_layer *layer)
{
    assert_true(n->count < KEPT);
    return n->layer[n->count++] = layer;
}

/* Blocks that end in a sum, with and without normalisation, each activation behind; what is added
 * is an input, an earlier result, another branch, a part cut out of a larger one. */
static void make(net *n, bool apart)
{
    dh_model *m = n->model = dh_model_new("net");
    dh_layer *in = dh_input(m, {16, SIDE, SIDE}), *x, *y;
    n->count = 0;
    y = note(n, dh_conv2d(in, 16, {3, 3}, .padding = "same"));
    x = dh_relu(note(n, dh_add({in, y})));
    y = note(n, dh_batch_normalization(dh_conv2d(x, 16, {1, 1}, .no_bias = true)));
    y = dh_relu6(y);
    y = note(n, dh_batch_normalization(dh_conv2d(y, 16, {3, 3}, .padding = "same")));
    x = dh_leaky_relu(note(n, dh_add({y, x})), .alpha = 0.25f);
    y = note(n, dh_batch_normalization(dh_conv2d(x, 16, {3, 3})));
    x = dh_leaky_relu(note(n, dh_add({dh_slice(x, ":, 1:-1, 1:-1"), y})), .alpha = -0.5f);
    x = dh_leaky_relu(note(n, dh_batch_normalization(x)), .alpha = -0.2f);
    dh_layer *out = dh_dense(dh_global_average_pool(x), CLASSES);
    dh_layer **k = n->layer;
    if (apart)
        assert_ok(dh_build(m, out, .loss = "mse", .optimizer = dh_sgd(0.05f), .seed = 7,
                           .keep = {k[0], k[1], k[2], k[3], k[4], k[5], k[6], k[7]}));
    else
        assert_ok(dh_build(m, out, .loss = "mse", .optimizer = dh_sgd(0.05f), .seed = 7));
}

static void compare(net *a, net *b, const dh_tensor *x, double tolerance)
{
    dh_tensor *p, *q;
    assert_ok(dh_predict(&p, a->model, x, .batch_size = ROWS));
    assert_ok(dh_predict(&q, b->model, x, .batch_size = ROWS));
    for (int i = 0; i < ROWS * CLASSES; i++)
        assert_near(((float *)dh_tensor_data(p))[i], ((float *)dh_tensor_data(q))[i], tolerance);
    dh_tensor_free(p);
    dh_tensor_free(q);
}

static void test_fused(void **state)
{
    (void)state;
    net whole, apart;
    dh_tensor *x, *y;
    assert_ok(dh_tensor_random_normal(&x, {ROWS, 16, SIDE, SIDE}, .seed = 5));
    assert_ok(dh_tensor_random_normal(&y, {ROWS, CLASSES}, .seed = 6));
    make(&whole, false);
    make(&apart, true);
    compare(&whole, &apart, x, 1e-5);
    for (int round = 0; round < 2; round++) {
        assert_ok(dh_fit(whole.model, x, y, .batch_size = ROWS, .epochs = 2, .quiet = true));
        assert_ok(dh_fit(apart.model, x, y, .batch_size = ROWS, .epochs = 2, .quiet = true));
        compare(&whole, &apart, x, 1e-4);
    }
    dh_model_free(whole.model);
    dh_model_free(apart.model);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
