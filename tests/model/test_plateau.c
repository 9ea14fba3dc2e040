/* SPDX-License-Identifier: MIT */
/* A rate that falls where a figure, here a scripted one, stops improving. */
#include "model_test.h"

enum { EPOCHS = 7 };

static const double values[EPOCHS] = {5, 5, 4, 4, 4, 3, 3};

static dh_status script(dh_callback *self, dh_event *e)
{
    (void)self;
    ((dh_result *)(uintptr_t)e->train)->loss = values[e->epoch - 1];
    return DH_OK;
}

/* The factors of the epochs against those that are wanted. */
static void expect_factors(dh_callback plateau, const double *want)
{
    int count;
    dh_tensor *x, *y;
    make_blobs(&x, &y, 8, 4, 2, 3);
    dh_model *net = dh_model_new("net");
    assert_ok(dh_build(net, dh_softmax(dh_dense(dh_input(net, {4}), 2)), .loss = "cross_entropy",
                       .optimizer = dh_sgd(0.5f)));
    assert_ok(dh_fit(net, x, y, .epochs = EPOCHS, .quiet = true,
                     .callbacks = {{.call = script, .moments = DH_EPOCH_END}, plateau}));
    const dh_epoch *h = dh_model_history(net, &count);
    assert_int_equal(count, EPOCHS);
    for (int i = 0; i < EPOCHS; i++) assert_near(h[i].learning_rate, 0.5 * want[i], 1e-12);
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

static void patience_may_be_none(void **state)
{
    (void)state;
    expect_factors(dh_lr_plateau("loss", .patience = DH_ZERO, .factor = 0.5),
                   (const double[]){1, 1, 0.5, 0.5, 0.25, 0.125, 0.125});
    expect_factors(dh_lr_plateau("loss", .patience = 1, .factor = 0.5),
                   (const double[]){1, 1, 1, 1, 1, 0.5, 0.5});
    expect_factors(dh_lr_plateau("loss", .factor = 0.5), /* ten epochs */
                   (const double[]){1, 1, 1, 1, 1, 1, 1});
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(patience_may_be_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
