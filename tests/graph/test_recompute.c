/* SPDX-License-Identifier: MIT */
/* Memory levels: the same bits of loss and gradients at each, and never more bytes from one to the
 * next. */
#include "random_graph.h"

typedef struct outcome {
    float loss, grad[2][16], input[24], weight[2][16];
    size_t bytes;
    int nodes;
} outcome;

static outcome train(uint64_t seed, dh__memory level)
{
    dh__params *store = new_store();
    dh__arena *arena = new_arena();
    random_graph r = random_new(store, seed, 8 + (int)(seed % 29));
    dh__graph *g = r.graph;
    dh_value loss = random_loss(&r), one = dh__graph_scalar(g, DH_F32, 1), grads[3];
    dh_value wrt[3] = {r.weight[0], r.weight[1], r.input[0]};
    outcome o = {0};
    assert_ok(dh__graph_backward(g, 1, &loss, &one, 3, wrt, grads));
    for (int i = 0; i < 3; i++)
        if (grads[i] != DH_NO_VALUE) keep(g, grads[i]);
    dh__plan *plan = new_plan(g, arena, level);
    check_overlap(plan);
    for (int pass = 0; pass < 2; pass++) { /* what is left in memory must not matter */
        feed(plan, r.input[0], seed);
        feed(plan, r.input[1], seed);
        run(plan);
    }
    take(plan, loss, &o.loss, 1);
    for (int i = 0; i < 3; i++)
        if (grads[i] != DH_NO_VALUE)
            take(plan, grads[i], i < 2 ? o.grad[i] : o.input, i < 2 ? 16 : 24);
    o.bytes = plan->arena_size;
    o.nodes = plan->graph->node_count;
    dh__plan_free(plan);
    dh__arena_free(arena);
    dh__params_release(store);
    return o;
}

static void test_random(void **state)
{
    (void)state;
    int saved = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        outcome o[3];
        for (int level = 0; level < 3; level++) o[level] = train(seed, (dh__memory)level);
        for (int level = 1; level < 3; level++) {
            if (memcmp(&o[0].loss, &o[level].loss, offsetof(outcome, bytes)))
                fail_msg("seed %d: level %d gives other bits", (int)seed, level);
            assert_true(o[level].bytes <= o[level - 1].bytes);
        }
        saved += o[2].bytes < o[0].bytes;
    }
    assert_true(saved > 20); /* recomputation is really met */
}

/* Both weights are updated as soon as that is right: by the gradients that are kept, so what comes
 * too early shows in them. */
static void update_weights(dh__graph *g, const dh_value *w, const dh_value *grads)
{
    dh_value out[DH_OP_MAX_OUT];
    g->phase = DH_UPDATE;
    for (int i = 0; i < 2; i++)
        if (grads[i] != DH_NO_VALUE)
            assert_ok(dh_emit(&g->emitter, DH_OP_SGD_STEP, &(dh_sgd_attr){.lr_scale = 1}, 2,
                              (dh_value[]){w[i], grads[i]}, out));
}

/* The passes by themselves, forced even where they save nothing. */
static outcome forced(uint64_t seed, dh__memory level, int segments, bool update)
{
    dh__params *store = new_store();
    dh__arena *arena = new_arena();
    random_graph r = random_new(store, seed, 8 + (int)(seed % 29));
    dh__graph *g = r.graph;
    dh_value loss = random_loss(&r), one = dh__graph_scalar(g, DH_F32, 1), grads[2];
    outcome o = {0};
    assert_ok(dh__graph_backward(g, 1, &loss, &one, 2, r.weight, grads));
    for (int i = 0; i < 2; i++)
        if (grads[i] != DH_NO_VALUE) keep(g, grads[i]);
    if (update) update_weights(g, r.weight, grads);
    assert_ok(dh__graph_fuse(g));
    assert_ok(dh__graph_prune(g));
    assert_ok(dh__graph_recompute(g, level, segments));
    dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
    check_overlap(plan);
    feed(plan, r.input[0], seed);
    feed(plan, r.input[1], seed);
    plan->step.learning_rate = 0.5f;
    run(plan);
    take(plan, loss, &o.loss, 1);
    for (int i = 0; i < 2; i++)
        if (grads[i] != DH_NO_VALUE) take(plan, grads[i], o.grad[i], 16);
    for (int i = 0; i < 2 && update; i++)
        if (grads[i] != DH_NO_VALUE) take(plan, r.weight[i], o.weight[i], 16);
    dh__plan_free(plan);
    dh__arena_free(arena);
    dh__params_release(store);
    return o;
}

