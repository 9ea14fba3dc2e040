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
    int64_t stride, before, behind; /* padding */
    bool add;                       /* its input is added to the result */
} layer;

typedef struct net {
    dh_value x, between[4], y;
    int count;
} net;

static dh_value apply(dh__graph *g, const layer *l, dh_value x, int number)
{
    static float values[512 * 1024];
    int64_t channels = g->values[x].view.shape[1], b = l->before, e = l->behind;
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
    return op1(g, DH_OP_RELU, l->add ? op2(g, DH_OP_ADD, y, x) : y);
}

static net make(dh__graph *g, const layer *layers, int count, int64_t n, int64_t channels,
                int64_t side)
{
    net made = {.x = dh__graph_input(g, DH_F32, SHAPE(n, channels, side, side)), .count = count};
    dh_value x = made.x;
    for (int i = 0; i < count; i++) x = made.between[i] = apply(g, &layers[i], x, i);
    made.y = keep(g, x);
    return made;
}

#define STEM                                                                      \
    {                                                                             \
        .out = 16, .window = 3, .group = 1, .stride = 2, .before = 1, .behind = 1 \
    }
#define EXPAND                                          \
    {                                                   \
        .out = 24, .window = 1, .group = 1, .stride = 1 \
    }
#define DEPTH                                                                      \
    {                                                                              \
        .out = 24, .window = 3, .group = 24, .stride = 1, .before = 1, .behind = 1 \
    }
#define HALVE                                                                      \
    {                                                                              \
        .out = 24, .window = 3, .group = 24, .stride = 2, .before = 1, .behind = 1 \
    }
#define PROJECT                                         \
    {                                                   \
        .out = 16, .window = 1, .group = 1, .stride = 1 \
    }
#define POOL                                  \
    {                                         \
        .stride = 2, .before = 1, .behind = 1 \
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
        {{STEM, EXPAND, {24, 1, 24, 3, 0, 0, false}, PROJECT}, 4, {1, 3, 1, 2}},
        {{STEM, EXPAND, {24, 5, 24, 1, 2, 2, false}, PROJECT}, 4, {1, 4, 1, 2}},
        {{STEM, EXPAND, {24, 3, 24, 1, 2, 0, false}, PROJECT}, 4, {1, 4, 1, 2}},
        {{STEM, EXPAND, {24, 3, 24, 1, 0, 2, false}, PROJECT}, 4, {1, 4, 1, 6}},
        /* what is added was read by the first of the chain */
        {{STEM, {.out = 16, .window = 1, .group = 1, .stride = 1, .add = true}, PROJECT},
         3,
         {1, 3, 1, 3}},
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
                if (chained) {
                    assert_ok(dh__plan_chain(plan, c));
                    assert_ok(dh__plan_memory(plan));
                }
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
    assert_ok(dh__plan_chain(plan, &(dh__chain){1, 4, 1, 3}));
    assert_ok(dh__plan_memory(plan));
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
        {{STEM, {16, 3, 1, 1, 1, 1, false}, PROJECT, EXPAND},
         {1, 3, 1, 4},
         "conv: no bands at this size"},
        /* the first rows see padding alone */
        {{STEM, EXPAND, {24, 2, 24, 1, 3, 0, false}, PROJECT},
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

/* Chains are found where what lies between is larger than a share of the cache, nobody else reads
 * it, and there is not too much to compute. */
static void test_where(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int64_t side, images; /* images: 0: more than the cache holds */
        enum { ALL, READ, TWICE } reader;
        int begin, end; /* of the chain that EXPAND is in; 0: none */
        bool wide;
    } cases[] = {
        {"images", 64, 0, ALL, 1, 4, false},        {"rows", 2048, 0, ALL, 0, 3, false},
        {"few", 32, 1, ALL, 0, 0, false},           {"read", 128, 0, READ, 0, 0, false},
        {"read twice", 128, 0, TWICE, 0, 0, false}, {"work", 4, 0, ALL, 0, 0, true},
    };
    const layer narrow[] = {STEM, EXPAND, DEPTH, PROJECT};
    const layer wide[] = {{512, 3, 1, 2, 1, 1, false},
                          {1024, 1, 1, 1, 0, 0, false},
                          {1024, 3, 1024, 1, 1, 1, false},
                          {512, 1, 1, 1, 0, 0, false}};
    int before = dh__team_limit(1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dh__params *store = new_store();
        dh__arena *arena = new_arena();
        dh__graph *g = new_graph(store);
        int64_t side = cases[i].side, image = 2 * 24 * (side / 2) * (side / 2) * 4;
        int64_t images = cases[i].images;
        if (!images) images = (int64_t)dh__cpu_caches()->l3 / 4 / image + 2;
        net n = make(g, cases[i].wide ? wide : narrow, 4, images, 3, side);
        if (cases[i].reader == READ) keep(g, n.between[1]);
        if (cases[i].reader == TWICE) keep(g, op1(g, DH_OP_NEG, n.between[1]));
        dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
        const dh__chain *c = &plan->calls[1].chain;
        if (c->begin != cases[i].begin || c->end != cases[i].end)
            fail_msg("%s: nodes %d to %d", cases[i].what, c->begin, c->end);
        if (c->end) {
            assert_true(c->rows == side / 2 ? c->images > 1 : c->images == 1);
            size_t band = plan->slots[n.between[1]].band;
            assert_true(band > 0 && band <= (1 << 20) + (size_t)(24 * side / 2 * 4 * 2));
        }
        dh__plan_free(plan);
        dh__arena_free(arena);
        dh__params_release(store);
    }
    dh__team_limit(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bits), cmocka_unit_test(test_profile),
                                       cmocka_unit_test(test_refusals),
                                       cmocka_unit_test(test_where)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
