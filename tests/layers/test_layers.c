/* SPDX-License-Identifier: MIT */
/* Layers: shapes, values of a forward pass, names, what constructors refuse, sharing. */
#include "model_test.h"

static void shapes(void **state)
{
    (void)state;
    dh_model *net = dh_model_new("shapes");
    dh_layer *x = dh_input(net, {2, 3, 4});
    dh_layer *f = dh_flatten(x), *r = dh_reshape(x, {6, -1}), *d = dh_dense(r, 5);
    dh_layer *c = dh_concat({d, d, d}), *c1 = dh_concat({r, r}, .axis = 1);
    assert_int_equal(dh_layer_ndim(x), 4);
    assert_int_equal(dh_layer_dim(x, 0), -1); /* the batch */
    assert_int_equal(dh_layer_dim(x, -1), 4);
    assert_int_equal(dh_layer_dim(x, 7), -1);
    assert_int_equal(dh_layer_dim(f, 1), 24);
    assert_int_equal(dh_layer_dim(r, 2), 4);
    assert_int_equal(dh_layer_dim(d, 2), 5);
    assert_int_equal(dh_layer_dim(c, 2), 15);
    assert_int_equal(dh_layer_dim(c1, 1), 12);
    assert_string_equal(dh_layer_kind(d), "dense");
    assert_string_equal(dh_layer_name(d), "dense1");
    assert_string_equal(dh_layer_name(dh_dense(r, 2)), "dense2");
    assert_string_equal(dh_layer_name(dh_relu(d)), "relu1");
    assert_null(dh_layer_name(NULL));
    assert_null(dh_layer_kind(NULL));
    assert_int_equal(dh_layer_ndim(NULL), 0);
    assert_int_equal(dh_layer_dim(NULL, 1), -1);
    dh_model_free(net);
}

static void expect_output(dh_layer *(*make)(dh_layer *), int64_t n, const float *in,
                          const double *want)
{
    dh_model *net = dh_model_new("one");
    dh_layer *x = dh_input(net, {n});
    assert_ok(dh_build(net, make(x), .seed = 1));
    dh_tensor *xs, *y = NULL;
    assert_ok(dh_tensor_from_data(&xs, in, DH_F32, 2, (int64_t[]){1, n}));
    assert_ok(dh_predict(&y, net, xs));
    for (int64_t i = 0; i < dh_tensor_count(y); i++)
        assert_near((double)((float *)dh_tensor_data(y))[i], want[i], 1e-5);
    dh_tensor_free(xs);
    dh_tensor_free(y);
    dh_model_free(net);
}

static dh_layer *make_dense(dh_layer *x)
{
    return dh_dense(x, 2, .activation = "relu", .weight_init = {.name = "identity", .a = 3},
                    .bias_init = {.name = "constant", .a = -1});
}
static dh_layer *make_leaky(dh_layer *x)
{
    return dh_leaky_relu(x, .alpha = 0.5f);
}
static dh_layer *make_leaky_zero(dh_layer *x)
{
    return dh_leaky_relu(x, .alpha = DH_ZERO);
}
static dh_layer *make_dense_zero(dh_layer *x)
{
    return dh_dense(x, 2, .activation = "leaky_relu", .alpha = DH_ZERO,
                    .weight_init = {.name = "identity"});
}
static dh_layer *make_leaky_default(dh_layer *x)
{
    return dh_activation(x, "leaky_relu");
}
static dh_layer *make_softmax(dh_layer *x)
{
    return dh_softmax(x);
}
static dh_layer *make_linear(dh_layer *x)
{
    return dh_linear(x, .alpha = -2);
}
static dh_layer *make_relu6(dh_layer *x)
{
    return dh_activation(x, "relu6");
}
static dh_layer *make_merge(dh_layer *x)
{
    dh_layer *d = dh_linear(x, .alpha = 3), *two = dh_constant(x, 2);
    dh_layer *s = dh_subtract({dh_average({x, d}), two}), *m = dh_multiply({x, d});
    return dh_add({dh_maximum({s, m}), dh_minimum({s, m}), x});
}
static dh_layer *make_operation(dh_layer *x)
{
    return dh_operation("mean", {dh_operation("sqr", {x})}, .attr = "axes=1, keepdims=true");
}
static dh_layer *make_layer_norm(dh_layer *x)
{
    return dh_layer_normalization(x, .epsilon = 1e-6f);
}
static dh_layer *make_batch_norm(dh_layer *x)
{
    return dh_batch_normalization(x, .epsilon = 1);
}
static dh_layer *make_dropout(dh_layer *x)
{
    return dh_dropout(x, 0.9f);
}

