/* SPDX-License-Identifier: MIT */
/* Plans compute what the ops compute one by one: random graphs against eager execution, other
 * sizes, views, kept values, updates, arenas that are shared, allocations that fail. */
#include "random_graph.h"

/* Runs every node of the graph by itself, into a buffer of its own. Views stay views, since kernels
 * may add up strided and packed operands in different ways. */
static void run_eagerly(const dh__graph *g, const dh__plan *plan, dh_tensor **made)
{
    dh_step step = plan->step;
    for (int v = 0; v < g->value_count; v++) {
        if (g->values[v].node >= 0) continue;
        dh_view view = g->values[v].view;
        if (g->values[v].home == DH_HOME_INPUT) view.data = dh__plan_view(plan, v)->data;
        if (g->values[v].home == DH_HOME_WEIGHT)
            view.data = dh__params_address(g->store, DH_HOME_WEIGHT, g->values[v].offset);
        if (view.data)
            assert_ok(dh_tensor_from_data(&made[v], view.data, view.dtype, view.ndim, view.shape));
    }
    for (int i = 0; i < g->node_count; i++) {
        const dh__node *n = g->nodes[i];
        dh_view in[4], out;
        for (int k = 0; k < n->in_count; k++) in[k] = made[n->in[k]]->view;
        dh_call call = {.op = dh__ops[n->op],
                        .attr = n->attr,
                        .in_count = n->in_count,
                        .out_count = 1,
                        .in = in,
                        .out = &out,
                        .step = &step,
                        .stream = n->stream};
        assert_ok(dh__op_infer(&call));
        int64_t offset = 0;
        if (call.op->view && !g->values[n->out[0]].keep && call.op->view(&call, &offset)) {
            out.data = (float *)in[0].data + offset;
            assert_ok(dh__tensor_on(&made[n->out[0]], made[n->in[0]]->storage, &out));
            continue;
        }
        assert_ok(dh_tensor_new(&made[n->out[0]], out.dtype, out.ndim, out.shape));
        out.data = dh_tensor_data(made[n->out[0]]);
        const dh_impl *impl;
        dh_device *cpu = dh__cpu();
        assert_ok(dh__op_choose(&impl, cpu, n->op, &call));
        size_t size = impl->scratch ? impl->scratch(&call) : 0;
        call.scratch = dh__alloc(size);
        assert_ok(impl->run(&call));
        dh__free(call.scratch);
    }
}

static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        dh__params *store = new_store();
        random_graph r = random_new(store, seed, 6 + (int)(seed % 25));
        dh__graph *alone;
        dh_value last = keep(r.graph, r.pool[r.count - 1]),
                 other = keep(r.graph, r.pool[r.count / 2]);
        assert_ok(dh__graph_clone(&alone, r.graph));
        dh__arena *arena = new_arena();
        dh__plan *plan = new_plan(r.graph, arena, DH_FULL_MEM);
        check_overlap(plan);
        feed(plan, r.input[0], seed);
        feed(plan, r.input[1], seed);
        dh_tensor *made[400] = {0};
        assert_true(alone->value_count <= 400);
        assert_ok(dh__graph_fuse(alone)); /* a fused node is another implementation */
        run_eagerly(alone, plan, made);
        run(plan);
        for (int i = 0; i < 2; i++) {
            float got[64];
            dh_value v = i ? other : last;
            int64_t n = take(plan, v, got, 64);
            if (memcmp(got, dh_tensor_data(made[v]), (size_t)n * sizeof(float)))
                fail_msg("seed %d: value %d differs", (int)seed, v);
        }
        for (int v = 0; v < alone->value_count; v++) dh_tensor_free(made[v]);
        dh__graph_free(alone);
        dh__plan_free(plan);
        dh__arena_free(arena);
        dh__params_release(store);
    }
}

