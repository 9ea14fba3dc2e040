/* SPDX-License-Identifier: MIT */
/* Convolution with a window of one element, its gradient for the input and the transposed one: a
 * product of the weights and the image as it lies, [channels, pixels]. Pixels of one image or of
 * several are copied into panels as wide as the GEMM's micro-kernel, which then makes rows of the
 * result where they belong: nothing is transposed. Where strides lie between results, rows are made
 * in a buffer and spread from there. */
#include <string.h>

#include "conv_sides.h"
#include "cpu.h"
#include "cut.h"
#include "element.h"
#include "gemm_plan.h"
#include "team.h"

#define SLAB         524288        /* bytes of a block's panels, about: a part of L2 */
#define PIXELS       512           /* of a block, at most: runs of a row long enough to prefetch */
#define SPREAD_PITCH (PIXELS + 16) /* so that rows share no sets of L1 */
#define TASKS_WANTED 16
#define LEAST_TILES  4 /* of rows in a task */
#define SERIAL_FLOPS 2e6

typedef struct job {
    const dh__conv_sides *s;
    const dh_view *from, *to;
    const dh__gemm_kernels *kernels;
    bool f64, spreads;                        /* spreads: the results lie apart, their strides */
    int64_t size, nr, lanes;                  /* bytes of an element; columns of the micro-kernel */
    int64_t group, in_channels, out_channels; /* of a group; out: of the result */
    int64_t plane;         /* positions of the window, the pixels of the small side */
    int64_t pixels, parts; /* of an image in a block, blocks of an image; or */
    int64_t images;        /* whole images in a block */
    int64_t blocks, row_groups;
    dh__gemm_rows rows;
    char *weights; /* [tile of rows][input channel][row] */
    char *slots;   /* panels, of a block of one's own or shared by the tasks of its rows */
    int64_t slot;  /* bytes */
} job;

typedef struct block { /* pixels [begin, end) of each image */
    int64_t n, images, begin, end, panels;
} block;

static block block_of(const job *j, int64_t number)
{
    block b = {.n = number / j->parts * j->images, .begin = number % j->parts * j->pixels};
    b.images = dh__at_most(j->images, j->s->c.n - b.n);
    b.end = dh__at_most(b.begin + j->pixels, j->plane);
    b.panels = dh__divide_up(b.end - b.begin, j->nr);
    return b;
}

/* Several tasks make the rows of a block: its pixels are packed before them, once. */
static bool shared(const job *j)
{
    return j->row_groups > 1;
}

/* --- pixels --- */

/* Channels [c, end) of one image's pixels of the block into panels [input channel][nr]. Channel by
 * channel, because that is how they lie; what is missing in the last panel is made zero. */
static void pack_pixels(const job *j, const block *b, int64_t n, int64_t c, int64_t end, char *out)
{
    int64_t row = j->nr * j->size, panel = j->in_channels * j->nr;
    int64_t whole = (b->end - b->begin) / j->nr, rest = (b->end - b->begin) % j->nr;
    _Alignas(64) char gathered[PIXELS * sizeof(double)];
    char *last = out + whole * panel * j->size + c * row;
    for (out += c * row; c < end; c++, out += row, last += row) {
        const char *from = dh__conv_plane(j->s, j->from, n, j->group * j->in_channels + c);
        if (j->s->to_large)
            from += b->begin * j->size;
        else
            from = dh__conv_pixels(j->s, from, b->begin, b->end - b->begin, gathered);
        j->kernels->pack_copy[j->f64](out, panel, from, j->nr, (int)j->nr, (int)j->nr, whole);
        if (!rest) continue;
        memcpy(last, from + whole * row, (size_t)(rest * j->size));
        memset(last + rest * j->size, 0, (size_t)((j->nr - rest) * j->size));
    }
}

static int64_t image_bytes(const job *j, const block *b)
{
    return b->panels * j->nr * j->in_channels * j->size;
}

/* A part of the channels of a block, into the block's own slot. */
static void pack_block_task(void *context, int64_t i, int64_t place)
{
    const job *j = context;
    block b = block_of(j, i / j->row_groups);
    int64_t part = i % j->row_groups;
    char *slot = j->slots + i / j->row_groups * j->slot;
    DH_UNUSED(place);
    for (int64_t n = 0; n < b.images; n++)
        pack_pixels(j, &b, b.n + n, j->in_channels * part / j->row_groups,
                    j->in_channels * (part + 1) / j->row_groups, slot + n * image_bytes(j, &b));
}

