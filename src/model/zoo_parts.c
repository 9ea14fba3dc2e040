/* SPDX-License-Identifier: MIT */
/* Arguments and blocks that the networks of the zoo share. */
#include "zoo_parts.h"

#include "model_impl.h"

static const dh_initializer he = {
    .name = "variance_scaling", .a = 2, .mode = "fan_out", .distribution = "untruncated_normal"};

/* --- arguments --- */

enum { MOST_WIDTH = 1 << 16 };

static dh_status refuse_others(const dh_zoo_args *a, const dh__zoo_def *def)
{
    const struct {
        const char *name;
        unsigned bit;
        bool given;
    } rows[] = {{"depth", DH_ZOO_DEPTH, a->depth != 0},
                {"width", DH_ZOO_WIDTH, a->width != 0},
                {"batch_norm", DH_ZOO_BATCH_NORM, a->batch_norm},
                {"synchronized", DH_ZOO_BATCH_NORM, a->synchronized},
                {"small_images", DH_ZOO_SMALL_IMAGES, a->small_images},
                {"pointwise", DH_ZOO_POINTWISE, a->pointwise},
                {"dropout", DH_ZOO_DROPOUT, a->dropout != 0}};
    DH_REQUIRE(!a->net, DH_EINVAL, "%s: net is given, which is of zoo_make", def->who);
    for (size_t i = 0; i < DH_COUNT(rows); i++)
        DH_REQUIRE(!rows[i].given || def->takes & rows[i].bit, DH_EINVAL,
                   "%s: %s is given, this net has none", def->who, rows[i].name);
    return DH_OK;
}

/* "18, 34, 50, 101 or 152" */
static const char *depth_list(char *text, size_t size, const int *depths)
{
    size_t at = 0;
    for (int i = 0; depths[i] && at < size; i++)
        at += (size_t)dh__format(text + at, size - at, "%s%d",
                                 !i              ? ""
                                 : depths[i + 1] ? ", "
                                                 : " or ",
                                 depths[i]);
    return text;
}

static dh_status check_depth(const dh_zoo_args *a, const dh__zoo_def *def)
{
    char text[64];
    if (!def->depths) {
        DH_REQUIRE(a->depth >= 1 && a->depth <= def->depth_most, DH_EINVAL,
                   "%s: depth is %d, must be in [1, %d]", def->who, a->depth, def->depth_most);
        return DH_OK;
    }
    for (int i = 0; def->depths[i]; i++)
        if (def->depths[i] == a->depth) return DH_OK;
    return dh_fail(DH_EINVAL, "%s: depth is %d, must be %s", def->who, a->depth,
                   depth_list(text, sizeof text, def->depths));
}

static dh_status check_shape(const dh_layer *x, const char *who)
{
    char text[64];
    DH_REQUIRE(dh_layer_ndim(x) == 4, DH_ESHAPE, "%s: x is %s, needs [N, C, H, W]", who,
               dh__layer_shape(text, sizeof text, x));
    return DH_OK;
}

dh_status dh__zoo_sides(const dh_layer *x, int least, const char *who)
{
    char text[64];
    DH_REQUIRE(dh_layer_dim(x, 2) >= least && dh_layer_dim(x, 3) >= least, DH_ESHAPE,
               "%s: x is %s, its sides must be at least %d", who,
               dh__layer_shape(text, sizeof text, x), least);
    return DH_OK;
}

static dh_status check(dh_zoo_args *a, const dh__zoo_def *def)
{
    DH_TRY(refuse_others(a, def));
    DH_REQUIRE(a->classes >= 1, DH_EINVAL, "%s: classes is %d, must be at least 1", def->who,
               a->classes);
    if (!a->depth) a->depth = def->depth;
    if (!a->width) a->width = def->width;
    if (dh__absent((double)a->dropout)) a->dropout = def->dropout;
    if (def->takes & DH_ZOO_DEPTH) DH_TRY(check_depth(a, def));
    if (def->takes & DH_ZOO_WIDTH)
        DH_REQUIRE(a->width >= 1 && a->width <= MOST_WIDTH, DH_EINVAL,
                   "%s: width is %d, must be in [1, %d]", def->who, a->width, MOST_WIDTH);
    if (def->takes & DH_ZOO_ANY_SHAPE) return DH_OK;
    DH_TRY(check_shape(a->x, def->who));
    return dh__zoo_sides(a->x, def->side, def->who);
}

