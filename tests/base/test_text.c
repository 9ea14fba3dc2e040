/* SPDX-License-Identifier: MIT */
#include "base_test.h"

#include <math.h>

static void text_grows(void **state)
{
    (void)state;
    dh__text text = {0};
    for (int i = 0; i < 1000; i++) dh__text_add(&text, "%d,", i);
    assert_int_equal(dh__text_status(&text), DH_OK);
    assert_int_equal(text.length, 10 * 2 + 90 * 3 + 900 * 4);
    assert_int_equal(strlen(text.data), text.length);
    char big[1000];
    memset(big, 'y', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    dh__text_add(&text, "<%s>", big);
    assert_int_equal(text.data[text.length - 1], '>');
    dh__text_add_bytes(&text, "a\0b", 3);
    assert_memory_equal(text.data + text.length - 3, "a\0b", 4);
    dh__text_add_bytes(&text, NULL, 0);
    dh__text_add_bytes(NULL, "a", 1);
    dh__text_add(NULL, "a");
    dh__text_free(&text);
    assert_null(text.data);
    dh__text_free(NULL);
}

static dh_status make_text(dh__text *text)
{
    *text = (dh__text){0};
    for (int i = 0; i < 300; i++) dh__text_add(text, "line %d\n", i);
    dh_status status = dh__text_status(text);
    if (status != DH_OK) dh__text_free(text);
    return status;
}

static void text_survives_failures(void **state)
{
    (void)state;
    dh__text text;
    CHECK_EACH_ALLOCATION(make_text(&text), dh__text_free(&text));
}

static bool parse_d(const char *text, double *out)
{
    return dh__parse_double(text, strlen(text), out);
}

static void doubles_are_parsed(void **state)
{
    (void)state;
    double v = 0;
    static const struct {
        const char *text;
        double want;
    } good[] = {{"1", 1},
                {" -2.5 ", -2.5},
                {"+1e3", 1000},
                {".5", 0.5},
                {"5.", 5},
                {"1E-3", 1e-3},
                {"-0", -0.0},
                {"1e-400", 0},
                {"4.9e-324", 4.9e-324},
                {"\t7\n", 7},
                {"1.7976931348623157e308", 1.7976931348623157e308}};
    for (size_t i = 0; i < DH_COUNT(good); i++) {
        assert_true(parse_d(good[i].text, &v));
        assert_true(v == good[i].want && signbit(v) == signbit(good[i].want));
    }
    assert_true(parse_d("nan", &v) && isnan(v));
    assert_true(parse_d("-NaN", &v) && isnan(v));
    assert_true(parse_d("inf", &v) && v == (double)INFINITY);
    assert_true(parse_d("-Infinity", &v) && v == -(double)INFINITY);
    v = 42;
    static const char *const bad[] = {"",         " ",   "1,5", "1.5.2", "0x10", "1e",
                                      "e5",       "-",   "1 2", "1e999", "nan(", "infin",
                                      "nan(abc)", "--1", "1e+", "+"};
    for (size_t i = 0; i < DH_COUNT(bad); i++) assert_false(parse_d(bad[i], &v));
    assert_false(dh__parse_double("1\0", 2, &v));
    assert_false(dh__parse_double(NULL, 3, &v));
    assert_false(dh__parse_double("1", 1, NULL));
    assert_true(v == 42);
    assert_true(dh__parse_double("123456", 3, &v) && v == 123); /* the length rules */
    char digits[2000];
    memset(digits, '1', sizeof digits);
    assert_false(dh__parse_double(digits, sizeof digits, &v));
    assert_true(dh__parse_double(digits, 300, &v) && v > 1e299);
}

static void integers_are_parsed(void **state)
{
    (void)state;
    int64_t v = 0;
    assert_true(dh__parse_int64(" 12 ", 4, &v) && v == 12);
    assert_true(dh__parse_int64("-9223372036854775808", 20, &v) && v == INT64_MIN);
    assert_true(dh__parse_int64("+9223372036854775807", 20, &v) && v == INT64_MAX);
    v = 42;
    static const char *const bad[] = {"",
                                      "-",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "1.",
                                      "0x1",
                                      "1 1",
                                      "99999999999999999999",
                                      "a",
                                      "+-1",
                                      "1e3"};
    for (size_t i = 0; i < DH_COUNT(bad); i++)
        assert_false(dh__parse_int64(bad[i], strlen(bad[i]), &v));
    assert_false(dh__parse_int64(NULL, 1, &v));
    assert_int_equal(v, 42);
}

static void format_counts(void **state)
{
    (void)state;
    char buffer[8];
    assert_int_equal(dh__format(buffer, sizeof buffer, "%s", "0123456789"), 10);
    assert_string_equal(buffer, "0123456");
    assert_int_equal(dh__format(NULL, 0, "%d", 123), 3);
}

static void locale_changes_nothing(void **state)
{
    (void)state;
    if (!set_comma_locale()) {
        print_message("no locale with a decimal comma is installed\n");
        skip();
    }
    char buffer[32];
    double v = 0;
    (void)dh__format(buffer, sizeof buffer, "%.2f", 1.25);
    bool parsed = parse_d("1.25", &v), wrong = parse_d("1,25", &v);
    char kept = localeconv()->decimal_point[0];
    (void)setlocale(LC_ALL, "C");
    assert_string_equal(buffer, "1.25");
    assert_true(parsed && !wrong && v == 1.25);
    assert_int_equal(kept, ',');
}

static const char *known_name(int i, const void *payload)
{
    return ((const char *const *)payload)[i];
}

static void near_names_are_offered(void **state)
{
    (void)state;
    static const char *const names[] = {"relu", "leaky_relu", "softmax", "sigmoid", "tanh", NULL};
    char text[256];
    assert_string_equal(dh__suggest(text, sizeof text, "rleu", known_name, names),
                        ", did you mean \"relu\"?");
    assert_string_equal(dh__suggest(text, sizeof text, "SoftMax", known_name, names),
                        ", did you mean \"softmax\"?");
    assert_string_equal(dh__suggest(text, sizeof text, "soft", known_name, names),
                        ", did you mean \"softmax\"?");
    assert_string_equal(dh__suggest(text, sizeof text, "qqqqq", known_name, names),
                        "; known: relu, leaky_relu, softmax, sigmoid, tanh");
    assert_string_equal(dh__suggest(text, sizeof text, NULL, known_name, names),
                        "; known: relu, leaky_relu, softmax, sigmoid, tanh");
    assert_string_equal(dh__suggest(text, sizeof text, "x", NULL, NULL), "");
    assert_string_equal(dh__suggest_choices(text, sizeof text, "bat", "cat|bar|bath|dog|bad"),
                        ", did you mean \"cat\", \"bar\" or \"bath\"?");
    assert_string_equal(dh__suggest_choices(text, sizeof text, "sam", "same|valid"),
                        ", did you mean \"same\"?");
    assert_string_equal(dh__suggest_choices(text, sizeof text, "x", NULL), "");
    assert_string_equal(dh__suggest_choices(text, 24, "qqqqqq", "first|second|third|fourth"),
                        "; known: first, ...");
    for (size_t size = 0; size < 40; size++) {
        memset(text, '#', sizeof text);
        (void)dh__suggest_choices(text, size, "sam", "same|valid");
        if (size) assert_true(strlen(text) < size);
        assert_int_equal(text[size], '#');
    }
    char huge[5000];
    memset(huge, 'a', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    assert_string_equal(dh__suggest_choices(text, sizeof text, huge, "same|valid"),
                        "; known: same, valid");
}

static void choices_are_looked_up(void **state)
{
    (void)state;
    char name[16];
    assert_int_equal(dh__choice_index("same|valid|full", "same"), 0);
    assert_int_equal(dh__choice_index("same|valid|full", "full"), 2);
    assert_int_equal(dh__choice_index("same|valid|full", "ful"), -1);
    assert_int_equal(dh__choice_index("same|valid|full", "valid|full"), -1);
    assert_int_equal(dh__choice_index("same", NULL), -1);
    assert_int_equal(dh__choice_index(NULL, "same"), -1);
    assert_string_equal(dh__choice_name(name, sizeof name, "same|valid|full", 1), "valid");
    assert_string_equal(dh__choice_name(name, sizeof name, "same|valid|full", 3), "");
    assert_string_equal(dh__choice_name(name, sizeof name, "same|valid|full", -1), "");
    assert_string_equal(dh__choice_name(name, 3, "same|valid|full", 1), "va");
    assert_string_equal(dh__choice_name(name, sizeof name, NULL, 0), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_grows),
        cmocka_unit_test(text_survives_failures),
        cmocka_unit_test(doubles_are_parsed),
        cmocka_unit_test(integers_are_parsed),
        cmocka_unit_test(format_counts),
        cmocka_unit_test(near_names_are_offered),
        cmocka_unit_test(choices_are_looked_up),
        cmocka_unit_test(locale_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
