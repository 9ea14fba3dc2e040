/* SPDX-License-Identifier: MIT */
/* Groups, noise, embedding, shapes, reductions and products as layers: values by hand, what flows
 * back, what is refused. */
#include "model_test.h"

typedef dh_layer *(*make_fn)(dh_layer *x);

/* Output of a layer in inference, for one sample of the given shape without the batch. */
static void expect_values(make_fn make, const dh_input_args *input, const double *x, size_t count,
                          const double *want, size_t want_count)
{
    dh_model *net = dh_model_new("net");
    dh_tensor *in, *out;
    dh_layer *y = make((dh_input)(net, input));
    assert_ok(dh_build(net, y));
    int64_t shape[DH_MAX_NDIM] = {1};
    int n = 1;
    for (int i = 0; input->shape[i]; i++) shape[n++] = input->shape[i];
    assert_ok(dh_tensor_new(&in, input->dtype ? input->dtype : DH_F32, n, shape));
    assert_int_equal(dh_tensor_count(in), count);
    for (size_t i = 0; i < count; i++)
        dh__store(in->view.dtype, (char *)in->view.data + i * dh_dtype_size(in->view.dtype), x[i]);
    assert_ok(dh_predict(&out, net, in));
    assert_int_equal(dh_tensor_count(out), want_count);
    for (size_t i = 0; i < want_count; i++)
        assert_near(
            dh__load(out->view.dtype, (char *)out->view.data + i * dh_dtype_size(out->view.dtype)),
            want[i], 1e-5);
    dh_tensor_free(in);
    dh_tensor_free(out);
    dh_model_free(net);
}
#define LIST(...)  ((const double[]){__VA_ARGS__}), sizeof((double[]){__VA_ARGS__}) / sizeof(double)
#define SHAPE(...) (&(dh_input_args){.struct_size = sizeof(dh_input_args), .shape = {__VA_ARGS__}})

static dh_layer *groups(dh_layer *x)
{
    return dh_group_normalization(x, 2, .epsilon = 1e-6f);
}
static dh_layer *instances(dh_layer *x)
{
    return dh_instance_normalization(x, .epsilon = 1e-6f, .no_center = true);
}
static dh_layer *noise(dh_layer *x)
{
    return dh_gaussian_noise(dh_spatial_dropout(x, 0.5f), 3);
}
static dh_layer *lookup(dh_layer *x)
{
    return dh_embedding(x, 3, 2, .weight_init = {.name = "identity"});
}
static dh_layer *turned(dh_layer *x)
{
    return dh_permute(x, {2, 1});
}
static dh_layer *part(dh_layer *x)
{
    return dh_slice(x, "1:,-1");
}
static dh_layer *second(dh_layer *x)
{
    return dh_select(x, 1);
}
static dh_layer *last_column(dh_layer *x)
{
    return dh_select(x, -1, .axis = 2);
}
static dh_layer *reversed(dh_layer *x)
{
    return dh_slice(x, "::-1");
}
static dh_layer *repeated(dh_layer *x)
{
    return dh_repeat(x, 2, .axis = -1);
}
static dh_layer *repeated_rows(dh_layer *x)
{
    return dh_repeat(x, 2);
}
static dh_layer *detached(dh_layer *x)
{
    return dh_detach(x);
}
static dh_layer *rows(dh_layer *x)
{
    return dh_reduce_sum(x, {2}, .keepdims = true);
}
static dh_layer *columns(dh_layer *x)
{
    return dh_reduce_sum(x, {1});
}
static dh_layer *where_most(dh_layer *x)
{
    return dh_reduce_argmax(x, {-1});
}
static dh_layer *where_least(dh_layer *x)
{
    return dh_reduce_argmin(x, {1});
}
static dh_layer *squared(dh_layer *x)
{
    return dh_matmul({x, dh_permute(x, {2, 1})});
}
static dh_layer *length(dh_layer *x)
{
    return dh_dot({x, x});
}

