/* SPDX-License-Identifier: MIT */
/* The report of a run: figures on stdout, weights, curve and JSON where they are asked for. */
#include "common.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

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
long long example_rss_bytes(bool peak)
{
    const char *key = peak ? "VmHWM:" : "VmRSS:";
    char line[256];
    long long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, key, 6)) kib = atoll(line + 6);
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
            hash, memory.plan_bytes, example_rss_bytes(true));
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

bool example_test(const example_options *o, dh_model *model, const example_data *d)
{
    dh_result test;
    int epochs;
    if (dh_evaluate(model, d->x_test, d->y_test, .result = &test, .quiet = true))
        return !dh_perror(o->name);
    const dh_epoch *history = dh_model_history(model, &epochs);
    return example_report(o, model, history, epochs, &test);
}

bool example_run(const example_options *o, dh_model *model, const example_data *d)
{
    if (!model) return false;
    if ((!o->quiet && dh_summary(model, o->batch_size)) ||
        dh_fit(model, d->x_train, d->y_train, EXAMPLE_FIT(o)))
        return !dh_perror(o->name);
    return example_test(o, model, d);
}
