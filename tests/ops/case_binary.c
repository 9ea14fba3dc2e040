/* SPDX-License-Identifier: MIT */
/* Elementwise ops of two and three inputs: equal shapes, every kind of broadcasting, empty axes,
 * rank 0, special values, a size that crosses blocks. */
#include "case.h"

#define TWO(OP, FA, FB, A, B)                                     \
    {                                                             \
        .op = OP, .in_count = 2, .in = {A, B}, .fill = { FA, FB } \
    }
#define BIG(OP, FA, FB, A, B)                                                         \
    {                                                                                 \
        .op = OP, .in_count = 2, .in = {A, B}, .fill = {FA, FB}, .forward_only = true \
    }
#define SHAPES(OP, FA, FB)                                                                       \
    TWO(OP, FA, FB, S(7), S(7)), TWO(OP, FA, FB, S(3, 5), S(3, 5)), TWO(OP, FA, FB, S0, S0),     \
        TWO(OP, FA, FB, S(3, 5), S0), TWO(OP, FA, FB, S0, S(5)), TWO(OP, FA, FB, S(3, 5), S(5)), \
        TWO(OP, FA, FB, S(5), S(3, 5)), TWO(OP, FA, FB, S(3, 1), S(1, 7)),                       \
        TWO(OP, FA, FB, S(2, 1, 3), S(5, 1)), TWO(OP, FA, FB, S(0, 3), S(3)),                    \
        TWO(OP, FA, FB, S(1, 3), S(0, 1)), TWO(OP, FA, FB, S(2, 3, 5, 3), S(3, 1, 1)),           \
        TWO(OP, FA, FB, S(1), S(1, 1, 1)), BIG(OP, FA, FB, S(70001), S(70001)),                  \
        BIG(OP, FA, FB, S(67, 1031), S(1031)), BIG(OP, FA, FB, S(1031, 67), S(1031, 1)),         \
        BIG(OP, FA, FB, S(70001), S(1))
#define SPECIAL(OP) BIG(OP, FILL_SPECIAL, FILL_SPECIAL, S(31, 37), S(31, 37))
#define COMPARE(OP)                       \
    SHAPES(OP, FILL_SIGNED, FILL_SIGNED), \
        TWO(OP, FILL_SMALL_INT, FILL_SMALL_INT, S(11, 13), S(13)), SPECIAL(OP)

#define WHERE(D)                                                                             \
    {.op = "where",                                                                          \
     .in_count = 3,                                                                          \
     .in = {S(3, 5), S(3, 5), S(3, 5)},                                                      \
     .fill = {FILL_BOOL},                                                                    \
     .dtype = {DH_BOOL, D, D}},                                                              \
        {.op = "where",                                                                      \
         .in_count = 3,                                                                      \
         .in = {S(3, 1), S(5), S0},                                                          \
         .fill = {FILL_BOOL},                                                                \
         .dtype = {DH_BOOL, D, D}},                                                          \
        {.op = "where",                                                                      \
         .in_count = 3,                                                                      \
         .in = {S0, S(0, 5), S(5)},                                                          \
         .fill = {FILL_BOOL},                                                                \
         .dtype = {DH_BOOL, D, D}},                                                          \
        {.op = "where",                                                                      \
         .in_count = 3,                                                                      \
         .in = {S(2, 1, 3), S(1, 5, 1), S(2, 5, 3)},                                         \
         .fill = {FILL_BOOL},                                                                \
         .dtype = {DH_BOOL, D, D}},                                                          \
    {                                                                                        \
        .op = "where", .in_count = 3, .in = {S(70001), S(70001), S(1)}, .fill = {FILL_BOOL}, \
        .dtype = {DH_BOOL, D, D}, .forward_only = true                                       \
    }

/* Only f64 keeps what central differences need; to a half the gradient rounds. */
#define CAST(TO, FILL, FORWARD_ONLY)                                                         \
    {.op = "cast",                                                                           \
     .in_count = 1,                                                                          \
     .in = {S(3, 7)},                                                                        \
     .attr = &(const dh_cast_attr){TO},                                                      \
     .fill = {FILL},                                                                         \
     .forward_only = FORWARD_ONLY},                                                          \
        {.op = "cast",                                                                       \
         .in_count = 1,                                                                      \
         .in = {S(0, 3)},                                                                    \
         .attr = &(const dh_cast_attr){TO},                                                  \
         .fill = {FILL},                                                                     \
         .forward_only = true},                                                              \
        {.op = "cast",                                                                       \
         .in_count = 1,                                                                      \
         .in = {S0},                                                                         \
         .attr = &(const dh_cast_attr){TO},                                                  \
         .fill = {FILL},                                                                     \
         .forward_only = FORWARD_ONLY},                                                      \
    {                                                                                        \
        .op = "cast", .in_count = 1, .in = {S(131, 257)}, .attr = &(const dh_cast_attr){TO}, \
        .fill = {FILL}, .forward_only = true                                                 \
    }

