/* SPDX-License-Identifier: MIT */
#include "case.h"

#define AXES(...)                                                                                \
    {                                                                                            \
        .count = (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), .v = { __VA_ARGS__ } \
    }

static const dh_reduce_attr all = {.ddof = 0}, all_keep = {.keepdims = true};
static const dh_reduce_attr axis0 = {.axes = AXES(0)}, axis1 = {.axes = AXES(1)};
static const dh_reduce_attr last = {.axes = AXES(-1)},
                            last_keep = {.axes = AXES(-1), .keepdims = true};
static const dh_reduce_attr ends = {.axes = AXES(0, -1)},
                            ends_keep = {.axes = AXES(-1, 0), .keepdims = true};
static const dh_reduce_attr unbiased = {.axes = AXES(1), .ddof = 1};
static const dh_reduce_attr unbiased_all = {.ddof = 1, .keepdims = true};

#define DX(NAME, OP, ...) static const dh_reduce_dx_attr NAME = {.op = OP, __VA_ARGS__}
DX(prod_dx, DH_OP_PROD, .axes = AXES(1));
DX(max_dx, DH_OP_MAX, .axes = AXES(0));
DX(min_dx, DH_OP_MIN, .axes = AXES(-1), .keepdims = true);
DX(var_dx, DH_OP_VAR, .axes = AXES(0, 2), .ddof = 1);
DX(norm_dx, DH_OP_NORM, .keepdims = false);

/* Every path of the fold: one element, rows, columns, both mixed, several pieces of each. */
#define SHAPES(OP, FILL)                                                                 \
    {.op = OP, .in_count = 1, .in = {S0}, .attr = &all, .fill = {FILL}},                 \
        {.op = OP, .in_count = 1, .in = {S(1)}, .attr = &last_keep, .fill = {FILL}},     \
        {.op = OP, .in_count = 1, .in = {S(37)}, .attr = &all, .fill = {FILL}},          \
        {.op = OP, .in_count = 1, .in = {S(3, 7)}, .attr = &all_keep, .fill = {FILL}},   \
        {.op = OP, .in_count = 1, .in = {S(5, 11)}, .attr = &axis0, .fill = {FILL}},     \
        {.op = OP, .in_count = 1, .in = {S(5, 11)}, .attr = &axis1, .fill = {FILL}},     \
    {                                                                                    \
        .op = OP, .in_count = 1, .in = {S(3, 5, 2, 3)}, .attr = &axis1, .fill = { FILL } \
    }

#define AXIS_PAIRS(OP, FILL)                                                                 \
    {.op = OP, .in_count = 1, .in = {S(3, 4, 5)}, .attr = &ends, .fill = {FILL}},            \
    {                                                                                        \
        .op = OP, .in_count = 1, .in = {S(2, 3, 2, 5)}, .attr = &ends_keep, .fill = { FILL } \
    }

#define LARGE(OP, FILL)                                                               \
    {.op = OP,                                                                        \
     .in_count = 1,                                                                   \
     .in = {S(70001)},                                                                \
     .attr = &all,                                                                    \
     .fill = {FILL},                                                                  \
     .forward_only = true},                                                           \
        {.op = OP,                                                                    \
         .in_count = 1,                                                               \
         .in = {S(3, 35003)},                                                         \
         .attr = &last,                                                               \
         .fill = {FILL},                                                              \
         .forward_only = true},                                                       \
        {.op = OP,                                                                    \
         .in_count = 1,                                                               \
         .in = {S(2503, 13)},                                                         \
         .attr = &axis0,                                                              \
         .fill = {FILL},                                                              \
         .forward_only = true},                                                       \
    {                                                                                 \
        .op = OP, .in_count = 1, .in = {S(131, 263)}, .attr = &axis0, .fill = {FILL}, \
        .forward_only = true                                                          \
    }

#define EMPTY(OP)                                                                      \
    {.op = OP, .in_count = 1, .in = {S(0, 3)}, .attr = &axis0, .forward_only = true},  \
    {                                                                                  \
        .op = OP, .in_count = 1, .in = {S(0, 3)}, .attr = &axis1, .forward_only = true \
    }

#define SPECIAL(OP)                                                                        \
    {.op = OP,                                                                             \
     .in_count = 1,                                                                        \
     .in = {S(7, 13)},                                                                     \
     .attr = &axis1,                                                                       \
     .fill = {FILL_SPECIAL},                                                               \
     .forward_only = true},                                                                \
    {                                                                                      \
        .op = OP, .in_count = 1, .in = {S(7, 13)}, .attr = &axis0, .fill = {FILL_SPECIAL}, \
        .forward_only = true                                                               \
    }

#define TIES(OP)                                                                                \
    {.op = OP,                                                                                  \
     .in_count = 1,                                                                             \
     .in = {S(5, 23)},                                                                          \
     .attr = &axis1,                                                                            \
     .fill = {FILL_SMALL_INT},                                                                  \
     .forward_only = true},                                                                     \
    {                                                                                           \
        .op = OP, .in_count = 1, .in = {S(23, 3, 2)}, .attr = &axis0, .fill = {FILL_SMALL_INT}, \
        .forward_only = true                                                                    \
    }

