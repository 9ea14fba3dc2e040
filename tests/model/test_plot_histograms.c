/* SPDX-License-Identifier: MIT */
/* Histograms as pictures, read back pixel by pixel. */
#include <stdlib.h>
#include <unistd.h>

#include <deephealth/inspection.h>

#include "file.h"
#include "inflate.h"
#include "model_test.h"
#include "png_write.h"

enum { TOP = 40, CELL_WIDTH = 280, CELL_HEIGHT = 190, BAR = 0x1f77b4, ALARM = 0xd62728 };

static char folder[] = "/tmp/dh_histograms_XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The picture as a canvas; false in a build without zlib. */
static bool read_png(dh__canvas *out, const char *path)
{
    dh__bytes file;
    assert_ok(dh__file_read(&file, path));
    int width = (int)be32(file.data + 16), height = (int)be32(file.data + 20);
    uint8_t *packed = malloc(file.size);
    size_t size = 0, row = (size_t)width * 3, all = (row + 1) * (size_t)height;
    assert_non_null(packed);
    for (size_t at = 8; at + 12 <= file.size; at += 12 + be32(file.data + at)) {
        if (memcmp(file.data + at + 4, "IDAT", 4) != 0) continue;
        memcpy(packed + size, file.data + at + 8, be32(file.data + at));
        size += be32(file.data + at);
    }
    dh__bytes_free(&file);
    uint8_t *raw = malloc(all);
    assert_non_null(raw);
    dh_status status = dh__inflate(raw, all, packed + 2, size - 6, "test");
    if (!status) {
        assert_ok(dh__canvas_new(out, width, height));
        for (int y = 0; y < height; y++) {
            const uint8_t *from = raw + (size_t)y * (row + 1);
            assert_int_equal(from[0], 0);
            memcpy(out->rgb + (size_t)y * row, from + 1, row);
        }
    }
    free(raw);
    free(packed);
    assert_true(!status || status == DH_EMISSING);
    return !status;
}

