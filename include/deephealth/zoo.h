/* SPDX-License-Identifier: MIT */
/* Networks of the literature. Each constructor adds one to the model of its input and returns its
 * last layer, for dh_build; size and channels are those of the input:
 *
 *     dh_layer *x = dh_zoo_resnet(dh_input(net, {3, 224, 224}), 8, .depth = 18);
 *
 * Weights begin as He et al. 2015 have it in the convolutions of nets with ReLUs, as Glorot and
 * Bengio 2010 elsewhere; batch normalisation has momentum 0.9 and epsilon 1e-5, as in torchvision.
 * Layers have names by which weights are found: "stage2.block1.conv1", behind it ".bn" and ".relu";
 * "classes" is the last one with weights and "output" the end. docs/zoo.md lists all there are. */
#ifndef DEEPHEALTH_ZOO_H
#define DEEPHEALTH_ZOO_H

#include <deephealth/layers.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dh_zoo_args {
    size_t struct_size;
    dh_layer *x;            /* [N, C, H, W] */
    int classes;            /* channels of the output, at least 1 */
    const char *net;        /* of dh_zoo_make alone */
    int depth;              /* as the paper counts it */
    int width;              /* channels at the first level; all others in proportion */
    bool batch_norm;        /* behind each convolution */
    bool small_images;      /* of about 32 x 32, as CIFAR's, instead of 224 x 224 */
    bool pointwise;         /* the last convolution of a long block is 1x1 */
    float dropout;          /* before dense layers; DH_ZERO is none */
    const char *activation; /* of the output; "linear": none */
    const char *name;       /* before the names of all layers: "name.stem" */
    bool synchronized;      /* of all batch normalisations: see dh_batch_normalization */
} dh_zoo_args;
/* What a net does not have, it refuses; batch normalisation that it always has may be asked for.
 * Where nothing else is said, depth and width are the paper's and dropout is none; activation is
 * softmax, over the channels of a picture, or sigmoid of dh_zoo_unet with one class. A failure is
 * kept by the model, as those of layers are. */

/* depth (3) dense layers of width (1024) with ReLU; x [N, ...] of any shape. */
DH_API dh_layer *dh_zoo_mlp(const dh_zoo_args *args);

/* LeNet-5: two 5x5 convolutions, average pooling, tanh. The first is padded as if 28 x 28 were 32 x
 * 32, the second sees all channels of the first. Sides of at least 12. LeCun, Bottou, Bengio and
 * Haffner 1998. */
DH_API dh_layer *dh_zoo_lenet(const dh_zoo_args *args);

/* EDDL's four convolutions for MNIST. Sides of at least 6. */
DH_API dh_layer *dh_zoo_mnist_conv(const dh_zoo_args *args);

/* VGG of depth 11, 13, 16 (default) or 19: blocks of 3x3 convolutions, two dense layers of 64 width
 * behind an average of 7x7 windows, dropout 0.5. small_images: one of 8 width, no average, no
 * dropout, and no bias before batch normalisation. pointwise, of depth 16: configuration C of the
 * paper, EDDL's choice for CIFAR. Sides of at least 32. Simonyan and Zisserman 2015; batch_norm:
 * Ioffe and Szegedy 2015. */
DH_API dh_layer *dh_zoo_vgg(const dh_zoo_args *args);

/* ResNet of depth 18, 34, 50 (default), 101 or 152, batch normalisation behind each convolution;
 * blocks of three convolutions stride in the middle one, as in torchvision. small_images: the first
 * convolution is 3x3 with stride 1, and no pooling follows. He, Zhang, Ren and Sun 2016. */
DH_API dh_layer *dh_zoo_resnet(const dh_zoo_args *args);

/* EDDL's for CIFAR, of depth 18 (default) or 50: a row and a column of zeros make odd sides. 18
 * halves them four times, adds without a ReLU behind, ends in dense 8 width, and has batch_norm or
 * not: with it the last stage is as wide as the third. 50 begins at full size, always has it, and
 * ends in 4x4 maxima: sides of at least 24. Noise and augmentation of EDDL's examples are left out.
 */
DH_API dh_layer *dh_zoo_eddl_resnet(const dh_zoo_args *args);

/* MobileNetV2: inverted residuals with depthwise convolutions, ReLU6, dropout 0.2. width is 32 by
 * default; channels are rounded to multiples of 8. small_images: the first two strides are 1.
 * Sandler, Howard, Zhu, Zhmoginov and Chen 2018. */
DH_API dh_layer *dh_zoo_mobilenet_v2(const dh_zoo_args *args);

/* U-Net: depth (4) times down by 2x2 maxima and up by 2x2 transposed convolutions, two 3x3
 * convolutions a level, from width (64) channels to width 2^depth; y [N, classes, H, W]. Padded, so
 * that sides stay; they are multiples of 2^depth. No bias before batch normalisation. Ronneberger,
 * Fischer and Brox 2015. */
DH_API dh_layer *dh_zoo_unet(const dh_zoo_args *args);

/* --- by name --- */

typedef struct dh_zoo_entry {
    const char *name;   /* "resnet50" */
    const char *paper;  /* where it comes from */
    int64_t input[4];   /* [C, H, W] that it is usually given, or [C]; ended by 0 */
    int classes;        /* usually */
    int64_t parameters; /* that are trained then: no running statistics */
} dh_zoo_entry;
/* One of the zoo; borrowed. NULL with DH_ENAME and the near names. */
DH_API const dh_zoo_entry *dh_zoo_find(const char *name);
/* The index-th from 0, NULL beyond the last. */
DH_API const dh_zoo_entry *dh_zoo_at(int index);

/* The net of that name, whatever is the shape of x: dh_zoo_make(x, 8, .net = "vgg16_bn"). Width,
 * dropout, activation and name may be given; the rest is in the name. */
DH_API dh_layer *dh_zoo_make(const dh_zoo_args *args);

/* --- macros --- */
#ifndef __cplusplus
#define dh_zoo_mlp(...)          dh_zoo_mlp(DH_ARGS(dh_zoo_args, __VA_ARGS__))
#define dh_zoo_lenet(...)        dh_zoo_lenet(DH_ARGS(dh_zoo_args, __VA_ARGS__))
#define dh_zoo_mnist_conv(...)   dh_zoo_mnist_conv(DH_ARGS(dh_zoo_args, __VA_ARGS__))
#define dh_zoo_vgg(...)          dh_zoo_vgg(DH_ARGS(dh_zoo_args, __VA_ARGS__))
#define dh_zoo_resnet(...)       dh_zoo_resnet(DH_ARGS(dh_zoo_args, __VA_ARGS__))
#define dh_zoo_eddl_resnet(...)  dh_zoo_eddl_resnet(DH_ARGS(dh_zoo_args, __VA_ARGS__))
#define dh_zoo_mobilenet_v2(...) dh_zoo_mobilenet_v2(DH_ARGS(dh_zoo_args, __VA_ARGS__))
#define dh_zoo_unet(...)         dh_zoo_unet(DH_ARGS(dh_zoo_args, __VA_ARGS__))
#define dh_zoo_make(...)         dh_zoo_make(DH_ARGS(dh_zoo_args, __VA_ARGS__))
#endif

#ifdef __cplusplus
}
#endif
#endif
