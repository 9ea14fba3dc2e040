/* SPDX-License-Identifier: MIT */
#include "base_test.h"

#include "file.h"
#include "png_write.h"

/* --- a reader of what the writer may write: one block of the fixed Huffman code --- */

typedef struct bit_reader {
    const uint8_t *data;
    size_t size, at; /* in bits */
} bit_reader;

static uint32_t get_bits(bit_reader *r, int count)
{
    uint32_t value = 0;
    for (int i = 0; i < count; i++, r->at++) {
        assert_true(r->at / 8 < r->size);
        value |= (uint32_t)(r->data[r->at / 8] >> (r->at % 8) & 1) << i;
    }
    return value;
}

static uint32_t get_code(bit_reader *r, int count)
{
    uint32_t value = 0;
    for (int i = 0; i < count; i++) value = value << 1 | get_bits(r, 1);
    return value;
}

/* RFC 1951, 3.2.6: the first seven bits tell which of the four ranges it is. */
static uint32_t get_symbol(bit_reader *r)
{
    uint32_t code = get_code(r, 7);
    if (code <= 0x17) return 256 + code;
    code = code << 1 | get_code(r, 1);
    if (code >= 0x30 && code <= 0xbf) return code - 0x30;
    if (code >= 0xc0 && code <= 0xc7) return 280 + code - 0xc0;
    code = code << 1 | get_code(r, 1);
    assert_true(code >= 0x190 && code <= 0x1ff);
    return 144 + code - 0x190;
}

static const uint16_t length_base[29] = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                         15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                         67, 83, 99, 115, 131, 163, 195, 227, 258};
static const uint8_t length_extra[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                         2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
static const uint16_t distance_base[30] = {
    1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
    193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};

static size_t inflate_fixed(uint8_t *out, size_t room, const uint8_t *data, size_t size)
{
    bit_reader r = {data, size, 16};
    size_t used = 0;
    assert_int_equal((data[0] * 256 + data[1]) % 31, 0);
    assert_int_equal(data[0] & 15, 8);
    assert_int_equal(get_bits(&r, 3), 3); /* last block, fixed code */
    for (uint32_t symbol; (symbol = get_symbol(&r)) != 256;) {
        if (symbol < 256) {
            assert_true(used < room);
            out[used++] = (uint8_t)symbol;
            continue;
        }
        assert_true(symbol <= 285);
        size_t length = length_base[symbol - 257] + get_bits(&r, length_extra[symbol - 257]);
        uint32_t code = get_code(&r, 5);
        assert_true(code < 30);
        size_t distance = distance_base[code] + get_bits(&r, code < 4 ? 0 : (int)code / 2 - 1);
        assert_true(distance <= used && used + length <= room);
        for (size_t i = 0; i < length; i++, used++) out[used] = out[used - distance];
    }
    size_t end = (r.at + 7) / 8;
    assert_int_equal(end + 4, size);
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < used; i++) {
        a = (a + out[i]) % 65521;
        b = (b + a) % 65521;
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(data[end + (size_t)i], (b << 16 | a) >> (24 - 8 * i) & 255);
    return used;
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Reads the file back and compares every pixel; returns its size. */
static size_t check_png(const char *path, const uint8_t *pixels, int width, int height,
                        int channels)
{
    dh__bytes file;
    assert_int_equal(dh__file_read(&file, path), DH_OK);
    assert_memory_equal(file.data, "\x89PNG\r\n\x1a\n", 8);
    uint8_t *stream = malloc(file.size);
    assert_non_null(stream);
    size_t at = 8, stream_size = 0;
    for (int chunk = 0; at < file.size; chunk++) {
        const uint8_t *p = file.data + at;
        size_t size = be32(p);
        assert_true(at + size + 12 <= file.size);
        assert_int_equal(be32(p + 8 + size), dh__crc32(0, p + 4, size + 4));
        at += size + 12;
        if (chunk == 0) {
            assert_memory_equal(p + 4, "IHDR", 4);
            assert_int_equal(be32(p + 8), width);
            assert_int_equal(be32(p + 12), height);
            assert_memory_equal(p + 16, channels == 3 ? "\x08\x02\0\0\0" : "\x08\0\0\0\0", 5);
        } else if (memcmp(p + 4, "IDAT", 4) == 0) {
            memcpy(stream + stream_size, p + 8, size);
            stream_size += size;
        } else {
            assert_memory_equal(p + 4, "IEND", 4);
            assert_int_equal(at, file.size);
        }
    }
    size_t row = (size_t)width * (size_t)channels, total = (row + 1) * (size_t)height;
    uint8_t *raw = malloc(total);
    assert_non_null(raw);
    assert_int_equal(inflate_fixed(raw, total, stream, stream_size), total);
    for (size_t y = 0; y < (size_t)height; y++) {
        assert_int_equal(raw[y * (row + 1)], 0);
        assert_memory_equal(raw + y * (row + 1) + 1, pixels + y * row, row);
    }
    free(raw);
    free(stream);
    size_t size = file.size;
    dh__bytes_free(&file);
    return size;
}

static void pixels_come_back(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1},   {2, 3},     {7, 1},    {1, 300},
                                   {259, 5}, {640, 200}, {11000, 4}};
    const char *path = test_path("image.png");
    uint8_t *pixels = malloc((size_t)11000 * 200 * 3);
    assert_non_null(pixels);
    for (size_t s = 0; s < DH_COUNT(sizes); s++)
        for (int channels = 1; channels <= 3; channels += 2)
            for (int kind = 0; kind < 4; kind++) {
                int width = sizes[s][0], height = sizes[s][1];
                size_t total = (size_t)width * (size_t)height * (size_t)channels;
                uint32_t noise = 1;
                for (size_t i = 0; i < total; i++) {
                    noise = noise * 1664525 + 1013904223;
                    pixels[i] = (uint8_t)(kind == 0   ? 255
                                          : kind == 1 ? noise >> 24
                                          : kind == 2 ? i / 37
                                                      : (noise >> 20) % 30 == 0);
                }
                assert_int_equal(dh__png_write(path, pixels, width, height, channels), DH_OK);
                size_t size = check_png(path, pixels, width, height, channels);
                if (kind == 0 && total > 10000) assert_true(size < total / 50);
            }
    free(pixels);
    assert_int_equal(unlink(path), 0);
}

