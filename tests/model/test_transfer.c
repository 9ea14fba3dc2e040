/* SPDX-License-Identifier: MIT */
/* Weights of another model: a part of them, those that fit, those of a checkpoint. */
#include "folder_test.h"

/* stem, head and a layer between, the latter of another size in the second model */
static dh_model *make_parts(int middle, uint64_t seed)
{
    dh_model *net = dh_model_new("parts");
    dh_layer *h = dh_dense(dh_input(net, {4}), 5, .name = "stem1");
    h = dh_batch_normalization(dh_dense(h, 6, .name = "stem2"), .name = "norm");
    h = dh_dense(dh_dense(h, middle, .name = "middle"), 2, .name = "head");
    assert_ok(dh_build(net, h, .seed = seed, .loss = "mse"));
    return net;
}

static bool same_parameter(const dh_model *a, const dh_model *b, const char *name)
{
    dh_tensor *x, *y;
    assert_ok(dh_model_parameter(&x, a, name));
    assert_ok(dh_model_parameter(&y, b, name));
    bool same = dh_tensor_count(x) == dh_tensor_count(y);
    for (int64_t i = 0; same && i < dh_tensor_count(x); i++) same = at(x, i) == at(y, i);
    dh_tensor_free(x);
    dh_tensor_free(y);
    return same;
}

static void a_part_can_be_loaded(void **state)
{
    const fixture *f = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/w", f->dir);
    dh_model *from = make_parts(3, 1), *to = make_parts(7, 2);
    assert_ok(dh_save_weights(from, path));
    assert_ok(dh_load_weights(to, path, .only = "stem?/weight,norm*"));
    assert_true(same_parameter(from, to, "stem1/weight"));
    assert_true(same_parameter(from, to, "stem2/weight"));
    assert_true(same_parameter(from, to, "norm/beta"));
    assert_false(same_parameter(from, to, "head/weight"));
    assert_error(dh_load_weights(to, path, .only = "stem1*,middle/weight"), DH_EFORMAT,
                 "load_weights: \"", "of another shape or dtype 1 (middle/weight ([6, 3] f32");
    assert_error(dh_load_weights(to, path, .only = "stern*"), DH_ENOTFOUND,
                 "load_weights: no parameter of the model is in \"", "matches \"stern*\"");
    char longest[300];
    memset(longest, '*', sizeof longest);
    longest[299] = '\0';
    assert_error(dh_load_weights(to, path, .only = longest), DH_EINVAL,
                 "load_weights: only has a pattern of 299 bytes, must be at most 255");
    longest[255] = ',';
    longest[256] = '\0';
    assert_error(dh_load_weights(to, path, .only = longest), DH_EFORMAT, "another shape");
    dh_set_log_level(DH_LOG_OFF);
    assert_ok(dh_load_weights(to, path, .skip_mismatch = true));
    dh_set_log_level(DH_LOG_INFO);
    assert_true(same_parameter(from, to, "stem2/bias"));
    assert_true(same_parameter(from, to, "head/bias"));
    assert_false(same_parameter(from, to, "middle/weight"));
    dh_model_free(from);
    dh_model_free(to);
}

static void hear(dh_log_level level, const char *text, void *payload)
{
    (void)level;
    strncat(payload, text, 2000);
}