/* --- rows of the result --- */

/* Puts what is added where the rows are made, unless it lies there. */
static void take_summand(const job *j, const block *b, int64_t n, int64_t channel, int64_t h)
{
    if (j->s->add->data == j->to->data) return;
    for (int64_t c = channel; c < channel + h; c++)
        memcpy(dh__conv_plane(j->s, j->to, n, c) + b->begin * j->size,
               dh__conv_plane(j->s, j->s->add, n, c) + b->begin * j->size,
               (size_t)((b->end - b->begin) * j->size));
}

#define SPREAD(T)                                                                            \
    {                                                                                        \
        T *to = (T *)(void *)row;                                                            \
        const T *made = (const T *)(const void *)from;                                       \
        for (int64_t i = first; i < end; i++) to[i] = (T)rest;                               \
        for (int64_t i = 0; reached && i < run; i++) to[first + i * w->stride[2]] = made[i]; \
    }

/* The end of what is written with a position: the elements up to the next one, or all that follow.
 */
static int64_t end_of(const dh__windows *w, int axis, int64_t position)
{
    return position + 1 == w->out[axis] ? w->in[axis] : (position + 1) * w->stride[axis];
}

/* A row of the block's results into a plane of the large side, their strides apart; rest: what the
 * elements are that no result reaches. */
static void spread_row(const job *j, const block *b, const char *from, char *plane, double rest)
{
    const dh__windows *w = &j->s->c.w;
    int64_t x = b->begin % w->out[2], y = b->begin / w->out[2] % w->out[1];
    int64_t z = b->begin / w->out[2] / w->out[1];
    for (int64_t left = b->end - b->begin, run; left > 0; left -= run, x = 0) {
        run = dh__at_most(w->out[2] - x, left);
        int64_t first = x * w->stride[2], end = end_of(w, 2, x + run - 1);
        int64_t top = z * w->stride[0] * w->in[1] + y * w->stride[1];
        for (int64_t at_z = z * w->stride[0]; at_z < end_of(w, 0, z); at_z++)
            for (int64_t at_y = y * w->stride[1]; at_y < end_of(w, 1, y); at_y++) {
                char *row = plane + (at_z * w->in[1] + at_y) * w->in[2] * j->size;
                bool reached = at_z * w->in[1] + at_y == top;
                if (j->f64)
                    SPREAD(double)
                else
                    SPREAD(float)
            }
        from += run * j->size;
        if (++y == w->out[1]) {
            y = 0;
            z++;
        }
    }
}

/* Of one image a tile's rows, to c, so many elements apart. */
static void make_rows(const job *j, const block *b, int64_t tile_number, const char *panels,
                      dh__gemm_ahead *ahead, char *c, int64_t c_row)
{
    int64_t first = dh__gemm_tile_row(&j->rows, tile_number);
    int64_t h = dh__gemm_tile_row(&j->rows, tile_number + 1) - first;
    const dh_view *bias = j->s->bias;
    dh__gemm_tile t = {.a = j->weights + first * j->in_channels * j->size,
                       .a_step = h,
                       .b = panels,
                       .b_step = j->nr,
                       .c = c,
                       .b_next = j->in_channels * j->nr,
                       .c_row = c_row,
                       .c_next = j->nr,
                       .k = j->in_channels,
                       .cols = j->nr,
                       .ahead = ahead,
                       .alpha = 1,
                       .beta = j->s->add ? 1 : 0,
                       .act = j->s->act,
                       .act_alpha = j->s->act_alpha};
    if (bias)
        t.row_bias = (const char *)bias->data + (j->group * j->out_channels + first) * j->size;
    int64_t whole = (b->end - b->begin) / j->nr, rest = (b->end - b->begin) % j->nr;
    t.more = whole - 1;
    if (whole) j->kernels->tile[j->f64][1](&t, (int)h);
    t.b = (const char *)t.b + whole * t.b_next * j->size;
    t.c = (char *)t.c + whole * t.c_next * j->size;
    t.more = 0;
    t.cols = rest;
    if (rest) j->kernels->tile[j->f64][1](&t, (int)h);
}