const op_case case_binary[] = {
    SHAPES("add", FILL_SIGNED, FILL_SIGNED),
    SPECIAL("add"),
    SHAPES("sub", FILL_SIGNED, FILL_SIGNED),
    SPECIAL("sub"),
    SHAPES("mul", FILL_SIGNED, FILL_SIGNED),
    SPECIAL("mul"),
    SHAPES("div", FILL_SIGNED, FILL_ABOVE_ONE),
    TWO("div", FILL_SIGNED, FILL_POSITIVE, S(11, 13), S(13)),
    SHAPES("pow", FILL_POSITIVE, FILL_POSITIVE),
    /* any base to whole powers, and 0 to 0 and 1: the gradient of b is 0 there by convention */
    {.op = "pow",
     .in_count = 2,
     .in = {S(5, 7), S(7)},
     .fill = {FILL_SIGNED, FILL_SMALL_INT},
     .dtype = {DH_F64, DH_F64},
     .no_grad = 2},
    {.op = "pow",
     .in_count = 2,
     .in = {S(11, 7), S(11, 7)},
     .fill = {FILL_SMALL_INT, FILL_BOOL},
     .no_grad = 2},
    {.op = "pow",
     .in_count = 2,
     .in = {S(31, 37), S(31, 37)},
     .fill = {FILL_SPECIAL, FILL_SPECIAL},
     .dtype = {DH_F64, DH_F64},
     .forward_only = true},
    SHAPES("maximum", FILL_DISTINCT, FILL_SIGNED),
    BIG("maximum", FILL_SMALL_INT, FILL_SMALL_INT, S(11, 13), S(13)),
    SPECIAL("maximum"),
    SHAPES("minimum", FILL_DISTINCT, FILL_SIGNED),
    BIG("minimum", FILL_SMALL_INT, FILL_SMALL_INT, S(11, 13), S(13)),
    SPECIAL("minimum"),
    SHAPES("mod", FILL_SIGNED, FILL_ABOVE_ONE),
    TWO("mod", FILL_SIGNED, FILL_POSITIVE, S(11, 13), S(13)),
    SHAPES("remainder", FILL_SIGNED, FILL_ABOVE_ONE),
    TWO("remainder", FILL_SIGNED, FILL_POSITIVE, S(11, 13), S(13)),
    SHAPES("atan2", FILL_SIGNED, FILL_SIGNED),
    SPECIAL("atan2"),
    COMPARE("equal"),
    COMPARE("not_equal"),
    COMPARE("greater"),
    COMPARE("greater_equal"),
    COMPARE("less"),
    COMPARE("less_equal"),
    COMPARE("logical_and"),
    COMPARE("logical_or"),
    COMPARE("logical_xor"),
    WHERE(DH_F32),
    WHERE(DH_F64),
    WHERE(DH_F16),
    WHERE(DH_BF16),
    WHERE(DH_U8),
    WHERE(DH_I16),
    WHERE(DH_I32),
    WHERE(DH_I64),
    WHERE(DH_BOOL),
    CAST(DH_F64, FILL_SIGNED, false),
    CAST(DH_F32, FILL_SIGNED, true),
    CAST(DH_F16, FILL_SIGNED, true),
    CAST(DH_BF16, FILL_SIGNED, true),
    CAST(DH_I8, FILL_SIGNED, true),
    CAST(DH_I16, FILL_SIGNED, true),
    CAST(DH_I32, FILL_SIGNED, true),
    CAST(DH_I64, FILL_SIGNED, true),
    CAST(DH_U8, FILL_POSITIVE, true),
    CAST(DH_U16, FILL_POSITIVE, true),
    CAST(DH_U32, FILL_POSITIVE, true),
    CAST(DH_U64, FILL_POSITIVE, true),
    CAST(DH_BOOL, FILL_SMALL_INT, true),
#define COPY(...)                                             \
    {                                                         \
        .op = "copy", .in_count = 1, .in = { S(__VA_ARGS__) } \
    }
    COPY(7),
    COPY(3, 5),
    COPY(0, 3),
    COPY(2, 3, 1, 7),
    {.op = "detach", .in_count = 1, .in = {S0}},
    {.op = "detach", .in_count = 1, .in = {S(3, 5)}},
    {.op = "detach", .in_count = 1, .in = {S(0, 5)}},
    {.op = "detach", .in_count = 1, .in = {S(263, 271)}},
    {.op = "copy", .in_count = 1, .in = {S0}},
    {.op = "all_sum", .in_count = 1, .in = {S0}},
    {.op = "all_sum", .in_count = 1, .in = {S(5)}},
    {.op = "all_sum", .in_count = 1, .in = {S(0, 3)}},
    {.op = "all_sum", .in_count = 1, .in = {S(67, 35)}},
    {.op = "copy", .in_count = 1, .in = {S(263, 271)}, .forward_only = true},
    {.op = "copy", .in_count = 1, .in = {S(97)}, .fill = {FILL_SPECIAL}, .forward_only = true},
    {0}};
