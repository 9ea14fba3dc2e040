/* SPDX-License-Identifier: MIT */
/* Metrics: the sums of a batch and the figure of an epoch, against counts by hand. */
#include "objective_test.h"

static double figure(const char *name, int ndim, const int64_t *shape, dh_dtype dtype, int tdim,
                     const int64_t *tshape, const double *p, const double *t)
{
    objective o = open_objective(ndim, shape, dtype, tdim, tshape);
    dh__metric metric;
    float got[512];
    double sums[512];
    assert_ok(dh__metric_find(&metric, name));
    o.out = metric.emit(o.graph, o.p, o.t, metric.k);
    if (o.graph->emitter.status) fail_msg("%s: %s", name, dh_error_text());
    plan_objective(&o, false);
    feed_objective(&o, p, t);
    int64_t n = take(o.plan, o.out, got, 512);
    for (int64_t i = 0; i < n; i++) sums[i] = (double)got[i];
    close_objective(&o);
    return metric.finish(sums, (int)n, (double)shape[0]);
}

#define CHECK(want, ...)                                                                \
    do {                                                                                \
        double got_ = figure(__VA_ARGS__), want_ = (want);                              \
        if (!(fabs(got_ - want_) <= 1e-5)) fail_msg("got %.9g, not %.9g", got_, want_); \
    } while (0)

static void accuracies(void **state)
{
    (void)state;
    const double *p = VALUES(.1, .7, .2, .5, .3, .2, .2, .3, .5, .4, .4, .2);
    const double *t = VALUES(0, 1, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0);
    CHECK(0.75, "categorical_accuracy", SHAPE(4, 3), DH_F32, SHAPE(4, 3), p, t);
    CHECK(0.75, "accuracy", SHAPE(4, 3), DH_BOOL, SHAPE(4, 3), p, t);
    CHECK(0.75, "acc", SHAPE(4, 3), DH_I64, SHAPE(4), p, VALUES(1, 1, 2, 0));
    CHECK(0.75, "sparse_categorical_accuracy", SHAPE(4, 3), DH_U8, SHAPE(4, 1), p,
          VALUES(1, 1, 2, 0));
    CHECK(0.5, "accuracy", SHAPE(4, 1), DH_F32, SHAPE(4, 1), VALUES(.9, .2, .5, .6),
          VALUES(1, 1, 0, 0));
    CHECK(0.75, "binary_accuracy", SHAPE(2, 2), DH_F32, SHAPE(2, 2), VALUES(.9, .2, .4, .6),
          VALUES(1, 0, 0, 0));
    CHECK(1, "top_2_accuracy", SHAPE(4, 3), DH_F32, SHAPE(4, 3), p, t);
    CHECK(0.75, "top_1_accuracy", SHAPE(4, 3), DH_I32, SHAPE(4), p, VALUES(1, 1, 2, 0));
    CHECK(0, "top_1_accuracy", SHAPE(1, 3), DH_I32, SHAPE(1), VALUES(0, 1, -INFINITY), VALUES(0));
    /* a prediction that is not a number is no hit */
    CHECK(0, "top_2_accuracy", SHAPE(1, 3), DH_I32, SHAPE(1), VALUES(NAN, NAN, NAN), VALUES(1));
}

static void overlaps(void **state)
{
    (void)state;
    const double *p = VALUES(.9, .8, .1, .1, .2, .1, .3, .4), *t = VALUES(1, 0, 1, 0, 0, 0, 0, 0);
    CHECK((0.5 + 1) / 2, "dice", SHAPE(2, 4), DH_F32, SHAPE(2, 4), p, t);
    CHECK((1 / 3.0 + 1) / 2, "jaccard", SHAPE(2, 4), DH_U8, SHAPE(2, 4), p, t);
    CHECK((1 / 3.0 + 1) / 2, "iou", SHAPE(2, 2, 2), DH_U8, SHAPE(2, 2, 2), p, t);
}

