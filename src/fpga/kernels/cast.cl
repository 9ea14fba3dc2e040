/* SPDX-License-Identifier: MIT */
/* A cast from X to Y: to an integer by its range, NaN to 0 (SATURATE); to bool by being 0 or not
 * (TO_BOOL); to a half from what a float does not hold (NARROW), cut to one whose last bit tells
 * whether something was cut off, so that rounding it again is right. affine is for integers: in
 * double, and back as a cast. */
typedef CAT(T_, X) T;
typedef CAT(T_, Y) U;

#define SAT_i8(x)  convert_char_sat(x)
#define SAT_i16(x) convert_short_sat(x)
#define SAT_i32(x) convert_int_sat(x)
#define SAT_i64(x) convert_long_sat(x)
#define SAT_u8(x)  convert_uchar_sat(x)
#define SAT_u16(x) convert_ushort_sat(x)
#define SAT_u32(x) convert_uint_sat(x)
#define SAT_u64(x) convert_ulong_sat(x)
#define SAT(v)     (isnan(v) ? (CAT(C_, Y))0 : (CAT(C_, Y))CAT(SAT_, Y)(v))

#ifdef K_cast
kernel void cast(OUT(U, y), IN(T, x), long count)
{
    EACH(i)
    CAT(C_, X) v = LOAD(X, x, i);
#ifdef TO_BOOL
    STORE(Y, y, i, v != 0);
#elif defined SATURATE
    STORE(Y, y, i, SAT(v));
#elif defined NARROW
    float cut = convert_float_rtz(v);
    STORE(Y, y, i, (CAT(C_, X))cut == v ? cut : as_float(as_uint(cut) | 1u));
#else
    STORE(Y, y, i, v);
#endif
}
#endif

#ifdef K_affine
kernel void affine(OUT(U, y), IN(U, x), double alpha, double beta, long count)
{
    EACH(i)
    double v = alpha * (double)LOAD(Y, x, i) + beta;
    STORE(Y, y, i, SAT(v));
}
#endif
