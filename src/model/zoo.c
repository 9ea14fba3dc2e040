/* SPDX-License-Identifier: MIT */
/* The list of the zoo. */
#include <string.h>

#include "model_impl.h"
#include "zoo_parts.h"

#define LECUN \
    "LeCun, Bottou, Bengio, Haffner 1998: Gradient-based learning applied to document recognition"
#define VGG \
    "Simonyan, Zisserman 2015: Very deep convolutional networks for large-scale image recognition"
#define RESNET "He, Zhang, Ren, Sun 2016: Deep residual learning for image recognition"
#define MOBILENET                                                                             \
    "Sandler, Howard, Zhu, Zhmoginov, Chen 2018: MobileNetV2: Inverted residuals and linear " \
    "bottlenecks"
#define UNET                                                                               \
    "Ronneberger, Fischer, Brox 2015: U-Net: Convolutional networks for biomedical image " \
    "segmentation"
#define PERCEPTRON \
    "Rumelhart, Hinton, Williams 1986: Learning representations by back-propagating errors"
#define EDDL_MNIST "EDDL, example 7 of MNIST"
#define IMAGENET   {3, 224, 224}, 1000
#define CIFAR      {3, 32, 32}, 10
#define MNIST      {1, 28, 28}, 10

typedef dh_layer *(*maker)(const dh_zoo_args *args);

static const struct row {
    dh_zoo_entry entry;
    maker make;
    dh_zoo_args with; /* what the name stands for */
} rows[] = {
    {{"mlp", PERCEPTRON, {784}, 10, 2913290}, dh_zoo_mlp, {0}},
    {{"lenet", LECUN, MNIST, 61706}, dh_zoo_lenet, {0}},
    {{"mnist_conv", EDDL_MNIST, MNIST, 410890}, dh_zoo_mnist_conv, {0}},
    {{"vgg11", VGG, IMAGENET, 132863336}, dh_zoo_vgg, {.depth = 11}},
    {{"vgg13", VGG, IMAGENET, 133047848}, dh_zoo_vgg, {.depth = 13}},
    {{"vgg16", VGG, IMAGENET, 138357544}, dh_zoo_vgg, {.depth = 16}},
    {{"vgg19", VGG, IMAGENET, 143667240}, dh_zoo_vgg, {.depth = 19}},
    {{"vgg11_bn", VGG, IMAGENET, 132868840}, dh_zoo_vgg, {.depth = 11, .batch_norm = true}},
    {{"vgg13_bn", VGG, IMAGENET, 133053736}, dh_zoo_vgg, {.depth = 13, .batch_norm = true}},
    {{"vgg16_bn", VGG, IMAGENET, 138365992}, dh_zoo_vgg, {.depth = 16, .batch_norm = true}},
    {{"vgg19_bn", VGG, IMAGENET, 143678248}, dh_zoo_vgg, {.depth = 19, .batch_norm = true}},
    {{"vgg16_cifar", VGG, CIFAR, 14982474}, dh_zoo_vgg, {.depth = 16, .small_images = true}},
    {{"vgg16_bn_cifar", VGG, CIFAR, 14986698},
     dh_zoo_vgg,
     {.depth = 16, .small_images = true, .batch_norm = true}},
    {{"vgg16_eddl", VGG, CIFAR, 10263882},
     dh_zoo_vgg,
     {.depth = 16, .small_images = true, .pointwise = true}},
    {{"vgg16_bn_eddl", VGG, CIFAR, 10268106},
     dh_zoo_vgg,
     {.depth = 16, .small_images = true, .pointwise = true, .batch_norm = true}},
    {{"resnet18", RESNET, IMAGENET, 11689512}, dh_zoo_resnet, {.depth = 18}},
    {{"resnet34", RESNET, IMAGENET, 21797672}, dh_zoo_resnet, {.depth = 34}},
    {{"resnet50", RESNET, IMAGENET, 25557032}, dh_zoo_resnet, {.depth = 50}},
    {{"resnet101", RESNET, IMAGENET, 44549160}, dh_zoo_resnet, {.depth = 101}},
    {{"resnet152", RESNET, IMAGENET, 60192808}, dh_zoo_resnet, {.depth = 152}},
    {{"resnet18_cifar", RESNET, CIFAR, 11173962},
     dh_zoo_resnet,
     {.depth = 18, .small_images = true}},
    {{"resnet50_cifar", RESNET, CIFAR, 23520842},
     dh_zoo_resnet,
     {.depth = 50, .small_images = true}},
    {{"resnet18_eddl", RESNET, CIFAR, 13533130}, dh_zoo_eddl_resnet, {.depth = 18}},
    {{"resnet18_bn_eddl", RESNET, CIFAR, 6393034},
     dh_zoo_eddl_resnet,
     {.depth = 18, .batch_norm = true}},
    {{"resnet50_eddl", RESNET, CIFAR, 23520842}, dh_zoo_eddl_resnet, {.depth = 50}},
    {{"mobilenet_v2", MOBILENET, IMAGENET, 3504872}, dh_zoo_mobilenet_v2, {0}},
    {{"mobilenet_v2_cifar", MOBILENET, CIFAR, 2236682},
     dh_zoo_mobilenet_v2,
     {.small_images = true}},
    {{"unet", UNET, {3, 192, 192}, 1, 31037633}, dh_zoo_unet, {.batch_norm = true}},
    {{"unet_plain", UNET, {3, 192, 192}, 1, 31031745}, dh_zoo_unet, {0}},
};

