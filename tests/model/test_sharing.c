/* SPDX-License-Identifier: MIT */
/* What models keep apart: parameters declared later, stores shared by two, optimisers' moments,
 * gradients and statistics after a batch that is refused. */
#include <stdlib.h>
#include <unistd.h>

#include "model_test.h"

/* Copies; a fifth overwrites the first. */
static const float *values(dh_model *net, const char *name)
{
    static float copies[4][64];
    static unsigned next;
    dh_tensor *t;
    assert_ok(dh_model_parameter(&t, net, name));
    assert_in_range(dh_tensor_count(t), 1, 64);
    float *copy = copies[next++ % 4];
    read_floats(copy, t);
    dh_tensor_free(t);
    return copy;
}

static void set_values(dh_model *net, const char *name, const float *from)
{
    dh_tensor *t;
    assert_ok(dh_model_parameter(&t, net, name));
    write_floats(t, from);
    dh_tensor_free(t);
}

static void what_is_declared_later_has_no_values(void **state)
{
    (void)state;
    char before[65], after[65];
    dh_tensor *t = NULL;
    dh_model *net = dh_model_new("net");
    dh_layer *y = dh_dense(dh_input(net, {4}), 3);
    assert_ok(dh_build(net, y, .loss = "mse"));
    assert_ok(dh_model_sha256(before, net));
    dh_dense(y, 20000000, .name = "late");
    assert_error(dh_model_parameter(&t, net, "late/weight"), DH_ESTATE, "late/weight", "build");
    assert_ok(dh_model_sha256(after, net));
    assert_string_equal(before, after);
    assert_int_equal(dh_model_parameter_count(net), 2);
    dh_model_free(net);
}

static void a_file_holds_the_models_own(void **state)
{
    (void)state;
    char path[] = "/tmp/dh_own_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    dh_model *a = dh_model_new("a"), *b = dh_model_new("b", .share = a), *c = dh_model_new("c");
    assert_ok(dh_build(a, dh_dense(dh_input(a, {4}), 3, .name = "first"), .loss = "mse"));
    assert_ok(dh_build(b, dh_dense(dh_input(b, {4}), 2, .name = "second"), .loss = "mse"));
    assert_ok(dh_build(c, dh_dense(dh_input(c, {4}), 2, .name = "second"), .loss = "mse"));
    assert_int_equal(dh_model_parameter_count(b), 2);
    assert_string_equal(dh_model_parameter_name(b, 0), "second/weight");
    assert_null(dh_model_parameter_name(b, 2));
    assert_ok(dh_save_weights(b, path));
    assert_ok(dh_load_weights(c, path));
    assert_memory_equal(values(b, "second/weight"), values(c, "second/weight"), 8 * sizeof(float));
    assert_error(dh_load_weights(a, path), DH_EFORMAT, "missing 2 (first/weight, first/bias)",
                 "extra 2 (second/weight, second/bias)");
    assert_null(strstr(dh_error_text(), "of another shape"));
    dh_tensor *t = NULL;
    assert_error(dh_model_parameter(&t, b, "first/weight"), DH_ENOTFOUND, "first/weight");
    unlink(path);
    dh_model_free(a);
    dh_model_free(b);
    dh_model_free(c);
}

/* A tensor of a parameter never shows what no model uses any more. */
static void held_tensors_keep_the_store_as_it_is(void **state)
{
    (void)state;
    dh_tensor *t;
    dh_model *a = dh_model_new("a"), *b = dh_model_new("b", .share = a);
    assert_ok(dh_build(a, dh_dense(dh_input(a, {4}), 3, .name = "first"), .loss = "mse"));
    assert_ok(dh_model_parameter(&t, a, "first/weight"));
    dh_layer *y = dh_dense(dh_input(b, {4}), 3, .name = "first");
    assert_ok(dh_build(b, y)); /* adds nothing */
    dh_model *c = dh_model_new("c", .share = a);
    assert_non_null(dh_dense(dh_input(c, {4}), 9, .name = "never built"));
    dh_model_free(c);
    assert_ok(dh_build(b, y)); /* nor does that */
    dh_layer *more = dh_dense(y, 2, .name = "second");
    assert_error(dh_build(b, more), DH_ESTATE, "build: ", "parameters", "held", "free them first");
    set_at(t, 5, 42);
    dh_tensor_free(t);
    assert_ok(dh_build(b, more));
    assert_true(values(a, "first/weight")[5] == 42 && values(b, "first/weight")[5] == 42);
    dh_model_free(a);
    dh_model_free(b);
}

