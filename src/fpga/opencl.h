/* SPDX-License-Identifier: MIT */
/* fpga: the OpenCL device, for FPGAs and whatever else an OpenCL platform offers. It knows tensors
 * and base; it must not know graphs, layers or models, and nobody includes it. libOpenCL, the ICD
 * loader, is opened when a device is first asked for. */
#ifndef DH_OPENCL_H
#define DH_OPENCL_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <pthread.h>

#include "tensor_impl.h"
#include "windows.h"

/* --- the loader's functions (opencl_load.c) --- */

#define DH_CL_FUNCTIONS(F)       \
    F(clGetPlatformIDs)          \
    F(clGetPlatformInfo)         \
    F(clGetDeviceIDs)            \
    F(clGetDeviceInfo)           \
    F(clCreateContext)           \
    F(clReleaseContext)          \
    F(clCreateCommandQueue)      \
    F(clReleaseCommandQueue)     \
    F(clCreateBuffer)            \
    F(clReleaseMemObject)        \
    F(clEnqueueReadBuffer)       \
    F(clEnqueueWriteBuffer)      \
    F(clEnqueueCopyBuffer)       \
    F(clEnqueueFillBuffer)       \
    F(clFinish)                  \
    F(clCreateProgramWithSource) \
    F(clCreateProgramWithBinary) \
    F(clBuildProgram)            \
    F(clGetProgramBuildInfo)     \
    F(clGetProgramInfo)          \
    F(clReleaseProgram)          \
    F(clCreateKernel)            \
    F(clReleaseKernel)           \
    F(clSetKernelArg)            \
    F(clEnqueueNDRangeKernel)

typedef struct dh__cl_functions {
#define F(name) __typeof__(name) *name;
    DH_CL_FUNCTIONS(F)
#undef F
} dh__cl_functions;

/* NULL with DH_EMISSING where the loader is not installed, or lacks a function. */
const dh__cl_functions *dh__cl_load(void);
/* "CL_OUT_OF_RESOURCES" */
const char *dh__cl_error_name(cl_int error);

/* --- devices (opencl_platform.c) --- */

typedef struct dh__cl_block { /* memory that the device gave */
    char *address;            /* addresses reserved for it, which nobody can read or write */
    size_t size;
    cl_mem memory;
} dh__cl_block;

typedef struct dh__cl_kernel { /* in a program of its own; it lives as long as the process */
    struct dh__cl_kernel *next;
    cl_program program;
    cl_kernel kernel;
    char key[]; /* source, name and options */
} dh__cl_kernel;

/* How much of a convolution the streaming kernel takes at a time (kernels/stream.cl). */
typedef struct dh__stream_build {
    int cpi, cpo, rows, width; /* 0: there is none */
} dh__stream_build;

typedef struct dh__cl_device {
    dh_device device;
    char name[32];
    const dh__cl_functions *cl;
    cl_platform_id platform;
    cl_device_id id;
    char hardware[128], software[384]; /* software tells a compiler from another, too */
    cl_device_type type;
    cl_ulong memory, most; /* bytes: of all, of the largest block */
    cl_ulong local;        /* bytes that a group of work items shares */
    cl_uint units;
    size_t work_group; /* most work items of one */
    bool f64, fma;     /* it has doubles; it multiplies and adds at once */
    bool compiler;     /* else all kernels come from a binary */
    bool xilinx;       /* XRT's extension tells in which bank of memory a buffer lies */
    /* once it is opened: */
    pthread_mutex_t lock; /* of all below, and of setting a kernel's arguments and queueing it */
    cl_context context;
    cl_command_queue queue;
    dh__cl_block *blocks; /* by address */
    size_t block_count, block_room, used;
    dh__cl_kernel *kernels;
    cl_program binary;       /* of DEEPHEALTH_XCLBIN, which then has all kernels; or NULL */
    dh__stream_build stream; /* of the binary */
    cl_mem trouble;          /* a dh__cl_trouble */
    bool doubtful;           /* a kernel that may complain was launched since it was read */
    bool opened;
} dh__cl_device;

/* Of opencl_load.c: "opencl:0: clFinish: CL_OUT_OF_RESOURCES", as DH_ENOMEM or DH_EDEVICE. */
dh_status dh__cl_fail(const dh__cl_device *device, const char *what, cl_int error);

/* As kernels write it (prelude.cl). */
typedef struct dh__cl_trouble {
    cl_int code, unused;
    cl_long place, value, least, limit; /* of [least, limit) */
} dh__cl_trouble;

