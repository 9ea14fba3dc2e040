/* SPDX-License-Identifier: MIT */
/* PNG (third edition) of 8-bit gray or RGB. Deflate (RFC 1951) with the fixed Huffman code and two
 * kinds of match: the pixel to the left again (a run) and the row above again. Both are found
 * without a search, and drawings consist of little else. */
#include "png_write.h"

#include "file.h"

#include <string.h>

enum { CHUNK_SIZE = 32768, MIN_MATCH = 3, MAX_MATCH = 258, MAX_DISTANCE = 32768, END_CODE = 256 };

typedef struct png_stream {
    dh__writer *writer;
    uint32_t adler_a, adler_b;
    uint64_t bits; /* not yet a byte; the first bit lowest */
    int bit_count;
    size_t used;
    uint8_t chunk[CHUNK_SIZE];
} png_stream;

static void put_be32(uint8_t out[4], uint32_t value)
{
    for (int i = 0; i < 4; i++) out[i] = (uint8_t)(value >> (24 - 8 * i));
}

static dh_status write_chunk(dh__writer *writer, const char type[4], const uint8_t *data,
                             size_t size)
{
    uint8_t head[8], tail[4];
    put_be32(head, (uint32_t)size);
    memcpy(head + 4, type, 4);
    uint32_t crc = dh__crc32(dh__crc32(0, head + 4, 4), data, size);
    put_be32(tail, crc);
    DH_TRY(dh__write(writer, head, sizeof head));
    DH_TRY(dh__write(writer, data, size));
    return dh__write(writer, tail, sizeof tail);
}

static void flush_chunk(png_stream *s)
{
    /* the writer remembers a failure until the commit */
    if (s->used) (void)write_chunk(s->writer, "IDAT", s->chunk, s->used);
    s->used = 0;
}

static void put_byte(png_stream *s, uint8_t byte)
{
    if (s->used == CHUNK_SIZE) flush_chunk(s);
    s->chunk[s->used++] = byte;
}

static void put_bits(png_stream *s, uint32_t value, int count)
{
    s->bits |= (uint64_t)value << s->bit_count;
    s->bit_count += count;
    for (; s->bit_count >= 8; s->bit_count -= 8, s->bits >>= 8) put_byte(s, (uint8_t)s->bits);
}

/* Huffman codes go highest bit first, everything else lowest first. */
static void put_code(png_stream *s, uint32_t code, int count)
{
    uint32_t reversed = 0;
    for (int i = 0; i < count; i++) reversed |= (code >> i & 1) << (count - 1 - i);
    put_bits(s, reversed, count);
}

/* The fixed code, RFC 1951 section 3.2.6. */
static void put_symbol(png_stream *s, uint32_t symbol)
{
    if (symbol < 144)
        put_code(s, 0x30 + symbol, 8);
    else if (symbol < 256)
        put_code(s, 0x190 + symbol - 144, 9);
    else if (symbol < 280)
        put_code(s, symbol - 256, 7);
    else
        put_code(s, 0xc0 + symbol - 280, 8);
}

/* Lengths and distances share one scheme, section 3.2.5: groups of 2^shift codes whose extra bits
 * grow by one from group to group. value counts from 0; gives the code, its extra bits and their
 * number. */
static uint32_t split_value(uint32_t value, int shift, uint32_t *extra, int *extra_count)
{
    uint32_t group = 1u << shift;
    int bits = 0;
    while (value >> bits >= 2 * group) bits++;
    *extra = value & ((1u << bits) - 1);
    *extra_count = bits;
    return (value >> bits) + (uint32_t)bits * group;
}

static void put_match(png_stream *s, uint32_t length, uint32_t distance)
{
    uint32_t extra;
    int count;
    if (length == MAX_MATCH) {
        put_symbol(s, 285); /* the one length out of the scheme */
    } else {
        uint32_t code = split_value(length - MIN_MATCH, 2, &extra, &count);
        put_symbol(s, 257 + code);
        put_bits(s, extra, count);
    }
    uint32_t code = split_value(distance - 1, 1, &extra, &count);
    put_code(s, code, 5);
    put_bits(s, extra, count);
}

static void add_adler(png_stream *s, const uint8_t *bytes, size_t size)
{
    const size_t block = 5552; /* the sums of so many bytes fit 32 bits */
    while (size > 0) {
        size_t part = size < block ? size : block;
        for (size_t i = 0; i < part; i++) {
            s->adler_a += bytes[i];
            s->adler_b += s->adler_a;
        }
        s->adler_a %= 65521;
        s->adler_b %= 65521;
        bytes += part;
        size -= part;
    }
}

