/* SPDX-License-Identifier: MIT */
/* A mistake, or more, in each function of tensor_io.h for .bin, text, raw and idx, and in
 * datasets.h. */
#include "mistakes_io.h"

#include <deephealth/datasets.h>

static void eddl(void **state)
{
    (void)state;
    EXPECT(DH_EINVAL, "tensor_load_bin: out is NULL", dh_tensor_load_bin(NULL, "x.bin"));
    EXPECT(DH_EINVAL, "tensor_load_bin: path is NULL", dh_tensor_load_bin(&out, NULL));
    EXPECT(DH_ENOTFOUND, "tensor_load_bin \"x.bin\": No such file or directory",
           dh_tensor_load_bin(&out, "x.bin"));
    PUT("x.bin", "\1\0");
    EXPECT(DH_EFORMAT, "tensor_load_bin \"x.bin\": 2 bytes, the header has at least 4",
           dh_tensor_load_bin(&out, "x.bin"));
    PUT("x.bin", "\11\0\0\0");
    EXPECT(DH_EFORMAT, "tensor_load_bin \"x.bin\": ndim at offset 0 is 9, must be in [0, 8]",
           dh_tensor_load_bin(&out, "x.bin"));
    PUT("x.bin", "\1\0\0\0\3\0\0\0\0\0\0\0");
    EXPECT(
        DH_EFORMAT,
        "tensor_load_bin \"x.bin\": shape [3] of f32 takes 12 bytes from offset 8, the file has 4",
        dh_tensor_load_bin(&out, "x.bin"));
    EXPECT(DH_EFORMAT,
           "tensor_load_bin_rows \"x.bin\": the header asks for 12 bytes from offset 8, the file "
           "has 4",
           dh_tensor_load_bin_rows(&out, "x.bin", 0, 1));
    EXPECT(DH_EINVAL, "tensor_save_bin: x is NULL", dh_tensor_save_bin(NULL, "x.bin"));
    EXPECT(DH_EINVAL, "tensor_save_bin: path is NULL", dh_tensor_save_bin(f_3, NULL));
    EXPECT(DH_EDTYPE, "tensor_save_bin: x is i32, the format holds f32: dh_tensor_cast first",
           dh_tensor_save_bin(i_3, "x.bin"));
    EXPECT(DH_ENOTFOUND, "tensor_save_bin: write \"no/x.bin\": No such file or directory",
           dh_tensor_save_bin(f_3, "no/x.bin"));
    assert_int_equal(dh_tensor_save_bin(f_2_3, "x.bin"), DH_OK);
    EXPECT(DH_EINVAL, "tensor_load_bin_rows: out is NULL",
           dh_tensor_load_bin_rows(NULL, "x.bin", 0, 1));
    EXPECT(DH_EINVAL, "tensor_load_bin_rows: path is NULL",
           dh_tensor_load_bin_rows(&out, NULL, 0, 1));
    EXPECT(DH_ENOTFOUND, "tensor_load_bin_rows \"y.bin\": No such file or directory",
           dh_tensor_load_bin_rows(&out, "y.bin", 0, 1));
    EXPECT(DH_EINVAL,
           "tensor_load_bin_rows \"x.bin\": first is 1, last is 3, must be in [0, 2] and in order",
           dh_tensor_load_bin_rows(&out, "x.bin", 1, 3));
    EXPECT(DH_EINVAL,
           "tensor_load_bin_rows \"x.bin\": first is 2, last is 1, must be in [0, 2] and in order",
           dh_tensor_load_bin_rows(&out, "x.bin", 2, 1));
    EXPECT(DH_EINVAL,
           "tensor_load_bin_rows \"x.bin\": first is -1, last is 1, must be in [0, 2] and in order",
           dh_tensor_load_bin_rows(&out, "x.bin", -1, 1));
    assert_int_equal(dh_tensor_save_bin(f_scalar, "x.bin"), DH_OK);
    EXPECT(DH_ESHAPE, "tensor_load_bin_rows \"x.bin\": a scalar has no rows",
           dh_tensor_load_bin_rows(&out, "x.bin", 0, 0));
    assert_int_equal(remove("x.bin"), 0);
    none_wrong();
}

