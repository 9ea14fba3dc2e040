/* SPDX-License-Identifier: MIT */
/* Optimiser steps: constants of the step are computed once in double, then one pass over the
 * arrays. */
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

static dh_status sgd_run(const dh_call *call)
{
    const dh_sgd_attr *a = call->attr;
    dh__rule_step s = {.rate = (double)call->step->learning_rate * a->lr_scale,
                       .decay = a->weight_decay,
                       .beta1 = a->momentum};
    dh__rule rule = a->momentum == 0 ? DH_RULE_SGD
                    : a->nesterov    ? DH_RULE_NESTEROV
                                     : DH_RULE_MOMENTUM;
    run_pass(call, rule, &s, call->in_count);
    return DH_OK;
}

/* The product of nadam's momenta follows from the update's number; past 1e-18 it is of no account.
 */
static void nadam_rates(dh__rule_step *s, double lr, int64_t t)
{
    const double ratio = pow(0.96, 0.004);
    double product = 1, power = 1;
    for (int64_t i = 1; i <= t && product > 1e-18; i++) {
        power *= ratio;
        product *= s->beta1 * (1 - 0.5 * power);
    }
    double mu = s->beta1 * (1 - 0.5 * pow(ratio, (double)t));
    double next = s->beta1 * (1 - 0.5 * pow(ratio, (double)t + 1));
    s->rate_gradient = lr * (1 - mu) / (1 - product);
    s->rate = lr * next / (1 - product * next);
}

static dh_status adam_run(const dh_call *call)
{
    enum { ADAM, ADAMW, ADAMAX, NADAM, AMSGRAD };
    static const dh__rule rules[] = {DH_RULE_ADAM, DH_RULE_ADAM, DH_RULE_ADAMAX, DH_RULE_NADAM,
                                     DH_RULE_AMSGRAD};
    const dh_adam_attr *a = call->attr;
    double lr = (double)call->step->learning_rate * a->lr_scale, t = (double)call->step->update;
    dh__rule_step s = {.rate = lr / (1 - pow(a->beta1, t)),
                       .decay = a->variant == ADAMW ? 0 : a->weight_decay,
                       .keep = a->variant == ADAMW ? 1 - lr * a->weight_decay : 1,
                       .beta1 = a->beta1,
                       .beta2 = a->beta2,
                       .root = 1 / sqrt(1 - pow(a->beta2, t)),
                       .epsilon = a->epsilon};
    if (a->variant == NADAM) nadam_rates(&s, lr, call->step->update);
    run_pass(call, rules[a->variant], &s, a->variant == AMSGRAD ? 5 : 4);
    return DH_OK;
}

static dh_status rmsprop_run(const dh_call *call)
{
    const dh_rmsprop_attr *a = call->attr;
    dh__rule_step s = {.rate = (double)call->step->learning_rate * a->lr_scale,
                       .decay = a->weight_decay,
                       .beta1 = a->momentum,
                       .beta2 = a->rho,
                       .epsilon = a->epsilon};
    bool momentum = a->momentum != 0;
    dh__rule rule = a->centered ? momentum ? DH_RULE_RMSPROP_BOTH : DH_RULE_RMSPROP_CENTERED
                    : momentum  ? DH_RULE_RMSPROP_MOMENTUM
                                : DH_RULE_RMSPROP;
    run_pass(call, rule, &s, call->in_count);
    return DH_OK;
}

static dh_status ada_run(const dh_call *call)
{
    const dh_ada_attr *a = call->attr;
    dh__rule_step s = {.rate = (double)call->step->learning_rate * a->lr_scale,
                       .decay = a->weight_decay,
                       .beta2 = a->rho,
                       .epsilon = a->epsilon};
    bool grad = call->op == &dh_op_adagrad_step;
    run_pass(call, grad ? DH_RULE_ADAGRAD : DH_RULE_ADADELTA, &s, call->in_count);
    return DH_OK;
}

static dh_status accumulate_run(const dh_call *call)
{
    dh__rule_step s = {0};
    run_pass(call, DH_RULE_ACCUMULATE, &s, 2);
    return DH_OK;
}

static dh_status running_run(const dh_call *call)
{
    dh__rule_step s = {.beta1 = ((const dh_norm_attr *)call->attr)->momentum};
    run_pass(call, DH_RULE_RUNNING, &s, 2);
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

static const dh_impl sgd_pass = {.name = "pass", .run = sgd_run};
static const dh_impl adam_pass = {.name = "pass", .run = adam_run};
static const dh_impl rmsprop_pass = {.name = "pass", .run = rmsprop_run};
static const dh_impl ada_pass = {.name = "pass", .run = ada_run};
static const dh_impl accumulate_pass = {.name = "pass", .run = accumulate_run};
static const dh_impl running_pass = {.name = "pass", .run = running_run};
static const dh_impl clip_fold = {.name = "fold", .scratch = clip_scratch, .run = clip_run};

const dh_impl *const dh_cpu_sgd_step[] = {&sgd_pass, NULL};
const dh_impl *const dh_cpu_adam_step[] = {&adam_pass, NULL};
const dh_impl *const dh_cpu_rmsprop_step[] = {&rmsprop_pass, NULL};
const dh_impl *const dh_cpu_adagrad_step[] = {&ada_pass, NULL};
const dh_impl *const dh_cpu_adadelta_step[] = {&ada_pass, NULL};
const dh_impl *const dh_cpu_accumulate[] = {&accumulate_pass, NULL};
const dh_impl *const dh_cpu_running_update[] = {&running_pass, NULL};
const dh_impl *const dh_cpu_clip_norm[] = {&clip_fold, NULL};
