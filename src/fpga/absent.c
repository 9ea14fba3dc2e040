/* SPDX-License-Identifier: MIT */
/* In the place of all else in a library that was built without OpenCL's headers. */
#include "tensor_impl.h"

static dh_status count(int *out)
{
    DH_UNUSED(out);
    return dh_fail(DH_EMISSING, "opencl: this library was built without it; build it where the "
                                "package opencl-headers is installed");
}

static dh_status describe(dh_device_info *out, int index)
{
    DH_UNUSED(out);
    DH_UNUSED(index);
    return count(NULL);
}

static dh_status open_device(dh_device **out, int index)
{
    DH_UNUSED(out);
    DH_UNUSED(index);
    return count(NULL);
}

static const char *lacks(int op)
{
    DH_UNUSED(op);
    return "this library was built without OpenCL";
}

extern const dh_driver dh_driver_fpga;
const dh_driver dh_driver_fpga = {
    .name = "opencl", .count = count, .describe = describe, .open = open_device, .lacks = lacks};
