/* SPDX-License-Identifier: MIT */
/* Resizing the spatial axes: nearest neighbour and linear interpolation. With s = in / out, element
 * i of y stands at x = (i + 1/2) s - 1/2 (half_pixel), i s (asymmetric) or i (in - 1) / (out - 1)
 * (align_corners), held within the axis. Nearest takes floor((i + 1/2) s), floor(i s), and for
 * align_corners x rounded, half upwards: PyTorch's nearest-exact and nearest, Keras's UpSampling.
 * ONNX Resize 19. */
#include "op_resize.h"

#include <math.h>
#include <string.h>

enum { HALF_PIXEL, ASYMMETRIC, ALIGN_CORNERS };

dh_status dh__resize_of(dh__resize *r, const dh_resize_attr *attr, const dh_view *x,
                        const char *who)
{
    DH_TRY(dh__spatial_check(x, who, "x"));
    int ndim = x->ndim - 2;
    DH_REQUIRE(attr->sizes.count == ndim, DH_ESHAPE,
               "%s: sizes has %d numbers, %d spatial axes need %d", who, attr->sizes.count, ndim,
               ndim);
    dh__spatial(r->in, x);
    r->linear = attr->mode == 1;
    r->coordinates = attr->coordinates;
    for (int i = 0; i < 3; i++) r->out[i] = 1;
    for (int i = 0; i < ndim; i++) {
        int64_t size = attr->sizes.v[i];
        DH_REQUIRE(size > 0 && size <= INT32_MAX && x->shape[2 + i] > 0, DH_ESHAPE,
                   "%s: spatial axis %d of length %lld cannot be resized to %lld", who, i,
                   (long long)x->shape[2 + i], (long long)size);
        r->out[3 - ndim + i] = size;
    }
    return DH_OK;
}

/* Products of lengths before quotients, so that whole multiples come out whole. */
dh__resize_source dh__resize_source_of(const dh__resize *r, int i, int64_t at)
{
    int64_t in = r->in[i], out = r->out[i], last = in - 1;
    dh__resize_source s = {0, 0, 0};
    if (!r->linear && r->coordinates != ALIGN_CORNERS) {
        s.first = r->coordinates == ASYMMETRIC ? at * in / out : (2 * at + 1) * in / (2 * out);
        s.first = s.first < last ? s.first : last;
        s.second = s.first;
        return s;
    }
    double x = r->coordinates == HALF_PIXEL ? (double)((2 * at + 1) * in - out) / (double)(2 * out)
               : r->coordinates == ASYMMETRIC ? (double)(at * in) / (double)out
               : out > 1                      ? (double)(at * last) / (double)(out - 1)
                                              : 0;
    x = x < 0 ? 0 : x > (double)last ? (double)last : x;
    if (!r->linear) {
        s.first = s.second = (int64_t)floor(x + 0.5);
        return s;
    }
    s.first = (int64_t)x;
    s.second = s.first < last ? s.first + 1 : last;
    s.part = x - (double)s.first;
    return s;
}

static void resized_shape(dh_view *y, const dh__resize *r, const dh_view *x)
{
    int ndim = x->ndim - 2;
    y->dtype = x->dtype;
    y->ndim = x->ndim;
    y->shape[0] = x->shape[0];
    y->shape[1] = x->shape[1];
    for (int i = 0; i < ndim; i++) y->shape[2 + i] = r->out[3 - ndim + i];
}

static dh_status infer_resize(dh_call *call)
{
    dh__resize r;
    DH_TRY(dh__resize_of(&r, call->attr, &call->in[0], "resize"));
    resized_shape(&call->out[0], &r, &call->in[0]);
    return DH_OK;
}

static dh_status infer_resize_dx(dh_call *call)
{
    dh__resize r;
    const dh_view *dy = &call->in[0], *x = &call->in[1];
    dh_view want = *dy;
    DH_TRY(dh__resize_of(&r, call->attr, x, "resize_dx"));
    resized_shape(&want, &r, x);
    return dh__windows_dx(call, &want);
}

static dh_status backward_resize(dh_grad *g)
{
    if (g->need[0]) g->dx[0] = dh_emit2(g->to, DH_OP_RESIZE_DX, g->call->attr, g->dy[0], g->in[0]);
    return g->to->status;
}

static dh_status backward_resize_dx(dh_grad *g)
{
    if (g->need[0]) g->dx[0] = dh_emit1(g->to, DH_OP_RESIZE, g->call->attr, g->dy[0]);
    return g->to->status;
}

static const dh_field resize_fields[] = {
    DH_FIELD(dh_resize_attr, sizes, "sizes", 0, 1, 1e9, "lengths of the spatial axes of y"),
    DH_FIELD_NAMED(dh_resize_attr, mode, "mode", "nearest|linear", "how values are found"),
    DH_FIELD_NAMED(dh_resize_attr, coordinates, "coordinate_transformation_mode",
                   "half_pixel|asymmetric|align_corners", "where the elements of y stand in x"),
    {0}};

const dh_op dh_op_resize = {.name = "resize",
                            .in_min = 1,
                            .in_max = 1,
                            .dtypes = DH_MASK_FLOAT,
                            .flags = DH_OP_CHEAP,
                            .attr_size = sizeof(dh_resize_attr),
                            .fields = resize_fields,
                            .infer = infer_resize,
                            .backward = backward_resize};

const dh_op dh_op_resize_dx = {.name = "resize_dx",
                               .in_min = 2,
                               .in_max = 2,
                               .dtypes = DH_MASK_FLOAT,
                               .flags = DH_OP_SAME_DTYPE,
                               .like = 1u << 1,
                               .attr_size = sizeof(dh_resize_attr),
                               .fields = resize_fields,
                               .infer = infer_resize_dx,
                               .backward = backward_resize_dx,
                               .in_names = "dy|x"};
