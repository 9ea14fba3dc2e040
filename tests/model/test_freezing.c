/* SPDX-License-Identifier: MIT */
/* Layers frozen and thawed amid training. */
#include "model_test.h"

#define ROWS 4 /* in two batches, of which the second has zeros for x */

typedef struct fixture {
    dh_tensor *x, *y;
    dh_model *net;
} fixture;

static int set_up(void **state)
{
    fixture *f = test_calloc(1, sizeof *f);
    assert_ok(dh_tensor_ones(&f->x, {ROWS, 3}));
    assert_ok(dh_tensor_ones(&f->y, {ROWS, 1}));
    float *x = dh_tensor_data(f->x);
    for (int i = ROWS / 2 * 3; i < ROWS * 3; i++) x[i] = 0;
    f->net = dh_model_new("net");
    dh_layer *h = dh_dense(dh_input(f->net, {3}), 5, .name = "first");
    assert_ok(dh_build(f->net, dh_dense(h, 1, .name = "last"), .loss = "mse", .accumulate = 2,
                       .optimizer = dh_sgd(0.1f, .momentum = 0.5f)));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    dh_model_free(f->net);
    dh_tensor_free(f->x);
    dh_tensor_free(f->y);
    test_free(f);
    return 0;
}

/* The largest element of a gradient. */
static double largest(const dh_model *net, const char *name)
{
    dh_tensor *g;
    double most = 0;
    assert_ok(dh_model_gradient(&g, net, name));
    for (int64_t i = 0; i < dh_tensor_count(g); i++) {
        assert_true(isfinite(at(g, i)));
        most = fmax(most, fabs((double)at(g, i)));
    }
    dh_tensor_free(g);
    return most;
}

static dh_status freeze_then_thaw(dh_callback *self, dh_event *e)
{
    (void)self;
    dh_layer *first = dh_model_layer(e->model, "first");
    if (e->epoch == 2 && e->moment == DH_EPOCH_BEGIN) return dh_layer_freeze(first, true);
    if (e->epoch == 2 && e->moment == DH_STEP_BEGIN && e->step == 2)
        return dh_layer_freeze(first, false);
    return DH_OK;
}

/* The second batch gives the first layer's weights a gradient of 0: any other is an old one. */
static void thawed_amid_a_group_begins_from_zero(void **state)
{
    fixture *f = *state;
#define FIT(...)                                                                          \
    dh_fit(f->net, f->x, f->y, .batch_size = ROWS / 2, .no_shuffle = true, .quiet = true, \
           __VA_ARGS__)
    assert_ok(FIT(.epochs = 1));
    assert_true(largest(f->net, "first/weight") > 1e-3);
    assert_ok(FIT(.epochs = 2, .callbacks = {{.call = freeze_then_thaw,
                                              .moments = DH_EPOCH_BEGIN | DH_STEP_BEGIN}}));
    assert_true(largest(f->net, "first/weight") == 0);
    assert_true(largest(f->net, "first/bias") > 1e-6);
    assert_true(largest(f->net, "last/weight") > 1e-6);
}

/* What was not frozen keeps what it has gathered. */
static dh_status thaw_what_is_thawed(dh_callback *self, dh_event *e)
{
    (void)self;
    return dh_layer_freeze(dh_model_layer(e->model, "first"), false);
}

static void thawing_twice_changes_nothing(void **state)
{
    fixture *f = *state;
    assert_ok(FIT(.callbacks = {{.call = thaw_what_is_thawed, .moments = DH_STEP_BEGIN}}));
    assert_true(largest(f->net, "first/weight") > 1e-3);
}

static size_t optimizer_bytes(dh_model *net)
{
    dh_memory_report r;
    assert_ok(dh_model_memory(&r, net, ROWS));
    return r.optimizer_bytes;
}

/* What an optimiser keeps is of parameters that are trained, or were. */
static void frozen_layers_have_no_moments(void **state)
{
    fixture *f = *state;
    dh_layer *first = dh_model_layer(f->net, "first");
    const dh__slots *slots = &f->net->first.slots;
    const int padded[] = {16, 16, 16, 16}; /* 3 x 5, 5; 5, 1 */
    size_t last = (size_t)(padded[2] + padded[3]) * sizeof(float), all = 2 * last;
    assert_int_equal(optimizer_bytes(f->net), all);
    assert_ok(dh_layer_freeze(first, true));
    assert_int_equal(optimizer_bytes(f->net), last);
    assert_null(slots->arena[0]);
    assert_ok(FIT(.epochs = 2));
    assert_int_equal(slots->arena[0]->size, last);
    assert_ok(dh_layer_freeze(first, false));
    assert_int_equal(optimizer_bytes(f->net), all);
    assert_ok(FIT(.epochs = 1));
    assert_int_equal(slots->arena[0]->size, all);
    assert_ok(dh_layer_freeze(first, true)); /* it may thaw again, and then goes on */
    assert_ok(FIT(.epochs = 1));
    assert_int_equal(slots->arena[0]->size, all);
    assert_int_equal(optimizer_bytes(f->net), all);
}

/* Moments of the others move where those of the thawed layer get their place: v = v / 2 + g, and
 * w -= v / 10, is followed by hand. */
static void thawing_keeps_the_moments_of_others(void **state)
{
    fixture *f = *state;
    const dh_tensor *xs[] = {f->x}, *ys[] = {f->y};
    static const char *const names[] = {"first/weight", "first/bias", "last/weight", "last/bias"};
    double v[4][16] = {{0}};
    assert_ok(dh_layer_freeze(dh_model_layer(f->net, "first"), true));
    for (int step = 0; step < 6; step++) {
        double was[4][16];
        if (step == 3) assert_ok(dh_layer_freeze(dh_model_layer(f->net, "first"), false));
        for (int p = 0; p < 4; p++) {
            dh_tensor *w;
            assert_ok(dh_model_parameter(&w, f->net, names[p]));
            for (int64_t i = 0; i < dh_tensor_count(w); i++) was[p][i] = (double)at(w, i);
            dh_tensor_free(w);
        }
        assert_ok(dh_train_batch(f->net, xs, ys, NULL));
        for (int p = 0; p < 4; p++) {
            dh_tensor *w, *g;
            assert_ok(dh_model_parameter(&w, f->net, names[p]));
            assert_ok(dh_model_gradient(&g, f->net, names[p]));
            bool trained = p >= 2 || step >= 3;
            for (int64_t i = 0; i < dh_tensor_count(w); i++) {
                if (trained) v[p][i] = v[p][i] / 2 + (double)at(g, i);
                assert_near((double)at(w, i), was[p][i] - (trained ? v[p][i] / 10 : 0), 1e-6);
            }
            dh_tensor_free(w);
            dh_tensor_free(g);
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(thawed_amid_a_group_begins_from_zero),
        TEST(thawing_twice_changes_nothing),
        TEST(frozen_layers_have_no_moments),
        TEST(thawing_keeps_the_moments_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