const op_case case_reduce[] = {
    SHAPES("sum", FILL_SIGNED),
    AXIS_PAIRS("sum", FILL_SIGNED),
    LARGE("sum", FILL_SIGNED),
    EMPTY("sum"),
    SPECIAL("sum"),
    SHAPES("mean", FILL_SIGNED),
    AXIS_PAIRS("mean", FILL_SIGNED),
    LARGE("mean", FILL_SIGNED),
    EMPTY("mean"),
    SHAPES("prod", FILL_SIGNED),
    AXIS_PAIRS("prod", FILL_SIGNED),
    EMPTY("prod"),
    TIES("prod"),
    SHAPES("max", FILL_DISTINCT),
    AXIS_PAIRS("max", FILL_DISTINCT),
    LARGE("max", FILL_SIGNED),
    SPECIAL("max"),
    TIES("max"),
    SHAPES("min", FILL_DISTINCT),
    AXIS_PAIRS("min", FILL_DISTINCT),
    LARGE("min", FILL_SIGNED),
    SPECIAL("min"),
    TIES("min"),
    SHAPES("argmax", FILL_DISTINCT),
    LARGE("argmax", FILL_SMALL_INT),
    SPECIAL("argmax"),
    TIES("argmax"),
    SHAPES("argmin", FILL_DISTINCT),
    LARGE("argmin", FILL_SMALL_INT),
    SPECIAL("argmin"),
    TIES("argmin"),
    {.op = "var", .in_count = 1, .in = {S0}, .attr = &all},
    {.op = "var", .in_count = 1, .in = {S(37)}, .attr = &all},
    {.op = "var", .in_count = 1, .in = {S(3, 7)}, .attr = &unbiased_all},
    {.op = "var", .in_count = 1, .in = {S(3, 11, 2)}, .attr = &unbiased},
    AXIS_PAIRS("var", FILL_SIGNED),
    LARGE("var", FILL_SIGNED),
    {.op = "norm", .in_count = 1, .in = {S(37)}, .attr = &all},
    {.op = "norm", .in_count = 1, .in = {S(5, 11)}, .attr = &axis0},
    {.op = "norm", .in_count = 1, .in = {S(5, 11)}, .attr = &last_keep},
    AXIS_PAIRS("norm", FILL_SIGNED),
    LARGE("norm", FILL_SIGNED),
    EMPTY("norm"),
    SHAPES("any", FILL_BOOL),
    LARGE("any", FILL_BOOL),
    EMPTY("any"),
    SPECIAL("any"),
    SHAPES("all", FILL_BOOL),
    LARGE("all", FILL_BOOL),
    EMPTY("all"),
    SPECIAL("all"),
    {.op = "sum_to", .in_count = 2, .in = {S0, S0}},
    {.op = "sum_to", .in_count = 2, .in = {S(5, 7), S(7)}},
    {.op = "sum_to", .in_count = 2, .in = {S(5, 7), S(5, 1)}},
    {.op = "sum_to", .in_count = 2, .in = {S(5, 7), S0}},
    {.op = "sum_to", .in_count = 2, .in = {S(2, 3, 4, 5), S(3, 1, 5)}},
    {.op = "sum_to", .in_count = 2, .in = {S(3, 4), S(3, 4)}},
    {.op = "sum_to", .in_count = 2, .in = {S(1, 3), S(1, 1)}},
    {.op = "sum_to", .in_count = 2, .in = {S(2503, 17), S(17)}, .forward_only = true},
    {.op = "sum_to", .in_count = 2, .in = {S(70001), S(1)}, .forward_only = true},
    {.op = "sum_to", .in_count = 2, .in = {S(0, 3), S(3)}, .forward_only = true},
    {.op = "mean_dx", .in_count = 2, .in = {S(5), S(5, 11)}, .attr = &axis1},
    {.op = "mean_dx", .in_count = 2, .in = {S(1, 4, 1), S(3, 4, 5)}, .attr = &ends_keep},
    {.op = "mean_dx", .in_count = 2, .in = {S0, S(37)}, .attr = &all},
    {.op = "mean_dx",
     .in_count = 2,
     .in = {S(7), S(10007, 7)},
     .attr = &axis0,
     .forward_only = true},
    {.op = "reduce_dx", .in_count = 3, .in = {S(3, 2), S(3, 5, 2), S(3, 2)}, .attr = &prod_dx},
    {.op = "reduce_dx",
     .in_count = 3,
     .in = {S(7), S(7, 5), S(7)},
     .attr = &prod_dx,
     .fill = {FILL_SIGNED, FILL_SMALL_INT, FILL_SIGNED}},
    {.op = "reduce_dx",
     .in_count = 3,
     .in = {S(11), S(9, 11), S(11)},
     .attr = &max_dx,
     .fill = {FILL_SIGNED, FILL_SMALL_INT, FILL_SMALL_INT}},
    {.op = "reduce_dx",
     .in_count = 3,
     .in = {S(9, 1), S(9, 11), S(9, 1)},
     .attr = &min_dx,
     .fill = {FILL_SIGNED, FILL_SMALL_INT, FILL_SMALL_INT}},
    {.op = "reduce_dx", .in_count = 3, .in = {S(5), S(3, 5, 7), S(5)}, .attr = &var_dx},
    {.op = "reduce_dx", .in_count = 3, .in = {S0, S(3, 41), S0}, .attr = &norm_dx},
    {0}};
