/* SPDX-License-Identifier: MIT */
/* Pooling and resizing of planes. */
#include "fpga_ops.h"
#include "op_pool.h"
#include "op_resize.h"

#define RUN 32 /* as in pool.cl */

static bool is_packed(const dh_call *call)
{
    bool packed = dh__view_contiguous(&call->out[0]);
    for (int i = 0; i < call->in_count; i++) packed = packed && dh__view_contiguous(&call->in[i]);
    return packed;
}

static const dh_view *x_of(const dh_call *call)
{
    return &call->in[call->op == &dh_op_max_pool_dx || call->op == &dh_op_avg_pool_dx];
}

static dh__pool pool_of(const dh_call *call)
{
    dh__pool p;
    /* infer has checked it */
    if (dh__pool_of(&p, call->attr, x_of(call), call->op->name)) dh_error_clear();
    return p;
}

/* Numbers of elements in a plane are ints. */
static const char *pool_refuse(const dh_call *call)
{
    dh__pool p = pool_of(call);
    double in = (double)p.w.in[0] * (double)p.w.in[1] * (double)p.w.in[2];
    double out = (double)p.w.out[0] * (double)p.w.out[1] * (double)p.w.out[2];
    if (in > INT32_MAX || out > INT32_MAX) return "a plane has more than 2^31 elements";
    return dh__cl_refuse(call);
}

static dh__cl_launch begin_pool(const dh_call *call, const dh__pool *p, const char *kernel)
{
    return dh__cl_begin(call, "pool", kernel, "-DX=%s%s%s", dh_dtype_name(call->out[0].dtype),
                        p->adaptive ? " -DADAPTIVE" : "", is_packed(call) ? " -DPACKED" : "");
}

/* Work items for elements of planes with rows of length: one for each element, or for a run of a
 * row where windows slide. */
static int64_t items_of(const dh__pool *p, const dh_view *planes, int64_t length, bool runs)
{
    int64_t count = dh__view_count(planes);
    return p->adaptive || !runs ? count : count / length * ((length + RUN - 1) / RUN);
}

static dh_status pool_run(const dh_call *call)
{
    dh__pool p = pool_of(call);
    const dh_view *y = &call->out[0];
    if (!dh__view_count(y)) return DH_OK;
    dh__cl_launch l = begin_pool(call, &p, call->op->name);
    dh__cl_view(&l, y);
    dh__cl_view(&l, &call->in[0]);
    dh__cl_windows(&l, &p.w);
    dh__cl_int(&l, p.count_pads);
    return dh__cl_each(&l, items_of(&p, y, p.w.out[2], call->op != &dh_op_avg_pool_dx));
}

/* Does no element lie in two windows? */
static bool are_apart(const dh__pool *p)
{
    for (int i = 0; i < 3; i++)
        if (p->w.stride[i] <= (p->w.size[i] - 1) * p->w.dilation[i]) return false;
    return !p->adaptive;
}

static size_t winners_bytes(const dh_call *call)
{
    dh__pool p = pool_of(call);
    return are_apart(&p) ? 0 : (size_t)dh__view_count(&call->in[0]) * sizeof(cl_int);
}

/* Each window gives its gradient to its maximum. */
static dh_status give_apart(const dh_call *call, const dh__pool *p)
{
    const dh_view *dx = &call->out[0], *dy = &call->in[0];
    DH_TRY(dh__cl_fill(call, dx, 0));
    dh__cl_launch l = begin_pool(call, p, "give");
    dh__cl_view(&l, dx);
    dh__cl_view(&l, dy);
    dh__cl_view(&l, &call->in[1]);
    dh__cl_windows(&l, &p->w);
    return dh__cl_each(&l, items_of(p, dy, p->w.out[2], true));
}

/* Which element of each window gets its gradient; then each element adds up what it gets. */
static dh_status max_pool_dx_run(const dh_call *call)
{
    dh__pool p = pool_of(call);
    const dh_view *dx = &call->out[0], *dy = &call->in[0];
    dh__cl_launch l;
    if (!dh__view_count(dx)) return DH_OK;
    if (are_apart(&p)) return give_apart(call, &p);
    if (dh__view_count(dy)) {
        l = begin_pool(call, &p, "winners");
        dh__cl_data(&l, call->scratch, sizeof(cl_int));
        dh__cl_view(&l, &call->in[1]);
        dh__cl_windows(&l, &p.w);
        dh__cl_int(&l, p.count_pads);
        DH_TRY(dh__cl_each(&l, items_of(&p, dy, p.w.out[2], true)));
    }
    l = begin_pool(call, &p, "max_pool_dx");
    dh__cl_view(&l, dx);
    dh__cl_view(&l, dy);
    dh__cl_data(&l, call->scratch, sizeof(cl_int));
    dh__cl_windows(&l, &p.w);
    return dh__cl_each(&l, items_of(&p, dx, p.w.in[2], true));
}

static const dh_impl pool_impl = {.name = "elements", .refuse = pool_refuse, .run = pool_run};
static const dh_impl max_pool_dx_impl = {
    .name = "elements", .refuse = pool_refuse, .scratch = winners_bytes, .run = max_pool_dx_run};
const dh_impl *const dh_fpga_max_pool[] = {&pool_impl, NULL};
const dh_impl *const dh_fpga_max_pool_dx[] = {&max_pool_dx_impl, NULL};
const dh_impl *const dh_fpga_avg_pool[] = {&pool_impl, NULL};
const dh_impl *const dh_fpga_avg_pool_dx[] = {&pool_impl, NULL};

/* --- resize --- */

typedef struct resizing { /* as in resize.cl */
    cl_long in[3], out[3], linear, coordinates;
} resizing;

static dh_status resize_run(const dh_call *call)
{
    bool dx = call->op == &dh_op_resize_dx;
    const dh_view *x = &call->in[dx], *y = &call->out[0];
    dh__resize r;
    if (dh__resize_of(&r, call->attr, x, call->op->name)) dh_error_clear(); /* infer has checked */
    resizing k = {.linear = r.linear, .coordinates = r.coordinates};
    for (int i = 0; i < 3; i++) {
        k.in[i] = r.in[i];
        k.out[i] = r.out[i];
    }
    if (!dh__view_count(y)) return DH_OK;
    dh__cl_launch l = dh__cl_begin(call, "resize", call->op->name, "-DX=%s%s",
                                   dh_dtype_name(y->dtype), is_packed(call) ? " -DPACKED" : "");
    dh__cl_view(&l, y);
    dh__cl_view(&l, &call->in[0]);
    dh__cl_bytes(&l, &k, sizeof k);
    return dh__cl_each(&l, dh__view_count(y));
}

static const dh_impl resize_impl = {.name = "elements", .refuse = dh__cl_refuse, .run = resize_run};
const dh_impl *const dh_fpga_resize[] = {&resize_impl, NULL};
const dh_impl *const dh_fpga_resize_dx[] = {&resize_impl, NULL};
