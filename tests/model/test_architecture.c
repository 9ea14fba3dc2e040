/* SPDX-License-Identifier: MIT */
/* Every kind of layer as JSON and back: the same text, the same parameters, the same predictions
 * bit for bit; every argument of every kind is among them. */
#include <stdlib.h>
#include <unistd.h>

#include "layer_defs.h"
#include "model_test.h"

#define INIT(n)                                                                          \
    {                                                                                    \
        .name = "variance_scaling", .a = n, .mode = "fan_out", .distribution = "uniform" \
    }
#define RANGE(x, y)                              \
    {                                            \
        .name = "random_uniform", .a = x, .b = y \
    }
#define REG                    \
    {                          \
        .l1 = 0.5f, .l2 = 0.1f \
    }
#define WINDOW .kernel = {3}, .strides = {2, 1}, .dilations = {1, 2}
#define COMMON(w) \
    .activation = "elu", .alpha = DH_ZERO, .no_bias = true, .w##_init = INIT(2), .w##_reg = REG
#define BIAS       .bias_init = INIT(3), .bias_reg = REG
#define NUMBERS(w) .w##_init = RANGE(-1, 2), .bias_init = RANGE(-1, -0.5)

/* kind, shape and dtype of x, the layer on x; more rows of a kind where arguments exclude each
 * other. */
