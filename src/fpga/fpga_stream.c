/* SPDX-License-Identifier: MIT */
/* The streaming convolution as an implementation of conv: windows of 3x3 or 1x1, 1 apart, one
 * group, with bias, activation, maxima of 2x2, and what is added where nothing follows it. */
#include <stdlib.h>
#include <string.h>

#include "fpga_ops.h"
#include "op_conv.h"
#include "fpga_stream.h"

bool dh__stream_asked(int sides[2])
{
    const char *text = getenv("DEEPHEALTH_STREAM");
    for (int i = 0; i < 2; i++) {
        char *end;
        long v = text ? strtol(text, &end, 10) : 0;
        if (v < 1 || v > 64 || *end != (i ? 0 : 'x')) return false;
        sides[i] = (int)v;
        text = end + 1;
    }
    return true;
}

dh__stream_build dh__stream_build_of(const dh__cl_device *device)
{
    int sides[2] = {4, 4};
    if (device->binary) return device->stream;
    if (!dh__stream_asked(sides)) sides[0] = sides[1] = 4;
    return (dh__stream_build){sides[0], sides[1], 16, 256};
}

/* Of what the kernel keeps beside its pipeline. */
static size_t local_bytes(const dh__stream_build *b)
{
    size_t sums = (size_t)b->rows * (size_t)b->width * (size_t)b->cpo;
    size_t lines = 2 * ((size_t)b->width + 2) * (size_t)b->cpi;
    return (sums + lines + ((size_t)b->width / 2 + 1) * (size_t)b->cpo) * sizeof(float);
}

dh_status dh__stream_run(const dh_call *call, const dh__stream_build *b, const dh__streaming *s,
                         const dh__stream_data *data, float alpha)
{
    char name[64];
    const void *parts[] = {data->y, data->x, data->filters, data->bias, data->norm, data->more};
    DH_REQUIRE(s->out_width <= b->width, DH_EUNSUPPORTED,
               "conv: the streaming kernel takes rows of %d pixels at most, has %lld", b->width,
               (long long)s->out_width);
    dh__format(name, sizeof name, "conv_stream_%dx%d_%dx%d", b->cpi, b->cpo, b->rows, b->width);
    dh__cl_launch l =
        dh__cl_begin(call, "stream", name, "-DNAME=%s -DCPI=%d -DCPO=%d -DROWS=%d -DWIDTH=%d", name,
                     b->cpi, b->cpo, b->rows, b->width);
    for (size_t i = 0; i < DH_COUNT(parts); i++)
        dh__cl_data(&l, parts[i] ? parts[i] : data->x, sizeof(float));
    dh__cl_bytes(&l, s, sizeof *s);
    dh__cl_number(&l, DH_F32, (double)alpha);
    const size_t one[3] = {1, 1, 1};
    return dh__cl_run(&l, one, one);
}

static const char *stream_refuse(const dh_call *call)
{
    const dh_conv_attr *attr = call->attr;
    const dh__cl_device *d = call->device->state;
    const dh_view *x = &call->in[0], *w = &call->in[1], *y = &call->out[0];
    int count = call->in_count - attr->add;
    dh__conv c;
    for (int i = 0; i < call->in_count; i++)
        if (call->in[i].dtype != DH_F32 || !dh__view_contiguous(&call->in[i]))
            return "takes contiguous f32 only";
    if (y->dtype != DH_F32 || !dh__view_contiguous(y)) return "takes contiguous f32 only";
    if (x->ndim != 4 || attr->group > 1) return "takes images in one group only";
    if (count > 3) return "has no normalisation before the activation";
    if (attr->add && (attr->act || attr->pool)) return "adds last";
    if (dh__conv_shape(&c, attr, x, w, "conv")) {
        dh_error_clear();
        return "has no such shape";
    }
    bool three = w->shape[2] == 3 && w->shape[3] == 3, one = w->shape[2] == 1 && w->shape[3] == 1;
    if (!three && !one) return "takes windows of 3x3 and 1x1 only";
    for (int i = 1; i < 3; i++)
        if (c.w.stride[i] != 1 || c.w.dilation[i] != 1 || (one && (c.w.begin[i] || c.w.end[i])))
            return "takes windows that lie side by side only";
    const dh__stream_build b = dh__stream_build_of(d);
    if (!d->binary && local_bytes(&b) > d->local) return "the device has too little local memory";
    if (c.w.out[2] > b.width) return "the images are too wide";
    return NULL;
}

static dh_status stream_run(const dh_call *call)
{
    const dh_conv_attr *attr = call->attr;
    const dh_view *in = call->in;
    int count = call->in_count - attr->add;
    dh__conv c;
    if (!dh__view_count(&call->out[0])) return DH_OK;
    DH_TRY(dh__conv_shape(&c, attr, &in[0], &in[1], "conv"));
    const dh__stream_build b = dh__stream_build_of(call->device->state);
    const dh__streaming s = {.images = c.n,
                             .channels = c.in_channels,
                             .height = c.w.in[1],
                             .width = c.w.in[2],
                             .outputs = c.out_channels,
                             .out_height = c.w.out[1],
                             .out_width = c.w.out[2],
                             .top = c.w.begin[1],
                             .left = c.w.begin[2],
                             .taps = in[1].shape[2] * in[1].shape[3],
                             .bias = count > 2,
                             .act = attr->act,
                             .pool = attr->pool,
                             .add = attr->add};
    const dh__stream_data data = {.y = call->out[0].data,
                                  .x = in[0].data,
                                  .filters = in[1].data,
                                  .bias = count > 2 ? in[2].data : NULL,
                                  .more = attr->add ? in[count].data : NULL};
    return dh__stream_run(call, &b, &s, &data, (float)attr->alpha);
}

const dh_impl dh__fpga_stream = {.name = "stream", .refuse = stream_refuse, .run = stream_run};
