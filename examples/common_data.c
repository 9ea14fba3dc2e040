/* SPDX-License-Identifier: MIT */
/* The data sets that the examples train on. */
#include "common.h"

#include <stdio.h>

/* A data set, and what stands in for it where it can't be had. */
typedef struct data_set {
    const char *name, *other;
    dh_status (*load)(const char *dir, dh_tensor **x_train, dh_tensor **y_train, dh_tensor **x_test,
                      dh_tensor **y_test);
    dh_status (*generate)(dh_tensor **x, dh_tensor **y, int64_t count, uint64_t seed);
    int64_t train, test; /* how many are generated */
} data_set;

/* *t := its first `rows` rows, a view on the same memory. */
static dh_status keep_rows(dh_tensor **t, int rows)
{
    char slice[32];
    dh_tensor *part;
    if (rows >= dh_tensor_dim(*t, 0)) return DH_OK;
    snprintf(slice, sizeof slice, "0:%d", rows);
    dh_status status = dh_tensor_slice(&part, *t, slice);
    if (status) return status;
    dh_tensor_free(*t);
    *t = part;
    return DH_OK;
}

static dh_status load(example_data *d, const example_options *o, const data_set *set)
{
    dh_status status = set->load(o->data, &d->x_train, &d->y_train, &d->x_test, &d->y_test);
    /* files that are there but damaged are for their owner to see to */
    if (!status || o->data || status != DH_ENOTFOUND) return status;
    fprintf(stderr,
            "%s could not be had (%s);\nusing generated %s instead: figures are not "
            "comparable with %s's\n",
            set->name, dh_error_text(), set->other, set->name);
    status = set->generate(&d->x_train, &d->y_train, set->train, 1);
    return status ? status : set->generate(&d->x_test, &d->y_test, set->test, 2);
}

static bool load_rows(example_data *out, const example_options *o, const data_set *set)
{
    example_data d = {0};
    dh_status status = load(&d, o, set);
    dh_tensor **parts[] = {&d.x_train, &d.y_train, &d.x_test, &d.y_test};
    for (int i = 0; i < 4 && !status && o->samples; i++) status = keep_rows(parts[i], o->samples);
    if (status) {
        example_data_free(&d);
        return !dh_perror(set->name);
    }
    *out = d;
    return true;
}

bool example_mnist(example_data *out, const example_options *o)
{
    static const data_set mnist = {"MNIST", "digits", dh_mnist_load, dh_digits_generate,
                                   20000,   4000};
    return load_rows(out, o, &mnist);
}

void example_data_free(example_data *data)
{
    dh_tensor_free(data->x_train);
    dh_tensor_free(data->y_train);
    dh_tensor_free(data->x_test);
    dh_tensor_free(data->y_test);
    *data = (example_data){0};
}

int example_class(const float *values)
{
    int best = 0;
    for (int k = 1; k < 10; k++)
        if (values[k] > values[best]) best = k;
    return best;
}
