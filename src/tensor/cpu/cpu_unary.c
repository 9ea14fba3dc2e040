/* SPDX-License-Identifier: MIT */
/* Elementwise kernels of one input: packed f32 and f64 go straight through the loops of their
 * instruction set, everything else by blocks. */
#include <float.h>
#include <math.h>

#include "cpu.h"
#include "eltwise.h"
#include "iterate.h"
#include "lanes.h"

const dh__eltwise *dh__eltwise_best(void)
{
#if DH_HAVE_X86_ISA
    switch (dh__cpu_isa()) {
    case DH_ISA_AVX512: return &dh__eltwise_avx512;
    case DH_ISA_AVX2: return &dh__eltwise_avx2;
    default: break;
    }
#endif
    return &dh__eltwise_portable;
}

int dh__eltwise_number(const dh_op *op)
{
    int i = 0;
    while (i < DH_OP_COUNT - 1 && dh__ops[i] != op) i++;
    return i;
}

typedef struct job {
    int op;
    dh_dtype in, out;
    dh__loop loop; /* of the computing type; NULL for integers */
    double p, q;
} job;

/* Integers, two's complement: what overflows wraps. */
static int64_t integer(const job *j, int64_t x)
{
    bool negative = j->in != DH_U64 && x < 0;
    switch (j->op) {
    case DH_OP_NEG: return (int64_t)(0 - (uint64_t)x);
    case DH_OP_ABS: return negative ? (int64_t)(0 - (uint64_t)x) : x;
    case DH_OP_SIGN: return negative ? -1 : x != 0;
    case DH_OP_SQR: return (int64_t)((uint64_t)x * (uint64_t)x);
    case DH_OP_RELU: return negative ? 0 : x;
    case DH_OP_RELU6: return negative ? 0 : (uint64_t)x > 6 ? 6 : x;
    default: return x; /* floor, ceil, round, trunc */
    }
}

/* In f64 and cast back, saturating. */
static void affine_row(const job *j, char *to, ptrdiff_t step, const char *from, ptrdiff_t stride,
                       int64_t n)
{
    for (int64_t k = 0; k < n; k++, to += step, from += stride)
        dh__store(j->out, to, j->p * dh__load(j->in, from) + j->q);
}

__extension__ typedef __int128 int128;

/* An element, or a bound cast to its dtype; compared as what they are, not as f64. */
static void clamp_lanes(const job *j, dh__lanes *x, int64_t m)
{
    int128 low = (int128)ceil(fmin(fmax(j->p, -0x1p64), 0x1p65));
    int128 high = (int128)floor(fmax(fmin(j->q, 0x1p65), -0x1p64));
    dh__lanes bound[2];
    uint64_t cell[2];
    dh__store(j->in, &cell[0], j->p);
    dh__store(j->in, &cell[1], j->q);
    for (int i = 0; i < 2; i++) dh__lanes_load(&bound[i], j->in, (const char *)&cell[i], 0, 1);
    for (int64_t k = 0; k < m; k++) {
        int128 v = j->in == DH_U64 ? (int128)(uint64_t)x->i64[k] : (int128)x->i64[k];
        if (v < low || v > high) x->i64[k] = bound[v >= low].i64[0];
    }
}

static void integer_row(const job *j, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    dh__lanes x;
    if (j->op == DH_OP_AFFINE) {
        affine_row(j, data[0], stride[0], data[1], stride[1], n);
        return;
    }
    for (int64_t i = 0; i < n; i += DH_LANES) {
        int64_t m = n - i < DH_LANES ? n - i : DH_LANES;
        dh__lanes_load(&x, j->in, data[1] + i * stride[1], stride[1], m);
        if (j->op == DH_OP_CLAMP)
            clamp_lanes(j, &x, m);
        else
            for (int64_t k = 0; k < m; k++) x.i64[k] = integer(j, x.i64[k]);
        dh__lanes_store(&x, j->out, data[0] + i * stride[0], stride[0], m);
    }
}

static void unary_row(void *context, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    const job *j = context;
    ptrdiff_t size = (ptrdiff_t)dh_dtype_size(j->in);
    if (!j->loop) {
        integer_row(j, data, stride, n);
        return;
    }
    if (dh__computing(j->in) == j->in && stride[0] == size && stride[1] == size) {
        j->loop(data[1], NULL, data[0], n, j->p, j->q);
        return;
    }
    dh__lanes x;
    for (int64_t i = 0; i < n; i += DH_LANES) {
        int64_t m = n - i < DH_LANES ? n - i : DH_LANES;
        dh__lanes_load(&x, j->in, data[1] + i * stride[1], stride[1], m);
        j->loop(&x, NULL, &x, m, j->p, j->q);
        dh__lanes_store(&x, j->out, data[0] + i * stride[0], stride[0], m);
    }
}

