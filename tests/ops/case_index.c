/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include "case.h"

#define AXIS(a)                   \
    .attr = &(const dh_axis_attr) \
    {                             \
        a                         \
    }
#define SORT(a, d)                \
    .attr = &(const dh_sort_attr) \
    {                             \
        a, d                      \
    }
#define TOPK(a, k, s)             \
    .attr = &(const dh_topk_attr) \
    {                             \
        a, k, s                   \
    }
#define ONE_HOT(n, d)                \
    .attr = &(const dh_one_hot_attr) \
    {                                \
        n, 1, 0, d                   \
    }
#define BY_I64     .dtype = {DH_DTYPE_DEFAULT, DH_I64}, .no_grad = 2
#define BY_I32     .dtype = {DH_DTYPE_DEFAULT, DH_I32}, .no_grad = 2
#define F32_BY_I64 .dtype = {DH_F32, DH_I64, DH_F32}, .no_grad = 2, .forward_only = true
#define INDEXED(n) .fill = {FILL_SIGNED, FILL_INDEX, FILL_SIGNED}, .bound = (n)
#define FILLED(f)  .fill = {f}

const op_case case_index[] = {
    {"gather", 2, {S(3, 5), S(3, 2)}, AXIS(1), INDEXED(5), BY_I64},
    {"gather", 2, {S(3, 5), S(7, 5)}, AXIS(0), INDEXED(3), BY_I32},
    {"gather", 2, {S(2, 3, 5), S(2, 4, 3)}, AXIS(-2), INDEXED(3), BY_I64},
    {"gather", 2, {S(2, 3, 5), S(1, 3, 9)}, AXIS(2), INDEXED(5), BY_I64},
    {"gather", 2, {S(7), S(11)}, AXIS(0), INDEXED(7), BY_I64},
    {"gather", 2, {S(3, 5), S(0, 2)}, AXIS(1), INDEXED(5), BY_I64},
    {"gather", 2, {S(13, 301), S(271, 301)}, AXIS(0), INDEXED(13), F32_BY_I64},
    {"gather", 2, {S(271, 17), S(271, 259)}, AXIS(1), INDEXED(17), F32_BY_I64},
    {"take", 2, {S(5, 3), S(7)}, AXIS(0), INDEXED(5), BY_I64},
    {"take", 2, {S(2, 5, 3), S(2, 2)}, AXIS(1), INDEXED(5), BY_I64},
    {"take", 2, {S(2, 5), S(1, 3)}, AXIS(-1), INDEXED(5), BY_I32},
    {"take", 2, {S(2, 5), S0}, AXIS(1), INDEXED(5), BY_I64},
    {"take", 2, {S(5, 3), S(0)}, AXIS(0), INDEXED(5), BY_I64},
    {"take", 2, {S(0, 3), S(4)}, AXIS(1), INDEXED(3), BY_I64},
    {"take", 2, {S(101, 67), S(1047)}, AXIS(0), INDEXED(101), F32_BY_I64},
    {"take_dx", 3, {S(7, 3), S(7), S(5, 3)}, AXIS(0), INDEXED(5), BY_I64},
    {"take_dx", 3, {S(2, 2, 2, 3), S(2, 2), S(2, 5, 3)}, AXIS(1), INDEXED(5), BY_I32},
    {"take_dx", 3, {S(2), S0, S(2, 5)}, AXIS(-1), INDEXED(5), BY_I64},
    {"take_dx", 3, {S(0, 3), S(0), S(5, 3)}, AXIS(0), INDEXED(5), BY_I64},
    {"take_dx", 3, {S(1047, 67), S(1047), S(101, 67)}, AXIS(0), INDEXED(101), F32_BY_I64},
    {"scatter", 3, {S(3, 5), S(3, 1), S(3, 1)}, AXIS(1), INDEXED(5), BY_I64},
    {"scatter", 3, {S(3, 5), S(1, 4), S(1, 4)}, AXIS(0), INDEXED(3), BY_I32},
    {"scatter", 3, {S(2, 3, 5), S(2, 1, 5), S(2, 1, 5)}, AXIS(-2), INDEXED(3), BY_I64},
    {"scatter", 3, {S(5), S(0), S(0)}, AXIS(0), INDEXED(5), BY_I64},
    {"scatter", 3, {S(3, 5), S(9, 5), S(9, 5)}, AXIS(0), INDEXED(3), BY_I64, .forward_only = true},
    {"scatter", 3, {S(13, 301), S(271, 301), S(271, 301)}, AXIS(0), INDEXED(13), F32_BY_I64},
    {"scatter_add", 3, {S(3, 5), S(3, 8), S(3, 8)}, AXIS(1), INDEXED(5), BY_I64},
    {"scatter_add", 3, {S(3, 5), S(7, 4), S(7, 4)}, AXIS(0), INDEXED(3), BY_I32},
    {"scatter_add", 3, {S(2, 3, 5), S(1, 4, 5), S(1, 4, 5)}, AXIS(-2), INDEXED(3), BY_I64},
    {"scatter_add", 3, {S(5), S(11), S(11)}, AXIS(0), INDEXED(5), BY_I64},
    {"scatter_add", 3, {S(5, 0), S(2, 0), S(2, 0)}, AXIS(0), INDEXED(5), BY_I64},
    {"scatter_add", 3, {S(13, 301), S(271, 301), S(271, 301)}, AXIS(0), INDEXED(13), F32_BY_I64},
    {"scatter_add", 3, {S(271, 17), S(271, 259), S(271, 259)}, AXIS(1), INDEXED(17), F32_BY_I64},
    {"sort", 1, {S(7)}, .attr = NULL, FILLED(FILL_DISTINCT)},
    {"sort", 1, {S(3, 5)}, SORT(-1, true), FILLED(FILL_DISTINCT)},
    {"sort", 1, {S(2, 7, 3)}, SORT(1, false), FILLED(FILL_DISTINCT)},
    {"sort", 1, {S(37, 2)}, SORT(0, true), FILLED(FILL_DISTINCT)},
    {"sort", 1, {S(1)}, SORT(0, false), FILLED(FILL_DISTINCT)},
    {"sort", 1, {S(0, 3)}, SORT(1, false)},
    {"sort", 1, {S(3, 0)}, SORT(1, false)},
    {"sort", 1, {S(3, 41)}, SORT(1, false), FILLED(FILL_SMALL_INT), .forward_only = true},
    {"sort", 1, {S(3, 41)}, SORT(1, true), FILLED(FILL_SMALL_INT), .forward_only = true},
    {"sort",
     1,
     {S(2, 29)},
     SORT(1, false),
     FILLED(FILL_SPECIAL),
     .dtype = {DH_F32},
     .forward_only = true},
    {"sort",
     1,
     {S(2, 61)},
     SORT(1, true),
     FILLED(FILL_SPECIAL),
     .dtype = {DH_F64},
     .forward_only = true},
    {"sort", 1, {S(3, 1501)}, SORT(1, false), .forward_only = true},
    {"sort", 1, {S(31, 67)}, SORT(0, false), .forward_only = true},
    {"topk", 1, {S(7)}, TOPK(-1, 3, false), FILLED(FILL_DISTINCT)},
    {"topk", 1, {S(3, 5)}, TOPK(1, 5, true), FILLED(FILL_DISTINCT)},
    {"topk", 1, {S(2, 7, 3)}, TOPK(-2, 2, false), FILLED(FILL_DISTINCT)},
    {"topk", 1, {S(3, 5)}, TOPK(0, 0, false), FILLED(FILL_DISTINCT)},
    {"topk", 1, {S(0, 5)}, TOPK(1, 2, false)},
    {"topk", 1, {S(3, 41)}, TOPK(1, 7, false), FILLED(FILL_SMALL_INT), .forward_only = true},
    {"topk",
     1,
     {S(2, 29)},
     TOPK(1, 9, false),
     FILLED(FILL_SPECIAL),
     .dtype = {DH_F32},
     .forward_only = true},
    {"topk", 1, {S(3, 1501)}, TOPK(1, 5, true), .forward_only = true},
    {"one_hot", 1, {S(3, 5)}, ONE_HOT(7, DH_F32), FILLED(FILL_INDEX), .bound = 7},
    {"one_hot", 1, {S0}, ONE_HOT(3, DH_I64), FILLED(FILL_INDEX), .bound = 3},
    {"one_hot", 1, {S(0)}, ONE_HOT(3, DH_U8), FILLED(FILL_INDEX), .bound = 3},
    {"one_hot",
     1,
     {S(5)},
     .attr = &(const dh_one_hot_attr){4, 0.75, 0.25, DH_F16},
     FILLED(FILL_INDEX),
     .bound = 4},
    {"one_hot", 1, {S(7001)}, ONE_HOT(10, DH_BOOL), FILLED(FILL_INDEX), .bound = 10},
    {.op = NULL}};
