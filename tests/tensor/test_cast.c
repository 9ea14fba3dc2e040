/* SPDX-License-Identifier: MIT */
/* Casts: every pair of dtypes against an independent conversion; halves over all their values. */
#include <float.h>

#include "expect.h"

/* --- an independent model: a value is an exact integer or a double --- */

typedef struct number {
    bool integer, negative;
    uint64_t magnitude; /* of an integer */
    double real;
} number;

static bool is_signed(dh_dtype d)
{
    return d == DH_I8 || d == DH_I16 || d == DH_I32 || d == DH_I64;
}

static int bits_of(dh_dtype d)
{
    return (int)dh_dtype_size(d) * 8;
}

/* Value of a half with `mantissa` bits by the definition: (-1)^s 2^(e - bias) (1 + m / 2^mantissa).
 */
static double half_value(uint32_t bits, int mantissa)
{
    int exponent_bits = 15 - mantissa, bias = (1 << (exponent_bits - 1)) - 1;
    uint32_t m = bits & ((1u << mantissa) - 1), e = bits >> mantissa & ((1u << exponent_bits) - 1);
    double sign = bits >> 15 ? -1 : 1;
    if (e == (1u << exponent_bits) - 1) return m ? NAN : sign * INFINITY;
    if (e == 0) return sign * ldexp(m, 1 - bias - mantissa);
    return sign * ldexp((double)((1u << mantissa) + m), (int)e - bias - mantissa);
}

/* The half nearest to v, ties to the even one, by searching its neighbours among all values. */
static uint32_t nearest_half(double v, int mantissa)
{
    uint32_t infinity = ((1u << (15 - mantissa)) - 1) << mantissa, sign = signbit(v) ? 0x8000u : 0;
    double a = fabs(v);
    uint32_t low = 0, high = infinity;
    if (isnan(v)) return sign | infinity | 1u << (mantissa - 1);
    while (high - low > 1) { /* value(low) <= a < value(high) */
        uint32_t middle = (low + high) / 2;
        if (half_value(middle, mantissa) <= a)
            low = middle;
        else
            high = middle;
    }
    double below = half_value(low, mantissa);
    /* infinity stands where the next number would */
    double above =
        high == infinity ? 2 * below - half_value(low - 1, mantissa) : half_value(high, mantissa);
    if (isinf(a)) return sign | infinity;
    double d = (a - below) - (above - a); /* exact: both differences are */
    if (d < 0 || (d == 0 && low % 2 == 0)) return sign | low;
    return sign | high;
}

static void test_halves_to_float(void **state)
{
    (void)state;
    for (uint32_t b = 0; b < 65536; b++) {
        double f = (double)dh__f16_to_f32((uint16_t)b), want = half_value(b, 10);
        assert_true(f == want ? signbit(f) == signbit(want) : isnan(f) && isnan(want));
        f = (double)dh__bf16_to_f32((uint16_t)b);
        want = half_value(b, 7);
        assert_true(f == want ? signbit(f) == signbit(want) : isnan(f) && isnan(want));
    }
}

static void check_half(double v)
{
    float f = (float)v;
    uint16_t h, b;
    dh__store(DH_F16, &h, v);
    dh__store(DH_BF16, &b, v);
    uint32_t want_h = nearest_half(v, 10), want_b = nearest_half(v, 7);
    if (isnan(v)) {
        assert_true(isnan(half_value(h, 10)) && isnan(half_value(b, 7)));
        assert_true(isnan(half_value(dh__f32_to_f16(f), 10)));
        assert_true(isnan(half_value(dh__f32_to_bf16(f), 7)));
        return;
    }
    if (h != want_h) fail_msg("%a to f16 is %04x, not %04x", v, h, want_h);
    if (b != want_b) fail_msg("%a to bf16 is %04x, not %04x", v, b, want_b);
    if ((double)f != v) return;
    if (dh__f32_to_f16(f) != want_h)
        fail_msg("f32 %a to f16 is %04x, not %04x", v, dh__f32_to_f16(f), want_h);
    if (dh__f32_to_bf16(f) != want_b)
        fail_msg("f32 %a to bf16 is %04x, not %04x", v, dh__f32_to_bf16(f), want_b);
}

