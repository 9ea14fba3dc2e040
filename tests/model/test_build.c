/* SPDX-License-Identifier: MIT */
/* Building: what is wrong is said once, with names and values; what is right has the right shapes.
 */
#include "model_test.h"

static void the_first_failure_comes_out_of_build(void **state)
{
    (void)state;
    dh_model *net = dh_model_new("bad");
    dh_layer *x = dh_input(net, {784});
    x = dh_dense(x, 0);
    assert_null(x);
    x = dh_softmax(dh_dense(x, 10));
    assert_null(x);
    assert_error(dh_build(net, x, .loss = "mse"), DH_EINVAL, "dense1", "units", "0", "1");
    dh_model_free(net);
}

static void near_names_are_offered(void **state)
{
    (void)state;
    dh_model *net = dh_model_new("names");
    dh_layer *x = dh_input(net, {4});
    dh_layer *y = dh_dense(x, 2);
    assert_error(dh_build(net, y, .loss = "mean_square_error"), DH_ENAME, "mean_square_error",
                 "mean_squared_error");
    assert_error(dh_build(net, y, .loss = "mse", .metrics = {"acuracy"}), DH_ENAME, "acuracy",
                 "accuracy");
    assert_error(dh_build(net, y, .device = dh_cs_cpu(.memory = "lowmem")), DH_ENAME, "lowmem",
                 "low_mem");
    assert_error(dh_build(net, y, .device = {.device = "gpu"}), DH_ENAME, "gpu", "cpu");
    assert_ok(dh_build(net, y, .loss = "mse"));
    assert_null(dh_activation(y, "rleu"));
    assert_error(dh_build(net, y), DH_ENAME, "rleu", "relu", "activation");
    dh_model_free(net);
}

static void shapes_are_checked_where_they_are_written(void **state)
{
    (void)state;
    dh_model *net = dh_model_new("shapes");
    dh_layer *a = dh_input(net, {4, 6}), *b = dh_input(net, {4, 5});
    assert_null(dh_add({a, b}));
    assert_error(dh_build(net, a), DH_ESHAPE, "add1", "[N, 4, 6]", "[N, 4, 5]");
    dh_model_free(net);
    net = dh_model_new("shapes");
    a = dh_input(net, {4, 6});
    assert_null(dh_reshape(a, {5, 5}));
    assert_error(dh_build(net, a), DH_ESHAPE, "reshape1", "24", "25");
    dh_model_free(net);
}

static void an_unknown_dtype_is_refused(void **state)
{
    (void)state;
    dh_model *net = dh_model_new("dtype");
    assert_null(dh_input(net, {4}, .dtype = (dh_dtype)77, .name = "in"));
    assert_error(dh_build(net, NULL), DH_EDTYPE, "input", "in", "77", "13");
    dh_model_free(net);
}

static void layers_know_their_shapes(void **state)
{
    (void)state;
    dh_model *net = dh_model_new("s");
    dh_layer *a = dh_input(net, {4, 6}), *f = dh_flatten(a), *r = dh_reshape(f, {2, -1, 3});
    assert_int_equal(dh_layer_ndim(f), 2);
    assert_int_equal(dh_layer_dim(f, 1), 24);
    assert_int_equal(dh_layer_dim(r, 2), 4);
    assert_int_equal(dh_layer_dim(r, 0), -1);
    assert_string_equal(dh_layer_name(dh_concat({f, f})), "concat1");
    assert_int_equal(dh_layer_dim(dh_concat({f, f, f}), 1), 72);
    assert_string_equal(dh_layer_name(dh_relu(f, .name = "mine")), "mine");
    assert_ptr_equal(dh_model_layer(net, "mine"), dh_model_layer(net, "mine"));
    assert_null(dh_model_layer(net, "mime"));
    assert_non_null(strstr(dh_error_text(), "mine"));
    assert_null(dh_relu(f, .name = "mine"));
    assert_error(dh_build(net, f), DH_EINVAL, "mine");
    dh_model_free(net);
}