static void values(void **state)
{
    (void)state;
    expect_output(make_dense, 2, (float[]){1, -1}, (double[]){2, 0});
    expect_output(make_leaky, 2, (float[]){2, -2}, (double[]){2, -1});
    expect_output(make_leaky_default, 2, (float[]){2, -2}, (double[]){2, -0.02});
    expect_output(make_leaky_zero, 2, (float[]){2, -2}, (double[]){2, 0});
    expect_output(make_dense_zero, 2, (float[]){2, -2}, (double[]){2, 0});
    /* EDDL's fact */
    expect_output(make_softmax, 3, (float[]){.0303f, .2418f, -1.9007f},
                  (double[]){0.420074, 0.519014, 0.060912});
    expect_output(make_linear, 2, (float[]){2, -1}, (double[]){-4, 2});
    expect_output(make_relu6, 3, (float[]){-1, 5, 9}, (double[]){0, 5, 6});
    expect_output(make_merge, 2, (float[]){2, -1}, (double[]){2 + 12 + 2, -4 + 3 - 1});
    expect_output(make_operation, 3, (float[]){1, 2, 4}, (double[]){7});
    expect_output(make_layer_norm, 3, (float[]){1, 2, 3}, (double[]){-1.2247440, 0, 1.2247440});
    expect_output(make_batch_norm, 2, (float[]){1, -3}, (double[]){0.70710678, -2.1213203});
    expect_output(make_dropout, 2, (float[]){1, -3}, (double[]){1, -3}); /* inference */
}

/* The first failure is what build says; later constructors do nothing. */
#define REFUSED(status, expr, ...)                                        \
    do {                                                                  \
        dh_model *net = dh_model_new("bad");                              \
        dh_layer *x = dh_input(net, {4, 3}), *other = dh_input(net, {5}); \
        (void)other;                                                      \
        dh_layer *y = expr;                                               \
        assert_null(y);                                                   \
        assert_null(dh_dense(x, 2)); /* the model has failed */           \
        assert_null(dh_relu(dh_dense(y, 3)));                             \
        assert_error(dh_build(net, y), status, __VA_ARGS__);              \
        dh_model_free(net);                                               \
    } while (0)

static void refused(void **state)
{
    (void)state;
    REFUSED(DH_EINVAL, dh_dense(x, 0), "dense", "units", "0");
    REFUSED(DH_EINVAL, dh_dense(x, -3), "dense", "-3");
    REFUSED(DH_ENAME, dh_dense(x, 2, .activation = "rleu"), "dense", "rleu", "relu");
    REFUSED(DH_ENAME, dh_dense(x, 2, .weight_init = {.name = "he_norml"}), "he_norml", "he_normal");
    REFUSED(DH_ENAME, dh_activation(x, "sotfmax"), "sotfmax", "softmax");
    REFUSED(DH_EINVAL, dh_dropout(x, 1), "dropout", "rate");
    REFUSED(DH_EINVAL, dh_dropout(x, -0.1f), "dropout", "rate");
    REFUSED(DH_ESHAPE, dh_reshape(x, {5, -1}), "reshape", "5");
    REFUSED(DH_ESHAPE, dh_add({x, other}), "add", "[");
    REFUSED(DH_EINVAL, dh_add({x}), "add", "2");
    REFUSED(DH_EINVAL, dh_subtract({x, x, x}), "subtract", "3");
    REFUSED(DH_ESHAPE, dh_concat({x, other}), "concat");
    REFUSED(DH_ENAME, dh_operation("sqrr", {x}), "sqrr", "sqr");
    REFUSED(DH_EINVAL, dh_dense(x, 2, .name = "a/b"), "a/b");
}

/* dh_apply repeats a layer with its parameters. */
static void shared(void **state)
{
    (void)state;
    dh_model *net = dh_model_new("twins");
    dh_layer *a = dh_input(net, {3}), *b = dh_input(net, {3});
    dh_layer *d = dh_dense(a, 2, .name = "d"), *e = dh_apply(d, b);
    assert_ok(dh_build(net, dh_subtract({d, e}), .seed = 3));
    assert_int_equal(dh_model_parameter_count(net), 2);
    dh_tensor *x, *y = NULL;
    assert_ok(dh_tensor_random_normal(&x, {4, 3}));
    assert_ok(dh_predict(&y, net, .xs = {x, x}));
    for (int64_t i = 0; i < dh_tensor_count(y); i++)
        assert_true(((float *)dh_tensor_data(y))[i] == 0);
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_model_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(shapes), cmocka_unit_test(values),
                                       cmocka_unit_test(refused), cmocka_unit_test(shared)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
