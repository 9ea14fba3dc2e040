/* SPDX-License-Identifier: MIT */
/* A driver in the place of a room that this library was built without: it says what is missing. */
#ifndef DH_ABSENT_DRIVER_H
#define DH_ABSENT_DRIVER_H

#include "tensor_impl.h"

/* Defines dh_driver_<room>; missing is the error's text behind the name, why the reason for each
 * op.
 */
#define DH_ABSENT_DRIVER(room, name_, missing, why)            \
    static dh_status count(int *out)                           \
    {                                                          \
        DH_UNUSED(out);                                        \
        return dh_fail(DH_EMISSING, "%s: %s", name_, missing); \
    }                                                          \
    static dh_status describe(dh_device_info *out, int index)  \
    {                                                          \
        DH_UNUSED(out);                                        \
        DH_UNUSED(index);                                      \
        return count(NULL);                                    \
    }                                                          \
    static dh_status open_device(dh_device **out, int index)   \
    {                                                          \
        DH_UNUSED(out);                                        \
        DH_UNUSED(index);                                      \
        return count(NULL);                                    \
    }                                                          \
    static const char *lacks(int op)                           \
    {                                                          \
        DH_UNUSED(op);                                         \
        return why;                                            \
    }                                                          \
    extern const dh_driver dh_driver_##room;                   \
    const dh_driver dh_driver_##room = {                       \
        .name = name_, .count = count, .describe = describe, .open = open_device, .lacks = lacks}

#endif
