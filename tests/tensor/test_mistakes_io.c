/* SPDX-License-Identifier: MIT */
/* A mistake, or more, in each function of tensor_io.h for NumPy, safetensors and by extension. */
#include "mistakes_io.h"

static void by_extension(void **state)
{
    (void)state;
    EXPECT(DH_EINVAL, "tensor_load: out is NULL", dh_tensor_load(NULL, "x.npy"));
    EXPECT(DH_EINVAL, "tensor_load: path is NULL", dh_tensor_load(&out, NULL));
    EXPECT(
        DH_ENAME,
        "tensor_load \"x.nyp\": no format of extension \"nyp\", did you mean \"npy\" or \"npz\"?",
        dh_tensor_load(&out, "x.nyp"));
    EXPECT(DH_ENAME,
           "tensor_load \"x\": no format of extension \"\"; known: npy, npz, bin, csv, tsv, txt",
           dh_tensor_load(&out, "x"));
    EXPECT(DH_ENOTFOUND, "tensor_load: tensor_load_npy \"x.npy\": No such file or directory",
           dh_tensor_load(&out, "x.npy"));
    EXPECT(DH_ENOTFOUND, "tensor_load: npz_open \"x.npz\": No such file or directory",
           dh_tensor_load(&out, "x.npz"));
    EXPECT(DH_ENOTFOUND, "tensor_load: tensor_load_csv \"x.csv\": No such file or directory",
           dh_tensor_load(&out, "x.csv"));
    EXPECT(DH_EINVAL, "tensor_save: x is NULL", dh_tensor_save(NULL, "x.npy"));
    EXPECT(DH_EINVAL, "tensor_save: path is NULL", dh_tensor_save(f_3, NULL));
    EXPECT(
        DH_ENAME,
        "tensor_save \"x.pnz\": no format of extension \"pnz\", did you mean \"npz\" or \"npy\"?",
        dh_tensor_save(f_3, "x.pnz"));
    EXPECT(DH_ENOTFOUND,
           "tensor_save: tensor_save_npy: write \"no/x.npy\": No such file or directory",
           dh_tensor_save(f_3, "no/x.npy"));
    EXPECT(DH_ENAME,
           "tensor_save \"\": no format of extension \"\"; known: npy, npz, bin, csv, tsv, txt",
           dh_tensor_save(f_3, ""));
    EXPECT_SILENT(dh_tensor_save(f_2_3, "x.npy"));
    EXPECT_SILENT(dh_tensor_load(&out, "x.npy"));
    assert_int_equal(remove("x.npy"), 0);
    none_wrong();
}

static void numpy(void **state)
{
    (void)state;
    EXPECT(DH_EINVAL, "tensor_load_npy: out is NULL", dh_tensor_load_npy(NULL, "x.npy"));
    EXPECT(DH_EINVAL, "tensor_load_npy: path is NULL", dh_tensor_load_npy(&out, NULL));
    EXPECT(DH_ENOTFOUND, "tensor_load_npy \"x.npy\": No such file or directory",
           dh_tensor_load_npy(&out, "x.npy"));
    EXPECT(DH_EIO, "tensor_load_npy \".\": it is a directory, not a file",
           dh_tensor_load_npy(&out, "."));
    PUT("x.npy", "");
    EXPECT(DH_EFORMAT, "tensor_load_npy \"x.npy\": too short for a header (0 bytes)",
           dh_tensor_load_npy(&out, "x.npy"));
    PUT("x.npy", "PK\3\4 something else");
    EXPECT(DH_EFORMAT, "tensor_load_npy \"x.npy\": does not begin with \\x93NUMPY (19 bytes)",
           dh_tensor_load_npy(&out, "x.npy"));
    PUT("x.npy", "\x93NUMPY\1\0\100\0{'descr': '<f4', ");
    EXPECT(DH_EFORMAT,
           "tensor_load_npy \"x.npy\": the header has 64 bytes, the file 17 after offset 10",
           dh_tensor_load_npy(&out, "x.npy"));
    assert_int_equal(dh_tensor_save_npy(f_2_3, "x.npy"), DH_OK);
    assert_int_equal(truncate("x.npy", 150), 0);
    EXPECT(DH_EFORMAT,
           "tensor_load_npy \"x.npy\": shape [2, 3] of f32 takes 24 bytes from offset 128, the "
           "file has 22",
           dh_tensor_load_npy(&out, "x.npy"));
    EXPECT(DH_EINVAL, "tensor_save_npy: x is NULL", dh_tensor_save_npy(NULL, "x.npy"));
    EXPECT(DH_EINVAL, "tensor_save_npy: path is NULL", dh_tensor_save_npy(f_3, NULL));
    EXPECT(DH_EINVAL, "tensor_save_npy: path is empty", dh_tensor_save_npy(f_3, ""));
    EXPECT(DH_EDTYPE, "tensor_save_npy \"x.npy\": NumPy has no bf16: dh_tensor_cast to f32 first",
           dh_tensor_save_npy(bf_3, "x.npy"));
    EXPECT(DH_EIO, "tensor_save_npy: write \".\": it is a directory", dh_tensor_save_npy(f_3, "."));
    EXPECT(DH_ENOTFOUND, "tensor_save_npy: write \"no/x.npy\": No such file or directory",
           dh_tensor_save_npy(f_3, "no/x.npy"));
    assert_int_equal(remove("x.npy"), 0);
    none_wrong();
}

