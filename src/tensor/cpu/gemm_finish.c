/* SPDX-License-Identifier: MIT */
/* What follows a product that was made elsewhere: alpha, beta, bias, activation. */
#include "gemm_impl.h"

#define FINISH(T)                                                                  \
    {                                                                              \
        const T *sums = y, *add = bias, a = (T)alpha, b = (T)beta;                 \
        const T slope = (T)g->act_alpha;                                           \
        for (int64_t i = 0; i < count; i++) {                                      \
            T *to = (T *)c + i * c_step, x = a * sums[i];                          \
            if (beta != 0) x += b * *to;                                           \
            if (bias) x += add[i * bias_step];                                     \
            if ((g->act == DH_ACT_RELU || g->act == DH_ACT_RELU6) && x < 0) x = 0; \
            if (g->act == DH_ACT_RELU6 && x > 6) x = 6;                            \
            *to = g->act == DH_ACT_LEAKY_RELU && x < 0 ? slope * x : x;            \
        }                                                                          \
    }

void dh__gemm_finish(const dh__gemm *g, void *c, int64_t c_step, const void *y, const void *bias,
                     int64_t bias_step, int64_t count, double alpha, double beta)
{
    if (g->f64)
        FINISH(double)
    else
        FINISH(float)
}
