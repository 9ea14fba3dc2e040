/* SPDX-License-Identifier: MIT */
/* Writing zip archives of stored entries. The time is always 1980-01-01, the format's first: the
 * same tensors give the same file. */
#include <string.h>

#include "io.h"
#include "zip.h"

enum { VERSION_PLAIN = 20, VERSION_ZIP64 = 45, FLAG_UTF8 = 0x800, FIRST_DAY = 0x21 };

static void put(dh__text *text, uint64_t value, int bytes)
{
    uint8_t p[8];
    dh__put_le(p, value, bytes);
    dh__text_add_bytes(text, p, (size_t)bytes);
}

static uint32_t low_part(uint64_t value)
{
    return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

/* Version, flags, method, time, date, CRC, sizes, name length: the same in both headers. */
static void put_common(dh__text *text, const char *name, uint32_t crc, uint64_t size, bool zip64)
{
    bool ascii = true;
    for (const char *p = name; *p; p++) ascii = ascii && (unsigned char)*p < 0x80;
    put(text, zip64 ? VERSION_ZIP64 : VERSION_PLAIN, 2);
    put(text, ascii ? 0 : FLAG_UTF8, 2);
    put(text, 0, 4);
    put(text, FIRST_DAY, 2);
    put(text, crc, 4);
    put(text, low_part(size), 4);
    put(text, low_part(size), 4);
    put(text, strlen(name), 2);
}

static dh_status write_text(dh__zip_writer *zip, dh__text *text)
{
    dh_status status = dh__text_status(text);
    if (!status) status = dh__write(zip->writer, text->data, text->length);
    if (!status) zip->offset += text->length;
    dh__text_free(text);
    return status;
}

dh_status dh__zip_add(dh__zip_writer *zip, const char *name, uint32_t crc, uint64_t size)
{
    bool big = size >= UINT32_MAX, far = zip->offset >= UINT32_MAX;
    dh__text head = {0}, *d = &zip->directory;
    DH_REQUIRE(strlen(name) <= UINT16_MAX, DH_EINVAL,
               "npz_save: the name \"%.40s...\" has %zu bytes, must be at most %d", name,
               strlen(name), UINT16_MAX);
    put(d, 0x02014b50u, 4);
    put(d, VERSION_ZIP64, 2);
    put_common(d, name, crc, size, big || far);
    put(d, big || far ? 4u + (big ? 16u : 0u) + (far ? 8u : 0u) : 0u, 2);
    put(d, 0, 6); /* comment, disk, internal attributes */
    put(d, 0, 4);
    put(d, low_part(zip->offset), 4);
    dh__text_add_bytes(d, name, strlen(name));
    if (big || far) {
        put(d, 1, 2);
        put(d, (big ? 16u : 0u) + (far ? 8u : 0u), 2);
        for (int i = 0; big && i < 2; i++) put(d, size, 8);
        if (far) put(d, zip->offset, 8);
    }
    DH_TRY(dh__text_status(d));
    put(&head, 0x04034b50u, 4);
    put_common(&head, name, crc, size, big);
    put(&head, big ? 20 : 0, 2);
    dh__text_add_bytes(&head, name, strlen(name));
    if (big) {
        put(&head, 1, 2);
        put(&head, 16, 2);
        for (int i = 0; i < 2; i++) put(&head, size, 8);
    }
    DH_TRY(write_text(zip, &head));
    zip->offset += size;
    zip->count++;
    return DH_OK;
}

dh_status dh__zip_finish(dh__zip_writer *zip)
{
    uint64_t start = zip->offset, size = zip->directory.length;
    bool zip64 = start >= UINT32_MAX || size >= UINT32_MAX || zip->count >= UINT16_MAX;
    dh__text end = {0};
    if (size) DH_TRY(write_text(zip, &zip->directory));
    if (zip64) {
        uint64_t at = zip->offset;
        put(&end, 0x06064b50u, 4);
        put(&end, 44, 8); /* what follows */
        put(&end, VERSION_ZIP64, 2);
        put(&end, VERSION_ZIP64, 2);
        put(&end, 0, 8);
        for (int i = 0; i < 2; i++) put(&end, zip->count, 8);
        put(&end, size, 8);
        put(&end, start, 8);
        put(&end, 0x07064b50u, 4);
        put(&end, 0, 4);
        put(&end, at, 8);
        put(&end, 1, 4);
    }
    put(&end, 0x06054b50u, 4);
    put(&end, 0, 4);
    for (int i = 0; i < 2; i++) put(&end, zip->count < UINT16_MAX ? zip->count : UINT16_MAX, 2);
    put(&end, low_part(size), 4);
    put(&end, low_part(start), 4);
    put(&end, 0, 2);
    return write_text(zip, &end);
}

void dh__zip_writer_free(dh__zip_writer *zip)
{
    dh__text_free(&zip->directory);
}
