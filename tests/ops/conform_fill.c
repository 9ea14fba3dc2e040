/* SPDX-License-Identifier: MIT */
/* Inputs of cases. The numbers come from a generator of our own (splitmix64) and are rounded by our
 * own arithmetic, so that neither is shared with what is tested. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "conform.h"

typedef struct generator {
    uint64_t state;
} generator;

static uint64_t next(generator *g)
{
    uint64_t z = g->state += 0x9E3779B97F4A7C15ull;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ z >> 27) * 0x94D049BB133111EBull;
    return z ^ z >> 31;
}

static double uniform(generator *g)
{
    return (double)(next(g) >> 11) * 0x1p-53;
}

static int64_t below(generator *g, int64_t bound)
{
    return (int64_t)(next(g) % (uint64_t)bound);
}

static generator seeded(const char *op, int number, int part)
{
    uint64_t hash = 1469598103934665603ull;
    for (; *op; op++) hash = (hash ^ (unsigned char)*op) * 1099511628211ull;
    return (generator){hash + (uint64_t)number * 1000003u + (uint64_t)part * 7919u};
}

int64_t fill_pick(uint64_t seed, int64_t bound)
{
    return below(&(generator){seed}, bound);
}

/* --- rounding --- */

/* Nearest number with `digits` binary digits, exponents from `low` on, ties to even. */
static double round_float(double v, int digits, int low, double largest)
{
    int exponent;
    if (!isfinite(v) || v == 0) return v;
    (void)frexp(v, &exponent);
    int unit = exponent - digits > low ? exponent - digits : low;
    double r = ldexp(nearbyint(ldexp(v, -unit)), unit);
    return fabs(r) > largest ? copysign(INFINITY, v) : r;
}

static double wrap_integer(dh_dtype dtype, double v)
{
    if (!(fabs(v) < 0x1p63)) return v;
    int64_t n = (int64_t)v;
    switch (dtype) {
    case DH_I8: return (double)(int8_t)n;
    case DH_U8: return (double)(uint8_t)n;
    case DH_I16: return (double)(int16_t)n;
    case DH_U16: return (double)(uint16_t)n;
    case DH_I32: return (double)(int32_t)n;
    case DH_U32: return (double)(uint32_t)n;
    case DH_U64: return (double)(uint64_t)n;
    default: return (double)n;
    }
}

double round_to(dh_dtype dtype, double v)
{
    switch (dtype) {
    case DH_F64: return v;
    case DH_F32: return (double)(float)v;
    case DH_F16: return round_float(v, 11, -24, 65504);
    case DH_BF16: return round_float(v, 8, -133, 0x1.fep127);
    case DH_BOOL: return v != 0;
    default: return wrap_integer(dtype, v);
    }
}

/* --- fills --- */

/* Distance 0.05 at least from every integer half. */
static double signed_number(generator *g)
{
    double cell = 0.5 * (double)(below(g, 8) - 4);
    return cell + 0.05 + 0.4 * uniform(g);
}

/* Sums of a few large ones stay finite in the dtype. */
static double special_number(generator *g, dh_dtype dtype)
{
    static const double subnormal[] = {
        [DH_F32] = 1e-40, [DH_F64] = 3e-310, [DH_F16] = 3e-6, [DH_BF16] = 1e-40};
    static const double large[] = {
        [DH_F32] = 1e37, [DH_F64] = 1e300, [DH_F16] = 6000, [DH_BF16] = 1e37};
    switch (below(g, 24)) {
    case 0: return NAN;
    case 1: return INFINITY;
    case 2: return -INFINITY;
    case 3: return -0.0;
    case 4: return subnormal[dtype];
    case 5: return large[dtype];
    default: return signed_number(g);
    }
}

/* Whole windows of -inf, and both zeros among the largest. */
static double low_number(generator *g)
{
    static const double some[] = {-0.0, 0, 1};
    return below(g, 16) < 13 ? -INFINITY : some[below(g, 3)];
}

