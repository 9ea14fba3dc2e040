/* SPDX-License-Identifier: MIT */
/* Larger, smaller, whole multiples and not, one element, one to three axes; each mode and way of
 * counting coordinates. */
#include "case.h"

#define ATTRS(name, ...)                                           \
    static const dh_resize_attr name##_n0 = {{__VA_ARGS__}, 0, 0}, \
                                name##_n1 = {{__VA_ARGS__}, 0, 1}, \
                                name##_n2 = {{__VA_ARGS__}, 0, 2}, \
                                name##_l0 = {{__VA_ARGS__}, 1, 0}, \
                                name##_l1 = {{__VA_ARGS__}, 1, 1}, \
                                name##_l2 = {{__VA_ARGS__}, 1, 2};
ATTRS(line, 1, {7})
ATTRS(larger, 2, {6, 8})
ATTRS(smaller, 2, {2, 3})
ATTRS(one, 2, {1, 1})
ATTRS(volume, 3, {3, 2, 5})

#define UP(ATTR, X, Y)                                            \
    {                                                             \
        .op = "resize", .in_count = 1, .in = {S X}, .attr = &ATTR \
    }
#define DX(ATTR, X, Y)                                                                  \
    {                                                                                   \
        .op = "resize_dx", .in_count = 2, .in = {S Y, S X}, .attr = &ATTR, .no_grad = 2 \
    }
#define EACH(M, name, X, Y)                                                         \
    M(name##_n0, X, Y), M(name##_n1, X, Y), M(name##_n2, X, Y), M(name##_l0, X, Y), \
        M(name##_l1, X, Y), M(name##_l2, X, Y)
#define SHAPES(M)                                                                                 \
    EACH(M, line, (2, 3, 3), (2, 3, 7)), EACH(M, line, (1, 1, 1), (1, 1, 7)),                     \
        EACH(M, larger, (2, 1, 3, 4), (2, 1, 6, 8)), EACH(M, larger, (1, 2, 4, 3), (1, 2, 6, 8)), \
        EACH(M, smaller, (1, 2, 5, 7), (1, 2, 2, 3)), EACH(M, one, (2, 1, 3, 5), (2, 1, 1, 1)),   \
        EACH(M, volume, (1, 2, 2, 3, 4), (1, 2, 3, 2, 5))

const op_case case_resize[] = {SHAPES(UP),
                               SHAPES(DX),
                               {.op = "resize",
                                .in_count = 1,
                                .in = {S(2, 3, 3, 4)},
                                .attr = &larger_l0,
                                .fill = {FILL_SPECIAL},
                                .forward_only = true},
                               {.op = "resize",
                                .in_count = 1,
                                .in = {S(0, 3, 3, 4)},
                                .attr = &larger_l0,
                                .forward_only = true},
                               {0}};
