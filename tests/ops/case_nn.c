/* SPDX-License-Identifier: MIT */
#include "case.h"

static const dh_axis_attr last = {-1}, first = {0}, middle = {1};
static const dh_dropout_attr rate_30 = {0.3}, rate_0 = {0}, rate_1 = {1};
static const dh_noise_attr noise_2 = {2}, noise_0 = {0};
static const dh_norm_attr ln_last = {.axis = -1, .epsilon = 1e-5},
                          ln_1 = {.axis = 1, .epsilon = 1e-3};
static const dh_norm_attr ln_0 = {.axis = 0, .epsilon = 1e-5};
static const dh_norm_attr bn_relu = {.axis = 1, .epsilon = 1e-5, .act = 1},
                          bn_relu6 = {.axis = 1, .epsilon = 1e-5, .act = DH_ACT_RELU6},
                          bn_add = {.axis = 1, .epsilon = 1e-5, .act = DH_ACT_RELU, .add = true},
                          bn_add_last = {.axis = -1,
                                         .epsilon = 1e-3,
                                         .act = DH_ACT_LEAKY_RELU,
                                         .alpha = 0.125,
                                         .add = true},
                          bn_leaky = {.axis = 1, .epsilon = 1e-5, .act = 2, .alpha = 0.125};
static const dh_norm_attr gate_relu = {.axis = 1, .epsilon = 1e-5, .gate = DH_ACT_RELU},
                          gate_relu6 = {.axis = 1, .epsilon = 1e-5, .gate = DH_ACT_RELU6},
                          gate_leaky = {.axis = 1,
                                        .epsilon = 1e-5,
                                        .gate = DH_ACT_LEAKY_RELU,
                                        .alpha = 0.125};
static const dh_norm_attr bn_1 = {.axis = 1, .epsilon = 1e-5},
                          bn_last = {.axis = -1, .epsilon = 1e-3};
static const dh_norm_attr running = {.momentum = 0.9}, running_slow = {.momentum = 0.99};

#define SOFTMAX(OP)                                                                             \
    {.op = OP, .in_count = 1, .in = {S(1)}, .attr = &last},                                     \
        {.op = OP, .in_count = 1, .in = {S(3, 7)}, .attr = &last},                              \
        {.op = OP, .in_count = 1, .in = {S(3, 7)}, .attr = &first},                             \
        {.op = OP, .in_count = 1, .in = {S(2, 5, 3)}, .attr = &middle},                         \
        {.op = OP, .in_count = 1, .in = {S(3, 131)}, .attr = &last},                            \
        {.op = OP, .in_count = 1, .in = {S(2, 3, 263)}, .attr = &middle, .forward_only = true}, \
        {.op = OP, .in_count = 1, .in = {S(3, 70001)}, .attr = &last, .forward_only = true},    \
        {.op = OP, .in_count = 1, .in = {S(1009, 10)}, .attr = &last, .forward_only = true},    \
    {                                                                                           \
        .op = OP, .in_count = 1, .in = {S(0, 10)}, .attr = &last, .forward_only = true          \
    }

#define SOFTMAX_DX(OP, FILL)                                                            \
    {.op = OP,                                                                          \
     .in_count = 2,                                                                     \
     .in = {S(3, 7), S(3, 7)},                                                          \
     .attr = &last,                                                                     \
     .fill = {FILL_SIGNED, FILL}},                                                      \
        {.op = OP,                                                                      \
         .in_count = 2,                                                                 \
         .in = {S(2, 5, 3), S(2, 5, 3)},                                                \
         .attr = &middle,                                                               \
         .fill = {FILL_SIGNED, FILL}},                                                  \
    {                                                                                   \
        .op = OP, .in_count = 2, .in = {S(5, 131), S(5, 131)}, .attr = &last, .fill = { \
            FILL_SIGNED,                                                                \
            FILL                                                                        \
        }                                                                               \
    }

#define CE    "softmax_cross_entropy"
#define CE_DX "softmax_cross_entropy_dx"

/* x and two parameters per channel, or none */
#define AFFINE(OP, SHAPE, PARAMETER, ATTR)                                         \
    {.op = OP, .in_count = 1, .in = {SHAPE}, .attr = ATTR},                        \
    {                                                                              \
        .op = OP, .in_count = 3, .in = {SHAPE, PARAMETER, PARAMETER}, .attr = ATTR \
    }

