/* SPDX-License-Identifier: MIT */
/* Deflate (RFC 1951) into a block of known size, and gzip (RFC 1952) of one member or several into
 * one that grows; on zlib. */
#include "inflate.h"

#if defined(DH_HAVE_ZLIB) && DH_HAVE_ZLIB
#include <limits.h>
#include <zlib.h>

enum { GZIP_ONLY = 16 + MAX_WBITS }; /* as inflateInit2 takes it */

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

/* zlib counts in uInt: larger blocks are handed over in parts. */
typedef struct stream {
    z_stream z;
    const uint8_t *data; /* what zlib has not seen yet */
    size_t size;
} stream;

static dh_status begin(stream *s, int window_bits, const char *what)
{
    s->z.zalloc = zlib_alloc;
    s->z.zfree = zlib_free;
    int code = inflateInit2(&s->z, window_bits);
    if (code == Z_MEM_ERROR) return DH_ENOMEM;
    DH_REQUIRE(code == Z_OK, DH_EINTERNAL, "%s: zlib refuses to start (%d)", what, code);
    return DH_OK;
}

static uInt part_of(size_t size)
{
    return size < UINT_MAX ? (uInt)size : UINT_MAX;
}

static void feed(stream *s)
{
    if (s->z.avail_in > 0 || s->size == 0) return;
    s->z.next_in = (Bytef *)(uintptr_t)s->data;
    s->z.avail_in = part_of(s->size);
    s->data += s->z.avail_in;
    s->size -= s->z.avail_in;
}

/* --- into a block of known size --- */

typedef struct inflate_job {
    stream in;
    uint8_t *out; /* not yet handed over */
    size_t out_size;
} inflate_job;

/* Until the end of the stream (Z_STREAM_END), a full block (Z_BUF_ERROR) or an error. */
static int inflate_until(inflate_job *job)
{
    z_stream *z = &job->in.z;
    for (;;) {
        feed(&job->in);
        if (z->avail_out == 0 && job->out_size > 0) {
            z->next_out = job->out;
            z->avail_out = part_of(job->out_size);
            job->out += z->avail_out;
            job->out_size -= z->avail_out;
        }
        int code = inflate(z, Z_NO_FLUSH);
        if (code != Z_OK) return code;
    }
}

static dh_status fail_data(const stream *in, int code, size_t used, const char *what)
{
    if (code == Z_MEM_ERROR) return dh_fail(DH_ENOMEM, "%s: no memory to inflate", what);
    if (code == Z_BUF_ERROR || code == Z_OK)
        return dh_fail(DH_EFORMAT, "%s: deflate data ends after %zu bytes, which is too early",
                       what, used);
    return dh_fail(DH_EFORMAT, "%s: deflate data is damaged after %zu bytes: %s", what, used,
                   in->z.msg ? in->z.msg : "no valid stream");
}

dh_status dh__inflate(uint8_t *out, size_t out_size, const uint8_t *data, size_t size,
                      const char *what)
{
    uint8_t spare = 0; /* a byte in here shows that there is more */
    inflate_job job = {.in = {.data = data, .size = size}, .out = out, .out_size = out_size};
    DH_TRY(begin(&job.in, -MAX_WBITS, what));
    job.in.z.next_out = out_size ? out : &spare;
    int code = inflate_until(&job);
    bool more = false;
    if (code == Z_BUF_ERROR && job.in.z.avail_out == 0 && job.out_size == 0) {
        job.in.z.next_out = &spare;
        job.in.z.avail_out = 1;
        code = inflate_until(&job);
        more = job.in.z.avail_out == 0;
    }
    dh_status status = DH_OK;
    if (more)
        status = dh_fail(DH_EFORMAT, "%s: inflates to more than %zu bytes", what, out_size);
    else if (code != Z_STREAM_END)
        status = fail_data(&job.in, code, (size_t)job.in.z.total_out, what);
    else if ((size_t)job.in.z.total_out != out_size)
        status = dh_fail(DH_EFORMAT, "%s: inflates to %zu bytes, must be %zu", what,
                         (size_t)job.in.z.total_out, out_size);
    else if (job.in.z.avail_in || job.in.size)
        status = dh_fail(DH_EFORMAT, "%s: %zu bytes follow the deflate data", what,
                         (size_t)job.in.z.avail_in + job.in.size);
    (void)inflateEnd(&job.in.z);
    return status;
}

/* True where another member may follow: zeros at the end are padding, as gzip(1) takes them. */
static bool has_more(const stream *in)
{
    for (uInt i = 0; i < in->z.avail_in; i++)
        if (in->z.next_in[i]) return true;
    for (size_t i = 0; i < in->size; i++)
        if (in->data[i]) return true;
    return false;
}

