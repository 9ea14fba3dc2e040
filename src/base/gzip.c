/* SPDX-License-Identifier: MIT */
/* Inflating gzip (RFC 1952) of one member or several, on zlib. */
#include "file.h"

#include <string.h>

#if defined(DH_HAVE_ZLIB) && DH_HAVE_ZLIB
#include <limits.h>
#include <zlib.h>

/* zlib's own state comes from our allocator too, so that it can fail and is counted. */
static voidpf zlib_alloc(voidpf opaque, uInt items, uInt size)
{
    DH_UNUSED(opaque);
    size_t total;
    return dh__mul_size(items, size, &total) ? dh__alloc(total) : Z_NULL;
}

static void zlib_free(voidpf opaque, voidpf block)
{
    DH_UNUSED(opaque);
    dh__free(block);
}

typedef struct gunzip_job {
    z_stream z;
    const uint8_t *data; /* what zlib has not seen yet */
    size_t left;
    uint8_t *out;
    size_t used, capacity, limit;
    const char *what;
} gunzip_job;

/* The last four bytes say how much comes out (modulo 2^32): a good first guess, but deflate packs
 * at most 1032 to 1, so that a lie costs little. */
static size_t guess_size(const uint8_t *data, size_t size, size_t limit)
{
    const uint8_t *p = data + size - 4;
    size_t said = (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
    size_t most = size > SIZE_MAX / 1032 ? SIZE_MAX : size * 1032;
    size_t guess = said < most ? said : most;
    if (guess > limit) guess = limit;
    return guess + 64; /* room left over lets zlib see the end without another block */
}

static dh_status make_room(gunzip_job *job)
{
    if (job->used < job->capacity) return DH_OK;
    /* one byte beyond the limit shows whether there is more */
    DH_REQUIRE(job->used <= job->limit, DH_EFORMAT,
               "gunzip \"%s\": inflates to more than %zu bytes", job->what, job->limit);
    size_t capacity = job->capacity > job->limit / 2 ? job->limit + 1 : job->capacity * 2;
    if (capacity <= job->used) capacity = job->used + 1;
    uint8_t *grown = dh__grow(job->out, job->used, capacity);
    if (!grown) return DH_ENOMEM;
    job->out = grown;
    job->capacity = capacity;
    return DH_OK;
}

/* Feeds and drains zlib once. */
static int step(gunzip_job *job)
{
    if (job->z.avail_in == 0 && job->left > 0) {
        job->z.avail_in = job->left < UINT_MAX ? (uInt)job->left : UINT_MAX;
        job->z.next_in = (Bytef *)(uintptr_t)job->data;
        job->data += job->z.avail_in;
        job->left -= job->z.avail_in;
    }
    size_t room = job->capacity - job->used;
    job->z.avail_out = room < UINT_MAX ? (uInt)room : UINT_MAX;
    job->z.next_out = job->out + job->used;
    uInt before = job->z.avail_out;
    int code = inflate(&job->z, Z_NO_FLUSH);
    job->used += before - job->z.avail_out;
    return code;
}

/* True where another member may follow: zeros at the end are padding, as gzip(1) takes them. */
static bool has_more(const gunzip_job *job)
{
    for (uInt i = 0; i < job->z.avail_in; i++)
        if (job->z.next_in[i]) return true;
    for (size_t i = 0; i < job->left; i++)
        if (job->data[i]) return true;
    return false;
}

static dh_status inflate_all(gunzip_job *job)
{
    for (;;) {
        DH_TRY(make_room(job));
        int code = step(job);
        if (code == Z_STREAM_END) {
            if (!has_more(job)) break;
            if (inflateReset(&job->z) != Z_OK)
                return dh_fail(DH_EINTERNAL, "gunzip \"%s\": zlib can't be reset", job->what);
            continue;
        }
        if (code == Z_MEM_ERROR) return dh_fail(DH_ENOMEM, "gunzip \"%s\": no memory", job->what);
        DH_REQUIRE(code == Z_OK || code == Z_BUF_ERROR, DH_EFORMAT,
                   "gunzip \"%s\": damaged after %zu bytes: %s", job->what, job->used,
                   job->z.msg ? job->z.msg : "no valid gzip data");
        DH_REQUIRE(job->z.avail_in > 0 || job->left > 0 || job->z.avail_out == 0, DH_EFORMAT,
                   "gunzip \"%s\": ends after %zu bytes, which is too early", job->what, job->used);
    }
    DH_REQUIRE(job->used <= job->limit, DH_EFORMAT,
               "gunzip \"%s\": inflates to more than %zu bytes", job->what, job->limit);
    return DH_OK;
}

dh_status dh__gunzip(uint8_t **out, size_t *out_size, const uint8_t *data, size_t size,
                     size_t limit, const char *what)
{
    if (!what) what = "data";
    DH_REQUIRE(out && out_size && data, DH_EINVAL, "gunzip \"%s\": %s is NULL", what,
               !out        ? "out"
               : !out_size ? "out_size"
                           : "data");
    DH_REQUIRE(size >= 18, DH_EFORMAT, "gunzip \"%s\": %zu bytes, gzip data has at least 18", what,
               size);
    if (limit > (size_t)PTRDIFF_MAX - 1) limit = (size_t)PTRDIFF_MAX - 1;
    gunzip_job job = {.data = data, .left = size, .limit = limit, .what = what};
    job.z.zalloc = zlib_alloc;
    job.z.zfree = zlib_free;
    const int gzip_only = 16;
    int code = inflateInit2(&job.z, MAX_WBITS + gzip_only);
    if (code == Z_MEM_ERROR) return DH_ENOMEM;
    DH_REQUIRE(code == Z_OK, DH_EINTERNAL, "gunzip \"%s\": zlib refuses to start (%d)", what, code);
    job.capacity = guess_size(data, size, limit);
    job.out = dh__alloc(job.capacity);
    dh_status status = job.out ? inflate_all(&job) : DH_ENOMEM;
    (void)inflateEnd(&job.z);
    if (status != DH_OK) {
        dh__free(job.out);
        return status;
    }
    *out = job.out;
    *out_size = job.used;
    return DH_OK;
}

#else

dh_status dh__gunzip(uint8_t **out, size_t *out_size, const uint8_t *data, size_t size,
                     size_t limit, const char *what)
{
    DH_UNUSED(out);
    DH_UNUSED(out_size);
    DH_UNUSED(data);
    DH_UNUSED(limit);
    return dh_fail(DH_EMISSING,
                   "gunzip \"%s\": %zu bytes can't be inflated, this build has no zlib: install "
                   "zlib1g-dev and build again",
                   what ? what : "data", size);
}

#endif
