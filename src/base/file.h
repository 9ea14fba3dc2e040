/* SPDX-License-Identifier: MIT */
/* Files: read whole or in places; written to a temporary name beside the target, synced and
 * renamed, so that a crash or a full disk leaves the old file as it was. Nothing is mapped here: a
 * mapping faults where another process cuts the file short. */
#ifndef DH_FILE_H
#define DH_FILE_H

#include "base.h"

/* Bytes of a whole file, in memory. Errors name path. */
typedef struct dh__bytes {
    uint8_t *data;
    size_t size;
} dh__bytes;
dh_status dh__file_read(dh__bytes *out, const char *path);
void dh__bytes_free(dh__bytes *bytes);

/* A file that is read in places, or bytes in memory that stand for one. What is no regular file (a
 * pipe) is read whole when it is opened. Threads may share it for reading. */
typedef struct dh__input {
    const uint8_t *data;
    uint8_t *owned;
    size_t size; /* when it was opened */
    bool is_file;
    int fd; /* of a file; else data */
} dh__input;
dh_status dh__input_open(dh__input *out, const char *path);
dh__input dh__input_memory(const void *bytes, size_t size); /* borrows; to be closed or not */
/* Copies size bytes from offset on. DH_EFORMAT where there are fewer, by now too: a file may get
 * shorter after it was opened. The text names no file: callers put theirs in front. */
dh_status dh__input_read(const dh__input *input, void *out, size_t offset, size_t size);
void dh__input_close(dh__input *input); /* NULL is fine */

bool dh__file_exists(const char *path);
dh_status dh__make_dirs(const char *path); /* like mkdir -p */
/* Names in a folder that begin with prefix, sorted by strcmp, in one block that dh__free frees;
 * NULL where there are none. */
dh_status dh__dir_names(char ***out, int *count, const char *path, const char *prefix);
/* DH_OK where there is no such file. */
dh_status dh__file_remove(const char *path);

/* An atomic writer. open .. write* .. commit, or abort at any point (NULL is fine). The first
 * failed write is remembered and returned by commit, which then removes the temporary file.
 *   - A symbolic link stays: what it names is replaced, or made where it is not there yet.
 *   - A file that may not be written (its mode, its owner, a read-only disk) is DH_EIO, though its
 *     folder would let it be replaced. One that may keeps its mode.
 *   - The temporary file lies in the target's folder, under a name that is never too long.
 *   - What is no regular file (a pipe) is written directly; a reader that goes away is DH_EIO,
 *     without SIGPIPE. So is what a descriptor has open (/dev/stdout, /proc/self/fd/3), a regular
 *     file too, from where that descriptor stands: nothing is replaced, synced or cut off. */
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

/* Downloads url to path atomically through libcurl (opened on demand) and checks its SHA-256. The
 * folder of path is made when the first bytes arrive. */
dh_status dh__download(const char *url, const char *path, const char *sha256_hex);

#endif
