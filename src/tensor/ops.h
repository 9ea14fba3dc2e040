/* SPDX-License-Identifier: MIT */
/* The ops by number, their attribute structs, and the table. */
#ifndef DH_OPS_H
#define DH_OPS_H

#include <deephealth/sys/device.h>

#include "act.h"

typedef enum dh_op_id {
#define DH_OP(ID, name, cpu, cuda, fpga) DH_OP_##ID,
#include "ops.def"
#undef DH_OP
    DH_OP_COUNT
} dh_op_id;

#define DH_OP(ID, name, cpu, cuda, fpga) extern const dh_op dh_op_##name;
#include "ops.def"
#undef DH_OP

extern const dh_op *const dh__ops[DH_OP_COUNT];

/* Number of an op by name, -1 if unknown. */
int dh__op_find(const char *name);
/* For dh__suggest. */
const char *dh__op_name_at(int i, const void *payload);

/* The op as an activation that others can apply; DH_ACT_NONE: it is none. */
dh__act dh__act_of_op(int op);
/* dy in front of the activation (dh__act) that an op applies last. */
dh_value dh__act_dx(dh_grad *g, int act, double alpha);

/* The numbers p, q of unary.def that an op's attributes hold. */
void dh__unary_numbers(const dh_op *op, const void *attr, double *p, double *q);

/* How many outputs an application has: an op that updates inputs has one for each that is given. */
int dh__op_out_count(const dh_op *op, int in_count);
/* Input that output k updates, -1 if it is a new tensor. */
int dh__op_updated(const dh_op *op, int k);

/* What messages call input i. */
const char *dh__op_input(char *buffer, size_t size, const dh_op *op, int i);
/* "f32, f64" of a mask; returns buffer. */
const char *dh__dtype_list(char *buffer, size_t size, uint32_t mask);
#define DH_DTYPE_LIST_TEXT 128

/* Checks count, dtypes and attributes and calls infer. */
dh_status dh__op_infer(dh_call *call);

/* Bytes of scratch; DH_EOVERFLOW where a broadcast view is so large that they cannot be had. */
dh_status dh__op_scratch(size_t *out, const dh_impl *impl, const dh_call *call);
/* The device's first implementation of an op that takes the call; DH_EUNSUPPORTED lists why each
 * refused. */
dh_status dh__op_choose(const dh_impl **out, dh_device *device, int op, const dh_call *call);

double dh__op_flops(const dh_call *call);

/* --- views (view.c) --- */

int64_t dh__view_count(const dh_view *view); /* elements */
bool dh__view_contiguous(const dh_view *view);
void dh__view_pack(dh_view *view); /* strides := contiguous, row-major */
/* The same, axis 1 being the innermost: [N, C, ...] as it lies channels last. ndim >= 2 */
void dh__view_pack_last(dh_view *view);
/* Elements of axes [from, ndim) lie one after the other. */
bool dh__packed_from(const dh_view *view, int from);
/* Images [N, C, ...] whose channels are last, pixel after pixel; of one pixel or one channel they
 * may be packed as well. */
bool dh__channels_last(const dh_view *view);
/* Elements from a pixel of images [N, C, ...] to the next, where all lie one after the other: 1, or
 * with the channels last their number; 0: they do not. */
int64_t dh__pixel_step(const dh_view *view);
bool dh__same_shape(const dh_view *a, const dh_view *b);
/* "[8, 3, 32, 32]" into buffer; returns buffer. */
const char *dh__shape_text(char *buffer, size_t size, int ndim, const int64_t *shape);
#define DH_SHAPE_TEXT 192
/* The common shape of two by NumPy's rule into out (dtype untouched); DH_ESHAPE names both. */
dh_status dh__broadcast_shape(dh_view *out, const dh_view *a, const dh_view *b, const char *who);
/* Makes view look like shape by strides of 0; the shapes must be compatible. */
void dh__view_broadcast(dh_view *view, int ndim, const int64_t *shape);
/* 0 <= axis < ndim from a possibly negative one; DH_EINVAL names both. */
dh_status dh__axis(int *out, int64_t axis, int ndim, const char *who);
/* The same for an argument of another name than "axis". */
dh_status dh__axis_named(int *out, int64_t axis, int ndim, const char *who, const char *name);
/* Where a new axis goes, 0 <= out <= ndim. */
dh_status dh__axis_new(int *out, int64_t axis, int ndim, const char *who);

