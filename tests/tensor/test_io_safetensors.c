/* SPDX-License-Identifier: MIT */
#include "io_test.h"

#include "json.h"
#include "safetensors.h"

static size_t make_file(uint8_t *out, const char *header, const void *data, size_t size)
{
    size_t length = strlen(header);
    dh__put_le(out, length, 8);
    memcpy(out + 8, header, length);
    memcpy(out + 8 + length, data, size);
    return 8 + length + size;
}

static dh_status read_tensors(const uint8_t *data, size_t size, const char *what)
{
    dh__safetensors *file;
    dh_tensor *t;
    DH_TRY(dh__safetensors_parse(&file, data, size, what));
    dh_status status = DH_OK;
    for (int i = 0; i < dh__safetensors_count(file) && !status; i++) {
        status = dh__safetensors_tensor(&t, file, i);
        if (!status) dh_tensor_free(t);
    }
    dh__safetensors_free(file);
    return status;
}

static const char good[] =
    "{\"__metadata__\":{\"format\":\"pt\",\"a\\u00e9\\n\":\"\"}, \"b\":{\"dtype\":"
    "\"F32\",\"shape\":[1,2],\"data_offsets\":[2,10]},\t\"\\ud83d\\ude00\":{"
    "\"shape\":[2],\"dtype\":\"I8\",\"data_offsets\":[0,2]},\"empty\":{"
    "\"dtype\":\"BF16\",\"shape\":[3,0],\"data_offsets\":[10,10]}}  ";
static const uint8_t good_data[] = {1, 0xff, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40};

static void files_are_read(void **state)
{
    (void)state;
    uint8_t bytes[1024];
    size_t size = make_file(bytes, good, good_data, sizeof good_data);
    dh_safetensors *file;
    dh_tensor *t;
    const char *key, *value;
    assert_int_equal(dh_safetensors_open(&file, write_file("a.safetensors", bytes, size)), DH_OK);
    assert_int_equal(dh_safetensors_count(file), 3);
    assert_string_equal(dh_safetensors_name(file, 0), "b");
    assert_string_equal(dh_safetensors_name(file, 1), "\xf0\x9f\x98\x80");
    assert_null(dh_safetensors_name(file, 3));
    assert_int_equal(dh__safetensors_find(file, "empty"), 2);
    assert_int_equal(dh__safetensors_find(file, "none"), -1);
    assert_int_equal(dh__safetensors_view(file, 0)->shape[1], 2);
    assert_int_equal(dh__safetensors_view(file, 0)->dtype, DH_F32);
    assert_null(dh__safetensors_view(file, 3));
    assert_string_equal(dh_safetensors_metadata(file, "format"), "pt");
    assert_string_equal(dh_safetensors_metadata(file, "a\xc3\xa9\n"), "");
    assert_null(dh_safetensors_metadata(file, "none"));
    assert_true(dh__safetensors_metadata_at(file, 1, &key, &value));
    assert_false(dh__safetensors_metadata_at(file, 2, &key, &value));
    assert_int_equal(dh_safetensors_get(&t, file, "b"), DH_OK);
    expect(t, SHAPE(1, 2), VALUES(1, 2));
    assert_int_equal(dh_safetensors_get(&t, file, "empty"), DH_OK);
    expect(t, SHAPE(3, 0), NULL);
    assert_int_equal(dh_safetensors_get(&t, file, "\xf0\x9f\x98\x80"), DH_OK);
    dh_safetensors_free(file); /* the tensor is a copy */
    expect(t, SHAPE(2), VALUES(1, -1));
    assert_int_equal(unlink(in_dir("a.safetensors")), 0);
    damage(read_tensors, bytes, size, 64, true);
    size = make_file(bytes, "{}", "", 0);
    assert_int_equal(read_exactly(read_tensors, bytes, size, 4096), DH_OK);
}

static void refuse(const char *header, size_t data_size, dh_status status, const char *text)
{
    static const uint8_t zeros[64] = {0};
    uint8_t bytes[2048];
    size_t size = make_file(bytes, header, zeros, data_size);
    dh_status got = read_exactly(read_tensors, bytes, size, 65536);
    if (got != status || !strstr(dh_error_text(), text))
        fail_msg("%s: %s, \"%s\" lacks \"%s\"", header, dh_status_name(got), dh_error_text(), text);
}

