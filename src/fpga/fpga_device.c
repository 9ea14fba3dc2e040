/* SPDX-License-Identifier: MIT */
/* Which ops the device has, and why it lacks the others. */
#include "fpga_ops.h"

#define KNOWN_YES(name) dh_fpga_##name
#define KNOWN_NO(name)  NULL
#define KNOWN(answer)   KNOWN_##answer

static const dh_impl *const *const impls[DH_OP_COUNT] = {
#define DH_OP(ID, name, cpu, cuda, fpga) [DH_OP_##ID] = KNOWN(fpga)(name),
#include "ops.def"
#undef DH_OP
};

const dh_impl *const *dh__fpga_impls(const dh_device *device, int op)
{
    DH_UNUSED(device);
    return op >= 0 && op < DH_OP_COUNT ? impls[op] : NULL;
}

const char *dh__fpga_lacks(int op)
{
    if (op < 0 || op >= DH_OP_COUNT || impls[op]) return NULL;
    switch (op) {
    case DH_OP_INVERSE:
    case DH_OP_DET: return "matrices are decomposed on the CPU only";
    default: return "it has no kernel yet";
    }
}
