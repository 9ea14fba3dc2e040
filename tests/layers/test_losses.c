/* SPDX-License-Identifier: MIT */
/* Losses against formulas written out, labels against one-hot, weights of samples and classes, and
 * logits so large that only a stable form stays finite. */
#include <deephealth.h>

#include "objective_test.h"

typedef struct shape {
    int ndim;
    int64_t n[4];
} shape;

static void check(const char *name, shape s, dh_dtype dtype, shape ts, const double *p,
                  const double *t, const double *loss, const double *grad)
{
    objective o = open_objective(s.ndim, s.n, dtype, ts.ndim, ts.n);
    o.out = dh__loss_emit(o.graph, name, o.p, o.t);
    if (o.graph->emitter.status) fail_msg("%s: %s", name, dh_error_text());
    plan_objective(&o, grad != NULL);
    feed_objective(&o, p, t);
    expect_close(&o, o.out, loss, 2e-5);
    if (grad) expect_close(&o, o.grad, grad, 2e-5);
    close_objective(&o);
}

static void values(void **state)
{
    (void)state;
    shape m = {2, {2, 3}}, one = {2, {1, 5}}, labels = {1, {2}}, column = {2, {2, 1}};
    /* EDDL's facts: cross entropy of probabilities, gradient over the batch of 2 */
    const double *y = VALUES(.7, .2, .1, .3, .5, .2), *t = VALUES(1, 0, 0, 0, 1, 0);
    const double *ce = VALUES(0.35667494, 0.69314718),
                 *dce = VALUES(-1.4285714 / 2, 0, 0, 0, -1, 0);
    check("cross_entropy", m, DH_F32, m, y, t, ce, dce);
    check("categorical_cross_entropy", m, DH_BOOL, m, y, t, ce, dce);
    check("soft_cross_entropy", m, DH_I64, labels, y, VALUES(0, 1), ce, dce);
    check("sparse_categorical_crossentropy", m, DH_I32, column, y, VALUES(0, 1), ce, dce);
    /* and binary cross entropy, mean of five */
    check("binary_cross_entropy", one, DH_F32, one, VALUES(.7, .3, .9, .1, .6),
          VALUES(1, 1, 1, 0, 1), VALUES(0.4564389),
          VALUES(-.28571429, -.66666667, -.22222222, .22222222, -.33333333));
    check("mse", m, DH_F32, m, VALUES(1, 2, 3, 4, 5, 6), VALUES(1, 0, 0, 4, 4, 4),
          VALUES(13 / 3.0, 5 / 3.0), VALUES(0, 2 / 3.0, 1, 0, 1 / 3.0, 2 / 3.0));
    check("mae", m, DH_U8, m, VALUES(1, 2, 3, 4, 5, 6), VALUES(2, 0, 0, 4, 4, 8), VALUES(2, 1),
          VALUES(-1 / 6.0, 1 / 6.0, 1 / 6.0, 0, 1 / 6.0, -1 / 6.0));
    /* 1 - 2 sum tp / (sum t + sum p), one sample at a time; empty against empty is 0 */
    check("dice", m, DH_F32, m, VALUES(1, .5, 0, 0, 0, 0), VALUES(1, 1, 0, 0, 0, 0),
          VALUES(1 - 3 / 3.5, 0), NULL);
}

/* Pixels of two classes: [N, C, W] with labels [N, W]. */
static void pixels(void **state)
{
    (void)state;
    shape s = {3, {1, 2, 3}}, labels = {2, {1, 3}};
    const double *z = VALUES(2, 0, -1, 1, 0, 3);
    double want = 0;
    static const int truth[3] = {0, 1, 1};
    for (int i = 0; i < 3; i++) want += (log(exp(z[i]) + exp(z[3 + i])) - z[3 * truth[i] + i]) / 3;
    check("categorical_cross_entropy_with_logits", s, DH_I32, labels, z, VALUES(0, 1, 1), &want,
          NULL);
    check("categorical_cross_entropy_with_logits", s, DH_F32, s, z, VALUES(1, 0, 0, 0, 1, 1), &want,
          NULL);
}

static void extremes(void **state)
{
    (void)state;
    shape m = {2, {3, 2}};
    const double *z = VALUES(1e4, -1e4, 3e38, -3e38, -88, 90);
    check("categorical_cross_entropy_with_logits", m, DH_F32, m,
          VALUES(1e4, -1e4, 1e30, 0, -88, 90), VALUES(0, 1, 1, 0, 1, 0), VALUES(2e4, 0, 178),
          VALUES(1 / 3.0, -1 / 3.0, 0, 0, -1 / 3.0, 1 / 3.0));
    check("binary_cross_entropy_with_logits", m, DH_F32, m, z, VALUES(1, 1, 1, 0, 0, 0),
          VALUES(5e3, 0, 45), VALUES(0, -1 / 6.0, 0, 0, 0, 1 / 6.0));
    /* probabilities of exactly 0 and 1 are held off the logarithm */
    check("binary_cross_entropy", m, DH_F32, m, VALUES(0, 1, 1, 0, 0, 1), VALUES(0, 1, 0, 0, 1, 1),
          VALUES(0, 8.0590478, 8.0590478), NULL);
    check("cross_entropy", m, DH_F32, m, VALUES(0, 1, 1, 0, 0, 1), VALUES(0, 1, 0, 1, 1, 0),
          VALUES(0, 16.118096, 16.118096), NULL);
}

