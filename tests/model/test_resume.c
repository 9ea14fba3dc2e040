/* SPDX-License-Identifier: MIT */
/* What a resumed run finds again beside weights: what was frozen, rates of layers, what callbacks
 * remember and are told, its own files among others. */
#include <stdlib.h>
#include <unistd.h>

#include "folder_test.h"
#include "model_mistakes.h"

#define STEPS 6 /* of an epoch */

static dh_model *make_net(void)
{
    dh_model *net = dh_model_new("net");
    dh_layer *h = dh_batch_normalization(dh_dense(dh_input(net, {4}), 6, .name = "a"));
    assert_ok(dh_build(net, dh_softmax(dh_dense(h, 2, .name = "b")), .seed = 1,
                       .optimizer = dh_adam(0.02f), .loss = "cross_entropy",
                       .metrics = {"accuracy"}));
    return net;
}

#define FIT(net, ...)                                                                             \
    dh_fit(net, f->x, f->y, .batch_size = 4, .quiet = true, .checkpoint = f->dir, .resume = true, \
           __VA_ARGS__)

static dh_status break_off(dh_callback *self, dh_event *e)
{
    const int64_t *at = self->payload;
    return e->total_step == *at ? DH_ECANCELLED : DH_OK;
}

/* Layers thaw and freeze by a schedule, and rates change: all before the break. */
static dh_status unfreeze(dh_callback *self, dh_event *e)
{
    (void)self;
    if (e->epoch == 1) {
        DH_TRY(dh_layer_freeze(dh_model_layer(e->model, "a"), true));
        DH_TRY(dh_layer_freeze(dh_model_layer(e->model, "batch_normalization1"), true));
    }
    if (e->epoch != 2) return DH_OK;
    DH_TRY(dh_layer_freeze(dh_model_layer(e->model, "batch_normalization1"), false));
    return dh_model_lr_scale(e->model, "b/weight", 0.1f);
}

static void what_was_frozen_is_frozen_again(void **state)
{
    fixture *f = *state;
    char want[65], got[65];
    for (int64_t until = 1; until <= 4 * STEPS; until++) {
        for (int k = until == 1 ? 0 : 1; k < 3; k++) { /* unbroken once; broken off; resumed */
            int64_t at = k == 1 ? until : 0;
            dh_model *net = make_net();
            dh_status status =
                FIT(net, .epochs = 4, .checkpoint_steps = 1,
                    .callbacks = {{.call = unfreeze, .moments = DH_EPOCH_BEGIN},
                                  {.call = break_off, .payload = &at, .moments = DH_STEP_END}});
            assert_int_equal(status, k == 1 ? DH_ECANCELLED : DH_OK);
            assert_ok(dh_model_sha256(k ? got : want, net));
            dh_model_free(net);
            if (k != 1) remove_files(f->dir);
        }
        assert_string_equal(got, want);
    }
}

/* The run had trained the first layer never; this process has, and forgets it. */
static void moments_of_the_frozen_are_none(void **state)
{
    fixture *f = *state;
    char want[65], got[65];
    for (int k = 0; k < 2; k++) {
        dh_model *net = make_net();
        assert_ok(dh_layer_freeze(dh_model_layer(net, "a"), true));
        assert_ok(FIT(net, .epochs = 2));
        if (k == 0) {
            assert_ok(dh_layer_freeze(dh_model_layer(net, "a"), false));
            assert_ok(dh_fit(net, f->x, f->y, .quiet = true));
        }
        assert_ok(FIT(net, .epochs = 3)); /* from the end of the second */
        assert_ok(dh_layer_freeze(dh_model_layer(net, "a"), false));
        assert_ok(dh_fit(net, f->x, f->y, .quiet = true, .epochs = 2));
        assert_ok(dh_model_sha256(k ? got : want, net));
        dh_model_free(net);
        remove_files(f->dir);
    }
    assert_string_equal(got, want);
}

static dh_status note_rate(dh_callback *self, dh_event *e)
{
    ((double *)self->payload)[e->epoch] = e->learning_rate;
    return DH_OK;
}

/* At an epoch's beginning that of the step before, whether or not this process made it. */
static void the_last_rate_is_told(void **state)
{
    fixture *f = *state;
    double seen[4] = {0};
    for (int k = 0; k < 2; k++) {
        int64_t at = k ? 0 : 2 * STEPS + 1;
        dh_model *net = make_net();
        dh_status status =
            FIT(net, .epochs = 3,
                .callbacks = {dh_lr_exponential(0.5),
                              {.call = note_rate, .payload = seen, .moments = DH_EPOCH_BEGIN},
                              {.call = break_off, .payload = &at, .moments = DH_STEP_END}});
        assert_int_equal(status, k ? DH_OK : DH_ECANCELLED);
        assert_near(seen[3], 0.01, 1e-6);
        seen[3] = 0;
        dh_model_free(net);
    }
}

/* What a callback remembers is its own, wherever in the array it stands. */
static void empty_places_do_not_matter(void **state)
{
    fixture *f = *state;
    int count;
    dh_model *net = make_net();
    assert_ok(FIT(net, .callbacks = {dh_lr_exponential(1), dh_lr_plateau(.patience = 5)}));
    dh_model_free(net);
    net = make_net();
    assert_ok(FIT(net, .epochs = 2,
                  .callbacks = {dh_lr_exponential(1), {0}, dh_lr_plateau(.patience = 5)}));
    const dh_epoch *h = dh_model_history(net, &count);
    assert_int_equal(count, 2);
    assert_near(h[1].learning_rate, 0.02, 1e-6);
    dh_model_free(net);
}

/* A file of the user's beside the checkpoints is neither counted nor read nor removed. */
static void other_files_are_left_alone(void **state)
{
    fixture *f = *state;
    static const char *const others[] = {"checkpoint-best.safetensors",
                                         "checkpoint-0000000000x6.safetensors"};
    char path[128];
    dh_model *net = make_net();
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", f->dir, others[i]);
        assert_ok(dh_save_weights(net, path));
    }
    assert_ok(dh_fit(net, f->x, f->y, .batch_size = 4, .epochs = 3, .quiet = true,
                     .checkpoint = f->dir, .checkpoint_keep = 1));
    dh_model_free(net);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", f->dir, others[i]);
        assert_int_equal(access(path, R_OK), 0);
    }
    snprintf(path, sizeof path, "%s/checkpoint-%012d.safetensors", f->dir, 3 * STEPS);
    assert_int_equal(access(path, R_OK), 0);
    int count;
    net = make_net();
    assert_ok(FIT(net, .epochs = 3));
    assert_non_null(dh_model_history(net, &count));
    assert_int_equal(count, 3);
    dh_model_free(net);
}

/* Also where nothing was left to do. */
static void metric_values_come_back(void **state)
{
    fixture *f = *state;
    double want = 0, got = -1;
    for (int k = 0; k < 2; k++) {
        dh_model *net = make_net();
        assert_ok(FIT(net, .epochs = 1));
        assert_int_equal(dh_model_metric_values(net, 0, k ? &got : &want, 1), 1);
        dh_model_free(net);
    }
    assert_true(want > 0 && got == want);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_was_frozen_is_frozen_again), TEST(the_last_rate_is_told),
        TEST(empty_places_do_not_matter),      TEST(other_files_are_left_alone),
        TEST(metric_values_come_back),         TEST(moments_of_the_frozen_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
