/* SPDX-License-Identifier: MIT */
#include "gemm_cl.h"

#define GROUP 4 /* tiles of one work group, below each other */

/* The type that is computed in, a vector of it and its lanes. */
typedef struct type {
    const char *name;
    int lanes, vectors;
    size_t size;
} type;

static type type_of(dh_dtype dtype)
{
    if (dtype == DH_F64) return (type){"double", 8, 2, 8};
    if (dh_dtype_is_float(dtype)) return (type){"float", 16, 2, 4};
    return (type){dtype == DH_U64 ? "ulong" : "long", 8, 2, 8};
}

int64_t dh__cl_columns(dh_dtype dtype)
{
    type t = type_of(dtype);
    return t.lanes * t.vectors;
}

const char *dh__cl_gemm_options(char *buffer, size_t size, dh_dtype dtype)
{
    type t = type_of(dtype);
    dh__format(buffer, size, "-DX=%s -DF=%s -DV=%s%d -DLANES=%d -DVECTORS=%d -DROWS=%d%s",
               dh_dtype_name(dtype), t.name, t.name, t.lanes, t.lanes, t.vectors, DH_CL_ROWS,
               dh_dtype_is_float(dtype) ? "" : " -DWHOLE");
    return buffer;
}

static int64_t panels_of(dh_dtype dtype, bool right, int64_t lines)
{
    int64_t width = right ? dh__cl_columns(dtype) : DH_CL_ROWS;
    return (lines + width - 1) / width;
}

static int64_t matrix_of(dh_dtype dtype, bool right, int64_t lines, int64_t depth)
{
    int64_t width = right ? dh__cl_columns(dtype) : DH_CL_ROWS;
    return panels_of(dtype, right, lines) * width * depth;
}

size_t dh__cl_packed_bytes(dh_dtype dtype, bool right, int64_t batches, int64_t lines,
                           int64_t depth)
{
    size_t size = (size_t)(batches * matrix_of(dtype, right, lines, depth)) * type_of(dtype).size;
    return (size + 63) / 64 * 64;
}

dh_status dh__cl_pack(const dh_call *call, const dh__cl_side *side, bool right, int64_t batches,
                      int64_t lines, int64_t depth, void *to)
{
    char options[DH_CL_OPTIONS];
    dh_dtype dtype = side->lines.dtype;
    int64_t panels = panels_of(dtype, right, lines);
    if (side->shared) batches = 1;
    if (!batches || !panels || !depth) return DH_OK;
    dh__cl_launch l = dh__cl_begin(call, "gemm", right ? "pack_right" : "pack_left", "%s",
                                   dh__cl_gemm_options(options, sizeof options, dtype));
    dh__cl_data(&l, to, type_of(dtype).size);
    dh__cl_data(&l, side->lines.data, dh_dtype_size(dtype));
    dh__cl_line(&l, &side->batch);
    dh__cl_line(&l, &side->lines);
    dh__cl_line(&l, &side->depths);
    dh__cl_int(&l, lines);
    dh__cl_int(&l, side->first_depth);
    dh__cl_int(&l, depth);
    dh__cl_int(&l, panels);
    return dh__cl_each(&l, batches * panels * depth);
}

static const char *given(const void *what, const char *option)
{
    return what ? option : "";
}

static int64_t step_of(const dh_view *bias)
{
    return bias ? bias->stride[0] : 0;
}

dh_status dh__cl_multiply(const dh_call *call, const dh__cl_product *p, const void *left,
                          bool left_shared, const void *right, bool right_shared)
{
    char options[DH_CL_OPTIONS];
    type t = type_of(p->dtype);
    const dh_view *bias = p->row_bias ? p->row_bias : p->column_bias;
    size_t size = dh_dtype_size(p->dtype);
    int64_t groups = (p->rows + DH_CL_ROWS * GROUP - 1) / (DH_CL_ROWS * GROUP);
    if (!p->batches || !p->rows || !p->columns) return DH_OK;
    dh__cl_launch l =
        dh__cl_begin(call, "gemm", "multiply", "%s%s%s%s%s%s",
                     dh__cl_gemm_options(options, sizeof options, p->dtype),
                     p->accumulate ? " -DACCUMULATE" : "", given(p->scale, " -DROW_SCALE"),
                     given(p->row_bias, " -DROW_BIAS"), given(p->column_bias, " -DCOLUMN_BIAS"),
                     given(p->add, " -DADD"));
    dh__cl_data(&l, left, t.size);
    dh__cl_int(&l, left_shared ? 0 : matrix_of(p->dtype, false, p->rows, p->depth));
    dh__cl_data(&l, right, t.size);
    dh__cl_int(&l, right_shared ? 0 : matrix_of(p->dtype, true, p->columns, p->depth));
    dh__cl_int(&l, p->depth);
    dh__cl_data(&l, p->row.data, size);
    dh__cl_line(&l, &p->batch);
    dh__cl_line(&l, &p->row);
    dh__cl_line(&l, &p->column);
    dh__cl_int(&l, p->rows);
    dh__cl_int(&l, p->first_column);
    dh__cl_int(&l, p->columns);
    dh__cl_data(&l, p->scale, t.size);
    dh__cl_data(&l, bias ? bias->data : NULL, size);
    dh__cl_int(&l, step_of(bias));
    dh__cl_data(&l, p->add ? p->add->data : NULL, size);
    dh__cl_line(&l, &p->add_row);
    dh__cl_line(&l, &p->add_column);
    dh__cl_int(&l, (int64_t)p->act);
    if (dh_dtype_is_float(p->dtype))
        dh__cl_number(&l, p->dtype, p->alpha);
    else
        dh__cl_int(&l, 0);
    return dh__cl_run(&l,
                      (const size_t[3]){(size_t)(groups * GROUP),
                                        (size_t)panels_of(p->dtype, true, p->columns),
                                        (size_t)p->batches},
                      (const size_t[3]){GROUP, 1, 1});
}