/* A smaller batch by resizing has the bits of a plan made at that size; and back up again. */
static void test_resize(void **state)
{
    (void)state;
    dh__params *store = new_store();
    dh__arena *arena = new_arena();
    static const float w[36] = {.5f, -1, .25f, 2, -.5f, 1, 1, -2, .75f, .1f, -.3f, .2f};
    dh__plan *at[9] = {0};
    dh_value x = 0, y = 0, s = 0;
    for (int64_t rows = 1; rows <= 8; rows++) {
        dh__graph *g = new_graph(store);
        x = dh__graph_input(g, DH_F32, SHAPE(rows, 12));
        dh_value v = weight(g, "w", SHAPE(12, 3), w);
        dh_value z = op1(g, DH_OP_RELU, op2(g, DH_OP_LINEAR, x, v));
        z = op1_attr(g, DH_OP_SOFTMAX, &(dh_axis_attr){1}, op1(g, DH_OP_TANH, z));
        dh_permute_attr turn = {.axes = {2, {1, 0}}};
        y = keep(g, op2(g, DH_OP_MATMUL, op1_attr(g, DH_OP_PERMUTE, &turn, z), x));
        s = keep(g, op1_attr(g, DH_OP_SORT, &(dh_sort_attr){1, false}, x));
        at[rows] = new_plan(g, arena, DH_FULL_MEM);
    }
    dh__plan *plan = at[8];
    static const int64_t sizes[] = {8, 3, 1, 5, 8, 7, 2, 8, 6, 4, 1, 8};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        float a[36], b[36], c[96], d[96];
        assert_ok(dh__plan_resize(plan, sizes[i]));
        feed(plan, x, 4);
        run(plan);
        take(plan, y, a, 36);
        int64_t n = take(plan, s, c, 96);
        assert_int_equal(n, 12 * sizes[i]);
        feed(at[sizes[i]], x, 4);
        run(at[sizes[i]]);
        take(at[sizes[i]], y, b, 36);
        take(at[sizes[i]], s, d, 96);
        assert_memory_equal(a, b, sizeof a);
        assert_memory_equal(c, d, (size_t)n * sizeof(float));
    }
    /* beyond the bound there is no memory */
    assert_int_equal(dh__plan_resize(plan, 9), DH_EUNSUPPORTED);
    assert_int_equal(dh__plan_resize(plan, -1), DH_EINVAL);
    assert_int_equal(plan->rows, 8);
    feed(plan, x, 4);
    run(plan);
    for (int rows = 1; rows <= 8; rows++) dh__plan_free(at[rows]);
    dh__arena_free(arena);
    dh__params_release(store);
}

/* What an op cannot take leaves the plan as it was: a fixed reshape, more than the inputs' room
 * where results stay small, an operand that would be repeated in place. */
static void test_resize_refused(void **state)
{
    (void)state;
    dh__params *store = new_store();
    dh__arena *arena = new_arena();
    dh__graph *g = new_graph(store);
    dh_value x = dh__graph_input(g, DH_F32, SHAPE(4, 3));
    dh_value y = op1_attr(g, DH_OP_RESHAPE, &(dh_reshape_attr){.shape = {2, {2, 6}}}, x);
    y = keep(g, op1(g, DH_OP_NEG, y));
    dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
    float before[12], after[12];
    feed(plan, x, 1);
    run(plan);
    take(plan, y, before, 12);
    assert_int_not_equal(dh__plan_resize(plan, 3), DH_OK);
    assert_int_equal(plan->rows, 4);
    feed(plan, x, 1);
    run(plan);
    assert_int_equal(take(plan, y, after, 12), 12);
    assert_memory_equal(before, after, sizeof after);
    dh__plan_free(plan);

    g = new_graph(store);
    x = dh__graph_input(g, DH_F32, SHAPE(4, 3));
    y = keep(g, op1_attr(g, DH_OP_SUM, &(dh_reduce_attr){0}, x));
    plan = new_plan(g, arena, DH_FULL_MEM);
    assert_int_equal(dh__plan_resize(plan, 4000), DH_EUNSUPPORTED);
    assert_ok(dh__plan_resize(plan, 2));
    feed(plan, x, 1);
    run(plan);
    dh__plan_free(plan);

    g = new_graph(store);
    x = dh__graph_input(g, DH_F32, SHAPE(4, 1));
    dh_value c = dh__graph_const(g, DH_F32, SHAPE(4, 1), (double[]){1, 2, 3, 4});
    y = keep(g, op2(g, DH_OP_ADD, op1(g, DH_OP_NEG, x), c));
    plan = new_plan(g, arena, DH_FULL_MEM);
    dh_status status = dh__plan_resize(plan, 1); /* -x would be repeated over its own place */
    assert_ok(dh__plan_bind(plan));
    float *fed = data_of(plan, x);
    for (int i = 0; i < plan->rows; i++) fed[i] = 10;
    run(plan);
    expect_values(plan, y, 4, (float[]){-9, -8, -7, -6});
    assert_true(status == DH_OK || status == DH_EUNSUPPORTED);
    dh__plan_free(plan);
    dh__arena_free(arena);
    dh__params_release(store);
}

