/* SPDX-License-Identifier: MIT */
/* A tensor as text, the way NumPy prints it: nested brackets, long axes abbreviated. */
#include <stdarg.h>
#include <stdio.h>

#include "tensor_impl.h"

#define EDGE  3    /* elements shown at each end of a long axis */
#define WHOLE 1000 /* tensors up to this count are shown whole */

typedef struct printer {
    const dh_view *view;
    char *buffer;
    size_t size, at;
    bool whole;
} printer;

static void put(printer *p, const char *format, ...) DH_PRINTF(2, 3);

static void put(printer *p, const char *format, ...)
{
    char piece[64];
    va_list list;
    va_start(list, format);
    vsnprintf(piece, sizeof piece, format, list);
    va_end(list);
    for (const char *s = piece; *s; s++, p->at++)
        if (p->at + 1 < p->size) p->buffer[p->at] = *s;
}

static void put_value(printer *p, const char *address)
{
    char text[48];
    dh_dtype d = p->view->dtype;
    if (d == DH_BOOL)
        put(p, "%s", *(const unsigned char *)address ? "true" : "false");
    else if (d == DH_U64)
        put(p, "%llu", (unsigned long long)*(const uint64_t *)(const void *)address);
    else if (d == DH_I64)
        put(p, "%lld", (long long)*(const int64_t *)(const void *)address);
    else {
        double v = dh__load(d, address);
        dh__format(text, sizeof text, dh_dtype_is_float(d) ? "%.6g" : "%.0f", v);
        put(p, "%s", v != v ? "nan" : text); /* not "-nan" */
    }
}

static void put_axis(printer *p, int axis, const char *address)
{
    const dh_view *v = p->view;
    if (axis == v->ndim) {
        put_value(p, address);
        return;
    }
    int64_t n = v->shape[axis], step = v->stride[axis] * (int64_t)dh_dtype_size(v->dtype);
    put(p, "[");
    for (int64_t i = 0; i < n; i++) {
        if (!p->whole && n > 2 * EDGE && i == EDGE) {
            put(p, axis + 1 == v->ndim ? "..., " : "...\n");
            i = n - EDGE;
            if (axis + 1 < v->ndim)
                for (int k = 0; k <= axis; k++) put(p, " ");
        }
        put_axis(p, axis + 1, address + i * step);
        if (i + 1 == n) break;
        put(p, axis + 1 == v->ndim ? ", " : ",\n");
        if (axis + 1 < v->ndim)
            for (int k = 0; k <= axis; k++) put(p, " ");
    }
    put(p, "]");
}

size_t dh_tensor_print(const dh_tensor *tensor, char *buffer, size_t size)
{
    char unused[1];
    printer p = {.buffer = buffer ? buffer : unused, .size = buffer ? size : 0};
    if (!tensor) {
        put(&p, "NULL");
    } else if (!tensor->storage->device->host) {
        char text[DH_SHAPE_TEXT];
        put(&p, "%.60s", dh_tensor_describe(tensor, text, sizeof text));
    } else {
        p.view = &tensor->view;
        p.whole = dh__view_count(p.view) <= WHOLE;
        if (dh__view_count(p.view))
            put_axis(&p, 0, tensor->view.data);
        else
            put(&p, "[]"); /* however long the axes around the empty one are */
    }
    if (p.size) p.buffer[p.at < p.size ? p.at : p.size - 1] = 0;
    return p.at;
}
