/* SPDX-License-Identifier: MIT */
/* Reductions: one fold, or two for var, whose results a sink brings to the output's dtype. */
#include <math.h>
#include <string.h>

#include "fold.h"
#include "reduce.h"
#include "team.h"

typedef struct finish {
    const dh_view *y; /* the output with the reduced axes taken out, in the order of outputs */
    dh_view kept;
    bool packed;
    dh__fold_type type;
    bool to_bool, root;
    double divisor;
} finish;

/* The output, whose axes of length 1 tell nothing, packed or not. */
static void finish_open(finish *f, const dh_view *y, dh__fold_type type)
{
    memset(f, 0, sizeof *f);
    f->y = y;
    f->kept.dtype = y->dtype;
    f->kept.data = y->data;
    for (int a = 0; a < y->ndim; a++) {
        if (y->shape[a] == 1) continue;
        f->kept.shape[f->kept.ndim] = y->shape[a];
        f->kept.stride[f->kept.ndim++] = y->stride[a];
    }
    f->packed = dh__view_contiguous(y);
    f->type = type;
    f->divisor = 1;
}

static char *output_at(const finish *f, int64_t output)
{
    int64_t offset = 0;
    for (int a = f->kept.ndim - 1; a >= 0; a--) {
        offset += output % f->kept.shape[a] * f->kept.stride[a];
        output /= f->kept.shape[a];
    }
    return (char *)f->kept.data + offset * (int64_t)dh_dtype_size(f->kept.dtype);
}

static void store_integer(dh_dtype dtype, void *address, uint64_t bits)
{
    switch (dh_dtype_size(dtype)) {
    case 1: *(uint8_t *)address = (uint8_t)bits; return;
    case 2: *(uint16_t *)address = (uint16_t)bits; return;
    case 4: *(uint32_t *)address = (uint32_t)bits; return;
    default: *(uint64_t *)address = bits; return;
    }
}

static void store_result(const finish *f, char *address, dh__acc acc)
{
    bool is_float = f->type == DH_FOLD_F32 || f->type == DH_FOLD_F64;
    if (f->to_bool) {
        *(uint8_t *)address = is_float ? acc.f != 0 : acc.u != 0;
    } else if (!is_float) {
        store_integer(f->kept.dtype, address, acc.u);
    } else {
        double value = acc.f / f->divisor;
        if (f->root) value = sqrt(value);
        if (f->kept.dtype == DH_F32)
            *(float *)(void *)address = (float)value;
        else
            dh__store(f->kept.dtype, address, value);
    }
}

static void finish_sink(void *context, int64_t first, const dh__acc *acc, int64_t count)
{
    const finish *f = context;
    size_t size = dh_dtype_size(f->kept.dtype);
    for (int64_t i = 0; i < count; i++) {
        char *address =
            f->packed ? (char *)f->kept.data + (size_t)(first + i) * size : output_at(f, first + i);
        store_result(f, address, acc[i]);
    }
}

static const dh_reduce_attr *attr_of(const dh_call *call)
{
    return call->attr;
}

static uint32_t mask_of(const dh_call *call)
{
    uint32_t mask = 0; /* infer has checked the axes: this cannot fail */
    const dh_view *x = &call->in[0];
    if (call->op == &dh_op_sum_to)
        (void)dh__sum_to_mask(&mask, x, &call->in[1], "sum_to");
    else
        (void)dh__reduce_mask(&mask, &attr_of(call)->axes, x->ndim, call->op->name);
    return mask;
}

static size_t fold_scratch(const dh_call *call)
{
    dh__nest nest;
    dh__nest_make(&nest, &call->in[0], mask_of(call), false);
    return dh__fold_scratch(&nest);
}

static dh__fold fold_of(const dh_op *op)
{
    return op == &dh_op_prod   ? DH_FOLD_PROD
           : op == &dh_op_max  ? DH_FOLD_MAX
           : op == &dh_op_min  ? DH_FOLD_MIN
           : op == &dh_op_any  ? DH_FOLD_ANY
           : op == &dh_op_all  ? DH_FOLD_ALL
           : op == &dh_op_norm ? DH_FOLD_SQ
                               : DH_FOLD_SUM;
}

static dh_status fold_run(const dh_call *call)
{
    dh__nest nest;
    finish f;
    dh__nest_make(&nest, &call->in[0], mask_of(call), false);
    finish_open(&f, &call->out[0], nest.type);
    f.to_bool = call->op == &dh_op_any || call->op == &dh_op_all;
    f.root = call->op == &dh_op_norm;
    if (call->op == &dh_op_mean) f.divisor = (double)nest.length;
    dh__fold_run(&nest, fold_of(call->op), NULL, call->scratch, finish_sink, &f);
    return DH_OK;
}

/* --- var: the mean first, then the squares around it --- */

typedef struct means {
    double *mean;
    double count;
} means;

static void mean_sink(void *context, int64_t first, const dh__acc *acc, int64_t count)
{
    const means *m = context;
    for (int64_t i = 0; i < count; i++) m->mean[first + i] = acc[i].f / m->count;
}

static size_t var_scratch(const dh_call *call)
{
    dh__nest nest;
    dh__nest_make(&nest, &call->in[0], mask_of(call), false);
    return dh__fold_scratch(&nest) + (size_t)nest.outputs * sizeof(double);
}

