/* SPDX-License-Identifier: MIT */
/* In the place of all else in a library that was built without OpenCL's headers. */
#include "absent_driver.h"

DH_ABSENT_DRIVER(fpga, "opencl",
                 "this library was built without it; build it where the package opencl-headers is "
                 "installed",
                 "this library was built without OpenCL");