static void tables(void **state)
{
    (void)state;
    PUT("x.csv", "1,2\n3\n");
    PUT("y.csv", "1,a\n");
    PUT("z.csv", "1,300\n");
    EXPECT(DH_EINVAL, "tensor_load_csv: out is NULL", dh_tensor_load_csv(NULL, "x.csv"));
    EXPECT(DH_EINVAL, "tensor_load_csv: args is NULL", (dh_tensor_load_csv)(&out, NULL));
    EXPECT(DH_EINVAL, "tensor_load_csv: path is NULL", dh_tensor_load_csv(&out, NULL));
    EXPECT(DH_ENOTFOUND, "tensor_load_csv \"no.csv\": No such file or directory",
           dh_tensor_load_csv(&out, "no.csv"));
    EXPECT(DH_EFORMAT, "tensor_load_csv \"x.csv\": line 2 has 1 cells, the rows before have 2",
           dh_tensor_load_csv(&out, "x.csv"));
    EXPECT(DH_EFORMAT, "tensor_load_csv \"y.csv\": line 1, column 2: \"a\" is no number for f32",
           dh_tensor_load_csv(&out, "y.csv"));
    EXPECT(DH_EFORMAT,
           "tensor_load_csv \"z.csv\": line 1, column 2: \"300\" is out of the range of u8",
           dh_tensor_load_csv(&out, "z.csv", .dtype = DH_U8));
    EXPECT(DH_EFORMAT, "tensor_load_csv \"x.csv\": skip_lines is 5, the file has 2 lines",
           dh_tensor_load_csv(&out, "x.csv", .skip_lines = 5));
    EXPECT(DH_EFORMAT, "tensor_load_csv \"x.csv\": no numbers in 6 bytes",
           dh_tensor_load_csv(&out, "x.csv", .skip_lines = 2));
    EXPECT(DH_EINVAL, "tensor_load_csv \"x.csv\": skip_lines is -1, must be at least 0",
           dh_tensor_load_csv(&out, "x.csv", .skip_lines = -1));
    EXPECT(DH_EINVAL, "tensor_load_csv \"x.csv\": delimiter '5' may be part of a number",
           dh_tensor_load_csv(&out, "x.csv", .delimiter = '5'));
    EXPECT(DH_EINVAL, "tensor_load_csv \"x.csv\": ndim is 3, must be 1 or 2",
           dh_tensor_load_csv(&out, "x.csv", .ndim = 3));
    EXPECT(DH_EDTYPE, "tensor_load_csv \"x.csv\": dtype is 99, must be one of " DTYPES,
           dh_tensor_load_csv(&out, "x.csv", .dtype = (dh_dtype)99));
    PUT("x.csv", "1,2\n3,4\n");
    EXPECT(DH_ESHAPE, "tensor_load_csv \"x.csv\": ndim is 1, the table is [2, 2]",
           dh_tensor_load_csv(&out, "x.csv", .ndim = 1));
    EXPECT(DH_EINVAL, "tensor_save_csv: x is NULL", dh_tensor_save_csv(NULL, "w.csv"));
    EXPECT(DH_EINVAL, "tensor_save_csv: args is NULL", (dh_tensor_save_csv)(f_2_3, NULL));
    EXPECT(DH_EINVAL, "tensor_save_csv: path is NULL", dh_tensor_save_csv(f_2_3, NULL));
    EXPECT(DH_ESHAPE,
           "tensor_save_csv \"w.csv\": x is [], must have 1 or 2 axes and an element: "
           "dh_tensor_reshape first",
           dh_tensor_save_csv(f_scalar, "w.csv"));
    EXPECT(DH_ESHAPE,
           "tensor_save_csv \"w.csv\": x is [0], must have 1 or 2 axes and an element: "
           "dh_tensor_reshape first",
           dh_tensor_save_csv(f_0, "w.csv"));
    EXPECT(DH_EINVAL, "tensor_save_csv \"w.csv\": header \"a b\" must be one line",
           dh_tensor_save_csv(f_2_3, "w.csv", .header = "a\nb"));
    EXPECT(DH_EINVAL, "tensor_save_csv \"w.csv\": delimiter '.' may be part of a number",
           dh_tensor_save_csv(f_2_3, "w.csv", .delimiter = '.'));
    EXPECT(DH_ENOTFOUND, "tensor_save_csv: write \"no/w.csv\": No such file or directory",
           dh_tensor_save_csv(f_2_3, "no/w.csv"));
    for (const char *name = "x.csv\0y.csv\0z.csv\0"; *name; name += 6)
        assert_int_equal(remove(name), 0);
    none_wrong();
}

