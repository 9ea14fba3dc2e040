/* SPDX-License-Identifier: MIT */
/* Raw elements: dtype and shape are the caller's. */
#include <string.h>

#include "io.h"

static dh_status make_block(dh__io_block *block, const char *who, const char *path, dh_dtype dtype,
                            int ndim, const int64_t *shape)
{
    DH_NEED(path, who, "path");
    DH_TRY(dh__dtype_check(dtype, who));
    DH_REQUIRE(ndim >= 0 && ndim <= DH_MAX_NDIM, DH_ESHAPE, "%s: ndim is %d, must be in [0, %d]",
               who, ndim, DH_MAX_NDIM);
    DH_REQUIRE(shape || !ndim, DH_EINVAL, "%s: shape is NULL", who);
    *block = (dh__io_block){.who = who, .what = path, .dtype = dtype, .ndim = ndim};
    for (int i = 0; i < ndim; i++) {
        DH_REQUIRE(shape[i] >= 0, DH_ESHAPE, "%s: shape[%d] is %lld, must be at least 0", who, i,
                   (long long)shape[i]);
        block->shape[i] = shape[i];
    }
    return DH_OK;
}

dh_status dh__raw_parse(dh_tensor **out, const uint8_t *data, size_t size, const char *what,
                        dh_dtype dtype, int ndim, const int64_t *shape)
{
    dh__io_block block;
    dh__input input = dh__input_memory(data, size);
    DH_TRY(make_block(&block, "tensor_load_raw", what, dtype, ndim, shape));
    block.input = &input;
    block.size = size;
    return dh__io_tensor(out, &block);
}

static dh_status read_raw(dh_tensor **out, dh__io_block *block,
                          dh_status (*make)(dh_tensor **out, const dh__io_block *block))
{
    dh__input input;
    DH_TRY(dh__io_input(&input, block->what, block->who));
    block->input = &input;
    block->size = input.size;
    dh_status status = make(out, block);
    dh__input_close(&input);
    return status;
}

dh_status dh_tensor_load_raw(dh_tensor **out, const char *path, dh_dtype dtype, int ndim,
                             const int64_t *shape)
{
    DH_NEED(out, "tensor_load_raw", "out");
    dh__io_block block;
    DH_TRY(make_block(&block, "tensor_load_raw", path, dtype, ndim, shape));
    return read_raw(out, &block, dh__io_tensor);
}

dh_status dh_tensor_map_raw(dh_tensor **out, const char *path, dh_dtype dtype, int ndim,
                            const int64_t *shape)
{
    DH_NEED(out, "tensor_map_raw", "out");
    dh__io_block block;
    DH_TRY(make_block(&block, "tensor_map_raw", path, dtype, ndim, shape));
    return read_raw(out, &block, dh__io_map);
}

static dh_status write_raw(dh__writer *writer, const dh_tensor *x, const char *path,
                           const void *payload)
{
    DH_UNUSED(path);
    DH_UNUSED(payload);
    return dh__io_write_data(writer, x);
}

dh_status dh_tensor_save_raw(const dh_tensor *x, const char *path)
{
    return dh__io_save(x, path, "tensor_save_raw", write_raw, NULL);
}
