/* SPDX-License-Identifier: MIT */
/* The gradient of weights whose window is one element: the products of all channels of x and of dy,
 * summed over pixels. Of the two the one with more channels is read as it lies, its channels the
 * rows of a product; the other, or x where its elements lie strides apart, is turned, up to 256
 * pixels of a panel of channels at a time, into what the GEMM's micro-kernel reads from L1. The
 * pixels are dealt to shares, each with a sum of its own, which are added in order at the end. */
#include <string.h>

#include "conv_sides.h"
#include "cpu.h"
#include "cut.h"
#include "gemm_plan.h"
#include "team.h"

#define PIXELS         256 /* summed in registers, at most */
#define LEAST_PIXELS   16  /* of an image: fewer are turned by parts of vectors */
#define LEAST_CHANNELS 8   /* of both: fewer leave lanes idle */
#define ROWS_A_TASK    256 /* so that their pixels stay in L2 while panels pass by */
#define COLUMNS_A_TASK 256
#define SERIAL_FLOPS   2e6
#define PANEL_BYTES    (PIXELS * 128) /* two vectors a pixel */

typedef struct job {
    const dh__conv_sides *s;
    const dh__gemm_kernels *kernels;
    bool f64, turns_x;                /* else dy is turned */
    const dh_view *lying, *turned;    /* x and dy, or dy and x */
    int64_t size, nr;                 /* bytes of an element; columns of the micro-kernel */
    int64_t group, rows, cols, pitch; /* channels of a group; pitch: of a row of a sum */
    int64_t plane, pixels, parts;     /* of an image in a chunk, chunks of an image; or */
    int64_t images, chunks;           /* whole images in a chunk */
    int64_t panels;                   /* of the turned channels */
    int64_t row_blocks, col_blocks, shares;
    dh__gemm_rows tiles;
    char *sums; /* [share][row][pitch] */
} job;

typedef struct chunk { /* pixels from begin on of each image */
    int64_t n, images, begin, pixels;
} chunk;

static chunk chunk_of(const job *j, int64_t number)
{
    chunk c = {.n = number / j->parts * j->images, .begin = number % j->parts * j->pixels};
    c.images = dh__at_most(j->images, j->s->c.n - c.n);
    c.pixels = dh__at_most(j->pixels, j->plane - c.begin);
    return c;
}

static char *sum_at(const job *j, int64_t share, int64_t row, int64_t col)
{
    return j->sums + ((share * j->rows + row) * j->pitch + col) * j->size;
}

/* --- products --- */

/* A panel of channels, [pixel][nr], zeros for those that there are not. */
static void turn_panel(const job *j, const chunk *c, int64_t panel, char *out)
{
    _Alignas(64) char gathered[PANEL_BYTES];
    int64_t first = panel * j->nr, width = dh__at_most(j->nr, j->cols - first);
    for (int64_t i = 0; i < c->images; i++, out += c->pixels * j->nr * j->size) {
        const char *from = dh__conv_plane(j->s, j->turned, c->n + i, j->group * j->cols + first);
        int64_t step = j->turned->stride[1], apart = c->pixels;
        if (j->turns_x && !dh__conv_dense(j->s)) {
            for (int64_t k = 0; k < width; k++)
                dh__conv_pixels(j->s, from + k * step * j->size, c->begin, c->pixels,
                                gathered + k * apart * j->size);
            from = gathered;
            step = apart;
        } else {
            from += c->begin * j->size;
        }
        j->kernels->pack_turn[j->f64](out, j->nr, from, step, (int)width, (int)j->nr, c->pixels);
    }
}

/* What a chunk adds to the rows of tiles [begin, end) and the columns of a panel. */
static void add_panel(const job *j, const chunk *c, const char *panel, int64_t number,
                      int64_t begin, int64_t end, int64_t share, double beta)
{
    dh__gemm_at runs[PIXELS / LEAST_PIXELS]; /* no image of a chunk has fewer pixels */
    int64_t cols = j->cols - number * j->nr;
    dh__gemm_ahead none = {0}; /* but C */
    for (int64_t i = 0; i < c->images; i++)
        runs[i] = (dh__gemm_at){.a = i * j->lying->stride[0], .b = i * c->pixels * j->nr};
    dh__gemm_tile t = {.a_step = j->lying->stride[1],
                       .b = panel,
                       .b_step = j->nr,
                       .c_row = j->pitch,
                       .k = c->pixels,
                       .cols = cols > j->nr / 2 ? j->nr : j->nr / 2,
                       .runs = runs,
                       .run_count = c->images,
                       .alpha = 1,
                       .beta = beta,
                       .ahead = &none};
    for (; begin < end; begin++) {
        int64_t row = dh__gemm_tile_row(&j->tiles, begin);
        t.a = dh__conv_plane(j->s, j->lying, c->n, j->group * j->rows + row) + c->begin * j->size;
        t.c = sum_at(j, share, row, number * j->nr);
        j->kernels->tile[j->f64][0](&t, (int)(dh__gemm_tile_row(&j->tiles, begin + 1) - row));
    }
}