static void a_regularizer_belongs_to_the_parameter(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    dh_result r[2];
    assert_ok(dh_tensor_ones(&x, {4, 4}));
    assert_ok(dh_tensor_zeros(&y, {4, 3}));
    dh_model *a = dh_model_new("a");
    assert_ok(dh_build(a, dh_dense(dh_input(a, {4}), 3, .name = "d", .weight_reg = {.l2 = 0.5f}),
                       .loss = "mse"));
    dh_model *b = dh_model_new("b", .share = a), *c = dh_model_new("c", .share = a);
    assert_ok(dh_build(b, dh_dense(dh_input(b, {4}), 3, .name = "d"), .loss = "mse"));
    assert_ok(dh_evaluate(a, x, y, .result = &r[0], .quiet = true));
    assert_ok(dh_evaluate(b, x, y, .result = &r[1], .quiet = true));
    assert_true(r[0].loss > r[0].losses[0] && r[0].loss == r[1].loss);
    assert_null(dh_dense(dh_input(c, {4}), 3, .name = "d", .weight_reg = {.l2 = 0.25f}));
    assert_error(dh_build(c, NULL), DH_EINVAL, "d/weight", "{l1 0, l2 0.5}", "{l1 0, l2 0.25}");
    dh_model_free(a);
    dh_model_free(b);
    dh_model_free(c);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

static dh_model *linear_model(dh_model *share, dh_optimizer optimizer)
{
    dh_model *net = dh_model_new("net", .share = share);
    dh_layer *y = dh_dense(dh_input(net, {4}), 1, .name = "d", .no_bias = true);
    assert_ok(dh_build(net, y, .loss = "mse", .optimizer = optimizer, .seed = 3));
    return net;
}

/* A rebuilt model starts as a new one does. */
static void moments_end_with_the_build(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    assert_ok(dh_tensor_ones(&x, {8, 4}));
    assert_ok(dh_tensor_ones(&y, {8, 1}));
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    dh_optimizer kinds[] = {dh_adam(0.01f), dh_rmsprop(0.01f), dh_sgd(0.01f, .momentum = 0.9f)};
    for (int first = 0; first < 3; first++)
        for (int second = 0; second < 3; second++) {
            float w[4];
            dh_model *old = linear_model(NULL, kinds[first]);
            assert_ok(dh_fit(old, x, y, .batch_size = 1, .epochs = 3, .quiet = true));
            assert_ok(dh_build(old, dh_model_layer(old, "d"), .loss = "mse",
                               .optimizer = kinds[second], .seed = 3));
            dh_model *fresh = linear_model(NULL, kinds[second]);
            memcpy(w, values(old, "d/weight"), sizeof w);
            set_values(fresh, "d/weight", w);
            for (int i = 0; i < 3; i++) {
                assert_ok(dh_train_batch(old, xs, ys, NULL));
                assert_ok(dh_train_batch(fresh, xs, ys, NULL));
            }
            assert_memory_equal(values(old, "d/weight"), values(fresh, "d/weight"), sizeof w);
            dh_model_free(old);
            dh_model_free(fresh);
        }
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* Each of two models on one store has moments of its own. */
static void moments_are_the_models(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    assert_ok(dh_tensor_ones(&x, {8, 4}));
    assert_ok(dh_tensor_ones(&y, {8, 1}));
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    dh_model *a = linear_model(NULL, dh_sgd(0.01f, .momentum = 0.9f));
    dh_model *b = linear_model(a, dh_rmsprop(0.01f));
    for (int i = 0; i < 20; i++) {
        assert_ok(dh_train_batch(a, xs, ys, NULL));
        assert_ok(dh_train_batch(b, xs, ys, NULL));
    }
    for (int k = 0; k < 4; k++) assert_true(isfinite(values(a, "d/weight")[k]));
    /* and with b's rate 0, a is as if alone */
    dh_model *alone = linear_model(NULL, dh_sgd(0.01f, .momentum = 0.9f));
    dh_model *one = linear_model(NULL, dh_sgd(0.01f, .momentum = 0.9f));
    dh_model *two = linear_model(one, dh_adam(0.01f));
    assert_ok(dh_model_set_learning_rate(two, 0));
    for (int i = 0; i < 5; i++) {
        assert_ok(dh_train_batch(alone, xs, ys, NULL));
        assert_ok(dh_train_batch(one, xs, ys, NULL));
        assert_ok(dh_train_batch(two, xs, ys, NULL));
    }
    assert_memory_equal(values(one, "d/weight"), values(alone, "d/weight"), 4 * sizeof(float));
    dh_model *all[] = {a, b, alone, one, two};
    for (size_t i = 0; i < 5; i++) dh_model_free(all[i]);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

static void a_refused_batch_leaves_nothing(void **state)
{
    (void)state;
    char before[65], after[65];
    dh_tensor *x, *y, *bad;
    make_blobs(&x, &y, 8, 4, 2, 1);
    assert_ok(dh_tensor_full(&bad, NAN, {8, 4}));
    const dh_tensor *xs[] = {x}, *bads[] = {bad}, *ys[] = {y};
    dh_model *net = dh_model_new("net");
    dh_layer *h = dh_batch_normalization(dh_dense(dh_input(net, {4}), 3), .name = "bn");
    assert_ok(dh_build(net, dh_softmax(dh_dense(h, 2)), .loss = "cross_entropy", .seed = 1));
    assert_ok(dh_train_batch(net, xs, ys, NULL));
    assert_ok(dh_model_sha256(before, net));
    assert_error(dh_fit(net, bad, y, .quiet = true), DH_ENUMERIC, "nan");
    assert_error(dh_train_batch(net, bads, ys, NULL), DH_ENUMERIC, "nan");
    assert_ok(dh_forward(net, xs, true));
    assert_ok(dh_model_sha256(after, net)); /* running statistics too */
    assert_string_equal(before, after);
    assert_ok(dh_backward(net, ys, NULL));
    assert_ok(dh_model_sha256(before, net)); /* now they have moved */
    assert_ok(dh_forward(net, bads, true));
    assert_error(dh_backward(net, ys, NULL), DH_ENUMERIC, "nan");
    assert_error(dh_update(net), DH_ESTATE, "update", "no gradients");
    assert_ok(dh_model_sha256(after, net));
    assert_string_equal(before, after);
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_tensor_free(bad);
}

/* The parts of a step do what the whole step does, whatever is asked in between. */
static void parts_equal_the_whole(void **state)
{
    (void)state;
    char whole[65], parts[65];
    dh_tensor *x, *y, *labels, *p = NULL;
    make_blobs(&x, &y, 8, 4, 2, 1);
    assert_ok(dh_tensor_zeros(&labels, {8}, .dtype = DH_I32));
    const dh_tensor *xs[] = {x}, *ys[] = {labels};
    for (int way = 0; way < 2; way++) {
        dh_model *net = dh_model_new("net");
        dh_layer *h = dh_batch_normalization(dh_dense(dh_input(net, {4}), 3), .name = "bn");
        assert_ok(dh_build(net, dh_softmax(dh_dense(h, 2)), .loss = "cross_entropy", .seed = 1));
        for (int i = 0; i < 3; i++) {
            if (way == 0) {
                assert_ok(dh_train_batch(net, xs, ys, NULL));
                continue;
            }
            assert_ok(dh_forward(net, xs, true));
            assert_ok(dh_backward(net, ys, NULL));
            assert_ok(dh_eval_batch(net, xs, ys, NULL));
            assert_ok(dh_predict(&p, net, x));
            dh_tensor_free(p);
            assert_ok(dh_update(net));
        }
        assert_ok(dh_model_sha256(way ? parts : whole, net));
        dh_model_free(net);
    }
    assert_string_equal(whole, parts);
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_tensor_free(labels);
}

static void a_refused_fit_ends_the_forward(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    make_blobs(&x, &y, 8, 4, 2, 1);
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    dh_model *net = dh_model_new("net");
    assert_ok(dh_build(net, dh_softmax(dh_dense(dh_input(net, {4}), 2)), .loss = "cross_entropy"));
    assert_ok(dh_forward(net, xs, true));
    ((float *)dh_tensor_data(x))[0] = NAN;
    assert_error(dh_fit(net, x, y, .quiet = true), DH_ENUMERIC, "NaN");
    assert_error(dh_backward(net, ys, NULL), DH_ESTATE, "forward");
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* Frozen in one model, trained by another on the same store; and thawed again. */
static void freezing_is_the_models(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    float w[4];
    assert_ok(dh_tensor_ones(&x, {8, 4}));
    assert_ok(dh_tensor_ones(&y, {8, 1}));
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    dh_model *a = linear_model(NULL, dh_sgd(0.01f)), *b = linear_model(a, dh_sgd(0.01f));
    assert_ok(dh_train_batch(a, xs, ys, NULL));
    assert_ok(dh_train_batch(b, xs, ys, NULL));
    assert_ok(dh_layer_freeze(dh_model_layer(a, "d"), true));
    memcpy(w, values(a, "d/weight"), sizeof w);
    assert_ok(dh_train_batch(a, xs, ys, NULL));
    assert_memory_equal(w, values(a, "d/weight"), sizeof w);
    assert_ok(dh_train_batch(b, xs, ys, NULL));
    assert_memory_not_equal(w, values(a, "d/weight"), sizeof w);
    memcpy(w, values(a, "d/weight"), sizeof w);
    assert_ok(dh_layer_freeze(dh_model_layer(a, "d"), false));
    assert_ok(dh_forward(a, xs, true));
    assert_ok(dh_backward(a, ys, NULL));
    assert_ok(dh_layer_freeze(dh_model_layer(a, "d"), true));
    assert_error(dh_update(a), DH_ESTATE, "no gradients");
    assert_memory_equal(w, values(a, "d/weight"), sizeof w);
    dh_model_free(a);
    dh_model_free(b);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* Models on one store have one memory for gradients: whose are gone is told, not given another's.
 */
static void gradients_are_the_last_models(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    float w[4];
    assert_ok(dh_tensor_ones(&x, {8, 4}));
    assert_ok(dh_tensor_ones(&y, {8, 1}));
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    dh_model *a = linear_model(NULL, dh_sgd(0.01f)), *b = linear_model(a, dh_sgd(0.01f));
    for (int way = 0; way < 3; way++) {
        assert_ok(dh_forward(a, xs, true));
        assert_ok(dh_backward(a, ys, NULL));
        if (way == 0) assert_ok(dh_train_batch(b, xs, ys, NULL));
        if (way == 1) {
            assert_ok(dh_forward(b, xs, true));
            assert_ok(dh_backward(b, ys, NULL));
        }
        if (way == 2) assert_ok(dh_zero_grads(b));
        memcpy(w, values(a, "d/weight"), sizeof w);
        assert_error(dh_update(a), DH_ESTATE, "update: another model on the parameter store has",
                     "call zero_grads");
        assert_ok(dh_forward(a, xs, true));
        assert_error(dh_backward(a, ys, NULL), DH_ESTATE, "backward: another model on");
        assert_memory_equal(w, values(a, "d/weight"), sizeof w);
        if (way == 1) assert_ok(dh_update(b));
        assert_ok(dh_zero_grads(a));
        assert_ok(dh_forward(a, xs, true));
        assert_ok(dh_backward(a, ys, NULL));
        assert_ok(dh_update(a));
    }
    dh_model_free(a);
    dh_model_free(b);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* Nor shown as if they were its own. */
static void gradients_of_another_are_not_shown(void **state)
{
    (void)state;
    char path[] = "/tmp/dh_sharing_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    dh_tensor *x, *y, *g = NULL;
    assert_ok(dh_tensor_ones(&x, {8, 4}));
    assert_ok(dh_tensor_ones(&y, {8, 1}));
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    dh_model *a = linear_model(NULL, dh_sgd(0.01f)), *b = linear_model(a, dh_sgd(0.01f));
    assert_error(dh_model_gradient(&g, a, "d/weight"), DH_ESTATE, "has no gradient yet");
    for (int way = 0; way < 3; way++) {
        assert_ok(dh_train_batch(a, xs, ys, NULL));
        assert_ok(dh_model_gradient(&g, a, "d/weight"));
        assert_true(fabsf(at(g, 0)) > 1e-6f);
        dh_tensor_free(g);
        assert_ok(dh_train_batch(b, xs, ys, NULL));
        assert_error(dh_model_gradient(&g, a, "d/weight"), DH_ESTATE,
                     "model_gradient: another model on the parameter store has overwritten");
        assert_error(dh_model_plot_histograms(a, path, "gradients"), DH_ESTATE,
                     "model_plot_histograms: another model on the parameter store has");
        assert_ok(dh_model_gradient(&g, b, "d/weight"));
        dh_tensor_free(g);
        if (way == 0) assert_ok(dh_zero_grads(b));
        if (way == 1) assert_ok(dh_zero_grads(a));
        if (way < 2) { /* they are nobody's, and 0 */
            assert_ok(dh_model_gradient(&g, a, "d/weight"));
            assert_true(at(g, 0) == 0);
            dh_tensor_free(g);
        }
    }
    dh_model_free(b);
    assert_error(dh_model_gradient(&g, a, "d/weight"), DH_ESTATE, "another model on the");
    dh_model *c = linear_model(a, dh_sgd(0.01f)); /* where b may have been */
    assert_error(dh_model_gradient(&g, c, "d/weight"), DH_ESTATE, "another model on the");
    dh_model_free(a);
    dh_model_free(c);
    dh_tensor_free(x);
    dh_tensor_free(y);
    remove(path);
}

/* A callback that trains another model on the store while fit gathers gradients. */
static dh_status train_another(dh_callback *self, dh_event *event)
{
    dh_tensor *x, *y;
    (void)event;
    assert_ok(dh_tensor_ones(&x, {8, 4}));
    assert_ok(dh_tensor_ones(&y, {8, 1}));
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    dh_status status = dh_train_batch(self->payload, xs, ys, NULL);
    dh_tensor_free(x);
    dh_tensor_free(y);
    return status;
}

static void gathered_gradients_are_not_anothers(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    assert_ok(dh_tensor_ones(&x, {8, 4}));
    assert_ok(dh_tensor_ones(&y, {8, 1}));
    dh_model *a = linear_model(NULL, dh_sgd(0.01f)), *b = linear_model(a, dh_sgd(0.01f));
    dh_callback train_b = {.call = train_another, .payload = b};
    assert_ok(dh_fit(a, x, y, .batch_size = 4, .callbacks = {train_b}, .quiet = true)); /* whole */
    assert_ok(dh_build(a, dh_model_layer(a, "d"), .loss = "mse", .accumulate = 2));
    assert_error(dh_fit(a, x, y, .batch_size = 4, .callbacks = {train_b}, .quiet = true), DH_ESTATE,
                 "fit: ", "another model on the parameter store has");
    dh_model_free(a);
    dh_model_free(b);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* A group that an epoch's end cuts short is the mean of what it has; single steps know no groups.
 */
static void short_groups_are_means_too(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    assert_ok(dh_tensor_ones(&x, {8, 4}));
    assert_ok(dh_tensor_ones(&y, {8, 1}));
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    dh_model *net[3];
    for (int i = 0; i < 3; i++) {
        net[i] = dh_model_new("net");
        dh_layer *out = dh_dense(dh_input(net[i], {4}), 1, .name = "d");
        assert_ok(dh_build(net[i], out, .loss = "mse", .optimizer = dh_sgd(0.1f), .seed = 3,
                           .accumulate = i ? 4 : 1));
    }
    assert_ok(dh_train_batch(net[0], xs, ys, NULL));
    assert_ok(dh_train_batch(net[1], xs, ys, NULL));
    assert_ok(dh_fit(net[2], x, y, .batch_size = 8, .quiet = true));
    for (int i = 1; i < 3; i++)
        assert_memory_equal(values(net[0], "d/weight"), values(net[i], "d/weight"), 16);
    for (int i = 0; i < 3; i++) dh_model_free(net[i]);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(held_tensors_keep_the_store_as_it_is),
        cmocka_unit_test(a_regularizer_belongs_to_the_parameter),
        cmocka_unit_test(what_is_declared_later_has_no_values),
        cmocka_unit_test(a_file_holds_the_models_own),
        cmocka_unit_test(moments_end_with_the_build),
        cmocka_unit_test(moments_are_the_models),
        cmocka_unit_test(a_refused_batch_leaves_nothing),
        cmocka_unit_test(parts_equal_the_whole),
        cmocka_unit_test(a_refused_fit_ends_the_forward),
        cmocka_unit_test(freezing_is_the_models),
        cmocka_unit_test(gradients_are_the_last_models),
        cmocka_unit_test(gradients_of_another_are_not_shown),
        cmocka_unit_test(gathered_gradients_are_not_anothers),
        cmocka_unit_test(short_groups_are_means_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
