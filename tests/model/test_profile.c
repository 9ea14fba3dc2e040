/* SPDX-License-Identifier: MIT */
/* Time by layer in the summary. */
#include <stdlib.h>

#include "model_test.h"

#define ROWS  64
#define BATCH 16

static dh_model *built(const char *memory)
{
    dh_model *net = dh_model_new("net");
    dh_layer *x = dh_dense(dh_input(net, {40}), 300, .name = "hidden");
    x = dh_dropout(dh_tanh(dh_batch_normalization(x)), 0.3f);
    x = dh_softmax(dh_dense(x, 4, .name = "out"));
    assert_ok(dh_build(net, x, .loss = "cross_entropy", .metrics = {"accuracy"},
                       .optimizer = dh_adam(0.01f),
                       .device = dh_cs_cpu(.threads = 1, .memory = memory), .seed = 1));
    return net;
}

static void fit(dh_model *net, int epochs)
{
    dh_tensor *x, *y;
    make_blobs(&x, &y, ROWS, 40, 4, 1);
    assert_ok(dh_fit(net, x, y, .batch_size = BATCH, .epochs = epochs, .quiet = true));
    dh_tensor_free(x);
    dh_tensor_free(y);
}

typedef struct row {
    double time[3], share; /* forward, backward, update */
} row;

/* The times in the row that begins with `start`; false where there is no such row. */
static bool row_of(row *out, const char *text, const char *start)
{
    const char *line = text;
    while (strncmp(line, start, strlen(start))) {
        line = strchr(line, '\n');
        if (!line) return false;
        line++;
    }
    /* what comes before the share are the three times; nothing else in a row has a % */
    const char *end = line + strcspn(line, "\n"), *at = line + strcspn(line, "%\n");
    if (at == end) fail_msg("no share in the row \"%.*s\"", (int)(end - line), line);
    double *const fields[] = {&out->share, &out->time[2], &out->time[1], &out->time[0]};
    for (int i = 0; i < 4; i++) {
        while (at[-1] != ' ') at--;
        char *stop;
        *fields[i] = strtod(at, &stop);
        if (!isfinite(*fields[i]) || *fields[i] < 0 || stop == at)
            fail_msg("field %d from the right in \"%.*s\"", i, (int)(end - line), line);
        while (at[-1] == ' ') at--;
    }
    return true;
}

static char *summary(dh_model *net)
{
    char *text;
    assert_ok(dh_summary_text(&text, net, BATCH));
    return text;
}

/* Of the run that has been profiled, every row; checks the sums. */
static row check_table(const char *text, const char *const *rows, int count)
{
    row all, r, sum = {{0}, 0};
    if (!strstr(text, "forward    backward      update   share  implementation\n"))
        fail_msg("no columns of times in\n%s", text);
    assert_true(row_of(&all, text, "all "));
    for (int i = 0; i < count; i++) {
        if (!row_of(&r, text, rows[i])) fail_msg("no row \"%s\" in\n%s", rows[i], text);
        for (int k = 0; k < 3; k++) sum.time[k] += r.time[k];
        sum.share += r.share;
        double own = r.time[0] + r.time[1] + r.time[2];
        double total = all.time[0] + all.time[1] + all.time[2];
        assert_true(total > 0);
        /* printed to a thousandth of a millisecond and a tenth of a percent */
        assert_true(fabs(r.share - 100 * own / total) <= 0.06 + 100 * 0.004 / total);
    }
    for (int k = 0; k < 3; k++) assert_true(fabs(sum.time[k] - all.time[k]) <= 0.001 * count);
    assert_true(fabs(sum.share - 100) <= 0.1 * count && fabs(all.share - 100) < 0.05);
    return all;
}

static const char *const rows[] = {"input1 (input)", "hidden (dense)",     "batch_normalization1",
                                   "tanh1",          "dropout1",           "out (dense)",
                                   "softmax1",       "losses and metrics", "optimizer (adam)"};
#define COUNT ((int)(sizeof rows / sizeof *rows))

static bool has_times(dh_model *net)
{
    char *text = summary(net);
    bool has = strstr(text, "backward") || strstr(text, "share") || strstr(text, "%") ||
               strstr(text, "losses and metrics");
    dh_text_free(text);
    return has;
}

static void without_it_there_are_no_times(void **state)
{
    (void)state;
    dh_model *net = built(NULL);
    assert_false(has_times(net));
    fit(net, 1);
    assert_false(has_times(net));
    for (const dh__stage *s = net->first.stages; s; s = s->next) { /* and no clock was read */
        assert_int_equal(s->plan->runs, 0);
        for (int i = 0; i < s->plan->graph->node_count; i++)
            assert_true(s->plan->calls[i].spent.seconds == 0);
    }
    assert_ok(dh_model_profile(net, true));
    assert_false(has_times(net)); /* nothing has run since */
    dh_model_free(net);
}