static void raw(void **state)
{
    (void)state;
    const int64_t five[1] = {5}, minus[1] = {-1}, huge[2] = {INT64_MAX, 4};
    assert_int_equal(dh_tensor_save_raw(f_3, "x.raw"), DH_OK);
    EXPECT(DH_EINVAL, "tensor_load_raw: out is NULL",
           dh_tensor_load_raw(NULL, "x.raw", DH_F32, 1, five));
    EXPECT(DH_EINVAL, "tensor_load_raw: path is NULL",
           dh_tensor_load_raw(&out, NULL, DH_F32, 1, five));
    EXPECT(DH_EINVAL, "tensor_load_raw: shape is NULL",
           dh_tensor_load_raw(&out, "x.raw", DH_F32, 1, NULL));
    EXPECT(DH_EDTYPE, "tensor_load_raw: dtype is 0, must be one of " DTYPES,
           dh_tensor_load_raw(&out, "x.raw", DH_DTYPE_DEFAULT, 1, five));
    EXPECT(DH_ESHAPE, "tensor_load_raw: ndim is 9, must be in [0, 8]",
           dh_tensor_load_raw(&out, "x.raw", DH_F32, 9, five));
    EXPECT(DH_ESHAPE, "tensor_load_raw: shape[0] is -1, must be at least 0",
           dh_tensor_load_raw(&out, "x.raw", DH_F32, 1, minus));
    EXPECT(
        DH_EFORMAT,
        "tensor_load_raw \"x.raw\": shape [5] of f32 takes 20 bytes from offset 0, the file has 12",
        dh_tensor_load_raw(&out, "x.raw", DH_F32, 1, five));
    EXPECT(DH_EFORMAT,
           "tensor_load_raw \"x.raw\": shape [9223372036854775807, 4] of f32 fits in no memory, "
           "the file has 12 bytes of data",
           dh_tensor_load_raw(&out, "x.raw", DH_F32, 2, huge));
    EXPECT(DH_ENOTFOUND, "tensor_load_raw \"y.raw\": No such file or directory",
           dh_tensor_load_raw(&out, "y.raw", DH_F32, 1, five));
    EXPECT(DH_EINVAL, "tensor_map_raw: out is NULL",
           dh_tensor_map_raw(NULL, "x.raw", DH_F32, 1, five));
    EXPECT(DH_EINVAL, "tensor_map_raw: path is NULL",
           dh_tensor_map_raw(&out, NULL, DH_F32, 1, five));
    EXPECT(DH_EINVAL, "tensor_map_raw: shape is NULL",
           dh_tensor_map_raw(&out, "x.raw", DH_F32, 1, NULL));
    EXPECT(DH_EDTYPE, "tensor_map_raw: dtype is 99, must be one of " DTYPES,
           dh_tensor_map_raw(&out, "x.raw", (dh_dtype)99, 1, five));
    EXPECT(DH_ESHAPE, "tensor_map_raw: ndim is -1, must be in [0, 8]",
           dh_tensor_map_raw(&out, "x.raw", DH_F32, -1, five));
    EXPECT(
        DH_EFORMAT,
        "tensor_map_raw \"x.raw\": shape [5] of f32 takes 20 bytes from offset 0, the file has 12",
        dh_tensor_map_raw(&out, "x.raw", DH_F32, 1, five));
    EXPECT(DH_ENOTFOUND, "tensor_map_raw \"y.raw\": No such file or directory",
           dh_tensor_map_raw(&out, "y.raw", DH_F32, 1, five));
    EXPECT(DH_EIO, "tensor_map_raw \".\": it is a directory, not a file",
           dh_tensor_map_raw(&out, ".", DH_F32, 1, five));
    EXPECT(DH_EINVAL, "tensor_save_raw: x is NULL", dh_tensor_save_raw(NULL, "x.raw"));
    EXPECT(DH_EINVAL, "tensor_save_raw: path is NULL", dh_tensor_save_raw(f_3, NULL));
    EXPECT(DH_ENOTFOUND, "tensor_save_raw: write \"no/x.raw\": No such file or directory",
           dh_tensor_save_raw(f_3, "no/x.raw"));
    assert_int_equal(remove("x.raw"), 0);
    none_wrong();
}

