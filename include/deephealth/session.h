/* SPDX-License-Identifier: MIT */
/* Serving: one built model, many threads that predict with it at the same time. */
#ifndef DEEPHEALTH_SESSION_H
#define DEEPHEALTH_SESSION_H

#include <deephealth/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What one thread needs to predict with a model: activations of its own on the model's weights,
 * which are shared and never copied. A session belongs to one thread at a time; any number of a
 * model's sessions may predict at once, and be made and freed by any thread while others predict.
 *
 * While a session is being made or predicts, no other thread may change the model, nor one that
 * shares its parameters: no training, no loading of weights, no writing of parameters, no new
 * layers. What changes nothing (predict, evaluate, save) one thread at a time may do. Between
 * predictions the model may be trained and loaded: the next prediction sees the new weights.
 * While there are sessions, dh_build of the model is DH_ESTATE, as is a build that adds parameters
 * to its store. dh_model_free may come first: what the sessions need goes with the last of them,
 * and weights that all of them read packed are then kept in that form alone, mostly half the
 * memory.
 */
typedef struct dh_session dh_session;

typedef struct dh_session_args {
    size_t struct_size;
    dh_session **out;
    dh_model *model; /* built */
    int batch_size;  /* most rows at once, for which memory is made now; default 256 */
    int threads;     /* that compute one prediction; default 1 */
} dh_session_args;
/* A session on the model, yours to free. DH_ESTATE if the model is not built.
 * dh_session_new(&s, net, .batch_size = 32) */
DH_API DH_NODISCARD dh_status dh_session_new(const dh_session_args *args);

typedef struct dh_session_predict_args {
    size_t struct_size;
    dh_tensor **out; /* the first output, yours to free; or all of them: */
    dh_session *session;
    const dh_tensor *x;
    dh_tensor **outs;               /* output_count tensors */
    const dh_tensor *xs[DH_MAX_IO]; /* where there are several inputs */
} dh_session_predict_args;
/* The outputs for x [N, ...], bit for bit those of dh_predict with this batch_size; more rows than
 * batch_size are computed in parts. It waits for others only while
 * weights that have changed are packed anew, and allocates nothing but the outputs; only where a
 * number of rows is taken by another implementation, weights are packed for that, and where a layer
 * cannot take fewer rows in the memory planned for batch_size, the first prediction of such a
 * number makes another plan. dh_session_predict(&y, s, x) */
DH_API DH_NODISCARD dh_status dh_session_predict(const dh_session_predict_args *args);

/* As dh_profile_text, of this session's own predictions while dh_model_profile was on for its
 * model, whose tables do not count them; *text is freed by dh_text_free. DH_ESTATE where none was
 * timed. With DEEPHEALTH_PROFILE in the environment the table, and a trace if it names a file, is
 * told when the session is freed. */
DH_API DH_NODISCARD dh_status dh_session_profile_text(char **text, const dh_session *session);

DH_API void dh_session_free(dh_session *session); /* NULL is fine */

/* --- macros --- */
#ifndef __cplusplus
#define dh_session_new(...)     dh_session_new(DH_ARGS(dh_session_args, __VA_ARGS__))
#define dh_session_predict(...) dh_session_predict(DH_ARGS(dh_session_predict_args, __VA_ARGS__))
#endif

#ifdef __cplusplus
}
#endif
#endif
