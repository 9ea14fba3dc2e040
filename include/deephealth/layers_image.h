/* SPDX-License-Identifier: MIT */
/* Layers for images and signals [N, C, ...]: channels first, then one to three spatial axes, D H W.
 * Lists of kernels, strides and dilations have a number for each spatial axis; an axis left away is
 * as the first, so {3} is {3, 3} in two dimensions. */
#ifndef DEEPHEALTH_LAYERS_IMAGE_H
#define DEEPHEALTH_LAYERS_IMAGE_H

#include <deephealth/layers.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- convolution --- */

typedef struct dh_conv_args {
    size_t struct_size;
    dh_layer *x;
    int filters; /* channels of y */
    int kernel[3];
    int strides[3], dilations[3]; /* default 1 */
    const char *padding;          /* "valid": none (default); "same": lengths in / stride, upwards;
                                     "causal", of one axis: as long, all of it before, so that no element
                                     of y sees a later one of x */
    int pads[6];                  /* instead: before each spatial axis, then after each */
    int groups;                   /* default 1; divides the channels of x and y */
    const char *activation;       /* default none */
    bool no_bias;
    dh_initializer weight_init, bias_init; /* default glorot_uniform, zeros */
    dh_regularizer weight_reg, bias_reg;
    const char *name;
    float alpha; /* of the activation, where it has one; 0 is its default */
} dh_conv_args;
/* y = act(x * weight + bias), a cross-correlation; x [N, C, in...], weight [filters, C / groups,
 * kernel...], bias [filters], y [N, filters, out...] with out = floor((in + pads - dilation *
 * (kernel - 1) - 1) / stride) + 1. What "same" pads in all it puts half before, the odd one after.
 * dh_conv2d(x, 64, {3, 3}, .padding = "same"). Parameters "weight", "bias". */
DH_API dh_layer *dh_conv1d(const dh_conv_args *args);
DH_API dh_layer *dh_conv2d(const dh_conv_args *args);
DH_API dh_layer *dh_conv3d(const dh_conv_args *args);

typedef struct dh_conv_transpose_args {
    size_t struct_size;
    dh_layer *x;
    int filters;
    int kernel[3];
    int strides[3], dilations[3];
    const char *padding;   /* "valid" (default), "same": lengths in * stride */
    int pads[6];           /* instead: cut off before each spatial axis, then after each */
    int output_padding[3]; /* more at the end of each axis, less than its stride; default 0 */
    int groups;
    const char *activation;
    bool no_bias;
    dh_initializer weight_init, bias_init;
    dh_regularizer weight_reg, bias_reg;
    const char *name;
    float alpha;
} dh_conv_transpose_args;
/* The convolution's gradient as a layer (Zeiler et al. 2010): x [N, C, in...], weight [C, filters /
 * groups, kernel...], y [N, filters, out...] with out = (in - 1) stride + dilation * (kernel - 1) +
 * 1
 * - pads + output_padding. Parameters "weight", "bias". */
DH_API dh_layer *dh_conv1d_transpose(const dh_conv_transpose_args *args);
DH_API dh_layer *dh_conv2d_transpose(const dh_conv_transpose_args *args);
DH_API dh_layer *dh_conv3d_transpose(const dh_conv_transpose_args *args);

typedef struct dh_depthwise_conv_args {
    size_t struct_size;
    dh_layer *x;
    int kernel[3];
    int strides[3], dilations[3];
    const char *padding;
    int pads[6];
    int depth_multiplier; /* channels of y for each of x; default 1 */
    const char *activation;
    bool no_bias;
    dh_initializer weight_init, bias_init;
    dh_regularizer weight_reg, bias_reg;
    const char *name;
    float alpha;
} dh_depthwise_conv_args;
/* A convolution of each channel by itself: as dh_conv2d with as many groups as x has channels.
 * Parameters "weight" [C depth_multiplier, 1, kernel...], "bias". Sifre 2014. */
DH_API dh_layer *dh_depthwise_conv1d(const dh_depthwise_conv_args *args);
DH_API dh_layer *dh_depthwise_conv2d(const dh_depthwise_conv_args *args);

typedef struct dh_separable_conv_args {
    size_t struct_size;
    dh_layer *x;
    int filters;
    int kernel[3];
    int strides[3], dilations[3];
    const char *padding;
    int pads[6];
    int depth_multiplier;
    const char *activation;
    bool no_bias;
    dh_initializer depthwise_init, pointwise_init, bias_init;
    dh_regularizer depthwise_reg, pointwise_reg, bias_reg;
    const char *name;
    float alpha;
} dh_separable_conv_args;
/* A depthwise convolution without bias, then one of single elements over all channels (Chollet
 * 2017). Parameters "depthwise_weight", "pointwise_weight" [filters, C depth_multiplier, 1...],
 * "bias". */
DH_API dh_layer *dh_separable_conv1d(const dh_separable_conv_args *args);
DH_API dh_layer *dh_separable_conv2d(const dh_separable_conv_args *args);

/* --- pooling --- */

typedef struct dh_pool_args {
    size_t struct_size;
    dh_layer *x;
    int pool_size[3]; /* default 2 */
    int strides[3];   /* default pool_size */
    const char *padding;
    int pads[6];
    bool ceil_mode;  /* a last window may reach beyond the end */
    bool count_pads; /* averages: the padding's zeros count, too */
    const char *name;
} dh_pool_args;
/* The largest element, or the mean, of each window of each channel; padding is no element. A
 * maximum passes its gradient to the first of equals. dh_max_pool2d(x, {2, 2}) */
