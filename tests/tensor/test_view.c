/* SPDX-License-Identifier: MIT */
/* Slices by Python's rules against a list-walking reference, for every small length, start, stop
 * and step; views of views share one storage. */
#include <stdio.h>

#include "expect.h"

#define NONE 1000 /* an omitted number */

/* range(*slice(start, stop, step).indices(n)), as the language reference says it. */
static int python_slice(int64_t *out, int64_t n, int64_t start, int64_t stop, int64_t step)
{
    int64_t lower = step < 0 ? -1 : 0, upper = step < 0 ? n - 1 : n;
    int64_t ends[2] = {start, stop};
    for (int i = 0; i < 2; i++) {
        if (ends[i] == NONE) {
            ends[i] = (i == 0) == (step > 0) ? lower : upper;
            continue;
        }
        if (ends[i] < 0) ends[i] += n;
        if (ends[i] < lower) ends[i] = lower;
        if (ends[i] > upper) ends[i] = upper;
    }
    int count = 0;
    for (int64_t k = ends[0]; step > 0 ? k < ends[1] : k > ends[1]; k += step) out[count++] = k;
    return count;
}

static void append(char *text, int64_t number)
{
    if (number != NONE) sprintf(text + strlen(text), "%d", (int)number);
}

static void check_slice(const dh_tensor *x, int64_t start, int64_t stop, int64_t step)
{
    char text[64] = "";
    int64_t want[16];
    append(text, start);
    strcat(text, ":");
    append(text, stop);
    if (step != NONE) strcat(text, ":");
    append(text, step);
    int count = python_slice(want, dh_tensor_dim(x, 0), start, stop, step == NONE ? 1 : step);
    dh_tensor *y = NULL;
    if (dh_tensor_slice(&y, x, text)) fail_msg("\"%s\": %s", text, dh_error_text());
    if (dh_tensor_dim(y, 0) != count)
        fail_msg("[0:%d][%s] has %d elements, not %d", (int)dh_tensor_dim(x, 0), text,
                 (int)dh_tensor_dim(y, 0), count);
    for (int i = 0; i < count; i++)
        if (!(element(y, i) == (double)want[i]))
            fail_msg("[0:%d][%s]: element %d is %g, not %d", (int)dh_tensor_dim(x, 0), text, i,
                     element(y, i), (int)want[i]);
    dh_tensor_free(y);
}

static void test_python(void **state)
{
    (void)state;
    for (int64_t n = 0; n <= 5; n++) {
        dh_tensor *x = counted(DH_I32, SHAPE(n));
        for (int64_t start = -8; start <= 8; start++)
            for (int64_t stop = -8; stop <= 8; stop++)
                for (int64_t step = -4; step <= 4; step++)
                    check_slice(x, start == 8 ? NONE : start, stop == 8 ? NONE : stop,
                                step == 0 ? NONE : step);
        for (int64_t i = -8; i <= 8; i++) {
            char text[8];
            double want = (double)(i < 0 ? i + n : i);
            dh_tensor *y = NULL;
            sprintf(text, "%d", (int)i);
            if (i >= -n && i < n) {
                assert_int_equal(dh_tensor_slice(&y, x, text), DH_OK);
                expect(y, 0, NULL, &want);
            } else {
                EXPECT_FAIL(DH_EINVAL, dh_tensor_slice(&y, x, text), text, "axis 0");
                assert_null(y);
            }
        }
        dh_tensor_free(x);
    }
}

static void check_text(const dh_tensor *x, const char *text, int64_t first, int64_t count)
{
    dh_tensor *y = NULL;
    if (dh_tensor_slice(&y, x, text)) fail_msg("\"%s\": %s", text, dh_error_text());
    if (dh_tensor_dim(y, 0) != count)
        fail_msg("\"%s\" has %d elements", text, (int)dh_tensor_dim(y, 0));
    if (count) assert_true(element(y, 0) == (double)first);
    dh_tensor_free(y);
}

/* The ends of int64 are clipped like any other number. */
static void test_extreme_numbers(void **state)
{
    (void)state;
    dh_tensor *x = counted(DH_F32, SHAPE(5)), *y = NULL;
    check_text(x, "9223372036854775807:", 0, 0);
    check_text(x, ":9223372036854775807", 0, 5);
    check_text(x, ":9223372036854775807:-1", 0, 0);
    check_text(x, "9223372036854775807::-1", 4, 5);
    check_text(x, "-9223372036854775808:", 0, 5);
    check_text(x, ":-9223372036854775808", 0, 0);
    check_text(x, "::9223372036854775807", 0, 1);
    check_text(x, "::-9223372036854775807", 4, 1);
    EXPECT_FAIL(DH_EINVAL, dh_tensor_slice(&y, x, "::-9223372036854775808"), "step", "-92233720");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_slice(&y, x, "9223372036854775807"), "axis 0", "length 5");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_slice(&y, x, "-9223372036854775808"), "axis 0", "length 5");
    assert_null(y);
    dh_tensor_free(x);
}

