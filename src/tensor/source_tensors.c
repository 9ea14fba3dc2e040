/* SPDX-License-Identifier: MIT */
/* The source whose batches are rows of tensors: shuffled, or drawn by weight, for each epoch. */
#include <math.h>
#include <string.h>

#include "rng.h"
#include "source_impl.h"

#define MOST_CLASSES (1 << 24)
#define DRAWN        64 /* random numbers at a time */

typedef struct rows_source {
    dh_source base;
    dh__rows all; /* the tensors */
    int64_t begin, count, batch, draws;
    bool shuffle, own;
    uint64_t seed, stream;
    int64_t *order;     /* of the epoch; NULL: as they lie */
    double *cumulative; /* of the weights; NULL: each row once */
} rows_source;

/* --- the order of an epoch --- */

static int64_t row_at(const rows_source *s, double where)
{
    int64_t low = 0, high = s->count - 1;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (s->cumulative[middle] > where)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* 53 bits for each draw: two words. */
static void draw_rows(const rows_source *s, uint64_t stream)
{
    uint32_t words[2 * DRAWN];
    double total = s->cumulative[s->count - 1];
    for (int64_t i = 0; i < s->draws; i += DRAWN) {
        int64_t n = s->draws - i < DRAWN ? s->draws - i : DRAWN;
        dh__random_words(s->seed, stream, 2 * (uint64_t)i, words, 2 * n);
        for (int64_t k = 0; k < n; k++) {
            uint64_t bits = (uint64_t)words[2 * k] << 21 | words[2 * k + 1] >> 11;
            s->order[i + k] = s->begin + row_at(s, (double)bits * 0x1p-53 * total);
        }
    }
}

static dh_status begin_rows(dh_source *source, int64_t epoch, int64_t first)
{
    rows_source *s = (rows_source *)source;
    DH_UNUSED(first);
    if (!s->order) return DH_OK;
    if (s->cumulative) {
        draw_rows(s, s->stream + (uint64_t)epoch);
        return DH_OK;
    }
    dh__random_permutation(s->seed, s->stream + (uint64_t)epoch, s->order, s->count);
    for (int64_t i = 0; s->begin && i < s->count; i++) s->order[i] += s->begin;
    return DH_OK;
}

static dh_status get_rows(dh_source *source, int64_t index, dh__rows *out)
{
    const rows_source *s = (const rows_source *)source;
    *out = s->all;
    int64_t at = index * s->batch;
    if (index >= source->batches) return DH_OK; /* all.count is 0 */
    out->count = s->draws - at < s->batch ? s->draws - at : s->batch;
    out->begin = s->begin + at;
    out->order = s->order ? s->order + at : NULL;
    return DH_OK;
}

static void free_rows(dh_source *source)
{
    rows_source *s = (rows_source *)source;
    for (int i = 0; i < DH_MAX_IO && s->own; i++) {
        dh_tensor_free((dh_tensor *)(uintptr_t)s->all.x[i]);
        dh_tensor_free((dh_tensor *)(uintptr_t)s->all.y[i]);
    }
    if (s->own) dh_tensor_free((dh_tensor *)(uintptr_t)s->all.sample_weight);
    dh__free(s->order);
    dh__free(s->cumulative);
    dh__free(s);
}

/* --- weights --- */

double dh__class_of(const dh_view *y, int64_t row)
{
    int64_t size = (int64_t)dh_dtype_size(y->dtype);
    const char *at = (const char *)y->data + row * y->stride[0] * size;
    double most = dh__load(y->dtype, at);
    int64_t best = 0;
    if (y->ndim == 1 || y->shape[1] == 1) return most;
    for (int64_t k = 1; k < y->shape[1]; k++) {
        double value = dh__load(y->dtype, at + k * y->stride[1] * size);
        if (!(value > most)) continue;
        most = value;
        best = k;
    }
    return (double)best;
}

static dh_status class_of(int64_t *out, const dh_view *y, int64_t row)
{
    double class = dh__class_of(y, row);
    DH_REQUIRE(class >= 0 && class < MOST_CLASSES && class == floor(class), DH_EINVAL,
               "balance: row %lld of y is %g, must be a class", (long long)row, class);
    *out = (int64_t) class;
    return DH_OK;
}

/* One over the number of rows of its class, for each row. */
static dh_status balanced(rows_source *s)
{
    const dh_tensor *y = s->all.y[0];
    DH_REQUIRE(y && y->view.ndim >= 1 && y->view.ndim <= 2, DH_ESHAPE,
               "balance: y has %d axes, needs [N] or [N, classes]", y ? y->view.ndim : 0);
    DH_REQUIRE(y->view.ndim == 1 || y->view.shape[1] > 0, DH_ESHAPE,
               "balance: y has no classes, needs [N] or [N, classes]");
    int64_t class, classes = 1;
    for (int64_t i = 0; i < s->count; i++) {
        DH_TRY(class_of(&class, &y->view, s->begin + i));
        if (class >= classes) classes = class + 1;
    }
    int64_t *rows = dh__calloc((size_t)classes, sizeof *rows);
    if (!rows) return DH_ENOMEM;
    dh_status status = DH_OK;
    for (int64_t i = 0; i < s->count && !status; i++) {
        status = class_of(&class, &y->view, s->begin + i);
        if (!status) rows[class]++;
    }
    for (int64_t i = 0; i < s->count && !status; i++) {
        status = class_of(&class, &y->view, s->begin + i);
        if (!status) s->cumulative[i] = 1 / (double)rows[class];
    }
    dh__free(rows);
    return status;
}

static dh_status given(rows_source *s, const dh_tensor *weights)
{
    const dh_view *v = &weights->view;
    DH_REQUIRE(v->ndim == 1 && v->shape[0] == s->begin + s->count, DH_ESHAPE,
               "weights has %d axes and %lld rows, needs [%lld]", v->ndim,
               (long long)(v->ndim ? v->shape[0] : 0), (long long)(s->begin + s->count));
    for (int64_t i = 0; i < s->count; i++) {
        int64_t at = (s->begin + i) * v->stride[0] * (int64_t)dh_dtype_size(v->dtype);
        s->cumulative[i] = dh__load(v->dtype, (const char *)v->data + at);
        DH_REQUIRE(s->cumulative[i] >= 0 && isfinite(s->cumulative[i]), DH_EINVAL,
                   "weights[%lld] is %g, must be at least 0", (long long)i, s->cumulative[i]);
    }
    return DH_OK;
}

static dh_status weigh(rows_source *s, const dh_source_tensors_args *a)
{
    s->cumulative = dh__alloc((size_t)s->count * sizeof *s->cumulative);
    if (!s->cumulative) return DH_ENOMEM;
    DH_TRY(a->weights ? given(s, a->weights) : balanced(s));
    for (int64_t i = 1; i < s->count; i++) s->cumulative[i] += s->cumulative[i - 1];
    double sum = s->cumulative[s->count - 1];
    DH_REQUIRE(sum > 0, DH_EINVAL, "weights are all 0");
    DH_REQUIRE(isfinite(sum), DH_EINVAL, "the sum of weights is %g, must be finite and above 0",
               sum);
    s->draws = a->draws ? a->draws : s->count;
    return DH_OK;
}

/* --- making it --- */

static dh_status check_args(const dh_source_tensors_args *a)
{
    DH_REQUIRE(a->batch_size >= 0, DH_EINVAL, "batch_size is %d, must be at least 1",
               a->batch_size);
    DH_REQUIRE(!(a->balance && a->weights), DH_EINVAL, "both balance and weights are given");
    DH_REQUIRE(a->draws >= 0, DH_EINVAL, "draws is %lld, must be at least 1", (long long)a->draws);
    DH_REQUIRE(!a->draws || a->balance || a->weights, DH_EINVAL,
               "draws is %lld, but there are neither balance nor weights", (long long)a->draws);
    return DH_OK;
}

static dh_status set_up(rows_source *s, const dh_source_tensors_args *a)
{
    DH_TRY(check_args(a));
    s->shuffle = !a->no_shuffle;
    s->seed = a->seed;
    s->draws = s->count;
    if (a->balance || a->weights) DH_TRY(weigh(s, a));
    s->batch = a->batch_size ? a->batch_size : 32;
    if (s->batch > s->draws) s->batch = s->draws;
    s->base.batches = a->drop_last ? s->draws / s->batch : (s->draws - 1) / s->batch + 1;
    size_t bytes;
    if (!s->shuffle && !s->cumulative) return DH_OK;
    DH_REQUIRE(dh__mul_size((size_t)s->draws, sizeof *s->order, &bytes), DH_EOVERFLOW,
               "draws is %lld: too many", (long long)s->draws);
    s->order = dh__alloc(bytes);
    return s->order ? DH_OK : DH_ENOMEM;
}

dh_status dh__source_tensors(dh_source **out, const dh_source_tensors_args *a, int64_t begin,
                             int64_t count, uint64_t stream)
{
    rows_source *s = dh__calloc(1, sizeof *s);
    if (!s) return DH_ENOMEM;
    s->base = (dh_source){
        .at_once = true, .next = -1, .begin = begin_rows, .get = get_rows, .free = free_rows};
    for (int i = 0; i < DH_MAX_IO; i++) {
        s->all.x[i] = i == 0 && a->x ? a->x : a->xs[i];
        s->all.y[i] = i == 0 && a->y ? a->y : a->ys[i];
    }
    s->all.sample_weight = a->sample_weight;
    s->begin = begin;
    s->count = count;
    s->stream = stream;
    dh_status status = set_up(s, a);
    if (status)
        free_rows(&s->base);
    else
        *out = &s->base;
    return status;
}

/* Tensors of its own on the same memory. */
static dh_status share(rows_source *s)
{
    const dh_tensor **all[2 * DH_MAX_IO + 1];
    dh_tensor *own[2 * DH_MAX_IO + 1] = {0};
    dh_status status = DH_OK;
    int n = 0;
    for (int i = 0; i < DH_MAX_IO; i++) {
        all[n++] = &s->all.x[i];
        all[n++] = &s->all.y[i];
    }
    all[n++] = &s->all.sample_weight;
    for (int i = 0; i < n && !status; i++)
        if (*all[i]) status = dh__tensor_on(&own[i], (*all[i])->storage, &(*all[i])->view);
    for (int i = 0; i < n; i++) {
        if (status) dh_tensor_free(own[i]);
        if (!status) *all[i] = own[i];
    }
    s->own = !status;
    return status;
}

static dh_status check_rows(const dh_tensor *t, const char *name, int i, int64_t rows)
{
    if (!t) return DH_OK;
    DH_REQUIRE(t->storage->device->host, DH_EDEVICE, "%s %d is on \"%s\", must be in host memory",
               name, i, t->storage->device->name);
    DH_REQUIRE(t->view.ndim && t->view.shape[0] == rows, DH_ESHAPE,
               "%s %d has %lld rows, x has %lld", name, i,
               (long long)(t->view.ndim ? t->view.shape[0] : 0), (long long)rows);
    return DH_OK;
}

static dh_status make(dh_source **out, const dh_source_tensors_args *a)
{
    const dh_tensor *x = a->x ? a->x : a->xs[0];
    DH_REQUIRE(x, DH_EINVAL, "x is NULL");
    int64_t rows = x->view.ndim ? x->view.shape[0] : 0;
    DH_REQUIRE(rows > 0, DH_ESHAPE, "x has no rows");
    DH_TRY(check_rows(x, "x", 0, rows));
    DH_TRY(check_rows(a->y, "y", 0, rows));
    for (int i = 0; i < DH_MAX_IO; i++) {
        DH_TRY(check_rows(a->xs[i], "x", i, rows));
        DH_TRY(check_rows(a->ys[i], "y", i, rows));
    }
    DH_TRY(check_rows(a->sample_weight, "sample_weight", 0, rows));
    if (a->weights) DH_TRY(check_rows(a->weights, "weights", 0, rows));
    DH_TRY(dh__source_tensors(out, a, 0, rows, 0));
    dh_status status = share((rows_source *)*out);
    if (!status) return DH_OK;
    free_rows(*out);
    *out = NULL;
    return status;
}

dh_status(dh_source_tensors)(dh_source **out, const dh_source_tensors_args *args)
{
    dh_source_tensors_args a;
    dh_source *made;
    DH_NEED(out, "source_tensors", "out");
    DH_TRY(dh__args(&a, sizeof a, args, "source_tensors"));
    DH_TRY(dh__from("source_tensors", make(&made, &a)));
    *out = made;
    return DH_OK;
}
