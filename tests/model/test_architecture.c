/* SPDX-License-Identifier: MIT */
/* Every kind of layer as JSON and back: the same text, the same parameters, the same predictions
 * bit for bit; every argument of every kind is among them. */
#include "architecture_test.h"
#include "layer_defs.h"

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
    R(relu6, 0, (.shape = {4}), dh_relu6(x))                                                     \
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
                             .synchronized = true, .axis = 2))                                   \
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_kind_goes_round),
                                       cmocka_unit_test(rows_cover_every_kind_and_argument)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
