/* SPDX-License-Identifier: MIT */
/* Elementwise mathematics by the eager API: one line each. */
#include <math.h>
#include <string.h>

#include <deephealth/tensor_math.h>
#include <deephealth/tensor_reduce.h>

#include "tensor_impl.h"

static dh_status one(dh_tensor **out, int op, const void *attr, const dh_tensor *x)
{
    DH_REQUIRE(x, DH_EINVAL, "tensor_%s: x is NULL", dh__ops[op]->name);
    return dh__eager(op, attr, 1, &x, out);
}

static dh_status two(dh_tensor **out, int op, const dh_tensor *a, const dh_tensor *b)
{
    const dh_tensor *in[2] = {a, b};
    DH_REQUIRE(a && b, DH_EINVAL, "tensor_%s: %s is NULL", dh__ops[op]->name, a ? "b" : "a");
    return dh__eager(op, NULL, 2, in, out);
}

#define ONE(NAME, name)                                             \
    dh_status dh_tensor_##name(dh_tensor **out, const dh_tensor *x) \
    {                                                               \
        return one(out, DH_OP_##NAME, NULL, x);                     \
    }
#define TWO(NAME, name)                                                                 \
    dh_status dh_tensor_##name(dh_tensor **out, const dh_tensor *a, const dh_tensor *b) \
    {                                                                                   \
        return two(out, DH_OP_##NAME, a, b);                                            \
    }

ONE(NEG, neg)
ONE(ABS, abs)
ONE(SIGN, sign)
ONE(SQR, sqr)
ONE(SQRT, sqrt)
ONE(RSQRT, rsqrt)
ONE(RECIPROCAL, reciprocal)
ONE(EXP, exp)
ONE(EXPM1, expm1)
ONE(LOG, log)
ONE(LOG1P, log1p)
ONE(LOG2, log2)
ONE(LOG10, log10)
ONE(SIN, sin)
ONE(COS, cos)
ONE(TAN, tan)
ONE(ASIN, asin)
ONE(ACOS, acos)
ONE(ATAN, atan)
ONE(SINH, sinh)
ONE(COSH, cosh)
ONE(TANH, tanh)
ONE(ERF, erf)
ONE(FLOOR, floor)
ONE(CEIL, ceil)
ONE(ROUND, round)
ONE(TRUNC, trunc)
ONE(RELU, relu)
ONE(RELU6, relu6)
ONE(SELU, selu)
ONE(SIGMOID, sigmoid)
ONE(HARD_SIGMOID, hard_sigmoid)
ONE(SOFTPLUS, softplus)
ONE(SOFTSIGN, softsign)
ONE(GELU, gelu)
ONE(SILU, silu)
ONE(MISH, mish)
ONE(ISNAN, isnan)
ONE(ISINF, isinf)
ONE(ISFINITE, isfinite)
ONE(LOGICAL_NOT, logical_not)
TWO(ADD, add)
TWO(SUB, sub)
TWO(MUL, mul)
TWO(DIV, div)
TWO(POW, pow)
TWO(MAXIMUM, maximum)
TWO(MINIMUM, minimum)
TWO(MOD, mod)
TWO(REMAINDER, remainder)
TWO(ATAN2, atan2)
TWO(EQUAL, equal)
TWO(NOT_EQUAL, not_equal)
TWO(GREATER, greater)
TWO(GREATER_EQUAL, greater_equal)
TWO(LESS, less)
TWO(LESS_EQUAL, less_equal)
TWO(LOGICAL_AND, logical_and)
TWO(LOGICAL_OR, logical_or)
TWO(LOGICAL_XOR, logical_xor)

dh_status dh_tensor_leaky_relu(dh_tensor **out, const dh_tensor *x, double alpha)
{
    return one(out, DH_OP_LEAKY_RELU, &(dh_act_attr){alpha}, x);
}

dh_status dh_tensor_thresholded_relu(dh_tensor **out, const dh_tensor *x, double alpha)
{
    return one(out, DH_OP_THRESHOLDED_RELU, &(dh_act_attr){alpha}, x);
}

dh_status dh_tensor_elu(dh_tensor **out, const dh_tensor *x, double alpha)
{
    return one(out, DH_OP_ELU, &(dh_act_attr){alpha}, x);
}

dh_status dh_tensor_clamp(dh_tensor **out, const dh_tensor *x, double low, double high)
{
    DH_REQUIRE(low <= high, DH_EINVAL, "tensor_clamp: low is %g, high is %g, must be in order", low,
               high);
    return one(out, DH_OP_CLAMP, &(dh_clamp_attr){low, high}, x);
}

dh_status dh_tensor_affine(dh_tensor **out, const dh_tensor *x, double alpha, double beta)
{
    return one(out, DH_OP_AFFINE, &(dh_affine_attr){alpha, beta}, x);
}

dh_status dh_tensor_log_base(dh_tensor **out, const dh_tensor *x, double base)
{
    DH_NEED(out, "tensor_log_base", "out");
    DH_REQUIRE(base > 0 && base != 1 && isfinite(base), DH_EINVAL,
               "tensor_log_base: base is %g, must be finite, above 0 and not 1", base);
    dh_tensor *natural;
    DH_TRY(dh__named(one(&natural, DH_OP_LOG, NULL, x), "tensor_log", "tensor_log_base"));
    dh_status status = dh_tensor_affine(out, natural, 1 / log(base), 0);
    dh_tensor_free(natural);
    return status;
}

/* x itself, borrowed, where it is floating, else a copy in f64 that *owned frees. */
static dh_status floating(const dh_tensor **out, dh_tensor **owned, const dh_tensor *x)
{
    *out = x;
    *owned = NULL;
    if (dh_dtype_is_float(x->view.dtype)) return DH_OK;
    DH_TRY(dh_tensor_cast(owned, x, DH_F64));
    *out = *owned;
    return DH_OK;
}

/* Smallest or largest of all elements. */
static dh_status extremum(double *value, int op, const dh_tensor *x)
{
    dh_tensor *t;
    DH_TRY(one(&t, op, &(dh_reduce_attr){0}, x));
    dh_status status = dh_tensor_get(value, t, NULL);
    dh_tensor_free(t);
    return status;
}

/* Replaces *t, a tensor of this function's, by alpha t + beta. */
static dh_status rescale(dh_tensor **t, double alpha, double beta)
{
    dh_tensor *next;
    DH_TRY(dh_tensor_affine(&next, *t, alpha, beta));
    dh_tensor_free(*t);
    *t = next;
    return DH_OK;
}

/* In double, by way of 0 .. 1, so that neither a large offset nor a span next to overflow or
 * underflow loses what x can tell apart. */
static dh_status normalize(dh_tensor **out, const dh_tensor *x, double low, double high)
{
    double least, most;
    dh_tensor *u, *rest = NULL, *sum = NULL, *kept = NULL;
    DH_TRY(dh__named(extremum(&least, DH_OP_MIN, x), "tensor_min", "tensor_normalize"));
    DH_TRY(extremum(&most, DH_OP_MAX, x));
    DH_REQUIRE(isfinite(least) && isfinite(most), DH_ENUMERIC,
               "tensor_normalize: x reaches from %g to %g, must be finite", least, most);
    double top = fmax(fabs(least), fabs(most)), far = fmax(fabs(low), fabs(high));
    double unit = top < 1e-200 ? 0x1p200 : top > 1e200 ? 0x1p-200 : 1;
    double scale = far > 1e200 ? 0x1p-200 : 1;
    double span = most * unit - least * unit;
    DH_TRY(dh_tensor_cast(&u, x, DH_F64));
    dh_status status = rescale(&u, unit, -least * unit);
    if (!status) status = rescale(&u, span > 0 ? 1 / span : 0, 0);
    /* low (1 - u) + high u: high - low may overflow */
    if (!status) status = dh_tensor_affine(&rest, u, -low * scale, low * scale);
    if (!status) status = rescale(&u, high * scale, 0);
    if (!status) status = dh_tensor_add(&sum, rest, u);
    if (!status) status = rescale(&sum, 1 / scale, 0);
    if (!status) status = dh_tensor_clamp(&kept, sum, low, high);
    if (!status) status = dh_tensor_cast(out, kept, x->view.dtype);
    dh_tensor_free(kept);
    dh_tensor_free(sum);
    dh_tensor_free(rest);
    dh_tensor_free(u);
    return status;
}

dh_status dh_tensor_normalize(dh_tensor **out, const dh_tensor *x, double low, double high)
{
    const dh_tensor *real;
    dh_tensor *owned;
    DH_NEED(out, "tensor_normalize", "out");
    DH_NEED(x, "tensor_normalize", "x");
    DH_REQUIRE(isfinite(low) && isfinite(high) && low <= high, DH_EINVAL,
               "tensor_normalize: low is %g, high is %g, must be finite and in order", low, high);
    DH_TRY(floating(&real, &owned, x));
    dh_status status = normalize(out, real, low, high);
    dh_tensor_free(owned);
    return status;
}

dh_status dh_tensor_interpolate(dh_tensor **out, double f, const dh_tensor *a, double g,
                                const dh_tensor *b)
{
    dh_tensor *own_a = NULL, *own_b = NULL, *fa = NULL, *gb = NULL;
    const dh_tensor *real_a, *real_b;
    DH_NEED(out, "tensor_interpolate", "out");
    DH_NEED(a, "tensor_interpolate", "a");
    DH_NEED(b, "tensor_interpolate", "b");
    DH_REQUIRE(isfinite(f) && isfinite(g), DH_EINVAL,
               "tensor_interpolate: f is %g, g is %g: both must be finite", f, g);
    dh_status status = floating(&real_a, &own_a, a);
    if (!status) status = floating(&real_b, &own_b, b);
    if (!status) status = dh_tensor_affine(&fa, real_a, f, 0);
    if (!status) status = dh_tensor_affine(&gb, real_b, g, 0);
    if (!status) status = dh_tensor_add(out, fa, gb);
    dh_tensor_free(own_a);
    dh_tensor_free(own_b);
    dh_tensor_free(fa);
    dh_tensor_free(gb);
    return dh__named(status, "tensor_add", "tensor_interpolate");
}

dh_status dh_tensor_where(dh_tensor **out, const dh_tensor *condition, const dh_tensor *a,
                          const dh_tensor *b)
{
    DH_NEED(out, "tensor_where", "out");
    DH_NEED(condition, "tensor_where", "condition");
    DH_NEED(a, "tensor_where", "a");
    DH_NEED(b, "tensor_where", "b");
    dh_dtype common = dh_dtype_promote(a->view.dtype, b->view.dtype);
    dh_tensor *ca = NULL, *cb = NULL;
    dh_status status = DH_OK;
    if (a->view.dtype != common) status = dh_tensor_cast(&ca, a, common);
    if (!status && b->view.dtype != common) status = dh_tensor_cast(&cb, b, common);
    const dh_tensor *in[3] = {condition, ca ? ca : a, cb ? cb : b};
    if (!status) status = dh__eager(DH_OP_WHERE, NULL, 3, in, out);
    dh_tensor_free(ca);
    dh_tensor_free(cb);
    return status;
}

/* --- numbers --- */

/* A tensor of rank 0 that meets x without changing its dtype: always where x is floating; where x
 * is an integer, if s is one that its dtype holds, else i64 holds a whole number and f64 the rest.
 */
static dh_status number_for(dh_tensor **out, const dh_tensor *x, double s)
{
    unsigned char exact[8];
    dh_dtype d = x->view.dtype;
    if (!dh_dtype_is_float(d)) {
        dh__store(d, exact, s);
        /* a 64-bit integer saturates at a number that as f64 looks like the end it stands before */
        bool fits = d == DH_U64 ? s < 0x1p64 : s < 0x1p63;
        bool held = d != DH_BOOL && fits && dh__load(d, exact) == s;
        bool whole = s == floor(s) && s >= -0x1p63 && s < 0x1p63;
        d = held ? d : whole ? DH_I64 : DH_F64;
    }
    dh__store(d, exact, s);
    dh_device *device = x->storage->device;
    dh_tensor *t;
    DH_TRY(dh__tensor_new(&t, device, d, 0, NULL));
    dh_status status = device->copy_in(device, t->view.data, exact, dh_dtype_size(d));
    if (status)
        dh_tensor_free(t);
    else
        *out = t;
    return status;
}

static dh_status with_number(dh_tensor **out, int op, const dh_tensor *x, double s, bool first,
                             const char *who)
{
    dh_tensor *number;
    char from[64];
    DH_NEED(out, who, "out");
    DH_NEED(x, who, "x");
    DH_TRY(number_for(&number, x, s));
    dh_status status = first ? two(out, op, number, x) : two(out, op, x, number);
    dh_tensor_free(number);
    if (status == DH_ENUMERIC) /* s or x divides, not the op's b */
        return dh_fail(DH_ENUMERIC, "%s: %s, integers (%s) can't be divided by 0", who,
                       first ? "x has a 0" : "s is 0", dh_dtype_name(x->view.dtype));
    dh__format(from, sizeof from, "tensor_%s", dh__ops[op]->name);
    return dh__named(status, from, who);
}

/* The integers of 64 bits that round to their upper end as f64 are below it all the same. */
static dh_status compared(dh_tensor **out, int op, const dh_tensor *x, double s, const char *who)
{
    dh_dtype d = x ? x->view.dtype : DH_F32;
    if ((d == DH_I64 && s == 0x1p63) || (d == DH_U64 && s == 0x1p64)) s = nextafter(s, INFINITY);
    return with_number(out, op, x, s, false, who);
}

#define NUMBER(NAME, name, first)                                                      \
    dh_status dh_tensor_##name##_scalar(dh_tensor **out, const dh_tensor *x, double s) \
    {                                                                                  \
        return with_number(out, DH_OP_##NAME, x, s, first, "tensor_" #name "_scalar"); \
    }

#define COMPARED(NAME, name)                                                           \
    dh_status dh_tensor_##name##_scalar(dh_tensor **out, const dh_tensor *x, double s) \
    {                                                                                  \
        return compared(out, DH_OP_##NAME, x, s, "tensor_" #name "_scalar");           \
    }

NUMBER(ADD, add, false)
NUMBER(SUB, sub, false)
NUMBER(MUL, mul, false)
NUMBER(DIV, div, false)
NUMBER(POW, pow, false)
NUMBER(MOD, mod, false)
NUMBER(REMAINDER, remainder, false)
NUMBER(SUB, rsub, true)
NUMBER(DIV, rdiv, true)
NUMBER(POW, rpow, true)
NUMBER(MAXIMUM, maximum, false)
NUMBER(MINIMUM, minimum, false)
COMPARED(EQUAL, equal)
COMPARED(NOT_EQUAL, not_equal)
COMPARED(GREATER, greater)
COMPARED(GREATER_EQUAL, greater_equal)
COMPARED(LESS, less)
COMPARED(LESS_EQUAL, less_equal)

dh_status dh_tensor_isposinf(dh_tensor **out, const dh_tensor *x)
{
    return with_number(out, DH_OP_EQUAL, x, INFINITY, false, "tensor_isposinf");
}

dh_status dh_tensor_isneginf(dh_tensor **out, const dh_tensor *x)
{
    return with_number(out, DH_OP_EQUAL, x, -INFINITY, false, "tensor_isneginf");
}

dh_status dh_tensor_anynan(bool *out, const dh_tensor *x)
{
    double found = 0;
    dh_tensor *each, *any;
    DH_NEED(out, "tensor_anynan", "out");
    DH_TRY(dh__named(one(&each, DH_OP_ISNAN, NULL, x), "tensor_isnan", "tensor_anynan"));
    dh_status status = one(&any, DH_OP_ANY, &(dh_reduce_attr){0}, each);
    dh_tensor_free(each);
    if (status) return status;
    status = dh_tensor_get(&found, any, NULL);
    dh_tensor_free(any);
    if (!status) *out = found != 0;
    return status;
}

/* --- any op --- */

dh_status dh_tensor_apply(dh_tensor *dst, const char *op, const dh_tensor *const *in, int in_count)
{
    char hint[200];
    DH_NEED(dst, "tensor_apply", "dst");
    DH_NEED(op, "tensor_apply", "op");
    DH_REQUIRE(in_count >= 0 && in_count <= 4096, DH_EINVAL,
               "tensor_apply: in_count is %d, must be in [0, 4096]", in_count);
    DH_REQUIRE(in || !in_count, DH_EINVAL, "tensor_apply: in is NULL, in_count is %d", in_count);
    for (int i = 0; i < in_count; i++)
        DH_REQUIRE(in[i], DH_EINVAL, "tensor_apply: in[%d] of %d is NULL", i, in_count);
    int id = dh__op_find(op);
    DH_REQUIRE(id >= 0, DH_ENAME, "tensor_apply: no op \"%s\"%s", op,
               dh__suggest(hint, sizeof hint, op, dh__op_name_at, NULL));
    const dh_op *meaning = dh__ops[id];
    DH_REQUIRE(!meaning->updates[0], DH_EUNSUPPORTED,
               "tensor_apply: op %s updates its inputs, it belongs to training plans", op);
    for (const dh_field *f = meaning->fields; f && f->name; f++)
        DH_REQUIRE(!dh_field_required(f), DH_EINVAL,
                   "tensor_apply: op %s needs %s, which has no default", op, f->name);
    void *attr = meaning->attr_size ? dh__calloc(1, meaning->attr_size) : NULL;
    if (meaning->attr_size && !attr) return DH_ENOMEM;
    if (attr && meaning->fields) dh_field_defaults(meaning->fields, attr);
    dh_status status = dh__from("tensor_apply", dh__eager_into(id, attr, in_count, in, dst));
    dh__free(attr);
    return status;
}
