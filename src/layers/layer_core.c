/* SPDX-License-Identifier: MIT */
/* Input, flatten, reshape, dense. */
#include <string.h>

#include "layer_defs.h"

/* --- input --- */

typedef struct input_args { /* what an input layer keeps */
    size_t struct_size;
    int64_t shape[DH_MAX_NDIM]; /* without the batch axis, ended by 0 */
    dh_dtype dtype;
    const char *name;
    int ndim; /* of a target's shape, which may have axes of length 0 */
} input_args;

static dh_status count_axes(int *out, const int64_t *shape)
{
    int n = 0;
    for (int i = 0; i < DH_MAX_NDIM; i++) {
        if (!shape[i]) continue; /* the list has ended, unless more follows */
        DH_REQUIRE(shape[i] > 0 && i == n && n + 1 < DH_MAX_NDIM, DH_ESHAPE,
                   "shape[%d] is %lld; takes up to %d axes of at least 1", i < n ? i : n,
                   (long long)shape[i < n ? i : n], DH_MAX_NDIM - 1);
        n++;
    }
    *out = n;
    return DH_OK;
}

/* Only the sketch asks: in real graphs the model makes the inputs. */
static dh_value input_emit(dh__build *b, const void *args, int in_count, const dh_value *in)
{
    const input_args *a = args;
    int64_t shape[DH_MAX_NDIM] = {DH_SKETCH_ROWS};
    int n = a->ndim;
    DH_UNUSED(in_count);
    DH_UNUSED(in);
    dh_status status = n ? DH_OK : count_axes(&n, a->shape);
    if (status) return dh__emit_fail(b->graph, status);
    memcpy(shape + 1, a->shape, (size_t)n * sizeof *shape);
    return dh__graph_input(b->graph, a->dtype, n + 1, shape);
}

static const dh_field input_fields[] = {
    DH_FIELD_ARRAY(input_args, shape, NULL, -0x1p63, 0x1p63, "without the batch axis"),
    DH_FIELD_DTYPE(input_args, dtype, DH_F32, "of the numbers fed"),
    DH_NAME_FIELD(input_args),
    {0}};

const dh__layer_def dh__layer_input = {.kind = "input",
                                       .keras = "Input",
                                       .eddl = "Input",
                                       .args_size = sizeof(input_args),
                                       .fields = input_fields,
                                       .emit = input_emit};

dh_layer *dh__target_new(dh__net *net, const dh_view *like)
{
    input_args a = {.struct_size = sizeof a, .ndim = like->ndim - 1};
    memcpy(a.shape, like->shape + 1, (size_t)a.ndim * sizeof *a.shape);
    dh_layer *layer = dh__layer_new(net, &dh__layer_input, &a, 0, NULL);
    if (layer) layer->target = true;
    return layer;
}

dh_layer *(dh_input)(dh_model *model, const dh_input_args *args)
{
    dh__net *net = (dh__net *)(void *)model; /* a model begins with its net */
    dh_input_args a;
    if (!model) {
        dh_fail(DH_EINVAL, "input: model is NULL");
        return NULL;
    }
    if (net->status) return NULL;
    if (dh__args(&a, sizeof a, args, "input")) return dh__net_failed(net, dh_error_status());
    if (a.dtype && !dh_dtype_size(a.dtype)) {
        dh_status status = dh_fail(DH_EDTYPE, "input: dtype is %d, must be in [1, %d]",
                                   (int)a.dtype, DH_DTYPE_COUNT - 1);
        if (a.name) dh_error_prefix("input \"%s\"", a.name);
        return dh__net_failed(net, status);
    }
    input_args kept = {.struct_size = sizeof kept, .dtype = a.dtype, .name = a.name};
    memcpy(kept.shape, a.shape, sizeof kept.shape);
    return dh__layer_new(net, &dh__layer_input, &kept, 0, NULL);
}

/* --- flatten, reshape --- */

/* The product of the axes after the batch. */
static int64_t features(const dh_view *v)
{
    int64_t n = 1;
    for (int i = 1; i < v->ndim; i++) n *= v->shape[i];
    return n;
}

static dh_value flatten_emit(dh__build *b, const void *args, int in_count, const dh_value *in)
{
    DH_UNUSED(args);
    DH_UNUSED(in_count);
    dh_reshape_attr attr = {.shape = {2, {-1, features(dh__graph_view(b->graph, in[0]))}}};
    return dh_emit1(&b->graph->emitter, DH_OP_RESHAPE, &attr, in[0]);
}

static const dh_field flatten_fields[] = {DH_NAME_FIELD(dh_flatten_args), {0}};

const dh__layer_def dh__layer_flatten = {.kind = "flatten",
                                         .keras = "Flatten",
                                         .eddl = "Flatten",
                                         .args_size = sizeof(dh_flatten_args),
                                         .fields = flatten_fields,
                                         .in_min = 1,
                                         .in_max = 1,
                                         .emit = flatten_emit};

dh_layer *(dh_flatten)(const dh_flatten_args *args)
{
    DH_LAYER_BEGIN(dh_flatten_args, "flatten");
    return dh__layer_new(a.x->net, &dh__layer_flatten, &a, 1, &a.x);
}

