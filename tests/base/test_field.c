/* SPDX-License-Identifier: MIT */
#include "base_test.h"

#include <float.h>
#include <limits.h>
#include <math.h>

typedef struct sample {
    bool flag;
    int stride;
    int64_t big;
    float rate;
    double scale;
    const char *name;
    dh_ints axes;
    int padding;
    struct {
        int x;
    } odd;
    const char *mode;
    dh_ints needed;
} sample;

static const dh_field table[] = {DH_FIELD(sample, flag, NULL, 0, 0, 1, "a switch"),
                                 DH_FIELD(sample, stride, "strides", 1, 1, 4096, "step"),
                                 DH_FIELD(sample, big, NULL, 0, -0x1p53, 0x1p53, "a number"),
                                 DH_FIELD(sample, rate, NULL, 0.1, 0, 0.9, "share"),
                                 DH_FIELD(sample, scale, NULL, 0, -INFINITY, INFINITY, "factor"),
                                 DH_FIELD(sample, name, NULL, 0, 0, 0, "text"),
                                 DH_FIELD(sample, axes, NULL, 0, -8, 7, "axes"),
                                 DH_FIELD_NAMED(sample, padding, NULL, "valid|same|full", "edges"),
                                 DH_FIELD(sample, odd, NULL, 0, 0, 0, "opaque"),
                                 {.name = "mode",
                                  .kind = DH_FIELD_STRING,
                                  .offset = offsetof(sample, mode),
                                  .size = sizeof(const char *),
                                  .choices = "min|max"},
                                 {0}};

static const dh_field required[] = {DH_FIELD(sample, stride, NULL, 0, 1, 9, "step"),
                                    DH_FIELD(sample, name, NULL, -1, 0, 0, "text"),
                                    DH_FIELD(sample, needed, NULL, 0, 1, 9, "shape"),
                                    {0}};

static sample defaults(void)
{
    sample s;
    memset(&s, 0x55, sizeof s);
    dh_field_defaults(table, &s);
    return s;
}

/* What lies between members and behind the end of a list does not count. */
static void members_are_compared(void **state)
{
    (void)state;
    sample a = defaults(), b;
    memset(&b, 0xaa, sizeof b);
    dh_field_defaults(table, &b);
    a.axes = b.axes = (dh_ints){.count = 2, .v = {1, -1, 3}};
    b.axes.v[2] = 4;
    a.odd.x = 1;
    char text[] = "same", other[] = "same";
    a.name = text;
    b.name = other;
    assert_true(dh__fields_same(table, &a, &b));
    b.axes.v[1] = 2;
    assert_false(dh__fields_same(table, &a, &b));
    b.axes = a.axes;
    b.axes.count = 1;
    assert_false(dh__fields_same(table, &a, &b));
    b.axes = a.axes;
    b.name = "other";
    assert_false(dh__fields_same(table, &a, &b));
    b.name = NULL;
    assert_false(dh__fields_same(table, &a, &b));
    b.name = text;
    b.scale = 2;
    assert_false(dh__fields_same(table, &a, &b));
    assert_true(dh__fields_same(NULL, &a, &b)); /* nothing to compare */
}

static void kinds_and_lookup(void **state)
{
    (void)state;
    static const dh_field_kind want[] = {
        DH_FIELD_BOOL,   DH_FIELD_INT,  DH_FIELD_INT64,  DH_FIELD_FLOAT,  DH_FIELD_DOUBLE,
        DH_FIELD_STRING, DH_FIELD_INTS, DH_FIELD_CHOICE, DH_FIELD_OPAQUE, DH_FIELD_STRING};
    for (size_t i = 0; i < DH_COUNT(want); i++) assert_int_equal(table[i].kind, want[i]);
    assert_ptr_equal(dh_field_find(table, "rate"), &table[3]);
    assert_null(dh_field_find(table, "rat"));
    assert_null(dh_field_find(table, NULL));
    assert_null(dh_field_find(NULL, "rate"));
}

