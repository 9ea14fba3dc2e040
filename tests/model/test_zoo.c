/* SPDX-License-Identifier: MIT */
/* The networks of the zoo: as many parameters and as much work as was published, the shapes that
 * they promise, and that each family learns. */
#include <stdlib.h>
#include <unistd.h>

#include "model_test.h"

/* --- size and work --- */

/* Adds the net of an entry to a new model, which is not built. */
static dh_model *made(const dh_zoo_entry *e, dh_layer **out)
{
    dh_model *net = dh_model_new(e->name);
    dh_layer *x = dh_input(net, {e->input[0], e->input[1], e->input[2]});
    *out = dh_zoo_make(x, e->classes, .net = e->name);
    if (!*out) fail_msg("%s: %s", e->name, dh_error_text());
    return net;
}

static dh_work_report work_of(const dh_model *net)
{
    dh_work_report r;
    assert_ok(dh_model_work(&r, net));
    return r;
}

static dh_work_report work_by_name(const char *name)
{
    const dh_zoo_entry *e = dh_zoo_find(name);
    dh_layer *out;
    assert_non_null(e);
    dh_model *net = made(e, &out);
    dh_work_report r = work_of(net);
    dh_model_free(net);
    return r;
}

/* Parameters that are trained, and thousand millions of multiply-adds of one picture of 224 x 224,
 * as torchvision's pages have them. */
static void torchvision(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t parameters;
        double work; /* 0: not told */
    } rows[] = {
        {"vgg11", 132863336, 7.61},     {"vgg13", 133047848, 11.31},
        {"vgg16", 138357544, 15.47},    {"vgg19", 143667240, 19.63},
        {"vgg11_bn", 132868840, 7.61},  {"vgg13_bn", 133053736, 11.31},
        {"vgg16_bn", 138365992, 15.47}, {"vgg19_bn", 143678248, 19.63},
        {"resnet18", 11689512, 1.81},   {"resnet34", 21797672, 3.66},
        {"resnet50", 25557032, 4.09},   {"resnet101", 44549160, 7.80},
        {"resnet152", 60192808, 11.51}, {"mobilenet_v2", 3504872, 0.30},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        dh_work_report r = work_by_name(rows[i].name);
        if (r.trainable != rows[i].parameters || !(fabs(r.flops / 2e9 - rows[i].work) <= 0.006))
            fail_msg("%s has %lld parameters, %.4f G multiply-adds; published: %lld, %.2f",
                     rows[i].name, (long long)r.trainable, r.flops / 2e9,
                     (long long)rows[i].parameters, rows[i].work);
    }
}

static int64_t conv(int kernel, int64_t in, int64_t out)
{
    return kernel * kernel * in * out;
}

/* 13 convolutions of channels[], those of kernels[] = 1 with one element, and two dense layers;
 * each convolution with `more` numbers a channel: its bias, or gamma and beta. */
static int64_t vgg16_for_cifar(int third, int64_t more)
{
    static const int64_t channels[] = {3,   64,  64,  128, 128, 256, 256,
                                       256, 512, 512, 512, 512, 512, 512};
    int64_t n = 513 * 512 + 513 * 10;
    for (int i = 0; i < 13; i++) {
        bool last = i == 6 || i == 9 || i == 12;
        n += conv(last ? third : 3, channels[i], channels[i + 1]) + more * channels[i + 1];
    }
    return n;
}

/* EDDL's, whose blocks are two 3x3 convolutions and, past the first of a stage, one of 1x1; with
 * batch normalisation the last stage is narrower. */
static int64_t eddl_resnet18(bool bn)
{
    const int64_t channels[] = {64, 64, 128, 256, bn ? 256 : 512}, more = bn ? 2 : 1;
    int64_t n = conv(3, 3, 64) + more * 64;
    for (int i = 0; i < 4; i++) {
        int64_t in = channels[i], out = channels[i + 1];
        n += conv(3, in, out) + 3 * conv(3, out, out) + conv(1, in, out) + 5 * more * out;
    }
    return n + (channels[4] * 3 * 3 + 1) * 512 + (bn ? 2 * 512 : 0) + 513 * 10;
}

static int64_t plain_unet(void)
{
    int64_t n = conv(3, 3, 64) + 64 + conv(3, 64, 64) + 64;
    for (int64_t c = 64; c < 1024; c *= 2) {
        n += conv(3, c, 2 * c) + 2 * c + conv(3, 2 * c, 2 * c) + 2 * c; /* down */
        n += conv(2, 2 * c, c) + c + conv(3, 2 * c, c) + c + conv(3, c, c) + c;
    }
    return n + 64 + 1;
}

