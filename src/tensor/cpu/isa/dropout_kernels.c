/* SPDX-License-Identifier: MIT */
#include "dropout_kernels.h"

#include <string.h>

#if DH_ISA_LEVEL > 0
#include <immintrin.h>
#endif

#include "isa.h"
#include "nn_kernels.h"
#include "rng.h"

#define BLOCK 1024 /* words made at once */

#if DH_ISA_LEVEL > 0

#if DH_ISA_LEVEL == 2
typedef __m512i lanes;
#define LANES          8
#define MULTIPLY(a, b) _mm512_mul_epu32(a, b)
#define EVERY(x)       _mm512_set1_epi64((long long)(x))
#else
typedef __m256i lanes;
#define LANES          4
#define MULTIPLY(a, b) _mm256_mul_epu32(a, b)
#define EVERY(x)       _mm256_set1_epi64x((long long)(x))
#endif

typedef uint64_t words64 __attribute__((vector_size(8 * LANES)));

/* Philox4x32-10 on LANES blocks (see rng.h): each 64-bit lane holds a 32-bit word below bits that
 * do not matter, since the multiplication reads the lower half alone. */
static void make_blocks(uint64_t seed, uint64_t stream, uint64_t block, uint64_t *out)
{
    words64 c0, c1, c2, c3;
    for (int l = 0; l < LANES; l++) c0[l] = block + (uint64_t)l;
    c1 = c0 >> 32;
    c2 = (words64)EVERY(stream);
    c3 = c2 >> 32;
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    const lanes m0 = EVERY(0xD2511F53u), m1 = EVERY(0xCD9E8D57u);
    for (int round = 0; round < 10; round++) {
        words64 p0 = (words64)MULTIPLY((lanes)c0, m0), p1 = (words64)MULTIPLY((lanes)c2, m1);
        c0 = (p1 >> 32) ^ c1 ^ (words64)EVERY(k0);
        c1 = p1;
        c2 = (p0 >> 32) ^ c3 ^ (words64)EVERY(k1);
        c3 = p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    words64 first = (c0 & 0xffffffffu) | (c1 << 32), second = (c2 & 0xffffffffu) | (c3 << 32);
    for (int l = 0; l < LANES; l++) {
        out[2 * l] = first[l];
        out[2 * l + 1] = second[l];
    }
}

static void make_words(uint64_t seed, uint64_t stream, uint64_t position, uint32_t *out, int64_t n)
{
    uint64_t piece[2 * LANES];
    int64_t i = 0;
    for (; i < n; i += 4 * LANES) {
        int64_t m = n - i < 4 * LANES ? n - i : 4 * LANES;
        make_blocks(seed, stream, (position + (uint64_t)i) / 4, piece);
        if (m == 4 * LANES)
            memcpy(out + i, piece, sizeof piece);
        else
            memcpy(out + i, piece, (size_t)m * sizeof *out);
    }
}

#else
#define make_words dh__random_words
#endif

static void dropout(float *y, const float *x, int64_t n, uint64_t seed, uint64_t stream,
                    uint64_t position, uint32_t threshold, float scale)
{
    uint32_t words[BLOCK];
    for (int64_t i = 0; i < n; i += BLOCK, x += BLOCK, y += BLOCK) {
        int64_t m = n - i < BLOCK ? n - i : BLOCK;
        make_words(seed, stream, position + (uint64_t)i, words, m);
        DH_IN_PLACE
        for (int64_t k = 0; k < m; k++) y[k] = words[k] >> 8 >= threshold ? x[k] * scale : 0;
    }
}

extern const dh__dropout_kernels DH_ISA(dh__dropout);
const dh__dropout_kernels DH_ISA(dh__dropout) = {.run = dropout};
