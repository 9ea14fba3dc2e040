/* SPDX-License-Identifier: MIT */
/* Zip archives (PKWARE's APPNOTE 6.3) as far as .npz needs them: stored and deflated entries,
 * zip64, one disk, no encryption. Sizes come from the central directory, so that entries with data
 * descriptors are read too. */
#ifndef DH_ZIP_H
#define DH_ZIP_H

#include "file.h"

typedef struct dh__zip_entry {
    const char *name;
    uint64_t packed, size; /* bytes in the file, bytes unpacked */
    size_t local;          /* offset of the local header */
    uint32_t crc;
    uint16_t method, flags;
} dh__zip_entry;

typedef struct dh__zip {
    const dh__input *input; /* borrowed */
    size_t directory, directory_size;
    const char *what;
    dh__zip_entry *entries;
    char *names;
    int count;
} dh__zip;

/* input and what must outlive zip; DH_EFORMAT, and DH_EUNSUPPORTED for what is not read. */
dh_status dh__zip_open(dh__zip *zip, const dh__input *input, const char *what);
void dh__zip_close(dh__zip *zip);
/* The bytes of an entry, entry.size of them, their CRC checked; to be freed. */
dh_status dh__zip_read(uint8_t **out, const dh__zip *zip, int index);

typedef struct dh__zip_writer {
    dh__writer *writer; /* borrowed */
    uint64_t offset, count;
    dh__text directory;
} dh__zip_writer;

/* A stored entry: the caller then writes its size bytes. */
dh_status dh__zip_add(dh__zip_writer *zip, const char *name, uint32_t crc, uint64_t size);
dh_status dh__zip_finish(dh__zip_writer *zip); /* writes the directory */
void dh__zip_writer_free(dh__zip_writer *zip);

#endif
