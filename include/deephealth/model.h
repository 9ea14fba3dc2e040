/* SPDX-License-Identifier: MIT */
/* Models: build, fit, evaluate, predict, and the fine-grained loop. A model owns its layers and
 * plans and belongs to one thread at a time; session.h lets many predict with it. */
#ifndef DEEPHEALTH_MODEL_H
#define DEEPHEALTH_MODEL_H

#include <deephealth/callbacks.h>
#include <deephealth/computing_service.h>
#include <deephealth/layers.h>
#include <deephealth/optimizers.h>
#include <deephealth/source.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DH_MAX_METRICS 16 /* metrics of a model */

/* --- building --- */

typedef struct dh_model_args {
    size_t struct_size;
    const char *name;
    dh_model *share; /* another model: both then have one parameter store, and layers that are given
                        the same name the same parameters; automatic names are never those of
                        another model's parameters. It need not outlive this one */
} dh_model_args;
/* NULL if memory ran out. dh_model_new("mlp") */
DH_API dh_model *dh_model_new(const dh_model_args *args);
DH_API void dh_model_free(dh_model *model); /* NULL is fine */

/* A loss of the user's own: composes layers and returns the loss of each sample, [N] or [N, ...]
 * (averaged), or one number for the batch (which weights of samples and classes cannot scale), or
 * NULL after a failure. The layers it makes are of this build: the next dh_build drops those that
 * no layer made outside reads, and calls the function again. Their automatic names begin with loss_
 * or metric_; under the same name a parameter keeps its values. It must not build the model. */
typedef dh_layer *(*dh_loss_fn)(dh_layer *target, dh_layer *prediction, void *payload);

typedef struct dh_build_args {
    size_t struct_size;
    dh_model *model;
    dh_layer *output; /* or several; default: those known (dh_model_output) */
    dh_layer *outputs[DH_MAX_IO];
    dh_layer *inputs[DH_MAX_IO]; /* default: all inputs that the outputs need, as they were made */
    dh_optimizer optimizer;      /* default dh_sgd(0.01f) */
    const char *loss;            /* of the first output; NULL: none, the model only predicts */
    const char *losses[DH_MAX_IO]; /* one an output, where there are several */
    dh_loss_fn loss_fn;            /* instead of loss */
    void *loss_payload;
    float loss_weights[DH_MAX_IO];       /* 0 is 1, DH_ZERO is 0 */
    const char *metrics[DH_MAX_METRICS]; /* of the first output; "layer:metric" of another */
    dh_loss_fn metric_fn;                /* one more metric, averaged over samples */
    const char *metric_fn_name;          /* default "metric_fn" */
    void *metric_payload;
    dh_cs device;
    dh_layer *keep[DH_MAX_IO]; /* layers whose outputs can be read after a step */
    uint64_t seed;             /* of initial weights, dropout and shuffling */
    float clip_value;          /* every gradient element into [-v, v] */
    float clip_norm;           /* each parameter's gradient to at most this norm */
    float clip_global_norm;    /* all gradients together */
    int accumulate;            /* batches of fit whose gradients are averaged before an update
                                  (an epoch's last may be of fewer; their sum over
                                  accumulate where its end comes unforeseen); 0 is 1 */
    bool keep_gradients;       /* dh_model_gradient gives those of a whole step (fit, train_batch)
                                  at the levels mid_mem and low_mem too, which otherwise update
                                  each parameter as soon as its gradient is there, and keep none;
                                  full_mem keeps them, and so do accumulation and clipping */
} dh_build_args;
/* Checks everything, lays out parameters and draws their initial values (those that a shared store
 * already has are kept). Returns the first failure of any constructor; after a failure the model is
 * not built, whatever it was before, with its parameters as they were. Losses: mse, mae,
 * cross_entropy (= categorical_cross_entropy, soft_cross_entropy: probabilities, one-hot or integer
 * labels; exact when the model ends in softmax), categorical_cross_entropy_with_logits,
 * binary_cross_entropy, binary_cross_entropy_with_logits, dice. Metrics: accuracy,
 * categorical_accuracy, top_K_accuracy, binary_accuracy, mse, mae, rmse, cross_entropy,
 * binary_cross_entropy, dice, jaccard, auc, confusion_matrix (its figure is the share on the
 * diagonal; dh_model_metric_values gives the counts). */