static void values(void **state)
{
    (void)state;
    expect_values(groups, SHAPE(4, 1), LIST(1, 3, 10, 30), LIST(-1, 1, -1, 1));
    expect_values(instances, SHAPE(2, 2), LIST(1, 3, 10, 30), LIST(-1, 1, -1, 1));
    expect_values(noise, SHAPE(2, 2), LIST(1, 3, 10, 30), LIST(1, 3, 10, 30));
    expect_values(lookup, SHAPE(3), LIST(1, 0, 2), LIST(0, 1, 1, 0, 0, 0));
    expect_values(turned, SHAPE(2, 3), LIST(1, 2, 3, 4, 5, 6), LIST(1, 4, 2, 5, 3, 6));
    expect_values(part, SHAPE(3, 2), LIST(1, 2, 3, 4, 5, 6), LIST(4, 6));
    expect_values(second, SHAPE(3, 2), LIST(1, 2, 3, 4, 5, 6), LIST(3, 4));
    expect_values(last_column, SHAPE(3, 2), LIST(1, 2, 3, 4, 5, 6), LIST(2, 4, 6));
    expect_values(reversed, SHAPE(3), LIST(1, 2, 3), LIST(3, 2, 1));
    expect_values(repeated, SHAPE(2, 2), LIST(1, 2, 3, 4), LIST(1, 1, 2, 2, 3, 3, 4, 4));
    expect_values(repeated_rows, SHAPE(2, 2), LIST(1, 2, 3, 4), LIST(1, 2, 1, 2, 3, 4, 3, 4));
    expect_values(detached, SHAPE(2), LIST(1, 2), LIST(1, 2));
    expect_values(rows, SHAPE(2, 2), LIST(1, 2, 3, 4), LIST(3, 7));
    expect_values(columns, SHAPE(2, 2), LIST(1, 2, 3, 4), LIST(4, 6));
    expect_values(where_most, SHAPE(2, 3), LIST(1, 5, 3, 9, 4, 4), LIST(1, 0));
    expect_values(where_least, SHAPE(2, 3), LIST(1, 5, 3, 9, 4, 4), LIST(0, 1, 0));
    expect_values(squared, SHAPE(2, 2), LIST(1, 2, 3, 4), LIST(5, 11, 11, 25));
    expect_values(length, SHAPE(2), LIST(3, 4), LIST(25));
}

static dh_layer *prediction_itself(dh_layer *target, dh_layer *prediction, void *payload)
{
    (void)target;
    (void)payload;
    return prediction;
}

/* y = detach(w x) + w x: the gradient by w is x, not 2 x. */
static void detach_stops_the_gradient(void **state)
{
    (void)state;
    dh_tensor *x, *y, *g;
    dh_model *net = dh_model_new("net");
    dh_layer *h = dh_dense(dh_input(net, {1}), 1, .no_bias = true, .name = "d");
    assert_ok(dh_build(net, dh_add({dh_detach(h), h}), .loss_fn = prediction_itself));
    assert_ok(dh_tensor_full(&x, 3, {1, 1}));
    assert_ok(dh_tensor_zeros(&y, {1, 1}));
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    assert_ok(dh_train_batch(net, xs, ys, NULL));
    assert_ok(dh_model_gradient(&g, net, "d/weight"));
    assert_near((double)at(g, 0), 3, 1e-6);
    dh_tensor_free(g);
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_model_free(net);
}

/* In training: whole channels are dropped, the others grow; noise has the deviation asked for. */
static void training_is_random(void **state)
{
    (void)state;
    enum { CHANNELS = 200, AREA = 50 };
    dh_tensor *x, *y;
    dh_model *net = dh_model_new("net");
    dh_layer *in = dh_input(net, {CHANNELS, AREA});
    dh_layer *drop = dh_spatial_dropout(in, 0.25f), *noisy = dh_gaussian_noise(in, 2);
    assert_ok(dh_build(net, NULL, .outputs = {drop, noisy}, .losses = {"mse", "mse"}, .seed = 4));
    assert_ok(dh_tensor_ones(&x, {1, CHANNELS, AREA}));
    const dh_tensor *xs[] = {x};
    assert_ok(dh_forward(net, xs, true));
    assert_ok(dh_layer_output(&y, drop));
    const float *d = dh_tensor_data(y);
    int dropped = 0;
    for (int c = 0; c < CHANNELS; c++) {
        dropped += d[c * AREA] == 0;
        for (int i = 0; i < AREA; i++) {
            assert_true(d[c * AREA + i] == d[c * AREA]);
            assert_true(d[c * AREA + i] == 0 || near((double)d[c * AREA + i], 4 / 3.0, 1e-6));
        }
    }
    assert_true(dropped > 30 && dropped < 70); /* 50, deviation 6 */
    dh_tensor_free(y);
    assert_ok(dh_layer_output(&y, noisy));
    d = dh_tensor_data(y);
    double sum = 0, square = 0;
    for (int i = 0; i < CHANNELS * AREA; i++) {
        sum += (double)d[i] - 1;
        square += ((double)d[i] - 1) * ((double)d[i] - 1);
    }
    assert_true(fabs(sum / (CHANNELS * AREA)) < 0.1);
    assert_near(sqrt(square / (CHANNELS * AREA)), 2, 0.03);
    dh_tensor_free(y);
    dh_tensor_free(x);
    dh_model_free(net);
}

