/* SPDX-License-Identifier: MIT */
/* Reading files, whole and in places, and making directories. */
#include "file.h"

#include "base_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What has no size beforehand (a pipe, a file of /proc) is read up to here. */
static const size_t stream_limit = (size_t)1 << 30;

static dh_status fail_errno(const char *doing, const char *path, int number)
{
    dh_status status = number == ENOENT || number == ENOTDIR ? DH_ENOTFOUND : DH_EIO;
    return dh_fail(status, "%s \"%s\": %s", doing, path, dh__errno_text(number));
}

/* Reads until the end; size is what is expected, 0 where unknown. */
static dh_status read_stream(dh__bytes *out, int fd, size_t size, const char *path)
{
    size_t capacity = size ? size + 1 : 65536, used = 0; /* one more, to see the end */
    uint8_t *data = dh__alloc(capacity);
    if (!data) return DH_ENOMEM;
    for (;;) {
        ssize_t got = read(fd, data + used, capacity - used);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            int number = errno;
            dh__free(data);
            return fail_errno("read", path, number);
        }
        if (got == 0) break;
        used += (size_t)got;
        if (used < capacity) continue;
        if (used > stream_limit && used > size) {
            dh__free(data);
            return dh_fail(DH_EFORMAT, "read \"%s\": more than %zu bytes without an end", path,
                           stream_limit);
        }
        uint8_t *grown = dh__grow(data, used, capacity * 2);
        if (!grown) {
            dh__free(data);
            return DH_ENOMEM;
        }
        data = grown;
        capacity *= 2;
    }
    *out = (dh__bytes){.data = data, .size = used};
    return DH_OK;
}

/* Opens path; *size is that of a regular file, 0 where it is not known beforehand. */
static dh_status open_file(int *fd, size_t *size, const char *path)
{
    struct stat info;
    do *fd = open(path, O_RDONLY | O_CLOEXEC);
    while (*fd < 0 && errno == EINTR);
    if (*fd < 0) return fail_errno("open", path, errno);
    dh_status status = DH_OK;
    if (fstat(*fd, &info) != 0)
        status = fail_errno("read", path, errno);
    else if (!S_ISREG(info.st_mode) && !S_ISFIFO(info.st_mode))
        status = dh_fail(DH_EIO, "read \"%s\": it is a %s, not a file", path,
                         S_ISDIR(info.st_mode) ? "directory" : "device");
    else if ((uintmax_t)info.st_size >= PTRDIFF_MAX)
        status = dh_fail(DH_EOVERFLOW, "read \"%s\": %lld bytes do not fit into memory", path,
                         (long long)info.st_size);
    if (status) {
        (void)close(*fd);
        return status;
    }
    *size = S_ISREG(info.st_mode) ? (size_t)info.st_size : 0;
    return DH_OK;
}

dh_status dh__file_read(dh__bytes *out, const char *path)
{
    DH_REQUIRE(out && path, DH_EINVAL, "file_read: %s is NULL", out ? "path" : "out");
    int fd;
    size_t size;
    DH_TRY(open_file(&fd, &size, path));
    dh_status status = read_stream(out, fd, size, path);
    (void)close(fd);
    return status;
}

void dh__bytes_free(dh__bytes *bytes)
{
    if (!bytes) return;
    dh__free(bytes->data);
    *bytes = (dh__bytes){0};
}

dh_status dh__input_open(dh__input *out, const char *path)
{
    DH_REQUIRE(out && path, DH_EINVAL, "input_open: %s is NULL", out ? "path" : "out");
    int fd;
    size_t size;
    DH_TRY(open_file(&fd, &size, path));
    if (size > 0) {
        *out = (dh__input){.size = size, .is_file = true, .fd = fd};
        return DH_OK;
    }
    dh__bytes bytes;
    dh_status status = read_stream(&bytes, fd, 0, path);
    (void)close(fd);
    if (!status) *out = (dh__input){.data = bytes.data, .owned = bytes.data, .size = bytes.size};
    return status;
}

dh__input dh__input_memory(const void *bytes, size_t size)
{
    return (dh__input){.data = bytes, .size = size};
}

static dh_status fail_short(size_t end, size_t offset, size_t size)
{
    return dh_fail(DH_EFORMAT, "ends after %zu bytes, %zu from offset %zu were expected", end, size,
                   offset);
}