bool dh__zoo_begin(dh__zoo *z, const dh__zoo_def *def, const dh_zoo_args *args)
{
    *z = (dh__zoo){0};
    if (dh__args(&z->a, sizeof z->a, args, def->who)) return false;
    if (!z->a.x) {
        dh_fail(DH_EINVAL, "%s: x is NULL", def->who);
        return false;
    }
    dh_status status = check(&z->a, def);
    if (status) dh__zoo_fail(z, status);
    return !status;
}

dh_layer *dh__zoo_fail(const dh__zoo *z, dh_status status)
{
    return dh__net_failed(z->a.x->net, status);
}

/* --- blocks --- */

const char *dh__zoo_name(dh__zoo *z, const char *leaf, const char *suffix)
{
    dh__format(z->layer, sizeof z->layer, "%s%s%s%s%s", z->a.name ? z->a.name : "",
               z->a.name ? "." : "", z->part, leaf, suffix);
    return z->layer;
}

dh_layer *dh__zoo_activate(dh__zoo *z, dh_layer *x, const char *leaf, const char *activation)
{
    char suffix[32];
    dh__format(suffix, sizeof suffix, "%s%s", *leaf ? "." : "", activation);
    return dh_activation(x, activation, .name = dh__zoo_name(z, leaf, suffix));
}

dh_layer *dh__zoo_batch_norm(dh__zoo *z, dh_layer *x, const char *leaf)
{
    return dh_batch_normalization(x, .momentum = 0.9f, .epsilon = 1e-5f,
                                  .synchronized = z->a.synchronized,
                                  .name = dh__zoo_name(z, leaf, ".bn"));
}

dh_layer *dh__zoo_conv(dh__zoo *z, dh_layer *x, const char *leaf, dh__zoo_filter f)
{
    int k = f.kernel, p = k / 2, s = f.stride ? f.stride : 1;
    const char *name = dh__zoo_name(z, leaf, "");
    if (f.depthwise)
        x = dh_depthwise_conv2d(x, {k, k}, .strides = {s, s}, .pads = {p, p, p, p},
                                .no_bias = f.no_bias, .weight_init = he, .name = name);
    else
        x = dh_conv2d(x, f.filters, {k, k}, .strides = {s, s}, .pads = {p, p, p, p},
                      .no_bias = f.no_bias, .weight_init = he, .name = name);
    if (f.batch_norm) x = dh__zoo_batch_norm(z, x, leaf);
    return f.activation ? dh__zoo_activate(z, x, leaf, f.activation) : x;
}

dh_layer *dh__zoo_max_pool(dh__zoo *z, dh_layer *x, const char *leaf, int size, int stride, int pad)
{
    return dh_max_pool2d(x, {size, size}, .strides = {stride, stride}, .pads = {pad, pad, pad, pad},
                         .name = dh__zoo_name(z, leaf, ""));
}

dh_layer *dh__zoo_dense(dh__zoo *z, dh_layer *x, const char *leaf, int units,
                        const char *activation)
{
    x = dh_dense(x, units, .name = dh__zoo_name(z, leaf, ""));
    return activation ? dh__zoo_activate(z, x, leaf, activation) : x;
}

dh_layer *dh__zoo_dropout(dh__zoo *z, dh_layer *x, const char *leaf)
{
    if (z->a.dropout == 0) return x;
    return dh_dropout(x, z->a.dropout, .name = dh__zoo_name(z, leaf, ""));
}

dh_layer *dh__zoo_end(dh__zoo *z, dh_layer *x)
{
    z->part[0] = 0;
    x = dh_dense(x, z->a.classes, .name = dh__zoo_name(z, "classes", ""));
    return dh_activation(x, z->a.activation ? z->a.activation : "softmax",
                         .name = dh__zoo_name(z, "output", ""));
}
