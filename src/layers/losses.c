/* SPDX-License-Identifier: MIT */
/* Losses, each the loss of one sample; the model takes their weighted mean over the batch. */
#include <string.h>

#include "objective.h"

#define EPSILON 1e-7 /* probabilities are kept this far from 0 and 1 before a logarithm */

typedef dh_value (*loss_fn)(dh__graph *g, dh_value p, dh_value t);

static dh_value op1(dh__graph *g, int op, dh_value x)
{
    return dh_emit1(&g->emitter, op, NULL, x);
}

static dh_value op2(dh__graph *g, int op, dh_value a, dh_value b)
{
    return dh_emit2(&g->emitter, op, NULL, a, b);
}

dh_value dh__per_sample(dh__graph *graph, dh_value x)
{
    return dh__emit_reduce(graph, DH_OP_MEAN, x, 1, false);
}

dh_value dh__target_like(dh__graph *g, dh_value p, dh_value t)
{
    if (g->emitter.status || p == DH_NO_VALUE || t == DH_NO_VALUE) return DH_NO_VALUE;
    const dh_view *vp = dh__graph_view(g, p), *vt = dh__graph_view(g, t);
    if (vt->ndim == 1 && vp->ndim == 2 && vp->shape[1] == 1) {
        dh_reshape_attr column = {.shape = {2, {-1, 1}}};
        t = dh_emit1(&g->emitter, DH_OP_RESHAPE, &column, t);
        vt = dh__graph_view(g, t);
        vp = dh__graph_view(g, p);
        if (!vt) return DH_NO_VALUE;
    }
    char a[DH_SHAPE_TEXT], b[DH_SHAPE_TEXT];
    if (!dh__same_shape(vp, vt))
        return dh__emit_fail(g, dh_fail(DH_ESHAPE, "target is %s of %s, the prediction is %s",
                                        dh__shape_text(a, sizeof a, vt->ndim, vt->shape),
                                        dh_dtype_name(vt->dtype),
                                        dh__shape_text(b, sizeof b, vp->ndim, vp->shape)));
    return dh__emit_cast(g, t, vp->dtype);
}

static dh_value mse(dh__graph *g, dh_value p, dh_value t)
{
    return dh__per_sample(g, op1(g, DH_OP_SQR, op2(g, DH_OP_SUB, p, dh__target_like(g, p, t))));
}

static dh_value mae(dh__graph *g, dh_value p, dh_value t)
{
    return dh__per_sample(g, op1(g, DH_OP_ABS, op2(g, DH_OP_SUB, p, dh__target_like(g, p, t))));
}

/* --- categorical: classes on axis 1, as in [N, C] and [N, C, H, W] --- */

static dh_value classes_last(dh__graph *g, dh_value x)
{
    if (g->emitter.status || x == DH_NO_VALUE) return DH_NO_VALUE;
    const dh_view *v = dh__graph_view(g, x);
    if (v->ndim <= 2) return x;
    dh_permute_attr attr = {.axes = {v->ndim, {0}}};
    for (int i = 1; i + 1 < v->ndim; i++) attr.axes.v[i] = i + 1;
    attr.axes.v[v->ndim - 1] = 1;
    return dh_emit1(&g->emitter, DH_OP_PERMUTE, &attr, x);
}

/* The input of the softmax that made p over the class axis, DH_NO_VALUE if that is not how it came.
 */
static dh_value logits_of(const dh__graph *g, dh_value p)
{
    if (p == DH_NO_VALUE || g->values[p].node < 0) return DH_NO_VALUE;
    const dh__node *n = g->nodes[g->values[p].node];
    if (n->op != DH_OP_SOFTMAX) return DH_NO_VALUE;
    int ndim = g->values[p].view.ndim, axis = ((const dh_axis_attr *)n->attr)->axis;
    if (axis < 0) axis += ndim;
    return axis == 1 ? n->in[0] : DH_NO_VALUE;
}

/* Labels [N, ...] as they are (without an axis of length 1 in the classes' place), else
 * probabilities of the prediction's shape with the classes last. */
