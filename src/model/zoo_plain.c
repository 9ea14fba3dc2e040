/* SPDX-License-Identifier: MIT */
/* Networks that go straight on: dense layers, LeNet, EDDL's for MNIST, VGG. */
#include "model_impl.h"
#include "zoo_parts.h"

dh_layer *(dh_zoo_mlp)(const dh_zoo_args *args)
{
    static const dh__zoo_def def = {.who = "zoo_mlp",
                                    .takes = DH_ZOO_DEPTH | DH_ZOO_WIDTH | DH_ZOO_DROPOUT |
                                             DH_ZOO_ANY_SHAPE,
                                    .depth = 3,
                                    .depth_most = 100,
                                    .width = 1024};
    dh__zoo z;
    if (!dh__zoo_begin(&z, &def, args)) return NULL;
    dh_layer *x = z.a.x;
    if (dh_layer_ndim(x) != 2) x = dh_flatten(x, .name = dh__zoo_name(&z, "flatten", ""));
    for (int i = 1; i <= z.a.depth; i++) {
        dh__format(z.part, sizeof z.part, "hidden%d.", i);
        x = dh__zoo_dense(&z, x, "dense", z.a.width, "relu");
        x = dh__zoo_dropout(&z, x, "dropout");
    }
    return dh__zoo_end(&z, x);
}

dh_layer *(dh_zoo_lenet)(const dh_zoo_args *args)
{
    static const dh__zoo_def def = {.who = "zoo_lenet", .side = 12};
    dh__zoo z;
    if (!dh__zoo_begin(&z, &def, args)) return NULL;
    dh_layer *x = dh_conv2d(z.a.x, 6, {5, 5}, .padding = "same", .activation = "tanh",
                            .name = dh__zoo_name(&z, "conv1", ""));
    x = dh_average_pool2d(x, {2, 2}, .name = dh__zoo_name(&z, "pool1", ""));
    x = dh_conv2d(x, 16, {5, 5}, .activation = "tanh", .name = dh__zoo_name(&z, "conv2", ""));
    x = dh_average_pool2d(x, {2, 2}, .name = dh__zoo_name(&z, "pool2", ""));
    x = dh_flatten(x, .name = dh__zoo_name(&z, "flatten", ""));
    x = dh__zoo_dense(&z, x, "dense1", 120, "tanh");
    x = dh__zoo_dense(&z, x, "dense2", 84, "tanh");
    return dh__zoo_end(&z, x);
}

dh_layer *(dh_zoo_mnist_conv)(const dh_zoo_args *args)
{
    static const dh__zoo_def def = {.who = "zoo_mnist_conv", .side = 6};
    static const struct {
        int size, stride, pad;
    } pools[] = {{3, 1, 1}, {2, 2, 0}, {3, 2, 1}, {2, 2, 0}};
    dh__zoo z;
    if (!dh__zoo_begin(&z, &def, args)) return NULL;
    dh_layer *x = z.a.x;
    for (int i = 0; i < 4; i++) {
        dh__format(z.part, sizeof z.part, "block%d.", i + 1);
        x = dh__zoo_conv(&z, x, "conv",
                         (dh__zoo_filter){.filters = 32 << i, .kernel = 3, .activation = "relu"});
        x = dh__zoo_max_pool(&z, x, "pool", pools[i].size, pools[i].stride, pools[i].pad);
    }
    z.part[0] = 0;
    return dh__zoo_end(&z, dh_flatten(x, .name = dh__zoo_name(&z, "flatten", "")));
}

/* --- VGG --- */

/* The blocks of convolutions; returns what comes out of the last pooling. */
static dh_layer *vgg_blocks(dh__zoo *z, dh_layer *x)
{
    const dh_zoo_args *a = &z->a;
    int first = a->depth == 11 ? 1 : 2; /* convolutions of the first two blocks, of the others */
    int rest = (a->depth - 3 - 2 * first) / 3;
    for (int block = 0; block < 5; block++) {
        dh__format(z->part, sizeof z->part, "block%d.", block + 1);
        for (int i = 1; i <= (block < 2 ? first : rest); i++) {
            char leaf[16];
            dh__format(leaf, sizeof leaf, "conv%d", i);
            x = dh__zoo_conv(z, x, leaf,
                             (dh__zoo_filter){.filters = a->width << (block < 3 ? block : 3),
                                              .kernel = a->pointwise && i == 3 ? 1 : 3,
                                              .activation = "relu",
                                              .batch_norm = a->batch_norm,
                                              .no_bias = a->batch_norm && a->small_images});
        }
        x = dh__zoo_max_pool(z, x, "pool", 2, 2, 0);
    }
    z->part[0] = 0;
    return x;
}

dh_layer *(dh_zoo_vgg)(const dh_zoo_args *args)
{
    static const int depths[] = {11, 13, 16, 19, 0};
    static const dh__zoo_def def = {.who = "zoo_vgg",
                                    .takes = DH_ZOO_DEPTH | DH_ZOO_WIDTH | DH_ZOO_BATCH_NORM |
                                             DH_ZOO_SMALL_IMAGES | DH_ZOO_POINTWISE |
                                             DH_ZOO_DROPOUT,
                                    .depths = depths,
                                    .depth = 16,
                                    .width = 64,
                                    .side = 32};
    dh__zoo z;
    if (!dh__zoo_begin(&z, &def, args)) return NULL;
    if (z.a.pointwise && z.a.depth != 16)
        return dh__zoo_fail(
            &z, dh_fail(DH_EINVAL, "zoo_vgg: pointwise is of depth 16, depth is %d", z.a.depth));
    if (dh__absent((double)z.a.dropout) && !z.a.small_images) z.a.dropout = 0.5f;
    dh_layer *x = vgg_blocks(&z, z.a.x);
    if (!z.a.small_images && (dh_layer_dim(x, 2) != 7 || dh_layer_dim(x, 3) != 7))
        x = dh_adaptive_average_pool(x, {7, 7}, .name = dh__zoo_name(&z, "pool", ""));
    x = dh_flatten(x, .name = dh__zoo_name(&z, "flatten", ""));
    for (int i = 1; i <= (z.a.small_images ? 1 : 2); i++) {
        dh__format(z.part, sizeof z.part, "hidden%d.", i);
        x = dh__zoo_dense(&z, x, "dense", (z.a.small_images ? 8 : 64) * z.a.width, "relu");
        x = dh__zoo_dropout(&z, x, "dropout");
    }
    return dh__zoo_end(&z, x);
}