static void nothing_crashes_on_null(void **state)
{
    (void)state;
    assert_null(dh_input(NULL, {3}));
    assert_null(dh_dense(NULL, 3));
    assert_null(dh_add({NULL}));
    assert_null(dh_apply(NULL, NULL));
    assert_null((dh_dense)(NULL));
    assert_null((dh_dense)(&(dh_dense_args){0}));
    dh_model_free(NULL);
    assert_int_equal((dh_build)(NULL), DH_EINVAL);
    assert_int_equal(dh_build(NULL, NULL), DH_EINVAL);
    assert_int_equal(dh_fit(NULL), DH_EINVAL);
    assert_int_equal(dh_train_batch(NULL, NULL, NULL, NULL), DH_EINVAL);
    assert_int_equal(dh_forward(NULL, NULL, true), DH_EINVAL);
    assert_int_equal(dh_update(NULL), DH_EINVAL);
    assert_int_equal(dh_layer_freeze(NULL, true), DH_EINVAL);
    dh_model *net = dh_model_new("n");
    dh_layer *x = dh_dense(dh_input(net, {3}), 2);
    assert_int_equal(dh_build(net, NULL), DH_EINVAL);
    assert_int_equal(dh_fit(net, NULL, NULL), DH_ESTATE);
    assert_ok(dh_build(net, x, .loss = "mse"));
    assert_int_equal(dh_fit(net, NULL, NULL), DH_EINVAL);
    assert_int_equal(dh_backward(net, NULL, NULL), DH_EINVAL);
    dh_model_free(net);
}

static void data_is_checked(void **state)
{
    (void)state;
    dh_tensor *x, *y, *few;
    dh_model *net = dh_model_new("d");
    dh_layer *in = dh_input(net, {5});
    assert_ok(dh_build(net, dh_dense(in, 2), .loss = "mse"));
    assert_ok(dh_tensor_zeros(&x, {6, 4}));
    assert_ok(dh_tensor_zeros(&y, {6, 2}));
    assert_ok(dh_tensor_zeros(&few, {5, 5}));
    assert_error(dh_fit(net, x, y), DH_ESHAPE, "fit", "input1", "[N, 5]", "[6, 4]");
    assert_error(dh_fit(net, few, y), DH_ESHAPE, "6", "5");
    assert_error(dh_fit(net, few, few), DH_ESHAPE, "mse", "[5, 5]", "[5, 2]");
    assert_error(dh_fit(net, few, y, .validation_split = 1.5f), DH_EINVAL, "validation_split",
                 "1.5");
    assert_error(dh_fit(net, few, y, .batch_size = -3), DH_EINVAL, "batch_size", "-3");
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_tensor_free(few);
    dh_model_free(net);
}

