/* SPDX-License-Identifier: MIT */
/* The arguments of dh_fit, checked, and its data as batches. */
#include "fit_data.h"

#include <math.h>
#include <string.h>

dh_status dh__fit_check(const dh_fit_args *a)
{
    DH_REQUIRE(a->batch_size >= 0, DH_EINVAL, "fit: batch_size is %d, must be at least 1",
               a->batch_size);
    DH_REQUIRE(a->epochs >= 0, DH_EINVAL, "fit: epochs is %d, must be at least 1", a->epochs);
    DH_REQUIRE(a->checkpoint_steps >= 0, DH_EINVAL,
               "fit: checkpoint_steps is %lld, must be at least 1", (long long)a->checkpoint_steps);
    DH_REQUIRE(a->checkpoint_keep >= 0, DH_EINVAL, "fit: checkpoint_keep is %d, must be at least 1",
               a->checkpoint_keep);
    DH_REQUIRE(a->checkpoint || !(a->resume || a->checkpoint_steps || a->checkpoint_keep),
               DH_EINVAL, "fit: %s is given, checkpoint is NULL",
               a->resume             ? "resume"
               : a->checkpoint_steps ? "checkpoint_steps"
                                     : "checkpoint_keep");
    DH_REQUIRE(a->validation_split >= 0 && a->validation_split < 1, DH_EINVAL,
               "fit: validation_split is %g, must be in [0, 1)", (double)a->validation_split);
    bool with_x = a->validation_x || a->validation_xs[0];
    DH_REQUIRE(with_x || !(a->validation_y || a->validation_ys[0]), DH_EINVAL,
               "fit: validation_y is given, validation_x is NULL");
    DH_REQUIRE(!a->class_weight || a->class_count > 0, DH_EINVAL,
               "fit: class_weight is given, class_count is %d", a->class_count);
    for (int i = 0; a->class_weight && i < a->class_count; i++)
        DH_REQUIRE(isfinite(a->class_weight[i]), DH_EINVAL, "fit: class_weight[%d] is %g", i,
                   (double)a->class_weight[i]);
    return DH_OK;
}

/* The last part of the training data, if so wished. */
static dh_status split(dh__data *train, dh__data *validation, const dh_fit_args *a)
{
    int64_t kept = (int64_t)((double)train->count * (1 - (double)a->validation_split) + 0.5);
    if (a->validation_split == 0) return DH_OK;
    DH_REQUIRE(!validation->x[0] && !a->validation_source, DH_EINVAL,
               "fit: both validation_%s and validation_split are given",
               validation->x[0] ? "x" : "source");
    DH_REQUIRE(kept > 0 && kept < train->count, DH_EINVAL,
               "fit: validation_split %g of %lld rows leaves %lld to train on and %lld to validate",
               (double)a->validation_split, (long long)train->count, (long long)kept,
               (long long)(train->count - kept));
    *validation = *train;
    validation->class_weight = NULL;
    validation->begin = kept;
    validation->count -= kept;
    train->count = kept;
    return DH_OK;
}

static dh_status prepare_validation(dh__fit_data *f, const dh_model *model, const dh_fit_args *a,
                                    dh__data *data)
{
    f->validate = data->x[0] || a->validation_source;
    if (a->validation_source)
        return dh__feeder_given(&f->validation, a->validation_source, data, 0, "fit: validation");
    return f->validate ? dh__feeder_tensors(&f->validation, model, data, 256, false) : DH_OK;
}

dh_status dh__fit_prepare(dh__fit_data *f, const dh_model *model, const dh_fit_args *a)
{
    dh__data train, validation;
    dh__data_take(&train, a->x, a->y, a->xs, a->ys);
    dh__data_take(&validation, a->validation_x, a->validation_y, a->validation_xs,
                  a->validation_ys);
    train.sample_weight = a->sample_weight;
    train.class_weight = a->class_weight;
    train.class_count = a->class_count;
    if (a->source) {
        DH_REQUIRE(a->validation_split == 0, DH_EINVAL,
                   "fit: both source and validation_split are given");
        DH_TRY(dh__feeder_given(&f->train, a->source, &train, a->batch_size, "fit"));
    } else {
        DH_TRY(dh__data_check(&train, model, true, "fit"));
    }
    if (validation.x[0] && !a->validation_source)
        DH_TRY(dh__data_check(&validation, model, true, "fit: validation"));
    if (!a->source) {
        DH_TRY(split(&train, &validation, a));
        f->rows = train.count;
        DH_TRY(dh__feeder_tensors(&f->train, model, &train, a->batch_size ? a->batch_size : 32,
                                  !a->no_shuffle));
    }
    return prepare_validation(f, model, a, &validation);
}