#define T(name, dtype, shape, offsets) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void hostile_headers_are_refused(void **state)
{
    (void)state;
    refuse("{" T("a", "F32", "[1]", "[0,4]") "," T("a", "F32", "[1]", "[4,8]") "}", 8, DH_EFORMAT,
           "two tensors have the name \"a\"");
    refuse("{" T("a", "F32", "[1]", "[0,4]") "," T("b", "F32", "[1]", "[2,6]") "}", 6, DH_EFORMAT,
           "\"b\" begins at 2 of the data, the one before ends at 4");
    refuse("{" T("a", "F32", "[1]", "[0,4]") "," T("b", "F32", "[1]", "[6,10]") "}", 10, DH_EFORMAT,
           "begins at 6 of the data, the one before ends at 4");
    refuse("{" T("a", "F32", "[1]", "[0,4]") "}", 5, DH_EFORMAT, "cover 4 bytes of the data, the");
    refuse("{" T("a", "F32", "[1]", "[4,0]") "}", 4, DH_EFORMAT, "data_offsets [4, 0]");
    refuse("{" T("a", "F32", "[1]", "[0,8]") "}", 4, DH_EFORMAT, "the data have 4 bytes");
    refuse("{" T("a", "F32", "[2]", "[0,4]") "}", 4, DH_EFORMAT, "takes 8 bytes, its data_offsets");
    refuse("{" T("a", "F32", "[4294967296,4294967296]", "[0,4]") "}", 4, DH_EFORMAT, "no memory");
    refuse("{" T("a", "F32", "[9223372036854775808]", "[0,4]") "}", 4, DH_EFORMAT, "63 bits");
    refuse("{" T("a", "F32", "[-1]", "[0,4]") "}", 4, DH_EFORMAT,
           "has byte 2d, expected an integer");
    refuse("{" T("a", "F32", "[1.0]", "[0,4]") "}", 4, DH_EFORMAT, "has byte 2e");
    refuse("{" T("a", "F32", "[01]", "[0,4]") "}", 4, DH_EFORMAT, "begins with 0");
    refuse("{" T("a", "F32", "[1,]", "[0,4]") "}", 4, DH_EFORMAT, "expected an integer");
    refuse("{" T("a", "F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, DH_EUNSUPPORTED, "than 8");
    refuse("{" T("a", "F32", "[1]", "[0]") "}", 4, DH_EFORMAT, "has 1 data_offsets");
    refuse("{" T("a", "F32", "[1]", "[0,4,4]") "}", 4, DH_EUNSUPPORTED, "more than 2");
    refuse("{" T("a", "F8_E4M3", "[1]", "[0,1]") "}", 1, DH_EUNSUPPORTED, "dtype \"F8_E4M3\"");
    refuse("{" T("a", "F32", "[1]", "[0,4]") ",}", 4, DH_EFORMAT, "expected a string");
    refuse("{" T("a", "F32", "[1]", "[0,4]") "} x", 4, DH_EFORMAT, "expected the end");
    refuse(" {}", 0, DH_EFORMAT, "expected \"{\"");
    refuse("", 0, DH_EFORMAT, "header ends at offset 8");
    refuse("{\"a\":{}}", 0, DH_EFORMAT, "expected a string");
    refuse("{\"a\":{\"dtype\":\"F32\"}}", 0, DH_EFORMAT, "\"a\" lacks shape");
    refuse("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 0, DH_EFORMAT, "there twice");
    refuse("{\"a\":{\"kind\":1}}", 0, DH_EFORMAT, "key \"kind\" is not one of");
    refuse("{\"a\":[[[[[[[[[[[[[[[[", 0, DH_EFORMAT, "expected \"{\" of a tensor");
    refuse("{\"__metadata__\":{\"a\":1}}", 0, DH_EFORMAT, "expected a string");
    refuse("{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0, DH_EFORMAT, "key \"a\" twice");
    refuse("{\"__metadata__\":{},\"__metadata__\":{}}", 0, DH_EFORMAT, "there twice");
    refuse("{\"a\\u0000\":{}}", 0, DH_EFORMAT, "U+0000");
    refuse("{\"\\ud83d\":{}}", 0, DH_EFORMAT, "low surrogate");
    refuse("{\"\\ude00\":{}}", 0, DH_EFORMAT, "high surrogate");
    refuse("{\"\\x\":{}}", 0, DH_EFORMAT, "after a backslash");
    refuse("{\"\xff\":{}}", 0, DH_EFORMAT, "UTF-8");
    refuse("{\"\n\":{}}", 0, DH_EFORMAT, "control character");
    refuse("{" T("a", "BOOL", "[1]", "[0,1]") "," T("b", "U8", "[1]", "[1,2]"), 2, DH_EFORMAT,
           "ends");
    dh__safetensors *file = NULL;
    uint8_t huge[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    EXPECT_FAIL(DH_EFORMAT, dh__safetensors_parse(&file, huge, 16, "h"), "18446744073709551615",
                "at most 8");
    uint8_t bytes[256];
    size_t size = make_file(bytes, "{" T("a", "BOOL", "[2]", "[0,2]") "}", "\1\2", 2);
    assert_int_equal(read_exactly(read_tensors, bytes, size, 4096), DH_EFORMAT);
    assert_non_null(strstr(dh_error_text(), "is 2, a bool is 0 or 1"));
    assert_null(file);
}

static void utf8_is_checked(void **state)
{
    (void)state;
    static const char *const valid[] = {"",
                                        "a",
                                        "\xc2\x80",
                                        "\xe0\xa0\x80",
                                        "\xed\x9f\xbf",
                                        "\xf0\x90\x80\x80",
                                        "\xf4\x8f\xbf\xbf"};
    static const char *const invalid[] = {"\x80",
                                          "\xc0\x80",
                                          "\xc1\xbf",
                                          "\xc2",
                                          "\xe0\x9f\x80",
                                          "\xed\xa0\x80",
                                          "\xf0\x8f\x80\x80",
                                          "\xf4\x90\x80\x80",
                                          "\xf5\x80\x80\x80",
                                          "\xe1\x80",
                                          "\xe1\x80\x41"};
    for (size_t i = 0; i < DH_COUNT(valid); i++)
        assert_true(dh__utf8_valid(valid[i], strlen(valid[i])));
    for (size_t i = 0; i < DH_COUNT(invalid); i++)
        assert_false(dh__utf8_valid(invalid[i], strlen(invalid[i])));
}

static void every_dtype_goes_round(void **state)
{
    (void)state;
    const char *path = in_dir("r.safetensors"), *names[DH_DTYPE_COUNT + 1];
    char text[DH_DTYPE_COUNT + 1][32];
    dh_tensor *tensors[DH_DTYPE_COUNT + 1], *t;
    for (int d = 0; d < DH_DTYPE_COUNT; d++) {
        (void)snprintf(text[d], sizeof text[d], "\"layer\\%d\"\t", d);
        names[d] = text[d];
        tensors[d] = make(d ? (dh_dtype)d : DH_U8, SHAPE(1, 3), VALUES(1, 0, 1));
    }
    assert_int_equal(dh_tensor_slice(&tensors[DH_DTYPE_COUNT], tensors[1], ":,::-1"), DH_OK);
    names[DH_DTYPE_COUNT] = "view";
    assert_int_equal(dh_tensor_set(tensors[1], (int64_t[]){0, 2}, 5), DH_OK);
    const char *const keys[] = {"k", "l"}, *const values[] = {"v\x01\"", ""};
    assert_int_equal(dh__safetensors_save(path, DH_DTYPE_COUNT + 1, names,
                                          (const dh_tensor *const *)tensors, 2, keys, values),
                     DH_OK);
    dh_safetensors *file;
    assert_int_equal(dh_safetensors_open(&file, path), DH_OK);
    assert_int_equal(dh_safetensors_count(file), DH_DTYPE_COUNT + 1);
    assert_string_equal(dh_safetensors_metadata(file, "k"), "v\x01\"");
    for (int d = 0; d < DH_DTYPE_COUNT; d++) {
        assert_string_equal(dh_safetensors_name(file, d), names[d]);
        assert_int_equal(dh_safetensors_get(&t, file, names[d]), DH_OK);
        expect_same(t, tensors[d]);
        dh_tensor_free(t);
        assert_int_equal(dh_safetensors_map(&t, file, names[d]), DH_OK);
        assert_int_equal((uintptr_t)dh_tensor_data(t) % dh_dtype_size(tensors[d]->view.dtype), 0);
        expect_same(t, tensors[d]);
        assert_int_equal(dh_tensor_fill(t, 0), DH_OK); /* a private page, no fault */
        dh_tensor_free(t);
    }
    assert_int_equal(dh_safetensors_get(&t, file, "view"), DH_OK);
    expect(t, SHAPE(1, 3), VALUES(5, 0, 1));
    t = NULL;
    EXPECT_FAIL(DH_ENAME, dh_safetensors_get(&t, file, "veiw"), "\"veiw\"",
                "did you mean \"view\"");
    EXPECT_FAIL(DH_ENAME, dh_safetensors_map(&t, file, "veiw"), "safetensors_map",
                "did you mean \"view\"");
    EXPECT_FAIL(DH_EINVAL, dh__safetensors_tensor(&t, file, 99), "index is 99", "15 tensors");
    EXPECT_FAIL(DH_EINVAL, dh_safetensors_get(NULL, file, "view"), "out is NULL",
                "safetensors_get");
    EXPECT_FAIL(DH_EINVAL, dh_safetensors_get(&t, NULL, "view"), "file is NULL", "safetensors_get");
    EXPECT_FAIL(DH_EINVAL, dh_safetensors_get(&t, file, NULL), "name is NULL", "safetensors_get");
    assert_null(t);
    dh_safetensors_free(file);
    for (int d = 0; d <= DH_DTYPE_COUNT; d++) dh_tensor_free(tensors[d]);
    assert_int_equal(unlink(path), 0);
}

static void bytes_are_as_expected(void **state)
{
    (void)state;
    size_t size;
    dh_tensor *a = make(DH_U8, SHAPE(2), VALUES(7, 8)), *b = make(DH_I32, 0, NULL, VALUES(-1));
    const char *const names[] = {"a", "b"};
    const dh_tensor *const tensors[] = {a, b};
    const char want[] =
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[4,6]},\"b\":{\"dtype"
        "\":\"I32\",\"shape\":[],\"data_offsets\":[0,4]}}";
    assert_int_equal(dh_safetensors_save(in_dir("s"), names, tensors, 2), DH_OK);
    uint8_t *bytes = take_file(in_dir("s"), &size);
    size_t header = (sizeof want - 1 + 7) / 8 * 8;
    assert_int_equal(size, 8 + header + 6);
    assert_int_equal(dh__le64(bytes), header);
    assert_memory_equal(bytes + 8, want, sizeof want - 1);
    assert_memory_equal(bytes + 8 + header, "\xff\xff\xff\xff\7\x08", 6);
    free(bytes);
    EXPECT_FAIL(DH_EINVAL, dh_safetensors_save(NULL, names, tensors, 2), "path is NULL", "_save");
    EXPECT_FAIL(DH_EINVAL, dh_safetensors_save("x", &(const char *){"\xff"}, tensors, 1), "UTF-8",
                "safetensors_save");
    EXPECT_FAIL(DH_EINVAL, dh_safetensors_save("x", &(const char *){"__metadata__"}, tensors, 1),
                "__metadata__", "names[0]");
    EXPECT_FAIL(DH_EINVAL, dh__safetensors_save("x", 2, names, tensors, 1, NULL, names),
                "keys is NULL", "safetensors_save");
    EXPECT_FAIL(DH_EINVAL,
                dh__safetensors_save("x", 0, NULL, NULL, 2, (const char *const[]){"k", "k"}, names),
                "keys[0] and keys[1] are both \"k\"", "safetensors_save");
    EXPECT_FAIL(DH_EINVAL, dh__safetensors_open(NULL, "x"), "out is NULL", "safetensors_open");
    dh_safetensors *file = NULL;
    EXPECT_FAIL(DH_EINVAL, dh_safetensors_open(&file, NULL), "path is NULL", "safetensors_open");
    EXPECT_FAIL(DH_ENOTFOUND, dh_safetensors_open(&file, in_dir("no")), "/no", "No such");
    assert_null(file);
    dh_safetensors_free(NULL);
    assert_int_equal(dh_safetensors_count(NULL), 0);
    assert_null(dh_safetensors_name(NULL, 0));
    assert_null(dh_safetensors_metadata(NULL, "a"));
    dh_tensor_free(a);
    dh_tensor_free(b);
}

static void a_full_disk_leaves_the_old_file(void **state)
{
    (void)state;
    const char *path = in_dir("full"), *const name = "x";
    dh_tensor *small = counted(DH_U8, SHAPE(3)), *large = counted(DH_F64, SHAPE(300, 300)), *back;
    dh_safetensors *file;
    assert_int_equal(dh_safetensors_save(path, &name, &(const dh_tensor *){small}, 1), DH_OK);
    WITH_FULL_DISK(65536, dh_safetensors_save(path, &name, &(const dh_tensor *){large}, 1));
    assert_int_equal(dh_safetensors_open(&file, path), DH_OK);
    assert_int_equal(dh_safetensors_get(&back, file, "x"), DH_OK);
    expect_same(back, small);
    dh_safetensors_free(file);
    dh_tensor_free(back);
    dh_tensor_free(large);
    dh_tensor_free(small);
    assert_int_equal(unlink(path), 0);
}

/* Another process cuts the file while it is open. */
static void a_cut_file_is_an_error(void **state)
{
    (void)state;
    const char *path = in_dir("cut"), *const name = "x";
    dh_tensor *large = counted(DH_F64, SHAPE(50, 101)), *t = NULL, *whole;
    for (long size = 40000; size >= 0; size -= 4000) {
        dh_safetensors *file;
        assert_int_equal(dh_safetensors_save(path, &name, &(const dh_tensor *){large}, 1), DH_OK);
        assert_int_equal(dh_safetensors_open(&file, path), DH_OK);
        assert_int_equal(dh_safetensors_get(&whole, file, "x"), DH_OK);
        assert_int_equal(truncate(path, size), 0);
        expect_same(whole, large); /* a copy */
        EXPECT_FAIL(DH_EFORMAT, dh_safetensors_get(&t, file, "x"), "safetensors_get",
                    "cut\": ends after");
        EXPECT_FAIL(DH_EFORMAT, dh_safetensors_map(&t, file, "x"), "safetensors_map",
                    "cut\": ends after");
        assert_null(t);
        dh_tensor_free(whole);
        dh_safetensors_free(file);
    }
    assert_int_equal(unlink(path), 0);
    dh_tensor_free(large);
}

static void tensors_are_mapped(void **state)
{
    (void)state;
    const char *path = in_dir("map"), *const names[] = {"big", "odd"};
    dh_tensor *big = counted(DH_F32, SHAPE(300, 301)), *odd = counted(DH_U8, SHAPE(3)), *a, *b, *c;
    dh_safetensors *file;
    assert_int_equal(dh_safetensors_save(path, names, (const dh_tensor *[]){big, odd}, 2), DH_OK);
    assert_int_equal(dh_safetensors_open(&file, path), DH_OK);
    largest_request = 0;
    assert_int_equal(dh_safetensors_map(&a, file, "big"), DH_OK);
    assert_int_equal(dh_safetensors_map(&b, file, "odd"), DH_OK);
    if (!DH_HOST_BIG_ENDIAN && largest_request > 4096)
        fail_msg("%zu bytes were asked for, mapping needs none", largest_request);
    assert_int_equal(dh_safetensors_get(&c, file, "big"), DH_OK);
    assert_true(largest_request >= 300 * 301 * 4);
    dh_safetensors_free(file); /* the tensors keep the file's pages */
    assert_int_equal(unlink(path), 0);
    expect_same(a, big);
    expect_same(b, odd);
    expect_same(c, big);
    assert_int_equal(dh_tensor_fill(a, 0), DH_OK); /* private pages */
    expect_same(c, big);
    dh_tensor_free(a);
    dh_tensor_free(b);
    dh_tensor_free(c);
    dh_tensor_free(big);
    dh_tensor_free(odd);
}

static dh_status work(void *context)
{
    const char *const names[] = {"a", "b"}, *const keys[] = {"k"};
    const dh_tensor *const tensors[] = {context, context};
    dh_safetensors *file = NULL;
    dh_tensor *a = NULL, *b = NULL;
    dh_status status = dh__safetensors_save(in_dir("w"), 2, names, tensors, 1, keys, keys);
    if (!status) status = dh_safetensors_open(&file, in_dir("w"));
    if (!status) status = dh_safetensors_get(&a, file, "a");
    if (!status) status = dh_safetensors_map(&b, file, "b");
    dh_tensor_free(b);
    dh_safetensors_free(file);
    dh_tensor_free(a);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    dh_tensor *t = counted(DH_U8, SHAPE(3));
    fail_each_allocation(work, t);
    assert_int_equal(unlink(in_dir("w")), 0);
    dh_tensor_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read),
        cmocka_unit_test(hostile_headers_are_refused),
        cmocka_unit_test(utf8_is_checked),
        cmocka_unit_test(every_dtype_goes_round),
        cmocka_unit_test(bytes_are_as_expected),
        cmocka_unit_test(a_full_disk_leaves_the_old_file),
        cmocka_unit_test(a_cut_file_is_an_error),
        cmocka_unit_test(tensors_are_mapped),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, open_test_dir, close_test_dir);
}
