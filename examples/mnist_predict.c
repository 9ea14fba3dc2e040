/* SPDX-License-Identifier: MIT */
/* Reads weights that mnist_mlp saved, predicts test digits, prints what it takes them for and draws
 * them: below each digit ten bars, the probabilities of 0 to 9, the largest green where it is right
 * and red where it is wrong.
 *   mnist_mlp --save mnist_mlp.safetensors && mnist_predict --weights mnist_mlp.safetensors */
#include "common.h"
#include "mlp.h"

#include <stdio.h>
#include <stdlib.h>

enum { COLUMNS = 10, ROWS = 5, SIDE = 28, BARS = 12, CELL = SIDE + BARS + 2, WIDTH = 3 * 10 };

/* One digit with its bars, at the upper left corner of a cell WIDTH x CELL of the picture. */
static void draw_cell(float *corner, const float *digit, const float *probability, int best,
                      bool right)
{
    const size_t row = (size_t)COLUMNS * WIDTH * 3;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            for (int c = 0; c < 3; c++)
                corner[(size_t)y * row + (size_t)(x + 1) * 3 + (size_t)c] = digit[y * SIDE + x];
    for (int k = 0; k < 10; k++) {
        int height = 1 + (int)(probability[k] * (BARS - 1));
        for (int y = SIDE + BARS - height; y < SIDE + BARS; y++)
            for (int x = 3 * k; x < 3 * k + 2; x++) {
                float *pixel = corner + (size_t)y * row + (size_t)x * 3;
                pixel[0] = k != best || !right ? 0.8f : 0;
                pixel[1] = k != best || right ? 0.8f : 0;
                pixel[2] = k != best ? 0.8f : 0;
            }
    }
}

/* The first digits of the test, printed and drawn. */
static bool show(const example_options *o, dh_model *net, const example_data *d)
{
    dh_tensor *y, *picture;
    if (dh_predict(&y, net, d->x_test, .batch_size = o->batch_size)) return !dh_perror("predict");
    if (dh_tensor_zeros(&picture, {ROWS * CELL, COLUMNS * WIDTH, 3})) {
        dh_tensor_free(y);
        return !dh_perror("picture");
    }
    const float *x = dh_tensor_data(d->x_test), *want = dh_tensor_data(d->y_test);
    const float *got = dh_tensor_data(y);
    float *pixels = dh_tensor_data(picture);
    for (int i = 0; i < ROWS * COLUMNS && i < dh_tensor_dim(y, 0); i++) {
        int best = example_class(got + i * 10), label = example_class(want + i * 10);
        size_t at = ((size_t)(i / COLUMNS) * CELL * COLUMNS + (size_t)(i % COLUMNS)) * WIDTH * 3;
        draw_cell(pixels + at, x + (size_t)i * SIDE * SIDE, got + i * 10, best, best == label);
        if (!o->quiet)
            printf("%d%s%s", best, best == label ? " " : "!", i % COLUMNS == 9 ? "\n" : " ");
    }
    bool ok = !dh_tensor_save_png(picture, o->picture) || !dh_perror("picture");
    dh_tensor_free(picture);
    dh_tensor_free(y);
    return ok;
}

int main(int argc, char **argv)
{
    example_options o = {.name = "mnist_predict",
                         .device = "cpu",
                         .weights = "mnist_mlp.safetensors",
                         .picture = "mnist_predict.png",
                         .batch_size = 256,
                         .seed = 1};
    int code;
    if (!example_parse(&o, argc, argv, &code)) return code;
    example_data data;
    if (!example_mnist(&data, &o)) return 1;

    dh_model *net = mlp_new(example_device(&o), o.seed);
    dh_result test;
    bool ok = net != NULL;
    if (ok && (dh_load_weights(net, o.weights) ||
               dh_evaluate(net, data.x_test, data.y_test, .result = &test, .quiet = true)))
        ok = !dh_perror("mnist_predict");
    ok = ok && show(&o, net, &data) && example_report(&o, net, NULL, 0, &test);

    dh_model_free(net);
    example_data_free(&data);
    return ok ? 0 : 1;
}
