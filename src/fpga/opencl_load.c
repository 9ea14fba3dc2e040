/* SPDX-License-Identifier: MIT */
/* The ICD loader, opened when a device is first asked for, and what its errors are called. */
#include <string.h>

#include "opencl.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static dh__cl_functions functions;
static dh__error failure;
static bool loaded;

static bool take(void *library, const char *name, void *place)
{
    void *symbol = dh__library_symbol(library, name);
    if (symbol) memcpy(place, &symbol, sizeof symbol);
    return symbol != NULL;
}

static void load(void)
{
    static const char *const names[] = {"libOpenCL.so.1", "libOpenCL.so", "libOpenCL.dylib", NULL};
    void *library = dh__library_open(names, "ocl-icd-libopencl1");
    loaded = library != NULL;
#define F(name) loaded = loaded && take(library, #name, &functions.name);
    DH_CL_FUNCTIONS(F)
#undef F
    if (!loaded) dh__error_save(&failure);
}

const dh__cl_functions *dh__cl_load(void)
{
    (void)pthread_once(&once, load);
    if (!loaded) dh__error_restore(&failure);
    return loaded ? &functions : NULL;
}

const char *dh__cl_error_name(cl_int error)
{
    static const struct {
        cl_int error;
        const char *name;
    } names[] = {
#define E(name) {name, #name},
        E(CL_DEVICE_NOT_FOUND) E(CL_DEVICE_NOT_AVAILABLE) E(CL_COMPILER_NOT_AVAILABLE)
            E(CL_MEM_OBJECT_ALLOCATION_FAILURE) E(CL_OUT_OF_RESOURCES) E(CL_OUT_OF_HOST_MEMORY)
                E(CL_BUILD_PROGRAM_FAILURE) E(CL_INVALID_VALUE) E(CL_INVALID_DEVICE)
                    E(CL_INVALID_BINARY) E(CL_INVALID_BUILD_OPTIONS)
                        E(CL_INVALID_PROGRAM_EXECUTABLE) E(CL_INVALID_KERNEL_NAME)
                            E(CL_INVALID_KERNEL_ARGS) E(CL_INVALID_ARG_INDEX) E(CL_INVALID_ARG_SIZE)
                                E(CL_INVALID_ARG_VALUE) E(CL_INVALID_WORK_GROUP_SIZE)
                                    E(CL_INVALID_WORK_ITEM_SIZE) E(CL_INVALID_GLOBAL_WORK_SIZE)
                                        E(CL_INVALID_BUFFER_SIZE) E(CL_INVALID_MEM_OBJECT)
                                            E(CL_INVALID_COMMAND_QUEUE) E(CL_INVALID_CONTEXT)
                                                E(CL_INVALID_OPERATION)
#undef E
    };
    for (size_t i = 0; i < DH_COUNT(names); i++)
        if (names[i].error == error) return names[i].name;
    static _Thread_local char number[32];
    dh__format(number, sizeof number, "error %d", (int)error);
    return number;
}

dh_status dh__cl_fail(const dh__cl_device *device, const char *what, cl_int error)
{
    bool memory = error == CL_MEM_OBJECT_ALLOCATION_FAILURE || error == CL_OUT_OF_HOST_MEMORY;
    return dh_fail(memory ? DH_ENOMEM : DH_EDEVICE, "%s: %s: %s", device->name, what,
                   dh__cl_error_name(error));
}
