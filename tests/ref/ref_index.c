/* SPDX-License-Identifier: MIT */
/* Elements by index, and order by counting how many come before. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "ref.h"

static int64_t flat(const ref_tensor *t, const int64_t *index)
{
    int64_t at = 0;
    for (int i = 0; i < t->ndim; i++) at = at * t->shape[i] + index[i];
    return at;
}

static void unravel(const ref_tensor *t, int64_t k, int64_t *index)
{
    for (int i = t->ndim - 1; i >= 0; i--) {
        index[i] = k % t->shape[i];
        k /= t->shape[i];
    }
}

static int axis_of(const ref_call *c, int ndim)
{
    int axis = ((const dh_axis_attr *)c->attr)->axis;
    return axis < 0 ? axis + ndim : axis;
}

static int64_t positive(double index, int64_t length)
{
    return index < 0 ? (int64_t)index + length : (int64_t)index;
}

/* Where the k-th index points in x. */
static int64_t target(const ref_call *c, const ref_tensor *x, int64_t k)
{
    int64_t at[DH_MAX_NDIM];
    int axis = axis_of(c, x->ndim);
    unravel(&c->in[1], k, at);
    at[axis] = positive(c->in[1].data[k], x->shape[axis]);
    return flat(x, at);
}

static void gather(const ref_call *c)
{
    ref_new(c->out, c->in[1].ndim, c->in[1].shape);
    for (int64_t k = 0; k < c->out->count; k++)
        c->out->data[k] = c->in[0].data[target(c, &c->in[0], k)];
}

static void scatter(const ref_call *c)
{
    const ref_tensor *x = &c->in[0];
    ref_new(c->out, x->ndim, x->shape);
    for (int64_t k = 0; k < x->count; k++) c->out->data[k] = x->data[k];
    for (int64_t k = 0; k < c->in[1].count; k++) c->out->data[target(c, x, k)] = c->in[2].data[k];
}

static void scatter_add(const ref_call *c)
{
    const ref_tensor *x = &c->in[0];
    ref_new(c->out, x->ndim, x->shape);
    for (int64_t k = 0; k < x->count; k++) c->out->data[k] = x->data[k];
    for (int64_t k = 0; k < c->in[1].count; k++) c->out->data[target(c, x, k)] += c->in[2].data[k];
}

/* Position in x of the k-th element of what take gives. */
static int64_t taken(const ref_tensor *x, const ref_tensor *index, int axis, int64_t k)
{
    int64_t inner = 1;
    for (int i = axis + 1; i < x->ndim; i++) inner *= x->shape[i];
    int64_t o = k / inner / index->count, q = k / inner % index->count, i = k % inner;
    return (o * x->shape[axis] + positive(index->data[q], x->shape[axis])) * inner + i;
}

static void take(const ref_call *c)
{
    const ref_tensor *x = &c->in[0], *index = &c->in[1];
    int64_t shape[2 * DH_MAX_NDIM];
    int axis = axis_of(c, x->ndim), n = 0;
    for (int i = 0; i < axis; i++) shape[n++] = x->shape[i];
    for (int i = 0; i < index->ndim; i++) shape[n++] = index->shape[i];
    for (int i = axis + 1; i < x->ndim; i++) shape[n++] = x->shape[i];
    ref_new(c->out, n, shape);
    for (int64_t k = 0; k < c->out->count; k++) c->out->data[k] = x->data[taken(x, index, axis, k)];
}

static void take_dx(const ref_call *c)
{
    const ref_tensor *dy = &c->in[0], *index = &c->in[1];
    ref_new(c->out, c->in[2].ndim, c->in[2].shape);
    int axis = axis_of(c, c->out->ndim);
    for (int64_t k = 0; k < dy->count; k++)
        c->out->data[taken(c->out, index, axis, k)] += dy->data[k];
}

/* a stands before b: NaN is the largest, equals keep their order. */
static bool before(double a, int64_t ia, double b, int64_t ib, bool descending)
{
    bool less = isnan(b) ? !isnan(a) : a < b;
    bool more = isnan(a) ? !isnan(b) : a > b;
    if (!less && !more) return ia < ib;
    return descending ? more : less;
}

static void rank_all(const ref_call *c, int axis, int64_t kept, bool descending)
{
    const ref_tensor *x = &c->in[0];
    int64_t shape[DH_MAX_NDIM], at[DH_MAX_NDIM];
    memcpy(shape, x->shape, sizeof shape);
    shape[axis] = kept;
    ref_new(&c->out[0], x->ndim, shape);
    ref_new(&c->out[1], x->ndim, shape);
    for (int64_t k = 0; k < x->count; k++) {
        unravel(x, k, at);
        int64_t own = at[axis], rank = 0;
        for (int64_t j = 0; j < x->shape[axis]; j++) {
            at[axis] = j;
            rank += before(x->data[flat(x, at)], j, x->data[k], own, descending);
        }
        if (rank >= kept) continue;
        at[axis] = rank;
        c->out[0].data[flat(&c->out[0], at)] = x->data[k];
        c->out[1].data[flat(&c->out[1], at)] = (double)own;
    }
}

static void sort(const ref_call *c)
{
    const dh_sort_attr *attr = c->attr;
    int axis = attr->axis < 0 ? attr->axis + c->in[0].ndim : attr->axis;
    rank_all(c, axis, c->in[0].shape[axis], attr->descending);
}

static void topk(const ref_call *c)
{
    const dh_topk_attr *attr = c->attr;
    rank_all(c, attr->axis < 0 ? attr->axis + c->in[0].ndim : attr->axis, attr->k, !attr->smallest);
}

static void one_hot(const ref_call *c)
{
    const dh_one_hot_attr *attr = c->attr;
    const ref_tensor *index = &c->in[0];
    int64_t shape[DH_MAX_NDIM] = {0};
    for (int i = 0; i < index->ndim; i++) shape[i] = index->shape[i];
    shape[index->ndim] = attr->depth;
    ref_new(c->out, index->ndim + 1, shape);
    for (int64_t k = 0; k < c->out->count; k++) {
        bool here = k % attr->depth == positive(index->data[k / attr->depth], attr->depth);
        c->out->data[k] = here ? attr->on : attr->off;
    }
}

const ref_entry ref_index[] = {{"gather", gather},
                               {"take", take},
                               {"take_dx", take_dx},
                               {"scatter", scatter},
                               {"scatter_add", scatter_add},
                               {"sort", sort},
                               {"topk", topk},
                               {"one_hot", one_hot},
                               {NULL, NULL}};
