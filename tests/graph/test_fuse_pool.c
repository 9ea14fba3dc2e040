/* SPDX-License-Identifier: MIT */
/* Maximum pooling that a convolution does itself: where, and that the results are the same bits. */
#include "graph_test.h"

enum { ROWS = 5, ROOM = ROWS * 40 * 20 * 20 };

typedef struct net {
    dh_value x, sum, pooled;
} net;

/* A convolution of x by a 3x3 window, or 1x1, or a window for each channel, and what pools it. */
typedef struct shape {
    int64_t channels, side, out, window, group;
    dh_pool_attr pool;
} shape;

static net make(dh__graph *g, const shape *s)
{
    static float values[40 * 40 * 9];
    int64_t count = s->out * s->channels / s->group * s->window * s->window, pad = s->window / 2;
    dh_conv_attr conv = {.group = (int)s->group, .pads = {4, {pad, pad, pad, pad}}};
    net n = {.x = dh__graph_input(g, DH_F32, SHAPE(ROWS, s->channels, s->side, s->side))};
    assert_true(count <= (int64_t)(sizeof values / sizeof *values));
    dh__random_uniform(3, 1, 0, values, count);
    for (int64_t i = 0; i < count; i++) values[i] -= 0.5f;
    dh_value w =
        weight(g, "w", SHAPE(s->out, s->channels / s->group, s->window, s->window), values);
    dh_value y = dh_emit2(&g->emitter, DH_OP_CONV, &conv, n.x, w);
    n.sum = op1(g, DH_OP_RELU, y);
    n.pooled = keep(g, op1_attr(g, DH_OP_MAX_POOL, &s->pool, n.sum));
    return n;
}

#define HALVES_AND(...) .pool = {.kernel_shape = {2, {2, 2}}, .strides = {2, {2, 2}}, __VA_ARGS__}
#define HALVES          .pool = {.kernel_shape = {2, {2, 2}}, .strides = {2, {2, 2}}}

/* Where the implementation that sums takes the maxima, too, and the windows share out the rows. */
static void test_where(void **state)
{
    (void)state;
    static const struct {
        shape s;
        bool fuses;
    } cases[] = {
        {{20, 12, 20, 3, 1, HALVES}, true},
        {{3, 12, 20, 3, 1, HALVES}, true},
        {{3, 13, 20, 3, 1, HALVES}, true},
        {{3, 13, 20, 3, 1, HALVES_AND(.ceil_mode = true)}, false},
        {{3, 12, 20, 3, 1, HALVES_AND(.ceil_mode = true)}, false},
        {{3, 12, 20, 3, 1, HALVES_AND(.dilations = {2, {1, 1}})}, true},
        {{3, 12, 20, 3, 1, HALVES_AND(.dilations = {2, {1, 2}})}, false},
        {{3, 12, 20, 3, 1, HALVES_AND(.pads = {4, {0, 0, 0, 1}})}, false},
        {{3, 12, 20, 3, 1, {.kernel_shape = {2, {2, 2}}}}, false},
        {{3, 12, 20, 3, 1, {.kernel_shape = {2, {2, 2}}, .strides = {2, {2, 1}}}}, false},
        {{3, 12, 20, 3, 1, {.kernel_shape = {2, {3, 2}}, .strides = {2, {2, 2}}}}, false},
        {{3, 12, 20, 3, 1, {.bins = {2, {6, 6}}}}, false},
        {{20, 12, 20, 1, 1, HALVES}, false},  /* a product of all pixels */
        {{20, 12, 20, 3, 20, HALVES}, false}, /* depthwise */
        {{20, 12, 3, 3, 1, HALVES}, false},   /* columns */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int read = 0; read < 2; read++) {
            dh__params *store = new_store();
            dh__arena *arena = new_arena();
            dh__graph *g = new_graph(store);
            net n = make(g, &cases[i].s);
            if (read) keep(g, n.sum);
            dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
            const dh__node *last = g->nodes[g->values[n.pooled].node];
            bool fuses = cases[i].fuses && !read;
            if ((last->op == DH_OP_CONV) != fuses) fail_msg("case %d, read %d", (int)i, read);
            if (fuses) {
                const dh_conv_attr *attr = last->attr;
                assert_true(attr->pool && attr->act == DH_ACT_RELU);
                assert_int_equal(g->node_count, 1);
            }
            dh__plan_free(plan);
            dh__arena_free(arena);
            dh__params_release(store);
        }
}