/* A slip of the pen among patterns that match is no silent loss. */
static void a_pattern_without_a_match_is_told(void **state)
{
    const fixture *f = *state;
    char path[128], before[65], after[65], heard[4096] = "";
    snprintf(path, sizeof path, "%s/w", f->dir);
    dh_model *from = make_parts(3, 1), *to = make_parts(3, 2);
    assert_ok(dh_save_weights(from, path));
    assert_ok(dh_model_sha256(before, to));
    assert_error(dh_load_weights(to, path, .only = "stem*,hed*,norm*,middel/*"), DH_ENOTFOUND,
                 "load_weights: no parameter of the model or of \"", path,
                 "\" matches \"hed*\", \"middel/*\" of only");
    assert_error(dh_load_weights(to, path, .only = "stem*,"), DH_ENOTFOUND, "matches \"\" of only");
    assert_ok(dh_model_sha256(after, to));
    assert_string_equal(before, after);
    dh_set_log(hear, heard);
    assert_ok(dh_load_weights(to, path, .only = "stem*,hed*,middel/*", .skip_mismatch = true));
    dh_set_log(NULL, NULL);
    assert_non_null(strstr(heard, "4 parameters are loaded: "
                                  "patterns that match nothing 2 (\"hed*\", \"middel/*\")"));
    assert_true(same_parameter(from, to, "stem1/weight"));
    assert_false(same_parameter(from, to, "head/weight"));
    assert_error(dh_load_weights(to, path, .only = "stern*,hed*", .skip_mismatch = true),
                 DH_ENOTFOUND, "matches \"stern*,hed*\"");
    dh_model_free(from);
    dh_model_free(to);
}

/* The weights of a checkpoint serve like those of a file of weights. */
static void a_checkpoint_can_be_loaded(void **state)
{
    const fixture *f = *state;
    char want[65], got[65], path[128];
    dh_model *from = make_parts(3, 1), *to = make_parts(3, 2);
    snprintf(path, sizeof path, "%s/checkpoint-000000000001.safetensors", f->dir);
    assert_ok(dh_fit(from, f->x, f->y, .batch_size = 22, .quiet = true, .checkpoint = f->dir));
    assert_ok(dh_model_sha256(want, from));
    assert_ok(dh_load_weights(to, path));
    assert_ok(dh_model_sha256(got, to));
    assert_string_equal(got, want);
    dh_model_free(from);
    dh_model_free(to);
}

static void flip_bit(const char *path, long at)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    at = ftell(file);
    int byte = fgetc(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_int_equal(fputc(byte ^ 1, file), byte ^ 1);
    fclose(file);
}

/* Where in a file a text stands. */
static long find_text(const char *path, const char *text)
{
    static char bytes[1 << 16];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t count = fread(bytes, 1, sizeof bytes, file), length = strlen(text);
    fclose(file);
    for (size_t i = 0; i + length <= count; i++)
        if (!memcmp(bytes + i, text, length)) return (long)i;
    fail_msg("\"%s\" is not in %s", text, path);
    return 0;
}

/* Wherever it is damaged, in weights or in what is not even asked for, nothing is loaded of it. */
static void a_damaged_checkpoint_is_refused(void **state)
{
    const fixture *f = *state;
    char before[65], after[65], path[128];
    dh_model *from = make_parts(3, 1), *to = make_parts(3, 2);
    snprintf(path, sizeof path, "%s/checkpoint-000000000001.safetensors", f->dir);
    assert_ok(dh_fit(from, f->x, f->y, .batch_size = 22, .quiet = true, .checkpoint = f->dir));
    assert_ok(dh_model_sha256(before, to));
    const long places[] = {-2, -60, -120, find_text(path, "deephealth checkpoint"),
                           find_text(path, "#fit/position") + 5};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        flip_bit(path, places[i]);
        assert_error(dh_load_weights(to, path), DH_EFORMAT, "load_weights: checkpoint \"", path,
                     "\": its sum is ", ", that of its bytes ");
        assert_error(dh_load_weights(to, path, .only = "head/*", .skip_mismatch = true), DH_EFORMAT,
                     "load_weights: checkpoint");
        flip_bit(path, places[i]);
    }
    assert_ok(dh_model_sha256(after, to));
    assert_string_equal(after, before);
    assert_ok(dh_load_weights(to, path));
    dh_model_free(from);
    dh_model_free(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_part_can_be_loaded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_pattern_without_a_match_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_checkpoint_can_be_loaded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_checkpoint_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
