/* SPDX-License-Identifier: MIT */
/* Gaussian noise: element i of step p gets the normal number at its position (dh_step). */
#include "cpu.h"
#include "element.h"
#include "rng.h"
#include "team.h"

#define BLOCK 1024 /* even, so that no pair of Box-Muller is cut */

static void add_noise(void *context, int64_t begin, int64_t end)
{
    const dh_call *call = context;
    const dh_step *step = call->step;
    const dh_view *x = &call->in[0], *y = &call->out[0];
    double stddev = ((const dh_noise_attr *)call->attr)->stddev, z[BLOCK];
    uint64_t stream, first = dh__random_first(call, &stream);
    for (int64_t i = begin; i < end; i += BLOCK) {
        int64_t n = end - i < BLOCK ? end - i : BLOCK;
        dh__random_normal(step->seed, stream, first + (uint64_t)i, z, n);
        for (int64_t k = 0; k < n; k++) dh__put(y, i + k, dh__get(x, i + k) + stddev * z[k]);
    }
}

static dh_status run(const dh_call *call)
{
    dh_call copy = *call;
    dh__team_ranges(dh__view_count(&call->in[0]), BLOCK, add_noise, &copy);
    return DH_OK;
}

static const dh_impl any = {.name = "any", .run = run};
const dh_impl *const dh_cpu_gaussian_noise[] = {&any, NULL};
