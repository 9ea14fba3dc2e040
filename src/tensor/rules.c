/* SPDX-License-Identifier: MIT */
/* The constants of a step, computed once in double. */
#include "rules.h"

#include <math.h>

static double rate_of(const dh_call *call, double lr_scale)
{
    return (double)call->step->learning_rate * lr_scale;
}

static dh__rule sgd(dh__rule_step *s, const dh_call *call)
{
    const dh_sgd_attr *a = call->attr;
    s->rate = rate_of(call, a->lr_scale);
    s->decay = a->weight_decay;
    s->beta1 = a->momentum;
    return a->momentum == 0 ? DH_RULE_SGD : a->nesterov ? DH_RULE_NESTEROV : DH_RULE_MOMENTUM;
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

static dh__rule adam(dh__rule_step *s, const dh_call *call)
{
    enum { ADAM, ADAMW, ADAMAX, NADAM, AMSGRAD };
    static const dh__rule rules[] = {DH_RULE_ADAM, DH_RULE_ADAM, DH_RULE_ADAMAX, DH_RULE_NADAM,
                                     DH_RULE_AMSGRAD};
    const dh_adam_attr *a = call->attr;
    double lr = rate_of(call, a->lr_scale), t = (double)call->step->update;
    s->rate = lr / (1 - pow(a->beta1, t));
    s->decay = a->variant == ADAMW ? 0 : a->weight_decay;
    s->keep = a->variant == ADAMW ? 1 - lr * a->weight_decay : 1;
    s->beta1 = a->beta1;
    s->beta2 = a->beta2;
    s->root = 1 / sqrt(1 - pow(a->beta2, t));
    s->epsilon = a->epsilon;
    if (a->variant == NADAM) nadam_rates(s, lr, call->step->update);
    return rules[a->variant];
}

static dh__rule rmsprop(dh__rule_step *s, const dh_call *call)
{
    const dh_rmsprop_attr *a = call->attr;
    bool momentum = a->momentum != 0;
    s->rate = rate_of(call, a->lr_scale);
    s->decay = a->weight_decay;
    s->beta1 = a->momentum;
    s->beta2 = a->rho;
    s->epsilon = a->epsilon;
    if (a->centered) return momentum ? DH_RULE_RMSPROP_BOTH : DH_RULE_RMSPROP_CENTERED;
    return momentum ? DH_RULE_RMSPROP_MOMENTUM : DH_RULE_RMSPROP;
}

static dh__rule ada(dh__rule_step *s, const dh_call *call)
{
    const dh_ada_attr *a = call->attr;
    s->rate = rate_of(call, a->lr_scale);
    s->decay = a->weight_decay;
    s->beta2 = a->rho;
    s->epsilon = a->epsilon;
    return call->op == &dh_op_adagrad_step ? DH_RULE_ADAGRAD : DH_RULE_ADADELTA;
}

dh__rule dh__rule_of(dh__rule_step *step, const dh_call *call)
{
    *step = (dh__rule_step){0};
    if (call->op == &dh_op_sgd_step) return sgd(step, call);
    if (call->op == &dh_op_adam_step) return adam(step, call);
    if (call->op == &dh_op_rmsprop_step) return rmsprop(step, call);
    if (call->op == &dh_op_accumulate) return DH_RULE_ACCUMULATE;
    if (call->op != &dh_op_running_update) return ada(step, call);
    step->beta1 = ((const dh_norm_attr *)call->attr)->momentum;
    return DH_RULE_RUNNING;
}
