/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cpu.h"
#include "fma_peak.h"

static const dh_impl *const *const table[DH_OP_COUNT] = {
#define DH_PICK_YES(kernels)             kernels
#define DH_PICK_NO(kernels)              NULL
#define DH_OP(ID, name, cpu, cuda, fpga) [DH_OP_##ID] = DH_PICK_##cpu(dh_cpu_##name),
#include "ops.def"
#undef DH_OP
#undef DH_PICK_YES
#undef DH_PICK_NO
};

static dh_status cpu_alloc(dh_device *device, void **out, size_t size)
{
    DH_UNUSED(device);
    *out = dh__alloc(size);
    return *out ? DH_OK : DH_ENOMEM;
}

static void cpu_free(dh_device *device, void *block)
{
    DH_UNUSED(device);
    dh__free(block);
}

static void cpu_discard(dh_device *device, void *data, size_t size)
{
    DH_UNUSED(device);
    dh__discard(data, size);
}

static dh_status cpu_copy(dh_device *device, void *dst, const void *src, size_t size)
{
    DH_UNUSED(device);
    memcpy(dst, src, size);
    return DH_OK;
}

static dh_status cpu_wait(dh_device *device)
{
    DH_UNUSED(device);
    return DH_OK;
}

static const dh_impl *const *cpu_impls(const dh_device *device, int op)
{
    DH_UNUSED(device);
    return table[op];
}

static double cpu_peak(dh_device *device)
{
    DH_UNUSED(device);
    double best = 0;
    (void)dh__fma_peak(30, &best);
    return best;
}

dh_device *dh__cpu(void)
{
    static dh_device cpu = {.name = "cpu",
                            .host = true,
                            .alloc = cpu_alloc,
                            .free = cpu_free,
                            .discard = cpu_discard,
                            .copy_in = cpu_copy,
                            .copy_out = cpu_copy,
                            .wait = cpu_wait,
                            .impls = cpu_impls,
                            .peak = cpu_peak};
    return &cpu;
}
