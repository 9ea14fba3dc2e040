/* SPDX-License-Identifier: MIT */
/* Uniform draws: how fine they are, how far they reach, and which words they are made of. */
#include "expect.h"

#include <float.h>

#include "rng.h"

enum { COUNT = 40000 };

/* out of COUNT trials of probability p, within five deviations */
static void expect_share(int64_t got, double p, const char *what)
{
    double want = p * COUNT, deviation = sqrt(COUNT * p * (1 - p));
    if (!(fabs((double)got - want) <= 5 * deviation))
        fail_msg("%s: %lld of %d, %g were expected", what, (long long)got, COUNT, want);
}

static dh_tensor *draw(dh_dtype dtype, double low, double high)
{
    dh_tensor *t = NULL;
    assert_int_equal(dh_tensor_random_uniform(&t, {COUNT}, .dtype = dtype, .a = low, .b = high,
                                              .seed = 11, .stream = 3),
                     DH_OK);
    return t;
}

static void f32_takes_24_bits_of_a_word(void **state)
{
    (void)state;
    static uint32_t words[COUNT];
    dh__random_words(11, 3, 0, words, COUNT);
    dh_tensor *t = draw(DH_F32, 0, 1), *s = draw(DH_F32, -3, 5);
    const float *u = dh_tensor_data(t), *v = dh_tensor_data(s);
    for (int i = 0; i < COUNT; i++) {
        double want = (double)(words[i] >> 8) * 0x1p-24;
        assert_true((double)u[i] == want);
        assert_true(v[i] == (float)(-3 + 8 * want));
    }
    dh_tensor_free(t);
    dh_tensor_free(s);
}

static void f64_has_53_bits(void **state)
{
    (void)state;
    dh_tensor *t = draw(DH_F64, 0, 1), *s = NULL;
    const double *u = dh_tensor_data(t);
    int64_t set[53] = {0};
    double lag = 0;
    for (int i = 0; i < COUNT; i++) {
        double scaled = ldexp(u[i], 53);
        assert_true(u[i] >= 0 && u[i] < 1 && scaled == floor(scaled));
        for (int b = 0; b < 53; b++) set[b] += (uint64_t)scaled >> b & 1;
        if (i) lag += (u[i] - 0.5) * (u[i - 1] - 0.5);
    }
    for (int b = 0; b < 53; b++) expect_share(set[b], 0.5, "a bit of a double");
    assert_true(fabs(lag / COUNT) <= 5 / 12.0 / sqrt(COUNT));
    /* a shorter tensor is the beginning of a longer one */
    assert_int_equal(dh_tensor_random_uniform(&s, {1500}, .dtype = DH_F64, .seed = 11, .stream = 3),
                     DH_OK);
    assert_memory_equal(dh_tensor_data(s), u, 1500 * sizeof *u);
    dh_tensor_free(s);
    dh_tensor_free(t);
}

static void floats_span_their_range(void **state)
{
    (void)state;
    static const struct {
        dh_dtype dtype;
        double most;
    } cases[] = {{DH_F32, FLT_MAX}, {DH_F64, DBL_MAX}, {DH_F16, 65504}, {DH_BF16, 0x1.fep127}};
    for (size_t c = 0; c < DH_COUNT(cases); c++) {
        double most = cases[c].most;
        dh_tensor *t = draw(cases[c].dtype, -most, most);
        int64_t quarter[4] = {0};
        for (int i = 0; i < COUNT; i++) {
            double v = element(t, i);
            if (!(v >= -most && v < most)) fail_msg("%s: %g", dh_dtype_name(cases[c].dtype), v);
            quarter[(v >= 0) * 2 + (v >= (v >= 0 ? most / 2 : -most / 2))]++;
        }
        for (int q = 0; q < 4; q++) expect_share(quarter[q], 0.25, "a quarter of the range");
        dh_tensor_free(t);
    }
}

/* What is stored lies in [a, b), whichever way a, b and the draws are rounded. */
static void rounding_stays_in_the_range(void **state)
{
    (void)state;
    static const struct {
        dh_dtype dtype;
        double low, high;
    } cases[] = {{DH_BF16, -65504, 65504},    {DH_F16, 0.1, 0.2},       {DH_F16, -0.2, -0.1},
                 {DH_BF16, 0.1, 0.1005},      {DH_F32, 0.1, 0.1000001}, {DH_F16, 1e-9, 1e-6},
                 {DH_F16, -1e-6, 1e-9},       {DH_BF16, 1, 1.0001},     {DH_F64, 1, 1 + 0x1p-51},
                 {DH_F32, -1, -0x1.fffffcp-1}};
    for (size_t c = 0; c < DH_COUNT(cases); c++) {
        dh_tensor *t = draw(cases[c].dtype, cases[c].low, cases[c].high);
        for (int i = 0; i < COUNT; i++) {
            double v = element(t, i);
            if (!(v >= cases[c].low && v < cases[c].high))
                fail_msg("%s: %.17g is not in [%.17g, %.17g)", dh_dtype_name(cases[c].dtype), v,
                         cases[c].low, cases[c].high);
        }
        dh_tensor_free(t);
    }
}

