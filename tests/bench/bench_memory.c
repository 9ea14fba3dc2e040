/* SPDX-License-Identifier: MIT */
/* How fast threads read memory far beyond the caches, for the slope of a roofline:
 *   bench_memory THREADS SECONDS
 * prints one line of JSON: GB/s of the fastest pass, and passes. */
#include <stdio.h>
#include <stdlib.h>

#include "base.h"
#include "team.h"

#define BYTES ((size_t)1 << 30)
#define LINE  64

typedef struct job {
    const uint64_t *words;
    _Atomic uint64_t sum; /* so that nothing is left out */
} job;

/* Each cache line once: what else lies in it costs nothing more. */
static void read_lines(void *context, int64_t begin, int64_t end)
{
    job *j = context;
    uint64_t sum = 0;
    for (int64_t line = begin; line < end; line++) sum += j->words[line * (LINE / 8)];
    j->sum += sum;
}

int main(int argc, char **argv)
{
    int threads = argc == 3 ? atoi(argv[1]) : 0;
    double seconds = argc == 3 ? atof(argv[2]) : 0, best = 0;
    if (threads < 1 || !(seconds > 0)) {
        fprintf(stderr, "usage: bench_memory THREADS SECONDS\n");
        return 2;
    }
    uint64_t *words = dh__alloc(BYTES);
    if (!words) {
        fprintf(stderr, "bench_memory: out of memory\n");
        return 1;
    }
    (void)dh__team_limit(threads);
    for (size_t i = 0; i < BYTES / 8; i++) words[i] = i; /* so that there are pages */
    job j = {.words = words};
    int passes = 0;
    for (double start = dh__now(), before = start; before - start < seconds; passes++) {
        dh__team_ranges(BYTES / LINE, BYTES / LINE / 64, read_lines, &j);
        double now = dh__now(), rate = (double)BYTES / (now - before) * 1e-9;
        if (rate > best) best = rate;
        before = now;
    }
    printf("{\"read_gbs\": %.2f, \"passes\": %d, \"threads\": %d, \"sum\": %llu}\n", best, passes,
           threads, (unsigned long long)j.sum);
    dh__free(words);
    return 0;
}
