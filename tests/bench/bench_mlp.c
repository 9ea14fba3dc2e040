/* SPDX-License-Identifier: MIT */
/* Trains the network of examples/mnist_mlp.c and prints what an epoch takes, in time and memory:
 *   bench_mlp [--data DIR] [--threads N] [--memory LEVEL] [--seconds S]
 * Whole epochs over all 60,000 images until S seconds have passed. A line {"mark": "timed"} when
 * the timing begins, one line of JSON at the end. Memory: start is the resident set with the data
 * loaded and no network built; peak the highest since then. */
#include <deephealth.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base.h"
#include "mlp.h"

#define BATCH 100

typedef struct options {
    const char *data, *memory;
    int threads;
    double seconds;
} options;

/* A line of /proc/self/status in bytes, such as "VmRSS:"; -1 where there is none. */
static long long status_bytes(const char *key)
{
    char line[256];
    long long kib = -1;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, key, strlen(key))) kib = atoll(line + strlen(key));
    if (f) fclose(f);
    return kib < 0 ? -1 : kib * 1024;
}

/* Sets the peak back to what is resident now, so that reading the files doesn't count. */
static bool reset_peak(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY);
    bool done = fd >= 0 && write(fd, "5", 1) == 1;
    if (fd >= 0) close(fd);
    return done;
}

/* A few steps, so that plans are made and threads started: what a peer may also do untimed. */
static dh_status warm_up(dh_model *net, const dh_tensor *x, const dh_tensor *y)
{
    dh_tensor *few_x = NULL, *few_y = NULL;
    dh_status status = dh_tensor_slice(&few_x, x, "0:500");
    if (!status) status = dh_tensor_slice(&few_y, y, "0:500");
    if (!status) status = dh_fit(net, few_x, few_y, .batch_size = BATCH, .quiet = true);
    dh_tensor_free(few_x);
    dh_tensor_free(few_y);
    return status;
}

static dh_status measure(const options *o, const dh_tensor *x, const dh_tensor *y)
{
    bool reset = reset_peak();
    long long start_rss = status_bytes("VmRSS:");
    dh_model *net = mlp_new(dh_cs_cpu(.threads = o->threads, .memory = o->memory), 1);
    if (!net) return dh_error_status();
    dh_status status = warm_up(net, x, y);
    printf("{\"mark\": \"timed\"}\n");
    fflush(stdout);
    int epochs = 0;
    double start = dh__now(), elapsed = 0;
    while (!status && (!epochs || elapsed < o->seconds)) {
        status = dh_fit(net, x, y, .batch_size = BATCH, .quiet = true);
        elapsed = dh__now() - start;
        epochs++;
    }
    int count;
    const dh_epoch *history = dh_model_history(net, &count);
    dh_memory_report memory = {0};
    if (!status) status = dh_model_memory(&memory, net, BATCH);
    if (!status)
        printf("{\"seconds_per_epoch\": %.5f, \"epochs\": %d, \"loss\": %.6f, "
               "\"start_rss_bytes\": %lld, \"peak_rss_bytes\": %lld, \"peak_reset\": %s, "
               "\"plan_bytes\": %zu, \"threads\": %d, \"isa\": \"%s\", \"cpu\": \"%s\"}\n",
               elapsed / epochs, epochs, history[count - 1].train.loss, start_rss,
               status_bytes("VmHWM:"), reset ? "true" : "false", memory.plan_bytes,
               o->threads ? o->threads : dh__cpu_count(), dh__isa_name(dh__cpu_isa()),
               dh__cpu_model());
    dh_model_free(net);
    return status;
}

int main(int count, char **args)
{
    options o = {.seconds = 2};
    for (int i = 1; i < count; i += 2) {
        const char *value = i + 1 < count ? args[i + 1] : "";
        if (!strcmp(args[i], "--data"))
            o.data = value;
        else if (!strcmp(args[i], "--memory"))
            o.memory = value;
        else if (!strcmp(args[i], "--threads"))
            o.threads = atoi(value);
        else if (!strcmp(args[i], "--seconds"))
            o.seconds = atof(value);
        else {
            fprintf(stderr, "bench_mlp: option \"%s\" is unknown\n", args[i]);
            return 2;
        }
    }
    dh_tensor *x, *y, *x_test, *y_test;
    if (dh_mnist_load(o.data, &x, &y, &x_test, &y_test)) return dh_perror("mnist");
    dh_tensor_free(x_test);
    dh_tensor_free(y_test);
    dh_status status = measure(&o, x, y);
    if (status) dh_perror("bench_mlp");
    dh_tensor_free(x);
    dh_tensor_free(y);
    return status ? 1 : 0;
}