/* The same in a buffer, then to their places. A function of its own, since its frame is large. */
static __attribute__((noinline)) void spread_rows(const job *j, const block *b, int64_t n,
                                                  int64_t tile_number, const char *panels,
                                                  dh__gemm_ahead *ahead)
{
    _Alignas(64) char rows[DH_GEMM_MR_MAX * SPREAD_PITCH * sizeof(double)];
    const dh_view *bias = j->s->bias;
    int64_t channel = j->group * j->out_channels + dh__gemm_tile_row(&j->rows, tile_number);
    int64_t end = j->group * j->out_channels + dh__gemm_tile_row(&j->rows, tile_number + 1);
    make_rows(j, b, tile_number, panels, ahead, rows, SPREAD_PITCH);
    for (const char *row = rows; channel < end; channel++, row += SPREAD_PITCH * j->size)
        spread_row(j, b, row, dh__conv_plane(j->s, j->to, n, channel),
                   bias ? dh__get(bias, channel) : 0);
}

static void make_tile(const job *j, const block *b, int64_t n, int64_t tile_number,
                      const char *panels, dh__gemm_ahead *ahead)
{
    int64_t first = dh__gemm_tile_row(&j->rows, tile_number);
    int64_t h = dh__gemm_tile_row(&j->rows, tile_number + 1) - first;
    int64_t channel = j->group * j->out_channels + first;
    if (j->spreads) {
        spread_rows(j, b, n, tile_number, panels, ahead);
        return;
    }
    if (j->s->add) take_summand(j, b, n, channel, h);
    make_rows(j, b, tile_number, panels, ahead,
              dh__conv_plane(j->s, j->to, n, channel) + b->begin * j->size, j->to->stride[1]);
}

static void sum_task(void *context, int64_t i, int64_t place)
{
    const job *j = context;
    block b = block_of(j, i / j->row_groups);
    int64_t group = i % j->row_groups, image = image_bytes(j, &b);
    char *slot = j->slots + (shared(j) ? i / j->row_groups : place) * j->slot;
    for (int64_t n = 0; n < b.images && !shared(j); n++)
        pack_pixels(j, &b, b.n + n, 0, j->in_channels, slot + n * image);
    int64_t end = j->rows.tiles * (group + 1) / j->row_groups;
    for (int64_t t = j->rows.tiles * group / j->row_groups; t < end; t++) {
        int64_t row = j->in_channels * j->size; /* the weights of the next tile: */
        dh__gemm_ahead ahead =
            dh__gemm_ahead_of(j->weights + dh__gemm_tile_row(&j->rows, t + 1) * row, 1,
                              j->rows.height * row, 0, b.panels * b.images, j->in_channels);
        for (int64_t n = 0; n < b.images; n++)
            make_tile(j, &b, b.n + n, t, slot + n * image, &ahead);
    }
}

static void pack_task(void *context, int64_t t, int64_t place)
{
    const job *j = context;
    const dh_view *weight = &j->s->weight;
    int64_t first = dh__gemm_tile_row(&j->rows, t), step = weight->stride[0];
    int h = (int)(dh__gemm_tile_row(&j->rows, t + 1) - first);
    const char *from = weight->data;
    char *to = j->weights + first * j->in_channels * j->size;
    DH_UNUSED(place);
    if (j->s->to_large)
        j->kernels->pack_copy[j->f64](to, h,
                                      from + (j->group * j->in_channels * step + first) * j->size,
                                      step, h, h, j->in_channels);
    else
        j->kernels->pack_turn[j->f64](to, h,
                                      from + (j->group * j->out_channels + first) * step * j->size,
                                      step, h, h, j->in_channels);
    dh__conv_scale_rows(j->s, to, j->in_channels, h, h, j->group * j->out_channels + first);
}

/* --- the implementation --- */

static int64_t panel_bytes(const job *j)
{
    return j->in_channels * j->nr * j->size;
}

