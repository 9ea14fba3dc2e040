/* SPDX-License-Identifier: MIT */
/* Reading zip archives. Nothing is believed: each offset and size is checked against the file. */
#include <string.h>

#include "inflate.h"
#include "io.h"
#include "zip.h"

enum {
    END_SIZE = 22,
    END64_SIZE = 56,
    LOCATOR_SIZE = 20,
    RECORD_SIZE = 46,
    LOCAL_SIZE = 30,
    COMMENT_MAX = 65535,
    STORED = 0,
    DEFLATED = 8,
    FLAG_ENCRYPTED = 1
};

#define END_MAGIC     0x06054b50u
#define END64_MAGIC   0x06064b50u
#define LOCATOR_MAGIC 0x07064b50u
#define RECORD_MAGIC  0x02014b50u
#define LOCAL_MAGIC   0x04034b50u

static const char who[] = "npz_open";

/* The end record stands last, before a comment of known length. */
static dh_status find_end(size_t *out, const dh__zip *zip)
{
    DH_REQUIRE(zip->size >= END_SIZE, DH_EFORMAT,
               "%s \"%s\": %zu bytes, a zip archive has at least %d", who, zip->what, zip->size,
               END_SIZE);
    for (size_t comment = 0; comment <= COMMENT_MAX && comment <= zip->size - END_SIZE; comment++) {
        size_t at = zip->size - END_SIZE - comment;
        const uint8_t *p = zip->data + at;
        if (dh__le32(p) == END_MAGIC && dh__le16(p + 20) == comment) {
            *out = at;
            return DH_OK;
        }
    }
    return dh_fail(DH_EFORMAT, "%s \"%s\": no end of a zip archive in %zu bytes", who, zip->what,
                   zip->size);
}

/* Where the directory is, by the end record or by zip64's. */
static dh_status find_directory(dh__zip *zip, uint64_t *count)
{
    size_t end = 0;
    DH_TRY(find_end(&end, zip));
    const uint8_t *p = zip->data + end;
    uint64_t disks = (uint64_t)dh__le16(p + 4) | dh__le16(p + 6), size = dh__le32(p + 12);
    uint64_t offset = dh__le32(p + 16);
    *count = dh__le16(p + 10);
    const uint8_t *locator = end >= LOCATOR_SIZE ? p - LOCATOR_SIZE : NULL;
    if (locator && dh__le32(locator) == LOCATOR_MAGIC) {
        uint64_t at = dh__le64(locator + 8);
        DH_REQUIRE(end - LOCATOR_SIZE >= END64_SIZE && at <= end - LOCATOR_SIZE - END64_SIZE &&
                       dh__le32(zip->data + at) == END64_MAGIC,
                   DH_EFORMAT, "%s \"%s\": no zip64 end record at offset %llu", who, zip->what,
                   (unsigned long long)at);
        p = zip->data + at;
        disks = (uint64_t)dh__le32(p + 16) | dh__le32(p + 20);
        *count = dh__le64(p + 32);
        size = dh__le64(p + 40);
        offset = dh__le64(p + 48);
        end = (size_t)at;
    }
    DH_REQUIRE(disks == 0, DH_EUNSUPPORTED, "%s \"%s\": the archive lies on several disks", who,
               zip->what);
    DH_REQUIRE(offset <= end && size <= end - offset, DH_EFORMAT,
               "%s \"%s\": the directory has %llu bytes from offset %llu, its end is at %zu", who,
               zip->what, (unsigned long long)size, (unsigned long long)offset, end);
    DH_REQUIRE(*count <= size / RECORD_SIZE && *count <= INT32_MAX, DH_EFORMAT,
               "%s \"%s\": %llu entries do not fit into a directory of %llu bytes", who, zip->what,
               (unsigned long long)*count, (unsigned long long)size);
    zip->directory = (size_t)offset;
    zip->directory_size = (size_t)size;
    return DH_OK;
}

/* Sizes that do not fit 32 bits stand in an extra field, in this order, only those that are needed.
 */
