/* SPDX-License-Identifier: MIT */
/* What dh_fit calls between its steps: a function of your own, or one of the ready ones below:
 *   dh_fit(net, x, y, .epochs = 20, .callbacks = {dh_early_stopping(.patience = 3),
 *                                                 dh_lr_cosine(), dh_csv_log("log.csv")})
 *
 * A dh_callback is a plain value; fit works on its own copy, and borrows the strings. Order of
 * calls: FIT_BEGIN; each epoch: EPOCH_BEGIN, each step: STEP_BEGIN, the step, STEP_END; validation,
 * the history gets its entry, EPOCH_END; FIT_END. At each moment they are called as they stand in
 * the array. FIT_END comes to those whose FIT_BEGIN came through, also after a failure. A fit that
 * resumes amid an epoch goes on with its next step. */
#ifndef DEEPHEALTH_CALLBACKS_H
#define DEEPHEALTH_CALLBACKS_H

#include <deephealth/layers.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DH_MAX_CALLBACKS 16
#define DH_MAX_RATES     8 /* epochs that dh_lr_multi_step takes */

typedef struct dh_result dh_result;

typedef enum dh_moment {
    DH_FIT_BEGIN = 1,
    DH_EPOCH_BEGIN = 2,
    DH_STEP_BEGIN = 4,
    DH_STEP_END = 8,
    DH_EPOCH_END = 16,
    DH_FIT_END = 32
} dh_moment;

/* What a callback is told; borrowed for the call. */
typedef struct dh_event {
    dh_moment moment;
    dh_model *model;
    int epoch, epochs;   /* from 1; 0 at FIT_BEGIN */
    int64_t step, steps; /* of the epoch, from 1, and how many it has: 0 while that is not known */
    int64_t total_step;  /* over all epochs of this fit, from 1 */
    const dh_result *train, *validation; /* so far; NULL before there are any */
    bool validates;                      /* epochs end with a validation */
    double learning_rate; /* STEP_BEGIN: the model's, and what the callbacks make of it is taken for
                             this step; later: that of the last step */
    bool stop;        /* to be set: no further step, and fit returns DH_OK; an epoch begun is ended
                         as any other, but with checkpoints left to be taken up again */
    dh_status status; /* FIT_END: what fit returns */
} dh_event;

typedef struct dh_callback dh_callback;
/* Not DH_OK ends fit with that status, DH_ECANCELLED for example. It may evaluate, predict, read
 * and write parameters; building, fitting or training the model is DH_ESTATE. */
typedef dh_status (*dh_callback_fn)(dh_callback *self, dh_event *event);

struct dh_callback {
    dh_callback_fn call; /* NULL: an empty place of the array */
    void *payload;       /* the user's */
    unsigned moments;    /* the dh_moment bits at which it is called; 0: all */
    bool light;          /* it reads the event and writes only that and its state: then steps go on
                            without a break around its calls */
    const char *kind;    /* its name in messages and checkpoints; NULL: "callback" */
    const char *monitor, *path;
    double args[8];  /* its numbers, which a run that resumes must have the same after FIT_BEGIN */
    double state[8]; /* what it remembers: zeros when fit begins; checkpoints keep it */
    int64_t list[DH_MAX_RATES]; /* as args */
};

/* --- watching a figure --- */

typedef struct dh_early_stopping_args {
    size_t struct_size;
    const char *monitor, *mode;
    int patience; /* epochs without an improvement before the end; default 0: none is waited for */
    double min_delta; /* at least 0 */
    const char *best; /* a file: the weights of the best epoch are saved there and, when fit ends
                         with DH_OK, loaded again; NULL: the last ones stay */
} dh_early_stopping_args;
/* Ends fit when the figure has not improved for more than patience epochs.
 * Figures: "loss", a metric's name, either with val_ in front. NULL: val_loss where there is a
 * validation, else loss. mode: "min", "max", or NULL: "max" for accuracies, auc, dice, jaccard and
 * confusion_matrix, else "min"; a metric_fn must say it. Better is better by more than min_delta.
 */
