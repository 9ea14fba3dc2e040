/* SPDX-License-Identifier: MIT */
/* Tensors in files. Readers give contiguous tensors on the CPU that are yours to free; on failure
 * *out is left as it was. A file's size must be exactly what its header asks for: bytes that follow
 * are an error, as is a file that ends early. Writers bring tensors of any strides and device to
 * the CPU first, write beside the target and rename, so that a full disk leaves the old file. Where
 * the path is a symbolic link, what it names is written; a pipe or device is written directly, as
 * is an open descriptor (/dev/stdout), though it leads to a file: from where it stands.
 *
 * Errors of every reader: DH_ENOTFOUND for a file that is not there, DH_EIO for one that cannot be
 * read (a folder, no permission), DH_EFORMAT for one that is damaged, cut short, too long or of
 * another format; the text names the path and, where it helps, the offset. Of every writer:
 * DH_ENOTFOUND for a folder that is not there, DH_EIO for a full disk, a folder or file that may
 * not be written, or a pipe that nobody reads (SIGPIPE is held back). NULL is DH_EINVAL. Names and
 * paths are borrowed for the call. A file that another process cuts short or rewrites while it is
 * read gives an error or other values, but for the two functions that map. */
#ifndef DEEPHEALTH_TENSOR_IO_H
#define DEEPHEALTH_TENSOR_IO_H

#include <deephealth/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The format follows from the extension: .npy, .npz (one array), .bin, .csv, .tsv, .txt; DH_ENAME
 * offers the near ones. Text is read as f32 [rows, columns]; the functions below have options. */
DH_API DH_NODISCARD dh_status dh_tensor_load(dh_tensor **out, const char *path);
DH_API DH_NODISCARD dh_status dh_tensor_save(const dh_tensor *x, const char *path);

/* --- NumPy --- */

/* .npy, versions 1 to 3 (NumPy Enhancement Proposal 1), C and Fortran order, both byte orders, up
 * to 8 axes; the tensor has the file's shape and dtype, and is C-contiguous. NumPy has no bf16:
 * DH_EDTYPE on writing. Complex, text, time and structured dtypes: DH_EUNSUPPORTED. Writing takes
 * any shape; an existing file is replaced. */
DH_API DH_NODISCARD dh_status dh_tensor_load_npy(dh_tensor **out, const char *path);
DH_API DH_NODISCARD dh_status dh_tensor_save_npy(const dh_tensor *x, const char *path);

/* .npz: a zip archive of .npy files, stored or deflated (numpy.savez, savez_compressed), zip64 too.
 * Arrays are named without ".npy"; other entries are passed over. */
typedef struct dh_npz dh_npz;
/* Reads the archive's directory alone. The file stays open until dh_npz_free. Encrypted entries and
 * methods other than stored and deflated: DH_EUNSUPPORTED. */
DH_API DH_NODISCARD dh_status dh_npz_open(dh_npz **out, const char *path);
DH_API int dh_npz_count(const dh_npz *npz); /* arrays; 0 for NULL */
DH_API const char *dh_npz_name(const dh_npz *npz,
                               int index); /* borrowed; NULL where there is none */
/* The array of a name, read now and its CRC checked: a tensor of its own, which outlives the
 * archive. DH_ENAME offers the near names; DH_EFORMAT where the array is damaged or the file was
 * cut short after it was opened; a deflated array in a build without zlib: DH_EMISSING. */
DH_API DH_NODISCARD dh_status dh_npz_get(dh_tensor **out, const dh_npz *npz, const char *name);
DH_API void dh_npz_free(dh_npz *npz); /* NULL is fine */
/* count >= 0 arrays under different names that are not empty (else DH_EINVAL), of any shape and any
 * dtype but bf16 (DH_EDTYPE); the entries are stored, not deflated. */
DH_API DH_NODISCARD dh_status dh_npz_save(const char *path, const char *const *names,
                                          const dh_tensor *const *tensors, int count);

/* --- EDDL --- */

/* .bin of EDDL: i32 ndim (0..8), i32 dims[ndim], f32 data, row-major, little-endian. The tensor is
 * f32; writing takes f32 alone (DH_EDTYPE) and axes up to 2^31 - 1 (DH_EOVERFLOW). */
DH_API DH_NODISCARD dh_status dh_tensor_load_bin(dh_tensor **out, const char *path);
DH_API DH_NODISCARD dh_status dh_tensor_save_bin(const dh_tensor *x, const char *path);
/* Rows first .. last-1 of axis 0: [last - first, dims[1], ...] f32; 0 <= first <= last <= dims[0],
 * else DH_EINVAL; DH_ESHAPE for a scalar. Only these are read from the disk. */
DH_API DH_NODISCARD dh_status dh_tensor_load_bin_rows(dh_tensor **out, const char *path,
                                                      int64_t first, int64_t last);

/* --- text --- */

typedef struct dh_csv_args {
    size_t struct_size; /* the macros set it */
    const char *path;
    char delimiter; /* default by the extension: tab for .tsv, blanks for .txt, else a comma; ' '
                       means any run of blanks and tabs */
    dh_dtype dtype; /* read: of the tensor, default f32 */
    int skip_lines; /* read: lines of header to pass over */
    int ndim;       /* read: default 2, [rows, columns]; 1 takes one row or one column as [n] */
    const char *header; /* write: a first line, without its end; default none */
} dh_csv_args;
/* Numbers in the C locale whatever the process has: decimal, exponent, nan, inf. Every row has as
 * many cells, none is empty or in quotes; a bad cell is named by line and column. Integers must be
 * exact and in range. Empty lines are allowed at the end alone. The tensor has args->dtype and the
 * shape [rows, columns], or [n] where ndim is 1 and the table is one row or column (else
 * DH_ESHAPE). DH_EINVAL for a delimiter that may be part of a number, an ndim but 1 and 2, a
 * negative skip_lines. */
