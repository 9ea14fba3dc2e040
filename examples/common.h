/* SPDX-License-Identifier: MIT */
/* What the training examples share: options, data, the report. */
#ifndef EXAMPLE_COMMON_H
#define EXAMPLE_COMMON_H

#include <deephealth.h>

typedef struct example_options {
    const char *name, *data, *memory, *device, *json, *save, *curve;
    int epochs, batch_size, threads, samples;
    unsigned long long seed;
    bool quiet;
} example_options;

/* Reads --data --samples --epochs --batch-size --seed --threads --device --memory --json --save
 * --curve --quiet over the defaults in *options. False: the program ends now with *exit_code. */
bool example_parse(example_options *options, int argc, char **argv, int *exit_code);

/* MNIST from --data, $DEEPHEALTH_DATA/mnist or a download; where it can't be had, generated digits,
 * which is said on stderr. An explicit --data must be there, and files that are there must be
 * MNIST's. With --samples N the first N rows of each part. */
bool example_mnist(const example_options *options, dh_tensor **x_train, dh_tensor **y_train,
                   dh_tensor **x_test, dh_tensor **y_test);

/* The computing service that the options name. */
dh_cs example_device(const example_options *options);

/* Prints the test figures; writes --save, --curve and --json with the epochs given, which are those
 * of dh_model_history or of a loop of one's own. False after an error was printed. */
bool example_report(const example_options *options, dh_model *model, const dh_epoch *epochs,
                    int epoch_count, const dh_result *test);

#endif
