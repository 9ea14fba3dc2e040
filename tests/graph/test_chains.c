/* SPDX-License-Identifier: MIT */
/* Nodes that run band by band: where, with how much memory, and that the results are the same bits.
 */
#include "base.h"
#include "graph_test.h"
#include "team.h"

enum { ROWS = 5, ROOM = ROWS * 24 * 40 * 40 };

/* A convolution or, with window 0, maximum pooling by windows of 3x3. */
typedef struct layer {
    int64_t out, window, group;
    int64_t stride, pad, pad_end;
    int add; /* 1 + the layer whose result is added; 0: none */
} layer;

typedef struct net {
    dh_value x, between[4], y;
    int count;
} net;

static dh_value apply(dh__graph *g, const layer *l, dh_value x, int number, const dh_value *before)
{
    static float values[512 * 1024];
    int64_t channels = g->values[x].view.shape[1], b = l->pad, e = l->pad_end;
    dh_ints pads = {4, {b, b, e, e}}, strides = {2, {l->stride, l->stride}};
    if (!l->window) {
        dh_pool_attr pool = {.kernel_shape = {2, {3, 3}}, .strides = strides, .pads = pads};
        return op1_attr(g, DH_OP_MAX_POOL, &pool, x);
    }
    int64_t count = l->out * channels / l->group * l->window * l->window;
    dh_conv_attr conv = {.group = (int)l->group, .pads = pads, .strides = strides};
    char name[8];
    snprintf(name, sizeof name, "w%d", number);
    assert_true(count <= (int64_t)(sizeof values / sizeof *values));
    dh__random_uniform(3 + (uint64_t)number, 1, 0, values, count);
    for (int64_t i = 0; i < count; i++) values[i] -= 0.5f;
    dh_value w = weight(g, name, SHAPE(l->out, channels / l->group, l->window, l->window), values);
    dh_value y = dh_emit2(&g->emitter, DH_OP_CONV, &conv, x, w);
    return op1(g, DH_OP_RELU, l->add ? op2(g, DH_OP_ADD, y, before[l->add - 1]) : y);
}

static net make(dh__graph *g, const layer *layers, int count, int64_t n, int64_t channels,
                int64_t side)
{
    net made = {.x = dh__graph_input(g, DH_F32, SHAPE(n, channels, side, side)), .count = count};
    dh_value x = made.x;
    for (int i = 0; i < count; i++) x = made.between[i] = apply(g, &layers[i], x, i, made.between);
    made.y = keep(g, x);
    return made;
}

#define STEM                                                                    \
    {                                                                           \
        .out = 16, .window = 3, .group = 1, .stride = 2, .pad = 1, .pad_end = 1 \
    }
#define EXPAND                                          \
    {                                                   \
        .out = 24, .window = 1, .group = 1, .stride = 1 \
    }
#define DEPTH                                                                    \
    {                                                                            \
        .out = 24, .window = 3, .group = 24, .stride = 1, .pad = 1, .pad_end = 1 \
    }
#define HALVE                                                                    \
    {                                                                            \
        .out = 24, .window = 3, .group = 24, .stride = 2, .pad = 1, .pad_end = 1 \
    }
#define PROJECT                                         \
    {                                                   \
        .out = 16, .window = 1, .group = 1, .stride = 1 \
    }
#define POOL                                \
    {                                       \
        .stride = 2, .pad = 1, .pad_end = 1 \
    }

/* Before memory is planned, once more: nothing is in place of anything yet. */
static void chain(dh__plan *plan, const dh__chain *c)
{
    for (int v = 0; v < plan->graph->value_count; v++) plan->slots[v].base = v;
    assert_ok(dh__plan_chain(plan, c));
    assert_ok(dh__plan_memory(plan));
}

