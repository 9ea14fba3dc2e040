/* SPDX-License-Identifier: MIT */
/* Counter-based randomness: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1,
 * 2, 3", SC 2011). A number depends on (seed, stream, position) alone, on any device and thread
 * count. */
#ifndef DH_RNG_H
#define DH_RNG_H

#include <stdint.h>

/* Fill count numbers from position on: the words themselves (word position % 4 of block position /
 * 4; the key is the seed, the counter block and stream); uniform in [0, 1) with 24 bits
 * (word >> 8) * 2^-24; standard normal by Box-Muller, words 2i and 2i + 1 (position even) making
 * the pair z0 = r cos t, z1 = r sin t with r = sqrt(-2 log(1 - u0)), t = 2 pi u1, in double. */
void dh__random_words(uint64_t seed, uint64_t stream, uint64_t position, uint32_t *out,
                      int64_t count);
void dh__random_uniform(uint64_t seed, uint64_t stream, uint64_t position, float *out,
                        int64_t count);
void dh__random_normal(uint64_t seed, uint64_t stream, uint64_t position, double *out,
                       int64_t count);

/* out = a permutation of 0 .. count-1 (Fisher-Yates). */
void dh__random_permutation(uint64_t seed, uint64_t stream, int64_t *out, int64_t count);

/* Stream number of a name: FNV-1a, 64 bits. */
uint64_t dh__random_stream(const char *name);

#endif
