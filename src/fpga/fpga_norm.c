/* SPDX-License-Identifier: MIT */
/* Batch and layer normalisation. */
#include "fpga_ops.h"

#define ITEMS 256 /* work items wanted for sums */

/* --- by channel --- */

typedef struct batch {
    const dh_view *dy, *x, *mean, *var, *gamma, *beta, *add, *passed;
    int64_t outer, channels, inner, pieces;
    int64_t act;
    bool train, frozen;
} batch;

static batch batch_of(const dh_call *call)
{
    const dh_norm_attr *attr = call->attr;
    bool dx = call->op == &dh_op_batch_norm_dx || call->op == &dh_op_batch_norm_frozen_dx;
    batch b = {.x = &call->in[dx],
               .train = call->op == &dh_op_batch_norm_train,
               .frozen = call->op == &dh_op_batch_norm_frozen_dx,
               .outer = 1,
               .inner = 1};
    bool gated = dx && attr->gate != DH_ACT_NONE, add = !dx && attr->add;
    bool affine = call->in_count - gated - add == (b.train ? 3 : 5);
    const dh_view *last = &call->in[call->in_count - 1];
    b.dy = dx ? &call->in[0] : NULL;
    b.passed = gated ? last : NULL;
    b.add = add ? last : NULL;
    b.act = dx ? attr->gate : attr->act;
    if (affine) b.gamma = &call->in[dx ? 4 : 1];
    if (affine && !dx) b.beta = &call->in[2];
    b.mean = b.train ? &call->out[1] : &call->in[dx ? 2 : affine ? 3 : 1];
    b.var = b.train ? &call->out[2] : b.mean + 1;
    int axis = attr->axis < 0 ? attr->axis + b.x->ndim : attr->axis;
    for (int a = 0; a < b.x->ndim; a++)
        if (a != axis) *(a < axis ? &b.outer : &b.inner) *= b.x->shape[a];
    b.channels = b.x->shape[axis];
    b.pieces = b.channels ? ITEMS / b.channels : 1;
    if (b.pieces > b.outer) b.pieces = b.outer;
    if (b.pieces < 1) b.pieces = 1;
    return b;
}

static size_t batch_scratch(const dh_call *call)
{
    batch b = batch_of(call);
    return (size_t)(b.channels * (4 + 3 * b.pieces)) * sizeof(double);
}

static const dh_view *or_x(const dh_view *view, const batch *b)
{
    return view ? view : b->x;
}

/* packed: of the tensors that are as large as x. gamma's dtype is that of its gradient. */
static dh__cl_launch begin(const dh_call *call, const batch *b, const char *kernel)
{
    const dh_view *large[] = {&call->out[0], b->x, or_x(b->dy, b), or_x(b->add, b),
                              or_x(b->passed, b)};
    const dh_view *small[] = {b->mean, b->var, b->gamma ? b->gamma : b->mean,
                              b->beta ? b->beta : b->mean};
    const dh_view *gamma = b->dy ? &call->out[1] : b->gamma ? b->gamma : b->mean;
    bool packed = *dh__cl_packed(DH_COUNT(large), large) && *dh__cl_packed(DH_COUNT(small), small);
    if (b->dy) packed = packed && dh__view_contiguous(&call->out[1]);
    if (b->dy) packed = packed && dh__view_contiguous(&call->out[2]);
    return dh__cl_begin(call, "norm", kernel, "-DX=%s -DM=%s -DG=%s%s%s%s%s%s",
                        dh_dtype_name(b->x->dtype), dh_dtype_name(b->mean->dtype),
                        dh_dtype_name(gamma->dtype), b->gamma ? " -DAFFINE" : "",
                        b->add ? " -DADD" : "", b->passed ? " -DGATE" : "",
                        b->train ? " -DTRAIN" : "", packed ? " -DPACKED" : "");
}

static void give(dh__cl_launch *l, const dh_view *view)
{
    if (view) dh__cl_view(l, view);
}

static void give_act(dh__cl_launch *l, const dh_call *call, const batch *b)
{
    dh__cl_int(l, b->act);
    dh__cl_number(l, b->x->dtype, ((const dh_norm_attr *)call->attr)->alpha);
}

/* Where the sums of pieces begin: behind four numbers of each channel. */
static const char *pieces_at(const dh_call *call, const batch *b)
{
    return (const char *)call->scratch + (size_t)b->channels * 4 * sizeof(double);
}

static double number_of(const batch *b)
{
    return (double)b->outer * (double)b->inner;
}