static void test_language(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",    " ",       "1,",   ",1",  "::",      "1:2:3:4", "a:",      "1.5", "..",   "....",
        "1 2", "...,...", "0x1:", "1;2", "0,0,0,0", "::0",     ":,:,:,:", "1e0", "...:", "--1"};
    dh_tensor *x = counted(DH_F32, SHAPE(2, 3, 4)), *s = make(DH_F32, 0, NULL, VALUES(7)),
              *y = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (!strcmp(bad[i], "::")) continue; /* whole, as in Python */
        dh_status status = dh_tensor_slice(&y, x, bad[i]);
        if (status != DH_EINVAL && status != DH_ESHAPE) fail_msg("\"%s\" was taken", bad[i]);
        assert_null(y);
    }
    assert_int_equal(dh_tensor_slice(&y, x, " ... , 1 : 3 "), DH_OK);
    expect_shape(y, SHAPE(2, 3, 2));
    dh_tensor_free(y);
    assert_int_equal(dh_tensor_slice(&y, x, "1,...,-1"), DH_OK);
    expect(y, SHAPE(3), VALUES(15, 19, 23));
    assert_int_equal(dh_tensor_slice(&y, x, "0,1,...,2"), DH_OK);
    expect(y, 0, NULL, VALUES(6));
    assert_int_equal(dh_tensor_slice(&y, x, "::"), DH_OK);
    expect_shape(y, SHAPE(2, 3, 4));
    dh_tensor_free(y);
    assert_int_equal(dh_tensor_slice(&y, s, "..."), DH_OK);
    expect(y, 0, NULL, VALUES(7));
    y = NULL;
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_slice(&y, s, "0"), "\"0\"", "0 axes of x");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_slice(&y, x, "...,..."), "two ellipses", "...,...");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_slice(&y, x, "0,0,0,0"), "0,0,0,0", "3 axes of x");
    dh_tensor_free(x);
    dh_tensor_free(s);
}

/* permute of slice of reshape: one storage, element by element where arithmetic says. */
static void test_chain(void **state)
{
    (void)state;
    dh_tensor *x = counted(DH_I16, SHAPE(4, 6)), *r = NULL, *s = NULL, *p = NULL, *u = NULL;
    assert_int_equal(dh_tensor_reshape(&r, x, SHAPE(2, -1, 3)), DH_OK);
    expect_shape(r, SHAPE(2, 4, 3));
    assert_int_equal(dh_tensor_slice(&s, r, "::-1,1::2"), DH_OK);
    assert_int_equal(dh_tensor_permute(&p, s, (int[]){2, 0, 1}), DH_OK);
    expect_shape(p, SHAPE(3, 2, 2));
    assert_false(dh_tensor_is_contiguous(p));
    assert_ptr_equal(p->storage, x->storage);
    for (int64_t i = 0; i < 12; i++) {
        int64_t c = i / 4, a = 1 - i / 2 % 2, b = 1 + 2 * (i % 2);
        assert_true(element(p, i) == (double)(a * 12 + b * 3 + c));
    }
    assert_int_equal(dh_tensor_unsqueeze(&u, p, -1), DH_OK);
    expect_shape(u, SHAPE(3, 2, 2, 1));
    dh_tensor_free(r);
    dh_tensor_free(s);
    assert_int_equal(dh_tensor_squeeze(&s, u, DH_ALL_AXES), DH_OK);
    expect_shape(s, SHAPE(3, 2, 2));
    assert_int_equal(dh_tensor_fill(s, -1), DH_OK); /* through three views */
    int negative = 0;
    for (int64_t i = 0; i < 24; i++) negative += element(x, i) == -1;
    assert_int_equal(negative, 12);
    dh_tensor_free(x);
    dh_tensor_free(p);
    dh_tensor_free(u);
    dh_tensor_free(s);
}

/* A write through a view changes exactly the elements that Python's slice names. */
static void test_write(void **state)
{
    (void)state;
    static const char *const texts[] = {"::2", "4:1:-1", "-3:", "1:1", "2"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        dh_tensor *x = counted(DH_F64, SHAPE(5)), *y = NULL;
        assert_int_equal(dh_tensor_slice(&y, x, texts[i]), DH_OK);
        int64_t n = dh_tensor_count(y), hit = 0;
        assert_int_equal(dh_tensor_fill(y, 100), DH_OK);
        for (int64_t k = 0; k < 5; k++) {
            assert_true(element(x, k) == 100 || element(x, k) == (double)k);
            hit += element(x, k) == 100;
        }
        assert_int_equal(hit, n);
        dh_tensor_free(x);
        dh_tensor_free(y);
    }
}

static void test_broadcast(void **state)
{
    (void)state;
    dh_tensor *x = counted(DH_F32, SHAPE(3, 1)), *y = NULL, *s = make(DH_F32, 0, NULL, VALUES(4));
    assert_int_equal(dh_tensor_broadcast(&y, x, SHAPE(2, 3, 2)), DH_OK);
    assert_ptr_equal(y->storage, x->storage);
    expect(y, SHAPE(2, 3, 2), VALUES(0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2));
    assert_int_equal(dh_tensor_broadcast(&y, s, SHAPE(0, 2)), DH_OK);
    expect(y, SHAPE(0, 2), NULL);
    dh_tensor_free(x);
    dh_tensor_free(s);
}

/* A view whose last axes fit, but not the rest, is copied, not half a view of the copy. */
static void test_reshape_of_half_a_view(void **state)
{
    (void)state;
    dh_tensor *x = counted(DH_F32, SHAPE(2, 3, 4)), *p = NULL, *y = NULL;
    assert_int_equal(dh_tensor_permute(&p, x, (int[]){0, 2, 1}), DH_OK);
    assert_int_equal(dh_tensor_reshape(&y, p, SHAPE(8, 3)), DH_OK);
    assert_true(dh_tensor_is_contiguous(y));
    for (int64_t k = 0; k < 24; k++)
        assert_true(((float *)dh_tensor_data(y))[k] ==
                    (float)(k / 12 * 12 + k % 3 * 4 + k / 3 % 4));
    dh_tensor_free(x);
    dh_tensor_free(p);
    dh_tensor_free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_python),
        cmocka_unit_test(test_extreme_numbers),
        cmocka_unit_test(test_language),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_broadcast),
        cmocka_unit_test(test_reshape_of_half_a_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
