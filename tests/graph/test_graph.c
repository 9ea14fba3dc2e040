/* SPDX-License-Identifier: MIT */
/* Building graphs: gradients that meet, places in the store, fusing, pruning, cloning. */
#include "graph_test.h"

static int count_op(const dh__graph *g, int op)
{
    int n = 0;
    for (int i = 0; i < g->node_count; i++) n += g->nodes[i]->op == op;
    return n;
}

/* y = w w + 3 w read thrice: dy/dw = 2 w + 3. */
static void test_accumulation(void **state)
{
    (void)state;
    dh__params *store = new_store();
    dh__graph *g = new_graph(store);
    dh_value w = weight(g, "w", SHAPE(3), (float[]){1, -2, 0.5f});
    dh_value three = op1_attr(g, DH_OP_AFFINE, &(dh_affine_attr){3, 0}, w);
    dh_value y = op2(g, DH_OP_ADD, op2(g, DH_OP_MUL, w, w), three), grad;
    dh_value one = dh__graph_const(g, DH_F32, SHAPE(3), (double[]){1, 1, 1});
    assert_ok(dh__graph_backward(g, 1, &y, &one, 1, &w, &grad));
    dh_value place = dh__graph_segment(g, 0, DH_HOME_GRAD, 0);
    assert_int_equal(dh__graph_place(g, grad, place), grad); /* the sum writes there itself */
    dh__arena *arena = new_arena();
    dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
    run(plan);
    expect_values(plan, grad, 3, (float[]){5, -1, 4});
    const float *stored = dh__params_address(store, DH_HOME_GRAD, 0);
    assert_true(stored[0] == 5 && stored[1] == -1 && stored[2] == 4);
    dh__plan_free(plan);
    dh__arena_free(arena);
    dh__params_release(store);
}

/* Both summands receive dy itself: the second place needs a copy. A view is copied, too. */
static void test_place(void **state)
{
    (void)state;
    dh__params *store = new_store();
    dh__graph *g = new_graph(store);
    dh_value a = weight(g, "a", SHAPE(2), (float[]){1, 2}),
             b = weight(g, "b", SHAPE(2), (float[]){3, 4});
    dh_value c = weight(g, "c", SHAPE(2, 1), (float[]){5, 6});
    assert_int_equal(dh__graph_segment(g, 0, DH_HOME_WEIGHT, 0), a); /* one value a place */
    a = dh__graph_segment(g, 0, DH_HOME_WEIGHT, 0);
    dh_value flat = op1_attr(g, DH_OP_RESHAPE, &(dh_reshape_attr){.shape = {1, {2}}}, c);
    dh_value y = op2(g, DH_OP_ADD, op2(g, DH_OP_ADD, a, b), flat), x[3] = {a, b, c}, grads[3];
    dh_value dy = op1_attr(g, DH_OP_AFFINE, &(dh_affine_attr){2, 1}, y);
    assert_ok(dh__graph_backward(g, 1, &y, &dy, 3, x, grads));
    assert_int_equal(grads[0], grads[1]);
    int before = g->node_count;
    for (int i = 0; i < 3; i++)
        assert_int_not_equal(dh__graph_place(g, grads[i], dh__graph_segment(g, i, DH_HOME_GRAD, 0)),
                             DH_NO_VALUE);
    assert_int_equal(g->node_count - before, 2);
    dh__arena *arena = new_arena();
    dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
    run(plan);
    for (int i = 0; i < 3; i++) {
        const float *stored = dh__params_address(store, DH_HOME_GRAD, store->segments[i]->offset);
        assert_true(stored[0] == 19 && stored[1] == 25);
    }
    dh__plan_free(plan);
    dh__arena_free(arena);
    dh__params_release(store);
}

/* linear + act becomes one node where nothing else reads between; the loser's buffer is not
 * planned. */
