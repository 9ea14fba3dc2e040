/* SPDX-License-Identifier: MIT */
/* One deliberate mistake, or more, in each constructor of the zoo. */
#include "model_mistakes.h"

static dh_layer *picture(const parts *p, int64_t c, int64_t h, int64_t w)
{
    return dh_input(p->net, {c, h, w});
}

static void no_input(void **state)
{
    (void)state;
    NOWHERE(dh_zoo_mlp(NULL, 3), "zoo_mlp: x is NULL");
    NOWHERE(dh_zoo_lenet(NULL, 3), "zoo_lenet: x is NULL");
    NOWHERE(dh_zoo_mnist_conv(NULL, 3), "zoo_mnist_conv: x is NULL");
    NOWHERE(dh_zoo_vgg(NULL, 3), "zoo_vgg: x is NULL");
    NOWHERE(dh_zoo_resnet(NULL, 3), "zoo_resnet: x is NULL");
    NOWHERE(dh_zoo_eddl_resnet(NULL, 3), "zoo_eddl_resnet: x is NULL");
    NOWHERE(dh_zoo_mobilenet_v2(NULL, 3), "zoo_mobilenet_v2: x is NULL");
    NOWHERE(dh_zoo_unet(NULL, 3), "zoo_unet: x is NULL");
    NOWHERE(dh_zoo_make(NULL, 3, .net = "vgg16"), "zoo_make: x is NULL");
    NOWHERE((dh_zoo_unet)(NULL), "zoo_unet: args is NULL");
    NOWHERE((dh_zoo_make)(NULL), "zoo_make: args is NULL");
    none_wrong();
}

static void classes(void **state)
{
    (void)state;
    LAYER(dh_zoo_mlp(p.in, 0), "zoo_mlp: classes is 0, must be at least 1");
    LAYER(dh_zoo_lenet(picture(&p, 1, 28, 28), 0), "zoo_lenet: classes is 0, must be at least 1");
    LAYER(dh_zoo_mnist_conv(picture(&p, 1, 28, 28), -4),
          "zoo_mnist_conv: classes is -4, must be at least 1");
    LAYER(dh_zoo_vgg(picture(&p, 3, 32, 32), 0), "zoo_vgg: classes is 0, must be at least 1");
    LAYER(dh_zoo_resnet(picture(&p, 3, 32, 32), 0), "zoo_resnet: classes is 0, must be at least 1");
    LAYER(dh_zoo_eddl_resnet(picture(&p, 3, 32, 32), 0),
          "zoo_eddl_resnet: classes is 0, must be at least 1");
    LAYER(dh_zoo_mobilenet_v2(picture(&p, 3, 32, 32), 0),
          "zoo_mobilenet_v2: classes is 0, must be at least 1");
    LAYER(dh_zoo_unet(picture(&p, 3, 32, 32), 0), "zoo_unet: classes is 0, must be at least 1");
    LAYER(dh_zoo_make(picture(&p, 3, 32, 32), 0, .net = "unet"),
          "zoo_unet: classes is 0, must be at least 1");
    none_wrong();
}

static void shapes(void **state)
{
    (void)state;
    LAYER(dh_zoo_vgg(p.in, 3), "zoo_vgg: x is [N, 4], needs [N, C, H, W]");
    LAYER(dh_zoo_resnet(p.image, 3), "zoo_resnet: x is [N, 2, 6], needs [N, C, H, W]");
    LAYER(dh_zoo_mobilenet_v2(p.in, 3), "zoo_mobilenet_v2: x is [N, 4], needs [N, C, H, W]");
    LAYER(dh_zoo_unet(p.in, 3), "zoo_unet: x is [N, 4], needs [N, C, H, W]");
    LAYER(dh_zoo_lenet(picture(&p, 1, 12, 11), 3),
          "zoo_lenet: x is [N, 1, 12, 11], its sides must be at least 12");
    LAYER(dh_zoo_mnist_conv(picture(&p, 1, 5, 6), 3),
          "zoo_mnist_conv: x is [N, 1, 5, 6], its sides must be at least 6");
    LAYER(dh_zoo_vgg(picture(&p, 3, 64, 31), 3, .small_images = true),
          "zoo_vgg: x is [N, 3, 64, 31], its sides must be at least 32");
    LAYER(dh_zoo_eddl_resnet(picture(&p, 3, 23, 24), 3, .depth = 50),
          "zoo_eddl_resnet: x is [N, 3, 23, 24], its sides must be at least 24");
    LAYER(dh_zoo_unet(picture(&p, 3, 8, 8), 3),
          "zoo_unet: x is [N, 3, 8, 8], sides must be multiples of 16 for depth 4");
    LAYER(dh_zoo_unet(picture(&p, 3, 24, 36), 3, .depth = 3),
          "zoo_unet: x is [N, 3, 24, 36], sides must be multiples of 8 for depth 3");
    none_wrong();
}

/* What is just large enough. */
static void least_sides(void **state)
{
    (void)state;
    parts p = make_parts();
    assert_non_null(dh_zoo_lenet(picture(&p, 1, 12, 12), 3, .name = "a"));
    assert_non_null(dh_zoo_mnist_conv(picture(&p, 1, 6, 6), 3, .name = "b"));
    assert_non_null(dh_zoo_vgg(picture(&p, 3, 32, 32), 3, .width = 1, .name = "c"));
    assert_non_null(dh_zoo_eddl_resnet(picture(&p, 3, 24, 24), 3, .depth = 50, .name = "d"));
    assert_non_null(dh_zoo_eddl_resnet(picture(&p, 3, 1, 1), 3, .name = "e"));
    assert_non_null(dh_zoo_resnet(picture(&p, 3, 1, 1), 3, .name = "f"));
    assert_non_null(dh_zoo_mobilenet_v2(picture(&p, 3, 1, 1), 3, .name = "g"));
    assert_non_null(dh_zoo_unet(picture(&p, 3, 2, 2), 3, .depth = 1, .name = "h"));
    free_parts(&p);
}

