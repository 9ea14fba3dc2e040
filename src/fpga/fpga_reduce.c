/* SPDX-License-Identifier: MIT */
/* Reductions: where there are few outputs each is summed in pieces, which are joined. */
#include <string.h>

#include "fpga_ops.h"
#include "reduce.h"

#define ITEMS 512 /* work items wanted */
#define PIECE 256 /* elements of a piece, at least */

/* x as outputs of lists: the reduced axes taken out, and they alone. */
typedef struct nest {
    dh_view kept, gone;
    int64_t outputs, length, pieces;
} nest;

static nest nest_of(const dh_view *x, uint32_t mask)
{
    nest n = {.kept = {.dtype = x->dtype, .data = x->data},
              .gone = {.dtype = x->dtype, .data = x->data}};
    for (int a = 0; a < x->ndim; a++) {
        dh_view *v = mask >> a & 1u ? &n.gone : &n.kept;
        v->shape[v->ndim] = x->shape[a];
        v->stride[v->ndim++] = x->stride[a];
    }
    n.outputs = dh__view_count(&n.kept);
    n.length = dh__view_count(&n.gone);
    n.pieces = n.outputs ? ITEMS / n.outputs : 1;
    if (n.pieces > n.length / PIECE) n.pieces = n.length / PIECE;
    if (n.pieces < 1) n.pieces = 1;
    return n;
}

static nest nest_of_call(const dh_call *call)
{
    uint32_t mask = 0; /* infer has checked the axes: this cannot fail */
    const dh_view *x = &call->in[0];
    const dh_reduce_attr *attr = call->attr;
    if (call->op == &dh_op_sum_to)
        (void)dh__sum_to_mask(&mask, x, &call->in[1], "sum_to");
    else
        (void)dh__reduce_mask(&mask, &attr->axes, x->ndim, call->op->name);
    return nest_of(x, mask);
}

static const char *whole(const dh_view *x)
{
    return dh_dtype_is_float(x->dtype) ? "" : " -DWHOLE";
}

/* The lists as a kernel's arguments. */
static void give_nest(dh__cl_launch *l, const nest *n)
{
    dh__cl_view(l, &n->kept);
    dh__cl_shape(l, &n->gone);
    dh__cl_int(l, n->length);
}

/* --- folds --- */

static const char *fold_of(const dh_op *op)
{
    return op == &dh_op_norm ? "sq" : op == &dh_op_mean || op == &dh_op_sum_to ? "sum" : op->name;
}

static size_t fold_scratch(const dh_call *call)
{
    nest n = nest_of_call(call);
    return (size_t)(n.outputs * n.pieces) * sizeof(double);
}

static dh_status fold_run(const dh_call *call)
{
    nest n = nest_of_call(call);
    const dh_view *x = &call->in[0], *y = &call->out[0];
    bool to_bool = call->op == &dh_op_any || call->op == &dh_op_all;
    const char *fold = fold_of(call->op), *xs = dh_dtype_name(x->dtype);
    const char *ys = dh_dtype_name(y->dtype), *mode = to_bool ? " -DTO_BOOL" : "";
    if (!n.outputs) return DH_OK;
    dh__cl_launch l = dh__cl_begin(call, "reduce", "pieces", "-DX=%s -DY=%s -DOP=op_%s%s%s", xs, ys,
                                   fold, whole(x), mode);
    dh__cl_sums(&l, call->scratch, x->dtype);
    give_nest(&l, &n);
    dh__cl_int(&l, n.pieces);
    DH_TRY(dh__cl_each(&l, n.outputs * n.pieces));
    l = dh__cl_begin(call, "reduce", "join", "-DX=%s -DY=%s -DOP=op_%s%s%s", xs, ys, fold, whole(x),
                     mode);
    dh__cl_view(&l, y);
    dh__cl_sums(&l, call->scratch, x->dtype);
    dh__cl_int(&l, n.pieces);
    dh__cl_wide(&l, call->op == &dh_op_mean ? (double)n.length : 1);
    dh__cl_int(&l, call->op == &dh_op_norm);
    return dh__cl_each(&l, n.outputs);
}

static const dh_impl fold_impl = {
    .name = "fold", .refuse = dh__cl_refuse, .scratch = fold_scratch, .run = fold_run};

#define OP(name, impl) const dh_impl *const dh_fpga_##name[] = {&impl##_impl, NULL};
OP(sum, fold)
OP(mean, fold)
OP(prod, fold)
OP(max, fold)
OP(min, fold)
OP(norm, fold)
OP(any, fold)
OP(all, fold)
OP(sum_to, fold)

/* --- one work item for each output --- */

static dh__cl_launch begin_float(const dh_call *call, const char *kernel, const dh_view *x)
{
    const char *name = dh_dtype_name(x->dtype);
    return dh__cl_begin(call, "reduce", kernel, "-DX=%s -DY=%s%s", name, name, whole(x));
}

static double freedom_of(int64_t length, int ddof)
{
    return length > ddof ? (double)(length - ddof) : 0; /* none left: 0 / 0 */
}

