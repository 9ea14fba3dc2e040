/* SPDX-License-Identifier: MIT */
/* A model read from its own JSON, and whether it is the same: the same text, the same parameters,
 * the same predictions bit for bit. */
#ifndef DH_ARCHITECTURE_TEST_H
#define DH_ARCHITECTURE_TEST_H

#include <stdlib.h>
#include <unistd.h>

#include "model_test.h"

static char folder[] = "/tmp/dh_architecture_XXXXXX";

static inline const char *in_folder(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* Values 0, 1, 2 in no order, for a batch of 3. */
static inline dh_tensor *data_for(const dh_model *net)
{
    const dh_layer *in = dh_model_input(net, 0);
    const dh_view *v = dh__graph_view(net->net.sketch, in->sketch);
    int64_t shape[DH_MAX_NDIM] = {3};
    dh_tensor *x;
    for (int i = 1; i < v->ndim; i++) shape[i] = v->shape[i];
    assert_ok(dh_tensor_new(&x, v->dtype, v->ndim, shape));
    for (int64_t i = 0; i < dh_tensor_count(x); i++)
        dh__store(v->dtype, (char *)x->view.data + i * (int64_t)dh_dtype_size(v->dtype),
                  (double)(i * i * 7 % 11 % 3));
    return x;
}

static inline void expect_same_parameters(const dh_model *a, const dh_model *b)
{
    int count = dh_model_parameter_count(a);
    assert_int_equal(dh_model_parameter_count(b), count);
    for (int i = 0; i < count; i++) {
        dh_tensor *p, *q;
        const char *name = dh_model_parameter_name(a, i);
        assert_string_equal(dh_model_parameter_name(b, i), name);
        assert_ok(dh_model_parameter(&p, a, name));
        assert_ok(dh_model_parameter(&q, b, name));
        assert_int_equal(dh_tensor_ndim(p), dh_tensor_ndim(q));
        for (int k = 0; k < dh_tensor_ndim(p); k++)
            assert_int_equal(dh_tensor_dim(p, k), dh_tensor_dim(q, k));
        dh_tensor_free(p);
        dh_tensor_free(q);
    }
}

static inline void expect_same_predictions(dh_model *a, dh_model *b)
{
    dh_tensor *x = data_for(a), *y, *z;
    assert_ok(dh_save_weights(a, in_folder("w.safetensors")));
    assert_ok(dh_load_weights(b, in_folder("w.safetensors")));
    assert_ok(dh_predict(&y, a, x));
    assert_ok(dh_predict(&z, b, x));
    assert_int_equal(dh_tensor_dtype(y), dh_tensor_dtype(z));
    assert_int_equal(dh_tensor_count(y), dh_tensor_count(z));
    assert_memory_equal(dh_tensor_data(y), dh_tensor_data(z),
                        (size_t)dh_tensor_count(y) * dh_dtype_size(dh_tensor_dtype(y)));
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_tensor_free(z);
}

/* to_json of from_json is the text. */
static inline dh_model *again(const char *text)
{
    dh_model *net;
    char *second;
    assert_ok(dh_model_from_json(&net, text));
    assert_ok(dh_model_to_json(&second, net));
    assert_string_equal(second, text);
    dh_text_free(second);
    return net;
}

static inline int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static inline int remove_folder(void **state)
{
    (void)state;
    (void)unlink(in_folder("w.safetensors"));
    (void)unlink(in_folder("net.json"));
    return rmdir(folder);
}

#endif
