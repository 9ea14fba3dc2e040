/* SPDX-License-Identifier: MIT */
/* Windows that slide over images whose channels are last, each channel by itself: depthwise
 * convolution and maximum pooling. */
#ifndef DH_LAST_WINDOWS_H
#define DH_LAST_WINDOWS_H

#include "last_kernels.h"
#include "windows.h"

/* Why x and y are not taken, or NULL. f32 or f64, of one dtype. */
const char *dh__last_refuse(const dh__windows *w, const dh_view *x, const dh_view *y);

/* fn for all runs of positions of y; of `like` what is not a run's own is taken: weights, bias and
 * activation. With weights there is a row of zeros behind the window's. */
void dh__last_windows(const dh__windows *w, const dh_view *x, const dh_view *y, dh__last_fn fn,
                      const dh__last_run *like);

#endif
