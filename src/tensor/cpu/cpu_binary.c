/* SPDX-License-Identifier: MIT */
/* Elementwise kernels of two and three inputs, casts and copies. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "cpu.h"
#include "eltwise.h"
#include "iterate.h"
#include "lanes.h"

typedef struct job {
    int op;
    dh_dtype in, out;
    dh__loop loop; /* of the computing type; NULL for integers */
} job;

/* A negative exponent gives the fraction truncated: 0 but for a = 1 and -1. */
static int64_t power(const job *j, int64_t a, int64_t b)
{
    uint64_t y = 1, x = (uint64_t)a, n = (uint64_t)b;
    if (j->in != DH_U64 && b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 ? -1 : 1) : 0;
    for (; n; n >>= 1, x *= x)
        if (n & 1) y *= x;
    return (int64_t)y;
}

/* b is not 0: binary_run has looked. */
static int64_t divide(const job *j, int64_t a, int64_t b)
{
    if (j->in == DH_U64) {
        uint64_t x = (uint64_t)a, y = (uint64_t)b;
        return (int64_t)(j->op == DH_OP_DIV ? x / y : x % y);
    }
    if (b == -1) return j->op == DH_OP_DIV ? (int64_t)(0 - (uint64_t)a) : 0;
    int64_t r = a % b;
    if (j->op == DH_OP_DIV) return a / b;
    return j->op == DH_OP_REMAINDER && r && (r < 0) != (b < 0) ? r + b : r;
}

static bool less_than(const job *j, int64_t a, int64_t b)
{
    return j->in == DH_U64 ? (uint64_t)a < (uint64_t)b : a < b;
}

/* Integers; what overflows wraps. Comparisons give 0 or 1. */
static int64_t integer(const job *j, int64_t a, int64_t b)
{
    switch (j->op) {
    case DH_OP_ADD: return (int64_t)((uint64_t)a + (uint64_t)b);
    case DH_OP_SUB: return (int64_t)((uint64_t)a - (uint64_t)b);
    case DH_OP_MUL: return (int64_t)((uint64_t)a * (uint64_t)b);
    case DH_OP_DIV:
    case DH_OP_MOD:
    case DH_OP_REMAINDER: return divide(j, a, b);
    case DH_OP_POW: return power(j, a, b);
    case DH_OP_MAXIMUM: return less_than(j, a, b) ? b : a;
    case DH_OP_MINIMUM: return less_than(j, b, a) ? b : a;
    case DH_OP_EQUAL: return a == b;
    case DH_OP_NOT_EQUAL: return a != b;
    case DH_OP_GREATER: return less_than(j, b, a);
    case DH_OP_GREATER_EQUAL: return !less_than(j, a, b);
    case DH_OP_LESS: return less_than(j, a, b);
    case DH_OP_LESS_EQUAL: return !less_than(j, b, a);
    case DH_OP_LOGICAL_AND: return a && b;
    case DH_OP_LOGICAL_OR: return a || b;
    default: return !a != !b;
    }
}

static void block(const job *j, dh__lanes *y, const dh__lanes *a, const dh__lanes *b, int64_t m)
{
    if (j->loop) {
        j->loop(a, b, y, m, 0, 0);
        return;
    }
    for (int64_t k = 0; k < m; k++) y->i64[k] = integer(j, a->i64[k], b->i64[k]);
}

static void binary_row(void *context, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    const job *j = context;
    ptrdiff_t size = (ptrdiff_t)dh_dtype_size(j->in), osize = (ptrdiff_t)dh_dtype_size(j->out);
    bool native = j->loop && dh__computing(j->in) == j->in && stride[0] == osize;
    bool pa = native && stride[1] == size, pb = native && stride[2] == size;
    if (pa && pb) {
        j->loop(data[1], data[2], data[0], n, 0, 0);
        return;
    }
    /* an operand that repeats is spread over its lanes once */
    dh__lanes a, b, y;
    bool once_a = stride[1] == 0, once_b = stride[2] == 0;
    if (once_a) dh__lanes_load(&a, j->in, data[1], 0, n < DH_LANES ? n : DH_LANES);
    if (once_b) dh__lanes_load(&b, j->in, data[2], 0, n < DH_LANES ? n : DH_LANES);
    for (int64_t i = 0; i < n; i += DH_LANES) {
        int64_t m = n - i < DH_LANES ? n - i : DH_LANES;
        const char *from_a = data[1] + i * stride[1], *from_b = data[2] + i * stride[2];
        char *to = data[0] + i * stride[0];
        if (!once_a && !pa) dh__lanes_load(&a, j->in, from_a, stride[1], m);
        if (!once_b && !pb) dh__lanes_load(&b, j->in, from_b, stride[2], m);
        if (native) {
            j->loop(pa ? (const void *)from_a : &a, pb ? (const void *)from_b : &b, to, m, 0, 0);
            continue;
        }
        block(j, &y, &a, &b, m);
        if (j->out == DH_BOOL && j->loop)
            for (int64_t k = 0; k < m; k++) to[k * stride[0]] = (char)y.u8[k];
        else
            dh__lanes_store(&y, j->out, to, stride[0], m);
    }
}

