/* SPDX-License-Identifier: MIT */
/* CIFAR-10 from a folder: which files are taken, in which order, what they may hold. */
#include "io_test.h"

#include <sys/stat.h>

#include <deephealth/datasets.h>

#include "file.h"

enum { PIXELS = 3 * 32 * 32, RECORD = 1 + PIXELS };

static dh_tensor *t[4];

static dh_status load(const char *dir)
{
    for (int i = 0; i < 4; i++) t[i] = NULL;
    return dh_cifar10_load(dir, &t[0], &t[1], &t[2], &t[3]);
}

static void free_all(void)
{
    for (int i = 0; i < 4; i++) dh_tensor_free(t[i]);
}

/* A record of one label whose pixel k is first + k, cut to a byte. */
static void make_record(uint8_t *record, int label, int first)
{
    record[0] = (uint8_t)label;
    for (int k = 0; k < PIXELS; k++) record[1 + k] = (uint8_t)(first + k);
}

/* count records with labels label, label + 1, ..; pixels begin at 10 times the label. */
static void put_records(const char *name, int label, int count)
{
    uint8_t bytes[4 * RECORD];
    for (int i = 0; i < count; i++) make_record(bytes + i * RECORD, label + i, 10 * (label + i));
    (void)write_file(name, bytes, (size_t)count * RECORD);
}

/* The same as gzip that packs nothing: one stored block (RFC 1951, 1952). */
static void put_gzip(const char *name, int label)
{
    uint8_t bytes[10 + 5 + RECORD + 8] = {0x1f, 0x8b, 8};
    uint8_t *block = bytes + 10, *record = block + 5, *end = record + RECORD;
    block[0] = 1;
    dh__put_le(block + 1, RECORD, 2);
    dh__put_le(block + 3, (uint16_t)~RECORD, 2);
    make_record(record, label, 10 * label);
    dh__put_le(end, dh__crc32(0, record, RECORD), 4);
    dh__put_le(end + 4, RECORD, 4);
    (void)write_file(name, bytes, sizeof bytes);
}

static void remove_files(const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) assert_int_equal(unlink(in_dir(names[i])), 0);
}

/* Row i is the record of this label. */
static void expect_row(const dh_tensor *x, const dh_tensor *y, int64_t i, int label)
{
    const float *pixels = (const float *)dh_tensor_data(x) + i * PIXELS;
    const float *one_hot = (const float *)dh_tensor_data(y) + i * 10;
    for (int k = 0; k < PIXELS; k++)
        if (!(pixels[k] == (float)(uint8_t)(10 * label + k) / 255.0f))
            fail_msg("row %d, pixel %d is %g", (int)i, k, (double)pixels[k]);
    for (int k = 0; k < 10; k++) assert_true(one_hot[k] == (float)(k == label));
}

static void files_are_taken_in_order(void **state)
{
    (void)state;
    static const char *const names[] = {
        "data_batch_2.bin", "data_batch_1.bin",   "data_batch_1.bin.gz", "data_batch_1.txt",
        "batches.meta.bin", "test_batch_0-9.bin", "test_batch.bin"};
    put_records("data_batch_2.bin", 7, 1);
    put_records("data_batch_1.bin", 3, 2);
    (void)write_file("data_batch_1.bin.gz", "\x1f\x8b no gzip", 10); /* the plain one is taken */
    (void)write_file("data_batch_1.txt", "x", 1);
    (void)write_file("batches.meta.bin", "x", 1);
    put_records("test_batch_0-9.bin", 0, 1);
    put_records("test_batch.bin", 9, 1);
    assert_int_equal(load(test_dir), DH_OK);
    expect_shape(t[0], SHAPE(3, 3, 32, 32));
    expect_shape(t[1], SHAPE(3, 10));
    expect_shape(t[2], SHAPE(2, 3, 32, 32));
    expect_shape(t[3], SHAPE(2, 10));
    expect_row(t[0], t[1], 0, 3);
    expect_row(t[0], t[1], 1, 4);
    expect_row(t[0], t[1], 2, 7);
    expect_row(t[2], t[3], 0, 9);
    expect_row(t[2], t[3], 1, 0);
    free_all();
    remove_files(names, DH_COUNT(names));
}

static dh_status load_and_free(void *context)
{
    dh_status status = load(context);
    free_all();
    return status;
}

