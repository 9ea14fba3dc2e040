/* SPDX-License-Identifier: MIT */
/* What isa/gemm_move.c gives to the table in isa/gemm_kernel.c, per instruction set. */
#ifndef DH_GEMM_TABLE_H
#define DH_GEMM_TABLE_H

#include "gemm_impl.h"
#include "isa.h"

#define DH_GEMM_PACK(S)                                                                      \
    void DH_ISA(dh__pack_turn_##S)(void *out, int64_t out_step, const void *x, int64_t step, \
                                   int width, int fill, int64_t count);                      \
    void DH_ISA(dh__pack_copy_##S)(void *out, int64_t out_step, const void *x, int64_t step, \
                                   int width, int fill, int64_t count);                      \
    void DH_ISA(dh__dot_##S)(const dh__gemm_vector *g);                                      \
    void DH_ISA(dh__axpy_##S)(const dh__gemm_vector *g);                                     \
    void DH_ISA(dh__sum_short_##S)(const dh__gemm_short *g)
DH_GEMM_PACK(f32);
DH_GEMM_PACK(f64);

#endif