/* dy, x, two statistics, and gamma or not */
#define NORM_DX(OP, SHAPE, STAT, PARAMETER, ATTR)                                           \
    {.op = OP,                                                                              \
     .in_count = 4,                                                                         \
     .in = {SHAPE, SHAPE, STAT, STAT},                                                      \
     .attr = ATTR,                                                                          \
     .fill = {FILL_SIGNED, FILL_SIGNED, FILL_UNIT, FILL_POSITIVE}},                         \
    {                                                                                       \
        .op = OP, .in_count = 5, .in = {SHAPE, SHAPE, STAT, STAT, PARAMETER}, .attr = ATTR, \
        .fill = {                                                                           \
            FILL_SIGNED,                                                                    \
            FILL_SIGNED,                                                                    \
            FILL_UNIT,                                                                      \
            FILL_POSITIVE,                                                                  \
            FILL_SIGNED                                                                     \
        }                                                                                   \
    }

/* the same through an activation, whose result is last */
#define GATED_DX(OP, SHAPE, STAT, ATTR, FILL)                                                 \
    {.op = OP,                                                                                \
     .in_count = 5,                                                                           \
     .in = {SHAPE, SHAPE, STAT, STAT, SHAPE},                                                 \
     .attr = ATTR,                                                                            \
     .fill = {FILL_SIGNED, FILL_SIGNED, FILL_UNIT, FILL_POSITIVE, FILL}},                     \
    {                                                                                         \
        .op = OP, .in_count = 6, .in = {SHAPE, SHAPE, STAT, STAT, STAT, SHAPE}, .attr = ATTR, \
        .fill = {                                                                             \
            FILL_SIGNED,                                                                      \
            FILL_SIGNED,                                                                      \
            FILL_UNIT,                                                                        \
            FILL_POSITIVE,                                                                    \
            FILL_SIGNED,                                                                      \
            FILL                                                                              \
        }                                                                                     \
    }

#define C(...) S(__VA_ARGS__)