static dh_value class_target(dh__graph *g, dh_value p, dh_value t)
{
    if (g->emitter.status || p == DH_NO_VALUE || t == DH_NO_VALUE) return DH_NO_VALUE;
    const dh_view *vp = dh__graph_view(g, p), *vt = dh__graph_view(g, t);
    if (vp->ndim < 2)
        return dh__emit_fail(
            g, dh_fail(DH_ESHAPE, "the prediction has %d axes, needs [N, classes]", vp->ndim));
    bool integer = !dh_dtype_is_float(vt->dtype) && vt->dtype != DH_BOOL;
    bool ones = vt->ndim == vp->ndim && vt->shape[1] == 1 && vp->shape[1] != 1;
    if (integer && ones) {
        dh_reshape_attr attr = {.shape = {vt->ndim - 1, {-1}}};
        for (int i = 2; i < vt->ndim; i++) attr.shape.v[i - 1] = vt->shape[i];
        t = dh_emit1(&g->emitter, DH_OP_RESHAPE, &attr, t);
        vt = dh__graph_view(g, t);
    }
    if (integer && vt && vt->ndim == vp->ndim - 1) return t;
    char text[DH_SHAPE_TEXT];
    if (vt && !integer && (ones || vt->ndim == vp->ndim - 1))
        return dh__emit_fail(
            g, dh_fail(DH_EDTYPE, "target is %s of %s: class numbers must be integers, such as i32",
                       dh__shape_text(text, sizeof text, vt->ndim, vt->shape),
                       dh_dtype_name(vt->dtype)));
    return classes_last(g, dh__target_like(g, p, t));
}

static dh_value cross_entropy_logits(dh__graph *g, dh_value z, dh_value t)
{
    dh_value target = class_target(g, z, t);
    return dh__per_sample(g, op2(g, DH_OP_SOFTMAX_CROSS_ENTROPY, classes_last(g, z), target));
}

static dh_value log_safe(dh__graph *g, dh_value p)
{
    return op1(g, DH_OP_LOG, dh_emit1(&g->emitter, DH_OP_CLAMP, &(dh_clamp_attr){EPSILON, 1}, p));
}

/* -sum t log p. Where p is the output of a softmax its input is taken: exact, and one pass. */
static dh_value cross_entropy(dh__graph *g, dh_value p, dh_value t)
{
    dh_value z = logits_of(g, p);
    if (z != DH_NO_VALUE) return cross_entropy_logits(g, z, t);
    dh_value target = class_target(g, p, t);
    if (g->emitter.status) return DH_NO_VALUE;
    dh_value probability = classes_last(g, p);
    const dh_view *vp = dh__graph_view(g, probability), *vt = dh__graph_view(g, target);
    if (vt->ndim == vp->ndim - 1) {
        dh_one_hot_attr attr = {
            .depth = vp->shape[vp->ndim - 1], .on = 1, .off = 0, .dtype = (int)vp->dtype};
        target = dh_emit1(&g->emitter, DH_OP_ONE_HOT, &attr, target);
    }
    dh_value terms = op2(g, DH_OP_MUL, target, log_safe(g, probability));
    dh_reduce_attr last = {.axes = {1, {-1}}};
    dh_value sum = dh_emit1(&g->emitter, DH_OP_SUM, &last, terms);
    return dh__per_sample(g, op1(g, DH_OP_NEG, sum));
}

/* --- binary --- */

/* softplus(z) - z t: the stable form of -t log s(z) - (1 - t) log(1 - s(z)). */
static dh_value binary_logits(dh__graph *g, dh_value z, dh_value t)
{
    dh_value zt = op2(g, DH_OP_MUL, z, dh__target_like(g, z, t));
    return dh__per_sample(g, op2(g, DH_OP_SUB, op1(g, DH_OP_SOFTPLUS, z), zt));
}