/* --- attributes --- */

typedef struct dh_affine_attr { /* y = alpha * x + beta */
    double alpha, beta;
} dh_affine_attr;

typedef struct dh_clamp_attr { /* y = min(max(x, min), max) */
    double min, max;
} dh_clamp_attr;

typedef struct dh_act_attr { /* leaky_relu, elu, thresholded_relu; alpha's default is each op's */
    double alpha;
} dh_act_attr;

typedef struct dh_unary_dx_attr { /* dx = dy * f'(s), s being f's input or output: see op_unary.c */
    int op;                       /* dh_op_id of f */
    double alpha, beta;
} dh_unary_dx_attr;

/* An int member that holds a dh_dtype, named as dh_dtype_name does; without default where required.
 */
#define DH_DTYPE_CHOICES "|f32|f64|f16|bf16|i8|u8|i16|u16|i32|u32|i64|u64|bool"
#define DH_FIELD_DTYPE(T, f, dflt_, help_)                                                 \
    {                                                                                      \
        .name = #f, .kind = DH_FIELD_CHOICE, .offset = offsetof(T, f),                     \
        .size = sizeof(((T *)0)->f), .dflt = (dflt_), .min = 1, .max = DH_DTYPE_COUNT - 1, \
        .choices = DH_DTYPE_CHOICES, .help = (help_)                                       \
    }

typedef struct dh_cast_attr {
    int dtype; /* dh_dtype */
} dh_cast_attr;

typedef struct dh_reduce_attr {
    dh_ints axes; /* none: all */
    bool keepdims;
    int ddof; /* var: divides by count - ddof */
} dh_reduce_attr;

typedef struct dh_reduce_dx_attr { /* gradient of mean, prod, max, min, var, norm by kernels */
    int op;                        /* dh_op_id of the reduction */
    dh_ints axes;
    bool keepdims;
    int ddof;
} dh_reduce_dx_attr;

typedef struct dh_axis_attr { /* softmax, log_softmax, concat, gather, ... */
    int axis;
} dh_axis_attr;

typedef struct dh_reshape_attr { /* one -1; 0 keeps the input's axis */
    dh_ints shape;
} dh_reshape_attr;

typedef struct dh_permute_attr {
    dh_ints axes;
} dh_permute_attr;

/* Per axis of the input: start, stop, step as Python has them, resolved against the input's length
 * when shapes are inferred. INT64_MAX is an omitted end, whatever the sign of step. drop[i]:
 * start[i] is an integer index, which removes the axis. */
typedef struct dh_slice_attr {
    int count; /* axes described, the rest are whole */
    int64_t start[DH_MAX_NDIM], stop[DH_MAX_NDIM], step[DH_MAX_NDIM];
    bool drop[DH_MAX_NDIM];
} dh_slice_attr;
/* Of the first ndim axes, from text as dh_tensor_slice takes it. */
dh_status dh__slice_parse(dh_slice_attr *out, int ndim, const char *slices, const char *who);

typedef struct dh_pad_attr { /* pads: begin of each axis, then end of each axis, all >= 0 */
    dh_ints pads;
    double value;
} dh_pad_attr;

typedef struct dh_tile_attr { /* repeats of the whole block along each axis */
    dh_ints repeats;
} dh_tile_attr;

typedef struct dh_split_attr { /* split_like: the index-th of the parts that concat joined */
    int axis, index;
} dh_split_attr;

