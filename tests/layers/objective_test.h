/* SPDX-License-Identifier: MIT */
/* A loss or metric by itself: prediction and target are inputs of a graph. */
#ifndef DH_OBJECTIVE_TEST_H
#define DH_OBJECTIVE_TEST_H

#include "graph_test.h"
#include "objective.h"

typedef struct objective {
    dh__params *store;
    dh__arena *arena;
    dh__graph *graph;
    dh__plan *plan;
    dh_value p, t, out, grad;
} objective;

static inline objective open_objective(int ndim, const int64_t *shape, dh_dtype target,
                                       int target_ndim, const int64_t *target_shape)
{
    objective o = {.store = new_store(), .arena = new_arena(), .grad = DH_NO_VALUE};
    o.graph = new_graph(o.store);
    o.p = dh__graph_input(o.graph, DH_F32, ndim, shape);
    o.t = dh__graph_input(o.graph, target, target_ndim, target_shape);
    return o;
}

/* With gradient: of the mean over the batch. */
static inline void plan_objective(objective *o, bool gradient)
{
    keep(o->graph, o->out);
    if (gradient) {
        const dh_view *v = dh__graph_view(o->graph, o->out);
        double each[64];
        assert_true(v->ndim == 1 && v->shape[0] <= 64);
        for (int64_t i = 0; i < v->shape[0]; i++) each[i] = 1.0 / (double)v->shape[0];
        dh_value dy = dh__graph_const(o->graph, DH_F32, 1, v->shape, each);
        assert_ok(dh__graph_backward(o->graph, 1, &o->out, &dy, 1, &o->p, &o->grad));
        keep(o->graph, o->grad);
    }
    o->plan = new_plan(o->graph, o->arena, DH_FULL_MEM);
    assert_ok(dh__plan_bind(o->plan));
}

static inline void feed_objective(objective *o, const double *p, const double *t)
{
    const dh_view *vp = dh__plan_view(o->plan, o->p), *vt = dh__plan_view(o->plan, o->t);
    for (int64_t i = 0; i < dh__view_count(vp); i++) ((float *)vp->data)[i] = (float)p[i];
    for (int64_t i = 0; i < dh__view_count(vt); i++)
        dh__store(vt->dtype, (char *)vt->data + (size_t)i * dh_dtype_size(vt->dtype), t[i]);
    run(o->plan);
}

static inline void close_objective(objective *o)
{
    dh__plan_free(o->plan);
    dh__arena_free(o->arena);
    dh__params_release(o->store);
}

static inline void expect_close(objective *o, dh_value v, const double *want, double tolerance)
{
    float got[256];
    int64_t n = take(o->plan, v, got, 256);
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - want[i]) <= tolerance * (1 + fabs(want[i]))))
            fail_msg("element %d is %.9g, not %.9g", (int)i, (double)got[i], want[i]);
}

#define VALUES(...) ((double[]){__VA_ARGS__})

#endif
