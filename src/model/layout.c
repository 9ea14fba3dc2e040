/* SPDX-License-Identifier: MIT */
#include "layout.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PLACES = 1 << 20, SWEEPS = 8, PASS_WIDTH = 8 };

dh_status dh__layout_new(dh__layout *out, int count, int edge_count)
{
    dh__layout l = {.count = count, .total = count, .edge_count = edge_count};
    l.rank = dh__calloc((size_t)count + 1, sizeof *l.rank);
    l.width = dh__calloc((size_t)count + 1, sizeof *l.width);
    l.edges = dh__calloc((size_t)edge_count + 1, sizeof *l.edges);
    if (l.rank && l.width && l.edges) {
        *out = l;
        return DH_OK;
    }
    dh__layout_free(&l);
    return DH_ENOMEM;
}

void dh__layout_free(dh__layout *l)
{
    dh__free(l->rank);
    dh__free(l->width);
    dh__free(l->x);
    dh__free(l->edges);
    *l = (dh__layout){0};
}

/* --- ranks --- */

/* The longest path from a source; sources go right above what they lead to. */
static void find_ranks(dh__layout *l, int *lowest, bool *fed)
{
    for (int e = 0; e < l->edge_count; e++) fed[l->edges[e].to] = true;
    for (int i = 0; i < l->count; i++) lowest[i] = -1;
    /* edges come in the order of their ends, so each start is final when it is read */
    for (int e = 0; e < l->edge_count; e++) {
        const dh__edge *edge = &l->edges[e];
        if (l->rank[edge->to] <= l->rank[edge->from]) l->rank[edge->to] = l->rank[edge->from] + 1;
    }
    for (int e = 0; e < l->edge_count; e++) {
        int from = l->edges[e].from, rank = l->rank[l->edges[e].to] - 1;
        if (lowest[from] < 0 || rank < lowest[from]) lowest[from] = rank;
    }
    for (int i = 0; i < l->count; i++) {
        if (!fed[i] && lowest[i] > 0) l->rank[i] = lowest[i];
        if (l->rank[i] >= l->ranks) l->ranks = l->rank[i] + 1;
    }
}

static int between(const dh__layout *l, const dh__edge *e)
{
    return l->rank[e->to] - l->rank[e->from] - 1;
}

static dh_status add_passes(dh__layout *l)
{
    int64_t total = l->count;
    for (int e = 0; e < l->edge_count; e++) total += between(l, &l->edges[e]);
    DH_REQUIRE(total <= MAX_PLACES, DH_EUNSUPPORTED,
               "layout: %d nodes and their edges take %lld places, at most %d are drawn", l->count,
               (long long)total, MAX_PLACES);
    size_t old = (size_t)l->count + 1, wanted = (size_t)total + 1;
    int *rank = dh__grow(l->rank, old * sizeof *rank, wanted * sizeof *rank);
    if (!rank) return DH_ENOMEM;
    l->rank = rank;
    double *width = dh__grow(l->width, old * sizeof *width, wanted * sizeof *width);
    if (!width) return DH_ENOMEM;
    l->width = width;
    for (int e = 0; e < l->edge_count; e++) {
        dh__edge *edge = &l->edges[e];
        int first = l->rank[edge->from] + 1, count = between(l, edge);
        edge->pass = l->total;
        for (int i = 0; i < count; i++, l->total++) {
            rank[l->total] = first + i;
            width[l->total] = PASS_WIDTH;
        }
    }
    return DH_OK;
}

/* --- orders --- */

typedef struct slot {
    double key;
    int place, before;
} slot;

typedef struct block { /* places of a rank that touch */
    double at;
    int count;
} block;

/* What the sweeps work on. */
typedef struct work {
    int *begin, *order;     /* the places of rank r: order[begin[r] .. begin[r + 1]) */
    int *position;          /* of a place in its rank */
    int *up_begin, *up;     /* neighbours above each place */
    int *down_begin, *down; /* and below */
    slot *slots;
    block *blocks;
} work;

static void work_free(work *w)
{
    void *all[] = {w->begin,      w->order, w->position, w->up_begin, w->up,
                   w->down_begin, w->down,  w->slots,    w->blocks};
    for (size_t i = 0; i < DH_COUNT(all); i++) dh__free(all[i]);
}

