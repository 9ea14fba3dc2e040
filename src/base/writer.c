/* SPDX-License-Identifier: MIT */
/* The atomic writer: a temporary file beside the target, synced, then renamed onto it. What is no
 * regular file (a pipe, a terminal) has no place beside it, and what a descriptor has open
 * (/dev/stdout, wherever it leads) would go on being written under its old name: both are written
 * directly. */
#include "file.h"

#include "base_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER_SIZE = 65536, NAME_TRIES = 100, NAME_KEPT = 100, LINKS_MAX = 40 };

struct dh__writer {
    int fd;
    int error;   /* errno of the first failed write */
    bool direct; /* path itself is open, or a copy of the descriptor that it names */
    size_t used;
    char path[PATH_MAX];
    char temporary[PATH_MAX];
    char buffer[BUFFER_SIZE];
};

static dh_status fail_write(const dh__writer *writer, const char *doing, int number)
{
    return dh_fail(DH_EIO, "%s \"%s\": %s", doing, writer->path, dh__errno_text(number));
}

static dh_status fail_open(const char *path, int number)
{
    dh_status status = number == ENOENT || number == ENOTDIR ? DH_ENOTFOUND : DH_EIO;
    return dh_fail(status, "write \"%s\": %s", path, dh__errno_text(number));
}

enum { NO_DESCRIPTOR = -1, FOREIGN_DESCRIPTOR = -2 };

/* The descriptor of this process that path names in a folder of descriptors: /proc/PID/fd,
 * /proc/PID/task/TID/fd or a link to one, as /dev/fd is. */
static int descriptor_of(const char *path)
{
    char folder[PATH_MAX], real[PATH_MAX];
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (!name[0] || name[strspn(name, "0123456789")]) return NO_DESCRIPTOR;
    (void)dh__format(folder, sizeof folder, "%.*s", (int)(slash ? slash + 1 - path : 1),
                     slash ? path : ".");
    if (!realpath(folder, real)) return NO_DESCRIPTOR;
    size_t length = strlen(real);
    if (strncmp(real, "/proc/", 6) != 0 || strcmp(real + length - 3, "/fd") != 0)
        return NO_DESCRIPTOR;
    return strtol(real + 6, NULL, 10) == getpid() ? (int)strtol(name, NULL, 10)
                                                  : FOREIGN_DESCRIPTOR;
}

/* Where path is a symbolic link, what it names in the end, which need not be there yet; a
 * descriptor is an end. 0 or the errno of what went wrong. */
static int follow_links(char path[PATH_MAX], int *descriptor)
{
    char target[PATH_MAX];
    for (int i = 0; i < LINKS_MAX; i++) {
        ssize_t length = readlink(path, target, sizeof target);
        if (length < 0) return errno == EINVAL || errno == ENOENT ? 0 : errno; /* EINVAL: no link */
        *descriptor = descriptor_of(path);
        if (*descriptor != NO_DESCRIPTOR) return 0;
        const char *slash = strrchr(path, '/');
        size_t folder = slash && target[0] != '/' ? (size_t)(slash - path) + 1 : 0;
        if (folder + (size_t)length >= PATH_MAX) return ENAMETOOLONG;
        memcpy(path + folder, target, (size_t)length);
        path[folder + (size_t)length] = '\0';
    }
    return ELOOP;
}

static dh_status check_length(const char *path)
{
    size_t length = strlen(path);
    DH_REQUIRE(length + 32 < PATH_MAX, DH_EINVAL, "write: path has %zu bytes, must be at most %d",
               length, PATH_MAX - 33);
    return DH_OK;
}

/* Fills path, direct and, of this process's own descriptors, fd; *mode is that of a regular file
 * there, -1 where there is none. */
static dh_status resolve(dh__writer *writer, const char *path, int *mode)
{
    struct stat info;
    int descriptor = NO_DESCRIPTOR;
    DH_TRY(check_length(path));
    memcpy(writer->path, path, strlen(path) + 1);
    bool exists = stat(path, &info) == 0;
    if (!exists && errno != ENOENT) return fail_open(path, errno);
    DH_REQUIRE(!exists || !S_ISDIR(info.st_mode), DH_EIO, "write \"%s\": it is a directory", path);
    int number = follow_links(writer->path, &descriptor);
    writer->direct = exists && (!S_ISREG(info.st_mode) || descriptor != NO_DESCRIPTOR);
    writer->fd = descriptor;
    if (writer->direct) memcpy(writer->path, path, strlen(path) + 1); /* as messages name it */
    if (writer->direct) return DH_OK;
    if (number) return fail_open(path, number);
    DH_TRY(check_length(writer->path));
    /* a rename asks the folder alone: a file that may not be written would be replaced */
    if (exists && faccessat(AT_FDCWD, writer->path, W_OK, AT_EACCESS) != 0)
        return fail_open(path, errno);
    *mode = exists ? (int)(info.st_mode & 0777) : -1;
    return DH_OK;
}

/* Bytes of path that a temporary name keeps: the folder, and so much of the name that the rest fits
 * behind it on any file system; no UTF-8 character is cut. */
static int kept_length(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t length = strlen(name);
    if (length > NAME_KEPT) length = NAME_KEPT;
    while (length > 0 && ((uint8_t)name[length] & 0xc0) == 0x80) length--;
    return (int)((size_t)(name - path) + length);
}

/* Opened exclusively with mode 0666, so that the umask applies as to any new file (mkstemp gives
 * 0600, and the umask cannot be read without changing it). */
