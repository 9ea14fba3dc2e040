/* SPDX-License-Identifier: MIT */
/* Layers with several inputs. */
#include <string.h>

#include "layer_defs.h"

/* Folds the inputs from the left with a binary op. */
static dh_value fold(dh__build *b, int op, int in_count, const dh_value *in)
{
    dh_value y = in[0];
    for (int i = 1; i < in_count; i++) y = dh_emit2(&b->graph->emitter, op, NULL, y, in[i]);
    return y;
}

static const dh_field merge_fields[] = {
    DH_FIELD(dh_merge_args, name, NULL, 0, 0, 0, "name of the layer"), {0}};

/* Counts the inputs of a list ended by NULL; the net of the first one through net. -1 where a layer
 * follows the NULL: a constructor that failed, most likely. */
static int inputs_of(dh_layer *const *inputs, dh__net **net, const char *kind)
{
    int n = 0;
    while (n < DH_MAX_LAYER_INPUTS && inputs[n]) n++;
    *net = n ? inputs[0]->net : NULL;
    for (int i = n + 1; i < DH_MAX_LAYER_INPUTS; i++) {
        if (!inputs[i]) continue;
        dh__net_failed(inputs[i]->net,
                       dh_fail(DH_EINVAL, "%s: inputs[%d] is NULL, inputs[%d] is not", kind, n, i));
        return -1;
    }
    return n;
}

static dh_layer *merge(const dh_merge_args *args, const dh__layer_def *def)
{
    dh_merge_args a;
    dh__net *net;
    int most = def->in_max;
    if (dh__args(&a, sizeof a, args, def->kind)) return NULL;
    int n = inputs_of(a.inputs, &net, def->kind);
    if (n < 0) return NULL;
    if (n < 2 || n > most) {
        dh_status s = dh_fail(DH_EINVAL, "%s: inputs holds %d before its NULL, takes %s%d",
                              def->kind, n, most > 2 ? "2 to " : "", most);
        if (a.name) dh_error_prefix("%s \"%s\"", def->kind, a.name);
        return dh__net_failed(net, s);
    }
    return dh__layer_new(net, def, &a, n, a.inputs);
}

#define MERGE(id, keras_, eddl_, most, body)                                                    \
    static dh_value id##_emit(dh__build *b, const void *args, int in_count, const dh_value *in) \
    {                                                                                           \
        DH_UNUSED(args);                                                                        \
        return body;                                                                            \
    }                                                                                           \
    const dh__layer_def dh__layer_##id = {.kind = #id,                                          \
                                          .keras = keras_,                                      \
                                          .eddl = eddl_,                                        \
                                          .args_size = sizeof(dh_merge_args),                   \
                                          .fields = merge_fields,                               \
                                          .in_min = 2,                                          \
                                          .in_max = most,                                       \
                                          .emit = id##_emit};                                   \
    dh_layer *(dh_##id)(const dh_merge_args *args)                                              \
    {                                                                                           \
        return merge(args, &dh__layer_##id);                                                    \
    }

MERGE(add, "Add", "Add, Sum", DH_MAX_LAYER_INPUTS, fold(b, DH_OP_ADD, in_count, in))
MERGE(subtract, "Subtract", "Sub, Subtract, Diff", 2, fold(b, DH_OP_SUB, in_count, in))
MERGE(multiply, "Multiply", "Mult", DH_MAX_LAYER_INPUTS, fold(b, DH_OP_MUL, in_count, in))
MERGE(maximum, "Maximum", "Maximum", DH_MAX_LAYER_INPUTS, fold(b, DH_OP_MAXIMUM, in_count, in))
MERGE(minimum, "Minimum", "Minimum", DH_MAX_LAYER_INPUTS, fold(b, DH_OP_MINIMUM, in_count, in))
MERGE(average, "Average", "Average", DH_MAX_LAYER_INPUTS,
      dh__emit_scale(b->graph, fold(b, DH_OP_ADD, in_count, in), 1.0 / in_count, 0))

/* The batch comes first in both, and is no axis of the product. */
static dh_value product(dh__build *b, const dh_value *in)
{
    const dh_view *x = dh__graph_view(b->graph, in[0]), *y = dh__graph_view(b->graph, in[1]);
    char tx[DH_SHAPE_TEXT], ty[DH_SHAPE_TEXT];
    if (x->ndim < 3 || y->ndim < 3)
        return dh__emit_fail(b->graph, dh_fail(DH_ESHAPE,
                                               "a is %s, b is %s: both need [N, ..., rows, "
                                               "columns]",
                                               dh__shape_text(tx, sizeof tx, x->ndim, x->shape),
                                               dh__shape_text(ty, sizeof ty, y->ndim, y->shape)));
    return dh_emit2(&b->graph->emitter, DH_OP_MATMUL, NULL, in[0], in[1]);
}

static dh_value dot(dh__build *b, const dh_value *in)
{
    const dh_view *x = dh__graph_view(b->graph, in[0]), *y = dh__graph_view(b->graph, in[1]);
    char tx[DH_SHAPE_TEXT], ty[DH_SHAPE_TEXT];
    dh_reduce_attr last = {.axes = {1, {-1}}, .keepdims = true};
    if (x->ndim < 2 || !dh__same_shape(x, y))
        return dh__emit_fail(b->graph,
                             dh_fail(DH_ESHAPE, "a is %s, b is %s: both need one shape [N, ..., k]",
                                     dh__shape_text(tx, sizeof tx, x->ndim, x->shape),
                                     dh__shape_text(ty, sizeof ty, y->ndim, y->shape)));
    dh_value terms = dh_emit2(&b->graph->emitter, DH_OP_MUL, NULL, in[0], in[1]);
    return dh_emit1(&b->graph->emitter, DH_OP_SUM, &last, terms);
}

MERGE(matmul, "ops.matmul", "MatMul", 2, (DH_UNUSED(in_count), product(b, in)))
MERGE(dot, "Dot", NULL, 2, (DH_UNUSED(in_count), dot(b, in)))

static dh_value concat_emit(dh__build *b, const void *args, int in_count, const dh_value *in)
{
    const dh_concat_args *a = args;
    dh_value y[DH_OP_MAX_OUT];
    dh_axis_attr attr = {a->axis ? a->axis : -1};
    return dh_emit(&b->graph->emitter, DH_OP_CONCAT, &attr, in_count, in, y) ? DH_NO_VALUE : y[0];
}

static const dh_field concat_fields[] = {
    DH_FIELD(dh_concat_args, axis, NULL, 0, -DH_MAX_NDIM, DH_MAX_NDIM - 1,
             "joined axis; 0: the last"),
    DH_FIELD(dh_concat_args, name, NULL, 0, 0, 0, "name of the layer"),
    {0}};

const dh__layer_def dh__layer_concat = {.kind = "concat",
                                        .keras = "Concatenate",
                                        .eddl = "Concat",
                                        .args_size = sizeof(dh_concat_args),
                                        .fields = concat_fields,
                                        .in_min = 1,
                                        .in_max = DH_MAX_LAYER_INPUTS,
                                        .emit = concat_emit};

dh_layer *(dh_concat)(const dh_concat_args *args)
{
    dh_concat_args a;
    dh__net *net;
    if (dh__args(&a, sizeof a, args, "concat")) return NULL;
    int n = inputs_of(a.inputs, &net, "concat");
    if (n < 0) return NULL;
    if (n < 1) {
        dh_fail(DH_EINVAL, "concat: inputs begins with NULL");
        return NULL;
    }
    return dh__layer_new(net, &dh__layer_concat, &a, n, a.inputs);
}