static void test_fuse(void **state)
{
    (void)state;
    static const int acts[] = {DH_OP_RELU, DH_OP_LEAKY_RELU, DH_OP_TANH};
    for (int i = 0; i < 3; i++)
        for (int other = 0; other < 3; other++) {
            dh__params *store = new_store();
            dh__graph *g = new_graph(store);
            dh_value x = dh__graph_input(g, DH_F32, SHAPE(4, 2));
            dh_value w = weight(g, "w", SHAPE(2, 2), (float[]){1, -1, 2, -3});
            dh_value z = op2(g, DH_OP_LINEAR, x, w), y = keep(g, op1(g, acts[i], z));
            if (other == 1) keep(g, op1(g, DH_OP_SQR, z));
            if (other == 2) keep(g, z);
            assert_ok(dh__graph_fuse(g));
            bool fused = acts[i] != DH_OP_TANH && !other;
            assert_int_equal(count_op(g, acts[i]), !fused);
            assert_int_equal(count_op(g, DH_OP_LINEAR), 1);
            dh__arena *arena = new_arena();
            dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
            if (fused) assert_true(plan->slots[z].last < plan->slots[z].first); /* no memory */
            check_overlap(plan);
            assert_ok(dh__plan_bind(plan));
            memcpy(data_of(plan, x), (float[]){1, 0, 0, 1, 1, 1, -1, 2}, 8 * sizeof(float));
            run(plan);
            static const float z_want[8] = {1, -1, 2, -3, 3, -4, 3, -5};
            float want[8];
            for (int k = 0; k < 8; k++) {
                float v = z_want[k];
                want[k] = i == 2 ? tanhf(v) : v > 0 ? v : i == 0 ? 0 : 0.01f * v;
            }
            expect_values(plan, y, 8, want);
            if (other == 2) expect_values(plan, z, 8, z_want);
            dh__plan_free(plan);
            dh__arena_free(arena);
            dh__params_release(store);
        }
}

/* What reaches neither a kept value nor the store goes, and takes no memory with it. */
static void test_prune(void **state)
{
    (void)state;
    dh__params *store = new_store();
    dh__graph *g = new_graph(store);
    dh_value x = dh__graph_input(g, DH_F32, SHAPE(16)),
             w = weight(g, "w", SHAPE(2), (float[]){1, 2});
    dh_value y = keep(g, op1(g, DH_OP_NEG, x));
    op1(g, DH_OP_EXP, op2(g, DH_OP_MUL, y, x));
    dh_value twice = op2(g, DH_OP_ADD, w, w);
    dh__graph_place(g, twice, dh__graph_segment(g, 0, DH_HOME_GRAD, 0));
    assert_ok(dh__graph_prune(g));
    assert_int_equal(g->node_count, 2);
    dh__arena *arena = new_arena();
    dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
    assert_int_equal(plan->arena_size, 2 * 64); /* x and y */
    run(plan);
    assert_true(((float *)dh__params_address(store, DH_HOME_GRAD, 0))[1] == 4);
    dh__plan_free(plan);
    dh__arena_free(arena);
    dh__params_release(store);
}

/* An update reaches the store through a view of it too. */
static void test_prune_spares_updates_of_views(void **state)
{
    (void)state;
    dh__params *store = new_store();
    dh__graph *g = new_graph(store);
    dh_value x = dh__graph_input(g, DH_F32, SHAPE(2, 1)),
             w = weight(g, "w", SHAPE(2), (float[]){1, 2});
    dh_reshape_attr column = {.shape = {2, {2, 1}}};
    op2(g, DH_OP_ACCUMULATE, dh_emit1(&g->emitter, DH_OP_RESHAPE, &column, w), x);
    assert_ok(dh__graph_prune(g));
    assert_int_equal(g->node_count, 2);
    dh__arena *arena = new_arena();
    dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
    assert_ok(dh__plan_bind(plan));
    memcpy(data_of(plan, x), (float[]){10, 20}, 2 * sizeof(float));
    run(plan);
    const float *now = dh__params_address(store, DH_HOME_WEIGHT, 0);
    assert_true(now[0] == 11 && now[1] == 22);
    dh__plan_free(plan);
    dh__arena_free(arena);
    dh__params_release(store);
}

