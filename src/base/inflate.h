/* SPDX-License-Identifier: MIT */
/* Deflate and gzip data. Built without zlib: DH_EMISSING. */
#ifndef DH_INFLATE_H
#define DH_INFLATE_H

#include "base.h"

/* Deflate packs at most 1032 to 1 (a match of 258 bytes takes 2 bits): a file that promises more
 * lies.
 */
#define DH_INFLATE_RATIO 1032

/* Raw deflate (RFC 1951) that gives exactly out_size bytes and ends with data; else DH_EFORMAT, and
 * out holds what came so far. what begins the message: who reads which file. */
dh_status dh__inflate(uint8_t *out, size_t out_size, const uint8_t *data, size_t size,
                      const char *what);

/* The first *out_size bytes of gzip data, of one member or several, or what there is if that is
 * less: *out_size tells. */
dh_status dh__gunzip_head(uint8_t *out, size_t *out_size, const uint8_t *data, size_t size,
                          const char *what);

/* Gzip: out = the inflated bytes (owned; dh__free). At most limit bytes, else DH_EFORMAT. what
 * names the source in messages. */
dh_status dh__gunzip(uint8_t **out, size_t *out_size, const uint8_t *data, size_t size,
                     size_t limit, const char *what);

#endif
