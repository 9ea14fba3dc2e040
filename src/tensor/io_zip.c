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

static dh_status fetch(const dh__zip *zip, void *out, size_t offset, size_t size)
{
    return dh__io_fetch(out, zip->input, offset, size, who, zip->what);
}

/* The end record stands last, before a comment of known length. */
static dh_status find_end(size_t *out, uint8_t record[END_SIZE], const dh__zip *zip)
{
    size_t size = zip->input->size, most = END_SIZE + COMMENT_MAX;
    DH_REQUIRE(size >= END_SIZE, DH_EFORMAT, "%s \"%s\": %zu bytes, a zip archive has at least %d",
               who, zip->what, size, END_SIZE);
    if (most > size) most = size;
    uint8_t *tail = dh__alloc(most);
    if (!tail) return DH_ENOMEM;
    dh_status status = fetch(zip, tail, size - most, most);
    bool found = false;
    for (size_t comment = 0; !status && !found && comment <= most - END_SIZE; comment++) {
        const uint8_t *p = tail + most - END_SIZE - comment;
        found = dh__le32(p) == END_MAGIC && dh__le16(p + 20) == comment;
        if (!found) continue;
        *out = size - END_SIZE - comment;
        memcpy(record, p, END_SIZE);
    }
    dh__free(tail);
    if (status || found) return status;
    return dh_fail(DH_EFORMAT, "%s \"%s\": no end of a zip archive in %zu bytes", who, zip->what,
                   size);
}

/* What an end record says of the directory. */
typedef struct ending {
    uint64_t disks, count, size, offset;
    size_t at; /* of the record: the directory ends before it */
} ending;

/* Where a zip64 locator stands before the end record, its record takes that one's place. */
static dh_status find_end64(ending *e, const dh__zip *zip)
{
    uint8_t locator[LOCATOR_SIZE], p[END64_SIZE] = {0};
    if (e->at < LOCATOR_SIZE) return DH_OK;
    DH_TRY(fetch(zip, locator, e->at - LOCATOR_SIZE, LOCATOR_SIZE));
    if (dh__le32(locator) != LOCATOR_MAGIC) return DH_OK;
    size_t most = e->at - LOCATOR_SIZE;
    uint64_t at = dh__le64(locator + 8);
    bool fits = most >= END64_SIZE && at <= most - END64_SIZE;
    if (fits) DH_TRY(fetch(zip, p, (size_t)at, END64_SIZE));
    DH_REQUIRE(fits && dh__le32(p) == END64_MAGIC, DH_EFORMAT,
               "%s \"%s\": no zip64 end record at offset %llu", who, zip->what,
               (unsigned long long)at);
    *e = (ending){.disks = (uint64_t)dh__le32(p + 16) | dh__le32(p + 20),
                  .count = dh__le64(p + 32),
                  .size = dh__le64(p + 40),
                  .offset = dh__le64(p + 48),
                  .at = (size_t)at};
    return DH_OK;
}

