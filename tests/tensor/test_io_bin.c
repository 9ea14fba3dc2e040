/* SPDX-License-Identifier: MIT */
/* .bin and raw files. */
#include "io_test.h"

/* ndim 2, [3, 2], 0 .. 5 */
static const uint8_t file[] = {2, 0, 0,    0,    3, 0, 0,    0,    2, 0, 0,    0,
                               0, 0, 0,    0,    0, 0, 0x80, 0x3f, 0, 0, 0,    0x40,
                               0, 0, 0x40, 0x40, 0, 0, 0x80, 0x40, 0, 0, 0xa0, 0x40};

static dh_status read_bin(const uint8_t *data, size_t size, const char *what)
{
    dh_tensor *t;
    dh_status status = dh__bin_parse(&t, data, size, what);
    if (!status) dh_tensor_free(t);
    return status;
}

static dh_status read_rows(const uint8_t *data, size_t size, const char *what)
{
    dh_tensor *t;
    dh_status status = dh__bin_parse_rows(&t, data, size, what, 1, 2);
    if (!status) dh_tensor_free(t);
    return status;
}

static void bin_is_eddls(void **state)
{
    (void)state;
    size_t size;
    dh_tensor *t, *wrong = counted(DH_F64, SHAPE(2));
    assert_int_equal(dh_tensor_load_bin(&t, write_file("a.bin", file, sizeof file)), DH_OK);
    assert_int_equal(dh_tensor_save_bin(t, in_dir("b.bin")), DH_OK);
    expect(t, SHAPE(3, 2), VALUES(0, 1, 2, 3, 4, 5));
    uint8_t *again = take_file(in_dir("b.bin"), &size);
    assert_int_equal(size, sizeof file);
    assert_memory_equal(again, file, size);
    free(again);
    EXPECT_FAIL(DH_EDTYPE, dh_tensor_save_bin(wrong, in_dir("b.bin")), "f64", "f32");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_save_bin(NULL, "x"), "x is NULL", "tensor_save_bin");
    dh_tensor_free(wrong);
    assert_int_equal(unlink(in_dir("a.bin")), 0);
}

static void rows_are_read(void **state)
{
    (void)state;
    dh_tensor *t, *mark;
    const char *path = write_file("a.bin", file, sizeof file);
    assert_int_equal(dh_tensor_load_bin_rows(&t, path, 1, 3), DH_OK);
    expect(t, SHAPE(2, 2), VALUES(2, 3, 4, 5));
    assert_int_equal(dh_tensor_load_bin_rows(&t, path, 3, 3), DH_OK);
    expect(t, SHAPE(0, 2), NULL);
    mark = t = NULL;
    EXPECT_FAIL(DH_EINVAL, dh_tensor_load_bin_rows(&t, path, 2, 4), "first is 2, last is 4",
                "[0, 3]");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_load_bin_rows(&t, path, 2, 1), "first is 2, last is 1",
                "in order");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_load_bin_rows(&t, path, -1, 1), "first is -1", "[0, 3]");
    EXPECT_FAIL(DH_ESHAPE,
                dh__bin_parse_rows(&t, (const uint8_t *)"\0\0\0\0\0\0\0\0", 8, "s", 0, 1), "scalar",
                "\"s\"");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_load_bin_rows(NULL, path, 0, 1), "out is NULL", "bin_rows");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_load_bin_rows(&t, NULL, 0, 1), "path is NULL", "bin_rows");
    assert_ptr_equal(t, mark);
    assert_int_equal(unlink(path), 0);
}

static dh_status parse(dh_tensor **out, const char *bytes, size_t size)
{
    return dh__bin_parse(out, (const uint8_t *)bytes, size, "x.bin");
}

static void hostile_sizes_are_refused(void **state)
{
    (void)state;
    dh_tensor *out = NULL;
    EXPECT_FAIL(DH_EFORMAT, parse(&out, "\x00\xca\x9a\x3b", 4), "ndim at offset 0 is 1000000000",
                "[0, 8]");
    EXPECT_FAIL(DH_EFORMAT, parse(&out, "\xff\xff\xff\xff", 4), "ndim at offset 0 is -1", "[0, 8]");
    EXPECT_FAIL(DH_EFORMAT, parse(&out, "\1\0\0\0\xfe\xff\xff\xff", 8), "dims[0] at offset 4 is -2",
                "at least 0");
    EXPECT_FAIL(DH_EFORMAT,
                parse(&out, "\3\0\0\0\xff\xff\xff\x7f\xff\xff\xff\x7f\xff\xff\xff\x7f", 16),
                "fits in no memory", "[2147483647, 2147483647, 2147483647]");
    EXPECT_FAIL(DH_EFORMAT, parse(&out, "\1\0\0\0\xff\xff\xff\x7f", 8), "takes 8589934588 bytes",
                "has 0");
    EXPECT_FAIL(DH_EFORMAT, parse(&out, "\1\0\0\0\1\0\0\0abcde", 13), "takes 4 bytes", "has 5");
    assert_null(out);
    damage(read_bin, file, sizeof file, 64, true);
    damage(read_rows, file, sizeof file, 64, true);
}

