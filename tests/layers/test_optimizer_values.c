/* SPDX-License-Identifier: MIT */
/* Each optimiser's trajectory against values computed here in f64, through a built model of one
 * weight whose gradient is the input; then decay, scales, clipping, regularisation, accumulation.
 */
#include "model_test.h"

#define STEPS 5

static const double gradients[STEPS] = {0.5, -1.25, 2, 0.125, -0.75};

/* The prediction itself: its gradient by the weight is the input. */
static dh_layer *identity_loss(dh_layer *target, dh_layer *prediction, void *payload)
{
    (void)target;
    (void)payload;
    return prediction;
}

static dh_model *line(const dh_build_args *more, bool bias, dh_regularizer reg)
{
    dh_model *net = dh_model_new("line");
    dh_layer *x = dh_input(net, {1});
    dh_layer *y =
        dh_dense(x, 1, .no_bias = !bias, .weight_init = {.name = "constant", .a = 1},
                 .bias_init = {.name = "constant", .a = 1}, .weight_reg = reg, .name = "d");
    dh_build_args args = *more;
    args.struct_size = sizeof args;
    args.model = net;
    args.output = y;
    args.loss_fn = identity_loss;
    assert_ok(build_on_test_device(&args));
    return net;
}

static double parameter(dh_model *net, const char *name)
{
    dh_tensor *t;
    double v;
    assert_ok(dh_model_parameter(&t, net, name));
    assert_ok(dh_tensor_get(&v, t, (int64_t[]){0, 0}));
    dh_tensor_free(t);
    return v;
}

static void step(dh_model *net, double gradient)
{
    dh_tensor *x, *y;
    assert_ok(dh_tensor_full(&x, gradient, {1, 1}));
    assert_ok(dh_tensor_zeros(&y, {1, 1}));
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    assert_ok(dh_train_batch(net, xs, ys, NULL));
    dh_tensor_free(x);
    dh_tensor_free(y);
}

static void follow(dh_optimizer o, const double *want)
{
    dh_model *net = line(&(dh_build_args){.optimizer = o}, false, (dh_regularizer){0});
    for (int t = 0; t < STEPS; t++) {
        step(net, gradients[t]);
        double w = parameter(net, "d/weight");
        if (!near(w, want[t], 2e-6))
            fail_msg("optimizer %d: after step %d the weight is %.9g, not %.9g", (int)o.kind, t + 1,
                     w, want[t]);
    }
    dh_model_free(net);
}

static void sgd(void **state)
{
    (void)state;
    for (int nesterov = 0; nesterov < 2; nesterov++) {
        double w = 1, m = 0, want[STEPS];
        for (int t = 0; t < STEPS; t++) {
            double g = gradients[t] + 0.1 * w;
            m = 0.9 * m + g;
            w -= 0.05 * (nesterov ? g + 0.9 * m : m);
            want[t] = w;
        }
        follow(dh_sgd(0.05f, .momentum = 0.9f, .weight_decay = 0.1f, .nesterov = nesterov), want);
    }
}

/* Kind 0 adam, 1 adamw, 2 adamax, 3 amsgrad. */
static void adam(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        double w = 1, m = 0, v = 0, top = 0, want[STEPS], b1 = 0.8, b2 = 0.95, lr = 0.1;
        for (int t = 1; t <= STEPS; t++) {
            double g = gradients[t - 1] + (kind == 1 ? 0 : 0.05 * w);
            if (kind == 1) w -= lr * 0.05 * w;
            m = b1 * m + (1 - b1) * g;
            v = kind == 2 ? fmax(b2 * v, fabs(g)) : b2 * v + (1 - b2) * g * g;
            double step = m / (1 - pow(b1, t));
            top = fmax(top, kind == 3 ? v : 0);
            double scale = kind == 3 ? top : v;
            w -= lr * step / (kind == 2 ? v + 1e-6 : sqrt(scale / (1 - pow(b2, t))) + 1e-6);
            want[t - 1] = w;
        }
        dh_optimizer o = kind == 1   ? dh_adamw(0.1f, 0.8f, 0.95f, 1e-6f, 0.05f)
                         : kind == 2 ? dh_adamax(0.1f, 0.8f, 0.95f, 1e-6f, 0.05f)
                                     : dh_adam(0.1f, 0.8f, 0.95f, 1e-6f, .weight_decay = 0.05f,
                                               .amsgrad = kind == 3);
        follow(o, want);
    }
}