static dh_status unary_run(const dh_call *call)
{
    const dh_view *views[2] = {&call->out[0], &call->in[0]};
    job j = {
        .op = dh__eltwise_number(call->op), .in = call->in[0].dtype, .out = call->out[0].dtype};
    const dh__eltwise *best = dh__eltwise_best();
    if (dh_dtype_is_float(j.in))
        j.loop = dh__computing(j.in) == DH_F64 ? best->f64[j.op] : best->f32[j.op];
    dh__unary_numbers(call->op, call->attr, &j.p, &j.q);
    dh__iterate(2, views, unary_row, &j, 4);
    return DH_OK;
}

static const dh_impl unary_impl = {.name = "elementwise", .run = unary_run};

#define UNARY(NAME, name, dtypes, keeps, f, df) \
    const dh_impl *const dh_cpu_##name[] = {&unary_impl, NULL};
#include "unary.def"
#undef UNARY

/* --- gradient --- */

static void dx_row(void *context, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    const job *j = context;
    ptrdiff_t size = (ptrdiff_t)dh_dtype_size(j->in);
    bool packed = stride[0] == size && stride[1] == size && stride[2] == size;
    if (packed && dh__computing(j->in) == j->in) {
        j->loop(data[1], data[2], data[0], n, j->p, j->q);
        return;
    }
    dh__lanes dy, s;
    for (int64_t i = 0; i < n; i += DH_LANES) {
        int64_t m = n - i < DH_LANES ? n - i : DH_LANES;
        dh__lanes_load(&dy, j->in, data[1] + i * stride[1], stride[1], m);
        dh__lanes_load(&s, j->in, data[2] + i * stride[2], stride[2], m);
        j->loop(&dy, &s, &dy, m, j->p, j->q);
        dh__lanes_store(&dy, j->out, data[0] + i * stride[0], stride[0], m);
    }
}

static dh_status unary_dx_run(const dh_call *call)
{
    const dh_unary_dx_attr *attr = call->attr;
    const dh_view *views[3] = {&call->out[0], &call->in[0], &call->in[1]};
    job j = {.op = attr->op,
             .in = call->in[0].dtype,
             .out = call->out[0].dtype,
             .p = attr->alpha,
             .q = attr->beta};
    const dh__eltwise *best = dh__eltwise_best();
    j.loop = dh__computing(j.in) == DH_F64 ? best->dx_f64[j.op] : best->dx_f32[j.op];
    dh__iterate(3, views, dx_row, &j, 4);
    return DH_OK;
}

static const dh_impl unary_dx_impl = {.name = "elementwise", .run = unary_dx_run};
const dh_impl *const dh_cpu_unary_dx[] = {&unary_dx_impl, NULL};

/* --- predicates --- */

#define TEST(member, expression)             \
    for (int64_t k = 0; k < m; k++) {        \
        x = lanes->member[k];                \
        to[k * stride] = (char)(expression); \
    }                                        \
    return;
#define TESTS(T, member, largest)                                        \
    {                                                                    \
        T x;                                                             \
        switch (op) {                                                    \
        case DH_OP_ISNAN: TEST(member, x != x)                           \
        case DH_OP_ISINF: TEST(member, x > largest || x < -largest)      \
        case DH_OP_ISFINITE: TEST(member, x >= -largest && x <= largest) \
        default: TEST(member, x == 0)                                    \
        }                                                                \
    }

static void test_f32(int op, const dh__lanes *lanes, char *to, ptrdiff_t stride, int64_t m)
    TESTS(float, f32, FLT_MAX)

        static void test_f64(int op, const dh__lanes *lanes, char *to, ptrdiff_t stride, int64_t m)
            TESTS(double, f64, DBL_MAX)

                static void test_i64(const dh__lanes *lanes, char *to, ptrdiff_t stride, int64_t m)
{
    int64_t x;
    TEST(i64, x == 0)
}

static void predicate_row(void *context, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    const job *j = context;
    dh_dtype computing = dh__computing(j->in);
    dh__lanes x;
    for (int64_t i = 0; i < n; i += DH_LANES) {
        int64_t m = n - i < DH_LANES ? n - i : DH_LANES;
        char *to = data[0] + i * stride[0];
        dh__lanes_load(&x, j->in, data[1] + i * stride[1], stride[1], m);
        if (computing == DH_F32)
            test_f32(j->op, &x, to, stride[0], m);
        else if (computing == DH_F64)
            test_f64(j->op, &x, to, stride[0], m);
        else
            test_i64(&x, to, stride[0], m);
    }
}

static dh_status predicate_run(const dh_call *call)
{
    const dh_view *views[2] = {&call->out[0], &call->in[0]};
    job j = {.op = dh__eltwise_number(call->op), .in = call->in[0].dtype};
    dh__iterate(2, views, predicate_row, &j, 4);
    return DH_OK;
}

static const dh_impl predicate_impl = {.name = "elementwise", .run = predicate_run};
const dh_impl *const dh_cpu_isnan[] = {&predicate_impl, NULL};
const dh_impl *const dh_cpu_isinf[] = {&predicate_impl, NULL};
const dh_impl *const dh_cpu_isfinite[] = {&predicate_impl, NULL};
const dh_impl *const dh_cpu_logical_not[] = {&predicate_impl, NULL};
