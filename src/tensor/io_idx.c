/* SPDX-License-Identifier: MIT */
/* idx, the format of MNIST: big-endian, plain or gzip. */
#include <string.h>

#include "inflate.h"
#include "io.h"

#define IDX_HEADER_MAX (4 + 4 * DH_MAX_NDIM)

static const char who[] = "tensor_load_idx";

static dh_dtype dtype_of(uint8_t type)
{
    switch (type) {
    case 0x08: return DH_U8;
    case 0x09: return DH_I8;
    case 0x0b: return DH_I16;
    case 0x0c: return DH_I32;
    case 0x0d: return DH_F32;
    case 0x0e: return DH_F64;
    default: return DH_DTYPE_DEFAULT;
    }
}

/* Fills dtype, shape and offset from the first bytes of the data. */
static dh_status parse_header(dh__io_block *block, const uint8_t *data, size_t size,
                              const char *what)
{
    *block = (dh__io_block){.who = who, .what = what, .big = true};
    DH_REQUIRE(size >= 4, DH_EFORMAT, "%s \"%s\": %zu bytes, the header has at least 4", who, what,
               size);
    DH_REQUIRE(data[0] == 0 && data[1] == 0, DH_EFORMAT,
               "%s \"%s\": begins with bytes %02x %02x, must be 00 00 (or gzip's 1f 8b)", who, what,
               data[0], data[1]);
    block->dtype = dtype_of(data[2]);
    DH_REQUIRE(block->dtype, DH_EFORMAT,
               "%s \"%s\": the type at offset 2 is %02x, known are 08 09 0b 0c 0d 0e", who, what,
               data[2]);
    DH_REQUIRE(data[3] <= DH_MAX_NDIM, DH_EFORMAT,
               "%s \"%s\": ndim at offset 3 is %u, must be at most %d", who, what, data[3],
               DH_MAX_NDIM);
    block->ndim = data[3];
    block->offset = 4 + 4 * (size_t)block->ndim;
    DH_REQUIRE(size >= block->offset, DH_EFORMAT,
               "%s \"%s\": %zu bytes, the header of %d axes has %zu", who, what, size, block->ndim,
               block->offset);
    for (int i = 0; i < block->ndim; i++) block->shape[i] = dh__be32(data + 4 + 4 * i);
    return DH_OK;
}

static dh_status parse_plain(dh_tensor **out, const uint8_t *data, size_t size, const char *what)
{
    dh__io_block block;
    dh__input input = dh__input_memory(data, size);
    DH_TRY(parse_header(&block, data, size, what));
    block.input = &input;
    block.size = size - block.offset;
    return dh__io_tensor(out, &block);
}

/* The header is inflated first: it says how much may come, and whether the file can hold that. */
static dh_status parse_gzip(dh_tensor **out, const uint8_t *data, size_t size, const char *what)
{
    uint8_t head[IDX_HEADER_MAX], *bytes;
    size_t head_size = sizeof head, want, most, got;
    char source[512];
    dh__io_block block;
    dh__format(source, sizeof source, "%s \"%s\"", who, what);
    DH_TRY(dh__gunzip_head(head, &head_size, data, size, source));
    DH_TRY(parse_header(&block, head, head_size, what));
    block.size = size;
    DH_TRY(dh__io_size(&want, &block));
    if (!dh__mul_size(size, DH_INFLATE_RATIO, &most)) most = SIZE_MAX;
    DH_REQUIRE(want <= most, DH_EFORMAT,
               "%s \"%s\": the header asks for %zu bytes, %zu of gzip inflate to at most %zu", who,
               what, want, size, most);
    DH_TRY(dh__from(who, dh__gunzip(&bytes, &got, data, size, want + block.offset, what)));
    dh_status status = parse_plain(out, bytes, got, what);
    dh__free(bytes);
    return status;
}

dh_status dh__idx_parse(dh_tensor **out, const uint8_t *data, size_t size, const char *what)
{
    bool gzip = size >= 2 && data[0] == 0x1f && data[1] == 0x8b;
    return gzip ? parse_gzip(out, data, size, what) : parse_plain(out, data, size, what);
}

dh_status dh_tensor_load_idx(dh_tensor **out, const char *path)
{
    DH_NEED(out, who, "out");
    DH_NEED(path, who, "path");
    dh__bytes bytes;
    DH_TRY(dh__io_read(&bytes, path, who));
    dh_status status = dh__idx_parse(out, bytes.data, bytes.size, path);
    dh__bytes_free(&bytes);
    return status;
}
