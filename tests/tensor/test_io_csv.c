/* SPDX-License-Identifier: MIT */
#include "io_test.h"

#include <locale.h>

static dh_status parse_as(dh_tensor **out, const char *text, dh_csv_args args)
{
    if (!args.delimiter) args.delimiter = ',';
    return dh__csv_parse(out, (const uint8_t *)text, strlen(text), "x.csv", &args);
}
#define PARSE(text, ...) parse_as(&t, text, (dh_csv_args){__VA_ARGS__})

static dh_status read_csv(const uint8_t *data, size_t size, const char *what)
{
    const dh_csv_args args = {.delimiter = ','};
    dh_tensor *t;
    dh_status status = dh__csv_parse(&t, data, size, what, &args);
    if (!status) dh_tensor_free(t);
    return status;
}

static void tables_are_read(void **state)
{
    (void)state;
    dh_tensor *t;
    assert_int_equal(PARSE("1,2.5\n-3e2, .5 \r\n", .ndim = 2), DH_OK);
    expect(t, SHAPE(2, 2), VALUES(1, 2.5, -300, 0.5));
    assert_int_equal(PARSE("\xef\xbb\xbfname,b\n1,nan\n-inf,4", .skip_lines = 1), DH_OK);
    expect(t, SHAPE(2, 2), VALUES(1, (double)NAN, -(double)INFINITY, 4));
    assert_int_equal(PARSE("  1 \t2   3\n4 5 6  \n\n \n", .delimiter = ' '), DH_OK);
    expect(t, SHAPE(2, 3), VALUES(1, 2, 3, 4, 5, 6));
    assert_int_equal(PARSE("7\n8\n9", .ndim = 1), DH_OK);
    expect(t, SHAPE(3), VALUES(7, 8, 9));
    assert_int_equal(PARSE("7;8;9", .ndim = 1, .delimiter = ';', .dtype = DH_U8), DH_OK);
    expect(t, SHAPE(3), VALUES(7, 8, 9));
    assert_int_equal(PARSE("18446744073709551615\n3.0\n1e3", .dtype = DH_U64), DH_OK);
    assert_true(((uint64_t *)dh_tensor_data(t))[0] == UINT64_MAX);
    assert_true(((uint64_t *)dh_tensor_data(t))[2] == 1000);
    dh_tensor_free(t);
    assert_int_equal(PARSE("-9223372036854775808,9223372036854775807", .dtype = DH_I64), DH_OK);
    assert_true(((int64_t *)dh_tensor_data(t))[0] == INT64_MIN);
    assert_true(((int64_t *)dh_tensor_data(t))[1] == INT64_MAX);
    dh_tensor_free(t);
}

#define REFUSES(status, part, text, ...) \
    EXPECT_FAIL(status, PARSE(text, __VA_ARGS__), part, "tensor_load_csv \"x.csv\": ")

