/* SPDX-License-Identifier: MIT */
#include "io_test.h"

/* A file with this header text (version 1 to 3) and data. */
static size_t make_npy(uint8_t *out, int version, const char *text, const void *data, size_t size)
{
    size_t length = strlen(text), start = version == 1 ? 10 : 12;
    memcpy(out, "\x93NUMPY\0\0", 8);
    out[6] = (uint8_t)version;
    dh__put_le(out + 8, length, version == 1 ? 2 : 4);
    memcpy(out + start, text, length);
    memcpy(out + start + length, data, size);
    return start + length + size;
}

static dh_status read_npy(const uint8_t *data, size_t size, const char *what)
{
    dh_tensor *t = NULL;
    dh_status status = dh__npy_parse(&t, data, size, what);
    assert_true((status == DH_OK) == (t != NULL));
    dh_tensor_free(t);
    return status;
}

static dh_status parse(dh_tensor **out, int version, const char *text, const void *data,
                       size_t size)
{
    uint8_t file[1024];
    size_t total = make_npy(file, version, text, data, size);
    return dh__npy_parse(out, file, total, "x.npy");
}

static void numpy_files_are_read(void **state)
{
    (void)state;
    dh_tensor *t;
    const float f[] = {1, 2, 3, 4, 5, 6};
    const uint8_t swapped[] = {0, 1, 0x80, 0}, big[] = {0x3f, 0xf8, 0, 0, 0, 0, 0, 0};
    for (int version = 1; version <= 3; version++) {
        assert_int_equal(parse(&t, version,
                               "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }  \n", f,
                               sizeof f),
                         DH_OK);
        expect(t, SHAPE(2, 3), VALUES(1, 2, 3, 4, 5, 6));
    }
    assert_int_equal(
        parse(&t, 1, "{\"shape\":(3L,2L),\"fortran_order\":True,\"descr\":\"<f4\"}", f, sizeof f),
        DH_OK);
    expect(t, SHAPE(3, 2), VALUES(1, 4, 2, 5, 3, 6));
    assert_int_equal(parse(&t, 1, "{'descr':'>i2','fortran_order':False,'shape':(2,)}", swapped, 4),
                     DH_OK);
    expect(t, SHAPE(2), VALUES(1, -32768));
    assert_int_equal(parse(&t, 1, "{'descr':'>f8','fortran_order':True,'shape':()}", big, 8),
                     DH_OK);
    assert_int_equal(dh_tensor_ndim(t), 0);
    assert_true(element(t, 0) == 1.5);
    dh_tensor_free(t);
    assert_int_equal(parse(&t, 1, "{'descr':'|b1','fortran_order':True,'shape':(2,0,3)}", "", 0),
                     DH_OK);
    expect_shape(t, SHAPE(2, 0, 3));
    dh_tensor_free(t);
}

static void every_dtype_goes_round(void **state)
{
    (void)state;
    const char *path = in_dir("t.npy");
    for (int d = 1; d < DH_DTYPE_COUNT; d++) {
        dh_tensor *t = make((dh_dtype)d, SHAPE(2, 1, 3), VALUES(0, 1, 1, 0, 1, 0)), *back = NULL;
        if (d == DH_BF16) {
            EXPECT_FAIL(DH_EDTYPE, dh_tensor_save_npy(t, path), "bf16", "dh_tensor_cast");
        } else {
            assert_int_equal(dh_tensor_save_npy(t, path), DH_OK);
            assert_int_equal(dh_tensor_load_npy(&back, path), DH_OK);
            expect_same(back, t);
            assert_int_equal(unlink(path), 0);
        }
        dh_tensor_free(back);
        dh_tensor_free(t);
    }
}