static const char *name_at(int i, const void *payload)
{
    DH_UNUSED(payload);
    return i < (int)DH_COUNT(rows) ? rows[i].entry.name : NULL;
}

static dh_status find(const struct row **out, const char *name, const char *who)
{
    char hint[200];
    DH_NEED(name, who, "net");
    for (size_t i = 0; i < DH_COUNT(rows); i++)
        if (!strcmp(rows[i].entry.name, name)) {
            *out = &rows[i];
            return DH_OK;
        }
    return dh_fail(DH_ENAME, "%s: no net \"%s\"%s", who, name,
                   dh__suggest(hint, sizeof hint, name, name_at, NULL));
}

const dh_zoo_entry *dh_zoo_find(const char *name)
{
    const struct row *row;
    return find(&row, name, "zoo_find") ? NULL : &row->entry;
}

const dh_zoo_entry *dh_zoo_at(int index)
{
    return index >= 0 && index < (int)DH_COUNT(rows) ? &rows[index].entry : NULL;
}

/* The arguments for the net's own constructor. */
static dh_status complete(dh_zoo_args *a, const struct row *row)
{
    DH_REQUIRE(!a->depth && !a->batch_norm && !a->small_images && !a->pointwise, DH_EINVAL,
               "zoo_make: %s is given, net \"%s\" has its own",
               a->depth          ? "depth"
               : a->batch_norm   ? "batch_norm"
               : a->small_images ? "small_images"
                                 : "pointwise",
               a->net);
    a->struct_size = sizeof *a;
    a->net = NULL;
    a->depth = row->with.depth;
    a->batch_norm = row->with.batch_norm;
    a->small_images = row->with.small_images;
    a->pointwise = row->with.pointwise;
    return DH_OK;
}

dh_layer *(dh_zoo_make)(const dh_zoo_args *args)
{
    const struct row *row = NULL;
    dh_zoo_args a;
    if (dh__args(&a, sizeof a, args, "zoo_make")) return NULL;
    if (!a.x) {
        dh_fail(DH_EINVAL, "zoo_make: x is NULL");
        return NULL;
    }
    dh_status status = find(&row, a.net, "zoo_make");
    if (!status) status = complete(&a, row);
    return status ? dh__net_failed(a.x->net, status) : row->make(&a);
}