static void bad_cells_are_named(void **state)
{
    (void)state;
    dh_tensor *t = NULL;
    REFUSES(DH_EFORMAT, "line 3 has 1 cells, the rows before have 2", "h\n1,2\n3\n",
            .skip_lines = 1);
    REFUSES(DH_EFORMAT, "line 1, column 2: \"\" is empty", "1,,2\n", .ndim = 2);
    REFUSES(DH_EFORMAT, "line 2, column 2: \"\" is empty", "1,2\n1,\n", .ndim = 2);
    REFUSES(DH_EFORMAT, "line 2, column 1: \"one\" is no number", "1,2\none,2\n", .ndim = 2);
    REFUSES(DH_EFORMAT, "line 1, column 1: \"0x10\" is no number", "0x10", .ndim = 2);
    REFUSES(DH_EFORMAT, "column 2: \"\"2\"\" has quotes, which are not taken, must be f32",
            "1,\"2\"\n", .ndim = 2);
    REFUSES(DH_EFORMAT, "column 1: \"\"2\"\" has quotes, which are not taken, must be i32",
            "\"2\"\n", .dtype = DH_I32);
    REFUSES(DH_EFORMAT, "line 2 is empty, line 3 is not", "1\n\n2\n", .ndim = 2);
    REFUSES(DH_EFORMAT, "no numbers in 2 bytes", " \n", .ndim = 2);
    REFUSES(DH_EFORMAT, "skip_lines is 5, the file has 1 lines", "1\n", .skip_lines = 5);
    REFUSES(DH_EFORMAT, "\"1e39\" is out of the range of f32", "1e39", .ndim = 2);
    REFUSES(DH_EFORMAT, "\"65520\" is out of the range of f16", "65520", .dtype = DH_F16);
    REFUSES(DH_EFORMAT, "\"256\" is out of the range of u8", "256", .dtype = DH_U8);
    REFUSES(DH_EFORMAT, "\"-1\" is out of the range of u64", "-1", .dtype = DH_U64);
    REFUSES(DH_EFORMAT, "is out of the range of u64", "18446744073709551616", .dtype = DH_U64);
    REFUSES(DH_EFORMAT, "\"2\" is out of the range of bool", "2", .dtype = DH_BOOL);
    REFUSES(DH_EFORMAT, "\"1.5\" is no integer", "1.5", .dtype = DH_I32);
    REFUSES(DH_EFORMAT, "\"nan\" is no integer", "nan", .dtype = DH_I32);
    REFUSES(DH_ESHAPE, "ndim is 1, the table is [2, 2]", "1,2\n3,4", .ndim = 1);
    REFUSES(DH_EINVAL, "ndim is 3", "1", .ndim = 3);
    REFUSES(DH_EINVAL, "skip_lines is -1", "1", .skip_lines = -1);
    REFUSES(DH_EINVAL, "delimiter 'e'", "1", .delimiter = 'e');
    REFUSES(DH_EINVAL, "delimiter '.'", "1", .delimiter = '.');
    REFUSES(DH_EDTYPE, "dtype is 77", "1", .dtype = 77);
    assert_null(t);
}

/* Values that lose bits when they are printed carelessly. */
static void same_bits_after_a_round(void **state)
{
    (void)state;
    const double values[] = {0.1,  -0.0, 1.0 / 3,  5e-324,  1.7976931348623157e308, 1e-45, 3.4e38,
                             1e23, 2,    1.0e-310, 65504.0, 5.9604644775390625e-08};
    for (int d = 1; d < DH_DTYPE_COUNT; d++)
        for (int kind = 0; kind < 3; kind++) {
            static const char *const names[] = {"t.csv", "t.tsv", "t.txt"};
            const char *path = in_dir(names[kind]);
            double v[12];
            for (int i = 0; i < 12; i++) {
                bool wide = d == DH_F64 || (d == DH_F32 && fabs(values[i]) < 3.5e38);
                v[i] = dh_dtype_is_float((dh_dtype)d)
                           ? (wide || i >= 10 ? values[i] : 1.0 / (i + 3))
                           : (d == DH_BOOL ? i % 2 : i * 9);
            }
            dh_tensor *x = make((dh_dtype)d, SHAPE(4, 3), v), *back;
            assert_int_equal(dh_tensor_save_csv(x, path, .header = "a header"), DH_OK);
            assert_int_equal(dh_tensor_load_csv(&back, path, .skip_lines = 1, .dtype = (dh_dtype)d),
                             DH_OK);
            expect_same(back, x);
            assert_int_equal(unlink(path), 0);
            dh_tensor_free(back);
            dh_tensor_free(x);
        }
}

static void every_half_goes_round(void **state)
{
    (void)state;
    for (int d = DH_F16; d <= DH_BF16; d++) {
        dh_tensor *x = NULL, *back;
        const char *path = in_dir("h.csv");
        assert_int_equal(dh_tensor_new(&x, (dh_dtype)d, SHAPE(65536)), DH_OK);
        uint16_t *bits = dh_tensor_data(x);
        int top = d == DH_F16 ? 0x7c00 : 0x7f80; /* infinity; beyond it are NaN */
        for (int i = 0; i < 65536; i++) bits[i] = (uint16_t)((i & 0x7fff) > top ? 0 : i);
        assert_int_equal(dh_tensor_save_csv(x, path), DH_OK);
        assert_int_equal(dh_tensor_load_csv(&back, path, .ndim = 1, .dtype = (dh_dtype)d), DH_OK);
        expect_same(back, x);
        assert_int_equal(unlink(path), 0);
        dh_tensor_free(back);
        dh_tensor_free(x);
    }
}

