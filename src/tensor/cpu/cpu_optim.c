/* SPDX-License-Identifier: MIT */
/* Optimiser steps: one pass over the arrays. */
#include <math.h>
#include <string.h>

#include "fold.h"
#include "iterate.h"
#include "optim_kernels.h"

extern const dh__optim_kernels dh__optim_portable;
#if DH_HAVE_X86_ISA
extern const dh__optim_kernels dh__optim_avx2, dh__optim_avx512;
#endif

static const dh__optim_kernels *optim_table(void)
{
#if DH_HAVE_X86_ISA
    dh__isa isa = dh__cpu_isa();
    if (isa == DH_ISA_AVX512) return &dh__optim_avx512;
    if (isa == DH_ISA_AVX2) return &dh__optim_avx2;
#endif
    return &dh__optim_portable;
}

#define ARRAYS 5
#define BLOCK  128

typedef struct pass {
    void (*kernel)(const dh__rule_step *step, void *const *t, int64_t n);
    const dh__rule_step *step;
    int count;
    dh_dtype dtype;
    size_t size; /* of the kernel's elements: 4 for the halves */
} pass;

/* Elements that do not lie densely, or are halves, go through a buffer; it comes back for all but
 * the gradient, which is operand 1. */
static void buffered_row(const pass *p, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    double buffer[ARRAYS][BLOCK];
    void *t[ARRAYS] = {0};
    dh_dtype wide = p->size == sizeof(float) ? DH_F32 : DH_F64;
    for (int64_t from = 0; from < n; from += BLOCK) {
        int64_t m = n - from < BLOCK ? n - from : BLOCK;
        for (int k = 0; k < p->count; k++) {
            t[k] = buffer[k];
            for (int64_t i = 0; i < m; i++)
                dh__store(wide, (char *)t[k] + (size_t)i * p->size,
                          dh__load(p->dtype, data[k] + (from + i) * stride[k]));
        }
        p->kernel(p->step, t, m);
        for (int k = 0; k < p->count; k++)
            for (int64_t i = 0; i < m && k != 1; i++)
                dh__store(p->dtype, data[k] + (from + i) * stride[k],
                          dh__load(wide, (char *)t[k] + (size_t)i * p->size));
    }
}

static void pass_row(void *context, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    const pass *p = context;
    void *t[ARRAYS] = {0};
    bool dense = p->dtype == DH_F32 || p->dtype == DH_F64;
    for (int k = 0; k < p->count; k++) {
        t[k] = data[k];
        dense = dense && (n == 1 || stride[k] == (ptrdiff_t)p->size);
    }
    if (dense)
        p->kernel(p->step, t, n);
    else
        buffered_row(p, data, stride, n);
}

static void copy_row(void *context, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    size_t size = *(const size_t *)context;
    for (int64_t i = 0; i < n; i++) memcpy(data[0] + i * stride[0], data[1] + i * stride[1], size);
}

/* An output is its input. A caller that gives it memory of its own gets a copy, updated. */
static const dh_view *updated(const dh_call *call, int output, int input)
{
    const dh_view *views[] = {&call->out[output], &call->in[input]};
    size_t size = dh_dtype_size(views[0]->dtype);
    if (views[0]->data != views[1]->data) dh__iterate(2, views, copy_row, &size, 1);
    return views[0];
}

/* One pass over the first count inputs, all of the shape of w. */
static void run_pass(const dh_call *call, dh__rule rule, const dh__rule_step *step, int count)
{
    const dh_view *views[ARRAYS];
    pass p = {.step = step, .count = count, .dtype = call->in[0].dtype};
    p.size = p.dtype == DH_F64 ? sizeof(double) : sizeof(float);
    p.kernel = p.dtype == DH_F64 ? optim_table()->f64[rule] : optim_table()->f32[rule];
    for (int k = 0; k < count; k++) views[k] = &call->in[k];
    for (int j = 0; j < call->out_count && j < DH_OP_MAX_OUT; j++) {
        int input = call->op->updates[j] - 1;
        if (input >= 0 && input < count) views[input] = updated(call, j, input);
    }
    dh__iterate(count, views, pass_row, &p, 2);
}

static dh_status rule_run(const dh_call *call)
{
    dh__rule_step step;
    dh__rule rule = dh__rule_of(&step, call);
    run_pass(call, rule, &step, call->in_count);
    return DH_OK;
}

/* --- clip_norm: inputs in order, each a fold of its own --- */

static size_t clip_scratch(const dh_call *call)
{
    size_t most = 0;
    for (int i = 0; i < call->in_count; i++) {
        dh__nest nest;
        dh__nest_make(&nest, &call->in[i], (1u << call->in[i].ndim) - 1u, false);
        if (dh__fold_scratch(&nest) > most) most = dh__fold_scratch(&nest);
    }
    return most;
}

static void add_sink(void *context, int64_t first, const dh__acc *acc, int64_t count)
{
    DH_UNUSED(first);
    DH_UNUSED(count);
    *(double *)context += acc->f;
}

static dh_status clip_run(const dh_call *call)
{
    double squares = 0, max_norm = ((const dh_clip_attr *)call->attr)->max_norm;
    for (int i = 0; i < call->in_count; i++) {
        dh__nest nest;
        dh__nest_make(&nest, &call->in[i], (1u << call->in[i].ndim) - 1u, false);
        dh__fold_run(&nest, DH_FOLD_SQ, NULL, call->scratch, add_sink, &squares);
    }
    double norm = sqrt(squares);
    dh__rule_step s = {.rate = max_norm / (norm + 1e-6)};
    for (int i = 0; i < call->out_count && i < call->in_count; i++) {
        const dh_view *g = updated(call, i, i);
        pass p = {.step = &s, .count = 1, .dtype = g->dtype};
        p.size = p.dtype == DH_F64 ? sizeof(double) : sizeof(float);
        p.kernel = p.dtype == DH_F64 ? optim_table()->f64[DH_RULE_SCALE]
                                     : optim_table()->f32[DH_RULE_SCALE];
        if (norm > max_norm) dh__iterate(1, &g, pass_row, &p, 1);
    }
    return DH_OK;
}

static const dh_impl rule_pass = {.name = "pass", .run = rule_run};
static const dh_impl clip_fold = {.name = "fold", .scratch = clip_scratch, .run = clip_run};

const dh_impl *const dh_cpu_sgd_step[] = {&rule_pass, NULL};
const dh_impl *const dh_cpu_adam_step[] = {&rule_pass, NULL};
const dh_impl *const dh_cpu_rmsprop_step[] = {&rule_pass, NULL};
const dh_impl *const dh_cpu_adagrad_step[] = {&rule_pass, NULL};
const dh_impl *const dh_cpu_adadelta_step[] = {&rule_pass, NULL};
const dh_impl *const dh_cpu_accumulate[] = {&rule_pass, NULL};
const dh_impl *const dh_cpu_running_update[] = {&rule_pass, NULL};
const dh_impl *const dh_cpu_clip_norm[] = {&clip_fold, NULL};
