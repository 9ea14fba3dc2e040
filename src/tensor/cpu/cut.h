/* SPDX-License-Identifier: MIT */
/* The arithmetic of cutting work. */
#ifndef DH_CUT_H
#define DH_CUT_H

#include <stdint.h>

static inline int64_t dh__divide_up(int64_t a, int64_t b)
{
    return a / b + (a % b != 0);
}

static inline int64_t dh__at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t dh__at_least(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Bytes up to whole lines of the cache. */
static inline int64_t dh__whole_lines(int64_t bytes)
{
    return dh__divide_up(bytes, 64) * 64;
}

#endif
