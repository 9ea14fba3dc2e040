/* SPDX-License-Identifier: MIT */
#include "io_test.h"

#include "inflate.h"

/* A zip archive made here by hand, so that the reader is not tested with the writer alone. */
typedef struct archive {
    uint8_t bytes[4096], records[1024];
    size_t size, records_size;
    int count;
} archive;

static void add(uint8_t *out, size_t *size, uint64_t value, int bytes)
{
    dh__put_le(out + *size, value, bytes);
    *size += (size_t)bytes;
}

typedef struct part {
    const char *name;
    const void *data;
    size_t packed, size;
    int method, flags;
    uint32_t crc;
    bool descriptor, zip64;
} part;

static void add_entry(archive *a, part p)
{
    size_t local = a->size, name = strlen(p.name);
    uint64_t mark = p.zip64 ? UINT32_MAX : 0;
    add(a->bytes, &a->size, 0x04034b50u, 4);
    add(a->bytes, &a->size, 20, 2);
    add(a->bytes, &a->size, (uint64_t)(p.flags | (p.descriptor ? 8 : 0)), 2);
    add(a->bytes, &a->size, (uint64_t)p.method, 2);
    add(a->bytes, &a->size, 0, 4);
    add(a->bytes, &a->size, p.descriptor ? 0 : p.crc, 4);
    add(a->bytes, &a->size, p.descriptor ? 0 : p.packed, 4);
    add(a->bytes, &a->size, p.descriptor ? 0 : p.size, 4);
    add(a->bytes, &a->size, name, 2);
    add(a->bytes, &a->size, 5, 2);
    memcpy(a->bytes + a->size, p.name, name);
    a->size += name;
    add(a->bytes, &a->size, 0x0001abcd, 4);
    add(a->bytes, &a->size, 0, 1);
    memcpy(a->bytes + a->size, p.data, p.packed);
    a->size += p.packed;
    if (p.descriptor) {
        add(a->bytes, &a->size, 0x08074b50u, 4);
        add(a->bytes, &a->size, p.crc, 4);
        add(a->bytes, &a->size, p.packed, 4);
        add(a->bytes, &a->size, p.size, 4);
    }
    uint8_t *r = a->records;
    size_t *n = &a->records_size;
    add(r, n, 0x02014b50u, 4);
    add(r, n, 20, 4);
    add(r, n, (uint64_t)(p.flags | (p.descriptor ? 8 : 0)), 2);
    add(r, n, (uint64_t)p.method, 2);
    add(r, n, 0, 4);
    add(r, n, p.crc, 4);
    add(r, n, mark ? mark : p.packed, 4);
    add(r, n, mark ? mark : p.size, 4);
    add(r, n, name, 2);
    add(r, n, p.zip64 ? 28 : 0, 2);
    add(r, n, 2, 2);
    add(r, n, 0, 8);
    add(r, n, mark ? mark : local, 4);
    memcpy(r + *n, p.name, name);
    *n += name;
    if (p.zip64) {
        add(r, n, 1, 2);
        add(r, n, 24, 2);
        add(r, n, p.size, 8);
        add(r, n, p.packed, 8);
        add(r, n, local, 8);
    }
    memcpy(r + *n, "ab", 2); /* comment */
    *n += 2;
    a->count++;
}

static void finish(archive *a, bool zip64)
{
    size_t start = a->size;
    memcpy(a->bytes + a->size, a->records, a->records_size);
    a->size += a->records_size;
    if (zip64) {
        size_t at = a->size;
        add(a->bytes, &a->size, 0x06064b50u, 4);
        add(a->bytes, &a->size, 44, 8);
        add(a->bytes, &a->size, 45, 2);
        add(a->bytes, &a->size, 45, 2);
        add(a->bytes, &a->size, 0, 8);
        add(a->bytes, &a->size, (uint64_t)a->count, 8);
        add(a->bytes, &a->size, (uint64_t)a->count, 8);
        add(a->bytes, &a->size, a->records_size, 8);
        add(a->bytes, &a->size, start, 8);
        add(a->bytes, &a->size, 0x07064b50u, 4);
        add(a->bytes, &a->size, 0, 4);
        add(a->bytes, &a->size, at, 8);
        add(a->bytes, &a->size, 1, 4);
    }
    add(a->bytes, &a->size, 0x06054b50u, 4);
    add(a->bytes, &a->size, 0, 4);
    add(a->bytes, &a->size, zip64 ? UINT16_MAX : (uint64_t)a->count, 2);
    add(a->bytes, &a->size, zip64 ? UINT16_MAX : (uint64_t)a->count, 2);
    add(a->bytes, &a->size, zip64 ? UINT32_MAX : a->records_size, 4);
    add(a->bytes, &a->size, zip64 ? UINT32_MAX : start, 4);
    add(a->bytes, &a->size, 4, 2);
    memcpy(a->bytes + a->size, "tail", 4);
    a->size += 4;
}

