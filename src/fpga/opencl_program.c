/* SPDX-License-Identifier: MIT */
/* Programs of one kernel each, built from kernels/ for each set of options that is asked for, once
 * a process; their binaries are kept in files between processes, by what they were made of. */
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "opencl.h"

#define HASH_TEXT 65 /* SHA-256 in hexadecimal, ended */

static const char *text_of(const char *source)
{
    for (const dh__cl_source *s = dh__cl_sources; s->name; s++)
        if (!strcmp(s->name, source)) return s->text;
    return NULL;
}

/* --- the cache of binaries --- */

/* In $DEEPHEALTH_CACHE, $XDG_CACHE_HOME/deephealth or ~/.cache/deephealth; false: nowhere. */
static bool cache_path(char *path, size_t size, const dh__cl_device *d, const char *prelude,
                       const char *text, const char *options)
{
    const char *parts[] = {d->hardware, d->software, options, prelude, text};
    const char *own = getenv("DEEPHEALTH_CACHE"), *xdg = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    char hex[HASH_TEXT], dir[512];
    dh__sha256 hash;
    dh__sha256_init(&hash);
    for (size_t i = 0; i < DH_COUNT(parts); i++)
        dh__sha256_add(&hash, parts[i], strlen(parts[i]) + 1);
    dh__sha256_hex(&hash, hex);
    int n = own && *own     ? dh__format(dir, sizeof dir, "%s", own)
            : xdg && *xdg   ? dh__format(dir, sizeof dir, "%s/deephealth", xdg)
            : home && *home ? dh__format(dir, sizeof dir, "%s/.cache/deephealth", home)
                            : -1;
    if (n < 0 || (size_t)n >= sizeof dir) return false;
    n = dh__format(path, size, "%s/opencl/%s.bin", dir, hex);
    return n > 0 && (size_t)n < size;
}

static void hash_of(char hex[HASH_TEXT], const void *bytes, size_t size)
{
    dh__sha256 hash;
    dh__sha256_init(&hash);
    dh__sha256_add(&hash, bytes, size);
    dh__sha256_hex(&hash, hex);
}

/* A program of a binary that is whole, as its hash in front tells; NULL where there is none. */
static cl_program load_binary(dh__cl_device *d, const char *path)
{
    dh__bytes file;
    char hex[HASH_TEXT];
    cl_int error = CL_SUCCESS, each = CL_SUCCESS;
    cl_program program = NULL;
    if (!dh__file_exists(path) || dh__file_read(&file, path)) return NULL;
    const size_t head = HASH_TEXT - 1;
    if (file.size > head) {
        const unsigned char *binary = file.data + head;
        size_t size = file.size - head;
        hash_of(hex, binary, size);
        if (!memcmp(hex, file.data, head))
            program = d->cl->clCreateProgramWithBinary(d->context, 1, &d->id, &size, &binary, &each,
                                                       &error);
        if (program && (error != CL_SUCCESS || each != CL_SUCCESS ||
                        d->cl->clBuildProgram(program, 1, &d->id, "", NULL, NULL) != CL_SUCCESS)) {
            (void)d->cl->clReleaseProgram(program);
            program = NULL;
        }
    }
    dh__bytes_free(&file);
    return program;
}

static dh_status write_binary(const char *path, const unsigned char *binary, size_t size)
{
    char dir[640], hex[HASH_TEXT];
    dh__writer *writer;
    dh__format(dir, sizeof dir, "%.*s", (int)(strrchr(path, '/') - path), path);
    DH_TRY(dh__make_dirs(dir));
    hash_of(hex, binary, size);
    DH_TRY(dh__writer_open(&writer, path));
    dh_status status = dh__write(writer, hex, HASH_TEXT - 1);
    if (!status) status = dh__write(writer, binary, size);
    if (status) {
        dh__writer_abort(writer);
        return status;
    }
    return dh__writer_commit(writer);
}

/* A cache that cannot be written slows the next process down, and nothing else. */
static void save_binary(dh__cl_device *d, cl_program program, const char *path)
{
    size_t size = 0;
    if (d->cl->clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, NULL) !=
            CL_SUCCESS ||
        !size)
        return;
    unsigned char *binary = dh__alloc(size);
    if (binary && d->cl->clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary,
                                          NULL) == CL_SUCCESS)
        (void)write_binary(path, binary, size);
    dh__free(binary);
    dh_error_clear();
}

/* --- building --- */

