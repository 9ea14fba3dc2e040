/* SPDX-License-Identifier: MIT */
#include "base_test.h"

#include "file.h"

static void sha_of(char hex[65], const void *bytes, size_t size, size_t step)
{
    dh__sha256 hash;
    dh__sha256_init(&hash);
    for (size_t at = 0; at < size; at += step)
        dh__sha256_add(&hash, (const char *)bytes + at, size - at < step ? size - at : step);
    dh__sha256_hex(&hash, hex);
}

/* The vectors of FIPS 180-4's examples, and one million times 'a'. */
static void sha256_vectors(void **state)
{
    (void)state;
    char hex[65];
    sha_of(hex, "", 0, 1);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha_of(hex, "abc", 3, 3);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    for (size_t step = 1; step <= 56; step++) {
        sha_of(hex, two, 56, step);
        assert_string_equal(hex,
                            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    }
    char *many = malloc(1000000);
    assert_non_null(many);
    memset(many, 'a', 1000000);
    static const size_t steps[] = {1000000, 64, 63, 65, 1};
    for (size_t i = 0; i < DH_COUNT(steps); i++) {
        sha_of(hex, many, 1000000, steps[i]);
        assert_string_equal(hex,
                            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }
    free(many);
}

static void padding_at_each_length(void **state)
{
    (void)state;
    /* each length meets another place of the padding; pieces must not matter */
    char text[130], whole[65], pieces[65], before[65] = "";
    memset(text, 'q', sizeof text);
    for (size_t size = 0; size <= sizeof text; size++) {
        sha_of(whole, text, size, sizeof text);
        sha_of(pieces, text, size, 7);
        assert_string_equal(whole, pieces);
        assert_string_not_equal(whole, before);
        memcpy(before, whole, sizeof before);
    }
    dh__sha256 hash;
    dh__sha256_init(&hash);
    dh__sha256_add(&hash, NULL, 5);
    dh__sha256_hex(&hash, whole);
    sha_of(pieces, "", 0, 1);
    assert_string_equal(whole, pieces);
}

static void crc_vectors(void **state)
{
    (void)state;
    assert_int_equal(dh__crc32(0, "123456789", 9), 0xcbf43926);
    assert_int_equal(dh__crc32(0, "", 0), 0);
    assert_int_equal(dh__crc32(0x1234, NULL, 5), 0x1234);
    uint8_t bytes[100];
    for (int i = 0; i < 100; i++) bytes[i] = (uint8_t)(i * 37);
    /* bit by bit, as the polynomial says */
    uint32_t want = ~0u;
    for (int i = 0; i < 100; i++) {
        want ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) want = want & 1 ? want >> 1 ^ 0xedb88320u : want >> 1;
    }
    want = ~want;
    for (size_t cut = 0; cut <= 100; cut++)
        assert_int_equal(dh__crc32(dh__crc32(0, bytes, cut), bytes + cut, 100 - cut), want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sha256_vectors),
                                       cmocka_unit_test(padding_at_each_length),
                                       cmocka_unit_test(crc_vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
