/* SPDX-License-Identifier: MIT */
/* Depthwise convolution, each group having one channel of x, its gradient for the input and the
 * transposed convolution: tile by tile of a plane (conv_depthwise.h). */
#include "conv_depthwise.h"
#include "cpu.h"
#include "cut.h"
#include "team.h"

#define TASK_WORK    32768 /* positions of a task, about */
#define SERIAL_FLOPS 2e6

typedef struct job {
    dh__depthwise d;
    const dh_view *from, *to;
    int64_t depth; /* of the result */
    int64_t units, units_a_task, tasks;
    char *slots;
} job;

typedef struct unit {
    int64_t n, z;
    dh__depthwise_place at;
    char *slab, *results;
} unit;

/* number: [n][block][tile][z] */
static unit unit_of(const job *j, int64_t number, char *slot)
{
    const dh__depthwise *d = &j->d;
    int64_t an_image = d->blocks * d->bands * d->parts, place = number / j->depth;
    unit u = {.n = place / an_image,
              .z = number % j->depth,
              .at = dh__depthwise_place_of(d, place % an_image),
              .slab = slot};
    int64_t vector = DH_DEPTHWISE_VECTOR;
    u.results = slot + d->planes * d->gather.slab_plane * d->s.size + DH_DEPTHWISE_SLACK * vector;
    return u;
}

/* The plane of the unit's first channel of the result, where each group has `many`, m of them. */
static char *result_of(const job *j, const unit *u, int64_t many, int64_t m)
{
    const dh__depthwise *d = &j->d;
    return dh__conv_plane(&d->s, j->to, u->n, u->at.group * many + m) +
           u->z * d->out[0] * d->out[1] * d->s.size;
}

/* Adds the taps of plane k of the windows m of each group, or none where k < 0, to channels many
 * apart; the last are followed by the activation. */
static void sweep(const job *j, const unit *u, int64_t m, int64_t k, int64_t many, bool add,
                  bool last)
{
    static const dh__depthwise_taps none = {.count = 0};
    const dh__depthwise *d = &j->d;
    const dh__conv_sides *s = &d->s;
    int64_t first = u->at.group * s->c.out_channels + m, row = s->weight.stride[0];
    int64_t area = s->c.w.size[1] * s->c.w.size[2], channel = many > 1 ? first : u->at.group;
    dh__depthwise_weights w = {.weight = (const char *)s->weight.data +
                                         (first * row + (k > 0 ? k : 0) * area) * s->size,
                               .weight_plane = s->c.out_channels * row,
                               .add = add,
                               .act = last ? s->act : DH_ACT_NONE,
                               .act_alpha = s->act_alpha};
    if (s->bias) {
        w.bias = (const char *)s->bias->data + channel * s->bias->stride[0] * s->size;
        w.bias_plane = many * s->bias->stride[0];
    }
    char *plane = result_of(j, u, many, many > 1 ? m : 0), *results = u->results;
    for (int64_t f = 0; f < d->down_phases; f++)
        for (int64_t e = 0; e < d->across_phases; e++) {
            dh__depthwise_tile t;
            bool any = dh__depthwise_tile_of(d, &u->at, f, e, u->slab, &t);
            t.x = results;
            t.x_row = d->out_pitch;
            t.x_plane = d->results;
            results += u->at.rows * d->out_pitch * s->size;
            if (d->across_phases == 1) {
                t.x = plane + ((u->at.row * d->down_phases + f) * d->out[1] + u->at.col) * s->size;
                t.x_row = d->down_phases * d->out[1];
                t.x_plane = many * j->to->stride[1];
            }
            if (k < 0) t.down = &none;
            if (any) d->kernels->sweep(&t, &w);
        }
}