dh_status dh__gunzip_head(uint8_t *out, size_t *out_size, const uint8_t *data, size_t size,
                          const char *what)
{
    inflate_job job = {.in = {.data = data, .size = size}, .out = out, .out_size = *out_size};
    DH_TRY(begin(&job.in, GZIP_ONLY, what));
    job.in.z.next_out = out;
    int code;
    size_t used;
    do {
        code = inflate_until(&job);
        used = *out_size - job.out_size - job.in.z.avail_out;
    } while (code == Z_STREAM_END && used < *out_size && has_more(&job.in) &&
             inflateReset(&job.in.z) == Z_OK);
    dh_status status = DH_OK;
    if (code != Z_STREAM_END && used < *out_size) status = fail_data(&job.in, code, used, what);
    (void)inflateEnd(&job.in.z);
    if (status == DH_OK) *out_size = used;
    return status;
}

/* --- gzip into a block that grows --- */

typedef struct gunzip_job {
    stream in;
    uint8_t *out;
    size_t used, capacity, limit;
    const char *what;
} gunzip_job;

/* The last four bytes say how much comes out (modulo 2^32): a good first guess, cut to what deflate
 * can pack, so that a lie costs little. */
static size_t guess_size(const uint8_t *data, size_t size, size_t limit)
{
    const uint8_t *p = data + size - 4;
    size_t said = (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
    size_t most;
    if (!dh__mul_size(size, DH_INFLATE_RATIO, &most)) most = SIZE_MAX;
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
    feed(&job->in);
    size_t room = job->capacity - job->used;
    job->in.z.avail_out = part_of(room);
    job->in.z.next_out = job->out + job->used;
    uInt before = job->in.z.avail_out;
    int code = inflate(&job->in.z, Z_NO_FLUSH);
    job->used += before - job->in.z.avail_out;
    return code;
}

static dh_status inflate_all(gunzip_job *job)
{
    for (;;) {
        DH_TRY(make_room(job));
        int code = step(job);
        if (code == Z_STREAM_END) {
            if (!has_more(&job->in)) break;
            if (inflateReset(&job->in.z) != Z_OK)
                return dh_fail(DH_EINTERNAL, "gunzip \"%s\": zlib can't be reset", job->what);
            continue;
        }
        if (code == Z_MEM_ERROR) return dh_fail(DH_ENOMEM, "gunzip \"%s\": no memory", job->what);
        DH_REQUIRE(code == Z_OK || code == Z_BUF_ERROR, DH_EFORMAT,
                   "gunzip \"%s\": damaged after %zu bytes: %s", job->what, job->used,
                   job->in.z.msg ? job->in.z.msg : "no valid gzip data");
        DH_REQUIRE(job->in.z.avail_in > 0 || job->in.size > 0 || job->in.z.avail_out == 0,
                   DH_EFORMAT, "gunzip \"%s\": ends after %zu bytes, which is too early", job->what,
                   job->used);
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
    gunzip_job job = {.in = {.data = data, .size = size}, .limit = limit, .what = what};
    char source[512];
    (void)dh__format(source, sizeof source, "gunzip \"%s\"", what);
    DH_TRY(begin(&job.in, GZIP_ONLY, source));
    job.capacity = guess_size(data, size, limit);
    job.out = dh__alloc(job.capacity);
    dh_status status = job.out ? inflate_all(&job) : DH_ENOMEM;
    (void)inflateEnd(&job.in.z);
    if (status != DH_OK) {
        dh__free(job.out);
        return status;
    }
    *out = job.out;
    *out_size = job.used;
    return DH_OK;
}

#else

static dh_status fail_missing(size_t size, const char *what)
{
    return dh_fail(DH_EMISSING,
                   "%s: %zu bytes can't be inflated, this build has no zlib: install zlib1g-dev "
                   "and build again",
                   what, size);
}

dh_status dh__inflate(uint8_t *out, size_t out_size, const uint8_t *data, size_t size,
                      const char *what)
{
    DH_UNUSED(out);
    DH_UNUSED(out_size);
    DH_UNUSED(data);
    return fail_missing(size, what);
}

dh_status dh__gunzip_head(uint8_t *out, size_t *out_size, const uint8_t *data, size_t size,
                          const char *what)
{
    DH_UNUSED(out);
    DH_UNUSED(out_size);
    DH_UNUSED(data);
    return fail_missing(size, what);
}

dh_status dh__gunzip(uint8_t **out, size_t *out_size, const uint8_t *data, size_t size,
                     size_t limit, const char *what)
{
    DH_UNUSED(out);
    DH_UNUSED(out_size);
    DH_UNUSED(data);
    DH_UNUSED(limit);
    char source[512];
    (void)dh__format(source, sizeof source, "gunzip \"%s\"", what ? what : "data");
    return fail_missing(size, source);
}

#endif
