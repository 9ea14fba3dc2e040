/* SPDX-License-Identifier: MIT */
/* For those who extend the library: a device is memory, copies and implementations of ops. Calls
 * are queued in order on one queue per device; only wait and copies to the host block. */
#ifndef DEEPHEALTH_SYS_DEVICE_H
#define DEEPHEALTH_SYS_DEVICE_H

#include <deephealth/sys/op.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dh_device {
    const char *name; /* "cpu" */
    bool host;        /* the memory can be read by the CPU as it is */
    void *state;      /* the device's own */

    /* 64-byte aligned memory; fails with DH_ENOMEM naming the size. */
    dh_status (*alloc)(struct dh_device *device, void **out, size_t size);
    void (*free)(struct dh_device *device, void *block);
    /* The content of these bytes, part of a block, is not needed any more, so the device may use
     * their memory for something else; the block stays, to be freed as ever. NULL: does nothing. */
    void (*discard)(struct dh_device *device, void *data, size_t size);
    dh_status (*copy_in)(struct dh_device *device, void *dst, const void *host, size_t size);
    dh_status (*copy_out)(struct dh_device *device, void *host, const void *src, size_t size);
    dh_status (*wait)(struct dh_device *device); /* until all queued work is done */

    /* Implementations of an op, best first, ended by NULL; NULL if the device lacks the op. */
    const dh_impl *const *(*impls)(const struct dh_device *device, int op);

    /* FLOP/s in f32 that nothing exceeds with the threads the caller has, measured in some
     * milliseconds; NULL, or 0 from it: not known. */
    double (*peak)(struct dh_device *device);
} dh_device;

/* The device of a name, opened at first use; borrowed, lives as long as the process. NULL name: the
 * CPU. DH_ENAME, which offers the near names, or DH_EMISSING where there is none. */
DH_API dh_status dh_device_get(dh_device **out, const char *name);

#ifdef __cplusplus
}
#endif
#endif
