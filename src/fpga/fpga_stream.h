/* SPDX-License-Identifier: MIT */
/* The streaming convolution's arguments (kernels/stream.cl) and how it is launched. */
#ifndef DH_FPGA_STREAM_H
#define DH_FPGA_STREAM_H

#include "opencl.h"

typedef struct dh__streaming { /* as in kernels/stream.cl */
    cl_long images, channels, height, width;
    cl_long outputs, out_height, out_width; /* before pooling */
    cl_long top, left;
    cl_long taps;
    cl_long bias, act, mish, pool, norm, add;
} dh__streaming;

/* Memory of the device, packed f32: images, filters [O, C, 3, 3] or [O, C, 1, 1], bias [O], of each
 * output beta, gamma, mean and variance, what is added. NULL where there is none. */
typedef struct dh__stream_data {
    float *y;
    const float *x, *filters, *bias, *norm, *more;
} dh__stream_data;

/* DH_EUNSUPPORTED for images wider than the build's. */
dh_status dh__stream_run(const dh_call *call, const dh__stream_build *build, const dh__streaming *s,
                         const dh__stream_data *data, float alpha);
/* Does DEEPHEALTH_STREAM ask for CPI x CPO ("8x8", each in [1, 64])? */
bool dh__stream_asked(int sides[2]);
/* What the device's binary holds; else what DEEPHEALTH_STREAM asks for, or 4x4. */
dh__stream_build dh__stream_build_of(const dh__cl_device *device);

#endif
