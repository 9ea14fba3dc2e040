/* SPDX-License-Identifier: MIT */
/* Pooling, a plane at a time. A maximum is the first of equals, and NaN where the window holds one,
 * as in PyTorch; a window without an element gives -inf and 0. */
#include <math.h>

#include "op_pool.h"
#include "planes.h"
#include "simd.h"

#define PART 256 /* positions of a row at a time */

#define T       float
#define F(name) name##_f32
#include "pool_plane.h"
#undef T
#undef F
#define T       double
#define F(name) name##_f64
#include "pool_plane.h"
#undef T
#undef F

static dh__planes planes_of(const dh_call *call, dh__pool *pool)
{
    dh__planes p = {.call = call, .geometry = pool};
    bool backward = call->op == &dh_op_max_pool_dx || call->op == &dh_op_avg_pool_dx;
    /* infer has checked it */
    if (dh__pool_of(pool, call->attr, &call->in[backward], call->op->name)) dh_error_clear();
    p.add = backward;
    p.two = call->op == &dh_op_max_pool_dx;
    p.f32 = call->op == &dh_op_max_pool      ? max_pool_f32
            : call->op == &dh_op_max_pool_dx ? max_pool_dx_f32
            : call->op == &dh_op_avg_pool    ? avg_pool_f32
                                             : avg_pool_dx_f32;
    p.f64 = call->op == &dh_op_max_pool      ? max_pool_f64
            : call->op == &dh_op_max_pool_dx ? max_pool_dx_f64
            : call->op == &dh_op_avg_pool    ? avg_pool_f64
                                             : avg_pool_dx_f64;
    return p;
}

DH_PLANES_IMPLS(pool, dh__pool, planes_of)

#define LIST(name) const dh_impl *const dh_cpu_##name[] = {&pool_packed, &pool_copied, NULL}

LIST(max_pool);
LIST(max_pool_dx);
LIST(avg_pool);
LIST(avg_pool_dx);
