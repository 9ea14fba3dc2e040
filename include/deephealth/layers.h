/* SPDX-License-Identifier: MIT */
/* Layers. A model owns its layers; what a constructor returns is borrowed. Arguments come as in
 * Keras: positional first, then named, the rest default (zero means default). Shapes are written
 * without the batch axis in arguments and with it (as N) in comments.
 *
 * A constructor that fails writes its reason into the model and returns NULL; constructors given
 * NULL do nothing and return NULL; dh_build returns the first failure. So fifty layers need one
 * check. */
#ifndef DEEPHEALTH_LAYERS_H
#define DEEPHEALTH_LAYERS_H

#include <deephealth/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dh_model dh_model;
typedef struct dh_layer dh_layer;

#define DH_MAX_LAYER_INPUTS 16

/* How weights begin. name: zeros, ones, constant (a), random_normal (mean a, standard deviation b,
 * default 0, 0.05), random_uniform (from a to b, default -0.05, 0.05), truncated_normal (as
 * random_normal, redrawn beyond 2 b), orthogonal (gain a), identity (gain a), variance_scaling: a
 * distribution of mean 0 and variance a / fan; and its usual cases, as Keras has them:
 * glorot_uniform, glorot_normal (1 / fan_avg), he_uniform, he_normal (2 / fan_in), lecun_uniform,
 * lecun_normal (1 / fan_in), the normal ones truncated. NULL is each layer's default.
 * Numbers by which a weight could leave f32 are DH_EINVAL.
 * {.name = "variance_scaling", .a = 2, .mode = "fan_out"} */
typedef struct dh_initializer {
    const char *name;
    double a, b;
    const char *mode;         /* of variance_scaling: "fan_in" (default), "fan_out", "fan_avg" */
    const char *distribution; /* "truncated_normal" (default), "untruncated_normal", "uniform" */
} dh_initializer;

/* l1 * sum|w| + l2 * sum w^2 is added to the loss. It belongs to the parameter: models that share a
 * store give the same one, or none. */
typedef struct dh_regularizer {
    float l1, l2;
} dh_regularizer;

/* --- input and shape --- */

typedef struct dh_input_args {
    size_t struct_size;
    int64_t shape[DH_MAX_NDIM]; /* without the batch axis; ended by 0; {0}: one number a sample */
    const char *name;
    dh_dtype dtype; /* default f32 */
} dh_input_args;
/* x [N, shape...]. dh_input(net, {784}) */
DH_API dh_layer *dh_input(dh_model *model, const dh_input_args *args);

typedef struct dh_flatten_args {
    size_t struct_size;
    dh_layer *x;
    const char *name;
} dh_flatten_args;
/* [N, a, b, ...] -> [N, a * b * ...] */
DH_API dh_layer *dh_flatten(const dh_flatten_args *args);

typedef struct dh_reshape_args {
    size_t struct_size;
    dh_layer *x;
    int64_t shape[DH_MAX_NDIM]; /* without the batch axis; one may be -1; ended by 0 */
    const char *name;
} dh_reshape_args;
/* [N, ...] -> [N, shape...]. dh_reshape(x, {1, 28, 28}) */
DH_API dh_layer *dh_reshape(const dh_reshape_args *args);

/* --- dense --- */

typedef struct dh_dense_args {
    size_t struct_size;
    dh_layer *x;
    int units;
    const char *activation; /* default none */
    bool no_bias;
    dh_initializer weight_init, bias_init; /* default glorot_uniform, zeros */
    dh_regularizer weight_reg, bias_reg;
    const char *name;
    float alpha; /* of the activation, where it has one; 0 is its default */
} dh_dense_args;
/* y = act(x weight + bias); x [N, ..., K], weight [K, units], bias [units], y [N, ..., units].
 * Parameters "weight", "bias". Initial weights: Glorot and Bengio 2010. */
DH_API dh_layer *dh_dense(const dh_dense_args *args);

/* --- activations --- */

typedef struct dh_activation_args {
    size_t struct_size;
    dh_layer *x;
    const char *activation;
    float alpha; /* 0: the activation's default */
    int axis;    /* softmax, log_softmax: 0 means the last axis (axis 0 is the batch) */
    const char *name;
} dh_activation_args;
/* y = f(x), any shape. Names: linear (alpha x), relu, relu6, leaky_relu (alpha 0.01),
 * thresholded_relu (alpha 1), elu (alpha 1), selu, exp, softplus, softsign, sigmoid, hard_sigmoid
 * (clip(x / 5 + 1 / 2, 0, 1)), tanh, gelu (exact), silu (swish), mish, softmax, log_softmax. */
DH_API dh_layer *dh_activation(const dh_activation_args *args);