/* A build that runs out of memory at any allocation fails cleanly and can be tried again. */
static void allocation_failures_leave_nothing_behind(void **state)
{
    (void)state;
    dh_memory_stats before, after;
    dh_tensor *x, *y;
    make_blobs(&x, &y, 10, 4, 2, 9);
    dh_get_memory_stats(&before);
    bool done = false;
    for (uint64_t n = 1; !done && n < 5000; n++) {
        dh_alloc_fail_at(n);
        dh_model *net = dh_model_new("oom");
        dh_layer *in = dh_input(net, {4});
        dh_layer *h = dh_dropout(dh_dense(in, 7, .activation = "relu"), 0.2f);
        dh_layer *out = dh_softmax(dh_dense(h, 2));
        dh_status status = dh_build(net, out, .loss = "cross_entropy", .optimizer = dh_adam(0.01f),
                                    .metrics = {"accuracy"},
                                    .device = dh_cs_cpu(.threads = 1, .memory = "low_mem"));
        if (!status) status = dh_fit(net, x, y, .batch_size = 4, .quiet = true);
        dh_alloc_fail_at(0);
        if (status && status != DH_ENOMEM && net) fail_msg("n %d: %s", (int)n, dh_error_text());
        dh_model_free(net);
        dh_get_memory_stats(&after);
        if (after.live_blocks != before.live_blocks)
            fail_msg("n %d: %d blocks leaked", (int)n,
                     (int)(after.live_blocks - before.live_blocks));
        done = !status;
    }
    assert_true(done);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* A loss with a parameter of its own; payload: where its result is left. */
static dh_layer *learnt_distance(dh_layer *target, dh_layer *prediction, void *payload)
{
    dh_layer *scaled = dh_dense(prediction, 1);
    dh_layer *loss = dh_operation("sqr", {dh_subtract({scaled, target})});
    if (payload) *(dh_layer **)payload = loss;
    return loss;
}

static void learn_a_little(dh_model *net)
{
    dh_tensor *x, *y;
    assert_ok(dh_tensor_random_normal(&x, {10, 4}, .seed = 3));
    assert_ok(dh_tensor_random_normal(&y, {10, 1}, .seed = 4));
    assert_ok(dh_fit(net, x, y, .batch_size = 4, .quiet = true));
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* What loss_fn and metric_fn made goes with the next build; what the user made stays. */
static void a_build_replaces_the_one_before(void **state)
{
    (void)state;
    dh_memory_report first, again;
    dh_layer *loss = NULL;
    dh_model *net = dh_model_new("again");
    dh_layer *out = dh_dense(dh_input(net, {4}), 1);
    for (int i = 0; i < 3; i++) {
        assert_ok(dh_build(net, out, .loss_fn = learnt_distance, .metric_fn = learnt_distance));
        assert_int_equal(net->net.count, 2 + 4 + 4);
        assert_int_equal(dh_model_parameter_count(net), 3 * 2);
        assert_ok(dh_model_memory(i ? &again : &first, net, 8));
        learn_a_little(net);
    }
    assert_int_equal(again.plan_bytes, first.plan_bytes);
    assert_memory_equal(again.activation_bytes, first.activation_bytes,
                        sizeof first.activation_bytes);

    dh_layer *late = dh_relu(out, .name = "late");
    assert_ok(dh_build(net, late, .loss_fn = learnt_distance, .loss_payload = &loss));
    assert_int_equal(net->net.count, 2 + 1 + 4);
    assert_ptr_equal(dh_model_layer(net, "late"), late);
    learn_a_little(net);

    /* what is read by a layer of the user's stays */
    dh_layer *reader = dh_relu(loss, .name = "reader");
    assert_ok(dh_build(net, late, .loss = "mse"));
    assert_int_equal(net->net.count, 2 + 1 + 4 + 1);
    assert_int_equal(dh_layer_dim(reader, 1), 1);
    learn_a_little(net);
    dh_model_free(net);
}

static dh_layer *kept_by_test;
static dh_layer *dense_loss(dh_layer *target, dh_layer *prediction, void *payload)
{
    int units = payload ? *(int *)payload : 5;
    kept_by_test =
        dh_dense(dh_operation("sub", {prediction, target}), units, .weight_init = {.name = "ones"});
    return kept_by_test;
}

/* Names, parameters and pointers of a loss's layers never reach what is built afterwards. */
static void what_a_build_made_is_gone(void **state)
{
    (void)state;
    dh_tensor *t;
    dh_model *net = dh_model_new("net");
    dh_layer *x = dh_input(net, {4}), *y = dh_dense(x, 3);
    assert_ok(dh_build(net, y, .loss_fn = dense_loss));
    dh_layer *loss = kept_by_test;
    assert_ok(dh_build(net, y, .loss = "mse"));
    assert_error(dh_build(net, y, .loss = "mse", .keep = {loss}), DH_EINVAL, "build: keep[0], ",
                 "earlier build");
    assert_error(dh_build(net, loss), DH_EINVAL, "build: output, ", "earlier build");
    dh_layer *z = dh_dense(y, 2, .weight_init = {.name = "zeros"});
    assert_ok(dh_build(net, z, .loss = "mse"));
    char name[64];
    snprintf(name, sizeof name, "%s/weight", dh_layer_name(z));
    assert_ok(dh_model_parameter(&t, net, name));
    for (int64_t i = 0; i < dh_tensor_count(t); i++) assert_true(at(t, i) == 0);
    dh_tensor_free(t);
    assert_null(dh_relu(loss));
    assert_error(dh_build(net, z), DH_EINVAL, "input 0", "earlier build");
    dh_model_free(net);
}

typedef struct nest {
    dh_model *net;
    dh_layer *output;
    dh_status status;
} nest;

static dh_layer *building_loss(dh_layer *target, dh_layer *prediction, void *payload)
{
    nest *n = payload;
    n->status = dh_build(n->net, n->output, .loss = "mse", .metrics = {"mse", "mae"});
    return dh_operation("sqr", {dh_operation("sub", {prediction, target})});
}

static void a_build_is_not_built_amid(void **state)
{
    (void)state;
    nest n = {.net = dh_model_new("net")};
    n.output = dh_dense(dh_input(n.net, {4}), 3);
    assert_ok(dh_build(n.net, n.output, .loss_fn = building_loss, .loss_payload = &n));
    assert_int_equal(n.status, DH_ESTATE);
    dh_model_free(n.net);
}

static dh_layer *rounded_loss(dh_layer *target, dh_layer *prediction, void *payload)
{
    (void)payload;
    return dh_operation("round", {dh_operation("sub", {prediction, target})});
}

static dh_layer *boolean_loss(dh_layer *target, dh_layer *prediction, void *payload)
{
    (void)payload;
    return dh_operation("equal", {prediction, target});
}

static void heed_warning(dh_log_level level, const char *text, void *payload)
{
    if (level == DH_LOG_WARNING) snprintf(payload, 256, "%s", text);
}

/* What trains nothing, or not what was meant, is said. */
static void slips(void **state)
{
    (void)state;
    dh_tensor *a, *b;
    char heard[256] = "";
    dh_model *net = dh_model_new("net");
    dh_layer *y = dh_dense(dh_input(net, {4}), 3, .name = "last");
    assert_ok(dh_tensor_ones(&a, {8, 4}));
    assert_ok(dh_tensor_ones(&b, {8, 3}));
    assert_ok(dh_build(net, y, .loss_fn = rounded_loss));
    assert_error(dh_fit(net, a, b, .quiet = true), DH_EINVAL,
                 "fit: ", "the loss has no gradient by any of 2 parameters");
    assert_error(dh_build(net, y, .loss_fn = boolean_loss), DH_EDTYPE, "build: loss_fn: ", "bool");
    assert_error(dh_build(net, y, .metrics = {"accuracy"}), DH_EINVAL,
                 "build: metric \"accuracy\" is given, but no loss");
    assert_error(dh_build(net, y, .losses = {"mse", "mse"}), DH_EINVAL,
                 "build: losses[1] is given, the model has 1 output");
    dh_set_log_level(DH_LOG_WARNING);
    dh_set_log(heed_warning, heard);
    assert_ok(dh_build(net, y, .loss = "cross_entropy"));
    dh_set_log(NULL, NULL);
    assert_non_null(strstr(heard, "output \"last\" has no softmax behind it"));
    assert_non_null(strstr(heard, "categorical_cross_entropy_with_logits"));
    dh_tensor *labels;
    assert_ok(dh_tensor_zeros(&labels, {8, 1}));
    assert_error(dh_fit(net, a, labels, .quiet = true), DH_EDTYPE,
                 "fit: epoch 1, step 1: loss \"cross_entropy\"", "[8, 1] of f32",
                 "class numbers must be integers");
    dh_tensor_free(a);
    dh_tensor_free(b);
    dh_tensor_free(labels);
    dh_model_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_failure_comes_out_of_build),
        cmocka_unit_test(near_names_are_offered),
        cmocka_unit_test(shapes_are_checked_where_they_are_written),
        cmocka_unit_test(an_unknown_dtype_is_refused),
        cmocka_unit_test(layers_know_their_shapes),
        cmocka_unit_test(nothing_crashes_on_null),
        cmocka_unit_test(data_is_checked),
        cmocka_unit_test(a_build_replaces_the_one_before),
        cmocka_unit_test(what_a_build_made_is_gone),
        cmocka_unit_test(a_build_is_not_built_amid),
        cmocka_unit_test(slips),
        cmocka_unit_test(allocation_failures_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
