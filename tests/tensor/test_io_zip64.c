/* SPDX-License-Identifier: MIT */
/* Archives that need zip64: more entries than 16 bits count, sizes and offsets that 32 bits do not
 * hold. The latter in a file with a hole, which takes no room on the disk. */
#include <fcntl.h>

#include "io_test.h"
#include "zip.h"

enum { MANY = 65537 };
static const uint64_t LARGE = (UINT64_C(5) << 30) + 3; /* bytes of the entry that is a hole */

static void more_entries_than_16_bits_count(void **state)
{
    (void)state;
    static char text[MANY][16];
    static const char *names[MANY];
    static const dh_tensor *tensors[MANY];
    dh_tensor *one = make(DH_F32, SHAPE(1), VALUES(7)), *got = NULL;
    dh_npz *npz;
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(text[i], sizeof text[i], "a%d", i);
        names[i] = text[i];
        tensors[i] = one;
    }
    const char *path = in_dir("many.npz");
    assert_int_equal(dh_npz_save(path, names, tensors, MANY), DH_OK);
    assert_int_equal(dh_npz_open(&npz, path), DH_OK);
    assert_int_equal(dh_npz_count(npz), MANY);
    for (int i = 0; i < MANY; i += MANY - 1) {
        assert_string_equal(dh_npz_name(npz, i), names[i]);
        assert_int_equal(dh_npz_get(&got, npz, names[i]), DH_OK);
        expect(got, SHAPE(1), VALUES(7));
    }
    dh_npz_free(npz);
    dh_tensor_free(one);
    assert_int_equal(unlink(path), 0);
}

static uint64_t le(const uint8_t *p, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--) value = value << 8 | p[i];
    return value;
}

/* The archive without the bytes of its large entry, and how many of them stand before those: an
 * entry of LARGE bytes, then one with the .npy file that npy holds. */
static uint8_t *written(size_t *size, size_t *before, const uint8_t *npy, size_t npy_size)
{
    dh__writer *writer;
    assert_int_equal(dh__writer_open(&writer, in_dir("parts")), DH_OK);
    dh__zip_writer zip = {.writer = writer};
    assert_int_equal(dh__zip_add(&zip, "large.npy", 0x12345678, LARGE), DH_OK);
    *before = (size_t)(zip.offset - LARGE);
    assert_int_equal(dh__zip_add(&zip, "far.npy", dh__crc32(0, npy, npy_size), npy_size), DH_OK);
    assert_int_equal(dh__write(writer, npy, npy_size), DH_OK);
    assert_int_equal(dh__zip_finish(&zip), DH_OK);
    dh__zip_writer_free(&zip);
    assert_int_equal(dh__writer_commit(writer), DH_OK);
    return take_file(in_dir("parts"), size);
}

static void sizes_and_offsets_beyond_32_bits(void **state)
{
    (void)state;
    dh_tensor *x = make(DH_F32, SHAPE(2), VALUES(3, -4)), *got = NULL;
    size_t npy_size, size, before;
    dh_npz *npz;
    assert_int_equal(dh_tensor_save_npy(x, in_dir("x.npy")), DH_OK);
    uint8_t *npy = take_file(in_dir("x.npy"), &npy_size);
    uint8_t *bytes = written(&size, &before, npy, npy_size);
    /* the local header: version 4.5, both sizes all ones, and the true ones in field 1 */
    assert_int_equal(le(bytes + 4, 2), 45);
    assert_int_equal(le(bytes + 18, 4), UINT32_MAX);
    assert_int_equal(le(bytes + 22, 4), UINT32_MAX);
    assert_int_equal(le(bytes + 28, 2), 20);
    const uint8_t *extra = bytes + 30 + strlen("large.npy");
    assert_int_equal(le(extra, 2), 1);
    assert_int_equal(le(extra + 2, 2), 16);
    assert_true(le(extra + 4, 8) == LARGE && le(extra + 12, 8) == LARGE);
    assert_int_equal(before, 30 + strlen("large.npy") + 20);

    const char *path = in_dir("large.npz");
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    bool room = pwrite(fd, bytes, before, 0) == (ssize_t)before &&
                pwrite(fd, bytes + before, size - before, (off_t)(before + LARGE)) ==
                    (ssize_t)(size - before);
    assert_int_equal(close(fd), 0);
    if (room) { /* not where files end at 4 GiB */
        assert_int_equal(dh_npz_open(&npz, path), DH_OK);
        assert_int_equal(dh_npz_count(npz), 2);
        assert_string_equal(dh_npz_name(npz, 0), "large");
        assert_int_equal(dh_npz_get(&got, npz, "far"), DH_OK);
        expect(got, SHAPE(2), VALUES(3, -4));
        dh_npz_free(npz);
    }
    assert_int_equal(unlink(path), 0);
    free(bytes);
    free(npy);
    dh_tensor_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_entries_than_16_bits_count),
        cmocka_unit_test(sizes_and_offsets_beyond_32_bits),
    };
    return cmocka_run_group_tests(tests, open_test_dir, close_test_dir);
}
