/* SPDX-License-Identifier: MIT */
/* Times one implementation of a convolution on the CPU, or of one of its gradients:
 *   bench_conv predict|forward|dx|dw N C SIDE O WINDOW STRIDE PAD THREADS [IMPLEMENTATION
 * [SECONDS]] for x [N, C, SIDE, SIDE] and weight [O, C, WINDOW, WINDOW] in f32, and prints one line
 * of JSON: time, GFLOP/s, scratch, and the error of some elements against their sums in double.
 * Without an implementation: the names of those that take this call, in the order in which a plan
 * asks them.
 *
 * predict is forward as in a plan that only predicts: images lie channels last, but for those of
 * fewer than eight channels, and packed weights were made beforehand; a training step does neither.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops.h"
#include "team.h"
#include "tensor_impl.h"

#define RUNS_MAX    1000000
#define TERMS_MOST  20000000.0 /* that the exact sums have together */
#define CHECK_MOST  4096
#define CHECK_LEAST 64

enum { X, WEIGHT, Y, SIDES };

typedef struct bench {
    int direction; /* the side that is computed */
    bool predict;
    int64_t n, c, side, o, window, stride, pad, out;
    const int *order; /* of the sides in the call */
    dh_conv_attr attr;
    dh_view view[SIDES];
    dh_view in[3];
    dh_call call;
    void *packed;
} bench;

static const char *const directions[SIDES] = {[X] = "dx", [WEIGHT] = "dw", [Y] = "forward"};

/* --- the call --- */

static void set_view(dh_view *v, int64_t a, int64_t b, int64_t side, bool last)
{
    *v = (dh_view){.dtype = DH_F32, .ndim = 4, .shape = {a, b, side, side}};
    if (last && b >= 8)
        dh__view_pack_last(v);
    else
        dh__view_pack(v);
}

static dh_ints both(int64_t value, int count)
{
    dh_ints list = {.count = count};
    for (int i = 0; i < count; i++) list.v[i] = value;
    return list;
}

static const dh_impl *const *set_call(bench *b)
{
    static const int ops[SIDES] = {[X] = DH_OP_CONV_DX, [WEIGHT] = DH_OP_CONV_DW, [Y] = DH_OP_CONV};
    static const int order[SIDES][3] = {
        [X] = {Y, WEIGHT, X}, [WEIGHT] = {X, Y, WEIGHT}, [Y] = {X, WEIGHT, Y}};
    int op = ops[b->direction];
    b->order = order[b->direction];
    b->out = (b->side + 2 * b->pad - b->window) / b->stride + 1;
    set_view(&b->view[X], b->n, b->c, b->side, b->predict);
    set_view(&b->view[WEIGHT], b->o, b->c, b->window, false);
    set_view(&b->view[Y], b->n, b->o, b->out, b->predict);
    b->attr = (dh_conv_attr){.strides = both(b->stride, 2), .pads = both(b->pad, 4), .group = 1};
    for (int i = 0; i < 3; i++) b->in[i] = b->view[b->order[i]];
    b->call = (dh_call){.op = dh__ops[op],
                        .attr = &b->attr,
                        .in_count = op == DH_OP_CONV ? 2 : 3,
                        .out_count = 1,
                        .in = b->in,
                        .out = &b->view[b->direction]};
    return dh__cpu()->impls(dh__cpu(), op);
}

/* Sums of three draws: nearly normally distributed, of variance 1/4. */
static bool fill(dh_view *v, uint32_t state)
{
    float *x = v->data = dh__alloc((size_t)dh__view_count(v) * sizeof *x);
    for (int64_t i = 0; x && i < dh__view_count(v); i++) {
        x[i] = -1.5f;
        for (int k = 0; k < 3; k++) {
            state = state * 1664525u + 1013904223u;
            x[i] += (float)(state >> 8) / 16777216.0f;
        }
    }
    return x != NULL;
}

