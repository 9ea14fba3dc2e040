/* SPDX-License-Identifier: MIT */
/* What the optimisers' ops do to each element: a rule of rules.def and its constants. */
#ifndef DH_RULES_H
#define DH_RULES_H

#include "ops.h"

typedef enum dh__rule {
#define RULE(NAME, name, ...)  DH_RULE_##NAME,
#define ALONE(NAME, name, ...) DH_RULE_##NAME,
#include "rules.def"
#undef RULE
#undef ALONE
    DH_RULE_COUNT
} dh__rule;

/* What of one step does not depend on the element, as rules.def calls it. */
typedef struct dh__rule_step {
    double rate;         /* learning rate, bias corrections included where the rule has them */
    double decay;        /* weight decay added to the gradient */
    double keep;         /* factor on w before all else: 1 - lr * decay of adamw */
    double beta1, beta2; /* rates of the first and second moment; beta1 of sgd is the momentum */
    double root;         /* factor on sqrt(v): 1 / sqrt(1 - beta2^t) */
    double epsilon;
    double rate_gradient; /* nadam: of the gradient itself */
} dh__rule_step;

/* The rule of a call of any of these ops but clip_norm. Its inputs are w, g and the states. */
dh__rule dh__rule_of(dh__rule_step *step, const dh_call *call);

#endif
