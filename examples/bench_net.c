/* SPDX-License-Identifier: MIT */
/* Times a net of the zoo on numbers made here: whole training steps (SGD, rate 0.01, momentum 0.9),
 * or predictions by a session, which by then has the model for itself. bench_net resnet50 --batch
 * 16 --train --steps 20 --json r.json */
#include "common.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct bench {
    const dh_zoo_entry *entry;
    int classes, batch, steps, seconds, threads;
    bool train, infer;
    const char *memory, *device, *json;
    dh_model *net; /* NULL once the session alone needs it */
    dh_layer *end;
    dh_work_report work;
    int ndim; /* of the output */
    long long shape[DH_MAX_NDIM];
    dh_session *session;
    dh_tensor *x, *y;
    long long start_rss;
    double *times; /* milliseconds, in order of size at the end */
    int count;
} bench;

static const char *mode(const bench *b)
{
    return b->train ? "train" : "infer";
}

/* --- options --- */

static int help(void)
{
    printf("usage: bench_net NAME [options]; bench_net NAME --help lists them\nnames:");
    for (int i = 0; dh_zoo_at(i); i++) printf("%s%s", i % 8 ? " " : "\n  ", dh_zoo_at(i)->name);
    printf("\n");
    return 0;
}

static bool parse(bench *b, int argc, char **argv, int *code)
{
    char program[64];
    *code = 2;
    if (argc > 1 && !strcmp(argv[1], "--help")) {
        *code = help();
        return false;
    }
    if (argc < 2 || *argv[1] == '-') {
        fprintf(stderr, "bench_net: the name of a net comes first; --help lists them\n");
        return false;
    }
    b->entry = dh_zoo_find(argv[1]);
    if (!b->entry) return dh_perror("bench_net"), false;
    /* for thousand classes of photographs the eight of a small medical data set */
    b->classes = b->entry->classes == 1000 ? 8 : b->entry->classes;
    const example_option list[] = {
        {"--batch", "N", "samples a step", .number = &b->batch, .least = 1},
        {"--train", "", "times training steps", .flag = &b->train},
        {"--infer", "", "times predictions", .flag = &b->infer},
        {"--steps", "N", "at least so many, after two that do not count", .number = &b->steps,
         .least = 1},
        {"--seconds", "N", "at least so long", .number = &b->seconds},
        {"--classes", "N", "of the output", .number = &b->classes, .least = 1},
        {"--threads", "N", "0: all cores", .number = &b->threads},
        {"--device", "NAME", "where it computes", .text = &b->device},
        {"--memory", "LEVEL", "full_mem, mid_mem or low_mem", .text = &b->memory},
        {"--json", "FILE", "report of the run, one line", .text = &b->json},
    };
    snprintf(program, sizeof program, "bench_net %s", b->entry->name);
    if (!example_parse_list(program, list, sizeof list / sizeof *list, argc - 1, argv + 1, code))
        return false;
    if (b->train != b->infer) return true;
    fprintf(stderr, "%s: one of --train and --infer must be given\n", program);
    return false;
}

/* --- model and data --- */

/* One class a row, in turn; of a picture each pixel is of a class or not, by chance. */
static dh_status make_target(bench *b)
{
    if (dh_layer_ndim(b->end) == 4)
        return dh_tensor_random_bernoulli(
            &b->y, {b->batch, b->classes, dh_layer_dim(b->end, 2), dh_layer_dim(b->end, 3)},
            .seed = 2);
    dh_status status = dh_tensor_zeros(&b->y, {b->batch, b->classes});
    float *y = status ? NULL : dh_tensor_data(b->y);
    for (int i = 0; y && i < b->batch; i++) y[i * b->classes + i % b->classes] = 1;
    return status;
}

/* What the report tells of the net. */
static dh_status describe(bench *b)
{
    b->threads = dh_model_threads(b->net);
    b->shape[0] = b->batch;
    b->ndim = dh_layer_ndim(b->end);
    for (int i = 1; i < b->ndim; i++) b->shape[i] = dh_layer_dim(b->end, i);
    return dh_model_work(&b->work, b->net);
}

/* Layers hold no memory until the model is built, so that start_rss is what it is built on. */
static dh_status prepare(bench *b)
{
    const int64_t *in = b->entry->input;
    b->net = dh_model_new(b->entry->name);
    b->end =
        dh_zoo_make(dh_input(b->net, {in[0], in[1], in[2]}), b->classes, .net = b->entry->name);
    dh_status status = dh_tensor_random_normal(&b->x, {b->batch, in[0], in[1], in[2]}, .seed = 1);
    if (!status && b->train) status = make_target(b);
    if (status) return status;
    b->start_rss = example_rss_bytes(false);
    const char *loss = b->classes == 1 ? "binary_cross_entropy" : "cross_entropy";
    dh_cs service = dh_cs_cpu(.threads = b->threads, .memory = b->memory);
    service.device = b->device;
    status = dh_build(b->net, b->end, .loss = b->train ? loss : NULL, .seed = 1,
                      .optimizer = dh_sgd(0.01f, .momentum = 0.9f), .device = service);
    if (!status) status = describe(b);
    if (status || b->train) return status;
    status = dh_session_new(&b->session, b->net, .batch_size = b->batch, .threads = b->threads);
    dh_model_free(b->net);
    b->net = NULL;
    return status;
}

