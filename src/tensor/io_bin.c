/* SPDX-License-Identifier: MIT */
/* EDDL's .bin: i32 ndim, i32 dims[ndim], f32 data; no magic, so that the size is the only proof. */
#include <string.h>

#include "io.h"

static dh_status read_header(dh__io_block *block, const dh__input *input, const char *who,
                             const char *what)
{
    uint8_t data[4 + 4 * DH_MAX_NDIM];
    size_t size = input->size;
    *block = (dh__io_block){.who = who, .what = what, .dtype = DH_F32, .input = input};
    DH_REQUIRE(size >= 4, DH_EFORMAT, "%s \"%s\": %zu bytes, the header has at least 4", who, what,
               size);
    DH_TRY(dh__io_fetch(data, input, 0, size < sizeof data ? size : sizeof data, who, what));
    int32_t ndim = (int32_t)dh__le32(data);
    DH_REQUIRE(ndim >= 0 && ndim <= DH_MAX_NDIM, DH_EFORMAT,
               "%s \"%s\": ndim at offset 0 is %d, must be in [0, %d]", who, what, (int)ndim,
               DH_MAX_NDIM);
    block->ndim = (int)ndim;
    block->offset = 4 + 4 * (size_t)ndim;
    DH_REQUIRE(size >= block->offset, DH_EFORMAT,
               "%s \"%s\": %zu bytes, the header of %d axes has %zu", who, what, size, block->ndim,
               block->offset);
    for (int i = 0; i < block->ndim; i++) {
        int32_t n = (int32_t)dh__le32(data + 4 + 4 * i);
        DH_REQUIRE(n >= 0, DH_EFORMAT, "%s \"%s\": dims[%d] at offset %d is %d, must be at least 0",
                   who, what, i, 4 + 4 * i, (int)n);
        block->shape[i] = n;
    }
    block->size = size - block->offset;
    return DH_OK;
}

static dh_status read_whole(dh_tensor **out, const dh__input *input, const char *what)
{
    dh__io_block block;
    DH_TRY(read_header(&block, input, "tensor_load_bin", what));
    return dh__io_tensor(out, &block);
}

static dh_status read_rows(dh_tensor **out, const dh__input *input, const char *what, int64_t first,
                           int64_t last)
{
    const char *who = "tensor_load_bin_rows";
    dh__io_block block;
    size_t whole;
    DH_TRY(read_header(&block, input, who, what));
    DH_REQUIRE(block.ndim > 0, DH_ESHAPE, "%s \"%s\": a scalar has no rows", who, what);
    DH_TRY(dh__io_size(&whole, &block));
    DH_REQUIRE(whole == block.size, DH_EFORMAT,
               "%s \"%s\": the header asks for %zu bytes from offset %zu, the file has %zu", who,
               what, whole, block.offset, block.size);
    int64_t rows = block.shape[0];
    DH_REQUIRE(first >= 0 && first <= last && last <= rows, DH_EINVAL,
               "%s \"%s\": first is %lld, last is %lld, must be in [0, %lld] and in order", who,
               what, (long long)first, (long long)last, (long long)rows);
    size_t row = rows ? whole / (size_t)rows : 0; /* divides the whole, so no product overflows */
    block.shape[0] = last - first;
    block.offset += row * (size_t)first;
    block.size = row * (size_t)(last - first);
    return dh__io_tensor(out, &block);
}

dh_status dh__bin_parse(dh_tensor **out, const uint8_t *data, size_t size, const char *what)
{
    dh__input input = dh__input_memory(data, size);
    return read_whole(out, &input, what);
}

dh_status dh__bin_parse_rows(dh_tensor **out, const uint8_t *data, size_t size, const char *what,
                             int64_t first, int64_t last)
{
    dh__input input = dh__input_memory(data, size);
    return read_rows(out, &input, what, first, last);
}

dh_status dh_tensor_load_bin(dh_tensor **out, const char *path)
{
    return dh__io_load(out, path, "tensor_load_bin", read_whole);
}

dh_status dh_tensor_load_bin_rows(dh_tensor **out, const char *path, int64_t first, int64_t last)
{
    DH_NEED(out, "tensor_load_bin_rows", "out");
    DH_NEED(path, "tensor_load_bin_rows", "path");
    dh__input input;
    DH_TRY(dh__io_input(&input, path, "tensor_load_bin_rows"));
    dh_status status = read_rows(out, &input, path, first, last);
    dh__input_close(&input);
    return status;
}

static dh_status write_bin(dh__writer *writer, const dh_tensor *x, const char *path,
                           const void *payload)
{
    DH_UNUSED(payload);
    uint8_t header[4 + 4 * DH_MAX_NDIM];
    const dh_view *v = &x->view;
    dh__put_le(header, (uint64_t)v->ndim, 4);
    for (int i = 0; i < v->ndim; i++) {
        DH_REQUIRE(v->shape[i] <= INT32_MAX, DH_EOVERFLOW,
                   "tensor_save_bin \"%s\": axis %d has length %lld, the format takes up to %d",
                   path, i, (long long)v->shape[i], INT32_MAX);
        dh__put_le(header + 4 + 4 * i, (uint64_t)v->shape[i], 4);
    }
    DH_TRY(dh__write(writer, header, 4 + 4 * (size_t)v->ndim));
    return dh__io_write_data(writer, x);
}

dh_status dh_tensor_save_bin(const dh_tensor *x, const char *path)
{
    DH_NEED(x, "tensor_save_bin", "x");
    DH_REQUIRE(x->view.dtype == DH_F32, DH_EDTYPE,
               "tensor_save_bin: x is %s, the format holds f32: dh_tensor_cast first",
               dh_dtype_name(x->view.dtype));
    return dh__io_save(x, path, "tensor_save_bin", write_bin, NULL);
}