static void errors_of_values(void **state)
{
    (void)state;
    const double *p = VALUES(1, 2, 3, 4), *t = VALUES(1, 0, 0, 4);
    CHECK(13 / 4.0, "mse", SHAPE(2, 2), DH_F32, SHAPE(2, 2), p, t);
    CHECK(sqrt(13 / 4.0), "rmse", SHAPE(2, 2), DH_F32, SHAPE(2, 2), p, t);
    CHECK(5 / 4.0, "mae", SHAPE(2, 2), DH_F32, SHAPE(2, 2), p, t);
    CHECK(-log(.5) / 2, "cross_entropy", SHAPE(2, 2), DH_I32, SHAPE(2), VALUES(.5, .5, 0, 1),
          VALUES(0, 1));
    CHECK(-log(.5), "bce", SHAPE(2, 1), DH_F32, SHAPE(2, 1), VALUES(.5, .5), VALUES(0, 1));
}

static void counts(void **state)
{
    (void)state;
    /* one of four pairs is in the wrong order */
    CHECK(0.75, "auc", SHAPE(4, 1), DH_F32, SHAPE(4, 1), VALUES(.9, .4, .6, .1),
          VALUES(1, 1, 0, 0));
    CHECK(0.5, "auc", SHAPE(4, 1), DH_F32, SHAPE(4, 1), VALUES(.3, .3, .3, .3), VALUES(1, 1, 0, 0));
    CHECK(1, "auc", SHAPE(4, 1), DH_U8, SHAPE(4, 1), VALUES(1, 1, 0, 0), VALUES(1, 1, 0, 0));
    assert_true(
        isnan(figure("auc", SHAPE(2, 1), DH_F32, SHAPE(2, 1), VALUES(.1, .2), VALUES(1, 1))));
    CHECK(2 / 3.0, "confusion_matrix", SHAPE(3, 2), DH_I32, SHAPE(3),
          VALUES(.9, .1, .2, .8, .6, .4), VALUES(0, 1, 1));
}

/* Against the share of pairs in the right order (Hanley and McNeil 1982), with predictions no two
 * of which share a bin unless they are equal; and in memory of a few numbers an element. */
static void area_under_the_curve(void **state)
{
    (void)state;
    enum { ROWS = 61, COLUMNS = 7, COUNT = ROWS * COLUMNS };
    static double p[COUNT], t[COUNT];
    double right = 0, pairs = 0;
    for (int i = 0; i < COUNT; i++) {
        t[i] = i * 37 % 11 < 4;
        p[i] = (i * 53 % 190 + 4 * t[i] + 1.5) / 199;
    }
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k < COUNT; k++) {
            if (t[i] < 0.5 || t[k] > 0.5) continue;
            pairs++;
            right += p[i] > p[k] ? 1 : p[i] < p[k] ? 0 : 0.5;
        }
    CHECK(right / pairs, "auc", SHAPE(ROWS, COLUMNS), DH_F32, SHAPE(ROWS, COLUMNS), p, t);

    dh__metric m = {0};
    const int64_t shape[] = {1000, 100};
    objective o = open_objective(2, shape, DH_F32, 2, shape);
    assert_ok(dh__metric_find(&m, "auc"));
    o.out = m.emit(o.graph, o.p, o.t, m.k);
    plan_objective(&o, false);
    assert_true(o.plan->arena_size < 60 * 100000);
    close_objective(&o);
}

static void names(void **state)
{
    (void)state;
    dh__metric m = {0};
    static const char *const bad[] = {"acuracy", "top__accuracy", "top_0_accuracy",
                                      "top_x_accuracy", ""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(dh__metric_find(&m, bad[i]), DH_ENAME);
    assert_int_equal(dh__metric_find(&m, "acuracy"), DH_ENAME);
    assert_non_null(strstr(dh_error_text(), "\"accuracy\""));
    assert_null(m.emit);
    assert_ok(dh__metric_find(&m, "top_7_accuracy"));
    assert_int_equal(m.k, 7);
    assert_true(isnan(dh__metric_mean((double[]){0}, 1, 0)));
    objective o = open_objective(SHAPE(4), DH_F32, SHAPE(4));
    assert_ok(dh__metric_find(&m, "categorical_accuracy"));
    assert_int_equal(m.emit(o.graph, o.p, o.t, 5), DH_NO_VALUE);
    assert_int_equal(o.graph->emitter.status, DH_ESHAPE);
    dh__graph_free(o.graph);
    close_objective(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accuracies),           cmocka_unit_test(overlaps),
        cmocka_unit_test(errors_of_values),     cmocka_unit_test(counts),
        cmocka_unit_test(area_under_the_curve), cmocka_unit_test(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
