/* SPDX-License-Identifier: MIT */
/* Activations by name, and their layers. */
#include <string.h>

#include "layer_defs.h"

static const struct row {
    const char *name;
    int op;
    double alpha; /* default; < 0: takes none */
    int axis;     /* 1: takes an axis */
} rows[] = {
    {"linear", DH_OP_AFFINE, 1, 0},
    {"relu", DH_OP_RELU, -1, 0},
    {"relu6", DH_OP_RELU6, -1, 0},
    {"leaky_relu", DH_OP_LEAKY_RELU, 0.01, 0},
    {"thresholded_relu", DH_OP_THRESHOLDED_RELU, 1, 0},
    {"elu", DH_OP_ELU, 1, 0},
    {"selu", DH_OP_SELU, -1, 0},
    {"exp", DH_OP_EXP, -1, 0},
    {"exponential", DH_OP_EXP, -1, 0},
    {"softplus", DH_OP_SOFTPLUS, -1, 0},
    {"softsign", DH_OP_SOFTSIGN, -1, 0},
    {"sigmoid", DH_OP_SIGMOID, -1, 0},
    {"hard_sigmoid", DH_OP_HARD_SIGMOID, -1, 0},
    {"tanh", DH_OP_TANH, -1, 0},
    {"gelu", DH_OP_GELU, -1, 0},
    {"silu", DH_OP_SILU, -1, 0},
    {"swish", DH_OP_SILU, -1, 0},
    {"mish", DH_OP_MISH, -1, 0},
    {"softmax", DH_OP_SOFTMAX, -1, 1},
    {"log_softmax", DH_OP_LOG_SOFTMAX, -1, 1},
};

static const char *name_at(int i, const void *payload)
{
    DH_UNUSED(payload);
    return i < (int)DH_COUNT(rows) ? rows[i].name : NULL;
}

static const struct row *find(const char *name)
{
    for (size_t i = 0; i < DH_COUNT(rows); i++)
        if (!strcmp(rows[i].name, name)) return &rows[i];
    return NULL;
}

dh_value dh__activate(dh__graph *graph, const char *name, double alpha, int axis, dh_value x,
                      const char *who)
{
    if (!name || !*name || !strcmp(name, "none")) return x;
    const struct row *row = find(name);
    char hint[160];
    if (!row)
        return dh__emit_fail(graph, dh_fail(DH_ENAME, "%s: no activation \"%s\"%s", who, name,
                                            dh__suggest(hint, sizeof hint, name, name_at, NULL)));
    if (!dh__absent(alpha) && row->alpha < 0)
        return dh__emit_fail(
            graph,
            dh_fail(DH_EINVAL, "%s: alpha is %g, activation \"%s\" has none", who, alpha, name));
    if (axis != 0 && !row->axis)
        return dh__emit_fail(graph, dh_fail(DH_EINVAL, "%s: axis is %d, activation \"%s\" has none",
                                            who, axis, name));
    double a = dh__absent(alpha) ? row->alpha : alpha;
    if (row->op == DH_OP_AFFINE && a == 1) return x;
    dh_affine_attr affine = {a, 0};
    dh_axis_attr over = {axis ? axis : -1};
    if (row->axis && dh__feature_axis(&over.axis, over.axis, graph, x, who)) return DH_NO_VALUE;
    dh_act_attr slope = {a};
    const void *attr = row->op == DH_OP_AFFINE ? (const void *)&affine
                       : row->axis             ? (const void *)&over
                       : row->alpha >= 0       ? (const void *)&slope
                                               : NULL;
    return dh_emit1(&graph->emitter, row->op, attr, x);
}

/* --- layers --- */

/* The layers of one function are called after it, and keep no name of it among their arguments. */
static dh_value activation_emit(dh__build *b, const void *args, int in_count, const dh_value *in)
{
    const dh_activation_args *a = args;
    const char *kind = b->layer->def->kind;
    DH_UNUSED(in_count);
    return dh__activate(b->graph, a->activation ? a->activation : kind, (double)a->alpha, a->axis,
                        in[0], kind);
}

#define NAME_OF_FUNCTION \
    DH_FIELD(dh_activation_args, activation, NULL, 1, 0, 0, "name of the function")
