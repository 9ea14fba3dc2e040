/* SPDX-License-Identifier: MIT */
#ifndef DEEPHEALTH_VERSION_H
#define DEEPHEALTH_VERSION_H

#include <deephealth/status.h>

/* The one place where the version stands: the build reads it from here. */
#define DH_VERSION_MAJOR 0
#define DH_VERSION_MINOR 1
#define DH_VERSION_PATCH 0

#ifdef __cplusplus
extern "C" {
#endif

/* "0.1.0", of the library at run time; borrowed, static. */
DH_API const char *dh_version(void);

/* Instruction set of the kernels that run here, which DEEPHEALTH_ISA may lower: "portable", "avx2"
 * or "avx512"; borrowed, static. */
DH_API const char *dh_isa(void);

#ifdef __cplusplus
}
#endif
#endif
