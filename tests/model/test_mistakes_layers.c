/* SPDX-License-Identifier: MIT */
/* One deliberate mistake, or more, in each constructor of layers. */
#include "model_mistakes.h"

static void null_inputs(void **state)
{
    (void)state;
    NOWHERE(dh_dense(NULL, 3), "dense: x is NULL");
    NOWHERE(dh_flatten(NULL), "flatten: x is NULL");
    NOWHERE(dh_reshape(NULL, {3}), "reshape: x is NULL");
    NOWHERE(dh_add({NULL}), "add: inputs holds 0 before its NULL, takes 2 to 16");
    NOWHERE(dh_subtract({NULL}), "subtract: inputs holds 0 before its NULL, takes 2");
    NOWHERE(dh_multiply({NULL}), "multiply: inputs holds 0 before its NULL, takes 2 to 16");
    NOWHERE(dh_maximum({NULL}), "maximum: inputs holds 0 before its NULL, takes 2 to 16");
    NOWHERE(dh_minimum({NULL}), "minimum: inputs holds 0 before its NULL, takes 2 to 16");
    NOWHERE(dh_average({NULL}), "average: inputs holds 0 before its NULL, takes 2 to 16");
    NOWHERE(dh_concat({NULL}), "concat: inputs begins with NULL");
    NOWHERE(dh_dropout(NULL, 0.5f), "dropout: x is NULL");
    NOWHERE(dh_batch_normalization(NULL), "batch_normalization: x is NULL");
    NOWHERE(dh_layer_normalization(NULL), "layer_normalization: x is NULL");
    NOWHERE(dh_operation("relu", {NULL}), "operation: inputs begins with NULL");
    NOWHERE(dh_constant(NULL, 1), "constant: x is NULL");
    NOWHERE(dh_apply(NULL, NULL), "apply: layer is NULL");
    NOWHERE(dh_activation(NULL, "relu"), "activation: x is NULL");
    NOWHERE(dh_linear(NULL), "linear: x is NULL");
    NOWHERE(dh_relu(NULL), "relu: x is NULL");
    NOWHERE(dh_relu6(NULL), "relu6: x is NULL");
    NOWHERE(dh_leaky_relu(NULL), "leaky_relu: x is NULL");
    NOWHERE(dh_thresholded_relu(NULL), "thresholded_relu: x is NULL");
    NOWHERE(dh_elu(NULL), "elu: x is NULL");
    NOWHERE(dh_selu(NULL), "selu: x is NULL");
    NOWHERE(dh_exponential(NULL), "exponential: x is NULL");
    NOWHERE(dh_softplus(NULL), "softplus: x is NULL");
    NOWHERE(dh_softsign(NULL), "softsign: x is NULL");
    NOWHERE(dh_sigmoid(NULL), "sigmoid: x is NULL");
    NOWHERE(dh_hard_sigmoid(NULL), "hard_sigmoid: x is NULL");
    NOWHERE(dh_tanh(NULL), "tanh: x is NULL");
    NOWHERE(dh_gelu(NULL), "gelu: x is NULL");
    NOWHERE(dh_silu(NULL), "silu: x is NULL");
    NOWHERE(dh_softmax(NULL), "softmax: x is NULL");
    NOWHERE(dh_input(NULL, {3}), "input: model is NULL");
    NOWHERE(dh_model_layer(NULL, "in"), "model_layer: model is NULL");
    none_wrong();
}

