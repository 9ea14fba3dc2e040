/* SPDX-License-Identifier: MIT */
/* The streaming kernel against its model in C, by several builds; the model's cycles; binaries made
 * offline. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "model_test.h"
#include "fpga_stream.h"
#include "stream_model.h"

static dh_device *device;

static void numbers(float *out, int64_t count, uint64_t seed)
{
    uint64_t state = seed * 2654435761u + 12345;
    for (int64_t i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        out[i] = (float)(state >> 40) / 8388608 - 1;
    }
}

typedef struct buffer {
    float *host, *there;
    int64_t count;
} buffer;

static buffer buffer_of(int64_t count, uint64_t seed)
{
    void *data;
    buffer b = {.host = malloc((size_t)count * sizeof(float)), .count = count};
    assert_non_null(b.host);
    numbers(b.host, count, seed);
    assert_ok(device->alloc(device, &data, (size_t)count * sizeof(float)));
    b.there = data;
    assert_ok(device->copy_in(device, data, b.host, (size_t)count * sizeof(float)));
    return b;
}

static void drop(buffer *b)
{
    device->free(device, b->there);
    free(b->host);
}

typedef struct extras {
    bool bias, norm, more;
    bool specials; /* among the pixels: NaN, infinities */
} extras;

static void run(const stream_card *card, const stream_layer *l, extras e)
{
    int64_t step = l->pool ? 2 : 1, positions = l->out_height / step * (l->out_width / step);
    buffer x = buffer_of(l->images * l->channels * l->height * l->width, 1);
    buffer filters = buffer_of(l->outputs * l->channels * l->taps, 2);
    buffer bias = buffer_of(l->outputs, 3), norm = buffer_of(4 * l->outputs, 4);
    buffer more = buffer_of(l->images * l->outputs * positions, 5);
    buffer y = buffer_of(l->images * l->outputs * positions, 6);
    for (int64_t i = 0; i < l->outputs; i++) /* variances */
        norm.host[4 * i + 3] = 0.5f + norm.host[4 * i + 3] * norm.host[4 * i + 3];
    assert_ok(device->copy_in(device, norm.there, norm.host, (size_t)norm.count * sizeof(float)));
    for (int64_t i = 0; e.specials && i < x.count; i += 17)
        x.host[i] = i % 3 == 0 ? NAN : i % 3 == 1 ? INFINITY : -INFINITY;
    assert_ok(device->copy_in(device, x.there, x.host, (size_t)x.count * sizeof(float)));
    float *want = malloc((size_t)y.count * sizeof *want);
    assert_non_null(want);
    const stream_memory memory = {want,
                                  x.host,
                                  filters.host,
                                  e.bias ? bias.host : NULL,
                                  e.norm ? norm.host : NULL,
                                  e.more ? more.host : NULL};
    assert_int_equal(stream_model(card, l, &memory), stream_model(card, l, NULL));
    const dh__streaming s = {.images = l->images,
                             .channels = l->channels,
                             .height = l->height,
                             .width = l->width,
                             .outputs = l->outputs,
                             .out_height = l->out_height,
                             .out_width = l->out_width,
                             .top = l->top,
                             .left = l->left,
                             .taps = l->taps,
                             .bias = e.bias,
                             .act = l->act,
                             .mish = l->mish,
                             .pool = l->pool,
                             .norm = e.norm,
                             .add = e.more};
    const dh__stream_data data = {y.there,
                                  x.there,
                                  filters.there,
                                  e.bias ? bias.there : NULL,
                                  e.norm ? norm.there : NULL,
                                  e.more ? more.there : NULL};
    const dh__stream_build build = {card->cpi, card->cpo, card->rows, card->width};
    const dh_call call = {.op = &dh_op_conv, .device = device};
    assert_ok(dh__stream_run(&call, &build, &s, &data, l->alpha));
    assert_ok(device->copy_out(device, y.host, y.there, (size_t)y.count * sizeof(float)));
    bool rounds = l->mish || e.norm; /* by functions that need not agree in the last bit */
    for (int64_t k = 0; k < y.count; k++) {
        double slack = rounds ? 1e-5 * (1 + fabs((double)want[k])) : 0;
        if (isnan(y.host[k]) && isnan(want[k])) continue;
        if (y.host[k] != want[k] && !(fabs((double)y.host[k] - (double)want[k]) <= slack))
            fail_msg("%dx%d, pool %d, act %d: [%lld] is %.9g, must be %.9g", card->cpi, card->cpo,
                     l->pool, l->act, (long long)k, (double)y.host[k], (double)want[k]);
    }
    free(want);
    buffer *all[] = {&x, &filters, &bias, &norm, &more, &y};
    for (size_t i = 0; i < DH_COUNT(all); i++) drop(all[i]);
}

/* Of 3x3 with 1 around, unless told otherwise. */
static stream_layer layer(int64_t channels, int64_t outputs, int64_t height, int64_t width)
{
    return (stream_layer){.images = 1,
                          .channels = channels,
                          .outputs = outputs,
                          .height = height,
                          .width = width,
                          .out_height = height,
                          .out_width = width,
                          .top = 1,
                          .left = 1,
                          .taps = 9,
                          .alpha = 0.125f};
}