static void clear(bench *b)
{
    dh_session_free(b->session);
    dh_model_free(b->net);
    dh_tensor_free(b->x);
    dh_tensor_free(b->y);
    free(b->times);
}

/* --- timing --- */

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static dh_status step(bench *b)
{
    dh_tensor *out = NULL;
    if (b->train)
        return dh_train_batch(b->net, (const dh_tensor *[]){b->x}, (const dh_tensor *[]){b->y},
                              NULL);
    dh_status status = dh_session_predict(&out, b->session, b->x);
    dh_tensor_free(out);
    return status;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool keep(bench *b, double ms)
{
    double *more = realloc(b->times, ((size_t)b->count + 1) * sizeof *more);
    if (!more) return false;
    b->times = more;
    b->times[b->count++] = ms;
    return true;
}

static bool run(bench *b)
{
    for (int i = 0; i < 2; i++)
        if (step(b)) return !dh_perror("bench_net");
    double start = now_ms(), last = start;
    while (b->count < b->steps || last - start < 1e3 * b->seconds) {
        if (step(b)) return !dh_perror("bench_net");
        double end = now_ms();
        if (!keep(b, end - last)) return fprintf(stderr, "bench_net: out of memory\n"), false;
        last = end;
    }
    qsort(b->times, (size_t)b->count, sizeof *b->times, by_size);
    return true;
}

/* --- the report --- */

static bool report(const bench *b)
{
    dh_memory_report memory = {0};
    double median = (b->times[(b->count - 1) / 2] + b->times[b->count / 2]) / 2;
    /* backward is a product for x and one for the weights each */
    double gflops = 1e-6 * b->work.flops * b->batch * (b->train ? 3 : 1) / median;
    long long peak = example_rss_bytes(true); /* before more is planned */
    if (b->train && dh_model_memory(&memory, b->net, b->batch)) return !dh_perror("bench_net");
    size_t activations =
        memory.plan_bytes - memory.parameter_bytes - memory.gradient_bytes - memory.optimizer_bytes;
    printf("%s %s, batch %d: median %.3f ms of %d steps, %.1f GFLOP/s, %lld parameters, "
           "%s, %d threads, %s, peak %.0f MB\n",
           b->entry->name, mode(b), b->batch, median, b->count, gflops,
           (long long)b->work.trainable, b->device, b->threads, dh_isa(), 1e-6 * (double)peak);
    if (!b->json) return true;
    FILE *f = fopen(b->json, "w");
    bool written =
        f && fprintf(f,
                     "{\"net\": \"%s\", \"mode\": \"%s\", \"batch\": %d, \"classes\": %d, "
                     "\"output\": [%d",
                     b->entry->name, mode(b), b->batch, b->classes, b->batch) > 0;
    for (int i = 1; written && i < b->ndim; i++) written = fprintf(f, ", %lld", b->shape[i]) > 0;
    written =
        written &&
        fprintf(f,
                "], \"device\": \"%s\", \"memory\": \"%s\", \"steps\": %d, \"median_ms\": %.6g, "
                "\"min_ms\": %.6g, \"max_ms\": %.6g, \"gflops\": %.6g, "
                "\"peak_rss_bytes\": %lld, \"start_rss_bytes\": %lld, "
                "\"activation_bytes\": %zu, \"params\": "
                "%lld, \"threads\": %d, \"isa\": \"%s\"}\n",
                b->device, b->memory, b->count, median, b->times[0], b->times[b->count - 1], gflops,
                peak, b->start_rss, activations, (long long)b->work.trainable, b->threads,
                dh_isa()) > 0;
    if (f && !fclose(f) && written) return true;
    fprintf(stderr, "bench_net: %s: %s\n", b->json, strerror(errno));
    return false;
}

int main(int argc, char **argv)
{
    bench b = {.batch = 1, .steps = 10, .seconds = 2, .memory = "full_mem", .device = "cpu"};
    int code;
    if (!parse(&b, argc, argv, &code)) return code;
    dh_status status = prepare(&b);
    bool ok = status ? !dh_perror("bench_net") : run(&b) && report(&b);
    clear(&b);
    return ok ? 0 : 1;
}