static dh_status find_directory(dh__zip *zip, uint64_t *count)
{
    uint8_t p[END_SIZE] = {0};
    size_t at = 0;
    DH_TRY(find_end(&at, p, zip));
    ending e = {.disks = (uint64_t)dh__le16(p + 4) | dh__le16(p + 6),
                .count = dh__le16(p + 10),
                .size = dh__le32(p + 12),
                .offset = dh__le32(p + 16),
                .at = at};
    DH_TRY(find_end64(&e, zip));
    DH_REQUIRE(e.disks == 0, DH_EUNSUPPORTED, "%s \"%s\": the archive lies on several disks", who,
               zip->what);
    DH_REQUIRE(e.offset <= e.at && e.size <= e.at - e.offset, DH_EFORMAT,
               "%s \"%s\": the directory has %llu bytes from offset %llu, its end is at %zu", who,
               zip->what, (unsigned long long)e.size, (unsigned long long)e.offset, e.at);
    DH_REQUIRE(e.count <= e.size / RECORD_SIZE && e.count <= INT32_MAX, DH_EFORMAT,
               "%s \"%s\": %llu entries do not fit into a directory of %llu bytes", who, zip->what,
               (unsigned long long)e.count, (unsigned long long)e.size);
    zip->directory = (size_t)e.offset;
    zip->directory_size = (size_t)e.size;
    *count = e.count;
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
static dh_status parse_record(const dh__zip *zip, dh__zip_entry *e, const uint8_t *directory,
                              size_t *at, char **names)
{
    const uint8_t *p = directory + *at;
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

static dh_status parse_records(dh__zip *zip, const uint8_t *directory, uint64_t count)
{
    zip->entries = dh__calloc((size_t)count, sizeof *zip->entries);
    /* each name is shorter than its record */
    zip->names = zip->entries ? dh__alloc(zip->directory_size) : NULL;
    if (!zip->names) return DH_ENOMEM;
    size_t at = 0;
    char *names = zip->names;
    for (uint64_t i = 0; i < count; i++) {
        DH_TRY(parse_record(zip, &zip->entries[i], directory, &at, &names));
        zip->count++;
    }
    DH_REQUIRE(at == zip->directory_size, DH_EFORMAT,
               "%s \"%s\": the %d records of the directory have %zu bytes, it has %zu", who,
               zip->what, zip->count, at, zip->directory_size);
    return DH_OK;
}

dh_status dh__zip_open(dh__zip *zip, const dh__input *input, const char *what)
{
    uint64_t count = 0;
    *zip = (dh__zip){.input = input, .what = what};
    DH_TRY(find_directory(zip, &count));
    uint8_t *directory = dh__alloc(zip->directory_size);
    if (!directory) return DH_ENOMEM;
    dh_status status = fetch(zip, directory, zip->directory, zip->directory_size);
    if (!status) status = parse_records(zip, directory, count);
    dh__free(directory);
    if (status) dh__zip_close(zip);
    return status;
}

void dh__zip_close(dh__zip *zip)
{
    dh__free(zip->entries);
    dh__free(zip->names);
    *zip = (dh__zip){0};
}

/* Where the packed bytes of an entry begin. Its own header must agree with the directory. */
static dh_status find_data(size_t *out, const dh__zip *zip, const dh__zip_entry *e)
{
    static const char get[] = "npz_get";
    uint8_t p[LOCAL_SIZE] = {0};
    size_t left = zip->directory - e->local, name = strlen(e->name);
    if (left >= LOCAL_SIZE)
        DH_TRY(dh__io_fetch(p, zip->input, e->local, LOCAL_SIZE, get, zip->what));
    DH_REQUIRE(left >= LOCAL_SIZE && dh__le32(p) == LOCAL_MAGIC, DH_EFORMAT,
               "%s \"%s\": entry \"%s\" has no header at offset %zu", get, zip->what, e->name,
               e->local);
    bool same =
        dh__le16(p + 8) == e->method && dh__le16(p + 26) == name && left - LOCAL_SIZE >= name;
    if (same) {
        uint8_t *text = dh__alloc(name);
        if (!text) return DH_ENOMEM;
        dh_status status =
            dh__io_fetch(text, zip->input, e->local + LOCAL_SIZE, name, get, zip->what);
        same = !status && memcmp(text, e->name, name) == 0;
        dh__free(text);
        DH_TRY(status);
    }
    DH_REQUIRE(same, DH_EFORMAT,
               "%s \"%s\": entry \"%s\": its header at offset %zu contradicts the directory", get,
               zip->what, e->name, e->local);
    size_t start = LOCAL_SIZE + name + dh__le16(p + 28);
    DH_REQUIRE(
        start <= left && e->packed <= left - start, DH_EFORMAT,
        "%s \"%s\": entry \"%s\" has %llu bytes from offset %zu, the directory begins at %zu", get,
        zip->what, e->name, (unsigned long long)e->packed, e->local + start, zip->directory);
    *out = e->local + start;
    return DH_OK;
}

/* out becomes the bytes of an entry, from the packed ones. */
static dh_status inflate_entry(uint8_t *out, const dh__zip *zip, const dh__zip_entry *e,
                               size_t offset)
{
    char source[512];
    size_t packed = (size_t)e->packed;
    dh__format(source, sizeof source, "npz_get \"%s\": entry \"%s\"", zip->what, e->name);
    uint8_t *data = dh__alloc(packed);
    if (!data) return DH_ENOMEM;
    dh_status status = dh__io_fetch(data, zip->input, offset, packed, "npz_get", zip->what);
    if (!status) status = dh__inflate(out, (size_t)e->size, data, packed, source);
    dh__free(data);
    return status;
}

dh_status dh__zip_read(uint8_t **out, const dh__zip *zip, int index)
{
    const dh__zip_entry *e = &zip->entries[index];
    size_t offset = 0, size = (size_t)e->size;
    DH_TRY(find_data(&offset, zip, e));
    uint8_t *data = dh__alloc(size);
    if (!data) return DH_ENOMEM;
    dh_status status = e->method == DEFLATED
                           ? inflate_entry(data, zip, e, offset)
                           : dh__io_fetch(data, zip->input, offset, size, "npz_get", zip->what);
    uint32_t crc = status ? 0 : dh__crc32(0, data, size);
    if (!status && crc != e->crc)
        status = dh_fail(DH_EFORMAT,
                         "npz_get \"%s\": entry \"%s\" has CRC %08x, the directory says %08x",
                         zip->what, e->name, crc, e->crc);
    if (status)
        dh__free(data);
    else
        *out = data;
    return status;
}