DH_API DH_NODISCARD dh_status dh_build(const dh_build_args *args);

/* Takes a built model, with its parameters and all that training keeps, to another computing
 * service; its steps go on there. DH_ESTATE in fit, while sessions or tensors on its parameters are
 * held, and where another model shares them; errors of devices as of dh_build. After a failure it
 * is where it was. From a device that has disappeared it comes to the CPU with the parameters last
 * copied to the host, at the latest at the end of fit's last epoch, which a warning tells.
 * dh_model_to_cpu(net), dh_model_to_fpga(net, {0, 1}) */
DH_API DH_NODISCARD dh_status dh_model_to_device(dh_model *model, dh_cs device);
typedef struct dh_model_to_cpu_args { /* as of dh_cs_cpu */
    size_t struct_size;
    dh_model *model;
    int threads;
    const char *memory;
    int replicas, lsb;
} dh_model_to_cpu_args;
/* To the CPU. */
DH_API DH_NODISCARD dh_status dh_model_to_cpu(const dh_model_to_cpu_args *args);
typedef struct dh_model_to_args { /* as of dh_cs_gpu and dh_cs_fpga */
    size_t struct_size;
    dh_model *model;
    int mask[DH_MAX_DEVICES];
    int lsb;
    const char *memory;
    int replicas;
    const char *fallback;
} dh_model_to_args;
/* To what dh_cs_gpu and dh_cs_fpga mean. */
DH_API DH_NODISCARD dh_status dh_model_to_gpu(const dh_model_to_args *args);
DH_API DH_NODISCARD dh_status dh_model_to_fpga(const dh_model_to_args *args);
/* The device that it computes on, "cpu"; of one that is not built where its parameters are.
 * Borrowed. */
DH_API const char *dh_model_device(const dh_model *model);

/* --- a model as a layer of another --- */

typedef struct dh_model_apply_args {
    size_t struct_size;
    dh_model *model;             /* built, which says what its inputs and outputs are */
    dh_layer *inputs[DH_MAX_IO]; /* one for each of its inputs, of the same shape; ended by NULL */
    dh_layer **outputs; /* room for DH_MAX_IO: all its outputs, NULL behind them and after a failure
                         */
    const char *name;   /* before the names of the layers; default the model's */
    bool frozen;        /* not trained in this model, as by dh_layer_freeze */
} dh_model_apply_args;
/* The layers of a model, as they are now, again on other inputs, with the same parameters: what one
 * model learns the other knows. Returns the first output. The two must share a store:
 * gan = dh_model_new("gan", .share = critic); dh_model_apply(critic, {y}, .frozen = true). A layer
 * "d" of "critic" is "critic.d" here, "critic2.d" when applied again; parameters keep the name
 * "d/weight". What is frozen in the model is frozen here. It may be freed or built anew before this
 * one. Its optimiser, losses and metrics have no part in it. DH_ESTATE if it is not built. */
DH_API dh_layer *dh_model_apply(const dh_model_apply_args *args);

/* --- training --- */

/* Figures of a pass over data: means over its samples. */
typedef struct dh_result {
    double loss; /* total, with weights and regularisation */
    double losses[DH_MAX_IO];
    double metrics[DH_MAX_METRICS];
    int loss_count, metric_count;
    double seconds;
    int64_t samples;
} dh_result;

typedef struct dh_epoch {
    int epoch; /* from 1 */
    dh_result train, validation;
    bool has_validation;
    double learning_rate; /* of the last step */
} dh_epoch;