#define DICT "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }  "
static const uint8_t npy[] = "\x93NUMPY\x01\0\x3b\0" DICT "\x05\x06\x07";
enum { NPY_SIZE = sizeof npy - 1 };

/* One block of deflate that holds npy as it is. */
static size_t deflate_stored(uint8_t *out)
{
    size_t n = 0;
    add(out, &n, 1, 1);
    add(out, &n, NPY_SIZE, 2);
    add(out, &n, (uint64_t)(uint16_t)~NPY_SIZE, 2);
    memcpy(out + n, npy, NPY_SIZE);
    return n + NPY_SIZE;
}

static part stored(const char *name)
{
    return (part){.name = name,
                  .data = npy,
                  .packed = NPY_SIZE,
                  .size = NPY_SIZE,
                  .crc = dh__crc32(0, npy, NPY_SIZE)};
}

static part deflated(const char *name)
{
    static uint8_t bytes[NPY_SIZE + 5];
    part p = stored(name);
    p.packed = deflate_stored(bytes);
    p.data = bytes;
    p.method = 8;
    return p;
}

static bool has_zlib(void)
{
    uint8_t out;
    return dh__inflate(&out, 0, (const uint8_t *)"\x03\0", 2, "probe") != DH_EMISSING;
}

static dh_status read_npz(const uint8_t *data, size_t size, const char *what)
{
    dh_npz *npz;
    dh_tensor *t;
    DH_TRY(dh__npz_parse(&npz, data, size, what));
    dh_status status = DH_OK;
    for (int i = 0; i < dh_npz_count(npz) && !status; i++) {
        status = dh_npz_get(&t, npz, dh_npz_name(npz, i));
        if (!status) dh_tensor_free(t);
    }
    dh_npz_free(npz);
    return status;
}

static void archives_are_read(void **state)
{
    (void)state;
    bool zlib = has_zlib();
    for (int zip64 = 0; zip64 < 2; zip64++) {
        archive a = {.count = 0};
        part d = zlib ? deflated("b/x.npy") : stored("b/x.npy"), s = stored("a.npy"), note;
        d.descriptor = true;
        s.zip64 = zip64;
        note = (part){.name = "note.txt", .data = "hi", .packed = 2, .size = 2};
        add_entry(&a, s);
        add_entry(&a, note);
        add_entry(&a, d);
        finish(&a, zip64);
        dh_npz *npz;
        dh_tensor *t = NULL;
        assert_int_equal(dh_npz_open(&npz, write_file("a.npz", a.bytes, a.size)), DH_OK);
        assert_int_equal(dh_npz_count(npz), 2);
        assert_string_equal(dh_npz_name(npz, 0), "a");
        assert_string_equal(dh_npz_name(npz, 1), "b/x");
        assert_null(dh_npz_name(npz, 2));
        assert_null(dh_npz_name(npz, -1));
        EXPECT_FAIL(DH_ENAME, dh_npz_get(&t, npz, "bx"), "no array \"bx\"", "\"b/x\"");
        assert_null(t);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(dh_npz_get(&t, npz, dh_npz_name(npz, i)), DH_OK);
            expect(t, SHAPE(3), VALUES(5, 6, 7));
        }
        dh_npz_free(npz);
        EXPECT_FAIL(DH_EINVAL, dh_tensor_load(&t, in_dir("a.npz")), "holds 2 arrays", "a.npz");
        damage(read_npz, a.bytes, a.size, 1100, true);
        assert_int_equal(unlink(in_dir("a.npz")), 0);
    }
}

static void expect_refused(part p, dh_status status, const char *text)
{
    archive a = {.count = 0};
    add_entry(&a, p);
    finish(&a, false);
    assert_int_equal(read_exactly(read_npz, a.bytes, a.size, 65536 + a.size * 1100), status);
    if (!strstr(dh_error_text(), text)) fail_msg("\"%s\" lacks \"%s\"", dh_error_text(), text);
}

