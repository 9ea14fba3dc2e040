/* SPDX-License-Identifier: MIT */
/* What the graph tests share: graphs written by hand, plans that are fed and read, random graphs.
 */
#ifndef DH_GRAPH_TEST_H
#define DH_GRAPH_TEST_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <deephealth/memory.h>

#include "plan.h"
#include "rng.h"

#define SHAPE(...)                                                         \
    (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]) \
    {                                                                      \
        __VA_ARGS__                                                        \
    }

#define assert_ok(expr)                                                                       \
    do {                                                                                      \
        dh_status status_ = (expr);                                                           \
        if (status_) fail_msg("%s: %s: %s", #expr, dh_status_name(status_), dh_error_text()); \
    } while (0)

static inline uint64_t live_blocks(void)
{
    dh_memory_stats stats;
    dh_get_memory_stats(&stats);
    return stats.live_blocks;
}

static inline dh__params *new_store(void)
{
    dh__params *store = NULL;
    assert_ok(dh__params_new(&store, dh__cpu()));
    return store;
}

static inline dh__graph *new_graph(dh__params *store)
{
    dh__graph *g = NULL;
    assert_ok(dh__graph_new(&g, store));
    g->emitter.stream = 7;
    return g;
}

static inline dh__arena *new_arena(void)
{
    dh__arena *arena = NULL;
    assert_ok(dh__arena_new(&arena, dh__cpu()));
    return arena;
}

static inline dh_value op1(dh__graph *g, int op, dh_value a)
{
    dh_value y = dh_emit1(&g->emitter, op, NULL, a);
    if (y == DH_NO_VALUE) fail_msg("%s: %s", dh__ops[op]->name, dh_error_text());
    return y;
}

static inline dh_value op2(dh__graph *g, int op, dh_value a, dh_value b)
{
    dh_value y = dh_emit2(&g->emitter, op, NULL, a, b);
    if (y == DH_NO_VALUE) fail_msg("%s: %s", dh__ops[op]->name, dh_error_text());
    return y;
}

static inline dh_value op1_attr(dh__graph *g, int op, const void *attr, dh_value a)
{
    dh_value y = dh_emit1(&g->emitter, op, attr, a);
    if (y == DH_NO_VALUE) fail_msg("%s: %s", dh__ops[op]->name, dh_error_text());
    return y;
}

static inline dh_value keep(dh__graph *g, dh_value v)
{
    g->values[v].keep = true;
    return v;
}

/* A weight segment with values, and its value in the graph. */
static inline dh_value weight(dh__graph *g, const char *name, int ndim, const int64_t *shape,
                              const float *values)
{
    dh__segment like = {.ndim = ndim, .lr_scale = 1};
    int index;
    for (int i = 0; i < ndim; i++) like.shape[i] = shape[i];
    assert_ok(dh__params_declare(g->store, &index, &like, name));
    assert_ok(dh__params_allocate(g->store, 1));
    assert_ok(dh__params_train(g->store));
    dh__segment *s = g->store->segments[index];
    memcpy(dh__params_address(g->store, DH_HOME_WEIGHT, s->offset), values,
           (size_t)s->count * sizeof(float));
    return dh__graph_segment(g, index, DH_HOME_WEIGHT, 0);
}

static inline dh__plan *new_plan(dh__graph *take, dh__arena *arena, dh__memory level)
{
    dh__plan *plan = NULL;
    assert_ok(dh__plan_new(&plan, take, arena, level));
    return plan;
}

/* Fills an input with numbers that depend on its index and the element's position only. */
static inline void feed(dh__plan *plan, dh_value input, uint64_t seed)
{
    assert_ok(dh__plan_bind(plan));
    const dh_view *v = dh__plan_view(plan, input);
    dh__random_uniform(seed, (uint64_t)input, 0, v->data, dh__view_count(v));
}

static inline float *data_of(dh__plan *plan, dh_value value)
{
    return dh__plan_view(plan, value)->data;
}

static inline void run(dh__plan *plan)
{
    assert_ok(dh__plan_run(plan, DH_FORWARD, DH_UPDATE));
}

/* A value as a contiguous f32 copy of `room` numbers at most. */
static inline int64_t take(const dh__plan *plan, dh_value value, float *out, int64_t room)
{
    const dh_view *v = dh__plan_view(plan, value);
    int64_t n = dh__view_count(v);
    assert_true(n <= room && v->dtype == DH_F32);
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = i, offset = 0;
        for (int a = v->ndim - 1; a >= 0; a--) {
            offset += rest % v->shape[a] * v->stride[a];
            rest /= v->shape[a];
        }
        out[i] = ((const float *)v->data)[offset];
    }
    return n;
}

static inline void expect_values(dh__plan *plan, dh_value value, int64_t count, const float *want)
{
    float got[256];
    assert_int_equal(take(plan, value, got, 256), count);
    for (int64_t i = 0; i < count; i++)
        if (!(fabsf(got[i] - want[i]) <= 1e-5f * (1 + fabsf(want[i]))))
            fail_msg("element %d is %g, not %g", (int)i, (double)got[i], (double)want[i]);
}

/* Buffers that are alive at the same node never share an address, nor does scratch. */
static inline void check_overlap(const dh__plan *plan)
{
    const dh__graph *g = plan->graph;
    for (int a = 0; a < g->value_count; a++) {
        const dh__slot *x = &plan->slots[a];
        bool planned = g->values[a].home == DH_HOME_ARENA || g->values[a].home == DH_HOME_INPUT;
        if (x->base != a || !planned || x->last < x->first) continue;
        assert_true(x->at + x->size <= plan->arena_size && x->at % 64 == 0);
        for (int b = a + 1; b < g->value_count; b++) {
            const dh__slot *y = &plan->slots[b];
            planned = g->values[b].home == DH_HOME_ARENA || g->values[b].home == DH_HOME_INPUT;
            if (y->base != b || !planned || y->last < x->first || x->last < y->first) continue;
            if (y->last < y->first) continue;
            if (x->at < y->at + y->size && y->at < x->at + x->size)
                fail_msg("values %d and %d share addresses while both are alive", a, b);
        }
        for (int i = x->first < 0 ? 0 : x->first; i <= x->last && i < g->node_count; i++) {
            const dh__step_call *c = &plan->calls[i];
            assert_true(!c->scratch || c->scratch_at >= x->at + x->size ||
                        x->at >= c->scratch_at + c->scratch);
        }
    }
}

#endif
