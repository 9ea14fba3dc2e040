/* SPDX-License-Identifier: MIT */
/* What this machine has to compute with: drivers ("cpu", "card"), their devices ("card:0"), and
 * which ops each of them has. */
#ifndef DEEPHEALTH_DEVICES_H
#define DEEPHEALTH_DEVICES_H

#include <deephealth/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dh_device_info {
    char name[32];        /* of .device and dh_tensor_to_device: "cpu", "card:0" */
    const char *hardware; /* "AMD EPYC 9B14"; borrowed, lives as long as the process */
    const char *software; /* versions of driver and language, of the CPU its instruction set */
    uint64_t memory;      /* bytes; 0: not known */
    uint64_t memory_free; /* bytes that can be had now; 0: not known */
    int units;            /* cores, or compute units */
} dh_device_info;

/* Name of a driver, NULL beyond the last one; borrowed. The first is the CPU's. */
DH_API const char *dh_driver_name(int index);
/* How many devices a driver has; what they need is opened now. Where there is none, the error says
 * what is missing: DH_EMISSING naming library and package or the card; DH_ENAME for no driver. */
DH_API DH_NODISCARD dh_status dh_driver_devices(int *out, const char *driver);
/* What is known of a device: "cpu", "card:1". Errors as of dh_tensor_to_device. */
DH_API DH_NODISCARD dh_status dh_device_describe(dh_device_info *out, const char *device);
/* Why devices of a driver lack an op ("conv"), NULL where they have it; borrowed. An op that is
 * there may still refuse a call for its shapes or dtypes. DH_ENAME where driver or op are unknown.
 */
DH_API DH_NODISCARD dh_status dh_driver_lacks(const char **why, const char *driver, const char *op);
/* Name of the index-th op, NULL beyond the last one; borrowed. */
DH_API const char *dh_op_name(int index);

#ifdef __cplusplus
}
#endif
#endif
