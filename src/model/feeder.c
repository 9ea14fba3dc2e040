/* SPDX-License-Identifier: MIT */
/* From a source to the batches of a pass. */
#include <string.h>

#include "feeder.h"

#define SHUFFLE_STREAM 0x73687566666c65u /* apart from the layers' streams: "shuffle" */

dh_status dh__feeder_tensors(dh__feeder *out, const dh_model *model, const dh__data *data,
                             int batch, bool shuffle)
{
    dh_source_tensors_args a = {.struct_size = sizeof a,
                                .sample_weight = data->sample_weight,
                                .batch_size = batch,
                                .seed = model->seed,
                                .no_shuffle = !shuffle};
    memcpy(a.xs, data->x, sizeof a.xs);
    memcpy(a.ys, data->y, sizeof a.ys);
    *out = (dh__feeder){.own = true,
                        .checked = true,
                        .class_weight = data->class_weight,
                        .class_count = data->class_count,
                        .bound = batch < data->count ? batch : data->count};
    return dh__source_tensors(&out->source, &a, data->begin, data->count, SHUFFLE_STREAM);
}

dh_status dh__feeder_given(dh__feeder *out, dh_source *source, const dh__data *beside,
                           int batch_size, const char *who)
{
    const char *what = beside->x[0]            ? "x"
                       : beside->y[0]          ? "y"
                       : beside->sample_weight ? "sample_weight"
                       : batch_size            ? "batch_size"
                                               : NULL;
    DH_REQUIRE(!what, DH_EINVAL, "%s: both source and %s are given", who, what);
    *out = (dh__feeder){
        .source = source, .class_weight = beside->class_weight, .class_count = beside->class_count};
    return DH_OK;
}

void dh__feeder_clear(dh__feeder *f)
{
    if (f->own) dh_source_free(f->source);
    f->source = NULL;
}

dh_status dh__feeder_begin(dh__feeder *f, int64_t epoch, int64_t index)
{
    f->waited = 0;
    f->start = ++f->source->starts;
    f->source->next = -1; /* a loop of the user's on the same source has to start again */
    return f->source->begin(f->source, epoch, index);
}

static dh_status check(dh__feeder *f, const dh_model *model, dh__data *data, const dh__rows *rows,
                       const char *who)
{
    int64_t count = rows->count;
    if (!f->checked) DH_TRY(dh__data_check(data, model, true, who));
    f->checked = f->source->at_once; /* its tensors stay the same */
    data->begin = rows->begin;
    data->count = count;
    return DH_OK;
}

dh_status dh__feeder_next(dh__feeder *f, const dh_model *model, int64_t index, dh__rows *rows,
                          dh__data *data, const char *who)
{
    memset(rows, 0, sizeof *rows);
    DH_REQUIRE(f->source->starts == f->start, DH_ESTATE,
               "%s: the source was started again amid a pass, before batch %lld", who,
               (long long)index);
    if (f->source->batches && index >= f->source->batches) return DH_OK;
    double start = f->source->at_once ? 0 : dh__now();
    DH_TRY(f->source->get(f->source, index, rows));
    if (!f->source->at_once) f->waited += dh__now() - start;
    if (rows->count == 0) return DH_OK;
    memcpy(data->x, rows->x, sizeof data->x);
    memcpy(data->y, rows->y, sizeof data->y);
    data->sample_weight = rows->sample_weight;
    data->class_weight = f->class_weight;
    data->class_count = f->class_count;
    dh_status status = check(f, model, data, rows, who);
    if (status) {
        dh_error_prefix("batch %lld of the source", (long long)index);
        dh__rows_clear(rows);
        return status;
    }
    if (rows->count > f->bound) f->bound = rows->count;
    return DH_OK;
}
