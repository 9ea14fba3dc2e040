/* SPDX-License-Identifier: MIT */
/* Weights of samples, classes and outputs: which losses they scale, and where they are refused. */
#include "model_test.h"

#define ROWS 8

static const float class_weight[] = {1, 3};
static const float sample_weight[ROWS] = {1, 0, 2, 0.5f, 4, 1, 3, 0.25f};

typedef struct set {
    dh_tensor *x, *y, *w;
} set;

static set make_set(void)
{
    set s;
    make_blobs(&s.x, &s.y, ROWS, 2, 2, 3);
    assert_ok(dh_tensor_empty(&s.w, {ROWS}));
    memcpy(dh_tensor_data(s.w), sample_weight, sizeof sample_weight);
    return s;
}

static void free_set(set *s)
{
    dh_tensor_free(s->x);
    dh_tensor_free(s->y);
    dh_tensor_free(s->w);
}

/* Squared error of a row against its target, the prediction being the row itself. */
static double row_loss(const set *s, int64_t i)
{
    const float *x = (const float *)dh_tensor_data(s->x) + 2 * i;
    const float *y = (const float *)dh_tensor_data(s->y) + 2 * i;
    double a = (double)x[0] - (double)y[0], b = (double)x[1] - (double)y[1];
    return (a * a + b * b) / 2;
}

/* Mean over rows [first, last) with the weights that are asked for. */
static double want(const set *s, bool samples, bool classes, int64_t first, int64_t last)
{
    double sum = 0;
    for (int64_t i = first; i < last; i++)
        sum += row_loss(s, i) * (samples ? (double)sample_weight[i] : 1) *
               (classes ? (double)class_weight[i % 2] : 1);
    return sum / (double)(last - first);
}

/* One or two outputs that repeat the input, and a rate of 0, so that losses stay what they are. */
static dh_model *repeater(int outputs, float second_weight)
{
    dh_model *net = dh_model_new("repeater");
    dh_layer *x = dh_input(net, {2}), *y[2] = {NULL};
    for (int o = 0; o < outputs; o++) y[o] = dh_dense(x, 2, .weight_init = {.name = "identity"});
    assert_ok(dh_build(net, NULL, .outputs = {y[0], y[1]}, .optimizer = dh_sgd(DH_ZERO),
                       .losses = {"mse", outputs > 1 ? "mse" : NULL},
                       .loss_weights = {1, outputs > 1 ? second_weight : 0}));
    return net;
}

static dh_epoch last_epoch(const dh_model *net)
{
    int count;
    const dh_epoch *history = dh_model_history(net, &count);
    assert_true(count > 0);
    return history[count - 1];
}

static void class_weight_is_of_the_first_output(void **state)
{
    (void)state;
    set s = make_set();
    dh_model *net = repeater(2, 1);
    for (int samples = 0; samples < 2; samples++) {
        assert_ok(dh_fit(net, NULL, NULL, .xs = {s.x}, .ys = {s.y, s.y}, .batch_size = 3,
                         .quiet = true, .class_weight = class_weight, .class_count = 2,
                         .sample_weight = samples ? s.w : NULL));
        dh_result r = last_epoch(net).train;
        assert_near(r.losses[0], want(&s, samples, true, 0, ROWS), 1e-6);
        assert_near(r.losses[1], want(&s, samples, false, 0, ROWS), 1e-6);
    }
    dh_model_free(net);
    free_set(&s);
}

static void an_output_of_weight_zero(void **state)
{
    (void)state;
    set s = make_set();
    for (int zero = 0; zero < 2; zero++) {
        dh_model *net = repeater(2, zero ? DH_ZERO : 0);
        dh_result r;
        assert_ok(dh_evaluate(net, NULL, NULL, .xs = {s.x}, .ys = {s.y, s.y}, .quiet = true,
                              .result = &r));
        assert_near(r.losses[1], want(&s, false, false, 0, ROWS), 1e-6);
        assert_near(r.loss, (zero ? 1 : 2) * want(&s, false, false, 0, ROWS), 1e-6);
        dh_model_free(net);
    }
    free_set(&s);
}

/* As in Keras: the rows split off take their sample weights along, class weights are of training.
 */
