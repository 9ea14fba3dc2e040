/* SPDX-License-Identifier: MIT */
/* Downloads through libcurl, which is opened when the first one is asked for. */
#include "file.h"

#include "base_impl.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

#if defined(DH_HAVE_CURL_H) && DH_HAVE_CURL_H
#include <curl/curl.h>
#include <pthread.h>

/* A server that sends without end fills no disk. */
static const uint64_t size_limit = UINT64_C(1) << 30;

static struct curl_calls {
    void *library;
    CURLcode (*global_init)(long);
    CURL *(*easy_init)(void);
    CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
    CURLcode (*easy_perform)(CURL *);
    CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
    void (*easy_cleanup)(CURL *);
    const char *(*easy_strerror)(CURLcode);
} curl;

static pthread_mutex_t curl_mutex = PTHREAD_MUTEX_INITIALIZER;

/* ISO C has no cast from an object pointer to a function pointer; POSIX says the bits are the same.
 */
static dh_status find_call(void *call, void *library, const char *name)
{
    void *symbol = dh__library_symbol(library, name);
    if (!symbol) return DH_EMISSING;
    memcpy(call, &symbol, sizeof symbol);
    return DH_OK;
}

static dh_status load_curl(void)
{
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4", "libcurl.4.dylib",
                                        NULL};
    if (curl.library) return DH_OK;
    void *library = dh__library_open(names, "libcurl4");
    if (!library) return DH_EMISSING;
    DH_TRY(find_call(&curl.global_init, library, "curl_global_init"));
    DH_TRY(find_call(&curl.easy_init, library, "curl_easy_init"));
    DH_TRY(find_call(&curl.easy_setopt, library, "curl_easy_setopt"));
    DH_TRY(find_call(&curl.easy_perform, library, "curl_easy_perform"));
    DH_TRY(find_call(&curl.easy_getinfo, library, "curl_easy_getinfo"));
    DH_TRY(find_call(&curl.easy_cleanup, library, "curl_easy_cleanup"));
    DH_TRY(find_call(&curl.easy_strerror, library, "curl_easy_strerror"));
    CURLcode code = curl.global_init(CURL_GLOBAL_DEFAULT);
    DH_REQUIRE(code == CURLE_OK, DH_EIO, "download: libcurl refuses to start: %s",
               curl.easy_strerror(code));
    curl.library = library;
    return DH_OK;
}

typedef struct download_job {
    const char *url, *path;
    dh__writer *writer; /* from the first byte on */
    dh__sha256 hash;
    uint64_t size;
    dh_status status; /* of a failed write; its text is recorded */
} download_job;

/* Called when a byte has arrived: what is not to be had leaves no empty folder. */
static dh_status open_writer(download_job *job)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(job->path, '/');
    size_t length = slash ? (size_t)(slash - job->path) : 0;
    DH_REQUIRE(length < sizeof folder, DH_EINVAL, "download: path has %zu bytes, must be below %d",
               strlen(job->path), PATH_MAX);
    if (length > 0) {
        memcpy(folder, job->path, length);
        folder[length] = '\0';
        DH_TRY(dh__make_dirs(folder));
    }
    return dh__writer_open(&job->writer, job->path);
}

/* A return other than size makes curl stop. */
static size_t receive(char *bytes, size_t size, size_t count, void *payload)
{
    download_job *job = payload;
    size_t total = size * count; /* libcurl promises size 1 and a small count */
    if (total > size_limit - job->size)
        job->status = dh_fail(DH_EFORMAT, "download \"%s\": more than %llu bytes", job->url,
                              (unsigned long long)size_limit);
    else if (!job->writer)
        job->status = open_writer(job);
    if (job->status == DH_OK) job->status = dh__write(job->writer, bytes, total);
    if (job->status != DH_OK) return 0;
    dh__sha256_add(&job->hash, bytes, total);
    job->size += total;
    return total;
}

static bool set_options(CURL *handle, download_job *job, char *error)
{
    static const char agent[] = "deephealth";
    CURLcode code = curl.easy_setopt(handle, CURLOPT_URL, job->url);
#if LIBCURL_VERSION_NUM >= 0x075500
    CURLcode allowed = curl.easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https,file");
    if (allowed == CURLE_OK)
        allowed = curl.easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    code = code ? code : allowed;
#else
    long web = CURLPROTO_HTTP | CURLPROTO_HTTPS;
    code = code ? code : curl.easy_setopt(handle, CURLOPT_PROTOCOLS, web | CURLPROTO_FILE);
    code = code ? code : curl.easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS, web);
