/* SPDX-License-Identifier: MIT */
/* Networks whose blocks add to what comes in: ResNet, EDDL's ResNets, MobileNetV2. */
#include "model_impl.h"
#include "zoo_parts.h"

/* Batch normalisation instead of a bias. */
static dh_layer *conv_bn(dh__zoo *z, dh_layer *x, const char *leaf, int filters, int kernel,
                         int stride, const char *activation)
{
    return dh__zoo_conv(z, x, leaf,
                        (dh__zoo_filter){.filters = filters,
                                         .kernel = kernel,
                                         .stride = stride,
                                         .activation = activation,
                                         .batch_norm = true,
                                         .no_bias = true});
}

/* --- ResNet --- */

/* y + x, x brought to the shape of y where they differ. */
static dh_layer *add_past(dh__zoo *z, dh_layer *y, dh_layer *x, int stride)
{
    int filters = (int)dh_layer_dim(y, 1);
    if (stride != 1 || dh_layer_dim(x, 1) != filters)
        x = conv_bn(z, x, "shortcut", filters, 1, stride, NULL);
    return dh_add({y, x}, .name = dh__zoo_name(z, "add", ""));
}

static dh_layer *basic_block(dh__zoo *z, dh_layer *x, int filters, int stride)
{
    dh_layer *y = conv_bn(z, x, "conv1", filters, 3, stride, "relu");
    y = conv_bn(z, y, "conv2", filters, 3, 1, NULL);
    return dh__zoo_activate(z, add_past(z, y, x, stride), "", "relu");
}

static dh_layer *bottleneck_block(dh__zoo *z, dh_layer *x, int filters, int stride)
{
    dh_layer *y = conv_bn(z, x, "conv1", filters, 1, 1, "relu");
    y = conv_bn(z, y, "conv2", filters, 3, stride, "relu");
    y = conv_bn(z, y, "conv3", 4 * filters, 1, 1, NULL);
    return dh__zoo_activate(z, add_past(z, y, x, stride), "", "relu");
}

typedef dh_layer *(*block_fn)(dh__zoo *z, dh_layer *x, int filters, int stride);

/* Four stages, each with half the sides of the one before and twice the channels, up to widest. */
static dh_layer *stages(dh__zoo *z, dh_layer *x, const int *counts, int first_stride, int widest,
                        block_fn block)
{
    int filters = z->a.width;
    for (int stage = 0; stage < 4; stage++) {
        for (int i = 0; i < counts[stage]; i++) {
            dh__format(z->part, sizeof z->part, "stage%d.block%d.", stage + 1, i + 1);
            x = block(z, x, filters, i ? 1 : stage ? 2 : first_stride);
        }
        if (2 * filters <= widest) filters *= 2;
    }
    z->part[0] = 0;
    return x;
}

static const int counts_18[] = {2, 2, 2, 2}, counts_50[] = {3, 4, 6, 3};

dh_layer *(dh_zoo_resnet)(const dh_zoo_args *args)
{
    static const int depths[] = {18, 34, 50, 101, 152, 0};
    static const int counts_101[] = {3, 4, 23, 3}, counts_152[] = {3, 8, 36, 3};
    static const dh__zoo_def def = {.who = "zoo_resnet",
                                    .takes = DH_ZOO_DEPTH | DH_ZOO_WIDTH | DH_ZOO_BATCH_NORM |
                                             DH_ZOO_SMALL_IMAGES | DH_ZOO_DROPOUT,
                                    .depths = depths,
                                    .depth = 50,
                                    .width = 64};
    dh__zoo z;
    if (!dh__zoo_begin(&z, &def, args)) return NULL;
    int depth = z.a.depth;
    bool small = z.a.small_images;
    dh_layer *x = conv_bn(&z, z.a.x, "stem", z.a.width, small ? 3 : 7, small ? 1 : 2, "relu");
    if (!small) x = dh__zoo_max_pool(&z, x, "stem.pool", 3, 2, 1);
    x = stages(&z, x,
               depth == 18    ? counts_18
               : depth == 101 ? counts_101
               : depth == 152 ? counts_152
                              : counts_50,
               1, 8 * z.a.width, depth < 50 ? basic_block : bottleneck_block);
    x = dh_global_average_pool(x, .name = dh__zoo_name(&z, "pool", ""));
    return dh__zoo_end(&z, dh__zoo_dropout(&z, x, "dropout"));
}

/* --- EDDL's --- */

/* As the arguments have it: batch normalisation, or a bias. */
static dh_layer *eddl_conv(dh__zoo *z, dh_layer *x, const char *leaf, int filters, int kernel,
                           int stride, const char *activation)
{
    return dh__zoo_conv(z, x, leaf,
                        (dh__zoo_filter){.filters = filters,
                                         .kernel = kernel,
                                         .stride = stride,
                                         .activation = activation,
                                         .batch_norm = z->a.batch_norm,
                                         .no_bias = z->a.batch_norm});
}

