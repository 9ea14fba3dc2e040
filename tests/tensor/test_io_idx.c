/* SPDX-License-Identifier: MIT */
/* idx files, and the choice of a format by extension. */
#include "io_test.h"

#include <sys/stat.h>

#include <deephealth/datasets.h>

#include "inflate.h"

/* [2, 50] u8, all 0 */
static const uint8_t packed[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x63,
                                 0x60, 0xe0, 0x60, 0x62, 0x60, 0x60, 0x00, 0x61, 0x23, 0x06, 0x3a,
                                 0x00, 0x00, 0x65, 0x8d, 0xb6, 0x08, 0x70, 0x00, 0x00, 0x00};

static dh_status read_idx(const uint8_t *data, size_t size, const char *what)
{
    dh_tensor *t;
    dh_status status = dh__idx_parse(&t, data, size, what);
    if (!status) dh_tensor_free(t);
    return status;
}

static dh_status parse(dh_tensor **out, const char *bytes, size_t size)
{
    return dh__idx_parse(out, (const uint8_t *)bytes, size, "x-idx");
}

static void every_type_is_read(void **state)
{
    (void)state;
    dh_tensor *t;
    static const char bytes[] = "\0\0\x08\2\0\0\0\1\0\0\0\3\x05\x06\xff";
    assert_int_equal(dh_tensor_load_idx(&t, write_file("a", bytes, sizeof bytes - 1)), DH_OK);
    assert_int_equal(dh_tensor_dtype(t), DH_U8);
    expect(t, SHAPE(1, 3), VALUES(5, 6, 255));
    assert_int_equal(unlink(in_dir("a")), 0);
    assert_int_equal(parse(&t, "\0\0\x09\1\0\0\0\1\xff", 9), DH_OK);
    expect(t, SHAPE(1), VALUES(-1));
    assert_int_equal(parse(&t, "\0\0\x0b\1\0\0\0\2\1\0\xff\xfe", 12), DH_OK);
    expect(t, SHAPE(2), VALUES(256, -2));
    assert_int_equal(parse(&t, "\0\0\x0c\1\0\0\0\1\0\1\0\0", 12), DH_OK);
    expect(t, SHAPE(1), VALUES(65536));
    assert_int_equal(parse(&t, "\0\0\x0d\1\0\0\0\1\x3f\xc0\0\0", 12), DH_OK);
    expect(t, SHAPE(1), VALUES(1.5));
    assert_int_equal(parse(&t, "\0\0\x0e\1\0\0\0\1\xc0\0\0\0\0\0\0\0", 16), DH_OK);
    expect(t, SHAPE(1), VALUES(-2));
    damage(read_idx, (const uint8_t *)bytes, sizeof bytes - 1, 64, true);
}

static void bad_files_are_named(void **state)
{
    (void)state;
    dh_tensor *out = NULL;
    EXPECT_FAIL(DH_EFORMAT, parse(&out, "\0\1\x08\1\0\0\0\1\0", 9), "begins with bytes 00 01",
                "x-idx");
    EXPECT_FAIL(DH_EFORMAT, parse(&out, "\0\0\x0a\1\0\0\0\1\0", 9), "type at offset 2 is 0a",
                "x-idx");
    EXPECT_FAIL(DH_EFORMAT, parse(&out, "\0\0\x08\x09\0\0\0\1\0", 9), "ndim at offset 3 is 9", "8");
    EXPECT_FAIL(DH_EFORMAT, parse(&out, "\0\0\x08\1\xff\xff\xff\xff\0", 9), "takes 4294967295",
                "has 1");
    EXPECT_FAIL(DH_EFORMAT,
                parse(&out, "\0\0\x0e\3\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0", 17),
                "fits in no memory", "[4294967295, 4294967295, 4294967295]");
    EXPECT_FAIL(DH_EFORMAT, parse(&out, "\0\0\x08\2\0\0\0\1", 8), "8 bytes", "2 axes has 12");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_load_idx(NULL, "x"), "out is NULL", "tensor_load_idx");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_load_idx(&out, NULL), "path is NULL", "tensor_load_idx");
    assert_null(out);
}

static dh_status load_packed(void *context)
{
    dh_tensor *t;
    (void)context;
    dh_status status = dh__idx_parse(&t, packed, sizeof packed, "p.gz");
    if (!status) dh_tensor_free(t);
    return status;
}

static void gzip_is_read(void **state)
{
    (void)state;
    dh_tensor *t = NULL;
    dh_status status = dh__idx_parse(&t, packed, sizeof packed, "p.gz");
    if (status == DH_EMISSING) skip();
    assert_int_equal(status, DH_OK);
    expect_shape(t, SHAPE(2, 50));
    dh_tensor_free(t);
    damage(read_idx, packed, sizeof packed, 1100, false);
    for (size_t cut = 0; cut < sizeof packed; cut++)
        assert_int_equal(read_exactly(read_idx, packed, cut, 65536), DH_EFORMAT);
    fail_each_allocation(load_packed, NULL);
}

/* Known of the real file: 10,000 labels, the first a 7, each digit as often as LeCun's set has it.
 */