static void the_others(void **state)
{
    (void)state;
    const struct {
        const char *name;
        int64_t parameters;
    } rows[] = {
        {"mlp", 785 * 1024 + 2 * 1025 * 1024 + 1025 * 10},
        {"lenet", 26 * 6 + 151 * 16 + 401 * 120 + 121 * 84 + 85 * 10},
        {"mnist_conv", 410890},
        {"vgg16_cifar", 14982474},
        {"vgg16_cifar", vgg16_for_cifar(3, 1)},
        {"vgg16_bn_cifar", 14986698},
        {"vgg16_bn_cifar", vgg16_for_cifar(3, 2)},
        {"vgg16_eddl", vgg16_for_cifar(1, 1)},
        {"vgg16_bn_eddl", vgg16_for_cifar(1, 2)},
        {"resnet18_cifar", 11173962},
        {"resnet50_cifar", 23520842},
        {"resnet18_eddl", eddl_resnet18(false)},
        {"resnet18_bn_eddl", eddl_resnet18(true)},
        /* another first kernel, and 10 classes of 2048 numbers instead of 1000 */
        {"resnet50_eddl", 25557032 - conv(7, 3, 64) + conv(3, 3, 64) - 2049 * 990},
        {"mobilenet_v2_cifar", 3504872 - 1281 * 990},
        {"unet", 31037633},
        {"unet_plain", plain_unet()},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        dh_work_report r = work_by_name(rows[i].name);
        if (r.trainable != rows[i].parameters)
            fail_msg("%s has %lld parameters, must have %lld", rows[i].name, (long long)r.trainable,
                     (long long)rows[i].parameters);
    }
}

/* The list says of each what it is: parameters, and [N, classes] or [N, classes, H, W]. */
static void the_list(void **state)
{
    (void)state;
    int count = 0;
    for (const dh_zoo_entry *e; (e = dh_zoo_at(count)); count++) {
        dh_layer *out;
        dh_model *net = made(e, &out);
        assert_ptr_equal(dh_zoo_find(e->name), e);
        assert_true(strlen(e->paper) > 10);
        if (work_of(net).trainable != e->parameters)
            fail_msg("%s has %lld parameters, the list says %lld", e->name,
                     (long long)work_of(net).trainable, (long long)e->parameters);
        assert_string_equal(dh_layer_name(out), "output");
        assert_int_equal(dh_layer_dim(out, 1), e->classes);
        bool picture = !strncmp(e->name, "unet", 4);
        assert_int_equal(dh_layer_ndim(out), picture ? 4 : 2);
        if (picture) assert_int_equal(dh_layer_dim(out, 2), e->input[1]);
        if (picture) assert_int_equal(dh_layer_dim(out, 3), e->input[2]);
        dh_model_free(net);
    }
    assert_int_equal(count, 29);
    assert_null(dh_zoo_at(-1));
}

/* --- arguments --- */

/* Sides, channels and classes are the caller's; parameters follow. */
static void other_inputs(void **state)
{
    (void)state;
    const struct {
        const char *name;
        int64_t c, h, w;
        int64_t change; /* of parameters against the usual input and classes */
    } rows[] = {
        {"lenet", 3, 28, 28, 2 * 25 * 6 - 85 * 3},
        {"vgg11", 3, 32, 64, -4097 * 993},
        {"vgg16_cifar", 3, 64, 32, 512 * 512 - 513 * 3},
        {"resnet18", 1, 33, 65, -2 * conv(7, 1, 64) - 513 * 993},
        {"resnet50_eddl", 3, 24, 24, -2049 * 3},
        {"mobilenet_v2", 4, 47, 31, 9 * 32 - 1281 * 993},
        {"unet", 1, 16, 48, -2 * conv(3, 1, 64) + 6 * 65},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        dh_model *net = dh_model_new("net");
        dh_layer *x = dh_input(net, {rows[i].c, rows[i].h, rows[i].w});
        x = dh_zoo_make(x, 7, .net = rows[i].name);
        if (!x) fail_msg("%s: %s", rows[i].name, dh_error_text());
        assert_int_equal(dh_layer_dim(x, 1), 7);
        int64_t want = dh_zoo_find(rows[i].name)->parameters + rows[i].change;
        if (work_of(net).trainable != want)
            fail_msg("%s has %lld parameters, must have %lld", rows[i].name,
                     (long long)work_of(net).trainable, (long long)want);
        dh_model_free(net);
    }
}

