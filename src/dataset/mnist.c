/* SPDX-License-Identifier: MIT */
/* dataset: data sets as tensors and batches. It knows tensors and images; it must not know models.
 * MNIST: the idx files, their checksums and where they can be had. */
#include <stdlib.h>
#include <string.h>

#include <deephealth/datasets.h>
#include <deephealth/tensor_io.h>

#include "file.h"
#include "tensor_impl.h"

#define MIRROR "https://ossci-datasets.s3.amazonaws.com/mnist/"

static const struct source {
    const char *name, *sha256;
} sources[4] = {
    {"train-images-idx3-ubyte", "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"},
    {"train-labels-idx1-ubyte", "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"},
    {"t10k-images-idx3-ubyte", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"},
    {"t10k-labels-idx1-ubyte", "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"},
};

/* Path of file i in dir: plain if it is there, else .gz. */
static dh_status locate(char *path, size_t size, const char *dir, int i)
{
    size_t n = (size_t)dh__format(path, size, "%s/%s", dir, sources[i].name);
    if (n < size && dh__file_exists(path)) return DH_OK;
    n = (size_t)dh__format(path, size, "%s/%s.gz", dir, sources[i].name);
    DH_REQUIRE(n < size, DH_EINVAL, "mnist_load: dir \"%.80s...\" is longer than %zu bytes", dir,
               size);
    DH_REQUIRE(dh__file_exists(path), DH_ENOTFOUND,
               "mnist_load: neither \"%s\" nor the file without .gz is there", path);
    return DH_OK;
}

static dh_status download(const char *path, int i)
{
    char url[256];
    dh__format(url, sizeof url, MIRROR "%s.gz", sources[i].name);
    dh__log(DH_LOG_INFO, "mnist: downloading %s", sources[i].name);
    return dh__download(url, path, sources[i].sha256);
}

/* Whatever keeps a file from being had (no network, no libcurl, a folder that can't be made): it is
 * not there. So callers tell this from a file that is there and damaged. */
static dh_status fetch(const char *dir)
{
    char path[4096];
    dh__error before;
    dh__error_save(&before);
    for (int i = 0; i < 4; i++) {
        dh_status status = locate(path, sizeof path, dir, i);
        if (!status) continue;
        if (status != DH_ENOTFOUND) return status;
        dh__error_restore(&before); /* it is not there yet: no failure */
        dh__format(path, sizeof path, "%s/%s.gz", dir, sources[i].name);
        status = download(path, i);
        if (status == DH_ENOMEM) return status;
        if (!status) continue;
        dh__error why;
        dh__error_save(&why);
        return dh_fail(DH_ENOTFOUND,
                       "\"%s\" is not there and can't be had: %s; set DEEPHEALTH_DATA to a folder "
                       "that holds mnist/",
                       path, why.text);
    }
    return DH_OK;
}

/* Images [N, 28, 28] u8 to f32 [N, 784] in 0..1. */
static dh_status load_images(dh_tensor **out, const char *dir, int i)
{
    char path[4096], text[DH_SHAPE_TEXT];
    dh_tensor *raw, *x;
    DH_TRY(locate(path, sizeof path, dir, i));
    DH_TRY(dh_tensor_load_idx(&raw, path));
    const dh_view *v = &raw->view;
    dh_status status = DH_OK;
    if (v->dtype != DH_U8 || v->ndim != 3 || v->shape[1] != 28 || v->shape[2] != 28)
        status =
            dh_fail(DH_EFORMAT, "mnist_load: \"%s\" holds %s %s, needs [N, 28, 28] u8", path,
                    dh__shape_text(text, sizeof text, v->ndim, v->shape), dh_dtype_name(v->dtype));
    if (!status) status = dh_tensor_new(&x, DH_F32, 2, (int64_t[]){v->shape[0], 784});
    if (!status) {
        const uint8_t *from = v->data;
        float *to = x->view.data;
        int64_t n = v->shape[0] * 784;
        for (int64_t k = 0; k < n; k++) to[k] = (float)from[k] / 255.0f;
        *out = x;
    }
    dh_tensor_free(raw);
    return status;
}

static dh_status load_labels(dh_tensor **out, const char *dir, int i, int64_t count)
{
    char path[4096], text[DH_SHAPE_TEXT];
    dh_tensor *raw, *y = NULL;
    DH_TRY(locate(path, sizeof path, dir, i));
    DH_TRY(dh_tensor_load_idx(&raw, path));
    const dh_view *v = &raw->view;
    dh_status status = DH_OK;
    if (v->dtype != DH_U8 || v->ndim != 1 || v->shape[0] != count)
        status = dh_fail(DH_EFORMAT, "mnist_load: \"%s\" holds %s %s, needs [%lld] u8", path,
                         dh__shape_text(text, sizeof text, v->ndim, v->shape),
                         dh_dtype_name(v->dtype), (long long)count);
    if (!status)
        status =
            (dh_tensor_zeros)(&y, &(dh_tensor_args){.struct_size = sizeof(dh_tensor_args),
                                                    .shape = {count ? count : DH_EMPTY_AXIS, 10}});
    for (int64_t k = 0; !status && k < count; k++) {
        int label = ((const uint8_t *)v->data)[k];
        if (label > 9)
            status = dh_fail(DH_EFORMAT, "mnist_load: \"%s\": label %lld is %d, must be in [0, 9]",
                             path, (long long)k, label);
        else
            ((float *)y->view.data)[k * 10 + label] = 1;
    }
    dh_tensor_free(raw);
    if (status)
        dh_tensor_free(y);
    else
        *out = y;
    return status;
}

dh_status dh_mnist_load(const char *dir, dh_tensor **x_train, dh_tensor **y_train,
                        dh_tensor **x_test, dh_tensor **y_test)
{
    dh_tensor *t[4] = {0}, **out[4] = {x_train, y_train, x_test, y_test};
    char place[4096];
    dh_status status = DH_OK;
    static const char *const names[4] = {"x_train", "y_train", "x_test", "y_test"};
    for (int i = 0; i < 4; i++) DH_NEED(out[i], "mnist_load", names[i]);
    if (!dir) {
        const char *root = getenv("DEEPHEALTH_DATA");
        size_t n =
            (size_t)dh__format(place, sizeof place, "%s/mnist", root && *root ? root : "data");
        DH_REQUIRE(n < sizeof place, DH_EINVAL,
                   "mnist_load: DEEPHEALTH_DATA/mnist has %zu bytes, must be at most %zu", n,
                   sizeof place - 1);
        dir = place;
        status = fetch(dir);
    }
    for (int i = 0; i < 4 && !status; i++)
        status = i % 2 ? load_labels(&t[i], dir, i, t[i - 1]->view.shape[0])
                       : load_images(&t[i], dir, i);
    for (int i = 0; i < 4; i++) {
        if (status)
            dh_tensor_free(t[i]);
        else
            *out[i] = t[i];
    }
    return dh__from("mnist_load", status);
}
