/* SPDX-License-Identifier: MIT */
/* The gradient of a depthwise convolution's weights: a vector of sums for each tap of a channel,
 * over all rows and images of a share. The images are dealt to shares where the channels are few;
 * their sums are added in order at the end. */
#include <string.h>

#include "conv_depthwise.h"
#include "cpu.h"
#include "cut.h"
#include "team.h"

#define BLOCK_SUMS   8192 /* bytes of the sums of a task's planes, if more than one */
#define TASKS_WANTED 64
#define SERIAL_FLOPS 2e6

typedef struct job {
    dh__depthwise d;
    int64_t channels, taps; /* of the small side; of a window */
    int64_t shares;
    char *sums; /* [share][channel][tap] */
    char *slots;
    int64_t slot;
} job;

/* Adds the part of one image that a tile of planes sees to sums, [plane][channel of group][tap] */
static void add_tile(const job *j, int64_t n, const dh__depthwise_place *at, char *slab, char *sums)
{
    const dh__depthwise *d = &j->d;
    const dh__conv_sides *s = &d->s;
    const dh__windows *w = &s->c.w;
    int64_t many = s->c.out_channels, vector = DH_DEPTHWISE_VECTOR / s->size;
    const char *x = dh__conv_plane(s, &s->large, n, at->group);
    dh__depthwise_tile t;
    dh__depthwise_tile_of(d, at, 0, 0, slab, &t);
    t.x_row = d->out[1];
    t.x_plane = many * s->small.stride[1];
    for (int64_t z = 0; z < w->out[0]; z++)
        for (int64_t k = 0; k < w->size[0]; k++) {
            int64_t from = dh__depthwise_depth(d, z, k);
            int64_t first = (z * d->out[0] + at->row) * d->out[1] + at->col;
            if (from < 0) continue;
            dh__depthwise_take(d, at, x + from * d->in[0] * d->in[1] * s->size, s->large.stride[1],
                               slab);
            for (int64_t m = 0; m < many; m++) {
                t.x = dh__conv_plane(s, &s->small, n, at->group * many + m) + first * s->size;
                d->kernels->sums(
                    &t, sums + (m * j->taps + k * w->size[1] * w->size[2]) * DH_DEPTHWISE_VECTOR,
                    many * j->taps * vector);
            }
        }
}

static void share_task(void *context, int64_t i, int64_t place)
{
    const job *j = context;
    const dh__depthwise *d = &j->d;
    int64_t images = d->s.c.n, tiles = d->bands * d->parts, many = d->s.c.out_channels;
    int64_t share = i / d->blocks, block = i % d->blocks;
    int64_t first = block * d->planes, end = (share + 1) * images / j->shares;
    int64_t count = dh__at_most(d->planes, d->s.c.groups - first) * many * j->taps;
    char *slab = j->slots + place * j->slot, *sums = slab + DH_DEPTHWISE_SLOT;
    memset(sums, 0, (size_t)(count * DH_DEPTHWISE_VECTOR));
    for (int64_t n = share * images / j->shares; n < end; n++)
        for (int64_t tile = 0; tile < tiles; tile++) {
            dh__depthwise_place at = dh__depthwise_place_of(d, block * tiles + tile);
            add_tile(j, n, &at, slab, sums);
        }
    int64_t to = (share * j->channels + first * many) * j->taps;
    d->kernels->join(j->sums + to * d->s.size, sums, count);
}

#define ADD_SHARES(T)                                                               \
    {                                                                               \
        T *to = (T *)s->weight.data + channel * s->weight.stride[0] + tap, sum = 0; \
        const T *from = (const T *)(const void *)j->sums + channel * j->taps + tap; \
        for (int64_t share = 0; share < j->shares; share++)                         \
            sum += from[share * j->channels * j->taps];                             \
        *to = sum;                                                                  \
    }

static void add_shares(const job *j)
{
    const dh__conv_sides *s = &j->d.s;
    for (int64_t channel = 0; channel < j->channels; channel++)
        for (int64_t tap = 0; tap < j->taps; tap++) {
            if (s->size == 8)
                ADD_SHARES(double)
            else
                ADD_SHARES(float)
        }
}

/* --- the implementation --- */

static void set_job(job *j, const dh__conv_sides *s)
{
    dh__depthwise *d = &j->d;
    dh__depthwise_of(d, s);
    j->channels = s->c.groups * s->c.out_channels;
    j->taps = dh__windows_elements(&s->c.w);
    int64_t one = s->c.out_channels * j->taps * DH_DEPTHWISE_VECTOR;
    int64_t planes = dh__at_most(BLOCK_SUMS / one, s->c.groups / TASKS_WANTED);
    d->planes = dh__at_most(d->planes, planes > 1 ? planes : 1);
    d->blocks = dh__divide_up(s->c.groups, d->planes);
    j->shares = dh__at_most(dh__divide_up(TASKS_WANTED, d->blocks), s->c.n);
    j->slot = DH_DEPTHWISE_SLOT + d->planes * one;
}

static int64_t sums_size(const job *j, int64_t size)
{
    return dh__divide_up(j->shares * j->channels * j->taps * size, DH_DEPTHWISE_VECTOR) *
           DH_DEPTHWISE_VECTOR;
}

static size_t scratch_depthwise_dw(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    job j = {0};
    set_job(&j, &s);
    return (size_t)(sums_size(&j, s.size) + dh__cpu_count() * j.slot);
}

static dh_status run_depthwise_dw(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    job j = {0};
    if (!dh__view_count(&call->out[0])) return DH_OK;
    set_job(&j, &s);
    j.sums = call->scratch;
    j.slots = j.sums + sums_size(&j, s.size);
    double flops = 2.0 * (double)dh__view_count(&s.small) * (double)j.taps;
    int64_t places = flops > SERIAL_FLOPS ? dh__cpu_count() : 1;
    dh__team_run_placed(places, j.d.blocks * j.shares, share_task, &j);
    add_shares(&j);
    return DH_OK;
}

const dh_impl dh__conv_depthwise_dw = {.name = "depthwise",
                                       .refuse = dh__depthwise_refuse,
                                       .scratch = scratch_depthwise_dw,
                                       .run = run_depthwise_dw};
