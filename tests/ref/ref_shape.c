/* SPDX-License-Identifier: MIT */
/* Shape ops, told index by index. */
#include <stddef.h>
#include <string.h>

#include "ref.h"

/* Position of an index in a packed tensor. */
static int64_t flat(const ref_tensor *t, const int64_t *index)
{
    int64_t at = 0;
    for (int i = 0; i < t->ndim; i++) at = at * t->shape[i] + index[i];
    return at;
}

/* The next index in row-major order; false after the last. */
static bool advance(const ref_tensor *t, int64_t *index)
{
    for (int i = t->ndim - 1; i >= 0; i--) {
        if (++index[i] < t->shape[i]) return true;
        index[i] = 0;
    }
    return false;
}

static int from_front(int64_t axis, int ndim)
{
    return (int)(axis < 0 ? axis + ndim : axis);
}

static void copy_data(const ref_call *c)
{
    if (c->out->count) memcpy(c->out->data, c->in[0].data, (size_t)c->out->count * sizeof(double));
}

static void reshape(const ref_call *c)
{
    const dh_ints *want = &((const dh_reshape_attr *)c->attr)->shape;
    const ref_tensor *x = &c->in[0];
    int64_t shape[DH_MAX_NDIM], have = 1, left = 1;
    for (int i = 0; i < x->ndim; i++) /* kept axes stand on both sides */
        if (!(i < want->count && want->v[i] == 0)) left *= x->shape[i];
    for (int i = 0; i < want->count; i++)
        if (want->v[i] > 0) have *= want->v[i];
    for (int i = 0; i < want->count; i++)
        shape[i] = want->v[i] == 0 ? x->shape[i] : want->v[i] == -1 ? left / have : want->v[i];
    ref_new(c->out, want->count, shape);
    copy_data(c);
}

static void reshape_like(const ref_call *c)
{
    ref_new(c->out, c->in[1].ndim, c->in[1].shape);
    copy_data(c);
}

static void permute(const ref_call *c)
{
    const dh_ints *axes = &((const dh_permute_attr *)c->attr)->axes;
    const ref_tensor *x = &c->in[0];
    int64_t shape[DH_MAX_NDIM], y[DH_MAX_NDIM] = {0}, from[DH_MAX_NDIM];
    for (int i = 0; i < x->ndim; i++) shape[i] = x->shape[from_front(axes->v[i], x->ndim)];
    ref_new(c->out, x->ndim, shape);
    if (!c->out->count) return;
    do {
        for (int i = 0; i < x->ndim; i++) from[from_front(axes->v[i], x->ndim)] = y[i];
        c->out->data[flat(c->out, y)] = x->data[flat(x, from)];
    } while (advance(c->out, y));
}

static void expand_like(const ref_call *c)
{
    const dh_reduce_attr *attr = c->attr;
    ref_tensor x = c->in[0];
    const ref_tensor *like = &c->in[1];
    if (!attr->keepdims) { /* lengths of 1 where the axes were */
        bool gone[DH_MAX_NDIM] = {false};
        int at = 0;
        for (int i = 0; i < attr->axes.count; i++)
            gone[from_front(attr->axes.v[i], like->ndim)] = true;
        for (int i = 0; i < like->ndim; i++) {
            bool one = gone[i] || attr->axes.count == 0;
            x.shape[i] = one ? 1 : c->in[0].shape[at];
            at += !one;
        }
        x.ndim = like->ndim;
    }
    int64_t y[DH_MAX_NDIM] = {0}, from[DH_MAX_NDIM];
    ref_new(c->out, like->ndim, like->shape);
    if (!c->out->count) return;
    do {
        for (int i = 0; i < x.ndim; i++) from[i] = x.shape[i] == 1 ? 0 : y[like->ndim - x.ndim + i];
        c->out->data[flat(c->out, y)] = x.data[flat(&x, from)];
    } while (advance(c->out, y));
}

