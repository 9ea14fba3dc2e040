/* SPDX-License-Identifier: MIT */
#include "base_test.h"

#include "file.h"
#include "inflate.h"

/* gzip -9 of "deephealth " 400 times. */
static const uint8_t packed[] = {
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xed, 0xc6, 0xb1, 0x09, 0x00,
    0x30, 0x0c, 0x03, 0xb0, 0x57, 0xf2, 0x5a, 0x21, 0x01, 0x0f, 0x1d, 0x3a, 0xe4, 0x7f, 0xfa,
    0x88, 0x34, 0xa9, 0x67, 0x5e, 0xe6, 0xdc, 0x4d, 0xb5, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
    0xaa, 0xaa, 0xa6, 0x3e, 0xb0, 0x76, 0xbf, 0xde, 0x30, 0x11, 0x00, 0x00};
enum { PACKED_TEXT = 4400 };

static bool is_missing(void)
{
    uint8_t *out;
    size_t size;
    dh_status status = dh__gunzip(&out, &size, packed, sizeof packed, 10000, "x");
    if (status == DH_OK) dh__free(out);
    if (status == DH_EMISSING) assert_non_null(strstr(dh_error_text(), "zlib1g-dev"));
    return status == DH_EMISSING;
}

/* A member of one stored block. */
static size_t make_stored(uint8_t *out, const void *bytes, size_t size, uint32_t said)
{
    static const uint8_t head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1};
    size_t n = sizeof head;
    memcpy(out, head, n);
    uint32_t values[4] = {(uint32_t)size, ~(uint32_t)size, dh__crc32(0, bytes, size), said};
    for (int i = 0; i < 2; i++)
        for (int b = 0; b < 2; b++) out[n++] = (uint8_t)(values[i] >> (8 * b));
    memcpy(out + n, bytes, size);
    n += size;
    for (int i = 2; i < 4; i++)
        for (int b = 0; b < 4; b++) out[n++] = (uint8_t)(values[i] >> (8 * b));
    return n;
}

static void members_are_inflated(void **state)
{
    (void)state;
    if (is_missing()) skip();
    uint8_t *out = NULL, two[200];
    size_t size = 0, length;
    assert_int_equal(dh__gunzip(&out, &size, packed, sizeof packed, PACKED_TEXT, "x"), DH_OK);
    assert_int_equal(size, PACKED_TEXT);
    for (size_t i = 0; i < size; i++) assert_int_equal(out[i], "deephealth "[i % 11]);
    dh__free(out);
    length = make_stored(two, "hello ", 6, 6);
    length += make_stored(two + length, "world", 5, 5);
    memset(two + length, 0, 20); /* padding */
    assert_int_equal(dh__gunzip(&out, &size, two, length + 20, 100, "x"), DH_OK);
    assert_int_equal(size, 11);
    assert_memory_equal(out, "hello world", 11);
    dh__free(out);
    length = make_stored(two, "", 0, 0);
    assert_int_equal(dh__gunzip(&out, &size, two, length, 0, "x"), DH_OK);
    assert_int_equal(size, 0);
    dh__free(out);
}

/* A head goes on over members, empty ones too, and ends with the last. */
static void heads_span_members(void **state)
{
    (void)state;
    if (is_missing()) skip();
    uint8_t members[300], head[16];
    size_t length = make_stored(members, "", 0, 0), size;
    length += make_stored(members + length, "he", 2, 2);
    length += make_stored(members + length, "", 0, 0);
    length += make_stored(members + length, "llo world", 9, 9);
    memset(members + length, 0, 20);
    for (size_t want = 1; want <= sizeof head; want++) {
        size = want;
        memset(head, '?', sizeof head);
        assert_int_equal(dh__gunzip_head(head, &size, members, length + 20, "x"), DH_OK);
        assert_int_equal(size, want < 11 ? want : 11);
        assert_memory_equal(head, "hello world", size);
        assert_true(want == sizeof head || head[want] == '?');
    }
    size = sizeof head;
    CHECK_FAILS(dh__gunzip_head(head, &size, members, length - 12, "x"), DH_EFORMAT, "too early");
    members[length] = 1;
    CHECK_FAILS(dh__gunzip_head(head, &size, members, length + 20, "x"), DH_EFORMAT, "damaged");
    assert_int_equal(size, sizeof head);
}

static void damage_is_reported(void **state)
{
    (void)state;
    if (is_missing()) skip();
    uint8_t copy[sizeof packed], mark, *out = &mark, stored[200];
    size_t size = 77;
    uint64_t live = live_blocks();
    for (size_t cut = 0; cut < sizeof packed; cut++)
        CHECK_FAILS(dh__gunzip(&out, &size, packed, cut, 10000, "f.gz"), DH_EFORMAT, "f.gz");
    for (size_t limit = 0; limit < PACKED_TEXT; limit += 97)
        CHECK_FAILS(dh__gunzip(&out, &size, packed, sizeof packed, limit, "f.gz"), DH_EFORMAT,
                    "inflates to more than");
    CHECK_FAILS(dh__gunzip(&out, &size, packed, sizeof packed, PACKED_TEXT - 1, "f.gz"), DH_EFORMAT,
                "inflates to more than 4399 bytes");
    memcpy(copy, packed, sizeof packed);
    copy[sizeof packed - 6] ^= 1;
    CHECK_FAILS(dh__gunzip(&out, &size, copy, sizeof copy, 10000, "f.gz"), DH_EFORMAT, "damaged");
    copy[0] = 'P';
    CHECK_FAILS(dh__gunzip(&out, &size, copy, sizeof copy, 10000, "f.gz"), DH_EFORMAT, "damaged");
    size_t length = make_stored(stored, "text", 4, UINT32_MAX); /* lies about its size */
    CHECK_FAILS(dh__gunzip(&out, &size, stored, length, 10000, "f.gz"), DH_EFORMAT, "damaged");
    length = make_stored(stored, "text", 4, 4);
    memset(stored + length, 'x', 20);
    CHECK_FAILS(dh__gunzip(&out, &size, stored, length + 20, 10000, "f.gz"), DH_EFORMAT, "damaged");
    CHECK_FAILS(dh__gunzip(NULL, &size, packed, 50, 10, "f"), DH_EINVAL, "out is NULL");
    CHECK_FAILS(dh__gunzip(&out, NULL, packed, 50, 10, "f"), DH_EINVAL, "out_size is NULL");
    CHECK_FAILS(dh__gunzip(&out, &size, NULL, 50, 10, NULL), DH_EINVAL, "data is NULL");
    assert_ptr_equal(out, &mark);
    assert_int_equal(size, 77);
    assert_int_equal(live_blocks(), live);
}

static void failing_allocations(void **state)
{
    (void)state;
    if (is_missing()) skip();
    uint8_t *out = NULL, two[100];
    size_t size;
    CHECK_EACH_ALLOCATION(dh__gunzip(&out, &size, packed, sizeof packed, SIZE_MAX, "x"),
                          dh__free(out));
    char text[80];
    memset(text, 'a', sizeof text);
    size_t length = make_stored(two, text, 68, 1); /* says less than there is: the block grows */
    two[length - 4] = 1;
    CHECK_FAILS(dh__gunzip(&out, &size, two, length, 1000, "x"), DH_EFORMAT, "damaged");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_inflated), cmocka_unit_test(heads_span_members),
        cmocka_unit_test(damage_is_reported), cmocka_unit_test(failing_allocations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
