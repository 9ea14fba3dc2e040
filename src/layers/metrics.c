/* SPDX-License-Identifier: MIT */
/* Metrics: a vector of sums per batch, and the figure made of the sums over an epoch. So the figure
 * of an epoch is that of all its samples, not a mean of batches. */
#include <math.h>
#include <string.h>

#include "objective.h"

#define AUC_STEPS 200

static dh_value op2(dh__graph *g, int op, dh_value a, dh_value b)
{
    return dh_emit2(&g->emitter, op, NULL, a, b);
}

dh_value dh__sum_samples(dh__graph *graph, dh_value per_sample)
{
    dh_value x = dh__emit_cast(graph, per_sample, DH_F32);
    dh_value sum =
        dh_emit1(&graph->emitter, DH_OP_SUM, &(dh_reduce_attr){0}, dh__per_sample(graph, x));
    return dh_emit1(&graph->emitter, DH_OP_RESHAPE, &(dh_reshape_attr){.shape = {1, {1}}}, sum);
}

double dh__metric_mean(const double *sums, int count, double samples)
{
    DH_UNUSED(count);
    return samples > 0 ? sums[0] / samples : NAN;
}

static double root_mean(const double *sums, int count, double samples)
{
    return sqrt(dh__metric_mean(sums, count, samples));
}

static bool is_integer(const dh_view *v)
{
    return !dh_dtype_is_float(v->dtype) && v->dtype != DH_BOOL;
}

/* Class numbers i64: argmax over axis 1, or the integer labels themselves. */
static dh_value labels_of(dh__graph *g, dh_value x, int prediction_ndim)
{
    if (g->emitter.status || x == DH_NO_VALUE) return DH_NO_VALUE;
    const dh_view *v = dh__graph_view(g, x);
    dh_reduce_attr axis1 = {.axes = {1, {1}}};
    if (is_integer(v) && v->ndim == prediction_ndim - 1) return dh__emit_cast(g, x, DH_I64);
    if (is_integer(v) && v->ndim == prediction_ndim && v->shape[1] == 1) {
        axis1.keepdims = false;
        return dh__emit_cast(g, dh_emit1(&g->emitter, DH_OP_SUM, &axis1, x), DH_I64);
    }
    if (v->dtype == DH_BOOL) x = dh__emit_cast(g, x, DH_U8);
    return dh_emit1(&g->emitter, DH_OP_ARGMAX, &axis1, x);
}

static dh_value binary_accuracy(dh__graph *g, dh_value p, dh_value t, int k)
{
    DH_UNUSED(k);
    dh_value half = dh__graph_scalar(g, DH_F32, 0.5);
    dh_value a = op2(g, DH_OP_GREATER, p, half);
    dh_value b = op2(g, DH_OP_GREATER, dh__target_like(g, p, t), half);
    return dh__sum_samples(g, op2(g, DH_OP_EQUAL, a, b));
}

static dh_value categorical_accuracy(dh__graph *g, dh_value p, dh_value t, int k)
{
    const dh_view *v = dh__graph_view(g, p);
    DH_UNUSED(k);
    if (!v || v->ndim < 2)
        return dh__emit_fail(g, dh_fail(DH_ESHAPE, "the prediction has %d axes, needs [N, classes]",
                                        v ? v->ndim : 0));
    int ndim = v->ndim;
    dh_value a = labels_of(g, p, ndim), b = labels_of(g, t, ndim);
    return dh__sum_samples(g, op2(g, DH_OP_EQUAL, a, b));
}

/* Keras's rule: one output is binary, several are classes. */
static dh_value accuracy(dh__graph *g, dh_value p, dh_value t, int k)
{
    const dh_view *v = dh__graph_view(g, p);
    bool one = v && (v->ndim < 2 || v->shape[1] == 1);
    return one ? binary_accuracy(g, p, t, k) : categorical_accuracy(g, p, t, k);
}

static dh_value one_hot(dh__graph *g, dh_value labels, int64_t depth)
{
    dh_one_hot_attr attr = {.depth = depth, .on = 1, .off = 0, .dtype = DH_F32};
    return dh_emit1(&g->emitter, DH_OP_ONE_HOT, &attr, labels);
}

/* A hit: fewer than k classes have more than the true one's probability; NaN is never one. [N, C]
 * only. */
