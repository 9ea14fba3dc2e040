/* SPDX-License-Identifier: MIT */
/* Values that are passed over, and what messages say of lines. */
#include "base_test.h"

#include "json.h"

static char strings[4096];

static dh__json reader(const char *text)
{
    return (dh__json){.who = "t",
                      .text = (const uint8_t *)text,
                      .size = strlen(text),
                      .strings = strings,
                      .lines = true};
}

static void values_are_passed_over(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        dh__json_kind kind;
    } rows[] = {{"\"a\\\"]\"", DH_JSON_STRING},
                {"-0.5e+3", DH_JSON_NUMBER},
                {"0", DH_JSON_NUMBER},
                {"true", DH_JSON_TRUE},
                {"false", DH_JSON_FALSE},
                {"null", DH_JSON_NULL},
                {"[1, [], {\"a\": [2]}]", DH_JSON_ARRAY},
                {"{\"a\": {}, \"b\": [\"}\"]}", DH_JSON_OBJECT}};
    for (size_t i = 0; i < DH_COUNT(rows); i++) {
        char text[64];
        dh__json_kind kind;
        size_t begin;
        (void)dh__format(text, sizeof text, " \n%s,", rows[i].text);
        dh__json json = reader(text);
        assert_int_equal(dh__json_skip(&json, &kind, &begin), DH_OK);
        assert_int_equal(kind, rows[i].kind);
        assert_int_equal(begin, 2);
        assert_int_equal(json.at, 2 + strlen(rows[i].text));
        assert_int_equal(json.strings_used, 0);
    }
}

static void wrong_values_are_refused(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", "t: the text ends at line 1, column 1, expected a value"},
        {"\n\n  [1,\n 2", "t: the text ends at line 4, column 3, expected \",\" or \"]\""},
        {"[1 2]", "t: line 1, column 4 has '2', expected \",\" or \"]\""},
        {"{\"a\" 2}", "t: line 1, column 6 has '2', expected \":\""},
        {"{a: 2}", "t: line 1, column 2 has 'a', expected a string"},
        {"[1,]", "t: line 1, column 4 has ']', expected a value"},
        {"tru", "t: line 1, column 1 has 't', expected a value"},
        {"-", "t: the text ends at line 1, column 2, expected a value"},
        {"1.", "t: the text ends at line 1, column 3, expected a digit"},
        {"1ex", "t: line 1, column 3 has 'x', expected a digit"},
        {"\"\t\"", "t: line 1, column 2 has byte 09, expected no control character in a string"},
        {"\"\xff\"", "t: the string at line 1, column 2 is no valid UTF-8"},
        {"NaN", "t: line 1, column 1 has 'N', expected a value"}};
    char deep[64];
    size_t begin;
    dh__json_kind kind;
    for (size_t i = 0; i < DH_COUNT(rows); i++) {
        dh__json json = reader(rows[i][0]);
        assert_int_equal(dh__json_skip(&json, &kind, &begin), DH_EFORMAT);
        assert_string_equal(dh_error_text(), rows[i][1]);
    }
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    dh__json json = reader(deep);
    assert_int_equal(dh__json_skip(&json, &kind, &begin), DH_EFORMAT);
    assert_string_equal(dh_error_text(),
                        "t: line 1, column 34 has '[', expected at most 32 levels");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(values_are_passed_over),
                                       cmocka_unit_test(wrong_values_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
