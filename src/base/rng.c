/* SPDX-License-Identifier: MIT */
/* Philox4x32-10 and what is drawn from it. Blocks are made eight at a time, word by word, so that
 * the compiler keeps each word of the eight in one vector. */
#include "rng.h"

#include "base.h"

#include <math.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { ROUNDS = 10, LANES = 8, LANE_WORDS = 4 * LANES };

/* Multipliers and key increments of the paper's 4x32 variant. */
#define PHILOX_M0 0xD2511F53u
#define PHILOX_M1 0xCD9E8D57u
#define PHILOX_W0 0x9E3779B9u
#define PHILOX_W1 0xBB67AE85u

/* The words of blocks block .. block + 7, in order. */
static void make_lanes_portable(uint64_t seed, uint64_t stream, uint64_t block,
                                uint32_t *restrict out)
{
    uint32_t c0[LANES], c1[LANES], c2[LANES], c3[LANES];
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int i = 0; i < LANES; i++) {
        c0[i] = (uint32_t)(block + (uint64_t)i);
        c1[i] = (uint32_t)((block + (uint64_t)i) >> 32);
        c2[i] = (uint32_t)stream;
        c3[i] = (uint32_t)(stream >> 32);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < LANES; i++) {
            uint64_t p0 = (uint64_t)PHILOX_M0 * c0[i], p1 = (uint64_t)PHILOX_M1 * c2[i];
            c0[i] = (uint32_t)(p1 >> 32) ^ c1[i] ^ k0;
            c1[i] = (uint32_t)p1;
            c2[i] = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1;
            c3[i] = (uint32_t)p0;
        }
        k0 += PHILOX_W0;
        k1 += PHILOX_W1;
    }
    for (int i = 0; i < LANES; i++) {
        out[4 * i] = c0[i];
        out[4 * i + 1] = c1[i];
        out[4 * i + 2] = c2[i];
        out[4 * i + 3] = c3[i];
    }
}

#if defined(__x86_64__)
/* Four blocks. Each word lies in the low half of a 64-bit lane; the high half holds what it may,
 * for the multiplication reads the low one only. */
__attribute__((target("avx2"))) static inline void make_four_avx2(uint64_t seed, uint64_t stream,
                                                                  uint64_t block, uint32_t *out)
{
    const __m256i m0 = _mm256_set1_epi64x(PHILOX_M0), m1 = _mm256_set1_epi64x(PHILOX_M1);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    __m256i c0 =
        _mm256_add_epi64(_mm256_set1_epi64x((long long)block), _mm256_setr_epi64x(0, 1, 2, 3));
    __m256i c1 = _mm256_srli_epi64(c0, 32);
    __m256i c2 = _mm256_set1_epi64x((long long)stream);
    __m256i c3 = _mm256_srli_epi64(c2, 32);
    for (int round = 0; round < ROUNDS; round++) {
        __m256i p0 = _mm256_mul_epu32(m0, c0), p1 = _mm256_mul_epu32(m1, c2);
        __m256i x1 = _mm256_xor_si256(c1, _mm256_set1_epi64x(k0));
        __m256i x3 = _mm256_xor_si256(c3, _mm256_set1_epi64x(k1));
        c0 = _mm256_xor_si256(_mm256_srli_epi64(p1, 32), x1);
        c2 = _mm256_xor_si256(_mm256_srli_epi64(p0, 32), x3);
        c1 = p1;
        c3 = p0;
        k0 += PHILOX_W0;
        k1 += PHILOX_W1;
    }
    __m256i low = _mm256_blend_epi32(c0, _mm256_slli_epi64(c1, 32), 0xaa);
    __m256i high = _mm256_blend_epi32(c2, _mm256_slli_epi64(c3, 32), 0xaa);
    __m256i even_blocks = _mm256_unpacklo_epi64(low, high); /* 0 and 2 */
    __m256i odd_blocks = _mm256_unpackhi_epi64(low, high);  /* 1 and 3 */
    _mm256_storeu_si256((__m256i *)(void *)out,
                        _mm256_permute2x128_si256(even_blocks, odd_blocks, 0x20));
    _mm256_storeu_si256((__m256i *)(void *)(out + 8),
                        _mm256_permute2x128_si256(even_blocks, odd_blocks, 0x31));
}

__attribute__((target("avx2"))) static void make_lanes_avx2(uint64_t seed, uint64_t stream,
                                                            uint64_t block, uint32_t *out)
{
    for (int i = 0; i < LANES; i += 4)
        make_four_avx2(seed, stream, block + (uint64_t)i, out + 4 * i);
}
#endif

static void make_lanes(uint64_t seed, uint64_t stream, uint64_t block, uint32_t *restrict out)
{
#if defined(__x86_64__)
    if (dh__cpu_isa() >= DH_ISA_AVX2) {
        make_lanes_avx2(seed, stream, block, out);
        return;
    }
#endif
    make_lanes_portable(seed, stream, block, out);
}