/* Classes by the sum of two embedded numbers, through most of the layers. */
static void they_learn(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    assert_ok(dh_tensor_zeros(&x, {90, 2}, .dtype = DH_I64));
    assert_ok(dh_tensor_zeros(&y, {90}, .dtype = DH_I64));
    for (int64_t i = 0; i < 90; i++) {
        int64_t a = i % 5, b = i / 5 % 5;
        ((int64_t *)dh_tensor_data(x))[2 * i] = a;
        ((int64_t *)dh_tensor_data(x))[2 * i + 1] = b;
        ((int64_t *)dh_tensor_data(y))[i] = (a + b) % 3;
    }
    dh_model *net = dh_model_new("net");
    dh_layer *e = dh_embedding(dh_input(net, {2}, .dtype = DH_I64), 5, 8);
    dh_layer *h = dh_permute(e, {2, 1});
    h = dh_group_normalization(dh_repeat(h, 2, .axis = -1), 2);
    h = dh_concat({dh_reduce_mean(h, {2}), dh_reduce_max(h, {2}), dh_reduce_var(h, {2}),
                   dh_flatten(dh_matmul({e, dh_permute(e, {2, 1})})), dh_slice(e, "0,:"),
                   dh_slice(e, "1,:"), dh_reduce_sum(dh_dot({e, e}), {1})});
    h = dh_dense(dh_gaussian_noise(h, 0.01f), 32, .activation = "relu");
    assert_ok(dh_build(net, dh_softmax(dh_dense(h, 3)), .loss = "cross_entropy", .seed = 2,
                       .metrics = {"accuracy"}, .optimizer = dh_adam(0.02f)));
    assert_ok(dh_fit(net, x, y, .batch_size = 16, .epochs = 60, .quiet = true));
    int count;
    const dh_epoch *history = dh_model_history(net, &count);
    assert_true(history[count - 1].train.metrics[0] > 0.95);
    ((int64_t *)dh_tensor_data(x))[3] = 5;
    dh_tensor *out = NULL;
    assert_error(dh_predict(&out, net, x), DH_EINVAL, "5");
    assert_null(out);
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

#define REFUSED(status, expr, ...)                                       \
    do {                                                                 \
        dh_model *net = dh_model_new("bad");                             \
        dh_layer *x = dh_input(net, {4, 6}), *flat = dh_input(net, {5}); \
        (void)flat;                                                      \
        assert_null(expr);                                               \
        assert_error(dh_build(net, x), status, __VA_ARGS__);             \
        dh_model_free(net);                                              \
    } while (0)

static void mistakes(void **state)
{
    (void)state;
    REFUSED(DH_ESHAPE, dh_group_normalization(x, 3), "4 channels, which 3 groups do not divide");
    REFUSED(DH_ESHAPE, dh_group_normalization(flat, 5), "[N, 5]");
    REFUSED(DH_EINVAL, dh_spatial_dropout(x, 1), "rate is 1");
    REFUSED(DH_EINVAL, dh_gaussian_noise(x, -1), "stddev is -1");
    REFUSED(DH_EINVAL, dh_embedding(flat, 0, 3), "input_dim is 0");
    REFUSED(DH_EINVAL, dh_permute(x, {2}), "axes has 1 numbers, x has 2 axes after the batch");
    REFUSED(DH_EINVAL, dh_permute(x, {2, 2}), "axes[1] is 2");
    REFUSED(DH_EINVAL, dh_permute(x, {2, 3}), "axes[1] is 3");
    REFUSED(DH_EINVAL, dh_slice(x, NULL), "slices");
    REFUSED(DH_ESHAPE, dh_slice(x, ":,:,:"), ":,:,:", "2 axes");
    REFUSED(DH_EINVAL, dh_slice(x, "4"), "4");
    REFUSED(DH_EINVAL, dh_select(x, 4), "select \"select1\": index is 4, axis 1 has 4 elements");
    REFUSED(DH_EINVAL, dh_select(x, -7, .axis = 2), "index is -7, axis 2 has 6 elements");
    REFUSED(DH_EINVAL, dh_select(x, 0, .axis = -3), "is the batch");
    REFUSED(DH_EINVAL, dh_select(flat, 0, .axis = 2), "axis is 2");
    REFUSED(DH_EINVAL, dh_repeat(x, 0), "repeats is 0");
    REFUSED(DH_EINVAL, dh_repeat(x, 2, .axis = 3), "axis is 3");
    REFUSED(DH_EINVAL, dh_reduce_sum(x, {3}), "axis is 3");
    REFUSED(DH_EINVAL, dh_reduce_argmax(x), "axes has 2 numbers, needs 1");
    REFUSED(DH_ESHAPE, dh_matmul({x, x}), "4", "6");
    REFUSED(DH_ESHAPE, dh_matmul({x, flat}), "[N, 4, 6]", "[N, 5]");
    REFUSED(DH_ESHAPE, dh_dot({x, flat}), "[N, 4, 6]", "[N, 5]");
    REFUSED(DH_EINVAL, dh_dot({x}), "inputs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(values),
                                       cmocka_unit_test(detach_stops_the_gradient),
                                       cmocka_unit_test(training_is_random),
                                       cmocka_unit_test(they_learn), cmocka_unit_test(mistakes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