/* permute of slice of reshape, and an update of a part of a larger value. */
static void test_views(void **state)
{
    (void)state;
    dh__params *store = new_store();
    dh__arena *arena = new_arena();
    dh__graph *g = new_graph(store);
    dh_value x = dh__graph_input(g, DH_F32, SHAPE(2, 6));
    dh_value r = op1_attr(g, DH_OP_RESHAPE, &(dh_reshape_attr){.shape = {3, {-1, 3, 2}}}, x);
    dh_slice_attr cut = {
        .count = 2, .start = {INT64_MAX, 1}, .stop = {INT64_MAX, INT64_MAX}, .step = {-1, 1}};
    dh_value p = op1_attr(g, DH_OP_PERMUTE, &(dh_permute_attr){.axes = {3, {2, 0, 1}}},
                          op1_attr(g, DH_OP_SLICE, &cut, r));
    dh_value y = keep(g, op1(g, DH_OP_COPY, p));
    dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
    assert_int_equal(plan->slots[p].base, x);
    assert_ok(dh__plan_bind(plan));
    for (int i = 0; i < 12; i++) data_of(plan, x)[i] = (float)i;
    run(plan);
    expect_values(plan, y, 8, (float[]){8, 10, 2, 4, 9, 11, 3, 5});
    assert_ok(dh__plan_resize(plan, 1));
    run(plan);
    expect_values(plan, y, 4, (float[]){2, 4, 3, 5});
    dh__plan_free(plan);

    g = new_graph(store);
    x = dh__graph_input(g, DH_F32, SHAPE(4));
    dh_value more = dh__graph_input(g, DH_F32, SHAPE(4)), base = op1(g, DH_OP_NEG, x);
    dh_slice_attr tail = {.count = 1, .start = {2}, .stop = {INT64_MAX}, .step = {1}};
    dh_value in[2] = {op1_attr(g, DH_OP_SLICE, &tail, base), op1_attr(g, DH_OP_SLICE, &tail, more)};
    dh_value out[DH_OP_MAX_OUT];
    assert_ok(dh_emit(&g->emitter, DH_OP_ACCUMULATE, NULL, 2, in, out));
    y = keep(g, op1_attr(g, DH_OP_AFFINE, &(dh_affine_attr){10, 0}, out[0]));
    plan = new_plan(g, arena, DH_FULL_MEM);
    assert_int_equal(plan->slots[out[0]].shift, 2);
    assert_ok(dh__plan_bind(plan));
    for (int i = 0; i < 4; i++) data_of(plan, x)[i] = (float)i, data_of(plan, more)[i] = 7;
    run(plan);
    expect_values(plan, y, 2, (float[]){50, 40});
    dh__plan_free(plan);
    dh__arena_free(arena);
    dh__params_release(store);
}