static void depth_and_width(void **state)
{
    (void)state;
    dh_model *net = dh_model_new("net");
    dh_layer *x = dh_input(net, {2, 8, 12}, .name = "in");
    dh_layer *mask = dh_zoo_unet(x, 3, .depth = 1, .width = 5, .name = "u");
    int64_t want = conv(3, 2, 5) + conv(3, 5, 5) + conv(3, 5, 10) + conv(3, 10, 10) +
                   conv(2, 10, 5) + conv(3, 10, 5) + conv(3, 5, 5) + 5 * 3 + 5 * 5 + 2 * 10 + 3;
    assert_int_equal(work_of(net).trainable, want);
    assert_string_equal(dh_layer_name(mask), "u.output");
    dh_layer *m = dh_zoo_mlp(x, 2, .depth = 2, .width = 7, .name = "m");
    want += 193 * 7 + 8 * 7 + 8 * 2;
    assert_int_equal(work_of(net).trainable, want);
    /* layers are found by name; the second net is another */
    assert_non_null(dh_model_layer(net, "u.down1.conv2.relu"));
    assert_non_null(dh_model_layer(net, "u.bottom.conv1"));
    assert_non_null(dh_model_layer(net, "u.up1.concat"));
    assert_non_null(dh_model_layer(net, "u.classes"));
    assert_non_null(dh_model_layer(net, "m.hidden2.dense.relu"));
    assert_ok(dh_build(net, .outputs = {mask, m}, .losses = {"cross_entropy", "cross_entropy"}));
    dh_model_free(net);
}

static void names(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"vgg16_bn", "block3.conv3.bn"},
        {"vgg16_bn", "hidden2.dropout"},
        {"resnet18_cifar", "stem.bn"},
        {"resnet50", "stem.pool"},
        {"resnet50", "stage2.block1.conv3"},
        {"resnet50", "stage2.block1.shortcut.bn"},
        {"resnet152", "stage3.block36.relu"},
        {"resnet18_bn_eddl", "dense.bn"},
        {"mobilenet_v2", "stage7.block1.expand"},
        {"mobilenet_v2", "head"},
        {"mobilenet_v2", "dropout"},
        {"lenet", "dense2.tanh"},
        {"unet", "up4.up"},
        {"resnet18", "classes"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        dh_layer *out;
        dh_model *net = made(dh_zoo_find(rows[i][0]), &out);
        if (!dh_model_layer(net, rows[i][1])) fail_msg("%s: %s", rows[i][0], dh_error_text());
        dh_model_free(net);
    }
}

static void dropout_and_activation(void **state)
{
    (void)state;
    static const char *const nets[] = {"vgg11", "mobilenet_v2", "resnet18", "vgg16_cifar"};
    for (int i = 0; i < 4; i++) {
        const char *where = i % 3 ? "dropout" : "hidden1.dropout";
        for (int how = 0; how < 3; how++) { /* the default, none, some */
            dh_model *net = dh_model_new("net");
            float rate = how == 0 ? 0 : how == 1 ? DH_ZERO : 0.25f;
            dh_layer *y = dh_zoo_make(dh_input(net, {3, 32, 32}), 5, .net = nets[i], .width = 8,
                                      .dropout = rate, .activation = "linear");
            assert_non_null(y);
            bool there = dh_model_layer(net, where) != NULL;
            assert_true(there == (how == 2 || (how == 0 && i < 2)));
            dh_model_free(net);
        }
    }
}

/* --- learning --- */

/* Twelve steps on one batch of two classes that differ in brightness. */
static void learn(const char *name, int side, int width, const char *loss)
{
    enum { ROWS = 8, STEPS = 12 };
    bool picture = !strncmp(name, "unet", 4);
    dh_model *net = dh_model_new(name);
    dh_layer *in = dh_input(net, {2, side, side});
    dh_layer *out = dh_zoo_make(in, 2, .net = name, .width = width, .dropout = DH_ZERO);
    if (dh_build(net, out, .loss = loss, .optimizer = dh_adam(0.002f), .seed = 5))
        fail_msg("%s: %s", name, dh_error_text());
    dh_tensor *x, *y;
    assert_ok(dh_tensor_random_normal(&x, {ROWS, 2, side, side}, .seed = 6));
    float *px = dh_tensor_data(x);
    int64_t count = 2LL * side * side;
    if (picture)
        assert_ok(dh_tensor_zeros(&y, {ROWS, 2, side, side}));
    else
        assert_ok(dh_tensor_zeros(&y, {ROWS, 2}));
    float *py = dh_tensor_data(y);
    for (int64_t i = 0; i < ROWS * count; i++) {
        int64_t row = i / count, pixel = i % (count / 2);
        bool bright = picture ? pixel % side < side / 2 : row % 2;
        px[i] += bright ? 1.5f : -1.5f;
        if (picture) py[i] = (i % count < count / 2) == bright;
    }
    for (int row = 0; row < ROWS && !picture; row++) py[2 * row + row % 2] = 1;
    dh_result first, r = {0};
    for (int step = 0; step < STEPS; step++) {
        if (dh_train_batch(net, (const dh_tensor *[]){x}, (const dh_tensor *[]){y}, &r))
            fail_msg("%s, step %d: %s", name, step, dh_error_text());
        if (!step) first = r;
    }
    if (!(isfinite(first.loss) && r.loss < 0.7 * first.loss))
        fail_msg("%s: the loss goes from %g to %g", name, first.loss, r.loss);
    dh_tensor *p;
    assert_ok(dh_predict(&p, net, x));
    const float *pp = dh_tensor_data(p);
    for (int64_t i = 0; i < dh_tensor_count(p); i++) assert_true(pp[i] >= 0 && pp[i] <= 1);
    dh_tensor_free(p);
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_model_free(net);
}

