/* SPDX-License-Identifier: MIT */
/* Dropout and noise: the host's words at the same positions (dh_step). */
#include <math.h>

#include "fpga_ops.h"

static dh__cl_launch begin(const dh_call *call, const char *kernel)
{
    const dh_view *views[] = {&call->out[0], &call->in[0]};
    uint64_t stream, first = dh__random_first(call, &stream);
    dh__cl_launch l = dh__cl_begin(call, "random", kernel, "-DX=%s%s",
                                   dh_dtype_name(call->in[0].dtype), dh__cl_packed(2, views));
    dh__cl_view(&l, views[0]);
    dh__cl_view(&l, views[1]);
    dh__cl_int(&l, dh__view_count(views[1]));
    dh__cl_bytes(&l, &call->step->seed, sizeof call->step->seed);
    dh__cl_bytes(&l, &stream, sizeof stream);
    dh__cl_bytes(&l, &first, sizeof first);
    return l;
}

/* Of four words, the first and the last in part. */
static int64_t blocks_of(const dh_call *call)
{
    uint64_t stream, first = dh__random_first(call, &stream);
    return (dh__view_count(&call->in[0]) + (int64_t)(first % 4) + 3) / 4;
}

static dh_status dropout_run(const dh_call *call)
{
    double rate = ((const dh_dropout_attr *)call->attr)->rate;
    cl_uint threshold = (cl_uint)ceil(rate * 16777216.0);
    dh__cl_launch l = begin(call, "dropout");
    dh__cl_bytes(&l, &threshold, sizeof threshold);
    dh__cl_number(&l, call->in[0].dtype, rate < 1 ? 1 / (1 - rate) : 0);
    return dh__cl_each(&l, blocks_of(call));
}

static dh_status noise_run(const dh_call *call)
{
    dh__cl_launch l = begin(call, "noise");
    dh__cl_wide(&l, ((const dh_noise_attr *)call->attr)->stddev);
    return dh__cl_each(&l, blocks_of(call));
}

static const dh_impl dropout_impl = {.name = "blocks", .refuse = dh__cl_refuse, .run = dropout_run};
static const dh_impl noise_impl = {.name = "blocks", .refuse = dh__cl_refuse, .run = noise_run};
const dh_impl *const dh_fpga_dropout[] = {&dropout_impl, NULL};
const dh_impl *const dh_fpga_gaussian_noise[] = {&noise_impl, NULL};