static void wrong_calls_are_refused(void **state)
{
    (void)state;
    uint8_t pixel[3] = {1, 2, 3};
    const char *path = test_path("x.png");
    CHECK_FAILS(dh__png_write(NULL, pixel, 1, 1, 3), DH_EINVAL, "path is NULL");
    CHECK_FAILS(dh__png_write(path, NULL, 1, 1, 3), DH_EINVAL, "pixels is NULL");
    CHECK_FAILS(dh__png_write(path, pixel, 0, 1, 3), DH_EINVAL, "size is 0 x 1");
    CHECK_FAILS(dh__png_write(path, pixel, 1, -1, 3), DH_EINVAL, "size is 1 x -1");
    CHECK_FAILS(dh__png_write(path, pixel, 1, 1, 2), DH_EINVAL, "channels is 2");
    CHECK_FAILS(dh__png_write(test_path("no/x"), pixel, 1, 1, 3), DH_ENOTFOUND, "no/x");
    CHECK_FAILS(dh__png_write("/dev/full", pixel, 1, 1, 3), DH_EIO, "/dev/full");
    assert_false(dh__file_exists(path));
    CHECK_EACH_ALLOCATION(dh__png_write(path, pixel, 1, 1, 3), (void)0);
    assert_int_equal(unlink(path), 0);
}

