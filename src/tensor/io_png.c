/* SPDX-License-Identifier: MIT */
/* Tensors as pictures. */
#include "io.h"
#include "png_write.h"

static const char who[] = "tensor_save_png";

/* A level of 0..1 as a byte; a NaN is black. */
static uint8_t level(float v)
{
    if (!(v > 0)) return 0;
    return v >= 1 ? 255 : (uint8_t)(v * 255 + 0.5f);
}

static dh_status write_png(const char *path, const dh_view *v)
{
    int channels = v->ndim == 3 ? 3 : 1;
    int height = (int)v->shape[0], width = (int)v->shape[1];
    if (v->dtype == DH_U8) return dh__png_write(path, v->data, width, height, channels);
    size_t count = (size_t)height * (size_t)width * (size_t)channels;
    uint8_t *pixels = dh__alloc(count);
    if (!pixels) return DH_ENOMEM;
    for (size_t i = 0; i < count; i++) pixels[i] = level(((const float *)v->data)[i]);
    dh_status status = dh__png_write(path, pixels, width, height, channels);
    dh__free(pixels);
    return status;
}

dh_status dh_tensor_save_png(const dh_tensor *x, const char *path)
{
    char text[DH_SHAPE_TEXT];
    dh_tensor *host;
    DH_NEED(x, who, "x");
    DH_NEED(path, who, "path");
    DH_REQUIRE(path[0], DH_EINVAL, "%s: path is empty", who);
    const dh_view *v = &x->view;
    DH_REQUIRE(v->dtype == DH_U8 || v->dtype == DH_F32, DH_EDTYPE, "%s: x is %s, must be u8 or f32",
               who, dh_dtype_name(v->dtype));
    DH_REQUIRE(v->ndim == 2 || (v->ndim == 3 && v->shape[2] == 3), DH_ESHAPE,
               "%s: x is %s, must be [H, W] or [H, W, 3]", who,
               dh__shape_text(text, sizeof text, v->ndim, v->shape));
    for (int i = 0; i < 2; i++)
        DH_REQUIRE(v->shape[i] >= 1 && v->shape[i] <= INT32_MAX, DH_ESHAPE,
                   "%s: x is %s, sides must be in [1, %d]", who,
                   dh__shape_text(text, sizeof text, v->ndim, v->shape), INT32_MAX);
    DH_TRY(dh__io_host(&host, x, who));
    dh_status status = write_png(path, &host->view);
    dh_tensor_free(host);
    return dh__from(who, status);
}
