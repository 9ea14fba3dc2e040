/* SPDX-License-Identifier: MIT */
/* A model as a layer of another: one set of parameters, gradients through it, names, lifetimes,
 * what is refused, memory that runs out. */
#include <stdlib.h>
#include <unistd.h>

#include "gradient_check.h"
#include "model_mistakes.h"

#define ROWS 5

/* [N, 4] -> [N, 3], all names automatic. */
static dh_model *make_inner(dh_model *share, const char *name)
{
    dh_model *m = dh_model_new(name, .share = share);
    dh_layer *h = dh_batch_normalization(dh_dense(dh_input(m, {4}), 5, .activation = "tanh"));
    assert_ok(dh_build(m, dh_dense(h, 3, .activation = "sigmoid"), .loss = "mse", .seed = 3,
                       .optimizer = dh_sgd(0.5f)));
    return m;
}

static dh_tensor *normal(int64_t rows, int64_t columns, uint64_t seed)
{
    dh_tensor *t;
    assert_ok(dh_tensor_random_normal(&t, {rows, columns}, .seed = seed));
    return t;
}

static void train(dh_model *net, const dh_tensor *x, const dh_tensor *y)
{
    assert_ok(dh_train_batch(net, &x, &y, NULL));
}

/* sha256 of a model's parameters. */
static const char *sum_of(const dh_model *net)
{
    static char hex[4][65];
    static int turn;
    turn = (turn + 1) % 4;
    assert_ok(dh_model_sha256(hex[turn], net));
    return hex[turn];
}

static void expect_same_outputs(dh_model *a, dh_model *b, const dh_tensor *x)
{
    dh_tensor *ya, *yb;
    assert_ok(dh_predict(&ya, a, x));
    assert_ok(dh_predict(&yb, b, x));
    assert_int_equal(dh_tensor_count(ya), dh_tensor_count(yb));
    assert_memory_equal(dh_tensor_data(ya), dh_tensor_data(yb),
                        (size_t)dh_tensor_count(ya) * sizeof(float));
    dh_tensor_free(ya);
    dh_tensor_free(yb);
}

