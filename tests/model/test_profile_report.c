/* SPDX-License-Identifier: MIT */
/* The profile as a table and as a trace, asked for by a call and by the environment. */
#include <stdlib.h>

#include "folder_test.h"
#include "json.h"
#include "model_test.h"

enum { ROWS = 16, BATCH = 8 };

static dh_model *made(void)
{
    dh_model *net = dh_model_new("net");
    dh_layer *x = dh_input(net, {16, 12, 12});
    x = dh_conv2d(x, 16, {3, 3}, .padding = "same", .name = "conv");
    x = dh_relu(dh_batch_normalization(x, .name = "norm"), .name = "act");
    x = dh_max_pool2d(x, {2, 2}); /* before which ties must stay */
    x = dh_softmax(dh_dense(dh_flatten(x), 4, .name = "out"));
    assert_ok(dh_build(net, x, .loss = "cross_entropy", .optimizer = dh_sgd(0.01f),
                       .device = dh_cs_cpu(.threads = 1), .seed = 1));
    return net;
}

static void fit(dh_model *net, int epochs)
{
    dh_tensor *x, *y;
    assert_ok(dh_tensor_random_normal(&x, {ROWS, 16, 12, 12}, .seed = 1));
    assert_ok(dh_tensor_zeros(&y, {ROWS, 4}));
    for (int i = 0; i < ROWS; i++) ((float *)dh_tensor_data(y))[4 * i + i % 4] = 1;
    assert_ok(dh_fit(net, x, y, .batch_size = BATCH, .epochs = epochs, .quiet = true));
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* The line whose words are those; NULL where there is none. */
static const char *line_of(const char *text, const char *layer, const char *phase, const char *op)
{
    for (const char *line = text; line && *line;) {
        char words[3][64];
        if (sscanf(line, "%63s %63s %63s", words[0], words[1], words[2]) == 3 &&
            !strcmp(words[0], layer) && !strcmp(words[1], phase) && !strcmp(words[2], op))
            return line;
        line = strchr(line, '\n');
        if (line) line++;
    }
    return NULL;
}

typedef struct figures {
    char implementation[64];
    double ms, share, gflops, of_peak, mb, gbs;
} figures;

static figures figures_of(const char *text, const char *layer, const char *phase, const char *op)
{
    figures f = {"", -1, -1, -1, -1, -1, -1};
    const char *line = line_of(text, layer, phase, op);
    if (!line) fail_msg("no line \"%s %s %s\" in\n%s", layer, phase, op, text);
    int got = sscanf(line, "%*s %*s %*s %63s %*d %lf %lf %% %lf %lf %% %lf %lf", f.implementation,
                     &f.ms, &f.share, &f.gflops, &f.of_peak, &f.mb, &f.gbs);
    if (got != 7) fail_msg("%d figures in \"%.*s\"", got, (int)strcspn(line, "\n"), line);
    return f;
}

static double sum_of_shares(const char *text)
{
    double sum = 0;
    for (const char *at = strchr(strchr(text, '\n') + 1, '\n'); at && at[1] && at[1] != '\n';
         at = strchr(at + 1, '\n')) {
        const char *percent = strchr(at, '%');
        assert_non_null(percent);
        for (percent -= 2; percent[-1] != ' ';) percent--;
        sum += strtod(percent, NULL);
    }
    return sum;
}

static void the_table_names_what_ran_and_what_did_not(void **state)
{
    (void)state;
    dh_model *net = made();
    char *text;
    assert_ok(dh_model_profile(net, true));
    fit(net, 2);
    assert_ok(dh_profile_text(&text, net));
    assert_non_null(strstr(text, "model \"net\", training: "));
    assert_non_null(strstr(text, " ms a step, mean of 3; "));
    assert_non_null(strstr(text, "; 1 threads, "));
    figures f = figures_of(text, "conv", "forward", "conv");
    /* 8 images of 16 x 144, 16 x 16 windows of 9; x, y and the weights in f32 */
    double flops = 2.0 * 8 * 16 * 144 * 16 * 9, bytes = 4.0 * (2 * 8 * 16 * 144 + 16 * 16 * 9 + 16);
    assert_string_equal(f.implementation, "direct");
    assert_true(f.ms > 0 && f.share > 0);
    assert_true(fabs(f.gflops - 1e-6 * flops / f.ms) <= 0.01 + f.gflops * 0.0006 / f.ms);
    assert_true(fabs(f.mb - 1e-6 * bytes) <= 0.0006);
    assert_true(fabs(f.gbs - f.mb / f.ms) <= 0.01 + f.gbs * (0.0006 / f.ms + 0.0006 / f.mb));
    assert_true(fabs(f.of_peak - 1e11 * f.gflops / net->peak.flops) <=
                0.06 + 1e9 / net->peak.flops);
    const char *line = line_of(text, "conv", "forward", "conv");
    assert_non_null(strstr(line, "winograd: ties must stay ties"));
    assert_true(strstr(line, "winograd: ties must stay ties") < strchr(line, '\n'));
    assert_string_equal(figures_of(text, "conv", "backward", "conv_dw").implementation, "winograd");
    (void)figures_of(text, "norm", "forward", "batch_norm_train");
    assert_string_equal(figures_of(text, "norm", "commit", "running_update").implementation,
                        "pass");
    assert_true(fabs(sum_of_shares(text) - 100) <= 2);
    dh_text_free(text);
    dh_model_free(net);
}

static void each_mode_has_its_table(void **state)
{
    (void)state;
    dh_model *net = made();
    dh_tensor *x, *p;
    char *text;
    assert_error(dh_profile_text(&text, net), DH_ESTATE, "profile_text: model \"net\" has no step");
    assert_error(dh_profile(net), DH_ESTATE, "profile: model \"net\" has no step");
    assert_ok(dh_model_profile(net, true));
    assert_ok(dh_tensor_random_normal(&x, {ROWS, 16, 12, 12}, .seed = 2));
    assert_ok(dh_predict(&p, net, x, .batch_size = BATCH));
    assert_ok(dh_profile_text(&text, net));
    assert_null(strstr(text, "training"));
    assert_non_null(strstr(text, "model \"net\", evaluation and prediction: "));
    assert_true(fabs(sum_of_shares(text) - 100) <= 2);
    dh_text_free(text);
    fit(net, 1);
    assert_ok(dh_profile_text(&text, net));
    assert_non_null(strstr(text, "model \"net\", training: "));
    assert_non_null(strstr(text, "\n\nmodel \"net\", evaluation and prediction: "));
    dh_text_free(text);
    dh_tensor_free(x);
    dh_tensor_free(p);
    dh_model_free(net);
}

/* --- the trace --- */

static char *read_all(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) fail_msg("no file %s", path);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
    fclose(f);
    return text;
}

