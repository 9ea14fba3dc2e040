/* SPDX-License-Identifier: MIT */
/* Where values lie: lifetimes that meet never share addresses, results in place only where nothing
 * else reads, kept values to the end, and a fixed example by hand. */
#include "random_graph.h"

static void test_chain(void **state)
{
    (void)state;
    dh__params *store = new_store();
    dh__arena *arena = new_arena();
    dh__graph *g = new_graph(store);
    dh_value x = dh__graph_input(g, DH_F32, SHAPE(64)), v = x, first;
    for (int i = 0; i < 10; i++) {
        v = op1(g, DH_OP_SIGMOID, v);
        if (i == 0) first = v;
    }
    keep(g, v);
    dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
    assert_int_equal(plan->arena_size, 2 * 256); /* the input stays, all others are one buffer */
    assert_int_equal(plan->slots[v].base, first);
    assert_int_equal(plan->slots[first].last, 10);
    dh__plan_free(plan);
    dh__arena_free(arena);
    dh__params_release(store);
}

/* x is read again later, through a view, or by the same node in another way: no sharing. */
static void test_not_in_place(void **state)
{
    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        dh__params *store = new_store();
        dh__arena *arena = new_arena();
        dh__graph *g = new_graph(store);
        dh_value x = dh__graph_input(g, DH_F32, SHAPE(4, 4));
        dh_permute_attr turn = {.axes = {2, {1, 0}}};
        dh_value a = op1(g, DH_OP_NEG, x), t = op1_attr(g, DH_OP_PERMUTE, &turn, a), y;
        if (kind == 0) { /* its own transpose is read by the same node */
            y = op2(g, DH_OP_ADD, a, t);
        } else if (kind == 1) { /* a view of it is read later */
            y = op1(g, DH_OP_SIGMOID, a);
            y = op2(g, DH_OP_SUB, y, t);
        } else if (kind == 2) { /* kept */
            y = op1(g, DH_OP_SIGMOID, keep(g, a));
        } else if (kind == 3) { /* broadcast */
            dh_value row =
                op1_attr(g, DH_OP_SUM, &(dh_reduce_attr){.axes = {1, {0}}, .keepdims = true}, a);
            y = op2(g, DH_OP_MUL, row, t);
        } else { /* it is both operands: one read each, so this may be in place */
            y = op2(g, DH_OP_MUL, a, a);
        }
        keep(g, y);
        dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
        check_overlap(plan);
        assert_int_equal(plan->slots[y].base == a, kind == 4);
        assert_ok(dh__plan_bind(plan));
        float want[16], v[16];
        for (int i = 0; i < 16; i++) data_of(plan, x)[i] = v[i] = (float)i / 8;
        for (int i = 0; i < 16; i++) {
            float av = -v[i], tv = -v[i % 4 * 4 + i / 4], s = 1 / (1 + expf(v[i])), row = 0;
            for (int k = 0; k < 4; k++) row -= v[4 * k + i % 4];
            want[i] = kind == 0   ? av + tv
                      : kind == 1 ? s - tv
                      : kind == 2 ? s
                      : kind == 3 ? row * tv
                                  : av * av;
        }
        run(plan);
        expect_values(plan, y, 16, want);
        dh__plan_free(plan);
        dh__arena_free(arena);
        dh__params_release(store);
    }
}

enum { ROWS = 2, CHANNELS = 8, PIXELS = 15, ELEMENTS = ROWS * CHANNELS * PIXELS };

static void mix(const float *x, const float *w, float *y)
{
    for (int i = 0; i < ELEMENTS; i++) {
        int n = i / (CHANNELS * PIXELS), o = i / PIXELS % CHANNELS, at = i % PIXELS;
        y[i] = 0;
        for (int c = 0; c < CHANNELS; c++)
            y[i] += w[o * CHANNELS + c] * x[(n * CHANNELS + c) * PIXELS + at];
    }
}

/* What a convolution adds gives its memory to the result where both lie alike, here channels last,
 * but not if it is the image as well, whose channels all results read, or is kept. */
