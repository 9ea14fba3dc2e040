/* SPDX-License-Identifier: MIT */
/* The command line. */
#include "common.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void usage(const example_options *o)
{
    printf("usage: %s [options]\n"
           "  --data DIR        MNIST idx files (default $DEEPHEALTH_DATA/mnist, then a download)\n"
           "  --samples N       only the first N images to train and to test with; 0: all\n"
           "  --epochs N        default %d\n"
           "  --batch-size N    default %d\n"
           "  --seed N          of weights, shuffling, dropout; default %llu\n"
           "  --threads N       default all cores\n"
           "  --device NAME     default cpu\n"
           "  --memory LEVEL    full_mem, mid_mem or low_mem\n"
           "  --json FILE       report of the run\n"
           "  --save FILE       trained weights, safetensors\n"
           "  --curve FILE      learning curve, PNG\n"
           "  --quiet           no progress\n",
           o->name, o->epochs, o->batch_size, o->seed);
}

static bool number(const example_options *o, const char *option, const char *text, long long least,
                   long long most, long long *out)
{
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    if (*text && !*end && !errno && *out >= least && *out <= most) return true;
    fprintf(stderr, "%s: %s is \"%s\", must be a whole number in [%lld, %lld]\n", o->name, option,
            text, least, most);
    return false;
}

static int lacks_value(const example_options *o, const char *option)
{
    fprintf(stderr, "%s: option %s lacks its value\n", o->name, option);
    return -1;
}

/* 1: taken, 0: unknown, -1: bad value, which was said. */
static int take(example_options *o, const char *option, const char *value)
{
    const struct {
        const char *name;
        const char **text;
    } texts[] = {{"--data", &o->data}, {"--memory", &o->memory}, {"--device", &o->device},
                 {"--json", &o->json}, {"--save", &o->save},     {"--curve", &o->curve}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!strcmp(option, texts[i].name)) {
            *texts[i].text = value;
            return value ? 1 : lacks_value(o, option);
        }
    const struct {
        const char *name;
        int *out;
        int least;
    } numbers[] = {{"--epochs", &o->epochs, 1},
                   {"--batch-size", &o->batch_size, 1},
                   {"--threads", &o->threads, 0},
                   {"--samples", &o->samples, 0}};
    long long n;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!strcmp(option, numbers[i].name)) {
            if (!value) return lacks_value(o, option);
            if (!number(o, option, value, numbers[i].least, 1000000000, &n)) return -1;
            *numbers[i].out = (int)n;
            return 1;
        }
    if (strcmp(option, "--seed")) return 0;
    if (!value) return lacks_value(o, option);
    if (!number(o, option, value, 0, LLONG_MAX, &n)) return -1;
    o->seed = (unsigned long long)n;
    return 1;
}

bool example_parse(example_options *o, int argc, char **argv, int *exit_code)
{
    *exit_code = 2;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help")) {
            usage(o);
            *exit_code = 0;
            return false;
        }
        if (!strcmp(argv[i], "--quiet")) {
            o->quiet = true;
            continue;
        }
        int taken = take(o, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
        if (!taken)
            fprintf(stderr, "%s: there is no option \"%s\"; --help lists them\n", o->name, argv[i]);
        if (taken <= 0) return false;
        i++;
    }
    if (o->own_loop && o->curve) {
        fprintf(stderr, "%s: --curve draws what dh_fit recorded, this is a loop of its own\n",
                o->name);
        return false;
    }
    return true;
}

dh_cs example_device(const example_options *o)
{
    dh_cs cs = dh_cs_cpu(.threads = o->threads, .memory = o->memory);
    cs.device = o->device;
    return cs;
}

dh_model *example_built(dh_model *model, dh_status status)
{
    if (!status) return model;
    dh_perror("build");
    dh_model_free(model);
    return NULL;
}