static job job_of(const dh__conv_sides *s)
{
    bool f64 = s->size == 8;
    job j = {.s = s, .kernels = dh__gemm_kernels_now(), .f64 = f64, .size = s->size};
    j.from = s->to_large ? &s->small : &s->large;
    j.to = s->to_large ? &s->large : &s->small;
    j.in_channels = s->to_large ? s->c.out_channels : s->c.in_channels;
    j.out_channels = s->to_large ? s->c.in_channels : s->c.out_channels;
    j.nr = j.kernels->nr[f64];
    j.lanes = j.nr / 2;
    j.plane = dh__windows_positions(&s->c.w);
    j.spreads = s->to_large && !dh__conv_dense(s);
    int64_t all = j.in_channels ? dh__at_most(PIXELS / j.nr, SLAB / panel_bytes(&j)) : 1;
    if (all < 1) all = 1; /* panels of a block */
    int64_t panels = dh__divide_up(j.plane, j.nr);
    j.parts = panels > all ? dh__divide_up(panels, all) : 1;
    j.pixels = dh__divide_up(panels, j.parts) * j.nr;
    j.images = panels && panels < all ? all / panels : 1;
    j.blocks = dh__divide_up(s->c.n, j.images) * j.parts;
    if (j.out_channels) j.rows = dh__gemm_cut_rows(j.out_channels, j.kernels->mr[f64]);
    j.row_groups = 1;
    if (j.blocks && j.blocks < TASKS_WANTED)
        j.row_groups = dh__at_most(dh__divide_up(j.rows.tiles, LEAST_TILES),
                                   dh__divide_up(TASKS_WANTED, j.blocks));
    j.slot = dh__at_most(panel_bytes(&j) > SLAB ? panel_bytes(&j) : SLAB,
                         s->c.n * panels * panel_bytes(&j));
    j.slot = dh__whole_lines(j.slot);
    return j;
}

static const char *refuse_pointwise(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    const char *why = dh__conv_no_point(&s.c.w);
    if (!why) why = dh__conv_not_packed(&s);
    if (why) return why;
    if (s.bias && s.bias->stride[0] != 1) return "bias is not packed";
    if (s.c.in_channels < 1 || s.c.out_channels < 1) return "no channels";
    job j = job_of(&s);
    /* else lines across images leave fewer lanes idle */
    if (5 * j.plane < 4 * dh__divide_up(j.plane, j.lanes) * j.lanes) return "few pixels";
    return NULL;
}

/* Of a group, in whole lines. */
static int64_t weights_bytes(const job *j)
{
    return dh__whole_lines(j->out_channels * j->in_channels * j->size);
}

static size_t scratch_pointwise(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    job j = job_of(&s);
    int64_t slots = dh__cpu_count() > TASKS_WANTED ? dh__cpu_count() : TASKS_WANTED;
    return (size_t)(dh__conv_shift_bytes(&s) + weights_bytes(&j) +
                    dh__at_most(slots, j.blocks) * j.slot);
}

static void pack_weights(job *j, char *to, int64_t places)
{
    j->weights = to;
    dh__team_run_placed(places, j->rows.tiles, pack_task, j);
}

static size_t packed_pointwise(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    if (call->op != &dh_op_conv && call->op != &dh_op_conv_transpose) return 0;
    job j = job_of(&s);
    return (size_t)(dh__conv_shift_bytes(&s) + weights_bytes(&j) * s.c.groups);
}

static void pack_pointwise(const dh_call *call, void *out)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    job j = job_of(&s);
    char *weights = (char *)out + dh__conv_shift_bytes(&s);
    dh__conv_pack_shifts(&s, out);
    for (j.group = 0; j.group < s.c.groups; j.group++)
        pack_weights(&j, weights + j.group * weights_bytes(&j), dh__cpu_count());
}

static dh_status run_pointwise(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    job j = job_of(&s);
    if (!dh__view_count(&call->out[0])) return DH_OK;
    char *scratch, *packed = dh__conv_fold(&s, call, &scratch);
    j.slots = scratch + weights_bytes(&j);
    double flops = 2.0 * (double)dh__view_count(j.to) * (double)j.in_channels;
    int64_t places = flops > SERIAL_FLOPS ? dh__cpu_count() : 1;
    for (j.group = 0; j.group < s.c.groups; j.group++) {
        if (packed)
            j.weights = packed + j.group * weights_bytes(&j);
        else
            pack_weights(&j, scratch, places);
        if (shared(&j)) dh__team_run_placed(places, j.blocks * j.row_groups, pack_block_task, &j);
        dh__team_run_placed(places, j.blocks * j.row_groups, sum_task, &j);
    }
    return DH_OK;
}

const dh_impl dh__conv_pointwise = {.name = "pointwise",
                                    .refuse = refuse_pointwise,
                                    .scratch = scratch_pointwise,
                                    .packed = packed_pointwise,
                                    .pack = pack_pointwise,
                                    .run = run_pointwise};
