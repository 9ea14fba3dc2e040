/* SPDX-License-Identifier: MIT */
/* Loading and saving by a file's extension. */
#include <string.h>
#include <strings.h>

#include "io.h"

static dh_status load_csv(dh_tensor **out, const char *path)
{
    return dh_tensor_load_csv(out, path);
}

static dh_status save_csv(const dh_tensor *x, const char *path)
{
    return dh_tensor_save_csv(x, path);
}

static dh_status load_npz(dh_tensor **out, const char *path)
{
    return dh__npz_load_one(out, path);
}

/* One array, named as numpy.savez names it. */
static dh_status save_npz(const dh_tensor *x, const char *path)
{
    return dh_npz_save(path, (const char *const[]){"arr_0"}, &x, 1);
}

typedef struct format {
    const char *extension;
    dh_status (*load)(dh_tensor **out, const char *path);
    dh_status (*save)(const dh_tensor *x, const char *path);
} format;

static const format formats[] = {
    {"npy", dh_tensor_load_npy, dh_tensor_save_npy},
    {"npz", load_npz, save_npz},
    {"bin", dh_tensor_load_bin, dh_tensor_save_bin},
    {"csv", load_csv, save_csv},
    {"tsv", load_csv, save_csv},
    {"txt", load_csv, save_csv},
};

static const char *extension_at(int i, const void *payload)
{
    DH_UNUSED(payload);
    return (size_t)i < DH_COUNT(formats) ? formats[i].extension : NULL;
}

static dh_status find_format(const format **out, const char *path, const char *who)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.'), *extension = dot ? dot + 1 : "";
    for (size_t i = 0; i < DH_COUNT(formats); i++)
        if (strcasecmp(extension, formats[i].extension) == 0) {
            *out = &formats[i];
            return DH_OK;
        }
    char hint[128];
    return dh_fail(DH_ENAME, "%s \"%s\": no format of extension \"%s\"%s", who, path, extension,
                   dh__suggest(hint, sizeof hint, extension, extension_at, NULL));
}

dh_status dh_tensor_load(dh_tensor **out, const char *path)
{
    const format *f;
    DH_NEED(out, "tensor_load", "out");
    DH_NEED(path, "tensor_load", "path");
    DH_TRY(find_format(&f, path, "tensor_load"));
    return dh__from("tensor_load", f->load(out, path));
}

dh_status dh_tensor_save(const dh_tensor *x, const char *path)
{
    const format *f;
    DH_NEED(x, "tensor_save", "x");
    DH_NEED(path, "tensor_save", "path");
    DH_TRY(find_format(&f, path, "tensor_save"));
    return dh__from("tensor_save", f->save(x, path));
}
