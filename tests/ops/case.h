/* SPDX-License-Identifier: MIT */
/* Op cases as data: one list per family serves every mode of conform.c (reference, gradient, views,
 * sentinels, bits, dtypes, implementations). */
#ifndef DH_TEST_CASE_H
#define DH_TEST_CASE_H

#include "ops.h"

#define CASE_MAX_IN 8

/* How an input is filled, always from a seed made of the case's name and number. */
typedef enum case_fill {
    FILL_SIGNED = 0, /* uniform in [-2, 2], at least 0.05 away from every multiple of a half, so
                        that no kink of relu, abs, round lies within a difference step */
    FILL_POSITIVE,   /* [0.2, 2.2] */
    FILL_UNIT,       /* [-0.9, 0.9] */
    FILL_ABOVE_ONE,  /* [1.1, 3] */
    FILL_DISTINCT,   /* pairwise different by at least 0.1, shuffled: max, sort, topk */
    FILL_INDEX,      /* integers in [0, bound) */
    FILL_BOOL,       /* 0 or 1 */
    FILL_ROWS_SUM_1, /* positive, last axis sums to 1 */
    FILL_ONE_HOT,    /* last axis one-hot */
    FILL_SMALL_INT,  /* integers in [-3, 3], ties wanted */
    FILL_SPECIAL,    /* NaN, inf, -inf, -0, subnormal, large among signed numbers; forward only */
    FILL_LOW,        /* -inf mostly, else -0, 0 or 1; forward only */
    FILL_DIAGONAL    /* signed plus 4 on the main diagonal of the last two axes: well conditioned */
} case_fill;

typedef struct case_shape {
    int ndim;
    int64_t dim[DH_MAX_NDIM];
} case_shape;

/* S(2, 3, 7): a shape; S0: a scalar of rank 0 */
#define S(...)                                                     \
    {                                                              \
        (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), \
        {                                                          \
            __VA_ARGS__                                            \
        }                                                          \
    }
#define S0    \
    {         \
        0,    \
        {     \
            0 \
        }     \
    }

/* N2(3, 5): a list of two numbers in an attribute struct (dh_ints) */
#define N1(...)         \
    {                   \
        1,              \
        {               \
            __VA_ARGS__ \
        }               \
    }
#define N2(...)         \
    {                   \
        2,              \
        {               \
            __VA_ARGS__ \
        }               \
    }
#define N3(...)         \
    {                   \
        3,              \
        {               \
            __VA_ARGS__ \
        }               \
    }
#define N4(...)         \
    {                   \
        4,              \
        {               \
            __VA_ARGS__ \
        }               \
    }
#define N6(...)         \
    {                   \
        6,              \
        {               \
            __VA_ARGS__ \
        }               \
    }

/* Integer inputs are small numbers by the same names (0 to 3, or -3 to 3). Integer results that
 * leave the range of their dtype must wrap; a case of an op that saturates stays inside. */
typedef struct op_case {
    const char *op;
    int in_count;
    case_shape in[CASE_MAX_IN];
    const void *attr; /* NULL: defaults from the op's field table */
    case_fill fill[CASE_MAX_IN];
    int64_t bound;               /* of FILL_INDEX */
    dh_dtype dtype[CASE_MAX_IN]; /* 0: every dtype of the op's mask in turn, all inputs alike */
    uint32_t no_grad;            /* bit i: input i is not differentiated (indices, conditions) */
    bool forward_only;           /* the op has a gradient, but not at these inputs */
    double rtol, atol;           /* f32; 0: the driver's default */
    double winograd_atol;        /* of the implementation of that name; 0: as the others */
} op_case;

/* Ended by an entry with op == NULL. */
extern const op_case case_unary[], case_binary[], case_reduce[], case_shape_ops[], case_index[],
    case_matrix[], case_nn[], case_conv[], case_conv_depthwise[], case_pool[], case_resize[],
    case_optim[];

#endif