static void defaults_and_fill(void **state)
{
    (void)state;
    sample s = defaults();
    assert_false(s.flag);
    assert_int_equal(s.stride, 1);
    assert_true(s.big == 0 && s.rate == 0.1f && s.scale == 0);
    assert_null(s.name);
    assert_int_equal(s.axes.count, 0);
    assert_int_equal(s.odd.x, 0);
    assert_int_equal(dh_field_check(table, &s, "t"), DH_OK);
    s.stride = 0;
    s.rate = 0;
    s.scale = 3;
    dh_field_fill(table, &s);
    assert_true(s.stride == 1 && s.rate == 0.1f && s.scale == 3);
    s.rate = DH_ZERO;
    dh_field_fill(table, &s);
    dh_field_fill(table, &s);
    assert_true(s.rate == 0);
    s.stride = 5;
    dh_field_fill(table, &s);
    assert_int_equal(s.stride, 5);
    dh_field_fill(NULL, &s);
    dh_field_fill(table, NULL);
    dh_field_defaults(NULL, &s);
    dh_field_defaults(table, NULL);
    sample r;
    memset(&r, 0x55, sizeof r);
    dh_field_defaults(required, &r);
    assert_true(r.stride == 0 && r.name == NULL && r.needed.count == 0);
}

static void ranges_are_checked(void **state)
{
    (void)state;
    sample s = defaults();
    s.stride = 0;
    CHECK_FAILS(dh_field_check(table, &s, "conv2d \"c1\""), DH_EINVAL,
                "conv2d \"c1\": stride is 0, must be in [1, 4096]");
    s = defaults();
    s.rate = 0.9f; /* as a double it may lie beyond 0.9 */
    assert_int_equal(dh_field_check(table, &s, "t"), DH_OK);
    s.rate = nextafterf(0.9f, 1);
    CHECK_FAILS(dh_field_check(table, &s, "t"), DH_EINVAL, "must be in [0, 0.9]");
    s.rate = NAN;
    CHECK_FAILS(dh_field_check(table, &s, "t"), DH_EINVAL, "rate is");
    s = defaults();
    s.scale = (double)NAN;
    CHECK_FAILS(dh_field_check(table, &s, "t"), DH_EINVAL, "must be a number");
    s.scale = (double)INFINITY;
    assert_int_equal(dh_field_check(table, &s, "t"), DH_OK);
    s = defaults();
    s.padding = 3;
    CHECK_FAILS(dh_field_check(table, &s, "t"), DH_EINVAL, "padding is 3");
    s = defaults();
    s.mode = "mix";
    CHECK_FAILS(dh_field_check(table, &s, "t"), DH_ENAME,
                "mode is \"mix\", which names no choice, did you mean \"min\"");
    s.mode = "max";
    assert_int_equal(dh_field_check(table, &s, "t"), DH_OK);
    memset(&s.flag, 7, 1);
    CHECK_FAILS(dh_field_check(table, &s, "t"), DH_EINVAL, "flag is 7, must be true or false");
    CHECK_FAILS(dh_field_check(table, NULL, "t"), DH_EINVAL, "data is NULL");
    CHECK_FAILS(dh_field_check(NULL, &s, NULL), DH_EINVAL, "field_check: table is NULL");
}

static void lists_and_required(void **state)
{
    (void)state;
    sample s = defaults();
    s.axes = (dh_ints){.count = 2, .v = {0, 8}};
    CHECK_FAILS(dh_field_check(table, &s, "t"), DH_EINVAL, "axes[1] is 8, must be in [-8, 7]");
    s.axes.count = 17;
    CHECK_FAILS(dh_field_check(table, &s, "t"), DH_EINVAL, "axes has 17 elements");
    s.axes.count = -1;
    CHECK_FAILS(dh_field_check(table, &s, "t"), DH_EINVAL, "axes has -1 elements");
    dh_field_defaults(required, &s);
    CHECK_FAILS(dh_field_check(required, &s, "t"), DH_EINVAL, "stride is 0");
    s.stride = 2;
    CHECK_FAILS(dh_field_check(required, &s, "t"), DH_EINVAL, "name is required");
    s.name = "";
    CHECK_FAILS(dh_field_check(required, &s, "t"), DH_EINVAL, "needed is required");
    s.needed = (dh_ints){.count = 1, .v = {3}};
    assert_int_equal(dh_field_check(required, &s, "t"), DH_OK);
}

