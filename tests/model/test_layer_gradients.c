/* SPDX-License-Identifier: MIT */
/* Each kind of layer through dh_build: its gradients against differences, what each optimiser makes
 * of them, the layer frozen, and two models on one store. A kind without a row here fails. */
#include "gradient_check.h"

#define ROWS 3
#define SEED                                                                             \
    15 /* of data that lie farther than a step from every kink and tie of the rows below \
        */

/* x [N, ...]: a dense layer without bias on the input, so that gradients by x show in its weight;
 * where the input is of integers, the input itself. */
typedef dh_layer *(*make_fn)(dh_layer *x);

#define FN(name, expr)                 \
    static dh_layer *name(dh_layer *x) \
    {                                  \
        return expr;                   \
    }

FN(f_input, dh_dense(x, 2))
FN(f_flatten, dh_flatten(x))
FN(f_reshape, dh_reshape(x, {2, -1}))
FN(f_dense, dh_dense(x, 3, .activation = "tanh", .weight_reg = {0}))
FN(f_activation, dh_activation(x, "mish"))
FN(f_linear, dh_linear(x, .alpha = 0.5f))
FN(f_relu, dh_relu(x))
FN(f_relu6, dh_relu6(x))
FN(f_leaky_relu, dh_leaky_relu(x, .alpha = 0.3f))
FN(f_thresholded_relu, dh_thresholded_relu(x, .alpha = 0.2f))
FN(f_elu, dh_elu(x))
FN(f_selu, dh_selu(x))
FN(f_exponential, dh_exponential(x))
FN(f_softplus, dh_softplus(x))
FN(f_softsign, dh_softsign(x))
FN(f_sigmoid, dh_sigmoid(x))
FN(f_hard_sigmoid, dh_hard_sigmoid(x))
FN(f_tanh, dh_tanh(x))
FN(f_gelu, dh_gelu(x))
FN(f_silu, dh_silu(x))
FN(f_softmax, dh_softmax(x))
FN(f_add, dh_add({x, dh_tanh(x), x}))
FN(f_subtract, dh_subtract({x, dh_tanh(x)}))
FN(f_multiply, dh_multiply({x, dh_tanh(x), x}))
FN(f_maximum, dh_maximum({x, dh_linear(x, .alpha = -1)}))
FN(f_minimum, dh_minimum({x, dh_linear(x, .alpha = -1)}))
FN(f_average, dh_average({x, dh_tanh(x), x}))
FN(f_concat, dh_concat({x, dh_tanh(x)}, .axis = 1))
FN(f_dropout, dh_dropout(x, 0.4f))
FN(f_batch_normalization, dh_batch_normalization(x))
FN(f_layer_normalization, dh_layer_normalization(x))
FN(f_conv1d, dh_conv1d(x, 4, {2}, .padding = "causal", .activation = "tanh"))
FN(f_conv2d, dh_conv2d(x, 4, {3, 2}, .strides = {2, 1}, .pads = {1, 0, 2, 1}, .groups = 2))
FN(f_conv3d, dh_conv3d(x, 2, {2, 1, 2}, .dilations = {1, 1, 2}, .padding = "same"))
FN(f_conv1d_transpose, dh_conv1d_transpose(x, 3, {2}, .strides = {2}))
FN(f_conv2d_transpose,
   dh_conv2d_transpose(x, 4, {3, 2}, .strides = {2}, .padding = "same", .groups = 2))