/* Two plans on one arena; the larger one moves it. An update of the store is seen by both. */
static void test_shared_arena(void **state)
{
    (void)state;
    dh__params *store = new_store();
    dh__arena *arena = new_arena();
    dh__plan *plan[2];
    dh_value x[2], y[2];
    for (int i = 0; i < 2; i++) {
        dh__graph *g = new_graph(store);
        x[i] = dh__graph_input(g, DH_F32, SHAPE(i ? 4096 : 1, 2));
        dh_value w = weight(g, "w", SHAPE(2), (float[]){1, 1}), out[DH_OP_MAX_OUT];
        y[i] = keep(g, op2(g, DH_OP_MUL, x[i], w));
        dh_value sum = op1_attr(g, DH_OP_SUM, &(dh_reduce_attr){.axes = {1, {0}}}, y[i]);
        g->phase = DH_UPDATE;
        assert_ok(dh_emit(&g->emitter, DH_OP_ACCUMULATE, NULL, 2, (dh_value[]){w, sum}, out));
        plan[i] = new_plan(g, arena, DH_FULL_MEM);
    }
    feed(plan[0], x[0], 1);
    void *small = arena->data;
    memcpy(data_of(plan[0], x[0]), (float[]){2, 3}, 8);
    run(plan[0]);
    assert_ptr_equal(arena->owner, plan[0]);
    expect_values(plan[0], y[0], 2, (float[]){2, 3});
    feed(plan[1], x[1], 1);
    memset(data_of(plan[1], x[1]), 0, 4096 * 8);
    data_of(plan[1], x[1])[1] = 1;
    assert_ok(dh__plan_run(plan[1], DH_FORWARD, DH_BACKWARD)); /* without the update */
    assert_ptr_equal(arena->owner, plan[1]);
    assert_true(data_of(plan[1], y[1])[1] == 4); /* w was 1 + 3 */
    assert_true(arena->size > 64 * 1024 / 2 && small);
    feed(plan[0], x[0], 1);
    memcpy(data_of(plan[0], x[0]), (float[]){1, 1}, 8);
    run(plan[0]);
    expect_values(plan[0], y[0], 2, (float[]){3, 4});
    dh__plan_free(plan[0]);
    assert_null(arena->owner);
    dh__plan_free(plan[1]);
    dh__arena_free(arena);
    dh__params_release(store);
}

/* The first node whose output is not finite is named. */
static void test_find_nan(void **state)
{
    (void)state;
    dh__params *store = new_store();
    dh__arena *arena = new_arena();
    dh__graph *g = new_graph(store);
    dh_value x = dh__graph_input(g, DH_F32, SHAPE(2));
    g->scope = 3;
    dh_value y = op1(g, DH_OP_SQR, x);
    g->scope = 4;
    keep(g, op1(g, DH_OP_LOG, y));
    dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
    assert_ok(dh__plan_bind(plan));
    int scope = 0;
    const char *op = "";
    memcpy(data_of(plan, x), (float[]){1, 2}, 8);
    assert_ok(dh__plan_find_nan(plan, &scope, &op));
    assert_int_equal(scope, -1);
    assert_null(op);
    memcpy(data_of(plan, x), (float[]){1, 0}, 8);
    assert_ok(dh__plan_find_nan(plan, &scope, &op));
    assert_int_equal(scope, 4);
    assert_string_equal(op, "log");
    memcpy(data_of(plan, x), (float[]){1e30f, 1}, 8);
    assert_ok(dh__plan_find_nan(plan, &scope, &op));
    assert_int_equal(scope, 3);
    dh__plan_free(plan);
    dh__arena_free(arena);
    dh__params_release(store);
}

static void test_failing_allocations(void **state)
{
    (void)state;
    for (int level = DH_FULL_MEM; level <= DH_LOW_MEM; level++)
        for (uint64_t n = 1, before = live_blocks();; n++) {
            dh__params *store = new_store();
            dh__arena *arena = new_arena();
            random_graph r = random_new(store, 5, 10);
            dh_value loss = random_loss(&r), grads[2];
            dh_value one = dh__graph_scalar(r.graph, DH_F32, 1);
            assert_ok(dh__graph_backward(r.graph, 1, &loss, &one, 2, r.weight, grads));
            for (int i = 0; i < 2; i++)
                if (grads[i] != DH_NO_VALUE) keep(r.graph, grads[i]);
            dh__plan *plan = NULL;
            dh_alloc_fail_at(n);
            dh_status status = dh__plan_new(&plan, r.graph, arena, (dh__memory)level);
            if (!status) status = dh__plan_bind(plan);
            dh_alloc_fail_at(0);
            dh__plan_free(plan);
            dh__arena_free(arena);
            dh__params_release(store);
            assert_true(n < 20000);
            if (!status) break;
            assert_int_equal(status, DH_ENOMEM);
            assert_int_equal(live_blocks(), before);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_resize),
        cmocka_unit_test(test_resize_refused),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_shared_arena),
        cmocka_unit_test(test_find_nan),
        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