static dh_value top_k(dh__graph *g, dh_value p, dh_value t, int k)
{
    const dh_view *v = dh__graph_view(g, p);
    if (!v || v->ndim != 2)
        return dh__emit_fail(g, dh_fail(DH_ESHAPE, "the prediction has %d axes, needs [N, classes]",
                                        v ? v->ndim : 0));
    dh_value hot = one_hot(g, labels_of(g, t, 2), v->shape[1]);
    dh_reduce_attr keep = {.axes = {1, {1}}, .keepdims = true}, drop = {.axes = {1, {1}}};
    /* chosen, not multiplied: 0 times an infinite logit of another class would be NaN */
    dh_value zero = dh_emit1(&g->emitter, DH_OP_FILL_LIKE, &(dh_fill_attr){0}, p);
    dh_value mine = op2(g, DH_OP_GREATER, hot, dh__graph_scalar(g, DH_F32, 0.5));
    dh_value chosen = dh_emit3(&g->emitter, DH_OP_WHERE, NULL, mine, p, zero);
    dh_value own = dh_emit1(&g->emitter, DH_OP_SUM, &keep, chosen);
    dh_value below = op2(g, DH_OP_LESS_EQUAL, p, own);
    dh_value above = dh_emit1(&g->emitter, DH_OP_LOGICAL_NOT, NULL, below);
    dh_value count = dh_emit1(&g->emitter, DH_OP_SUM, &drop, dh__emit_cast(g, above, DH_F32));
    return dh__sum_samples(g, op2(g, DH_OP_LESS, count, dh__graph_scalar(g, DH_F32, k)));
}

#define LOSS_METRIC(id, loss)                                       \
    static dh_value id(dh__graph *g, dh_value p, dh_value t, int k) \
    {                                                               \
        DH_UNUSED(k);                                               \
        return dh__sum_samples(g, dh__loss_emit(g, loss, p, t));    \
    }
LOSS_METRIC(mse, "mse")
LOSS_METRIC(mae, "mae")
LOSS_METRIC(cross_entropy, "cross_entropy")
LOSS_METRIC(binary_cross_entropy, "binary_cross_entropy")

/* Both above 0.5: [N], the intersection and the two sizes of a sample. */
static void overlap(dh__graph *g, dh_value p, dh_value t, dh_value *both, dh_value *sizes)
{
    dh_value half = dh__graph_scalar(g, DH_F32, 0.5);
    dh_value a = dh__emit_cast(g, op2(g, DH_OP_GREATER, p, half), DH_F32);
    dh_value y = dh__target_like(g, p, t);
    dh_value b = dh__emit_cast(g, op2(g, DH_OP_GREATER, y, half), DH_F32);
    *both = dh__emit_reduce(g, DH_OP_SUM, op2(g, DH_OP_MUL, a, b), 1, false);
    *sizes = dh__emit_reduce(g, DH_OP_SUM, op2(g, DH_OP_ADD, a, b), 1, false);
}

static dh_value safe_ratio(dh__graph *g, dh_value a, dh_value b)
{
    return op2(g, DH_OP_DIV, dh__emit_scale(g, a, 1, 1e-7), dh__emit_scale(g, b, 1, 1e-7));
}

/* Mean over samples of 2 |A and B| / (|A| + |B|); both empty is 1. */
static dh_value dice(dh__graph *g, dh_value p, dh_value t, int k)
{
    dh_value both, sizes;
    DH_UNUSED(k);
    overlap(g, p, t, &both, &sizes);
    return dh__sum_samples(g, safe_ratio(g, dh__emit_scale(g, both, 2, 0), sizes));
}

/* Mean over samples of |A and B| / |A or B|; both empty is 1. */
static dh_value jaccard(dh__graph *g, dh_value p, dh_value t, int k)
{
    dh_value both, sizes;
    DH_UNUSED(k);
    overlap(g, p, t, &both, &sizes);
    return dh__sum_samples(g, safe_ratio(g, both, op2(g, DH_OP_SUB, sizes, both)));
}

/* --- area under the ROC curve, all elements flattened --- */

static dh_value flat(dh__graph *g, dh_value x)
{
    return dh_emit1(&g->emitter, DH_OP_RESHAPE, &(dh_reshape_attr){.shape = {1, {-1}}}, x);
}

/* A histogram of y: the sum of y over the elements of each bin, [AUC_STEPS]. */
static dh_value in_bins(dh__graph *g, dh_value bin, dh_value y)
{
    double zeros[AUC_STEPS] = {0};
    dh_value none = dh__graph_const(g, DH_F64, 1, (int64_t[]){AUC_STEPS}, zeros);
    return dh_emit3(&g->emitter, DH_OP_SCATTER_ADD, &(dh_axis_attr){0}, none, bin, y);
}

/* Bin b holds the predictions in ((b - 1) / last, b / last], those above b - 1 thresholds at i /
 * last; what is not a probability goes into the nearest, NaN into the lowest. */
static dh_value auc(dh__graph *g, dh_value p, dh_value t, int k)
{
    const double last = AUC_STEPS - 1;
    DH_UNUSED(k);
    dh_value y = flat(g, dh__emit_cast(g, dh__target_like(g, p, t), DH_F64));
    dh_value x = dh__emit_scale(g, flat(g, dh__emit_cast(g, p, DH_F32)), last, 0);
    dh_value up = dh_emit1(&g->emitter, DH_OP_CEIL, NULL, x);
    dh_value held = dh_emit1(&g->emitter, DH_OP_CLAMP, &(dh_clamp_attr){0, last}, up);
    dh_value bin = dh__emit_cast(g, held, DH_I32);
    dh_value parts[2] = {in_bins(g, bin, y), in_bins(g, bin, dh__emit_scale(g, y, -1, 1))};
    dh_value out[DH_OP_MAX_OUT];
    if (dh_emit(&g->emitter, DH_OP_CONCAT, &(dh_axis_attr){0}, 2, parts, out)) return DH_NO_VALUE;
    return dh__emit_cast(g, out[0], DH_F32);
}

