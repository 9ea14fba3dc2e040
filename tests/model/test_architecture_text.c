/* SPDX-License-Identifier: MIT */
/* Whole models as JSON and back: applied, shared, frozen, of several ends; texts written by hand,
 * damaged, or read without memory. */
#include "architecture_test.h"

static dh_layer *off(dh_layer *target, dh_layer *prediction, void *payload)
{
    *(dh_layer **)payload = target;
    return dh_operation("sqr", {dh_subtract({prediction, target})});
}

/* Layers of a model that was applied keep the names of their parameters, though the model is gone.
 */
static void an_applied_model_is_written_out(void **state)
{
    (void)state;
    char *text, *round;
    dh_model *inner = dh_model_new("inner");
    dh_layer *x = dh_input(inner, {4});
    assert_ok(dh_build(inner, dh_dense(dh_add({x, dh_dense(x, 4, .name = "d")}), 3, .name = "e")));
    dh_model *net = dh_model_new("outer", .share = inner);
    dh_layer *a = dh_input(net, {4}, .name = "a"), *b = dh_input(net, {4}, .name = "b");
    dh_layer *first = dh_model_apply(inner, {a}), *second = dh_model_apply(inner, {b});
    assert_ok(dh_build(net, dh_add({first, second}), .loss = "mse"));
    dh_model_free(inner);
    assert_ok(dh_model_to_json(&text, net));
    assert_non_null(strstr(text, "\"name\": \"inner.d\", \"inputs\": [\"a\"], "
                                 "\"parameters\": \"d\", \"args\": {\"units\": 4}}"));
    assert_non_null(strstr(text, "\"name\": \"inner2.d\", \"inputs\": [\"b\"], "
                                 "\"shares\": \"inner.d\"}"));
    dh_model *other = again(text);
    assert_ok(dh_build(other, .loss = "mse"));
    expect_same_parameters(net, other);
    assert_ok(dh_model_to_json(&round, other));
    assert_string_equal(text, round);
    dh_text_free(text);
    dh_text_free(round);
    dh_model_free(net);
    dh_model_free(other);
}

/* Two inputs, two outputs, a shared dense layer, one frozen; what loss_fn makes is no part. */
static void shared_frozen_and_several(void **state)
{
    (void)state;
    char *text;
    dh_layer *target = NULL;
    dh_model *net = dh_model_new("siamese");
    dh_layer *a = dh_input(net, {4}, .name = "a"), *b = dh_input(net, {4}, .name = "b");
    dh_layer *left = dh_dense(a, 3, .activation = "relu", .name = "tower");
    dh_layer *right = dh_apply(left, b), *dead = dh_dense(a, 2, .name = "unused");
    dh_layer *both = dh_concat({left, right}), *last = dh_dense(both, 4, .name = "last");
    assert_non_null(dead);
    assert_ok(dh_layer_freeze(right, true));
    assert_ok(dh_build(net, .outputs = {last, both}, .inputs = {b, a}, .loss_fn = off,
                       .loss_payload = &target));
    assert_ok(dh_model_to_json(&text, net));
    assert_string_equal(text,
                        "{\n"
                        "  \"format\": \"deephealth-model\",\n"
                        "  \"version\": 1,\n"
                        "  \"name\": \"siamese\",\n"
                        "  \"layers\": [\n"
                        "    {\"kind\": \"input\", \"name\": \"a\", \"args\": {\"shape\": [4]}},\n"
                        "    {\"kind\": \"input\", \"name\": \"b\", \"args\": {\"shape\": [4]}},\n"
                        "    {\"kind\": \"dense\", \"name\": \"tower\", \"inputs\": [\"a\"], "
                        "\"frozen\": true, \"args\": {\"units\": 3, \"activation\": \"relu\"}},\n"
                        "    {\"kind\": \"dense\", \"name\": \"dense2\", \"inputs\": [\"b\"], "
                        "\"shares\": \"tower\", \"frozen\": true},\n"
                        "    {\"kind\": \"dense\", \"name\": \"unused\", \"inputs\": [\"a\"], "
                        "\"args\": {\"units\": 2}},\n"
                        "    {\"kind\": \"concat\", \"name\": \"concat1\", \"inputs\": "
                        "[\"tower\", \"dense2\"]},\n"
                        "    {\"kind\": \"dense\", \"name\": \"last\", \"inputs\": [\"concat1\"], "
                        "\"args\": {\"units\": 4}}\n"
                        "  ],\n"
                        "  \"inputs\": [\"b\", \"a\"],\n"
                        "  \"outputs\": [\"last\", \"concat1\"]\n"
                        "}\n");
    dh_model *other = again(text);
    assert_string_equal(dh_layer_name(dh_model_input(other, 1)), "a");
    assert_string_equal(dh_layer_name(dh_model_output(other, 1)), "concat1");
    assert_null(dh_model_input(other, 2));
    assert_null(dh_model_output(other, -1));
    assert_null(dh_model_output(NULL, 0));
    assert_error(dh_build(other, .loss = "msee"), DH_ENAME, "msee");
    assert_ok(dh_build(other, .losses = {"mse"})); /* the failure forgot nothing */
    assert_int_equal(other->input_count, 2);
    expect_same_parameters(net, other);
    dh_tensor *w;
    assert_ok(dh_save_model_json(other, in_folder("net.json")));
    dh_model_free(other);
    assert_ok(dh_load_model_json(&other, in_folder("net.json")));
    assert_ok(dh_build(other, .losses = {"mse"}));
    assert_ok(dh_model_parameter(&w, other, "tower/weight"));
    dh_tensor_free(w);
    assert_false(dh__trainable(other, dh__params_find(other->net.store, "tower/weight")));
    dh_model_free(other);
    /* a layer that reads a target is of a build */
    assert_non_null(dh_add({last, target}, .name = "late"));
    char *kept = text;
    assert_error(dh_model_to_json(&text, net), DH_EUNSUPPORTED, "model_to_json: input \"", "target",
                 "belongs to a build");
    assert_ptr_equal(kept, text);
    dh_text_free(text);
    dh_model_free(net);
}

