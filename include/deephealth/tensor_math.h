/* SPDX-License-Identifier: MIT */
/* Elementwise mathematics on tensors. Operands broadcast by NumPy's rule and meet in the dtype of
 * dh_dtype_promote. *out is a new tensor, yours to free; on failure it is left as it was. The
 * in-place form of every op is dh_tensor_apply.
 *
 * Errors: DH_EINVAL for NULL and for a number outside its range, DH_ESHAPE for shapes that do not
 * broadcast, DH_EDTYPE for a dtype that is not taken; the text names the operand and what is taken.
 */
#ifndef DEEPHEALTH_TENSOR_MATH_H
#define DEEPHEALTH_TENSOR_MATH_H

#include <deephealth/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Runs any op of the table (docs/ops.md) with its default attributes into dst, which has the
 * result's shape (DH_ESHAPE) and may overlap inputs: dh_tensor_apply(a, "add", {a, b}, 2) is a +=
 * b. The result is cast to dst's dtype. DH_ENAME offers the near names; DH_EINVAL where an
 * attribute has no default, DH_EUNSUPPORTED for the ops of optimisers. */
DH_API DH_NODISCARD dh_status dh_tensor_apply(dh_tensor *dst, const char *op,
                                              const dh_tensor *const *in, int in_count);

/* --- one operand ---
 *
 * Floating dtypes; abs sign sqr floor ceil round trunc relu relu6 clamp affine take integers too,
 * neg signed ones, and what overflows wraps (neg and abs of the least integer are itself). f32
 * results of exp expm1 log log1p tanh erf sigmoid softplus gelu silu mish elu are within 4 units in
 * the last place. sign, floor, ceil, round and trunc have no gradient. */

