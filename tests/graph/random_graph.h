/* SPDX-License-Identifier: MIT */
/* Random acyclic graphs of elementwise ops, products, reductions, views and dropout, for tests of
 * what must hold for every graph. */
#ifndef DH_RANDOM_GRAPH_H
#define DH_RANDOM_GRAPH_H

#include "graph_test.h"

#define RANDOM_ROWS 6
#define RANDOM_MAX  40

typedef struct random_graph {
    dh__graph *graph;
    uint64_t seed, position;
    dh_value pool[RANDOM_MAX]; /* 2-D values [RANDOM_ROWS, c] or views of them */
    int count;
    dh_value input[2], weight[2];
} random_graph;

static inline int pick(random_graph *r, int n)
{
    uint32_t word;
    dh__random_words(r->seed, 99, r->position++, &word, 1);
    return (int)((uint64_t)word * (uint64_t)n >> 32);
}

static inline dh_value any(random_graph *r)
{
    return r->pool[r->count - 1 - pick(r, r->count < 5 ? r->count : 5)];
}

/* Some value of the pool with the shape of x, x itself if there is none. */
static inline dh_value like(random_graph *r, dh_value x)
{
    for (int tries = 0; tries < 8; tries++) {
        dh_value y = r->pool[pick(r, r->count)];
        if (dh__same_shape(&r->graph->values[x].view, &r->graph->values[y].view)) return y;
    }
    return x;
}

static inline dh_value random_view(random_graph *r, dh_value x)
{
    dh__graph *g = r->graph;
    int64_t c = g->values[x].view.shape[1];
    dh_slice_attr half = {.count = 2,
                          .start = {INT64_MAX, c > 1 ? 1 : 0},
                          .stop = {INT64_MAX, INT64_MAX},
                          .step = {pick(r, 2) ? 1 : -1, 1}};
    switch (pick(r, 3)) {
    case 0: return op1_attr(g, DH_OP_SLICE, &half, x);
    case 1: { /* turned, cut, turned back: a view of views */
        dh_permute_attr turn = {.axes = {2, {1, 0}}};
        dh_slice_attr back = {.count = 1, .start = {INT64_MAX}, .stop = {INT64_MAX}, .step = {-1}};
        x = op1_attr(g, DH_OP_SLICE, &back, op1_attr(g, DH_OP_PERMUTE, &turn, x));
        return op1_attr(g, DH_OP_PERMUTE, &turn, x);
    }
    default: {
        dh_reshape_attr deep = {.shape = {3, {-1, c, 1}}}, flat = {.shape = {2, {-1, c}}};
        return op1_attr(g, DH_OP_RESHAPE, &flat, op1_attr(g, DH_OP_RESHAPE, &deep, x));
    }
    }
}

static inline dh_value random_node(random_graph *r)
{
    static const int ones[] = {DH_OP_RELU, DH_OP_TANH, DH_OP_SIGMOID,
                               DH_OP_SQR,  DH_OP_NEG,  DH_OP_COPY};
    static const int twos[] = {DH_OP_ADD, DH_OP_SUB, DH_OP_MUL, DH_OP_MAXIMUM};
    dh__graph *g = r->graph;
    dh_value x = any(r);
    int64_t c = g->values[x].view.shape[1];
    switch (pick(r, 9)) {
    case 0:
    case 1: return op1(g, ones[pick(r, 6)], x);
    case 2:
    case 3: return op2(g, twos[pick(r, 4)], x, like(r, x));
    case 4: return random_view(r, x);
    case 5: /* the rows' mean, broadcast over x */
        return op2(
            g, DH_OP_SUB, x,
            op1_attr(g, DH_OP_MEAN, &(dh_reduce_attr){.axes = {1, {1}}, .keepdims = true}, x));
    case 6: { /* x (x^T y) through a square matrix of the columns would mix rows; w does not */
        dh_value w = r->weight[c == 4 ? 0 : 1];
        if (c != 4 && c != 3) return op1(g, DH_OP_SIGMOID, x);
        dh_value y = op2(g, pick(r, 2) ? DH_OP_LINEAR : DH_OP_MATMUL, x, w);
        return pick(r, 2) ? op1(g, DH_OP_RELU, y) : y;
    }
    case 7: return op1_attr(g, DH_OP_DROPOUT, &(dh_dropout_attr){0.25}, x);
    default: return op1_attr(g, DH_OP_SOFTMAX, &(dh_axis_attr){1}, x);
    }
}

/* nodes nodes over two inputs [RANDOM_ROWS, 4] and two weights [4, 4] and [3, 4]. */
static inline random_graph random_new(dh__params *store, uint64_t seed, int nodes)
{
    static const float w[16] = {.5f,  -1,  .25f, 2,   -.5f, 1,  1,   -2,
                                .75f, .1f, -.3f, .2f, 1,    -1, .4f, -.6f};
    random_graph r = {.graph = new_graph(store), .seed = seed};
    for (int i = 0; i < 2; i++) {
        r.input[i] = dh__graph_input(r.graph, DH_F32, SHAPE(RANDOM_ROWS, 4));
        r.pool[r.count++] = r.input[i];
    }
    r.weight[0] = weight(r.graph, "square", SHAPE(4, 4), w);
    r.weight[1] = weight(r.graph, "wide", SHAPE(3, 4), w);
    while (r.count < nodes + 2 && r.count < RANDOM_MAX) {
        r.pool[r.count] = random_node(&r);
        r.count++;
    }
    return r;
}

/* The sum of the last value's squares, the loss of the tests of gradients. */
static inline dh_value random_loss(random_graph *r)
{
    dh_value y = op1(r->graph, DH_OP_SQR, r->pool[r->count - 1]);
    return keep(r->graph, op1_attr(r->graph, DH_OP_SUM, &(dh_reduce_attr){0}, y));
}

#endif
