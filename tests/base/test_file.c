/* SPDX-License-Identifier: MIT */
#include "base_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

#include "file.h"

static void files_are_read(void **state)
{
    (void)state;
    const char *path = test_path("a");
    dh__bytes bytes;
    uint64_t live = live_blocks();
    write_test_file(path, "some text", 9);
    assert_int_equal(dh__file_read(&bytes, path), DH_OK);
    assert_int_equal(bytes.size, 9);
    assert_memory_equal(bytes.data, "some text", 9);
    dh__bytes_free(&bytes);
    assert_null(bytes.data);
    dh__bytes_free(&bytes);
    write_test_file(path, "", 0);
    assert_int_equal(dh__file_read(&bytes, path), DH_OK);
    assert_int_equal(bytes.size, 0);
    assert_non_null(bytes.data);
    dh__bytes_free(&bytes);
    CHECK_EACH_ALLOCATION(dh__file_read(&bytes, path), dh__bytes_free(&bytes));
    assert_true(dh__file_exists(path));
    assert_int_equal(unlink(path), 0);
    assert_false(dh__file_exists(path));
    assert_false(dh__file_exists(NULL));
    assert_int_equal(live_blocks(), live);
}

/* Another process may cut a file short at any time: what was read stays, what was not is refused.
 */
static void files_cut_short_do_no_harm(void **state)
{
    (void)state;
    enum { SIZE = 100000 };
    const char *path = test_path("cut");
    uint8_t *data = malloc(SIZE), *part = malloc(SIZE);
    assert_true(data && part);
    for (int i = 0; i < SIZE; i++) data[i] = (uint8_t)(i % 251);
    write_test_file(path, data, SIZE);
    dh__bytes bytes;
    dh__input input;
    assert_int_equal(dh__file_read(&bytes, path), DH_OK);
    assert_int_equal(dh__input_open(&input, path), DH_OK);
    assert_int_equal(input.size, SIZE);
    assert_int_equal(dh__input_read(&input, part, 70000, 30000), DH_OK);
    assert_memory_equal(part, data + 70000, 30000);
    assert_int_equal(truncate(path, 5000), 0);
    assert_int_equal(bytes.size, SIZE);
    assert_memory_equal(bytes.data, data, SIZE);
    dh__bytes_free(&bytes);
    assert_int_equal(dh__input_read(&input, part, 4000, 1000), DH_OK);
    CHECK_FAILS(dh__input_read(&input, part, 70000, 30000), DH_EFORMAT,
                "ends after 70000 bytes, 30000 from offset 70000 were expected");
    CHECK_FAILS(dh__input_read(&input, part, 4000, 1001), DH_EFORMAT, "ends after 5000 bytes");
    dh__input_close(&input);
    dh__input_close(&input);
    assert_int_equal(unlink(path), 0);
    free(part);
    free(data);
}

static void inputs_are_read_in_places(void **state)
{
    (void)state;
    dh__input input = dh__input_memory("abcdef", 6);
    char part[8] = "";
    assert_int_equal(dh__input_read(&input, part, 2, 3), DH_OK);
    assert_string_equal(part, "cde");
    assert_int_equal(dh__input_read(&input, NULL, 6, 0), DH_OK);
    CHECK_FAILS(dh__input_read(&input, part, 6, 1), DH_EFORMAT, "ends after 6 bytes");
    CHECK_FAILS(dh__input_read(&input, part, 7, 0), DH_EFORMAT, "from offset 7");
    CHECK_FAILS(dh__input_read(&input, part, 1, SIZE_MAX), DH_EFORMAT, "ends after 6 bytes");
    assert_string_equal(part, "cde");
    dh__input_close(&input);
    dh__input_close(NULL);
    const char *path = test_path("empty");
    write_test_file(path, "", 0);
    assert_int_equal(dh__input_open(&input, path), DH_OK);
    assert_int_equal(input.size, 0);
    dh__input_close(&input);
    CHECK_EACH_ALLOCATION(dh__input_open(&input, path), dh__input_close(&input));
    assert_int_equal(unlink(path), 0);
    dh__input before = {.size = 77};
    CHECK_FAILS(dh__input_open(&before, path), DH_ENOTFOUND, "empty");
    CHECK_FAILS(dh__input_open(&before, test_dir), DH_EIO, "is a directory");
    CHECK_FAILS(dh__input_open(&before, NULL), DH_EINVAL, "path is NULL");
    CHECK_FAILS(dh__input_open(NULL, "x"), DH_EINVAL, "out is NULL");
    assert_int_equal(before.size, 77);
}

static void *feed_pipe(void *path)
{
    FILE *file = fopen(path, "wb");
    for (int i = 0; file && i < 200000; i++) (void)fputc(i % 251, file);
    if (file) (void)fclose(file);
    return NULL;
}