static void test_forced(void **state)
{
    (void)state;
    int updated = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        int segments = 2 + (int)(seed % 9);
        outcome plain = forced(seed, DH_FULL_MEM, 0, false);
        outcome mid = forced(seed, DH_MID_MEM, 0, false);
        outcome low = forced(seed, DH_LOW_MEM, segments, false);
        outcome full_updated = forced(seed, DH_FULL_MEM, 0, true);
        outcome low_updated = forced(seed, DH_LOW_MEM, segments, true);
        if (memcmp(&plain, &mid, sizeof plain)) fail_msg("seed %d: mid_mem differs", (int)seed);
        if (memcmp(&plain, &low, sizeof plain)) fail_msg("seed %d: low_mem differs", (int)seed);
        if (memcmp(&full_updated, &low_updated, sizeof plain))
            fail_msg("seed %d: other weights at low_mem", (int)seed);
        if (memcmp(&plain, &low_updated, offsetof(outcome, weight)))
            fail_msg("seed %d: an update comes too early", (int)seed);
        updated += memcmp(plain.weight, low_updated.weight, sizeof plain.weight) != 0;
    }
    assert_true(updated > 20);
}

/* The gradient of w is there before that of the product in, which is made by w too. */
static void test_update_waits_for_readers(void **state)
{
    (void)state;
    float grad[2][8], w_after[2][8];
    for (int update = 0; update < 2; update++) {
        dh__params *store = new_store();
        dh__arena *arena = new_arena();
        dh__graph *g = new_graph(store);
        float ones[8] = {1, 2, 3, 4, 5, 6, 7, 8};
        dh_value w[2] = {weight(g, "w", SHAPE(8), ones), weight(g, "v", SHAPE(8), ones)};
        dh_value x = dh__graph_input(g, DH_F32, SHAPE(8)), grads[2];
        dh_value y = op1(g, DH_OP_SQR, op2(g, DH_OP_MUL, w[0], op2(g, DH_OP_MUL, w[1], x)));
        dh_value total = op1_attr(g, DH_OP_SUM, &(dh_reduce_attr){0}, y);
        dh_value one = dh__graph_scalar(g, DH_F32, 1);
        assert_ok(dh__graph_backward(g, 1, &total, &one, 2, w, grads));
        keep(g, grads[1]);
        if (update) update_weights(g, w, grads);
        dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
        feed(plan, x, 1);
        plan->step.learning_rate = 0.5f;
        run(plan);
        take(plan, grads[1], grad[update], 8);
        take(plan, w[0], w_after[update], 8);
        dh__plan_free(plan);
        dh__arena_free(arena);
        dh__params_release(store);
    }
    assert_memory_equal(grad[0], grad[1], sizeof grad[0]);
    assert_memory_not_equal(w_after[0], w_after[1], sizeof w_after[0]);
}