static void test_errors(void **state)
{
    (void)state;
    dh__params *store = new_store();
    dh__graph *g = new_graph(store);
    dh_value a = dh__graph_input(g, DH_F32, SHAPE(2, 3)),
             b = dh__graph_input(g, DH_F32, SHAPE(2, 2));
    assert_int_equal(dh_emit2(&g->emitter, DH_OP_ADD, NULL, a, b), DH_NO_VALUE);
    assert_int_equal(g->emitter.status, DH_ESHAPE);
    assert_non_null(strstr(dh_error_text(), "[2, 3]"));
    int nodes = g->node_count;
    assert_int_equal(dh_emit1(&g->emitter, DH_OP_NEG, NULL, a), DH_NO_VALUE); /* it sticks */
    assert_int_equal(g->node_count, nodes);
    assert_int_equal(dh__graph_backward(g, 0, NULL, NULL, 0, NULL, NULL), DH_ESHAPE);
    dh__arena *arena = new_arena();
    dh__plan *plan = NULL;
    assert_int_equal(dh__plan_new(&plan, g, arena, DH_FULL_MEM), DH_ESHAPE); /* takes the graph */
    assert_null(plan);

    g = new_graph(store);
    assert_int_equal(dh__graph_input(g, DH_F32, SHAPE(INT64_MAX, 8)), DH_NO_VALUE);
    assert_int_equal(g->emitter.status, DH_EOVERFLOW);
    dh__graph_free(g);

    g = new_graph(store); /* shapes that meet in one which no memory holds */
    a = dh__graph_input(g, DH_F32, SHAPE(1 << 20, 1 << 20, 1));
    b = dh__graph_input(g, DH_F32, SHAPE(1, 1, (int64_t)1 << 40));
    assert_int_equal(dh_emit2(&g->emitter, DH_OP_ADD, NULL, a, b), DH_NO_VALUE);
    assert_int_equal(g->emitter.status, DH_EOVERFLOW);
    dh__graph_free(g);
    dh__arena_free(arena);
    dh__params_release(store);
}

/* A clone computes the same bits and owns its constants. */
static void test_clone(void **state)
{
    (void)state;
    dh__params *store = new_store();
    dh__graph *g = new_graph(store), *copy = NULL;
    dh_value x = dh__graph_input(g, DH_F32, SHAPE(3, 4));
    dh_value c = dh__graph_const(g, DH_F32, SHAPE(4), (double[]){1, 2, 3, 4});
    dh_value y =
        keep(g, op1_attr(g, DH_OP_DROPOUT, &(dh_dropout_attr){0.5}, op2(g, DH_OP_MUL, x, c)));
    assert_ok(dh__graph_clone(&copy, g));
    assert_int_equal(copy->node_count, g->node_count);
    dh__arena *arena = new_arena();
    dh__plan *first = new_plan(g, arena, DH_FULL_MEM);
    float a[12], b[12];
    feed(first, x, 3);
    run(first);
    take(first, y, a, 12);
    dh__plan_free(first);
    dh__plan *second = new_plan(copy, arena, DH_FULL_MEM);
    feed(second, x, 3);
    run(second);
    take(second, y, b, 12);
    assert_memory_equal(a, b, sizeof a);
    dh__plan_free(second);
    dh__arena_free(arena);
    dh__params_release(store);
}

/* Parameters that could not be drawn are drawn by the next try, not left as zeros. */
static dh_status draw_ones(const dh__segment *segment, float *data, uint64_t seed)
{
    void *work = dh__alloc(16 + seed);
    if (!work) return DH_ENOMEM;
    for (int64_t i = 0; i < segment->count; i++) data[i] = 1;
    dh__free(work);
    return DH_OK;
}