#endif
    code = code ? code : curl.easy_setopt(handle, CURLOPT_WRITEFUNCTION, receive);
    code = code ? code : curl.easy_setopt(handle, CURLOPT_WRITEDATA, job);
    code = code ? code : curl.easy_setopt(handle, CURLOPT_ERRORBUFFER, error);
    code = code ? code : curl.easy_setopt(handle, CURLOPT_USERAGENT, agent);
    code = code ? code : curl.easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    code = code ? code : curl.easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
    code = code ? code : curl.easy_setopt(handle, CURLOPT_MAXREDIRS, 10L);
    code = code ? code : curl.easy_setopt(handle, CURLOPT_FAILONERROR, 1L);
    code = code ? code : curl.easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, 30L);
    /* given up when a minute passes with less than 100 bytes a second */
    code = code ? code : curl.easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 100L);
    code = code ? code : curl.easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, 60L);
    return code == CURLE_OK;
}

static dh_status perform(download_job *job)
{
    char error[CURL_ERROR_SIZE] = "";
    CURL *handle = curl.easy_init();
    DH_REQUIRE(handle, DH_ENOMEM, "download \"%s\": libcurl gives no handle", job->url);
    if (!set_options(handle, job, error)) {
        curl.easy_cleanup(handle);
        return dh_fail(DH_EUNSUPPORTED, "download \"%s\": libcurl refuses an option", job->url);
    }
    dh__sigpipe held; /* with CURLOPT_NOSIGNAL libcurl leaves it to us */
    long answer = 0;
    dh__sigpipe_hold(&held);
    CURLcode code = curl.easy_perform(handle);
    (void)curl.easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &answer);
    curl.easy_cleanup(handle);
    dh__sigpipe_release(&held);
    if (code == CURLE_OK) return DH_OK;
    if (job->status != DH_OK) return job->status;
    bool absent = code == CURLE_FILE_COULDNT_READ_FILE || answer == 404 || answer == 410;
    return dh_fail(absent ? DH_ENOTFOUND : DH_EIO, "download \"%s\": %s", job->url,
                   error[0] ? error : curl.easy_strerror(code));
}

static dh_status fetch(download_job *job, const char *sha256_hex)
{
    char got[65];
    dh__sha256_init(&job->hash);
    dh__log(DH_LOG_INFO, "downloading %s", job->url);
    DH_TRY(perform(job));
    dh__sha256_hex(&job->hash, got);
    DH_REQUIRE(strcasecmp(got, sha256_hex) == 0, DH_EFORMAT,
               "download \"%s\": sha256 is %s, must be %s", job->url, got, sha256_hex);
    return DH_OK;
}

static dh_status download(const char *url, const char *path, const char *sha256_hex)
{
    pthread_mutex_lock(&curl_mutex);
    dh_status status = load_curl();
    pthread_mutex_unlock(&curl_mutex);
    DH_TRY(status);
    download_job job = {.url = url, .path = path};
    status = fetch(&job, sha256_hex);
    if (status == DH_OK && !job.writer) status = open_writer(&job); /* a file of no bytes */
    if (status == DH_OK) return dh__writer_commit(job.writer);
    dh__writer_abort(job.writer);
    return status;
}

#else

static dh_status download(const char *url, const char *path, const char *sha256_hex)
{
    DH_UNUSED(path);
    DH_UNUSED(sha256_hex);
    return dh_fail(DH_EMISSING,
                   "download \"%s\": this build has no libcurl: install libcurl4-openssl-dev and "
                   "build again",
                   url);
}

#endif

dh_status dh__download(const char *url, const char *path, const char *sha256_hex)
{
    DH_REQUIRE(url && path && sha256_hex, DH_EINVAL, "download: %s is NULL",
               !url    ? "url"
               : !path ? "path"
                       : "sha256_hex");
    DH_REQUIRE(strlen(sha256_hex) == 64 && strspn(sha256_hex, "0123456789abcdefABCDEF") == 64,
               DH_EINVAL, "download \"%s\": sha256_hex is \"%.70s\", must be 64 hex digits", url,
               sha256_hex);
    return download(url, path, sha256_hex);
}
