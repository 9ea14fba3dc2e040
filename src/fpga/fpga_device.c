/* SPDX-License-Identifier: MIT */
/* Which ops the device has, and why it lacks the others. */
#include "fpga_ops.h"
#include "fpga_stream.h"

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
    static const dh_impl *const stream_first[] = {&dh__fpga_stream, &dh__fpga_tiled, &dh__fpga_each,
                                                  NULL};
    static const dh_impl *const stream_only[] = {&dh__fpga_stream, NULL};
    const dh__cl_device *d = device->state;
    if (op < 0 || op >= DH_OP_COUNT) return NULL;
    if (d->binary) return op == DH_OP_CONV && d->stream.cpi ? stream_only : NULL;
    int sides[2];
    bool streams = d->type & CL_DEVICE_TYPE_ACCELERATOR || dh__stream_asked(sides);
    return op == DH_OP_CONV && streams ? stream_first : impls[op];
}

const char *dh__fpga_lacks(int op)
{
    static const char *const reasons[DH_OP_COUNT] = {
#define DH_LACKS(ID, reason) [DH_OP_##ID] = reason,
#include "lacks.def"
#undef DH_LACKS
    };
    if (op < 0 || op >= DH_OP_COUNT || impls[op]) return NULL;
    return reasons[op] ? reasons[op] : "it has no kernel yet";
}
