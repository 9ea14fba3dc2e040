/* SPDX-License-Identifier: MIT */
#include "last_windows.h"

#include "cpu.h"
#include "cut.h"
#include "team.h"

#define TASKS_WANTED 16
#define LINE         16    /* channels that tasks share out, at least */
#define SERIAL_WORK  16384 /* elements of the result */

typedef struct job {
    const dh__windows *w;
    const dh_view *x, *y;
    dh__last_fn fn;
    const dh__last_run *like;
    int64_t size, channels; /* bytes of an element; of an image */
    int64_t rows_a_task;
    int64_t parts; /* of the channels */
    bool known;
    int64_t left, right; /* columns before and from which on windows hang over */
} job;

/* Adds the taps [first, last) of a row of the window, whose first element is at `at`. */
static void add_row(dh__last_run *run, const job *j, int64_t key, int64_t at, int64_t first,
                    int64_t last)
{
    for (int64_t k = first; k < last; k++) {
        run->at[run->taps] = at + k * j->w->dilation[2] * j->channels;
        run->key[run->taps++] = key + k;
    }
}

/* Columns [col, end) of a row of the result, which see the same taps. */
static void make_run(const job *j, dh__last_run *run, const int64_t place[3], int64_t end)
{
    const dh__windows *w = j->w;
    int64_t first[3], last[3], origin[3];
    for (int i = 0; i < 3; i++) {
        dh__windows_inside(w, i, place[i], &first[i], &last[i]);
        origin[i] = place[i] * w->stride[i] - w->begin[i];
    }
    run->taps = 0;
    run->positions = end - place[2];
    for (int64_t a = first[0]; a < last[0]; a++)
        for (int64_t b = first[1]; b < last[1]; b++) {
            int64_t z = origin[0] + a * w->dilation[0], y = origin[1] + b * w->dilation[1];
            add_row(run, j, (a * w->size[1] + b) * w->size[2],
                    ((z * w->in[1] + y) * w->in[2] + origin[2]) * j->channels, first[2], last[2]);
        }
    j->fn(run);
}

/* Sums of 3x3 windows have a kernel of their own. */
static bool is_3x3(const dh__windows *w, const dh__last_run *like)
{
    return like->weight && like->act != DH_ACT_LEAKY_RELU && w->size[0] == 1 && w->size[1] == 3 &&
           w->size[2] == 3 && w->dilation[2] == 1 && w->stride[2] <= 2;
}

static void make_row_3x3(const job *j, int64_t n, int64_t row, int64_t c, int64_t channels)
{
    const dh__windows *w = j->w;
    int64_t z = row / w->out[1] * w->stride[0] - w->begin[0];
    int64_t top = row % w->out[1] * w->stride[1] - w->begin[1];
    const dh__last_run *like = j->like;
    dh__last_row r = {.cols = w->in[2],
                      .first = -w->begin[2],
                      .stride = w->stride[2],
                      .positions = w->out[2],
                      .channels = channels,
                      .pixel = j->channels,
                      .weight_row = like->weight_row,
                      .act = like->act};
    const char *image = (const char *)j->x->data + (n * j->x->stride[0] + c) * j->size;
    for (int64_t a = 0; a < 3; a++) {
        int64_t y = top + a * w->dilation[1];
        if (z < 0 || z >= w->in[0] || y < 0 || y >= w->in[1]) continue;
        r.x[a] = image + (z * w->in[1] + y) * w->in[2] * j->channels * j->size;
    }
    r.y = (char *)j->y->data + (n * j->y->stride[0] + row * w->out[2] * j->channels + c) * j->size;
    r.weight = (const char *)like->weight + c * j->size;
    r.zeros = (const char *)r.weight + 9 * like->weight_row * j->size;
    if (like->bias) r.bias = (const char *)like->bias + c * j->size;
    dh__last_table(j->size == 8)->sum_3x3(&r);
}