/* --- a reader of one stream, LANE_WORDS words at a time --- */

typedef struct word_reader {
    uint64_t seed, stream, position;
    uint64_t base;  /* position of words[0]; a multiple of 4 */
    uint64_t count; /* how many of words are there */
    uint32_t words[LANE_WORDS];
} word_reader;

static uint32_t next_word(word_reader *reader)
{
    uint64_t offset = reader->position - reader->base;
    if (offset >= reader->count) {
        reader->base = reader->position / 4 * 4;
        make_lanes(reader->seed, reader->stream, reader->base / 4, reader->words);
        reader->count = LANE_WORDS;
        offset = reader->position - reader->base;
    }
    reader->position++;
    return reader->words[offset];
}

void dh__random_words(uint64_t seed, uint64_t stream, uint64_t position, uint32_t *out,
                      int64_t count)
{
    if (!out) return;
    word_reader reader = {.seed = seed, .stream = stream, .position = position};
    int64_t i = 0;
    for (; i < count && reader.position % 4 != 0; i++) out[i] = next_word(&reader);
    for (; count - i >= LANE_WORDS; i += LANE_WORDS)
        make_lanes(seed, stream, (position + (uint64_t)i) / 4, out + i);
    reader.position = position + (uint64_t)i;
    for (; i < count; i++) out[i] = next_word(&reader);
}

enum { CHUNK_WORDS = 16 * LANE_WORDS };

void dh__random_uniform(uint64_t seed, uint64_t stream, uint64_t position, float *out,
                        int64_t count)
{
    if (!out) return;
    uint32_t words[CHUNK_WORDS];
    for (int64_t done = 0; done < count;) {
        int64_t n = count - done < CHUNK_WORDS ? count - done : CHUNK_WORDS;
        dh__random_words(seed, stream, position + (uint64_t)done, words, n);
        for (int64_t i = 0; i < n; i++) out[done + i] = (float)(words[i] >> 8) * 0x1p-24f;
        done += n;
    }
}

static void make_pair(double pair[2], uint32_t word0, uint32_t word1)
{
    const double two_pi = 6.283185307179586476925286766559;
    double u0 = (double)(word0 >> 8) * 0x1p-24, u1 = (double)(word1 >> 8) * 0x1p-24;
    double radius = sqrt(-2.0 * log(1.0 - u0)), angle = two_pi * u1;
    pair[0] = radius * cos(angle);
    pair[1] = radius * sin(angle);
}

void dh__random_normal(uint64_t seed, uint64_t stream, uint64_t position, double *out,
                       int64_t count)
{
    if (!out || count <= 0) return;
    word_reader reader = {.seed = seed, .stream = stream, .position = position / 2 * 2};
    int64_t done = 0;
    for (int half = (int)(position % 2); done < count; half = 0) {
        double pair[2];
        uint32_t word0 = next_word(&reader);
        make_pair(pair, word0, next_word(&reader));
        for (; half < 2 && done < count; half++) out[done++] = pair[half];
    }
}

/* --- integers --- */

__extension__ typedef unsigned __int128 uint128;

/* Lemire, "Fast random integer generation in an interval" (2019): the high half of word * n is the
 * number; the few low halves below 2^bits mod n are drawn again. One word serves n up to 2^32, two
 * (low word first) serve more. */
static uint64_t draw_below(word_reader *reader, uint64_t n)
{
    if (n <= UINT64_C(1) << 32) {
        uint64_t product = (uint64_t)next_word(reader) * n;
        if ((uint32_t)product < n) {
            uint32_t threshold = (uint32_t)((UINT64_C(1) << 32) % n);
            while ((uint32_t)product < threshold) product = (uint64_t)next_word(reader) * n;
        }
        return product >> 32;
    }
    const uint64_t threshold = (UINT64_MAX - n + 1) % n;
    for (;;) {
        uint64_t word = next_word(reader);
        word |= (uint64_t)next_word(reader) << 32;
        uint128 product = (uint128)word * n;
        if ((uint64_t)product >= threshold) return (uint64_t)(product >> 64);
    }
}

void dh__random_permutation(uint64_t seed, uint64_t stream, int64_t *out, int64_t count)
{
    if (!out) return;
    word_reader reader = {.seed = seed, .stream = stream};
    for (int64_t i = 0; i < count; i++) out[i] = i;
    for (int64_t i = count - 1; i > 0; i--) {
        int64_t j = (int64_t)draw_below(&reader, (uint64_t)i + 1);
        int64_t swapped = out[i];
        out[i] = out[j];
        out[j] = swapped;
    }
}

uint64_t dh__random_stream(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; name && *name; name++) {
        hash ^= (unsigned char)*name;
        hash *= UINT64_C(0x100000001b3);
    }
    return hash;
}
