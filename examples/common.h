/* SPDX-License-Identifier: MIT */
/* What the training examples share: options, data, the report. */
#ifndef EXAMPLE_COMMON_H
#define EXAMPLE_COMMON_H

#include <deephealth.h>

/* Set before example_parse: the defaults, and what the example is. */
typedef struct example_options {
    const char *name, *data, *memory, *device, *json, *save, *curve;
    const char *weights, *picture; /* NULL: it reads, it draws none, and has no such option */
    int epochs, batch_size;        /* epochs 0: it does not train */
    const char *fallback, *service;
    int threads, replicas, samples;
    dh_cs loaded; /* from service */
    unsigned long long seed;
    bool fits; /* it trains with dh_fit, so has --curve, --checkpoint and their like */
    const char *checkpoint;
    int checkpoint_steps;
    bool resume, quiet;
} example_options;

/* Reads the command line over the defaults in *options; --help lists what there is. False: the
 * program ends now with *exit_code. */
bool example_parse(example_options *options, int argc, char **argv, int *exit_code);

/* One option of a program. Exactly one of the pointers is there: it says where the value goes, and
 * holds the default. */
typedef struct example_option {
    const char *name, *value, *help; /* "--epochs", "N", "passes over the data" */
    const char **text;
    int *number;
    unsigned long long *seed;
    bool *flag;
    int least;  /* of number */
    bool lacks; /* this program has no such option */
} example_option;

/* The same for a program with a list of its own. */
bool example_parse_list(const char *program, const example_option *list, int count, int argc,
                        char **argv, int *exit_code);

/* The computing service that the options name. */
dh_cs example_device(const example_options *options);

/* What the options say to dh_fit: dh_fit(net, x, y, EXAMPLE_FIT(&options)). */
#define EXAMPLE_FIT(o)                                                         \
    .batch_size = (o)->batch_size, .epochs = (o)->epochs, .quiet = (o)->quiet, \
    .checkpoint = (o)->checkpoint, .checkpoint_steps = (o)->checkpoint_steps,  \
    .resume = (o)->resume

/* What a constructor of a built model returns: the model, or after a failure NULL, with the error
 * printed and the model freed. return example_built(net, dh_build(net, ...)); */
dh_model *example_built(dh_model *model, dh_status status);

/* --- data --- */

typedef struct example_data {
    dh_tensor *x_train, *y_train, *x_test, *y_test;
} example_data;

/* MNIST from --data, $DEEPHEALTH_DATA/mnist or a download; where it can't be had, generated digits,
 * which is said on stderr. An explicit --data must be there, and files that are there must be
 * MNIST's. With --samples N the first N rows of each part. */
bool example_mnist(example_data *out, const example_options *options);

/* The same of CIFAR-10, from --data or $DEEPHEALTH_DATA/cifar10: x [N, 3, 32, 32]; instead of it
 * coloured digits. */
bool example_cifar10(example_data *out, const example_options *options);

void example_data_free(example_data *data);

/* The class of ten probabilities, or of a one-hot label: the place of the largest. */
int example_class(const float *values);

/* --- the report --- */

/* Prints the test figures; writes --save, --curve and --json with the epochs given, which are those
 * of dh_model_history or of a loop of one's own. False after an error was printed. */
bool example_report(const example_options *options, dh_model *model, const dh_epoch *epochs,
                    int epoch_count, const dh_result *test);

/* dh_evaluate with the test data, then the report with the epochs of dh_model_history. False after
 * an error was printed. */
bool example_test(const example_options *options, dh_model *model, const example_data *data);

/* The usual run: summary, dh_fit, example_test. False after an error was printed; a NULL model,
 * whose reason was printed already, is one. */
bool example_run(const example_options *options, dh_model *model, const example_data *data);

/* Bytes of memory that this process has now, or had at most. */
long long example_rss_bytes(bool peak);

/* --- pictures --- */

/* Digits [N, 784], N a multiple of columns, row by row as --picture. False after an error was
 * printed. */
bool example_tiles(const example_options *options, const dh_tensor *digits, int columns);

#endif