static void raw_goes_round(void **state)
{
    (void)state;
    dh_tensor *t = counted(DH_I16, SHAPE(3, 2)), *turned, *back = NULL, *mapped, *part;
    const char *path = in_dir("t.raw");
    assert_int_equal(dh_tensor_permute(&turned, t, NULL), DH_OK);
    assert_int_equal(dh_tensor_save_raw(turned, path), DH_OK);
    EXPECT_FAIL(DH_EFORMAT, dh_tensor_load_raw(&back, path, DH_I16, SHAPE(7)), "takes 14 bytes",
                "has 12");
    EXPECT_FAIL(DH_EFORMAT, dh_tensor_map_raw(&back, path, DH_F64, SHAPE(1)), "takes 8 bytes",
                "has 12");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_load_raw(&back, path, DH_I16, SHAPE(-6)), "shape[0] is -6",
                "tensor_load_raw");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_map_raw(&back, path, DH_I16, 9, NULL), "ndim is 9", "[0, 8]");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_map_raw(&back, path, DH_I16, 1, NULL), "shape is NULL", "map");
    EXPECT_FAIL(DH_EDTYPE, dh_tensor_load_raw(&back, path, 99, SHAPE(6)), "dtype is 99", "raw");
    EXPECT_FAIL(DH_EFORMAT, dh_tensor_load_raw(&back, path, DH_BOOL, SHAPE(12)), "is 2", "bool");
    EXPECT_FAIL(DH_EFORMAT, dh_tensor_map_raw(&back, path, DH_BOOL, SHAPE(12)), "is 2", "offset 2");
    assert_null(back);
    assert_int_equal(dh_tensor_load_raw(&back, path, DH_I16, SHAPE(2, 3)), DH_OK);
    expect(back, SHAPE(2, 3), VALUES(0, 2, 4, 1, 3, 5));
    assert_int_equal(dh_tensor_map_raw(&mapped, path, DH_I16, SHAPE(2, 3)), DH_OK);
    assert_int_equal(dh_tensor_slice(&part, mapped, "1"), DH_OK);
    /* memory changes, the file does not */
    assert_int_equal(dh_tensor_set(mapped, (int64_t[]){1, 0}, 77), DH_OK);
    dh_tensor_free(mapped);
    expect(part, SHAPE(3), VALUES(77, 3, 5));
    assert_int_equal(dh_tensor_load_raw(&back, path, DH_I16, SHAPE(6)), DH_OK);
    expect(back, SHAPE(6), VALUES(0, 2, 4, 1, 3, 5));
    assert_int_equal(unlink(path), 0);
    dh_tensor_free(turned);
    dh_tensor_free(t);
}

static void empty_files_are_empty_tensors(void **state)
{
    (void)state;
    dh_tensor *t;
    const char *path = write_file("empty", "", 0);
    assert_int_equal(dh_tensor_map_raw(&t, path, DH_F32, SHAPE(0, 5)), DH_OK);
    expect(t, SHAPE(0, 5), NULL);
    EXPECT_FAIL(DH_EFORMAT, dh_tensor_load_bin(&t, path), "0 bytes", "at least 4");
    assert_int_equal(unlink(path), 0);
    EXPECT_FAIL(DH_ENOTFOUND, dh_tensor_map_raw(&t, path, DH_F32, SHAPE(1)), "empty", "No such");
    EXPECT_FAIL(DH_EIO, dh_tensor_map_raw(&t, test_dir, DH_F32, SHAPE(1)), test_dir, "directory");
}

static dh_status work(void *context)
{
    dh_tensor *a = NULL, *b = NULL, *c = NULL;
    dh_status status = dh_tensor_save_bin(context, in_dir("w.bin"));
    if (!status) status = dh_tensor_load_bin(&a, in_dir("w.bin"));
    if (!status) status = dh_tensor_load_bin_rows(&b, in_dir("w.bin"), 0, 1);
    if (!status) status = dh_tensor_map_raw(&c, in_dir("w.bin"), DH_U8, SHAPE(20));
    dh_tensor_free(a);
    dh_tensor_free(b);
    dh_tensor_free(c);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    dh_tensor *t = counted(DH_F32, SHAPE(2, 1));
    fail_each_allocation(work, t);
    dh_tensor_free(t);
    assert_int_equal(unlink(in_dir("w.bin")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bin_is_eddls),
        cmocka_unit_test(rows_are_read),
        cmocka_unit_test(hostile_sizes_are_refused),
        cmocka_unit_test(raw_goes_round),
        cmocka_unit_test(empty_files_are_empty_tensors),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, open_test_dir, close_test_dir);
}
