/* SPDX-License-Identifier: MIT */
/* Inflating into a block whose size is known, on zlib. */
#include "inflate.h"

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

/* zlib counts in uInt: larger blocks are handed over in parts. */
typedef struct inflate_job {
    z_stream z;
    const uint8_t *data;
    uint8_t *out;
    size_t size, out_size; /* not yet handed over */
} inflate_job;

static uInt part_of(size_t *left)
{
    uInt part = *left < UINT_MAX ? (uInt)*left : UINT_MAX;
    *left -= part;
    return part;
}

/* Until the end of the stream (Z_STREAM_END), a full block (Z_BUF_ERROR) or an error. */
static int inflate_until(inflate_job *job)
{
    for (;;) {
        if (job->z.avail_in == 0 && job->size > 0) {
            job->z.next_in = (Bytef *)(uintptr_t)job->data;
            job->z.avail_in = part_of(&job->size);
            job->data += job->z.avail_in;
        }
        if (job->z.avail_out == 0 && job->out_size > 0) {
            job->z.next_out = job->out;
            job->z.avail_out = part_of(&job->out_size);
            job->out += job->z.avail_out;
        }
        int code = inflate(&job->z, Z_NO_FLUSH);
        if (code != Z_OK) return code;
    }
}

static dh_status begin(inflate_job *job, int window_bits, const char *what)
{
    job->z.zalloc = zlib_alloc;
    job->z.zfree = zlib_free;
    int code = inflateInit2(&job->z, window_bits);
    if (code == Z_MEM_ERROR) return DH_ENOMEM;
    DH_REQUIRE(code == Z_OK, DH_EINTERNAL, "%s: zlib refuses to start (%d)", what, code);
    return DH_OK;
}

static dh_status fail_data(const inflate_job *job, int code, size_t used, const char *what)
{
    if (code == Z_MEM_ERROR) return dh_fail(DH_ENOMEM, "%s: no memory to inflate", what);
    if (code == Z_BUF_ERROR || code == Z_OK)
        return dh_fail(DH_EFORMAT, "%s: deflate data ends after %zu bytes, which is too early",
                       what, used);
    return dh_fail(DH_EFORMAT, "%s: deflate data is damaged after %zu bytes: %s", what, used,
                   job->z.msg ? job->z.msg : "no valid stream");
}

dh_status dh__inflate(uint8_t *out, size_t out_size, const uint8_t *data, size_t size,
                      const char *what)
{
    uint8_t spare = 0; /* a byte in here shows that there is more */
    inflate_job job = {.data = data, .size = size, .out = out, .out_size = out_size};
    DH_TRY(begin(&job, -MAX_WBITS, what));
    job.z.next_out = out_size ? out : &spare;
    int code = inflate_until(&job);
    bool more = false;
    if (code == Z_BUF_ERROR && job.z.avail_out == 0 && job.out_size == 0) {
        job.z.next_out = &spare;
        job.z.avail_out = 1;
        code = inflate_until(&job);
        more = job.z.avail_out == 0;
    }
    dh_status status = DH_OK;
    if (more)
        status = dh_fail(DH_EFORMAT, "%s: inflates to more than %zu bytes", what, out_size);
    else if (code != Z_STREAM_END)
        status = fail_data(&job, code, (size_t)job.z.total_out, what);
    else if ((size_t)job.z.total_out != out_size)
        status = dh_fail(DH_EFORMAT, "%s: inflates to %zu bytes, must be %zu", what,
                         (size_t)job.z.total_out, out_size);
    else if (job.z.avail_in || job.size)
        status = dh_fail(DH_EFORMAT, "%s: %zu bytes follow the deflate data", what,
                         (size_t)job.z.avail_in + job.size);
    (void)inflateEnd(&job.z);
    return status;
}

dh_status dh__gunzip_head(uint8_t *out, size_t *out_size, const uint8_t *data, size_t size,
                          const char *what)
{
    inflate_job job = {.data = data, .size = size, .out = out, .out_size = *out_size};
    const int gzip_only = 16;
    DH_TRY(begin(&job, MAX_WBITS + gzip_only, what));
    job.z.next_out = out;
    int code = inflate_until(&job);
    size_t used = (size_t)job.z.total_out;
    dh_status status = DH_OK;
    if (code != Z_STREAM_END && used < *out_size) status = fail_data(&job, code, used, what);
    (void)inflateEnd(&job.z);
    if (status == DH_OK) *out_size = used;
    return status;
}

#else

static dh_status fail_missing(size_t size, const char *what)
{
    return dh_fail(
        DH_EMISSING,
        "%s: %zu bytes can't be inflated, this build has no zlib: install zlib1g-dev and "
        "build again",
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

#endif
