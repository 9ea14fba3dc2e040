/* SPDX-License-Identifier: MIT */
/* Copies where a shape op cannot give a view, and the ops that put parts together. All of them take
 * every dtype and any strides. */
#include <string.h>

#include "cpu.h"
#include "move.h"
#include "mover.h"
#include "shape.h"
#include "team.h"

static dh_status move(const dh_call *call, const dh_view *to, const dh_view *from)
{
    DH_UNUSED(call);
    dh__move(to, from);
    return DH_OK;
}

static dh_status fill(const dh_call *call, const dh_view *to, double value)
{
    DH_UNUSED(call);
    dh__fill(to, value);
    return DH_OK;
}

static const dh__mover mover = {move, fill};

DH_MOVES(dh_cpu, permute, part, mover, false)
DH_MOVES(dh_cpu, expand_like, part, mover, false)
DH_MOVES(dh_cpu, slice, part, mover, false)
DH_MOVES(dh_cpu, split_like, part, mover, false)
DH_MOVES(dh_cpu, pad_dx, part, mover, false)
DH_MOVES(dh_cpu, diag, part, mover, false)
DH_MOVES(dh_cpu, fill_like, fill_like, mover, false)
DH_MOVES(dh_cpu, slice_dx, slice_dx, mover, false)
DH_MOVES(dh_cpu, pad, pad, mover, false)
DH_MOVES(dh_cpu, diag_embed, diag_embed, mover, false)
DH_MOVES(dh_cpu, concat, concat, mover, true)

/* --- reshape --- */

typedef struct refold {
    const dh_view *out, *x;
} refold;

/* Both sides strided and neither shape a refinement of the other: element by element. */
static void refold_range(void *context, int64_t begin, int64_t end)
{
    const refold *r = context;
    size_t size = dh_dtype_size(r->x->dtype);
    for (int64_t i = begin; i < end; i++)
        memcpy((char *)r->out->data + dh__offset_of(r->out, r->out->ndim, i) * (int64_t)size,
               (const char *)r->x->data + dh__offset_of(r->x, r->x->ndim, i) * (int64_t)size, size);
}

static dh_status run_reshape(const dh_call *call)
{
    dh_view y = call->out[0], x = call->in[0];
    dh_view as_y = y, as_x = x;
    if (dh__reshape_view(&as_x, &y)) { /* the output under x's shape */
        as_x.data = y.data;
        dh__move(&as_x, &x);
    } else if (dh__reshape_view(&as_y, &x)) {
        as_y.data = x.data;
        dh__move(&y, &as_y);
    } else {
        refold r = {&y, &x};
        dh__team_ranges(dh__view_count(&x), 4096, refold_range, &r);
    }
    return DH_OK;
}

static const dh_impl reshape_copy = {.name = "copy", .run = run_reshape};
const dh_impl *const dh_cpu_reshape[] = {&reshape_copy, NULL};
const dh_impl *const dh_cpu_reshape_like[] = {&reshape_copy, NULL};

/* --- tile --- */

typedef struct tiling {
    const dh_view *big, *small;
    const dh_ints *repeats;
    size_t size;
    int64_t length; /* of small's last axis */
} tiling;

/* Rows of the big tensor, each the repeated row of the small one. */
static void tile_rows(void *context, int64_t begin, int64_t end)
{
    const tiling *t = context;
    int last = t->big->ndim - 1;
    int64_t size = (int64_t)t->size, repeats = t->repeats->v[last];
    for (int64_t row = begin; row < end; row++) {
        int64_t rest = row, to = 0, at = 0;
        for (int i = last - 1; i >= 0; i--) {
            int64_t k = rest % t->big->shape[i];
            rest /= t->big->shape[i];
            to += k * t->big->stride[i];
            at += k % t->small->shape[i] * t->small->stride[i];
        }
        char *dst = (char *)t->big->data + to * size;
        const char *src = (const char *)t->small->data + at * size;
        int64_t ds = t->big->stride[last] * size, ss = t->small->stride[last] * size;
        for (int64_t r = 0; r < repeats; r++, dst += t->length * ds) {
            if (ds == size && ss == size) {
                memcpy(dst, src, (size_t)(t->length * size));
                continue;
            }
            for (int64_t j = 0; j < t->length; j++) memcpy(dst + j * ds, src + j * ss, t->size);
        }
    }
}