typedef struct dh_fit_args {
    size_t struct_size;
    dh_model *model;
    const dh_tensor *x, *y;
    const dh_tensor *xs[DH_MAX_IO], *ys[DH_MAX_IO]; /* where there are several inputs or outputs */
    int batch_size;                                 /* default 32 */
    int epochs;                                     /* default 1 */
    float validation_split;                         /* the last part of the data, in [0, 1) */
    const dh_tensor *validation_x, *validation_y;
    const dh_tensor *validation_xs[DH_MAX_IO], *validation_ys[DH_MAX_IO];
    const dh_tensor *sample_weight; /* [N]: times the losses of each sample, of all outputs; the
                                       rows of validation_split keep theirs */
    const float *class_weight;      /* one a class of the first output's target: times the first
                                       output's losses, in training */
    int class_count;
    bool no_shuffle, quiet;
    dh_source *source; /* instead of x, y, sample_weight and batch_size (source.h); borrowed. Its
                          epochs are numbered on over all calls of fit on the model */
    dh_source *validation_source; /* its epoch 0 each time */
    const char *checkpoint;       /* a folder, made if need be; checkpoints are written there */
    int64_t checkpoint_steps;     /* one each so many steps, and at the end of each epoch */
    int checkpoint_keep;          /* how many files stay; default 2 */
    bool resume; /* goes on from the newest checkpoint that is whole; starts afresh without one */
    dh_callback callbacks[DH_MAX_CALLBACKS]; /* callbacks.h */
} dh_fit_args;
/* Trains. x [N, ...], y [N, ...]: any dtype that casts to the input's. Each epoch takes every
 * sample once, in an order drawn from the model's seed; the last batch may be smaller. An error of
 * a source ends it with that error. A loss that is not finite ends it with DH_ENUMERIC, naming the
 * first layer that made it, and weights as before that step.
 *
 * A checkpoint holds parameters, states, what is frozen, the optimiser's memory, the learning rate
 * and its scales, the states of callbacks, the history and the position in data and randomness;
 * written atomically, checked by a sum when read. A run that was killed and resumes, with the same
 * program, ends with the same bits as one that was not. epochs counts those before, too. Where
 * model, rows, seed, optimizer, losses or callbacks, or their numbers, are others, resuming is
 * DH_ESTATE and says what differs, and nothing is changed; a learning rate that the program has
 * changed since holds (docs/checkpoints.md). A folder with checkpoints is refused without resume,
 * a checkpoint of another version of the format is DH_EUNSUPPORTED. */
DH_API dh_status dh_fit(const dh_fit_args *args);

/* Epochs of all calls of fit; count of them through count. Borrowed. */
DH_API const dh_epoch *dh_model_history(const dh_model *model, int *count);
/* Names in the order of dh_result.metrics; NULL beyond the last. */
DH_API const char *dh_model_metric_name(const dh_model *model, int index);
/* Sums behind a metric of the last evaluate or fit epoch: a confusion matrix is its [C, C] counts,
 * rows the true class. Up to room numbers into out; returns how many there are. */
DH_API int dh_model_metric_values(const dh_model *model, int index, double *out, int room);

typedef struct dh_evaluate_args {
    size_t struct_size;
    dh_model *model;
    const dh_tensor *x, *y;
    const dh_tensor *xs[DH_MAX_IO], *ys[DH_MAX_IO];
    int batch_size; /* default 256 */
    dh_result *result;
    const dh_tensor *sample_weight; /* [N] */
    bool quiet;
    dh_source *source; /* instead of x, y, sample_weight and batch_size: its epoch 0 */
} dh_evaluate_args;
/* Losses (with penalties of regularisers) and metrics over data, without training. A loss that is
 * not finite is DH_ENUMERIC and names the first layer that made it. */
DH_API dh_status dh_evaluate(const dh_evaluate_args *args);

typedef struct dh_predict_args {
    size_t struct_size;
    dh_tensor **out; /* the first output, yours to free; or all of them: */
    dh_model *model;
    const dh_tensor *x;
    dh_tensor **outs;               /* output_count tensors */
    const dh_tensor *xs[DH_MAX_IO]; /* where there are several inputs */
    int batch_size;                 /* default 256 */
} dh_predict_args;
/* The outputs for x [N, ...]. dh_predict(&y, net, x) */
DH_API DH_NODISCARD dh_status dh_predict(const dh_predict_args *args);

