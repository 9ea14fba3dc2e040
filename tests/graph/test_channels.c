/* SPDX-License-Identifier: MIT */
/* Values that lie channels last: which they are, and that nothing else tells. */
#include "graph_test.h"

enum { ROWS = 3, SIDE = 9, OUT = 40 };

typedef struct net {
    dh_value x, conv, pooled, wise, mixed, squashed, mean, joined, turned;
} net;

static dh_value images(dh__graph *g, const char *name, int op, const void *attr, dh_value x,
                       int64_t out, int64_t in, int64_t size)
{
    float values[4096];
    int64_t count = out * in * size * size;
    assert_true(count <= 4096);
    dh__random_uniform((uint64_t)count, (uint64_t)name[0], 0, values, count);
    for (int64_t i = 0; i < count; i++) values[i] -= 0.5f;
    dh_value w = weight(g, name, SHAPE(out, in, size, size), values), y;
    assert_ok(dh_emit(&g->emitter, op, attr, 2, (dh_value[]){x, w}, &y));
    return y;
}

/* Convolutions of all kinds and pooling; a function that has no implementation for it reads one of
 * them. */
static net make(dh__graph *g, int64_t rows, bool kept)
{
    static const dh_conv_attr padded = {.group = 1, .pads = {4, {1, 1, 1, 1}}};
    static const dh_conv_attr wise = {.group = 20, .pads = {4, {1, 1, 1, 1}}};
    static const dh_conv_attr point = {.group = 1};
    static const dh_conv_attr up = {.group = 1, .strides = {2, {2, 2}}};
    static const dh_pool_attr pool = {.kernel_shape = {2, {3, 3}}, .strides = {2, {2, 2}}};
    const dh_reduce_attr mean = {.axes = {2, {2, 3}}};
    net n = {.x = dh__graph_input(g, DH_F32, SHAPE(rows, 3, SIDE, SIDE))};
    n.conv = images(g, "a", DH_OP_CONV, &padded, n.x, 20, 3, 3);
    n.pooled = op1_attr(g, DH_OP_MAX_POOL, &pool, n.conv);
    n.wise = images(g, "b", DH_OP_CONV, &wise, n.pooled, 20, 1, 3);
    n.joined = DH_NO_VALUE;
    assert_ok(dh_emit(&g->emitter, DH_OP_CONCAT, &(dh_axis_attr){1}, 2,
                      (dh_value[]){n.wise, n.pooled}, &n.joined));
    n.turned = images(g, "c", DH_OP_CONV_TRANSPOSE, &up, n.joined, 40, 12, 2);
    n.mixed = images(g, "d", DH_OP_CONV, &point, n.turned, 17, 12, 1);
    n.squashed = op1(g, DH_OP_TANH, n.mixed);
    dh_value last = images(g, "e", DH_OP_CONV, &point, n.squashed, OUT, 17, 1);
    n.mean = keep(g, op1_attr(g, DH_OP_MEAN, &mean, last));
    if (kept)
        for (int v = 0; v < g->value_count; v++)
            if (g->values[v].node >= 0) keep(g, v);
    return n;
}

static bool lies_last(const dh__plan *plan, dh_value value)
{
    const dh_view *v = &plan->views[value];
    bool last = v->stride[1] == 1 && v->stride[v->ndim - 1] == v->shape[1];
    assert_int_equal(plan->graph->values[value].last, last);
    return last;
}

static void test_who_lies_last(void **state)
{
    (void)state;
    for (int kept = 0; kept < 2; kept++) {
        dh__params *store = new_store();
        dh__arena *arena = new_arena();
        dh__graph *g = new_graph(store);
        net n = make(g, ROWS, kept);
        dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
        const dh_value last[] = {n.conv, n.pooled, n.wise, n.joined, n.turned};
        for (int i = 0; i < 5; i++) assert_int_equal(lies_last(plan, last[i]), !kept);
        assert_false(lies_last(plan, n.x));
        assert_false(lies_last(plan, n.mixed)); /* tanh reads it */
        assert_false(lies_last(plan, n.squashed));
        dh__plan_free(plan);
        dh__arena_free(arena);
        dh__params_release(store);
    }
}

/* Where something learns all stay as they are: gradients know one layout. */
static void test_learning(void **state)
{
    (void)state;
    dh__params *store = new_store();
    dh__arena *arena = new_arena();
    dh__graph *g = new_graph(store);
    net n = make(g, ROWS, false);
    dh_value dy = dh__graph_const(g, DH_F32, SHAPE(ROWS, OUT), (double[ROWS * OUT]){1}), dx;
    dy = op1_attr(g, DH_OP_RESHAPE, &(dh_reshape_attr){.shape = {2, {ROWS, OUT}}}, dy);
    assert_ok(dh__graph_backward(g, 1, &n.mean, &dy, 1, &n.x, &dx));
    keep(g, dx);
    dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
    for (int v = 0; v < plan->graph->value_count; v++) assert_false(plan->graph->values[v].last);
    dh__plan_free(plan);
    dh__arena_free(arena);
    dh__params_release(store);
}

