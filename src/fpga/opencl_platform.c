/* SPDX-License-Identifier: MIT */
/* The devices of all platforms, and the driver that names them. Their order is that of the
 * platforms and of the devices in each, accelerators (FPGAs) before GPUs before CPUs. */
#include <stdlib.h>
#include <string.h>

#include "fpga_ops.h"

#define MOST_DEVICES 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static dh__cl_device found[MOST_DEVICES]; /* once found they stay */
static int found_count;

static void text_of(char *out, size_t size, const dh__cl_device *d, cl_device_info what)
{
    if (d->cl->clGetDeviceInfo(d->id, what, size - 1, out, NULL) != CL_SUCCESS) out[0] = 0;
}

static void add_names(dh__cl_device *d)
{
    char platform[96] = "", version[128] = "", driver[96] = "";
    text_of(version, sizeof version, d, CL_DEVICE_VERSION);
    text_of(driver, sizeof driver, d, CL_DRIVER_VERSION);
    text_of(d->hardware, sizeof d->hardware, d, CL_DEVICE_NAME);
    if (d->cl->clGetPlatformInfo(d->platform, CL_PLATFORM_NAME, sizeof platform - 1, platform,
                                 NULL) != CL_SUCCESS)
        platform[0] = 0;
    d->xilinx = strstr(platform, "Xilinx") != NULL;
    dh__format(d->software, sizeof d->software, "%s, %s, driver %s", version, platform, driver);
}

static void ask(dh__cl_device *d, cl_device_info what, void *out, size_t size)
{
    if (d->cl->clGetDeviceInfo(d->id, what, size, out, NULL) != CL_SUCCESS) memset(out, 0, size);
}

/* A lesser amount than there is, for tests of what happens when it runs out. */
static void limit_memory(dh__cl_device *d)
{
    const char *text = getenv("DEEPHEALTH_DEVICE_MEMORY");
    int64_t most;
    if (text && dh__parse_int64(text, strlen(text), &most) && most > 0 &&
        (cl_ulong)most < d->memory)
        d->memory = (cl_ulong)most;
    if (d->most > d->memory) d->most = d->memory;
}

static void add_device(const dh__cl_functions *cl, cl_platform_id platform, cl_device_id id)
{
    dh__cl_device *d = &found[found_count];
    cl_ulong f64 = 0, f32 = 0;
    cl_bool available = CL_FALSE, compiler = CL_FALSE;
    *d = (dh__cl_device){.cl = cl, .platform = platform, .id = id};
    ask(d, CL_DEVICE_AVAILABLE, &available, sizeof available);
    if (!available) return;
    ask(d, CL_DEVICE_TYPE, &d->type, sizeof d->type);
    ask(d, CL_DEVICE_GLOBAL_MEM_SIZE, &d->memory, sizeof d->memory);
    ask(d, CL_DEVICE_MAX_MEM_ALLOC_SIZE, &d->most, sizeof d->most);
    ask(d, CL_DEVICE_LOCAL_MEM_SIZE, &d->local, sizeof d->local);
    ask(d, CL_DEVICE_MAX_COMPUTE_UNITS, &d->units, sizeof d->units);
    ask(d, CL_DEVICE_MAX_WORK_GROUP_SIZE, &d->work_group, sizeof d->work_group);
    ask(d, CL_DEVICE_DOUBLE_FP_CONFIG, &f64, sizeof f64);
    ask(d, CL_DEVICE_SINGLE_FP_CONFIG, &f32, sizeof f32);
    ask(d, CL_DEVICE_COMPILER_AVAILABLE, &compiler, sizeof compiler);
    d->compiler = compiler;
    d->f64 = f64 != 0;
    d->fma = (f32 & CL_FP_FMA) != 0;
    limit_memory(d);
    add_names(d);
    found_count++;
}

static int rank(const dh__cl_device *d)
{
    return d->type & CL_DEVICE_TYPE_ACCELERATOR ? 0 : d->type & CL_DEVICE_TYPE_GPU ? 1 : 2;
}

static void add_platform(const dh__cl_functions *cl, cl_platform_id platform)
{
    cl_device_id ids[MOST_DEVICES];
    cl_uint count = 0;
    if (cl->clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, DH_COUNT(ids), ids, &count) != CL_SUCCESS)
        return;
    for (cl_uint i = 0; i < count && i < DH_COUNT(ids) && found_count < MOST_DEVICES; i++)
        add_device(cl, platform, ids[i]);
}

/* Stable: devices of one rank keep their order. */
static void order(void)
{
    for (int i = 1; i < found_count; i++) {
        dh__cl_device d = found[i];
        int k = i;
        for (; k > 0 && rank(&found[k - 1]) > rank(&d); k--) found[k] = found[k - 1];
        found[k] = d;
    }
    for (int i = 0; i < found_count; i++) {
        dh__cl_device *d = &found[i];
        dh__format(d->name, sizeof d->name, "opencl:%d", i);
        d->device = (dh_device){.name = d->name, .state = d, .driver = &dh_driver_fpga};
        d->device.impls = dh__fpga_impls;
        dh__cl_set_memory(&d->device);
        (void)pthread_mutex_init(&d->lock, NULL);
    }
}

static dh_status find(void)
{
    cl_platform_id platforms[32];
    cl_uint count = 0;
    const dh__cl_functions *cl = dh__cl_load();
    if (!cl) return DH_EMISSING;
    cl_int error = cl->clGetPlatformIDs(DH_COUNT(platforms), platforms, &count);
    DH_REQUIRE(error == CL_SUCCESS && count, DH_EMISSING,
               "opencl: the loader finds no platform (%s); install a card's driver, or "
               "pocl-opencl-icd for the CPU",
               dh__cl_error_name(error));
    for (cl_uint i = 0; i < count && i < DH_COUNT(platforms); i++) add_platform(cl, platforms[i]);
    DH_REQUIRE(found_count, DH_EMISSING, "opencl: %u platform%s, but no device that is available",
               (unsigned)count, count == 1 ? "" : "s");
    order();
    return DH_OK;
}

dh_status dh__cl_devices(dh__cl_device **out, int *count)
{
    (void)pthread_mutex_lock(&lock);
    dh_status status = found_count ? DH_OK : find();
    *out = found;
    *count = found_count;
    (void)pthread_mutex_unlock(&lock);
    return status;
}

/* --- the driver --- */

static dh_status count_devices(int *out)
{
    dh__cl_device *devices;
    return dh__cl_devices(&devices, out);
}

static dh_status describe(dh_device_info *out, int index)
{
    dh__cl_device *devices;
    int count;
    DH_TRY(dh__cl_devices(&devices, &count));
    dh__cl_device *d = &devices[index];
    dh__format(out->name, sizeof out->name, "%s", d->name);
    out->hardware = d->hardware;
    out->software = d->software;
    out->memory = d->memory;
    (void)pthread_mutex_lock(&d->lock);
    out->memory_free = d->memory - d->used;
    (void)pthread_mutex_unlock(&d->lock);
    out->units = (int)d->units;
    return DH_OK;
}

static dh_status open_device(dh_device **out, int index)
{
    dh__cl_device *devices;
    int count;
    DH_TRY(dh__cl_devices(&devices, &count));
    DH_TRY(dh__cl_open(&devices[index]));
    *out = &devices[index].device;
    return DH_OK;
}

const dh_driver dh_driver_fpga = {.name = "opencl",
                                  .count = count_devices,
                                  .describe = describe,
                                  .open = open_device,
                                  .lacks = dh__fpga_lacks};