/* Dozat 2016 with the momentum schedule mu_t = beta1 (1 - 0.96^(t / 250) / 2). */
static void nadam(void **state)
{
    (void)state;
    double w = 1, m = 0, v = 0, product = 1, want[STEPS], b1 = 0.9, b2 = 0.99;
    for (int t = 1; t <= STEPS; t++) {
        double g = gradients[t - 1];
        double mu = b1 * (1 - 0.5 * pow(0.96, 0.004 * t)),
               next = b1 * (1 - 0.5 * pow(0.96, 0.004 * (t + 1)));
        product *= mu;
        m = b1 * m + (1 - b1) * g;
        v = b2 * v + (1 - b2) * g * g;
        double bar = next * m / (1 - product * next) + (1 - mu) * g / (1 - product);
        w -= 0.02 * bar / (sqrt(v / (1 - pow(b2, t))) + 1e-8);
        want[t - 1] = w;
    }
    follow(dh_nadam(0.02f, 0.9f, 0.99f), want);
}

static void rmsprop(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) { /* bit 0: centered, bit 1: momentum */
        double w = 1, v = 0, mean = 0, b = 0, want[STEPS];
        for (int t = 0; t < STEPS; t++) {
            double g = gradients[t];
            v = 0.9 * v + 0.1 * g * g;
            mean = 0.9 * mean + 0.1 * g;
            double d = g / (sqrt(v - (kind & 1 ? mean * mean : 0)) + 1e-6);
            b = kind & 2 ? 0.5 * b + d : d;
            w -= 0.02 * b;
            want[t] = w;
        }
        follow(
            dh_rmsprop(0.02f, 0.9f, 1e-6f, .centered = kind & 1, .momentum = kind & 2 ? 0.5f : 0),
            want);
    }
}

static void ada(void **state)
{
    (void)state;
    double w = 1, s = 0, u = 0, want[STEPS];
    for (int t = 0; t < STEPS; t++) {
        s += gradients[t] * gradients[t];
        want[t] = w -= 0.1 * gradients[t] / (sqrt(s) + 1e-7);
    }
    follow(dh_adagrad(0.1f, 1e-7f), want);
    w = 1;
    s = 0;
    for (int t = 0; t < STEPS; t++) {
        double g = gradients[t];
        s = 0.8 * s + 0.2 * g * g;
        double d = g * sqrt(u + 1e-4) / sqrt(s + 1e-4);
        u = 0.8 * u + 0.2 * d * d;
        want[t] = w -= 0.5 * d;
    }
    follow(dh_adadelta(0.5f, 0.8f, 1e-4f), want);
}

static void decay_spares_biases(void **state)
{
    (void)state;
    dh_optimizer o[2] = {dh_sgd(0.5f, .weight_decay = 0.1f), dh_adamw(0.5f, .weight_decay = 0.1f)};
    for (int i = 0; i < 2; i++) {
        dh_model *net = line(&(dh_build_args){.optimizer = o[i], .clip_value = 1e-30f}, true,
                             (dh_regularizer){0});
        step(net, 0); /* the weight's gradient is 0, the bias's is clipped away */
        assert_near(parameter(net, "d/weight"), 0.95, 1e-6);
        if (i == 0) assert_near(parameter(net, "d/bias"), 1, 1e-6);
        dh_model_free(net);
    }
}

static void scale_and_rate(void **state)
{
    (void)state;
    dh_model *net = line(&(dh_build_args){.optimizer = dh_sgd(0.1f)}, true, (dh_regularizer){0});
    assert_ok(dh_model_lr_scale(net, "d/weight", 0.25f));
    step(net, 2);
    assert_near(parameter(net, "d/weight"), 1 - 0.1 * 0.25 * 2, 1e-6);
    assert_near(parameter(net, "d/bias"), 1 - 0.1, 1e-6);
    assert_ok(dh_model_set_learning_rate(net, 0.2f));
    step(net, 0);
    assert_near(parameter(net, "d/bias"), 0.9 - 0.2, 1e-6);
    dh_model_free(net);
}