/* Each bit of what lies above the least value is set in half of the draws. */
static void integers_span_their_range(void **state)
{
    (void)state;
    static const struct {
        dh_dtype dtype;
        double low, high;
    } cases[] = {{DH_I64, -0x1p63, 0x1p63}, {DH_U64, 0, 0x1p64},      {DH_I32, -0x1p31, 0x1p31},
                 {DH_U32, 0, 0x1p32},       {DH_U8, 0, 256},          {DH_I16, -32768, 32768},
                 {DH_I64, 0, 0x1p62},       {DH_U64, 0x1p63, 0x1p64}, {DH_BOOL, 0, 2}};
    for (size_t c = 0; c < DH_COUNT(cases); c++) {
        dh_tensor *t = draw(cases[c].dtype, cases[c].low, cases[c].high);
        const char *data = dh_tensor_data(t);
        size_t size = dh_dtype_size(cases[c].dtype);
        int bits = ilogb(cases[c].high - cases[c].low);
        int64_t set[64] = {0};
        for (int i = 0; i < COUNT; i++) {
            uint64_t v = 0;
            memcpy(&v, data + (size_t)i * size, size);
            v -= cases[c].low < 0 ? (uint64_t)(int64_t)cases[c].low : (uint64_t)cases[c].low;
            assert_true(bits == 64 || size < 8 || v >> bits == 0);
            for (int b = 0; b < bits; b++) set[b] += (int64_t)(v >> b & 1);
        }
        for (int b = 0; b < bits; b++) expect_share(set[b], 0.5, dh_dtype_name(cases[c].dtype));
        dh_tensor_free(t);
    }
}

static void small_integers_are_equally_likely(void **state)
{
    (void)state;
    static const dh_dtype dtypes[] = {DH_I8, DH_I32, DH_I64};
    for (size_t d = 0; d < DH_COUNT(dtypes); d++) {
        dh_tensor *t = draw(dtypes[d], -3, 4);
        int64_t seen[7] = {0};
        for (int i = 0; i < COUNT; i++) {
            double v = element(t, i);
            assert_true(v >= -3 && v <= 3);
            seen[(int)v + 3]++;
        }
        for (int i = 0; i < 7; i++) expect_share(seen[i], 1 / 7.0, dh_dtype_name(dtypes[d]));
        dh_tensor_free(t);
    }
    dh_tensor *t = NULL;
    assert_int_equal(dh_tensor_random_uniform(&t, {2}, .dtype = DH_I64, .a = 0x1p62, .b = 0x1p62),
                     DH_OK);
    assert_true(element(t, 0) == 0x1p62 && element(t, 1) == 0x1p62);
    dh_tensor_free(t);
    assert_int_equal(dh_tensor_random_uniform(&t, {2}, .dtype = DH_I8, .a = 127, .b = 127), DH_OK);
    expect(t, SHAPE(2), VALUES(127, 127));
}

static void what_a_dtype_does_not_hold_is_refused(void **state)
{
    (void)state;
    dh_tensor *t = NULL;
#define REFUSED(D, low, high, text)                                                            \
    EXPECT_FAIL(DH_EINVAL, dh_tensor_random_uniform(&t, {2}, .dtype = D, .a = low, .b = high), \
                "tensor_random_uniform", text)
    REFUSED(DH_U8, -1, 3, "a (low) is -1, b (high) is 3, u8 holds 0 to 255");
    REFUSED(DH_U8, 0, 257, "b (high) is 257");
    REFUSED(DH_I8, 0, 128.5, "b (high) is 128.5, i8 holds -128 to 127");
    REFUSED(DH_I64, -0x1.8p63, 0, "i64 holds -9.22337e+18 to 9.22337e+18");
    REFUSED(DH_I64, 0x1p63, 0x1p63, "a (low) is 9.22337e+18");
    REFUSED(DH_U8, 256, 256, "a (low) is 256");
    REFUSED(DH_BOOL, 0, 3, "bool holds 0 to 1");
    REFUSED(DH_F32, 0, 1e39, "f32 holds -3.40282e+38 to 3.40282e+38");
    REFUSED(DH_F16, 65503, 65503.5, "no number of f16 lies in [65503, 65503.5)");
    REFUSED(DH_F32, 0.1, 0.100000001, "no number of f32 lies in [0.1, 0.100000001)");
    REFUSED(DH_F16, -65520, 0, "f16 holds -65504 to 65504");
    assert_null(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f32_takes_24_bits_of_a_word),
        cmocka_unit_test(f64_has_53_bits),
        cmocka_unit_test(floats_span_their_range),
        cmocka_unit_test(rounding_stays_in_the_range),
        cmocka_unit_test(integers_span_their_range),
        cmocka_unit_test(small_integers_are_equally_likely),
        cmocka_unit_test(what_a_dtype_does_not_hold_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
