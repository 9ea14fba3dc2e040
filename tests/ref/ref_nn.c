/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>

#include "ref.h"

static int axis_of(int axis, int ndim)
{
    return axis < 0 ? axis + ndim : axis;
}

/* [outer, n, inner] around an axis. */
static void split(const ref_tensor *x, int axis, int64_t *outer, int64_t *n, int64_t *inner)
{
    *outer = *inner = 1;
    for (int a = 0; a < axis; a++) *outer *= x->shape[a];
    for (int a = axis + 1; a < x->ndim; a++) *inner *= x->shape[a];
    *n = x->shape[axis];
}

static double log_sum_exp(const double *x, int64_t n, int64_t stride)
{
    double top = -INFINITY, s = 0;
    for (int64_t i = 0; i < n; i++) top = fmax(top, x[i * stride]);
    for (int64_t i = 0; i < n; i++) s += exp(x[i * stride] - top);
    return top + log(s);
}

static void softmax(const ref_call *c, bool log)
{
    int64_t outer, n, inner;
    const ref_tensor *x = &c->in[0];
    split(x, axis_of(((const dh_axis_attr *)c->attr)->axis, x->ndim), &outer, &n, &inner);
    ref_new(&c->out[0], x->ndim, x->shape);
    for (int64_t o = 0; o < outer; o++)
        for (int64_t j = 0; j < inner; j++) {
            int64_t from = o * n * inner + j;
            double lse = log_sum_exp(x->data + from, n, inner);
            for (int64_t i = 0; i < n; i++) {
                double v = x->data[from + i * inner] - lse;
                c->out[0].data[from + i * inner] = log ? v : exp(v);
            }
        }
}

static void run_softmax(const ref_call *c)
{
    softmax(c, false);
}

static void run_log_softmax(const ref_call *c)
{
    softmax(c, true);
}

/* dx_i = sum_k dy_k dy_k/dx_i, with the Jacobian written out. */
static void softmax_dx(const ref_call *c, bool log)
{
    int64_t outer, n, inner;
    const ref_tensor *dy = &c->in[0], *y = &c->in[1];
    split(y, axis_of(((const dh_axis_attr *)c->attr)->axis, y->ndim), &outer, &n, &inner);
    ref_new(&c->out[0], y->ndim, y->shape);
    for (int64_t o = 0; o < outer; o++)
        for (int64_t j = 0; j < inner; j++)
            for (int64_t i = 0; i < n; i++) {
                double s = 0;
                int64_t from = o * n * inner + j;
                double yi = y->data[from + i * inner];
                for (int64_t k = 0; k < n; k++) {
                    double yk = y->data[from + k * inner], same = i == k;
                    double slope = log ? same - exp(yi) : yk * (same - yi);
                    s += dy->data[from + k * inner] * slope;
                }
                c->out[0].data[from + i * inner] = s;
            }
}

static void run_softmax_dx(const ref_call *c)
{
    softmax_dx(c, false);
}

static void run_log_softmax_dx(const ref_call *c)
{
    softmax_dx(c, true);
}

static double target(const ref_tensor *t, bool labels, int64_t row, int64_t n, int64_t k)
{
    return labels ? (double)((int64_t)t->data[row] == k) : t->data[row * n + k];
}

static void run_cross_entropy(const ref_call *c)
{
    const ref_tensor *z = &c->in[0], *t = &c->in[1];
    int64_t n = z->shape[z->ndim - 1];
    ref_new(&c->out[0], z->ndim - 1, z->shape);
    for (int64_t r = 0; r < c->out[0].count; r++) {
        double lse = log_sum_exp(z->data + r * n, n, 1);
        for (int64_t k = 0; k < n; k++)
            c->out[0].data[r] += target(t, t->ndim < z->ndim, r, n, k) * (lse - z->data[r * n + k]);
    }
}