static void idx(void **state)
{
    (void)state;
    EXPECT(DH_EINVAL, "tensor_load_idx: out is NULL", dh_tensor_load_idx(NULL, "x.idx"));
    EXPECT(DH_EINVAL, "tensor_load_idx: path is NULL", dh_tensor_load_idx(&out, NULL));
    EXPECT(DH_ENOTFOUND, "tensor_load_idx \"x.idx\": No such file or directory",
           dh_tensor_load_idx(&out, "x.idx"));
    PUT("x.idx", "\0\0\10");
    EXPECT(DH_EFORMAT, "tensor_load_idx \"x.idx\": 3 bytes, the header has at least 4",
           dh_tensor_load_idx(&out, "x.idx"));
    PUT("x.idx", "\1\0\10\1\0\0\0\2ab");
    EXPECT(DH_EFORMAT,
           "tensor_load_idx \"x.idx\": begins with bytes 01 00, must be 00 00 (or gzip's 1f 8b)",
           dh_tensor_load_idx(&out, "x.idx"));
    PUT("x.idx", "\0\0\7\1\0\0\0\2ab");
    EXPECT(DH_EFORMAT,
           "tensor_load_idx \"x.idx\": the type at offset 2 is 07, known are 08 09 0b 0c 0d 0e",
           dh_tensor_load_idx(&out, "x.idx"));
    PUT("x.idx", "\0\0\10\1\0\0\0\3ab");
    EXPECT(DH_EFORMAT,
           "tensor_load_idx \"x.idx\": shape [3] of u8 takes 3 bytes from offset 8, the file has 2",
           dh_tensor_load_idx(&out, "x.idx"));
    PUT("x.idx", "\0\0\10\3\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    EXPECT(DH_EFORMAT,
           "tensor_load_idx \"x.idx\": shape [4294967295, 4294967295, 4294967295] of u8 fits in no "
           "memory, the file has 0 bytes of data",
           dh_tensor_load_idx(&out, "x.idx"));
    assert_int_equal(remove("x.idx"), 0);
    none_wrong();
}

