/* SPDX-License-Identifier: MIT */
#include "common.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

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
    return true;
}

/* *t := its first `rows` rows, a view on the same memory. */
static bool keep_rows(dh_tensor **t, int rows)
{
    char slice[32];
    dh_tensor *part;
    if (rows >= dh_tensor_dim(*t, 0)) return true;
    snprintf(slice, sizeof slice, "0:%d", rows);
    if (dh_tensor_slice(&part, *t, slice)) return false;
    dh_tensor_free(*t);
    *t = part;
    return true;
}

/* True when data was had, from files or the generator. */
static bool load(const example_options *o, dh_tensor *t[4])
{
    if (!dh_mnist_load(o->data, &t[0], &t[1], &t[2], &t[3])) return true;
    /* files that are there but damaged are for their owner to see to */
    if (o->data || dh_error_status() != DH_ENOTFOUND) return !dh_perror("mnist");
    fprintf(stderr,
            "MNIST could not be had (%s);\nusing generated digits instead: figures are not "
            "comparable with MNIST's\n",
            dh_error_text());
    if (!dh_digits_generate(&t[0], &t[1], 20000, 1) && !dh_digits_generate(&t[2], &t[3], 4000, 2))
        return true;
    return !dh_perror("digits");
}

bool example_mnist(const example_options *o, dh_tensor **x_train, dh_tensor **y_train,
                   dh_tensor **x_test, dh_tensor **y_test)
{
    dh_tensor *t[4] = {NULL, NULL, NULL, NULL};
    bool ok = load(o, t);
    for (int i = 0; i < 4 && ok && o->samples; i++)
        if (!keep_rows(&t[i], o->samples)) ok = !dh_perror("samples");
    for (int i = 0; i < 4 && !ok; i++) dh_tensor_free(t[i]);
    if (!ok) return false;
    *x_train = t[0];
    *y_train = t[1];
    *x_test = t[2];
    *y_test = t[3];
    return true;
}

dh_cs example_device(const example_options *o)
{
    dh_cs cs = dh_cs_cpu(.threads = o->threads, .memory = o->memory);
    cs.device = o->device;
    return cs;
}

/* --- the report --- */

/* JSON has neither nan nor inf. */
static void write_figure(FILE *f, const char *name, double value)
{
    if (isfinite(value))
        fprintf(f, "\"%s\": %.9g", name, value);
    else
        fprintf(f, "\"%s\": null", name);
}

static void write_figures(FILE *f, const dh_model *model, const dh_result *r)
{
    write_figure(f, "loss", r->loss);
    fprintf(f, ", \"metrics\": {");
    for (int i = 0; i < r->metric_count; i++) {
        fprintf(f, "%s", i ? ", " : "");
        write_figure(f, dh_model_metric_name(model, i), r->metrics[i]);
    }
    fprintf(f, "}");
}

static void write_epochs(FILE *f, const dh_model *model, const dh_epoch *e, int count)
{
    fprintf(f, "  \"epochs\": [");
    for (int i = 0; i < count; i++) {
        fprintf(f, "%s\n    {\"epoch\": %d, ", i ? "," : "", e[i].epoch);
        write_figures(f, model, &e[i].train);
        fprintf(f, ", \"validation\": {");
        if (e[i].has_validation) write_figures(f, model, &e[i].validation);
        fprintf(f, "}, ");
        write_figure(f, "seconds", e[i].train.seconds);
        fprintf(f, "}");
    }
    fprintf(f, "\n  ],\n");
}

/* Of this program alone: getrusage counts what ran in the process before exec too. */
static long long peak_rss_bytes(void)
{
    char line[256];
    long long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, "VmHWM:", 6)) kib = atoll(line + 6);
    if (f) fclose(f);
    struct rusage usage;
    if (!kib && !getrusage(RUSAGE_SELF, &usage)) kib = usage.ru_maxrss;
    return kib * 1024;
}

static bool write_json(const example_options *o, dh_model *model, const dh_epoch *epochs,
                       int epoch_count, const dh_result *test)
{
    char hash[65];
    dh_memory_report memory;
    if (dh_model_sha256(hash, model) || dh_model_memory(&memory, model, o->batch_size))
        return !dh_perror("report");
    FILE *f = fopen(o->json, "w");
    if (!f) {
        fprintf(stderr, "%s: %s: %s\n", o->name, o->json, strerror(errno));
        return false;
    }
    fprintf(f,
            "{\n  \"example\": \"%s\", \"device\": \"%s\", \"threads\": %d, \"seed\": %llu, "
            "\"batch_size\": %d,\n",
            o->name, o->device, dh_model_threads(model), o->seed, o->batch_size);
    write_epochs(f, model, epochs, epoch_count);
    fprintf(f, "  \"test\": {");
    write_figure(f, "loss", test->loss);
    for (int i = 0; i < test->metric_count; i++) {
        fprintf(f, ", ");
        write_figure(f, dh_model_metric_name(model, i), test->metrics[i]);
    }
    fprintf(f,
            "},\n  \"params_sha256\": \"%s\",\n  \"plan_bytes\": %zu,\n"
            "  \"peak_rss_bytes\": %lld\n}\n",
            hash, memory.plan_bytes, peak_rss_bytes());
    bool written = !ferror(f);
    if (!fclose(f) && written) return true;
    fprintf(stderr, "%s: %s: %s\n", o->name, o->json, strerror(errno));
    return false;
}

bool example_report(const example_options *o, dh_model *model, const dh_epoch *epochs,
                    int epoch_count, const dh_result *test)
{
    printf("test loss %.4f", test->loss);
    for (int i = 0; i < test->metric_count; i++)
        printf("  %s %.4f", dh_model_metric_name(model, i), test->metrics[i]);
    printf("\n");
    if (o->save && dh_save_weights(model, o->save)) return !dh_perror("save");
    if (o->curve && dh_model_plot_history(model, o->curve)) return !dh_perror("curve");
    return !o->json || write_json(o, model, epochs, epoch_count, test);
}
