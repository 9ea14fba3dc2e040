/* SPDX-License-Identifier: MIT */
#include "base_test.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "file.h"

static void check_content(const char *path, const char *want)
{
    dh__bytes bytes;
    assert_int_equal(dh__file_read(&bytes, path), DH_OK);
    assert_int_equal(bytes.size, strlen(want));
    assert_memory_equal(bytes.data, want, bytes.size);
    dh__bytes_free(&bytes);
}

static dh_status write_words(const char *path, const char *word, int count)
{
    dh__writer *writer;
    DH_TRY(dh__writer_open(&writer, path));
    for (int i = 0; i < count; i++) {
        dh_status status = dh__write_text(writer, "%s", word);
        if (status != DH_OK) {
            dh__writer_abort(writer);
            return status;
        }
    }
    return dh__writer_commit(writer);
}

static void commit_replaces_and_abort_keeps(void **state)
{
    (void)state;
    const char *path = test_path("out");
    dh__writer *writer = NULL;
    assert_int_equal(write_words(path, "first", 1), DH_OK);
    check_content(path, "first");
    assert_int_equal(dh__writer_open(&writer, path), DH_OK);
    assert_int_equal(dh__write(writer, "second", 6), DH_OK);
    check_content(path, "first");
    dh__writer_abort(writer);
    check_content(path, "first");
    assert_int_equal(dh__writer_open(&writer, path), DH_OK);
    assert_int_equal(dh__write(writer, "sec", 3), DH_OK);
    assert_int_equal(dh__write(writer, NULL, 0), DH_OK);
    assert_int_equal(dh__write_text(writer, "%s %.1f", "ond", 2.5), DH_OK);
    assert_int_equal(dh__writer_commit(writer), DH_OK);
    check_content(path, "second 2.5");
    dh__writer_abort(NULL);
    assert_int_equal(unlink(path), 0);
}

static void all_sizes_arrive(void **state)
{
    (void)state;
    const char *path = test_path("big");
    static const size_t sizes[] = {1, 65535, 65536, 65537, 3, 200000, 40000, 40000};
    char *data = malloc(600000);
    assert_non_null(data);
    for (int i = 0; i < 600000; i++) data[i] = (char)(i * 31 % 127);
    dh__writer *writer = NULL;
    size_t at = 0;
    assert_int_equal(dh__writer_open(&writer, path), DH_OK);
    for (size_t i = 0; i < DH_COUNT(sizes); i++) {
        assert_int_equal(dh__write(writer, data + at, sizes[i]), DH_OK);
        at += sizes[i];
    }
    assert_int_equal(dh__writer_commit(writer), DH_OK);
    dh__bytes bytes;
    assert_int_equal(dh__file_read(&bytes, path), DH_OK);
    assert_int_equal(bytes.size, at);
    assert_memory_equal(bytes.data, data, at);
    dh__bytes_free(&bytes);
    free(data);
    assert_int_equal(unlink(path), 0);
}

static void modes_and_links(void **state)
{
    (void)state;
    const char *path = test_path("mode"), *link = test_path("link");
    struct stat info;
    mode_t before = umask(027);
    assert_int_equal(write_words(path, "a", 1), DH_OK);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    assert_int_equal(chmod(path, 0604), 0);
    assert_int_equal(write_words(path, "b", 1), DH_OK);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0604);
    (void)umask(before);
    assert_int_equal(symlink("mode", link), 0);
    assert_int_equal(write_words(link, "c", 1), DH_OK);
    check_content(path, "c");
    assert_int_equal(lstat(link, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(unlink(link), 0);
    assert_int_equal(unlink(path), 0);
}

/* Links to links, to a folder's file and to what is not there yet: what they name is written. */
static void links_are_followed(void **state)
{
    (void)state;
    static const char *const links[][2] = {
        {"l1", "l2"},         {"l2", "sub/l3"},     {"sub/l3", "../sub/there"},
        {"round1", "round2"}, {"round2", "round1"}, {"lost", "no/such/folder"}};
    struct stat info;
    char absolute[1024];
    assert_int_equal(mkdir(test_path("sub"), 0700), 0);
    for (size_t i = 0; i < DH_COUNT(links); i++)
        assert_int_equal(symlink(links[i][1], test_path(links[i][0])), 0);
    assert_int_equal(write_words(test_path("l1"), "a", 1), DH_OK);
    check_content(test_path("sub/there"), "a");
    assert_int_equal(write_words(test_path("l1"), "b", 1), DH_OK);
    check_content(test_path("sub/there"), "b");
    (void)snprintf(absolute, sizeof absolute, "%s/sub/far", test_dir);
    assert_int_equal(symlink(absolute, test_path("absolute")), 0);
    assert_int_equal(write_words(test_path("absolute"), "c", 1), DH_OK);
    check_content(absolute, "c");
    assert_int_equal(unlink(absolute), 0);
    CHECK_FAILS(write_words(test_path("round1"), "x", 1), DH_EIO, "symbolic links");
    CHECK_FAILS(write_words(test_path("lost"), "x", 1), DH_ENOTFOUND, "lost\": No such file");
    for (size_t i = 0; i < DH_COUNT(links); i++) {
        assert_int_equal(lstat(test_path(links[i][0]), &info), 0);
        assert_true(S_ISLNK(info.st_mode));
        assert_int_equal(unlink(test_path(links[i][0])), 0);
    }
    assert_int_equal(unlink(test_path("absolute")), 0);
    assert_int_equal(unlink(test_path("sub/there")), 0);
    assert_int_equal(rmdir(test_path("sub")), 0);
}

/* A file that is open stays the one that is written, behind what is in it; dir/number is its name
 * in a folder of descriptors. */
static void check_descriptor(const char *folder, bool linked)
{
    char name[64];
    struct stat before, after;
    const char *path = test_path("open"), *link = test_path("link");
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "one ", 4), 4);
    (void)snprintf(name, sizeof name, "%s/%d", folder, fd);
    if (linked) assert_int_equal(symlink(name, link), 0);
    assert_int_equal(write_words(linked ? link : name, "two ", 1), DH_OK);
    assert_int_equal(write(fd, "three", 5), 5);
    assert_int_equal(fstat(fd, &before), 0);
    assert_int_equal(stat(path, &after), 0);
    assert_true(before.st_ino == after.st_ino);
    check_content(path, "one two three");
    assert_int_equal(close(fd), 0);
    if (linked) assert_int_equal(unlink(link), 0);
    assert_int_equal(unlink(path), 0);
}

