/* SPDX-License-Identifier: MIT */
/* Dropout: element i of step p is kept where its word (dh_step), as a uniform number of 24 bits, is
 * at least rate. No mask is stored. */
#include <math.h>

#include "cpu.h"
#include "dropout_kernels.h"
#include "element.h"
#include "rng.h"
#include "team.h"

#define BLOCK 1024

typedef struct drop {
    const dh_call *call;
    uint64_t stream, first; /* first: position of element 0 */
    uint32_t threshold;     /* of the upper 24 bits */
    float scale;
    int64_t count;
} drop;

static drop drop_of(const dh_call *call)
{
    double rate = ((const dh_dropout_attr *)call->attr)->rate;
    uint64_t stream, first = dh__random_first(call, &stream);
    return (drop){.call = call,
                  .stream = stream,
                  .first = first,
                  .threshold = (uint32_t)ceil(rate * 16777216.0),
                  .scale = rate < 1 ? (float)(1 / (1 - rate)) : 0,
                  .count = dh__view_count(&call->in[0])};
}

extern const dh__dropout_kernels dh__dropout_portable;
#if DH_HAVE_X86_ISA
extern const dh__dropout_kernels dh__dropout_avx2, dh__dropout_avx512;
#endif

static const dh__dropout_kernels *dropout_table(void)
{
#if DH_HAVE_X86_ISA
    dh__isa isa = dh__cpu_isa();
    if (isa == DH_ISA_AVX512) return &dh__dropout_avx512;
    if (isa == DH_ISA_AVX2) return &dh__dropout_avx2;
#endif
    return &dh__dropout_portable;
}

static void packed_tasks(void *context, int64_t begin, int64_t end)
{
    const drop *d = context;
    const float *x = d->call->in[0].data;
    float *y = d->call->out[0].data;
    uint32_t words[4];
    int64_t odd =
        -(int64_t)(d->first + (uint64_t)begin) & 3; /* until a block of the stream begins */
    if (odd > end - begin) odd = end - begin;
    dh__random_words(d->call->step->seed, d->stream, d->first + (uint64_t)begin, words, odd);
    for (int64_t k = 0; k < odd; k++, begin++)
        y[begin] = words[k] >> 8 >= d->threshold ? x[begin] * d->scale : 0;
    dropout_table()->run(y + begin, x + begin, end - begin, d->call->step->seed, d->stream,
                         d->first + (uint64_t)begin, d->threshold, d->scale);
}

static void any_tasks(void *context, int64_t begin, int64_t end)
{
    const drop *d = context;
    const dh_view *x = &d->call->in[0], *y = &d->call->out[0];
    double rate = ((const dh_dropout_attr *)d->call->attr)->rate;
    uint32_t words[BLOCK];
    for (int64_t i = begin; i < end; i += BLOCK) {
        int64_t n = end - i < BLOCK ? end - i : BLOCK;
        dh__random_words(d->call->step->seed, d->stream, d->first + (uint64_t)i, words, n);
        for (int64_t k = 0; k < n; k++)
            dh__put(y, i + k, words[k] >> 8 >= d->threshold ? dh__get(x, i + k) / (1 - rate) : 0);
    }
}

static const char *refuse_unless_packed(const dh_call *call)
{
    return dh__all_packed_f32(call) ? NULL : "takes contiguous f32 only";
}

static dh_status packed_run(const dh_call *call)
{
    drop d = drop_of(call);
    dh__team_ranges(d.count, 8 * BLOCK, packed_tasks, &d);
    return DH_OK;
}

static dh_status any_run(const dh_call *call)
{
    drop d = drop_of(call);
    dh__team_ranges(d.count, BLOCK, any_tasks, &d);
    return DH_OK;
}

static const dh_impl packed = {.name = "packed", .refuse = refuse_unless_packed, .run = packed_run};
static const dh_impl any = {.name = "any", .run = any_run};

const dh_impl *const dh_cpu_dropout[] = {&packed, &any, NULL};