static void training_is_told_by_layer(void **state)
{
    static const char *const levels[] = {"full_mem", "low_mem"};
    (void)state;
    for (int level = 0; level < 2; level++) {
        row r;
        dh_model *net = built(levels[level]);
        assert_ok(dh_model_profile(net, true));
        double start = dh__now();
        fit(net, 3);
        double seconds = dh__now() - start;
        char *text = summary(net);
        row all = check_table(text, rows, COUNT);
        assert_non_null(strstr(text, "means over 11 steps of training\n"));
        for (int k = 0; k < 3; k++) assert_true(all.time[k] > 0);
        /* no more than there was */
        assert_true(11 * (all.time[0] + all.time[1] + all.time[2]) <= 1e3 * seconds + 0.05);
        assert_true(row_of(&r, text, "hidden (dense)"));
        assert_true(r.time[0] > 0 && r.time[1] > 0 && r.time[2] == 0);
        assert_true(row_of(&r, text, "optimizer (adam)"));
        assert_true(r.time[0] == 0 && r.time[1] == 0 && r.time[2] > 0);
        dh_text_free(text);
        dh_model_free(net);
    }
}

/* Evaluations and predictions where nothing was trained; a forward alone is what they have. */
static void inference_is_told_where_nothing_was_trained(void **state)
{
    (void)state;
    row r;
    dh_tensor *x, *y, *p;
    dh_model *net = built(NULL);
    make_blobs(&x, &y, ROWS, 40, 4, 1);
    assert_ok(dh_model_profile(net, true));
    assert_ok(dh_predict(&p, net, x, .batch_size = BATCH));
    assert_ok(dh_evaluate(net, x, y, .batch_size = 20, .quiet = true));
    char *text = summary(net);
    check_table(text, rows, COUNT - 1);
    assert_non_null(strstr(text, "means over 6 steps of evaluation and prediction\n"));
    assert_false(row_of(&r, text, "optimizer (adam) "));
    assert_true(row_of(&r, text, "hidden (dense)"));
    assert_true(r.time[0] > 0 && r.time[1] == 0 && r.time[2] == 0);
    dh_text_free(text);
    dh_model_free(net);
    dh_tensor *all[] = {x, y, p};
    for (int i = 0; i < 3; i++) dh_tensor_free(all[i]);
}

static void it_can_be_switched(void **state)
{
    (void)state;
    dh_model *net = built(NULL);
    char *text;
    assert_ok(dh_model_profile(net, true));
    fit(net, 1);
    assert_ok(dh_model_profile(net, false));
    fit(net, 2);
    text = summary(net); /* what was measured is still there, and no more */
    assert_non_null(strstr(text, "means over 3 steps of training\n"));
    check_table(text, rows, COUNT);
    dh_text_free(text);
    assert_ok(dh_model_profile(net, true)); /* anew */
    assert_false(has_times(net));
    fit(net, 2);
    text = summary(net);
    assert_non_null(strstr(text, "means over 8 steps of training\n"));
    dh_text_free(text);
    dh_model_free(net);
}

/* A model is the same with and without. */
static void figures_do_not_change(void **state)
{
    (void)state;
    char hash[2][65];
    for (int on = 0; on < 2; on++) {
        dh_model *net = built(NULL);
        assert_ok(dh_model_profile(net, on));
        fit(net, 2);
        assert_ok(dh_model_sha256(hash[on], net));
        dh_model_free(net);
    }
    assert_string_equal(hash[0], hash[1]);
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    dh_model *net = built(NULL);
    char *const mark = (char *)(void *)state;
    dh_status status = DH_ENOMEM;
    assert_ok(dh_model_profile(net, true));
    fit(net, 1);
    for (uint64_t n = 1; status && n < 5000; n++) {
        dh_memory_stats before, after;
        char *text = mark;
        dh_get_memory_stats(&before);
        dh_alloc_fail_at(n);
        status = dh_summary_text(&text, net, BATCH);
        dh_alloc_fail_at(0);
        if (!status) {
            check_table(text, rows, COUNT);
            dh_text_free(text);
        } else {
            assert_int_equal(status, DH_ENOMEM);
            assert_true(text == mark);
        }
        dh_get_memory_stats(&after);
        assert_int_equal(after.live_blocks, before.live_blocks);
    }
    assert_ok(status);
    dh_model_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_it_there_are_no_times),
        cmocka_unit_test(training_is_told_by_layer),
        cmocka_unit_test(inference_is_told_where_nothing_was_trained),
        cmocka_unit_test(it_can_be_switched),
        cmocka_unit_test(figures_do_not_change),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