static dh_status batch_run(const dh_call *call)
{
    batch b = batch_of(call);
    int64_t count = dh__view_count(b.x);
    if (!b.channels) return DH_OK;
    dh__cl_launch l;
    if (b.train && count) {
        l = begin(call, &b, "moments");
        dh__cl_sums(&l, pieces_at(call, &b), DH_F32);
        dh__cl_view(&l, b.x);
        dh__cl_int(&l, b.outer);
        dh__cl_int(&l, b.channels);
        dh__cl_int(&l, b.inner);
        dh__cl_int(&l, b.pieces);
        DH_TRY(dh__cl_each(&l, b.channels * b.pieces));
    }
    l = begin(call, &b, "prepare");
    dh__cl_sums(&l, call->scratch, DH_F32);
    dh__cl_view(&l, b.mean);
    dh__cl_view(&l, b.var);
    dh__cl_sums(&l, pieces_at(call, &b), DH_F32);
    dh__cl_view(&l, b.x);
    dh__cl_int(&l, b.channels);
    dh__cl_int(&l, b.inner);
    dh__cl_int(&l, count ? b.pieces : 0);
    dh__cl_wide(&l, number_of(&b));
    dh__cl_wide(&l, ((const dh_norm_attr *)call->attr)->epsilon);
    DH_TRY(dh__cl_each(&l, b.channels));
    if (!count) return DH_OK;
    l = begin(call, &b, "apply");
    dh__cl_view(&l, &call->out[0]);
    dh__cl_view(&l, b.x);
    dh__cl_sums(&l, call->scratch, DH_F32);
    give(&l, b.gamma);
    give(&l, b.beta);
    give(&l, b.add);
    dh__cl_int(&l, b.channels);
    dh__cl_int(&l, b.inner);
    give_act(&l, call, &b);
    return dh__cl_each(&l, count);
}

static dh_status batch_dx_run(const dh_call *call)
{
    batch b = batch_of(call);
    int64_t count = dh__view_count(b.x);
    if (!b.channels) return DH_OK;
    dh__cl_launch l;
    if (count) {
        l = begin(call, &b, "sums");
        dh__cl_sums(&l, pieces_at(call, &b), DH_F32);
        dh__cl_view(&l, b.dy);
        dh__cl_view(&l, b.x);
        dh__cl_view(&l, b.mean);
        give(&l, b.passed);
        dh__cl_int(&l, b.outer);
        dh__cl_int(&l, b.channels);
        dh__cl_int(&l, b.inner);
        dh__cl_int(&l, b.pieces);
        give_act(&l, call, &b);
        DH_TRY(dh__cl_each(&l, b.channels * b.pieces));
    }
    l = begin(call, &b, "finish");
    dh__cl_sums(&l, call->scratch, DH_F32);
    dh__cl_view(&l, &call->out[1]);
    dh__cl_view(&l, &call->out[2]);
    dh__cl_sums(&l, pieces_at(call, &b), DH_F32);
    dh__cl_view(&l, b.mean);
    dh__cl_view(&l, b.var);
    dh__cl_int(&l, b.channels);
    dh__cl_int(&l, count ? b.pieces : 0);
    dh__cl_wide(&l, number_of(&b));
    dh__cl_wide(&l, ((const dh_norm_attr *)call->attr)->epsilon);
    dh__cl_int(&l, b.frozen);
    DH_TRY(dh__cl_each(&l, b.channels));
    if (!count) return DH_OK;
    l = begin(call, &b, "apply_dx");
    dh__cl_view(&l, &call->out[0]);
    dh__cl_view(&l, b.dy);
    dh__cl_view(&l, b.x);
    dh__cl_sums(&l, call->scratch, DH_F32);
    give(&l, b.gamma);
    give(&l, b.passed);
    dh__cl_int(&l, b.channels);
    dh__cl_int(&l, b.inner);
    give_act(&l, call, &b);
    return dh__cl_each(&l, count);
}

static const dh_impl batch_impl = {
    .name = "channels", .refuse = dh__cl_refuse, .scratch = batch_scratch, .run = batch_run};
static const dh_impl batch_dx_impl = {
    .name = "channels", .refuse = dh__cl_refuse, .scratch = batch_scratch, .run = batch_dx_run};
const dh_impl *const dh_fpga_batch_norm[] = {&batch_impl, NULL};
const dh_impl *const dh_fpga_batch_norm_train[] = {&batch_impl, NULL};
const dh_impl *const dh_fpga_batch_norm_dx[] = {&batch_dx_impl, NULL};
const dh_impl *const dh_fpga_batch_norm_frozen_dx[] = {&batch_dx_impl, NULL};