/* The same numbers as packed, at the bound and below it. */
static void test_results(void **state)
{
    (void)state;
    float got[ROWS * OUT], want[ROWS * OUT], alone[ROWS * OUT];
    for (int64_t rows = ROWS; rows >= 1; rows--) {
        dh__params *store[3];
        dh__arena *arena[3];
        dh__plan *plan[3];
        net n = {0};
        for (int i = 0; i < 3; i++) { /* laid, packed, laid at its own size */
            store[i] = new_store();
            arena[i] = new_arena();
            dh__graph *g = new_graph(store[i]);
            n = make(g, i < 2 ? ROWS : rows, i == 1);
            plan[i] = new_plan(g, arena[i], DH_FULL_MEM);
            assert_ok(dh__plan_resize(plan[i], rows));
            feed(plan[i], n.x, 5);
            run(plan[i]);
            assert_int_equal(take(plan[i], n.mean,
                                  i == 0   ? got
                                  : i == 1 ? want
                                           : alone,
                                  ROWS * OUT),
                             rows * OUT);
        }
        for (int64_t k = 0; k < rows * OUT; k++)
            assert_true(fabsf(got[k] - want[k]) <= 1e-5f * (1 + fabsf(want[k])));
        assert_memory_equal(got, alone, (size_t)rows * OUT * sizeof(float));
        for (int i = 0; i < 3; i++) {
            dh__plan_free(plan[i]);
            dh__arena_free(arena[i]);
            dh__params_release(store[i]);
        }
    }
}

/* What holds a NaN is found in any layout. */
static void test_nan(void **state)
{
    (void)state;
    dh__params *store = new_store();
    dh__arena *arena = new_arena();
    dh__graph *g = new_graph(store);
    const char *op;
    int scope;
    net n = make(g, ROWS, false);
    dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
    feed(plan, n.x, 5);
    run(plan);
    assert_ok(dh__plan_find_nan(plan, &scope, &op));
    assert_null(op);
    data_of(plan, n.x)[7] = NAN;
    assert_ok(dh__plan_find_nan(plan, &scope, &op));
    assert_string_equal(op, "conv");
    dh__plan_free(plan);
    dh__arena_free(arena);
    dh__params_release(store);
}

/* A window of 2^64 elements, a count that wraps to 0, nearly all of it padding, takes the same
 * maxima in any layout. */
static void test_huge_window(void **state)
{
    (void)state;
    enum { IN = 4, CHANNELS = 16, EDGE = 5, RESULTS = CHANNELS * 8 };
    static const dh_conv_attr point = {.group = 1};
    static const dh_pool_attr pool = {
        .kernel_shape = {3, {1 << 22, 1 << 21, 1 << 21}},
        .pads = {6, {(1 << 22) - EDGE + 1, (1 << 21) - EDGE + 1, (1 << 21) - EDGE + 1}}};
    float values[CHANNELS * IN], got[2][RESULTS];
    for (int i = 0; i < CHANNELS * IN; i++) values[i] = (float)(i % 11) - 5;
    for (int packed = 0; packed < 2; packed++) {
        dh__params *store = new_store();
        dh__arena *arena = new_arena();
        dh__graph *g = new_graph(store);
        dh_value x = dh__graph_input(g, DH_F32, SHAPE(1, IN, EDGE, EDGE, EDGE)), y;
        dh_value w = weight(g, "w", SHAPE(CHANNELS, IN, 1, 1, 1), values);
        assert_ok(dh_emit(&g->emitter, DH_OP_CONV, &point, 2, (dh_value[]){x, w}, &y));
        dh_value most = keep(g, op1_attr(g, DH_OP_MAX_POOL, &pool, y));
        if (packed) keep(g, y);
        dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
        feed(plan, x, 5);
        run(plan);
        assert_int_equal(take(plan, most, got[packed], RESULTS), RESULTS);
        dh__plan_free(plan);
        dh__arena_free(arena);
        dh__params_release(store);
    }
    assert_memory_equal(got[0], got[1], sizeof got[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_lies_last), cmocka_unit_test(test_learning),
        cmocka_unit_test(test_results),       cmocka_unit_test(test_nan),
        cmocka_unit_test(test_huge_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
