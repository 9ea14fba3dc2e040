/* SPDX-License-Identifier: MIT */
/* What the file formats share. Each parser reads from memory too, so that fuzzing needs no files;
 * what is the path or another name for messages, which begin "tensor_load_npy \"path\": ". */
#ifndef DH_IO_H
#define DH_IO_H

#include <deephealth/tensor_io.h>

#include "file.h"
#include "tensor_impl.h"

#define DH_HOST_BIG_ENDIAN (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)

static inline uint16_t dh__le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t dh__le32(const uint8_t *p)
{
    return (uint32_t)dh__le16(p) | (uint32_t)dh__le16(p + 2) << 16;
}

static inline uint64_t dh__le64(const uint8_t *p)
{
    return (uint64_t)dh__le32(p) | (uint64_t)dh__le32(p + 4) << 32;
}

static inline uint32_t dh__be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void dh__put_le(uint8_t *p, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) p[i] = (uint8_t)(value >> (8 * i));
}

/* --- io_host.c: between files and tensors --- */

/* Elements as they lie in a file. */
typedef struct dh__io_block {
    const char *who, *what; /* "tensor_load_npy", "x.npy": for messages */
    dh_dtype dtype;
    int ndim;
    int64_t shape[DH_MAX_NDIM];
    const dh__input *input;
    size_t offset; /* in input */
    size_t size;   /* bytes that are there */
    bool big;      /* big-endian */
} dh__io_block;

/* Bytes that dtype and shape ask for; axes are >= 0. DH_EFORMAT where they fit no memory. */
dh_status dh__io_size(size_t *out, const dh__io_block *block);
/* A new tensor with the block's elements; DH_EFORMAT where size is not what the shape asks for, and
 * where a bool is neither 0 nor 1. */
dh_status dh__io_tensor(dh_tensor **out, const dh__io_block *block);
/* The same on the file's pages, writable as a private copy and unmapped with the tensor's storage.
 * A copy all the same where input is memory or the machine's byte order or alignment asks for one.
 * io_map.c */
dh_status dh__io_map(dh_tensor **out, const dh__io_block *block);
/* data are the block's elements: a bool is 0 or 1; DH_EFORMAT names the first that is neither. */
dh_status dh__io_check_bool(const dh__io_block *block, const uint8_t *data);

/* x contiguous on the CPU, to be freed. */
dh_status dh__io_host(dh_tensor **out, const dh_tensor *x, const char *who);
/* Elements of a contiguous host tensor, little-endian. */
dh_status dh__io_write_data(dh__writer *writer, const dh_tensor *x);
/* Names and tensors are there and the names differ. */
dh_status dh__io_check_names(const char *const *names, const dh_tensor *const *tensors, int count,
                             const char *who);

/* Files as base opens and reads them, failures under the name of the function. */
dh_status dh__io_read(dh__bytes *out, const char *path, const char *who);
dh_status dh__io_input(dh__input *out, const char *path, const char *who);
dh_status dh__io_fetch(void *out, const dh__input *input, size_t offset, size_t size,
                       const char *who, const char *what);
dh_status dh__io_open(dh__writer **out, const char *path, const char *who);
/* Commits where status is DH_OK, else aborts; writer is gone in any case. */
dh_status dh__io_commit(dh__writer *writer, dh_status status, const char *who);

/* Opens path and reads from it. */
dh_status dh__io_load(dh_tensor **out, const char *path, const char *who,
                      dh_status (*read)(dh_tensor **out, const dh__input *input, const char *what));
/* Writes path atomically: write gets x on the host, contiguous. */
dh_status dh__io_save(const dh_tensor *x, const char *path, const char *who,
                      dh_status (*write)(dh__writer *writer, const dh_tensor *x, const char *path,
                                         const void *payload),
                      const void *payload);

/* --- parsers --- */

dh_status dh__npy_parse(dh_tensor **out, const uint8_t *data, size_t size, const char *what);
dh_status dh__bin_parse(dh_tensor **out, const uint8_t *data, size_t size, const char *what);
dh_status dh__bin_parse_rows(dh_tensor **out, const uint8_t *data, size_t size, const char *what,
                             int64_t first, int64_t last);
dh_status dh__raw_parse(dh_tensor **out, const uint8_t *data, size_t size, const char *what,
                        dh_dtype dtype, int ndim, const int64_t *shape);
dh_status dh__idx_parse(dh_tensor **out, const uint8_t *data, size_t size, const char *what);
/* args->path does not matter; the delimiter must be given. */
dh_status dh__csv_parse(dh_tensor **out, const uint8_t *data, size_t size, const char *what,
                        const dh_csv_args *args);
/* data is borrowed until dh_npz_free. */
dh_status dh__npz_parse(dh_npz **out, const uint8_t *data, size_t size, const char *what);
/* The only array of an archive. */
dh_status dh__npz_load_one(dh_tensor **out, const char *path);

/* --- io_npy.c: parts that npz uses --- */

#define DH_NPY_HEADER_MAX 448
/* The header of a contiguous host tensor; its data follow in the machine's byte order. */
dh_status dh__npy_header(char out[DH_NPY_HEADER_MAX], size_t *size, const dh_tensor *x,
                         const char *who, const char *what);

#endif