DH_API dh_callback dh_early_stopping(const dh_early_stopping_args *args);

typedef struct dh_best_weights_args {
    size_t struct_size;
    const char *path; /* safetensors, replaced at each improvement */
    const char *monitor, *mode;
    double min_delta;
} dh_best_weights_args;
/* dh_best_weights("best.safetensors", .monitor = "val_accuracy") */
DH_API dh_callback dh_best_weights(const dh_best_weights_args *args);

/* --- learning rates --- */

/* Each multiplies the model's rate by a factor f, so that several combine (a warm-up, then a
 * decay). e is the epoch and s the step of this fit, both from 0; S all steps of fit, or .steps
 * where it is given (fit must know how long epochs are, or .steps is needed). */

typedef struct dh_lr_step_args {
    size_t struct_size;
    int epochs;   /* at least 1 */
    double gamma; /* default 0.1 */
} dh_lr_step_args;
/* f = gamma^floor(e / epochs). dh_lr_step(30) */
DH_API dh_callback dh_lr_step(const dh_lr_step_args *args);

typedef struct dh_lr_multi_step_args {
    size_t struct_size;
    int epochs[DH_MAX_RATES]; /* rising, ended by 0: f = gamma^(how many of them are <= e) */
    double gamma;             /* default 0.1 */
} dh_lr_multi_step_args;
/* dh_lr_multi_step({30, 60}, .gamma = 0.2) */
DH_API dh_callback dh_lr_multi_step(const dh_lr_multi_step_args *args);

typedef struct dh_lr_exponential_args {
    size_t struct_size;
    double gamma; /* in (0, 1] */
} dh_lr_exponential_args;
/* f = gamma^e. dh_lr_exponential(0.95) */
DH_API dh_callback dh_lr_exponential(const dh_lr_exponential_args *args);

typedef struct dh_lr_cosine_args {
    size_t struct_size;
    double end;    /* the last factor; default 0 */
    int64_t steps; /* S; 0: all of fit */
    int64_t skip;  /* steps of a warm-up, during which f = 1: the decay goes over what is left */
} dh_lr_cosine_args;
/* f = end + (1 - end) (1 + cos(pi t)) / 2, t = (s - skip) / (S - skip). Loshchilov, Hutter 2017. */
DH_API dh_callback dh_lr_cosine(const dh_lr_cosine_args *args);

typedef struct dh_lr_polynomial_args {
    size_t struct_size;
    double power; /* default 1 */
    double end;   /* the last factor; default 0 */
    int64_t steps, skip;
} dh_lr_polynomial_args;
/* f = end + (1 - end) (1 - t)^power, t as above. */
DH_API dh_callback dh_lr_polynomial(const dh_lr_polynomial_args *args);

typedef struct dh_lr_warmup_args {
    size_t struct_size;
    int64_t steps; /* at least 1 */
    double start;  /* the first factor; default 0 */
} dh_lr_warmup_args;
/* f = start + (1 - start) (s + 1) / steps for the first steps, then 1. dh_lr_warmup(500) */
DH_API dh_callback dh_lr_warmup(const dh_lr_warmup_args *args);

typedef struct dh_lr_one_cycle_args {
    size_t struct_size;
    double start; /* the first factor; default 1/25 */
    double end;   /* the last; default 1/250,000 */
    double rise;  /* the share of S in which f rises to 1; default 0.3 */
    int64_t steps;
} dh_lr_one_cycle_args;
/* f goes from start to 1 and on to end, each along half a cosine: the model's rate is the highest.
 * Smith and Topin 2018; names and shares as in PyTorch's OneCycleLR. */
DH_API dh_callback dh_lr_one_cycle(const dh_lr_one_cycle_args *args);