/* -x */
DH_API DH_NODISCARD dh_status dh_tensor_neg(dh_tensor **out, const dh_tensor *x);
/* |x| */
DH_API DH_NODISCARD dh_status dh_tensor_abs(dh_tensor **out, const dh_tensor *x);
/* -1, 0 or 1 */
DH_API DH_NODISCARD dh_status dh_tensor_sign(dh_tensor **out, const dh_tensor *x);
/* x^2 */
DH_API DH_NODISCARD dh_status dh_tensor_sqr(dh_tensor **out, const dh_tensor *x);
/* square root */
DH_API DH_NODISCARD dh_status dh_tensor_sqrt(dh_tensor **out, const dh_tensor *x);
/* 1 / sqrt(x) */
DH_API DH_NODISCARD dh_status dh_tensor_rsqrt(dh_tensor **out, const dh_tensor *x);
/* 1 / x (EDDL: inv) */
DH_API DH_NODISCARD dh_status dh_tensor_reciprocal(dh_tensor **out, const dh_tensor *x);
/* e^x */
DH_API DH_NODISCARD dh_status dh_tensor_exp(dh_tensor **out, const dh_tensor *x);
/* e^x - 1, exact near 0 */
DH_API DH_NODISCARD dh_status dh_tensor_expm1(dh_tensor **out, const dh_tensor *x);
/* natural logarithm */
DH_API DH_NODISCARD dh_status dh_tensor_log(dh_tensor **out, const dh_tensor *x);
/* log(1 + x), exact near 0 */
DH_API DH_NODISCARD dh_status dh_tensor_log1p(dh_tensor **out, const dh_tensor *x);
/* logarithm to base 2 */
DH_API DH_NODISCARD dh_status dh_tensor_log2(dh_tensor **out, const dh_tensor *x);
/* logarithm to base 10 */
DH_API DH_NODISCARD dh_status dh_tensor_log10(dh_tensor **out, const dh_tensor *x);
/* sine of radians */
DH_API DH_NODISCARD dh_status dh_tensor_sin(dh_tensor **out, const dh_tensor *x);
/* cosine of radians */
DH_API DH_NODISCARD dh_status dh_tensor_cos(dh_tensor **out, const dh_tensor *x);
/* tangent of radians */
DH_API DH_NODISCARD dh_status dh_tensor_tan(dh_tensor **out, const dh_tensor *x);
/* inverse sine, radians */
DH_API DH_NODISCARD dh_status dh_tensor_asin(dh_tensor **out, const dh_tensor *x);
/* inverse cosine, radians */
DH_API DH_NODISCARD dh_status dh_tensor_acos(dh_tensor **out, const dh_tensor *x);
/* inverse tangent, radians */
DH_API DH_NODISCARD dh_status dh_tensor_atan(dh_tensor **out, const dh_tensor *x);
/* hyperbolic sine */
DH_API DH_NODISCARD dh_status dh_tensor_sinh(dh_tensor **out, const dh_tensor *x);
/* hyperbolic cosine */
DH_API DH_NODISCARD dh_status dh_tensor_cosh(dh_tensor **out, const dh_tensor *x);
/* hyperbolic tangent */
DH_API DH_NODISCARD dh_status dh_tensor_tanh(dh_tensor **out, const dh_tensor *x);
/* error function */
DH_API DH_NODISCARD dh_status dh_tensor_erf(dh_tensor **out, const dh_tensor *x);
/* largest integer <= x */
DH_API DH_NODISCARD dh_status dh_tensor_floor(dh_tensor **out, const dh_tensor *x);
/* smallest integer >= x */
DH_API DH_NODISCARD dh_status dh_tensor_ceil(dh_tensor **out, const dh_tensor *x);
/* nearest integer, halves to even */
DH_API DH_NODISCARD dh_status dh_tensor_round(dh_tensor **out, const dh_tensor *x);
/* towards 0 */
DH_API DH_NODISCARD dh_status dh_tensor_trunc(dh_tensor **out, const dh_tensor *x);
/* max(x, 0) */
DH_API DH_NODISCARD dh_status dh_tensor_relu(dh_tensor **out, const dh_tensor *x);
/* min(max(x, 0), 6), Krizhevsky 2010; its gradient at 0 and 6 is 0 */
DH_API DH_NODISCARD dh_status dh_tensor_relu6(dh_tensor **out, const dh_tensor *x);
/* self-normalising exponential unit, Klambauer et al. 2017 */
DH_API DH_NODISCARD dh_status dh_tensor_selu(dh_tensor **out, const dh_tensor *x);
/* 1 / (1 + e^-x) */
DH_API DH_NODISCARD dh_status dh_tensor_sigmoid(dh_tensor **out, const dh_tensor *x);
/* clip(x / 5 + 1 / 2, 0, 1) */
DH_API DH_NODISCARD dh_status dh_tensor_hard_sigmoid(dh_tensor **out, const dh_tensor *x);
/* log(1 + e^x) */
DH_API DH_NODISCARD dh_status dh_tensor_softplus(dh_tensor **out, const dh_tensor *x);
/* x / (1 + |x|) */
DH_API DH_NODISCARD dh_status dh_tensor_softsign(dh_tensor **out, const dh_tensor *x);
/* x times the normal distribution function, exact */
DH_API DH_NODISCARD dh_status dh_tensor_gelu(dh_tensor **out, const dh_tensor *x);
/* x sigmoid(x) */
DH_API DH_NODISCARD dh_status dh_tensor_silu(dh_tensor **out, const dh_tensor *x);
/* x tanh(softplus(x)) */
DH_API DH_NODISCARD dh_status dh_tensor_mish(dh_tensor **out, const dh_tensor *x);
/* x where x > 0, else alpha x */
DH_API DH_NODISCARD dh_status dh_tensor_leaky_relu(dh_tensor **out, const dh_tensor *x,
                                                   double alpha);
/* x where x > alpha, else 0 */
DH_API DH_NODISCARD dh_status dh_tensor_thresholded_relu(dh_tensor **out, const dh_tensor *x,
                                                         double alpha);
/* x where x > 0, else alpha (e^x - 1), alpha >= 0 */
DH_API DH_NODISCARD dh_status dh_tensor_elu(dh_tensor **out, const dh_tensor *x, double alpha);
/* min(max(x, low), high), low <= high; both may be infinite */
DH_API DH_NODISCARD dh_status dh_tensor_clamp(dh_tensor **out, const dh_tensor *x, double low,
                                              double high);
/* alpha x + beta; of integers in f64, then cast as dh_tensor_cast does */
DH_API DH_NODISCARD dh_status dh_tensor_affine(dh_tensor **out, const dh_tensor *x, double alpha,
                                               double beta);
/* logarithm to a base > 0, not 1 (EDDL: logn) */
DH_API DH_NODISCARD dh_status dh_tensor_log_base(dh_tensor **out, const dh_tensor *x, double base);
/* scaled so that the smallest element is low and the largest high; a constant x gives low, integers
 * become f64, what is not finite is DH_ENUMERIC */
DH_API DH_NODISCARD dh_status dh_tensor_normalize(dh_tensor **out, const dh_tensor *x, double low,
                                                  double high);

/* --- predicates: bool; floating dtypes but for logical_not --- */

