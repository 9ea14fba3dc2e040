/* SPDX-License-Identifier: MIT */
/* Layers that treat the channels of [N, C, ...] apart: dropout of channels, normalisation of groups
 * of them; and noise. */
#include <string.h>

#include "layer_windows.h"

/* --- dropout of channels, noise --- */

/* x times the dropout of ones [N, C, 1...]. */
static dh_value spatial_dropout_emit(dh__build *b, const void *args, int in_count,
                                     const dh_value *in)
{
    const dh_dropout_args *a = args;
    dh_emitter *to = &b->graph->emitter;
    DH_UNUSED(in_count);
    dh_status status = dh__check_spatial(dh__graph_view(b->graph, in[0]), 0);
    if (status) return dh__emit_fail(b->graph, status);
    if (!b->training || a->rate == 0) return in[0];
    dh_value shape = dh__emit_reduce(b->graph, DH_OP_SUM, in[0], 2, true);
    dh_value ones = dh_emit1(to, DH_OP_FILL_LIKE, &(dh_fill_attr){1}, shape);
    dh_value mask = dh_emit1(to, DH_OP_DROPOUT, &(dh_dropout_attr){(double)a->rate}, ones);
    return dh_emit2(to, DH_OP_MUL, NULL, in[0], mask);
}

static const dh_field dropout_fields[] = {
    DH_FIELD(dh_dropout_args, rate, NULL, 0, 0, 0.999999, "share of channels set to 0"),
    DH_FIELD(dh_dropout_args, name, NULL, 0, 0, 0, "name of the layer"),
    {0}};
DH_LAYER(spatial_dropout, "SpatialDropout1D, 2D, 3D", NULL, dh_dropout_args, dropout_fields,
         spatial_dropout_emit)

static dh_value noise_emit(dh__build *b, const void *args, int in_count, const dh_value *in)
{
    const dh_gaussian_noise_args *a = args;
    DH_UNUSED(in_count);
    if (!b->training || a->stddev == 0) return in[0];
    return dh_emit1(&b->graph->emitter, DH_OP_GAUSSIAN_NOISE, &(dh_noise_attr){(double)a->stddev},
                    in[0]);
}

static const dh_field noise_fields[] = {
    DH_FIELD(dh_gaussian_noise_args, stddev, NULL, 0, 0, 1e30, "deviation of what is added"),
    DH_FIELD(dh_gaussian_noise_args, name, NULL, 0, 0, 0, "name of the layer"),
    {0}};
DH_LAYER(gaussian_noise, "GaussianNoise", "GaussianNoise", dh_gaussian_noise_args, noise_fields,
         noise_emit)

/* --- normalisation --- */

/* A parameter of the channels as [C, 1...], which broadcasts over x. */
static dh_value channel_parameter(dh__build *b, const char *suffix, const char *init,
                                  const dh_view *x)
{
    dh__param p = {.suffix = suffix,
                   .ndim = 1,
                   .shape = {x->shape[1]},
                   .default_init = init,
                   .no_decay = true};
    dh_reshape_attr attr = {.shape.count = x->ndim - 1};
    for (int i = 0; i < x->ndim - 1; i++) attr.shape.v[i] = i ? 1 : x->shape[1];
    return dh_emit1(&b->graph->emitter, DH_OP_RESHAPE, &attr, dh__declare(b, &p));
}

static dh_value normalize(dh__build *b, dh_value x, int64_t groups, double epsilon, bool no_scale,
                          bool no_center)
{
    dh_emitter *to = &b->graph->emitter;
    const dh_view *v = dh__graph_view(b->graph, x);
    dh_view like = *v;
    dh_reshape_attr split = {.shape = {3, {0, groups, 1}}};
    dh_norm_attr norm = {.axis = 2, .epsilon = epsilon};
    dh_value out[DH_OP_MAX_OUT];
    split.shape.v[2] = v->shape[1] / groups;
    for (int i = 2; i < v->ndim; i++)
        if (!dh__mul_int64(split.shape.v[2], v->shape[i], &split.shape.v[2]))
            return dh__emit_fail(b->graph, dh_fail(DH_EOVERFLOW, "x is too large"));
    dh_value parts = dh_emit1(to, DH_OP_RESHAPE, &split, x);
    if (dh_emit(to, DH_OP_LAYER_NORM, &norm, 1, &parts, out)) return DH_NO_VALUE;
    dh_value y = dh_emit2(to, DH_OP_RESHAPE_LIKE, NULL, out[0], x);
    if (!no_scale)
        y = dh_emit2(to, DH_OP_MUL, NULL, y, channel_parameter(b, "gamma", "ones", &like));
    if (!no_center)
        y = dh_emit2(to, DH_OP_ADD, NULL, y, channel_parameter(b, "beta", "zeros", &like));
    return y;
}

static dh_value group_norm_emit(dh__build *b, const void *args, int in_count, const dh_value *in)
{
    const dh_group_normalization_args *a = args;
    const dh_view *x = dh__graph_view(b->graph, in[0]);
    DH_UNUSED(in_count);
    dh_status status = dh__check_spatial(x, 0);
    if (!status && x->shape[1] % a->groups)
        status = dh_fail(DH_ESHAPE, "x has %lld channels, which %d groups do not divide",
                         (long long)x->shape[1], a->groups);
    if (status) return dh__emit_fail(b->graph, status);
    return normalize(b, in[0], a->groups, (double)a->epsilon, a->no_scale, a->no_center);
}

static dh_value instance_norm_emit(dh__build *b, const void *args, int in_count, const dh_value *in)
{
    const dh_instance_normalization_args *a = args;
    const dh_view *x = dh__graph_view(b->graph, in[0]);
    DH_UNUSED(in_count);
    dh_status status = dh__check_spatial(x, 0);
    if (status) return dh__emit_fail(b->graph, status);
    return normalize(b, in[0], x->shape[1], (double)a->epsilon, a->no_scale, a->no_center);
}

#define NORM_FIELDS(T)                                                    \
    DH_FIELD(T, epsilon, NULL, 0.001, 1e-12, 1, "added to the variance"), \
        DH_FIELD(T, no_scale, NULL, 0, 0, 1, "leaves gamma away"),        \
        DH_FIELD(T, no_center, NULL, 0, 0, 1, "leaves beta away"),        \
        DH_FIELD(T, name, NULL, 0, 0, 0, "name of the layer")

static const dh_field group_norm_fields[] = {DH_FIELD(dh_group_normalization_args, groups, NULL, 32,
                                                      1, 1 << 30, "channels are dealt to so many"),
                                             NORM_FIELDS(dh_group_normalization_args),
                                             {0}};
static const dh_field instance_norm_fields[] = {NORM_FIELDS(dh_instance_normalization_args), {0}};
DH_LAYER(group_normalization, "GroupNormalization", "GroupNormalization",
         dh_group_normalization_args, group_norm_fields, group_norm_emit)
DH_LAYER(instance_normalization, "GroupNormalization of groups -1", NULL,
         dh_instance_normalization_args, instance_norm_fields, instance_norm_emit)
