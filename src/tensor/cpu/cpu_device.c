/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <unistd.h>

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

static dh_status cpu_zero(dh_device *device, void *dst, size_t size)
{
    DH_UNUSED(device);
    memset(dst, 0, size);
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

/* --- the driver --- */

static dh_status count_cpus(int *out)
{
    *out = 1;
    return DH_OK;
}

static uint64_t pages(int name)
{
    long count = sysconf(name), size = sysconf(_SC_PAGESIZE);
    return count > 0 && size > 0 ? (uint64_t)count * (uint64_t)size : 0;
}

static dh_status describe_cpu(dh_device_info *out, int index)
{
    DH_UNUSED(index);
    dh__format(out->name, sizeof out->name, "cpu");
    out->hardware = dh__cpu_model();
    out->software = dh__isa_name(dh__cpu_isa());
    out->memory = pages(_SC_PHYS_PAGES);
    out->memory_free = pages(_SC_AVPHYS_PAGES);
    out->units = dh__cpu_count();
    return DH_OK;
}

static dh_status open_cpu(dh_device **out, int index)
{
    DH_UNUSED(index);
    *out = dh__cpu();
    return DH_OK;
}

static const char *cpu_lacks(int op)
{
    return table[op] ? NULL : "not written yet";
}

const dh_driver dh__cpu_driver = {.name = "cpu",
                                  .count = count_cpus,
                                  .describe = describe_cpu,
                                  .open = open_cpu,
                                  .lacks = cpu_lacks};

dh_device *dh__cpu(void)
{
    static dh_device cpu = {.name = "cpu",
                            .host = true,
                            .driver = &dh__cpu_driver,
                            .alloc = cpu_alloc,
                            .free = cpu_free,
                            .discard = cpu_discard,
                            .copy_in = cpu_copy,
                            .copy_out = cpu_copy,
                            .copy = cpu_copy,
                            .zero = cpu_zero,
                            .wait = cpu_wait,
                            .impls = cpu_impls,
                            .peak = cpu_peak};
    return &cpu;
}
