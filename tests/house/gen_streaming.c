/* SPDX-License-Identifier: MIT */
/* docs/streaming.md: the cycles that the streaming convolution takes, counted by its model. */
#include <stdbool.h>
#include <stdio.h>

#include "gen_streaming.h"
#include "stream_model.h"

/* Simonyan and Zisserman 2015, configuration D: channels, outputs, side, whether maxima follow. */
static const struct {
    const char *name;
    int channels, outputs, side, pool;
} vgg16[] = {
    {"conv1_1", 3, 64, 224, 0},    {"conv1_2", 64, 64, 224, 1},  {"conv2_1", 64, 128, 112, 0},
    {"conv2_2", 128, 128, 112, 1}, {"conv3_1", 128, 256, 56, 0}, {"conv3_2", 256, 256, 56, 0},
    {"conv3_3", 256, 256, 56, 1},  {"conv4_1", 256, 512, 28, 0}, {"conv4_2", 512, 512, 28, 0},
    {"conv4_3", 512, 512, 28, 1},  {"conv5_1", 512, 512, 14, 0}, {"conv5_2", 512, 512, 14, 0},
    {"conv5_3", 512, 512, 14, 1}};
static const stream_card cards[] = {{4, 4, 256, 1024}, {8, 8, 256, 1024}, {16, 16, 256, 256}};
enum { LAYERS = sizeof vgg16 / sizeof *vgg16, CARDS = sizeof cards / sizeof *cards };

static const double megahertz = 300; /* HLSinf's on an Alveo U200 */

static int64_t cycles_of(int layer, int card)
{
    const stream_layer l = {.images = 1,
                            .channels = vgg16[layer].channels,
                            .outputs = vgg16[layer].outputs,
                            .height = vgg16[layer].side,
                            .width = vgg16[layer].side,
                            .out_height = vgg16[layer].side,
                            .out_width = vgg16[layer].side,
                            .top = 1,
                            .left = 1,
                            .taps = 9,
                            .act = 1,
                            .pool = vgg16[layer].pool};
    return stream_model(&cards[card], &l, NULL);
}

static double multiplies(int layer)
{
    double side = vgg16[layer].side;
    return 9.0 * vgg16[layer].channels * vgg16[layer].outputs * side * side;
}

void print_streaming(void)
{
    int64_t all[CARDS] = {0};
    double work = 0;
    printf(
        "# The streaming convolution\n\n"
        "Written by `scripts/docs.sh` from the model in `tests/fpga/stream_model.h`: change that, "
        "not this page.\n\n"
        "`src/fpga/kernels/stream.cl` convolves as an FPGA's pipeline does: in each cycle it reads "
        "CPI channels of one pixel,\npads, moves a window of 3x3, multiplies it with CPO filters "
        "and "
        "adds to CPO sums. Once all channels are in, bias,\nactivation, x tanh(softplus(x)), "
        "pooling "
        "by 2x2, normalisation and addition follow in the same cycle. The image passes\n"
        "ceil(C / CPI) * ceil(O / CPO) times. An image of more rows than the sums' memory has "
        "comes "
        "in frames, which share two\nrows. The design is HLSinf's, whose 4x4 kernel takes 66692 "
        "cycles for 256 x 256 pixels of 4 channels and 4 outputs;\nthe model, which counts what "
        "each "
        "of its modules handles, counts as many.\n\n"
        "None of this has run on a card: cycles are the model's, and hold where memory keeps up, "
        "that "
        "is where CPI words arrive\nin each cycle. `tests/fpga/test_stream.c` holds kernel and "
        "model "
        "to the same bits under PoCL. docs/fpga.md tells how\nthe kernel is built for a card.\n\n"
        "## VGG16, one image of 224 x 224\n\n"
        "Each layer with bias and ReLU, those before a pooling with that. Frames of up to 256 "
        "rows: "
        "one is enough here.\n\n| layer | million multiplications");
    for (int c = 0; c < CARDS; c++) printf(" | %dx%d: cycles", cards[c].cpi, cards[c].cpo);
    printf(" |\n| --- | ---:");
    for (int c = 0; c < CARDS; c++) printf(" | ---:");
    printf(" |\n");
    for (int i = 0; i < LAYERS; i++) {
        printf("| %s%s | %.1f", vgg16[i].name, vgg16[i].pool ? ", pooled" : "",
               multiplies(i) / 1e6);
        work += multiplies(i);
        for (int c = 0; c < CARDS; c++) {
            int64_t cycles = cycles_of(i, c);
            all[c] += cycles;
            printf(" | %lld", (long long)cycles);
        }
        printf(" |\n");
    }
    printf("| together | %.1f", work / 1e6);
    for (int c = 0; c < CARDS; c++) printf(" | %lld", (long long)all[c]);
    printf(" |\n| ms at %.0f MHz |", megahertz);
    for (int c = 0; c < CARDS; c++) printf(" | %.1f", (double)all[c] / megahertz / 1e3);
    printf(" |\n| multipliers used, of 9 CPI CPO |");
    for (int c = 0; c < CARDS; c++)
        printf(" | %.2f", work / (double)all[c] / (9 * cards[c].cpi * cards[c].cpo));
    printf(" |\n");
}