/* --- by row --- */

typedef struct layer {
    const dh_view *x, *mean, *rstd, *gamma;
    int64_t rows, n;
} layer;

static layer layer_of(const dh_call *call)
{
    bool dx = call->op == &dh_op_layer_norm_dx;
    layer l = {.x = &call->in[dx], .rows = 1, .n = 1};
    int axis = ((const dh_norm_attr *)call->attr)->axis;
    if (axis < 0) axis += l.x->ndim;
    for (int a = 0; a < l.x->ndim; a++) *(a < axis ? &l.rows : &l.n) *= l.x->shape[a];
    l.mean = dx ? &call->in[2] : &call->out[1];
    l.rstd = dx ? &call->in[3] : &call->out[2];
    l.gamma = dx ? (call->in_count == 5 ? &call->in[4] : NULL)
                 : (call->in_count == 3 ? &call->in[1] : NULL);
    return l;
}

static dh__cl_launch begin_rows(const dh_call *call, const layer *r, const char *kernel)
{
    bool packed = true, dx = call->op == &dh_op_layer_norm_dx;
    for (int i = 0; i < call->in_count; i++) packed &= dh__view_contiguous(&call->in[i]);
    for (int i = 0; i < call->out_count; i++) packed &= dh__view_contiguous(&call->out[i]);
    const dh_view *gamma = dx ? &call->out[1] : r->gamma ? r->gamma : r->mean;
    return dh__cl_begin(call, "norm", kernel, "-DX=%s -DM=%s -DG=%s%s%s",
                        dh_dtype_name(r->x->dtype), dh_dtype_name(r->mean->dtype),
                        dh_dtype_name(gamma->dtype), r->gamma ? " -DAFFINE" : "",
                        packed ? " -DPACKED" : "");
}

static dh_status layer_run(const dh_call *call)
{
    layer r = layer_of(call);
    if (!r.rows) return DH_OK;
    dh__cl_launch l = begin_rows(call, &r, "rows");
    for (int i = 0; i < 3; i++) dh__cl_view(&l, &call->out[i]);
    for (int i = 0; i < call->in_count; i++) dh__cl_view(&l, &call->in[i]);
    dh__cl_int(&l, r.n);
    dh__cl_wide(&l, ((const dh_norm_attr *)call->attr)->epsilon);
    return dh__cl_each(&l, r.rows);
}

static size_t layer_dx_scratch(const dh_call *call)
{
    return (size_t)layer_of(call).rows * sizeof(double);
}

/* The parameters first: dx may lie where dy or x does. */
static dh_status layer_dx_run(const dh_call *call)
{
    layer r = layer_of(call);
    dh__cl_launch l;
    if (r.rows && r.n) {
        l = begin_rows(call, &r, "rest");
        dh__cl_sums(&l, call->scratch, DH_F32);
        dh__cl_view(&l, r.x);
        dh__cl_view(&l, r.mean);
        dh__cl_int(&l, r.n);
        DH_TRY(dh__cl_each(&l, r.rows));
    }
    if (r.n) {
        l = begin_rows(call, &r, "columns_dx");
        dh__cl_view(&l, &call->out[1]);
        dh__cl_view(&l, &call->out[2]);
        for (int i = 0; i < 4; i++) dh__cl_view(&l, &call->in[i]);
        dh__cl_sums(&l, call->scratch, DH_F32);
        dh__cl_int(&l, r.rows);
        DH_TRY(dh__cl_each(&l, r.n));
    }
    if (!r.rows || !r.n) return DH_OK;
    l = begin_rows(call, &r, "rows_dx");
    dh__cl_view(&l, &call->out[0]);
    for (int i = 0; i < 4; i++) dh__cl_view(&l, &call->in[i]);
    dh__cl_sums(&l, call->scratch, DH_F32);
    if (r.gamma) dh__cl_view(&l, r.gamma);
    dh__cl_int(&l, r.n);
    return dh__cl_each(&l, r.rows);
}

static const dh_impl layer_impl = {.name = "rows", .refuse = dh__cl_refuse, .run = layer_run};
static const dh_impl layer_dx_impl = {
    .name = "rows", .refuse = dh__cl_refuse, .scratch = layer_dx_scratch, .run = layer_dx_run};
const dh_impl *const dh_fpga_layer_norm[] = {&layer_impl, NULL};
const dh_impl *const dh_fpga_layer_norm_dx[] = {&layer_dx_impl, NULL};