static void archives(void **state)
{
    (void)state;
    const char *const names[2] = {"weight", "bias"}, *const twice[2] = {"a", "a"};
    const char *const unnamed[2] = {"a", NULL}, *const empty[2] = {"", "a"};
    const dh_tensor *two[2] = {f_2_3, f_3}, *hole[2] = {f_2_3, NULL}, *half[1] = {bf_3};
    dh_npz *npz = NULL;
    EXPECT(DH_EINVAL, "npz_open: out is NULL", dh_npz_open(NULL, "x.npz"));
    EXPECT(DH_EINVAL, "npz_open: path is NULL", dh_npz_open(&npz, NULL));
    EXPECT(DH_ENOTFOUND, "npz_open \"x.npz\": No such file or directory",
           dh_npz_open(&npz, "x.npz"));
    PUT("x.npz", "no archive at all, but text that is long enough");
    EXPECT(DH_EFORMAT, "npz_open \"x.npz\": no end of a zip archive in 47 bytes",
           dh_npz_open(&npz, "x.npz"));
    PUT("x.npz", "PK");
    EXPECT(DH_EFORMAT, "npz_open \"x.npz\": 2 bytes, a zip archive has at least 22",
           dh_npz_open(&npz, "x.npz"));
    assert_null(npz);
    EXPECT(DH_EINVAL, "npz_save: path is NULL", dh_npz_save(NULL, names, two, 2));
    EXPECT(DH_EINVAL, "npz_save: names is NULL", dh_npz_save("x.npz", NULL, two, 2));
    EXPECT(DH_EINVAL, "npz_save: tensors is NULL", dh_npz_save("x.npz", names, NULL, 2));
    EXPECT(DH_EINVAL, "npz_save: count is -1, must be at least 0",
           dh_npz_save("x.npz", names, two, -1));
    EXPECT(DH_EINVAL, "npz_save: names has \"a\" twice", dh_npz_save("x.npz", twice, two, 2));
    EXPECT(DH_EINVAL, "npz_save: names[1] is NULL", dh_npz_save("x.npz", unnamed, two, 2));
    EXPECT(DH_EINVAL, "npz_save: names[0] is empty", dh_npz_save("x.npz", empty, two, 2));
    EXPECT(DH_EINVAL, "npz_save: tensors[1] (\"bias\") is NULL",
           dh_npz_save("x.npz", names, hole, 2));
    EXPECT(DH_EDTYPE, "npz_save \"x.npz\": NumPy has no bf16: dh_tensor_cast to f32 first",
           dh_npz_save("x.npz", names, half, 1));
    EXPECT(DH_EINVAL, "npz_save: path is empty", dh_npz_save("", names, two, 2));
    EXPECT(DH_ENOTFOUND, "npz_save: write \"no/x.npz\": No such file or directory",
           dh_npz_save("no/x.npz", names, two, 2));
    EXPECT_SILENT(dh_npz_save("x.npz", names, two, 2));
    EXPECT(DH_EINVAL,
           "tensor_load: \"x.npz\" holds 2 arrays, must be 1: dh_npz_get gives them by name",
           dh_tensor_load(&out, "x.npz"));
    EXPECT_SILENT(dh_npz_open(&npz, "x.npz"));
    EXPECT(DH_EINVAL, "npz_get: out is NULL", dh_npz_get(NULL, npz, "bias"));
    EXPECT(DH_EINVAL, "npz_get: npz is NULL", dh_npz_get(&out, NULL, "bias"));
    EXPECT(DH_EINVAL, "npz_get: name is NULL", dh_npz_get(&out, npz, NULL));
    EXPECT(DH_ENAME, "npz_get \"x.npz\": no array \"bais\", did you mean \"bias\"?",
           dh_npz_get(&out, npz, "bais"));
    EXPECT(DH_ENAME, "npz_get \"x.npz\": no array \"kernel\"; known: weight, bias",
           dh_npz_get(&out, npz, "kernel"));
    dh_error_clear();
    assert_int_equal(dh_npz_count(NULL), 0);
    assert_null(dh_npz_name(NULL, 0));
    assert_null(dh_npz_name(npz, -1));
    assert_null(dh_npz_name(npz, 2));
    dh_npz_free(NULL);
    dh_npz_free(npz);
    assert_string_equal(dh_error_text(), "");
    assert_int_equal(remove("x.npz"), 0);
    none_wrong();
}