static void test_store(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 8; n++) {
        dh__params *store = new_store();
        dh__segment like = {.ndim = 1, .shape = {3}, .init = draw_ones, .lr_scale = 1};
        int index;
        assert_ok(dh__params_declare(store, &index, &like, "a"));
        assert_ok(dh__params_allocate(store, 1));
        assert_ok(dh__params_declare(store, &index, &like, "b"));
        assert_ok(dh__params_declare(store, &index, &like, "c"));
        dh_alloc_fail_at(n);
        dh_status status = dh__params_allocate(store, 1);
        dh_alloc_fail_at(0);
        assert_true(status == DH_OK || status == DH_ENOMEM);
        assert_ok(dh__params_allocate(store, 1));
        const float *w = dh__params_address(store, DH_HOME_WEIGHT, 0);
        for (int i = 0; i < 3; i++) assert_true(w[16 * i] == 1 && w[16 * i + 2] == 1);
        like.shape[0] = 4;
        assert_int_equal(dh__params_declare(store, &index, &like, "b"), DH_ESHAPE);
        assert_non_null(strstr(dh_error_text(), "\"b\""));
        dh__params_release(store);
    }
}

/* So do conv and batch_norm_train, whose other outputs stay. */
static void test_fuse_others(void **state)
{
    (void)state;
    dh__params *store = new_store();
    dh__graph *g = new_graph(store);
    dh_value x = dh__graph_input(g, DH_F32, SHAPE(4, 1, 2, 2));
    dh_value w = weight(g, "w", SHAPE(1, 1, 2, 2), (float[]){1, -1, 2, -3}), out[3];
    dh_conv_attr conv = {.group = 1};
    dh_norm_attr norm = {.axis = 1, .epsilon = 1e-5};
    dh_act_attr leaky = {.alpha = 0.5};
    dh_value z = dh_emit2(&g->emitter, DH_OP_CONV, &conv, x, w);
    dh_value a = dh_emit1(&g->emitter, DH_OP_LEAKY_RELU, &leaky, z);
    assert_ok(dh_emit(&g->emitter, DH_OP_BATCH_NORM_TRAIN, &norm, 1, &a, out));
    keep(g, op1(g, DH_OP_RELU, out[0]));
    dh_value mean = keep(g, op1(g, DH_OP_RELU, out[1]));
    assert_ok(dh__graph_fuse(g));
    assert_int_equal(count_op(g, DH_OP_LEAKY_RELU), 0);
    assert_int_equal(count_op(g, DH_OP_RELU), 1); /* of the mean, which has no activation */
    const dh_conv_attr *c = g->nodes[0]->attr;
    const dh_norm_attr *n = g->nodes[1]->attr;
    assert_int_equal(c->act, 2);
    assert_true(c->alpha == 0.5);
    assert_int_equal(n->act, 1);
    assert_int_equal(g->values[mean].node, 2);
    dh__graph_free(g);
    dh__params_release(store);
}

/* A convolution and a batch norm add what their result is added to, then comes the activation; not
 * where the result is read twice, has an activation before the sum, where the other value is
 * broadcast, comes later or is another result of theirs. */
static void test_fuse_sum(void **state)
{
    (void)state;
    enum { FUSES, ACT_BEFORE, READ_TWICE, ROW, LATER, OWN, CASES };
    for (int i = 0; i < 2 * CASES; i++) {
        int kind = i / 2;
        bool norm = i % 2;
        if (kind == OWN && !norm) continue;
        dh__params *store = new_store();
        dh__graph *g = new_graph(store);
        dh_value x = dh__graph_input(g, DH_F32, SHAPE(4, 1, 2, 2)), out[3], z;
        dh_value row = dh__graph_input(g, DH_F32, SHAPE(1, 1, 1, 1));
        dh_value w = weight(g, "w", SHAPE(1, 1, 1, 1), (float[]){2});
        dh_value other = op1(g, DH_OP_NEG, kind == ROW ? row : x);
        dh_conv_attr conv = {.group = 1};
        dh_norm_attr attr = {.axis = 0, .epsilon = 1e-5};
        dh_value flat = dh__graph_input(g, DH_F32, SHAPE(4));
        dh_value from = kind == OWN ? flat : x;
        if (norm) assert_ok(dh_emit(&g->emitter, DH_OP_BATCH_NORM_TRAIN, &attr, 1, &from, out));
        z = norm ? out[0] : dh_emit2(&g->emitter, DH_OP_CONV, &conv, x, w);
        if (kind == OWN) other = out[1];
        if (kind == ACT_BEFORE) z = op1(g, DH_OP_RELU, z);
        if (kind == READ_TWICE) keep(g, z);
        if (kind == LATER) other = op1(g, DH_OP_ABS, x);
        dh_value y = keep(g, op1(g, DH_OP_RELU, op2(g, DH_OP_ADD, other, z)));
        assert_ok(dh__graph_fuse(g));
        assert_int_equal(count_op(g, DH_OP_ADD), kind != FUSES);
        const dh__node *last = g->nodes[g->values[y].node];
        if (kind == FUSES) {
            assert_int_equal(last->op, norm ? DH_OP_BATCH_NORM_TRAIN : DH_OP_CONV);
            assert_int_equal(last->in_count, norm ? 2 : 3);
            assert_int_equal(last->in[last->in_count - 1], other);
            assert_true(norm ? ((const dh_norm_attr *)last->attr)->add
                             : ((const dh_conv_attr *)last->attr)->add);
            assert_int_equal(norm ? ((const dh_norm_attr *)last->attr)->act
                                  : ((const dh_conv_attr *)last->attr)->act,
                             DH_ACT_RELU);
        }
        dh__graph_free(g);
        dh__params_release(store);
    }
}