/* A convolution pools once, and not what it adds to; a reader of another phase comes later. */
static void test_once(void **state)
{
    (void)state;
    enum { TWICE, ADDS, LATER, CASES };
    const shape s = {3, 12, 20, 3, 1, HALVES};
    for (int kind = 0; kind < CASES; kind++) {
        dh__params *store = new_store();
        dh__arena *arena = new_arena();
        dh__graph *g = new_graph(store);
        net n = make(g, &s);
        dh_value last = n.pooled;
        g->values[n.pooled].keep = kind != ADDS && kind != TWICE;
        if (kind == TWICE) last = keep(g, op1_attr(g, DH_OP_MAX_POOL, &s.pool, n.pooled));
        if (kind == ADDS) {
            dh_value other = dh__graph_input(g, DH_F32, SHAPE(ROWS, 20, 12, 12));
            dh_conv_attr same = {.group = 1, .pads = {4, {1, 1, 1, 1}}};
            dh_value w = g->nodes[0]->in[1], conv;
            conv = dh_emit2(&g->emitter, DH_OP_CONV, &same, n.x, w);
            dh_value sum = op1(g, DH_OP_RELU, op2(g, DH_OP_ADD, conv, other));
            last = keep(g, op1_attr(g, DH_OP_MAX_POOL, &s.pool, sum));
        }
        if (kind == LATER) g->nodes[g->values[n.pooled].node]->phase = DH_LOSS;
        dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
        assert_int_equal(g->nodes[g->values[last].node]->op, DH_OP_MAX_POOL);
        const dh_view *y = dh__plan_view(plan, last);
        assert_int_equal(y->shape[2], kind == TWICE ? 3 : 6);
        assert_int_equal(g->node_count, 2);
        dh__plan_free(plan);
        dh__arena_free(arena);
        dh__params_release(store);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    const shape s = {3, 12, 20, 3, 1, HALVES};
    for (uint64_t n = 1, before = live_blocks();; n++) {
        dh__params *store = new_store();
        dh__arena *arena = new_arena();
        dh__graph *g = new_graph(store);
        dh__plan *plan = NULL;
        make(g, &s);
        dh_alloc_fail_at(n);
        dh_status status = dh__plan_new(&plan, g, arena, DH_FULL_MEM); /* takes the graph */
        dh_alloc_fail_at(0);
        dh__plan_free(plan);
        dh__arena_free(arena);
        dh__params_release(store);
        assert_int_equal(live_blocks(), before);
        assert_true(n < 200);
        if (!status) break;
        assert_int_equal(status, DH_ENOMEM);
    }
}

/* What the op refuses. */
static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        int ndim;
        int64_t side;
        bool add;
        dh_status status;
        const char *text;
    } cases[] = {{5, 4, false, DH_EUNSUPPORTED, "two spatial axes"},
                 {4, 4, true, DH_EUNSUPPORTED, "no add"},
                 {4, 1, false, DH_ESHAPE, "2 positions of spatial axis 0, there is 1"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dh__params *store = new_store();
        dh__graph *g = new_graph(store);
        int64_t images[] = {1, 2, cases[i].side, cases[i].side, cases[i].side};
        int64_t window[] = {2, 2, 1, 1, 1};
        dh_conv_attr attr = {.group = 1, .pool = true, .add = cases[i].add};
        dh_value x = dh__graph_input(g, DH_F32, cases[i].ndim, images), y;
        dh_value in[] = {x, dh__graph_input(g, DH_F32, cases[i].ndim, window), x};
        dh_status status = dh_emit(&g->emitter, DH_OP_CONV, &attr, 2 + cases[i].add, in, &y);
        assert_int_equal(status, cases[i].status);
        if (!strstr(dh_error_text(), cases[i].text)) fail_msg("%s", dh_error_text());
        dh__graph_free(g);
        dh__params_release(store);
    }
}

/* Its gradient reads what is pooled; one pooled already has none. */
static void test_learning(void **state)
{
    (void)state;
    dh__params *store = new_store();
    dh__arena *arena = new_arena();
    dh__graph *g = new_graph(store);
    net n = make(g, &(shape){3, 12, 20, 3, 1, HALVES});
    dh_value dy = op1(g, DH_OP_NEG, n.pooled), dx;
    assert_ok(dh__graph_backward(g, 1, &n.pooled, &dy, 1, &n.x, &dx));
    keep(g, dx);
    dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
    assert_int_equal(g->nodes[g->values[n.pooled].node]->op, DH_OP_MAX_POOL);
    dh__plan_free(plan);
    dh__arena_free(arena);
    dh__params_release(store);
}

/* By strips of rows and Winograd with both tiles; as many images as planned and fewer. */
static void test_bits(void **state)
{
    (void)state;
    static float got[2][ROOM];
    static const shape shapes[] = {{3, 21, 20, 3, 1, HALVES},
                                   {20, 20, 40, 3, 1, HALVES},
                                   {40, 7, 20, 3, 1, HALVES},
                                   {16, 4, 20, 3, 1, HALVES}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int64_t rows = ROWS; rows >= 1; rows -= 2) {
            int64_t count[2];
            for (int apart = 0; apart < 2; apart++) {
                dh__params *store = new_store();
                dh__arena *arena = new_arena();
                dh__graph *g = new_graph(store);
                net n = make(g, &shapes[i]);
                if (apart) keep(g, n.sum);
                dh__plan *plan = new_plan(g, arena, DH_FULL_MEM);
                assert_ok(dh__plan_resize(plan, rows));
                feed(plan, n.x, 5);
                run(plan);
                count[apart] = take(plan, n.pooled, got[apart], ROOM);
                dh__plan_free(plan);
                dh__arena_free(arena);
                dh__params_release(store);
            }
            assert_int_equal(count[0],
                             rows * shapes[i].out * (shapes[i].side / 2) * (shapes[i].side / 2));
            assert_int_equal(count[0], count[1]);
            assert_memory_equal(got[0], got[1], (size_t)count[0] * sizeof(float));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where),     cmocka_unit_test(test_once),
        cmocka_unit_test(test_no_memory), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_learning),  cmocka_unit_test(test_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
