/* SPDX-License-Identifier: MIT */
/* Dropout, batch and layer normalisation. */
#include <string.h>

#include "layer_defs.h"

/* --- dropout --- */

static dh_value dropout_emit(dh__build *b, const void *args, int in_count, const dh_value *in)
{
    const dh_dropout_args *a = args;
    DH_UNUSED(in_count);
    if (!b->training || a->rate == 0) return in[0];
    return dh_emit1(&b->graph->emitter, DH_OP_DROPOUT, &(dh_dropout_attr){(double)a->rate}, in[0]);
}

static const dh_field dropout_fields[] = {
    DH_FIELD(dh_dropout_args, rate, NULL, 0, 0, 0.999999, "share of elements set to 0"),
    DH_FIELD(dh_dropout_args, name, NULL, 0, 0, 0, "name of the layer"),
    {0}};

const dh__layer_def dh__layer_dropout = {.kind = "dropout",
                                         .keras = "Dropout",
                                         .eddl = "Dropout",
                                         .args_size = sizeof(dh_dropout_args),
                                         .fields = dropout_fields,
                                         .in_min = 1,
                                         .in_max = 1,
                                         .emit = dropout_emit};

dh_layer *(dh_dropout)(const dh_dropout_args *args)
{
    DH_LAYER_BEGIN(dh_dropout_args, "dropout");
    return dh__layer_new(a.x->net, &dh__layer_dropout, &a, 1, &a.x);
}

/* --- batch normalisation --- */

static dh_value channel_param(dh__build *b, const char *suffix, int64_t channels, const char *init,
                              bool state)
{
    dh__param p = {.suffix = suffix,
                   .ndim = 1,
                   .shape = {channels},
                   .default_init = init,
                   .state = state,
                   .no_decay = true};
    return dh__declare(b, &p);
}

/* A parameter that is left away is a constant of ones or zeros. */
static dh_value constant_vector(dh__build *b, dh_value like, double value)
{
    return dh_emit1(&b->graph->emitter, DH_OP_FILL_LIKE, &(dh_fill_attr){value}, like);
}

/* The sum over replicas of each one's, by the part of the batch that its rows are. */
static dh_value whole(dh__build *b, dh_value own)
{
    dh_emitter *to = &b->graph->emitter;
    return dh_emit1(to, DH_OP_ALL_SUM, NULL, dh_emit2(to, DH_OP_MUL, NULL, own, b->part));
}

/* Mean and variance of the whole batch: the parts' means and variances, and how far the means lie
 * apart (Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
 * variances", 1979). */
static void whole_moments(dh__build *b, dh_value x, int axis, dh_value *mean, dh_value *var)
{
    dh_emitter *to = &b->graph->emitter;
    dh_reduce_attr over = {.axes = {0}};
    for (int a = 0; a < dh__graph_view(b->graph, x)->ndim; a++)
        if (a != axis) over.axes.v[over.axes.count++] = a;
    x = dh__emit_cast(b->graph, x, DH_F32);
    dh_value own = dh_emit1(to, DH_OP_MEAN, &over, x);
    *mean = whole(b, own);
    dh_value off = dh_emit1(to, DH_OP_SQR, NULL, dh_emit2(to, DH_OP_SUB, NULL, own, *mean));
    dh_value spread = dh_emit1(to, DH_OP_VAR, &over, x);
    *var = whole(b, dh_emit2(to, DH_OP_ADD, NULL, spread, off));
}

/* What a batch leaves behind in the running statistics. */
static void commit_moments(dh__build *b, const dh_norm_attr *attr, const dh_value *running,
                           dh_value mean, dh_value var)
{
    dh__phase phase = b->graph->phase;
    b->graph->phase = DH_COMMIT;
    dh_emit2(&b->graph->emitter, DH_OP_RUNNING_UPDATE, attr, running[0], mean);
    dh_emit2(&b->graph->emitter, DH_OP_RUNNING_UPDATE, attr, running[1], var);
    b->graph->phase = phase;
}

static dh_value batch_norm_emit(dh__build *b, const void *args, int in_count, const dh_value *in)
{
    const dh_batch_normalization_args *a = args;
    dh_emitter *to = &b->graph->emitter;
    const dh_view *x = dh__graph_view(b->graph, in[0]);
    int axis;
    DH_UNUSED(in_count);
    if (dh__feature_axis(&axis, a->axis ? a->axis : 1, b->graph, in[0], "batch_normalization"))
        return DH_NO_VALUE;
    int64_t c = x->shape[axis];
    dh_value mean = channel_param(b, "running_mean", c, "zeros", true);
    dh_value var = channel_param(b, "running_var", c, "ones", true);
    dh_value gamma =
        a->no_scale ? constant_vector(b, mean, 1) : channel_param(b, "gamma", c, "ones", false);
    dh_value beta =
        a->no_center ? constant_vector(b, mean, 0) : channel_param(b, "beta", c, "zeros", false);
    const dh_value running[2] = {mean, var};
    dh_norm_attr attr = {
        .axis = axis, .epsilon = (double)a->epsilon, .momentum = (double)a->momentum};
    dh_value out[DH_OP_MAX_OUT];
    bool learns = b->training && !b->layer->frozen;
    bool together = learns && a->synchronized && b->part != DH_NO_VALUE;
    if (together) whole_moments(b, in[0], axis, &mean, &var);
    const dh_value all[5] = {in[0], gamma, beta, mean, var};
    if (learns && !together) {
        if (dh_emit(to, DH_OP_BATCH_NORM_TRAIN, &attr, 3, all, out)) return DH_NO_VALUE;
        commit_moments(b, &attr, running, out[1], out[2]);
        return out[0];
    }
    if (dh_emit(to, DH_OP_BATCH_NORM, &attr, 5, all, out)) return DH_NO_VALUE;
    if (together) commit_moments(b, &attr, running, mean, var);
    return out[0];
}

