/* SPDX-License-Identifier: MIT */
/* The checker checked: one kernel's result is changed after it ran, and the suite must notice. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conform.h"

typedef enum change {
    FLIP_SIGN,
    BY_101_PERCENT,
    ZEROS,
    ONE_NAN,
    TRIPLE,
    ONE_ELEMENT_OFF,
    TRANSPOSED,
    VALUE_CHANGES, /* up to here: any mode that compares values kills them */
    PAST_THE_END = VALUE_CHANGES,
    INPUT_TOUCHED,
    UNSTEADY,
    CHANGE_COUNT
} change;

static const char *const change_names[CHANGE_COUNT] = {"sign flipped",
                                                       "x 1.01",
                                                       "zeros",
                                                       "NaN in one element",
                                                       "x 3",
                                                       "one element off by 0.1",
                                                       "transposed",
                                                       "a byte past its end",
                                                       "a byte of input 0 changed",
                                                       "other bits every second time"};

typedef struct mutant {
    const char *victim; /* the op whose kernel lies */
    const char *op;     /* the op whose cases must notice */
    const char *mode;
} mutant;

/* Kernels under "ref"; under "grad" those that the rules of op emit. */
static const mutant mutants[] = {
    {"relu", "relu", "ref"},
    {"softmax", "softmax", "ref"},
    {"matmul", "matmul", "ref"},
    {"sum", "sum", "ref"},
    {"layer_norm", "layer_norm", "ref"},
    {"layer_norm_dx", "layer_norm_dx", "ref"},
    {"unary_dx", "relu", "grad"},
    {"softmax_dx", "softmax", "grad"},
    {"matmul", "matmul", "grad"},
    {"matmul", "linear", "grad"},
    {"layer_norm_dx", "layer_norm", "grad"},
    {"reduce_dx", "max", "grad"},
    {"mean_dx", "mean", "grad"},
};

/* What lies outside the values. */
static const struct {
    mutant who;
    change how;
} strays[] = {
    {{"softmax", "softmax", "ref"}, PAST_THE_END},  {{"matmul", "matmul", "bits"}, PAST_THE_END},
    {{"softmax", "softmax", "ref"}, INPUT_TOUCHED}, {{"matmul", "matmul", "views"}, INPUT_TOUCHED},
    {{"softmax", "softmax", "bits"}, UNSTEADY},     {{"relu", "relu", "inplace"}, UNSTEADY},
};

static const char *active_victim;
static change active_change;

static void transpose(const dh_view *y, double *v, int64_t count)
{
    int64_t m = y->ndim ? y->shape[0] : 1, n = m ? count / m : 0;
    for (int64_t k = 0; k < count; k++)
        dh__store(y->dtype, (char *)y->data + view_offset(y, k) * (int64_t)dh_dtype_size(y->dtype),
                  v[k % m * n + k / m]);
}

static void change_elements(const dh_view *y, double *v, int64_t count)
{
    int64_t one = count / 2;
    for (int64_t k = 0; k < count; k++) {
        double x = v[k];
        switch (active_change) {
        case FLIP_SIGN: x = -x; break;
        case BY_101_PERCENT: x *= 1.01; break;
        case ZEROS: x = 0; break;
        case ONE_NAN: x = k == one ? NAN : x; break;
        case TRIPLE: x *= 3; break;
        default: x += k == one ? 0.1 : 0; break;
        }
        dh__store(y->dtype, (char *)y->data + view_offset(y, k) * (int64_t)dh_dtype_size(y->dtype),
                  x);
    }
}

static void stray(const dh_call *call)
{
    static unsigned calls;
    const dh_view *y = &call->out[0];
    unsigned char *at = y->data;
    if (active_change == PAST_THE_END) at += dh__view_count(y) * (int64_t)dh_dtype_size(y->dtype);
    if (active_change == INPUT_TOUCHED) at = call->in[0].data;
    if (active_change != UNSTEADY || (dh__view_count(y) && calls++ % 2)) *at ^= 1;
}

/* Output 0 alone: the others are statistics that are compared as they are. */
void mutant_apply(const dh_call *call)
{
    const dh_view *y = &call->out[0];
    if (!active_victim || strcmp(call->op->name, active_victim) || !dh_dtype_is_float(y->dtype))
        return;
    if (active_change >= VALUE_CHANGES) {
        stray(call);
        return;
    }
    int64_t count = dh__view_count(y);
    double *v = malloc((size_t)count * sizeof *v + 1);
    for (int64_t k = 0; k < count; k++) v[k] = view_get(y, k);
    if (active_change == TRANSPOSED)
        transpose(y, v, count);
    else
        change_elements(y, v, count);
    free(v);
}

static void judge(const mutant *m, change how)
{
    int64_t before = conform_failures;
    conform_first_failure[0] = 0;
    active_victim = m->victim;
    active_change = how;
    conform_quiet = true;
    conform_run_op(m->op, m->mode);
    conform_quiet = false;
    active_victim = NULL;
    int64_t found = conform_failures - before;
    conform_failures = before;
    printf("%-8s %s %s, by %s --mode %s: %s\n", found ? "killed" : "SURVIVED", m->victim,
           change_names[how], m->op, m->mode, found ? conform_first_failure : "nothing noticed");
    if (!conform_check(found > 0)) conform_failures++;
}

void mutants_run(void)
{
    for (size_t i = 0; i < DH_COUNT(mutants); i++) {
        int64_t before = conform_failures; /* a victim that fails anyway proves nothing */
        conform_run_op(mutants[i].op, mutants[i].mode);
        if (conform_failures > before) {
            printf("%s fails in mode %s without a mutant\n", mutants[i].op, mutants[i].mode);
            continue;
        }
        for (int how = 0; how < VALUE_CHANGES; how++) judge(&mutants[i], (change)how);
    }
    for (size_t i = 0; i < DH_COUNT(strays); i++) judge(&strays[i].who, strays[i].how);
}