static dh_value binary(dh__graph *g, dh_value p, dh_value t)
{
    if (p != DH_NO_VALUE && g->values[p].node >= 0 &&
        g->nodes[g->values[p].node]->op == DH_OP_SIGMOID)
        return binary_logits(g, g->nodes[g->values[p].node]->in[0], t);
    dh_value y = dh__target_like(g, p, t);
    dh_value q = dh__emit_scale(g, p, -1, 1), no = dh__emit_scale(g, y, -1, 1);
    dh_value a = op2(g, DH_OP_MUL, y, log_safe(g, p)), b = op2(g, DH_OP_MUL, no, log_safe(g, q));
    return dh__per_sample(g, op1(g, DH_OP_NEG, op2(g, DH_OP_ADD, a, b)));
}

/* 1 - 2 sum(t p) / (sum t + sum p), a sample at a time; empty against empty is 0. */
static dh_value dice(dh__graph *g, dh_value p, dh_value t)
{
    dh_value y = dh__target_like(g, p, t);
    dh_value both = dh__emit_reduce(g, DH_OP_SUM, op2(g, DH_OP_MUL, p, y), 1, false);
    dh_value total = dh__emit_reduce(g, DH_OP_SUM, op2(g, DH_OP_ADD, p, y), 1, false);
    dh_value ratio = op2(g, DH_OP_DIV, dh__emit_scale(g, both, 2, EPSILON),
                         dh__emit_scale(g, total, 1, EPSILON));
    return dh__emit_scale(g, ratio, -1, 1);
}

static const struct row {
    const char *name;
    loss_fn emit;
} rows[] = {
    {"mean_squared_error", mse},
    {"mse", mse},
    {"mean_absolute_error", mae},
    {"mae", mae},
    {"cross_entropy", cross_entropy},
    {"categorical_cross_entropy", cross_entropy},
    {"categorical_crossentropy", cross_entropy},
    {"sparse_categorical_crossentropy", cross_entropy},
    {"soft_cross_entropy", cross_entropy},
    {"softmax_cross_entropy", cross_entropy},
    {"categorical_cross_entropy_with_logits", cross_entropy_logits},
    {"binary_cross_entropy", binary},
    {"binary_crossentropy", binary},
    {"binary_cross_entropy_with_logits", binary_logits},
    {"dice", dice},
};

static const char *name_at(int i, const void *payload)
{
    DH_UNUSED(payload);
    return i < (int)DH_COUNT(rows) ? rows[i].name : NULL;
}

static const struct row *find(const char *name)
{
    for (size_t i = 0; i < DH_COUNT(rows); i++)
        if (!strcmp(rows[i].name, name)) return &rows[i];
    return NULL;
}

dh_status dh__loss_check(const char *name)
{
    char hint[200];
    if (find(name)) return DH_OK;
    return dh_fail(DH_ENAME, "no loss \"%s\"%s", name,
                   dh__suggest(hint, sizeof hint, name, name_at, NULL));
}

const char *dh__loss_name(const char *name)
{
    const struct row *row = find(name);
    return row ? row->name : NULL;
}

dh_value dh__loss_emit(dh__graph *graph, const char *name, dh_value prediction, dh_value target)
{
    const struct row *row = find(name);
    if (!row) return dh__emit_fail(graph, dh__loss_check(name));
    dh_value loss = row->emit(graph, prediction, target);
    if (graph->emitter.status) dh_error_prefix("loss \"%s\"", name);
    return loss;
}

dh_value dh__regularization_emit(dh__graph *graph, int count, const int *segments)
{
    dh_value total = DH_NO_VALUE;
    dh_reduce_attr all = {0};
    for (int i = 0; i < count; i++) {
        const dh__segment *s = graph->store->segments[segments[i]];
        for (int power = 1; power <= 2; power++) {
            float weight = power == 1 ? s->l1 : s->l2;
            if (weight == 0) continue;
            dh_value w = dh__graph_segment(graph, segments[i], DH_HOME_WEIGHT, 0);
            dh_value f = op1(graph, power == 1 ? DH_OP_ABS : DH_OP_SQR, w);
            dh_value term = dh__emit_scale(graph, dh_emit1(&graph->emitter, DH_OP_SUM, &all, f),
                                           (double)weight, 0);
            total = total == DH_NO_VALUE ? term : op2(graph, DH_OP_ADD, total, term);
        }
    }
    return total;
}