static void pictures(void **state)
{
    (void)state;
    dh_tensor *rgba = counted(DH_F32, SHAPE(2, 2, 4)), *one = counted(DH_U8, SHAPE(1, 1)), *wide;
    assert_int_equal(dh_tensor_broadcast(&wide, one, SHAPE(1, 2147483648)), DH_OK);
    EXPECT_SILENT(dh_tensor_save_png(f_2_3, "x.png"));
    assert_int_equal(remove("x.png"), 0);
    EXPECT(DH_EINVAL, "tensor_save_png: x is NULL", dh_tensor_save_png(NULL, "x.png"));
    EXPECT(DH_EINVAL, "tensor_save_png: path is NULL", dh_tensor_save_png(f_2_3, NULL));
    EXPECT(DH_EINVAL, "tensor_save_png: path is empty", dh_tensor_save_png(f_2_3, ""));
    EXPECT(DH_EDTYPE, "tensor_save_png: x is f64, must be u8 or f32",
           dh_tensor_save_png(f64_2_3, "x.png"));
    EXPECT(DH_ESHAPE, "tensor_save_png: x is [3], must be [H, W] or [H, W, 3]",
           dh_tensor_save_png(f_3, "x.png"));
    EXPECT(DH_ESHAPE, "tensor_save_png: x is [2, 2, 4], must be [H, W] or [H, W, 3]",
           dh_tensor_save_png(rgba, "x.png"));
    EXPECT(DH_ESHAPE, "tensor_save_png: x is [0, 3], sides must be in [1, 2147483647]",
           dh_tensor_save_png(f_0_3, "x.png"));
    EXPECT(DH_ESHAPE, "tensor_save_png: x is [1, 2147483648], sides must be in [1, 2147483647]",
           dh_tensor_save_png(wide, "x.png"));
    EXPECT(DH_ENOTFOUND, "tensor_save_png: write \"no/x.png\": No such file or directory",
           dh_tensor_save_png(f_2_3, "no/x.png"));
    dh_tensor_free(rgba);
    dh_tensor_free(one);
    dh_tensor_free(wide);
    none_wrong();
}

/* /dev/full takes a file to be opened and nothing to be written. */
static void full_disk(void **state)
{
    (void)state;
    const char *const names[1] = {"x"};
    dh_tensor *large = counted(DH_F32, SHAPE(50000));
    const dh_tensor *one[1] = {f_3};
    if (access("/dev/full", W_OK)) skip();
    EXPECT(DH_EIO, "tensor_save_bin: write \"/dev/full\": No space left on device",
           dh_tensor_save_bin(f_3, "/dev/full"));
    EXPECT(DH_EIO, "tensor_save_bin: write \"/dev/full\": No space left on device",
           dh_tensor_save_bin(large, "/dev/full"));
    EXPECT(DH_EIO, "tensor_save_npy: write \"/dev/full\": No space left on device",
           dh_tensor_save_npy(f_3, "/dev/full"));
    EXPECT(DH_EIO, "tensor_save_raw: write \"/dev/full\": No space left on device",
           dh_tensor_save_raw(large, "/dev/full"));
    EXPECT(DH_EIO, "tensor_save_csv: write \"/dev/full\": No space left on device",
           dh_tensor_save_csv(large, "/dev/full"));
    EXPECT(DH_EIO, "tensor_save_png: write \"/dev/full\": No space left on device",
           dh_tensor_save_png(f_2_3, "/dev/full"));
    EXPECT(DH_EIO, "npz_save: write \"/dev/full\": No space left on device",
           dh_npz_save("/dev/full", names, one, 1));
    EXPECT(DH_EIO, "safetensors_save: write \"/dev/full\": No space left on device",
           dh_safetensors_save("/dev/full", names, one, 1));
    dh_tensor_free(large);
    none_wrong();
}