static const dh_field batch_norm_fields[] = {
    DH_FIELD(dh_batch_normalization_args, momentum, NULL, 0.99, 0, 1, "of the running statistics"),
    DH_FIELD(dh_batch_normalization_args, epsilon, NULL, 0.001, 1e-12, 1, "added to the variance"),
    DH_FIELD(dh_batch_normalization_args, no_scale, NULL, 0, 0, 1, "leaves gamma away"),
    DH_FIELD(dh_batch_normalization_args, no_center, NULL, 0, 0, 1, "leaves beta away"),
    DH_FIELD(dh_batch_normalization_args, axis, NULL, 0, -DH_MAX_NDIM, DH_MAX_NDIM - 1,
             "channel axis; 0: 1"),
    DH_FIELD(dh_batch_normalization_args, name, NULL, 0, 0, 0, "name of the layer"),
    DH_FIELD(dh_batch_normalization_args, synchronized, NULL, 0, 0, 1,
             "replicas take the statistics of the whole batch"),
    {0}};

const dh__layer_def dh__layer_batch_normalization = {.kind = "batch_normalization",
                                                     .keras = "BatchNormalization",
                                                     .eddl = "BatchNormalization",
                                                     .args_size =
                                                         sizeof(dh_batch_normalization_args),
                                                     .fields = batch_norm_fields,
                                                     .in_min = 1,
                                                     .in_max = 1,
                                                     .emit = batch_norm_emit};

dh_layer *(dh_batch_normalization)(const dh_batch_normalization_args *args)
{
    DH_LAYER_BEGIN(dh_batch_normalization_args, "batch_normalization");
    return dh__layer_new(a.x->net, &dh__layer_batch_normalization, &a, 1, &a.x);
}

/* --- layer normalisation --- */

static dh_value layer_norm_emit(dh__build *b, const void *args, int in_count, const dh_value *in)
{
    const dh_layer_normalization_args *a = args;
    const dh_view *x = dh__graph_view(b->graph, in[0]);
    dh_value all[3] = {in[0]}, out[DH_OP_MAX_OUT];
    int axis;
    DH_UNUSED(in_count);
    if (dh__feature_axis(&axis, a->axis ? a->axis : -1, b->graph, in[0], "layer_normalization"))
        return DH_NO_VALUE;
    dh_norm_attr attr = {.axis = axis, .epsilon = (double)a->epsilon};
    dh__param p = {
        .suffix = "gamma", .ndim = x->ndim - axis, .default_init = "ones", .no_decay = true};
    for (int i = axis; i < x->ndim; i++) p.shape[i - axis] = x->shape[i];
    if (!a->no_affine) {
        all[1] = dh__declare(b, &p);
        p.suffix = "beta";
        p.default_init = "zeros";
        all[2] = dh__declare(b, &p);
    }
    int n = a->no_affine ? 1 : 3;
    return dh_emit(&b->graph->emitter, DH_OP_LAYER_NORM, &attr, n, all, out) ? DH_NO_VALUE : out[0];
}

static const dh_field layer_norm_fields[] = {
    DH_FIELD(dh_layer_normalization_args, epsilon, NULL, 1e-5, 1e-12, 1, "added to the variance"),
    DH_FIELD(dh_layer_normalization_args, no_affine, NULL, 0, 0, 1, "leaves gamma and beta away"),
    DH_FIELD(dh_layer_normalization_args, axis, NULL, 0, -DH_MAX_NDIM, DH_MAX_NDIM - 1,
             "first normalised axis; 0: the last alone"),
    DH_FIELD(dh_layer_normalization_args, name, NULL, 0, 0, 0, "name of the layer"),
    {0}};

const dh__layer_def dh__layer_layer_normalization = {.kind = "layer_normalization",
                                                     .keras = "LayerNormalization",
                                                     .eddl = "LayerNormalization",
                                                     .args_size =
                                                         sizeof(dh_layer_normalization_args),
                                                     .fields = layer_norm_fields,
                                                     .in_min = 1,
                                                     .in_max = 1,
                                                     .emit = layer_norm_emit};

dh_layer *(dh_layer_normalization)(const dh_layer_normalization_args *args)
{
    DH_LAYER_BEGIN(dh_layer_normalization_args, "layer_normalization");
    return dh__layer_new(a.x->net, &dh__layer_layer_normalization, &a, 1, &a.x);
}