static dh_status run_tile(const dh_call *call)
{
    const dh_view *y = &call->out[0], *x = &call->in[0];
    tiling t = {y, x, &((const dh_tile_attr *)call->attr)->repeats, dh_dtype_size(x->dtype), 0};
    if (dh__view_count(y) == 0) return DH_OK;
    if (y->ndim == 0) {
        memcpy(y->data, x->data, t.size);
        return DH_OK;
    }
    int64_t width = y->shape[y->ndim - 1], grain = 16384 / width;
    t.length = x->shape[x->ndim - 1];
    dh__team_ranges(dh__view_count(y) / width, grain < 1 ? 1 : grain, tile_rows, &t);
    return DH_OK;
}

#define TILE_CHUNK 128

/* One piece of a row of the small tensor: the sum of its copies in the big one, in row-major order.
 */
static void sum_copies(const tiling *t, int64_t row, int64_t first, int64_t n)
{
    union {
        double d[TILE_CHUNK];
        uint64_t u[TILE_CHUNK];
    } sum, term;
    int last = t->big->ndim - 1;
    bool real = dh_dtype_is_float(t->big->dtype);
    int64_t size = (int64_t)t->size, copies = 1, base = first * t->big->stride[last];
    int64_t to = first * t->small->stride[last], rest = row;
    for (int i = last - 1; i >= 0; i--) {
        base += rest % t->small->shape[i] * t->big->stride[i];
        to += rest % t->small->shape[i] * t->small->stride[i];
        rest /= t->small->shape[i];
    }
    for (int i = 0; i <= last; i++) copies *= t->repeats->v[i];
    memset(&sum, 0, sizeof sum);
    for (int64_t c = 0; c < copies; c++) {
        int64_t at = base;
        rest = c;
        for (int i = last; i >= 0; i--) {
            at += rest % t->repeats->v[i] * t->small->shape[i] * t->big->stride[i];
            rest /= t->repeats->v[i];
        }
        dh__row_widen(t->big->dtype, &term, (const char *)t->big->data + at * size,
                      t->big->stride[last] * size, n);
        for (int64_t j = 0; real && j < n; j++) sum.d[j] += term.d[j];
        for (int64_t j = 0; !real && j < n; j++) sum.u[j] += term.u[j];
    }
    dh__row_narrow(t->small->dtype, (char *)t->small->data + to * size,
                   t->small->stride[last] * size, &sum, n);
}

static void tile_dx_rows(void *context, int64_t begin, int64_t end)
{
    const tiling *t = context;
    for (int64_t row = begin; row < end; row++)
        for (int64_t first = 0; first < t->length; first += TILE_CHUNK)
            sum_copies(t, row, first,
                       t->length - first < TILE_CHUNK ? t->length - first : TILE_CHUNK);
}

static dh_status run_tile_dx(const dh_call *call)
{
    const dh_view *y = &call->out[0], *dy = &call->in[0];
    tiling t = {dy, y, &((const dh_tile_attr *)call->attr)->repeats, dh_dtype_size(dy->dtype), 0};
    if (dh__view_count(y) == 0) return DH_OK;
    if (y->ndim == 0) {
        memcpy(y->data, dy->data, t.size);
        return DH_OK;
    }
    t.length = y->shape[y->ndim - 1];
    int64_t rows = dh__view_count(y) / t.length, work = dh__view_count(dy) / rows + 1;
    dh__team_ranges(rows, work < 16384 ? 16384 / work : 1, tile_dx_rows, &t);
    return DH_OK;
}

static const dh_impl tile_rows_impl = {.name = "rows", .run = run_tile};
const dh_impl *const dh_cpu_tile[] = {&tile_rows_impl, NULL};
static const dh_impl tile_dx_impl = {.name = "rows", .run = run_tile_dx};
const dh_impl *const dh_cpu_tile_dx[] = {&tile_dx_impl, NULL};