static void safetensors(void **state)
{
    (void)state;
    const char *const names[2] = {"weight", "bias"}, *const twice[2] = {"a", "a"};
    const char *const bad[1] = {"\xff"}, *const own[1] = {"__metadata__"};
    const dh_tensor *two[2] = {f_2_3, f_3}, *hole[2] = {NULL, f_3};
    dh_safetensors *file = NULL;
    EXPECT(DH_EINVAL, "safetensors_open: out is NULL", dh_safetensors_open(NULL, "x.safetensors"));
    EXPECT(DH_EINVAL, "safetensors_open: path is NULL", dh_safetensors_open(&file, NULL));
    EXPECT(DH_ENOTFOUND, "safetensors_open \"x.safetensors\": No such file or directory",
           dh_safetensors_open(&file, "x.safetensors"));
    EXPECT(DH_EIO, "safetensors_open \".\": it is a directory, not a file",
           dh_safetensors_open(&file, "."));
    PUT("x.safetensors", "short");
    EXPECT(DH_EFORMAT, "safetensors_open \"x.safetensors\": 5 bytes, the header's size alone has 8",
           dh_safetensors_open(&file, "x.safetensors"));
    PUT("x.safetensors", "\377\0\0\0\0\0\0\0{}");
    EXPECT(
        DH_EFORMAT,
        "safetensors_open \"x.safetensors\": no safetensors file: its header would have 255 bytes, "
        "must be at most 2",
        dh_safetensors_open(&file, "x.safetensors"));
    PUT("x.safetensors", "\2\0\0\0\0\0\0\0[]");
    EXPECT(DH_EFORMAT, "safetensors_open \"x.safetensors\": offset 8 has byte 5b, expected \"{\"",
           dh_safetensors_open(&file, "x.safetensors"));
    assert_null(file);
    EXPECT(DH_EINVAL, "safetensors_save: path is NULL", dh_safetensors_save(NULL, names, two, 2));
    EXPECT(DH_EINVAL, "safetensors_save: names is NULL",
           dh_safetensors_save("x.safetensors", NULL, two, 2));
    EXPECT(DH_EINVAL, "safetensors_save: tensors is NULL",
           dh_safetensors_save("x.safetensors", names, NULL, 2));
    EXPECT(DH_EINVAL, "safetensors_save: count is -2, must be at least 0",
           dh_safetensors_save("x.safetensors", names, two, -2));
    EXPECT(DH_EINVAL, "safetensors_save: names has \"a\" twice",
           dh_safetensors_save("x.safetensors", twice, two, 2));
    EXPECT(DH_EINVAL, "safetensors_save: names[0] is no valid UTF-8",
           dh_safetensors_save("x.safetensors", bad, two, 1));
    EXPECT(DH_EINVAL,
           "safetensors_save: names[0] is \"__metadata__\", which the format keeps for itself",
           dh_safetensors_save("x.safetensors", own, two, 1));
    EXPECT(DH_EINVAL, "safetensors_save: tensors[0] (\"weight\") is NULL",
           dh_safetensors_save("x.safetensors", names, hole, 2));
    EXPECT(DH_EINVAL, "safetensors_save: path is empty", dh_safetensors_save("", names, two, 2));
    EXPECT(DH_ENOTFOUND, "safetensors_save: write \"no/x.safetensors\": No such file or directory",
           dh_safetensors_save("no/x.safetensors", names, two, 2));
    EXPECT_SILENT(dh_safetensors_save("x.safetensors", names, two, 2));
    EXPECT_SILENT(dh_safetensors_open(&file, "x.safetensors"));
    EXPECT(DH_EINVAL, "safetensors_get: out is NULL", dh_safetensors_get(NULL, file, "bias"));
    EXPECT(DH_EINVAL, "safetensors_get: file is NULL", dh_safetensors_get(&out, NULL, "bias"));
    EXPECT(DH_EINVAL, "safetensors_get: name is NULL", dh_safetensors_get(&out, file, NULL));
    EXPECT(DH_ENAME, "safetensors_get: no tensor \"wieght\", did you mean \"weight\"?",
           dh_safetensors_get(&out, file, "wieght"));
    EXPECT(DH_EINVAL, "safetensors_map: out is NULL", dh_safetensors_map(NULL, file, "bias"));
    EXPECT(DH_EINVAL, "safetensors_map: file is NULL", dh_safetensors_map(&out, NULL, "bias"));
    EXPECT(DH_EINVAL, "safetensors_map: name is NULL", dh_safetensors_map(&out, file, NULL));
    EXPECT(DH_ENAME, "safetensors_map: no tensor \"wieght\", did you mean \"weight\"?",
           dh_safetensors_map(&out, file, "wieght"));
    dh_error_clear();
    assert_int_equal(dh_safetensors_count(NULL), 0);
    assert_null(dh_safetensors_name(NULL, 0));
    assert_null(dh_safetensors_name(file, 2));
    assert_null(dh_safetensors_metadata(NULL, "format"));
    assert_null(dh_safetensors_metadata(file, NULL));
    assert_null(dh_safetensors_metadata(file, "format"));
    dh_safetensors_free(NULL);
    dh_safetensors_free(file);
    assert_string_equal(dh_error_text(), "");
    assert_int_equal(remove("x.safetensors"), 0);
    none_wrong();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(by_extension), cmocka_unit_test(numpy),
                                       cmocka_unit_test(archives), cmocka_unit_test(safetensors)};
    return cmocka_run_group_tests(tests, enter, leave);
}
