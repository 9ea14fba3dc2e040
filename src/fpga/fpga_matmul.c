/* SPDX-License-Identifier: MIT */
/* matmul and linear by packed panels. */
#include <string.h>

#include "fpga_ops.h"
#include "gemm_cl.h"

/* A view of some axes of another. */
static dh_view axes_of(const dh_view *x, int from, int to)
{
    dh_view v = {.dtype = x->dtype, .data = x->data};
    for (int a = from; a < to; a++) {
        v.shape[v.ndim] = x->shape[a];
        v.stride[v.ndim++] = x->stride[a];
    }
    return v;
}

typedef struct job {
    dh__cl_side left, right;
    dh__cl_product product;
} job;

static bool repeats(const dh_view *batch)
{
    for (int a = 0; a < batch->ndim; a++)
        if (batch->shape[a] > 1 && batch->stride[a]) return false;
    return true;
}

/* The axes of x in front of its last `own`, broadcast to those of y. */
static dh_view batch_of(const dh_view *x, int own, const dh_view *like)
{
    dh_view v = axes_of(x, 0, x->ndim > own ? x->ndim - own : 0);
    dh__view_broadcast(&v, like->ndim, like->shape);
    return v;
}

static job matmul_job(const dh_call *call)
{
    const dh_view *a = &call->in[0], *b = &call->in[1], *y = &call->out[0];
    bool av = a->ndim == 1, bv = b->ndim == 1;
    job j = {.product = {.dtype = y->dtype}};
    dh__cl_product *p = &j.product;
    int own = !av + !bv;
    p->batch = axes_of(y, 0, y->ndim - own);
    p->row = axes_of(y, y->ndim - own, y->ndim - own + !av);
    p->column = axes_of(y, y->ndim - !bv, y->ndim);
    p->batches = dh__view_count(&p->batch);
    p->rows = dh__view_count(&p->row);
    p->columns = dh__view_count(&p->column);
    p->depth = a->shape[a->ndim - 1];
    j.left = (dh__cl_side){.batch = batch_of(a, 2, &p->batch),
                           .lines = axes_of(a, av ? 0 : a->ndim - 2, av ? 0 : a->ndim - 1),
                           .depths = axes_of(a, a->ndim - 1, a->ndim)};
    j.right = (dh__cl_side){.batch = batch_of(b, 2, &p->batch),
                            .lines = axes_of(b, b->ndim - !bv, b->ndim),
                            .depths = axes_of(b, bv ? 0 : b->ndim - 2, bv ? 1 : b->ndim - 1)};
    j.left.shared = repeats(&j.left.batch);
    j.right.shared = repeats(&j.right.batch);
    return j;
}

static job linear_job(const dh_call *call)
{
    const dh_view *x = &call->in[0], *w = &call->in[1], *y = &call->out[0];
    const dh_linear_attr *attr = call->attr;
    job j = {.product = {.dtype = y->dtype, .batches = 1}};
    dh__cl_product *p = &j.product;
    p->row = axes_of(y, 0, y->ndim - 1);
    p->column = axes_of(y, y->ndim - 1, y->ndim);
    p->rows = dh__view_count(&p->row);
    p->columns = w->shape[1];
    p->depth = w->shape[0];
    p->column_bias = call->in_count == 3 ? &call->in[2] : NULL;
    p->act = (dh__act)attr->act;
    p->alpha = attr->alpha;
    j.left = (dh__cl_side){.lines = axes_of(x, 0, x->ndim - 1),
                           .depths = axes_of(x, x->ndim - 1, x->ndim),
                           .shared = true};
    j.right = (dh__cl_side){.lines = axes_of(w, 1, 2), .depths = axes_of(w, 0, 1), .shared = true};
    return j;
}

static job job_of(const dh_call *call)
{
    return call->op == &dh_op_linear ? linear_job(call) : matmul_job(call);
}

static size_t left_bytes(const job *j)
{
    const dh__cl_product *p = &j->product;
    return dh__cl_packed_bytes(p->dtype, false, j->left.shared ? 1 : p->batches, p->rows, p->depth);
}

static size_t scratch(const dh_call *call)
{
    job j = job_of(call);
    const dh__cl_product *p = &j.product;
    return left_bytes(&j) + dh__cl_packed_bytes(p->dtype, true, j.right.shared ? 1 : p->batches,
                                                p->columns, p->depth);
}

static dh_status run(const dh_call *call)
{
    job j = job_of(call);
    const dh__cl_product *p = &j.product;
    char *left = call->scratch, *right = left + left_bytes(&j);
    if (!dh__view_count(&call->out[0])) return DH_OK;
    if (!p->depth && !p->column_bias) return dh__cl_fill(call, &call->out[0], 0);
    DH_TRY(dh__cl_pack(call, &j.left, false, p->batches, p->rows, p->depth, left));
    DH_TRY(dh__cl_pack(call, &j.right, true, p->batches, p->columns, p->depth, right));
    return dh__cl_multiply(call, p, left, j.left.shared, right, j.right.shared);
}

static const dh_impl panels = {
    .name = "panels", .refuse = dh__cl_refuse, .scratch = scratch, .run = run};
const dh_impl *const dh_fpga_matmul[] = {&panels, NULL};
const dh_impl *const dh_fpga_linear[] = {&panels, NULL};
