/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include "case.h"

#define LINEAR(act, alpha)          \
    .attr = &(const dh_linear_attr) \
    {                               \
        act, alpha                  \
    }
#define TRIANGLE(k, upper)            \
    .attr = &(const dh_triangle_attr) \
    {                                 \
        k, upper                      \
    }
#define DIAG(k)                   \
    .attr = &(const dh_diag_attr) \
    {                             \
        k                         \
    }
#define F32_ONLY  .dtype = {DH_F32, DH_F32, DH_F32}, .forward_only = true
#define F64_ONLY  .dtype = {DH_F64, DH_F64, DH_F64}, .forward_only = true
#define HALF_ONLY .dtype = {DH_BF16, DH_BF16, DH_BF16}, .forward_only = true
#define WELL      .fill = {FILL_DIAGONAL}

const op_case case_matrix[] = {
    {"matmul", 2, {S(3, 5), S(5, 7)}, .attr = NULL},
    {"matmul", 2, {S(1, 1), S(1, 1)}, .attr = NULL},
    {"matmul", 2, {S(5), S(5)}, .attr = NULL},
    {"matmul", 2, {S(5), S(5, 3)}, .attr = NULL},
    {"matmul", 2, {S(3, 5), S(5)}, .attr = NULL},
    {"matmul", 2, {S(5), S(2, 5, 3)}, .attr = NULL},
    {"matmul", 2, {S(2, 3, 5), S(5)}, .attr = NULL},
    {"matmul", 2, {S(2, 3, 5), S(5, 4)}, .attr = NULL},
    {"matmul", 2, {S(3, 5), S(2, 5, 4)}, .attr = NULL},
    {"matmul", 2, {S(2, 3, 5), S(2, 5, 4)}, .attr = NULL},
    {"matmul", 2, {S(2, 1, 3, 2), S(3, 2, 3)}, .attr = NULL},
    {"matmul", 2, {S(1, 3, 2), S(4, 2, 3)}, .attr = NULL},
    {"matmul", 2, {S(0, 3), S(3, 2)}, .attr = NULL},
    {"matmul", 2, {S(2, 0), S(0, 3)}, .attr = NULL},
    {"matmul", 2, {S(2, 3), S(3, 0)}, .attr = NULL},
    {"matmul", 2, {S(0, 2, 3), S(3, 4)}, .attr = NULL},
    {"matmul", 2, {S(2, 3, 0), S(0, 4)}, .attr = NULL},
    {"matmul", 2, {S(2, 120, 8, 5), S(5, 4)}, .attr = NULL},
    {"matmul", 2, {S(129, 257), S(257, 67)}, .attr = NULL, F32_ONLY},
    {"matmul", 2, {S(67, 131), S(131, 259)}, .attr = NULL, F64_ONLY},
    {"matmul", 2, {S(31, 67), S(67, 37)}, .attr = NULL, HALF_ONLY},
    {"matmul", 2, {S(19, 17, 23), S(19, 23, 13)}, .attr = NULL, F32_ONLY},
    {"matmul", 2, {S(3, 131, 33), S(3, 33, 65)}, .attr = NULL, F32_ONLY},
    {"matmul", 2, {S(7, 41, 33), S(33, 65)}, .attr = NULL, F64_ONLY},
    {"linear", 3, {S(3, 5), S(5, 7), S(7)}, .attr = NULL},
    {"linear", 2, {S(3, 5), S(5, 7)}, .attr = NULL},
    {"linear", 3, {S(3, 5), S(5, 7), S(7)}, LINEAR(1, 0)},
    {"linear", 3, {S(3, 5), S(5, 7), S(7)}, LINEAR(2, 0.1)},
    {"linear", 3, {S(3, 15), S(15, 7), S(7)}, LINEAR(DH_ACT_RELU6, 0)},
    {"linear", 3, {S(5), S(5, 2), S(2)}, LINEAR(2, 0.25)},
    {"linear", 3, {S(2, 3, 5), S(5, 4), S(4)}, LINEAR(1, 0)},
    {"linear", 2, {S(2, 1, 3, 5), S(5, 1)}, .attr = NULL},
    {"linear", 3, {S(0, 5), S(5, 3), S(3)}, .attr = NULL},
    {"linear", 3, {S(3, 0), S(0, 2), S(2)}, .attr = NULL},
    {"linear", 3, {S(2, 3, 0), S(0, 2), S(2)}, .attr = NULL},
    {"linear", 3, {S(3, 2), S(2, 0), S(0)}, .attr = NULL},
    {"linear",
     3,
     {S(100, 784), S(784, 129), S(129)},
     LINEAR(2, 0.01),
     /* sums of 784 terms that cancel */ .atol = 2e-4,
     F32_ONLY},
    {"linear", 3, {S(37, 129), S(129, 10), S(10)}, LINEAR(1, 0), F64_ONLY},
    {"linear", 3, {S(3, 37, 29), S(29, 10), S(10)}, LINEAR(1, 0), HALF_ONLY},
    {"triangle", 1, {S(4, 4)}, TRIANGLE(0, true)},
    {"triangle", 1, {S(5, 3)}, TRIANGLE(-1, false)},
    {"triangle", 1, {S(2, 3, 5)}, TRIANGLE(2, true)},
    {"triangle", 1, {S(3, 5)}, TRIANGLE(100, true)},
    {"triangle", 1, {S(3, 5)}, TRIANGLE(100, false)},
    {"triangle", 1, {S(3, 5)}, TRIANGLE(-100, true)},
    {"triangle", 1, {S(0, 3, 2)}, TRIANGLE(0, false)},
    {"triangle", 1, {S(263, 269)}, TRIANGLE(-3, true), .forward_only = true},
    {"diag", 1, {S(3, 3)}, .attr = NULL},
    {"diag", 1, {S(3, 5)}, DIAG(2)},
    {"diag", 1, {S(2, 5)}, DIAG(3)},
    {"diag", 1, {S(5, 3)}, DIAG(-2)},
    {"diag", 1, {S(2, 4, 3)}, DIAG(-1)},
    {"diag", 1, {S(3, 3)}, DIAG(7)},
    {"diag", 1, {S(0, 2, 2)}, .attr = NULL},
    {"diag", 1, {S(301, 263)}, DIAG(1), .forward_only = true},
    {"diag_embed", 1, {S(3)}, .attr = NULL},
    {"diag_embed", 1, {S(3)}, DIAG(-2)},
    {"diag_embed", 1, {S(2, 3)}, DIAG(1)},
    {"diag_embed", 1, {S(0, 3)}, .attr = NULL},
    {"diag_embed", 2, {S(2, 3), S(2, 3, 5)}, DIAG(2)},
    {"diag_embed", 2, {S(2), S(2, 5)}, DIAG(3)},
    {"diag_embed", 1, {S(269)}, .attr = NULL, .forward_only = true},
    {"inverse", 1, {S(3, 3)}, .attr = NULL, WELL},
    {"inverse", 1, {S(1, 1)}, .attr = NULL, WELL},
    {"inverse", 1, {S(2, 3, 3)}, .attr = NULL, WELL},
    {"inverse", 1, {S(0, 3, 3)}, .attr = NULL},
    {"inverse", 1, {S(2, 0, 0)}, .attr = NULL},
    {"inverse", 1, {S(37, 5, 5)}, .attr = NULL, WELL, .forward_only = true},
    {"inverse", 1, {S(7, 7)}, .attr = NULL, WELL, .forward_only = true},
    {"det", 1, {S(3, 3)}, .attr = NULL, WELL},
    {"det", 1, {S(1, 1)}, .attr = NULL, WELL},
    {"det", 1, {S(2, 3, 3)}, .attr = NULL, WELL},
    {"det", 1, {S(0, 3, 3)}, .attr = NULL},
    {"det", 1, {S(2, 0, 0)}, .attr = NULL},
    {"det", 1, {S(37, 5, 5)}, .attr = NULL, WELL, .forward_only = true},
    {"det", 1, {S(7, 7)}, .attr = NULL, WELL, .forward_only = true},
    /* rows whose distances fill one set of the first cache; sums of 1024 terms that cancel */
    {"matmul", 2, {S(33, 1024), S(1024, 131)}, .attr = NULL, .atol = 2e-4, .forward_only = true},
    {.op = NULL}};
