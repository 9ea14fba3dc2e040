/* SPDX-License-Identifier: MIT */
/* Includes the template DH_EACH_FLOAT for f32 and for f64, with T the type, V the vector, W its
 * lanes and F(name) the name with its suffix. No include guard. */
#define T    float
#define V    dh__vf32
#define W    DH_SIMD_F32
#define F(x) x##_f32
#include DH_EACH_FLOAT
#undef T
#undef V
#undef W
#undef F

#define T    double
#define V    dh__vf64
#define W    DH_SIMD_F64
#define F(x) x##_f64
#include DH_EACH_FLOAT
#undef T
#undef V
#undef W
#undef F

#undef DH_EACH_FLOAT
