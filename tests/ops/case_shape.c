/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include "case.h"

#define INTS(...)                                                  \
    {                                                              \
        (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), \
        {                                                          \
            __VA_ARGS__                                            \
        }                                                          \
    }
#define RESHAPE(...)                 \
    .attr = &(const dh_reshape_attr) \
    {                                \
        INTS(__VA_ARGS__)            \
    }
#define PERMUTE(...)                 \
    .attr = &(const dh_permute_attr) \
    {                                \
        INTS(__VA_ARGS__)            \
    }
#define TILE(...)                 \
    .attr = &(const dh_tile_attr) \
    {                             \
        INTS(__VA_ARGS__)         \
    }
#define PAD(v, ...)              \
    .attr = &(const dh_pad_attr) \
    {                            \
        INTS(__VA_ARGS__), v     \
    }
#define AXIS(a)                   \
    .attr = &(const dh_axis_attr) \
    {                             \
        a                         \
    }
#define SPLIT(a, i)                \
    .attr = &(const dh_split_attr) \
    {                              \
        a, i                       \
    }
#define REDUCED(...)                \
    .attr = &(const dh_reduce_attr) \
    {                               \
        INTS(__VA_ARGS__), false, 0 \
    }
#define END INT64_MAX
#define ONE_AXIS(first, end, by)   \
    .attr = &(const dh_slice_attr) \
    {                              \
        1, {first}, {end}, {by},   \
        {                          \
            false                  \
        }                          \
    }

static const dh_slice_attr middle = {2, {1, -4}, {-1, END}, {1, 2}, {false}};
static const dh_slice_attr backward = {3, {END, 4, -1}, {END, 0, -100}, {-1, -2, -3}, {false}};
static const dh_slice_attr dropped = {3, {-1, END, 0}, {0, END, 0}, {1, 1, 1}, {true, false, true}};
static const dh_slice_attr beyond = {2, {-100, 5}, {100, 100}, {3, 1}, {false}};
static const dh_slice_attr nothing = {2, {3, END}, {1, END}, {1, 1}, {false}};
static const dh_slice_attr tail_whole = {1, {2}, {6}, {3}, {false}};

static const dh_reduce_attr no_axes = {{0}, false, 0};