static dh_status parse_zip64(const dh__zip *zip, dh__zip_entry *entry, uint64_t *local,
                             const uint8_t *extra, size_t size)
{
    uint64_t *wanted[3];
    int count = 0;
    if (entry->size == UINT32_MAX) wanted[count++] = &entry->size;
    if (entry->packed == UINT32_MAX) wanted[count++] = &entry->packed;
    if (*local == UINT32_MAX) wanted[count++] = local;
    while (count && size >= 4) {
        size_t length = dh__le16(extra + 2);
        if (length > size - 4) break;
        if (dh__le16(extra) == 1 && length >= 8 * (size_t)count) {
            for (int i = 0; i < count; i++) *wanted[i] = dh__le64(extra + 4 + 8 * i);
            return DH_OK;
        }
        extra += 4 + length;
        size -= 4 + length;
    }
    DH_REQUIRE(!count, DH_EFORMAT, "%s \"%s\": entry \"%s\" lacks its zip64 sizes", who, zip->what,
               entry->name);
    return DH_OK;
}

static dh_status check_entry(const dh__zip *zip, const dh__zip_entry *e, uint64_t local)
{
    DH_REQUIRE(!(e->flags & FLAG_ENCRYPTED), DH_EUNSUPPORTED,
               "%s \"%s\": entry \"%s\" is encrypted", who, zip->what, e->name);
    DH_REQUIRE(e->method == STORED || e->method == DEFLATED, DH_EUNSUPPORTED,
               "%s \"%s\": entry \"%s\" has method %u, known are 0 (stored) and 8 (deflated)", who,
               zip->what, e->name, e->method);
    DH_REQUIRE(
        local <= zip->directory && e->packed <= zip->directory - local, DH_EFORMAT,
        "%s \"%s\": entry \"%s\" has %llu bytes from offset %llu, the directory begins at %zu", who,
        zip->what, e->name, (unsigned long long)e->packed, (unsigned long long)local,
        zip->directory);
    uint64_t most = e->packed;
    if (e->method == DEFLATED)
        most =
            e->packed > UINT64_MAX / DH_INFLATE_RATIO ? UINT64_MAX : e->packed * DH_INFLATE_RATIO;
    DH_REQUIRE(e->size <= most && e->size < PTRDIFF_MAX && (e->method || e->size == e->packed),
               DH_EFORMAT,
               "%s \"%s\": entry \"%s\" promises %llu bytes, %llu packed ones give at most %llu",
               who, zip->what, e->name, (unsigned long long)e->size, (unsigned long long)e->packed,
               (unsigned long long)most);
    return DH_OK;
}

/* The record at *at of the directory; its name goes to *names. */
static dh_status parse_record(dh__zip *zip, dh__zip_entry *e, size_t *at, char **names)
{
    const uint8_t *p = zip->data + zip->directory + *at;
    size_t left = zip->directory_size - *at;
    DH_REQUIRE(left >= RECORD_SIZE && dh__le32(p) == RECORD_MAGIC, DH_EFORMAT,
               "%s \"%s\": no directory record at offset %zu", who, zip->what,
               zip->directory + *at);
    size_t name = dh__le16(p + 28), extra = dh__le16(p + 30);
    size_t whole = RECORD_SIZE + name + extra + dh__le16(p + 32);
    DH_REQUIRE(whole <= left, DH_EFORMAT,
               "%s \"%s\": the record at offset %zu has %zu bytes, the directory %zu more", who,
               zip->what, zip->directory + *at, whole, left);
    DH_REQUIRE(!memchr(p + RECORD_SIZE, 0, name), DH_EFORMAT,
               "%s \"%s\": the name of the record at offset %zu holds a zero byte", who, zip->what,
               zip->directory + *at);
    memcpy(*names, p + RECORD_SIZE, name);
    (*names)[name] = '\0';
    *e = (dh__zip_entry){.name = *names,
                         .flags = dh__le16(p + 8),
                         .method = dh__le16(p + 10),
                         .crc = dh__le32(p + 16),
                         .packed = dh__le32(p + 20),
                         .size = dh__le32(p + 24)};
    uint64_t local = dh__le32(p + 42);
    DH_TRY(parse_zip64(zip, e, &local, p + RECORD_SIZE + name, extra));
    DH_TRY(check_entry(zip, e, local));
    e->local = (size_t)local;
    *names += name + 1;
    *at += whole;
    return DH_OK;
}

