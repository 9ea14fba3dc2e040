/* SPDX-License-Identifier: MIT */
/* Elementwise iteration over strided operands: axes are ordered and merged, the work is cut into
 * rows by shape alone and given to the team. */
#ifndef DH_ITERATE_H
#define DH_ITERATE_H

#include "tensor_impl.h"

#define DH_ITERATE_MAX 6

/* n elements of each operand; data[i] + k * stride[i] bytes is the k-th of operand i. Operand 0 is
 * the output. Called from several threads at once. */
typedef void (*dh__row_fn)(void *context, char *const *data, const ptrdiff_t *stride, int64_t n);

/* All views have been broadcast to one shape (dh__view_broadcast). An output may share memory with
 * an input only element for element. cost: rough nanoseconds an element, decides the grain. */
void dh__iterate(int count, const dh_view *const *views, dh__row_fn row, void *context, int cost);

#endif