static void open_descriptors_are_written(void **state)
{
    (void)state;
    char folder[64];
    if (access("/proc/self/fd", X_OK) != 0) skip();
    (void)snprintf(folder, sizeof folder, "/proc/%ld/fd", (long)getpid());
    for (int linked = 0; linked < 2; linked++) {
        check_descriptor("/proc/self/fd", linked);
        check_descriptor("/proc/thread-self/fd", linked);
        check_descriptor("/dev/fd", linked);
        check_descriptor(folder, linked);
    }
}

/* The temporary name is never longer than a name may be, whatever the target's is. */
static void long_names_are_written(void **state)
{
    (void)state;
    char name[NAME_MAX + 2] = "";
    for (int i = 0; i < NAME_MAX - 2; i += 3) memcpy(name + i, "\xe2\x82\xac", 4);
    static const int lengths[] = {99, 102, 234, 240, 255};
    for (size_t i = 0; i < DH_COUNT(lengths); i++) {
        char part[NAME_MAX + 2];
        (void)snprintf(part, sizeof part, "%.*s", lengths[i], name);
        assert_int_equal(write_words(test_path(part), "old", 1), DH_OK);
        assert_int_equal(write_words(test_path(part), "new", 1), DH_OK);
        check_content(test_path(part), "new");
        assert_int_equal(unlink(test_path(part)), 0);
    }
    memset(name, 'n', NAME_MAX + 1);
    dh__writer *writer = NULL;
    CHECK_FAILS(dh__writer_open(&writer, test_path(name)), DH_EIO, "File name too long");
    assert_null(writer);
}

/* What open would not write, a rename must not replace. */
static void read_only_files_are_kept(void **state)
{
    (void)state;
    const char *path = test_path("fixed");
    struct stat info;
    write_test_file(path, "old", 3);
    assert_int_equal(chmod(path, 0444), 0);
    assert_int_equal(chmod(test_dir, 0777), 0);
    bool root = geteuid() == 0;
    if (root && seteuid(65534) != 0) skip(); /* root may write any file */
    dh__writer *writer = NULL;
    CHECK_FAILS(dh__writer_open(&writer, path), DH_EIO, "fixed\": Permission denied");
    assert_null(writer);
    dh_status beside = write_words(test_path("free"), "x", 1);
    if (root) assert_int_equal(seteuid(0), 0);
    assert_int_equal(beside, DH_OK);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0444);
    check_content(path, "old");
    assert_int_equal(unlink(test_path("free")), 0);
    assert_int_equal(unlink(path), 0);
}

static void *read_a_little(void *path)
{
    char bytes[100];
    int fd = open(path, O_RDONLY);
    if (fd >= 0) {
        (void)!read(fd, bytes, sizeof bytes);
        (void)close(fd);
    }
    return NULL;
}

