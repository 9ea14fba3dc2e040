/* SPDX-License-Identifier: MIT */
/* Sources: what all kinds share, and the one that a function fills. */
#include "source_impl.h"

#include <string.h>

#include <deephealth/tensor_shape.h>

void dh_batch_clear(dh_batch *batch)
{
    if (!batch) return;
    for (int i = 0; i < DH_MAX_IO; i++) {
        dh_tensor_free(batch->x[i]);
        dh_tensor_free(batch->y[i]);
    }
    dh_tensor_free(batch->sample_weight);
    memset(batch, 0, sizeof *batch);
}

void dh__rows_clear(dh__rows *rows)
{
    dh_batch_clear(&rows->batch);
    memset(rows, 0, sizeof *rows);
}

static void borrow_batch(dh__rows *rows)
{
    for (int i = 0; i < DH_MAX_IO; i++) {
        rows->x[i] = rows->batch.x[i];
        rows->y[i] = rows->batch.y[i];
    }
    rows->sample_weight = rows->batch.sample_weight;
}

/* The rows that order, or begin, name of x. */
static dh_status take_rows(dh_tensor **out, const dh_tensor *x, const dh_tensor *index)
{
    *out = NULL;
    return x ? dh_tensor_take(out, x, index, 0) : DH_OK;
}

dh_status dh__rows_own(dh__rows *rows)
{
    dh_tensor *index = NULL;
    if (rows->count == 0 || rows->batch.x[0]) return DH_OK;
    DH_TRY(dh__tensor_new(&index, dh__cpu(), DH_I64, 1, &rows->count));
    int64_t *at = index->view.data;
    for (int64_t i = 0; i < rows->count; i++)
        at[i] = rows->order ? rows->order[i] : rows->begin + i;
    dh_status status = DH_OK;
    for (int i = 0; i < DH_MAX_IO && !status; i++) {
        status = take_rows(&rows->batch.x[i], rows->x[i], index);
        if (!status) status = take_rows(&rows->batch.y[i], rows->y[i], index);
    }
    if (!status) status = take_rows(&rows->batch.sample_weight, rows->sample_weight, index);
    dh_tensor_free(index);
    if (status) {
        dh_batch_clear(&rows->batch);
        return status;
    }
    borrow_batch(rows);
    rows->order = NULL;
    rows->begin = 0;
    return DH_OK;
}

int64_t dh_source_batches(const dh_source *source)
{
    return source ? source->batches : -1;
}

dh_status dh_source_start(dh_source *source, int64_t epoch, int64_t index)
{
    DH_NEED(source, "source_start", "source");
    DH_REQUIRE(epoch >= 0, DH_EINVAL, "source_start: epoch is %lld, must be at least 0",
               (long long)epoch);
    DH_REQUIRE(index >= 0, DH_EINVAL, "source_start: index is %lld, must be at least 0",
               (long long)index);
    source->next = -1;
    source->starts++;
    DH_TRY(dh__from("source_start", source->begin(source, epoch, index)));
    source->next = index;
    return DH_OK;
}

dh_status dh_source_next(dh_batch *out, dh_source *source)
{
    dh__rows rows = {.count = 0};
    DH_NEED(out, "source_next", "out");
    DH_NEED(source, "source_next", "source");
    DH_REQUIRE(source->next >= 0, DH_ESTATE,
               "source_next: the source was not started; call dh_source_start first");
    dh_status status = DH_OK;
    if (!source->batches || source->next < source->batches)
        status = source->get(source, source->next, &rows);
    if (!status) status = dh__rows_own(&rows);
    if (status) {
        dh__rows_clear(&rows);
        return dh__from("source_next", status);
    }
    source->next += rows.count > 0;
    *out = rows.batch;
    return DH_OK;
}

void dh_source_free(dh_source *source)
{
    if (source) source->free(source);
}

/* --- a function that fills --- */

typedef struct filled {
    dh_source base;
    dh_source_args a;
    int64_t epoch;
} filled;

static dh_status begin_filled(dh_source *source, int64_t epoch, int64_t first)
{
    DH_UNUSED(first);
    ((filled *)source)->epoch = epoch;
    return DH_OK;
}

static dh_status get_filled(dh_source *source, int64_t index, dh__rows *out)
{
    const filled *f = (const filled *)source;
    memset(out, 0, sizeof *out);
    uint64_t told = dh__error_count();
    dh_status status = f->a.fill(&out->batch, f->epoch, index, f->a.payload);
    if (!status && out->batch.x[0]) {
        const dh_view *v = &out->batch.x[0]->view;
        out->count = v->ndim ? v->shape[0] : 0;
        borrow_batch(out);
        if (out->count > 0) return DH_OK;
        status = dh_fail(DH_ESHAPE, "batch %lld of epoch %lld has no rows", (long long)index,
                         (long long)f->epoch);
    } else if (status && dh__error_count() == told) {
        dh_fail(status, "the source's function ended it at batch %lld of epoch %lld with %s",
                (long long)index, (long long)f->epoch, dh_status_name(status));
    }
    dh__rows_clear(out); /* what came without x[0], too */
    return status;
}

static void free_filled(dh_source *source)
{
    dh__free(source);
}

dh_status(dh_source_new)(dh_source **out, const dh_source_args *args)
{
    dh_source_args a;
    DH_NEED(out, "source_new", "out");
    DH_TRY(dh__args(&a, sizeof a, args, "source_new"));
    DH_NEED(a.fill, "source_new", "fill");
    DH_REQUIRE(a.batches >= 0, DH_EINVAL, "source_new: batches is %lld, must be at least 0",
               (long long)a.batches);
    filled *f = dh__calloc(1, sizeof *f);
    if (!f) return dh__from("source_new", DH_ENOMEM);
    f->a = a;
    f->base = (dh_source){.batches = a.batches,
                          .next = -1,
                          .begin = begin_filled,
                          .get = get_filled,
                          .free = free_filled};
    *out = &f->base;
    return DH_OK;
}