/* Same results, and what lies between takes the memory of so many rows. */
static void test_bits(void **state)
{
    (void)state;
    static float got[2][ROOM];
    static const struct {
        layer layers[4];
        int count;
        dh__chain chain;
    } cases[] = {
        {{STEM, EXPAND, DEPTH, PROJECT}, 4, {1, 4, 1, 3}},
        {{STEM, EXPAND, DEPTH, PROJECT}, 4, {1, 4, 1, 1}},
        {{STEM, EXPAND, DEPTH, PROJECT}, 4, {1, 3, 1, 7}},
        {{STEM, EXPAND, DEPTH, PROJECT}, 4, {0, 3, 1, 4}},
        {{STEM, EXPAND, DEPTH, PROJECT}, 4, {1, 4, 2, 20}},
        {{STEM, EXPAND, DEPTH, PROJECT}, 4, {1, 4, 3, 20}},
        {{STEM, EXPAND, HALVE, PROJECT}, 4, {1, 4, 1, 3}},
        {{STEM, EXPAND, HALVE, PROJECT}, 4, {1, 3, 2, 10}},
        {{STEM, POOL, EXPAND}, 3, {0, 2, 1, 3}},
        {{STEM, POOL, EXPAND}, 3, {0, 3, 1, 4}},
        /* rows that no window sees, a window that sees more than moves on, one that looks back */
        {{STEM, EXPAND, {24, 1, 24, 3, 0, 0, 0}, PROJECT}, 4, {1, 3, 1, 2}},
        {{STEM, EXPAND, {24, 5, 24, 1, 2, 2, 0}, PROJECT}, 4, {1, 4, 1, 2}},
        {{STEM, EXPAND, {24, 3, 24, 1, 2, 0, 0}, PROJECT}, 4, {1, 4, 1, 2}},
        {{STEM, EXPAND, {24, 3, 24, 1, 0, 2, 0}, PROJECT}, 4, {1, 4, 1, 6}},
        {{STEM, EXPAND, {24, 1, 24, 3, 0, 0, 0}, PROJECT}, 4, {1, 3, 2, 7}},
        /* what is added was read by the first of the chain, with a halo */
        {{STEM, {16, 3, 16, 1, 1, 1, 0}, {16, 1, 1, 1, 0, 0, 1}, EXPAND}, 4, {1, 3, 1, 3}},
        {{STEM, {16, 1, 1, 1, 0, 0, 1}, PROJECT}, 3, {1, 3, 1, 3}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int64_t rows = ROWS; rows >= 0; rows--) {
            int64_t count[2];
            for (int chained = 0; chained < 2; chained++) {
                dh__params *store = new_store();
                dh__arena *arena = new_arena();
                dh__graph *g = new_graph(store);
                net n = make(g, cases[i].layers, cases[i].count, ROWS, 3, 40);
                dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
                const dh__chain *c = &cases[i].chain;
                assert_int_equal(g->node_count, cases[i].count);
                for (int k = c->begin; k < c->end; k++)
                    assert_int_equal(plan->calls[k].chain.end, 0);
                if (chained) chain(plan, c);
                check_overlap(plan);
                for (int k = c->begin; chained && k + 1 < c->end; k++) {
                    const dh_view *whole = dh__plan_view(plan, n.between[k]);
                    size_t bytes = (size_t)dh__view_count(whole) * sizeof(float);
                    assert_true(plan->slots[n.between[k]].size < bytes);
                }
                assert_ok(dh__plan_resize(plan, rows));
                feed(plan, n.x, 5);
                run(plan);
                count[chained] = take(plan, n.y, got[chained], ROOM);
                dh__plan_free(plan);
                dh__arena_free(arena);
                dh__params_release(store);
            }
            assert_int_equal(count[0], count[1]);
            assert_true(!rows || count[0] > 0);
            if (memcmp(got[0], got[1], (size_t)count[0] * sizeof(float)))
                fail_msg("case %d, %d rows: other bits", (int)i, (int)rows);
        }
}

/* Each row is made once, whatever bands it is in; a profile counts a chain as one run. */
static void test_profile(void **state)
{
    (void)state;
    const layer layers[] = {STEM, EXPAND, DEPTH, PROJECT};
    dh__params *store = new_store();
    dh__arena *arena = new_arena();
    dh__graph *g = new_graph(store);
    net n = make(g, layers, 4, ROWS, 3, 40);
    dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
    chain(plan, &(dh__chain){1, 4, 1, 3});
    plan->profile = true;
    feed(plan, n.x, 5);
    run(plan);
    for (int i = 0; i < 4; i++) {
        const dh__step_call *c = &plan->calls[i];
        assert_int_equal(c->spent.runs, 1);
        assert_true(c->spent.flops == dh__op_flops(&c->call));
        assert_true(c->spent.last > 0 && c->spent.last == c->spent.seconds);
    }
    dh__plan_free(plan);
    dh__arena_free(arena);
    dh__params_release(store);
}

/* A chain that a size does not fit leaves the plan as it was. */
static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        layer layers[4];
        dh__chain chain;
        const char *text;
    } cases[] = {
        /* 3x3 of 16 channels: Winograd's tiles would see other rows */
        {{STEM, {16, 3, 1, 1, 1, 1, 0}, PROJECT, EXPAND},
         {1, 3, 1, 4},
         "conv: no bands at this size"},
        /* images whose rows would have to move apart, and too many nodes */
        {{STEM, EXPAND, DEPTH, PROJECT},
         {1, 4, 2, 3},
         "plan: bands of 2 images have 3 of 20 rows, must have all"},
        {{STEM, EXPAND, DEPTH, PROJECT},
         {0, 4, 1, 3},
         "plan: a chain of 4 nodes, at most 3 are one"},
        /* the first rows see padding alone */
        {{STEM, EXPAND, {24, 2, 24, 1, 3, 0, 0}, PROJECT},
         {1, 3, 1, 1},
         "plan: no bands at this size"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dh__params *store = new_store();
        dh__arena *arena = new_arena();
        dh__graph *g = new_graph(store);
        make(g, cases[i].layers, 4, ROWS, 3, 40);
        dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
        size_t size = plan->arena_size;
        assert_int_equal(dh__plan_chain(plan, &cases[i].chain), DH_EUNSUPPORTED);
        assert_string_equal(dh_error_text(), cases[i].text);
        for (int k = 0; k < 4; k++) assert_int_equal(plan->calls[k].chain.end, 0);
        assert_ok(dh__plan_memory(plan));
        assert_int_equal(plan->arena_size, size);
        dh__plan_free(plan);
        dh__arena_free(arena);
        dh__params_release(store);
    }
}