/* x is NaN */
DH_API DH_NODISCARD dh_status dh_tensor_isnan(dh_tensor **out, const dh_tensor *x);
/* x is +-infinity */
DH_API DH_NODISCARD dh_status dh_tensor_isinf(dh_tensor **out, const dh_tensor *x);
/* x is neither NaN nor infinite */
DH_API DH_NODISCARD dh_status dh_tensor_isfinite(dh_tensor **out, const dh_tensor *x);
/* x is +infinity; any dtype */
DH_API DH_NODISCARD dh_status dh_tensor_isposinf(dh_tensor **out, const dh_tensor *x);
/* x is -infinity; any dtype */
DH_API DH_NODISCARD dh_status dh_tensor_isneginf(dh_tensor **out, const dh_tensor *x);
/* *out: some element of x is NaN */
DH_API DH_NODISCARD dh_status dh_tensor_anynan(bool *out, const dh_tensor *x);
/* x == 0; any dtype */
DH_API DH_NODISCARD dh_status dh_tensor_logical_not(dh_tensor **out, const dh_tensor *x);

/* --- two operands; integers wrap where they overflow --- */

/* a + b (in place EDDL: inc) */
DH_API DH_NODISCARD dh_status dh_tensor_add(dh_tensor **out, const dh_tensor *a,
                                            const dh_tensor *b);
/* a - b */
DH_API DH_NODISCARD dh_status dh_tensor_sub(dh_tensor **out, const dh_tensor *a,
                                            const dh_tensor *b);
/* a b (EDDL: mult, el_mult) */
DH_API DH_NODISCARD dh_status dh_tensor_mul(dh_tensor **out, const dh_tensor *a,
                                            const dh_tensor *b);
/* a / b (EDDL: el_div); integers truncate, an integer divided by 0 is DH_ENUMERIC, the least one
 * divided by -1 wraps to itself */
DH_API DH_NODISCARD dh_status dh_tensor_div(dh_tensor **out, const dh_tensor *a,
                                            const dh_tensor *b);
/* a^b; an integer to a negative power truncates: 0, that of 0 too, but for 1 and -1. Gradient of b
 * where a <= 0: 0 */
DH_API DH_NODISCARD dh_status dh_tensor_pow(dh_tensor **out, const dh_tensor *a,
                                            const dh_tensor *b);
/* the larger; NaN wins. At a tie the gradient goes to a */
DH_API DH_NODISCARD dh_status dh_tensor_maximum(dh_tensor **out, const dh_tensor *a,
                                                const dh_tensor *b);
/* the smaller; NaN wins. At a tie the gradient goes to a */
DH_API DH_NODISCARD dh_status dh_tensor_minimum(dh_tensor **out, const dh_tensor *a,
                                                const dh_tensor *b);
/* remainder with the sign of a, as C's fmod; integers as div */
DH_API DH_NODISCARD dh_status dh_tensor_mod(dh_tensor **out, const dh_tensor *a,
                                            const dh_tensor *b);
/* remainder with the sign of b, that of 0 too, as Python's %; integers as div */
DH_API DH_NODISCARD dh_status dh_tensor_remainder(dh_tensor **out, const dh_tensor *a,
                                                  const dh_tensor *b);
/* angle of the point (b, a), radians */
DH_API DH_NODISCARD dh_status dh_tensor_atan2(dh_tensor **out, const dh_tensor *a,
                                              const dh_tensor *b);
/* f a + g b; integers become f64 */
DH_API DH_NODISCARD dh_status dh_tensor_interpolate(dh_tensor **out, double f, const dh_tensor *a,
                                                    double g, const dh_tensor *b);

/* --- comparisons and logic: bool ---
 *
 * Exact in the dtype where both meet: integers of any size; u64 and a signed dtype meet in f64,
 * which holds integers up to 2^53. NaN is unequal to all. */

/* a == b */
DH_API DH_NODISCARD dh_status dh_tensor_equal(dh_tensor **out, const dh_tensor *a,
                                              const dh_tensor *b);
/* a != b */
DH_API DH_NODISCARD dh_status dh_tensor_not_equal(dh_tensor **out, const dh_tensor *a,
                                                  const dh_tensor *b);
/* a > b */
DH_API DH_NODISCARD dh_status dh_tensor_greater(dh_tensor **out, const dh_tensor *a,
                                                const dh_tensor *b);
/* a >= b */
DH_API DH_NODISCARD dh_status dh_tensor_greater_equal(dh_tensor **out, const dh_tensor *a,
                                                      const dh_tensor *b);
/* a < b */
DH_API DH_NODISCARD dh_status dh_tensor_less(dh_tensor **out, const dh_tensor *a,
                                             const dh_tensor *b);
/* a <= b */
DH_API DH_NODISCARD dh_status dh_tensor_less_equal(dh_tensor **out, const dh_tensor *a,
                                                   const dh_tensor *b);