/* The indices that a slice visits along one axis, by counting as Python's range does. */
static int64_t visited(const dh_slice_attr *a, int axis, int64_t n, int64_t *list)
{
    if (axis >= a->count) {
        for (int64_t i = 0; i < n; i++) list[i] = i;
        return n;
    }
    int64_t start = a->start[axis], stop = a->stop[axis], step = a->step[axis], found = 0;
    if (a->drop[axis]) {
        list[0] = start < 0 ? start + n : start;
        return 1;
    }
    if (start == INT64_MAX)
        start = step > 0 ? 0 : n - 1;
    else if (start < 0)
        start += n;
    if (stop == INT64_MAX)
        stop = step > 0 ? n : -1;
    else if (stop < 0)
        stop = stop + n < 0 ? -1 : stop + n;
    if (step > 0 && start < 0) start = 0;
    if (step < 0 && start > n - 1) start = n - 1;
    for (int64_t i = start; step > 0 ? i < stop && i < n : i > stop && i >= 0; i += step)
        list[found++] = i;
    return found;
}

#define REF_LIST 4096

/* Visits each pair (position in the slice, position in the whole). */
static void each_sliced(const dh_slice_attr *a, const ref_tensor *whole, ref_tensor *part,
                        void (*visit)(double *part, double *whole), bool make)
{
    static int64_t lists[DH_MAX_NDIM][REF_LIST];
    int64_t length[DH_MAX_NDIM] = {0}, shape[DH_MAX_NDIM] = {0}, at[DH_MAX_NDIM] = {0}, count = 1;
    int ndim = 0;
    for (int i = 0; i < whole->ndim; i++) {
        length[i] = visited(a, i, whole->shape[i], lists[i]);
        count *= length[i];
        if (!(i < a->count && a->drop[i])) shape[ndim++] = length[i];
    }
    if (make) ref_new(part, ndim, shape);
    ref_tensor grid = {.ndim = whole->ndim};
    memcpy(grid.shape, length, sizeof length);
    for (int64_t k = 0; k < count; k++) {
        int64_t from[DH_MAX_NDIM];
        for (int i = 0; i < whole->ndim; i++) from[i] = lists[i][at[i]];
        visit(&part->data[k], &whole->data[flat(whole, from)]);
        advance(&grid, at);
    }
}

static void part_takes(double *part, double *whole)
{
    *part = *whole;
}

static void whole_takes(double *part, double *whole)
{
    *whole = *part;
}

static void slice(const ref_call *c)
{
    each_sliced(c->attr, &c->in[0], c->out, part_takes, true);
}

static void slice_dx(const ref_call *c)
{
    ref_tensor dy = c->in[0];
    ref_new(c->out, c->in[1].ndim, c->in[1].shape);
    each_sliced(c->attr, c->out, &dy, whole_takes, false);
}

static void concat(const ref_call *c)
{
    int axis = from_front(((const dh_axis_attr *)c->attr)->axis, c->in[0].ndim);
    int64_t shape[DH_MAX_NDIM], start = 0;
    memcpy(shape, c->in[0].shape, sizeof shape);
    for (int i = 1; i < c->in_count; i++) shape[axis] += c->in[i].shape[axis];
    ref_new(c->out, c->in[0].ndim, shape);
    for (int i = 0; i < c->in_count; i++) {
        int64_t at[DH_MAX_NDIM] = {0}, to[DH_MAX_NDIM];
        for (int64_t k = 0; k < c->in[i].count; k++) {
            memcpy(to, at, sizeof to);
            to[axis] += start;
            c->out->data[flat(c->out, to)] = c->in[i].data[k];
            advance(&c->in[i], at);
        }
        start += c->in[i].shape[axis];
    }
}

static void split_like(const ref_call *c)
{
    const dh_split_attr *attr = c->attr;
    const ref_tensor *part = &c->in[1 + attr->index];
    int axis = from_front(attr->axis, part->ndim);
    int64_t start = 0, at[DH_MAX_NDIM] = {0}, from[DH_MAX_NDIM];
    for (int i = 0; i < attr->index; i++) start += c->in[1 + i].shape[axis];
    ref_new(c->out, part->ndim, part->shape);
    for (int64_t k = 0; k < c->out->count; k++) {
        memcpy(from, at, sizeof from);
        from[axis] += start;
        c->out->data[k] = c->in[0].data[flat(&c->in[0], from)];
        advance(c->out, at);
    }
}