static dh_status work_new(work *w, const dh__layout *l)
{
    size_t n = (size_t)l->total + 1, m = n + (size_t)l->edge_count;
    *w = (work){.begin = dh__calloc((size_t)l->ranks + 2, sizeof(int)),
                .order = dh__calloc(n, sizeof(int)),
                .position = dh__calloc(n, sizeof(int)),
                .up_begin = dh__calloc(n + 1, sizeof(int)),
                .up = dh__calloc(m, sizeof(int)),
                .down_begin = dh__calloc(n + 1, sizeof(int)),
                .down = dh__calloc(m, sizeof(int)),
                .slots = dh__calloc(n, sizeof(slot)),
                .blocks = dh__calloc(n, sizeof(block))};
    if (w->begin && w->order && w->position && w->up_begin && w->up && w->down_begin && w->down &&
        w->slots && w->blocks)
        return DH_OK;
    work_free(w);
    return DH_ENOMEM;
}

/* Pieces of edges from one rank to the next: counted where the lists are NULL, else listed. */
static void each_piece(const dh__layout *l, work *w, bool list)
{
    for (int e = 0; e < l->edge_count; e++) {
        const dh__edge *edge = &l->edges[e];
        int from = edge->from, count = between(l, edge);
        for (int i = 0; i <= count; i++) {
            int to = i < count ? edge->pass + i : edge->to;
            if (list) {
                w->down[w->down_begin[from]++] = to;
                w->up[w->up_begin[to]++] = from;
            } else {
                w->down_begin[from + 1]++;
                w->up_begin[to + 1]++;
            }
            from = to;
        }
    }
}

static void find_neighbours(const dh__layout *l, work *w)
{
    each_piece(l, w, false);
    for (int i = 0; i < l->total; i++) {
        w->down_begin[i + 1] += w->down_begin[i];
        w->up_begin[i + 1] += w->up_begin[i];
    }
    each_piece(l, w, true);
    for (int i = l->total; i > 0; i--) { /* listing has moved each begin to its end */
        w->down_begin[i] = w->down_begin[i - 1];
        w->up_begin[i] = w->up_begin[i - 1];
    }
    w->down_begin[0] = w->up_begin[0] = 0;
}

static void first_order(const dh__layout *l, work *w)
{
    for (int i = 0; i < l->total; i++) w->begin[l->rank[i] + 1]++;
    for (int r = 0; r < l->ranks; r++) w->begin[r + 1] += w->begin[r];
    for (int i = 0; i < l->total; i++) {
        int *at = &w->begin[l->rank[i]];
        w->order[(*at)++] = i;
    }
    for (int r = l->ranks; r > 0; r--) w->begin[r] = w->begin[r - 1];
    w->begin[0] = 0;
    for (int r = 0; r < l->ranks; r++)
        for (int k = w->begin[r]; k < w->begin[r + 1]; k++)
            w->position[w->order[k]] = k - w->begin[r];
}

static int compare_slots(const void *a, const void *b)
{
    const slot *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->before - y->before;
}

static void order_rank(work *w, int rank, bool from_above)
{
    const int *begin = from_above ? w->up_begin : w->down_begin;
    const int *list = from_above ? w->up : w->down;
    int count = w->begin[rank + 1] - w->begin[rank], *order = w->order + w->begin[rank];
    for (int k = 0; k < count; k++) {
        int i = order[k], n = begin[i + 1] - begin[i];
        double sum = 0;
        for (int j = begin[i]; j < begin[i + 1]; j++) sum += w->position[list[j]];
        w->slots[k] = (slot){.key = n ? sum / n : k, .place = i, .before = k};
    }
    qsort(w->slots, (size_t)count, sizeof *w->slots, compare_slots);
    for (int k = 0; k < count; k++) {
        order[k] = w->slots[k].place;
        w->position[order[k]] = k;
    }
}

/* --- places --- */

/* From the centre of a place to that of the next one of its rank, at least. */
static double apart(const dh__layout *l, int place, int next)
{
    return (l->width[place] + l->width[next]) / 2 + DH_LAYOUT_GAP;
}

/* Each as near as can be, by the sum of squares, to the middle of its neighbours, in order and
 * apart: those that are too close for what they want are a block, which stands at the mean of it
 * (pool adjacent violators; Barlow et al. 1972). Places count from where they are packed tight. */