/* Each half, the points half way to the next, and what lies just beside them: as f64 too close for
 * an f32 in between, which would round twice. */
static void test_to_halves(void **state)
{
    (void)state;
    for (int mantissa = 7; mantissa <= 10; mantissa += 3)
        for (uint32_t b = 0; b < 65536; b++) {
            double v = half_value(b, mantissa), next = half_value(b + 1, mantissa);
            check_half(v);
            if (!isfinite(v) || !isfinite(next)) continue;
            double middle = (v + next) / 2;
            check_half(middle);
            check_half(nextafter(middle, INFINITY));
            check_half(nextafter(middle, -INFINITY));
            check_half((double)nextafterf((float)middle, INFINITY));
        }
    static const double more[] = {65504,   65519.99,       65520,   65536,   3.4e38,
                                  FLT_MAX, DBL_MAX,        1e-40,   DBL_MIN, 5e-324,
                                  0x1p-25, 0x1.000001p-25, 0x1p-134};
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        check_half(more[i]);
        check_half(-more[i]);
    }
}

/* --- every pair --- */

static number number_at(dh_dtype d, const void *at)
{
    number n = {.integer = true};
    int64_t s = 0;
    switch (d) {
    case DH_F32: return (number){.real = (double)*(const float *)at};
    case DH_F64: return (number){.real = *(const double *)at};
    case DH_F16: return (number){.real = half_value(*(const uint16_t *)at, 10)};
    case DH_BF16: return (number){.real = half_value(*(const uint16_t *)at, 7)};
    case DH_I8: s = *(const int8_t *)at; break;
    case DH_I16: s = *(const int16_t *)at; break;
    case DH_I32: s = *(const int32_t *)at; break;
    case DH_I64: s = *(const int64_t *)at; break;
    case DH_U16: n.magnitude = *(const uint16_t *)at; return n;
    case DH_U32: n.magnitude = *(const uint32_t *)at; return n;
    case DH_U64: n.magnitude = *(const uint64_t *)at; return n;
    default: n.magnitude = *(const uint8_t *)at; return n;
    }
    n.negative = s < 0;
    n.magnitude = s < 0 ? 0 - (uint64_t)s : (uint64_t)s;
    return n;
}

/* Bits of the integer dtype: a real truncates and saturates, an integer wraps. */
static uint64_t to_integer(number n, dh_dtype d)
{
    int bits = bits_of(d);
    uint64_t mask = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
    if (n.integer) return (n.negative ? 0 - n.magnitude : n.magnitude) & mask;
    if (isnan(n.real)) return 0;
    double t = trunc(n.real), top = ldexp(1, is_signed(d) ? bits - 1 : bits);
    if (t >= top) return is_signed(d) ? mask >> 1 : mask;
    if (t < 0 && !is_signed(d)) return 0;
    if (t < -top) t = -top;
    return (t < 0 ? 0 - (uint64_t)-t : (uint64_t)t) & mask;
}

/* long double holds every 64-bit integer and every double. */
static uint64_t to_real(number n, dh_dtype d)
{
    long double v =
        n.integer ? (n.negative ? -1.0L : 1.0L) * (long double)n.magnitude : (long double)n.real;
    uint64_t bits = 0;
    if (d == DH_F32) {
        float f = (float)v;
        memcpy(&bits, &f, 4);
    } else if (d == DH_F64) {
        double f = (double)v;
        memcpy(&bits, &f, 8);
    } else {
        /* to double towards odd, so that the search below sees on which side of a tie v is */
        double f = (double)v;
        uint64_t u;
        memcpy(&u, &f, 8);
        if ((long double)f != v && !(u & 1))
            f = nextafter(f, (long double)f > v ? -INFINITY : INFINITY);
        bits = nearest_half(f, d == DH_F16 ? 10 : 7);
    }
    return bits;
}

static bool bits_are_nan(dh_dtype d, uint64_t bits)
{
    return dh_dtype_is_float(d) && isnan(number_at(d, &bits).real);
}

