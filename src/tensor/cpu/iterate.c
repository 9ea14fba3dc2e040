/* SPDX-License-Identifier: MIT */
#include "iterate.h"

#include "team.h"

typedef struct walk {
    int count, ndim;
    int64_t shape[DH_MAX_NDIM];                    /* outermost first */
    ptrdiff_t stride[DH_ITERATE_MAX][DH_MAX_NDIM]; /* bytes */
    char *data[DH_ITERATE_MAX];
    dh__row_fn row;
    void *context;
    int64_t rows, block; /* rows of the outer axes; elements of a row taken at once */
    int64_t blocks;      /* pieces of a row */
} walk;

/* An axis goes further out the larger the output strides over it. */
static int64_t magnitude(const walk *w, int axis)
{
    for (int i = 0; i < w->count; i++) {
        int64_t s = w->stride[i][axis] < 0 ? -w->stride[i][axis] : w->stride[i][axis];
        if (s) return s;
    }
    return 0;
}

static void swap_axes(walk *w, int a, int b)
{
    int64_t n = w->shape[a];
    w->shape[a] = w->shape[b];
    w->shape[b] = n;
    for (int i = 0; i < w->count; i++) {
        ptrdiff_t s = w->stride[i][a];
        w->stride[i][a] = w->stride[i][b];
        w->stride[i][b] = s;
    }
}

static void order_axes(walk *w)
{
    for (int i = 1; i < w->ndim; i++)
        for (int j = i; j > 0 && magnitude(w, j - 1) < magnitude(w, j); j--) swap_axes(w, j - 1, j);
}

static bool mergeable(const walk *w, int outer, int inner)
{
    for (int i = 0; i < w->count; i++)
        if (w->stride[i][outer] != w->stride[i][inner] * w->shape[inner]) return false;
    return true;
}

static void merge_axes(walk *w)
{
    int last = 0;
    for (int a = 1; a < w->ndim; a++) {
        if (mergeable(w, last, a)) {
            w->shape[last] *= w->shape[a];
            for (int i = 0; i < w->count; i++) w->stride[i][last] = w->stride[i][a];
            continue;
        }
        last++;
        w->shape[last] = w->shape[a];
        for (int i = 0; i < w->count; i++) w->stride[i][last] = w->stride[i][a];
    }
    w->ndim = w->ndim ? last + 1 : 0;
}

/* Takes in axes longer than 1; false when there is nothing to do. */
static bool gather_axes(walk *w, const dh_view *const *views)
{
    w->ndim = 0;
    for (int a = 0; a < views[0]->ndim; a++) {
        int64_t n = views[0]->shape[a];
        if (n == 0) return false;
        if (n == 1) continue;
        w->shape[w->ndim] = n;
        for (int i = 0; i < w->count; i++)
            w->stride[i][w->ndim] =
                (ptrdiff_t)views[i]->stride[a] * (ptrdiff_t)dh_dtype_size(views[i]->dtype);
        w->ndim++;
    }
    for (int i = 0; i < w->count; i++) w->data[i] = views[i]->data;
    return true;
}

static void run_rows(void *context, int64_t begin, int64_t end)
{
    const walk *w = context;
    int inner = w->ndim - 1;
    for (int64_t piece = begin; piece < end; piece++) {
        char *data[DH_ITERATE_MAX];
        ptrdiff_t stride[DH_ITERATE_MAX];
        int64_t rest = piece / w->blocks, first = piece % w->blocks * w->block;
        int64_t n = w->shape[inner] - first < w->block ? w->shape[inner] - first : w->block;
        for (int i = 0; i < w->count; i++) {
            stride[i] = w->stride[i][inner];
            data[i] = w->data[i] + first * stride[i];
        }
        for (int a = inner - 1; a >= 0; a--) {
            int64_t index = rest % w->shape[a];
            rest /= w->shape[a];
            for (int i = 0; i < w->count; i++) data[i] += index * w->stride[i][a];
        }
        w->row(w->context, data, stride, n);
    }
}

void dh__iterate(int count, const dh_view *const *views, dh__row_fn row, void *context, int cost)
{
    walk w = {.count = count, .row = row, .context = context};
    if (!gather_axes(&w, views)) return;
    order_axes(&w);
    merge_axes(&w);
    if (w.ndim == 0) {
        w.ndim = 1;
        w.shape[0] = 1;
    }
    int64_t length = w.shape[w.ndim - 1];
    w.rows = 1;
    for (int a = 0; a < w.ndim - 1; a++) w.rows *= w.shape[a];
    w.block = 65536 / (cost > 1 ? cost : 1);
    if (w.block < 1024) w.block = 1024;
    w.blocks = (length + w.block - 1) / w.block;
    int64_t row_cost = (length < w.block ? length : w.block) * (cost > 1 ? cost : 1) + 16;
    int64_t grain = 32768 / row_cost;
    dh__team_ranges(w.rows * w.blocks, grain < 1 ? 1 : grain, run_rows, &w);
}