DH_API DH_NODISCARD dh_status dh_tensor_load_csv(dh_tensor **out, const dh_csv_args *args);
/* x is [rows, columns], or [n] as one column, with at least one element (else DH_ESHAPE), of any
 * dtype; a bool is 0 or 1. 17 significant digits for f64, 9 for the smaller floats, so that reading
 * gives the same bits (a NaN's payload is lost). A header of several lines is DH_EINVAL. */
DH_API DH_NODISCARD dh_status dh_tensor_save_csv(const dh_tensor *x, const dh_csv_args *args);

/* --- raw --- */

/* Little-endian elements, row-major, and nothing else; the file has exactly as many bytes as dtype
 * and shape say (else DH_EFORMAT). ndim is in 0..8 and every axis >= 0 (DH_ESHAPE); dtype 0 is
 * DH_EDTYPE. */
DH_API DH_NODISCARD dh_status dh_tensor_load_raw(dh_tensor **out, const char *path, dh_dtype dtype,
                                                 int ndim, const int64_t *shape);
/* The elements of x, of any shape and dtype; neither is written, so the reader must know them. */
DH_API DH_NODISCARD dh_status dh_tensor_save_raw(const dh_tensor *x, const char *path);
/* The same on the file's pages, read when they are touched; the tensor holds the mapping, which
 * goes with its last view. What is written to the tensor stays in memory, the file does not change.
 * The file must keep its length while the tensor lives: where another process cuts it, touching the
 * pages that are gone ends this one with SIGBUS, which no library can turn into an error. */
DH_API DH_NODISCARD dh_status dh_tensor_map_raw(dh_tensor **out, const char *path, dh_dtype dtype,
                                                int ndim, const int64_t *shape);

/* --- pictures --- */

/* x as an 8-bit PNG: [H, W] gray or [H, W, 3] red, green, blue, sides in [1, 2^31 - 1] (DH_ESHAPE);
 * u8, or f32 of which 0..1 becomes 0..255, rounded, what lies outside 0 or 255 and a NaN 0; other
 * dtypes are DH_EDTYPE. */
DH_API DH_NODISCARD dh_status dh_tensor_save_png(const dh_tensor *x, const char *path);

/* --- idx --- */

/* MNIST's format (LeCun, "THE IDX FILE FORMAT"), plain or gzip: 0, 0, type, ndim, u32 dims[ndim],
 * data, all big-endian; types u8, i8, i16, i32, f32, f64. The tensor has the file's shape and
 * dtype. gzip in a build without zlib: DH_EMISSING. */
DH_API DH_NODISCARD dh_status dh_tensor_load_idx(dh_tensor **out, const char *path);

/* --- safetensors --- */

/* Named tensors in one file (Hugging Face's safetensors): u64 header size, JSON header, data. */
typedef struct dh_safetensors dh_safetensors;
/* Reads the header alone, at most 100 MB, and checks it whole (DH_EFORMAT); a dtype that is none of
 * ours or more than 8 axes: DH_EUNSUPPORTED. The file stays open until dh_safetensors_free. */
DH_API DH_NODISCARD dh_status dh_safetensors_open(dh_safetensors **out, const char *path);
DH_API int dh_safetensors_count(const dh_safetensors *file); /* 0 for NULL */
/* In the header's order; borrowed; NULL where there is none. */
DH_API const char *dh_safetensors_name(const dh_safetensors *file, int index);
/* The tensor of a name, in the file's shape and dtype, read now; DH_ENAME offers the near ones,
 * DH_EFORMAT where the file was cut short after it was opened. */
DH_API DH_NODISCARD dh_status dh_safetensors_get(dh_tensor **out, const dh_safetensors *file,
                                                 const char *name);
/* The same on the file's pages, for files larger than the memory: under the terms of
 * dh_tensor_map_raw. The tensor outlives the reader. A copy where the data are not aligned. */
DH_API DH_NODISCARD dh_status dh_safetensors_map(dh_tensor **out, const dh_safetensors *file,
                                                 const char *name);
/* The text under key in the file's metadata; borrowed; NULL where there is none. */
DH_API const char *dh_safetensors_metadata(const dh_safetensors *file, const char *key);
DH_API void dh_safetensors_free(dh_safetensors *file); /* NULL is fine */
/* count >= 0 tensors of any shape and dtype. Names differ, are not empty, valid UTF-8 and not
 * "__metadata__": else DH_EINVAL. */
DH_API DH_NODISCARD dh_status dh_safetensors_save(const char *path, const char *const *names,
                                                  const dh_tensor *const *tensors, int count);

/* --- macros ---
 * dh_tensor_load_csv(&t, "table.csv", .skip_lines = 1) */
#ifndef __cplusplus
#define dh_tensor_load_csv(out, ...) \
    dh_tensor_load_csv(out, &(dh_csv_args){.struct_size = sizeof(dh_csv_args), __VA_ARGS__})
#define dh_tensor_save_csv(x, ...) \
    dh_tensor_save_csv(x, &(dh_csv_args){.struct_size = sizeof(dh_csv_args), __VA_ARGS__})
#endif

#ifdef __cplusplus
}
#endif
#endif
