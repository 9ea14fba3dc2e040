/* SPDX-License-Identifier: MIT */
/* A model as numbers, as text and as pictures: its size and work, its architecture as JSON, which
 * makes it again, its graph of layers, and histograms of what it has learnt. */
#ifndef DEEPHEALTH_INSPECTION_H
#define DEEPHEALTH_INSPECTION_H

#include <deephealth/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- size and work --- */

typedef struct dh_work_report {
    int64_t parameters; /* numbers in all parameters and states; shared ones once */
    int64_t trainable;  /* of them those that are trained: no states, nothing frozen */
    double flops; /* a forward of one sample: 2 a multiply-add of convolutions and products (dense);
                     nothing else */
} dh_work_report;
/* Of all layers that the model has now, built or not; nothing is allocated for them. */
DH_API DH_NODISCARD dh_status dh_model_work(dh_work_report *out, const dh_model *model);

/* --- where the time goes --- */

/* Of the steps that dh_model_profile had timed: a table, by mode (training; evaluation and
 * prediction) and layer, of the ops that ran and the implementation that was chosen for each, with
 * milliseconds a step and share of them, GFLOP/s and their part of the peak (multiply-adds on
 * registers with the model's threads, measured before the first such step), the MB of the
 * arguments and results and GB/s, and why each better implementation was refused. Through the log,
 * or into *text, which dh_text_free frees. DH_ESTATE where no step was timed. */
DH_API dh_status dh_profile(const dh_model *model);
DH_API DH_NODISCARD dh_status dh_profile_text(char **text, const dh_model *model);
/* The last step of each kind as a timeline in Chrome's trace event format (about:tracing,
 * Perfetto), JSON, written atomically: an event for each op with its layer, phase, implementation,
 * shapes, GFLOP/s and bytes. DH_ESTATE where no step was timed.
 *
 * DEEPHEALTH_PROFILE=1 in the environment profiles every model from its birth and tells the table
 * when it is freed; a value that is neither 0 nor 1 names the file where the trace goes as well, of
 * the model or session that is freed last. */
DH_API DH_NODISCARD dh_status dh_profile_trace(const dh_model *model, const char *path);

/* --- architecture --- */

/* Layers in the order in which they were made, each with its kind, name, inputs, the arguments that
 * differ from their defaults, and whose parameters it uses where dh_apply made it; which are
 * frozen; the inputs and outputs of the last build. Neither weights (dh_save_weights) nor what else
 * dh_build is given, nor layers that it made. *text is freed by dh_text_free. DH_EUNSUPPORTED where
 * a layer reads a target, or a text is no UTF-8. */
DH_API DH_NODISCARD dh_status dh_model_to_json(char **text, const dh_model *model);
/* The model that the text describes, yours to free; it is not built, and dh_build with neither
 * output nor inputs takes those of the text. dh_model_to_json of it gives the same text. What is
 * wrong is told with its line: DH_EFORMAT, DH_ENAME with the near names, or as the layer's
 * constructor has it. DH_EUNSUPPORTED for a text of a later version. */
DH_API DH_NODISCARD dh_status dh_model_from_json(dh_model **out, const char *text);
/* The same into a file, written atomically, and from one. */
DH_API DH_NODISCARD dh_status dh_save_model_json(const dh_model *model, const char *path);
DH_API DH_NODISCARD dh_status dh_load_model_json(dh_model **out, const char *path);

/* Inputs and outputs of the last build, or of the JSON that the model came from; NULL beyond the
 * last one. Borrowed. */
DH_API dh_layer *dh_model_input(const dh_model *model, int index);
DH_API dh_layer *dh_model_output(const dh_model *model, int index);

/* --- pictures --- */

/* The layers as a graph in Graphviz's language: each with its name, kind, shape with N for the
 * batch, and parameters; those with another layer's parameters dashed. *text is freed by
 * dh_text_free. Any model will do, built or not. */
DH_API DH_NODISCARD dh_status dh_model_to_dot(char **text, const dh_model *model);
/* The same drawn as SVG, which needs no Graphviz; written atomically. */
DH_API DH_NODISCARD dh_status dh_model_plot(const dh_model *model, const char *path);

/* A histogram of each parameter and state, with its range and how many values are NaN or infinite,
 * as one PNG picture, written atomically. which: "weights" (NULL is it), or "gradients": those of
 * the last step, of what is trained; DH_ESTATE before there are any, where that step kept none (see
 * keep_gradients of dh_build), and where another model on the store has overwritten them. The model
 * must be built. */
DH_API DH_NODISCARD dh_status dh_model_plot_histograms(const dh_model *model, const char *path,
                                                       const char *which);

#ifdef __cplusplus
}
#endif
#endif