static void kernel_and_model_agree(void **state)
{
    (void)state;
    if (!device) skip();
    static const stream_card cards[] = {
        {4, 4, 16, 64}, {8, 8, 8, 64}, {16, 16, 4, 32}, {3, 5, 2, 40}};
    for (size_t i = 0; i < DH_COUNT(cards); i++) {
        const stream_card *c = &cards[i];
        stream_layer l = layer(7, 9, 5, 6);
        run(c, &l, (extras){0});
        l = layer(2, 3, 37, 11); /* more rows than a frame has */
        l.images = 2;
        run(c, &l, (extras){.bias = true, .more = true});
        for (int act = 0; act < 4; act++)
            for (int pool = 0; pool < 3; pool++) {
                l = layer(5, 6, 9, 13); /* a row and a column that pooling leaves */
                l.act = act;
                l.pool = pool;
                l.mish = pool == 2;
                run(c, &l, (extras){.bias = act > 1, .norm = act == 2, .more = pool == 1});
            }
        l = layer(1, 3, 12, 14);
        l.pool = 1;
        l.taps = 1;
        l.top = l.left = 0;
        run(c, &l, (extras){.specials = true});
        l = layer(6, 4, 8, 8);
        l.out_height = 6; /* without padding */
        l.out_width = 6;
        l.top = l.left = 0;
        run(c, &l, (extras){.bias = true});
        l = layer(9, 8, 7, 5); /* 1x1: the corner of the window, 2 beyond the other ends */
        l.taps = 1;
        l.top = l.left = 0;
        run(c, &l, (extras){.bias = true, .norm = true});
        l = layer(3, 2, 20, 4); /* padded by 2 above and to the left */
        l.top = l.left = 2;
        l.out_height = 22;
        l.out_width = 6;
        run(c, &l, (extras){0});
    }
}

/* The one figure that is published, and what follows from it: twice the channels at a time halve
 * the time; a frame costs two rows more. */
static void cycles_are_counted(void **state)
{
    (void)state;
    const stream_card four = {4, 4, 256, 1024}, eight = {8, 8, 256, 1024}, low = {4, 4, 128, 1024};
    stream_layer l = layer(4, 4, 256, 256);
    assert_int_equal(stream_model(&four, &l, NULL), 66692);
    assert_int_equal(stream_model(&low, &l, NULL), 66692 + 2 * 258);
    l = layer(64, 128, 112, 112);
    assert_int_equal(stream_model(&four, &l, NULL), 16 * 32 * 114 * 114 + 128);
    assert_int_equal(stream_model(&eight, &l, NULL), 8 * 16 * 114 * 114 + 128);
    l = layer(512, 512, 1, 1); /* filters take longer than the pixels */
    assert_int_equal(stream_model(&eight, &l, NULL), 64 * 64 * 72 + 128);
}

static void wide_images_are_refused(void **state)
{
    (void)state;
    if (!device) skip();
    const dh__streaming s = {.images = 1, .out_width = 65};
    const dh__stream_data data = {0};
    const dh__stream_build build = {4, 4, 16, 64};
    const dh_call call = {.op = &dh_op_conv, .device = device};
    assert_error(dh__stream_run(&call, &build, &s, &data, 0), DH_EUNSUPPORTED, "64 pixels",
                 "has 65");
}

static void the_variable_asks_for_it(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "0", "8", "8x", "x8", "8x8x8", "0x4", "4x65", "8X8"};
    const char *was = getenv("DEEPHEALTH_STREAM");
    char *before = was ? strdup(was) : NULL;
    int sides[2] = {0};
    for (size_t i = 0; i < DH_COUNT(wrong); i++) {
        setenv("DEEPHEALTH_STREAM", wrong[i], 1);
        assert_false(dh__stream_asked(sides));
    }
    setenv("DEEPHEALTH_STREAM", "64x1", 1);
    assert_true(dh__stream_asked(sides) && sides[0] == 64 && sides[1] == 1);
    unsetenv("DEEPHEALTH_STREAM");
    assert_false(dh__stream_asked(sides));
    if (before) setenv("DEEPHEALTH_STREAM", before, 1);
    free(before);
}

/* The compiler's first complaint is in the message, and the device goes on. */
static void a_kernel_that_does_not_build_is_told(void **state)
{
    (void)state;
    if (!device) skip();
    const dh_call call = {.op = &dh_op_conv, .device = device};
    dh__cl_launch l = dh__cl_begin(&call, "order", "order_keys", "-DX=nonsense");
    assert_error(dh__cl_each(&l, 1), DH_EDEVICE, device->name, "kernels/order.cl",
                 "\"-cl-std=CL1.2 -DK_order_keys -DX=nonsense", "CL_BUILD_PROGRAM_FAILURE",
                 "error: ");
    l = dh__cl_begin(&call, "order", "no_such_kernel", "-DX=f32");
    assert_error(dh__cl_each(&l, 1), DH_EDEVICE, device->name, "no_such_kernel");
    stream_layer small = layer(2, 2, 3, 3);
    run(&(stream_card){4, 4, 16, 64}, &small, (extras){0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernel_and_model_agree),
        cmocka_unit_test(cycles_are_counted),
        cmocka_unit_test(wide_images_are_refused),
        cmocka_unit_test(the_variable_asks_for_it),
        cmocka_unit_test(a_kernel_that_does_not_build_is_told),
    };
    if (dh_device_get(&device, "opencl")) {
        print_message("the kernel is not run: %s\n", dh_error_text());
        if (getenv("DH_TEST_DEVICE")) return 1;
        device = NULL;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
