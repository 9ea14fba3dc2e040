/* SPDX-License-Identifier: MIT */
/* Part of an application: some rows of the result, and what they are made of. */
#include "part.h"

#include <string.h>

#include "op_conv.h"
#include "op_pool.h"

/* The windows of axis 2 that an op slides over input 0; false: it is no such op. */
static bool windows_of(const dh_call *call, dh__windows *w)
{
    if (call->op == &dh_op_conv) {
        const dh_conv_attr *attr = call->attr;
        dh__conv c;
        if (attr->pool || dh__conv_shape(&c, attr, &call->in[0], &call->in[1], "conv"))
            return false;
        *w = c.w;
        return true;
    }
    if (call->op != &dh_op_max_pool && call->op != &dh_op_avg_pool) return false;
    const dh_pool_attr *attr = call->attr;
    dh__pool pool;
    if (attr->ceil_mode || dh__pool_of(&pool, attr, &call->in[0], call->op->name)) return false;
    *w = pool.w;
    return !pool.adaptive;
}

/* What the windows of positions [out.begin, out.end) see of an axis of `length`, and the padding
 * that is left of them. */
static dh__rows seen(const dh__windows *w, int axis, dh__rows out, int64_t *before, int64_t *behind)
{
    int64_t extent = (w->size[axis] - 1) * w->dilation[axis] + 1;
    int64_t begin = out.begin * w->stride[axis] - w->begin[axis];
    int64_t end = (out.end - 1) * w->stride[axis] - w->begin[axis] + extent;
    *before = begin < 0 ? -begin : 0;
    *behind = end > w->in[axis] ? end - w->in[axis] : 0;
    return (dh__rows){begin + *before, end - *behind};
}

bool dh__rows_needed(const dh_call *call, dh__rows out, dh__rows *in)
{
    dh__windows w;
    int64_t before, behind;
    if (call->in_count + 1 > DH_PART_VIEWS) return false;
    if (!windows_of(call, &w)) {
        dh_error_clear();
        return false;
    }
    *in = seen(&w, 3 - w.ndim, out, &before, &behind);
    return in->begin < in->end;
}

static void narrow(dh_view *v, int axis, dh__rows to)
{
    uintptr_t shift = (uintptr_t)(to.begin * v->stride[axis] * (int64_t)dh_dtype_size(v->dtype));
    v->shape[axis] = to.end - to.begin;
    if (v->data) v->data = (void *)((uintptr_t)v->data + shift);
}

void dh__part_of(dh__part *p, const dh_call *whole, dh__rows images, dh__rows rows)
{
    dh__windows w;
    int64_t before = 0, behind = 0;
    bool conv = whole->op == &dh_op_conv;
    int y = whole->in_count;
    p->call = *whole;
    memcpy(&p->attr, whole->attr, whole->op->attr_size);
    memcpy(p->views, whole->in, (size_t)y * sizeof *p->views);
    p->views[y] = whole->out[0];
    p->call.attr = &p->attr;
    p->call.in = p->views;
    p->call.out = &p->views[y];
    if (!windows_of(whole, &w)) return; /* dh__rows_needed has said that there are */
    narrow(&p->views[0], 2, seen(&w, 3 - w.ndim, rows, &before, &behind));
    narrow(&p->views[0], 0, images);
    for (int k = conv && p->attr.conv.add ? y - 1 : y; k <= y; k++) {
        narrow(&p->views[k], 2, rows);
        narrow(&p->views[k], 0, images);
    }
    dh_ints *pads = conv ? &p->attr.conv.pads : &p->attr.pool.pads;
    if (!pads->count) *pads = (dh_ints){.count = 2 * w.ndim};
    pads->v[0] = before;
    pads->v[w.ndim] = behind;
}