typedef struct dh_fill_attr {
    double value;
} dh_fill_attr;

typedef struct dh_sort_attr {
    int axis;
    bool descending;
} dh_sort_attr;

typedef struct dh_topk_attr {
    int axis;
    int64_t k;
    bool smallest;
} dh_topk_attr;

typedef struct dh_one_hot_attr {
    int64_t depth;
    double on, off;
    int dtype;
} dh_one_hot_attr;

typedef struct dh_linear_attr { /* y = act(x w + bias): act: a dh__act */
    int act;
    double alpha;
} dh_linear_attr;

typedef struct dh_triangle_attr { /* keeps elements on one side of diagonal k, the rest 0 */
    int64_t k;
    bool upper;
} dh_triangle_attr;

typedef struct dh_diag_attr {
    int64_t k;
} dh_diag_attr;

/* Lists have a number for each spatial axis, pads one for each axis' begin, then one for each end;
 * an empty list is 1, 1, 0 and 0. */
typedef struct dh_conv_attr {
    dh_ints strides, dilations, pads;
    dh_ints output_padding; /* conv_transpose: more positions at the end of each axis */
    int group, act;         /* act: of conv, as in dh_linear_attr */
    double alpha, epsilon;  /* epsilon: of conv with statistics */
    bool add;               /* the last input of conv is added before the activation */
    bool pool;              /* conv: y is the maxima of windows of 2x2, 2 apart, behind it */
} dh_conv_attr;

/* Lists as in dh_conv_attr. Either kernel_shape is given, or bins: then each spatial axis is dealt
 * to so many windows, which may overlap by one element (adaptive pooling). */
typedef struct dh_pool_attr {
    dh_ints kernel_shape, strides, dilations, pads, bins;
    bool ceil_mode;         /* a last window may reach beyond the end of the padding */
    bool count_include_pad; /* avg_pool divides by the padding's elements too */
} dh_pool_attr;

typedef struct dh_resize_attr {
    dh_ints sizes;   /* lengths of the spatial axes of y */
    int mode;        /* nearest|linear */
    int coordinates; /* half_pixel|asymmetric|align_corners */
} dh_resize_attr;

typedef struct dh_dropout_attr { /* y = x * keep / (1 - rate) */
    double rate;
} dh_dropout_attr;

typedef struct dh_noise_attr { /* y = x + stddev * normal */
    double stddev;
} dh_noise_attr;

typedef struct dh_norm_attr {
    int axis; /* layer_norm: first of the normalised axes; batch_norm: the channel axis */
    double epsilon;
    double momentum; /* batch_norm_train: running = momentum * running + (1 - momentum) * batch */
    int act;         /* batch_norm, batch_norm_train: as in dh_linear_attr */
    int gate;        /* of their gradients: the activation that dy comes through first */
    double alpha;    /* of act or gate */
    bool add;        /* the same as act: the last input is added before the activation */
} dh_norm_attr;

typedef struct dh_sgd_attr { /* Sutskever et al. 2013, as PyTorch and Keras without dampening */
    double momentum, weight_decay, lr_scale;
    bool nesterov;
} dh_sgd_attr;

typedef struct dh_adam_attr {
    int variant; /* adam|adamw|adamax|nadam|amsgrad */
    double beta1, beta2, epsilon, weight_decay, lr_scale;
} dh_adam_attr;

typedef struct dh_rmsprop_attr {
    double rho, epsilon, momentum, weight_decay, lr_scale;
    bool centered;
} dh_rmsprop_attr;

typedef struct dh_ada_attr { /* adagrad, adadelta */
    double rho, epsilon, weight_decay, lr_scale;
} dh_ada_attr;

typedef struct dh_clip_attr { /* clip_norm: g *= min(1, max_norm / |g|), over all inputs together */
    double max_norm;
} dh_clip_attr;

#endif
