/* SPDX-License-Identifier: MIT */
/* Tensors as pictures. The file of the writer in base, which has its own test, for the bytes that
 * are wanted is the reference. */
#include <math.h>

#include "io_test.h"
#include "png_write.h"

/* The picture of x has these bytes. */
static void expect_pixels(const dh_tensor *x, const uint8_t *pixels, int width, int height,
                          int channels)
{
    size_t want_size, got_size;
    assert_int_equal(dh__png_write(in_dir("want.png"), pixels, width, height, channels), DH_OK);
    assert_int_equal(dh_tensor_save_png(x, in_dir("got.png")), DH_OK);
    uint8_t *want = take_file(in_dir("want.png"), &want_size);
    uint8_t *got = take_file(in_dir("got.png"), &got_size);
    assert_int_equal(got_size, want_size);
    assert_memory_equal(got, want, want_size);
    free(want);
    free(got);
}

static void levels_become_bytes(void **state)
{
    (void)state;
    const uint8_t gray[] = {0, 1, 127, 255, 255, 0, 0, 255};
    const uint8_t rgb[] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 51, 102, 153};
    dh_tensor *t = make(DH_F32, SHAPE(2, 4),
                        VALUES(0, 1 / 255.0, 0.499, 1, 7, -3, (double)NAN, (double)INFINITY));
    expect_pixels(t, gray, 4, 2, 1);
    dh_tensor_free(t);
    t = make(DH_F32, SHAPE(2, 2, 3), VALUES(1, 0, 0, 0, 1, 0, 0, 0, 1, 0.2, 0.4, 0.6));
    expect_pixels(t, rgb, 2, 2, 3);
    dh_tensor_free(t);
}

static void bytes_stay(void **state)
{
    (void)state;
    const uint8_t pixels[] = {0, 3, 1, 4, 2, 5};
    dh_tensor *t = counted(DH_U8, SHAPE(2, 3)), *turned;
    assert_int_equal(dh_tensor_permute(&turned, t, NULL), DH_OK);
    expect_pixels(turned, pixels, 2, 3, 1); /* [3, 2], a view */
    dh_tensor_free(turned);
    dh_tensor_free(t);
}

static void memory_that_runs_out_leaves_no_file(void **state)
{
    (void)state;
    dh_tensor *t = counted(DH_F32, SHAPE(5, 3)), *turned;
    const char *path = in_dir("x.png");
    assert_int_equal(dh_tensor_permute(&turned, t, NULL), DH_OK);
    uint64_t live = live_blocks(), nth = 0;
    dh_status status;
    do {
        dh_alloc_fail_at(++nth);
        status = dh_tensor_save_png(turned, path);
        dh_alloc_fail_at(0);
        assert_int_equal(live_blocks(), live);
        if (status) assert_int_equal(access(path, F_OK), -1);
        if (status) assert_int_equal(status, DH_ENOMEM);
    } while (status && nth < 1000);
    assert_int_equal(status, DH_OK);
    assert_true(nth > 3);
    assert_int_equal(unlink(path), 0);
    dh_tensor_free(turned);
    dh_tensor_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_become_bytes),
        cmocka_unit_test(bytes_stay),
        cmocka_unit_test(memory_that_runs_out_leaves_no_file),
    };
    return cmocka_run_group_tests(tests, open_test_dir, close_test_dir);
}
