/* SPDX-License-Identifier: MIT */
/* safetensors for the other rooms: by index, with shapes before tensors are made, with metadata.
 * The public functions of tensor_io.h are these. */
#ifndef DH_SAFETENSORS_H
#define DH_SAFETENSORS_H

#include <deephealth/tensor_io.h>

#include "tensor_impl.h"

typedef struct dh_safetensors dh__safetensors;

/* The whole header is checked: at most 100 MB, names unique, dtypes known, each tensor
 * as long as its shape says, the tensors covering the data without overlap or hole. */
dh_status dh__safetensors_open(dh__safetensors **out, const char *path);
/* The same on memory, borrowed until free. */
dh_status dh__safetensors_parse(dh__safetensors **out, const uint8_t *data, size_t size,
                                const char *what);
void dh__safetensors_free(dh__safetensors *file); /* NULL is fine; tensors stay valid */

int dh__safetensors_count(const dh__safetensors *file);
const char *dh__safetensors_name(const dh__safetensors *file, int index); /* borrowed */
int dh__safetensors_find(const dh__safetensors *file, const char *name);  /* -1: not there */
/* dtype, shape and strides; its data are NULL. Borrowed. */
const dh_view *dh__safetensors_view(const dh__safetensors *file, int index);
dh_status dh__safetensors_tensor(dh_tensor **out, const dh__safetensors *file, int index);
/* On the file's pages; a copy where the data are not aligned. */
dh_status dh__safetensors_map(dh_tensor **out, const dh__safetensors *file, int index);

/* The index-th pair in the order of the keys; false where there is none. */
bool dh__safetensors_metadata_at(const dh__safetensors *file, int index, const char **key,
                                 const char **value);

/* Atomic, the same bytes for the same tensors. Data lie in the order of element size, largest
 * first, so that each is aligned to its element; the header keeps the given order. */
dh_status dh__safetensors_save(const char *path, int count, const char *const *names,
                               const dh_tensor *const *tensors, int metadata_count,
                               const char *const *keys, const char *const *values);

#define DH_SAFETENSORS_HEADER_MAX 100000000 /* of the reference implementation */
/* "F32", NULL for no dtype. */
const char *dh__safetensors_dtype_name(dh_dtype dtype);

#endif
