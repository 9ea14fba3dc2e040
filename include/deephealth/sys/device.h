/* SPDX-License-Identifier: MIT */
/* For those who extend the library: a device is memory, copies and implementations of ops. Calls
 * are queued in order on one queue per device; only wait and copies to and from the host block. */
#ifndef DEEPHEALTH_SYS_DEVICE_H
#define DEEPHEALTH_SYS_DEVICE_H

#include <deephealth/devices.h>
#include <deephealth/sys/op.h>

#ifdef __cplusplus
extern "C" {
#endif

struct dh_driver;

typedef struct dh_device {
    const char *name; /* "cpu", "card:0" */
    bool host;        /* the memory can be read by the CPU as it is */
    void *state;      /* the device's own */
    const struct dh_driver *driver;

    /* 64-byte aligned memory; fails with DH_ENOMEM naming the size. What it gives is an address of
     * the device: only where host is true may it be followed, but a part of the block is told by
     * adding bytes to it, whatever the device, and no two live blocks have an address in common. */
    dh_status (*alloc)(struct dh_device *device, void **out, size_t size);
    void (*free)(struct dh_device *device, void *block);
    /* The content of these bytes, part of a block, is not needed any more, so the device may use
     * their memory for something else; the block stays, to be freed as ever. NULL: does nothing. */
    void (*discard)(struct dh_device *device, void *data, size_t size);
    /* Once it returns, host may be written again. */
    dh_status (*copy_in)(struct dh_device *device, void *dst, const void *host, size_t size);
    dh_status (*copy_out)(struct dh_device *device, void *host, const void *src, size_t size);
    /* Inside the device; the parts do not overlap. */
    dh_status (*copy)(struct dh_device *device, void *dst, const void *src, size_t size);
    dh_status (*zero)(struct dh_device *device, void *dst, size_t size);
    dh_status (*wait)(struct dh_device *device); /* until all queued work is done */

    /* Implementations of an op, best first, ended by NULL; NULL if the device lacks the op. */
    const dh_impl *const *(*impls)(const struct dh_device *device, int op);

    /* FLOP/s in f32 that nothing exceeds with the threads the caller has, measured in some
     * milliseconds; NULL, or 0 from it: not known. */
    double (*peak)(struct dh_device *device);
} dh_device;

/* A kind of devices: how the library finds and opens them. Its functions may be called by several
 * threads at once. */
typedef struct dh_driver {
    const char *name; /* "card": its devices are card:0, card:1, ... */
    /* How many devices there are. What they need is opened by the first call; a failure says what
     * is missing: DH_EMISSING with the library and its package, the version or the card. */
    dh_status (*count)(int *out);
    /* Of device index, 0 <= index < count; the texts are borrowed and live as long as the process.
     */
    dh_status (*describe)(dh_device_info *out, int index);
    /* The same device each time; it lives as long as the process. */
    dh_status (*open)(dh_device **out, int index);
    /* Why its devices have no implementation of an op at all; NULL where they have one. */
    const char *(*lacks)(int op);
} dh_driver;

/* Makes a driver's devices known to the process. It is borrowed and must live as long as that.
 * DH_EINVAL where a function or the name is missing, or the name is known already; DH_EOVERFLOW
 * beyond 16 drivers. */
DH_API dh_status dh_driver_add(const dh_driver *driver);

/* The device of a name, opened at first use; borrowed, lives as long as the process. "card" alone
 * is card:0. NULL name: the CPU. DH_ENAME, which offers the near names, for an unknown driver,
 * DH_ENOTFOUND for an index beyond its devices, and what the driver has to say where it finds none.
 */
DH_API dh_status dh_device_get(dh_device **out, const char *name);

#ifdef __cplusplus
}
#endif
#endif