static void run_cross_entropy_dx(const ref_call *c)
{
    const ref_tensor *dloss = &c->in[0], *z = &c->in[1], *t = &c->in[2];
    int64_t n = z->shape[z->ndim - 1];
    ref_new(&c->out[0], z->ndim, z->shape);
    for (int64_t r = 0; r < dloss->count; r++) {
        double lse = log_sum_exp(z->data + r * n, n, 1), mass = 0;
        for (int64_t k = 0; k < n; k++) mass += target(t, t->ndim < z->ndim, r, n, k);
        for (int64_t k = 0; k < n; k++)
            c->out[0].data[r * n + k] = dloss->data[r] * (exp(z->data[r * n + k] - lse) * mass -
                                                          target(t, t->ndim < z->ndim, r, n, k));
    }
}

/* Philox4x32-10 as the paper prints it, one word. */
static uint32_t philox_word(uint64_t seed, uint64_t stream, uint64_t position)
{
    uint64_t block = position / 4;
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t c[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)stream,
                     (uint32_t)(stream >> 32)};
    for (int round = 0; round < 10; round++) {
        uint64_t a = 0xD2511F53ull * c[0], b = 0xCD9E8D57ull * c[2];
        uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ key[0], (uint32_t)b,
                            (uint32_t)(a >> 32) ^ c[3] ^ key[1], (uint32_t)a};
        for (int i = 0; i < 4; i++) c[i] = next[i];
        key[0] += 0x9E3779B9u;
        key[1] += 0xBB67AE85u;
    }
    return c[position % 4];
}

/* The number of element i in the whole batch. */
static uint64_t in_batch(const ref_call *c, int64_t i)
{
    int64_t rows = c->in[0].ndim ? c->in[0].shape[0] : 0;
    return (uint64_t)(i + (rows ? c->step->row * (c->in[0].count / rows) : 0));
}

/* Box and Muller 1958: elements 2 k and 2 k + 1 are one pair. */
static void run_noise(const ref_call *c)
{
    double stddev = ((const dh_noise_attr *)c->attr)->stddev;
    ref_new(&c->out[0], c->in[0].ndim, c->in[0].shape);
    for (int64_t i = 0; i < c->in[0].count; i++) {
        uint64_t p = c->step->position, stream = c->stream + p / (1 << 24);
        uint64_t e = in_batch(c, i), pair = p % (1 << 24) * (1ull << 40) + e / 2 * 2;
        double u0 = (double)(philox_word(c->step->seed, stream, pair) >> 8) / 16777216.0;
        double u1 = (double)(philox_word(c->step->seed, stream, pair + 1) >> 8) / 16777216.0;
        double r = sqrt(-2 * log(1 - u0)), t = 2 * acos(-1) * u1;
        c->out[0].data[i] = c->in[0].data[i] + stddev * r * (e % 2 ? sin(t) : cos(t));
    }
}

static void run_dropout(const ref_call *c)
{
    double rate = ((const dh_dropout_attr *)c->attr)->rate;
    ref_new(&c->out[0], c->in[0].ndim, c->in[0].shape);
    for (int64_t i = 0; i < c->in[0].count; i++) {
        uint64_t p = c->step->position, position = p % (1 << 24) * (1ull << 40) + in_batch(c, i);
        uint64_t stream = c->stream + p / (1 << 24);
        double u = (double)(philox_word(c->step->seed, stream, position) >> 8) / 16777216.0;
        c->out[0].data[i] = u >= rate ? c->in[0].data[i] / (1 - rate) : 0;
    }
}

static void mean_var(const double *x, int64_t outer, int64_t n, int64_t skip, double *mean,
                     double *var)
{
    double m = 0, v = 0, count = (double)(outer * n);
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < n; i++) m += x[o * skip + i] / count;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < n; i++) v += (x[o * skip + i] - m) * (x[o * skip + i] - m) / count;
    *mean = m;
    *var = v;
}