static void integers_are_exact(void **state)
{
    (void)state;
    sample s = defaults();
    s.big = INT64_C(1) << 53;
    assert_int_equal(dh_field_check(table, &s, "t"), DH_OK);
    s.big++; /* rounds to 2^53 as a double */
    CHECK_FAILS(dh_field_check(table, &s, "t"), DH_EINVAL, "big is 9007199254740993");
    s.big = -(INT64_C(1) << 53) - 1;
    CHECK_FAILS(dh_field_check(table, &s, "t"), DH_EINVAL, "big is -9007199254740993");
    static const dh_field wide[] = {DH_FIELD(sample, big, NULL, 1e30, -INFINITY, 0x1p63, "any"),
                                    {0}};
    static const dh_field none[] = {DH_FIELD(sample, big, NULL, 0, 0x1p63, 1e300, "none"), {0}};
    static const dh_field part[] = {DH_FIELD(sample, big, NULL, 1, 0.5, 1.5, "one"), {0}};
    s.big = INT64_MAX;
    assert_int_equal(dh_field_check(wide, &s, "t"), DH_OK);
    CHECK_FAILS(dh_field_check(none, &s, "t"), DH_EINVAL, "big");
    s.big = INT64_MIN;
    assert_int_equal(dh_field_check(wide, &s, "t"), DH_OK);
    s.big = 1;
    assert_int_equal(dh_field_check(part, &s, "t"), DH_OK);
    s.big = 2;
    CHECK_FAILS(dh_field_check(part, &s, "t"), DH_EINVAL, "big is 2, must be in [0.5, 1.5]");
    static const dh_field least[] = {DH_FIELD(sample, stride, NULL, 1, 1, INFINITY, ""), {0}};
    s.stride = -3;
    CHECK_FAILS(dh_field_check(least, &s, "t"), DH_EINVAL, "stride is -3, must be at least 1");
}

static void text_sets_members(void **state)
{
    (void)state;
    sample s = defaults();
    static const struct {
        const char *name, *value;
    } good[] = {{"flag", "TRUE"},    {"stride", " 7 "},   {"big", "-9007199254740992"},
                {"rate", "0.5"},     {"scale", "-inf"},   {"name", "some text"},
                {"axes", "[1, -2]"}, {"padding", "same"}, {"mode", "min"}};
    for (size_t i = 0; i < DH_COUNT(good); i++)
        assert_int_equal(dh_field_set(table, &s, good[i].name, good[i].value, "t"), DH_OK);
    assert_true(s.flag && s.stride == 7 && s.big == -(INT64_C(1) << 53) && s.rate == 0.5f);
    assert_true(s.scale == -(double)INFINITY && s.axes.count == 2 && s.axes.v[1] == -2);
    assert_ptr_equal(s.name, good[5].value);
    assert_int_equal(s.padding, 1);
    static const char *const lists[] = {"1,2", "[1, 2]", "(1,2)", " [ 1 , 2 ] ", "(1, 2)"};
    for (size_t i = 0; i < DH_COUNT(lists); i++) {
        s.axes.count = 0;
        assert_int_equal(dh_field_set(table, &s, "axes", lists[i], "t"), DH_OK);
        assert_true(s.axes.count == 2 && s.axes.v[0] == 1 && s.axes.v[1] == 2);
    }
    assert_int_equal(dh_field_set(table, &s, "axes", "3", "t"), DH_OK);
    assert_int_equal(s.axes.count, 1);
    assert_int_equal(dh_field_set(table, &s, "axes", "(4,)", "t"), DH_OK);
    assert_true(s.axes.count == 1 && s.axes.v[0] == 4);
    assert_int_equal(dh_field_set(table, &s, "axes", "[ ]", "t"), DH_OK);
    assert_int_equal(s.axes.count, 0);
    assert_int_equal(dh_field_set(table, &s, "flag", "off", "t"), DH_OK);
    assert_false(s.flag);
}