#define ROWS(R)                                                                                  \
    R(input, 0, (.shape = {4}, .dtype = DH_F64, .name = "in\\\xc3\xa9\t"), dh_relu(x))           \
    R(flatten, 0, (.shape = {2, 3}), dh_flatten(x))                                              \
    R(reshape, 0, (.shape = {2, 3}), dh_reshape(x, {3, -1}))                                     \
    R(dense, 0, (.shape = {4}), dh_dense(x, 3, COMMON(weight)))                                  \
    R(dense, 1, (.shape = {4}), dh_dense(x, 3, BIAS))                                            \
    R(dense, 2, (.shape = {4}), dh_dense(x, 3, NUMBERS(weight)))                                 \
    R(activation, 0, (.shape = {4}), dh_activation(x, "leaky_relu", .alpha = 0.3f))              \
    R(activation, 1, (.shape = {4, 2}), dh_activation(x, "softmax", .axis = 1))                  \
    R(linear, 0, (.shape = {4}), dh_linear(x, .alpha = 1.1f))                                    \
    R(relu, 0, (.shape = {4}), dh_relu(x))                                                       \
    R(leaky_relu, 0, (.shape = {4}), dh_leaky_relu(x, .alpha = DH_ZERO))                         \
    R(thresholded_relu, 0, (.shape = {4}), dh_thresholded_relu(x))                               \
    R(elu, 0, (.shape = {4}), dh_elu(x))                                                         \
    R(selu, 0, (.shape = {4}), dh_selu(x))                                                       \
    R(exponential, 0, (.shape = {4}), dh_exponential(x))                                         \
    R(softplus, 0, (.shape = {4}), dh_softplus(x))                                               \
    R(softsign, 0, (.shape = {4}), dh_softsign(x))                                               \
    R(sigmoid, 0, (.shape = {4}), dh_sigmoid(x))                                                 \
    R(hard_sigmoid, 0, (.shape = {4}), dh_hard_sigmoid(x))                                       \
    R(tanh, 0, (.shape = {4}), dh_tanh(x))                                                       \
    R(gelu, 0, (.shape = {4}), dh_gelu(x))                                                       \
    R(silu, 0, (.shape = {4}), dh_silu(x))                                                       \
    R(softmax, 0, (.shape = {3, 4}), dh_softmax(x, .axis = 1))                                   \
    R(add, 0, (.shape = {4}), dh_add({x, dh_relu(x), x}))                                        \
    R(subtract, 0, (.shape = {4}), dh_subtract({dh_tanh(x), x}))                                 \
    R(multiply, 0, (.shape = {4}), dh_multiply({x, x}))                                          \
    R(maximum, 0, (.shape = {4}), dh_maximum({x, dh_tanh(x)}))                                   \
    R(minimum, 0, (.shape = {4}), dh_minimum({x, dh_tanh(x)}))                                   \
    R(average, 0, (.shape = {4}), dh_average({x, dh_tanh(x)}))                                   \
    R(concat, 0, (.shape = {3, 4}), dh_concat({x, dh_relu(x)}, .axis = 1))                       \
    R(dropout, 0, (.shape = {4}), dh_dropout(x, 0.3f))                                           \
    R(batch_normalization, 0, (.shape = {3, 4}),                                                 \
      dh_batch_normalization(x, .momentum = DH_ZERO, .epsilon = 0.1f, .no_scale = true,          \
                             .axis = 2))                                                         \
    R(batch_normalization, 1, (.shape = {3}), dh_batch_normalization(x, .no_center = true))      \
    R(layer_normalization, 0, (.shape = {3, 4}),                                                 \
      dh_layer_normalization(x, .epsilon = 0.1f, .axis = 1))                                     \
    R(layer_normalization, 1, (.shape = {3}), dh_layer_normalization(x, .no_affine = true))      \
    R(conv1d, 0, (.shape = {2, 9}), dh_conv1d(x, 4, {3}, {2}, {2}, .groups = 2, COMMON(weight))) \
    R(conv2d, 0, (.shape = {2, 9, 8}), dh_conv2d(x, 4, WINDOW, .pads = {0, 1, 0, 2}, BIAS))      \
    R(conv2d, 1, (.shape = {2, 9, 8}), dh_conv2d(x, 3, {3, 2}, .padding = "same"))               \
    R(conv3d, 0, (.shape = {2, 3, 4, 5}), dh_conv3d(x, 3, {2}, NUMBERS(weight)))                 \
    R(conv1d_transpose, 0, (.shape = {2, 9}),                                                    \
      dh_conv1d_transpose(x, 4, {3}, {2}, {2}, .groups = 2, COMMON(weight)))                     \
    R(conv2d_transpose, 0, (.shape = {2, 4, 4}),                                                 \
      dh_conv2d_transpose(x, 4, WINDOW, .pads = {0, 1}, .output_padding = {1}, BIAS))            \
    R(conv2d_transpose, 1, (.shape = {2, 4, 4}),                                                 \
      dh_conv2d_transpose(x, 3, {3}, .padding = "same"))                                         \
    R(conv3d_transpose, 0, (.shape = {2, 3, 4, 5}),                                              \
      dh_conv3d_transpose(x, 3, {2}, NUMBERS(weight)))                                           \
    R(depthwise_conv2d, 0, (.shape = {2, 9, 8}),                                                 \
      dh_depthwise_conv2d(x, WINDOW, .depth_multiplier = 2, .pads = {1}, COMMON(weight)))        \
    R(depthwise_conv2d, 1, (.shape = {2, 9, 8}),                                                 \
      dh_depthwise_conv2d(x, {3}, .padding = "same", BIAS))                                      \
    R(depthwise_conv2d, 2, (.shape = {2, 9, 8}), dh_depthwise_conv2d(x, {3}, NUMBERS(weight)))   \
    R(separable_conv2d, 0, (.shape = {2, 9, 8}),                                                 \
      dh_separable_conv2d(x, 3, WINDOW, .depth_multiplier = 2, .pads = {1}, COMMON(depthwise),   \
                          .pointwise_init = INIT(2), .pointwise_reg = REG))                      \
    R(separable_conv2d, 1, (.shape = {2, 9, 8}),                                                 \
      dh_separable_conv2d(x, 3, {3}, .padding = "same", BIAS))                                   \
    R(separable_conv2d, 2, (.shape = {2, 9, 8}),                                                 \
      dh_separable_conv2d(x, 3, {3}, NUMBERS(depthwise), .pointwise_init = RANGE(0.1, 0.2)))     \
    R(max_pool1d, 0, (.shape = {2, 9}), dh_max_pool1d(x, {3}, {2}, .pads = {1}))                 \
    R(max_pool2d, 0, (.shape = {2, 9, 8}), dh_max_pool2d(x, {3, 2}, .ceil_mode = true))          \
    R(max_pool3d, 0, (.shape = {2, 5, 4, 4}), dh_max_pool3d(x, .padding = "same"))               \
    R(average_pool1d, 0, (.shape = {2, 9}),                                                      \
      dh_average_pool1d(x, {3}, .pads = {1}, .count_pads = true))                                \
    R(average_pool2d, 0, (.shape = {2, 9, 8}), dh_average_pool2d(x))                             \
    R(average_pool3d, 0, (.shape = {2, 5, 4, 4}), dh_average_pool3d(x, {2, 3, 1}))               \
    R(global_max_pool, 0, (.shape = {2, 9}), dh_global_max_pool(x))                              \
    R(global_average_pool, 0, (.shape = {2, 9}), dh_global_average_pool(x, .keepdims = true))    \
    R(adaptive_max_pool, 0, (.shape = {2, 9}), dh_adaptive_max_pool(x, {4}))                     \
    R(adaptive_average_pool, 0, (.shape = {2, 9, 5}), dh_adaptive_average_pool(x, {4, 2}))       \
    R(upsampling, 0, (.shape = {2, 3, 3}), dh_upsampling(x, {3, 2}, .interpolation = "linear"))  \
    R(zero_padding, 0, (.shape = {2, 3, 3}), dh_zero_padding(x, {0, 1, 0, 0}))                   \
    R(cropping, 0, (.shape = {2, 3, 3}), dh_cropping(x, {1, 0, 0, 1}))                           \
    R(spatial_dropout, 0, (.shape = {2, 3}), dh_spatial_dropout(x, 0.5f))                        \
    R(gaussian_noise, 0, (.shape = {4}), dh_gaussian_noise(x, 0.1f))                             \
    R(group_normalization, 0, (.shape = {4, 5}),                                                 \
      dh_group_normalization(x, 2, .epsilon = 0.1f, .no_center = true))                          \
    R(group_normalization, 1, (.shape = {4, 5}), dh_group_normalization(x, 4, .no_scale = true)) \
    R(instance_normalization, 0, (.shape = {4, 5}),                                              \
      dh_instance_normalization(x, .epsilon = 0.1f, .no_center = true))                          \
    R(instance_normalization, 1, (.shape = {4, 5}),                                              \
      dh_instance_normalization(x, .no_scale = true))                                            \
    R(embedding, 0, (.shape = {4}, .dtype = DH_I32),                                             \
      dh_embedding(x, 3, 2, .weight_init = INIT(2), .weight_reg = REG))                          \
    R(embedding, 1, (.shape = {4}, .dtype = DH_I64),                                             \
      dh_embedding(x, 3, 2, .weight_init = RANGE(1, 2)))                                         \
    R(permute, 0, (.shape = {2, 3, 4}), dh_permute(x, {3, 1, 2}))                                \
    R(select, 0, (.shape = {2, 3}), dh_select(x, -1, 2))                                         \
    R(depthwise_conv1d, 0, (.shape = {2, 9}),                                                    \
      dh_depthwise_conv1d(x, {3}, .strides = {2}, .dilations = {2}, .depth_multiplier = 2,       \
                          .pads = {1}, COMMON(weight)))                                          \
    R(depthwise_conv1d, 1, (.shape = {2, 9}),                                                    \
      dh_depthwise_conv1d(x, {3}, .padding = "causal", BIAS))                                    \
    R(depthwise_conv1d, 2, (.shape = {2, 9}), dh_depthwise_conv1d(x, {3}, NUMBERS(weight)))      \
    R(separable_conv1d, 0, (.shape = {2, 9}),                                                    \
      dh_separable_conv1d(x, 3, {3}, .strides = {2}, .dilations = {2}, .depth_multiplier = 2,    \
                          .pads = {1}, COMMON(depthwise), .pointwise_init = INIT(2),             \
                          .pointwise_reg = REG))                                                 \
    R(separable_conv1d, 1, (.shape = {2, 9}),                                                    \
      dh_separable_conv1d(x, 3, {3}, .padding = "same", BIAS))                                   \
    R(separable_conv1d, 2, (.shape = {2, 9}),                                                    \
      dh_separable_conv1d(x, 3, {3}, NUMBERS(depthwise), .pointwise_init = RANGE(0.1, 0.2)))     \
    R(slice, 0, (.shape = {2, 3}), dh_slice(x, "1:,::-1"))                                       \
    R(repeat, 0, (.shape = {2, 3}), dh_repeat(x, 2, .axis = -1))                                 \
    R(detach, 0, (.shape = {4}), dh_detach(x))                                                   \
    R(reduce_sum, 0, (.shape = {2, 3}), dh_reduce_sum(x, {2}, .keepdims = true))                 \
    R(reduce_mean, 0, (.shape = {2, 3}), dh_reduce_mean(x))                                      \
    R(reduce_max, 0, (.shape = {2, 3}), dh_reduce_max(x, {-1}))                                  \
    R(reduce_min, 0, (.shape = {2, 3}), dh_reduce_min(x, {1, 2}))                                \
    R(reduce_var, 0, (.shape = {2, 3}), dh_reduce_var(x))                                        \
    R(reduce_argmax, 0, (.shape = {2, 3}), dh_reduce_argmax(x, {2}))                             \
    R(reduce_argmin, 0, (.shape = {2, 3}), dh_reduce_argmin(x, {1}))                             \
    R(matmul, 0, (.shape = {3, 3}), dh_matmul({x, x}))                                           \
    R(dot, 0, (.shape = {3, 3}), dh_dot({x, x}))                                                 \
    R(operation, 0, (.shape = {4}), dh_operation("topk", {x}, .attr = "k=2, axis=-1"))           \
    R(operation, 1, (.shape = {4}), dh_operation("topk", {x}, .attr = "k=2", .output = 1))       \
    R(constant, 0, (.shape = {4}), dh_add({x, dh_constant(x, -0.1)}))