FN(f_conv3d_transpose, dh_conv3d_transpose(x, 1, {2, 2, 1}, .pads = {0, 1, 0, 1, 0, 0}))
FN(f_depthwise_conv1d, dh_depthwise_conv1d(x, {3}, .depth_multiplier = 2))
FN(f_depthwise_conv2d, dh_depthwise_conv2d(x, {2, 3}, .depth_multiplier = 2, .padding = "same"))
FN(f_separable_conv1d, dh_separable_conv1d(x, 3, {2}, .activation = "sigmoid"))
FN(f_separable_conv2d, dh_separable_conv2d(x, 3, {2, 2}, .strides = {2}))
FN(f_max_pool1d, dh_max_pool1d(x))
FN(f_max_pool2d, dh_max_pool2d(x, {3, 2}, {1, 1}, .padding = "same"))
FN(f_max_pool3d, dh_max_pool3d(x, .ceil_mode = true))
FN(f_average_pool1d, dh_average_pool1d(x, {3}, {1}, .padding = "same"))
FN(f_average_pool2d, dh_average_pool2d(x, {3, 2}, .pads = {1, 0, 1, 1}, .count_pads = true))
FN(f_average_pool3d, dh_average_pool3d(x, {1, 2, 2}))
FN(f_global_max_pool, dh_global_max_pool(x))
FN(f_global_average_pool, dh_global_average_pool(x, .keepdims = true))
FN(f_adaptive_max_pool, dh_adaptive_max_pool(x, {2, 3}))
FN(f_adaptive_average_pool, dh_adaptive_average_pool(x, {3, 2}))
FN(f_upsampling, dh_upsampling(x, {2, 3}, .interpolation = "linear"))
FN(f_zero_padding, dh_zero_padding(x, {1, 0, 2, 1}))
FN(f_cropping, dh_cropping(x, {1, 0, 1, 2}))
FN(f_spatial_dropout, dh_spatial_dropout(x, 0.5f))
FN(f_gaussian_noise, dh_tanh(dh_gaussian_noise(x, 0.5f)))
FN(f_group_normalization, dh_group_normalization(x, 2))
FN(f_instance_normalization, dh_instance_normalization(x))
FN(f_embedding, dh_embedding(x, 5, 3))
FN(f_permute, dh_permute(x, {3, 1, 2}))
FN(f_slice, dh_slice(x, "::-1,1:,::2"))
FN(f_select, dh_select(x, -2, .axis = 2))
FN(f_repeat, dh_repeat(x, 3, .axis = 2))
FN(f_reduce_sum, dh_reduce_sum(x, {2}))
FN(f_reduce_mean, dh_reduce_mean(x, {1, 3}, .keepdims = true))
FN(f_reduce_max, dh_reduce_max(x, {3}))
FN(f_reduce_min, dh_reduce_min(x))
FN(f_reduce_var, dh_reduce_var(x, {2, 3}))
FN(f_matmul, dh_matmul({x, dh_permute(x, {1, 3, 2})}))
FN(f_dot, dh_dot({x, dh_tanh(x)}))
FN(f_operation, dh_operation("sqr", {x}))
FN(f_constant, dh_multiply({x, dh_constant(x, 3)}))

/* Nothing flows through these: it flows beside them. */
static dh_layer *as_float(dh_layer *x)
{
    return dh_operation("cast", {x}, .attr = "dtype=f32");
}
FN(f_reduce_argmax, dh_multiply({as_float(dh_reduce_argmax(x, {3}, .keepdims = true)), x}))
FN(f_reduce_argmin, dh_multiply({as_float(dh_reduce_argmin(x, {2}, .keepdims = true)), x}))
/* Of the input, by which nothing is trained, as differences cannot know what is held fast. */
FN(f_detach, dh_dense(dh_detach(x), 2))

enum { LINE, SIGNAL, IMAGE, VOLUME, INDICES };
static const int64_t shapes[][DH_MAX_NDIM] = {
    [LINE] = {4}, [SIGNAL] = {2, 5}, [IMAGE] = {4, 5, 3}, [VOLUME] = {2, 3, 2, 3}, [INDICES] = {4}};