static void data_sets(void **state)
{
    (void)state;
    dh_tensor *y3 = MARK, *y4 = MARK;
    EXPECT(DH_EINVAL, "mnist_load: x_train is NULL", dh_mnist_load(".", NULL, &out, &out2, &y3));
    EXPECT(DH_EINVAL, "mnist_load: y_train is NULL", dh_mnist_load(".", &out, NULL, &out2, &y3));
    EXPECT(DH_EINVAL, "mnist_load: x_test is NULL", dh_mnist_load(".", &out, &out2, NULL, &y3));
    EXPECT(DH_EINVAL, "mnist_load: y_test is NULL", dh_mnist_load(".", &out, &out2, &y3, NULL));
    EXPECT(
        DH_ENOTFOUND,
        "mnist_load: neither \"no/train-images-idx3-ubyte.gz\" nor the file without .gz is there",
        dh_mnist_load("no", &out, &out2, &y3, &y4));
    PUT("train-images-idx3-ubyte", "\0\0\10\1\0\0\0\2ab");
    EXPECT(DH_EFORMAT,
           "mnist_load: \"./train-images-idx3-ubyte\" holds [2] u8, needs [N, 28, 28] u8",
           dh_mnist_load(".", &out, &out2, &y3, &y4));
    PUT("train-images-idx3-ubyte", "\0\0\10\3\0\0\0\2");
    EXPECT(DH_EFORMAT,
           "mnist_load: tensor_load_idx \"./train-images-idx3-ubyte\": 8 bytes, the header of 3 "
           "axes has 16",
           dh_mnist_load(".", &out, &out2, &y3, &y4));
    PUT("train-images-idx3-ubyte", "\0\0\10\3\0\0\0\0\0\0\0\34\0\0\0\34");
    PUT("train-labels-idx1-ubyte", "\0\0\10\1\0\0\0\1\3");
    EXPECT(DH_EFORMAT, "mnist_load: \"./train-labels-idx1-ubyte\" holds [1] u8, needs [0] u8",
           dh_mnist_load(".", &out, &out2, &y3, &y4));
    assert_ptr_equal(y3, MARK);
    assert_ptr_equal(y4, MARK);
    assert_int_equal(remove("train-images-idx3-ubyte"), 0);
    assert_int_equal(remove("train-labels-idx1-ubyte"), 0);
    EXPECT(DH_EINVAL, "cifar10_load: x_train is NULL",
           dh_cifar10_load(".", NULL, &out, &out2, &y3));
    EXPECT(DH_EINVAL, "cifar10_load: y_train is NULL",
           dh_cifar10_load(".", &out, NULL, &out2, &y3));
    EXPECT(DH_EINVAL, "cifar10_load: x_test is NULL", dh_cifar10_load(".", &out, &out2, NULL, &y3));
    EXPECT(DH_EINVAL, "cifar10_load: y_test is NULL", dh_cifar10_load(".", &out, &out2, &y3, NULL));
    EXPECT(DH_ENOTFOUND, "cifar10_load: read \"no\": No such file or directory",
           dh_cifar10_load("no", &out, &out2, &y3, &y4));
    EXPECT(DH_ENOTFOUND, "cifar10_load: \".\" holds no data_batch_*.bin or .bin.gz",
           dh_cifar10_load(".", &out, &out2, &y3, &y4));
    PUT("data_batch_1.bin", "3");
    EXPECT(DH_EFORMAT,
           "cifar10_load: \"./data_batch_1.bin\" holds 1 bytes, needs 1 to 10000 records of 3073",
           dh_cifar10_load(".", &out, &out2, &y3, &y4));
    assert_int_equal(remove("data_batch_1.bin"), 0);
    assert_ptr_equal(y3, MARK);
    assert_ptr_equal(y4, MARK);
    EXPECT_SILENT(dh_digits_generate(&out, &out2, 3, 1));
    EXPECT(DH_EINVAL, "digits_generate: x is NULL", dh_digits_generate(NULL, &out, 3, 1));
    EXPECT(DH_EINVAL, "digits_generate: y is NULL", dh_digits_generate(&out, NULL, 3, 1));
    EXPECT(DH_EINVAL, "digits_generate: count is 0, must be at least 1",
           dh_digits_generate(&out, &out2, 0, 1));
    EXPECT(DH_EOVERFLOW,
           "digits_generate: a tensor [4611686018427387903, 784] f32 does not fit in memory",
           dh_digits_generate(&out, &out2, INT64_MAX / 2, 1));
    none_wrong();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(eddl),     cmocka_unit_test(tables),
                                       cmocka_unit_test(raw),      cmocka_unit_test(idx),
                                       cmocka_unit_test(pictures), cmocka_unit_test(full_disk),
                                       cmocka_unit_test(data_sets)};
    return cmocka_run_group_tests(tests, enter, leave);
}
