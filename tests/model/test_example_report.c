/* SPDX-License-Identifier: MIT */
/* The report that the training examples write. */
#include "model_test.h"

#include <stdlib.h>
#include <unistd.h>

#include "common.h"

static dh_model *make_net(void)
{
    dh_model *net = dh_model_new("tiny");
    dh_layer *x = dh_softmax(dh_dense(dh_input(net, {3}), 2));
    assert_ok(dh_build(net, x, .loss = "mse", .metrics = {"mae", "mse"}));
    return net;
}

/* JSON has neither nan nor inf: such figures are null, the others stay numbers. */
static void figures_that_are_no_numbers_are_null(void **state)
{
    (void)state;
    char path[] = "report-XXXXXX", text[4096] = "";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    example_options o = {.name = "test", .device = "cpu", .batch_size = 4, .json = path};
    dh_epoch epoch = {.epoch = 1, .has_validation = true};
    epoch.train = (dh_result){.loss = (double)NAN,
                              .metrics = {(double)-NAN, 0.25},
                              .metric_count = 2,
                              .seconds = (double)INFINITY};
    epoch.validation = (dh_result){.loss = (double)INFINITY, .metrics = {1, 2}, .metric_count = 2};
    dh_result test = {.loss = 0.5, .metrics = {(double)-INFINITY, (double)NAN}, .metric_count = 2};
    dh_model *net = make_net();
    assert_true(example_report(&o, net, &epoch, 1, &test));
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(unlink(path), 0);
    static const char *const parts[] = {
        "\"epoch\": 1, \"loss\": null, \"metrics\": {\"mae\": null, \"mse\": 0.25}",
        "\"validation\": {\"loss\": null, \"metrics\": {\"mae\": 1, \"mse\": 2}}",
        "\"seconds\": null", "\"test\": {\"loss\": 0.5, \"mae\": null, \"mse\": null}"};
    for (size_t i = 0; i < DH_COUNT(parts); i++)
        if (!strstr(text, parts[i])) fail_msg("%s lacks %s", text, parts[i]);
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    dh_model_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(figures_that_are_no_numbers_are_null)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