static void place_rank(dh__layout *l, work *w, int rank, bool from_above)
{
    const int *begin = from_above ? w->up_begin : w->down_begin;
    const int *list = from_above ? w->up : w->down;
    int count = w->begin[rank + 1] - w->begin[rank], blocks = 0;
    const int *order = w->order + w->begin[rank];
    double packed = 0;
    for (int k = 0; k < count; k++) {
        int i = order[k], n = begin[i + 1] - begin[i];
        double sum = 0;
        for (int j = begin[i]; j < begin[i + 1]; j++) sum += l->x[list[j]];
        if (k) packed += apart(l, order[k - 1], i);
        w->blocks[blocks++] = (block){.at = (n ? sum / n : l->x[i]) - packed, .count = 1};
        for (; blocks > 1 && w->blocks[blocks - 2].at > w->blocks[blocks - 1].at; blocks--) {
            block *left = &w->blocks[blocks - 2], *right = &w->blocks[blocks - 1];
            left->at =
                (left->at * left->count + right->at * right->count) / (left->count + right->count);
            left->count += right->count;
        }
    }
    packed = 0;
    for (int b = 0, k = 0; b < blocks; b++)
        for (int end = k + w->blocks[b].count; k < end; k++) {
            if (k) packed += apart(l, order[k - 1], order[k]);
            l->x[order[k]] = w->blocks[b].at + packed;
        }
}

/* Under the place above it, as far as there is room, where each is the other's only neighbour. */
static void straighten(dh__layout *l, const work *w, int rank, int k)
{
    int first = w->begin[rank], i = w->order[first + k];
    if (w->up_begin[i + 1] - w->up_begin[i] != 1) return;
    int above = w->up[w->up_begin[i]];
    if (w->down_begin[above + 1] - w->down_begin[above] != 1) return;
    double x = l->x[above];
    if (k) {
        int left = w->order[first + k - 1];
        x = fmax(x, fmin(l->x[i], l->x[left] + apart(l, left, i)));
    }
    if (first + k + 1 < w->begin[rank + 1]) {
        int right = w->order[first + k + 1];
        x = fmin(x, fmax(l->x[i], l->x[right] - apart(l, i, right)));
    }
    l->x[i] = x;
}

static void straighten_all(dh__layout *l, const work *w)
{
    for (int r = 1; r < l->ranks; r++) {
        int count = w->begin[r + 1] - w->begin[r];
        for (int k = 0; k < count; k++) straighten(l, w, r, k);
        for (int k = count - 1; k >= 0; k--) straighten(l, w, r, k);
    }
}

static void find_places(dh__layout *l, work *w)
{
    for (int r = 0; r < l->ranks; r++) {
        double x = 0;
        for (int k = w->begin[r]; k < w->begin[r + 1]; k++) {
            int i = w->order[k];
            l->x[i] = x + l->width[i] / 2;
            x += l->width[i] + DH_LAYOUT_GAP;
        }
    }
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        for (int r = 1; r < l->ranks; r++) place_rank(l, w, r, true);
        for (int r = l->ranks - 2; r >= 0; r--) place_rank(l, w, r, false);
    }
    straighten_all(l, w);
    double low = l->total ? INFINITY : 0, high = 0;
    for (int i = 0; i < l->total; i++) low = fmin(low, l->x[i] - l->width[i] / 2);
    for (int i = 0; i < l->total; i++) {
        l->x[i] -= low;
        high = fmax(high, l->x[i] + l->width[i] / 2);
    }
    l->right = high;
}

dh_status dh__layout_place(dh__layout *l)
{
    work w;
    int *lowest = dh__calloc((size_t)l->count + 1, sizeof *lowest);
    bool *fed = dh__calloc((size_t)l->count + 1, sizeof *fed);
    dh_status status = lowest && fed ? DH_OK : DH_ENOMEM;
    if (!status) find_ranks(l, lowest, fed);
    dh__free(lowest);
    dh__free(fed);
    if (!status) status = add_passes(l);
    if (!status) l->x = dh__calloc((size_t)l->total + 1, sizeof *l->x);
    if (!status && !l->x) status = DH_ENOMEM;
    if (!status) status = work_new(&w, l);
    if (status) return status;
    find_neighbours(l, &w);
    first_order(l, &w);
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        for (int r = 1; r < l->ranks; r++) order_rank(&w, r, true);
        for (int r = l->ranks - 2; r >= 0; r--) order_rank(&w, r, false);
    }
    find_places(l, &w);
    work_free(&w);
    return DH_OK;
}
