/* SPDX-License-Identifier: MIT */
/* In the place of CUDA devices. */
#include "absent_driver.h"

DH_ABSENT_DRIVER(cuda, "cuda", "this version of the library has no CUDA devices yet",
                 "this version has no CUDA devices");