static void test_added(void **state)
{
    (void)state;
    enum { ALIKE, UNLIKE, IMAGE, KEPT, KINDS };
    const dh_conv_attr point = {.group = 1}, add = {.group = 1, .add = true};
    for (int kind = 0; kind < KINDS; kind++) {
        dh__params *store = new_store();
        dh__arena *arena = new_arena();
        dh__graph *g = new_graph(store);
        dh_value x = dh__graph_input(g, DH_F32, SHAPE(ROWS, CHANNELS, 3, 5)), w[3], a, b, y, z;
        float weights[3][CHANNELS * CHANNELS], v[5][ELEMENTS];
        for (int i = 0; i < 3; i++) {
            dh__random_uniform(3, (uint64_t)i, 0, weights[i], CHANNELS * CHANNELS);
            w[i] = weight(g, (char[]){(char)('a' + i), 0}, SHAPE(CHANNELS, CHANNELS, 1, 1),
                          weights[i]);
        }
        assert_ok(dh_emit(&g->emitter, DH_OP_CONV, &point, 2, (dh_value[]){x, w[0]}, &a));
        assert_ok(dh_emit(&g->emitter, DH_OP_CONV, &point, 2, (dh_value[]){x, w[1]}, &b));
        dh_value added = kind == IMAGE ? a : b;
        assert_ok(dh_emit(&g->emitter, DH_OP_CONV, &add, 3, (dh_value[]){a, w[2], added}, &y));
        assert_ok(dh_emit(&g->emitter, DH_OP_CONV, &point, 2, (dh_value[]){y, w[0]}, &z));
        if (kind == KEPT) keep(g, added);
        if (kind == UNLIKE || kind == KEPT) keep(g, y); /* so it is packed, as what is kept */
        keep(g, z);
        dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
        check_overlap(plan);
        assert_int_equal(g->values[y].last, kind != UNLIKE && kind != KEPT);
        assert_int_equal(g->values[added].last, kind != KEPT);
        assert_int_equal(plan->slots[y].base == added, kind == ALIKE);
        assert_ok(dh__plan_bind(plan));
        dh__random_uniform(5, 0, 0, v[0], ELEMENTS);
        memcpy(data_of(plan, x), v[0], sizeof v[0]);
        mix(v[0], weights[0], v[1]);
        mix(v[0], weights[1], v[2]);
        mix(v[1], weights[2], v[3]);
        for (int i = 0; i < ELEMENTS; i++) v[3][i] += v[kind == IMAGE ? 1 : 2][i];
        mix(v[3], weights[0], v[4]);
        run(plan);
        expect_values(plan, z, ELEMENTS, v[4]);
        dh__plan_free(plan);
        dh__arena_free(arena);
        dh__params_release(store);
    }
}

static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        dh__params *store = new_store();
        dh__arena *arena = new_arena();
        random_graph r = random_new(store, seed, 30);
        size_t sum = 0;
        keep(r.graph, r.pool[r.count - 1]);
        dh__plan *plan = new_plan(r.graph, arena, DH_FULL_MEM);
        check_overlap(plan);
        for (int v = 0; v < r.graph->value_count; v++) sum += (plan->slots[v].size + 63) / 64 * 64;
        for (int i = 0; i < r.graph->node_count; i++)
            sum += (plan->calls[i].scratch + 63) / 64 * 64;
        assert_true(plan->arena_size <= sum);
        /* the floor: the bytes alive at any one node */
        for (int i = 0; i < r.graph->node_count; i++) {
            size_t alive = (plan->calls[i].scratch + 63) / 64 * 64;
            for (int v = 0; v < r.graph->value_count; v++) {
                const dh__slot *s = &plan->slots[v];
                bool planned = r.graph->values[v].home <= DH_HOME_INPUT && s->base == v;
                if (planned && s->first <= i && i <= s->last) alive += (s->size + 63) / 64 * 64;
            }
            assert_true(alive <= plan->arena_size);
        }
        dh__plan_free(plan);
        dh__arena_free(arena);
        dh__params_release(store);
    }
}

/* More than any memory, of values that fit one by one: an error, not a wrapped sum. */
static void test_overflow(void **state)
{
    (void)state;
    dh__params *store = new_store();
    dh__arena *arena = new_arena();
    dh__graph *g = new_graph(store);
    for (int i = 0; i < 5; i++)
        assert_int_not_equal(dh__graph_input(g, DH_F32, SHAPE((int64_t)1 << 60)), DH_NO_VALUE);
    dh__plan *plan = NULL;
    assert_int_equal(dh__plan_new(&plan, g, arena, DH_FULL_MEM), DH_EOVERFLOW);
    assert_null(plan);
    dh__arena_free(arena);
    dh__params_release(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_chain),
                                       cmocka_unit_test(test_not_in_place),
                                       cmocka_unit_test(test_added), cmocka_unit_test(test_random),
                                       cmocka_unit_test(test_overflow)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
