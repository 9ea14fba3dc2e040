/* SPDX-License-Identifier: MIT */
/* For those who extend the library: what makes one array of several that are computed apart, by
 * logical devices of a process or by several processes. */
#ifndef DEEPHEALTH_SYS_COMM_H
#define DEEPHEALTH_SYS_COMM_H

#include <deephealth/sys/device.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dh_comm_part {
    dh_device *device;
    float *data; /* memory of the device, no two parts' overlap */
    double weight;
} dh_comm_part;

/* Both functions are called by all processes alike, with as many elements; each names its own
 * parts, one or more. Sums have one order, so that all parts get the same bits, and the same again
 * in another run. After a failure parts may hold the result in some places and what they had in the
 * others. */
typedef struct dh_comm {
    const char *name; /* "host" */
    int rank, size;   /* of this process, of all */
    void *state;      /* the comm's own */
    /* data := the sum of weight * data over all parts. */
    dh_status (*sum)(struct dh_comm *comm, const dh_comm_part *parts, int part_count,
                     int64_t count);
    /* data := the mean by weights, which add up to 1. Where all parts hold the same bits, these
     * stay.
     */
    dh_status (*mean)(struct dh_comm *comm, const dh_comm_part *parts, int part_count,
                      int64_t count);
    void (*free)(struct dh_comm *comm); /* NULL: there is nothing to free */
} dh_comm;

/* Of this process alone: through memory of the host, in pieces. Borrowed. Its functions fail with
 * DH_ENOMEM and with what the devices' copies fail with. */
DH_API dh_comm *dh_comm_host(void);

#ifdef __cplusplus
}
#endif
#endif