static const struct row {
    const char *kind;
    make_fn make;
    int shape;
} rows[] = {
#define ROW(kind, shape)       \
    {                          \
#kind, f_##kind, shape \
    }
    ROW(input, LINE),
    ROW(flatten, IMAGE),
    ROW(reshape, LINE),
    ROW(dense, SIGNAL),
    ROW(activation, LINE),
    ROW(linear, LINE),
    ROW(relu, LINE),
    ROW(relu6, LINE),
    ROW(leaky_relu, LINE),
    ROW(thresholded_relu, LINE),
    ROW(elu, LINE),
    ROW(selu, LINE),
    ROW(exponential, LINE),
    ROW(softplus, LINE),
    ROW(softsign, LINE),
    ROW(sigmoid, LINE),
    ROW(hard_sigmoid, LINE),
    ROW(tanh, LINE),
    ROW(gelu, LINE),
    ROW(silu, LINE),
    ROW(softmax, LINE),
    ROW(add, LINE),
    ROW(subtract, LINE),
    ROW(multiply, LINE),
    ROW(maximum, LINE),
    ROW(minimum, LINE),
    ROW(average, LINE),
    ROW(concat, SIGNAL),
    ROW(dropout, IMAGE),
    ROW(batch_normalization, IMAGE),
    ROW(layer_normalization, IMAGE),
    ROW(conv1d, SIGNAL),
    ROW(conv2d, IMAGE),
    ROW(conv3d, VOLUME),
    ROW(conv1d_transpose, SIGNAL),
    ROW(conv2d_transpose, IMAGE),
    ROW(conv3d_transpose, VOLUME),
    ROW(depthwise_conv1d, SIGNAL),
    ROW(depthwise_conv2d, IMAGE),
    ROW(separable_conv1d, SIGNAL),
    ROW(separable_conv2d, IMAGE),
    ROW(max_pool1d, SIGNAL),
    ROW(max_pool2d, IMAGE),
    ROW(max_pool3d, VOLUME),
    ROW(average_pool1d, SIGNAL),
    ROW(average_pool2d, IMAGE),
    ROW(average_pool3d, VOLUME),
    ROW(global_max_pool, VOLUME),
    ROW(global_average_pool, IMAGE),
    ROW(adaptive_max_pool, IMAGE),
    ROW(adaptive_average_pool, IMAGE),
    ROW(upsampling, IMAGE),
    ROW(zero_padding, IMAGE),
    ROW(cropping, IMAGE),
    ROW(spatial_dropout, IMAGE),
    ROW(gaussian_noise, LINE),
    ROW(group_normalization, IMAGE),
    ROW(instance_normalization, IMAGE),
    ROW(embedding, INDICES),
    ROW(permute, IMAGE),
    ROW(slice, IMAGE),
    ROW(select, IMAGE),
    ROW(repeat, IMAGE),
    ROW(detach, INDICES),
    ROW(reduce_sum, IMAGE),
    ROW(reduce_mean, IMAGE),
    ROW(reduce_max, IMAGE),
    ROW(reduce_min, SIGNAL),
    ROW(reduce_var, IMAGE),
    ROW(reduce_argmax, IMAGE),
    ROW(reduce_argmin, IMAGE),
    ROW(matmul, IMAGE),
    ROW(dot, IMAGE),
    ROW(operation, LINE),
    ROW(constant, LINE),
};
#define ROW_COUNT (sizeof rows / sizeof *rows)

static void every_kind_has_a_row(void **state)
{
    (void)state;
    size_t count = 0;
    for (const dh__layer_def *const *d = dh__layer_defs; *d; d++, count++) {
        bool found = false;
        for (size_t i = 0; i < ROW_COUNT; i++) found |= !strcmp(rows[i].kind, (*d)->kind);
        if (!found) fail_msg("no gradients of layer \"%s\" are checked here", (*d)->kind);
    }
    assert_int_equal(count, ROW_COUNT);
}

/* A model of one row and its data. */
typedef struct work {
    dh_model *net;
    dh_layer *y;
    dh_tensor *x, *c;
} work;

static work make_work(const struct row *row, dh_optimizer optimizer)
{
    work w = {.net = dh_model_new(row->kind)};
    dh_input_args in = {.struct_size = sizeof in};
    memcpy(in.shape, shapes[row->shape], sizeof in.shape);
    bool indices = row->shape == INDICES;
    if (indices && !strcmp(row->kind, "embedding")) in.dtype = DH_I64;
    dh_layer *x = (dh_input)(w.net, &in), *h = x;
    if (!indices)
        h = dh_dense(x, (int)dh_layer_dim(x, -1), .no_bias = true, .name = "before",
                     .weight_init = {.name = "orthogonal"});
    w.y = row->make(h);
    dh_status status =
        dh_build(w.net, w.y, .loss_fn = cotangent_loss, .optimizer = optimizer, .seed = 7);
    if (status) fail_msg("%s: %s", row->kind, dh_error_text());
    bool found = false;
    for (int i = 0; i < w.net->net.count; i++)
        found |= !strcmp(dh_layer_kind(w.net->net.layers[i]), row->kind);
    if (!found) fail_msg("the row of \"%s\" holds no such layer", row->kind);
    w.x = random_like(x, ROWS, SEED);
    if (in.dtype == DH_I64) {
        dh_tensor_free(w.x);
        assert_ok(dh_tensor_zeros(&w.x, {ROWS, 4}, .dtype = DH_I64));
        for (int64_t i = 0; i < 4 * ROWS; i++) ((int64_t *)dh_tensor_data(w.x))[i] = i * 3 % 5;
    }
    w.c = random_like(w.y, ROWS, 40);
    return w;
}

static void free_work(work *w)
{
    dh_model_free(w->net);
    dh_tensor_free(w->x);
    dh_tensor_free(w->c);
}

static void gradients(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        work w = make_work(&rows[i], dh_sgd(0.1f));
        const dh_tensor *xs[] = {w.x};
        int count = check_gradients(w.net, w.y, xs, w.c, rows[i].kind);
        if (count < 2) fail_msg("%s: only %d gradients are not 0", rows[i].kind, count);
        free_work(&w);
    }
}