static uint32_t pixel(const dh__canvas *c, int x, int y)
{
    const uint8_t *p = c->rgb + ((size_t)y * (size_t)c->width + (size_t)x) * 3;
    return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

/* Height of bar i of cell n. */
static int bar(const dh__canvas *c, int n, int i)
{
    int height = 0, x = n % 4 * CELL_WIDTH + 62 + 4 * i + 2, y = TOP + n / 4 * CELL_HEIGHT + 24;
    for (int k = 0; k < 110; k++) height += pixel(c, x, y + k) == BAR;
    return height;
}

/* The cell shows the text in the colour, at this place below its field, and nothing else there. */
static void expect_text(const dh__canvas *c, int n, int x, int y, uint32_t rgb, const char *text)
{
    dh__canvas want;
    int left = n % 4 * CELL_WIDTH + x, top = TOP + n / 4 * CELL_HEIGHT + y, wrong = 0;
    assert_ok(dh__canvas_new(&want, c->width, c->height));
    int width = dh__canvas_text(&want, left, top, 1, rgb, text);
    for (int i = 0; i < width; i++)
        for (int k = 0; k < 7; k++)
            wrong +=
                (pixel(c, left + i, top + k) == rgb) != (pixel(&want, left + i, top + k) == rgb);
    dh__canvas_free(&want);
    if (wrong) fail_msg("cell %d does not show \"%s\": %d pixels", n, text, wrong);
}

static void set(const dh_model *net, const char *name, const float *values, int64_t count)
{
    dh_tensor *t;
    assert_ok(dh_model_parameter(&t, net, name));
    assert_int_equal(dh_tensor_count(t), count);
    write_floats(t, values);
    dh_tensor_free(t);
}

static dh_model *built(void)
{
    dh_model *net = dh_model_new("net");
    dh_layer *x = dh_dense(dh_input(net, {4}), 3, .name = "first");
    x = dh_dense(dh_batch_normalization(x, .no_scale = true), 1, .no_bias = true, .name = "last");
    assert_ok(dh_build(net, x, .loss = "mse"));
    return net;
}

static void weights(void **state)
{
    (void)state;
    static const float w[12] = {0, 0, 0, 0, 0, 0, 1, 1, 1, 0.51f, NAN, -INFINITY},
                       b[3] = {NAN, NAN, INFINITY}, last[3] = {-2.5f, -2.5f, -2.5f};
    dh__canvas c;
    dh_model *net = built();
    set(net, "first/weight", w, 12);
    set(net, "first/bias", b, 3);
    set(net, "last/weight", last, 3);
    assert_ok(dh_model_plot_histograms(net, in_folder("h.png"), NULL));
    if (read_png(&c, in_folder("h.png"))) {
        assert_int_equal(dh_model_parameter_count(net), 6); /* four of a row, two below */
        assert_int_equal(c.width, 4 * CELL_WIDTH);
        assert_int_equal(c.height, TOP + 2 * CELL_HEIGHT);
        for (int i = 0; i < 48; i++) {
            assert_int_equal(bar(&c, 0, i), i == 0 ? 110 : i == 24 ? 18 : i == 47 ? 55 : 0);
            assert_int_equal(bar(&c, 1, i), 0);
            assert_int_equal(bar(&c, 5, i), i == 24 ? 110 : 0); /* all of one value */
        }
        expect_text(&c, 0, 10, 8, 0, "first/weight");
        expect_text(&c, 0, 62, 140, 0x404040, "0");
        expect_text(&c, 0, 62 + 192 - 6, 140, 0x404040, "1");
        expect_text(&c, 0, 62, 154, 0x404040, "12 values");
        expect_text(&c, 0, 62 + 66, 154, ALARM, "1 nan, 1 inf");
        expect_text(&c, 1, 62, 140, 0x404040, "no finite value");
        expect_text(&c, 1, 62 + 60, 154, ALARM, "2 nan, 1 inf");
        expect_text(&c, 5, 10, 8, 0, "last/weight");
        expect_text(&c, 5, 62, 140, 0x404040, "-2.5");
        dh__canvas_free(&c);
    }
    dh_model_free(net);
}

static void gradients(void **state)
{
    (void)state;
    dh_tensor *x, *y, *g;
    dh__canvas c;
    dh_model *net = built();
    assert_ok(dh_tensor_random_normal(&x, {8, 4}, .seed = 1));
    assert_ok(dh_tensor_random_normal(&y, {8, 1}, .seed = 2));
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    assert_error(dh_model_plot_histograms(net, in_folder("h.png"), "gradients"), DH_ESTATE,
                 "no gradients yet");
    assert_ok(dh_layer_freeze(dh_model_layer(net, "first"), true));
    assert_ok(dh_train_batch(net, xs, ys, NULL));
    assert_ok(dh_model_plot_histograms(net, in_folder("h.png"), "gradients"));
    if (read_png(&c, in_folder("h.png"))) { /* beta and the last weight alone are trained */
        char text[32];
        double low = INFINITY;
        assert_int_equal(c.width, 2 * CELL_WIDTH);
        assert_int_equal(c.height, TOP + CELL_HEIGHT);
        expect_text(&c, 0, 10, 8, 0, "batch_normalization1/beta");
        expect_text(&c, 1, 10, 8, 0, "last/weight");
        assert_ok(dh_model_gradient(&g, net, "last/weight"));
        for (int i = 0; i < 3; i++) low = fmin(low, (double)at(g, i));
        (void)snprintf(text, sizeof text, "%.4g", low);
        expect_text(&c, 1, 62, 140, 0x404040, text);
        dh_tensor_free(g);
        dh__canvas_free(&c);
    }
    assert_ok(dh_layer_freeze(dh_model_layer(net, "last"), true));
    assert_ok(dh_layer_freeze(dh_model_layer(net, "batch_normalization1"), true));
    assert_error(dh_model_plot_histograms(net, in_folder("h.png"), "gradients"), DH_ESTATE,
                 "all of its parameters are frozen");
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_model_free(net);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    dh_model *net = built();
    dh_memory_stats stats;
    dh_get_memory_stats(&stats);
    uint64_t before = stats.live_blocks;
    dh_status status = DH_ENOMEM;
    for (int n = 1; status; n++) {
        dh_alloc_fail_at((uint64_t)n);
        status = dh_model_plot_histograms(net, in_folder("h.png"), "weights");
        dh_alloc_fail_at(0);
        assert_true(status == DH_ENOMEM || !status);
        dh_get_memory_stats(&stats);
        assert_int_equal(stats.live_blocks, before);
    }
    dh_model_free(net);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(in_folder("h.png"));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(weights), cmocka_unit_test(gradients),
                                       cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