static void make_row(const job *j, int64_t n, int64_t row, int64_t c, int64_t channels)
{
    const dh__windows *w = j->w;
    int64_t place[3] = {row / w->out[1], row % w->out[1], 0}, out = row * w->out[2];
    dh__last_run run = *j->like;
    run.x = (const char *)j->x->data + (n * j->x->stride[0] + c) * j->size;
    run.x_step = w->stride[2] * j->channels;
    run.y_step = j->channels;
    run.channels = channels;
    if (run.weight) run.weight = (const char *)run.weight + c * j->size;
    if (run.bias) run.bias = (const char *)run.bias + c * j->size;
    while (place[2] < w->out[2]) {
        bool whole = place[2] >= j->left && place[2] < j->right;
        int64_t end = whole ? j->right : place[2] + 1;
        run.y = (char *)j->y->data +
                (n * j->y->stride[0] + (out + place[2]) * j->channels + c) * j->size;
        make_run(j, &run, place, end);
        place[2] = end;
    }
}

/* number: [n][rows][part of the channels] */
static void task(void *context, int64_t number)
{
    const job *j = context;
    int64_t rows = j->w->out[0] * j->w->out[1], bands = dh__divide_up(rows, j->rows_a_task);
    int64_t part = number % j->parts, band = number / j->parts % bands;
    int64_t lines = dh__divide_up(j->channels, LINE);
    int64_t c = lines * part / j->parts * LINE;
    int64_t end = dh__at_most(lines * (part + 1) / j->parts * LINE, j->channels);
    int64_t last = dh__at_most((band + 1) * j->rows_a_task, rows);
    for (int64_t row = band * j->rows_a_task; row < last; row++)
        (j->known ? make_row_3x3 : make_row)(j, number / j->parts / bands, row, c, end - c);
}

const char *dh__last_refuse(const dh__windows *w, const dh_view *x, const dh_view *y)
{
    if (x->dtype != DH_F32 && x->dtype != DH_F64) return "dtype is neither f32 nor f64";
    if (x->shape[1] < 2) return "one channel";
    if (!dh__channels_last(x) || !dh__channels_last(y)) return "channels are not last";
    for (int64_t i = 0, taps = 1; i < 3; i++) { /* each factor is checked: a product may wrap */
        if (w->in[i] < 1) return "images are empty";
        if (w->size[i] > DH_LAST_TAPS_MAX / taps) return "window is large";
        taps *= w->size[i];
    }
    return NULL;
}

void dh__last_windows(const dh__windows *w, const dh_view *x, const dh_view *y, dh__last_fn fn,
                      const dh__last_run *like)
{
    job j = {.w = w,
             .x = x,
             .y = y,
             .fn = fn,
             .like = like,
             .size = (int64_t)dh_dtype_size(x->dtype),
             .channels = x->shape[1],
             .parts = 1,
             .known = is_3x3(w, like)};
    int64_t rows = w->out[0] * w->out[1], n = x->shape[0], first, last;
    if (!dh__view_count(y)) return;
    for (j.left = 0; j.left < w->out[2]; j.left++) {
        dh__windows_inside(w, 2, j.left, &first, &last);
        if (first == 0) break;
    }
    for (j.right = w->out[2]; j.right > j.left; j.right--) {
        dh__windows_inside(w, 2, j.right - 1, &first, &last);
        if (last == w->size[2]) break;
    }
    bool small = dh__view_count(y) < SERIAL_WORK;
    int64_t wanted = small ? 1 : dh__divide_up(TASKS_WANTED, n), bands = dh__at_most(rows, wanted);
    j.rows_a_task = dh__divide_up(rows, bands);
    bands = dh__divide_up(rows, j.rows_a_task);
    j.parts = dh__at_most(dh__divide_up(j.channels, LINE), dh__divide_up(wanted, bands));
    dh__team_run(n * bands * j.parts, task, &j);
}