static void mnist_is_read(void **state)
{
    (void)state;
    static const int expected[10] = {980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009};
    const char *shared = getenv("DH_SHARED");
    char path[1024];
    dh_tensor *t;
    int counts[10] = {0};
    (void)snprintf(path, sizeof path, "%s/data/mnist/t10k-labels-idx1-ubyte.gz",
                   shared ? shared : "");
    if (!dh__file_exists(path)) skip();
    dh_status status = dh_tensor_load_idx(&t, path);
    if (status == DH_EMISSING) skip();
    assert_int_equal(status, DH_OK);
    expect_shape(t, SHAPE(10000));
    const uint8_t *labels = dh_tensor_data(t);
    assert_int_equal(labels[0], 7);
    for (int i = 0; i < 10000; i++) counts[labels[i] % 10]++;
    assert_memory_equal(counts, expected, sizeof counts);
    dh_tensor_free(t);
}

static void extension_chooses(void **state)
{
    (void)state;
    static const char *const names[] = {"x.npy", "x.npz", "x.bin", "x.csv",
                                        "x.tsv", "x.txt", "y.NPY"};
    dh_tensor *t = counted(DH_F32, SHAPE(3, 2)), *back = NULL;
    for (size_t i = 0; i < DH_COUNT(names); i++) {
        assert_int_equal(dh_tensor_save(t, in_dir(names[i])), DH_OK);
        assert_int_equal(dh_tensor_load(&back, in_dir(names[i])), DH_OK);
        expect_same(back, t);
        dh_tensor_free(back);
        assert_int_equal(unlink(in_dir(names[i])), 0);
    }
    back = NULL;
    EXPECT_FAIL(DH_ENAME, dh_tensor_load(&back, "x.npu"), "\"npu\"", "did you mean \"npy\"");
    EXPECT_FAIL(DH_ENAME, dh_tensor_load(&back, "a.b/x"), "extension \"\"", "known: npy, npz, bin");
    EXPECT_FAIL(DH_ENAME, dh_tensor_save(t, "x.jpeg"), "\"jpeg\"", "tensor_save");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_load(NULL, "x.npy"), "out is NULL", "tensor_load");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_load(&back, NULL), "path is NULL", "tensor_load");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_save(NULL, "x.npy"), "x is NULL", "tensor_save");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_save(t, NULL), "path is NULL", "tensor_save");
    assert_null(back);
    dh_tensor_free(t);
}

/* Whatever keeps the files from being had, the answer is that they are not there; files that are
 * there and wrong are another. */
static void mnist_that_cannot_be_had(void **state)
{
    (void)state;
    static const char *const names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                        "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};
    dh_tensor *t[4] = {NULL, NULL, NULL, NULL};
    assert_int_equal(setenv("https_proxy", "http://127.0.0.1:9", 1), 0); /* no way out */
    assert_int_equal(setenv("DEEPHEALTH_DATA", test_dir, 1), 0);
    EXPECT_FAIL(DH_ENOTFOUND, dh_mnist_load(NULL, &t[0], &t[1], &t[2], &t[3]), "mnist_load: \"",
                "/mnist/train-images-idx3-ubyte.gz\" is not there and can't be");
    EXPECT_FAIL(DH_ENOTFOUND, dh_mnist_load(NULL, &t[0], &t[1], &t[2], &t[3]),
                "set DEEPHEALTH_DATA to a folder that holds mnist/", "");
    assert_int_equal(access(in_dir("mnist"), F_OK), -1); /* nothing came: no folder is made */
    assert_int_equal(mkdir(in_dir("mnist"), 0777), 0);
    for (int i = 0; i < 4; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "mnist/%s", names[i]);
        (void)write_file(name, "\0\0\x08\x09 wrong", 10);
    }
    EXPECT_FAIL(DH_EFORMAT, dh_mnist_load(NULL, &t[0], &t[1], &t[2], &t[3]),
                "mnist_load: ", "ndim at offset 3 is 9");
    for (int i = 0; i < 4; i++) {
        char name[64];
        assert_null(t[i]);
        (void)snprintf(name, sizeof name, "mnist/%s", names[i]);
        assert_int_equal(unlink(in_dir(name)), 0);
    }
    assert_int_equal(rmdir(in_dir("mnist")), 0);
    (void)write_file("mnist", "", 0); /* no folder can be made */
    EXPECT_FAIL(DH_ENOTFOUND, dh_mnist_load(NULL, &t[0], &t[1], &t[2], &t[3]), "can't be had",
                "mnist_load");
    assert_int_equal(unlink(in_dir("mnist")), 0);
    assert_int_equal(unsetenv("DEEPHEALTH_DATA"), 0);
    assert_int_equal(unsetenv("https_proxy"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_read), cmocka_unit_test(bad_files_are_named),
        cmocka_unit_test(gzip_is_read),       cmocka_unit_test(mnist_is_read),
        cmocka_unit_test(extension_chooses),  cmocka_unit_test(mnist_that_cannot_be_had),
    };
    return cmocka_run_group_tests(tests, open_test_dir, close_test_dir);
}