static bool allocate(bench *b, const dh_impl *impl)
{
    bool ok = true;
    for (int i = 0; i < SIDES; i++) ok &= fill(&b->view[i], 12345u + (uint32_t)i);
    for (int i = 0; i < 3; i++) b->in[i].data = b->view[b->order[i]].data;
    size_t scratch = impl->scratch ? impl->scratch(&b->call) : 0;
    b->call.scratch = dh__alloc(scratch ? scratch : 1);
    if (!ok || !b->call.scratch) return false;
    size_t size = b->predict && impl->packed ? impl->packed(&b->call) : 0;
    b->packed = size ? dh__alloc(size) : NULL;
    if (b->packed) impl->pack(&b->call, b->packed);
    b->call.packed = b->packed;
    return b->packed || !size;
}

static void clear(bench *b)
{
    dh__free(b->call.scratch);
    dh__free(b->packed);
    for (int i = 0; i < SIDES; i++) dh__free(b->view[i].data);
}

/* --- the error --- */

/* An element of the image or the result; 0 in the padding. */
static double at(const dh_view *v, int64_t n, int64_t c, int64_t y, int64_t x)
{
    if (y < 0 || x < 0 || y >= v->shape[2] || x >= v->shape[3]) return 0;
    return (double)((const float *)v->data)[n * v->stride[0] + c * v->stride[1] + y * v->stride[2] +
                                            x * v->stride[3]];
}

static double exact_forward(const bench *b, const int64_t *e)
{
    double sum = 0;
    for (int64_t c = 0; c < b->c; c++)
        for (int64_t i = 0; i < b->window; i++)
            for (int64_t j = 0; j < b->window; j++)
                sum += at(&b->view[X], e[0], c, e[2] * b->stride + i - b->pad,
                          e[3] * b->stride + j - b->pad) *
                       at(&b->view[WEIGHT], e[1], c, i, j);
    return sum;
}

static double exact_dx(const bench *b, const int64_t *e)
{
    double sum = 0;
    for (int64_t i = 0; i < b->window; i++)
        for (int64_t j = 0; j < b->window; j++) {
            int64_t y = e[2] + b->pad - i, x = e[3] + b->pad - j;
            if (y < 0 || x < 0 || y % b->stride || x % b->stride) continue;
            for (int64_t o = 0; o < b->o; o++)
                sum += at(&b->view[Y], e[0], o, y / b->stride, x / b->stride) *
                       at(&b->view[WEIGHT], o, e[1], i, j);
        }
    return sum;
}

static double exact_dw(const bench *b, const int64_t *e)
{
    double sum = 0;
    for (int64_t n = 0; n < b->n; n++)
        for (int64_t y = 0; y < b->out; y++)
            for (int64_t x = 0; x < b->out; x++)
                sum += at(&b->view[X], n, e[1], y * b->stride + e[2] - b->pad,
                          x * b->stride + e[3] - b->pad) *
                       at(&b->view[Y], n, e[0], y, x);
    return sum;
}

/* Root mean square and largest, both relative to the root mean square of the exact sums. */
static void find_error(const bench *b, double *rms, double *largest)
{
    static double (*const exact[SIDES])(const bench *, const int64_t *) = {
        [X] = exact_dx, [WEIGHT] = exact_dw, [Y] = exact_forward};
    const double terms[SIDES] = {[X] = (double)(b->o * b->window * b->window),
                                 [WEIGHT] = (double)(b->n * b->out * b->out),
                                 [Y] = (double)(b->c * b->window * b->window)};
    const dh_view *v = &b->view[b->direction];
    double fit = fmin(fmax(TERMS_MOST / terms[b->direction], CHECK_LEAST), CHECK_MOST);
    double errors = 0, squares = 0;
    uint64_t state = 1;
    *largest = 0;
    for (int i = 0; i < (int)fit; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        int64_t left = (int64_t)((state >> 16) % (uint64_t)dh__view_count(v)), e[4];
        for (int k = 3; k >= 0; left /= v->shape[k--]) e[k] = left % v->shape[k];
        double got = at(v, e[0], e[1], e[2], e[3]);
        double want = exact[b->direction](b, e), off = fabs(got - want);
        errors += off * off;
        squares += want * want;
        if (!(off <= *largest)) *largest = off;
    }
    *rms = sqrt(errors / squares);
    *largest /= sqrt(squares / (int)fit);
}