#define INPUT(...)                                        \
    &(dh_input_args)                                      \
    {                                                     \
        .struct_size = sizeof(dh_input_args), __VA_ARGS__ \
    }
#define FUNCTION(kind, n, input, ...)                 \
    static dh_layer *make_##kind##_##n(dh_model *net) \
    {                                                 \
        dh_layer *x = (dh_input)(net, INPUT input);   \
        return __VA_ARGS__;                           \
    }
ROWS(FUNCTION)

static const struct row {
    const char *kind;
    dh_layer *(*make)(dh_model *net);
} rows[] = {
#define ROW(kind, n, input, ...) {#kind, make_##kind##_##n},
    ROWS(ROW)};

static char folder[] = "/tmp/dh_architecture_XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* Values 0, 1, 2 in no order, for a batch of 3. */
static dh_tensor *data_for(const dh_model *net)
{
    const dh_layer *in = dh_model_input(net, 0);
    const dh_view *v = dh__graph_view(net->net.sketch, in->sketch);
    int64_t shape[DH_MAX_NDIM] = {3};
    dh_tensor *x;
    for (int i = 1; i < v->ndim; i++) shape[i] = v->shape[i];
    assert_ok(dh_tensor_new(&x, v->dtype, v->ndim, shape));
    for (int64_t i = 0; i < dh_tensor_count(x); i++)
        dh__store(v->dtype, (char *)x->view.data + i * (int64_t)dh_dtype_size(v->dtype),
                  (double)(i * i * 7 % 11 % 3));
    return x;
}

