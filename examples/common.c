/* SPDX-License-Identifier: MIT */
#include "common.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static void usage(const example_options *o)
{
    printf("usage: %s [options]\n"
           "  --data DIR        MNIST idx files (default $DEEPHEALTH_DATA/mnist, then a download)\n"
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

static bool number(const char *text, const char *option, long long least, long long *out)
{
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    if (*text && !*end && !errno && *out >= least) return true;
    fprintf(stderr, "%s: \"%s\" is no whole number of at least %lld\n", option, text, least);
    return false;
}

/* 1: taken, 0: unknown, -1: bad value. */
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
            return 1;
        }
    const struct {
        const char *name;
        int *out;
        int least;
    } numbers[] = {{"--epochs", &o->epochs, 1},
                   {"--batch-size", &o->batch_size, 1},
                   {"--threads", &o->threads, 0}};
    long long n;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!strcmp(option, numbers[i].name)) {
            if (!number(value, option, numbers[i].least, &n) || n > 1000000000) return -1;
            *numbers[i].out = (int)n;
            return 1;
        }
    if (strcmp(option, "--seed")) return 0;
    if (!number(value, option, 0, &n)) return -1;
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
        int taken = i + 1 < argc ? take(o, argv[i], argv[i + 1]) : 0;
        if (taken < 0) return false;
        if (!taken) {
            fprintf(stderr, "%s: option \"%s\" is unknown or lacks its value\n", o->name, argv[i]);
            usage(o);
            return false;
        }
        i++;
    }
    return true;
}

bool example_mnist(const example_options *o, dh_tensor **x_train, dh_tensor **y_train,
                   dh_tensor **x_test, dh_tensor **y_test)
{
    if (!dh_mnist_load(o->data, x_train, y_train, x_test, y_test)) return true;
    if (o->data) {
        dh_perror("mnist");
        return false;
    }
    fprintf(stderr,
            "MNIST could not be had (%s);\nusing generated digits instead: figures are not "
            "comparable with MNIST's\n",
            dh_error_text());
    if (!dh_digits_generate(x_train, y_train, 20000, 1) &&
        !dh_digits_generate(x_test, y_test, 4000, 2))
        return true;
    dh_perror("digits");
    return false;
}

dh_cs example_device(const example_options *o)
{
    dh_cs cs = dh_cs_cpu(.threads = o->threads, .memory = o->memory);
    cs.device = o->device;
    return cs;
}

/* --- the report ---------------------------------------------------------------------------------
 */

static void write_figures(FILE *f, const dh_model *model, const dh_result *r)
{
    fprintf(f, "\"loss\": %.9g, \"metrics\": {", r->loss);
    for (int i = 0; i < r->metric_count; i++)
        fprintf(f, "%s\"%s\": %.9g", i ? ", " : "", dh_model_metric_name(model, i), r->metrics[i]);
    fprintf(f, "}");
}

static void write_epochs(FILE *f, const dh_model *model)
{
    int count;
    const dh_epoch *e = dh_model_history(model, &count);
    fprintf(f, "  \"epochs\": [");
    for (int i = 0; i < count; i++) {
        fprintf(f, "%s\n    {\"epoch\": %d, ", i ? "," : "", e[i].epoch);
        write_figures(f, model, &e[i].train);
        fprintf(f, ", \"validation\": {");
        if (e[i].has_validation) write_figures(f, model, &e[i].validation);
        fprintf(f, "}, \"seconds\": %.4f}", e[i].train.seconds);
    }
    fprintf(f, "\n  ],\n");
}

static bool write_json(const example_options *o, dh_model *model, const dh_result *test)
{
    char hash[65];
    dh_memory_report memory;
    struct rusage usage;
    if (dh_model_sha256(hash, model) || dh_model_memory(&memory, model, o->batch_size)) {
        dh_perror("report");
        return false;
    }
    getrusage(RUSAGE_SELF, &usage);
    FILE *f = fopen(o->json, "w");
    if (!f) {
        fprintf(stderr, "%s: %s\n", o->json, strerror(errno));
        return false;
    }
    fprintf(f,
            "{\n  \"example\": \"%s\", \"device\": \"%s\", \"threads\": %d, \"seed\": %llu, "
            "\"batch_size\": %d,\n",
            o->name, o->device, o->threads, o->seed, o->batch_size);
    write_epochs(f, model);
    fprintf(f, "  \"test\": {\"loss\": %.9g", test->loss);
    for (int i = 0; i < test->metric_count; i++)
        fprintf(f, ", \"%s\": %.9g", dh_model_metric_name(model, i), test->metrics[i]);
    fprintf(
        f,
        "},\n  \"params_sha256\": \"%s\",\n  \"plan_bytes\": %zu,\n  \"peak_rss_bytes\": %lld\n}\n",
        hash, memory.plan_bytes, (long long)usage.ru_maxrss * 1024);
    bool written = !ferror(f);
    if (fclose(f) || !written) {
        fprintf(stderr, "%s: %s\n", o->json, strerror(errno));
        return false;
    }
    return true;
}

bool example_report(const example_options *o, dh_model *model, const dh_result *test)
{
    printf("test loss %.4f", test->loss);
    for (int i = 0; i < test->metric_count; i++)
        printf("  %s %.4f", dh_model_metric_name(model, i), test->metrics[i]);
    printf("\n");
    if (o->save && dh_save_weights(model, o->save)) return !dh_perror("save");
    if (o->curve && dh_model_plot_history(model, o->curve)) return !dh_perror("curve");
    return !o->json || write_json(o, model, test);
}