static void bad_entries_are_named(void **state)
{
    (void)state;
    part p = stored("x.npy");
    p.crc ^= 1;
    expect_refused(p, DH_EFORMAT, "entry \"x.npy\" has CRC");
    p = stored("x.npy");
    p.method = 12;
    expect_refused(p, DH_EUNSUPPORTED, "method 12");
    p = stored("x.npy");
    p.flags = 1;
    expect_refused(p, DH_EUNSUPPORTED, "encrypted");
    p = stored("x.npy");
    p.size++;
    expect_refused(p, DH_EFORMAT, "promises 73 bytes");
    p = (part){.name = "x.npy", .data = "ab", .packed = 2, .size = 2, .crc = 0x9e83486d};
    expect_refused(p, DH_EFORMAT, "some.file/x.npy\": too short");
    archive a = {.count = 0};
    add_entry(&a, stored("x.npy"));
    add_entry(&a, stored("x.npy"));
    finish(&a, false);
    assert_int_equal(read_exactly(read_npz, a.bytes, a.size, 65536), DH_EFORMAT);
    assert_non_null(strstr(dh_error_text(), "two arrays have the name \"x\""));
    if (!has_zlib()) return;
    p = deflated("x.npy");
    p.size--;
    expect_refused(p, DH_EFORMAT, "inflates to more than 71 bytes");
    p = deflated("x.npy");
    p.size++;
    expect_refused(p, DH_EFORMAT, "inflates to 72 bytes, must be 73");
    p = deflated("x.npy");
    p.size = 4000000;
    expect_refused(p, DH_EFORMAT, "promises 4000000 bytes, 77 packed ones give at most 79464");
}

static void inflate_is_exact(void **state)
{
    (void)state;
    if (!has_zlib()) skip();
    static const uint8_t packed[] = {0xed, 0xc1, 0x31, 0x01, 0x00, 0x00, 0x00, 0xc2,
                                     0xa0, 0xac, 0xeb, 0x5f, 0xc2, 0x14, 0x7e, 0x40,
                                     0x01, 0x00, 0x00, 0x00, 0x00, 0x6f, 0x03};
    uint8_t out[5001];
    assert_int_equal(dh__inflate(out, 5000, packed, sizeof packed, "z"), DH_OK);
    for (int i = 0; i < 5000; i++) assert_int_equal(out[i], 'a');
    for (size_t cut = 0; cut < sizeof packed; cut++)
        EXPECT_FAIL(DH_EFORMAT, dh__inflate(out, 5000, packed, cut, "z"), "z: ", "too early");
    for (size_t room = 0; room < 5000; room += 7)
        EXPECT_FAIL(DH_EFORMAT, dh__inflate(out, room, packed, sizeof packed, "z"),
                    "z: ", "inflates to more than");
    EXPECT_FAIL(DH_EFORMAT, dh__inflate(out, 5001, packed, sizeof packed, "z"), "5000", "5001");
    EXPECT_FAIL(DH_EFORMAT, dh__inflate(out, 9, (const uint8_t *)"\x07", 1, "z"), "z: ", "damaged");
    uint8_t longer[sizeof packed + 1] = {0};
    memcpy(longer, packed, sizeof packed);
    EXPECT_FAIL(DH_EFORMAT, dh__inflate(out, 5000, longer, sizeof longer, "z"), "1 bytes follow",
                "z");
}