const op_case case_nn[] = {
    SOFTMAX("softmax"),
    SOFTMAX("log_softmax"),
    SOFTMAX_DX("softmax_dx", FILL_ROWS_SUM_1),
    SOFTMAX_DX("log_softmax_dx", FILL_SIGNED),

    {.op = CE, .in_count = 2, .in = {S(10), S(10)}, .fill = {0, FILL_ONE_HOT}, .no_grad = 2},
    {.op = CE, .in_count = 2, .in = {S(5, 7), S(5, 7)}, .fill = {0, FILL_ROWS_SUM_1}, .no_grad = 2},
    {.op = CE,
     .in_count = 2,
     .in = {S(2, 3, 131), S(2, 3, 131)},
     .fill = {0, FILL_POSITIVE},
     .no_grad = 2},
    {.op = CE,
     .in_count = 2,
     .in = {S(1009, 10), S(1009, 10)},
     .fill = {0, FILL_ONE_HOT},
     .forward_only = true},
    {.op = CE, .in_count = 2, .in = {S(0, 10), S(0, 10)}, .forward_only = true},
    {.op = CE,
     .in_count = 2,
     .in = {S(11, 7), S(11)},
     .fill = {0, FILL_INDEX},
     .bound = 7,
     .dtype = {DH_F32, DH_I64},
     .no_grad = 2},
    {.op = CE,
     .in_count = 2,
     .in = {S(11, 7), S(11)},
     .fill = {0, FILL_INDEX},
     .bound = 7,
     .dtype = {DH_F64, DH_I32},
     .no_grad = 2},
    {.op = CE,
     .in_count = 2,
     .in = {S(3, 2, 5), S(3, 2)},
     .fill = {0, FILL_INDEX},
     .bound = 5,
     .dtype = {DH_F32, DH_U8},
     .no_grad = 2},
    {.op = CE_DX, .in_count = 3, .in = {S(5), S(5, 7), S(5, 7)}, .fill = {0, 0, FILL_ROWS_SUM_1}},
    {.op = CE_DX, .in_count = 3, .in = {S0, S(131), S(131)}, .fill = {0, 0, FILL_POSITIVE}},
    {.op = CE_DX,
     .in_count = 3,
     .in = {S(11), S(11, 7), S(11)},
     .fill = {0, 0, FILL_INDEX},
     .bound = 7,
     .dtype = {DH_F32, DH_F32, DH_I64}},
    {.op = CE_DX,
     .in_count = 3,
     .in = {S(11), S(11, 37), S(11)},
     .fill = {0, 0, FILL_INDEX},
     .bound = 37,
     .dtype = {DH_F64, DH_F64, DH_U8}},

    {.op = "gaussian_noise", .in_count = 1, .in = {S0}, .attr = &noise_2},
    {.op = "gaussian_noise", .in_count = 1, .in = {S(3, 7, 5)}, .attr = &noise_2},
    {.op = "gaussian_noise", .in_count = 1, .in = {S(11)}, .attr = &noise_0},
    {.op = "gaussian_noise",
     .in_count = 1,
     .in = {S(10, 701)},
     .attr = &noise_2,
     .forward_only = true},
    {.op = "dropout", .in_count = 1, .in = {S0}, .attr = &rate_30},
    {.op = "dropout", .in_count = 1, .in = {S(3, 7, 5)}, .attr = &rate_30},
    {.op = "dropout", .in_count = 1, .in = {S(11)}, .attr = &rate_0},
    {.op = "dropout", .in_count = 1, .in = {S(11)}, .attr = &rate_1, .forward_only = true},
    {.op = "dropout", .in_count = 1, .in = {S(10, 7001)}, .attr = &rate_30, .forward_only = true},

    AFFINE("layer_norm", C(3, 7), C(7), &ln_last),
    AFFINE("layer_norm", C(2, 3, 5), C(3, 5), &ln_1),
    AFFINE("layer_norm", C(11), C(11), &ln_0),
    AFFINE("layer_norm", C(5, 131), C(131), &ln_last),
    {.op = "layer_norm",
     .in_count = 3,
     .in = {S(257, 300), S(300), S(300)},
     .attr = &ln_last,
     .forward_only = true},
    {.op = "layer_norm",
     .in_count = 3,
     .in = {S(0, 7), S(7), S(7)},
     .attr = &ln_last,
     .forward_only = true},
    NORM_DX("layer_norm_dx", C(3, 7), C(3), C(7), &ln_last),
    NORM_DX("layer_norm_dx", C(2, 3, 5), C(2), C(3, 5), &ln_1),
    NORM_DX("layer_norm_dx", C(257, 300), C(257), C(300), &ln_last),

    AFFINE("batch_norm_train", C(5, 7), C(7), &bn_1),
    AFFINE("batch_norm_train", C(3, 2, 5, 3), C(2), &bn_1),
    AFFINE("batch_norm_train", C(3, 5, 4), C(4), &bn_last),
    AFFINE("batch_norm_train", C(3, 2, 5, 3), C(2), &bn_relu),
    AFFINE("batch_norm_train", C(5, 7), C(7), &bn_leaky),
    {.op = "batch_norm",
     .in_count = 5,
     .in = {S(3, 2, 5, 3), S(2), S(2), S(2), S(2)},
     .attr = &bn_leaky,
     .fill = {0, 0, 0, FILL_UNIT, FILL_POSITIVE}},
    {.op = "batch_norm",
     .in_count = 3,
     .in = {S(5, 7), S(7), S(7)},
     .attr = &bn_relu,
     .fill = {0, FILL_UNIT, FILL_POSITIVE}},
    {.op = "batch_norm_train",
     .in_count = 3,
     .in = {S(401, 300), S(300), S(300)},
     .attr = &bn_1,
     .forward_only = true},
    {.op = "batch_norm_train",
     .in_count = 3,
     .in = {S(7, 3, 67, 67), S(3), S(3)},
     .attr = &bn_1,
     .forward_only = true},
    {.op = "batch_norm_train",
     .in_count = 3,
     .in = {S(3, 2, 5, 3), S(2), S(2)},
     .attr = &bn_relu6,
     .fill = {0, FILL_DISTINCT}},
    {.op = "batch_norm",
     .in_count = 5,
     .in = {S(3, 2, 5, 3), S(2), S(2), S(2), S(2)},
     .attr = &bn_relu6,
     .fill = {FILL_DISTINCT, 0, 0, FILL_UNIT, FILL_POSITIVE}},
    /* something added: by rows, by columns, channels in groups, past the cache */
    {.op = "batch_norm_train",
     .in_count = 2,
     .in = {S(3, 2, 5, 3), S(3, 2, 5, 3)},
     .attr = &bn_add},
    {.op = "batch_norm_train",
     .in_count = 4,
     .in = {S(3, 2, 5, 3), S(2), S(2), S(3, 2, 5, 3)},
     .attr = &bn_add},
    {.op = "batch_norm_train",
     .in_count = 4,
     .in = {S(5, 7), S(7), S(7), S(5, 7)},
     .attr = &bn_add_last},
    {.op = "batch_norm_train",
     .in_count = 4,
     .in = {S(3, 300, 2, 3), S(300), S(300), S(3, 300, 2, 3)},
     .attr = &bn_add,
     .forward_only = true},
    {.op = "batch_norm_train",
     .in_count = 4,
     .in = {S(2, 33, 1, 31000), S(33), S(33), S(2, 33, 1, 31000)},
     .attr = &bn_add,
     .dtype = {DH_F32, DH_F32, DH_F32, DH_F32},
     .forward_only = true},
    {.op = "batch_norm",
     .in_count = 6,
     .in = {S(3, 2, 5, 3), S(2), S(2), S(2), S(2), S(3, 2, 5, 3)},
     .attr = &bn_add,
     .fill = {0, 0, 0, FILL_UNIT, FILL_POSITIVE}},
    {.op = "batch_norm",
     .in_count = 4,
     .in = {S(5, 7), S(7), S(7), S(5, 7)},
     .attr = &bn_add_last,
     .fill = {0, FILL_UNIT, FILL_POSITIVE}},
    GATED_DX("batch_norm_dx", C(3, 2, 5, 3), C(2), &gate_relu, FILL_SIGNED),
    GATED_DX("batch_norm_dx", C(3, 2, 5, 3), C(2), &gate_relu6, FILL_DISTINCT),
    GATED_DX("batch_norm_dx", C(50, 33, 4, 3), C(33), &gate_leaky, FILL_SIGNED),
    GATED_DX("batch_norm_dx", C(401, 30), C(30), &gate_relu6, FILL_DISTINCT),
    GATED_DX("batch_norm_frozen_dx", C(5, 7), C(7), &gate_leaky, FILL_SIGNED),
    GATED_DX("batch_norm_frozen_dx", C(3, 2, 5, 3), C(2), &gate_relu6, FILL_DISTINCT),
    /* channels in groups, the last one smaller; in pieces; a result that goes past the cache */
    {.op = "batch_norm_train",
     .in_count = 3,
     .in = {S(3, 300, 2, 3), S(300), S(300)},
     .attr = &bn_relu,
     .forward_only = true},
    {.op = "batch_norm_dx",
     .in_count = 5,
     .in = {S(3, 300, 2, 3), S(3, 300, 2, 3), S(300), S(300), S(300)},
     .attr = &bn_1,
     .fill = {FILL_SIGNED, FILL_SIGNED, FILL_UNIT, FILL_POSITIVE},
     .forward_only = true},
    {.op = "batch_norm_dx",
     .in_count = 4,
     .in = {S(40, 33, 10, 10), S(40, 33, 10, 10), S(33), S(33)},
     .attr = &bn_1,
     .fill = {FILL_SIGNED, FILL_SIGNED, FILL_UNIT, FILL_POSITIVE},
     .dtype = {DH_F32, DH_F32, DH_F32, DH_F32},
     .rtol = 1e-4,
     .forward_only = true},
    {.op = "batch_norm_train",
     .in_count = 3,
     .in = {S(2, 33, 1, 31000), S(33), S(33)},
     .attr = &bn_leaky,
     .dtype = {DH_F32, DH_F32, DH_F32},
     .forward_only = true},
    {.op = "batch_norm_train",
     .in_count = 3,
     .in = {S(2, 5, 1, 201000), S(5), S(5)},
     .attr = &bn_relu,
     .dtype = {DH_F32, DH_F32, DH_F32},
     .forward_only = true},
    {.op = "batch_norm",
     .in_count = 3,
     .in = {S(5, 7), S(7), S(7)},
     .attr = &bn_1,
     .fill = {0, FILL_UNIT, FILL_POSITIVE}},
    {.op = "batch_norm",
     .in_count = 5,
     .in = {S(3, 2, 5, 3), S(2), S(2), S(2), S(2)},
     .attr = &bn_1,
     .fill = {0, 0, 0, FILL_UNIT, FILL_POSITIVE}},
    {.op = "batch_norm",
     .in_count = 5,
     .in = {S(101, 263), S(263), S(263), S(263), S(263)},
     .attr = &bn_last,
     .fill = {0, 0, 0, FILL_UNIT, FILL_POSITIVE},
     .forward_only = true},
    NORM_DX("batch_norm_dx", C(5, 7), C(7), C(7), &bn_1),
    NORM_DX("batch_norm_dx", C(3, 2, 5, 3), C(2), C(2), &bn_1),
    NORM_DX("batch_norm_dx", C(401, 300), C(300), C(300), &bn_last),
    NORM_DX("batch_norm_dx", C(7, 3, 67, 67), C(3), C(3), &bn_1),
    NORM_DX("batch_norm_frozen_dx", C(5, 7), C(7), C(7), &bn_1),
    NORM_DX("batch_norm_frozen_dx", C(3, 2, 5, 3), C(2), C(2), &bn_1),
    {.op = "running_update", .in_count = 2, .in = {S(7), S(7)}, .attr = &running},
    {.op = "running_update", .in_count = 2, .in = {S(263), S(263)}, .attr = &running_slow},
    {0}};
