/* SPDX-License-Identifier: MIT */
/* U-Net. */
#include <string.h>

#include "model_impl.h"
#include "zoo_parts.h"

enum { DEPTH_MOST = 10 };

static dh_layer *two_convs(dh__zoo *z, dh_layer *x, int filters)
{
    static const char *const leaves[] = {"conv1", "conv2"};
    for (int i = 0; i < 2; i++)
        x = dh__zoo_conv(z, x, leaves[i],
                         (dh__zoo_filter){.filters = filters,
                                          .kernel = 3,
                                          .activation = "relu",
                                          .batch_norm = z->a.batch_norm,
                                          .no_bias = z->a.batch_norm});
    return x;
}

/* Twice the sides, half the channels, beside what the way down had there. */
static dh_layer *up(dh__zoo *z, dh_layer *x, dh_layer *past, int filters)
{
    x = dh_conv2d_transpose(
        x, filters, {2, 2}, .strides = {2, 2},
        .weight_init = {.name = "variance_scaling", .a = 2, .distribution = "untruncated_normal"},
        .name = dh__zoo_name(z, "up", ""));
    x = dh_concat({past, x}, .axis = 1, .name = dh__zoo_name(z, "concat", ""));
    return two_convs(z, x, filters);
}

static dh_status check_sides(const dh_zoo_args *a)
{
    char text[64];
    int64_t step = (int64_t)1 << a->depth;
    DH_REQUIRE(dh_layer_dim(a->x, 2) % step == 0 && dh_layer_dim(a->x, 3) % step == 0, DH_ESHAPE,
               "zoo_unet: x is %s, sides must be multiples of %lld for depth %d",
               dh__layer_shape(text, sizeof text, a->x), (long long)step, a->depth);
    return DH_OK;
}

static dh_layer *end(dh__zoo *z, dh_layer *x)
{
    int classes = z->a.classes;
    const char *activation = z->a.activation;
    if (!activation) activation = classes == 1 ? "sigmoid" : "softmax";
    bool over_channels = !strcmp(activation, "softmax") || !strcmp(activation, "log_softmax");
    x = dh_conv2d(x, classes, {1, 1}, .name = dh__zoo_name(z, "classes", ""));
    return dh_activation(x, activation, .axis = over_channels ? 1 : 0,
                         .name = dh__zoo_name(z, "output", ""));
}

dh_layer *(dh_zoo_unet)(const dh_zoo_args *args)
{
    static const dh__zoo_def def = {.who = "zoo_unet",
                                    .takes = DH_ZOO_DEPTH | DH_ZOO_WIDTH | DH_ZOO_BATCH_NORM,
                                    .depth = 4,
                                    .depth_most = DEPTH_MOST,
                                    .width = 64};
    dh_layer *past[DEPTH_MOST];
    dh__zoo z;
    if (!dh__zoo_begin(&z, &def, args)) return NULL;
    dh_status status = check_sides(&z.a);
    if (status) return dh__zoo_fail(&z, status);
    dh_layer *x = z.a.x;
    for (int level = 0; level < z.a.depth; level++) {
        dh__format(z.part, sizeof z.part, "down%d.", level + 1);
        past[level] = two_convs(&z, x, z.a.width << level);
        x = dh__zoo_max_pool(&z, past[level], "pool", 2, 2, 0);
    }
    dh__format(z.part, sizeof z.part, "bottom.");
    x = two_convs(&z, x, z.a.width << z.a.depth);
    for (int level = z.a.depth - 1; level >= 0; level--) {
        dh__format(z.part, sizeof z.part, "up%d.", level + 1);
        x = up(&z, x, past[level], z.a.width << level);
    }
    z.part[0] = 0;
    return end(&z, x);
}