/* The gradients are x for the weight and 1 for the bias. */
static void clipping(void **state)
{
    (void)state;
    static const struct {
        dh_build_args how;
        double x, weight, bias;
    } table[] = {
        {{.clip_value = 0.5f}, -3, -0.5, 0.5},
        {{.clip_value = 5}, -3, -3, 1},
        {{.clip_norm = 2}, -3, -2, 1},
        {{.clip_norm = 0.5f}, 0.25, 0.25, 0.5},
        {{.clip_global_norm = 1}, 3, 0.9486832980505138, 0.31622776601683794},
        {{.clip_global_norm = 10}, 3, 3, 1},
        {{.clip_value = 1, .clip_global_norm = 1}, 3, 0.7071067811865476, 0.7071067811865476}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        dh_build_args how = table[i].how;
        how.optimizer = dh_sgd(1);
        dh_model *net = line(&how, true, (dh_regularizer){0});
        step(net, table[i].x);
        assert_near(1 - parameter(net, "d/weight"), table[i].weight, 1e-6);
        assert_near(1 - parameter(net, "d/bias"), table[i].bias, 1e-6);
        dh_model_free(net);
    }
}

/* l1 |w| + l2 w^2: gradient l1 sign w + 2 l2 w; at w = 0 none. */
static void regularisation(void **state)
{
    (void)state;
    dh_model *net =
        line(&(dh_build_args){.optimizer = dh_sgd(0.1f)}, false, (dh_regularizer){0.3f, 0.2f});
    double w = 1;
    for (int t = 0; t < STEPS; t++) {
        step(net, gradients[t]);
        w -= 0.1 * (gradients[t] + 0.3 * (w > 0 ? 1 : -1) + 2 * 0.2 * w);
        assert_near(parameter(net, "d/weight"), w, 1e-6);
    }
    dh_model_free(net);
}

/* Gradients of three batches are averaged before the one update. */
static void accumulation(void **state)
{
    (void)state;
    dh_model *net =
        line(&(dh_build_args){.optimizer = dh_sgd(1), .accumulate = 3}, false, (dh_regularizer){0});
    dh_tensor *x, *y;
    assert_ok(dh_tensor_from_data(&x, (float[]){1, 2, 6, -3, 3, 9}, DH_F32, 2, (int64_t[]){6, 1}));
    assert_ok(dh_tensor_zeros(&y, {6, 1}));
    assert_ok(dh_fit(net, x, y, .batch_size = 1, .quiet = true, .no_shuffle = true));
    assert_near(parameter(net, "d/weight"), 1 - 3 - 3, 1e-6);
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* What is left away has the kind's default; DH_ZERO is none. */
static void zeros_and_defaults(void **state)
{
    (void)state;
    double still[STEPS] = {1, 1, 1, 1, 1}, want[STEPS], w = 1, v = 0;
    follow(dh_sgd(DH_ZERO, .momentum = 0.9f), still);
    for (int t = 0; t < STEPS; t++) { /* adam without a first moment */
        double g = gradients[t];
        v = 0.999 * v + 0.001 * g * g;
        w -= 0.1 * g / (sqrt(v / (1 - pow(0.999, t + 1))) + 1e-8);
        want[t] = w;
    }
    follow(dh_adam(0.1f, .beta1 = DH_ZERO), want);
    for (int t = 0; t < STEPS; t++) want[t] = 1;
    follow((dh_optimizer){.kind = DH_ADAMW, .learning_rate = DH_ZERO}, want);
    double m = 0, square = 0;
    w = 1;
    for (int t = 0; t < STEPS; t++) { /* adamw without decay, filled by hand */
        double g = gradients[t];
        m = 0.9 * m + 0.1 * g;
        square = 0.999 * square + 0.001 * g * g;
        w -= 0.1 * (m / (1 - pow(0.9, t + 1))) / (sqrt(square / (1 - pow(0.999, t + 1))) + 1e-8);
        want[t] = w;
    }
    follow((dh_optimizer){.kind = DH_ADAMW, .learning_rate = 0.1f, .weight_decay = DH_ZERO}, want);
    w = 1;
    for (int t = 0; t < STEPS; t++) want[t] = w -= 0.25 * gradients[t];
    follow((dh_optimizer){.learning_rate = 0.25f}, want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sgd),
        cmocka_unit_test(zeros_and_defaults),
        cmocka_unit_test(adam),
        cmocka_unit_test(nadam),
        cmocka_unit_test(rmsprop),
        cmocka_unit_test(ada),
        cmocka_unit_test(decay_spares_biases),
        cmocka_unit_test(scale_and_rate),
        cmocka_unit_test(clipping),
        cmocka_unit_test(regularisation),
        cmocka_unit_test(accumulation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