DH_API dh_layer *dh_max_pool1d(const dh_pool_args *args);
DH_API dh_layer *dh_max_pool2d(const dh_pool_args *args);
DH_API dh_layer *dh_max_pool3d(const dh_pool_args *args);
DH_API dh_layer *dh_average_pool1d(const dh_pool_args *args);
DH_API dh_layer *dh_average_pool2d(const dh_pool_args *args);
DH_API dh_layer *dh_average_pool3d(const dh_pool_args *args);

typedef struct dh_global_pool_args {
    size_t struct_size;
    dh_layer *x;
    bool keepdims; /* [N, C, 1...] instead of [N, C] */
    const char *name;
} dh_global_pool_args;
/* The largest element, or the mean, of each channel: [N, C, ...] -> [N, C]. Lin, Chen, Yan 2014. */
DH_API dh_layer *dh_global_max_pool(const dh_global_pool_args *args);
DH_API dh_layer *dh_global_average_pool(const dh_global_pool_args *args);

typedef struct dh_adaptive_pool_args {
    size_t struct_size;
    dh_layer *x;
    int output_size[3]; /* of each spatial axis; one left away is as the first */
    const char *name;
} dh_adaptive_pool_args;
/* As many windows as output_size says share out each axis: window i of n goes from floor(i in / n)
 * to ceil((i + 1) in / n), as in PyTorch. [N, C, in...] -> [N, C, output_size...] */
DH_API dh_layer *dh_adaptive_max_pool(const dh_adaptive_pool_args *args);
DH_API dh_layer *dh_adaptive_average_pool(const dh_adaptive_pool_args *args);

/* --- size --- */

typedef struct dh_upsampling_args {
    size_t struct_size;
    dh_layer *x;
    int size[3];               /* factors; default 2 */
    const char *interpolation; /* "nearest" (default), "linear": half-pixel centres */
    const char *name;
} dh_upsampling_args;
/* [N, C, in...] -> [N, C, in * size...] */
DH_API dh_layer *dh_upsampling(const dh_upsampling_args *args);

typedef struct dh_border_args {
    size_t struct_size;
    dh_layer *x;
    int border[6]; /* before each spatial axis, then after each */
    const char *name;
} dh_border_args;
/* Surrounds the spatial axes with zeros; cuts them. dh_zero_padding(x, {1, 1, 1, 1}) */
DH_API dh_layer *dh_zero_padding(const dh_border_args *args);
DH_API dh_layer *dh_cropping(const dh_border_args *args);

#ifndef __cplusplus
#define dh_conv1d(...)           dh_conv1d(DH_ARGS(dh_conv_args, __VA_ARGS__))
#define dh_conv2d(...)           dh_conv2d(DH_ARGS(dh_conv_args, __VA_ARGS__))
#define dh_conv3d(...)           dh_conv3d(DH_ARGS(dh_conv_args, __VA_ARGS__))
#define dh_conv1d_transpose(...) dh_conv1d_transpose(DH_ARGS(dh_conv_transpose_args, __VA_ARGS__))
#define dh_conv2d_transpose(...) dh_conv2d_transpose(DH_ARGS(dh_conv_transpose_args, __VA_ARGS__))
#define dh_conv3d_transpose(...) dh_conv3d_transpose(DH_ARGS(dh_conv_transpose_args, __VA_ARGS__))
#define dh_depthwise_conv1d(...) dh_depthwise_conv1d(DH_ARGS(dh_depthwise_conv_args, __VA_ARGS__))
#define dh_depthwise_conv2d(...) dh_depthwise_conv2d(DH_ARGS(dh_depthwise_conv_args, __VA_ARGS__))
#define dh_separable_conv1d(...) dh_separable_conv1d(DH_ARGS(dh_separable_conv_args, __VA_ARGS__))
#define dh_separable_conv2d(...) dh_separable_conv2d(DH_ARGS(dh_separable_conv_args, __VA_ARGS__))
#define dh_max_pool1d(...)       dh_max_pool1d(DH_ARGS(dh_pool_args, __VA_ARGS__))
#define dh_max_pool2d(...)       dh_max_pool2d(DH_ARGS(dh_pool_args, __VA_ARGS__))
#define dh_max_pool3d(...)       dh_max_pool3d(DH_ARGS(dh_pool_args, __VA_ARGS__))
#define dh_average_pool1d(...)   dh_average_pool1d(DH_ARGS(dh_pool_args, __VA_ARGS__))
#define dh_average_pool2d(...)   dh_average_pool2d(DH_ARGS(dh_pool_args, __VA_ARGS__))
#define dh_average_pool3d(...)   dh_average_pool3d(DH_ARGS(dh_pool_args, __VA_ARGS__))
#define dh_global_max_pool(...)  dh_global_max_pool(DH_ARGS(dh_global_pool_args, __VA_ARGS__))
#define dh_global_average_pool(...) \
    dh_global_average_pool(DH_ARGS(dh_global_pool_args, __VA_ARGS__))
#define dh_adaptive_max_pool(...) dh_adaptive_max_pool(DH_ARGS(dh_adaptive_pool_args, __VA_ARGS__))
#define dh_adaptive_average_pool(...) \
    dh_adaptive_average_pool(DH_ARGS(dh_adaptive_pool_args, __VA_ARGS__))
#define dh_upsampling(...)   dh_upsampling(DH_ARGS(dh_upsampling_args, __VA_ARGS__))
#define dh_zero_padding(...) dh_zero_padding(DH_ARGS(dh_border_args, __VA_ARGS__))
#define dh_cropping(...)     dh_cropping(DH_ARGS(dh_border_args, __VA_ARGS__))
#endif

#ifdef __cplusplus
}
#endif
#endif