/* --- the fine-grained loop --- */

/* One batch: x and y are arrays as long as the model has inputs and outputs; all of their rows are
 * taken. result may be NULL. */
DH_API DH_NODISCARD dh_status dh_train_batch(dh_model *model, const dh_tensor *const *x,
                                             const dh_tensor *const *y, dh_result *result);
/* The same without training: dropout is off, batch normalisation uses its running statistics. */
DH_API DH_NODISCARD dh_status dh_eval_batch(dh_model *model, const dh_tensor *const *x,
                                            const dh_tensor *const *y, dh_result *result);
/* train_batch in its parts. forward runs in training mode when training is true. backward adds to
 * the gradients (sets them after zero_grads or update); update applies the optimiser. */
DH_API DH_NODISCARD dh_status dh_forward(dh_model *model, const dh_tensor *const *x, bool training);
/* From the losses of the last forward, which was with training = true, to the gradients. */
DH_API DH_NODISCARD dh_status dh_backward(dh_model *model, const dh_tensor *const *y,
                                          dh_result *result);
/* Applies the optimiser to the gradients; the next backward sets them. Models that share a store
 * share the memory of gradients: if another has trained since, DH_ESTATE. */
DH_API DH_NODISCARD dh_status dh_update(dh_model *model);
/* All gradients are 0, and the next backward sets them. */
DH_API DH_NODISCARD dh_status dh_zero_grads(dh_model *model);

/* A copy of a layer's output in the last forward: outputs of the model and layers named in .keep.
 */
DH_API DH_NODISCARD dh_status dh_layer_output(dh_tensor **out, const dh_layer *layer);
DH_API dh_layer *dh_model_layer(const dh_model *model,
                                const char *name); /* NULL with DH_ENOTFOUND */

/* Parameters, "dense1/weight", in the order of the layers. */
DH_API int dh_model_parameter_count(const dh_model *model);
DH_API const char *dh_model_parameter_name(const dh_model *model, int index);
/* A tensor on the parameter's own memory: what is written there is used by the next step. Yours to
 * free; while it is held, a build that would add parameters to the store is DH_ESTATE. DH_ENOTFOUND
 * offers the near names. */
DH_API DH_NODISCARD dh_status dh_model_parameter(dh_tensor **out, const dh_model *model,
                                                 const char *name);
/* The same of its gradient; DH_ESTATE before the first backward, where the last step kept none (see
 * keep_gradients), and where another model on the store has overwritten it. States have none. */
DH_API DH_NODISCARD dh_status dh_model_gradient(dh_tensor **out, const dh_model *model,
                                                const char *name);
/* Freezes (or thaws) a layer's parameters in this model, not in others that share them. Gradients
 * that were made before are gone; amid a group of accumulate batches those of what thaws begin from
 * 0. What has never been trained has no memory of the optimiser, and begins with zeros when it
 * thaws. A frozen batch normalisation takes its running statistics, as in Keras. */
DH_API DH_NODISCARD dh_status dh_layer_freeze(dh_layer *layer, bool frozen);
/* Scales the learning rate of one parameter, by name, in all models that share it. */
DH_API DH_NODISCARD dh_status dh_model_lr_scale(dh_model *model, const char *parameter,
                                                float scale);
/* The optimiser's learning rate from the next step on, at least 0. */
DH_API DH_NODISCARD dh_status dh_model_set_learning_rate(dh_model *model, float learning_rate);
/* 0 for NULL. */
DH_API float dh_model_learning_rate(const dh_model *model);

/* Threads that the model's calls may use here. 0 for NULL. */
DH_API int dh_model_threads(const dh_model *model);

/* --- inspection --- */

typedef struct dh_memory_report {
    size_t parameter_bytes;
    size_t gradient_bytes; /* where none is kept, what they add to the activations */
    size_t optimizer_bytes;
    size_t activation_bytes[3]; /* planned for a training step at full_mem, mid_mem, low_mem */
    size_t plan_bytes;          /* all of it at the model's level */
} dh_memory_report;
/* For a batch of batch_size. */
DH_API DH_NODISCARD dh_status dh_model_memory(dh_memory_report *out, dh_model *model,
                                              int batch_size);