/* All of them, found at the first call; a failure is told each time. */
dh_status dh__cl_devices(dh__cl_device **out, int *count);
/* Context and queue, made at the first call. */
dh_status dh__cl_open(dh__cl_device *device);

/* --- memory (opencl_memory.c) --- */

void dh__cl_set_memory(dh_device *device); /* its part of the device's functions */
/* The buffer that an address lies in, and how far. DH_EDEVICE where it is none of the device's. */
dh_status dh__cl_find(cl_mem *out, size_t *offset, dh__cl_device *device, const void *address);
/* What a kernel complained of since the last time, if it did. */
dh_status dh__cl_complaint(dh__cl_device *device);

/* --- programs and launches (opencl_program.c, opencl_launch.c) --- */

/* Kernel of a source in kernels/, which has it where K_<name> is defined, that is built with these
 * options ("-DX=f32"); built once, and kept in a cache of files between processes. With the lock
 * held. */
dh_status dh__cl_kernel_get(cl_kernel *out, dh__cl_device *device, const char *source,
                            const char *name, const char *options);

/* One launch under construction. The first failure sticks. */
typedef struct dh__cl_launch {
    dh__cl_device *device;
    cl_kernel kernel;
    const char *name;
    cl_uint argument;
    dh_status status;
} dh__cl_launch;

/* Loads what DEEPHEALTH_XCLBIN names, made offline for this card (docs/fpga.md). */
dh_status dh__cl_load_offline(dh__cl_device *device);

/* " -DPACKED" where all views are packed, else nothing. */
const char *dh__cl_packed(int count, const dh_view *const *views);

/* Takes the device's lock until dh__cl_run. The arguments follow in the kernel's order. */
dh__cl_launch dh__cl_begin(const dh_call *call, const char *source, const char *name,
                           const char *options, ...) DH_PRINTF(4, 5);
/* OUT or IN: memory, place, view. */
void dh__cl_view(dh__cl_launch *launch, const dh_view *view);
/* Memory and where in it address lies, in elements of a size. NULL: none. */
void dh__cl_data(dh__cl_launch *launch, const void *address, size_t size);
/* The same in numbers of the type that sums of dtype are kept in: A, or 64 bits of an integer. */
void dh__cl_sums(dh__cl_launch *launch, const void *address, dh_dtype dtype);
void dh__cl_int(dh__cl_launch *launch, int64_t value); /* long */
/* Of the type that a dtype is computed in: float or double. */
void dh__cl_number(dh__cl_launch *launch, dh_dtype dtype, double value);
/* Of the type A, that of sums. */
void dh__cl_wide(dh__cl_launch *launch, double value);
void dh__cl_shape(dh__cl_launch *launch, const dh_view *view); /* a view alone, axes as they are */
void dh__cl_line(dh__cl_launch *launch, const dh_view *view);  /* the same with axes merged */
void dh__cl_bytes(dh__cl_launch *launch, const void *value, size_t size);
/* The place for complaints and the op's code: what the kernel notes there is told as
 * "op: index number 3 is 12, must be in [0, 10)" when the host waits. */
void dh__cl_complaints(dh__cl_launch *launch, const dh_call *call);
void dh__cl_windows(dh__cl_launch *launch, const dh__windows *w); /* as windows.clh has them */
/* Queues it for so many work items, in groups of local each. */
dh_status dh__cl_run(dh__cl_launch *launch, const size_t global[3], const size_t local[3]);
/* For each of count things, which becomes the last argument. */
dh_status dh__cl_each(dh__cl_launch *launch, int64_t count);

/* "the device has no doubles" where a tensor of the call is f64 and it has none; else NULL. */
const char *dh__cl_refuse(const dh_call *call);

/* y = x, elements of views of one shape and dtype, or cast; y = value, rounded as a cast.
 * (fpga_elementwise.c) */
dh_status dh__cl_move(const dh_call *call, const dh_view *y, const dh_view *x);
dh_status dh__cl_cast(const dh_call *call, const dh_view *y, const dh_view *x);
dh_status dh__cl_fill(const dh_call *call, const dh_view *y, double value);
const char *dh__cl_bits(dh_dtype dtype); /* an unsigned type of the elements' size */

/* Sources of kernels/, made by CMakeLists.txt; NULL ends them. */
typedef struct dh__cl_source {
    const char *name, *text;
} dh__cl_source;
extern const dh__cl_source dh__cl_sources[];

extern const dh_driver dh_driver_fpga;

#endif