static double float_number(generator *g, case_fill fill, dh_dtype dtype, int64_t bound)
{
    switch (fill) {
    case FILL_POSITIVE: return 0.2 + 2 * uniform(g);
    case FILL_UNIT: return -0.9 + 1.8 * uniform(g);
    case FILL_ABOVE_ONE: return 1.1 + 1.9 * uniform(g);
    case FILL_INDEX: return (double)below(g, bound > 0 ? bound : 1);
    case FILL_BOOL: return (double)below(g, 2);
    case FILL_ROWS_SUM_1: return 0.1 + uniform(g);
    case FILL_SMALL_INT: return (double)(below(g, 7) - 3);
    case FILL_SPECIAL: return special_number(g, dtype);
    case FILL_LOW: return low_number(g);
    default: return signed_number(g);
    }
}

/* Small, so that products of a few stay inside 8 bits. Unsigned dtypes get no negative ones. */
static double integer_number(generator *g, case_fill fill, bool is_signed, int64_t bound)
{
    int64_t low = is_signed ? -3 : 0;
    switch (fill) {
    case FILL_POSITIVE: return (double)(1 + below(g, 3));
    case FILL_UNIT: return (double)(below(g, is_signed ? 3 : 2) - is_signed);
    case FILL_ABOVE_ONE: return (double)(2 + below(g, 2));
    case FILL_INDEX: return (double)below(g, bound > 0 ? bound : 1);
    case FILL_BOOL:
    case FILL_ONE_HOT: return (double)below(g, 2);
    default: return (double)(low + below(g, 4 - low));
    }
}

static void fill_distinct(ref_tensor *t, generator *g, double step, double from)
{
    for (int64_t i = 0; i < t->count; i++) t->data[i] = from + step * (double)i;
    for (int64_t i = t->count - 1; i > 0; i--) {
        int64_t j = below(g, i + 1);
        double kept = t->data[i];
        t->data[i] = t->data[j];
        t->data[j] = kept;
    }
}

static void finish_rows(ref_tensor *t, generator *g, case_fill fill)
{
    int64_t n = t->ndim ? t->shape[t->ndim - 1] : 1;
    for (int64_t from = 0; n > 0 && from < t->count; from += n) {
        double sum = 0;
        int64_t hot = below(g, n);
        for (int64_t i = 0; i < n; i++) sum += t->data[from + i];
        for (int64_t i = 0; i < n; i++) {
            double *v = &t->data[from + i];
            *v = fill == FILL_ONE_HOT ? (double)(i == hot) : *v / sum;
        }
    }
}

static void add_diagonal(ref_tensor *t)
{
    if (t->ndim < 2) return;
    int64_t m = t->shape[t->ndim - 2], n = t->shape[t->ndim - 1];
    for (int64_t i = 0; i < t->count; i++)
        if (i / n % m == i % n) t->data[i] += 4;
}

void fill_input(ref_tensor *out, const op_case *c, int number, int input, dh_dtype dtype)
{
    generator g = seeded(c->op, number, input);
    case_fill fill = c->fill[input];
    bool is_float = dh_dtype_is_float(dtype), is_signed = DH_MASK_SIGNED & DH_MASK(dtype);
    ref_new(out, c->in[input].ndim, c->in[input].dim);
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = is_float           ? float_number(&g, fill, dtype, c->bound)
                       : dtype == DH_BOOL ? (double)below(&g, 2)
                                          : integer_number(&g, fill, is_signed, c->bound);
    /* steps of an eighth are exact in every float up to 32 */
    if (fill == FILL_DISTINCT && is_float)
        fill_distinct(out, &g, 0.125, 0.0625 - 0.125 * (double)(out->count / 2));
    if (fill == FILL_DISTINCT && !is_float && dtype != DH_BOOL)
        fill_distinct(out, &g, 1, is_signed ? (double)(-out->count / 2) : 0);
    if ((fill == FILL_ROWS_SUM_1 && is_float) || fill == FILL_ONE_HOT) finish_rows(out, &g, fill);
    if (fill == FILL_DIAGONAL && dtype != DH_BOOL) add_diagonal(out);
    for (int64_t i = 0; i < out->count; i++) out->data[i] = round_to(dtype, out->data[i]);
}

void fill_cotangent(double *out, int64_t count, const char *op, int number, int output)
{
    generator g = seeded(op, number, 100 + output);
    for (int64_t i = 0; i < count; i++) {
        double v = 0.125 + 0.875 * uniform(&g);
        out[i] = round_to(DH_F32, next(&g) & 1 ? v : -v);
    }
}
