/* SPDX-License-Identifier: MIT */
/* CIFAR-10 in its binary layout: records of a label byte and 32 x 32 bytes each of red, green and
 * blue. Files are taken as the folder has them, so that a part of the set is one too. */
#include <stdlib.h>
#include <string.h>

#include <deephealth/datasets.h>

#include "file.h"
#include "inflate.h"
#include "tensor_impl.h"

enum { PIXELS = 3 * 32 * 32, RECORD = 1 + PIXELS, MOST_RECORDS = 10000 };

#define ARCHIVE "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"

static const char who[] = "cifar10_load";

typedef struct file {
    const char *name;
    dh__bytes bytes; /* whole records */
} file;

/* The files of one kind, in the order of their names. */
typedef struct part {
    const char *dir, *prefix;
    file *files;
    char **names; /* of which those of files are */
    int count;
    int64_t records;
} part;

static bool ends_with(const char *name, const char *end)
{
    size_t size = strlen(name), end_size = strlen(end);
    return size >= end_size && strcmp(name + size - end_size, end) == 0;
}

/* name is last and ".gz": the same file, packed. */
static bool is_packed(const char *name, const char *last)
{
    size_t size = strlen(last);
    return strncmp(name, last, size) == 0 && strcmp(name + size, ".gz") == 0;
}

static dh_status list_files(part *p)
{
    int count;
    DH_TRY(dh__dir_names(&p->names, &count, p->dir, p->prefix));
    p->files = count ? dh__calloc((size_t)count, sizeof *p->files) : NULL;
    if (count && !p->files) return DH_ENOMEM;
    for (int i = 0; i < count; i++) {
        const char *name = p->names[i];
        bool known = ends_with(name, ".bin") || ends_with(name, ".bin.gz");
        bool again = p->count && is_packed(name, p->files[p->count - 1].name);
        if (known && !again) p->files[p->count++].name = name;
    }
    DH_REQUIRE(p->count, DH_ENOTFOUND, "%s: \"%s\" holds no %s*.bin or .bin.gz", who, p->dir,
               p->prefix);
    return DH_OK;
}

/* The records of a file, inflated where they are packed: no label is gzip's first byte. */
static dh_status read_records(dh__bytes *out, const char *path)
{
    const size_t most = (size_t)MOST_RECORDS * RECORD;
    dh__bytes raw;
    DH_TRY(dh__file_read(&raw, path));
    if (raw.size >= 2 && raw.data[0] == 0x1f && raw.data[1] == 0x8b) {
        dh__bytes packed = raw;
        dh_status status = dh__gunzip(&raw.data, &raw.size, packed.data, packed.size, most, path);
        dh__bytes_free(&packed);
        if (status) return status;
    }
    size_t size = raw.size;
    if (size && size <= most && size % RECORD == 0) {
        *out = raw;
        return DH_OK;
    }
    dh__bytes_free(&raw);
    return dh_fail(DH_EFORMAT, "%s: \"%s\" holds %zu bytes, needs 1 to %d records of %d", who, path,
                   size, MOST_RECORDS, RECORD);
}

static dh_status read_part(part *p)
{
    char path[4096];
    DH_TRY(list_files(p));
    for (int i = 0; i < p->count; i++) {
        file *f = &p->files[i];
        size_t n = (size_t)dh__format(path, sizeof path, "%s/%s", p->dir, f->name);
        DH_REQUIRE(n < sizeof path, DH_EINVAL, "%s: dir \"%.80s...\" is longer than %zu bytes", who,
                   p->dir, sizeof path);
        DH_TRY(read_records(&f->bytes, path));
        p->records += (int64_t)(f->bytes.size / RECORD);
    }
    return DH_OK;
}

/* y is zeros. */
static dh_status fill(float *x, float *y, const part *p)
{
    for (int i = 0; i < p->count; i++)
        for (size_t at = 0; at < p->files[i].bytes.size; at += RECORD, x += PIXELS, y += 10) {
            const uint8_t *record = p->files[i].bytes.data + at;
            DH_REQUIRE(record[0] <= 9, DH_EFORMAT,
                       "%s: \"%s/%s\": label %zu is %d, must be in [0, 9]", who, p->dir,
                       p->files[i].name, at / RECORD, record[0]);
            y[record[0]] = 1;
            for (int k = 0; k < PIXELS; k++) x[k] = (float)record[1 + k] / 255.0f;
        }
    return DH_OK;
}

static dh_status make_tensors(dh_tensor **x, dh_tensor **y, const part *p)
{
    dh_tensor *images, *labels = NULL;
    DH_TRY(dh_tensor_new(&images, DH_F32, 4, (int64_t[]){p->records, 3, 32, 32}));
    dh_status status =
        (dh_tensor_zeros)(&labels, &(dh_tensor_args){.struct_size = sizeof(dh_tensor_args),
                                                     .shape = {p->records, 10}});
    if (!status) status = fill(images->view.data, labels->view.data, p);
    if (status) {
        dh_tensor_free(images);
        dh_tensor_free(labels);
        return status;
    }
    *x = images;
    *y = labels;
    return DH_OK;
}

static dh_status load_part(dh_tensor **x, dh_tensor **y, const char *dir, const char *prefix)
{
    part p = {.dir = dir, .prefix = prefix};
    dh_status status = read_part(&p);
    if (!status) status = make_tensors(x, y, &p);
    for (int i = 0; i < p.count; i++) dh__bytes_free(&p.files[i].bytes);
    dh__free(p.files);
    dh__free(p.names);
    return status;
}

/* Where the set is not, the reason and what can be done. */
static dh_status not_there(void)
{
    dh__error why;
    dh__error_save(&why);
    return dh_fail(
        DH_ENOTFOUND,
        "%s; set DEEPHEALTH_DATA to a folder in which cifar10/ has the files of " ARCHIVE,
        why.text);
}

dh_status dh_cifar10_load(const char *dir, dh_tensor **x_train, dh_tensor **y_train,
                          dh_tensor **x_test, dh_tensor **y_test)
{
    dh_tensor *t[4] = {0}, **out[4] = {x_train, y_train, x_test, y_test};
    static const char *const names[4] = {"x_train", "y_train", "x_test", "y_test"};
    char place[4096];
    for (int i = 0; i < 4; i++) DH_NEED(out[i], who, names[i]);
    const char *from = dir ? dir : place;
    if (!dir) {
        const char *root = getenv("DEEPHEALTH_DATA");
        size_t n =
            (size_t)dh__format(place, sizeof place, "%s/cifar10", root && *root ? root : "data");
        DH_REQUIRE(n < sizeof place, DH_EINVAL,
                   "%s: DEEPHEALTH_DATA/cifar10 has %zu bytes, must be at most %zu", who, n,
                   sizeof place - 1);
    }
    dh_status status = load_part(&t[0], &t[1], from, "data_batch_");
    if (!status) status = load_part(&t[2], &t[3], from, "test_batch");
    if (!dir && status == DH_ENOTFOUND) status = not_there();
    for (int i = 0; i < 4; i++) {
        if (status)
            dh_tensor_free(t[i]);
        else
            *out[i] = t[i];
    }
    return dh__from(who, status);
}