/* Keys in any order, names and defaults left away; 0 is 0. */
static void written_by_hand(void **state)
{
    (void)state;
    dh_model *net;
    char *text;
    assert_ok(dh_model_from_json(
        &net, "{\"layers\": [{\"args\": {\"shape\": [4], \"dtype\": null}, \"kind\": \"input\"},"
              "{\"inputs\":[\"input1\"],\"name\":\"bn\",\"args\":{\"momentum\":0,\"epsilon\":1e-2},"
              "\"kind\":\"batch_normalization\"}],\"outputs\":[\"bn\"],\"name\":\"\\u20ac\","
              "\"version\":1,\"format\":\"deephealth-model\"}"));
    assert_string_equal(net->net.name, "\xe2\x82\xac");
    const dh_batch_normalization_args *a = dh_model_layer(net, "bn")->args;
    assert_true(a->momentum == 0 && a->epsilon == 0.01f);
    assert_ok(dh_model_to_json(&text, net));
    assert_non_null(strstr(text, "\"args\": {\"momentum\": 0, \"epsilon\": 0.01}"));
    assert_ok(dh_build(net));
    assert_int_equal(net->input_count, 1);
    dh_text_free(text);
    dh_model_free(net);
}

static uint64_t live(void)
{
    dh_memory_stats stats;
    dh_get_memory_stats(&stats);
    return stats.live_blocks;
}

static const char small[] =
    "{\"format\": \"deephealth-model\", \"version\": 1, \"name\": \"m\", \"layers\": [\n"
    "{\"kind\": \"input\", \"name\": \"x\", \"args\": {\"shape\": [4]}},\n"
    "{\"kind\": \"dense\", \"name\": \"d\", \"inputs\": [\"x\"], \"args\": {\"units\": 3, "
    "\"no_bias\": true, \"activation\": \"elu\", \"alpha\": 0.5}},\n"
    "{\"kind\": \"dense\", \"inputs\": [\"x\"], \"shares\": \"d\", \"frozen\": true}\n"
    "], \"outputs\": [\"d\"]}";

/* Cut anywhere, or with any byte another, the text is refused in one line or taken; nothing is left
 * behind. */
static void damaged_texts(void **state)
{
    (void)state;
    char text[sizeof small];
    dh_model *net = NULL;
    uint64_t before = live();
    for (size_t n = 0; n + 1 < sizeof small; n++) {
        memcpy(text, small, n);
        text[n] = '\0';
        assert_true(dh_model_from_json(&net, text) < 0);
        assert_null(net);
        assert_null(strchr(dh_error_text(), '\n'));
        assert_non_null(strstr(dh_error_text(), "model_from_json: "));
    }
    memcpy(text, small, sizeof small);
    for (size_t i = 0; i + 1 < sizeof small; i++)
        for (const char *c = "\"]}{0-,:x\x80\x01"; *c; c++) {
            text[i] = *c;
            dh_error_clear();
            if (dh_model_from_json(&net, text) == DH_OK)
                dh_model_free(net);
            else
                assert_true(!strncmp(dh_error_text(), "model_from_json: ", 17) &&
                            !strchr(dh_error_text(), '\n'));
            net = NULL;
            text[i] = small[i];
        }
    assert_int_equal(live(), before);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    char *text = NULL, *first = NULL;
    dh_model *net = NULL;
    assert_ok(dh_model_from_json(&net, small));
    assert_ok(dh_model_to_json(&first, net));
    for (int n = 1; !text; n++) {
        dh_alloc_fail_at((uint64_t)n);
        dh_status status = dh_model_to_json(&text, net);
        dh_alloc_fail_at(0);
        if (status) assert_int_equal(status, DH_ENOMEM);
    }
    assert_string_equal(text, first);
    dh_model_free(net);
    net = NULL;
    uint64_t before = live();
    for (int n = 1; !net; n++) {
        dh_alloc_fail_at((uint64_t)n);
        dh_status status = dh_model_from_json(&net, small);
        dh_alloc_fail_at(0);
        if (!status) break;
        assert_int_equal(status, DH_ENOMEM);
        assert_null(net);
        assert_int_equal(live(), before);
    }
    dh_model_free(net);
    dh_text_free(text);
    dh_text_free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_applied_model_is_written_out),
        cmocka_unit_test(shared_frozen_and_several), cmocka_unit_test(written_by_hand),
        cmocka_unit_test(damaged_texts), cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