/* A batch norm's gradient takes dy through the activation itself, unless another reads what comes
 * through. */
static void test_fuse_gate(void **state)
{
    (void)state;
    for (int shared = 0; shared < 2; shared++) {
        dh__params *store = new_store();
        dh__graph *g = new_graph(store);
        dh_value x = dh__graph_input(g, DH_F32, SHAPE(4, 2, 3, 2)), out[3], grads[2];
        dh_value w = weight(g, "w", SHAPE(1, 2, 1, 1), (float[]){1, -3});
        dh_norm_attr norm = {.axis = 1, .epsilon = 1e-5};
        dh_value z = op2(g, DH_OP_MUL, x, w);
        assert_ok(dh_emit(&g->emitter, DH_OP_BATCH_NORM_TRAIN, &norm, 1, &z, out));
        dh_value sum = shared ? op2(g, DH_OP_ADD, out[0], w) : out[0];
        dh_value y = op1(g, DH_OP_RELU6, sum), dy = op1(g, DH_OP_NEG, x);
        keep(g, y);
        assert_ok(dh__graph_backward(g, 1, &y, &dy, 1, &w, grads));
        keep(g, grads[0]);
        assert_int_equal(count_op(g, DH_OP_UNARY_DX), 1);
        assert_ok(dh__graph_fuse(g));
        assert_int_equal(count_op(g, DH_OP_UNARY_DX), shared);
        for (int i = 0; i < g->node_count; i++)
            if (g->nodes[i]->op == DH_OP_BATCH_NORM_DX) {
                const dh_norm_attr *attr = g->nodes[i]->attr;
                assert_int_equal(attr->gate, shared ? DH_ACT_NONE : DH_ACT_RELU6);
                assert_int_equal(g->nodes[i]->in_count, shared ? 4 : 5);
            }
        dh__graph_free(g);
        dh__params_release(store);
    }
}

/* The activation of a batch norm's gradient is the one that it starts with: none can follow. */
static void test_gate_is_first(void **state)
{
    (void)state;
    dh__params *store = new_store();
    dh__graph *g = new_graph(store);
    dh_value x = dh__graph_input(g, DH_F32, SHAPE(3, 2)), out[3];
    dh_value w = weight(g, "w", SHAPE(2), (float[]){1, 2});
    dh_norm_attr norm = {.axis = 1, .epsilon = 1e-5};
    dh_value in[] = {x, x, w, w};
    assert_ok(dh_emit(&g->emitter, DH_OP_BATCH_NORM_DX, &norm, 4, in, out));
    keep(g, op1(g, DH_OP_RELU, out[0]));
    assert_ok(dh__graph_fuse(g));
    assert_int_equal(count_op(g, DH_OP_RELU), 1);
    dh__graph_free(g);
    dh__params_release(store);
}