/* Valid JSON; as many events as calls, one after the other. */
static int check_trace(const char *path)
{
    char *text = read_all(path), *strings = malloc(1 << 20);
    dh__json_kind kind;
    size_t begin;
    dh__json json = {
        .who = "test", .text = (const uint8_t *)text, .size = strlen(text), .strings = strings};
    assert_ok(dh__json_skip(&json, &kind, &begin));
    assert_int_equal(kind, DH_JSON_OBJECT);
    int events = 0;
    double end = 0;
    for (const char *at = text; (at = strstr(at, "\"ph\":\"X\"")); at++, events++) {
        double ts, dur;
        assert_int_equal(
            sscanf(at, "\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":%lf,\"dur\":%lf", &ts, &dur), 2);
        assert_true(ts >= end - 0.002 && dur >= 0);
        end = ts + dur;
    }
    assert_non_null(strstr(text,
                           "\"cat\":\"forward\",\"name\":\"conv\",\"args\":{\"layer\":\"conv\","
                           "\"implementation\":\"direct\",\"in\":\"f32 [8, 16, 12, 12], f32 "
                           "[16, 16, 3, 3], f32 [16]\",\"out\":\"f32 [8, 16, 12, 12]\","));
    free(strings);
    free(text);
    return events;
}

static void a_trace_is_a_timeline(void **state)
{
    const fixture *f = *state;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/trace.json", f->dir);
    dh_model *net = made();
    assert_error(dh_profile_trace(net, path), DH_ESTATE,
                 "profile_trace: model \"net\" has no step");
    assert_ok(dh_model_profile(net, true));
    fit(net, 1);
    assert_ok(dh_profile_trace(net, path));
    int calls = 0;
    for (const dh__stage *s = net->first.stages; s; s = s->next)
        for (int i = 0; i < s->plan->graph->node_count && s->plan->runs; i++)
            calls += s->plan->calls[i].impl != NULL;
    assert_true(calls > 8);
    assert_int_equal(check_trace(path), calls);
    assert_error(dh_profile_trace(net, "/no/such/folder/t.json"), DH_ENOTFOUND,
                 "profile_trace: ", "/no/such/folder/t.json");
    assert_int_equal(check_trace(path), calls);
    dh_model_free(net);
}