/* A model's own softmax or sigmoid is seen through: exact where its output rounds to 0 or 1. */
static void seen_through(void **state)
{
    (void)state;
    for (int binary = 0; binary < 2; binary++) {
        objective o = open_objective(SHAPE(1, 2), DH_F32, SHAPE(1, 2));
        dh_value y = binary ? op1(o.graph, DH_OP_SIGMOID, o.p)
                            : op1_attr(o.graph, DH_OP_SOFTMAX, &(dh_axis_attr){1}, o.p);
        o.out = dh__loss_emit(o.graph, binary ? "binary_cross_entropy" : "cross_entropy", y, o.t);
        plan_objective(&o, true);
        feed_objective(&o, VALUES(-200, 200), VALUES(1, 0));
        expect_close(&o, o.out, VALUES(binary ? 200 : 400), 1e-6);
        expect_close(&o, o.grad, VALUES(binary ? -.5 : -1, binary ? .5 : 1), 1e-6);
        close_objective(&o);
    }
}

static void errors(void **state)
{
    (void)state;
    static const char *const names[] = {"mse",           "mae",
                                        "cross_entropy", "binary_cross_entropy",
                                        "dice",          "binary_cross_entropy_with_logits"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        objective o = open_objective(SHAPE(2, 3), DH_F32, SHAPE(2, 4));
        assert_int_equal(dh__loss_emit(o.graph, names[i], o.p, o.t), DH_NO_VALUE);
        assert_int_equal(o.graph->emitter.status, DH_ESHAPE);
        assert_non_null(strstr(dh_error_text(), names[i]));
        assert_non_null(strstr(dh_error_text(), "[2, 4]"));
        assert_non_null(strstr(dh_error_text(), "[2, 3]"));
        dh__graph_free(o.graph);
        o.graph = NULL;
        close_objective(&o);
    }
    assert_int_equal(dh__loss_check("cross_entropi"), DH_ENAME);
    assert_non_null(strstr(dh_error_text(), "\"cross_entropy\""));
    assert_null(dh__loss_name("nothing"));
    assert_string_equal(dh__loss_name("mse"), "mse");
}

/* The mean over samples of weighted losses, weights by sample or by its class, as in Keras. */
static void weights(void **state)
{
    (void)state;
    dh_model *net = dh_model_new("identity");
    dh_layer *x = dh_input(net, {2});
    assert_ok(dh_build(net, dh_softmax(x), .loss = "cross_entropy"));
    dh_tensor *xs, *ys, *w;
    assert_ok(dh_tensor_from_data(&xs, (float[]){1, 0, 0, 2, 3, 0}, DH_F32, SHAPE(3, 2)));
    assert_ok(dh_tensor_from_data(&ys, (float[]){1, 0, 1, 0, 0, 1}, DH_F32, SHAPE(3, 2)));
    assert_ok(dh_tensor_from_data(&w, (float[]){1, 2, 0.5f}, DH_F32, SHAPE(3)));
    double each[3] = {log1p(exp(-1)), log1p(exp(2)), log1p(exp(3))};
    dh_result plain, weighted;
    assert_ok(dh_evaluate(net, xs, ys, .result = &plain, .quiet = true));
    assert_ok(dh_evaluate(net, xs, ys, .result = &weighted, .sample_weight = w, .quiet = true));
    assert_true(fabs(plain.loss - (each[0] + each[1] + each[2]) / 3) < 1e-5);
    double sum = each[0] + 2 * each[1] + 0.5 * each[2];
    assert_true(fabs(weighted.loss - sum / 3) < 1e-5);
    float class_weight[2] = {3, 0.25f};
    assert_ok(dh_fit(net, xs, ys, .class_weight = class_weight, .class_count = 2, .quiet = true));
    const dh_epoch *epoch = dh_model_history(net, NULL);
    assert_true(fabs(epoch->train.loss - (3 * each[0] + 3 * each[1] + 0.25 * each[2]) / 3) < 1e-5);
    dh_model_free(net);
    dh_tensor_free(xs);
    dh_tensor_free(ys);
    dh_tensor_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),       cmocka_unit_test(pixels), cmocka_unit_test(extremes),
        cmocka_unit_test(seen_through), cmocka_unit_test(errors), cmocka_unit_test(weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