static dh_status var_run(const dh_call *call)
{
    dh__nest nest;
    finish f;
    dh__nest_make(&nest, &call->in[0], mask_of(call), false);
    finish_open(&f, &call->out[0], nest.type);
    means m = {.mean = call->scratch, .count = (double)nest.length};
    void *partial = m.mean + nest.outputs;
    double freedom = m.count - attr_of(call)->ddof;
    f.divisor = freedom > 0 ? freedom : 0; /* none left: 0 / 0 */
    dh__fold_run(&nest, DH_FOLD_SUM, NULL, partial, mean_sink, &m);
    dh__fold_run(&nest, DH_FOLD_SQ, m.mean, partial, finish_sink, &f);
    return DH_OK;
}

/* --- argmax, argmin --- */

typedef struct search {
    const dh__nest *nest;
    const finish *f;
    bool largest;
} search;

/* Where the winner of n elements lies, given the best so far; -1 if none beats it. A NaN wins once.
 */
#define SEARCH(NAME, T)                                                                    \
    static int64_t search_##NAME(T *best, bool first, const T *x, int64_t n, bool largest) \
    {                                                                                      \
        int64_t at = -1;                                                                   \
        T b = *best;                                                                       \
        if (first && n > 0) {                                                              \
            b = x[0];                                                                      \
            at = 0;                                                                        \
        }                                                                                  \
        for (int64_t i = 0; i < n && b == b; i++)                                          \
            if ((largest ? x[i] > b : x[i] < b) || x[i] != x[i]) {                         \
                b = x[i];                                                                  \
                at = i;                                                                    \
            }                                                                              \
        *best = b;                                                                         \
        return at;                                                                         \
    }
SEARCH(f32, float)
SEARCH(f64, double)
SEARCH(i64, int64_t)
SEARCH(u64, uint64_t)

static int64_t search_output(const search *s, const char *base)
{
    const dh__nest *n = s->nest;
    int64_t stride = n->stride[n->reduced - 1], size = (int64_t)dh_dtype_size(n->dtype), winner = 0;
    union {
        float f32[DH_FOLD_WIDTH];
        double f64[DH_FOLD_WIDTH];
        int64_t i64[DH_FOLD_WIDTH];
        uint64_t u64[DH_FOLD_WIDTH];
    } block;
    union {
        float f32;
        double f64;
        int64_t i64;
        uint64_t u64;
    } best = {.u64 = 0};
    for (int64_t from = 0; from < n->length;) {
        int64_t count, start = from;
        const char *line = dh__nest_line(n, base, &from, n->length, &count);
        for (int64_t i = 0; i < count; i += DH_FOLD_WIDTH) {
            int64_t m = count - i < DH_FOLD_WIDTH ? count - i : DH_FOLD_WIDTH, at;
            bool first = start + i == 0;
            dh__fold_load(n->dtype, &block, line + i * stride * size, stride, m);
            switch (n->type) {
            case DH_FOLD_F32: at = search_f32(&best.f32, first, block.f32, m, s->largest); break;
            case DH_FOLD_F64: at = search_f64(&best.f64, first, block.f64, m, s->largest); break;
            case DH_FOLD_I64: at = search_i64(&best.i64, first, block.i64, m, s->largest); break;
            default: at = search_u64(&best.u64, first, block.u64, m, s->largest); break;
            }
            if (at >= 0) winner = start + i + at;
        }
    }
    return winner;
}

static void search_tasks(void *context, int64_t begin, int64_t end)
{
    const search *s = context;
    for (int64_t o = begin; o < end; o++) {
        dh__acc winner = {.i = search_output(s, dh__nest_at(s->nest, o))};
        finish_sink((void *)(uintptr_t)s->f, o, &winner, 1);
    }
}

static dh_status arg_run(const dh_call *call)
{
    dh__nest nest;
    finish f;
    dh__nest_make(&nest, &call->in[0], mask_of(call), true);
    finish_open(&f, &call->out[0], DH_FOLD_I64);
    search s = {.nest = &nest, .f = &f, .largest = call->op == &dh_op_argmax};
    int64_t grain = 32768 / (nest.length + 16);
    dh__team_ranges(nest.outputs, grain < 1 ? 1 : grain, search_tasks, &s);
    return DH_OK;
}

static const dh_impl fold_any = {
    .name = "fold", .scratch = fold_scratch, .run = fold_run, .channels_last = true};
static const dh_impl var_two_pass = {.name = "two_pass", .scratch = var_scratch, .run = var_run};
static const dh_impl arg_any = {.name = "search", .run = arg_run};

const dh_impl *const dh_cpu_sum[] = {&fold_any, NULL};
const dh_impl *const dh_cpu_mean[] = {&fold_any, NULL};
const dh_impl *const dh_cpu_prod[] = {&fold_any, NULL};
const dh_impl *const dh_cpu_max[] = {&fold_any, NULL};
const dh_impl *const dh_cpu_min[] = {&fold_any, NULL};
const dh_impl *const dh_cpu_argmax[] = {&arg_any, NULL};
const dh_impl *const dh_cpu_argmin[] = {&arg_any, NULL};
const dh_impl *const dh_cpu_var[] = {&var_two_pass, NULL};
const dh_impl *const dh_cpu_norm[] = {&fold_any, NULL};
const dh_impl *const dh_cpu_any[] = {&fold_any, NULL};
const dh_impl *const dh_cpu_all[] = {&fold_any, NULL};
const dh_impl *const dh_cpu_sum_to[] = {&fold_any, NULL};
