/* SPDX-License-Identifier: MIT */
/* What a summary says of layers, parameters, work and memory. */
#include <stdlib.h>

#include "model_test.h"

static dh_model *built(const char *memory)
{
    dh_model *net = dh_model_new("net");
    dh_layer *x = dh_dense(dh_input(net, {4}), 3, .activation = "relu", .name = "hidden");
    x = dh_softmax(dh_dense(dh_batch_normalization(x), 2));
    assert_ok(dh_build(net, x, .loss = "cross_entropy", .optimizer = dh_adam(0.01f),
                       .device = dh_cs_cpu(.memory = memory)));
    return net;
}

/* The line that begins with `start`, ended; NULL if there is none. */
static const char *line_of(const char *text, const char *start)
{
    static char line[256];
    for (; text; text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL)
        if (!strncmp(text, start, strlen(start))) {
            size_t n = strcspn(text, "\n");
            assert_true(n < sizeof line && n && text[n - 1] != ' ');
            memcpy(line, text, n);
            line[n] = 0;
            return line;
        }
    return NULL;
}

static void expect_line(const char *text, const char *start, const char *const *words)
{
    const char *line = line_of(text, start), *at = line;
    if (!line) fail_msg("no line \"%s...\" in\n%s", start, text);
    for (; *words; words++) {
        at = strstr(at, *words);
        if (!at) fail_msg("\"%s\" is not in its place in \"%s\"", *words, line);
        at += strlen(*words);
    }
}
#define LINE(text, start, ...) \
    expect_line((text), (start), (const char *const[]){__VA_ARGS__, NULL})

static void table(void **state)
{
    (void)state;
    char *text;
    dh_model *net = built("mid_mem");
    assert_ok(dh_summary_text(&text, net, 2));
    LINE(text, "model", "\"net\"");
    LINE(text, "layer", "output", "parameters", "FLOPs", "implementation");
    LINE(text, "input1 (input)", " [N, 4]", " 0", " 0");
    LINE(text, "hidden (dense)", " [N, 3]", " 15 ", " 48 ", "gemm"); /* 2 rows x 2 x 4 x 3 */
    LINE(text, "batch_normalization1", " [N, 3]", " 12 ");
    LINE(text, "dense2 (dense)", " [N, 2]", " 8 ", " 24 ");
    LINE(text, "softmax1 (softmax)", " [N, 2]", " 0 ");
    LINE(text, "parameters 35 (29 trainable), forward ", " FLOPs for a batch of 2");
    LINE(text, "memory: parameters ", " B, gradients ", " B, optimizer (adam) ", " B");
    LINE(text, "activations:", "full_mem ", " B", "mid_mem ", " B (used)", "low_mem ", " B");
    dh_text_free(text);
    assert_ok(dh_layer_freeze(dh_model_layer(net, "hidden"), true));
    assert_ok(dh_summary_text(&text, net, 1000));
    LINE(text, "hidden (dense)", " [N, 3]", " 15 ", " 24.00 k");
    LINE(text, "parameters 35 (14 trainable), forward ", " kFLOPs for a batch of 1000");
    dh_text_free(text);
    dh_model_free(net);
}

/* Two operations for each weight that an element of y reads, one for each element that a window
 * reads. */
static void work_of_image_layers(void **state)
{
    (void)state;
    char *text;
    dh_model *net = dh_model_new("image");
    dh_layer *x = dh_input(net, {3, 8, 8});
    x = dh_conv2d(x, 4, {3, 3}, .padding = "same", .name = "c");
    x = dh_conv2d(x, 6, {3, 1}, .strides = {2, 2}, .groups = 2, .no_bias = true, .name = "g");
    x = dh_conv2d_transpose(x, 2, {2, 2}, .strides = {2, 2}, .no_bias = true, .name = "t");
    x = dh_max_pool2d(x, {2, 3}, .name = "m");
    x = dh_average_pool2d(x, {3, 2}, .strides = {1, 1}, .name = "a");
    x = dh_global_average_pool(x, .name = "all");
    assert_ok(dh_build(net, x));
    assert_ok(dh_summary_text(&text, net, 2));
    LINE(text, "c (conv2d)", " [N, 4, 8, 8]", " 112 ", " 27.65 k"); /* 2 x 2 x 4 x 64 x 27 */
    LINE(text, "g (conv2d)", " [N, 6, 3, 4]", " 36 ", " 1.73 k");   /* 2 x 2 x 6 x 12 x 6 */
    LINE(text, "t (conv2d_transpose)", " [N, 2, 6, 8]", " 48 ", " 2.30 k"); /* 2 x 2 x 72 x 8 */
    LINE(text, "m (max_pool2d)", " [N, 2, 3, 2]", " 0 ", " 144 ");          /* 2 x 2 x 6 x 6 */
    LINE(text, "a (average_pool2d)", " [N, 2, 1, 1]", " 0 ", " 24 ");       /* 2 x 2 x 6 */
    dh_text_free(text);
    dh_model_free(net);
}