/* The compiler's first complaint, on one line. */
static dh_status build_failure(const dh__cl_device *d, cl_program program, const char *source,
                               const char *options, cl_int error)
{
    size_t size = 0;
    (void)d->cl->clGetProgramBuildInfo(program, d->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
    char *log = dh__calloc(size + 1, 1);
    if (!log) return DH_ENOMEM;
    (void)d->cl->clGetProgramBuildInfo(program, d->id, CL_PROGRAM_BUILD_LOG, size, log, NULL);
    const char *first = strstr(log, "error: ");
    if (!first) first = log;
    dh_status status =
        dh_fail(DH_EDEVICE, "%s: kernels/%s.cl with \"%s\" does not build: %s: %.*s", d->name,
                source, options, dh__cl_error_name(error), (int)strcspn(first, "\n"), first);
    dh__free(log);
    return status;
}

static dh_status build(cl_program *out, dh__cl_device *d, const char *source, const char *options)
{
    const char *prelude = text_of("prelude"), *text = text_of(source);
    char path[640];
    cl_int error;
    DH_REQUIRE(prelude && text, DH_EINTERNAL, "%s: there are no kernels/%s.cl", d->name, source);
    bool cached = cache_path(path, sizeof path, d, prelude, text, options);
    if (cached && (*out = load_binary(d, path))) return DH_OK;
    dh_error_clear();
    const char *texts[] = {prelude, text};
    cl_program program =
        d->cl->clCreateProgramWithSource(d->context, DH_COUNT(texts), texts, NULL, &error);
    if (error != CL_SUCCESS) return dh__cl_fail(d, "clCreateProgramWithSource", error);
    error = d->cl->clBuildProgram(program, 1, &d->id, options, NULL, NULL);
    if (error != CL_SUCCESS) {
        dh_status status = build_failure(d, program, source, options, error);
        (void)d->cl->clReleaseProgram(program);
        return status;
    }
    if (cached) save_binary(d, program, path);
    *out = program;
    return DH_OK;
}

/* --- made offline --- */

/* Finds "conv_stream_8x8_128x1024" among the names of the kernels, which ';' separates. */
static void find_stream(dh__cl_device *d)
{
    static const char prefix[] = "conv_stream_";
    char names[1024] = "";
    d->stream = (dh__stream_build){0};
    if (d->cl->clGetProgramInfo(d->binary, CL_PROGRAM_KERNEL_NAMES, sizeof names - 1, names,
                                NULL) != CL_SUCCESS)
        return;
    const char *at = strstr(names, prefix);
    long n[4] = {0};
    if (at) at += sizeof prefix - 1;
    for (int i = 0; at && i < 4; i++) {
        char *end;
        n[i] = strtol(at, &end, 10);
        if (end == at || n[i] < 1 || n[i] > 65536) return;
        at = end + (*end == 'x' || *end == '_');
    }
    if (n[2] % 2) return;
    d->stream = (dh__stream_build){(int)n[0], (int)n[1], (int)n[2], (int)n[3]};
}

dh_status dh__cl_load_offline(dh__cl_device *d)
{
    const char *path = getenv("DEEPHEALTH_XCLBIN");
    dh__bytes file;
    cl_int error = CL_SUCCESS, each = CL_SUCCESS;
    DH_REQUIRE(d->compiler || (path && *path), DH_EMISSING,
               "%s: %s has no compiler of its own; name its .xclbin in DEEPHEALTH_XCLBIN", d->name,
               d->hardware);
    if (!path || !*path) return DH_OK;
    dh_status status = dh__file_read(&file, path);
    if (status) dh_error_prefix("%s: DEEPHEALTH_XCLBIN", d->name);
    DH_TRY(status);
    const unsigned char *bytes = file.data;
    size_t size = file.size;
    cl_program program =
        d->cl->clCreateProgramWithBinary(d->context, 1, &d->id, &size, &bytes, &each, &error);
    if (program && error == CL_SUCCESS && each == CL_SUCCESS)
        error = d->cl->clBuildProgram(program, 1, &d->id, "", NULL, NULL);
    dh__bytes_free(&file);
    if (error == CL_SUCCESS && each == CL_SUCCESS && program) {
        d->binary = program;
        find_stream(d);
        return DH_OK;
    }
    if (program) (void)d->cl->clReleaseProgram(program);
    return dh_fail(DH_EDEVICE, "%s: DEEPHEALTH_XCLBIN \"%s\" is not for this card, %s: %s", d->name,
                   path, d->hardware, dh__cl_error_name(error == CL_SUCCESS ? each : error));
}

static dh_status make(dh__cl_kernel **out, dh__cl_device *d, const char *source, const char *name,
                      const char *options, const char *key)
{
    cl_int error = CL_SUCCESS;
    cl_program program = NULL;
    if (!d->binary) DH_TRY(build(&program, d, source, options));
    cl_kernel kernel = d->cl->clCreateKernel(d->binary ? d->binary : program, name, &error);
    dh__cl_kernel *k = NULL;
    if (error == CL_SUCCESS) k = dh__alloc_for_good(sizeof *k + strlen(key) + 1);
    if (!k) {
        if (kernel) (void)d->cl->clReleaseKernel(kernel);
        if (program) (void)d->cl->clReleaseProgram(program);
        return error == CL_SUCCESS ? DH_ENOMEM : dh__cl_fail(d, name, error);
    }
    memcpy(k->key, key, strlen(key) + 1);
    k->kernel = kernel;
    k->program = program;
    *out = k;
    return DH_OK;
}

dh_status dh__cl_kernel_get(cl_kernel *out, dh__cl_device *device, const char *source,
                            const char *name, const char *options)
{
    char key[512], all[384];
    dh__cl_kernel *k = device->kernels;
    dh__format(key, sizeof key, "%s %s %s", source, name, options);
    while (k && strcmp(k->key, key)) k = k->next;
    if (!k) {
        dh__format(all, sizeof all, "-cl-std=CL1.2 -DK_%s %s%s%s", name, options,
                   device->f64 ? " -DDH_F64" : "", device->fma ? " -DDH_FMA" : "");
        DH_TRY(make(&k, device, source, name, all, key));
        k->next = device->kernels;
        device->kernels = k;
    }
    *out = k->kernel;
    return DH_OK;
}