typedef struct dh_lr_plateau_args {
    size_t struct_size;
    const char *monitor, *mode;
    double factor;    /* in (0, 1); default 0.1 */
    double patience;  /* epochs without an improvement before a decay; default 10, DH_ZERO: none
                         is waited for */
    double min_delta; /* at least 0; default 1e-4 */
    int cooldown;     /* epochs after a decay that do not count; default 0 */
    double min_factor;
} dh_lr_plateau_args;
/* f is multiplied by factor, down to min_factor, where the figure has stopped improving. */
DH_API dh_callback dh_lr_plateau(const dh_lr_plateau_args *args);

/* --- files --- */

typedef struct dh_log_file_args {
    size_t struct_size;
    const char *path;
} dh_log_file_args;
/* A line for each epoch: epoch, seconds, learning_rate, loss, the losses of several outputs,
 * metrics, and the same of the validation with val_ in front. The whole file is written again,
 * atomically, from the model's history: after a resumed run it is as if it had never stopped. */
DH_API dh_callback dh_csv_log(const dh_log_file_args *args);
DH_API dh_callback dh_jsonl_log(const dh_log_file_args *args); /* a JSON object a line */
/* dh_model_plot_history after each epoch. */
DH_API dh_callback dh_learning_curves(const dh_log_file_args *args);

/* --- ending --- */

/* Ends fit with DH_ECANCELLED before the next step once *flag is not 0: set it from a signal
 * handler or another thread. flag: a C11 atomic_int or a volatile sig_atomic_t of the same size as
 * int. */
DH_API dh_callback dh_cancel_flag(const volatile int *flag);

typedef struct dh_deadline_args {
    size_t struct_size;
    double seconds; /* above 0, from the beginning of fit */
} dh_deadline_args;
/* Sets stop at the first step that would begin later: the epoch is ended early, and fit is DH_OK.
 */
DH_API dh_callback dh_deadline(const dh_deadline_args *args);

/* --- macros --- */
#ifndef __cplusplus
#define dh_early_stopping(...)  dh_early_stopping(DH_ARGS(dh_early_stopping_args, __VA_ARGS__))
#define dh_best_weights(...)    dh_best_weights(DH_ARGS(dh_best_weights_args, __VA_ARGS__))
#define dh_lr_step(...)         dh_lr_step(DH_ARGS(dh_lr_step_args, __VA_ARGS__))
#define dh_lr_multi_step(...)   dh_lr_multi_step(DH_ARGS(dh_lr_multi_step_args, __VA_ARGS__))
#define dh_lr_exponential(...)  dh_lr_exponential(DH_ARGS(dh_lr_exponential_args, __VA_ARGS__))
#define dh_lr_cosine(...)       dh_lr_cosine(DH_ARGS(dh_lr_cosine_args, __VA_ARGS__))
#define dh_lr_polynomial(...)   dh_lr_polynomial(DH_ARGS(dh_lr_polynomial_args, __VA_ARGS__))
#define dh_lr_warmup(...)       dh_lr_warmup(DH_ARGS(dh_lr_warmup_args, __VA_ARGS__))
#define dh_lr_one_cycle(...)    dh_lr_one_cycle(DH_ARGS(dh_lr_one_cycle_args, __VA_ARGS__))
#define dh_lr_plateau(...)      dh_lr_plateau(DH_ARGS(dh_lr_plateau_args, __VA_ARGS__))
#define dh_csv_log(...)         dh_csv_log(DH_ARGS(dh_log_file_args, __VA_ARGS__))
#define dh_jsonl_log(...)       dh_jsonl_log(DH_ARGS(dh_log_file_args, __VA_ARGS__))
#define dh_learning_curves(...) dh_learning_curves(DH_ARGS(dh_log_file_args, __VA_ARGS__))
#define dh_deadline(...)        dh_deadline(DH_ARGS(dh_deadline_args, __VA_ARGS__))
#endif

#ifdef __cplusplus
}
#endif
#endif