static void header_is_numpys(void **state)
{
    (void)state;
    size_t size;
    dh_tensor *t = counted(DH_U16, SHAPE(3)), *scalar = make(DH_F64, 0, NULL, VALUES(7));
    assert_int_equal(dh_tensor_save_npy(t, in_dir("a.npy")), DH_OK);
    uint8_t *file = take_file(in_dir("a.npy"), &size);
    assert_int_equal(size, 128 + 6);
    assert_memory_equal(file, "\x93NUMPY\x01\x00\x76\x00", 10);
    const char text[] = "{'descr': '<u2', 'fortran_order': False, 'shape': (3,), }   ";
    assert_memory_equal(file + 10, text, sizeof text - 1);
    assert_int_equal(file[127], '\n');
    assert_memory_equal(file + 128, "\0\0\1\0\2\0", 6);
    free(file);
    assert_int_equal(dh_tensor_save_npy(scalar, in_dir("a.npy")), DH_OK);
    file = take_file(in_dir("a.npy"), &size);
    assert_non_null(strstr((char *)file + 10, "'shape': (), }"));
    free(file);
    dh_tensor_free(scalar);
    dh_tensor_free(t);
}

static void views_are_packed(void **state)
{
    (void)state;
    const char *path = in_dir("v.npy");
    dh_tensor *t = counted(DH_I32, SHAPE(2, 3)), *turned, *back;
    assert_int_equal(dh_tensor_permute(&turned, t, NULL), DH_OK);
    assert_int_equal(dh_tensor_save_npy(turned, path), DH_OK);
    assert_int_equal(dh_tensor_load_npy(&back, path), DH_OK);
    expect(back, SHAPE(3, 2), VALUES(0, 3, 1, 4, 2, 5));
    assert_int_equal(unlink(path), 0);
    dh_tensor_free(turned);
    dh_tensor_free(t);
}

#define REFUSES(status, text, part) \
    EXPECT_FAIL(status, parse(&out, 1, text, "\1\2\3\4", 4), part, "tensor_load_npy \"x.npy\": ")

static void bad_headers_are_named(void **state)
{
    (void)state;
    dh_tensor *mark = (dh_tensor *)&state, *out = mark;
#define DICT(descr, order, shape) \
    "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape "}"
    REFUSES(DH_EFORMAT, DICT("'<f4'", "False", "(2,)"),
            "takes 8 bytes from offset 65, the file has 4");
    REFUSES(DH_EFORMAT, DICT("'<f4'", "False", "()") "x", "has byte 78");
    REFUSES(DH_EFORMAT, DICT("'<f4'", "False", "(1)"), "\",\" after the first");
    REFUSES(DH_EFORMAT, DICT("'<f4'", "False", "(-1,)"), "a length");
    REFUSES(DH_EFORMAT, DICT("'<f4'", "Falsch", "(1,)"), "True or False");
    REFUSES(DH_EFORMAT, DICT("'|f4'", "False", "(1,)"), "no byte order");
    REFUSES(DH_EFORMAT, DICT("'<f4'", "False", "(9223372036854775808,)"), "fits no i64");
    REFUSES(DH_EFORMAT, DICT("'<f4'", "False", "(4294967296, 4294967296)"), "fits in no memory");
    REFUSES(DH_EFORMAT, DICT("'<f4'", "False", "(9223372036854775807, 0, 9)"), "fits in no memory");
    REFUSES(DH_EUNSUPPORTED, DICT("'<f4'", "False", "(1,1,1,1,1,1,1,1,1)"), "more than 8 axes");
    REFUSES(DH_EUNSUPPORTED, DICT("'<c8'", "False", "()"), "descr \"<c8\"");
    REFUSES(DH_EUNSUPPORTED, DICT("'|O'", "False", "()"), "descr \"|O\"");
    REFUSES(DH_EUNSUPPORTED, DICT("[('a', '<f4')]", "False", "()"), "structured");
    REFUSES(DH_EFORMAT, DICT("'|b1'", "False", "(4,)"), "is 2, a bool is 0 or 1");
    REFUSES(DH_EFORMAT, "{'descr': '<f4', 'fortran_order': False}", "lacks shape");
    REFUSES(DH_EFORMAT, "{'shape': (), 'shape': ()}", "key \"shape\" is there twice");
    REFUSES(DH_EFORMAT, "{'shop': ()}", "key \"shop\" is not one of");
    REFUSES(DH_EFORMAT, "", "header ends at offset 10");
    const uint8_t version[] = "\x93NUMPY\x04\x01\0\0\0\0", magic[] = "\x93numpy\x01\0\0\0";
    EXPECT_FAIL(DH_EUNSUPPORTED, dh__npy_parse(&out, version, 12, "y"), "4.1", "1.0, 2.0, 3.0");
    EXPECT_FAIL(DH_EFORMAT, dh__npy_parse(&out, magic, 10, "y"), "NUMPY", "\"y\"");
    EXPECT_FAIL(DH_EFORMAT,
                dh__npy_parse(&out, (const uint8_t *)"\x93NUMPY\x02\0\xff\xff\xff\xff", 12, "y"),
                "4294967295", "file 0");
    assert_ptr_equal(out, mark);
}

