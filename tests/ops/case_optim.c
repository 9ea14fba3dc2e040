/* SPDX-License-Identifier: MIT */
#include "case.h"

static const dh_sgd_attr plain = {.lr_scale = 1}, decayed = {.weight_decay = 0.01, .lr_scale = 0.5};
static const dh_sgd_attr momentum = {.momentum = 0.9, .weight_decay = 0.01, .lr_scale = 1};
static const dh_sgd_attr nesterov = {.momentum = 0.9, .lr_scale = 1, .nesterov = true};

enum { ADAM, ADAMW, ADAMAX, NADAM, AMSGRAD };
#define ADAM_ATTR(NAME, VARIANT)                            \
    static const dh_adam_attr NAME = {.variant = VARIANT,   \
                                      .beta1 = 0.9,         \
                                      .beta2 = 0.999,       \
                                      .epsilon = 1e-8,      \
                                      .weight_decay = 0.01, \
                                      .lr_scale = 1}
ADAM_ATTR(adam, ADAM);
ADAM_ATTR(adamw, ADAMW);
ADAM_ATTR(adamax, ADAMAX);
ADAM_ATTR(nadam, NADAM);
ADAM_ATTR(amsgrad, AMSGRAD);

#define RMS(NAME, ...) \
    static const dh_rmsprop_attr NAME = {.rho = 0.9, .epsilon = 1e-3, .lr_scale = 1, __VA_ARGS__}
RMS(rms, .weight_decay = 0.01);
RMS(rms_centered, .centered = true);
RMS(rms_momentum, .momentum = 0.8);
RMS(rms_both, .centered = true, .momentum = 0.8);

static const dh_ada_attr ada = {.rho = 0.9, .epsilon = 1e-6, .weight_decay = 0.01, .lr_scale = 1};
static const dh_clip_attr clip_tight = {0.5}, clip_loose = {1e6};

/* w, g, then the state; mean squares are positive */
#define STEP(OP, COUNT, ATTR, A, B, C)                                                         \
    {.op = OP,                                                                                 \
     .in_count = COUNT,                                                                        \
     .in = {S0, S0, S0, S0, S0},                                                               \
     .attr = ATTR,                                                                             \
     .fill = {FILL_SIGNED, FILL_SIGNED, A, B, C}},                                             \
        {.op = OP,                                                                             \
         .in_count = COUNT,                                                                    \
         .in = {S(3, 7), S(3, 7), S(3, 7), S(3, 7), S(3, 7)},                                  \
         .attr = ATTR,                                                                         \
         .fill = {FILL_SIGNED, FILL_SIGNED, A, B, C}},                                         \
    {                                                                                          \
        .op = OP, .in_count = COUNT, .in = {S(40009), S(40009), S(40009), S(40009), S(40009)}, \
        .attr = ATTR, .fill = {                                                                \
            FILL_SIGNED,                                                                       \
            FILL_SIGNED,                                                                       \
            A,                                                                                 \
            B,                                                                                 \
            C                                                                                  \
        }                                                                                      \
    }

const op_case case_optim[] = {
    STEP("sgd_step", 2, &plain, 0, 0, 0),
    STEP("sgd_step", 2, &decayed, 0, 0, 0),
    STEP("sgd_step", 3, &momentum, FILL_SIGNED, 0, 0),
    STEP("sgd_step", 3, &nesterov, FILL_SIGNED, 0, 0),
    STEP("adam_step", 4, &adam, FILL_SIGNED, FILL_POSITIVE, 0),
    STEP("adam_step", 4, &adamw, FILL_SIGNED, FILL_POSITIVE, 0),
    STEP("adam_step", 4, &adamax, FILL_SIGNED, FILL_POSITIVE, 0),
    STEP("adam_step", 5, &amsgrad, FILL_SIGNED, FILL_POSITIVE, FILL_POSITIVE),
    STEP("adam_step", 4, &nadam, FILL_SIGNED, FILL_POSITIVE, 0),
    STEP("rmsprop_step", 3, &rms, FILL_POSITIVE, 0, 0),
    STEP("rmsprop_step", 4, &rms_centered, FILL_ABOVE_ONE, FILL_UNIT, 0),
    STEP("rmsprop_step", 4, &rms_momentum, FILL_POSITIVE, FILL_SIGNED, 0),
    STEP("rmsprop_step", 5, &rms_both, FILL_ABOVE_ONE, FILL_UNIT, FILL_SIGNED),
    STEP("adagrad_step", 3, &ada, FILL_POSITIVE, 0, 0),
    STEP("adadelta_step", 4, &ada, FILL_POSITIVE, FILL_POSITIVE, 0),
    {.op = "clip_norm", .in_count = 1, .in = {S0}, .attr = &clip_tight},
    {.op = "clip_norm", .in_count = 3, .in = {S(3, 7), S(1), S(40009)}, .attr = &clip_tight},
    {.op = "clip_norm", .in_count = 3, .in = {S(3, 7), S(11), S(5)}, .attr = &clip_loose},
    {.op = "accumulate", .in_count = 2, .in = {S0, S0}},
    {.op = "accumulate", .in_count = 2, .in = {S(3, 7), S(3, 7)}},
    {.op = "accumulate", .in_count = 2, .in = {S(40009), S(40009)}},
    {0}};