static uint32_t pixel_at(const dh__canvas *canvas, int x, int y)
{
    const uint8_t *p = canvas->rgb + (y * canvas->width + x) * 3;
    return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static int count_of(const dh__canvas *canvas, uint32_t rgb)
{
    int count = 0;
    for (int y = 0; y < canvas->height; y++)
        for (int x = 0; x < canvas->width; x++) count += pixel_at(canvas, x, y) == rgb;
    return count;
}

static void canvas_draws(void **state)
{
    (void)state;
    dh__canvas c;
    assert_int_equal(dh__canvas_new(&c, 40, 30), DH_OK);
    assert_int_equal(count_of(&c, 0xffffff), 1200);
    dh__canvas_rect(&c, 5, 6, 7, 8, 0x102030);
    assert_int_equal(count_of(&c, 0x102030), 56);
    assert_true(pixel_at(&c, 5, 6) == 0x102030 && pixel_at(&c, 11, 13) == 0x102030);
    assert_true(pixel_at(&c, 12, 13) == 0xffffff && pixel_at(&c, 4, 6) == 0xffffff);
    dh__canvas_rect(&c, -1000000, 25, INT32_MAX, INT32_MAX, 0x0000ff);
    assert_int_equal(count_of(&c, 0x0000ff), 200);
    dh__canvas_rect(&c, 0, 0, -5, 5, 0);
    assert_int_equal(count_of(&c, 0), 0);
    for (int turn = 0; turn < 2; turn++) { /* both directions draw the same */
        if (turn)
            dh__canvas_line(&c, 39, 20, 0, 0, 0xff0000);
        else
            dh__canvas_line(&c, 0, 0, 39, 20, 0xff0000);
        assert_int_equal(count_of(&c, 0xff0000), 40);
        assert_true(pixel_at(&c, 0, 0) == 0xff0000 && pixel_at(&c, 39, 20) == 0xff0000);
    }
    dh__canvas_line(&c, 3, 29, 3, 0, 0x00ff00);
    assert_int_equal(count_of(&c, 0x00ff00), 30);
    dh__canvas_line(&c, 20, 22, 20, 22, 0xabcdef);
    assert_int_equal(count_of(&c, 0xabcdef), 1);
    dh__canvas_line(&c, INT32_MIN, INT32_MIN, INT32_MAX, INT32_MAX, 0x010101);
    for (int i = 0; i < 30; i++) assert_true(pixel_at(&c, i, i) == 0x010101);
    dh__canvas_line(&c, INT32_MIN, 0, INT32_MAX, INT32_MIN, 0x020202);
    dh__canvas_free(&c);
    dh__canvas_free(&c);
    dh__canvas_free(NULL);
    dh__canvas_line(NULL, 0, 0, 1, 1, 0);
    dh__canvas_rect(&c, 0, 0, 1, 1, 0);
    CHECK_FAILS(dh__canvas_new(&c, 0, 5), DH_EINVAL, "width is 0, must be in [1, 16384]");
    CHECK_FAILS(dh__canvas_new(&c, 5, 16385), DH_EINVAL, "height is 16385");
    CHECK_FAILS(dh__canvas_new(NULL, 5, 5), DH_EINVAL, "out is NULL");
    CHECK_EACH_ALLOCATION(dh__canvas_new(&c, 5, 5), dh__canvas_free(&c));
}

static void text_is_drawn(void **state)
{
    (void)state;
    dh__canvas c, big;
    assert_int_equal(dh__canvas_new(&c, 60, 12), DH_OK);
    assert_int_equal(dh__canvas_new(&big, 60, 30), DH_OK);
    assert_int_equal(dh__canvas_text(&c, 0, 0, 1, 0, "LI"), 12);
    static const char *const want[] = {"#......###.", "#.......#..", "#.......#..", "#.......#..",
                                       "#.......#..", "#.......#..", "#####..###."};
    for (int y = 0; y < 7; y++)
        for (int x = 0; x < 11; x++) assert_int_equal(pixel_at(&c, x, y) == 0, want[y][x] == '#');
    assert_int_equal(dh__canvas_text(&big, 0, 0, 3, 0, "L"), 18);
    for (int y = 0; y < 21; y++)
        for (int x = 0; x < 15; x++)
            assert_int_equal(pixel_at(&big, x, y), pixel_at(&c, x / 3, y / 3));
    /* every printable sign but the blank has a shape of its own */
    uint8_t shapes[95][60 * 12 * 3];
    for (int i = 0; i < 95; i++) {
        char text[2] = {(char)(' ' + i), '\0'};
        dh__canvas_rect(&c, 0, 0, 60, 12, 0xffffff);
        assert_int_equal(dh__canvas_text(&c, 0, 0, 1, 0, text), 6);
        memcpy(shapes[i], c.rgb, sizeof shapes[i]);
        assert_int_equal(count_of(&c, 0) > 0, i > 0);
        for (int j = 0; j < i; j++)
            assert_int_not_equal(memcmp(shapes[i], shapes[j], sizeof shapes[i]), 0);
    }
    assert_true(dh__canvas_text(&c, -7, 3, 1, 0, "clipped text that leaves the canvas") > 60);
    assert_true(dh__canvas_text(&c, 5, -3, 1000000, 0, "\xff\n") > 0);
    assert_int_equal(dh__canvas_text(&c, 0, 0, 1, 0, NULL), 0);
    assert_int_equal(dh__canvas_text(NULL, 0, 0, 1, 0, "x"), 0);
    dh__canvas_free(&c);
    dh__canvas_free(&big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_come_back), cmocka_unit_test(wrong_calls_are_refused),
        cmocka_unit_test(canvas_draws), cmocka_unit_test(text_is_drawn)};
    return cmocka_run_group_tests(tests, make_test_dir, remove_test_dir);
}