static void depths_and_widths(void **state)
{
    (void)state;
    LAYER(dh_zoo_vgg(picture(&p, 3, 32, 32), 3, .depth = 12),
          "zoo_vgg: depth is 12, must be 11, 13, 16 or 19");
    LAYER(dh_zoo_vgg(picture(&p, 3, 32, 32), 3, .depth = 19, .pointwise = true),
          "zoo_vgg: pointwise is of depth 16, depth is 19");
    LAYER(dh_zoo_resnet(picture(&p, 3, 32, 32), 3, .depth = -1),
          "zoo_resnet: depth is -1, must be 18, 34, 50, 101 or 152");
    LAYER(dh_zoo_eddl_resnet(picture(&p, 3, 32, 32), 3, .depth = 34),
          "zoo_eddl_resnet: depth is 34, must be 18 or 50");
    LAYER(dh_zoo_mlp(p.in, 3, .depth = 101), "zoo_mlp: depth is 101, must be in [1, 100]");
    LAYER(dh_zoo_unet(picture(&p, 3, 32, 32), 3, .depth = 11),
          "zoo_unet: depth is 11, must be in [1, 10]");
    LAYER(dh_zoo_unet(picture(&p, 3, 32, 32), 3, .width = -2),
          "zoo_unet: width is -2, must be in [1, 65536]");
    LAYER(dh_zoo_mobilenet_v2(picture(&p, 3, 32, 32), 3, .width = 65537),
          "zoo_mobilenet_v2: width is 65537, must be in [1, 65536]");
    none_wrong();
}

static void what_a_net_has_not(void **state)
{
    (void)state;
    LAYER(dh_zoo_lenet(picture(&p, 1, 28, 28), 3, .depth = 5),
          "zoo_lenet: depth is given, this net has none");
    LAYER(dh_zoo_mnist_conv(picture(&p, 1, 28, 28), 3, .width = 16),
          "zoo_mnist_conv: width is given, this net has none");
    LAYER(dh_zoo_mlp(p.in, 3, .batch_norm = true),
          "zoo_mlp: batch_norm is given, this net has none");
    LAYER(dh_zoo_lenet(picture(&p, 1, 28, 28), 3, .synchronized = true),
          "zoo_lenet: synchronized is given, this net has none");
    LAYER(dh_zoo_unet(picture(&p, 3, 32, 32), 3, .small_images = true),
          "zoo_unet: small_images is given, this net has none");
    LAYER(dh_zoo_resnet(picture(&p, 3, 32, 32), 3, .pointwise = true),
          "zoo_resnet: pointwise is given, this net has none");
    LAYER(dh_zoo_unet(picture(&p, 3, 32, 32), 3, .dropout = 0.5f),
          "zoo_unet: dropout is given, this net has none");
    LAYER(dh_zoo_vgg(picture(&p, 3, 32, 32), 3, .net = "vgg16"),
          "zoo_vgg: net is given, which is of zoo_make");
    none_wrong();
}

/* What its layers refuse, they say themselves. */
static void of_layers(void **state)
{
    (void)state;
    LAYER(dh_zoo_mlp(p.in, 3, .dropout = 2),
          "dropout \"hidden1.dropout\": rate is 2, must be in [0, 0.999999]");
    LAYER(dh_zoo_mlp(p.in, 3, .activation = "sofmax"),
          "activation \"output\": activation: no activation \"sofmax\", did you mean \"softmax\"?");
    LAYER(dh_zoo_mlp(dh_zoo_mlp(p.in, 3), 3),
          "dense: the model has a layer named \"hidden1.dense\" already");
    LAYER(dh_zoo_mlp(p.in, 3, .name = "a/b"),
          "dense: name \"a/b.hidden1.dense\" must be shorter than 64 bytes and without '/', '\"' "
          "and newlines");
    none_wrong();
}

static void by_name(void **state)
{
    (void)state;
    NOWHERE(dh_zoo_find(NULL), "zoo_find: net is NULL");
    NOWHERE(dh_zoo_find("resnet"),
            "zoo_find: no net \"resnet\", did you mean \"lenet\", \"resnet18\" or \"resnet34\"?");
    assert_int_equal(dh_error_status(), DH_ENAME);
    LAYER(dh_zoo_make(picture(&p, 3, 32, 32), 3), "zoo_make: net is NULL");
    LAYER(dh_zoo_make(picture(&p, 3, 32, 32), 3, .net = "vgg16bn"),
          "zoo_make: no net \"vgg16bn\", did you mean \"vgg16_bn\", \"vgg16\" or \"vgg11_bn\"?");
    LAYER(dh_zoo_make(picture(&p, 3, 32, 32), 3, .net = "resnet18", .depth = 18),
          "zoo_make: depth is given, net \"resnet18\" has its own");
    LAYER(dh_zoo_make(picture(&p, 3, 32, 32), 3, .net = "vgg16", .batch_norm = true),
          "zoo_make: batch_norm is given, net \"vgg16\" has its own");
    LAYER(dh_zoo_make(picture(&p, 3, 32, 32), 3, .net = "vgg16", .pointwise = true),
          "zoo_make: pointwise is given, net \"vgg16\" has its own");
    none_wrong();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_input),
        cmocka_unit_test(classes),
        cmocka_unit_test(shapes),
        cmocka_unit_test(least_sides),
        cmocka_unit_test(depths_and_widths),
        cmocka_unit_test(what_a_net_has_not),
        cmocka_unit_test(of_layers),
        cmocka_unit_test(by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