static void layers(void **state)
{
    (void)state;
    LAYER(dh_input(p.net, {0, 4}),
          "input \"input3\": shape[0] is 0; takes up to 7 axes of at least 1");
    LAYER(dh_input(p.net, {3, -1}, .name = "x"),
          "input \"x\": shape[1] is -1; takes up to 7 axes of at least 1");
    LAYER(dh_input(p.net, {1, 1, 1, 1, 1, 1, 1, 1}),
          "input \"input3\": shape[7] is 1; takes up to 7 axes of at least 1");
    LAYER(dh_input(p.net, {3}, .name = "in"), "input: the model has a layer named \"in\" already");
    LAYER(dh_input(p.net, {3}, .dtype = (dh_dtype)99), "input: dtype is 99, must be in [1, 13]");
    LAYER(
        dh_input(p.net, {INT64_MAX / 2, 8}),
        "input \"input3\": graph: a tensor [N, 4611686018427387903, 8] f32 does not fit in memory");
    LAYER(dh_dense(p.in, 0), "dense \"dense1\": units is 0, must be in [1, 1073741824]");
    LAYER(dh_dense(p.in, -3, .name = "last"),
          "dense \"last\": units is -3, must be in [1, 1073741824]");
    LAYER(dh_dense(p.in, 3, .name = "a/b"),
          "dense: name \"a/b\" must be shorter than 64 bytes and without '/', '\"' and newlines");
    LAYER(dh_dense(p.in, 3, .activation = "rleu"),
          "dense \"dense1\": dense: no activation \"rleu\", did you mean \"relu\", \"relu6\" or "
          "\"elu\"?");
    LAYER(dh_dense(p.in, 3, .activation = "relu", .alpha = 2),
          "dense \"dense1\": dense: alpha is 2, activation \"relu\" has none");
    LAYER(dh_dense(p.in, 3, .weight_init = {.name = "glorot"}),
          "dense \"dense1\": parameter \"dense1/weight\": no initializer \"glorot\", did you mean "
          "\"glorot_uniform\" or \"glorot_normal\"?");
    LAYER(dh_dense(p.in, 3, .weight_init = {.name = "random_uniform", .a = 1, .b = -1}),
          "dense \"dense1\": parameter \"dense1/weight\": random_uniform from 1 to -1, the first "
          "must not be larger");
    LAYER(dh_dense(p.in, 3, .weight_init = {.name = "random_normal", .b = -1}),
          "dense \"dense1\": parameter \"dense1/weight\": random_normal of deviation -1, must be "
          "at least 0");
    LAYER(dh_dense(p.in, 3, .weight_init = {.name = "constant", .a = NAN}),
          "dense \"dense1\": weight_init.a is nan, must be a number");
    LAYER(
        dh_dense(p.in, 3, .weight_init = {.name = "constant", .a = INFINITY}),
        "dense \"dense1\": parameter \"dense1/weight\": initializer numbers inf, 0 must be finite");
    LAYER(dh_dense(p.in, 3, .weight_init = {.name = "constant", .a = -1e300}),
          "dense \"dense1\": parameter \"dense1/weight\": constant by -1e+300, 0: weights of up to "
          "1e+300, f32 holds at most 3.40282e+38");
    LAYER(
        dh_dense(p.in, 3, .weight_init = {.name = "random_uniform", .a = -1.7e308, .b = 1}),
        "dense \"dense1\": parameter \"dense1/weight\": random_uniform by -1.7e+308, 1: weights of "
        "up to 1.7e+308, f32 holds at most 3.40282e+38");
    LAYER(dh_dense(p.in, 3, .weight_init = {.name = "random_normal", .b = 1e38}),
          "dense \"dense1\": parameter \"dense1/weight\": random_normal by 0, 1e+38: weights of up "
          "to "
          "8e+38, f32 holds at most 3.40282e+38");
    LAYER(dh_dense(
              p.in, 3,
              .weight_init = {.name = "variance_scaling", .a = 1.2e308, .distribution = "uniform"}),
          "dense \"dense1\": parameter \"dense1/weight\": variance_scaling by 1.2e+308, 0: weights "
          "of up to inf, f32 holds at most 3.40282e+38");
    LAYER(dh_dense(p.in, 3, .weight_reg = {.l1 = -1}),
          "dense \"dense1\": weight_reg.l1 is -1, must be in [0, 1000000]");
    LAYER(dh_dense(p.in, 3, .bias_reg = {.l2 = NAN}),
          "dense \"dense1\": bias_reg.l2 is nan, must be in [0, 1000000]");
    LAYER(dh_reshape(p.in, {3}),
          "reshape \"reshape1\": reshape: x has 4 elements a sample, shape [3] has 3");
    LAYER(dh_reshape(p.image, {-1, -1}),
          "reshape \"reshape1\": reshape: shape[0] and shape[1] are -1, one may be");
    LAYER(dh_reshape(p.image, {5, -1}),
          "reshape \"reshape1\": reshape: x has 12 elements a sample, shape [5, -1] has 5");
    LAYER(dh_reshape(p.image, {-2, 6}),
          "reshape \"reshape1\": reshape: shape[0] is -2, must be -1 or at least 1");
    LAYER(dh_concat({p.in, NULL, p.in}), "concat: inputs[1] is NULL, inputs[2] is not");
    LAYER(dh_reshape(p.image, {6, 0, 2}),
          "reshape \"reshape1\": reshape: shape[1] is 0, shape[2] is 2");
    LAYER(dh_add({p.in}), "add: inputs holds 1 before its NULL, takes 2 to 16");
    LAYER(dh_add({p.in, p.image}),
          "add \"add1\": add: shapes [N, 4] and [N, 2, 6] do not broadcast");
    LAYER(dh_add({p.in, p.foreign}),
          "add \"add1\": input 1, \"foreign\", belongs to another model");
    LAYER(dh_subtract({p.in, p.in, p.in}), "subtract: inputs holds 3 before its NULL, takes 2");
    LAYER(dh_multiply({p.in, p.image}, .name = "times"),
          "multiply \"times\": mul: shapes [N, 4] and [N, 2, 6] do not broadcast");
    LAYER(dh_maximum({p.in, p.image}),
          "maximum \"maximum1\": maximum: shapes [N, 4] and [N, 2, 6] do not broadcast");
    LAYER(dh_minimum({p.in, p.image}),
          "minimum \"minimum1\": minimum: shapes [N, 4] and [N, 2, 6] do not broadcast");
    LAYER(dh_average({p.in}, .name = "mean"),
          "average \"mean\": average: inputs holds 1 before its NULL, takes 2 to 16");
    LAYER(dh_concat({p.in, p.image}), "concat \"concat1\": concat: x[1] is [N, 2, 6], x[0] is "
                                      "[N, 4]: they may differ in axis 1 only");
    LAYER(dh_concat({p.in, p.in}, .axis = 2),
          "concat \"concat1\": concat: axis is 2, the tensor has 2 axes");
    LAYER(dh_dropout(p.in, 1.0f), "dropout \"dropout1\": rate is 1, must be in [0, 0.999999]");
    LAYER(dh_dropout(p.in, NAN), "dropout \"dropout1\": rate is nan, must be in [0, 0.999999]");
    LAYER(dh_batch_normalization(p.in, .momentum = 2),
          "batch_normalization \"batch_normalization1\": momentum is 2, must be in [0, 1]");
    LAYER(dh_batch_normalization(p.in, .axis = -2),
          "batch_normalization \"batch_normalization1\": batch_normalization: axis -2 of x [N, 4] "
          "is the batch");
    LAYER(dh_batch_normalization(p.in, .axis = 3),
          "batch_normalization \"batch_normalization1\": batch_normalization: axis is 3, the "
          "tensor has 2 axes");
    LAYER(dh_layer_normalization(p.in, .axis = -2),
          "layer_normalization \"layer_normalization1\": layer_normalization: axis -2 of x [N, 4] "
          "is the batch");
    LAYER(dh_layer_normalization(p.in, .epsilon = -1),
          "layer_normalization \"layer_normalization1\": epsilon is -1, must be in [1e-12, 1]");
    LAYER(dh_softmax(p.in, .axis = -2),
          "softmax \"softmax1\": softmax: axis -2 of x [N, 4] is the batch");
    LAYER(dh_softmax(p.in, .axis = 2),
          "softmax \"softmax1\": softmax: axis is 2, the tensor has 2 axes");
    LAYER(dh_relu(p.in, .axis = 1),
          "relu \"relu1\": relu: axis is 1, activation \"relu\" has none");
    LAYER(dh_leaky_relu(p.in, .alpha = NAN),
          "leaky_relu \"leaky_relu1\": alpha is nan, must be in [-1000000, 1000000]");
    LAYER(dh_activation(p.in, NULL), "activation: activation is NULL");
    LAYER(dh_activation(p.in, "sigmoyd"), "activation \"activation1\": activation: no activation "
                                          "\"sigmoyd\", did you mean \"sigmoid\"?");
    LAYER(dh_operation("cast", {p.in}, .attr = "dtype=f23"),
          "operation \"operation1\": cast: dtype is \"f23\", which names no choice, did you mean "
          "\"f32\", \"f64\" or \"f16\"?");
    LAYER(dh_operation("cast", {p.in}),
          "operation \"operation1\": cast: attr \"dtype\" is required");
    LAYER(dh_operation("topk", {p.in}), "operation \"operation1\": topk: attr \"k\" is required");
    LAYER(dh_operation("topk", {p.in}, .attr = "k=9"),
          "operation \"operation1\": topk: k is 9, must be in [0, 4], the length of axis 1");
    LAYER(dh_operation("topk", {p.in}, .attr = "k=2", .output = 5),
          "operation \"operation1\": topk: output is 5, the op has 2");
    LAYER(dh_operation("topk", {p.in}, .attr = "k"),
          "operation \"operation1\": topk: attr \"k\" is not name=value");
    LAYER(dh_operation("topk", {p.in}, .attr = "kk=2"),
          "operation \"operation1\": topk: unknown argument \"kk\", did you mean \"k\"?");
    LAYER(dh_operation("topk", {p.in}, .attr = "k=two"),
          "operation \"operation1\": topk: k is \"two\", must be an integer");
    LAYER(dh_operation("rleu", {p.in}),
          "operation \"operation1\": no op \"rleu\", did you mean \"relu\", \"relu6\" or \"elu\"?");
    LAYER(dh_operation(NULL, {p.in}), "operation: op is NULL");
    LAYER(dh_operation("relu", {p.in}, .attr = "alpha=1"),
          "operation \"operation1\": relu: attr is \"alpha=1\", the op has none");
    LAYER(dh_operation("relu", {p.in, p.in}),
          "operation \"operation1\": relu: has 2 inputs, takes 1");
    LAYER(dh_operation("matmul", {p.in, p.in}),
          "operation \"operation1\": matmul: a [N, 4] has rows of 4, b [N, 4] has columns of N");
    LAYER(dh_operation("det", {p.in}),
          "operation \"operation1\": det: x is [N, 4], its last two axes must be equally long");
    LAYER(dh_operation("reshape", {p.in}, .attr = "shape=[8, 2]"),
          "operation \"operation1\": reshape: x [N, 4] does not fit the shape [8, 2]");
    LAYER(dh_operation("sgd", {p.in, p.in}),
          "operation \"operation1\": no op \"sgd\", did you mean \"sign\", \"sqr\" or \"sin\"?");
    LAYER(dh_constant(p.in, NAN),
          "constant \"constant1\": value is nan, must be in [-3.4e+38, 3.4e+38]");
    LAYER(dh_apply(p.foreign, p.in),
          "apply: layer \"foreign\" and x \"in\" belong to different models");
    LAYER(dh_apply(dh_add({p.in, p.in}), p.in), "apply: layer \"add1\" has 2 inputs, needs 1");
    LAYER(dh_apply(dh_dense(p.in, 3), p.image), "dense \"dense2\": parameter \"dense1/weight\": is "
                                                "[4, 3] in the store, the layer needs [6, 3]");
    none_wrong();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_inputs),
        cmocka_unit_test(layers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