static void pipes_are_read(void **state)
{
    (void)state;
    char *path = (char *)(uintptr_t)test_path("pipe");
    pthread_t thread;
    dh__bytes bytes;
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(pthread_create(&thread, NULL, feed_pipe, path), 0);
    assert_int_equal(dh__file_read(&bytes, path), DH_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(bytes.size, 200000);
    for (size_t i = 0; i < bytes.size; i++) assert_int_equal(bytes.data[i], i % 251);
    dh__bytes_free(&bytes);
    assert_int_equal(unlink(path), 0);
    if (dh__file_exists("/proc/self/status")) { /* has size 0 and yet a content */
        assert_int_equal(dh__file_read(&bytes, "/proc/self/status"), DH_OK);
        assert_true(bytes.size > 100);
        dh__bytes_free(&bytes);
    }
}

/* The memory that a pipe of unknown length needs on the way. */
static void a_pipe_without_memory(void **state)
{
    (void)state;
    char *path = (char *)(uintptr_t)test_path("pipe");
    void (*before)(int) = signal(SIGPIPE, SIG_IGN); /* the writer's, which finds nobody reading */
    assert_int_equal(mkfifo(path, 0600), 0);
    for (int n = 1; n <= 2; n++) {
        pthread_t thread;
        dh__bytes bytes = {.size = 77};
        uint64_t live = live_blocks();
        assert_int_equal(pthread_create(&thread, NULL, feed_pipe, path), 0);
        dh_alloc_fail_at(n);
        assert_int_equal(dh__file_read(&bytes, path), DH_ENOMEM);
        dh_alloc_fail_at(0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(bytes.size, 77);
        assert_int_equal(live_blocks(), live);
    }
    (void)signal(SIGPIPE, before);
    assert_int_equal(unlink(path), 0);
}

static void wrong_paths_are_refused(void **state)
{
    (void)state;
    dh__bytes bytes = {.size = 77};
    CHECK_FAILS(dh__file_read(&bytes, test_path("absent")), DH_ENOTFOUND, "absent");
    CHECK_FAILS(dh__file_read(&bytes, test_dir), DH_EIO, "is a directory");
    CHECK_FAILS(dh__file_read(&bytes, "/dev/zero"), DH_EIO, "is a device");
    if (dh__file_exists("/proc/self/mem")) /* opens, and holds nothing at its start */
        CHECK_FAILS(dh__file_read(&bytes, "/proc/self/mem"), DH_EIO, "read \"/proc/self/mem\": ");
    CHECK_FAILS(dh__file_read(&bytes, ""), DH_ENOTFOUND, "open \"\"");
    CHECK_FAILS(dh__file_read(&bytes, NULL), DH_EINVAL, "path is NULL");
    CHECK_FAILS(dh__file_read(NULL, "x"), DH_EINVAL, "out is NULL");
    assert_int_equal(bytes.size, 77);
    dh__bytes_free(NULL);
    if (geteuid() != 0) {
        const char *path = test_path("secret");
        write_test_file(path, "x", 1);
        assert_int_equal(chmod(path, 0), 0);
        CHECK_FAILS(dh__file_read(&bytes, path), DH_EIO, "denied");
        assert_int_equal(unlink(path), 0);
    }
}

static void directories_are_made(void **state)
{
    (void)state;
    const char *deep = test_path("x/y//z/");
    assert_int_equal(dh__make_dirs(deep), DH_OK);
    assert_int_equal(dh__make_dirs(deep), DH_OK);
    assert_true(dh__file_exists(test_path("x/y/z")));
    assert_int_equal(dh__make_dirs("/"), DH_OK);
    assert_int_equal(dh__make_dirs("."), DH_OK);
    write_test_file(test_path("x/f"), "", 0);
    CHECK_FAILS(dh__make_dirs(test_path("x/f")), DH_EIO, "Not a directory");
    CHECK_FAILS(dh__make_dirs(test_path("x/f/g")), DH_EIO, "Not a directory");
    CHECK_FAILS(dh__make_dirs(""), DH_EINVAL, "empty");
    CHECK_FAILS(dh__make_dirs(NULL), DH_EINVAL, "NULL");
    char longest[6000];
    memset(longest, 'd', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    CHECK_FAILS(dh__make_dirs(longest), DH_EINVAL, "5999 bytes");
    assert_int_equal(unlink(test_path("x/f")), 0);
    assert_int_equal(rmdir(test_path("x/y/z")), 0);
    assert_int_equal(rmdir(test_path("x/y")), 0);
    assert_int_equal(rmdir(test_path("x")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read),
        cmocka_unit_test(files_cut_short_do_no_harm),
        cmocka_unit_test(inputs_are_read_in_places),
        cmocka_unit_test(pipes_are_read),
        cmocka_unit_test(a_pipe_without_memory),
        cmocka_unit_test(wrong_paths_are_refused),
        cmocka_unit_test(directories_are_made),
    };
    return cmocka_run_group_tests(tests, make_test_dir, remove_test_dir);
}
