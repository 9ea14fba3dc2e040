/* SPDX-License-Identifier: MIT */
/* The forms of a convolution's weights: which serves how many rows, and what of them is kept. */
#include <stdlib.h>

#include "model_test.h"

/* Fewer rows have fewer tiles, down to where weights are not worth transforming, nor are they where
 * most of a window is padding; in the memory of many rows too. */
static void test_fewer_tiles(void **state)
{
    (void)state;
    enum { MOST = 24 };
    static const struct {
        int64_t side;
        int rows;
        const char *implementation; /* as in the profile's table */
    } cases[] = {{4, MOST, " winograd "},
                 {4, 3, " winograd_2x2 "},
                 {4, 1, " direct "},
                 {2, MOST, " direct "}};
    for (int i = 0; i < 4; i++) {
        int64_t rows = cases[i].rows, side = cases[i].side;
        dh_tensor *x, *y, *want;
        char *text;
        dh_session *session;
        dh_model *net = dh_model_new("net");
        dh_layer *h = dh_conv2d(dh_input(net, {32, side, side}), 32, {3, 3}, .padding = "same");
        assert_ok(dh_build(net, h, .seed = 3));
        assert_ok(dh_session_new(&session, net, .batch_size = MOST));
        assert_ok(dh_tensor_random_normal(&x, {rows, 32, side, side}, .seed = 5));
        assert_ok(dh_predict(&want, net, x, .batch_size = (int)rows));
        assert_ok(dh_model_profile(net, true));
        assert_ok(dh_session_predict(&y, session, x));
        assert_ok(dh_session_profile_text(&text, session));
        assert_non_null(strstr(text, cases[i].implementation));
        dh_text_free(text);
        size_t bytes = (size_t)dh_tensor_count(y) * sizeof(float);
        assert_memory_equal(dh_tensor_data(y), dh_tensor_data(want), bytes);
        dh_tensor *all[] = {x, y, want};
        for (int t = 0; t < 3; t++) dh_tensor_free(all[t]);
        dh_session_free(session);
        dh_model_free(net);
    }
}

static dh_tensor *predicted(dh_model *net, const dh_tensor *x, int rows)
{
    dh_tensor *y;
    assert_ok(dh_predict(&y, net, x, .batch_size = rows));
    return y;
}

/* Winograd's form of so many weights is not kept but made by each prediction: of a panel by the
 * task that needs it where there are few tiles, else as a whole. */
static void test_many_weights(void **state)
{
    (void)state;
    enum { MOST = 20, IMAGE = 512 * 12 * 12 };
    static const int rows[] = {1, 12, MOST}; /* 1 strip of tiles, 4, and more */
    static const char *const slice[] = {":1", ":12", ":"};
    dh_tensor *x, *some, *y, *again, *direct, *held;
    dh_session *session;
    dh_model *net = dh_model_new("net");
    dh_layer *h = dh_input(net, {1280, 12, 12});
    h = dh_conv2d(h, 512, {3, 3}, .padding = "same", .groups = 2, .name = "conv");
    assert_ok(dh_build(net, dh_relu(dh_batch_normalization(h)), .seed = 3));
    assert_ok(dh_tensor_random_normal(&x, {MOST, 1280, 12, 12}, .seed = 5));
    assert_int_equal(setenv("DEEPHEALTH_WINOGRAD", "0", 1), 0);
    assert_ok(dh_session_new(&session, net, .batch_size = MOST));
    assert_ok(dh_session_predict(&direct, session, x));
    dh_session_free(session);
    assert_int_equal(unsetenv("DEEPHEALTH_WINOGRAD"), 0);
    assert_ok(dh_session_new(&session, net, .batch_size = MOST));
    const float *want = dh_tensor_data(direct);
    for (int i = 0; i < 3; i++) {
        size_t bytes = (size_t)rows[i] * IMAGE * sizeof(float);
        assert_ok(dh_tensor_slice(&some, x, slice[i]));
        assert_ok(dh_session_predict(&y, session, some)); /* in the memory of many rows */
        const float *got = dh_tensor_data(y);
        for (int k = 0; k < rows[i] * IMAGE; k++) assert_float_equal(got[k], want[k], 1e-4f);
        assert_memory_not_equal(got, want, bytes);
        again = predicted(net, some, rows[i]);
        assert_memory_equal(dh_tensor_data(again), got, bytes);
        dh_tensor_free(again);
        assert_ok(dh_model_parameter(&held, net, "conv/weight")); /* not packed */
        again = predicted(net, some, rows[i]);
        assert_memory_equal(dh_tensor_data(again), got, bytes);
        dh_tensor *all[] = {held, again, y, some};
        for (int t = 0; t < 4; t++) dh_tensor_free(all[t]);
    }
    dh_session_free(session);
    dh_tensor_free(direct);
    dh_tensor_free(x);
    dh_model_free(net);
}

static void take_log(dh_log_level level, const char *text, void *payload)
{
    char *log = payload;
    if (level == DH_LOG_WARNING) strncat(log, text, 1023 - strlen(log));
}

/* A switch that says neither 0 nor 1 is told, once. */
static void test_unknown_switch(void **state)
{
    (void)state;
    char log[1024] = "";
    dh_model *net = dh_model_new("net");
    dh_layer *h = dh_conv2d(dh_input(net, {32, 24, 24}), 32, {3, 3}, .padding = "same");
    assert_ok(dh_build(net, dh_relu(dh_conv2d(h, 32, {3, 3})), .seed = 3));
    assert_int_equal(setenv("DEEPHEALTH_WINOGRAD", "off", 1), 0);
    dh_set_log(take_log, log);
    dh_session *session;
    assert_ok(dh_session_new(&session, net, .batch_size = 1));
    dh_set_log(NULL, NULL);
    assert_int_equal(unsetenv("DEEPHEALTH_WINOGRAD"), 0);
    const char *told = strstr(log, "DEEPHEALTH_WINOGRAD is \"off\", must be 0 or 1; 1 is used");
    assert_non_null(told);
    assert_null(strstr(told + 1, "DEEPHEALTH_WINOGRAD"));
    dh_session_free(session);
    dh_model_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fewer_tiles),
        cmocka_unit_test(test_many_weights),
        cmocka_unit_test(test_unknown_switch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
