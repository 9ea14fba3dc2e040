/* SPDX-License-Identifier: MIT */
/* For sources compiled once per instruction set: the build defines DH_ISA_SUFFIX (portable, avx2 or
 * avx512) and the compiler flags; DH_ISA(name) gives each copy its own symbol, name_avx2. */
#ifndef DH_ISA_H
#define DH_ISA_H

#define DH_ISA_JOIN_(a, b) a##_##b
#define DH_ISA_JOIN(a, b)  DH_ISA_JOIN_(a, b)
#define DH_ISA(name)       DH_ISA_JOIN(name, DH_ISA_SUFFIX)

#endif