/* Of several images there is all that lies between the first row and the last one seen. */
static void test_room(void **state)
{
    (void)state;
    static const struct {
        layer layers[4];
        dh__chain chain;
        int64_t rows[2]; /* of 24 channels and 20 columns, between */
    } cases[] = {
        {{STEM, EXPAND, {24, 1, 24, 3, 0, 0, 0}, PROJECT}, {1, 3, 2, 7}, {20 + 19}},
        {{STEM, EXPAND, {24, 1, 24, 3, 0, 0, 0}, PROJECT}, {1, 3, 1, 7}, {19}},
        {{STEM, EXPAND, DEPTH, PROJECT}, {1, 4, 2, 20}, {40, 40}},
        {{STEM, EXPAND, DEPTH, PROJECT}, {1, 4, 1, 3}, {5, 3}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const dh__chain *c = &cases[i].chain;
        dh__params *store = new_store();
        dh__arena *arena = new_arena();
        dh__graph *g = new_graph(store);
        net n = make(g, cases[i].layers, 4, ROWS, 3, 40);
        dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
        assert_ok(dh__plan_chain(plan, c));
        for (int k = c->begin; k + 1 < c->end; k++)
            assert_int_equal(plan->slots[n.between[k]].band,
                             cases[i].rows[k - c->begin] * 20 * 24 * sizeof(float));
        dh__plan_free(plan);
        dh__arena_free(arena);
        dh__params_release(store);
    }
}

enum { ALONE, KEPT, READ_LATER, BETWEEN, HEAVY_END };

/* STEM's result is kept, so that no chain begins with it. */
static net make_found(dh__graph *g, int kind, int64_t images, int64_t side)
{
    const layer narrow[] = {STEM, EXPAND, DEPTH, PROJECT};
    const layer heavy[] = {STEM, EXPAND, DEPTH, {512, 1, 1, 1, 0, 0, 0}};
    const layer conv = EXPAND, apart = {24, 3, 1, 2, 1, 1, 0};
    net n = {.x = dh__graph_input(g, DH_F32, SHAPE(images, 3, side, side))};
    dh_value x = n.x;
    for (int i = 0; i < 4; i++) {
        x = n.between[i] = apply(g, &(kind == HEAVY_END ? heavy : narrow)[i], x, i, NULL);
        /* a node that EXPAND's result is not for, in the midst */
        if (i == 1 && kind == BETWEEN) keep(g, apply(g, &apart, n.between[0], 5, NULL));
        if (i == 0) keep(g, x);
    }
    if (kind == KEPT) keep(g, n.between[1]);
    if (kind == READ_LATER) keep(g, apply(g, &conv, n.between[1], 6, NULL));
    n.y = keep(g, x);
    return n;
}

/* Chains are found where what lies between is larger than a share of the cache, nobody else reads
 * it, and there is not too much to compute. */
static void test_where(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int64_t side;
        bool few; /* images; else more than the cache holds, and more than a band */
        int kind, threads, end;
    } cases[] = {
        {"images", 64, false, ALONE, 1, 4},    {"rows", 2048, false, ALONE, 1, 4},
        {"threads", 64, false, ALONE, 2, 4},   {"few", 32, true, ALONE, 1, 0},
        {"kept", 64, false, KEPT, 1, 0},       {"read later", 64, false, READ_LATER, 1, 0},
        {"between", 64, false, BETWEEN, 1, 0}, {"heavy end", 64, false, HEAVY_END, 1, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dh__params *store = new_store();
        dh__arena *arena = new_arena();
        dh__graph *g = new_graph(store);
        int64_t side = cases[i].side, image = 24 * (side / 2) * (side / 2) * 4; /* once between */
        int64_t images = (int64_t)dh__cpu_caches()->l3 / 4 / image + (4 << 20) / image + 2;
        int before = dh__team_limit(cases[i].threads);
        net n = make_found(g, cases[i].kind, cases[i].few ? 1 : images, side);
        dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
        dh__team_limit(before);
        const dh__chain *c = &plan->calls[1].chain;
        if (c->end != cases[i].end) fail_msg("%s: ends at %d", cases[i].what, c->end);
        if (c->end) {
            int64_t between = (c->end - 2) * image, room = cases[i].threads * (1 << 20);
            assert_int_equal(c->begin, 1);
            assert_int_equal(c->images, between > room ? 1 : room / between);
            int64_t cuts = between > room ? between / room + 1 : 1;
            assert_int_equal(c->rows, (side / 2 + cuts - 1) / cuts);
            assert_true(plan->slots[n.between[1]].band > 0);
            assert_int_equal(plan->slots[n.y].band, 0);
        }
        dh__plan_free(plan);
        dh__arena_free(arena);
        dh__params_release(store);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bits), cmocka_unit_test(test_profile),
                                       cmocka_unit_test(test_refusals), cmocka_unit_test(test_room),
                                       cmocka_unit_test(test_where)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
