/* SPDX-License-Identifier: MIT */
/* Products of matrices on the device, of any dtype and strides (kernels/gemm.cl). */
#ifndef DH_GEMM_CL_H
#define DH_GEMM_CL_H

#include "opencl.h"

#define DH_CL_ROWS 8

/* Lines of a panel of the right side: by the dtype. */
int64_t dh__cl_columns(dh_dtype dtype);
/* Options of gemm.cl and of what packs for it; returns buffer. */
const char *dh__cl_gemm_options(char *buffer, size_t size, dh_dtype dtype);
#define DH_CL_OPTIONS 160

/* One side: element (line, k) of a matrix at its place in each of three views. */
typedef struct dh__cl_side {
    dh_view batch, lines, depths; /* data and dtype: of lines */
    int64_t first_depth;          /* k begins here */
    bool shared;                  /* all batches have one matrix */
} dh__cl_side;

/* What is made. */
typedef struct dh__cl_product {
    dh_dtype dtype;
    int64_t batches, rows, columns, depth;
    int64_t first_column;       /* columns begin here */
    dh_view batch, row, column; /* where y's elements lie; data: of row */
    bool accumulate;            /* adds to what y holds */
    const void *scale;          /* packed factor and addend of each row, in the computing type */
    const dh_view *row_bias, *column_bias;
    const dh_view *add; /* data, and where its elements lie: */
    dh_view add_row, add_column;
    dh__act act;
    double alpha;
} dh__cl_product;

/* Bytes of a packed side of so many matrices. */
size_t dh__cl_packed_bytes(dh_dtype dtype, bool right, int64_t batches, int64_t lines,
                           int64_t depth);
/* Packs the side, whose matrices have so many lines, into memory of the device. */
dh_status dh__cl_pack(const dh_call *call, const dh__cl_side *side, bool right, int64_t batches,
                      int64_t lines, int64_t depth, void *to);
/* The product of packed sides; shared: all batches have one. */
dh_status dh__cl_multiply(const dh_call *call, const dh__cl_product *product, const void *left,
                          bool left_shared, const void *right, bool right_shared);

#endif
