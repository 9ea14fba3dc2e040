/* SPDX-License-Identifier: MIT */
/* Logs of fit where names are odd and figures are missing. */
#include <stdlib.h>
#include <unistd.h>

#include "model_test.h"

static dh_layer *mean_error(dh_layer *target, dh_layer *prediction, void *payload)
{
    (void)payload;
    return dh_reduce_mean(dh_subtract({prediction, target}), {1});
}

static void read_text(char *out, size_t size, const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    out[fread(out, 1, size - 1, file)] = 0;
    fclose(file);
}

static void odd_names_and_missing_figures(void **state)
{
    (void)state;
    char path[] = "/tmp/dh_logs_XXXXXX", text[1024];
    dh_tensor *x, *y;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    make_blobs(&x, &y, 12, 4, 2, 3);
    dh_model *net = dh_model_new("net");
    assert_ok(dh_build(net, dh_dense(dh_input(net, {4}), 2), .loss = "mse", .metric_fn = mean_error,
                       .metric_fn_name = "a \"b\", \\c\n"));
    assert_ok(dh_fit(net, x, y, .quiet = true));
    assert_ok(dh_fit(net, x, y, .validation_x = x, .validation_y = y, .quiet = true,
                     .callbacks = {dh_csv_log(path)}));
    read_text(text, sizeof text, path);
    const char *head = "epoch,seconds,learning_rate,loss,\"a \"\"b\"\", \\c\n\",val_loss,"
                       "\"val_a \"\"b\"\", \\c\n\"\n1,";
    assert_memory_equal(text, head, strlen(head));
    assert_non_null(strstr(text, ",nan,nan\n2,")); /* of the epoch without a validation */
    assert_ok(dh_fit(net, x, y, .quiet = true, .callbacks = {dh_jsonl_log(path)}));
    read_text(text, sizeof text, path);
    assert_non_null(strstr(text, ", \"a \\\"b\\\", \\\\c\\u000a\": "));
    remove(path);
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_model_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(odd_names_and_missing_figures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