#define ALPHA \
    DH_FIELD(dh_activation_args, alpha, NULL, 0, -1e6, 1e6, "slope or threshold, 0: its default")
#define AXIS                                                                   \
    DH_FIELD(dh_activation_args, axis, NULL, 0, -DH_MAX_NDIM, DH_MAX_NDIM - 1, \
             "softmax's axis, 0: the last")
static const dh_field activation_fields[] = {
    NAME_OF_FUNCTION, ALPHA, AXIS, DH_NAME_FIELD(dh_activation_args), {0}};
static const dh_field alpha_fields[] = {ALPHA, DH_NAME_FIELD(dh_activation_args), {0}};
static const dh_field axis_fields[] = {AXIS, DH_NAME_FIELD(dh_activation_args), {0}};
static const dh_field plain_fields[] = {DH_NAME_FIELD(dh_activation_args), {0}};

/* One definition a name, so that layers are called after what they do: relu1, softmax1. */
#define ACTIVATION_DEF(id, keras_, eddl_, fields_)                                 \
    const dh__layer_def dh__layer_##id = {.kind = #id,                             \
                                          .keras = keras_,                         \
                                          .eddl = eddl_,                           \
                                          .args_size = sizeof(dh_activation_args), \
                                          .fields = fields_,                       \
                                          .in_min = 1,                             \
                                          .in_max = 1,                             \
                                          .emit = activation_emit};

#define ACTIVATION(id, keras_, eddl_, fields_)   \
    ACTIVATION_DEF(id, keras_, eddl_, fields_)   \
    dh_layer *(dh_##id)(const dh_act_args *args) \
    {                                            \
        return named(args, &dh__layer_##id);     \
    }

static dh_layer *make(const dh_activation_args *a, const dh__layer_def *def)
{
    if (!a->x) {
        dh_fail(DH_EINVAL, "%s: x is NULL", def->kind);
        return NULL;
    }
    return dh__layer_new(a->x->net, def, a, 1, &a->x);
}

static dh_layer *named(const dh_act_args *args, const dh__layer_def *def)
{
    dh_act_args a;
    if (dh__args(&a, sizeof a, args, def->kind)) return NULL;
    dh_activation_args full = {
        .struct_size = sizeof full, .x = a.x, .alpha = a.alpha, .axis = a.axis, .name = a.name};
    return make(&full, def);
}

ACTIVATION_DEF(activation, "Activation", "Activation", activation_fields)

dh_layer *(dh_activation)(const dh_activation_args *args)
{
    dh_activation_args a;
    if (dh__args(&a, sizeof a, args, "activation")) return NULL;
    if (a.x && !a.activation)
        return dh__net_failed(a.x->net, dh_fail(DH_EINVAL, "activation: activation is NULL"));
    return make(&a, &dh__layer_activation);
}

ACTIVATION(linear, "activations.linear", "Linear", alpha_fields)
ACTIVATION(relu, "ReLU", "ReLu", plain_fields)
ACTIVATION(relu6, "ReLU(max_value=6)", "ReLu6", plain_fields)
ACTIVATION(leaky_relu, "LeakyReLU", "LeakyReLu", alpha_fields)
ACTIVATION(thresholded_relu, "ThresholdedReLU (Keras 2)", "ThresholdedReLu", alpha_fields)
ACTIVATION(elu, "ELU", "Elu", alpha_fields)
ACTIVATION(selu, "activations.selu", "Selu", plain_fields)
ACTIVATION(exponential, "activations.exponential", "Exponential", plain_fields)
ACTIVATION(softplus, "activations.softplus", "Softplus", plain_fields)
ACTIVATION(softsign, "activations.softsign", "Softsign", plain_fields)
ACTIVATION(sigmoid, "activations.sigmoid", "Sigmoid", plain_fields)
ACTIVATION(hard_sigmoid, "activations.hard_sigmoid (Keras 2)", "HardSigmoid", plain_fields)
ACTIVATION(tanh, "activations.tanh", "Tanh", plain_fields)
ACTIVATION(gelu, "activations.gelu", NULL, plain_fields)
ACTIVATION(silu, "activations.silu", NULL, plain_fields)
ACTIVATION(softmax, "Softmax", "Softmax", axis_fields)