static void memory_report(void **state)
{
    (void)state;
    dh_memory_report m, full;
    dh_model *net = built("full_mem");
    assert_ok(dh_model_memory(&full, net, 64));
    assert_true(full.gradient_bytes >= 29 * sizeof(float));
    assert_int_equal(full.optimizer_bytes, 2 * full.gradient_bytes);
    dh_model_free(net);
    net = built("low_mem");
    assert_ok(dh_model_memory(&m, net, 64));
    assert_true(m.parameter_bytes >= 35 * sizeof(float));
    assert_int_equal(m.optimizer_bytes, full.optimizer_bytes);
    assert_true(m.gradient_bytes <= full.gradient_bytes); /* none is kept */
    assert_memory_equal(m.activation_bytes, full.activation_bytes, sizeof m.activation_bytes);
    assert_true(m.activation_bytes[0] >= m.activation_bytes[1]);
    assert_true(m.activation_bytes[1] >= m.activation_bytes[2] && m.activation_bytes[2] > 0);
    assert_int_equal(m.plan_bytes, m.parameter_bytes + m.gradient_bytes + m.optimizer_bytes +
                                       m.activation_bytes[2]);
    dh_model_free(net);
}

typedef struct heard {
    char text[4096];
    dh_log_level level; /* of all that is said */
} heard;

static void listen(dh_log_level level, const char *message, void *payload)
{
    heard *h = payload;
    assert_int_equal(level, h->level);
    strncat(h->text, message, sizeof h->text - strlen(h->text) - 2);
    strcat(h->text, "\n");
}

/* The log gets the same lines, one message each. */
static void through_the_log(void **state)
{
    (void)state;
    static heard h = {.level = DH_LOG_INFO};
    char *text;
    dh_model *net = built(NULL);
    dh_set_log_level(DH_LOG_INFO);
    dh_set_log(listen, &h);
    assert_ok(dh_summary(net, 7));
    dh_set_log(NULL, NULL);
    assert_ok(dh_summary_text(&text, net, 7));
    size_t n = strlen(text);
    assert_int_equal(strlen(h.text), n + 1);
    assert_memory_equal(h.text, text, n);
    dh_text_free(text);
    dh_model_free(net);
}

/* An epoch shorter than a tenth of a second is told in milliseconds. */
static void short_epochs_have_a_duration(void **state)
{
    (void)state;
    dh_model *net = dh_model_new("m");
    dh__progress p;
    heard h = {.level = DH_LOG_PROGRESS};
    dh_set_log_level(DH_LOG_INFO);
    dh_set_log(listen, &h);
    dh_epoch e = {.train = {.seconds = 0.0034, .samples = 10}};
    dh__progress_begin(&p, &(dh_event){.epoch = 1, .epochs = 2}, false);
    dh__progress_end(&p, net, &e, 0);
    e.train.seconds = 2.5;
    dh__progress_end(&p, net, &e, 0.5);
    dh_set_log(NULL, NULL);
    assert_non_null(strstr(h.text, "epoch 1/2  3.4 ms  2941 samples/s"));
    assert_non_null(strstr(h.text, "epoch 1/2  2.5 s  4 samples/s  waited 20% for data"));
    dh_model_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table), cmocka_unit_test(work_of_image_layers),
        cmocka_unit_test(memory_report), cmocka_unit_test(through_the_log),
        cmocka_unit_test(short_epochs_have_a_duration)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