static void text_is_as_expected(void **state)
{
    (void)state;
    size_t size;
    dh_tensor *x = make(DH_F32, SHAPE(2, 2), VALUES(0.1, -2, 1e10, 3));
    dh_tensor *flat = make(DH_I64, SHAPE(2), VALUES(-5, 6));
    assert_int_equal(dh_tensor_save_csv(x, in_dir("a.txt"), .header = "u v", .delimiter = ';'),
                     DH_OK);
    uint8_t *text = take_file(in_dir("a.txt"), &size);
    const char want[] = "u v\n0.100000001;-2\n1e+10;3\n";
    assert_int_equal(size, sizeof want - 1);
    assert_memory_equal(text, want, size);
    free(text);
    assert_int_equal(dh_tensor_save_csv(flat, in_dir("a.csv")), DH_OK);
    text = take_file(in_dir("a.csv"), &size);
    assert_int_equal(size, 5);
    assert_memory_equal(text, "-5\n6\n", 5);
    free(text);
    dh_tensor_free(flat);
    dh_tensor_free(x);
}

static void bad_arguments_are_named(void **state)
{
    (void)state;
    dh_tensor *x = counted(DH_F32, SHAPE(2, 2, 2)), *t = NULL, *flat = counted(DH_F32, SHAPE(1)),
              *empty = counted(DH_F32, SHAPE(0, 3));
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_save_csv(x, in_dir("a.csv")), "[2, 2, 2]", "1 or 2 axes");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_save_csv(empty, in_dir("a.csv")), "[0, 3]", "an element");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_save_csv(flat, in_dir("a.csv"), .header = "a\nb"), "header",
                "one line");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_save_csv(flat, NULL), "path is NULL", "tensor_save_csv");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_load_csv(&t, NULL), "path is NULL", "tensor_load_csv");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_load_csv(NULL, "x"), "out is NULL", "tensor_load_csv");
    EXPECT_FAIL(DH_EINVAL, (dh_tensor_load_csv)(&t, NULL), "args is NULL", "tensor_load_csv");
    EXPECT_FAIL(DH_ENOTFOUND, dh_tensor_load_csv(&t, in_dir("none.csv")), "none.csv", "No such");
    assert_null(t);
    dh_tensor_free(empty);
    dh_tensor_free(flat);
    dh_tensor_free(x);
}

static void no_locale_matters(void **state)
{
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "es_ES.UTF-8"};
    bool comma = false;
    for (size_t i = 0; i < DH_COUNT(names) && !comma; i++)
        comma = setlocale(LC_ALL, names[i]) && localeconv()->decimal_point[0] == ',';
    if (!comma) skip();
    same_bits_after_a_round(state);
    tables_are_read(state);
    (void)setlocale(LC_ALL, "C");
}

static void damage_is_survived(void **state)
{
    (void)state;
    const char text[] = "a,b\n";
    const char table[] = "1,2.5e3\n-4,nan\n0.125,7\n";
    assert_int_not_equal(read_exactly(read_csv, (const uint8_t *)text, sizeof text - 1, 4096),
                         DH_OK);
    damage(read_csv, (const uint8_t *)table, sizeof table - 1, 64, false);
    /* many columns, then many lines: memory follows the cells that are there */
    char *wide = malloc(200000);
    assert_non_null(wide);
    for (int i = 0; i < 100000; i += 2) memcpy(wide + i, "1,", 2);
    memcpy(wide + 99999, "\n", 1);
    for (int i = 100000; i < 200000; i += 2) memcpy(wide + i, "1\n", 2);
    assert_int_equal(read_exactly(read_csv, (uint8_t *)wide, 200000, 65536), DH_EFORMAT);
    free(wide);
}

static dh_status work(void *context)
{
    dh_tensor *t;
    dh_status status = dh_tensor_save_csv(context, in_dir("w.tsv"), .header = "h");
    if (!status) status = dh_tensor_load_csv(&t, in_dir("w.tsv"), .skip_lines = 1);
    if (!status) dh_tensor_free(t);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    dh_tensor *t = counted(DH_F32, SHAPE(2, 3));
    fail_each_allocation(work, t);
    dh_tensor_free(t);
    assert_int_equal(unlink(in_dir("w.tsv")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_read),           cmocka_unit_test(bad_cells_are_named),
        cmocka_unit_test(same_bits_after_a_round),   cmocka_unit_test(every_half_goes_round),
        cmocka_unit_test(text_is_as_expected),       cmocka_unit_test(bad_arguments_are_named),
        cmocka_unit_test(no_locale_matters),         cmocka_unit_test(damage_is_survived),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, open_test_dir, close_test_dir);
}