/* A table of layers, shapes, parameters, FLOPs and chosen implementations for a batch of batch_size
 * (0: the last one used, or 32), and memory by level, through the log; or into *text, which
 * dh_text_free frees. */
DH_API dh_status dh_summary(dh_model *model, int batch_size);
DH_API DH_NODISCARD dh_status dh_summary_text(char **text, dh_model *model, int batch_size);
DH_API void dh_text_free(char *text);

/* on: from now on each layer's calls are timed in the steps of this model (its sessions' are not),
 * and dh_summary tells milliseconds a step, forward, backward and update, and each layer's share:
 * of training, or where none was timed, of evaluations and predictions. The very first step takes
 * its memory from the system and does not count where there are more. Each true begins anew; false,
 * the default, costs nothing and keeps what was measured until the next dh_build. */
DH_API dh_status dh_model_profile(dh_model *model, bool on);

/* Losses and metrics of all epochs as a PNG picture, 960 x 400; written atomically. */
DH_API DH_NODISCARD dh_status dh_model_plot_history(const dh_model *model, const char *path);

/* SHA-256 over all parameters' names-free bytes in the order of the layers, as 64 hex digits. */
DH_API DH_NODISCARD dh_status dh_model_sha256(char hex[65], const dh_model *model);

/* --- saving --- */

/* Weights and states as safetensors. */
DH_API DH_NODISCARD dh_status dh_save_weights(const dh_model *model, const char *path);

typedef struct dh_load_weights_args {
    size_t struct_size;
    dh_model *model;
    const char *path;   /* what dh_save_weights or a checkpoint of fit has written */
    const char *only;   /* patterns of names, as "stem*,conv?/weight": a star is any text, ? one
                           character (fnmatch(3)); only such parameters are loaded. NULL: all.
                           A pattern that matches nothing is DH_ENOTFOUND */
    bool skip_mismatch; /* what is missing, extra, of another shape or matched by nothing is left as
                           it is, and logged */
} dh_load_weights_args;
/* Checks names, shapes and dtypes first: a mismatch lists what is missing, extra or of another
 * shape, and changes nothing. DH_ENOTFOUND where nothing would be loaded. A checkpoint whose sum is
 * not that of its bytes is DH_EFORMAT.
 * dh_load_weights(net, "old.safetensors", .only = "stem/weight,conv*") */
DH_API DH_NODISCARD dh_status dh_load_weights(const dh_load_weights_args *args);

/* --- macros --- */
#ifndef __cplusplus
#define dh_model_to_cpu(...)  dh_model_to_cpu(DH_ARGS(dh_model_to_cpu_args, __VA_ARGS__))
#define dh_model_to_gpu(...)  dh_model_to_gpu(DH_ARGS(dh_model_to_args, __VA_ARGS__))
#define dh_model_to_fpga(...) dh_model_to_fpga(DH_ARGS(dh_model_to_args, __VA_ARGS__))
#define dh_model_new(...)     dh_model_new(DH_ARGS(dh_model_args, __VA_ARGS__))
#define dh_build(...)         dh_build(DH_ARGS(dh_build_args, __VA_ARGS__))
#define dh_model_apply(model_, ...)        \
    dh_model_apply(&(dh_model_apply_args){ \
        .struct_size = sizeof(dh_model_apply_args), .model = model_, .inputs = __VA_ARGS__})
#define dh_fit(...)          dh_fit(DH_ARGS(dh_fit_args, __VA_ARGS__))
#define dh_evaluate(...)     dh_evaluate(DH_ARGS(dh_evaluate_args, __VA_ARGS__))
#define dh_load_weights(...) dh_load_weights(DH_ARGS(dh_load_weights_args, __VA_ARGS__))
#define dh_predict(...)      dh_predict(DH_ARGS(dh_predict_args, __VA_ARGS__))
#endif

#ifdef __cplusplus
}
#endif
#endif