/* The same by name: dh_relu(x), dh_leaky_relu(x, .alpha = 0.2f), dh_softmax(x). */
typedef struct dh_act_args {
    size_t struct_size;
    dh_layer *x;
    float alpha;
    int axis;
    const char *name;
} dh_act_args;
/* y = f(x) as in dh_activation; the layer is called after its function: relu1, softmax1. */
DH_API dh_layer *dh_linear(const dh_act_args *args);
DH_API dh_layer *dh_relu(const dh_act_args *args);
DH_API dh_layer *dh_relu6(const dh_act_args *args);
DH_API dh_layer *dh_leaky_relu(const dh_act_args *args);
DH_API dh_layer *dh_thresholded_relu(const dh_act_args *args);
DH_API dh_layer *dh_elu(const dh_act_args *args);
DH_API dh_layer *dh_selu(const dh_act_args *args);
DH_API dh_layer *dh_exponential(const dh_act_args *args);
DH_API dh_layer *dh_softplus(const dh_act_args *args);
DH_API dh_layer *dh_softsign(const dh_act_args *args);
DH_API dh_layer *dh_sigmoid(const dh_act_args *args);
DH_API dh_layer *dh_hard_sigmoid(const dh_act_args *args);
DH_API dh_layer *dh_tanh(const dh_act_args *args);
DH_API dh_layer *dh_gelu(const dh_act_args *args);
DH_API dh_layer *dh_silu(const dh_act_args *args);
DH_API dh_layer *dh_softmax(const dh_act_args *args);

/* --- merging --- */

typedef struct dh_merge_args {
    size_t struct_size;
    dh_layer *inputs[DH_MAX_LAYER_INPUTS]; /* ended by NULL, at least two */
    const char *name;
} dh_merge_args;
/* Elementwise over inputs of one shape (or broadcastable): dh_add({a, b, c}); subtract takes two.
 */
DH_API dh_layer *dh_add(const dh_merge_args *args);
DH_API dh_layer *dh_subtract(const dh_merge_args *args);
DH_API dh_layer *dh_multiply(const dh_merge_args *args);
DH_API dh_layer *dh_maximum(const dh_merge_args *args);
DH_API dh_layer *dh_minimum(const dh_merge_args *args);
DH_API dh_layer *dh_average(const dh_merge_args *args);

typedef struct dh_concat_args {
    size_t struct_size;
    dh_layer *inputs[DH_MAX_LAYER_INPUTS];
    int axis; /* counted with the batch as axis 0; 0 means the last axis */
    const char *name;
} dh_concat_args;
/* Joins inputs that agree in all other axes. */
DH_API dh_layer *dh_concat(const dh_concat_args *args);

/* --- regularising and normalising --- */

typedef struct dh_dropout_args {
    size_t struct_size;
    dh_layer *x;
    float rate; /* in [0, 1): the share of elements set to 0 */
    const char *name;
} dh_dropout_args;
/* Inverted dropout: in training y = x * keep / (1 - rate), else y = x (Srivastava et al. 2014). */
DH_API dh_layer *dh_dropout(const dh_dropout_args *args);

typedef struct dh_batch_normalization_args {
    size_t struct_size;
    dh_layer *x;
    float momentum; /* default 0.99: running = momentum * running + (1 - momentum) * batch */
    float epsilon;  /* default 0.001 */
    bool no_scale, no_center;
    int axis; /* of the channels, counted with the batch; 0 means 1 (or the last axis of [N, C]) */
    const char *name;
    bool synchronized; /* replicas that share a batch (lsb 1) take the statistics of all of it */
} dh_batch_normalization_args;
/* y = gamma (x - mean) / sqrt(var + epsilon) + beta per channel; training uses the batch's mean and
 * (biased) variance, inference the running ones, which begin at 0 and 1. Parameters "gamma", "beta"
 * [C], states "running_mean", "running_var" [C]. Ioffe and Szegedy 2015. */
DH_API dh_layer *dh_batch_normalization(const dh_batch_normalization_args *args);

typedef struct dh_layer_normalization_args {
    size_t struct_size;
    dh_layer *x;
    float epsilon; /* default 1e-5 */
    bool no_affine;
    int axis; /* first normalised axis, counted with the batch; 0 means the last axis alone */
    const char *name;
} dh_layer_normalization_args;
/* y = gamma (x - mean) / sqrt(var + epsilon) + beta over the axes from axis on, each sample by
 * itself. Ba, Kiros and Hinton 2016. */
DH_API dh_layer *dh_layer_normalization(const dh_layer_normalization_args *args);

/* --- any op, and the same layer again --- */

typedef struct dh_operation_args {
    size_t struct_size;
    const char *op;                        /* a name of the op table: "sub", "sqr", "mean", ... */
    dh_layer *inputs[DH_MAX_LAYER_INPUTS]; /* ended by NULL */
    const char *attr;                      /* "axes=1, keepdims=true"; NULL: defaults */
    const char *name;
    int output; /* which output of an op that has several, from 0 */
} dh_operation_args;
/* An op of the table as a layer: what losses, metrics and layers of your own are composed of.
 * dh_operation("mean", {dh_operation("sqr", {dh_operation("sub", {a, b})})}, .attr = "axes=1"). The
 * list of ops with their attributes is docs/ops.md. */
