/* SPDX-License-Identifier: MIT */
#include "case.h"

static const dh_cast_attr to_f32 = {DH_F32}, to_f64 = {DH_F64}, to_f16 = {DH_F16}, to_i32 = {DH_I32},
                          to_u8 = {DH_U8}, to_bool = {DH_BOOL}, to_i64 = {DH_I64};

/* Same shape, a number, rows, columns, both spread, rank 0, an empty axis, several blocks. */
#define PAIRS(OP, FA, FB, D)                                                                       \
    {.op = OP, .in_count = 2, .in = {S(3, 7), S(3, 7)}, .fill = {FA, FB}, .dtype = {D, D}},        \
    {.op = OP, .in_count = 2, .in = {S(3, 7), S0}, .fill = {FA, FB}, .dtype = {D, D}},             \
    {.op = OP, .in_count = 2, .in = {S(7), S(3, 7)}, .fill = {FA, FB}, .dtype = {D, D}},           \
    {.op = OP, .in_count = 2, .in = {S(5, 1), S(5, 3)}, .fill = {FA, FB}, .dtype = {D, D}},        \
    {.op = OP, .in_count = 2, .in = {S(5, 1, 2), S(3, 1)}, .fill = {FA, FB}, .dtype = {D, D}},     \
    {.op = OP, .in_count = 2, .in = {S0, S0}, .fill = {FA, FB}, .dtype = {D, D}},                  \
    {.op = OP, .in_count = 2, .in = {S(0, 3), S(3)}, .fill = {FA, FB}, .dtype = {D, D}},           \
    {.op = OP, .in_count = 2, .in = {S(70001), S(70001)}, .fill = {FA, FB}, .dtype = {D, D},       \
     .forward_only = true},                                                                        \
    {.op = OP, .in_count = 2, .in = {S(263, 301), S(301)}, .fill = {FA, FB}, .dtype = {D, D},      \
     .forward_only = true}
#define FLOATS(OP, FA, FB)                                                                         \
    PAIRS(OP, FA, FB, DH_F32), PAIRS(OP, FA, FB, DH_F64),                                          \
    {.op = OP, .in_count = 2, .in = {S(4, 5), S(5)}, .fill = {FA, FB}, .dtype = {DH_F16, DH_F16}}, \
    {.op = OP, .in_count = 2, .in = {S(4, 5), S(5)}, .fill = {FA, FB}, .dtype = {DH_BF16, DH_BF16}}
/* Small numbers that every dtype holds, results too. */
#define SMALL(OP)                                                                                  \
    {.op = OP, .in_count = 2, .in = {S(5, 9), S(9)}, .fill = {FILL_INDEX, FILL_INDEX}, .bound = 5, \
     .forward_only = true}
#define SPECIAL(OP)                                                                                \
    {.op = OP, .in_count = 2, .in = {S(41), S(41)}, .fill = {FILL_SPECIAL, FILL_SIGNED},           \
     .dtype = {DH_F32, DH_F32}, .forward_only = true},                                             \
    {.op = OP, .in_count = 2, .in = {S(41), S(41)}, .fill = {FILL_SIGNED, FILL_SPECIAL},           \
     .dtype = {DH_F64, DH_F64}, .forward_only = true}
#define COMPARE(OP)                                                                                \
    SMALL(OP), SPECIAL(OP),                                                                        \
    {.op = OP, .in_count = 2, .in = {S(3, 1, 7), S(5, 1)},                                         \
     .fill = {FILL_SMALL_INT, FILL_SMALL_INT}, .dtype = {DH_F32, DH_F32}},                         \
    {.op = OP, .in_count = 2, .in = {S(6, 7), S(6, 7)}, .fill = {FILL_BOOL, FILL_BOOL}}
#define WHERE(SC, SA, SB)                                                                          \
    {.op = "where", .in_count = 3, .in = {SC, SA, SB}, .fill = {FILL_BOOL},                        \
     .dtype = {DH_BOOL, DH_F32, DH_F32}, .no_grad = 1}
#define CAST(ATTR, FILL, D)                                                                        \
    {.op = "cast", .in_count = 1, .in = {S(5, 7)}, .attr = ATTR, .fill = {FILL}, .dtype = {D}}

const op_case case_binary[] = {
    FLOATS("add", FILL_SIGNED, FILL_SIGNED),
    SMALL("add"),
    SPECIAL("add"),
    FLOATS("sub", FILL_SIGNED, FILL_SIGNED),
    SPECIAL("sub"),
    FLOATS("mul", FILL_SIGNED, FILL_SIGNED),
    SMALL("mul"),
    FLOATS("div", FILL_SIGNED, FILL_SIGNED),
    SPECIAL("div"),
    FLOATS("pow", FILL_POSITIVE, FILL_SIGNED),
    FLOATS("maximum", FILL_DISTINCT, FILL_SIGNED),
    SMALL("maximum"),
    SPECIAL("maximum"),
    FLOATS("minimum", FILL_DISTINCT, FILL_SIGNED),
    SMALL("minimum"),
    SPECIAL("minimum"),
    PAIRS("mod", FILL_UNIT, FILL_ABOVE_ONE, DH_F32),
    PAIRS("mod", FILL_ABOVE_ONE, FILL_UNIT, DH_F64),
    PAIRS("remainder", FILL_UNIT, FILL_ABOVE_ONE, DH_F64),
    FLOATS("atan2", FILL_SIGNED, FILL_SIGNED),
    COMPARE("equal"),
    COMPARE("not_equal"),
    COMPARE("greater"),
    COMPARE("greater_equal"),
    COMPARE("less"),
    COMPARE("less_equal"),
    COMPARE("logical_and"),
    COMPARE("logical_or"),
    COMPARE("logical_xor"),
    WHERE(S(3, 7), S(3, 7), S(3, 7)),
    WHERE(S(7), S(3, 1), S0),
    WHERE(S0, S(2, 5), S(5)),
    WHERE(S(0, 3), S(3), S(0, 3)),
    WHERE(S(70001), S(70001), S(1)),
    {.op = "where", .in_count = 3, .in = {S(5), S(5), S(5)}, .fill = {FILL_BOOL, FILL_INDEX, FILL_INDEX},
     .bound = 9, .dtype = {DH_BOOL, DH_U8, DH_U8}, .no_grad = 1},
    CAST(&to_f32, FILL_SIGNED, DH_F64),
    CAST(&to_f64, FILL_SIGNED, DH_F32),
    {.op = "cast", .in_count = 1, .in = {S(5, 7)}, .attr = &to_f16, .fill = {FILL_SMALL_INT},
     .dtype = {DH_F32}, .forward_only = true},
    CAST(&to_f32, FILL_SIGNED, DH_BF16),
    CAST(&to_i32, FILL_SIGNED, DH_F32),
    CAST(&to_u8, FILL_POSITIVE, DH_F64),
    CAST(&to_bool, FILL_SMALL_INT, DH_I32),
    CAST(&to_i64, FILL_SMALL_INT, DH_I8),
    CAST(&to_f32, FILL_INDEX, DH_U8),
    {.op = "copy", .in_count = 1, .in = {S(5, 7)}, .fill = {FILL_SMALL_INT}},
    {.op = "copy", .in_count = 1, .in = {S(70001)}, .dtype = {DH_F32}},
    {.op = "copy", .in_count = 1, .in = {S0}, .dtype = {DH_F32}},
    {0}};