/* A value read from a state that forward itself updates cannot be made again afterwards. */
static void test_updated_state(void **state)
{
    (void)state;
    float loss[3], grad[3][64];
    for (int level = 0; level < 3; level++) {
        dh__params *store = new_store();
        dh__arena *arena = new_arena();
        dh__graph *g = new_graph(store);
        float ones[64];
        for (int i = 0; i < 64; i++) ones[i] = 1;
        dh_value w = weight(g, "w", SHAPE(64), ones), s = weight(g, "s", SHAPE(64), ones);
        dh_value x = dh__graph_input(g, DH_F32, SHAPE(64)), out[DH_OP_MAX_OUT], grads;
        dh_value y = op1(g, DH_OP_SIGMOID, op2(g, DH_OP_MUL, op2(g, DH_OP_MUL, x, s), w));
        assert_ok(dh_emit(&g->emitter, DH_OP_ACCUMULATE, NULL, 2, (dh_value[]){s, x}, out));
        for (int i = 0; i < 6; i++) y = op1(g, DH_OP_TANH, op1(g, DH_OP_SQR, y));
        dh_value total = keep(g, op1_attr(g, DH_OP_SUM, &(dh_reduce_attr){0}, y));
        dh_value one = dh__graph_scalar(g, DH_F32, 1);
        assert_ok(dh__graph_backward(g, 1, &total, &one, 1, &w, &grads));
        keep(g, grads);
        assert_ok(dh__graph_recompute(g, (dh__memory)level, 3));
        dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
        feed(plan, x, 1);
        run(plan);
        take(plan, total, &loss[level], 1);
        take(plan, grads, grad[level], 64);
        dh__plan_free(plan);
        dh__arena_free(arena);
        dh__params_release(store);
        assert_true(loss[level] == loss[0]);
        if (memcmp(grad[0], grad[level], sizeof grad[0]))
            fail_msg("level %d: other gradients", level);
    }
}

/* a lies idle while e, which is large, is made and summed: made again for its second reader, once
 * its cost is allowed and nothing else forbids it. */
static void split_once(bool allowed, bool kept)
{
    enum { N = 1000, TIMES = 8 };
    dh__params *store = new_store();
    dh__arena *arena = new_arena();
    dh__graph *g = new_graph(store), *copy;
    float want[N], got[N];
    double flops = allowed ? 2 * N : N - 1;
    bool done;
    dh_value x = dh__graph_input(g, DH_F32, SHAPE(N)), a = op1(g, DH_OP_TANH, x), parts[TIMES], e;
    parts[0] = op1_attr(g, DH_OP_AFFINE, &(dh_affine_attr){2, 1}, x);
    for (int i = 1; i < TIMES; i++) parts[i] = parts[0];
    assert_ok(dh_emit(&g->emitter, DH_OP_CONCAT, &(dh_axis_attr){0}, TIMES, parts, &e));
    dh_value sum = op1_attr(g, DH_OP_SUM, &(dh_reduce_attr){0}, e);
    dh_value y = keep(g, op2(g, DH_OP_ADD, a, sum));
    if (kept) keep(g, a);
    dh__plan *plan = new_plan(g, arena, DH_FULL_MEM), *split;
    assert_ok(dh__graph_clone(&copy, plan->graph));
    assert_ok(dh__graph_split_peak(copy, plan, &flops, &done));
    assert_int_equal(done, allowed && !kept);
    assert_int_equal(copy->node_count, plan->graph->node_count + done);
    assert_true(flops == (allowed ? 2 * N : N - 1) - (done ? N : 0));
    split = new_plan(copy, arena, DH_FULL_MEM);
    check_overlap(split);
    assert_int_equal(plan->arena_size - split->arena_size, done ? 4032 : 0); /* N in whole lines */
    feed(plan, x, 3);
    run(plan);
    take(plan, y, want, N);
    feed(split, x, 3);
    run(split);
    take(split, y, got, N);
    assert_memory_equal(want, got, sizeof want);
    dh__plan_free(plan);
    dh__plan_free(split);
    dh__arena_free(arena);
    dh__params_release(store);
}

static void test_split(void **state)
{
    (void)state;
    split_once(true, false);
    split_once(false, false);
    split_once(true, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random), cmocka_unit_test(test_forced),
                                       cmocka_unit_test(test_update_waits_for_readers),
                                       cmocka_unit_test(test_updated_state),
                                       cmocka_unit_test(test_split)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