static void expect_same_parameters(const dh_model *a, const dh_model *b)
{
    int count = dh_model_parameter_count(a);
    assert_int_equal(dh_model_parameter_count(b), count);
    for (int i = 0; i < count; i++) {
        dh_tensor *p, *q;
        const char *name = dh_model_parameter_name(a, i);
        assert_string_equal(dh_model_parameter_name(b, i), name);
        assert_ok(dh_model_parameter(&p, a, name));
        assert_ok(dh_model_parameter(&q, b, name));
        assert_int_equal(dh_tensor_ndim(p), dh_tensor_ndim(q));
        for (int k = 0; k < dh_tensor_ndim(p); k++)
            assert_int_equal(dh_tensor_dim(p, k), dh_tensor_dim(q, k));
        dh_tensor_free(p);
        dh_tensor_free(q);
    }
}

static void expect_same_predictions(dh_model *a, dh_model *b)
{
    dh_tensor *x = data_for(a), *y, *z;
    assert_ok(dh_save_weights(a, in_folder("w.safetensors")));
    assert_ok(dh_load_weights(b, in_folder("w.safetensors")));
    assert_ok(dh_predict(&y, a, x));
    assert_ok(dh_predict(&z, b, x));
    assert_int_equal(dh_tensor_dtype(y), dh_tensor_dtype(z));
    assert_int_equal(dh_tensor_count(y), dh_tensor_count(z));
    assert_memory_equal(dh_tensor_data(y), dh_tensor_data(z),
                        (size_t)dh_tensor_count(y) * dh_dtype_size(dh_tensor_dtype(y)));
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_tensor_free(z);
}