static void packed_files_are_read(void **state)
{
    (void)state;
    static const char *const names[] = {"data_batch_1.bin.gz", "test_batch.bin.gz"};
    put_gzip(names[0], 5);
    put_gzip(names[1], 6);
    dh_status status = load(test_dir);
    if (status == DH_EMISSING) {
        remove_files(names, DH_COUNT(names));
        skip();
    }
    assert_int_equal(status, DH_OK);
    expect_row(t[0], t[1], 0, 5);
    expect_row(t[2], t[3], 0, 6);
    free_all();
    fail_each_allocation(load_and_free, test_dir);
    remove_files(names, DH_COUNT(names));
}

static void damaged_files_are_named(void **state)
{
    (void)state;
    static const char *const names[] = {"data_batch_1.bin", "test_batch.bin"};
    static const size_t cuts[] = {0, 1, RECORD - 1, RECORD + 1, 2 * RECORD - 1};
    uint8_t bytes[2 * RECORD] = {0};
    put_records(names[0], 1, 1);
    for (size_t i = 0; i < DH_COUNT(cuts); i++) {
        (void)write_file(names[1], bytes, cuts[i]);
        EXPECT_FAIL(DH_EFORMAT, load(test_dir), "cifar10_load: \"", "/test_batch.bin\" holds ",
                    " bytes, needs 1 to 10000 records of 3073");
    }
    bytes[RECORD] = 10;
    (void)write_file(names[1], bytes, sizeof bytes);
    EXPECT_FAIL(DH_EFORMAT, load(test_dir), "/test_batch.bin\": label 1 is 10, must be in [0, 9]");
    for (int i = 0; i < 4; i++) assert_null(t[i]);
    assert_int_equal(truncate(in_dir(names[1]), 10001 * (off_t)RECORD), 0);
    EXPECT_FAIL(DH_EFORMAT, load(test_dir), "holds 30733073 bytes");
    remove_files(names, DH_COUNT(names));
}

static void what_is_not_there_is_told(void **state)
{
    (void)state;
    EXPECT_FAIL(DH_ENOTFOUND, load(test_dir), "cifar10_load: \"", "holds no data_batch_*.bin");
    put_records("data_batch_1.bin", 1, 1);
    EXPECT_FAIL(DH_ENOTFOUND, load(test_dir), "cifar10_load: \"", "holds no test_batch*.bin");
    EXPECT_FAIL(DH_EIO, load(in_dir("data_batch_1.bin")), "cifar10_load: read \"",
                "Not a directory");
    assert_int_equal(unlink(in_dir("data_batch_1.bin")), 0);
    assert_int_equal(setenv("DEEPHEALTH_DATA", test_dir, 1), 0);
    EXPECT_FAIL(DH_ENOTFOUND, load(NULL), "cifar10_load: read \"", "/cifar10\": No such file",
                "set DEEPHEALTH_DATA to a folder in which cifar10/", "cifar-10-binary.tar.gz");
    assert_int_equal(mkdir(in_dir("cifar10"), 0777), 0);
    put_records("cifar10/data_batch_1.bin", 1, 1);
    put_records("cifar10/test_batch.bin", 2, 1);
    assert_int_equal(load(NULL), DH_OK);
    free_all();
    assert_int_equal(unlink(in_dir("cifar10/data_batch_1.bin")), 0);
    assert_int_equal(unlink(in_dir("cifar10/test_batch.bin")), 0);
    assert_int_equal(rmdir(in_dir("cifar10")), 0);
    assert_int_equal(unsetenv("DEEPHEALTH_DATA"), 0);
}

/* Known of the real set: its first labels, to train (frog, truck, truck, deer, automobile) and to
 * test (cat, ship, ship, airplane, frog). */
static void the_real_set_is_read(void **state)
{
    (void)state;
    static const int first[2][5] = {{6, 9, 9, 4, 1}, {3, 8, 8, 0, 6}};
    const char *shared = getenv("DH_SHARED");
    char dir[1024];
    (void)snprintf(dir, sizeof dir, "%s/data/cifar10", shared ? shared : "");
    if (!dh__file_exists(dir)) skip();
    dh_status status = load(dir);
    if (status == DH_EMISSING) skip();
    assert_int_equal(status, DH_OK);
    for (int part = 0; part < 2; part++)
        for (int i = 0; i < 5; i++)
            assert_true(((float *)dh_tensor_data(t[2 * part + 1]))[10 * i + first[part][i]] == 1);
    assert_true(*(float *)dh_tensor_data(t[0]) == 59 / 255.0f);
    free_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_taken_in_order), cmocka_unit_test(packed_files_are_read),
        cmocka_unit_test(damaged_files_are_named),  cmocka_unit_test(what_is_not_there_is_told),
        cmocka_unit_test(the_real_set_is_read),
    };
    return cmocka_run_group_tests(tests, open_test_dir, close_test_dir);
}