const op_case case_shape_ops[] = {
    {"reshape", 1, {S(2, 3, 7)}, RESHAPE(6, 7)},
    {"reshape", 1, {S(2, 3, 7)}, RESHAPE(-1)},
    {"reshape", 1, {S(2, 3, 7)}, RESHAPE(0, -1)},
    {"reshape", 1, {S(2, 3, 7)}, RESHAPE(7, 1, -1, 2)},
    {"reshape", 1, {S(0, 3, 7)}, RESHAPE(0, -1)},
    {"reshape", 1, {S(0, 3, 7)}, RESHAPE(-1, 7)},
    {"reshape", 1, {S(1)}, .attr = &(const dh_reshape_attr){{0}}},
    {"reshape", 1, {S0}, RESHAPE(1, -1, 1)},
    {"reshape", 1, {S(70001)}, RESHAPE(1, 70001), .forward_only = true},
    {"reshape", 1, {S(129, 257)}, RESHAPE(257, 129), .forward_only = true},
    {"reshape_like", 2, {S(2, 3, 7), S(7, 6)}, .attr = NULL},
    {"reshape_like", 2, {S(5), S(1, 5, 1)}, .attr = NULL},
    {"reshape_like", 2, {S0, S(1, 1)}, .attr = NULL},
    {"reshape_like", 2, {S(0, 3), S(5, 0)}, .attr = NULL},
    {"permute", 1, {S(2, 3, 7)}, PERMUTE(2, 0, 1)},
    {"permute", 1, {S(2, 3, 7)}, PERMUTE(-1, -2, -3)},
    {"permute", 1, {S(5, 1, 3, 2)}, PERMUTE(0, 2, 3, 1)},
    {"permute", 1, {S0}, .attr = &(const dh_permute_attr){{0}}},
    {"permute", 1, {S(0, 3)}, PERMUTE(1, 0)},
    {"permute", 1, {S(263, 271)}, PERMUTE(1, 0), .forward_only = true},
    {"expand_like", 2, {S(3, 1), S(3, 3)}, .attr = NULL},
    {"expand_like", 2, {S(7), S(2, 3, 7)}, .attr = NULL},
    {"expand_like", 2, {S0, S(2, 3)}, .attr = NULL},
    {"expand_like", 2, {S(1, 3, 1), S(2, 3, 5)}, .attr = NULL},
    {"expand_like", 2, {S(1, 3), S(0, 3)}, .attr = NULL},
    {"expand_like", 2, {S(2, 7), S(2, 3, 7)}, REDUCED(1)},
    {"expand_like", 2, {S(3), S(2, 3, 7)}, REDUCED(-1, 0)},
    {"expand_like", 2, {S(1), S(2, 3, 7)}, REDUCED(2, 0)},
    {"expand_like", 2, {S0, S(2, 3, 7)}, .attr = &no_axes},
    {"expand_like", 2, {S(257), S(257, 301)}, REDUCED(1), .forward_only = true},
    {"slice", 1, {S(5, 7)}, .attr = &middle},
    {"slice", 1, {S(3, 7, 5)}, .attr = &backward},
    {"slice", 1, {S(3, 7, 5)}, .attr = &dropped},
    {"slice", 1, {S(7, 8)}, .attr = &beyond},
    {"slice", 1, {S(5, 3)}, .attr = &nothing},
    {"slice", 1, {S(7, 2, 3)}, .attr = &tail_whole},
    {"slice", 1, {S(7)}, ONE_AXIS(0, -1, 7)},
    {"slice", 1, {S(0, 3)}, ONE_AXIS(END, END, -1)},
    {"slice", 1, {S0}, .attr = &(const dh_slice_attr){0}},
    {"slice", 1, {S(3001, 25)}, ONE_AXIS(-1, 1, -2), .forward_only = true},
    {"slice_dx", 2, {S(3, 2), S(5, 7)}, .attr = &middle},
    {"slice_dx", 2, {S(3, 2, 2), S(3, 7, 5)}, .attr = &backward},
    {"slice_dx", 2, {S(7), S(3, 7, 5)}, .attr = &dropped},
    {"slice_dx", 2, {S(0, 3), S(5, 3)}, .attr = &nothing},
    {"slice_dx", 2, {S0, S0}, .attr = &(const dh_slice_attr){0}},
    {"slice_dx", 2, {S(1500, 25), S(3001, 25)}, ONE_AXIS(-1, 1, -2), .forward_only = true},
    {"concat", 1, {S(3, 5)}, AXIS(1)},
    {"concat", 2, {S(2, 3), S(2, 5)}, AXIS(-1)},
    {"concat", 3, {S(1, 3, 2), S(5, 3, 2), S(2, 3, 2)}, AXIS(0)},
    {"concat", 3, {S(2, 1, 3), S(2, 0, 3), S(2, 4, 3)}, AXIS(1)},
    {"concat", 2, {S(0, 3), S(0, 2)}, AXIS(1)},
    {"concat", 2, {S(129, 301), S(128, 301)}, AXIS(0), .forward_only = true},
    {"split_like", 2, {S(3, 5), S(3, 5)}, SPLIT(1, 0)},
    {"split_like", 3, {S(2, 8), S(2, 3), S(2, 5)}, SPLIT(-1, 1)},
    {"split_like", 4, {S(8, 3), S(1, 3), S(5, 3), S(2, 3)}, SPLIT(0, 1)},
    {"split_like", 4, {S(8, 3), S(1, 3), S(7, 3), S(0, 3)}, SPLIT(0, 2)},
    {"split_like", 3, {S(257, 301), S(129, 301), S(128, 301)}, SPLIT(0, 1), .forward_only = true},
    {"pad", 1, {S(3, 5)}, PAD(0, 1, 0, 0, 2)},
    {"pad", 1, {S(2, 3, 2)}, PAD(1, 0, 3, 1, 2, 1, 0)},
    {"pad", 1, {S(5)}, PAD(1, 0, 0)},
    {"pad", 1, {S(0, 2)}, PAD(1, 1, 1, 1, 0)},
    {"pad", 1, {S0}, .attr = &(const dh_pad_attr){{0}, 1}},
    {"pad", 1, {S(3)}, PAD(-2.5, 2, 1), .dtype = {DH_F32}},
    {"pad", 1, {S(251, 263)}, PAD(1, 3, 5, 7, 11), .forward_only = true},
    {"pad_dx", 1, {S(4, 7)}, PAD(0, 1, 0, 0, 2)},
    {"pad_dx", 1, {S(4, 7, 3)}, PAD(1, 0, 3, 1, 2, 1, 0)},
    {"pad_dx", 1, {S(3, 2)}, PAD(0, 1, 0, 2, 1)},
    {"pad_dx", 1, {S0}, .attr = &(const dh_pad_attr){{0}, 1}},
    {"pad_dx", 1, {S(261, 279)}, PAD(0, 3, 5, 7, 11), .forward_only = true},
    {"tile", 1, {S(2, 3)}, TILE(3, 2)},
    {"tile", 1, {S(2, 1, 3)}, TILE(1, 5, 1)},
    {"tile", 1, {S(7)}, TILE(1)},
    {"tile", 1, {S(2, 3)}, TILE(0, 2)},
    {"tile", 1, {S(0, 3)}, TILE(2, 2)},
    {"tile", 1, {S0}, .attr = &(const dh_tile_attr){{0}}},
    {"tile", 1, {S(17, 131)}, TILE(7, 5), .forward_only = true},
    {"tile_dx", 2, {S(6, 6), S(2, 3)}, TILE(3, 2)},
    {"tile_dx", 2, {S(2, 5, 3), S(2, 1, 3)}, TILE(1, 5, 1)},
    {"tile_dx", 2, {S(0, 6), S(2, 3)}, TILE(0, 2)},
    {"tile_dx", 2, {S(0, 6), S(0, 3)}, TILE(2, 2)},
    {"tile_dx", 2, {S0, S0}, .attr = &(const dh_tile_attr){{0}}},
    {"tile_dx", 2, {S(6, 774), S(3, 129)}, TILE(2, 6), .dtype = {DH_F32}, .forward_only = true},
    {"tile_dx", 2, {S(119, 655), S(17, 131)}, TILE(7, 5), .dtype = {DH_F64}, .forward_only = true},
    {"fill_like", 1, {S(2, 3)}, .attr = &(const dh_fill_attr){1}},
    {"fill_like", 1, {S0}, .attr = NULL},
    {"fill_like", 1, {S(0, 3)}, .attr = &(const dh_fill_attr){1}},
    {"fill_like", 1, {S(5)}, .attr = &(const dh_fill_attr){-2.5}, .dtype = {DH_F32}},
    {"fill_like", 1, {S(70001)}, .attr = &(const dh_fill_attr){1}},
    {.op = NULL}};