/* --- the environment --- */

typedef struct heard {
    int tables, sessions, warnings;
    char warning[256];
} heard;

static void listen(dh_log_level level, const char *text, void *payload)
{
    heard *h = payload;
    h->tables += strstr(text, "model \"net\", training: ") == text;
    h->sessions += strstr(text, "session of model \"net\", evaluation and prediction: ") == text;
    if (level != DH_LOG_WARNING) return;
    h->warnings++;
    (void)snprintf(h->warning, sizeof h->warning, "%s", text);
}

static heard run_with(const char *value, bool trained)
{
    heard h = {0};
    setenv("DEEPHEALTH_PROFILE", value, 1);
    dh_set_log(listen, &h);
    dh_set_log_level(DH_LOG_INFO);
    dh_model *net = made();
    if (trained) fit(net, 1);
    dh_model_free(net);
    dh_set_log(NULL, NULL);
    unsetenv("DEEPHEALTH_PROFILE");
    return h;
}

static void the_environment_asks_for_it(void **state)
{
    const fixture *f = *state;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/trace.json", f->dir);
    assert_int_equal(run_with("0", true).tables, 0);
    assert_int_equal(run_with("", true).tables, 0);
    assert_int_equal(run_with("1", false).tables, 0);
    heard h = run_with("1", true);
    assert_int_equal(h.tables, 1);
    assert_int_equal(h.warnings, 0);
    h = run_with(path, true);
    assert_int_equal(h.tables, 1);
    assert_true(check_trace(path) > 8);
    dh_error_clear();
    h = run_with("/no/such/folder/t.json", true);
    assert_int_equal(h.tables, 1);
    assert_int_equal(h.warnings, 1);
    assert_non_null(strstr(h.warning, "/no/such/folder/t.json"));
    assert_string_equal(dh_error_text(), ""); /* a call that succeeds leaves no error */
}

/* --- sessions --- */

static void predict(dh_session *session, int rows)
{
    dh_tensor *x, *y;
    assert_ok(dh_tensor_random_normal(&x, {rows, 16, 12, 12}, .seed = 1));
    assert_ok(dh_session_predict(&y, session, x));
    dh_tensor_free(x);
    dh_tensor_free(y);
}

static void a_session_has_its_own_table(void **state)
{
    (void)state;
    dh_model *net = made();
    dh_session *session, *other;
    char *text = NULL;
    assert_ok(dh_session_new(&session, net, .batch_size = BATCH));
    assert_ok(dh_session_new(&other, net, .batch_size = BATCH));
    predict(session, BATCH);
    assert_error(dh_session_profile_text(&text, session), DH_ESTATE,
                 "session_profile_text: ", "session of model \"net\" has no step that was timed");
    assert_ok(dh_model_profile(net, true));
    for (int i = 0; i < 5; i++) predict(session, BATCH);
    assert_ok(dh_model_profile(net, false));
    predict(session, BATCH);
    assert_ok(dh_session_profile_text(&text, session));
    assert_non_null(strstr(text, "session of model \"net\", evaluation and prediction: "));
    assert_non_null(strstr(text, " ms a step, mean of 5; "));
    assert_non_null(strstr(text, " of the peak of "));
    figures f = figures_of(text, "conv", "forward", "conv");
    assert_true(f.ms > 0 && f.gflops > 0);
    assert_null(line_of(text, "norm", "forward", "batch_norm")); /* folded into the convolution */
    assert_true(fabs(sum_of_shares(text) - 100) <= 2);
    dh_text_free(text);
    assert_error(dh_session_profile_text(&text, other), DH_ESTATE,
                 "session_profile_text: ", "has no step that was timed");
    assert_error(dh_profile_text(&text, net), DH_ESTATE,
                 "profile_text: ", "has no step that was timed");
    dh_session_free(other);
    dh_session_free(session);
    dh_model_free(net);
}