static void validation_split_keeps_sample_weights(void **state)
{
    (void)state;
    set s = make_set();
    dh_model *net = repeater(1, 1);
    assert_ok(dh_fit(net, s.x, s.y, .batch_size = 3, .quiet = true, .sample_weight = s.w,
                     .class_weight = class_weight, .class_count = 2, .validation_split = 0.375f));
    dh_epoch e = last_epoch(net);
    assert_near(e.train.loss, want(&s, true, true, 0, 5), 1e-6);
    assert_near(e.validation.loss, want(&s, true, false, 5, ROWS), 1e-6);
    dh_model_free(net);
    free_set(&s);
}

static dh_layer *mean_of_batch(dh_layer *target, dh_layer *prediction, void *payload)
{
    (void)payload;
    dh_layer *square = dh_operation("sqr", {dh_operation("sub", {prediction, target})});
    return dh_operation("mean", {square});
}

static void a_loss_of_the_batch_has_no_samples_to_weigh(void **state)
{
    (void)state;
    set s = make_set();
    dh_model *net = dh_model_new("scalar");
    dh_layer *y = dh_dense(dh_input(net, {2}), 2, .weight_init = {.name = "identity"});
    assert_ok(dh_build(net, y, .loss_fn = mean_of_batch, .optimizer = dh_sgd(DH_ZERO)));
    dh_result r;
    assert_ok(dh_evaluate(net, s.x, s.y, .result = &r, .quiet = true));
    assert_near(r.loss, want(&s, false, false, 0, ROWS), 1e-6);
    assert_error(dh_fit(net, s.x, s.y, .quiet = true, .sample_weight = s.w), DH_ESHAPE,
                 "fit: ", "loss_fn", "one number for the batch", "sample_weight", "[N]");
    assert_error(
        dh_fit(net, s.x, s.y, .quiet = true, .class_weight = class_weight, .class_count = 2),
        DH_ESHAPE, "fit: ", "one number for the batch", "class_weight");
    assert_error(dh_evaluate(net, s.x, s.y, .quiet = true, .sample_weight = s.w), DH_ESHAPE,
                 "evaluate: ", "one number for the batch");
    dh_model_free(net);
    free_set(&s);
}

static void class_weights_are_checked_first(void **state)
{
    (void)state;
    set s = make_set();
    dh_tensor *labels, *none;
    assert_ok(dh_tensor_zeros(&labels, {ROWS}));
    assert_ok(dh_tensor_zeros(&none, {ROWS, DH_EMPTY_AXIS}));
    dh_model *net = repeater(2, 1), *second = dh_model_new("second");
#define FIT(net, x_, first, ...)                                                             \
    dh_fit(net, NULL, NULL, .xs = {x_}, .ys = {first, s.y}, .quiet = true, .class_count = 2, \
           .class_weight = class_weight, __VA_ARGS__)
    assert_error(FIT(net, s.x, none, .epochs = 1), DH_ESHAPE, "fit: class_weight", "no class");
    ((float *)dh_tensor_data(labels))[3] = NAN;
    assert_error(FIT(net, s.x, labels, .epochs = 1), DH_EINVAL,
                 "fit: class_weight: row 3 is of class nan, class_count is 2");
    ((float *)dh_tensor_data(labels))[3] = -0.9f;
    assert_error(FIT(net, s.x, labels, .epochs = 1), DH_EINVAL, "row 3 is of class -0.9");
    ((float *)dh_tensor_data(labels))[3] = 2;
    assert_error(FIT(net, s.x, labels, .epochs = 1), DH_EINVAL, "row 3 is of class 2");
    dh_layer *x = dh_input(second, {2});
    assert_ok(dh_build(second, NULL, .outputs = {dh_dense(x, 2, .name = "first"), dh_dense(x, 2)},
                       .losses = {"none", "mse"}));
    assert_error(FIT(second, s.x, NULL, .epochs = 1), DH_EINVAL,
                 "first output, \"first\", has no y");
    assert_error(FIT(second, s.x, s.y, .epochs = 1), DH_EINVAL,
                 "first output, \"first\", has no loss");
    dh_model_free(net);
    dh_model_free(second);
    dh_tensor_free(labels);
    dh_tensor_free(none);
    free_set(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(class_weight_is_of_the_first_output),
        cmocka_unit_test(an_output_of_weight_zero),
        cmocka_unit_test(class_weights_are_checked_first),
        cmocka_unit_test(validation_split_keeps_sample_weights),
        cmocka_unit_test(a_loss_of_the_batch_has_no_samples_to_weigh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