static void each_family_learns(void **state)
{
    (void)state;
    learn("mlp", 6, 16, "cross_entropy");
    learn("lenet", 12, 0, "cross_entropy");
    learn("mnist_conv", 8, 0, "cross_entropy");
    learn("vgg11", 32, 4, "cross_entropy");
    learn("vgg11_bn", 32, 4, "cross_entropy");
    learn("vgg16_cifar", 32, 8, "cross_entropy");
    learn("vgg16_bn_eddl", 32, 8, "cross_entropy");
    learn("resnet18", 32, 8, "cross_entropy");
    learn("resnet50_cifar", 16, 8, "cross_entropy");
    learn("resnet18_eddl", 16, 8, "cross_entropy");
    learn("resnet18_bn_eddl", 16, 8, "cross_entropy");
    learn("resnet50_eddl", 24, 8, "cross_entropy");
    learn("mobilenet_v2_cifar", 16, 8, "cross_entropy");
    learn("unet", 16, 4, "binary_cross_entropy");
    learn("unet_plain", 16, 4, "binary_cross_entropy");
}

static dh_model *for_classes(int classes, uint64_t seed)
{
    dh_model *net = dh_model_new("net");
    dh_layer *y = dh_zoo_resnet(dh_input(net, {3, 8, 8}), classes, .depth = 18, .width = 4,
                                .small_images = true);
    assert_ok(dh_build(net, y, .loss = "cross_entropy", .seed = seed));
    return net;
}

static float first_of(const dh_model *net, const char *parameter)
{
    dh_tensor *t;
    assert_ok(dh_model_parameter(&t, net, parameter));
    float value = at(t, 0);
    dh_tensor_free(t);
    return value;
}

/* What was learnt for ten classes serves for three, but for the last layer. */
static void weights_by_pattern(void **state)
{
    (void)state;
    char path[] = "/tmp/dh_zoo_XXXXXX";
    const char *names[] = {"stem/weight", "stage4.block2.conv2/weight"};
    (void)close(mkstemp(path));
    dh_model *ten = for_classes(10, 1), *three = for_classes(3, 2);
    assert_ok(dh_save_weights(ten, path));
    float before = first_of(three, "classes/weight");
    assert_error(dh_load_weights(three, path), DH_EFORMAT, "classes/weight");
    assert_ok(dh_load_weights(three, path, .only = "stem*,stage?.*"));
    for (int i = 0; i < 2; i++)
        assert_true(fabsf(first_of(three, names[i]) - first_of(ten, names[i])) <= 0);
    assert_true(fabsf(first_of(three, "classes/weight") - before) <= 0);
    assert_int_equal(remove(path), 0);
    dh_model_free(ten);
    dh_model_free(three);
}

/* Whatever request for memory fails: an error, nothing lost. */
static void out_of_memory(void **state)
{
    (void)state;
    bool done = false;
    for (long n = 1; !done; n++) {
        dh_model *net = dh_model_new("net");
        dh_layer *x = dh_input(net, {1, 12, 12});
        assert_non_null(x);
        dh_alloc_fail_at(n);
        done = dh_zoo_make(x, 3, .net = "lenet") != NULL;
        dh_alloc_fail_at(0);
        if (!done) assert_error(dh_build(net, x), DH_ENOMEM, "memory");
        dh_model_free(net);
        assert_true(n < 2000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(torchvision),
        cmocka_unit_test(the_others),
        cmocka_unit_test(the_list),
        cmocka_unit_test(other_inputs),
        cmocka_unit_test(depth_and_width),
        cmocka_unit_test(names),
        cmocka_unit_test(dropout_and_activation),
        cmocka_unit_test(each_family_learns),
        cmocka_unit_test(weights_by_pattern),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
