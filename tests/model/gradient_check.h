/* SPDX-License-Identifier: MIT */
/* The gradients of a built model against central differences of sum(c y) / rows: all of training
 * mode, with the same random numbers, summed in f64. */
#ifndef DH_GRADIENT_CHECK_H
#define DH_GRADIENT_CHECK_H

#include "model_test.h"

#define STEP      2e-3
#define TOLERANCE 1e-3 /* f32 outputs of about 1, some tens of them, over 2 STEP */

/* loss_fn: the target is the cotangent. */
static inline dh_layer *cotangent_loss(dh_layer *target, dh_layer *prediction, void *payload)
{
    (void)payload;
    dh_layer *terms = dh_multiply({target, prediction});
    return dh_layer_ndim(terms) > 1 ? dh_reduce_sum(terms) : terms;
}

/* Random numbers of the shape of a layer's output. */
static inline dh_tensor *random_like(const dh_layer *layer, int64_t rows, uint64_t seed)
{
    dh_random_args args = {.struct_size = sizeof args, .seed = seed};
    dh_tensor *t;
    args.shape[0] = rows;
    for (int i = 1; i < dh_layer_ndim(layer); i++) args.shape[i] = dh_layer_dim(layer, i);
    assert_ok((dh_tensor_random_normal)(&t, &args));
    return t;
}

static inline double loss_of(dh_model *net, const dh_layer *y, const dh_tensor *const *x,
                             const dh_tensor *c)
{
    dh_tensor *out;
    double sum = 0;
    assert_ok(dh_forward(net, x, true));
    assert_ok(dh_layer_output(&out, y));
    const float *a = dh_tensor_data(out), *b = dh_tensor_data(c);
    for (int64_t i = 0; i < dh_tensor_count(out); i++) sum += (double)a[i] * (double)b[i];
    dh_tensor_free(out);
    return sum / (double)c->view.shape[0];
}

/* One forward and backward; the next training pass draws the same random numbers. */
static inline void make_gradients(dh_model *net, const dh_tensor *const *x, const dh_tensor *c)
{
    assert_ok(dh_zero_grads(net));
    assert_ok(dh_forward(net, x, true));
    assert_ok(dh_backward(net, &c, NULL));
    net->steps--;
}

static inline bool is_state(const char *name)
{
    return strstr(name, "/running_") != NULL;
}

/* Every element of every parameter that is trained; returns how many are not nearly 0. */
static inline int check_gradients(dh_model *net, const dh_layer *y, const dh_tensor *const *x,
                                  const dh_tensor *c, const char *what)
{
    int count = 0;
    for (int p = 0; p < dh_model_parameter_count(net); p++) {
        const char *name = dh_model_parameter_name(net, p);
        dh_tensor *w, *g;
        if (is_state(name)) continue;
        make_gradients(net, x, c);
        assert_ok(dh_model_parameter(&w, net, name));
        assert_ok(dh_model_gradient(&g, net, name));
        float *got = dh__alloc((size_t)dh_tensor_count(g) * sizeof *got);
        assert_non_null(got);
        read_floats(got, g);
        assert_ok(dh_zero_grads(net));
        for (int64_t i = 0; i < dh_tensor_count(w); i++) {
            float was = at(w, i), up = was + (float)STEP, down = was - (float)STEP;
            set_at(w, i, up);
            double above = loss_of(net, y, x, c);
            set_at(w, i, down);
            double below = loss_of(net, y, x, c);
            set_at(w, i, was);
            double want = (above - below) / ((double)up - (double)down);
            if (!near((double)got[i], want, TOLERANCE))
                fail_msg("%s: gradient of %s[%d] is %.7g, differences say %.7g", what, name, (int)i,
                         (double)got[i], want);
            count += fabs(want) > 0.02;
        }
        dh_tensor_free(w);
        dh_tensor_free(g);
        dh__free(got);
    }
    return count;
}

#endif
