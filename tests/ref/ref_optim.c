/* SPDX-License-Identifier: MIT */
/* One step of each optimiser, element by element. */
#include <math.h>
#include <string.h>

#include "ref.h"

/* Outputs begin as copies of the inputs they update. */
static double *updated(const ref_call *c, int out, int in)
{
    ref_new(&c->out[out], c->in[in].ndim, c->in[in].shape);
    if (c->in[in].count)
        memcpy(c->out[out].data, c->in[in].data, (size_t)c->in[in].count * sizeof(double));
    return c->out[out].data;
}

static void run_sgd(const ref_call *c)
{
    const dh_sgd_attr *a = c->attr;
    double lr = (double)c->step->learning_rate * a->lr_scale;
    double *w = updated(c, 0, 0), *m = c->in_count == 3 ? updated(c, 1, 2) : NULL;
    for (int64_t i = 0; i < c->in[0].count; i++) {
        double g = c->in[1].data[i] + a->weight_decay * w[i], d = g;
        if (m) {
            m[i] = a->momentum * m[i] + g;
            d = a->nesterov ? g + a->momentum * m[i] : m[i];
        }
        w[i] = w[i] - lr * d;
    }
}

static double nadam_mu(const dh_adam_attr *a, double t)
{
    return a->beta1 * (1 - 0.5 * pow(0.96, 0.004 * t));
}

static void run_adam(const ref_call *c)
{
    enum { ADAM, ADAMW, ADAMAX, NADAM, AMSGRAD };
    const dh_adam_attr *a = c->attr;
    double lr = (double)c->step->learning_rate * a->lr_scale, t = (double)c->step->update;
    double *w = updated(c, 0, 0), *m = updated(c, 1, 2), *v = updated(c, 2, 3);
    double *extra = c->in_count == 5 ? updated(c, 3, 4) : NULL;
    double mu = nadam_mu(a, t), next = nadam_mu(a, t + 1);
    double product = 1;
    for (int i = 1; i <= (int)t; i++) product *= nadam_mu(a, i);
    for (int64_t i = 0; i < c->in[0].count; i++) {
        double g = c->in[1].data[i];
        if (a->variant == ADAMW)
            w[i] = w[i] - lr * a->weight_decay * w[i];
        else
            g += a->weight_decay * w[i];
        m[i] = a->beta1 * m[i] + (1 - a->beta1) * g;
        double mhat = m[i] / (1 - pow(a->beta1, t));
        if (a->variant == ADAMAX) {
            v[i] = fmax(a->beta2 * v[i], fabs(g) + a->epsilon);
            w[i] -= lr * mhat / v[i];
            continue;
        }
        v[i] = a->beta2 * v[i] + (1 - a->beta2) * g * g;
        double second = v[i];
        if (a->variant == AMSGRAD) second = extra[i] = fmax(extra[i], v[i]);
        double d = sqrt(second / (1 - pow(a->beta2, t))) + a->epsilon;
        if (a->variant == NADAM)
            w[i] -= lr * ((1 - mu) / (1 - product) * g + next / (1 - product * next) * m[i]) / d;
        else
            w[i] -= lr * mhat / d;
    }
}

static void run_rmsprop(const ref_call *c)
{
    const dh_rmsprop_attr *a = c->attr;
    double lr = (double)c->step->learning_rate * a->lr_scale;
    double *w = updated(c, 0, 0), *v = updated(c, 1, 2);
    double *mean = a->centered ? updated(c, 2, 3) : NULL;
    double *buf = a->momentum != 0 ? updated(c, c->in_count - 2, c->in_count - 1) : NULL;
    for (int64_t i = 0; i < c->in[0].count; i++) {
        double g = c->in[1].data[i] + a->weight_decay * w[i];
        v[i] = a->rho * v[i] + (1 - a->rho) * g * g;
        double under = v[i];
        if (mean) {
            mean[i] = a->rho * mean[i] + (1 - a->rho) * g;
            under = fmax(0, v[i] - mean[i] * mean[i]);
        }
        double d = g / (sqrt(under) + a->epsilon);
        if (buf) d = buf[i] = a->momentum * buf[i] + d;
        w[i] -= lr * d;
    }
}

static void run_adagrad(const ref_call *c)
{
    const dh_ada_attr *a = c->attr;
    double *w = updated(c, 0, 0), *s = updated(c, 1, 2);
    for (int64_t i = 0; i < c->in[0].count; i++) {
        double g = c->in[1].data[i] + a->weight_decay * w[i];
        s[i] += g * g;
        w[i] -= (double)c->step->learning_rate * a->lr_scale * g / (sqrt(s[i]) + a->epsilon);
    }
}

static void run_adadelta(const ref_call *c)
{
    const dh_ada_attr *a = c->attr;
    double *w = updated(c, 0, 0), *s = updated(c, 1, 2), *delta = updated(c, 2, 3);
    for (int64_t i = 0; i < c->in[0].count; i++) {
        double g = c->in[1].data[i] + a->weight_decay * w[i];
        s[i] = a->rho * s[i] + (1 - a->rho) * g * g;
        double d = g * sqrt(delta[i] + a->epsilon) / sqrt(s[i] + a->epsilon);
        delta[i] = a->rho * delta[i] + (1 - a->rho) * d * d;
        w[i] -= (double)c->step->learning_rate * a->lr_scale * d;
    }
}

static void run_clip(const ref_call *c)
{
    double squares = 0, max_norm = ((const dh_clip_attr *)c->attr)->max_norm;
    for (int k = 0; k < c->in_count; k++)
        for (int64_t i = 0; i < c->in[k].count; i++) squares += c->in[k].data[i] * c->in[k].data[i];
    double norm = sqrt(squares), factor = norm > max_norm ? max_norm / (norm + 1e-6) : 1;
    for (int k = 0; k < c->in_count; k++) {
        double *g = updated(c, k, k);
        for (int64_t i = 0; i < c->in[k].count; i++) g[i] *= factor;
    }
}

static void run_accumulate(const ref_call *c)
{
    double *acc = updated(c, 0, 0);
    for (int64_t i = 0; i < c->in[0].count; i++) acc[i] += c->in[1].data[i];
}

const ref_entry ref_optim[] = {{"sgd_step", run_sgd},           {"adam_step", run_adam},
                               {"rmsprop_step", run_rmsprop},   {"adagrad_step", run_adagrad},
                               {"adadelta_step", run_adadelta}, {"clip_norm", run_clip},
                               {"accumulate", run_accumulate},  {0}};