static void bad_arguments_are_named(void **state)
{
    (void)state;
    dh_tensor *t = counted(DH_F32, SHAPE(2)), *mark = t;
    EXPECT_FAIL(DH_EINVAL, dh_tensor_load_npy(NULL, "x"), "tensor_load_npy", "out is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_load_npy(&t, NULL), "tensor_load_npy", "path is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_save_npy(NULL, "x"), "tensor_save_npy", "x is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_save_npy(t, NULL), "tensor_save_npy", "path is NULL");
    EXPECT_FAIL(DH_ENOTFOUND, dh_tensor_load_npy(&t, in_dir("none.npy")), "none.npy", "No such");
    EXPECT_FAIL(DH_ENOTFOUND, dh_tensor_save_npy(t, in_dir("no/dir.npy")), "dir.npy", "No such");
    assert_ptr_equal(t, mark);
    dh_tensor_free(t);
}

static void damage_is_survived(void **state)
{
    (void)state;
    uint8_t file[512];
    size_t size = make_npy(file, 1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 1), }\n",
                           "abcdefgh", 8);
    damage(read_npy, file, size, 64, true);
    size =
        make_npy(file, 3, "{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }", "\1\0\1", 3);
    damage(read_npy, file, size, 64, true);
}

static void a_full_disk_leaves_the_old_file(void **state)
{
    (void)state;
    const char *path = in_dir("full.npy");
    dh_tensor *small = counted(DH_U8, SHAPE(3)), *large = counted(DH_F64, SHAPE(300, 300)), *back;
    assert_int_equal(dh_tensor_save_npy(small, path), DH_OK);
    WITH_FULL_DISK(65536, dh_tensor_save_npy(large, path));
    assert_int_equal(dh_tensor_load_npy(&back, path), DH_OK);
    expect_same(back, small);
    assert_int_equal(unlink(path), 0);
    dh_tensor_free(back);
    dh_tensor_free(large);
    dh_tensor_free(small);
}

static dh_status go_round(void *context)
{
    dh_tensor *back;
    dh_status status = dh_tensor_save_npy(context, in_dir("r.npy"));
    if (!status) status = dh_tensor_load_npy(&back, in_dir("r.npy"));
    if (!status) dh_tensor_free(back);
    return status;
}

static dh_status load_fortran(void *context)
{
    dh_tensor *t;
    dh_status status =
        parse(&t, 1, "{'descr':'<i2','fortran_order':True,'shape':(2,2)}", context, 8);
    if (!status) dh_tensor_free(t);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    dh_tensor *t = counted(DH_F32, SHAPE(2, 3)), *turned;
    assert_int_equal(dh_tensor_permute(&turned, t, NULL), DH_OK);
    fail_each_allocation(go_round, turned);
    fail_each_allocation(load_fortran, (uint8_t[8]){1});
    assert_int_equal(unlink(in_dir("r.npy")), 0);
    dh_tensor_free(turned);
    dh_tensor_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numpy_files_are_read),
        cmocka_unit_test(every_dtype_goes_round),
        cmocka_unit_test(header_is_numpys),
        cmocka_unit_test(views_are_packed),
        cmocka_unit_test(bad_headers_are_named),
        cmocka_unit_test(bad_arguments_are_named),
        cmocka_unit_test(damage_is_survived),
        cmocka_unit_test(a_full_disk_leaves_the_old_file),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, open_test_dir, close_test_dir);
}