typedef struct divisors {
    dh_dtype dtype;
    atomic_bool zero;
} divisors;

static void divisor_row(void *context, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    divisors *d = context;
    dh__lanes b;
    for (int64_t i = 0; i < n; i += DH_LANES) {
        int64_t m = n - i < DH_LANES ? n - i : DH_LANES;
        bool zero = false;
        dh__lanes_load(&b, d->dtype, data[0] + i * stride[0], stride[0], m);
        for (int64_t k = 0; k < m; k++) zero |= b.i64[k] == 0;
        if (zero) atomic_store_explicit(&d->zero, true, memory_order_relaxed);
    }
}

/* An integer divided by 0 is an error, found before anything is written. */
static dh_status check_divisors(const dh_call *call, int op)
{
    const dh_view *b = &call->in[1], *views[1] = {b};
    divisors d = {.dtype = b->dtype};
    bool divides = op == DH_OP_DIV || op == DH_OP_MOD || op == DH_OP_REMAINDER;
    if (!divides || dh_dtype_is_float(b->dtype) || !dh__view_count(&call->out[0])) return DH_OK;
    dh__iterate(1, views, divisor_row, &d, 1);
    DH_REQUIRE(!atomic_load(&d.zero), DH_ENUMERIC,
               "%s: b (%s) has a 0, integers can't be divided by 0", call->op->name,
               dh_dtype_name(b->dtype));
    return DH_OK;
}

static dh_status binary_run(const dh_call *call)
{
    dh_view a = call->in[0], b = call->in[1];
    const dh_view *out = &call->out[0], *views[3] = {out, &a, &b};
    job j = {.op = dh__eltwise_number(call->op), .in = a.dtype, .out = out->dtype};
    const dh__eltwise *best = dh__eltwise_best();
    if (dh_dtype_is_float(j.in))
        j.loop = dh__computing(j.in) == DH_F64 ? best->f64[j.op] : best->f32[j.op];
    DH_TRY(check_divisors(call, j.op));
    dh__view_broadcast(&a, out->ndim, out->shape);
    dh__view_broadcast(&b, out->ndim, out->shape);
    dh__iterate(3, views, binary_row, &j, 3);
    return DH_OK;
}

static const dh_impl binary_impl = {.name = "elementwise", .run = binary_run};

#define BINARY(NAME, name, f)  const dh_impl *const dh_cpu_##name[] = {&binary_impl, NULL};
#define COMPARE(NAME, name, f) const dh_impl *const dh_cpu_##name[] = {&binary_impl, NULL};
#include "binary.def"
#undef BINARY
#undef COMPARE

/* --- where --- */

static void where_row(void *context, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    const job *j = context;
    size_t size = dh_dtype_size(j->out);
#define WHERE(T)                                                                            \
    for (int64_t i = 0; i < n; i++) {                                                       \
        const char *from =                                                                  \
            *(data[1] + i * stride[1]) ? data[2] + i * stride[2] : data[3] + i * stride[3]; \
        T v;                                                                                \
        memcpy(&v, from, sizeof v);                                                         \
        memcpy(data[0] + i * stride[0], &v, sizeof v);                                      \
    }
    if (size == 4) {
        WHERE(uint32_t)
    } else if (size == 8) {
        WHERE(uint64_t)
    } else if (size == 2) {
        WHERE(uint16_t)
    } else {
        WHERE(uint8_t)
    }
#undef WHERE
}

static dh_status where_run(const dh_call *call)
{
    dh_view in[3] = {call->in[0], call->in[1], call->in[2]};
    const dh_view *out = &call->out[0], *views[4] = {out, &in[0], &in[1], &in[2]};
    job j = {.out = out->dtype};
    for (int i = 0; i < 3; i++) dh__view_broadcast(&in[i], out->ndim, out->shape);
    dh__iterate(4, views, where_row, &j, 3);
    return DH_OK;
}

static const dh_impl where_impl = {.name = "elementwise", .run = where_run};
const dh_impl *const dh_cpu_where[] = {&where_impl, NULL};

/* --- cast, copy --- */

/* Casts that go wrong by way of the computing types: to 64-bit integers, which f64 cannot bound,
 * and to halves, which a float in between would round twice. */
static bool one_by_one(dh_dtype in, dh_dtype out)
{
    bool half = out == DH_F16 || out == DH_BF16, small = dh_dtype_size(in) <= 2;
    if (dh__computing(in) == dh__computing(out)) return false;
    if (half) return !small;
    return dh_dtype_is_float(in) && (out == DH_I64 || out == DH_U64);
}

