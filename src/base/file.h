/* SPDX-License-Identifier: MIT */
/* Files: read whole or mapped; written to a temporary name beside the target, synced and renamed,
 * so that a crash or a full disk leaves the old file as it was. */
#ifndef DH_FILE_H
#define DH_FILE_H

#include "base.h"

/* Bytes of a whole file, mapped read-only where that works, else read. Errors name path. */
typedef struct dh__bytes {
    const uint8_t *data;
    size_t size;
    bool mapped;
} dh__bytes;
dh_status dh__file_read(dh__bytes *out, const char *path);
void dh__bytes_free(dh__bytes *bytes);

bool dh__file_exists(const char *path);
dh_status dh__make_dirs(const char *path); /* like mkdir -p */

/* An atomic writer. open .. write* .. commit, or abort at any point (NULL is fine). The first
 * failed write is remembered and returned by commit, which then removes the temporary file. */
typedef struct dh__writer dh__writer;
dh_status dh__writer_open(dh__writer **out, const char *path);
dh_status dh__write(dh__writer *writer, const void *bytes, size_t size);
dh_status dh__write_text(dh__writer *writer, const char *format, ...) DH_PRINTF(2, 3);
dh_status dh__writer_commit(dh__writer *writer); /* frees writer in any case */
void dh__writer_abort(dh__writer *writer);

/* SHA-256 (FIPS 180-4), for checksums of downloads and parameters. */
typedef struct dh__sha256 {
    uint32_t state[8];
    uint64_t length;
    uint8_t block[64];
} dh__sha256;
void dh__sha256_init(dh__sha256 *hash);
void dh__sha256_add(dh__sha256 *hash, const void *bytes, size_t size);
void dh__sha256_hex(dh__sha256 *hash, char hex[65]);              /* ends the hash */
uint32_t dh__crc32(uint32_t crc, const void *bytes, size_t size); /* start with 0; ISO 3309 */

/* Downloads url to path atomically through libcurl (opened on demand) and checks its SHA-256. */
dh_status dh__download(const char *url, const char *path, const char *sha256_hex);

#endif
