/* SPDX-License-Identifier: MIT */
/* One deliberate mistake, or more, in each public function of layers, optimisers and models: the
 * whole message. A layer's failure is kept by the model, and dh_build returns it. */
#include <unistd.h>

#include "model_test.h"

#include <deephealth/tensor_reduce.h>

typedef struct parts {
    dh_model *net, *other;
    dh_layer *in, *image, *foreign; /* [N, 4], [N, 2, 6], of another model */
} parts;

static parts make_parts(void)
{
    parts p = {.net = dh_model_new("net"), .other = dh_model_new("other")};
    p.in = dh_input(p.net, {4}, .name = "in");
    p.image = dh_input(p.net, {2, 6}, .name = "image");
    p.foreign = dh_input(p.other, {4}, .name = "foreign");
    return p;
}

static void free_parts(parts *p)
{
    dh_model_free(p->net);
    dh_model_free(p->other);
}

static int wrong;

static void compare(const char *call, const char *want)
{
    if (!strcmp(dh_error_text(), want)) return;
    print_error("%s\n  says  %s\n  wants %s\n", call, dh_error_text(), want);
    wrong++;
}

/* A constructor given NULL for its input: nothing can keep the failure but the thread. */
#define NOWHERE(call, text)   \
    do {                      \
        dh_error_clear();     \
        assert_null(call);    \
        compare(#call, text); \
    } while (0)

/* A constructor that fails; p is at hand. Nothing can be made of the model until it is freed. */
#define LAYER(call, text)                        \
    do {                                         \
        parts p = make_parts();                  \
        assert_null(call);                       \
        dh_error_clear();                        \
        assert_true(dh_build(p.net, p.in) != 0); \
        compare(#call, text);                    \
        assert_null(dh_dense(p.in, 3));          \
        free_parts(&p);                          \
    } while (0)

/* A call that returns a status. */
#define CALL(call, text)              \
    do {                              \
        dh_error_clear();             \
        assert_true((call) != DH_OK); \
        compare(#call, text);         \
    } while (0)

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
    assert_int_equal(wrong, 0);
}

static void layers(void **state)
{
    (void)state;
    LAYER(dh_input(p.net, {0, 4}), "input: shape[0] is 0; takes up to 7 axes of at least 1");
    LAYER(dh_input(p.net, {3, -1}, .name = "x"),
          "input \"x\": input: shape[1] is -1; takes up to 7 axes of at least 1");
    LAYER(dh_input(p.net, {1, 1, 1, 1, 1, 1, 1, 1}),
          "input: shape[7] is 1; takes up to 7 axes of at least 1");
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
    LAYER(dh_dense(p.in, 3, .weight_init = {"glorot", 0, 0}),
          "dense \"dense1\": parameter \"dense1/weight\": no initializer \"glorot\", did you mean "
          "\"glorot_uniform\" or \"glorot_normal\"?");
    LAYER(dh_dense(p.in, 3, .weight_init = {"random_uniform", 1, -1}),
          "dense \"dense1\": parameter \"dense1/weight\": random_uniform from 1 to -1, the first "
          "must not be larger");
    LAYER(dh_dense(p.in, 3, .weight_init = {"random_normal", 0, -1}),
          "dense \"dense1\": parameter \"dense1/weight\": random_normal of deviation -1, must be "
          "at least 0");
    LAYER(
        dh_dense(p.in, 3, .weight_init = {"constant", NAN, 0}),
        "dense \"dense1\": parameter \"dense1/weight\": initializer numbers nan, 0 must be finite");
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
          "operation \"operation1\": cast: dtype is unknown \"f23\", did you mean \"f32\", \"f64\" "
          "or \"f16\"?");
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
          "operation \"operation1\": no op \"rleu\", did you mean \"relu\", \"elu\" or \"selu\"?");
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
    assert_int_equal(wrong, 0);
}

static dh_layer *no_layer(dh_layer *target, dh_layer *prediction, void *payload)
{
    (void)target, (void)prediction, (void)payload;
    return NULL;
}

static dh_layer *turned(dh_layer *target, dh_layer *prediction, void *payload)
{
    (void)target, (void)payload;
    return dh_operation("permute", {prediction}, .attr = "axes=[1, 0]");
}

static dh_layer *misspelt(dh_layer *target, dh_layer *prediction, void *payload)
{
    (void)target, (void)payload;
    return dh_operation("squre", {prediction});
}

static dh_layer *squares(dh_layer *target, dh_layer *prediction, void *payload)
{
    (void)payload;
    return dh_operation("sqr", {dh_subtract({prediction, target})});
}