static int open_temporary(dh__writer *writer)
{
    static atomic_uint_fast64_t serial;
    int kept = kept_length(writer->path);
    for (int i = 0; i < NAME_TRIES; i++) {
        struct timespec now = {0};
        (void)clock_gettime(CLOCK_REALTIME, &now);
        uint64_t mix = (uint64_t)getpid() * UINT64_C(0x9E3779B97F4A7C15);
        mix ^= (uint64_t)now.tv_nsec << 20 ^ (uint64_t)now.tv_sec;
        mix += atomic_fetch_add(&serial, 1) * UINT64_C(0xD1B54A32D192ED03);
        (void)dh__format(writer->temporary, sizeof writer->temporary, "%.*s.%012llx.tmp", kept,
                         writer->path, (unsigned long long)(mix & UINT64_C(0xffffffffffff)));
        int fd = open(writer->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || (errno != EEXIST && errno != EINTR)) return fd;
    }
    return -1;
}

static dh_status open_target(dh__writer *writer, const char *path)
{
    int mode = -1;
    DH_TRY(resolve(writer, path, &mode));
    if (!writer->direct)
        writer->fd = open_temporary(writer);
    else if (writer->fd >= 0) /* opened anew it would begin at the file's beginning */
        writer->fd = fcntl(writer->fd, F_DUPFD_CLOEXEC, 0);
    else
        writer->fd = open(path, writer->fd == FOREIGN_DESCRIPTOR ? O_WRONLY | O_APPEND | O_CLOEXEC
                                                                 : O_WRONLY | O_CLOEXEC);
    if (writer->fd < 0) return fail_open(path, errno);
    if (mode >= 0) (void)fchmod(writer->fd, (mode_t)mode);
    return DH_OK;
}

dh_status dh__writer_open(dh__writer **out, const char *path)
{
    DH_REQUIRE(out && path && path[0], DH_EINVAL, "writer_open: %s",
               !out    ? "out is NULL"
               : !path ? "path is NULL"
                       : "path is empty");
    dh__writer *writer = dh__alloc(sizeof *writer);
    if (!writer) return DH_ENOMEM;
    memset(writer, 0, offsetof(dh__writer, path));
    writer->temporary[0] = '\0';
    dh_status status = open_target(writer, path);
    if (status != DH_OK) {
        dh__free(writer);
        return status;
    }
    *out = writer;
    return DH_OK;
}

static int write_parts(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        size_t part = size < (size_t)1 << 30 ? size : (size_t)1 << 30;
        ssize_t done = write(fd, bytes, part);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return errno ? errno : EIO;
        bytes += done;
        size -= (size_t)done;
    }
    return 0;
}

static void write_out(dh__writer *writer, const char *bytes, size_t size)
{
    dh__sigpipe held = {0};
    if (writer->error) return;
    if (writer->direct) dh__sigpipe_hold(&held);
    writer->error = write_parts(writer->fd, bytes, size);
    dh__sigpipe_release(&held);
}

static void flush(dh__writer *writer)
{
    write_out(writer, writer->buffer, writer->used);
    writer->used = 0;
}

dh_status dh__write(dh__writer *writer, const void *bytes, size_t size)
{
    DH_REQUIRE(writer && (bytes || size == 0), DH_EINVAL, "write: %s is NULL",
               writer ? "bytes" : "writer");
    if (writer->error == 0 && size > 0) {
        if (size > BUFFER_SIZE - writer->used) flush(writer);
        if (size >= BUFFER_SIZE) {
            write_out(writer, bytes, size);
        } else {
            memcpy(writer->buffer + writer->used, bytes, size);
            writer->used += size;
        }
    }
    return writer->error ? fail_write(writer, "write", writer->error) : DH_OK;
}

dh_status dh__write_text(dh__writer *writer, const char *format, ...)
{
    DH_REQUIRE(writer && format, DH_EINVAL, "write_text: %s is NULL", writer ? "format" : "writer");
    dh__text text = {0};
    va_list args;
    va_start(args, format);
    dh__text_vadd(&text, format, args);
    va_end(args);
    dh_status status = dh__text_status(&text);
    if (status == DH_OK)
        status = dh__write(writer, text.data, text.length);
    else if (writer->error == 0)
        writer->error = ENOMEM; /* a hole in the file is no success */
    dh__text_free(&text);
    return status;
}

/* The entry of a renamed file is safe only once its directory is written. Some file systems cannot
 * sync a directory; only a failing disk counts. */
static int sync_directory(const char *path)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t length = slash == path ? 1 : slash ? (size_t)(slash - path) : 1;
    memcpy(directory, slash ? path : ".", length);
    directory[length] = '\0';
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return 0;
    int number = fsync(fd) == 0 ? 0 : errno;
    (void)close(fd);
    return number == EIO ? EIO : 0;
}

static void close_file(dh__writer *writer)
{
    if (close(writer->fd) != 0 && errno != EINTR && writer->error == 0) writer->error = errno;
}

dh_status dh__writer_commit(dh__writer *writer)
{
    DH_REQUIRE(writer, DH_EINVAL, "writer_commit: writer is NULL");
    flush(writer);
    if (writer->error == 0 && !writer->direct && fsync(writer->fd) != 0) writer->error = errno;
    close_file(writer);
    if (!writer->direct) {
        if (writer->error == 0 && rename(writer->temporary, writer->path) != 0)
            writer->error = errno;
        if (writer->error)
            (void)unlink(writer->temporary);
        else
            writer->error = sync_directory(writer->path);
    }
    dh_status status = writer->error ? fail_write(writer, "write", writer->error) : DH_OK;
    dh__free(writer);
    return status;
}

void dh__writer_abort(dh__writer *writer)
{
    if (!writer) return;
    (void)close(writer->fd);
    if (!writer->direct) (void)unlink(writer->temporary);
    dh__free(writer);
}