/* A reader that goes away is an error, and SIGPIPE stays as the process has it. */
static void broken_pipes_are_reported(void **state)
{
    (void)state;
    char *path = (char *)(uintptr_t)test_path("pipe");
    pthread_t thread;
    sigset_t before, after, pending;
    void (*handler)(int) = signal(SIGPIPE, SIG_DFL);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);
    assert_int_equal(pthread_create(&thread, NULL, read_a_little, path), 0);
    CHECK_FAILS(write_words(path, "0123456789", 1000000), DH_EIO, "pipe\": Broken pipe");
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
    assert_int_equal(sigismember(&after, SIGPIPE), sigismember(&before, SIGPIPE));
    assert_int_equal(sigpending(&pending), 0);
    assert_int_equal(sigismember(&pending, SIGPIPE), 0);
    (void)signal(SIGPIPE, handler);
    assert_int_equal(unlink(path), 0);
}

static void wrong_paths_are_refused(void **state)
{
    (void)state;
    dh__writer *writer = NULL;
    uint64_t live = live_blocks();
    CHECK_FAILS(dh__writer_open(&writer, test_path("no/such/place")), DH_ENOTFOUND, "place");
    CHECK_FAILS(dh__writer_open(&writer, test_dir), DH_EIO, "is a directory");
    CHECK_FAILS(dh__writer_open(&writer, ""), DH_EINVAL, "empty");
    CHECK_FAILS(dh__writer_open(&writer, NULL), DH_EINVAL, "path is NULL");
    CHECK_FAILS(dh__writer_open(NULL, "x"), DH_EINVAL, "out is NULL");
    CHECK_FAILS(dh__write(NULL, "x", 1), DH_EINVAL, "writer is NULL");
    CHECK_FAILS(dh__write_text(NULL, "x"), DH_EINVAL, "writer is NULL");
    CHECK_FAILS(dh__writer_commit(NULL), DH_EINVAL, "writer is NULL");
    char longest[6000];
    memset(longest, 'd', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    CHECK_FAILS(dh__writer_open(&writer, longest), DH_EINVAL, "5999 bytes");
    assert_null(writer);
    assert_int_equal(live_blocks(), live);
}

static void full_device_is_reported(void **state)
{
    (void)state;
    if (!dh__file_exists("/dev/full")) skip();
    CHECK_FAILS(write_words("/dev/full", "text", 10), DH_EIO, "No space left");
    CHECK_FAILS(write_words("/dev/full", "text", 100000), DH_EIO, "No space left");
    assert_int_equal(write_words("/dev/null", "text", 10), DH_OK);
    struct stat info;
    assert_int_equal(stat("/dev/null", &info), 0);
    assert_true(S_ISCHR(info.st_mode)); /* not renamed onto */
}

/* A limit on the file size stands for a full disk: writes fail half way. */
static void full_disk_keeps_the_old_file(void **state)
{
    (void)state;
    const char *path = test_path("kept");
    struct rlimit before, low;
    assert_int_equal(write_words(path, "old", 1), DH_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    low = before;
    low.rlim_cur = 100000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    dh__writer *writer = NULL;
    dh_status opened = dh__writer_open(&writer, path), at_commit = DH_OK;
    for (int i = 0; i < 30000; i++) (void)dh__write(writer, "0123456789", 10);
    dh_error_clear();
    at_commit = dh__writer_commit(writer);
    (void)setrlimit(RLIMIT_FSIZE, &before);
    (void)signal(SIGXFSZ, handler);
    assert_int_equal(opened, DH_OK);
    assert_int_equal(at_commit, DH_EIO);
    assert_non_null(strstr(dh_error_text(), "kept\": File too large"));
    check_content(path, "old");
    assert_int_equal(unlink(path), 0); /* the temporary file is gone, else the folder stays */
}

static void failing_allocations(void **state)
{
    (void)state;
    const char *path = test_path("alloc");
    assert_int_equal(write_words(path, "old", 1), DH_OK);
    CHECK_EACH_ALLOCATION(write_words(path, "new", 1), check_content(path, "new"));
    assert_int_equal(unlink(path), 0);
    /* text that was lost for want of memory spoils the whole file */
    dh__writer *writer = NULL;
    assert_int_equal(dh__writer_open(&writer, path), DH_OK);
    dh_alloc_fail_at(1);
    assert_int_equal(dh__write_text(writer, "x"), DH_ENOMEM);
    assert_int_equal(dh__writer_commit(writer), DH_EIO);
    assert_false(dh__file_exists(path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commit_replaces_and_abort_keeps),
        cmocka_unit_test(all_sizes_arrive),
        cmocka_unit_test(modes_and_links),
        cmocka_unit_test(links_are_followed),
        cmocka_unit_test(open_descriptors_are_written),
        cmocka_unit_test(long_names_are_written),
        cmocka_unit_test(read_only_files_are_kept),
        cmocka_unit_test(broken_pipes_are_reported),
        cmocka_unit_test(wrong_paths_are_refused),
        cmocka_unit_test(full_device_is_reported),
        cmocka_unit_test(full_disk_keeps_the_old_file),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, make_test_dir, remove_test_dir);
}
