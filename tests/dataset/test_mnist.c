/* SPDX-License-Identifier: MIT */
/* The reader of MNIST on small files of the same form, and what it says of those that are not. */
#include <deephealth/datasets.h>

#include "io_test.h"

static const char *const file_names[4] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                          "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};
enum { TRAIN = 3, TEST = 2, PIXELS = 784 };

/* An idx file of bytes: its axes, the first of them count, then data or counted pixels. */
static void write_idx(const char *name, int ndim, int count, int side, const uint8_t *data)
{
    static uint8_t bytes[16 + TRAIN * PIXELS];
    const int dims[3] = {count, side, side};
    size_t size = 4 + 4 * (size_t)ndim, elements = (size_t)count;
    bytes[2] = 8; /* u8 */
    bytes[3] = (uint8_t)ndim;
    for (int i = 0; i < ndim; i++) {
        uint8_t *p = bytes + 4 + 4 * i;
        p[0] = p[1] = p[2] = 0;
        p[3] = (uint8_t)dims[i];
        if (i) elements *= (size_t)side;
    }
    for (size_t i = 0; i < elements; i++) bytes[size + i] = data ? data[i] : (uint8_t)(i * 7);
    (void)write_file(name, bytes, size + elements);
}

static void write_all(void)
{
    write_idx(file_names[0], 3, TRAIN, 28, NULL);
    write_idx(file_names[1], 1, TRAIN, 0, (const uint8_t[]){9, 0, 4});
    write_idx(file_names[2], 3, TEST, 28, NULL);
    write_idx(file_names[3], 1, TEST, 0, (const uint8_t[]){1, 1});
}

static void remove_all(void)
{
    for (int i = 0; i < 4; i++) assert_int_equal(unlink(in_dir(file_names[i])), 0);
}

static void files_are_read(void **state)
{
    (void)state;
    static const int labels[] = {9, 0, 4, 1, 1}, rows[] = {TRAIN, TEST};
    dh_tensor *t[4];
    write_all();
    assert_int_equal(dh_mnist_load(test_dir, &t[0], &t[1], &t[2], &t[3]), DH_OK);
    for (int part = 0; part < 2; part++) {
        dh_tensor *x = t[2 * part], *y = t[2 * part + 1];
        expect_shape(x, SHAPE(rows[part], PIXELS));
        expect_shape(y, SHAPE(rows[part], 10));
        for (int64_t i = 0; i < rows[part] * PIXELS; i++)
            assert_true(element(x, i) == (double)((float)(uint8_t)(i * 7) / 255.0f));
        for (int64_t i = 0; i < rows[part] * 10; i++)
            assert_true(element(y, i) == (labels[part * TRAIN + i / 10] == i % 10));
    }
    for (int i = 0; i < 4; i++) dh_tensor_free(t[i]);
    remove_all();
}

static dh_status load_nothing(void)
{
    dh_tensor *mark = (dh_tensor *)(uintptr_t)8, *t[4] = {mark, mark, mark, mark};
    dh_status status = dh_mnist_load(test_dir, &t[0], &t[1], &t[2], &t[3]);
    for (int i = 0; i < 4; i++) assert_ptr_equal(t[i], mark);
    return status;
}

static void what_is_not_mnist_is_named(void **state)
{
    (void)state;
    EXPECT_FAIL(DH_ENOTFOUND, load_nothing(), "mnist_load", file_names[0], "is there");
    write_all();
    write_idx(file_names[3], 1, TEST, 0, (const uint8_t[]){1, 10});
    EXPECT_FAIL(DH_EFORMAT, load_nothing(), file_names[3], "label 1 is 10", "in [0, 9]");
    write_idx(file_names[1], 1, TRAIN - 1, 0, (const uint8_t[]){1, 2});
    EXPECT_FAIL(DH_EFORMAT, load_nothing(), file_names[1], "holds [2] u8", "needs [3] u8");
    write_idx(file_names[1], 3, TRAIN, 2, NULL);
    EXPECT_FAIL(DH_EFORMAT, load_nothing(), file_names[1], "holds [3, 2, 2] u8");
    write_idx(file_names[0], 3, TRAIN, 27, NULL);
    EXPECT_FAIL(DH_EFORMAT, load_nothing(), file_names[0], "holds [3, 27, 27] u8",
                "needs [N, 28, 28] u8");
    remove_all();
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    dh_status status = DH_ENOMEM;
    int n = 0;
    write_all();
    while (status == DH_ENOMEM && ++n < 1000) {
        dh_tensor *mark = (dh_tensor *)(uintptr_t)8, *t[4] = {mark, mark, mark, mark};
        dh_alloc_fail_at(n);
        status = dh_mnist_load(test_dir, &t[0], &t[1], &t[2], &t[3]);
        dh_alloc_fail_at(0);
        for (int i = 0; i < 4; i++) {
            assert_true((t[i] == mark) == (status != DH_OK));
            if (!status) dh_tensor_free(t[i]);
        }
        assert_int_equal(live_blocks(), 0);
    }
    assert_int_equal(status, DH_OK);
    assert_true(n > 8);
    remove_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read),
        cmocka_unit_test(what_is_not_mnist_is_named),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, open_test_dir, close_test_dir);
}