static dh_value reshape_emit(dh__build *b, const void *args, int in_count, const dh_value *in)
{
    const dh_reshape_args *a = args;
    DH_UNUSED(in_count);
    int64_t total = features(dh__graph_view(b->graph, in[0])), known = 1;
    int hole = -1, n = 0;
    dh_reshape_attr attr = {.shape = {1, {-1}}};
    char text[DH_SHAPE_TEXT];
    for (; n < DH_MAX_NDIM - 1 && a->shape[n]; n++) {
        attr.shape.v[n + 1] = a->shape[n];
        if (a->shape[n] == -1 && hole >= 0)
            return dh__emit_fail(
                b->graph,
                dh_fail(DH_ESHAPE, "reshape: shape[%d] and shape[%d] are -1, one may be", hole, n));
        if (a->shape[n] == -1)
            hole = n;
        else if (a->shape[n] < 0 || !dh__mul_int64(known, a->shape[n], &known))
            return dh__emit_fail(
                b->graph, dh_fail(DH_ESHAPE, "reshape: shape[%d] is %lld, must be -1 or at least 1",
                                  n, (long long)a->shape[n]));
    }
    for (int i = n + 1; i < DH_MAX_NDIM; i++)
        if (a->shape[i])
            return dh__emit_fail(b->graph,
                                 dh_fail(DH_ESHAPE, "reshape: shape[%d] is 0, shape[%d] is %lld", n,
                                         i, (long long)a->shape[i]));
    attr.shape.count = n + 1;
    if (hole >= 0 && known > 0 && total % known == 0) attr.shape.v[hole + 1] = total / known;
    if (hole >= 0 ? total % known != 0 : total != known)
        return dh__emit_fail(
            b->graph, dh_fail(DH_ESHAPE, "reshape: x has %lld elements a sample, shape %s has %lld",
                              (long long)total, dh__shape_text(text, sizeof text, n, a->shape),
                              (long long)known));
    return dh_emit1(&b->graph->emitter, DH_OP_RESHAPE, &attr, in[0]);
}

static const dh_field reshape_fields[] = {DH_FIELD_ARRAY(dh_reshape_args, shape, NULL, -0x1p63,
                                                         0x1p63,
                                                         "without the batch axis, one may be -1"),
                                          DH_NAME_FIELD(dh_reshape_args),
                                          {0}};

const dh__layer_def dh__layer_reshape = {.kind = "reshape",
                                         .keras = "Reshape",
                                         .eddl = "Reshape",
                                         .args_size = sizeof(dh_reshape_args),
                                         .fields = reshape_fields,
                                         .in_min = 1,
                                         .in_max = 1,
                                         .emit = reshape_emit};

dh_layer *(dh_reshape)(const dh_reshape_args *args)
{
    DH_LAYER_BEGIN(dh_reshape_args, "reshape");
    return dh__layer_new(a.x->net, &dh__layer_reshape, &a, 1, &a.x);
}

/* --- dense --- */

static dh_value dense_emit(dh__build *b, const void *args, int in_count, const dh_value *in)
{
    const dh_dense_args *a = args;
    dh__graph *g = b->graph;
    const dh_view *x = dh__graph_view(g, in[0]);
    DH_UNUSED(in_count);
    if (x->ndim < 2)
        return dh__emit_fail(g,
                             dh_fail(DH_ESHAPE, "x has %d axes, needs at least [N, K]", x->ndim));
    int64_t k = x->shape[x->ndim - 1];
    dh__param weight = {.suffix = "weight",
                        .ndim = 2,
                        .shape = {k, a->units},
                        .fan_in = k,
                        .fan_out = a->units,
                        .init = a->weight_init,
                        .default_init = "glorot_uniform",
                        .reg = a->weight_reg};
    dh__param bias = {.suffix = "bias",
                      .ndim = 1,
                      .shape = {a->units},
                      .fan_in = k,
                      .fan_out = a->units,
                      .init = a->bias_init,
                      .default_init = "zeros",
                      .reg = a->bias_reg,
                      .no_decay = true};
    dh_value w = dh__declare(b, &weight);
    dh_linear_attr attr = {0};
    dh_value y = a->no_bias
                     ? dh_emit2(&g->emitter, DH_OP_LINEAR, &attr, in[0], w)
                     : dh_emit3(&g->emitter, DH_OP_LINEAR, &attr, in[0], w, dh__declare(b, &bias));
    return dh__activate(g, a->activation, (double)a->alpha, 0, y, "dense");
}

static const dh_field dense_fields[] = {
    DH_FIELD(dh_dense_args, units, NULL, 0, 1, 1 << 30, "columns of the weight"),
    DH_FIELD(dh_dense_args, activation, NULL, 0, 0, 0, "name of the activation"),
    DH_FIELD(dh_dense_args, no_bias, NULL, 0, 0, 1, "leaves the bias away"),
    DH_PARAM_FIELDS(dh_dense_args, weight),
    DH_PARAM_FIELDS(dh_dense_args, bias),
    DH_FIELD(dh_dense_args, alpha, NULL, 0, -1e6, 1e6, "the activation's alpha; 0: its default"),
    DH_NAME_FIELD(dh_dense_args),
    {0}};

const dh__layer_def dh__layer_dense = {.kind = "dense",
                                       .keras = "Dense",
                                       .eddl = "Dense",
                                       .args_size = sizeof(dh_dense_args),
                                       .fields = dense_fields,
                                       .in_min = 1,
                                       .in_max = 1,
                                       .emit = dense_emit};

dh_layer *(dh_dense)(const dh_dense_args *args)
{
    DH_LAYER_BEGIN(dh_dense_args, "dense");
    return dh__layer_new(a.x->net, &dh__layer_dense, &a, 1, &a.x);
}