/* to_json of from_json is the text. */
static dh_model *again(const char *text)
{
    dh_model *net;
    char *second;
    assert_ok(dh_model_from_json(&net, text));
    assert_ok(dh_model_to_json(&second, net));
    assert_string_equal(second, text);
    dh_text_free(second);
    return net;
}

static void every_kind_goes_round(void **state)
{
    (void)state;
    for (size_t i = 0; i < DH_COUNT(rows); i++) {
        dh_model *net = dh_model_new("a \"model\" of\n"
                                     "\xe2\x82\xac");
        char *text;
        dh_layer *y = rows[i].make(net);
        assert_ok(dh_build(net, y, .seed = 5));
        assert_ok(dh_model_to_json(&text, net));
        dh_model *other = again(text);
        assert_ok(dh_build(other, .seed = 7));
        expect_same_parameters(net, other);
        expect_same_predictions(net, other);
        dh_model_free(other);
        dh_text_free(text);
        dh_model_free(net);
    }
}

/* A new kind, or a new argument of a table, needs a row. */
static void rows_cover_every_kind_and_argument(void **state)
{
    (void)state;
    int missing = 0;
    for (const dh__layer_def *const *d = dh__layer_defs; *d; d++) {
        bool kind = false;
        uint64_t seen = 0;
        for (size_t i = 0; i < DH_COUNT(rows); i++) {
            char printed[1024];
            dh_model *net = dh_model_new("net");
            assert_non_null(rows[i].make(net));
            for (int k = 0; k < net->net.count; k++) {
                const dh_layer *l = net->net.layers[k];
                kind |= l->def == *d;
                for (int f = 0; l->def->fields == (*d)->fields && l->def->fields[f].name; f++) {
                    const dh_field row[2] = {l->def->fields[f], {0}};
                    if (dh_field_print(row, l->args, printed, sizeof printed)) seen |= 1ull << f;
                }
            }
            dh_model_free(net);
        }
        if (!kind) print_error("no row has kind %s\n", (*d)->kind), missing++;
        for (int f = 0; (*d)->fields[f].name; f++)
            if (!(seen >> f & 1) && strcmp((*d)->fields[f].name, "name") != 0)
                print_error("no row gives %s of %s\n", (*d)->fields[f].name, (*d)->kind), missing++;
    }
    assert_int_equal(missing, 0);
}

static dh_layer *off(dh_layer *target, dh_layer *prediction, void *payload)
{
    *(dh_layer **)payload = target;
    return dh_operation("sqr", {dh_subtract({prediction, target})});
}

/* Layers of a model that was applied keep the names of their parameters, though the model is gone.
 */
static void an_applied_model_is_written_out(void **state)
{
    (void)state;
    char *text, *round;
    dh_model *inner = dh_model_new("inner");
    dh_layer *x = dh_input(inner, {4});
    assert_ok(dh_build(inner, dh_dense(dh_add({x, dh_dense(x, 4, .name = "d")}), 3, .name = "e")));
    dh_model *net = dh_model_new("outer", .share = inner);
    dh_layer *a = dh_input(net, {4}, .name = "a"), *b = dh_input(net, {4}, .name = "b");
    dh_layer *first = dh_model_apply(inner, {a}), *second = dh_model_apply(inner, {b});
    assert_ok(dh_build(net, dh_add({first, second}), .loss = "mse"));
    dh_model_free(inner);
    assert_ok(dh_model_to_json(&text, net));
    assert_non_null(strstr(text, "\"name\": \"inner.d\", \"inputs\": [\"a\"], "
                                 "\"parameters\": \"d\", \"args\": {\"units\": 4}}"));
    assert_non_null(strstr(text, "\"name\": \"inner2.d\", \"inputs\": [\"b\"], "
                                 "\"shares\": \"inner.d\"}"));
    dh_model *other = again(text);
    assert_ok(dh_build(other, .loss = "mse"));
    expect_same_parameters(net, other);
    assert_ok(dh_model_to_json(&round, other));
    assert_string_equal(text, round);
    dh_text_free(text);
    dh_text_free(round);
    dh_model_free(net);
    dh_model_free(other);
}