/* A loss_fn that fails leaves the model as it was. */
static void a_failed_build_can_be_tried_again(void **state)
{
    (void)state;
    parts p = make_parts();
    dh_layer *out = dh_dense(p.in, 1, .name = "out");
    dh_tensor *x, *y, *column;
    dh_result r[2];
    CALL(dh_build(p.net, out, .loss_fn = misspelt),
         "build: loss_fn: operation \"operation1\": no op \"squre\", did you mean \"sqr\" "
         "or \"sqrt\"?");
    assert_ok(dh_build(p.net, out, .loss_fn = squares, .metrics = {"binary_accuracy"}, .seed = 1));
    assert_ok(dh_tensor_random_normal(&x, {6, 4}, .seed = 2));
    assert_ok(dh_tensor_random_normal(&y, {6}, .seed = 3));
    assert_ok(dh_tensor_unsqueeze(&column, y, 1));
    assert_ok(dh_evaluate(p.net, x, y, .result = &r[0], .quiet = true));
    assert_ok(dh_evaluate(p.net, x, column, .result = &r[1], .quiet = true));
    assert_true(r[0].loss == r[1].loss && r[0].metrics[0] == r[1].metrics[0]);
    CALL(dh_evaluate(p.net, x, x, .quiet = true),
         "evaluate: target is [6, 4], the prediction is [6, 1]");
    assert_int_equal(wrong, 0);
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_tensor_free(column);
    free_parts(&p);
}

static void building(void **state)
{
    (void)state;
    parts p = make_parts();
    dh_layer *out = dh_dense(p.in, 3, .name = "out");
    dh_layer *turn = dh_operation("permute", {out}, .attr = "axes=[1, 0]", .name = "turn");
    CALL(dh_build(NULL, out), "build: model is NULL");
    CALL(dh_build(p.net, NULL), "build: output is NULL");
    CALL(dh_build(p.net, p.foreign), "build: output \"foreign\" belongs to another model");
    CALL(dh_build(p.net, turn), "build: output \"turn\" is [3, N], its axis 0 is not the batch");
    CALL(dh_build(p.net, dh_constant(p.in, 1)),
         "build: output \"constant1\" is [], its axis 0 is not the batch");
    CALL(dh_build(p.net, out, .outputs = {out}), "build: both output and outputs are given");
    CALL(dh_build(p.net, out, .inputs = {p.in, p.in}),
         "build: inputs[0] and inputs[1] are both \"in\"");
    CALL(dh_build(p.net, out, .inputs = {out}),
         "build: inputs[0] is dense \"out\", must be an input layer");
    CALL(dh_build(p.net, out, .inputs = {p.foreign}),
         "build: inputs[0], \"foreign\", belongs to another model");
    CALL(dh_build(p.net, out, .inputs = {p.image}),
         "build: input \"in\" is needed, but not among inputs");
    CALL(dh_build(p.net, out, .keep = {p.foreign}),
         "build: keep[0], \"foreign\", belongs to another model");
    CALL(dh_build(p.net, out, .loss = "msee"),
         "build: no loss \"msee\", did you mean \"mse\" or \"mae\"?");
    CALL(dh_build(p.net, out, .loss = "mse", .losses = {"mse"}),
         "build: both loss \"mse\" and losses are given");
    CALL(dh_build(p.net, out, .loss = "mse", .loss_fn = no_layer),
         "build: both loss \"mse\" and loss_fn are given");
    CALL(dh_build(p.net, out, .losses = {"mse", "mse"}),
         "build: there is a loss or weight for output 1, the model has 1 outputs");
    CALL(dh_build(p.net, out, .loss = "mse", .loss_weights = {-1}),
         "build: loss_weights[0] is -1, must be at least 0");
    CALL(dh_build(p.net, out, .loss_fn = no_layer), "build: loss_fn returned NULL");
    CALL(dh_build(p.net, out, .loss_fn = turned),
         "build: loss_fn must return one value a sample [N, ...], its axis 0 is not the batch");
    CALL(dh_build(p.net, out, .metrics = {"acuracy"}),
         "build: no metric \"acuracy\", did you mean \"accuracy\"?");
    CALL(dh_build(p.net, out, .metrics = {"in:mse"}),
         "build: metric \"in:mse\" names no output of the model");
    CALL(dh_build(p.net, out, .metric_fn = no_layer), "build: metric_fn returned NULL");
    CALL(dh_build(p.net, out, .optimizer = dh_sgd(0.1f, .momentum = 2)),
         "build: optimizer \"sgd\": momentum is 2, must be in [0, 1]");
    CALL(dh_build(p.net, out, .optimizer = dh_adam(0.1f, .beta1 = 1)),
         "build: optimizer \"adam\": beta1 is 1, must be in [0, 0.9999999]");
    CALL(dh_build(p.net, out, .optimizer = dh_adamw(0.1f, .beta2 = -1)),
         "build: optimizer \"adamw\": beta2 is -1, must be in [0, 0.9999999]");
    CALL(dh_build(p.net, out, .optimizer = dh_rmsprop(0.1f, .rho = 2)),
         "build: optimizer \"rmsprop\": rho is 2, must be in [0, 0.9999999]");
    CALL(dh_build(p.net, out, .optimizer = dh_adagrad(NAN)),
         "build: optimizer \"adagrad\": learning_rate is nan, must be in [0, 1000000]");
    CALL(dh_build(p.net, out, .optimizer = dh_adadelta(1, .rho = 2)),
         "build: optimizer \"adadelta\": rho is 2, must be in [0, 0.9999999]");
    CALL(dh_build(p.net, out, .optimizer = dh_adamax(INFINITY)),
         "build: optimizer \"adamax\": learning_rate is inf, must be in [0, 1000000]");
    CALL(dh_build(p.net, out, .optimizer = dh_nadam(0.1f, .epsilon = -1)),
         "build: optimizer \"nadam\": epsilon is -1, must be in [0, 1]");
    CALL(dh_build(p.net, out, .clip_norm = -1), "build: clip_norm is -1, must be at least 0");
    CALL(dh_build(p.net, out, .clip_value = NAN), "build: clip_value is nan, must be at least 0");
    CALL(dh_build(p.net, out, .clip_global_norm = INFINITY),
         "build: clip_global_norm is inf, must be at least 0");
    CALL(dh_build(p.net, out, .accumulate = -1), "build: accumulate is -1, must be at least 0");
    CALL(dh_build(p.net, out, .device = dh_cs_cpu(.memory = "lowmem")),
         "build: no memory level \"lowmem\", did you mean \"low_mem\"?");
    CALL(dh_build(p.net, out, .device = dh_cs_cpu(.threads = -1)),
         "build: device threads is -1, must be in [0, 4096]");
    CALL(dh_build(p.net, out, .device = dh_cs_cpu(.replicas = 2)),
         "build: device replicas is 2; the CPU device offers 1");
    CALL(dh_build(p.net, out, .device = {.device = "cuda:7"}),
         "build: device_get: no device \"cuda:7\"; known: cpu");
    assert_int_equal(wrong, 0);
    free_parts(&p);
}