/* Of each session that has predicted; also where its model was freed before. */
static void the_environment_asks_for_sessions(void **state)
{
    const fixture *f = *state;
    heard h = {0};
    char path[128], trace[8192];
    dh_session *sessions[3];
    (void)snprintf(path, sizeof path, "%s/session.json", f->dir);
    setenv("DEEPHEALTH_PROFILE", path, 1);
    dh_set_log(listen, &h);
    dh_set_log_level(DH_LOG_INFO);
    dh_model *net = made();
    for (int i = 0; i < 3; i++) assert_ok(dh_session_new(&sessions[i], net, .batch_size = BATCH));
    dh_model_free(net);
    predict(sessions[0], 3);
    predict(sessions[1], BATCH);
    for (int i = 0; i < 3; i++) dh_session_free(sessions[i]);
    dh_set_log(NULL, NULL);
    unsetenv("DEEPHEALTH_PROFILE");
    assert_int_equal(h.sessions, 2);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t length = fread(trace, 1, sizeof trace - 1, file);
    fclose(file);
    trace[length] = 0; /* of the second session, which was freed last */
    assert_non_null(strstr(trace, "\"layer\":\"conv\",\"implementation\":"));
    assert_non_null(strstr(trace, "\"out\":\"f32 [8, 4]\""));
    assert_int_equal(h.tables, 0);
    assert_int_equal(h.warnings, 0);
}

/* The peak is of the threads that the model has now; and if memory lacks for it, that is no error
 * of what was profiled. */
static void the_peak_belongs_to_the_threads(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    dh_model *net = dh_model_new("net");
    dh_layer *out = dh_dense(dh_input(net, {8}), 4);
    assert_ok(dh_tensor_zeros(&x, {2, 8}));
    assert_ok(dh_model_profile(net, true));
    for (int threads = 1; threads < 3; threads++) {
        assert_ok(dh_build(net, out, .device = dh_cs_cpu(.threads = threads)));
        net->peak.flops = -1;
        assert_ok(dh_predict(&y, net, x));
        assert_true(net->peak.flops > 0);
        dh_tensor_free(y);
    }
    for (uint64_t n = 1; n < 60; n++) {
        assert_ok(dh_model_profile(net, true)); /* asks anew */
        dh_error_clear();
        dh_alloc_fail_at(n);
        dh_status status = dh_predict(&y, net, x);
        dh_alloc_fail_at(0);
        if (status) continue;
        assert_string_equal(dh_error_text(), "");
        dh_tensor_free(y);
    }
    dh_tensor_free(x);
    dh_model_free(net);
}

static void any_allocation_may_fail(void **state)
{
    const fixture *f = *state;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/trace.json", f->dir);
    dh_model *net = made();
    assert_ok(dh_model_profile(net, true));
    fit(net, 1);
    for (int trace = 0; trace < 2; trace++) {
        dh_status status = DH_ENOMEM;
        for (uint64_t n = 1; status && n < 5000; n++) {
            dh_memory_stats before, after;
            char *text = NULL;
            dh_get_memory_stats(&before);
            dh_alloc_fail_at(n);
            status = trace ? dh_profile_trace(net, path) : dh_profile_text(&text, net);
            dh_alloc_fail_at(0);
            if (status) assert_int_equal(status, DH_ENOMEM);
            assert_true(trace || !status == (text != NULL));
            dh_text_free(text);
            dh_get_memory_stats(&after);
            assert_int_equal(after.live_blocks, before.live_blocks);
        }
        assert_ok(status);
    }
    dh_model_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_names_what_ran_and_what_did_not),
        cmocka_unit_test(each_mode_has_its_table),
        cmocka_unit_test(a_session_has_its_own_table),
        cmocka_unit_test_setup_teardown(the_environment_asks_for_sessions, set_up, tear_down),
        cmocka_unit_test(the_peak_belongs_to_the_threads),
        cmocka_unit_test_setup_teardown(a_trace_is_a_timeline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_environment_asks_for_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_allocation_may_fail, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