static void wrong_text_changes_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *part;
        dh_status status;
    } bad[] = {
        {"stirde", "1", "unknown argument \"stirde\", did you mean \"stride\"", DH_ENAME},
        {"stride", "1.5", "stride is \"1.5\", must be an integer", DH_EINVAL},
        {"stride", "5000", "stride is 5000, must be in [1, 4096]", DH_EINVAL},
        {"stride", "3000000000", "integer of 32 bits", DH_EINVAL},
        {"big", "99999999999999999999", "must be an integer", DH_EINVAL},
        {"rate", "0,5", "rate is \"0,5\", must be a number", DH_EINVAL},
        {"rate", "nan", "rate is nan, must be in [0, 0.9]", DH_EINVAL},
        {"rate", "1e60", "number of 32 bits", DH_EINVAL},
        {"flag", "maybe", "must be true or false", DH_EINVAL},
        {"padding", "sane", "did you mean \"same\"", DH_ENAME},
        {"mode", "mean", "mode is \"mean\", which names no choice", DH_ENAME},
        {"axes", "1,,2", "must be integers", DH_EINVAL},
        {"axes", "[1,2", "must be integers", DH_EINVAL},
        {"axes", "1,", "must be integers", DH_EINVAL},
        {"axes", "", "must be integers", DH_EINVAL},
        {"axes", "1,9", "axes[1] is 9", DH_EINVAL},
        {"axes", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", "at most 16", DH_EINVAL},
        {"odd", "1", "can't be set from text", DH_EUNSUPPORTED},
        {NULL, "1", "name is NULL", DH_EINVAL},
        {"rate", NULL, "value is NULL", DH_EINVAL},
    };
    sample s = defaults(), before;
    s.name = "kept";
    memcpy(&before, &s, sizeof s);
    for (size_t i = 0; i < DH_COUNT(bad); i++) {
        CHECK_FAILS(dh_field_set(table, &s, bad[i].name, bad[i].value, "t"), bad[i].status,
                    bad[i].part);
        assert_memory_equal(&before, &s, sizeof s);
    }
    CHECK_FAILS(dh_field_set(NULL, &s, "a", "1", NULL), DH_EINVAL, "field_set: table is NULL");
    CHECK_FAILS(dh_field_set(table, NULL, "a", "1", "t"), DH_EINVAL, "data is NULL");
}

static void printing_reads_back(void **state)
{
    (void)state;
    char text[256];
    sample s = defaults();
    assert_int_equal(dh_field_print(table, &s, text, sizeof text), 0);
    assert_string_equal(text, "");
    s.flag = true;
    s.stride = 2;
    s.rate = 0.3f;
    s.scale = 0.1 + 0.2;
    s.name = "x";
    s.axes = (dh_ints){.count = 2, .v = {1, -2}};
    s.padding = 2;
    static const char want[] = "flag=true, stride=2, rate=0.3, scale=0.30000000000000004, name=x, "
                               "axes=[1, -2], padding=full";
    bool comma = set_comma_locale();
    size_t needed = dh_field_print(table, &s, text, sizeof text);
    (void)setlocale(LC_ALL, "C");
    if (!comma) print_message("no locale with a decimal comma is installed\n");
    assert_string_equal(text, want);
    assert_int_equal(needed, strlen(want));
    for (size_t size = 0; size < sizeof want; size++) {
        memset(text, '#', sizeof text);
        assert_int_equal(dh_field_print(table, &s, text, size), needed);
        if (size) assert_int_equal(strlen(text), size - 1);
        assert_int_equal(text[size], '#');
    }
    assert_int_equal(dh_field_print(table, &s, NULL, 99), needed);
    assert_int_equal(dh_field_print(NULL, &s, text, sizeof text), 0);
    assert_int_equal(dh_field_print(table, NULL, text, sizeof text), 0);
}