dh_status dh__input_read(const dh__input *input, void *out, size_t offset, size_t size)
{
    if (offset > input->size || size > input->size - offset)
        return fail_short(input->size, offset, size);
    if (!input->is_file) {
        if (size) memcpy(out, input->data + offset, size);
        return DH_OK;
    }
    for (size_t used = 0; used < size;) {
        size_t part = size - used < (size_t)1 << 30 ? size - used : (size_t)1 << 30;
        ssize_t got = pread(input->fd, (uint8_t *)out + used, part, (off_t)(offset + used));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return dh_fail(DH_EIO, "%zu bytes from offset %zu: %s", size, offset,
                           dh__errno_text(errno));
        if (got == 0) return fail_short(offset + used, offset, size);
        used += (size_t)got;
    }
    return DH_OK;
}

void dh__input_close(dh__input *input)
{
    if (!input) return;
    if (input->is_file) (void)close(input->fd);
    dh__free(input->owned);
    *input = (dh__input){0};
}

bool dh__file_exists(const char *path)
{
    struct stat info;
    int saved = errno;
    bool exists = path && stat(path, &info) == 0;
    errno = saved;
    return exists;
}

static dh_status make_dir(const char *path)
{
    if (mkdir(path, 0777) == 0) return DH_OK;
    int number = errno;
    struct stat info;
    /* a directory on a read-only disk answers EROFS, the root EEXIST: what counts is that it is */
    if (stat(path, &info) == 0) {
        if (S_ISDIR(info.st_mode)) return DH_OK;
        number = ENOTDIR;
    }
    return dh_fail(DH_EIO, "make_dirs \"%s\": %s", path, dh__errno_text(number));
}

dh_status dh__make_dirs(const char *path)
{
    DH_REQUIRE(path && path[0], DH_EINVAL, "make_dirs: path is %s", path ? "empty" : "NULL");
    char copy[PATH_MAX];
    size_t length = strlen(path);
    DH_REQUIRE(length < sizeof copy, DH_EINVAL, "make_dirs: path has %zu bytes, must be below %d",
               length, PATH_MAX);
    memcpy(copy, path, length + 1);
    for (size_t i = 1; i < length; i++) {
        if (copy[i] != '/' || copy[i - 1] == '/') continue;
        copy[i] = '\0';
        DH_TRY(make_dir(copy));
        copy[i] = '/';
    }
    return make_dir(copy);
}

/* --- folders --- */

typedef struct names {
    char *text; /* one behind the other, each ended by '\0' */
    size_t length;
    int count;
} names;

static dh_status add_name(names *n, const char *name)
{
    size_t size = strlen(name) + 1;
    char *grown = dh__grow(n->text, n->length, n->length + size);
    if (!grown) return DH_ENOMEM;
    n->text = grown;
    memcpy(n->text + n->length, name, size);
    n->length += size;
    n->count++;
    return DH_OK;
}

static dh_status read_dir(names *n, DIR *dir, const char *path, const char *prefix)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir); /* POSIX 2024: safe on a stream of one's own */
        if (!entry && errno) return dh_fail(DH_EIO, "read \"%s\": %s", path, dh__errno_text(errno));
        if (!entry) return DH_OK;
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0) DH_TRY(add_name(n, entry->d_name));
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

dh_status dh__dir_names(char ***out, int *count, const char *path, const char *prefix)
{
    names n = {.text = NULL};
    *out = NULL;
    *count = 0;
    DIR *dir = opendir(path);
    DH_REQUIRE(dir, errno == ENOENT ? DH_ENOTFOUND : DH_EIO, "read \"%s\": %s", path,
               dh__errno_text(errno));
    dh_status status = read_dir(&n, dir, path, prefix);
    closedir(dir);
    size_t table = (size_t)n.count * sizeof **out;
    if (!status && n.count > 0) {
        *out = dh__alloc(table + n.length);
        if (!*out) status = DH_ENOMEM;
    }
    if (*out) {
        char *text = memcpy((char *)*out + table, n.text, n.length);
        for (int i = 0; i < n.count; i++, text += strlen(text) + 1) (*out)[i] = text;
        qsort(*out, (size_t)n.count, sizeof **out, by_name);
        *count = n.count;
    }
    dh__free(n.text);
    return status;
}

dh_status dh__file_remove(const char *path)
{
    DH_REQUIRE(unlink(path) == 0 || errno == ENOENT, DH_EIO, "remove \"%s\": %s", path,
               dh__errno_text(errno));
    return DH_OK;
}
