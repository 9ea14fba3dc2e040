/* SPDX-License-Identifier: MIT */
/* Pooling, a plane at a time. A maximum is the first of equals, and NaN where the window holds one,
 * as in PyTorch; a window without an element gives -inf and 0. */
#include "last_windows.h"
#include "op_pool.h"
#include "pool_kernels.h"

static dh__planes planes_of(const dh_call *call, dh__pool *pool)
{
    dh__planes p = {.call = call, .geometry = pool};
    bool backward = call->op == &dh_op_max_pool_dx || call->op == &dh_op_avg_pool_dx;
    /* infer has checked it */
    if (dh__pool_of(pool, call->attr, &call->in[backward], call->op->name)) dh_error_clear();
    p.add = backward;
    p.two = call->op == &dh_op_max_pool_dx;
    const dh__pool_kernels *k = dh__pool_table();
    const bool max = p.two || call->op == &dh_op_max_pool;
    p.f32 = max ? (backward ? k->max_dx_f32 : k->max_f32) : backward ? k->avg_dx_f32 : k->avg_f32;
    p.f64 = max ? (backward ? k->max_dx_f64 : k->max_f64) : backward ? k->avg_dx_f64 : k->avg_f64;
    return p;
}

DH_PLANES_IMPLS(pool, dh__pool, planes_of)

/* --- channels last --- */

static dh__pool pool_of(const dh_call *call)
{
    dh__pool pool;
    planes_of(call, &pool);
    return pool;
}

static const char *refuse_last(const dh_call *call)
{
    dh__pool pool = pool_of(call);
    if (pool.adaptive) return "windows share out the axes";
    return dh__last_refuse(&pool.w, &call->in[0], &call->out[0]);
}

static dh_status run_last(const dh_call *call)
{
    dh__pool pool = pool_of(call);
    const dh__last_run like = {0};
    dh__last_windows(&pool.w, &call->in[0], &call->out[0],
                     dh__last_table(call->in[0].dtype == DH_F64)->max, &like);
    return DH_OK;
}

static const dh_impl max_last = {
    .name = "last", .refuse = refuse_last, .run = run_last, .channels_last = true, .by_rows = true};

#define LIST(name) const dh_impl *const dh_cpu_##name[] = {&pool_packed, &pool_copied, NULL}

const dh_impl *const dh_cpu_max_pool[] = {&pool_packed, &max_last, &pool_copied, NULL};
LIST(max_pool_dx);
LIST(avg_pool);
LIST(avg_pool_dx);