/* conv a, of which `select` takes elements, conv b behind it; and their gradients. */
static dh__graph *ties_net(dh__params *store, int select)
{
    dh__graph *g = new_graph(store);
    float ones[16 * 16 * 9];
    for (int i = 0; i < 16 * 16 * 9; i++) ones[i] = 1;
    dh_value x = dh__graph_input(g, DH_F32, SHAPE(24, 16, 8, 8)), w[2], grads[2];
    w[0] = weight(g, "a", SHAPE(16, 16, 3, 3), ones);
    w[1] = weight(g, "b", SHAPE(16, 16, 3, 3), ones);
    dh_conv_attr conv = {.group = 1, .pads = {4, {1, 1, 1, 1}}};
    dh_pool_attr pool = {.kernel_shape = {2, {3, 3}}, .pads = {4, {1, 1, 1, 1}}};
    dh_reduce_attr all = {.keepdims = true};
    dh_value a =
        dh_emit1(&g->emitter, DH_OP_TANH, NULL, dh_emit2(&g->emitter, DH_OP_CONV, &conv, x, w[0]));
    keep(g, a);
    if (select == DH_OP_MAX_POOL) a = dh_emit1(&g->emitter, select, &pool, a);
    if (select == DH_OP_MAX) a = op2(g, DH_OP_ADD, a, dh_emit1(&g->emitter, select, &all, a));
    if (select == DH_OP_MAXIMUM) a = op2(g, select, a, x);
    if (select == DH_OP_GREATER)
        a = dh_emit3(&g->emitter, DH_OP_WHERE, NULL, op2(g, select, a, x), a, x);
    dh_value b = dh_emit2(&g->emitter, DH_OP_CONV, &conv, a, w[1]);
    keep(g, dh_emit1(&g->emitter, DH_OP_MAX, &all, b)); /* of which no gradient flows */
    assert_ok(dh__graph_backward(g, 1, &b, &x, 2, w, grads));
    for (int i = 0; i < 2; i++)
        dh__graph_place(g, grads[i], dh__graph_segment(g, i, DH_HOME_GRAD, 0));
    return g;
}

/* Where a gradient flows to one of equals, what they were computed from must keep them equal, also
 * where it is computed again; elsewhere equal windows may be rounded differently. */
static void test_exact_ties(void **state)
{
    (void)state;
    static const int selects[] = {DH_OP_TANH, DH_OP_MAX_POOL, DH_OP_MAX, DH_OP_MAXIMUM,
                                  DH_OP_GREATER};
    for (int s = 0; s < 5; s++)
        for (int level = DH_FULL_MEM; level <= DH_LOW_MEM; level++) {
            dh__params *store = new_store();
            dh__graph *g = ties_net(store, selects[s]);
            dh__arena *arena = new_arena();
            dh__plan *plan = new_plan(g, arena, (dh__memory)level);
            int convs = 0;
            for (int i = 0; i < plan->graph->node_count; i++) {
                const dh__node *n = plan->graph->nodes[i];
                bool first = n->op == DH_OP_CONV && plan->graph->values[n->in[0]].node < 0;
                convs += n->op == DH_OP_CONV;
                if (n->op == DH_OP_CONV)
                    assert_int_equal(plan->calls[i].call.exact_ties, s > 0 && first);
                if (n->op == DH_OP_CONV)
                    assert_string_equal(plan->calls[i].impl->name,
                                        s > 0 && first ? "direct" : "winograd");
            }
            assert_true(convs >= 2);
            dh__plan_free(plan);
            dh__arena_free(arena);
            dh__params_release(store);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accumulation),  cmocka_unit_test(test_place),
        cmocka_unit_test(test_fuse),          cmocka_unit_test(test_fuse_others),
        cmocka_unit_test(test_fuse_gate),     cmocka_unit_test(test_fuse_sum),
        cmocka_unit_test(test_gate_is_first), cmocka_unit_test(test_exact_ties),
        cmocka_unit_test(test_prune),         cmocka_unit_test(test_prune_spares_updates_of_views),
        cmocka_unit_test(test_errors),        cmocka_unit_test(test_clone),
        cmocka_unit_test(test_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