/* The columns' phases into the rows of the result. */
static void spread(const job *j, const unit *u)
{
    const dh__depthwise *d = &j->d;
    int64_t size = d->s.size, step = d->across_phases, col = u->at.col * step;
    int64_t count = dh__at_most(u->at.cols * step, d->out[1] - col);
    int64_t phase = u->at.rows * d->out_pitch;
    for (int64_t p = 0; p < u->at.planes; p++)
        for (int64_t f = 0; f < d->down_phases; f++) {
            char *plane = result_of(j, u, 1, p);
            int64_t first = u->at.row * d->down_phases + f;
            int64_t rows = dh__at_most(u->at.rows, d->down_count[f] - u->at.row);
            d->kernels->spread(plane + (first * d->out[1] + col) * size, d->down_phases * d->out[1],
                               u->results + (p * d->results + f * step * phase) * size,
                               d->out_pitch, phase, step, rows, count);
        }
}

static void run_unit(const job *j, const unit *u)
{
    const dh__depthwise *d = &j->d;
    const dh__conv *c = &d->s.c;
    int64_t many = c->out_channels, area = d->in[0] * d->in[1];
    int64_t sources = d->to_large ? many : 1, results = d->to_large ? 1 : many;
    int64_t deepest = c->w.size[0] - 1;
    bool add = false;
    while (deepest > 0 && dh__depthwise_depth(d, u->z, deepest) < 0) deepest--;
    for (int64_t m = 0; m < sources; m++)
        for (int64_t k = 0; k < c->w.size[0]; k++) {
            int64_t z = dh__depthwise_depth(d, u->z, k);
            if (z < 0) continue;
            bool last = m + 1 == sources && k == deepest;
            const char *from = dh__conv_plane(&d->s, j->from, u->n, u->at.group * sources + m);
            dh__depthwise_take(d, &u->at, from + z * area * d->s.size, sources * j->from->stride[1],
                               u->slab);
            for (int64_t r = 0; r < results; r++) sweep(j, u, m + r, k, results, add, last);
            add = true;
        }
    for (int64_t r = 0; r < results && !add; r++) sweep(j, u, r, -1, results, false, true);
    if (d->across_phases > 1) spread(j, u);
}

static void run_task(void *context, int64_t i, int64_t place)
{
    const job *j = context;
    int64_t end = dh__at_most((i + 1) * j->units_a_task, j->units);
    for (int64_t number = i * j->units_a_task; number < end; number++) {
        unit u = unit_of(j, number, j->slots + place * DH_DEPTHWISE_SLOT);
        run_unit(j, &u);
    }
}

/* --- the implementation --- */

static size_t scratch_depthwise(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    return (size_t)(dh__conv_folded_bytes(&s) + dh__cpu_count() * DH_DEPTHWISE_SLOT);
}

static dh_status run_depthwise(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    job j = {0};
    if (!dh__view_count(&call->out[0])) return DH_OK;
    j.slots = dh__conv_fold_weights(&s, call);
    dh__depthwise_of(&j.d, &s);
    const dh__conv *c = &s.c;
    j.from = j.d.to_large ? &s.small : &s.large;
    j.to = j.d.to_large ? &s.large : &s.small;
    j.depth = j.d.to_large ? c->w.in[0] : c->w.out[0];
    j.units = c->n * j.d.blocks * j.d.bands * j.d.parts * j.depth;
    int64_t work =
        j.d.planes * j.d.rows * j.d.down_phases * j.d.cols * j.d.across_phases * c->out_channels;
    j.units_a_task = dh__divide_up(TASK_WORK, work);
    j.tasks = dh__divide_up(j.units, j.units_a_task);
    double flops = 2.0 * (double)dh__view_count(&s.small) * (double)dh__windows_elements(&c->w);
    dh__team_run_placed(flops > SERIAL_FLOPS ? dh__cpu_count() : 1, j.tasks, run_task, &j);
    return DH_OK;
}

const dh_impl dh__conv_depthwise = {.name = "depthwise",
                                    .refuse = dh__depthwise_refuse,
                                    .scratch = scratch_depthwise,
                                    .packed = dh__conv_packed_folded,
                                    .pack = dh__conv_pack_folded,
                                    .run = run_depthwise};