DH_API dh_layer *dh_operation(const dh_operation_args *args);

/* A constant of rank 0, f32, in the model of x. */
DH_API dh_layer *dh_constant(dh_layer *x, double value);

/* The layer again on another input: same parameters. */
DH_API dh_layer *dh_apply(dh_layer *layer, dh_layer *x);

/* --- what a layer is --- */

DH_API const char *dh_layer_name(const dh_layer *layer); /* "dense1"; borrowed; NULL for NULL */
DH_API const char *dh_layer_kind(const dh_layer *layer); /* "dense"; borrowed */
DH_API int dh_layer_ndim(const dh_layer *layer);         /* with the batch axis */
/* Length of an axis of the output; axis 0 is the batch and gives -1, as does an axis there is not.
 */
DH_API int64_t dh_layer_dim(const dh_layer *layer, int axis);

/* --- macros: Keras-like calls in C --- */
#ifndef __cplusplus
#define DH_ARGS(type, ...) (&(type){.struct_size = sizeof(type), __VA_ARGS__})
#define dh_input(model, ...) \
    dh_input(model, &(dh_input_args){.struct_size = sizeof(dh_input_args), .shape = __VA_ARGS__})
#define dh_flatten(...)          dh_flatten(DH_ARGS(dh_flatten_args, __VA_ARGS__))
#define dh_reshape(...)          dh_reshape(DH_ARGS(dh_reshape_args, __VA_ARGS__))
#define dh_dense(...)            dh_dense(DH_ARGS(dh_dense_args, __VA_ARGS__))
#define dh_activation(...)       dh_activation(DH_ARGS(dh_activation_args, __VA_ARGS__))
#define dh_linear(...)           dh_linear(DH_ARGS(dh_act_args, __VA_ARGS__))
#define dh_relu(...)             dh_relu(DH_ARGS(dh_act_args, __VA_ARGS__))
#define dh_relu6(...)            dh_relu6(DH_ARGS(dh_act_args, __VA_ARGS__))
#define dh_leaky_relu(...)       dh_leaky_relu(DH_ARGS(dh_act_args, __VA_ARGS__))
#define dh_thresholded_relu(...) dh_thresholded_relu(DH_ARGS(dh_act_args, __VA_ARGS__))
#define dh_elu(...)              dh_elu(DH_ARGS(dh_act_args, __VA_ARGS__))
#define dh_selu(...)             dh_selu(DH_ARGS(dh_act_args, __VA_ARGS__))
#define dh_exponential(...)      dh_exponential(DH_ARGS(dh_act_args, __VA_ARGS__))
#define dh_softplus(...)         dh_softplus(DH_ARGS(dh_act_args, __VA_ARGS__))
#define dh_softsign(...)         dh_softsign(DH_ARGS(dh_act_args, __VA_ARGS__))
#define dh_sigmoid(...)          dh_sigmoid(DH_ARGS(dh_act_args, __VA_ARGS__))
#define dh_hard_sigmoid(...)     dh_hard_sigmoid(DH_ARGS(dh_act_args, __VA_ARGS__))
#define dh_tanh(...)             dh_tanh(DH_ARGS(dh_act_args, __VA_ARGS__))
#define dh_gelu(...)             dh_gelu(DH_ARGS(dh_act_args, __VA_ARGS__))
#define dh_silu(...)             dh_silu(DH_ARGS(dh_act_args, __VA_ARGS__))
#define dh_softmax(...)          dh_softmax(DH_ARGS(dh_act_args, __VA_ARGS__))
#define dh_add(...)              dh_add(DH_MERGE(__VA_ARGS__))
#define dh_subtract(...)         dh_subtract(DH_MERGE(__VA_ARGS__))
#define dh_multiply(...)         dh_multiply(DH_MERGE(__VA_ARGS__))
#define dh_maximum(...)          dh_maximum(DH_MERGE(__VA_ARGS__))
#define dh_minimum(...)          dh_minimum(DH_MERGE(__VA_ARGS__))
#define dh_average(...)          dh_average(DH_MERGE(__VA_ARGS__))
#define DH_MERGE(...) \
    (&(dh_merge_args){.struct_size = sizeof(dh_merge_args), .inputs = __VA_ARGS__})
#define dh_concat(...) \
    dh_concat(&(dh_concat_args){.struct_size = sizeof(dh_concat_args), .inputs = __VA_ARGS__})
#define dh_dropout(...) dh_dropout(DH_ARGS(dh_dropout_args, __VA_ARGS__))
#define dh_batch_normalization(...) \
    dh_batch_normalization(DH_ARGS(dh_batch_normalization_args, __VA_ARGS__))
#define dh_layer_normalization(...) \
    dh_layer_normalization(DH_ARGS(dh_layer_normalization_args, __VA_ARGS__))
#define dh_operation(...) dh_operation(DH_ARGS(dh_operation_args, __VA_ARGS__))
#endif

#ifdef __cplusplus
}
#endif
#endif