static void sum_task(void *context, int64_t i, int64_t place)
{
    const job *j = context;
    _Alignas(64) char panel[PANEL_BYTES];
    int64_t share = i / (j->row_blocks * j->col_blocks), at = i % (j->row_blocks * j->col_blocks);
    int64_t row_block = at / j->col_blocks, col_block = at % j->col_blocks;
    int64_t begin = j->tiles.tiles * row_block / j->row_blocks;
    int64_t end = j->tiles.tiles * (row_block + 1) / j->row_blocks;
    int64_t panel0 = j->panels * col_block / j->col_blocks;
    int64_t panel1 = j->panels * (col_block + 1) / j->col_blocks;
    int64_t first = j->chunks * share / j->shares, last = j->chunks * (share + 1) / j->shares;
    DH_UNUSED(place);
    for (int64_t number = first; number < last; number++) {
        chunk c = chunk_of(j, number);
        for (int64_t p = panel0; p < panel1; p++) {
            turn_panel(j, &c, p, panel);
            add_panel(j, &c, panel, p, begin, end, share, number > first ? 1 : 0);
        }
    }
}

/* --- the shares' sum into the gradient --- */

#define ADD_SHARES(T)                                                    \
    {                                                                    \
        T *sum = (T *)(void *)sum_at(j, 0, r, 0);                        \
        const T *more = (const T *)(const void *)sum_at(j, share, r, 0); \
        for (int64_t k = 0; k < j->cols; k++) sum[k] += more[k];         \
    }

static void add_shares(const job *j, int64_t first, int64_t end)
{
    for (int64_t r = first; r < end; r++)
        for (int64_t share = 1; share < j->shares; share++) {
            if (j->f64)
                ADD_SHARES(double)
            else
                ADD_SHARES(float)
        }
}

/* nr rows of the sums. */
static void finish_task(void *context, int64_t i, int64_t place)
{
    const job *j = context;
    const dh_view *w = &j->s->weight;
    int64_t row = i * j->nr, count = dh__at_most(j->nr, j->rows - row), step = w->stride[0];
    char *to = (char *)w->data + j->group * j->s->c.out_channels * step * j->size;
    DH_UNUSED(place);
    add_shares(j, row, row + count);
    if (j->turns_x)
        for (int64_t k = 0; k < count; k++)
            memcpy(to + (row + k) * step * j->size, sum_at(j, 0, row + k, 0),
                   (size_t)(j->cols * j->size));
    else
        j->kernels->pack_turn[j->f64](to + row * j->size, step, sum_at(j, 0, row, 0), j->pitch,
                                      (int)count, (int)count, j->cols);
}

/* --- the implementation --- */

static job job_of(const dh__conv_sides *s)
{
    const dh__conv *c = &s->c;
    job j = {.s = s, .kernels = dh__gemm_kernels_now(), .f64 = s->size == 8, .size = s->size};
    j.nr = j.kernels->nr[j.f64];
    j.turns_x = c->in_channels <= c->out_channels || !dh__conv_dense(s);
    j.lying = j.turns_x ? &s->small : &s->large;
    j.turned = j.turns_x ? &s->large : &s->small;
    j.rows = j.turns_x ? c->out_channels : c->in_channels;
    j.cols = j.turns_x ? c->in_channels : c->out_channels;
    j.plane = dh__windows_positions(&c->w);
    j.parts = dh__at_least(1, dh__divide_up(j.plane, PIXELS));
    j.pixels = dh__divide_up(dh__divide_up(j.plane, j.parts), LEAST_PIXELS) * LEAST_PIXELS;
    if (j.parts == 1) j.pixels = j.plane;
    j.images = j.plane ? dh__at_least(1, PIXELS / j.plane) : 1;
    j.chunks = dh__divide_up(c->n, j.images) * j.parts;
    j.panels = dh__divide_up(j.cols, j.nr);
    j.pitch = j.panels * j.nr;
    if (j.rows) j.tiles = dh__gemm_cut_rows(j.rows, j.kernels->mr[j.f64]);
    j.row_blocks = dh__at_most(j.tiles.tiles, dh__divide_up(j.rows, ROWS_A_TASK));
    j.col_blocks = dh__divide_up(j.pitch, COLUMNS_A_TASK);
    j.shares = dh__conv_shares(dh__at_least(1, j.row_blocks * j.col_blocks),
                               (double)j.rows * (double)j.pitch * (double)j.size);
    j.shares = dh__at_most(j.shares, j.chunks);
    return j;
}

static const char *refuse_pointwise_dw(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    const dh__conv *c = &s.c;
    const char *why = dh__conv_no_point(&c->w);
    if (!why) why = dh__conv_not_packed(&s);
    if (why) return why;
    if (c->out_channels < LEAST_CHANNELS) return "few output channels";
    if (c->in_channels < LEAST_CHANNELS) return "few input channels";
    if (dh__windows_positions(&c->w) < LEAST_PIXELS) return "few pixels";
    return NULL;
}

static size_t scratch_pointwise_dw(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    job j = job_of(&s);
    return (size_t)(j.shares * j.rows * j.pitch * j.size);
}

static dh_status run_pointwise_dw(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    job j = job_of(&s);
    if (!dh__view_count(&call->out[0])) return DH_OK;
    if (!j.chunks) {
        dh__conv_zero_weight(&s);
        return DH_OK;
    }
    j.sums = call->scratch;
    double flops = 2.0 * (double)dh__view_count(&s.small) * (double)s.c.in_channels;
    int64_t places = flops > SERIAL_FLOPS ? dh__cpu_count() : 1;
    for (j.group = 0; j.group < s.c.groups; j.group++) {
        dh__team_run_placed(places, j.shares * j.row_blocks * j.col_blocks, sum_task, &j);
        dh__team_run_placed(places, dh__divide_up(j.rows, j.nr), finish_task, &j);
    }
    return DH_OK;
}

const dh_impl dh__conv_pointwise_dw = {.name = "pointwise",
                                       .refuse = refuse_pointwise_dw,
                                       .scratch = scratch_pointwise_dw,
                                       .run = run_pointwise_dw};
