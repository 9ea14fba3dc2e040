/* SPDX-License-Identifier: MIT */
/* The sum by which a checkpoint is known to be whole. */
#include <string.h>

#include "checkpoint.h"
#include "file.h"
#include "io.h"

static uint32_t add_text(uint32_t sum, const char *text)
{
    return dh__crc32(sum, text, strlen(text) + 1);
}

dh_status dh__checkpoint_add_tensor(uint32_t *sum, const char *name, const dh_tensor *tensor)
{
    char text[DH_SHAPE_TEXT];
    dh_tensor *host;
    DH_TRY(dh__io_host(&host, tensor, "checkpoint"));
    const dh_view *v = &host->view;
    *sum = add_text(*sum, name);
    *sum = add_text(*sum, dh_dtype_name(v->dtype));
    *sum = add_text(*sum, dh__shape_text(text, sizeof text, v->ndim, v->shape));
    *sum = dh__crc32(*sum, v->data, (size_t)dh__view_count(v) * dh_dtype_size(v->dtype));
    dh_tensor_free(host);
    return DH_OK;
}

uint32_t dh__checkpoint_add_pair(uint32_t sum, const char *key, const char *value)
{
    return add_text(add_text(sum, key), value);
}

bool dh__checkpoint_is(const dh__safetensors *file)
{
    const char *format = dh_safetensors_metadata(file, "format");
    return (format && !strcmp(format, DH_CHECKPOINT_FORMAT)) ||
           dh__safetensors_find(file, "#fit/position") >= 0;
}

dh_status dh__checkpoint_check_sum(const dh__safetensors *file)
{
    const char *key, *value, *want = dh_safetensors_metadata(file, "sum");
    char got[16];
    uint32_t sum = 0;
    for (int i = 0; i < dh__safetensors_count(file); i++) {
        dh_tensor *t;
        DH_TRY(dh__safetensors_tensor(&t, file, i));
        dh_status status = dh__checkpoint_add_tensor(&sum, dh__safetensors_name(file, i), t);
        dh_tensor_free(t);
        if (status) return status;
    }
    for (int i = 0; dh__safetensors_metadata_at(file, i, &key, &value); i++)
        if (strcmp(key, "sum") != 0) sum = dh__checkpoint_add_pair(sum, key, value);
    dh__format(got, sizeof got, "%08x", (unsigned)sum);
    DH_REQUIRE(want && !strcmp(got, want), DH_EFORMAT, "its sum is %s, that of its bytes %s",
               want ? want : "missing", got);
    return DH_OK;
}