/* The range of an integer dtype of up to 32 bits. */
static void integer_range(dh_dtype dtype, double *low, double *high)
{
    int bits = 8 * (int)dh_dtype_size(dtype);
    bool negative = DH_MASK_SIGNED & DH_MASK(dtype);
    *low = negative ? -ldexp(1, bits - 1) : 0;
    *high = ldexp(1, negative ? bits - 1 : bits) - 1;
}

/* Lanes of one computing type into those of another. */
static void convert(const job *j, dh__lanes *to, const dh__lanes *from, int64_t m)
{
    dh_dtype a = dh__computing(j->in), b = dh__computing(j->out);
    double low = 0, high = 0;
    if (a == DH_I64 && b == DH_F32) {
        for (int64_t k = 0; k < m; k++)
            to->f32[k] = j->in == DH_U64 ? (float)(uint64_t)from->i64[k] : (float)from->i64[k];
    } else if (a == DH_I64) {
        for (int64_t k = 0; k < m; k++)
            to->f64[k] = j->in == DH_U64 ? (double)(uint64_t)from->i64[k] : (double)from->i64[k];
    } else if (b == DH_F64) {
        for (int64_t k = 0; k < m; k++) to->f64[k] = (double)from->f32[k];
    } else if (b == DH_F32) {
        for (int64_t k = 0; k < m; k++) to->f32[k] = (float)from->f64[k];
    } else {
        if (j->out != DH_BOOL) integer_range(j->out, &low, &high);
        for (int64_t k = 0; k < m; k++) {
            double v = a == DH_F32 ? (double)from->f32[k] : from->f64[k];
            double c = v != v ? 0 : v < low ? low : v > high ? high : v;
            to->i64[k] = j->out == DH_BOOL ? v != 0 : (int64_t)c;
        }
    }
}

/* An element as f64; one of 64 bits on its way to a half is cut so that its last bit says whether
 * something was cut off: rounding it again then is right. */
static double load_exact(const job *j, const char *from)
{
    uint64_t m;
    if ((j->in != DH_I64 && j->in != DH_U64) || j->out == DH_F64) return dh__load(j->in, from);
    memcpy(&m, from, sizeof m);
    bool negative = j->in == DH_I64 && m >> 63;
    if (negative) m = 0 - m;
    if (m >> 53) m = (m & ~(uint64_t)0x7ff) | (m & 0x7ff ? 0x800 : 0);
    return negative ? -(double)m : (double)m;
}

static void cast_row(void *context, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    const job *j = context;
    bool same = dh__computing(j->in) == dh__computing(j->out);
    dh__lanes x, y;
    if (one_by_one(j->in, j->out)) {
        for (int64_t i = 0; i < n; i++) {
            double v = load_exact(j, data[1] + i * stride[1]);
            dh__store(j->out, data[0] + i * stride[0], v);
        }
        return;
    }
    for (int64_t i = 0; i < n; i += DH_LANES) {
        int64_t m = n - i < DH_LANES ? n - i : DH_LANES;
        dh__lanes_load(&x, j->in, data[1] + i * stride[1], stride[1], m);
        if (!same) convert(j, &y, &x, m);
        dh__lanes_store(same ? &x : &y, j->out, data[0] + i * stride[0], stride[0], m);
    }
}

static dh_status cast_run(const dh_call *call)
{
    const dh_view *views[2] = {&call->out[0], &call->in[0]};
    job j = {.in = call->in[0].dtype, .out = call->out[0].dtype};
    dh__iterate(2, views, cast_row, &j, 3);
    return DH_OK;
}

static const dh_impl cast_impl = {.name = "elementwise", .run = cast_run};
const dh_impl *const dh_cpu_cast[] = {&cast_impl, NULL};

static void copy_row(void *context, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    const job *j = context;
    ptrdiff_t size = (ptrdiff_t)dh_dtype_size(j->in);
    if (stride[0] == size && stride[1] == size) {
        memmove(data[0], data[1], (size_t)(n * size));
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        const char *from = data[1] + i * stride[1];
        char *to = data[0] + i * stride[0];
        switch (size) {
        case 4: memcpy(to, from, 4); break;
        case 8: memcpy(to, from, 8); break;
        case 2: memcpy(to, from, 2); break;
        default: *to = *from; break;
        }
    }
}

static dh_status copy_run(const dh_call *call)
{
    const dh_view *views[2] = {&call->out[0], &call->in[0]};
    job j = {.in = call->in[0].dtype};
    dh__iterate(2, views, copy_row, &j, 1);
    return DH_OK;
}

static const dh_impl copy_impl = {.name = "copy", .run = copy_run};
const dh_impl *const dh_cpu_copy[] = {&copy_impl, NULL};
const dh_impl *const dh_cpu_detach[] = {&copy_impl, NULL};
const dh_impl *const dh_cpu_all_sum[] = {&copy_impl, NULL};
