/* SPDX-License-Identifier: MIT */
/* Inner loops of the optimisers, one table per instruction set (isa/optim_kernels.c): each reads
 * and writes every array once. */
#ifndef DH_OPTIM_KERNELS_H
#define DH_OPTIM_KERNELS_H

#include <stdint.h>

typedef enum dh__rule {
    DH_RULE_SGD,
    DH_RULE_MOMENTUM,
    DH_RULE_NESTEROV,
    DH_RULE_ADAM,
    DH_RULE_AMSGRAD,
    DH_RULE_ADAMAX,
    DH_RULE_NADAM,
    DH_RULE_RMSPROP,
    DH_RULE_RMSPROP_CENTERED,
    DH_RULE_RMSPROP_MOMENTUM,
    DH_RULE_RMSPROP_BOTH,
    DH_RULE_ADAGRAD,
    DH_RULE_ADADELTA,
    DH_RULE_ACCUMULATE,
    DH_RULE_RUNNING,
    DH_RULE_SCALE,
    DH_RULE_COUNT
} dh__rule;

/* What of one step does not depend on the element; each rule's comment says which it reads. */
typedef struct dh__rule_step {
    double rate;         /* learning rate, bias corrections included where the rule has them */
    double decay;        /* weight decay added to the gradient */
    double keep;         /* factor on w before all else: 1 - lr * decay of adamw */
    double beta1, beta2; /* rates of the first and second moment; beta1 of sgd is the momentum */
    double root;         /* factor on sqrt(v): 1 / sqrt(1 - beta2^t) */
    double epsilon;
    double rate_gradient; /* nadam: of the gradient itself */
} dh__rule_step;

/* t[0] = w, t[1] = g, t[2..] = state; n elements each, none overlapping. */
typedef struct dh__optim_kernels {
    void (*f32[DH_RULE_COUNT])(const dh__rule_step *step, void *const *t, int64_t n);
    void (*f64[DH_RULE_COUNT])(const dh__rule_step *step, void *const *t, int64_t n);
} dh__optim_kernels;

#endif