/* --- timing --- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int64_t repeat(const bench *b, const dh_impl *impl, double seconds, double *times)
{
    int64_t runs = 0;
    if (impl->run(&b->call)) return 0;
    double start = dh__now(), before = start;
    do {
        if (impl->run(&b->call)) return 0;
        double now = dh__now();
        times[runs++] = now - before;
        before = now;
    } while (runs < RUNS_MAX && before - start < seconds);
    qsort(times, (size_t)runs, sizeof *times, by_value);
    return runs;
}

static int measure(bench *b, const dh_impl *impl, int threads, double seconds)
{
    double *times = dh__alloc(RUNS_MAX * sizeof *times), rms, largest;
    int64_t runs = 0;
    (void)dh__team_limit(threads);
    if (allocate(b, impl) && times) runs = repeat(b, impl, seconds, times);
    if (runs) {
        find_error(b, &rms, &largest);
        double median = times[runs / 2], flops = b->call.op->flops(&b->call);
        printf("{\"impl\": \"%s\", \"threads\": %d, \"runs\": %lld, \"ms_median\": %.5f, "
               "\"ms_min\": %.5f, \"gflops\": %.2f, \"flops\": %.0f, \"scratch_bytes\": %zu, "
               "\"error_rms\": %.3g, \"error_max\": %.3g}\n",
               impl->name, threads, (long long)runs, median * 1e3, times[0] * 1e3,
               flops / median * 1e-9, flops, impl->scratch ? impl->scratch(&b->call) : 0, rms,
               largest);
    } else {
        fprintf(stderr, "bench_conv: %s: out of memory, or it failed\n", impl->name);
    }
    dh__free(times);
    return !runs;
}

/* --- the command line --- */

static bool takes(const dh_impl *impl, const bench *b)
{
    return !impl->refuse || !impl->refuse(&b->call);
}

static int list(const dh_impl *const *impls, const bench *b)
{
    const char *comma = "";
    printf("{\"impls\": [");
    for (; *impls; impls++) {
        if (!takes(*impls, b)) continue;
        printf("%s\"%s\"", comma, (*impls)->name);
        comma = ", ";
    }
    printf("]}\n");
    return 0;
}

static bool parse(bench *b, int count, char **args)
{
    int64_t *numbers[] = {&b->n, &b->c, &b->side, &b->o, &b->window, &b->stride, &b->pad};
    if (count < 10) return false;
    b->predict = !strcmp(args[1], "predict");
    for (b->direction = 0; b->direction < SIDES; b->direction++)
        if (!strcmp(b->predict ? "forward" : args[1], directions[b->direction])) break;
    for (int i = 0; i < 7; i++) {
        *numbers[i] = atoll(args[2 + i]);
        if (*numbers[i] < (i < 6)) return false;
    }
    return b->direction < SIDES && b->side + 2 * b->pad >= b->window && atoi(args[9]) > 0;
}

int main(int count, char **args)
{
    bench b = {0};
    if (!parse(&b, count, args)) {
        fprintf(stderr,
                "usage: bench_conv predict|forward|dx|dw N C SIDE O WINDOW STRIDE PAD THREADS "
                "[IMPLEMENTATION [SECONDS]]\n");
        return 2;
    }
    const dh_impl *const *impls = set_call(&b);
    if (count == 10) return list(impls, &b);
    while (*impls && strcmp((*impls)->name, args[10])) impls++;
    if (!*impls || !takes(*impls, &b)) {
        fprintf(stderr, "bench_conv: \"%s\" does not take this call\n", args[10]);
        return 2;
    }
    int failed = measure(&b, *impls, atoi(args[9]), count > 11 ? atof(args[11]) : 1);
    clear(&b);
    return failed;
}
