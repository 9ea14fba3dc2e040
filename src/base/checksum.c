/* SPDX-License-Identifier: MIT */
/* CRC-32 (ISO 3309, as in PNG, gzip and zip) and SHA-256 (FIPS 180-4). */
#include "file.h"

#include <pthread.h>
#include <string.h>

/* crc_table[k][b]: the remainder of byte b followed by k zero bytes; eight bytes go in one step. */
static uint32_t crc_table[8][256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void make_crc_table(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0xEDB88320u : crc >> 1;
        crc_table[0][byte] = crc;
    }
    for (int k = 1; k < 8; k++)
        for (int byte = 0; byte < 256; byte++) {
            uint32_t crc = crc_table[k - 1][byte];
            crc_table[k][byte] = crc >> 8 ^ crc_table[0][crc & 0xff];
        }
}

uint32_t dh__crc32(uint32_t crc, const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    if (!p) return crc;
    pthread_once(&crc_once, make_crc_table);
    crc = ~crc;
    for (; size >= 8; p += 8, size -= 8) {
        uint32_t low = crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                              (uint32_t)p[3] << 24);
        crc = crc_table[7][low & 0xff] ^ crc_table[6][low >> 8 & 0xff] ^
              crc_table[5][low >> 16 & 0xff] ^ crc_table[4][low >> 24] ^ crc_table[3][p[4]] ^
              crc_table[2][p[5]] ^ crc_table[1][p[6]] ^ crc_table[0][p[7]];
    }
    for (; size > 0; p++, size--) crc = crc >> 8 ^ crc_table[0][(crc ^ *p) & 0xff];
    return ~crc;
}

/* First 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t sha_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t rotate(uint32_t x, int bits)
{
    return x >> bits | x << (32 - bits);
}

/* One round: what the standard calls a .. h stays in place, and the names move instead. wk is the
 * message word plus its constant. */
static inline void sha_round(uint32_t a, uint32_t b, uint32_t c, uint32_t *d, uint32_t e,
                             uint32_t f, uint32_t g, uint32_t *h, uint32_t wk)
{
    uint32_t choose = g ^ (e & (f ^ g)), majority = (a & b) | (c & (a | b));
    uint32_t t = *h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + choose + wk;
    *d += t;
    *h = t + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + majority;
}

static void sha_block(uint32_t state[8], const uint8_t *p)
{
    uint32_t w[64];
    for (int i = 0; i < 16; i++, p += 4)
        w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    for (int i = 16; i < 64; i++) {
        uint32_t x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) + w[i - 7] +
               (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 64; i += 8) {
        const uint32_t *k = sha_k + i, *m = w + i;
        sha_round(a, b, c, &d, e, f, g, &h, k[0] + m[0]);
        sha_round(h, a, b, &c, d, e, f, &g, k[1] + m[1]);
        sha_round(g, h, a, &b, c, d, e, &f, k[2] + m[2]);
        sha_round(f, g, h, &a, b, c, d, &e, k[3] + m[3]);
        sha_round(e, f, g, &h, a, b, c, &d, k[4] + m[4]);
        sha_round(d, e, f, &g, h, a, b, &c, k[5] + m[5]);
        sha_round(c, d, e, &f, g, h, a, &b, k[6] + m[6]);
        sha_round(b, c, d, &e, f, g, h, &a, k[7] + m[7]);
    }
    const uint32_t after[8] = {a, b, c, d, e, f, g, h};
    for (int i = 0; i < 8; i++) state[i] += after[i];
}

void dh__sha256_init(dh__sha256 *hash)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(hash->state, start, sizeof start);
    hash->length = 0;
}

void dh__sha256_add(dh__sha256 *hash, const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    if (!p || size == 0) return;
    size_t filled = (size_t)(hash->length % 64);
    hash->length += size;
    if (filled) {
        size_t part = 64 - filled < size ? 64 - filled : size;
        memcpy(hash->block + filled, p, part);
        p += part;
        size -= part;
        if (filled + part < 64) return;
        sha_block(hash->state, hash->block);
    }
    for (; size >= 64; p += 64, size -= 64) sha_block(hash->state, p);
    if (size) memcpy(hash->block, p, size);
}

void dh__sha256_hex(dh__sha256 *hash, char hex[65])
{
    static const uint8_t padding[64] = {0x80};
    uint64_t bits = hash->length * 8;
    size_t filled = (size_t)(hash->length % 64);
    uint8_t length[8];
    for (int i = 0; i < 8; i++) length[i] = (uint8_t)(bits >> (56 - 8 * i));
    dh__sha256_add(hash, padding, (filled < 56 ? 56 : 120) - filled);
    dh__sha256_add(hash, length, sizeof length);
    for (int i = 0; i < 64; i++)
        hex[i] = "0123456789abcdef"[hash->state[i / 8] >> (28 - 4 * (i % 8)) & 15];
    hex[64] = '\0';
}