static void pad(const ref_call *c)
{
    const dh_pad_attr *attr = c->attr;
    const ref_tensor *x = &c->in[0];
    int64_t shape[DH_MAX_NDIM], at[DH_MAX_NDIM] = {0}, to[DH_MAX_NDIM];
    for (int i = 0; i < x->ndim; i++)
        shape[i] = attr->pads.v[i] + x->shape[i] + attr->pads.v[x->ndim + i];
    ref_new(c->out, x->ndim, shape);
    for (int64_t k = 0; k < c->out->count; k++) c->out->data[k] = attr->value;
    for (int64_t k = 0; k < x->count; k++) {
        for (int i = 0; i < x->ndim; i++) to[i] = at[i] + attr->pads.v[i];
        c->out->data[flat(c->out, to)] = x->data[k];
        advance(x, at);
    }
}

static void pad_dx(const ref_call *c)
{
    const dh_ints *pads = &((const dh_pad_attr *)c->attr)->pads;
    const ref_tensor *dy = &c->in[0];
    int64_t shape[DH_MAX_NDIM], at[DH_MAX_NDIM] = {0}, from[DH_MAX_NDIM];
    for (int i = 0; i < dy->ndim; i++) shape[i] = dy->shape[i] - pads->v[i] - pads->v[dy->ndim + i];
    ref_new(c->out, dy->ndim, shape);
    for (int64_t k = 0; k < c->out->count; k++) {
        for (int i = 0; i < dy->ndim; i++) from[i] = at[i] + pads->v[i];
        c->out->data[k] = dy->data[flat(dy, from)];
        advance(c->out, at);
    }
}

static void tile(const ref_call *c)
{
    const dh_ints *repeats = &((const dh_tile_attr *)c->attr)->repeats;
    const ref_tensor *x = &c->in[0];
    int64_t shape[DH_MAX_NDIM], at[DH_MAX_NDIM] = {0}, from[DH_MAX_NDIM];
    for (int i = 0; i < x->ndim; i++) shape[i] = x->shape[i] * repeats->v[i];
    ref_new(c->out, x->ndim, shape);
    for (int64_t k = 0; k < c->out->count; k++) {
        for (int i = 0; i < x->ndim; i++) from[i] = at[i] % x->shape[i];
        c->out->data[k] = x->data[flat(x, from)];
        advance(c->out, at);
    }
}

static void tile_dx(const ref_call *c)
{
    const ref_tensor *dy = &c->in[0];
    int64_t at[DH_MAX_NDIM] = {0}, to[DH_MAX_NDIM];
    ref_new(c->out, c->in[1].ndim, c->in[1].shape);
    for (int64_t k = 0; k < dy->count; k++) {
        for (int i = 0; i < dy->ndim; i++) to[i] = at[i] % c->out->shape[i];
        c->out->data[flat(c->out, to)] += dy->data[k];
        advance(dy, at);
    }
}

static void fill_like(const ref_call *c)
{
    ref_new(c->out, c->in[0].ndim, c->in[0].shape);
    for (int64_t k = 0; k < c->out->count; k++)
        c->out->data[k] = ((const dh_fill_attr *)c->attr)->value;
}

const ref_entry ref_shape[] = {{"reshape", reshape},
                               {"reshape_like", reshape_like},
                               {"permute", permute},
                               {"expand_like", expand_like},
                               {"slice", slice},
                               {"slice_dx", slice_dx},
                               {"concat", concat},
                               {"split_like", split_like},
                               {"pad", pad},
                               {"pad_dx", pad_dx},
                               {"tile", tile},
                               {"tile_dx", tile_dx},
                               {"fill_like", fill_like},
                               {NULL, NULL}};