/* --- updates --- */

/* The first step of each optimiser from weight w and gradient g, all of its slots 0. */
static double first_step(const dh_optimizer *o, double w, double g, bool decays)
{
    double lr = (double)o->learning_rate, e = (double)o->epsilon, rho = (double)o->rho;
    double b1 = (double)o->beta1, b2 = (double)o->beta2;
    double decay = decays ? (double)o->weight_decay : 0;
    if (o->kind != DH_ADAMW) g += decay * w;
    double m = (1 - b1) * g, v = (1 - b2) * g * g;
    switch (o->kind) {
    case DH_SGD: return w - lr * (o->nesterov ? g + (double)o->momentum * g : g);
    case DH_ADAM: return w - lr * (m / (1 - b1)) / (sqrt(v / (1 - b2)) + e);
    case DH_ADAMW: return w - lr * decay * w - lr * (m / (1 - b1)) / (sqrt(v / (1 - b2)) + e);
    case DH_ADAMAX: return w - lr * (m / (1 - b1)) / (fabs(g) + e);
    case DH_NADAM: {
        double mu = b1 * (1 - 0.5 * pow(0.96, 0.004)), next = b1 * (1 - 0.5 * pow(0.96, 0.008));
        double bar = next * m / (1 - mu * next) + (1 - mu) * g / (1 - mu);
        return w - lr * bar / (sqrt(v / (1 - b2)) + e);
    }
    case DH_RMSPROP: {
        double s = (1 - rho) * g * g, mean = o->centered ? (1 - rho) * g : 0;
        return w - lr * g / (sqrt(s - mean * mean) + e);
    }
    case DH_ADAGRAD: return w - lr * g / (fabs(g) + e);
    case DH_ADADELTA: return w - lr * g * sqrt(e) / sqrt((1 - rho) * g * g + e);
    default: return NAN;
    }
}

static bool decays(const char *name)
{
    return strstr(name, "weight") != NULL;
}

/* A parameter before and after an update, with its gradient. */
static void expect_step(work *w, const dh_optimizer *o, const char *name, const float *before,
                        const float *gradient, int64_t count)
{
    dh_tensor *t;
    assert_ok(dh_model_parameter(&t, w->net, name));
    float after[256];
    read_floats(after, t);
    for (int64_t i = 0; i < count; i++) {
        double want = first_step(o, (double)before[i], (double)gradient[i], decays(name));
        if (!near((double)after[i], want, 3e-6))
            fail_msg("%s: optimizer %d takes %s[%d] from %.9g with gradient %.9g to %.9g, not %.9g",
                     w->net->net.name, (int)o->kind, name, (int)i, (double)before[i],
                     (double)gradient[i], (double)after[i], want);
    }
    dh_tensor_free(t);
}

static void one_update(work *w)
{
    float before[16][256], gradient[16][256];
    int count = dh_model_parameter_count(w->net);
    const dh_tensor *xs[] = {w->x};
    assert_true(count <= 16);
    make_gradients(w->net, xs, w->c);
    for (int p = 0; p < count; p++) {
        dh_tensor *t;
        const char *name = dh_model_parameter_name(w->net, p);
        assert_ok(dh_model_parameter(&t, w->net, name));
        size_t bytes = (size_t)dh_tensor_count(t) * sizeof(float);
        assert_true(bytes <= sizeof before[p]);
        read_floats(before[p], t);
        dh_tensor_free(t);
        if (is_state(name)) continue;
        assert_ok(dh_model_gradient(&t, w->net, name));
        read_floats(gradient[p], t);
        dh_tensor_free(t);
    }
    assert_ok(dh_update(w->net));
    for (int p = 0; p < count; p++) {
        const dh__params *store = w->net->net.store;
        const char *name = dh_model_parameter_name(w->net, p);
        int64_t n = store->segments[dh__params_find(store, name)]->count;
        if (!is_state(name)) expect_step(w, &w->net->optimizer, name, before[p], gradient[p], n);
    }
}