/* a and b not 0 */
DH_API DH_NODISCARD dh_status dh_tensor_logical_and(dh_tensor **out, const dh_tensor *a,
                                                    const dh_tensor *b);
/* a or b not 0 */
DH_API DH_NODISCARD dh_status dh_tensor_logical_or(dh_tensor **out, const dh_tensor *a,
                                                   const dh_tensor *b);
/* exactly one not 0 */
DH_API DH_NODISCARD dh_status dh_tensor_logical_xor(dh_tensor **out, const dh_tensor *a,
                                                    const dh_tensor *b);
/* a where condition (bool) is true, else b */
DH_API DH_NODISCARD dh_status dh_tensor_where(dh_tensor **out, const dh_tensor *condition,
                                              const dh_tensor *a, const dh_tensor *b);
/* *out: every pair of elements has |a - b| <= atol + rtol |b|, of two integers exactly, else
 * in f64; NaN equals NaN when equal_nan. NumPy's defaults are rtol 1e-5, atol 1e-8. a and b
 * broadcast. */
DH_API DH_NODISCARD dh_status dh_tensor_allclose(bool *out, const dh_tensor *a, const dh_tensor *b,
                                                 double rtol, double atol, bool equal_nan);
/* The same, element by element: bool, in host memory. */
DH_API DH_NODISCARD dh_status dh_tensor_isclose(dh_tensor **out, const dh_tensor *a,
                                                const dh_tensor *b, double rtol, double atol,
                                                bool equal_nan);

/* --- with a number ---
 *
 * s is rounded to the dtype of a floating x. An integer x keeps its dtype if that holds s; else
 * they meet as x would with i64 for a whole s, f64 for any other. */

/* x + s */
DH_API DH_NODISCARD dh_status dh_tensor_add_scalar(dh_tensor **out, const dh_tensor *x, double s);
/* x - s */
DH_API DH_NODISCARD dh_status dh_tensor_sub_scalar(dh_tensor **out, const dh_tensor *x, double s);
/* x s */
DH_API DH_NODISCARD dh_status dh_tensor_mul_scalar(dh_tensor **out, const dh_tensor *x, double s);
/* x / s */
DH_API DH_NODISCARD dh_status dh_tensor_div_scalar(dh_tensor **out, const dh_tensor *x, double s);
/* x^s */
DH_API DH_NODISCARD dh_status dh_tensor_pow_scalar(dh_tensor **out, const dh_tensor *x, double s);
/* as mod */
DH_API DH_NODISCARD dh_status dh_tensor_mod_scalar(dh_tensor **out, const dh_tensor *x, double s);
/* as remainder */
DH_API DH_NODISCARD dh_status dh_tensor_remainder_scalar(dh_tensor **out, const dh_tensor *x,
                                                         double s);
/* s - x */
DH_API DH_NODISCARD dh_status dh_tensor_rsub_scalar(dh_tensor **out, const dh_tensor *x, double s);
/* s / x */
DH_API DH_NODISCARD dh_status dh_tensor_rdiv_scalar(dh_tensor **out, const dh_tensor *x, double s);
/* s^x (EDDL: powb) */
DH_API DH_NODISCARD dh_status dh_tensor_rpow_scalar(dh_tensor **out, const dh_tensor *x, double s);
/* max(x, s) (EDDL: clampmin) */
DH_API DH_NODISCARD dh_status dh_tensor_maximum_scalar(dh_tensor **out, const dh_tensor *x,
                                                       double s);
/* min(x, s) (EDDL: clampmax) */
DH_API DH_NODISCARD dh_status dh_tensor_minimum_scalar(dh_tensor **out, const dh_tensor *x,
                                                       double s);
/* x == s */
DH_API DH_NODISCARD dh_status dh_tensor_equal_scalar(dh_tensor **out, const dh_tensor *x, double s);
/* x != s */
DH_API DH_NODISCARD dh_status dh_tensor_not_equal_scalar(dh_tensor **out, const dh_tensor *x,
                                                         double s);
/* x > s */
DH_API DH_NODISCARD dh_status dh_tensor_greater_scalar(dh_tensor **out, const dh_tensor *x,
                                                       double s);
/* x >= s */
DH_API DH_NODISCARD dh_status dh_tensor_greater_equal_scalar(dh_tensor **out, const dh_tensor *x,
                                                             double s);
/* x < s */
DH_API DH_NODISCARD dh_status dh_tensor_less_scalar(dh_tensor **out, const dh_tensor *x, double s);
/* x <= s */
DH_API DH_NODISCARD dh_status dh_tensor_less_equal_scalar(dh_tensor **out, const dh_tensor *x,
                                                          double s);

#ifdef __cplusplus
}
#endif
#endif