static dh_layer *eddl_block(dh__zoo *z, dh_layer *x, int filters, int stride)
{
    dh_layer *y = eddl_conv(z, x, "conv1", filters, 3, stride, "relu");
    y = eddl_conv(z, y, "conv2", filters, 3, 1, "relu");
    if (stride != 1) x = eddl_conv(z, x, "shortcut", filters, 1, stride, NULL);
    return dh_add({y, x}, .name = dh__zoo_name(z, "add", ""));
}

static dh_layer *eddl_hidden(dh__zoo *z, dh_layer *x)
{
    x = dh__zoo_dense(z, x, "dense", 8 * z->a.width, NULL);
    if (z->a.batch_norm) x = dh__zoo_batch_norm(z, x, "dense");
    return dh__zoo_dropout(z, dh__zoo_activate(z, x, "dense", "relu"), "dropout");
}

dh_layer *(dh_zoo_eddl_resnet)(const dh_zoo_args *args)
{
    static const int depths[] = {18, 50, 0};
    static const dh__zoo_def def = {.who = "zoo_eddl_resnet",
                                    .takes = DH_ZOO_DEPTH | DH_ZOO_WIDTH | DH_ZOO_BATCH_NORM |
                                             DH_ZOO_DROPOUT,
                                    .depths = depths,
                                    .depth = 18,
                                    .width = 64};
    dh__zoo z;
    if (!dh__zoo_begin(&z, &def, args)) return NULL;
    bool deep = z.a.depth == 50;
    dh_status status = deep ? dh__zoo_sides(z.a.x, 24, def.who) : DH_OK;
    if (status) return dh__zoo_fail(&z, status);
    z.a.batch_norm |= deep;
    dh_layer *x = eddl_conv(&z, z.a.x, "stem", z.a.width, 3, 1, "relu");
    x = dh_zero_padding(x, {0, 0, 1, 1}, .name = dh__zoo_name(&z, "stem.pad", ""));
    x = deep ? stages(&z, x, counts_50, 1, 8 * z.a.width, bottleneck_block)
             : stages(&z, x, counts_18, 2, (z.a.batch_norm ? 4 : 8) * z.a.width, eddl_block);
    if (deep) x = dh__zoo_max_pool(&z, x, "pool", 4, 2, 0);
    x = dh_flatten(x, .name = dh__zoo_name(&z, "flatten", ""));
    return dh__zoo_end(&z, deep ? dh__zoo_dropout(&z, x, "dropout") : eddl_hidden(&z, x));
}

/* --- MobileNetV2 --- */

/* channels of the paper's width 32 in proportion, a multiple of 8 that is no tenth less. */
static int proportional(const dh__zoo *z, int channels)
{
    double want = channels * (z->a.width / 32.0);
    int near = (int)(want + 4) / 8 * 8;
    if (near < 8) near = 8;
    return near < 0.9 * want ? near + 8 : near;
}

static dh_layer *inverted_block(dh__zoo *z, dh_layer *x, int expand, int filters, int stride)
{
    int in = (int)dh_layer_dim(x, 1);
    dh_layer *y = x;
    if (expand > 1) y = conv_bn(z, y, "expand", expand * in, 1, 1, "relu6");
    y = dh__zoo_conv(z, y, "depthwise",
                     (dh__zoo_filter){.depthwise = true,
                                      .kernel = 3,
                                      .stride = stride,
                                      .activation = "relu6",
                                      .batch_norm = true,
                                      .no_bias = true});
    y = conv_bn(z, y, "project", filters, 1, 1, NULL);
    return stride == 1 && in == filters ? dh_add({y, x}, .name = dh__zoo_name(z, "add", "")) : y;
}

dh_layer *(dh_zoo_mobilenet_v2)(const dh_zoo_args *args)
{
    static const struct {
        int expand, filters, count, stride;
    } table[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                 {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    static const dh__zoo_def def = {.who = "zoo_mobilenet_v2",
                                    .takes = DH_ZOO_WIDTH | DH_ZOO_BATCH_NORM |
                                             DH_ZOO_SMALL_IMAGES | DH_ZOO_DROPOUT,
                                    .width = 32,
                                    .dropout = 0.2f};
    dh__zoo z;
    if (!dh__zoo_begin(&z, &def, args)) return NULL;
    bool small = z.a.small_images;
    dh_layer *x = conv_bn(&z, z.a.x, "stem", proportional(&z, 32), 3, small ? 1 : 2, "relu6");
    for (int stage = 0; stage < (int)DH_COUNT(table); stage++)
        for (int i = 0; i < table[stage].count; i++) {
            int stride = i || (small && stage == 1) ? 1 : table[stage].stride;
            dh__format(z.part, sizeof z.part, "stage%d.block%d.", stage + 1, i + 1);
            x = inverted_block(&z, x, table[stage].expand, proportional(&z, table[stage].filters),
                               stride);
        }
    z.part[0] = 0;
    x = conv_bn(&z, x, "head", z.a.width > 32 ? proportional(&z, 1280) : 1280, 1, 1, "relu6");
    x = dh_global_average_pool(x, .name = dh__zoo_name(&z, "pool", ""));
    return dh__zoo_end(&z, dh__zoo_dropout(&z, x, "dropout"));
}