static void check_pair(dh_dtype from, dh_dtype to)
{
    static const double real[] = {0,
                                  -0.0,
                                  1,
                                  -1,
                                  0.5,
                                  -0.5,
                                  1.5,
                                  2.5,
                                  127.9,
                                  128,
                                  -128.9,
                                  -129,
                                  255.5,
                                  256,
                                  32767.5,
                                  32768,
                                  -32769,
                                  65535.9,
                                  65536,
                                  2147483647.5,
                                  2147483648.0,
                                  -2147483649.0,
                                  4294967295.9,
                                  4294967296.0,
                                  0x1p53,
                                  0x1p63,
                                  -0x1p63,
                                  0x1.fffffffffffffp62,
                                  0x1p64,
                                  0x1.fffffffffffffp63,
                                  1e30,
                                  -1e30,
                                  1e300,
                                  -1e300,
                                  INFINITY,
                                  -INFINITY,
                                  NAN,
                                  1e-50,
                                  3.14159};
    static const uint64_t whole[] = {0,
                                     1,
                                     2,
                                     127,
                                     128,
                                     129,
                                     255,
                                     256,
                                     257,
                                     32767,
                                     32768,
                                     65535,
                                     65536,
                                     0x7fffffff,
                                     0x80000000,
                                     0xffffffff,
                                     0x100000000,
                                     0x1000001,
                                     0x20000000000001,
                                     0x4040000000000001,
                                     0x40c0000000000000,
                                     0x4040000000000000,
                                     0x403fffffffffffff,
                                     0x7fffffffffffffff,
                                     0x8000000000000000,
                                     0x8080000000000001,
                                     0xfffffffffffffc01,
                                     0xffffffffffffffff,
                                     0xffffffffffffff80,
                                     0xfffffffffffffeff};
    dh_tensor *x = NULL, *y = NULL, *p = NULL, *q = NULL;
    size_t a = dh_dtype_size(from), b = dh_dtype_size(to);
    int64_t n = dh_dtype_is_float(from) ? (int64_t)(sizeof real / sizeof real[0])
                                        : (int64_t)(sizeof whole / sizeof whole[0]);
    assert_int_equal(dh_tensor_new(&x, from, SHAPE(n, 2)), DH_OK);
    for (int64_t i = 0; i < 2 * n; i++) {
        uint64_t bits = whole[i / 2 % 30];
        char *at = (char *)dh_tensor_data(x) + (size_t)i * a;
        if (from == DH_BOOL) bits &= 1;
        if (dh_dtype_is_float(from))
            dh__store(from, at, real[i / 2]);
        else
            memcpy(at, &bits, a);
    }
    assert_int_equal(dh_tensor_cast(&y, x, to), DH_OK);
    assert_int_equal(dh_tensor_dtype(y), to);
    for (int64_t i = 0; i < 2 * n; i++) {
        number v = number_at(from, (char *)dh_tensor_data(x) + (size_t)i * a);
        uint64_t got = 0, want;
        memcpy(&got, (char *)dh_tensor_data(y) + (size_t)i * b, b);
        if (to == DH_BOOL)
            want = v.integer ? v.magnitude != 0 : !(v.real == 0);
        else
            want = dh_dtype_is_float(to) ? to_real(v, to) : to_integer(v, to);
        if (bits_are_nan(to, want) && bits_are_nan(to, got)) continue;
        if (got != want)
            fail_msg("%s to %s: element %d (%a or %s%llu) is %llx, not %llx", dh_dtype_name(from),
                     dh_dtype_name(to), (int)i, v.real, v.negative ? "-" : "",
                     (unsigned long long)v.magnitude, (unsigned long long)got,
                     (unsigned long long)want);
    }
    /* the strided way gives the same */
    assert_int_equal(dh_tensor_slice(&p, x, "::-1,1"), DH_OK);
    assert_int_equal(dh_tensor_cast(&q, p, to), DH_OK);
    for (int64_t i = 0; i < n; i++)
        assert_memory_equal((char *)dh_tensor_data(q) + (size_t)i * b,
                            (char *)dh_tensor_data(y) + (size_t)(2 * (n - 1 - i)) * b, b);
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_tensor_free(p);
    dh_tensor_free(q);
}