static void run_layer_norm(const ref_call *c)
{
    const dh_norm_attr *attr = c->attr;
    const ref_tensor *x = &c->in[0];
    int axis = axis_of(attr->axis, x->ndim);
    ref_new(&c->out[0], x->ndim, x->shape);
    ref_new(&c->out[1], axis, x->shape);
    ref_new(&c->out[2], axis, x->shape);
    int64_t rows = c->out[1].count, n = rows ? x->count / rows : 0;
    for (int64_t r = 0; r < rows; r++) {
        double mean, var;
        mean_var(x->data + r * n, 1, n, 0, &mean, &var);
        c->out[1].data[r] = mean;
        c->out[2].data[r] = 1 / sqrt(var + attr->epsilon);
        for (int64_t i = 0; i < n; i++) {
            double y = (x->data[r * n + i] - mean) / sqrt(var + attr->epsilon);
            if (c->in_count == 3) y = y * c->in[1].data[i] + c->in[2].data[i];
            c->out[0].data[r * n + i] = y;
        }
    }
}

/* With d = dy gamma: dx = rstd (d - mean(d) - xhat mean(d xhat)); xhat is about the mean of x, not
 * about in[2], which is a rounding of it. */
static void run_layer_norm_dx(const ref_call *c)
{
    const ref_tensor *dy = &c->in[0], *x = &c->in[1], *mean = &c->in[2], *rstd = &c->in[3];
    int axis = axis_of(((const dh_norm_attr *)c->attr)->axis, x->ndim);
    ref_new(&c->out[0], x->ndim, x->shape);
    ref_new(&c->out[1], x->ndim - axis, x->shape + axis);
    ref_new(&c->out[2], x->ndim - axis, x->shape + axis);
    int64_t n = c->out[1].count;
    for (int64_t r = 0; r < mean->count; r++) {
        double s0 = 0, s1 = 0, m, var;
        mean_var(x->data + r * n, 1, n, 0, &m, &var);
        for (int64_t i = 0; i < n; i++) {
            double d = dy->data[r * n + i], xhat = (x->data[r * n + i] - m) * rstd->data[r];
            c->out[1].data[i] += d * xhat;
            c->out[2].data[i] += d;
            if (c->in_count == 5) d *= c->in[4].data[i];
            s0 += d / (double)n;
            s1 += d * xhat / (double)n;
        }
        for (int64_t i = 0; i < n; i++) {
            double d = dy->data[r * n + i], xhat = (x->data[r * n + i] - m) * rstd->data[r];
            if (c->in_count == 5) d *= c->in[4].data[i];
            c->out[0].data[r * n + i] = rstd->data[r] * (d - s0 - xhat * s1);
        }
    }
}

static void normalise(const ref_call *c, const double *mean, const double *var,
                      const ref_tensor *gamma, const ref_tensor *beta)
{
    const dh_norm_attr *attr = c->attr;
    const ref_tensor *x = &c->in[0];
    int64_t outer, n, inner;
    split(x, axis_of(attr->axis, x->ndim), &outer, &n, &inner);
    for (int64_t i = 0; i < x->count; i++) {
        int64_t k = i / inner % n;
        double y = (x->data[i] - mean[k]) / sqrt(var[k] + attr->epsilon);
        y = gamma ? y * gamma->data[k] + beta->data[k] : y;
        if (attr->add) y += c->in[c->in_count - 1].data[i];
        c->out[0].data[i] = ref_act(attr->act, attr->alpha, y);
    }
}

static void run_batch_norm(const ref_call *c)
{
    bool affine = c->in_count - ((const dh_norm_attr *)c->attr)->add == 5;
    ref_new(&c->out[0], c->in[0].ndim, c->in[0].shape);
    normalise(c, c->in[affine ? 3 : 1].data, c->in[affine ? 4 : 2].data, affine ? &c->in[1] : NULL,
              affine ? &c->in[2] : NULL);
}

static void run_batch_norm_train(const ref_call *c)
{
    const ref_tensor *x = &c->in[0];
    int64_t outer, n, inner;
    split(x, axis_of(((const dh_norm_attr *)c->attr)->axis, x->ndim), &outer, &n, &inner);
    ref_new(&c->out[0], x->ndim, x->shape);
    ref_new(&c->out[1], 1, &n);
    ref_new(&c->out[2], 1, &n);
    for (int64_t k = 0; k < n; k++)
        mean_var(x->data + k * inner, outer, inner, n * inner, &c->out[1].data[k],
                 &c->out[2].data[k]);
    bool affine = c->in_count - ((const dh_norm_attr *)c->attr)->add == 3;
    normalise(c, c->out[1].data, c->out[2].data, affine ? &c->in[1] : NULL,
              affine ? &c->in[2] : NULL);
}