static dh_status parse_directory(dh__zip *zip, uint64_t count)
{
    zip->entries = dh__calloc((size_t)count, sizeof *zip->entries);
    /* each name is shorter than its record */
    zip->names = zip->entries ? dh__alloc(zip->directory_size) : NULL;
    if (!zip->names) return DH_ENOMEM;
    size_t at = 0;
    char *names = zip->names;
    for (uint64_t i = 0; i < count; i++) {
        DH_TRY(parse_record(zip, &zip->entries[i], &at, &names));
        zip->count++;
    }
    DH_REQUIRE(at == zip->directory_size, DH_EFORMAT,
               "%s \"%s\": the %d records of the directory have %zu bytes, it has %zu", who,
               zip->what, zip->count, at, zip->directory_size);
    return DH_OK;
}

dh_status dh__zip_open(dh__zip *zip, const uint8_t *data, size_t size, const char *what)
{
    uint64_t count;
    *zip = (dh__zip){.data = data, .size = size, .what = what};
    DH_TRY(find_directory(zip, &count));
    dh_status status = parse_directory(zip, count);
    if (status) dh__zip_close(zip);
    return status;
}

void dh__zip_close(dh__zip *zip)
{
    dh__free(zip->entries);
    dh__free(zip->names);
    *zip = (dh__zip){0};
}

static dh_status find_data(const uint8_t **out, const dh__zip *zip, const dh__zip_entry *e)
{
    const uint8_t *p = zip->data + e->local;
    size_t left = zip->directory - e->local, name = strlen(e->name);
    DH_REQUIRE(left >= LOCAL_SIZE && dh__le32(p) == LOCAL_MAGIC, DH_EFORMAT,
               "npz_get \"%s\": entry \"%s\" has no header at offset %zu", zip->what, e->name,
               e->local);
    DH_REQUIRE(dh__le16(p + 8) == e->method && dh__le16(p + 26) == name &&
                   left - LOCAL_SIZE >= name && memcmp(p + LOCAL_SIZE, e->name, name) == 0,
               DH_EFORMAT,
               "npz_get \"%s\": entry \"%s\": its header at offset %zu contradicts the directory",
               zip->what, e->name, e->local);
    size_t start = LOCAL_SIZE + name + dh__le16(p + 28);
    DH_REQUIRE(
        start <= left && e->packed <= left - start, DH_EFORMAT,
        "npz_get \"%s\": entry \"%s\" has %llu bytes from offset %zu, the directory begins at "
        "%zu",
        zip->what, e->name, (unsigned long long)e->packed, e->local + start, zip->directory);
    *out = p + start;
    return DH_OK;
}

dh_status dh__zip_read(const uint8_t **out, uint8_t **owned, const dh__zip *zip, int index)
{
    const dh__zip_entry *e = &zip->entries[index];
    const uint8_t *data = NULL;
    uint8_t *unpacked = NULL;
    dh_status status = DH_OK;
    DH_TRY(find_data(&data, zip, e));
    if (e->method == DEFLATED) {
        char source[512];
        dh__format(source, sizeof source, "npz_get \"%s\": entry \"%s\"", zip->what, e->name);
        unpacked = dh__alloc((size_t)e->size);
        if (!unpacked) return DH_ENOMEM;
        status = dh__inflate(unpacked, (size_t)e->size, data, (size_t)e->packed, source);
        data = unpacked;
    }
    if (!status) {
        uint32_t crc = dh__crc32(0, data, (size_t)e->size);
        if (crc != e->crc)
            status = dh_fail(DH_EFORMAT,
                             "npz_get \"%s\": entry \"%s\" has CRC %08x, the directory says %08x",
                             zip->what, e->name, crc, e->crc);
    }
    if (status) {
        dh__free(unpacked);
        return status;
    }
    *out = data;
    *owned = unpacked;
    return DH_OK;
}