static dh_status stop(const dh_event *event, void *payload)
{
    (void)event, (void)payload;
    return DH_ESTATE;
}

static void running(void **state)
{
    (void)state;
    parts p = make_parts();
    dh_layer *out = dh_softmax(dh_dense(p.in, 3, .name = "first"), .name = "out");
    dh_tensor *x, *y, *wide, *labels, *zero_rows, *none = NULL, *scalar;
    dh_result result;
    assert_ok(dh_tensor_ones(&x, {6, 4}));
    assert_ok(dh_tensor_zeros(&y, {6, 3}));
    assert_ok(dh_tensor_zeros(&wide, {6, 5}));
    assert_ok(dh_tensor_full(&labels, 7, {6}, .dtype = DH_I32));
    assert_ok(dh_tensor_zeros(&zero_rows, {DH_EMPTY_AXIS, 4}));
    assert_ok(dh_tensor_sum(&scalar, x));
    const dh_tensor *xs[] = {x}, *ys[] = {y}, *wides[] = {wide}, *nulls[] = {NULL};
    CALL(dh_fit(p.net, x, y), "fit: model \"net\" is not built; call dh_build first");
    CALL(dh_predict(&none, p.net, x), "predict: model \"net\" is not built; call dh_build first");
    CALL(dh_save_weights(p.net, "w"),
         "save_weights: model \"net\" is not built; call dh_build first");
    assert_ok(dh_build(p.net, out));
    CALL(dh_fit(p.net, x, y), "fit: model \"net\" was built without a loss");
    assert_ok(dh_build(p.net, out, .loss = "cross_entropy", .metrics = {"accuracy"}));
    CALL(dh_fit(NULL, x, y), "fit: model is NULL");
    CALL(dh_fit(p.net, NULL, y), "fit: x is NULL");
    CALL(dh_fit(p.net, x, NULL), "fit: y of output \"out\" is NULL");
    CALL(dh_fit(p.net, wide, y), "fit: input \"in\" takes [N, 4], x is [6, 5]");
    CALL(dh_fit(p.net, x, wide),
         "fit: loss \"cross_entropy\": target is [6, 5], the prediction is [6, 3]");
    CALL(dh_fit(p.net, scalar, y), "fit: input \"in\" takes [N, 4], x is []");
    CALL(dh_fit(p.net, x, scalar), "fit: y of output \"out\" has 0 rows, x has 6");
    CALL(dh_fit(p.net, zero_rows, y), "fit: y of output \"out\" has 6 rows, x has 0");
    CALL(dh_fit(p.net, x, labels),
         "fit: epoch 1, step 1: softmax_cross_entropy: label of row 0 is 7, must be in [0, 3)");
    CALL(dh_fit(p.net, x, y, .validation_y = y),
         "fit: validation_y is given, validation_x is NULL");
    CALL(dh_fit(p.net, x, y, .batch_size = -1), "fit: batch_size is -1, must be at least 1");
    CALL(dh_fit(p.net, x, y, .epochs = -1), "fit: epochs is -1, must be at least 1");
    CALL(dh_fit(p.net, x, y, .validation_split = 1),
         "fit: validation_split is 1, must be in [0, 1)");
    CALL(dh_fit(p.net, x, y, .validation_split = 0.01f),
         "fit: validation_split 0.01 of 6 rows leaves 6 to train on and 0 to validate");
    CALL(dh_fit(p.net, x, y, .validation_x = x), "fit: validation: y of output \"out\" is NULL");
    CALL(dh_fit(p.net, x, y, .validation_x = wide, .validation_y = y),
         "fit: validation: input \"in\" takes [N, 4], x is [6, 5]");
    CALL(dh_fit(p.net, x, y, .sample_weight = y), "fit: sample_weight is [6, 3], needs [6]");
    CALL(dh_fit(p.net, x, y, .class_weight = (float[]){1, 2}),
         "fit: class_weight is given, class_count is 0");
    CALL(dh_fit(p.net, x, labels, .class_weight = (float[]){1, 2}, .class_count = 2),
         "fit: class_weight: row 2 is of class 7, there are 2 weights");
    CALL(dh_fit(p.net, x, y, .callback = stop, .quiet = true),
         "fit: the callback ended it in epoch 1 after step 1 with DH_ESTATE");
    CALL(dh_evaluate(p.net, x, wide),
         "evaluate: loss \"cross_entropy\": target is [6, 5], the prediction is [6, 3]");
    CALL(dh_evaluate(NULL, x, y), "evaluate: model is NULL");
    CALL(dh_evaluate(p.net, x, y, .batch_size = -2),
         "evaluate: batch_size is -2, must be at least 1");
    CALL(dh_predict(&none, p.net, x, .outs = &none), "predict: both out and outs are given");
    CALL(dh_predict(NULL, p.net, x), "predict: out is NULL");
    CALL(dh_predict(&none, NULL, x), "predict: model is NULL");
    CALL(dh_predict(&none, p.net, wide), "predict: input \"in\" takes [N, 4], x is [6, 5]");
    CALL(dh_predict(&none, p.net, x, .batch_size = -2),
         "predict: batch_size is -2, must be at least 1");
    CALL(dh_train_batch(NULL, xs, ys, &result), "train_batch: model is NULL");
    CALL(dh_train_batch(p.net, NULL, ys, &result), "train_batch: x is NULL");
    CALL(dh_train_batch(p.net, xs, NULL, &result), "train_batch: y is NULL");
    CALL(dh_train_batch(p.net, wides, ys, &result),
         "train_batch: input \"in\" takes [N, 4], x is [6, 5]");
    CALL(dh_train_batch(p.net, xs, wides, &result),
         "train_batch: loss \"cross_entropy\": target is [6, 5], the prediction is [6, 3]");
    CALL(dh_train_batch(p.net, nulls, ys, &result), "train_batch: x is NULL");
    CALL(dh_eval_batch(p.net, xs, nulls, &result), "eval_batch: y of output \"out\" is NULL");
    CALL(dh_eval_batch(NULL, xs, ys, &result), "eval_batch: model is NULL");
    CALL(dh_update(p.net), "update: there are no gradients; call forward and backward first");
    CALL(dh_backward(p.net, ys, &result), "backward: call forward with training = true first");
    CALL(dh_forward(NULL, xs, true), "forward: model is NULL");
    CALL(dh_forward(p.net, wides, true), "forward: input \"in\" takes [N, 4], x is [6, 5]");
    assert_ok(dh_forward(p.net, xs, true));
    CALL(dh_backward(p.net, wides, &result),
         "backward: loss \"cross_entropy\": target is [6, 5], the prediction is [6, 3]");
    CALL(dh_backward(p.net, nulls, &result), "backward: y of output \"out\" is NULL");
    CALL(dh_backward(p.net, NULL, &result), "backward: y is NULL");
    CALL(dh_zero_grads(NULL), "zero_grads: model is NULL");
    CALL(dh_layer_output(&none, p.in), "layer_output: layer \"in\" is neither an output nor named "
                                       "in .keep of dh_build, so its memory is used again");
    CALL(dh_layer_output(&none, NULL), "layer_output: layer is NULL");
    CALL(dh_layer_output(NULL, out), "layer_output: out is NULL");
    ((float *)dh_tensor_data(x))[5] = NAN;
    CALL(dh_fit(p.net, x, y, .batch_size = 4, .no_shuffle = true, .quiet = true),
         "fit: epoch 1, step 1: the loss is nan: x of input \"in\" holds a NaN or infinity in this "
         "batch");
    CALL(dh_train_batch(p.net, xs, ys, &result),
         "train_batch: the loss is nan: x of input \"in\" holds a NaN or infinity in this batch");
    assert_null(none);
    assert_int_equal(wrong, 0);
    dh_tensor *all[] = {x, y, wide, labels, zero_rows, scalar};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) dh_tensor_free(all[i]);
    free_parts(&p);
}