/* Trapezoids between neighbouring thresholds, from the highest, which nothing is above, to the
 * lowest, which everything is above (Fawcett 2006). */
static double auc_finish(const double *sums, int count, double samples)
{
    int n = count / 2;
    const double *positive = sums, *negative = sums + n;
    double area = 0, tp = 0, fp = 0;
    DH_UNUSED(samples);
    for (int i = n - 1; i >= 0; i--) {
        area += negative[i] * (tp + positive[i] / 2);
        tp += positive[i];
        fp += negative[i];
    }
    return tp > 0 && fp > 0 ? area / (tp * fp) : NAN; /* NaN: one class only */
}

/* --- confusion matrix: [C, C], rows the true class, columns the predicted --- */

static dh_value confusion(dh__graph *g, dh_value p, dh_value t, int k)
{
    const dh_view *v = dh__graph_view(g, p);
    DH_UNUSED(k);
    if (!v || v->ndim != 2)
        return dh__emit_fail(g, dh_fail(DH_ESHAPE, "the prediction has %d axes, needs [N, classes]",
                                        v ? v->ndim : 0));
    int64_t c = v->shape[1];
    dh_value truth = one_hot(g, labels_of(g, t, 2), c), guess = one_hot(g, labels_of(g, p, 2), c);
    dh_value turned =
        dh_emit1(&g->emitter, DH_OP_PERMUTE, &(dh_permute_attr){.axes = {2, {1, 0}}}, truth);
    dh_value matrix = op2(g, DH_OP_MATMUL, turned, guess);
    return dh_emit1(&g->emitter, DH_OP_RESHAPE, &(dh_reshape_attr){.shape = {1, {c * c}}}, matrix);
}

/* As one figure: the share on the diagonal. */
static double confusion_finish(const double *sums, int count, double samples)
{
    int c = (int)(sqrt((double)count) + 0.5);
    double hits = 0;
    for (int i = 0; i < c; i++) hits += sums[i * c + i];
    return samples > 0 ? hits / samples : NAN;
}

static const struct row {
    const char *name, *alias;
    dh_value (*emit)(dh__graph *graph, dh_value prediction, dh_value target, int k);
    double (*finish)(const double *sums, int count, double samples);
    bool rises;
} rows[] = {
    {"categorical_accuracy", "sparse_categorical_accuracy", categorical_accuracy, dh__metric_mean,
     true},
    {"accuracy", "acc", accuracy, dh__metric_mean, true},
    {"binary_accuracy", NULL, binary_accuracy, dh__metric_mean, true},
    {"mean_squared_error", "mse", mse, dh__metric_mean, false},
    {"mean_absolute_error", "mae", mae, dh__metric_mean, false},
    {"root_mean_squared_error", "rmse", mse, root_mean, false},
    {"cross_entropy", "categorical_cross_entropy", cross_entropy, dh__metric_mean, false},
    {"binary_cross_entropy", "bce", binary_cross_entropy, dh__metric_mean, false},
    {"dice", NULL, dice, dh__metric_mean, true},
    {"jaccard", "iou", jaccard, dh__metric_mean, true},
    {"auc", NULL, auc, auc_finish, true},
    {"confusion_matrix", NULL, confusion, confusion_finish, true},
    {"top_k_categorical_accuracy", NULL, top_k, dh__metric_mean, true},
};

static const char *name_at(int i, const void *payload)
{
    DH_UNUSED(payload);
    return i < (int)DH_COUNT(rows)    ? rows[i].name
           : i == (int)DH_COUNT(rows) ? "top_5_accuracy"
                                      : NULL;
}

/* "top_3_accuracy": k between the words. */
static bool parse_top(const char *name, int *k)
{
    size_t n = strlen(name);
    int64_t number;
    const char *end = "_accuracy";
    if (strncmp(name, "top_", 4) || n <= 4 + strlen(end) || strcmp(name + n - strlen(end), end))
        return false;
    if (!dh__parse_int64(name + 4, n - 4 - strlen(end), &number) || number < 1 || number > 1000000)
        return false;
    *k = (int)number;
    return true;
}

dh_status dh__metric_find(dh__metric *out, const char *name)
{
    int k = 5;
    char hint[200];
    const char *wanted = parse_top(name, &k) ? "top_k_categorical_accuracy" : name;
    for (size_t i = 0; i < DH_COUNT(rows); i++) {
        bool same =
            !strcmp(wanted, rows[i].name) || (rows[i].alias && !strcmp(wanted, rows[i].alias));
        if (!same) continue;
        *out = (dh__metric){rows[i].name, rows[i].emit, rows[i].finish, k, rows[i].rises};
        return DH_OK;
    }
    return dh_fail(DH_ENAME, "no metric \"%s\"%s", name,
                   dh__suggest(hint, sizeof hint, name, name_at, NULL));
}
