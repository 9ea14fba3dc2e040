/* SPDX-License-Identifier: MIT */
/* What interpose_alloc.so offers; a program finds it by dlsym. */
#ifndef INTERPOSE_ALLOC_H
#define INTERPOSE_ALLOC_H

#include <stdbool.h>

/* 1 sets the count to 0 and begins to count (and to refuse), 0 ends it. */
void interpose_mark(int on);
/* The n-th request after this fails, among those that are counted; 0: none. The environment's
 * DH_FAIL_NTH says the same at the start. */
void interpose_fail_at(unsigned long long n);
unsigned long long interpose_count(void);   /* malloc, calloc, realloc, memalign, mmap */
unsigned long long interpose_refused(void); /* since the start */

#endif