static void one_set_of_parameters(void **state)
{
    (void)state;
    dh_tensor *x = normal(ROWS, 4, 1), *y = normal(ROWS, 3, 2);
    dh_model *inner = make_inner(NULL, "inner"), *outer = dh_model_new("outer", .share = inner);
    dh_layer *out = dh_model_apply(inner, {dh_input(outer, {4})});
    assert_string_equal(dh_layer_name(out), "inner.dense2");
    assert_ok(dh_build(outer, out, .loss = "mse"));
    assert_int_equal(dh_model_parameter_count(outer), dh_model_parameter_count(inner));
    assert_string_equal(dh_model_parameter_name(outer, 0), "dense1/weight");
    for (int i = 0; i < 2; i++) {
        const char *before = sum_of(inner);
        expect_same_outputs(inner, outer, x);
        train(i ? inner : outer, x, y); /* running statistics too */
        assert_string_not_equal(before, sum_of(inner));
        assert_string_equal(sum_of(outer), sum_of(inner));
        expect_same_outputs(inner, outer, x);
    }
    dh_model_free(inner);
    dh_model_free(outer);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* Twice in one model, between layers of its own: a siamese net. */
static void gradients_flow_through(void **state)
{
    (void)state;
    dh_tensor *x[] = {normal(ROWS, 6, 3), normal(ROWS, 4, 4)};
    dh_model *inner = make_inner(NULL, "tower"), *outer = dh_model_new("siamese", .share = inner);
    dh_layer *a = dh_dense(dh_input(outer, {6}), 4, .activation = "softsign");
    dh_layer *b = dh_input(outer, {4});
    dh_layer *ya = dh_model_apply(inner, {a}), *yb = dh_model_apply(inner, {b});
    dh_layer *y = dh_dense(dh_multiply({ya, yb}), 2);
    assert_string_equal(dh_layer_name(ya), "tower.dense2");
    assert_string_equal(dh_layer_name(yb), "tower2.dense2");
    assert_ok(dh_build(outer, y, .loss_fn = cotangent_loss));
    dh_tensor *c = random_like(y, ROWS, 5);
    assert_int_equal(dh_model_parameter_count(outer), 8 + 4);
    assert_true(check_gradients(outer, y, (const dh_tensor *const *)x, c, "siamese") > 40);
    dh_model_free(inner);
    dh_model_free(outer);
    dh_tensor_free(c);
    dh_tensor_free(x[0]);
    dh_tensor_free(x[1]);
}

/* An automatic name is nobody's who shares the store, so that equal shapes do not share by chance.
 */
static void automatic_names_share_nothing(void **state)
{
    (void)state;
    dh_tensor *x = normal(ROWS, 4, 1), *y = normal(ROWS, 3, 2);
    dh_model *a = make_inner(NULL, "a"), *b = make_inner(a, "b");
    assert_string_equal(dh_model_parameter_name(a, 0), "dense1/weight");
    assert_string_equal(dh_model_parameter_name(b, 0), "dense3/weight");
    char before[65];
    snprintf(before, sizeof before, "%s", sum_of(a));
    train(b, x, y);
    assert_string_equal(before, sum_of(a));
    dh_model *both = dh_model_new("both", .share = b); /* and a, whose store it is */
    dh_layer *in = dh_input(both, {4});
    dh_layer *h = dh_add({dh_model_apply(a, {in}), dh_model_apply(b, {in})});
    assert_ok(dh_build(both, dh_dense(h, 3), .loss = "mse"));
    assert_int_equal(dh_model_parameter_count(both), 8 + 8 + 2);
    dh_model *old = dh_model_new("given", .share = a);
    assert_ok(dh_build(old, dh_dense(dh_input(old, {4}), 5, .name = "dense1")));
    assert_int_equal(dh_model_parameter_count(old), 2); /* given: the same */
    assert_string_equal(dh_model_parameter_name(old, 0), "dense1/weight");
    dh_model *models[] = {a, b, both, old};
    for (int i = 0; i < 4; i++) dh_model_free(models[i]);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* The critic is frozen inside and trained alone; its statistics rest while it is frozen. */
static void adversaries(void **state)
{
    (void)state;
    dh_tensor *z = normal(ROWS, 2, 1), *x = normal(ROWS, 4, 2), *one = normal(ROWS, 3, 3);
    dh_model *critic = make_inner(NULL, "critic");
    dh_model *maker = dh_model_new("maker", .share = critic);
    dh_layer *out = dh_dense(dh_dense(dh_input(maker, {2}), 3, .activation = "relu"), 4);
    assert_ok(dh_build(maker, out));
    dh_model *gan = dh_model_new("gan", .share = critic);
    out = dh_model_apply(maker, {dh_input(gan, {2})});
    out = dh_model_apply(critic, {out}, .frozen = true);
    assert_ok(dh_build(gan, out, .loss = "mse", .optimizer = dh_adam(0.01f)));
    assert_int_equal(dh_model_parameter_count(gan), 4 + 8);
    for (int i = 0; i < 3; i++) {
        const char *c = sum_of(critic), *m = sum_of(maker);
        train(gan, z, one);
        assert_string_equal(c, sum_of(critic));
        assert_string_not_equal(m, sum_of(maker));
        m = sum_of(maker);
        train(critic, x, one);
        assert_string_not_equal(c, sum_of(critic));
        assert_string_equal(m, sum_of(maker));
    }
    assert_ok(dh_layer_freeze(dh_model_layer(gan, "critic.dense1"), false));
    const char *c = sum_of(critic);
    train(gan, z, one);
    assert_string_not_equal(c, sum_of(critic));
    dh_model_free(critic);
    dh_model_free(gan);
    dh_model_free(maker);
    dh_tensor_free(x);
    dh_tensor_free(z);
    dh_tensor_free(one);
}

static void frozen_layers_stay_frozen(void **state)
{
    (void)state;
    dh_tensor *x = normal(ROWS, 4, 1), *y = normal(ROWS, 3, 2);
    dh_model *inner = make_inner(NULL, "backbone"), *outer = dh_model_new("outer", .share = inner);
    assert_ok(dh_layer_freeze(dh_model_layer(inner, "dense1"), true));
    assert_ok(dh_layer_freeze(dh_model_layer(inner, "batch_normalization1"), true));
    dh_layer *in = dh_input(outer, {4});
    dh_layer *h = dh_model_apply(inner, {in});
    h = dh_add({h, dh_model_apply(inner, {in})});
    assert_ok(dh_build(outer, h, .loss = "mse"));
    dh_tensor *w, *v;
    float before[20], after[20], mean;
    assert_ok(dh_model_parameter(&w, outer, "dense1/weight"));
    assert_ok(dh_model_parameter(&v, outer, "batch_normalization1/running_mean"));
    read_floats(before, w);
    mean = at(v, 0);
    const char *all = sum_of(outer);
    train(outer, x, y);
    read_floats(after, w);
    assert_memory_equal(before, after, sizeof before);
    assert_true(mean == at(v, 0));
    assert_string_not_equal(all, sum_of(outer)); /* dense2 is not frozen */
    dh_tensor_free(w);
    dh_tensor_free(v);
    dh_model_free(inner);
    dh_model_free(outer);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* A model in a model in a model; the inner ones are freed before; files and summaries. */
static void nested_and_freed(void **state)
{
    (void)state;
    char path[] = "/tmp/dh_sub_XXXXXX", *text;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    dh_tensor *x = normal(ROWS, 4, 1), *y = normal(ROWS, 3, 2), *p, *q;
    char *name = malloc(8), *activation = malloc(8);
    snprintf(name, 8, "inner");
    snprintf(activation, 8, "tanh");
    dh_model *inner = dh_model_new(name);
    dh_layer *h = dh_dense(dh_input(inner, {4}), 4, .activation = activation);
    h = dh_operation("sqr", {dh_multiply({h, dh_constant(h, 2)})});
    assert_ok(dh_build(inner, h));
    free(name);
    free(activation);
    dh_model *middle = dh_model_new("middle", .share = inner);
    h = dh_model_apply(inner, {dh_input(middle, {4})});
    assert_ok(dh_build(middle, dh_dense(h, 3, .name = "head")));
    dh_model_free(inner);
    dh_model *outer = dh_model_new("outer", .share = middle);
    dh_layer *out = dh_model_apply(middle, {dh_input(outer, {4})});
    assert_ok(dh_build(outer, out, .loss = "mse", .optimizer = dh_adam(0.01f)));
    expect_same_outputs(middle, outer, x);
    dh_model_free(middle);
    assert_non_null(dh_model_layer(outer, "middle.inner.dense1"));
    train(outer, x, y);
    assert_ok(dh_summary_text(&text, outer, 0));
    assert_non_null(strstr(text, "middle.inner.dense1 (dense)"));
    assert_non_null(strstr(text, "parameters 35 (35 trainable)"));
    dh_text_free(text);
    assert_ok(dh_save_weights(outer, path));
    assert_ok(dh_predict(&p, outer, x));
    train(outer, x, y);
    assert_ok(dh_load_weights(outer, path));
    assert_ok(dh_predict(&q, outer, x));
    assert_memory_equal(dh_tensor_data(p), dh_tensor_data(q), ROWS * 3 * sizeof(float));
    unlink(path);
    dh_model_free(outer);
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_tensor_free(p);
    dh_tensor_free(q);
}

static void several_inputs_and_outputs(void **state)
{
    (void)state;
    dh_model *inner = dh_model_new("two");
    dh_layer *a = dh_input(inner, {4}), *b = dh_input(inner, {2}, .dtype = DH_I64);
    dh_layer *e = dh_flatten(dh_embedding(b, 3, 2));
    dh_layer *sum = dh_add({a, e}), *difference = dh_subtract({a, e});
    assert_ok(dh_build(inner, NULL, .outputs = {sum, difference, a}, .inputs = {b, a}));
    dh_model *outer = dh_model_new("outer", .share = inner);
    dh_layer *out[DH_MAX_IO], *x = dh_input(outer, {4}), *i = dh_input(outer, {2}, .dtype = DH_I64);
    memset(out, 1, sizeof out);
    dh_layer *first = dh_model_apply(inner, {i, x}, out);
    assert_ptr_equal(first, out[0]);
    assert_string_equal(dh_layer_name(out[1]), "two.subtract1");
    assert_ptr_equal(out[2], x);
    for (int k = 3; k < DH_MAX_IO; k++) assert_null(out[k]);
    assert_ok(
        dh_build(outer, dh_dense(dh_concat({out[0], out[1]}), 1, .no_bias = true), .loss = "mse"));
    assert_int_equal(dh_model_parameter_count(outer), 2);
    memset(out, 1, sizeof out);
    assert_null(dh_model_apply(inner, {i, NULL}, out)); /* what follows passes NULL on */
    for (int k = 0; k < DH_MAX_IO; k++) assert_null(out[k]);
    dh_model_free(inner);
    dh_model_free(outer);
}

/* A model frozen in a loss, as features to compare; the next build makes it anew. */
static dh_layer *by_features(dh_layer *target, dh_layer *prediction, void *payload)
{
    dh_layer *t = dh_model_apply(payload, {target}, .frozen = true);
    dh_layer *p = dh_model_apply(payload, {prediction}, .frozen = true);
    return dh_reduce_mean(dh_operation("sqr", {dh_subtract({p, t})}));
}

static void a_loss_of_features(void **state)
{
    (void)state;
    dh_tensor *x = normal(ROWS, 2, 1), *y = normal(ROWS, 4, 2);
    dh_model *features = make_inner(NULL, "features"),
             *net = dh_model_new("net", .share = features);
    dh_layer *out = dh_dense(dh_input(net, {2}), 4);
    for (int i = 0; i < 3; i++) {
        dh_result r[2];
        assert_ok(dh_build(net, out, .loss_fn = by_features, .loss_payload = features));
        const char *before = sum_of(features);
        assert_ok(dh_evaluate(net, x, y, .result = &r[0], .quiet = true));
        for (int k = 0; k < 5; k++) train(net, x, y);
        assert_ok(dh_evaluate(net, x, y, .result = &r[1], .quiet = true));
        assert_true(r[1].loss < r[0].loss);
        assert_string_equal(before, sum_of(features));
        assert_non_null(dh_model_layer(net, "loss_features2.dense2"));
        assert_null(dh_model_layer(net, "loss_features3.dense2"));
    }
    dh_model_free(features);
    assert_ok(dh_build(net, out, .loss = "mse"));
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* Names that cannot be those of layers give automatic ones. */
static void names(void **state)
{
    (void)state;
    dh_model *inner = make_inner(NULL, "a/b"), *outer = dh_model_new("outer", .share = inner);
    dh_layer *in = dh_input(outer, {4});
    assert_string_equal(dh_layer_name(dh_model_apply(inner, {in})), "dense4");
    assert_string_equal(dh_layer_name(dh_model_apply(inner, {in}, .name = "c")), "c.dense2");
    assert_string_equal(dh_layer_name(dh_model_apply(inner, {in}, .name = "c")), "c2.dense2");
    assert_int_equal(dh_layer_dim(dh_model_layer(outer, "c2.dense1"), 1), 5);
    assert_null(dh_model_apply(inner, {in}, .name = "a/b"));
    assert_error(dh_build(outer, in), DH_EINVAL, "dense: name \"a/b.dense1\" must be");
    dh_model_free(inner);
    dh_model_free(outer);
}

static void mistakes(void **state)
{
    (void)state;
    dh_model *m = dh_model_new("m"), *unbuilt = dh_model_new("unbuilt", .share = m);
    dh_layer *first = dh_input(m, {4}, .name = "first");
    dh_layer *second = dh_input(m, {2, 6}, .name = "second");
    assert_ok(dh_build(m, dh_concat({dh_dense(first, 3), dh_flatten(second)})));
#define HERE(call, text)                                          \
    do {                                                          \
        parts p = {.net = dh_model_new("net", .share = m)};       \
        p.in = dh_input(p.net, {4}, .name = "in");                \
        p.image = dh_input(p.net, {2, 6}, .name = "image");       \
        p.other = dh_model_new("other", .share = m);              \
        p.foreign = dh_input(p.other, {2, 6}, .name = "foreign"); \
        assert_null(call);                                        \
        dh_error_clear();                                         \
        assert_true(dh_build(p.net, p.in) != 0);                  \
        compare(#call, text);                                     \
        free_parts(&p);                                           \
    } while (0)
    NOWHERE(dh_model_apply(m, {NULL}), "model_apply: inputs begins with NULL");
    HERE(dh_model_apply(NULL, {p.in}), "model_apply: model is NULL");
    HERE(dh_model_apply(unbuilt, {p.in}),
         "model_apply: model \"unbuilt\" is not built, which says what its inputs and outputs are");
    HERE(dh_model_apply(m, {p.in}),
         "model_apply: inputs holds 1 before its NULL, model \"m\" has 2");
    HERE(dh_model_apply(m, {p.in, p.foreign}),
         "model_apply: inputs[1], \"foreign\", belongs to another model");
    HERE(dh_model_apply(m, {p.image, p.in}), "model_apply: inputs[0], \"image\", is [N, 2, 6] f32; "
                                             "input \"first\" of model \"m\" is [N, "
                                             "4] f32");
    HERE(
        dh_model_apply(m, {p.in, dh_operation("cast", {p.image}, .attr = "dtype=f64")}),
        "model_apply: inputs[1], \"operation1\", is [N, 2, 6] f64; input \"second\" of model \"m\" "
        "is [N, 2, 6] f32");
    LAYER(dh_model_apply(m, {p.in, p.image}),
          "model_apply: model \"net\" has other parameters than \"m\"; make it by "
          "dh_model_new(\"net\", .share = ...) with \"m\", or what that shares");
    none_wrong();
    assert_null(dh_model_apply(m, {first, second}));
    assert_error(dh_build(m, first), DH_EINVAL,
                 "model_apply: model \"m\" would be a layer of itself");
    dh_model_free(m);
    dh_model_free(unbuilt);
}

/* Whatever allocation fails, an error or the whole; inner is as it was. */
static void memory_runs_out(void **state)
{
    (void)state;
    dh_tensor *x = normal(ROWS, 4, 1);
    dh_model *inner = make_inner(NULL, "inner");
    dh_memory_stats before, after;
    const char *sum = sum_of(inner);
    int failures = 0;
    for (int n = 1, done = 0; !done; n++) {
        dh_tensor *y;
        dh_get_memory_stats(&before);
        dh_model *outer = dh_model_new("outer", .share = inner);
        dh_layer *in = dh_input(outer, {4});
        dh_alloc_fail_at(n);
        dh_layer *out = dh_model_apply(inner, {in}, .frozen = true);
        dh_alloc_fail_at(0);
        dh_get_memory_stats(&after);
        done = after.failed_calls == before.failed_calls;
        if (!out) {
            failures++;
            assert_error(dh_build(outer, in), DH_ENOMEM, "memory");
        } else {
            assert_ok(dh_build(outer, out));
            assert_ok(dh_predict(&y, outer, x));
            dh_tensor_free(y);
        }
        dh_model_free(outer);
        dh_get_memory_stats(&after);
        assert_int_equal(before.live_blocks, after.live_blocks);
    }
    assert_true(failures > 20);
    assert_string_equal(sum, sum_of(inner));
    dh_model_free(inner);
    dh_tensor_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_set_of_parameters),
        cmocka_unit_test(gradients_flow_through),
        cmocka_unit_test(automatic_names_share_nothing),
        cmocka_unit_test(adversaries),
        cmocka_unit_test(frozen_layers_stay_frozen),
        cmocka_unit_test(nested_and_freed),
        cmocka_unit_test(several_inputs_and_outputs),
        cmocka_unit_test(a_loss_of_features),
        cmocka_unit_test(names),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