static dh_status var_run(const dh_call *call)
{
    const dh_reduce_attr *attr = call->attr;
    nest n = nest_of_call(call);
    if (!n.outputs) return DH_OK;
    dh__cl_launch l = begin_float(call, "var", &call->in[0]);
    dh__cl_view(&l, &call->out[0]);
    give_nest(&l, &n);
    dh__cl_wide(&l, freedom_of(n.length, attr->ddof));
    return dh__cl_each(&l, n.outputs);
}

static const dh_impl var_impl = {.name = "two_pass", .refuse = dh__cl_refuse, .run = var_run};
OP(var, var)

static dh_status search_run(const dh_call *call)
{
    nest n = nest_of_call(call);
    if (!n.outputs) return DH_OK;
    dh__cl_launch l = begin_float(call, "search", &call->in[0]);
    dh__cl_view(&l, &call->out[0]);
    give_nest(&l, &n);
    dh__cl_int(&l, call->op == &dh_op_argmax);
    return dh__cl_each(&l, n.outputs);
}

static const dh_impl search_impl = {.name = "search", .refuse = dh__cl_refuse, .run = search_run};
OP(argmax, search)
OP(argmin, search)

/* --- gradients --- */

static nest dx_nest(const dh_call *call, uint32_t *mask)
{
    const dh_reduce_dx_attr *attr = call->attr;
    *mask = 0;
    (void)dh__reduce_mask(mask, &attr->axes, call->in[1].ndim, "reduce_dx");
    return nest_of(&call->in[1], *mask);
}

static size_t dx_scratch(const dh_call *call)
{
    uint32_t mask;
    return (size_t)dx_nest(call, &mask).outputs * 2 * sizeof(double);
}

/* By the number of an element of x, that of the output it is reduced to. */
static dh_view spread_of(const dh_view *x, uint32_t mask)
{
    dh_view v = *x;
    int64_t stride = 1;
    for (int a = x->ndim - 1; a >= 0; a--) {
        bool gone = mask >> a & 1u;
        v.stride[a] = gone ? 0 : stride;
        if (!gone) stride *= x->shape[a];
    }
    return v;
}

/* As reduce.cl numbers them. */
static int rule_of(int op)
{
    return op == DH_OP_VAR ? 0 : op == DH_OP_NORM ? 1 : op == DH_OP_PROD ? 2 : 3;
}

static dh__cl_launch begin_dx(const dh_call *call, const char *kernel)
{
    return dh__cl_begin(call, "reduce", kernel, "-DX=%s -DY=%s", dh_dtype_name(call->in[1].dtype),
                        dh_dtype_name(call->in[1].dtype));
}

static dh_status dx_run(const dh_call *call)
{
    const dh_reduce_dx_attr *attr = call->attr;
    uint32_t mask;
    nest n = dx_nest(call, &mask);
    if (!n.outputs || !n.length) return DH_OK;
    dh__cl_launch l = begin_dx(call, "pairs");
    dh__cl_sums(&l, call->scratch, DH_F32);
    dh__cl_view(&l, &call->in[0]);
    dh__cl_view(&l, &call->in[2]);
    give_nest(&l, &n);
    dh__cl_int(&l, rule_of(attr->op));
    dh__cl_wide(&l, freedom_of(n.length, attr->ddof));
    DH_TRY(dh__cl_each(&l, n.outputs));
    dh_view spread = spread_of(&call->in[1], mask);
    l = begin_dx(call, "reduce_dx");
    dh__cl_view(&l, &call->out[0]);
    dh__cl_view(&l, &call->in[1]);
    dh__cl_sums(&l, call->scratch, DH_F32);
    dh__cl_shape(&l, &spread);
    dh__cl_int(&l, rule_of(attr->op));
    return dh__cl_each(&l, dh__view_count(&call->in[1]));
}

static const dh_impl dx_impl = {
    .name = "pair", .refuse = dh__cl_refuse, .scratch = dx_scratch, .run = dx_run};
OP(reduce_dx, dx)

static dh_status mean_dx_run(const dh_call *call)
{
    const dh_reduce_attr *attr = call->attr;
    const dh_view *x = &call->in[1], *dy = &call->in[0];
    uint32_t mask = 0;
    double length = 1;
    int from = 0;
    (void)dh__reduce_mask(&mask, &attr->axes, x->ndim, "mean_dx");
    dh_view wide = {.dtype = dy->dtype, .ndim = x->ndim, .data = dy->data};
    for (int a = 0; a < x->ndim; a++) {
        bool gone = mask >> a & 1u;
        wide.shape[a] = x->shape[a];
        if (gone) length *= (double)x->shape[a];
        if (!gone) wide.stride[a] = dy->stride[from];
        if (!gone || attr->keepdims) from++;
    }
    if (!dh__view_count(x)) return DH_OK;
    dh__cl_launch l = begin_float(call, "mean_dx", dy);
    dh__cl_view(&l, &call->out[0]);
    dh__cl_view(&l, &wide);
    dh__cl_wide(&l, length);
    return dh__cl_each(&l, dh__view_count(x));
}

static const dh_impl mean_dx_impl = {.name = "expand", .refuse = dh__cl_refuse, .run = mean_dx_run};
OP(mean_dx, mean_dx)