static void written_archives_are_read(void **state)
{
    (void)state;
    const char *path = in_dir("w.npz");
    dh_tensor *a = counted(DH_F32, SHAPE(2, 3)), *b = counted(DH_BOOL, SHAPE(2)), *turned, *t;
    dh_tensor *half = counted(DH_BF16, SHAPE(1));
    assert_int_equal(dh_tensor_permute(&turned, a, NULL), DH_OK);
    const char *const names[] = {"weight", "\xc3\xa4/b", "weight"};
    const dh_tensor *const tensors[] = {turned, b, half};
    assert_int_equal(dh_npz_save(path, names, tensors, 2), DH_OK);
    EXPECT_FAIL(DH_EINVAL, dh_npz_save(path, names, tensors, 3), "names has \"weight\"", "twice");
    EXPECT_FAIL(DH_EDTYPE, dh_npz_save(path, names + 1, tensors + 1, 2), "bf16", "npz_save");
    EXPECT_FAIL(DH_EINVAL, dh_npz_save(path, NULL, tensors, 2), "names is NULL", "npz_save");
    EXPECT_FAIL(DH_EINVAL, dh_npz_save(path, names, NULL, 2), "tensors is NULL", "npz_save");
    EXPECT_FAIL(DH_EINVAL, dh_npz_save(NULL, names, tensors, 2), "path is NULL", "npz_save");
    EXPECT_FAIL(DH_EINVAL, dh_npz_save(path, names, tensors, -1), "count is -1", "npz_save");
    EXPECT_FAIL(DH_EINVAL, dh_npz_save(path, &(const char *){""}, tensors, 1), "names[0] is empty",
                "npz_save");
    EXPECT_FAIL(DH_EINVAL, dh_npz_save(path, names, &(const dh_tensor *){NULL}, 1),
                "tensors[0] (\"weight\") is NULL", "npz_save");
    dh_npz *npz;
    assert_int_equal(dh_npz_open(&npz, path), DH_OK);
    assert_int_equal(dh_npz_count(npz), 2);
    assert_int_equal(dh_npz_get(&t, npz, "weight"), DH_OK);
    expect(t, SHAPE(3, 2), VALUES(0, 3, 1, 4, 2, 5));
    assert_int_equal(dh_npz_get(&t, npz, "\xc3\xa4/b"), DH_OK);
    expect_same(t, b);
    dh_tensor_free(t);
    EXPECT_FAIL(DH_EINVAL, dh_npz_get(NULL, npz, "weight"), "out is NULL", "npz_get");
    EXPECT_FAIL(DH_EINVAL, dh_npz_get(&t, NULL, "weight"), "npz is NULL", "npz_get");
    EXPECT_FAIL(DH_EINVAL, dh_npz_get(&t, npz, NULL), "name is NULL", "npz_get");
    EXPECT_FAIL(DH_EINVAL, dh_npz_open(NULL, path), "out is NULL", "npz_open");
    EXPECT_FAIL(DH_EINVAL, dh_npz_open(&npz, NULL), "path is NULL", "npz_open");
    dh_npz_free(npz);
    dh_npz_free(NULL);
    assert_int_equal(dh_npz_count(NULL), 0);
    assert_int_equal(dh_npz_save(path, NULL, NULL, 0), DH_OK);
    assert_int_equal(dh_npz_open(&npz, path), DH_OK);
    assert_int_equal(dh_npz_count(npz), 0);
    dh_npz_free(npz);
    assert_int_equal(unlink(path), 0);
    dh_tensor_free(half);
    dh_tensor_free(turned);
    dh_tensor_free(a);
    dh_tensor_free(b);
}

/* Another process cuts the archive while it is open, at each page and a little beside it. */
static void a_cut_archive_is_an_error(void **state)
{
    (void)state;
    const char *path = in_dir("cut.npz");
    dh_tensor *large = counted(DH_F32, SHAPE(50, 101)), *t = NULL;
    assert_int_equal(dh_npz_save(path, (const char *const[]){"x"}, (const dh_tensor *[]){large}, 1),
                     DH_OK);
    for (long size = 20000; size >= 0; size -= 1000) {
        dh_npz *npz;
        assert_int_equal(
            dh_npz_save(path, (const char *const[]){"x"}, (const dh_tensor *[]){large}, 1), DH_OK);
        assert_int_equal(dh_npz_open(&npz, path), DH_OK);
        assert_int_equal(truncate(path, size), 0);
        EXPECT_FAIL(DH_EFORMAT, dh_npz_get(&t, npz, "x"), "npz_get", "cut.npz\": ends after");
        assert_null(t);
        dh_npz_free(npz);
    }
    assert_int_equal(unlink(path), 0);
    dh_tensor_free(large);
}

static dh_status work(void *context)
{
    const dh_tensor *const tensors[] = {context, context};
    dh_npz *npz = NULL;
    dh_tensor *t = NULL;
    dh_status status = dh_npz_save(in_dir("w.npz"), (const char *const[]){"a", "b"}, tensors, 2);
    if (!status) status = dh_npz_open(&npz, in_dir("w.npz"));
    if (!status) status = dh_npz_get(&t, npz, "b");
    dh_tensor_free(t);
    dh_npz_free(npz);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    dh_tensor *t = counted(DH_F32, SHAPE(2, 3));
    fail_each_allocation(work, t);
    dh_tensor_free(t);
    assert_int_equal(unlink(in_dir("w.npz")), 0);
    if (!has_zlib()) return;
    archive a = {.count = 0};
    add_entry(&a, deflated("x.npy"));
    finish(&a, false);
    for (uint64_t n = 1; n < 100; n++) {
        dh_alloc_fail_at(n);
        dh_status status = read_exactly(read_npz, a.bytes, a.size, 65536);
        dh_alloc_fail_at(0);
        if (status == DH_OK) {
            assert_true(n > 6);
            break;
        }
        assert_int_equal(status, DH_ENOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(archives_are_read),         cmocka_unit_test(bad_entries_are_named),
        cmocka_unit_test(inflate_is_exact),          cmocka_unit_test(written_archives_are_read),
        cmocka_unit_test(a_cut_archive_is_an_error), cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, open_test_dir, close_test_dir);
}