static void test_every_pair(void **state)
{
    (void)state;
    for (int from = 1; from < DH_DTYPE_COUNT; from++)
        for (int to = 1; to < DH_DTYPE_COUNT; to++) check_pair((dh_dtype)from, (dh_dtype)to);
}

static void test_arguments(void **state)
{
    (void)state;
    dh_tensor *x = counted(DH_F32, SHAPE(2)), *y = NULL;
    static const int bad[] = {0, -1, DH_DTYPE_COUNT, 1000};
    for (size_t i = 0; i < 4; i++) {
        assert_int_not_equal(dh_tensor_cast(&y, x, (dh_dtype)bad[i]), DH_OK);
        assert_non_null(strstr(dh_error_text(), "cast"));
    }
    assert_null(y);
    assert_int_equal(dh_tensor_cast(&y, x, DH_F32), DH_OK); /* a copy, not a view */
    assert_ptr_not_equal(dh_tensor_data(x), dh_tensor_data(y));
    dh_tensor_free(x);
    expect(y, SHAPE(2), VALUES(0, 1));
}

/* The table of include/deephealth/dtype.h, symmetric. */
static void test_promote(void **state)
{
    (void)state;
    static const int order[] = {DH_BOOL, DH_U8,  DH_U16, DH_U32,  DH_U64, DH_I8, DH_I16,
                                DH_I32,  DH_I64, DH_F16, DH_BF16, DH_F32, DH_F64};
    static const char *const want[13] = {
        "bool u8 u16 u32 u64 i8 i16 i32 i64 f16 bf16 f32 f64",
        "u8 u8 u16 u32 u64 i16 i16 i32 i64 f16 bf16 f32 f64",
        "u16 u16 u16 u32 u64 i32 i32 i32 i64 f16 bf16 f32 f64",
        "u32 u32 u32 u32 u64 i64 i64 i64 i64 f16 bf16 f32 f64",
        "u64 u64 u64 u64 u64 f64 f64 f64 f64 f16 bf16 f32 f64",
        "i8 i16 i32 i64 f64 i8 i16 i32 i64 f16 bf16 f32 f64",
        "i16 i16 i32 i64 f64 i16 i16 i32 i64 f16 bf16 f32 f64",
        "i32 i32 i32 i64 f64 i32 i32 i32 i64 f16 bf16 f32 f64",
        "i64 i64 i64 i64 f64 i64 i64 i64 i64 f16 bf16 f32 f64",
        "f16 f16 f16 f16 f16 f16 f16 f16 f16 f16 f32 f32 f64",
        "bf16 bf16 bf16 bf16 bf16 bf16 bf16 bf16 bf16 f32 bf16 f32 f64",
        "f32 f32 f32 f32 f32 f32 f32 f32 f32 f32 f32 f32 f64",
        "f64 f64 f64 f64 f64 f64 f64 f64 f64 f64 f64 f64 f64"};
    for (int i = 0; i < 13; i++) {
        char line[160] = "";
        for (int j = 0; j < 13; j++) {
            if (j) strcat(line, " ");
            strcat(line, dh_dtype_name(dh_dtype_promote((dh_dtype)order[i], (dh_dtype)order[j])));
        }
        assert_string_equal(line, want[i]);
    }
    assert_int_equal(dh_dtype_promote(DH_F32, (dh_dtype)0), DH_DTYPE_DEFAULT);
    assert_int_equal(dh_dtype_promote((dh_dtype)99, DH_F32), DH_DTYPE_DEFAULT);
    dh_dtype d = DH_F64;
    assert_int_equal(dh_dtype_parse(&d, "uint16"), DH_OK);
    assert_int_equal(d, DH_U16);
    EXPECT_FAIL(DH_ENAME, dh_dtype_parse(&d, "floa32"), "floa32", "f32");
    EXPECT_FAIL(DH_EINVAL, dh_dtype_parse(&d, NULL), "dtype_parse", "name");
    EXPECT_FAIL(DH_EINVAL, dh_dtype_parse(NULL, "f32"), "dtype_parse", "out");
    assert_int_equal(d, DH_U16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_halves_to_float), cmocka_unit_test(test_to_halves),
        cmocka_unit_test(test_every_pair),      cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_promote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
