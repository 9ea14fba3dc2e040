/* SPDX-License-Identifier: MIT */
/* The activations that an op can apply last, by the numbers of its field's choices. */
#ifndef DH_ACT_H
#define DH_ACT_H

#define DH_ACT_CHOICES "none|relu|leaky_relu|relu6"

typedef enum dh__act {
    DH_ACT_NONE,
    DH_ACT_RELU,       /* x < 0 ? 0 : x, so that NaN stays */
    DH_ACT_LEAKY_RELU, /* x < 0 ? alpha * x : x */
    DH_ACT_RELU6       /* x < 0 ? 0 : x > 6 ? 6 : x */
} dh__act;

/* The activation of x; alpha: slope of leaky_relu. */
static inline double dh__act_of(dh__act act, double alpha, double x)
{
    if ((act == DH_ACT_RELU || act == DH_ACT_RELU6) && x < 0) x = 0;
    if (act == DH_ACT_RELU6 && x > 6) x = 6;
    if (act == DH_ACT_LEAKY_RELU && x < 0) x *= alpha;
    return x;
}

#endif