/* Of the activation whose result is the last input, if there is one, at its element i. */
static double slope_at(const ref_call *c, int64_t i)
{
    const dh_norm_attr *attr = c->attr;
    double y = c->in[c->in_count - 1].data[attr->gate ? i : 0];
    switch (attr->gate) {
    case DH_ACT_RELU: return y > 0 ? 1 : 0;
    case DH_ACT_LEAKY_RELU: return y > 0 ? 1 : attr->alpha;
    case DH_ACT_RELU6: return y > 0 && y < 6 ? 1 : 0;
    default: return 1;
    }
}

static void batch_norm_dx(const ref_call *c, bool frozen)
{
    bool affine = c->in_count - (((const dh_norm_attr *)c->attr)->gate ? 1 : 0) == 5;
    const dh_norm_attr *attr = c->attr;
    const ref_tensor *dy = &c->in[0], *x = &c->in[1];
    int64_t outer, n, inner;
    split(x, axis_of(attr->axis, x->ndim), &outer, &n, &inner);
    ref_new(&c->out[0], x->ndim, x->shape);
    ref_new(&c->out[1], 1, &n);
    ref_new(&c->out[2], 1, &n);
    double count = (double)(outer * inner);
    for (int64_t k = 0; k < n; k++) {
        double m = c->in[2].data[k], var, rstd = 1 / sqrt(c->in[3].data[k] + attr->epsilon);
        double *dgamma = &c->out[1].data[k], *dbeta = &c->out[2].data[k];
        if (!frozen) mean_var(x->data + k * inner, outer, inner, n * inner, &m, &var);
        for (int pass = 0; pass < 2; pass++)
            for (int64_t e = 0; e < outer * inner; e++) {
                int64_t i = (e / inner * n + k) * inner + e % inner;
                double xhat = (x->data[i] - m) * rstd, d = dy->data[i] * slope_at(c, i);
                if (pass == 0) {
                    *dgamma += d * xhat;
                    *dbeta += d;
                    continue;
                }
                double shift = frozen ? 0 : (*dbeta + xhat * *dgamma) / count;
                c->out[0].data[i] = (affine ? c->in[4].data[k] : 1) * rstd * (d - shift);
            }
    }
}

static void run_batch_norm_dx(const ref_call *c)
{
    batch_norm_dx(c, false);
}

static void run_batch_norm_frozen_dx(const ref_call *c)
{
    batch_norm_dx(c, true);
}

static void run_running_update(const ref_call *c)
{
    double m = ((const dh_norm_attr *)c->attr)->momentum;
    ref_new(&c->out[0], c->in[0].ndim, c->in[0].shape);
    for (int64_t i = 0; i < c->in[0].count; i++)
        c->out[0].data[i] = m * c->in[0].data[i] + (1 - m) * c->in[1].data[i];
}

const ref_entry ref_nn[] = {{"softmax", run_softmax},
                            {"softmax_dx", run_softmax_dx},
                            {"log_softmax", run_log_softmax},
                            {"log_softmax_dx", run_log_softmax_dx},
                            {"softmax_cross_entropy", run_cross_entropy},
                            {"softmax_cross_entropy_dx", run_cross_entropy_dx},
                            {"dropout", run_dropout},
                            {"gaussian_noise", run_noise},
                            {"layer_norm", run_layer_norm},
                            {"layer_norm_dx", run_layer_norm_dx},
                            {"batch_norm", run_batch_norm},
                            {"batch_norm_train", run_batch_norm_train},
                            {"batch_norm_dx", run_batch_norm_dx},
                            {"batch_norm_frozen_dx", run_batch_norm_frozen_dx},
                            {"running_update", run_running_update},
                            {0}};