/* Two inputs, two outputs, a shared dense layer, one frozen; what loss_fn makes is no part. */
static void shared_frozen_and_several(void **state)
{
    (void)state;
    char *text;
    dh_layer *target = NULL;
    dh_model *net = dh_model_new("siamese");
    dh_layer *a = dh_input(net, {4}, .name = "a"), *b = dh_input(net, {4}, .name = "b");
    dh_layer *left = dh_dense(a, 3, .activation = "relu", .name = "tower");
    dh_layer *right = dh_apply(left, b), *dead = dh_dense(a, 2, .name = "unused");
    dh_layer *both = dh_concat({left, right}), *last = dh_dense(both, 4, .name = "last");
    assert_non_null(dead);
    assert_ok(dh_layer_freeze(right, true));
    assert_ok(dh_build(net, .outputs = {last, both}, .inputs = {b, a}, .loss_fn = off,
                       .loss_payload = &target));
    assert_ok(dh_model_to_json(&text, net));
    assert_string_equal(text,
                        "{\n"
                        "  \"format\": \"deephealth-model\",\n"
                        "  \"version\": 1,\n"
                        "  \"name\": \"siamese\",\n"
                        "  \"layers\": [\n"
                        "    {\"kind\": \"input\", \"name\": \"a\", \"args\": {\"shape\": [4]}},\n"
                        "    {\"kind\": \"input\", \"name\": \"b\", \"args\": {\"shape\": [4]}},\n"
                        "    {\"kind\": \"dense\", \"name\": \"tower\", \"inputs\": [\"a\"], "
                        "\"frozen\": true, \"args\": {\"units\": 3, \"activation\": \"relu\"}},\n"
                        "    {\"kind\": \"dense\", \"name\": \"dense2\", \"inputs\": [\"b\"], "
                        "\"shares\": \"tower\", \"frozen\": true},\n"
                        "    {\"kind\": \"dense\", \"name\": \"unused\", \"inputs\": [\"a\"], "
                        "\"args\": {\"units\": 2}},\n"
                        "    {\"kind\": \"concat\", \"name\": \"concat1\", \"inputs\": "
                        "[\"tower\", \"dense2\"]},\n"
                        "    {\"kind\": \"dense\", \"name\": \"last\", \"inputs\": [\"concat1\"], "
                        "\"args\": {\"units\": 4}}\n"
                        "  ],\n"
                        "  \"inputs\": [\"b\", \"a\"],\n"
                        "  \"outputs\": [\"last\", \"concat1\"]\n"
                        "}\n");
    dh_model *other = again(text);
    assert_string_equal(dh_layer_name(dh_model_input(other, 1)), "a");
    assert_string_equal(dh_layer_name(dh_model_output(other, 1)), "concat1");
    assert_null(dh_model_input(other, 2));
    assert_null(dh_model_output(other, -1));
    assert_null(dh_model_output(NULL, 0));
    assert_error(dh_build(other, .loss = "msee"), DH_ENAME, "msee");
    assert_ok(dh_build(other, .losses = {"mse"})); /* the failure forgot nothing */
    assert_int_equal(other->input_count, 2);
    expect_same_parameters(net, other);
    dh_tensor *w;
    assert_ok(dh_save_model_json(other, in_folder("net.json")));
    dh_model_free(other);
    assert_ok(dh_load_model_json(&other, in_folder("net.json")));
    assert_ok(dh_build(other, .losses = {"mse"}));
    assert_ok(dh_model_parameter(&w, other, "tower/weight"));
    dh_tensor_free(w);
    assert_false(dh__trainable(other, dh__params_find(other->net.store, "tower/weight")));
    dh_model_free(other);
    /* a layer that reads a target is of a build */
    assert_non_null(dh_add({last, target}, .name = "late"));
    char *kept = text;
    assert_error(dh_model_to_json(&text, net), DH_EUNSUPPORTED, "model_to_json: input \"", "target",
                 "belongs to a build");
    assert_ptr_equal(kept, text);
    dh_text_free(text);
    dh_model_free(net);
}