static size_t match_length(const uint8_t *a, const uint8_t *b, size_t most)
{
    size_t length = 0;
    if (most > MAX_MATCH) most = MAX_MATCH;
    while (length < most && a[length] == b[length]) length++;
    return length;
}

/* One filtered row; above is NULL for the first and where it lies too far back. */
static void put_row(png_stream *s, const uint8_t *row, const uint8_t *above, size_t size,
                    size_t channels)
{
    add_adler(s, row, size);
    for (size_t i = 0; i < size;) {
        size_t distance = channels, length = 0;
        if (i > channels) length = match_length(row + i, row + i - channels, size - i);
        if (above) {
            size_t again = match_length(row + i, above + i, size - i);
            if (again > length) {
                length = again;
                distance = size;
            }
        }
        if (length >= MIN_MATCH) {
            put_match(s, (uint32_t)length, (uint32_t)distance);
            i += length;
        } else {
            put_symbol(s, row[i++]);
        }
    }
}

/* rows holds two filtered rows, each a filter byte and its pixels. */
static void put_pixels(png_stream *s, uint8_t *rows, const uint8_t *pixels, int height,
                       size_t row_size, size_t channels)
{
    size_t size = row_size + 1;
    put_byte(s, 0x78); /* zlib header: deflate, window 32 KiB */
    put_byte(s, 0x01);
    put_bits(s, 1, 1); /* the last block */
    put_bits(s, 1, 2); /* of the fixed code */
    for (int y = 0; y < height; y++) {
        uint8_t *row = rows + (size_t)(y % 2) * size;
        const uint8_t *above = rows + (size_t)(1 - y % 2) * size;
        row[0] = 0; /* filter "none" */
        memcpy(row + 1, pixels + (size_t)y * row_size, row_size);
        put_row(s, row, y > 0 && size <= MAX_DISTANCE ? above : NULL, size, channels);
    }
    put_symbol(s, END_CODE);
    if (s->bit_count) put_bits(s, 0, 8 - s->bit_count);
    uint8_t adler[4];
    put_be32(adler, s->adler_b << 16 | s->adler_a);
    for (int i = 0; i < 4; i++) put_byte(s, adler[i]);
    flush_chunk(s);
}

static dh_status write_file(png_stream *s, uint8_t *rows, const uint8_t *pixels, int width,
                            int height, size_t channels)
{
    static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    uint8_t header[13] = {0};
    put_be32(header, (uint32_t)width);
    put_be32(header + 4, (uint32_t)height);
    header[8] = 8;                     /* bits */
    header[9] = channels == 3 ? 2 : 0; /* RGB or gray */
    DH_TRY(dh__write(s->writer, signature, sizeof signature));
    DH_TRY(write_chunk(s->writer, "IHDR", header, sizeof header));
    put_pixels(s, rows, pixels, height, (size_t)width * channels, channels);
    return write_chunk(s->writer, "IEND", header, 0);
}

dh_status dh__png_write(const char *path, const uint8_t *pixels, int width, int height,
                        int channels)
{
    DH_REQUIRE(path && pixels, DH_EINVAL, "png_write: %s is NULL", path ? "pixels" : "path");
    DH_REQUIRE(width >= 1 && height >= 1, DH_EINVAL,
               "png_write \"%s\": size is %d x %d, must be at least 1 x 1", path, width, height);
    DH_REQUIRE(channels == 1 || channels == 3, DH_EINVAL,
               "png_write \"%s\": channels is %d, must be 1 or 3", path, channels);
    size_t row_size, total;
    DH_REQUIRE(dh__mul_size((size_t)width, (size_t)channels, &row_size) &&
                   dh__mul_size(row_size, (size_t)height, &total),
               DH_EOVERFLOW, "png_write \"%s\": %d x %d x %d bytes overflow a size", path, width,
               height, channels);
    uint8_t *rows = dh__calloc(2, row_size + 1);
    png_stream *s = rows ? dh__calloc(1, sizeof *s) : NULL;
    dh_status status = s ? DH_OK : DH_ENOMEM;
    if (s) s->adler_a = 1;
    if (status == DH_OK) status = dh__writer_open(&s->writer, path);
    if (status == DH_OK) {
        status = write_file(s, rows, pixels, width, height, (size_t)channels);
        if (status == DH_OK)
            status = dh__writer_commit(s->writer);
        else
            dh__writer_abort(s->writer);
    }
    dh__free(s);
    dh__free(rows);
    return status;
}