static void asking(void **state)
{
    (void)state;
    parts p = make_parts();
    dh_layer *out = dh_dense(p.in, 3, .name = "out");
    dh_tensor *t = NULL;
    char hash[65];
    CALL(dh_model_parameter(&t, p.net, "out/weight"),
         "model_parameter: parameter \"out/weight\" has no values; build the model first");
    assert_ok(dh_build(p.net, out, .loss = "mse"));
    CALL(dh_model_parameter(&t, p.net, "out/weights"),
         "model_parameter: model \"net\" has no parameter \"out/weights\", did you mean "
         "\"out/weight\"?");
    CALL(dh_model_parameter(NULL, p.net, "out/weight"), "model_parameter: out is NULL");
    CALL(dh_model_parameter(&t, NULL, "out/weight"), "model_parameter: model is NULL");
    CALL(dh_model_parameter(&t, p.net, NULL), "model_parameter: name is NULL");
    CALL(dh_model_gradient(&t, p.net, "out/weight"),
         "model_gradient: parameter \"out/weight\" has no gradient yet");
    CALL(dh_model_gradient(&t, p.net, "out"),
         "model_gradient: model \"net\" has no parameter \"out\", did you mean \"out/bias\" or "
         "\"out/weight\"?");
    CALL(dh_model_sha256(NULL, p.net), "model_sha256: hex is NULL");
    CALL(dh_model_sha256(hash, NULL), "model_sha256: model is NULL");
    CALL(dh_model_lr_scale(p.net, "out/weigth", 1),
         "model_lr_scale: model \"net\" has no parameter \"out/weigth\", did you mean "
         "\"out/weight\"?");
    CALL(dh_model_lr_scale(p.net, "out/weight", -1),
         "model_lr_scale: scale is -1, must be at least 0");
    CALL(dh_model_set_learning_rate(p.net, -1),
         "model_set_learning_rate: learning_rate is -1, must be at least 0");
    CALL(dh_model_set_learning_rate(NULL, 1), "model_set_learning_rate: model is NULL");
    CALL(dh_layer_freeze(NULL, true), "layer_freeze: layer is NULL");
    CALL(dh_save_weights(p.net, NULL), "save_weights: path is NULL");
    CALL(dh_save_weights(p.net, "/no/such/folder/w.safetensors"),
         "save_weights: safetensors_save: write \"/no/such/folder/w.safetensors\": No such file or "
         "directory");
    CALL(dh_load_weights(p.net, NULL), "load_weights: path is NULL");
    CALL(dh_load_weights(p.net, "/no/such/file"),
         "load_weights: safetensors_open: open \"/no/such/file\": No such file or directory");
    CALL(dh_summary(NULL, 0), "summary: model is NULL");
    CALL(dh_model_plot_history(p.net, "/no/such/folder/plot.png"),
         "model_plot_history: model \"net\" has not been trained");
    assert_null(dh_model_layer(p.net, "ouut"));
    compare("dh_model_layer",
            "model_layer: model \"net\" has no layer \"ouut\", did you mean \"out\"?");
    assert_null(t);
    assert_int_equal(wrong, 0);
    free_parts(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_build_can_be_tried_again),
        cmocka_unit_test(null_inputs),
        cmocka_unit_test(layers),
        cmocka_unit_test(building),
        cmocka_unit_test(running),
        cmocka_unit_test(asking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