typedef struct arrays {
    int pads[6];
    int64_t shape[3];
    float alpha;
} arrays;

static const dh_field array_table[] = {DH_FIELD_ARRAY(arrays, pads, NULL, 0, 9, "edges"),
                                       DH_FIELD_ARRAY(arrays, shape, NULL, -1, 0x1p62, "lengths"),
                                       DH_FIELD(arrays, alpha, NULL, 0, -9, 9, "slope"),
                                       {0}};

/* A plain array is a list up to its last number but 0. */
static void arrays_are_lists(void **state)
{
    (void)state;
    char text[128];
    arrays a = {.pads = {0, 2}, .shape = {3, -1, 0}}, b;
    assert_int_equal(array_table[0].kind, DH_FIELD_INT_ARRAY);
    assert_int_equal(array_table[1].kind, DH_FIELD_INT64_ARRAY);
    assert_int_equal(dh_field_check(array_table, &a, "t"), DH_OK);
    size_t length = dh_field_print(array_table, &a, text, sizeof text);
    assert_string_equal(text, "pads=[0, 2], shape=[3, -1]");
    assert_int_equal(length, strlen(text));
    dh_field_fill(array_table, &a);
    memset(&b, 1, sizeof b);
    dh_field_defaults(array_table, &b);
    assert_int_equal(dh_field_print(array_table, &b, text, sizeof text), 0);
    assert_int_equal(dh_field_set(array_table, &b, "pads", "[0, 2]", "t"), DH_OK);
    assert_int_equal(dh_field_set(array_table, &b, "shape", "3,-1", "t"), DH_OK);
    assert_memory_equal(a.pads, b.pads, sizeof a.pads);
    assert_memory_equal(a.shape, b.shape, sizeof a.shape);
    assert_int_equal(dh_field_set(array_table, &b, "shape", "[]", "t"), DH_OK);
    assert_int_equal(b.shape[0], 0);
    b.alpha = DH_ZERO;
    assert_int_equal(dh_field_print(array_table, &b, text, sizeof text), 21);
    assert_string_equal(text, "pads=[0, 2], alpha=-0");
    a.pads[4] = 10;
    assert_int_equal(dh_field_check(array_table, &a, "t"), DH_EINVAL);
    assert_string_equal(dh_error_text(), "t: pads[4] is 10, must be in [0, 9]");
    static const char *const wrong[][3] = {
        {"pads", "1,2,3,4,5,6,7", "t: pads is \"1,2,3,4,5,6,7\", must have at most 6 elements"},
        {"pads", "4294967296", "t: pads is \"4294967296\", must be integers of 32 bits"},
        {"pads", "[0, -1]", "t: pads[1] is -1, must be in [0, 9]"},
        {"shape", "1,x", "t: shape is \"1,x\", must be integers"}};
    for (size_t i = 0; i < DH_COUNT(wrong); i++) {
        arrays before = b;
        assert_int_equal(dh_field_set(array_table, &b, wrong[i][0], wrong[i][1], "t"), DH_EINVAL);
        assert_string_equal(dh_error_text(), wrong[i][2]);
        assert_memory_equal(&before, &b, sizeof b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_compared),       cmocka_unit_test(kinds_and_lookup),
        cmocka_unit_test(defaults_and_fill),          cmocka_unit_test(ranges_are_checked),
        cmocka_unit_test(lists_and_required),         cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(text_sets_members),          cmocka_unit_test(printing_reads_back),
        cmocka_unit_test(wrong_text_changes_nothing), cmocka_unit_test(arrays_are_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