/* Keys in any order, names and defaults left away; 0 is 0. */
static void written_by_hand(void **state)
{
    (void)state;
    dh_model *net;
    char *text;
    assert_ok(dh_model_from_json(
        &net, "{\"layers\": [{\"args\": {\"shape\": [4], \"dtype\": null}, \"kind\": \"input\"},"
              "{\"inputs\":[\"input1\"],\"name\":\"bn\",\"args\":{\"momentum\":0,\"epsilon\":1e-2},"
              "\"kind\":\"batch_normalization\"}],\"outputs\":[\"bn\"],\"name\":\"\\u20ac\","
              "\"version\":1,\"format\":\"deephealth-model\"}"));
    assert_string_equal(net->net.name, "\xe2\x82\xac");
    const dh_batch_normalization_args *a = dh_model_layer(net, "bn")->args;
    assert_true(a->momentum == 0 && a->epsilon == 0.01f);
    assert_ok(dh_model_to_json(&text, net));
    assert_non_null(strstr(text, "\"args\": {\"momentum\": 0, \"epsilon\": 0.01}"));
    assert_ok(dh_build(net));
    assert_int_equal(net->input_count, 1);
    dh_text_free(text);
    dh_model_free(net);
}

static uint64_t live(void)
{
    dh_memory_stats stats;
    dh_get_memory_stats(&stats);
    return stats.live_blocks;
}

static const char small[] =
    "{\"format\": \"deephealth-model\", \"version\": 1, \"name\": \"m\", \"layers\": [\n"
    "{\"kind\": \"input\", \"name\": \"x\", \"args\": {\"shape\": [4]}},\n"
    "{\"kind\": \"dense\", \"name\": \"d\", \"inputs\": [\"x\"], \"args\": {\"units\": 3, "
    "\"no_bias\": true, \"activation\": \"elu\", \"alpha\": 0.5}},\n"
    "{\"kind\": \"dense\", \"inputs\": [\"x\"], \"shares\": \"d\", \"frozen\": true}\n"
    "], \"outputs\": [\"d\"]}";

/* Cut anywhere, or with any byte another, the text is refused in one line or taken; nothing is left
 * behind. */
static void damaged_texts(void **state)
{
    (void)state;
    char text[sizeof small];
    dh_model *net = NULL;
    uint64_t before = live();
    for (size_t n = 0; n + 1 < sizeof small; n++) {
        memcpy(text, small, n);
        text[n] = '\0';
        assert_true(dh_model_from_json(&net, text) < 0);
        assert_null(net);
        assert_null(strchr(dh_error_text(), '\n'));
        assert_non_null(strstr(dh_error_text(), "model_from_json: "));
    }
    memcpy(text, small, sizeof small);
    for (size_t i = 0; i + 1 < sizeof small; i++)
        for (const char *c = "\"]}{0-,:x\x80\x01"; *c; c++) {
            text[i] = *c;
            dh_error_clear();
            if (dh_model_from_json(&net, text) == DH_OK)
                dh_model_free(net);
            else
                assert_true(!strncmp(dh_error_text(), "model_from_json: ", 17) &&
                            !strchr(dh_error_text(), '\n'));
            net = NULL;
            text[i] = small[i];
        }
    assert_int_equal(live(), before);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    char *text = NULL, *first = NULL;
    dh_model *net = NULL;
    assert_ok(dh_model_from_json(&net, small));
    assert_ok(dh_model_to_json(&first, net));
    for (int n = 1; !text; n++) {
        dh_alloc_fail_at((uint64_t)n);
        dh_status status = dh_model_to_json(&text, net);
        dh_alloc_fail_at(0);
        if (status) assert_int_equal(status, DH_ENOMEM);
    }
    assert_string_equal(text, first);
    dh_model_free(net);
    net = NULL;
    uint64_t before = live();
    for (int n = 1; !net; n++) {
        dh_alloc_fail_at((uint64_t)n);
        dh_status status = dh_model_from_json(&net, small);
        dh_alloc_fail_at(0);
        if (!status) break;
        assert_int_equal(status, DH_ENOMEM);
        assert_null(net);
        assert_int_equal(live(), before);
    }
    dh_model_free(net);
    dh_text_free(text);
    dh_text_free(first);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(in_folder("w.safetensors"));
    (void)unlink(in_folder("net.json"));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_kind_goes_round),
                                       cmocka_unit_test(rows_cover_every_kind_and_argument),
                                       cmocka_unit_test(an_applied_model_is_written_out),
                                       cmocka_unit_test(shared_frozen_and_several),
                                       cmocka_unit_test(written_by_hand),
                                       cmocka_unit_test(damaged_texts),
                                       cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
