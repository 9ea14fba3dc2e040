/* SPDX-License-Identifier: MIT */
#ifndef DH_FMA_PEAK_H
#define DH_FMA_PEAK_H

/* FLOP/s of multiply-adds in f32 on registers alone, by as many threads as the caller has, with the
 * instruction set in use: the median of `tries` runs of some tenths of a millisecond, and the best
 * of them where it is asked for. 0 where memory lacks. */
double dh__fma_peak(int tries, double *best);

#endif
