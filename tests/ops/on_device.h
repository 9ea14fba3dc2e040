/* SPDX-License-Identifier: MIT */
/* The device under test: DH_TEST_DEVICE, the CPU where that is not set. */
#ifndef DH_TEST_ON_DEVICE_H
#define DH_TEST_ON_DEVICE_H

#include "tensor_impl.h"

/* Ends the process where there is no such device. */
dh_device *test_device(void);

/* impl->run of a call whose memory is the host's. On another device: the bytes around and between
 * the elements, margin on each side of an operand, go there with them and come back too; operands
 * that overlap share memory there as well. */
dh_status test_run(const dh_impl *impl, const dh_call *call, size_t margin);

#endif
