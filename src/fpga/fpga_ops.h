/* SPDX-License-Identifier: MIT */
/* Which ops the device has. */
#ifndef DH_FPGA_OPS_H
#define DH_FPGA_OPS_H

#include "opencl.h"

/* What ops.def says YES to in the column fpga; NO is told why by dh__fpga_lacks. */
#define DH_OP(ID, name, cpu, cuda, fpga) extern const dh_impl *const dh_fpga_##name[];
#include "ops.def"
#undef DH_OP

/* Of convolutions; the streaming one comes first where the device is made for it. */
extern const dh_impl dh__fpga_tiled, dh__fpga_stream, dh__fpga_each;

const dh_impl *const *dh__fpga_impls(const dh_device *device, int op);
const char *dh__fpga_lacks(int op);

#endif