static void every_optimizer_takes_its_step(void **state)
{
    (void)state;
    const dh_optimizer all[] = {
        dh_sgd(0.1f, .momentum = 0.9f, .weight_decay = 0.1f, .nesterov = true),
        dh_adam(0.01f, .weight_decay = 0.1f, .amsgrad = true),
        dh_adamw(0.01f, .weight_decay = 0.1f),
        dh_adamax(0.01f),
        dh_nadam(0.01f),
        dh_rmsprop(0.01f, 0.9f, .momentum = 0.5f, .centered = true),
        dh_adagrad(0.1f, .weight_decay = 0.1f),
        dh_adadelta(1)};
    unsigned kinds = 0;
    for (size_t o = 0; o < sizeof all / sizeof *all; o++) {
        kinds |= 1u << all[o].kind;
        for (size_t i = 0; i < ROW_COUNT; i++) {
            work w = make_work(&rows[i], all[o]);
            one_update(&w);
            free_work(&w);
        }
    }
    for (int kind = DH_SGD;
         dh__optimizer_check(&(dh_optimizer){.kind = (dh_optimizer_kind)kind}) == DH_OK; kind++)
        assert_true(kinds >> kind & 1);
}

/* --- frozen, and shared --- */

static void frozen_layers_keep_their_bits(void **state)
{
    (void)state;
    int tried = 0;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        work w = make_work(&rows[i], dh_sgd(0.1f));
        float before[16][256];
        const dh_tensor *x = w.x, *c = w.c;
        int count = dh_model_parameter_count(w.net);
        if (count < 2 || strncmp(dh_model_parameter_name(w.net, 0), "before/", 7) != 0) {
            free_work(&w);
            continue;
        }
        tried++;
        for (int l = 0; l < w.net->net.count; l++)
            if (!strcmp(dh_layer_kind(w.net->net.layers[l]), rows[i].kind) &&
                strcmp(dh_layer_name(w.net->net.layers[l]), "before") != 0)
                assert_ok(dh_layer_freeze(w.net->net.layers[l], true));
        for (int pass = 0; pass < 2; pass++) {
            for (int p = 0; p < count; p++) {
                const char *name = dh_model_parameter_name(w.net, p);
                dh_tensor *t;
                assert_ok(dh_model_parameter(&t, w.net, name));
                size_t bytes = (size_t)dh_tensor_count(t) * sizeof(float);
                float now[256];
                assert_true(bytes <= sizeof now);
                read_floats(now, t);
                bool same = pass && !memcmp(before[p], now, bytes);
                if (pass && same != (p != 0 && strcmp(rows[i].kind, "input") != 0))
                    fail_msg("%s: %s is %s", rows[i].kind, name, same ? "the same" : "another");
                memcpy(before[p], now, bytes);
                dh_tensor_free(t);
            }
            if (!pass) assert_ok(dh_train_batch(w.net, &x, &c, NULL));
        }
        free_work(&w);
    }
    assert_true(tried >= 15);
}

static void outputs(float *out, size_t room, dh_model *net, const dh_tensor *x)
{
    dh_tensor *y;
    assert_ok(dh_predict(&y, net, x));
    assert_true((size_t)dh_tensor_count(y) <= room);
    memset(out, 0, room * sizeof *out);
    for (int64_t i = 0; i < dh_tensor_count(y); i++) out[i] = ((float *)dh_tensor_data(y))[i];
    dh_tensor_free(y);
}

/* Two models of the same layers: what either learns, both know. */
static void models_on_a_store_learn_together(void **state)
{
    (void)state;
    enum { ROOM = 4096 };
    for (size_t i = 0; i < ROW_COUNT; i++) {
        static float was[ROOM], one[ROOM], two[ROOM];
        work w = make_work(&rows[i], dh_sgd(0.1f));
        const dh_tensor *x = w.x, *c = w.c;
        dh_model *other = dh_model_new("other", .share = w.net);
        dh_input_args in = {.struct_size = sizeof in, .dtype = dh_tensor_dtype(x)};
        memcpy(in.shape, shapes[rows[i].shape], sizeof in.shape);
        dh_layer *y = dh_model_apply(w.net, {(dh_input)(other, &in)});
        assert_ok(dh_build(other, y, .loss_fn = cotangent_loss, .optimizer = dh_adam(0.05f)));
        outputs(was, ROOM, other, x);
        for (int turn = 0; turn < 2; turn++) {
            assert_ok(dh_train_batch(turn ? other : w.net, &x, &c, NULL));
            outputs(one, ROOM, w.net, x);
            outputs(two, ROOM, other, x);
            if (memcmp(one, two, sizeof one) != 0 || !memcmp(one, was, sizeof one))
                fail_msg("%s: after update %d of two models", rows[i].kind, turn + 1);
            memcpy(was, one, sizeof was);
        }
        dh_model_free(other);
        free_work(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_a_row),
        cmocka_unit_test(gradients),
        cmocka_unit_test(every_optimizer_takes_its_step),
        cmocka_unit_test(frozen_layers_keep_their_bits),
        cmocka_unit_test(models_on_a_store_learn_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
