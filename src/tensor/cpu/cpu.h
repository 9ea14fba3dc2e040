/* SPDX-License-Identifier: MIT */
/* cpu/: the reference device. Every op has an implementation here, and the last of each list takes
 * every dtype of the op's mask with any strides. */
#ifndef DH_CPU_H
#define DH_CPU_H

#include "tensor_impl.h"

#define DH_OP(ID, name, cpu, cuda, fpga) extern const dh_impl *const dh_cpu_##name[];
#include "ops.def"
#undef DH_OP

#endif
