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

/* Pictures x [count, 3, 32, 32] of generated digits, y [count, 10]: each digit in a colour of its
 * own on another. */
static dh_status generate_pictures(dh_tensor **x, dh_tensor **y, int64_t count, uint64_t seed)
{
    dh_tensor *digits, *labels, *colours, *pictures;
    dh_status status = dh_digits_generate(&digits, &labels, count, seed);
    if (status) return status;
    status = dh_tensor_random_uniform(&colours, {count, 3, 2}, .seed = seed, .stream = 1);
    if (!status && (status = dh_tensor_empty(&pictures, {count, 3, 32, 32})) != DH_OK)
        dh_tensor_free(colours);
    if (status) {
        dh_tensor_free(digits);
        dh_tensor_free(labels);
        return status;
    }
    const float *digit = dh_tensor_data(digits), *colour = dh_tensor_data(colours);
    float *pixel = dh_tensor_data(pictures);
    for (int64_t i = 0; i < count; i++, digit += 28 * 28)
        for (int c = 0; c < 3; c++, colour += 2)
            for (int k = 0; k < 32 * 32; k++) {
                int row = k / 32 - 2, column = k % 32 - 2;
                bool inside = row >= 0 && row < 28 && column >= 0 && column < 28;
                float ink = inside ? digit[row * 28 + column] : 0;
                *pixel++ = colour[0] / 2 + (1 - colour[0] / 2) * colour[1] * ink;
            }
    dh_tensor_free(digits);
    dh_tensor_free(colours);
    *x = pictures;
    *y = labels;
    return DH_OK;
}

bool example_cifar10(example_data *out, const example_options *o)
{
    static const data_set cifar10 = {"CIFAR-10",        "pictures", dh_cifar10_load,
                                     generate_pictures, 4000,       1000};
    return load_rows(out, o, &cifar10);
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
