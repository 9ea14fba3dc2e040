/* SPDX-License-Identifier: MIT */
/* Computing services: the one line that says where a model computes. */
#ifndef DEEPHEALTH_COMPUTING_SERVICE_H
#define DEEPHEALTH_COMPUTING_SERVICE_H

#include <deephealth/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DH_MAX_DEVICES 16

/* Where and how a model computes. A plain value. */
typedef struct dh_cs {
    const char *device; /* a driver ("opencl") or a device ("opencl:1"); NULL: "cpu" */
    int threads;        /* 0: all cores this process may use */
    int memory;         /* 0 full_mem, 1 mid_mem, 2 low_mem; -1: the name given was unknown */
    int replicas;
    const char *memory_name;
    int mask[DH_MAX_DEVICES]; /* 1 at the index of each of the driver's devices that takes part;
                                 empty: the first */
    int lsb;
    const char *fallback;
} dh_cs;

typedef struct dh_cs_cpu_args {
    size_t struct_size;
    int threads;
    const char
        *memory;  /* "full_mem" keeps activations (default); "mid_mem" computes cheap ones again in
                     backward; "low_mem" whole segments; both keep no gradients of whole steps (see
                     keep_gradients of dh_build). Results are the same bit for bit */
    int replicas; /* logical devices that share each batch of training; 1 (the default) to 64 */
    int lsb;      /* as of dh_cs_gpu */
} dh_cs_cpu_args;
/* dh_cs_cpu(.threads = 2, .memory = "low_mem") */
DH_API dh_cs dh_cs_cpu(const dh_cs_cpu_args *args);

typedef struct dh_cs_devices_args {
    size_t struct_size;
    int mask[DH_MAX_DEVICES]; /* {1, 0, 1}: the first and the third device; default the first */
    int lsb;                  /* local synchronisation batches: how many each replica trains alone
                                 before all are averaged; 1 (the default): gradients are, in each */
    const char *memory;       /* as of dh_cs_cpu */
    int replicas;             /* logical devices that share each batch of training, in turn on the
                                 mask's devices; default one on each */
    const char *fallback;     /* "cpu": the CPU runs what the device has no implementation for, and
                                 dh_summary shows where; default NULL: the build fails */
} dh_cs_devices_args;
/* dh_cs_gpu({1, 0, 1}, .memory = "low_mem"): CUDA devices. Whether they are there is asked when a
 * model is built: a mask beyond those there are is DH_ENOTFOUND, a driver or library that is
 * missing DH_EMISSING, and never does the CPU step in unasked. */
DH_API dh_cs dh_cs_gpu(const dh_cs_devices_args *args);
/* The same of OpenCL devices: FPGAs, and what else the OpenCL platforms offer. */
DH_API dh_cs dh_cs_fpga(const dh_cs_devices_args *args);

/* What a YAML file says (docs/devices.md tells its keys):
 *     device: opencl
 *     mask: [1, 0, 1]
 *     memory: low_mem
 * Errors name file and line: DH_EINVAL for a wrong value, DH_ENAME for a key or device that is not
 * known, DH_EFORMAT for what is not such a file, DH_EMISSING for hosts, which need MPI, and without
 * libyaml. Whether the devices are there is asked when a model is built. */
DH_API DH_NODISCARD dh_status dh_cs_load(dh_cs *out, const char *path);

#ifdef __cplusplus
}
#endif

#ifndef __cplusplus
#define dh_cs_cpu(...)  dh_cs_cpu(DH_ARGS(dh_cs_cpu_args, __VA_ARGS__))
#define dh_cs_gpu(...)  dh_cs_gpu(DH_ARGS(dh_cs_devices_args, __VA_ARGS__))
#define dh_cs_fpga(...) dh_cs_fpga(DH_ARGS(dh_cs_devices_args, __VA_ARGS__))
#endif
#endif
