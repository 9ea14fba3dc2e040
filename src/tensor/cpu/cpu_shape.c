/* SPDX-License-Identifier: MIT */
/* Copies where a shape op cannot give a view, and the ops that put parts together. All of them take
 * every dtype and any strides. */
#include <string.h>

#include "cpu.h"
#include "move.h"
#include "shape.h"
#include "team.h"

/* --- ops whose result is a part of the first input: the op's own view says which --- */

static dh_status run_part(const dh_call *call)
{
    dh_view part = call->out[0];
    dh_call asked = *call;
    int64_t offset = 0;
    part.data = NULL;
    asked.out = &part;
    if (!call->op->view(&asked, &offset))
        return dh_fail(DH_EINTERNAL, "%s: the part has no strides", call->op->name);
    part.data = call->in[0].data;
    dh__view_shift(&part, offset);
    dh__move(&call->out[0], &part);
    return DH_OK;
}

#define PART_OP(op)                                                     \
    static const dh_impl op##_copy = {.name = "copy", .run = run_part}; \
    const dh_impl *const dh_cpu_##op[] = {&op##_copy, NULL};

PART_OP(permute)
PART_OP(expand_like)
PART_OP(slice)
PART_OP(split_like)
PART_OP(pad_dx)
PART_OP(diag)

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

/* --- constants around and under parts --- */

static dh_status run_fill_like(const dh_call *call)
{
    dh__fill(&call->out[0], ((const dh_fill_attr *)call->attr)->value);
    return DH_OK;
}

static dh_status run_slice_dx(const dh_call *call)
{
    dh_view part;
    int64_t offset;
    DH_TRY(dh__slice_view(&part, &offset, &call->out[0], call->attr, "slice_dx"));
    dh__view_shift(&part, offset);
    if (dh__view_count(&part) < dh__view_count(&call->out[0])) dh__fill(&call->out[0], 0);
    dh__move(&part, &call->in[0]);
    return DH_OK;
}

static dh_status run_pad(const dh_call *call)
{
    const dh_pad_attr *attr = call->attr;
    dh_view part;
    int64_t offset;
    dh__crop_view(&part, &offset, &call->out[0], &attr->pads);
    dh__view_shift(&part, offset);
    if (dh__view_count(&part) < dh__view_count(&call->out[0])) dh__fill(&call->out[0], attr->value);
    dh__move(&part, &call->in[0]);
    return DH_OK;
}

static dh_status run_diag_embed(const dh_call *call)
{
    dh_view part;
    int64_t offset;
    dh__diag_view(&part, &offset, &call->out[0], ((const dh_diag_attr *)call->attr)->k);
    dh__view_shift(&part, offset);
    dh__fill(&call->out[0], 0);
    dh__move(&part, &call->in[0]);
    return DH_OK;
}

static dh_status run_concat(const dh_call *call)
{
    const dh_view *y = &call->out[0];
    int axis = ((const dh_axis_attr *)call->attr)->axis;
    int64_t start = 0, offset;
    if (axis < 0) axis += y->ndim;
    for (int i = 0; i < call->in_count; i++) {
        dh_view part;
        dh__part_view(&part, &offset, y, axis, start, call->in[i].shape[axis]);
        dh__view_shift(&part, offset);
        dh__move(&part, &call->in[i]);
        start += call->in[i].shape[axis];
    }
    return DH_OK;
}

static const dh_impl fill_like_any = {.name = "fill", .run = run_fill_like};
const dh_impl *const dh_cpu_fill_like[] = {&fill_like_any, NULL};
static const dh_impl slice_dx_copy = {.name = "copy", .run = run_slice_dx};
const dh_impl *const dh_cpu_slice_dx[] = {&slice_dx_copy, NULL};
static const dh_impl pad_copy = {.name = "copy", .run = run_pad};
const dh_impl *const dh_cpu_pad[] = {&pad_copy, NULL};
static const dh_impl diag_embed_copy = {.name = "copy", .run = run_diag_embed};
const dh_impl *const dh_cpu_diag_embed[] = {&diag_embed_copy, NULL};
static const dh_impl concat_copy = {.name = "copy", .run = run_concat, .channels_last = true};
const dh_impl *const dh_cpu_concat[] = {&concat_copy, NULL};

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
